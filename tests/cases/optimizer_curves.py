"""Fifty steps of every optimizer on one small problem: least squares, two weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .spec import OptimizerCase as Case
from .spec import Spec, generator

NUM_STEPS = 50
STORED_STEPS = (1, 5, 10, 20, 35, 50)

_FALLING = Spec(
    "ExponentialDecay",
    {"initial_learning_rate": 0.05, "decay_steps": 10, "decay_rate": 0.8},
    namespace="optimizers.schedules",
)
_BUSY = {
    "weight_decay": 0.01,
    "clipnorm": 2.0,
    "use_ema": True,
    "ema_momentum": 0.9,
    "ema_overwrite_frequency": 7,
}
_OWN: dict[str, dict[str, Any]] = {
    "Adadelta": {"rho": 0.9},
    "Adafactor": {"relative_step": False},
    "Adagrad": {"initial_accumulator_value": 0.3},
    "Adam": {"amsgrad": True, "beta_2": 0.95},
    "AdamW": {"amsgrad": True, "beta_2": 0.95},
    "Adamax": {"beta_1": 0.8},
    "Ftrl": {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.01},
    "Lamb": {"beta_1": 0.8},
    "Lion": {"beta_1": 0.8},
    "Muon": {"nesterov": False, "adam_weight_decay": 0.02, "exclude_embeddings": False},
    "Nadam": {"beta_1": 0.8},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "SGD": {"momentum": 0.9, "nesterov": True},
    "ScheduleFreeAdamW": {"warmup_steps": 10},
}
_ARGUMENTS_NEEDED = {"Muon": {"exclude_embeddings": False}}

CURVES: tuple[Case, ...] = (
    *(Case(f"{name}_default", name, _ARGUMENTS_NEEDED.get(name, {})) for name in _OWN),
    *(
        Case(f"{name}_busy", name, {"learning_rate": _FALLING, **_BUSY, **own})
        for name, own in _OWN.items()
    ),
)


def problem() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """First weights (3, 4) and (4,), inputs (16, 3) and targets (16, 4)."""
    random = generator("optimizer_curves")
    first = [random.normal(size=shape).astype("float32") for shape in ((3, 4), (4,))]
    x, y = (random.normal(size=(16, n)).astype("float32") for n in (3, 4))
    return first, x, y


def gradients(
    weights: list[np.ndarray], x: np.ndarray, y: np.ndarray, step: int
) -> tuple[float, list[np.ndarray]]:
    """The loss ½ · mean |x · w + b - y|² of the eight rows of a step, and its gradients."""
    rows = slice(8 * (step % 2), 8 * (step % 2) + 8)
    wide = [np.float64(w) for w in weights]
    error = x[rows] @ wide[0] + wide[1] - y[rows]
    found = [x[rows].T @ error / 8, error.mean(axis=0)]
    return float(np.mean(error**2) * 2), [g.astype("float32") for g in found]
