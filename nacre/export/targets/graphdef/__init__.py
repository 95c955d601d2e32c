"""Graphs as functions of TensorFlow, for the formats that hold these: SavedModel and TF.js.

    results     what TensorFlow calls the results of its ops, and which of them change something
    body        one function in the making
    rules/      the form of each op of the graph, one file a family
    lower       a graph as a function

Only `core`, the graph and NumPy are imported here.
"""
