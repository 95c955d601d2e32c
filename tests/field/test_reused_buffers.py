"""Arrays that a script writes to again after it gave them away."""

from __future__ import annotations

import numpy as np

import nacre
from nacre import layers, losses, ops


def test_a_tensor_made_of_a_buffer_keeps_its_numbers() -> None:
    for _ in range(10):  # whether JAX looks into the buffer's memory depends on where it lies
        buffer = np.ones((4096, 3), "float32")
        tensors = ops.convert_to_tensor(buffer), ops.convert_to_tensor(buffer, "float32")
        arrays = ops.array(buffer), ops.copy(buffer)
        buffer[:] = 0
        for tensor in (*tensors, *arrays):
            assert float(ops.min(tensor)) == 1.0


def test_what_is_computed_of_a_buffer_is_of_the_numbers_it_had() -> None:
    for _ in range(3):
        buffer = np.ones((1200, 1200), "float32")
        product = ops.matmul(buffer, buffer)  # still under way when the next line runs
        buffer[:] = 0
        assert float(ops.min(product)) == 1200.0


def test_layers_models_and_losses_compute_with_the_numbers_a_buffer_had() -> None:
    size = 1200
    model = nacre.Sequential([nacre.Input((size,))])
    for _ in range(3):
        model.add(layers.Dense(size, kernel_initializer="identity", use_bias=False))
    loss = losses.MeanSquaredError()
    zeros = np.zeros((size, size), "float32")
    for function in (model, model.layers[0], lambda x: loss(x, zeros)):
        for _ in range(3):
            buffer = np.ones((size, size), "float32")
            result = function(buffer)
            buffer[:] = 0
            assert float(ops.min(result)) == 1.0
