"""Computing with 64 bits within programs of 32: what a file of another framework asks for.

JAX has numbers of 64 bits for a whole process or none. A function here is traced, and later turned
into a program, with them; what is around it keeps its 32. Private JAX names are used here:
`jax._src.core.jaxpr_as_fun`, as `jax.extend.core` imports Pallas.
"""

# JAX's own insides have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import batching, mlir

from nacre.core.tracing import new_primitive
from nacre.core.typed_jax import setting

Arrays = list[Any]


def in_64_bits(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives that computes with numbers of 64 bits, wherever this is called.

    Args:
        function: Of trees of arrays to a tree of arrays. It casts what it is given to the dtypes
            it wants, and what it gives to those that the program around has.
        arguments: Its arguments.

    Example:
        >>> multiply = lambda x: (x.astype("int64") * 3_000_000_000 % 1_000_003).astype("int32")
        >>> in_64_bits(multiply, jnp.asarray(5)).tolist()
        955003
    """
    if setting("jax_enable_x64"):
        return function(*arguments)
    leaves, structure = jax.tree.flatten(arguments)
    leaves = [jnp.asarray(leaf) for leaf in leaves]
    is_float = [jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in leaves]

    def of(floats: Arrays, others: Arrays) -> Any:
        rest, more = iter(floats), iter(others)
        own = [next(rest if float_ else more) for float_ in is_float]
        return function(*jax.tree.unflatten(structure, own))

    floats = [leaf for leaf, float_ in zip(leaves, is_float, strict=True) if float_]
    others = [leaf for leaf, float_ in zip(leaves, is_float, strict=True) if not float_]
    return _differentiable(of)(floats, others)


def _differentiable(function: Callable[[Arrays, Arrays], Any]) -> Callable[..., Any]:
    """The function, with gradients that are computed as it is, to any order."""

    @jax.custom_vjp
    def run(floats: Arrays, others: Arrays) -> Any:
        return _bound(function, (floats, others))

    def forward(floats: Arrays, others: Arrays) -> tuple[Any, Any]:
        kept: dict[str, Any] = {}

        def both(floats: Arrays, others: Arrays) -> tuple[Any, Arrays]:
            results, back = jax.vjp(lambda f: function(f, others), floats)
            parts, kept["structure"] = jax.tree.flatten(back)
            return results, parts

        results, parts = in_64_bits(both, floats, others)
        return results, (parts, _Static(kept["structure"]))

    def backward(kept: tuple[Arrays, _Static], gradients: Any) -> tuple[Any, None]:
        parts, held = kept
        given, structure = jax.tree.flatten(gradients)
        # Whole numbers have gradients of no bits, which are no arrays.
        is_none = [gradient.dtype == jax.dtypes.float0 for gradient in given]

        def back(parts: Arrays, moving: Arrays) -> Any:
            rest = iter(moving)
            own = [g if none else next(rest) for g, none in zip(given, is_none, strict=True)]
            pull = jax.tree.unflatten(held.value, parts)
            return pull(jax.tree.unflatten(structure, own))[0]

        moving = [g for g, none in zip(given, is_none, strict=True) if not none]
        return in_64_bits(back, parts, moving), None

    run.defvjp(forward, backward)
    return run


@jax.tree_util.register_static
class _Static:
    """A structure that goes with arrays."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self.value == other.value


# --- the operation --------------------------------------------------------------------------------

WIDE_CALL = "wide_call"
_wide_call = new_primitive(WIDE_CALL)
_wide_call.multiple_results = True


def _bound(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    leaves, structure = jax.tree.flatten(arguments)
    made: dict[str, Any] = {}

    def flat(*leaves: Any) -> Arrays:
        results = function(*jax.tree.unflatten(structure, leaves))
        found, made["structure"] = jax.tree.flatten(results)
        return [jnp.asarray(value) for value in found]

    with jax.enable_x64(True):
        program = jax.make_jaxpr(flat)(*leaves)
    return jax.tree.unflatten(made["structure"], _wide_call.bind(*leaves, jaxpr=program))


def _run(*arrays: Any, jaxpr: Any) -> Arrays:
    from jax._src.core import jaxpr_as_fun

    return jaxpr_as_fun(jaxpr)(*arrays)


def _run_alone(*arrays: Any, jaxpr: Any) -> Arrays:
    with jax.enable_x64(True):
        return _run(*arrays, jaxpr=jaxpr)


def _batched(arrays: Arrays, axes: Sequence[Any], *, jaxpr: Any) -> tuple[Arrays, list[int]]:
    def each(*arrays: Any) -> Arrays:
        return jax.vmap(lambda *a: _run(*a, jaxpr=jaxpr), in_axes=tuple(axes))(*arrays)

    results = _bound(each, tuple(arrays))
    return results, [0] * len(results)


def _lowered(context: Any, *operands: Any, jaxpr: Any) -> Any:
    with jax.enable_x64(True):
        if context.dim_var_values:  # sizes that are open: JAX has them in the width of its ints
            from jaxlib.mlir import ir
            from jaxlib.mlir.dialects import stablehlo

            wide = ir.RankedTensorType.get([], mlir.dtype_to_ir_type(np.dtype("int64")))
            values = [stablehlo.convert(wide, value) for value in context.dim_var_values]
            context = context.replace(dim_var_values=tuple(values))
        rule = mlir.lower_fun(lambda *a: _run(*a, jaxpr=jaxpr), multiple_results=True)
        return rule(context, *operands)


_wide_call.def_impl(_run_alone)
_wide_call.def_abstract_eval(lambda *_, jaxpr: list(jaxpr.out_avals))
batching.primitive_batchers[_wide_call] = _batched
mlir.register_lowering(_wide_call, _lowered)


__all__ = ["WIDE_CALL", "in_64_bits"]
