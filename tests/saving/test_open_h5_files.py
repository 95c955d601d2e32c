"""Models are saved to an `h5py.File` that is open, and opened from one, as in tf.keras 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError
from tests.saving.helpers import small

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


def trained() -> Any:
    model = small()
    model.compile("adam", "mse")
    model.fit(X, np.ones((4, 2)), verbose=0)
    return model


@pytest.mark.parametrize("driver", [None, "core"])
@pytest.mark.parametrize("compat", [None, "keras-2.15"])
def test_a_model_goes_through_an_open_file(
    driver: Any, compat: Literal["keras-2.15"] | None, tmp_path: Path
) -> None:
    model = trained()
    with h5py.File(tmp_path / "m.h5", "w", driver=driver) as file:
        file["other"] = 3
        for _ in range(2):  # the second takes the place of the first
            model.save(file, compat=compat)
        found = [nacre.models.load_model(file)]
        small().load_weights(file)
    found.append(nacre.models.load_model(tmp_path / "m.h5"))
    with h5py.File(tmp_path / "m.h5", "r") as file:
        found.append(nacre.models.load_model(file))
        assert file["other"][()] == 3
    losses = model.fit(X, np.ones((4, 2)), verbose=0, shuffle=False).history["loss"]
    for other in found:
        history = other.fit(X, np.ones((4, 2)), verbose=0, shuffle=False).history
        assert history["loss"] == losses


def test_nothing_of_what_was_there_before_stays(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        trained().save(file, compat="keras-2.15")
        trained().save(file)
        assert "optimizer_weights" not in file
        model = small()
        model.save(file)
        other = nacre.models.load_model(file)
    assert not other.compiled
    np.testing.assert_array_equal(other(X), model(X))


def test_a_file_that_is_closed_or_not_for_writing_says_so(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    model = trained()
    model.save(path)
    before = path.read_bytes()
    with h5py.File(path, "r") as file, pytest.raises(FileFormatError, match="open for writing"):
        model.save(file)
    with pytest.raises(FileFormatError, match="open for writing"):
        model.save(file)
    with pytest.raises(FileFormatError, match="must be open"):
        nacre.models.load_model(file)
    assert path.read_bytes() == before


def test_arrays_that_lie_elsewhere_stay_closed_in_an_open_file(tmp_path: Path) -> None:
    trained().save(tmp_path / "secret.h5")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        small().save(file)
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink("secret.h5", "/model_weights")
        with pytest.raises(FileFormatError, match="a link at"):
            nacre.models.load_model(file)
