"""Functions of the table give what TensorFlow gives: dtype, shape and values."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf.rows import rows_of
from nacre.tf.table import ROWS
from tests.cases.tf_functions import CASES, REFUSED, arguments, parts
from tests.reference.make_tf_functions import told

FACTS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "reference" / "tf_functions.json").read_text()
)

# On the device numbers have 32 bits where TensorFlow has 64.
NARROWER = {
    ("int64", "int32"),
    ("float64", "float32"),
    ("complex128", "complex64"),
}

# Functions without a call among the cases: random, or of no values.
NO_CASE = set(
    "random_brightness random_contrast random_crop random_flip_left_right random_flip_up_down "
    "random_hue random_saturation decode_bmp decode_gif encode_jpeg encode_png "
    "categorical gamma normal set_seed shuffle stateless_normal stateless_truncated_normal "
    "stateless_uniform truncated_normal uniform no_op enable_eager_execution enable_v2_behavior "
    "disable_eager_execution disable_v2_behavior assign assign_add assign_sub "
    "set_random_seed random_jpeg_quality encode_wav stateless_random_brightness "
    "stateless_random_contrast stateless_random_crop stateless_random_flip_left_right "
    "approx_min_k fold_in parallel_stack log_uniform_candidate_sampler poisson split stateless_binomial stateless_categorical "
    "stateless_gamma stateless_poisson uniform_candidate_sampler stateless_fold_in "
    "stateless_shuffle stateless_split stateless_dropout "
    "stateless_random_flip_up_down stateless_random_hue stateless_random_saturation".split()
)


def differences(mine: Any, theirs: Any) -> list[str]:
    """What is not the same about two parts of a result."""
    if not isinstance(theirs, dict) or not isinstance(mine, dict):
        return [] if mine == theirs else [f"{mine!r} where TensorFlow has {theirs!r}"]
    found: list[str] = []
    pair = (theirs["dtype"], mine["dtype"])
    if pair[0] != pair[1] and pair not in NARROWER:
        found.append(f"dtype {pair[1]}, TensorFlow's is {pair[0]}")
    if mine["shape"] != theirs["shape"]:
        return [*found, f"shape {mine['shape']}, TensorFlow's is {theirs['shape']}"]
    a, b = mine["values"], theirs["values"]
    if theirs["dtype"].startswith(("float", "complex")):
        if not np.allclose(np.asarray(a), np.asarray(b), rtol=2e-5, atol=2e-6, equal_nan=True):
            found.append(f"values {a}, TensorFlow's are {b}")
    elif a != b:
        found.append(f"values {a}, TensorFlow's are {b}")
    return found


@functools.cache
def _arguments() -> dict[str, Any]:
    return arguments(tf)


@pytest.fixture
def scope() -> dict[str, Any]:
    return _arguments()  # made where methods are lent: floats of 64 bits have them there


@pytest.mark.parametrize("call", CASES)
def test_a_call_gives_what_tensorflow_gives(call: str, scope: dict[str, Any]) -> None:
    mine = [told(part) for part in parts(eval(call, dict(scope)))]
    found = {}
    for versions, theirs in FACTS[call].items():
        found[versions] = [f"{len(mine)} parts, TensorFlow has {len(theirs)}"]
        if len(mine) == len(theirs):
            found[versions] = [
                d for a, b in zip(mine, theirs, strict=True) for d in differences(a, b)
            ]
    assert not all(found.values()), found


@pytest.mark.parametrize("call", REFUSED)
def test_what_tensorflow_refuses_is_refused(call: str, scope: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, IndexError, AttributeError)):
        eval(call, dict(scope))


def test_every_function_of_the_table_is_called() -> None:
    text = " ".join(CASES)
    for module in ROWS:
        for name, row in rows_of(module).items():
            if not row.is_face and name not in NO_CASE:
                assert f".{name}(" in text, f"tf.{module}.{name}"


def test_the_reference_has_exactly_the_cases() -> None:
    assert list(FACTS) == [*CASES, *REFUSED]


def test_print_adds_to_a_file_that_is_named(tmp_path: Path) -> None:
    stream = f"file://{tmp_path}/printed.txt"

    @tf.function
    def total(x: Any) -> Any:
        tf.print("sum", tf.reduce_sum(x), output_stream=stream)
        return x

    for n in (1.0, 2.0):
        total(tf.constant([n, 1.0]))
    tf.print("end", output_stream=stream)
    jax.effects_barrier()
    assert (tmp_path / "printed.txt").read_text() == "sum 2\nsum 3\nend\n"
    with pytest.raises(ValueError, match="file://PATH"):
        tf.print("x", output_stream="printed.txt")


def test_what_is_known_while_a_function_is_traced_is_printed_at_each_run(
    capfd: pytest.CaptureFixture[str],
) -> None:
    @tf.function
    def shown(x: Any) -> Any:
        tf.print("rows", tf.shape(x)[0], sep=":")
        tf.print("done")
        return x + 1.0

    for _ in range(3):
        shown(tf.constant([1.0, 2.0]))
    jax.effects_barrier()
    assert capfd.readouterr().err == "rows:2\ndone\n" * 3


@pytest.mark.parametrize(
    ("said", "given", "want"),
    [
        ("int32", lambda: tf.constant([1.5]), None),
        ("int32", lambda: [1.5], None),
        ("int32", lambda: tf.Variable([1.5]), None),
        ("int32", lambda: tf.constant([True]), None),
        ("float32", lambda: tf.constant([1]), None),
        ("int32", lambda: tf.constant([[1]]), None),
        ("float32", lambda: tf.constant([1.5], tf.float64), None),
        ("float16", lambda: tf.Variable([1.5]), None),
        ("float32", lambda: np.array([1.5]), [3.0]),
        ("int32", lambda: np.array([1.5]), [2]),  # TensorFlow cuts NumPy's arrays too
        ("int32", lambda: [1], [2]),
        ("float32", lambda: [1], [2.0]),
        ("float32", lambda: np.array([1]), [2.0]),
        ("float32", lambda: tf.Variable([1.5]), [3.0]),
    ],
)
def test_a_signature_takes_no_numbers_of_another_kind(said: str, given: Any, want: Any) -> None:
    twice = tf.function(lambda x: x + x, input_signature=[tf.TensorSpec([None], said)])
    if want is not None:
        assert twice(given()).numpy().tolist() == want
        return
    with pytest.raises(TypeError, match="input_signature says an argument of"):
        twice(given())
