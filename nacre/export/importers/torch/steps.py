"""The nodes of a graph of `torch.export`, and the names that they read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nacre.export.importers.torch.operators import OPS, SIZES

_ATEN = "torch.ops.aten."
HIGHER = ("torch.ops.higher_order.cond", "torch.ops.higher_order.while_loop")


class Step:
    """A node: its function, its arguments, the names of what it gives.

    Attributes:
        moves: Argument -> name of what its array becomes: statistics of a training's step.
        bodies: Graphs among its arguments, by their place.
        compute: Of a step that no node of the file is: what fills in the values.
    """

    def __init__(self, node: dict[str, Any]) -> None:
        self.target: str = node["target"]
        self.name = str(node.get("name") or self.target)
        parts = self.target.split(".")
        self.op = parts[3] if self.target.startswith(_ATEN) else self.target
        self.is_written = self.op.endswith("_") and not self.op.startswith("_")
        self.inputs: list[tuple[str, Any]] = [(i["name"], i["arg"]) for i in node["inputs"]]
        self.outputs = [_names(output) for output in node["outputs"]]
        self.bodies = {
            at: Body(argument["as_graph"]["graph"])
            for at, (_, argument) in enumerate(self.inputs)
            if "as_graph" in argument
        }
        self.moves: dict[str, str] = {}
        self.compute: Callable[..., None] | None = None
        self._move_statistics()

    def _move_statistics(self) -> None:
        """Batch normalization in training changes two of its arguments."""
        given = dict(self.inputs)
        if self.op != "batch_norm" or not given.get("training", {}).get("as_bool"):
            return
        for place in ("running_mean", "running_var"):
            if place in given and read_names(given[place]):
                self.moves[place] = f"{self.name}'{place}"

    @classmethod
    def own(cls, name: str, reads: Sequence[str], output: str, compute: Any) -> Step:
        """A step that no node of the file is."""
        inputs = [{"name": "", "arg": {"as_tensor": {"name": n}}} for n in reads]
        outputs = [{"as_tensor": {"name": output}}]
        step = cls({"target": "own", "name": name, "inputs": inputs, "outputs": outputs})
        step.compute = compute
        return step

    def again(self, reads: Mapping[str, str], outputs: Mapping[str, str]) -> Step:
        """The same of other arrays, under other names."""
        step = copy.copy(self)
        step.inputs = [(name, renamed_argument(argument, reads)) for name, argument in self.inputs]
        step.outputs = [
            outputs.get(o, o) if isinstance(o, str) else [outputs.get(n, n) for n in o]
            for o in self.outputs
        ]
        return step

    @property
    def function(self) -> Any:
        """What computes it; None where nothing does."""
        if self.target in SIZES:
            return SIZES[self.target]
        if self.compute is not None or self.target in HIGHER:
            return self.compute or self.bodies
        return OPS.get(self.op.removesuffix("_") if self.is_written else self.op)

    @property
    def all_outputs(self) -> list[str]:
        """Names, one behind the other."""
        return [n for names in self.outputs for n in ([names] if isinstance(names, str) else names)]


class Body:
    """A graph within a step: a branch, or what a loop repeats.

    Attributes:
        inputs: Names of what it is given.
        steps: In order; made so by who reads the file.
        outputs: Arguments as those of steps.
        kinds: What the file says of its arrays.
    """

    def __init__(self, graph: dict[str, Any]) -> None:
        self.inputs = [n for argument in graph["inputs"] for n in read_names(argument)]
        self.steps = [Step(node) for node in graph["nodes"]]
        self.outputs: list[Any] = list(graph["outputs"])
        self.kinds: Mapping[str, Any] = graph.get("tensor_values", {})


def _names(output: dict[str, Any]) -> Any:
    """The name of an output, or those of a list."""
    (kind, value), *_ = output.items()
    match kind:
        case "as_tensor":
            return value["name"]
        case "as_tensors":
            return [item["name"] for item in value]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return value["as_name"]
        case "as_optional_tensor":
            return value["as_tensor"]["name"] if "as_tensor" in value else ""
    return ""


def read_names(argument: dict[str, Any]) -> list[str]:
    """Names of values that an argument reads."""
    (kind, value), *_ = argument.items()
    match kind:
        case "as_tensor":
            return [value["name"]]
        case "as_tensors":
            return [item["name"] for item in value]
        case "as_optional_tensor":
            return [value["as_tensor"]["name"]] if "as_tensor" in value else []
        case "as_optional_tensors":
            return [item["as_tensor"]["name"] for item in value if "as_tensor" in item]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return [value["as_name"]] if "as_name" in value else []
        case "as_sym_ints":
            return [item["as_name"] for item in value if "as_name" in item]
    return []


def renamed_argument(argument: Any, names: Mapping[str, str]) -> Any:
    """An argument that reads what stands in the place of names."""
    if not names:
        return argument
    if isinstance(argument, dict):
        return {
            k: v if k == "as_graph"  # which has names of its own
            else names.get(v, v) if k == "name" and isinstance(v, str)
            else renamed_argument(v, names)
            for k, v in argument.items()
        }  # fmt: skip
    if isinstance(argument, list):
        return [renamed_argument(item, names) for item in argument]
    return argument


__all__ = ["HIGHER", "Body", "Step", "read_names", "renamed_argument"]
