"""What a layer holds: its variables, the layers within it, their metrics and random states.

Attributes are the only record. They are walked when somebody asks (`tracking`), so that a list of
layers stays a list and a part that is taken away is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nacre.core.errors import NotBuiltError, message
from nacre.core.random import SeedGenerator
from nacre.core.variable import Variable
from nacre.layers.base import tracking
from nacre.metrics.metric import Metric

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer


class PartHolder:
    """The part of `Layer` that finds what is in it."""

    name: str
    _path: str
    _trainable: bool
    _own_variables: list[Variable]

    def _who(self) -> str:
        return f"{type(self).__name__} '{self._path if '/' in self._path else self.name}'"

    def __setattr__(self, name: str, value: Any) -> None:
        if "_ready" not in self.__dict__:
            raise NotBuiltError(
                message(
                    type(self).__name__,
                    "super().__init__() must be called before attributes are set",
                    f"an assignment to self.{name}",
                    "Begin __init__ with super().__init__(**kwargs).",
                )
            )
        # Constructors store what they were given; a part is anything that holds variables.
        if tracking.is_part(value) or name in ("_trainable",):
            tracking.note_change()
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        tracking.note_change()
        value = self.__dict__.get(name)
        if isinstance(value, Variable) and "_own_variables" in self.__dict__:
            self._own_variables = [v for v in self._own_variables if v is not value]
        object.__delattr__(self, name)

    def _direct_variables(self) -> list[Variable]:
        """Variables that belong to this layer itself: trainable first, each group in order."""
        found = list(self._own_variables)
        known = {id(v) for v in found}
        for _, part in tracking.parts_of(self):
            if isinstance(part, Variable) and id(part) not in known:
                known.add(id(part))
                found.append(part)
        return [v for v in found if v.trainable] + [v for v in found if not v.trainable]

    def _direct_layers(self) -> list[Layer]:
        return [part for _, part in tracking.parts_of(self) if isinstance(part, PartHolder)]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        """This layer and those within it, depth first, each once."""
        seen: set[int] = set()
        found: list[Layer] = []

        def visit(layer: Layer, add: bool) -> None:
            if id(layer) in seen:
                return
            seen.add(id(layer))
            if add:
                found.append(layer)
            if recursive or layer is self:
                for child in layer._direct_layers():
                    visit(child, True)

        visit(self, include_self)
        return found

    def _collect(self, own: Callable[[Layer], list[Any]]) -> list[Any]:
        seen: set[int] = set()
        found = []
        for layer in self._flatten_layers():
            for item in own(layer):
                if id(item) not in seen:
                    seen.add(id(item))
                    found.append(item)
        return found

    @property
    def weights(self) -> list[Variable]:
        """All variables but those of metrics and seed generators, Keras's order."""
        return self._collect(lambda layer: layer._direct_variables())

    @property
    def variables(self) -> list[Variable]:
        """All variables, seed generators' included, metrics' not."""
        return self._collect(lambda layer: layer._direct_variables() + layer._seed_states())

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables the optimizer changes."""
        found: list[Variable] = []
        seen: set[int] = set()

        def visit(layer: Layer) -> None:
            if id(layer) in seen or not layer.trainable:
                return  # a frozen layer freezes all within it
            seen.add(id(layer))
            for variable in layer._direct_variables():
                if variable.trainable and id(variable) not in seen:
                    seen.add(id(variable))
                    found.append(variable)
            for child in layer._direct_layers():
                visit(child)

        visit(self)
        return found

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables the optimizer leaves alone."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """`weights` that are not trainable."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def metrics(self) -> list[Metric]:
        """Metrics set as attributes here or in layers within."""
        return self._collect(
            lambda layer: [p for _, p in tracking.parts_of(layer) if isinstance(p, Metric)]
        )

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [v for metric in self.metrics for v in metric.variables]

    def _seed_states(self) -> list[Variable]:
        return [p.state for _, p in tracking.parts_of(self) if isinstance(p, SeedGenerator)]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes this layer's variables; setting it reaches all within.

        It is read when `fit` begins. Where an optimizer has trained already, call `compile` again
        after changing it (see `Model.compile`); else `fit` is refused. A frozen
        BatchNormalization normalizes by its moving statistics and leaves them as they are.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
