"""A variable: one named array that can change.

Reading `value` inside a `StatelessScope` gives the scope's value, so code that uses variables
becomes a pure function without being rewritten.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import recording, safety
from nacre.core.changes import note_change
from nacre.core.dtypes import host_dtype, is_float, standardize_dtype, use_64_bits
from nacre.core.errors import (
    ArgumentError,
    ShapeError,
    TracedValueError,
    message,
    printable,
    refuse_unknown,
    unknown_name,
)
from nacre.core.host_arrays import exact
from nacre.core.indices import fits
from nacre.core.keywords import NoKeywords
from nacre.core.kinds import is_int, is_numpy_array, is_numpy_scalar
from nacre.core.names import auto_name, current_path
from nacre.core.operators import ElementwiseEquality, Operators
from nacre.core.registry import builtin
from nacre.core.scope import (
    autocast_dtype,
    get_stateless_scope,
    in_symbolic_scope,
    outside_scopes,
    read_outside,
    record_created,
    record_made_of_tensor,
    record_number_read,
    value_in_scopes,
)
from nacre.core.tracing import is_bare, is_tracer
from nacre.core.typed_jax import setting

# What is below is made at once, so that errors come where the variable is made.
_LARGE_BYTES = 1 << 20
_WIDE_INTEGERS = ("int64", "uint64")
_WIDE = ("float64", *_WIDE_INTEGERS)


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape as a tuple of ints and None; symbolic sizes become None.

    Example:
        >>> standardize_shape([None, 3])
        (None, 3)
    """
    if is_int(shape):
        shape = (shape,)
    if shape is None:
        raise ShapeError(message("shape", "it must be a tuple of sizes", "None"))
    sizes: list[int | None] = []
    for size in tuple(shape):
        if is_int(size) and not isinstance(size, bool):
            if size < 0:
                raise ShapeError(
                    message("shape", "sizes must not be negative", str(tuple(shape)), "Use None.")
                )
            sizes.append(int(size))
        elif isinstance(size, str | float):
            raise ShapeError(message("shape", "sizes must be ints or None", str(tuple(shape))))
        else:
            sizes.append(None)
    return tuple(sizes)


def _nothing() -> None:
    """What is to be committed where no training is under way."""


class RunningTraining:
    """A training that is under way: its variables' newest values may be in none of them.

    Args:
        thread: The thread that trains.
        commit_newest: Commits the newest values to the variables.

    Attributes:
        variables: What it trains, and what else its steps change.
    """

    __slots__ = ("__weakref__", "commit_newest", "lock", "thread", "variables")

    def __init__(self, thread: int, commit_newest: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        self.thread = thread
        self.commit_newest = commit_newest
        self.variables: list[Variable] = []

    def end(self) -> None:
        """Commit nothing any more, as the variables have the newest values.

        Who trained is let go of with its data: it refers to this, and would stay until Python looks
        for cycles.
        """
        self.commit_newest, self.variables = _nothing, []

    def value_of(self, variable: Variable, is_kept: bool = True) -> jax.Array:
        """A variable's array as the last step left it.

        Args:
            variable: One that it trains.
            is_kept: Whether somebody keeps it, so that it must not be donated to later steps.
        """
        with self.lock:
            self.commit_newest()
            if is_kept or self.thread != threading.get_ident():
                variable._was_read = True
            value = variable._value
            return variable._to_device(value) if isinstance(value, np.ndarray) else value


def private_copy(value: jax.Array) -> jax.Array:
    """A copy of an array that nobody else holds.

    On a CPU it goes through NumPy, which needs no program; elsewhere it stays on the device.
    """
    if is_tracer(value):
        return value
    if _is_on_first_cpu(value):
        # Not bound to a device: a program compiled for the original serves the copy too.
        return jax.device_put(np.array(value))
    return jnp.array(value, copy=True)


def argument_copy(value: jax.Array) -> Any:
    """A copy that a compiled program is handed at once, to overwrite.

    On a CPU it is NumPy's: to make each an array of JAX's first takes three times as long.
    """
    return np.array(value) if _is_on_first_cpu(value) else private_copy(value)


def _is_on_first_cpu(value: jax.Array) -> bool:
    if is_tracer(value) or jax.default_backend() != "cpu":
        return False
    return value.devices() == {jax.local_devices(backend="cpu")[0]}


_flags_version = [0]


def trainable_flags_version() -> int:
    """A number that changes whenever a `trainable` flag is set."""
    return _flags_version[0]


def note_trainable_change() -> None:
    """Say that a `trainable` flag was set."""
    _flags_version[0] += 1


def _called_on_host(initializer: Any, sizes: Any, dtype: str) -> Any:
    """Values of an initializer, as it gives them where no script asks it for tensors."""
    own = getattr(initializer.__class__.__call__, "on_host", None)
    return initializer(sizes, dtype=dtype) if own is None else own(initializer, sizes, dtype=dtype)


class Variable(Operators[jax.Array], ElementwiseEquality[jax.Array]):
    """A named array that training, or the user, changes.

    Args:
        initializer: First value (array, number), or a callable `(shape, dtype) -> array`, or the
            name of an initializer, such as "ones".
        shape: Needed when `initializer` is a callable or a name.
        dtype: Dtype of the value; by default the value's own, floatx for a callable.
        trainable: Whether the optimizer changes it.
        autocast: Whether a float variable is read in the compute dtype inside a layer.
        aggregation: How copies on several devices are joined: 'none', 'mean', 'sum',
            'only_first_replica'.
        synchronization: Kept for compatibility with Keras.
        name: Last part of the path; automatic by default.

    Raises:
        ShapeError: An assigned value has another shape.
    Example:
        >>> v = Variable([1.0, 2.0], name="v")
        >>> total = v.assign_add([1.0, 1.0])
        >>> v.numpy()
        array([2., 3.], dtype=float32)
    """

    _is_part = True  # see core/changes.py
    is_view = False  # whether it reads like a variable, but other variables are behind it
    is_seed = False  # whether it is where a random generator is

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        **kwargs: Unpack[NoKeywords],
    ) -> None:
        refuse_unknown("Variable", kwargs, Variable)
        name = name or auto_name("variable")
        if not isinstance(name, str) or "/" in name:
            raise ArgumentError(
                message("Variable", "name must be a string without '/'", repr(name))
            )
        self.name = name
        path = current_path()
        self.path = f"{path}/{name}" if path else name
        self._trainable = bool(trainable)
        # Weights are ordered by it, as in Keras: what is frozen later keeps its place in files.
        self.made_trainable = self._trainable
        self.autocast = bool(autocast)
        self.aggregation = aggregation
        self.synchronization = synchronization
        self._regularizer: Callable[[Any], Any] | None = None
        self._constraint: Callable[[Any], Any] | None = None
        self.overwrite_with_gradient = False
        self._was_read = False  # since a program last committed its array here
        self.trained_by: RunningTraining | None = None  # just now; it may end in another thread
        record_created(self)
        if not self._is_deferred(initializer, shape, dtype):
            self._value: jax.Array | np.ndarray = self._first_value(initializer, shape, dtype)
            _widen_for(self._value)
            self._dtype = standardize_dtype(self._value.dtype)
            self._shape: tuple[int, ...] = tuple(int(n) for n in self._value.shape)
            if is_tracer(self._value):
                record_made_of_tensor(self)

    # While a file is opened a large first value waits until somebody asks for it: mostly nobody
    # does, as the weights of the file take its place, and a file that has none asks for no memory.

    def _is_deferred(self, initializer: Any, shape: Any, dtype: Any) -> bool:
        """Whether the first value is left to `__getattr__`; shape and dtype are known then."""
        if shape is None or not safety.is_reading() or not hasattr(initializer, "fixed"):
            return False
        name, sizes = standardize_dtype(dtype), standardize_shape(shape)
        known = _known(sizes)
        if known is None or name in _WIDE or math.prod(known) * _itemsize(name) < _LARGE_BYTES:
            return False
        fixed = initializer.fixed()
        if fixed is None:
            return False
        self._first, self._shape, self._dtype = fixed, known, name
        return True

    if not TYPE_CHECKING:  # a checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name != "_value" or "_first" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            if in_symbolic_scope():  # only shapes are asked for
                return jnp.zeros(self._shape, self._dtype)
            return self._materialized()

    def _materialized(self) -> Any:
        """The value, made now if it has waited. Of two threads the first one's stays."""
        if "_value" not in self.__dict__:
            value = self._first_value(self._first, self._shape, self._dtype)
            self.__dict__.setdefault("_value", value)
        return self._value

    def _first_value(self, initializer: Any, shape: Any, dtype: Any) -> Any:
        # Variables may be made while JAX traces (a layer built by its first call): their first
        # values are real arrays all the same.
        if isinstance(initializer, str):
            initializer = _named_initializer(initializer, f"Variable '{self.name}'")
        with jax.ensure_compile_time_eval(), outside_scopes():
            if callable(initializer):
                if shape is None:
                    raise ArgumentError(
                        message(
                            f"Variable '{self.name}'",
                            "shape must be given with a callable initializer",
                            "shape=None",
                        )
                    )
                sizes = standardize_shape(shape)
                known = _known(sizes)
                if known is None:
                    raise ShapeError(
                        message(
                            f"Variable '{self.path}'",
                            "every size must be known",
                            str(sizes),
                            "Give the layer an input shape with these sizes.",
                        )
                    )
                name = standardize_dtype(dtype)
                size = math.prod(known) * _itemsize(name)
                safety.reserve(size, f"variable '{self.path}'")
                value = _called_on_host(initializer, sizes, name)
            else:
                value = initializer.value if isinstance(initializer, Variable) else initializer
            if dtype is None and not hasattr(value, "dtype"):
                kind = np.asarray(value).dtype.kind
                dtype = standardize_dtype(None) if kind == "f" else None
            if dtype == "float64":  # in so many words
                use_64_bits()
            if (dtype is None and is_numpy_array(value)) or is_numpy_scalar(value):
                dtype = host_dtype(value.dtype)
            target = None if dtype is None else jnp.dtype(standardize_dtype(dtype))
            if isinstance(value, jax.Array):
                # A private copy: the training step donates its arrays, and the user's array
                # must outlive that.
                return private_copy(value if target is None else value.astype(target))
            if target is None:
                target = host_dtype(np.asarray(value).dtype)
            return exact(value, target, f"Variable '{self.name}'")

    @property
    def value(self) -> jax.Array:
        """The current value: the functional scope's inside one, else the variable's own."""
        value = self._raw()
        if self.autocast:
            dtype = autocast_dtype()
            if dtype is not None and dtype != self._dtype and is_float(self._dtype):
                return value.astype(dtype)
        return value

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        note_trainable_change()

    @property
    def regularizer(self) -> Callable[[Any], Any] | None:
        """The penalty on its value that training adds to the loss."""
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Callable[[Any], Any] | None) -> None:
        self._regularizer = value
        note_change()

    @property
    def constraint(self) -> Callable[[Any], Any] | None:
        """What the optimizer applies to it after each update."""
        return self._constraint

    @constraint.setter
    def constraint(self, value: Callable[[Any], Any] | None) -> None:
        self._constraint = value
        note_change()

    @property
    def raw_value(self) -> jax.Array:
        """The current value in the variable's own dtype, whatever the compute dtype is here."""
        return self._raw()

    def _to_device(self, value: np.ndarray) -> jax.Array:
        with jax.ensure_compile_time_eval():
            # The array is private to this variable, so the device may look into its memory.
            # (jnp.array would compile a little program for every shape.)
            array = self._value = jax.device_put(value)
        return array

    def assign(self, value: Any) -> Any:
        """Set the value, and return it. It must have the variable's shape; it is cast."""
        scope = get_stateless_scope()
        value = value.value if isinstance(value, Variable) else value
        dtype = jnp.dtype(self._dtype)
        if not isinstance(value, jax.Array) and (scope is None or is_bare()):
            value = exact(value, dtype, f"Variable '{self.path}'")
        else:
            value = self._narrowed(value)
        if tuple(value.shape) != self._shape:
            raise ShapeError(
                message(
                    f"Variable '{self.path}'",
                    f"an assigned value must have shape {self._shape}",
                    f"shape {tuple(value.shape)}",
                )
            )
        if scope is not None:
            own = recording.apart(value) if recording.recording_tapes else value
            scope.add_update((self, own))
        elif is_tracer(value):
            raise ArgumentError(
                message(
                    f"Variable '{self.path}'",
                    "in a function that JAX traces it can only change within a StatelessScope",
                    "a traced value",
                    "Use stateless_call(), which returns the new values; for random numbers pass "
                    "a SeedGenerator whose state is among them, or an int.",
                )
            )
        else:
            # A private copy, as in the constructor.
            self._become(private_copy(value) if isinstance(value, jax.Array) else value.copy())
        if recording.recording_tapes:
            return self._raw()  # for a gradient tape it is read anew, not computed
        return value

    def _become(self, own: Any) -> None:
        _widen_for(own)
        if (training := self.trained_by) is not None:
            with training.lock:
                training.commit_newest()  # it would come over this one
                self._value = own
        else:
            self._value = own

    def begin_with(self, value: jax.Array) -> None:
        """Let it have a first value that was traced when it was made, and is computed now."""
        self._value = private_copy(jnp.asarray(value, self._value.dtype))

    def take(self, value: np.ndarray) -> None:
        """`assign` of an array that nobody else holds: it is not copied where that can be."""
        is_own = value.flags.owndata and value.flags.c_contiguous and value.flags.writeable
        fits = value.shape == self._shape and value.dtype == jnp.dtype(self._dtype)
        if is_own and fits and get_stateless_scope() is None and not recording.recording_tapes:
            self._become(value)
        else:
            self.assign(value)

    def assign_add(self, value: Any) -> Any:
        """Add to the value, and return the sum."""
        value = value_of(value)
        if self._is_changed_on_host(value):
            return self.assign(self._wide() + self._operand_on_host(value))
        return self.assign(self.raw_value + self._narrowed(value))

    def assign_sub(self, value: Any) -> Any:
        """Subtract from the value, and return the difference."""
        value = value_of(value)
        if self._is_changed_on_host(value):
            return self.assign(self._wide() - self._operand_on_host(value))
        return self.assign(self.raw_value - self._narrowed(value))

    # A sum of whole numbers of 64 bits may be one that the 32 of the device do not hold, where it
    # would come out as another number without a word. Outside of programs it is taken on the host.

    def _is_changed_on_host(self, value: Any) -> bool:
        is_wide = self._dtype in _WIDE_INTEGERS and not _has_64_bits()
        return is_wide and get_stateless_scope() is None and is_bare() and not is_tracer(value)

    def _wide(self) -> np.ndarray:
        return self.numpy().astype(self._dtype)

    def _operand_on_host(self, value: Any) -> np.ndarray:
        return exact(np.asarray(value), jnp.dtype(self._dtype), f"Variable '{self.path}'")

    def _narrowed(self, value: Any) -> jax.Array:
        """A value of a program, with 64 bits as the device has them: JAX would warn at each."""
        dtype = jax.dtypes.canonicalize_dtype(jnp.dtype(self._dtype))
        if isinstance(value, int | np.ndarray | np.integer):
            value = exact(value, dtype, f"Variable '{self.path}'")
        return jnp.asarray(value, dtype)

    def _raw(self, notes: bool = True) -> jax.Array:
        """The value without autocasting. A program under trace records that it uses the variable;
        for a number that Python reads (`notes=False`), that it is valid for this number only."""
        value = value_in_scopes(self)
        if value is None:
            value = self.own_value()
            if notes:
                value = read_outside(self, value)
            else:
                record_number_read(self, value)
        return recording.read(self, value) if recording.recording_tapes else value

    def own_value(self) -> jax.Array:
        """The array, which the caller may keep: see `donate`."""
        # In this order: a training that begins meanwhile says so here, then looks for readers.
        self._was_read = True
        value = self._value
        if (training := self.trained_by) is not None:
            value = training.value_of(self)
        return self._to_device(value) if isinstance(value, np.ndarray) else value

    def _raw_on_host(self) -> jax.Array:
        """The same as numbers, also where only shapes are computed."""
        self._materialized()
        value = self._raw(notes=False)
        self._refuse_traced(value, "numpy(), get_weights() or a function of NumPy")
        return value

    def donate(self) -> Any:
        """The array for a program that overwrites it.

        XLA may delete it. An array that was read since the last `commit`, and so may be kept, is
        copied first.
        """
        value = self._value
        if not self._was_read or isinstance(value, np.ndarray):  # which is private to this variable
            return value
        return private_copy(value)

    def borrow(self) -> Any:
        """The array for a program that only reads it and keeps no reference."""
        if (training := self.trained_by) is not None:
            return training.value_of(self, is_kept=False)
        value = self._value
        return self._to_device(value) if isinstance(value, np.ndarray) else value

    def place(self, place: jax.sharding.Sharding) -> None:
        """Let the array lie there."""
        if (training := self.trained_by) is not None:  # it may have its array just now
            with training.lock:
                training.commit_newest()
        value = self._value
        if getattr(value, "sharding", None) != place:
            self._value = jax.device_put(value, place)

    def is_holding(self, value: Any) -> bool:
        """Whether this very array is still the value."""
        return self._value is value

    def commit(self, value: Any) -> None:
        """Make the array a program returned the value (shape and dtype are not checked)."""
        self._value = value
        self._was_read = False

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array of its own, which may be changed."""
        value = self._value
        if (
            isinstance(value, np.ndarray)
            and self.trained_by is None
            and get_stateless_scope() is None
        ):
            return value.copy()  # it has not been on a device yet
        return np.array(self._raw_on_host())

    def on_host(self) -> np.ndarray:
        """The value as NumPy reads it, to be looked at and let go: on a CPU it is the memory of the
        variable itself, which no step overwrites as long as it is held."""
        if get_stateless_scope() is not None:
            return self.numpy()
        value: Any = self._materialized()
        return np.asarray(value if is_numpy_array(value) else self.borrow())

    def _refuse_traced(self, value: Any, use: str) -> None:
        """Raise where code that is compiled asks for the number, which is not known there."""
        if is_tracer(value):
            raise TracedValueError(
                message(
                    f"Variable '{self.path}'",
                    "code that is compiled cannot ask a variable for its value",
                    use,
                    "Compute with it by functions of nacre.ops, and change it by assign(), as in "
                    "`old.assign(new)`; or compile(run_eagerly=True), which is slow.",
                )
            )

    @property
    def dtype(self) -> str:
        """The dtype the value is read in here."""
        dtype = autocast_dtype()
        if self.autocast and dtype is not None and is_float(self._dtype):
            return dtype
        return self._dtype

    @property
    def own_dtype(self) -> str:
        """The dtype it is kept in, whatever it is read in here."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self._shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self._shape, dtype=np.int64))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = np.asarray(self._raw_on_host(), dtype=dtype)
        return value.copy() if copy and not value.flags.writeable else value

    def __jax_array__(self) -> jax.Array:
        return self.value

    __array_priority__ = 1000  # NumPy arrays on the left leave the operator to us

    def __pos__(self) -> Any:
        return self.value

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a variable without axes")
        return self._shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Slices along the first axis. Indices alone would never end: JAX takes the last again."""
        return iter(self.value)

    def _number(self, use: str) -> jax.Array:
        value = self._raw(notes=False)
        self._refuse_traced(value, use)
        return value

    def __float__(self) -> float:
        return float(self._number("float()"))

    def __int__(self) -> int:
        return int(self._number("int(), or an index of Python's"))

    def __bool__(self) -> bool:
        return bool(self._number("an `if`, `while`, `and`, `or` or `not` on it"))

    def __repr__(self) -> str:
        try:
            value = f", value={np.array2string(self.numpy(), threshold=10)}"
        except (TracedValueError, jax.errors.JAXTypeError, RuntimeError):  # or it was donated
            value = ""
        path = printable(self.path)
        return f"<Variable path={path}, shape={self._shape}, dtype={self._dtype}{value}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_variable, (
            self.numpy(),
            self.trainable,
            self.autocast,
            self.name,
            self.path,
            self.made_trainable,
        )


def _rebuild_variable(
    value: np.ndarray,
    trainable: bool,
    autocast: bool,
    name: str,
    path: str,
    made_trainable: bool | None = None,
) -> Variable:
    made_trainable = trainable if made_trainable is None else made_trainable
    variable = Variable(value, trainable=made_trainable, autocast=autocast, name=name)
    variable.trainable = trainable
    variable.path = path
    return variable


def _known(shape: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """A shape whose sizes are all known, or None."""
    sizes = tuple(n for n in shape if n is not None)
    return sizes if len(sizes) == len(shape) else None


def _itemsize(dtype: str) -> int:
    return jnp.dtype(dtype).itemsize


def _has_64_bits() -> bool:
    return setting("jax_enable_x64")


def _widen_for(value: Any) -> None:
    """Switch 64 bits on for whole numbers that 32 do not hold: a program that takes the variable,
    whether it computes with it or not, would hand back another number."""
    if type(value) is np.ndarray and value.dtype.name in _WIDE_INTEGERS and not _has_64_bits():
        if not fits(value, jax.dtypes.canonicalize_dtype(value.dtype)):
            use_64_bits()


def value_of(value: Any) -> Any:
    """What a variable holds now, be it in a scope; anything else as it is."""
    return value.value if isinstance(value, Variable) else value


def _named_initializer(name: str, who: str) -> Callable[..., Any]:
    """A new initializer for its name, as layers take it."""
    found = builtin("keras.initializers", name, "class")
    if found is None:
        known = ("zeros", "ones", "glorot_uniform", "he_normal", "random_normal", "random_uniform")
        raise unknown_name(who, "initializer", name, known)
    return found()
