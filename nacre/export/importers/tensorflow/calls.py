"""What of a SavedModel is called: signatures by names, functions with their arguments of Python.

Values are given as users have them, and are made what the graph takes: of its dtypes, of shapes
that fit; outputs are arrays of JAX, or of NumPy where JAX has none such.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import (
    ArgumentError,
    DTypeError,
    NacreError,
    ShapeError,
    listed,
    message,
)
from nacre.core.older import is_older_meant
from nacre.core.strings import HostString
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable
from nacre.core.wire.tensorflow.dtypes import STRING, dtype_of, name_of
from nacre.core.wire.tensorflow.saved_model import SignatureDef, TensorInfo
from nacre.core.wire.tensorflow.tensors import shape_of, to_array
from nacre.data import TensorSpec as Spec
from nacre.data.dataset.elements import sealed
from nacre.export.importers.tensorflow.compiled import Compiled
from nacre.export.importers.tensorflow.structures import (
    Named,
    OtherSpec,
    TensorSpec,
    decoded,
    flattened,
    packed,
)
from nacre.export.importers.tensorflow.values import GraphError, fits, strings

if TYPE_CHECKING:
    from nacre.export.importers.tensorflow.program import SavedModelProgram

WHO = "SavedModel"


def given_back(value: Any) -> Any:
    """An output: an array of JAX, or of NumPy for strings and numbers of 64 bits.

    For scripts of TensorFlow all are tensors.
    """
    if is_tracer(value):
        return value
    if isinstance(value, jax.Array):
        return _wide(np.asarray(value)) if is_wide(np.dtype(value.dtype)) else value
    if isinstance(value, np.ndarray):
        found: Any = value.view(np.ndarray)
        return _wide(found) if is_wide(found.dtype) else jnp.asarray(found)
    return value


def _wide(array: np.ndarray) -> Any:
    if not is_older_meant():
        return array
    return jnp.asarray(array) if array.dtype.kind in "fc" else sealed(np.array(array))


def is_wide(kind: np.dtype[Any]) -> bool:
    """Whether a dtype is of strings, or of numbers of 64 bits."""
    return kind.kind == "O" or kind.itemsize // (2 if kind.kind == "c" else 1) > 4


def fitted(value: Any, number: int, sizes: tuple[int | None, ...] | None, what: str) -> Any:
    """A value as the graph takes it.

    Raises:
        DTypeError: It is of another kind.
        ShapeError: It is of another shape.
    """
    if isinstance(value, Variable):
        value = value.value
    if number == STRING:
        if isinstance(value, HostString) and value.values is not None:
            value = value.values
        try:
            found: Any = value if isinstance(value, HostString) else strings(value)
        except GraphError as error:
            raise DTypeError(message(WHO, f"{what} must be strings", str(error))) from None
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
                raise DTypeError(message(WHO, rule, str(own)))
            found = _converted(found, kind, what)
    if not fits(sizes, np.empty(found.shape, bool) if isinstance(found, HostString) else found):
        raise ShapeError(message(WHO, f"{what} must be of shape {sizes}", str(np.shape(found))))
    return found


def _converted(found: Any, kind: np.dtype[Any], what: str) -> Any:
    is_whole = kind.kind in "iu" and np.dtype(found.dtype).kind in "iu"
    if is_whole and found.size and not is_tracer(found):
        limits, smallest, largest = np.iinfo(kind), int(found.min()), int(found.max())
        if smallest < limits.min or largest > limits.max:
            rule = f"{what} must fit {kind}"
            raise DTypeError(message(WHO, rule, f"numbers from {smallest} to {largest}"))
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

    @property
    def structured_input_signature(self) -> tuple[tuple[()], dict[str, Spec]]:
        """What it takes, as TensorFlow tells it: nothing by place, tensors by name."""
        return (), {k: _spec_of(*told, name=k) for k, told in self.inputs.items()}

    @property
    def structured_outputs(self) -> dict[str, Spec]:
        """What it gives."""
        return {k: _spec_of(*told, name=k) for k, told in self.outputs.items()}

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
                raise ArgumentError(message(WHO, f"{what} must be {len(names)} arrays"))
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
            raise ArgumentError(message(WHO, rule, f"{len(args)} by place"))
        given = {**kwargs, **({names[0]: args[0]} if args else {})}
        missing = [n for n in names if n not in given and n not in self._found.defaults]
        unknown = [n for n in given if n not in self.inputs]
        if missing or unknown:
            told = [f"without {listed(missing)}"] if missing else []
            told += [f"with {listed(unknown)}"] if unknown else []
            rule = f"signature '{self.name}' takes {listed(names) or 'nothing'}"
            raise ArgumentError(message(WHO, rule, " and ".join(told)))
        return given

    def _plan(self) -> Compiled:
        if self._compiled is None:
            feeds = [
                name for _, info in sorted(self._found.inputs.items()) for name in _tensors(info)
            ]
            fetches = [n for _, info in sorted(self._found.outputs.items()) for n in _tensors(info)]
            self._compiled = self._program._compiled_for(feeds, fetches)
        return self._compiled

    def __repr__(self) -> str:
        return f"<Signature '{self.name}' of {self.inputs}, gives {self.outputs}>"


def _is_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "OUS"


def _told(info: TensorInfo) -> tuple[str, tuple[int | None, ...] | None]:
    return name_of(info.dtype), shape_of(info.tensor_shape)


def _spec_of(dtype: str, shape: tuple[int | None, ...] | None, name: str) -> Spec:
    return Spec(shape, dtype, name)


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


class Unwrapped:
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
        raise ArgumentError(message(WHO, rule, "; ".join(dict.fromkeys(told)) or "none is there"))

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


__all__ = [
    "WHO", "Function", "Signature", "Unwrapped", "fitted", "given_back", "is_wide",
]  # fmt: skip
