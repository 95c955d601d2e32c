"""Texts to indices of word pieces."""

from __future__ import annotations

from typing import Any, Unpack

from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.preprocessing.subwords import SubwordTokenizer


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
    _characters = "characters of the texts"
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
