"""The compiled recurrent kernels give the numbers of a scan with autodiff, at every edge."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.layers.recurrent import whole_sequence
from nacre.ops.kernels import placement, recurrent
from nacre.ops.kernels.native import library
from tests import native
from tests.ops.test_kernels import (
    assert_close,
    compiled_quickly,
    gradients,
    joined,
    plain_options,
    random,
    run_quickly,
    traced_gradients,
)
from tests.tiers import first_of_each_is_quick

LANES = 16  # floats of the widest vectors; sizes below lie on both sides of its multiples
SIZES = [  # batch, time, features, units
    (32, 9, 16, 128),
    (1, 7, 3, 5),
    (7, 5, 4, 33),
    (13, 3, 2, 4 * LANES),
    (20, 3, 130, 100),
    (5, 1, 1, 1),
    (6, 4, 3, LANES),
]
FUNCTIONS = {"lstm": recurrent.lstm, "gru": recurrent.gru, "simple": recurrent.simple_rnn}
KINDS = list(FUNCTIONS)


@pytest.fixture(autouse=True)
def compiled():
    """Native kernels, or no test."""
    native.need(library.RECURRENT)


def case(kind, sizes):
    """The function in a program of nacre's own, its arrays, and options for the plain scan."""
    batch, time, features, units = sizes
    gates = {"lstm": 4, "gru": 3, "simple": 1}[kind]
    states = [random(i, batch, units) for i in range(2 if kind == "lstm" else 1)]
    bias = (2, gates * units) if kind == "gru" else (gates * units,)
    kernel, square = random(3, features, gates * units), random(4, units, gates * units)
    arrays = (random(2, batch, time, features), *states, kernel, square / units**0.5)
    ours = functools.partial(FUNCTIONS[kind], placement="loop")
    name = "simple" if kind == "simple" else kind
    return ours, (*arrays, random(5, *bias)), plain_options(name)


def is_above_one_vector(sizes):
    """Whether the units fill more than one vector."""
    return sizes[-1] > LANES


@pytest.mark.parametrize("masked", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("sizes", first_of_each_is_quick(SIZES, is_above_one_vector), ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_recurrence_gives_the_numbers_of_the_plain_scan(kind, sizes, masked):
    function, arrays, plain = case(kind, sizes)
    mask = np.random.default_rng(0).random(sizes[:2]) > 0.3 if masked else None
    for sequences in (False, True):
        options = dict(mask=mask, return_sequences=sequences, reverse=sequences != masked)
        ours = traced_gradients(joined(function, **options), *arrays)
        assert "ffi_call" in str(ours.jaxpr)  # the kernel under test is the one that runs
        assert_close(
            run_quickly(ours, *arrays), gradients(joined(function, **options, **plain), *arrays)
        )


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_recurrence_takes_no_bias_16_bits_and_a_map(kind):
    function, arrays, _ = case(kind, (3, 4, 2, 5))
    without = (*arrays[:-1], jnp.zeros_like(arrays[-1]))
    assert_close(function(*arrays[:-1], None), function(*without))
    half = [a.astype("bfloat16") for a in arrays]
    got = function(*half, return_sequences=True)
    assert all(a.dtype == "bfloat16" for a in got)
    # bfloat16 has 8 bits: inputs and results are rounded to 2⁻⁸, sums are float32.
    assert_close(got, function(*[a.astype("float32") for a in half], return_sequences=True), 1e-2)
    mapped = jax.vmap(lambda x: function(x, *arrays[1:])[0])(jnp.stack([arrays[0], 2 * arrays[0]]))
    assert_close(mapped[1], function(2 * arrays[0], *arrays[1:])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_recurrence_has_second_derivatives(kind):
    function, arrays, plain = case(kind, (3, 4, 2, 5))

    def penalty(x, **options):
        """The squared size of the inputs' gradient, as in a critic's penalty."""
        total = lambda x: (function(x, *arrays[1:], return_sequences=True, **options)[0] ** 2).sum()
        return (jax.grad(total)(x) ** 2).sum()

    assert_close(
        compiled_quickly(jax.grad(penalty), arrays[0]),
        compiled_quickly(jax.grad(lambda x: penalty(x, **plain)), arrays[0]),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_only_programs_of_our_own_hold_the_kernel_without_gradients(kind):
    _, arrays, _ = case(kind, (3, 4, 2, 5))
    function = lambda *a, **o: FUNCTIONS[kind](*a, **o)[0]
    text = lambda f: jax.jit(f).lower(*arrays).as_text()
    target = f"nacre_{kind}_forward"
    assert target not in text(function)
    assert target in text(functools.partial(function, placement="loop"))
    assert target in text(jax.grad(lambda *a: function(*a).sum()))


@pytest.mark.parametrize("variable", [("NACRE_NATIVE", "0"), ("NACRE_KERNELS", "xla")])
def test_environment_switches_the_kernel_off(variable, monkeypatch):
    monkeypatch.setenv(*variable)
    function, arrays, plain = case("lstm", (3, 4, 2, 5))
    jaxpr = str(jax.make_jaxpr(jax.grad(lambda *a: function(*a)[0].sum()))(*arrays))
    assert "ffi_call" not in jaxpr
    assert ("custom_jvp" in str(jax.make_jaxpr(function)(*arrays))) == (
        variable[0] == "NACRE_NATIVE"
    )
    assert_close(function(*arrays), function(*arrays, **plain))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_layers_give_the_same_with_and_without_the_kernel(name, monkeypatch):
    """Masks, the other direction, given states and returned ones, through the layer."""
    import nacre

    layer = getattr(nacre.layers, name)(
        5, return_sequences=True, return_state=True, go_backwards=True
    )
    x, mask = random(0, 3, 6, 4), np.random.default_rng(1).random((3, 6)) > 0.3
    states = [random(7, 3, 5) for _ in range(2 if name == "LSTM" else 1)]
    assert whole_sequence.fits(layer.cell, training=False)

    def run():
        with placement.inside_loop():
            return layer(x, mask=mask, initial_state=states)

    ours = run()
    monkeypatch.setenv("NACRE_NATIVE", "0")
    jax.clear_caches()
    assert_close(ours, run())


@pytest.mark.parametrize("kind", KINDS)
def test_states_of_another_dtype_or_shape_never_reach_the_compiled_kernel(kind):
    function, arrays, _ = case(kind, (4, 3, 2, 5))
    text = lambda *arrays: str(jax.make_jaxpr(function)(*arrays))
    assert "ffi_call" in text(*arrays)
    half = (arrays[0], arrays[1].astype("float16"), *arrays[2:])
    with contextlib.suppress(TypeError):  # a scan does not take every mixture
        assert "ffi_call" not in text(*half)
    for wrong in (
        (arrays[0], arrays[1][:2], *arrays[2:]),
        (*arrays[:-2], arrays[-2][:3], arrays[-1]),
    ):
        with pytest.raises((TypeError, ValueError)):
            text(*wrong)
