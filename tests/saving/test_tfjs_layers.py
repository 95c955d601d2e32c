"""Layers models of TF.js: what TF.js saved, what nacre writes for it, and what is refused."""

import base64
import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import FileFormatError, NacreError, UnsupportedOpError
from nacre.export.targets.tfjs import readback
from nacre.models import load_model
from nacre.saving.export_archive import export_gaps
from nacre.saving.formats.tfjs_layers_writer import weights_of

_FILES = Path(__file__).parents[1] / "reference" / "files" / "tfjs"
needs_node = pytest.mark.skipif(bool(readback.TFJS.runs_here()), reason="TF.js is not installed")


def _calls(name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    found = json.loads((_FILES / name / "calls.json").read_text())
    arrays = lambda key: [
        np.array(one["values"], "float32").reshape(one["shape"]) for one in found[key]
    ]
    return arrays("inputs"), arrays("outputs")


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", ["dense", "branches", "pictures", "steps"])
def test_what_tfjs_saved_is_a_model_of_layers_that_computes_the_same(name: str):
    inputs, outputs = _calls(name)
    model = load_model(_FILES / name / "model.json")
    assert isinstance(model, nacre.Model) and all(model.layers)
    found = _listed(model(inputs[0] if len(inputs) == 1 else inputs))
    for own, wanted in zip(found, outputs, strict=True):
        np.testing.assert_allclose(own, wanted, atol=2e-6)


def test_it_trains_on_and_is_saved(tmp_path):
    (x,), _ = _calls("dense")
    model = load_model(_FILES / "dense")  # the folder
    model.compile("sgd", "mse")
    before = model.get_weights()[0].copy()
    model.fit(x, np.ones((3, 3)), verbose=0)
    assert not np.array_equal(before, model.get_weights()[0])
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras")(x), model(x))


def _small(**more: Any) -> nacre.Model:
    parts = [nacre.Input((6,)), layers.Dense(4, "relu", **more), layers.Dense(2)]
    return nacre.Sequential(parts)


X = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def _written(path: Path, model: nacre.Model, **options: Any) -> Path:
    model.export(path, format="tfjs_layers", verbose=False, verify=False, **options)
    return path


def test_what_nacre_writes_comes_back_as_the_same_layers(tmp_path):
    nested = nacre.Sequential([nacre.Input((4,)), layers.Dense(3, name="deep")], name="inner")
    x = nacre.Input((6,))
    y = layers.BatchNormalization()(layers.Dense(4, "silu", kernel_regularizer="l2")(x))
    model = nacre.Model(x, [nested(y), layers.LayerNormalization()(y)])
    for variable in model.weights:
        variable.assign(np.random.default_rng(1).uniform(0.1, 1, variable.shape))
    again = load_model(_written(tmp_path / "m", model))
    assert [type(a) for a in again.layers] == [type(a) for a in model.layers]
    for own, wanted in zip(again(X), model(X), strict=True):
        np.testing.assert_array_equal(own, wanted)


@pytest.mark.parametrize(("dtype", "far"), [("uint8", 5e-3), ("uint16", 2e-5), ("float16", 1e-3)])
def test_quantized_weights_are_restored(dtype: str, far: float, tmp_path: Path):
    model = _small()
    folder = _written(tmp_path / "m", model)
    said = json.loads((folder / "model.json").read_text())
    group, parts = said["weightsManifest"][0], []
    variables = weights_of(model)
    for spec in group["weights"]:
        array = np.asarray(variables[spec["name"]].value)
        if dtype == "float16":
            spec["quantization"] = {"dtype": dtype}
            parts.append(array.astype("<f2").tobytes())
            continue
        low, span = float(array.min()), float(np.ptp(array)) or 1.0
        scale = span / np.iinfo(dtype).max
        spec["quantization"] = {"dtype": dtype, "min": low, "scale": scale}
        parts.append(np.round((array - low) / scale).astype(dtype).tobytes())
    data = b"".join(parts)
    (folder / "a.bin").write_bytes(data[:11])
    (folder / "b.bin").write_bytes(data[11:])
    group["paths"] = ["a.bin", "./b.bin"]
    (folder / "model.json").write_text(json.dumps(said))
    for own, wanted in zip(load_model(folder).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(own, wanted, atol=far)


def test_a_graph_model_comes_back_and_trains(tmp_path):
    model = _small()
    model.export(tmp_path / "m", format="tfjs", verbose=False, verify=False)
    again = load_model(tmp_path / "m" / "model.json")
    np.testing.assert_allclose(again(X), model(X), atol=1e-6)
    again.compile("sgd", "mse")
    before = [w.copy() for w in again.get_weights()]
    again.fit(X, np.ones((5, 2)), verbose=0)
    assert all(not np.array_equal(a, b) for a, b in zip(before, again.get_weights(), strict=True))
    again.save(tmp_path / "m.keras")
    np.testing.assert_allclose(load_model(tmp_path / "m.keras")(X), again(X), atol=1e-6)


def _constant(name: str) -> dict[str, Any]:
    return {"name": name, "op": "Const", "attr": {"dtype": {"type": "DT_FLOAT"}}}


@pytest.mark.parametrize(
    ("op", "fused", "wanted"),
    [
        ("_FusedConv2D", ["BiasAdd", "Relu6"], lambda y, b, a: np.clip(y + b, 0, 6)),
        ("_FusedConv2D", ["BiasAdd", "Elu"],
         lambda y, b, a: np.where(y + b > 0, y + b, np.expm1(y + b))),
        ("FusedDepthwiseConv2dNative", ["BiasAdd", "Prelu"],
         lambda y, b, a: np.where(y + b > 0, y + b, (y + b) * a)),
        ("FusedDepthwiseConv2dNative", ["BiasAdd", "LeakyRelu"],
         lambda y, b, a: np.where(y + b > 0, y + b, (y + b) * 0.2)),
    ],
)  # fmt: skip
def test_what_the_converter_of_tfjs_fuses_is_computed(
    op: str, fused: list[str], wanted: Any, tmp_path: Path
):
    random = np.random.default_rng(0)
    shape = (2, 2, 3, 1) if "Depthwise" in op else (2, 2, 3, 3)
    arrays = {
        "kernel": random.normal(size=shape),
        "bias": random.normal(size=3),
        "slope": [0.1, 0.2, 0.3],
    }
    text = lambda value: {"s": base64.b64encode(value.encode()).decode()}
    inputs = ["x", "kernel", "bias", *(["slope"] if "Prelu" in fused else [])]
    attributes = {
        "strides": {"list": {"i": ["1", "1", "1", "1"]}},
        "padding": text("VALID"),
        "fused_ops": {"list": {"s": [text(name)["s"] for name in fused]}},
    }
    size = {"dim": [{"size": str(n)} for n in (-1, 4, 4, 3)]}
    place = {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": size}}
    nodes = [
        {"name": "x", "op": "Placeholder", "attr": place},
        *[_constant(name) for name in arrays],
        {"name": "y", "op": op, "input": inputs, "attr": attributes},
    ]
    data = [np.asarray(a, "<f4") for a in arrays.values()]
    specs = [
        {"name": n, "shape": list(a.shape), "dtype": "float32"}
        for n, a in zip(arrays, data, strict=True)
    ]
    (tmp_path / "w.bin").write_bytes(b"".join(a.tobytes() for a in data))
    told = {
        "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": size}},
        "outputs": {"y": {"name": "y:0"}},
    }
    said = {
        "format": "graph-model", "modelTopology": {"node": nodes}, "signature": told,
        "weightsManifest": [{"paths": ["w.bin"], "weights": specs}],
    }  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(said))
    x = random.normal(size=(2, 4, 4, 3)).astype("float32")
    plain = nacre.ops.depthwise_conv if "Depthwise" in op else nacre.ops.conv
    y = np.asarray(plain(x, data[0], padding="valid"))
    np.testing.assert_allclose(
        load_model(tmp_path)(x), wanted(y, data[1], data[2]), rtol=1e-4, atol=1e-5
    )


# --- for TF.js ------------------------------------------------------------------------------------


def _steps() -> nacre.Model:
    return nacre.Sequential(
        [
            nacre.Input((5,), dtype="int32"),
            layers.Embedding(9, 4),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(4)),
            layers.GRU(3, reset_after=False),
        ]
    )


def _pictures() -> nacre.Model:
    return nacre.Sequential(
        [
            nacre.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu6"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, strides=2),
            layers.SeparableConv2D(4, 2, padding="same"),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            layers.UpSampling2D(2),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.LeakyReLU(),
            layers.Dense(2, "gelu", kernel_initializer="lecun_normal"),
        ]
    )


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("make", [_small, _steps, _pictures])
def test_tfjs_computes_what_the_model_does_for_other_batches_too(make: Any, tmp_path: Path):
    model = make()
    for variable in model.weights:
        if variable.dtype == "float32":
            variable.assign(np.random.default_rng(1).uniform(0.1, 0.6, variable.shape))
    report = model.export(tmp_path / "m", format="tfjs_layers", verbose=False, verify=True)
    assert report is not None and len(report.compared) >= 2


_TRAINED = """
const tf = require('@tensorflow/tfjs');
const fs = require('fs');
(async () => {
  const said = JSON.parse(fs.readFileSync(process.argv[2] + '/model.json'));
  const specs = said.weightsManifest[0].weights;
  const data = said.weightsManifest[0].paths.map(p => fs.readFileSync(process.argv[2] + '/' + p));
  const weightData = new Uint8Array(Buffer.concat(data)).buffer;
  const model = await tf.loadLayersModel({load: async () =>
    ({...said, weightSpecs: specs, weightData})});
  model.compile({optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError'});
  const kept = await model.fit(tf.ones([4, 6]), tf.ones([4, 2]), {epochs: 20, verbose: 0});
  process.stdout.write(JSON.stringify(kept.history.loss));
})();
"""


@needs_node
@pytest.mark.slow
def test_it_trains_in_tfjs(tmp_path):
    folder = _written(tmp_path / "m", _small(kernel_regularizer=nacre.regularizers.L2(1e-4)))
    (tmp_path / "train.js").write_text(_TRAINED)
    done = subprocess.run(
        ["node", tmp_path / "train.js", folder],
        capture_output=True, text=True, check=True, env=readback._environment(),
    )  # fmt: skip
    losses = json.loads(done.stdout[done.stdout.index("[") :])
    assert losses[-1] < losses[0] / 4


def test_layers_that_tfjs_has_not_are_told_all_at_once(tmp_path):
    model = nacre.Sequential(
        [
            nacre.Input((8, 8, 4)),
            layers.GroupNormalization(2, name="groups"),
            layers.Conv2D(4, 3, groups=2, name="grouped"),
            layers.UpSampling2D(2, interpolation="bilinear", name="smooth"),
            layers.Flatten(),
            layers.Dense(2, "hard_sigmoid", name="last"),
            layers.Reshape((2, 1)),
            layers.GRU(2, name="gru"),
        ]
    )
    with pytest.raises(UnsupportedOpError, match="5 without a form") as caught:
        _written(tmp_path / "m", model)
    for name in ("groups", "grouped", "smooth", "last", "gru", "format='tfjs'"):
        assert name in str(caught.value)
    assert not (tmp_path / "m").exists()
    assert len(export_gaps(model, "tfjs_layers")) == 5


class _Own(nacre.Model):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def test_a_model_whose_call_is_code_is_refused(tmp_path):
    model = _Own()
    model(X)
    with pytest.raises(NacreError, match="_Own"):
        _written(tmp_path / "m", model)
    x = nacre.Input((6,))
    with pytest.raises(UnsupportedOpError, match="Add"):
        _written(tmp_path / "m", nacre.Model(x, nacre.ops.add(layers.Dense(6)(x), x)))


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../w.bin", "/etc/passwd", "a/../../w.bin", "C:\\w.bin", ""])
def test_weights_outside_of_the_folder_are_refused(name: str, tmp_path: Path):
    folder = _written(tmp_path / "m", _small())
    said = json.loads((folder / "model.json").read_text())
    (tmp_path / "w.bin").write_bytes(b"secret")
    said["weightsManifest"][0]["paths"] = [name]
    (folder / "model.json").write_text(json.dumps(said))
    with pytest.raises(FileFormatError, match=r"model\.json"):
        load_model(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = _written(tmp_path / "m", _small())
    (shard,) = folder.glob("*.bin")
    shard.rename(tmp_path / "elsewhere.bin")
    shard.symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(FileFormatError, match="a link"):
        load_model(folder)


def test_damaged_ones_are_one_clear_error(tmp_path):
    folder = _written(tmp_path / "m", _small())
    whole = (folder / "model.json").read_text()

    def change(**parts: Any) -> str:
        said = json.loads(whole)
        said["weightsManifest"][0]["weights"][0] |= parts
        return json.dumps(said)

    def put(value: Any, *path: Any) -> str:
        said = json.loads(whole)
        within = functools.reduce(lambda part, key: part[key], path[:-1], said)
        within[path[-1]] = value
        return json.dumps(said)

    for text in (
        whole[:-40],
        whole.replace('"Dense"', '"Nothing"'),
        whole.replace('"units": 4', '"units": 5'),
        change(shape=[1 << 39, 1 << 39]),
        change(shape=[-1]),
        change(shape="wide"),
        change(dtype="int4"),
        change(name="elsewhere/kernel"),
        change(quantization={"dtype": "uint8", "min": 0, "scale": "x"}),
        change(name="dense/bias"),
        put("\ud800", "weightsManifest", 0, "paths", 0),  # no name that a disk can have
        put(1.5, "modelTopology", "model_config", "config", "layers"),
    ):
        (folder / "model.json").write_text(text)
        with pytest.raises(NacreError, match=r"model\.json|'m'"):
            load_model(folder)
    (folder / "model.json").write_text(whole)
    for shard in folder.glob("*.bin"):
        shard.write_bytes(shard.read_bytes()[:-4])
    with pytest.raises(FileFormatError, match="bytes"):
        load_model(folder)
