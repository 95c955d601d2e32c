"""Folders for NumPy: whole nets at sizes they were not traced with, in a process that has NumPy
alone, and as people use them."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import nacre
from nacre.core import tree
from nacre.export.targets.npz.readback import open_folder
from nacre.export.targets.npz.source import Gathered, take, whole
from nacre.export.targets.npz.support import FORMS
from nacre.export.targets.npz.write import home_of
from tests.cases.nets import NETS, drawn

_RUNTIME = "nacre.export.targets.npz.runtime"
BY_ID = {case.id: case for case in NETS}
SOME = (
    "activations", "cnn", "cnn_channels_first", "mobile", "unet", "images_of_any_size", "volumes",
    "lstm", "masked_bidirectional", "gru", "transformer", "grouped_attention", "named_inputs",
    "mixed_precision", "spectrum", "recommender",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME)
def test_a_whole_net_gives_what_the_model_gives_at_other_sizes(name: str, tmp_path: Path) -> None:
    nacre.backend.clear_session()
    nacre.utils.set_random_seed(1)
    model = BY_ID[name].builder(nacre)
    report = model.export(tmp_path / "net", format="npz", verbose=False)
    assert report.is_verified
    run = open_folder(tmp_path / "net")
    for call in (0, 1):
        given = drawn(BY_ID[name], call)
        arrays = [np.asarray(x) for x in tree.flatten(given)]
        close = 5e-2 if name == "mixed_precision" else 1e-4
        for found, right in zip(run(arrays), tree.flatten(model(given)), strict=True):
            right = np.asarray(right).astype("float32")
            np.testing.assert_allclose(found, right, rtol=close, atol=close)


# Lets nothing but NumPy and Python's own library be imported.
_ALONE = """
import importlib.abc, sys
class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('nacre', 'jax', 'jaxlib', 'ml_dtypes', 'scipy', 'h5py'):
            raise ImportError('not here: ' + name)
sys.meta_path.insert(0, Only())
sys.path.insert(0, {folder!r})
"""


def alone(folder: Path, code: str) -> str:
    """What a process prints that has NumPy alone, and this folder to import from."""
    script = _ALONE.format(folder=str(folder)) + code
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def small() -> Any:
    nacre.utils.set_random_seed(0)
    x = nacre.Input((6, 6, 2), name="image")
    y = nacre.layers.Conv2D(4, 3, activation="gelu")(x)
    y = nacre.layers.Dense(3, activation="softmax")(nacre.layers.GlobalAveragePooling2D()(y))
    return nacre.Model(x, y, name="small")


def test_it_runs_where_numpy_is_alone(tmp_path: Path) -> None:
    model, x = small(), np.random.default_rng(0).normal(size=(70, 6, 6, 2)).astype("float32")
    model.export(tmp_path / "digits", format="npz", verbose=False)
    np.save(tmp_path / "x.npy", x)
    said = alone(
        tmp_path,
        "import numpy as np\n"
        "from digits import Model, predict\n"
        f"x = np.load({str(tmp_path / 'x.npy')!r})\n"
        "assert np.allclose(predict(x), Model()(image=x), atol=1e-6)\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, predict(x))\n"
        "print(Model().name, Model().inputs, 'jax' in sys.modules)\n",
    )
    assert said == "small ['image'] False\n"
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(x), rtol=1e-5, atol=1e-6)
    model.export(tmp_path / "digits", format="npz", verbose=False)  # what Python left is no bar


def test_the_process_that_has_numpy_alone_has_no_more(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not here: jax"):
        alone(tmp_path, "import jax")


def test_it_runs_from_a_shell(tmp_path: Path) -> None:
    model, x = small(), np.ones((3, 6, 6, 2), "float32")
    model.export(tmp_path / "digits", format="npz", verbose=False)
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-I", str(tmp_path / "digits" / "run.py")]
    command += ["--input", f"image={tmp_path / 'x.npy'}", "--output", str(tmp_path / "y.npy")]
    subprocess.run(command, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(x), rtol=1e-5, atol=1e-6)


def test_the_file_holds_what_the_model_needs_for_old_pythons(tmp_path: Path) -> None:
    small().export(tmp_path / "digits", format="npz", verbose=False)
    text = (tmp_path / "digits" / "run.py").read_text()
    parsed = ast.parse(text, feature_version=(3, 8))
    names = {n.name for n in parsed.body if isinstance(n, ast.FunctionDef)}
    assert {"conv", "gelu", "erfc", "softmax"} <= names
    assert not {"lstm", "attention", "max_pool"} & names
    modules = {a.name for n in ast.walk(parsed) if isinstance(n, ast.Import) for a in n.names}
    modules |= {n.module for n in ast.walk(parsed) if isinstance(n, ast.ImportFrom) and n.module}
    assert modules <= {*sys.stdlib_module_names, "numpy"}
    assert len(text) < 100_000


def test_all_of_the_runtime_is_what_old_pythons_know() -> None:
    parts = Gathered(f"{_RUNTIME}.engine")
    for op in FORMS:
        take(parts, home_of(op), op)
    _, _, engine, script = whole(f"{_RUNTIME}.engine")
    text = "\n".join([engine, *parts.parts.values(), script])
    assert len(text) < 100_000
    tree_ = ast.parse(text, feature_version=(3, 8))  # which does not see all of it
    newer = (ast.Match, ast.TryStar, ast.NamedExpr)
    methods = {"removeprefix", "removesuffix", "bit_count"}
    for node in ast.walk(tree_):
        assert not isinstance(node, newer), ast.unparse(node)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            stars = [part for part in node.slice.elts if isinstance(part, ast.Starred)]
            assert not any(stars), ast.unparse(node)
        if isinstance(node, ast.Call):
            assert "strict" not in {k.arg for k in node.keywords}, ast.unparse(node)
        if isinstance(node, ast.Attribute):
            assert node.attr not in methods, ast.unparse(node)


def runtime(folder: Path) -> Any:
    space: dict[str, Any] = {"__file__": str(folder / "run.py"), "__name__": "run"}
    exec((folder / "run.py").read_text(), space)
    return type("runtime", (), space)


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    a, b = nacre.Input((None, 3), name="a"), nacre.Input((1,), dtype="int32", name="b")
    y = nacre.layers.GlobalMaxPooling1D()(a) + nacre.ops.cast(b, "float32")
    nacre.Model([a, b], [y, b]).export(tmp_path / "two", format="npz", verbose=False)
    model = runtime(tmp_path / "two").Model(tmp_path / "two")
    x, ids = np.ones((2, 4, 3)), [[1], [2.0]]
    assert list(model(x, ids)) == list(model({"a": x, "b": ids})) == model.outputs
    for wrong, match in (
        ((np.ones((2, 4, 2)), ids), r"'a' must have shape \(batch, a_1, 3\). Got \(2, 4, 2\)"),
        ((np.ones((3, 4, 3)), ids), r"must have shape"),
        ((np.ones((2, 4, 3)), [[1.5], [2]]), "'b' must be int32. Got float64"),
        ((np.ones((2, 4, 3)), [[1 << 40], [2]]), "'b' must be int32. Got int64"),
        ((x,), "it takes a, b. Got 1 by place"),
        ((x, ids, ids), "it takes a, b. Got 3 by place"),
    ):
        with pytest.raises(ValueError, match=match):
            model(*wrong)


def test_what_a_caller_writes_into_results_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    x = nacre.Input((3,))
    nacre.Model(x, [x, nacre.layers.Reshape((3, 1))(x)]).export(
        tmp_path / "same", format="npz", verbose=False
    )
    model, given = runtime(tmp_path / "same").Model(tmp_path / "same"), np.ones((2, 3), "float32")
    for result in model(given).values():
        result[...] = 7
    assert given.tolist() == [[1] * 3] * 2


def test_rows_are_cut_into_batches_only_where_all_outputs_have_them(tmp_path: Path) -> None:
    x = nacre.Input((3,))
    total = nacre.ops.sum(x, axis=0)
    nacre.Model(x, total).export(tmp_path / "sum", format="npz", verbose=False)
    model = runtime(tmp_path / "sum").Model(tmp_path / "sum")
    assert model.predict(np.ones((100, 3))).tolist() == [100.0] * 3


def test_weights_in_16_bits_halve_the_file_and_are_made_wide_once(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((64,)), nacre.layers.Dense(64), nacre.layers.Dense(8)])
    wide = model.export(tmp_path / "wide", format="npz", verbose=False)
    for dtype in ("float16", "bfloat16"):
        narrow = model.export(tmp_path / dtype, format="npz", weights=dtype, verbose=False)
        assert narrow.is_verified
        sizes = [(tmp_path / n / "weights.npz").stat().st_size for n in ("wide", dtype)]
        assert sizes[1] < 0.65 * sizes[0]
        opened = runtime(tmp_path / dtype).Model(tmp_path / dtype)
        assert "cast" not in {node["op"] for node in opened.graph["nodes"]}
    assert wide.options == {}


def test_names_of_weights_and_layers_are_kept(tmp_path: Path) -> None:
    model = small()
    model.export(tmp_path / "m", format="npz", metadata={"classes": "a b c"}, verbose=False)
    graph = json.loads((tmp_path / "m" / "graph.json").read_text())
    assert list(graph["weights"]) == [v.path for v in model.variables if not v.is_seed]
    assert graph["metadata"]["classes"] == "a b c"
    assert any(node.get("layer", "").endswith("conv2d") for node in graph["nodes"])
    assert set(np.load(tmp_path / "m" / "weights.npz").files) >= set(graph["weights"])


def functions(*ops: str) -> dict[str, Any]:
    """The runtime's own functions, as they stand in a file."""
    engine, fast = (f"{_RUNTIME}.{name}" for name in ("engine", "fast"))
    parts = Gathered(engine)
    for op in ops:
        take(parts, fast, op)
    _, imports, body, _ = whole(engine)
    space: dict[str, Any] = {"__file__": __file__, "__name__": "run"}
    head = ["from __future__ import annotations", *parts.imports, *imports]
    exec("\n".join([*head, body, *parts.parts.values()]), space)
    return space


def test_error_functions_have_the_digits_of_their_dtype() -> None:
    run = functions("erf", "erfc")
    x = np.concatenate([np.linspace(-6, 6, 4001), [0.0, 1e-20, -1e-9, 26.0, np.inf, -np.inf]])
    for name in ("erf", "erfc"):
        right = np.array([getattr(math, name)(v) for v in x])
        # Of erfc the square of x loses some digits where x is large.
        with np.errstate(all="ignore"):  # as the engine calls it
            np.testing.assert_allclose(run[name](x), right, rtol=4e-13, atol=1e-300)
            assert np.isnan(run[name](np.float32([np.nan]))).all()


def test_casts_to_integers_take_the_nearest_there_is() -> None:
    cast = functions("cast")["cast"]
    x = np.float32([np.nan, np.inf, -np.inf, 1e20, -1e20, 2.7, -2.7])
    assert cast(x, dtype="int8").tolist() == [0, 127, -128, 127, -128, 2, -2]
    assert cast(x, dtype="uint8").tolist() == [0, 255, 0, 255, 0, 2, 0]
    ends = [2**63 - 1, -(2**63)]
    assert cast(x, dtype="int64").tolist() == [0, *ends, *ends, 2, -2]


def test_rounding_to_bfloat16_is_to_the_nearest_even() -> None:
    rounded = functions()["rounded"]
    x = np.random.default_rng(0).normal(size=4000).astype("float32")
    x = np.concatenate([x, np.float32([np.inf, -np.inf, 0, 1e-40, 3.3895e38, 1.00390625])])
    right = x.astype(ml_dtypes.bfloat16).astype("float32")
    np.testing.assert_array_equal(rounded(x), right)
    assert np.isnan(rounded(np.float32([np.nan]))).all()
