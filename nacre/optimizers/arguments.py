"""What the constructors of all optimizers share: checks, old spellings, default values."""

# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from nacre.core.errors import ArgumentError, message, refuse_unknown
from nacre.core.kinds import is_number
from nacre.core.numbers import whole_number
from nacre.optimizers.by_path import Key, check_key
from nacre.optimizers.schedules.decay import InverseTimeDecay


class OptimizerKeywords(TypedDict, total=False):
    """What all optimizers take besides Keras's arguments: `learning_rate_multipliers`, and what
    tf.keras 2 takes or writes into configs."""

    learning_rate_multipliers: Mapping[Any, float] | None
    lr: Any
    decay: float
    jit_compile: bool
    is_legacy_optimizer: bool


class OldApplyKeywords(TypedDict, total=False):
    """What tf.keras 2 takes in `apply_gradients`; none of it changes the update."""

    name: str | None
    skip_gradients_aggregation: bool
    experimental_aggregate_gradients: bool


# They say nothing about the learning rate.
_ELSEWHERE = ("jit_compile", "is_legacy_optimizer", "learning_rate_multipliers")


def learning_rate_of(optimizer: object, learning_rate: Any, old: OptimizerKeywords) -> Any:
    """The learning rate after `lr` and `decay`, the spellings of tf.keras, are understood.

    `decay` means learning_rate / (1 + decay · step), as it did there.

    Raises:
        ArgumentError: An argument is unknown.
    """
    kwargs = {key: value for key, value in old.items() if key not in _ELSEWHERE}
    if "lr" in kwargs:
        learning_rate = kwargs.pop("lr")
    decay = kwargs.pop("decay", None)
    refuse_unknown(type(optimizer).__name__, kwargs, type(optimizer))
    if not decay:
        return learning_rate
    if not isinstance(learning_rate, int | float):
        raise ArgumentError(
            message(
                type(optimizer).__name__,
                "decay needs a learning_rate that is a number",
                repr(learning_rate),
                "Leave decay out: the schedule already changes the rate.",
            )
        )
    rate = float(cast("float", decay))
    return InverseTimeDecay(float(learning_rate), decay_steps=1, decay_rate=rate)


def multipliers_of(who: str, given: Mapping[Any, float] | None) -> dict[Key, float] | None:
    """`learning_rate_multipliers`, checked.

    Raises:
        ArgumentError: A key is neither an expression nor a layer, or a value no number from 0.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        rule = "learning_rate_multipliers must be a mapping from paths or layers to numbers"
        fix = "Pass for example {'encoder/.*': 0.1}."
        raise ArgumentError(message(who, rule, repr(given)[:100], fix))
    for key, value in given.items():
        check_key(who, key)
        if not is_number(value) or not 0 <= float(value) < float("inf"):
            rule = "each of learning_rate_multipliers must be a finite number from 0"
            raise ArgumentError(message(who, rule, repr(value)[:100]))
    return {key: float(value) for key, value in given.items()}


def refuse_negative_rate(who: str, rate: object) -> None:
    """Raise for a step size that is negative, which climbs the loss, or no finite number."""
    if is_number(rate) and not 0 <= float(rate) < float("inf"):
        raise ArgumentError(
            message(
                who,
                "learning_rate must be a finite number from 0",
                repr(float(rate)),
                "To maximise a quantity give its negative as the loss.",
            )
        )


def check_common(
    who: str,
    clipnorm: float | None,
    clipvalue: float | None,
    global_clipnorm: float | None,
    use_ema: bool,
    ema_momentum: float,
    ema_overwrite_frequency: int | None,
    gradient_accumulation_steps: int | None,
) -> None:
    """Raise ArgumentError for the first argument that breaks its rule."""
    clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
    given = {key: value for key, value in clips.items() if value is not None}
    got = ", ".join(f"{key}={value!r}" for key, value in given.items())
    if len(given) > 1:
        rule = "only one of clipnorm, clipvalue and global_clipnorm may be set"
        raise ArgumentError(message(who, rule, got, "Keep one of them."))
    for key, value in given.items():
        if not value > 0:
            raise ArgumentError(message(who, f"{key} must be positive", got, f"Pass {key}=1.0."))
    if use_ema and not 0 <= ema_momentum <= 1:
        rule = "ema_momentum must be from 0 to 1"
        raise ArgumentError(message(who, rule, repr(ema_momentum), "Pass ema_momentum=0.99."))
    if use_ema and ema_overwrite_frequency is not None:
        whole_number(who, "ema_overwrite_frequency", ema_overwrite_frequency, or_else=" or None")
    if gradient_accumulation_steps is not None:
        name = "gradient_accumulation_steps"
        whole_number(who, name, gradient_accumulation_steps, 2, or_else=" or None")


def check_range(who: str, name: str, value: Any, low: float = 0.0, high: float = 1.0) -> None:
    """Raise ArgumentError unless `value` is a number in [low, high]."""
    if not isinstance(value, int | float) or not low <= value <= high:
        raise ArgumentError(
            message(who, f"{name} must be a number from {low:g} to {high:g}", repr(value))
        )
