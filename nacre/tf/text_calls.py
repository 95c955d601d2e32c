"""Functions of the table on a model's inputs of strings: a layer of the host, as strings have no
place in a compiled program.

    x = tf.keras.Input((), dtype=tf.string)
    y = lookup(tf.expand_dims(tf.strings.lower(x), -1))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import ArgumentError, message
from nacre.core.host_arrays import refuse_wide_integers
from nacre.core.registry import register
from nacre.core.strings import is_text
from nacre.core.symbolic import KerasTensor
from nacre.data import Ragged
from nacre.layers.preprocessing.host_layer import HostLayer

_FIRST, _SECOND = 2, 3  # sizes that open ones are tried with


def takes_texts(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a symbolic tensor of strings is among arguments."""
    return any(_is_text_input(leaf) for leaf in tree.flatten([list(args), kwargs]))


def _is_text_input(leaf: Any) -> bool:
    return isinstance(leaf, KerasTensor) and is_text(leaf)


def text_call(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The node that is a call of a function of the table, with symbolic strings among arguments.

    Args:
        path: Its name, such as 'tf.strings.lower'.
        args, kwargs: Its arguments.
    """
    tensors: list[KerasTensor] = []

    def place(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return leaf
        tensors.append(leaf)
        return {_PLACE: len(tensors) - 1}

    kwargs.pop("name", None)
    arguments = tree.map_structure(place, [list(args), kwargs])
    layer = TextCall(path, arguments)
    return layer(tensors[0] if len(tensors) == 1 else tensors)


_PLACE = "tensor"  # what stands for a tensor among the arguments


@register("TextCall", module="nacre")
class TextCall(HostLayer):
    """A call of a function of `tf` on strings.

    Args:
        function_path: The function's name, such as 'tf.strings.lower'.
        arguments: Those by place, and those by name; `{"tensor": 0}` stands for the first input.

    Raises:
        ArgumentError: It gives rows of different lengths, which no model holds.
    """

    def __init__(self, function_path: str, arguments: Any, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "string")
        super().__init__(**kwargs)
        self.function_path, self.arguments = function_path, arguments
        self._function = _function(function_path)

    def get_config(self) -> dict[str, Any]:
        """What it is made from again."""
        return {
            **super().get_config(),
            "function_path": self.function_path,
            "arguments": self.arguments,
        }

    def call(self, inputs: Any) -> Any:
        """What the function gives, on the host."""
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        args, kwargs = _filled(self.arguments, list(tensors))
        found = self._function(*args, **kwargs)
        if any(isinstance(leaf, Ragged) for leaf in tree.flatten(found)):
            rule, got = "it must give rows of one length", "a tf.RaggedTensor"
            fix = "Do it in the data set: dataset.map(...)."
            raise ArgumentError(message(self.function_path, rule, got, fix))
        return tree.map_structure(self._narrow, found)

    def _narrow(self, leaf: Any) -> np.ndarray:
        array = np.asarray(leaf)
        if array.dtype.name not in _NARROW:
            return array
        refuse_wide_integers(array, self.function_path)
        return array.astype(_NARROW[array.dtype.name])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Symbolic tensors like what it gives: the same size for two open ones is a fixed one."""
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        few, more = (self.call([_sample(x, n) for x in tensors]) for n in (_FIRST, _SECOND))
        return tree.map_structure(_spec, few, more)


_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


def _function(path: str) -> Callable[..., Any]:
    from nacre.tf.rows import home_of, made

    module, _, name = path.removeprefix("tf").lstrip(".").rpartition(".")
    function: Callable[..., Any] = made(home_of(module, name), name)
    return function


def _filled(structure: Any, tensors: list[Any]) -> Any:
    """Arguments with tensors at their places."""
    if isinstance(structure, dict):
        if set(structure) == {_PLACE}:
            return tensors[structure[_PLACE]]
        return {key: _filled(value, tensors) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_filled(value, tensors) for value in structure)
    return structure


def _sample(x: Any, size: int) -> Any:
    shape = tuple(size if n is None else n for n in x.shape)
    return np.full(shape, b"", object) if is_text(x) else np.zeros(shape, str(x.dtype))


def _spec(few: np.ndarray, more: np.ndarray) -> KerasTensor:
    shape = tuple(a if a == b else None for a, b in zip(few.shape, more.shape, strict=True))
    return KerasTensor(shape, "string" if few.dtype.kind in "OSU" else few.dtype.name)


__all__ = ["TextCall", "takes_texts", "text_call"]
