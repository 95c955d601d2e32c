"""The file: subgraphs, their tensors and operators, buffers once each, signature, metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nacre.core.errors import ArgumentError, UnsupportedOpError, listed, message
from nacre.core.nibbles import in_bytes_as_stored
from nacre.core.regions import Content
from nacre.core.wire.tflite import (
    IDENTIFIER,
    NUMBER_OF_DTYPE,
    NUMBER_OF_OPERATOR,
    SCHEMA,
    VERSION,
    options_of,
)
from nacre.export.targets.litert.body import Body, Operator, Scales, Tensor, digest_of
from nacre.export.targets.litert.fusing import fused
from nacre.export.targets.litert.lower import lower
from nacre.export.targets.litert.quantizing import quantized
from nacre.export.targets.litert.readback import ranges_of
from nacre.export.targets.litert.support import version_of
from nacre.export.targets.litert.weights import all_narrowed
from nacre.export.targets.target import Request

# The signature that runtimes and tools look for.
SIGNATURE = "serving_default"
# `deprecated_builtin_code` holds a byte: what is beyond has this number there.
_LAST_OLD_CODE = 127


def write(request: Request) -> Mapping[str, Content]:
    """The one file."""
    return {"": file_of(_subgraphs(request), request)}


def write_together(requests: Mapping[str, Request]) -> Mapping[str, Content]:
    """One file of several functions, each under its name; buffers are there once."""
    file: list[Body] = []
    parts: list[_Part] = []
    for key, request in requests.items():
        subgraphs, before = _subgraphs(request), len(file)
        subgraphs[0].name = key
        for body in subgraphs:
            for operator in body.operators:
                operator.options |= {
                    name: place + before
                    for name, place in operator.options.items()
                    if name.endswith("_subgraph_index")
                }
        file += subgraphs
        parts.append(_Part(key, request, before))
    return {"": _packed(file, parts, _File())}


def _subgraphs(request: Request) -> list[Body]:
    """A model as subgraphs, in as many bits as is wished."""
    subgraphs = lower(request.graph)
    for body in subgraphs:
        fused(body)
    options = request.options
    _refuse_whole_ends(options)
    weights = options.get("weights", "float32")
    if options.get("representative_dataset") is not None:
        _quantize(subgraphs, request)
    if weights != "float32":
        all_narrowed(subgraphs, weights)
    return subgraphs


def _refuse_whole_ends(options: Mapping[str, Any]) -> None:
    ends = [
        name for name in ("input_type", "output_type") if options.get(name, "float32") != "float32"
    ]
    ends += ["require_int8"] if options.get("require_int8") else []
    if ends and options.get("representative_dataset") is None:
        rule = f"{ends[0]} of whole numbers needs the range of the numbers"
        fix = "Pass representative_dataset=[[x] for x in ...], some hundred samples of data."
        raise ArgumentError(message("TFLite", rule, "no representative_dataset", fix))


def _quantize(subgraphs: Sequence[Body], request: Request) -> None:
    """Compute the model in 8 bits, by the numbers that samples give."""
    options, graph, main = request.options, request.graph, subgraphs[0]
    samples = options["representative_dataset"].arrays(graph.inputs)
    making = _File()
    found = ranges_of(file_of(subgraphs, request, making), samples)
    places = making.places[0]
    ranges = {x: found[place] for x, place in places.items() if place in found}
    ends = options["input_type"], options["output_type"]
    quantized(main, ranges, *ends, options.get("weights", "int8"))
    if options["require_int8"]:
        _refuse_floats(subgraphs)


def _refuse_floats(subgraphs: Sequence[Body]) -> None:
    """Raise where something is computed in floats, but for what the file is given and gives."""
    found: dict[str, None] = {}
    for body in subgraphs:
        for operator in body.operators:
            has_floats = any(x.dtype == "float32" for x in operator.outputs)
            is_end = operator.op == "DEQUANTIZE" and body is subgraphs[0]
            if has_floats and not (is_end and operator.outputs[0] in body.outputs):
                place = f" in '{operator.layer}'" if operator.layer else ""
                found[f"{operator.op}{place}"] = None
    if found:
        rule = "with require_int8 all must have kernels of 8 bits"
        got = f"{len(found)} without one: {listed(list(found), 10)}"
        fix = "Leave require_int8 (TFLITE_BUILTINS_INT8) out: these are computed in floats then."
        raise UnsupportedOpError(message("TFLite", rule, got, fix))


def file_of(subgraphs: Sequence[Body], request: Request, making: _File | None = None) -> bytes:
    """Subgraphs as a file."""
    return _packed(subgraphs, [_Part(SIGNATURE, request, 0)], making or _File())


class _Part(NamedTuple):
    """A function of a file: its name, what it was made of, and which subgraph begins it."""

    key: str
    request: Request
    place: int


def _packed(subgraphs: Sequence[Body], parts: Sequence[_Part], making: _File) -> bytes:
    """Subgraphs as a file of functions."""
    graphs = [making.subgraph(body) for body in subgraphs]
    request = parts[0].request
    metadata = [
        {"name": name, "buffer": making.buffer(np.frombuffer(text.encode(), "u1"))}
        for name, text in request.metadata.items()
    ]
    model = {
        "version": VERSION,
        "operator_codes": making.codes,
        "subgraphs": graphs,
        "description": request.name,
        "buffers": making.buffers,
        "metadata": metadata,
        "signature_defs": [_signature(part, subgraphs, making) for part in parts],
    }
    return SCHEMA.pack("Model", model, IDENTIFIER)


def _signature(part: _Part, subgraphs: Sequence[Body], making: _File) -> dict[str, Any]:
    graph, main, places = part.request.graph, subgraphs[part.place], making.places[part.place]
    names = [(v.name, x) for v, x in zip(graph.inputs, main.inputs, strict=True)]
    results = [(o.name, x) for o, x in zip(graph.outputs, main.outputs, strict=True)]
    return {
        "signature_key": part.key,
        "inputs": [{"name": name, "tensor_index": places[x]} for name, x in names],
        "outputs": [{"name": name, "tensor_index": places[x]} for name, x in results],
        "subgraph_index": part.place,
    }


class _File:
    """What subgraphs have in common: codes of operators, and buffers."""

    def __init__(self) -> None:
        self.codes: list[dict[str, int]] = []
        # The first one is that of tensors without known numbers.
        self.buffers: list[dict[str, Any]] = [{}]
        self.places: list[dict[Tensor, int]] = []
        self._codes: dict[tuple[str, int], int] = {}
        self._buffers: dict[tuple[int, bytes], int] = {}

    def subgraph(self, body: Body) -> dict[str, Any]:
        tensors: dict[Tensor, int] = {}
        for tensor in _tensors(body):
            tensors.setdefault(tensor, len(tensors))
        self.places.append(tensors)
        places = lambda found: [-1 if x is None else tensors[x] for x in found]
        return {
            "name": body.name,
            "tensors": [self._tensor(tensor) for tensor in tensors],
            "inputs": places(body.inputs),
            "outputs": places(body.outputs),
            "operators": [self._operator(op, places) for op in body.operators],
        }

    def _tensor(self, tensor: Tensor) -> dict[str, Any]:
        return {
            "name": tensor.name,
            "shape": tensor.known_shape,
            "shape_signature": tensor.signature,
            "type": NUMBER_OF_DTYPE[tensor.dtype],
            "buffer": 0 if tensor.data is None else self.buffer(_stored(tensor)),
            "quantization": _scales(tensor.scales),
            "has_rank": True,
        }

    def _operator(self, operator: Operator, places: Any) -> dict[str, Any]:
        version = version_of(operator)
        key = (operator.op, version)
        if key not in self._codes:
            self._codes[key] = len(self.codes)
            number = NUMBER_OF_OPERATOR[operator.op]
            code = {"builtin_code": number, "version": version}
            self.codes.append({**code, "deprecated_builtin_code": min(number, _LAST_OLD_CODE)})
        table = options_of(operator.op)
        return {
            "opcode_index": self._codes[key],
            "inputs": places(operator.inputs),
            "outputs": places(operator.outputs),
            "builtin_options": None if table is None else (table, operator.options),
        }

    def buffer(self, data: np.ndarray) -> int:
        """The place of a buffer, the same one for the same bytes."""
        found = np.ascontiguousarray(data)
        key = (found.nbytes, digest_of(found))
        place = self._buffers.get(key)
        if place is None:
            place = self._buffers[key] = len(self.buffers)
            self.buffers.append({"data": found.reshape(-1).view("u1")})
        return place


def _stored(tensor: Tensor) -> np.ndarray:
    """The numbers as bytes hold them: of 4 bits two in each, the first in the lower half."""
    return in_bytes_as_stored(tensor.numbers) if tensor.dtype == "int4" else tensor.numbers


def _tensors(body: Body) -> list[Tensor]:
    found = [*body.inputs]
    for operator in body.operators:
        found += [x for x in operator.inputs if x is not None]
        found += operator.outputs
    return [*found, *body.outputs]


def _scales(scales: Scales | None) -> dict[str, Any] | None:
    if scales is None:
        return None
    return {
        "scale": scales.scale,
        "zero_point": scales.zero_point,
        "quantized_dimension": scales.axis,
    }


__all__ = ["SIGNATURE", "file_of", "write", "write_together"]
