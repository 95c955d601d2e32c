"""safetensors files with an index, as repositories of the Hugging Face hub have them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError, WeightsMismatchError
from nacre.models import from_pretrained
from nacre.saving import load_model

INDEX = "model.safetensors.index.json"


def made(width: int = 8):
    dense = [layers.Dense(width, bias_initializer="normal") for _ in range(3)]
    return nacre.Sequential([nacre.Input((4,)), *dense])


def same(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def names(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("size", ["300B", "0.3KB", 300 / 2**30])
def test_files_have_the_names_of_the_hub_and_other_libraries_read_them(size, tmp_path):
    model = made()
    if size == "300B":
        with pytest.raises(ArgumentError, match="'5GB'"):
            model.save_weights(tmp_path / "model.safetensors", max_shard_size=size)
        return
    model.save_weights(tmp_path / "model.safetensors", max_shard_size=size)
    shards = [f"model-{n:05d}-of-00003.safetensors" for n in (1, 2, 3)]
    assert names(tmp_path) == sorted([*shards, INDEX])
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["metadata"]["total_size"] == sum(w.nbytes for w in model.get_weights())
    for weight in model.weights:
        arrays = safetensors.numpy.load_file(tmp_path / index["weight_map"][weight.path])
        np.testing.assert_array_equal(arrays[weight.path], weight.numpy())


@pytest.mark.parametrize("path", [INDEX, "model.safetensors", "."])
def test_they_are_read_by_index_by_folder_and_in_place_of_one_file(path, tmp_path):
    model, other = made(), made()
    model.save_weights(tmp_path / "model.safetensors", max_shard_size="0.3KB")
    other.load_weights(tmp_path / path)
    assert same(other, model)


def test_what_is_saved_again_leaves_nothing_of_what_was_there(tmp_path):
    path = tmp_path / "model.safetensors"
    for size in ("0.3KB", "0.3KB", 1, None, "0.3KB", None):
        model, other = made(), made()
        model.save_weights(path, max_shard_size=size)
        other.load_weights(tmp_path / INDEX if size else path)
        other.load_weights(path)
        assert same(other, model)
        assert len(names(tmp_path)) == {"0.3KB": 4, 1: 2, None: 1}[size]


def test_a_file_of_another_save_is_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made().save_weights(tmp_path / name / INDEX, max_shard_size="0.3KB")
    shard = "model-00002-of-00003.safetensors"
    shutil.copy(tmp_path / "b" / shard, tmp_path / "a" / shard)
    with pytest.raises(FileFormatError, match=f"'{shard}' must be the file that was written with"):
        made().load_weights(tmp_path / "a")


@pytest.mark.parametrize(
    "place", ["../out.safetensors", "/etc/passwd", "sub/x", "gone.safetensors"]
)
def test_an_index_reaches_no_file_elsewhere(place, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    model = made()
    model.save_weights(folder / INDEX, max_shard_size=1)
    shutil.copy(folder / "model-00001-of-00001.safetensors", tmp_path / "out.safetensors")
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], place)
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(FileFormatError, match="must lie beside it"):
        model.load_weights(folder / INDEX)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"a": 1}}', ""])
def test_a_damaged_index_is_one_error(text, tmp_path):
    model = made()
    model.save_weights(tmp_path / INDEX, max_shard_size=1)
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(FileFormatError):
        model.load_weights(tmp_path / INDEX)


def test_everything_that_does_not_fit_is_told_at_once(tmp_path):
    made().save_weights(tmp_path / INDEX, max_shard_size="0.3KB")
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(8), layers.Dense(5), layers.Dense(9)])
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError, match="4 shapes differ"):
        model.load_weights(tmp_path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


class Own(nacre.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [layers.Dense(3), layers.Dense(2)]

    def call(self, x):
        return self.blocks[1](self.blocks[0](x))


def test_a_pretrained_folder_has_its_weights_in_such_files(tmp_path):
    x = np.ones((2, 4), "float32")
    model = Own()
    model(x)
    for size, count in ((None, 4), ("50KB", 5), (5e-8, 6), (None, 4)):
        model.save_pretrained(tmp_path / "m", max_shard_size=size)
        assert len(names(tmp_path / "m")) == count
        found = from_pretrained(tmp_path / "m", custom_objects={"Own": Own})
        np.testing.assert_array_equal(found(x), model(x))


def test_a_pretrained_folder_says_what_such_files_leave_out(tmp_path):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(2), layers.Dropout(0.5, seed=1)])
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4)), np.ones((2, 2)), verbose=0)
    with pytest.warns(UserWarning, match="the optimizer's state and the seeds of layers"):
        model.save_pretrained(tmp_path / "m", max_shard_size=1)
    found = load_model(tmp_path / "m")
    assert same(found, model)
    assert found.optimizer.iterations == 0
    other = nacre.models.clone_model(model)
    other.load_weights(tmp_path / "m")
    assert same(other, model)
