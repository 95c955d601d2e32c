"""Graphs of TensorFlow: SavedModels and frozen graphs, run without it.

How this works: `plan` puts the nodes that are needed in an order, with functions in the place of
their calls; `run` computes them one by one with what `ops/` registers (`registry`); `compiled`
compiles what computes with numbers and leaves strings and tables to the host between; `program` is
what a user calls, with its variables, signatures and functions; `layer` makes it one of a model's.
"""
