"""Bounding boxes: formats, moves, overlap, anchors, coding and suppression.

Coordinates are edges: a box around the pixel in column 0 and row 0 is (0, 0, 1, 1) in 'xyxy'.
Padding has the label -1.
"""

from nacre.ops.boxes.anchors import anchor_targets as anchor_targets
from nacre.ops.boxes.anchors import generate_anchors as generate_anchors
from nacre.ops.boxes.anchors import match_anchors as match_anchors
from nacre.ops.boxes.coding import decode_deltas_to_boxes as decode_deltas_to_boxes
from nacre.ops.boxes.coding import encode_box_to_deltas as encode_box_to_deltas
from nacre.ops.boxes.formats import clip_to_image_size as clip_to_image_size
from nacre.ops.boxes.formats import convert_format as convert_format
from nacre.ops.boxes.moves import affine_transform as affine_transform
from nacre.ops.boxes.moves import crop as crop
from nacre.ops.boxes.moves import pad as pad
from nacre.ops.boxes.overlap import compute_ciou as compute_ciou
from nacre.ops.boxes.overlap import compute_iou as compute_iou
from nacre.ops.boxes.suppression import non_max_suppression as non_max_suppression

__all__ = [
    "affine_transform",
    "anchor_targets",
    "clip_to_image_size",
    "compute_ciou",
    "compute_iou",
    "convert_format",
    "crop",
    "decode_deltas_to_boxes",
    "encode_box_to_deltas",
    "generate_anchors",
    "match_anchors",
    "non_max_suppression",
    "pad",
]
