"""Layers, metrics and variables kept under names that nacre uses itself: they are tracked and saved
like others, or refused at the assignment; never left out without a word.
"""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, losses, metrics
from nacre.core.errors import NacreError, ReservedNameError

X, Y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
# Names of nacre's own, whether public or not, that a user may come upon.
REFUSED = """layers weights variables trainable_variables non_trainable_variables trainable_weights
    non_trainable_weights metrics metrics_names losses path dtype compute_dtype variable_dtype input
    output quantization_mode built trainable dtype_policy run_eagerly history stop_training compiled
    _path _built _losses _programs _trainer _graph _initial_weights _trainable""".split()
FREE = """inputs outputs input_shape output_shape input_names output_names state updates iterations
    submodules operations loss_weights autocast supports_masking steps_per_execution _layers
    _metrics""".split()


def model_with(name, part):
    class Kept(nacre.Model):
        def __init__(self):
            super().__init__()
            setattr(self, name, part)
            self.head = layers.Dense(2)

        def call(self, x):
            kept = getattr(self, name)
            return self.head((kept[0] if isinstance(kept, list) else kept)(x))

    return Kept()


@pytest.mark.parametrize("part", [layers.Dense(3), [layers.Dense(3)], {"a": layers.Dense(3)}],
                         ids=["layer", "list", "dict"])  # fmt: skip
@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_under_a_name_of_ours_is_refused_at_the_assignment(name, part):
    with pytest.raises(
        ReservedNameError, match=rf"Kept '.*`{name}` .* Use another name.*self\.my_"
    ):
        model_with(name, part)


@pytest.mark.parametrize("name", FREE)
def test_a_layer_under_a_name_that_keras_leaves_free_is_tracked_and_saved(name):
    model = model_with(name, [layers.Dense(3)])
    model(X)
    assert len(model.trainable_variables) == 4


def test_a_model_with_layers_named_inputs_and_outputs_trains_and_comes_back(tmp_path):
    def made():
        model = model_with("outputs", layers.Dense(3))
        model.compile("sgd", "mse")
        return model

    model, other = made(), made()
    model.fit(X, Y, epochs=2, verbose=0)
    model.save_weights(tmp_path / "a.weights.h5")
    other(X)
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))


def test_a_layer_may_keep_its_own_input_shape():
    class Own(layers.Layer):
        def __init__(self, shape):
            super().__init__()
            self.input_shape = shape

        def call(self, x):
            return nacre.ops.reshape(x, (-1, *self.input_shape))

    model = nacre.Sequential([nacre.Input((4,)), Own((2, 2))])
    assert model(np.ones((3, 4))).shape == (3, 2, 2)
    assert model.layers[0].input_shape == (2, 2)
    assert model.input_shape == (None, 4)


@pytest.mark.parametrize("name", ["inputs", "outputs", "input_shape", "output_names"])
def test_what_a_graph_says_of_a_model_cannot_be_set(name):
    x = nacre.Input((3,))
    for model in (nacre.Model(x, layers.Dense(2)(x)), nacre.Sequential()):
        with pytest.raises(ReservedNameError, match=name):
            setattr(model, name, [layers.Dense(2)])


@pytest.mark.parametrize("value", [layers.Dense(1), [layers.Dense(1)], 3, None])
def test_a_name_must_be_a_string_when_it_is_set_too(value):
    layer = layers.Dense(2)
    with pytest.raises(NacreError, match="Dense.* name must be a string"):
        layer.name = value


@pytest.mark.parametrize("name", ["loss", "optimizer"])
def test_compile_refuses_to_drop_a_layer_that_stands_in_its_way(name):
    model = model_with(name, layers.Dense(3))
    assert model(X).shape == (4, 2)  # without compile it is an attribute like others
    assert len(model.trainable_variables) == 4
    with pytest.raises(ReservedNameError, match=name):
        model.compile("sgd", "mse")


def test_losses_and_optimizers_may_be_set_and_set_again():
    model = model_with("hidden", layers.Dense(3))
    model.loss = losses.MeanSquaredError()
    model.optimizer = nacre.optimizers.SGD()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.compile("adam", losses.MeanSquaredError(), metrics=[metrics.MeanAbsoluteError()])
    model.fit(X, Y, verbose=0)
    model.compile("adam", metrics.MeanSquaredError())
    model.compile("adam", "mse")


def test_a_property_of_the_users_own_has_pythons_words():
    class Own(layers.Layer):
        @property
        def width(self):
            return 3

    with pytest.raises(AttributeError) as told:
        Own().width = 4
    assert not isinstance(told.value, NacreError)


def test_a_metric_and_an_optimizer_refuse_names_of_ours_too():
    for thing, name in (
        (metrics.Mean(), "variables"),
        (nacre.optimizers.SGD(), "variables"),
        (metrics.Mean(), "dtype"),
    ):
        with pytest.raises(ReservedNameError, match=name):
            setattr(thing, name, [])
