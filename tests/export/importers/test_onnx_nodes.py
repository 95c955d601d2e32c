"""Operators of ONNX give what ONNX's own tests say."""

import pytest

pytest.importorskip("onnx")

from tests.export.importers import onnx_nodes


@pytest.mark.slow
def test_every_operator_gives_what_onnx_says():
    found = [
        (case.name, onnx_nodes.difference(case)) for case in onnx_nodes.first_of_each_operator()
    ]
    assert len(found) > 150
    assert [text for _, text in found if text] == []
