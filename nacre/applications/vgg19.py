"""`keras.applications.vgg19`: the network of `vgg.py` with 19 layers, and its preprocessing."""

from __future__ import annotations

from nacre.applications._preprocessing import caffe as preprocess_input
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.applications.vgg import VGG19 as VGG19

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
