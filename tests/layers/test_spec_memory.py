"""Outputs of layers that are alike are traced once, and of those that are not each time."""

from __future__ import annotations

import gc
import types
import weakref
from collections.abc import Callable

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.layers.base import describing, spec_memory
from tests.contracts.layer_rows import ROWS, built, leaves, symbolic_call_of

L = layers
FORMULAS = [
    row
    for row in ROWS
    if getattr(L, row.layer, nacre.Model).__module__.startswith(spec_memory._FORMULAS)
]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is traced, one entry for each time."""
    found: list[object] = []
    infer = describing.infer

    def seen(function: Callable, *args: object, **kwargs: object) -> object:
        found.append(function)
        return infer(function, *args, **kwargs)

    monkeypatch.setattr(describing, "infer", seen)
    monkeypatch.setattr(spec_memory, "_kept", {})
    return found


def image() -> nacre.KerasTensor:
    return nacre.Input((8, 8, 3))


def test_a_deep_network_of_few_kinds_of_layers_is_traced_for_each_kind(traced) -> None:
    x = image()
    tensors = [x]
    for _ in range(5):
        for layer in (L.Conv2D(3, 3, padding="same"), L.BatchNormalization(), L.ReLU()):
            tensors.append(layer(tensors[-1]))
    assert tensors[-1].shape == (None, 8, 8, 3) and len(traced) == 3
    assert len({id(tensor) for tensor in tensors}) == 16
    model = nacre.Model(x, tensors[-1])
    assert model(np.ones((1, 8, 8, 3), "float32")).shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: L.Dense(2), lambda: L.Dense(3)),
        (lambda: L.Conv2D(2, 3), lambda: L.Conv2D(2, 3, strides=2)),
        (lambda: L.Dense(2), lambda: L.Dense(2, dtype="mixed_bfloat16")),
        (lambda: L.Reshape((64, 3)), lambda: L.Reshape((192, 1))),
        (lambda: L.UpSampling2D(1), lambda: L.UpSampling2D(2)),
        (lambda: L.ZeroPadding2D(1), lambda: L.ZeroPadding2D(2)),
        (lambda: L.Flatten(), lambda: L.Flatten("channels_first")),
        (lambda: L.GlobalMaxPooling2D(), lambda: L.GlobalMaxPooling2D(keepdims=True)),
    ],
)
def test_other_arguments_are_another_kind(one, other, traced) -> None:
    first, second = one()(image()), other()(image())
    assert len(traced) == 2
    spec_memory._kept.clear()
    for found, make in ((first, one), (second, other)):
        again = make()(image())
        assert (found.shape, found.dtype) == (again.shape, again.dtype)


def test_an_attribute_that_was_set_makes_another_kind(traced) -> None:
    L.Reshape((64, 3))(image())
    changed = L.Reshape((64, 3))
    changed.target_shape = (3, 64)
    assert changed(image()).shape == (None, 3, 64)
    L.Conv2D(3, 1)(image())
    doubled = L.Conv2D(3, 1)
    doubled.call = lambda x: ops.concatenate([x, x], axis=-1)
    assert doubled(image()).shape == (None, 8, 8, 6)


def test_functions_and_classes_of_users_are_traced_each_time(traced) -> None:
    class Own(L.Dense):
        pass

    for make in (lambda: Own(3), lambda: L.Activation(lambda x: x)):
        before = len(traced)
        assert make()(image()).shape == make()(image()).shape == (None, 8, 8, 3)
        assert len(traced) == before + 2


def test_what_warns_warns_for_each_layer(traced) -> None:
    def warns() -> bool:
        layer = L.Softmax(axis=-1)
        with pytest.warns(UserWarning, match="axis"):
            layer(nacre.Input((4, 1)))
        return True

    assert warns() and warns()


@pytest.mark.parametrize("row", FORMULAS, ids=lambda row: row.id)
def test_the_second_layer_of_a_kind_says_what_the_first_one_did(row) -> None:
    args, kwargs = symbolic_call_of(row)

    def spec() -> list[tuple[object, ...]]:
        outputs = leaves(built(row)(*args, **kwargs))
        return [(t.shape, t.dtype) for t in outputs]

    spec_memory._kept.clear()
    assert spec() == spec()


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_memory, "_kept", {})
    monkeypatch.setattr(spec_memory, "_MOST", 4)
    for size in range(1, 10):
        assert L.Dense(size)(nacre.Input((3,))).shape == (None, size)
        assert len(spec_memory._kept) <= 4
    assert np.asarray(L.Dense(2)(np.ones((1, 3)))).shape == (1, 2)


def test_what_is_kept_keeps_no_layer_alive(traced: list[object]) -> None:
    inputs = image()
    layer = L.Conv2D(3, 2)
    model = nacre.Model(inputs, L.Flatten()(layer(inputs)))
    gone = weakref.ref(layer)
    assert spec_memory._kept
    traced.clear()
    del inputs, layer, model
    gc.collect()
    assert gone() is None


def test_a_function_without_a_module_is_no_part_of_a_key(traced: list[object]) -> None:
    square = types.FunctionType((lambda x: x**2).__code__, {})
    assert square.__module__ is None
    assert L.Lambda(square)(image()).shape == (None, 8, 8, 3)
    assert not spec_memory._kept
