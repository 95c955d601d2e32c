"""`.h5` files for tf.keras 2.15: its configs within, and nacre opens them exactly.

What tf.keras makes of them is tried by `tests.reference.check_saved_models`.
"""

import json

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, SerializationError

X = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4)
Y = X[:, :1]


def stack(optimizer="adam"):
    layers = nacre.layers
    first = layers.Dense(3, activation="relu", kernel_regularizer="l2")
    parts = [first, layers.BatchNormalization(), layers.LeakyReLU(), layers.Dense(1)]
    model = nacre.Sequential([nacre.Input((4,), name="features"), *parts])
    model.compile(optimizer, "mse")
    return model


def attribute(path, name):
    with h5py.File(path) as file:
        return json.loads(file.attrs[name])


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "nadam", "adafactor"])
def test_a_file_for_keras2_comes_back_as_the_same_model_that_goes_on_training(tmp_path, optimizer):
    model, path = stack(optimizer), tmp_path / "m.h5"
    model.fit(X, Y, verbose=0)
    model.save(path, compat="keras-2.15")
    again = nacre.models.load_model(path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    losses = [m.fit(X, Y, shuffle=False, verbose=0).history["loss"] for m in (model, again)]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_it_has_configs_and_lists_of_keras2(tmp_path):
    model, path = stack("adamw"), tmp_path / "m.h5"
    model.fit(X, Y, verbose=0)
    model.save(path, compat="keras-2.15")
    first, dense, _, leaky, _ = attribute(path, "model_config")["config"]["layers"]
    assert first["config"]["batch_input_shape"] == [None, 4]
    assert dense["config"]["kernel_regularizer"]["class_name"] == "L2"
    assert "alpha" in leaky["config"]
    training = attribute(path, "training_config")["optimizer_config"]
    assert training["class_name"] == "Custom>AdamW"
    with h5py.File(path) as file:
        assert file.attrs["keras_version"] == "2.15.0"
        names = list(file["optimizer_weights"].attrs["weight_names"])
    assert "iteration" in names[0]
    assert not any("learning_rate" in name for name in names)


def test_vocabularies_stand_in_the_config_as_keras2_takes_them(tmp_path):
    layers, path = nacre.layers, tmp_path / "m.h5"
    words = layers.TextVectorization(output_sequence_length=3)
    words.adapt(["a b c", "b c"])
    inputs = nacre.Input((1,), dtype="string")
    model = nacre.Model(inputs, layers.Embedding(9, 2)(words(inputs)))
    model.save(path, compat="keras-2.15")
    config = attribute(path, "model_config")["config"]["layers"][1]["config"]
    assert config["dtype"] == "string"
    assert {"a", "b", "c"} < set(config["vocabulary"])
    texts = np.array([["c a"], ["z b"]])
    again = nacre.models.load_model(path)
    np.testing.assert_array_equal(again.predict(texts, verbose=0), model.predict(texts, verbose=0))


def test_layers_within_models_are_called_with_the_names_of_their_arguments(tmp_path):
    inner = nacre.Input((3, 8))
    attended = nacre.layers.MultiHeadAttention(2, 4)(inner, inner)
    block = nacre.Model(inner, nacre.layers.LayerNormalization()(attended + inner))
    inputs = nacre.Input((3, 8))
    model = nacre.Model(inputs, block(block(inputs)))
    model.save(tmp_path / "m.h5", compat="keras-2.15")
    (output,) = attribute(tmp_path / "m.h5", "model_config")["config"]["output_layers"]
    assert output == [block.name, 2, 0]  # the first is that which made it
    x = np.random.default_rng(0).random((2, 3, 8)).astype("float32")
    again = nacre.models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_layer_that_keras2_has_not_is_told_with_another_way(tmp_path):
    model = nacre.Sequential([nacre.Input((4,)), nacre.layers.RMSNormalization()])
    with pytest.raises(SerializationError, match=r"class RMSNormalization.*Save a folder"):
        model.save(tmp_path / "m.h5", compat="keras-2.15")
    assert not list(tmp_path.iterdir())


def test_an_optimizer_that_keras2_has_not_is_a_warning(tmp_path):
    model = stack("lamb")
    with pytest.warns(UserWarning, match="opens uncompiled"):
        model.save(tmp_path / "m.h5", compat="keras-2.15")
    with h5py.File(tmp_path / "m.h5") as file:
        assert "training_config" not in file.attrs


@pytest.mark.parametrize(("name", "given"), [("m.keras", "keras-2.15"), ("m.h5", "keras-1")])
def test_what_it_is_not_for_is_refused(tmp_path, name, given):
    with pytest.raises(ArgumentError, match=r"keras-2\.15"):
        stack().save(tmp_path / name, compat=given)


def test_statistics_that_keras2_takes_otherwise_are_told(tmp_path):
    inner = nacre.layers.TimeDistributed(nacre.layers.BatchNormalization(), name="steps")
    model = nacre.Sequential([nacre.Input((3, 4)), inner])
    with pytest.warns(UserWarning, match="of all steps at once.*steps"):
        model.save(tmp_path / "m.h5", compat="keras-2.15")


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (lambda k: k.layers.LSTM(2, recurrent_activation="hard_sigmoid"), "slope is 0.2 there"),
        (lambda k: k.layers.Dense(2, activation="squareplus"), "activation='squareplus'"),
    ],
)
def test_activations_that_keras2_has_not_or_has_others_of_are_told(layer, told, tmp_path):
    model = nacre.Sequential([nacre.Input((3, 4)), layer(nacre)])
    with pytest.raises(SerializationError, match=told):
        model.save(tmp_path / "m.h5", compat="keras-2.15")


def test_the_old_hard_sigmoid_has_its_name_there(tmp_path):
    layer = nacre.layers.Activation("hard_sigmoid_keras2")
    nacre.Sequential([nacre.Input((3,)), layer]).save(tmp_path / "m.h5", compat="keras-2.15")
    layers = attribute(tmp_path / "m.h5", "model_config")["config"]["layers"]
    assert layers[1]["config"]["activation"] == "hard_sigmoid"
    again = nacre.models.load_model(tmp_path / "m.h5")
    x = np.linspace(-4, 4, 9, dtype="float32").reshape(3, 3)
    np.testing.assert_array_equal(again(x), layer(x))


def test_masks_that_attention_takes_by_name_have_no_form_there(tmp_path):
    x, mask = nacre.Input((3, 4)), nacre.Input((3,), dtype="bool")
    attended = nacre.layers.MultiHeadAttention(2, 4)(x, x, value_mask=mask)
    with pytest.raises(SerializationError, match="value_mask"):
        nacre.Model([x, mask], attended).save(tmp_path / "m.h5", compat="keras-2.15")
