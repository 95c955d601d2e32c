"""Whole numbers of 64 bits of a SavedModel: exact by themselves, told within a model's program."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre.layers import TFSMLayer
from nacre.saving import open_saved_model

FILE = Path(__file__).parents[3] / "reference" / "wide.zip"
IDS = np.array([5, 3_000_000, 1, 2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("wide")
    zipfile.ZipFile(FILE).extractall(path)
    return path


def model_of(folder: Path, endpoint: str) -> nacre.Model:
    ids = nacre.Input(batch_shape=(4,), dtype="int64")
    return nacre.Model(ids, TFSMLayer(folder, call_endpoint=endpoint)(ids))


def test_a_call_by_itself_has_64_bits(folder):
    found = open_saved_model(folder).serve(IDS)
    np.testing.assert_array_equal(found, (IDS * 1000 + np.cumsum(IDS)) % 1000003)


def test_a_models_program_tells_once_what_it_computes_with_32(folder):
    with pytest.warns(UserWarning, match="AddV2 'add'.*Cumsum 'Cumsum'.*Mul 'mul'"):
        model = model_of(folder, "serve")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.predict(IDS % 9, batch_size=4, verbose=0)
        model.predict(IDS % 9, batch_size=4, verbose=0)
    np.testing.assert_array_equal(found, (IDS % 9 * 1000 + np.cumsum(IDS % 9)) % 1000003)


def test_indices_are_no_arithmetic(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = model_of(folder, "looked_up")
        found = model.predict(np.array([1, 9, 2, 0]), batch_size=4, verbose=0)
    np.testing.assert_array_equal(found, [0.0, 2.0, 9.0, 1.0])
