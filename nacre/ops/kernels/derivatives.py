"""Derivatives written by hand, for both directions.

`jax.custom_vjp` takes a gradient by hand and then refuses `jax.jvp`, `jacfwd` and `hessian`;
`jax.custom_jvp` allows them all, but derives the gradient from its rule by itself. Here the rule is
one linear operation that knows its own transpose: read forwards it gives tangents, transposed it is
the gradient by hand. So training runs what was written for it, and everything else works too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.interpreters import ad, batching, mlir

from nacre.core.tracing import is_tracer, new_primitive

Arrays = Sequence[Any]  # arrays, or what stands for them in a trace


def derived_by_hand(nondiff_argnums: Sequence[int] = ()) -> Callable[..., jax.custom_jvp[Any]]:
    """Let `define_derivatives` give a function its derivatives; takes arrays and trees of them.

    Args:
        nondiff_argnums: Positions of static arguments, as in `jax.custom_jvp`.
    """

    def decorate(function: Callable[..., Any]) -> jax.custom_jvp[Any]:
        @functools.wraps(function)
        def aligned(*arguments: Any) -> Any:
            arrays = [a for i, a in enumerate(arguments) if i not in nondiff_argnums]
            return align(function(*arguments), arrays)

        return jax.custom_jvp(aligned, nondiff_argnums=tuple(nondiff_argnums))

    return decorate


def define_derivatives(
    function: jax.custom_jvp[Any],
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[..., Sequence[Any]],
    tangent: Callable[..., Any],
    *,
    constant: Sequence[int] = (),
) -> None:
    """Give a function of `derived_by_hand` its derivatives in both directions.

    Below, `options` are the values of its static arguments, wherever those stand.

    Args:
        forward: (*options, *arrays) -> (outputs, kept): the outputs, all of floats, and what the
            next two need to know.
        backward: (*options, kept, gradients of the outputs) -> a gradient for each array, None for
            ints and bools. All that runs in reverse mode, as with `jax.custom_vjp`.
        tangent: (*options, kept, tangents of the arrays) -> tangents of the outputs. What does not
            move has None for a tangent. Linear in the tangents, with `backward` as its transpose.
        constant: Positions of arrays that have no derivatives of their own, because those of the
            other arrays account for them.

    Second derivatives are those of these three functions, so JAX must be able to take them.
    """

    def rule(*given: Any) -> tuple[Any, Any]:
        *options, primals, tangents = given
        outputs, kept = forward(*options, *primals)
        tangents = [None if i in constant else _moving(t) for i, t in enumerate(tangents)]
        run = lambda kept, tangents: tangent(*options, kept, tangents)
        transpose = lambda kept, gradients: backward(*options, kept, gradients)
        moved = _linear(run, transpose, kept, tangents, outputs)
        return align(outputs, primals), moved

    function.defjvp(rule, symbolic_zeros=True)


def derived_from(
    plain: Callable[..., Any], *, static: int
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give compiled code, which JAX cannot look into, the derivatives of a plain function.

    Args:
        plain: Takes the same and returns the same, as far as its derivatives are ever asked for.
        static: The number of static arguments, which come first; arrays and trees of them follow.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*arguments: Any) -> Any:
            options, arrays = arguments[:static], arguments[static:]
            return _compiled(
                functools.partial(function, *options), functools.partial(plain, *options), arrays
            )

        return run

    return decorate


def computed_once(x: Any) -> Any:
    """`x`; where there is a derivative, one array in memory for all that reads it.

    For what JAX takes extremes of: its gradient goes to the elements equal to the extreme. A
    compiler may compute `x` twice, once for the extreme and once for the comparison, and round the
    two differently (a fused multiply-add in one, as XLA of JAX 0.12 does on a CPU). Then no element
    is equal to the extreme, and the gradient is lost without a word. `jnp.maximum` has met the same
    on GPUs: github.com/jax-ml/jax/issues/40564.

    Example:
        >>> jax.grad(lambda x: jnp.max(computed_once(x)))(jnp.array([1.0, 3.0])).tolist()
        [0.0, 1.0]
    """
    return _computed_once(x) if is_tracer(x) else x  # an array at hand is computed already


@jax.custom_jvp
def _computed_once(x: jax.Array) -> jax.Array:
    return x


@_computed_once.defjvp
def _computed_once_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    return lax.optimization_barrier(primals[0]), tangents[0]


def push(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Tangents of a function's outputs by autodiff; arrays whose tangent is None do not move."""
    leaves, structure = jax.tree.flatten(tuple(primals))
    tangents = structure.flatten_up_to(tuple(tangents))
    moving = [i for i, t in enumerate(tangents) if t is not None]

    def of_moving(*moved: Any) -> Any:
        whole = list(leaves)
        for i, value in zip(moving, moved, strict=True):
            whole[i] = value
        return function(*jax.tree.unflatten(structure, whole))

    moved = tuple(leaves[i] for i in moving), tuple(tangents[i] for i in moving)
    return jax.jvp(of_moving, *moved)[1]


def _moving(tangents: Any) -> Any:
    """Tangents with None for those that are zero, or of ints."""
    return jax.tree.map(lambda t: None if _is_zero(t) else t, tangents)


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, SymbolicZero | ad.Zero) or tangent.dtype == jax.dtypes.float0


# --- results whose batch axis is known ------------------------------------------------------------

# JAX takes the batch axes of what a rule of `custom_jvp` returns, under `jit`, to be those of what
# the function itself returns, without a look (0.10.2 to 0.12.0). Where the two are computed in
# different ways, numbers come out transposed. This identity leaves no choice: first, or none.

_aligned = new_primitive("aligned")
_aligned.multiple_results = True


def align(results: Any, arrays: Any) -> Any:
    """The results; if any of the arrays is batched, all are, along the first axis."""
    results, structure = jax.tree.flatten(results)
    aligned = _aligned.bind(*results, *jax.tree.leaves(arrays), count=len(results))
    return jax.tree.unflatten(structure, aligned)


def _first(*arrays: Any, count: int) -> Arrays:
    return arrays[:count]


def _align_batched(
    arrays: Arrays, axes: Sequence[int | None], *, count: int
) -> tuple[Arrays, Sequence[int]]:
    size = _batch_size(arrays, axes)
    results = zip(arrays[:count], axes[:count], strict=True)
    return [_with_first_axis(a, axis, size) for a, axis in results], [0] * count


def _batch_size(arrays: Arrays, axes: Sequence[int | None]) -> int:
    return next(a.shape[axis] for a, axis in zip(arrays, axes, strict=True) if axis is not None)


def _with_batch(result: Any, size: int) -> Any:
    return result.update(shape=(size, *result.shape))


def _with_first_axis(array: Any, axis: int | None, size: int) -> jax.Array:
    if axis is None:
        return jnp.broadcast_to(array, (size, *array.shape))
    return jnp.moveaxis(array, axis, 0)


_aligned.def_impl(_first)
_aligned.def_abstract_eval(_first)
ad.primitive_jvps[_aligned] = lambda primals, tangents, *, count: (
    _aligned.bind(*primals, count=count),
    tangents[:count],
)
ad.primitive_transposes[_aligned] = lambda gradients, *arrays, count: [
    *gradients,
    *(None for _ in arrays[count:]),
]
batching.primitive_batchers[_aligned] = _align_batched
mlir.register_lowering(_aligned, mlir.lower_fun(_first, multiple_results=True))


# --- compiled code with a plain twin --------------------------------------------------------------


class _Twins(NamedTuple):
    """Two functions of the same arrays with the same results: one runs, one is differentiated."""

    run: Callable[..., Arrays]
    plain: Callable[..., Arrays]


# No `custom_jvp`: JAX 0.10 loses its rule where it moves what a loop repeats out of the loop.
_compiled_call = new_primitive("compiled_call")
_compiled_call.multiple_results = True


def _compiled(run: Callable[..., Any], plain: Callable[..., Any], arrays: Any) -> Any:
    leaves, structure = jax.tree.flatten(arrays)
    results = jax.tree.structure(jax.eval_shape(run, *arrays))

    def flat(function: Callable[..., Any]) -> Callable[..., Arrays]:
        return lambda *leaves: results.flatten_up_to(
            function(*jax.tree.unflatten(structure, leaves))
        )

    return jax.tree.unflatten(results, _call(_Twins(flat(run), flat(plain)), leaves))


def _call(twins: _Twins, arrays: Arrays) -> Arrays:
    # `program` tells shapes and dtypes, and shows what runs to whoever reads the whole.
    return _compiled_call.bind(*arrays, twins=twins, program=jax.make_jaxpr(twins.run)(*arrays))


def _compiled_run(*arrays: Any, twins: _Twins, program: Any) -> Arrays:
    del program
    return twins.run(*arrays)


def _compiled_jvp(
    primals: Arrays, tangents: Arrays, *, twins: _Twins, program: Any
) -> tuple[Arrays, Arrays]:
    """Tangents by autodiff of the plain function."""
    results = _compiled_call.bind(*primals, twins=twins, program=program)
    moved = push(twins.plain, primals, [None if _is_zero(t) else t for t in tangents])
    pairs = zip(results, moved, strict=True)
    zero = lambda result: ad.Zero(jax.typeof(result).to_tangent_aval())
    return results, [zero(result) if _is_zero(t) else t for result, t in pairs]


def _compiled_batched(
    arrays: Arrays, axes: Sequence[int | None], *, twins: _Twins, program: Any
) -> tuple[Arrays, Sequence[int]]:
    del program
    batched = _Twins(jax.vmap(twins.run, axes), jax.vmap(twins.plain, axes))
    results = _call(batched, arrays)
    return results, [0] * len(results)


_compiled_call.def_impl(_compiled_run)
_compiled_call.def_abstract_eval(lambda *_, twins, program: program.out_avals)
ad.primitive_jvps[_compiled_call] = _compiled_jvp
batching.primitive_batchers[_compiled_call] = _compiled_batched
mlir.register_lowering(_compiled_call, mlir.lower_fun(_compiled_run, multiple_results=True))


# --- a linear operation with its transpose --------------------------------------------------------


class _Map(NamedTuple):
    """A linear map between lists of arrays; it may depend in any way on those that are kept.

    run:       (kept, vectors) -> results
    transpose: (kept, gradients of the results) -> gradients of the vectors
    results:   their shapes and dtypes
    count:     the number of arrays kept
    """

    run: Callable[[Arrays, Arrays], Arrays]
    transpose: Callable[[Arrays, Arrays], Arrays]
    results: tuple[Any, ...]
    count: int


_linear_map = new_primitive("linear_map")
_linear_map.multiple_results = True


def _linear(run: Any, transpose: Any, kept: Any, vectors: Any, like: Any) -> Any:
    """`run(kept, vectors)` as one operation, for trees of arrays; its result is shaped `like`."""
    kept, kept_structure = jax.tree.flatten(kept)
    is_moving = [v is not None for v in _leaves_or_none(vectors)]
    vectors, structure = jax.tree.flatten(vectors)
    like, like_structure = jax.tree.flatten(like)
    if not vectors:
        return jax.tree.unflatten(like_structure, [jnp.zeros_like(array) for array in like])

    def flat_run(kept: Arrays, vectors: Arrays) -> Arrays:
        trees = jax.tree.unflatten(kept_structure, kept), jax.tree.unflatten(structure, vectors)
        return like_structure.flatten_up_to(run(*trees))

    def flat_transpose(kept: Arrays, gradients: Arrays) -> Arrays:
        gradients = jax.tree.unflatten(like_structure, gradients)
        all_ = _leaves_or_none(list(transpose(jax.tree.unflatten(kept_structure, kept), gradients)))
        return [g for g, moving in zip(all_, is_moving, strict=True) if moving]

    linear = _Map(flat_run, flat_transpose, tuple(map(jax.typeof, like)), len(kept))
    return jax.tree.unflatten(like_structure, _linear_map.bind(*kept, *vectors, linear=linear))


def _leaves_or_none(tree: Any) -> list[Any]:
    return jax.tree.leaves(tree, is_leaf=lambda leaf: leaf is None)


def _cut(linear: _Map, arrays: Arrays) -> tuple[Arrays, Arrays]:
    return arrays[: linear.count], arrays[linear.count :]


def _run(*arrays: Any, linear: _Map) -> Arrays:
    return linear.run(*_cut(linear, arrays))


def _jvp(primals: Arrays, tangents: Arrays, *, linear: _Map) -> tuple[Arrays, Arrays]:
    """Along the vectors the map itself; along what is kept, autodiff of the function it runs."""
    kept, vectors = _cut(linear, primals)
    d_kept, d_vectors = _cut(linear, tangents)
    results = _linear_map.bind(*primals, linear=linear)
    parts = []
    if not all(isinstance(d, ad.Zero) for d in d_vectors):
        d_vectors = [ad.instantiate_zeros(d) for d in d_vectors]
        parts.append(_linear_map.bind(*kept, *d_vectors, linear=linear))
    d_kept = [None if _is_zero(d) else d for d in d_kept]
    if any(d is not None for d in d_kept):
        parts.append(push(lambda *kept: linear.run(kept, vectors), kept, d_kept))
    return results, [functools.reduce(jnp.add, part) for part in zip(*parts, strict=True)]


def _transpose(gradients: Arrays, *arrays: Any, linear: _Map) -> Arrays:
    kept, vectors = _cut(linear, arrays)
    gradients = [ad.instantiate_zeros(g) for g in gradients]
    found = zip(vectors, linear.transpose(kept, gradients), strict=True)
    return [*(None for _ in kept), *(g if ad.is_undefined_primal(v) else None for v, g in found)]


def _batched(arrays: Arrays, axes: Sequence[int | None], *, linear: _Map) -> tuple[Arrays, Arrays]:
    """One map over the first axis of the vectors, which all get one, as the results do."""
    kept, vectors = _cut(linear, arrays)
    kept_axes, vector_axes = _cut(linear, axes)
    size = _batch_size(arrays, axes)
    vectors = [
        _with_first_axis(v, axis, size) for v, axis in zip(vectors, vector_axes, strict=True)
    ]
    over = (tuple(kept_axes), 0)
    batched = _Map(
        lambda kept, vectors: jax.vmap(linear.run, over)(tuple(kept), vectors),
        lambda kept, gradients: jax.vmap(linear.transpose, over)(tuple(kept), gradients),
        tuple(_with_batch(result, size) for result in linear.results),
        linear.count,
    )
    results = _linear_map.bind(*kept, *vectors, linear=batched)
    return results, [0] * len(results)


_linear_map.def_impl(_run)
_linear_map.def_abstract_eval(lambda *_, linear: linear.results)
ad.primitive_jvps[_linear_map] = _jvp
ad.primitive_transposes[_linear_map] = _transpose
batching.primitive_batchers[_linear_map] = _batched
mlir.register_lowering(_linear_map, mlir.lower_fun(_run, multiple_results=True))
