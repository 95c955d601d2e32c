"""Tokenizer and the functions beside it; numbers are those of tf.keras 2.15.1."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import nacre as keras
from nacre.core.errors import ArgumentError, DataError, FileFormatError
from nacre.preprocessing.text import (
    Tokenizer,
    hashing_trick,
    one_hot,
    text_to_word_sequence,
    tokenizer_from_json,
)

TEXTS = ["The cat sat on the mat.", "The dog ate my homework!", ["A", "list", "The"]]

# What tf.keras 2.15.1 wrote after fitting on TEXTS; the order of counts by word is that of a set.
WRITTEN = r"""{"class_name": "Tokenizer", "config": {"num_words": 5, "filters": "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n", "lower": true, "split": " ", "char_level": false, "oov_token": "<OOV>", "document_count": 3, "word_counts": "{\"the\": 4, \"cat\": 1, \"sat\": 1, \"on\": 1, \"mat\": 1, \"dog\": 1, \"ate\": 1, \"my\": 1, \"homework\": 1, \"a\": 1, \"list\": 1}", "word_docs": "{\"cat\": 1, \"sat\": 1, \"mat\": 1, \"the\": 3, \"on\": 1, \"ate\": 1, \"my\": 1, \"dog\": 1, \"homework\": 1, \"list\": 1, \"a\": 1}", "index_docs": "{\"3\": 1, \"4\": 1, \"6\": 1, \"2\": 3, \"5\": 1, \"8\": 1, \"9\": 1, \"7\": 1, \"10\": 1, \"12\": 1, \"11\": 1}", "index_word": "{\"1\": \"<OOV>\", \"2\": \"the\", \"3\": \"cat\", \"4\": \"sat\", \"5\": \"on\", \"6\": \"mat\", \"7\": \"dog\", \"8\": \"ate\", \"9\": \"my\", \"10\": \"homework\", \"11\": \"a\", \"12\": \"list\"}", "word_index": "{\"<OOV>\": 1, \"the\": 2, \"cat\": 3, \"sat\": 4, \"on\": 5, \"mat\": 6, \"dog\": 7, \"ate\": 8, \"my\": 9, \"homework\": 10, \"a\": 11, \"list\": 12}"}}"""


def fitted(texts=TEXTS, **arguments):
    tokenizer = Tokenizer(**arguments)
    tokenizer.fit_on_texts(texts)
    return tokenizer


def test_numbers_of_words_are_those_of_tf_keras():
    tokenizer = fitted(num_words=5, oov_token="<OOV>")
    assert list(tokenizer.word_index)[:4] == ["<OOV>", "the", "cat", "sat"]
    assert tokenizer.texts_to_sequences(["the cat ate a fish", ["The", "list"]]) == [
        [2, 3, 1, 1, 1],
        [2, 1],
    ]
    assert tokenizer.sequences_to_texts([[1, 2, 3, 50], [2, 9]]) == [
        "<OOV> the cat <OOV>",
        "the <OOV>",
    ]
    assert list(tokenizer.texts_to_sequences_generator(iter(["the mat"]))) == [[2, 1]]


def test_words_without_a_number_are_left_out_without_an_oov_token():
    tokenizer = fitted(["a b c d a b", "d d d d"], num_words=3)
    assert tokenizer.word_index == {"d": 1, "a": 2, "b": 3, "c": 4}
    assert tokenizer.texts_to_sequences(["a b c d e"]) == [[2, 1]]
    assert tokenizer.sequences_to_texts([[1, 2, 3, 4]]) == ["d a"]


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("binary", [0, 1, 1, 1, 0]),
        ("count", [0, 4, 1, 1, 0]),
        ("freq", [0, 4 / 6, 1 / 6, 1 / 6, 0]),
        ("tfidf", [0, 3.3081064167926963, 0.5596157879354227, 0.916290731874155, 0]),
    ],
)
def test_matrices_are_those_of_tf_keras(mode, row):
    tokenizer = fitted(num_words=5, oov_token="<OOV>")
    matrix = tokenizer.texts_to_matrix(["the cat ate a a fish", ""], mode=mode)
    np.testing.assert_allclose(matrix, [row, [0] * 5], rtol=1e-14)
    assert matrix.dtype == np.float64


def test_characters_are_words_of_a_text_or_of_one_string():
    tokenizer = fitted(["Hello hello", ["a", "Bc"]], char_level=True)
    assert tokenizer.texts_to_sequences(["Hello", ["Bc", "hé"]]) == [[2, 3, 1, 1, 4], [7]]
    assert tokenizer.sequences_to_texts([[1, 2, 99]]) == ["l h"]
    whole = fitted("First Citizen", char_level=True)  # as a book is given whole
    assert whole.document_count == 13
    assert whole.word_index["i"] == 1


def test_an_oov_token_that_texts_have_keeps_its_places():
    tokenizer = fitted(["UNK a UNK b"], oov_token="UNK")
    assert tokenizer.word_index == {"UNK": 1, "unk": 2, "a": 3, "b": 4}
    tokenizer = fitted(["UNK a a b"], oov_token="UNK", num_words=2)
    assert tokenizer.texts_to_sequences(["a b"]) == [[1, 1]]
    assert tokenizer.sequences_to_texts([[1, 2, 3]]) == ["UNK UNK UNK"]


def test_sequences_are_counted_as_by_tf_keras():
    tokenizer = Tokenizer(num_words=10)
    tokenizer.fit_on_sequences([[1, 2, 3], [2, 2, 5]])
    assert dict(tokenizer.index_docs) == {1: 1, 2: 2, 3: 1, 5: 1}
    assert tokenizer.sequences_to_matrix([[1, 2, 2, 11], []], "freq")[0].tolist()[:3] == [
        0,
        0.25,
        0.5,
    ]


def test_json_of_tf_keras_is_opened_and_written():
    opened = tokenizer_from_json(WRITTEN)
    assert opened.texts_to_sequences(["the cat"]) == [[2, 3]]
    assert opened.index_word[12] == "list" and opened.index_docs[2] == 3
    ours, theirs = json.loads(fitted(num_words=5, oov_token="<OOV>").to_json()), json.loads(WRITTEN)
    for config in (ours["config"], theirs["config"]):
        for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index"):
            config[name] = json.loads(config[name])
    assert ours == theirs
    assert tokenizer_from_json(opened.to_json(indent=1)).word_index == opened.word_index


def test_a_tokenizer_from_json_is_fitted_further():
    opened = tokenizer_from_json(fitted(["x y z x", "x"]).to_json())
    opened.fit_on_texts(["y y y y new"])
    assert opened.word_index == {"y": 1, "x": 2, "z": 3, "new": 4}
    assert opened.document_count == 3


def test_a_pickled_tokenizer_keeps_its_numbers():
    tokenizer = pickle.loads(pickle.dumps(fitted()))
    assert tokenizer.texts_to_sequences(["the cat"]) == fitted().texts_to_sequences(["the cat"])


def test_an_analyzer_gives_the_words_and_json_says_that_it_has_none():
    tokenizer = fitted(["a-B-c", "c-d"], analyzer=lambda text: text.lower().split("-"))
    assert tokenizer.texts_to_sequences(["B-c-zz"]) == [[3, 1]]
    with pytest.warns(UserWarning, match="analyzer after tokenizer_from_json"):
        tokenizer.to_json()


@pytest.mark.parametrize("kind", [lambda t: np.array(t), lambda t: [s.encode() for s in t], iter])
def test_texts_come_in_arrays_bytes_and_iterators(kind):
    assert fitted(kind(["b a b", "a b"])).word_index == {"b": 1, "a": 2}


def test_texts_come_in_columns_of_frames():
    import pandas

    texts = pandas.Series(["b a b", "a b"], index=[7, 3])
    assert fitted(texts).word_index == {"b": 1, "a": 2}
    with pytest.raises(DataError, match=r"must be a string.*fillna"):
        fitted(pandas.Series(["b", None]))


def test_mistakes_are_told():
    with pytest.raises(ArgumentError, match=r"list of texts.*Give \[text\]"):
        fitted("The cat sat")
    with pytest.raises(ArgumentError, match="Give"):
        fitted().texts_to_sequences("the cat")
    with pytest.raises(ArgumentError, match="num_words must be given"):
        Tokenizer().texts_to_matrix(["a"])
    with pytest.raises(ArgumentError, match="fit_on_texts before"):
        Tokenizer(num_words=5).texts_to_matrix(["a"], mode="tfidf")
    with pytest.raises(ArgumentError, match="mode must be one of"):
        fitted().texts_to_matrix(["a"], mode="tf-idf")
    with pytest.raises(DataError, match="from 0 on"):
        fitted().sequences_to_matrix([[1, -1]])
    with pytest.raises(ArgumentError, match="num_word='x'"):
        Tokenizer(num_word="x")
    with pytest.raises(FileFormatError, match="to_json"):
        tokenizer_from_json("{}")


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("Don't stop, it's ok!  yes", {}, ["don't", "stop", "it's", "ok", "yes"]),
        ("a--b--c", {"filters": "", "split": "--"}, ["a", "b", "c"]),
        ("a,b.c d", {"filters": ",.", "split": "--"}, ["a", "b", "c d"]),
        ("A,b.c d", {"filters": "", "lower": False, "split": ","}, ["A", "b.c d"]),
        ("", {}, []),
    ],
)
def test_words_of_a_text_are_those_of_tf_keras(text, arguments, words):
    assert text_to_word_sequence(text, **arguments) == words


def test_hashes_are_those_of_tf_keras():
    assert hashing_trick("the cat sat", 50, "md5") == [43, 32, 29]
    assert hashing_trick("the cat sat", 50, len) == [4, 4, 4]
    assert one_hot("The cat.", 50) == [hash(word) % 49 + 1 for word in ("the", "cat")]
    with pytest.raises(ArgumentError, match="n must be"):
        hashing_trick("a", 1)
    with pytest.raises(ArgumentError, match="'md5'"):
        hashing_trick("a", 9, "sha")


def test_a_classifier_of_padded_sequences_learns():
    texts = ["good film", "a good day", "bad film", "a bad day"] * 8
    tokenizer = fitted(texts, num_words=10, oov_token="<OOV>")
    x = keras.preprocessing.sequence.pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=4)
    model = keras.Sequential(
        [keras.layers.Embedding(10, 4), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, ["accuracy"])
    labels = np.array([1, 1, 0, 0] * 8)
    history = model.fit(x, labels, epochs=8, verbose=0).history
    assert history["accuracy"][-1] == 1.0
