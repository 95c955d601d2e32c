"""The base of all metrics: variables that gather a quantity batch by batch."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from nacre.core import tree
from nacre.core.changes import Versioned
from nacre.core.errors import ArgumentError, message, unknown_name
from nacre.core.lookup import of_role
from nacre.core.names import free_name, name_scope, to_snake_case
from nacre.core.policies import DTypePolicy, get_policy
from nacre.core.registry import builtin, deserialize_keras_object, get_registered_object
from nacre.core.safety import reads_config
from nacre.core.scope import StatelessScope
from nacre.core.variable import Variable


def _first_value(initializer: Any) -> Any:
    """An initializer for a name, a config, a class or a callable."""
    if isinstance(initializer, dict):
        made = deserialize_keras_object(initializer)
        who = "metric.add_variable"
        return of_role(made, "initializer", who, "an initializer", initializer)
    if isinstance(initializer, str):
        found = get_registered_object(initializer) or builtin("keras.initializers", initializer)
        if found is None:
            known = ("zeros", "ones", "constant")
            raise unknown_name("metric.add_variable", "an initializer", initializer, known)
        initializer = found
    return initializer() if isinstance(initializer, type) else initializer


_MADE = itertools.count()


# What each metric gave when it was called last: `layer.add_metric` asks whose a value is.
_given: weakref.WeakKeyDictionary[Metric, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def gave(metric: Metric, value: Any) -> bool:
    """Whether a value is what a call of a metric gave last."""
    found = _given.get(metric)
    return found is not None and found() is value


class Metric(Versioned):
    """A quantity gathered over batches.

    Subclasses make variables with `add_variable` in `__init__`, change them in `update_state` and
    compute `result` from them.

    Args:
        dtype: Dtype of the result.
        name: Name in logs; by default that of the class, as `auc`. Several without a name in one
            `compile` become `auc`, `auc_1` in the order they were made. (Keras counts them in the
            whole process, so that the next fold logs `auc_2`.)

    Attributes:
        direction: 'max' where a larger result is better, 'min' where a smaller one is; None where
            nobody knows. Callbacks with mode='auto' go by it alone, never by the name. A metric of
            your own sets it as an attribute of its class, a function as an attribute of its own:
            `f1.direction = "max"`.
        leaves_out_absent: Whether `update_state` takes a weight of 0 as if the sample were not
            there. Such a metric under `metrics=` of `compile` gets weights of 0 and 1 where sample
            weights are given, so that samples of weight 0 are absent for it too (Keras counts
            them). Stands in the class whose `update_state` it is about; one of your own that says
            nothing gets no weights there.

    Example:
        >>> import nacre
        >>> mean = nacre.metrics.Mean()
        >>> mean.update_state([1.0, 3.0])
        >>> float(mean.result())
        2.0
    """

    __slots__ = ("_metrics", "_variables")

    _config_role = "metric"
    _config_module = "keras.metrics"
    _config_class_name = "Metric"
    direction: str | None = None
    leaves_out_absent: bool = False
    # Attributes with arguments: a variable in them, such as a threshold that a callback moves, is
    # read and is no state, so it is neither set to zero nor saved with the metric.
    _settings: frozenset[str] = frozenset()

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        # Without a name it has that of its class, in every fold and whatever was made before. Where
        # several in one compile have none, `name_apart` numbers them.
        self._automatic_name = None if name else to_snake_case(type(self).__name__)
        self._made = next(_MADE)
        self.name = name or self._automatic_name or ""
        # Metrics gather in float32 even where layers compute in 16 bits.
        self._dtype_policy: DTypePolicy = get_policy(dtype or "float32")
        self._dtype = self._dtype_policy.compute_dtype
        self._metrics: list[Metric] = []
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """Dtype of the result."""
        return self._dtype

    @property
    def _who(self) -> str:
        return f"metric '{self.name}'"

    # Arguments that decide which variables there are; they cannot be set later.
    arguments_of_making: ClassVar[tuple[str, ...]] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.arguments_of_making and vars(self).get(name, value) != value:
            raise ArgumentError(
                message(
                    f"metric '{self.name}'",
                    f"{name} decides which variables it has, so it cannot be set later",
                    f"{value!r:.60} after {vars(self)[name]!r:.60}",
                    f"Make another one, {type(self).__name__}({name}={value!r:.60}, ...).",
                )
            )
        if name not in Metric.__slots__ and hasattr(self, "_variables"):
            if name not in self._settings:
                self._track(value)
        super().__setattr__(name, value)

    def _structure(self) -> tuple[Any, ...]:
        return (*self._variables, *self._metrics)

    def _other_parts(self) -> list[Metric]:
        return self._metrics

    def _track(self, value: Any) -> None:
        """Own a variable or a metric, or those in a list, tuple, set or dict."""
        if isinstance(value, Metric | Variable):
            known = self._metrics if isinstance(value, Metric) else self._variables
            if not any(own is value for own in known):
                known.append(value)  # type: ignore[arg-type]
        elif isinstance(value, dict | list | tuple | set):
            for item in value.values() if isinstance(value, dict) else value:
                self._track(item)

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a variable of this metric."""
        with name_scope(self.name):
            variable = Variable(
                _first_value(initializer),
                shape=shape,
                dtype=dtype or self._dtype,
                trainable=False,
                autocast=False,
                aggregation=aggregation,
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> Variable:
        """Make a variable; tf.keras 2's order `add_weight(name, shape)` is understood too."""
        if isinstance(shape, str):
            name, shape = shape, initializer if isinstance(initializer, list | tuple) else ()
            initializer = kwargs.get("initializer")
        return self.add_variable(shape, initializer or "zeros", dtype=dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """All variables, those of metrics within included."""
        for name, value in vars(self).items():
            # What a list was given after it became an attribute.
            if isinstance(value, list | dict | set) and name not in self._settings:
                self._track(value)
        found = list(self._variables)
        for metric in self._metrics:
            found.extend(metric.variables)
        return found

    def reset_state(self) -> None:
        """Set every variable to zero. Override it where zero is not the start."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, jnp.dtype(variable.dtype)))

    def reset_states(self) -> None:
        """tf.keras 2 spelling of `reset_state`."""
        self.reset_state()

    def merge_state(self, metrics: Iterable[Metric]) -> None:
        """Add what other metrics of this kind gathered, such as on other machines (tf.keras 2).

        Args:
            metrics: Metrics made with the same arguments, whose variables are sums.

        Raises:
            ArgumentError: One of them has other variables.
        """
        own = self.variables
        for metric in metrics:
            theirs = metric.variables
            if [v.shape for v in own] != [v.shape for v in theirs]:
                rule = "merged metrics must have the same variables"
                got = f"{len(theirs)} variables of '{metric.name}' for {len(own)}"
                raise ArgumentError(message(self._who, rule, got))
            for mine, other in zip(own, theirs, strict=True):
                mine.assign_add(other)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take a batch in. Subclasses override it."""
        raise NotImplementedError(
            message(
                f"{type(self).__name__} '{self.name}'", "a metric must have update_state()", "none"
            )
        )

    def _reads_probabilities(self) -> bool:
        """Whether predictions must be probabilities: by the formula, or by thresholds that were
        left at their defaults. Stands in the class whose `update_state` it is about."""
        return False

    def _check_predictions(self, y_pred: Any) -> None:
        """Refuse, when training starts, predictions whose dtype or shape cannot be right."""

    def _update_from_logits(
        self,
        y_true: Any,
        logits: Any,
        sample_weight: Any,
        activation: str,
        probabilities: Callable[[Any], Any],
    ) -> None:
        """Take in a batch of logits; `probabilities` applies the activation of that name."""
        self.update_state(y_true, probabilities(logits), sample_weight=sample_weight)

    def result(self) -> Any:
        """The quantity for what was taken in. Subclasses override it."""
        raise NotImplementedError(
            message(f"{type(self).__name__} '{self.name}'", "a metric must have result()", "none")
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch in and give the quantity so far."""
        self.update_state(*args, **kwargs)
        found = self.result()
        try:
            _given[self] = weakref.ref(found)
        except TypeError:  # a number of Python's, or a dict
            _given.pop(self, None)
        return found

    def stateless_update_state(
        self, metric_variables: list[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        """`update_state` as a pure function: values of `variables` in, new values out."""
        with StatelessScope(zip(self.variables, metric_variables, strict=True)) as scope:
            self.update_state(*args, **kwargs)
            return [scope.get_current_value(v) for v in self.variables]

    def stateless_result(self, metric_variables: list[Any]) -> Any:
        """`result` as a pure function of the values of `variables`."""
        with StatelessScope(zip(self.variables, metric_variables, strict=True)):
            # A result that is a variable means its value here.
            return tree.map_structure(
                lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, self.result()
            )

    def stateless_reset_state(self) -> list[Any]:
        """The values of `variables` after `reset_state`."""
        with StatelessScope() as scope:
            self.reset_state()
            return [
                v.value if (new := scope.get_current_value(v)) is None else new
                for v in self.variables
            ]

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"name": self.name, "dtype": self._dtype}

    def _config_with(self, *names: str) -> dict[str, Any]:
        """`get_config` of the base and the attributes of these names."""
        return {**Metric.get_config(self), **{name: getattr(self, name) for name in names}}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the metric a config describes."""
        config = {
            key: deserialize_keras_object(value) if isinstance(value, dict) else value
            for key, value in config.items()
        }
        if isinstance(config.get("dtype"), DTypePolicy):
            config["dtype"] = config["dtype"].name
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def name_apart(metrics: Iterable[Metric]) -> None:
    """Number metrics that were given no name, so that no two of these have the same one.

    They are counted in the order they were made; names that were given stay.

    Example:
        >>> import nacre
        >>> several = [nacre.metrics.AUC(), nacre.metrics.Mean(name="auc"), nacre.metrics.AUC()]
        >>> name_apart(several)
        >>> [metric.name for metric in several]
        ['auc_1', 'auc', 'auc_2']
    """
    unique = list({id(metric): metric for metric in metrics}.values())
    automatic = [m for m in unique if m.name == m._automatic_name]
    taken = {m.name for m in unique if m.name != m._automatic_name}
    for metric in sorted(automatic, key=lambda m: m._made):
        metric.name = metric._automatic_name = free_name(
            to_snake_case(type(metric).__name__), taken
        )
        taken.add(metric.name)
