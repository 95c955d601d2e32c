"""Two subsets of the files of a folder, made by two calls, that are not those of one split."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nacre as keras
from nacre.preprocessing.image import ImageDataGenerator
from nacre.utils import image_dataset_from_directory
from tests.cases.folders import write_images

ONE_SPLIT = {"seed": 1, "validation_split": 0.4}


@pytest.fixture
def model():
    model = keras.Sequential(
        [keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def load(tmp_path):
    folder = write_images(tmp_path / "images")

    def loaded(subset, **arguments):
        given = {"image_size": (2, 2), "verbose": False, "subset": subset, **arguments}
        return image_dataset_from_directory(folder, **given)

    return loaded


def fit(model, x, validation_data):
    model.fit(x, validation_data=validation_data, steps_per_epoch=1, validation_steps=1, verbose=0)


@pytest.mark.parametrize("other", [{"seed": 2}, {"shuffle": False}, {"validation_split": 0.9}])
def test_fit_tells_where_files_for_validation_are_trained_on(model, load, other):
    trained, held_out = load("training", **ONE_SPLIT), load("validation", **{**ONE_SPLIT, **other})
    shared = len(set(trained.file_paths) & set(held_out.file_paths))
    assert shared
    told = f"Got {shared} of the {len(held_out.file_paths)} files for validation in both subsets"
    with pytest.warns(UserWarning, match=told):
        fit(model, trained, held_out)
    with pytest.warns(UserWarning, match=told):  # what was made of them too
        fit(model, trained.map(lambda x, y: (x / 255, y)).prefetch(1), held_out.cache())


def test_fit_is_silent_where_no_file_is_in_both(model, load):
    both = load("both", **ONE_SPLIT)
    trained, held_out = load("training", **ONE_SPLIT), load("validation", **ONE_SPLIT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model, *both)
        fit(model, trained.map(lambda x, y: (x / 255, y)), held_out)
        fit(model, trained, trained)  # that is meant


def test_fit_tells_it_of_image_iterators_too(model, tmp_path):
    folder = write_images(tmp_path / "images")

    def flow(subset, share):
        return ImageDataGenerator(validation_split=share).flow_from_directory(
            folder, (2, 2), class_mode="sparse", subset=subset
        )

    with pytest.warns(UserWarning, match="files for validation in both subsets"):
        fit(model, flow("training", 0.2), flow("validation", 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model, flow("training", 0.5), flow("validation", 0.5))
        fit(model, flow("training", 0.5), (np.zeros((2, 2, 2, 3)), np.zeros(2)))
