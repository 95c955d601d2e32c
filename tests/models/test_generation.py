"""Generation: what each strategy chooses, and that memory changes nothing but the time."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, NonFiniteError, ShapeError
from nacre.layers import (
    Dense,
    Embedding,
    Input,
    LayerNormalization,
    RelativePositionBias,
    SinePositionEncoding,
    TokenAndPositionEmbedding,
    TransformerDecoder,
    TransformerEncoder,
)
from nacre.models import generate, generation_graph

VOCAB = 7
PROMPT = np.array([[1, 2, 3], [4, 5, 6]])


def learned(mask_zero=False):
    tokens = Input((None,), dtype="int32")
    embedding = TokenAndPositionEmbedding(VOCAB, 12, 8, "random_normal", mask_zero=mask_zero)
    x = embedding(tokens)
    x = TransformerDecoder(16, 2, kernel_initializer="random_normal")(x)
    if not mask_zero:
        x = TransformerDecoder(16, 2, normalize_first=True, dropout=0.1)(x)
    return nacre.Model(tokens, embedding(LayerNormalization()(x) * 40.0, reverse=True))


def rotary():
    tokens = Input((None,), dtype="int32")
    x = Embedding(VOCAB, 8, "random_normal")(tokens)
    x = x + SinePositionEncoding()(x)
    x = TransformerDecoder(16, 2, use_rotary=True)(x)
    return nacre.Model(tokens, Dense(VOCAB)(x))


MODELS = {"learned": learned, "masked": lambda: learned(mask_zero=True), "rotary": rotary}
each_model = pytest.mark.parametrize("name", list(MODELS))


def by_hand(model, prompt, length):
    tokens = np.array(prompt)
    while tokens.shape[1] < length:
        logits = np.asarray(model(np.pad(tokens, ((0, 0), (0, length - tokens.shape[1])))))
        chosen = logits[:, tokens.shape[1] - 1].argmax(-1)
        tokens = np.concatenate([tokens, chosen[:, None]], axis=1)
    return tokens


@each_model
def test_memory_changes_no_token(name):
    model = MODELS[name]()
    assert generation_graph.can_cache(model, None)
    greedy = generate(model, PROMPT, 10)
    np.testing.assert_array_equal(greedy, by_hand(model, PROMPT, 10))
    ragged = [[1, 2, 3, 4, 5], [6]]
    drawn, beams = {"top_k": 3, "top_p": 0.9, "seed": 1}, {"num_beams": 3, "end_token": 2}
    choices = {"learned": [drawn, beams], "masked": [beams], "rotary": [drawn]}
    for options in choices[name]:
        kept = generate(model, ragged, 10, use_cache=True, **options)
        np.testing.assert_array_equal(kept, generate(model, ragged, 10, use_cache=False, **options))


def test_layers_over_all_steps_are_not_called_on_one():
    tokens = Input((None,), dtype="int32")
    x = Embedding(VOCAB, 8)(tokens)
    for mixed in (
        nacre.layers.Softmax(axis=1)(x),
        nacre.ops.softmax(x, axis=1),
        nacre.ops.flip(x, axis=1),
        TransformerDecoder(16, 2)(x, use_causal_mask=False),
        TransformerDecoder(16, 2)(x, x),
        nacre.layers.TransformerEncoder(16, 2)(x),
        nacre.layers.GRU(8, return_sequences=True)(x),
    ):
        assert not generation_graph.can_cache(nacre.Model(tokens, Dense(VOCAB)(mixed)), None)


def test_one_program_serves_prompts_of_all_lengths(monkeypatch):
    model, traced, call = rotary(), [], TransformerDecoder.call
    monkeypatch.setattr(
        TransformerDecoder, "call", lambda self, *a, **k: (traced.append(1), call(self, *a, **k))[1]
    )
    generate(model, PROMPT, 8)
    before = len(traced)
    generate(model, PROMPT[:, :1], 8)
    model.set_weights([w * 0.5 for w in model.get_weights()])
    changed = generate(model, PROMPT[:, :2], 8)
    assert len(traced) == before > 0
    np.testing.assert_array_equal(changed, by_hand(model, PROMPT[:, :2], 8))


TABLE = np.random.default_rng(3).normal(size=(4, 4)).astype("float32")


def chain(tokens):
    """A Markov chain: logits by the last token alone."""
    return jax.numpy.asarray(TABLE)[tokens]


def log_probability(tokens):
    logs = TABLE - np.log(np.exp(TABLE).sum(-1, keepdims=True))
    return sum(logs[a, b] for a, b in itertools.pairwise(tokens))


def test_many_beams_find_the_most_probable_sequence():
    best = max(itertools.product(range(4), repeat=4), key=lambda t: log_probability((1, *t)))
    assert generate(chain, [1], 5, num_beams=64).tolist() == [1, *best]


def test_the_end_token_ends_a_sequence_and_padding_follows():
    count = lambda tokens: jax.nn.one_hot(tokens + 1, 10)
    out = generate(count, [[1], [4]], 7, end_token=5, pad_token=9)
    assert out.tolist() == [[1, 2, 3, 4, 5, 9, 9], [4, 5, 9, 9, 9, 9, 9]]
    assert generate(count, [1, 2], 4, num_beams=2).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"temperature": 1.0, "top_k": 1}])
def test_each_prompt_is_continued_by_max_new_tokens_whatever_its_length(options):
    count = lambda tokens: jax.nn.one_hot(tokens + 1, 20)
    prompts = [[1, 2, 3], [7], [4, 5]]
    out = generate(count, prompts, max_new_tokens=2, **options)
    assert out.tolist() == [[1, 2, 3, 4, 5], [7, 8, 9, 0, 0], [4, 5, 6, 7, 0]]
    out = generate(count, prompts, 4, max_new_tokens=2, **options)
    assert out.tolist() == [[1, 2, 3, 4], [7, 8, 9, 0], [4, 5, 6, 7]]
    assert generate(count, [5, 6], max_new_tokens=3, **options).tolist() == [5, 6, 7, 8, 9]


def test_the_end_token_comes_before_max_new_tokens():
    count = lambda tokens: jax.nn.one_hot(tokens + 1, 10)
    out = generate(count, [[1], [4]], max_new_tokens=3, end_token=5, pad_token=9)
    assert out.tolist() == [[1, 2, 3, 4], [4, 5, 9, 9]]


def test_memory_continues_each_prompt_by_max_new_tokens():
    model = learned()
    prompts = [[1, 2, 3, 4], [5]]
    out = generate(model, prompts, max_new_tokens=3)
    assert out.shape == (2, 7) and (out[1, 4:] == 0).all()
    for row, prompt in zip(out, prompts):
        alone = generate(model, prompt, len(prompt) + 3)
        np.testing.assert_array_equal(row[: len(alone)], alone)


def test_a_length_penalty_prefers_longer_sequences():
    # After 0: end (3) with 0.5, or 1 with 0.4 and then surely 2 and the end.
    p = np.full((4, 4), 1e-9, "float32")
    p[0], p[1, 2], p[2, 3], p[3, 3] = [0.05, 0.4, 0.05, 0.5], 1, 1, 1
    options = {"num_beams": 4, "end_token": 3, "pad_token": 3, "from_logits": False}
    model = lambda tokens: jax.numpy.asarray(p)[tokens]
    assert generate(model, [0], 4, **options).tolist() == [0, 3, 3, 3]
    assert generate(model, [0], 4, length_penalty=1.0, **options).tolist() == [0, 1, 2, 3]


def test_draws_repeat_with_the_seed():
    draws = [generate(chain, [1], 30, temperature=1.0, seed=s) for s in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    np.testing.assert_array_equal(generate(chain, [1], 9, top_k=1), generate(chain, [1], 9))


def test_a_recurrent_model_and_a_fixed_number_of_steps():
    model = nacre.Sequential(
        [
            Input((9,), dtype="int32"),
            Embedding(VOCAB, 4),
            nacre.layers.GRU(8, return_sequences=True),
            Dense(VOCAB),
        ]
    )
    assert not generation_graph.can_cache(model, None)
    out = generate(model, PROMPT, 6)
    assert out.shape == (2, 6) and out.dtype == np.int32
    np.testing.assert_array_equal(
        out, by_hand(lambda t: model(np.pad(t, ((0, 0), (0, 3)))), PROMPT, 6)
    )
    with pytest.raises(ShapeError, match="at most 9"):
        generate(model, PROMPT, 10)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"temperature": -1.0}, "must not be negative"),
        ({"top_k": 0}, "top_k must be a positive int or None"),
        ({"top_k": 1.5}, "top_k must be a positive int or None"),
        ({"num_beams": 0}, "num_beams must be a positive int"),
        ({"end_token": (4, 5)}, "end_token must be one token"),
        ({"end_token": "4"}, "end_token must be one token"),
        ({"pad_token": None}, "pad_token must be one token"),
        ({"top_p": 0.0}, "above 0"),
        ({"temperature": 0.0, "top_k": 2}, "nothing is drawn"),
        ({"num_beams": 2, "top_k": 2}, "draws nothing"),
    ],
)
def test_wrong_arguments_are_told(options, rule):
    with pytest.raises(ArgumentError, match=rule):
        generate(chain, [1], 5, **options)


def test_a_length_must_be_given():
    with pytest.raises(ArgumentError, match="neither max_length nor max_new_tokens"):
        generate(chain, [1])
    with pytest.raises(ArgumentError, match="max_new_tokens must be a positive int"):
        generate(chain, [1], max_new_tokens=0)


def test_wrong_prompts_are_told():
    for prompt in ([], [[]], [1, 2, 3]):
        with pytest.raises(ShapeError, match="from 1 to max_length"):
            generate(chain, prompt, 2)


@pytest.mark.parametrize("prompt", ["hello", ["hello"], [["a", "b"]], [1.5, 2], [[1], [2.5]], None])
def test_a_prompt_that_is_no_tokens_is_told(prompt):
    with pytest.raises(ArgumentError, match="must be tokens, whole numbers"):
        generate(chain, prompt, 4)


def test_whole_numbers_of_any_dtype_are_tokens():
    np.testing.assert_array_equal(generate(chain, [1.0, 2.0], 4), generate(chain, [1, 2], 4))


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}, {"temperature": 1.0, "seed": 0}])
def test_predictions_that_are_nan_choose_no_token(options):
    model = nacre.Sequential([Input((None,), dtype="int32"), Embedding(VOCAB, VOCAB)])
    with pytest.raises(NonFiniteError, match=f"sequence 1 .* tokens from 1 to {VOCAB}"):
        generate(model, [[1, 2], [3, VOCAB]], 4, **options)


def test_logits_taken_for_probabilities_are_told():
    with pytest.raises(NonFiniteError, match="ends in a softmax"):
        generate(lambda tokens: chain(tokens) - 50.0, [1], 4, from_logits=False)


def ending_in(activation):
    parts = [
        Input((None,), dtype="int32"),
        Embedding(VOCAB, 4),
        Dense(VOCAB, activation=activation),
    ]
    return nacre.Sequential(parts)


@pytest.mark.parametrize("options", [{"temperature": 0.5, "seed": 0}, {"num_beams": 2}])
def test_probabilities_taken_for_logits_are_told_where_the_choice_depends_on_it(options):
    with pytest.warns(UserWarning, match="already applies softmax.*Pass from_logits=False"):
        generate(ending_in("softmax"), [1], 4, **options)
    model = ending_in(None)
    model.layers[-1].bias.assign([9.0] * VOCAB)
    with pytest.warns(UserWarning, match="so they are logits.*Pass from_logits=True"):
        generate(model, [1], 4, from_logits=False, **options)
    # None of these warns: warnings are errors here.
    generate(ending_in("softmax"), [1], 4, from_logits=False, **options)
    generate(ending_in("sigmoid"), [1], 4, from_logits=False, **options)
    generate(ending_in(None), [1], 4, **options)
    generate(ending_in("softmax"), [1], 4)


def test_ragged_prompts_are_lists_of_different_lengths():
    prompts = nacre.data.Ragged(np.array([1, 2, 3]), np.array([0, 1, 3]))
    np.testing.assert_array_equal(generate(chain, prompts, 5), generate(chain, [[1], [2, 3]], 5))


@pytest.mark.parametrize("options", [{}, {"num_beams": 2}])
def test_a_model_that_predicts_no_token_for_each_step_is_refused(options):
    for layer in (nacre.layers.GRU(4), nacre.layers.Conv1D(4, 2)):
        model = nacre.Sequential(
            [Input((None,), dtype="int32"), Embedding(VOCAB, 4), layer, Dense(VOCAB)]
        )
        with pytest.raises(ShapeError, match=r"after each step: outputs \(batch, time, vocab\)"):
            generate(model, PROMPT, 6, **options)


# ------------------------------------------------------------------- encoder and decoder


def copying(mask_zero=False, relative=False):
    """A model of [source, tokens] with weights large enough to have opinions."""
    source, tokens = Input((None,), dtype="int32"), Input((None,), dtype="int32")
    embedding = TokenAndPositionEmbedding(VOCAB, 12, 8, "random_normal", mask_zero=mask_zero)
    x, y = embedding(source), embedding(tokens)
    biases = [None, None]
    if relative:
        biases = [
            RelativePositionBias(2, 8, 16, bidirectional=both)(z)
            for both, z in ((True, x), (False, y))
        ]
    given = lambda bias: {} if bias is None else {"position_bias": bias}
    options = {"kernel_initializer": "random_normal", "use_rms_norm": relative}
    encoded = TransformerEncoder(16, 2, **options)(x, **given(biases[0]))
    for _ in range(2):
        y = TransformerDecoder(16, 2, **options)(y, encoded, **given(biases[1]))
    model = nacre.Model([source, tokens], embedding(y * 20.0, reverse=True))
    for weight in model.weights:
        if weight.name in ("kernel", "embeddings"):
            weight.assign(weight.value * 8)
    return model


STRATEGIES = {
    "greedy": {},
    "top_k": {"top_k": 3, "temperature": 0.8, "seed": 1},
    "top_p": {"top_p": 0.8, "seed": 2},
    "beams": {"num_beams": 3, "end_token": 2},
    "ending": {"end_token": 3, "pad_token": 0},
}
SOURCE = np.array([[5, 4, 3, 2, 0], [1, 6, 0, 0, 0]])


# Beams rearrange what is remembered, so every form meets them; the other strategies only choose.
FORMS = [
    ({}, ("greedy", "ending", "beams")),
    ({"mask_zero": True}, ("top_k", "beams")),
    ({"relative": True}, ("top_p", "beams")),
]


@pytest.mark.parametrize(
    ("form", "strategy"), [(form, each) for form, several in FORMS for each in several], ids=str
)
def test_memory_of_an_encoder_changes_no_token(form, strategy):
    model, options = copying(**form), STRATEGIES[strategy]
    assert generation_graph.can_cache(model, SOURCE)
    prompts = [[1, 2], [4]]
    fast, slow = (
        generate(model, prompts, 9, encoder_inputs=SOURCE, use_cache=cached, **options)
        for cached in (True, False)
    )
    np.testing.assert_array_equal(fast, slow)
    assert len({tuple(row[2:]) for row in fast}) > 1


def test_the_encoder_and_its_keys_are_computed_once(monkeypatch):
    """Counted as the program is traced: a loop's body is traced too, and must not hold them."""
    model = copying()
    model.predict([SOURCE, SOURCE], verbose=0)
    calls = []
    count = lambda cls, name, real: monkeypatch.setattr(
        cls, "call", lambda self, *a, **k: (calls.append(name), real(self, *a, **k))[1]
    )
    count(TransformerEncoder, "encoder", TransformerEncoder.call)
    count(TransformerDecoder, "decoder", TransformerDecoder.call)
    keys = [
        layer.cross_attention._key_dense
        for layer in model.layers
        if isinstance(layer, TransformerDecoder)
    ]
    projection = type(keys[0])
    real = projection.call
    monkeypatch.setattr(
        projection,
        "call",
        lambda self, x: (calls.append("keys") if self in keys else None, real(self, x))[1],
    )
    generate(model, PROMPT, 8, encoder_inputs=SOURCE)
    assert calls.count("encoder") == 1
    assert calls.count("keys") == 2  # one for each decoder block
    assert calls.count("decoder") >= 4  # the first call and the loop's body


def test_a_decoder_that_mixes_in_the_source_itself_is_not_remembered():
    source, tokens = Input((None,), dtype="int32"), Input((None,), dtype="int32")
    embedding = Embedding(VOCAB, 8)
    mixed = TransformerDecoder(16, 2)(embedding(tokens) + embedding(source))
    model = nacre.Model([source, tokens], Dense(VOCAB)(mixed))
    assert not generation_graph.can_cache(model, PROMPT)
    with pytest.raises(ArgumentError, match="Leave use_cache out"):
        generate(model, PROMPT, 3, encoder_inputs=PROMPT, use_cache=True)


def test_a_cache_is_refused_where_the_model_takes_all_its_steps_at_once():
    tokens = Input((6,), dtype="int32")
    model = nacre.Model(
        tokens, Dense(VOCAB)(TransformerDecoder(16, 2)(Embedding(VOCAB, 8)(tokens)))
    )
    assert generate(model, PROMPT, 6).shape[1] == 6
    with pytest.raises(ArgumentError, match=r"whose input has 6.*Input\(\(None,\)\)"):
        generate(model, PROMPT, 6, use_cache=True)


def test_encoder_inputs_may_be_lists_of_numbers_of_one_length() -> None:
    source, tokens = Input((None,), dtype="int32"), Input((None,), dtype="int32")
    embedding = Embedding(VOCAB, 8)
    mixed = embedding(tokens) + nacre.ops.mean(embedding(source), axis=1, keepdims=True)
    model = nacre.Model([source, tokens], Dense(VOCAB)(mixed))
    np.testing.assert_array_equal(
        generate(model, PROMPT, 5, encoder_inputs=PROMPT.tolist()),
        generate(model, PROMPT, 5, encoder_inputs=PROMPT),
    )
    with pytest.raises(ShapeError, match=r"one length\. Got lengths \[2, 1\]"):
        generate(model, PROMPT, 5, encoder_inputs=[[1, 2], [3]])
    for text in (["a", "b"], np.array(["a", "b"]), "ab"):
        with pytest.raises(ArgumentError, match=r"must be numbers\. Got text"):
            generate(model, PROMPT, 5, encoder_inputs=text)


def test_a_layer_of_ones_own_says_that_it_treats_each_step_alone() -> None:
    class Doubled(nacre.layers.Layer):
        is_stepwise = True

        def call(self, inputs):
            return inputs * 2.0

    class Mixed(Doubled):
        def call(self, inputs):
            return nacre.ops.cumsum(inputs, axis=1)

    tokens = nacre.Input((None,), dtype="int32")
    hidden = nacre.layers.Embedding(VOCAB, 4)(tokens)
    for layer, expected in (
        (Doubled(), True),
        (Mixed(), False),
        (nacre.layers.Activation(lambda x: nacre.ops.cumsum(x, axis=1)), False),
        (Dense(4, activation="relu"), True),
        (nacre.layers.Softmax(axis=1), False),
    ):
        model = nacre.Model(tokens, Dense(VOCAB)(layer(hidden)))
        assert generation_graph.can_cache(model, None) is expected, layer
