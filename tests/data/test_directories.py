"""Data sets of the files in folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import nacre as keras
from nacre import utils
from nacre.core.errors import ArgumentError, DataError
from nacre.data import resizing
from tests.cases.folders import results, write_images, write_kinds, write_texts

REFERENCE = Path(__file__).parents[1] / "reference" / "folders.npz"


def load(folder, **arguments):
    given = {"image_size": (6, 4), "shuffle": False, "verbose": False, **arguments}
    return utils.image_dataset_from_directory(folder, **given)


@pytest.fixture
def folder(tmp_path):
    return write_images(tmp_path / "images")


def test_folders_are_read_as_by_keras(tmp_path):
    found, wanted = results(utils, tmp_path), np.load(REFERENCE)
    assert sorted(found) == sorted(wanted.files)
    for name, array in found.items():
        expected = wanted[name]
        assert array.shape == expected.shape, name
        assert array.dtype.kind == expected.dtype.kind, name
        if name.startswith(("resized", "grayscale")):
            # Greys of colours are rounded otherwise.
            bound = 1 if name.startswith("grayscale") else 0.01
            np.testing.assert_allclose(array * 1.0, expected, atol=bound, err_msg=name)
        else:
            np.testing.assert_array_equal(array, expected, err_msg=name)


def test_files_and_classes_are_told_once_or_not_at_all(folder, capsys):
    load(folder, verbose=True)
    assert capsys.readouterr().out == "Found 13 files belonging to 4 classes.\n"
    load(folder, verbose=True, labels=None)
    assert capsys.readouterr().out == "Found 15 files.\n"
    load(folder, verbose=True, validation_split=0.25, subset="both")
    told = "Using 10 files for training.\nUsing 3 files for validation.\n"
    assert capsys.readouterr().out.endswith(told)
    load(folder)
    assert capsys.readouterr().out == ""


def test_a_dataset_knows_classes_and_files_and_what_follows_does_not(folder):
    data = load(folder, class_names=["dogs", "cats"])
    assert isinstance(data, keras.data.Dataset)
    assert data.class_names == ["dogs", "cats"]
    assert [Path(p).name for p in data.file_paths[:3]] == ["1.png", "10.png", "2.png"]
    assert not hasattr(data.take(1), "class_names")
    assert load(folder, labels=None).class_names is None


def test_images_come_in_batches_or_alone_and_know_their_spec(folder):
    images, labels = load(folder, batch_size=4).element_spec
    assert (images.shape, labels.shape) == ((None, 6, 4, 3), (None,))
    assert len(load(folder, batch_size=4)) == 4
    image, label = next(iter(load(folder, batch_size=None)))
    assert (image.shape, image.dtype, label.dtype) == ((6, 4, 3), "float32", "int32")


def test_files_are_in_another_order_in_each_pass_with_their_labels(folder):
    data = load(folder, shuffle=True, seed=1)
    of_image = {x.tobytes(): int(y) for x, y in load(folder, batch_size=None)}
    passes = [next(iter(data)) for _ in range(2)]
    assert not np.array_equal(passes[0][0], passes[1][0])
    for images, labels in passes:
        assert [of_image[np.asarray(x).tobytes()] for x in images] == labels.tolist()


def test_subsets_share_no_file_and_leave_none_out(folder):
    split = {"validation_split": 0.3, "seed": 5, "shuffle": True}
    parts = [load(folder, subset=name, **split) for name in ("training", "validation")]
    paths = [path for part in parts for path in part.file_paths]
    assert sorted(paths) == sorted(load(folder).file_paths)
    alone = load(folder, validation_split=0.3, subset="both", shuffle=True)  # needs no seed
    assert sorted(path for part in alone for path in part.file_paths) == sorted(paths)


def test_set_random_seed_decides_the_order_of_files(folder):
    orders = []
    for _ in range(2):
        utils.set_random_seed(3)
        orders.append(load(folder, shuffle=True).file_paths)
    assert orders[0] == orders[1] != load(folder).file_paths


def test_no_file_is_opened_before_it_is_asked_for_and_a_broken_one_is_named(folder):
    broken = os.path.join(folder, "cats", "zz.png")
    Path(broken).write_bytes(b"\x89PNG\r\n\x1a\nxxxx")
    data = load(folder, batch_size=1).map(lambda x, y: (x, y))
    with pytest.raises(DataError, match=re.escape(repr(broken))):
        list(data)
    half = os.path.join(folder, "cats", "sub", "a.bmp")
    Path(half).write_bytes(Path(half).read_bytes()[:60])
    os.remove(broken)
    with pytest.raises(DataError, match=re.escape(repr(half))):
        list(load(folder))


def test_labels_may_be_given_for_each_file(folder):
    given = np.arange(15)
    data = load(folder, labels=given)
    assert next(iter(data))[1].tolist() == given.tolist()
    assert data.class_names == [str(number) for number in given]
    data = load(folder, labels=[1.5] * 15)
    assert next(iter(data))[1].dtype == "float32"
    booleans = pd.Series([True, False, False] * 5)
    data = load(folder, labels=booleans, label_mode="binary")
    assert next(iter(data))[1].reshape(-1).tolist() == booleans.tolist()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"labels": [1, 2]}, "one number for each file.*2 labels for 15 files"),
        ({"labels": "inferred?"}, "labels must be 'inferred', None"),
        ({"labels": ["a"] * 15}, "flat list of numbers"),
        ({"labels": [[1], [1, 2]]}, "flat list of numbers"),
        ({"labels": [1, 2, 2] * 5, "label_mode": "categorical"}, "class numbers from 0 to 1"),
        ({"labels": [0] * 15, "class_names": ["a"]}, "class_names needs labels='inferred'"),
        ({"labels": None, "class_names": ["dogs"]}, "class_names needs labels='inferred'"),
        ({"label_mode": "sparse"}, "label_mode must be"),
        ({"label_mode": "binary"}, "exactly 2 classes. Got 4"),
        ({"class_names": ["dogs", "cots"]}, "names of folders"),
        ({"class_names": ["dogs", "dogs"]}, "each once"),
        ({"class_names": "dogs"}, "class_names must be a list"),
        ({"color_mode": "bgr"}, "color_mode must be one of"),
        ({"interpolation": "cubic"}, "interpolation must be one of"),
        ({"image_size": (2, 3, 4)}, "image_size must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "only one of"),
        ({"validation_split": 0.2}, "given together"),
        ({"subset": "training"}, "given together"),
        ({"validation_split": 1.5, "subset": "training"}, "from 0 to 1"),
        ({"validation_split": "0.2", "subset": "training"}, "from 0 to 1"),
        ({"validation_split": 0.2, "subset": "test"}, "subset must be"),
        ({"validation_split": 0.2, "subset": "training", "shuffle": True}, "needs a seed"),
        ({"format": "grain"}, "format must be 'tf'"),
        ({"seed": -1, "shuffle": True}, "seed must be"),
    ],
)
def test_arguments_are_refused_in_words(folder, arguments, rule):
    with pytest.raises(ArgumentError, match=rule):
        load(folder, **arguments)


def test_a_subset_or_a_folder_without_files_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="validation subset must have files"):
        load(folder, validation_split=0.01, subset="validation")
    with pytest.raises(DataError, match="must hold image files"):
        load(os.path.join(folder, "empty"))
    with pytest.raises(DataError, match="of no class: give labels=None"):
        load(os.path.join(folder, "dogs"))
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_sizes_of_blocks_and_batches_change_no_pixel(interpolation, monkeypatch):
    monkeypatch.setenv("NACRE_NATIVE", "0")
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), np.uint8)
    whole = resizing.resize(images, (17, 19), interpolation)
    monkeypatch.setattr(resizing, "_BLOCK_BYTES", 1000)
    np.testing.assert_array_equal(resizing.resize(images, (17, 19), interpolation), whole)
    one = resizing.resize(images[1], (17, 19), interpolation)
    np.testing.assert_array_equal(one, whole[1])
    assert resizing.resize(images[:0], (17, 19), interpolation).shape == (0, 17, 19, 3)


def test_smart_resize_cuts_off_what_does_not_fit():
    image = np.arange(4 * 8 * 3.0).reshape(4, 8, 3)
    np.testing.assert_array_equal(
        keras.preprocessing.image.smart_resize(image, (4, 4)), image[:, 2:6].astype("float32")
    )
    first = keras.preprocessing.image.smart_resize(
        np.moveaxis(image, -1, 0)[None], (2, 2), data_format="channels_first"
    )
    assert first.shape == (1, 3, 2, 2)
    with pytest.raises(ValueError, match="x must be an image"):
        keras.preprocessing.image.smart_resize(image[0], (2, 2))


def test_texts_vectorize_in_a_pipeline(tmp_path):
    data = utils.text_dataset_from_directory(
        write_texts(tmp_path / "t"), batch_size=3, verbose=False, shuffle=False
    )
    layer = keras.layers.TextVectorization(output_sequence_length=4)
    layer.adapt(data.map(lambda text, label: text))
    assert "häß" in layer.get_vocabulary()
    shapes = [x.shape for x, _ in data.map(lambda text, label: (layer(text), label))]
    assert shapes == [(3, 4), (3, 4), (2, 4)]


def test_a_tutorial_trains_on_its_folder(tmp_path):
    for number, name in enumerate(("dark", "light")):
        (tmp_path / name).mkdir()
        for file in range(20):
            pixels = np.full((9, 8, 3), 20 + 200 * number + file, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{file}.png")
    split = {"validation_split": 0.2, "seed": 7, "image_size": (8, 8), "batch_size": 8}
    train, val = (
        utils.image_dataset_from_directory(tmp_path, subset=name, verbose=False, **split)
        for name in ("training", "validation")
    )
    scale = keras.layers.Rescaling(1 / 255)
    train = train.map(lambda x, y: (scale(x), y)).cache().shuffle(64).prefetch(keras.data.AUTOTUNE)
    val = val.map(lambda x, y: (scale(x), y)).cache().prefetch(keras.data.AUTOTUNE)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    history = model.fit(train, validation_data=val, epochs=6, verbose=0).history
    assert history["val_accuracy"][-1] == 1.0
    assert history["loss"][-1] < history["loss"][0]


def test_kinds_that_keras_refuses_are_read(tmp_path):
    folder = write_kinds(tmp_path / "k")
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).convert("CMYK").save(f"{folder}/c.jpg")
    palette = Image.open(f"{folder}/palette.png")
    palette.save(f"{folder}/clear.png", transparency=bytes(range(256)))  # Pillow would warn
    (batch,) = load(folder, labels=None, color_mode="rgba")
    assert batch.shape == (11, 6, 4, 4)
    list(load(folder, labels=None))


@pytest.mark.parametrize(
    "read",
    [
        utils.image_dataset_from_directory,
        lambda path: utils.image_dataset_from_directory(path, labels=None),
        utils.text_dataset_from_directory,
        utils.audio_dataset_from_directory,
        keras.preprocessing.image.ImageDataGenerator().flow_from_directory,
    ],
)
def test_a_folder_that_is_not_there_is_named_with_where_it_was_looked_for(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"the folder must exist. Got 'no/such', in '/.*Py"):
        read("no/such")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="it must be a folder. Got the file '.*file'"):
        read(tmp_path / "file")
