"""What the NumPy runtime has: all ops of the graph, each as a function of `run.py`."""

from __future__ import annotations

from nacre.export.graph.ir import Node
from nacre.export.graph.opset import OPSET
from nacre.export.targets.support import Support

# Op -> the op whose function of the runtime computes it: in `runtime.fast`, else the graph's own.
FORMS: dict[str, str] = {op: op for op in OPSET}

DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex64 complex128 string".split()
)


def _bits(node: Node) -> str | None:
    dtypes = [v.dtype for v in (*node.inputs, *node.outputs) if v is not None]
    return "NumPy has no bits of bfloat16." if "bfloat16" in dtypes else None


SUPPORT = Support(
    title="NumPy",
    forms=FORMS,
    limits={"bitcast": _bits},
    dtypes=DTYPES,
)

__all__ = ["FORMS", "SUPPORT"]
