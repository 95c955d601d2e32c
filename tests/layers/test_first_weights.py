"""`weights=` of a layer are its first values, whoever builds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nacre import layers, models, ops

FIRST = np.full((2, 1), 7.0, "float32")
X = np.ones((4, 2), "float32")


class Net(models.Model):
    """A layer that is built where the model is called first."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1, use_bias=False, weights=[FIRST])

    def call(self, x: Any) -> Any:
        return self.dense(x)


def fitted(net: Any) -> None:
    net.compile("sgd", "mse")
    net.optimizer.learning_rate = 0.0
    net.fit(X, X[:, :1], verbose=0)


BUILDERS: dict[str, Callable[[Any], Any]] = {
    "fit": fitted,
    "predict": lambda net: net.predict(X, verbose=0),
    "call": lambda net: net(X),
    "build": lambda net: net.build((None, 2)),
    "compute_output_shape": lambda net: net.compute_output_shape((None, 2)),
}


@pytest.mark.parametrize("builder", BUILDERS)
def test_first_weights_are_there_after_it_was_built_by(builder: str) -> None:
    net = Net()
    BUILDERS[builder](net)
    np.testing.assert_array_equal(ops.convert_to_numpy(net(X)), np.full((4, 1), 14.0))
    np.testing.assert_array_equal(net.dense.get_weights()[0], FIRST)
