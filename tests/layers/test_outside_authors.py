"""What nacre's layers say of themselves an outside author's class may say too, to the same end."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core import scope
from nacre.core.errors import ArgumentError, WeightsMismatchError
from nacre.core.protocols import overrides

ONES = np.ones((2, 3), "float32")


def made(base: type = layers.Layer, **said: Any) -> Any:
    """A layer of an outside author's class with these attributes."""

    def call(self: Any, inputs: Any) -> Any:
        self.seen = str(inputs.dtype)
        return inputs

    return type("Outside", (base,), {"call": call, **said})(dtype="mixed_float16")


@pytest.mark.parametrize(("said", "seen"), [({}, "float16"), ({"casts_inputs": False}, "float32")])
def test_a_layer_says_whether_its_inputs_are_cast(said: dict[str, Any], seen: str) -> None:
    layer = made(**said)
    layer(ONES)
    assert layer.seen == seen


@pytest.mark.parametrize(("said", "seen"), [({}, "float32"), ({"casts_inputs": True}, "float16")])
def test_a_layer_of_layers_says_whether_its_inputs_are_cast(
    said: dict[str, Any], seen: str
) -> None:
    layer = made(**said)
    layer.inner = layers.CategoryEncoding(4)
    layer(ONES)
    assert layer.seen == seen


def test_a_layer_whose_calls_are_pure_is_built_where_nothing_is_to_build() -> None:
    assert made(calls_are_pure=True).built and layers.ReLU().built
    assert not made().built


def test_shapes_are_traced_where_a_layer_says_so() -> None:
    said: dict[str, Any] = {
        "call": lambda self, inputs: nacre.ops.argmax(inputs, axis=-1),
        "compute_output_shape": lambda self, shape: shape[:-1],
    }
    assert made(**said)(nacre.Input((3,))).dtype == "float16"
    assert made(**said, traces_shapes=True)(nacre.Input((3,))).dtype == "int32"
    once: Any = type("Texts", (layers.TimeDistributed,), {})(layers.Lambda(jnp.argmax))
    assert once.traces_shapes


@pytest.mark.parametrize("said", [{}, {"clears_masked_steps": True}])
def test_values_at_masked_steps_are_cleared_where_a_layer_says_so(said: dict[str, Any]) -> None:
    layer = made(**said)
    layer.supports_masking = True
    x = jnp.asarray([[[1.0], [np.nan]]])
    with scope.entered_call(scope.CallContext(layer, False)):
        scope.set_mask(x, jnp.asarray([[True, False]]))
        assert (layer._masks_to_clear(x) is not None) is bool(said)


class Named(layers.Dense):
    """A Dense under a name of the author's, which changes nothing."""


def test_a_class_that_changes_no_call_is_treated_as_the_one_it_derives_from() -> None:
    for cls in (layers.Dense, Named):
        layer = cls(2, kernel_initializer="ones")
        with pytest.raises(ArgumentError, match="must be called on a tensor"):
            layer(None)
        model = nacre.Sequential([nacre.Input((2, 1)), layers.Masking(9.0), layer])
        x = np.array([[[1.0], [9.0]]], "float32")
        assert np.isfinite(np.asarray(model(x))).all()
        mask = jnp.asarray([[True, False]])
        with scope.entered_call(scope.CallContext(layer, False)):
            scope.set_mask(given := jnp.asarray(x), mask)
            assert layer._masks_to_clear(given) is mask


class Numbered(layers.Layer):
    """Writes its variables itself, in order and under numbers."""

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(self.size,), initializer="ones")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale[0]

    def save_own_variables(self, store: Any) -> None:
        store["0"] = self.scale.numpy()

    def load_own_variables(self, store: Any) -> None:
        self.scale.assign(store["0"])


class SaysSo(Numbered):
    saves_by_number = True


def test_arrays_under_numbers_are_compared_where_a_layer_says_that_it_keeps_to_them(
    tmp_path: Any,
) -> None:
    path = str(tmp_path / "w.weights.h5")

    def model(cls: Any, size: int) -> Any:
        return nacre.Sequential([nacre.Input((3,)), cls(size, name="own")])

    model(SaysSo, 2).save_weights(path)
    with pytest.raises(WeightsMismatchError, match=r"scale +file \(2,\) +model \(4,\)|1 shape"):
        model(SaysSo, 4).load_weights(path)
    model(SaysSo, 2).load_weights(path)
    with pytest.raises(Exception, match="shape"):  # by its own method, as it says nothing
        model(Numbered, 4).load_weights(path)


class WithLoss:
    """A part of a class that stands before Model."""

    def compute_loss(self, **kwargs: Any) -> Any:
        return nacre.ops.sum(kwargs["y_pred"])


def test_a_model_overrides_what_any_class_before_the_base_writes() -> None:
    mixed: Any = type("Mixed", (WithLoss, nacre.Model), {})
    assert overrides(mixed(), "compute_loss") and not overrides(mixed(), "metrics")
    assert not overrides(nacre.Sequential(), "compute_loss")
