"""`nacre.distribution`: Keras's names for layouts on several devices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import distribution, layers
from nacre.core.errors import ArgumentError, UnsupportedError

X, Y = np.random.default_rng(0).random((2, 32, 8)).astype("float32")


@pytest.fixture(autouse=True)
def _unset() -> Any:
    yield
    distribution.set_distribution(None)


def trained(found: Any) -> Any:
    nacre.utils.set_random_seed(0)
    distribution.set_distribution(found)
    model = nacre.Sequential(
        [nacre.Input((8,)), layers.Dense(16, "relu", name="d1"), layers.Dense(8, name="d2")]
    )
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    return model


@pytest.mark.eight_devices
def test_a_model_trained_on_a_mesh_is_that_of_one_device() -> None:
    expected = trained(None)
    mesh = distribution.DeviceMesh((2, 4), ["data", "model"])
    layout = distribution.LayoutMap(mesh)
    layout["d1/kernel"] = (None, "model")
    layout["d1/bias"] = ("model",)
    for found in (distribution.DataParallel(), distribution.ModelParallel(layout_map=layout)):
        model = trained(found)
        assert distribution.distribution() is found
        kernel = model.get_layer("d1").kernel.value
        assert len(kernel.sharding.device_set) == 8
        for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert kernel.sharding.shard_shape(kernel.shape) == (8, 4)
    assert found.num_model_replicas == 2
    spread = distribution.distribute_tensor(X, distribution.TensorLayout(("data",), mesh))
    assert spread.sharding.shard_shape(spread.shape) == (16, 8)


def test_a_scope_puts_back_what_was_set() -> None:
    outer, inner = (distribution.DataParallel(devices=["cpu:0"]) for _ in range(2))
    distribution.set_distribution(outer)
    with inner.scope():
        assert distribution.distribution() is inner
    assert distribution.distribution() is outer


MESH = (1, 1), ["data", "model"], ["cpu:0"]


def laid_out(rules: dict[str, Any], shape: tuple[int, int] = (1, 1)) -> Any:
    """A model trained while rules of a layout map are in force, and the map."""
    count = shape[0] * shape[1]
    mesh = distribution.DeviceMesh(shape, MESH[1], distribution.list_devices()[:count])
    layout = distribution.LayoutMap(mesh)
    for key, axes in rules.items():
        layout[key] = axes
    return trained(distribution.ModelParallel(layout_map=layout)), layout


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: distribution.DeviceMesh((1,), ["a", "b"]), "a size and a name"),
        (lambda: distribution.DeviceMesh((3, 1), ["a", "b"], ["cpu:0"]), "must have 3 devices"),
        (lambda: distribution.DeviceMesh((1,), ["a"], ["cpu:99"]).backend_mesh, "cpu:99"),
        (lambda: distribution.TensorLayout(("q",), distribution.DeviceMesh(*MESH)), "'q'"),
        (lambda: distribution.TensorLayout((None,)).backend_layout, "must have a mesh"),
        (lambda: distribution.TensorLayout((0,), distribution.DeviceMesh(*MESH)), "Got 0"),  # pyright: ignore[reportArgumentType]
        (lambda: distribution.TensorLayout(("data", "data")), "one axis of the tensor"),
        (lambda: laid_out({"d1/(": ("model",)}), "regular expression"),
        (lambda: laid_out({"d1/": (None, "model")}), "'sequential.*d1/bias.* the 1 axes"),
        (
            lambda: laid_out({"d1/kernel": (None, "model"), ".*kernel": ("model", None)}),
            "one key must fit path 'sequential.*d1/kernel'.* 'd1/kernel', '.*kernel'",
        ),
        (lambda: distribution.ModelParallel(), "layout map"),
        (lambda: distribution.set_distribution(3), "DataParallel"),  # pyright: ignore[reportArgumentType]
        (lambda: nacre.device("the first").__enter__(), "gpu:0"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


def test_a_layout_map_has_one_layout_for_a_path() -> None:
    layout = distribution.LayoutMap(distribution.DeviceMesh(*MESH))
    layout["kernel"] = (None, "model")
    with pytest.raises(ArgumentError, match="again"):
        layout["kernel"] = (None, None)
    layout["d1/.*"] = ("model",)
    found = layout["d2/kernel"]
    assert found is not None and found.axes == (None, "model") and layout["d2/bias"] is None
    with pytest.raises(ArgumentError, match="one key"):
        layout["d1/kernel"]


@pytest.mark.eight_devices
def test_sizes_that_cannot_be_divided_are_refused_with_the_variable() -> None:
    with pytest.raises(ArgumentError, match="d2/kernel.* 8 by 3"):
        laid_out({"d2/kernel": (None, "model")}, (1, 3))


@pytest.mark.eight_devices
def test_rules_that_a_map_gets_or_loses_in_force_hold_from_there_on() -> None:
    model, layout = laid_out({"nowhere": ("model",)}, (2, 4))
    kernel = model.get_layer("d1").kernel
    assert kernel.value.sharding.shard_shape(kernel.shape) == (8, 16)
    layout["d1/kernel"] = (None, "model")
    model.fit(X, Y, batch_size=16, verbose=0)
    assert kernel.value.sharding.shard_shape(kernel.shape) == (8, 4)
    del layout["d1/kernel"]
    model.fit(X, Y, batch_size=16, verbose=0)
    assert kernel.value.sharding.shard_shape(kernel.shape) == (8, 16)


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    distribution.initialize()
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    with pytest.raises(UnsupportedError, match="2 processes"):
        distribution.initialize()


def test_a_block_on_a_device_that_is_not_there_says_so_and_runs() -> None:
    with nacre.device("cpu:0"):
        assert nacre.ops.ones((2,)).devices() == {jax.devices("cpu")[0]}
    with pytest.warns(UserWarning, match="tpu:7"), nacre.device("tpu:7"):
        assert float(nacre.ops.sum(nacre.ops.ones((2,)))) == 2
