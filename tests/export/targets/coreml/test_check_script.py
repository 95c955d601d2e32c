"""The script beside a package: it is run with a stand-in for Apple's runtime."""

from __future__ import annotations

import runpy
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.export.targets.coreml.readback import RUNTIME

coremltools = pytest.importorskip("coremltools", reason="what writes packages is not installed")


def run(script: Path, monkeypatch: Any, factor: float = 1.0) -> int:
    """Its exit status, where the runtime gives so many times what it should."""

    class Model:
        def __init__(self, path: str) -> None:
            self.spec = coremltools.utils.load_spec(path)
            self.call = RUNTIME.open(Path(path))

        def get_spec(self) -> Any:
            return self.spec

        def predict(self, given: dict[str, Any]) -> dict[str, Any]:
            arrays = [given[x.name] for x in self.spec.description.input]
            found = self.call(arrays)
            names = [x.name for x in self.spec.description.output]
            return {n: np.asarray(x) * factor for n, x in zip(names, found, strict=True)}

    stand_in = types.SimpleNamespace(models=types.SimpleNamespace(MLModel=Model))
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "coremltools", stand_in)
        names = runpy.run_path(str(script))
    return names["main"]()


def model() -> Any:
    nacre.utils.set_random_seed(0)
    ids, x = nacre.Input((None,), dtype="int32", name="ids"), nacre.Input((4,), name="x")
    mean = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(ids))
    return nacre.Model([x, ids], [layers.Dense(3, name="b")(mean + x), nacre.ops.argmax(x, -1)])


def test_the_script_says_whether_a_package_computes_what_the_model_does(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    report = model().export(tmp_path / "m.mlpackage", verbose=False)
    script = Path(f"{report.path}.check.py")
    assert run(script, monkeypatch) == 0
    assert capsys.readouterr().out.count(": ok") == 2
    assert run(script, monkeypatch, factor=1.01) == 1
    assert "WRONG" in capsys.readouterr().out


def test_its_numbers_are_the_model_s(tmp_path: Path) -> None:
    net = model()
    report = net.export(tmp_path / "m.mlpackage", verbose=False)
    kept = np.load(f"{report.path}.check.npz")
    right = net([kept["input_0"], kept["input_1"]])
    np.testing.assert_allclose(kept["output_0"], np.asarray(right[0]), 1e-5, 1e-6)
    np.testing.assert_array_equal(kept["output_1"], np.asarray(right[1]))


def test_a_net_that_draws_has_no_script(tmp_path: Path) -> None:
    class Noise(layers.Layer):
        def call(self, x: Any) -> Any:
            return x + nacre.random.normal((3,))

    nacre.Sequential([nacre.Input((3,)), Noise()]).export(tmp_path / "m.mlpackage", verbose=False)
    assert not list(tmp_path.glob("*.check.*"))
