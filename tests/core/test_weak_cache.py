"""What is found out about users' classes and functions is kept as long as they live, no longer."""

from __future__ import annotations

import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.weak_cache import weak_cache


def test_a_value_is_found_once_while_its_argument_lives() -> None:
    asked: list[Any] = []

    @weak_cache
    def name(cls: type) -> str:
        asked.append(cls.__name__)
        return cls.__name__

    class A:
        pass

    assert [name(A), name(A), name(int)] == ["A", "A", "int"]
    assert asked == ["A", "int"]
    for _ in range(100):  # one of them has the place in memory of one that is gone
        cls = type("B", (), {})
        assert name(cls) == "B"
        cls = type("C", (), {})
        assert name(cls) == "C"
        del cls
        gc.collect(0)


def test_nothing_is_kept_for_what_cannot_be_referred_to_weakly() -> None:
    asked: list[Any] = []
    half = weak_cache(lambda number: asked.append(number) or number / 2)
    assert [half(3), half(3)] == [1.5, 1.5]
    assert asked == [3, 3]


def _called(layer: Any) -> None:
    layer(np.ones((2, 3), "float32"))


def _described(layer: Any) -> None:
    nacre.Model(inputs := nacre.Input((3,)), layer(inputs)).summary(print_fn=lambda text: None)


def _fitted(layer: Any) -> None:
    model = nacre.Sequential([nacre.Input((3,)), layer])
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    layer.steps_seen = 1  # a book of the script's, of which it is asked whether code reads it
    model.predict(np.ones((2, 3)), verbose=0)


def _written(layer: Any) -> None:
    layer.build((None, 3))
    nacre.layers.serialize(layer)
    pickle.dumps(layer.get_weights())


@pytest.mark.parametrize("use", [_called, _described, _fitted, _written])
def test_a_class_of_layers_goes_with_its_last_layer(use: Any) -> None:
    def made() -> weakref.ref[type]:
        class Doubled(nacre.layers.Layer):
            def __init__(self) -> None:
                super().__init__()
                self.dense = nacre.layers.Dense(2)

            def call(self, inputs: Any) -> Any:
                return self.dense(inputs) * 2.0

        use(Doubled())
        return weakref.ref(Doubled)

    reference = made()
    gc.collect()
    assert reference() is None
