"""Every layer is differentiated forwards as well as backwards, and twice; and scripts that need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import nacre
from nacre import layers
from tests.cases.spec import LayerCase, generator
from tests.contracts import layer_rows
from tests.contracts.test_layer_contract import CONSTANTS_IN_TRAINING, GRADIENT_ROWS
from tests.effort import LITTLE

# Made of layers that have rows of their own: here it is enough that JAX takes the derivatives.
COMPOSED = {"TransformerEncoder", "TransformerDecoder", "Bidirectional", "RNN"}


def as_function(row: LayerCase) -> tuple[Callable[..., Any], tuple[Any, Any]]:
    """A scalar of the layer's outputs as a function of (float inputs, trained weights)."""
    layer = layer_rows.built(row)
    weights = [jnp.asarray(w) for w in layer_rows.weights_of(row, layer)]
    trains = [i for i, w in enumerate(layer.weights) if w.trainable]
    arrays = layer_rows.inputs_only(row)
    moving = [n for n, v in arrays.items() if v.dtype == np.float32 and n.startswith("input_")]
    training = not row.has_randomness and row.layer not in CONSTANTS_IN_TRAINING

    def total(inputs: Any, trained: Any) -> Any:
        now = list(weights)
        for i, value in zip(trains, trained, strict=True):
            now[i] = value
        given = {**arrays, **dict(zip(moving, inputs, strict=True))}
        outputs = layer_rows.run(row, layer, given, now, training)
        factors = (jnp.cos(jnp.arange(o.size, dtype="float32")).reshape(o.shape) for o in outputs)
        return sum(jnp.sum(o * f) for o, f in zip(outputs, factors, strict=True))

    start = [jnp.asarray(arrays[n]) for n in moving], [weights[i] for i in trains]
    return total, start


@pytest.mark.parametrize("row", GRADIENT_ROWS, ids=lambda row: row.id)
def test_tangents_of_a_layer_agree_with_its_gradient(row: LayerCase) -> None:
    """Where both come from JAX alone it is enough that JAX takes them, twice."""
    total, start = as_function(row)
    random = generator(row.id + "/way")
    way = jax.tree.map(lambda v: jnp.asarray(random.normal(size=v.shape), "float32"), start)
    inner = lambda tree: sum(map(jnp.vdot, jax.tree.leaves(tree), jax.tree.leaves(way)))
    gradient = jax.grad(total, (0, 1))

    def run(*start: Any) -> Any:
        slope = jax.jvp(total, start, way)[1]
        back, bend = jax.jvp(lambda *start: inner(gradient(*start)), start, way)
        return slope, back, bend

    traced = jax.jit(run).trace(*start)
    if "linear_map" not in str(traced.jaxpr) or row.layer in COMPOSED:
        return
    slope, back, bend = traced.lower().compile(LITTLE)(*start)
    np.testing.assert_allclose(slope, back, rtol=2e-3, atol=2e-3)
    assert np.isfinite(bend)


# --- scripts as people write them -----------------------------------------------------------------


def trained(model: Any) -> Any:
    return [jnp.asarray(v.value) for v in model.trainable_variables]


def call_of(model: Any, x: Any) -> Callable[[Any], Any]:
    """The training output as a function of the trained weights."""
    rest = [jnp.asarray(v.value) for v in model.non_trainable_variables]
    return lambda weights: model.stateless_call(weights, rest, x, training=True)[0]


def mixed_model() -> Any:
    """Convolution, batch statistics, pooling, recurrence and attention."""
    inputs = nacre.Input((18, 2))
    x = layers.Conv1D(2, 3, activation="tanh")(inputs)
    x = layers.MaxPooling1D(2)(layers.BatchNormalization()(x))
    x = layers.LSTM(2, return_sequences=True)(x)
    x = layers.MultiHeadAttention(2, 2)(x, x) + x
    return nacre.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))


def test_the_hessian_of_a_model_is_the_slope_of_its_gradient() -> None:
    random = np.random.default_rng(0)
    model, x = mixed_model(), jnp.asarray(random.normal(size=(6, 18, 2)), "float32")
    flat, unravel = ravel_pytree(trained(model))
    loss = lambda flat: jnp.mean((call_of(model, x)(unravel(flat)) - x[:, 0, :1]) ** 2)
    hessian = jax.jit(jax.hessian(loss), compiler_options=LITTLE)(flat)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-4)
    way = jnp.asarray(random.normal(size=flat.shape), "float32")
    gradient = jax.jit(jax.grad(loss), compiler_options=LITTLE)
    step = 1e-3
    slope = (gradient(flat + step * way) - gradient(flat - step * way)) / (2 * step)
    np.testing.assert_allclose(hessian @ way, slope, rtol=1e-2, atol=1e-2 * abs(slope).max())


def test_the_second_derivative_of_a_network_by_its_input_trains_it() -> None:
    """u'' = -sin(x) with u(0) = u(pi) = 0, whose solution is sin: by jvp of jvp, inside a grad."""
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(16, "tanh"), layers.Dense(1)])
    points = jnp.linspace(0.0, np.pi, 12)

    def u(weights: Any, x: Any) -> Any:
        return model.stateless_call(weights, [], x[None, None])[0][0, 0]

    def u_xx(weights: Any, x: Any) -> Any:
        one = jnp.ones_like(x)
        u_x = lambda x: jax.jvp(lambda x: u(weights, x), (x,), (one,))[1]
        return jax.jvp(u_x, (x,), (one,))[1]

    weights = trained(model)
    kernel, bias, out, _ = weights
    inner = jnp.tanh(points[:, None] * kernel + bias)
    wanted = (-2 * inner * (1 - inner**2) * kernel**2) @ out
    found = jax.vmap(lambda x: u_xx(weights, x))(points)
    np.testing.assert_allclose(found, wanted[:, 0], rtol=1e-4, atol=1e-5)

    def loss(weights: Any) -> Any:
        bend = jax.vmap(lambda x: u_xx(weights, x))(points)
        ends = jnp.stack([u(weights, points[0]), u(weights, points[-1])])
        return jnp.mean((bend + jnp.sin(points)) ** 2) + jnp.sum(ends**2)

    optimizer = nacre.optimizers.Adam(0.02)
    optimizer.build(model.trainable_variables)
    state = [v.value for v in optimizer.variables]

    @jax.jit
    def step(weights: Any, state: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(weights)
        return value, *optimizer.stateless_apply(state, gradients, weights)

    first, weights, state = step(weights, state)
    for _ in range(150):
        last, weights, state = step(weights, state)
    assert last < 0.05 * first


def test_a_field_of_convolutions_has_a_second_derivative_in_time() -> None:
    model = nacre.Sequential(
        [
            nacre.Input((8, 8, 2)),
            layers.Conv2D(16, 3, padding="same", activation="tanh"),
            layers.AveragePooling2D(3, 1, padding="same"),
            layers.Conv2DTranspose(1, 3, padding="same"),
        ]
    )
    field = jnp.asarray(np.random.default_rng(0).normal(size=(1, 8, 8, 2)), "float32")
    u = lambda t: model(field * jnp.sin(t))
    u_t = lambda t: jax.jvp(u, (t,), (1.0,))[1]
    u_tt = jax.jvp(u_t, (0.7,), (1.0,))[1]
    step = 0.02
    wanted = (u_t(0.7 + step) - u_t(0.7 - step)) / (2 * step)
    np.testing.assert_allclose(u_tt, wanted, rtol=1e-2, atol=1e-3)


def test_a_gauss_newton_product_is_that_of_the_jacobian() -> None:
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(5, 6, 2)), "float32")
    model = nacre.Sequential(
        [
            nacre.Input((6, 2)),
            layers.Conv1D(3, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GRU(2),
            layers.Dense(1),
        ]
    )
    outputs, weights = call_of(model, x), trained(model)
    way = [jnp.asarray(random.normal(size=w.shape), "float32") for w in weights]

    @jax.jit
    def product(weights: Any, way: Any) -> Any:
        _, pushed = jax.jvp(outputs, (weights,), (way,))
        return jax.vjp(outputs, weights)[1](pushed)[0]

    flat = lambda parts: jnp.concatenate([p.reshape(5, -1) for p in parts], 1)
    jacobian = flat(jax.jit(jax.jacfwd(outputs))(weights))
    wanted = jacobian.T @ (jacobian @ ravel_pytree(way)[0])
    np.testing.assert_allclose(ravel_pytree(product(weights, way))[0], wanted, rtol=1e-3, atol=1e-4)
