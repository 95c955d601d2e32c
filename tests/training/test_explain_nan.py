"""`explain_nan` names what makes the first number that is not finite."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import NonFiniteError

RNG = np.random.default_rng(0)
X = RNG.random((6, 4)).astype("float32")
Y = RNG.random((6, 1)).astype("float32")


class Root(layers.Layer):
    """Its value at 0 is 0, and its slope infinite."""

    def call(self, x):
        return ops.sqrt(ops.subtract(x, x))


class Logarithm(layers.Layer):
    def call(self, x):
        return ops.log(ops.subtract(x, x))


class Own(nacre.Model):
    def __init__(self, part):
        super().__init__()
        self.first, self.part, self.last = layers.Dense(3), part, layers.Dense(1)

    def call(self, x):
        return self.last(self.part(self.first(x)))


def stacked(part):
    return nacre.Sequential([nacre.Input((4,)), layers.Dense(3), part, layers.Dense(1)])


def functional(part):
    x = nacre.Input((4,))
    return nacre.Model(x, layers.Dense(1)(part(layers.Dense(3)(x))))


def nested(part):
    inner = nacre.Sequential([layers.Dense(3), part], name="inner")
    return nacre.Sequential([nacre.Input((4,)), inner, layers.Dense(1)])


def explained(model, x=X, y=Y, **more):
    if not model.compiled:
        model.compile("sgd", "mse")
    return model.explain_nan(x, y, **more)


@pytest.mark.parametrize("form", [stacked, functional, nested, Own])
@pytest.mark.parametrize(("kind", "where"), [(Root, "backward"), (Logarithm, "forward")])
def test_the_layer_is_named_forward_and_backward(form, kind, where):
    found = explained(form(kind(name="culprit")))
    assert found and (found.where, found.layer) == (
        where,
        "inner/culprit" if form is nested else "culprit",
    )
    assert f"{kind.__name__} '{found.layer}'" in str(found) and f"in the {where} pass" in str(found)


def test_an_op_of_a_graph_is_named():
    x = nacre.Input((4,))
    hidden = layers.Dense(3)(x)
    model = nacre.Model(x, layers.Dense(1)(ops.log(ops.subtract(hidden, hidden))))
    found = explained(model)
    assert (found.where, found.op) == ("forward", "log")


def test_data_that_is_not_finite_is_named_with_its_row():
    x, y = X.copy(), Y.copy()
    x[5, 1], y[3] = np.nan, np.inf
    model = stacked(layers.Dense(2))
    found = explained(model, x, Y, batch_size=4)
    assert (found.where, found.batch) == ("inputs", 1) and "row 1 of batch 2" in str(found)
    found = explained(model, X, y)
    assert found.where == "targets" and "inf" in str(found)


def test_what_has_weight_0_is_absent():
    x, weights = X.copy(), np.ones(6, "float32")
    x[2], weights[2] = np.nan, 0
    assert not explained(stacked(layers.Dense(2)), x, Y, sample_weight=weights)


def test_weights_and_optimizer_state_that_are_not_finite_are_named():
    model = stacked(layers.Dense(2, name="spoiled"))
    model.layers[1].bias.assign([np.nan, 0.0])
    found = explained(model)
    assert (found.where, found.variable) == ("weights", model.layers[1].bias.path)
    model.layers[1].bias.assign([0.0, 0.0])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    model.optimizer.variables[-1].assign(np.full(model.optimizer.variables[-1].shape, np.inf))
    assert "optimizer" in str(explained(model))


def test_the_loss_is_named_where_predictions_are_finite():
    model = stacked(layers.Dense(2))
    model.compile("sgd", lambda y, p: ops.log(p * 0))
    assert explained(model).where == "loss"
    model.compile("sgd", lambda y, p: ops.sqrt(ops.square(p * 0)))
    found = explained(model)
    assert found.where == "loss" and "gradient" in str(found)


def test_an_update_that_leaves_the_numbers_is_named():
    model = stacked(layers.Dense(2))
    model.compile(nacre.optimizers.SGD(1e38, momentum=0.9), "mse")
    found = explained(model, X, 100 * Y)
    assert found.where == "update" and "learning rate" in str(found)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_that_diverges_is_found_by_the_steps_that_go_on(optimizer):
    model = stacked(layers.ReLU())
    model.compile(nacre.optimizers.get(optimizer), "mse")
    model.optimizer.learning_rate = 1e20
    before = model.get_weights()
    found = model.explain_nan(X, Y, batch_size=2)
    assert found.batch > 0, found
    assert found.where in ("forward", "loss", "backward", "update")
    assert not model.explain_nan(X, Y, batch_size=2, steps=1)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not any(np.any(v) for v in model.optimizer.variables if v.path.endswith("velocity"))


def test_where_all_is_finite_it_says_so_and_changes_nothing():
    model = nacre.Sequential(
        [nacre.Input((4,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)]
    )
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    parts = [*model.variables, *model.optimizer.variables]
    parts += [v for m in model.metrics for v in m.variables]
    before, history = [v.numpy().tolist() for v in parts], model.history
    found = explained(model)
    assert not found and "All numbers are finite in 1 batch" in str(found)
    assert [v.numpy().tolist() for v in parts] == before and model.history is history


def test_recurrent_layers_and_16_bit_numbers_are_looked_into():
    model = nacre.Sequential(
        [nacre.Input((3, 4)), layers.GRU(2, dtype="bfloat16"), layers.Dense(1)]
    )
    x = RNG.random((2, 3, 4)).astype("float32")
    assert not explained(model, x, Y[:2])


def test_generators_of_dicts_are_taken_and_steps_bound_them():
    x = nacre.Input((4,), name="numbers")
    model = nacre.Model({"numbers": x}, layers.Dense(1)(x))
    taken = []

    def batches():
        for number in range(5):
            taken.append(number)
            yield {"numbers": X}, Y

    model.compile("sgd", "mse")
    assert not model.explain_nan(batches(), steps=2)
    assert taken == [0, 1]


def test_the_error_of_fit_mentions_it():
    model = stacked(Root())
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteError, match="explain_nan"):
        model.fit(X, Y, verbose=0)
