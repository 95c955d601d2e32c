"""What every layer promises, checked over the table of rows."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core import scope
from nacre.core.errors import NacreError, ShapeError
from nacre.core.symbolic import KerasTensor
from tests.cases.layers_more import GRAPH_LAYERS, OWN
from tests.cases.spec import LayerCase, build_layer, generator
from tests.contracts import layer_rows
from tests.contracts.layer_rows import ROWS, first_of_class, is_float, is_on_host, is_stored
from tests.contracts.slopes import slopes

FIRST_ROWS = first_of_class(ROWS)


def over(rows: list[LayerCase]) -> Any:
    """A test run once for each row."""
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.id)


# Results that do not belong to one sample each, and why.
NOT_BY_SAMPLE = {
    "flatten_rank1": "its input has no axis but the batch",
    "mel_short_window": "one sound without a batch",
}
# Symbolic tensors are refused, and why.
NOT_SYMBOLIC = {
    "mel_short_window": "one sound without a batch: its only axis must be known",
    "flatten_rank1": "its input has no axis but the batch",
}


def without_shapes(value: Any) -> Any:
    """A config without the shapes seen at build, which a model sees with its own batch size."""
    if isinstance(value, dict):
        return {k: without_shapes(v) for k, v in value.items() if "build_" not in k}
    return [without_shapes(v) for v in value] if isinstance(value, list) else value


@over(ROWS)
def test_config_and_weights_round_trip(row: LayerCase) -> None:
    layer = layer_rows.built(row)
    layer.set_weights(layer_rows.weights_of(row, layer))
    data = nacre.layers.serialize(layer)
    twin = nacre.layers.deserialize(data)
    assert without_shapes(nacre.layers.serialize(twin)) == without_shapes(data)
    positional, keywords = layer_rows.call_of(row)
    if not is_on_host(row):
        jax.eval_shape(lambda: layer_rows.leaves(twin(*positional, **keywords)))
    twin.set_weights(layer.get_weights())
    assert [w.path.split("/")[-1] for w in twin.weights] == [
        w.path.split("/")[-1] for w in layer.weights
    ]
    for ours, theirs in zip(layer.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@over([row for row in ROWS if row.id not in NOT_SYMBOLIC and not is_on_host(row)])
def test_symbolic_shape_is_the_real_shape(row: LayerCase) -> None:
    layer = build_layer(row, nacre)
    positional, keywords = layer_rows.symbolic_call_of(row)
    outputs = layer_rows.leaves(layer(*positional, **keywords))
    real = layer_rows.output_shapes(row)
    assert [len(output.shape) for output in outputs] == [len(shape) for shape in real]
    for output, shape in zip(outputs, real, strict=True):
        assert output.shape[0] in (None, shape[0])
        assert output.shape[1:] == shape[1:], "only the batch size is unknown"


@over(FIRST_ROWS)
def test_compiled_equals_eager(row: LayerCase) -> None:
    layer = layer_rows.built(row)
    weights = layer_rows.weights_of(row, layer)
    layer.set_weights(weights)
    positional, keywords = layer_rows.call_of(row)
    if not is_stored(row) and ("training" in keywords or row.has_randomness):
        keywords["training"] = False  # pictures are changed by default, as in Keras
    outputs = layer_rows.leaves(layer(*positional, **keywords))
    assert [tuple(output.shape) for output in outputs] == layer_rows.output_shapes(row)
    assert [str(output.dtype) for output in outputs] == layer_rows.output_dtypes(row)
    if is_on_host(row):
        return  # strings are never compiled
    if is_stored(row):  # by a compiled program of Keras
        compiled = [layer_rows.arrays_of(row)[f"output_{i}"] for i in range(len(outputs))]
    else:
        arrays = layer_rows.inputs_only(row)
        given = dict(keywords)
        compiled = jax.jit(lambda a, w: layer_rows.run(_with(row, given), layer, a, w, False))(
            arrays, weights
        )
    for output, expected in zip(outputs, compiled, strict=True):
        np.testing.assert_allclose(output, expected, rtol=row.tolerance, atol=row.tolerance)


def _with(row: LayerCase, keywords: dict[str, Any]) -> LayerCase:
    """The row with other plain keyword arguments in its call."""
    plain = {k: v for k, v in keywords.items() if not hasattr(v, "shape")}
    return LayerCase(**{**vars(row), "call_kwargs": {**row.call_kwargs, **plain}})


@over(FIRST_ROWS)
def test_one_sample_alone_is_the_same_sample_in_the_batch(row: LayerCase) -> None:
    if row.id in NOT_BY_SAMPLE or any(spec.shape[:1] == (1,) for spec in row.inputs):
        pytest.skip("the row has no batch to take a sample from")
    layer = layer_rows.built(row)
    weights = layer_rows.weights_of(row, layer)
    layer.set_weights(weights)
    arrays = layer_rows.inputs_only(row)
    first = {name: value[:1] for name, value in arrays.items()}
    if is_on_host(row):
        positional, keywords = layer_rows.call_arguments(row, first)
        alone, (given, _) = layer(*positional, **keywords), layer_rows.call_of(row)
        np.testing.assert_array_equal(alone, np.asarray(layer(*given, **keywords))[:1])
        return
    quiet = _with(row, {"training": False}) if "training" in row.call_kwargs else row

    def both(weights: Any) -> Any:
        alone = layer_rows.run(quiet, layer, first, weights, False)
        if is_stored(row):
            return alone, None
        return alone, layer_rows.run(quiet, layer, arrays, weights, False)

    alone, together = jax.jit(both)([jnp.asarray(w) for w in weights])
    for i, output in enumerate(alone):
        batch = together[i] if together else layer_rows.arrays_of(row)[f"output_{i}"]
        np.testing.assert_allclose(output, batch[:1], rtol=2e-5, atol=2e-5)


POLICIES = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16", "bfloat16": "bfloat16"}
SIXTEEN_BIT_ROWS = [
    row
    for row in ROWS
    if row.namespace
    and is_float(row)
    and "float32" in layer_rows.output_dtypes(row)
    # Discretization's inputs are compared as they are: its dtype stays float32.
    and (not is_stored(row) or "gradient" in str(layer_rows.FACTS[row.id]))
]


def dtypes_under(row: LayerCase, compute: str) -> list[str]:
    """The dtypes of the outputs when floats are computed in `compute`."""
    dtypes = layer_rows.output_dtypes(row)
    # Boxes and their labels, which come before the images, keep their values, and so their dtype.
    kept = dtypes[:-1] if row.layer == "MaxNumBoundingBoxes" else []
    return kept + [compute if d == "float32" else d for d in dtypes[len(kept) :]]


@pytest.mark.parametrize("policy", POLICIES)
@over(first_of_class(SIXTEEN_BIT_ROWS))
def test_dtype_policy_is_kept(row: LayerCase, policy: str) -> None:
    layer = layer_rows.built(row, policy)
    positional, keywords = layer_rows.call_of(row)
    outputs = jax.eval_shape(lambda: layer_rows.leaves(layer(*positional, **keywords)))
    compute = POLICIES[policy]
    assert [str(output.dtype) for output in outputs] == dtypes_under(row, compute)
    variables = "float32" if policy.startswith("mixed") else compute
    assert {w.dtype for w in layer.weights} <= {variables, "int32"}


@over(SIXTEEN_BIT_ROWS)
def test_mixed_precision_computes_in_16_bits_whatever_the_arguments(row: LayerCase) -> None:
    layer = layer_rows.built(row, "mixed_bfloat16")
    positional, keywords = layer_rows.call_of(row)
    outputs = jax.eval_shape(lambda: layer_rows.leaves(layer(*positional, **keywords)))
    assert [str(output.dtype) for output in outputs] == dtypes_under(row, "bfloat16")
    assert {w.dtype for w in layer.weights} <= {"float32", "int32"}


# ------------------------------------------------------------------------------------ gradients


def has_gradient(row: LayerCase) -> bool:
    """Whether floats come out of floats that go in, or of weights."""
    floats_in = any(spec.dtype == "float32" for spec in row.inputs)
    floats_out = all(dtype == "float32" for dtype in layer_rows.output_dtypes(row))
    return floats_out and (floats_in or row.layer in TABLES_OF_WEIGHTS)


TABLES_OF_WEIGHTS = {"Embedding", "ReversibleEmbedding", "TokenAndPositionEmbedding"}
# Layers without a slope, and why.
WITHOUT_SLOPE = {
    "Solarization": "steps from pixel value to pixel value",
    "RandomPosterization": "rounds to few values",
    "Equalization": "ranks of pixel values",
    "AutoContrast": "rounds its way through whole pixel values",
    "ContrastLimitedAdaptiveHistogramEqualization": "ranks of pixel values",
    "Discretization": "numbers of bins",
    "Masking": "whether a step counts is decided by one exact value",
    "SinePositionEncoding": "takes no more than the shape of its inputs",
}
# Rows too near to a corner of the function; other rows of their classes stand for them.
AT_A_CORNER = {"masking_lstm", "masking_gru_dense", "masking_bidirectional", "jitter_contrast"}
# Layers whose gradient leaves something out in training, and what.
CONSTANTS_IN_TRAINING = {"SpectralNormalization": "the singular vectors of the kernel"}
GRADIENT_ROWS = first_of_class(
    [
        row
        for row in ROWS
        if has_gradient(row) and row.layer not in WITHOUT_SLOPE and row.id not in AT_A_CORNER
    ]
) + [
    row
    for row in (*OWN, *GRAPH_LAYERS)  # beyond Keras: no stored gradients stand behind them
    if has_gradient(row) and not row.has_randomness
]
GRADIENT_ROWS = list({row.id: row for row in GRADIENT_ROWS}.values())


@over(GRADIENT_ROWS)
def test_gradient_is_the_slope(row: LayerCase) -> None:
    """Along one random direction of the inputs and one of the weights, by central differences."""
    layer = layer_rows.built(row)
    weights = [jnp.asarray(w) for w in layer_rows.weights_of(row, layer)]
    trains = [i for i, w in enumerate(layer.weights) if w.trainable]
    arrays = layer_rows.inputs_only(row)
    moving = [n for n, v in arrays.items() if v.dtype == np.float32 and n.startswith("input_")]
    training = not row.has_randomness and row.layer not in CONSTANTS_IN_TRAINING

    def outputs(start: Any) -> list[Any]:
        inputs, trained = start
        now = list(weights)
        for i, value in zip(trains, trained, strict=True):
            now[i] = value
        given = {**arrays, **dict(zip(moving, inputs, strict=True))}
        return layer_rows.run(row, layer, given, now, training)

    start = ([arrays[n] for n in moving], [np.asarray(weights[i]) for i in trains])
    found = slopes(outputs, start, generator(row.id + "/slope"))
    assert any(abs(slope) > 1e-3 for slope in found), "the direction must show something"


# ---------------------------------------------------------------------------------------- masks

# Layers whose namesakes in Keras 3.15.1 stop a mask: here, too, they may, and UnitNormalization where
# it mixes the steps. No other layer may.
MAY_STOP_MASKS = (
    "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D "
    "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D AugMix AutoContrast "
    "AveragePooling1D AveragePooling2D AveragePooling3D CategoryEncoding CenterCrop "
    "ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D "
    "Conv2DTranspose Conv3D Conv3DTranspose Cropping1D Cropping2D Cropping3D CutMix "
    "DepthwiseConv1D DepthwiseConv2D Discretization EinsumDense Embedding Equalization "
    "Flatten GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D "
    "GlobalMaxPooling2D GlobalMaxPooling3D HashedCrossing Hashing IntegerLookup "
    "MaxNumBoundingBoxes MaxPooling1D MaxPooling2D MaxPooling3D MelSpectrogram MixUp Permute "
    "Pipeline RMSNormalization RandAugment RandomBrightness RandomColorDegeneration "
    "RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing "
    "RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective "
    "RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear "
    "RandomTranslation RandomZoom RepeatVector Reshape Resizing ReversibleEmbedding "
    "STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNNCell Solarization "
    "SpectralNormalization StringLookup TextVectorization UnitNormalization UpSampling1D UpSampling2D "
    "UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D "
).split()


def takes_a_mask(row: LayerCase) -> bool:
    """Whether steps of the one input can be masked."""
    return (
        bool(row.namespace)
        and is_float(row)
        and len(row.inputs) == 1
        and row.call_style == "spread"
        and len(layer_rows.arrays_of(row)["input_0"].shape) >= 3
        and not any("mask" in name for name in row.call_kwargs)
    )


@over(first_of_class([row for row in ROWS if takes_a_mask(row)]))
def test_mask_is_sent_on_or_stops_with_a_warning(row: LayerCase) -> None:
    layer = build_layer(row, nacre)
    shape = layer_rows.arrays_of(row)["input_0"].shape
    inputs = KerasTensor((None, *shape[1:]), "float32")
    scope.set_mask(inputs, KerasTensor((None, shape[1]), "bool"))
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        outputs = layer_rows.leaves(layer(inputs, **row.call_kwargs))
    masks = [scope.get_mask(output) for output in outputs]
    warned = any("mask" in str(warning.message) for warning in noted)
    overridden = type(layer).compute_mask is not nacre.layers.Layer.compute_mask
    if warned or not (layer.supports_masking or overridden):
        assert row.layer in MAY_STOP_MASKS
        assert not any(mask is not None for mask in masks)
        assert warned or layer._direct_layers(), "a layer made of layers leaves that to them"
        return
    expected = layer.compute_mask(inputs, scope.get_mask(inputs))
    expected = expected[0] if isinstance(expected, list | tuple) else expected
    assert (masks[0] is None) == (expected is None)
    if masks[0] is not None:
        assert masks[0].shape[:2] == outputs[0].shape[:2]


# ----------------------------------------------------------------------------------------- ranks


@over(FIRST_ROWS)
def test_wrong_rank_is_refused_with_the_rule(row: LayerCase) -> None:
    if is_on_host(row) or row.call_style in ("tuple", "dict"):
        pytest.skip("strings have no rank rule; graphs and boxes say theirs in their own tests")
    layer = layer_rows.built(row)
    spec = layer.input_spec
    if spec is None or isinstance(spec, list) or (spec.ndim is None and spec.min_ndim in (None, 1)):
        pytest.skip("the layer takes any rank, as Keras's does")
    ndim = spec.ndim + 1 if spec.ndim is not None else spec.min_ndim - 1
    wrong = KerasTensor((2,) * ndim, "float32")
    given = [wrong] if row.call_style == "spread" else [[wrong] * len(row.inputs)]
    with pytest.raises(ShapeError, match=r"must have .*axes.*Got input of shape \(2"):
        layer(*given)


# ---------------------------------------------------------------------------------------- chance


@over([row for row in ROWS if row.has_randomness])
def test_a_seed_repeats_and_calls_differ(row: LayerCase) -> None:
    def seeded() -> tuple[Any, list[Any]]:
        nacre.core.random.set_random_seed(5)
        layer = layer_rows.built(row)
        return layer, [v for v in layer.variables if v.name == "seed_generator_state"]

    layer, seeds = seeded()
    _, others = seeded()
    assert seeds, "the state of the seed is a variable"
    for ours, theirs in zip(seeds, others, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    weights = [jnp.asarray(w) for w in layer_rows.weights_of(row, layer)]
    positional, keywords = layer_rows.call_of(row)
    keywords["training"] = True

    @jax.jit
    def run(states: list[Any]) -> Any:
        mapping = [*zip(seeds, states, strict=True), *zip(layer.weights, weights, strict=True)]
        with nacre.StatelessScope(mapping) as inner:
            outputs = layer_rows.leaves(layer(*positional, **keywords))
            return outputs, [inner.get_current_value(v) for v in seeds]

    states = [v.value for v in seeds]
    first, after = run(states)
    second, later = run(after)
    third, _ = run(later)
    for a, b in zip(first, run(states)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    alike = [
        all(bool((x == y).all()) for x, y in zip(first, other, strict=True))
        for other in (second, third)
    ]
    assert not all(alike)


# -------------------------------------------------------------------------------------- coverage

# Bases, and layers around code of a user or of another library: their tests bring that code along.
WITHOUT_ROW = {
    *("InputLayer", "Layer", "Wrapper"),
    *("Lambda", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "TFSMLayer"),
    *("BytePairTokenizer", "WordPieceTokenizer"),
}


def test_every_layer_has_a_row_or_a_reason() -> None:
    covered = {row.layer for row in ROWS} | {
        spec.name for row in ROWS for spec in _specs(row.kwargs) + _specs(row.args)
    }
    public = {
        name
        for name in nacre.layers.__all__
        if isinstance(getattr(nacre.layers, name), type)
        and issubclass(getattr(nacre.layers, name), nacre.layers.Layer)
    }
    # Aliases are other names of a class that has a row.
    classes = {getattr(nacre.layers, name) for name in covered & set(nacre.layers.__all__)}
    missing = {name for name in public - covered if getattr(nacre.layers, name) not in classes}
    assert missing == WITHOUT_ROW


def _specs(value: Any) -> list[Any]:
    if hasattr(value, "is_call"):
        return [value, *_specs(value.kwargs), *_specs(value.args)]
    if isinstance(value, dict):
        return [s for item in value.values() for s in _specs(item)]
    if isinstance(value, list | tuple):
        return [s for item in value for s in _specs(item)]
    return []


def test_bad_arguments_are_nacre_errors() -> None:
    for name, kwargs in {
        "Dense": {"units": 0},
        "Dropout": {"rate": 2.0},
        "Embedding": {"input_dim": -1, "output_dim": 2},
        "Permute": {"dims": (1, 3)},
        "ZeroPadding2D": {"padding": -1},
    }.items():
        with pytest.raises(NacreError, match=name):
            getattr(nacre.layers, name)(**kwargs)
