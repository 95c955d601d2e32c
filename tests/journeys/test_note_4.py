"""Fourth user note: the CIFAR-10 network from loading to learning curves, then saving and loading.

Thirty pictures a batch file stand for the data set; everything else runs as the note has it.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

import nacre
from nacre import layers, models
from nacre.datasets import download


class tf:
    """Stands for `import tensorflow as tf`: the note writes `tf.keras.…`."""

    keras = nacre


def pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Class k is a stripe of its own brightness, in bytes; labels have a column, as CIFAR-10's."""
    labels = np.arange(count) % 10
    noise = np.random.default_rng(count).integers(0, 20, (count, 32, 32, 3))
    return (noise + 23 * labels[:, None, None, None]).astype("uint8"), labels[:, None]


@pytest.fixture
def cached_cifar10(cache_folder: Path) -> None:
    """Small files with the names and the layout that the real loader leaves in the cache."""
    folder = cache_folder / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    (folder.parents[1] / "cifar-10-batches-py-target_archive").touch()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        images, labels = pictures(30)
        rows = images.transpose(0, 3, 1, 2).reshape(30, -1)  # red, then green, then blue
        batch = {b"data": rows, b"labels": labels[:, 0].tolist()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def small_cnn() -> models.Model:
    model = models.Sequential([
        layers.Conv2D(32, (3, 3), activation='relu', input_shape=(32, 32, 3)),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(64, activation='relu'),
        layers.Dense(10, activation='softmax')
    ])  # fmt: skip
    return model


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the snippets write to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_cifar10_step_by_step(
    in_folder: Path,
    cached_cifar10: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(download, "_matches", lambda *_: True)  # their digests are not CIFAR-10's
    monkeypatch.setattr(plt, "show", lambda: plt.savefig("curves.png"))

    # Load CIFAR-10 dataset (already in TensorFlow Datasets)
    (x_train, y_train), (x_test, y_test) = tf.keras.datasets.cifar10.load_data()

    assert x_train.shape == (150, 32, 32, 3) and y_train.shape == (150, 1)
    assert x_test.shape == (30, 32, 32, 3) and x_test.dtype == "uint8"

    # Normalize images (scale pixel values to 0–1)
    x_train = x_train / 255.0
    x_test = x_test / 255.0

    model = models.Sequential([
        layers.Conv2D(32, (3, 3), activation='relu', input_shape=(32, 32, 3)),
        layers.MaxPooling2D((2, 2)),

        layers.Conv2D(64, (3, 3), activation='relu'),
        layers.MaxPooling2D((2, 2)),

        layers.Conv2D(64, (3, 3), activation='relu'),

        layers.Flatten(),
        layers.Dense(64, activation='relu'),
        layers.Dense(10, activation='softmax')  # 10 classes in CIFAR-10
    ])  # fmt: skip
    assert [layer.output.shape[1:] for layer in model.layers] == [
        (30, 30, 32), (15, 15, 32), (13, 13, 64), (6, 6, 64), (4, 4, 64), (1024,), (64,), (10,)
    ]  # fmt: skip
    assert model.count_params() == 122_570  # the number that the tutorial's summary shows

    model.compile(optimizer='adam',
                  loss='sparse_categorical_crossentropy',
                  metrics=['accuracy'])  # fmt: skip

    history = model.fit(x_train, y_train, epochs=10,
                        validation_data=(x_test, y_test))  # fmt: skip
    assert set(history.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert [len(values) for values in history.history.values()] == [10] * 4
    assert history.history["loss"][-1] < history.history["loss"][0]

    capsys.readouterr()
    test_loss, test_acc = model.evaluate(x_test, y_test)
    print(f"Test Accuracy: {test_acc:.4f}")
    text = capsys.readouterr().out
    assert text.endswith(f"Test Accuracy: {test_acc:.4f}\n") and "accuracy" in text
    assert test_loss == pytest.approx(history.history["val_loss"][-1], rel=1e-5)
    assert test_acc == pytest.approx(history.history["val_accuracy"][-1])

    plt.plot(history.history['accuracy'], label='train acc')  # fmt: skip
    plt.plot(history.history['val_accuracy'], label='val acc')  # fmt: skip
    plt.xlabel('Epoch')  # fmt: skip
    plt.ylabel('Accuracy')  # fmt: skip
    plt.legend()
    curves = [line.get_ydata() for line in plt.gca().get_lines()]
    plt.show()
    plt.close("all")
    np.testing.assert_array_equal(curves[1], history.history["val_accuracy"])
    assert (in_folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_save_the_entire_model_and_load_it(in_folder: Path) -> None:
    x, y = pictures(40)
    model = small_cnn()
    model.compile(optimizer='adam',
                  loss='sparse_categorical_crossentropy',
                  metrics=['accuracy'])  # fmt: skip
    model.fit(x / 255, y, epochs=2, verbose=0)
    expected, steps = model.predict(x / 255, verbose=0), int(model.optimizer.iterations)
    trained_on = [np.array(v) for v in model.optimizer.variables]

    # After training the model
    model.save("my_cnn_model.h5")  # HDF5 format (.h5 file)

    # Load from .h5 file
    from nacre.models import load_model

    model = load_model('my_cnn_model.h5')  # fmt: skip

    np.testing.assert_array_equal(model.predict(x / 255, verbose=0), expected)
    assert int(model.optimizer.iterations) == steps == 4
    for before, after in zip(trained_on, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, np.asarray(after))
    history = model.fit(x / 255, y, verbose=0)  # the note: "resume training later"
    assert set(history.history) == {"accuracy", "loss"} and int(model.optimizer.iterations) == 6


def test_save_and_load_only_the_weights(in_folder: Path) -> None:
    model = trained = small_cnn()

    # Keras 3 wants the ending `.weights.h5`; tf.keras 2, and so the note, does not.
    model.save_weights('my_cnn_weights.h5')  # fmt: skip

    # Define your model architecture
    model = models.Sequential([
        layers.Conv2D(32, (3, 3), activation='relu', input_shape=(32, 32, 3)),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(64, activation='relu'),
        layers.Dense(10, activation='softmax')
    ])  # fmt: skip
    x = pictures(10)[0] / 255
    different = model.predict(x, verbose=0)

    # Then load weights
    model.load_weights('my_cnn_weights.h5')  # fmt: skip

    expected = trained.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    assert not np.array_equal(expected, different)


def test_weights_of_another_architecture_are_refused(in_folder: Path) -> None:
    """The note: "Model architecture must match exactly!"."""
    small_cnn().save_weights("weights.h5")
    other = models.Sequential([nacre.Input((32, 32, 3)), layers.Flatten(), layers.Dense(10)])
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"weights\.h5"):
        other.load_weights("weights.h5")
    for was, now in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)  # nothing half loaded


def test_the_layers_it_names_with_dropout_and_batch_normalization(in_folder: Path) -> None:
    """The "more professional" CNN that the note ends with."""
    model = models.Sequential([
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.Conv2D(8, (3, 3), activation='relu', input_shape=(32, 32, 3)),
        layers.BatchNormalization(),
        layers.MaxPooling2D((2, 2)),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(10, activation='softmax')
    ])  # fmt: skip
    x, y = pictures(40)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x / 255, y, epochs=1, verbose=0)
    expected = model.predict(x / 255, verbose=0)
    np.testing.assert_array_equal(model.predict(x / 255, verbose=0), expected)  # nothing random
    model.save("augmented.h5")
    again: Any = models.load_model("augmented.h5")
    np.testing.assert_array_equal(again.predict(x / 255, verbose=0), expected)
