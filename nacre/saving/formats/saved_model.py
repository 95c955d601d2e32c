"""Write a model as a SavedModel folder: for TensorFlow, for tf.keras 2, and for nacre itself.

saved_model.pb, variables/    functions and real variables, for TensorFlow
keras_metadata.pb             configs of layers, for tf.keras 2
nacre/                        what is in a `.keras` file besides, for nacre (`own_part.py`)
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacre.core import regions, tree
from nacre.core.atomic import target_path, write_folder
from nacre.core.config import floatx
from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.core.wire.tensorflow.objects import METADATA, key_of
from nacre.core.wire.tensorflow.saved_model import FILE
from nacre.export.capture import capture
from nacre.export.graph.ir import Graph
from nacre.export.targets.saved_model.gaps import SUPPORT
from nacre.export.targets.saved_model.write import (
    DEFAULT_SIGNATURE,
    Call,
    Spec,
    Structure,
    Thing,
    Writer,
)
from nacre.layers.base import calling
from nacre.layers.base.layer import Layer
from nacre.models import Model
from nacre.optimizers import Optimizer
from nacre.saving import keras_objects, own_part
from nacre.saving.formats.checkpoint_writer import COUNTERS, Objects
from nacre.saving.formats.saved_model_check import (
    Comparison,
    Content,
    count_of_losses,
    of_signature,
)
from nacre.saving.formats.saved_model_parts import (
    by_key,
    for_tensorflow,
    input_specs,
    output_specs,
    structure_of,
)
from nacre.saving.weights import require_built
from nacre.training.function import ConcreteFunction, Function

# What a folder may hold that is replaced by another SavedModel.
KNOWN = frozenset(
    (FILE, METADATA, own_part.FOLDER, "variables", "assets", "assets.extra",
     "fingerprint.pb", "saved_model.pbtxt")
)  # fmt: skip


def save(
    model: Any, filepath: Any, include_optimizer: bool, signatures: Any, verify: bool, who: str
) -> None:
    """Write a folder, which takes its place when all of it is written and was read back.

    Those above it are made, as by TensorFlow: servers want 'models/flowers/1'.

    Raises:
        FileFormatError: What was written differs from memory, or computes something else.
    """
    files, content = to_files(model, include_optimizer, signatures, who)
    put_in_place(filepath, files, content if verify else None, who)


def put_in_place(
    filepath: Any, files: dict[str, regions.Content], content: Content | None, who: str
) -> None:
    """Write files as a folder, which is in its place when `content` was found in it."""
    Path(os.fsdecode(filepath)).parent.mkdir(parents=True, exist_ok=True)
    path = target_path(filepath, who)
    write_folder(path, files, None if content is None else content.check, KNOWN)


def to_files(
    model: Any, include_optimizer: bool, signatures: Any, who: str
) -> tuple[dict[str, regions.Content], Content]:
    """The files of the folder, by their paths in it, and what they must hold.

    Raises:
        UnsupportedOpError: Something the model computes has no form in TensorFlow; tells all.
        ArgumentError: A signature is none.
    """
    require_built(model, who)
    calls = _Calls(model, _signatures(signatures, who), who)
    SUPPORT.refuse(calls.graphs, who)
    return _Folder(model, calls, include_optimizer, who).files()


# --- what can be called ---------------------------------------------------------------------------


def _signatures(given: Any, who: str) -> dict[str, Function]:
    """Signatures by name; a function alone is the one that servers take."""
    if given is None:
        return {}
    found = given if isinstance(given, Mapping) else {DEFAULT_SIGNATURE: given}
    found = {n: f.of_arrays() if isinstance(f, ConcreteFunction) else f for n, f in found.items()}
    for name, function in found.items():
        if not isinstance(function, Function) or function.input_signature is None:
            kind = type(function).__name__
            raise ArgumentError(
                message(
                    f"{who}(signatures=...)",
                    "each must be a nacre.function that says what it takes",
                    f"{kind} for '{name}'"
                    + (" without an input_signature" if isinstance(function, Function) else ""),
                    "Write @nacre.function(input_signature=[nacre.KerasTensor((None, 4))]) before "
                    "the function.",
                )
            )
    return found


class _Calls:
    """What of a model is traced: both ways of calling it, and each signature."""

    def __init__(self, model: Any, signatures: Mapping[str, Function], who: str) -> None:
        args, kwargs = arguments_of(model, who)
        self.keywords = list(kwargs)
        inference = capture(model, *args, training=False, **kwargs)
        training = capture(model, *args, training=True, **kwargs)
        self.inference, self.training = for_tensorflow(inference), for_tensorflow(training)
        self.functions = signatures
        self.signatures = {
            name: for_tensorflow(capture(function, name=name))
            for name, function in signatures.items()
        }

    @property
    def graphs(self) -> list[Graph]:
        """All of it."""
        return [c.graph for c in (self.inference, self.training, *self.signatures.values())]

    @property
    def variables(self) -> list[Variable]:
        """All that is read, each once."""
        every = (self.inference, self.training, *self.signatures.values())
        return list({id(v): v for c in every for v in c.variables}.values())


def arguments_of(model: Any, who: str) -> tuple[list[Any], dict[str, Any]]:
    """What a model is called with: none for one that says so itself, by its inputs.

    Raises:
        ArgumentError: Nothing tells it.
    """
    if model._graph is not None:
        return [], {}
    called = model._called_with
    if called is None:  # it was made from a file
        build = model.get_build_config() or {}
        if build.get("input_shape") is None:
            rule = "the shapes of its inputs must be known"
            fix = "Call the model once on data."
            raise ArgumentError(message(who, rule, "a model that was not called yet", fix))
        shape, kinds = build["input_shape"], build.get("input_dtype")
        tensors = calling.tensors_for(shape, floatx())
        if kinds is not None:
            tensors = tree.map_structure(
                lambda t, kind: KerasTensor(t.shape, kind or t.dtype), tensors, kinds
            )
        called = calling.described({_parameters(model, 1)[0]: tensors})
    named = {name: _named(called[name], name) for name in called}
    first = _parameters(model, 1)[0]
    return [named.pop(first)] if first in named else [], named


def _named(structure: Any, path: str) -> Any:
    """Symbolic tensors with names: the parameter's, and their keys."""
    if isinstance(structure, KerasTensor):
        return KerasTensor(structure.shape, structure.dtype, name=path)
    if isinstance(structure, Mapping):
        return {key: _named(part, f"{path}_{key}") for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_named(p, f"{path}_{i}") for i, p in enumerate(structure))
    return structure


def _alone(argument: Structure) -> Structure:
    """A tensor in place of a list with nothing else in it, as tf.keras has it."""
    if isinstance(argument, list) and len(argument) == 1 and isinstance(argument[0], Spec):
        return argument[0]
    return argument


# --- the folder -----------------------------------------------------------------------------------


class _Folder:
    """A folder in the making."""

    def __init__(self, model: Any, calls: _Calls, include_optimizer: bool, who: str) -> None:
        self._model, self._calls, self._who = model, calls, who
        self._include_optimizer = include_optimizer
        self._writer = Writer()
        self._keras = keras_objects.KerasObjects(model, include_optimizer)
        self._keys: dict[int, str] = {}  # id of a variable -> key
        self._places: dict[int, int] = {}  # id of a variable -> place
        self._layers: list[tuple[int, str, Any]] = []

    def files(self) -> tuple[dict[str, regions.Content], Content]:
        self._add_objects()
        self._add_functions()
        if not self._keras.has_config(self._model):
            self._warn_of_losses()
        own, extra = own_part.to_files(self._model, self._include_optimizer, self._array_keys())
        for key, array in extra.items():
            self._writer.add_array(key, array)
        files = self._writer.files()
        files[METADATA] = self._keras.content(self._layers, self._arguments[0])
        arrays = {
            key_of(thing.key): thing.value
            for thing in self._writer.things
            if thing.value is not None
        }
        digest = own_part.digest_file(regions.as_bytes(files[FILE]))
        files |= {**own, **digest, "assets/": b""}
        everything = {**arrays, **extra}
        return files, Content(everything, self._comparisons(), self._who)

    def _comparisons(self) -> list[Comparison]:
        """The model's inference, and each signature."""
        calls, model = self._calls, self._model
        trainable = [v.value for v in model.trainable_variables]
        others = [v.value for v in model.non_trainable_variables]

        def in_memory(*given: Any) -> Any:
            count = len(given) - len(calls.keywords)
            named = dict(zip(calls.keywords, given[count:], strict=True))
            given = given[:count]
            return model.stateless_call(trainable, others, *given, training=False, **named)[0]

        found = [Comparison("", calls.inference, self._arguments, lambda p: p, in_memory)]
        for name, captured in calls.signatures.items():
            args, _ = captured.structure
            arguments = [structure_of(arg, input_specs(captured)) for arg in args]
            function = calls.functions[name].python_function
            found.append(of_signature(name, captured, arguments, function))
        return found

    def _warn_of_losses(self) -> None:
        """Say which losses tf.keras has not, as it makes the model of its functions: all but those
        of variables whose layers have a config."""
        kept = {
            id(variable)
            for layer in self._model._flatten_layers()
            if layer is not self._model and self._keras.has_config(layer)
            for variable in layer.trainable_variables
            if variable.regularizer is not None
        }
        lost = count_of_losses(self._model, self._arguments) - len(kept)
        if lost > 0:
            warn(
                message(
                    self._who,
                    "tf.keras 2.15 makes this model of its functions, which give no losses of "
                    "add_loss, of activities, and of layers that it has not",
                    f"{lost} of them; the model trains there without them",
                    "nacre opens the folder with all of them. For tf.keras, add them to the loss "
                    "of compile().",
                )
            )

    def _array_keys(self) -> dict[int, str]:
        return {own: key_of(key) for own, key in self._keys.items()}

    def _add_objects(self) -> None:
        """The model, its layers and variables, by attributes, as tf.keras has them."""
        objects = Objects(self._who)
        objects.add(self._model, "")
        optimizer = getattr(self._model, "optimizer", None)
        is_compiled = getattr(self._model, "compiled", False) and self._include_optimizer
        if is_compiled and isinstance(optimizer, Optimizer):
            objects.add_optimizer(optimizer, self._model)
        objects.add_seeds(self._model)
        for found in objects.objects:
            if found.variable is not None:
                self._add_variable(found.variable, found.name, found.path)
            else:
                identifier = self._keras.identifier(found.thing)
                self._writer.add(Thing(identifier or "_generic_user_object"))
        for place, found in enumerate(objects.objects):
            self._writer.things[place].children |= dict(found.children)
        self._layers = _paths(objects)
        outside = [v for v in self._calls.variables if id(v) not in self._keys]
        for number, variable in enumerate(outside):
            place = self._add_variable(variable, variable.path, f"nacre_outside_{number}")
            self._writer.things[0].children[f"nacre_outside_{number}"] = place

    def _add_variable(self, variable: Variable, name: str, key: str) -> int:
        array = variable.on_host()
        if key in COUNTERS:
            array = array.astype("int64")  # as in TensorFlow
        trainable = bool(variable.trainable)
        place = self._writer.add_variable(key, name, array, trainable, key)
        self._keys[id(variable)], self._places[id(variable)] = key, place
        return place

    def _add_functions(self) -> None:
        calls, model = self._calls, self._model
        graphs = {
            id(c): by_key(c, self._keys)
            for c in (calls.inference, calls.training, *calls.signatures.values())
        }
        args, kwargs = calls.inference.structure
        specs = input_specs(calls.inference)
        named = [kwargs[name] for name in calls.keywords]
        self._arguments = [_alone(structure_of(arg, specs)) for arg in (*args, *named)]
        results = structure_of(calls.inference.outputs, output_specs(calls.inference))
        count = len(self._arguments) - len(calls.keywords)
        parameters = [*_parameters(model, count), *calls.keywords]
        variants = [
            (graphs[id(calls.training)], True),
            (graphs[id(calls.inference)], False),
        ]
        both = [Call(graph, (*self._arguments, flag, None), results) for graph, flag in variants]
        names = [*parameters, "training", "mask"]
        writer, root = self._writer, self._writer.things[0]
        call = writer.add_function("call", names, [False, None], both)
        with_losses = writer.add_function(
            "call_and_return_conditional_losses",
            names,
            [False, None],
            [c._replace(results=(c.results, [])) for c in both],
        )
        weights = [self._places[id(v)] for v in model.weights if id(v) in self._places]
        trainable = [self._places[id(v)] for v in model.trainable_weights if id(v) in self._places]
        lists = {
            "variables": writer.add_list(weights),
            "trainable_variables": writer.add_list(trainable),
            "regularization_losses": writer.add_list([]),
        }
        functions = {
            "__call__": call,
            "call_and_return_all_conditional_losses": with_losses,
            "call_and_return_conditional_losses": with_losses,
        }
        api = writer.add(Thing(children={**lists, **functions}))
        signatures = self._add_signatures(graphs)
        default = signatures.get(DEFAULT_SIGNATURE)
        root.children |= lists
        del functions["call_and_return_conditional_losses"]
        root.children |= functions
        root.children["keras_api"] = api
        if default is not None:
            root.children["_default_save_signature"] = default
        root.children["signatures"] = writer.add(Thing("signature_map", signatures))

    def _add_signatures(self, graphs: Mapping[int, Graph]) -> dict[str, int]:
        found: dict[str, int] = {}
        chosen = dict(self._calls.signatures)
        chosen.setdefault(DEFAULT_SIGNATURE, self._calls.inference)
        for key, captured in chosen.items():
            graph = graphs[id(captured)]
            inputs = list(input_specs(captured).values())
            outputs = list(output_specs(captured).values())
            found[key] = self._writer.add_signature(key, graph, inputs, outputs)
        return found


def _parameters(model: Any, count: int) -> list[str]:
    """What the arguments of a model are called."""
    names = [
        name
        for name in inspect.signature(model.call).parameters
        if name not in ("training", "mask", "kwargs")
    ][:count]
    if isinstance(model, Model) and model._graph is not None:
        names = ["inputs"]
    return names + [f"input_{index}" for index in range(len(names), count)]


def _paths(objects: Objects) -> list[tuple[int, str, Any]]:
    """Place, path by attributes from the root, and layer, of each layer."""
    paths = {0: "root"}
    waiting = [0]
    while waiting:
        place = waiting.pop(0)
        for name, child in objects.objects[place].children:
            if child not in paths:
                paths[child] = f"{paths[place]}.{name}"
                waiting.append(child)
    return [
        (place, paths[place], found.thing)
        for place, found in enumerate(objects.objects)
        if isinstance(found.thing, Layer) and place in paths
    ]


__all__ = ["KNOWN", "arguments_of", "put_in_place", "save", "to_files"]
