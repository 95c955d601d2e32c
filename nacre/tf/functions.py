"""`tf.function`: `nacre.function`, whose Python `if` and loops may ask the values of tensors.

They become the program's own (`conversion/`). What cannot be compiled (a list that grows in a loop
of unknown length, sizes that depend on values) runs eagerly from then on, and a warning names the
line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, ShapeError, TracedValueError, message
from nacre.core.tracing import is_tracing
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.data import HostTensor, TensorSpec
from nacre.data.dataset.sparse import SparseEntries
from nacre.data.dataset.spec import SparseSpec
from nacre.tf.concrete import ConcreteFunction
from nacre.tf.conversion.calls import converted
from nacre.tf.conversion.meaning import known
from nacre.tf.conversion.stepping import compiled_turns
from nacre.tf.dtypes import DType, as_dtype
from nacre.tf.extension_types import holds_extensions, packed, taking_tensors, unpacked
from nacre.tf.machine import functions_run_eagerly
from nacre.tf.ragged_calls import holds_ragged
from nacre.tf.values import DataLoopError, tensor, traced_function
from nacre.training.function import Function as Compiled
from nacre.training.function import function as compiled


class SignatureError(ShapeError, TypeError):
    """An argument is none that an `input_signature` says; TensorFlow raises a TypeError."""


_PLAIN = (int, float, bool, str, bytes, type(None))


def _key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Arguments as a key: specs of tensors, and values of Python's; None where others are there."""
    leaves: list[Any] = []
    for leaf in tree.flatten([list(args), kwargs]):
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not isinstance(leaf, Variable):
            shape = None if leaf.shape is None else tuple(leaf.shape)
            name = leaf.name if isinstance(leaf, TensorSpec) else None
            leaves.append((shape, as_dtype(leaf.dtype).name, name))
        elif type(leaf) in _PLAIN:
            leaves.append((type(leaf), repr(leaf)))  # 1, 1.0 and True, 0.0 and -0.0 are equal
        else:
            return None
    structure = tree.map_structure(lambda _: 0, [list(args), kwargs])
    return tree.structure_key(structure), tuple(leaves)


class Function(Compiled[..., Any]):
    """A function that is compiled, or runs as it stands where that cannot be.

    Args:
        python_function: The function.
        input_signature: The shapes and dtypes of its arguments.
        autograph: Whether its `if` and loops may ask the values of tensors.
    """

    # Bookkeeping, on which no program depends; `_seen` has the shapes and dtypes of the arguments
    # it was traced for.
    __slots__ = ("_concrete", "_has_data_loop", "_is_plain", "_of_tensors", "_seen")

    def __init__(
        self,
        python_function: Callable[..., Any],
        input_signature: Sequence[Any] | None = None,
        autograph: bool = True,
    ) -> None:
        self._has_data_loop, self._is_plain, self._seen = False, False, None
        self._of_tensors: Function | None = None
        self._concrete: dict[Any, ConcreteFunction] = {}
        super().__init__(python_function, input_signature)
        self._autograph = autograph

    def _of_method(self, method: Callable[..., Any]) -> Function:
        return type(self)(method, self.input_signature, self._autograph)

    def _refuse_kind(self, wanted: DType, value: Any) -> None:
        """Refuse tensors and lists whose numbers would be others in the dtype that was said."""
        given = value if hasattr(value, "dtype") else np.asarray(value)
        have = as_dtype(given.dtype)
        is_list = isinstance(value, list | tuple)
        fits = _kind(have) == _kind(wanted) or (is_list and have.is_integer and wanted.is_floating)
        loses_digits = not is_list and have.is_floating and have.size > wanted.size
        if not fits or loses_digits:
            rule = f"input_signature says an argument of dtype {wanted.name}"
            fix = f"Convert it: tf.cast(x, tf.{wanted.name})."
            raise SignatureError(message(self._who, rule, f"dtype {have.name}", fix))

    def _traced_function(self) -> Callable[..., Any]:
        function = self.python_function
        made = _checked(converted(function)) if self._autograph else function

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._note(args, kwargs)
            with traced_function():
                found = made(*args, **kwargs)
                return packed(found) if holds_extensions(found) else found

        return call

    def _note(self, args: Any, kwargs: Any) -> None:
        """Keep what it is traced for, for a file; sizes that differ are left open."""
        args = self._without_defaults(args)
        leaves = tree.flatten(args)
        if kwargs or not all(isinstance(leaf, jax.Array) for leaf in leaves):
            return
        if any(not isinstance(n, int) for leaf in leaves for n in leaf.shape):
            return
        specs = tree.map_structure(lambda x: TensorSpec(tuple(x.shape), x.dtype.name), list(args))
        self._keep(specs)

    def _without_defaults(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments up to the last one that is not what it is when left out."""
        given = list(args)
        while given and len(given) <= len(self._places):
            default = self._places[len(given) - 1][1]
            if isinstance(given[-1], jax.Array) or given[-1] is not default:
                break
            given.pop()
        return tuple(given)

    def _keep(self, specs: list[Any]) -> None:
        known = [] if self._seen is None else tree.flatten(self._seen)
        new = tree.flatten(specs)
        if len(known) == len(new):
            new = [_joined(a, b) for a, b in zip(known, new, strict=True)]
        self._seen = tree.pack_sequence_as(specs, new)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The function for arguments like these, traced now.

        Args:
            args, kwargs: Tensors or specs, and what else it takes; those of the `input_signature`
                where there are none.
        """
        if not args and not kwargs and self.input_signature is not None:
            args = tuple(self.input_signature)
        if not _holds_host_tensors((args, kwargs)):
            super().get_concrete_function(*args, **kwargs)
        leaves = tree.flatten(list(args))
        if not kwargs and leaves and all(map(_is_ranked, leaves)):
            specs = [TensorSpec(x.shape, as_dtype(x.dtype).name) for x in leaves]
            self._keep(tree.pack_sequence_as(list(args), specs))
        key = _key_of(args, kwargs)
        if key is None:
            return ConcreteFunction(self, (args, kwargs))
        if key not in self._concrete:
            self._concrete[key] = ConcreteFunction(self, (args, kwargs))
        return self._concrete[key]

    @property
    def known_signature(self) -> Any:
        """The shapes and dtypes of its arguments, as said or as seen; None where neither is."""
        return self.input_signature if self.input_signature is not None else self._seen

    def _compiled(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return unpacked(super().__call__(*args, **kwargs))
        except (TypeError, ArgumentError) as error:
            if not (_is_of_texts(error) or _is_of_texts(error.__cause__)):
                raise
            rule = "a compiled function holds no strings where the program decides over them"
            raise TracedValueError(message(self._who, rule, "tensors of strings")) from error

    def _cast(self, spec: Any, value: Any) -> Any:
        if isinstance(spec, SparseSpec):
            return self._of_sparse_spec(spec, value)
        if not _is_text(spec):
            is_tensor = isinstance(value, jax.Array | HostTensor | Variable)
            if spec.dtype is not None and (is_tensor or isinstance(value, list | tuple)):
                self._refuse_kind(as_dtype(spec.dtype), value)
            try:
                return super()._cast(spec, value)
            except ShapeError as error:
                raise SignatureError(str(error)) from None
        found = tensor(value, "string")
        if not TensorSpec(spec.shape, "string").is_compatible_with(found):
            rule = f"input_signature says strings of shape {spec.shape}"
            raise SignatureError(message(self._who, rule, f"shape {tuple(found.shape)}"))
        return found

    def _of_sparse_spec(self, spec: Any, value: Any) -> Any:
        if not spec.is_compatible_with(value):
            rule, got = f"input_signature says {spec}", type(value).__name__
            if isinstance(value, SparseEntries):
                got = f"one of shape {tuple(value.shape)}, {as_dtype(value.dtype).name}"
            raise SignatureError(message(self._who, rule, got))
        return value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        if functions_run_eagerly():
            return self.python_function(*args, **kwargs)
        if holds_extensions(args) or holds_extensions(kwargs):
            return self._with_tensors_of(args, kwargs)
        signature = self.input_signature
        if signature is not None and any(map(_is_text, tree.flatten(list(signature)))):
            # Texts are of the host, where all that is done with them runs as it stands.
            args, kwargs = self._with_signature(args, kwargs)
            return _as_tensors(self.python_function(*args))
        if self._has_data_loop:
            return self._in_turns(args, kwargs)
        if _holds_host_tensors((args, kwargs, self.input_signature)):
            # They are of the host: each call would be a program of its own.
            return self._in_turns(self._of_signature(args), kwargs)
        if self._is_plain or holds_ragged((*args, *kwargs.values())):
            # Rows of different lengths are of the host: nothing would be compiled but one call.
            return _as_tensors(self.python_function(*args, **kwargs))
        if any(hasattr(leaf, "__next__") for leaf in (*args, *kwargs.values())):
            self._is_plain = True
            warn(
                f"tf.function '{self._who}' runs as plain Python, not compiled, as it takes the "
                "elements of an iterator: take them outside, step(next(batches))."
            )
            return _as_tensors(self.python_function(*args, **kwargs))
        try:
            return _as_tensors(self._compiled(args, kwargs))
        except TracedValueError as error:
            if scope.in_stateless_scope() or is_tracing():
                raise  # the function around it decides
            if isinstance(error, DataLoopError) and self._autograph:
                self._has_data_loop = True
                return self._in_turns(args, kwargs)
            self._is_plain = True
            warn(
                f"tf.function '{self._who}' runs as plain Python, not compiled, as it needs the "
                f"values of tensors: {error}"
            )
        return _as_tensors(self.python_function(*args, **kwargs))

    def _with_tensors_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What it gives for objects of extension types, whose tensors are the program's."""
        if self._of_tensors is None:
            function = self.python_function
            run = _checked(converted(function)) if self._autograph else function
            signature = self.input_signature
            self._of_tensors = Function(
                taking_tensors(run), None if signature is None else packed(list(signature)), False
            )
        return unpacked(self._of_tensors(*map(packed, args), **packed(kwargs)))

    def _of_signature(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as tensors of the dtypes that were said."""
        if self.input_signature is None:
            return args
        pairs = list(zip(self.input_signature, args, strict=False))
        made = [tree.map_structure_up_to(s, self._of_spec, s, value) for s, value in pairs]
        return (*made, *args[len(pairs) :])

    def _of_spec(self, spec: Any, value: Any) -> Any:
        if isinstance(spec, SparseSpec):
            return self._of_sparse_spec(spec, value)
        return tensor(value, spec.dtype) if isinstance(spec, TensorSpec) else value

    def _in_turns(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What it gives with values, the turns of its loops over data sets compiled."""
        with compiled_turns():
            function = self.python_function
            run = _checked(converted(function)) if self._autograph else function
            return _as_tensors(run(*args, **kwargs))


def _holds_host_tensors(arguments: Any) -> bool:
    """Whether there is a tensor of strings among arguments, or a sparse one, or a spec of one."""
    return any(
        isinstance(leaf, SparseEntries | SparseSpec)
        or (
            getattr(leaf, "dtype", None) is not None
            and isinstance(leaf, HostTensor | TensorSpec)
            and as_dtype(leaf.dtype) == "string"
        )
        for leaf in tree.flatten(arguments)
    )


def _kind(dtype: DType) -> str:
    for kind in ("floating", "integer", "complex", "bool"):
        if getattr(dtype, f"is_{kind}"):
            return kind
    return dtype.name


def _is_of_texts(error: BaseException | None) -> bool:
    """Whether JAX stopped at a tensor of strings, which no program holds."""
    return (
        isinstance(error, TypeError)
        and "problematic value is of type" in str(error)
        and ("HostTensor" in str(error))
    )


def _as_tensors(result: Any) -> Any:
    """What a function gave, texts and numbers of Python's as the tensors that they become."""
    return tree.map_structure(lambda x: tensor(x) if type(x) in _PLAIN else x, result)


_PLAIN = (str, bytes, bool, int, float)


def _is_text(spec: Any) -> bool:
    dtype = getattr(spec, "dtype", None)
    return dtype is not None and as_dtype(dtype) == "string"


def _is_ranked(leaf: Any) -> bool:
    return isinstance(leaf, TensorSpec) and leaf.shape is not None


def _joined(one: Any, other: Any) -> Any:
    """A spec of both, of the newer one where their ranks differ."""
    if len(one.shape) != len(other.shape) or one.dtype != other.dtype:
        return other
    sizes = [a if a == b else None for a, b in zip(one.shape, other.shape, strict=True)]
    return TensorSpec(sizes, other.dtype)


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which may return no variable that has a value only if a tensor is true."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return tree.map_structure(known, function(*args, **kwargs))

    return call


def function(func: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function, as a decorator or a call; see `nacre.function`.

    Python's `if`, `for`, `while`, `and`, `or` and `not` may ask the values of tensors, in the
    function and in those of the user's that it calls: they become the program's own. Both ways of
    an `if` must set variables to tensors alike, and a loop's turns keep their shapes; what cannot
    be compiled runs eagerly from then on, and a warning names the line.

    Args:
        func: The function or method.
        options: `input_signature`, `jit_compile`, `reduce_retracing`, `autograph` (False leaves
            `if` and loops to Python) and `experimental_...`, as `nacre.function` takes them.

    Source:
        TensorFlow 2.15, tf.function; its Python runs as often as there, but for sizes that a
        signature leaves open, each of which is traced. Differs: loops over tensors whose body
        cannot be the program's own are unrolled, such as one that appends to a list of its own,
        and shapes that change from turn to turn make it run eagerly; a `while` by known values is
        unrolled at first; an
        `assert` that fails is raised when the whole function has run.
    Example:
        >>> import nacre.tf as tf
        >>> @tf.function
        ... def steps(n):  # doctest: +SKIP
        ...     count = 0
        ...     while n > 1:
        ...         n = n // 2 if n % 2 == 0 else 3 * n + 1
        ...         count += 1
        ...     return count
        >>> steps(tf.constant(6)).numpy()  # doctest: +SKIP
        8
    """
    if func is None:
        return functools.partial(function, **options)
    autograph = bool(options.get("autograph", True))
    made = compiled(func, **options)
    return Function(made.python_function, made.input_signature, autograph)


__all__ = ["Function", "function"]
