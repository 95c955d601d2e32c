"""Arrays in annotations: dtype and shape, as in `Float[Array, "*batch features"]`.

The notation is jaxtyping's, which is not needed to run: for Python and for a type checker these
names are `typing.Annotated`, so `Float[Array, "*batch features"]` is an `Array` with a remark. The
tests of the layers read the remark by jaxtyping and let beartype check each call against it.

In a shape, a name is one axis and has one size throughout a call; `#name` may be 1 besides, as it
is broadcast; `*name` is any number of axes; `_`, `*_` and `...` are axes of any size; and
`units={self.units}` is an axis `units` of just that size. `Float` is a float of any width, `Num`
any number, `Shaped` anything. `Float[Any, ...]` is for what a checker must not look at.

Write at least two names or signs, as "batch ..." or "*batch": one name alone is taken for a type.
"""

from __future__ import annotations

from typing import Annotated as Float
from typing import Annotated as Num
from typing import Annotated as Shaped

from jax import Array

__all__ = ["Array", "Float", "Num", "Shaped"]
