"""Names: those of the table can all be made, others are told what to write instead."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import NotThereError
from nacre.tf import namespaces
from nacre.tf.absent import ABSENT, REASONS
from nacre.tf.rows import made, rows_of
from nacre.tf.table import ROWS, SAME


@pytest.mark.parametrize("module", sorted(ROWS))
def test_every_row_can_be_made(module: str) -> None:
    for name, row in rows_of(module).items():
        found = made(namespaces.home_of(module, name), name)
        assert callable(found) and (row.is_face or found.__name__ == name)


def test_names_of_two_modules_are_one_object() -> None:
    for module, others in SAME.items():
        for other, names in others.items():
            for name in names.split():
                assert namespaces.find(module, name) is namespaces.find(other, name)


def test_keras_is_nacre() -> None:
    assert tf.keras.layers.Dense is nacre.layers.Dense
    assert tf.keras.models.load_model is nacre.models.load_model
    assert tf.keras.applications.vgg16.VGG16 is nacre.applications.VGG16
    assert tf.keras.datasets.mnist.load_data is nacre.datasets.mnist.load_data
    assert tf.keras.layers.experimental.preprocessing.Rescaling is nacre.layers.Rescaling
    assert tf.keras.layers.MaxPool2D is nacre.layers.MaxPooling2D
    assert tf.keras.losses.mse is tf.metrics.MSE is nacre.losses.mean_squared_error
    assert tf.keras.optimizers.legacy.Adam and tf.keras.losses.Reduction.NONE


def test_no_file_of_ours_hides_a_module_of_tensorflow() -> None:
    folder = Path(tf.__file__).parent
    for file in sorted(folder.glob("*.py")):
        if namespaces.is_module(file.stem):
            importlib.import_module(f"nacre.tf.{file.stem}")
            module = getattr(tf, file.stem)
            for name in set(namespaces.names_in(file.stem)) - {"__version__"}:
                assert getattr(module, name) is namespaces.find(file.stem, name), name


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        (tf, "reduce_summ", "Did you mean 'reduce_sum'"),
        (tf, "Session", "@tf.function"),
        (tf, "estimator", "tf.keras.Model"),
        (tf.math, "matmul", "Did you mean tf.matmul"),
        (tf.keras.layers, "Dens", "Did you mean 'Dense'"),
        (tf.keras, "qwertz", "nacre does not have it"),
    ],
)
def test_a_name_that_is_not_there_is_told(module: object, name: str, words: str) -> None:
    with pytest.raises(NotThereError) as caught:
        getattr(module, name)
    assert words in str(caught.value) and f"'{name}'" in str(caught.value)


def test_dir_lists_what_can_be_made() -> None:
    assert "reduce_sum" in dir(tf) and "Dense" in dir(tf.keras.layers) and "Session" not in dir(tf)


def test_reasons_are_used_and_nothing_is_absent_that_is_there() -> None:
    assert set(REASONS) - {"later"} <= set(ABSENT.values())
    for full in ABSENT:
        module, _, name = full.rpartition(".")
        if module == "" or namespaces.is_module(module):
            assert name not in namespaces.names_in(module)
