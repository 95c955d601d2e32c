# ruff: noqa: PT009 (these are the assertions themselves)
"""`tf.test`: Python's `unittest` with comparisons of tensors."""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from nacre.tf.values import tensor


def _array(value: Any) -> np.ndarray:
    return np.asarray(tensor(value)) if not isinstance(value, np.ndarray) else value


class TestCase(unittest.TestCase):
    """`unittest.TestCase` that compares tensors; seeds are set before each test."""

    __test__ = False  # for pytest: it is no test itself

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__test__ = True

    def setUp(self) -> None:
        """Set the seed of tensors."""
        from nacre.tf.randoms import set_seed

        super().setUp()
        set_seed(87654321)

    def get_temp_dir(self) -> str:
        """A folder for the test."""
        if not hasattr(self, "_folder"):
            self._folder = tempfile.TemporaryDirectory()
            self.addCleanup(self._folder.cleanup)
        return self._folder.name

    @contextmanager
    def session(self, *args: Any, **kwargs: Any) -> Any:
        """A block; there are no sessions."""
        yield self

    cached_session = session

    def evaluate(self, tensors: Any) -> Any:
        """Values as arrays of NumPy's."""
        numbers = lambda x: x if x is None else np.asarray(getattr(x, "value", x))[()]
        return jax.tree.map(numbers, tensors)

    def assertAllClose(
        self, a: Any, b: Any, rtol: float = 1e-6, atol: float = 1e-6, msg: Any = None
    ) -> None:
        """Structures of numbers are nearly equal."""
        if isinstance(a, dict):
            self.assertEqual(sorted(a), sorted(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, f"{msg or ''} [{key}]")
        elif isinstance(a, list | tuple) and _is_uneven(a):
            self.assertEqual(len(a), len(b), msg)
            for one, other in zip(a, b, strict=True):
                self.assertAllClose(one, other, rtol, atol, msg)
        else:
            one, other = _array(a), _array(b)
            self.assertEqual(one.shape, other.shape, msg)
            np.testing.assert_allclose(one, other, rtol, atol, err_msg=msg or "")

    def assertAllEqual(self, a: Any, b: Any, msg: Any = None) -> None:
        """Tensors are equal, in shape too."""
        if hasattr(a, "to_list") or hasattr(b, "to_list"):
            a, b = (x.to_list() if hasattr(x, "to_list") else x for x in (a, b))
            self.assertEqual(a, b, msg)
            return
        one, other = _array(a), _array(b)
        self.assertEqual(one.shape, other.shape, msg)
        np.testing.assert_array_equal(one, other, err_msg=msg or "")

    def assertNotAllClose(self, a: Any, b: Any, msg: Any = None, **kwargs: Any) -> None:
        """Tensors differ somewhere."""
        try:
            self.assertAllClose(a, b, **kwargs)
        except AssertionError:
            return
        raise AssertionError(msg or "the two are nearly equal at all places")

    def assertNotAllEqual(self, a: Any, b: Any, msg: Any = None) -> None:
        """Tensors differ somewhere."""
        try:
            self.assertAllEqual(a, b)
        except AssertionError:
            return
        raise AssertionError(msg or "the two are equal at all places")

    def assertAllInRange(
        self, target: Any, lower_bound: Any, upper_bound: Any,
        open_lower_bound: bool = False, open_upper_bound: bool = False,
    ) -> None:  # fmt: skip
        """All numbers are between two."""
        values = _array(target)
        low = values > lower_bound if open_lower_bound else values >= lower_bound
        high = values < upper_bound if open_upper_bound else values <= upper_bound
        self.assertTrue(np.all(low & high), f"{values[~(low & high)][:5]} is outside")

    def assertAllGreater(self, a: Any, comparison_target: Any) -> None:
        """All numbers are larger than one."""
        self.assertTrue(np.all(_array(a) > comparison_target))

    def assertAllLess(self, a: Any, comparison_target: Any) -> None:
        """All numbers are smaller than one."""
        self.assertTrue(np.all(_array(a) < comparison_target))

    def assertAllGreaterEqual(self, a: Any, comparison_target: Any) -> None:
        """No number is smaller than one."""
        self.assertTrue(np.all(_array(a) >= comparison_target))

    def assertAllLessEqual(self, a: Any, comparison_target: Any) -> None:
        """No number is larger than one."""
        self.assertTrue(np.all(_array(a) <= comparison_target))

    def assertAllInSet(self, target: Any, expected_set: Any) -> None:
        """All values are among some."""
        self.assertTrue(set(_array(target).ravel().tolist()) <= set(expected_set))

    def assertShapeEqual(self, input_a: Any, input_b: Any, msg: Any = None) -> None:
        """Shapes are equal."""
        self.assertEqual(tuple(np.shape(input_a)), tuple(np.shape(input_b)), msg)

    def assertDTypeEqual(self, target: Any, expected_dtype: Any) -> None:
        """The dtype is this one."""
        from nacre.tf.dtypes import as_dtype

        self.assertEqual(as_dtype(_array(target).dtype), as_dtype(expected_dtype))

    def assertNear(self, f1: Any, f2: Any, err: float, msg: Any = None) -> None:
        """Two numbers are not further apart than this."""
        self.assertTrue(abs(float(f1) - float(f2)) <= err, msg or f"{f1} and {f2}")

    def assertStartsWith(self, actual: str, expected_start: str, msg: Any = None) -> None:
        """A text begins so."""
        self.assertTrue(actual.startswith(expected_start), msg or actual)


def _is_uneven(value: Any) -> bool:
    try:
        shapes = {np.shape(item) for item in value}
    except ValueError:
        return True
    return len(shapes) > 1


def compute_gradient(
    f: Callable[..., Any], x: Any, delta: float | None = None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Jacobians of a function, as computed and as differences tell.

    Args:
        f: The function of tensors.
        x: Its arguments.
        delta: The step; by default 2⁻¹⁰ as in TensorFlow's for 32 bits.
    """
    step = 2**-10 if delta is None else delta
    given = [np.asarray(tensor(v), np.float32) for v in x]
    size = lambda values: int(np.prod(values.shape))
    y = np.asarray(f(*map(tensor, given)))
    theory, numbers = [], []
    for at, one in enumerate(given):
        call = lambda v, at=at: f(
            *[v if i == at else jax.numpy.asarray(w) for i, w in enumerate(given)]
        )
        jacobian = np.asarray(jax.jacobian(call)(jax.numpy.asarray(one)))
        theory.append(jacobian.reshape(size(y), size(one)))
        columns = []
        for place in range(size(one)):
            pair = []
            for sign in (step, -step):
                moved = one.copy()
                moved.ravel()[place] += sign
                pair.append(np.asarray(call(jax.numpy.asarray(moved)), np.float64).ravel())
            columns.append((pair[0] - pair[1]) / (2 * step))
        numbers.append(np.stack(columns, 1) if columns else np.zeros((size(y), 0)))
    return theory, numbers


main = unittest.main

__all__ = ["TestCase", "compute_gradient", "main"]
