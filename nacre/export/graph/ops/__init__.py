"""The ops, one file a family. Importing this fills `opset.OPSET`."""

from nacre.export.graph.ops import (
    activation,
    control,
    convolution,
    elementwise,
    indexing,
    matrices,
    normalization,
    products,
    random,
    recurrent,
    reduction,
    shaping,
    texts,
)
