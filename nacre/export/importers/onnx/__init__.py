"""Files of ONNX as programs: a graph of its operators, computed by JAX, with its weights.

How this works: `reading` makes arrays and graphs of a file's messages, functions in the place of
their calls; `run` computes nodes one by one with what `ops/` registers (`registry`); `program` says
which arrays are weights, and is what `importers.imported` makes a model of.
"""
