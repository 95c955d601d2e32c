"""Weights of 4 bits, two in a byte, with a scale and a zero point for each block of inputs."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.indices import outside_as
from nacre.core.policies import Int4DTypePolicy
from nacre.core.variable import Variable
from nacre.layers.adapters.quantized import Quantized
from nacre.layers.adapters.weights import (
    Weight,
    group_index,
    int4_arrays,
    int4_values,
    unpacked,
)
from nacre.layers.base.adapting import register_adapter
from nacre.ops.kernels.quantized import int4_product, is_compiled_of_few_rows
from nacre.quantizers import Int4QuantizationConfig


class Int4Stored:
    """A weight as packed 4-bit numbers, a scale and, with blocks, zero points."""

    def __init__(self, adapter: Int4, weight: Weight, value: np.ndarray) -> None:
        self.adapter, self.weight, self.block_size = adapter, weight, adapter.block_size
        name = weight.name
        endings = ["", "_scale"] if self.block_size == -1 else ["", "_scale", "_zero"]
        arrays = self.arrays(value)
        self.variables: list[Variable] = [
            adapter.add(f"{name}{ending}", array)
            for ending, array in zip(endings, arrays, strict=False)
        ]
        self.has_index = self.block_size != -1 and name != "reverse_embeddings"
        if self.has_index:
            # Keras keeps which block an input is in; files need it, sums do not.
            size = weight.matrix[weight.group_axis]
            self.variables.append(adapter.add("g_idx", group_index(size, self.block_size)))

    def arrays(self, value: np.ndarray) -> list[Any]:
        """Packed numbers, scale, zero points of a float weight."""
        weight, quantizer = self.weight, self.adapter.config.weight_quantizer
        arrays = list(int4_arrays(weight, value, quantizer, self.block_size).values())
        if getattr(self, "has_index", False):
            arrays.append(self.variables[-1].numpy())
        return arrays

    def numbers(self) -> tuple[Any, Any] | None:
        """Numbers of the weight's shape and its scale beside the outputs.

        None with blocks, or where the lines of the matrix are no outputs.
        """
        if self.block_size != -1 or not self.weight.has_output_columns:
            return None
        packed, scale = (v.value for v in self.variables)
        matrix = unpacked(self.weight, packed)
        return matrix.reshape(self.weight.shape), self.adapter.form.scale_for_outputs(scale)

    def values(self, dtype: Any) -> Any:
        """The float weight."""
        packed, scale = (v.value for v in self.variables[:2])
        zero = None if self.block_size == -1 else self.variables[2].value
        matrix = int4_values(
            self.weight, unpacked(self.weight, packed), scale, zero, self.block_size
        )
        return matrix.reshape(self.weight.shape).astype(dtype)

    def product(self, inputs: Any) -> Any:
        """Few rows of floats by a matrix in blocks: by a compiled kernel where it can be used."""
        weight = self.weight
        is_usual = weight.pack_axis == 1 and weight.group_axis == 0 and weight.has_output_columns
        if self.block_size == -1 or not is_usual:
            return None
        arrays = [variable.value for variable in self.variables[:3]]
        if not is_compiled_of_few_rows(inputs, *arrays):
            return None
        return _product_of_blocks(weight, self.block_size, inputs, *arrays)

    def rows(self, indices: Any) -> Any:
        """The float rows at `indices`; NaN for an index outside the table."""
        flat = outside_as(indices, self.weight.shape[0]).reshape(-1)
        packed = jnp.take(self.variables[0].value, flat, axis=0, mode="clip")
        scale = jnp.take(self.variables[1].value, flat, axis=0, mode="fill")
        zero = None
        if self.block_size != -1:
            zero = jnp.take(self.variables[2].value, flat, axis=0, mode="clip")
        found = int4_values(
            self.weight, unpacked(self.weight, packed), scale, zero, self.block_size
        )
        return found.reshape(*indices.shape, -1)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _product_of_blocks(
    weight: Weight, block_size: int, inputs: Any, packed: Any, scale: Any, zero: Any
) -> Any:
    """The product by a compiled kernel; its derivative is that by the float weight."""
    return int4_product(inputs, packed, scale, zero, block_size)


@_product_of_blocks.defjvp
def _product_of_blocks_jvp(weight: Weight, block_size: int, primals: Any, tangents: Any) -> Any:
    _, packed, scale, zero = primals
    matrix = int4_values(weight, unpacked(weight, packed), scale, zero, block_size)
    outputs = _product_of_blocks(weight, block_size, *primals)
    return outputs, jnp.matmul(tangents[0], matrix)


class Int4(Quantized):
    """The 4-bit adapter.

    Formula:
        with blocks:     w ≈ (q - z) · s, in [-8, 7], s and z for each block of inputs and output
        without blocks:  w ≈ q / s, s = 7 / max |w| over the inputs of each output
    Source:
        Keras 3.15's int4 mode, number for number.
    """

    def __init__(self, layer: Any, config: Any, block_size: int) -> None:
        self.block_size = block_size
        super().__init__(layer, config, f"int4/{block_size}")

    def store(self, weight: Weight, value: np.ndarray) -> Int4Stored:
        """The weight as packed numbers."""
        return Int4Stored(self, weight, value)


@register_adapter("int4")
def quantize_int4(layer: Any, config: Any) -> Int4:
    """Give a layer weights of 4 bits."""
    policy = layer._policy
    if config is None:
        size = policy.block_size if isinstance(policy, Int4DTypePolicy) else 128
        config = Int4QuantizationConfig(block_size=size)
    return Int4(layer, config, config.block_size if config.has_blocks else -1)
