"""`tf.TensorArray`: tensors that are written one by one, and stacked at the end."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, PositionError, TracedValueError, message
from nacre.core.tracing import is_tracer
from nacre.tf.arranging import joined, stacked, unstacked
from nacre.tf.dtypes import as_dtype
from nacre.tf.shapes import TensorShape
from nacre.tf.sizes import plain
from nacre.tf.values import tensor


class TensorArray:
    """A list of tensors of one dtype and shape, written at known places.

    In a loop of a compiled function, where the program computes the places, it has as many as it
    was made with: one that grows there makes the function run as plain Python. A place that is not
    there is not written, and reads as NaN, or as the smallest of whole numbers.

    Args:
        dtype: The dtype.
        size: How many there are.
        dynamic_size: Whether it grows when a place behind the end is written.
        element_shape: The shape of each, for what `stack` gives of none.
        clear_after_read, tensor_array_name, handle, flow, infer_shape,
            colocate_with_first_write_call, name: Accepted for compatibility.

    Source:
        TensorFlow 2.15, tf.TensorArray. Differs: each `write` gives a new array, and the one before
        stays as it was.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: Any = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: Any = None,
    ) -> None:
        self.dtype = as_dtype(dtype)
        self.dynamic_size = bool(dynamic_size)
        self.element_shape = element_shape
        self._items: tuple[Any, ...] = (None,) * (0 if size is None else plain(size))
        self._buffer: Any = None  # all of them, in place of the items, where a program counts

    def _with(self, items: tuple[Any, ...]) -> TensorArray:
        made = TensorArray(self.dtype, 0, self.dynamic_size, element_shape=self.element_shape)
        made._items = items
        return made

    @property
    def length(self) -> int:
        """How many places there are."""
        return len(self._items) if self._buffer is None else self._buffer.shape[0]

    def buffer(self) -> Any:
        """All of them as one tensor; None where none was written."""
        if self._buffer is not None:
            return self._buffer
        if all(item is None for item in self._items):
            return None
        return jnp.asarray(stacked(self._filled(), 0))

    def holding(self, buffer: Any) -> TensorArray:
        """The array with all its tensors given as one."""
        made = self._with(())
        made._buffer = buffer
        return made

    def _written(self, index: Any, value: Any) -> TensorArray:
        """The array with a tensor at a place that the program computes."""
        new = jnp.asarray(tensor(value, self.dtype))
        buffer = self.buffer()
        if buffer is None:
            buffer = jnp.zeros((self.length, *new.shape), new.dtype)
        if self.dynamic_size or buffer.shape[1:] != new.shape:
            got = "one that grows" if self.dynamic_size else f"tensors of shape {new.shape} and "
            got += "" if self.dynamic_size else f"{buffer.shape[1:]}"
            raise TracedValueError(
                message(
                    "tf.TensorArray.write",
                    "where a compiled function computes the place, the size must be known and the "
                    "tensors of one shape",
                    got,
                    "Make it with size=n, without dynamic_size.",
                )
            )
        place = jnp.where(index < 0, self.length, index)  # JAX would count it from the end
        return self.holding(buffer.at[place].set(new.astype(buffer.dtype), mode="drop"))

    def write(self, index: Any, value: Any, name: Any = None) -> TensorArray:
        """The array with a tensor at a place."""
        if is_tracer(index):
            return self._written(index, value)
        at, items = plain(index), self._parts()
        if at >= len(items) and self.dynamic_size:
            items = (*items, *(None,) * (at + 1 - len(items)))
        if not 0 <= at < len(items):
            rule = f"the place must be from 0 to {len(items) - 1}"
            fix = "Pass dynamic_size=True for one that grows."
            raise PositionError(message("tf.TensorArray.write", rule, str(at), fix))
        return self._with((*items[:at], tensor(value, self.dtype), *items[at + 1 :]))

    def read(self, index: Any, name: Any = None) -> Any:
        """The tensor at a place."""
        if is_tracer(index):
            buffer = self.buffer()
            if buffer is None:
                rule = "a place must be written before it is read"
                raise ArgumentError(message("tf.TensorArray", rule, "none that was written"))
            place = jnp.where(index < 0, self.length, index)
            return jnp.take(buffer, place, axis=0, mode="fill")
        at = plain(index)
        if not 0 <= at < self.length:
            rule = f"the place must be from 0 to {self.length - 1}"
            raise PositionError(message("tf.TensorArray.read", rule, str(at)))
        return self._filled()[at]

    def stack(self, name: Any = None) -> Any:
        """All of them as one tensor."""
        if self._buffer is not None:
            return self._buffer
        return stacked(self._filled(), 0) if self._items else self._empty("stack", 0)

    def gather(self, indices: Any, name: Any = None) -> Any:
        """Some of them as one tensor."""
        if is_tracer(indices):
            return self.read(indices)
        return stacked([self.read(at) for at in plain(indices)], 0)

    def concat(self, name: Any = None) -> Any:
        """All of them one after another."""
        return joined(self._filled(), 0) if self._parts() else self._empty("concat", 1)

    def unstack(self, value: Any, name: Any = None) -> TensorArray:
        """An array of the parts of a tensor."""
        return self._with(tuple(unstacked(tensor(value, self.dtype), None, 0)))

    def scatter(self, indices: Any, value: Any, name: Any = None) -> TensorArray:
        """The array with parts of a tensor at places."""
        made = self
        for at, part in zip(plain(indices), unstacked(tensor(value), None, 0), strict=True):
            made = made.write(at, part)
        return made

    def size(self, name: Any = None) -> Any:
        """How many there are."""
        return tensor(self.length)

    def identity(self) -> TensorArray:
        """The array."""
        return self

    def _empty(self, method: str, axis: int) -> Any:
        """No rows: what an array with nothing in it is, of its elements' sizes from an axis on."""
        shape = None if self.element_shape is None else TensorShape(self.element_shape)
        sizes = [None] * (axis + 1) if shape is None or shape.rank is None else shape.as_list()
        known = [size for size in sizes[axis:] if size is not None]
        if len(known) < len(sizes[axis:]):
            rule = "an array with nothing in it must know the shape of its elements"
            fix = "Make it with element_shape=[...]."
            got = f"element_shape={self.element_shape}"
            raise ArgumentError(message(f"tf.TensorArray.{method}", rule, got, fix))
        return tensor(np.zeros((0, *known), self.dtype.as_numpy_dtype))

    def _parts(self) -> tuple[Any, ...]:
        """Them one by one; None where none was written."""
        if self._buffer is None:
            return self._items
        return tuple(self._buffer[at] for at in range(self.length))

    def _filled(self) -> list[Any]:
        """The tensors; zeros at places that were not written."""
        items = self._parts()
        written = [item for item in items if item is not None]
        if not written and items:
            rule = "a place must be written before it is read"
            raise ArgumentError(message("tf.TensorArray", rule, "none that was written"))
        return [written[0] * 0 if item is None else item for item in items]


__all__ = ["TensorArray"]
