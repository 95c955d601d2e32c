"""What a quantized layer says of the quantizer of its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nacre
from nacre import layers
from nacre.quantizers import AbsMaxQuantizer, Int4QuantizationConfig, Int8QuantizationConfig


def test_a_quantized_layer_has_the_quantizer_of_its_inputs(tmp_path: Path) -> None:
    own = AbsMaxQuantizer(value_range=(-100, 100), axis=-1)
    for config, is_own in (
        (Int8QuantizationConfig(activation_quantizer=own), True),
        (Int4QuantizationConfig(activation_quantizer=None, block_size=-1), False),
    ):
        model = nacre.Sequential([nacre.Input((4,)), layers.Dense(2)])
        model.quantize(config=config)
        model.save(tmp_path / "m.keras")
        loaded = nacre.saving.load_model(tmp_path / "m.keras")
        assert (model.layers[0].inputs_quantizer is own) == is_own
        found = loaded.layers[0].inputs_quantizer
        assert isinstance(found, AbsMaxQuantizer) if is_own else found is None
        assert not is_own or tuple(found.value_range) == (-100, 100)


class Halves(nacre.quantizers.Quantizer):
    def __call__(self, x: Any, axis: Any) -> Any:
        scale = 127 / nacre.ops.max(nacre.ops.abs(x), axis=axis, keepdims=True)
        return nacre.ops.cast(nacre.ops.round(x * scale), "int8"), scale


def test_a_quantizer_of_a_users_is_called_with_the_axis() -> None:
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    found = []
    for quantizer in (Halves(output_dtype="int8"), AbsMaxQuantizer(axis=-1)):
        nacre.utils.set_random_seed(0)
        model = nacre.Sequential([nacre.Input((8,)), layers.Dense(2)])
        model.quantize(config=Int8QuantizationConfig(activation_quantizer=quantizer))
        found.append(model.predict(x, verbose=0))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-3)
