"""Programs of a fixed number of steps, as a GPU is given, do what one program of any number does.

Where an odd number of steps leaves one by itself, that one is compiled without a loop and may round
differently; everything else must agree to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops
from nacre.core.errors import ArgumentError, NonFiniteError
from nacre.core.program import Program, programs_of
from nacre.training import last_good, pace, prediction_loop

RNG = np.random.default_rng(0)
X = RNG.normal(size=(83, 6)).astype("float32")  # batches of 4: 20, and one of 3
Y = X.sum(axis=1, keepdims=True)
FORMS = ("counted", "fixed")


@pytest.fixture(autouse=True)
def steps_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of longer loops are always worth their while."""
    monkeypatch.setattr(pace, "ENOUGH_SECONDS", 100.0)


def model(is_deep: bool = False, **options: Any) -> nacre.Model:
    nacre.utils.set_random_seed(0)
    deep = (layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dropout(0.2))
    parts = deep if is_deep else ()
    made = nacre.Sequential([nacre.Input((6,)), *parts, layers.Dense(1)], name="m")
    options.setdefault("loss", "mse")
    made.compile(nacre.optimizers.SGD(0.01, momentum=0.9), **options)
    return made


def in_both(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]) -> list[Any]:
    found = []
    for form in FORMS:
        monkeypatch.setenv("NACRE_LOOPS", form)
        found.append(run())
    return found


def compilations(made: nacre.Model) -> int:
    kept = programs_of(made)._kept.values()
    return sum(len(p.traced_shapes) for p in kept if isinstance(p, Program))


@pytest.mark.full_effort
@pytest.mark.parametrize("steps_per_execution", [None, 4])
def test_training_and_evaluation_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, steps_per_execution: int | None
) -> None:
    def run() -> Any:
        made = model(True, metrics=["mae"], steps_per_execution=steps_per_execution)
        data = (X[:48], Y[:48])
        made.fit(X, Y, batch_size=4, epochs=3, verbose=0, validation_data=data)
        return made.history.history, made.get_weights()

    counted, fixed = in_both(monkeypatch, run)
    assert fixed[0] == counted[0] and set(fixed[0]) == {"loss", "mae", "val_loss", "val_mae"}
    for one, other in zip(fixed[1], counted[1], strict=True):
        np.testing.assert_array_equal(one, other)


class Watch(callbacks.Callback):
    """Notes the batches; may stop, or interrupt, after one."""

    def __init__(self, at: int | None = None, interrupts: bool = False) -> None:
        super().__init__()
        self.at, self.interrupts = at, interrupts
        self.seen: list[Any] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.seen.append(batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append((batch, round(logs["loss"], 5), int(self.model.optimizer.iterations)))
        if batch == self.at and self.interrupts:
            raise KeyboardInterrupt
        self.model.stop_training = batch == self.at

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append((batch, round(logs["loss"], 5)))


@pytest.mark.parametrize(
    ("at", "interrupts", "steps_per_execution"), [(None, False, 3), (5, False, None), (5, True, 3)]
)
def test_batch_hooks_see_the_same_steps(
    monkeypatch: pytest.MonkeyPatch, at: int | None, interrupts: bool, steps_per_execution: Any
) -> None:
    def run() -> Any:
        made, watch = model(steps_per_execution=steps_per_execution), Watch(at, interrupts)
        options: dict[str, Any] = {"batch_size": 4, "epochs": 2, "verbose": 0}
        try:
            made.fit(X, Y, **options, callbacks=[watch], validation_data=(X, Y))
        except KeyboardInterrupt:
            assert interrupts
        return watch.seen, made.get_weights()

    counted, fixed = in_both(monkeypatch, run)
    assert len(fixed[0]) > 3 and fixed[0] == counted[0]
    for one, other in zip(fixed[1], counted[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def spoils_above_ten(y: Any, predictions: Any) -> Any:
    return ops.where(y > 10.0, np.inf, ops.square(predictions - y))


@pytest.mark.parametrize("steps_per_execution", [None, 4])
def test_the_first_step_that_is_not_finite_is_named_and_undone(
    monkeypatch: pytest.MonkeyPatch, steps_per_execution: int | None
) -> None:
    targets = Y.copy()
    targets[4 * 9 + 1] = 11.0

    def run() -> Any:
        made = model(loss=spoils_above_ten, steps_per_execution=steps_per_execution)
        with pytest.raises(NonFiniteError) as raised:
            made.fit(X, targets, batch_size=4, shuffle=False, verbose=0)
        return str(raised.value), int(made.optimizer.iterations), made.get_weights()

    counted, fixed = in_both(monkeypatch, run)
    assert "step 10 of the epoch" in fixed[0] and "from before it" in fixed[0]
    assert fixed[:2] == counted[:2] and fixed[1] == 9
    for one, other in zip(fixed[2], counted[2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_few_programs_serve_every_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_LOOPS", "fixed")
    made = model()
    made.fit(X, Y, batch_size=4, epochs=6, verbose=0)
    first = compilations(made)
    assert first <= 3  # of 2 and 16 steps, and the smaller batch
    made.fit(X[:76], Y[:76], batch_size=4, epochs=3, verbose=0)  # 19 steps
    assert compilations(made) <= first + 3  # one step too; each for the new number of samples


def test_slow_steps_are_run_by_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_LOOPS", "fixed")
    monkeypatch.setattr(pace, "ENOUGH_SECONDS", 0.0)
    made = model()
    made.fit(X[:80], Y[:80], batch_size=4, epochs=4, verbose=0)
    assert compilations(made) == 1


def test_once_the_pace_is_found_nothing_is_waited_for_between_two_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NACRE_LOOPS", "fixed")
    monkeypatch.setattr(pace, "ENOUGH_SECONDS", 0.0)
    monkeypatch.setattr(pace, "SEEN_SECONDS", 100.0)
    monkeypatch.setattr(last_good, "_LEAST_SECONDS", 100.0)  # copying the weights is a look
    fetches: list[int] = []
    get = jax.device_get
    monkeypatch.setattr("jax.device_get", lambda value: (fetches.append(1), get(value))[1])
    made = model()
    made.fit(X, Y, batch_size=4, epochs=1, verbose=0)
    short = len(fetches)
    made.fit(np.repeat(X, 10, axis=0), np.repeat(Y, 10, axis=0), batch_size=4, verbose=0)
    assert len(fetches) == 2 * short  # whatever the number of steps


@pytest.mark.full_effort
def test_predictions_in_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_loop, "LEAST_BATCHES", 20)
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 4 * 24 * 16)
    made = model()
    counted, fixed = in_both(monkeypatch, lambda: made.predict(X[:80].repeat(2, 0), 4, verbose=0))
    np.testing.assert_array_equal(counted, fixed)


def test_a_form_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NACRE_LOOPS", "static")
    with pytest.raises(ArgumentError, match="NACRE_LOOPS: it must be 'counted' or 'fixed'.*static"):
        model().fit(X, Y, verbose=0)
