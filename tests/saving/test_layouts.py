"""Groups and arrays of every layer are those real Keras writes (`make_layouts.py`)."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import pytest

import nacre
from nacre.saving.layout import entries
from nacre.saving.weights import collect
from tests.cases.layers import LAYER_CASES
from tests.cases.reading import call_arguments, load_reference
from tests.cases.spec import build_layer

LAYOUTS = json.loads((Path(__file__).parent / "layouts.json").read_text(encoding="utf-8"))
# Groups without arrays that Keras writes for layers nacre computes without.
EMPTY = ("_dropout_layer", "_dropout_layer/vars", "_softmax", "_softmax/vars")


def layout_of(layer) -> dict:
    found: dict = {}
    for group in collect(layer):
        if group.path.split("/")[-1] == "seed_generator":
            continue
        path = ""
        for part in f"{group.path}/vars".strip("/").split("/"):
            path = f"{path}/{part}".lstrip("/")
            found[path] = None
        for name, values in group.arrays.items():
            found[f"{path}/{name}"] = [list(values.shape), str(values.dtype)]
    return found


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.id)
def test_layer_is_laid_out_as_in_keras(case):
    if case.id not in LAYOUTS:
        pytest.skip("Keras cannot save this one")
    layer = build_layer(case, nacre)
    positional, keywords = call_arguments(case, load_reference("layers")[case.id])
    jax.eval_shape(lambda: layer(*positional, **keywords))  # built; nothing is compiled
    wanted = {k: v for k, v in LAYOUTS[case.id].items() if k not in EMPTY}
    assert layout_of(layer) == wanted


class Parts(nacre.layers.Layer):
    """One attribute of each kind."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        dense = nacre.layers.Dense
        self._hidden = dense(3, name="hidden")
        self.zeta = dense(2, name="zeta")
        self.alpha = self.zeta
        self.pair = (dense(1), dense(1))
        self.named = {"b": dense(1, name="b"), "a": dense(2, name="a")}
        self.nested = [[dense(1)], {"q": dense(1)}]
        self.steps = nacre.optimizers.SGD()
        self.mean = nacre.metrics.Mean()
        self._later = None

    @property
    def later(self):
        """A property counts as an attribute, and comes before those with an underscore."""
        return self._later

    def build(self, shape):
        self._later = nacre.layers.Dense(2, name="later")
        self.gain = self.add_weight(shape=(2,))

    def call(self, x):
        return self.zeta(x)


class Holder(nacre.Model):
    def __init__(self):
        super().__init__()
        self.emb = nacre.layers.Dense(2, name="emb")
        self.parts = [nacre.layers.Dense(2, name="first"), self.emb]
        self.z = nacre.layers.Dense(2, name="last")

    def call(self, x):
        return self.z(self.emb(self.parts[0](x)))


def test_attributes_lists_dicts_and_properties_follow_the_rules():
    layer = Parts()
    layer.build((None, 3))
    names = {group.path: group.name for group in collect(layer)}
    assert list(names) == [
        "",
        "alpha",
        "later",
        "named/dense",
        "named/dense_1",
        "nested/container/dense",
        "nested/container_1/dense",
        "pair/dense",
        "pair/dense_1",
        "steps",
        "_hidden",
    ]
    assert names["named/dense"] == "b"


def test_layers_of_a_subclassed_model_are_visited_in_their_place_among_the_names():
    model = Holder()
    model.build((None, 2))
    found = {group.path: group.name for group in collect(model)}
    assert found == {
        "": model.name,
        "emb": "emb",
        "layers/dense_1": "first",
        "layers/dense_2": "last",
    }


def test_layers_whose_parts_build_has_yet_to_make_are_looked_through():
    """A file's arrays are looked for before a model is built, and properties tell of parts."""
    for case in LAYER_CASES:
        layer = build_layer(case, nacre)
        assert entries(layer)[0].owner is layer
