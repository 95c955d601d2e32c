"""What attributes of ONNX's operators change: numbers by their formulas."""

import numpy as np
import pytest

from nacre.export.importers.onnx.program import open_onnx
from tests.export.importers.test_onnx import model, node, tensor, value

QUERY, KEY = (np.random.default_rng(i).standard_normal((1, 1, 4, 3)).astype("f4") for i in (0, 1))
AHEAD = np.arange(4) - np.arange(4)[:, None]


def _attention(opset: int, outputs: str = "y", **attributes):
    made = node("Attention", "q k k", outputs, **attributes)
    given = [value("q", 1, 1, 4, 3), value("k", 1, 1, 4, 3)]
    shown = [value(outputs.split()[-1], 1, 1, 4, 3)]
    return open_onnx(model([made], given, shown, opset=opset), "file")(QUERY, KEY)


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


SCORES = QUERY @ KEY.swapaxes(-1, -2) / np.sqrt(3)


@pytest.mark.parametrize(
    ("window", "is_seen"),
    [
        ({"left_window_size": 1}, AHEAD >= -1),
        ({"right_window_size": 0}, AHEAD <= 0),
        ({"left_window_size": 0, "right_window_size": 1}, (AHEAD >= 0) & (AHEAD <= 1)),
        ({"left_window_size": 1, "is_causal": 1}, (AHEAD >= -1) & (AHEAD <= 0)),
    ],
)
def test_attention_sees_a_window_of_keys(window, is_seen):
    wanted = _softmax(np.where(is_seen, SCORES, -np.inf)) @ KEY
    np.testing.assert_allclose(_attention(25, **window), wanted, rtol=1e-5, atol=1e-6)


CAPPED = 0.5 * np.tanh(SCORES / 0.5)
CAUSAL = np.where(AHEAD <= 0, CAPPED, -np.inf)


@pytest.mark.parametrize(
    ("mode", "wanted"), enumerate([SCORES, CAPPED, CAUSAL, _softmax(CAUSAL)]), ids=range(4)
)
@pytest.mark.parametrize("opset", [23, 25])
def test_attention_shows_its_scores_of_each_stage(opset, mode, wanted):
    found = _attention(opset, "y k1 v1 shown", softcap=0.5, is_causal=1, qk_matmul_output_mode=mode)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_known_numbers_are_scattered_with_a_reduction():
    """Sizes that a graph adds up: all of it is known before it runs."""
    parts = [("x", [1, 2, 3]), ("places", [[0], [0]]), ("more", [10, 20])]
    tensors = [tensor(name, np.array(numbers)) for name, numbers in parts]
    made = [
        node("ScatterND", "x places more", "sizes", reduction="add"),
        node("Add", "sizes z", "y"),
    ]
    given, shown = [value("z", 3, dtype="int64")], [value("y", 3, dtype="int64")]
    found = open_onnx(model(made, given, shown, tensors), "file")(np.zeros(3, "int64"))
    np.testing.assert_array_equal(found, [31, 2, 3])
