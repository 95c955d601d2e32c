"""Functional graphs of tf.keras 2 in which TensorFlow functions are called, read as ops.

`calls` reads an entry of the graph, `table` is the closed list of functions, filled by
`mathematics`, `arrays` and `neural`; `sizes` is what `tf.shape` gives.
"""
