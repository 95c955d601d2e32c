"""Write `boxes.json`: Keras's bounding boxes in all formats, and after changes of the images.

Layers that move pixels by a map (rotation, zoom) count pixels by their middles and boxes alike, so
their boxes are half a pixel off; they are given boxes moved by half a pixel, and the results are
moved back.
"""

from __future__ import annotations

import sys

import oracle  # isort: skip
import keras
import numpy as np

BOXES = [[[8.0, 9, 14, 18], [20, 10, 24, 22]], [[11, 12, 25, 14], [13, 17, 15, 21]]]
LABELS = [[1, 2], [0, 3]]
HEIGHT, WIDTH = 32, 40
FORMATS = (
    "xyxy yxyx xywh center_xywh center_yxhw rel_xyxy rel_yxyx rel_xywh rel_center_xywh"
).split()
ANCHORS = [[5.0, 5, 15, 20], [22, 8, 30, 20]]
DELTAS = [[0.1, -0.2, 0.3, 0.1], [0, 0.1, -0.2, 0.4]]
LAYERS = {
    "zoom": ("RandomZoom", {"height_factor": (0.3, 0.3), "width_factor": (-0.1, -0.1)}, 0.5),
    "rotation": ("RandomRotation", {"factor": (0.03, 0.03)}, 0.5),
    "translation": (
        "RandomTranslation",
        {"height_factor": (0.25, 0.25), "width_factor": (-0.3, -0.3)},
        0.0,
    ),
    "resizing": ("Resizing", {"height": 16, "width": 60}, 0.0),
    "resizing_crop": ("Resizing", {"height": 16, "width": 16, "crop_to_aspect_ratio": True}, 0.0),
    "center_crop": ("CenterCrop", {"height": 12, "width": 16}, 0.0),
    "center_crop_small": ("CenterCrop", {"height": 64, "width": 16}, 0.0),
}


def plain(value: object) -> object:
    return np.asarray(value, "float64").round(5).tolist()


def moved(name: str) -> dict[str, object]:
    """What a layer makes of the boxes."""
    layer, arguments, shift = LAYERS[name]
    boxes = np.array(BOXES, "float32") - shift
    made = getattr(keras.layers, layer)(**arguments, bounding_box_format="xyxy")
    images = np.zeros((2, HEIGHT, WIDTH, 3), "float32")
    data = {
        "images": images,
        "bounding_boxes": {
            "boxes": boxes,
            "labels": np.array(LABELS),
        },
    }
    drawn = made.get_random_transformation(data, training=True)
    result = made.transform_bounding_boxes(data["bounding_boxes"], drawn, training=True)
    return {"boxes": plain(np.asarray(result["boxes"]) + shift), "labels": plain(result["labels"])}


def main() -> int:
    utils = keras.utils.bounding_boxes
    boxes = np.array(BOXES, "float32")
    sides = {"height": HEIGHT, "width": WIDTH}
    one, other = boxes[0], boxes[1]
    anchors, deltas = np.array(ANCHORS, "float32"), np.array(DELTAS, "float32")
    scalar = lambda value: np.array([value, value], "float32")
    facts = {
        "boxes": BOXES,
        "labels": LABELS,
        "height": HEIGHT,
        "width": WIDTH,
        "anchors": ANCHORS,
        "deltas": DELTAS,
        "converted": {
            name: plain(utils.convert_format(boxes, "xyxy", name, **sides)) for name in FORMATS
        },
        "iou": plain(utils.compute_iou(one, other, "xyxy")),
        "ciou": plain(utils.compute_ciou(one, other, "xyxy")),
        "crop": plain(utils.crop(boxes, top=11, left=9, height=8, width=10)),
        "pad": plain(utils.pad(boxes, top=11, left=9)),
        "encoded": {
            name: plain(
                utils.encode_box_to_deltas(
                    anchors, boxes, "xyxy", "xyxy", name, [0.1, 0.1, 0.2, 0.2]
                )
            )
            for name in ("center_xywh", "center_yxhw")
        },
        "decoded": {
            name: plain(
                utils.decode_deltas_to_boxes(
                    anchors, deltas, "xyxy", "xywh", name, [0.1, 0.1, 0.2, 0.2]
                )
            )
            for name in ("center_xywh", "center_yxhw")
        },
        # Without shear_x beside an angle or shear_y, see `affine_transform`.
        "affine": [
            {
                "arguments": list(numbers),
                "boxes": plain(
                    utils.affine_transform(boxes, *(scalar(n) for n in numbers), HEIGHT, WIDTH)
                ),
            }
            for numbers in (
                (30, 0, 0, 1, 0, 0),
                (0, 0.1, -0.2, 0.5, 0, 0),
                (0, 0.1, -0.2, 1.5, 20, 0),
                (25, 0.1, 0.2, 1.2, 0, 10),
            )
        ],
        # In other formats rotation takes the numbers for corners, so the corners' format alone.
        "layers": {name: moved(name) for name in LAYERS},
    }
    oracle.write_facts("boxes", facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
