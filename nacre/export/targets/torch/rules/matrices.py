"""Decompositions and transforms."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import FORMS, Program, listed


@FORMS.form("cholesky")
def _cholesky(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """NaN of a matrix that is not positive, as in JAX, where PyTorch raises."""
    found, info = make.name("lower"), make.name("info")
    make.line(f"{found}, {info} = torch.linalg.cholesky_ex({inputs[0]})")
    is_bad = f"torch.ne({info}, 0).unsqueeze(-1).unsqueeze(-1)"
    return f"torch.where({is_bad}, torch.nan, {found})"


@FORMS.form("triangular_solve")
def _triangular_solve(make: Program, node: Node, inputs: Sequence[str]) -> str:
    a, b = inputs
    attributes = node.attributes
    upper = not attributes["lower"]
    if attributes["transpose"]:
        a, upper = f"{a}.transpose(-2, -1)", not upper
    unit = attributes["unit_diagonal"]
    return f"torch.linalg.solve_triangular({a}, {b}, upper={upper}, unitriangular={unit})"


@FORMS.form("fft")
def _fft(make: Program, node: Node, inputs: Sequence[str]) -> str:
    lengths = node.attributes["lengths"]
    axes = list(range(-len(lengths), 0))
    return f"torch.fft.{node.attributes['kind']}n({inputs[0]}, {listed(lengths)}, {listed(axes)})"
