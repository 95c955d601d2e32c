"""A graph as a folder that runs with NumPy alone.

graph.json     what is computed: nodes by name, with their layers
weights.npz    the variables by path, and large constants
run.py         the functions that the graph needs, and what runs them
__init__.py    so that `from FOLDER import predict` works
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nacre.core.regions import Content, Region
from nacre.export.graph.ir import Graph, Node
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr
from nacre.export.targets.npz.source import Gathered, implements, take, whole
from nacre.export.targets.npz.support import FORMS
from nacre.export.targets.target import Request

_RUNTIME = f"{__name__.rpartition('.')[0]}.runtime"
_ENGINE, _FAST = f"{_RUNTIME}.engine", f"{_RUNTIME}.fast"
_MOST_SHOWN = 16  # numbers of a constant that stand in the graph
_PACKAGE = '''"""{name}, for NumPy: `predict(x)`, or `Model()(x)`."""

from .run import Model, predict

__all__ = ["Model", "predict"]
'''

FILES = frozenset({"__init__.py", "graph.json", "run.py", "weights.npz"})


def write(request: Request) -> Mapping[str, Content]:
    """The files of a graph."""
    stored: dict[str, np.ndarray[Any, Any]] = {}
    graph = request.graph
    for weight in graph.weights:
        stored[weight.value.name] = _stored(weight.data)
    found = {
        "format": "nacre npz 1",
        "name": request.name,
        "metadata": dict(request.metadata),
        "weights": {w.value.name: w.value.dtype for w in graph.weights},
        **_graph(graph, stored),
    }
    return {
        "graph.json": _text(found).encode(),
        "weights.npz": lambda region: _write_arrays(region, stored),
        "run.py": run_py(graph).encode(),
        "__init__.py": _PACKAGE.format(name=json.dumps(request.name)[1:-1]).encode(),
    }


def _text(found: Mapping[str, Any]) -> str:
    """JSON, a line for each input, output and node."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    def entry(key: str, value: Any) -> str:
        if not isinstance(value, list):
            return f"{line(key)}: {line(value)}"
        return f"{line(key)}: [\n" + ",\n".join(f" {line(part)}" for part in value) + "\n]"

    return "{\n" + ",\n".join(entry(*pair) for pair in found.items()) + "\n}\n"


def run_py(graph: Graph) -> str:
    """The file that runs a graph: its functions, and nothing else."""
    ops = dict.fromkeys(FORMS[node.op] for node in graph.all_nodes() if node.op != "constant")
    for node in graph.all_nodes():
        for name in ("activation", "recurrent_activation"):  # of recurrences
            if node.attributes.get(name, "linear") != "linear":
                ops[FORMS[node.attributes[name]]] = None
    parts = Gathered(_ENGINE)
    entries = [f'    "{op}": {take(parts, home_of(op), op)},' for op in ops]
    doc, imports, engine, script = whole(_ENGINE)
    lines = {*imports, *parts.imports}
    own = sorted(line for line in lines if "numpy" not in line)
    blocks = [
        f'"""{doc.strip()}\n"""',
        "from __future__ import annotations",
        "\n".join(own),
        "import numpy as np",
    ]
    table = "\n".join(["OPS.update({", *entries, "})"])
    functions = [engine, *parts.parts.values(), table, script]
    text = "\n\n\n".join(["\n\n".join(blocks), *(part.strip("\n") for part in functions)])
    return text + "\n"


def home_of(op: str) -> str:
    """The file of nacre that has the function of an op."""
    return _FAST if implements(_FAST, op) else OPSET[op].formula.__module__


def _stored(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array as NumPy alone can read it."""
    if data.dtype.name == "bfloat16":
        return data.view("uint16")
    return data


def _graph(graph: Graph, stored: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    values = [("inputs", [(v.name, v) for v in graph.inputs]), ("outputs", graph.outputs)]
    found: dict[str, Any] = {
        key: [
            {"name": name, "value": v.name, "dtype": v.dtype, "shape": [*map(_shape, v.shape)]}
            for name, v in named
        ]
        for key, named in values
    }
    found["nodes"] = [_node(node, stored) for node in graph.nodes]
    return found


def _shape(size: Any) -> int | str:
    return size if isinstance(size, int) else str(size)


def _node(node: Node, stored: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "op": FORMS[node.op],
        "in": [None if v is None else v.name for v in node.inputs],
        "out": {v.name: v.dtype for v in node.outputs},
    }
    if node.op == "constant":
        return {**found, **_constant(node.attributes["value"], stored)}
    spec = OPSET[node.op]
    new = spec.new_sizes(node.attributes)
    found["with"] = {
        name: _attribute(value, spec.attributes[name], new)
        for name, value in node.attributes.items()
    }
    if node.graphs:
        found["graphs"] = {k: _graph(g, stored) for k, g in node.graphs.items()}
    if spec.is_random:
        found["random"] = True
    if new:
        found["tells"] = dict(_told(node, new))
    if node.layer:
        found["layer"] = node.layer
    return found


def _told(node: Node, new: list[str]) -> Iterator[tuple[str, list[Any]]]:
    for value in node.outputs:
        for axis, size in enumerate(value.shape):
            if str(size) in new:
                yield str(size), [value.name, axis]


def _constant(
    data: np.ndarray[Any, Any], stored: dict[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    is_number = data.dtype.kind in "biuf"
    if data.dtype == object or (data.size <= _MOST_SHOWN and is_number):
        return {"shape": list(data.shape), "data": data.ravel().tolist()}
    name = next(n for n in map("constants/{}".format, range(len(stored) + 1)) if n not in stored)
    stored[name] = _stored(data)
    return {"stored": name}


def _attribute(value: Any, kind: str, new: list[str]) -> Any:
    if kind == "DType":
        return "float32" if value == "bfloat16" else value
    if kind == "NewSize" and str(value) in new:
        return {"new": str(value)}
    if isinstance(value, SizeExpr):
        return {"size": str(value)}
    if isinstance(value, tuple):
        return [_attribute(part, "", new) for part in value]
    return value


def _write_arrays(region: Region, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """As `numpy.savez` does, with any names and without the time of day."""
    with zipfile.ZipFile(region, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
        for name, data in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(data), allow_pickle=False)


__all__ = ["FILES", "home_of", "run_py", "write"]
