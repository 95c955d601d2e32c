"""Mistakes that everybody makes once: told at the first step or before, with the way out."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import (
    ArgumentError,
    LossInputError,
    NonFiniteError,
    ShapeError,
    TracedValueError,
)

X, Y = np.ones((4, 4), "float32"), np.ones((4, 1), "float32")


def dense(units=1, activation=None, loss="mse", **arguments):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(units, activation=activation)])
    model.compile("sgd", loss, **arguments)
    return model


def warned(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught]


# ------------------------------------------------------------------ last layer against loss


@pytest.mark.parametrize(
    "last",
    [
        [layers.Dense(1, "softmax")],
        [layers.Dense(1), layers.Softmax()],
        [layers.Dense(1), layers.Activation("softmax")],
    ],
)
def test_a_softmax_over_one_unit_warns_when_the_model_is_made(last):
    told = warned(lambda: nacre.Sequential([nacre.Input((4,)), *last]))
    assert len(told) == 1 and "activation='sigmoid'" in told[0]


def test_a_softmax_over_one_unit_warns_in_a_subclassed_model_too():
    class Mine(nacre.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(1, "softmax")

        def call(self, inputs):
            return self.head(inputs)

    assert any("sigmoid" in text for text in warned(lambda: Mine()(X)))


def test_a_softmax_over_the_steps_of_a_single_step_is_no_mistake():
    assert warned(lambda: layers.Softmax(axis=1)(np.ones((2, 1, 3), "float32"))) == []


SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


@pytest.mark.parametrize(
    ("activation", "loss", "fix"),
    [
        ("sigmoid", SPARSE, "activation='softmax'"),
        ("relu", SPARSE, "activation='softmax'"),
        ("tanh", BINARY, "activation='sigmoid'"),
        ("relu", BINARY, "activation='sigmoid'"),
        (None, SPARSE, "from_logits=True"),
        ("log_softmax", SPARSE, "activation='softmax'"),
    ],
)
def test_an_activation_that_contradicts_the_loss_is_told_before_the_first_step(
    activation, loss, fix
):
    model = dense(3, activation, loss)
    y = np.zeros((4,), "int32") if loss == SPARSE else np.zeros((4, 3))

    def fit():
        with contextlib.suppress(NonFiniteError):  # outputs of 0 everywhere have no logarithm
            model.fit(X, y, verbose=0)

    (told,) = warned(fit)
    assert loss in told and "dense" in told and fix in told


@pytest.mark.parametrize(
    ("activation", "loss"),
    [("softmax", SPARSE), ("sigmoid", BINARY), ("softmax", BINARY), ("relu", "mse")],
)
def test_an_activation_that_fits_the_loss_is_not_remarked_on(activation, loss):
    model = dense(3, activation, loss)
    y = np.zeros((4,), "int32") if loss == SPARSE else np.zeros((4, 3))
    assert warned(lambda: model.fit(X, y, verbose=0)) == []


def outputs(kind):
    x = nacre.Input((4,))
    logits = layers.Dense(3)(x)
    return x, {
        "layer": lambda: layers.Softmax()(logits),
        "op": lambda: ops.softmax(logits),
        "nested": lambda: nacre.Sequential([layers.Dense(3, "softmax")])(logits),
        "with a dtype": lambda: layers.Activation("linear", dtype="float32")(
            layers.Dense(3, "softmax")(x)
        ),
        "reshaped": lambda: layers.Reshape((3,))(layers.Dense(3, "softmax")(x)),
    }[kind]()


@pytest.mark.parametrize("kind", ["layer", "op", "nested", "with a dtype", "reshaped"])
def test_a_softmax_is_seen_wherever_it_stands(kind):
    model = nacre.Model(*outputs(kind))
    model.compile("sgd", nacre.losses.SparseCategoricalCrossentropy(from_logits=True))
    (told,) = warned(lambda: model.fit(X, np.zeros((4,), "int32"), verbose=0))
    assert "already applies softmax" in told
    model.compile("sgd", SPARSE)
    assert warned(lambda: model.fit(X, np.zeros((4,), "int32"), verbose=0)) == []


def test_one_sigmoid_unit_with_sparse_cross_entropy_is_told_the_binary_loss():
    with (
        pytest.warns(UserWarning, match="sigmoid"),
        pytest.raises(LossInputError, match="loss='binary_crossentropy'"),
    ):
        dense(1, "sigmoid", SPARSE).fit(X, np.array([0, 1, 0, 1]), verbose=0)


# ------------------------------------------------------------------ layers that do not follow


@pytest.mark.parametrize("second", [layers.LSTM(2), layers.Conv1D(2, 2), layers.SimpleRNN(2)])
@pytest.mark.parametrize(
    "first", [layers.LSTM(3), layers.GRU(3), layers.Bidirectional(layers.LSTM(3))]
)
def test_a_layer_behind_a_last_step_advises_return_sequences(first, second):
    with pytest.raises(ShapeError) as caught:
        second(type(first).from_config(first.get_config())(nacre.Input((5, 4))))
    assert "Pass return_sequences=True to" in str(caught.value)
    assert "x[..., None]" not in str(caught.value)


def test_time_distributed_behind_a_last_step_advises_return_sequences():
    with pytest.raises(ShapeError, match="return_sequences=True"):
        layers.TimeDistributed(layers.Dense(2))(layers.LSTM(3)(nacre.Input((5, 4))))


def test_a_missing_channel_axis_is_still_told():
    with pytest.raises(ShapeError, match=re.escape("x[..., None]")):
        layers.Conv2D(2, 3)(nacre.Input((8, 8)))


@pytest.mark.parametrize(
    ("loss", "targets", "units"),
    [
        (SPARSE, np.array([0, 1]), 3),
        (SPARSE, np.array([[0], [1]]), 3),
        ("categorical_crossentropy", np.eye(3)[:2], 3),
        ("mse", np.ones((2, 1)), 1),
        ("mse", np.ones(2), 1),
    ],
)
def test_dense_behind_a_convolution_is_told_to_flatten_or_pool(loss, targets, units):
    end = None if loss == "mse" else "softmax"
    body = [layers.Conv2D(2, 3), layers.Dense(units, end)]
    model = nacre.Sequential([nacre.Input((5, 5, 1)), *body])
    model.compile("sgd", loss)
    with pytest.raises(LossInputError) as caught:
        model.fit(np.ones((2, 5, 5, 1)), targets, verbose=0)
    assert "Flatten() or GlobalAveragePooling2D()" in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [(SPARSE, np.array([0, 1])), ("categorical_crossentropy", np.eye(3)[:2])],
)
def test_every_step_predicted_where_one_target_is_given_is_told(loss, targets):
    model = nacre.Sequential([nacre.Input((5, 4)), layers.Dense(3, "softmax")])
    model.compile("sgd", loss)
    with pytest.raises(LossInputError) as caught:
        model.fit(np.ones((2, 5, 4)), targets, verbose=0)
    assert "return_sequences=False" in str(caught.value)


# ------------------------------------------------------------------ values of traced tensors


class AsksForNumpy(layers.Layer):
    def call(self, inputs):
        return inputs * inputs.numpy().mean()


def numpy_in_a_loss(y_true, y_pred):
    return (y_true - y_pred).numpy().mean()


def numpy_in_a_metric(y_true, y_pred):
    return y_pred.numpy().mean()


def train(layer=None, **arguments):
    model = nacre.Sequential([nacre.Input((4,)), *([layer] if layer else []), layers.Dense(1)])
    model.compile("sgd", **({"loss": "mse"} | arguments))
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (lambda: train(AsksForNumpy()), "inputs * inputs.numpy().mean()"),
        (lambda: train(loss=numpy_in_a_loss), "(y_true - y_pred).numpy().mean()"),
        (lambda: train(metrics=[numpy_in_a_metric]), "return y_pred.numpy().mean()"),
    ],
    ids=["call", "loss", "metric"],
)
def test_numpy_of_a_traced_tensor_is_told_with_its_line(run, line):
    with pytest.raises(TracedValueError) as caught:
        run()
    text = str(caught.value)
    assert line in text and "`.numpy`" in text and "nacre.ops" in text
    assert "Tracer" not in text


def test_a_misspelt_attribute_of_a_traced_tensor_does_not_speak_of_tracers():
    def loss(y_true, y_pred):
        return y_pred.shap

    with pytest.raises(TracedValueError, match=r"`\.shap` of a tensor"):
        train(loss=loss)


# ------------------------------------------------------------------ misspelt names


@pytest.mark.parametrize(
    ("run", "near"),
    [
        (lambda m: m.fit(X, Y, epoch=3), "epochs"),
        (lambda m: m.fit(X, Y, validation_dat=(X, Y)), "validation_data"),
        (lambda m: m.evaluate(X, Y, batchsize=3), "batch_size"),
        (lambda m: m.predict(X, verbos=0), "verbose"),
        (lambda m: m.compile("sgd", "mse", metric=["mae"]), "metrics"),
        (lambda m: m.save_weights("a.weights.h5", over_write=True), "overwrite"),
        (lambda m: m.load_weights("a.weights.h5", skip_mismatches=True), "skip_mismatch"),
        (lambda m: m.quantize("int8", filter=None), "filters"),
        (lambda m: layers.Dense(3, activaton="relu"), "activation"),
        (lambda m: nacre.optimizers.Adam(learning_rat=0.1), "learning_rate"),
        (lambda m: nacre.Variable([1.0], trainabel=False), "trainable"),
        (lambda m: m.layers[0].add_weight(shap=(2,)), "shape"),
        (lambda m: nacre.random.SeedGenerator(sed=1), "seed"),
    ],
)
def test_a_misspelt_argument_gets_the_nearest(run, near):
    with pytest.raises(ArgumentError, match=rf"Did you mean '{near}'"):
        run(dense())


def test_several_unknown_arguments_are_told_at_once():
    with pytest.raises(ArgumentError) as caught:
        dense().fit(X, Y, epoch=3, batchsize=2)
    text = str(caught.value)
    assert "epoch=3, batchsize=2" in text and "'epochs' for 'epoch'" in text


def test_a_misspelt_name_of_a_module_gets_the_nearest_from_us_or_from_python():
    code = "import nacre\ntry: nacre.layers.Desne\nfinally: nacre.ops.softmx"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.search("Did you mean:? 'Dense'", done.stderr)
    assert re.search("Did you mean:? 'softmax'", done.stderr)
