"""TFLite files, which LiteRT runs on telephones and small computers.

    support     what its kernels take
    body        a subgraph in the making: tensors, operators, sizes
    rules/      the form of each op of the graph, one file a family
    lower       a graph as subgraphs
    fusing      operators that others take into themselves
    weights     weights in fewer bits
    write       the file
    readback    the file in its runtime

What differs from the model: LiteRT's REDUCE_MAX, MAX_POOL_2D, ARG_MAX and the like pass over a NaN
that the model's would give; a transposed convolution makes the largest number of infinity. Of an
empty batch a convolution gives results of no meaning.

The format's names and numbers are in `core.wire.tflite`. Only `core`, the graph and NumPy are
imported here.
"""
