"""Names of dtypes, promotion, what arrays of the host become."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.core import config, dtypes
from nacre.core.errors import DTypeError

NUMBERS = [*dtypes.FLOAT_DTYPES, *dtypes.INT_DTYPES, "bool"]
SMALL = [n for n in NUMBERS if "64" not in n]


@pytest.fixture(autouse=True)
def floatx_restored() -> Iterator[None]:
    yield
    config.set_floatx("float32")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_name_its_numpy_dtype_and_its_type_are_one(name: str) -> None:
    dtype = jnp.dtype(name)
    assert dtypes.standardize_dtype(name) == name
    assert dtypes.standardize_dtype(dtype) == name
    assert dtypes.standardize_dtype(dtype.type) == name


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "float32"), (float, "float32"), ("float", "float32"), (int, "int32"), ("int", "int32"),
     (bool, "bool"), (str, "string"), (np.dtype("U3"), "string"), (jnp.bfloat16, "bfloat16")],
)  # fmt: skip
def test_other_spellings(given: object, expected: str) -> None:
    assert dtypes.standardize_dtype(given) == expected


def test_floatx_stands_for_none_and_float() -> None:
    config.set_floatx("float16")
    assert dtypes.standardize_dtype(None) == dtypes.standardize_dtype("float") == "float16"
    assert dtypes.standardize_dtype(np.dtype("float64")) == "float64"


def test_an_unknown_dtype_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DTypeError, match="Got 'flaot32'. Did you mean 'float32'"):
        dtypes.standardize_dtype("flaot32")
    with pytest.raises(DTypeError, match="known dtype"):
        dtypes.standardize_dtype(object)


def test_kinds() -> None:
    assert [n for n in NUMBERS if dtypes.is_float(n)] == list(dtypes.FLOAT_DTYPES)
    assert [n for n in NUMBERS if dtypes.is_int(n)] == list(dtypes.INT_DTYPES)
    assert dtypes.is_float("float8_e5m2") and not dtypes.is_float("complex64")


@pytest.mark.parametrize(
    ("given", "expected"),
    [(("int32", "float16"), "float16"), (("bool",), "bool"), ((bool,), "bool"),
     (("bool", "int8"), "int8"), (("uint8", "int8"), "int16"), (("int32", float), "float32"),
     (("float16", "bfloat16"), "float32"), ((), "float32"), ((int,), "int32"),
     (("int8", int), "int8"), (("bool", float), "float32"), (("float16", float), "float16"),
     (("float64",), "float32"), (("int64", "int32"), "int32"),
     ((np.dtype("float64"), "float16"), "float32")],
)  # fmt: skip
def test_promotion_is_keras_on_jax(given: tuple[object, ...], expected: str) -> None:
    assert dtypes.result_type(*given) == expected


@given(st.lists(st.sampled_from(SMALL), min_size=1, max_size=3))
def test_promotion_knows_no_order_and_absorbs_repeats(names: list[str]) -> None:
    together = dtypes.result_type(*names)
    if len(names) < 3:
        assert together == dtypes.result_type(*reversed(names))
    assert dtypes.result_type(together, *names[:1]) == together


@pytest.mark.parametrize(
    ("given", "expected"),
    [("int64", "int32"), ("uint64", "uint32"), ("float64", "float32"), ("complex128", "complex64"),
     ("float16", "float16"), ("int8", "int8"), ("bool", "bool")],
)  # fmt: skip
def test_wide_numbers_of_the_host_become_narrow(given: str, expected: str) -> None:
    assert dtypes.host_dtype(np.dtype(given)) == np.dtype(expected)


def test_with_floatx_float64_only_floats_of_the_host_stay_wide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(config._settings, "floatx", "float64")
    assert dtypes.host_dtype(np.dtype("float64")) == np.float64
    assert dtypes.host_dtype(np.dtype("int64")) == np.int32
