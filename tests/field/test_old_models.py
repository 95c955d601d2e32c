"""Models saved by tf.keras 2.15: each opens, computes what it did there, and trains on."""

from __future__ import annotations

import functools
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import saving
from tests.field.old_files import packing
from tests.field.old_files.custom_layers import custom_classes
from tests.saving.helpers import all_of

FILES = Path(__file__).parent / "old_files"
# tf.keras computes `mixed_precision` in float16 with another order of sums.
TOLERANCE = {"mixed_precision": 3e-3}
# What no file tells: that a layer within a custom one was frozen, so that the optimizer's state is
# that of fewer weights; and `.keras` of 2.15 leaves out the state of the optimizers of 2.10.
FRESH = ("custom_with_frozen_part", "legacy_optimizer")


@functools.cache
def stored() -> tuple[dict[str, np.ndarray], Any]:
    return packing.read(FILES / "models.npz")


def file_content(name: str) -> bytes:
    with zipfile.ZipFile(FILES / "models.zip") as archive:
        return archive.read(name)


def arranged(name: str, kind: str) -> Any:
    arrays, notes = stored()
    found = [a for key, a in arrays.items() if key.startswith(f"{name}/{kind}/")]
    if kind == "input" and notes[name]["keys"]:
        return dict(zip(notes[name]["keys"], found, strict=True))
    if kind in ("output", "target") and notes[name]["output_keys"]:
        return dict(zip(notes[name]["output_keys"], found, strict=True))
    return found if len(found) > 1 else found[0]


FILE_NAMES = [f"{name}.{ending}" for name, note in stored()[1].items() for ending in note["files"]]


@pytest.fixture(scope="module")
def computed() -> dict[Any, Any]:
    """What models gave, and logged of a step, by all that decides it: both forms open as the same."""
    return {}


def numbers_of(model: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """What a model gives for its inputs, and the logs of a step that it trains."""
    got = model(arranged(name, "input"), training=False)
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_states()
    inputs, targets = arranged(name, "input"), arranged(name, "target")
    return got, model.train_on_batch(inputs, targets, return_dict=True)


@pytest.mark.parametrize("file", FILE_NAMES)
def test_a_model_of_tf_keras_opens_computes_the_same_and_trains_on(file, computed):
    name = file.partition(".")[0]
    tolerance = TOLERANCE.get(name, 1e-5)
    with warnings.catch_warnings():
        if name == "transformer":
            warnings.filterwarnings("ignore", message=".*there masks end at ops")
        if name in FRESH:
            warnings.filterwarnings("ignore", message=".*state of optimizer")
        model = saving.load_model(file_content(file), custom_objects=custom_classes(nacre))
    if name not in FRESH:
        assert int(model.optimizer.iterations.numpy()) == stored()[1][name]["iterations"]
    key = name, *all_of(model)
    if key not in computed:
        computed[key] = numbers_of(model, name)
    (got, logs), wanted = computed[key], arranged(name, "output")
    for one, other in zip(nacre.tree.flatten(got), nacre.tree.flatten(wanted), strict=True):
        assert np.asarray(one).shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert all(np.isfinite(v).all() for v in logs.values())
