"""`nacre summary FILE`: the layers of a saved model."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, and how much to show."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="A model file (.keras, .h5, .onnx, .tflite, .pt2, model.json), or its folder.",
    )
    parser.add_argument(
        "--expand-nested", action="store_true", help="Show the layers of models inside the model."
    )
    parser.add_argument(
        "--trainable", action="store_true", help="Add a column that says what is trained."
    )


def run(arguments: argparse.Namespace) -> int:
    """Load the model without its training settings and print its summary."""
    from nacre.saving import load_model

    model = load_model(arguments.file, compile=False)
    model.summary(expand_nested=arguments.expand_nested, show_trainable=arguments.trainable)
    return 0
