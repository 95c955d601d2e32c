"""Layers and models of tf.keras 2 whose class is not at hand: functions of their file compute them.

A SavedModel holds for each layer what its `call` was traced to, with `training` True and False.
Such a layer has the variables of the layer it was, under the attributes they had, and assigns what
its functions assign, so it trains. What no function tells is lost: the config, other methods, and
the masks it would have passed on.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from nacre.core import tree
from nacre.core.context import current
from nacre.core.errors import SerializationError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.core.wire.tensorflow.dtypes import name_of
from nacre.export.importers.tensorflow.calls import Function
from nacre.export.importers.tensorflow.program import SavedModelProgram, open_saved_model
from nacre.export.importers.tensorflow.structures import TensorSpec
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.host_layer import Recording
from nacre.models import Model
from nacre.models.host_stage import HostStage
from nacre.saving.keras_metadata import LAYER_KINDS, KerasObject, KerasObjects

# What Keras keeps beside a layer's own attributes.
_ASIDE = frozenset(
    "variables trainable_variables non_trainable_variables regularization_losses keras_api "
    "optimizer signatures".split()
)
_CALL = "call_and_return_conditional_losses"


class _Revived(Layer):
    """What layers and models have in common."""

    casts_inputs = False  # the functions do
    _takes_strings = True  # they say whether they do

    def _take(self, source: Source, found: KerasObject) -> None:
        """Take the attributes of an object of the file."""
        self._class_name = found.class_name
        self._function, self._program = source.function(found), source.program
        self._reads_strings = any(
            isinstance(spec, TensorSpec) and name_of(spec.dtype) == "string"
            for spec in tree.flatten(self._function.input_structure())
        )
        self._takes_training = "training" in self._function.argument_names
        for name, value in source.attributes(found.place):
            # A name that is a method or a property here keeps its meaning; the variables are held.
            setattr(self, name if not hasattr(self, name) else f"saved_{name}", value)
        held = {id(variable) for variable in self.variables}
        self.other_variables = [v for v in source.variables(found.place) if id(v) not in held]
        self.built = True
        if found.metadata.get("trainable") is False:
            self.trainable = False

    def add_penalties(self, source: Source, found: KerasObject) -> None:
        """Add the penalties on weights, of what is within too, which no other function gives."""
        for penalty in source.penalties(found.place):
            self.add_loss(penalty)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What the layer's own `call` gave, by its functions in the file."""
        keywords = {"training": bool(training)} if self._takes_training else {}
        calls = current().host_calls
        if self._reads_strings and self._takes_training and calls is not None:
            # The host's part of both is made for each batch, in this order.
            is_recording = isinstance(calls, Recording)
            if training or is_recording:
                with self._program.trial():
                    self._function(inputs, training=False)
            if is_recording:
                keywords = {"training": True}
        outputs, losses = self._function(inputs, **keywords)
        for loss in tree.flatten(losses):
            self.add_loss(loss)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs, as the file tells them."""
        return tree.map_structure(
            lambda spec: KerasTensor(spec.shape or (), name_of(spec.dtype)),
            self._function.output_structure()[0],
        )

    def get_config(self) -> NoReturn:
        """Raises: only the layer's class tells its config."""
        raise SerializationError(
            message(
                f"{self._class_name} '{self.name}', opened from its functions",
                "what is saved whole must be made again from a config, which its class tells",
                f"no class '{self._class_name}'",
                "Save the weights with save_weights(path); or open the folder with "
                f"load_model(path, custom_objects={{{self._class_name!r}: ...}}).",
            )
        )


class RevivedLayer(_Revived):
    """A layer that functions of a SavedModel compute."""

    def __init__(self, source: Source, found: KerasObject) -> None:
        super().__init__(name=found.name)
        self._take(source, found)


class RevivedModel(_Revived, Model):
    """A model that functions of a SavedModel compute."""

    def __init__(self, source: Source, found: KerasObject) -> None:
        super().__init__(name=found.name)
        self._take(source, found)
        self.add_penalties(source, found)

    def _host_stage(self, x: Any, who: str) -> Any:
        """What makes numbers of strings for each batch, as its functions do."""
        return HostStage(self, who) if self._reads_strings else super()._host_stage(x, who)

    def _runs_eagerly(self) -> bool:
        # Predictions are made batch by batch, as in a call: no compiled program takes strings.
        return self._reads_strings or super()._runs_eagerly()


class Source:
    """A SavedModel folder: its program, and what Keras tells about the objects in it.

    Args:
        folder: The folder.
        objects: What Keras wrote.
    """

    def __init__(self, folder: Path, objects: KerasObjects) -> None:
        self._folder, self._objects = folder, objects
        self._layers: dict[int, RevivedLayer] = {}
        self._penalties: set[tuple[str, ...]] = set()  # functions that give one, by name

    @cached_property
    def program(self) -> SavedModelProgram:
        program = open_saved_model(self._folder)
        for place, node in enumerate(self._objects.nodes):
            if node.variable is not None:
                variable = program.object_at(place)
                if isinstance(variable, Variable) and node.variable.name:
                    variable.path = node.variable.name
        return program

    def can_compute(self, found: KerasObject) -> bool:
        """Whether the file has functions of a layer; not where it was saved without traces."""
        return self._call_place(found) is not None

    def _call_place(self, found: KerasObject) -> int | None:
        children = self._objects.children(found.place)
        inner = self._objects.children(children["keras_api"]) if "keras_api" in children else {}
        place = inner.get(_CALL)
        function = None if place is None else self._objects.nodes[place].function
        return place if function is not None and function.concrete_functions else None

    def function(self, found: KerasObject) -> Function:
        """What computes a layer, and gives the losses it adds."""
        place = self._call_place(found)
        assert place is not None
        return self.program.object_at(place)

    def variables(self, place: int) -> list[Variable]:
        """The variables of a layer in its order, those within among them."""
        children = self._objects.children(place)
        listed = self._objects.children(children["variables"]) if "variables" in children else {}
        found = [self.program.object_at(at) for _, at in sorted(listed.items(), key=_number)]
        return [value for value in found if isinstance(value, Variable)]

    def places(self) -> dict[int, int]:
        """id of a variable -> its place in the checkpoint."""
        there = self._objects.checkpoint_places
        return {
            id(self.program.object_at(place)): there[place]
            for place, node in enumerate(self._objects.nodes)
            if node.variable is not None and place in there
        }

    def penalties(self, place: int) -> list[Function]:
        """What gives penalties on weights of an object and of all within, each once for the whole
        file: an object has those of what is directly within, too."""
        found: list[Function] = []
        waiting, seen = [place], {place}
        while waiting:
            children = self._objects.children(waiting.pop(0))
            at = children.get("regularization_losses")
            listed = {} if at is None else self._objects.children(at)
            for _, inner in sorted(listed.items(), key=_number):
                function = self._objects.nodes[inner].function
                name = () if function is None else tuple(function.concrete_functions)
                if name and name not in self._penalties:
                    self._penalties.add(name)
                    found.append(self.program.object_at(inner))
            within = [at for name, at in children.items() if name not in _ASIDE and at not in seen]
            seen.update(within)
            waiting += within
        return found

    def model(self, found: KerasObject) -> RevivedModel:
        """The model at a place."""
        return RevivedModel(self, found)

    def layer(self, found: KerasObject) -> RevivedLayer:
        """The layer at a place, which is made once, with its penalties."""
        layer = self._inner_layer(found)
        layer.add_penalties(self, found)
        return layer

    def _inner_layer(self, found: KerasObject) -> RevivedLayer:
        """The same without penalties: those of a layer within another are added by the other."""
        if found.place not in self._layers:
            self._layers[found.place] = RevivedLayer(self, found)
        return self._layers[found.place]

    def attributes(self, place: int) -> list[tuple[str, Any]]:
        """The variables and layers of an object, by the names of its attributes."""
        found: list[tuple[str, Any]] = []
        for name, at in self._objects.children(place).items():
            if name in _ASIDE or not name.isidentifier() or name.startswith("_"):
                continue
            value = self._value(at)
            if value is not None:
                found.append((name, value))
        return found

    def _value(self, place: int) -> Any:
        """A variable, a layer, or a list or dict of such; None for anything else."""
        node, layer = self._objects.nodes[place], self._objects.at(place)
        if node.variable is not None:
            value = self.program.object_at(place)
            return value if isinstance(value, Variable) else None
        if layer is not None and layer.identifier in LAYER_KINDS:
            return self._inner_layer(layer) if self.can_compute(layer) else None
        kind = "" if node.user_object is None else node.user_object.identifier
        children = self._objects.children(place)
        if kind in ("trackable_list_wrapper", "trackable_tuple_wrapper"):
            values = [self._value(at) for _, at in sorted(children.items(), key=_number)]
            return [value for value in values if value is not None] or None
        if kind == "trackable_dict_wrapper":
            values = {name: self._value(at) for name, at in children.items()}
            return {name: value for name, value in values.items() if value is not None} or None
        return None


def _number(item: tuple[str, int]) -> int:
    return int(item[0]) if item[0].isdigit() else 0


__all__ = ["RevivedLayer", "RevivedModel", "Source"]
