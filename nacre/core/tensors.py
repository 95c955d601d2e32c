"""What a tensor is to a type checker: what functions take, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np


class Tensor(Protocol):
    """What arrays, traced values, symbolic tensors and variables have in common.

    Arrays of NumPy and JAX, tracers, `KerasTensor`, `Variable` and tensors of torch fit it.
    """

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Sizes; None where a symbolic tensor does not know one."""
        ...

    @property
    def dtype(self) -> Any:
        """A dtype object of an array, the dtype's name of a symbolic tensor or a variable."""
        ...

    @property
    def ndim(self) -> int:
        """The number of axes."""
        ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __len__(self) -> int: ...


class _SupportsArray(Protocol):
    """What NumPy can make an array of."""

    def __array__(self) -> Any: ...


# What ops and layers take for a tensor: a `Tensor`, a column of a table, a number, nested lists.
TensorLike: TypeAlias = Tensor | _SupportsArray | complex | Sequence[Any]

# A whole number, also one that NumPy gave, as np.prod of a shape does.
WholeNumber: TypeAlias = int | np.integer[Any]
# The same, or what np.ceil gave: a whole number all the same.
Count: TypeAlias = WholeNumber | float | np.floating[Any]
