"""Whether JAX is tracing. Private JAX names are used here, each behind one function."""

from __future__ import annotations

from typing import Any


def is_tracing() -> bool:
    """True while JAX traces (jit, grad, vmap, eval_shape ...), which a gradient tape alone is not.

    JAX has no public question for this since 0.4.36; used: `jax._src.core.trace_state_clean`.
    """
    from jax._src import core

    from nacre.core import recording

    return not core.trace_state_clean() and not recording.is_eager()


def new_primitive(name: str) -> Any:
    """A primitive of JAX's.

    The public way, `jax.extend.core`, imports Pallas with its package: 80 ms of every start. Used:
    `jax._src.core.Primitive`, the same class.
    """
    from jax._src.core import Primitive

    return Primitive(name)


def is_tracer(value: Any) -> bool:
    """True for a value JAX is tracing."""
    import jax

    return isinstance(value, jax.core.Tracer)
