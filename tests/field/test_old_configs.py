"""Configs of tf.keras 2: keys at their defaults, keys that matter, classes of a user's."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nacre
from nacre import layers, saving
from nacre.core.errors import SerializationError, WeightsMismatchError
from nacre.saving.migrate import migrate_config


def opened(kind: str, custom: Any = None, **config: Any) -> Any:
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4, 4, 2]}}
    layer = {"class_name": kind, "config": {"name": "it", **config}}
    data = {"class_name": "Sequential", "config": {"name": "m", "layers": [first, layer]},
            "keras_version": "2.12.0"}  # fmt: skip
    return nacre.models.model_from_json(json.dumps(data), custom_objects=custom)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "groups": 1}),
        ("DepthwiseConv2D", {"kernel_size": 2, "groups": 1}),
        ("SeparableConv2D", {"filters": 2, "kernel_size": 2, "groups": 1, "kernel_constraint": None}),
        ("SpatialDropout2D", {"rate": 0.5, "noise_shape": None, "seed": None}),
        ("LeakyReLU", {"alpha": 0.1}),
        ("BatchNormalization", {"axis": [3], "virtual_batch_size": None, "renorm": False}),
    ],
)  # fmt: skip
def test_a_key_at_the_default_it_had_is_accepted(kind, config):
    assert opened(kind, **config).layers[0].name == "it"


def test_a_key_that_mattered_is_an_error_that_names_layer_key_and_version():
    with pytest.raises(SerializationError, match="Conv2DTranspose 'it'.*groups=1.*groups=2"):
        opened("Conv2DTranspose", filters=2, kernel_size=2, groups=2)
    with pytest.raises(SerializationError, match=r"Dense 'it', from a file of Keras 2\.12\.0.*'x'"):
        opened("Dense", units=2, colour="x")


@pytest.mark.parametrize("kind", ["Activation", "DepthwiseConv2D", "EinsumDense"])
def test_hard_sigmoid_of_an_old_file_has_its_old_slope_in_every_layer(kind):
    arguments = {"DepthwiseConv2D": {"kernel_size": 1},
                 "EinsumDense": {"equation": "abcd,de->abce", "output_shape": [None, None, 3]}}  # fmt: skip
    model = opened(kind, activation="hard_sigmoid", **arguments.get(kind, {}))
    assert float(model.layers[0].activation(np.float32(1.0))) == pytest.approx(0.7)


class Attention(layers.Layer):
    """A class of a user's under a built-in one's name, with arguments of its own."""

    def __init__(self, causal: bool = False, width: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.causal, self.width = causal, width

    def call(self, x: Any) -> Any:
        return x * self.width


def test_a_class_of_a_users_under_a_built_in_name_keeps_its_arguments(tmp_path):
    model = nacre.Sequential([nacre.Input((3,)), Attention(causal=True, width=3)])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file.attrs["keras_version"] = "2.4.0"
        del file.attrs["nacre_version"]
    again = saving.load_model(tmp_path / "m.h5", custom_objects={"Attention": Attention})
    assert again.layers[0].width == 3 and again.layers[0].causal is True


class Widening(layers.Layer):
    """Its config forgets an argument, so that it is made otherwise than it was saved."""

    def __init__(self, units: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = layers.Dense(units)

    def call(self, x: Any) -> Any:
        return self.inner(x)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def test_load_model_does_not_advise_what_only_load_weights_takes(tmp_path):
    model = nacre.Sequential([nacre.Input((3,)), Widening(5)])
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        with pytest.raises(WeightsMismatchError, match="get_config") as caught:
            saving.load_model(tmp_path / name, custom_objects={"Widening": Widening})
        assert "skip_mismatch" not in str(caught.value)
        assert "Build the model first" not in str(caught.value)


# Classes that neither Keras 3 nor nacre has.
GONE = """layers.AbstractRNNCell layers.LocallyConnected1D layers.LocallyConnected2D
layers.RandomHeight layers.RandomWidth metrics.MeanTensor layers.InputLayer""".split()
CONFIGS = json.loads(
    gzip.decompress((Path(__file__).parent / "old_files" / "configs.json.gz").read_bytes())
)


@pytest.mark.parametrize("space", sorted({name.rpartition(".")[0] for name in CONFIGS}))
def test_the_default_config_of_every_class_of_tf_keras_makes_its_object(space):
    wrong = {}
    for name, config in CONFIGS.items():
        if name.rpartition(".")[0] == space and name not in GONE:
            data = migrate_config(
                {"class_name": name.rpartition(".")[2], "config": config}, "2.15.0"
            )
            data |= {"module": f"keras.{space}", "registered_name": None}
            try:
                saving.deserialize_keras_object(data)
            except Exception as error:
                wrong[name] = str(error)
    assert not wrong
