"""What PMML's NeuralNetwork can hold."""

from __future__ import annotations

from nacre.export.graph.ir import Graph, Node
from nacre.export.targets.pmml.forms import FORMS, fault, is_batch, known_values, varying
from nacre.export.targets.support import Support

_DTYPES = frozenset("int8 int16 int32 int64 uint8 uint16 uint32 float32 float64".split())
_ADVICE = {
    "gelu": "Use relu, elu or tanh.",
    "silu": "Use relu, elu or tanh.",
    "max_pool": "Use average pooling.",
}


class _Support(Support):
    """A whole graph is looked at: what has a form with weights has none with two results."""

    def has(self, node: Node) -> bool:
        """All of it: nothing is opened, so that what is missing is called by its own name."""
        return True

    def gaps(self, graph: Graph) -> list[str]:
        """What has no form: op, the layer it comes from, what to write instead."""
        found: dict[str, None] = {}
        known = known_values(graph)
        for value in graph.inputs:
            if not is_batch(value):
                found[f"input '{value.name}' of {value.type}: samples of known size only."] = None
            if value.dtype not in _DTYPES:
                found[f"{value.dtype} of '{value.name}'."] = None
        for node in graph.nodes:
            if not varying(node, known) and all(v in known for v in node.outputs):
                continue
            place = f" in '{node.layer}'" if node.layer else ""
            why = fault(node, known) if node.op in self.forms else _ADVICE.get(node.op, "")
            if why is not None:
                found[f"{node.op}{place}. {why}".rstrip()] = None
        for name, value in graph.outputs:
            if value in known:
                found[f"output '{name}', which no input changes."] = None
        return list(found)


SUPPORT: Support = _Support(
    title="PMML",
    forms=FORMS.by_op,
    dtypes=_DTYPES,
    instead="export as format='onnx' or 'npz'",
)

__all__ = ["SUPPORT"]
