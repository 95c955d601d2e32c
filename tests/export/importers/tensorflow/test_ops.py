"""Each op of TensorFlow gives what TensorFlow 2.21 gave for the same node and inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.export.importers.tensorflow.ops  # noqa: F401 - registers them
from nacre.core.wire.tensorflow.graph import GraphDef, NodeDef
from nacre.export.importers.tensorflow.plan import Library, Step
from nacre.export.importers.tensorflow.registry import OPS, Node, definitions
from nacre.export.importers.tensorflow.run import Resources, Run, outputs_of
from nacre.export.importers.tensorflow.values import GraphError

_FOLDER = Path(__file__).parents[3] / "reference"
_CASES: list[dict[str, Any]] = json.loads((_FOLDER / "tensorflow_ops.json").read_text())
_DATA = np.load(_FOLDER / "tensorflow_ops.npz")["data"].tobytes()
# Functions with another approximation, or a table of weights, than TensorFlow's.
_LOOSE = {"ResizeBicubic": 2e-3, "Zeta": 1e-4, "Polygamma": 1e-4, "Igamma": 1e-4, "Betainc": 1e-4}


def _array(told: dict[str, Any]) -> np.ndarray[Any, Any]:
    if "strings" in told:
        found = np.empty(len(told["strings"]), object)
        found[:] = [text.encode("latin-1") for text in told["strings"]]
        return found.reshape(told["shape"])
    count = int(np.prod(told["shape"]))
    return np.frombuffer(_DATA, told["dtype"], count, told["at"]).reshape(told["shape"])


def _run(case: dict[str, Any], given: list[Any]) -> list[Any]:
    library = Library(GraphDef())
    node = library.node(NodeDef.read(bytes.fromhex(case["node"])), {})
    feeds = [Step(node, OPS[case["op"]], [(at, 0) for at in range(len(given))], [])]
    values = [(value,) for value in given]
    run = Run(library, Resources(), {})
    return list(outputs_of(feeds[0], run, (), values))


def _compare(case: dict[str, Any], found: list[Any]) -> None:
    assert len(found) >= len(case["outputs"])
    for index, (got, told) in enumerate(zip(found, case["outputs"], strict=False)):
        wanted = _array(told)
        if case["op"].startswith("FusedBatchNorm") and index > 2:
            continue  # reserved for its gradient
        if case["op"] in ("Svd", "SelfAdjointEigV2") and index:
            continue  # not asked for: TensorFlow gives what stands in memory
        got = np.asarray(got)
        assert got.shape == wanted.shape, (index, got.shape, wanted.shape)
        if wanted.dtype == object:
            assert got.tolist() == wanted.tolist()
            continue
        if got.dtype.name == "bfloat16":
            got = got.astype("float32")
        assert got.dtype == wanted.dtype, index
        tolerance = _LOOSE.get(case["op"], 2e-5)
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance, err_msg=str(index))


_FIRST = {case["op"]: number for number, case in reversed(list(enumerate(_CASES)))}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            number,
            id=f"{case['op']}-{number}",
            marks=[] if _FIRST[case["op"]] == number else [pytest.mark.slow],
        )
        for number, case in enumerate(_CASES)
    ],
)
def test_an_op_gives_what_tensorflow_gives(number: int) -> None:
    case = _CASES[number]
    inputs = [_array(told) for told in case["inputs"]]
    with jax.enable_x64(True), np.errstate(all="ignore"):
        _compare(case, _run(case, inputs))
        if not OPS[case["op"]].is_known:
            return  # NumPy's arrays are made JAX's there
        moved = [jax.numpy.asarray(v) if v.dtype.kind in "fc" else v for v in inputs]
        if any(v.dtype.kind in "fc" for v in inputs):
            _compare(case, _run(case, moved))


def test_the_nearest_pixel_of_a_crop_is_the_next_one_where_two_are_as_near() -> None:
    node = Node("CropAndResize", "crop", {"method": b"nearest"})
    image, box = np.arange(6, dtype="float32").reshape(1, 2, 3, 1), np.float32([[0, 0, 1, 0.75]])
    found = OPS["CropAndResize"].function(node, image, box, np.array([0]), np.array([3, 2]))
    assert np.ravel(found).tolist() == [0, 2, 3, 5, 3, 5]  # of TensorFlow 2.15


def test_many_ops_are_known_and_all_have_their_definition() -> None:
    # Of tensorflow_text, ours, and of TF.js's converter.
    foreign = {"CaseFoldUTF8", "NormalizeUTF8", "_CustomGradient"}
    foreign |= {"Prelu", "_FusedDepthwiseConv2dNative"}
    assert len(OPS) >= 450
    assert len(_FIRST) >= 310
    assert set(OPS) - set(definitions()) == foreign


EXPRESSIONS = {  # of TensorFlow 2.15.1: what it puts in place of each match, `<` and `>` around it
    r"a{,3}": ("aa{,3}", "a<a{,3}>"),
    r"x{": ("x{1}", "<x{>1}"),
    r"(?i)[à-ü]+": ("ÀÉü Éx", "<ÀÉü> <É>x"),
    r"(?i:É)x": ("éx éX", "<éx> éX"),
    r"(?i)\bfoo\b": ("FOO éfoo food", "<FOO> é<foo> food"),
    r"(?m)^a$": ("a\nb\na", "<a>\nb\n<a>"),
    r"a$": ("a\na", "a\n<a>"),
    r"[\S]+": ("a\x0bb \t", "<a\x0bb> \t"),
    r"[^\W]+": ("AbC_9 été", "<AbC_9> é<t>é"),
    r"\101": ("ABA", "<A>B<A>"),
    r"\_": ("a_b", "a<_>b"),
}


@pytest.mark.parametrize("pattern", list(EXPRESSIONS))
def test_expressions_mean_what_they_mean_in_re2(pattern):
    given, wanted = EXPRESSIONS[pattern]
    attributes = {"pattern": pattern.encode(), "rewrite": rb"<\0>", "replace_global": True}
    replace = OPS["StaticRegexReplace"].function
    node = Node("StaticRegexReplace", "n", attributes)
    assert replace(node, np.array([given.encode()], object))[0].decode() == wanted


@pytest.mark.parametrize(
    "pattern",
    ["a++", "a*+", "a?+", "a{2}+", "a*?+", "(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "(?P<n>a)(?P=n)",
     r"\Z", r"\u0041", "(?>a)", "a{1001}", "b(?m)^a"],
)  # fmt: skip
def test_expressions_that_re2_does_not_read_are_refused(pattern):
    node = Node("StaticRegexFullMatch", "n", {"pattern": pattern.encode()})
    with pytest.raises(GraphError):
        OPS["StaticRegexFullMatch"].function(node, np.array([b"a"], object))


def test_letters_whose_case_python_reads_otherwise_are_refused():
    node = Node("StaticRegexFullMatch", "n", {"pattern": b"(?i)i"})
    full_match = OPS["StaticRegexFullMatch"].function
    assert full_match(node, np.array([b"I"], object)).tolist() == [True]
    with pytest.raises(GraphError, match="case"):
        full_match(node, np.array(["ı".encode()], object))


def test_columns_that_are_crossed_may_be_sparse():
    """Numbers of TensorFlow 2.15.1: tf.sparse.cross_hashed(..., num_buckets=101), tf.sparse.cross."""
    texts = np.array([[b"x", b"y", b""], [b"", b"", b""], [b"z", b"", b""]], object)
    numbers = np.array([[1, 0], [2, 3], [70_000_000_000, 4]])
    names = np.array([[b"p"], [b"q"], [b"r"]], object)
    zeros = OPS["ZerosLike"].function(Node("ZerosLike", "zeros"), texts)
    assert zeros.ravel().tolist() == [b""] * 9
    columns = [(np.argwhere(x != zero), x) for x, zero in ((texts, zeros), (numbers, 0))]
    places = [at for at, _ in columns]
    values = [x[tuple(at.T)] for at, x in columns]
    sizes = [np.array(x.shape) for _, x in columns]
    attributes = {"N": 2, "hashed_output": True, "num_buckets": 101, "hash_key": 956888297470}
    given = (*places, *values, *sizes, names)
    cross = OPS["SparseCross"].function(Node("SparseCross", "cross", attributes), *given)
    assert [each.tolist() for each in cross] == [
        [[0, 0], [0, 1], [2, 0], [2, 1]], [26, 88, 7, 78], [3, 2],
    ]  # fmt: skip
    separator = np.array(b"_X_", object)
    node = Node("SparseCrossV2", "cross", {"N": 2})
    joined = OPS["SparseCrossV2"].function(node, *given, separator)[1].tolist()
    assert joined == [b"x_X_1_X_p", b"y_X_1_X_p", b"z_X_70000000000_X_r", b"z_X_4_X_r"]
