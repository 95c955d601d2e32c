"""LiteRT's interface to a file, computed by nacre: `tf.lite.Interpreter` where LiteRT is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nacre.core.errors import ArgumentError, FileFormatError, ShapeError, listed, message, nearest
from nacre.export.importers.litert.program import LiteProgram, Running, opened
from nacre.export.importers.litert.read import Subgraph, Tensor, numpy_dtype

_WHO = "Interpreter"
Details = dict[str, Any]


class Interpreter:
    """Run a TFLite file by the places of its tensors.

    Args:
        model_path: The file.
        model_content: Its bytes, in the place of the path.
        num_threads: Of LiteRT; JAX uses those that it has.
        experimental_preserve_all_tensors: Whether `get_tensor` gives tensors on the way too.
        kwargs: What else LiteRT's takes, of delegates and kernels, which are not needed.

    Raises:
        FileFormatError: The file is damaged.
        UnsupportedError: It has operators that nacre does not compute; all of them are told.
    Source:
        Interface: `ai_edge_litert.interpreter.Interpreter` 2.3. Differs: weights of 8 bits that are
        multiplied with floats x are floats, where LiteRT rounds x to 8 bits: a sum of x · w is up
        to (max(x, 0) - min(x, 0)) / 255 · Σ|w| away; whole numbers may be a step or two away;
        an output that was not computed is an error, not what is in memory; numbers of 64 bits are
        computed in 32.
    Example:
        >>> import nacre.tf as tf
        >>> model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(3)])
        >>> content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
        >>> run = Interpreter(model_content=content)
        >>> run.allocate_tensors()
        >>> run.set_tensor(run.get_input_details()[0]["index"], np.ones((1, 4), "float32"))
        >>> run.invoke()
        >>> run.get_tensor(run.get_output_details()[0]["index"]).shape
        (1, 3)
    """

    def __init__(
        self,
        model_path: Any = None,
        experimental_delegates: Any = None,
        num_threads: int | None = None,
        experimental_op_resolver_type: Any = None,
        experimental_preserve_all_tensors: bool = False,
        model_content: bytes | None = None,
        **kwargs: Any,
    ) -> None:
        if (model_path is None) == (model_content is None):
            rule = "one of model_path and model_content must be given"
            raise ArgumentError(message(_WHO, rule, "both" if model_path else "neither"))
        who = "model_content"
        if model_path is not None:
            path = Path(os.fsdecode(model_path))
            who = f"'{path.name}'"
            try:
                model_content = path.read_bytes()
            except OSError as error:
                text = f"'{path}': {error.strerror}"
                raise FileFormatError(message(_WHO, "the file must be readable", text)) from None
        assert model_content is not None
        self._program: LiteProgram = opened(bytes(model_content), who)
        self._state = _State(self._program)
        self._run = _GraphRun(self._state, 0, experimental_preserve_all_tensors)

    def allocate_tensors(self) -> None:
        """Make the file ready for the shapes that were set."""
        self._run.is_ready = True

    def get_input_details(self) -> list[Details]:
        """What is told of each input: name, index, shape, dtype, quantization."""
        return [self._run.details(place) for place in self._run.graph.inputs]

    def get_output_details(self) -> list[Details]:
        """The same of each output."""
        return [self._run.details(place) for place in self._run.graph.outputs]

    def get_tensor_details(self) -> list[Details]:
        """The same of each tensor of the file's first graph."""
        return [self._run.details(tensor.place) for tensor in self._run.graph.tensors]

    def resize_tensor_input(self, input_index: int, tensor_size: Any, strict: bool = False) -> None:
        """Set the shape of an input; with `strict` only sizes that are open may change.

        Raises:
            ShapeError: It cannot be changed so.
        """
        self._run.resize(int(input_index), [int(n) for n in tensor_size], strict)

    def set_tensor(self, tensor_index: int, value: Any) -> None:
        """Give an input its numbers, which are copied.

        Raises:
            ArgumentError: They are of another dtype, or the place is no input's.
            ShapeError: They are of another shape.
        """
        self._run.set(int(tensor_index), value)

    def invoke(self) -> None:
        """Compute.

        Raises:
            ArgumentError: `allocate_tensors()` was not called.
        """
        self._run.invoke()

    def get_tensor(self, tensor_index: int, subgraph_index: int = 0) -> np.ndarray:
        """A copy of what a tensor holds.

        Raises:
            ArgumentError: It was not computed.
        """
        if subgraph_index:
            rule = "tensors are of the first graph"
            raise ArgumentError(message(f"{_WHO}.get_tensor", rule, f"graph {subgraph_index}"))
        return self._run.get(int(tensor_index))

    def tensor(self, tensor_index: int) -> Callable[[], np.ndarray]:
        """A function that gives what a tensor holds: of an input, an array that may be filled."""
        place = int(tensor_index)
        return lambda: self._run.held(place)

    def reset_all_variables(self) -> None:
        """Let what is kept from call to call begin anew."""
        self._state.reset()

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        """The names of inputs and outputs of each signature."""
        found = self._program.content.signatures
        return {s.key: {"inputs": sorted(s.inputs), "outputs": sorted(s.outputs)} for s in found}

    def get_signature_runner(self, signature_key: str | None = None) -> SignatureRunner:
        """A signature as a function of its inputs by name.

        Raises:
            ArgumentError: There is none of this name; or there are several, and no name is given.
        """
        known = {s.key: s for s in self._program.content.signatures}
        if signature_key is None and len(known) == 1:
            signature_key = next(iter(known))
        if signature_key not in known:
            rule = f"signature_key must be one of {listed(list(known)) or 'none: it has none'}"
            near = nearest(str(signature_key), known)
            fix = f"Did you mean '{near}'?" if near else ""
            got = repr(signature_key)
            raise ArgumentError(message(f"{_WHO}.get_signature_runner", rule, got, fix))
        found = known[signature_key]
        run = self._run if not found.subgraph else _GraphRun(self._state, found.subgraph, False)
        return SignatureRunner(run, found.inputs, found.outputs, signature_key)


class SignatureRunner:
    """A signature of a file: called by the names of its inputs, it gives arrays by name."""

    def __init__(
        self, run: _GraphRun, inputs: Mapping[str, int], outputs: Mapping[str, int], key: str
    ) -> None:
        self._run, self._inputs, self._outputs, self._key = run, inputs, outputs, key

    def __call__(self, **kwargs: Any) -> dict[str, np.ndarray]:
        """The outputs; inputs may have any sizes that the file computes with.

        Raises:
            ArgumentError: An input is missing or unknown.
        """
        missing = [name for name in self._inputs if name not in kwargs]
        wrong = [name for name in kwargs if name not in self._inputs]
        if missing or wrong:
            rule = f"it takes {listed(sorted(self._inputs)) or 'nothing'}"
            got = listed(sorted(kwargs)) or "nothing"
            raise ArgumentError(message(f"signature '{self._key}'", rule, got))
        for name, value in kwargs.items():
            self._run.resize(self._inputs[name], list(np.shape(value)), False)
        self._run.is_ready = True
        for name, value in kwargs.items():
            self._run.set(self._inputs[name], value)
        self._run.invoke()
        return {name: self._run.get(place) for name, place in sorted(self._outputs.items())}

    def get_input_details(self) -> dict[str, Details]:
        """What is told of each input, by name."""
        return {name: self._run.details(place) for name, place in sorted(self._inputs.items())}

    def get_output_details(self) -> dict[str, Details]:
        """What is told of each output, by name."""
        return {name: self._run.details(place) for name, place in sorted(self._outputs.items())}


class _State:
    """What graphs of a file keep from call to call."""

    def __init__(self, program: LiteProgram) -> None:
        self.program = program
        self.weights = {name: weight.value for name, weight in program.weights.items()}
        self.kept: dict[tuple[int, int], Any] = {}
        self.reset()

    def reset(self) -> None:
        """Let it begin anew."""
        self.kept.clear()
        self.variables = {n: self.weights[n] for n in self.program.variables}


class _GraphRun:
    """One graph of a file, with the arrays that it is given and gives."""

    def __init__(self, state: _State, number: int, keeps_all: bool) -> None:
        self.state, self.number, self._keeps_all = state, number, keeps_all
        self.graph: Subgraph = state.program.content.subgraphs[number]
        self.is_ready = False
        self._shapes = {place: self.graph.tensors[place].shape for place in self.graph.inputs}
        self._given: dict[int, np.ndarray] = {}
        self._found: dict[int, np.ndarray] = {}
        self._compiled: Any = jax.jit(self._computed)

    def _tensor(self, place: int) -> Tensor:
        if not 0 <= place < len(self.graph.tensors):
            rule = f"tensors have numbers below {len(self.graph.tensors)}"
            raise ArgumentError(message(_WHO, rule, str(place)))
        return self.graph.tensors[place]

    def details(self, place: int) -> Details:
        tensor = self._tensor(place)
        shape = self._shapes.get(place, tensor.shape)
        if place in self._found:
            shape = self._found[place].shape
        elif place in self.graph.outputs and self._is_resized():
            shape = self._shape_of_output(place, shape)
        scales = tensor.scales
        scale = np.zeros(0, "float32") if scales is None else scales.scale
        zero = np.zeros(0, "int32") if scales is None else scales.zero_point.astype("int32")
        is_one = len(scale) == 1
        sizes = tensor.shape if tensor.signature is None else tensor.signature
        return {
            "name": tensor.name,
            "index": place,
            "shape": np.asarray(shape, "int32"),
            "shape_signature": np.asarray([-1 if n is None else n for n in sizes], "int32"),
            "dtype": numpy_dtype(tensor.dtype).type,
            "quantization": (float(scale[0]), int(zero[0])) if is_one else (0.0, 0),
            "quantization_parameters": {
                "scales": np.array(scale),
                "zero_points": np.array(zero),
                "quantized_dimension": 0 if scales is None else scales.axis,
                "block_size": 0,
            },
            "sparsity_parameters": {},
        }

    def _is_resized(self) -> bool:
        return any(self._shapes[p] != self.graph.tensors[p].shape for p in self.graph.inputs)

    def _shape_of_output(self, place: int, default: Sequence[int]) -> Sequence[int]:
        given = {p: np.zeros(s, self._dtype(p)) for p, s in self._shapes.items()}
        kept, variables = dict(self.state.kept), dict(self.state.variables)
        try:
            found = jax.eval_shape(self._computed, given, kept, variables)[0]
        except ShapeError:  # a size that only a run tells
            return default
        return found[self.graph.outputs.index(place)].shape

    def _dtype(self, place: int) -> np.dtype:
        return numpy_dtype(self.graph.tensors[place].dtype)

    def resize(self, place: int, shape: Sequence[int], strict: bool) -> None:
        tensor = self._tensor(place)
        if place not in self._shapes:
            raise ArgumentError(message(_WHO, "an input is resized", f"tensor {place}"))
        signature = tensor.signature or tensor.shape
        is_open = len(shape) == len(signature) and all(
            own is None or n == own for n, own in zip(shape, signature, strict=True)
        )
        if any(n < 0 for n in shape) or (strict and not is_open):
            rule = f"'{tensor.name}' has shape {signature}, of which None may be changed"
            raise ShapeError(message(f"{_WHO}.resize_tensor_input", rule, str(tuple(shape))))
        if self._shapes[place] != tuple(shape):
            self._shapes[place] = tuple(shape)
            self._given.pop(place, None)
            self._found.clear()
            self.is_ready = False

    def set(self, place: int, value: Any) -> None:
        tensor, array = self._tensor(place), np.asarray(value)
        if place not in self._shapes:
            raise ArgumentError(message(f"{_WHO}.set_tensor", "inputs are set", f"tensor {place}"))
        if array.dtype != self._dtype(place):
            rule = f"'{tensor.name}' must be of dtype {self._dtype(place)}"
            fix = f"Pass x.astype('{self._dtype(place)}')."
            raise ArgumentError(message(f"{_WHO}.set_tensor", rule, str(array.dtype), fix))
        if array.shape != self._shapes[place]:
            rule = f"'{tensor.name}' must have shape {self._shapes[place]}"
            fix = f"Call resize_tensor_input({place}, {list(array.shape)}), allocate_tensors()."
            raise ShapeError(message(f"{_WHO}.set_tensor", rule, str(array.shape), fix))
        self._given[place] = np.array(array)

    def held(self, place: int) -> np.ndarray:
        """What a tensor holds; of an input, the array itself."""
        if place in self._shapes:
            if place not in self._given:
                self._given[place] = np.zeros(self._shapes[place], self._dtype(place))
            return self._given[place]
        return self.get(place)

    def get(self, place: int) -> np.ndarray:
        tensor = self._tensor(place)
        if place in self._shapes:
            return np.array(self.held(place))
        if place in self._found:
            return np.array(self._found[place])
        if tensor.data is not None:
            return np.array(tensor.data)
        if (self.number, place) in self.state.kept:
            return np.asarray(self.state.kept[self.number, place])
        rule = f"'{tensor.name}' must have been computed"
        fix = "Call invoke(); of tensors on the way, with experimental_preserve_all_tensors=True."
        raise ArgumentError(message(f"{_WHO}.get_tensor", rule, "a tensor without numbers", fix))

    def invoke(self) -> None:
        if not self.is_ready:
            rule = "allocate_tensors() must be called before, and after sizes have changed"
            raise ArgumentError(message(f"{_WHO}.invoke", rule, "a file that is not ready"))
        given = {place: self.held(place) for place in self.graph.inputs}
        state = self.state
        self._found = {}
        arguments = given, dict(state.kept), dict(state.variables)
        if self._keeps_all:
            found, kept, variables = self._computed(*arguments, record=self._record)
        else:
            try:
                found, kept, variables = self._compiled(*arguments)
            except ShapeError:  # sizes that only a run tells
                found, kept, variables = self._computed(*arguments)
        state.kept.update(kept)
        state.variables.update(variables)
        for place, value in zip(self.graph.outputs, found, strict=True):
            self._record(self.number, place, value)

    def _record(self, number: int, place: int, value: Any) -> None:
        if number == self.number and hasattr(value, "dtype"):
            self._found[place] = np.asarray(value).astype(self._dtype(place))

    def _computed(
        self,
        given: Mapping[int, Any],
        kept: Mapping[tuple[int, int], Any],
        variables: Mapping[str, Any],
        record: Any = None,
    ) -> tuple[list[Any], dict[tuple[int, int], Any], dict[str, Any]]:
        state = self.state
        running = Running(state.program, {**state.weights, **variables}, dict(kept), record)
        frame = running.frame(self.number, given)
        frame.run(self.graph.outputs)
        updates = {state.program.variable_of(n): v for n, v in running.updates.items()}
        found = [frame.value(place) for place in self.graph.outputs]
        return found, dict(running.states or {}), updates


__all__ = ["Interpreter", "SignatureRunner"]
