"""Activations that cost an exponential: by one compiled call each way on the CPU.

In the body of a device loop XLA runs them on one thread, and its gradient of the exact gelu takes
an exponential and an error function. For 2048 × 512 numbers on two cores of an AMD EPYC (Zen 5),
each call a program of its own, ms of the compiled one and of XLA's:

|           | forward       | gradient      |
| gelu      | 0.290 / 0.537 | 0.321 / 0.599 |
| tanh form | 0.209 / 0.312 | 0.266 / 0.408 |
| silu      | 0.155 / 0.261 | 0.202 / 0.313 |

The exact gelu is right to 6 units in the last place where it is above 1e-36 in size; XLA's is wrong
by 200 of them at -12.
"""

from __future__ import annotations

import functools
import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from nacre.ops.kernels import placement as places
from nacre.ops.kernels import widening
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand, derived_from, push
from nacre.ops.kernels.native import library, table

Kind = Literal["gelu", "tanh_gelu", "silu"]
_NUMBERS = {"gelu": 0, "tanh_gelu": 1, "silu": 2}  # those of `native/activation.cc`


def when_compiled(x: Array) -> table.WhenUsed:
    """Where the compiled kernel takes part, by what is traced here.

    Ask it *before* entering an inner `jax.jit` and pass the answer on as a static argument.
    """
    if not places.may_be_compiled(x):
        return "never"
    placement = places.current_placement()
    if widening.is_widened(placement, x):
        (x,) = widening.as_float32(x)
    return table.ACTIVATION.when_used(table.ActivationWork(x), placement)


def activation(kind: Kind, x: Array, compiled: table.WhenUsed = "never") -> Array:
    """An activation of every element.

    Args:
        compiled: What `when_compiled` says.
    """
    if compiled == "never":
        return _plain(kind, x)
    (wide,) = widening.in_float32(x)
    return _run(kind, compiled == "always", wide).astype(x.dtype)


def _plain(kind, x):
    if kind == "silu":
        return x * lax.logistic(x)
    wide = x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x
    form = _tanh_gelu if kind == "tanh_gelu" else functools.partial(jax.nn.gelu, approximate=False)
    return form(wide).astype(x.dtype)


def _tanh_gelu(x):
    """x / 2 · (1 + tanh(u)) = x · sigmoid(2u), u = sqrt(2 / π) · (x + 0.044715 x³).

    The cube of a large x, or its slope, overflows; at ±22 the sigmoid is 0 and 1 in 64 bits too.
    """
    bounded = jnp.clip(x, -22, 22)
    u = math.sqrt(2 / math.pi) * (bounded + 0.044715 * bounded * jnp.square(bounded))
    return x * lax.logistic(2 * u)


@derived_by_hand(nondiff_argnums=(0, 1))
def _run(kind, always, x):
    return _forward(kind, x) if always else _plain(kind, x)


def _run_forward(kind, always, x):
    return _forward(kind, x), x


def _run_backward(kind, always, x, gradients):
    return (_gradient(kind, x, gradients),)


def _run_tangent(kind, always, x, tangents):
    return push(functools.partial(_plain, kind), [x], tangents)


define_derivatives(_run, _run_forward, _run_backward, _run_tangent)


@derived_from(_plain, static=1)
def _forward(kind, x):
    return _call("activation_forward", kind, x)


def _gradient_by_xla(kind, x, gradients):
    return jax.vjp(functools.partial(_plain, kind), x)[1](gradients)[0]


@derived_from(_gradient_by_xla, static=1)
def _gradient(kind, x, gradients):
    return _call("activation_gradient", kind, x, gradients)


def _call(handler, kind, x, *rest):
    result = jax.ShapeDtypeStruct(x.shape, jnp.float32)
    call = library.ACTIVATION.call(handler, result, takes_samples=True)
    return call(x, *rest, kind=np.int64(_NUMBERS[kind]))
