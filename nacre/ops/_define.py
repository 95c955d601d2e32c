"""How ops are declared: all that is known of one stands where it is written.

An op is a pure JAX function. Called with arrays it just runs. Called with symbolic tensors it
records a node in the model's graph, and the shape of the result comes from tracing the function.

A file of ops begins with what they have in common and ends with what it shows:

    op = Family("nn", masks=masks.elementwise)

    @op(composite=True)
    def relu(x: Tensor) -> jax.Array: ...

    __all__, __dir__ = op.shown()

Which parameters hold tensors follows from their annotations, in which namespaces the op is public
from the file of Keras's that defines it. `nacre.ops` and its faces are written from this, by
`python -m tests.architecture.op_faces --write`; a test compares them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

from nacre.core.context import current
from nacre.core.errors import ArgumentError, message
from nacre.core.not_yet import no_attribute
from nacre.core.symbolic import any_symbolic
from nacre.ops._calls import REGISTRY, OpCall
from nacre.ops._op import Op
from nacre.ops.mask_rules import Rule

P = ParamSpec("P")
R = TypeVar("R")

# The file of keras.src.ops that defines an operation -> the namespaces that show it.
_FACES: dict[str, tuple[str, ...]] = {
    "core": ("nacre.ops",),
    "einops": ("nacre.ops",),
    "image": ("nacre.ops.image",),
    "linalg": ("nacre.ops", "nacre.ops.linalg"),
    "math": ("nacre.ops",),
    "nn": ("nacre.ops", "nacre.ops.nn"),
    "numpy": ("nacre.ops", "nacre.ops.numpy"),
}


@dataclass(frozen=True)
class Public:
    """A function that namespaces show.

    Attributes:
        function: What a user calls.
        module: The file it is declared in.
        faces: The namespaces.
        is_op: Whether a config may name it: it turns tensors into tensors.
    """

    function: Callable[..., Any]
    module: str
    faces: tuple[str, ...]
    is_op: bool


# What namespaces show, by name; one with aliases has several.
PUBLIC: dict[str, Public] = {}


class Family:
    """Declares ops that have something in common, mostly those of a file.

    Args:
        keras: The file of keras.src.ops that defines the operations: it stands in configs, and
            says in which namespaces they are public. A family of ours may have a name of its own.
        masks: The rule by which masks propagate (`mask_rules`), or the reason why they do not.
        is_listed: Whether namespaces show them; not those that are for layers.
    """

    def __init__(
        self, keras: str, *, masks: Rule | str | None = None, is_listed: bool = True
    ) -> None:
        self.keras = keras
        self.masks = masks
        self.is_listed = is_listed
        self._names: list[str] = []

    @overload
    def __call__(self, function: Callable[P, R]) -> Callable[P, R]: ...
    @overload
    def __call__(
        self,
        function: None = None,
        *,
        composite: bool = ...,
        tensors: tuple[str, ...] | None = ...,
        class_name: str | None = ...,
        name: str | None = ...,
        keras: str | None = ...,
        masks: Rule | str | None = ...,
        shape_rule: Callable[..., Any] | None = ...,
        aliases: tuple[str, ...] = ...,
        lowering: tuple[str, ...] = ...,
        is_listed: bool | None = ...,
        converts: bool = ...,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def __call__(
        self,
        function: Any = None,
        *,
        composite: bool = False,
        tensors: tuple[str, ...] | None = None,
        class_name: str | None = None,
        name: str | None = None,
        keras: str | None = None,
        masks: Rule | str | None = None,
        shape_rule: Callable[..., Any] | None = None,
        aliases: tuple[str, ...] = (),
        lowering: tuple[str, ...] = (),
        is_listed: bool | None = None,
        converts: bool = False,
    ) -> Any:
        """Declare an op.

        Args:
            function: A pure JAX function of tensors and attributes.
            composite: Keep the op as one named call in traces, for exporters to see.
            tensors: Names of the parameters that hold tensors, where the annotations do not tell.
            class_name: The operation class Keras writes into configs, when it is not the op's name
                in capitals.
            name: The op's name when it is not the function's.
            keras: The file of keras.src.ops, when it is not the family's.
            masks: The rule for masks, or why there is none, when it is not the family's.
            shape_rule: Called with the op's arguments, the symbolic outputs, or None where tracing
                finds them.
            aliases: Other names of the same function; the file gives them to it.
            lowering: Parameters that choose among lowerings, and stand in no name or config.
            is_listed: Whether namespaces show it, when the family does not say so.
            converts: Whether it makes floats of whole numbers of 64 bits.

        Example:
            >>> from nacre.core.symbolic import KerasTensor
            >>> @op
            ... def doubled(x):
            ...     return x * 2
            >>> doubled(KerasTensor((None, 3))).shape
            (None, 3)
        """

        def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
            info = Op(
                fn,
                name or fn.__name__,
                composite=composite,
                tensors=tensors,
                class_name=class_name,
                keras=keras or self.keras,
                masks=self.masks if masks is None else masks,
                shape_rule=shape_rule,
                lowering=lowering,
                converts=converts,
            )
            _register(info)
            call = _callable(info)
            shows = self.is_listed if is_listed is None else is_listed
            self._publish(call, shows, info.keras_module, aliases)
            return call

        return declare if function is None else declare(function)

    @overload
    def function(self, function: Callable[P, R]) -> Callable[P, R]: ...
    @overload
    def function(
        self,
        function: None = None,
        *,
        keras: str | None = ...,
        calls: Callable[..., Any] | None = ...,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def function(
        self,
        function: Any = None,
        *,
        keras: str | None = None,
        calls: Callable[..., Any] | None = None,
    ) -> Any:
        """Declare a public function that is no op: it makes no node of its own.

        Args:
            function: The function.
            keras: The file of keras.src.ops, when it is not the family's.
            calls: The op it spells in another way, where a config may name it for the op.
        """

        def declare(fn: Callable[P, R]) -> Callable[P, R]:
            if calls is not None:
                fn.op = info_of(calls)  # type: ignore[attr-defined]
            self._publish(fn, self.is_listed, keras or self.keras, (), calls is not None)
            return fn

        return declare if function is None else declare(function)

    def _publish(
        self,
        function: Callable[..., Any],
        shows: bool,
        keras: str,
        aliases: tuple[str, ...],
        is_op: bool = True,
    ) -> None:
        name = function.__name__
        if name.startswith("_"):
            return
        self._names += [name, *aliases]
        if shows and (faces := _FACES.get(keras, ())):
            public = Public(function, function.__module__, faces, is_op)
            for one in (name, *aliases):
                known = PUBLIC.get(one)
                _refuse_second(f"function '{one}' of nacre.ops", function, known and known.function)
                PUBLIC[one] = public

    def shown(self) -> tuple[list[str], Callable[[], list[str]]]:
        """`__all__` and `__dir__` of the file: what it declares, and nothing that it imports."""
        names = sorted(self._names)
        return names, lambda: names


op = Family("numpy", is_listed=False)


def _register(info: Op) -> None:
    known = REGISTRY.get(info.name)
    _refuse_second(f"op '{info.name}'", info.function, known and known.function)
    REGISTRY[info.name] = info


def _refuse_second(who: str, function: Any, known: Any) -> None:
    """Raise where another function has the name.

    A second declaration at the same place, as when a file is run again, takes the place of the
    first.
    """
    place = (function.__module__, function.__qualname__)
    if known is None or place == (known.__module__, known.__qualname__):
        return
    raise ArgumentError(
        message(
            who,
            "the name must be its own",
            f"a second declaration, {'.'.join(place)}",
            "Another spelling of one op is an alias: aliases=('name',).",
        )
    )


def _callable(info: Op) -> Callable[..., Any]:
    """What is called in place of the op's function."""

    @functools.wraps(info.function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            tensors_given, attributes = info.split(args, kwargs)
            positional, named = info.leading(tensors_given)
            return OpCall(info, attributes=attributes).symbolic_call(*positional, **named)
        context = current().call
        if context is None or not context.propagates:
            return info.run(*args, **kwargs)
        return info.call(*args, **kwargs)

    call.op = info  # type: ignore[attr-defined]
    return call


def info_of(function: Callable[..., Any]) -> Op:
    """What is known of an op, by the function a user calls."""
    return function.op  # type: ignore[attr-defined]


def face(
    module: str, *others: str
) -> tuple[list[str], Callable[[], list[str]], Callable[[str], Any]]:
    """`__all__`, `__dir__` and `__getattr__` of a namespace: what is declared to be public there.

    Its lines of imports are for those who read them, editors among them; a function declared since
    they were written, or after the namespace was imported, is found all the same.

    Args:
        module: The namespace.
        others: Names it has besides.
    """

    def names() -> list[str]:
        return sorted([*others, *(name for name, _ in shown_in(module))])

    def missing(name: str) -> Any:
        public = PUBLIC.get(name)
        if public is None or module not in public.faces:
            raise no_attribute(module, name)
        return public.function

    return names(), names, missing


def shown_in(module: str) -> list[tuple[str, Public]]:
    """The names that a namespace shows, aliases among them, each with what it is."""
    found = ((name, public) for name, public in PUBLIC.items() if module in public.faces)
    return sorted(found, key=lambda item: item[0])


def config_functions(module: str) -> frozenset[str]:
    """The names in a namespace that a config may name: those of ops."""
    return frozenset(name for name, public in shown_in(module) if public.is_op)


def composite(
    *tensors: str, name: str | None = None, lowering: tuple[str, ...] = ()
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep a function of ops as one named call in traces, without making an op of it.

    For what a layer computes and Keras has no op for, and for the inner form of an op whose
    arguments are checked and put into one form first. With symbolic tensors the function just
    runs, so that a model's graph, and its file, hold the ops inside.

    Args:
        tensors: Names of the parameters that hold tensors; by default the annotations tell.
        name: The name in traces when it is not the function's.
        lowering: Parameters that choose among lowerings, and stand in no name.

    Example:
        >>> import jax
        >>> @composite("x")
        ... def halved(x):
        ...     return x / 2
        >>> "nacre.halved" in str(jax.make_jaxpr(halved)(jax.numpy.ones(3)))
        True
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        info = Op(
            function,
            name or function.__name__,
            composite=True,
            tensors=tensors or None,
            lowering=lowering,
        )

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return (function if any_symbolic(args, kwargs) else info.run)(*args, **kwargs)

        return call

    return declare
