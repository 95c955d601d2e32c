"""LayerScale and StochasticDepth: what they compute, and files that name them."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre.applications.convnext import ConvNeXtTiny, LayerScale, StochasticDepth
from nacre.core.errors import ArgumentError
from nacre.layers import deserialize
from nacre.saving import register_keras_serializable, serialize_keras_object

_MODULE = "keras.src.applications.convnext"
_CONFIGS = {
    LayerScale: {"init_values": 1e-6, "projection_dim": 3},
    StochasticDepth: {"drop_path_rate": 0.5},
}


@pytest.mark.parametrize("cls", _CONFIGS)
def test_configs_are_those_of_keras(cls) -> None:
    config = serialize_keras_object(cls(**_CONFIGS[cls]))
    assert (config["module"], config["class_name"]) == (_MODULE, cls.__name__)
    assert config["registered_name"] == cls.__name__
    own = {k: v for k, v in config["config"].items() if k not in ("name", "trainable", "dtype")}
    assert own == _CONFIGS[cls]


@pytest.mark.parametrize("module", [_MODULE, "keras.applications.convnext", None])
@pytest.mark.parametrize("cls", _CONFIGS)
def test_configs_of_all_versions_are_read(cls, module) -> None:
    config = {"class_name": cls.__name__, "config": {"name": "old", **_CONFIGS[cls]}}
    if module is not None:
        config |= {"module": module, "registered_name": cls.__name__}
    layer = deserialize(config)
    assert type(layer) is cls and layer.name == "old"


def test_a_class_of_the_users_own_comes_before_the_one_that_is_no_public_name_of_keras() -> None:
    class Own(nacre.layers.Layer):
        def __init__(self, init_values, **kwargs):
            super().__init__(**kwargs)
            self.init_values = init_values

    config = {"class_name": "LayerScale", "config": {"init_values": 2.0}}
    assert type(deserialize(config, {"LayerScale": Own})) is Own
    registered = register_keras_serializable("test_convnext_layers", "LayerScale")(Own)
    try:
        assert type(deserialize(config)) is registered
    finally:
        del nacre.saving.get_custom_objects()["test_convnext_layers>LayerScale"]


def test_stochastic_depth_leaves_out_whole_samples_in_training_alone() -> None:
    nacre.utils.set_random_seed(0)
    x, layer = np.full((400, 2, 3), 3.0, "float32"), StochasticDepth(0.25)
    np.testing.assert_array_equal(layer(x), x)
    kept = np.asarray(layer(x, training=True)).reshape(400, -1)
    assert (kept == kept[:, :1]).all() and set(kept[:, 0]) == {0.0, 4.0}
    assert 0.6 < np.mean(kept[:, 0] > 0) < 0.9
    assert not np.array_equal(kept[:, 0], layer(x, training=True)[:, 0, 0])
    assert layer.weights == []


def test_layer_scale_learns_a_number_for_each_channel() -> None:
    layer, x = LayerScale(0.5, 3), np.ones((2, 3), "float32")
    with nacre.GradientTape() as tape:
        loss = nacre.ops.sum(layer(x) * np.array([1.0, 2.0, 3.0], "float32"))
    np.testing.assert_allclose(layer(x), 0.5 * x)
    np.testing.assert_allclose(tape.gradient(loss, layer.gamma), [2.0, 4.0, 6.0])
    with pytest.raises(ArgumentError, match="projection_dim must be a positive int"):
        LayerScale(0.5, 0)


def test_channels_first_are_refused() -> None:
    nacre.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ArgumentError, match="channels last"):
            ConvNeXtTiny(weights=None)
    finally:
        nacre.config.set_image_data_format("channels_last")
