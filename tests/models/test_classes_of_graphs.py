"""Models of a user's class that is handed its graph, or its layers: saved, copied, opened."""

import numpy as np
import pytest

import nacre as keras
from nacre import layers

register = keras.saving.register_keras_serializable("classes_of_graphs")


@register
class Loose(keras.Model):
    def __init__(self, *args, rate=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.rate = rate

    def train_step(self, data):
        return {"mine": 7.0}


@register
class Named(keras.Model):
    def __init__(self, inputs, outputs, name=None, rate=1):
        super().__init__(inputs, outputs, name=name)
        self.rate = rate

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@register
class ByKeywords(keras.Model):
    def __init__(self, rate=1, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate


@register
class Inherited(keras.Model):
    rate = 3

    def train_step(self, data):
        return {"mine": 7.0}


@register
class Stack(keras.Sequential):
    def __init__(self, *args, rate=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.rate = rate

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@register
class OwnLayers(keras.Sequential):
    def __init__(self, rate=1, **kwargs):
        super().__init__([keras.Input((4,)), layers.Dense(rate)], **kwargs)
        self.rate = rate


@register
class OwnLayersNotBuilt(keras.Sequential):
    def __init__(self, rate=1, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.add(layers.Dense(rate))


@register
class OwnConfig(OwnLayers):
    def get_config(self):
        return {"rate": self.rate, "name": self.name}


def of_graph(cls):
    inputs = keras.Input((4,))
    more = {} if cls is Inherited else {"rate": 3}
    return cls(inputs=inputs, outputs=layers.Dense(2)(inputs), **more)


def made(cls):
    if issubclass(cls, Stack):
        return cls([keras.Input((4,)), layers.Dense(2)], rate=3)
    return cls(rate=3) if issubclass(cls, keras.Sequential) else of_graph(cls)


GRAPHS = [Loose, Named, ByKeywords, Inherited]
STACKS = [Stack, OwnLayers, OwnLayersNotBuilt, OwnConfig]
ROWS = np.arange(8, dtype="float32").reshape(2, 4)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("cls", GRAPHS + STACKS)
def test_files_keep_the_graph_and_the_arguments_beside_it(cls, ending, tmp_path):
    model = made(cls)
    expected = np.asarray(model(ROWS))
    path = tmp_path / f"model{ending}"
    model.save(path)
    again = keras.models.load_model(path)
    assert (type(again), again.rate, len(again.layers)) == (cls, 3, len(model.layers))
    np.testing.assert_array_equal(again(ROWS), expected)


def test_layers_added_to_a_stack_that_makes_its_own_are_opened_once(tmp_path):
    model = OwnLayers(rate=3)
    model.add(layers.Dense(5))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.units for layer in again.layers] == [3, 5]
    np.testing.assert_array_equal(again(ROWS), model(ROWS))


def test_a_graph_given_by_place_is_in_the_config():
    inputs = keras.Input((4,))
    model = Loose(inputs, layers.Dense(2)(inputs), rate=3)
    again = Loose.from_config(model.get_config())
    assert (again.rate, again.output_shape) == (3, (None, 2))


@pytest.mark.parametrize("cls", GRAPHS)
@pytest.mark.parametrize("how", ["plain", "tensors", "function"])
def test_copies_are_of_the_class(cls, how):
    model = of_graph(cls)
    given = {
        "plain": {},
        "tensors": {"input_tensors": keras.Input((4,))},
        "function": {"clone_function": lambda layer: type(layer).from_config(layer.get_config())},
    }[how]
    copy = keras.models.clone_model(model, **given)
    assert (type(copy), copy.rate) == (cls, 3)
    assert copy.layers[-1] is not model.layers[-1]


def test_a_copy_trains_by_the_train_step_of_its_class():
    copy = keras.models.clone_model(of_graph(Inherited))
    copy.compile("sgd", "mse")
    assert copy.fit(ROWS, ROWS[:, :2], verbose=0).history == {"mine": [7.0]}


@pytest.mark.parametrize("as_list", [True, False])
def test_a_stack_that_is_not_built_is_copied_onto_tensors(as_list):
    tensor = keras.Input((12, 12, 1))
    stack = keras.Sequential([layers.Conv2D(2, 3)])
    copy = keras.models.clone_model(stack, input_tensors=[tensor] if as_list else tensor)
    assert (copy.output_shape, stack.built) == ((None, 10, 10, 2), False)
