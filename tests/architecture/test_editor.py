"""What an editor shows: nothing in a script that is right, and most mistakes before it runs.

Pyright looks at `editor/` as at a person's own folder, with nacre as an installed package.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import nacre
from nacre import layers
from nacre.layers.base import configuring

HERE = Path(__file__).parent / "editor"
ROOT = Path(nacre.__file__).parents[1]
NAMES = Path(__file__).with_name("public_names.txt")


def _names_script() -> str:
    """A script that uses every public name once, and every old spelling of a layer."""
    names = re.findall(r"^\w+ (nacre[\w.]+)", NAMES.read_text(encoding="utf-8"), re.MULTILINE)
    names += [f"nacre.layers.{old}" for old in layers.LEGACY_NAMES]
    modules = {name.rpartition(".")[0] for name in names}
    return "\n".join([*(f"import {m}" for m in sorted(modules)), *(f"print({n})" for n in names)])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """What pyright shows: file -> (line, message)."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    folder = tmp_path_factory.mktemp("editor")
    for script in HERE.glob("*.py"):
        shutil.copy(script, folder)
    (folder / "names.py").write_text(_names_script(), encoding="utf-8")
    # 'standard' is what pyright does when nothing is set, and more than an editor's 'basic'.
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright does not run here: {done.stderr[-300:]}")
    found: dict[str, list[tuple[int, str]]] = {path.name: [] for path in folder.glob("*.py")}
    for entry in json.loads(done.stdout)["generalDiagnostics"]:
        if entry["severity"] != "error":
            continue
        line = entry["range"]["start"]["line"] + 1
        found[Path(entry["file"]).name].append((line, entry["message"]))
    return found


@pytest.mark.parametrize("script", ["right.py", "right_too.py"])
def test_a_script_that_is_right_shows_no_error(shown, script):
    assert shown[script] == []


def test_a_script_that_is_right_runs(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "right.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(("script", "count"), [("mistakes.py", 13), ("more_mistakes.py", 54)])
def test_every_planted_mistake_is_shown_on_its_line_and_nothing_else(shown, script, count):
    text = (HERE / script).read_text(encoding="utf-8").splitlines()
    planted = {n for n, line in enumerate(text, 1) if "# mistake" in line}
    assert {line for line, _ in shown[script]} == planted
    assert len(planted) == count


def test_every_public_name_and_old_spelling_is_known(shown):
    assert shown["names.py"] == []


def _named_keywords(cls: type) -> set[str]:
    """The arguments of a layer's constructor that its signature names, those of `Unpack` too."""
    constructor = next(vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base))
    names = set()
    for parameter in inspect.signature(constructor).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.add(parameter.name)
            continue
        held = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        assert held, f"{cls.__name__}: its keywords are not told: {parameter.annotation}"
        names |= set(typing.get_type_hints(constructor.__globals__[held[1]]))
    return names


LAYERS = [
    value
    for name in layers.__all__
    if isinstance(value := getattr(layers, name), type)
    and issubclass(value, layers.Layer)
    and value is not layers.Layer
]
# What a class hands to its base itself, or refuses.
_SETTLED = {
    "cell": ("LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
    "aggregation": ("GATConv", "GCNConv", "GINConv"),
    "noise_shape": ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
    "score_mode": ("AdditiveAttention",),
    **dict.fromkeys(("call_fn", "init_fn", "params", "state"), ("FlaxLayer",)),
    "autocast": ("TFSMLayer",),  # its graph computes in its own dtypes
}


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_every_keyword_of_a_layer_is_known(cls):
    taken = {*configuring.constructor_names(cls), "trainable", "autocast", "name", "dtype"}
    settled = {argument for argument, names in _SETTLED.items() if cls.__name__ in names}
    assert taken - settled <= _named_keywords(cls)
