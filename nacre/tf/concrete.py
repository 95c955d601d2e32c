"""What `tf.function(f).get_concrete_function(...)` gives, with what scripts ask of it."""

from __future__ import annotations

import functools
import inspect
import itertools
from typing import Any

import jax

from nacre.core import scope, tree
from nacre.core.errors import DTypeError, ShapeError, message
from nacre.data import TensorSpec
from nacre.tf.dtypes import as_dtype
from nacre.tf.shapes import TensorShape
from nacre.tf.values import alike_on_device, tensor
from nacre.training.function import ConcreteFunction as Compiled
from nacre.training.function import Function

_NUMBERS = itertools.count()


class ConcreteFunction(Compiled[Any]):
    """A function for arguments of known shapes and dtypes.

    Args:
        function: The function.
        signature: What it was asked for: arguments by place, and by name.

    Attributes:
        structured_input_signature: Specs of the arguments, what is left out at its default: those
            by place, and those by name.
        name: A name, as bytes.

    Raises:
        DTypeError: A tensor has another dtype than it was asked for.
    Source:
        TensorFlow 2.15. Differs: inputs and outputs are specs, not tensors of a graph, which is not
        here; what it keeps (`training=True`) may be left out or given again.
    """

    def __init__(self, function: Function[..., Any], signature: tuple[Any, Any]) -> None:
        super().__init__(function, signature)
        self.name = f"__inference_{function._who}_{next(_NUMBERS)}".encode()
        self.structured_input_signature = _in_full(function.python_function, signature)
        self._specs = {key: self._slots[key] for key in self._of_arrays}
        told = {getattr(spec, "name", None): key for key, spec in self._specs.items()}
        self._keys = {name: key for name, key in told.items() if name is not None}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives for tensors of these dtypes."""
        named = {self._argument(name): value for name, value in kwargs.items()}
        left = [key for key in self._of_arrays if self._name_of(key) not in named]
        by_place = left if len(args) == len(left) else [self._key_of(i) for i in range(len(args))]
        fits = [self._fitting(key, value) for key, value in zip(by_place, args, strict=True)]
        names = {self._name_of(key): key for key in self._slots}
        checked = {n: self._fitting(names.get(n, n), value) for n, value in named.items()}
        return super().__call__(*fits, **checked)

    def _argument(self, name: str) -> str:
        """The argument of a name, which may be its spec's."""
        is_own = name in self._names or name in self._slots or name not in self._keys
        return name if is_own else self._name_of(self._keys[name])

    def _fitting(self, key: Any, value: Any) -> Any:
        spec = self._specs.get(key)
        if spec is None or not hasattr(spec, "dtype"):
            return value  # what it keeps, or a structure of tensors
        wanted = as_dtype(spec.dtype)
        if not hasattr(value, "dtype"):
            return tensor(value, wanted)
        have = as_dtype(value.dtype)
        if have is not wanted and not alike_on_device(have, wanted):
            rule = f"{self._name_of(key)} must be of dtype {wanted.name}, as it was asked for"
            fix = f"Convert it: tf.cast(x, tf.{wanted.name})."
            raise DTypeError(message(self.function._who, rule, have.name, fix))
        return value

    def pretty_printed_signature(self, verbose: bool = True) -> str:
        """What it takes and gives, line by line.

        Args:
            verbose: Whether names of arguments and shapes are told; else names alone.
        """
        by_place, by_name = self.structured_input_signature
        bound = inspect.signature(self.function.python_function).bind(*by_place, **by_name)
        if not verbose:
            return f"{self.function.python_function.__name__}({', '.join(bound.arguments)})"
        kinds = bound.signature.parameters
        taken = [
            f"  {name} ({kinds[name].kind.name}): {_described(value)}"
            for name, value in bound.arguments.items()
        ]
        given = _described(self.structured_outputs)
        return "\n".join(
            ["Input Parameters:", *(taken or ["  None"]), "Output Type:", f"  {given}"]
        )

    def __str__(self) -> str:
        return f"ConcreteFunction {self.pretty_printed_signature()}"

    @property
    def inputs(self) -> list[TensorSpec]:
        """Specs of the tensors it takes."""
        named = [(self._name_of(key), spec) for key, spec in self._specs.items()]
        return [_spec(leaf, name) for name, value in named for leaf in tree.flatten(value)]

    @functools.cached_property
    def structured_outputs(self) -> Any:
        """Specs of what it gives; a size is None that follows one of the arguments."""
        few, more = self._given_for(2), self._given_for(3)
        return tree.map_structure(_joined, few, more)

    @property
    def outputs(self) -> list[TensorSpec]:
        """The same as a list."""
        found = tree.flatten(self.structured_outputs)
        return [leaf for leaf in found if isinstance(leaf, TensorSpec)]

    @property
    def output_shapes(self) -> Any:
        """Their shapes."""
        return tree.map_structure(lambda spec: TensorShape(spec.shape), self.structured_outputs)

    @property
    def output_dtypes(self) -> Any:
        """Their dtypes."""
        return tree.map_structure(lambda spec: as_dtype(spec.dtype), self.structured_outputs)

    def _given_for(self, size: int) -> Any:
        """What it gives where open sizes are this one: shapes and dtypes."""
        shapes = tree.map_structure(lambda leaf: _abstract(leaf, size), list(self._specs.values()))
        kept: list[Any] = []

        def call(*arrays: Any) -> list[Any]:
            result = Compiled.__call__(self, *arrays)
            leaves = [getattr(leaf, "value", leaf) for leaf in tree.flatten(result)]
            kept.append(result)
            return [leaf for leaf in leaves if isinstance(leaf, jax.Array)]

        with scope.StatelessScope():
            found = iter(jax.eval_shape(call, *shapes))
        is_array = lambda leaf: isinstance(getattr(leaf, "value", leaf), jax.Array)
        return tree.map_structure(lambda leaf: next(found) if is_array(leaf) else leaf, kept[-1])


def _in_full(function: Any, signature: tuple[Any, Any]) -> tuple[Any, Any]:
    """The arguments with defaults, and specs for tensors."""
    args, kwargs = signature
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return args, kwargs
    bound.apply_defaults()
    for name, value in bound.arguments.items():
        bound.arguments[name] = tree.map_structure(lambda leaf, n=name: _spec(leaf, n), value)
    return bound.args, bound.kwargs


def _described(value: Any) -> str:
    is_plain = isinstance(value, int | float | str | bytes | None)
    return f"Literal[{value!r}]" if is_plain and value is not None else repr(value)


def _spec(leaf: Any, name: str) -> Any:
    is_tensor = hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    if not is_tensor:
        return leaf
    own = getattr(leaf, "name", None)
    return TensorSpec(leaf.shape, as_dtype(leaf.dtype).name, own if isinstance(own, str) else name)


def _abstract(leaf: Any, size: int) -> Any:
    if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
        return leaf
    if leaf.shape is None:
        rule, got = "what it gives is known where arguments' numbers of axes are", "a shape of None"
        raise ShapeError(message("ConcreteFunction", rule, got, "Name them: [None, 3]."))
    sizes = tuple(size if n is None else n for n in leaf.shape)
    kind = jax.dtypes.canonicalize_dtype(as_dtype(leaf.dtype)._dtype)
    return jax.ShapeDtypeStruct(sizes, kind)


def _joined(one: Any, other: Any) -> Any:
    """A spec of both, where they differ with a size left open."""
    if not isinstance(one, jax.ShapeDtypeStruct):
        return one
    sizes = [a if a == b else None for a, b in zip(one.shape, other.shape, strict=True)]
    return TensorSpec(sizes, as_dtype(one.dtype).name)


__all__ = ["ConcreteFunction"]
