"""Specs: what is known of elements before there are any, their structure, shapes and dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.data.dataset.elements import (
    child,
    children,
    dataset_of_kept,
    is_structure,
    mapped,
    rebuilt,
    sealed,
)
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.sparse import SparseEntries

Shape = tuple[int | None, ...] | None  # None: not even the number of axes is known


class TensorSpec:
    """What is known of a tensor: its shape, with None for sizes that vary, and its dtype.

    Args:
        shape: The sizes; None in the place of all where not even their number is known.
        dtype: The dtype, such as 'float32' or 'string'.
        name: A name.

    Example:
        >>> TensorSpec((None, 3), "float32")
        TensorSpec(shape=(None, 3), dtype='float32')
    """

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self.shape: Shape = as_shape(shape)
        self.dtype = dtype_name(dtype)
        self.name = name

    def __repr__(self) -> str:
        name = "" if self.name is None else f", name={self.name!r}"
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}{name})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), self.shape, self.dtype))


class RaggedSpec(TensorSpec):
    """What is known of a `Ragged`: its shape, with None for the lengths of rows, and its dtypes.

    Args:
        shape: The sizes.
        dtype: The dtype of the values.
        row_splits_dtype: The dtype of the row splits.
    """

    def __init__(self, shape: Any, dtype: Any, row_splits_dtype: Any = "int64") -> None:
        super().__init__(shape, dtype)
        self.row_splits_dtype = dtype_name(row_splits_dtype)

    def __repr__(self) -> str:
        return f"RaggedSpec(shape={self.shape}, dtype={self.dtype!r})"


class RowSpec(TensorSpec):
    """What is known of a row of a `Ragged`: a tensor, of which `batch` makes a `Ragged` again.

    Args:
        shape: The sizes of a row, the first of which is None.
        dtype: The dtype of the values.
        row_splits_dtype: The dtype of the row splits.
    """

    def __init__(self, shape: Any, dtype: Any, row_splits_dtype: Any = "int64") -> None:
        super().__init__(shape, dtype)
        self.row_splits_dtype = dtype_name(row_splits_dtype)

    def __eq__(self, other: object) -> bool:
        are_tensors = type(other) in (TensorSpec, RowSpec) and isinstance(other, TensorSpec)
        return are_tensors and (other.shape, other.dtype) == (self.shape, self.dtype)

    def __hash__(self) -> int:
        return hash((TensorSpec, self.shape, self.dtype))


class SparseSpec(TensorSpec):
    """What is known of sparse tensors, `SparseEntries`: the shape and the dtype of the values.

    Args:
        shape: The sizes.
        dtype: The dtype of the values.
    """

    kind: type[SparseEntries] = SparseEntries  # the class of such elements

    def __init__(self, shape: Any, dtype: Any = "float32") -> None:
        super().__init__(shape, dtype)

    def __repr__(self) -> str:
        return f"SparseSpec(shape={self.shape}, dtype={self.dtype!r})"


SparseEntries.spec_class = SparseSpec


class DatasetSpec:
    """What is known of elements that are data sets, such as windows.

    Args:
        element_spec: The spec of their elements.
    """

    def __init__(self, element_spec: Any) -> None:
        self.element_spec = element_spec

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetSpec) and other.element_spec == self.element_spec

    def __hash__(self) -> int:
        return hash(repr(self))


def as_shape(shape: Any) -> Shape:
    """A shape as a tuple; -1 is None, as is a size that is not known."""
    if shape is None or (hasattr(shape, "rank") and shape.rank is None):
        return None
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    sizes = [getattr(n, "value", n) for n in shape]
    return tuple(None if n is None or int(n) < 0 else int(n) for n in sizes)


def dtype_name(dtype: Any) -> str:
    """A dtype as nacre names it; 'string' for all kinds of strings."""
    if hasattr(dtype, "as_numpy_dtype"):  # TensorFlow's
        dtype = dtype.as_numpy_dtype
    if dtype in (str, bytes, object, "string", "str", "bytes"):
        return "string"
    try:
        found = jax.numpy.dtype(dtype)
    except TypeError:
        raise ArgumentError(
            message("TensorSpec", "dtype must name a dtype", repr(dtype)[:60], "Pass 'float32'.")
        ) from None
    return "string" if found.kind in "OUS" else found.name


def host_dtype(name: str) -> np.dtype:
    """The dtype of an array of the host."""
    return np.dtype(object) if name == "string" else jax.numpy.dtype(name)


def is_spec(value: Any) -> bool:
    """Whether it is the spec of a leaf."""
    return isinstance(value, TensorSpec | DatasetSpec)


def spec_of(element: Any) -> Any:
    """The spec of an element."""
    if element is None:
        return None
    if type(element) is HostTensor:
        return TensorSpec(element.shape, element.dtype)
    if isinstance(element, Ragged):
        return RaggedSpec((None, *element.shape[1:]), element.dtype, element.row_splits.dtype)
    if isinstance(element, SparseEntries):
        return element.spec_class(element.shape, element.dtype)
    if is_structure(element):
        return rebuilt(element, [spec_of(value) for _, value in children(element)])
    return DatasetSpec(element._dataset_node.spec())


def batched(spec: Any, size: int | None) -> Any:
    """The spec of batches."""

    def more(leaf: Any) -> Any:
        if not isinstance(leaf, TensorSpec):
            return leaf
        if isinstance(leaf, RowSpec):
            return RaggedSpec((size, *(leaf.shape or ())), leaf.dtype, leaf.row_splits_dtype)
        return _with_shape(leaf, None if leaf.shape is None else (size, *leaf.shape))

    return mapped(more, spec)


def unbatched(spec: Any, who: str) -> Any:
    """The spec of the rows of tensors.

    Raises:
        DataError: One has no rows.
    """

    def less(leaf: Any) -> Any:
        if isinstance(leaf, RaggedSpec):
            return _of_rows(leaf)
        if leaf.shape == ():
            raise DataError(
                message(
                    who,
                    "every tensor must have rows on a first axis",
                    "one without axes",
                    "Leave unbatch out where nothing was batched.",
                )
            )
        return _with_shape(leaf, None if leaf.shape is None else leaf.shape[1:])

    return mapped(less, spec)


def _of_rows(spec: RaggedSpec) -> TensorSpec:
    """What is known of the rows, which are ragged themselves where more of their axes are open."""
    shape = (spec.shape or ())[1:]
    if None in shape[1:]:
        return RaggedSpec(shape, spec.dtype, spec.row_splits_dtype)
    return RowSpec(shape, spec.dtype, spec.row_splits_dtype)


def merged(first: Any, second: Any) -> Any:
    """What holds of both of two specs; None where they have no structure in common.

    Raises:
        ValueError: Structures or dtypes differ.
    """
    if first is None or second is None:
        if first is not second:
            raise ValueError("structures differ")
        return None
    if is_structure(first):
        try:
            keys = [key for key, _ in children(first)]
            same = is_structure(second) and sorted(map(str, keys)) == sorted(
                str(key) for key, _ in children(second)
            )
            pairs = [(value, child(second, key)) for key, value in children(first)] if same else []
        except (KeyError, IndexError, AttributeError, TypeError):
            same, pairs = False, []
        if not same:
            raise ValueError("structures differ")
        return rebuilt(first, [merged(a, b) for a, b in pairs])
    if {type(first), type(second)} == {TensorSpec, RowSpec}:
        first, second = (TensorSpec(spec.shape, spec.dtype) for spec in (first, second))
    if type(first) is not type(second):
        raise ValueError("structures differ")
    if isinstance(first, DatasetSpec):
        return DatasetSpec(merged(first.element_spec, second.element_spec))
    if first.dtype != second.dtype:
        raise ValueError(f"dtypes differ, {first.dtype} and {second.dtype}")
    return _with_shape(first, common_shape(first.shape, second.shape))


def _with_shape(spec: TensorSpec, shape: Shape) -> TensorSpec:
    if isinstance(spec, RaggedSpec | RowSpec):
        return type(spec)(shape, spec.dtype, spec.row_splits_dtype)
    if isinstance(spec, SparseSpec):
        return type(spec)(shape, spec.dtype)
    return TensorSpec(shape, spec.dtype)


def common_shape(first: Shape, second: Shape) -> Shape:
    """The sizes that two shapes have in common."""
    if first is None or second is None or len(first) != len(second):
        return None
    return tuple(a if a == b else None for a, b in zip(first, second, strict=True))


def fits(leaf: HostTensor, spec: TensorSpec) -> bool:
    """Whether a tensor is as its spec says."""
    if leaf.dtype != host_dtype(spec.dtype):
        return False
    return shape_fits(leaf.shape, spec.shape)


def shape_fits(shape: Sequence[int], wanted: Shape) -> bool:
    """Whether a shape is as one with sizes that are not known says."""
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(
        w is None or n == w for n, w in zip(shape, wanted, strict=True)
    )


def is_fixed(spec: Any) -> bool:
    """Whether all shapes are known."""
    found: list[bool] = []
    mapped(
        lambda leaf: found.append(
            type(leaf) is TensorSpec and leaf.shape is not None and None not in leaf.shape
        ),
        spec,
    )
    return all(found)


def zeros(spec: Any, unknown: int = 1) -> Any:
    """An element as a spec says, of zeros and empty strings."""

    def make(leaf: Any) -> Any:
        if isinstance(leaf, DatasetSpec):
            return dataset_of_kept[0]([zeros(leaf.element_spec)])
        if isinstance(leaf, RaggedSpec):
            return Ragged(zeros(_of_rows(leaf)), np.array([0, 1], leaf.row_splits_dtype))
        shape = tuple(unknown if n is None else n for n in leaf.shape or ())
        if isinstance(leaf, SparseSpec):
            none = np.empty(0, host_dtype(leaf.dtype))
            return leaf.kind.of_parts(np.empty((0, len(shape))), none, shape)
        dtype = host_dtype(leaf.dtype)
        return sealed(np.full(shape, b"" if dtype.kind == "O" else 0, dtype))

    return mapped(make, spec)


__all__ = [
    "DatasetSpec", "RaggedSpec", "RowSpec", "SparseSpec", "TensorSpec", "as_shape", "batched",
    "common_shape", "dtype_name", "fits", "host_dtype", "is_fixed", "is_spec", "merged",
    "shape_fits", "spec_of",
    "unbatched", "zeros",
]  # fmt: skip
