"""Facts of the normalizing layers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError
from nacre.layers.normalization.statistics import (
    moments,
    normalize_batch,
    normalize_counted,
    standardize,
)

X = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 3)).astype("float32")


def plain_batch(x, gamma, beta):
    mean, variance = moments(x, (0, 1))
    return gamma * (x - mean) / jnp.sqrt(variance + 1e-3) + beta


def own_batch(x, gamma, beta):
    mean, variance = moments(jax.lax.stop_gradient(x), (0, 1))
    return normalize_batch(x, mean, variance, gamma, beta, (0, 1), 1e-3)


def test_written_out_gradient_of_batch_statistics() -> None:
    gamma, beta = jnp.array([[[0.5, 1.0, 2.0]]]), jnp.array([[[0.1, 0.2, 0.3]]])
    weight = np.random.default_rng(1).normal(size=X.shape).astype("float32")

    def gradients(function):
        total = lambda *arguments: jnp.sum(jnp.tanh(function(*arguments)) * weight)
        return jax.grad(total, argnums=(0, 1, 2))(jnp.asarray(X), gamma, beta)

    for own, plain in zip(gradients(own_batch), gradients(plain_batch), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 5, 1)])
def test_written_out_gradient_of_statistics_of_what_counts(shape: tuple[int, ...]) -> None:
    weights = (np.random.default_rng(2).uniform(size=shape) < 0.6).astype("float32")
    gamma, beta = jnp.array([[[0.5, 1.0, 2.0]]]), jnp.array([[[0.1, 0.2, 0.3]]])
    factor = np.random.default_rng(1).normal(size=X.shape).astype("float32")

    def plain(x, gamma, beta):
        mean, variance = moments(x, (0, 1), weights)
        return jnp.sum(factor * (gamma * (x - mean) / jnp.sqrt(variance + 1e-3) + beta))

    def own(x, gamma, beta):
        mean, variance = moments(jax.lax.stop_gradient(x), (0, 1), weights)
        outputs = normalize_counted(x, mean, variance, gamma, beta, weights, (0, 1), 1e-3)
        return jnp.sum(factor * outputs)

    arrays = X, gamma, beta
    expected = jax.jit(jax.grad(plain, (0, 1, 2)))(*arrays)
    for found, wanted in zip(jax.jit(jax.grad(own, (0, 1, 2)))(*arrays), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    slope = jax.jit(lambda *way: jax.jvp(own, arrays, way)[1])(*arrays)
    wanted = sum(jnp.sum(one * way) for one, way in zip(expected, arrays, strict=True))
    np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-4)


def test_written_out_gradient_of_sample_statistics() -> None:
    def plain(x):
        mean, variance = moments(x, (2,))
        return (x - mean) / jnp.sqrt(variance + 1e-3)

    total = lambda function: lambda x: jnp.sum(jnp.sin(function(x)))
    own = jax.grad(total(lambda x: standardize(x, (2,), 1e-3)))(jnp.asarray(X))
    np.testing.assert_allclose(own, jax.grad(total(plain))(jnp.asarray(X)), rtol=1e-3, atol=1e-5)


def test_a_large_mean_costs_no_digits() -> None:
    x = (np.random.default_rng(2).normal(size=(256, 2)) + 1e4).astype("float32")
    y = layers.BatchNormalization()(x, training=True)
    np.testing.assert_allclose(np.std(y, axis=0), 1.0, rtol=2e-2)


FAR = (1e6 + np.random.default_rng(3).integers(-32, 32, (16, 4, 6)) / 16).astype("float32")


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (layers.LayerNormalization(), (2,)),
        (layers.LayerNormalization(axis=1), (1,)),
        (layers.LayerNormalization(axis=[1, 2]), (1, 2)),
        (layers.GroupNormalization(1), (1, 2)),
        (layers.GroupNormalization(-1), (1,)),
    ],
    ids=["last", "first", "both", "one_group", "groups_of_one"],
)
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_samples_far_from_zero_lose_no_digits(layer, axes, training, compiled) -> None:
    call = lambda x: layer(x, training=training)
    wide = FAR.astype("float64")
    around = wide - wide.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(np.square(around).mean(axes, keepdims=True) + 1e-3)
    expected = around * inverse
    np.testing.assert_allclose((jax.jit(call) if compiled else call)(FAR), expected, atol=3e-6)
    g = np.cos(np.arange(FAR.size, dtype="float32")).reshape(FAR.shape)
    found = jax.grad(lambda x: jnp.sum(call(x) * g))(FAR)
    mean = lambda x: x.mean(axes, keepdims=True)
    slope = inverse * (g - mean(g) - expected * mean(g * expected))
    np.testing.assert_allclose(found, slope, atol=2e-5)


def test_masked_samples_far_from_zero_lose_no_digits() -> None:
    mask = np.ones((16, 4), bool)
    mask[:, -1] = False
    layer = layers.GroupNormalization(1)
    found = layer(np.where(mask[..., None], FAR, np.nan), mask=mask)[:, :3]
    np.testing.assert_allclose(found, layer(FAR[:, :3]), atol=3e-6)


def test_averages_far_from_zero_cost_no_digits() -> None:
    layer = layers.BatchNormalization(epsilon=1e-7)
    layer.build(FAR.shape)
    layer.moving_mean.assign(np.full(6, 1e6))
    expected = FAR - np.float32(1e6)
    np.testing.assert_allclose(layer(FAR), expected, atol=1e-6)
    np.testing.assert_allclose(jax.jit(layer)(FAR), expected, atol=1e-6)
    half = layers.BatchNormalization(epsilon=1e-7, dtype="mixed_bfloat16")
    half.build(FAR.shape)
    assert half(FAR).dtype == "bfloat16"


BATCHES = {
    "dense": (256, 3),
    "sequence": (16, 40, 3),
    "images": (8, 9, 9, 3),
    "one row": (1, 40, 3),
}


def batch_normalized(x, axes, weight=None):
    """In 64 bits: the outputs, the variance and the gradient of sum(outputs · cos)."""
    wide, weight = x.astype("float64"), np.ones_like(x, "float64") if weight is None else weight
    count = weight.sum(axes, keepdims=True)
    mean = lambda values: (values * weight).sum(axes, keepdims=True) / count
    around = wide - mean(wide)
    inverse = 1 / np.sqrt(mean(around**2) + 1e-3)
    expected, g = around * inverse, np.cos(np.arange(x.size)).reshape(x.shape)
    slope = inverse * (g - weight * (g.sum(axes, keepdims=True) / count))
    slope -= inverse * weight * expected * ((g * expected).sum(axes, keepdims=True) / count)
    return expected, mean(around**2).reshape(-1), slope


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("center", [0.0, 1e6, -1e6])
def test_batches_far_from_zero_lose_no_digits_in_training(center, kind) -> None:
    shape = BATCHES[kind]
    x = (center + np.random.default_rng(4).normal(size=shape)).astype("float32")
    axes = tuple(range(len(shape) - 1))
    layer = layers.BatchNormalization(momentum=0.0)
    layer.build((None, *shape[1:]))
    expected, variance, slope = batch_normalized(x, axes)
    trained = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]
    call = lambda x: layer.stateless_call(trained, others, x, training=True)[0]
    g, along = (f(np.arange(x.size, dtype="float32")).reshape(shape) for f in (np.cos, np.sin))

    @jax.jit
    def compiled(x):
        total = lambda x: jnp.sum(call(x) * g)
        return call(x), jax.grad(total)(x), jax.jvp(total, (x,), (along,))[1]

    found, gradient, forward = compiled(x)
    np.testing.assert_allclose(found, expected, atol=5e-6)
    np.testing.assert_allclose(gradient, slope, atol=2e-5)
    np.testing.assert_allclose(forward, np.sum(slope * along), atol=1e-3)
    np.testing.assert_allclose(layer(x, training=True), expected, atol=5e-6)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, x.mean(axes, "float64"), atol=0.04)


def test_masked_batches_far_from_zero_lose_no_digits_in_training() -> None:
    x = (1e6 + np.random.default_rng(4).normal(size=(16, 40, 3))).astype("float32")
    mask = np.random.default_rng(5).random((16, 40)) > 0.3
    mask[0, 0] = mask[-1, -1] = mask[7, 19] = False
    spoiled = np.where(mask[..., None], x, np.nan).astype("float32")
    weight = np.broadcast_to(mask[..., None], x.shape).astype("float64")
    expected, variance, _ = batch_normalized(x, (0, 1), weight)
    layer = layers.BatchNormalization(momentum=0.0)
    call = lambda x: layer(x, training=True, mask=mask)
    np.testing.assert_allclose(np.asarray(call(spoiled))[mask], expected[mask], atol=5e-6)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    near = np.float32(spoiled - np.float32(1e6))  # exactly as far from one another
    np.testing.assert_allclose(np.asarray(call(near))[mask], expected[mask], atol=5e-6)


@pytest.mark.parametrize("place", [0, 127, 255])
def test_one_outlier_costs_the_others_no_digits_in_training(place) -> None:
    x = np.random.default_rng(6).normal(size=(256, 2)).astype("float32")
    x[place] = 1e7
    expected, _, _ = batch_normalized(x, (0,))
    found = layers.BatchNormalization()(x, training=True)
    np.testing.assert_allclose(found, expected, atol=1e-8 + 3e-7 * np.abs(expected).max())
    others = np.arange(256) != place
    spread = np.asarray(found, "float64")[others] - np.asarray(found, "float64")[others].mean(0)
    exact = expected[others] - expected[others].mean(0)
    np.testing.assert_allclose(spread, exact, atol=2e-8)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_spoils_its_channel_and_no_other(value) -> None:
    x = np.random.default_rng(6).normal(size=(9, 2)).astype("float32")
    for place in range(9):
        spoiled = x.copy()
        spoiled[place, 0] = value
        found = np.asarray(layers.BatchNormalization()(spoiled, training=True))
        assert np.isnan(found[:, 0]).any() and np.isfinite(found[:, 1]).all()


def test_an_empty_batch_has_no_rows_to_normalize() -> None:
    found = layers.BatchNormalization()(np.zeros((0, 3), "float32"), training=True)
    assert found.shape == (0, 3)


def test_training_moves_the_averages_and_inference_does_not() -> None:
    layer = layers.BatchNormalization(momentum=0.5)
    layer(X)
    assert (layer.moving_mean.numpy() == 0).all()
    layer(X, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.5 * X.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.5 + 0.5 * X.var((0, 1)), rtol=1e-5)


def test_a_frozen_layer_uses_and_keeps_its_averages() -> None:
    layer = layers.BatchNormalization()
    layer.build((None, 5, 3))
    layer.trainable = False
    np.testing.assert_allclose(layer(X, training=True), layer(X), rtol=1e-6)
    assert (layer.moving_mean.numpy() == 0).all()
    assert [v.name for v in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]


def test_statistics_of_16_bits_are_taken_in_32() -> None:
    x = (np.random.default_rng(2).normal(size=(512, 2)) * 200).astype("float16")  # squares overflow
    y = layers.BatchNormalization(dtype="mixed_float16")(x, training=True)
    assert y.dtype == jnp.float16 and np.isfinite(y).all()
    np.testing.assert_allclose(np.std(np.asarray(y, "float32"), axis=0), 1.0, rtol=1e-2)


def test_masked_steps_do_not_count() -> None:
    mask = np.array([[True, True, True, False, False]] * 4)
    spoiled = np.where(mask[..., None], X, 1e6).astype("float32")
    layer, other = layers.BatchNormalization(momentum=0.0), layers.BatchNormalization(momentum=0.0)
    layer(spoiled, training=True, mask=mask)
    other(X[:, :3], training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), other.moving_mean.numpy(), rtol=1e-5)


def test_old_spellings_of_batch_normalization() -> None:
    assert layers.BatchNormalization(axis=[3], fused=True).axis == 3
    with pytest.raises(ArgumentError, match="rmax, rmin and dmax"):
        layers.BatchNormalization(renorm=True, renorm_clipping={"rmas": 1})


@pytest.mark.parametrize("clipping", [None, {"rmax": 1.5, "rmin": 0.7, "dmax": 0.3}])
def test_renormalization_corrects_the_batch_by_the_averages(clipping) -> None:
    """Three steps beside the paper's formulas, in NumPy."""
    layer = layers.BatchNormalization(
        renorm=True, renorm_clipping=clipping, renorm_momentum=0.9, momentum=0.8
    )
    x = np.random.default_rng(0).normal(2, 3, (8, 3)).astype("float32")
    layer.build(x.shape)
    mean, spread = np.zeros(3), np.ones(3)
    moving_mean, moving_spread = np.zeros(3), np.ones(3)
    for step in range(3):
        batch = x + step
        m, s = batch.mean(0), np.sqrt(batch.var(0) + 0.001)
        r, d = s / spread, (m - mean) / spread
        if clipping:
            r, d = np.clip(r, 0.7, 1.5), np.clip(d, -0.3, 0.3)
        expected = (batch - m) / s * r + d
        np.testing.assert_allclose(layer(batch, training=True), expected, rtol=1e-4, atol=1e-4)
        mean, spread = 0.9 * mean + 0.1 * m, 0.9 * spread + 0.1 * s
        moving_mean, moving_spread = 0.8 * moving_mean + 0.2 * m, 0.8 * moving_spread + 0.2 * s
    expected = (x - moving_mean) / moving_spread
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_renormalization_is_that_of_keras() -> None:
    """The numbers were read off Keras 3.15 for the same batches."""
    layer = layers.BatchNormalization(renorm=True, renorm_momentum=0.9, momentum=0.8)
    x = np.random.default_rng(0).normal(2, 3, (8, 3)).astype("float32")
    results = [np.asarray(layer(x + step, training=True))[0] for step in range(3)]
    np.testing.assert_allclose(results[0], [2.37719, 1.60369, 3.92127], rtol=1e-4)
    np.testing.assert_allclose(results[2], [2.67491, 2.68792, 4.82907], rtol=1e-4)
    np.testing.assert_allclose(np.asarray(layer(x))[0], [0.45749, 0.13725, 1.88355], rtol=1e-4)
    assert [w.name for w in layer.non_trainable_weights] == [
        "moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev",
    ]  # fmt: skip
    variance = layer.moving_variance.numpy()
    np.testing.assert_allclose(variance, [5.02881, 2.14836, 1.85811], rtol=1e-4)


def test_averages_below_epsilon_are_renormalized_as_in_keras() -> None:
    layer = layers.BatchNormalization(renorm=True, epsilon=1.0, renorm_momentum=0.5, momentum=0.9)
    layer.build((None, 2))
    for variable in layer.weights:
        variable.assign([0.1, 0.3])
    x = np.random.RandomState(0).rand(4, 2).astype("float32")
    np.testing.assert_allclose(layer(x, training=True)[0], [0.1449, 0.4246], atol=1e-4)
    np.testing.assert_array_equal(layer.moving_variance.numpy(), [0, 0])
    np.testing.assert_allclose(layer.renorm_stddev.numpy()[0], 0.551412, rtol=1e-5)


def test_renormalized_training_has_the_gradient_of_fixed_corrections() -> None:
    x = np.random.default_rng(1).normal(2, 3, (8, 3)).astype("float32")
    factors = np.arange(24).reshape(8, 3)

    def slope(layer):
        layer.build(x.shape)
        values = [
            [v.value for v in group]
            for group in (layer.trainable_variables, layer.non_trainable_variables)
        ]

        def total(inputs):
            return jnp.sum(factors * layer.stateless_call(*values, inputs, training=True)[0])

        return jax.grad(total)(jnp.asarray(x))

    layer, plain = layers.BatchNormalization(renorm=True), layers.BatchNormalization()
    spread = np.sqrt(x.var(0) + 0.001)  # r, as the averages begin with 0 and 1
    np.testing.assert_allclose(slope(layer), slope(plain) * spread, rtol=1e-3, atol=1e-3)


def test_layer_normalization_in_training_is_the_same() -> None:
    layer = layers.LayerNormalization()
    np.testing.assert_allclose(layer(X), layer(X, training=True), rtol=1e-5, atol=1e-5)


def test_rms_scaling_leaves_the_mean_in_as_keras_does() -> None:
    x = np.random.RandomState(0).rand(2, 4, 3).astype("float32") + 1
    layer = layers.LayerNormalization(axis=(-2, -1), epsilon=1e-3, rms_scaling=True)
    expected = x / np.sqrt(x.var((1, 2), keepdims=True) + 1e-3)
    for training in (False, True):
        np.testing.assert_allclose(layer(x, training=training), expected, rtol=1e-5)
    assert [v.name for v in layer.weights] == ["gamma"]


def test_layer_normalization_axes_in_any_order() -> None:
    first, second = layers.LayerNormalization(axis=[2, 1]), layers.LayerNormalization(axis=[1, 2])
    first.build((4, 5, 3))
    second.build((4, 5, 3))
    gamma = np.random.default_rng(3).normal(size=(5, 3)).astype("float32")
    first.gamma.assign(gamma.T)
    second.gamma.assign(gamma)
    np.testing.assert_allclose(first(X), second(X), rtol=1e-6)


@pytest.mark.parametrize("name", ["LayerNormalization", "RMSNormalization"])
@pytest.mark.parametrize("training", [False, True])
def test_the_last_axis_is_the_last_of_what_comes_whatever_the_rank_at_build(name, training) -> None:
    layer, plain = getattr(layers, name)(), getattr(layers, name)()
    layer.build((None, 5))
    x = np.random.default_rng(0).normal(size=(3, 5, 5)).astype("float32")  # two axes of that size
    np.testing.assert_allclose(
        layer(x, training=training), plain(x, training=training), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(layer(x[0], training=training), plain(x)[0], rtol=1e-5, atol=1e-5)
    for shape in [(3, 1), (3, 5, 1), (5, 4)]:
        with pytest.raises(ShapeError, match="axis -1 must have size 5.*new layer"):
            layer(np.ones(shape, "float32"), training=training)


def test_groups_must_divide_the_channels() -> None:
    with pytest.raises(ShapeError, match="groups=2.*3 channels"):
        layers.GroupNormalization(groups=2)(X)


def test_spectral_normalization_brings_the_largest_singular_value_to_one() -> None:
    layer = layers.SpectralNormalization(layers.Dense(4), power_iterations=30)
    layer(X[:, 0], training=True)
    largest = np.linalg.svd(layer.layer.kernel.numpy(), compute_uv=False)[0]
    assert abs(largest - 1) < 1e-3


def test_spectral_normalization_answers_in_its_own_dtype() -> None:
    layer = layers.SpectralNormalization(layers.Dense(3), dtype="mixed_bfloat16")
    assert layer(np.ones((2, 4), "float32")).dtype == "bfloat16"
    half = layers.SpectralNormalization(layers.Dense(3), dtype="float16")
    half.build((None, 4))
    assert half.vector_u.dtype == half.layer.kernel.dtype == "float32"


def test_unit_normalization_of_zeros_has_a_finite_gradient() -> None:
    layer = layers.UnitNormalization()
    gradient = jax.grad(lambda x: jnp.sum(layer(x)))(jnp.zeros((1, 3)))
    assert np.isfinite(gradient).all()


def test_masks_pass_normalizing_layers() -> None:
    tensor = nacre.layers.Masking()(layers.Input((5, 3)))
    for name in ("BatchNormalization", "LayerNormalization", "RMSNormalization"):
        assert getattr(layers, name)()(tensor)._keras_mask is not None


@pytest.mark.parametrize("mask_shape", [(2, 5), (3, 3), (2, 3, 4, 1)])
def test_a_mask_of_other_sizes_is_refused(mask_shape) -> None:
    x, mask = np.ones((2, 3, 4), "float32"), np.ones(mask_shape, bool)
    with pytest.raises(ShapeError, match="mask must have the first axes of the input"):
        layers.BatchNormalization()(x, mask=mask, training=True)
    with pytest.raises(ShapeError, match="mask must have the first axes of the input"):
        layers.GroupNormalization(2)(x, mask=mask)


@pytest.mark.parametrize("dtype", ["int32", "float16"])
def test_unit_normalization_of_whole_and_of_half_numbers(dtype: str) -> None:
    small = 1e-4 if dtype == "float16" else 1  # squares of it vanish in 16 bits
    x = (np.array([[3, 4], [30000, 40000]]) * [[small], [1]]).astype(dtype)
    y = layers.UnitNormalization(dtype="float16" if dtype == "float16" else None)(x)
    np.testing.assert_allclose(np.asarray(y, "float32"), [[0.6, 0.8]] * 2, rtol=2e-3)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("LayerNormalization", {"axis": "a"}, "Got axis='a'"),
        ("LayerNormalization", {"axis": (1, -1)}, "several different ones"),
        ("RMSNormalization", {"axis": 5}, "axis must be from -2 to 1. Got axis=5"),
        ("RMSNormalization", {"epsilon": "a"}, "epsilon must be a number of at least 0"),
        ("UnitNormalization", {"axis": 5}, "axis must be from -2 to 1"),
        ("BatchNormalization", {"epsilon": "a"}, "epsilon must be a number of at least 0"),
        ("BatchNormalization", {"momentum": None}, "momentum must be a number. Got momentum=None"),
        ("BatchNormalization", {"renorm": True, "renorm_clipping": 3}, "renorm_clipping must be"),
        (
            "BatchNormalization",
            {"renorm": True, "renorm_clipping": {"rmin": 2.0, "rmax": 0.5}},
            "rmin of renorm_clipping must not be above rmax",
        ),
        ("GroupNormalization", {"groups": 2.5}, "groups must be a positive int or -1"),
        ("GroupNormalization", {"groups": 0}, "groups must be a positive int or -1"),
    ],
)
def test_bad_arguments_are_named(name, arguments, words) -> None:
    with pytest.raises(ArgumentError, match=words):
        getattr(layers, name)(**arguments)(np.zeros((2, 3), "float32"))
