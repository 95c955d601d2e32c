"""Messages about masks and batches name the arguments and the shapes the caller wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers

X = np.ones((2, 5, 8), "float32")
SHORT, SQUARE = np.ones((2, 4), bool), np.ones((2, 4, 5), bool)


@pytest.mark.parametrize(
    ("name", "mask", "wanted"),
    [
        ("padding_mask", SHORT, r"\(2, 5\)"),
        ("attention_mask", SQUARE, r"\(2, 5, 5\)"),
        ("mask", SHORT, r"\(2, 5\)"),
    ],
)
def test_an_encoder_names_its_own_argument(name: str, mask: Any, wanted: str) -> None:
    layer = layers.TransformerEncoder(4, 2)
    with pytest.raises(ValueError, match=f"TransformerEncoder '.*': {name} must .* {wanted}"):
        layer(X, **{name: mask})


@pytest.mark.parametrize(
    ("name", "mask", "wanted"),
    [
        ("decoder_padding_mask", SHORT, r"\(2, 5\)"),
        ("decoder_attention_mask", SQUARE, r"\(2, 5, 5\)"),
        ("encoder_padding_mask", np.ones((2, 5), bool), r"\(2, 3\)"),
        ("encoder_attention_mask", np.ones((2, 5, 5), bool), r"\(2, 5, 3\)"),
    ],
)
def test_a_decoder_names_its_own_argument(name: str, mask: Any, wanted: str) -> None:
    layer = layers.TransformerDecoder(4, 2)
    with pytest.raises(ValueError, match=f"TransformerDecoder '.*': {name} must .* {wanted}"):
        layer(X, X[:, :3], **{name: mask})


def test_a_mask_of_the_query_must_fit_though_it_changes_no_number() -> None:
    with pytest.raises(ValueError, match=r"query_mask must have the first axes of \(2, 5\)"):
        layers.MultiHeadAttention(2, 4)(X, X, query_mask=SHORT)


class Own(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(6)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


@pytest.mark.parametrize("count", [1, 5, 8])
def test_predict_tells_the_batch_it_was_given_not_the_padded_one(count: int) -> None:
    model = Own()
    model(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match=rf"input of shape \({count}, 4\)"):
        model.predict(np.ones((count, 4), "float32"), verbose=0)
