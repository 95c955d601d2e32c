"""What every random image layer promises: seeds, ranges, compiled programs, no change at rest."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError

KINDS: dict[str, dict[str, Any]] = {
    "AugMix": {"num_chains": 2, "chain_depth": 2},
    "CutMix": {"factor": (0.3, 0.9)},
    "MixUp": {"alpha": 1.0},
    "RandAugment": {"factor": (0.5, 0.9)},
    "RandomBrightness": {"factor": 0.3},
    "RandomColorDegeneration": {"factor": 0.9},
    "RandomColorJitter": {
        "brightness_factor": 0.2,
        "contrast_factor": 0.3,
        "saturation_factor": 0.4,
        "hue_factor": 0.3,
    },
    "RandomContrast": {"factor": 0.5},
    "RandomElasticTransform": {"factor": (1.0, 1.0)},
    "RandomErasing": {"factor": (1.0, 1.0), "scale": (0.1, 0.5)},
    "RandomFlip": {},
    "RandomGaussianBlur": {"factor": (1.0, 1.0)},
    "RandomGrayscale": {"factor": 0.5},
    "RandomHue": {"factor": 0.6},
    "RandomInvert": {"factor": (0.5, 0.5)},
    "RandomPerspective": {"factor": (1.0, 1.0), "scale": 0.5},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": (0.1, 0.9)},
    "RandomSharpness": {"factor": 0.9},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.4},
    "Solarization": {"addition_factor": 0.3, "threshold_factor": 0.9},
}
IMAGES = np.random.default_rng(0).uniform(0, 255, (1, 8, 10, 3)).astype("float32")
BATCH = np.repeat(IMAGES, 8, axis=0)
DIFFERENT = np.random.default_rng(1).uniform(0, 255, (8, 8, 10, 3)).astype("float32")
MIXING = ("CutMix", "MixUp")

each_kind = pytest.mark.parametrize("kind", list(KINDS))


def made(kind: str, **more: Any) -> Any:
    return getattr(layers, kind)(**{**KINDS[kind], "seed": 5, **more})


def compiled(layer: Any) -> Any:
    """A function of (images, seed) as one program, as a training step runs it."""

    def run(images: Any, seed: Any) -> Any:
        drawn = layer.get_random_transformation(images, training=True, seed=seed)
        return layer.transform_images(images, drawn, training=True)

    return jax.jit(run)


@each_kind
def test_images_differ_stay_in_range_and_repeat_by_seed(kind: str) -> None:
    run = compiled(made(kind))
    images = DIFFERENT if kind in MIXING else BATCH
    seed = jnp.array([1, 2], "uint32")
    first = np.asarray(run(images, seed))
    assert first.shape == images.shape and first.dtype == np.float32
    assert first.min() >= -1e-3 and first.max() <= 255 + 1e-3
    np.testing.assert_array_equal(run(images, seed), first)
    assert (np.asarray(run(images, jnp.array([3, 4], "uint32"))) != first).any()
    if kind not in MIXING:
        assert len({image.tobytes() for image in first}) > 1, "all images changed alike"


@each_kind
def test_without_training_images_pass_unchanged(kind: str) -> None:
    layer = made(kind)
    np.testing.assert_array_equal(layer(BATCH, training=False), BATCH)
    assert layer.get_random_transformation(BATCH, training=False) is None


@each_kind
def test_the_batch_size_may_be_unknown_and_configs_round_trip(kind: str) -> None:
    layer = made(kind)
    output = layer(nacre.KerasTensor((None, 8, 10, 3), "float32"))
    assert tuple(output.shape) == (None, 8, 10, 3)
    data = layers.serialize(layer)
    assert layers.serialize(layers.deserialize(data))["config"] == data["config"]


COMPARED = ("RandomColorJitter", "RandomErasing", "RandomShear", "RandAugment")


@pytest.mark.parametrize("kind", COMPARED)
def test_compiled_equals_eager_and_one_seed_gives_one_result(kind: str) -> None:
    eager = np.asarray(made(kind)(DIFFERENT, training=True))
    twin = made(kind)
    state = twin.generator.state.value
    key = jnp.asarray(state)
    np.testing.assert_allclose(compiled(twin)(DIFFERENT, key), eager, atol=2e-2)


STILL = {
    "CutMix": {"factor": 0.0},
    "RandomBrightness": {"factor": 0.0},
    "RandomColorDegeneration": {"factor": 0.0},
    "RandomContrast": {"factor": 0.0},
    "RandomElasticTransform": {"factor": 0.0},
    "RandomErasing": {"factor": 0.0},
    "RandomGaussianBlur": {"factor": 0.0},
    "RandomGrayscale": {"factor": 0.0},
    "RandomHue": {"factor": 0.0},
    "RandomInvert": {"factor": 0.0},
    "RandomPerspective": {"factor": 0.0},
    "RandomSaturation": {"factor": (0.5, 0.5)},
    "RandomSharpness": {"factor": (0.5, 0.5)},
    "RandomShear": {},
    "RandomColorJitter": {},
    "RandAugment": {"num_ops": 0},
}


@pytest.mark.parametrize("kind", list(STILL))
def test_factor_zero_changes_nothing(kind: str) -> None:
    layer = getattr(layers, kind)(**STILL[kind])
    np.testing.assert_allclose(layer(DIFFERENT, training=True), DIFFERENT, atol=2e-3)


@pytest.mark.parametrize("kind", ["RandomHue", "RandomShear", "CutMix"])
def test_channels_first_is_the_same_turned(kind: str) -> None:
    last = np.asarray(made(kind)(DIFFERENT, training=True))
    first = made(kind, data_format="channels_first")
    turned = first(np.moveaxis(DIFFERENT, -1, 1), training=True)
    np.testing.assert_allclose(np.moveaxis(np.asarray(turned), 1, -1), last, atol=1e-2)


@pytest.mark.parametrize("kind", MIXING)
def test_labels_are_mixed_like_the_images(kind: str) -> None:
    marks = np.arange(8, dtype="float32")
    images = np.broadcast_to(marks[:, None, None, None], (8, 16, 16, 1)).astype("float32")
    data = {"images": images, "labels": np.eye(8, dtype="float32")}
    mixed = made(kind)(data, training=True)
    np.testing.assert_allclose(mixed["labels"].sum(axis=1), 1.0, atol=1e-5)
    # The mean of an image is the mean of the marks, weighted by its label.
    means = np.asarray(mixed["images"]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, np.asarray(mixed["labels"]) @ marks, atol=1e-4)
    with pytest.raises(ArgumentError, match=r"to_categorical"):
        made(kind)({"images": images, "labels": np.arange(8)}, training=True)


@pytest.mark.parametrize("kind", ["RandomRotation", "RandomCrop", "CutMix", "RandomPerspective"])
def test_masks_go_where_the_pixels_go(kind: str) -> None:
    sharp = {"RandomRotation": {"factor": 0.3, "interpolation": "nearest"}}
    sharp["RandomCrop"] = {"height": 4, "width": 5}
    sharp["CutMix"] = {}
    sharp["RandomPerspective"] = {"factor": (1.0, 1.0), "scale": 0.4, "interpolation": "nearest"}
    classes = np.random.default_rng(2).integers(0, 5, (4, 8, 8)).astype("int32")
    data = {"images": classes[..., None].astype("float32"), "segmentation_masks": classes}
    moved = getattr(layers, kind)(seed=1, **sharp[kind])(data, training=True)
    assert moved["segmentation_masks"].dtype == np.int32
    np.testing.assert_array_equal(moved["images"][..., 0], moved["segmentation_masks"])


def test_a_crop_takes_another_place_in_each_image() -> None:
    places = np.arange(64, dtype="float32").reshape(1, 8, 8, 1)
    crops = layers.RandomCrop(3, 3, seed=1)(np.repeat(places, 8, axis=0), training=True)
    assert len({float(crop[0, 0, 0]) for crop in crops}) > 1
    np.testing.assert_array_equal(crops[0, :, 1, 0] - crops[0, :, 0, 0], np.ones(3))


def test_erased_rectangles_keep_to_their_shares() -> None:
    layer = layers.RandomErasing((1.0, 1.0), scale=(0.25, 0.25), fill_value=9.0, seed=0)
    images = np.zeros((4, 8, 12, 1), "float32")
    erased = np.asarray(layer(images, training=True)) == 9.0
    assert erased.sum(axis=(1, 2, 3)).tolist() == [24] * 4  # half the height, half the width


def test_one_image_alone_is_one_image() -> None:
    assert made("RandomContrast")(IMAGES[0], training=True).shape == IMAGES.shape[1:]
    mixed = made("MixUp")({"images": IMAGES[0], "labels": np.eye(2, dtype="float32")[0]})
    np.testing.assert_allclose(mixed["labels"], [1.0, 0.0], atol=1e-6)


def test_layers_work_inside_a_model_that_trains() -> None:
    model = nacre.Sequential(
        [
            layers.RandomContrast(0.5, value_range=(0, 1), seed=1),
            layers.RandomErasing(value_range=(0, 1), seed=2),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile("sgd", "mse")
    model.fit(DIFFERENT / 255, np.zeros((8, 2), "float32"), batch_size=4, verbose=0)
    assert np.isfinite(model.predict(DIFFERENT / 255, verbose=0)).all()


WRONG = [
    ("RandomHue", {"factor": 2.0}, r"factor must be a number"),
    ("RandomPosterization", {"factor": 9}, r"from 1 to 8"),
    ("RandomGaussianBlur", {"kernel_size": 4}, r"odd and positive"),
    ("RandomGrayscale", {"factor": -1}, r"from 0 to 1"),
    ("MixUp", {"alpha": 0.0}, r"alpha must be above 0"),
    ("RandomInvert", {"value_range": (1, 0)}, r"value_range must be"),
    ("AugMix", {"num_chains": 0}, r"num_chains must be a positive int"),
    ("RandomPerspective", {"scale": 3.0}, r"scale must be from 0 to 1"),
]


@pytest.mark.parametrize(("kind", "kwargs", "rule"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong_arguments_are_refused(kind: str, kwargs: dict, rule: str) -> None:
    with pytest.raises(ArgumentError, match=rule):
        getattr(layers, kind)(**kwargs)
