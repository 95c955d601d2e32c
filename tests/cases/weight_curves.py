"""Fifty steps of a small model for each kind of weight, with and without masks and accumulation.

Nothing here imports the library under test: the script that writes the reference numbers and the
test hand it to the same functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS, TIME, BATCH, EPOCHS = 20, 4, 4, 10  # five steps an epoch

_RANDOM = np.random.default_rng(11)
X = _RANDOM.normal(size=(ROWS, TIME, 3)).astype("float32")
for _row, _length in enumerate(_RANDOM.integers(1, TIME + 1, ROWS)):
    X[_row, _length:] = 0  # padding
LABELS = _RANDOM.integers(0, 3, (ROWS, TIME, 1)).astype("int32")
HEIGHTS = _RANDOM.normal(size=(ROWS, TIME, 1)).astype("float32")
OF_ROWS = _RANDOM.uniform(0, 2, (ROWS, 1)).astype("float32")
OF_STEPS = _RANDOM.uniform(0, 2, (ROWS, TIME)).astype("float32")
START = [
    _RANDOM.uniform(-0.6, 0.6, shape).astype("float32")
    for shape in ((3, 4), (4,), (4, 3), (3,), (4, 1), (1,))
]

# What `fit` is given besides the data, and the weights of the two losses.
KINDS: dict[str, tuple[dict[str, Any], list[float] | None]] = {
    "plain": ({}, None),
    "rows": ({"sample_weight": OF_ROWS}, None),
    "steps": ({"sample_weight": OF_STEPS}, None),
    "classes": ({"class_weight": {"labels": {0: 2.0, 2: 0.5}}}, None),
    "losses": ({}, [0.3, 2.0]),
    "steps_losses": ({"sample_weight": [OF_STEPS, OF_ROWS]}, [0.3, 2.0]),
}


@dataclass(frozen=True)
class Curve:
    """One training: `kind` of `KINDS`, whether padding is masked, calls that make an update."""

    kind: str
    is_masked: bool
    accumulation: int

    @property
    def id(self) -> str:
        return f"{self.kind}{'_masked' if self.is_masked else ''}_{self.accumulation}"


_MEET = ((True, 1), (False, 3))  # what each kind need not meet by itself, as all of it meets once
CURVES = tuple(
    Curve(kind, is_masked, accumulation)
    for kind in KINDS
    for is_masked, accumulation in ((True, 3), *(_MEET if kind == "steps_losses" else ()))
)


def run(keras: Any, curve: Curve, *, knows_classes: bool = True) -> dict[str, np.ndarray]:
    """The losses of each epoch and the weights after fifty steps.

    Args:
        keras: The library.
        curve: The training.
        knows_classes: Whether `class_weight` may be for steps and for one of several outputs; else
            the sample weights that it means are given.
    """
    given, loss_weights = KINDS[curve.kind]
    if curve.kind == "classes" and not knows_classes:
        table = np.array([2.0, 1.0, 0.5], "float32")
        given = {"sample_weight": [table[LABELS[..., 0]], np.ones(ROWS, "float32")]}
    x = keras.Input((TIME, 3))
    hidden = keras.layers.Masking()(x) if curve.is_masked else x
    hidden = keras.layers.Dense(4, "tanh")(hidden)
    labels = keras.layers.Dense(3, "softmax", name="labels")(hidden)
    heights = keras.layers.Dense(1, name="heights")(hidden)
    model = keras.Model(x, [labels, heights])
    model.set_weights(START)
    model.compile(
        keras.optimizers.Adam(0.03, gradient_accumulation_steps=_steps(curve)),
        ["sparse_categorical_crossentropy", "mse"],
        loss_weights=loss_weights,
    )
    y = [LABELS, HEIGHTS]
    if isinstance(given.get("sample_weight"), np.ndarray):
        given = {"sample_weight": [given["sample_weight"]] * 2}
    history = model.fit(
        X, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, **given
    ).history
    weights = [np.asarray(w).ravel() for w in model.get_weights()]
    return {**{k: np.array(v) for k, v in history.items()}, "weights": np.concatenate(weights)}


def _steps(curve: Curve) -> int | None:
    return curve.accumulation if curve.accumulation > 1 else None
