"""Layer cases: recurrent layers, wrappers around them, masks in time."""

from .spec import ArrayInput as X
from .spec import LayerCase as Case
from .spec import Spec

SEQUENCE = (X((2, 5, 3)),)
MASK = X(dtype="bool", values=((1, 1, 1, 0, 0), (1, 1, 0, 1, 1)))
PADDED = X(
    values=(
        ((0.5, -0.2, 0.1), (0.3, 0.9, -0.4), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((-0.7, 0.2, 0.6), (0.0, 0.0, 0.0), (0.1, -0.8, 0.3), (0.4, 0.4, -0.5)),
    )
)
STATE = X((2, 4))


def _recurrent(prefix, layer, num_states):
    """The variants every recurrent layer shares."""
    base = {"units": 4}
    return (
        Case(prefix, layer, SEQUENCE, base),
        Case(f"{prefix}_sequences", layer, SEQUENCE, {**base, "return_sequences": True}),
        Case(
            f"{prefix}_state",
            layer,
            SEQUENCE,
            {**base, "return_sequences": True, "return_state": True},
        ),
        Case(f"{prefix}_state_only", layer, SEQUENCE, {**base, "return_state": True}),
        Case(
            f"{prefix}_backwards",
            layer,
            SEQUENCE,
            {**base, "go_backwards": True, "return_sequences": True},
        ),
        Case(f"{prefix}_unroll", layer, SEQUENCE, {**base, "unroll": True}),
        Case(
            f"{prefix}_no_bias_relu",
            layer,
            SEQUENCE,
            {**base, "use_bias": False, "activation": "relu"},
        ),
        Case(
            f"{prefix}_mask",
            layer,
            SEQUENCE,
            {**base, "return_sequences": True, "return_state": True},
            call_kwargs={"mask": MASK},
        ),
        Case(f"{prefix}_mask_last", layer, SEQUENCE, base, call_kwargs={"mask": MASK}),
        Case(
            f"{prefix}_mask_backwards",
            layer,
            SEQUENCE,
            {**base, "go_backwards": True},
            call_kwargs={"mask": MASK},
        ),
        Case(
            f"{prefix}_initial_state",
            layer,
            SEQUENCE,
            base,
            call_kwargs={"initial_state": [STATE] * num_states},
        ),
        Case(
            f"{prefix}_dropout",
            layer,
            SEQUENCE,
            {**base, "dropout": 0.3, "recurrent_dropout": 0.2},
            has_randomness=True,
        ),
    )


RECURRENT = (
    *_recurrent("simple_rnn", "SimpleRNN", 1),
    *_recurrent("lstm", "LSTM", 2),
    Case(
        "lstm_hard_sigmoid",
        "LSTM",
        SEQUENCE,
        {"units": 4, "recurrent_activation": "hard_sigmoid", "unit_forget_bias": False},
    ),
    *_recurrent("gru", "GRU", 1),
    Case("gru_reset_before", "GRU", SEQUENCE, {"units": 4, "reset_after": False}),
    Case(
        "gru_reset_before_sequences",
        "GRU",
        SEQUENCE,
        {"units": 4, "reset_after": False, "return_sequences": True, "return_state": True},
        call_kwargs={"mask": MASK},
    ),
    Case(
        "gru_reset_before_no_bias",
        "GRU",
        SEQUENCE,
        {"units": 4, "reset_after": False, "use_bias": False},
    ),
)

CELLS = (
    Case("rnn_lstm_cell", "RNN", SEQUENCE, {"cell": Spec("LSTMCell", {"units": 4})}),
    Case(
        "rnn_gru_cell_sequences",
        "RNN",
        SEQUENCE,
        {"cell": Spec("GRUCell", {"units": 4}), "return_sequences": True, "return_state": True},
    ),
    Case(
        "rnn_stacked_cells",
        "RNN",
        SEQUENCE,
        {
            "cell": Spec(
                "StackedRNNCells",
                {"cells": [Spec("SimpleRNNCell", {"units": 3}), Spec("LSTMCell", {"units": 4})]},
            ),
            "return_state": True,
        },
    ),
    Case(
        "rnn_cell_list",
        "RNN",
        SEQUENCE,
        {"cell": [Spec("GRUCell", {"units": 3}), Spec("GRUCell", {"units": 2})]},
    ),
    Case(
        "rnn_zero_output_for_mask",
        "RNN",
        SEQUENCE,
        {
            "cell": Spec("SimpleRNNCell", {"units": 3}),
            "return_sequences": True,
            "zero_output_for_mask": True,
        },
        call_kwargs={"mask": MASK},
    ),
    Case("simple_rnn_cell", "SimpleRNNCell", (X((2, 3)), X((2, 4))), {"units": 4}),
    Case(
        "conv_lstm1d",
        "ConvLSTM1D",
        (X((1, 3, 5, 2)),),
        {"filters": 2, "kernel_size": 2, "padding": "same", "return_sequences": True},
    ),
    Case(
        "conv_lstm2d",
        "ConvLSTM2D",
        (X((1, 3, 4, 4, 2)),),
        {"filters": 2, "kernel_size": 3, "padding": "same"},
    ),
    Case(
        "conv_lstm2d_valid",
        "ConvLSTM2D",
        (X((1, 2, 5, 4, 2)),),
        {"filters": 2, "kernel_size": 2, "strides": 2, "return_state": True},
    ),
)


def _bidirectional(name, inner, kwargs, **case):
    return Case(
        f"bidirectional_{name}", "Bidirectional", SEQUENCE, {"layer": inner, **kwargs}, **case
    )


_LSTM = Spec("LSTM", {"units": 3})
_LSTM_SEQUENCES = Spec("LSTM", {"units": 3, "return_sequences": True})
BIDIRECTIONAL = (
    *(
        _bidirectional(f"lstm_{mode}", _LSTM_SEQUENCES, {"merge_mode": mode})
        for mode in ("concat", "sum", "mul", "ave")
    ),
    _bidirectional("lstm_none", _LSTM_SEQUENCES, {"merge_mode": None}),
    _bidirectional("lstm_last", _LSTM, {}),
    _bidirectional("gru_state", Spec("GRU", {"units": 3, "return_state": True}), {}),
    _bidirectional(
        "simple_rnn_mask",
        Spec("SimpleRNN", {"units": 3, "return_sequences": True}),
        {},
        call_kwargs={"mask": MASK},
    ),
    _bidirectional(
        "backward_layer",
        Spec("LSTM", {"units": 3, "return_sequences": True}),
        {
            "backward_layer": Spec(
                "GRU", {"units": 2, "return_sequences": True, "go_backwards": True}
            )
        },
    ),
)


def _sequential(case_id, inputs, layers, **case):
    return Case(case_id, "Sequential", inputs, args=(layers,), namespace="", **case)


WRAPPED = (
    Case(
        "time_distributed_dense",
        "TimeDistributed",
        SEQUENCE,
        {"layer": Spec("Dense", {"units": 2})},
    ),
    Case(
        "time_distributed_conv2d",
        "TimeDistributed",
        (X((2, 3, 4, 4, 2)),),
        {"layer": Spec("Conv2D", {"filters": 2, "kernel_size": 3})},
    ),
    Case(
        "time_distributed_batch_normalization",
        "TimeDistributed",
        SEQUENCE,
        {"layer": Spec("BatchNormalization")},
    ),
    Case("masking", "Masking", (PADDED,), has_mask_output=True),
    Case(
        "masking_value",
        "Masking",
        (X(values=((((-1.0, -1.0), (0.5, -1.0), (-1.0, -1.0))),)),),
        {"mask_value": -1.0},
        has_mask_output=True,
    ),
    _sequential("masking_lstm", (PADDED,), [Spec("Masking"), Spec("LSTM", {"units": 3})]),
    _sequential(
        "masking_gru_dense",
        (PADDED,),
        [
            Spec("Masking"),
            Spec("GRU", {"units": 3, "return_sequences": True}),
            Spec("TimeDistributed", {"layer": Spec("Dense", {"units": 2})}),
        ],
    ),
    _sequential(
        "masking_bidirectional",
        (PADDED,),
        [
            Spec("Masking"),
            Spec("Bidirectional", {"layer": Spec("LSTM", {"units": 2, "return_sequences": True})}),
            Spec("GlobalAveragePooling1D"),
        ],
    ),
    _sequential(
        "embedding_mask_lstm",
        (X(dtype="int32", values=((1, 2, 0, 0), (3, 1, 5, 0))),),
        [
            Spec("Embedding", {"input_dim": 6, "output_dim": 3, "mask_zero": True}),
            Spec("LSTM", {"units": 3, "return_sequences": True}),
            Spec("SimpleRNN", {"units": 2}),
        ],
    ),
    _sequential(
        "embedding_mask_dropout_gru",
        (X(dtype="int32", values=((1, 2, 0, 0), (3, 1, 5, 0))),),
        [
            Spec("Embedding", {"input_dim": 6, "output_dim": 3, "mask_zero": True}),
            Spec("Dropout", {"rate": 0.0}),
            Spec("Activation", {"activation": "tanh"}),
            Spec("GRU", {"units": 3}),
        ],
    ),
)

CASES = RECURRENT + CELLS + BIDIRECTIONAL + WRAPPED
