"""All that is known of an op stands in its declaration, and everything else follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ArgumentError
from nacre.core.symbolic import KerasTensor
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array
from nacre.ops._calls import REGISTRY, OpCall
from nacre.ops._define import PUBLIC, Family, info_of
from nacre.ops.named import named_calls, trace
from tests.architecture import op_faces


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test declares is gone after it."""
    registry, public = dict(REGISTRY), dict(PUBLIC)
    yield
    for table, before in ((REGISTRY, registry), (PUBLIC, public)):
        table.clear()
        table.update(before)


def test_an_op_declared_in_one_place_is_found_wherever_ops_are() -> None:
    op = Family("nn", masks=masks.elementwise)

    @op(composite=True, class_name="TwiceOrMore", aliases=("scaled_up",), lowering=("fast",))
    def twice(x: Tensor, factor: float = 2.0, fast: bool = True) -> Any:
        """x · factor."""
        return array(x) * factor

    assert ops.twice is ops.scaled_up is ops.nn.twice is twice
    assert "twice" in dir(ops) and "scaled_up" in dir(ops.nn) and "twice" not in dir(ops.numpy)
    line = f"from {__name__} import twice as twice"
    assert line in op_faces.text("nacre.ops") and line in op_faces.text("nacre.ops.nn")
    assert line not in op_faces.text("nacre.ops.numpy")

    ids = nacre.Input((3,), dtype="int32")
    outputs = twice(layers.Embedding(5, 2, mask_zero=True)(ids), factor=3.0)
    assert outputs._keras_mask.shape == (None, 3)
    config = outputs._keras_history.operation.to_config_data()
    assert config["class_name"] == "TwiceOrMore" and config["module"] == "keras.src.ops.nn"
    assert config["config"]["factor"] == 3.0
    again = OpCall.from_config_data(config)
    assert again is not None and again.op is info_of(twice)
    model = nacre.Model.from_config(nacre.Model(ids, outputs).get_config())
    assert model.output_shape == (None, 3, 2)

    (call,) = named_calls(trace(twice, np.ones((2, 3))))
    assert (call.op, call.attributes) == ("twice", {"factor": 2.0})


def test_annotations_tell_which_parameters_hold_tensors() -> None:
    op = Family("none of Keras's", is_listed=False)

    @op
    def weighed(x: Tensor, scale: float, weights: Tensor | None = None, axis: int = -1) -> Any:
        return array(x) * scale

    @op
    def unannotated(x, scale=1.0):  # type: ignore[no-untyped-def]
        return array(x) * scale

    assert info_of(weighed).tensors == ("x", "weights")
    assert info_of(unannotated).tensors == ("x",)
    assert weighed(KerasTensor((None, 3)), 2.0).shape == (None, 3)
    assert "weighed" not in dir(ops) and not hasattr(ops, "weighed")


def test_an_op_that_takes_no_tensor_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"op 'count': .*hold tensors.*Annotate"):

        @Family("numpy")
        def count(n: int) -> int:
            return n


def test_a_second_op_of_one_name_is_refused_and_an_alias_is_not() -> None:
    op = Family("numpy")

    @op(aliases=("other_spelling",))
    def first_spelling(x: Tensor) -> Any:
        return array(x)

    with pytest.raises(
        ArgumentError, match=r"op 'first_spelling': the name must be its own.*aliases="
    ):

        @op(name="first_spelling")
        def second(x: Tensor) -> Any:
            return array(x)

    assert ops.other_spelling is first_spelling


def test_an_op_without_a_rule_ends_masks_and_says_so() -> None:
    @Family("nn", is_listed=False)
    def unruled(x: Tensor) -> Any:
        return array(x)

    ids = nacre.Input((3,), dtype="int32")
    outputs = unruled(layers.Embedding(5, 2, mask_zero=True)(ids))
    assert getattr(outputs, "_keras_mask", None) is None
    assert info_of(unruled).masks == "nacre.ops.unruled has no rule for masks"


def test_spellings_of_one_op_are_one_function() -> None:
    assert ops.swish is ops.silu and ops.hard_swish is ops.hard_silu
    model = nacre.Model(x := nacre.Input((3,)), ops.swish(x))
    again = nacre.Model.from_config(model.get_config())
    np.testing.assert_array_equal(again(np.ones((1, 3))), model(np.ones((1, 3))))


def test_a_losss_options_are_no_tensors() -> None:
    """They stand in the config of a graph that a loss is part of."""
    inputs = nacre.Input((3,))
    outputs = nacre.losses.tversky(inputs, inputs, beta=0.3)
    assert outputs._keras_history.operation.get_config()["beta"] == 0.3
