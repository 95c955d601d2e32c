"""Facts of the layers that prepare data; the numbers are those of Keras 3.15."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, DataError, DTypeError, NotBuiltError

TEXTS = ["The cat, sat.", "the dog! sat the"]


def test_normalization_adapts_to_arrays_and_batches_alike() -> None:
    data = np.random.default_rng(0).normal(5.0, 3.0, (100, 4))
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(data)
    parts.adapt(data[i : i + 30] for i in range(0, 100, 30))
    np.testing.assert_allclose(whole.mean, data.mean(0, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(whole.variance, data.var(0, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(parts.variance, whole.variance, rtol=1e-6)
    assert [w.name for w in whole.weights] == ["mean", "variance", "count"]


def test_normalization_without_axis_and_inverted() -> None:
    layer = layers.Normalization(axis=None)
    layer.adapt(np.arange(12.0).reshape(4, 3))
    np.testing.assert_allclose(np.ravel(layer.variance), [11.916667], rtol=1e-6)
    back = layers.Normalization(mean=5.5, variance=11.916667, axis=None, invert=True)
    x = np.array([[1.0, 2.0, 3.0]], "float32")
    np.testing.assert_allclose(back(layer(x)), x, rtol=1e-5)


@pytest.mark.parametrize("axis", [None, -1])
def test_normalization_keeps_the_shape_of_a_column_without_its_axis(axis: int | None) -> None:
    layer = layers.Normalization(axis=axis)
    layer.adapt(np.array([1.0, 3.0]))
    np.testing.assert_allclose(layer(np.array([1.0, 3.0, 5.0])), [-1.0, 1.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(layer(np.array([[1.0], [3.0]])), [[-1.0], [1.0]], rtol=1e-6)


def test_normalization_needs_its_arguments_together() -> None:
    with pytest.raises(ArgumentError, match="together"):
        layers.Normalization(mean=1.0)


def test_category_encoding_refuses_unknown_indices() -> None:
    with pytest.raises(ArgumentError, match=r"from 0 to 2.*Pass num_tokens=4"):
        layers.CategoryEncoding(3)(np.array([[0, 3]]))


def test_discretization_fills_its_bins_equally() -> None:
    layer = layers.Discretization(num_bins=4)
    with pytest.raises(NotBuiltError, match="adapt"):
        layer(np.array([1.0]))
    layer.adapt(np.arange(10.0))
    np.testing.assert_allclose(layer.bin_boundaries, [1.5, 4.0, 6.5], rtol=1e-6)
    layer = layers.Discretization(num_bins=3)
    layer.adapt(np.array([[1.0, 2.0], [5.0, 9.0], [3.0, 3.0]]))
    assert layer.bin_boundaries == [2.0, 3.0]


def test_discretization_takes_boundaries_or_their_number() -> None:
    with pytest.raises(ArgumentError, match=r"not both.*num_bins=2"):
        layers.Discretization(bin_boundaries=[1.0], num_bins=2)
    layer = layers.Discretization(num_bins=4)
    layer.adapt(np.arange(10.0))
    again = layers.Discretization.from_config(layer.get_config())
    assert again.bin_boundaries == layer.bin_boundaries
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize("size", [2, 6])
def test_center_crop_gives_the_compute_dtype_as_other_layers_for_images(size: int) -> None:
    pixels = np.arange(16, dtype="uint8").reshape(4, 4, 1)
    cut = layers.CenterCrop(size, size)(pixels)
    assert cut.dtype == "float32"
    assert layers.CenterCrop(size, size, dtype="uint8")(pixels).dtype == "uint8"
    symbol = layers.CenterCrop(size, size)(nacre.Input((4, 4, 1), dtype="uint8"))
    assert symbol.dtype == "float32"


def test_text_vectorization_without_vocabulary_is_told_by_its_own_name() -> None:
    with pytest.raises(NotBuiltError, match=r"^TextVectorization 'words'.*adapt"):
        layers.TextVectorization(name="words")(["a text"])


def test_string_lookup_refuses_numbers_and_an_empty_vocabulary() -> None:
    layer = layers.StringLookup(vocabulary=["1", "2"])
    with pytest.raises(DTypeError, match=r"strings.*int32.*IntegerLookup"):
        layer(np.array([1, 2]))
    with pytest.raises(DataError, match=r"strings only.*nan"):
        layer(np.array(["1", np.nan], object))
    with pytest.raises(ArgumentError, match="must hold a token"):
        layers.StringLookup(vocabulary=[])


def test_string_lookup_adapts_to_texts_without_tokens() -> None:
    layer = layers.StringLookup()
    layer.adapt(np.array(["[UNK]"]))
    assert layer.get_vocabulary() == ["[UNK]"]
    assert layer(np.array(["a"])).tolist() == [0]


def test_string_lookup() -> None:
    layer = layers.StringLookup(vocabulary=["a", "b"])
    assert layer(np.array([["a", "z"]])).tolist() == [[1, 0]]
    back = layers.StringLookup(vocabulary=["a", "b"], invert=True)
    assert back(np.array([2, 0])).tolist() == ["b", "[UNK]"]
    with pytest.raises(DataError, match="num_oov_indices=1"):
        layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(np.array(["z"]))


def test_integer_lookup_in_and_outside_a_program() -> None:
    layer = layers.IntegerLookup(num_oov_indices=2, vocabulary=[6, 5], mask_token=0)
    tokens = np.array([5, 6, 7, 8, 0], "int32")
    assert layer(tokens).tolist() == [4, 3, 2, 1, 0]
    np.testing.assert_array_equal(jax.jit(lambda x: layer(x))(tokens), layer(tokens))


def test_tf_idf_weights() -> None:
    layer = layers.StringLookup(output_mode="tf_idf")
    layer.adapt(np.array([["a", "b"], ["a", "c"]]))
    assert layer.get_vocabulary() == ["[UNK]", "a", "c", "b"]
    np.testing.assert_allclose(
        layer(np.array([["a", "a", "z"]])), [[0.63237333, 1.0216513, 0, 0]], rtol=1e-6
    )


TEXT_RESULTS = [
    ({}, [[2, 1, 3], [5, 0, 0]]),
    ({"ngrams": 2}, [[2, 1, 3, 1, 1], [10, 0, 0, 0, 0]]),
    ({"output_mode": "multi_hot"}, [[1, 1, 1, 0, 0], [0, 0, 0, 0, 1]]),
    ({"output_sequence_length": 2}, [[2, 1], [5, 0]]),
    ({"max_tokens": 3}, [[2, 1, 1], [1, 0, 0]]),
]


@pytest.mark.parametrize(("kwargs", "expected"), TEXT_RESULTS)
def test_text_vectorization(kwargs: dict, expected: list) -> None:
    layer = layers.TextVectorization(**kwargs)
    layer.adapt(TEXTS)
    assert layer(["the bird sat", "cat"]).tolist() == expected


def test_a_vocabulary_goes_through_a_folder(tmp_path) -> None:
    layer = layers.TextVectorization()
    layer.adapt(TEXTS)
    layer.save_assets(str(tmp_path))
    twin = layers.deserialize(layers.serialize(layer))
    twin.load_assets(str(tmp_path))
    assert twin.get_vocabulary() == layer.get_vocabulary()


IMAGE = np.arange(32, dtype="float32").reshape(1, 4, 4, 2)
MOVED = [
    (
        layers.RandomRotation((0.25, 0.25), fill_mode="constant"),
        [[6, 14, 22, 30], [4, 12, 20, 28], [2, 10, 18, 26], [0, 8, 16, 24]],
    ),
    (
        layers.RandomTranslation((0.25, 0.25), (0.0, 0.0), fill_mode="constant"),
        [[0, 0, 0, 0], [0, 2, 4, 6], [8, 10, 12, 14], [16, 18, 20, 22]],
    ),
]


@pytest.mark.parametrize(("layer", "expected"), MOVED, ids=["rotation", "translation"])
def test_images_move_as_in_keras(layer, expected: list) -> None:
    np.testing.assert_allclose(layer(IMAGE, training=True)[0, :, :, 0], expected, atol=1e-4)


RANDOM_LAYERS = [
    layers.RandomFlip(seed=1),
    layers.RandomRotation(0.2, seed=1),
    layers.RandomTranslation(0.2, 0.3, seed=1),
    layers.RandomZoom(0.3, seed=1),
    layers.RandomContrast(0.5, seed=1),
    layers.RandomBrightness(0.5, seed=1),
]


@pytest.mark.parametrize("layer", RANDOM_LAYERS, ids=lambda layer: layer.name)
def test_random_images_change_in_training_only(layer) -> None:
    images = np.random.default_rng(0).uniform(0, 255, (8, 6, 6, 3)).astype("float32")
    np.testing.assert_array_equal(layer(images, training=False), images)
    first, second = layer(images, training=True), layer(images, training=True)
    assert first.shape == images.shape and np.isfinite(first).all()
    assert (np.asarray(first) != np.asarray(second)).any()
    twin = layers.deserialize(layers.serialize(layer))
    np.testing.assert_array_equal(twin(images, training=True), first)


def test_random_crop_and_channels_first() -> None:
    images = np.arange(2 * 3 * 5 * 6, dtype="float32").reshape(2, 3, 5, 6)
    crop = layers.RandomCrop(2, 4, data_format="channels_first")
    assert crop(images, training=True).shape == (2, 3, 2, 4)
    np.testing.assert_array_equal(crop(images, training=False), images[:, :, 1:3, 1:5])


def test_resizing_keeps_integers() -> None:
    resized = layers.Resizing(3, 3)(np.full((1, 4, 5, 1), 200, "uint8"))
    assert resized.dtype == np.uint8 and (np.asarray(resized) == 200).all()


def test_time_distributed_names_the_missing_axis() -> None:
    with pytest.raises(ValueError, match="batch, time, features"):
        layers.TimeDistributed(layers.Dense(2))(np.ones((3, 4), "float32"))


def test_time_distributed_compute_output_shape() -> None:
    layer = layers.TimeDistributed(layers.Dense(2))
    assert layer.compute_output_shape((None, 7, 4)) == (None, 7, 2)
