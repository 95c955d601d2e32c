"""Transformations of optax as optimizers: the numbers of optax, in files too."""

from __future__ import annotations

import copy
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, NotCompiledError, NotThereError, WeightsMismatchError
from nacre.core.variable import Variable
from nacre.optimizers import (
    SGD,
    LossScaleOptimizer,
    MultiOptimizer,
    OptaxOptimizer,
    OptimizerMap,
    deserialize,
    get,
    serialize,
)

optax = pytest.importorskip("optax")

RANDOM = np.random.default_rng(8)
FIRST = {  # in an order that is not the alphabet's
    "inner/kernel": RANDOM.normal(size=(3, 4)).astype("float32"),
    "inner/bias": RANDOM.normal(size=(4,)).astype("float32"),
    "head/kernel": RANDOM.normal(size=(4, 1)).astype("float32"),
}
COSINE = optax.cosine_decay_schedule(0.1, 30)


def by_path(parameters):
    return {path: "slow" if path.startswith("inner") else "fast" for path in parameters}


TRANSFORMATIONS = {
    "adamw": lambda: optax.adamw(0.05, weight_decay=0.1),
    "sgd_momentum": lambda: optax.sgd(0.1, momentum=0.9, nesterov=True),
    "lion": lambda: optax.lion(0.01),
    "chain": lambda: optax.chain(
        optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale_by_learning_rate(COSINE)
    ),
    "masked": lambda: optax.adamw(
        0.05, weight_decay=0.5, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)
    ),
    "labels": lambda: optax.multi_transform(
        {"slow": optax.adam(0.01), "fast": optax.sgd(0.1)}, by_path
    ),
    "gathered": lambda: optax.MultiSteps(optax.adam(0.05), every_k_schedule=3),
    "hyperparameters": lambda: optax.inject_hyperparams(optax.adam)(COSINE, b1=0.8),
    "noise": lambda: optax.chain(optax.add_noise(0.1, 0.5, key=jax.random.key(3)), optax.sgd(0.1)),
}


def gradients(values):
    """Of a sum of fourth powers, with a different slope for each."""
    return {path: (list(FIRST).index(path) + 1.0) * v**3 for path, v in values.items()}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_fifty_steps_are_those_of_optax(name):
    transformation = TRANSFORMATIONS[name]()
    parameters = {k: jnp.asarray(v) for k, v in FIRST.items()}
    state = transformation.init(parameters)

    @jax.jit
    def step(given, parameters, state):
        updates, state = transformation.update(given, state, parameters)
        return optax.apply_updates(parameters, updates), state

    optimizer = get(transformation)
    own = [Variable(v, name="weight") for v in FIRST.values()]
    for variable, path in zip(own, FIRST, strict=True):
        variable.path = path
    for _ in range(50):
        given = gradients(dict(zip(FIRST, (v.value for v in own), strict=True)))
        optimizer.apply(list(given.values()), own)
        parameters, state = step(gradients(parameters), parameters, state)
    for variable, path in zip(own, FIRST, strict=True):
        np.testing.assert_allclose(variable.numpy(), parameters[path], rtol=2e-6, atol=1e-7)
        assert not np.allclose(variable.numpy(), FIRST[path], atol=1e-3)
    assert int(optimizer.iterations) == 50


# ---------------------------------------------------------------- in fit, and in files

X = RANDOM.normal(size=(16, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@nacre.saving.register_keras_serializable("test_optax")
def adam_of_these_tests():
    return optax.adam(0.01)


def nested():
    """A model whose paths have another order after opening: inner/body is body/kernel then."""
    inner = nacre.Sequential([layers.Dense(4, name="z")], name="inner")
    inputs = nacre.Input((3,))
    outputs = layers.Dense(4, name="middle")(inner(inputs))
    return nacre.Model(inputs, layers.Dense(1, name="last")(outputs), name="whole")


def fit(model, **arguments):
    return model.fit(X, Y, batch_size=4, shuffle=False, verbose=0, **arguments)


def assert_equal(model, other):
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_is_a_loop_by_hand():
    model, transformation = nested(), TRANSFORMATIONS["chain"]()
    model.compile(transformation, "mse")
    parameters = [v.value for v in model.trainable_variables]
    state, clone = transformation.init(parameters), nested()

    def loss(parameters, x, y):
        return jnp.mean((clone.stateless_call(parameters, [], x)[0] - y) ** 2)

    clone(X)
    slope = jax.jit(jax.grad(loss))
    for _ in range(2):
        for begin in range(0, 16, 4):
            found = slope(parameters, X[begin : begin + 4], Y[begin : begin + 4])
            updates, state = transformation.update(found, state, parameters)
            parameters = optax.apply_updates(parameters, updates)
    fit(model, epochs=2)
    for variable, value in zip(model.trainable_variables, parameters, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-6)


def test_a_file_of_a_registered_function_goes_on(tmp_path):
    model = nested()
    model.compile(OptaxOptimizer(adam_of_these_tests, use_ema=True), "mse")
    fit(model)
    model.save(tmp_path / "model.keras")
    opened = nacre.models.load_model(tmp_path / "model.keras")
    fit(model), fit(opened)
    assert_equal(model, opened)


def test_a_file_of_a_transformation_goes_on_after_compiling_with_it(tmp_path):
    model = nested()
    model.compile(optax.adam(0.01), "mse")
    fit(model)
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match=r"hold the state .*with_transformation\(optax"):
        opened = nacre.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(opened.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0))
    with pytest.raises(NotCompiledError, match=r"model\.compile\(model\.optimizer\.with_trans"):
        fit(opened)
    opened.compile(opened.optimizer.with_transformation(optax.adam(0.01)), "mse")
    fit(model), fit(opened)
    assert_equal(model, opened)
    assert int(opened.optimizer.iterations) == 8


def test_the_state_of_a_file_must_fit_the_transformation(tmp_path):
    model = nested()
    model.compile(optax.adam(0.01), "mse")
    fit(model)
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="hold the state"):
        opened = nacre.models.load_model(tmp_path / "model.keras")
    opened.compile(opened.optimizer.with_transformation(optax.sgd(0.1)), "mse")
    with pytest.raises(WeightsMismatchError, match="saved state"):
        fit(opened)


def test_weights_files_hold_the_state(tmp_path):
    model, other = nested(), nested()
    for one in (model, other):
        one.compile(optax.adam(0.01), "mse")
    fit(model)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    fit(model), fit(other)
    assert_equal(model, other)


def test_unfreezing_keeps_the_state_of_what_was_trained():
    own = [Variable(np.ones(2, "float32"), name=name) for name in ("b", "a")]
    optimizer = get(optax.adam(0.01))
    optimizer.apply([np.ones(2, "float32")], own[:1])
    before = {v.name: v.numpy() for v in optimizer.variables}
    optimizer.rebuild(own)
    after = {v.name: v.numpy() for v in optimizer.variables}
    assert set(after) - set(before) == {"0_mu_a", "0_nu_a"}
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    assert before["0_count"] == 1 and before["0_mu_b"].any()


def test_a_learning_rate_is_that_of_inject_hyperparams():
    model = nested()
    model.compile(optax.inject_hyperparams(optax.sgd)(learning_rate=0.1), "mse")
    halve = nacre.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = fit(model, epochs=2, callbacks=[halve]).history
    np.testing.assert_allclose(history["learning_rate"], [0.05, 0.025])
    optimizer = get(optax.inject_hyperparams(optax.sgd)(learning_rate=COSINE))
    optimizer.build([Variable(np.ones(2, "float32"), name="weight")])
    with pytest.raises(NotThereError, match="cannot be set where a schedule decides it"):
        optimizer.learning_rate = 0.1
    with pytest.raises(NotThereError, match=r"optax\.inject_hyperparams"):
        _ = get(optax.adam(0.1)).learning_rate


def test_within_other_optimizers_and_with_options_of_ours():
    own, gradient = Variable(np.ones(2, "float32"), name="own"), np.full(2, 8.0, "float32")
    scaled = LossScaleOptimizer(optax.sgd(0.5), initial_scale=8.0)
    scaled.scale_loss(1.0)
    scaled.apply([gradient], [own])
    np.testing.assert_array_equal(own.numpy(), 0.5)
    parts = MultiOptimizer(OptimizerMap(optax.sgd(0.5), {"other": SGD()}))
    parts.apply([gradient / 8], [own])
    np.testing.assert_array_equal(own.numpy(), 0.0)
    gathered = OptaxOptimizer(
        optax.sgd(0.5), gradient_accumulation_steps=2, loss_scale_factor=8.0, use_ema=True
    )
    for factor in (1.0, 3.0):
        gathered.apply([factor * gradient], [own])
    np.testing.assert_array_equal(own.numpy(), -1.0)
    np.testing.assert_array_equal(gathered.moving_averages[0].numpy(), -1.0)


def test_a_variable_without_gradient_stays():
    own = [Variable(np.ones(2, "float32"), name=name) for name in "ab"]
    optimizer = get(optax.adamw(0.1, weight_decay=1.0))
    optimizer.build(own)
    with pytest.warns(UserWarning, match="no gradient"):
        optimizer.apply([np.ones(2, "float32"), None], own)
    assert own[0].numpy()[0] < 1.0 and own[1].numpy()[0] == 1.0


def test_what_needs_the_loss_or_a_call_is_refused():
    own = Variable(np.ones(2, "float32"), name="own")
    with pytest.raises(ArgumentError, match=r"no more than gradients.*'value_fn'"):
        get(optax.lbfgs()).build([own])
    with pytest.raises(ArgumentError, match=r"Call it: adam\(\.\.\.\)"):
        get(optax.adam)


def test_copies_and_configs():
    own, optimizer = Variable(np.ones(2, "float32"), name="own"), get(optax.adam(0.1))
    optimizer.apply([np.ones(2, "float32")], [own])
    other = copy.deepcopy(optimizer)
    optimizer.apply([np.ones(2, "float32")], [own])
    assert int(other.iterations) == 1 and int(optimizer.iterations) == 2
    again = deserialize(serialize(OptaxOptimizer(adam_of_these_tests)))
    assert again.transformation is adam_of_these_tests
    with pytest.raises(ArgumentError, match="transformation must be one of optax"):
        OptaxOptimizer(3)


def test_optax_is_not_loaded_by_nacre():
    code = "import nacre, sys; nacre.optimizers.get('adam'); print('optax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
