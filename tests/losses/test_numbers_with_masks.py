"""A loss that gives one number for a batch, of predictions that have a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

import nacre
from nacre import layers, ops


def test_one_number_for_a_batch_is_the_loss_whatever_is_masked() -> None:
    def masked_error(y_true: Any, y_pred: Any) -> Any:
        counts = ops.cast(y_true != 0, "float32")
        return ops.sum(ops.square(y_true - y_pred[..., 0]) * counts) / ops.sum(counts)

    model = nacre.Sequential(
        [nacre.Input((3,)), layers.Embedding(5, 2, mask_zero=True), layers.Dense(2)]
    )
    model.compile("sgd", masked_error)
    x = np.array([[1, 2, 0], [3, 0, 0]])
    y = x.astype("float32")
    wanted = float(masked_error(ops.convert_to_tensor(y), model(x)))
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), wanted, rtol=1e-6)
    first = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert first[-1] < first[0]
