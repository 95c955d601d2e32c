"""The quickstart's figures, in one style: quiet axes, two accents, nothing without a meaning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_INK = "#1f2933"
_QUIET = "#7b8794"
_GRID = "#e4e7eb"
_BLUE = "#2563eb"
_ORANGE = "#ea7317"
_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 150,
    "font.size": 10.0,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _QUIET,
    "axes.titlecolor": _INK,
    "axes.titlesize": 12.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "grid.color": _GRID,
    "legend.frameon": False,
}


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """A figure that is written to `path` at the end. No window, no global state touched."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context(_STYLE):
        padding = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        figure = Figure(figsize=(width, height), layout=padding)
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(path)


def learning_curves(history: dict[str, list[float]], path: Path) -> None:
    """Loss and accuracy over the epochs, training and validation, the best epoch marked.

    Args:
        history: Logs by name, one value per epoch.
        path: PNG file to write.
    """
    epochs = np.arange(1, len(history["loss"]) + 1)
    best = int(np.argmin(history.get("val_loss", history["loss"])))
    with _figure(path, 9.5, 3.8) as figure:
        for axes, name, title in zip(
            figure.subplots(1, 2), ("loss", "accuracy"), ("Loss (logarithmic)", "Accuracy")
        ):
            axes.grid(axis="y")
            axes.axvline(epochs[best], color=_QUIET, linewidth=0.8, linestyle=(0, (4, 4)))
            _curve(axes, epochs, history[name], _QUIET, "training")
            if f"val_{name}" in history:
                values = history[f"val_{name}"]
                _curve(axes, epochs, values, _BLUE, "validation")
                axes.plot(epochs[best], values[best], "o", color=_BLUE, markersize=6, clip_on=False)
            axes.set(title=title, xlabel="epoch", xlim=(0.5, len(epochs) + 0.5))
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.tick_params(which="both", length=0)
            if name == "loss":
                axes.set_yscale("log")  # late epochs differ by factors, not by amounts
            else:
                axes.set_ylim(*_accuracy_limits(history))
            axes.legend(loc="best")
            axes.annotate(
                f"best epoch {epochs[best]}",
                (epochs[best], 0.8 if name == "loss" else 0.5),
                xycoords=("data", "axes fraction"),
                xytext=(-5, 0),
                textcoords="offset points",
                color=_QUIET,
                fontsize=8,
                rotation=90,
                ha="right",
                va="center",
            )


def _curve(axes: Any, epochs: Any, values: list[float], color: str, label: str) -> None:
    axes.plot(epochs, values, color=color, linewidth=1.8, label=label)


def _accuracy_limits(history: dict[str, list[float]]) -> tuple[float, float]:
    lowest = min(min(history["accuracy"]), min(history.get("val_accuracy", [1.0])))
    return max(0.0, lowest - 0.05), 1.005


def confusion_matrix(labels: Any, probabilities: Any, path: Path) -> None:
    """How often each digit is taken for which; right answers blue, mistakes orange.

    Args:
        labels: True classes (n,).
        probabilities: Predictions (n, classes).
        path: PNG file to write.
    """
    num_classes = probabilities.shape[-1]
    counts = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(counts, (np.asarray(labels), probabilities.argmax(axis=-1)), 1)
    right, total = int(np.trace(counts)), int(counts.sum())
    with _figure(path, 6.0, 6.2) as figure:
        axes = figure.subplots()
        axes.imshow(_cell_colors(counts))
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if row == column else _INK
                axes.text(column, row, count, ha="center", va="center", color=color)
        ticks = np.arange(num_classes)
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
        axes.set_xticks(ticks[:-1] + 0.5, minor=True)
        axes.set_yticks(ticks[:-1] + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.set(
            title=f"{right} of {total} test digits are right ({right / total:.1%})",
            xlabel="predicted",
            ylabel="true",
        )


def _cell_colors(counts: Any) -> Any:
    """Blue on the diagonal, orange elsewhere; stronger for a larger part of its row."""
    from matplotlib.colors import to_rgb

    part = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # (true, predicted)
    on_diagonal = np.eye(len(counts), dtype=bool)
    # A single mistake must still be seen: its cell starts at 25 % strength.
    mistakes = np.where(counts > 0, 0.25 + 0.75 * np.minimum(part * 4, 1), 0.0)
    strength = np.where(on_diagonal, part, mistakes)[..., None]
    accent = np.where(on_diagonal[..., None], to_rgb(_BLUE), to_rgb(_ORANGE))
    empty = np.asarray(to_rgb("#f5f7fa"))
    return empty * (1 - strength) + accent * strength


def worst_mistakes(
    images: Any, labels: Any, probabilities: Any, path: Path, *, count: int = 12
) -> None:
    """The images whose true class got the least probability, with both digits named.

    Args:
        images: Grey images (n, height, width).
        labels: True classes (n,).
        probabilities: Predictions (n, classes).
        path: PNG file to write.
        count: How many images to draw.
    """
    labels = np.asarray(labels)
    of_true_class = probabilities[np.arange(len(labels)), labels]
    predicted = probabilities.argmax(axis=-1)
    chosen = np.argsort(of_true_class, kind="stable")[:count]
    num_wrong = int((predicted != labels).sum())
    columns = 6
    rows = -(-len(chosen) // columns)
    with _figure(path, 1.6 * columns, 2.0 * rows + 0.7) as figure:
        figure.suptitle(
            f"The {len(chosen)} hardest test digits  ·  {num_wrong} wrong, the others right "
            "with the least certainty",
            x=0.01,
            ha="left",
            fontsize=12,
            fontweight="bold",
        )
        panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axes in panels:
            axes.axis("off")
        for axes, index in zip(panels, chosen):
            wrong = predicted[index] != labels[index]
            axes.imshow(images[index], cmap="gray_r", interpolation="nearest")
            axes.set_title(
                f"{labels[index]} taken for {predicted[index]}" if wrong else f"{labels[index]}",
                color=_ORANGE if wrong else _BLUE,
                loc="center",
                fontsize=10,
                pad=4,
            )
            sure = probabilities[index, predicted[index]]
            axes.text(
                0.5,
                -0.05,
                f"{sure:.0%} sure",
                transform=axes.transAxes,
                ha="center",
                va="top",
                color=_QUIET,
                fontsize=8,
            )
