"""`nacre.Function`: a part of a graph that can be called, and belongs to the model that calls it."""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest

import nacre
from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError

X = np.arange(6, dtype="float32").reshape(2, 3)


def _doubling():
    x, y = nacre.Input((3,), name="x"), nacre.Input((3,), name="y")
    return nacre.Function({"p": x, "q": y}, {"sum": x + y, "parts": [x - y, x * 2]})


def test_it_is_called_with_arrays_in_the_structure_it_was_made_from() -> None:
    outputs = _doubling()({"q": 2 * X, "p": X})
    np.testing.assert_array_equal(outputs["sum"], 3 * X)
    np.testing.assert_array_equal(outputs["parts"][0], -X)
    with pytest.raises(ShapeError, match="missing.*q"):
        _doubling()({"p": X})
    with pytest.raises(ShapeError, match="shape"):
        _doubling()({"p": X[:, :2], "q": X})


@nacre.saving.register_keras_serializable("function")
class First(nacre.Model):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function([inputs])[0]

    def get_config(self):
        return {"function": nacre.saving.serialize_keras_object(self.function)}

    @classmethod
    def from_config(cls, config):
        return cls(nacre.saving.deserialize_keras_object(config["function"]))


def test_a_list_of_one_output_is_given_as_a_list(tmp_path) -> None:
    x = nacre.Input((3,))
    function = nacre.Function([x], [nacre.layers.Dense(2)(x)])
    expected = nacre.Model([x], function.outputs)(X)  # a model's is a tensor
    copies = [
        function,
        nacre.Function.from_config(function.get_config()),
        nacre.models.clone_model(function),
    ]
    for copy in copies:
        copy.set_weights(function.get_weights())
        for found in (copy([X]), copy(X), copy.predict(X, verbose=0)):
            assert len(found) == 1 and found[0].shape[0] == 2
        np.testing.assert_array_equal(copy([X])[0], expected)
        assert copy.compute_output_shape((5, 3)) == [(5, 2)]
        assert [t.shape for t in copy(nacre.Input((3,)))] == [(None, 2)]
    model = First(function)
    model.compile("sgd", "mse")
    model.fit(X, expected, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = nacre.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))


def test_a_function_of_one_output_in_a_list_is_trained_too() -> None:
    x = nacre.Input((3,))
    function = nacre.Function([x], [nacre.layers.Dense(2)(x)])
    function.compile("sgd", "mse", metrics=["mae"])
    targets = np.ones((2, 2), "float32")
    losses = function.fit(X, targets, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]
    loss = np.mean((function(X)[0] - targets) ** 2)
    np.testing.assert_allclose(function.evaluate(X, [targets], verbose=0)[0], loss, rtol=1e-5)


def test_it_tells_shapes_and_operations() -> None:
    function = _doubling()
    shapes = function.compute_output_shape({"p": (5, 3), "q": (5, 3)})
    assert shapes == {"sum": (5, 3), "parts": [(5, 3), (5, 3)]}
    spec = function.compute_output_spec(
        {"p": nacre.KerasTensor((7, 3)), "q": nacre.KerasTensor((7, 3))}
    )
    assert spec["sum"].shape == (7, 3)
    assert {"x", "y"} <= {o.name for o in function.operations}
    assert [t.name for t in function.inputs] == ["x", "y"] and len(function.outputs) == 3


def test_models_made_of_symbolic_tensors_are_functions() -> None:
    x = nacre.Input((3,))
    model = nacre.Model(x, nacre.layers.Dense(2)(x))
    assert isinstance(model, nacre.Function) and isinstance(model, nacre.Operation)
    assert not isinstance(nacre.Sequential(), nacre.Function)
    assert nacre.Function(x, x * 2).name.startswith("function")


def _holding_by_call(function):
    x = nacre.Input((3,))
    return nacre.Model(x, function(x))


class Holder(nacre.Model):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


@pytest.mark.parametrize("hold", [_holding_by_call, Holder])
def test_layers_within_are_trained_by_the_model_that_holds_it(hold) -> None:
    x, dense = nacre.Input((3,)), nacre.layers.Dense(2, name="within")
    model = hold(nacre.Function(x, dense(x)))
    model.compile("sgd", "mse")
    before = dense.get_weights()[0]
    model.fit(X, np.ones((2, 2)), verbose=0)
    assert np.abs(dense.get_weights()[0] - before).max() > 0
    assert any(v is dense.kernel for v in model.trainable_weights)


def test_a_model_with_one_is_saved_loaded_and_copied(tmp_path) -> None:
    x = nacre.Input((3,), name="x")
    function = nacre.Function(x, ops.tanh(nacre.layers.Dense(2)(x)), name="part")
    model = _holding_by_call(function)
    model.save(tmp_path / "model.keras")
    loaded = nacre.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))
    assert loaded.get_layer("part").operations[0].name == "x"
    twin = nacre.Function.from_config(function.get_config())
    assert type(twin) is nacre.Function
    assert nacre.models.clone_model(model).count_params() == 8


def test_two_calls_share_the_weights_and_nest() -> None:
    x = nacre.Input((3,))
    inner = nacre.Function(x, nacre.layers.Dense(3)(x))
    outer = nacre.Function(x, inner(inner(x)))
    assert len(nacre.Model(x, outer(x)).weights) == 2
    np.testing.assert_allclose(outer(X), inner(inner(X)), rtol=1e-6)


def test_it_takes_a_tensor_on_the_way_as_input() -> None:
    x = nacre.Input((3,))
    hidden = nacre.layers.Dense(4)(x)
    head = nacre.Function(hidden, ops.relu(hidden))
    np.testing.assert_array_equal(head(-np.ones((2, 4))), np.zeros((2, 4)))


def test_gradients_go_through_it() -> None:
    x, dense = nacre.Input((3,)), nacre.layers.Dense(1)
    function = nacre.Function(x, dense(x))
    with nacre.GradientTape() as tape:
        loss = ops.sum(function(X))
    np.testing.assert_allclose(tape.gradient(loss, dense.kernel)[:, 0], X.sum(0))


def test_outputs_that_do_not_follow_are_refused() -> None:
    x = nacre.Input((3,))
    with pytest.raises(ArgumentError, match="every output must be reached"):
        nacre.Function(nacre.Input((3,)), x * 2)
    with pytest.raises(ArgumentError, match="Function: inputs must be symbolic tensors"):
        nacre.Function(X, x * 2)


def test_its_weights_lie_in_a_file_where_keras_looks_for_those_of_a_model(tmp_path) -> None:
    x = nacre.Input((3,))
    model = _holding_by_call(nacre.Function(x, nacre.layers.Dense(2)(x)))
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:
        assert "layers/functional/layers/dense/vars/0" in file
