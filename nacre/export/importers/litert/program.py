"""A TFLite file as a program of nacre: `imported.Program`.

Constants of floats are its weights, those that are kept in fewer bits too, where what reads them
computes with floats: LiteRT rounds what it multiplies those of 8 bits with, this does not. Where
all is computed in whole numbers, the weights are constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import FileFormatError, NacreError, ShapeError, listed, message
from nacre.export.importers.imported import FAULTS, Call, ImportedModel, Port, Weight, model_of
from nacre.export.importers.litert.ops import control  # they register themselves
from nacre.export.importers.litert.quantized import dequantized, quantized, same_scales
from nacre.export.importers.litert.read import (
    Content,
    Operator,
    Signature,
    Subgraph,
    Tensor,
    numpy_dtype,
    read,
    refuse_unknown,
)
from nacre.export.importers.litert.registry import OPS, Step, StepError, is_known
from nacre.export.importers.wide_work import afresh, note, note_constant

_FLOATS = ("float32", "float16", "bfloat16", "float64")
# Operators that hand on what they read to another subgraph, or keep it.
_HANDS_ON = ("WHILE", "IF", "CALL", "ASSIGN_VARIABLE")
_DEFAULT = "serving_default"
_FAULTS = (*FAULTS, NotImplementedError)  # what computing a damaged graph may raise


class LiteProgram:
    """A TFLite file that computes.

    Args:
        content: The file.
        who: What errors call it.

    Attributes:
        constants: (subgraph, place of a tensor) -> name of the weight that it is.
    """

    kind = "tflite"

    def __init__(self, content: Content, who: str) -> None:
        self.content, self.who = content, who
        refuse_unknown(content, OPS, who)
        self.weights: dict[str, Weight] = {}
        self.constants: dict[tuple[int, int], str] = {}
        self._skipped: set[tuple[int, int]] = set()  # operators whose result is a weight
        self._buffers: dict[str, int] = {}
        self.variables: list[str] = []
        self._find_weights()
        self._run_inits()
        self.calls: dict[str, Call] = {}
        self._places: dict[str, tuple[int, list[int], list[int]]] = {}
        for signature in content.signatures or [_of_graph(content.subgraphs[0])]:
            self._add_call(signature)

    # ------------------------------------------------------------------------------- signatures

    def _add_call(self, signature: Signature) -> None:
        graph = self.content.subgraphs[signature.subgraph]
        named = {place: name for name, place in signature.inputs.items()}
        names = [(named.get(place, graph.tensors[place].name), place) for place in graph.inputs]
        outputs = _ordered(list(signature.outputs.items()), graph.outputs)
        if not names or not outputs:
            got = f"signature '{signature.key}' without {'outputs' if names else 'inputs'}"
            raise FileFormatError(message(self.who, "a model must take and give something", got))
        for _, place in [*names, *outputs]:
            if graph.tensors[place].dtype in ("resource", "variant", "string"):
                raise FileFormatError(
                    message(self.who, "inputs and outputs must hold numbers", "a resource")
                )
        call = Call(
            tuple(_port(name, graph.tensors[place]) for name, place in names),
            tuple(_port(name, graph.tensors[place]) for name, place in outputs),
        )
        self.calls[signature.key] = call
        places = signature.subgraph, [p for _, p in names], [p for _, p in outputs]
        self._places[signature.key] = places

    # ---------------------------------------------------------------------------------- weights

    def _find_weights(self) -> None:
        names: dict[Any, str] = {}
        for number, graph in enumerate(self.content.subgraphs):
            readers = _readers(graph)
            for operator in graph.operators:
                if operator.op == "DEQUANTIZE":
                    self._dequantized_constant(number, graph, operator, names)
            for tensor in graph.tensors:
                if tensor.data is None or tensor.place in graph.inputs:
                    continue
                own = readers.get(tensor.place, [])
                if self._is_weight(graph, tensor, own):
                    value = np.asarray(dequantized(tensor.data, tensor))
                    self._add_weight(number, tensor, tensor, value, names)

    def _dequantized_constant(
        self, number: int, graph: Subgraph, operator: Operator, names: dict[Any, str]
    ) -> None:
        """What makes floats of a constant is left out: the floats are the weight."""
        if len(operator.inputs) != 1 or len(operator.outputs) != 1 or operator.inputs[0] < 0:
            return
        tensor, output = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        if tensor.data is None or tensor.data.size < 2 or output.dtype != "float32":
            return
        value = np.asarray(dequantized(tensor.data, tensor)).astype("float32")
        self._add_weight(number, output, tensor, value, names)
        self._skipped.add((number, operator.number))

    def _is_weight(
        self, graph: Subgraph, tensor: Tensor, readers: Sequence[tuple[Operator, int]]
    ) -> bool:
        data = tensor.data
        assert data is not None
        if not readers or any(r.op in ("ASSIGN_VARIABLE", "DEQUANTIZE") for r, _ in readers):
            return False
        if any(self._begins_a_loop(reader, at) for reader, at in readers):
            return False
        known = any(at in OPS[reader.op].weights for reader, at in readers)
        if tensor.dtype == "float64":  # a variable would round it
            return False
        if tensor.dtype in _FLOATS:
            return data.size > 1 or (known and data.size > 0)
        if tensor.scales is None or not known or np.dtype(data.dtype).kind not in "iu":
            return False
        # Of 8 bits, multiplied with floats.
        return all(
            reader.outputs and graph.tensors[reader.outputs[0]].dtype in _FLOATS
            for reader, _ in readers
        )

    def _begins_a_loop(self, reader: Operator, at: int) -> bool:
        """Whether a constant is what a loop's variable begins with, and no weight."""
        if reader.op != "WHILE":
            return False
        body = self.content.subgraphs[int(reader.options.get("body_subgraph_index", 0))]
        same = at < min(len(body.inputs), len(body.outputs))
        return not (same and body.inputs[at] == body.outputs[at])

    def _add_weight(
        self,
        number: int,
        tensor: Tensor,
        stored: Tensor,
        value: np.ndarray,
        names: dict[Any, str],
    ) -> None:
        # Converters keep equal contents once: weights that are alike by more than chance are one,
        # as of a layer that is called twice; two biases of zeros are two.
        is_one = _varies(stored) or self._is_shared(number, stored)
        key = (stored.buffer, value.shape, None if is_one else (number, tensor.place))
        if key not in names:
            name = tensor.name
            count = 1
            while name in self.weights:
                name, count = f"{tensor.name}_{count}", count + 1
            names[key] = name
            self.weights[name] = Weight(value, True)
            self._buffers[name] = stored.buffer
        self.constants[number, tensor.place] = names[key]

    def _is_shared(self, number: int, tensor: Tensor) -> bool:
        """Whether a constant of a signature is that of another one: each has one such, of different
        numbers. (A matrix that one of them multiplies by transposed is in the file twice, as two.)
        """
        own = {s.subgraph for s in self.content.signatures}
        if number not in own or not _differs(tensor):
            return False
        return all(_count_alike(self.content.subgraphs[place], tensor) <= 1 for place in own)

    def _run_inits(self) -> None:
        """Variables have what the subgraphs give them that run once."""
        inits = {
            int(operator.options.get("init_subgraph_index", 0))
            for graph in self.content.subgraphs
            for operator in graph.operators
            if operator.op == "CALL_ONCE"
        }
        assigned = {
            operator.op
            for number, graph in enumerate(self.content.subgraphs)
            if number not in inits
            for operator in graph.operators
        }
        found: dict[str, Any] = {}
        for init in sorted(inits):
            running = Running(self, {n: w.value for n, w in self.weights.items()})
            running.call(init, [])
            found |= running.updates
        for name, value in found.items():
            array = np.asarray(value)
            own = name if name not in self.weights else f"{name}_variable"
            trains = array.dtype.kind == "f" and "ASSIGN_VARIABLE" not in assigned
            self.weights[own] = Weight(array, trains)
            self.variables.append(own)

    # ---------------------------------------------------------------------------------- running

    def compute(
        self, call: str, weights: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """What a signature gives for arrays, and new values of variables."""
        running = Running(self, weights)
        number, inputs, outputs = self._places[call]
        frame = running.frame(number, dict(zip(inputs, arrays, strict=True)))
        frame.run(outputs)
        updates = {self.variable_of(name): value for name, value in running.updates.items()}
        return [frame.value(place) for place in outputs], updates

    @property
    def has_64_bits(self) -> bool:
        """Whether a tensor has them."""
        wide = ("int64", "uint64", "float64", "complex128")
        return any(t.dtype in wide for graph in self.content.subgraphs for t in graph.tensors)

    def variable_of(self, name: str) -> str:
        """The weight that a variable of the file is."""
        return name if name in self.variables else f"{name}_variable"

    def without_weights(self) -> bytes:
        """The file, with zeros in the place of the weights."""
        data = bytearray(self.content.data)
        varied = {
            tensor.buffer
            for graph in self.content.subgraphs
            for tensor in graph.tensors
            if tensor.data is not None and _differs(tensor)
        }
        start = np.frombuffer(self.content.data, "u1").__array_interface__["data"][0]
        known = {
            tensor.buffer
            for number, graph in enumerate(self.content.subgraphs)
            for tensor in graph.tensors
            if tensor.data is not None and (number, tensor.place) not in self.constants
        }
        known -= {
            graph.tensors[operator.inputs[0]].buffer
            for number, graph in enumerate(self.content.subgraphs)
            for operator in graph.operators
            if (number, operator.number) in self._skipped
        }
        for buffer in set(self._buffers.values()) - known:
            content = self.content.buffers[buffer]
            at = content.__array_interface__["data"][0] - start
            data[at : at + content.size] = bytes(content.size)
            data[at] = int(buffer in varied)  # which tells how weights are tied
        return bytes(data)


def _varies(tensor: Tensor) -> bool:
    """Whether a constant is a matrix, or more, of different numbers: biases of two layers are often
    made alike."""
    data = tensor.data
    return data is not None and sum(n > 1 for n in data.shape) >= 2 and _differs(tensor)


def _differs(tensor: Tensor) -> bool:
    """Whether a constant holds different numbers."""
    data = tensor.data
    if data is None or data.size < 2:
        return False
    return data.tobytes() != data.flat[0].tobytes() * data.size


def _count_alike(graph: Subgraph, tensor: Tensor) -> int:
    """How many constants of a graph have the bytes and the shape of another."""
    return sum(
        other.data is not None and (other.buffer, other.shape) == (tensor.buffer, tensor.shape)
        for other in graph.tensors
    )


def _readers(graph: Subgraph) -> dict[int, list[tuple[Operator, int]]]:
    found: dict[int, list[tuple[Operator, int]]] = {}
    for operator in graph.operators:
        for at, place in enumerate(operator.inputs):
            found.setdefault(place, []).append((operator, at))
    return found


def _of_graph(graph: Subgraph) -> Signature:
    """The signature of a file without one: tensors by their names."""

    def names(places: Sequence[int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for place in places:
            name = graph.tensors[place].name
            while name in found:
                name = f"{name}_{place}"
            found[name] = place
        return found

    return Signature(_DEFAULT, 0, names(graph.inputs), names(graph.outputs))


def _ordered(outputs: list[tuple[str, int]], places: Sequence[int]) -> list[tuple[str, int]]:
    """Outputs as the model gives them: by the numbers in `output_0`, else as in the file."""
    numbered = [re.fullmatch(r"output_(\d+)", name) for name, _ in outputs]
    if outputs and all(numbered):
        order = {name: int(m[1]) for (name, _), m in zip(outputs, numbered, strict=True) if m}
        return sorted(outputs, key=lambda pair: order[pair[0]])
    return sorted(outputs, key=lambda pair: places.index(pair[1]))


def _port(name: str, tensor: Tensor) -> Port:
    dtype = numpy_dtype(tensor.dtype).name
    return Port(name, dtype, tensor.signature)


class Running:
    """One call: weights, and what is kept of it.

    Attributes:
        updates: Variables that were assigned.
        states: (subgraph, place) -> what tensors that are kept from call to call hold; None where
            each call begins anew.
        record: Called with what each operator gives: (subgraph, place, value).
    """

    def __init__(
        self,
        program: LiteProgram,
        weights: Mapping[str, Any],
        states: dict[tuple[int, int], Any] | None = None,
        record: Callable[[int, int, Any], None] | None = None,
    ) -> None:
        self.program, self.weights = program, weights
        self.states, self.record = states, record
        self.updates: dict[str, Any] = {}
        self.depth = 0

    def frame(self, number: int, given: Mapping[int, Any]) -> Frame:
        """A subgraph with what it is given, by place."""
        return Frame(self, number, given)

    def call(self, number: int, values: Sequence[Any]) -> list[Any]:
        """What a subgraph gives."""
        graph = self.program.content.subgraphs[number]
        if len(values) != len(graph.inputs):
            raise StepError(f"{len(values)} values for {len(graph.inputs)} inputs of a subgraph")
        frame = self.frame(number, dict(zip(graph.inputs, values, strict=True)))
        frame.run(graph.outputs)
        if not graph.outputs:
            frame.run_all()
        return [frame.value(place) for place in graph.outputs]


class Frame:
    """One run of a subgraph: what operators see as `step.run`."""

    def __init__(self, running: Running, number: int, given: Mapping[int, Any]) -> None:
        self.running, self.number = running, number
        self.graph = running.program.content.subgraphs[number]
        self._values: dict[int, Any] = dict(given)

    # ------------------------------------------------------------------- what operators ask for

    def call(self, number: int, values: Sequence[Any]) -> list[Any]:
        """What another subgraph gives."""
        return self.running.call(number, values)

    def call_inside(self, number: int, values: Sequence[Any]) -> list[Any]:
        """The same as a part of a loop or a branch, which can keep nothing."""
        self.running.depth += 1
        try:
            return self.running.call(number, values)
        finally:
            self.running.depth -= 1

    def graph_of(self, number: int) -> Subgraph:
        """Another subgraph."""
        return self.running.program.content.subgraphs[number]

    def needed(self, number: int, outputs: Sequence[int]) -> set[int]:
        """Which inputs some outputs of a subgraph follow from, all by number."""
        graph = self.graph_of(number)
        if any(i >= len(graph.outputs) for i in outputs):
            raise StepError("a subgraph gives less than is asked for")
        _, places = _slice(graph, [graph.outputs[i] for i in outputs])
        return {i for i, place in enumerate(graph.inputs) if place in places}

    def part(
        self, number: int, outputs: Sequence[int], values: Sequence[Any], given: Sequence[int]
    ) -> list[Any] | None:
        """Some outputs of a subgraph from some inputs; None where they are not known by that."""
        graph = self.graph_of(number)
        known = {graph.inputs[i]: values[i] for i in given if i < len(graph.inputs)}
        frame = self.running.frame(number, known)
        places = [graph.outputs[i] for i in outputs]
        try:
            frame.run(places)
            found = [frame.value(place) for place in places]
        except (StepError, NacreError):
            return None
        return found if all(is_known(v) for v in found) else None

    def keep(self, place: int, value: Any) -> None:
        """Keep what a tensor holds for the next call."""
        if place >= 0:
            self._values[place] = value
            if self.running.states is not None and not self.running.depth:
                self.running.states[self.number, place] = value

    def read(self, name: str) -> Any:
        """A variable."""
        if name in self.running.updates:
            return self.running.updates[name]
        own = self.running.program.variable_of(name)
        if own not in self.running.weights:
            raise StepError(f"variable '{name}' has no value")
        return self.running.weights[own]

    def assign(self, name: str, value: Any) -> None:
        """Set a variable."""
        if self.running.depth:
            raise StepError(f"variable '{name}' is assigned within a loop or a branch")
        self.running.updates[name] = value

    # ---------------------------------------------------------------------------------- running

    def value(self, place: int) -> Any:
        """What a tensor holds."""
        if place in self._values:
            return self._values[place]
        tensor = self.graph.tensors[place]
        name = self.running.program.constants.get((self.number, place))
        if name is not None:
            return self.running.weights[name]
        states = self.running.states
        if states is not None and (self.number, place) in states:
            return states[self.number, place]
        if tensor.data is not None:
            return tensor.data
        if tensor.is_variable:
            zero = 0 if tensor.scales is None else tensor.scales.zero_point[0]
            return np.full(tensor.shape, zero, numpy_dtype(tensor.dtype))
        raise StepError(f"'{tensor.name}' was not computed")

    def run(self, outputs: Sequence[int]) -> None:
        """Compute what some tensors follow from, and what changes variables."""
        steps, _ = _slice(self.graph, outputs)
        self._run(steps)

    def run_all(self) -> None:
        """Compute everything."""
        self._run(self.graph.operators)

    def _run(self, operators: Sequence[Operator]) -> None:
        skipped = self.running.program._skipped
        for operator in operators:
            if (self.number, operator.number) not in skipped:
                self._step(operator)

    def _step(self, operator: Operator) -> None:
        tensors = self.graph.tensors
        inputs = [None if p < 0 else tensors[p] for p in operator.inputs]
        step = Step(operator, inputs, [tensors[p] for p in operator.outputs], self)
        try:
            values = [None if p < 0 else self.value(p) for p in operator.inputs]
            for value in values:
                if isinstance(value, np.ndarray):
                    note_constant(value)
            results = computed(step, values)
            note(operator.op, values, results)
        except NacreError:
            raise
        except _FAULTS as error:
            raise self._error(operator, error) from error
        for place, value in zip(operator.outputs, results, strict=False):
            self._values[place] = value
            if self.running.record is not None and not self.running.depth:
                self.running.record(self.number, place, value)

    def _error(self, operator: Operator, error: Exception) -> ShapeError:
        names = [self.graph.tensors[p].name for p in operator.outputs]
        rule = f"{operator.op} of {listed(names, 2) or 'nothing'} must be computed"
        text = " ".join(str(error).split())[:300]
        return ShapeError(message(self.running.program.who, rule, text))


def computed(step: Step, values: Sequence[Any]) -> list[Any]:
    """What an operator gives for values."""
    known = OPS[step.operator.op]
    own, first = step.inputs[0] if step.inputs else None, step.outputs[0] if step.outputs else None
    stands_for = any(t is not None and t.is_quantized for t in (*step.inputs, *step.outputs))
    moves = known.moves and same_scales(own, first)
    if stands_for and not known.takes_scales and not moves:
        given = [
            v if t is None or v is None else dequantized(v, t)
            for v, t in zip(values, step.inputs, strict=True)
        ]
        found = _listed(known.function(step, *given))
        return [quantized(v, t) for v, t in zip(found, step.outputs, strict=False)]
    if not known.is_known and is_known(*values):
        values = [v if v is None or _is_size(v) else jnp.asarray(afresh(v)) for v in values]
    return _listed(known.function(step, *values))


def _is_size(value: Any) -> bool:
    """Whether a value may be the sizes that an operator must know."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuOb"


def _listed(found: Any) -> list[Any]:
    values = found if isinstance(found, list | tuple) else [found]
    return [_as_value(v) for v in values]


def _as_value(value: Any) -> Any:
    """A size that is open, as an element of an array is, as an array of one."""
    if hasattr(value, "dtype") or isinstance(value, control.Handle):
        return value
    if isinstance(value, int | float | bool):
        return np.asarray(value)
    single = np.empty((), object)
    single[()] = value
    return single


_CHANGES = ("ASSIGN_VARIABLE", "CALL", "CALL_ONCE")


def _slice(graph: Subgraph, outputs: Sequence[int]) -> tuple[list[Operator], set[int]]:
    """The operators that tensors follow from, in order, and all tensors on the way."""
    wanted, steps = set(outputs), list[Operator]()
    for operator in reversed(graph.operators):
        if operator.op in _CHANGES or wanted & set(operator.outputs):
            steps.append(operator)
            wanted |= {p for p in operator.inputs if p >= 0}
    return steps[::-1], wanted


def opened(data: bytes, who: str) -> LiteProgram:
    """A TFLite file as a program.

    Args:
        data: The file.
        who: What errors call it.

    Raises:
        FileFormatError: It is damaged.
        UnsupportedError: It has operators that nacre does not compute; all of them are told.
    """
    return LiteProgram(read(data, who), who)


def open_model(data: bytes, who: str, name: str) -> ImportedModel:
    """A TFLite file as a model.

    Raises:
        FileFormatError: It is damaged.
        UnsupportedError: It has operators that nacre does not compute; all of them are told.
    """
    program = opened(data, who)
    try:
        return model_of(program, name)
    except NacreError:
        raise
    except _FAULTS as error:
        text = " ".join(str(error).split())[:300]
        raise FileFormatError(message(who, "its graph must be one that computes", text)) from error


__all__ = ["Frame", "LiteProgram", "Running", "open_model", "opened"]
