"""SavedModel folders that tf.keras 2 wrote: the layers come from its metadata, not from the graph.

So a model is what it was: it trains, is changed and saved again. `keras_metadata.py` tells what is
in a folder.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from nacre.core.errors import FileFormatError, NacreError, message
from nacre.core.file_errors import naming
from nacre.core.identity import KEY
from nacre.core.registry import (
    CustomObjectScope,
    deserialize_keras_object,
    get_registered_object,
    on_object_created,
)
from nacre.models import mask_flow
from nacre.models.old_graphs import calls as old_calls
from nacre.optimizers import Optimizer
from nacre.saving.formats import checkpoint
from nacre.saving.formats.native import compile_model, require_model
from nacre.saving.keras_metadata import GRAPH_KINDS, KerasObject, KerasObjects
from nacre.saving.keras_tables import Tables
from nacre.saving.lambdas import take_out_code
from nacre.saving.migrate import migrate_config
from nacre.saving.migrate_training import migrate_training
from nacre.saving.old_arguments import settle_compile

# Where the entry of a layer in a config says which object of the tree it is.
_PLACE = "saved_at"


def load(folder: Path, who: str, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    """The model in a SavedModel folder of tf.keras 2.

    Args:
        folder: The folder.
        who: What errors call it.
        custom_objects: name -> class or function.
        compile: Whether it is compiled as it was.
    """
    objects = KerasObjects(folder, who)
    root = objects.root
    if root is None:
        return open_program(folder)
    layers = _Layers(objects)
    with CustomObjectScope(custom_objects):
        with naming(who, "the metadata of Keras"):
            model = _made(root, objects, layers, folder)
            require_model(model)
            _build(model, root)
        training = root.metadata.get("training_config") if compile else None
        if isinstance(training, dict):
            with naming(who, "training_config"):
                training = settle_compile(migrate_training(training, model), objects.version)
            compile_model(model, training, who)
        is_compiled = isinstance(getattr(model, "optimizer", None), Optimizer)
        with naming(who, "variables"):
            checkpoint.restore(
                model, objects.checkpoint, who, _names(objects), is_compiled, layers.known_places
            )
            layers.restore_states()
    mask_flow.set_end_at_ops(model, True)
    return model


def _made(root: KerasObject, objects: KerasObjects, layers: _Layers, folder: Path) -> Any:
    """The model that the metadata describes; what no class is at hand for, by functions."""
    is_graph = root.identifier in GRAPH_KINDS
    if root.config is None or not (is_graph or get_registered_object(root.class_name) is not None):
        source = _source(folder, objects)
        if not source.can_compute(root):
            raise _unknown_class(root, objects.who)
        layers.known_places = source.places()
        return source.model(root)
    config = {"class_name": root.class_name, "config": root.config}
    config = migrate_config(config, objects.version)
    _tell_places(config, 0, objects)
    try:
        return _deserialized(config, objects.who, layers)
    except NacreError:
        source = _source(folder, objects)
        factories: dict[str, Any] = {}
        if is_graph:
            _revive(config, source, objects, factories)
        if not factories:
            raise
        layers.known_places = source.places()
        with CustomObjectScope(factories):
            return _deserialized(config, objects.who, layers)


def _source(folder: Path, objects: KerasObjects) -> Any:
    # Hundreds of ops, for those who open such files.
    return importlib.import_module("nacre.saving.revived").Source(folder, objects)


def _deserialized(config: dict[str, Any], who: str, on_created: Any) -> Any:
    config, functions = take_out_code(config, who)
    with CustomObjectScope(functions), on_object_created(on_created):
        return deserialize_keras_object(config)


def _revive(
    data: dict[str, Any], source: Any, objects: KerasObjects, factories: dict[str, Any]
) -> None:
    """Let the layers of a graph that cannot be made from their configs be made by `factories`."""
    for layer in data["config"]["layers"]:
        inner, place = layer.get("config"), layer.get(_PLACE)
        if isinstance(inner, dict) and isinstance(inner.get("layers"), list):
            _revive(layer, source, objects, factories)
            continue
        found = objects.at(place) if isinstance(place, int) else None
        if found is None or not source.can_compute(found) or _can_be_made(layer, objects.who):
            continue
        name = f"layer of the file at {place}"
        factories[name] = _Factory(source, found)
        layer |= {"class_name": name, "registered_name": name, "module": None}
        layer["config"] = {"name": found.name}


def _can_be_made(layer: dict[str, Any], who: str) -> bool:
    if layer["class_name"] in old_calls.CLASSES:
        return True  # a call of a function, which is no layer here
    kept = {key: value for key, value in layer.items() if key not in ("inbound_nodes", _PLACE)}
    try:
        _deserialized(kept, who, lambda *_: None)
    except NacreError:
        return False
    return True


class _Factory:
    """Stands for the class of a layer that functions of the file compute."""

    def __init__(self, source: Any, found: KerasObject) -> None:
        self._source, self._found = source, found

    def from_config(self, config: dict[str, Any]) -> Any:
        """The layer, whatever its config."""
        return self._source.layer(self._found)


def open_program(path: Path) -> Any:
    """A SavedModel that is none of Keras's, or a frozen graph, as something that is called."""
    # Hundreds of ops, for those who open such files.
    program = importlib.import_module("nacre.export.importers.tensorflow.program")
    return program.open_saved_model(path)


def _unknown_class(root: KerasObject, who: str) -> FileFormatError:
    name = root.class_name.rpartition(">")[2]
    return FileFormatError(
        message(
            f"{who}, {root.class_name} '{root.name}'",
            "the class of a model must be at hand, and tell what it is made from in get_config()",
            f"'{root.class_name}', which is not registered",
            f"load_model(path, custom_objects={{{name!r}: {name}}}).",
        )
    )


def _tell_places(data: dict[str, Any], place: int, objects: KerasObjects) -> None:
    data[_PLACE] = place
    data[KEY] = -1 - place  # one layer in two graphs is one object; no number of Keras is negative
    inner = data.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list):
        return
    known = objects.layers_of(place)
    found = [known.pop(_name(layer), None) for layer in layers]
    for layer, of in zip(layers, found, strict=True):
        if of is None and isinstance(layer, dict) and layer.get("config") == {}:
            # A class without a get_config(), of which Keras tells nothing: the next one of it.
            own = (name for name, o in known.items() if o.class_name == layer.get("class_name"))
            of = known.pop(next(own, ""), None)
        if of is not None:
            _tell_places(layer, of.place, objects)


def _name(layer: Any) -> str:
    """The name of a layer in a config, where it has one."""
    arguments = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(arguments, dict):
        return ""
    return str(arguments.get("name") or layer.get("name") or "")


class _Layers:
    """The layers that are made, by place; each gets its vocabulary before the graph calls it."""

    def __init__(self, objects: KerasObjects) -> None:
        self._objects, self._tables = objects, Tables(objects)
        self._layers: dict[int, Any] = {}
        self.known_places: dict[int, int] = {}  # of variables that have their values

    def __call__(self, instance: Any, config: dict[str, Any]) -> None:
        place = config.get(_PLACE)
        if not isinstance(place, int):
            return
        self._layers[place] = instance
        if hasattr(instance, "set_vocabulary"):
            found = self._tables.vocabulary(place)
            if found is not None:
                instance.set_vocabulary(*found)

    def restore_states(self) -> None:
        """Set the states that recurrent layers carry from batch to batch."""
        file, there = self._objects.checkpoint, self._objects.checkpoint_places
        for place, layer in self._layers.items():
            states = _child(self._objects, place, "keras_api", "states")
            if states is None or not getattr(layer, "stateful", False):
                continue
            children = sorted(self._objects.children(states).items(), key=lambda c: c[0])
            arrays = [file.array(there[at]) for _, at in children if at in there]
            found = [array.read() for array in arrays if array is not None]
            if found and len(found) == len(children):
                layer.reset_states(found)


def _child(objects: KerasObjects, place: int, *names: str) -> int | None:
    """What an object holds under an attribute of an attribute."""
    for name in names:
        found = objects.children(place).get(name)
        if found is None:
            return None
        place = found
    return place


def _names(objects: KerasObjects) -> dict[int, str]:
    """Place of a layer in the checkpoint -> its name."""
    there = objects.checkpoint_places
    return {there[o.place]: o.name for o in objects.layers() if o.place in there}


def _build(model: Any, root: KerasObject) -> None:
    """Make the variables of a model of one's own, for the inputs it was saved with."""
    if model.built:
        return
    specs = _specs(root.metadata.get("save_spec"))
    if specs is not None:
        model.build_from_config(specs)
    elif root.metadata.get("build_input_shape") is not None:
        model.build(root.metadata["build_input_shape"])


def _specs(spec: Any) -> dict[str, Any] | None:
    """What Keras wrote of the inputs as shapes and dtypes, in the structure of the inputs."""
    if spec is None:
        return None

    def part(node: Any, index: int) -> Any:
        if isinstance(node, dict) and node.get("class_name") == "TypeSpec":
            return node["serialized"][index]
        if isinstance(node, dict):
            return {key: part(value, index) for key, value in node.items()}
        return [part(value, index) for value in node]

    def free(shape: Any) -> Any:
        return shape

    return {"input_shape": free(part(spec, 0)), "input_dtype": part(spec, 1)}


__all__ = ["load"]
