"""The scripts of characters."""

from __future__ import annotations

import pytest

import nacre.tf as tf
from nacre.core.errors import DTypeError


def test_each_character_has_the_number_of_its_script() -> None:
    texts = ["aé", "7 ", "Жω", "語かカ", "한ا", "क"]
    # Latin, common, Cyrillic and Greek, Han, Hiragana and Katakana, Hangul and Arabic, Devanagari
    wanted = [[25, 25], [0, 0], [8, 14], [17, 20, 22], [18, 2], [10]]
    found = tf.strings.unicode_script(tf.strings.unicode_decode(texts, "UTF-8"))
    assert found.to_list() == wanted
    assert tf.strings.unicode_script([0, 0x10FFFF, 0x110000, -1]).numpy().tolist() == [
        0,
        103,
        -1,
        -1,
    ]
    assert tf.strings.unicode_script(ord("a")).numpy() == 25


def test_texts_are_refused_with_the_way_to_their_characters() -> None:
    with pytest.raises(DTypeError, match="unicode_decode"):
        tf.strings.unicode_script(["a"])


def test_an_iterator_tells_whether_there_is_a_next_element() -> None:
    iterator = iter(tf.data.Dataset.range(1))
    first, last = iterator.get_next_as_optional(), iterator.get_next_as_optional()
    assert first.has_value()
    assert first.get_value().numpy() == 0
    assert not last.has_value()
    assert tf.experimental.Optional.from_value(3).get_value() == 3
    assert not tf.experimental.Optional.empty(tf.TensorSpec([])).has_value()
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have a value"):
        last.get_value()
