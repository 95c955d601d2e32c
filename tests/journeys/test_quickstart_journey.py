"""What a newcomer does: run the quickstart in a shell, look at its model, load it, predict."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

import nacre
from nacre.datasets import digits

pytestmark = pytest.mark.slow  # one quickstart serves them all


def nacre_command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nacre.cli.main", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(nacre.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder of a quickstart of three epochs, and what it printed."""
    pytest.importorskip("matplotlib", reason="the quickstart draws figures")
    folder = tmp_path_factory.mktemp("newcomer")
    result = nacre_command(folder, "quickstart", "--epochs", "3")
    assert result.returncode == 0, result.stderr
    return folder / "nacre-quickstart", result.stdout, result.stderr


def test_it_says_what_it_did_and_nothing_on_stderr(finished: tuple[Path, str, str]) -> None:
    folder, text, errors = finished
    assert errors == ""
    assert "Epoch 3/3" in text and "test accuracy" in text and "bit for bit" in text
    for path in folder.iterdir():
        assert path.name in text  # no file is left unmentioned


def test_its_csv_has_one_row_an_epoch(finished: tuple[Path, str, str]) -> None:
    with (finished[0] / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_its_model_is_summarised_and_predicts(finished: tuple[Path, str, str]) -> None:
    folder = finished[0]
    result = nacre_command(folder, "summary", "digits.keras")
    assert (result.returncode, result.stderr) == (0, "") and "151,690" in result.stdout
    model = nacre.models.load_model(folder / "digits.keras")
    x = digits.load_data()[1][0][:5, ..., None]
    np.testing.assert_allclose(model.predict(x, verbose=0).sum(axis=-1), 1, rtol=1e-5)


def test_its_file_holds_every_array_once(finished: tuple[Path, str, str]) -> None:
    """Keras refuses a file in which the model repeats the arrays of its layers."""
    with zipfile.ZipFile(finished[0] / "digits.keras") as archive:
        content = archive.read("model.weights.h5")
    with h5py.File(BytesIO(content)) as file:
        assert list(file.get("vars", [])) == []
        sizes: list[int] = []
        file.visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
    # 151,690 weights, twice as many numbers of Adam for the trainable ones, and a few seeds.
    assert sum(sizes) < 151_690 + 2 * 151_498 + 20
