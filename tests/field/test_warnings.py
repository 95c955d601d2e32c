"""A warning names the line of the user's that led to it, wherever in nacre it is found."""

from __future__ import annotations

import pathlib
import re
import warnings

import numpy as np
import pytest

import nacre
from nacre import layers

HERE = __file__


class PassesNoMask(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class MakesLayersInCall(layers.Layer):
    def call(self, inputs):
        return layers.Dense(2)(inputs)  # warned


def dense(activation=None, **compile_arguments):
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(3, activation=activation)])
    model.compile("sgd", **compile_arguments)
    return model


def fit_logits(path):
    model = dense(loss="sparse_categorical_crossentropy")
    model.fit(np.ones((4, 2)), np.zeros(4, "int32"), verbose=0)  # warned


def loose_layer(path):
    model = nacre.Sequential([nacre.Input((2,)), MakesLayersInCall()])
    model(np.ones((1, 2)))


def lost_mask(path):
    model = nacre.Sequential([layers.Masking(), PassesNoMask()])
    model(np.ones((1, 2, 3)))  # warned


def saved_lambda(path):
    model = nacre.Sequential([nacre.Input((2,)), layers.Lambda(lambda x: x + 1)])
    model.save(path / "model.keras")  # warned


def skipped_weights(path):
    dense().save_weights(path / "a.weights.h5")
    other = nacre.Sequential([nacre.Input((2,)), layers.Dense(4)])
    other.load_weights(path / "a.weights.h5", skip_mismatch=True)  # warned


def short_generator(path):
    model = dense(loss="mse")
    batches = ((np.ones((2, 2)), np.ones((2, 3))) for _ in range(2))
    model.fit(batches, steps_per_epoch=3, epochs=2, verbose=0)  # warned


@pytest.mark.parametrize(
    "script",
    [
        fit_logits, loose_layer, lost_mask, saved_lambda, skipped_weights,
        short_generator,
    ],
    ids=lambda script: script.__name__,
)  # fmt: skip
def test_warning_points_at_the_users_line(script, tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        script(tmp_path)
    assert caught
    source = pathlib.Path(HERE).read_text(encoding="utf-8").splitlines()
    for warning in caught:
        assert warning.filename == HERE
        assert "# warned" in source[warning.lineno - 1], source[warning.lineno - 1]


def test_every_warning_goes_through_one_function():
    package = pathlib.Path(nacre.__file__).parent
    direct = [
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if re.search(r"\bwarnings\.warn\(", file.read_text(encoding="utf-8"))
    ]
    assert direct == ["core/warning.py"]
