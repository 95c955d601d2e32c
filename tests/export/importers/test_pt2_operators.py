"""Operators of ATen where their numbers differ from those of the functions of JAX of their name.

The numbers wanted are those of PyTorch 2.14.
"""

import io
import json
import math
import zipfile
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.errors import ShapeError
from nacre.export.importers.onnx.values import GraphError
from nacre.export.importers.torch.decomposed import OPS  # and those of the others
from nacre.models import load_model
from tests.export.importers.test_pt2 import FILES, _arrays, changed

HALVES = np.full(300, 1000, "float16")
ROW = np.array([[1, 5, 2, 8], [3, 0, 7, 4]], "float32")  # (channels, length): no batch
CASES: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], Any]] = {
    "a sum in another dtype": ("sum", (HALVES,), {"dtype": 7}, 300_000.0),
    "a sum of bytes": ("sum", (np.full(300, 100, "uint8"),), {}, 30_000),
    "a product in another dtype": ("prod", (HALVES[:3],), {"dtype": 7}, 1e9),
    "running sums of bytes": ("cumsum", (np.full(3, 200, "uint8"), 0), {}, [200, 400, 600]),
    "running sums in another dtype": ("cumsum", (HALVES[:66], 0), {"dtype": 7},
                                      np.arange(1, 67) * 1000.0),
    "a quotient cut to whole numbers": ("div", (np.array([123456789, -7]), np.array([1, 2])),
                                        {"rounding_mode": "trunc"}, [123456789, -3]),
    "rounded to decimals": ("round", (np.array([1.26, -1.24]),), {"decimals": 1}, [1.3, -1.2]),
    "the largest number": ("linalg_vector_norm", (ROW, math.inf, [1]), {}, [8, 7]),
    "the smallest number": ("linalg_vector_norm", (ROW, -math.inf, [1]), {}, [1, 0]),
    "how many are not 0": ("linalg_vector_norm", (ROW, 0, [1]), {}, [4, 3]),
    "largest of windows, no batch": ("max_pool1d", (ROW, [2]), {}, [[5, 8], [3, 7]]),
    "means of windows, no batch": ("avg_pool1d", (ROW, [2]), {}, [[3, 5], [1.5, 5.5]]),
    "means of parts, no batch": ("adaptive_avg_pool1d", (ROW, [1]), {}, [[4], [3.5]]),
    "windows of pictures, no batch": ("max_pool2d", (ROW[None], [2, 2]), {}, [[[5, 8]]]),
    "transposed, no batch": ("conv_transpose1d", (ROW, np.ones((2, 1, 1), "float32")), {},
                             [[4, 5, 9, 12]]),
    "one number written into one place": ("copy", (np.float32(1), np.float32([7])), {}, 7),
    "a filled place": ("fill", (np.float32(1), np.float32([[7]])), {}, 7),
    "a list written into a place": ("index_put", (ROW, [np.array(1)], np.full((1, 4), 6.0)), {},
                                    [[1, 5, 2, 8], [6, 6, 6, 6]]),
    "bits of both": ("__and__", (np.array([-7, 300]), 255), {}, [249, 44]),
    "bits of one": ("__xor__", (np.array([-7, 300]), 3), {}, [-6, 303]),
    "bits moved up": ("__lshift__", (np.array([-7, 5]), 2), {}, [-28, 20]),
    "bits moved down": ("__rshift__", (np.array([-7, 5]), 1), {}, [-4, 2]),
    "bits moved far down": ("bitwise_right_shift", (np.array([-7, 5]), 31), {}, [-1, 0]),
    "the sign of another": ("copysign", (np.float32([1, -2]), np.float32([-0.0, 3])), {}, [-1, 2]),
    "which have a sign": ("signbit", (np.float32([-0.0, 0, -2]),), {}, [True, False, True]),
    "a step": ("heaviside", (np.float32([-1, 0, 2]), np.float32(0.5)), {}, [0, 0.5, 1]),
    "enlarged between corners": (
        "upsample_bilinear2d", (np.arange(5.0, dtype="float32").reshape(1, 1, 1, 5),),
        {"scale_factors": [1.0, 1.5], "align_corners": True}, [[[np.arange(7) * 4 / 6]]]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_operators_give_the_numbers_of_torch(case):
    name, args, given, wanted = CASES[case]
    found = OPS[name](*(jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in args), **given)
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_whole_numbers_are_divided_without_floats():
    found = OPS["div"](jnp.asarray([123456789, -123456789]), jnp.asarray([1, 1]), "trunc")
    np.testing.assert_array_equal(found, [123456789, -123456789])


def test_rows_of_attention_that_see_nothing_are_zeros():
    query = jnp.ones((1, 1, 2, 4))
    mask = jnp.asarray([[True, True], [False, False]])
    found = OPS["scaled_dot_product_attention"](query, query, query, mask)
    np.testing.assert_array_equal(found[0, 0], [[1] * 4, [0] * 4])


def test_recurrent_layers_in_training_are_refused_as_dropout_is():
    given = jnp.ones((1, 1, 2)), jnp.ones((2, 1, 2)), [jnp.ones((2, 2))] * 4, False, 2
    with pytest.raises(GraphError, match=r"dropout in training.*model\.eval"):
        OPS["rnn_tanh"](*given, 0.5, True, False, False)


def _with_nodes(name: str, change: Any) -> Any:
    """The model of an archive each of whose nodes a function has changed."""

    def one(member: str, content: bytes) -> bytes:
        if "/models/" not in member or not member.endswith(".json"):
            return content
        program = json.loads(content)
        for node in program["graph_module"]["graph"]["nodes"]:
            change(node)
        return json.dumps(program).encode()

    return load_model(io.BytesIO(changed(name, one)))


def test_of_several_outputs_the_first_is_the_whole_array():
    """What `run_decompositions` makes of batch normalization gives three."""

    def decomposed(node: dict[str, Any]) -> None:
        if node["target"] == "torch.ops.aten.batch_norm.default":
            node["target"] = "torch.ops.aten._native_batch_norm_legit_no_training.default"
            dropped = ("training", "cudnn_enabled")
            node["inputs"] = [i for i in node["inputs"] if i["name"] not in dropped]
            node["outputs"] += [{"as_tensor": {"name": f"unread_{i}"}} for i in range(2)]

    loaded = _with_nodes("convolutional", decomposed)
    (x,), (y,) = _arrays("convolutional", "input"), _arrays("convolutional", "output")
    np.testing.assert_allclose(loaded(x), y, rtol=1e-5, atol=1e-6)


def test_infinities_are_numbers():
    """JSON has none: PyTorch writes them as texts."""
    with zipfile.ZipFile(FILES / "convolutional.pt2") as archive:
        (name,) = (n for n in archive.namelist() if "/models/" in n and n.endswith(".json"))
        assert b"aten.relu.default" in archive.read(name)

    def clamped(node: dict[str, Any]) -> None:
        if node["target"] == "torch.ops.aten.relu.default":
            node["target"] = "torch.ops.aten.clamp.default"
            ends = (("min", 0.0), ("max", "Infinity"))
            node["inputs"] += [{"name": n, "arg": {"as_float": v}, "kind": 1} for n, v in ends]

    loaded = _with_nodes("convolutional", clamped)
    (x,), (y,) = _arrays("convolutional", "input"), _arrays("convolutional", "output")
    np.testing.assert_allclose(loaded(x), y, rtol=1e-5, atol=1e-6)


def test_texts_that_are_no_numbers_are_refused():
    def clamped(node: dict[str, Any]) -> None:
        if node["target"] == "torch.ops.aten.relu.default":
            node["target"] = "torch.ops.aten.clamp.default"
            node["inputs"] += [{"name": "min", "arg": {"as_float": "much"}, "kind": 1}]

    with pytest.raises(ShapeError, match=r"clamp.*much"):
        _with_nodes("convolutional", clamped)
