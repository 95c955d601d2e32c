"""Every op gives real Keras's numbers, dtypes, signatures, and shapes known beforehand."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.ops as ops
from nacre.core.symbolic import KerasTensor
from nacre.ops._define import REGISTRY
from tests.cases.ops import CASES, UNLISTED, OpCase

FOLDER = Path(__file__).parents[1] / "reference"
FACTS = json.loads((FOLDER / "ops.json").read_text())
# Our form is wider than Keras's on JAX, or a helper that is not an op.
OWN_SIGNATURES: dict[str, str] = {}


@functools.cache
def _numbers() -> Any:
    return np.load(FOLDER / "ops.npz")


def _find(name: str) -> Any:
    found: Any = ops
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


_IDS = [case.id for case in CASES]


def test_case_names_differ() -> None:
    assert len(set(_IDS)) == len(_IDS)


@pytest.mark.parametrize("case", CASES, ids=_IDS)
def test_op_gives_the_numbers_of_keras(case: OpCase) -> None:
    args, kwargs = case.arguments()
    outputs = _flat(_find(case.op)(*args, **kwargs))
    if case.differs or case.id in FACTS["refused"]:  # Keras on JAX refuses this; here it works
        assert all(np.asarray(x).size for x in outputs)
        return
    dtypes = FACTS["dtypes"][case.id]
    assert len(outputs) == len(dtypes)
    relative, absolute = case.tolerance
    for index, (output, dtype) in enumerate(zip(outputs, dtypes, strict=True)):
        expected = _numbers()[f"{case.id}/{index}"]
        value = np.asarray(output)
        assert value.shape == expected.shape
        if value.dtype.kind == "V" or str(value.dtype) == "bfloat16":
            value = value.astype("float32")
        np.testing.assert_allclose(value, expected, rtol=relative, atol=absolute)
        if case.has_dtype:
            assert str(output.dtype) == dtype


def _symbolic(value: Any, batch: bool) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        shape = (None, *value.shape[1:]) if batch else value.shape
        return KerasTensor(shape, str(value.dtype))
    if isinstance(value, list | tuple) and any(isinstance(v, np.ndarray) for v in value):
        return type(value)(_symbolic(v, batch) for v in value)
    return value


def _tensor_names(function: Any) -> tuple[str, ...]:
    info = getattr(function, "op", None)
    return () if info is None else info.tensors


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.is_symbolic], ids=[c.id for c in CASES if c.is_symbolic]
)
def test_symbolic_shape_is_the_real_shape(case: OpCase) -> None:
    function = _find(case.op)
    args, kwargs = case.arguments()
    real = jax.eval_shape(lambda: _flat(function(*args, **kwargs)))
    new_args = tuple(_symbolic(a, False) for a in args)
    new_kwargs = {k: _symbolic(v, False) for k, v in kwargs.items()}
    outputs = _flat(function(*new_args, **new_kwargs))
    for output, expected in zip(outputs, real, strict=True):
        assert isinstance(output, KerasTensor)
        assert output.shape == expected.shape
        assert output.dtype == str(expected.dtype)


def test_every_op_of_keras_is_here_with_its_signature() -> None:
    different = {}
    for name, expected in FACTS["signatures"].items():
        function = _find(name)
        parameters = [
            p.replace(annotation=inspect.Parameter.empty)
            for p in inspect.signature(function).parameters.values()
        ]
        found = str(inspect.Signature(parameters))
        if found != OWN_SIGNATURES.get(name, expected):
            different[name] = (found, expected)
    assert not different


# Ops Keras has no operation class for: layers' own, and those that make arrays from a number.
_NO_CLASS = set(
    "embed extract_patches_3d mish group_normalization lstm gru simple_rnn "
    "bartlett blackman hamming hanning kaiser".split()
)


def test_ops_have_the_class_names_that_configs_hold() -> None:
    different = {
        name: (info.class_name, info.keras_module)
        for name, info in REGISTRY.items()
        if info.function.__module__.startswith("nacre.ops")
        and name not in _NO_CLASS
        and FACTS["classes"].get(info.class_name) != info.keras_module
    }
    assert not different


def test_every_op_has_a_case_or_a_reason() -> None:
    listed = {case.op for case in CASES}
    missing = sorted(set(FACTS["signatures"]) - listed - set(UNLISTED))
    assert not missing
    assert not sorted(set(UNLISTED) & listed)
