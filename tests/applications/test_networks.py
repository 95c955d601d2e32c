"""Ready-made networks are Keras's: parameters, names, wiring, order, outputs and gradients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import applications
from nacre.core.errors import ArgumentError
from nacre.initializers.variance_scaling import VarianceScaling
from nacre.ops.kernels import convolution
from nacre.ops.kernels.placement import plain_xla
from tests import heap
from tests.cases import applications as cases
from tests.tiers import first_of_each_is_quick

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "applications.json").read_text(encoding="utf-8")
)
# Compiling one costs seconds: the quick tier does the least of them.
_QUICK = "mobilenet_v2"
# One, and those that have layers of their own.
_OWN_LAYERS = (_QUICK, "convnext", "inception_resnet_v2")
# One of each kind of block: sums, branches, and convolutions of each channel or by groups.
# What else there is are the same layers and ways to join them, in deeper networks.
_DIFFERENTIATED = "resnet mobilenet_v2 mobilenet_v3 xception inception_v3 convnext regnet".split()
# Those whose configs say what no other's does: sums with a scale, cut-off borders, several means.
_SAVED = (*_OWN_LAYERS, "vgg", "resnet", "nasnet", "efficientnet")
FAMILIES = [
    pytest.param(family, marks=[] if family == _QUICK else [pytest.mark.slow])
    for family in cases.FAMILIES
]
SAVED = [family for family in FAMILIES if family.values[0] in _SAVED]
VARIANTS = [
    pytest.param(f"{family}: {variant}", *row, id=f"{family}-{variant.replace(' ', '_')}")
    for family, rows in cases.VARIANTS.items()
    for variant, row in rows.items()
]
MEMBERS = first_of_each_is_quick(
    [
        pytest.param(name, id=f"{family}-{name}")
        for family, members in cases.FAMILIES.items()
        for name in members
    ],
    kind=lambda row: row.id.partition("-")[0],
)


@pytest.fixture(autouse=True)
def dropped() -> Iterator[None]:
    """Each network is gone before the next: a search for what one has dropped is a short one."""
    yield
    heap.leave_out_what_lives()


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """First values that take no time: zeros, which the system hands out untouched."""
    zeros = lambda self, shape, dtype=None, **kwargs: np.zeros(shape, "float32")
    monkeypatch.setattr(VarianceScaling, "__call__", zeros)


@pytest.fixture
def structure(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a copy touch them: what networks of up to 350 million numbers take most time for."""
    uncopied = lambda value, dtype, who: np.asarray(value, dtype)
    monkeypatch.setattr("nacre.core.variable.exact", uncopied)


def network(name: str, shape: tuple[int, ...], **arguments: Any) -> Any:
    image = nacre.Input(batch_shape=(1, *shape))
    with plain_xla():  # shapes alone are asked for: tracing kernels takes a third of the time
        return getattr(applications, name)(weights=None, input_tensor=image, **arguments)


def small(family: str) -> Any:
    name, arguments = cases.SMALL[family]
    return getattr(applications, name)(**cases.small(arguments))


def pictures(family: str) -> np.ndarray:
    return cases.pictures(cases.SMALL[family][1]["input_shape"])


@pytest.mark.usefixtures("structure")
@pytest.mark.parametrize("name", MEMBERS)
def test_layers_variables_and_parameters_are_those_of_keras(name: str) -> None:
    size = cases.MEMBERS[name]
    model = network(name, (size, size, 3), **cases.member_arguments(name))
    assert cases.facts(model) == REFERENCE[name]


@pytest.mark.usefixtures("structure")
@pytest.mark.parametrize(("key", "name", "size", "arguments"), VARIANTS)
def test_arguments_change_the_layers_as_in_keras(
    key: str, name: str, size: int, arguments: dict[str, Any]
) -> None:
    assert cases.facts(network(name, (size, size, 3), **arguments)) == REFERENCE[key]


@pytest.mark.usefixtures("structure")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_end_without_the_top_is_that_of_keras(family: str) -> None:
    name, arguments = cases.SMALL[family]
    model = network(name, arguments["input_shape"], include_top=False, pooling="max")
    assert cases.layer_lines(model)[-2:] == REFERENCE[f"{family}: end"]


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_and_gradients_are_those_of_keras(family: str) -> None:
    model, expected = small(family), REFERENCE[f"{family}: numbers"]
    cases.fill(model)
    with nacre.GradientTape() if family in _DIFFERENTIATED else nullcontext() as tape:
        outputs = model(pictures(family), training=False)
        loss = nacre.ops.sum(outputs * outputs)
    found = cases.facts(model)
    assert {fact: expected[fact] for fact in found} == found
    wanted = np.asarray(expected["outputs"])
    np.testing.assert_allclose(np.asarray(outputs), wanted, rtol=0, atol=1e-5 * abs(wanted).max())
    if tape is None:
        return
    slopes = np.asarray(cases.slopes(tape.gradient(loss, model.trainable_variables)))
    wanted = np.asarray(expected["slopes"])
    # Where the input of a relu is zero but for rounding, a gradient passes or not: what stands
    # before it then differs a little, and what stands behind it does not. In float64 all gradients
    # of ResNet50 are those of Keras on TensorFlow, to 5e-15.
    lengths = wanted[:, :1]
    errors = abs(slopes - wanted) / (lengths + 1e-3 * lengths.max())
    assert np.quantile(errors, 0.25) <= 1e-4 and errors.max() <= 0.1


def number(model: Any) -> list[np.ndarray]:
    """Give each variable numbers of its own, at once even where there are millions."""
    values = [
        np.arange(index, index + np.prod(v.shape), dtype="float32").reshape(v.shape)
        for index, v in enumerate(model.weights)
    ]
    model.set_weights(values)
    return values


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("family", SAVED)
def test_files_give_back_the_network(family: str, tmp_path: Path) -> None:
    model = small(family)
    values, facts = number(model), cases.facts(model)
    shapes = [v.shape for v in model.weights]
    # Both have the same description of the network, and their weights layer by layer.
    endings = (".keras", ".h5") if family in (_QUICK, "convnext") else (".keras",)
    for ending in endings:
        model.save(tmp_path / f"model{ending}")
    del model
    for ending in endings:
        again = nacre.models.load_model(tmp_path / f"model{ending}")
        found = cases.facts(again)
        assert all(found[fact] == facts[fact] for fact in ("parameters", "layers"))
        assert [v.shape for v in again.weights] == shapes
        assert all(map(np.array_equal, values, again.get_weights()))


@pytest.mark.usefixtures("empty")
def test_weights_of_a_file_come_back_into_a_network_of_its_own(tmp_path: Path) -> None:
    # What a `.weights.h5` file has stands in a `.keras` file, too: one family is enough.
    model, again = small(_QUICK), small(_QUICK)
    values = number(model)
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    assert len(again.weights) == len(values)
    assert all(map(np.array_equal, values, again.get_weights()))


def outputs_of_keras(family: str) -> np.ndarray:
    return np.asarray(REFERENCE[f"{family}: numbers"]["outputs"])


@pytest.fixture
def channels_first() -> Iterator[None]:
    nacre.config.set_image_data_format("channels_first")
    yield
    nacre.config.set_image_data_format("channels_last")


@pytest.mark.usefixtures("channels_first")
def test_convnext_refuses_channels_first_as_keras_does() -> None:
    with pytest.raises(ArgumentError, match="must have their channels last"):
        applications.ConvNeXtTiny(weights=None)


# One, and some that reshape what they multiply by. Others compute what their layers do.
_RUN_CHANNELS_FIRST = (_QUICK, "mobilenet_v3", "efficientnet", "regnet")


@pytest.mark.usefixtures("empty", "channels_first")
@pytest.mark.parametrize("family", [f for f in FAMILIES if f.values[0] != "convnext"])
def test_channels_first_gives_the_same(family: str) -> None:
    name, arguments = cases.SMALL[family]
    height, width, channels = arguments["input_shape"]
    nacre.config.set_image_data_format("channels_last")
    last = small(family)
    nacre.config.set_image_data_format("channels_first")
    nacre.core.names.reset_names()
    arguments = {**arguments, "input_shape": (channels, height, width)}
    first = getattr(applications, name)(**cases.small(arguments))
    for ours, other in zip(first.layers, last.layers, strict=True):
        assert (type(ours), ours.name) == (type(other), other.name)
        assert [v.shape for v in ours.weights] == [v.shape for v in other.weights]
        assert getattr(ours, "data_format", "channels_first") == "channels_first"
        if len(ours.output.shape) == 4:
            assert ours.output.shape[1:] == (other.output.shape[3], *other.output.shape[1:3])
        if len(ours.output.shape) == 4 and hasattr(ours, "axis"):  # no other mistakes the places
            axis, wanted = (np.ravel(layer.axis) % 4 for layer in (ours, other))
            assert (list(wanted), list(axis)) == ([3], [1])
    if family not in _RUN_CHANNELS_FIRST:
        return
    cases.fill(first)  # in the same order: weights have the same shapes in both formats
    outputs = first(pictures(family).transpose(0, 3, 1, 2))
    wanted = outputs_of_keras(family)
    np.testing.assert_allclose(outputs, wanted, rtol=0, atol=1e-5 * abs(wanted).max())


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("family", FAMILIES)
def test_mixed_precision_computes_in_sixteen_bits(family: str) -> None:
    nacre.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = small(family)
    finally:
        nacre.mixed_precision.set_global_policy("float32")
    assert {v.dtype for v in model.weights if v.name != "count"} == {"float32"}
    assert {layer.output.dtype for layer in model.layers[1:]} == {"bfloat16"}
    if family not in (_QUICK, "convnext"):
        return  # that it keeps to 16 bits, all its layers tell
    cases.fill(model)
    outputs, wanted = model(pictures(family)), outputs_of_keras(family)
    assert nacre.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    near = np.asarray(outputs, np.float32)
    # Eight bits a number: one rounding is 0.4 %, and they add up over up to 200 layers.
    np.testing.assert_allclose(near, wanted, rtol=0, atol=0.1 * abs(wanted).max())


# That all layers of the others have their channels first, the test of what they give tells.
@pytest.mark.usefixtures("structure")
@pytest.mark.parametrize(
    ("family", "data_format"),
    [pytest.param(*f.values, "channels_last", marks=f.marks) for f in FAMILIES]
    + [
        pytest.param(*f.values, "channels_first", marks=f.marks)
        for f in FAMILIES
        if f.values[0] in _RUN_CHANNELS_FIRST
    ],
)
def test_features_are_pooled_over_all_places_of_pictures_of_odd_sizes(
    family: str, data_format: str, request: pytest.FixtureRequest
) -> None:
    if data_format == "channels_first":
        request.getfixturevalue("channels_first")
    name = cases.SMALL[family][0]
    build = getattr(applications, name)
    least = max(33, cases.SMALL[family][1]["input_shape"][0])
    sizes = (least | 1, (least | 1) + 6)  # two odd ones
    shape = (*sizes, 3) if data_format == "channels_last" else (3, *sizes)
    # Each network is built as often as tells something: it is what takes the time.
    pooling = "avg" if data_format == "channels_last" else "max"
    image = nacre.Input(shape)
    pooled = build(weights=None, include_top=False, input_tensor=image, pooling=pooling)
    assert pooled.inputs[0] is image and len(pooled.output_shape) == 2
    last = pooled.layers[-1]
    while not type(last).__name__.startswith("Global"):  # ConvNeXt's normalization follows
        last = pooled.layers[pooled.layers.index(last) - 1]
    assert last.data_format == data_format
    assert ("Average" if pooling == "avg" else "Max") in type(last).__name__
    # What is pooled are the features, with all their places.
    before = last.input.shape
    assert len(before) == 4
    assert pooled.output_shape == (None, before[3 if data_format == "channels_last" else 1])
    if data_format == "channels_first":
        return
    whole = build(weights=None, classes=5, input_shape=shape, classifier_activation=None)
    assert whole.output_shape == (None, 5)
    assert nacre.activations.serialize(whole.layers[-1].activation) == "linear"


def test_two_networks_have_the_same_names_and_values_of_their_own() -> None:
    one, other = small("mobilenet_v2"), small("mobilenet_v2")
    given = [layer.name for layer in one.layers if "/" not in layer.name]
    named = [name for name in given if not name.startswith(("input_", "global_"))]
    assert named == [n for n in (layer.name for layer in other.layers) if n in set(named)]
    before = other.get_weights()[0].copy()
    one.set_weights([w + 1 for w in one.get_weights()])
    np.testing.assert_array_equal(other.get_weights()[0], before)


def test_transfer_learning_keeps_statistics_and_takes_no_gradient_of_what_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gradients: list[Any] = []  # of kernels of convolutions, as programs are traced
    of_kernel = convolution._kernel_gradient

    def counted(geometry: Any, x: Any, dy: Any) -> Any:
        gradients.append(geometry)
        return of_kernel(geometry, x, dy)

    monkeypatch.setattr(convolution, "_kernel_gradient", counted)
    base = applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    base.trainable = False
    inputs = nacre.Input((32, 32, 3))
    features = nacre.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    features = nacre.layers.Dropout(0.2)(features)
    model = nacre.Model(inputs, nacre.layers.Dense(2, activation="softmax")(features))
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).random((8, 32, 32, 3), "float32"), np.arange(8) % 2
    before = base.get_weights()
    model.fit(x, y, batch_size=4, verbose=0)
    for old, new in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert gradients == []
    base.trainable = True
    for layer in base.layers[:-6]:
        layer.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=4, verbose=0)
    assert {len(geometry.offsets) for geometry in gradients} == {1}  # Conv_1 and one before it
    moving = [v.numpy() for v in base.weights if "moving" in v.path]
    old_moving = [w for w, v in zip(before, base.weights) if "moving" in v.path]
    for old, new in zip(old_moving, moving, strict=True):
        np.testing.assert_array_equal(old, new)
    kernel = base.get_layer("Conv_1").kernel.numpy()
    assert not np.array_equal(kernel, before[[v.path for v in base.weights].index("Conv_1/kernel")])


@pytest.mark.usefixtures("structure")
def test_efficientnet_scales_colors_a_second_time_for_the_weights_of_imagenet_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nacre.applications._arguments.fetch", lambda file: file.path)
    monkeypatch.setattr(nacre.models.Functional, "load_weights", lambda self, path: None)
    scales = []
    for weights in (None, "imagenet"):
        model = applications.EfficientNetB0(include_top=False, weights=weights)
        layers = [layer for layer in model.layers if type(layer).__name__ == "Rescaling"]
        scales.append([layer.get_config()["scale"] for layer in layers])
    assert scales[0] == [1 / 255]
    assert scales[1][0] == 1 / 255  # the others as Keras 3.15's config has them
    np.testing.assert_allclose(scales[1][1], [2.08969189, 2.11288563, 2.10818510], rtol=1e-8)


@pytest.mark.usefixtures("structure")
def test_efficientnet_warns_of_imagenets_own_file_given_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nacre.models.Functional, "load_weights", lambda self, path: None)
    mine, theirs = tmp_path / "mine.h5", tmp_path / "efficientnetb0_notop.h5"
    for path in (mine, theirs):
        path.touch()
    applications.EfficientNetB0(include_top=False, weights=mine)
    with pytest.warns(UserWarning, match="second scaling of colors.*pass weights='imagenet'"):
        applications.EfficientNetB0(include_top=False, weights=theirs)


@pytest.mark.parametrize(
    "named",
    [
        {},  # an .h5 file of any Keras
        {
            "module": "keras.src.applications.inception_resnet_v2",
            "registered_name": "Custom>CustomScaleLayer",
        },
    ],
)
def test_the_sums_of_inception_resnet_are_read_from_files_of_keras(named: dict[str, str]) -> None:
    config = {"class_name": "CustomScaleLayer", "config": {"name": "c", "scale": 0.5}, **named}
    layer = nacre.saving.deserialize_keras_object(config)
    assert layer([np.float32([1.0]), np.float32([4.0])]).tolist() == [3.0]
    in_16_bits = nacre.saving.deserialize_keras_object(
        {**config, "config": {**config["config"], "dtype": "mixed_bfloat16"}}
    )([np.float32([1.0]), np.float32([4.0])])
    assert (in_16_bits.tolist(), str(in_16_bits.dtype)) == ([3.0], "bfloat16")
    written = nacre.saving.serialize_keras_object(layer)
    assert written["registered_name"] == "CustomScaleLayer"
    assert written["module"] == "keras.src.applications.inception_resnet_v2"


@pytest.mark.slow
@pytest.mark.parametrize("attribute", ["name", "_name"])
def test_two_networks_stand_in_one_model_after_layers_were_renamed(
    attribute: str, tmp_path: Path
) -> None:
    image = nacre.Input((32, 32, 3))
    one, other = (
        applications.MobileNet(alpha=0.25, include_top=False, weights=None, input_tensor=image)
        for _ in range(2)
    )
    joined = nacre.layers.Concatenate()([one.output, other.output])
    with pytest.raises(ArgumentError, match="a name of its own"):
        nacre.Model(image, joined)
    for layer in other.layers[1:]:
        setattr(layer, attribute, "other_" + layer.name)
    model = nacre.Model(image, joined)
    assert model.get_layer("other_conv1") is other.get_layer("other_conv1")
    assert model.get_layer("conv1") is one.get_layer("conv1")
    before = model.get_weights()
    model.save_weights(tmp_path / "two.weights.h5")
    model.set_weights([np.zeros_like(w) for w in before])
    model.load_weights(tmp_path / "two.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
