"""What threads of a training do, they do in the context of its `fit`: compile, and make batches."""

from __future__ import annotations

import threading
from typing import Any

import jax
import numpy as np
import pytest

from nacre import layers, models, utils
from nacre.core import context
from nacre.ops.kernels.placement import current_placement

X = np.linspace(-1, 1, 30, dtype="float32").reshape(10, 3)
Y = X[:, :1]


# batch size -> thread and context. Not an attribute: where one changes, programs are made anew.
SEEN: dict[int, tuple[str, Any]] = {}


class Traced(layers.Layer):
    """Notes where it is traced, and the context there."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(3, 1))

    def call(self, inputs: Any) -> Any:
        seen = (
            self.kernel.value.dtype.name,
            inputs.dtype.name,
            current_placement(),
            jax.config.jax_default_matmul_precision,
            utils.get_registered_object("table"),
            context.current().asks_for_plain_xla,
        )
        SEEN[inputs.shape[0]] = threading.current_thread().name, seen
        return inputs @ self.kernel


def fitted(layer: Traced) -> dict[int, tuple[str, Any]]:
    SEEN.clear()
    model = models.Sequential([layer])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=4, verbose=0)
    return SEEN


def test_the_last_batch_is_compiled_beside_the_others_in_the_context_of_fit() -> None:
    with (
        jax.default_matmul_precision("float32"),
        utils.custom_object_scope({"table": 7}),
        context.changed(asks_for_plain_xla=True),
    ):
        seen = fitted(Traced(dtype="mixed_bfloat16"))
    (thread, full), (last_thread, last) = seen[4], seen[2]
    assert thread == "MainThread" and last_thread.startswith("nacre-compile")
    assert last[:2] == ("bfloat16", "bfloat16") and last[3:] == ("float32", 7, True)
    assert full[:2] == last[:2] and full[3:] == last[3:]


class Batches(utils.PyDataset):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen: set[Any] = set()

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        precision = jax.config.jax_default_matmul_precision
        self.seen.add((precision, utils.get_registered_object("table")))
        return X[:4], Y[:4]


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_made_in_the_context_of_fit(workers: int) -> None:
    batches = Batches(workers=workers)
    model = models.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    with jax.default_matmul_precision("float32"), utils.custom_object_scope({"table": 7}):
        model.fit(batches, verbose=0)
    assert batches.seen == {("float32", 7)}
