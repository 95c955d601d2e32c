"""Labels that are strings: refused at every door, with the line that maps them and can be run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import DataError, DTypeError

pd = pytest.importorskip("pandas")

ROWS = np.arange(12, dtype="float32").reshape(6, 2)
LABELS = ["dog", "cat", "dog", "emu", "cat", "dog"]
INDICES = [1, 0, 1, 2, 0, 1]
FORMS: dict[str, Any] = {
    "list": LABELS,
    "array": np.array(LABELS),
    "objects": np.array(LABELS, object),
    "any width": np.array(LABELS, np.dtypes.StringDType()),
    "series": pd.Series(LABELS),
    "categories": pd.Categorical(LABELS),
    "column": np.array(LABELS)[:, None],
    "frame": pd.DataFrame({"animal": LABELS}),
}


def compiled(loss: str, units: int = 3) -> Any:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(units, "softmax")])
    model.compile("sgd", loss)
    return model


def told(loss: str, y: Any) -> str:
    with pytest.raises(
        DTypeError, match="fit, targets: they must be numbers. Got strings such as '"
    ) as raised:
        compiled(loss).fit(ROWS, y, verbose=0)
    return str(raised.value)


def mapped(text: str, y: Any) -> Any:
    """What the lines in a message make of labels."""
    for line in re.findall(r"(?:names|y) = .*?(?=; |, and the same|\.$|\. Names)", text):
        names = {"np": np, "nacre": keras, "y": y, **locals().get("known", {})}
        exec(line, names)  # the promise is that the line works as it stands
        known = {"names": names["names"]} if "names" in names else {}
        y = names["y"]
    return y


@pytest.mark.parametrize("form", FORMS)
def test_the_line_that_is_told_maps_the_labels(form: str) -> None:
    text = told("sparse_categorical_crossentropy", FORMS[form])
    assert mapped(text, FORMS[form]).tolist() == INDICES


def test_the_line_fits_the_loss() -> None:
    one_hot = mapped(told("categorical_crossentropy", LABELS), LABELS)
    assert one_hot.tolist() == np.eye(3)[INDICES].tolist()
    two = ["no", "yes", "yes", "no", "no", "no"]
    assert mapped(told("binary_crossentropy", two), two).tolist() == [0, 1, 1, 0, 0, 0]
    numbers = ["1.5", "2", "3", "4", "5", "6"]
    assert mapped(told("mse", numbers), numbers).tolist() == [1.5, 2, 3, 4, 5, 6]
    assert "Names are no quantities" in told("mse", LABELS)


def test_a_name_that_was_not_there_is_an_error_of_the_line() -> None:
    text = told("sparse_categorical_crossentropy", LABELS)
    line = re.findall(r"y = np.array\(.*?\)(?=, and)", text)[0]
    with pytest.raises(ValueError, match="'cow' is not in list"):
        exec(line, {"np": np, "names": ["cat", "dog", "emu"], "y": ["cow"]})


@pytest.mark.parametrize("door", ["evaluate", "train_on_batch", "test_on_batch", "held out"])
def test_labels_of_text_are_refused_at_every_door(door: str) -> None:
    model, y = compiled("sparse_categorical_crossentropy"), np.array(INDICES)
    calls: dict[str, Any] = {
        "evaluate": lambda: model.evaluate(ROWS, LABELS, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(ROWS, LABELS),
        "test_on_batch": lambda: model.test_on_batch(ROWS, LABELS),
        "held out": lambda: model.fit(ROWS, y, validation_data=(ROWS, LABELS), verbose=0),
    }
    with pytest.raises(DTypeError, match="targets: they must be numbers.*'dog'.*names.index"):
        calls[door]()


NUMBERS = np.array(INDICES)
TEXT_ROWS = np.array(LABELS)[:, None].repeat(2, 1)


class Batches(keras.utils.PyDataset):
    def __init__(self, *batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


def once(*batches: Any) -> Any:
    return iter(batches)


def data_set(*batches: Any) -> Any:
    return keras.data.Dataset.from_generator(lambda: iter(batches))


@pytest.mark.parametrize("source", [Batches, once, data_set])
@pytest.mark.parametrize("door", ["fit", "evaluate"])
def test_labels_of_text_in_a_later_batch_are_refused_as_in_the_first(
    source: Any, door: str
) -> None:
    late = source((ROWS, NUMBERS), (ROWS, np.array(LABELS)), (ROWS, NUMBERS))
    model = compiled("sparse_categorical_crossentropy")
    with pytest.raises(DTypeError, match="targets: they must be numbers.*dog.*names.index"):
        getattr(model, door)(late, verbose=0)


def test_texts_in_a_later_batch_of_inputs_are_refused_as_in_the_first() -> None:
    model = compiled("sparse_categorical_crossentropy")
    for run, batches in (
        (model.fit, [(ROWS, NUMBERS), (TEXT_ROWS, NUMBERS)]),
        (model.evaluate, [(ROWS, NUMBERS), (TEXT_ROWS, NUMBERS)]),
        (model.predict, [ROWS, TEXT_ROWS]),
    ):
        with pytest.raises(DTypeError, match="strings must first become numbers"):
            run(Batches(*batches), verbose=0)


def test_texts_as_weights_and_names_of_one_output_in_a_later_batch_are_refused() -> None:
    weights = (ROWS, NUMBERS, np.array(LABELS))
    model = compiled("sparse_categorical_crossentropy")
    with pytest.raises(DTypeError, match="sample weights: they must be numbers"):
        model.fit(once((ROWS, NUMBERS, np.ones(6)), weights), verbose=0)
    inputs = keras.Input((2,))
    heads = {name: layers.Dense(3, name=name)(inputs) for name in ("kind", "size")}
    model = keras.Model(inputs, heads)
    model.compile("sgd", "sparse_categorical_crossentropy")
    first = {"kind": NUMBERS, "size": NUMBERS}
    late = {"kind": np.array(LABELS), "size": NUMBERS}
    with pytest.raises(DTypeError, match="targets: they must be numbers"):
        model.fit(Batches((ROWS, first), (ROWS, late)), verbose=0)


def test_a_missing_name_in_a_data_set_is_told_with_its_row() -> None:
    names = np.array(["dog", None], object)
    with pytest.raises(DataError, match="Got None in row 1.*fillna"):
        list(keras.data.Dataset.from_generator(lambda: iter([names])))


def test_strings_of_any_width_are_strings_for_layers_too() -> None:
    names = np.array(["rome", "oslo", "rome"], np.dtypes.StringDType())
    lookup = layers.StringLookup()
    lookup.adapt(names)
    assert lookup.get_vocabulary() == ["[UNK]", "rome", "oslo"]
    assert np.asarray(lookup(names)).tolist() == [1, 2, 1]
    inputs = keras.Input((), dtype="string")
    model = keras.Model(inputs, lookup(inputs))
    for found in (model.predict(names, verbose=0), model(names), model.predict_on_batch(names)):
        assert np.asarray(found).tolist() == [1, 2, 1]
