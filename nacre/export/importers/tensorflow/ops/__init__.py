"""What each op of TensorFlow computes, one file a family; importing this registers them all.

Semantics are those that running TensorFlow 2.21 shows on the CPU.
"""

from nacre.export.importers.tensorflow.ops import (
    arrays,
    control,
    convolution,
    images,
    indexing,
    linalg,
    lists,
    math,
    nn,
    parsing,
    ragged,
    random,
    reductions,
    sparse,
    stablehlo,
    state,
    strings,
    tables,
)

__all__ = [
    "arrays",
    "control",
    "convolution",
    "images",
    "indexing",
    "linalg",
    "lists",
    "math",
    "nn",
    "parsing",
    "ragged",
    "random",
    "reductions",
    "sparse",
    "stablehlo",
    "state",
    "strings",
    "tables",
]
