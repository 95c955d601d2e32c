"""`make_train_function` and its like: as they come, and where a subclass makes its own."""

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X[:, :1] * 2


def made(cls):
    keras.utils.set_random_seed(1)
    entry = keras.Input((3,))
    model = cls(entry, layers.Dense(1)(entry))
    model.compile("sgd", "mse")
    return model


class Returning(keras.Model):
    """As classes of tf.keras 2 do."""

    def make_train_function(self, force=False):
        if self.train_function is not None and not force:
            return self.train_function

        @keras.function
        def train_function(iterator):
            return {**self.train_step(next(iterator)), "one": 1.0}

        self.train_function = train_function
        return self.train_function

    def make_predict_function(self, force=False):
        return lambda iterator: 2.0 * self.predict_step(next(iterator))


class Setting(keras.Model):
    """As classes of Keras 3 do."""

    def make_train_function(self, force=False):
        super().make_train_function(force=True)
        built_in = self.train_function

        def run(iterator):
            return {**built_in(iterator), "one": 1.0}

        self.train_function = run

    def make_test_function(self, force=False):
        super().make_test_function(force=True)
        built_in = self.test_function
        self.test_function = lambda iterator: {**built_in(iterator), "two": 2.0}


@pytest.mark.parametrize("cls", [Returning, Setting])
def test_the_function_that_a_class_makes_is_what_fit_runs(cls):
    plain, own = made(keras.Model), made(cls)
    expected = plain.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    found = own.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-6)
    assert found["one"] == [1.0, 1.0]
    np.testing.assert_allclose(own.get_weights()[0], plain.get_weights()[0], rtol=1e-6)
    if cls is Returning:
        np.testing.assert_allclose(own.predict(X, verbose=0), 2 * plain.predict(X, verbose=0))
    else:
        assert own.evaluate(X, Y, verbose=0, return_dict=True)["two"] == 2.0


def test_the_functions_of_a_model_run_its_steps_on_its_variables():
    class Pure(keras.Model):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {**logs, "pure": 1.0}, state

    plain, model = made(keras.Model), made(Pure)
    plain.train_on_batch(X, Y)
    function = model.make_train_function()
    assert function is model.train_function is model.make_train_function()
    logs = function(iter([(X, Y)]))
    assert (set(logs), int(model.optimizer.iterations)) == ({"loss", "pure"}, 1)
    np.testing.assert_allclose(model.get_weights()[0], plain.get_weights()[0], rtol=1e-6)
    assert model.make_train_function(force=True) is not function
    assert set(model.make_test_function()(iter([(X, Y)]))) == {"loss"}
    assert model.make_predict_function()(iter([X])).shape == (16, 1)


def test_a_function_that_takes_more_than_its_batch_is_refused():
    class Greedy(keras.Model):
        def make_train_function(self, force=False):
            return lambda iterator: self.train_step((next(iterator), next(iterator)))

    class Silent(keras.Model):
        def make_train_function(self, force=False):
            pass

    with pytest.raises(ArgumentError, match=r"takes one batch in each call. Got a second next"):
        made(Greedy).fit(X, Y, verbose=0)
    with pytest.raises(ArgumentError, match=r"or set self.train_function. Got neither"):
        made(Silent).fit(X, Y, verbose=0)
