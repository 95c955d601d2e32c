"""A graph as the bytes of an ONNX file.

Weights are put in order and written one after the other, so that a file takes little memory beside
them. Files that protobuf could not hold, of more than 2 GB, keep them in a second file.
"""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.interop import optional_import
from nacre.core.regions import Content, Region, write_into
from nacre.core.wire import onnx as wire
from nacre.core.wire.protobuf import block, varint
from nacre.export.graph.ir import Graph, Node, Value, Weight
from nacre.export.graph.sizes import Size
from nacre.export.passes import cleaned, opened
from nacre.export.targets.onnx.body import Body, Drafts, Made, Stored, graphs_within
from nacre.export.targets.onnx.eight_bits import compute_in_8_bits, ranges_of
from nacre.export.targets.onnx.forms import SINCE, VIEWS, lower_nodes
from nacre.export.targets.onnx.readback import open_in_onnxruntime
from nacre.export.targets.onnx.rows import convolve_in_pictures
from nacre.export.targets.onnx.support import SUPPORT, USUAL_OPSET, file_version
from nacre.export.targets.onnx.weights import SINCE_4_BITS, quantize_weights
from nacre.export.targets.target import Request, Run

DATA_SUFFIX = ".data"
_DIGEST_BYTES = 4
# What is smaller stands in the model's own file: sizes and axes, which readers need at once.
_LEAST_EXTERNAL_BYTES = 1024
_WHOLE_BYTES = wire.LARGEST_BYTES - (64 << 20)  # less the nodes, and what readers add


def write(request: Request) -> Mapping[str, Content]:
    """The file of a graph, and the one beside it where weights are kept apart."""
    return _files(request, drafted(request))


def _files(request: Request, body: Body) -> Mapping[str, Content]:
    """The same of a graph in ops of ONNX."""
    stored = list(body.shared.stored.values())
    size = sum(item.data.nbytes for item in stored)
    apart = request.options["external_data"]
    if apart is False and size > _WHOLE_BYTES:
        rule = "weights of more than 2 GB need a second file"
        raise ArgumentError(message("export", rule, "external_data=False", "Leave it out."))
    if not (size > _WHOLE_BYTES if apart is None else apart):
        return {"": _content(request, body, [_whole(item) for item in stored])}
    inside, outside = [], []
    for item in stored:
        is_small = item.dtype == "string" or item.data.nbytes < _LEAST_EXTERNAL_BYTES
        (inside if is_small else outside).append(item)
    # Other weights have another name: what is left of a write that was ended half-way is then never
    # read with a model that is not its own.
    name = f"{request.file_name}.{_digest(outside)}{DATA_SUFFIX}"
    kept = [*map(_whole, inside), *_referred(outside, name)]
    return {name: _data(outside), "": _content(request, body, kept)}


def drafted(request: Request) -> Body:
    """The graph in ops of ONNX, what nobody reads left out."""
    opset = request.options["opset_version"] or _needed_opset(request.graph)
    weights = request.options["weights"]
    samples = request.options.get("representative_dataset")
    if samples is not None and weights in ("float16", "int4"):
        rule = (
            "with representative_dataset weights must be 'int8' or 'float32': products have 8 bits"
        )
        fix = "Leave weights out, or representative_dataset."
        raise ArgumentError(message("export", rule, f"weights={weights!r}", fix))
    if weights == "int4":
        opset = _in_4_bits(opset, is_chosen=bool(request.options["opset_version"]))
    graph = _opened_for(request.graph, opset)
    shared = Drafts(opset)
    body = Body(shared, graph.name)
    given = {value.name for value in graph.inputs}
    for value in graph.inputs:
        name = shared.own(value.name)
        body.bind(value, name)
        body.inputs.append((name, value.dtype, value.shape))
    for name, _ in graph.outputs:  # nothing else takes it; an input keeps its own
        if name not in given:
            shared.own(name)
    for node in graph.all_nodes():
        if node.op == "constant":
            shared.data[node.outputs[0]] = node.attributes["value"]
    _know_views(shared, graph)
    lower_nodes(body, graph)
    for _, value in graph.outputs:
        body.outputs.append((body.tensor(value), value.dtype, value.shape))
    _name_outputs(body, graph, given)
    _live(body)
    if samples is not None:
        arrays = samples.arrays(request.graph.inputs)
        compute_in_8_bits(body, ranges_of(body, arrays, partial(_runnable, request)))
        _live(body)
    else:
        convolve_in_pictures(body)
        _live(body)
    if weights in ("int8", "int4"):
        quantize_weights(body, weights)
    return body


def _runnable(request: Request, body: Body) -> Run:
    """What runs a graph of ONNX: onnxruntime, which must be there."""
    optional_import("onnxruntime", extra="onnx", who="export with representative_dataset")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / request.file_name
        for name, content in _files(request, body).items():
            with open(path.with_name(name) if name else path, "x+b", buffering=0) as file:
                write_into(Region(file), content)
        return open_in_onnxruntime(path)


def _in_4_bits(opset: int, is_chosen: bool) -> int:
    """A version that has weights of 4 bits."""
    if is_chosen and opset < SINCE_4_BITS:
        rule = f"weights='int4' needs opset_version {SINCE_4_BITS} or later"
        fix = "Leave opset_version out, or write weights='int8'."
        raise ArgumentError(message("export", rule, str(opset), fix))
    return max(opset, SINCE_4_BITS)


_MUCH = 1024  # elements: of fewer a second copy costs less than a node


def _know_views(shared: Drafts, graph: Graph) -> None:
    """Take what is a weight but for its shape, the order of its axes or its bits as that weight,
    which is stored as it is read. A large one that is read elsewhere too is stored once."""
    readers = graph.consumers()
    known: dict[Value, Weight] = {weight.value: weight for weight in graph.weights}
    for node in graph.nodes:
        source = node.inputs[0] if node.op in VIEWS else None
        weight = None if source is None else known.get(source)
        if weight is None or source is None:
            continue
        data = shared.data.get(source, weight.data)
        ops = {reader.op for reader in readers[source]}  # parts together are no more than all
        is_alone = len(readers[source]) == 1 or ops == {"slice"}
        if data.size > _MUCH and node.op != "cast" and not is_alone:
            continue
        match node.op:
            case "cast":
                if weight.value.dtype not in ("float16", "bfloat16"):
                    continue
            case "reshape":
                if not all(isinstance(size, int) for size in node.attributes["shape"]):
                    continue
                data = data.reshape(node.attributes["shape"])
            case "slice":
                limits = [node.attributes[name] for name in ("starts", "stops", "strides")]
                data = data[tuple(map(slice, *limits))]
            case _:
                data = data.transpose(node.attributes["permutation"])
        result = node.outputs[0]
        shared.data[result], shared.paths[result], known[result] = data, weight.path, weight


def _needed_opset(graph: Graph) -> int:
    """The usual one, or what ops need that cannot be opened."""
    least = [max(_since_of_texts(node), _since_of_dtypes(node)) for node in graph.all_nodes()]
    return max([USUAL_OPSET, *least])


def _since_of_texts(node: Node) -> int:
    """Texts are compared since 19."""
    is_text = node.op in ("equal", "not_equal") and node.inputs[0] is not None
    return 19 if is_text and node.inputs[0].dtype == "string" else 0  # type: ignore[union-attr]


def _since_of_dtypes(node: Node) -> int:
    """There are floats of 8 bits since 19."""
    values = [value for value in (*node.inputs, *node.outputs) if value is not None]
    return 19 if any(value.dtype.startswith("float8") for value in values) else 0


def _opened_for(graph: Graph, opset: int) -> Graph:
    """The graph in ops that a version of ONNX has."""

    def lacks(node: Node) -> bool:
        least = _since_of_texts(node), _since_of_kind(node), _since_of_dtypes(node)
        return max(SINCE.get(node.op, 0), *least) > opset

    graph = cleaned(opened(graph, lambda n: SUPPORT.has(n) and not lacks(n)))
    missing = sorted({n.op for n in graph.all_nodes() if lacks(n)})
    if missing:
        rule = f"opset_version must have all ops of the model: {', '.join(missing)}"
        raise ArgumentError(
            message("export", rule, str(opset), "Leave it out: the version is chosen.")
        )
    return graph


def _since_of_kind(node: Node) -> int:
    """Of ops whose forms of some kind are younger."""
    kind = node.attributes.get("combine")
    if node.op == "scatter_nd" and kind != "set":
        return 18 if kind in ("max", "min") else 16
    is_whole = node.op in ("and", "or", "xor") and node.outputs[0].dtype != "bool"
    return 18 if is_whole else 0


# --- outputs, and what is not needed --------------------------------------------------------------


def _name_outputs(body: Body, graph: Graph, given: set[str]) -> None:
    """Let tensors that are outputs have the names of these. A tensor that is more than one output,
    or an input or weight, gets a node that copies it."""
    renamed: dict[str, str] = {}
    seen_within = {
        name for inner in graphs_within(body) for made in inner.nodes for name in made.inputs
    }
    for place, (name, value) in enumerate(graph.outputs):
        tensor = body.outputs[place][0]
        wanted = name if name not in given else body.shared.own(f"{name}_output")
        made = body.maker.get(tensor)
        # OpenVINO 2026.4 gives wrong numbers where a graph within sees what is an output as well.
        if made is None or tensor in renamed or tensor in seen_within:
            body.scope = ""
            copy = body.add("Identity", [tensor])
            renamed[copy] = wanted
        else:
            renamed[tensor] = wanted
        body.outputs[place] = (wanted, value.dtype, value.shape)
    _rename(body, renamed)


def _rename(body: Body, names: Mapping[str, str]) -> None:
    for made in body.nodes:
        made.inputs = [names.get(name, name) for name in made.inputs]
        made.outputs = [names.get(name, name) for name in made.outputs]
        for value in made.attributes.values():
            if isinstance(value, Body):
                _rename(value, names)
    if body.parent is not None:
        body.outputs = [(names.get(name, name), *rest) for name, *rest in body.outputs]


def _live(body: Body) -> Body:
    """The graph without nodes and arrays that nobody reads."""
    used = _drop_unused(body)
    body.shared.stored = {n: s for n, s in body.shared.stored.items() if n in used}
    return body


def _drop_unused(body: Body) -> set[str]:
    """Leave out nodes that nobody reads; gives all names that are read."""
    used = {name for name, *_ in body.outputs}
    kept: list[Made] = []
    for made in reversed(body.nodes):
        if not used.intersection(made.outputs):
            continue
        kept.append(made)
        used.update(made.inputs)
        for value in made.attributes.values():
            if isinstance(value, Body):
                used |= _drop_unused(value)
    body.nodes[:] = reversed(kept)
    return used


# --- messages -------------------------------------------------------------------------------------


def _content(request: Request, body: Body, initializers: Iterable[tuple[bytes, Any]]) -> Content:
    """The model: what stands before the weights, then these, one after the other."""
    opset = body.shared.opset
    producer, _, version = request.metadata.get("producer", "nacre").partition(" ")
    model = wire.ModelProto(
        ir_version=file_version(opset),
        producer_name=producer,
        producer_version=version,
        opset_import=[
            wire.OperatorSetIdProto(domain=domain, version=number)
            for domain, number in {"": opset, **body.shared.domains}.items()
        ],
        metadata_props=[
            wire.StringStringEntryProto(key=key, value=value)
            for key, value in sorted(request.metadata.items())
        ],
    ).write()
    graph = _graph(body, request.name).write()
    parts: list[tuple[bytes, Array | None]] = []
    size = len(graph)
    for head, data in initializers:
        length = len(head) + (0 if data is None else data.nbytes)
        tag = varint(wire.GRAPH_INITIALIZER << 3 | 2) + varint(length)
        parts.append((tag + head, data))
        size += len(tag) + length
    start = model + varint(wire.MODEL_GRAPH << 3 | 2) + varint(size) + graph

    def put(region: Region) -> None:
        region.write(start)
        for head, data in parts:
            region.write(head)
            if data is not None:
                region.write(_bytes_of(data))

    return put


Array = np.ndarray[Any, Any]


def _bytes_of(data: Array) -> Any:
    """The elements, in order, the lowest byte first."""
    if data.dtype.byteorder == ">":
        data = data.astype(data.dtype.newbyteorder("<"))
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8).data


def _whole(item: Stored) -> tuple[bytes, Array | None]:
    """A tensor's message but for its elements, and these."""
    if item.dtype == "string":
        tensor = _tensor(item)
        tensor.string_data = [text.encode() for text in item.data.ravel().tolist()]
        return tensor.write(), None
    head = _tensor(item).write()
    if not item.data.size:
        return head + block(wire.TENSOR_RAW_DATA, b""), None
    return head + varint(wire.TENSOR_RAW_DATA << 3 | 2) + varint(item.data.nbytes), item.data


def _tensor(item: Stored) -> wire.TensorProto:
    return wire.TensorProto(
        name=item.name, dims=list(item.shape), data_type=wire.NUMBERS[item.dtype]
    )


def _referred(items: Sequence[Stored], file: str) -> Iterator[tuple[bytes, None]]:
    """Tensors whose elements lie in a file, one behind the other."""
    offset = 0
    for item in items:
        tensor = _tensor(item)
        place = {"location": file, "offset": str(offset), "length": str(item.data.nbytes)}
        tensor.external_data = [
            wire.StringStringEntryProto(key=key, value=value) for key, value in place.items()
        ]
        tensor.data_location = wire.EXTERNAL
        offset += item.data.nbytes
        yield tensor.write(), None


def _digest(items: Sequence[Stored]) -> str:
    found = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for item in items:
        found.update(_bytes_of(item.data))
    return found.hexdigest()


def _data(items: Sequence[Stored]) -> Content:
    def put(region: Region) -> None:
        for item in items:
            region.write(_bytes_of(item.data))

    return put


def _graph(body: Body, name: str) -> wire.GraphProto:
    return wire.GraphProto(
        name=name or "graph",
        node=[_node(made) for made in body.nodes],
        input=[_value(*given) for given in body.inputs],
        output=[_value(*given) for given in body.outputs],
    )


def _node(made: Made) -> wire.NodeProto:
    return wire.NodeProto(
        input=made.inputs,
        output=made.outputs,
        name=made.name,
        op_type=made.op,
        domain=made.domain,
        attribute=[_attribute(name, value) for name, value in sorted(made.attributes.items())],
    )


def _attribute(name: str, value: Any) -> wire.AttributeProto:
    make = wire.AttributeProto
    match value:
        case bool() | int() | np.integer():
            return make(name=name, i=int(value), type=wire.INT)
        case float():
            return make(name=name, f=value, type=wire.FLOAT)
        case str():
            return make(name=name, s=value.encode(), type=wire.STRING)
        case Body():
            return make(name=name, g=_graph(value, value.name), type=wire.GRAPH)
        case np.ndarray():
            tensor = _tensor(Stored("", value))
            tensor.raw_data = value.tobytes()
            return make(name=name, t=tensor, type=wire.TENSOR)
    values = list(value)
    if values and isinstance(values[0], str):
        return make(name=name, strings=[text.encode() for text in values], type=wire.STRINGS)
    if values and isinstance(values[0], float):
        return make(name=name, floats=array("f", values), type=wire.FLOATS)
    return make(name=name, ints=[int(number) for number in values], type=wire.INTS)


def _value(name: str, dtype: str, shape: Sequence[Size] | None) -> wire.ValueInfoProto:
    if shape is None:
        tensor = wire.TensorType(elem_type=wire.NUMBERS[dtype])
        return wire.ValueInfoProto(name=name, type=wire.TypeProto(tensor_type=tensor))
    sizes = [
        wire.Dimension(dim_value=size)
        if isinstance(size, int)
        else wire.Dimension(dim_param=str(size))
        for size in shape
    ]
    tensor = wire.TensorType(elem_type=wire.NUMBERS[dtype], shape=wire.TensorShapeProto(dim=sizes))
    return wire.ValueInfoProto(name=name, type=wire.TypeProto(tensor_type=tensor))


__all__ = ["DATA_SUFFIX", "drafted", "write"]
