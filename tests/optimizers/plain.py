"""Every optimizer again, as plain arithmetic in NumPy: rules for one array, and the order of one
update around them. What stands in nacre is checked against this, so nothing of nacre is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Rule = Callable[..., np.ndarray]  # (w, g, state, rate, t, **settings) -> new w; t counts from 1


def sgd(w, g, state, rate, t, momentum=0.0, nesterov=False):
    if not momentum:
        return w - rate * g
    state["v"] = momentum * state.get("v", 0.0) - rate * g
    return w + (momentum * state["v"] - rate * g if nesterov else state["v"])


def _moments(g, state, beta_1, beta_2):
    state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g**2
    return state["m"], state["v"]


def adam(w, g, state, rate, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    m, v = _moments(g, state, beta_1, beta_2)
    if amsgrad:
        state["largest"] = v = np.maximum(state.get("largest", 0.0), v)
    rate = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - rate * m / (np.sqrt(v) + epsilon)


def adamax(w, g, state, rate, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    state["m"] = beta_1 * state.get("m", 0.0) + (1 - beta_1) * g
    state["u"] = np.maximum(beta_2 * state.get("u", 0.0), np.abs(g))
    return w - rate / (1 - beta_1**t) * state["m"] / (state["u"] + epsilon)


def nadam(w, g, state, rate, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v = _moments(g, state, beta_1, beta_2)
    shares = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, t + 2))
    ahead = shares[-1] * m / (1 - np.prod(shares)) + (1 - shares[-2]) * g / (
        1 - np.prod(shares[:-1])
    )
    return w - rate * ahead / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


def lamb(w, g, state, rate, t, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v = _moments(g, state, beta_1, beta_2)
    r = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    size, length = np.linalg.norm(w), np.linalg.norm(r)
    return w - rate * (size / length if size and length else 1.0) * r


def lion(w, g, state, rate, t, beta_1=0.9, beta_2=0.99):
    m = state.get("m", 0.0)
    state["m"] = beta_2 * m + (1 - beta_2) * g
    return w - rate * np.sign(beta_1 * m + (1 - beta_1) * g)


def rmsprop(w, g, state, rate, t, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    state["v"] = variance = rho * state.get("v", 0.0) + (1 - rho) * g**2
    if centered:
        state["mean"] = rho * state.get("mean", 0.0) + (1 - rho) * g
        variance = variance - state["mean"] ** 2
    state["step"] = momentum * state.get("step", 0.0) + rate * g / np.sqrt(variance + epsilon)
    return w - state["step"]


def adagrad(w, g, state, rate, t, initial_accumulator_value=0.1, epsilon=1e-7):
    state["a"] = state.get("a", initial_accumulator_value) + g**2
    return w - rate * g / np.sqrt(state["a"] + epsilon)


def adadelta(w, g, state, rate, t, rho=0.95, epsilon=1e-7):
    state["a"] = rho * state.get("a", 0.0) + (1 - rho) * g**2
    delta = g * np.sqrt(state.get("d", 0.0) + epsilon) / np.sqrt(state["a"] + epsilon)
    state["d"] = rho * state.get("d", 0.0) + (1 - rho) * delta**2
    return w - rate * delta


def ftrl(w, g, state, rate, t, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0, power=-0.5):
    n, z = state.get("n", 0.1), state.get("z", 0.0)
    total = n + g**2
    z = z + g + 2 * shrinkage * w - (total**-power - n**-power) / rate * w
    state["n"], state["z"] = total, z
    return (np.clip(z, -l1, l1) - z) / ((beta + total**-power) / rate + 2 * l2)


def adafactor(w, g, state, rate, t, relative_step=True, clip_threshold=1.0):
    share = 1 - t**-0.8
    squares = g**2 + 1e-30
    if w.ndim == 2:
        state["r"] = r = share * state.get("r", 0.0) + (1 - share) * squares.mean(1)
        state["c"] = c = share * state.get("c", 0.0) + (1 - share) * squares.mean(0)
        v = np.outer(r, c) / r.mean()
    else:
        state["v"] = v = share * state.get("v", 0.0) + (1 - share) * squares
    u = g / np.sqrt(v)
    u = u / max(1.0, np.sqrt(np.mean(u**2)) / clip_threshold)
    rate = min(rate, t**-0.5) if relative_step else rate
    return w - max(1e-3, np.sqrt(np.mean(w**2))) * rate * u


def muon(w, g, state, rate, t, momentum=0.95, nesterov=True, rms_rate=0.2):
    if w.ndim != 2:
        return adam(w, g, state, rate, t)
    state["m"] = momentum * state.get("m", 0.0) + g
    x = g + momentum * state["m"] if nesterov else state["m"]
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return w - rate * (rms_rate * max(w.shape) ** 0.5 if rms_rate else 1.0) * x


def schedule_free(w, g, state, rate, t, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0):
    rate = rate * min(1.0, t / warmup_steps) if warmup_steps else rate
    z = state.get("z", state["first"])
    state["v"] = beta_2 * state.get("v", 0.0) + (1 - beta_2) * g**2
    x = (w - (1 - beta_1) * z) / beta_1
    state["z"] = z = z - rate * g / (np.sqrt(state["v"] / (1 - beta_2**t)) + epsilon)
    x = x + (z - x) / t
    return (1 - beta_1) * z + beta_1 * x


def clipped(gradients: list[Any], clipnorm=None, clipvalue=None, global_clipnorm=None) -> list[Any]:
    """Gradients after at most one of the three."""
    together = np.sqrt(sum(np.sum(g**2) for g in gradients if g is not None))

    def clip(g):
        if g is None:
            return None
        if clipvalue is not None:
            return np.clip(g, -clipvalue, clipvalue)
        norm, most = (np.linalg.norm(g), clipnorm) if clipnorm else (together, global_clipnorm)
        return g if most is None else g * min(1.0, most / norm)

    return [clip(g) for g in gradients]


def run(
    rule: Rule,
    first: Sequence[np.ndarray],
    calls: Sequence[Sequence[Any]],
    *,
    learning_rate: Any,
    weight_decay: float | None = None,
    gradient_accumulation_steps: int | None = None,
    use_ema: bool = False,
    ema_momentum: float = 0.99,
    ema_overwrite_frequency: int | None = None,
    settings: dict[str, Any] | None = None,
    **clip: Any,
) -> tuple[list[np.ndarray], list[np.ndarray], int]:
    """The weights, their averages and the number of updates after some calls with gradients.

    Args:
        rule: One of the rules above.
        first: The weights before.
        calls: The gradients of each call, None for a weight without.
        learning_rate: A number, or a function of the number of updates before.
        settings: Further arguments of the rule.
        clip: `clipnorm`, `clipvalue` or `global_clipnorm`.
    """
    weights = [np.float64(w) for w in first]
    states: list[dict[str, Any]] = [{"first": w} for w in weights]
    averages, updates, gathered = list(weights), 0, []
    for gradients in calls:
        gathered.append(gradients)
        if len(gathered) < (gradient_accumulation_steps or 1):
            continue
        means: list[Any] = []
        for column in zip(*gathered, strict=True):
            present = [np.float64(g) for g in column if g is not None]
            means.append(sum(present) / len(gathered) if present else None)
        gathered = []
        rate = learning_rate(updates) if callable(learning_rate) else learning_rate
        for i, g in enumerate(clipped(means, **clip)):
            if g is not None:
                decayed = weights[i] * (1 - rate * (weight_decay or 0.0))
                weights[i] = rule(decayed, g, states[i], rate, updates + 1, **(settings or {}))
        if use_ema:
            share = ema_momentum if updates else 0.0
            averages = [share * a + (1 - share) * w for a, w in zip(averages, weights, strict=True)]
            if ema_overwrite_frequency and (updates + 1) % ema_overwrite_frequency == 0:
                weights = list(averages)
        updates += 1
    return weights, averages, updates
