"""Whole numbers are asked for in one way, wherever they are arguments."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops, optimizers
from nacre.core.errors import ArgumentError
from nacre.core.numbers import as_whole, whole_number

# Every kind of place: (how it is called with a value, the argument, what is kept of it).
PLACES = [
    (layers.Dense, "units"),
    (lambda n: layers.Embedding(n, 3), "input_dim"),
    (lambda n: layers.Conv2D(n, 3), "filters"),
    (lambda n: layers.Conv1D(4, 3, groups=n), "groups"),
    (lambda n: layers.SeparableConv1D(4, 3, depth_multiplier=n), "depth_multiplier"),
    (lambda n: layers.ConvLSTM1D(n, 3), "filters"),
    (layers.LSTM, "units"),
    (layers.GRU, "units"),
    (layers.SimpleRNNCell, "units"),
    (lambda n: layers.MultiHeadAttention(n, 4), "num_heads"),
    (lambda n: layers.MultiHeadAttention(2, n), "key_dim"),
    (lambda n: layers.GroupQueryAttention(4, n, n), "num_query_heads"),
    (layers.RepeatVector, "n"),
    (lambda n: layers.GroupNormalization(groups=n), "groups"),
    (lambda n: layers.SpectralNormalization(layers.Dense(2), power_iterations=n), "power_iterations"),
    (layers.Hashing, "num_bins"),
    (lambda n: layers.Resizing(n, 4), "height"),
    (lambda n: layers.AugMix(num_chains=n), "num_chains"),
    (layers.CategoryEncoding, "num_tokens"),
    (lambda n: optimizers.Adam(gradient_accumulation_steps=n), "gradient_accumulation_steps"),
    (lambda n: optimizers.SGD(use_ema=True, ema_overwrite_frequency=n), "ema_overwrite_frequency"),
    (lambda n: callbacks.EarlyStopping(patience=n), "patience"),
    (lambda n: callbacks.ModelCheckpoint("m.keras", save_freq=n), "save_freq"),
    (lambda n: ops.space_to_depth(np.ones((1, 4, 4, 1)), n), "block_size"),
    (lambda n: nacre.utils.pad_sequences([[1]], maxlen=n), "maxlen"),
]  # fmt: skip
IDS = [f"{number}-{name}" for number, (_, name) in enumerate(PLACES)]


@pytest.mark.parametrize(("make", "name"), PLACES, ids=IDS)
def test_a_whole_number_of_any_kind_is_taken_as_an_int(make, name):
    for value in (2, np.int64(2), np.float32(2), 4 / 2, np.array(2), jnp.int32(2)):
        made = make(value)
        kept = getattr(made, name, getattr(getattr(made, "cell", made), name, 2))
        assert kept == 2 and type(kept) is int


@pytest.mark.parametrize(("make", "name"), PLACES, ids=IDS)
def test_what_is_no_whole_number_is_refused_by_its_name(make, name):
    for value in (2.5, -3, "2", True, [2], float("nan")):
        with pytest.raises(ArgumentError, match=f"{name} must be (a positive int|an int)"):
            make(value)


@pytest.mark.parametrize("rate", [2, 2.0, np.float64(2)])
def test_sizes_of_windows_and_borders_take_whole_numbers_of_any_kind(rate):
    for layer in (
        layers.MaxPooling2D(rate),
        layers.UpSampling2D(rate),
        layers.ZeroPadding2D(rate),
        layers.Conv2D(3, rate, strides=(rate, rate)),
        layers.Reshape((rate, -1)),
    ):
        config = str(layer.get_config())
        assert "2.0" not in config


def test_the_fix_is_told_by_the_value():
    for value, fix in (("8", "units=8, without quotes"), (8.5, "units=8, or units=math.ceil")):
        with pytest.raises(ArgumentError, match=fix):
            layers.Dense(value)


def test_large_whole_numbers_keep_their_digits():
    assert as_whole(2**60 + 1) == 2**60 + 1
    assert whole_number("x", "seed", np.int64(2**60 + 1)) == 2**60 + 1
    assert as_whole(float("inf")) is None
