"""Three small transformers as a user would write them: GPT, BERT, and encoder with decoder."""

from __future__ import annotations

import numpy as np

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
