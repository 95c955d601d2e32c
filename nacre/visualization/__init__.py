"""`keras.visualization`: pictures of images with boxes, masks and labels.

How this folder works: `pixels` makes whole numbers from 0 to 255 of whatever images hold; `boxes`
and `masks` draw on them and return arrays; `galleries` puts such arrays into figures of matplotlib.
"""

from nacre.visualization.boxes import draw_bounding_boxes as draw_bounding_boxes
from nacre.visualization.galleries import plot_bounding_box_gallery as plot_bounding_box_gallery
from nacre.visualization.galleries import plot_image_gallery as plot_image_gallery
from nacre.visualization.galleries import (
    plot_segmentation_mask_gallery as plot_segmentation_mask_gallery,
)
from nacre.visualization.masks import draw_segmentation_masks as draw_segmentation_masks

__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "plot_bounding_box_gallery",
    "plot_image_gallery",
    "plot_segmentation_mask_gallery",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
