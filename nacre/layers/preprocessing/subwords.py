"""Texts to indices of pieces of words: byte pairs and word pieces, by the package `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import ArgumentError, DTypeError, NotBuiltError, ShapeError, message
from nacre.core.interop import optional_import
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.strings import refuse_missing
from nacre.core.symbolic import KerasTensor
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.core.configs import explicit_config
from nacre.layers.preprocessing.encoding import batches_of, host_array
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.layers.preprocessing.vocabulary import lines_of, refuse_other_than_strings


class SubwordTokenizer(HostLayer):
    """What both tokenizers share: files, vocabulary, the way there and back."""

    adapts = True
    traces_shapes = True
    _model = ""  # as the package calls it
    _specials_of_kind: tuple[str, ...] = ()

    def __init__(
        self,
        max_tokens: int,
        special_tokens: Any,
        start_token: str | None,
        end_token: str | None,
        pad_token: str,
        output_sequence_length: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_tokens = whole_number(self._who(), "max_tokens", max_tokens)
        if output_sequence_length is not None:
            output_sequence_length = whole_number(
                self._who(), "output_sequence_length", output_sequence_length
            )
        self.output_sequence_length = output_sequence_length
        self.special_tokens = tuple(map(str, special_tokens))
        self.start_token, self.end_token, self.pad_token = start_token, end_token, pad_token
        self._tokenizer: Any = None

    # ------------------------------------------------------------------------- where it comes from

    def _begin_with(self, tokenizer: Any, vocabulary: Any, merges: Any = None) -> None:
        """What the constructor was given besides the settings, if anything."""
        if tokenizer is not None and vocabulary is not None:
            rule = "the tokens must come from one place"
            raise ArgumentError(message(self._who(), rule, "tokenizer and vocabulary"))
        if tokenizer is not None:
            self._take(self._opened(tokenizer))
        elif vocabulary is not None:
            self._take(self._of_vocabulary(self._table(vocabulary), merges))

    def _package(self, part: str = "") -> Any:
        name = f"tokenizers.{part}" if part else "tokenizers"
        return optional_import(name, extra="tokenizers", who=self._who())

    def _opened(self, tokenizer: Any) -> Any:
        """A tokenizer of the package, from one, its text, or the file that holds the text."""
        package = self._package()
        if isinstance(tokenizer, package.Tokenizer):
            tokenizer = tokenizer.to_str()  # a copy: what happens to the other does not count
        text = str(tokenizer)
        if not text.lstrip().startswith("{"):
            safety.refuse_path(text, self._who())
            if not Path(text).is_file():
                rule = "tokenizer must be a file such as tokenizer.json, or what it holds"
                raise ArgumentError(message(self._who(), rule, f"no file at {text[:200]!r}"))
            text = Path(text).read_text(encoding="utf-8")
        try:
            found = package.Tokenizer.from_str(text)
        except Exception as error:  # the package raises this class itself
            rule = "tokenizer must be what the package tokenizers writes"
            raise ArgumentError(message(self._who(), rule, str(error)[:200])) from None
        kind = type(found.model).__name__
        if kind != self._model:
            rule = f"the tokenizer must be one of kind {self._model}"
            raise ArgumentError(message(self._who(), rule, kind))
        return found

    def _table(self, vocabulary: Any) -> dict[str, int]:
        """Token -> index, from a mapping, a list, or a file: JSON, or one token a line."""
        if isinstance(vocabulary, Mapping):
            return {str(token): int(index) for token, index in vocabulary.items()}
        if isinstance(vocabulary, str | Path):
            lines = lines_of(vocabulary, self._who())
            if lines and lines[0].lstrip().startswith("{"):
                return self._table(json.loads("\n".join(lines)))
            vocabulary = lines
        return {str(token): index for index, token in enumerate(vocabulary)}

    def _of_vocabulary(self, table: dict[str, int], merges: Any) -> Any:
        raise NotImplementedError(message(self._who(), "a tokenizer must define _of_vocabulary"))

    def _trainer(self, special_tokens: list[str]) -> tuple[Any, Any]:
        raise NotImplementedError(message(self._who(), "a tokenizer must define _trainer"))

    def _take(self, tokenizer: Any) -> None:
        """Use a tokenizer, once all special tokens are found in it."""
        tokenizer.no_padding()
        tokenizer.no_truncation()
        table = tokenizer.get_vocab()
        absent = [token for token in self._all_specials() if token not in table]
        if absent:
            near = [token for token in table if token[:1] in "[<" and token[-1:] in "]>"][:8]
            raise ArgumentError(
                message(
                    self._who(),
                    "pad_token, start_token, end_token and special_tokens must be in the "
                    "vocabulary",
                    f"{', '.join(map(repr, absent))}, which {'are' if absent[1:] else 'is'} not",
                    f"It holds {', '.join(map(repr, near))}." if near else "",
                )
            )
        tokenizer.add_special_tokens(self._all_specials())
        self._tokenizer = tokenizer

    def _all_specials(self) -> list[str]:
        around = (token for token in (self.start_token, self.end_token) if token is not None)
        found = (self.pad_token, *self._specials_of_kind, *around, *self.special_tokens)
        return list(dict.fromkeys(found))

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Find the pieces in texts: special tokens first, padding 0, then the most useful ones.

        Args:
            data: Texts, or batches of texts.
            batch_size: Kept for compatibility with Keras.
            steps: Number of batches to look at.
        """
        tokenizer, trainer = self._trainer(self._all_specials())
        texts = (text for batch in batches_of(self, data, steps) for text in self._texts(batch))
        tokenizer.train_from_iterator(texts, trainer)
        self._take(tokenizer)

    def reset_state(self) -> None:
        """Forget the vocabulary."""
        self._tokenizer = None

    def _ready(self) -> Any:
        if self._tokenizer is None:
            raise NotBuiltError(
                message(
                    self._who(),
                    "its vocabulary must be known",
                    "a layer without vocabulary",
                    "Call adapt(texts) first, or pass tokenizer='tokenizer.json'.",
                )
            )
        return self._tokenizer

    # ------------------------------------------------------------------------------ what it knows

    def get_vocabulary(self) -> list[str]:
        """The tokens, in the order of their indices."""
        table = self._ready().get_vocab()
        tokens = [""] * self.vocabulary_size()
        for token, index in table.items():
            tokens[index] = token
        return tokens

    def vocabulary_size(self) -> int:
        """The number of indices: one above the largest."""
        return max(self._ready().get_vocab().values()) + 1

    def token_to_id(self, token: str) -> int:
        """The index of a token.

        Raises:
            ArgumentError: The vocabulary does not hold it.
        """
        index = self._ready().token_to_id(token)
        if index is None:
            rule = "the token must be in the vocabulary"
            raise ArgumentError(message(self._who(), rule, repr(token)))
        return index

    def id_to_token(self, index: int) -> str:
        """The token of an index.

        Raises:
            ArgumentError: No token has it.
        """
        found = self._ready().id_to_token(int(index)) if index >= 0 else None
        if found is None:
            rule = f"the index must be from 0 to {self.vocabulary_size() - 1}"
            raise ArgumentError(message(self._who(), rule, str(index)))
        return found

    def tokens_of(self, text: str) -> list[str]:
        """The pieces of one text, as they stand in the vocabulary."""
        return self._ready().encode(text, add_special_tokens=False).tokens

    # ------------------------------------------------------------------------------ there and back

    def _texts(self, values: Any) -> list[str]:
        array = host_array(self, values)
        refuse_other_than_strings(self, array, "Convert other values with x.astype(str).")
        if array.dtype.kind == "O":
            refuse_missing(array, self._who())
        return [
            text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
            for text in array.ravel().tolist()
        ]

    def call(self, inputs: Any) -> Any:
        """Indices for texts."""
        texts = host_array(self, inputs)
        if texts.ndim == 0:
            return self.call(texts[None])[0]
        self._check_shape(texts.shape)
        tokenizer = self._ready()
        found = tokenizer.encode_batch(self._texts(texts), add_special_tokens=False)
        rows = [self._around(encoding.ids) for encoding in found]
        length = self.output_sequence_length
        length = max(map(len, rows), default=0) if length is None else length
        padded = np.full((len(rows), length), self.token_to_id(self.pad_token), "int32")
        for row, ids in zip(padded, rows, strict=True):
            row[: len(ids)] = ids
        return jnp.asarray(padded)

    def _around(self, ids: list[int]) -> list[int]:
        """The indices with the start and the end; what is too long is cut before the end."""
        start = [] if self.start_token is None else [self.token_to_id(self.start_token)]
        end = [] if self.end_token is None else [self.token_to_id(self.end_token)]
        if self.output_sequence_length is not None:
            ids = ids[: max(0, self.output_sequence_length - len(start) - len(end))]
        return [*start, *ids, *end][: self.output_sequence_length]

    def detokenize(self, indices: Any, skip_special_tokens: bool = True) -> Any:
        """The texts of indices; one text for one row.

        Args:
            indices: (batch, length) or (length,) ints, or a list of rows of different lengths.
            skip_special_tokens: Whether padding and the other special tokens are left out.
        """
        if isinstance(indices, list | tuple) and any(np.ndim(row) for row in indices):
            return [self.detokenize(row, skip_special_tokens) for row in indices]
        array = np.asarray(indices)
        if array.size and array.dtype.kind not in "iu":
            rule = "indices must be whole numbers"
            raise DTypeError(message(self._who(), rule, f"dtype {array.dtype}"))
        if array.ndim > 1:
            return [self.detokenize(row, skip_special_tokens) for row in array]
        row = np.atleast_1d(array).tolist()
        limit = self.vocabulary_size()
        outside = [index for index in row if not 0 <= index < limit]
        if outside:
            rule = f"indices must be from 0 to {limit - 1}"
            raise ArgumentError(message(self._who(), rule, str(outside[:5])))
        return self._ready().decode(row, skip_special_tokens=skip_special_tokens)

    def _check_shape(self, shape: tuple[Any, ...]) -> None:
        if len(shape) != 1 and not (len(shape) == 2 and shape[1] in (1, None)):
            raise ShapeError(
                message(
                    self._who(),
                    "texts must have shape (batch,) or (batch, 1)",
                    f"shape {tuple(shape)}",
                    "Tokenize each column with a call of its own.",
                )
            )

    def compute_output_spec(self, inputs: Any) -> Any:
        """The symbolic output: indices."""
        if isinstance(inputs, KerasTensor) and inputs.dtype != "string":
            raise DTypeError(
                message(
                    self._who(),
                    "its input must be strings",
                    f"a symbolic tensor of dtype {inputs.dtype}",
                    "Make it with nacre.Input(shape=(1,), dtype='string').",
                )
            )
        self._check_shape(tuple(inputs.shape))
        return KerasTensor((inputs.shape[0], self.output_sequence_length), "int32")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs for the shape of the texts."""
        return self.compute_output_spec(KerasTensor(input_shape, "string")).shape

    def _take_adapted(self, other: SubwordTokenizer) -> None:
        """Have the vocabulary another layer found, unless there is one."""
        if self._tokenizer is None and other._tokenizer is not None:
            self._take(self._opened(other._tokenizer))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data; `tokenizer` holds all that is known."""
        names = "max_tokens start_token end_token pad_token output_sequence_length".split()
        return explicit_config(
            self,
            tokenizer=None if self._tokenizer is None else self._tokenizer.to_str(),
            special_tokens=list(self.special_tokens),
            **{name: getattr(self, name) for name in names},
        )


@register("layers/BytePairTokenizer", module="nacre")
class BytePairTokenizer(SubwordTokenizer):
    """Texts to indices of byte pairs, as GPT-2 and its heirs read them.

    Any text can be written with it, and `detokenize` gives back every character: it begins with
    the 256 bytes, and `adapt` joins the two neighbours that stand together most often, again and
    again. It works on the host, as `TextVectorization` does.

    Args:
        tokenizer: What is known already: a file `tokenizer.json`, the text in it, or a
            `tokenizers.Tokenizer`. None for `adapt`.
        vocabulary: Instead: token -> index, or a file `vocab.json`, as older models come.
        merges: With `vocabulary`: pairs 'a b' in their order, or a file `merges.txt`.
        max_tokens: Size of the vocabulary that `adapt` makes, special tokens included.
        special_tokens: Tokens that stand for themselves wherever a text holds them.
        start_token: Put before each text; None for nothing.
        end_token: Put behind each text, also one that is cut.
        pad_token: What fills up short texts; `adapt` gives it the index 0.
        output_sequence_length: Length to pad and cut to; the longest text's by default.
    Shapes:
        inputs  (batch,) or (batch, 1) strings
        returns (batch, length) int32
    Raises:
        ArgumentError: A special token is not in the vocabulary, or a file is of another kind.
        MissingPackageError: tokenizers is not installed: pip install "nacre[tokenizers]".
    Source:
        Sennrich et al. 2016, arXiv:1508.07909, section 3.2, on bytes as in Radford et al. 2019,
        "Language Models are Unsupervised Multitask Learners", section 2.2. The work is done by
        the package tokenizers. What a file says about padding, cutting and tokens around a text
        does not count; the arguments do.
    Example:
        >>> layer = nacre.layers.BytePairTokenizer(max_tokens=300)       # doctest: +SKIP
        >>> layer.adapt(["low lower lowest"])                            # doctest: +SKIP
        >>> layer.detokenize(layer(["a lower one"]))                     # doctest: +SKIP
        ['a lower one']
    """

    _model = "BPE"

    def __init__(
        self,
        tokenizer: Any = None,
        vocabulary: Any = None,
        merges: Any = None,
        max_tokens: int = 8000,
        special_tokens: Any = (),
        start_token: str | None = None,
        end_token: str | None = None,
        pad_token: str = "[PAD]",
        output_sequence_length: int | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(
            max_tokens, special_tokens, start_token, end_token, pad_token, output_sequence_length,
            **kwargs,
        )  # fmt: skip
        self._begin_with(tokenizer, vocabulary, merges)

    def _empty(self, **model: Any) -> Any:
        package, models = self._package(), self._package("models")
        tokenizer = package.Tokenizer(models.BPE(**model))
        byte_level = self._package("pre_tokenizers").ByteLevel(add_prefix_space=False)
        tokenizer.pre_tokenizer = byte_level
        tokenizer.decoder = self._package("decoders").ByteLevel()
        return tokenizer

    def _of_vocabulary(self, table: dict[str, int], merges: Any) -> Any:
        if isinstance(merges, str | Path):
            merges = [line for line in lines_of(merges, self._who()) if not line.startswith("#")]
        pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else pair for pair in merges or ()]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            rule = "a vocabulary of byte pairs needs its merges, pairs such as 't h'"
            raise ArgumentError(message(self._who(), rule, "none" if not pairs else "other lines"))
        try:
            return self._empty(vocab=table, merges=pairs)
        except Exception as error:  # the package raises this class itself
            rule = "merges must be of tokens in the vocabulary"
            raise ArgumentError(message(self._who(), rule, str(error)[:200])) from None

    def _trainer(self, special_tokens: list[str]) -> tuple[Any, Any]:
        trainer = self._package("trainers").BpeTrainer(
            vocab_size=self.max_tokens,
            special_tokens=special_tokens,
            initial_alphabet=self._package("pre_tokenizers").ByteLevel.alphabet(),
            show_progress=False,
        )
        return self._empty(), trainer


@register("layers/WordPieceTokenizer", module="nacre")
class WordPieceTokenizer(SubwordTokenizer):
    """Texts to indices of word pieces, as BERT and its heirs read them.

    Words are parted at spaces and punctuation; each is cut into the longest pieces the vocabulary
    holds, those that go on within a word written `##ing`. A word that cannot be cut so is [UNK].
    It works on the host, as `TextVectorization` does.

    Args:
        tokenizer: What is known already: a file `tokenizer.json`, the text in it, or a
            `tokenizers.Tokenizer`. None for `adapt`.
        vocabulary: Instead: the tokens, or a file `vocab.txt` with one a line, as BERT's.
        max_tokens: Size of the vocabulary that `adapt` makes, special tokens included.
        special_tokens: Tokens that stand for themselves wherever a text holds them, as '[MASK]'.
        start_token: Put before each text; None for nothing. BERT's is '[CLS]'.
        end_token: Put behind each text, also one that is cut. BERT's is '[SEP]'.
        pad_token: What fills up short texts; `adapt` gives it the index 0.
        output_sequence_length: Length to pad and cut to; the longest text's by default.
        lowercase: Whether letters are made small and lose their accents, for `adapt` and
            `vocabulary`; a tokenizer that is given says it itself.
    Shapes:
        inputs  (batch,) or (batch, 1) strings
        returns (batch, length) int32
    Raises:
        ArgumentError: A special token is not in the vocabulary, or a file is of another kind.
        MissingPackageError: tokenizers is not installed: pip install "nacre[tokenizers]".
    Source:
        Wu et al. 2016, arXiv:1609.08144, section 4.1, cut as in Devlin et al. 2019,
        arXiv:1810.04805. The work is done by the package tokenizers. What a file says about
        padding, cutting and tokens around a text does not count; the arguments do.
    Example:
        >>> layer = nacre.layers.WordPieceTokenizer(                     # doctest: +SKIP
        ...     vocabulary=["[PAD]", "[UNK]", "play", "##ing", "##ed"])
        >>> layer(["playing played"]).tolist()                           # doctest: +SKIP
        [[2, 3, 2, 4]]
    """

    _model = "WordPiece"
    _specials_of_kind = ("[UNK]",)

    def __init__(
        self,
        tokenizer: Any = None,
        vocabulary: Any = None,
        max_tokens: int = 8000,
        special_tokens: Any = (),
        start_token: str | None = None,
        end_token: str | None = None,
        pad_token: str = "[PAD]",
        output_sequence_length: int | None = None,
        lowercase: bool = True,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(
            max_tokens, special_tokens, start_token, end_token, pad_token, output_sequence_length,
            **kwargs,
        )  # fmt: skip
        self.lowercase = bool(lowercase)
        self._begin_with(tokenizer, vocabulary)

    def _empty(self, **model: Any) -> Any:
        package, models = self._package(), self._package("models")
        tokenizer = package.Tokenizer(models.WordPiece(unk_token="[UNK]", **model))
        normalizers = self._package("normalizers")
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=self.lowercase)
        tokenizer.pre_tokenizer = self._package("pre_tokenizers").BertPreTokenizer()
        tokenizer.decoder = self._package("decoders").WordPiece()
        return tokenizer

    def _of_vocabulary(self, table: dict[str, int], merges: Any) -> Any:
        return self._empty(vocab=table)

    def _trainer(self, special_tokens: list[str]) -> tuple[Any, Any]:
        trainer = self._package("trainers").WordPieceTrainer(
            vocab_size=self.max_tokens, special_tokens=special_tokens, show_progress=False
        )
        return self._empty(), trainer

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "lowercase": self.lowercase}
