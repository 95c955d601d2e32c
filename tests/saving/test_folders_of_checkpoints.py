"""Folders that saving makes, and those that must be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers


def model() -> Any:
    return nacre.Sequential([nacre.Input((2,)), layers.Dense(1)])


@pytest.mark.parametrize("name", ["ck", "cp.ckpt", "weights.02-0.53"])
def test_a_checkpoint_makes_the_folders_it_lies_in(tmp_path: Path, name: str) -> None:
    written, read = model(), model()
    path = tmp_path / "training_1" / "all" / name
    written.save_weights(path)
    read.load_weights(path).expect_partial().assert_existing_objects_matched()
    np.testing.assert_array_equal(read.get_weights()[0], written.get_weights()[0])


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.npz", "w.weights.json"])
def test_one_file_is_written_into_a_folder_that_is_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="must exist"):
        model().save_weights(tmp_path / "none" / name)
    assert not (tmp_path / "none").exists()


def test_a_whole_model_makes_folders_for_an_h5_file_as_tf_keras_2_does(tmp_path: Path) -> None:
    model().save(tmp_path / "a" / "b" / "m.h5")
    assert nacre.models.load_model(tmp_path / "a" / "b" / "m.h5").count_params() == 3
    with pytest.raises(FileNotFoundError, match="must exist"):
        model().save(tmp_path / "c" / "m.keras")
