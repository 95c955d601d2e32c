"""`get_state_tree` and `set_state_tree`: all variables as nested dicts, in Keras's structure."""

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X[:, :1] * 2


def made(name="seq", metrics=("mae",)):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(2, name="d"),
            layers.BatchNormalization(name="b"),
            layers.Dropout(0.5, seed=1, name="one"),
            layers.Dropout(0.5, seed=2, name="two"),
            layers.Dense(1, name="out"),
        ],
        name=name,
    )
    model.compile("adam", "mse", metrics=list(metrics))
    return model


def paths(tree, outer=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from paths(value, f"{outer}{name}/")
        else:
            yield f"{outer}{name}"


def test_the_tree_has_the_structure_of_keras():
    model = made()
    model.fit(X, Y, verbose=0)
    name = model.optimizer.name
    moments = [
        f"optimizer_variables/{name}/seq_{part}_{kind}"
        for part in "d_kernel d_bias b_gamma b_beta out_kernel out_bias".split()
        for kind in ("momentum", "velocity")
    ]
    # Keys that Keras 3.15.1 gives for this model after a fit.
    assert list(paths(model.get_state_tree())) == [
        "trainable_variables/seq/d/kernel",
        "trainable_variables/seq/d/bias",
        "trainable_variables/seq/b/gamma",
        "trainable_variables/seq/b/beta",
        "trainable_variables/seq/out/kernel",
        "trainable_variables/seq/out/bias",
        "non_trainable_variables/seq/b/moving_mean",
        "non_trainable_variables/seq/b/moving_variance",
        "non_trainable_variables/seed_generator/seed_generator_state",
        "non_trainable_variables/seed_generator_1/seed_generator_state",
        f"optimizer_variables/{name}/iteration",
        f"optimizer_variables/{name}/learning_rate",
        *moments,
        "metrics_variables/loss/total",
        "metrics_variables/loss/count",
        "metrics_variables/mean_absolute_error/total",
        "metrics_variables/mean_absolute_error/count",
    ]


@pytest.mark.parametrize("value_format", ["backend_tensor", "numpy_array"])
def test_a_training_goes_on_from_a_tree_with_the_same_bits(value_format):
    model = made()
    model.fit(X, Y, shuffle=False, verbose=0)
    tree = model.get_state_tree(value_format=value_format)
    kept = np.array(tree["trainable_variables"]["seq"]["d"]["kernel"])
    model.fit(X, Y, shuffle=False, verbose=0)  # which may not overwrite what was given out
    expected = model.get_state_tree("numpy_array")
    np.testing.assert_array_equal(tree["trainable_variables"]["seq"]["d"]["kernel"], kept)
    other = made()  # whose optimizer has no variables yet
    for target in (other, model):
        target.set_state_tree(tree)
        target.fit(X, Y, shuffle=False, verbose=0)
        found = target.get_state_tree("numpy_array")
        for group, values in expected.items():
            names = list(paths(values))
            flat, there = (_flat(t[group]) for t in (found, expected))
            assert len(flat) == len(names)
            for a, b in zip(flat, there, strict=True):
                np.testing.assert_array_equal(a, b)


def _flat(tree):
    return [
        v for value in tree.values() for v in (_flat(value) if isinstance(value, dict) else [value])
    ]


def test_a_part_of_a_tree_sets_that_part():
    model = made()
    before = model.get_weights()
    model.set_state_tree({"trainable_variables": {"seq": {"out": {"bias": [5.0]}}}})
    after = model.get_weights()
    assert after[-1].tolist() == [5.0]
    for a, b in zip(before[:-1], after[:-1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_variables_of_one_path_are_all_there():
    model = made(metrics=[keras.metrics.Mean(name="same")])
    model.one = keras.metrics.Mean(name="same")
    model.one.update_state(3.0)
    tree = model.get_state_tree("numpy_array")
    assert sum(1 for _ in paths(tree["metrics_variables"])) == len(model.metrics_variables)


def test_what_does_not_fit_is_refused_and_changes_nothing():
    model = made()
    before = model.get_weights()
    bias = {"seq": {"out": {"bias": [5.0]}}}
    wrong = {"seq": {"out": {"bias": [5.0]}, "nowhere": {"kernel": [1.0]}}}
    with pytest.raises(ArgumentError, match="1 unknown: trainable_variables/seq/nowhere/kernel"):
        model.set_state_tree({"trainable_variables": wrong})
    with pytest.raises(ShapeError, match=r"seq/out/bias \(2,\), the model has \(1,\)"):
        model.set_state_tree({"trainable_variables": {"seq": {"out": {"bias": [5.0, 1.0]}}}})
    with pytest.raises(ArgumentError, match="Did you mean 'trainable_variables'"):
        model.set_state_tree({"trainable_variable": bias})
    with pytest.raises(ArgumentError, match="it takes nested dicts. Got list"):
        model.set_state_tree([1.0])
    with pytest.raises(ArgumentError, match="'backend_tensor' or 'numpy_array'. Got 'jax'"):
        model.get_state_tree("jax")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_that_is_not_compiled_has_a_tree():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, name="d")], name="seq")
    tree = model.get_state_tree()
    assert list(paths(tree)) == [
        "trainable_variables/seq/d/kernel",
        "trainable_variables/seq/d/bias",
    ]
    model.set_state_tree(tree)
