"""A model that could not be opened again is not saved: the error has the line to write."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers, saving
from nacre.core.errors import SerializationError

FILES = ("m.keras", "m.h5")


class Scaled(layers.Layer):
    """Keeps all arguments, whose config needs no get_config."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor


class Forgetful(Scaled):
    def get_config(self):
        return {"name": self.name, "trainable": self.trainable}


class Failing(Scaled):
    def get_config(self):
        raise RuntimeError("no config")


class MadeOtherwise(Forgetful):
    @classmethod
    def from_config(cls, config):
        return cls(2.0, **config)


class Twisted(optimizers.SGD):
    def __init__(self, learning_rate, twist, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self._twist = twist


def made(layer: Any, optimizer: Any = "sgd") -> Any:
    model = nacre.Sequential([nacre.Input((3,)), layer, layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("file", FILES)
def test_a_config_without_an_argument_is_told_with_the_line_to_write(file, tmp_path):
    made(Scaled(2.0)).save(tmp_path / file)
    before = (tmp_path / file).read_bytes()
    line = r"\{\*\*super\(\)\.get_config\(\), 'factor': self\.factor\}"
    with pytest.raises(SerializationError, match=rf"Forgetful 'far'.*without factor.*{line}"):
        made(Forgetful(2.0, name="far")).save(tmp_path / file)
    with pytest.raises(RuntimeError, match="no config"):
        made(Failing(2.0)).save(tmp_path / file)
    inner = nacre.Sequential([Forgetful(2.0)])
    with pytest.raises(SerializationError, match="Forgetful"):
        made(inner).save(tmp_path / file)
    assert [p.name for p in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_bytes() == before


@pytest.mark.parametrize("file", FILES)
def test_what_can_be_made_again_is_saved(file, tmp_path):
    x = np.ones((1, 3), "float32")
    for layer in (Scaled(2.0), MadeOtherwise(2.0)):
        model = made(layer)
        model.save(tmp_path / file)
        found = saving.load_model(tmp_path / file, {type(layer).__name__: type(layer)})
        np.testing.assert_array_equal(found(x), model(x))


@pytest.mark.parametrize("file", FILES)
def test_an_optimizer_that_could_not_be_made_again_is_told_and_the_model_opens(file, tmp_path):
    model = made(layers.Dense(2), Twisted(0.1, 2))
    with pytest.warns(UserWarning, match=r"compile=False.*'twist': self\.twist"):
        model.save(tmp_path / file)
    saving.load_model(tmp_path / file, compile=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.save(tmp_path / file, include_optimizer=False)
