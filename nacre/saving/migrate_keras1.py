"""Configs of Keras 1 in the dialect of Keras 2: other class and argument names.

The tables follow the list of renamed arguments in the release notes of Keras 2.0 (2017).
"""

from __future__ import annotations

from typing import Any

_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "Model": "Functional",
}
_MERGES = {
    "concat": "Concatenate",
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "dot": "Dot",
    "cos": "Dot",
}
_ARGUMENTS = {
    "init": "kernel_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "stride": "strides",
    "dim_ordering": "data_format",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "atrous_rate": "dilation_rate",
    "p": "rate",
    "sigma": "stddev",
    "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer",
    "length": "size",
}
_GONE = ("forget_bias_init", "consume_less", "mode", "input_dtype", "create_input_layer", "dropout")
_INITIALIZERS = {
    "normal": "random_normal",
    "uniform": "random_uniform",
    "zero": "zeros",
    "one": "ones",
}
_BY_OUTPUT_DIM = ("Dense", "LSTM", "GRU", "SimpleRNN", "TimeDistributedDense")


def is_keras1(config: Any, keras_version: str) -> bool:
    """Whether a config uses Keras 1's names: by version, or by what it says when there is none."""
    major = keras_version.split(".")[0]
    if major.isdigit():
        return int(major) < 2
    text = repr(config)[:200_000]
    return any(
        f"'{word}'" in text for word in ("nb_filter", "border_mode", "W_regularizer", "output_dim")
    )


def from_keras1(config: Any) -> Any:
    """A config of Keras 1 as Keras 2 would have written it.

    Example:
        >>> from_keras1({"class_name": "Dense", "config": {"output_dim": 2, "init": "uniform"}})
        {'class_name': 'Dense', 'config': {'units': 2, 'kernel_initializer': 'random_uniform'}}
    """
    if isinstance(config, list):
        return [from_keras1(item) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: from_keras1(value) for key, value in config.items()}
    old, inner = config["class_name"], from_keras1(config["config"])
    name: Any = _CLASSES.get(old, old)
    if old == "Merge":
        mode = inner.get("mode", "sum")
        name = _MERGES.get(mode, mode)
        kept = {"name": inner.get("name")}
        if mode == "concat":
            kept["axis"] = inner.get("concat_axis", -1)
        if mode in ("dot", "cos"):
            kept |= {"axes": inner.get("dot_axes", -1), "normalize": mode == "cos"}
        return {**config, "class_name": name, "config": kept}
    if isinstance(inner, dict) and "layers" not in inner:
        inner = _renamed(name, inner)
    return {**config, "class_name": name, "config": inner}


def _renamed(name: str, config: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in config.items():
        if key in ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3"):
            continue
        if key == "output_dim" and name in _BY_OUTPUT_DIM:
            result["units"] = value
        elif key == "input_dim" and name in _BY_OUTPUT_DIM:
            continue  # `batch_input_shape` says it too
        elif key in _GONE and not (key == "dropout" and name in ("LSTM", "GRU", "SimpleRNN")):
            continue
        elif name == "Embedding" and key == "init":
            result["embeddings_initializer"] = _INITIALIZERS.get(value, value)
        elif name == "Embedding" and key in ("W_regularizer", "W_constraint"):
            result[key.replace("W_", "embeddings_")] = _penalty(value)
        elif key == "dim_ordering":
            if value in ("th", "tf"):
                result["data_format"] = "channels_first" if value == "th" else "channels_last"
        else:
            new = _ARGUMENTS.get(key, key)
            result[new] = _penalty(value) if "regularizer" in new else value
            if new.endswith("initializer"):
                result[new] = _INITIALIZERS.get(value, value) if isinstance(value, str) else value
    if "nb_row" in config:
        result["kernel_size"] = [config["nb_row"], config["nb_col"]]
    if "kernel_dim1" in config:
        result["kernel_size"] = [config[f"kernel_dim{i}"] for i in (1, 2, 3)]
    if name == "LSTM":
        result.setdefault("unit_forget_bias", config.get("forget_bias_init") == "one")
    return result


def _penalty(value: Any) -> Any:
    """`{"name": "WeightRegularizer", "l1": ..., "l2": ...}` as an L1L2 config."""
    if isinstance(value, dict) and "class_name" not in value and ("l1" in value or "l2" in value):
        inner = {"l1": value.get("l1", 0.0), "l2": value.get("l2", 0.0)}
        return {"class_name": "L1L2", "config": inner}
    return value


__all__ = ["from_keras1", "is_keras1"]
