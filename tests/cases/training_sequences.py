"""Training cases: embedding, recurrent layers, masks, attention."""

from __future__ import annotations

from .spec import ArrayInput as X
from .training_case import MASKED_METRIC, Table, loss, stack

SEQUENCES = Table()
case = SEQUENCES.case

WORDS = X((6,), "int32", 1, 7)


@case(WORDS, (2,), "sgd")
def embedding(k):
    return stack(
        k,
        (6,),
        k.layers.Embedding(7, 3, embeddings_regularizer="l2", embeddings_constraint="max_norm"),
        k.layers.Flatten(),
        k.layers.Dense(2),
        dtype="int32",
    )


@case(WORDS, (2,), padded=True)
def embedding_mask_pooled(k):
    return stack(
        k,
        (6,),
        k.layers.Embedding(7, 3, mask_zero=True),
        k.layers.Dense(4, activation="tanh"),
        k.layers.GlobalAveragePooling1D(),
        k.layers.Dense(2),
        dtype="int32",
    )


@case(WORDS, (2,), "sgd", padded=True)
def embedding_mask_lstm(k):
    return stack(
        k,
        (None,),
        k.layers.Embedding(7, 3, mask_zero=True),
        k.layers.LSTM(4, return_sequences=True),
        k.layers.LSTM(3),
        k.layers.Dense(2),
        dtype="int32",
    )


@case((5, 3), (2,))
def simple_rnn(k):
    return stack(
        k,
        (5, 3),
        k.layers.SimpleRNN(4, return_sequences=True),
        k.layers.SimpleRNN(3, activation="relu", use_bias=False, recurrent_regularizer="l2"),
        k.layers.Dense(2),
    )


@case((5, 3), (2,), has_inference=True)
def lstm(k):
    return stack(
        k,
        (5, 3),
        k.layers.LSTM(4, return_sequences=True),
        k.layers.LSTM(3, go_backwards=True, recurrent_activation="hard_sigmoid"),
        k.layers.Dense(2),
    )


@case((4, 3), (2,), "sgd")
def lstm_unrolled(k):
    return stack(
        k,
        (4, 3),
        k.layers.LSTM(
            3,
            unroll=True,
            activation="relu",
            kernel_constraint="max_norm",
            recurrent_regularizer="l1",
            bias_regularizer="l2",
        ),
        k.layers.Dense(2),
    )


@case((5, 3), (2,))
def gru(k):
    return stack(
        k,
        (5, 3),
        k.layers.GRU(4, return_sequences=True),
        k.layers.GRU(3, reset_after=False),
        k.layers.Dense(2),
    )


@case((6, 3), (6, 2), "sgd", padded=True, unlike_keras={"mae": MASKED_METRIC})
def masked_sequence_outputs(k):
    return stack(
        k,
        (6, 3),
        k.layers.Masking(),
        k.layers.GRU(3, return_sequences=True),
        k.layers.SimpleRNN(3, return_sequences=True),
        k.layers.TimeDistributed(k.layers.Dense(2)),
    )


@case((5, 3), (2,))
def bidirectional(k):
    return stack(
        k,
        (5, 3),
        k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True)),
        k.layers.Bidirectional(k.layers.GRU(3), merge_mode="sum"),
        k.layers.Dense(2),
    )


@case((6, 3), (2,), "sgd", padded=True)
def bidirectional_masked(k):
    return stack(
        k,
        (6, 3),
        k.layers.Masking(),
        k.layers.Bidirectional(
            k.layers.LSTM(3, return_sequences=True),
            backward_layer=k.layers.LSTM(3, return_sequences=True, go_backwards=True),
            merge_mode="ave",
        ),
        k.layers.Bidirectional(k.layers.SimpleRNN(2), merge_mode="mul"),
        k.layers.Dense(2),
    )


@case((3, 4, 4, 1), (3, 2), "sgd", has_inference=True)
def time_distributed(k):
    return stack(
        k,
        (3, 4, 4, 1),
        k.layers.TimeDistributed(k.layers.Conv2D(2, 2, activation="tanh")),
        k.layers.TimeDistributed(k.layers.BatchNormalization()),
        k.layers.TimeDistributed(k.layers.Flatten()),
        k.layers.TimeDistributed(k.layers.Dense(2)),
    )


@case((4, 3), (2,))
def stacked_cells(k):
    return stack(
        k,
        (4, 3),
        k.layers.RNN([k.layers.LSTMCell(3), k.layers.GRUCell(3), k.layers.SimpleRNNCell(2)]),
        k.layers.Dense(2),
    )


@case([(4, 3), (5, 3)], (5, 2), "sgd")
def encoder_and_decoder(k):
    source, target = k.Input((4, 3)), k.Input((5, 3))
    _, h, c = k.layers.LSTM(3, return_state=True)(source)
    decoded = k.layers.LSTM(3, return_sequences=True)(target, initial_state=[h, c])
    return k.Model([source, target], k.layers.Dense(2)(decoded))


# Keras on JAX loses the states of a stateful layer from one batch of `fit` to the next.
@case((4, 3), (2,), "sgd", backend="tensorflow", has_inference=True)
def stateful_lstm(k):
    inputs = k.Input(batch_shape=(4, 4, 3))
    x = k.layers.LSTM(3, stateful=True, return_sequences=True)(inputs)
    x = k.layers.GRU(3, stateful=True)(x)
    return k.Model(inputs, k.layers.Dense(2)(x))


@case((3, 4, 4, 1), (2,))
def conv_lstm(k):
    return stack(
        k,
        (3, 4, 4, 1),
        k.layers.ConvLSTM2D(2, 2, padding="same"),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((3, 5, 2), (2,), "sgd")
def conv_lstm_1d(k):
    return stack(
        k,
        (3, 5, 2),
        k.layers.ConvLSTM1D(2, 2, strides=2, return_sequences=True),
        k.layers.Flatten(),
        k.layers.RepeatVector(2),
        k.layers.SimpleRNN(2),
    )


@case([(3, 4), (5, 4)], (3, 2))
def attention(k):
    query, value = k.Input((3, 4)), k.Input((5, 4))
    q, v = k.layers.Dense(4)(query), k.layers.Dense(4, activation="tanh")(value)
    a = k.layers.Attention(use_scale=True)([q, v])
    b = k.layers.AdditiveAttention()([q, v])
    c = k.layers.Attention(score_mode="concat")([q, v])
    return k.Model([query, value], k.layers.Dense(2)(k.layers.Concatenate()([a, b, c])))


# The gradient of the key bias is zero but for rounding; dividing by its own size, as Adam does,
# would compare rounding errors. So the cases with heads use SGD.
@case((4, 6), (4, 2), "sgd")
def multi_head_attention(k):
    inputs = k.Input((4, 6))
    x = k.layers.MultiHeadAttention(2, 3)(inputs, inputs, use_causal_mask=True)
    x = k.layers.MultiHeadAttention(2, 2, use_bias=False, output_shape=5)(x, inputs)
    return k.Model(inputs, k.layers.Dense(2)(x))


@case((4, 6), (4, 2), "sgd")
def grouped_query_attention(k):
    inputs = k.Input((4, 6))
    x = k.layers.GroupQueryAttention(3, 4, 2)(inputs, inputs)
    return k.Model(inputs, k.layers.Dense(2)(x))


# The mean over the steps leaves out padded ones: what a padded query attends to (nothing in Keras,
# the same as any other here) does not matter.
@case(WORDS, (2,), "sgd", padded=True)
def multi_head_attention_masked(k):
    inputs = k.Input((6,), dtype="int32")
    x = k.layers.Embedding(7, 4, mask_zero=True)(inputs)
    x = k.layers.MultiHeadAttention(2, 3)(x, x)
    x = k.layers.GlobalAveragePooling1D()(x)
    return k.Model(inputs, k.layers.Dense(2)(x))


@case(
    WORDS,
    X((6,), "int32", 0, 5),
    "sgd",
    compiling={
        "loss": loss("SparseCategoricalCrossentropy", from_logits=True),
        "metrics": ["accuracy"],
    },
    has_inference=True,
)
def transformer_block(k):
    inputs = k.Input((6,), dtype="int32")
    x = k.layers.Embedding(7, 4)(inputs)
    y = k.layers.MultiHeadAttention(2, 2)(x, x, use_causal_mask=True)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    y = k.layers.Dense(4)(k.layers.Dense(6, activation="gelu")(x))
    x = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    return k.Model(inputs, k.layers.Dense(5)(x))
