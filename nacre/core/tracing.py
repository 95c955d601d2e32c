"""Whether JAX is tracing. Private JAX names are used here, each behind one function."""

# JAX's own insides have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Generator, Sequence
from typing import Any


def is_tracing() -> bool:
    """True while JAX traces (jit, grad, vmap, eval_shape ...), which a gradient tape alone is not.

    JAX has no public question for this since 0.4.36; used: `jax._src.core.trace_state_clean`.
    """
    if _clean_state()():
        return False
    from nacre.core import recording

    return not recording.is_eager()


@functools.cache
def _clean_state() -> Callable[[], bool]:
    from jax._src import core

    return core.trace_state_clean


def is_bare() -> bool:
    """True where JAX neither traces nor records for a gradient tape."""
    return _clean_state()()


def new_primitive(name: str) -> Any:
    """A primitive of JAX's.

    The public way, `jax.extend.core`, imports Pallas with its package: 80 ms of every start. Used:
    `jax._src.core.Primitive`, the same class.
    """
    from jax._src.core import Primitive

    return Primitive(name)


def is_tracer(value: Any) -> bool:
    """True for a value JAX is tracing.

    `jax.core.Tracer` has no types; used: `jax._src.core.Tracer`, the same class.
    """
    from jax._src.core import Tracer

    return isinstance(value, Tracer)


def current_trace() -> Any:
    """What traces the code that runs now. Used: `jax._src.core.trace_ctx.trace`."""
    from jax._src import core

    return core.trace_ctx.trace


def trace_of(tracer: Any) -> Any:
    """What a value is traced by. Used: `jax._src.core.Tracer._trace`."""
    return tracer._trace


@contextlib.contextmanager
def traced_by(trace: Any) -> Generator[None]:
    """A block whose operations become part of this trace, whatever traces around it.

    Used: `jax._src.core.set_current_trace`.
    """
    from jax._src import core

    with core.set_current_trace(trace):
        yield


def eval_jaxpr(jaxpr: Any, consts: Sequence[Any], *arguments: Any) -> list[Any]:
    """What equations give. Used: `jax.core.eval_jaxpr`, which has no types."""
    from jax._src import core

    return core.eval_jaxpr(jaxpr, consts, *arguments)


def with_equations(jaxpr: Any, inputs: Sequence[Any], equations: Sequence[Any]) -> Any:
    """A program of other inputs and equations; `jax._src.core.Jaxpr.replace`."""
    names = jaxpr.debug_info._replace(arg_names=None, result_paths=None)
    return jaxpr.replace(invars=list(inputs), eqns=list(equations), debug_info=names)


def with_outputs(jaxpr: Any, outputs: Sequence[Any]) -> Any:
    """A program that gives some of its values alone, and does nothing else."""
    wanted, kept = set(map(id, outputs)), list[Any]()
    for equation in reversed(jaxpr.eqns):
        if not wanted.isdisjoint(map(id, equation.outvars)):
            kept.append(equation)
            wanted.update(map(id, equation.invars))
    names = jaxpr.debug_info._replace(arg_names=None, result_paths=None)
    return jaxpr.replace(outvars=list(outputs), eqns=kept[::-1], debug_info=names)


def settings_of_traces() -> Any:
    """JAX's settings that what is traced depends on. Used: `jax._src.config.trace_context`."""
    from jax._src import config

    return config.trace_context()


def local_settings() -> list[tuple[Any, Any]]:
    """JAX's settings that blocks around this code have given, which hold for this thread alone.

    Such are `jax.default_matmul_precision`, `jax.default_device`, `jax.enable_x64` and the mesh in
    use. Used: `jax._src.config.config_states`, `Config.get_local` and `Config.swap_local`, as JAX
    has no public way into another thread, and the meshes: JAX 0.12 has two of them in `mesh`.
    """
    from jax._src import config, mesh

    meshes = (getattr(mesh, name, getattr(config, name, None)) for name in _MESHES)
    states = [*config.config_states.values(), *(m for m in meshes if m is not None)]
    unset = config.config_ext.unset
    return [(s, local) for s in states if (local := s.get_local()) is not unset]


_MESHES = ("mesh_context_manager", "abstract_mesh_context_manager", "device_context")


@contextlib.contextmanager
def with_settings(settings: Sequence[tuple[Any, Any]]) -> Generator[None]:
    """A block with the settings that `local_settings` found, in whatever thread."""
    from jax._src import config

    with contextlib.ExitStack() as blocks:
        for state, value in settings:
            if isinstance(state, config.State):  # which has more to do than to keep a value
                blocks.enter_context(state(value))
            else:
                blocks.callback(state.set_local, state.swap_local(value))
        yield
