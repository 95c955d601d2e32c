"""Weights of 8 bits, one scale for each output."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.indices import outside_as
from nacre.layers.adapters.quantized import Quantized
from nacre.layers.adapters.weights import Weight, int8_arrays
from nacre.layers.base.adapting import register_adapter
from nacre.ops.kernels.quantized import bytes_product, is_compiled_of_few_rows
from nacre.quantizers import Int8QuantizationConfig


class Int8Stored:
    """A weight as int8 numbers and a scale."""

    def __init__(self, adapter: Quantized, weight: Weight, value: np.ndarray) -> None:
        self.adapter, self.weight = adapter, weight
        numbers, scale = self.arrays(value)
        self.variables = [
            adapter.add(weight.name, numbers),
            adapter.add(f"{weight.name}_scale", scale),
        ]

    def arrays(self, value: np.ndarray) -> list[Any]:
        """Numbers and scale of a float weight."""
        found = int8_arrays(self.weight, value, self.adapter.config.weight_quantizer)
        return [found[""], self.adapter.form.scale_for_outputs(found["_scale"])]

    def numbers(self) -> tuple[Any, Any]:
        """Numbers and scale."""
        return self.variables[0].value, self.variables[1].value

    def values(self, dtype: Any) -> Any:
        """The numbers divided by the scale."""
        numbers, scale = self.numbers()
        if hasattr(self.adapter.form, "scale_for_kernel"):
            scale = self.adapter.form.scale_for_kernel(scale)
        else:
            scale = scale.reshape(self.weight.full_scale_shape)
        return (numbers.astype(scale.dtype) / scale).astype(dtype)

    def product(self, inputs: Any) -> Any:
        """Few rows of floats: by a compiled kernel where it can be used."""
        numbers, scale = self.numbers()
        matrix, scale = numbers.reshape(self.weight.matrix), scale.reshape(-1)
        if not self.weight.has_output_columns or not is_compiled_of_few_rows(inputs, matrix, scale):
            return None
        return _product_of_bytes(inputs, matrix, scale)

    def rows(self, indices: Any) -> Any:
        """Rows divided by their scales; NaN for an index outside the table."""
        numbers, scale = self.numbers()
        indices = outside_as(indices, numbers.shape[0])
        found = jnp.take(scale, indices, axis=0, mode="fill")
        return jnp.take(numbers, indices, axis=0, mode="clip") / found[..., None]


@jax.custom_jvp
def _product_of_bytes(inputs: Any, numbers: Any, scale: Any) -> Any:
    """The product by a compiled kernel; its derivative is that by the float weight."""
    return bytes_product(inputs, numbers, scale)


@_product_of_bytes.defjvp
def _product_of_bytes_jvp(primals: Any, tangents: Any) -> Any:
    _, numbers, scale = primals
    return _product_of_bytes(*primals), jnp.matmul(tangents[0], numbers / scale)


class Int8(Quantized):
    """The 8-bit adapter.

    Formula:
        q = round(w · s), s = 127 / max |w| over the inputs of each output
        y = Σ round(x · sx) · q / (sx · s), summed in 32-bit ints
    Source:
        Keras 3.15's int8 mode, number for number. Differs: the quotient is taken in float32 for
        16-bit inputs.
    """

    def store(self, weight: Weight, value: np.ndarray) -> Int8Stored:
        """The weight as int8."""
        return Int8Stored(self, weight, value)


@register_adapter("int8")
def quantize_int8(layer: Any, config: Any) -> Int8:
    """Give a layer weights of 8 bits."""
    return Int8(layer, config or Int8QuantizationConfig(), "int8")
