"""Random numbers: others at each run, from PyTorch's own generator."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import FORMS, Program


def _where(node: Node) -> str:
    return f"dtype=torch.{node.attributes['dtype']}, device=device"


@FORMS.form("random_uniform")
def _random_uniform(make: Program, node: Node, inputs: Sequence[str]) -> str:
    low, high = inputs
    drawn = f"torch.rand({make.sizes(node.attributes['shape'])}, {_where(node)})"
    return f"{drawn} * ({high} - {low}) + {low}"


@FORMS.form("random_normal")
def _random_normal(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.randn({make.sizes(node.attributes['shape'])}, {_where(node)})"


def _is_wide(node: Node) -> str | None:
    return None if node.attributes["dtype"] == "uint8" else "Draw floats, or bits of uint8."


@FORMS.form("random_bits", limit=_is_wide)
def _random_bits(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.randint(0, 256, {make.sizes(node.attributes['shape'])}, {_where(node)})"
