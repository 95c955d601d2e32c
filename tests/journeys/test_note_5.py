"""Fifth user note: eight kinds of network, each built, trained, saved and loaded, and callbacks."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau

ROWS = 32


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(ROWS, *shape)).astype("float32")


@keras.saving.register_keras_serializable("journeys")
class AddPlaces(layers.Layer):
    """Adds a learnt vector to every place of a sequence."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.places = self.add_weight(name="places", shape=input_shape[1:], initializer="uniform")

    def call(self, inputs: Any) -> Any:
        return inputs + self.places


def sequential_ann() -> tuple[Any, Any, Any, str]:
    """Input → Layer1 → Layer2 → Layer3 → Output."""
    model = keras.Sequential([keras.Input((6,))])
    for units in (16, 8, 4):
        model.add(layers.Dense(units, activation="tanh"))
    model.add(layers.Dense(1))
    return model, data(6), data(1, seed=1), "mse"


def cnn() -> tuple[Any, Any, Any, str]:
    """Conv → Pool → Conv → Pool → Dense → Output."""
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return model, data(12, 12, 1), np.arange(ROWS) % 3, "sparse_categorical_crossentropy"


def rnn() -> tuple[Any, Any, Any, str]:
    """A sequence of 5 steps → the step after it."""
    model = keras.Sequential(
        [
            keras.Input((5, 1)),
            layers.SimpleRNN(8, return_sequences=True),
            layers.GRU(8),
            layers.Dense(1),
        ]
    )
    steps = np.sin(np.arange(ROWS)[:, None] + np.arange(6))[..., None].astype("float32")
    return model, steps[:, :5], steps[:, 5], "mse"


def transformer_encoder() -> tuple[Any, Any, Any, str]:
    """Words and places → self-attention and feed-forward, each with its skip → class."""
    words = keras.Input((7,), dtype="int32")
    x = AddPlaces()(layers.Embedding(50, 8)(words))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x))
    hidden = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
    x = layers.LayerNormalization()(x + hidden)
    outputs = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    indices = np.random.default_rng(0).integers(0, 50, (ROWS, 7))
    labels = indices[:, 0] % 2
    return keras.Model(words, outputs), indices, labels, "sparse_categorical_crossentropy"


def residual() -> tuple[Any, Any, Any, str]:
    """Two blocks with skips; the second changes the channels, so its skip is projected."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    for channels in (4, 6):
        skip = x if x.shape[-1] == channels else layers.Conv2D(channels, 1)(x)
        y = layers.ReLU()(
            layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(x))
        )
        x = layers.add([skip, layers.Conv2D(channels, 3, padding="same")(y)])
    outputs = layers.Dense(1)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), data(8, 8, 3), data(1, seed=1), "mse"


def multi_input_output() -> tuple[Any, Any, Any, Any]:
    """Input1 → subnet1, Input2 → subnet2, merged, then output1 and output2."""
    first, second = keras.Input((4,), name="input1"), keras.Input((6, 6, 1), name="input2")
    subnet2 = layers.Flatten()(layers.Conv2D(2, 3)(second))
    merged = layers.concatenate([layers.Dense(5, activation="relu")(first), subnet2])
    outputs = {
        "output1": layers.Dense(1, name="output1")(merged),
        "output2": layers.Dense(2, activation="softmax", name="output2")(merged),
    }
    model = keras.Model({"input1": first, "input2": second}, outputs)
    x = {"input1": data(4), "input2": data(6, 6, 1)}
    y = {"output1": data(1, seed=1), "output2": np.arange(ROWS) % 2}
    return model, x, y, {"output1": "mse", "output2": "sparse_categorical_crossentropy"}


def autoencoder() -> tuple[Any, Any, Any, str]:
    """Input → Encoder → Latent → Decoder → Reconstruction, of two models."""
    encoder = keras.Sequential(
        [keras.Input((10,)), layers.Dense(6, activation="relu"), layers.Dense(3)], name="encoder"
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), layers.Dense(6, activation="relu"), layers.Dense(10)], name="decoder"
    )
    inputs = keras.Input((10,))
    x = data(10)
    return keras.Model(inputs, decoder(encoder(inputs))), x, x, "mse"


def siamese() -> tuple[Any, Any, Any, str]:
    """Input A and Input B → one network → distance → output."""
    network = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(4, name="twin_end")],
        name="twin",
    )
    a, b = keras.Input((6,)), keras.Input((6,))
    distance = ops.sqrt(ops.sum((network(a) - network(b)) ** 2, axis=-1, keepdims=True) + 1e-6)
    outputs = layers.Dense(1, activation="sigmoid")(distance)
    model = keras.Model([a, b], outputs)
    same = np.arange(ROWS) % 2
    x = data(6)
    other = np.where(same[:, None] == 1, x, data(6, seed=1))
    return model, [x, other], same, "binary_crossentropy"


VARIANTS = [
    sequential_ann,
    cnn,
    rnn,
    transformer_encoder,
    residual,
    multi_input_output,
    autoencoder,
    siamese,
]


@pytest.mark.parametrize("build", VARIANTS, ids=lambda build: build.__name__)
def test_variant_learns_and_is_the_same_after_reload(
    build: Callable[[], tuple[Any, Any, Any, Any]], tmp_path: Path
) -> None:
    model, x, y, loss = build()
    model.compile(keras.optimizers.Adam(0.01), loss)
    before = [np.array(weight) for weight in model.trainable_weights]
    history = model.fit(x, y, epochs=10, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        # A key's bias shifts all scores of a query alike, which softmax does not see; the last
        # bias of the twins drops out of the difference of their outputs.
        if not weight.path.endswith(("key/bias", "twin_end/bias")):
            assert not np.array_equal(weight, old), weight.path
    expected = keras.tree.flatten(model.predict(x, verbose=0))
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        again = keras.models.load_model(tmp_path / name)
        assert type(again) is type(model) and again.count_params() == model.count_params()
        for old, new in zip(expected, keras.tree.flatten(again.predict(x, verbose=0)), strict=True):
            np.testing.assert_array_equal(old, new)


def test_multi_output_logs_every_head() -> None:
    model, x, y, loss = multi_input_output()
    model.compile("sgd", loss, metrics={"output2": ["accuracy"]})
    history = model.fit(x, y, verbose=0)
    assert set(history.history) == {"loss", "output1_loss", "output2_loss", "output2_accuracy"}
    total = history.history["output1_loss"][0] + history.history["output2_loss"][0]
    assert history.history["loss"][0] == pytest.approx(total, rel=1e-5)
    assert {k: v.shape for k, v in model.predict(x, verbose=0).items()} == {
        "output1": (ROWS, 1),
        "output2": (ROWS, 2),
    }


def test_autoencoder_parts_work_alone() -> None:
    model, x, _, _ = autoencoder()
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    latent = encoder.predict(x, verbose=0)
    assert latent.shape == (ROWS, 3)
    whole = model.predict(x, verbose=0)
    np.testing.assert_allclose(decoder.predict(latent, verbose=0), whole, rtol=1e-5, atol=1e-6)


def test_siamese_shares_its_network_and_is_symmetric() -> None:
    model, (a, b), _, _ = siamese()
    assert model.count_params() == (6 * 8 + 8) + (8 * 4 + 4) + 2  # the network counts once
    there, back = model.predict([a, b], verbose=0), model.predict([b, a], verbose=0)
    np.testing.assert_allclose(there, back, rtol=1e-5)


def test_siamese_distance_in_a_lambda_layer() -> None:
    network = layers.Dense(4)
    a, b = keras.Input((6,)), keras.Input((6,))
    distance = layers.Lambda(lambda pair: ops.norm(pair[0] - pair[1], axis=-1, keepdims=True))
    model = keras.Model([a, b], distance([network(a), network(b)]))
    x, other = data(6), data(6, seed=1)
    expected = np.linalg.norm((x - other) @ network.get_weights()[0], axis=-1, keepdims=True)
    np.testing.assert_allclose(model.predict([x, other], verbose=0), expected, rtol=1e-4)


# ---------------------------------------------------------------- callbacks


def line_model(learning_rate: float = 0.05) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate), "mse", metrics=["mae"])
    return model


X = data(2)
Y = X @ np.array([[1.0], [-2.0]], "float32")


def test_early_stopping_ends_at_patience_and_gives_the_best_weights_back() -> None:
    """Training rows pull away from validation rows, so validation only gets worse."""
    model = line_model()
    model.fit(X, Y, epochs=30, verbose=0)
    best = model.evaluate(X, Y, verbose=0)[0]
    stopping = EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True)
    history = model.fit(X, -Y, epochs=100, validation_data=(X, Y), callbacks=[stopping], verbose=0)
    assert len(history.epoch) == 11 and stopping.stopped_epoch == 10
    values = history.history["val_loss"]
    assert values[0] == min(values) > best
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(values[0], rel=1e-4)


def test_model_checkpoint_keeps_the_best_model(tmp_path: Path) -> None:
    model = line_model(0.3)
    path = tmp_path / "best.keras"
    keep = ModelCheckpoint(path, monitor="val_loss", save_best_only=True)
    history = model.fit(X, Y, epochs=4, validation_data=(X, Y), callbacks=[keep], verbose=0)
    model.fit(X, 5 * Y, epochs=3, validation_data=(X, Y), callbacks=[keep], verbose=0)
    again = keras.models.load_model(path)
    best = min(history.history["val_loss"])
    assert again.evaluate(X, Y, verbose=0)[0] == pytest.approx(best, rel=1e-4)
    assert model.evaluate(X, Y, verbose=0)[0] > best


def test_model_checkpoint_writes_one_file_an_epoch(tmp_path: Path) -> None:
    every = ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.3f}.weights.h5", save_weights_only=True)
    model = line_model()
    history = model.fit(X, Y, epochs=3, callbacks=[every], verbose=0)
    losses = history.history["loss"]
    expected = [f"{i + 1:02d}-{loss:.3f}.weights.h5" for i, loss in enumerate(losses)]
    assert sorted(path.name for path in tmp_path.iterdir()) == expected
    other = line_model()
    other.load_weights(tmp_path / expected[-1])
    np.testing.assert_array_equal(other.predict(X, verbose=0), model.predict(X, verbose=0))


def test_reduce_lr_on_plateau_lowers_the_rate_when_nothing_improves() -> None:
    model = line_model(0.1)
    lower = ReduceLROnPlateau(monitor="loss", factor=0.5, patience=2, min_delta=1e9, min_lr=0.03)
    history = model.fit(X, Y, epochs=8, callbacks=[lower], verbose=0)
    # The first epoch is the best of all; then every second one halves, down to the floor.
    rates = history.history["learning_rate"]
    np.testing.assert_allclose(rates, [0.1] * 3 + [0.05] * 2 + [0.03] * 3, rtol=1e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.03)


def test_csv_logger_writes_what_history_has(tmp_path: Path) -> None:
    model = line_model()
    path = tmp_path / "log.csv"
    history = model.fit(
        X, Y, epochs=3, validation_split=0.25, callbacks=[CSVLogger(path)], verbose=0
    )
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for name, values in history.history.items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-6)
    model.fit(
        X, Y, epochs=2, validation_split=0.25, callbacks=[CSVLogger(path, append=True)], verbose=0
    )
    assert len(path.read_text().splitlines()) == 1 + 3 + 2  # one header


def test_a_callback_is_called_at_every_point_the_note_lists() -> None:
    calls: list[str] = []

    class Hooks(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            calls.append("begin")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            calls.append(f"epoch {epoch}")
            assert set(logs) == {"loss", "mae"}
            self.model.stop_training = epoch == 1

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            calls.append(f"<{batch}")

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(f"{batch}>")

        def on_train_end(self, logs: Any = None) -> None:
            calls.append("end")

    line_model().fit(X, Y, epochs=9, batch_size=16, callbacks=[Hooks()], verbose=0)
    one_epoch = ["<0", "0>", "<1", "1>"]
    assert calls == ["begin", *one_epoch, "epoch 0", *one_epoch, "epoch 1", "end"]
