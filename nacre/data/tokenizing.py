"""Texts as numbers of words: tf.keras's `Tokenizer`, and the functions beside it.

The layer `TextVectorization` does the same inside a model, and is saved with it; these are for
scripts and files that have a tokenizer.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from nacre.core.errors import (
    ArgumentError,
    DataError,
    FileFormatError,
    message,
    refuse_unknown,
)
from nacre.core.indices import first_in
from nacre.core.numbers import whole_number
from nacre.core.warning import warn

_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(
    input_text: str, filters: str = _FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Args:
        input_text: The text.
        filters: Characters that words have none of; each parts two words, as `split` does.
        lower: Whether words are written small.
        split: What is between two words.

    Raises:
        ArgumentError: `split` is empty.
    Example:
        >>> text_to_word_sequence("The cat, the mat!")
        ['the', 'cat', 'the', 'mat']
    """
    who = "text_to_word_sequence"
    text = _text(input_text, who)
    if not split:
        raise ArgumentError(message(who, "split must not be empty", repr(split)))
    if lower:
        text = text.lower()
    parted = text.translate(dict.fromkeys(map(ord, filters), split))
    return [word for word in parted.split(split) if word]


def one_hot(
    input_text: str,
    n: int,
    filters: str = _FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> list[int]:
    """`hashing_trick` with Python's `hash`: numbers of words, other ones in each process.

    The name is tf.keras's; nothing is one-hot. For numbers that stay, take
    `hashing_trick(text, n, "md5")`.

    Args:
        input_text: The text.
        n: How many numbers there are, 0 with them, which no word gets.
        filters, lower, split: See `text_to_word_sequence`.
        analyzer: What gives the words of a text, in place of `text_to_word_sequence`.

    Example:
        >>> len(one_hot("the cat sat", 50))
        3
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(
    text: str,
    n: int,
    hash_function: str | Callable[[str], int] | None = None,
    filters: str = _FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> list[int]:
    """Each word of a text as a number from 1 to n - 1 that follows from the word alone.

    Several words may have the same number.

    Args:
        text: The text.
        n: How many numbers there are, 0 with them, which no word gets.
        hash_function: 'md5'; a function of a word; or None for Python's `hash`, which gives other
            numbers in each process (unless PYTHONHASHSEED is set), so that a model that was saved
            finds none of its words again.
        filters, lower, split: See `text_to_word_sequence`.
        analyzer: What gives the words of a text, in place of `text_to_word_sequence`.

    Raises:
        ArgumentError: `n` is under 2, or the function is none of these.
    Example:
        >>> hashing_trick("the cat sat", 50, "md5")
        [43, 32, 29]
    """
    who = "hashing_trick"
    count = whole_number(who, "n", n, 2)
    if hash_function == "md5":
        function: Any = _md5
    else:
        function = hash if hash_function is None else hash_function
    if not callable(function):
        rule = "hash_function must be 'md5', a function of a word, or None"
        raise ArgumentError(message(who, rule, repr(hash_function)))
    if analyzer is None:
        words: Iterable[str] = text_to_word_sequence(text, filters, lower, split)
    else:
        words = analyzer(_text(text, who))
    return [function(word) % (count - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def _text(given: Any, who: str) -> str:
    if isinstance(given, str):
        return given
    if isinstance(given, bytes):
        return given.decode()
    rule = "a text must be a string, or a list of words"
    fix = "Missing texts of a frame: texts.fillna('')."
    raise DataError(message(who, rule, f"{type(given).__name__} {given!r}"[:100], fix))


class Tokenizer:
    """Numbers for the words of texts, the more frequent a word the smaller; 0 is no word's.

    Choose the layer `TextVectorization` where the numbers shall be saved with the model.

    Args:
        num_words: Words whose number is not under it are left out, so that `num_words - 1` stay;
            `word_index` has all of them. None keeps all.
        filters, lower, split: See `text_to_word_sequence`.
        char_level: Whether each character is a word.
        oov_token: A word that stands for those that have no number; it gets number 1. None leaves
            them out.
        analyzer: A function that gives the words of a text.

    Attributes:
        word_index, index_word: The number of each word, and the word of each number.
        word_counts: How often each word was seen.
        word_docs, index_docs: In how many texts each word was seen, by the word and its number.
        document_count: How many texts were seen.

    Texts are a list or any other iterable of strings, UTF-8 bytes, or lists of words. One string is
    a list of its characters only where `char_level` is set.

    Source: tf.keras 2.15, whose numbers, matrices and JSON were compared. Differs: one string in
    place of a list is refused where its characters would be taken for texts; a tokenizer from JSON
    can be fitted further; negative numbers are refused; words of one text count in its order.

    Example:
        >>> tokenizer = Tokenizer(oov_token="<OOV>")
        >>> tokenizer.fit_on_texts(["The cat sat.", "The dog!"])
        >>> tokenizer.texts_to_sequences(["the dog barks"])
        [[2, 5, 1]]
        >>> tokenizer.sequences_to_texts([[2, 5, 1]])
        ['the dog <OOV>']
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = _FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Iterable[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        if "nb_words" in kwargs:  # its name in Keras 1
            num_words = kwargs.pop("nb_words")
        document_count = kwargs.pop("document_count", 0)  # of configs that Keras wrote
        refuse_unknown("Tokenizer", kwargs, Tokenizer)
        if num_words is not None:
            num_words = whole_number("Tokenizer", "num_words", num_words, 0, or_else=" or None")
        if not split and not char_level and analyzer is None:
            raise ArgumentError(message("Tokenizer", "split must not be empty", repr(split)))
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.document_count: int = document_count
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: Counter[str] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}
        self.index_docs: Counter[int] = Counter()

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of texts, and number them anew by how often all were seen so far."""
        for words in self._words_of_each(texts, "fit_on_texts"):
            self.document_count += 1
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in dict.fromkeys(words):
                self.word_docs[word] = self.word_docs.get(word, 0) + 1
        by_count = sorted(self.word_counts.items(), key=lambda item: item[1], reverse=True)
        first = [] if self.oov_token is None else [self.oov_token]
        words = [*first, *(word for word, _ in by_count)]
        self.word_index = {word: number for number, word in enumerate(words, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        numbers = self.word_index
        self.index_docs = Counter({numbers[w]: count for w, count in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Iterable[Iterable[int]]) -> None:
        """Count in how many sequences each number is: what 'tfidf' needs without texts."""
        for sequence in sequences:
            self.document_count += 1
            self.index_docs.update(dict.fromkeys(sequence, 1))

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of the words of each text.

        Example:
            >>> tokenizer = Tokenizer(num_words=2)
            >>> tokenizer.fit_on_texts(["a rose is a rose"])
            >>> tokenizer.texts_to_sequences(["a rose", "rose"])  # none of "rose"
            [[1], []]
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """What `texts_to_sequences` gives, one after another."""
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for words in self._words_of_each(texts, "texts_to_sequences"):
            found = (self.word_index.get(word) for word in words)
            numbers = (unknown if at is None or self._is_left_out(at) else at for at in found)
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of each sequence of numbers, with spaces between."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """What `sequences_to_texts` gives, one after another."""
        unknown = None
        if self.oov_token is not None and self.oov_token in self.word_index:
            unknown = self.index_word[self.word_index[self.oov_token]]
        for sequence in sequences:
            found = ((number, self.index_word.get(number)) for number in sequence)
            words = (unknown if w is None or self._is_left_out(at) else w for at, w in found)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """A row for each text, which says of each word how it is in it; see `sequences_to_matrix`.

        Example:
            >>> tokenizer = Tokenizer()
            >>> tokenizer.fit_on_texts(["a rose is a rose"])
            >>> tokenizer.texts_to_matrix(["a a rose"], mode="count").tolist()
            [[0.0, 2.0, 1.0, 0.0]]
        """
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """A row for each sequence, which says of each number how it is in it.

        Args:
            sequences: Lists of numbers.
            mode: 'binary', whether it is there; 'count', how often; 'freq', how often among all of
                the sequence; 'tfidf', see the formula.

        Shapes:
            returns (sequences, num_words), float64; without `num_words` as many as words, and one

        Formula:
            tfidf = (1 + log(count)) · log(1 + documents / (1 + documents with the word))

        Raises:
            ArgumentError: The mode is none of these, or nothing says how many words there are.
            DataError: A number is no whole number, or negative.
        """
        who = "Tokenizer.sequences_to_matrix"
        if mode not in _MODES:
            raise ArgumentError(
                message(who, f"mode must be one of {', '.join(_MODES)}", repr(mode))
            )
        if not (self.num_words or self.word_index):
            rule = "num_words must be given, or fit_on_texts be called before"
            raise ArgumentError(message(who, rule, "a Tokenizer without words"))
        if mode == "tfidf" and not self.document_count:
            rule = "'tfidf' needs the words' counts"
            raise ArgumentError(message(who, rule, "none", "Call fit_on_texts before."))
        width = self.num_words or len(self.word_index) + 1
        rows = list(sequences)
        matrix = np.zeros((len(rows), width))
        for row, sequence in zip(matrix, rows, strict=True):
            length = len(sequence)
            if not length:
                continue
            numbers, counts = np.unique(np.asarray(sequence), return_counts=True)
            wrong = (numbers < 0) | (numbers != np.floor(numbers))
            if wrong.any():
                rule = "numbers of words must be whole numbers from 0 on"
                raise DataError(message(who, rule, first_in(numbers, wrong)))
            is_kept = numbers < width
            kept, values = numbers[is_kept].astype(int), counts[is_kept]
            if mode == "binary":
                row[kept] = 1
            elif mode == "tfidf":
                documents = np.asarray([self.index_docs.get(int(at), 0) for at in kept])
                idf = np.log(1 + self.document_count / (1 + documents))
                row[kept] = (1 + np.log(values)) * idf
            else:
                row[kept] = values / (length if mode == "freq" else 1)
        return matrix

    def get_config(self) -> dict[str, Any]:
        """What `Tokenizer` takes, and what was counted, each of these as JSON, as in tf.keras."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            **{name: json.dumps(getattr(self, name)) for name in _COUNTED},
        }

    def to_json(self, **kwargs: Any) -> str:
        """The tokenizer as JSON, which `tokenizer_from_json` and tf.keras's open.

        Args:
            kwargs: What `json.dumps` takes, such as `indent=1`.
        """
        if self.analyzer is not None:
            rule = "JSON holds no function; the one from it would find other words"
            fix = "Set tokenizer.analyzer after tokenizer_from_json."
            warn(message("Tokenizer.to_json", rule, f"analyzer={self.analyzer!r}", fix))
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)

    # ------------------------------------------------------------------------------- words

    def _words_of_each(self, texts: Any, who: str) -> Iterator[list[str]]:
        who = f"Tokenizer.{who}"
        if isinstance(texts, str | bytes) and not self.char_level:
            rule = "texts must be a list of texts; of one string each character would be a text"
            raise ArgumentError(message(who, rule, repr(texts)[:60], "Give [text]."))
        if isinstance(texts, bytes):
            texts = _text(texts, who)
        for text in texts:
            yield self._words(text, who)

    def _words(self, text: Any, who: str) -> list[str]:
        if isinstance(text, list | tuple | np.ndarray):
            words = [_text(word, who) for word in text]
            return [word.lower() for word in words] if self.lower else words
        if isinstance(text, np.generic):
            text = text.item()
        text = _text(text, who)
        if self.char_level:
            return list(text.lower() if self.lower else text)
        if self.analyzer is not None:
            return list(self.analyzer(text))
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def _is_left_out(self, number: int) -> bool:
        return bool(self.num_words) and number >= (self.num_words or 0)


_COUNTED = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `Tokenizer.to_json`, or tf.keras's, wrote.

    Raises:
        FileFormatError: The text is no such JSON.
    Example:
        >>> tokenizer = Tokenizer()
        >>> tokenizer.fit_on_texts(["a rose is a rose"])
        >>> tokenizer_from_json(tokenizer.to_json()).word_index
        {'a': 1, 'rose': 2, 'is': 3}
    """
    try:
        config = dict(json.loads(json_string)["config"])
        counted = {name: dict(json.loads(config.pop(name))) for name in _COUNTED}
        by_number = {name: _whole_keys(counted[name]) for name in ("index_docs", "index_word")}
    except (TypeError, ValueError, KeyError) as error:
        rule = "the text must be what Tokenizer.to_json() gives"
        got = f"{json_string!r}"[:60] + f": {type(error).__name__}: {error}"
        raise FileFormatError(message("tokenizer_from_json", rule, got)) from None
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts = OrderedDict(counted["word_counts"])
    tokenizer.word_docs = Counter(counted["word_docs"])
    tokenizer.word_index = counted["word_index"]
    tokenizer.index_docs = Counter(by_number["index_docs"])
    tokenizer.index_word = by_number["index_word"]
    return tokenizer


def _whole_keys(values: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in values.items()}


__all__ = [
    "Tokenizer",
    "hashing_trick",
    "one_hot",
    "text_to_word_sequence",
    "tokenizer_from_json",
]
