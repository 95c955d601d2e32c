"""Older `.h5` weights of models with frozen parts, and files matched by the names of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import WeightsMismatchError
from tests.field.old_files.frozen_models import MODELS, STATES, freeze

FILES = Path(__file__).parent / "old_files"


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return dict(np.load(FILES / "frozen.npz"))


@pytest.mark.parametrize("library", ["tf.keras", "keras3"])
@pytest.mark.parametrize("name", MODELS)
def test_old_weights_reach_their_layers_whatever_was_frozen_then_and_is_now(stored, library, name):
    x, wanted = stored[f"{library}/{name}/inputs"], stored[f"{library}/{name}/outputs"]
    layers.Dense(1), layers.GRU(1)  # automatic names then count from elsewhere
    model, parts = MODELS[name](nacre)
    for then in STATES:
        data = stored[f"{library}/{name}/{then}"].tobytes()
        for now in STATES:
            model.set_weights([np.zeros(w.shape, "float32") for w in model.weights])
            freeze(parts(), now)
            model.load_weights(data)
            got = np.asarray(model(x))
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6, err_msg=f"{then}, {now}")


def _two(first: str | None, second: str | None) -> tuple[Any, Any]:
    inner = nacre.Sequential(
        [nacre.Input((3,)), layers.Dense(3, name=first), layers.Dense(3, name=second)]
    )
    return nacre.Sequential([nacre.Input((3,)), inner]), inner


def _with_distinct_weights(model: Any) -> Any:
    for index, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, index + 1.0, "float32"))
    return model


@pytest.mark.parametrize("frozen", [False, True])
def test_own_older_files_saved_with_a_part_frozen_open_as_they_were(tmp_path, frozen):
    model, inner = _two(None, None)
    _with_distinct_weights(model)
    inner.layers[0].trainable = not frozen
    model.save(tmp_path / "m.h5")
    model.save_weights(tmp_path / "w.h5")
    loaded = nacre.saving.load_model(tmp_path / "m.h5")
    again, _ = _two(None, None)
    again.load_weights(tmp_path / "w.h5")
    for other in (loaded, again):
        for one, two in zip(other.weights, model.weights, strict=True):
            np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_where_names_cannot_tell_and_parts_are_frozen_the_load_is_refused_and_changes_nothing(
    tmp_path,
):
    model, _ = _two("encoder", "decoder")
    _with_distinct_weights(model).save_weights(tmp_path / "w.h5")
    other, inner = _two("one", "two")
    inner.layers[0].trainable = False
    before = [w.numpy() for w in other.weights]
    with pytest.raises(
        WeightsMismatchError, match=r"names in the file must tell.*trainable = True"
    ):
        other.load_weights(tmp_path / "w.h5")
    for weight, values in zip(other.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), values)
    inner.trainable = True  # the fix the message gives
    other.load_weights(tmp_path / "w.h5")
    np.testing.assert_array_equal(other.weights[0].numpy(), model.weights[0].numpy())


def test_renamed_layers_of_different_shapes_load_by_position(tmp_path):
    def build(a: str, b: str) -> Any:
        within = [layers.Dense(4, name=a), layers.Dense(2, name=b)]
        return nacre.Sequential([nacre.Input((3,)), nacre.Sequential([nacre.Input((3,)), *within])])

    model = _with_distinct_weights(build("x", "y"))
    model.save_weights(tmp_path / "w.h5")
    other = build("p", "q")
    other.layers[0].layers[0].trainable = False
    other.load_weights(tmp_path / "w.h5")
    for one, two in zip(other.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_the_same_names_decide_even_when_the_layers_are_in_another_order(tmp_path):
    model = nacre.Sequential(
        [nacre.Input((2,)), layers.Dense(2, name="a"), layers.Dense(2, name="b")]
    )
    _with_distinct_weights(model).save_weights(tmp_path / "w.h5")
    other = nacre.Sequential(
        [nacre.Input((2,)), layers.Dense(2, name="b"), layers.Dense(2, name="a")]
    )
    other.load_weights(tmp_path / "w.h5")
    kernel = other.get_layer("a").kernel.numpy()
    np.testing.assert_array_equal(kernel, model.get_layer("a").kernel.numpy())


def test_by_name_that_matches_nothing_is_an_error_and_names_both_sides(tmp_path):
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(2, name="backbone")])
    model.save_weights(tmp_path / "w.h5")
    other = nacre.Sequential([nacre.Input((2,)), layers.Dense(2, name="dense")])
    with pytest.raises(WeightsMismatchError, match="dense for backbone in the file"):
        other.load_weights(tmp_path / "w.h5", by_name=True)


def test_by_name_that_matches_in_part_says_what_was_left(tmp_path):
    model = nacre.Sequential(
        [nacre.Input((2,)), layers.Dense(2, name="a"), layers.Dense(3, name="old_head")]
    )
    model.save_weights(tmp_path / "w.h5")
    other = nacre.Sequential(
        [nacre.Input((2,)), layers.Dense(2, name="a"), layers.Dense(4, name="new_head")]
    )
    with pytest.warns(
        UserWarning, match=r"1 layer.*as they are: new_head; .*only: old_head"
    ) as got:
        other.load_weights(tmp_path / "w.h5", by_name=True)
    assert got[0].filename == __file__
    np.testing.assert_array_equal(other.weights[0].numpy(), model.weights[0].numpy())
