"""What training asks of a model, an optimizer and a callback; and who an attribute speaks for.

Behaviour is never chosen by the name of a class or by where it is defined. What a loop, a metric or
generation must know of an object is an attribute that an outside author can set as well:
`callback.tolerates_nan`, `layer.is_stepwise`, `metric.leaves_out_absent`, `loss.sums_over_samples`
of a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from nacre.core.weak_cache import weak_cache

if TYPE_CHECKING:
    from nacre.core.program import Programs
    from nacre.core.variable import Variable
    from nacre.layers.base.inventory import Inventory


@runtime_checkable
class TrainingHost(Protocol):
    """What callbacks use of a model. Anything with these can run them.

    Attributes:
        stop_training: Set to True, training ends after the present epoch or batch.
        optimizer: Has `learning_rate`, and `moving_averages` where averages are kept.
        history: The `History` of the last training.
        metrics: Objects with a `name`.
        trainable_variables: The variables that training changes.
    """

    stop_training: bool
    optimizer: Any
    history: Any
    metrics: list[Any]
    trainable_variables: list[Any]

    def get_weights(self) -> list[Any]:
        """Copies of all weights."""
        ...

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights."""
        ...

    def get_state_tree(self, value_format: Any = "backend_tensor") -> dict[str, dict[str, Any]]:
        """The values of all variables as nested dicts, by kind and path."""
        ...

    def to_json(self) -> str:
        """The config, and how it was compiled, as text."""
        ...

    def check_save_path(self, filepath: Any, *, weights_only: bool = False) -> None:
        """Raise for a path that `save`, or `save_weights`, would refuse."""
        ...

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the whole model, in one step that cannot leave half a file."""
        ...

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights."""
        ...


@runtime_checkable
class TrainedModel(Protocol):
    """What the steps of training, and the programs they are compiled into, ask of a model.

    Attributes:
        stop_training: Set to True by a callback, training ends.
        built: Whether it has its variables.
    """

    stop_training: bool
    built: bool
    _programs: Programs | None
    _trainer: Any  # what `compile` made, of a floor above

    @property
    def variables(self) -> list[Variable]:
        """All variables."""
        ...

    @property
    def trainable_variables(self) -> list[Variable]:
        """What the optimizer changes."""
        ...

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """Batch statistics, seeds and whatever else a call may change."""
        ...

    @property
    def metrics(self) -> list[Any]:
        """All metrics whose variables a step changes; a user's own may be of any class."""
        ...

    @property
    def losses(self) -> list[Any]:
        """What layers add to the loss: numbers and traced values."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The predictions."""
        ...

    # A user's class may write the next two with fewer arguments.

    @property
    def compute_loss(self) -> Callable[..., Any]:
        """One number to make small."""
        ...

    @property
    def compute_metrics(self) -> Callable[..., Mapping[str, Any]]:
        """Take a batch into the metrics, and report them."""
        ...

    def reset_metrics(self) -> None:
        """Let all metrics start afresh."""
        ...

    def _who(self) -> str:
        """Its class and name, for messages."""
        ...

    def _inventory(self) -> Inventory:
        """Its layers, and numbers that say whether it is the same as before."""
        ...


@runtime_checkable
class TrainingOptimizer(Protocol):
    """What a step of training asks of an optimizer.

    Attributes:
        built: Whether its state is made.
        skips_non_finite_steps: Whether it leaves out a step whose gradients are not finite, as one
            that searches for a loss scale does; else such a step ends the training.
    """

    built: bool
    skips_non_finite_steps: bool

    @property
    def trained_variables(self) -> list[Any]:
        """The variables it was built for; always the same list until it is built for others."""
        ...

    @property
    def iterations(self) -> Variable:
        """How many updates were made."""
        ...

    @property
    def variables(self) -> list[Variable]:
        """Its state."""
        ...

    def know_paths(self, paths: Mapping[int, tuple[str, ...]]) -> None:
        """Learn under which paths the variables of a model, known by their ids, lie in it."""
        ...

    def build(self, variables: list[Variable]) -> None:
        """Make the state for these variables."""
        ...

    def rebuild(self, variables: list[Any]) -> None:
        """Go on with these variables."""
        ...

    def finalize_variable_values(self, variables: list[Variable], /) -> None:
        """Put what these variables are to be after training into them, as averages kept of them."""
        ...

    def scale_loss(self, loss: Any) -> Any:
        """The loss whose gradients it takes."""
        ...

    def stateless_apply(
        self, optimizer_variables: Any, grads: Any, trainable_variables: Any
    ) -> tuple[Any, Any]:
        """(new values of the trained variables, new values of the state)."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """What remembers something of a training: a callback, a source of data."""

    def state(self) -> Mapping[str, Any]:
        """It as data that JSON can hold, and arrays."""
        ...

    def restore(self, state: Mapping[str, Any], /) -> None:
        """Go on from what `state` gave."""
        ...


def speaks_for(instance: object, attribute: str, method: str) -> bool:
    """Whether what an object says under an attribute is about the method that it has.

    A class says it of its own method, and of those of the classes it derives from. Where a subclass
    writes the method anew and says nothing, nobody has spoken for that one.

    Example:
        >>> class Old:
        ...     is_safe = True
        ...     def call(self): ...
        >>> class New(Old):
        ...     def call(self): ...
        >>> speaks_for(Old(), "is_safe", "call"), speaks_for(New(), "is_safe", "call")
        (True, False)
    """
    for own in _levels(instance):
        if attribute in own:
            return True
        if method in own:
            return False
    return False


def overrides(model: object, name: str) -> bool:
    """Whether a class that derives from `Model` brings its own method or property of this name.

    Example:
        >>> class Model:
        ...     def fit(self): ...
        ...     def compute_loss(self): ...
        >>> class Own(Model):
        ...     def compute_loss(self): ...
        >>> overrides(Model(), "compute_loss"), overrides(Own(), "compute_loss")
        (False, True)
    """
    found, base = getattr(type(model), name, None), _class_that_trains(type(model))
    return found is not None and (base is None or found is not getattr(base, name, None))


@weak_cache
def _class_that_trains(cls: type) -> type | None:
    trains = [base for base in cls.__mro__ if "fit" in vars(base)]
    return trains[-1] if trains else None


def _levels(instance: object) -> Iterable[Mapping[str, Any]]:
    yield getattr(instance, "__dict__", {})
    for cls in type(instance).__mro__:
        yield vars(cls)


__all__ = [
    "Resumable",
    "TrainedModel",
    "TrainingHost",
    "TrainingOptimizer",
    "speaks_for",
]
