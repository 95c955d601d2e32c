"""Older dialects of configs and weights, written down by hand from their documentation."""

from __future__ import annotations

import io
import json
import re
import zipfile

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import SerializationError
from nacre.saving import load_model
from nacre.saving.migrate import migrate_config
from tests.saving.helpers import FILES


def write_h5(path, config, layers, version, training=None):
    with h5py.File(path, "w") as file:
        if version:
            file.attrs["keras_version"] = version.encode()
        file.attrs["model_config"] = json.dumps(config).encode()
        if training:
            file.attrs["training_config"] = json.dumps(training).encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = root.create_group(name)
            names = [f"{name}_W{i}" for i in range(len(arrays))]
            group.attrs["weight_names"] = [n.encode() for n in names]
            for n, array in zip(names, arrays, strict=True):
                group[n] = array


def test_keras1_network_with_old_argument_names(tmp_path):
    random = np.random.default_rng(0)
    w = [random.normal(size=s).astype("float32") for s in ((3, 3, 1, 2), (2,), (8, 4), (4,))]
    config = {"class_name": "Sequential", "config": [
        {"class_name": "Convolution2D", "config": {"name": "conv", "nb_filter": 2, "nb_row": 3,
         "nb_col": 3, "border_mode": "valid", "subsample": [1, 1], "dim_ordering": "tf",
         "init": "glorot_uniform", "activation": "relu", "bias": True, "W_regularizer": None,
         "b_regularizer": None, "activity_regularizer": None, "W_constraint": None,
         "b_constraint": None, "trainable": True, "batch_input_shape": [None, 6, 6, 1],
         "input_dtype": "float32"}},
        {"class_name": "MaxPooling2D", "config": {"name": "pool", "pool_size": [2, 2],
         "strides": [2, 2], "border_mode": "valid", "dim_ordering": "tf", "trainable": True}},
        {"class_name": "Dropout", "config": {"name": "drop", "p": 0.5, "trainable": True}},
        {"class_name": "Flatten", "config": {"name": "flat", "trainable": True}},
        {"class_name": "Dense", "config": {"name": "dense", "output_dim": 4, "init": "uniform",
         "activation": "softmax", "bias": True, "input_dim": None, "trainable": True,
         "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01}}}]}  # fmt: skip
    training = {
        "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.5, "momentum": 0.0, "decay": 0.0, "nesterov": False}},
        "loss": "categorical_crossentropy", "metrics": ["accuracy"], "sample_weight_mode": None,
    }  # fmt: skip
    layers = {"conv": w[:2], "pool": [], "drop": [], "flat": [], "dense": w[2:]}
    write_h5(tmp_path / "k1.h5", config, layers, "1.2.2", training)
    model = load_model(tmp_path / "k1.h5")
    assert float(model.optimizer.learning_rate) == 0.5
    assert [tuple(v.shape) for v in model.weights] == [a.shape for a in w]
    new = nacre.Sequential([
        nacre.Input((6, 6, 1)), nacre.layers.Conv2D(2, 3, activation="relu"),
        nacre.layers.MaxPooling2D(), nacre.layers.Flatten(), nacre.layers.Dense(4, "softmax"),
    ])  # fmt: skip
    new.set_weights(w)
    x = random.normal(size=(2, 6, 6, 1)).astype("float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), new.predict(x, verbose=0), atol=1e-6)


def test_keras1_lstm_gates_are_joined_in_todays_order(tmp_path):
    random = np.random.default_rng(0)
    gates = [
        [random.normal(size=s).astype("float32") for s in ((3, 2), (2, 2), (2,))] for _ in "icfo"
    ]
    config = {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": {
        "name": "lstm", "output_dim": 2, "init": "glorot_uniform", "inner_init": "orthogonal",
        "forget_bias_init": "one", "activation": "tanh", "inner_activation": "sigmoid",
        "return_sequences": False, "go_backwards": False, "stateful": False, "unroll": False,
        "consume_less": "cpu", "dropout_W": 0.0, "dropout_U": 0.0, "trainable": True,
        "batch_input_shape": [None, 4, 3], "input_dim": 3, "input_length": 4}}]}  # fmt: skip
    write_h5(tmp_path / "k1.h5", config, {"lstm": [a for gate in gates for a in gate]}, "1.2.0")
    model = load_model(tmp_path / "k1.h5")
    i, c, f, o = gates
    wanted = [np.concatenate([g[part] for g in (i, f, c, o)], axis=-1) for part in range(3)]
    for variable, array in zip(model.weights, wanted, strict=True):
        assert np.array_equal(variable.numpy(), array)


def test_old_hard_sigmoid_keeps_its_slope(tmp_path):
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "hard_sigmoid",
         "batch_input_shape": [None, 2]}}]}}  # fmt: skip
    write_h5(tmp_path / "k2.h5", config, {"d": [np.eye(2), np.zeros(2)]}, "2.2.4")
    model = load_model(tmp_path / "k2.h5")
    x = np.array([[1.0, -1.0]], "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), [[0.7, 0.3]], atol=1e-6)
    model.save(tmp_path / "new.keras")
    again = load_model(tmp_path / "new.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), [[0.7, 0.3]], atol=1e-6)


def test_old_optimizer_state_is_sorted_by_slot(tmp_path):
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 2]}}]}}  # fmt: skip
    training = {
        "optimizer_config": {"class_name": "Adam", "config": {"lr": 0.01, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-07, "amsgrad": False}},
        "loss": "mean_squared_error", "metrics": [], "loss_weights": None, "sample_weight_mode": None,
    }  # fmt: skip
    path = tmp_path / "k2.h5"
    write_h5(path, config, {"d": [np.ones((2, 3)), np.zeros(3)]}, "2.2.4", training)
    names = ["iter:0", "d/kernel/m:0", "d/bias/m:0", "d/kernel/v:0", "d/bias/v:0"]
    values = [
        np.array(7),
        np.full((2, 3), 1.0),
        np.full(3, 2.0),
        np.full((2, 3), 3.0),
        np.full(3, 4.0),
    ]
    with h5py.File(path, "a") as file:
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [f"training/Adam/{n}".encode() for n in names]
        for name, value in zip(names, values, strict=True):
            group[f"training/Adam/{name}"] = value
    found = {v.name.removeprefix("s_"): v.numpy() for v in load_model(path).optimizer.variables}
    assert found["iteration"] == 7
    assert [
        float(found[f"d_{w}_{s}"].flat[0])
        for w in ("kernel", "bias")
        for s in ("momentum", "velocity")
    ] == [1, 3, 2, 4]


def test_time_major_layers_are_refused_and_its_absence_is_not():
    layer = {"class_name": "LSTM", "config": {"name": "l", "units": 2, "time_major": True}}
    with pytest.raises(SerializationError, match="time_major=False"):
        migrate_config(layer, "2.8.0")
    layer["config"]["time_major"] = False
    assert migrate_config(layer, "2.8.0")["config"] == {"name": "l", "units": 2}


def test_decay_becomes_a_schedule():
    optimizer = {"class_name": "Custom>SGD", "config": {"lr": 0.1, "decay": 0.01}}
    migrated = migrate_config(optimizer, "2.8.0")
    assert migrated["class_name"] == "SGD"
    assert migrated["config"]["learning_rate"]["class_name"] == "InverseTimeDecay"


def test_the_decay_of_an_old_nadam_is_that_of_its_momentum():
    config = {"learning_rate": 0.1, "decay": 0.004}
    found = migrate_config({"class_name": "Nadam", "config": config}, "2.8.0")
    assert found["config"] == {"learning_rate": 0.1, "schedule_decay": 0.004}


def test_ops_in_files_of_keras_3_are_told_from_layers_even_with_a_dtype(tmp_path):
    x = nacre.Input((3,), name="x")
    y = nacre.ops.cast(nacre.ops.zeros_like(x, dtype="bool"), "float32")
    model = nacre.Model(x, nacre.layers.Dense(2)(x + y))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:  # without modules, as Keras writes it
        config = json.loads(file.attrs["model_config"])
        classes = [layer["class_name"] for layer in config["config"]["layers"]]
        for layer in config["config"]["layers"]:
            layer.pop("module", None)
        file.attrs["model_config"] = json.dumps(config)
    assert {"ZerosLike", "Cast", "Add"} <= set(classes)
    data = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(load_model(tmp_path / "m.h5")(data), model(data))


PLACES = {
    "Dense 'hidden'": lambda c: c["config"]["layers"][1]["config"],
    "Dense 'hidden', GlorotUniform": lambda c: c["config"]["layers"][1]["config"][
        "kernel_initializer"
    ]["config"],
    "InputLayer 'input_layer'": lambda c: c["config"]["layers"][0]["config"],
    "Sequential 'sequential_dense'": lambda c: c["config"],
    "compile": lambda c: c["compile_config"],
    "Adam": lambda c: c["compile_config"]["optimizer"]["config"],
}


@pytest.mark.parametrize("who", PLACES)
def test_an_argument_of_a_later_version_is_told_where_it_holds_something(who):
    def file(value):
        content = io.BytesIO()
        with (
            zipfile.ZipFile(FILES / "sequential_dense.keras") as old,
            zipfile.ZipFile(content, "w") as new,
        ):
            for name in old.namelist():
                data = old.read(name)
                if name == "config.json":
                    config = json.loads(data)
                    PLACES[who](config)["later_argument"] = value
                    data = json.dumps(config).encode()
                elif name == "metadata.json":
                    data = json.dumps({"keras_version": "3.99.0"}).encode()
                new.writestr(name, data)
        return content.getvalue()

    assert load_model(file(None)).compiled
    text = f"{re.escape(who)}, from a file of Keras 3.99.0.*later_argument=3"
    with pytest.raises(SerializationError, match=text):
        load_model(file(3))
