"""The graph that every exporter reads: values, nodes, the closed list of ops, and their judge.

    ir          Graph, Node, Value, Weight; `Builder` makes one, node by node
    sizes       sizes that are known only when it runs: `batch`, `2*time + 1`
    opset       the closed list of ops; each stands in a file of `ops/`, with inputs, attributes,
                rule for shapes and formula in NumPy
    verify      what must hold of a graph, checked
    evaluate    a graph run in NumPy, slowly and obviously: formats are compared with this
    text        a graph as stable text

Only `core` and NumPy are imported here.
"""

from nacre.export.graph import ops  # fills the list of ops
