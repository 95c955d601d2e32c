"""A SavedModel: functions, real variables, objects by attribute, signatures, how to restore.

    saved_model.pb                  one MetaGraphDef, tagged 'serve'
    variables/variables.*           a checkpoint: the variables, and the tree of objects again
    assets/                         empty

What the parts are for, as tried with TensorFlow 2.15.1 and 2.21: `tf.saved_model.load` reads the
objects, whose functions are those of the library, and restores variables by the tree in the
checkpoint; sessions and the C++ loader read the nodes of the main graph, its signatures and
`saver_def`, whose op restores by names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np

from nacre.core.names import with_underscores
from nacre.core.regions import Content
from nacre.core.wire.bundle import require_dtypes, write_data
from nacre.core.wire.tensorflow.dtypes import number_of
from nacre.core.wire.tensorflow.graph import (
    FunctionDef,
    FunctionDefLibrary,
    GraphDef,
    NodeDef,
    VersionDef,
)
from nacre.core.wire.tensorflow.objects import (
    OBJECTS,
    DictValue,
    FunctionSpec,
    ListValue,
    NamedTupleValue,
    NoneValue,
    PairValue,
    SavedBareConcreteFunction,
    SavedConcreteFunction,
    SavedFunction,
    SavedObject,
    SavedObjectGraph,
    SavedUserObject,
    SavedVariable,
    StructuredValue,
    TensorSpecProto,
    TrackableObject,
    TrackableObjectGraph,
    TupleValue,
    key_of,
    references,
    trackable,
)
from nacre.core.wire.tensorflow.saved_model import (
    FILE,
    VARIABLES,
    MetaGraphDef,
    MetaInfoDef,
    SavedModel,
    SaverDef,
    SignatureDef,
    TensorInfo,
)
from nacre.core.wire.tensorflow.tensors import shape_message
from nacre.export.graph.ir import Graph, Value
from nacre.export.targets.graphdef.body import (
    Attribute,
    Body,
    Callee,
    Kind,
    Kinds,
    Shape,
    attribute,
    own_name,
    texts_of,
)
from nacre.export.targets.graphdef.lower import Lowered, lower
from nacre.export.targets.graphdef.rules import cast_numbers

DEFAULT_SIGNATURE = "serving_default"
# The version whose ops these are; any newer TensorFlow reads it.
_TENSORFLOW = "2.15.0"
_PRODUCER, _MIN_CONSUMER = 1645, 12  # tensorflow/core/public/version.h of 2.15
_METHOD = "tensorflow/serving/predict"


class Spec(NamedTuple):
    """A tensor of a function's arguments or results.

    Attributes:
        name: Of the graph's input or output.
        dtype: What a caller gives, which is cast where the graph takes another one.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


# Dicts, lists and tuples of specs, and plain values of Python.
Structure = Any


class Call(NamedTuple):
    """One way to call a function: its graph, positional arguments, results."""

    graph: Graph
    arguments: tuple[Structure, ...]
    results: Structure


@dataclass
class Thing:
    """An object with attributes.

    Attributes:
        identifier: What TensorFlow makes of it.
        children: Attribute -> place.
    """

    identifier: str = "_generic_user_object"
    children: dict[str, int] = field(default_factory=dict)
    variable: SavedVariable | None = None
    value: np.ndarray[Any, Any] | None = None
    key: str = ""
    function: SavedFunction | None = None
    bare: SavedBareConcreteFunction | None = None


class Writer:
    """Collects what a SavedModel holds."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self._library: list[FunctionDef] = []
        self._variables: dict[str, int] = {}  # path -> place
        self._concrete: dict[str, SavedConcreteFunction] = {}
        self._signatures: dict[str, SignatureDef] = {}
        self._nodes: list[NodeDef] = []
        self._names: set[str] = set()  # of those nodes
        self._handles: dict[str, str] = {}
        self._lowered: dict[int, tuple[Graph, Lowered]] = {}
        self._extra: dict[str, np.ndarray[Any, Any] | bytes] = {}

    # --- objects ----------------------------------------------------------------------------------

    def add(self, thing: Thing) -> int:
        """A further object; gives its place. The first one is the root."""
        self.things.append(thing)
        return len(self.things) - 1

    def add_variable(
        self, path: str, name: str, value: np.ndarray[Any, Any], trainable: bool, key: str
    ) -> int:
        """A further variable.

        Args:
            path: What graphs call it.
            name: What TensorFlow calls it.
            key: Of its array in the checkpoint.
        """
        variable = SavedVariable(
            dtype=number_of(value.dtype.name),
            shape=shape_message(value.shape),
            trainable=trainable,
            name=name,
        )
        place = self.add(Thing(variable=variable, value=value, key=key))
        self._variables[path] = place
        return place

    def add_list(self, places: Sequence[int]) -> int:
        """A list of objects."""
        children = {str(index): place for index, place in enumerate(places)}
        return self.add(Thing("trackable_list_wrapper", children))

    def add_array(self, key: str, value: np.ndarray[Any, Any] | bytes) -> None:
        """An array of the checkpoint that is no object's."""
        self._extra[key] = value

    # --- functions --------------------------------------------------------------------------------

    def add_function(
        self, name: str, parameters: Sequence[str], defaults: Sequence[Any], calls: Sequence[Call]
    ) -> int:
        """A further function, which can be called in several ways."""
        names = [self._concrete_function(with_underscores(name), call) for call in calls]
        spec = FunctionSpec(
            fullargspec=_argument_spec(parameters, defaults), input_signature=_structured(None)
        )
        function = SavedFunction(concrete_functions=names, function_spec=spec)
        return self.add(Thing(function=function))

    def _concrete_function(self, name: str, call: Call) -> str:
        specs = specs_in(call.arguments)
        body = self._function(name, call.graph)
        unique = f"__inference_{name}_{len(self._library)}"
        self._library.append(self._forwarding(unique, body, specs, specs_in(call.results)))
        self._concrete[unique] = SavedConcreteFunction(
            bound_inputs=[self._variables[path] for path in body.bound],
            canonicalized_input_signature=_structured((call.arguments, {})),
            output_signature=_structured(call.results),
        )
        return unique

    def _function(self, name: str, graph: Graph) -> Lowered:
        """The function of a graph; one for all that call the same graph."""
        found = self._lowered.get(id(graph))
        if found is None:
            unique = f"__forward_{name}_{len(self._library)}"
            found = graph, lower(graph, unique, self._library)
            self._lowered[id(graph)] = found
        return found[1]

    def _forwarding(
        self, name: str, body: Lowered, inputs: Sequence[Spec], outputs: Sequence[Spec]
    ) -> FunctionDef:
        """A function that calls another one, with arguments and results in an order of its own."""
        graph = body.graph
        make = Body(name, self._library)
        given: dict[str, str] = {}
        for spec in inputs:
            tensor = make.argument(spec.name, spec.dtype, spec.shape)
            wanted = _input(graph, spec.name).dtype
            if wanted != spec.dtype:
                tensor = cast_numbers(make, tensor, spec.dtype, wanted)
            given[spec.name] = tensor
        resources = [make.argument("unknown", "resource") for _ in body.bound]
        arguments = [*(given[value.name] for value in graph.inputs), *resources]
        kinds = (*(v.dtype for v in graph.inputs), *("resource" for _ in resources))
        attributes: dict[str, Attribute] = {
            "Tin": Kinds(kinds),
            "Tout": Kinds(tuple(output.value.dtype for output in graph.outputs)),
            "f": Callee(body.name),
            "config": "",
            "config_proto": "",
            "executor_type": "",
        }
        if not graph.outputs:  # it is called for what it changes
            call = make.effect("StatefulPartitionedCall", arguments, **attributes)
            make.run_before_return(call)
            return make.finish([])
        results = make.add_all(
            "StatefulPartitionedCall", arguments, len(graph.outputs), **attributes
        )
        by_name = dict(zip((o.name for o in graph.outputs), results, strict=True))
        return make.finish([(spec.name, by_name[spec.name], spec.dtype) for spec in outputs])

    def add_signature(
        self, key: str, graph: Graph, inputs: Sequence[Spec], outputs: Sequence[Spec]
    ) -> int:
        """A further signature, by names; gives the place of its function."""
        inputs = sorted(inputs, key=lambda spec: spec.name)
        outputs = sorted(outputs, key=lambda spec: spec.name)
        plain = with_underscores(key)
        body = self._function(plain, graph)
        unique = f"__inference_signature_wrapper_{plain}_{len(self._library)}"
        self._library.append(self._forwarding(unique, body, inputs, outputs))
        self._concrete[unique] = SavedConcreteFunction(
            bound_inputs=[self._variables[path] for path in body.bound],
            canonicalized_input_signature=_structured(((), {s.name: s for s in inputs})),
            output_signature=_structured({s.name: s for s in outputs}),
        )
        self._serve(key, unique, body, inputs, outputs)
        spec = FunctionSpec(
            fullargspec=_argument_spec((), (), [s.name for s in inputs]),
            input_signature=_structured(None),
        )
        return self.add(
            Thing(
                bare=SavedBareConcreteFunction(
                    concrete_function_name=unique,
                    argument_keywords=[s.name for s in inputs],
                    allowed_positional_arguments=len(inputs),
                    function_spec=spec,
                )
            )
        )

    # --- the main graph ---------------------------------------------------------------------------

    def _node(self, name: str, op: str, inputs: Sequence[str] = (), **attributes: Attribute) -> str:
        """A further node; gives its name, which no other has."""
        name = own_name(name, self._names)
        attr = {key: attribute(value) for key, value in attributes.items()}
        self._nodes.append(NodeDef(name=name, op=op, input=list(inputs), attr=attr))
        return name

    def _handle(self, path: str) -> str:
        """The node of a variable."""
        found = self._handles.get(path)
        if found is None:
            value = self.things[self._variables[path]].value
            assert value is not None
            found = f"variable_{len(self._handles)}"
            self._node(
                found,
                "VarHandleOp",
                dtype=Kind(value.dtype.name),
                shape=Shape(value.shape),
                shared_name=found,
                container="",
            )
            self._handles[path] = found
        return found

    def _serve(
        self,
        key: str,
        function: str,
        body: Lowered,
        inputs: Sequence[Spec],
        outputs: Sequence[Spec],
    ) -> None:
        feeds = [
            self._node(
                f"{key}_{spec.name}_{index}",
                "Placeholder",
                dtype=Kind(spec.dtype),
                shape=Shape(spec.shape),
            )
            for index, spec in enumerate(inputs)
        ]
        handles = [self._handle(path) for path in body.bound]
        dtypes = (*(s.dtype for s in inputs), *("resource" for _ in handles))
        call = self._node(
            f"{key}_call",
            "StatefulPartitionedCall",
            [*feeds, *handles],
            Tin=Kinds(dtypes),
            Tout=Kinds(tuple(s.dtype for s in outputs)),
            f=Callee(function),
            config="",
            config_proto="",
            executor_type="",
        )
        self._signatures[key] = SignatureDef(
            inputs={s.name: _info(f"{feed}:0", s) for s, feed in zip(inputs, feeds, strict=True)},
            outputs={s.name: _info(f"{call}:{index}", s) for index, s in enumerate(outputs)},
            method_name=_METHOD,
        )

    def _saver(self) -> SaverDef:
        """What restores the variables of the main graph, and writes them."""
        filename = self._node(
            "saver_filename", "Placeholder", dtype=Kind("string"), shape=Shape(())
        )
        paths = sorted(self._variables, key=lambda path: self._variables[path])
        things = [self.things[self._variables[path]] for path in paths]
        if not things:
            saved = self._node("save", "Identity", [filename], T=Kind("string"))
            return _saver(filename, saved, self._node("restore_all", "NoOp"))
        names = self._node(
            "save/names", "Const", dtype=Kind("string"), value=texts_of(_keys(things))
        )
        slices = [""] * len(things)
        slices_node = self._node(
            "save/slices", "Const", dtype=Kind("string"), value=texts_of(slices)
        )
        dtypes = Kinds(tuple(_array(thing).dtype.name for thing in things))
        handles = [self._handle(path) for path in paths]
        read = [
            self._node(f"save/read_{i}", "ReadVariableOp", [handle], dtype=Kind(dtype))
            for i, (handle, dtype) in enumerate(zip(handles, dtypes.dtypes, strict=True))
        ]
        self._node("save/SaveV2", "SaveV2", [filename, names, slices_node, *read], dtypes=dtypes)
        saved = self._node("save/done", "Identity", [filename, "^save/SaveV2"], T=Kind("string"))
        self._node("restore", "RestoreV2", [filename, names, slices_node], dtypes=dtypes)
        assigned = [
            self._node(
                f"restore/assign_{i}",
                "AssignVariableOp",
                [handle, f"restore:{i}" if i else "restore"],
                dtype=Kind(dtypes.dtypes[i]),
            )
            for i, handle in enumerate(handles)
        ]
        done = self._node("restore_all", "NoOp", [f"^{name}" for name in assigned])
        return _saver(filename, saved, done)

    # --- files ------------------------------------------------------------------------------------

    def files(self) -> dict[str, Content]:
        """The files of the folder, by their paths in it; to be written in this order, as the index
        of the variables is known when these are.

        Raises:
            ValueError: TensorFlow has no dtype for an array.
        """
        saver = self._saver()
        graph = GraphDef(
            node=self._nodes,
            library=FunctionDefLibrary(function=self._library),
            versions=VersionDef(producer=_PRODUCER, min_consumer=_MIN_CONSUMER),
        )
        objects = SavedObjectGraph(
            nodes=[_saved(thing) for thing in self.things], concrete_functions=self._concrete
        )
        meta = MetaGraphDef(
            meta_info_def=MetaInfoDef(
                tags=["serve"], tensorflow_version=_TENSORFLOW, stripped_default_attrs=False
            ),
            graph_def=graph,
            saver_def=saver,
            signature_def=self._signatures,
            object_graph_def=objects,
        )
        model = SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
        arrays, index = self._arrays(), list[bytes]()
        require_dtypes(arrays)
        return {
            FILE: model.write(),
            f"{VARIABLES}.data-00000-of-00001": lambda region: index.append(
                write_data(region, arrays)[0]
            ),
            f"{VARIABLES}.index": lambda region: region.write(index[-1]),
        }

    def _arrays(self) -> dict[str, np.ndarray[Any, Any] | bytes]:
        arrays: dict[str, np.ndarray[Any, Any] | bytes] = dict(self._extra)
        tracked: list[TrackableObject] = []
        for thing in self.things:
            key, name = None, ""
            if thing.value is not None and thing.variable is not None:
                key, name = key_of(thing.key), thing.variable.name
                arrays[key] = thing.value
            tracked.append(trackable(thing.children.items(), name, key))
        arrays[OBJECTS] = TrackableObjectGraph(nodes=tracked).write()
        return arrays


def _saver(filename: str, saved: str, restored: str) -> SaverDef:
    return SaverDef(
        filename_tensor_name=f"{filename}:0",
        save_tensor_name=f"{saved}:0",
        restore_op_name=restored,
        version=2,  # SaverDef.V2: the checkpoint is a TensorBundle
    )


def _array(thing: Thing) -> np.ndarray[Any, Any]:
    assert thing.value is not None
    return thing.value


def _keys(things: Sequence[Thing]) -> list[str]:
    return [key_of(thing.key) for thing in things]


def _input(graph: Graph, name: str) -> Value:
    return next(value for value in graph.inputs if value.name == name)


def _info(tensor: str, spec: Spec) -> TensorInfo:
    return TensorInfo(
        name=tensor, dtype=number_of(spec.dtype), tensor_shape=shape_message(spec.shape)
    )


def _saved(thing: Thing) -> SavedObject:
    children = references(thing.children.items())
    if thing.variable is not None:
        return SavedObject(variable=thing.variable)
    if thing.function is not None:
        return SavedObject(function=thing.function)
    if thing.bare is not None:
        return SavedObject(bare_concrete_function=thing.bare)
    user = SavedUserObject(
        identifier=thing.identifier, version=VersionDef(producer=1, min_consumer=1)
    )
    return SavedObject(children=children, user_object=user)


# --- structures -----------------------------------------------------------------------------------


def specs_in(structure: Structure) -> list[Spec]:
    """The tensors of a structure in the order that TensorFlow flattens it: dicts by their keys."""
    if isinstance(structure, Spec):
        return [structure]
    if isinstance(structure, Mapping):
        mapping = cast("Mapping[str, Structure]", structure)
        return [spec for key in sorted(mapping) for spec in specs_in(mapping[key])]
    if isinstance(structure, list | tuple):
        items = cast("Sequence[Structure]", structure)
        return [spec for item in items for spec in specs_in(item)]
    return []


def _structured(value: Structure) -> StructuredValue:
    """A structure as a message."""
    match value:
        case None:
            return StructuredValue(none_value=NoneValue())
        case Spec():
            spec = TensorSpecProto(
                name=value.name, shape=shape_message(value.shape), dtype=number_of(value.dtype)
            )
            return StructuredValue(tensor_spec_value=spec)
        case bool():
            return StructuredValue(bool_value=value)
        case int():
            return StructuredValue(int64_value=value)
        case float():
            return StructuredValue(float64_value=value)
        case str():
            return StructuredValue(string_value=value)
        case tuple():
            items = cast("Sequence[Structure]", value)
            return StructuredValue(tuple_value=TupleValue(values=[_structured(x) for x in items]))
        case list():
            items = cast("Sequence[Structure]", value)
            return StructuredValue(list_value=ListValue(values=[_structured(x) for x in items]))
        case _:
            mapping = cast("Mapping[str, Structure]", value)
            fields = {key: _structured(item) for key, item in mapping.items()}
            return StructuredValue(dict_value=DictValue(fields=fields))


def _argument_spec(
    parameters: Sequence[str], defaults: Sequence[Any], keywords: Sequence[str] = ()
) -> StructuredValue:
    """What `inspect.getfullargspec` gives, as a message."""
    pairs: dict[str, Structure] = {
        "args": list(parameters),
        "varargs": None,
        "varkw": None,
        "defaults": tuple(defaults) if defaults else None,
        "kwonlyargs": list(keywords),
        "kwonlydefaults": None,
        "annotations": {},
    }
    values = [PairValue(key=key, value=_structured(value)) for key, value in pairs.items()]
    return StructuredValue(named_tuple_value=NamedTupleValue(name="FullArgSpec", values=values))


__all__ = [
    "DEFAULT_SIGNATURE",
    "Call",
    "Spec",
    "Structure",
    "Thing",
    "Writer",
    "specs_in",
]
