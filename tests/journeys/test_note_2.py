"""Second user note: every layer, optimizer, loss and compile line it shows, run as written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre


class tf:
    """Stands for `import tensorflow as tf`: the note writes `tf.keras.…` throughout."""

    keras = nacre


num_classes = 4


def new_model(*shape: int) -> Any:
    return tf.keras.Sequential([tf.keras.Input(shape=shape)])


def data(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def fits(model: Any, *shape: int) -> None:
    """One epoch on 8 samples moves the weights, and predictions have the model's shape."""
    x = data(8, *shape)
    before = [np.array(w) for w in model.get_weights()]
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, np.zeros((8, *model.output_shape[1:]), "float32"), verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
    assert changed == [] or any(changed)
    assert model.predict(x, verbose=0).shape == (8, *model.output_shape[1:])


def test_the_input_layer_hidden_layers_and_dropout() -> None:
    model = tf.keras.Sequential([
        tf.keras.layers.InputLayer(input_shape=(10,)),  # Adjust the "10" to match your actual feature count
        #... (other layers will come here)
    ])  # fmt: skip
    model.add(tf.keras.layers.Dense(128, activation='relu'))  # fmt: skip
    model.add(tf.keras.layers.Dense(128, activation='relu'))  # fmt: skip
    model.add(tf.keras.layers.Dense(64, activation='relu'))  # fmt: skip
    model.add(tf.keras.layers.Dropout(0.5))  # Here, 50% of the input units will be set to 0
    assert model.input_shape == (None, 10) and model.output_shape == (None, 64)
    assert model.count_params() == 10 * 128 + 128 + 128 * 128 + 128 + 128 * 64 + 64
    fits(model, 10)


def test_dropout_zeroes_half_in_training_and_nothing_in_prediction() -> None:
    model = new_model(1000)
    model.add(tf.keras.layers.Dropout(0.5))  # Here, 50% of the input units will be set to 0
    ones = np.ones((4, 1000), "float32")
    np.testing.assert_array_equal(model.predict(ones, verbose=0), ones)
    trained = np.asarray(model(ones, training=True))
    assert set(np.unique(trained)) == {0.0, 2.0}
    assert (trained == 0).mean() == pytest.approx(0.5, abs=0.05)


def test_lstm() -> None:
    model = new_model(6, 3)
    model.add(tf.keras.layers.LSTM(50, activation='tanh'))  # fmt: skip
    assert model.output_shape == (None, 50)
    assert model.count_params() == 4 * 50 * (3 + 50 + 1)
    fits(model, 6, 3)


def test_conv2d() -> None:
    model = new_model(8, 8, 3)
    model.add(tf.keras.layers.Conv2D(32, (3, 3), activation='relu'))  # fmt: skip
    assert model.output_shape == (None, 6, 6, 32)
    assert model.count_params() == 3 * 3 * 3 * 32 + 32
    assert model.predict(data(2, 8, 8, 3), verbose=0).min() == 0  # relu
    fits(model, 8, 8, 3)


def test_gru() -> None:
    model = new_model(6, 3)
    model.add(tf.keras.layers.GRU(50, activation='relu'))  # fmt: skip
    assert model.output_shape == (None, 50)
    assert model.count_params() == 3 * 50 * (3 + 50 + 2)  # two biases: reset_after
    fits(model, 6, 3)


def test_attention() -> None:
    layer = tf.keras.layers.Attention()
    query, value = data(2, 3, 4), data(2, 5, 4)
    scores = query @ value.transpose(0, 2, 1)
    weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(layer([query, value]), weights @ value, rtol=1e-4, atol=1e-5)


def test_attention_between_two_inputs_trains() -> None:
    query, value = tf.keras.Input((3, 4)), tf.keras.Input((5, 4))
    attended = tf.keras.layers.Attention()([tf.keras.layers.Dense(4)(query), value])
    model = tf.keras.Model([query, value], attended)
    assert model.output_shape == (None, 3, 4)
    model.compile("adam", "mse")
    history = model.fit([data(8, 3, 4), data(8, 5, 4)], data(8, 3, 4), epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_attention_added_to_a_sequential_says_what_it_needs() -> None:
    model = new_model(3, 4)
    with pytest.raises((ValueError, TypeError), match="query"):
        model.add(tf.keras.layers.Attention())


def test_bidirectional_lstm() -> None:
    model = new_model(6, 3)
    model.add(tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(50)))
    assert model.output_shape == (None, 100)
    assert model.count_params() == 2 * 4 * 50 * (3 + 50 + 1)
    fits(model, 6, 3)


@pytest.mark.parametrize("merge_mode", ["sum", "mul", "concat", "ave"])
def test_bidirectional_merge_modes(merge_mode: str) -> None:
    layer = tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(5), merge_mode=merge_mode)
    assert layer(data(2, 6, 3)).shape == (2, 10 if merge_mode == "concat" else 5)


def test_batch_normalization() -> None:
    model = new_model(7)
    model.add(tf.keras.layers.BatchNormalization())
    x = 5 + 3 * data(256, 7)
    y = np.asarray(model(x, training=True))
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=0), 1, atol=1e-2)
    trainable, other = model.trainable_weights, model.non_trainable_weights
    assert [w.shape for w in trainable] == [(7,)] * 2 == [w.shape for w in other]
    fits(model, 7)


def test_max_and_average_pooling() -> None:
    model = new_model(8, 8, 1)
    model.add(tf.keras.layers.MaxPooling2D(pool_size=(2, 2)))
    model.add(tf.keras.layers.AveragePooling2D(pool_size=(2, 2)))
    image = np.arange(64, dtype="float32").reshape(1, 8, 8, 1)
    largest = image.reshape(4, 2, 4, 2).max(axis=(1, 3))
    expected = largest.reshape(2, 2, 2, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(model.predict(image, verbose=0)[0, ..., 0], expected)


def test_embedding() -> None:
    model = new_model(6)
    model.add(tf.keras.layers.Embedding(input_dim=1000, output_dim=64))
    assert model.output_shape == (None, 6, 64) and model.count_params() == 64_000
    words = np.array([[0, 1, 999, 5, 5, 7]])
    vectors = model.predict(words, verbose=0)
    np.testing.assert_array_equal(vectors[0], model.get_weights()[0][words[0]])


def test_residual_connection() -> None:
    from nacre.layers import add

    inputs = x = tf.keras.Input((5,))
    y = tf.keras.layers.Dense(5, activation="relu")(x)
    # Assuming x is the input tensor and y is the output tensor from a layer
    residual = add([x, y])
    model = tf.keras.Model(inputs, residual)
    values = data(3, 5)
    kernel, bias = model.get_weights()
    expected = values + np.maximum(values @ kernel + bias, 0)
    np.testing.assert_allclose(model.predict(values, verbose=0), expected, rtol=1e-5, atol=1e-5)
    fits(model, 5)


def test_time_distributed() -> None:
    model = new_model(6, 3)
    model.add(tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(8)))
    assert model.output_shape == (None, 6, 8) and model.count_params() == 3 * 8 + 8
    x, (kernel, bias) = data(2, 6, 3), model.get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ kernel + bias, atol=1e-5)
    fits(model, 6, 3)


def test_leaky_relu() -> None:
    model = new_model(4)
    model.add(tf.keras.layers.LeakyReLU(alpha=0.3))
    x = np.array([[-2.0, -1.0, 0.0, 3.0]], "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), [[-0.6, -0.3, 0, 3]], rtol=1e-6)


def test_output_layers() -> None:
    model = new_model(6)
    model.add(tf.keras.layers.Dense(1, activation='sigmoid'))  # fmt: skip
    outputs = model.predict(data(9, 6), verbose=0)
    assert outputs.shape == (9, 1) and ((outputs > 0) & (outputs < 1)).all()
    model = new_model(6)
    model.add(tf.keras.layers.Dense(num_classes, activation='softmax'))  # fmt: skip
    np.testing.assert_allclose(model.predict(data(9, 6), verbose=0).sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: tf.keras.optimizers.SGD(learning_rate=0.01, momentum=0.0, nesterov=False),
        lambda: tf.keras.optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999),
        lambda: tf.keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9),
    ],
    ids=["SGD", "Adam", "RMSprop"],
)
def test_optimizers(optimizer: Any) -> None:
    model = new_model(3)
    model.add(tf.keras.layers.Dense(1))
    model.compile(optimizer=optimizer(), loss="mse")
    x = data(64, 3)
    history = model.fit(x, x.sum(axis=1), epochs=4, batch_size=8, verbose=0)
    losses = history.history["loss"]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 4 and model.optimizer.iterations == 32


def test_the_compilation_example_learns_with_one_hot_targets() -> None:
    model = new_model(num_classes)
    model.add(tf.keras.layers.Dense(128, activation='relu'))  # fmt: skip
    model.add(tf.keras.layers.Dense(num_classes, activation='softmax'))  # fmt: skip
    model.compile(optimizer=tf.keras.optimizers.Adam(learning_rate=0.001),
                  loss='categorical_crossentropy',
                  metrics=['accuracy'])  # fmt: skip
    labels = np.arange(64) % num_classes
    one_hot = tf.keras.utils.to_categorical(labels, num_classes)
    history = model.fit(one_hot + 0.1 * data(64, 4), one_hot, epochs=8, batch_size=8, verbose=0)
    assert set(history.history) == {"accuracy", "loss"}
    assert history.history["accuracy"][-1] > 0.8


def test_the_metrics_it_names() -> None:
    """Accuracy, precision, recall and F1 of a model that answers with its input."""
    model = new_model(1)
    model.add(tf.keras.layers.Activation("linear"))
    metrics = ["accuracy", tf.keras.metrics.Precision(name="precision")]
    metrics += [tf.keras.metrics.Recall(name="recall")]
    metrics += [tf.keras.metrics.F1Score(threshold=0.5, name="f1")]
    model.compile(loss="binary_crossentropy", metrics=metrics)
    guesses = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.3], "float32")[:, None]
    truth = np.array([1, 1, 0, 0, 0, 1], "float32")[:, None]
    logs = model.evaluate(guesses, truth, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["accuracy"], 4 / 6, rtol=1e-6)
    np.testing.assert_allclose(logs["precision"], 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(logs["recall"], 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(np.squeeze(logs["f1"]), 2 / 3, rtol=1e-6)


def test_a_schedule_a_custom_loss_and_a_custom_metric() -> None:
    """What its last section says is possible: rates that adapt, own losses, own metrics."""

    def squared_and_absolute(y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return tf.keras.ops.mean(error**2 + abs(error), axis=-1)

    def largest_error(y_true: Any, y_pred: Any) -> Any:
        return tf.keras.ops.max(abs(y_true - y_pred))

    rate = tf.keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
    model = new_model(2)
    model.add(tf.keras.layers.Dense(1))
    model.compile(tf.keras.optimizers.SGD(rate), squared_and_absolute, metrics=[largest_error])
    x = data(40, 2)
    history = model.fit(x, x[:, :1], epochs=4, batch_size=4, verbose=0)
    assert set(history.history) == {"largest_error", "loss"}
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 * 0.5**4)
