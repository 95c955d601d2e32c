"""Two classes of one name and the same fields are two kinds of arguments: each has its programs."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre import layers
from nacre.core.tree import structure_key


def classes() -> list[Any]:
    """Pairs that are printed alike, and give their sum or their product."""

    def kind(joined: Any) -> Any:
        Pair = namedtuple("Pair", ["a", "b"])
        Pair.joined = joined  # type: ignore[attr-defined]
        return Pair

    return [kind(lambda self: self.a + self.b), kind(lambda self: self.a * self.b)]


class Joined(layers.Layer):
    def call(self, pair: Any) -> Any:
        return pair.joined()


@pytest.mark.parametrize("owner", [nacre, tf], ids=["nacre", "tf"])
def test_functions_do_what_the_class_of_their_argument_does(owner: Any) -> None:
    run = owner.function(lambda pair: pair.joined())
    pairs = [kind(np.float32(3), np.float32(4)) for kind in classes()]
    assert [float(run(pair)) for pair in pairs * 2] == [7.0, 12.0] * 2


def test_layers_and_models_do_too() -> None:
    x, y = np.full((2, 3), 3.0, "float32"), np.full((2, 3), 4.0, "float32")
    pairs = [kind(x, y) for kind in classes()]
    layer = Joined()
    assert [float(np.asarray(layer(pair))[0, 0]) for pair in pairs * 2] == [7.0, 12.0] * 2


def test_structures_of_other_keys_or_kinds_differ() -> None:
    structures: list[Any] = [[1], (1,), {"a": 1}, {"b": 1}, [[1]], 1, True, 1.0, [None], {"a": [1]}]
    assert len({structure_key(each) for each in structures}) == len(structures)
