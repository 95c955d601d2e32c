"""Every optimizer with its options in many combinations, against plain arithmetic in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.variable import Variable
from tests.contracts.test_optimizer_contract import MAKERS
from tests.optimizers import plain
from tests.tiers import first_of_each_is_quick


@dataclass
class Variant:
    """An optimizer with one setting of its own arguments, and the same in plain arithmetic."""

    name: str
    rule: plain.Rule
    rate: float
    arguments: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] | None = None  # of the rule, where they are called otherwise

    def make(self, rate: Any, **options: Any) -> optimizers.Optimizer:
        if self.name == "Muon":
            options["adam_weight_decay"] = options.get("weight_decay")
        return getattr(optimizers, self.name)(rate, **self.arguments, **options)

    def run_plainly(self, first: Any, calls: Any, rate: Any, options: dict[str, Any]) -> Any:
        settings = self.arguments if self.settings is None else self.settings
        options = {k: v for k, v in options.items() if k != "loss_scale_factor"}
        return plain.run(self.rule, first, calls, learning_rate=rate, settings=settings, **options)


VARIANTS = {
    "sgd": Variant("SGD", plain.sgd, 0.1),
    "sgd_momentum": Variant("SGD", plain.sgd, 0.1, {"momentum": 0.8}),
    "sgd_nesterov": Variant("SGD", plain.sgd, 0.1, {"momentum": 0.8, "nesterov": True}),
    "adam": Variant("Adam", plain.adam, 0.05, {"beta_1": 0.8, "epsilon": 1e-3}),
    "adam_amsgrad": Variant("Adam", plain.adam, 0.05, {"beta_2": 0.5, "amsgrad": True}),
    "adamw": Variant("AdamW", plain.adam, 0.05),
    "adamw_amsgrad": Variant("AdamW", plain.adam, 0.05, {"beta_2": 0.5, "amsgrad": True}),
    "adamax": Variant("Adamax", plain.adamax, 0.05),
    "nadam": Variant("Nadam", plain.nadam, 0.05),
    "lamb": Variant("Lamb", plain.lamb, 0.05),
    "lion": Variant("Lion", plain.lion, 0.02),
    "rmsprop": Variant("RMSprop", plain.rmsprop, 0.05, {"rho": 0.8}),
    "rmsprop_all": Variant("RMSprop", plain.rmsprop, 0.02, {"momentum": 0.7, "centered": True}),
    "adagrad": Variant("Adagrad", plain.adagrad, 0.1),
    "adadelta": Variant("Adadelta", plain.adadelta, 5.0),
    "ftrl": Variant(
        "Ftrl",
        plain.ftrl,
        0.3,
        {
            "l1_regularization_strength": 0.01,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.05,
            "beta": 0.1,
        },
        {"l1": 0.01, "l2": 0.1, "shrinkage": 0.05, "beta": 0.1},
    ),
    "adafactor": Variant("Adafactor", plain.adafactor, 0.1),
    "adafactor_absolute": Variant(
        "Adafactor", plain.adafactor, 0.1, {"relative_step": False, "clip_threshold": 0.5}
    ),
    "muon": Variant("Muon", plain.muon, 0.05),
    "muon_plain": Variant("Muon", plain.muon, 0.05, {"nesterov": False, "rms_rate": None}),
    "schedule_free": Variant("ScheduleFreeAdamW", plain.schedule_free, 0.1, {"warmup_steps": 3}),
}
CLIPS = ({}, {"clipnorm": 0.5}, {"clipvalue": 0.3}, {"global_clipnorm": 0.6})
AVERAGES = (
    {},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 2},
)
SWITCHES = (
    {"weight_decay": 0.1},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 8.0},
)

RANDOM = np.random.default_rng(3)
FIRST = [RANDOM.normal(size=shape).astype("float32") for shape in ((2, 3), (3,), (2,))]
CALLS: list[list[Any]] = [
    [RANDOM.normal(size=w.shape).astype("float32") for w in FIRST] for _ in range(6)
]
CALLS[2][1] = CALLS[4][2] = CALLS[5][2] = None  # once in one of two calls, once in both


def falling(step: Any) -> Any:
    return 1.0 / (1.0 + 0.5 * step)


@nacre.saving.register_keras_serializable("test_combinations")
class Falling(optimizers.schedules.LearningRateSchedule):
    def __init__(self, start: float) -> None:
        self.start = start

    def __call__(self, step: Any) -> Any:
        return self.start * falling(optimizers.schedules.base.as_float(step))


def combinations(seed: int) -> list[tuple[bool, dict[str, Any]]]:
    """(whether a schedule decides the rate, options): a third of the pairs of a clip and a kind of
    average, the others for the next seeds; every other option now there, now not."""
    random = np.random.default_rng(seed)
    pairs = [{**clip, **average} for clip in CLIPS for average in AVERAGES]
    found = []
    for options in pairs[seed % 3 :: 3]:
        for switch in SWITCHES:
            options |= switch if random.random() < 0.5 else {}
        found.append((bool(random.random() < 0.5), options))
    return found


def adjusted(variant: Variant, options: dict[str, Any]) -> dict[str, Any]:
    """The options with what two optimizers decay by where nothing is said."""
    return {"weight_decay": {"AdamW": 0.02}.get(variant.name), **options}


def rates(variant: Variant, is_scheduled: bool) -> tuple[Any, Any]:
    """The learning rate for the optimizer, and for plain arithmetic."""
    if not is_scheduled:
        return variant.rate, variant.rate
    return Falling(variant.rate), lambda step: variant.rate * falling(step)


def given(optimizer: optimizers.Optimizer, calls: Any) -> Any:
    """The gradients of a loss that was scaled as the optimizer asks for."""
    scale = float(optimizer.scale_loss(1.0))
    return [[None if g is None else g * np.float32(scale) for g in call] for call in calls]


def check(got: Any, expected: Any, what: Any) -> None:
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=3e-4, atol=3e-5, err_msg=str(what))


def test_every_optimizer_has_a_variant():
    assert {variant.name for variant in VARIANTS.values()} == set(MAKERS)


@pytest.mark.parametrize("name", first_of_each_is_quick(VARIANTS, lambda n: VARIANTS[n].name))
def test_every_combination_of_options_is_plain_arithmetic(name):
    variant, seed = VARIANTS[name], list(VARIANTS).index(name)
    for is_scheduled, options in combinations(seed):
        options = adjusted(variant, options)
        rate, plain_rate = rates(variant, is_scheduled)
        optimizer = variant.make(rate, **options)
        optimizer.build([Variable(w, name=f"weight_{i}") for i, w in enumerate(FIRST)])
        weights, state = list(FIRST), [v.value for v in optimizer.variables]
        with jax.disable_jit():  # one operation after another: nothing to compile for each
            for call in given(optimizer, CALLS):
                weights, state = optimizer.stateless_apply(state, call, weights)
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)
        expected, averages, updates = variant.run_plainly(FIRST, CALLS, plain_rate, options)
        check(weights, expected, (name, is_scheduled, options))
        assert int(optimizer.iterations) == updates
        assert float(optimizer.learning_rate) == pytest.approx(
            plain_rate(updates) if is_scheduled else plain_rate
        )
        if options.get("use_ema"):
            check([a.value for a in optimizer.moving_averages], averages, (name, options))


@pytest.mark.parametrize("name", ["adam_amsgrad", "rmsprop_all", "nadam"])
def test_apply_in_place_is_plain_arithmetic(name):
    variant = VARIANTS[name]
    options = {
        "clipnorm": 0.5,
        "weight_decay": 0.1,
        "use_ema": True,
        "ema_momentum": 0.6,
        "ema_overwrite_frequency": 2,
        "gradient_accumulation_steps": 2,
        "loss_scale_factor": 8.0,
    }
    rate, plain_rate = rates(variant, True)
    optimizer = variant.make(rate, **options)
    own = [Variable(w, name=f"weight_{i}") for i, w in enumerate(FIRST)]
    for call in given(optimizer, CALLS[:4]):
        pairs = [(g, v) for g, v in zip(call, own, strict=True) if g is not None]
        optimizer.apply_gradients(pairs)
    expected, averages, updates = variant.run_plainly(FIRST, CALLS[:4], plain_rate, options)
    check([v.value for v in own], expected, name)
    check([a.value for a in optimizer.moving_averages], averages, name)
    assert int(optimizer.iterations) == updates == 2


def test_all_of_them_within_one_fit_are_plain_arithmetic():
    """A layer for each variant, with an optimizer and a combination of its own. The loss is linear
    in the weights, so every batch has gradients that are known beforehand."""
    x = RANDOM.normal(size=(8, 4)).astype("float32")
    y = RANDOM.normal(size=(8, 3 * len(VARIANTS))).astype("float32")
    inputs = nacre.Input((4,))
    parts = {name: layers.Dense(3, name=name) for name in VARIANTS}
    model = nacre.Model(inputs, layers.Concatenate()([part(inputs) for part in parts.values()]))
    made, expected = {}, {}
    for i, (name, variant) in enumerate(VARIANTS.items()):
        is_scheduled, options = combinations(i)[i % 4]
        options = adjusted(variant, options)
        rate, plain_rate = rates(variant, is_scheduled)
        made[name] = variant.make(rate, **options)
        first = [v.numpy() for v in parts[name].variables]
        columns = y[:, 3 * i : 3 * i + 3]
        batches = [slice(0, 4), slice(4, 8)] * 3  # of three epochs
        calls = [(x[b].T @ columns[b] / 4, columns[b].sum(0) / 4) for b in batches]
        weights, averages, _ = variant.run_plainly(first, calls, plain_rate, options)
        # As in Keras, a training ends with the averages in place.
        expected[name] = averages if options.get("use_ema") else weights
    optimizer = optimizers.MultiOptimizer(
        lambda variable: made[variable.path.split("/")[0]], loss_scale_factor=16.0
    )
    model.compile(optimizer, lambda y_true, y_pred: nacre.ops.sum(y_true * y_pred, axis=-1))
    model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for name, part in parts.items():
        check([v.value for v in part.variables], expected[name], name)
