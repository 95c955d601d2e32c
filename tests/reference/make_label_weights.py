"""Write `label_weights.json`: Keras's loss for each kind of weight beside each kind of label."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import keras
import numpy as np

LABELS = [0, 1, 2, 2, 1, 0]
SIGNS = [-1, 1, -1, -1, 1, 1]
BINARY = [0, 1, 0, 0, 1, 1]
STEPS = [[0, 1], [2, 2], [1, 0], [0, 0], [1, 2], [2, 1]]
W = [0.0, 1, 2, 3, 4, 5]
WT = [[0.0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]
BY_CLASS = [[0, 2.0], [2, 5.0]]
BOTH = [[0, 2.0], [1, 5.0]]


def one_hot(labels: list[int]) -> list[list[float]]:
    return np.eye(3)[labels].tolist()


def column(values: list[float]) -> list[list[float]]:
    return [[v] for v in values]


# name: (units, activation, loss, targets, class weights, sample weights)
CASES: dict[str, tuple[object, ...]] = {
    "sparse": (3, "softmax", "sparse_categorical_crossentropy", LABELS, BY_CLASS, None),
    "sparse_column": (
        3, "softmax", "sparse_categorical_crossentropy", column(LABELS), BY_CLASS, None,
    ),
    "one_hot": (3, "softmax", "categorical_crossentropy", one_hot(LABELS), BY_CLASS, None),
    "one_hot_mse": (3, "softmax", "mse", one_hot(LABELS), BY_CLASS, None),
    "binary": (1, "sigmoid", "binary_crossentropy", BINARY, BOTH, None),
    "binary_column": (1, "sigmoid", "binary_crossentropy", column(BINARY), BOTH, None),
    "binary_smoothed": (
        1, "sigmoid", "binary_crossentropy", [0.1, 0.9, 0.6, 0.4, 1, 0], BOTH, None,
    ),
    "signs": (1, None, "hinge", SIGNS, [[-1, 2.0], [1, 5.0]], None),
    "weights_sparse": (3, "softmax", "sparse_categorical_crossentropy", LABELS, None, W),
    "weights_column": (3, "softmax", "sparse_categorical_crossentropy", LABELS, None, column(W)),
    "weights_one_hot": (3, "softmax", "categorical_crossentropy", one_hot(LABELS), None, W),
    "weights_both_columns": (1, None, "mse", column(LABELS), None, column(W)),
    "weights_negative": (1, None, "mse", LABELS, None, [-3.0, -2, -1, 0, 1, 2]),
    "steps": (3, "softmax", "sparse_categorical_crossentropy", STEPS, None, WT),
}  # fmt: skip


def features(targets: list[object]) -> np.ndarray:
    """Rows for the targets: with an axis of steps when these have one of two sizes."""
    shape = (6, 2, 4) if np.shape(targets)[1:] == (2,) else (6, 4)
    return (np.arange(np.prod(shape)).reshape(shape) % 7 / 7).astype("float32")


def result(case: tuple[object, ...]) -> dict[str, object]:
    units, activation, loss, targets, class_weight, sample_weight = case
    x, y = features(targets), np.array(targets)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Dense(units, activation, kernel_initializer="ones"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), loss)
    given: dict[str, object] = {}
    if class_weight is not None:
        given["class_weight"] = {key: weight for key, weight in class_weight}
    if sample_weight is not None:
        given["sample_weight"] = np.array(sample_weight)
    history = model.fit(x, y, batch_size=6, shuffle=False, verbose=0, **given)
    return {
        "case": [*case],
        "x": x.tolist(),
        "loss": round(float(history.history["loss"][0]), 6),
    }


def main() -> int:
    oracle.write_facts("label_weights", {name: result(case) for name, case in CASES.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
