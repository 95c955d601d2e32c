"""`open_onnx`: a file of ONNX as a program."""

from __future__ import annotations

import contextlib
from collections import ChainMap
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import (
    ArgumentError,
    FileFormatError,
    NacreError,
    UnsupportedError,
    UnsupportedOpError,
    listed,
    message,
)
from nacre.core.file_errors import naming
from nacre.core.strings import is_text as is_text_like
from nacre.core.warning import warn
from nacre.core.wire import onnx as wire
from nacre.export.importers.imported import Call, Port, Weight, model_of, warn_of_rounded
from nacre.export.importers.onnx import ops as ops  # they register themselves
from nacre.export.importers.onnx.reading import KEPT_APART, External, Graph, Reader
from nacre.export.importers.onnx.registry import OPS, Node
from nacre.export.importers.onnx.run import run_nodes
from nacre.export.importers.onnx.values import (
    EMPTY,
    GraphError,
    NotKnownError,
    cast,
    dtype_of,
    is_known,
    lifted,
)
from nacre.export.importers.onnx.weights import hoisted, makes_64_bits, rounded, weights_of

_CALL = "main"


def open_onnx(source: Path | bytes, name: str) -> ONNXProgram:
    """Open a file of ONNX.

    Args:
        source: Its path, or its bytes. Data beside the file are read from its folder alone.
        name: What errors call it.

    Raises:
        FileFormatError: It is damaged, or of an operator set that is not read.
        UnsupportedOpError: It has operators that nacre does not compute; all of them are told.
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise FileFormatError(message(f"'{name}'", "it must be readable", str(error))) from None
    external = External(None if isinstance(source, bytes) else source.parent)
    with safety.reading(True), of_file(name):
        safety.set_file_size(len(data))
        return ONNXProgram(wire.ModelProto.read(data), external, name)


def open_model(source: Path | bytes, who: str, name: str) -> Any:
    """A file of ONNX as a model; as a program that is called, operator by operator, where it takes
    or gives strings, or where shapes follow from values."""
    program = open_onnx(source, who)
    if not program.is_of_numbers:
        return program
    warn_of_rounded(who, program.rounded)
    try:
        with of_file(who):
            return model_of(program, name)
    except UnsupportedError as error:
        unknown = _not_known(error)
        if unknown is None:
            raise
        rule = "shapes that only values tell are computed call by call: it predicts, and trains not"
        warn(message(who if who.startswith("'") else f"'{who}'", rule, str(unknown)))
        return program


def _not_known(error: BaseException | None) -> NotKnownError | None:
    """The value that was missing, behind an error: layers told theirs on the way."""
    while error is not None and not isinstance(error, NotKnownError):
        error = error.__cause__ or error.__context__
    return error


def opened(data: bytes, who: str) -> ONNXProgram:
    """A program whose weights are kept apart, from the bytes that `without_weights` gives."""
    with of_file(who):
        return ONNXProgram(wire.ModelProto.read(data), External(None), who)


@contextlib.contextmanager
def of_file(name: str) -> Generator[None]:
    """What a file says that cannot be is an error that names it."""
    file = name if name.startswith("'") else f"'{name}'"
    with naming(file, "the graph"):
        try:
            yield
        except NacreError:
            raise
        except ValueError as error:
            rule = "it must hold a graph of ONNX that can be computed"
            raise FileFormatError(message(file, rule, str(error))) from error


class ONNXProgram:
    """A graph of ONNX: what `importers.imported` makes a model of, and something that is called.

    Called directly, each operator runs by itself: also those whose results have a shape that only
    their values tell, and strings.

    Attributes:
        calls: Its inputs and outputs, under the name `main`.
        weights: By name: those that training changes, and large arrays that it does not.
        metadata: What the file says of itself.
        rounded: Names of float64 arrays that are constants, as variables would round them.
    """

    kind = "onnx"

    def __init__(self, model: wire.ModelProto, external: External, name: str) -> None:
        if model.graph is None:
            raise GraphError("there is no graph in it")
        self._name = name
        self.metadata = {entry.key: entry.value for entry in model.metadata_props}
        self._graph = graph = Reader(model, external).graph(model.graph)
        _refuse_unknown(graph, name)
        hoisted(graph)
        self.weights: Mapping[str, Weight] = weights_of(graph)
        # Weights that are float64 in the file, and float32 here.
        self._doubles = {n for n in self.weights if graph.constants[n].dtype == np.float64}
        for weight in self.weights:
            del graph.constants[weight]
        _take_out(model, self.weights, external)
        self._model = model
        given = {*self.weights, *graph.constants}
        self._inputs = [(n, t) for n, t in graph.inputs if n not in given]
        outputs = [(n, graph.types.get(n)) for n in graph.outputs]
        self.calls: Mapping[str, Call] = {
            _CALL: Call(tuple(map(_port, self._inputs)), tuple(map(_port, outputs)))
        }
        ports = [port.dtype for ports in self.calls[_CALL] for port in ports]
        self.rounded = rounded(graph, self.weights)
        self._has_64_bits = bool(self._doubles) or makes_64_bits(graph, ports)

    @property
    def has_64_bits(self) -> bool:
        """Whether numbers of 64 bits are computed with, beside those that decide shapes."""
        return self._has_64_bits

    @property
    def is_of_numbers(self) -> bool:
        """Whether all it takes and gives are arrays of numbers of known rank."""
        call = self.calls[_CALL]
        takes = all(port.shape is not None and _is_number(port) for port in call.inputs)
        return bool(call.inputs) and takes and all(map(_is_number, call.outputs))

    def without_weights(self) -> bytes:
        """The file, with the shapes of its weights in their place."""
        return self._model.write()

    def compute(
        self, call: str, weights: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The outputs for arrays, in the order of the file.

        Raises:
            UnsupportedError: A shape depends on values, where a program is compiled.
        """
        found = self._run(weights, arrays)
        return [_given_back(value) for value in found], {}

    def _run(self, weights: Mapping[str, Any], arrays: Sequence[Any]) -> list[Any]:
        values = dict(self._graph.constants)
        values |= {name: weights[name] for name in self.weights}
        values |= {name: cast(weights[name], "float64") for name in self._doubles}
        for (name, _), value in zip(self._inputs, arrays, strict=True):
            values[name] = value
        try:
            return run_nodes(self._graph, ChainMap(values))
        except NotKnownError as error:
            raise UnsupportedError(
                message(
                    f"'{self._name}'",
                    "shapes must follow from shapes, where a program is compiled",
                    str(error),
                    "Fix the sizes of its inputs when the file is written.",
                )
            ) from error
        except GraphError as error:
            rule = "the graph must be computed from what it is given"
            raise FileFormatError(message(f"'{self._name}'", rule, str(error))) from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for arrays by position or name, or in one dict: one, or a list of them, as
        NumPy's.

        Raises:
            ArgumentError: An input is missing or unknown.
        """
        names = [name for name, _ in self._inputs]
        if len(args) == 1 and isinstance(args[0], Mapping) and not kwargs:
            args, kwargs = (), {**args[0]}
        given = dict(zip(names, args, strict=False)) | kwargs
        arrays = [port for port in self.calls[_CALL].inputs if port.dtype != "other"]
        missing = [port.name for port in arrays if given.get(port.name) is None]
        if missing or len(args) > len(names) or set(given) - set(names):
            rule = f"its inputs are {listed(names)}"
            got = listed(sorted(given)) or "none"
            raise ArgumentError(message(f"'{self._name}'", rule, got))
        with of_file(self._name), jax.enable_x64(True):
            arrays = [_taken(given.get(port.name), port) for port in self.calls[_CALL].inputs]
            weights = {name: jnp.asarray(w.value) for name, w in self.weights.items()}
            found = [_shown(value) for value in self._run(weights, arrays)]
        return found[0] if len(found) == 1 else found

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto") -> Any:
        """What calling it gives, for one array, or a list or dict of those of several inputs.

        Args:
            x: The arrays. A list is one array where there is one input.
            batch_size, verbose: Without effect: all rows are computed at once.
        """
        is_several = isinstance(x, list | tuple) and len(self._inputs) > 1
        return self(*x) if is_several else self(x)

    def __repr__(self) -> str:
        call = self.calls[_CALL]
        inputs, outputs = (listed([p.name for p in ports]) for ports in call)
        return f"<ONNXProgram '{self._name}': {inputs} -> {outputs}>"


def _taken(value: Any, port: Port) -> Any:
    if value is None or value is EMPTY:
        return EMPTY if value is EMPTY else None
    if isinstance(value, list) and any(isinstance(v, np.ndarray) for v in value):
        return [_taken(v, port) for v in value]
    array = np.asarray(value)
    if array.dtype.kind in "USO" or is_text_like(value):
        found = np.empty(array.shape, object)
        found.reshape(-1)[:] = [
            v.decode() if isinstance(v, bytes) else str(v) for v in array.ravel().tolist()
        ]
        return found
    return jnp.asarray(array)


def _shown(value: Any) -> Any:
    if isinstance(value, dict):  # scores by the names of classes
        return value
    if isinstance(value, list):
        return [_shown(v) for v in value]
    return None if value is EMPTY else np.asarray(value)


def _given_back(value: Any) -> Any:
    if isinstance(value, list) or value is EMPTY:
        raise GraphError("an output that is a sequence or an optional")
    return lifted(value) if is_known(value) else value


def _is_number(port: Port) -> bool:
    return port.dtype not in ("string", "other")


def _port(named: tuple[str, wire.TypeProto | None]) -> Port:
    """What is said of a value."""
    name, told = named
    tensor = None if told is None else told.tensor_type
    if tensor is None:
        return Port(name, "float32" if told is None else "other", None)
    kind = wire.NAMES.get(tensor.elem_type)
    if kind is None:
        raise GraphError(f"'{name}' has the unknown dtype {tensor.elem_type}")
    if tensor.shape is None:
        return Port(name, kind, None)
    sizes = tuple(dim.dim_value for dim in tensor.shape.dim)
    if any(size is not None and size < 0 for size in sizes):
        sizes = tuple(None if size is not None and size < 0 else size for size in sizes)
    dtype_of(kind)
    return Port(name, kind, sizes)


# --- what is in it --------------------------------------------------------------------------------


def _refuse_unknown(graph: Graph, name: str) -> None:
    """Raise, with all operators that are not known."""
    missing: dict[str, list[str]] = {}
    for node in _all_nodes(graph):
        if node.body is None and (node.domain, node.op) not in OPS:
            kind = f"{node.domain}.{node.op}" if node.domain else node.op
            missing.setdefault(kind, []).append(node.name)
    if not missing:
        return
    told = [f"{kind} in '{nodes[0]}'" for kind, nodes in sorted(missing.items())]
    count = len({(n.domain, n.op) for n in _all_nodes(graph) if n.body is None})
    raise UnsupportedOpError(
        message(
            f"'{name}'",
            f"its operators must be those of ONNX that nacre computes; {len(missing)} of {count} "
            "are not",
            listed(told),
            "Operators of a runtime's own can be written as functions of ONNX in the file.",
        )
    )


def _all_nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        if node.body is not None:
            yield from _all_nodes(node.body)
        for value in node.attributes.values():
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, Graph):
                    yield from _all_nodes(inner)


# --- weights kept apart ---------------------------------------------------------------------------


def _take_out(model: wire.ModelProto, weights: Mapping[str, Weight], external: External) -> None:
    """Leave of weights their shape in the messages, and bring in what lies beside the file."""
    graph = model.graph
    assert graph is not None
    for sparse in list(graph.sparse_initializer):
        values = sparse.values
        if values is not None and values.name in weights:
            graph.sparse_initializer.remove(sparse)
            kept = wire.TensorProto(name=values.name, data_type=values.data_type)
            kept.dims = list(sparse.dims)
            graph.initializer.append(kept)
    for tensor in graph.initializer:
        if tensor.name in weights:
            _empty(tensor)
    for node in graph.node:
        if node.op_type == "Constant" and node.output and node.output[0] in weights:
            for attribute in node.attribute:
                if attribute.t is not None:
                    _empty(attribute.t)
    for tensor in _tensors(graph):
        if tensor.data_location == wire.EXTERNAL:
            tensor.raw_data = bytes(external.data(tensor))
            tensor.external_data, tensor.data_location = [], 0


def _empty(tensor: wire.TensorProto) -> None:
    kept = {"name": tensor.name, "dims": tensor.dims, "data_type": tensor.data_type}
    tensor.__dict__.clear()
    tensor.__dict__.update(kept)
    tensor.external_data = [wire.StringStringEntryProto(key="location", value=KEPT_APART)]


def _tensors(graph: wire.GraphProto) -> Iterator[wire.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.t is not None:
                yield attribute.t
            yield from attribute.tensors
            if attribute.g is not None:
                yield from _tensors(attribute.g)
            for inner in attribute.graphs:
                yield from _tensors(inner)


__all__ = ["ONNXProgram", "of_file", "open_model", "open_onnx", "opened"]
