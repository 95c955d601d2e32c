"""Networks written by hand in JAX, as fast on a CPU as the author knows how.

Convolution as slices joined to a matrix, and pooling as a reshape, because XLA's own are slow in a
loop on the CPU; an LSTM with its own gradient, which takes the product for the recurrent kernel's
gradient out of the loop. The plain forms are here too: the faster one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from bench.peers import transformers

Parameters = dict[str, Any]
Forward = Callable[[Parameters, Array], Array]


def glorot(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Uniform in ±sqrt(6 / (fan in + fan out))."""
    field = int(np.prod(shape[:-2]))
    limit = np.sqrt(6.0 / (field * (shape[-2] + shape[-1])))
    return generator.uniform(-limit, limit, shape).astype(np.float32)


def layer(generator: np.random.Generator, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """A kernel and its bias."""
    return glorot(generator, *shape), np.zeros(shape[-1], np.float32)


def parameters(name: str) -> Parameters:
    """Initial parameters of a workload's network."""
    new = partial(layer, np.random.default_rng(1))
    if name == "mlp":
        return {"hidden": new(784, 128), "head": new(128, 10)}
    if name == "cnn":
        return {
            "conv1": new(3, 3, 3, 32),
            "conv2": new(3, 3, 32, 64),
            "conv3": new(3, 3, 64, 64),
            "hidden": new(1024, 64),
            "head": new(64, 10),
        }
    if name == "transformer":
        return transformers.parameters(new, np.random.default_rng(2))
    if name == "gru":
        square = np.random.default_rng(2).standard_normal((384, 128))
        recurrent = np.linalg.qr(square)[0].T.astype(np.float32)
        return {"gru": (*new(16, 384), recurrent, np.zeros(384, np.float32)), "head": new(128, 10)}
    kernel, bias = new(16, 512)
    bias[128:256] = 1.0  # the forget gate starts open
    square = np.random.default_rng(2).standard_normal((512, 128))
    recurrent = np.linalg.qr(square)[0].T.astype(np.float32)
    return {"lstm": (kernel, recurrent, bias), "head": new(128, 10)}


def dense(x: Array, weights: tuple[Array, Array]) -> Array:
    """x · kernel + bias."""
    return x @ weights[0] + weights[1]


def mlp(p: Parameters, x: Array) -> Array:
    """Logits of the MLP."""
    return dense(jax.nn.relu(dense(x, p["hidden"])), p["head"])


def conv_as_product(x: Array, weights: tuple[Array, Array]) -> Array:
    """3×3 convolution, no padding: nine shifted slices side by side, times the kernel."""
    kernel, bias = weights
    height, width = x.shape[1] - 2, x.shape[2] - 2
    slices = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    matrix = jnp.concatenate(slices, axis=-1)  # (batch, height, width, 9 · channels)
    return matrix @ kernel.reshape(-1, kernel.shape[-1]) + bias


def conv_of_xla(x: Array, weights: tuple[Array, Array]) -> Array:
    """3×3 convolution, no padding, by XLA's own operation."""
    names = ("NHWC", "HWIO", "NHWC")
    product = lax.conv_general_dilated(x, weights[0], (1, 1), "VALID", dimension_numbers=names)
    return product + weights[1]


def pool_as_reshape(x: Array) -> Array:
    """2×2 max-pooling; an odd last row or column is left out."""
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def pool_of_xla(x: Array) -> Array:
    """2×2 max-pooling by XLA's own operation."""
    window = (1, 2, 2, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def cnn(conv: Forward, pool: Callable[[Array], Array]) -> Forward:
    """Logits of the CNN, with that convolution and that pooling."""

    def forward(p: Parameters, x: Array) -> Array:
        x = pool(jax.nn.relu(conv(x, p["conv1"])))
        x = pool(jax.nn.relu(conv(x, p["conv2"])))
        x = jax.nn.relu(conv(x, p["conv3"])).reshape(x.shape[0], -1)
        return dense(jax.nn.relu(dense(x, p["hidden"])), p["head"])

    return forward


def lstm_scan(projected: Array, recurrent: Array) -> tuple[Array, tuple[Array, ...]]:
    """Last hidden state, and what every step leaves: gates, cells, hidden states.

    projected  (time, batch, 4 · units)   inputs times kernel plus bias
    """
    units = recurrent.shape[0]
    zeros = jnp.zeros((projected.shape[1], units), projected.dtype)

    def step(carry: tuple[Array, Array], z: Array) -> tuple[Any, tuple[Array, ...]]:
        hidden, cell = carry
        i, f, g, o = jnp.split(z + hidden @ recurrent, 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        new_cell = f * cell + i * g
        squashed = jnp.tanh(new_cell)
        return (o * squashed, new_cell), (i, f, g, o, cell, squashed, hidden)

    (hidden, _), kept = lax.scan(step, (zeros, zeros), projected)
    return hidden, kept


@jax.custom_vjp
def lstm_own_gradient(projected: Array, recurrent: Array) -> Array:
    """Last hidden state, with the gradient below."""
    return lstm_scan(projected, recurrent)[0]


def _lstm_forward(projected: Array, recurrent: Array) -> tuple[Array, tuple[Any, ...]]:
    hidden, kept = lstm_scan(projected, recurrent)
    return hidden, (kept, recurrent)


def _lstm_backward(residual: tuple[Any, ...], gradient: Array) -> tuple[Array, Array]:
    kept, recurrent = residual
    transposed = recurrent.T

    def step(carry: tuple[Array, Array], one: tuple[Array, ...]) -> tuple[Any, Array]:
        d_hidden, d_cell = carry
        i, f, g, o, cell, squashed = one
        d_cell = d_cell + d_hidden * o * (1 - squashed * squashed)
        pieces = (
            d_cell * g * i * (1 - i),
            d_cell * cell * f * (1 - f),
            d_cell * i * (1 - g * g),
            d_hidden * squashed * o * (1 - o),
        )
        dz = jnp.concatenate(pieces, axis=-1)
        return (dz @ transposed, d_cell * f), dz

    _, dz = lax.scan(step, (gradient, jnp.zeros_like(gradient)), kept[:-1], reverse=True)
    units = recurrent.shape[0]
    # One product over all steps instead of one in each.
    d_recurrent = kept[-1].reshape(-1, units).T @ dz.reshape(-1, 4 * units)
    return dz, d_recurrent


lstm_own_gradient.defvjp(_lstm_forward, _lstm_backward)


def lstm(last_hidden: Callable[[Array, Array], Array]) -> Forward:
    """Logits of the LSTM network, with that recurrence."""

    def forward(p: Parameters, x: Array) -> Array:
        kernel, recurrent, bias = p["lstm"]
        projected = jnp.swapaxes(x, 0, 1) @ kernel + bias  # (time, batch, 4 · units)
        return dense(last_hidden(projected, recurrent), p["head"])

    return forward


def gru(p: Parameters, x: Array) -> Array:
    """Logits of the GRU network (reset gate after the product), by autodiff."""
    kernel, bias, recurrent, recurrent_bias = p["gru"]
    projected = jnp.swapaxes(x, 0, 1) @ kernel + bias  # (time, batch, 3 · units)

    def step(hidden: Array, outside: Array) -> tuple[Array, None]:
        inside = hidden @ recurrent + recurrent_bias
        z, r = jnp.split(jax.nn.sigmoid(outside[:, :256] + inside[:, :256]), 2, axis=-1)
        candidate = jnp.tanh(outside[:, 256:] + r * inside[:, 256:])
        return candidate + z * (hidden - candidate), None

    return dense(lax.scan(step, jnp.zeros((len(x), 128)), projected)[0], p["head"])


FORMS: dict[str, dict[str, Forward]] = {
    "mlp": {"": mlp},
    "cnn": {
        "products": cnn(conv_as_product, pool_as_reshape),
        "XLA's convolution": cnn(conv_of_xla, pool_of_xla),
    },
    "gru": {"": gru},
    "transformer": {"": transformers.in_jax},
    "lstm": {
        "own gradient": lstm(lstm_own_gradient),
        "autodiff": lstm(lambda projected, recurrent: lstm_scan(projected, recurrent)[0]),
    },
}
