"""ONNX's own node tests, from the package `onnx`, operator by operator.

    python -m tests.export.importers.onnx_nodes [PATTERN]

runs those whose names match, and prints what differs; all take some half an hour.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from nacre.core.errors import UnsupportedOpError
from nacre.core.wire.onnx import TensorProto
from nacre.export.importers.onnx.program import open_onnx
from nacre.export.importers.onnx.reading import External, array_of
from nacre.export.importers.onnx.values import EMPTY

# Names of cases that give other numbers, and why.
DIFFERENT = {
    "bernoulli|training_dropout": "random numbers are nacre's",
    "cast_e8m0": "scales of 8 bits are rounded as ml_dtypes does",
    "dynamicquantizelinear": "one number lies half-way, and the quotient is one bit less",
    "not_[234]d": "files of operator set 1 are refused",
    "^test_dft": "zeros come out as some 1e-6, of transforms in 32 bits",
}


def cases(pattern: str = "") -> list[Any]:
    """The cases whose names match, without those that are listed as different."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases make infinities and NaN on purpose
        found = collect_testcases(None)
    return [
        case
        for case in found
        if re.search(pattern, case.name)
        and not any(re.search(different, case.name) for different in DIFFERENT)
    ]


def first_of_each_operator() -> Iterator[Any]:
    """One case of each operator of ONNX's first domain."""
    seen: set[str] = set()
    for case in cases():
        names = {node.op_type for node in case.model.graph.node if not node.domain}
        if len(case.model.graph.node) == 1 and names - seen:
            seen |= names
            yield case


def difference(case: Any) -> str | None:
    """What is wrong with a case; None where nothing is, '' where an operator is not known."""
    try:
        program = open_onnx(case.model.SerializeToString(), case.name)
    except UnsupportedOpError:
        return ""
    try:
        for inputs, outputs in case.data_sets:
            found = program(*map(_value, inputs))
            many = len(program.calls["main"].outputs) > 1
            for got, wanted in zip(found if many else [found], outputs, strict=True):
                _compare(got, wanted, case.rtol or 1e-3, max(case.atol or 0, 1e-7))
    except Exception as error:  # of any kind: it is told
        return f"{case.name}: {type(error).__name__}: {str(error)[:200]}"
    return None


def _value(given: Any) -> Any:
    if isinstance(given, list):
        return [_value(item) for item in given]
    if given is None:
        return EMPTY
    if hasattr(given, "SerializeToString"):
        return array_of(TensorProto.read(given.SerializeToString()), External(None))
    return np.asarray(given)


def _compare(got: Any, wanted: Any, rtol: float, atol: float) -> None:
    wanted = _value(wanted)
    if isinstance(wanted, list):
        assert isinstance(got, list), got
        for one, other in zip(got, wanted, strict=True):
            _compare(one, other, rtol, atol)
        return
    if wanted is EMPTY:
        assert got is None
        return
    assert got.shape == wanted.shape, (got.shape, wanted.shape)
    if wanted.dtype.kind in "OUS":
        np.testing.assert_array_equal(got.astype(str), wanted.astype(str))
        return
    assert got.dtype == wanted.dtype, (got.dtype, wanted.dtype)
    if wanted.dtype.itemsize == 2 and wanted.dtype.kind not in "iub":
        # Which steps between are rounded to 16 bits is left open: two units of the last place.
        rtol = max(rtol, 2 * float(ml_dtypes.finfo(wanted.dtype).eps))
    kind = "complex128" if wanted.dtype.kind == "c" else "float64"
    np.testing.assert_allclose(got.astype(kind), wanted.astype(kind), rtol=rtol, atol=atol)


def main() -> int:
    """Run the cases and print what differs."""
    bad = unknown = 0
    chosen = cases(sys.argv[1] if len(sys.argv) > 1 else "")
    for case in chosen:
        text = difference(case)
        bad += bool(text)
        unknown += text == ""
        if text:
            print(text, flush=True)
    print(f"{len(chosen)} cases, {unknown} of operators that are not known, {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
