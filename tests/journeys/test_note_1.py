"""First user note: a dense, a convolutional and a recurrent classifier, saved and loaded as `.h5`.

The snippets stand as the note has them; only the import lines differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nacre.layers import LSTM, Conv2D, Dense, Flatten, MaxPooling2D
from nacre.models import Model, Sequential

NUM_CLASSES = 3


def ann() -> tuple[Model, tuple[int, ...]]:
    input_shape = 12
    num_classes = NUM_CLASSES
    model = Sequential([
        Dense(units=128, activation='relu', input_shape=(input_shape,)),
        Dense(units=num_classes, activation='softmax')
    ])  # fmt: skip
    return model, (input_shape,)


def cnn() -> tuple[Model, tuple[int, ...]]:
    input_shape = (12, 12, 1)
    num_classes = NUM_CLASSES
    model = Sequential([
        Conv2D(32, kernel_size=(3, 3), activation='relu', input_shape=input_shape),
        MaxPooling2D(pool_size=(2, 2)),
        Flatten(),
        Dense(128, activation='relu'),
        Dense(num_classes, activation='softmax')
    ])  # fmt: skip
    return model, input_shape


def rnn() -> tuple[Model, tuple[int, ...]]:
    timesteps, features = 5, 4
    num_classes = NUM_CLASSES
    model = Sequential([
        LSTM(128, input_shape=(timesteps, features)),
        Dense(num_classes, activation='softmax')
    ])  # fmt: skip
    return model, (timesteps, features)


# Weights counted by hand: inputs · outputs + outputs for Dense, 4 gates for LSTM.
NUM_PARAMS = {
    ann: 12 * 128 + 128 + 128 * 3 + 3,
    cnn: 9 * 32 + 32 + 5 * 5 * 32 * 128 + 128 + 128 * 3 + 3,
    rnn: 4 * (4 * 128 + 128 * 128 + 128) + 128 * 3 + 3,
}


def examples(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that differ in their mean, so that any network can learn them."""
    labels = np.arange(48) % NUM_CLASSES
    noise = np.random.default_rng(0).normal(size=(48, *shape))
    return (noise * 0.3 + (labels - 1).reshape(-1, *(1 for _ in shape))).astype("float32"), labels


@pytest.mark.parametrize("build", [ann, cnn, rnn])
def test_the_five_steps_and_the_h5_file(
    build: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, shape = build()
    assert model.count_params() == NUM_PARAMS[build]
    assert model.output_shape == (None, NUM_CLASSES)
    x, y = examples(shape)

    model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])  # fmt: skip
    history = model.fit(x, y, epochs=6, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert loss < np.log(3) and accuracy > 0.6  # better than guessing
    predictions = model.predict(x, verbose=0)
    np.testing.assert_allclose(predictions.sum(axis=-1), 1, rtol=1e-5)  # softmax
    assert (predictions.argmax(axis=-1) == y).mean() == pytest.approx(accuracy)

    model.save('model_name.h5')  # fmt: skip
    from nacre.models import load_model

    loaded_model = load_model('model_name.h5')  # fmt: skip

    assert (tmp_path / "model_name.h5").read_bytes()[:4] == b"\x89HDF"
    np.testing.assert_array_equal(loaded_model.predict(x, verbose=0), predictions)
    assert loaded_model.evaluate(x, y, verbose=0) == pytest.approx([loss, accuracy], rel=1e-5)
