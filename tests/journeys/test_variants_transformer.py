"""Four small transformers as a user would write them: GPT, BERT, encoder with decoder, and T5."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import nacre
from nacre import layers

VOCAB, STEPS, DIM = 12, 8, 16
START = 1
rng = np.random.default_rng(0)


def falls(model, x, y, epochs=6):
    """Train; the loss must fall well below where it began."""
    model.compile(
        nacre.optimizers.Adam(0.01),
        nacre.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    losses = model.fit(x, y, batch_size=32, epochs=epochs, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0], losses


def gpt():
    tokens = nacre.Input((None,), dtype="int32")
    embedding = layers.TokenAndPositionEmbedding(VOCAB, STEPS, DIM)
    x = embedding(tokens)
    for _ in range(2):
        x = layers.TransformerDecoder(
            2 * DIM, num_heads=2, normalize_first=True, activation="gelu"
        )(x)
    x = layers.LayerNormalization()(x)
    return nacre.Model(tokens, layers.Dense(VOCAB)(x), name="gpt")


def test_a_gpt_learns_to_count_on(tmp_path):
    first = rng.integers(2, VOCAB, (256, 1))
    text = 2 + (first - 2 + np.arange(STEPS + 1)) % (VOCAB - 2)  # 2 3 … 11 2 3 …
    model = gpt()
    falls(model, text[:, :-1], text[:, 1:])
    assert nacre.models.generate(model, [[5, 6, 7], [10, 11, 2]], STEPS).tolist() == [
        [5, 6, 7, 8, 9, 10, 11, 2],
        [10, 11, 2, 3, 4, 5, 6, 7],
    ]
    model.save(tmp_path / "gpt.keras")
    again = nacre.models.load_model(tmp_path / "gpt.keras")
    options = {"temperature": 0.5, "top_k": 3, "top_p": 0.9, "seed": 1}
    np.testing.assert_array_equal(
        nacre.models.generate(model, [3, 4], STEPS, **options),
        nacre.models.generate(again, [3, 4], STEPS, **options),
    )


def bert():
    tokens = nacre.Input((None,), dtype="int32")
    embedding = layers.TokenAndPositionEmbedding(VOCAB, STEPS, DIM, mask_zero=True)
    x = layers.LayerNormalization()(embedding(tokens))
    x = layers.TransformerEncoder(2 * DIM, num_heads=2, activation="gelu", dropout=0.05)(x)
    return nacre.Model(tokens, layers.Dense(VOCAB)(x), name="bert")


def test_a_bert_fills_in_masked_tokens(tmp_path):
    mask_token = 1
    first = rng.integers(2, VOCAB, (256, 1))
    whole = 2 + (first - 2 + np.arange(STEPS)) % (VOCAB - 2)
    whole[::3, 6:] = 0  # padding
    seen = np.where((rng.random(whole.shape) < 0.15) & (whole > 0), mask_token, whole)
    model = bert()
    falls(model, seen, whole)
    filled = model.predict(np.array([[4, 5, mask_token, 7, 8, 9, 0, 0]]), verbose=0).argmax(-1)
    assert filled[0, 2] == 6
    model.save(tmp_path / "bert.keras")
    again = nacre.models.load_model(tmp_path / "bert.keras")
    np.testing.assert_allclose(
        again.predict(seen[:8], verbose=0), model.predict(seen[:8], verbose=0), rtol=1e-4, atol=1e-5
    )


def encoder_decoder():
    source, target = nacre.Input((None,), dtype="int32"), nacre.Input((None,), dtype="int32")
    embedding = layers.TokenAndPositionEmbedding(VOCAB, STEPS, DIM)
    encoded = layers.TransformerEncoder(2 * DIM, num_heads=2, normalize_first=True)(
        embedding(source)
    )
    encoded = layers.LayerNormalization()(encoded)
    x = layers.TransformerDecoder(2 * DIM, num_heads=2, normalize_first=True)(
        embedding(target), encoded
    )
    return nacre.Model([source, target], layers.Dense(VOCAB)(layers.LayerNormalization()(x)))


def test_an_encoder_decoder_learns_to_copy(tmp_path):
    source = rng.integers(2, VOCAB, (512, 4))
    target = np.concatenate([np.full((512, 1), START), source], axis=1)
    model = encoder_decoder()
    falls(model, [source, target[:, :-1]], target[:, 1:], epochs=14)
    new = rng.integers(2, VOCAB, (32, 4))
    out = nacre.models.generate(model, np.full((32, 1), START), 5, encoder_inputs=new)
    assert (out[:, 1:] == new).mean() > 0.6
    model.save(tmp_path / "copy.keras")
    again = nacre.models.load_model(tmp_path / "copy.keras")
    beams = nacre.models.generate(
        again, np.full((32, 1), START), 5, encoder_inputs=new, num_beams=2
    )
    assert (beams[:, 1:] == new).mean() > 0.6


def t5(num_blocks=2, num_heads=2):
    """Relative positions shared by each stack, RMS norms before each branch, no biases, one table
    for source, target and scores."""
    source, target = nacre.Input((None,), dtype="int32"), nacre.Input((None,), dtype="int32")
    table = layers.ReversibleEmbedding(VOCAB, DIM, tie_weights=True)
    block = {"num_heads": num_heads, "normalize_first": True, "use_rms_norm": True}
    block |= {"use_bias": False, "dropout": 0.0, "activation": "relu"}

    x = table(source)
    bias = layers.RelativePositionBias(num_heads, num_buckets=8, max_distance=16)(x)
    for _ in range(num_blocks):
        x = layers.TransformerEncoder(2 * DIM, **block)(x, position_bias=bias)
    encoded = layers.RMSNormalization()(x)

    y = table(target)
    bias = layers.RelativePositionBias(
        num_heads, num_buckets=8, max_distance=16, bidirectional=False
    )(y)
    for _ in range(num_blocks):
        y = layers.TransformerDecoder(2 * DIM, **block)(y, encoded, position_bias=bias)
    return nacre.Model([source, target], table(layers.RMSNormalization()(y), reverse=True))


def test_a_t5_learns_to_turn_sequences_round(tmp_path):
    source = rng.integers(2, VOCAB, (512, 4))
    target = np.concatenate([np.full((512, 1), START), source[:, ::-1]], axis=1)
    model = t5()
    falls(model, [source, target[:, :-1]], target[:, 1:], epochs=30)
    new = rng.integers(2, VOCAB, (32, 4))
    start = np.full((32, 1), START)
    out = nacre.models.generate(model, start, 5, encoder_inputs=new)
    assert (out[:, 1:] == new[:, ::-1]).mean() > 0.6
    model.save(tmp_path / "t5.keras")
    again = nacre.models.load_model(tmp_path / "t5.keras")
    np.testing.assert_array_equal(
        nacre.models.generate(again, start, 5, encoder_inputs=new, num_beams=3),
        nacre.models.generate(model, start, 5, encoder_inputs=new, num_beams=3),
    )


@pytest.mark.parametrize("model", [gpt, bert, encoder_decoder, t5], ids=lambda f: f.__name__)
def test_each_model_is_written_in_under_sixty_lines(model):
    assert len(inspect.getsource(model).splitlines()) < 60
