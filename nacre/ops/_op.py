"""What is known of an op, and how it runs on arrays.

With `composite=True` the op stays one call in a trace: it runs inside an inner `jax.jit` whose
name carries the op, its attributes, and the name and rank of each operand:

    nacre.softmax|{"axis":-1,"operands":{"x":2}}

so that an exporter can see a softmax instead of the exponentials and sums it is made of; `named`
reads such names back (of a long one only a digest is in the trace: `nacre.lstm|#5f0c…`).

Three things make a call run as its primitives instead: the block of `decomposed()`; an attribute
that is no plain data, such as a function that is not nacre's own (it may hold variables, and a name
could not rebuild it); an array where an attribute is expected.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Values are anything; isinstance() leaves what they hold unknown, and asking in another way would
# cost time at each of them.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import re
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre.core import config
from nacre.core.context import changed, current
from nacre.core.errors import ArgumentError, message
from nacre.core.host_arrays import refuse_wide_integers
from nacre.core.indices import check_width
from nacre.core.symbolic import any_symbolic
from nacre.core.variable import Variable
from nacre.ops import mask_propagation
from nacre.ops._arrays import array
from nacre.ops._explain import EXPLAINED, cause_shown, explained_call
from nacre.ops.kernels.placement import uses_plain_xla
from nacre.ops.mask_rules import Rule

_TENSOR = re.compile(r"\bTensor(Like)?\b")

# JAX's compile cache makes file names of at most 255 characters out of a function's name: with
# `jit_nacre.` and `|` before it, and a dash, 64 digits and `-cache` behind, this is what remains.
LONGEST_NAME = 170
# What does not fit in a name (an LSTM's attributes), by the digest that stands there instead.
LONG_DESCRIPTIONS: dict[str, str] = {}


def decomposed() -> changed:
    """Let composite ops run as the primitives they are made of, in this block."""
    return changed(decomposes_ops=True)


class Op:
    """What is known of one op.

    Args:
        function: A pure JAX function of tensors and attributes.
        name: What traces and messages call it.
        composite: Whether it is one named call in traces, not the primitives it is made of.
        tensors: The parameters that hold tensors; by default those annotated as `Tensor`, and
            those without annotation and default. The others are attributes.
        class_name: The operation class Keras writes into configs; by default its name in capitals.
        keras: The file of keras.src.ops that defines the operation, or a family of ours.
        masks: The rule by which masks propagate, or the reason why they do not.
        shape_rule: For a result whose shape depends on values, which tracing cannot answer: called
            with the op's arguments, it gives the symbolic outputs, or None where tracing can.
        lowering: Parameters that choose among lowerings that give the same numbers: part of the
            program, not of its name.
        converts: Whether it takes whole numbers of 64 bits as they are, to make floats of them.
    """

    kind = None  # it is the op of its name: see mask_propagation.Masked

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        *,
        composite: bool = False,
        tensors: tuple[str, ...] | None = None,
        class_name: str | None = None,
        keras: str = "numpy",
        masks: Rule | str | None = None,
        shape_rule: Callable[..., Any] | None = None,
        lowering: tuple[str, ...] = (),
        converts: bool = False,
    ) -> None:
        self.function = function
        self.name = name
        self.composite = composite
        self.converts = converts
        self.signature = inspect.signature(function)
        self.tensors = _tensors_among(self.signature, name) if tensors is None else tensors
        self.class_name = class_name or "".join(p[:1].upper() + p[1:] for p in name.split("_"))
        self.keras_module = keras
        self.masks = f"nacre.ops.{name} has no rule for masks" if masks is None else masks
        self.shape_rule = shape_rule
        self.lowering = lowering

    def split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arguments as (tensors, attributes), by parameter name."""
        try:
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}() {error}") from None
        tensors: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for name, value in bound.items():
            kind = self.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                attributes.update(value)
            else:
                # A symbolic tensor is an input of the call wherever it stands: clip(x, low, high).
                is_tensor = name in self.tensors or any_symbolic((value,))
                (tensors if is_tensor else attributes)[name] = value
        return tensors, attributes

    def leading(self, tensors: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Tensors as positional arguments as far as they lead the signature, the rest by name."""
        rest = dict(tensors)
        positional: list[Any] = []
        for name, parameter in self.signature.parameters.items():
            if name not in rest:
                break
            value = rest.pop(name)
            several = parameter.kind is inspect.Parameter.VAR_POSITIONAL
            positional += value if several else [value]
        return tuple(positional), rest

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on arrays."""
        try:
            if self.composite:
                return self._run_composite(args, kwargs)
            if not self.converts:
                _refuse_wide(args, kwargs)
            return self.function(*_values(args), **_values(kwargs))
        except EXPLAINED as error:
            better = explained_call(self.name, self.signature, args, kwargs, error)
            if better is error:
                raise
            raise better from cause_shown(error)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function on arrays, and propagate masks where the layer being called does."""
        context = current().call
        if context is None or not context.propagates:
            return self.run(*args, **kwargs)
        outputs = context.run_as_one(self.run, args, kwargs)
        mask_propagation.propagate(self, args, kwargs, outputs)
        return outputs

    def _run_composite(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensors, attributes = self.split(args, kwargs)
        if not current().decomposes_ops:
            try:
                plain = {name: _plain_data(value) for name, value in attributes.items()}
            except TypeError:
                plain = None
            if plain is not None:
                return self._run_named(tensors, plain)
        return self.function(**_values(tensors), **attributes)

    def _run_named(self, tensors: dict[str, Any], attributes: dict[str, Any]) -> Any:
        operands = [_operand(value) for value in tensors.values()]
        ranks = tuple(None if x is None else getattr(x, "ndim", 0) for x in operands)
        # 1, 1.0 and True are equal keys, but not one attribute.
        kinds = tuple(map(type, attributes.values()))
        settings = (config.floatx(), uses_plain_xla())  # what functions read while traced
        key = (tuple(attributes.items()), kinds, settings)
        named = tuple(zip(tensors, ranks, strict=True))
        program = _composite_program(self, named, key)
        return program(*(x for x in operands if x is not None))

    def described(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """All attributes as plain data, those left out with their defaults."""
        given: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            if name in self.tensors or parameter.default is parameter.empty:
                continue
            given[name] = parameter.default
        given |= attributes
        return {
            name: value.__name__ if callable(value) else value
            for name, value in sorted(given.items())
            if name not in self.lowering
        }


def _tensors_among(signature: inspect.Signature, name: str) -> tuple[str, ...]:
    """The parameters whose annotation is `Tensor`, or a structure of them."""
    found = tuple(
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
        and (
            _TENSOR.search(str(parameter.annotation)) is not None
            or parameter.annotation is parameter.default is parameter.empty
        )
    )
    if not found:
        raise ArgumentError(
            message(
                f"op '{name}'",
                "it must say which of its parameters hold tensors",
                f"{name}{signature}",
                "Annotate them as Tensor, or pass tensors=('x',).",
            )
        )
    return found


@functools.lru_cache(maxsize=4096)
def _composite_program(
    op: Op, operands: tuple[tuple[str, int | None], ...], key: tuple[Any, ...]
) -> Callable[..., Any]:
    """The op as one named, compiled function of those operands that are not None."""
    attributes = dict(key[0])
    present = {name: rank for name, rank in operands if rank is not None}
    absent = {name: None for name, rank in operands if rank is None}

    def program(*tensors: Any) -> Any:
        return op.function(**dict(zip(present, tensors, strict=True)), **absent, **attributes)

    text = json.dumps(op.described(attributes) | {"operands": present}, separators=(",", ":"))
    if len(op.name) + len(text) > LONGEST_NAME:
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        LONG_DESCRIPTIONS[digest], text = text, f"#{digest}"
    program.__name__ = program.__qualname__ = f"nacre.{op.name}|{text}"
    return jax.jit(program)


def _plain_data(value: Any) -> Any:
    """An attribute as hashable plain data, or TypeError when it is none."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_plain_data(v) for v in value)
    if isinstance(value, np.dtype) or (isinstance(value, type) and hasattr(value, "dtype")):
        return np.dtype(value).name
    if isinstance(value, types.FunctionType) and value.__module__.startswith("nacre."):
        return value
    raise TypeError(f"no plain data: {value!r}")


def _operand(value: Any) -> Any:
    """What the program of a composite op takes: an array, a number or None."""
    if isinstance(value, np.ndarray):
        refuse_wide_integers(value, "an op")
    if value is None or isinstance(value, _PROGRAM_OPERANDS):
        return value
    return array(value)


def _refuse_wide(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse whole numbers that JAX would cut to 32 bits."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if type(value) is np.ndarray:
            refuse_wide_integers(value, "an op")
        elif type(value) is int and not -_END_OF_32_BITS <= value < _END_OF_32_BITS:
            _refuse_large(value, args)


def _refuse_large(number: int, args: tuple[Any, ...]) -> None:
    """The same for a number of Python's, which JAX cuts once 64 bits are switched on."""
    for other in args:
        if isinstance(other, jax.Array | np.ndarray) and other.dtype.kind in "iu":
            check_width("an op", np.asarray(number), other.dtype)


_END_OF_32_BITS = 1 << 31

# Not unions written out where they are asked for: every op asks, and would make them anew.
_MAY_HOLD_VARIABLES = (Variable, list, tuple)
_PROGRAM_OPERANDS = (jax.Array, np.ndarray, bool, int, float)


def _values(arguments: Any) -> Any:
    """Arguments with variables replaced by their values."""
    if isinstance(arguments, dict):
        return {k: _value(v) for k, v in arguments.items()} if arguments else arguments
    for value in arguments:
        if isinstance(value, _MAY_HOLD_VARIABLES):
            return tuple(map(_value, arguments))
    return arguments


def _value(value: Any) -> Any:
    if isinstance(value, Variable):
        return value.value
    if type(value) in (list, tuple) and any(isinstance(v, _MAY_HOLD_VARIABLES) for v in value):
        return type(value)(_value(v) for v in value)
    return value
