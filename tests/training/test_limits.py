"""Limits of the process on epochs and batches, to try a script out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import config, layers
from nacre.core.errors import ArgumentError

X, Y = np.ones((40, 2), "float32"), np.ones((40, 1), "float32")


@pytest.fixture(autouse=True)
def lifted() -> Iterator[None]:
    yield
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)


def model() -> Any:
    made = nacre.Sequential([nacre.Input((2,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def batches() -> Iterator[Any]:
    while True:
        yield X[:8], Y[:8]


def test_epochs_and_batches_are_limited_and_that_is_told() -> None:
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    seen: list[int] = []
    hook = nacre.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    made = model()
    with pytest.warns(UserWarning, match="at most") as told:
        history = made.fit(
            X, Y, epochs=5, batch_size=8, verbose=0, callbacks=[hook], validation_data=(X, Y)
        )
    assert [*map(str, (w.message for w in told))] == [
        "Sequential 'sequential'.fit: at most 2 epochs are allowed and done. Got 5 asked for. "
        "nacre.config.set_max_epochs(None) lifts it.",
        "Sequential 'sequential'.fit: at most 3 batches an epoch are allowed and done. Got 5 asked "
        "for. nacre.config.set_max_steps_per_epoch(None) lifts it.",
        "Sequential 'sequential'.fit, validation: at most 3 batches an epoch are allowed and done. "
        "Got 5 asked for. nacre.config.set_max_steps_per_epoch(None) lifts it.",
    ]
    assert history.epoch == [0, 1] and seen == [0, 1, 2] * 2
    with pytest.warns(UserWarning, match=r"evaluate: at most 3 batches"):
        made.evaluate(X, Y, batch_size=8, verbose=0)
    with pytest.warns(UserWarning, match=r"predict: at most 3 batches"):
        assert len(made.predict(X, batch_size=8, verbose=0)) == 24
    with pytest.warns(UserWarning, match=r"at most 3 batches an epoch .* Got all asked for"):
        assert made.fit(batches(), verbose=0).params["steps"] == 3


def test_what_is_below_the_limit_runs_as_it_is() -> None:
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(5)
    made = model()
    assert made.fit(X, Y, epochs=2, batch_size=8, verbose=0).params["steps"] == 5
    assert made.fit(X, Y, steps_per_epoch=2, batch_size=8, verbose=0).params["steps"] == 2
    assert len(made.predict(X, batch_size=8, verbose=0)) == 40
    assert len(made.predict(X[:1], verbose=0)) == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
def test_a_limit_is_a_positive_int(value: Any) -> None:
    with pytest.raises(ArgumentError, match="max_epochs must be a positive int or None"):
        config.set_max_epochs(value)
    with pytest.raises(ArgumentError, match="max_steps_per_epoch must be a positive int or None"):
        config.set_max_steps_per_epoch(value)
    assert config.max_epochs() is config.max_steps_per_epoch() is None


def test_the_environment_sets_limits() -> None:
    code = "from nacre import config; print(config.max_epochs(), config.max_steps_per_epoch())"
    environment = {"KERAS_MAX_EPOCHS": "3", "KERAS_MAX_STEPS_PER_EPOCH": "", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout.split() == [b"3", b"None"], done.stderr
