"""Layer cases: convolutions of every kind, and pooling."""

from .spec import ArrayInput as X
from .spec import LayerCase as Case
from .spec import Spec

FIRST = {"data_format": "channels_first"}
SEQUENCE = (X((2, 7, 4)),)
SEQUENCE_FIRST = (X((2, 4, 7)),)
IMAGE = (X((2, 6, 5, 4)),)
IMAGE_FIRST = (X((2, 4, 6, 5)),)
VOLUME = (X((1, 4, 5, 4, 2)),)
VOLUME_FIRST = (X((1, 2, 4, 5, 4)),)


def _cases(prefix, layer, inputs, base, variants):
    """One case per variant: a name, extra arguments, and other inputs where they differ."""
    cases = []
    for name, kwargs, *other in variants:
        cases.append(
            Case(f"{prefix}_{name}", layer, other[0] if other else inputs, {**base, **kwargs})
        )
    return tuple(cases)


CONVOLUTION = (
    *_cases(
        "conv1d",
        "Conv1D",
        SEQUENCE,
        {"filters": 3, "kernel_size": 3},
        (
            ("valid", {}),
            ("same_stride2", {"padding": "same", "strides": 2, "activation": "relu"}),
            ("causal_dilation2", {"padding": "causal", "dilation_rate": 2}),
            ("same_dilation2", {"padding": "same", "dilation_rate": 2}),
            ("groups2", {"filters": 4, "groups": 2, "use_bias": False}),
            ("first", {**FIRST, "padding": "same"}, SEQUENCE_FIRST),
            ("kernel1", {"kernel_size": 1}),
        ),
    ),
    *_cases(
        "conv2d",
        "Conv2D",
        IMAGE,
        {"filters": 3, "kernel_size": 3},
        (
            ("valid", {}),
            ("same", {"padding": "same", "activation": "relu"}),
            ("same_stride2", {"padding": "same", "strides": 2}),
            ("valid_strides", {"kernel_size": (2, 3), "strides": (2, 1), "use_bias": False}),
            ("same_even_kernel", {"kernel_size": (2, 4), "padding": "same", "strides": (2, 2)}),
            ("dilation", {"dilation_rate": (2, 1), "padding": "same"}),
            ("valid_dilation2", {"kernel_size": 2, "dilation_rate": 2}),
            ("groups2", {"filters": 6, "groups": 2, "padding": "same"}),
            ("first", {**FIRST, "padding": "same", "strides": (1, 2)}, IMAGE_FIRST),
            ("kernel1", {"kernel_size": 1}),
            (
                "regularized",
                {
                    "kernel_size": 2,
                    "kernel_regularizer": Spec("L2", {"l2": 0.1}, namespace="regularizers"),
                },
            ),
        ),
    ),
    *_cases(
        "conv3d",
        "Conv3D",
        VOLUME,
        {"filters": 2, "kernel_size": 2},
        (
            ("valid", {}),
            ("same_stride2", {"padding": "same", "strides": 2, "kernel_size": 3}),
            ("dilation2", {"padding": "same", "dilation_rate": 2}),
            ("groups2", {"groups": 2, "use_bias": False}),
            ("first", {**FIRST, "strides": (1, 2, 1)}, VOLUME_FIRST),
        ),
    ),
)

DEPTHWISE = (
    *_cases(
        "depthwise_conv1d",
        "DepthwiseConv1D",
        SEQUENCE,
        {"kernel_size": 3},
        (
            ("valid", {}),
            ("same_stride2", {"padding": "same", "strides": 2}),
            ("multiplier2", {"depth_multiplier": 2, "activation": "tanh"}),
            ("dilation2", {"dilation_rate": 2, "use_bias": False}),
            ("first", FIRST, SEQUENCE_FIRST),
        ),
    ),
    *_cases(
        "depthwise_conv2d",
        "DepthwiseConv2D",
        IMAGE,
        {"kernel_size": 3},
        (
            ("valid", {}),
            ("same_stride2", {"padding": "same", "strides": (2, 2)}),
            ("multiplier2", {"depth_multiplier": 2, "padding": "same", "activation": "relu"}),
            ("dilation2", {"dilation_rate": (2, 2), "use_bias": False}),
            ("first", {**FIRST, "kernel_size": (2, 3)}, IMAGE_FIRST),
        ),
    ),
    *_cases(
        "separable_conv1d",
        "SeparableConv1D",
        SEQUENCE,
        {"filters": 3, "kernel_size": 3},
        (
            ("valid", {}),
            ("same_stride2", {"padding": "same", "strides": 2}),
            ("multiplier2", {"depth_multiplier": 2, "activation": "relu"}),
            ("dilation2", {"dilation_rate": 2, "use_bias": False}),
            ("first", FIRST, SEQUENCE_FIRST),
        ),
    ),
    *_cases(
        "separable_conv2d",
        "SeparableConv2D",
        IMAGE,
        {"filters": 3, "kernel_size": 3},
        (
            ("valid", {}),
            ("same_stride2", {"padding": "same", "strides": 2}),
            ("multiplier2", {"depth_multiplier": 2, "padding": "same"}),
            ("dilation2", {"dilation_rate": 2, "use_bias": False, "activation": "relu"}),
            ("first", FIRST, IMAGE_FIRST),
        ),
    ),
)

TRANSPOSED = (
    *_cases(
        "conv1d_transpose",
        "Conv1DTranspose",
        (X((2, 4, 3)),),
        {"filters": 2, "kernel_size": 3},
        (
            ("valid", {}),
            ("stride2", {"strides": 2}),
            ("same_stride2", {"strides": 2, "padding": "same"}),
            ("same_even_kernel", {"kernel_size": 4, "strides": 2, "padding": "same"}),
            ("stride3_kernel2", {"kernel_size": 2, "strides": 3}),
            ("output_padding", {"strides": 2, "padding": "same", "output_padding": 1}),
            ("dilation2", {"dilation_rate": 2, "activation": "relu"}),
            ("first", {**FIRST, "strides": 2}, (X((2, 3, 4)),)),
        ),
    ),
    *_cases(
        "conv2d_transpose",
        "Conv2DTranspose",
        (X((2, 3, 4, 3)),),
        {"filters": 2, "kernel_size": 3},
        (
            ("valid", {}),
            ("stride2", {"strides": 2, "use_bias": False}),
            ("same", {"padding": "same"}),
            ("same_stride2", {"strides": 2, "padding": "same", "activation": "relu"}),
            ("same_even_kernel", {"kernel_size": (2, 4), "strides": (2, 2), "padding": "same"}),
            ("stride_over_kernel", {"kernel_size": 2, "strides": 3}),
            ("output_padding", {"strides": 2, "padding": "same", "output_padding": (1, 0)}),
            ("dilation2", {"dilation_rate": (2, 2), "padding": "same"}),
            ("first", {**FIRST, "strides": (2, 1)}, (X((2, 3, 3, 4)),)),
        ),
    ),
    *_cases(
        "conv3d_transpose",
        "Conv3DTranspose",
        (X((1, 2, 3, 2, 2)),),
        {"filters": 2, "kernel_size": 2},
        (
            ("valid", {}),
            ("same_stride2", {"strides": 2, "padding": "same", "kernel_size": 3}),
            ("stride_mixed", {"strides": (1, 2, 2)}),
            ("first", {**FIRST, "strides": (2, 1, 1)}, (X((1, 2, 2, 3, 2)),)),
        ),
    ),
)

_POOL1 = (
    ("default", {"pool_size": 2}),
    ("same_stride2", {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("overlap", {"pool_size": 3, "strides": 1}),
    ("first", {**FIRST, "pool_size": 2}, SEQUENCE_FIRST),
)
_POOL2 = (
    ("default", {"pool_size": (2, 2)}),
    ("same_stride2", {"pool_size": 3, "strides": 2, "padding": "same"}),
    ("same_default_strides", {"pool_size": 2, "padding": "same"}),
    ("overlap", {"pool_size": (3, 2), "strides": (1, 2)}),
    ("first", {**FIRST, "pool_size": 2, "padding": "same"}, IMAGE_FIRST),
)
_POOL3 = (
    ("default", {"pool_size": 2}),
    ("same", {"pool_size": (2, 3, 2), "strides": (1, 2, 2), "padding": "same"}),
    ("first", {**FIRST, "pool_size": 2}, VOLUME_FIRST),
)
_GLOBAL = (("default", {}), ("keepdims", {"keepdims": True}))

POOLING = tuple(
    case
    for kind, layer_kind in (("max", "Max"), ("average", "Average"))
    for case in (
        *_cases(f"{kind}_pooling1d", f"{layer_kind}Pooling1D", SEQUENCE, {}, _POOL1),
        *_cases(f"{kind}_pooling2d", f"{layer_kind}Pooling2D", IMAGE, {}, _POOL2),
        *_cases(f"{kind}_pooling3d", f"{layer_kind}Pooling3D", VOLUME, {}, _POOL3),
        *_cases(
            f"global_{kind}_pooling1d",
            f"Global{layer_kind}Pooling1D",
            SEQUENCE,
            {},
            (*_GLOBAL, ("first", FIRST, SEQUENCE_FIRST)),
        ),
        *_cases(
            f"global_{kind}_pooling2d",
            f"Global{layer_kind}Pooling2D",
            IMAGE,
            {},
            (*_GLOBAL, ("first", FIRST, IMAGE_FIRST)),
        ),
        *_cases(
            f"global_{kind}_pooling3d",
            f"Global{layer_kind}Pooling3D",
            VOLUME,
            {},
            (*_GLOBAL, ("first", {**FIRST, "keepdims": True}, VOLUME_FIRST)),
        ),
        *_cases(
            f"adaptive_{kind}_pooling1d",
            f"Adaptive{layer_kind}Pooling1D",
            SEQUENCE,
            {},
            (("three", {"output_size": 3}),),
        ),
        *_cases(
            f"adaptive_{kind}_pooling2d",
            f"Adaptive{layer_kind}Pooling2D",
            IMAGE,
            {},
            (("pair", {"output_size": (4, 2)}),),
        ),
    )
) + (
    Case(
        "global_average_pooling1d_mask",
        "GlobalAveragePooling1D",
        (X((2, 4, 3)),),
        call_kwargs={"mask": X(dtype="bool", values=((1, 1, 0, 0), (1, 1, 1, 0)))},
    ),
)

CASES = CONVOLUTION + DEPTHWISE + TRANSPOSED + POOLING
