"""What a captured call is given: a structure of tensors, each with a name and sizes that may vary.

Sizes that are not known become named ones. The first axis is the batch, which all inputs share.
Others are named after input and axis; where the model needs some to be the same (two sequences that
are added), those of one axis share one name; where it works for multiples only (a net that halves
pictures and joins them with what it doubles), the graph is one for multiples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.export
import numpy as np

from nacre.core import tree
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, message
from nacre.core.names import with_underscores
from nacre.export.capture.texts import TEXT_DTYPE

BATCH = "batch"
_AUTOMATIC = re.compile(r"keras_tensor(_\d+)?")  # what a symbolic tensor is called by itself


@dataclass(frozen=True)
class Spec:
    """A tensor that is given.

    Attributes:
        name: Of the graph's input.
        shape: Sizes, None where they vary.
        dtype: Its name; 'string' for texts.
        given_name: What it is called in the model; '' where that is its name too.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    given_name: str = ""


def is_tensor_like(leaf: Any) -> bool:
    """Whether a leaf of the arguments says a shape and a dtype."""
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def specs_of(leaves: Sequence[tuple[str, Any]], names: Sequence[str] = ()) -> list[Spec]:
    """What stands for the tensors among arguments, each with a name of its own.

    Args:
        leaves: Symbolic tensors, specs, arrays, each with its place; others are no tensors.
        names: Names of the tensors, in order; those of the tensors themselves, or of the arguments,
            where there are none.
    """
    tensors = [(path, leaf) for path, leaf in leaves if is_tensor_like(leaf)]
    given: list[str] = []
    for index, (path, leaf) in enumerate(tensors):
        own = getattr(leaf, "name", None)
        has_name = isinstance(own, str) and not _AUTOMATIC.fullmatch(own)
        given.append(names[index] if index < len(names) else str(own) if has_name else path)
    found: list[Spec] = []
    for name, old, (_, leaf) in zip(_own_names(given), given, tensors, strict=True):
        dtype = leaf.dtype if isinstance(leaf.dtype, str) else np.dtype(leaf.dtype)
        sizes = _sizes(leaf.shape, name)
        found.append(Spec(name, sizes, standardize_dtype(dtype), old if old != name else ""))
    return found


def _own_names(given: Sequence[str]) -> list[str]:
    """Plain names, each once. What is one already stays: 'a b' beside 'a_b' is not called so."""
    plain = [_plain(name) or f"input_{index}" for index, name in enumerate(given)]
    kept = {old for old, name in zip(given, plain, strict=True) if old == name}
    taken: set[str] = set()
    found: list[str] = []
    for old, name in zip(given, plain, strict=True):
        is_first = old == name and name not in taken
        found.append(_own(name, taken if is_first else taken | kept))
        taken.add(found[-1])
    return found


def _sizes(shape: Any, name: str) -> tuple[int | None, ...]:
    if shape is None:
        raise ArgumentError(
            message(f"input '{name}'", "the number of its axes must be known", "a shape of None")
        )
    return tuple(int(n) if isinstance(n, int | np.integer) and n >= 0 else None for n in shape)


def _own(name: str, taken: AbstractSet[str]) -> str:
    count, own = 0, name
    while own in taken:
        count += 1
        own = f"{name}_{count}"
    return own


def _plain(name: str) -> str:
    """A name of letters, digits and underscores, as formats and symbolic sizes take it."""
    plain = with_underscores(name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def tree_with_paths(structure: Any, path: str = "") -> list[tuple[str, Any]]:
    """The leaves of a structure, as `tree.flatten` has them, each with its place: 'x_0_mask'."""
    leaves = tree.flatten(structure)
    names = iter(_paths(structure, path))
    return [(name, leaf) for name, leaf in zip(names, leaves, strict=True)]


def _paths(structure: Any, path: str) -> list[str]:
    join = lambda key: f"{path}_{key}" if path else str(key)
    if isinstance(structure, dict):
        return [p for key in sorted(structure) for p in _paths(structure[key], join(key))]
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        fields = structure._fields
        return [p for key in fields for p in _paths(getattr(structure, key), join(key))]
    if isinstance(structure, list | tuple):
        alone = len(structure) == 1 and path
        parts = enumerate(structure)
        return [p for i, part in parts for p in _paths(part, path if alone else join(i))]
    return [path]


Naming: TypeAlias = Callable[[Spec, int], str]


def _own_name(spec: Spec, axis: int) -> str:
    return BATCH if axis == 0 else f"{spec.name}_{axis}"


def _of_axis(multiple: int) -> Naming:
    times = "" if multiple == 1 else f"{multiple}*"
    return lambda _, axis: BATCH if axis == 0 else f"{times}size_{axis}"


# How names are given to sizes that vary, in the order that they are tried: each its own, those of
# one axis the same, and, for nets that halve pictures and double them again, multiples.
NAMINGS: tuple[Naming, ...] = (_own_name, _of_axis(1), _of_axis(2), _of_axis(8), _of_axis(32))


def abstract(specs: Sequence[Spec], naming: Naming, bounds: Sequence[str] = ()) -> list[Any]:
    """Shapes and dtypes for JAX, with symbolic sizes; texts are arrays that stand for them.

    Args:
        specs: Of the inputs.
        naming: How open sizes are named.
        bounds: What is known of these, such as 'x_1 <= 512'.
    """
    scope = jax.export.SymbolicScope(bounds)
    found: list[Any] = []
    for spec in specs:
        texts = (
            naming(spec, axis) if size is None else str(size)
            for axis, size in enumerate(spec.shape)
        )
        shape = jax.export.symbolic_shape(", ".join(texts), scope=scope) if spec.shape else ()
        dtype = TEXT_DTYPE if spec.dtype == "string" else spec.dtype
        found.append(jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(dtype)))
    return found
