"""A model's graph, run in NumPy.

From Python, with the folder that holds this file beside the script:

    from FOLDER import Model, predict
    y = predict(x)

and from a shell:

    python FOLDER/run.py --input x.npy --output y.npy
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
from typing import Any

import numpy as np

# Name -> function; filled above with those that the model needs.
OPS: dict[str, Any] = {}
HERE = os.path.dirname(os.path.abspath(__file__))
FUNCTIONS = {"floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}


class Model:
    """A model that was written for NumPy.

    Args:
        folder: Where `graph.json` and `weights.npz` are; that of this file by default.

    Attributes:
        inputs, outputs: Names, in order.
        metadata: What the file says of the model: its name, names of classes ...
    """

    def __init__(self, folder: Any = HERE) -> None:
        with open(os.path.join(folder, "graph.json"), encoding="utf-8") as file:
            self.graph = json.load(file)
        self.name = self.graph["name"]
        self.metadata = self.graph["metadata"]
        self.inputs = [spec["name"] for spec in self.graph["inputs"]]
        self.outputs = [spec["name"] for spec in self.graph["outputs"]]
        with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        self._weights = {name: stored_array(arrays[name], dtype) for name, dtype in
                         self.graph["weights"].items()}  # fmt: skip
        prepare(self.graph, arrays)
        self._work_out_fixed()

    def _work_out_fixed(self) -> None:
        """Run once what needs weights and constants alone."""
        fixed, left = self._weights, []
        for node in self.graph["nodes"]:
            needs = [name for name in node["in"] if name is not None]
            is_plain = not ({"random", "graphs", "tells"} & set(node)) and not sized(node["with"])
            if not is_plain or not all(name in fixed for name in needs):
                left.append(node)
                continue
            # Not dropped: a later node of these may need it.
            run_nodes({"nodes": [{**node, "last": []}]}, fixed, {}, None)
        self.graph["nodes"] = left
        used = {name for node in left for name in node["in"]}
        used |= {spec["value"] for spec in self.graph["outputs"]}
        self._weights = {name: fixed[name] for name in fixed if name in used}

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """What the model gives: an array, or a dict by name where there are several.

        Args:
            inputs: One array for each input, in order, or one list or dict of them.
            named: The same by name.
        """
        results = self.run(*self._ordered(inputs, named))
        return results[0] if len(results) == 1 else dict(zip(self.outputs, results))

    def predict(self, x: Any, batch_size: int = 32) -> Any:
        """As a call, so many rows at a time where all inputs and outputs have them.

        Args:
            x: An array, or a list or dict of arrays, rows first.
        """
        arrays = [np.asarray(a) for a in self._ordered((x,), {})]
        specs = [*self.graph["inputs"], *self.graph["outputs"]]
        firsts = {str(spec["shape"][:1]) for spec in specs}
        by_rows = len(firsts) == 1 and isinstance((*specs[0]["shape"], 0)[0], str)
        rows = len(arrays[0]) if by_rows and arrays[0].ndim else 0
        if rows <= batch_size or any(a.ndim == 0 or len(a) != rows for a in arrays):
            return self(*arrays)
        parts = [self.run(*(a[i : i + batch_size] for a in arrays))
                 for i in range(0, rows, batch_size)]  # fmt: skip
        results = [np.concatenate(of_one) for of_one in zip(*parts)]
        return results[0] if len(results) == 1 else dict(zip(self.outputs, results))

    def run(self, *inputs: Any) -> list[Any]:
        """All outputs for all inputs, both in order."""
        sizes: dict[str, int] = {}
        values = dict(self._weights)
        given = [taken(spec, x) for spec, x in zip(self.graph["inputs"], inputs)]
        for _ in range(2):  # a size may be told by a later input
            for spec, array in zip(self.graph["inputs"], given):
                bind(spec, array, sizes)
        for spec, array in zip(self.graph["inputs"], given):
            check_sizes(spec, array, sizes)
            values[spec["value"]] = array
        with np.errstate(all="ignore"):
            run_nodes(self.graph, values, sizes, np.random.default_rng())
        return [np.array(values[spec["value"]]) for spec in self.graph["outputs"]]

    def _ordered(self, inputs: Any, named: Any) -> list[Any]:
        """The inputs, one for each name."""
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            named, inputs = {**inputs[0], **named}, ()
        elif len(inputs) == 1 and isinstance(inputs[0], (list, tuple)) and len(self.inputs) > 1:
            inputs = tuple(inputs[0])
        given = dict(zip(self.inputs, inputs))
        twice, given = sorted(set(given) & set(named)), {**given, **named}
        if len(inputs) > len(self.inputs) or twice or set(given) != set(self.inputs):
            got = f"{len(inputs)} by place, {sorted(named)} by name"
            raise ValueError(f"{self.name}: it takes {', '.join(self.inputs)}. Got {got}.")
        return [given[name] for name in self.inputs]


def predict(x: Any, batch_size: int = 32) -> Any:
    """What the model beside this file gives; it is loaded once."""
    if "model" not in LOADED:
        LOADED["model"] = Model()
    return LOADED["model"].predict(x, batch_size)


LOADED: dict[str, Model] = {}


# --- values ---------------------------------------------------------------------------------------


def real_dtype(dtype: str) -> Any:
    """What NumPy has for a dtype: bfloat16 is kept in float32, rounded; texts are objects."""
    return np.dtype({"bfloat16": "float32", "string": "object"}.get(dtype, dtype))


def of_dtype(x: Any, dtype: str) -> Any:
    """x in a dtype of the graph."""
    array = np.asarray(x, real_dtype(dtype))
    return rounded(array) if dtype == "bfloat16" else array


def rounded(x: Any) -> Any:
    """The nearest numbers that bfloat16 has, of two as near the even one."""
    bits = np.ascontiguousarray(x, "float32").reshape(x.shape).view("uint32")
    up = bits + (((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF))
    near = (up & np.uint32(0xFFFF0000)).view("float32")
    return np.where(np.isnan(x), np.float32("nan"), near).astype("float32")


def stored_array(array: Any, dtype: str) -> Any:
    """A weight as it is computed with; nobody may write into it."""
    if dtype == "bfloat16" and array.dtype == np.uint16:  # its bits
        array = (array.astype("uint32") << 16).view("float32")
    array = of_dtype(array, dtype)
    array.setflags(write=False)
    return array


def taken(spec: Any, x: Any) -> Any:
    """An input in its dtype; ValueError where that would change it."""
    dtype = spec["dtype"]
    wanted = real_dtype(dtype)
    found = np.asarray(x)
    if dtype == "string":
        if found.dtype.kind not in "OSU":
            raise ValueError(f"input '{spec['name']}' must be texts. Got {found.dtype}.")
        texts = [t.decode() if isinstance(t, bytes) else str(t) for t in found.ravel().tolist()]
        array = np.empty(len(texts), object)
        array[:] = texts
        return array.reshape(found.shape)
    with np.errstate(all="ignore"):
        array = found.astype(wanted) if found.dtype.kind in "biufc" or found.size == 0 else None
    changes = array is None or "biufc".index(found.dtype.kind) > "biufc".index(wanted.kind)
    if array is not None and wanted.kind in "biu" and found.dtype.kind in "biuf":
        changes = not np.array_equal(array, found)  # whole numbers may come as floats
    if changes:
        raise ValueError(f"input '{spec['name']}' must be {dtype}. Got {found.dtype}.")
    return of_dtype(array, dtype)


# --- sizes ----------------------------------------------------------------------------------------


def size_of(size: Any, sizes: Any) -> int:
    """A size: a number, or a formula of named sizes such as '2*time + 1'."""
    return size if isinstance(size, int) else worked_out(formula(size), sizes)


def formula(text: str) -> Any:
    """The parts of a formula; each is parsed once."""
    if text not in PARSED:
        PARSED[text] = ast.parse(text, mode="eval").body
    return PARSED[text]


PARSED: dict[str, Any] = {}


def worked_out(part: Any, sizes: Any) -> Any:
    """The number that a part of a formula is."""
    if isinstance(part, ast.Constant):
        return part.value
    if isinstance(part, ast.Name):
        return sizes[part.id]
    if isinstance(part, ast.UnaryOp):
        return -worked_out(part.operand, sizes)
    if isinstance(part, ast.Call):
        return FUNCTIONS[part.func.id](*(worked_out(a, sizes) for a in part.args))
    left, right = worked_out(part.left, sizes), worked_out(part.right, sizes)
    if isinstance(part.op, ast.Mult):
        return left * right
    return left - right if isinstance(part.op, ast.Sub) else left + right


def bind(spec: Any, array: Any, sizes: Any) -> None:
    """Note the named sizes that an input's shape tells."""
    if array.ndim != len(spec["shape"]):
        fail_shape(spec, array)
    for size, actual in zip(spec["shape"], array.shape):
        if isinstance(size, str) and size.isidentifier():
            sizes.setdefault(size, actual)
        elif isinstance(size, str) and size.count("*") == 1 and size.split("*")[1].isidentifier():
            times, name = size.split("*")
            if times.isdigit():
                sizes.setdefault(name, actual // int(times))


def check_sizes(spec: Any, array: Any, sizes: Any) -> None:
    """ValueError where an input has another shape than the model takes."""
    try:
        fits = all(size_of(s, sizes) == n for s, n in zip(spec["shape"], array.shape))
    except KeyError:
        fits = True  # of a size that no input tells alone
    if not fits:
        fail_shape(spec, array)


def fail_shape(spec: Any, array: Any) -> None:
    """Say what shape an input must have."""
    wanted = ", ".join(map(str, spec["shape"]))
    raise ValueError(f"input '{spec['name']}' must have shape ({wanted}). Got {array.shape}.")


# --- nodes ----------------------------------------------------------------------------------------


def prepare(graph: Any, arrays: Any) -> None:
    """Ready a graph that was read: attributes as tuples, constants as arrays, and for each node
    what nothing after it needs."""
    used = {spec["value"] for spec in graph["outputs"]}
    for node in reversed(graph["nodes"]):
        for inner in node.get("graphs", {}).values():
            prepare(inner, arrays)
        node["with"] = {k: tupled(v) for k, v in node.get("with", {}).items()}
        if node["op"] == "constant":
            node["value"] = constant_of(node, arrays)
        names = {name for name in node["in"] if name is not None}
        node["last"] = [name for name in (*names, *node["out"]) if name not in used]
        used |= names


def tupled(value: Any) -> Any:
    """Lists as tuples."""
    return tuple(map(tupled, value)) if isinstance(value, list) else value


def sized(value: Any) -> bool:
    """Whether an attribute holds a size that an input tells."""
    parts = value.values() if isinstance(value, dict) else value
    return isinstance(value, (dict, tuple)) and any(
        isinstance(part, dict) or sized(part) for part in parts
    )


def constant_of(node: Any, arrays: Any) -> Any:
    """The array of a constant, which stands in the graph or among the weights."""
    (dtype,) = node["out"].values()
    stored = node.get("stored")
    if stored is not None:
        return stored_array(arrays[stored], dtype)
    array = np.empty(tuple(node["shape"]), real_dtype(dtype))
    array.ravel()[...] = node["data"]
    return stored_array(array, dtype)


def run_nodes(graph: Any, values: Any, sizes: Any, random: Any) -> None:
    """Run nodes in order; values are dropped where nothing after needs them."""
    for node in graph["nodes"]:
        if node["op"] == "constant":
            results = (node["value"],)
        else:
            results = run_node(node, values, sizes, random)
        for (name, dtype), result in zip(node["out"].items(), results):
            values[name] = of_dtype(result, dtype)
        for size, (name, axis) in node.get("tells", {}).items():
            sizes.setdefault(size, values[name].shape[axis])
        for name in node["last"]:
            values.pop(name, None)


def run_node(node: Any, values: Any, sizes: Any, random: Any) -> Any:
    """What one node gives."""
    inputs = [None if name is None else values[name] for name in node["in"]]
    attributes = {k: known(v, sizes) for k, v in node["with"].items()}
    if node.get("random"):
        inputs.insert(0, random)
    if "graphs" in node:
        inputs.insert(0, {k: runner(g, sizes, random) for k, g in node["graphs"].items()})
    try:
        found = OPS[node["op"]](*inputs, **attributes)
    except Exception as error:
        shapes = ", ".join("-" if x is None else str(np.shape(x)) for x in inputs)
        where = f" of layer '{node['layer']}'" if node.get("layer") else ""
        raise RuntimeError(f"{node['op']}{where} for {shapes}: {error}") from error
    return found if isinstance(found, tuple) else (found,)


def runner(graph: Any, sizes: Any, random: Any) -> Any:
    """A graph of control flow as a function."""

    def run(*arrays: Any) -> list[Any]:
        values = {spec["value"]: of_dtype(x, spec["dtype"])
                  for spec, x in zip(graph["inputs"], arrays)}  # fmt: skip
        run_nodes(graph, values, dict(sizes), random)
        return [values[spec["value"]] for spec in graph["outputs"]]

    return run


def known(value: Any, sizes: Any) -> Any:
    """An attribute with its sizes as numbers."""
    if isinstance(value, dict):  # a size; one that this node gives is not known yet
        return sizes.get(value["new"]) if "new" in value else size_of(value["size"], sizes)
    return tuple(known(v, sizes) for v in value) if isinstance(value, tuple) else value


# --- command line ---------------------------------------------------------------------------------


def main(arguments: Any = None) -> int:
    """Read arrays, run the model, write or print what it gives."""
    parser = argparse.ArgumentParser(description="Run the model in this folder with NumPy.")
    parser.add_argument("--input", action="append", required=True, metavar="[NAME=]FILE",
                        help="A .npy, .npz or .csv file; once for each input.")  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help=".npy, or .npz for several; else printed.")
    parser.add_argument("--batch-size", type=int, default=32, help="Rows at a time.")
    given = parser.parse_args(arguments)
    model = Model()
    results = model.predict(read_inputs(given.input, model.inputs), given.batch_size)
    if not given.output:
        print(results)
    elif isinstance(results, dict):
        np.savez(given.output, **results)
    else:
        np.save(given.output, results)
    return 0


def read_inputs(files: Any, names: Any) -> Any:
    """Arrays by the names of inputs."""
    found: dict[str, Any] = {}
    unnamed = iter(names)
    for text in files:
        name, equals, path = text.partition("=")
        if not equals or name not in names:
            name, path = next((n for n in unnamed if n not in found), names[-1]), text
        if path.endswith(".npz"):
            with np.load(path) as stored:
                found.update({key: stored[key] for key in stored.files})
        elif path.endswith(".csv"):
            found[name] = np.loadtxt(path, delimiter=",", ndmin=2)
        else:
            found[name] = np.load(path)
    return found


if __name__ == "__main__":
    sys.exit(main())
