"""Decompositions and transforms."""

from __future__ import annotations

from nacre.export.capture.jaxpr import Equation
from nacre.export.capture.lower import Lowering, NoForm, primitive
from nacre.export.graph.ir import Value


@primitive("cholesky")
def _cholesky(low: Lowering, equation: Equation, x: Value) -> Value:
    return low.add("cholesky", x)


@primitive("triangular_solve")
def _triangular_solve(low: Lowering, equation: Equation, a: Value, b: Value) -> Value:
    params = equation.params
    if not params["left_side"] or params["conjugate_a"]:
        raise NoForm("from the right, or conjugated")
    return low.add(
        "triangular_solve",
        a,
        b,
        lower=bool(params["lower"]),
        transpose=bool(params["transpose_a"]),
        unit_diagonal=bool(params["unit_diagonal"]),
    )


@primitive("fft")
def _fft(low: Lowering, equation: Equation, x: Value) -> Value:
    kind = str(equation.params["fft_type"]).rsplit(".", 1)[-1].lower()
    kind = {"0": "fft", "1": "ifft", "2": "rfft", "3": "irfft"}.get(kind, kind)
    lengths = tuple(int(n) for n in equation.params["fft_lengths"])
    return low.add("fft", x, kind=kind, lengths=lengths)


@primitive("conj")
def _conjugate(low: Lowering, equation: Equation, x: Value) -> Value:
    if not x.dtype.startswith("complex"):
        return x
    return low.add("complex", low.add("real", x), low.add("neg", low.add("imag", x)))


@primitive("real", "imag", "complex")
def _parts(low: Lowering, equation: Equation, *values: Value) -> Value:
    return low.add(equation.primitive, *values)
