"""Errors of ops name the op, the rule, what came and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.ops as ops
from nacre.core.errors import ArgumentError, DTypeError, NacreError, PositionError, ShapeError
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.ops._explain import explained, explains

X = np.ones((2, 3), "float32")
S = KerasTensor((None, 3))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: ops.sort(X, axis=5),
            ShapeError,
            r"^sort: an axis .* -2 to 1\. Got x=float32\(2, 3",
        ),
        (lambda: ops.sum(S, axis=4), ShapeError, r"^sum: an axis .*x=float32\(b, 3\), axis=4\. Ch"),
        (lambda: ops.sort(1.0), ShapeError, r"^sort: a tensor without axes .* Leave the axis out"),
        (lambda: ops.add(X, X.T), ShapeError, r"^add: shapes must broadcast.*\(2, 3\).*\(3, 2\)"),
        (lambda: ops.add(S, KerasTensor((None, 4))), ShapeError, r"^add: .*\(b, 3\).*\(b, 4\)"),
        (lambda: ops.matmul(X, X), ShapeError, r"^matmul: .*same size along the axes .* summed"),
        (lambda: ops.concatenate([X, X.T]), ShapeError, r"^concatenate: .*xs=\[float32\(2, 3\), f"),
        (
            lambda: ops.reshape(X, (5,)),
            ShapeError,
            r"^reshape: .*newshape=\(5,\)\. Keep the number",
        ),
        (
            lambda: ops.expand_dims(np.array(["a", "b"]), -1),
            DTypeError,
            r"^expand_dims: its tensors must be numbers.*np.expand_dims works on them; StringLook",
        ),
        (lambda: ops.take(np.array(["a"]), np.array([0])), DTypeError, r"^take: its tensors must"),
        (
            lambda: ops.stack([np.array([b"a"], object)] * 2),
            DTypeError,
            r"^stack: .*Got x=\[object\(1\), object\(1\)\]. Strings stay in NumPy",
        ),
        (
            lambda: ops.cast(np.array(["1.5"]), "float32"),
            DTypeError,
            r"^cast: .*Numbers written as strings: x.astype\('float32'\) of NumPy",
        ),
        (lambda: ops.transpose(X, (0, 0)), ShapeError, r"^transpose: .*Name every axis once"),
        (lambda: ops.split(X, 2, axis=1), ArgumentError, r"^split: .*Use array_split"),
        (lambda: ops.bitwise_not(X), DTypeError, r"^bitwise_not: .*Change the dtype first"),
        (lambda: ops.abs(None), ArgumentError, r"^abs: a tensor must be numbers.* Got x=None"),
        (lambda: ops.abs("abc"), DTypeError, r"^abs: a tensor must be numbers.*Got x='abc'"),
        (lambda: ops.sum([[1], [1, 2]]), ValueError, r"^sum: a tensor must be numbers"),
        (lambda: ops.sum(X, axis="x"), NacreError, r"^sum: axes and sizes must be whole numbers"),
        (lambda: ops.zeros(-1), NacreError, r"^zeros: axes and sizes .* Got shape=-1"),
        (lambda: ops.histogram(X, bins=0), ArgumentError, r"^histogram: bins must be at least 1"),
        (lambda: ops.histogram(X, range=(1, -1)), ArgumentError, r"^histogram: range must be"),
        (lambda: ops.take(X, [0.5]), DTypeError, r"^take: indices must be whole numbers"),
        (
            lambda: ops.repeat(S, KerasTensor((3,), "int32"), axis=1),
            ArgumentError,
            r"^repeat: .*sh",
        ),
    ],
)
def test_an_error_says_who_what_and_how_to_fix(
    call: Callable[[], Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        call()
    assert isinstance(caught.value, NacreError)
    assert ". Got " in str(caught.value)


def test_a_call_that_does_not_fit_the_signature_names_the_op() -> None:
    for call in (lambda: ops.sort(), lambda: ops.sort(S, foo=1), lambda: ops.abs(foo=1)):
        with pytest.raises(TypeError, match=r"(sort|abs)\(\)"):
            call()


def test_variables_and_long_lists_are_shown_shortly() -> None:
    error = ValueError("no")
    text = str(explained("add", {"x1": Variable([1.0]), "x2": list(range(100))}, error))
    assert "x1=float32(1)" in text and len(text) < 250


def test_errors_that_tell_enough_stay_as_they_are() -> None:
    ours = ArgumentError("who: rule.")
    assert explained("add", {}, ours) is ours
    assert isinstance(explained("get_item", {}, IndexError("9 is out")), PositionError)


def test_an_error_of_the_users_own_function_stays_as_it_is() -> None:
    @explains
    def apply(function: Callable[[], Any]) -> Any:
        return function()

    def wrong() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        apply(wrong)


def test_full_tracebacks_keep_what_was_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for mode, is_kept in (("full", True), ("short", False)):
        monkeypatch.setenv("NACRE_TRACEBACK", mode)
        with pytest.raises(ShapeError) as raised:
            ops.matmul(np.ones((2, 3)), np.ones((2, 3)))
        assert (raised.value.__cause__ is not None) == is_kept


@pytest.mark.parametrize(
    "call",
    [
        lambda size: ops.zeros((size, 1)),
        lambda size: ops.ones((size, 1)),
        lambda size: ops.full((size, 1), 2.0),
        lambda size: ops.broadcast_to(ops.ones((1, 1)), (size, 1)),
        lambda size: ops.tile(ops.ones((1, 1)), (size, 1)),
    ],
)
def test_the_size_of_a_batch_that_nobody_knows_says_so(call):
    x = nacre.Input((4,))
    with pytest.raises((ShapeError, DTypeError), match=r"None while a model .*zeros_like"):
        call(ops.shape(x)[0])
    assert nacre.Model(x, ops.zeros_like(x[:, :1])).output_shape == (None, 1)
