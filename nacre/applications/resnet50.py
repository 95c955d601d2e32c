"""`keras.applications.resnet50`: the network of `resnet.py` with 50 layers."""

from nacre.applications.resnet import ResNet50 as ResNet50
from nacre.applications.resnet import decode_predictions as decode_predictions
from nacre.applications.resnet import preprocess_input as preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
