"""How primitives of JAX, and composite ops of nacre, become ops of the graph: one file a family."""

from nacre.export.capture.rules import (
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
