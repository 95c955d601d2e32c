"""Elements that a generator function yields, as they come or as a signature says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.node import NOT_KNOWN, UNKNOWN, Cursor, Node, Opening
from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.sparse import SparseEntries
from nacre.data.dataset.spec import (
    RaggedSpec,
    SparseSpec,
    TensorSpec,
    as_shape,
    host_dtype,
    is_spec,
    merged,
    shape_fits,
    spec_of,
)


class Generated(Node):
    """What a generator function yields."""

    name = "Dataset.from_generator"

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], signature: Any) -> None:
        super().__init__()
        if not callable(function):
            given = type(function).__name__
            raise ArgumentError(
                message(
                    self.name,
                    "generator must be a function that begins a new one each time",
                    given,
                    "Pass the function itself, or lambda: iter(values).",
                )
            )
        self.function, self.args, self.signature = function, args, signature

    def make_cursor(self, opening: Opening) -> Cursor:
        return GeneratedCursor(self)

    def known_spec(self) -> Any:
        return NOT_KNOWN if self.signature is None else self.signature

    def make_spec(self) -> Any:
        if self.signature is not None:
            return self.signature
        examples = self.examples()
        if not examples:
            raise DataError(
                message(
                    self.name, "a generator without elements needs output_signature", "no elements"
                )
            )
        spec = spec_of(examples[0])
        for example in examples[1:]:
            spec = merged(spec, spec_of(example))
        return spec

    def cardinality(self) -> int:
        return UNKNOWN


class GeneratedCursor(Cursor):
    """A generator under way. Going on later means to go through it again."""

    def __init__(self, node: Generated) -> None:
        self._node, self._count, self._to_skip = node, 0, 0
        self._items: Iterator[Any] | None = None

    def __next__(self) -> Any:
        try:
            if self._items is None:
                self._items = iter(self._node.function(*self._node.args))
                for _ in itertools.islice(self._items, self._to_skip):
                    pass
                self._to_skip = 0
            value = next(self._items)
        except StopIteration:
            raise
        except Exception as error:
            raise DataError(
                message(
                    self._node.name,
                    f"the generator {_name(self._node.function)} must not fail",
                    f"{type(error).__name__}: {error} at element {self._count}",
                )
            ) from error
        self._count += 1
        who = self._node.name
        signature = self._node.signature
        if signature is None:
            return el.to_element(value, who)
        return as_signed(value, signature, f"{who}, element {self._count - 1}")

    def state(self) -> Any:
        return self._count

    def restore(self, state: Any) -> None:
        self.close()
        self._count = self._to_skip = int(state)

    def close(self) -> None:
        items, self._items = self._items, None
        if items is not None and hasattr(items, "close"):
            items.close()  # type: ignore[attr-defined]


def as_signed(value: Any, spec: Any, who: str) -> Any:
    """A value as an element of a given spec.

    Raises:
        DataError: It is something else.
    """
    if is_spec(spec):
        if not isinstance(spec, TensorSpec):
            return el.to_element(value, who)
        if isinstance(spec, RaggedSpec | SparseSpec):
            return _as_rows(value, spec, who)
        return _as_tensor(value, spec, who)
    if spec is None:
        return None
    pairs = el.children(spec)
    if isinstance(value, list) and isinstance(spec, tuple):
        value = tuple(value)
    wrong = not el.is_structure(value) or len(el.children(value)) != len(pairs)
    try:
        parts = [] if wrong else [(part, el.child(value, key)) for key, part in pairs]
    except (KeyError, IndexError, AttributeError, TypeError):
        wrong, parts = True, []
    if wrong:
        raise DataError(
            message(
                who,
                f"elements must have the structure of output_signature, {spec}",
                f"{type(value).__name__} {str(value)[:60]}",
            )
        )
    return el.rebuilt(spec, [as_signed(item, part, who) for part, item in parts])


def _as_rows(value: Any, spec: RaggedSpec | SparseSpec, who: str) -> Ragged | SparseEntries:
    """Rows of different lengths, or a sparse tensor, of the dtype and the shape that are told."""
    is_sparse = isinstance(spec, SparseSpec)
    if not isinstance(value, SparseEntries if is_sparse else Ragged):
        kind = "a sparse tensor" if is_sparse else "rows of different lengths"
        rule = f"the element must be {kind}, {spec}"
        raise DataError(message(who, rule, type(value).__name__))
    dtype = host_dtype(spec.dtype)
    if value.dtype != dtype:
        rule = f"the dtype must be {spec.dtype}"
        raise DataError(message(who, rule, f"{value.dtype}"))
    sizes: Any = tuple(value.shape)  # None for the lengths of rows
    if not shape_fits(sizes, spec.shape):
        raise DataError(message(who, f"the shape must be {spec.shape}", f"{sizes}"))
    return value.on_host()


def _as_tensor(value: Any, spec: TensorSpec, who: str) -> HostTensor:
    found = el.to_element(tuple_as_list(value), who)
    if type(found) is not HostTensor:
        raise DataError(
            message(who, f"the element must be a tensor, {spec}", f"{type(value).__name__}")
        )
    dtype = host_dtype(spec.dtype)
    if found.dtype != dtype:
        # Also as for tf.data, whose generators yield Python's numbers for any dtype.
        if (found.dtype.kind == "O") != (dtype.kind == "O"):
            raise DataError(message(who, f"the dtype must be {spec.dtype}", f"{found.dtype}"))
        _refuse_other_numbers(found, dtype, who)
        found = el.sealed(found.view(np.ndarray).astype(dtype))
    if not shape_fits(found.shape, spec.shape):
        raise DataError(
            message(
                who,
                f"the shape must be {spec.shape}",
                f"{found.shape}",
                "Put None into output_signature for sizes that vary.",
            )
        )
    return found


def _refuse_other_numbers(found: np.ndarray, dtype: np.dtype, who: str) -> None:
    """Raise where whole numbers of a dtype would be others than those given."""
    if dtype.kind not in "iub" or found.dtype.kind == "b":
        return
    with np.errstate(invalid="ignore"):
        differ = found.astype(dtype) != found
    if differ.any():
        got = f"{found.view(np.ndarray)[differ].ravel()[:1].tolist()[0]}"
        fix = "Let output_signature have the dtype of what is given, or round it before."
        raise DataError(message(who, f"the element must hold numbers of dtype {dtype}", got, fix))


def tuple_as_list(value: Any) -> Any:
    """A plain tuple as a list, where one tensor is meant."""
    return list(value) if type(value) is tuple else value


def signature_of(output_types: Any, output_shapes: Any, output_signature: Any, who: str) -> Any:
    """The spec that a generator is given.

    Raises:
        ArgumentError: Both ways to tell it are used, or it is no structure of specs.
    """
    if output_signature is not None:
        if output_types is not None or output_shapes is not None:
            raise ArgumentError(
                message(
                    who,
                    "output_signature must stand alone",
                    "output_types or output_shapes beside it",
                )
            )
        return el.mapped(lambda leaf: _as_spec(leaf, who), output_signature)
    if output_types is None:
        return None

    def build(types: Any, shapes: Any) -> Any:
        if el.is_structure(types):
            parts = [
                build(value, None if shapes is None else el.child(shapes, key))
                for key, value in el.children(types)
            ]
            return el.rebuilt(types, parts)
        return TensorSpec(None if shapes is None else as_shape(shapes), types)

    return build(output_types, output_shapes)


def _as_spec(value: Any, who: str) -> Any:
    if is_spec(value):
        return value
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.ndarray):
        return TensorSpec(value.shape, value.dtype)  # KerasTensor, ShapeDtypeStruct, tf.TensorSpec
    raise ArgumentError(
        message(
            who,
            "output_signature must be TensorSpecs, in tuples or dicts",
            f"{type(value).__name__}",
            "Pass TensorSpec(shape=(None,), dtype='float32').",
        )
    )


def _name(function: Any) -> str:
    return repr(getattr(function, "__name__", type(function).__name__))


__all__ = ["Generated", "as_signed", "signature_of"]
