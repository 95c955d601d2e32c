"""Text to indices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.symbolic import KerasTensor
from nacre.layers.base.keywords import VocabularyKeywords
from nacre.layers.core.configs import explicit_config
from nacre.layers.preprocessing.encoding import (
    accepted_sparse,
    batches_of,
    host_array,
    is_rows,
    of_flat_values,
    refuse_large_dense,
)
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.layers.preprocessing.vocabulary import (
    StringLookup,
    lines_of,
    plain_config,
    reduced,
    refuse_other_than_strings,
    refuse_other_than_symbolic_strings,
)

PUNCTUATION = r'[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~\']'
_PUNCTUATION = re.compile(PUNCTUATION)
_SPACES = re.compile(r"[ \t\n\v\f\r]+")
_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation", None)
_SPLIT = ("whitespace", "character", None)


@register("layers/TextVectorization")
class TextVectorization(HostLayer):
    """Clean texts, split them into tokens, and give each token its index.

    It works on the host: in a data pipeline, or in a model whose input has dtype 'string'. Give
    `output_sequence_length` there, so that all batches have one width and need one program.

    Args:
        max_tokens: Largest size of the vocabulary, special tokens included.
        standardize: 'lower_and_strip_punctuation', 'lower', 'strip_punctuation', None or a function
            of one text.
        split: 'whitespace', 'character', None or a function of one text.
        ngrams: Add groups of up to this many tokens; a tuple takes these sizes only.
        output_mode: 'int', 'multi_hot', 'count' or 'tf_idf'.
        output_sequence_length: For 'int': length to pad and cut to; the longest text's by default.
        pad_to_max_tokens: Whether vectors have the size `max_tokens`.
        vocabulary: The tokens, or a text file with one a line.
        idf_weights: Weights for 'tf_idf'.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
        ragged: Whether texts give rows as long as they are. They do in scripts of TensorFlow, to
            calls on texts and in data sets; in models outputs are dense.
        encoding: Of bytes; what cannot be read in it becomes U+FFFD.
    Shapes:
        inputs (batch,) or (batch, 1) strings
        returns (batch, length) ints; (batch, vocabulary) for the other modes
    Source:
        TensorFlow 2.21. Same: 'lower' turns A ... Z alone and only ASCII white space parts words,
        so that vocabularies made by Keras fit; give functions of your own for other alphabets,
        such as `standardize=str.casefold`.
    Example:
        >>> layer = TextVectorization()
        >>> layer.adapt(["The cat sat.", "The dog!"])
        >>> layer(["the cat"]).tolist()
        [[2, 5]]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Unpack[VocabularyKeywords],
    ) -> None:
        kwargs.pop("vocabulary_size", None)
        kwargs.pop("has_input_vocabulary", None)
        super().__init__(name=name, **kwargs)
        self.sparse = accepted_sparse(self, sparse)
        if ragged and (output_mode != "int" or output_sequence_length is not None):
            rule = "rows as long as texts must be of output_mode 'int' without a length"
            got = f"ragged=True, output_mode={output_mode!r}, a length of {output_sequence_length}"
            raise ArgumentError(message(self._who(), rule, got))
        self._check_choice("standardize", standardize, _STANDARDIZE)
        self._check_choice("split", split, _SPLIT)
        if output_sequence_length is not None:
            if output_mode != "int":
                rule = "output_sequence_length needs output_mode='int'"
                raise ArgumentError(message(self._who(), rule, repr(output_mode)))
            output_sequence_length = whole_number(
                self._who(), "output_sequence_length", output_sequence_length
            )
        if ngrams is not None:
            for size in ngrams if isinstance(ngrams, list | tuple) else (ngrams,):
                whole_number(self._who(), "ngrams", size)
        self.max_tokens = max_tokens
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams
        self.output_sequence_length = output_sequence_length
        self.pad_to_max_tokens = pad_to_max_tokens
        self.ragged = ragged
        self.encoding = encoding
        if isinstance(vocabulary, str | Path):
            vocabulary = lines_of(vocabulary, self._who())  # as in StringLookup
        self.input_vocabulary = vocabulary
        self.input_idf_weights = idf_weights
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            encoding=encoding,
        )
        self.output_mode = self._lookup_layer.output_mode

    def _check_choice(self, argument: str, value: Any, known: tuple[Any, ...]) -> None:
        if value not in known and not callable(value):
            raise ArgumentError(
                message(
                    self._who(), f"{argument} must be one of {known} or a function", repr(value)
                )
            )

    def tokens_of(self, text: str) -> list[str]:
        """The tokens of one text."""
        if callable(self.standardize):
            text = self._text_of(self.standardize(text), "standardize")
        elif self.standardize is not None:
            text = _ascii_lower(text) if "lower" in self.standardize else text
            text = _PUNCTUATION.sub("", text) if "strip" in self.standardize else text
        if callable(self.split):
            tokens = [self._text_of(token, "split") for token in self.split(text)]
        elif self.split is None:
            tokens = [text]
        else:
            tokens = _words(text) if self.split == "whitespace" else list(text)
        if self.ngrams is None:
            return tokens
        sizes = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [" ".join(tokens[i : i + n]) for n in sizes for i in range(len(tokens) - n + 1)]

    def _text_of(self, value: Any, argument: str) -> str:
        """What a function of the user's gave, as a text: also `bytes`, and an array of one."""
        if hasattr(value, "shape") and value.shape == () and hasattr(value, "item"):
            value = value.item()
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if isinstance(value, str):
            return str(value)
        rule = f"the function {argument} must give texts, for each text that it is called with"
        raise ArgumentError(message(self._who(), rule, f"{type(value).__name__} {value!r:.60}"))

    def _documents(self, texts: Any) -> list[list[str]]:
        array = host_array(self, texts)
        refuse_other_than_strings(self, array, "Convert other values with x.astype(str).")
        return [self.tokens_of(self._lookup_layer._token(text)) for text in array.ravel()]

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take the vocabulary from texts.

        Args:
            data: Texts, or batches of texts.
            batch_size: Kept for compatibility with Keras.
            steps: Number of batches to look at.
        """
        documents = (d for batch in batches_of(self, data, steps) for d in self._documents(batch))
        self._lookup_layer.adapt_documents(documents)

    def reset_state(self) -> None:
        """Forget what `adapt` found."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens, in the order of their indices."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the tokens (and weights for 'tf_idf') instead of calling `adapt`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    def vocabulary_size(self) -> int:
        """The number of indices in use."""
        return self._lookup_layer.vocabulary_size()

    def call(self, inputs: Any) -> Any:
        """Indices or vectors for texts."""
        if self.ragged:
            raise self._no_ragged_outputs()
        if is_rows(inputs):
            return self._of_rows(inputs)
        texts = host_array(self, inputs)
        if texts.ndim == 0:
            return self.call(texts[None])[0]
        self._lookup_layer._ready_tokens(self._who())
        self._check_shape(texts.shape)
        if self.output_mode != "int":
            return self._vectors(self._documents(texts))
        if self.split is None and self.ngrams is None:
            tokens = [document[0] for document in self._documents(texts)]
            return jnp.asarray(self._indices_of(tokens).reshape(texts.shape))
        documents = self._documents(texts)
        length = self.output_sequence_length
        width = max(map(len, documents), default=0) if length is None else length
        rows = np.zeros((len(documents), width), "int32")  # 0 is the index of padding
        for row, document in zip(rows, documents, strict=True):
            kept = document[:width]
            row[: len(kept)] = self._indices_of(kept)
        return jnp.asarray(rows)

    def _no_ragged_outputs(self) -> ArgumentError:
        rule, got = "outputs are dense arrays here", "ragged=True"
        fix = "Leave it out: texts are padded with 0, which Embedding(mask_zero=True) passes over."
        return ArgumentError(message(self._who(), rule, got, fix))

    def ragged_indices(self, inputs: Any) -> tuple[np.ndarray, np.ndarray]:
        """The indices of all texts one after another, and where those of each begin and end.

        Args:
            inputs: Texts, (batch,) or (batch, 1).
        """
        self._lookup_layer._ready_tokens(self._who())
        texts = host_array(self, inputs)
        self._check_shape(texts.shape)
        documents = self._documents(texts)
        splits = np.cumsum([0, *map(len, documents)], dtype=np.int64)
        return self._indices_of([token for document in documents for token in document]), splits

    def _of_rows(self, rows: Any) -> Any:
        """Rows of texts that are not split: their indices, filled up with 0."""
        if self.split is not None or self.ngrams is not None or self.output_mode != "int":
            rule = "rows of different lengths are taken with split=None and output_mode='int'"
            got = f"split={self.split!r}, ngrams={self.ngrams!r}, output_mode={self.output_mode!r}"
            fix = "Pass the texts one by one: rows.flat_values."
            raise ShapeError(message(self._who(), rule, got, fix))
        found = of_flat_values(rows, lambda texts: np.asarray(self.call(texts))).to_tensor()
        length = self.output_sequence_length
        if length is not None:
            found = found[..., :length]
            behind = [(0, 0)] * (found.ndim - 1) + [(0, length - found.shape[-1])]
            found = np.pad(found, behind)
        return jnp.asarray(found)

    def _check_shape(self, shape: tuple[Any, ...]) -> None:
        if self.split is None or len(shape) == 1 or (len(shape) == 2 and shape[1] in (1, None)):
            return
        raise ShapeError(
            message(
                self._who(),
                "texts to split must have shape (batch,) or (batch, 1)",
                f"shape {tuple(shape)}",
                "Vectorize each column with a call of its own.",
            )
        )

    def _indices_of(self, tokens: list[str]) -> np.ndarray:
        place = self._lookup_layer.place
        return np.array([place(token) for token in tokens], "int32")

    def _vectors(self, documents: list[list[str]]) -> Any:
        depth = self._lookup_layer._depth or 0
        weighted = self.output_mode == "tf_idf"
        dtype = self._lookup_layer._vector_dtype
        refuse_large_dense(self, (len(documents), 1), depth, "count", dtype)
        vectors = np.zeros((len(documents), depth), dtype)
        for vector, document in zip(vectors, documents, strict=True):
            indices = self._indices_of(document)
            places, counts = np.unique(indices[indices >= 0], return_counts=True)
            vector[places] = 1 if self.output_mode == "multi_hot" else counts
        if weighted:
            vectors *= self._lookup_layer._weights()
        return jnp.asarray(vectors)

    def compute_output_spec(self, inputs: Any) -> Any:
        """The symbolic output: indices or vectors."""
        refuse_other_than_symbolic_strings(self, inputs)
        if self.ragged:
            raise self._no_ragged_outputs()
        shape = tuple(inputs.shape)
        self._check_shape(shape)
        if self.output_mode != "int":
            lookup = self._lookup_layer
            return KerasTensor((shape[0], lookup._depth), lookup._vector_dtype)
        if self.split is None and self.ngrams is None:
            return KerasTensor(shape, "int32")
        return KerasTensor((shape[0], self.output_sequence_length), "int32")

    traces_shapes = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs for the shape of the texts."""
        return self.compute_output_spec(KerasTensor(input_shape, "string")).shape

    def save_assets(self, folder: str) -> None:
        """Write the vocabulary into a folder."""
        self._lookup_layer.save_assets(folder)

    def load_assets(self, folder: str) -> None:
        """Read the vocabulary from a folder `save_assets` wrote."""
        self._lookup_layer.load_assets(folder)

    adapts = True

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of 'tf_idf' into a store, as Keras does."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of 'tf_idf' from a store."""
        self._lookup_layer.load_own_variables(store)

    def __reduce__(self) -> Any:
        """Pickles and copies keep the vocabulary."""
        return reduced(super().__reduce__(), self._lookup_layer)

    def _take_adapted(self, other: TextVectorization) -> None:
        """Have the vocabulary another layer found, unless there is one."""
        self._lookup_layer._take_adapted(other._lookup_layer)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        names = (
            "max_tokens standardize split ngrams output_mode output_sequence_length "
            "pad_to_max_tokens sparse ragged encoding"
        ).split()
        return explicit_config(
            self,
            vocabulary=plain_config(self.input_vocabulary),
            idf_weights=plain_config(self.input_idf_weights),
            vocabulary_size=self._lookup_layer.get_config()["vocabulary_size"],
            **{name: getattr(self, name) for name in names},
        )


def _ascii_lower(text: str) -> str:
    """The text with a ... z for A ... Z; other letters stay."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _words(text: str) -> list[str]:
    """What ASCII white space parts."""
    return [word for word in _SPACES.split(text) if word]
