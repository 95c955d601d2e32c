"""What a checker knows of calling a layer: the types of the layer's own `call`.

`layer(x)` takes what `call` takes, and `training` besides. It gives what `call` gives; where that
is one tensor, a symbolic one for symbolic inputs and an array for arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import (
    TYPE_CHECKING,
    Any,
    ParamSpec,
    Protocol,
    SupportsIndex,
    TypeVar,
    final,
    overload,
)

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class HasCall(Protocol[P, R]):
    """An object whose `call` takes `P` and gives `R`."""

    def call(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the outputs."""
        ...


@final
class Untyped:
    """No `call` gives this: only one that says nothing of its result (`Any`) fits it."""


if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer

    class SomeLayer(Layer):
        """A layer of some class: what all layers have is known, all else may be there."""

        def __getattr__(self, name: str) -> Any: ...

    class LayerList(list[Any]):
        """A list of layers, to be given where `list[Layer]` is asked for."""

        @overload
        def __getitem__(self, index: SupportsIndex, /) -> SomeLayer: ...
        @overload
        def __getitem__(self, index: slice, /) -> LayerList: ...
        def __getitem__(self, index: Any, /) -> Any: ...

        def __iter__(self) -> Iterator[SomeLayer]: ...

        def __reversed__(self) -> Iterator[SomeLayer]: ...


__all__ = ["HasCall", "Untyped"]
