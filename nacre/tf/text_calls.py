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
from nacre.core.strings import HostString, is_text
from nacre.core.symbolic import KerasTensor
from nacre.data import Ragged
from nacre.layers.preprocessing.host_layer import HostLayer

_FIRST, _SECOND = 2, 3  # sizes that open ones are tried with


def takes_texts(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a symbolic tensor of strings is among arguments."""
    return any(_is_text_input(leaf) for leaf in tree.flatten([list(args), kwargs]))


def holds_texts_of_host(args: tuple[Any, ...]) -> bool:
    """Whether strings of a batch that a model is handed are among arguments, or in a list there."""
    for arg in args:
        kind = type(arg)
        if kind is HostString:
            return True
        if (kind is list or kind is tuple) and any(type(part) is HostString for part in arg):
            return True
    return False


def _is_text_input(leaf: Any) -> bool:
    return isinstance(leaf, KerasTensor) and is_text(leaf)


def text_call(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The node that is a call of a function of the table, with symbolic strings among arguments.

    Args:
        path: Its name, such as 'tf.strings.lower'.
        args, kwargs: Its arguments.
    """
    tensors: list[KerasTensor | HostString] = []

    def place(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor | HostString):
            is_texts = isinstance(leaf, np.ndarray) and leaf.dtype.kind == "O"
            return _plain(leaf) if is_texts else leaf
        tensors.append(leaf)
        return {_PLACE: len(tensors) - 1}

    kwargs.pop("name", None)
    arguments = tree.map_structure(place, [list(args), kwargs])
    layer = TextCall(path, arguments)
    return layer(tensors[0] if len(tensors) == 1 else tensors)


def numbers_of(text: KerasTensor) -> KerasTensor:
    """A symbolic tensor of numbers that has the sizes of one of strings."""
    found = getattr(text, _NUMBERS, None)
    if found is None:
        found = text_call("tf.strings.length", (text,), {})
        setattr(text, _NUMBERS, found)  # as long as the text: whose sizes a call is made with
    return found


_NUMBERS = "_nacre_numbers"
_PLACE = "tensor"  # what stands for a tensor among the arguments
_PART = "x[...]"  # the path of the function that indexes, which has no name
_SLICE, _NEW, _REST = "slice", "newaxis", "..."


def _written(part: Any) -> Any:
    """A part of an index as plain data, as configs hold it."""
    if isinstance(part, slice):
        return {_SLICE: [part.start, part.stop, part.step]}
    if part is None or part is Ellipsis:
        return _NEW if part is None else _REST
    return int(part)


def _read(part: Any) -> Any:
    if isinstance(part, dict):
        return slice(*part[_SLICE])
    return {_NEW: None, _REST: Ellipsis}.get(part, part)


def _part(x: Any, parts: list[Any]) -> Any:
    return np.asarray(x)[tuple(_read(part) for part in parts)]


def _indexed(index: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def part_of(self: Any, key: Any) -> Any:
        if not is_text(self):
            return index(self, key)
        parts = key if isinstance(key, tuple) else (key,)
        return text_call(_PART, (self, [_written(part) for part in parts]), {})

    return part_of


def _compared(compare: Callable[[Any, Any], Any], path: str) -> Callable[[Any, Any], Any]:
    """`x == 'a'`; two symbols are compared by `compare`, which also tells whether they are one."""

    def operator(self: Any, other: Any) -> Any:
        if other is None or isinstance(other, KerasTensor) or not is_text(self):
            return compare(self, other)
        return text_call(path, (self, _plain(other)), {})

    return operator


def _plain(value: Any) -> Any:
    """Strings beside a symbol as plain data, as configs hold it."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else _plain(np.asarray(value, object).tolist())


def _joined(add: Callable[[Any, Any], Any], is_right: bool) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if not is_text(self):
            return add(self, other)
        other = other if isinstance(other, KerasTensor) else _plain(other)
        return text_call("tf.strings.join", ([other, self] if is_right else [self, other],), {})

    return operator


OF_TEXT_SYMBOLS: dict[str, Any] = {
    "__getitem__": _indexed(KerasTensor.__getitem__),
    "__eq__": _compared(KerasTensor.__eq__, "tf.equal"),
    "__ne__": _compared(KerasTensor.__ne__, "tf.not_equal"),
    "__add__": _joined(KerasTensor.__add__, is_right=False),
    "__radd__": _joined(KerasTensor.__radd__, is_right=True),
}
"""The operators of symbolic tensors, with a meaning for those of strings."""


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

    if path == _PART:
        return _part
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
    # A number, as some functions read one.
    return np.full(shape, b"0", object) if is_text(x) else np.zeros(shape, str(x.dtype))


def _spec(few: np.ndarray, more: np.ndarray) -> KerasTensor:
    shape = tuple(a if a == b else None for a, b in zip(few.shape, more.shape, strict=True))
    return KerasTensor(shape, "string" if few.dtype.kind in "OSU" else few.dtype.name)


__all__ = [
    "OF_TEXT_SYMBOLS",
    "TextCall",
    "holds_texts_of_host",
    "numbers_of",
    "takes_texts",
    "text_call",
]
