"""Training that goes on from a file gives the numbers of training that never stopped, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers, saving
from nacre.saving.seeds import seeds_of

X = np.linspace(-1, 1, 48, dtype="float32").reshape(12, 4)
Y = np.stack([X.sum(1), X[:, 0]], 1)
FORMATS = {
    "keras": "m.keras",
    "h5": "m.h5",
    "weights": "m.weights.h5",
    "checkpoint": "m",
    "folder": "f",
}
WHOLE = ("keras", "h5", "folder")


@saving.register_keras_serializable("exact")
class Own(optimizers.Optimizer):
    """State made in every way there is: for a variable, without a name, and one number for all."""

    def __init__(self, learning_rate=0.02, name="own", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def build(self, variables):
        super().build(variables)
        self.means = [self.add_variable_from_reference(v, "mean") for v in variables]
        self.squares = [self.add_variable(v.shape, name="plain") for v in variables]
        self.total = self.add_variable(())

    def update_step(self, gradient, variable, learning_rate):
        mean, square = (s[self._get_variable_index(variable)] for s in (self.means, self.squares))
        self.assign(mean, mean * 0.9 + gradient)
        self.assign_add(square, gradient * gradient)
        self.assign_add(self.total, 1.0)
        step = learning_rate * mean / (nacre.ops.sqrt(square) + 1.0)
        self.assign_sub(variable, step * (1.0 + 1.0 / (1.0 + self.total)))


@saving.register_keras_serializable("exact")
class Lookahead(optimizers.Optimizer):
    """Keeps another optimizer and slow weights, to which it goes back half the way."""

    def __init__(self, inner, name="lookahead"):
        super().__init__(learning_rate=0.1, name=name)
        self.inner = saving.deserialize_keras_object(inner) if isinstance(inner, dict) else inner

    def build(self, variables):
        super().build(variables)
        self.inner.build(variables)

        def first(variable):
            return lambda shape, dtype=None: variable.numpy()

        self.slow = [self.add_variable_from_reference(v, "slow", first(v)) for v in variables]

    def apply(self, grads, trainable_variables=None):
        if not self.built:
            self.build(trainable_variables)
        self.inner.apply(grads, trainable_variables)
        self._iterations.assign_add(1)
        is_due = self._iterations.value % 3 == 0
        for slow, variable in zip(self.slow, self._trainable_variables, strict=True):
            slow.assign(nacre.ops.where(is_due, slow + 0.5 * (variable - slow), slow))
            variable.assign(nacre.ops.where(is_due, slow, variable))

    def get_config(self):
        return {"inner": saving.serialize_keras_object(self.inner), "name": self.name}


@saving.register_keras_serializable("exact")
def adamw_of_optax():
    optax = pytest.importorskip("optax", reason="an optional package")
    return optax.inject_hyperparams(optax.adamw)(learning_rate=1e-2)


def _of_parts(other):
    return optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.Adam(0.01), {".*last.*": other})
    )


_schedules = optimizers.schedules
PLAIN = {
    cls.__name__: cls
    for cls in (getattr(optimizers, name) for name in optimizers.__all__ if name[0].isupper())
    if cls.__name__ not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")
    and cls is not optimizers.OptaxOptimizer
}
OTHERS: dict[str, Any] = {
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "centered": lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    "old nadam": lambda: optimizers.legacy.Nadam(0.01),
    "schedule": lambda: optimizers.Adam(_schedules.ExponentialDecay(0.05, 2, 0.9)),
    "warm up": lambda: optimizers.SGD(
        _schedules.CosineDecay(0.05, 20, warmup_target=0.1, warmup_steps=4)
    ),
    "clipped": lambda: optimizers.Adam(0.01, global_clipnorm=0.5, weight_decay=0.01),
    "averages": lambda: optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=1),
    "accumulated": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
    # Three batches an epoch.
    "half a group": lambda: optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=4),
    "multipliers": lambda: optimizers.Adam(0.01, learning_rate_multipliers={".*last.*": 0.1}),
    "scaled": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01), 8.0, 4),
    "scaled sums": lambda: optimizers.LossScaleOptimizer(
        optimizers.RMSprop(0.01, gradient_accumulation_steps=2), 8.0, 4
    ),
    "parts": lambda: _of_parts(optimizers.Nadam(0.02, gradient_accumulation_steps=2)),
    "scaled parts": lambda: optimizers.LossScaleOptimizer(_of_parts(optimizers.Adafactor(0.02))),
    "own": Own,
    "own sums": lambda: Own(gradient_accumulation_steps=2),
    "lookahead": lambda: Lookahead(optimizers.Adam(0.02)),
    "optax": lambda: optimizers.OptaxOptimizer(adamw_of_optax),
}
ROWS = {**{name: lambda cls=cls: cls(0.01) for name, cls in PLAIN.items()}, **OTHERS}

QUICK = ("Adam", "half a group", "scaled parts", "own")


def made(optimizer: Any, *more: Any) -> Any:
    model = nacre.Sequential(
        [nacre.Input((4,)), *more, layers.Dense(2), layers.Dense(2, name="last")]
    )
    model.compile(optimizer, "mse")
    return model


def fit(model: Any, begin: int, end: int) -> list[float]:
    past = model.fit(X, Y, 4, epochs=end, initial_epoch=begin, shuffle=False, verbose=0)
    return past.history["loss"]


def state(model: Any) -> list[np.ndarray]:
    variables = [*model.weights, *model.optimizer.variables, *seeds_of(model).values()]
    return [variable.numpy() for variable in variables]


def opened(kind: str, folder: Any, build: Any) -> Any:
    """The model in a file; of formats of weights, another one that took them."""
    path = folder / FORMATS[kind]
    if kind in WHOLE:
        return saving.load_model(path)
    model = build()
    model.load_weights(path)
    return model


def save_all(model: Any, folder: Any) -> None:
    for kind, name in FORMATS.items():
        (model.save if kind in WHOLE else model.save_weights)(folder / name)


def check_same(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def _row(name: str) -> Any:
    return pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])


@pytest.mark.parametrize("row", map(_row, ROWS))
def test_every_optimizer_goes_on_from_every_format(row, tmp_path):
    nacre.utils.set_random_seed(1)
    model, whole = made(ROWS[row]()), made(ROWS[row]())
    whole.set_weights(model.get_weights())
    losses = fit(model, 0, 3)
    save_all(model, tmp_path)
    saved = state(model)
    losses += fit(model, 3, 6)
    assert losses == fit(whole, 0, 6)
    trained = list(FORMATS)[list(ROWS).index(row) % len(FORMATS)]
    for kind in FORMATS:
        other = opened(kind, tmp_path, lambda: made(ROWS[row]()))
        check_same(state(other), saved)
        if kind in WHOLE:
            assert other.optimizer.get_config() == model.optimizer.get_config()
        if kind == trained:
            assert fit(other, 3, 6) == losses[3:]
            check_same(state(other), state(model))


@pytest.mark.parametrize("kind", FORMATS)
def test_layers_that_draw_go_on_with_their_seeds(kind, tmp_path):
    def build():
        parts = [layers.GaussianNoise(0.1, seed=3), layers.Dropout(0.3, seed=1)]
        inner = nacre.Sequential([layers.Dense(4), layers.Dropout(0.5, seed=2)], name="inner")
        return made("adam", *parts, inner, layers.BatchNormalization())

    model = build()
    fit(model, 0, 3)
    save_all(model, tmp_path)
    losses = fit(model, 3, 6)
    other = opened(kind, tmp_path, build)
    assert fit(other, 3, 6) == losses
    check_same(state(other), state(model))
