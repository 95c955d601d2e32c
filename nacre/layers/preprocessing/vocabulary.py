"""Tokens to indices and back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import safety
from nacre.core.errors import ArgumentError, DataError, DTypeError, NotBuiltError, message
from nacre.core.fingerprint import bytes_of, checked_salt, fingerprints
from nacre.core.host_arrays import refuse_wide_integers
from nacre.core.numbers import whole_number
from nacre.core.older import is_older_meant
from nacre.core.registry import register
from nacre.core.strings import is_text, refuse_missing, text_array
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.layers.base.keywords import VocabularyKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config
from nacre.layers.preprocessing.encoding import (
    accepted_sparse,
    batches_of,
    checked_choice,
    encode,
    host_array,
    is_rows,
    of_flat_values,
    refuse_large_dense,
)
from nacre.layers.preprocessing.host_layer import (
    HostLayer,
    encode_on_host,
    encoded_shape,
    with_wide_ints,
)

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_OOV_METHODS = ("floormod", "farmhash")
_FILE = "vocabulary.txt"
_EXACT_FILE = "vocabulary.json"  # written too where a token would not stay on its line


def count_documents(
    documents: Iterable[Sequence[Any]], by_document: bool = True
) -> tuple[Counter, Counter, int]:
    """How often each token occurs, in how many documents, and the number of documents.

    Args:
        documents: Sequences of tokens.
        by_document: Whether the second is wanted; else it stays empty.
    """
    counts: Counter = Counter()
    in_documents: Counter = Counter()
    total = 0
    for document in documents:
        counts.update(document)
        if by_document:
            in_documents.update(set(document))
        total += 1
    return counts, in_documents, total


def refuse_other_than_strings(layer: Layer, values: np.ndarray, fix: str) -> None:
    """Raise for an array of anything but strings."""
    if values.dtype.kind == "O":
        refuse_missing(values, layer._who())
    if values.size and not is_text(values):
        what = f"inputs of dtype {values.dtype}"
        if values.dtype.kind == "O":
            what = f"values such as {values.ravel()[0]!r}"
        raise DTypeError(message(layer._who(), "inputs must be strings", what, fix))


def refuse_other_than_symbolic_strings(layer: Layer, inputs: Any) -> None:
    """Raise for a symbolic tensor of anything but strings."""
    if isinstance(inputs, KerasTensor) and inputs.dtype != "string":
        raise DTypeError(
            message(
                layer._who(),
                "its input must be strings",
                f"a symbolic tensor of dtype {inputs.dtype}",
                "Make it with nacre.Input(shape=(1,), dtype='string').",
            )
        )


def plain_config(value: Any) -> Any:
    """A vocabulary or weights as a config holds them: a path, lists, or None."""
    return value if value is None or isinstance(value, str) else text_array(value).tolist()


def lines_of(path: str | Path, who: str) -> list[str]:
    """The lines of a vocabulary file.

    Raises:
        ArgumentError: There is no file.
        SerializationError: A file or config that is being opened names it.
    """
    safety.refuse_path(path, who)
    if not Path(path).is_file():
        rule = "vocabulary must be tokens, or a text file with one a line"
        raise ArgumentError(message(who, rule, f"no file at {str(path)!r}"))
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    return lines[:-1] if lines and lines[-1] == "" else lines


class IndexLookup(Layer):
    """What integer and string lookups share.

    Indices: the mask token 0 (output 'int' only, when there is one), then the indices of unknown
    tokens, then the vocabulary. It works on the host, in a data pipeline; integers also inside
    compiled models.

    Formula:
        'tf_idf': count · log(1 + documents / (1 + documents with the token)); unknown tokens get
        the mean weight
    """

    casts_inputs = False  # values are looked up as they are

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        oov_method: str,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        for unused in ("vocabulary_size", "has_input_vocabulary"):
            kwargs.pop(unused, None)
        super().__init__(**kwargs)
        spellings = {"binary": "multi_hot", "tf-idf": "tf_idf"}
        mode = spellings.get(str(output_mode), output_mode)
        self.output_mode = checked_choice(self._who(), "output_mode", mode, _MODES)
        self.sparse = accepted_sparse(self, sparse)
        if max_tokens is not None:
            max_tokens = whole_number(self._who(), "max_tokens", max_tokens, 2)
        elif pad_to_max_tokens:
            rule = "pad_to_max_tokens needs max_tokens"
            raise ArgumentError(message(self._who(), rule, "max_tokens=None"))
        num_oov_indices = whole_number(self._who(), "num_oov_indices", num_oov_indices, 0)
        safety.reserve(num_oov_indices * 64, self._who())
        if invert and self.output_mode != "int":
            raise ArgumentError(
                message(self._who(), "invert needs output_mode='int'", self.output_mode)
            )
        if oov_method not in _OOV_METHODS:
            raise ArgumentError(
                message(self._who(), f"oov_method must be one of {_OOV_METHODS}", repr(oov_method))
            )
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = invert
        self.pad_to_max_tokens = pad_to_max_tokens
        self.oov_method = oov_method
        self.salt = checked_salt(salt, self._who())
        self._tokens: list[Any] | None = None
        self._idf: np.ndarray | None = None
        # A config holds the tokens of a text file, not its path: it means the same everywhere.
        if isinstance(vocabulary, str | Path):
            vocabulary = [self._token(line) for line in lines_of(vocabulary, self._who())]
        self.input_vocabulary = vocabulary
        self.input_idf_weights = idf_weights
        self._check_weights(idf_weights)
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # What a token is, for the two kinds.

    _token_dtype = "int32"

    def _token(self, value: Any) -> Any:
        raise NotImplementedError(message(self._who(), "a lookup must define _token"))

    def _checked(self, values: np.ndarray) -> np.ndarray:
        """Values a vocabulary is made of, when they can be."""
        return values

    def _check_weights(self, idf_weights: Any) -> None:
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ArgumentError(
                message(
                    self._who(),
                    "idf_weights belong to output_mode='tf_idf'",
                    f"output_mode={self.output_mode!r}",
                    "Leave idf_weights out.",
                )
            )

    @property
    def _has_mask(self) -> bool:
        return self.mask_token is not None and self.output_mode == "int"

    def _specials(self) -> list[Any]:
        mask = [self.mask_token] if self._has_mask else []
        return [*mask, *[self.oov_token] * self.num_oov_indices]

    def _first_oov(self) -> int:
        return int(self._has_mask)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary.

        Args:
            vocabulary: The tokens, with or without the special ones in front; or a text file with
                one token a line.
            idf_weights: Weights for output 'tf_idf', one a token.
        """
        self._check_weights(idf_weights)
        if isinstance(vocabulary, str | Path):
            vocabulary = lines_of(vocabulary, self._who())
        values = self._checked(host_array(self, vocabulary))
        tokens = [self._token(v) for v in values.ravel().tolist()]
        if not tokens:
            raise ArgumentError(
                message(
                    self._who(),
                    "the vocabulary must hold a token",
                    "an empty one",
                    "Pass the tokens, or leave vocabulary out and call adapt(data).",
                )
            )
        specials = self._specials()
        weights = None if idf_weights is None else [float(w) for w in np.asarray(idf_weights)]
        if specials and tokens[: len(specials)] == specials:
            tokens = tokens[len(specials) :]
            if weights is not None:
                weights = weights[-len(tokens) :] if tokens else []
        self._refuse_specials(tokens)
        repeated = [token for token, n in Counter(tokens).items() if n > 1]
        if repeated:
            raise ArgumentError(
                message(self._who(), "the vocabulary must hold each token once", repr(repeated[:5]))
            )
        if self.max_tokens is not None and len(tokens) + len(specials) > self.max_tokens:
            raise ArgumentError(
                message(
                    self._who(),
                    f"the vocabulary with its special tokens must fit max_tokens={self.max_tokens}",
                    f"{len(tokens) + len(specials)} tokens",
                )
            )
        if self.output_mode == "tf_idf" and (weights is None or len(weights) != len(tokens)):
            raise ArgumentError(
                message(
                    self._who(),
                    "output_mode='tf_idf' needs one of idf_weights for each token",
                    "none" if weights is None else f"{len(weights)} for {len(tokens)} tokens",
                )
            )
        self._tokens = tokens
        self._index = {token: i + len(specials) for i, token in enumerate(tokens)}
        if self.mask_token is not None:
            self._index[self.mask_token] = 0 if self._has_mask else -1
        if weights is not None:
            mean = float(np.mean(weights)) if weights else 0.0
            self._idf = np.array([mean] * self.num_oov_indices + weights, "float32")

    def _refuse_specials(self, tokens: list[Any]) -> None:
        """Raise for special tokens that do not stand in front, where they have their indices."""
        reserved = [self.mask_token] if self.mask_token is not None else []
        reserved += [self.oov_token] if self.invert else []
        found = [token for token in reserved if token in tokens]
        if found:
            raise ArgumentError(
                message(
                    self._who(),
                    f"the vocabulary must begin with all of {self._specials()}, or hold none of "
                    "the special tokens",
                    f"{found[0]!r} among the others",
                    "Leave the special tokens out.",
                )
            )

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, in the order of their indices."""
        specials = self._specials() if include_special_tokens else []
        return [*specials, *(self._tokens or [])]

    def vocabulary_size(self) -> int:
        """The number of indices in use."""
        return len(self._specials()) + len(self._tokens or [])

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Take the vocabulary from data: the most frequent tokens first, ties in falling order.

        Args:
            data: Array or list of tokens, or batches of such. A row is one document.
            steps: Number of batches to look at.
        """
        batches = (self._checked(batch) for batch in batches_of(self, data, steps))
        rows = (row for batch in batches for row in np.atleast_1d(batch))
        self.adapt_documents(
            [self._token(t) for t in text_array(row).ravel().tolist()] for row in rows
        )

    def adapt_documents(self, documents: Iterable[Sequence[Any]]) -> None:
        """Take the vocabulary from documents, each a sequence of tokens."""
        counts, in_documents, total = count_documents(documents, self.output_mode == "tf_idf")
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        ordered = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            ordered = ordered[: self.max_tokens - len(self._specials())]
        weights = None
        if self.output_mode == "tf_idf":
            weights = [float(np.log(1 + total / (1 + in_documents[t]))) for t in ordered]
        self._tokens = None
        self.set_vocabulary([*self._specials(), *ordered], weights)

    def reset_state(self) -> None:
        """Forget what `adapt` found."""
        self._tokens = None

    def _ready_tokens(self, who: str = "") -> list[Any]:
        """The vocabulary; without one an error in the name of this layer, or of `who`."""
        if self._tokens is None:
            raise NotBuiltError(
                message(
                    who or self._who(),
                    "its vocabulary must be known",
                    "a layer without vocabulary",
                    "Call adapt(data) first, or pass vocabulary=[...].",
                )
            )
        return self._tokens

    def call(self, inputs: Any) -> Any:
        """Indices or vectors for tokens; tokens for indices when inverted."""
        self._ready_tokens()
        if is_rows(inputs):
            return self._of_rows(inputs)
        if self.invert:
            indices = host_array(self, inputs)
            if is_text(indices):
                rule = "with invert=True inputs must be indices"
                raise DTypeError(message(self._who(), rule, "strings", "Leave invert out."))
            indices = indices.astype("int64")
            table = text_array(self.get_vocabulary())
            known = (indices >= 0) & (indices < len(table))
            return np.where(known, table[np.where(known, indices, 0)], self.oov_token)
        return self._encoded(self._indices(inputs))

    def _of_rows(self, rows: Any) -> Any:
        """Of rows of different lengths: rows of indices, or a vector for each row."""
        if self.output_mode == "int":
            return of_flat_values(rows, lambda values: np.asarray(self.call(values)))
        if self.output_mode == "one_hot" or rows.ragged_rank > 1:
            rule = "rows of different lengths give indices, or one vector each"
            fix = "Use output_mode='int', 'multi_hot', 'count' or 'tf_idf' of rows of tokens."
            got = f"output_mode={self.output_mode!r}, {rows.ragged_rank} ragged axes"
            raise ArgumentError(message(self._who(), rule, got, fix))
        vectors = [np.asarray(self.call(np.asarray(row))) for row in rows]
        empty = np.zeros((0, self._depth or 0), "float32")
        return jnp.asarray(np.stack(vectors) if vectors else empty)

    def _indices(self, inputs: Any) -> Any:
        """Indices of tokens, on the host; -1 for the mask token where it has no index."""
        values = host_array(self, inputs)
        if values.size == 0:
            return values.astype("int32")
        unique, inverse = np.unique(values, return_inverse=True)
        found = np.array([self.place(self._token(v)) for v in unique.tolist()], "int32")
        return found[inverse].reshape(values.shape)

    def place(self, token: Any) -> int:
        """The index of one token; -1 for the mask token where it has no index."""
        found = self._index.get(token)
        return self._first_oov() + self._oov_place(token) if found is None else found

    def _oov_place(self, token: Any) -> int:
        if self.num_oov_indices == 0:
            raise DataError(
                message(
                    self._who(),
                    "every token must be in the vocabulary, as num_oov_indices is 0",
                    repr(token),
                    "Pass num_oov_indices=1.",
                )
            )
        return self._bucket(token) if self.num_oov_indices > 1 else 0

    def _bucket(self, token: Any) -> int:
        """Which of several unknown indices a token gets: its fingerprint's."""
        salt = None if self.salt is None else (self.salt[0], self.salt[1])
        return int(fingerprints([bytes_of(token)], salt)[0] % np.uint64(self.num_oov_indices))

    @property
    def _depth(self) -> int | None:
        """The size of vectors; None before the vocabulary is known."""
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        return None if self._tokens is None else self.vocabulary_size()

    @property
    def _vector_dtype(self) -> str:
        """The dtype of vectors: Keras 3 counts in whole numbers, tf.keras 2 in floats."""
        return "float32" if self.output_mode == "tf_idf" or is_older_meant() else "int32"

    def _encoded(self, indices: Any) -> Any:
        if self.output_mode == "int":
            return jnp.asarray(indices, "int32")
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        dtype = self._vector_dtype
        depth = cast("int", self._depth)  # there is a vocabulary, or the indices would not be
        refuse_large_dense(self, indices.shape, depth, mode, dtype)
        make = encode if is_tracer(indices) else encode_on_host
        vectors = make(indices, depth, mode, dtype)
        return jnp.asarray(vectors * self._weights() if self.output_mode == "tf_idf" else vectors)

    def _weights(self) -> np.ndarray:
        weights = np.zeros(self._depth or 0, "float32")
        if self._idf is not None:
            weights[: len(self._idf)] = self._idf
        return weights

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output: indices, vectors, or strings when inverted."""
        inputs = args[0] if args else kwargs["inputs"]
        if self.invert:
            return KerasTensor(inputs.shape, self._token_dtype)
        if self.output_mode == "int":
            return KerasTensor(inputs.shape, "int32")
        shape = encoded_shape(inputs.shape, self._depth, self.output_mode)
        return KerasTensor(shape, self._vector_dtype)

    def save_assets(self, folder: str) -> None:
        """Write the vocabulary into a folder, as `vocabulary.txt`."""
        if self.input_vocabulary is None and self._tokens is not None:
            tokens = self.get_vocabulary()
            text = "\n".join(str(token) for token in tokens)
            (Path(folder) / _FILE).write_text(text, encoding="utf-8")
            if "\r" in text or text.count("\n") != max(len(tokens) - 1, 0):
                (Path(folder) / _EXACT_FILE).write_text(json.dumps(tokens), encoding="utf-8")

    def load_assets(self, folder: str) -> None:
        """Read the vocabulary from a folder `save_assets` wrote."""
        path = Path(folder) / _FILE
        if self.input_vocabulary is None and path.exists():
            exact = Path(folder) / _EXACT_FILE
            is_exact = exact.exists()
            text = (exact if is_exact else path).read_text(encoding="utf-8")
            tokens = json.loads(text) if is_exact else text.split("\n")
            weights = None if self.output_mode != "tf_idf" else np.ones(len(tokens))
            self.set_vocabulary(tokens, weights)

    adapts = True

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of 'tf_idf' into a store, as Keras does."""
        if self.output_mode == "tf_idf" and self._idf is not None:
            store["idf_weights"] = self._idf

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of 'tf_idf' from a store, once the vocabulary is there."""
        if self.output_mode == "tf_idf" and self._tokens and "idf_weights" in store.keys():
            specials = len(self._specials())
            given = np.asarray(store["idf_weights"])[specials : specials + len(self._tokens)]
            self.set_vocabulary(self._tokens, given)

    def __reduce__(self) -> Any:
        """Pickles and copies keep the vocabulary."""
        return reduced(super().__reduce__(), self)

    def _take_adapted(self, other: IndexLookup) -> None:
        """Have the vocabulary another lookup found, unless there is one."""
        if self._tokens is None and other._tokens is not None:
            idf = other._idf
            self.set_vocabulary(other._tokens, None if idf is None else idf[-len(other._tokens) :])

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        names = (
            "invert max_tokens num_oov_indices oov_token mask_token output_mode sparse "
            "pad_to_max_tokens oov_method salt"
        ).split()
        return explicit_config(
            self,
            vocabulary=plain_config(self.input_vocabulary),
            idf_weights=plain_config(self.input_idf_weights),
            vocabulary_size=self.vocabulary_size() if self._tokens is not None else None,
            **{name: getattr(self, name) for name in names},
        )


def reduced(plain: tuple[Any, tuple[Any, ...]], lookup: IndexLookup) -> Any:
    """How a layer is pickled: `plain`, what its base does, and the vocabulary of its lookup."""
    tokens, weights = lookup._tokens, lookup._idf
    if not tokens:
        return plain
    return _restored, (plain, tokens, None if weights is None else weights[-len(tokens) :])


def _restored(plain: tuple[Any, tuple[Any, ...]], tokens: list[Any], weights: Any) -> Any:
    layer = plain[0](*plain[1])
    layer.set_vocabulary(tokens, weights)
    return layer


@register("layers/StringLookup")
class StringLookup(HostLayer, IndexLookup):
    """Indices for strings, or with `invert` strings for indices.

    It works on the host: in a data pipeline, or in a model whose input has dtype 'string'. Rows of
    different lengths, a `nacre.data.Ragged`, give rows of indices, or one vector each.

    Args:
        max_tokens: Largest size of the vocabulary, special tokens included.
        num_oov_indices: Number of indices that unknown strings share by their fingerprints; 0
            refuses them.
        mask_token: String that stands for padding; index 0.
        oov_token: What unknown strings are called.
        vocabulary: The strings, or a text file with one a line.
        idf_weights: Weights for 'tf_idf'.
        invert: Map indices to strings.
        output_mode: 'int', 'one_hot', 'multi_hot', 'count' or 'tf_idf'.
        pad_to_max_tokens: Whether vectors have the size `max_tokens`.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
        encoding: Of bytes; what cannot be read in it becomes U+FFFD.
        salt: One or two ints, for another distribution over several unknown indices.
        oov_method: 'floormod' or 'farmhash': the same for strings.
    Source:
        TensorFlow 2.21: unknown strings get the same indices.
    Example:
        >>> StringLookup(vocabulary=["a", "b"])(np.array(["b", "z"])).tolist()
        [2, 0]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        *,
        oov_method: str = "floormod",
        **kwargs: Unpack[VocabularyKeywords],
    ) -> None:
        # Set before the base reads the vocabulary with it.
        object.__setattr__(self, "encoding", encoding)
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, sparse, pad_to_max_tokens, oov_method, salt, name=name, **kwargs,
        )  # fmt: skip

    _token_dtype = "string"

    def _indices(self, inputs: Any) -> Any:
        return super()._indices(self._checked(host_array(self, inputs)))

    def _checked(self, values: np.ndarray) -> np.ndarray:
        fix = "Use IntegerLookup for integers, or convert them with x.astype(str)."
        refuse_other_than_strings(self, values, fix)
        return values

    def _token(self, value: Any) -> str:
        return value.decode(self.encoding, "replace") if isinstance(value, bytes) else str(value)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "encoding": self.encoding}


@register("layers/IntegerLookup")
class IntegerLookup(IndexLookup):
    """Dense indices for integers, or with `invert` integers for indices.

    Rows of different lengths, a `nacre.data.Ragged`, give rows of indices, or one vector each.

    Args:
        max_tokens: Largest size of the vocabulary, special tokens included.
        num_oov_indices: Number of indices for unknown integers; 0 refuses them.
        mask_token: Integer that stands for padding; index 0.
        oov_token: What unknown integers are called.
        vocabulary: The integers.
        vocabulary_dtype: 'int64' or 'int32'.
        idf_weights: Weights for 'tf_idf'.
        invert: Map indices to integers.
        output_mode: 'int', 'one_hot', 'multi_hot', 'count' or 'tf_idf'.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
        pad_to_max_tokens: Whether vectors have the size `max_tokens`.
        oov_method: How several unknown indices are shared: 'floormod' by the remainder, 'farmhash'
            by the fingerprint; the latter only outside compiled models.
        salt: One or two ints, for another distribution of fingerprints.
    Example:
        >>> IntegerLookup(vocabulary=[10, 20])(np.array([20, 7])).tolist()
        [2, 0]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Unpack[VocabularyKeywords],
    ) -> None:
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert,
            output_mode, sparse, pad_to_max_tokens, oov_method, salt, name=name, **kwargs,
        )  # fmt: skip
        self.vocabulary_dtype = vocabulary_dtype

    _token_dtype = "int32"

    if not TYPE_CHECKING:  # a checker takes the base's, which has the types of `call`

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Apply the layer; outside compiled models integers may have 64 bits.

            Inside a model they have 32: wider ones are refused on their way in.
            """
            if args and is_rows(args[0]):
                return self.call(args[0])
            return super().__call__(*with_wide_ints(args), **kwargs)

    def _checked(self, values: np.ndarray) -> np.ndarray:
        if values.dtype.kind == "f" and np.any(values % 1):
            rule = "its tokens must be whole numbers"
            raise DTypeError(message(self._who(), rule, f"{values[values % 1 != 0][:3].tolist()}"))
        return values

    def _token(self, value: Any) -> int:
        try:
            return int(value)
        except (TypeError, ValueError):
            rule = "its tokens must be integers"
            raise DTypeError(
                message(self._who(), rule, repr(value), "Use StringLookup for strings.")
            ) from None

    def _bucket(self, token: Any) -> int:
        if self.oov_method == "floormod" and self.salt is None:
            return token % self.num_oov_indices
        return super()._bucket(token)

    def call(self, inputs: Any) -> Any:
        """Indices or vectors for integers; integers for indices when inverted."""
        if self.invert and is_tracer(inputs):
            return self._traced_tokens(inputs)
        return super().call(inputs)

    def _indices(self, inputs: Any) -> Any:
        if not is_tracer(inputs):
            return super()._indices(inputs)
        return self._traced_indices(inputs)

    def _traced_tokens(self, inputs: jax.Array) -> jax.Array:
        """The integers of indices inside a compiled program."""
        self._ready_tokens()
        tokens = np.array([*self.get_vocabulary(), self.oov_token], "int64")
        refuse_wide_integers(tokens, f"{self._who()}, vocabulary, inside a compiled model")
        tokens = tokens.astype("int32")
        unknown = len(tokens) - 1
        indices = inputs.astype("int32")
        known = (indices >= 0) & (indices < unknown)
        return jnp.asarray(tokens)[jnp.where(known, indices, unknown)]

    def _traced_indices(self, inputs: jax.Array) -> jax.Array:
        """The same inside a compiled program, where unknown integers cannot be refused."""
        if self.num_oov_indices > 1 and (self.oov_method != "floormod" or self.salt is not None):
            raise ArgumentError(
                message(
                    self._who(),
                    "inside a compiled model unknown integers get an index by their remainder",
                    f"oov_method={self.oov_method!r}, salt={self.salt!r}",
                    "Use oov_method='floormod', or apply the layer in the data pipeline.",
                )
            )
        tokens = np.array(self._ready_tokens(), "int64")
        refuse_wide_integers(tokens, f"{self._who()}, vocabulary, inside a compiled model")
        tokens = tokens.astype("int32")
        order = np.argsort(tokens)
        place = ops.searchsorted(jnp.asarray(tokens[order]), inputs)
        place = jnp.clip(place, 0, max(len(tokens) - 1, 0))
        known = jnp.asarray(tokens[order])[place] == inputs
        buckets = max(self.num_oov_indices, 1)
        unknown = self._first_oov() + inputs % buckets if self.num_oov_indices else -1
        indices = jnp.where(known, jnp.asarray(order)[place] + len(self._specials()), unknown)
        if self.mask_token is not None:
            indices = jnp.where(inputs == self.mask_token, 0 if self._has_mask else -1, indices)
        return indices.astype("int32")

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype}
