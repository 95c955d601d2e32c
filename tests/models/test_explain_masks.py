"""`explain_masks`: each call says what it does with masks, and why one stops."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ArgumentError


def tokens() -> tuple[Any, Any]:
    ids = nacre.Input((None,), dtype="int32")
    return ids, layers.Embedding(9, 4, mask_zero=True, name="tokens")(ids)


def actions(report: Any) -> dict[str, str]:
    return {row.path: row.action for row in report.rows}


def test_each_call_has_its_row_in_order() -> None:
    ids, x = tokens()
    y = layers.LSTM(4, return_sequences=True, name="reader")(ops.tanh(x)[:, ::-1])
    y = layers.Add(name="sum")([x, y])
    model = nacre.Model(ids, layers.GlobalAveragePooling1D(name="pool")(y))
    report = model.explain_masks()
    assert [(row.path, row.kind, row.action) for row in report.rows] == [
        ("tokens", "Embedding", "makes"),
        ("tanh", "ops.tanh", "passes"),
        ("get_item", "ops.get_item", "changes"),
        ("reader", "LSTM", "uses, passes"),
        ("sum", "Add", "combines"),
        ("pool", "GlobalAveragePooling1D", "uses"),
    ]
    assert report.rows[4].mask_in == ((None, None), (None, None))
    assert report.outputs == (None,) and report.stops == ()
    assert "No mask reaches the output" in str(report)


def test_where_a_mask_stops_is_said_with_the_way_out() -> None:
    ids, x = tokens()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nacre.Model(ids, layers.Conv1D(2, 3, name="mix")(x))
        report = model.explain_masks()
    (row,) = report.stops
    assert row.path == "mix" and "neighbouring steps" in row.note and "mask=mask" in row.note
    assert " [1] mix: " in str(report) and "stops [1]" in str(report)


def test_ops_that_end_masks_say_why() -> None:
    ids, x = tokens()
    report = nacre.Model(ids, [x[:, 0], ops.swapaxes(x, 1, 2)]).explain_masks()
    assert actions(report) == {"tokens": "makes", "get_item": "ends", "swapaxes": "stops"}
    assert "a single step is taken" in report.rows[1].note
    assert "leading axes" in report.rows[2].note


def test_the_mask_of_the_output_is_named() -> None:
    ids, x = tokens()
    report = nacre.Model(ids, layers.Dense(2)(x)).explain_masks()
    assert report.outputs == ((None, None),)
    assert "do not count in the loss" in str(report)


def test_a_layer_of_the_users_is_told_how_to_pass_masks() -> None:
    class Plain(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + 1

    ids, x = tokens()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = nacre.Model(ids, Plain(name="plain")(x)).explain_masks()
    assert actions(report)["plain"] == "stops"
    assert "supports_masking" in report.stops[0].note


class Subclassed(nacre.Model):
    def __init__(self, is_plain: bool) -> None:
        super().__init__()
        self.is_plain = is_plain
        self.embedding = layers.Embedding(9, 4, mask_zero=True, name="tokens")
        self.reader = layers.LSTM(2, name="reader")

    def call(self, inputs: Any) -> Any:
        x = self.embedding(inputs)
        return self.reader(x * 2.0 if self.is_plain else ops.multiply(x, 2.0))


def test_a_subclassed_model_needs_example_inputs() -> None:
    with pytest.raises(ArgumentError, match=r"needs example inputs.*explain_masks\(x\[:2\]\)"):
        Subclassed(False).explain_masks()
    report = Subclassed(False).explain_masks(np.asarray([[1, 2, 0]]))
    assert actions(report) == {"tokens": "makes", "multiply": "passes", "reader": "uses"}


def test_plain_arithmetic_is_found_as_the_place_where_a_mask_is_lost() -> None:
    report = Subclassed(True).explain_masks(np.asarray([[1, 2, 0]]))
    assert actions(report) == {"tokens": "makes", "reader": "stops"}
    assert "nacre.ops.multiply" in report.stops[0].note


def test_layers_within_models_and_own_layers_are_shown_with_their_path() -> None:
    class Block(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.dense = layers.Dense(4, name="dense")

        def call(self, inputs: Any) -> Any:
            return ops.add(self.dense(inputs), inputs)

    inner = nacre.Sequential([nacre.Input((None, 4)), Block(name="block")], name="inner")
    ids, x = tokens()
    report = nacre.Model(ids, inner(x)).explain_masks()
    assert actions(report) == {
        "tokens": "makes",
        "inner": "passes",
        "inner/block": "passes",
        "inner/block/dense": "passes",
        "inner/block/add": "passes",
    }


def test_explaining_changes_nothing() -> None:
    ids, x = tokens()
    model = nacre.Model(ids, layers.LSTM(2)(x))
    before = [w.copy() for w in model.get_weights()]
    values = np.asarray([[1, 2, 0]])
    expected = model(values)
    model.explain_masks()
    np.testing.assert_array_equal(model(values), expected)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_report_is_plain_data() -> None:
    ids, x = tokens()
    report = nacre.Model(ids, layers.Dense(1)(x)).explain_masks()
    assert pickle.loads(pickle.dumps(report)) == report


def test_a_warning_of_a_built_in_layer_names_the_table() -> None:
    _, x = tokens()
    with pytest.warns(UserWarning, match=r"stops here.*explain_masks\(\)"):
        layers.Conv1D(2, 3)(x)
