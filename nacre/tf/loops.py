"""Loops and choices: in Python with values, within a compiled function as the program's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracing
from nacre.data import Ragged
from nacre.data.dataset.spec import RaggedSpec
from nacre.ops.control import while_loop_with_gradient
from nacre.tf.arguments import t, tensors
from nacre.tf.arranging import stacked
from nacre.tf.ragged_rows import ragged_stack
from nacre.tf.sizes import plain
from nacre.tf.values import tensor


def one_of_two(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    """`tf.cond`: where the truth is known, what that function gives, as it gives it."""
    if is_tracing() or isinstance(pred, KerasTensor) or np.ndim(pred) or not callable(true_fn):
        return ops.cond(pred, true_fn, false_fn)
    return true_fn() if bool(pred) else false_fn()


def switch_case(index: Any, branches: Any, default: Any) -> Any:
    """One of several functions, by its number; the last where there is none."""
    pairs = branches.items() if isinstance(branches, dict) else enumerate(branches)
    table = dict(item[1] if isinstance(item[1], tuple) else item for item in pairs)
    numbers = sorted(table)
    functions = [table[n] for n in numbers] + ([default] if default is not None else [])
    place = sum(((t(index) == n) * (i + 1) for i, n in enumerate(numbers)), 0) - 1
    place = ops.where(place < 0, len(functions) - 1, place)
    return ops.switch(place, functions)


def case(
    pred_fn_pairs: Any,
    default: Any = None,
    exclusive: bool = False,
    strict: bool = False,
    name: Any = None,
) -> Any:
    """The first function whose condition holds, else the default, else the last.

    Args:
        pred_fn_pairs: Pairs (condition, function), or a dict of them.
        default: What is called where none holds.
        exclusive, strict, name: Accepted for compatibility.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    if default is None:
        default = pairs.pop()[1]

    def choose(rest: list[Any]) -> Any:
        if not rest:
            return default()
        (pred, then), *others = rest
        return ops.cond(t(pred), then, lambda: choose(others))

    return choose(pairs)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: Any = None,
) -> Any:
    """`body` again and again while `cond` holds: in Python with values, else as one compiled loop.

    Args:
        cond, body: Functions of the loop's variables.
        loop_vars: Their first values.
        maximum_iterations: How often at most.
        shape_invariants, parallel_iterations, back_prop, swap_memory, name: Accepted for
            compatibility: shapes stay the same in a compiled loop.
    """
    most = None if maximum_iterations is None else plain(maximum_iterations)
    if is_tracing():
        return while_loop_with_gradient(cond, body, tensors(loop_vars), most)
    state, count = tensors(loop_vars), 0
    kind = type(loop_vars) if isinstance(loop_vars, list | tuple) else None
    while (most is None or count < most) and bool(cond(*state) if kind else cond(state)):
        state, count = body(*state) if kind else body(state), count + 1
        if kind and not isinstance(state, list | tuple):
            state = (state,)
        state = tensors(kind(state) if kind in (list, tuple) else state)
    return state


def _elements(elems: Any) -> list[Any]:
    """What a loop over the first axis takes, one after another."""
    leaves, tree = jax.tree.flatten(elems)
    leaves = [leaf if isinstance(leaf, Ragged) else tensor(leaf) for leaf in leaves]
    sizes = [len(x) if isinstance(x, Ragged) else x.shape[0] for x in leaves]
    if len(set(sizes)) > 1:
        rule = "what it goes over must be equally long"
        raise ShapeError(message("tf.map_fn", rule, str(sizes)))
    return [jax.tree.unflatten(tree, [x[i] for x in leaves]) for i in range(sizes[0])]


def _together(items: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: stacked(leaves, 0), *items)


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: Any = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    fn_output_signature: Any = None,
    name: Any = None,
) -> Any:
    """A function of each slice along the first axis, results side by side.

    Args:
        fn: The function.
        elems: A tensor or a structure of them.
        dtype, fn_output_signature: The dtypes of the results, to which they must fit; a
            `RaggedTensorSpec` for results of different lengths. Without one, results of ragged
            tensors are rows again.
        parallel_iterations, back_prop, swap_memory, infer_shape, name: Accepted for compatibility.
    """
    is_ragged = any(isinstance(leaf, Ragged) for leaf in jax.tree.leaves(elems))
    signature = dtype if fn_output_signature is None else fn_output_signature
    if is_tracing() and not is_ragged:
        return ops.map(fn, tensors(elems))
    found = [fn(item) for item in _elements(elems)]
    if isinstance(signature, RaggedSpec) or (is_ragged and signature is None):
        return _rows(found)
    return _together([tensors(item) for item in found])


def _rows(items: list[Any]) -> Any:
    """Results of different lengths, as the rows of a ragged tensor."""
    if items and all(isinstance(item, Ragged) or hasattr(tensor(item), "ndim") for item in items):
        parts = [item if isinstance(item, Ragged) else tensor(item) for item in items]
        if all(len(part.shape) > 0 for part in parts):
            return ragged_stack(parts)
    rule = "results that are rows must have an axis"
    fix = "Say what they are else: fn_output_signature=tf.float32."
    raise ArgumentError(message("tf.map_fn", rule, f"{items[:1]}", fix))


def foldl(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """`fn(fn(first, second), third)` and so on."""
    return _fold(fn, elems, initializer, False)


def foldr(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """The same from the end."""
    return _fold(fn, elems, initializer, True)


def _fold(fn: Callable[..., Any], elems: Any, start: Any, backwards: bool) -> Any:
    items = _elements(elems)[:: -1 if backwards else 1]
    state = items.pop(0) if start is None else tensors(start)
    return functools.reduce(fn, items, state)


def scan(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    reverse: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """All the states of a fold, side by side."""
    if is_tracing() and initializer is not None:

        def step(state: Any, x: Any) -> Any:
            new = fn(state, x)
            return new, new

        return ops.scan(step, tensors(initializer), tensors(elems), reverse=reverse)[1]
    items = _elements(elems)[:: -1 if reverse else 1]
    states = [items.pop(0)] if initializer is None else []
    state = states[0] if states else tensors(initializer)
    for item in items:
        state = tensors(fn(state, item))
        states.append(state)
    return _together(states[:: -1 if reverse else 1])
