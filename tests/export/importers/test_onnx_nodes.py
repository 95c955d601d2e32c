"""Operators of ONNX give what ONNX's own tests say."""

import pytest

pytest.importorskip("onnx")

from tests.export.importers import onnx_nodes

# Operators whose first case is cheap, and which networks are made of.
QUICK = "^test_(gemm_all_attributes|concat_1d_axis_0|clip|maxpool_2d_ceil|averagepool_2d_ceil)$"


def test_common_operators_give_what_onnx_says():
    chosen = onnx_nodes.cases(QUICK)
    assert len(chosen) == 5
    assert [text for case in chosen if (text := onnx_nodes.difference(case)) is not None] == []


@pytest.mark.slow
def test_every_operator_gives_what_onnx_says():
    found = [
        (case.name, onnx_nodes.difference(case)) for case in onnx_nodes.first_of_each_operator()
    ]
    assert len(found) > 150
    assert [text for _, text in found if text] == []
