"""Configs that Keras up to 2.5 wrote as YAML: read as plain values, and as nothing else."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, FileFormatError, MissingPackageError
from nacre.models import model_from_json, model_from_yaml

# In the form that `yaml.dump` gave the config of a model of Keras 2.4; the second shape is an alias.
FUNCTIONAL = """\
backend: tensorflow
class_name: Functional
config:
  input_layers:
  - [input_1, 0, 0]
  layers:
  - class_name: InputLayer
    config:
      batch_input_shape: !!python/tuple [null, 6, 6, 3]
      dtype: float32
      name: input_1
      ragged: false
      sparse: false
    inbound_nodes: []
    name: input_1
  - class_name: Conv2D
    config:
      activation: relu
      activity_regularizer: null
      bias_constraint: null
      bias_initializer:
        class_name: Zeros
        config: {}
      bias_regularizer: null
      data_format: channels_last
      dilation_rate: &id001 !!python/tuple
      - 1
      - 1
      dtype: float32
      filters: 4
      groups: 1
      kernel_constraint: null
      kernel_initializer:
        class_name: GlorotUniform
        config: {seed: null}
      kernel_regularizer:
        class_name: L2
        config: {l2: 1.0e-04}
      kernel_size: !!python/tuple [3, 3]
      name: conv2d
      padding: same
      strides: *id001
      trainable: true
      use_bias: true
    inbound_nodes:
    - - - input_1
        - 0
        - 0
        - {}
    name: conv2d
  - class_name: GlobalAveragePooling2D
    config: {data_format: channels_last, dtype: float32, name: pool, trainable: true}
    inbound_nodes:
    - - - conv2d
        - 0
        - 0
        - {}
    name: pool
  name: model
  output_layers:
  - [pool, 0, 0]
keras_version: 2.4.0
"""

FIRST = """\
class_name: Sequential
config:
- class_name: Dense
  config:
    activation: tanh
    batch_input_shape: !!python/tuple [null, 3]
    bias: true
    init: glorot_uniform
    input_dim: 3
    name: dense_1
    output_dim: 2
"""


def test_configs_of_keras_2_make_their_models():
    model = model_from_yaml(FUNCTIONAL)
    conv = model.get_layer("conv2d")
    assert model.output_shape == (None, 4) and conv.kernel_size == (3, 3)
    assert conv.strides == conv.dilation_rate == (1, 1)
    assert conv.kernel_regularizer.l2 == pytest.approx(1e-4)
    assert np.shape(model(np.ones((2, 6, 6, 3)))) == (2, 4)
    assert model_from_json(model.to_json()).get_config() == model.get_config()


def test_configs_of_keras_1_make_their_models():
    model = model_from_yaml(FIRST.encode())
    assert model.output_shape == (None, 2) and model.layers[0].activation.__name__ == "tanh"


def test_custom_objects_are_found():
    class Mine(nacre.layers.Layer):
        def call(self, x):
            return x

    text = "class_name: Sequential\nconfig:\n  name: s\n  layers:\n  - class_name: Mine\n"
    text += "    config: {name: m, batch_input_shape: [null, 3]}\nkeras_version: 2.3.1\n"
    assert isinstance(model_from_yaml(text, {"Mine": Mine}).layers[0], Mine)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("!!python/object/apply:os.system ['true']", "python/object/apply:os.system in line 2"),
        ("!!python/name:os.system ''", "python/name"),
        ("!!python/module:os ''", "python/module"),
        ("!!python/object/new:tuple [[1]]", "python/object/new"),
        ("!!binary aGVsbG8=", "binary"),
        ("!!set {a, b}", "set"),
        ("2020-01-01", "timestamp"),
        ("{<<: {a: 1}}", "the tag !!merge"),
        ("{a: 1, a: 2}", "each once"),
        ("{[1]: 2}", "names that are texts"),
        ("&a [*a]", "within themselves"),
        ("&a {b: *a}", "within themselves"),
        ("!!int x", "must be YAML"),
        ("!!bool x", "must be YAML"),
        ("9" * 5000, "must be YAML"),
        ("[" * 5000, "too deep"),
        ("*nowhere", "must be YAML"),
        ("\x00", "must be YAML"),
    ],
)
def test_anything_but_plain_values_is_refused(value, says):
    with pytest.raises(FileFormatError, match=says):
        model_from_yaml(f"class_name: Sequential\nconfig: {value}\n")


def test_aliases_of_aliases_are_counted():
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(FileFormatError, match="1,000,000 values"):
        model_from_yaml("\n".join(lines))


@pytest.mark.parametrize("text", ["", "3", "- 1", "a: 1", "a: 1\n---\nb: 1"])
def test_texts_of_no_model_are_one_error(text):
    with pytest.raises((FileFormatError, ArgumentError), match="model_from_yaml"):
        model_from_yaml(text)


def test_to_yaml_says_what_to_call():
    model = model_from_yaml(FIRST)
    assert not hasattr(model, "to_yaml")
    with pytest.raises(AttributeError, match="Use to_json"):
        model.to_yaml()


def test_the_missing_package_is_named(monkeypatch):
    real = importlib.import_module

    def without(name, *args):
        if name == "yaml":
            raise ModuleNotFoundError("No module named 'yaml'")
        return real(name, *args)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingPackageError, match=r"nacre\[yaml\]"):
        model_from_yaml(FIRST)
