"""`nacre.function`: a Python function with state, compiled."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import leftovers, readings, scope, tree
from nacre.core.changes import Contents, Versioned
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.forks import PROCESS, refuse_after_fork
from nacre.core.indices import check_width
from nacre.core.program import Programs, programs_of, settings_key
from nacre.core.reach import Reach
from nacre.core.symbolic import any_symbolic
from nacre.core.traceback import boundary
from nacre.core.tracing import is_tracing
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.training.function_program import ARRAY, FunctionProgram

P = ParamSpec("P")
R = TypeVar("R")

_MANY_VALUES = 12  # of numbers that each are compiled, from where on it is said


class Function(Versioned, Generic[P, R]):
    """A function made by `nacre.function`.

    Attributes:
        python_function: What it computes, uncompiled.
    """

    __slots__ = (
        "__wrapped__",
        "_bound",
        "_calls",
        "_contents",
        "_places",
        "_programs",
        "_who",
        "input_signature",
    )

    def __init__(
        self, python_function: Callable[P, R], input_signature: Sequence[Any] | None = None
    ) -> None:
        if inspect.isgeneratorfunction(python_function) or inspect.iscoroutinefunction(
            python_function
        ):
            rule = "it takes a function that returns what it computes"
            fix = "Collect in a list what it yields."
            raise ArgumentError(message("nacre.function", rule, "a generator function", fix))
        self.python_function = python_function
        self.input_signature = None if input_signature is None else tuple(input_signature)
        self._programs: Programs | None = None
        self._bound: dict[int, Function[..., Any]] = {}
        self._contents = Contents()
        self._calls: dict[Hashable, int] = {}
        self._places = _places_of(python_function)
        name = getattr(python_function, "__qualname__", None)
        self._who = str(name or getattr(python_function, "name", "function"))
        self._who = self._who.replace("<locals>.", "")
        if not isinstance(python_function, functools.partial | Versioned):
            functools.update_wrapper(self, python_function, updated=())
        self.__wrapped__ = python_function

    def __repr__(self) -> str:
        return f"<nacre.function {self._who}>"

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Function[..., R]: ...
    def __get__(self, instance: object, owner: type) -> Any:
        """As a method: compiled for each object by itself, with which its programs are kept."""
        if instance is None:
            return self

        def made() -> Function[..., R]:
            method = types.MethodType(self.python_function, instance)
            return self._of_method(method)

        if isinstance(getattr(instance, "_programs", None), Programs | None) and hasattr(
            instance, "_programs"
        ):
            return programs_of(instance).get(("function", self), made)  # type: ignore[arg-type]
        kept = getattr(instance, "__dict__", self.__dict__).setdefault(_KEPT, {})
        key = (self, id(instance))
        if key not in kept:
            kept[key] = made()
        return kept[key]

    def _of_method(self, method: Callable[..., Any]) -> Self:
        """The function for a method of one object."""
        return type(self)(method, self.input_signature)

    # ------------------------------------------------------------ calling

    @boundary
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it: compiled, or as part of what is being compiled around it."""
        if scope.in_stateless_scope() or is_tracing() or any_symbolic(args, kwargs):
            return self._traced_function()(*args, **kwargs)
        if PROCESS.parent:
            refuse_after_fork(self._who)
        kind, arrays = self._kind_of(args, kwargs)
        token = kind.token(self)
        programs = programs_of(self)
        program = programs.get(("program", kind, token), lambda: kind.program(self._who))
        result = program.run(arrays)
        after = kind.token(self)
        if after != token:  # the first call may build layers, and make what it keeps
            programs.get(("program", kind, after), lambda: program)
        return result

    def _traced_function(self) -> Callable[..., Any]:
        """What is called where the function is traced: it, or it rewritten."""
        return self.python_function

    def _kind_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[_Kind, list[Any]]:
        """What kind of call this is, and the arrays among its arguments."""
        if self.input_signature is not None:
            args, kwargs = self._with_signature(args, kwargs)
        else:
            args, kwargs = self._in_order(args, kwargs)
        arrays: list[Any] = []
        fixed: list[Any] = []

        def take(leaf: Any) -> Any:
            array = _as_array(leaf, self._who)
            if array is not None:
                arrays.append(array)
                return ARRAY
            fixed.append(leaf)
            return _FIXED

        structure = tree.map_structure(take, [list(args), kwargs])
        key = ("kind", tree.structure_key(structure), tuple(map(_identity, fixed)))
        programs = programs_of(self)
        if key not in programs:
            self._note_new_kind(repr(structure), fixed)
        make = self._traced_function
        made = programs.get(key, lambda: _Kind(self.python_function, structure, fixed, make))
        return made, arrays

    def _in_order(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments by place as far as can be, those left out at their defaults.

        So `f(x)`, `f(x, None)` and `f(x=x)` are one kind of call.
        """
        places = self._places
        if not places or (not kwargs and len(args) >= len(places)):
            return args, kwargs
        found, named = list(args), dict(kwargs)
        for name, default in places[len(args) :]:
            if name in named:
                found.append(named.pop(name))
            elif isinstance(default, _DEFAULTS) and not isinstance(default, np.generic):
                found.append(default)
            else:
                break
        return tuple(found), named

    def _note_new_kind(self, structure: str, fixed: list[Any]) -> None:
        if not any(type(value) in (int, float) for value in fixed):
            return
        count = self._calls[structure] = self._calls.get(structure, 0) + 1
        if count == _MANY_VALUES:
            shown = ", ".join(str(v) for v in fixed if type(v) in (int, float))
            warn(
                message(
                    self._who,
                    "each new value of a Python number among the arguments is compiled, which "
                    "takes time",
                    f"{count} values so far; the last are {shown}",
                    "Pass numbers that change as arrays: np.float32(x), or in a nacre.Variable.",
                )
            )

    def _with_signature(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments as arrays of the dtypes and shapes that were said."""
        assert self.input_signature is not None
        try:
            bound = inspect.signature(self.python_function).bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(message(self._who, "it takes its arguments", str(error))) from None
        given = bound.args
        if len(given) != len(self.input_signature) or bound.kwargs:
            rule = f"input_signature says {len(self.input_signature)} arguments"
            raise ArgumentError(message(self._who, rule, f"{len(given) + len(bound.kwargs)}"))
        pairs = zip(self.input_signature, given, strict=True)
        return tuple(tree.map_structure_up_to(spec, self._cast, spec, x) for spec, x in pairs), {}

    def _cast(self, spec: Any, value: Any) -> Any:
        dtype = (
            None if spec.dtype is None else jax.dtypes.canonicalize_dtype(str(np.dtype(spec.dtype)))
        )
        if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and dtype is not None:
            check_width(self._who, value.view(np.ndarray), dtype)  # they would be other numbers
        if isinstance(value, jax.ShapeDtypeStruct):  # of `get_concrete_function`
            array: Any = jax.ShapeDtypeStruct(value.shape, dtype or value.dtype)
        else:
            array = jnp.asarray(value.value if isinstance(value, Variable) else value, dtype)
        wanted = None if spec.shape is None else tuple(spec.shape)
        if wanted is not None and (
            len(wanted) != array.ndim
            or any(n not in (None, -1, m) for n, m in zip(wanted, array.shape, strict=True))
        ):
            rule = f"input_signature says an argument of shape {wanted}"
            raise ShapeError(message(self._who, rule, f"shape {tuple(array.shape)}"))
        return array

    # ------------------------------------------------------------ looking

    def get_concrete_function(self, *args: P.args, **kwargs: P.kwargs) -> ConcreteFunction[R]:
        """The function for arguments like these, traced now, as in TensorFlow.

        Args:
            args, kwargs: Arrays, or what has a `shape` and a `dtype` (`nacre.KerasTensor`,
                `jax.ShapeDtypeStruct`), and whatever else the function takes. Without any, those
                of the `input_signature`. With a size of None it is traced when it is called.
        """
        if not args and not kwargs and self.input_signature is not None:
            args = tuple(self.input_signature)  # type: ignore[assignment]
        concrete = ConcreteFunction(self, (args, kwargs))
        if any(_has_open_size(leaf) for leaf in tree.flatten([list(args), kwargs])):
            return concrete
        given = tree.map_structure(_as_spec, [list(args), kwargs])
        kind, arrays = self._kind_of(tuple(given[0]), given[1])
        program = programs_of(self).get(
            ("program", kind, kind.token(self)), lambda: kind.program(self._who)
        )
        program.trace(arrays)
        programs_of(self).get(("program", kind, kind.token(self)), lambda: program)
        return concrete

    def experimental_get_tracing_count(self) -> int:
        """How many programs it was compiled into so far, for each shape of its arrays one."""
        kept = [] if self._programs is None else self._programs.values()
        programs = {id(p): p for p in kept if isinstance(p, FunctionProgram)}
        return sum(program.num_traces for program in programs.values())


class ConcreteFunction(Generic[R]):
    """A function for arguments of known shapes and dtypes; what `get_concrete_function` gives.

    What it was asked for that is no array (`training=True`) it keeps: it is called with the arrays
    alone, or with all as the function is.

    Attributes:
        function: The function.
        structured_input_signature: The arguments it is for: those by place, and those by name.

    Raises:
        ArgumentError: An array is missing, or what it keeps is given otherwise.
    Source:
        TensorFlow 2.15. Differs: arrays of other shapes and dtypes are taken, too.
    """

    def __init__(self, function: Function[..., R], signature: tuple[Any, Any]) -> None:
        self.function = function
        self.structured_input_signature = signature
        args: tuple[Any, ...] = signature[0]
        self._slots: dict[int | str, Any] = {**dict(enumerate(args)), **signature[1]}
        self._of_arrays = [key for key, value in self._slots.items() if _has_array(value)]
        self._names = _names_by_place(function.python_function)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """What the function gives."""
        who = self.function._who
        # An argument may be given by name that it was traced for by place, or the other way round.
        keys = {name: place for place, name in enumerate(self._names) if place in self._slots}
        given: dict[int | str, Any] = {keys.get(name, name): x for name, x in kwargs.items()}
        left = [key for key in self._of_arrays if key not in given]
        by_place = left if len(args) == len(left) else [*map(self._key_of, range(len(args)))]
        given.update(zip(by_place, args, strict=True))
        for key, kept in self._slots.items():
            if key in self._of_arrays:
                if key not in given:
                    rule = "it takes all arrays that it was traced for"
                    raise ArgumentError(message(who, rule, f"none for {self._name_of(key)}"))
            elif _identities(given.setdefault(key, kept)) != _identities(kept):
                rule = f"{self._name_of(key)} must be what it was traced for, {kept!r}"
                fix = "Call the function itself, or leave it out."
                raise ArgumentError(message(who, rule, repr(given[key]), fix))
        in_order = [given.pop(place) for place in sorted(k for k in given if isinstance(k, int))]
        return self.function(*in_order, **given)  # type: ignore[arg-type]

    def of_arrays(self) -> Function[..., R]:
        """It as a function of its arrays alone, by place, that says their shapes and dtypes."""
        names = [self._name_of(key) for key in self._of_arrays]

        def call(*arrays: Any) -> R:
            return self(*arrays)

        kind = inspect.Parameter.POSITIONAL_ONLY
        call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in names]
        )
        call.__name__ = call.__qualname__ = self.function._who
        return Function(call, [self._slots[key] for key in self._of_arrays])

    def _key_of(self, place: int) -> int | str:
        is_named = place not in self._slots and self._name_of(place) in self._slots
        return self._name_of(place) if is_named else place

    def _name_of(self, key: int | str) -> str:
        if isinstance(key, str):
            return key
        return self._names[key] if key < len(self._names) else f"args_{key}"


# Defaults that are filled in: arrays would become a program's inputs, where code may ask for them.
_DEFAULTS = (int, float, complex, str, bytes, bool, type(None))


def _places_of(function: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
    """The arguments that may be given by place or by name, with their defaults; none beside `*`.

    Of a decorated function they are the wrapper's, which it is that is called: it may have other
    defaults than what it wraps.
    """
    try:
        known = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # a built-in one, which does not tell
        return ()
    if any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL) for p in known):
        return ()
    return tuple((p.name, p.default) for p in known if p.kind is p.POSITIONAL_OR_KEYWORD)


def _names_by_place(function: Callable[..., Any]) -> list[str]:
    try:
        known = inspect.signature(function).parameters.values()
    except ValueError:  # a built-in one, which does not tell
        return []
    return [p.name for p in known if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _has_array(value: Any) -> bool:
    """Whether an argument of `get_concrete_function` is a tensor, or holds some."""
    leaves = tree.flatten(value)
    return any(
        not isinstance(leaf, Variable | Versioned)
        and hasattr(leaf, "shape")
        and hasattr(leaf, "dtype")
        for leaf in leaves
    )


def _identities(value: Any) -> list[Hashable]:
    return [_identity(leaf) for leaf in tree.flatten(value)]


def _has_open_size(leaf: Any) -> bool:
    shape = getattr(leaf, "shape", None)
    return isinstance(shape, tuple | list) and None in shape


_KEPT = "_nacre_functions"


class _Fixed:
    """Stands for an argument that is no array."""

    def __repr__(self) -> str:
        return "fixed"


_FIXED = _Fixed()


class _Kind:
    """One kind of call: the structure of the arguments, and those among them that are no arrays.

    Args:
        function: What is called.
        structure: (args, kwargs) with `ARRAY` and `_FIXED` in the places of leaves.
        fixed: The leaves that are no arrays.
        traced: Gives what is called in its place where it is traced.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        structure: Any,
        fixed: list[Any],
        traced: Callable[[], Callable[..., Any]],
    ) -> None:
        self._function, self._structure, self._fixed = function, structure, fixed
        self._traced = traced
        self._reach = Reach([function, *fixed])

    def token(self, owner: Function[..., Any]) -> Hashable:
        """All that the program of such a call depends on now, besides its arguments."""
        if not self._reach.is_same():
            self._reach = Reach([self._function, *self._fixed])
        parts = self._reach.parts
        return (
            owner._contents.token([owner, *parts]),
            tuple([_extra_token(part) for part in parts]),
            tuple(map(_identity, self._reach.variables)),
            settings_key(),
        )

    def program(self, who: str) -> FunctionProgram:
        """The program, not traced yet."""

        def call(arrays: list[Any]) -> Any:
            given, fixed = iter(arrays), iter(self._fixed)

            def fill(place: Any) -> Any:
                return next(given if place is ARRAY else fixed)

            args, kwargs = tree.map_structure(fill, self._structure)
            return self._traced()(*args, **kwargs)

        return FunctionProgram(call, who, self._reach)


def _extra_token(part: Any) -> Hashable:
    """What is in no attribute: which variables are trained, and what `compile` was told."""
    inventory = getattr(part, "_inventory", None)
    lists = None if inventory is None else inventory().lists().token
    trainer = getattr(part, "_trainer", None)
    if trainer is None:
        return lists
    return lists, _ById(trainer), trainer.contents_token(part.metrics)


class _ById:
    """A thing that is equal to itself alone, and kept alive."""

    __slots__ = ("thing",)

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)


def _class_of(value: object) -> type[object]:
    # Asked of the class, isinstance() leaves a checker in doubt of what an array holds.
    return type(value)


def _identity(value: Any) -> Hashable:
    """What tells an argument that is no array from others: its value, or which object it is."""
    kind = _class_of(value)
    if not issubclass(kind, readings.PLAIN):
        return _ById(value)
    # As text -0.0 is not 0.0, NaN is itself, and True is not 1.
    return (value,) if issubclass(kind, str | bytes) else f"{kind.__name__} {value!r}"


def _as_array(leaf: Any, who: str) -> Any:
    """An argument as an array; None for what is none."""
    if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        return leaf
    kind = _class_of(leaf)
    if issubclass(kind, np.ndarray | np.generic):
        # A copy, as the program may still read it when its owner writes to it.
        array: np.ndarray = np.array(leaf)
        if array.dtype.kind in "OUSV":
            return None
        check_width(who, array, jax.dtypes.canonicalize_dtype(array.dtype))
        return array
    leftovers.refuse_lost(leaf)
    if issubclass(kind, (*readings.PLAIN, Variable, Versioned)):
        return None
    if hasattr(leaf, "__array__") and not isinstance(leaf, type):  # a frame, a tensor of torch
        return _as_array(np.asarray(leaf), who)
    if hasattr(leaf, "__next__"):
        raise ArgumentError(
            message(
                who,
                "a compiled function takes arrays, and no iterator: it would see one batch only",
                type(leaf).__name__,
                "Take the batch outside: step(next(batches)).",
            )
        )
    return None


def _as_spec(leaf: Any) -> Any:
    """A leaf of `get_concrete_function`: what says a shape and a dtype alone as JAX has it."""
    is_value = issubclass(_class_of(leaf), (jax.Array, np.ndarray, np.generic, Variable, Versioned))
    if not is_value and hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
        return jax.ShapeDtypeStruct(tuple(leaf.shape), jnp.dtype(str(np.dtype(leaf.dtype))))
    return leaf


@overload
def function(
    func: Callable[P, R],
    input_signature: Sequence[Any] | None = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    **kwargs: Any,
) -> Function[P, R]: ...
@overload
def function(
    func: None = None,
    input_signature: Sequence[Any] | None = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    **kwargs: Any,
) -> Callable[[Callable[P, R]], Function[P, R]]: ...
def function(
    func: Any = None,
    input_signature: Sequence[Any] | None = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    **kwargs: Any,
) -> Any:
    """Compile a Python function that may read and assign variables, as a decorator or a call.

    All it does is one program: calls of models, losses and metrics, random numbers, gradient tapes,
    updates of optimizers. It means what it means uncompiled. Its Python runs when it is traced, at
    the first call and then for each new

    - shape or dtype of an array among its arguments (arrays of NumPy and JAX, tensors of torch);
    - value of anything else there: Python numbers, strings, flags and None by value, objects by
      which object they are. Code may branch on them, and count with them; a number that changes
      at every call is better given as an array, `np.float32(rate)`;
    - value of what it reads from outside: numbers and small arrays of its module and of functions
      around it, attributes of layers, losses, metrics, optimizers and of the user's own objects,
      `trainable` flags, what `compile` was told. (In TensorFlow these stay as the first call read
      them.) In-place edits of arrays and lists of more than 16 items are not seen.

    So `print` runs when it is traced, and random numbers of NumPy are drawn once: use
    `nacre.random`. An `if` or a loop over values of tensors is refused: use `nacre.ops.cond`,
    `where`, `while_loop`. Within another compiled function, `fit` or a transformation of JAX it is
    part of what is compiled there. As a method it is compiled for each object by itself.

    Variables that it makes and keeps, as layers that are built by their first call do, are made in
    the first call; one that it does not keep is new in each, as uncompiled. Python numbers, strings
    and objects it returns are those of its trace.

    Args:
        func: The function, a method, a model or a layer.
        input_signature: For each argument something with `shape` (None for a free size) and
            `dtype`: arguments are cast to the dtype, Python numbers too, and another shape is
            refused.
        autograph: Accepted for compatibility: Python's `if` and loops are never converted.
        jit_compile: Accepted for compatibility: it is always compiled.
        reduce_retracing: Accepted for compatibility: sizes are always known when it is compiled.
        kwargs: `experimental_...` arguments of TensorFlow, which change nothing.

    Raises:
        ArgumentError: A generator function; at a call, an iterator among the arguments.
        TracedValueError: The code asks a tensor for its value.
    Source:
        TensorFlow 2.15, tf.function. Differs: what is said above of values from outside, of `if`
        and loops, and of Python numbers that are returned.
    Example:
        >>> import nacre
        >>> total = nacre.Variable(0.0)
        >>> @nacre.function
        ... def add(x, twice=False):
        ...     total.assign_add(nacre.ops.sum(x) * (2 if twice else 1))
        ...     return {"total": total}
        >>> float(add(np.ones(3))["total"]), float(add(np.ones(3), twice=True)["total"])
        (3.0, 9.0)
    """
    for name in kwargs:
        if not name.startswith("experimental_"):
            rule = (
                "its arguments are func, input_signature, autograph, jit_compile and "
                "reduce_retracing"
            )
            raise ArgumentError(message("nacre.function", rule, name))
    if func is None:
        return functools.partial(function, input_signature=input_signature, jit_compile=jit_compile)
    if not callable(func):
        raise ArgumentError(message("nacre.function", "it takes a function", type(func).__name__))
    if isinstance(func, Function):
        func = func.python_function
    return Function(func, input_signature)


__all__ = ["Function", "function"]
