"""What files are compared with: numbers from 0 to 1, and from far around 0 where they may be any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jax import lax

import nacre
from nacre import layers, ops
from nacre.core.errors import FileFormatError
from nacre.export import targets
from nacre.export.capture import capture
from nacre.export.trials import Tries, free_inputs
from tests.export import test_verification
from tests.export.test_verification import WRONG


class Of(layers.Layer):
    """A function as a layer."""

    def __init__(self, function: Any, name: str = "of") -> None:
        super().__init__(name=name)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def net(function: Any, shape: tuple[int, ...] = (6,), dtype: str = "float32") -> Any:
    return nacre.Sequential([nacre.Input(shape, dtype=dtype), Of(function)], name="net")


@pytest.fixture
def pickled(monkeypatch: Any) -> None:
    place = targets.Place(test_verification.__name__, ".graph")
    monkeypatch.setitem(targets.TARGETS, "pickled", place)
    WRONG.clear()


# Op -> a function with it, whose results from 0 to 1 do not tell what it gives elsewhere.
HIDDEN = {
    "floor": (ops.floor, "float32"),
    "acosh": (ops.arccosh, "float32"),
    "neg": (lambda x: ops.relu(ops.negative(x)), "float32"),
    "relu": (lambda x: ops.relu(x - 2.0), "float32"),
    "round": (lambda x: ops.round(ops.minimum(x, 0.25)), "float32"),
}


@pytest.mark.parametrize("op", HIDDEN)
def test_a_fault_that_no_number_from_0_to_1_shows_is_found(op, tmp_path, pickled):
    function, dtype = HIDDEN[op]
    model = net(function, dtype=dtype)
    assert model.export(tmp_path / "m.graph", verbose=False).is_verified
    WRONG[op] = 1.01
    with pytest.raises(FileFormatError, match="first layer that differs is 'net/of'"):
        model.export(tmp_path / "n.graph", verbose=False)


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        (lambda x: ops.log(x + 0.5), 3),  # NaN below 0: compared above
        (lambda x: ops.arcsin(x), 2),  # and none above 1
        (lambda x: ops.relu(ops.sqrt(x)), 3),
    ],
)
def test_numbers_that_a_model_is_not_made_for_are_left_out(function, calls, tmp_path, pickled):
    report = net(function).export(tmp_path / "m.graph", verbose=False)
    assert report.is_verified and len(report.compared) == calls


@pytest.mark.parametrize(
    ("function", "dtype", "is_free"),
    [
        (ops.tanh, "float32", True),
        (lambda x: x % 3, "int32", True),
        (lambda x: x % 3, "uint8", False),
        (lambda x: ops.one_hot(x, 5), "int32", False),
        (lambda x: ops.take(np.eye(9, dtype="float32"), x, axis=0), "int32", False),
        (lambda x: ops.take(np.eye(9), ops.cast(x * 4, "int32"), axis=0), "float32", False),
        (lambda x: ops.take(x, ops.argmax(x, axis=1), axis=1), "float32", True),
        (lambda x: ops.left_shift(1, x), "int32", False),
        (lambda x: lax.while_loop(lambda y: (y < 9).any(), lambda y: y * 2, x), "float32", False),
        (lambda x: ops.where(x > 0, x, 2 * x), "float32", True),
    ],
)
def test_inputs_that_pick_or_end_loops_are_drawn_among_what_they_pick(function, dtype, is_free):
    captured = capture(net(function, dtype=dtype))
    assert bool(free_inputs(captured.graph)) == is_free
    assert bool(Tries(captured).wide) == is_free


def test_wide_numbers_are_negative_large_whole_and_none_twice() -> None:
    tries = Tries(capture(net(ops.tanh)))
    (around,), (above,) = (values({"batch": 8}).values() for values in tries.wide)
    assert around.min() < -6 and around.max() > 6 and len(np.unique(around)) == around.size
    assert np.any(around == np.round(around)) and np.any(around != np.round(around))
    assert 0 < above.min() < 1 and above.max() > 6
    (large,) = tries.wide[0]({"batch": 100}).values()
    assert large.shape == (100, 6) and large.min() < -7 and large.max() > 7
    rounding = Tries(capture(net(lambda x: ops.round(x * 2.0))))
    (rounded,) = rounding.wide[0]({"batch": 8}).values()
    assert not np.any(rounded * 2 % 1 == 0)  # none on a step
