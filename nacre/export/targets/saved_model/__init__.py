"""SavedModels of TensorFlow: folders with functions, real variables, and objects by attribute.

    support     what TensorFlow calls the results of its ops
    body        one function in the making
    rules/      the form of each op of the graph, one file a family
    lower       a graph as a function
    gaps        what has no form, all of it at once
    write       the folder's files

Only `core`, the graph and NumPy are imported here.
"""
