"""What the trace of a layer must show: its composite ops, with all that rebuilds them."""

from __future__ import annotations

from typing import Any

# Layer case -> (op, its operands, its attributes) of each composite op in its trace.
LAYERS: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "dense": [("dense", "x kernel bias", {})],
    "einsum_dense_matrix": [("einsum", "x y", {"subscripts": "ab,bc->ac"})],
    "activation_relu": [("relu", "x", {})],
    "activation_gelu": [("gelu", "x", {"approximate": False})],
    "activation_silu": [("silu", "x", {})],
    "relu": [("relu", "x", {})],
    "relu_max": [("relu6", "x", {})],
    "relu_slope_threshold": [
        ("rectifier", "x", {"max_value": 2.0, "negative_slope": 0.2, "threshold": 0.5})
    ],
    "leaky_relu": [("leaky_relu", "x", {"negative_slope": 0.3})],
    "prelu": [("prelu", "inputs alpha", {})],
    "elu": [("elu", "x", {"alpha": 1.0})],
    "softmax": [("softmax", "x", {"axis": -1})],
    "softmax_two_axes": [("softmax", "x", {"axis": [1, 2]})],
    "zero_padding1d": [("pad", "x", {"mode": "constant", "pad_width": [[0, 0], [2, 2], [0, 0]]})],
    "zero_padding2d": [
        ("pad", "x", {"mode": "constant", "pad_width": [[0, 0], [1, 1], [1, 1], [0, 0]]})
    ],
    "zero_padding3d": [
        ("pad", "x", {"mode": "constant", "pad_width": [[0, 0], [1, 1], [1, 1], [1, 1], [0, 0]]})
    ],
    "up_sampling1d": [("up_sampling", "inputs", {"first_axis": 1, "sizes": [2]})],
    "up_sampling2d": [("up_sampling", "inputs", {"first_axis": 1, "sizes": [2, 2]})],
    "up_sampling2d_bilinear": [
        (
            "resize",
            "images",
            {
                "antialias": False,
                "data_format": "channels_last",
                "interpolation": "bilinear",
                "size": [8, 10],
            },
        )
    ],
    "up_sampling3d": [("up_sampling", "inputs", {"first_axis": 1, "sizes": [2, 2, 2]})],
    "category_encoding_multi_hot": [
        ("one_hot", "x", {"axis": -1, "dtype": "float32", "num_classes": 5})
    ],
    "category_encoding_count": [
        ("one_hot", "x", {"axis": -1, "dtype": "float32", "num_classes": 3})
    ],
    "discretization": [("searchsorted", "sorted_sequence values", {"side": "right"})],
    "resizing_bilinear": [
        (
            "resize",
            "images",
            {
                "antialias": False,
                "data_format": "channels_last",
                "interpolation": "bilinear",
                "size": [6, 3],
            },
        )
    ],
    "embedding": [("embed", "table indices", {})],
    "conv1d_valid": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1],
                "groups": 1,
                "padding": "valid",
                "strides": [1],
            },
        )
    ],
    "conv1d_causal_dilation2": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [2],
                "groups": 1,
                "padding": "causal",
                "strides": [1],
            },
        )
    ],
    "conv2d_valid": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "groups": 1,
                "padding": "valid",
                "strides": [1, 1],
            },
        )
    ],
    "conv2d_groups2": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "groups": 2,
                "padding": "same",
                "strides": [1, 1],
            },
        )
    ],
    "conv2d_first": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_first",
                "dilation_rate": [1, 1],
                "groups": 1,
                "padding": "same",
                "strides": [1, 2],
            },
        )
    ],
    "conv3d_valid": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1, 1],
                "groups": 1,
                "padding": "valid",
                "strides": [1, 1, 1],
            },
        )
    ],
    "depthwise_conv1d_valid": [
        (
            "depthwise_conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1],
                "padding": "valid",
                "strides": [1],
            },
        )
    ],
    "depthwise_conv2d_valid": [
        (
            "depthwise_conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "padding": "valid",
                "strides": [1, 1],
            },
        )
    ],
    "separable_conv1d_valid": [
        (
            "depthwise_conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1],
                "padding": "valid",
                "strides": [1],
            },
        ),
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1],
                "groups": 1,
                "padding": "valid",
                "strides": [1],
            },
        ),
    ],
    "separable_conv2d_valid": [
        (
            "depthwise_conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "padding": "valid",
                "strides": [1, 1],
            },
        ),
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "groups": 1,
                "padding": "valid",
                "strides": [1, 1],
            },
        ),
    ],
    "conv1d_transpose_valid": [
        (
            "conv_transpose",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1],
                "output_padding": None,
                "padding": "valid",
                "strides": [1],
            },
        )
    ],
    "conv2d_transpose_valid": [
        (
            "conv_transpose",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "output_padding": None,
                "padding": "valid",
                "strides": [1, 1],
            },
        )
    ],
    "conv2d_transpose_output_padding": [
        (
            "conv_transpose",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "output_padding": [1, 0],
                "padding": "same",
                "strides": [2, 2],
            },
        )
    ],
    "conv3d_transpose_valid": [
        (
            "conv_transpose",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1, 1],
                "output_padding": None,
                "padding": "valid",
                "strides": [1, 1, 1],
            },
        )
    ],
    "max_pooling1d_default": [
        (
            "max_pool",
            "inputs",
            {"data_format": "channels_last", "padding": "valid", "pool_size": [2], "strides": [2]},
        )
    ],
    "max_pooling2d_default": [
        (
            "max_pool",
            "inputs",
            {
                "data_format": "channels_last",
                "padding": "valid",
                "pool_size": [2, 2],
                "strides": [2, 2],
            },
        )
    ],
    "max_pooling3d_default": [
        (
            "max_pool",
            "inputs",
            {
                "data_format": "channels_last",
                "padding": "valid",
                "pool_size": [2, 2, 2],
                "strides": [2, 2, 2],
            },
        )
    ],
    "global_max_pooling1d_default": [
        ("global_max_pool", "inputs", {"axis": [1], "keepdims": False})
    ],
    "global_max_pooling2d_default": [
        ("global_max_pool", "inputs", {"axis": [1, 2], "keepdims": False})
    ],
    "global_max_pooling3d_default": [
        ("global_max_pool", "inputs", {"axis": [1, 2, 3], "keepdims": False})
    ],
    "adaptive_max_pooling1d_three": [
        ("adaptive_max_pool", "inputs", {"data_format": "channels_last", "output_size": [3]})
    ],
    "adaptive_max_pooling2d_pair": [
        ("adaptive_max_pool", "inputs", {"data_format": "channels_last", "output_size": [4, 2]})
    ],
    "average_pooling1d_default": [
        (
            "average_pool",
            "inputs",
            {"data_format": "channels_last", "padding": "valid", "pool_size": [2], "strides": [2]},
        )
    ],
    "average_pooling2d_default": [
        (
            "average_pool",
            "inputs",
            {
                "data_format": "channels_last",
                "padding": "valid",
                "pool_size": [2, 2],
                "strides": [2, 2],
            },
        )
    ],
    "average_pooling3d_default": [
        (
            "average_pool",
            "inputs",
            {
                "data_format": "channels_last",
                "padding": "valid",
                "pool_size": [2, 2, 2],
                "strides": [2, 2, 2],
            },
        )
    ],
    "global_average_pooling1d_default": [
        ("global_average_pool", "inputs", {"axis": [1], "keepdims": False})
    ],
    "global_average_pooling2d_default": [
        ("global_average_pool", "inputs", {"axis": [1, 2], "keepdims": False})
    ],
    "global_average_pooling3d_default": [
        ("global_average_pool", "inputs", {"axis": [1, 2, 3], "keepdims": False})
    ],
    "adaptive_average_pooling1d_three": [
        ("adaptive_average_pool", "inputs", {"data_format": "channels_last", "output_size": [3]})
    ],
    "adaptive_average_pooling2d_pair": [
        ("adaptive_average_pool", "inputs", {"data_format": "channels_last", "output_size": [4, 2]})
    ],
    "global_average_pooling1d_mask": [
        ("global_average_pool", "inputs weights", {"axis": [1], "keepdims": False})
    ],
    "batch_normalization": [
        ("batch_normalization", "x mean variance offset scale", {"axis": 1, "epsilon": 0.001})
    ],
    "batch_normalization_plain": [
        ("batch_normalization", "x mean variance", {"axis": 1, "epsilon": 0.001})
    ],
    "layer_normalization": [
        ("layer_normalization", "x gamma beta", {"axis": [1], "epsilon": 0.001})
    ],
    "layer_normalization_two_axes": [
        ("layer_normalization", "x gamma beta", {"axis": [2, 3], "epsilon": 0.001})
    ],
    "layer_normalization_no_scale": [
        ("layer_normalization", "x beta", {"axis": [1], "epsilon": 0.001})
    ],
    "group_normalization": [
        ("group_normalization", "x gamma beta", {"axis": 3, "epsilon": 0.001, "groups": 2})
    ],
    "group_normalization_axis1": [
        ("group_normalization", "x gamma beta", {"axis": 1, "epsilon": 0.001, "groups": 2})
    ],
    "rms_normalization": [("rms_normalization", "x scale", {"axis": [1], "epsilon": 1e-06})],
    "rms_normalization_image": [("rms_normalization", "x scale", {"axis": [3], "epsilon": 1e-06})],
    "unit_normalization": [("unit_normalization", "inputs", {"axis": [1]})],
    "simple_rnn": [
        (
            "simple_rnn",
            "x h0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "simple_rnn_mask_backwards": [
        (
            "simple_rnn",
            "x h0 kernel recurrent_kernel bias mask",
            {
                "activation": "tanh",
                "return_sequences": False,
                "reverse": True,
                "zero_output_for_mask": False,
            },
        )
    ],
    "lstm": [
        (
            "lstm",
            "x h0 c0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "lstm_no_bias_relu": [
        (
            "lstm",
            "x h0 c0 kernel recurrent_kernel",
            {
                "activation": "relu",
                "recurrent_activation": "sigmoid",
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "lstm_mask": [
        (
            "lstm",
            "x h0 c0 kernel recurrent_kernel bias mask",
            {
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "return_sequences": True,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "lstm_initial_state": [
        (
            "lstm",
            "x h0 c0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "lstm_hard_sigmoid": [
        (
            "lstm",
            "x h0 c0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "recurrent_activation": "hard_sigmoid",
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "gru": [
        (
            "gru",
            "x h0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "reset_after": True,
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "gru_backwards": [
        (
            "gru",
            "x h0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "reset_after": True,
                "return_sequences": True,
                "reverse": True,
                "zero_output_for_mask": False,
            },
        )
    ],
    "gru_reset_before": [
        (
            "gru",
            "x h0 kernel recurrent_kernel bias",
            {
                "activation": "tanh",
                "recurrent_activation": "sigmoid",
                "reset_after": False,
                "return_sequences": False,
                "reverse": False,
                "zero_output_for_mask": False,
            },
        )
    ],
    "conv_lstm2d": [
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "groups": 1,
                "padding": "same",
                "strides": [1, 1],
            },
        ),
        (
            "conv",
            "inputs kernel",
            {
                "data_format": "channels_last",
                "dilation_rate": [1, 1],
                "groups": 1,
                "padding": "same",
                "strides": [1, 1],
            },
        ),
    ],
    "time_distributed_dense": [("dense", "x kernel bias", {})],
    "attention": [("attention", "query key value", {"is_causal": False, "score_mode": "dot"})],
    "attention_scale": [
        ("attention", "query key value scale", {"is_causal": False, "score_mode": "dot"})
    ],
    "attention_masks": [
        ("attention", "query key value value_mask", {"is_causal": False, "score_mode": "dot"})
    ],
    "additive_attention": [
        ("attention", "query key value scale", {"is_causal": False, "score_mode": "additive"})
    ],
    "multi_head_attention_causal": [
        (
            "dot_product_attention",
            "query key value",
            {"attn_logits_soft_cap": None, "is_causal": True, "scale": 0.5773502691896258},
        )
    ],
    "multi_head_attention_padding_masks": [
        (
            "dot_product_attention",
            "query key value mask",
            {"attn_logits_soft_cap": None, "is_causal": False, "scale": 0.5773502691896258},
        )
    ],
    "group_query_attention_mask": [
        (
            "dot_product_attention",
            "query key value mask",
            {"attn_logits_soft_cap": None, "is_causal": False, "scale": 0.5773502691896258},
        )
    ],
    "dot_vectors": [("einsum", "x y", {"subscripts": "ab,ab->a"})],
}
