"""Weights of classes and samples: each does what it says for every kind of label, or is refused."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError, DataError, LossInputError

FACTS = json.loads(
    (Path(__file__).parents[1] / "reference" / "label_weights.json").read_text(encoding="utf-8")
)
X = (np.arange(24).reshape(6, 4) % 7 / 7).astype("float32")
STEPS = (np.arange(48).reshape(6, 2, 4) % 7 / 7).astype("float32")
LABELS = np.array([0, 1, 2, 2, 1, 0])
STEP_LABELS = np.array([[0, 1], [2, 2], [1, 0], [0, 0], [1, 2], [2, 1]])
SPARSE = "sparse_categorical_crossentropy"


def still(units: int, activation: str | None, loss: Any, shape: Any = (4,), **kwargs: Any) -> Any:
    """A model that does not move, so that the loss of an epoch is known."""
    model = keras.Sequential(
        [keras.Input(shape), layers.Dense(units, activation, kernel_initializer="ones")]
    )
    model.compile(keras.optimizers.SGD(0.0), loss, **kwargs)
    return model


def softmax(**kwargs: Any) -> Any:
    return still(3, "softmax", SPARSE, **kwargs)


def loss_of(model: Any, x: Any, y: Any = None, **kwargs: Any) -> float:
    kwargs = {"batch_size": 6, "shuffle": False, "verbose": 0, **kwargs}
    return model.fit(x, y, **kwargs).history["loss"][0]


def two_outputs(names: tuple[str, ...] = ("a", "bb")) -> Any:
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(1, kernel_initializer="ones", name=n)(x) for n in names])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


# -------------------------------------------------------------------- against Keras


@pytest.mark.parametrize("name", FACTS)
def test_weights_mean_what_keras_means(name: str) -> None:
    units, activation, loss, y, class_weight, sample_weight = FACTS[name]["case"]
    x = np.array(FACTS[name]["x"], "float32")
    given: dict[str, Any] = {}
    if class_weight is not None:
        given["class_weight"] = {key: weight for key, weight in class_weight}
    if sample_weight is not None:
        given["sample_weight"] = np.array(sample_weight)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*negative sample weights")
        found = loss_of(still(units, activation, loss, x.shape[1:]), x, np.array(y), **given)
    assert found == pytest.approx(FACTS[name]["loss"], abs=2e-5)


# -------------------------------------------------------------------- class weights


@pytest.mark.parametrize(
    ("loss", "y"),
    [(SPARSE, STEP_LABELS), (SPARSE, STEP_LABELS[..., None]), (SPARSE, STEP_LABELS.astype(float)),
     ("categorical_crossentropy", np.eye(3)[STEP_LABELS])],
)  # fmt: skip
def test_labels_of_steps_are_weighed_step_by_step(loss: str, y: Any) -> None:
    weights = np.where(STEP_LABELS == 2, 5.0, np.where(STEP_LABELS == 0, 2.0, 1.0))
    model = still(3, "softmax", loss, (2, 4))
    expected = loss_of(model, STEPS, y, sample_weight=weights)
    assert loss_of(model, STEPS, y, class_weight={0: 2.0, 2: 5.0}) == pytest.approx(expected)


@pytest.mark.parametrize(
    "weights", [np.arange(6.0), np.arange(6.0)[:, None], np.arange(6), list(range(6))]
)
@pytest.mark.parametrize("y", [LABELS, LABELS[:, None]])
def test_column_weights_beside_class_weights_stay_a_column(weights: Any, y: Any) -> None:
    model = softmax()
    by_class = np.array([2.0, 1, 5, 5, 1, 2])
    expected = loss_of(model, X, y, sample_weight=np.arange(6.0) * by_class)
    found = loss_of(model, X, y, sample_weight=weights, class_weight={0: 2.0, 2: 5.0})
    assert found == pytest.approx(expected)


def test_many_column_weights_need_no_more_memory_than_rows() -> None:
    rows = 40_000  # rows x rows would be 6 GB
    model = softmax()
    found = loss_of(
        model, np.ones((rows, 4), "float32"), np.zeros((rows, 1), int), batch_size=20_000,
        sample_weight=np.ones((rows, 1)), class_weight={0: 2.0},
    )  # fmt: skip
    assert found == pytest.approx(2 * np.log(3), rel=1e-4)


@pytest.mark.parametrize("kind", ["generator", "dataset", "train_on_batch", "streamed"])
def test_class_weights_are_the_same_through_every_door(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, weights = softmax(), {0: 2.0, 2: 5.0}
    expected = loss_of(model, X, LABELS, class_weight=weights)

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Any:
            return X, LABELS

    def batches() -> Iterator[Any]:
        yield X, LABELS

    if kind == "train_on_batch":
        found = model.train_on_batch(X, LABELS, class_weight=weights)
    elif kind == "streamed":
        monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "1")
        found = loss_of(model, X, LABELS, class_weight=weights)
    else:
        source = batches() if kind == "generator" else Batches()
        found = model.fit(source, class_weight=weights, verbose=0).history["loss"][0]
    assert found == pytest.approx(expected)


def test_class_weights_do_not_reach_the_part_kept_for_validation() -> None:
    model = softmax()
    given: dict[str, Any] = {"batch_size": 3, "validation_split": 0.5, "verbose": 0}
    plain = model.fit(X, LABELS, **given).history
    weighed = model.fit(X, LABELS, class_weight={0: 9.0, 1: 9.0, 2: 9.0}, **given).history
    assert weighed["val_loss"] == pytest.approx(plain["val_loss"])
    assert weighed["loss"][0] == pytest.approx(9 * plain["loss"][0], rel=1e-5)


def test_weighted_metrics_count_by_class_and_metrics_do_not() -> None:
    model = softmax(metrics=["accuracy"], weighted_metrics=["accuracy"])
    logs = model.fit(X, LABELS, class_weight={0: 2.0, 2: 5.0}, batch_size=6, verbose=0).history
    assert logs["accuracy"][0] == pytest.approx(1 / 3)
    assert logs["weighted_accuracy"][0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [({-1: 50.0}, "from 0 to 2.*Got -1"), ({3: 1.0}, "from 0 to 2.*Got 3"),
     ({1.5: 50.0}, "whole numbers.*1.5"), ({"1": 2.0}, r"key '1'.*int\(label\)"),
     ({"cat": 2.0}, "key 'cat'.*numbers that stand for the classes"),
     ([1.0, 2.0, 3.0], r"Got a list.*dict\(enumerate"), (np.ones(3), r"a ndarray.*dict\(enumer"),
     ("balanced", "Got a str"), ({0: -1.0}, "weights are numbers from 0. Got -1.0 for class 0"),
     ({0: np.nan}, "nan for class 0"), ({0: "2"}, "'2' for class 0"), ({0: None}, "None for")],
)  # fmt: skip
@pytest.mark.parametrize("door", ["fit", "train_on_batch"])
def test_class_weights_that_name_no_class_are_refused(
    class_weight: Any, message: str, door: str
) -> None:
    with pytest.raises(ArgumentError, match=f"(?s){door}: .*class_weight.*{message}"):
        getattr(softmax(), door)(X, LABELS, class_weight=class_weight)


@pytest.mark.parametrize("key", [np.int64(2), np.float32(2.0), 2.0])
def test_keys_of_other_whole_numbers_are_classes(key: Any) -> None:
    model = softmax()
    expected = loss_of(model, X, LABELS, class_weight={2: 5.0})
    assert loss_of(model, X, LABELS, class_weight={key: 5.0}) == pytest.approx(expected)


def test_a_negative_key_is_a_label_or_refused() -> None:
    model, signs = still(1, None, "hinge"), np.array([-1, 1, -1, -1, 1, 1])
    loss_of(model, X, signs, class_weight={-1: 2.0, 1: 1.0})
    with pytest.raises(ArgumentError, match="Got -1, with labels from 1 to 1.*from the end"):
        loss_of(model, X, np.abs(signs), class_weight={-1: 2.0})


def test_several_labels_a_row_have_no_class() -> None:
    model = still(3, "sigmoid", "binary_crossentropy")
    y = np.eye(3)[LABELS]
    loss_of(model, X, y, class_weight={0: 2.0})
    y[4] = 1, 1, 0
    with pytest.raises(DataError, match=r"add up to 1. Got \[1.0, 1.0, 0.0\] in row 4"):
        loss_of(model, X, y, class_weight={0: 2.0})


def test_targets_that_are_no_labels_are_refused_with_their_row() -> None:
    y = np.array([0.0, 1, 2, 0.5, 3.7, 1])
    with pytest.raises(DataError, match="whole numbers. Got 3.7 in row 4"):
        loss_of(still(1, None, "mse"), X, y, class_weight={0: 2.0})
    with pytest.raises(DataError, match=r"targets of shape \(6, 2\).*\(batch, 3\)"):
        loss_of(softmax(), X, np.zeros((6, 2), int), class_weight={0: 2.0})


def test_class_weights_of_several_outputs_must_say_whose_they_are() -> None:
    y = LABELS[:, None].astype("float32")
    with pytest.raises(ArgumentError, match=r"which output.*\{'a': \{0: ..., 1: ...\}, 'bb'"):
        loss_of(two_outputs(), X, [y, y], class_weight={0: 2.0})
    with pytest.raises(ArgumentError, match=r"keys of class_weight.*unknown: \['b'\]"):
        loss_of(two_outputs(), X, [y, y], class_weight={"b": {0: 2.0}})


def test_each_output_gets_the_weights_of_its_classes() -> None:
    y, given = LABELS[:, None].astype("float32"), np.arange(6.0)
    by_class = {0: 2.0, 2: 5.0}
    alone = still(1, None, "mse")
    weighed = loss_of(alone, X, y, class_weight=by_class)
    both = loss_of(alone, X, y, class_weight=by_class, sample_weight=given)
    plain = loss_of(alone, X, y)
    for weights in ({"bb": by_class}, [None, by_class], {"a": None, "bb": by_class}):
        found = loss_of(two_outputs(), X, [y, y], class_weight=weights)
        assert found == pytest.approx(plain + weighed)
    several = two_outputs()
    found = several.train_on_batch(
        X, {"a": y, "bb": y}, [None, given], class_weight={"a": by_class, "bb": by_class}
    )
    assert found[0] == pytest.approx(weighed + both)


def test_batches_are_weighed_by_the_classes_of_each_output() -> None:
    y = LABELS[:, None].astype("float32")
    by_class = {0: 2.0, 2: 5.0}
    expected = loss_of(two_outputs(), X, [y, y], class_weight={"a": by_class})
    batches = iter([(X, {"a": y, "bb": y})])
    found = loss_of(two_outputs(), batches, class_weight={"a": by_class}, batch_size=None)
    assert found == pytest.approx(expected)


# -------------------------------------------------------------------- sample weights by output

Y = LABELS[:, None].astype("float32")
ONE, TWO = np.arange(6.0), np.arange(6.0)[::-1].copy()


@pytest.mark.parametrize("y", [{"a": Y, "bb": Y}, [Y, Y], (Y, Y)])
def test_each_output_gets_its_own_weights(y: Any) -> None:
    model = two_outputs()
    expected = {"a_loss": loss_of(still(1, None, "mse"), X, Y, sample_weight=ONE),
                "bb_loss": loss_of(still(1, None, "mse"), X, Y, sample_weight=TWO)}  # fmt: skip
    for weights in ({"a": ONE, "bb": TWO}, {"bb": TWO, "a": ONE}, [ONE, TWO]):
        logs = model.fit(X, y, sample_weight=weights, batch_size=6, verbose=0).history
        assert {k: logs[k][0] for k in expected} == pytest.approx(expected)


def test_one_array_of_weights_goes_to_all_outputs_and_none_to_those_without() -> None:
    model = two_outputs()
    plain = loss_of(still(1, None, "mse"), X, Y)
    weighed = loss_of(still(1, None, "mse"), X, Y, sample_weight=ONE)
    assert loss_of(model, X, [Y, Y], sample_weight=ONE) == pytest.approx(2 * weighed)
    for weights in ([ONE, None], {"a": ONE}):
        assert loss_of(model, X, [Y, Y], sample_weight=weights) == pytest.approx(weighed + plain)


@pytest.mark.parametrize("door", ["fit", "evaluate", "train_on_batch", "test_on_batch", "held out"])
@pytest.mark.parametrize(
    ("weights", "message"),
    [({"a": ONE, "b": ONE}, r"\['a', 'bb', 'c'\].*unknown: \['b'\]. Did you mean 'b' -> 'bb'"),
     ([ONE, ONE], "one an output.*Got 2 arrays"), ([ONE] * 4, "one an output.*Got 4 arrays")],
)  # fmt: skip
def test_weights_for_no_output_are_refused(weights: Any, message: str, door: str) -> None:
    model, y = two_outputs(("a", "bb", "c")), [Y, Y, Y]
    given: dict[str, Any] = {"sample_weight": weights}
    if door == "held out":
        door, given = "fit", {"validation_data": (X, y, weights)}
    with pytest.raises(LossInputError, match=message):
        getattr(model, door)(X, y, **given)


def test_weights_that_are_no_numbers_are_refused_and_negative_ones_told() -> None:
    weights = np.ones(6)
    weights[4] = np.nan
    with pytest.raises(DataError, match="finite numbers. Got nan in row 4 of sample_weight"):
        loss_of(softmax(), X, LABELS, sample_weight=weights)
    with pytest.raises(DataError, match=r"inf in row 0 of sample_weight\['bb'\]"):
        loss_of(two_outputs(), X, [Y, Y], sample_weight={"bb": ONE + np.inf})
    weights[4] = -1
    with pytest.warns(UserWarning, match="negative sample weights.*below 0 in sample_weight"):
        loss_of(softmax(), X, LABELS, sample_weight=weights)

    def batches() -> Iterator[Any]:
        for number in range(3):
            yield X, LABELS, weights * np.nan if number == 2 else np.ones(6)

    with pytest.raises(DataError, match="Got nan in row 0"):
        softmax().fit(batches(), verbose=0)
