"""Loops: While with lists of tensors for what goes in and comes out step by step.

The first two variables of a loop are the number of the step and the greatest one, or -1: TensorFlow
finds them by their place where it takes gradients of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from nacre.export.graph.sizes import Size
from nacre.export.targets.graphdef.body import (
    Body,
    Callee,
    Kind,
    Kinds,
    Shapes,
    known_shape,
)

Sizes: TypeAlias = "Sequence[Size]"


class Variable(NamedTuple):
    """A variable of a loop: its first value, dtype and shape."""

    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None


# (function in the making, its arguments) -> one result per variable, or the condition.
Step: TypeAlias = "Callable[[Body, Sequence[str]], Sequence[str]]"


def list_from(make: Body, tensor: str, dtype: str, element: Sizes) -> str:
    """A list of the parts of a tensor along its first axis."""
    sizes = element_shape(make, element)
    return make.add(
        "TensorListFromTensor",
        [tensor, sizes],
        element_dtype=Kind(dtype),
        shape_type=Kind("int32"),
    )


def list_of(make: Body, count: str, dtype: str, element: Sizes) -> str:
    """A list of so many tensors that are not there yet."""
    sizes = element_shape(make, element)
    return make.add(
        "TensorListReserve",
        [sizes, count],
        element_dtype=Kind(dtype),
        shape_type=Kind("int32"),
    )


def element_shape(make: Body, element: Sizes) -> str:
    """A shape with -1 for sizes that are not known."""
    return make.ints(*(size if isinstance(size, int) else -1 for size in element))


def get(make: Body, items: str, index: str, dtype: str, element: Sizes) -> str:
    """An element of a list."""
    return make.add(
        "TensorListGetItem",
        [items, index, element_shape(make, element)],
        element_dtype=Kind(dtype),
    )


def put(make: Body, items: str, index: str, element: str, dtype: str) -> str:
    """A list with an element replaced."""
    return make.add(
        "TensorListSetItem",
        [items, index, element],
        element_dtype=Kind(dtype),
        resize_if_index_out_of_bounds=False,
    )


def stack(make: Body, items: str, dtype: str, element: Sizes) -> str:
    """The elements of a list as one tensor."""
    return make.add(
        "TensorListStack",
        [items, element_shape(make, element)],
        element_dtype=Kind(dtype),
        num_elements=-1,
    )


def loop(
    make: Body,
    name: str,
    variables: Sequence[Variable],
    condition: Step,
    step: Step,
    most: str | None = None,
) -> Sequence[str]:
    """A loop over variables.

    Args:
        condition, step: Get a function in the making, and the number of the step and all variables
            as its arguments.
        most: How many steps at most, int32.
    """
    start, none = make.constant(0, "int32"), make.constant(-1, "int32")
    given = [
        Variable(start, "int32", ()),
        Variable(most or none, "int32", ()),
        *variables,
    ]
    is_stateful = False
    names: list[str] = []
    for part, run in (("cond", condition), ("body", step)):
        inner = make.inner(f"{name}_{part}")
        arguments = [
            inner.argument(f"while_{index}", v.dtype, v.shape) for index, v in enumerate(given)
        ]
        results = list(run(inner, [arguments[0], *arguments[2:]]))
        if part == "cond":
            ends = [("result", results[0], "bool")]
        else:
            one = inner.constant(1, "int32")
            following = inner.add("AddV2", [arguments[0], one], T=Kind("int32"))
            results = [following, arguments[1], *results]
            ends = [
                (f"while_{index}", tensor, v.dtype)
                for index, (tensor, v) in enumerate(zip(results, given, strict=True))
            ]
        is_stateful |= inner.is_stateful
        make.library.append(inner.finish(ends))
        names.append(inner.name)
    found = make.add_all(
        "While" if is_stateful else "StatelessWhile",
        [v.tensor for v in given],
        len(given),
        T=Kinds(tuple(v.dtype for v in given)),
        cond=Callee(names[0]),
        body=Callee(names[1]),
        output_shapes=Shapes(tuple(v.shape for v in given)),
        parallel_iterations=32,
        _num_original_outputs=len(given),
    )
    return found[2:]


def fixed(tensor: str, dtype: str, shape: Sizes) -> Variable:
    """A variable of a shape that stays."""
    return Variable(tensor, dtype, known_shape(shape))


def held(tensor: str) -> Variable:
    """A list as a variable."""
    return Variable(tensor, "variant", ())
