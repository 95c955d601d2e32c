"""SavedModels of TensorFlow: folders with functions, real variables, and objects by attribute.

    gaps        what has no form, all of it at once
    write       the folder's files

Functions are made by `targets.graphdef`. Only `core`, the graph and NumPy are imported here.
"""
