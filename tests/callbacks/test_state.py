"""What callbacks remember can be taken, kept as JSON and arrays, and gone on from exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import nacre as keras
from nacre.core.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X[:, :1]
# Better in epochs 0, 1 and 4; with patience 2 the rate falls after epoch 3, and training ends with epoch 7.
SCORES = (5.0, 4.0, 4.5, 4.2, 3.0, 3.5, 3.4, 3.3, 1.0)


class Score(keras.callbacks.Callback):
    adds_logs = ("score",)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["score"] = SCORES[epoch]


def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
    return made


def callbacks(folder: Path) -> list[keras.callbacks.Callback]:
    watched: dict[str, Any] = {"monitor": "score", "mode": "min"}
    return [
        keras.callbacks.EarlyStopping(**watched, patience=3, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(**watched, patience=2, factor=0.5, cooldown=1),
        keras.callbacks.ModelCheckpoint(
            str(folder / "{epoch}.weights.h5"),
            **watched,
            save_best_only=True,
            save_weights_only=True,
        ),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        keras.callbacks.History(),
    ]


class Take(keras.callbacks.Callback):
    """Takes the states of others at an epoch's end, with everything else a training needs."""

    adds_logs = ()

    def __init__(self, others: list[keras.callbacks.Callback], at: int) -> None:
        self.others, self.at = others, at

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.at:
            self.states = [other.state() for other in self.others]
            self.weights = self.model.get_weights()
            self.optimizer = [v.numpy() for v in self.model.optimizer.variables]


def results(folder: Path, made: keras.Model, history: Any) -> tuple[Any, ...]:
    files = sorted(path.name for path in folder.glob("*.h5"))
    log = (folder / "log.csv").read_text()
    return made.get_weights(), float(made.optimizer.learning_rate), history.history, files, log


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_a_training_that_goes_on_from_states_decides_as_the_unbroken_one(
    tmp_path: Path, at: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    made, listed = model(), callbacks(whole)
    made.fit(X, Y, epochs=9, shuffle=False, verbose=0, callbacks=[Score(), *listed])
    expected = results(whole, made, listed[-1])

    first, listed = model(), callbacks(broken)
    take = Take(listed[:-1], at)
    first.fit(X, Y, epochs=at + 1, shuffle=False, verbose=0, callbacks=[Score(), *listed, take])
    states = [*take.states, listed[-1].state()]
    arrays = states[0].pop("best_weights")
    states = json.loads(json.dumps(states))
    states[0]["best_weights"] = arrays

    again, listed = model(), callbacks(broken)
    again.optimizer.build(again.trainable_variables)
    again.set_weights(take.weights)
    for variable, value in zip(again.optimizer.variables, take.optimizer, strict=True):
        variable.assign(value)
    for callback, state in zip(listed, states, strict=True):
        callback.restore(state)
    again.fit(
        X,
        Y,
        initial_epoch=at + 1,
        epochs=9,
        shuffle=False,
        verbose=0,
        callbacks=[Score(), *listed],
    )
    found = results(broken, again, listed[-1])
    for one, wanted in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, wanted)
    assert found[1:] == expected[1:]
    assert listed[0].stopped_epoch == 7
    # The next training of the same objects starts afresh.
    again.fit(X, Y, epochs=1, verbose=0, callbacks=[Score(), *listed])
    assert (listed[0].stopped_epoch, listed[-1].epoch) == (0, [0])


def test_averages_that_stand_in_for_the_weights_are_taken_back_after_a_restore() -> None:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    take = Take([swap], 1)
    made.fit(X, Y, epochs=2, shuffle=False, verbose=0, callbacks=[swap, take])
    trained = take.states[0]["_trained"]
    assert not np.array_equal(trained[0], take.weights[0])
    again = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    again.restore(take.states[0])
    seen: list[np.ndarray] = []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(made.get_weights()[0])
    )
    made.fit(X, Y, initial_epoch=2, epochs=3, verbose=0, callbacks=[again, look])
    np.testing.assert_array_equal(seen[0], trained[0])


def test_a_state_of_another_callback_is_refused(tmp_path: Path) -> None:
    state = keras.callbacks.History().state()
    with pytest.raises(ArgumentError, match=r"EarlyStopping.restore: .* remembers: best.*history"):
        keras.callbacks.EarlyStopping().restore(state)
    logger = keras.callbacks.CSVLogger(tmp_path / "gone.csv")
    logger.restore({"_names": ["loss"], "_position": 10})
    with pytest.raises(ArgumentError, match="must hold the 10 bytes"):
        model().fit(X, Y, verbose=0, callbacks=[logger])


def test_a_callback_of_ones_own_says_that_it_bears_nan() -> None:
    class Bears(keras.callbacks.Callback):
        tolerates_nan = True
        remembers = ("epochs",)
        epochs = 0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs += 1

    made, bears = model(), Bears()
    made.fit(X * np.nan, Y, epochs=2, verbose=0, callbacks=[bears])
    assert bears.state() == {"epochs": 2}
    assert np.isfinite(made.get_weights()[0]).all()


def test_what_a_callback_remembers_keeps_its_dtypes_and_tuples() -> None:
    class Average(keras.callbacks.Callback):
        remembers = ("mean", "seen", "last")
        mean: Any = np.float32(0)
        seen: Any = ()
        last: Any = None

    first, second = Average(), Average()
    first.mean, first.seen, first.last = np.float32(0.1), (1, [np.int8(2)]), jnp.float16(0.1)
    second.restore(first.state())
    assert type(second.mean) is np.float32 and second.mean * 0.9 == first.mean * 0.9
    assert second.seen == first.seen and type(second.seen[1][0]) is np.int8
    assert second.last == first.last and second.last.dtype == "float16"
