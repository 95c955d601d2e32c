"""What an op is opened into computes what the op computes."""

import numpy as np
import pytest

from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Builder, Graph
from nacre.export.graph.opset import OPSET
from nacre.export.graph.verify import verify
from nacre.export.passes import opened
from nacre.export.passes.openings import OPENINGS
from nacre.testing.graph_ops import CASES

# Opened for some attributes or dtypes only.
PARTLY = {"sort", "gather", "gather_nd", "scatter_nd", "pad", "rem", "iota"}


def close_to(graph: Graph, arrays, tolerance=2e-5):
    simple = verify(opened(graph, lambda node: node.op not in OPENINGS))
    wanted, found = evaluate(graph, arrays).outputs, evaluate(simple, arrays).outputs
    for name, right in wanted.items():
        wide = (right.astype("float64"), found[name].astype("float64"))
        loose = 2e-2 if right.dtype.itemsize == 2 else tolerance
        np.testing.assert_allclose(wide[1], wide[0], loose, loose, err_msg=name)
    return simple


@pytest.mark.parametrize("case", [c for c in CASES if c.op in OPENINGS], ids=lambda c: c.name)
def test_an_opened_op_computes_the_same(case):
    simple = close_to(case.graph(), case.arrays())
    left = {node.op for node in simple.all_nodes()} & set(OPENINGS)
    assert left <= PARTLY


def test_every_opening_has_a_case():
    assert set(OPENINGS) - {case.op for case in CASES} == set()


FUNCTIONS = [op for op in sorted(OPENINGS) if OPSET[op].is_elementwise and not OPSET[op].attributes]


@pytest.mark.parametrize("op", FUNCTIONS)
def test_an_opened_function_keeps_infinities_nan_and_small_numbers(op):
    make = Builder(op)
    x = make.input("x", "float32", (12,))
    graph = make.finish([("y", make.add(op, [x]))])
    given = [0.0, -0.0, 1e-6, -1e-6, 1e-3, 0.5, -0.5, 1.0, -1.0, 30.0, -30.0, np.nan]
    close_to(graph, [np.array(given, "float32")])
    make = Builder(op)
    x = make.input("x", "float32", (5,))
    graph = make.finish([("y", make.add(op, [x]))])
    limits = [np.inf, -np.inf, 1e5, -1e5, 100.0]
    if op in ("asinh", "softsign", "mish"):
        limits[:2] = 1e6, -1e6  # of infinity the formula itself has no number
    close_to(graph, [np.array(limits, "float32")])
