"""`tf.experimental.ExtensionType`: classes of a user's whose fields are tensors and more.

In a `tf.function` and in a data set their tensors go on their own, and what they are in is made
again around them.
"""

from __future__ import annotations

import collections
import functools
import inspect
import itertools
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import jax

from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.data import HostTensor, Ragged, TensorSpec
from nacre.data.dataset.sparse import SparseEntries
from nacre.tf.dtypes import DType, dtype_of
from nacre.tf.more_values import RaggedTensorSpec, type_spec_of
from nacre.tf.shapes import TensorShape
from nacre.tf.values import Tensor, tensor

_PLAIN = (int, float, bool, str, bytes, type(None), DType, TensorShape)


class FieldError(ArgumentError, TypeError):
    """A field is none of what its annotation says; TensorFlow raises a TypeError."""


class ImmutableError(ArgumentError, AttributeError):
    """A field is set after the object was made."""


class ImmutableDict(dict[Any, Any]):
    """A mapping in a field, which nobody writes to."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise ImmutableError(message("ImmutableDict", "fields are not written to", "a change"))

    # They take what a dict's take, and do nothing with it.
    __setitem__ = __delitem__ = pop = popitem = clear = _refuse
    setdefault = update = _refuse  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"ImmutableDict({dict.__repr__(self)})"


# ------------------------------------------------------------------ fields


def _check_annotation(where: str, kind: Any) -> None:
    """Raise for an annotation that says of no value what it is."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for one in args:
            _check_annotation(where, one)
    elif origin is tuple:
        for one in args:
            if one is not ...:
                _check_annotation(where, one)
    elif origin in (collections.abc.Mapping, dict):
        _check_annotation(where, args[1])
    elif not _is_known(kind):
        rule = "fields are tensors, numbers, texts, dtypes, shapes, other extension types, and "
        rule += "tuples, mappings and unions of them"
        raise FieldError(message(where, rule, f"the annotation {kind!r}"))


def _is_known(kind: Any) -> bool:
    if kind is None or isinstance(kind, TensorSpec) or kind is Tensor or kind is RaggedTensorSpec:
        return True
    return isinstance(kind, type) and issubclass(
        kind, (*_PLAIN, ExtensionType, SparseEntries, Ragged, Variable)
    )


def _is_tensor(value: Any) -> bool:
    return isinstance(value, jax.Array | HostTensor | Variable | KerasTensor)


def _fitted(value: Any, kind: Any, where: str) -> Any:
    """A value as its annotation says.

    Raises:
        FieldError: It is something else.
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Tensor:
        return _as_tensor(value, None, where)
    if isinstance(kind, TensorSpec):
        return _as_tensor(value, kind, where)
    if origin in (typing.Union, types.UnionType):
        return _of_one(value, args, where)
    if origin is tuple and isinstance(value, tuple | list):
        kinds = [args[0]] * len(value) if args[-1] is ... else args
        if len(kinds) == len(value):
            parts = zip(value, kinds, strict=True)
            return tuple(_fitted(v, k, f"{where}[{i}]") for i, (v, k) in enumerate(parts))
    elif origin in (collections.abc.Mapping, dict) and isinstance(value, Mapping):
        return ImmutableDict({k: _fitted(v, args[1], f"{where}[{k!r}]") for k, v in value.items()})
    elif kind in (None, type(None)) and value is None:
        return None
    elif isinstance(kind, type) and isinstance(value, kind) and not _is_truth_for(value, kind):
        return value
    raise FieldError(message(where, f"it must be {_shown(kind)}", f"{type(value).__name__}"))


def _is_truth_for(value: Any, kind: type) -> bool:
    return isinstance(value, bool) and kind is not bool and issubclass(kind, int | float)


def _of_one(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    for kind in kinds:
        try:
            return _fitted(value, kind, where)
        except FieldError:
            continue
    shown = " or ".join(map(_shown, kinds))
    raise FieldError(message(where, f"it must be {shown}", type(value).__name__))


def _shown(kind: Any) -> str:
    if kind is Tensor:
        return "tf.Tensor"
    return getattr(kind, "__name__", None) or str(kind)


def _as_tensor(value: Any, spec: TensorSpec | None, where: str) -> Any:
    if isinstance(value, TensorSpec):
        return value  # of the spec of the whole
    try:
        found = tensor(value, None if spec is None or _is_tensor(value) else spec.dtype)
    except (TypeError, ValueError) as error:
        rule = "it must be a tensor"
        raise FieldError(message(where, rule, f"{type(value).__name__} ({error})"[:160])) from None
    if spec is not None:
        sizes = None if spec.shape is None else TensorShape(spec.shape)
        fits = sizes is None or sizes.is_compatible_with(found.shape)
        if dtype_of(found) != spec.dtype or not fits:
            got = f"{dtype_of(found).name} of shape {tuple(found.shape)}"
            raise FieldError(message(where, f"it must be {spec}", got))
    return found


# ------------------------------------------------------------------ the class


class _Kind(type):
    """Looks at the annotations of a class when it is made."""

    _fields: dict[str, Any]
    _signature: inspect.Signature

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any], **kwargs: Any) -> None:  # noqa: E501  # fmt: skip
        super().__init__(name, bases, space, **kwargs)
        if not any(isinstance(base, _Kind) for base in bases):
            cls._fields = {}
            return
        cls._fields = _fields_of(cls, sys._getframe(1))
        parameters = [
            inspect.Parameter(
                field,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=getattr(cls, field, inspect.Parameter.empty),
            )
            for field in cls._fields
        ]
        try:
            cls._signature = inspect.Signature(parameters)
        except ValueError:
            rule, fix = "fields without a default come first", "Give the later ones defaults too."
            raise FieldError(message(f"class {name}", rule, ", ".join(cls._fields), fix)) from None
        if name != "BatchableExtensionType":
            cls.Spec = type("Spec", (ExtensionTypeSpec,), {"value_type": cls})  # type: ignore[attr-defined]
            cls.Spec.__qualname__ = f"{name}.Spec"  # type: ignore[attr-defined]


def _fields_of(cls: type, around: types.FrameType) -> dict[str, Any]:
    """The annotations, those that are texts read where the class stands."""
    names = {**around.f_globals, **around.f_locals, cls.__name__: cls}
    hints = typing.get_type_hints(cls, localns=names)
    fields = {field: kind for field, kind in hints.items() if not field.startswith("_")}
    for field, kind in fields.items():
        if field in ("Spec", "self"):
            rule = "fields must have other names"
            raise FieldError(message(f"class {cls.__name__}", rule, field))
        _check_annotation(f"class {cls.__name__}, field '{field}'", kind)
    return fields


class ExtensionType(metaclass=_Kind):
    """Base of classes whose fields, told by annotations, are tensors, numbers, texts and the like.

    A constructor takes the fields in their order, unless the class has one of its own; then
    `__validate__` is called. Objects are not changed after.

    Raises:
        FieldError: A field is none of what its annotation says; also a `TypeError`.
        ImmutableError: A field is set later; also an `AttributeError`.
    Source:
        TensorFlow 2.15. Differs: a `Spec` has no constructor of one's own.
    Example:
        >>> import nacre.tf as tf
        >>> class Weighted(tf.experimental.ExtensionType):
        ...     values: tf.Tensor
        ...     unit: str = "kg"
        >>> Weighted([1.0, 2.0]).values.shape, Weighted([1.0]).unit
        (TensorShape([2]), 'kg')
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self)
        try:
            bound = cls._signature.bind(*args, **kwargs)
        except TypeError as error:
            fix = f"{cls.__name__}{cls._signature}"
            raise FieldError(
                message(cls.__name__, "it takes its fields", f"{error}", fix)
            ) from None
        bound.apply_defaults()
        for field, value in bound.arguments.items():
            setattr(self, field, value)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """An object whose constructor may set fields."""
        made = super().__new__(cls)
        vars(made)["_is_open"] = True
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls).get("__init__")
        if own is not None:
            cls.__init__ = _closing(own)  # type: ignore[method-assign]
        elif cls.__init__ is ExtensionType.__init__:
            cls.__init__ = _closing(ExtensionType.__init__)  # type: ignore[method-assign]

    def _close(self) -> None:
        """Check the fields, and let nobody set them any more."""
        cls = type(self)
        missing = [field for field in cls._fields if field not in vars(self)]
        if missing:
            rule = "its constructor must set every field"
            raise FieldError(message(cls.__name__, rule, f"no {', '.join(missing)}"))
        for field, kind in cls._fields.items():
            vars(self)[field] = _fitted(vars(self)[field], kind, f"{cls.__name__}.{field}")
        vars(self)["_is_open"] = False
        self.__validate__()

    def __validate__(self) -> None:
        """Raise where fields do not go together; for a class to define."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field, within the constructor."""
        if not vars(self).get("_is_open") or name not in type(self)._fields:
            rule, fix = "fields are set in the constructor alone", "Make a new object."
            raise ImmutableError(message(type(self).__name__, rule, f"'{name}' being set", fix))
        vars(self)[name] = value

    def __delattr__(self, name: str) -> None:
        """Refuse it."""
        rule = "fields are not taken away"
        raise ImmutableError(message(type(self).__name__, rule, f"'{name}'"))

    def __repr__(self) -> str:
        fields = [f"{field}={getattr(self, field)!r}" for field in type(self)._fields]
        return f"{type(self).__name__}({', '.join(fields)})"

    def __eq__(self, other: object) -> Any:
        """Whether all fields are equal: a tensor, where shapes and dtypes are."""
        if type(other) is not type(self):
            return False
        mine, theirs = _packed(self), _packed(other)
        if type(mine) is not type(theirs):  # other fields that are no tensors
            return tensor(False)
        mine, theirs = _leaves(mine), _leaves(theirs)
        if len(mine) != len(theirs):
            return tensor(False)
        found: Any = tensor(True)
        for one, another in zip(mine, theirs, strict=True):
            if tuple(one.shape) != tuple(another.shape) or dtype_of(one) != dtype_of(another):
                return tensor(False)
            found = found & tensor((one == another).all())
        return found

    def __ne__(self, other: object) -> Any:
        found = self == other
        return not found if isinstance(found, bool) else ~found

    __hash__ = None  # type: ignore[assignment]  # it holds tensors


def _closing(constructor: Callable[..., None]) -> Callable[..., None]:
    """A constructor after whose outermost call fields are checked."""

    @functools.wraps(constructor)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        is_outermost = not vars(self).get("_is_within")
        vars(self)["_is_within"] = True
        constructor(self, *args, **kwargs)
        if is_outermost:
            del vars(self)["_is_within"]
            self._close()

    return __init__


class BatchableExtensionType(ExtensionType):
    """The same, of which data sets make slices and batches.

    Each of its tensors has the rows of the batch on its first axis.
    """

    def _children_as_element(self) -> list[tuple[Any, Any]]:
        """The fields that are tensors, or hold some."""
        found: list[tuple[Any, Any]] = []
        for field in type(self)._fields:
            value = getattr(self, field)
            if not _is_static(value) or isinstance(value, TensorSpec):
                found.append((field, value))
        return found

    def _rebuilt_as_element(self, values: Any) -> Any:
        """The same with other ones."""
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        for (field, _), value in zip(self._children_as_element(), values, strict=True):
            vars(made)[field] = value
        return made


# ------------------------------------------------------------------ specs


class ExtensionTypeSpec:
    """What is known of an extension type: for each field a spec, or the value that is no tensor.

    Args:
        fields: They, by name.
    """

    value_type: Any = None

    def __init__(self, **fields: Any) -> None:
        kinds = self.value_type._fields
        if set(fields) != set(kinds):
            rule = f"it takes {', '.join(kinds)}"
            raise FieldError(message(type(self).__qualname__, rule, ", ".join(fields)))
        self._given = fields
        vars(self).update(fields)

    @classmethod
    def from_value(cls, value: Any) -> ExtensionTypeSpec:
        """That of an object.

        Args:
            value: The object.
        """
        return value.Spec(**{field: _spec_of(getattr(value, field)) for field in value._fields})

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether an object, or another spec, is one of these.

        Args:
            spec_or_value: The object or the spec.
        """
        other = spec_or_value
        if isinstance(other, ExtensionType):
            other = ExtensionTypeSpec.from_value(other)
        return type(other) is type(self) and all(
            _fits(mine, other._given[field]) for field, mine in self._given.items()
        )

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._given == self._given  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def __repr__(self) -> str:
        fields = [f"{field}={value!r}" for field, value in self._given.items()]
        return f"{type(self).__qualname__}({', '.join(fields)})"


def _spec_of(value: Any) -> Any:
    if isinstance(value, ExtensionType):
        return ExtensionTypeSpec.from_value(value)
    if isinstance(value, tuple) and not isinstance(value, TensorShape):
        return tuple(map(_spec_of, value))
    if isinstance(value, Mapping):
        return ImmutableDict({key: _spec_of(one) for key, one in value.items()})
    return value if _is_static(value) else type_spec_of(value)


def _fits(mine: Any, other: Any) -> bool:
    if isinstance(mine, ExtensionTypeSpec):
        return mine.is_compatible_with(other)
    if isinstance(mine, TensorSpec):
        if type(mine) is not type(other) or mine.dtype != other.dtype:
            return False
        if mine.shape is None or other.shape is None:
            return True
        return TensorShape(mine.shape).is_compatible_with(other.shape)
    if isinstance(mine, tuple) and isinstance(other, tuple):
        return len(mine) == len(other) and all(map(_fits, mine, other))
    if isinstance(mine, Mapping) and isinstance(other, Mapping):
        return mine.keys() == other.keys() and all(_fits(v, other[k]) for k, v in mine.items())
    return bool(mine == other)


# ------------------------------------------------------------------ as tensors alone


def _is_static(value: Any) -> bool:
    """Whether a field's value is no tensor, and holds none."""
    if isinstance(value, tuple) and not isinstance(value, TensorShape):
        return all(map(_is_static, value))
    if isinstance(value, Mapping):
        return all(map(_is_static, value.values()))
    is_spec = isinstance(value, TensorSpec | ExtensionTypeSpec)
    return not (is_spec or _is_tensor(value) or isinstance(value, Ragged | SparseEntries | ExtensionType))  # noqa: E501  # fmt: skip


@functools.cache
def _fields_class(whose: Any, names: tuple[str, ...], kept: tuple[tuple[str, str], ...]) -> Any:
    # The name tells a program from that of other classes, and of other values that are no tensors.
    name = f"{whose.__name__}Fields{next(_numbers)}"
    pair: Any = collections.namedtuple(name, names)
    return type(pair.__name__, (pair,), {"whose": whose, "__slots__": ()})


_numbers = itertools.count()
_values_kept: dict[Any, dict[str, Any]] = {}  # class of fields -> values that are no tensors


def _packed(value: Any) -> Any:
    """An object as a named tuple of its tensors, within structures too; anything else as it is."""
    if isinstance(value, ExtensionType | ExtensionTypeSpec):
        whose = value.value_type if isinstance(value, ExtensionTypeSpec) else type(value)
        fields = {name: getattr(value, name) for name in whose._fields}
        moving = {name: v for name, v in fields.items() if not _is_static(v)}
        kept = {name: v for name, v in fields.items() if name not in moving}
        key = tuple((name, f"{type(v).__name__} {v!r}") for name, v in kept.items())
        made = _fields_class(whose, tuple(moving), key)
        _values_kept[made] = kept
        return made(*map(_packed, moving.values()))
    if type(value) in (tuple, list):
        return type(value)(map(_packed, value))
    if type(value) in (dict, ImmutableDict):
        return {key: _packed(one) for key, one in value.items()}
    return value


def _unpacked(value: Any) -> Any:
    if type(value) in _values_kept:
        whose = type(value).whose
        made = object.__new__(whose)
        found = dict(zip(value._fields, map(_unpacked, value), strict=True))
        for name in whose._fields:
            one = found[name] if name in found else _values_kept[type(value)][name]
            vars(made)[name] = ImmutableDict(one) if type(one) is dict else one
        vars(made)["_is_open"] = False
        return made
    if type(value) in (tuple, list):
        return type(value)(map(_unpacked, value))
    if type(value) is dict:
        return {key: _unpacked(one) for key, one in value.items()}
    return value


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for one in value for leaf in _leaves(one)]
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, Ragged | SparseEntries):
        inner = (value.values, getattr(value, "row_splits", None), getattr(value, "indices", None))
        return [leaf for one in inner if one is not None for leaf in _leaves([one])]
    return [value.value if isinstance(value, Variable) else value]


def holds_extensions(structure: Any) -> bool:
    """Whether there is an object of an extension type, or a spec of one, in lists and dicts."""
    if isinstance(structure, tuple | list):
        return any(map(holds_extensions, structure))
    if isinstance(structure, dict):
        return any(map(holds_extensions, structure.values()))
    return isinstance(structure, ExtensionType | ExtensionTypeSpec)


def taking_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of objects as one of their tensors, which gives tensors too.

    Args:
        function: The function.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return _packed(function(*map(_unpacked, args), **_unpacked(kwargs)))

    return call


packed, unpacked = _packed, _unpacked

__all__ = [
    "BatchableExtensionType", "ExtensionType", "ExtensionTypeSpec", "FieldError", "ImmutableDict",
    "ImmutableError", "holds_extensions", "packed", "taking_tensors", "unpacked",
]  # fmt: skip
