"""`keras.applications.vgg16`: the network of `vgg.py` with 16 layers, and its preprocessing."""

from __future__ import annotations

from nacre.applications._preprocessing import caffe as preprocess_input
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.applications.vgg import VGG16 as VGG16

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
