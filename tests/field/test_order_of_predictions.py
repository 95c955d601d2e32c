"""Predictions of data that is shuffled, which nobody can pair with labels read in another pass."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import nacre as keras
from nacre.data import Dataset
from nacre.preprocessing.image import ImageDataGenerator

X = np.arange(6, dtype="float32").reshape(6, 1)
TOLD = "predictions stand in the order of their own pass.*shuffle=False"


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((1,)), keras.layers.Identity()])


def pairs():
    return Dataset.from_tensor_slices((X, X))


@pytest.mark.parametrize(
    "data",
    [
        pairs().shuffle(6).batch(4),
        pairs().batch(2).shuffle(3).map(lambda x, y: (x, y)).prefetch(1),
    ],
)
def test_predict_tells_where_a_data_set_with_labels_is_shuffled_anew(model, data):
    with pytest.warns(UserWarning, match=TOLD):
        assert sorted(model.predict(data, verbose=0)[:, 0]) == sorted(X[:, 0])


def test_predict_tells_it_of_image_iterators():
    images = X.reshape(6, 1, 1, 1)
    model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    with pytest.warns(UserWarning, match=TOLD):
        model.predict(ImageDataGenerator().flow(images, batch_size=4), verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = ImageDataGenerator().flow(images, batch_size=4, shuffle=False)
        np.testing.assert_array_equal(model.predict(data, verbose=0), X)


def test_predict_tells_it_of_loaders_of_torch(model):
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    rows = data.TensorDataset(torch.tensor(X), torch.tensor(X))
    drawn = data.RandomSampler(rows)
    for shuffled in (
        {"shuffle": True},
        {"sampler": data.SubsetRandomSampler(range(6))},
        {"batch_sampler": data.BatchSampler(drawn, 4, drop_last=False)},
    ):
        with pytest.warns(UserWarning, match=TOLD):
            model.predict(data.DataLoader(rows, **shuffled), verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.predict(data.DataLoader(rows), verbose=0), X)
        unlabelled = data.TensorDataset(torch.tensor(X))
        model.predict(data.DataLoader(unlabelled, shuffle=True), verbose=0)


@pytest.mark.parametrize(
    "data",
    [
        pairs().batch(4),
        pairs().shuffle(6, seed=1, reshuffle_each_iteration=False).batch(4),
        pairs().shuffle(6).cache().batch(4),
        Dataset.from_tensor_slices(X).shuffle(6).batch(4),  # without labels
    ],
)
def test_predict_is_silent_where_one_order_holds_or_there_are_no_labels(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(data, verbose=0)
