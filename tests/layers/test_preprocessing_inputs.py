"""What preprocessing layers make of odd arguments and data: accepted whole, or refused in words."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nacre import Input, layers
from nacre.core.errors import ArgumentError, DataError, DTypeError, ShapeError
from nacre.utils import FeatureSpace

MISSING = np.array(["a", None], dtype=object)
UNEVEN = [["a", "b"], ["c"]]


def adapted(data: Any, **kwargs: Any) -> layers.Normalization:
    layer = layers.Normalization(**kwargs)
    layer.adapt(data)
    return layer


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "normalization_width": (
        lambda: adapted(np.ones((4, 3)))(np.ones((4, 5))), ShapeError, r"\(1, 3\).*\(4, 5\)",
    ),
    "normalization_width_symbolic": (
        lambda: adapted(np.ones((4, 3)))(Input((5,))), ShapeError, r"sizes \(1, 3\)",
    ),
    "normalization_width_adapt": (
        lambda: adapted(np.ones((4, 3))).adapt(np.ones((4, 5))), ShapeError, r"\(4, 5\)",
    ),
    "normalization_given_width": (
        lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])(np.ones((2, 3))),
        ShapeError, r"mean and variance, \(2,\).*\(2, 3\)",
    ),
    "normalization_given_shapes": (
        lambda: layers.Normalization(mean=[1.0, 2.0], variance=1.0), ArgumentError, "one shape",
    ),
    "normalization_negative": (
        lambda: layers.Normalization(mean=0.0, variance=-1.0), ArgumentError, "not negative",
    ),
    "normalization_axis": (lambda: layers.Normalization(axis="a"), ArgumentError, "axis must be"),
    "normalization_strings": (lambda: adapted(["a"]), DTypeError, "adapt needs numbers"),
    "normalization_nothing": (lambda: adapted(np.ones((0, 3))), DataError, "at least one row"),
    "normalization_dict": (
        lambda: adapted({"a": np.ones(3)}), DataError, "adapt needs an array.*one column",
    ),
    "rescaling_dict": (
        lambda: layers.Rescaling(2.0)({"a": np.ones(2)}), ArgumentError, "one array.*dict",
    ),
    "rescaling_width": (
        lambda: layers.Rescaling([1.0, 2.0])(np.ones((2, 3))), ShapeError, r"\(2,\).*\(2, 3\)",
    ),
    "rescaling_none": (lambda: layers.Rescaling(None), ArgumentError, "scale must be a number"),
    "rescaling_word": (lambda: layers.Rescaling("a"), ArgumentError, "scale must be a number"),
    "encoding_weights": (
        lambda: layers.CategoryEncoding(3, "count")([[0, 1]], count_weights=[[1.0, 2.0, 3.0]]),
        ShapeError, r"count_weights.*\(1, 2\).*\(1, 3\)",
    ),
    "discretization_words": (lambda: layers.Discretization(["a"]), ArgumentError, "ascend"),
    "discretization_nan": (lambda: layers.Discretization([np.nan, 1.0]), ArgumentError, "ascend"),
    "discretization_nothing": (
        lambda: layers.Discretization(num_bins=2).adapt(np.array([np.nan])), DataError, "one number",
    ),
    "lookup_missing": (
        lambda: layers.StringLookup().adapt(MISSING), DataError, "strings only.*None",
    ),
    "lookup_adapt_numbers": (
        lambda: layers.StringLookup().adapt([1, 2]), DTypeError, "IntegerLookup",
    ),
    "lookup_uneven": (
        lambda: layers.StringLookup(vocabulary=["a"])(UNEVEN), ShapeError, "one length",
    ),
    "lookup_mask_within": (
        lambda: layers.StringLookup(mask_token="m", vocabulary=["a", "m"]), ArgumentError,
        r"begin with all of \['m', '\[UNK\]'\].*'m' among",
    ),
    "lookup_unknown_within": (
        lambda: layers.IntegerLookup(invert=True, vocabulary=[3, -1]), ArgumentError, "-1 among",
    ),
    "lookup_weights": (
        lambda: layers.StringLookup(vocabulary=["a"], idf_weights=[1.0]), ArgumentError, "tf_idf",
    ),
    "lookup_pad": (
        lambda: layers.StringLookup(pad_to_max_tokens=True), ArgumentError, "needs max_tokens",
    ),
    "lookup_no_file": (
        lambda: layers.StringLookup(vocabulary="/no/such.txt"), ArgumentError, "no file at",
    ),
    "lookup_inverted_words": (
        lambda: layers.StringLookup(vocabulary=["a"], invert=True)(["a"]), DTypeError, "indices",
    ),
    "lookup_sizes": (lambda: layers.StringLookup(max_tokens="5"), ArgumentError, "int of at least 2"),
    "lookup_mode": (lambda: layers.StringLookup(output_mode=None), ArgumentError, "one of"),
    "integers_words": (
        lambda: layers.IntegerLookup().adapt(["a"]), DTypeError, "integers.*StringLookup",
    ),
    "integers_parts": (
        lambda: layers.IntegerLookup().adapt([1.5, 2.0]), DTypeError, r"whole numbers.*1\.5",
    ),
    "text_missing": (
        lambda: layers.TextVectorization(vocabulary=["a"])(MISSING), DataError, "strings only",
    ),
    "text_numbers": (
        lambda: layers.TextVectorization(vocabulary=["a"])(np.array([1])), DTypeError, "strings",
    ),
    "text_dict": (
        lambda: layers.TextVectorization(vocabulary=["a"])({"x": ["a"]}), DTypeError, "strings",
    ),
    "text_ngrams": (lambda: layers.TextVectorization(ngrams=1.5), ArgumentError, "ngrams"),
    "hashing_missing": (lambda: layers.Hashing(5)(MISSING), DataError, "strings only"),
    "hashing_none": (lambda: layers.Hashing(5)(None), DTypeError, "ints or strings"),
    "mel_sizes": (lambda: layers.MelSpectrogram(fft_length=0), ArgumentError, "fft_length"),
    "mel_window": (
        lambda: layers.MelSpectrogram(fft_length=64, sequence_length=128), ArgumentError,
        "from 1 to fft_length=64",
    ),
    "stft_step": (lambda: layers.STFTSpectrogram(frame_step=0), ArgumentError, "frame_step"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_meant_is_refused_in_words(name: str) -> None:
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call()


def test_integers_of_more_than_32_bits_keep_their_value() -> None:
    lookup = layers.IntegerLookup()
    lookup.adapt(np.array([2**40, 2**40, 7]))
    assert lookup.get_vocabulary() == [-1, 2**40, 7]
    assert lookup([2**40, 7, 2**40 + 1]).tolist() == [1, 2, 0]
    hashing = layers.Hashing(1000)
    assert hashing([2**40]).tolist() == hashing(np.array([2**40])).tolist()
    assert hashing([2**40]).tolist() != hashing([0]).tolist()  # its lower 32 bits


def test_bytes_that_are_no_text_are_unknown_words() -> None:
    broken = np.array([b"caf\xe9", b"a"], dtype=object)
    assert layers.StringLookup(vocabulary=["a"])(broken).tolist() == [0, 1]
    latin = layers.StringLookup(vocabulary=["café"], encoding="latin-1")
    assert latin(broken).tolist() == [1, 0]


def test_batches_in_a_list_may_end_with_a_short_one() -> None:
    layer = adapted([np.ones((4, 3)), np.zeros((2, 3))])
    np.testing.assert_allclose(layer.mean, np.full((1, 3), 2 / 3), rtol=1e-6)


def test_one_row_and_one_feature_are_normalized() -> None:
    layer = adapted(np.array([[1.0, 2.0], [3.0, 6.0]]))
    np.testing.assert_allclose(layer(np.array([3.0, 6.0])), [[1.0, 1.0]], rtol=1e-6)
    assert layers.CategoryEncoding(3, "one_hot")(1).tolist() == [0.0, 1.0, 0.0]
    assert layers.CategoryEncoding(3)([]).tolist() == [0.0, 0.0, 0.0]


def test_adapting_passes_over_missing_numbers() -> None:
    layer = layers.Discretization(num_bins=2)
    layer.adapt(np.array([np.nan, 0.0, 2.0]))
    assert layer.bin_boundaries == [0.0]
    assert layers.MelSpectrogram(64, 32, num_mel_bins=4, top_db=None)(np.ones(200)).shape == (4, 7)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_keep_what_adapt_found(copied: Callable[[Any], Any]) -> None:
    for mode in ("int", "tf_idf"):
        text = layers.TextVectorization(output_mode=mode)
        text.adapt(["a b b", "b c"])
        np.testing.assert_array_equal(copied(text)(["a b z"]), text(["a b z"]))
    integers = layers.IntegerLookup(mask_token=0, num_oov_indices=2)
    integers.adapt([5, 5, 7, 0])
    assert copied(integers).get_vocabulary() == integers.get_vocabulary()
    space = FeatureSpace({"a": "float_normalized", "b": "integer_categorical"})
    space.adapt({"a": [1.0, 3.0], "b": [5, 7]})
    row = {"a": [1.0], "b": [7]}
    np.testing.assert_array_equal(copied(space)(row), space(row))


def test_tokens_with_line_breaks_come_back_from_a_file(tmp_path) -> None:
    text = layers.TextVectorization(split="character", standardize=None)
    text.adapt(["a\nb\nb\r"])
    text.save_assets(str(tmp_path))
    opened = layers.TextVectorization(split="character", standardize=None)
    opened.load_assets(str(tmp_path))
    assert opened.get_vocabulary() == text.get_vocabulary() == ["", "[UNK]", "b", "\n", "a", "\r"]


IMAGE_ARGUMENTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: layers.RandomRotation("a"), "factor must be"),
    (lambda: layers.RandomBrightness(None), "factor must be"),
    (lambda: layers.RandomContrast("a"), "factor must be"),
    (lambda: layers.RandomBrightness(0.1, value_range=5), "value_range"),
    (lambda: layers.RandomPosterization("a"), "whole number from 1 to 8"),
    (lambda: layers.RandomGaussianBlur(kernel_size="a"), "odd and positive"),
    (lambda: layers.MixUp(alpha="a"), "alpha must be"),
    (lambda: layers.RandAugment(num_ops=-1), "num_ops"),
    (lambda: layers.AugMix(num_chains="a"), "num_chains"),
    (lambda: layers.Equalization(bins=0), "bins"),
    (lambda: layers.RandomPerspective(scale="a"), "scale must be"),
    (lambda: layers.MaxNumBoundingBoxes("a"), "max_number"),
    (lambda: layers.Resizing(0, 4), "height must be"),
    (lambda: layers.CenterCrop(4, -1), "width must be"),
    (lambda: layers.RandomCrop(2.5, 4), "height must be"),
    (
        lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=3),
        "tile_grid_size",
    ),
]


@pytest.mark.parametrize(("call", "words"), IMAGE_ARGUMENTS)
def test_image_layers_say_which_argument_is_wrong(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        call()
