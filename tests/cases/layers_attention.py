"""Layer cases: attention and merging."""

from .spec import ArrayInput as X
from .spec import LayerCase as Case

QUERY = X((2, 3, 4))
VALUE = X((2, 5, 4))
KEY = X((2, 5, 4))
QUERY_MASK = X(dtype="bool", values=((1, 1, 0), (1, 1, 1)))
VALUE_MASK = X(dtype="bool", values=((1, 1, 1, 0, 0), (1, 0, 1, 1, 1)))
PAIR_MASK = X(
    dtype="bool",
    values=(
        ((1, 1, 0, 0, 1), (1, 0, 0, 1, 1), (0, 1, 1, 1, 1)),
        ((1, 0, 0, 0, 1), (1, 1, 1, 1, 1), (0, 0, 1, 0, 1)),
    ),
)

ATTENTION = (
    Case("attention", "Attention", (QUERY, VALUE), call_style="list"),
    Case("attention_key", "Attention", (QUERY, VALUE, KEY), call_style="list"),
    Case("attention_scale", "Attention", (QUERY, VALUE), {"use_scale": True}, call_style="list"),
    Case(
        "attention_concat", "Attention", (QUERY, VALUE), {"score_mode": "concat"}, call_style="list"
    ),
    Case(
        "attention_masks",
        "Attention",
        (QUERY, VALUE),
        call_kwargs={"mask": [QUERY_MASK, VALUE_MASK]},
        call_style="list",
    ),
    Case(
        "attention_causal_scores",
        "Attention",
        (QUERY, VALUE),
        call_kwargs={"use_causal_mask": True, "return_attention_scores": True},
        call_style="list",
    ),
    Case(
        "attention_dropout",
        "Attention",
        (QUERY, VALUE),
        {"dropout": 0.5},
        call_style="list",
        has_randomness=True,
    ),
    Case("additive_attention", "AdditiveAttention", (QUERY, VALUE), call_style="list"),
    Case("additive_attention_key", "AdditiveAttention", (QUERY, VALUE, KEY), call_style="list"),
    Case(
        "additive_attention_no_scale",
        "AdditiveAttention",
        (QUERY, VALUE),
        {"use_scale": False},
        call_style="list",
    ),
    Case(
        "additive_attention_masks",
        "AdditiveAttention",
        (QUERY, VALUE),
        call_kwargs={"mask": [QUERY_MASK, VALUE_MASK], "return_attention_scores": True},
        call_style="list",
    ),
)

_HEADS = {"num_heads": 2, "key_dim": 3}
MULTI_HEAD = (
    Case("multi_head_attention", "MultiHeadAttention", (QUERY, VALUE), _HEADS),
    Case("multi_head_attention_key", "MultiHeadAttention", (QUERY, VALUE, KEY), _HEADS),
    Case(
        "multi_head_attention_self",
        "MultiHeadAttention",
        (QUERY, QUERY),
        {**_HEADS, "use_bias": False},
    ),
    # Keras on JAX fails on value_dim != key_dim unless the scores are asked for.
    Case(
        "multi_head_attention_value_dim",
        "MultiHeadAttention",
        (QUERY, VALUE),
        {**_HEADS, "value_dim": 5},
        call_kwargs={"return_attention_scores": True},
    ),
    Case(
        "multi_head_attention_output_shape",
        "MultiHeadAttention",
        (QUERY, VALUE),
        {**_HEADS, "output_shape": (6,)},
    ),
    Case(
        "multi_head_attention_mask",
        "MultiHeadAttention",
        (QUERY, VALUE),
        _HEADS,
        call_kwargs={"attention_mask": PAIR_MASK, "return_attention_scores": True},
    ),
    Case(
        "multi_head_attention_causal",
        "MultiHeadAttention",
        (VALUE, VALUE),
        _HEADS,
        call_kwargs={"use_causal_mask": True},
    ),
    Case(
        "multi_head_attention_padding_masks",
        "MultiHeadAttention",
        (QUERY, VALUE),
        _HEADS,
        call_kwargs={"query_mask": QUERY_MASK, "value_mask": VALUE_MASK},
    ),
    Case(
        "multi_head_attention_axes",
        "MultiHeadAttention",
        (X((1, 2, 3, 4)), X((1, 2, 3, 4))),
        {**_HEADS, "attention_axes": (1, 2)},
    ),
    Case(
        "multi_head_attention_dropout",
        "MultiHeadAttention",
        (QUERY, VALUE),
        {**_HEADS, "dropout": 0.4},
        has_randomness=True,
    ),
    Case(
        "group_query_attention",
        "GroupQueryAttention",
        (QUERY, VALUE),
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    ),
    Case(
        "group_query_attention_mask",
        "GroupQueryAttention",
        (QUERY, VALUE),
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, "use_bias": False},
        call_kwargs={"attention_mask": PAIR_MASK},
    ),
)

THREE = (X((2, 3, 4)), X((2, 3, 4)), X((2, 3, 4)))
TWO = THREE[:2]
BROADCAST = (X((2, 3, 4)), X((2, 1, 4)))
RANKS = (X((2, 3, 4)), X((2, 4)))
MERGING = (
    *(
        Case(f"{layer.lower()}_{name}", layer, inputs, call_style="list")
        for layer in ("Add", "Multiply", "Average", "Maximum", "Minimum")
        for name, inputs in (("three", THREE), ("broadcast", BROADCAST))
    ),
    Case("add_ranks", "Add", RANKS, call_style="list"),
    Case("subtract", "Subtract", TWO, call_style="list"),
    Case("subtract_broadcast", "Subtract", BROADCAST, call_style="list"),
    Case("concatenate", "Concatenate", (X((2, 3, 4)), X((2, 3, 2))), call_style="list"),
    Case(
        "concatenate_axis1",
        "Concatenate",
        (X((2, 3, 4)), X((2, 1, 4))),
        {"axis": 1},
        call_style="list",
    ),
    Case(
        "concatenate_axis0", "Concatenate", (X((2, 3)), X((1, 3))), {"axis": 0}, call_style="list"
    ),
    Case("dot_vectors", "Dot", (X((2, 4)), X((2, 4))), {"axes": 1}, call_style="list"),
    Case(
        "dot_normalized",
        "Dot",
        (X((2, 4)), X((2, 4))),
        {"axes": -1, "normalize": True},
        call_style="list",
    ),
    Case("dot_pair_axes", "Dot", (X((2, 3, 4)), X((2, 4, 5))), {"axes": (2, 1)}, call_style="list"),
    Case("dot_sequences", "Dot", (X((2, 3, 4)), X((2, 5, 4))), {"axes": 2}, call_style="list"),
)

CASES = ATTENTION + MULTI_HEAD + MERGING
