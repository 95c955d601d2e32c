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
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import (
    ArgumentError,
    DTypeError,
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
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable
from nacre.core.wire.bundle import files_of
from nacre.core.wire.tensorflow.dtypes import STRING, dtype_of, name_of
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
from nacre.core.wire.tensorflow.tensors import shape_of, to_array
from nacre.export.importers.tensorflow import ops as ops  # they register themselves
from nacre.export.importers.tensorflow.compiled import Compiled
from nacre.export.importers.tensorflow.plan import Gradient, Library, missing_ops
from nacre.export.importers.tensorflow.run import Resources, Run, execute
from nacre.export.importers.tensorflow.structures import (
    Named,
    OtherSpec,
    TensorSpec,
    decoded,
    flattened,
    packed,
)
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    NotKnownError,
    Restored,
    fits,
    of_bytes,
    strings,
)

_WHO = "SavedModel"
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
        Interface: tf.saved_model.load of TensorFlow 2.15. Differs: random numbers are nacre's; a
        gather outside of its array gives NaN in a compiled program, where TensorFlow stops;
        `tf.Assert` stops a call, and not what is traced around it, as a step of `fit`.
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
        raise FileFormatError(message(_WHO, rule, f"'{file}': {error.strerror}")) from None
    with safety.reading(True), _of_file(path.name):
        if data[:1] == b"\x0a":  # a GraphDef begins with its nodes, a SavedModel with a version
            safety.set_file_size(len(data))
            return SavedModelProgram(None, _frozen(GraphDef.read(data)), path.name)
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
    raise FileFormatError(message(_WHO, f"a graph of tags {wanted} is asked for", f"tags {there}"))


def _frozen(graph: GraphDef) -> MetaGraphDef:
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
        raise NotThereError(message(_WHO, f"it was saved without '{name}'", "", hint))

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
        graph = meta.graph_def or GraphDef()
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
                return _Unwrapped(self.signatures[name])
        raise ArgumentError(message(_WHO, "a model that is called needs a function", "none"))

    def endpoint(self, name: str) -> Callable[..., Any]:
        """What was saved under a name: a function, else a signature.

        Raises:
            ArgumentError: There is none.
        """
        place = self._children().get(name)
        if place is not None and self._objects.nodes[place].function is not None:
            return self.object_at(place)
        if name in self.signatures:
            return _Unwrapped(self.signatures[name])
        functions = [n for n, p in self._children().items() if self._objects.nodes[p].function]
        known = sorted({*functions, *self.signatures})
        got = f"'{name}', where there is {listed(known) or 'nothing'}"
        raise ArgumentError(message(_WHO, "an endpoint must be one that was saved", got))

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
        for handle, value in run.values.items():
            kind = np.asarray(value).dtype
            if not isinstance(value, Restored):  # one number of a constant may stand for many
                safety.reserve(np.asarray(value).nbytes, f"variable '{handle.name}'")
            if _is_wide(kind):
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
            raise FileFormatError(message(_WHO, rule, repr(filename)))
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
                raise FileFormatError(message(_WHO, "an asset must be in the file", f"place {at}"))
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
        return [_given_back(value) for value in outputs]


def _check_links(objects: SavedObjectGraph) -> None:
    count = len(objects.nodes)
    links = [child.node_id for node in objects.nodes for child in node.children]
    links += [
        place for found in objects.concrete_functions.values() for place in found.bound_inputs
    ]
    if any(not 0 <= place < count for place in links):
        raise FileFormatError(message(_WHO, "its objects must be whole", "a link leads nowhere"))


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


def _given_back(value: Any) -> Any:
    """An output: an array of JAX, or of NumPy for strings and numbers of 64 bits."""
    if is_tracer(value):
        return value
    if isinstance(value, jax.Array):
        return np.asarray(value) if _is_wide(np.dtype(value.dtype)) else value
    if isinstance(value, np.ndarray):
        found: Any = value.view(np.ndarray)
        return found if _is_wide(found.dtype) else jnp.asarray(found)
    return value


def _is_wide(kind: np.dtype[Any]) -> bool:
    """Whether a dtype is of strings, or of numbers of 64 bits."""
    return kind.kind == "O" or kind.itemsize // (2 if kind.kind == "c" else 1) > 4


# --- what is called -------------------------------------------------------------------------------


def fitted(value: Any, number: int, sizes: tuple[int | None, ...] | None, what: str) -> Any:
    """A value as the graph takes it.

    Raises:
        DTypeError: It is of another kind.
        ShapeError: It is of another shape.
    """
    if isinstance(value, Variable):
        value = value.value
    if number == STRING:
        try:
            found: Any = strings(value)
        except GraphError as error:
            raise DTypeError(message(_WHO, f"{what} must be strings", str(error))) from None
    else:
        kind = dtype_of(number)
        found = value if isinstance(value, jax.Array) else np.asarray(value)
        if kind is None:
            return value
        own = np.dtype(found.dtype)
        if own != kind:
            order = "b u i f c".split()
            ranks = [
                order.index("f" if k.kind == "V" else k.kind) if k.kind in "buifcV" else 9
                for k in (own, kind)
            ]
            if ranks[0] > ranks[1] and not {own.kind, kind.kind} <= set("iu"):
                rule = f"{what} must be of {name_of(number)}"
                raise DTypeError(message(_WHO, rule, str(own)))
            found = _converted(found, kind, what)
    if not fits(sizes, found):
        raise ShapeError(message(_WHO, f"{what} must be of shape {sizes}", str(np.shape(found))))
    return found


def _converted(found: Any, kind: np.dtype[Any], what: str) -> Any:
    is_whole = kind.kind in "iu" and np.dtype(found.dtype).kind in "iu"
    if is_whole and found.size and not is_tracer(found):
        limits, smallest, largest = np.iinfo(kind), int(found.min()), int(found.max())
        if smallest < limits.min or largest > limits.max:
            rule = f"{what} must fit {kind}"
            raise DTypeError(message(_WHO, rule, f"numbers from {smallest} to {largest}"))
    if isinstance(found, jax.Array):
        return found.astype(jax.dtypes.canonicalize_dtype(kind))
    return found.astype(kind)


class Signature:
    """A function by names: `signature(x=array)["logits"]`; one that takes one thing, by place.

    Attributes:
        name: Under which it was saved.
        inputs: Name -> (dtype, shape): None for a size that is not fixed.
        outputs: Name -> (dtype, shape).
    """

    def __init__(self, program: SavedModelProgram, name: str, found: SignatureDef) -> None:
        self.name = name
        self._program, self._found = program, found
        self.inputs = {key: _told(info) for key, info in sorted(found.inputs.items())}
        self.outputs = {key: _told(info) for key, info in sorted(found.outputs.items())}
        self._compiled: Compiled | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The outputs by name.

        Raises:
            ArgumentError: An input is missing or unknown.
            ShapeError, DTypeError: An input is of another shape or kind.
            UnsupportedError: The graph has operations that nacre does not compute.
        """
        given = self._named(args, kwargs)
        arguments: list[Any] = []
        for key, info in sorted(self._found.inputs.items()):
            if key not in given:
                arguments.append(to_array(self._found.defaults[key]))
                continue
            names, what = _tensors(info), f"input '{key}' of signature '{self.name}'"
            if info.name:
                arguments.append(fitted(given[key], info.dtype, shape_of(info.tensor_shape), what))
                continue
            parts = given[key]
            if not isinstance(parts, list | tuple) or len(parts) != len(names):
                raise ArgumentError(message(_WHO, f"{what} must be {len(names)} arrays"))
            arguments += [strings(p) if _is_text(p) else np.asarray(p) for p in parts]
        found = iter(self._program._call(self._plan(), arguments))
        outputs: dict[str, Any] = {}
        for key, info in sorted(self._found.outputs.items()):
            parts = [next(found) for _ in _tensors(info)]
            outputs[key] = parts[0] if info.name else tuple(parts)
        return outputs

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        names = list(self.inputs)
        if len(args) == 1 and len(names) != 1 and isinstance(args[0], dict):
            args, kwargs = (), {**args[0], **kwargs}
        if (args and len(args) != 1) or (args and len(names) != 1):
            rule = f"signature '{self.name}' takes its inputs by name: {listed(names)}"
            raise ArgumentError(message(_WHO, rule, f"{len(args)} by place"))
        given = {**kwargs, **({names[0]: args[0]} if args else {})}
        missing = [n for n in names if n not in given and n not in self._found.defaults]
        unknown = [n for n in given if n not in self.inputs]
        if missing or unknown:
            told = [f"without {listed(missing)}"] if missing else []
            told += [f"with {listed(unknown)}"] if unknown else []
            rule = f"signature '{self.name}' takes {listed(names) or 'nothing'}"
            raise ArgumentError(message(_WHO, rule, " and ".join(told)))
        return given

    def _plan(self) -> Compiled:
        if self._compiled is None:
            feeds = [
                name for _, info in sorted(self._found.inputs.items()) for name in _tensors(info)
            ]
            fetches = [n for _, info in sorted(self._found.outputs.items()) for n in _tensors(info)]
            with _of_file(self._program._name):
                self._compiled = Compiled(self._program._library.plan_for(feeds, fetches))
        return self._compiled

    def __repr__(self) -> str:
        return f"<Signature '{self.name}' of {self.inputs}, gives {self.outputs}>"


def _is_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "OUS"


def _told(info: TensorInfo) -> tuple[str, tuple[int | None, ...] | None]:
    return name_of(info.dtype), shape_of(info.tensor_shape)


def _tensors(info: TensorInfo) -> list[str]:
    """The tensors of the graph that an input or an output consists of."""
    if info.name:
        return [info.name]
    if info.coo_sparse is not None:
        found = info.coo_sparse
        return [
            found.indices_tensor_name,
            found.values_tensor_name,
            found.dense_shape_tensor_name,
        ]
    if info.composite_tensor is not None:
        return [name for part in info.composite_tensor.components for name in _tensors(part)]
    return []


class _Unwrapped:
    """A signature as a function: of one thing, or of a dict, or by names; one output alone."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        names = list(self._signature.inputs)
        if len(args) == len(names) and len(names) > 1:
            kwargs, args = {**dict(zip(names, args, strict=True)), **kwargs}, ()
        found = self._signature(*args, **kwargs)
        return next(iter(found.values())) if len(found) == 1 else found


class Function:
    """A function as it was saved: with the arguments it has in Python.

    It holds what it was traced to, for kinds of arguments; a call takes the first that fits.
    """

    def __init__(self, program: SavedModelProgram, names: Sequence[str], spec: Any) -> None:
        self._program, self._names = program, list(names)
        self._spec = _ArgSpec(decoded(spec.fullargspec), spec.is_method) if spec else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives, in its structure.

        Raises:
            ArgumentError: It was saved for none of such arguments.
        """
        given = self._spec.bound(args, kwargs) if self._spec is not None else (args, kwargs)
        told: list[str] = []
        for name, signature, results in self._traced:
            try:
                arguments = _arguments(signature, given)
            except (ValueError, NacreError) as error:
                told.append(str(error).split("\n")[0])
                continue
            found = self._program._run(name, arguments)
            return packed(results, iter(found))
        rule = "a function that was saved takes arguments like those it was traced with"
        raise ArgumentError(message(_WHO, rule, "; ".join(dict.fromkeys(told)) or "none is there"))

    @cached_property
    def _traced(self) -> list[tuple[str, Any, Any]]:
        """What it was traced to: names, structures of arguments and of results."""
        known = self._program._objects.concrete_functions
        return [
            (
                name,
                decoded(known[name].canonicalized_input_signature),
                decoded(known[name].output_signature),
            )
            for name in self._names
            if name in known
        ]

    @property
    def argument_names(self) -> list[str]:
        """Names of its arguments."""
        return [] if self._spec is None else [*self._spec.names, *self._spec.keywords]

    def input_structure(self) -> Any:
        """The structure of what it takes, as it was traced first: a `TensorSpec` for a tensor."""
        concrete = self._program._objects.concrete_functions[self._names[0]]
        return decoded(concrete.canonicalized_input_signature)

    def output_structure(self) -> Any:
        """The structure of what it gives, with a `TensorSpec` for each tensor."""
        concrete = self._program._objects.concrete_functions[self._names[0]]
        return decoded(concrete.output_signature)

    def __repr__(self) -> str:
        return f"<Function traced {len(self._names)} times>"


class _ArgSpec:
    """The arguments of a function of Python, as `inspect.getfullargspec` tells them."""

    def __init__(self, told: Any, is_method: bool) -> None:
        fields = dict(told.fields) if isinstance(told, Named) else {}
        self.names: list[str] = list(fields.get("args") or [])
        if is_method and self.names[:1] and self.names[0] in ("self", "cls"):
            self.names.pop(0)
        defaults = list(fields.get("defaults") or [])
        self.defaults = dict(
            zip(self.names[len(self.names) - len(defaults) :], defaults, strict=False)
        )
        self.keywords: list[str] = list(fields.get("kwonlyargs") or [])
        self.keyword_defaults: dict[str, Any] = dict(fields.get("kwonlydefaults") or {})
        self.takes_more = bool(fields.get("varargs"))

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Arguments as they stand in signatures: by place, then those by keyword alone."""
        by_name = dict(kwargs)
        placed = list(args)
        for name in self.names[len(args) :]:
            if name in by_name:
                placed.append(by_name.pop(name))
            elif name in self.defaults:
                placed.append(self.defaults[name])
            else:
                break
        for name in self.keywords:
            if name not in by_name and name in self.keyword_defaults:
                by_name[name] = self.keyword_defaults[name]
        return tuple(placed), by_name


def _arguments(signature: Any, given: tuple[Any, dict[str, Any]]) -> list[Any]:
    """The tensors that a concrete function takes.

    Raises:
        ValueError, NacreError: The arguments do not fit it.
    """
    wanted_args, wanted_kwargs = signature
    args, kwargs = given
    found: list[Any] = []
    for spec, value in flattened((tuple(wanted_args), dict(wanted_kwargs)), (tuple(args), kwargs)):
        if isinstance(spec, TensorSpec):
            if value is None:
                raise ValueError("None in place of a tensor")
            found.append(fitted(value, spec.dtype, spec.shape, f"argument '{spec.name}'"))
        elif isinstance(spec, OtherSpec):
            if not isinstance(value, list | tuple) or len(value) != (spec.parts or 1):
                raise ValueError(f"{spec.parts} arrays in place of a {spec.name or 'value'}")
            found += [strings(part) if _is_text(part) else np.asarray(part) for part in value]
        elif not _is_same(spec, value):
            raise ValueError(f"{value!r:.60} in place of {spec!r}")
    return found


def _is_same(spec: Any, value: Any) -> bool:
    if spec is None or value is None:
        return spec is value
    if isinstance(value, np.ndarray | jax.Array):
        return False
    return type(spec) is type(value) and spec == value


__all__ = ["Function", "Part", "SavedModelProgram", "Signature", "open_saved_model"]
