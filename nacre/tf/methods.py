"""What scripts ask a tensor of TensorFlow's for, lent to arrays of JAX and of data sets as methods.

A class around each array would have to be put on wherever a value reaches the user and taken off
where it comes back: at layers, tapes, `apply_gradients`, losses, metrics, callbacks, data sets,
`tf.function`, every op and branch. One such place that is forgotten hands out an array without
`numpy()`, or loses a gradient, since a tape knows arrays by which object they are. Methods need no
such place, and no code of nacre's knows of them. Costs do not decide: nothing once a function is
traced, and 1 to 2 µs of the 20 to 70 µs that an op takes eagerly (2 cores, JAX 0.10.2).

JAX reads `x.dtype` and `x.device` itself, and stops at anything but its own. So who asks decides:
code of installed packages, of Python's and of nacre's gets what these are elsewhere, a script gets
the dtypes of `tf` (`x.dtype.is_floating`, `x.dtype.max`, a key of a dict of dtypes) and a device's
name. `x + y` of a script takes and refuses dtypes as TensorFlow does; in what `fit` compiles, where
targets may be whole numbers beside predictions, it is JAX's, which takes both.

Nothing of it is there before a name of `nacre.tf` is used: `import nacre` changes no class.
"""

from __future__ import annotations

import dis
import functools
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import nacre
from nacre import initializers
from nacre.core import tree
from nacre.core.array_classes import ARRAY, TRACER
from nacre.core.errors import ArgumentError, DTypeError, PositionError, ShapeError, message
from nacre.core.indices import check_width
from nacre.core.older import mean_older
from nacre.core.registry import is_builtin
from nacre.core.scope import call_context
from nacre.core.symbolic import KerasTensor
from nacre.core.tables import is_table
from nacre.core.tracing import is_bare, is_tracing
from nacre.core.typed_jax import change_setting, setting
from nacre.core.user_code import give_shapes_as, rewrite_with
from nacre.core.variable import Variable
from nacre.data import Dataset, HostTensor, Ragged, TensorSpec
from nacre.data.dataset.dataset import DatasetIterator
from nacre.data.dataset.sparse import SparseEntries
from nacre.layers.base.layer import Layer
from nacre.layers.core.lambda_layer import Lambda
from nacre.layers.preprocessing.hashing import Hashing
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.layers.preprocessing.text import TextVectorization
from nacre.layers.preprocessing.vocabulary import IndexLookup
from nacre.models.model import Model
from nacre.models.trainable import Trainable
from nacre.tf.data_experimental import get_next_as_optional
from nacre.tf.dtypes import DType, as_dtype, as_dtype_or_none
from nacre.tf.generation import is_keras_3
from nacre.tf.older_attributes import OF_LAYERS, OF_SYMBOLS, OF_TENSORS
from nacre.tf.older_numpy import names_taken_away
from nacre.tf.ragged_methods import RAGGED
from nacre.tf.shapes import TensorShape, of_sizes
from nacre.tf.strategies import get_strategy
from nacre.tf.text_calls import OF_TEXT_SYMBOLS
from nacre.tf.values import (
    DataLoopError,
    is_traced_function,
    landed,
    means_tensorflow,
    read,
    tensor,
)
from nacre.tf.variable import name_in_tensorflow, shown_variable
from nacre.tf.variable_parts import ASSIGN, OF_VARIABLES, noting
from nacre.training.trained_as_compiled import train_as_compiled


def _not_in_traces(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Elements of a data set, which the trace of a function would keep for good."""

    def iterate(self: Any) -> Any:
        if is_traced_function() and is_tracing():
            rule = (
                "a compiled function does not read a data set, which gives its batches one by one"
            )
            raise DataLoopError(message("Dataset", rule, "code that does", "Read it outside."))
        return read(self)

    return iterate


def _numpy(self: Any) -> Any:
    """The values as an array of NumPy's, a copy; a number where there are no axes."""
    array = np.array(self)
    return array if array.ndim else array[()]


def _with_numpy(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What a function of NumPy's gives for tensors: an array of NumPy's, as of TensorFlow's own.

    Without it `np.argmax(x)` and `np.mean(x)` call the array's methods of these names and give an
    array of JAX, which is no key of a dict and prints otherwise.
    """
    if func in (np.shape, np.ndim, np.size) and len(args) == 1 and not kwargs:
        return tuple(self.shape) if func is np.shape else getattr(self, func.__name__)
    return func(*_on_host(args), **{key: _on_host(value) for key, value in kwargs.items()})


def _host_with_numpy(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """The same of tensors on the host, where a script calls the function."""
    if not _is_script(sys._getframe(1).f_code.co_filename):
        return np.ndarray.__array_function__(self, func, types, args, kwargs)
    return func(*_plain(args), **{key: _plain(value) for key, value in kwargs.items()})


def _from_right(self: Any, number: np.generic, name: str) -> Any:
    """An operator of a tensor with a number of NumPy's on its left."""
    made: Any = self
    other: Any = number
    if name in _OF_NUMBERS and _are_truths(self):
        made, other = _truths_as_numbers(self, number, name)
    return getattr(made, name)(_matched(made, other))


# Of NumPy's, by the operators that call them where a number of NumPy's is on the left.
_UFUNCS = {
    np.add: "__radd__", np.subtract: "__rsub__", np.multiply: "__rmul__",
    np.true_divide: "__rtruediv__", np.floor_divide: "__rfloordiv__", np.remainder: "__rmod__",
    np.power: "__rpow__", np.less: "__gt__", np.less_equal: "__ge__", np.greater: "__lt__",
    np.greater_equal: "__le__", np.equal: "__eq__", np.not_equal: "__ne__",
}  # fmt: skip
_BINARY = frozenset(map(dis.opmap.__getitem__, ("BINARY_OP", "COMPARE_OP")))


def _operated(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """A tensor of the host in a function of NumPy's of each number.

    `np.float32(2) * x` of a script comes here, since a number of NumPy's asks nobody else first:
    it is the tensor's operator, which keeps its dtype. `np.multiply(np.float32(2), x)` is NumPy's.
    """
    if len(inputs) == 2 and isinstance(inputs[0], np.generic) and inputs[1] is self:
        asking = sys._getframe(1)
        code, name = asking.f_code, _UFUNCS.get(ufunc)
        is_operator = name is not None and code.co_code[asking.f_lasti] in _BINARY
        if name is not None and is_operator and _is_script(code.co_filename):
            return _from_right(self, inputs[0], name)
    arrays = [x.view(np.ndarray) if isinstance(x, HostTensor) else x for x in inputs]
    found = getattr(ufunc, method)(*arrays, **kwargs)
    return found if found is None or "out" in kwargs else _as_tensors(found)


def _as_tensors(found: Any) -> Any:
    """What a function of NumPy's gives of tensors of the host: such ones, as of any subclass."""
    if isinstance(found, tuple):
        return tuple(map(_as_tensors, found))
    array = np.asarray(found, None if isinstance(found, np.ndarray | np.generic) else object)
    return array.view(HostTensor) if type(array) is np.ndarray else array


def _plain(value: Any) -> Any:
    """Tensors as arrays of NumPy's own, in lists and tuples too."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, HostTensor):
        return value.view(np.ndarray)
    return np.asarray(value) if isinstance(value, ARRAY) else value


def _refuse_item(self: Any, key: Any, value: Any) -> None:
    rule, fix = "tensors do not change", "Use tf.tensor_scatter_nd_update, or a tf.Variable."
    raise DTypeError(message("Tensor", rule, "x[...] = value", fix))


def _on_host(value: Any) -> Any:
    """Arrays of JAX as NumPy's, in lists and tuples too."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(map(_on_host, value))
    return np.asarray(value) if isinstance(value, ARRAY) else value


def _get_shape(self: Any) -> TensorShape:
    return of_sizes(tuple(self.shape))


def _to_device(self: Any) -> jax.Array:
    """What an operator with an array of the device takes."""
    array = self.view(np.ndarray)
    return jnp.asarray(array)


@property
def _numbers(self: Any) -> bool:
    """Whether it holds numbers, whose dtype somebody asked for: ops keep it."""
    return self.dtype.kind in "iufcb"


def _device(self: Any) -> str:
    """The name of the device it is on, as TensorFlow spells it."""
    value = self.value if isinstance(self, Variable) else self
    found = next(iter(value.devices())) if isinstance(value, ARRAY) else None
    kind = "CPU" if found is None or found.platform == "cpu" else str(found.platform).upper()
    number = 0 if found is None else found.id
    kind = "GPU" if kind in ("CUDA", "ROCM") else kind
    return f"/job:localhost/replica:0/task:0/device:{kind}:{number}"


_asks: dict[str, bool] = {}  # by file, whether it is a script's
_LIBRARIES = tuple(os.path.dirname(module.__file__ or "") + os.sep for module in (os, nacre))


def _is_script(file: str) -> bool:
    """Whether code of a file is a user's: no installed package's, nor Python's, nor nacre's."""
    found = _asks.get(file)
    if found is None:
        is_library = "-packages" in file or file.startswith((*_LIBRARIES, "<frozen", "<__array"))
        found = _asks[file] = not is_library
    return found


def _for_scripts(old: Any, told: Callable[[Any], Any]) -> property:
    """A property that tells scripts something else than libraries."""
    read = old.__get__

    frame, known = sys._getframe, _asks  # JAX asks many times an op

    def get(self: Any) -> Any:
        file = frame(1).f_code.co_filename
        if known.get(file) is False:
            return read(self)
        return told(self) if _is_script(file) else read(self)

    return property(get, getattr(old, "__set__", None))


def _value_that_is_called(old: Any) -> property:
    """A variable's value, which scripts also call: `v.value()` of TensorFlow, `v.value` of Keras 3.

    The instruction that asks tells the two apart, since arrays cannot be made to be called.
    """
    read = old.__get__
    frame, known = sys._getframe, _asks

    def get(self: Any) -> Any:
        asking = frame(1)
        file = asking.f_code.co_filename
        if known.get(file) is False or not _is_script(file) or not _is_called(asking):
            return read(self)
        return functools.partial(read, self)

    return property(get, getattr(old, "__set__", None))


def _is_of_keras_3(value: Any) -> bool:
    """Whether a variable or a symbolic tensor is told of as Keras 3 does: its own name, 'kernel',
    and the text 'float32' for its dtype. A `tf.Variable` is TensorFlow's in every generation."""
    from nacre.tf.variable import Variable as OfTensorFlow

    # Not isinstance: any variable is an instance of that one in scripts.
    return is_keras_3() and OfTensorFlow not in type(value).__mro__


def _dtype_of_variables(old: Any) -> Callable[[Any], Any]:
    read = old.__get__
    return lambda self: read(self) if _is_of_keras_3(self) else _dtype_for_scripts(read(self))


def _shown_by_generation(old: Any) -> Callable[[Any], str]:
    return lambda self: old(self) if _is_of_keras_3(self) else shown_variable(self)


def _name_of_variables() -> property:
    """The name of a variable, which is an attribute of its own."""
    frame, known = sys._getframe, _asks

    def get(self: Any) -> Any:
        file = frame(1).f_code.co_filename
        if known.get(file) is not False and _is_script(file) and not _is_of_keras_3(self):
            return name_in_tensorflow(self)
        try:
            return vars(self)["name"]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute 'name'"
            ) from None

    def set_to(self: Any, name: str) -> None:
        vars(self)["name"] = name

    return property(get, set_to)


_LOAD_METHOD = dis.opmap.get("LOAD_METHOD")  # of Python 3.11
_LOAD_ATTR = dis.opmap["LOAD_ATTR"]


def _is_called(asking: FrameType) -> bool:
    """Whether code looks up an attribute to call it: Python's instruction for methods says so."""
    code, at = asking.f_code.co_code, asking.f_lasti
    if sys.version_info < (3, 12):
        return code[at] == _LOAD_METHOD
    return code[at] == _LOAD_ATTR and bool(code[at + 1] & 1)


def _dtype_read_by(old: Any) -> Callable[[Any], Any]:
    read = old.__get__
    return lambda self: _dtype_for_scripts(read(self))


@functools.cache
def _dtype_for_scripts(found: Any) -> Any:
    return as_dtype_or_none(found) or found


def _scope_of_names(self: Any) -> str:
    """What names of a layer's variables begin with."""
    return f"{self.name}/"


def _submodules(self: Any) -> tuple[Any, ...]:
    """The layers within a layer, each once."""
    return tuple(self._flatten_layers(False))


def _ref(self: Any) -> Reference:
    return Reference(self)


def _set_shape(self: Any, shape: Any) -> None:
    """Check what is said of the shape."""
    if not TensorShape(self.shape).is_compatible_with(shape):
        rule = f"the shape must fit {tuple(shape)}"
        raise ShapeError(message("Tensor.set_shape", rule, f"{tuple(self.shape)}"))


def _with_texts(call: Any) -> Any:
    """A call of a layer that works on the host, or of a model with such ones: its arrays of the
    host are tensors outside of models."""

    @functools.wraps(call)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], SparseEntries) and _is_of_each(self):
            return args[0].with_values(called(self, args[0].values, *args[1:], **kwargs))
        if isinstance(self, TextVectorization) and self.ragged and args:
            texts = args[0]
            if not isinstance(texts, KerasTensor | Ragged) and call_context() is None:
                return _ragged_words(self, tensor(texts))
        found = call(self, *args, **kwargs)
        if type(found) not in _OF_HOST or call_context() is not None:
            return found
        return tree.map_structure(lambda x: tensor(x) if type(x) is np.ndarray else x, found)

    return called


def _ragged_words(layer: TextVectorization, texts: Any) -> Any:
    """Rows of indices as long as texts are; of one text alone they are a tensor."""
    values, splits = layer.ragged_indices(texts if texts.ndim else np.asarray(texts)[None])
    rows = Ragged(values.astype(np.int64), splits)
    return rows if texts.ndim else tensor(np.asarray(rows.values))


def _is_of_each(layer: Any) -> bool:
    """Whether a layer makes one value of each, so that of sparse ones it makes sparse ones."""
    return isinstance(layer, IndexLookup | Hashing) and layer.output_mode == "int"


_OF_HOST = (np.ndarray, list, tuple, dict)  # what a call gives that may hold arrays of the host


class Reference:
    """A tensor or a variable as a key of a dict: equal to another of the same object.

    Args:
        value: It.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def deref(self) -> Any:
        """The tensor or variable."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._value!r}>"


def _shown(value: Any) -> str:
    """The numbers as NumPy shows them, also within brackets."""
    array = np.asarray(value)
    if array.ndim == 0:
        return repr(array.item()) if array.dtype.kind == "O" else str(array)
    return np.array2string(array, separator=" ")


def _text(self: Any) -> str:
    name = as_dtype(self.dtype).name
    shown = _shown(self)
    line = "\n" if "\n" in shown else ""
    return f"tf.Tensor({line}{shown}, shape={tuple(self.shape)}, dtype={name})"


def _format(self: Any, form: str) -> str:
    """As text in the midst of a text: the numbers alone, as in TensorFlow's f"{x}"."""
    return format(_numpy(self), form)


def _traced_text(self: Any) -> str:
    """A tensor whose values are not known while a function is traced."""
    name = as_dtype(self.dtype).name
    return f'Tensor("traced:0", shape={TensorShape(self.shape)}, dtype={name})'


def _traced_repr(self: Any) -> str:
    name = as_dtype(self.dtype).name
    return f"<tf.Tensor 'traced:0' shape={TensorShape(self.shape)} dtype={name}>"


def _repr(self: Any) -> str:
    name, array = as_dtype(self.dtype).name, np.asarray(self)
    shown = repr(array) if array.ndim else _shown(array)
    shown = f"\n{shown}" if "\n" in shown else shown
    return f"<tf.Tensor: shape={tuple(self.shape)}, dtype={name}, numpy={shown}>"


def _checked(get: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Indexing that refuses a place that is not there, where JAX takes the last one."""

    def getitem(self: Any, key: Any) -> Any:
        parts = key if type(key) is tuple else (key,)
        axis = 0
        for at, part in enumerate(parts):
            if part is None:
                continue
            if part is Ellipsis:
                axis = self.ndim - sum(p is not None for p in parts[at + 1 :])
                continue
            if isinstance(part, int | np.integer) and not isinstance(part, bool):
                size = self.shape[axis] if axis < self.ndim else None
                if isinstance(size, int) and not -size <= part < size:
                    rule = f"an index of axis {axis} must be from {-size} to {size - 1}"
                    raise PositionError(message("Tensor", rule, str(part)))
            axis += 1
        return get(self, key)

    return getitem


def _with_symbols(get: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Indexing also by sizes that are symbols, which NumPy does not know."""

    def getitem(self: Any, key: Any) -> Any:
        try:
            return get(self, key)
        except TypeError:
            parts = key if type(key) is tuple else (key,)
            ends = [end for p in parts if type(p) is slice for end in (p.start, p.stop, p.step)]
            if self.dtype.kind == "O" or not any(map(jax.export.is_symbolic_dim, ends)):
                raise
            return jnp.asarray(self)[key]

    return getitem


# What Python calls for operators, the other operand on either side.
_OPERATORS = [
    f"__{side}{name}__"
    for name in "add sub mul truediv floordiv mod pow matmul and or xor".split()
    for side in ("", "r")
] + [f"__{name}__" for name in "eq ne lt le gt ge".split()]


_QUOTIENTS = ("__truediv__", "__rtruediv__")
# Which TensorFlow has for numbers alone, and not for truths.
_OF_NUMBERS = frozenset(
    f"__{side}{name}__"
    for name in "add sub mul truediv floordiv mod pow lt le gt ge".split()
    for side in ("", "r")
)


def _are_truths(value: Any) -> bool:
    return _plain_dtype(value).kind == "b" and means_tensorflow() and not _follows_numpy[0]


def _truths_as_numbers(truths: Any, other: Any, name: str) -> tuple[Any, Any]:
    """What a quotient of truths and numbers of NumPy's is of; other operators refuse truths."""
    if isinstance(other, _TENSORS) and _plain_dtype(other).kind != "b":
        return truths, other  # two dtypes, which are refused as such
    is_numpys = isinstance(other, np.ndarray | np.generic) and not isinstance(other, HostTensor)
    if name not in _QUOTIENTS or not is_numpys or other.dtype.kind not in "iuf":
        rule = "an operator of numbers does not take truths"
        fix = "Convert them: tf.cast(x, tf.float32)."
        raise DTypeError(message("tf.Tensor", rule, f"bool in {name}", fix))
    dtype = other.dtype if other.dtype.kind == "f" else np.dtype("float64")
    numbers = read(truths) if isinstance(truths, Variable) else truths
    if isinstance(numbers, HostTensor):
        numbers = landed(numbers.view(np.ndarray).astype(dtype))
    return numbers.astype(dtype), np.asarray(other, dtype)


_END_OF_32_BITS = 1 << 31
_LONG = ("int64", "uint64")


def _large(value: Any, number: int) -> Any:
    """What an operator takes for a number beyond 32 bits: a float beside floats; whole numbers must
    have the bits. JAX raises an error of its own, or, where other arrays have 64 bits, cuts it."""
    array = value.value if isinstance(value, Variable) else value
    dtype = np.dtype(array.dtype)
    check_width("a number that meets a tensor", np.asarray(number), dtype)
    return number if dtype.kind in "iub" else float(number)


def _of_numbers_alone(operate: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    """The same of a sign, which truths do not have in scripts."""

    def operator(self: Any) -> Any:
        if _are_truths(self) and _is_script(sys._getframe(1).f_code.co_filename):
            _truths_as_numbers(self, None, name)
        return operate(self)

    return operator


def _of_sign(operate: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    """The same of an operator of the variable alone."""

    def operator(self: Any) -> Any:
        return operate(self) if _is_inexact(self) else getattr(read(self), name)()

    return operator


def _with_lists(
    operate: Callable[[Any, Any], Any], name: str, of_variables: bool = False
) -> Callable[[Any, Any], Any]:
    """An operator that also takes lists and tuples of numbers, as tensors of the same dtype.

    Of a variable of whole numbers it is that of its value.
    """
    divides = name in _QUOTIENTS
    is_of_numbers = name in _OF_NUMBERS

    def operator(self: Any, other: Any) -> Any:
        if is_of_numbers and _are_truths(self) and _is_script(sys._getframe(1).f_code.co_filename):
            made, other = _truths_as_numbers(self, other, name)
            if made is not self:
                return getattr(made, name)(other)
        kind = type(other)
        if kind is int:
            if not -_END_OF_32_BITS <= other < _END_OF_32_BITS:
                other = _large(self, other)
        elif kind in _LISTS:
            other = tensor(other, self.dtype)
        elif kind is not bool and _is_script(sys._getframe(1).f_code.co_filename):
            other = _matched(self, other)
        if of_variables and not _is_inexact(self):
            return getattr(_divided(read(self)) if divides else read(self), name)(other)
        if divides and not of_variables and means_tensorflow():
            if _is_script(sys._getframe(1).f_code.co_filename):
                self = _divided(self)
        try:
            return operate(self, other)
        except (TypeError, ValueError):  # of JAX
            shapes: list[Any] = [getattr(x, "shape", None) for x in (self, other)]
            if None in shapes or not _is_script(sys._getframe(1).f_code.co_filename):
                raise
            if _fit(tuple(shapes[0]), tuple(shapes[1]), name.strip("_").endswith("matmul")):
                raise
        # Symbols of open sizes as they are: whoever looks for sizes that fit reads them here.
        got = " and ".join(str(tuple(shape)) for shape in shapes)
        rule = "shapes of both sides of an operator must fit"
        raise ShapeError(message("tf.Tensor", rule, got)) from None

    return operator


def _fit(one: Any, other: Any, is_product: bool) -> bool:
    if is_product:
        return False if min(len(one), len(other)) < 1 else one[-1] == other[max(0, len(other) - 2)]
    pairs = zip(reversed(one), reversed(other), strict=False)
    return all(a == b or 1 in (a, b) for a, b in pairs)


def _of_host(operate: Callable[[Any, Any], Any], name: str) -> Callable[[Any, Any], Any]:
    """The same of a tensor of the host.

    A float of Python's makes floats of 32 bits of whole numbers where TensorFlow's refusal is not
    asked for, as in a compiled function. Nothing is divided by the number 0.
    """
    divides = name.strip("_").removeprefix("r") in ("floordiv", "mod")
    is_of_numbers = name in _OF_NUMBERS

    def operator(self: Any, other: Any) -> Any:
        if is_of_numbers and _are_truths(self) and _is_script(sys._getframe(1).f_code.co_filename):
            made, other = _truths_as_numbers(self, other, name)
            if made is not self:
                return getattr(made, name)(other)
        kind = type(other)
        if kind in _LISTS:
            other = tensor(other, self.dtype)
        elif kind in (str, bytes) and self.dtype.kind == "O":
            other = tensor(other)
        elif kind not in _PYTHONS and _is_script(sys._getframe(1).f_code.co_filename):
            other = _matched(self, other)
        if isinstance(other, Variable) and not _is_inexact(other):
            other = read(other)
        if self.dtype.kind in "iu":
            if kind is float:
                return getattr(jnp.asarray(self.view(np.ndarray), "float32"), name)(other)
            if divides:
                _refuse_zero(self if name.startswith("__r") else other)
        try:
            return operate(self, other)
        except OverflowError:  # of NumPy
            _large(self, int(other))
            raise

    return operator


def _is_inexact(variable: Any) -> bool:
    return str.startswith(variable.dtype, ("float", "bfloat", "complex"))


def _matched(self: Any, other: Any) -> Any:
    """What an operator of a script's takes beside a tensor: of NumPy's an array of the tensor's
    dtype, which cuts floats where that is of whole numbers; tensors and floats of Python's must be
    of it."""
    have = _plain_dtype(self)
    kind = type(other)
    if _follows_numpy[0]:
        return _met(have, np.asarray(other) if is_table(other) else other)
    if kind is np.ndarray or isinstance(other, np.generic):
        is_text = other.dtype.kind in "OSU" or have.kind == "O"
        if other.dtype == have or is_text or other.dtype.kind in "mMV":
            return other
        return np.asarray(other).astype(have)
    if kind is float or kind is complex:
        given = "float" if kind is float else "complex"
        fits = jnp.issubdtype(have, jnp.inexact) or have.kind == "O"
    elif isinstance(other, _TENSORS):
        given = _plain_dtype(other)
        # Whole numbers of data that `fit` brings to the device have 32 bits.
        fits = given == have or {given.name, have.name} == {"int32", "int64"}
    else:
        return np.asarray(other).astype(have) if is_table(other) else other
    if not fits and means_tensorflow():
        rule, got = "both sides of an operator must have one dtype", f"{have.name} and {given}"
        fix = f"Convert one: tf.cast(x, tf.{as_dtype(have).name})."
        raise DTypeError(message("tf.Tensor", rule, got, fix))
    return other


_follows_numpy = [False]  # whether dtypes meet as NumPy's do, as a script may ask for


def _met(have: np.dtype, other: Any) -> Any:
    """What an operator takes beside a tensor where dtypes meet as NumPy's do."""
    is_array = isinstance(other, (*_TENSORS, np.ndarray, np.generic))
    given = (
        other.dtype if isinstance(other, np.generic) else _plain_dtype(other) if is_array else have
    )
    kinds = "biufc"
    if have == given or have.kind not in kinds or given.kind not in kinds:
        return other
    value = read(other) if isinstance(other, Variable) else other
    together = np.result_type(have, given)
    if isinstance(value, np.ndarray | np.generic):
        return landed(np.asarray(value).astype(together))
    return jnp.asarray(value, together)


def _divided(value: Any) -> Any:
    """What is divided: of whole numbers of 32 bits floats of 64, as in TensorFlow."""
    if isinstance(value, np.ndarray) or value.aval.dtype.name not in ("int32", "uint32"):
        return value
    return value.astype("float64")


def _plain_dtype(value: Any) -> np.dtype:
    if isinstance(value, Variable):
        return jnp.dtype(str.__str__(value.dtype))
    return np.ndarray.dtype.__get__(value) if isinstance(value, np.ndarray) else value.aval.dtype


_TENSORS = (ARRAY, TRACER, HostTensor, Variable)
_PYTHONS = (int, bool, str, bytes)


def _refuse_zero(divisor: Any) -> None:
    if isinstance(divisor, int | np.ndarray) and np.any(np.asarray(divisor) == 0):
        rule = "whole numbers must not be divided by 0"
        raise ArgumentError(message("tf.Tensor", rule, f"{np.asarray(divisor).tolist()}"))


_LISTS = (list, tuple)


def _shape_of(old: Any) -> property:
    return property(lambda self: of_sizes(old.__get__(self)))


def _kept_shape() -> property:
    """`shape` of an object that sets it itself."""

    def get(self: Any) -> TensorShape:
        try:
            return of_sizes(vars(self)["shape"])
        except KeyError:
            raise AttributeError("shape") from None

    return property(get, lambda self, shape: vars(self).__setitem__("shape", shape))


def _kept_dtype() -> property:
    """`dtype` of an object that sets it itself, as scripts and libraries are told it."""

    def get(self: Any) -> Any:
        try:
            found = vars(self)["dtype"]
        except KeyError:
            raise AttributeError("dtype") from None
        is_script = _is_script(sys._getframe(1).f_code.co_filename)
        if not is_script or (isinstance(self, KerasTensor) and is_keras_3()):
            return found
        return _dtype_for_scripts(found)

    return property(get, lambda self, dtype: vars(self).__setitem__("dtype", dtype))


def _spec_shape() -> property:
    kept = _kept_shape()

    def get(self: Any) -> Any:
        return None if vars(self).get("shape", 0) is None else kept.__get__(self)

    return property(get, kept.fset)


def _spec_from_tensor(cls: Any, tensor: Any, name: str | None = None) -> Any:
    """The spec of a tensor."""
    from nacre.tf.more_values import type_spec_from_value

    found = type_spec_from_value(tensor)
    found.name = name
    return found


def _spec_fits(self: Any, value: Any) -> bool:
    """Whether a tensor, or another spec, has such a shape and dtype."""
    if not hasattr(value, "shape") or as_dtype(value.dtype) != as_dtype(self.dtype):
        return False
    return self.shape is None or TensorShape(self.shape).is_compatible_with(value.shape)


def _spec_repr(self: Any) -> str:
    shape = None if self.shape is None else tuple(self.shape)
    return f"TensorSpec(shape={shape}, dtype=tf.{as_dtype(self.dtype).name}, name={self.name!r})"


_lent: dict[tuple[Any, str], Any] = {}  # (class or module, name) -> what stood there
_64_BITS = "jax_enable_x64"
_before: list[bool] = []  # whether JAX had numbers of 64 bits
_MISSING = object()
# Made once: Python 3.13 was seen to call an array's method on a traced value, where methods of one
# code had been made, dropped and made anew for both.
_made: dict[tuple[Any, str], Any] = {}


def _lend(cls: Any, **methods: Any) -> None:
    for name, method in methods.items():
        _lent.setdefault((cls, name), vars(cls).get(name, _MISSING))  # it may be lent in two steps
        setattr(cls, name, method)


def _giving_tensors(own: Callable[..., Any]) -> Callable[..., Any]:
    """An initializer's call, for scripts: layers ask for `on_host`, which puts nothing on a device.
    While something is traced there are no values to put there."""

    @functools.wraps(own)
    def call(self: Any, shape: Any, dtype: Any = None, **others: Any) -> Any:
        values = own(self, shape, dtype=dtype, **others)
        return tensor(values) if is_bare() else values

    call.on_host = own  # type: ignore[attr-defined]
    return call


def _of_row(name: str, part: Callable[[Any], Any]) -> property:
    """What a sparse tensor has, of a tensor of one axis: `tf.io.parse_single_example` gives such a
    one for a `VarLenFeature`."""

    def read(self: Any) -> Any:
        if self.ndim != 1:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return part(self)

    return property(read)


_OF_ROWS = {
    "values": _of_row("values", lambda row: row),
    "indices": _of_row("indices", lambda row: landed(np.arange(len(row), dtype=np.int64)[:, None])),
    "dense_shape": _of_row("dense_shape", lambda row: landed(np.array([len(row)], np.int64))),
}


def lend_methods() -> None:
    """Give arrays, variables and symbolic tensors what scripts ask a tensor of TensorFlow's for."""
    if _lent:
        return
    from nacre.tf.conversion.calls import converted

    rewrite_with(converted)
    give_shapes_as(TensorShape)
    train_as_compiled(True)
    mean_older(True)
    _before.append(setting(_64_BITS))
    change_setting(_64_BITS, True)
    if _made:
        for (cls, name), method in _made.items():
            _lend(cls, **{name: method})
        return
    _make_and_lend()
    _made.update({(cls, name): vars(cls)[name] for cls, name in _lent})


def _make_and_lend() -> None:
    for cls in (ARRAY, TRACER):
        _lend(
            cls,
            shape=_shape_of(cls.shape),
            get_shape=_get_shape,
            set_shape=_set_shape,
            ref=_ref,
            assign=ASSIGN,
            __getitem__=_checked(cls.__getitem__),
        )
    for cls in (ARRAY, TRACER, HostTensor, Variable):
        for name in _OPERATORS:
            if (operate := getattr(cls, name, None)) is not None:
                of_variables = functools.partial(_with_lists, of_variables=True)
                wrap = {HostTensor: _of_host, Variable: of_variables}.get(cls, _with_lists)
                _lend(cls, **{name: wrap(operate, name)})
    for kind in vars(initializers).values():
        if isinstance(kind, type) and "__call__" in vars(kind) and is_builtin(kind):
            _lend(kind, __call__=_giving_tensors(vars(kind)["__call__"]))
    for name in ("__neg__", "__abs__", "__invert__"):
        _lend(Variable, **{name: _of_sign(getattr(Variable, name), name)})
    for cls in (ARRAY, TRACER, HostTensor, Variable):
        for name in ("__neg__", "__abs__"):
            _lend(cls, **{name: _of_numbers_alone(getattr(cls, name), name)})
    for cls in (ARRAY, TRACER, HostTensor, Ragged):
        _lend(cls, dtype=_for_scripts(cls.dtype, _dtype_read_by(cls.dtype)))
    _lend(Variable, dtype=_for_scripts(Variable.dtype, _dtype_of_variables(Variable.dtype)))
    for cls in (KerasTensor, TensorSpec):
        _lend(cls, dtype=_kept_dtype())
    _lend(ARRAY, numpy=_numpy, __repr__=_repr, __str__=_text, __array_function__=_with_numpy)
    _lend(TRACER, __repr__=_traced_repr, __str__=_traced_text)
    _lend(HostTensor, shape=_shape_of(np.ndarray.shape), __format__=_format)
    _lend(HostTensor, __jax_array__=_to_device, keeps_64_bits=_numbers)
    _lend(HostTensor, __array_ufunc__=_operated)
    _lend(HostTensor, __array_function__=_host_with_numpy, __setitem__=_refuse_item)
    _lend(HostTensor, __getitem__=_with_symbols(HostTensor.__getitem__))
    _lend(HostTensor, __repr__=_repr, __str__=_text, ref=_ref, get_shape=_get_shape)
    _lend(Variable, shape=_shape_of(Variable.shape), get_shape=_get_shape, ref=_ref)
    _lend(Variable, value=_value_that_is_called(Variable.value), name=_name_of_variables())
    _lend(Variable, __repr__=_shown_by_generation(Variable.__repr__))
    _lend(nacre.layers.Layer, submodules=property(_submodules), name_scope=_scope_of_names)
    _lend(Variable, __getitem__=noting(Variable.__getitem__), **OF_VARIABLES)
    _lend(
        TensorSpec,
        shape=_spec_shape(),
        from_tensor=classmethod(_spec_from_tensor),
        is_compatible_with=_spec_fits,
        __repr__=_spec_repr,
    )
    _lend(KerasTensor, shape=_kept_shape(), get_shape=_get_shape, ref=_ref)
    for cls in (ARRAY, TRACER, HostTensor):
        _lend(cls, **_OF_ROWS)
    _lend(Ragged, **RAGGED)
    _lend(Layer, **OF_LAYERS)
    _lend(KerasTensor, **OF_SYMBOLS, **OF_TEXT_SYMBOLS)
    for cls in (ARRAY, TRACER, HostTensor):
        _lend(cls, experimental_ref=_ref, **OF_TENSORS)
    _lend(Variable, set_shape=_set_shape, experimental_ref=_ref)
    _lend(Trainable, distribute_strategy=property(lambda self: get_strategy()))
    _lend(ARRAY, device=_for_scripts(ARRAY.device, _device))
    for cls in (HostTensor, Variable):
        _lend(cls, device=property(_device))
    _lend(Dataset, __iter__=_not_in_traces(Dataset.__iter__))
    _lend(DatasetIterator, get_next_as_optional=get_next_as_optional)
    _lend(Lambda, _takes_strings=True)  # functions of `tf.strings` take them
    _lend(np, **names_taken_away())
    for layers in (HostLayer, Model):
        _lend(layers, __call__=_with_texts(layers.__call__))


def lend_numpy_methods() -> None:
    """Let dtypes meet, and `astype` to floats of 32 bits give arrays of the device, which tapes
    watch: `tf.experimental.numpy.experimental_enable_numpy_behavior`."""
    lend_methods()
    _follows_numpy[0] = True
    _lend(HostTensor, astype=_astype)


def _astype(self: Any, dtype: Any, *args: Any, **kwargs: Any) -> Any:
    wanted = np.dtype(dtype.as_numpy_dtype if isinstance(dtype, DType) else dtype)
    found = np.ndarray.astype(self, wanted, *args, **kwargs)
    is_asked = _is_script(sys._getframe(1).f_code.co_filename)
    return landed(found.view(np.ndarray)) if is_asked else found


def take_methods_back() -> None:
    """Undo `lend_methods`, so that classes are as JAX and nacre define them."""
    for (cls, name), old in _lent.items():
        if old is _MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, old)
    if _lent:
        change_setting(_64_BITS, _before.pop())
    _lent.clear()
    _follows_numpy[0] = False
    rewrite_with(None)
    give_shapes_as(None)
    train_as_compiled(False)
    mean_older(False)


__all__ = ["Reference", "lend_methods", "take_methods_back"]
