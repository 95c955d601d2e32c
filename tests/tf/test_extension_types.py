"""`tf.experimental.ExtensionType`: a user's classes of tensors, in functions and data sets too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf.extension_types import BatchableExtensionType, ExtensionType
from nacre.tf.values import Tensor


class Masked(ExtensionType):
    values: Tensor
    mask: Tensor

    def __validate__(self) -> None:
        self.values.shape.assert_is_compatible_with(self.mask.shape)
        assert self.mask.dtype.is_bool, "mask must be bool"

    def filled(self, value: Any) -> Any:
        return tf.where(self.mask, self.values, value)

    @property
    def shape(self) -> Any:
        return self.values.shape


class Pencil(ExtensionType):
    color: str = "black"
    length: Tensor = 1.0  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    tags: tuple[int, ...] = ()


class Holder(ExtensionType):
    inner: Masked
    weights: Mapping[str, Tensor]
    scale: float | None = None


class Named(BatchableExtensionType):
    ids: Tensor
    kind: str = "word"


def masked() -> Any:
    return Masked([1, 2, 3], [True, False, True])


def test_fields_become_what_their_annotations_say() -> None:
    x = masked()
    assert x.values.dtype == tf.int32 and x.shape == (3,)
    assert x.filled(-1).numpy().tolist() == [1, -1, 3]
    pencil = Pencil(length=0.5, color="blue", tags=[1, 2])
    assert float(pencil.length) == 0.5 and pencil.tags == (1, 2) and Pencil().color == "black"
    assert repr(Pencil()).startswith("Pencil(color='black', length=<tf.Tensor")


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Masked([1], None), TypeError, "must be a tensor"),
    (lambda: Masked([1]), TypeError, "mask"),
    (lambda: Masked([1], [True], size=3), TypeError, "size"),
    (lambda: Pencil(color=3), TypeError, "must be str"),
    (lambda: Pencil(tags=(1, "a")), TypeError, "must be int"),
    (lambda: Holder([1], {}), TypeError, "must be Masked"),
    (lambda: Masked([1], [True, False]), ValueError, "shapes must fit"),
    (lambda: Masked([1], [1]), AssertionError, "must be bool"),
    (lambda: setattr(masked(), "mask", [True] * 3), AttributeError, "constructor alone"),
    (lambda: setattr(masked(), "other", 3), AttributeError, "constructor alone"),
    (lambda: delattr(masked(), "mask"), AttributeError, "not taken away"),
    (lambda: hash(masked()), TypeError, "unhashable"),
]


@pytest.mark.parametrize(("call", "error", "said"), WRONG)
def test_other_fields_and_changes_are_refused(
    call: Callable[[], Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call()


def test_classes_are_checked_when_they_are_made() -> None:
    base = tf.experimental.ExtensionType
    for fields, said in (
        ({"__annotations__": {"a": dict}}, "annotation"),
        ({"__annotations__": {"a": tf.Tensor, "b": int}, "a": 1.0}, "without a default come first"),
    ):
        with pytest.raises(TypeError, match=said):
            type("Wrong", (base,), fields)


def test_annotations_that_are_texts_are_read_where_the_class_stands() -> None:
    local: Any = tf.Tensor

    class Inner(tf.experimental.ExtensionType):
        values: "local"  # noqa: UP037  # type: ignore[valid-type]  # pyright: ignore
        next: "Inner | None" = None  # noqa: UP037

    inner: Any = Inner([1.0], Inner([2.0]))
    assert float(inner.next.values[0]) == 2
    with pytest.raises(TypeError, match="must be Inner or NoneType"):
        Inner([1.0], 3)


def test_objects_are_equal_by_shapes_and_values() -> None:
    x = masked()
    assert bool(x == masked()) and isinstance(x == x, tf.Tensor) and not bool(x != masked())
    assert not bool(x == Masked([1, 2, 4], x.mask)) and not bool(x == Masked([1], [True]))
    assert (x == 3) is False and not bool(Pencil("red") == Pencil("blue"))


def test_a_constructor_of_ones_own_sets_fields() -> None:
    class Own(tf.experimental.ExtensionType):
        values: tf.Tensor
        mask: tf.Tensor

        def __init__(self, values: Any, mask: Any = None) -> None:
            self.values = tf.convert_to_tensor(values)
            self.mask = tf.ones_like(self.values, tf.bool) if mask is None else mask

    class More(Own):
        name: str

        def __init__(self, values: Any, name: str) -> None:
            super().__init__(values)
            self.name = name

    class Less(tf.experimental.ExtensionType):
        values: tf.Tensor

        def __init__(self) -> None:
            pass

    assert Own([1, 2]).mask.numpy().all() and More([1, 2], "n").name == "n"
    with pytest.raises(TypeError, match="set every field"):
        Less()


def test_compiled_functions_take_and_give_them() -> None:
    traces: list[int] = []

    @tf.function
    def doubled(x: Any, by: int = 2) -> Any:
        traces.append(1)
        values = x.values
        if tf.reduce_sum(values) > 100:
            values = -values
        return Masked(values * by, x.mask)

    found = [doubled(Masked([n, 2], [True, False])) for n in (1, 5, 200)]
    assert [x.values.numpy().tolist() for x in found] == [[2, 4], [10, 4], [-400, -4]]
    assert all(type(x) is Masked for x in found) and len(traces) == 1

    @tf.function
    def made(n: Any) -> Any:
        return {"h": Holder(Masked([n], [True]), {"w": n * 2.0}, 0.5)}

    holder = made(tf.constant(3.0))["h"]
    assert float(holder.weights["w"]) == 6 and holder.scale == 0.5
    assert float(holder.inner.values[0]) == 3
    colors = tf.function(lambda p: tf.constant(1.0 if p.color == "red" else 2.0) * p.length)
    assert [float(colors(Pencil(c, 3.0))) for c in ("red", "blue", "red")] == [3, 6, 3]


def test_a_signature_says_their_specs() -> None:
    spec = tf.type_spec_from_value(masked())
    assert spec.values == tf.TensorSpec([3], tf.int32) and spec == Masked.Spec.from_value(masked())
    assert spec.is_compatible_with(masked()) and not spec.is_compatible_with(Masked([1], [True]))
    open_ = Masked.Spec(values=tf.TensorSpec([None], tf.int32), mask=tf.TensorSpec([None], tf.bool))
    total = tf.function(lambda x: tf.reduce_sum(x.filled(0)), input_signature=[open_])
    assert [int(total(x)) for x in (masked(), Masked([7], [True]))] == [4, 7]
    with pytest.raises(TypeError, match="int32"):
        total(Masked([1.5], [True]))


def test_data_sets_make_slices_and_batches_of_those_that_say_so() -> None:
    rows = tf.data.Dataset.from_tensor_slices((Named([[1, 2], [3, 4], [5, 6]], "x"), [0, 1, 2]))
    found = [(x.ids.numpy().tolist(), x.kind, int(y)) for x, y in rows]
    assert found == [([1, 2], "x", 0), ([3, 4], "x", 1), ([5, 6], "x", 2)]
    batch, _ = next(iter(rows.map(lambda x, y: (Named(x.ids + 1, x.kind), y)).batch(2)))
    assert type(batch) is Named and batch.ids.numpy().tolist() == [[2, 3], [4, 5]]
    with pytest.raises(ValueError, match="elements must be tensors"):
        tf.data.Dataset.from_tensor_slices(masked())


def test_functions_of_tf_are_registered_for_them() -> None:
    tfe = tf.experimental

    @tfe.dispatch_for_unary_elementwise_apis(Masked)
    def one(api_func: Any, x: Any) -> Any:
        return Masked(api_func(x.values), x.mask)

    @tfe.dispatch_for_binary_elementwise_apis(Masked, Masked)
    def two(api_func: Any, x: Any, y: Any) -> Any:
        return Masked(api_func(x.values, y.values), x.mask & y.mask)

    @tfe.dispatch_for_api(tf.concat)
    def joined(values: list[Masked], axis: Any) -> Any:
        parts = [[getattr(v, n) for v in values] for n in ("values", "mask")]
        return Masked(*[tf.concat(part, axis) for part in parts])

    try:
        x = masked()
        assert tf.negative(x).values.numpy().tolist() == [-1, -2, -3]
        assert tf.ones_like(x, dtype=tf.float32).values.dtype == tf.float32
        assert tf.add(x, x).values.numpy().tolist() == [2, 4, 6]
        assert tf.concat([x, x], 0).shape == (6,)
        assert tf.add(1, 2) == 3  # all else as before
        with pytest.raises(ValueError, match="no function is registered"):
            tf.reduce_sum(x)
        with pytest.raises(ValueError, match="must take"):
            tfe.dispatch_for_api(tf.shape)(lambda input: 0)
    finally:
        for function in (one, two, joined):
            tfe.unregister_dispatch_for(function)
    with pytest.raises(ValueError, match="no function is registered"):
        tf.negative(x)
    assert np.asarray(tf.negative(1)) == -1
