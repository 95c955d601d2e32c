"""Models for TF.js: files, names, loops, weights in 16 bits, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.export.targets.tfjs.readback import TFJS, open_folder
from tests.cases.nets import NETS
from tests.export.capture.test_nets import drawn, net

layers = nacre.layers
BY_ID = {case.id: case for case in NETS}
runs = pytest.mark.skipif(bool(TFJS.runs_here()), reason=f"TF.js is not here: {TFJS.runs_here()}")


def described(path: Any) -> Any:
    return json.loads((path / "model.json").read_text("utf-8"))


def test_a_folder_has_a_description_and_weights_by_their_paths(tmp_path: Any) -> None:
    a, b = nacre.Input((4,), name="left"), nacre.Input((4,), name="Right-hand")
    y = layers.Dense(3, name="head")(layers.Add()([a, b]))
    model = nacre.Model([a, b], {"scores": y, "sum": layers.Add()([a, b])}, name="two")
    model.export(tmp_path / "m", format="tfjs", verbose=False, metadata={"classes": "x,y,z"})
    said = described(tmp_path / "m")
    assert said["format"] == "graph-model"
    assert list(said["signature"]["inputs"]) == ["left", "Right_hand"]
    assert set(said["signature"]["outputs"]) == {"scores", "sum"}
    assert said["userDefinedMetadata"]["classes"] == "x,y,z"
    specs = {w["name"]: w["shape"] for w in said["weightsManifest"][0]["weights"]}
    assert specs["weights/head/kernel"] == [4, 3] and specs["weights/head/bias"] == [3]
    sizes = [np.prod(s, dtype=int) * 4 for s in specs.values()]
    assert (tmp_path / "m" / "group1-shard1of1.bin").stat().st_size == sum(sizes)


@runs
@pytest.mark.parametrize("name", ["masked_bidirectional", "transformer", "images_of_any_size"])
def test_whole_nets_run_for_other_batches_and_lengths(name: str, tmp_path: Any) -> None:
    sample = drawn(BY_ID[name], 1)
    report = net(name).export(tmp_path / "m", format="tfjs", samples=[sample], verbose=False)
    assert [c.of.split(",")[0] for c in report.compared] == ["batch 2", "batch 1", "sample 0"]


@runs
def test_a_folder_written_anew_is_read_anew(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.export(tmp_path / "m", format="tfjs", verbose=False)
    x = np.ones((1, 2), "float32")
    assert float(open_folder(tmp_path / "m")([x])[0][0, 0]) == 2.0
    model.layers[0].kernel.assign(np.full((2, 1), 5.0))
    model.export(tmp_path / "m", format="tfjs", verbose=False)
    assert float(open_folder(tmp_path / "m")([x])[0][0, 0]) == 10.0


@runs
def test_weights_may_have_16_bits(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((64,)), layers.Dense(256), layers.Dense(1)])
    whole = model.export(tmp_path / "m", format="tfjs", verbose=False)
    half = model.export(tmp_path / "h", format="tfjs", weights="float16", verbose=False)
    assert half.is_verified
    assert half.size_bytes < 0.6 * whole.size_bytes


@runs
def test_equal_and_missing_numbers_are_ordered_as_in_the_model(tmp_path: Any) -> None:
    class Ordered(layers.Layer):
        def call(self, x: Any) -> Any:
            values, places = nacre.ops.top_k(x, 3)
            return nacre.ops.sort(x), nacre.ops.argsort(x), values, places

    model = nacre.Sequential([nacre.Input((6,)), Ordered()])
    x = np.array([[2, 1, 2, 1, 2, 1], [np.nan, 3, np.inf, -np.inf, 3, 0]], "float32")
    report = model.export(tmp_path / "m", format="tfjs", samples=[x], verbose=False)
    assert report.compared[-1].of == "sample 0"


@runs
def test_whole_numbers_are_divided_towards_zero_and_by_zero(tmp_path: Any) -> None:
    class Divided(layers.Layer):
        def call(self, x: Any) -> Any:
            return x[:, :3] // x[:, 3:], x[:, :3] % x[:, 3:]

    model = nacre.Model(a := nacre.Input((6,), dtype="int32"), Divided()(a))
    x = np.array([[-7, 7, 7, 2, -2, 3], [-1, 16777215, 0, 3, 2, 5]], "int32")
    report = model.export(tmp_path / "m", format="tfjs", samples=[x], verbose=False)
    assert report.compared[-1].of == "sample 0"


def test_what_tfjs_lacks_is_told_with_its_layer(tmp_path: Any) -> None:
    class Bits(layers.Layer):
        def call(self, x: Any) -> Any:
            return nacre.ops.bitwise_xor(x, 3), nacre.ops.segment_max(x[0], x[0], 4)

    model = nacre.Model(a := nacre.Input((6,), dtype="int32"), Bits(name="bits")(a))
    with pytest.raises(nacre.core.errors.UnsupportedOpError) as raised:
        model.export(tmp_path / "m", format="tfjs", verbose=False)
    for part in ("xor in", "bits", "BitwiseXor", "scatter_nd", "sums only"):
        assert part in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_what_was_read_back_is_trained_and_exported_again_for_any_batch(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((4, 4, 2)), layers.Flatten(), layers.Dense(3)])
    model.export(tmp_path / "m", format="tfjs", verify=False, verbose=False)
    again = nacre.models.load_model(tmp_path / "m" / "model.json")
    again.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 2)).astype("float32")
    again.fit(x, np.ones((5, 3)), verbose=0)
    wanted = again.predict(x, verbose=0)
    assert not np.allclose(wanted, model.predict(x, verbose=0))
    report = again.export(tmp_path / "n", format="npz", samples=[[x]], verbose=False)
    compared = {comparison.of.split(",")[0] for comparison in report.compared}
    assert {"batch 2", "batch 1", "sample 0"} <= compared
