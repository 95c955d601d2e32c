"""Galleries of images: what they show, and where."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre import visualization
from nacre.core.errors import ArgumentError, MissingPackageError, ShapeError

matplotlib = pytest.importorskip("matplotlib")
IMAGES = np.arange(5 * 8 * 10 * 3).reshape(5, 8, 10, 3) % 256


@pytest.fixture(autouse=True)
def no_screen() -> Any:
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        yield


def shown(figure: Any) -> list[np.ndarray]:
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]


@pytest.mark.parametrize(
    ("rows", "cols", "grid", "count"),
    [(None, None, 6, 5), (1, None, 5, 5), (None, 2, 6, 5), (2, 2, 4, 4), (3, 3, 9, 5)],
)
def test_the_grid_follows_from_the_images(rows: Any, cols: Any, grid: int, count: int) -> None:
    figure = visualization.plot_image_gallery(IMAGES, rows=rows, cols=cols, show=False)
    assert len(figure.axes) == grid and len(shown(figure)) == count
    np.testing.assert_array_equal(shown(figure)[1], IMAGES[1])


def test_labels_are_shown_and_mistakes_are_red() -> None:
    figure = visualization.plot_image_gallery(
        IMAGES, [0, 1, 2, 0, 1], [0, 1, 2, 0, 0], label_map={0: "cat", 1: "dog"}, show=False
    )
    titles = [(ax.get_title(), ax.title.get_color()) for ax in figure.axes[:5]]
    assert titles[0] == ("true: cat\npredicted: cat", "black")
    assert titles[2][0] == "true: 2\npredicted: 2"
    assert titles[4][0] == "true: dog\npredicted: cat" and titles[4][1] != "black"


def test_the_value_range_is_black_to_full_colour() -> None:
    images = np.linspace(-1, 1, 8 * 10 * 3).reshape(1, 8, 10, 3)
    figure = visualization.plot_image_gallery(images, value_range=(-1, 1), show=False)
    assert shown(figure)[0].min() == 0 and shown(figure)[0].max() == 255


def test_a_gallery_is_written_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gallery.png"
    figure = visualization.plot_image_gallery(IMAGES, path=path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert figure.number not in matplotlib.pyplot.get_fignums()


def test_without_a_screen_showing_is_quiet() -> None:
    assert visualization.plot_image_gallery(IMAGES) is None
    matplotlib.pyplot.close("all")


def test_boxes_are_drawn_with_a_legend() -> None:
    boxes = {"boxes": np.tile([[[1.0, 1, 6, 6]]], (5, 1, 1)), "labels": np.zeros((5, 1))}
    figure = visualization.plot_bounding_box_gallery(
        IMAGES, "xyxy", boxes, boxes, pred_color=(1, 2, 3), legend=True, show=False, scale=1
    )
    assert (shown(figure)[0][1, 3] == (1, 2, 3)).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "Ground truth", "Prediction",
    ]  # fmt: skip
    with pytest.raises(ArgumentError, match="Did you mean 'path'"):
        visualization.plot_bounding_box_gallery(IMAGES, "xyxy", pth="x.png")
    with pytest.raises(ArgumentError, match="only one of them"):
        visualization.plot_bounding_box_gallery(IMAGES, "xyxy", legend=True, legend_handles=[])


def test_masks_stand_beside_their_images() -> None:
    masks = np.zeros((5, 8, 10), int)
    figure = visualization.plot_segmentation_mask_gallery(
        IMAGES, 2, y_true=masks, y_pred=masks + 1, alpha=1, show=False
    )
    one = shown(figure)[0]
    assert one.shape == (8, 30, 3)
    assert (one[:, 10:20] == 0).all() and (one[:, 20:] == (1, 127, 31)).all()


def test_labels_must_fit_the_images() -> None:
    with pytest.raises(ShapeError, match=r"y_pred must hold one label.*argmax"):
        visualization.plot_image_gallery(IMAGES, y_pred=np.zeros((5, 3)), show=False)
    with pytest.raises(ShapeError, match="there must be an image"):
        visualization.plot_image_gallery(IMAGES[:0], show=False)
    with pytest.raises(ArgumentError, match="cols must be at least 1"):
        visualization.plot_image_gallery(IMAGES, cols=0, show=False)
    with pytest.raises(ArgumentError, match="value_range must be"):
        visualization.plot_image_gallery(IMAGES, value_range=(1, 0), show=False)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match=r"plot_image_gallery.*nacre\[plot\]"):
        visualization.plot_image_gallery(IMAGES)
    monkeypatch.setitem(sys.modules, "PIL.ImageDraw", None)
    boxes = {"boxes": np.zeros((5, 1, 4))}
    with pytest.raises(MissingPackageError, match=r"draw_bounding_boxes.*nacre\[plot\]"):
        visualization.draw_bounding_boxes(IMAGES, boxes, "xyxy")
