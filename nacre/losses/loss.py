"""The base of all losses, and the loss that wraps a function."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import jax.numpy as jnp

from nacre.core import readings, tree
from nacre.core.absence import samples_absent
from nacre.core.changes import Versioned
from nacre.core.config import floatx
from nacre.core.errors import ArgumentError, message
from nacre.core.names import to_snake_case
from nacre.core.policies import DTypePolicy, get_policy
from nacre.core.registry import builtin, deserialize_keras_object, plain_config, refuse_classes
from nacre.core.safety import reads_config
from nacre.core.scope import get_mask, logits_of, set_mask
from nacre.losses.absent import is_axis_unambiguous, without_absent
from nacre.losses.checking import (
    as_array,
    as_returned_array,
    check_given_labels,
    refuse_complex,
    same_rank,
)
from nacre.losses.reduction import (
    combined_mask,
    mask_of_sums,
    reduce_values,
    standardize_reduction,
)


class Loss(Versioned):
    """A quantity training makes small.

    Subclasses write `call(self, y_true, y_pred)`, which gives one value per sample (and step);
    calling the object weights, masks and reduces these.

    Args:
        name: Name in logs and messages; that of the class by default.
        reduction: 'sum_over_batch_size' or 'mean' (sum ÷ number of values), 'sum',
            'mean_with_sample_weight' (sum ÷ sum of weights), 'none' or None (no reduction).
        dtype: Dtype of the computation; floatx by default, whatever the model computes in.

    Raises:
        UnknownNameError: `reduction` is not one of these.
    Example:
        >>> class Largest(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return jnp.max(jnp.abs(y_true - y_pred), axis=-1)
        >>> float(Largest()([[0.0, 0.0]], [[1.0, 3.0]]))
        3.0
    """

    _config_role = "loss"
    _config_module = "keras.losses"
    _config_class_name = "Loss"
    _casts_targets = True
    direction: str = "min"  # what `Metric.direction` says, for a loss that is reported as a metric

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        self.name = name or to_snake_case(type(self).__name__)
        self.reduction = standardize_reduction(f"loss '{self.name}'", reduction)
        self._given_dtype = dtype
        self._dtype_policy: DTypePolicy = get_policy(dtype or floatx())
        self._dtype = self._dtype_policy.compute_dtype

    @property
    def dtype(self) -> str:
        """Dtype of the computation and of the result."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss.

        Args:
            y_true: Targets.
            y_pred: Predictions. If they have a mask, it leaves steps out.
            sample_weight: One weight per sample, or per sample and step. Where it is 0, or the mask
                False, nothing counts: whatever targets and predictions hold there, NaN too, reaches
                neither the loss nor its gradient. (Keras: NaN times 0 is NaN.) The sum is divided
                by the number of all values that are not masked, as in Keras.
        """
        mask = get_mask(y_pred)
        y_pred = _convert(y_pred, self._dtype)
        y_true = _convert(y_true, self._dtype if self._casts_targets else None)
        if sample_weight is not None:
            sample_weight = as_array(sample_weight)
        values, counted = self._values(y_true, y_pred, sample_weight, mask)
        if not jnp.issubdtype(values.dtype, jnp.floating):
            values = values.astype(self._dtype)
        who = f"loss '{self.name}'"
        if mask is not None and self._sums_over_samples():
            mask = mask_of_sums(mask, values.ndim)
        mask = combined_mask(who, mask, counted, values.shape)
        return reduce_values(who, values, sample_weight, mask, self.reduction).astype(self._dtype)

    def _values(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[Any, Any]:
        """What `call` gives without what stands in absent places, and which values count."""
        axis, is_known = self._axis()
        shape, weights = getattr(y_pred, "shape", ()), getattr(sample_weight, "shape", ())
        is_by_sample = not (is_known or is_axis_unambiguous(weights, shape))
        axis = axis if is_known else -1

        def called(zeros: bool) -> Any:
            cleaned = without_absent(
                y_true,
                y_pred,
                sample_weight,
                mask,
                axis=axis,
                is_by_sample=is_by_sample,
                zeros=zeros,
            )
            return as_returned_array(f"loss '{self.name}'", self.call(*cleaned))

        zeros = self._sums_over_samples()
        values = called(zeros)
        if values.ndim == 0 and not zeros and not (mask is None and sample_weight is None):
            # One number for the whole batch: only zeros in absent places add nothing to a sum.
            values = called(True)
        return values, self._valid(y_true, values.shape)

    def _axis(self) -> tuple[Any, bool]:
        """The axis that `call` goes over, and whether that is sure."""
        return -1, False

    def _sums_over_samples(self) -> bool:
        """Whether all samples go into one sum, to which those of weight 0 must add nothing."""
        return False

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample (and step). Subclasses override it."""
        raise NotImplementedError(
            message(f"loss '{self.name}'", "a loss must have call(y_true, y_pred)", "none")
        )

    def _valid(self, y_true: Any, shape: tuple[int, ...]) -> Any:
        """Which values count, by the targets alone; None for all."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config: dict[str, Any] = {"name": self.name, "reduction": self.reduction}
        if self._given_dtype is not None:
            config["dtype"] = self._dtype_policy.name
        return config

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the loss a config describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, reduction={self.reduction}>"


def _convert(value: Any, dtype: str | None) -> Any:
    """Arrays of `dtype` (None: their own); dicts, and lists of arrays, item by item."""
    if isinstance(value, dict) or (
        isinstance(value, list | tuple)
        and any(hasattr(item, "shape") or isinstance(item, dict) for item in value)
    ):
        return tree.map_structure(lambda leaf: _convert(leaf, dtype), value)
    array = as_array(value)
    return array if dtype is None else refuse_complex(array).astype(dtype)


def function_config(function: Callable[..., Any]) -> Any:
    """The config of a function within a config, as Keras writes it for its own ones."""
    config = plain_config(function)
    if isinstance(config, str):
        return {
            "module": "builtins",
            "class_name": "function",
            "config": config,
            "registered_name": "function",
        }
    return config


def function_from_config(config: Any, *modules: str) -> Callable[..., Any]:
    """The function a config, or a name, means; nacre's own ones are looked for in `modules`."""
    if callable(config):
        return config
    name = config if isinstance(config, str) else config.get("config")
    for module in modules:
        found = builtin(module, name, "function") if isinstance(name, str) else None
        if found is not None:
            return found
    if isinstance(config, str):
        config = {"class_name": "function", "config": config, "registered_name": config}
    function = deserialize_keras_object(config)
    refuse_classes(f"function {name!r}", function)
    return function


def _checked_argument(owner: Any, name: str, before: Any, value: Any) -> Any:
    """What an argument of a loss or metric that is set later becomes, as if it had been given.

    Args:
        owner: Whose it is. What a function or class of a user's takes is not known.
        name: Of the argument.
        before, value: What it was, and what it shall be.

    Raises:
        ArgumentError: The class refuses it.
    """
    if value is before or readings.is_users(type(owner)) or not hasattr(owner, "_left_out"):
        return value
    made = type(owner).from_config({**owner.get_config(), name: value})
    return made._fn_kwargs[name]


class SettableArguments:
    """A loss or metric made of a function, whose arguments may be set as attributes later."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; one that is an argument of the function is passed on to it.

        So `loss.label_smoothing = 0.0` in a callback holds from the next step on, as any change of
        an attribute. (In Keras it changes nothing.)
        """
        arguments = self.__dict__.get("_fn_kwargs")
        if arguments is not None and name in arguments:
            value = _checked_argument(self, name, arguments[name], value)
            super().__setattr__("_fn_kwargs", {**arguments, name: value})
        super().__setattr__(name, value)


class LossFunctionWrapper(SettableArguments, Loss):
    """A loss from a function `(y_true, y_pred, **kwargs) -> one value per sample`.

    Args:
        fn: The function.
        reduction: See `Loss`.
        name: The function's own by default.
        dtype: See `Loss`.
        kwargs: Further arguments of the function.

    Example:
        >>> loss = LossFunctionWrapper(lambda t, p: jnp.abs(t - p), name="distance")
        >>> float(loss([1.0, 2.0], [2.0, 4.0]))
        1.5
    """

    _config_class_name = "LossFunctionWrapper"

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if not callable(fn):
            raise ArgumentError(message("LossFunctionWrapper", "fn must be callable", repr(fn)))
        name = name or getattr(fn, "__name__", None)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs
        self._casts_targets = not getattr(fn, "takes_class_indices", False)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss; see `Loss.__call__`.

        A cross-entropy of probabilities that a softmax or sigmoid made in the same call is computed
        from its inputs: nothing is lost near 0 and 1, and the formula is shorter. Keras on
        TensorFlow does the same.
        """
        if getattr(self.fn, "reads_labels", False):
            who, mask = f"loss '{self.name}'", get_mask(y_pred)
            check_given_labels(who, y_true, y_pred, self._fn_kwargs, mask, sample_weight)
        logits = None
        if getattr(self.fn, "takes_logits", False) and not self._fn_kwargs.get("from_logits"):
            logits = logits_of(y_pred)
        if logits is None:
            return super().__call__(y_true, y_pred, sample_weight)
        mask = get_mask(y_pred)
        if mask is not None:
            set_mask(logits, mask)
        twin = copy.copy(self)
        twin._fn_kwargs = {**self._fn_kwargs, "from_logits": True}
        return Loss.__call__(twin, y_true, logits, sample_weight)

    def _values(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[Any, Any]:
        if sample_weight is None or not getattr(self.fn, "compares_samples", False):
            return super()._values(y_true, y_pred, sample_weight, mask)
        twin = copy.copy(self)
        twin._fn_kwargs = {**self._fn_kwargs, "absent": samples_absent(sample_weight)}
        return Loss._values(twin, y_true, y_pred, sample_weight, mask)

    def _axis(self) -> tuple[Any, bool]:
        return self._fn_kwargs.get("axis", -1), getattr(self.fn, "checks_shapes", False)

    def _sums_over_samples(self) -> bool:
        return getattr(self.fn, "sums_over_samples", False)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample (and step)."""
        if not getattr(self.fn, "checks_shapes", False) and _two_arrays(y_true, y_pred):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        config["fn"] = function_config(self.fn)
        return {**config, **plain_config(self._fn_kwargs)}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the loss a config describes."""
        config = dict(config)
        if "fn" in config:
            config["fn"] = function_from_config(config["fn"], "keras.losses")
        return cls(**config)


class BuiltinLoss(LossFunctionWrapper):
    """A loss class around one of this package's functions; its config has the arguments alone."""

    # Arguments that Keras leaves out of configs: written only when they are not the default.
    _left_out: dict[str, Any] = {}

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = Loss.get_config(self)
        for key, value in self._fn_kwargs.items():
            if key not in self._left_out or self._left_out[key] != value:
                config[key] = plain_config(value)
        return config

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the loss a config describes."""
        return cls(**config)

    def __getattr__(self, name: str) -> Any:
        # loss.from_logits, loss.delta ...: an argument of the function is an attribute too.
        arguments = self.__dict__.get("_fn_kwargs", {})
        if name in arguments:
            return arguments[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")


def _two_arrays(y_true: Any, y_pred: Any) -> bool:
    return hasattr(y_true, "ndim") and hasattr(y_pred, "ndim")
