"""Imports of TensorFlow that bring nacre."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import AbsentModuleError, ArgumentError
from nacre.tf import takeover
from nacre.tf.absent import PACKAGES


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("keras", "tensorflow")]:
        monkeypatch.delitem(sys.modules, name)
    nacre.install()
    yield
    takeover.uninstall()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("tensorflow", "reduce_sum"),
        ("tensorflow.keras", "Model"),
        ("tensorflow.keras.layers", "Dense"),
        ("tensorflow.python.keras.layers", "Dense"),
        ("tensorflow.compat.v2", "constant"),
        ("tf_keras.layers", "Dense"),
        ("keras", "Sequential"),
        ("keras.api.layers", "Dense"),
        ("keras.utils", "to_categorical"),
        ("tf.keras.layers", "add"),
        ("tensorflow.keras.applications.vgg16", "preprocess_input"),
        ("tensorflow.keras.preprocessing.image", "ImageDataGenerator"),
        ("tensorflow.keras.backend", "epsilon"),
        ("tensorflow.math", "reduce_sum"),
        ("tensorflow.nn", "relu"),
    ],
)
def test_modules_are_found(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_they_are_one_object_by_all_names() -> None:
    import keras
    import tensorflow
    import tf_keras
    from tensorflow.keras import layers

    assert keras is tf_keras is tensorflow.keras and layers is tf.keras.layers
    assert layers.Dense is nacre.layers.Dense


def test_a_star_brings_all_names() -> None:
    scope: dict[str, object] = {}
    exec("from tensorflow.keras.layers import *", scope)
    assert scope["Dense"] is nacre.layers.Dense


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("from tensorflow.keras.layers import Dens", "Did you mean 'Dense'"),
        ("import tensorflow.kera", "Did you mean 'keras'"),
        ("from tensorflow import Session", "@tf.function"),
        ("import tensorflow.estimator", "tf.keras.Model"),
        ("import tensorflow.python.framework.func_graph", "'func_graph'"),
        ("def f():\n import tensorflow_addons as tfa\nf()", "GroupNormalization"),
        ("from tensorflow_addons.layers import *", "GroupNormalization"),
        ("__import__('importlib').import_module('tensorflow_probability')", "scipy.stats"),
    ],
)
def test_what_is_not_there_is_refused_in_words(code: str, words: str) -> None:
    with pytest.raises(AbsentModuleError) as caught:
        exec(code, {})
    assert words in str(caught.value) and isinstance(caught.value, ImportError)


def test_all_refused_packages_say_what_to_use() -> None:
    for package, words in PACKAGES.items():
        assert words.endswith(".")
        with pytest.raises(AbsentModuleError, match=package):
            importlib.import_module(package)


def test_one_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("tensorflow")
    importlib.import_module("tensorflow.keras.layers")
    assert capsys.readouterr().err.count("brings nacre here") == 1


def test_it_refuses_to_come_after_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    takeover.uninstall()
    monkeypatch.setitem(sys.modules, "tensorflow", importlib.import_module("json"))
    with pytest.raises(ArgumentError, match="nacre run"):
        nacre.install()


def test_it_can_be_called_twice_and_undone() -> None:
    nacre.install()
    assert sum(finder is takeover._OURS for finder in sys.meta_path) == 1
    importlib.import_module("tensorflow")
    takeover.uninstall()
    assert "tensorflow" not in sys.modules and takeover._OURS not in sys.meta_path


def test_random_numbers_of_numpys_are_a_scripts_own() -> None:
    code = (
        "import nacre; nacre.install(quiet=True)\n"
        "import numpy as np, sys\n"
        "np.random.seed(0); wanted = np.random.rand(); np.random.seed(0)\n"
        "import tensorflow as tf; assert 'jax' not in sys.modules\n"
        "v = tf.Variable([1.0]); assert 'jax' in sys.modules\n"
        "assert np.random.rand() == wanted"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
