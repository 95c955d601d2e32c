"""Texts to indices of byte pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.preprocessing.subwords import SubwordTokenizer
from nacre.layers.preprocessing.vocabulary import lines_of


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
    _characters = "bytes"

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
            merges = [line for line in lines_of(merges, self._who()) if line[:8] != "#version"]
        pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else pair for pair in merges or ()]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            rule = "a vocabulary of byte pairs needs its merges, pairs such as 't h'"
            raise ArgumentError(message(self._who(), rule, "none" if not pairs else "other lines"))
        absent = sorted(set(self._package("pre_tokenizers").ByteLevel.alphabet()) - set(table))
        if absent:  # they would vanish from texts without a word
            rule = "the vocabulary must hold all 256 bytes, as vocab.json of GPT-2 does"
            got = f"one without {', '.join(map(repr, absent[:5]))}"
            fix = "Pass a tokenizer.json, which tells what becomes of other characters."
            raise ArgumentError(message(self._who(), rule, got, fix))
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
