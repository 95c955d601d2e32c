"""Shapes of outputs for symbolic inputs, found by tracing the real function.

The function is run with JAX's symbolic sizes, once. Where JAX cannot answer for all sizes at once
(a function that compares them, or divides them) it is run for one pair of example sizes, and what
differs between the two is unknown. Which sizes are tried follows from what the first run said, as
the function may be a user's and do more than compute: three runs are the most it sees.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from nacre.core import leftovers, tree
from nacre.core.errors import SerializationError, TracedSizeError, TracedValueError
from nacre.core.scope import StatelessScope, symbolic_scope
from nacre.core.strings import strings_refused
from nacre.core.symbolic import KerasTensor
from nacre.core.typed_jax import setting
from nacre.core.variable import Variable

# Sizes tried for the batch and for other axes. Two differ, so that what follows them is seen.
_BATCHES, _OTHERS = (8, 12), (192, 384)
_LARGEST_FACTOR = 5040  # a multiple of all numbers to 10; more would not fit into 32 bits

_WHATEVER_THE_SIZES = (NameError, TracedValueError, jax.errors.JAXTypeError, SerializationError)
_LIMIT = re.compile(r"min\((\d+), |min\([^()]*, (\d+)\)|comparison '[^']*' <=? '(\d+)'")
_DIVIDED = re.compile(r"\bdivi(de|sion)|\bmod\(")
_DIFFERENT = re.compile(r"[Ss]hape|[Ss]ize|[Dd]imension")
_SHAPE = re.compile(r"\(([^()]*)\)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_OF_UNKNOWN_SIZES = re.compile(r"_DimExpr|shape polymorphism|[Ss]ymbolic dim")


def infer(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The symbolic outputs of `function`, found by tracing it.

    Unknown sizes on the same axis of different inputs are taken to be equal (they are wherever the
    function is defined). It runs once, and twice more only where sizes not known yet are why it
    failed; an error it raises whatever the sizes gets out at once.
    """
    leaves = tree.flatten((args, kwargs))
    symbolic = [leaf for leaf in leaves if isinstance(leaf, KerasTensor)]
    for tensor in symbolic:
        if tensor.dtype == "string":
            raise strings_refused(f"Symbolic tensor '{tensor.name}'", "an operation on strings")
    axes = sorted({axis for t in symbolic for axis, n in enumerate(t.shape) if n is None})

    def shapes_for(sizes: dict[int, Any]) -> Any:
        is_wide = setting("jax_enable_x64")
        specs = [
            _spec(
                tuple(sizes[a] if n is None else n for a, n in enumerate(t.shape)), t.dtype, is_wide
            )
            for t in symbolic
        ]

        structure: list[Any] = []

        def run(*tensors: Any) -> Any:
            stream = iter(tensors)
            filled = [next(stream) if isinstance(leaf, KerasTensor) else leaf for leaf in leaves]
            new_args, new_kwargs = tree.pack_sequence_as((args, kwargs), filled)
            outputs = function(*new_args, **new_kwargs)
            structure.append(outputs)
            return [x for x in tree.flatten(outputs) if _has_shape(x)]

        with symbolic_scope(), StatelessScope(), leftovers.cleared(is_trial=True):
            flat = jax.eval_shape(run, *specs)
        return structure[-1], flat

    if not axes:
        return _as_symbolic(*shapes_for({}))
    try:
        return _as_symbolic(*shapes_for(_named_sizes(axes)))
    except Exception as symbolic_error:
        if not _may_be_due_to_sizes(symbolic_error):
            raise
        pair = _example_sizes(_first_words(symbolic_error), axes)
        try:
            found = _by_example(shapes_for, *pair)
        except Exception as error:
            # That sizes are not known is no mistake of the user's; what fails for sizes that are
            # is. Else it is the same mistake, reported with `b` instead of an example batch size.
            if _is_only_about_unknown_sizes(symbolic_error):
                tried = ", ".join(f"{size} on axis {axis}" for axis, size in pair[0].items())
                error.add_note(f"Sizes not known yet were tried as {tried}.")
                raise error from None
            raise symbolic_error from None
        if found is None:
            raise symbolic_error from None
        return found


def _first_words(error: BaseException) -> str:
    """What an error says of sizes: nothing, where it began with one that is not known yet."""
    first = error
    while (cause := first.__cause__ or first.__context__) is not None:
        first = cause
    return str(first if "_DimExpr" in str(first) else error)


def _may_be_due_to_sizes(error: Exception) -> bool:
    """Whether a function could succeed for sizes that are numbers.

    Not where a name or an attribute is missing, a tensor is asked for its value, or a config asks
    for too much.
    """
    if isinstance(error, AttributeError):
        return "_DimExpr" in str(error)
    if isinstance(error, TracedSizeError):  # computed from sizes, it is known where they are
        return True
    return not isinstance(error, _WHATEVER_THE_SIZES)


def _is_only_about_unknown_sizes(error: Exception) -> bool:
    return _OF_UNKNOWN_SIZES.search(f"{type(error).__name__} {error}") is not None or (
        type(error).__name__ == "InconclusiveDimensionOperation"
    )


def _by_example(
    shapes_for: Callable[..., Any], first: dict[int, int], second: dict[int, int]
) -> Any:
    """Outputs for two sets of sizes, what differs between them unknown.

    None when there are as many outputs as an unknown size says.
    """
    structure, small = shapes_for(first)
    _, large = shapes_for(second)
    if len(small) != len(large):
        return None
    merged = [
        jax.ShapeDtypeStruct(
            tuple(m if m == n else -1 for m, n in zip(a.shape, b.shape, strict=True)), a.dtype
        )
        for a, b in zip(small, large, strict=True)
    ]
    return _as_symbolic(structure, merged)


def _example_sizes(text: str, axes: list[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Two sets of sizes of which a function may be expected to run with both.

    What an error about unknown sizes says tells them: the numbers they are divided by, a limit
    they must not pass (`x + positions[:steps]` ends with the table of positions), or which of them
    had to be equal, to one another or to a number.

    Args:
        text: The error.
        axes: The axes of unknown size.
    """
    small, large = ({a: _OTHERS[i] if a else _BATCHES[i] for a in axes} for i in (0, 1))
    limits = [int(n) for groups in _LIMIT.findall(text) for n in groups if n]
    if limits:
        limit = max(min(limits), 2)
        return dict.fromkeys(axes, limit // 2), dict.fromkeys(axes, limit)
    if _DIVIDED.search(text):
        factor = _common_multiple(int(n) for n in _NUMBER.findall(text))
        small, large = ({a: n * factor for a, n in sizes.items()} for sizes in (small, large))
        return small, large
    if _DIFFERENT.search(text) and "inconclusive" not in text:
        for group, number in _equal_sizes(text, axes):
            for sizes, example in ((small, _OTHERS[0]), (large, _OTHERS[1])):
                sizes.update(dict.fromkeys(group, number or example))
    return small, large


def _equal_sizes(text: str, axes: list[int]) -> list[tuple[set[int], int | None]]:
    """Axes whose sizes must be equal, and the number they must be, by two shapes that met.

    All axes where that cannot be told.
    """
    shapes = [[size.strip() for size in shape.split(",") if size] for shape in _SHAPE.findall(text)]
    names = {f"d{axis}" if axis else "b": axis for axis in axes}
    groups: list[tuple[set[int], int | None]] = []
    for pair in zip(*map(reversed, shapes[:2]), strict=False) if len(shapes) > 1 else ():
        known = {names[size] for size in pair if size in names}
        number = next((int(size) for size in pair if size.isdigit() and size != "1"), None)
        if len(known) + (number is not None) == 2:
            groups.append((known, number))
    is_by_letters = "lhs_names" in text  # their places say nothing
    return groups if groups and not is_by_letters else [(set(axes), None)]


def _common_multiple(numbers: Iterable[int]) -> int:
    """The least common multiple of numbers, those left out that would make it too large."""
    multiple = 1
    for number in sorted(set(numbers) - {0}):
        if (together := math.lcm(multiple, number)) <= _LARGEST_FACTOR:
            multiple = together
    return multiple


def _named_sizes(axes: list[int]) -> dict[int, Any]:
    """A symbol for each axis of unknown size."""
    return {axis: _named_size(axis) for axis in axes}


@functools.lru_cache(maxsize=1024)
def _spec(shape: tuple[Any, ...], dtype: str, is_wide: bool) -> Any:
    """A shape and a dtype as JAX has them.

    Kept, as JAX asks of a symbol whether it is a number: the exception of that holds all frames
    under way and itself, so that a model would stay in memory until Python looks for cycles.
    """
    # JAX 0.12 warns of a dtype that it is about to narrow.
    held = jax.dtypes.canonicalize_dtype(jnp.dtype(dtype))
    return jax.typeof(jax.ShapeDtypeStruct(shape, held))


@functools.lru_cache(maxsize=64)
def _named_size(axis: int) -> Any:
    return export.symbolic_shape(f"d{axis}" if axis else "b", scope=_symbols())[0]


@functools.cache
def _symbols() -> export.SymbolicScope:
    """One for the process: sizes of two of them are never equal.

    JAX keeps what it traced (each op of ours, each function of `jax.numpy`) under the sizes it was
    traced for, so with symbols of its own every model would add to what is kept.
    """
    return export.SymbolicScope()


def _has_shape(value: Any) -> bool:
    return isinstance(value, Variable) or (hasattr(value, "shape") and hasattr(value, "dtype"))


def _as_symbolic(structure: Any, flat: list[Any]) -> Any:
    stream = iter(flat)

    def convert(leaf: Any) -> Any:
        if not _has_shape(leaf):
            return leaf
        spec = next(stream)
        shape = tuple(n if isinstance(n, int) and n >= 0 else None for n in spec.shape)
        return KerasTensor(shape, spec.dtype)

    return tree.map_structure(convert, structure)


__all__ = ["infer"]
