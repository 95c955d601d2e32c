"""Third user note, a course: Flatten and Dense on 28 x 28 images, parameter counts, steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre.layers import Dense, Flatten
from nacre.models import Model, Sequential, load_model


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey images, values 0 to 255; class k has its bright row at 2 k."""
    labels = np.arange(count) % 10
    x = np.random.default_rng(0).integers(0, 60, (count, 28, 28))
    x[np.arange(count), labels * 2] = 255
    return x.astype("uint8"), labels


def course_model() -> Sequential:
    return Sequential([
        Flatten(input_shape=(28, 28)),
        Dense(5, activation='relu'),
        Dense(10, activation='softmax'),
    ])  # fmt: skip


def summary_of(model: Model) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return "\n".join(str(line) for line in lines)


def test_summary_counts_connections_and_biases() -> None:
    model = course_model()
    assert [layer.count_params() for layer in model.layers] == [0, 3925, 60]
    text = summary_of(model)
    for word in ("(None, 784)", "(None, 5)", "(None, 10)", "3,925", "60"):
        assert word in text
    assert "Total params: 3,985" in text and "Trainable params: 3,985" in text
    assert "Non-trainable params: 0" in text


class CountSteps(keras.callbacks.Callback):
    """Batches seen in all, and the number of them that fit announces for an epoch."""

    seen = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen += 1


def test_60000_rows_are_1875_steps_of_32(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([keras.Input((4,)), Dense(1)])
    model.compile("sgd", "mse")
    counter = CountSteps()
    x = np.zeros((60000, 4), "float32")
    model.fit(x, x[:, :1], epochs=1, verbose=0, callbacks=[counter])
    assert counter.seen == counter.params["steps"] == 1875 == 60000 // 32
    assert model.optimizer.iterations == 1875


def test_verbose_says_how_much_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = images(64)
    model = course_model()
    model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])  # fmt: skip
    model.fit(x, y, epochs=2, batch_size=32, verbose=0)
    assert capsys.readouterr().out == ""
    for verbose in (1, 2):
        model.fit(x, y, epochs=2, batch_size=32, verbose=verbose)
        text = capsys.readouterr().out
        assert "1/2" in text and "2/2" in text and "accuracy" in text


def test_compile_fit_evaluate_save_and_get_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x_train, labels = images(320)
    x_train, y_train = x_train / 255, keras.utils.to_categorical(labels)
    model = course_model()
    model.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])  # fmt: skip
    history = model.fit(x_train, y_train, epochs=12, batch_size=32, verbose=0)
    assert history.epoch == list(range(12))
    (loss, accuracy) = model.evaluate(x_train, y_train, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert accuracy > 0.3

    model.save('name.h5')  # fmt: skip
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(784, 5), (5,), (5, 10), (10,)]
    again = load_model("name.h5")
    for saved, loaded in zip(weights, again.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, loaded)
    assert again.evaluate(x_train, y_train, verbose=0) == pytest.approx([loss, accuracy], rel=1e-5)


def test_functional_model_for_another_architecture() -> None:
    """The note's "FAPI model": two heads on one body, which a Sequential cannot have."""
    inputs = keras.Input((28, 28))
    hidden = Dense(5, activation="relu")(Flatten()(inputs))
    digit = Dense(10, activation="softmax", name="digit")(hidden)
    is_even = Dense(1, activation="sigmoid", name="is_even")(hidden)
    model = Model(inputs, [digit, is_even])
    assert model.count_params() == 3985 + 6
    model.compile("adam", ["sparse_categorical_crossentropy", "binary_crossentropy"])
    x, y = images(40)
    history = model.fit(x / 255, [y, y % 2 == 0], epochs=1, verbose=0)
    assert {"loss", "digit_loss", "is_even_loss"} == set(history.history)
    assert [p.shape for p in model.predict(x / 255, verbose=0)] == [(40, 10), (40, 1)]
