"""`nacre check` says what is missing and what differs, without running anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nacre.cli import main
from nacre.tf.checking import check
from nacre.tf.differing import DIFFERS
from nacre.tf.namespaces import find, is_module


def missing(text: str) -> list[tuple[int, str]]:
    return [(use.line, use.name) for use in check(text).missing]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import tensorflow as tf\ntf.keras.layers.Dense(1)\ntf.reduce_sum([1])", []),
        ("import tensorflow as tf\ntf.nosuch()", [(2, "tensorflow.nosuch")]),
        ("import tensorflow as tf\ntf.keras.layers.Dens(1)", [(2, "tensorflow.keras.layers.Dens")]),
        ("from tensorflow.keras.layers import Dense, Dens", [(1, "tensorflow.keras.layers.Dens")]),
        ("from tensorflow.keras import layers as L\nL.Foo()", [(2, "tensorflow.keras.layers.Foo")]),
        ("import tensorflow as tf\nK = tf.keras.backend\nK.foo", [(3, "tensorflow.keras.backend.foo")]),
        ("import keras\nkeras.layers.Foo", [(2, "tensorflow.keras.layers.Foo")]),
        ("def f():\n  import tensorflow_addons as tfa", [(2, "tensorflow_addons")]),
        ("from tensorflow_probability import distributions", [(1, "tensorflow_probability")]),
        ("import tensorflow.nosuch.more", [(1, "tensorflow.nosuch")]),
        ("from tensorflow.contrib import slim", [(1, "tensorflow.contrib")]),
        ("from tensorflow import *\nkeras.layers.Foo", [(2, "tensorflow.keras.layers.Foo")]),
        ("import tensorflow.compat.v1 as tf\ntf.Session().run(1)", [(2, "tensorflow.compat.v1.Session.run")]),
        ("from tensorflow.python.keras.layers import Dense", []),
        ("import numpy as tf\ntf.nosuch", []),
        ("import tensorflow as tf\nx = tf.constant(1)\nx.anything.goes", []),
        ("import tensorflow as tf\ntf.__version__", []),
        ("import tensorflow as tf\n@tf.nosuch(a=tf.other)\ndef f(): pass", [(2, "tensorflow.nosuch"), (2, "tensorflow.other")]),
        ("import tensorflow as tf\nclass A:\n  L = tf.keras.layers\n  def f(self): self.L.Foo", [(4, "tensorflow.keras.layers.Foo")]),
        ("import tensorflow as tf\nclass A:\n  def f(self): self.k.foo\n  def g(self): self.k = tf.keras.backend", [(3, "tensorflow.keras.backend.foo")]),
        ("import tensorflow as tf\nclass A:\n  L = tf.keras.layers\nclass B(A):\n  def f(self): self.L.Foo\nB.L.Bar", [(5, "tensorflow.keras.layers.Foo"), (6, "tensorflow.keras.layers.Bar")]),
        ("import tensorflow as tf\nclass A:\n  layers = tf.keras.layers\nclass B:\n  def f(self): self.layers.append(1)", []),
        ("import tensorflow as tf\nL, K = tf.keras.layers, tf.keras.backend\nL.Foo\nK.foo", [(3, "tensorflow.keras.layers.Foo"), (4, "tensorflow.keras.backend.foo")]),
        ("import tensorflow as tf\ndef f(x, k=tf.keras.backend, *, m=tf.math): k.foo, m.bar\nk.other", [(2, "tensorflow.keras.backend.foo"), (2, "tensorflow.math.bar")]),
        ("import tensorflow as tf\ng = lambda k=tf.math: k.bar", [(2, "tensorflow.math.bar")]),
        ("import tensorflow as tf\ngetattr(tf, 'nosuch')(1)", [(2, "tensorflow.nosuch")]),
        ("import tensorflow as tf\ngetattr(tf, 'nosuch', None)\ngetattr(tf, 'abs')", []),
        ("import tensorflow as tf\ngetattr(tf.keras, 'layers').Foo", [(2, "tensorflow.keras.layers.Foo")]),
        ("import tensorflow as tf\nL = getattr(tf.keras, 'layers')\nL.Foo", [(3, "tensorflow.keras.layers.Foo")]),
        ("import tensorflow as tf\nif (L := tf.keras.layers): L.Foo", [(2, "tensorflow.keras.layers.Foo")]),
        ("import tensorflow as tf\nL: object = tf.keras.layers\nL.Foo", [(3, "tensorflow.keras.layers.Foo")]),
    ],
)  # fmt: skip
def test_names_are_followed(text: str, names: list[tuple[int, str]]) -> None:
    assert missing(text) == names


def test_what_is_missing_comes_with_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import tensorflow as tf\ntf.Session()\ntf.reduce_summ(1)\ntf.random.normal([1])"
    )
    assert main.main(["check", str(script)]) == 1
    told = capsys.readouterr().out
    assert f"{script}:2: tensorflow.Session is not here. Graphs and sessions" in told
    assert "Did you mean 'reduce_sum'" in told
    assert f"{script}:4: tensorflow.random.normal differs" in told
    assert f"{script}: not ready: 2 missing (1 of 3 names are here)" in told


def test_folders_and_notebooks_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("import keras\nkeras.Sequential()")
    cells = [
        {
            "cell_type": "code",
            "source": ["%matplotlib inline\n", "import tensorflow as tf\n", "tf.ones(1)"],
        }
    ]
    (tmp_path / "b.ipynb").write_text(json.dumps({"cells": cells}))
    assert main.main(["check", "-q", str(tmp_path)]) == 0
    assert "2 of 2 are ready" in capsys.readouterr().out
    (tmp_path / "c.py").write_text("import (")
    assert main.main(["check", str(tmp_path)]) == 1
    assert "2 of 3 are ready" in capsys.readouterr().out


def test_modules_beside_a_script_are_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("from .parts import build")
    (package / "parts.py").write_text(
        "import tensorflow as tf\nfrom . import more\nbuild = tf.nosuch"
    )
    (package / "more.py").write_text("import mine.parts\nfrom tensorflow.keras import layers as L")
    (tmp_path / "names.py").write_text("import tensorflow as tf\nK = tf.keras.backend")
    (tmp_path / "unused.py").write_text("import tensorflow as tf\ntf.unused")
    script = tmp_path / "script.py"
    script.write_text(
        "import mine\nimport names as n\nfrom names import K\nfrom mine.more import L\n"
        "mine.build()\nK.foo\nL.Foo\nn.tf.bar\nn.K.other"
    )
    assert main.main(["check", "-q", str(script)]) == 1
    told = capsys.readouterr().out
    for line in (
        f"{script}:6: tensorflow.keras.backend.foo is not here",
        f"{script}:7: tensorflow.keras.layers.Foo is not here",
        f"{script}:8: tensorflow.bar is not here",
        f"{script}:9: tensorflow.keras.backend.other is not here",
        f"{package / 'parts.py'}:3: tensorflow.nosuch is not here",
    ):
        assert line in told
    assert "unused" not in told and "3 of 5 are ready" in told
    (tmp_path / "names.py").write_text("import (")
    assert main.main(["check", "-q", str(script)]) == 1
    assert f"{tmp_path / 'names.py'}: it cannot be read" in capsys.readouterr().out


def test_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("raise SystemExit(3)")
    assert main.main(["check", str(tmp_path / "a.py")]) == 0


def test_looking_names_up_changes_no_class() -> None:
    program = (
        "import jax.numpy as jnp\n"
        "from nacre.tf.checking import check\n"
        "found = check('import tensorflow as tf; tf.abs(1); tf.float32; tf.keras.layers.Dense(1)')\n"
        "assert len(found.uses) == 3 and not found.missing, found\n"
        "assert type(jnp.ones(2).shape) is tuple and repr(jnp.ones(1)).startswith('Array')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_differs_is_there_or_said_to_be_absent() -> None:
    for full in DIFFERS:
        path, _, name = full.rpartition(".")
        assert is_module(full) or find(path, name)
