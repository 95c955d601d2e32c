"""The text and the table that come with nacre: sizes, splits, licences, and that models learn."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

import nacre
from nacre.datasets import breast_cancer, languages

FOLDER = Path(breast_cancer.__file__).parent


def test_shipped_files_are_small_and_their_licences_are_stated() -> None:
    shipped = ["breast_cancer.npz", "languages.tsv.gz"]
    assert sum((FOLDER / name).stat().st_size for name in shipped) < 300_000
    for name in (*shipped, "digits.npz"):
        stem = name.partition(".")[0].upper().replace("_", "-")
        assert "Licence" in (FOLDER / f"{stem}-ATTRIBUTION.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_source() -> None:
    (x_train, y_train), (x_test, y_test) = breast_cancer.load_data()
    assert x_train.dtype == "float32" and y_train.dtype == "uint8"
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    assert np.bincount(y).tolist() == [212, 357]
    assert len(breast_cancer.get_feature_names()) == x.shape[1] == 30
    # Ranges published with the data set.
    np.testing.assert_allclose(x[:, [0, 3]].min(axis=0), [6.981, 143.5])
    np.testing.assert_allclose(x[:, [0, 3]].max(axis=0), [28.11, 2501.0])


def test_no_message_of_the_test_has_a_translation_in_training() -> None:
    (x_train, y_train), (x_test, y_test) = languages.load_data()
    assert np.bincount(y_train).tolist() == [175] * 10 and np.bincount(y_test).tolist() == [44] * 10
    assert not set(x_train) & set(x_test)
    assert "This field is required." in x_train[y_train == languages.get_label_names().index("en")]


def test_splits_never_change() -> None:
    digest = hashlib.sha256()
    for features, labels in breast_cancer.load_data():
        digest.update(features.tobytes() + labels.tobytes())
    for texts, labels in languages.load_data():
        digest.update("\n".join(texts).encode() + labels.tobytes())
    assert digest.hexdigest() == "3297a05e08edc15222964319f96cb8f5008a0b0834a4fd2bda876e9b25e2d0b4"


def test_a_small_model_learns_the_table() -> None:
    (x_train, y_train), (x_test, y_test) = breast_cancer.load_data()
    nacre.utils.set_random_seed(0)
    scaling = nacre.layers.Normalization()
    scaling.adapt(x_train)
    model = nacre.Sequential([scaling, nacre.layers.Dense(1, "sigmoid")])
    model.compile(nacre.optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, epochs=10, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    assert accuracy > 0.93


def test_a_small_model_learns_the_texts() -> None:
    (x_train, y_train), (x_test, y_test) = languages.load_data()
    nacre.utils.set_random_seed(0)
    vectorize = nacre.layers.TextVectorization(
        max_tokens=2000, split="character", ngrams=3, output_mode="multi_hot"
    )
    vectorize.adapt(x_train)
    model = nacre.Sequential([nacre.layers.Dense(10, "softmax")])
    model.compile(
        nacre.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(vectorize(x_train), y_train, epochs=10, verbose=0)
    accuracy = model.evaluate(vectorize(x_test), y_test, verbose=0)[1]
    assert accuracy > 0.9
