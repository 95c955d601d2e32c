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
from nacre.core.indices import check_width, fits
from nacre.core.registry import register
from nacre.core.run_checks import check_in_program
from nacre.core.scope import call_context
from nacre.core.symbolic import any_symbolic
from nacre.core.tracing import is_bare, is_tracer
from nacre.core.typed_jax import setting
from nacre.core.warning import warn
from nacre.core.wide import in_64_bits
from nacre.export.importers.trial_shapes import shapes_by_trial
from nacre.export.importers.wide_work import noting
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

    @property
    def has_64_bits(self) -> bool:
        """Whether numbers of 64 bits are computed with, or may be."""
        ...

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
    Precision:
        What the file computes with 64 bits is computed with 64 bits. Around it JAX has 32, unless
        the process asks for more (`set_floatx("float64")`): floats that the layer gives are rounded
        to them, and whole numbers that they do not hold are an error: in a compiled step or
        `predict` when it has run, in a user's own `jax.jit` as JAX tells it.
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
        self._needs_wide: dict[Any, bool] = {}
        self._alone: dict[str, Any] = {}
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
        if self._needs_64_bits(call, values, arrays):
            results, updates, beyond = in_64_bits(
                lambda v, a: self._narrowed(call, v, a), values, arrays
            )
            self._refuse_beyond(call, beyond)
            return results, updates
        results, updates = self._program.compute(call, values, arrays)
        return [jnp.asarray(value) for value in results], updates

    def _needs_64_bits(self, call: str, values: Mapping[str, Any], arrays: list[Any]) -> bool:
        """Whether something is computed that 32 bits may not hold, and those are what JAX has."""
        if setting("jax_enable_x64") or not self._program.has_64_bits:
            return False
        key = call, tuple((tuple(map(str, a.shape)), str(a.dtype)) for a in arrays)
        if key not in self._needs_wide:
            with noting() as noted, jax.enable_x64(True):
                jax.make_jaxpr(lambda v, a: self._wide(call, v, a))(values, arrays)
            self._needs_wide[key] = bool(noted)
        return self._needs_wide[key]

    def _wide(
        self, call: str, values: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """What the program gives in its own dtypes, where JAX has them all."""
        ports = self._program.calls[call].inputs
        own = [jnp.asarray(a).astype(p.dtype) for a, p in zip(arrays, ports, strict=True)]
        results, updates = self._program.compute(call, values, own)
        return [jnp.asarray(value) for value in results], updates

    def _narrowed(
        self, call: str, values: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any], list[Any]]:
        """The same, in 32 bits, and of each result the largest number that these do not hold."""
        results, updates = self._wide(call, values, arrays)
        kept = {name: _in_32_bits(value) for name, value in updates.items()}
        return [_in_32_bits(value) for value in results], kept, [_beyond(v) for v in results]

    def _refuse_beyond(self, call: str, largest: Sequence[Any]) -> None:
        """Raise where results were cut to 32 bits: now, or when the program under way has run.

        Raises:
            DTypeError: Some were.
        """
        ports = self._program.calls[call].outputs
        found = [(port, n) for port, n in zip(ports, largest, strict=True) if n is not None]
        for port, beyond in found:

            def failure(number: Any, port: Port = port) -> DTypeError:
                rule = f"within another model, output '{port.name}' must fit in 32 bits"
                fix = "Call the imported model itself, or nacre.config.set_floatx('float64') first."
                return DTypeError(message(self._who(), rule, f"{float(number):.6g}", fix))

            if is_tracer(beyond):
                check_in_program(beyond == 0, failure, beyond)
            elif float(beyond):
                raise failure(beyond)

    def exact(self, call: str, given: Sequence[Any]) -> list[Any]:
        """What a function gives for arrays of the host, in the dtypes of the file: those of 64 bits
        as arrays of NumPy, as JAX's would lose half of them in what is done with them."""
        run = self._alone.get(call)
        if run is None:
            run = self._alone[call] = jax.jit(lambda v, a: self._wide(call, v, a))
        ports = self._program.calls[call].inputs
        if len(given) != len(ports):
            rule = f"it takes {len(ports)} arrays: {listed([p.name for p in ports])}"
            raise ShapeError(message(self._who(), rule, f"{len(given)}"))
        with jax.enable_x64(True):
            arrays = [_as_port(x, p, self._who()) for x, p in zip(given, ports, strict=True)]
            values = {name: variable.value for name, variable in self._by_name.items()}
            results, updates = run(values, arrays)
            updates = {name: _kept(value) for name, value in updates.items()}
        for name, value in updates.items():
            self._by_name[name].assign(value)
        return [np.asarray(value) if _is_wide(value.dtype) else value for value in results]

    def wants_exact(self, call: str, given: Sequence[Any]) -> bool:
        """Whether 32 bits hold what goes in or comes out less well than the file does, in a call
        that nothing else is around."""
        if not is_bare() or call_context() is not None:
            return False
        inputs, outputs = self._program.calls[call]
        if any(is_tracer(value) for value in given) or any_symbolic(list(given)):
            return False
        if any(_is_wide(port.dtype) for port in outputs):
            return True
        return any(_is_wider(x, port) for x, port in zip(given, inputs, strict=False))

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


def _is_wide(dtype: Any) -> bool:
    return str(dtype) in ("int64", "uint64", "float64", "complex128")


def _is_wider(value: Any, port: Port) -> bool:
    """Whether an array of the host has more than 32 bits hold, and the input takes it."""
    if not _is_wide(port.dtype) or isinstance(value, jax.Array):
        return False
    array = np.asarray(value)
    if np.dtype(port.dtype).kind in "fc":
        return array.dtype == np.float64
    kind = np.dtype(jax.dtypes.canonicalize_dtype(port.dtype))
    return array.dtype.kind in "iu" and not fits(array, kind)


def _kept(value: Any) -> Any:
    """What a variable takes after a call of its own: whole numbers of 64 bits are, as they are."""
    if str(value.dtype) in ("int64", "uint64"):
        return np.asarray(value)
    return _in_32_bits(value)


def _in_32_bits(value: Any) -> Any:
    """Numbers of 64 bits in 32; those that these do not hold stand out as far as they go."""
    narrow = {"int64": "int32", "uint64": "uint32", "float64": "float32",
              "complex128": "complex64"}.get(str(value.dtype))  # fmt: skip
    if narrow is None:
        return value
    if narrow in ("int32", "uint32"):
        limits = jnp.iinfo(narrow)
        farthest = limits.min if narrow == "int32" else limits.max
        holds = (value >= limits.min) & (value <= limits.max)
        value = jnp.where(holds, value, jnp.asarray(farthest, value.dtype))
    return value.astype(narrow)


def _beyond(value: Any) -> Any:
    """The largest of whole numbers that 32 bits do not hold, without its sign, as a float; 0 where
    they hold all, None of a type that they hold."""
    narrow = {"int64": "int32", "uint64": "uint32"}.get(str(value.dtype))
    if narrow is None:
        return None
    limits = jnp.iinfo(narrow)
    is_beyond = (value < limits.min) | (value > limits.max)
    size = jnp.abs(value.astype("float64"))
    return jnp.max(jnp.where(is_beyond, size, 0), initial=0).astype("float32")


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
        values = [given[n] for n in names]
        if self._layer.wants_exact(self.name, values):
            results = self._layer.exact(self.name, values)
        else:
            results = self._layer._computed(self.name, values)
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
    Precision:
        Called with arrays, and in `predict`, it takes and gives the file's own dtypes: int64 and
        float64 as arrays of NumPy. Within other models and `fit` see `ImportedGraph`.
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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = self._exactly(args[0]) if len(args) == 1 and not set(kwargs) - _SAME else None
        if given is None:
            return super().__call__(*args, **kwargs)
        results = self.imported.exact(self.imported.call_name, given)
        return results[0] if len(results) == 1 else results

    def predict_on_batch(self, x: Any) -> Any:
        """What calling it gives for one batch, as arrays of NumPy."""
        given = self._exactly(x)
        if given is None:
            return super().predict_on_batch(x)
        results = [np.asarray(y) for y in self.imported.exact(self.imported.call_name, given)]
        return results[0] if len(results) == 1 else results

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """As of `Model`; where the file has int64 or float64 it shows no progress."""
        plain = steps is None and not callbacks
        given = self._exactly(x) if plain else None
        if given is None or any(np.ndim(array) == 0 for array in given):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        layer = self.imported
        arrays = [a if isinstance(a, jax.Array) else np.asarray(a) for a in given]
        counts = {len(array) for array in arrays}
        shapes = [port.shape for port in layer.signature.inputs]
        fixed = {shape[0] for shape in shapes if shape and shape[0] is not None}
        if len(counts) > 1 or not all(counts):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        size = min(fixed) if fixed else batch_size or 32
        found = [
            [
                np.asarray(y)
                for y in layer.exact(layer.call_name, [a[at : at + size] for a in arrays])
            ]
            for at in range(0, counts.pop(), size)
        ]
        joined = [_joined(parts) for parts in zip(*found, strict=True)]
        return joined[0] if len(joined) == 1 else joined

    def _exactly(self, x: Any) -> list[Any] | None:
        """What to call the program with, in the order of its inputs, where 64 bits are wanted and
        these are arrays; None elsewhere."""
        layer = next((e for e in self.layers if isinstance(e, ImportedGraph)), None)
        if layer is None:
            return None
        names = list(self.input_names)
        if isinstance(x, Mapping):
            given = [x.get(name) for name in names] if set(x) == set(names) else []
        elif len(names) == 1:
            given = [x[0] if isinstance(x, tuple) and len(x) == 1 else x]
        else:
            given = list(x) if isinstance(x, list | tuple) and len(x) == len(names) else []
        is_array = (np.ndarray, jax.Array, list, tuple, int, float, np.generic)
        if not given or not all(isinstance(value, is_array) for value in given):
            return None
        return given if layer.wants_exact(layer.call_name, given) else None

    @property
    def output_names(self) -> list[str]:
        """The names that outputs have in the file."""
        return [port.name for port in self.imported.signature.outputs]


def _of_input(dtype: str) -> str:
    """The dtype an input of a model has: one of float64 would switch the process to 64 bits."""
    return "float32" if dtype == "float64" and not setting("jax_enable_x64") else dtype


_SAME = {"training"}  # arguments that change nothing


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of batches, behind one another."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def warn_of_rounded(who: str, names: Sequence[str]) -> None:
    """Warn that weights of float64 are not trained, where there are some."""
    if names:
        rule = "weights of float64 are trained as float32, where that holds them"
        got = f"{listed(list(names))}, which stay as they are"
        fix = "To train them: nacre.config.set_floatx('float64') before the file is opened."
        warn(message(who if who.startswith("'") else f"'{who}'", rule, got, fix))


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
        inputs.append(Input(batch_shape=port.shape, dtype=_of_input(port.dtype), name=own))
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
    "warn_of_rounded",
]
