"""What a layer's `call` says of its arrays, `Float[Array, "*batch features"]`, is true.

While these tests run, every annotated `call` of nacre is checked by beartype, which reads the
shapes by jaxtyping: dtype and shape of the inputs and the result, and that an axis has one size
throughout a call.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre.core import array_types
from nacre.core.array_types import Array, Float, Num
from tests.cases.spec import LayerCase, build_layer
from tests.contracts import layer_rows
from tests.contracts.layer_rows import ROWS, first_of_class, is_on_host
from tests.layers.reference import arguments_of

jaxtyping = pytest.importorskip("jaxtyping")
beartype = pytest.importorskip("beartype")

SHAPED = re.compile(r"\b(?:Float|Num|Shaped)\[")
MEANINGS = {name: getattr(jaxtyping, name) for name in array_types.__all__}


def annotated_calls(cls: type) -> list[type]:
    """The class and its bases, as far as each has an annotated `call` of its own."""
    return [
        base
        for base in cls.__mro__
        if any(SHAPED.search(str(a)) for a in _annotations(vars(base).get("call")))
    ]


def _annotations(function: Any) -> list[Any]:
    return list(getattr(function, "__annotations__", {}).values())


def checked(function: Any, note: Callable[[], None] = lambda: None) -> Any:
    """The function, with its annotations checked at each call; it tells `note` of each."""
    twin = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__, twin.__qualname__ = function.__kwdefaults__, function.__qualname__
    twin.__annotations__ = typing.get_type_hints(function, localns=MEANINGS)
    inner = jaxtyping.jaxtyped(typechecker=beartype.beartype)(twin)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        note()
        return inner(*args, **kwargs)

    return call


def annotated_within(row: LayerCase) -> set[type]:
    """The classes with an annotated `call` of a row's layer and of the layers it holds."""
    held = build_layer(row, nacre)._flatten_layers()
    return {base for layer in held for base in annotated_calls(type(layer))}


ANNOTATED = sorted(
    {
        base
        for public in map(vars(nacre.layers).get, nacre.layers.__all__)
        if isinstance(public, type)
        for base in annotated_calls(public)
    },
    key=lambda cls: cls.__name__,
)
CHECKED_ROWS = [row for row in ROWS if not is_on_host(row) and annotated_within(row)]
reached: set[type] = set()


@pytest.fixture(autouse=True, scope="module")
def _every_annotated_call_is_checked() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for cls in ANNOTATED:
            note = functools.partial(reached.add, cls)
            patch.setattr(cls, "call", checked(vars(cls)["call"], note))
        yield


def over(rows: list[LayerCase]) -> Any:
    """A test run once for each row."""
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.id)


def trace(
    row: LayerCase,
    change: Callable[[Any], Any] = lambda x: x,
    policy: str | None = None,
    **more: Any,
) -> None:
    """Build the row's layer and trace a call on its inputs, changed."""
    layer = layer_rows.built(row, policy)

    def call(arrays: dict[str, Any]) -> list[Any]:
        positional, keywords = arguments_of(row, arrays)
        with nacre.StatelessScope():
            return layer_rows.leaves(layer(*positional, **{**keywords, **more}))

    jax.eval_shape(call, {k: change(v) for k, v in layer_rows.inputs_only(row).items()})


@over(CHECKED_ROWS)
def test_a_traced_call_is_as_annotated(row):
    trace(row)


@over(first_of_class(CHECKED_ROWS))
def test_a_call_is_as_annotated_in_training(row):
    trace(row, training=True)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
@over(first_of_class(CHECKED_ROWS))
def test_a_call_is_as_annotated_in_half_precision(row, policy):
    trace(row, policy=policy)


@over(first_of_class(CHECKED_ROWS))
def test_a_call_is_as_annotated_for_whole_numbers(row):
    trace(row, lambda x: np.ones(x.shape, "int32") if x.dtype.kind == "f" else x)


REAL = ("Dense", "Conv2D", "LayerNormalization", "MultiHeadAttention", "SimpleRNNCell", "Flatten")


@over([row for row in first_of_class(CHECKED_ROWS) if row.layer in REAL])
def test_a_call_on_arrays_is_as_annotated(row):
    layer = build_layer(row, nacre)
    positional, keywords = layer_rows.call_of(row)
    layer(*positional, **keywords)


def test_every_annotated_call_is_reached():
    reached.clear()
    for row in first_of_class(CHECKED_ROWS) + [r for r in CHECKED_ROWS if r.layer == "RNN"]:
        trace(row)
    assert [cls for cls in ANNOTATED if cls not in reached] == []
    assert len(ANNOTATED) > 45, "the annotations are found"


@pytest.mark.parametrize("cls", ANNOTATED, ids=lambda cls: cls.__name__)
def test_an_annotation_is_read_by_python_alone(cls):
    function = vars(cls)["call"]
    first, result = list(inspect.signature(function).parameters)[1], "return"
    plain, shaped = (typing.get_type_hints(function, include_extras=extra) for extra in (0, 1))
    assert plain[first] is not shaped[first] or plain[result] is not shaped[result]
    assert plain[first] in (Array, Any) or typing.get_args(plain[first])[0] in (Array, Any)


class _Wrong(nacre.layers.Layer):
    """Base of layers whose annotation is not what they do."""

    def build(self, input_shape):
        self.units = 3


class _OtherSize(_Wrong):
    def call(self, inputs: Float[Array, "*batch f"]) -> Float[Array, "*batch units={self.units}"]:
        return nacre.ops.ones((*inputs.shape[:-1], 4))


class _OtherDtype(_Wrong):
    def call(self, inputs: Num[Array, "*shape"]) -> Float[Array, "*shape"]:
        return nacre.ops.cast(inputs, "int32")


class _AxisOfTwoSizes(_Wrong):
    def call(self, inputs: Num[Array, "batch features"]) -> Num[Array, "batch features"]:
        return inputs[:, :1]


class _OtherInput(_Wrong):
    def call(self, inputs: Num[Array, "batch time features"]) -> Num[Array, "batch ..."]:
        return inputs


class _OtherInputDtype(_Wrong):
    def call(self, inputs: Num[Any, "batch features"] | None, flag: bool = False) -> Any:
        return inputs


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (_OtherSize, r"return value of .*_OtherSize.call"),
        (_OtherDtype, r"return value of .*_OtherDtype.call"),
        (_AxisOfTwoSizes, r"return value of .*_AxisOfTwoSizes.call"),
        (_OtherInput, r"parameters of .*_OtherInput.call"),
        (_OtherInputDtype, r"parameters of .*_OtherInputDtype.call"),
    ],
)
@pytest.mark.parametrize("is_traced", [False, True])
def test_an_annotation_that_is_wrong_is_seen(monkeypatch, cls, words, is_traced):
    assert annotated_calls(cls) == [cls]
    monkeypatch.setattr(cls, "call", checked(cls.call))
    x = np.ones((2, 5), "bool" if cls is _OtherInputDtype else "float32")
    layer = cls()
    with pytest.raises(jaxtyping.TypeCheckError, match=words):
        jax.eval_shape(layer, x) if is_traced else layer(x)
