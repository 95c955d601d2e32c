"""Every op gives real Keras's numbers, dtypes, signatures, and shapes known beforehand."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre.ops as ops
from nacre.core.symbolic import KerasTensor
from nacre.ops._calls import REGISTRY
from tests.cases.ops import CASES, UNLISTED, OpCase
from tests.cases.spec import generator
from tests.contracts.slopes import slopes
from tests.tiers import first_of_each_is_quick

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


@pytest.mark.parametrize("case", first_of_each_is_quick(CASES, lambda case: case.op), ids=_IDS)
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


def _first_array(value: Any) -> np.ndarray | None:
    if isinstance(value, np.ndarray):
        return value if value.ndim else None
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, list | tuple | dict):
        return next((a for a in map(_first_array, items) if a is not None), None)
    return None


# The first axis of their arrays is no batch: square matrices, equations, shapes given in numbers.
_NO_BATCH = set(
    "broadcast_to scatter cholesky cholesky_inverse det inv slogdet logdet eigh eig solve "
    "solve_triangular lstsq".split()
)
# Their arrays of lower rank have one entry a row.
_ENTRY_A_ROW = set(
    "in_top_k segment_sum segment_max segment_min segment_prod sparse_categorical_crossentropy "
    "ctc_loss ctc_decode image.affine_transform image.perspective_transform".split()
)
_BATCHED = [
    c
    for c in CASES
    if c.is_symbolic
    and c.op.removeprefix("linalg.") not in _NO_BATCH
    and _first_array([*c.arguments()]) is not None
]


@pytest.mark.parametrize("case", _BATCHED, ids=[c.id for c in _BATCHED])
def test_shape_of_an_unknown_batch_is_the_real_shape(case: OpCase) -> None:
    function = _find(case.op)
    args, kwargs = case.arguments()
    batch = _first_array([*args, kwargs])
    assert batch is not None

    def unknown(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim:
            same_rank = value.ndim == batch.ndim or case.op in _ENTRY_A_ROW
            is_batch = same_rank and value.shape[0] == batch.shape[0]
            return _symbolic(value, is_batch)
        if isinstance(value, list | tuple) and any(isinstance(v, np.ndarray) for v in value):
            return type(value)(unknown(v) for v in value)
        return value

    real = jax.eval_shape(lambda: _flat(function(*args, **kwargs)))
    outputs = _flat(
        function(*(unknown(a) for a in args), **{k: unknown(v) for k, v in kwargs.items()})
    )
    assert len(outputs) == len(real)
    for output, expected in zip(outputs, real, strict=True):
        assert len(output.shape) == len(expected.shape)
        assert all(known in (None, size) for known, size in zip(output.shape, expected.shape))
        assert output.dtype == str(expected.dtype)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float32


def _float_positions(case: OpCase) -> list[int]:
    return [i for i, a in enumerate(case.arguments()[0]) if _is_float(a)]


# Ops whose values say nothing of their slope, and why.
_WITHOUT_SLOPE = {
    "floor": "jumps",
    "ceil": "jumps",
    "round": "jumps",
    "trunc": "jumps",
    "histogram": "jumps",
    "nextafter": "JAX has no derivative: it moves by one bit",
    "stop_gradient": "its gradient is 0 by its name",
    "svd": "JAX has no derivative of full matrices; the reduced ones are not unique",
    "image.hsv_to_rgb": "a corner at every sixth of the hues, and 160 hues",
}
# Rows of these change where pixels are read by their other arguments: a corner at every pixel.
_SLOPE_OF_IMAGES = {
    "image.affine_transform",
    "image.perspective_transform",
    "image.scale_and_translate",
}
_first_rows: dict[str, OpCase] = {}
for _case in CASES:
    if _case.is_symbolic and _case.op not in _WITHOUT_SLOPE and _float_positions(_case):
        _first_rows.setdefault(_case.op, _case)


@pytest.mark.parametrize("case", _first_rows.values(), ids=lambda case: case.id)
def test_gradient_is_the_slope(case: OpCase) -> None:
    function = _find(case.op)
    args, kwargs = case.arguments()
    places = _float_positions(case)
    if case.op in _SLOPE_OF_IMAGES:
        places = places[:1]

    def outputs(start: Any) -> list[Any]:
        given = list(args)
        for place, (value,) in zip(places, start, strict=True):
            given[place] = value
        found = _flat(function(*given, **kwargs))
        floats = [x for x in found if str(x.dtype) == "float32"]
        return [jnp.where(jnp.isfinite(x), x, 0) for x in floats]  # an empty segment's largest

    start = tuple([args[place]] for place in places)
    if not jax.eval_shape(outputs, start):
        pytest.skip("the op gives no floats")
    slopes(outputs, start, generator(case.id))


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
