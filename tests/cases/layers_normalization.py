"""Layer cases: normalisation."""

from .spec import ArrayInput as X
from .spec import LayerCase as Case
from .spec import Spec

VECTOR = (X((6, 4)),)
SEQUENCE = (X((3, 4, 6)),)
IMAGE = (X((2, 3, 4, 4)),)

BATCH = (
    Case("batch_normalization", "BatchNormalization", VECTOR),
    Case(
        "batch_normalization_image", "BatchNormalization", IMAGE, {"momentum": 0.9, "epsilon": 1e-5}
    ),
    Case("batch_normalization_axis1", "BatchNormalization", IMAGE, {"axis": 1}),
    Case(
        "batch_normalization_plain", "BatchNormalization", VECTOR, {"center": False, "scale": False}
    ),
    Case("batch_normalization_frozen", "BatchNormalization", VECTOR, {"trainable": False}),
    Case(
        "batch_normalization_mask",
        "BatchNormalization",
        (X((2, 4, 3)),),
        {"momentum": 0.5},
        call_kwargs={"mask": X(dtype="bool", values=((1, 1, 0, 0), (1, 1, 1, 0)))},
    ),
)
LAYER = (
    Case("layer_normalization", "LayerNormalization", VECTOR),
    Case("layer_normalization_sequence", "LayerNormalization", SEQUENCE, {"epsilon": 1e-6}),
    Case("layer_normalization_two_axes", "LayerNormalization", IMAGE, {"axis": (2, 3)}),
    Case("layer_normalization_axis1", "LayerNormalization", SEQUENCE, {"axis": 1}),
    Case("layer_normalization_no_scale", "LayerNormalization", VECTOR, {"scale": False}),
    Case("layer_normalization_no_center", "LayerNormalization", VECTOR, {"center": False}),
)
OTHER = (
    Case("group_normalization", "GroupNormalization", IMAGE, {"groups": 2}),
    Case("group_normalization_instance", "GroupNormalization", IMAGE, {"groups": -1}),
    Case("group_normalization_one", "GroupNormalization", SEQUENCE, {"groups": 1, "epsilon": 1e-5}),
    Case(
        "group_normalization_axis1",
        "GroupNormalization",
        (X((2, 4, 3, 3)),),
        {"groups": 2, "axis": 1},
    ),
    Case(
        "group_normalization_plain",
        "GroupNormalization",
        VECTOR,
        {"groups": 2, "scale": False, "center": False},
    ),
    Case("rms_normalization", "RMSNormalization", VECTOR),
    Case("rms_normalization_sequence", "RMSNormalization", SEQUENCE, {"epsilon": 1e-3}),
    Case("rms_normalization_image", "RMSNormalization", IMAGE),
    Case("unit_normalization", "UnitNormalization", VECTOR),
    Case("unit_normalization_axis1", "UnitNormalization", SEQUENCE, {"axis": 1}),
    Case("unit_normalization_two_axes", "UnitNormalization", IMAGE, {"axis": (1, 2)}),
    Case(
        "spectral_normalization_dense",
        "SpectralNormalization",
        VECTOR,
        {"layer": Spec("Dense", {"units": 3}), "power_iterations": 2},
    ),
    Case(
        "spectral_normalization_conv2d",
        "SpectralNormalization",
        IMAGE,
        {"layer": Spec("Conv2D", {"filters": 3, "kernel_size": 2})},
    ),
)

CASES = BATCH + LAYER + OTHER
