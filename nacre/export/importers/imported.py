"""A program of another format as a model: what all importers hand on.

An importer reads its file into a `Program`: what it takes and gives, its weights by name, and a
function of both. Here it becomes a layer whose weights are those, and a model of that layer.
"""

from __future__ import annotations

import base64
import importlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.context import current
from nacre.core.errors import (
    ArgumentError,
    DTypeError,
    SerializationError,
    ShapeError,
    listed,
    message,
)
from nacre.core.indices import check_width
from nacre.core.registry import register
from nacre.core.tracing import is_tracer
from nacre.export.importers.trial_shapes import shapes_by_trial
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config
from nacre.layers.core.input_layer import Input
from nacre.models.model import Model


class Port(NamedTuple):
    """Something that a program takes or gives.

    Attributes:
        shape: Its sizes, None for those that are open; None where not even their number is known.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


class Weight(NamedTuple):
    """Numbers that a program computes with, and whether training may change them."""

    value: np.ndarray
    is_trainable: bool


class Call(NamedTuple):
    """A function of a program: its signature."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class Program(Protocol):
    """What an importer makes of a file.

    Attributes:
        kind: The importer, a key of `KINDS`.
        calls: Its functions, by name; the first one is the model's.
        weights: By name.
    """

    @property
    def kind(self) -> str: ...

    @property
    def calls(self) -> Mapping[str, Call]: ...

    @property
    def weights(self) -> Mapping[str, Weight]: ...

    def compute(
        self, call: str, weights: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """What a function gives for arrays, in the order of its outputs, and new values of weights
        that it changes. It is traced: sizes of arrays may be symbols."""
        ...

    def without_weights(self) -> bytes:
        """What `KINDS` opens again: the same program, with any numbers as weights."""
        ...


# What computing a damaged graph may raise, in all formats.
FAULTS = (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, OverflowError,
          AttributeError, AssertionError)  # fmt: skip
# Kind -> the function that opens the bytes that `without_weights` gives.
KINDS: dict[str, str] = {
    "tflite": "nacre.export.importers.litert.program:opened",
    "tfjs": "nacre.export.importers.tfjs.graph:opened",
    "pt2": "nacre.export.importers.torch.program:opened",
    "onnx": "nacre.export.importers.onnx.program:opened",
}
# How many bytes of a program a config may hold: it is unpacked before it is looked at.
_MOST_BYTES = 1 << 31


def _opened(kind: Any, content: Any, who: str) -> Program:
    """The program in a config."""
    place = KINDS.get(kind) if isinstance(kind, str) else None
    if place is None:
        rule = f"kind must be one of {', '.join(KINDS)}"
        raise SerializationError(message(who, rule, repr(kind)[:80]))
    try:
        packed = base64.b64decode(content, validate=True)
        unpacking = zlib.decompressobj()
        most = min(_MOST_BYTES, 1100 * len(packed) + 1000)  # zeros shrink to a thousandth
        data = unpacking.decompress(packed, most)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise ValueError("it does not end")
    except (ValueError, TypeError, zlib.error) as error:
        rule = "content must be a program, packed"
        raise SerializationError(message(who, rule, str(error))) from None
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)(data, who)


@register("ImportedGraph", module="nacre", class_name="ImportedGraph")
class ImportedGraph(Layer):
    """A program that was read from a file of another format, with its weights.

    Args:
        kind: The format.
        content: The program, without its weights, as text.
        call: The function of it that is called; by default the first one.
        trainable: Whether its trainable weights are trained.
        name: Name of the layer.
        dtype: Its dtype policy; the program computes in its own dtypes.
        program: The program itself, in the place of `kind` and `content`.
    Shapes:
        inputs, outputs: as the function takes and gives them: one array, or a list
    """

    traces_shapes = True
    casts_inputs = False

    def __init__(
        self,
        kind: str | None = None,
        content: str | None = None,
        call: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        *,
        program: Program | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype)
        self._program = _opened(kind, content, self._who()) if program is None else program
        self.call_name = next(iter(self._program.calls)) if call is None else call
        if self.call_name not in self._program.calls:
            rule = f"call must be one of {listed(list(self._program.calls))}"
            raise ArgumentError(message(self._who(), rule, repr(call)))
        self._content: str | None = None
        self._by_name: dict[str, Any] = {}
        self._make_weights()
        self.built = True

    def _make_weights(self) -> None:
        taken: set[str] = set()
        for name, weight in self._program.weights.items():
            self._by_name[name] = self.add_weight(
                name=_free_name(name, "weight", taken),
                shape=weight.value.shape,
                dtype=weight.value.dtype.name,
                initializer=np.asarray(weight.value),
                trainable=weight.is_trainable,
                autocast=False,
            )

    @property
    def signature(self) -> Call:
        """What the layer takes and gives, by name."""
        return self._program.calls[self.call_name]

    def call(self, inputs: Any) -> Any:
        """What the program gives."""
        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        is_open = any(not isinstance(n, int) for x in given for n in jnp.shape(x))
        try:
            results = self._computed(self.call_name, given)
        except ShapeError as error:
            # Some programs compute sizes as they run, which no symbols tell.
            if not is_open:
                raise
            results = self._shapes(given, error)
        return results[0] if len(results) == 1 else results

    def _shapes(self, given: list[Any], error: ShapeError) -> list[Any]:
        """Zeros in the shapes of the results.

        Raises:
            ShapeError: They are for a graph that is made of what is computed, or differ from
                what trials tell.
        """
        if current().host_calls is not None:
            fix = "Give its Input the whole shape, with a batch_size."
            rule = "this program is no part of another graph for any size"
            raise ShapeError(message(self._who(), rule, str(error), fix)) from error

        def tried(arrays: Any) -> Any:
            return jax.eval_shape(lambda a: self._results(self.call_name, a)[0], arrays)

        leaves, structure = jax.tree.flatten(given)
        return shapes_by_trial(tried, leaves, structure, self._who())

    def _computed(self, call: str, given: Sequence[Any]) -> list[Any]:
        results, updates = self._results(call, given)
        for name, value in updates.items():
            self._by_name[name].assign(value)
        return results

    def _results(self, call: str, given: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        ports = self._program.calls[call].inputs
        if len(given) != len(ports):
            rule = f"it takes {len(ports)} arrays: {listed([p.name for p in ports])}"
            raise ShapeError(message(self._who(), rule, f"{len(given)}"))
        arrays = [_as_port(x, port, self._who()) for x, port in zip(given, ports, strict=True)]
        values = {name: variable.value for name, variable in self._by_name.items()}
        results, updates = self._program.compute(call, values, arrays)
        return [jnp.asarray(value) for value in results], updates

    def _wants_exact(self, place: int) -> bool:
        own = np.dtype(self.signature.inputs[place].dtype)
        return own.kind in "iu" and own.itemsize <= 2

    def _refuse_cast(self, place: int, value: Any) -> None:
        _refuse_floats(value, self.signature.inputs[place], self._who())

    def _take_adapted(self, other: ImportedGraph) -> None:
        """Have the weights of another: no initializer makes them anew."""
        if [v.shape for v in self.weights] == [v.shape for v in other.weights]:
            self.set_weights(other.get_weights())

    def get_config(self) -> dict[str, Any]:
        """The arguments; the program is among them, its weights are not."""
        if self._content is None:
            packed = zlib.compress(self._program.without_weights(), 6)
            self._content = base64.b64encode(packed).decode("ascii")
        kind, content = self._program.kind, self._content
        return explicit_config(self, kind=kind, content=content, call=self.call_name)


def _as_port(value: Any, port: Port, who: str) -> Any:
    """An array as a program takes it.

    Raises:
        ShapeError: A size that the program fixes is another one.
    """
    _refuse_floats(value, port, who)
    own = np.dtype(port.dtype)
    kind = jax.dtypes.canonicalize_dtype(own)
    if isinstance(value, np.ndarray | list | tuple | int) and kind.kind in "iu":
        check_width(who, np.asarray(value), kind)
    array = jnp.asarray(value)
    if array.dtype != kind:
        array = array.astype(kind)
    if port.shape is not None:
        sizes = tuple(array.shape)
        fits = len(sizes) == len(port.shape) and all(
            own is None or not isinstance(n, int) or n == own
            for n, own in zip(sizes, port.shape, strict=True)
        )
        if not fits:
            rule = f"input '{port.name}' must have shape {port.shape}"
            raise ShapeError(message(who, rule, f"{tuple(map(str, sizes))}"))
    return array


def _refuse_floats(value: Any, port: Port, who: str) -> None:
    """Raise where floats would be cut to whole numbers that stand for others, or whole numbers to
    some of 8 or 16 bits that do not hold them, as pictures of 0 to 255 to signed ones.

    Raises:
        DTypeError: They would.
    """
    own = np.dtype(port.dtype)
    if own.kind not in "iu" or own.itemsize > 2:
        return
    kind = getattr(value, "dtype", None)
    kind = np.asarray(value).dtype if kind is None else np.dtype(kind)
    if kind.kind not in "iub":
        rule = f"input '{port.name}' takes {port.dtype}, which floats would be cut to"
        fix = (
            "Quantize it as the file says, np.round(x / scale) + zero_point, or pass "
            f"x.astype('{port.dtype}')."
        )
        raise DTypeError(message(who, rule, str(kind), fix))
    if kind != own and not is_tracer(value):
        check_width(f"{who}, input '{port.name}'", np.asarray(value), own)


def _free_name(name: str, otherwise: str, taken: set[str]) -> str:
    """A file's name as one of nacre's that is not taken yet, and is from now on."""
    stem = name.replace("/", "_").replace(":", "_") or otherwise
    found, count = stem, 0
    while found in taken:
        count += 1
        found = f"{stem}_{count}"
    taken.add(found)
    return found


class ImportedSignature:
    """A function of an imported model, called by the names of its inputs.

    Attributes:
        inputs, outputs: What it takes and gives: name -> (dtype, shape).
    """

    def __init__(self, layer: ImportedGraph, name: str) -> None:
        self._layer, self.name = layer, name
        ports = layer._program.calls[name]
        self.inputs = {port.name: (port.dtype, port.shape) for port in ports.inputs}
        self.outputs = {port.name: (port.dtype, port.shape) for port in ports.outputs}

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The outputs by name, for arrays by place or by name, or for one dict of them.

        Raises:
            ArgumentError: An input is missing, unknown, or given twice.
        """
        names = list(self.inputs)
        if len(args) == 1 and isinstance(args[0], Mapping) and not kwargs:
            args, kwargs = (), {**args[0]}
        given = dict(zip(names, args, strict=False))
        missing = [n for n in names if n not in given and n not in kwargs]
        wrong = [n for n in kwargs if n not in names or n in given]
        if missing or wrong or len(args) > len(names):
            rule = f"it takes {listed(names)}"
            got = f"{len(args)} by place and {listed(list(kwargs)) or 'none'} by name"
            raise ArgumentError(message(f"signature '{self.name}'", rule, got))
        given |= kwargs
        results = self._layer._computed(self.name, [given[n] for n in names])
        return dict(zip(self.outputs, results, strict=True))

    def __repr__(self) -> str:
        return f"<ImportedSignature '{self.name}': {listed(list(self.inputs))}>"


class _Signatures(dict[str, ImportedSignature]):
    """Signatures by name: each format has names of its own for its first one."""

    def __missing__(self, name: str) -> ImportedSignature:
        raise KeyError(
            message("model.signatures", f"its names are {listed(list(self))}", repr(name))
        )


@register("ImportedModel", module="nacre", class_name="ImportedModel")
class ImportedModel(Model):
    """A model that was read from a file of another format: what `load_model` gives for one.

    It is a functional model of one layer: it is called by position or by the names of its inputs,
    predicts, trains what the file holds as floats, is saved, and is exported to any format.

    Args:
        inputs, outputs, name: As of `Model`.
    """

    _config_module = "nacre"
    _config_class_name = "ImportedModel"
    _config_registered_name = "ImportedModel"

    @property
    def imported(self) -> ImportedGraph:
        """The layer that holds the program."""
        return next(layer for layer in self.layers if isinstance(layer, ImportedGraph))

    @property
    def signatures(self) -> dict[str, ImportedSignature]:
        """The program's functions by name, called by the names of their inputs."""
        layer = self.imported
        made = {name: ImportedSignature(layer, name) for name in layer._program.calls}
        return _Signatures(made)

    @property
    def output_names(self) -> list[str]:
        """The names that outputs have in the file."""
        return [port.name for port in self.imported.signature.outputs]


def model_of(program: Program, name: str | None = None) -> ImportedModel:
    """A program as a model of its first function.

    Args:
        program: The program.
        name: Of the model.
    """
    call = next(iter(program.calls.values()))
    taken: set[str] = set()
    inputs = []
    for port in call.inputs:
        own = _free_name(port.name.removesuffix(":0"), "input", taken)
        inputs.append(Input(batch_shape=port.shape, dtype=port.dtype, name=own))
    layer = ImportedGraph(program=program)
    outputs = layer(inputs if len(inputs) != 1 else inputs[0])
    return ImportedModel(inputs if len(inputs) != 1 else inputs[0], outputs, name=name)


__all__ = [
    "FAULTS",
    "KINDS",
    "Call",
    "ImportedGraph",
    "ImportedModel",
    "ImportedSignature",
    "Port",
    "Program",
    "Weight",
    "model_of",
]
