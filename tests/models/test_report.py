"""`model.report()`: a run on one page that needs nothing else to open."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError
from nacre.models.report.charts import ticks
from nacre.models.report.elements import number

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
LABELS = RNG.integers(0, 3, 60)
HOSTILE = '<script>alert("&")</script>'


class Page(HTMLParser):
    """What a reader, or a browser, finds on a page; open and closed tags must match."""

    EMPTY = frozenset(("meta", "line", "polyline", "circle", "rect"))

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.tables, self.words = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data

    def table(self, head):
        return next(rows for rows in self.tables if rows[0][0] == head)

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(scope="module")
def classifier():
    model = nacre.Sequential(
        [nacre.Input((4,)), layers.Dense(5), layers.Dense(3, activation="softmax")], name="flowers"
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, LABELS, epochs=3, validation_split=0.2, verbose=0)
    return model


def page_of(model, tmp_path, *data, **more):
    path = model.report(tmp_path / "new" / "run.html", *data, **more)
    return Page(path.read_text(encoding="utf-8"))


def test_the_confusion_matrix_has_the_counts_and_shares_of_each_class(classifier, tmp_path):
    page = page_of(classifier, tmp_path, X, LABELS, class_names=["a", "b", "c"])
    said = classifier.predict(X, verbose=0).argmax(axis=1)
    rows = page.table("true \\ predicted")
    assert rows[0][1:] == ["a", "b", "c"]
    for true, row in enumerate(rows[1:]):
        for found, cell in enumerate(row[1:]):
            count = int(np.sum((LABELS == true) & (said == found)))
            share = count / np.sum(LABELS == true)
            assert cell == (f"{share:.0%} ({count})" if count else "")
    scores = page.table("class")
    hits = np.sum((LABELS == 0) & (said == 0))
    assert scores[1][2] == f"{hits / np.sum(LABELS == 0):.3f}"


def test_curves_times_layers_and_data_are_there_for_all_readers(classifier, tmp_path):
    page = page_of(classifier, tmp_path, X, LABELS)
    labels = [value for name, value in page.attributes if name == "aria-label"]
    assert len(labels) == page.tags.count("svg") >= 3
    assert any(label.startswith("loss over 3 epochs: training from") for label in labels)
    assert ("lang", "en") in page.attributes and page.tags.count("title") == 1 + len(labels)
    assert page.tags.count("caption") == page.tags.count("table")
    epochs = page.table("epoch")
    assert epochs[0] == ["epoch", "loss", "validation loss", "accuracy", "validation accuracy"]
    assert [row[0] for row in epochs[1:]] == ["1", "2", "3"]
    layer_rows = page.table("layer")
    assert layer_rows[2][1:] == ["Dense", "(None, 3)", "18", "yes"]
    arrays = page.table("array")
    assert arrays[1][:3] == ["x", "(60, 4)", "float32"]
    assert "versions.nacre" in page.text


def test_it_holds_no_script_and_needs_nothing_from_elsewhere(classifier, tmp_path):
    text = classifier.report(tmp_path / "a.html", X, LABELS).read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|https?://|@import", text)
    assert "prefers-color-scheme:dark" in text


def test_all_text_is_escaped(tmp_path):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(2, name="x")], name="m")
    model.layers[0].name = HOSTILE
    model.compile(
        "sgd",
        nacre.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[nacre.metrics.SparseCategoricalAccuracy(name='"><b>')],
    )
    model.fit(X, LABELS % 2, verbose=0)
    page = page_of(
        model, tmp_path, X, LABELS % 2, class_names=[HOSTILE, "'b'"], title=f"{HOSTILE}\x1b[2J"
    )
    assert "script" not in page.tags and "b" not in page.tags
    assert HOSTILE in page.text and "\x1b" not in page.text


def test_quantities_have_residuals(tmp_path):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    y = X.sum(axis=1)
    page = page_of(model, tmp_path, X, y)
    error = np.abs(model.predict(X, verbose=0)[:, 0] - y).mean()
    assert f"mean absolute error {error:.4g}" in page.text
    assert "Nothing was trained yet" in page.text and "R²" in page.text


def test_binary_outputs_are_read_at_their_threshold(tmp_path):
    for loss, threshold in (
        ("binary_crossentropy", 0.5),
        (nacre.losses.BinaryCrossentropy(from_logits=True), 0.0),
    ):
        activation = "sigmoid" if threshold else None
        model = nacre.Sequential([nacre.Input((4,)), layers.Dense(1, activation=activation)])
        model.compile("sgd", loss)
        y = (X[:, 0] > 0).astype("float32")
        model.evaluate(X, y, verbose=0)
        page = page_of(model, tmp_path, X, y)
        right = np.mean((model.predict(X, verbose=0)[:, 0] > threshold) == y)
        assert f"{right:.1%}" in page.text


def test_several_outputs_and_pixels_have_a_part_each(tmp_path):
    image = nacre.Input((4, 4, 1))
    pixels = layers.Conv2D(3, 1, activation="softmax", name="mask")(image)
    score = layers.Dense(1, name="score")(layers.Flatten()(image))
    model = nacre.Model(image, {"mask": pixels, "score": score})
    model.compile("sgd", {"mask": "sparse_categorical_crossentropy", "score": "mse"})
    images = RNG.random((6, 4, 4, 1)).astype("float32")
    y = {"mask": RNG.integers(0, 3, (6, 4, 4)), "score": RNG.random((6, 1))}
    model.fit(images, y, verbose=0)
    page = page_of(model, tmp_path, images, y)
    assert "Confusion matrix of mask" in page.text and "Residuals of score" in page.text
    assert "of 96 samples are right" in page.text


def test_batches_are_taken_and_the_samples_bounded(classifier, tmp_path):
    taken = []

    def batches():
        for start in range(0, 60, 10):
            taken.append(start)
            yield X[start : start + 10], LABELS[start : start + 10]

    page = page_of(classifier, tmp_path, batches(), most_samples=20)
    assert "of 20 samples are right" in page.text and taken == [0, 10]


def test_a_model_of_many_classes_has_its_worst_confusions(tmp_path):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(40, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    page = page_of(model, tmp_path, X, np.arange(60) % 40)
    assert page.table("true class")[0] == ["true class", "predicted", "samples", "of the class"]


def test_a_history_may_be_a_plain_dict(classifier, tmp_path):
    page = page_of(classifier, tmp_path, history={"loss": [1.0, 0.5], "val_loss": [1.0]})
    assert [row[:2] for row in page.table("epoch")[1:]] == [["1", "1"], ["2", "0.5"]]
    with pytest.raises(ArgumentError, match="what fit"):
        classifier.report(tmp_path / "a.html", history=[1.0])


def test_nothing_of_the_model_changes(classifier, tmp_path):
    state = [*classifier.variables, *classifier.optimizer.variables]
    before, history = [v.numpy().tolist() for v in state], classifier.history
    classifier.report(tmp_path / "a.html", X, LABELS)
    assert [v.numpy().tolist() for v in state] == before and classifier.history is history


def test_mistakes_are_told(classifier, tmp_path):
    with pytest.raises(ArgumentError, match="each of 3 classes"):
        classifier.report(tmp_path / "a.html", X, LABELS, class_names=["a", "b"])
    with pytest.raises(ArgumentError, match="path"):
        classifier.report(X, LABELS)
    with pytest.raises(ArgumentError, match="free or a file's"):
        classifier.report(tmp_path)
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(250_000.0, "250,000"), (43_210.4, "43,210"), (9_999.6, "10,000"), (12.3456, "12.35")]
    + [(0.00012345, "0.0001234"), (2.5e6, "2.500e+06"), (7, "7"), (float("nan"), "NaN")],
)
def test_numbers_are_shown_without_powers_of_ten_below_a_million(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(("low", "high"), [(0, 1e-9), (-3, 7.5), (1e6, 2e6), (0.1, 0.1001)])
def test_ticks_are_round_and_within(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 9 and low - 1e-12 <= found[0] and found[-1] <= high * (1 + 1e-9)
