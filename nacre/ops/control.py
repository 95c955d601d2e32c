"""Loops, branches, casts and conversions: what Keras calls the core ops."""

from __future__ import annotations

import builtins
import functools
import typing
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import interop, reverse_loops, tree
from nacre.core.attempts import Attempt
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, ShapeError, TracedValueError, message
from nacre.core.scope import Body
from nacre.core.strings import HostString, is_text, strings_refused
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import DType, Tensor, array, converted, dtype_of
from nacre.ops._define import Family
from nacre.ops._explain import explains

op = Family("core", masks=masks.RUNS_A_FUNCTION)


def _structure(value: Any) -> Any:
    """Arrays in place of variables, lists of numbers left alone."""
    return tree.map_structure(lambda leaf: None if leaf is None else array(leaf), value)


@op(masks=masks.elementwise, converts=True)
def cast(x: Tensor, dtype: DType) -> jax.Array:
    """The same values in another dtype."""
    return converted(x, dtype_of(dtype))


@op(masks=masks.elementwise)
def saturate_cast(x: Tensor, dtype: DType) -> jax.Array:
    """The same values in another dtype, limited to what it can hold."""
    x = array(x)
    target = dtype_of(dtype)
    if jnp.issubdtype(target, jnp.bool_) or x.dtype == bool:
        return x.astype(target)
    info = jnp.iinfo if jnp.issubdtype(target, jnp.integer) else jnp.finfo
    source = jnp.iinfo if jnp.issubdtype(x.dtype, jnp.integer) else jnp.finfo
    low = builtins.max(float(info(target).min), float(source(x.dtype).min))
    high = builtins.min(float(info(target).max), float(source(x.dtype).max))
    if jnp.issubdtype(x.dtype, jnp.integer):
        return jnp.clip(x, int(low), int(high)).astype(target)
    # The largest int32 is no float32: clip to the largest float below it.
    if high > float(np.asarray(high, dtype=np.float32)) or jnp.issubdtype(target, jnp.integer):
        edge = np.asarray(high, dtype=x.dtype)
        if float(edge) > high:
            largest = np.asarray(info(target).max, target)
            return jnp.where(x >= edge, largest, jnp.clip(x, low, float(edge)).astype(target))
    return jnp.clip(x, low, high).astype(target)


@op.function
@explains
def convert_to_tensor(
    x: Any, dtype: DType = None, sparse: bool | None = None, ragged: bool | None = None
) -> jax.Array:
    """An array of numbers, lists, NumPy arrays, variables or tensors of other frameworks.

    Strings, which JAX does not have, become a NumPy array: what layers and models take for them.
    `sparse` and `ragged` are there for Keras's sake: arrays are always dense.

    Raises:
        ArgumentError: A whole number is out of the dtype's range, or `ragged` is True.
    """
    if ragged:
        raise ArgumentError(
            message(
                "convert_to_tensor", "rows must be equally long", "ragged=True",
                "Pad the rows, with utils.pad_sequences for lists, and use a mask.",
            )
        )  # fmt: skip
    if isinstance(x, KerasTensor):
        return typing.cast("jax.Array", x if dtype is None else cast(x, dtype))
    text = _text_or_none(x)
    if text is not None:
        if dtype not in (None, "string"):
            raise strings_refused("ops.convert_to_tensor", f"strings and dtype={dtype!r}")
        return text
    if isinstance(x, np.ndarray) and dtype is not None:
        x = x.copy()  # JAX may look into its memory, which its owner is going to write to
    if type(x) is int and dtype is not None:
        return jnp.asarray(x, dtype_of(dtype))  # which refuses what does not fit
    return array(x) if dtype is None else converted(x, dtype_of(dtype), is_exact=True)


def _text_or_none(x: Any) -> Any:
    """Strings, or lists of them at any depth, as a NumPy array; None for everything else."""
    first = x
    while isinstance(first, list | tuple) and first:
        first = first[0]
    return np.asarray(x) if is_text(first) and not isinstance(first, HostString) else None


@op.function
def convert_to_numpy(x: Any) -> np.ndarray:
    """A NumPy array of the values."""
    if isinstance(x, Variable):
        return x.numpy()
    if is_tracer(x):
        raise TracedValueError(
            message(
                "convert_to_numpy",
                "code that is compiled cannot ask a tensor for its value",
                f"a traced tensor of shape {tuple(x.shape)}",
                "Use functions of nacre.ops; or compile(run_eagerly=True), which is slow.",
            )
        )
    return np.asarray(interop.to_numpy_if_foreign(x))


@op.function
def is_tensor(x: Any) -> bool:
    """True for arrays, traced and symbolic tensors; False for NumPy arrays and numbers."""
    return isinstance(x, jax.Array | KerasTensor)


@op.function
@explains
def shape(x: Any) -> tuple[Any, ...]:
    """The sizes; None where a symbolic tensor does not know them.

    Example:
        >>> shape([[1, 2, 3]])
        (1, 3)
    """
    return tuple(x.shape) if hasattr(x, "shape") else tuple(array(x).shape)


@op.function
@explains
def dtype(x: Any) -> str:
    """The name of the dtype."""
    return standardize_dtype(x.dtype if hasattr(x, "dtype") else array(x).dtype)


@op(masks=masks.elementwise)
def stop_gradient(variable: Tensor) -> jax.Array:
    """The same value, a constant for gradients."""
    return jax.lax.stop_gradient(array(variable))


@op.function
def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function a gradient of your own.

    `f(*args)` returns `(outputs, gradient_function)`; the gradient function takes the gradient of
    the outputs (also by the name `upstream`) and returns one for each argument.
    """
    differentiable = jax.custom_gradient(_unpacked(f))

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        return differentiable(*_structure(list(args)), **kwargs)

    return run


def _unpacked(f: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        outputs, gradient = f(*_structure(list(args)), **kwargs)

        def backward(upstream: Any) -> Any:
            return gradient(upstream)

        return outputs, backward

    return run


@op(tensors=("init", "xs"))
def scan(
    f: Callable[..., Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """A loop over the first axis that carries a state: `f(state, x) -> (state, y)`.

    Returns the last state and all the ys.
    """
    if not isinstance(unroll, bool | int) or unroll < 0:
        raise ArgumentError(
            message("scan", "unroll must be a bool or an int of 0 or more", repr(unroll))
        )
    _check_slices("scan", xs, length)
    init, xs = _structure(init), _structure(xs)

    def run(body: Body, values: list[Any]) -> tuple[Any, list[Any]]:
        def step(carry: Any, x: Any) -> Any:
            number, values, state = carry
            with body.iteration(number, values) as inner:
                state, y = f(state, x)
                return (number + 1, body.values(inner), state), y

        carry = (jnp.int32(0), values, init)
        (_, values, state), ys = jax.lax.scan(step, carry, xs, length, reverse, unroll)
        return (state, ys), values

    return with_effects(run)


@op(tensors=("elems",))
def associative_scan(
    f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """All running results of an associative `f(a, b)`, in logarithmically many steps."""
    return jax.lax.associative_scan(f, _structure(elems), reverse=reverse, axis=axis)


@op(tensors=("xs",))
def map(f: Callable[..., Any], xs: Any) -> Any:
    """`f` of each slice along the first axis, one after the other."""
    _check_slices("map", xs)
    return scan.op.function(lambda state, x: (state, f(x)), None, xs)[1]  # type: ignore[attr-defined]


def _check_slices(who: str, xs: Any, length: int | None = None) -> None:
    """Raise unless the tensors of a structure can be cut into slices, equally many of each."""
    shapes = [tuple(array(leaf).shape) for leaf in tree.flatten(xs) if leaf is not None]
    if () in shapes:
        raise ShapeError(
            message(
                who, "xs must be tensors with a first axis to walk along", "a number among them",
                "A list is several tensors: convert_to_tensor makes one of it.",
            )
        )  # fmt: skip
    sizes = {repr(shape[0]) for shape in shapes} | ({repr(length)} if length is not None else set())
    if len(sizes) > 1 or not sizes:
        raise ShapeError(
            message(
                who, "the first axes of xs, or `length` without xs, must say how many steps there "
                "are", f"shapes {shapes} and length {length}",
            )
        )  # fmt: skip


@op(tensors=("elements",))
def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    """`function` of each slice along the first axis, all at once."""
    elements = _structure(elements)
    _check_slices("vectorized_map", elements)
    count = tree.flatten(elements)[0].shape[0]

    def run(body: Body, values: list[Any]) -> tuple[Any, list[Any]]:
        def one(number: Any, item: Any) -> Any:
            with body.iteration(number, values):
                return function(item)

        result = jax.vmap(one)(jnp.arange(count), elements)
        if body.found:  # which element's value should stay?
            raise ArgumentError(
                message(
                    "vectorized_map",
                    "the function runs for all elements at once, so it cannot change a variable",
                    f"an assignment to {next(iter(body.found.values())).path}",
                    "Use ops.map or ops.scan, which take the elements one after the other.",
                )
            )
        return result, values

    return with_effects(run)


@op
def cond(pred: Tensor, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`true_fn()` or `false_fn()`, one of which is run."""
    if isinstance(pred, bool):
        return tree.map_structure(_number_as_array, true_fn() if pred else false_fn())
    is_true = array(pred).astype(bool).reshape(())

    def run(body: Body, values: list[Any]) -> tuple[Any, list[Any]]:
        return jax.lax.cond(is_true, *(_branch(body, values, f) for f in (true_fn, false_fn)))

    return with_effects(run)


def _branch(body: Body, values: list[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """A branch that also gives what the variables are after it."""

    def branch(*operands: Any) -> tuple[Any, list[Any]]:
        with body.iteration(None, values) as inner:
            outputs = _outputs(function(*operands))
            return outputs, body.values(inner)

    return branch


def with_effects(run: Callable[[Body, list[Any]], tuple[Any, list[Any]]]) -> Any:
    """The result of a loop or a choice whose body may assign to variables and draw numbers.

    Args:
        run: (body, values of its variables) -> (result, their new values). It runs again where
            the body turned out to assign to more variables than were handed in.
    """
    variables: list[Variable] = []
    while True:
        with Body(variables) as body, Attempt() as attempt:
            result, values = run(body, [variable.raw_value for variable in variables])
            if body.found:
                variables = [*variables, *body.found.values()]
                body.forget_draws()
                attempt.undo()
                continue
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return result


def _number_as_array(leaf: Any) -> Any:
    is_number = isinstance(leaf, int | float | complex | np.ndarray | np.generic)
    return array(leaf) if is_number else leaf


def _outputs(value: Any) -> Any:
    return tree.map_structure(lambda leaf: None if leaf is None else array(leaf), value)


@op(name="switch", tensors=("index", "operands"))
def _switch(
    index: Tensor, operands: tuple[Any, ...], branches: Sequence[Callable[..., Any]]
) -> Any:
    def run(body: Body, values: list[Any]) -> tuple[Any, list[Any]]:
        ready = [_branch(body, values, branch) for branch in branches]
        return jax.lax.switch(array(index), ready, *operands)

    return with_effects(run)


@op.function
def switch(index: Tensor, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """The result of the branch with number `index`, run on the operands."""
    return _switch(index, tuple(operands), branches=tuple(branches))


@op(tensors=("loop_vars",))
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """`body(*loop_vars)` again and again while `cond(*loop_vars)` holds."""
    return _while(jax.lax.while_loop, cond, body, loop_vars, maximum_iterations)


def while_loop_with_gradient(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, most: int | None = None
) -> Any:
    """The same with reverse-mode gradients, for which its turns run again; without forward ones."""
    return _while(reverse_loops.while_loop, cond, body, loop_vars, most)


def _while(
    loop: Callable[..., Any],
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None,
) -> Any:
    is_sequence, body_of = isinstance(loop_vars, list | tuple), body
    start = tuple(loop_vars) if is_sequence else (loop_vars,)
    start = _structure(start)

    def run(body: Body, values: list[Any]) -> tuple[Any, list[Any]]:
        def holds(carry: Any) -> Any:
            count, variables, state = carry
            with body.iteration(count, variables):
                result = jnp.asarray(cond(*state)).astype(bool)
            return result if maximum_iterations is None else result & (count < maximum_iterations)

        def iteration(carry: Any) -> Any:
            count, variables, state = carry
            with body.iteration(count, variables) as inner:
                new = body_of(*state)
                new = tuple(new) if isinstance(new, list | tuple) else (new,)
                return count + 1, body.values(inner), _structure(new)

        _, values, state = loop(holds, iteration, (jnp.int32(0), values, start))
        return state, values

    values = with_effects(run)
    if not is_sequence:
        return values[0]
    return list(values) if isinstance(loop_vars, list) else values


@op(tensors=("lower", "upper", "init_val"))
def fori_loop(lower: Tensor, upper: Tensor, body_fun: Callable[..., Any], init_val: Any) -> Any:
    """`value = body_fun(i, value)` for i from `lower` to, not with, `upper`."""
    init_val = _structure(init_val)

    def run(body: Body, values: list[Any]) -> tuple[Any, list[Any]]:
        def iteration(number: Any, carry: Any) -> Any:
            values, state = carry
            with body.iteration(number, values) as inner:
                state = body_fun(number, state)
                return body.values(inner), state

        values, state = jax.lax.fori_loop(lower, upper, iteration, (values, init_val))
        return state, values

    return with_effects(run)


@op.function(keras="numpy")
def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None
) -> Callable[..., Any]:
    """Turn a function of single elements into one of arrays, with broadcasting."""
    excluded = frozenset() if excluded is None else frozenset(excluded)
    vectorized = jnp.vectorize(pyfunc, excluded=excluded, signature=signature)

    def run(*args: Any) -> Any:
        return vectorized(*(a if i in excluded else array(a) for i, a in enumerate(args)))

    return run


__all__, __dir__ = op.shown()
