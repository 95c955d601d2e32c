"""Activations, normalization, losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.tensorflow.registry import Node, op

_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Relu": lambda x: jnp.maximum(x, jnp.zeros((), x.dtype)),
    "Relu6": lambda x: jnp.clip(x, jnp.zeros((), x.dtype), jnp.asarray(6, x.dtype)),
    "Elu": jax.nn.elu,
    "Selu": jax.nn.selu,
    "Softplus": jax.nn.softplus,
    "Softsign": jax.nn.soft_sign,
    "Softmax": lambda x: jax.nn.softmax(x, axis=-1),
    "LogSoftmax": lambda x: jax.nn.log_softmax(x, axis=-1),
}


def _activation(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda node, x: function(jnp.asarray(x))


for _op, _function in _ACTIVATIONS.items():
    op(_op)(_activation(_function))


@op("LeakyRelu")
def _leaky_relu(node: Node, x: Any) -> Any:
    return jnp.where(x > 0, x, x * jnp.asarray(node["alpha"], x.dtype))


@op("Prelu")  # of TF.js
def _prelu(node: Node, x: Any, alpha: Any) -> Any:
    return jnp.where(x > 0, x, x * alpha)


# --- gradients that graphs contain, such as those of functions that were traced for training ------


@op("ReluGrad")
def _relu_grad(node: Node, gradient: Any, x: Any) -> Any:
    return jnp.where(x > 0, gradient, jnp.zeros((), gradient.dtype))


@op("SigmoidGrad")
def _sigmoid_grad(node: Node, y: Any, gradient: Any) -> Any:
    return gradient * y * (1 - y)


@op("TanhGrad")
def _tanh_grad(node: Node, y: Any, gradient: Any) -> Any:
    return gradient * (1 - y * y)


@op("RsqrtGrad")
def _rsqrt_grad(node: Node, y: Any, gradient: Any) -> Any:
    return gradient * -0.5 * y * y * y


@op("BiasAddGrad")
def _bias_grad(node: Node, gradient: Any) -> Any:
    channels = 1 if node.text("data_format") == "NCHW" else gradient.ndim - 1
    return jnp.sum(gradient, axis=tuple(i for i in range(gradient.ndim) if i != channels))


# --- bias and normalization -----------------------------------------------------------------------


@op("BiasAdd", "BiasAddV1")
def _bias_add(node: Node, x: Any, bias: Any) -> Any:
    if node.op == "BiasAdd" and node.text("data_format").startswith("NC"):
        bias = jnp.reshape(bias, (-1,) + (1,) * (x.ndim - 2))
    return jnp.add(x, bias)


@op("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(node: Node, x: Any, scale: Any, offset: Any, mean: Any, variance: Any) -> Any:
    """y, mean and variance for the running ones, and what the gradient needs.

    In training the variance that is normalized with is divided by the count, the one that is given
    by one less; with a factor below 1 both are mixed with those that came in.
    """
    x = jnp.asarray(x)
    layout = node.text("data_format")
    channels = 1 if layout.startswith("NC") else x.ndim - 1
    axes = tuple(i for i in range(x.ndim) if i != channels)
    sizes = [-1 if i == channels else 1 for i in range(x.ndim)]
    compute = x.astype(scale.dtype)
    epsilon = jnp.asarray(node["epsilon"], scale.dtype)
    given_mean, given_variance = mean, variance
    reserve_mean, reserve_variance = mean, variance
    if node.get("is_training", True):
        count = max(compute.size // max(compute.shape[channels], 1), 1)
        mean = jnp.mean(compute, axes)
        centred = compute - mean.reshape(sizes)
        variance = jnp.mean(jnp.square(centred), axes)
        reserve_mean, reserve_variance = mean, variance
        factor = node.get("exponential_avg_factor", 1.0)
        new_mean, new_variance = mean, variance * (count / max(count - 1, 1))
        if factor != 1:
            new_mean = given_mean * (1 - factor) + new_mean * factor
            new_variance = given_variance * (1 - factor) + new_variance * factor
    else:
        centred = compute - jnp.reshape(mean, sizes)
        new_mean, new_variance = given_mean, given_variance
    weight = lax.rsqrt(variance + epsilon) * scale
    y = centred * jnp.reshape(weight, sizes) + jnp.reshape(offset, sizes)
    spare = jnp.zeros((0,), scale.dtype)
    return y.astype(x.dtype), new_mean, new_variance, reserve_mean, reserve_variance, spare


@op("LRN")
def _local_response(node: Node, x: Any) -> Any:
    radius = node["depth_radius"]
    window = (1,) * (x.ndim - 1) + (2 * radius + 1,)
    total = lax.reduce_window(
        jnp.square(x), np.zeros((), x.dtype)[()], lax.add, window, (1,) * x.ndim, "SAME"
    )
    return x / (node["bias"] + node["alpha"] * total) ** node["beta"]


@op("BatchNormWithGlobalNormalization")
def _old_batch_norm(node: Node, x: Any, mean: Any, variance: Any, beta: Any, gamma: Any) -> Any:
    weight = lax.rsqrt(variance + node["variance_epsilon"])
    if node["scale_after_normalization"]:
        weight = weight * gamma
    return (x - mean) * weight + beta


# --- losses ---------------------------------------------------------------------------------------


@op("SoftmaxCrossEntropyWithLogits")
def _cross_entropy(node: Node, logits: Any, labels: Any) -> Any:
    logits, labels = jnp.broadcast_arrays(logits, labels)
    log = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.sum(labels * log, axis=-1), jnp.exp(log) - labels


@op("SparseSoftmaxCrossEntropyWithLogits")
def _sparse_cross_entropy(node: Node, logits: Any, labels: Any) -> Any:
    log = jax.nn.log_softmax(jnp.asarray(logits), axis=-1)
    labels = jnp.asarray(labels)[..., None]  # (*batch, 1)
    is_label = labels == jnp.arange(log.shape[-1])  # (*batch, classes)
    outside = (labels < 0) | (labels >= log.shape[-1])
    loss = -jnp.sum(jnp.where(is_label, log, 0), axis=-1)
    nan = jnp.asarray(jnp.nan, log.dtype)
    return jnp.where(outside[..., 0], nan, loss), jnp.exp(log) - is_label
