"""Paths of variables are the same before a model is saved, copied or described, and after it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers as L


@nacre.saving.register_keras_serializable("paths_kept")
class Holder(L.Layer):
    """A layer that is handed another one, and makes one itself."""

    def __init__(self, inner: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner
        self.head = L.Dense(2, name="head")

    def call(self, inputs: Any) -> Any:
        return self.head(self.inner(inputs))

    def get_config(self) -> dict[str, Any]:
        inner = nacre.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "inner": inner}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Holder:
        inner = nacre.saving.deserialize_keras_object(config["inner"])
        return cls(**{**config, "inner": inner})


def _stack(*more: Any, name: str = "stack") -> Any:
    return nacre.Sequential([*more, L.Dense(3, name="d"), L.BatchNormalization(name="n")], name)


def _graph(layer: Any, shape: tuple[int, ...] = (3,)) -> Any:
    inputs = nacre.Input(shape)
    return nacre.Model(inputs, layer(inputs), name="graph")


def _called_alone() -> Any:
    stack = _stack()
    stack(nacre.ops.ones((1, 3)))
    return _graph(stack)


def _cells() -> Any:
    return L.RNN([L.LSTMCell(3, name="a"), L.GRUCell(2, name="b")], name="rnn")


# What holds what -> a model of it; sizes of the input are at the end where they are not (3,).
MODELS: dict[str, Callable[[], Any]] = {
    "stack with input": lambda: _stack(nacre.Input((3,))),
    "stack in a graph": lambda: _graph(_stack()),
    "stack with input in a graph": lambda: _graph(_stack(nacre.Input((3,)))),
    "stack called alone before": _called_alone,
    "stack in a stack": lambda: _stack(nacre.Input((3,)), _stack(name="inner")),
    "stack with input in a stack": lambda: _stack(
        nacre.Input((3,)), _stack(nacre.Input((3,)), name="inner")
    ),
    "stack in a stack in a stack": lambda: _stack(
        nacre.Input((3,)), _stack(_stack(name="innermost"), name="inner")
    ),
    "graph in a stack": lambda: _stack(nacre.Input((3,)), _graph(L.Dense(3, name="e"))),
    "layer in a layer": lambda: _graph(Holder(L.Dense(3, name="d"), name="holder")),
    "stack in a layer": lambda: _graph(Holder(_stack(), name="holder")),
    "layer in a layer in a stack": lambda: _stack(
        nacre.Input((3,)), Holder(Holder(L.Dense(3, name="d"), name="inner"), name="holder")
    ),
    "stack over time": lambda: _graph(L.TimeDistributed(_stack(), name="time"), (5, 3)),
    "both directions": lambda: _graph(L.Bidirectional(L.GRU(2, name="g"), name="both"), (5, 3)),
    "cells": lambda: _graph(_cells(), (5, 3)),
    "attention": lambda: _graph(Holder(L.SpectralNormalization(L.Dense(3, name="d")), name="h")),
}


def _paths(model: Any) -> list[str]:
    return [variable.path for variable in model.variables]


def _ways(model: Any, folder: Path) -> dict[str, Any]:
    """The model in every way that it can come back."""
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
    again = nacre.models.load_model(folder / "m.keras")
    again.save(folder / "again.keras")
    return {
        "keras": again,
        "keras twice": nacre.models.load_model(folder / "again.keras"),
        "h5": nacre.models.load_model(folder / "m.h5"),
        "json": nacre.models.model_from_json(model.to_json()),
        "config": type(model).from_config(model.get_config()),
        "clone": nacre.models.clone_model(model),
        "pickle": pickle.loads(pickle.dumps(model)),
    }


@pytest.mark.parametrize("kind", MODELS)
def test_variables_lie_where_they_lay(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind]()
    found = {way: _paths(other) for way, other in _ways(model, tmp_path).items()}
    assert found == dict.fromkeys(found, _paths(model))


def test_what_is_left_out_of_decay_by_path_stays_left_out(tmp_path: Path) -> None:
    model = _stack(nacre.Input((3,)), _stack(name="inner"))
    optimizer = nacre.optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["^stack/inner/d/"])
    model.compile(optimizer, "mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 3), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    other = nacre.models.load_model(tmp_path / "m.keras")
    for each in (model, other):
        each.fit(x, y, verbose=0)
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_dtypes_by_path_hold_after_loading(name: str, tmp_path: Path) -> None:
    policies = nacre.dtype_policies.DTypePolicyMap(default_policy="float32")
    policies["stack/inner/d"] = "bfloat16"
    policies["stack/holder/e"] = "mixed_bfloat16"
    inner = nacre.Sequential([L.Dense(3, name="d", dtype=policies)], name="inner")
    holder = Holder(L.Dense(3, name="e", dtype=policies), name="holder")
    model = nacre.Sequential([nacre.Input((3,)), inner, holder], name="stack")

    def dtypes(model: Any) -> list[Any]:
        return [
            (layer.name, layer.compute_dtype, [(w.path, w.dtype) for w in layer.weights])
            for layer in model._flatten_layers()
        ]

    assert ("stack/inner/d/kernel", "bfloat16") in {(w.path, w.dtype) for w in model.weights}
    x = np.random.default_rng(1).random((4, 3), "float32")
    model.save(tmp_path / name)
    other = nacre.models.load_model(tmp_path / name)
    assert dtypes(other) == dtypes(model)
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))
