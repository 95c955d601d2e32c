"""`HostTensor`: what a data set gives, a NumPy array that reads like a tensor.

Tutorials write `images[i].numpy()`, `x /= 255` and `int(label)` about what comes out of a data set.
A NumPy array can do all of it but for four things, which are all that this class adds: `numpy()`,
numbers that stay arrays without axes, `x += 1` that makes a new array in the place of changing one
that others see, and 8-bit integers that are divided in float32, as a tensor's are, not in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ShapeError, message


class HostTensor(np.ndarray):
    """An array on the host, as the elements of a `Dataset` hold them. Nobody can write to it.

    It is a NumPy array, for NumPy, JAX and `nacre.ops` alike. What it adds: `numpy()` is a copy to
    write to, a number or `bytes` where there are no axes; picking one item gives an array without
    axes; `x += 1` makes a new array; integers of 8 and 16 bits are divided in float32. Strings are
    `bytes` in an array of dtype object; `==` takes str too.

    Example:
        >>> from nacre.data import Dataset
        >>> image, name = next(iter(Dataset.from_tensor_slices(([[1, 2]], ["a"]))))
        >>> image[0].numpy() + 1, name.numpy(), bool(name == "a")
        (np.int32(2), b'a', True)
    """

    __slots__ = ()

    def numpy(self) -> Any:
        """A copy as a plain array; without axes the number or the `bytes` itself."""
        return self.view(np.ndarray)[()] if self.ndim == 0 else np.array(self.view(np.ndarray))

    def get_shape(self) -> tuple[int, ...]:
        """The shape."""
        return self.shape

    def set_shape(self, shape: Sequence[int | None]) -> None:
        """Check the shape, as code for graphs does that tells it.

        Raises:
            ShapeError: It is another one.
        """
        wanted = tuple(None if n is None or int(n) < 0 else int(n) for n in shape)
        fits = len(wanted) == self.ndim
        if not fits or any(w not in (None, n) for w, n in zip(wanted, self.shape, strict=True)):
            raise ShapeError(
                message("HostTensor.set_shape", f"the shape must be {wanted}", f"{self.shape}")
            )

    def __getitem__(self, key: Any) -> Any:
        picked = np.ndarray.__getitem__(self, key)
        if isinstance(picked, np.ndarray) and self.dtype.kind != "O":
            return picked
        return picked if isinstance(picked, HostTensor) else _of_item(picked, self.dtype)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over an array without axes")
        return (np.ndarray.__getitem__(self, (i, ...)) for i in range(len(self)))

    def __repr__(self) -> str:
        shown = np.array2string(self.view(np.ndarray), separator=", ", prefix="HostTensor(")
        return f"HostTensor({shown}, dtype={self.dtype})"

    def __str__(self) -> str:
        return str(self.view(np.ndarray))

    def __truediv__(self, other: Any) -> Any:
        return np.true_divide(_dividable(self), _dividable(other))

    def __rtruediv__(self, other: Any) -> Any:
        return np.true_divide(_dividable(other), _dividable(self))

    # A new array each, as for tensors: the one that is there belongs to the data set too.
    def __iadd__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self + other

    def __isub__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self - other

    def __imul__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self * other

    def __itruediv__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self / other

    def __ifloordiv__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self // other

    def __imod__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self % other

    def __ipow__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self**other

    def __imatmul__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self @ other

    def __iand__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self & other

    def __ior__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self | other

    def __ixor__(self, other: Any) -> Any:  # type: ignore[override,misc]
        return self ^ other

    def __eq__(self, other: Any) -> Any:
        return np.equal(self, _encoded(other)) if self.dtype.kind == "O" else super().__eq__(other)

    def __ne__(self, other: Any) -> Any:
        if self.dtype.kind != "O":
            return super().__ne__(other)
        return np.not_equal(self, _encoded(other))

    __hash__ = None  # type: ignore[assignment]


def _of_item(item: Any, dtype: np.dtype) -> HostTensor:
    array = np.empty((), dtype)
    array[()] = item
    return array.view(HostTensor)


def _dividable(value: Any) -> Any:
    is_small = isinstance(value, HostTensor) and value.dtype.kind in "iu" and value.itemsize < 4
    return value.astype(np.float32) if is_small else value


def _encoded(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


__all__ = ["HostTensor"]
