"""Edges of the ops of networks, images and signals: what they refuse, 16 bits, unknown sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.ops as ops
from nacre.core.symbolic import KerasTensor
from nacre.layers import Input
from nacre.models import Model
from nacre.saving import load_model

PICTURE = np.ones((1, 4, 6, 8), "float32")

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "blocks that do not divide": (
        lambda: ops.space_to_depth(PICTURE, 3),
        r"space_to_depth: the height must be a multiple of 3\. Got 4",
    ),
    "blocks that do not divide a symbolic width": (
        lambda: ops.space_to_depth(KerasTensor((None, 4, 6, 8)), 4),
        r"space_to_depth: the width must be a multiple of 4\. Got 6",
    ),
    "too few channels": (
        lambda: ops.depth_to_space(PICTURE, 3),
        r"depth_to_space: the number of channels must be a multiple of 9\. Got 8",
    ),
    "a block of no size": (
        lambda: ops.depth_to_space(PICTURE, 0),
        "block_size must be a positive int",
    ),
    "an image without batch": (lambda: ops.space_to_depth(PICTURE[0], 2), "of 4 axes"),
    "a misspelt data format": (
        lambda: ops.space_to_depth(PICTURE, 2, data_format="channel_last"),
        "channel_last",
    ),
    "a causal transpose": (
        lambda: ops.conv_transpose(np.ones((1, 4, 1)), np.ones((2, 1, 1)), padding="causal"),
        r"conv_transpose: padding must be 'valid' or 'same'\. Got 'causal'",
    ),
    "a causal pool": (
        lambda: ops.max_pool(np.ones((1, 4, 1)), 2, padding="causal"),
        r"max_pool: padding must be 'valid' or 'same'\. Got 'causal'",
    ),
    "a window larger than the image": (
        lambda: ops.unfold(PICTURE, 7),
        "unfold: the window must fit into the images",
    ),
    "patches with a misspelt padding": (
        lambda: ops.image.extract_patches(PICTURE, 2, padding="sane"),
        r"extract_patches: padding must be 'valid' or 'same'\. Got 'sane'",
    ),
    "an image smaller than the filter": (
        lambda: ops.image.ssim(PICTURE, PICTURE),
        "ssim: images must be at least as large as the filter",
    ),
    "triples of real numbers": (
        lambda: ops.view_as_complex(np.ones((2, 3))),
        "view_as_complex: the last axis must have size 2",
    ),
    "a sequence longer than the signal": (
        lambda: ops.extract_sequences(np.ones(4), 5, 1),
        "extract_sequences: .* a sequence must fit in",
    ),
    "an adaptive pool without spatial axes": (
        lambda: ops.adaptive_max_pool(np.ones((2, 3)), 1),
        "adaptive_max_pool: inputs must have axes",
    ),
    "an adaptive pool of one size for two axes": (
        lambda: ops.adaptive_average_pool(PICTURE, (2,)),
        r"adaptive_average_pool: output_size must be an int of 1 or more, or 2 of them",
    ),
    "distances of vectors": (
        lambda: ops.cdist(np.ones(2), np.ones((2, 2))),
        "cdist: x and y must be matrices with rows of one length",
    ),
    "slices of an unknown batch": (
        lambda: ops.unstack(KerasTensor((None, 2))),
        r"unstack: the size of the axis must be known\. Got axis 0 of None\. Pass num=",
    ),
}


@pytest.mark.parametrize(("call", "text"), REFUSED.values(), ids=REFUSED)
def test_refused(call: Callable[[], Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_block_ops_follow_the_data_format_of_the_settings() -> None:
    assert ops.space_to_depth(PICTURE, 2, data_format=None).shape == (1, 2, 3, 32)
    assert ops.depth_to_space(KerasTensor((None, None, 6, 8)), 2).shape == (None, None, 12, 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_signals_and_ctc_of_16_bits(dtype: str) -> None:
    x = ops.cast(np.arange(8.0), dtype)
    for part, wide in zip(ops.rfft(x), ops.rfft(np.arange(8.0, dtype="float32")), strict=True):
        assert part.dtype == dtype
        np.testing.assert_allclose(np.asarray(part, "float32"), wide, rtol=0.01, atol=0.01)
    assert ops.stft(x, 4, 2, 4)[0].dtype == dtype
    assert ops.view_as_complex(x[:2]).dtype == ops.polar(x, x).dtype == "complex64"
    loss = ops.ctc_loss([[1]], ops.cast(np.zeros((1, 3, 2)), dtype), [1], [3])
    assert loss.dtype == "float32"
    # 6 of the 8 paths of three frames spell "1".
    np.testing.assert_allclose(loss, [-np.log(6 / 8)], rtol=1e-5)


def test_segments_whose_number_is_in_the_values_have_a_symbolic_form() -> None:
    ids = KerasTensor((None,), "int32")
    assert ops.segment_sum(KerasTensor((None, 3)), ids).shape == (None, 3)
    assert ops.segment_max(KerasTensor((5, 3)), ids, num_segments=2).shape == (2, 3)


def test_a_slice_may_take_what_is_left() -> None:
    assert ops.slice(np.arange(5), [2], [-1]).tolist() == [2, 3, 4]
    assert ops.slice(KerasTensor((None, 5)), (0, 1), (-1, 3)).shape == (None, 3)


def test_a_file_keeps_the_sizes_a_pattern_was_given(tmp_path: Path) -> None:
    x = Input((4, 6))
    model = Model(x, ops.rearrange(x, "b h (w c) -> b w (h c)", c=2))
    model.save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").output_shape == (None, 3, 8)


def test_saturate_cast_to_the_widest_ints() -> None:
    x = np.array([-1.0, 3e9, 1e12])
    assert ops.saturate_cast(x, "uint32").tolist() == [0, 3_000_000_000, 2**32 - 1]
    assert ops.saturate_cast(x, "int32").tolist() == [-1, 2**31 - 1, 2**31 - 1]
