"""What has no weights is built from the start; what has some, after its first shape."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers

WITHOUT_WEIGHTS = [
    layers.Dropout(0.5), layers.Flatten(), layers.ReLU(), layers.Activation("relu"), layers.MaxPooling2D(),
    layers.GlobalAveragePooling2D(), layers.Concatenate(), layers.Add(), layers.Dot(1), layers.Rescaling(2.0),
    layers.RandomFlip(), layers.Hashing(3), layers.Softmax(), layers.Reshape((2,)), layers.Masking(),
    layers.ZeroPadding2D(), layers.Lambda(nacre.ops.abs), layers.UpSampling2D(), layers.Sampling(), layers.GaussianNoise(0.1),
]  # fmt: skip
WITH_WEIGHTS = [
    layers.Dense(2), layers.BatchNormalization(), layers.LSTM(2), layers.Embedding(3, 2), layers.PReLU(),
    layers.TimeDistributed(layers.Dense(2)), layers.Bidirectional(layers.LSTM(2)), layers.Normalization(),
    layers.MultiHeadAttention(1, 2), layers.Conv2D(2, 3),
]  # fmt: skip
named = lambda layer: type(layer).__name__


@pytest.mark.parametrize("layer", WITHOUT_WEIGHTS, ids=named)
def test_a_layer_without_weights_is_built_from_the_start(layer):
    assert layer.built and layer.count_params() == 0
    assert type(layer).from_config(layer.get_config()).built


@pytest.mark.parametrize("layer", WITH_WEIGHTS, ids=named)
def test_a_layer_with_weights_is_built_after_its_first_shape(layer):
    assert not layer.built


def test_a_layer_of_the_users_own_is_built_after_its_first_call():
    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs

    layer = Mine()
    assert not layer.built
    layer(np.ones((1, 2)))
    assert layer.built


def test_a_derived_layer_that_makes_weights_in_its_call_gets_them():
    class Scaled(layers.Dropout):
        def call(self, inputs, training=False):
            if not hasattr(self, "scale"):
                self.scale = self.add_weight(shape=(), initializer="ones")
            return inputs * self.scale

    layer = Scaled(0.5)
    layer(np.ones((1, 2)))
    assert layer.built and len(layer.weights) >= 1


def test_shapes_that_do_not_fit_are_still_refused_by_a_layer_without_weights():
    with pytest.raises(ValueError, match="Concatenate"):
        layers.Concatenate()([np.ones((1, 2, 3)), np.ones((1, 3, 3))])


def test_a_stack_of_layers_without_weights_tells_no_unbuilt_layers(capsys):
    nacre.Sequential([layers.Flatten(), layers.Dropout(0.2)]).summary()
    assert "unbuilt" not in capsys.readouterr().out


def test_a_layer_without_weights_remembers_the_shape_it_was_used_with():
    layer = layers.Flatten()
    layer(np.ones((2, 3, 4)))
    assert layer.get_build_config() == {"input_shape": (2, 3, 4)}


@pytest.mark.parametrize("function", [nacre.ops.abs, nacre.ops.squeeze, nacre.activations.relu])
def test_a_lambda_of_a_function_of_nacre_comes_back_from_its_config(function):
    config = layers.Lambda(function).get_config()
    assert layers.Lambda.from_config(config).function is function
    # Files written before held the name alone.
    assert layers.Lambda.from_config({**config, "function": function.__name__}).function is not None


def test_a_model_with_a_lambda_of_an_op_opens_again(tmp_path):
    model = nacre.Sequential([nacre.Input((3,)), layers.Lambda(nacre.ops.abs)])
    model.save(tmp_path / "model.keras")
    found = nacre.models.load_model(tmp_path / "model.keras").predict(-np.ones((2, 3)), verbose=0)
    assert found.tolist() == np.ones((2, 3)).tolist()


def test_a_stack_without_layers_or_shape_is_told_what_it_lacks():
    empty = nacre.Sequential([nacre.Input((3,))])
    for side in ("input", "output"):
        with pytest.raises(AttributeError, match=rf"no {side}s before it has layers.*Call add\(\)"):
            getattr(empty, side)
    with pytest.raises(
        AttributeError, match=r"no outputs before it is built.*Begin with nacre.Inp"
    ):
        nacre.Sequential([layers.Dense(2)]).output_shape  # noqa: B018
    with pytest.raises(AttributeError, match=r"no outputs before .*Call it on nacre.Input"):
        layers.Dense(2).output  # noqa: B018
    inner = nacre.Sequential([layers.Dense(2)])
    inner(nacre.Input((3,)))
    assert inner.output_shape == (None, 2)
    empty.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="without variables. Give it layers that have some"):
        empty.fit(np.ones((2, 3)), np.ones((2, 3)), verbose=0)
