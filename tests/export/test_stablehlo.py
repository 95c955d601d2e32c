"""StableHLO: what JAX alone reads, in a process without nacre, at sizes that are open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, UnsupportedError

_ALONE = """
import sys
import numpy as np, jax
data = open({file!r}, "rb").read()
program = jax.export.deserialize(bytearray(data))
given = np.load({given!r})
results = program.call(*[given[name] for name in given.files])
np.savez({found!r}, **(results if isinstance(results, dict) else {{"only": results}}))
assert not any(name.split(".")[0] == "nacre" for name in sys.modules)
"""


def alone(file: Path, **arrays: Any) -> Any:
    """What a process that has JAX and no nacre computes with a file."""
    given, found = file.with_name("given.npz"), file.with_name("found.npz")
    np.savez(given, **arrays)
    code = "import jax.export\n" + _ALONE.format(file=str(file), given=str(given), found=str(found))
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    return np.load(found)


def net() -> Any:
    nacre.utils.set_random_seed(0)
    x, scale = nacre.Input((None, 3), name="x"), nacre.Input((1,), name="scale")
    last = nacre.layers.LSTM(4, name="memory")(nacre.layers.LayerNormalization()(x))
    return nacre.Model(
        [x, scale], {"z": last * scale, "a": nacre.layers.Dense(2)(last)}, name="net"
    )


def test_jax_alone_runs_it_at_any_size(tmp_path: Path) -> None:
    model = net()
    report = model.export(tmp_path / "net.stablehlo", verbose=False)
    assert report.format == "stablehlo" and report.is_verified
    random = np.random.default_rng(0)
    x, scale = (random.normal(size=s).astype("float32") for s in ((3, 7, 3), (3, 1)))
    found, right = alone(tmp_path / "net.stablehlo", x=x, scale=scale), model([x, scale])
    for name in ("a", "z"):
        np.testing.assert_allclose(found[name], right[name], rtol=1e-5, atol=1e-6)


def test_its_text_lists_variables_and_inputs_by_name(tmp_path: Path) -> None:
    model = net()
    model.export(tmp_path / "net.stablehlo", verbose=False)
    text = (tmp_path / "net.stablehlo.mlir").read_text()
    paths = [v.path for v in model.variables if not v.is_seed]
    names = [line.split()[3] for line in text.splitlines() if line.startswith("// argument")]
    assert names == [*paths, "x", "scale"]
    assert "stablehlo." in text


def test_what_training_changes_stays_outside(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    x = np.ones((2, 3), "float32")
    model.export(tmp_path / "m.stablehlo", verbose=False)
    before = np.asarray(model(x))
    model.layers[0].kernel.assign(np.zeros((3, 2)))
    np.testing.assert_allclose(alone(tmp_path / "m.stablehlo", x=x)["only"], before, rtol=1e-6)


def test_a_model_that_draws_is_refused(tmp_path: Path) -> None:
    class Noise(nacre.layers.Layer):
        def call(self, x: Any) -> Any:
            return x + nacre.random.normal((3,))

    model = nacre.Sequential([nacre.Input((3,)), Noise()])
    with pytest.raises(UnsupportedError, match="would draw the same at each call"):
        model.export(tmp_path / "m.stablehlo")
    assert not list(tmp_path.iterdir())


def test_platforms_are_chosen(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    report = model.export(
        tmp_path / "m", format="stablehlo", platforms="cpu,cuda,tpu", verbose=False
    )
    assert report.is_verified and Path(report.path).name == "m.stablehlo"
    with pytest.raises(ArgumentError, match="platforms must be among cpu, cuda"):
        model.export(tmp_path / "m", format="stablehlo", platforms="gpu")


@pytest.mark.parametrize(
    ("format", "match"),
    [("pickle", "pickle.dump"), ("joblib", "joblib.dump"), ("huggingface", "save_pretrained"),
     ("stablehl", "Did you mean 'stablehlo'")],
)  # fmt: skip
def test_what_is_no_export_is_told_where_it_is(format: str, match: str, tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    with pytest.raises(ArgumentError, match=match):
        model.export(tmp_path / "m", format=format)


def test_what_is_not_installed_is_told_with_the_line_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    with pytest.raises(nacre.core.errors.MissingPackageError, match="nacre\\[stablehlo\\]"):
        model.export(tmp_path / "m.stablehlo", format="stablehlo")
    assert not list(tmp_path.iterdir())
