"""Training with products of 8-bit floats."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.policies import QuantizedFloat8DTypePolicy, get_policy
from nacre.core.variable import Variable
from nacre.layers.adapters.products import ProductForm
from nacre.layers.base.adapting import Adapter, register_adapter
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand
from nacre.quantizers import (
    Float8QuantizationConfig,
    compute_float8_amax_history,
    compute_float8_scale,
    quantize_and_dequantize,
)

FORWARD, BACKWARD = "float8_e4m3fn", "float8_e5m2"


@derived_by_hand(nondiff_argnums=(3,))
def rounded_values(x: Any, scale: Any, history: Any, dtype: str) -> Any:
    """`x` as 8-bit floats hold it; the "gradients" of scale and history are their next values."""
    return quantize_and_dequantize(x, scale, dtype, str(x.dtype))


def _values_forward(dtype: str, x: Any, scale: Any, history: Any) -> Any:
    return rounded_values(x, scale, history, dtype), (x, scale, history)


def _values_backward(dtype: str, kept: Any, gradient: Any) -> Any:
    x, scale, history = kept
    return gradient, *_next(x, scale, history, dtype)


def _unrounded(dtype: str, kept: Any, tangents: Any) -> Any:
    """The tangent of the values as it comes: what moves scale and history is no derivative."""
    return jnp.zeros_like(kept[0]) if tangents[0] is None else tangents[0]


define_derivatives(rounded_values, _values_forward, _values_backward, _unrounded)


@derived_by_hand(nondiff_argnums=(3,))
def rounded_gradient(y: Any, scale: Any, history: Any, dtype: str) -> Any:
    """`y` as it is; its gradient is rounded to 8-bit floats on the way back."""
    return y


def _gradient_forward(dtype: str, y: Any, scale: Any, history: Any) -> Any:
    return y, (y, scale, history)


def _gradient_backward(dtype: str, kept: Any, gradient: Any) -> Any:
    _, scale, history = kept
    small = quantize_and_dequantize(gradient, scale, dtype, str(gradient.dtype))
    return small, *_next(gradient, scale, history, dtype)


define_derivatives(rounded_gradient, _gradient_forward, _gradient_backward, _unrounded)


def _next(x: Any, scale: Any, history: Any, dtype: str) -> tuple[Any, Any]:
    """Scale and history after a step."""
    largest = float(jnp.finfo(jnp.dtype(dtype)).max)
    new_scale = compute_float8_scale(jnp.max(history), scale, largest)
    return new_scale.astype(scale.dtype), compute_float8_amax_history(x, history)


class Float8(Adapter):
    """Inputs and kernel rounded to e4m3, gradients of the outputs to e5m2; the kernel is trained.

    Formula:
        y = Σ round8(x) · round8(w), scales follow the largest values of the last steps
    Source:
        Micikevicius et al. 2022, arXiv:2209.05433; delayed scaling as in Keras 3.15, whose
        variables, order and numbers these are.
    """

    takes_lora = False

    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__(layer)
        self.form = ProductForm(layer)
        self.bias = layer.bias
        policy = layer._policy
        if layer.quantization_mode is None:
            policy = get_policy(f"float8_from_{policy.name}")
            layer.dtype_policy = policy
        layer.quantization_config = config
        length = QuantizedFloat8DTypePolicy.default_amax_history_length
        self.length = getattr(policy, "amax_history_length", length)
        self.folder = layer.kernel.path.rpartition("/")[0]
        self.meta = {name: self._pair(name) for name in ("inputs", "kernel", "outputs_grad")}
        layer._adapter = self
        object.__setattr__(layer, "call", self.call)

    def _pair(self, name: str) -> list[Variable]:
        """Scale and history of one tensor; training overwrites them with their "gradients"."""
        scale = ("scale", np.ones((), "float32"))
        history = ("amax_history", np.zeros(self.length, "float32"))
        return [self._add(f"{name}_{ending}", value) for ending, value in (scale, history)]

    def _add(self, name: str, value: np.ndarray) -> Variable:
        variable = self.layer.add_weight(
            name=name,
            shape=value.shape,
            initializer=value,
            dtype="float32",
            autocast=False,
            overwrite_with_gradient=True,
        )
        variable.path = f"{self.folder}/{name}" if self.folder else name
        setattr(self.layer, name, variable)
        return variable

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The layer's outputs."""
        layer, dtype = self.layer, self.layer.compute_dtype
        # (scale, history) of each
        values = {name: (pair[0].value, pair[1].value) for name, pair in self.meta.items()}
        x = rounded_values(inputs.astype(dtype), *values["inputs"], FORWARD)
        kernel = rounded_values(layer.kernel.value.astype(dtype), *values["kernel"], FORWARD)
        outputs = jnp.einsum(self.form.equation, x, kernel)
        outputs = rounded_gradient(outputs, *values["outputs_grad"], BACKWARD)
        if self.bias is not None:
            # In bfloat16, as kernels with 8-bit products add it.
            outputs = outputs + self.bias.value.astype("bfloat16").astype(outputs.dtype)
        return layer.activation(outputs)

    def saved_variables(self) -> list[Variable]:
        """Kernel, bias, then scales and histories."""
        head = [self.layer.kernel, *([] if self.bias is None else [self.bias])]
        return head + [variable for pair in self.meta.values() for variable in pair]


@register_adapter("float8")
def quantize_float8(layer: Any, config: Any) -> Float8:
    """Let a layer train with 8-bit floats."""
    return Float8(layer, config or Float8QuantizationConfig())
