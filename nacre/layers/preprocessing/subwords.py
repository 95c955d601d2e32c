"""What tokenizers of pieces of words share; the work is done by the package `tokenizers`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    NotBuiltError,
    ShapeError,
    message,
)
from nacre.core.interop import optional_import
from nacre.core.numbers import whole_number
from nacre.core.strings import refuse_missing
from nacre.core.symbolic import KerasTensor
from nacre.layers.core.configs import explicit_config
from nacre.layers.preprocessing.encoding import batches_of, host_array
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.layers.preprocessing.vocabulary import (
    lines_of,
    refuse_other_than_strings,
    refuse_other_than_symbolic_strings,
)


class SubwordTokenizer(HostLayer):
    """What both tokenizers share: files, vocabulary, the way there and back."""

    adapts = True
    traces_shapes = True
    _model = ""  # as the package calls it
    _characters = ""  # what pieces begin with
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
        if isinstance(special_tokens, str):
            special_tokens = (special_tokens,)
        self.special_tokens = tuple(map(str, special_tokens))
        if not isinstance(pad_token, str):
            rule = "pad_token must be a token, as short texts are filled up with it"
            raise ArgumentError(message(self._who(), rule, repr(pad_token)))
        self.start_token, self.end_token, self.pad_token = start_token, end_token, pad_token
        least = sum(token is not None for token in (start_token, end_token))
        if output_sequence_length is not None and output_sequence_length < least:
            raise ArgumentError(
                message(
                    self._who(),
                    "output_sequence_length must hold the start and the end of a text",
                    f"{output_sequence_length}, with {start_token!r} and {end_token!r}",
                    f"Pass at least {least + 1}, or leave out start_token or end_token.",
                )
            )
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
            table = {str(token): int(index) for token, index in vocabulary.items()}
            if len(set(table.values())) < len(vocabulary) or min(table.values(), default=0) < 0:
                rule = "each token of the vocabulary must have an index of its own, from 0"
                twice = [i for i, n in Counter(table.values()).items() if n > 1 or i < 0]
                raise ArgumentError(message(self._who(), rule, f"index {twice[:3]}"))
            return table
        if isinstance(vocabulary, str | Path):
            lines = lines_of(vocabulary, self._who())
            if lines and lines[0].lstrip().startswith("{"):
                return self._table(json.loads("\n".join(lines)))
            vocabulary = lines
        twice = [token for token, n in Counter(map(str, vocabulary)).items() if n > 1]
        if twice:
            rule = "the vocabulary must hold each token once"
            raise ArgumentError(message(self._who(), rule, f"several of {twice[:3]}"))
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
        seen = [0]

        def texts() -> Iterator[str]:
            for batch in batches_of(self, data, steps):
                found = self._texts(batch)
                seen[0] += len(found)
                yield from found

        tokenizer.train_from_iterator(texts(), trainer)
        if not seen[0]:
            rule = "adapt must be given texts"
            raise DataError(message(self._who(), rule, "no text"))
        least = tokenizer.get_vocab_size()
        if least > self.max_tokens:  # the package takes all single characters, whatever it is told
            raise ArgumentError(
                message(
                    self._who(),
                    f"max_tokens must be at least {least}: the special tokens and all single "
                    f"{self._characters}",
                    str(self.max_tokens),
                )
            )
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
        return [*start, *ids, *end]

    def detokenize(self, indices: Any, skip_special_tokens: bool = True) -> Any:
        """The texts of indices; one text for one row.

        Args:
            indices: (batch, length) or (length,) ints, or a list of rows of different lengths.
            skip_special_tokens: Whether padding, [UNK] and other special tokens are left out.
        """
        # Asked once: the package makes the whole vocabulary anew each time.
        return self._decoded(indices, self.vocabulary_size(), skip_special_tokens)

    def _decoded(self, indices: Any, limit: int, skips: bool) -> Any:
        if isinstance(indices, list | tuple) and any(np.ndim(row) for row in indices):
            return [self._decoded(row, limit, skips) for row in indices]
        array = np.asarray(indices)
        if array.size and array.dtype.kind not in "iu":
            rule = "indices must be whole numbers"
            raise DTypeError(message(self._who(), rule, f"dtype {array.dtype}"))
        if array.ndim > 1:
            return [self._decoded(row, limit, skips) for row in array]
        row = np.atleast_1d(array).tolist()
        outside = [index for index in row if not 0 <= index < limit]
        if outside:
            rule = f"indices must be from 0 to {limit - 1}"
            raise ArgumentError(message(self._who(), rule, str(outside[:5])))
        return self._ready().decode(row, skip_special_tokens=skips)

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
        refuse_other_than_symbolic_strings(self, inputs)
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
