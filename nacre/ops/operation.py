"""`Operation`: what stands in a model's graph. Calls of ops are ones, layers are, a user's may be.

An operation is called with arrays or with symbolic tensors. Symbolic ones leave a node in the
graph, and the shapes of the results come from tracing `call`, so that they are said once.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, Self

import jax

from nacre.core import leftovers, scope, tree
from nacre.core.constructor import (
    Constructed,
    accepted,
    given_arguments,
    object_from,
    own_arguments,
)
from nacre.core.errors import (
    ArgumentError,
    NacreError,
    NotBuiltError,
    NotThereError,
    message,
    printable,
)
from nacre.core.keywords import any_arguments
from nacre.core.names import auto_name
from nacre.core.registry import plain_config
from nacre.core.safety import reads_config
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor, Node, any_symbolic
from nacre.core.traceback import boundary
from nacre.core.warning import warn
from nacre.core.weak_cache import weak_cache
from nacre.ops import mask_propagation
from nacre.ops.mask_rules import Rule, elementwise_leading

_STOPS = "its class does not say that masks pass"


class Operation(Constructed):
    """A function of tensors that can stand in a model's graph: it has a name, and no weights.

    Choose it for a step without weights that should be one entry of the graph, with arguments that
    are kept in files: write `call`. What has weights, a random state, or depends on the training
    flag or on masks is a `Layer`, which is an operation too.

    Called with arrays it runs `call` on what it was given, unchanged; a number type or dtype policy
    changes nothing. Called with symbolic tensors it becomes part of the graph: it is written into
    files by its config, and read where its class is registered or given as `custom_objects`. What
    `fit` compiled from its attributes is compiled anew after they change.

    A model refuses an operation that holds layers or variables. (In Keras 3.15 they are neither
    trained nor saved, without a word.) A mask of the inputs ends here, with a warning, unless the
    class says `supports_masking = True`. (In Keras it ends without one.)

    Args:
        name: Name; automatic by default.

    Attributes:
        supports_masking: Whether the outputs keep (batch, time) of the inputs, so that their masks
            hold for them.

    Raises:
        NotThereError: `input` or `output` before it was called with a symbolic tensor.
        SerializationError: `get_config` where an argument has no config, or came through `*args`.

    Example:
        >>> import nacre
        >>> class Power(nacre.Operation):
        ...     def __init__(self, exponent, name=None):
        ...         super().__init__(name=name)
        ...         self.exponent = exponent
        ...     def call(self, x):
        ...         return x**self.exponent
        >>> cube = Power(3, name="cube")
        >>> cube(nacre.Input((4,))).shape, cube(2), cube.get_config()
        ((None, 4), 8, {'name': 'cube', 'exponent': 3})
    """

    __slots__ = ("_inbound_nodes", "_outbound_nodes", "_warned_mask")

    name: str
    supports_masking: bool = False
    _inbound_nodes: list[Node]

    def _init_slots(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super()._init_slots(args, kwargs)
        self._inbound_nodes = []
        self._outbound_nodes: list[Node] = []
        self._warned_mask = False

    def __init__(self, name: str | None = None) -> None:
        if name is not None and not isinstance(name, str):
            rule = "name must be a string"
            raise ArgumentError(message(type(self).__name__, rule, f"{name!r:.60}"))
        self.name = auto_name(type(self).__name__) if name is None else name

    def _who(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    # ---------------------------------------------------------------- calling

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run on arrays, or become part of a graph with symbolic tensors."""
        if "name" not in vars(self):
            raise NotBuiltError(
                message(
                    type(self).__name__,
                    "super().__init__() must be called before the operation is",
                    "a call of one without a name",
                    "Call super().__init__(name=name) in __init__.",
                )
            )
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        leftovers.note_called(self)
        context = scope.call_context()
        try:
            if context is None or not context.propagates:
                return self.call(*args, **kwargs)
            outputs = context.run_as_one(self.call, args, kwargs)
        except Exception as error:
            self._explain(error, args, kwargs)
            raise
        self._pass_masks_on(args, kwargs, outputs)
        return outputs

    @any_arguments
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from arrays. Subclasses override it."""
        raise NotImplementedError(
            message(
                self._who(),
                "an operation that is called must have a call() method",
                f"class {type(self).__name__} without one",
                "Define `def call(self, x):` in the class.",
            )
        )

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Become part of the graph that the symbolic tensors among the arguments belong to."""
        try:
            outputs = tree.map_structure(_new_tensor, self.compute_output_spec(*args, **kwargs))
        except Exception as error:
            self._explain(error, args, kwargs)
            raise
        if not any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(outputs)):
            raise ArgumentError(
                message(
                    self._who(),
                    "it must give tensors",
                    f"{outputs!r:.60}",
                    "See whether a `return` is missing in its call().",
                )
            )
        Node(self, args, kwargs, outputs)
        self._pass_masks_on(args, kwargs, outputs)
        return outputs

    @any_arguments
    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, found by tracing `call`; subclasses may tell."""
        try:
            with leftovers.cleared(is_trial=True, root=self):
                return infer(self.call, *args, **kwargs)
        except jax.errors.JAXTypeError as error:
            raise ArgumentError(
                message(
                    self._who(),
                    "what it gives must have a shape that follows from shapes alone",
                    "values that are not known while a model is described",
                    "nacre.ops.where and nacre.ops.cond decide by values; where the shape alone is "
                    "unclear, write compute_output_spec(), which gives a KerasTensor.",
                )
            ) from error

    def _explain(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Say in which operation an error came up, once."""
        if isinstance(error, NacreError) or getattr(error, "_nacre_explained", False):
            return
        shapes = [tuple(x.shape) for x in tree.flatten((args, kwargs)) if hasattr(x, "shape")]
        error.add_note(f"In {self._who()}, called with shapes {shapes}.")
        error._nacre_explained = True  # type: ignore[attr-defined]

    # ---------------------------------------------------------------- masks

    def _pass_masks_on(self, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        rule = elementwise_leading if self.supports_masking else _STOPS
        cls = type(self)
        call = _MaskedOperation(self.name, cls.__name__, _signature_of(cls.call), rule)
        why = mask_propagation.propagate(call, args, kwargs, outputs)
        context = scope.call_context()
        is_reported = context is not None and context.recorder is not None
        if why != _STOPS or is_reported or self._warned_mask:
            return
        self._warned_mask = True
        warn(
            message(
                self._who(),
                "the mask of its input stops here, as its class does not pass masks on",
                "an input with a mask",
                "Say supports_masking = True in the class if (batch, time) stay and padded steps "
                "do no harm; else derive it from nacre.Layer, which has compute_mask().",
            )
        )

    # ---------------------------------------------------------------- the graph

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        return self._node_view("inputs")

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        return self._node_view("outputs")

    def _node_view(self, side: str) -> Any:
        if not self._inbound_nodes:
            raise NotThereError(
                message(
                    self._who(),
                    f"it has no {side} before it was called with a symbolic tensor",
                    "one outside any model",
                    "Call it on nacre.Input(shape=...), or put it into a model.",
                )
            )
        tensors = getattr(self._inbound_nodes[0], side)
        return tensors[0] if len(tensors) == 1 else tensors

    # ---------------------------------------------------------------- configs

    def get_config(self) -> dict[str, Any]:
        """The name and what the constructor was called with, as plain data.

        Raises:
            SerializationError: An argument has no config, or came through `*args`.
        """
        config: dict[str, Any] = {"name": self.name}
        own = own_arguments(type(self), self._init_arguments, self._who())
        arguments = {**given_arguments(type(self), self._init_arguments), **own}
        for name, value in arguments.items():
            if name == "name":
                continue
            try:
                config[name] = plain_config(value)
            except NacreError:  # a class that adds keys itself writes this one too
                if type(self).get_config is Operation.get_config:
                    raise
        return config

    @classmethod
    @any_arguments
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the operation a config describes."""
        given = {key: object_from(value) for key, value in config.items()}
        return cls(**accepted(cls, given, ("name",)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={printable(str(self.name))}>"

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self._init_arguments), dict(vars(self))


def _rebuild(cls: type[Operation], arguments: Any) -> Operation:
    """An operation with no calls yet; its attributes follow."""
    args, kwargs = arguments
    return cls.__new__(cls, *args, **kwargs)


def _new_tensor(leaf: Any) -> Any:
    """A tensor of its own for an output: what made another one is known already."""
    if isinstance(leaf, KerasTensor) and leaf._keras_history is not None:
        return KerasTensor(leaf.shape, leaf.dtype)
    return leaf


class _MaskedOperation(NamedTuple):
    """What the propagation of masks asks of an operation."""

    name: str
    kind: str | None
    signature: inspect.Signature
    masks: Rule | str


@weak_cache
def _signature_of(call: Any) -> inspect.Signature:
    parameters = list(inspect.signature(call).parameters.values())[1:]
    return inspect.Signature(parameters)


__all__ = ["Operation"]
