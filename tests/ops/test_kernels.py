"""The fast paths give the numbers of their plain XLA forms, forward and backward."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from nacre.ops.kernels import (
    convolution,
    convolution_lowerings,
    placement,
    pooling,
    recurrent,
)
from tests.effort import LITTLE
from tests.tiers import first_of_each_is_quick

LAYOUTS = convolution_lowerings.LAYOUTS


def random(seed, *shape, dtype="float32"):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def assert_close(got, wanted, tolerance=2e-5):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        a, b = np.asarray(a, "float32"), np.asarray(b, "float32")
        assert a.shape == b.shape
        np.testing.assert_allclose(
            a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max(initial=0))
        )


def compiled_quickly(function, *arrays):
    """What a function gives in a program that runs once."""
    return jax.jit(function, compiler_options=LITTLE)(*arrays)


def traced_gradients(function, *arrays):
    """A program of value and gradients of a sum with uneven weights, so that no symmetry hides a
    mistake."""

    def total(*arrays):
        y = function(*arrays)
        return jnp.sum(
            y * jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape).astype(y.dtype)
        )

    both = lambda *arrays: (function(*arrays), jax.grad(total, tuple(range(len(arrays))))(*arrays))
    return jax.jit(both).trace(*arrays)


def run_quickly(traced, *arrays):
    """What a program gives that runs once."""
    return traced.lower().compile(compiler_options=LITTLE)(*arrays)


def gradients(function, *arrays):
    """Value and gradients of a sum with uneven weights."""
    return run_quickly(traced_gradients(function, *arrays), *arrays)


# --- convolution ----------------------------------------------------------------------------------

CONVOLUTIONS = [
    # spatial, channels, filters, window, strides, padding, dilation, groups
    ((9,), 3, 4, (3,), (1,), "valid", (1,), 1),
    ((9,), 3, 4, (3,), (2,), "causal", (1,), 1),
    ((9,), 3, 4, (2,), (1,), "causal", (3,), 1),
    ((9,), 4, 6, (3,), (1,), "same", (2,), 2),
    ((8, 7), 3, 5, (3, 3), (1, 1), "same", (1, 1), 1),
    ((8, 7), 3, 5, (3, 2), (2, 3), "same", (1, 1), 1),
    ((8, 7), 3, 5, (3, 3), (2, 2), "valid", (1, 1), 1),
    ((9, 8), 2, 3, (3, 2), (1, 1), "same", (2, 3), 1),
    ((8, 7), 4, 6, (1, 1), (2, 2), "same", (1, 1), 1),
    ((8, 7), 4, 6, (3, 3), (1, 1), ((2, 0), (1, 3)), (1, 1), 2),
    ((8, 7), 4, 4, (3, 3), (1, 1), "same", (1, 1), 4),
    ((8, 7), 4, 12, (3, 3), (2, 1), "same", (1, 1), 4),
    ((13, 12), 3, 4, (7, 7), (2, 2), "same", (1, 1), 1),
    ((12, 9), 2, 3, (5, 5), (1, 1), "same", (1, 2), 1),
    ((4, 5, 6), 2, 3, (2, 3, 2), (1, 2, 1), "same", (1, 1, 1), 1),
    ((4, 5, 6), 2, 4, (2, 2, 2), (2, 2, 2), "valid", (1, 1, 1), 2),
]


def plain_convolution(x, kernel, strides, padding, dilation, groups):
    if padding == "causal":
        padding = [((kernel.shape[0] - 1) * dilation[0], 0)]
    elif isinstance(padding, str):
        padding = padding.upper()
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=LAYOUTS[x.ndim - 2],
        feature_group_count=groups,
    )


def convolution_arrays(case):
    spatial, channels, filters, window, *_, groups = case
    return random(0, 2, *spatial, channels), random(1, *window, channels // groups, filters)


@functools.cache
def plain_results(case):
    *_, strides, padding, dilation, groups = case
    plain = functools.partial(
        plain_convolution, strides=strides, padding=padding, dilation=dilation, groups=groups
    )
    return gradients(plain, *convolution_arrays(case))


LOWERINGS = [
    # "conv" differs from plain convolution in its input gradient only: a third of the cases will do
    *(pytest.param(case, "conv", id=f"conv-{case}") for case in CONVOLUTIONS[1::3]),
    *(
        pytest.param(case, lowering, id=f"{lowering}-{case}")
        for case in CONVOLUTIONS
        for lowering in ("patches", "taps", "blocks")
        if lowering == "taps" or case[-1] == 1  # groups are one lowering only
    ),
]


def rank_and_lowering(row):
    """How many spatial axes, whether in groups, and which lowering."""
    case, lowering = row.values
    return len(case[0]), case[-1] > 1, lowering


@pytest.mark.parametrize(("case", "lowering"), first_of_each_is_quick(LOWERINGS, rank_and_lowering))
def test_every_lowering_gives_the_numbers_of_plain_convolution(case, lowering, monkeypatch):
    *_, strides, padding, dilation, groups = case
    if lowering == "blocks":  # patches, cut as finely as they go
        monkeypatch.setattr(convolution_lowerings, "WHOLE_PATCH_BYTES", 0)
        monkeypatch.setattr(convolution_lowerings, "BLOCK_PATCH_BYTES", 600)
        lowering = "patches"

    def choose(which, kernel_shape, geometry):
        if geometry.groups == 1 or lowering == "conv":
            return lowering
        return "taps" if kernel_shape[-2] == 1 else "groups"

    monkeypatch.setattr(convolution, "choose", choose)
    arguments = dict(strides=strides, padding=padding, dilation=dilation, groups=groups)
    ours = functools.partial(convolution.convolution, **arguments)
    assert_close(gradients(ours, *convolution_arrays(case)), plain_results(case))


@pytest.mark.parametrize("place", ["plain", "loop"])
@pytest.mark.parametrize(
    ("channels", "window", "groups", "size"),
    [(1, 3, 1, 9), (8, 3, 1, 26), (8, 1, 1, 9), (4, 3, 2, 9)],
)
def test_the_chosen_lowering_gives_the_numbers_of_plain_convolution(
    channels, window, groups, size, place
):
    x, kernel = random(0, 2, 5, size, channels), random(1, window, window, channels // groups, 4)
    arguments = dict(strides=(1, 1), padding="same", dilation=(1, 1), groups=groups)
    ours = functools.partial(convolution.convolution, placement=place, **arguments)
    assert_close(
        gradients(ours, x, kernel),
        gradients(lambda *a: plain_convolution(*a, **arguments), x, kernel),
    )


@pytest.mark.parametrize("place", ["plain", "loop"])
def test_convolution_has_second_derivatives_and_maps_over_a_batch(place):
    x, kernel = random(0, 2, 6, 5, 3), random(1, 3, 3, 3, 4)
    ours = lambda x, k: convolution.convolution(
        x, k, strides=(2, 1), padding="same", placement=place
    )
    plain = lambda x, k: plain_convolution(x, k, (2, 1), "same", (1, 1), 1)

    def penalty(function):
        inner = lambda x, k: jnp.sum(jnp.sin(function(x, k)))
        return lambda x, k: sum(jnp.sum(g**2) for g in jax.grad(inner, (0, 1))(x, k))

    assert_close(
        jax.grad(penalty(ours), (0, 1))(x, kernel),
        jax.grad(penalty(plain), (0, 1))(x, kernel),
        1e-4,
    )
    kernels = random(2, 3, 3, 3, 3, 4)
    mapped = lambda function: jax.vmap(jax.grad(lambda k: jnp.sum(jnp.sin(function(x, k)))))(
        kernels
    )
    assert_close(mapped(ours), mapped(plain))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_convolution_keeps_16_bit_dtypes(dtype):
    x, kernel = random(0, 2, 6, 5, 3, dtype=dtype), random(1, 3, 3, 3, 4, dtype=dtype)
    ours = lambda x, k: convolution.convolution(x, k, strides=(1, 1), padding="same")
    got = gradients(ours, x, kernel)
    assert all(array.dtype == dtype for array in jax.tree.leaves(got))
    wide = gradients(
        lambda *a: plain_convolution(*a, (1, 1), "same", (1, 1), 1),
        x.astype("float32"),
        kernel.astype("float32"),
    )
    assert_close(got, wide, 3e-2)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_and_pooling_take_symbolic_sizes(padding):
    batch, height, width = export.symbolic_shape("b, h, w", constraints=["h >= 8", "w >= 8"])

    def network(x, kernel):
        x = convolution.convolution(x, kernel, strides=(2, 2), padding=padding)
        x = pooling.max_pool(x, window=(2, 2), padding=padding)
        return pooling.average_pool(x, window=(2, 2), strides=(1, 1), padding=padding)

    x, kernel = random(0, 2, 13, 12, 3), random(1, 3, 3, 3, 4)
    specs = (
        jax.ShapeDtypeStruct((batch, height, width, 3), "float32"),
        jax.ShapeDtypeStruct(kernel.shape, "float32"),
    )
    exported = export.export(jax.jit(network))(*specs)
    assert_close(exported.call(x, kernel), network(x, kernel))


TRANSPOSED = [
    # window, strides, padding, output_padding, dilation, size that Keras 3.15.1 gives for 5
    (3, 1, "valid", None, 1, 7),
    (3, 2, "valid", None, 1, 11),
    (2, 3, "valid", None, 1, 15),
    (3, 2, "same", None, 1, 10),
    (4, 2, "same", None, 1, 10),
    (3, 2, "same", 1, 1, 10),
    (3, 2, "valid", 1, 1, 12),
    (3, 1, "same", None, 2, 5),
]


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_transposed_convolution_agrees_with_plain_xla_and_keras_sizes(case, monkeypatch):
    window, stride, padding, extra, dilation, size = case
    x, kernel = random(0, 2, 5, 5, 3), random(1, window, window, 4, 3)
    ours = functools.partial(
        convolution.transposed_convolution, strides=(stride,) * 2, padding=padding,
        output_padding=extra, dilation=(dilation,) * 2,
    )  # fmt: skip
    got = gradients(ours, x, kernel)
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    assert got[0].shape == (2, size, size, 4)
    assert_close(got, gradients(ours, x, kernel))


# --- pooling --------------------------------------------------------------------------------------

POOLINGS = [
    # spatial, window, strides, padding
    ((9,), (2,), (2,), "valid"),
    ((9,), (3,), (1,), "same"),
    ((8, 7), (2, 2), (2, 2), "valid"),
    ((8, 7), (2, 2), (2, 2), "same"),
    ((8, 9), (3, 3), (2, 2), "same"),
    ((8, 9), (3, 2), (1, 2), "valid"),
    ((8, 9), (2, 2), (3, 3), "valid"),
    ((4, 6, 5), (2, 2, 2), (2, 2, 2), "valid"),
    ((4, 6, 5), (2, 3, 2), (1, 2, 2), "same"),
]


def plain_max_pool(x, window, strides, padding):
    return lax.reduce_window(
        x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), padding.upper()
    )


def plain_average_pool(x, window, strides, padding):
    add = lambda a: lax.reduce_window(
        a, 0.0, lax.add, (1, *window, 1), (1, *strides, 1), padding.upper()
    )
    return add(x) / add(jnp.ones_like(x))


@pytest.mark.parametrize(
    ("ours", "plain"),
    [(pooling.max_pool, plain_max_pool), (pooling.average_pool, plain_average_pool)],
)
@pytest.mark.parametrize("case", POOLINGS, ids=str)
def test_pooling_gives_the_numbers_of_reduce_window(case, ours, plain):
    spatial, window, strides, padding = case
    x = jnp.round(2 * random(0, 2, *spatial, 3)) / 2  # coarse, so that windows hold ties
    fast = functools.partial(ours, window=window, strides=strides, padding=padding)
    slow = functools.partial(plain, window=window, strides=strides, padding=padding)
    assert_close(gradients(fast, x), gradients(slow, x))


@pytest.mark.parametrize("function", [pooling.max_pool, pooling.average_pool])
def test_pooling_keeps_bfloat16_and_has_second_derivatives(function):
    x = random(0, 2, 6, 6, 3)
    assert function(x.astype("bfloat16"), window=(2, 2)).dtype == "bfloat16"
    for strides in (1, 1), (2, 2):
        pool = functools.partial(function, window=(2, 2), strides=strides)
        once = jax.jit(jax.grad(lambda x, pool=pool: jnp.sum(pool(x) ** 3)))
        step = 1e-2 * random(1, *x.shape)
        slope = jax.jit(jax.grad(lambda x, once=once, step=step: jnp.sum(once(x) * step)))(x)
        assert_close(
            jnp.sum(slope * step),
            jnp.sum((once(x + step / 64) - once(x - step / 64)) * step) * 32,
            5e-2,
        )


@pytest.mark.parametrize("function", [pooling.max_pool, pooling.average_pool])
def test_plain_pooling_is_differentiable_inside_jit(function, monkeypatch):
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    pool = lambda x: function(x, window=(3, 2), strides=(2, 2), padding="same")
    plain = gradients(pool, random(0, 2, 6, 5, 3))
    monkeypatch.delenv("NACRE_KERNELS")
    assert_close(gradients(lambda x: pool(x), random(0, 2, 6, 5, 3)), plain)


def test_pooling_keeps_integers():
    x = jnp.arange(16).reshape(1, 4, 4, 1)
    assert pooling.max_pool(x, window=(2, 2)).ravel().tolist() == [5, 7, 13, 15]


# --- recurrent ------------------------------------------------------------------------------------

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
MASK = np.array([[0, 0, 1, 1, 0, 1], [1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 1, 1]], bool)


def recurrent_case(name):
    """Return the function on (x, states..., weights...) and its arguments."""
    gates = {"lstm": 4, "gru_after": 3, "gru_before": 3, "simple": 1}[name]
    states = [random(1, BATCH, UNITS), random(2, BATCH, UNITS)][: 2 if name == "lstm" else 1]
    bias_shape = (2, gates * UNITS) if name == "gru_after" else (gates * UNITS,)
    weights = [
        random(3, FEATURES, gates * UNITS),
        random(4, UNITS, gates * UNITS),
        random(5, *bias_shape),
    ]
    functions = {
        "lstm": recurrent.lstm,
        "gru_after": recurrent.gru,
        "gru_before": functools.partial(recurrent.gru, reset_after=False),
        "simple": recurrent.simple_rnn,
    }
    return functions[name], (random(0, BATCH, TIME, FEATURES), *states, *weights)


def joined(function, **options):
    """Join outputs and states in one array, so that one gradient covers all of them."""
    return lambda *arrays: jnp.concatenate([a.ravel() for a in function(*arrays, **options)])


def plain_options(name):
    """Other callables with the same values take the plain scan."""
    options = {"activation": lambda z: jnp.tanh(z)}
    return (
        options
        if name == "simple"
        else {**options, "recurrent_activation": lambda z: 1 / (1 + jnp.exp(-z))}
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru_after", "gru_before", "simple"])
def test_fast_recurrence_gives_the_gradients_of_the_plain_scan(name, sequences, masked):
    function, arrays = recurrent_case(name)
    options = dict(
        mask=MASK if masked else None,
        return_sequences=sequences,
        reverse=sequences,
        zero_output_for_mask=masked and name == "simple",
    )
    fast = gradients(joined(function, **options), *arrays)
    slow = gradients(joined(function, **options, **plain_options(name)), *arrays)
    assert_close(fast, slow)


def test_lstm_follows_its_formula():
    function, (x, h, c, kernel, recurrent_kernel, bias) = recurrent_case("lstm")
    sigmoid = lambda z: 1 / (1 + np.exp(-np.asarray(z)))
    got = function(x, h, c, kernel, recurrent_kernel, bias, return_sequences=True)
    for step in range(TIME):
        i, f, g, o = np.split(np.asarray(x[:, step] @ kernel + h @ recurrent_kernel + bias), 4, -1)
        c = sigmoid(f) * np.asarray(c) + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        assert_close(got[0][:, step], h)
    assert_close(got[1:], (h, c))


def test_masked_steps_hold_the_state_and_repeat_the_output():
    function, arrays = recurrent_case("lstm")
    outputs, h, _ = function(*arrays, mask=MASK, return_sequences=True)
    assert not np.any(outputs[0, :2])  # no step has counted yet
    assert_close(outputs[0, 4], outputs[0, 3])
    assert_close(h[1], outputs[1, 3])
    zeroed, _, _ = function(*arrays, mask=MASK, return_sequences=True, zero_output_for_mask=True)
    assert not np.any(np.asarray(zeroed)[~MASK])


@pytest.mark.parametrize("name", ["lstm", "gru_after", "gru_before", "simple"])
def test_recurrence_takes_no_bias_and_16_bits_and_a_map(name):
    function, arrays = recurrent_case(name)
    without = (*arrays[:-1], jnp.zeros_like(arrays[-1]))
    assert_close(function(*arrays[:-1], None), function(*without))
    half = [a.astype("bfloat16") for a in arrays]
    got = gradients(joined(function, return_sequences=True), *half)
    assert all(a.dtype == "bfloat16" for a in jax.tree.leaves(got))
    assert_close(
        got,
        gradients(joined(function, return_sequences=True), *[a.astype("float32") for a in half]),
        5e-2,
    )
    mapped = jax.vmap(lambda x: function(x, *arrays[1:])[0])(jnp.stack([arrays[0], 2 * arrays[0]]))
    assert_close(mapped[1], function(2 * arrays[0], *arrays[1:])[0])


def test_recurrence_takes_symbolic_batch_and_time():
    function, arrays = recurrent_case("lstm")
    batch, time = export.symbolic_shape("b, t")
    x = jax.ShapeDtypeStruct((batch, time, FEATURES), "float32")
    states = [jax.ShapeDtypeStruct((batch, UNITS), "float32")] * 2
    weights = [jax.ShapeDtypeStruct(a.shape, "float32") for a in arrays[3:]]
    run = functools.partial(function, return_sequences=True)
    assert_close(export.export(jax.jit(run))(x, *states, *weights).call(*arrays), run(*arrays))


# --- placement ------------------------------------------------------------------------------------


def test_placement_is_set_inside_the_block_only():
    assert placement.current_placement() == "plain"
    with placement.inside_loop():
        assert placement.current_placement() == "loop"
        with placement.inside_loop(False):
            assert not placement.is_inside_loop()
        assert placement.is_inside_loop()
    assert not placement.is_inside_loop()


def test_environment_switch_asks_for_plain_xla(monkeypatch):
    monkeypatch.setenv("NACRE_KERNELS", "xla")
    x, kernel = random(0, 1, 5, 5, 2), random(1, 3, 3, 2, 2)
    program = jax.make_jaxpr(
        lambda *a: convolution.convolution(*a, strides=(1, 1), padding="same")
    )(x, kernel)
    assert [equation.primitive.name for equation in program.eqns] == ["conv_general_dilated"]
