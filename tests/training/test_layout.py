"""Trained on eight devices, batches divided among them, a model gives what it gives on one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import nacre
from nacre import callbacks, layers
from nacre.core.layout import Layout, data_parallel, use_layout
from nacre.core.program import Program, programs_of
from nacre.training import prediction_loop

pytestmark = pytest.mark.eight_devices
RNG = np.random.default_rng(0)
X = RNG.normal(size=(69, 6)).astype("float32")  # batches of 16: four, and one of 5
Y = X.sum(axis=1, keepdims=True)


class Batches(nacre.utils.PyDataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return X[16 * index : 16 * index + 16], Y[16 * index : 16 * index + 16]


def model() -> nacre.Model:
    nacre.utils.set_random_seed(0)
    nacre.utils.clear_session()
    made = nacre.Sequential(
        [
            nacre.Input((6,)),
            layers.Dense(8, "tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    made.compile(nacre.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return made


def results(layout: Layout | None, source: str) -> tuple[Any, ...]:
    made = model()
    data: tuple[Any, ...] = (Batches(),) if source == "batches" else (X, Y)
    hooks = [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
    with nullcontext() if layout is None else use_layout(layout):
        made.fit(
            *data, batch_size=16, epochs=3, verbose=0, validation_data=(X, Y),
            callbacks=hooks if source == "hooks" else None, shuffle=source != "batches",
        )  # fmt: skip
        evaluated = made.evaluate(*data, batch_size=16, verbose=0)
        predicted = made.predict(X, batch_size=16, verbose=0)
    return made.history.history, evaluated, predicted, made.get_weights(), made


def assert_close(found: Any, expected: Any) -> None:
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


SPLIT = (("dense/kernel", PartitionSpec(None, "batch")),)


@pytest.mark.parametrize(
    ("source", "rules"),
    [("arrays", ()), ("streamed", ()), ("batches", ()), ("hooks", ()), ("arrays", SPLIT)],
    ids=["arrays", "streamed", "batches", "hooks", "split kernel"],
)
def test_eight_devices_give_the_numbers_of_one(
    monkeypatch: pytest.MonkeyPatch, source: str, rules: Any
) -> None:
    if source == "streamed":
        monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "100")
        monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 16 * 28 * 2)
    layout = data_parallel(jax.devices())
    layout = Layout(layout.mesh, layout.batch_axis, rules)
    expected, found = results(None, source), results(layout, source)
    assert_close(found[:4], expected[:4])
    kernel = found[4].layers[0].kernel.value
    assert len(kernel.sharding.device_set) == 8
    assert kernel.addressable_shards[0].data.shape == ((6, 1) if rules else (6, 8))
    # The last layer's too, and what the optimizer keeps.
    everything = [*found[4].variables, *found[4].optimizer.variables]
    assert all(len(v.value.sharding.device_set) == 8 for v in everything)


def test_no_step_and_no_change_of_a_variable_compiles_anew() -> None:
    made = model()

    def change(epoch: int, logs: Any) -> None:
        made.optimizer.learning_rate = 0.01 / (epoch + 1)

    with use_layout(data_parallel(jax.devices())):
        for _ in range(2):  # in the first one the last batch's program is compiled ahead
            made.fit(X, Y, batch_size=16, epochs=1, verbose=0)
        kept = [p for p in programs_of(made)._kept.values() if isinstance(p, Program)]
        sizes = [p._run._cache_size() for p in kept]
        schedule = callbacks.LambdaCallback(on_epoch_begin=change)
        made.fit(X, Y, batch_size=16, epochs=3, verbose=0, callbacks=[schedule])
        assert [p._run._cache_size() for p in kept] == sizes
    assert max(sizes) == 1


def test_a_batch_is_divided_and_a_step_that_is_not_finite_goes_back() -> None:
    seen: list[Any] = []

    class Look(layers.Layer):
        def call(self, inputs: Any) -> Any:
            jax.debug.inspect_array_sharding(inputs, callback=seen.append)
            return inputs

    made = nacre.Sequential([nacre.Input((6,)), Look(), layers.Dense(1)])
    made.compile("sgd", "mse")
    targets = Y.copy()
    targets[40] = np.inf
    with use_layout(data_parallel(jax.devices())):
        made.fit(X[:64], Y[:64], batch_size=16, verbose=0)
        before = made.get_weights()
        with pytest.raises(nacre.core.errors.NonFiniteError, match="step 1 of the epoch"):
            made.fit(X[32:48], targets[32:48], batch_size=16, verbose=0)
    assert seen and all(s.shard_shape((16, 6)) == (2, 6) for s in seen)
    assert_close(made.get_weights(), before)


def test_predictions_in_chunks_are_those_of_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_loop, "LEAST_BATCHES", 20)
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 8 * 24 * 16)
    made = model()
    x = np.repeat(X, 4, axis=0)
    expected = made.predict(x, batch_size=8, verbose=0)
    with use_layout(data_parallel(jax.devices())):
        assert_close(made.predict(x, batch_size=8, verbose=0), expected)


def test_a_model_trained_on_eight_devices_goes_on_without_the_layout() -> None:
    made = model()
    with use_layout(data_parallel(jax.devices())):
        made.fit(X, Y, batch_size=16, verbose=0)
    before = made.evaluate(X, Y, batch_size=16, verbose=0)[0]
    made.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert made.evaluate(X, Y, batch_size=16, verbose=0)[0] < before


def test_augmented_training_and_trials_give_what_they_give_on_one_device() -> None:
    images, labels = RNG.random((40, 4, 4, 1)).astype("float32"), RNG.integers(0, 3, 40)

    def found(layout: Layout | None) -> tuple[Any, ...]:
        nacre.utils.set_random_seed(0)
        nacre.utils.clear_session()
        made = nacre.Sequential(
            [nacre.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, activation="softmax")]
        )
        made.compile(nacre.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
        augment = [layers.RandomFlip(seed=1), layers.CutMix(seed=2)]
        with nullcontext() if layout is None else use_layout(layout):
            made.fit(images, labels, batch_size=16, augment=augment, verbose=0)
            searched = made.lr_find(images, labels, batch_size=16, steps=8)
            assert layout is None or not made.explain_nan(images[:16], labels[:16])
        return made.get_weights(), searched.losses

    one, eight = found(None), found(data_parallel(jax.devices()))
    for a, b in zip(one[0], eight[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one[1], eight[1], rtol=1e-5, atol=1e-5)
