"""Tokenizers of subwords: what they know comes back, through files too, and wrong use is told."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    MissingPackageError,
    NotBuiltError,
    SerializationError,
    ShapeError,
)

tokenizers = pytest.importorskip("tokenizers", reason="the layers stand on tokenizers")

TEXTS = ["The cat sat on the mat.", "A dog chased the cat!", "cats and dogs chase mats", "thé çat"]
PIECES = ["[PAD]", "[UNK]", "play", "##ing", "##ed", "the", "[MASK]"]
BOTH = (layers.BytePairTokenizer, layers.WordPieceTokenizer)


def adapted(kind, **options):
    layer = kind(max_tokens=320, **options)
    layer.adapt(TEXTS)
    return layer


def test_byte_pairs_give_back_every_text_exactly() -> None:
    layer = adapted(layers.BytePairTokenizer)
    texts = ["the cats sat", " Two  spaces\n", "naïve 東京 🙂", ""]
    indices = layer(texts)
    assert str(indices.dtype) == "int32" and layer.detokenize(indices) == texts
    assert layer.detokenize(indices[0]) == "the cats sat"
    assert "Ġcat" in layer.tokens_of("the cat")


def test_word_pieces_are_the_longest_that_the_vocabulary_holds() -> None:
    layer = layers.WordPieceTokenizer(vocabulary=PIECES, special_tokens=["[MASK]"])
    found = layer(["Playing, the played", "[MASK]"])
    assert found.tolist() == [[2, 3, 1, 5, 2, 4], [6, 0, 0, 0, 0, 0]]
    assert layer.detokenize(found[:1]) == ["playing the played"]
    cased = layers.WordPieceTokenizer(vocabulary=PIECES, lowercase=False)
    assert cased(["Playing"]).tolist() == [[1]]


@pytest.mark.parametrize("kind", BOTH)
def test_padding_is_index_0_and_special_tokens_follow(kind) -> None:
    layer = adapted(kind, start_token="[START]", end_token="[END]", special_tokens=["[MASK]"])
    specials = [t for t in layer.get_vocabulary() if t.startswith("[") and len(t) > 1]
    assert specials[0] == "[PAD]" and specials[-3:] == ["[START]", "[END]", "[MASK]"]
    first, second = layer(["the cat sat", "the"]).tolist()
    start, end = layer.token_to_id("[START]"), layer.token_to_id("[END]")
    assert first[0] == second[0] == start and first[-1] == end and second[-1] == 0
    assert len(layer.tokens_of("cat [MASK]")) == len(layer.tokens_of("cat ")) + 1
    assert layer.vocabulary_size() == len(layer.get_vocabulary()) <= 320
    assert layer.id_to_token(start) == "[START]"


@pytest.mark.parametrize("kind", BOTH)
def test_a_length_pads_and_cuts_before_the_end_token(kind) -> None:
    layer = adapted(kind, end_token="[END]", output_sequence_length=4)
    found = np.asarray(layer(["the cat sat on the mat", "a"]))
    assert found.shape == (2, 4) and found[0, -1] == layer.token_to_id("[END]")
    assert np.asarray(layer("a")).shape == (4,) and found[1, -1] == 0


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_of_texts_keeps_its_tokenizer_in_files(kind, suffix, tmp_path) -> None:
    layer = adapted(kind, output_sequence_length=5)
    model = nacre.Sequential(
        [
            nacre.Input((), dtype="string"),
            layer,
            layers.Embedding(layer.vocabulary_size(), 2, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )
    texts = np.array(["the cat", "dogs"])
    before = model.predict(texts, verbose=0)
    model.save(tmp_path / f"model{suffix}")
    again = nacre.models.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_array_equal(again.predict(texts, verbose=0), before)
    copy = nacre.models.clone_model(model)
    assert copy.layers[0].get_vocabulary() == layer.get_vocabulary()


def test_files_of_older_models_open(tmp_path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    of_file = layers.WordPieceTokenizer(vocabulary=tmp_path / "vocab.txt")
    assert of_file(["played"]).tolist() == [[2, 4]]
    single = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    pieces = [*single, "lo", "low", "##", "[PAD]"]
    (tmp_path / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(pieces)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nl o\nlo w\n# #\n")
    of_files = layers.BytePairTokenizer(
        vocabulary=str(tmp_path / "vocab.json"), merges=str(tmp_path / "merges.txt")
    )
    assert of_files(["lowlo##"]).tolist() == [[257, 256, 258]]
    of_files._tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = layers.BytePairTokenizer(str(tmp_path / "tokenizer.json"))
    assert again(["lowlo"]).tolist() == [[257, 256]]
    with pytest.raises(ArgumentError, match="of kind WordPiece. Got BPE"):
        layers.WordPieceTokenizer(str(tmp_path / "tokenizer.json"))


def test_what_a_tokenizer_does_around_texts_does_not_count() -> None:
    given = tokenizers.Tokenizer.from_str(adapted(layers.BytePairTokenizer)._tokenizer.to_str())
    given.enable_truncation(1)
    given.enable_padding(length=9)
    layer = layers.BytePairTokenizer(given)
    assert layer.detokenize(layer(["the cat sat"])) == ["the cat sat"]
    given.enable_truncation(1)  # a copy was taken
    assert layer.detokenize(layer(["the cat sat"])) == ["the cat sat"]


def test_wrong_use_is_told() -> None:
    layer = layers.BytePairTokenizer()
    with pytest.raises(NotBuiltError, match=r"Call adapt\(texts\) first"):
        layer(["a"])
    layer = adapted(layers.BytePairTokenizer)
    with pytest.raises(DTypeError, match="inputs must be strings"):
        layer(np.array([1, 2]))
    with pytest.raises(ShapeError, match=r"\(batch,\) or \(batch, 1\)"):
        layer([["a", "b"]])
    with pytest.raises(ArgumentError, match="from 0 to"):
        layer.detokenize([1, 10**6])
    with pytest.raises(DTypeError, match="whole numbers"):
        layer.detokenize([0.5])
    with pytest.raises(ArgumentError, match="in the vocabulary. Got '<s>'"):
        layers.WordPieceTokenizer(vocabulary=PIECES, start_token="<s>")
    with pytest.raises(ArgumentError, match="needs its merges"):
        layers.BytePairTokenizer(vocabulary={"[PAD]": 0})
    with pytest.raises(ArgumentError, match="must hold all 256 bytes"):
        layers.BytePairTokenizer(vocabulary={"[PAD]": 0, "a": 1, "b": 2}, merges=["a b"])
    with pytest.raises(ArgumentError, match="an index of its own"):
        layers.WordPieceTokenizer(vocabulary={"[PAD]": 0, "[UNK]": 0})
    with pytest.raises(ArgumentError, match="each token once"):
        layers.WordPieceTokenizer(vocabulary=[*PIECES, "the"])
    with pytest.raises(ArgumentError, match="pad_token must be a token"):
        layers.WordPieceTokenizer(pad_token=None)
    with pytest.raises(ArgumentError, match="no file at 'nowhere.json'"):
        layers.BytePairTokenizer("nowhere.json")
    with pytest.raises(ArgumentError, match="what the package tokenizers writes"):
        layers.BytePairTokenizer('{"model": 3}')


@pytest.mark.parametrize("kind", BOTH)
def test_adapt_keeps_max_tokens_or_tells_the_least(kind) -> None:
    layer = kind(max_tokens=20)
    with pytest.raises(ArgumentError, match=r"max_tokens must be at least \d+.*Got 20"):
        layer.adapt(TEXTS)
    with pytest.raises(DataError, match="no text"):
        layer.adapt([])
    with pytest.raises(NotBuiltError):
        layer(["a"])


def test_a_file_of_a_model_names_no_other_file(tmp_path) -> None:
    config = nacre.layers.serialize(adapted(layers.BytePairTokenizer))
    config["config"]["tokenizer"] = str(tmp_path / "secret.json")
    with pytest.raises((SerializationError, ArgumentError), match="secret.json") as caught:
        nacre.saving.deserialize_keras_object(config, safe_mode=True)
    assert "no file" not in str(caught.value)


def test_without_the_package_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers.models", None)
    with pytest.raises(MissingPackageError, match=r'pip install "nacre\[tokenizers\]"'):
        layers.WordPieceTokenizer(vocabulary=PIECES)


@pytest.mark.parametrize("kind", BOTH)
def test_a_length_that_cannot_hold_start_and_end_is_refused(kind) -> None:
    """The end had been cut off without a word."""
    with pytest.raises(ArgumentError, match=r"must hold the start and the end[\s\S]*at least 3"):
        kind(output_sequence_length=1, start_token="[S]", end_token="[E]")
    assert kind(output_sequence_length=1, end_token="[E]").output_sequence_length == 1
