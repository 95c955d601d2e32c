"""The quickstart's figures are written, with and without mistakes, and leave matplotlib alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from nacre.cli import _figures


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, labels and probabilities of 40 digits, 2 of them wrong."""
    random = np.random.default_rng(0)
    labels = np.arange(40) % 10
    probabilities = np.full((40, 10), 0.01)
    probabilities[np.arange(40), labels] = 0.91
    probabilities[[3, 17]] = np.roll(probabilities[[3, 17]], 1, axis=1)
    return random.integers(0, 17, (40, 8, 8)), labels, probabilities


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


@pytest.mark.parametrize("epochs", [1, 12])
@pytest.mark.parametrize("validated", [True, False])
def test_learning_curves(tmp_path: Path, epochs: int, validated: bool) -> None:
    values = np.linspace(1, 0.1, epochs).tolist()
    history = {"loss": values, "accuracy": [1 - value / 2 for value in values]}
    if validated:
        history |= {f"val_{name}": list(series) for name, series in history.items()}
    _figures.learning_curves(history, tmp_path / "curves.png")
    assert is_png(tmp_path / "curves.png")


def test_confusion_matrix(tmp_path: Path, predictions: tuple) -> None:
    _, labels, probabilities = predictions
    _figures.confusion_matrix(labels, probabilities, tmp_path / "confusion.png")
    assert is_png(tmp_path / "confusion.png")


def test_a_single_mistake_is_visible() -> None:
    counts = np.diag([1000] * 3)
    counts[0, 2] = 1
    colors = _figures._cell_colors(counts)
    assert np.abs(colors[0, 2] - colors[0, 1]).max() > 0.1


@pytest.mark.parametrize("count", [1, 5, 12])
def test_worst_mistakes(tmp_path: Path, predictions: tuple, count: int) -> None:
    _figures.worst_mistakes(*predictions, tmp_path / "worst.png", count=count)
    assert is_png(tmp_path / "worst.png")


def test_drawing_leaves_global_settings_alone(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    _figures.learning_curves({"loss": [1.0], "accuracy": [0.5]}, tmp_path / "curves.png")
    assert dict(matplotlib.rcParams) == before
