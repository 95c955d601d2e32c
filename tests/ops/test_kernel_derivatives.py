"""Functions with derivatives by hand are differentiated in every direction, and any number of times."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import ops
from nacre.layers.normalization import statistics
from nacre.ops.kernels import attention, convolution, pooling, recurrent
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand, push
from nacre.ops.kernels.native import library
from tests.effort import LITTLE
from tests.ops.test_kernels import assert_close, random
from tests.ops.test_kernels import compiled_quickly as compiled

# --- the helper, on a small function ---------------------------------------------------------------


def power(exponent, x, weights, factors):
    """tanh(x · w)ⁿ · factors, for weights of which the second may be missing, and whole factors."""
    return jnp.tanh(x @ weights[0]) ** exponent * factors


power_by_hand = derived_by_hand(nondiff_argnums=(0,))(power)
WAYS_BACK = []


def _backward(exponent, kept, gradient):
    WAYS_BACK.append(exponent)
    x, weights, factors = kept
    _, pull = jax.vjp(lambda x, weights: power(exponent, x, weights, factors), x, weights)
    return *pull(gradient), None


define_derivatives(
    power_by_hand,
    lambda *given: (power_by_hand(*given), given[1:]),
    _backward,
    lambda exponent, kept, tangents: push(functools.partial(power, exponent), kept, tangents),
)


X, W = random(0, 4, 3), random(1, 3, 4)
FACTORS = jnp.arange(16).reshape(4, 4) - 7


def of(function):
    return lambda x, w: function(2, x, (w, None), FACTORS)


def total(function):
    return lambda x, w: of(function)(x, w).sum()


def mapped(function, axis):
    """One row or column at a time: what is mapped lies on another axis than in the outputs."""

    def run(x, w):
        one = lambda x: function(2, x[None], (w, None), FACTORS[0])[0]
        return jax.vmap(one, axis, axis)(x)

    return run


def in_scan(function):
    def run(x, w):
        step = lambda x, _: (x + 0.1 * function(2, x, (w, None), FACTORS)[:, :3], x.sum())
        return jax.lax.scan(step, x, None, 3)[1].sum()

    return run


BOTH = (0, 1)
DERIVATIVES: dict[str, Callable[..., Any]] = {
    "grad": lambda f: jax.grad(total(f), BOTH),
    "grad of one": lambda f: jax.grad(total(f)),
    "jacfwd": lambda f: jax.jacfwd(of(f), BOTH),
    "jacrev": lambda f: jax.jacrev(of(f), BOTH),
    "forward over reverse": lambda f: jax.hessian(total(f), BOTH),
    "reverse over reverse": lambda f: jax.jacrev(jax.jacrev(total(f), BOTH), BOTH),
    "forward over forward": lambda f: jax.jacfwd(jax.jacfwd(total(f), BOTH), BOTH),
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(total(f), BOTH), BOTH),
    "third": lambda f: jax.jacfwd(jax.grad(lambda x, w: jax.jvp(total(f), (x, w), (x, w))[1])),
    "grad of a map": lambda f: jax.grad(lambda x, w: (mapped(f, 0)(x, w) ** 2).sum(), BOTH),
    "jit of a map of columns": lambda f: jax.hessian(
        lambda x, w: (jax.jit(mapped(f, 1))(w.T[:3], x.T) ** 2).sum(), BOTH
    ),
    "scan": lambda f: jax.grad(in_scan(f), BOTH),
    "hessian of a scan": lambda f: jax.hessian(in_scan(f)),
    "checkpoint": lambda f: jax.hessian(jax.checkpoint(total(f)), BOTH),
    "linearize": lambda f: lambda x, w: jax.linearize(of(f), x, w)[1](x, w),
    "grad by a tangent": lambda f: (
        lambda x, w: jax.grad(lambda t: jnp.sin(jax.jvp(of(f), (x, w), (t, w))[1]).sum())(x)
    ),
    "cond": lambda f: jax.hessian(
        lambda x, w: jax.lax.cond(x[0, 0] > 0, total(f), lambda x, w: x.sum(), x, w), BOTH
    ),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_by_hand_go_through_every_transformation(name: str) -> None:
    assert_close(*(compiled(DERIVATIVES[name](f), X, W) for f in (power_by_hand, power)))


def test_reverse_mode_runs_the_gradient_by_hand_once_and_nothing_of_the_tangent() -> None:
    WAYS_BACK.clear()
    program = jax.make_jaxpr(jax.grad(total(power_by_hand), BOTH))(X, W)
    assert len(WAYS_BACK) == 1
    assert "linear_map" not in str(program)


def test_a_map_keeps_its_axis_where_the_rule_computes_in_another_way() -> None:
    """JAX trusts that a rule's results have the batch axes that the function's own have."""

    @derived_by_hand()
    def sine(x: Any) -> Any:
        return jnp.sin(x)

    def forward(x: Any) -> Any:
        slow = lambda x: np.sin(x)
        return jax.pure_callback(slow, jax.typeof(x), x, vmap_method="expand_dims"), x

    backward = lambda x, gradient: (gradient * jnp.cos(x),)
    define_derivatives(sine, forward, backward, lambda x, tangents: tangents[0] * jnp.cos(x))
    square = random(0, 3, 3)
    columns = jax.jit(jax.vmap(sine, 1, 1))
    assert_close(jax.jvp(columns, (square,), (square,)), jax.jvp(jnp.sin, (square,), (square,)))


# --- the kernels ----------------------------------------------------------------------------------


def convolved(spatial, channels, filters, **options):
    options = dict(strides=(1,) * len(spatial), padding="same", placement="loop") | options
    groups = options.get("groups", 1)
    kernel = random(1, *(3,) * len(spatial), channels // groups, filters)
    return (
        functools.partial(convolution.convolution, **options),
        (random(0, 2, *spatial, channels), kernel),
    )


def spread_out():
    options = dict(strides=(2,), padding="same", placement="loop")
    run = functools.partial(convolution.transposed_convolution, **options)
    return run, (random(0, 2, 5, 3), random(1, 3, 4, 3))


def pooled(function, **options):
    return functools.partial(function, placement="loop", **options), (random(0, 2, 7, 6, 16),)


def recurred(function, gates, num_states, bias_rows, **options):
    mask = jnp.array([[True, True, True, True], [False, True, True, False]])
    units, features = 3, 2
    bias = (bias_rows, gates * units) if bias_rows else (gates * units,)
    arrays = [random(0, 2, 4, features), *(random(i, 2, units) for i in range(num_states))]
    arrays += [random(3, features, gates * units), random(4, units, gates * units)]
    run = functools.partial(function, mask=mask, return_sequences=True, placement="loop", **options)

    def joined(*arrays: Any) -> Any:
        outputs, state, *_ = run(*arrays)
        return jnp.concatenate([outputs, state[:, None]], 1)

    return joined, (*arrays, random(5, *bias))


def attended():
    run = functools.partial(
        attention.attention, bias=None, mask=None, scale=0.3, is_causal=True, placement="loop"
    )
    return run, tuple(random(i, 2, 8, 4, 5) for i in range(3))


KERNELS: dict[str, Callable[[], Any]] = {
    "convolution": lambda: convolved((5, 4), 3, 4),
    "strided": lambda: convolved((7,), 4, 6, strides=(2,), groups=2),
    "depthwise": lambda: convolved((6,), 16, 16, groups=16),
    "transposed": spread_out,
    "max": lambda: pooled(pooling.max_pool, window=(3, 2), strides=(2, 2), padding="same"),
    "max in tiles": lambda: pooled(pooling.max_pool, window=(2, 2)),
    "average": lambda: pooled(pooling.average_pool, window=(3, 3), strides=(2, 2), padding="same"),
    "lstm": lambda: recurred(recurrent.lstm, 4, 2, 0),
    "gru": lambda: recurred(recurrent.gru, 3, 1, 2),
    "gru, reset before": lambda: recurred(recurrent.gru, 3, 1, 0, reset_after=False),
    "simple": lambda: recurred(recurrent.simple_rnn, 1, 1, 0),
    "attention": attended,
}


def check_directions(function: Callable[..., Any], arrays: tuple[Any, ...], orders: Any) -> None:
    """Forwards and backwards give one slope, and second derivatives do not depend on the order.

    A tangent is autodiff of plain JAX, a gradient is by hand: one is the proof of the other.
    """

    def scalar(*arrays: Any) -> Any:
        y = function(*arrays)
        return jnp.sum(jnp.sin(y) * jnp.cos(jnp.arange(y.size, dtype="float32")).reshape(y.shape))

    every = tuple(range(len(arrays)))
    gradient = jax.grad(scalar, every)
    way = tuple(random(9 + i, *a.shape) for i, a in enumerate(arrays))
    inner = lambda tree: sum(jnp.vdot(a, b) for a, b in zip(tree, way, strict=True))
    slope = lambda *arrays: jax.jvp(scalar, arrays, way)[1]
    products = {
        "reverse over forward": jax.grad(slope, every),
        "forward over reverse": lambda *arrays: jax.jvp(gradient, arrays, way)[1],
        "reverse over reverse": jax.grad(lambda *arrays: inner(gradient(*arrays)), every),
    }

    def run(*arrays: Any) -> Any:
        slopes = slope(*arrays), inner(gradient(*arrays))
        return slopes, [products[order](*arrays) for order in orders]

    (forwards, back), found = compiled(run, *arrays)
    assert_close(forwards, back, 1e-4)
    assert abs(float(back)) > 1e-3, "the direction must show something"
    for product in found[1:]:
        assert_close(product, found[0], 1e-4)


ORDERS = ("reverse over forward", "forward over reverse", "reverse over reverse")
RECURRENT = ("lstm", "gru", "gru, reset before", "simple")


@pytest.mark.parametrize(
    ("name", "native"),
    [*((name, "force") for name in KERNELS), ("convolution", "0"), ("max", "0"), ("lstm", "0")],
)
def test_kernels_have_one_derivative_in_every_direction_and_order(
    name: str, native: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NACRE_NATIVE", native)
    if native == "force" and not library.RECURRENT.targets():
        pytest.skip(f"no native kernels: {library.RECURRENT.outcome().reason}")
    check_directions(*KERNELS[name](), ORDERS[:2] if name in RECURRENT else ORDERS)


@pytest.mark.parametrize("name", ["convolution", "max", "average", "lstm", "attention"])
def test_jacobians_map_over_the_compiled_kernels(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NACRE_NATIVE", "force")
    function, (first, *rest) = KERNELS[name]()
    small = lambda v: function(first * v, *rest).mean(tuple(range(1, first.ndim - 1)))
    columns = jnp.ones(first.shape[-1])
    forwards, back = compiled(lambda v: (jax.jacfwd(small)(v), jax.jacrev(small)(v)), columns)
    assert_close(forwards, back)
    assert bool(jnp.any(forwards))


@pytest.mark.parametrize(
    ("name", "native"), [*((name, "force") for name in KERNELS), ("max", "0"), ("convolution", "0")]
)
def test_the_way_back_does_not_hang_on_how_what_it_keeps_was_rounded(
    name: str, native: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler may compute one value twice, and round it differently for two of its uses."""
    monkeypatch.setenv("NACRE_NATIVE", native)
    function, arrays = KERNELS[name]()
    y, pull = compiled(lambda *arrays: jax.vjp(function, *arrays), *arrays)
    gradient = random(9, *y.shape)
    back = jax.jit(lambda pull, gradient: pull(gradient), compiler_options=LITTLE)
    whole = compiled(lambda gradient, *a: jax.vjp(function, *a)[1](gradient), gradient, *arrays)
    assert_close(back(pull, gradient), whole)
    kept, structure = jax.tree.flatten(pull)
    for seed in range(3):
        assert_close(back(structure.unflatten(_otherwise(kept, seed)), gradient), whole, 1e-4)


def _otherwise(kept: list[Any], seed: int) -> list[Any]:
    """Each array of floats a little larger or smaller as a whole: one rounding or two."""
    up = np.random.default_rng(seed).choice([-3e-7, 3e-7], len(kept))
    pairs = zip(kept, up, strict=True)
    return [x * (1 + by) if jnp.issubdtype(x.dtype, jnp.floating) else x for x, by in pairs]


@pytest.mark.parametrize("native", ["0", "1"])
def test_max_pooling_of_normalized_images_has_one_gradient_in_one_program_or_two(
    native: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XLA computes the normalized images twice here, once with a fused multiply-add."""
    monkeypatch.setenv("NACRE_NATIVE", native)

    def forward(x: Any, kernel: Any, scale: Any) -> Any:
        x = ops.conv(x, kernel)
        x = ops.batch_normalization(x, *ops.moments(x, (0, 1, 2)), -1, scale * 0, scale)
        return ops.max_pool(x, 2)

    arrays = random(0, 2, 6, 6, 3), random(1, 3, 3, 3, 3), random(2, 3)
    y, pull = jax.jit(lambda *arrays: jax.vjp(forward, *arrays))(*arrays)
    gradient = random(3, *y.shape)
    assert_close(pull(gradient), jax.vjp(forward, *arrays)[1](gradient))


# --- statistics ------------------------------------------------------------------------------------


def batch_by_hand(x: Any, gamma: Any) -> Any:
    mean, variance = statistics.moments(x, (0,))
    return statistics.normalize_batch(x, mean, variance, gamma, gamma**2, (0,), 1e-3)


def batch_by_formula(x: Any, gamma: Any) -> Any:
    mean, variance = statistics.moments(x, (0,))
    return (x - mean) / jnp.sqrt(variance + 1e-3) * gamma + gamma**2


def sample_by_hand(x: Any, gamma: Any) -> Any:
    return statistics.standardize(x * gamma, (1,), 1e-3)


def sample_by_formula(x: Any, gamma: Any) -> Any:
    mean, variance = statistics.moments(x * gamma, (1,))
    return (x * gamma - mean) / jnp.sqrt(variance + 1e-3)


@pytest.mark.parametrize(
    ("by_hand", "by_formula"),
    [(batch_by_hand, batch_by_formula), (sample_by_hand, sample_by_formula)],
)
def test_statistics_have_the_derivatives_of_their_formula(by_hand: Any, by_formula: Any) -> None:
    x, gamma = random(0, 4, 3), random(1, 1, 3)

    way = random(2, 4, 3), random(3, 1, 3)

    def derivatives(function: Callable[..., Any]) -> Any:
        gradient = jax.grad(lambda *a: (jnp.sin(function(*a)) * FACTORS[:, :3]).sum(), BOTH)
        along = lambda *a: sum(jnp.vdot(g, w) for g, w in zip(gradient(*a), way, strict=True))
        tangent = lambda f: lambda *a: jax.jvp(f, a, way)[1]
        every = tangent(function), tangent(gradient), jax.grad(along, BOTH)
        return compiled(lambda *a: [derivative(*a) for derivative in every], x, gamma)

    assert_close(derivatives(by_hand), derivatives(by_formula), 1e-4)
