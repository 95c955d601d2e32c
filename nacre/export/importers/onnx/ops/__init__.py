"""What each operator computes, one file a family; importing this registers them all."""

from nacre.export.importers.onnx.ops import (
    control,
    convolution,
    image,
    indexing,
    learned,
    math,
    nn,
    quantized,
    random,
    recurrent,
    reductions,
    shaping,
    signal,
    texts,
    vectors,
)

__all__ = [
    "control",
    "convolution",
    "image",
    "indexing",
    "learned",
    "math",
    "nn",
    "quantized",
    "random",
    "recurrent",
    "reductions",
    "shaping",
    "signal",
    "texts",
    "vectors",
]
