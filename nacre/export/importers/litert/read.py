"""A TFLite file as data: subgraphs, their tensors and operators, signatures.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs (`core.wire.tflite`). Every place that a
file names is checked here, so that what computes need not ask.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from nacre.core import safety
from nacre.core.errors import FileFormatError, UnsupportedError, listed, message
from nacre.core.wire.tflite import DTYPES, IDENTIFIER, OPERATORS, SCHEMA

_MOST_AXES = 16
# Types that hold no numbers.
_TEXTS = ("string", "resource", "variant")
_HALF_BYTES = {"int4": ml_dtypes.int4, "uint4": ml_dtypes.uint4}
_DTYPES: dict[str, Any] = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}


@dataclass(frozen=True)
class Scales:
    """How whole numbers stand for others: (number - zero point) * scale, by index of an axis where
    there are several."""

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int


@dataclass(eq=False)
class Tensor:
    """A tensor of a subgraph.

    Attributes:
        place: Its number in the subgraph.
        shape: As the file was made for; `signature` has None for sizes that are open.
        data: What it holds from the beginning.
        buffer: The number of its buffer.
    """

    place: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int | None, ...] | None
    scales: Scales | None
    is_variable: bool
    buffer: int
    data: np.ndarray | None = None

    @property
    def is_quantized(self) -> bool:
        """Whether its whole numbers stand for others."""
        return self.scales is not None


@dataclass(eq=False)
class Operator:
    """An operator, with the places of what it reads and gives; -1 for what is left out."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    number: int


@dataclass(eq=False)
class Subgraph:
    """A function of tensors."""

    name: str
    tensors: list[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: list[Operator]


@dataclass(eq=False)
class Signature:
    """A subgraph by a name, and its inputs and outputs by names: name -> place of a tensor."""

    key: str
    subgraph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclass(eq=False)
class Content:
    """A whole file."""

    subgraphs: list[Subgraph]
    signatures: list[Signature]
    data: bytes
    buffers: list[np.ndarray] = field(default_factory=list)


def is_beginning(beginning: bytes) -> bool:
    """Whether a file that begins so is one of TFLite."""
    return beginning[4:8] == IDENTIFIER.encode()


def read(data: bytes, who: str) -> Content:
    """A file's content.

    Args:
        data: The file.
        who: What errors call it.

    Raises:
        FileFormatError: It is damaged.
        UnsupportedError: It holds what is not read: sparse weights, texts.
    """
    safety.set_file_size(len(data))
    try:
        return _Reading(data, who).content()
    except (FileFormatError, UnsupportedError):
        raise
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise _damaged(who, str(error)) from None


def _damaged(who: str, what: str) -> FileFormatError:
    return FileFormatError(message(who, "a TFLite file must be whole", what))


class _Reading:
    def __init__(self, data: bytes, who: str) -> None:
        self.data, self.who = data, who
        try:
            self.model = SCHEMA.unpack("Model", data)
        except (FileFormatError, RecursionError) as error:
            raise _damaged(who, str(error)) from None
        self.buffers = [self._buffer(b) for b in self.model["buffers"] or []]

    def content(self) -> Content:
        codes = [self._name_of(code) for code in self.model["operator_codes"] or []]
        graphs = self.model["subgraphs"] or []
        if not graphs:
            raise _damaged(self.who, "it has no subgraph")
        subgraphs = [self._subgraph(graph, codes) for graph in graphs]
        self._check_subgraphs(subgraphs)
        signatures = [self._signature(s, subgraphs) for s in self.model["signature_defs"] or []]
        if len({s.key for s in signatures}) != len(signatures):
            raise _damaged(self.who, "two signatures have one name")
        return Content(subgraphs, signatures, self.data, self.buffers)

    def _buffer(self, buffer: Mapping[str, Any]) -> np.ndarray:
        start, size = buffer["offset"], buffer["size"]
        if start > 1:  # of files beyond 2 GB: behind the FlatBuffer
            if start + size > len(self.data):
                raise _damaged(self.who, "a buffer reaches beyond its end")
            return np.frombuffer(self.data, "u1", size, start)
        found = buffer["data"]
        return np.zeros(0, "u1") if found is None else found

    def _name_of(self, code: Mapping[str, Any]) -> str:
        number = max(code["builtin_code"], code["deprecated_builtin_code"])
        if not 0 <= number < len(OPERATORS):
            return f"operator {number}"
        name = OPERATORS[number]
        return f"custom {code['custom_code']}" if name == "CUSTOM" else name

    def _subgraph(self, graph: Mapping[str, Any], codes: list[str]) -> Subgraph:
        tensors = [self._tensor(i, t) for i, t in enumerate(graph["tensors"] or [])]
        count = len(tensors)

        def places(found: Any, least: int) -> tuple[int, ...]:
            values = () if found is None else tuple(int(v) for v in found)
            if any(not least <= v < count for v in values):
                raise _damaged(self.who, "an operator names a tensor that is not there")
            return values

        operators = []
        for number, op in enumerate(graph["operators"] or []):
            if op["opcode_index"] >= len(codes):
                raise _damaged(self.who, "an operator has a code that is not there")
            options = op["builtin_options"]
            operators.append(
                Operator(
                    codes[op["opcode_index"]],
                    places(op["inputs"], -1),
                    places(op["outputs"], 0),
                    {} if options is None else options[1],
                    number,
                )
            )
        inputs, outputs = places(graph["inputs"], 0), places(graph["outputs"], 0)
        found = Subgraph(graph["name"] or "", tensors, inputs, outputs, operators)
        self._check_order(found)
        return found

    def _check_order(self, graph: Subgraph) -> None:
        """Each tensor that is read was given before."""
        known = {t.place for t in graph.tensors if t.data is not None or t.is_variable}
        known |= {*graph.inputs, -1}
        for operator in graph.operators:
            missing = set(operator.inputs) - known
            if missing:
                name = graph.tensors[min(missing)].name
                raise _damaged(self.who, f"{operator.op} reads '{name}' before it is computed")
            known |= set(operator.outputs)
        if not set(graph.outputs) <= known:
            raise _damaged(self.who, f"an output of '{graph.name}' is never computed")

    def _check_subgraphs(self, subgraphs: Sequence[Subgraph]) -> None:
        """Subgraphs that operators name are there, and none calls itself."""
        calls: dict[int, set[int]] = {}
        for at, graph in enumerate(subgraphs):
            calls[at] = set()
            for operator in graph.operators:
                calls[at] |= {v for k, v in operator.options.items() if "subgraph" in k}
        if any(not 0 <= c < len(subgraphs) for found in calls.values() for c in found):
            raise _damaged(self.who, "an operator names a subgraph that is not there")
        left = dict(calls)
        while left:
            ends = [at for at, found in left.items() if not found & left.keys()]
            if not ends:
                raise _damaged(self.who, "a subgraph calls itself")
            for at in ends:
                del left[at]

    def _signature(self, found: Mapping[str, Any], subgraphs: Sequence[Subgraph]) -> Signature:
        at = found["subgraph_index"]
        if at >= len(subgraphs):
            raise _damaged(self.who, "a signature names a subgraph that is not there")
        graph = subgraphs[at]

        def names(maps: Any) -> dict[str, int]:
            return {str(m["name"] or ""): int(m["tensor_index"]) for m in maps or []}

        inputs, outputs = names(found["inputs"]), names(found["outputs"])
        known = range(len(graph.tensors))
        if any(place not in graph.inputs for place in inputs.values()) or any(
            place not in known or place not in graph.outputs for place in outputs.values()
        ):
            raise _damaged(self.who, "a signature names a tensor that is not there")
        return Signature(found["signature_key"] or "", at, inputs, outputs)

    # ----------------------------------------------------------------------------------- tensors

    def _tensor(self, place: int, found: Mapping[str, Any]) -> Tensor:
        number, name = found["type"], found["name"] or f"tensor_{place}"
        if not 0 <= number < len(DTYPES):
            raise _damaged(self.who, f"tensor '{name}' is of type {number}")
        if found["sparsity"] is not None:
            raise UnsupportedError(
                message(
                    self.who,
                    "weights must be dense",
                    f"'{name}', sparse",
                    "Convert it without sparsity: tf.lite.Optimize.EXPERIMENTAL_SPARSITY.",
                )
            )
        shape = () if found["shape"] is None else tuple(int(n) for n in found["shape"])
        signature = found["shape_signature"]
        sizes: tuple[int | None, ...] = shape
        if signature is not None and len(signature):
            sizes = tuple(None if n < 0 else int(n) for n in signature)
        if any(n < 0 for n in shape) or len(shape) > _MOST_AXES or len(sizes) > _MOST_AXES:
            raise _damaged(self.who, f"tensor '{name}' has shape {shape}"[:200])
        buffer = int(found["buffer"])
        if buffer >= len(self.buffers) and buffer:
            raise _damaged(self.who, f"tensor '{name}' has a buffer that is not there")
        tensor = Tensor(
            place,
            name,
            DTYPES[number],
            shape,
            sizes,
            self._scales(found["quantization"], shape, name),
            bool(found["is_variable"]),
            buffer,
        )
        content = self.buffers[buffer] if buffer < len(self.buffers) else np.zeros(0, "u1")
        if content.size:
            tensor.data = self._array(tensor, content)
        elif buffer and math.prod(shape) == 0 and tensor.dtype not in _TEXTS:
            tensor.data = np.zeros(shape, numpy_dtype(tensor.dtype))
        return tensor

    def _array(self, tensor: Tensor, content: np.ndarray) -> np.ndarray | None:
        if tensor.dtype in _TEXTS:
            return np.asarray(content)  # what reads it is refused
        count = math.prod(tensor.shape)
        if tensor.dtype in _HALF_BYTES:
            if content.size != -(-count // 2):
                raise _damaged(self.who, f"tensor '{tensor.name}' has {content.size} bytes")
            halves = np.stack([content & 15, content >> 4], -1).reshape(-1)[:count].astype("i1")
            if tensor.dtype == "int4":
                halves = np.where(halves > 7, halves - 16, halves).astype("i1")
            return halves.reshape(tensor.shape)
        kind = numpy_dtype(tensor.dtype)
        if content.size != count * kind.itemsize:
            raise _damaged(
                self.who,
                f"tensor '{tensor.name}' of shape {tensor.shape} has {content.size} bytes"[:300],
            )
        return np.frombuffer(content.tobytes(), kind).reshape(tensor.shape)

    def _scales(self, found: Any, shape: Sequence[int], name: str) -> Scales | None:
        if found is None or found["scale"] is None or not len(found["scale"]):
            return None
        scale = np.asarray(found["scale"], "float32")
        zero = found["zero_point"]
        zero = np.zeros(len(scale), "i8") if zero is None or not len(zero) else np.asarray(zero)
        axis = int(found["quantized_dimension"])
        if len(zero) == 1 and len(scale) > 1:
            zero = np.repeat(zero, len(scale))
        if len(zero) != len(scale):
            raise _damaged(self.who, f"tensor '{name}' has {len(scale)} scales, {len(zero)} zeros")
        if len(scale) == 1:
            return None if scale[0] == 0 else Scales(scale, zero, 0)
        if not 0 <= axis < len(shape) or shape[axis] != len(scale):
            raise _damaged(self.who, f"tensor '{name}' has {len(scale)} scales on axis {axis}")
        return Scales(scale, zero, axis)


def numpy_dtype(name: str) -> np.dtype:
    """A type of tensors as NumPy keeps it; numbers of half a byte are bytes."""
    if name in ("int4", "uint4", "int2"):
        return np.dtype("int8")
    return np.dtype(_DTYPES.get(name, name))


def refuse_unknown(content: Content, known: Mapping[str, object], who: str) -> None:
    """Raise for operators that nothing computes, all at once.

    Raises:
        UnsupportedError: There are some.
    """
    ops = {operator.op for graph in content.subgraphs for operator in graph.operators}
    missing = sorted(op for op in ops if op not in known)
    texts = sorted(
        {t.name for g in content.subgraphs for t in g.tensors if t.dtype in ("string", "variant")}
    )
    if missing:
        fix = "'custom Flex...' are TensorFlow's own: convert without SELECT_TF_OPS."
        fix = fix if any("Flex" in op for op in missing) else ""
        rule = "each operator must be one that nacre computes"
        got = listed(missing, 20) + (f", and texts: {listed(texts)}" if texts else "")
        raise UnsupportedError(message(who, rule, got, fix))
    if texts:
        raise UnsupportedError(message(who, "tensors must hold numbers", f"texts: {listed(texts)}"))


__all__ = [
    "Content",
    "Operator",
    "Scales",
    "Signature",
    "Subgraph",
    "Tensor",
    "is_beginning",
    "numpy_dtype",
    "read",
    "refuse_unknown",
]
