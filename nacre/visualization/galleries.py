"""Images side by side, as figures of matplotlib."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message, refuse_unknown
from nacre.core.interop import optional_import
from nacre.visualization.boxes import drawn_boxes
from nacre.visualization.masks import drawn_masks, masks_of
from nacre.visualization.pixels import Pixels, array_of, color_of, pixels_of

_FIGURE = ("scale", "path", "show", "transparent", "dpi")  # arguments that are handed on
_MISTAKE = "#b3261e"  # titles of images whose label was predicted wrongly


def plot_image_gallery(
    images: Any,
    y_true: Any = None,
    y_pred: Any = None,
    label_map: Mapping[Any, str] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    value_range: Sequence[float] = (0, 255),
    scale: float = 2,
    path: str | os.PathLike[str] | None = None,
    show: bool | None = None,
    transparent: bool = True,
    dpi: float = 60,
    legend_handles: Sequence[Any] | None = None,
    data_format: str | None = None,
) -> Any:
    """Show images in a grid, each with its label above it.

    Args:
        images: (images, height, width, channels).
        y_true: The label of each image.
        y_pred: What was predicted for each; wrong ones are red.
        label_map: Label -> name; labels are shown as they are where it has none.
        rows, cols: Of the grid; what is None follows from the number of images. In a smaller grid
            the first images are shown.
        value_range: What is black and what is full colour, such as (0, 1) or (-1, 1).
        scale: Height of an image, in inches.
        path: A file to write to, of a kind that matplotlib knows; its folder is made.
        show: Whether the figure is shown at once; by default unless it is written.
        transparent: Whether the file has no background.
        dpi: Pixels per inch.
        legend_handles: Artists of matplotlib for a legend below.
        data_format: 'channels_last' or 'channels_first'; None for `image_data_format()`.

    Returns:
        The figure, or None when it was shown: a notebook would show it twice.

    Raises:
        ArgumentError: An argument breaks its rule.
        MissingPackageError: matplotlib is not installed.
        ShapeError: Images and labels do not fit.
    Source:
        Keras 3.15. Differs: `label_map` is never needed.
    Example:
        >>> import numpy as np
        >>> figure = plot_image_gallery(np.zeros((5, 8, 8, 1)), y_true=range(5), show=False)
        >>> len(figure.axes)
        6
    """
    who = "plot_image_gallery"
    pixels = pixels_of(images, who, data_format, value_range)
    found, wanted = _labels(y_true, "y_true", pixels, who), _labels(y_pred, "y_pred", pixels, who)
    titles = [_title(one, other, label_map) for one, other in zip(found, wanted, strict=True)]
    return _gallery(
        pixels, titles, rows, cols, scale, path, show, transparent, dpi, legend_handles, who
    )


def plot_bounding_box_gallery(
    images: Any,
    bounding_box_format: str,
    y_true: Mapping[str, Any] | None = None,
    y_pred: Mapping[str, Any] | None = None,
    value_range: Sequence[float] = (0, 255),
    true_color: Any = (0, 188, 212),
    pred_color: Any = (255, 235, 59),
    line_thickness: int = 2,
    font_scale: float = 1.0,
    text_thickness: int | None = None,
    class_mapping: Mapping[int, str] | None = None,
    ground_truth_mapping: Mapping[int, str] | None = None,
    prediction_mapping: Mapping[int, str] | None = None,
    legend: bool = False,
    legend_handles: Sequence[Any] | None = None,
    rows: int | None = None,
    cols: int | None = None,
    data_format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Show images in a grid with the boxes they have, named above, and those that were predicted,
    named below.

    Args:
        images: (images, height, width, channels).
        bounding_box_format: See `nacre.utils.bounding_boxes.convert_format`.
        y_true, y_pred: Dicts of 'boxes' and 'labels' as `draw_bounding_boxes` takes them.
        value_range: What is black and what is full colour.
        true_color, pred_color: Of their boxes: red, green, blue from 0 to 255.
        line_thickness: Of boxes, in pixels.
        font_scale: Size of letters.
        text_thickness: Of letters, in pixels.
        class_mapping: Label -> name, for both; with it boxes show their names.
        ground_truth_mapping, prediction_mapping: The same for one of them.
        legend: Whether a legend tells which colour is which.
        legend_handles: Artists of matplotlib for a legend of one's own.
        rows, cols: Of the grid.
        data_format: 'channels_last' or 'channels_first'; None for `image_data_format()`.
        kwargs: `scale`, `path`, `show`, `transparent` and `dpi` of `plot_image_gallery`.

    Returns:
        As `plot_image_gallery`.

    Raises:
        ArgumentError: An argument breaks its rule; legend and legend_handles are both given.
        MissingPackageError: matplotlib or Pillow is not installed.
        ShapeError: Images and boxes do not fit.
    Source:
        Keras 3.15.
    Example:
        >>> import numpy as np
        >>> boxes = {"boxes": [[[2.0, 2.0, 6.0, 6.0]]], "labels": [[0]]}
        >>> images = np.zeros((1, 8, 8, 3))
        >>> figure = plot_bounding_box_gallery(images, "xyxy", y_true=boxes, show=False)
        >>> len(figure.axes)
        1
    """
    who = "plot_bounding_box_gallery"
    refuse_unknown(who, kwargs.keys() - set(_FIGURE), _FIGURE)
    if legend and legend_handles is not None:
        rule = "legend=True makes a legend, legend_handles bring one: only one of them can be given"
        raise ArgumentError(message(who, rule, "both"))
    pixels = pixels_of(images, who, data_format, value_range)
    for boxes, color, mapping, is_below in (
        (y_true, true_color, ground_truth_mapping, False),
        (y_pred, pred_color, prediction_mapping, True),
    ):
        if boxes is not None:
            names = class_mapping if mapping is None else mapping
            pixels = drawn_boxes(
                pixels, boxes, bounding_box_format, names, color, line_thickness,
                1 if text_thickness is None else text_thickness, font_scale, who, is_below,
            )  # fmt: skip
    if legend:
        legend_handles = [
            _patch(color, text, who)
            for boxes, color, text in (
                (y_true, true_color, "Ground truth"),
                (y_pred, pred_color, "Prediction"),
            )
            if boxes is not None
        ]
    return plot_image_gallery(
        pixels, rows=rows, cols=cols, legend_handles=legend_handles, data_format="channels_last",
        **kwargs,
    )  # fmt: skip


def plot_segmentation_mask_gallery(
    images: Any,
    num_classes: int,
    value_range: Sequence[float] = (0, 255),
    y_true: Any = None,
    y_pred: Any = None,
    color_mapping: Mapping[int, Any] | None = None,
    blend: bool = True,
    alpha: float = 0.8,
    ignore_index: int = -1,
    data_format: str | None = None,
    **kwargs: Any,
) -> Any:
    """Show images in a grid, each beside the same with its mask and with that predicted.

    Args:
        images: (images, height, width, channels).
        num_classes: Classes from 0 to below it are drawn.
        value_range: What is black and what is full colour.
        y_true, y_pred: The class of each pixel, as `draw_segmentation_masks` takes them.
        color_mapping: Class -> (red, green, blue).
        blend: Whether the image shines through.
        alpha: How opaque the colours are, from 0 to 1.
        ignore_index: A class that is not drawn.
        data_format: 'channels_last' or 'channels_first'; None for `image_data_format()`.
        kwargs: `rows`, `cols`, `scale`, `path`, `show`, `transparent`, `dpi` and `legend_handles`
            of `plot_image_gallery`.

    Returns:
        As `plot_image_gallery`.

    Raises:
        ArgumentError: An argument breaks its rule.
        DTypeError: Masks hold no whole numbers.
        MissingPackageError: matplotlib is not installed.
        ShapeError: Images and masks do not fit.
    Source:
        Keras 3.15.
    Example:
        >>> import numpy as np
        >>> images, masks = np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8), int)
        >>> figure = plot_segmentation_mask_gallery(images, 2, y_true=masks, show=False)
        >>> len(figure.axes)
        2
    """
    who = "plot_segmentation_mask_gallery"
    figure_arguments = (*_FIGURE, "rows", "cols", "legend_handles")
    refuse_unknown(who, kwargs.keys() - set(figure_arguments), figure_arguments)
    pixels = pixels_of(images, who, data_format, value_range)
    parts = [pixels]
    for masks in (y_true, y_pred):
        if masks is not None:
            found = masks_of(masks, pixels, data_format, who)
            parts.append(
                drawn_masks(
                    pixels, found, num_classes, color_mapping, alpha, blend, ignore_index, who
                )
            )
    side_by_side = np.concatenate(parts, axis=2)
    return plot_image_gallery(side_by_side, data_format="channels_last", **kwargs)


def _labels(labels: Any, name: str, pixels: Pixels, who: str) -> list[Any]:
    """One label an image, None where there are none."""
    count = len(pixels)
    if labels is None:
        return [None] * count
    array = array_of(labels, who)
    if array.shape not in ((count,), (count, 1)):
        fix = f"Pass {name}.argmax(-1)." if array.ndim == 2 else ""
        rule = f"{name} must hold one label for each of {count} images"
        raise ShapeError(message(who, rule, f"shape {array.shape}", fix))
    return array.reshape(-1).tolist()


def _title(true: Any, predicted: Any, label_map: Mapping[Any, str] | None) -> tuple[str, bool]:
    """What stands above an image, and whether it was predicted wrongly."""

    def name(label: Any) -> str:
        return str(label if label_map is None else label_map.get(label, label))

    if predicted is None:
        return ("" if true is None else name(true)), False
    if true is None:
        return f"predicted: {name(predicted)}", False
    return f"true: {name(true)}\npredicted: {name(predicted)}", true != predicted


def _grid(count: int, rows: Any, cols: Any, who: str) -> tuple[int, int]:
    for given, name in ((rows, "rows"), (cols, "cols")):
        if given is not None and (isinstance(given, bool) or int(given) < 1):
            raise ArgumentError(message(who, f"{name} must be at least 1", repr(given)))
    if cols is None:
        cols = math.ceil(math.sqrt(count)) if rows is None else math.ceil(count / rows)
    return int(math.ceil(count / cols) if rows is None else rows), int(cols)


def _gallery(
    pixels: Pixels,
    titles: list[tuple[str, bool]],
    rows: int | None,
    cols: int | None,
    scale: float,
    path: str | os.PathLike[str] | None,
    show: bool | None,
    transparent: bool,
    dpi: float,
    legend_handles: Sequence[Any] | None,
    who: str,
) -> Any:
    if not len(pixels):
        raise ShapeError(message(who, "there must be an image to show", "none"))
    pyplot = optional_import("matplotlib.pyplot", extra="plot", who=who)
    rows, cols = _grid(len(pixels), rows, cols, who)
    height, width = pixels.shape[1:3]
    lines = max(text.count("\n") + 1 if text else 0 for text, _ in titles)
    size = (scale * cols * width / max(height, 1), rows * (scale + 0.22 * lines))
    figure, axes = pyplot.subplots(
        rows, cols, squeeze=False, figsize=size, dpi=dpi, layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    for one in axes.ravel():
        one.axis("off")
    for one, image, (text, is_mistake) in zip(axes.ravel(), pixels, titles, strict=False):
        one.imshow(image)
        if text:
            color = _MISTAKE if is_mistake else "black"
            one.set_title(text, pad=3, fontsize=9, color=color)
    if legend_handles:
        figure.legend(handles=list(legend_handles), loc="outside lower center", ncols=4)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi, transparent=transparent)
    if not (path is None if show is None else show):
        pyplot.close(figure)  # else a notebook would show it after all
        return figure
    with warnings.catch_warnings():  # without a screen there is nowhere to show it
        warnings.filterwarnings("ignore", message=".*non-interactive")
        pyplot.show()
    return None


def _patch(color: Any, text: str, who: str) -> Any:
    patches = optional_import("matplotlib.patches", extra="plot", who=who)
    return patches.Patch(color=[part / 255 for part in color_of(color, who)], label=text)


__all__ = ["plot_bounding_box_gallery", "plot_image_gallery", "plot_segmentation_mask_gallery"]
