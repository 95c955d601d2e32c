"""`open_saved_model`: a SavedModel, or a frozen graph, as something that is called.

Source: tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto. Variables get
their values by running the graph's own restore op, tables by its own init op.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nacre.core import safety
from nacre.core.errors import (
    ArgumentError,
    FileFormatError,
    NacreError,
    NotThereError,
    ShapeError,
    listed,
    message,
    nearest,
)
from nacre.core.file_errors import naming
from nacre.core.links import foreign
from nacre.core.random import draw_key
from nacre.core.variable import Variable
from nacre.core.wire.bundle import files_of
from nacre.core.wire.tensorflow.dtypes import dtype_of
from nacre.core.wire.tensorflow.graph import GraphDef, NodeDef
from nacre.core.wire.tensorflow.objects import (
    OBJECTS,
    VALUE,
    SavedObject,
    SavedObjectGraph,
    TrackableObjectGraph,
    children_of,
    places_in,
)
from nacre.core.wire.tensorflow.saved_model import (
    FILE,
    VARIABLES,
    MetaGraphDef,
    SavedModel,
    SignatureDef,
    TensorInfo,
    VariableDef,
)
from nacre.export.importers.tensorflow import ops as ops  # they register themselves
from nacre.export.importers.tensorflow.calls import (
    WHO,
    Function,
    Signature,
    Unwrapped,
    given_back,
    is_wide,
)
from nacre.export.importers.tensorflow.compiled import Compiled
from nacre.export.importers.tensorflow.frames import with_functions
from nacre.export.importers.tensorflow.plan import Gradient, Library, missing_ops
from nacre.export.importers.tensorflow.run import Resources, Run, execute
from nacre.export.importers.tensorflow.structures import (
    decoded,
)
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    NotKnownError,
    Restored,
    of_bytes,
)

_HIDDEN = "__saved_model"  # signatures that are run on opening
_DEFAULTS = ("__call__", "serve", "call")  # what is called when the model itself is


def open_saved_model(path: Any, tags: Sequence[str] | str | None = None) -> SavedModelProgram:
    """Open a SavedModel of TensorFlow, or a frozen graph, as something that computes with nacre.

    Nothing of TensorFlow is needed. The graph's operations are computed by JAX, compiled for each
    new shape; strings, lookup tables and picture files are worked on by the host. Variables are
    nacre's: they can be read, set and trained, through `jax.grad`, `GradientTape`, or as those of
    `nacre.layers.TFSMLayer`.

    Args:
        path: The folder with `saved_model.pb`, or the file of a frozen graph, `graph.pb`.
        tags: Those of the graph to open where the file holds several; by default `serve`, or the
            only one.

    Returns:
        A `SavedModelProgram`: `signatures` by name, what it was saved with by attribute.

    Raises:
        FileFormatError: It is damaged, or has no graph of these tags.
        UnsupportedError: On calling: the graph has operations that nacre does not compute; all of
            them are told at once.
    Source:
        Interface: tf.saved_model.load of TensorFlow 2.15. Differs: random numbers are nacre's. What
        TensorFlow stops at on a CPU (places outside of their arrays, whole numbers divided by 0)
        stops a call, in loops and branches too, and not a program that is traced around it, as a
        step of `fit`: there what the graph gives is NaN, of whole numbers the smallest. `tf.Assert`
        stops calls alone.
    Example:
        >>> program = open_saved_model("resnet")                          # doctest: +SKIP
        >>> program.signatures["serving_default"](images)["logits"].shape  # doctest: +SKIP
        (8, 1000)
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    if path.is_dir() and (found := foreign(file)) is not None:
        rule = "the files of a model must be plain files, not links out of their folder"
        raise FileFormatError(message(f"'{path.name}'", rule, found))
    try:
        data = file.read_bytes()
    except OSError as error:
        rule = "a SavedModel is a folder with saved_model.pb, a frozen graph a file"
        raise FileFormatError(message(WHO, rule, f"'{file}': {error.strerror}")) from None
    with safety.reading(True), _of_file(path.name):
        if data[:1] == b"\x0a":  # a GraphDef begins with its nodes, a SavedModel with a version
            safety.set_file_size(len(data))
            graph = with_functions(GraphDef.read(data))
            return SavedModelProgram(None, frozen_graph(graph), path.name)
        graphs = SavedModel.read(data).meta_graphs
        arrays = (file.parent / "variables").glob("variables.data-*")
        safety.set_file_size(len(data) + sum(part.stat().st_size for part in arrays))
        return SavedModelProgram(file.parent, _chosen(graphs, tags), path.name)


@contextlib.contextmanager
def _of_file(name: str) -> Generator[None]:
    """What a graph says that cannot be is an error that names the file, when it is found."""
    file = f"'{name}'"
    with naming(file, "the graph"):
        try:
            yield
        except NacreError:
            raise
        except ValueError as error:  # of the graph, and of tensors in it
            rule = "it must hold a graph of TensorFlow that can be computed"
            raise FileFormatError(message(file, rule, str(error))) from error


def _chosen(graphs: list[MetaGraphDef], tags: Sequence[str] | str | None) -> MetaGraphDef:
    of = [sorted(g.meta_info_def.tags) if g.meta_info_def is not None else [] for g in graphs]
    wanted = ["serve"] if tags is None else sorted([tags] if isinstance(tags, str) else tags)
    if wanted in of:
        return graphs[of.index(wanted)]
    if tags is None and graphs:
        with_serve = [graph for graph, own in zip(graphs, of, strict=True) if "serve" in own]
        return (with_serve or graphs)[0]
    there = listed([" ".join(own) or "none" for own in of]) or "no graph"
    raise FileFormatError(message(WHO, f"a graph of tags {wanted} is asked for", f"tags {there}"))


def frozen_graph(graph: GraphDef) -> MetaGraphDef:
    """A graph without signatures: what is fed, and what no other node takes."""
    taken = {text.lstrip("^").split(":")[0] for node in graph.node for text in node.input}
    signature = SignatureDef()
    for node in graph.node:
        if node.op in ("Placeholder", "PlaceholderV2"):
            signature.inputs[node.name] = _info(node)
        elif node.name not in taken and node.op not in ("Const", "NoOp", "Assert", "SaveV2"):
            signature.outputs[node.name] = TensorInfo(name=f"{node.name}:0")
    return MetaGraphDef(graph_def=graph, signature_def={"serving_default": signature})


def _info(node: NodeDef) -> TensorInfo:
    kind, sizes = node.attr.get("dtype"), node.attr.get("shape")
    return TensorInfo(
        name=f"{node.name}:0",
        dtype=(kind.type if kind is not None else None) or 0,
        tensor_shape=None if sizes is None else sizes.shape,
    )


# What models of layers have, and people try on a program.
_OF_MODELS = frozenset("predict fit evaluate compile summary layers weights save export".split())


class Part:
    """An object of a SavedModel: what was saved with it, by attribute.

    Functions are called, variables are nacre's, other objects are parts again.
    """

    def __init__(self, program: SavedModelProgram, place: int) -> None:
        self._program, self._place = program, place

    def __getattr__(self, name: str) -> Any:
        if "_program" not in self.__dict__:  # of one that is not made yet, as copies are
            raise AttributeError(name)
        children = self._children()
        if name in children:
            return self._program.object_at(children[name])
        close = nearest(name, children)
        hint = f"Did you mean '{close}'?" if close else f"It has {listed(sorted(children), 20)}."
        if name in _OF_MODELS:
            hint = (
                f"{hint} It is a program without layers: call it, or one of its signatures; "
                "nacre.layers.TFSMLayer makes a layer of it."
            )
        raise NotThereError(message(WHO, f"it was saved without '{name}'", "", hint))

    def __getitem__(self, key: Any) -> Any:
        """An entry of a list or a dict that was saved."""
        children = self._children()
        if str(key) not in children:
            raise KeyError(key)
        return self._program.object_at(children[str(key)])

    def __len__(self) -> int:
        return len([name for name in self._children() if name.isdigit()])

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        own = [name for name in vars(type(self)) if not name.startswith("_")]
        return sorted({*own, *(name for name in self._children() if name.isidentifier())})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what was saved as `__call__`."""
        return self.__getattr__("__call__")(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {listed(sorted(self._children()), 12)}>"

    def _children(self) -> dict[str, int]:
        nodes = self._program._objects.nodes
        if not nodes:
            return {}
        return children_of(nodes[self._place])


class SavedModelProgram(Part):
    """What `open_saved_model` gives: call it, or one of its `signatures`.

    Calling the program calls what was saved as `__call__`, else `serve`, else the signature
    `serving_default`.

    Attributes:
        signatures: Name -> `Signature`.
        variables: Those of the model, without the optimizer's.
        trainable_variables: Of those, what training changes.
    """

    def __init__(self, folder: Path | None, meta: MetaGraphDef, name: str) -> None:
        self._meta, self._folder, self._name = meta, folder, name
        super().__init__(self, 0)
        info = meta.meta_info_def
        known = info.stripped_op_list.op if info is not None and info.stripped_op_list else []
        self._objects = meta.object_graph_def or SavedObjectGraph()
        _check_links(self._objects)
        graph = with_functions(meta.graph_def or GraphDef())
        self._library = Library(graph, known, _gradients(graph, self._objects))
        self._resources = Resources(None if folder is None else str(folder))
        self._variables: dict[Handle, Variable] = {}
        self._others: dict[Handle, Any] = {}  # strings and numbers of 64 bits
        self._made: dict[int, Any] = {}
        self._bound_values: dict[int, Any] = {}
        self._concrete: dict[str, Compiled] = {}
        self._keeps = True
        self._restore()
        self.signatures = {
            name: Signature(self, name, found)
            for name, found in sorted(meta.signature_def.items())
            if not name.startswith(_HIDDEN)
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        return self._default(*args, **kwargs)

    @cached_property
    def _default(self) -> Callable[..., Any]:
        children = self._children()
        for name in _DEFAULTS:
            place = children.get(name)
            if place is not None and self._objects.nodes[place].function is not None:
                return self.object_at(place)
        for name in ("serving_default", "serve", "default", *self.signatures):
            if name in self.signatures:
                return Unwrapped(self.signatures[name])
        raise ArgumentError(message(WHO, "a model that is called needs a function", "none"))

    def endpoint(self, name: str) -> Callable[..., Any]:
        """What was saved under a name: a function, else a signature.

        Raises:
            ArgumentError: There is none.
        """
        place = self._children().get(name)
        if place is not None and self._objects.nodes[place].function is not None:
            return self.object_at(place)
        if name in self.signatures:
            return Unwrapped(self.signatures[name])
        functions = [n for n, p in self._children().items() if self._objects.nodes[p].function]
        known = sorted({*functions, *self.signatures})
        got = f"'{name}', where there is {listed(known) or 'nothing'}"
        raise ArgumentError(message(WHO, "an endpoint must be one that was saved", got))

    # ------------------------------------------------------------------------------- variables

    @property
    def variables(self) -> list[Variable]:
        """The model's variables, in the order in which the file has them."""
        if not self._objects.nodes:
            return list(self._variables.values())
        return self._listed("variables") or self._reached_variables()

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        listed_ones = self._listed("trainable_variables") if self._objects.nodes else []
        return [variable for variable in listed_ones or self.variables if variable.trainable]

    def _listed(self, name: str) -> list[Variable]:
        """The variables in a list that was saved as an attribute, as Keras does."""
        place = self._children().get(name)
        children = [] if place is None else self._objects.nodes[place].children
        numbered = [child for child in children if child.local_name.isdigit()]
        numbered.sort(key=lambda child: int(child.local_name))
        return self._of_places([child.node_id for child in numbered])

    def _reached_variables(self) -> list[Variable]:
        return self._of_places(_reached(self._objects.nodes))

    def _of_places(self, places: Sequence[int]) -> list[Variable]:
        found = [self.object_at(place) for place in dict.fromkeys(places)]
        return [value for value in found if isinstance(value, Variable)]

    def replace(self, old: Variable, new: Variable) -> None:
        """Let another variable stand in the place of one."""
        for handle, variable in self._variables.items():
            if variable is old:
                self._variables[handle] = new
        for place, value in self._made.items():
            if value is old:
                self._made[place] = new

    @contextlib.contextmanager
    def trial(self) -> Generator[None]:
        """A block in which calls change no variable: shapes alone are asked for."""
        before, self._keeps = self._keeps, False
        try:
            yield
        finally:
            self._keeps = before

    def _restore(self) -> None:
        """Run the graph's restore op and its init op."""
        saver, folder = self._meta.saver_def, self._folder
        run = Run(self._library, self._resources, {})
        prefix = None if folder is None else folder / VARIABLES
        if saver is not None and prefix is not None and files_of(prefix)[0].is_file():
            feeds = {saver.filename_tensor_name: of_bytes([str(prefix).encode()], ())}
            self._run_once(run, feeds, saver.restore_op_name)
        assets = {
            asset.tensor_info.name: of_bytes([self._asset(asset.filename)], ())
            for asset in self._meta.asset_file_def
            if asset.tensor_info is not None and asset.tensor_info.name
        }
        for name in self._init_ops():
            self._run_once(run, assets, name)
        trainable = self._trainable_names()
        for handle in list(run.values):
            value = run.values.pop(handle)  # each is let go when its variable has it
            kind = np.asarray(value).dtype
            if not isinstance(value, Restored):  # one number of a constant may stand for many
                safety.reserve(np.asarray(value).nbytes, f"variable '{handle.name}'")
            if is_wide(kind):
                self._others[handle] = value
                continue
            self._variables[handle] = Variable(
                np.asarray(value),
                dtype=kind.name,
                trainable=trainable(handle),
                name=handle.name.split("/")[-1].replace(":", "_") or "variable",
            )

    def _run_once(self, run: Run, feeds: dict[str, Any], target: str) -> None:
        plan = self._library.plan_for(list(feeds), [], [target.split(":")[0]])
        with jax.enable_x64(True), np.errstate(all="ignore"):
            execute(plan, run, list(feeds.values()))

    def _init_ops(self) -> Iterator[str]:
        signature = self._meta.signature_def.get(f"{_HIDDEN}_init_op")
        for info in signature.outputs.values() if signature is not None else ():
            if info.name:
                yield info.name
        for name in ("saved_model_main_op", "legacy_init_op"):
            collection = self._meta.collection_def.get(name)
            if collection is not None and collection.node_list is not None:
                yield from collection.node_list.value

    def _trainable_names(self) -> Callable[[Handle], bool]:
        """Which variables training changes: as the objects say, or the collections."""
        if self._objects.nodes:
            keys = self._keys
            saved = {
                key: node.variable.trainable
                for place, node in enumerate(self._objects.nodes)
                if node.variable is not None and (key := keys.get(place)) is not None
            }
            names = {
                n.variable.name: n.variable.trainable for n in self._objects.nodes if n.variable
            }
            return lambda h: saved.get(h.key or "", names.get(h.name, False)) and _is_float(h)
        found: set[str] = set()
        collection = self._meta.collection_def.get("trainable_variables")
        if collection is not None and collection.bytes_list is not None:
            for data in collection.bytes_list.value:
                found.add(VariableDef.read(data).variable_name.split(":")[0])
        return lambda handle: handle.name in found

    @cached_property
    def _keys(self) -> dict[int, str]:
        """For each object that is a variable, the name of its array in the checkpoint."""
        prefix = None if self._folder is None else self._folder / VARIABLES
        bundle = self._resources.bundles.get(prefix) if prefix is not None else None
        if bundle is None or OBJECTS not in bundle:
            return {}
        stored = TrackableObjectGraph.read(bundle.read(OBJECTS).item()).nodes
        there = [children_of(node) for node in stored]
        places = places_in(there, [children_of(node) for node in self._objects.nodes])
        return {
            place: attribute.checkpoint_key
            for place, at in places.items()
            for attribute in stored[at].attributes
            if attribute.name == VALUE
        }

    @cached_property
    def _restored(self) -> dict[str, Handle]:
        """What was restored, by the names of arrays in the checkpoint."""
        handles = [*self._variables, *self._others]
        return {handle.key: handle for handle in reversed(handles) if handle.key}

    def _asset(self, filename: str) -> bytes:
        """The path of an asset, which is in the folder of assets."""
        assert self._folder is not None
        parts = re.split(r"[/\\]", filename)
        if any(part in ("", ".", "..") or ":" in part or "\0" in part for part in parts):
            rule = "an asset must lie in the folder of assets"
            raise FileFormatError(message(WHO, rule, repr(filename)))
        return str(self._folder.joinpath("assets", *parts)).encode()

    # --------------------------------------------------------------------------------- objects

    def object_at(self, place: int) -> Any:
        """The object at a place of the graph of objects: a function, a variable, a part."""
        if place not in self._made:
            with _of_file(self._name):
                self._made[place] = self._make(place, self._objects.nodes[place])
        return self._made[place]

    def _make(self, place: int, node: SavedObject) -> Any:
        if node.function is not None:
            return Function(self, node.function.concrete_functions, node.function.function_spec)
        if node.bare_concrete_function is not None:
            found = node.bare_concrete_function
            return Function(self, [found.concrete_function_name], found.function_spec)
        if node.variable is not None:
            handle = self._handle(place)
            return self._variables.get(handle, self._others.get(handle))
        value = self._value(place)
        return Part(self, place) if value is None else value

    def _handle(self, place: int) -> Handle:
        found = self._restored.get(self._keys.get(place, ""))
        if found is not None:
            return found
        variable = self._objects.nodes[place].variable
        assert variable is not None
        return self._resources.handle("variable", "", variable.name)

    def _value(self, place: int) -> Any:
        """What an object is where a function takes it."""
        node = self._objects.nodes[place]
        if node.variable is not None:
            return self._handle(place)
        if node.asset is not None:
            assets = self._meta.asset_file_def
            at = node.asset.asset_file_def_index
            if not 0 <= at < len(assets):
                raise FileFormatError(message(WHO, "an asset must be in the file", f"place {at}"))
            return of_bytes([self._asset(assets[at].filename)], ())
        if node.constant is not None:
            plan = self._library.plan_for([], [f"{node.constant.operation}:0"])
            return execute(plan, Run(self._library, self._resources, {}), [])[0]
        maker = children_of(node).get("_create_resource")
        if node.resource is not None and maker is not None:
            names = self._objects.nodes[maker].function
            if names is not None and names.concrete_functions:
                return self._run(names.concrete_functions[0], [])[0]
        return None

    def _run(self, name: str, arguments: list[Any]) -> list[Any]:
        """Call a concrete function, with the objects that belong to it."""
        concrete = self._objects.concrete_functions.get(name)
        bound = [self._bound(place) for place in concrete.bound_inputs] if concrete else []
        if name not in self._concrete:
            with _of_file(self._name):
                missing = self._library.missing([name])
                if missing:
                    raise missing_ops(missing)
                self._concrete[name] = Compiled(self._library.plan_of(name))
        return self._call(self._concrete[name], [*arguments, *bound])

    def _compiled_for(self, feeds: Sequence[str], fetches: Sequence[str]) -> Compiled:
        """What gives tensors of the graph from others, by their names."""
        with _of_file(self._name):
            return Compiled(self._library.plan_for(feeds, fetches))

    def _bound(self, place: int) -> Any:
        if place not in self._bound_values:
            with _of_file(self._name):
                self._bound_values[place] = self._value(place)
        return self._bound_values[place]

    def _call(self, compiled: Compiled, arguments: list[Any]) -> list[Any]:
        """Run a plan with the variables as they stand, and keep what it assigns."""
        values = {handle: variable.raw_value for handle, variable in self._variables.items()}
        key = draw_key() if compiled.plan.is_random else None
        run = Run(self._library, self._resources, {**values, **self._others}, key)
        try:
            outputs = compiled(run, arguments)
        except (NotKnownError, GraphError) as error:
            rule = "the graph must be computed from what it is given"
            raise ShapeError(message("TensorFlow graph", rule, str(error))) from error
        for handle in run.written if self._keeps else ():
            value = run.values[handle]
            if handle in self._variables:
                self._variables[handle].assign(value)
            else:
                self._others[handle] = value
        return [given_back(value) for value in outputs]


def _check_links(objects: SavedObjectGraph) -> None:
    count = len(objects.nodes)
    links = [child.node_id for node in objects.nodes for child in node.children]
    links += [
        place for found in objects.concrete_functions.values() for place in found.bound_inputs
    ]
    if any(not 0 <= place < count for place in links):
        raise FileFormatError(message(WHO, "its objects must be whole", "a link leads nowhere"))


def _gradients(graph: GraphDef, objects: SavedObjectGraph) -> dict[str, Gradient]:
    """Gradients of functions' own, by the names that nodes have for them."""
    library = graph.library
    found: dict[str, Gradient] = {}
    functions = (
        {} if library is None else {f.signature.name: f for f in library.function if f.signature}
    )
    for registered in library.registered_gradients if library is not None else ():
        name = registered.gradient_func
        concrete, function = objects.concrete_functions.get(name), functions.get(name)
        if concrete is None or function is None or function.signature is None:
            continue
        captured = [objects.nodes[place].captured_tensor for place in concrete.bound_inputs]
        tensors = [tensor for tensor in captured if tensor is not None]
        if len(tensors) != len(captured):
            continue  # it takes more than tensors
        outputs = decoded(concrete.output_signature)
        listed_outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        places, gives = iter(range(len(function.signature.output_arg))), list[int | None]()
        for output in listed_outputs:
            gives.append(None if output is None else next(places))
        within = tensors[0].concrete_function if tensors else ""
        names = tuple(tensor.name for tensor in tensors)
        found[registered.registered_op_type] = Gradient(name, within, names, tuple(gives))
    return found


def _is_float(handle: Handle) -> bool:
    kind = dtype_of(handle.dtype)
    return kind is not None and kind.kind not in "iub"


def _reached(nodes: list[SavedObject]) -> list[int]:
    """Variables that are reached without the optimizer, in the order of the file."""
    waiting, seen = [0], {0}
    while waiting:
        for child in nodes[waiting.pop()].children:
            if child.node_id not in seen and child.local_name not in ("optimizer", "_optimizer"):
                seen.add(child.node_id)
                waiting.append(child.node_id)
    return [place for place in sorted(seen) if nodes[place].variable is not None]


__all__ = ["Part", "SavedModelProgram", "frozen_graph", "open_saved_model"]
