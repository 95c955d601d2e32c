"""Graphs as functions of TensorFlow: all ops have a form, and what nodes refer to is there.

That TensorFlow computes what the evaluator does is tried by `tests.reference.check_saved_models`.
"""

import numpy as np
import pytest

from nacre.core.wire.tensorflow.graph import FunctionDef
from nacre.export.graph.opset import OPSET
from nacre.export.passes.opening import opened
from nacre.export.targets.graphdef.lower import lower
from nacre.export.targets.graphdef.rules import FORMS
from nacre.export.targets.saved_model.gaps import SUPPORT
from nacre.testing.graph_ops import CASES

# TensorFlow has no running maximum.
OPENED = {"cummax", "cummin"}


def test_every_op_of_the_graph_has_a_form_or_is_opened_into_those_that_have():
    assert set(OPSET) - set(FORMS.by_op) == OPENED
    assert set(FORMS.by_op) <= set(OPSET)
    for case in CASES:
        assert not SUPPORT.gaps(opened(case.graph(), SUPPORT.has)), case.name


def test_every_form_has_a_case():
    cases = {case.op for case in CASES}
    assert set(FORMS.by_op) - cases <= {"constant", "cholesky", "real", "imag", "complex"} | {
        "random_uniform", "random_normal", "random_bits", "text_from_int", "text_hash", "text_cross",
        "text_lookup", "text_lower", "text_of_index", "text_replace", "text_split",
    }  # fmt: skip


def _dangling(function: FunctionDef) -> list[str]:
    """Inputs of nodes that no argument and no node before gives."""
    known = {argument.name for argument in function.signature.input_arg}
    missing = []
    for node in function.node_def:
        for name in node.input:
            if name.removeprefix("^").split(":")[0] not in known:
                missing.append(f"{node.name}: {name}")
        known.add(node.name)
    return missing


def test_what_the_nodes_of_a_function_take_is_there_before():
    for case in CASES:
        library: list[FunctionDef] = []
        lower(opened(case.graph(), SUPPORT.has), "f", library)
        for function in library:
            assert not _dangling(function), case.name
            names = [node.name for node in function.node_def]
            assert len(set(names)) == len(names)


@pytest.mark.parametrize("shape", [(2, 3), ("batch", 3)])
def test_a_shape_that_is_known_needs_no_nodes_to_compute_it(shape):
    from nacre.export.graph.ir import Builder
    from nacre.export.graph.sizes import symbol

    make = Builder("f")
    sizes = tuple(symbol(n) if isinstance(n, str) else n for n in shape)
    x = make.input("x", "float32", (*sizes, 2))
    y = make.add("reshape", [x], {"shape": (sizes[0], 6)})
    library: list[FunctionDef] = []
    lower(make.finish([("y", y)]), "f", library)
    assert [node.op for node in library[0].node_def] == ["Const", "Reshape", "Identity"]


def test_the_evaluator_inverts_erf():
    from nacre.export.graph.evaluate import evaluate
    from nacre.export.graph.ir import Builder

    make = Builder("f")
    x = make.input("x", "float64", (5,))
    graph = make.finish([("y", make.add("erf", [make.add("erf_inv", [x])]))])
    given = np.array([-0.99, -0.3, 0.0, 0.7, 0.999])
    np.testing.assert_allclose(evaluate(graph, [given]).outputs["y"], given, rtol=1e-12)
