"""Hashes, changed pictures and spectrograms are those of Keras, and so are the configs."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, DTypeError, ShapeError
from nacre.core.fingerprint import farm_fingerprint, sip_fingerprint
from nacre.layers.preprocessing.pixel_changes import affine_map
from tests.cases.layers_preprocessing import GIVEN_CASES, PREPROCESSING_CASES
from tests.cases.reading import load_facts, load_reference, numbered
from tests.cases.spec import LayerCase, build_layer
from tests.tiers import first_of_each_is_quick

ARRAYS = load_reference("preprocessing")
FACTS = load_facts("preprocessing")

each_case = pytest.mark.parametrize(
    "case",
    first_of_each_is_quick(PREPROCESSING_CASES, lambda case: case.layer),
    ids=lambda case: case.id,
)


@each_case
def test_numbers_are_those_of_keras(case: LayerCase) -> None:
    stored = ARRAYS[case.id]
    inputs = numbered(stored, "input")
    layer = build_layer(case, nacre)
    given = [inputs] if case.call_style == "list" else inputs
    output = np.asarray(layer(*given, **case.call_kwargs))
    expected = stored["output"]
    # Pixels are compared in units of their range.
    unit = max(1.0, float(np.abs(expected).max())) if expected.dtype.kind == "f" else 1.0
    np.testing.assert_allclose(output / unit, expected / unit, atol=case.tolerance)


def test_angles_are_those_of_the_fourier_transform() -> None:
    sounds = np.random.default_rng(0).normal(size=(1, 64, 1)).astype("float32")
    layer = layers.STFTSpectrogram("angle", frame_length=16, window=None)
    frames = np.stack([sounds[:, i * 8 : i * 8 + 16, 0] for i in range(7)], axis=1)
    expected = np.exp(1j * np.angle(np.fft.rfft(frames)))
    np.testing.assert_allclose(np.exp(1j * np.asarray(layer(sounds))), expected, atol=1e-4)


def comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments as plain data, without automatic names."""
    plain = lambda v: list(v) if isinstance(v, list | tuple) else v
    return {k: plain(v) for k, v in config.items() if k != "name"}


# Written here, not by Keras 3.15: an argument of its constructor that its config forgets.
FORGOTTEN = {"RandomGrayscale": {"seed"}}


@pytest.mark.parametrize("name", list(FACTS))
def test_configs_are_those_of_keras(name: str) -> None:
    theirs = FACTS[name]["config"]
    opened = layers.deserialize(theirs)
    ours = comparable(layers.serialize(opened)["config"])
    for key in FORGOTTEN.get(theirs["class_name"], ()):
        ours.pop(key)
    expected = comparable(theirs["config"])
    assert set(ours) == set(expected)
    assert {k: v for k, v in ours.items() if k != "dtype"} == {
        k: v for k, v in expected.items() if k != "dtype"
    }


def in_our_names(kind: str, stored: dict[str, Any]) -> dict[str, Any]:
    """What Keras drew, as our layer would have drawn it."""
    drawn = {k.removeprefix("drawn_"): v for k, v in stored.items() if k.startswith("drawn_")}
    if kind == "RandomShear":
        across, along = drawn["shear_factor"].T
        return {"map": affine_map(stored["images"], 1.0, across, 0.0, along, 1.0, 0.0)}
    if kind == "RandomPerspective":
        return {**drawn, "chosen": drawn["apply_perspective"]}
    if kind == "RandomErasing":
        return {"masks": drawn["batch_masks"], "noise_key": None}
    shared = {"weights": drawn["mix_weight"].reshape(-1), "permutation": drawn["permutation_order"]}
    return shared if kind == "MixUp" else {**shared, "masks": drawn["batch_masks"]}


@pytest.mark.parametrize(("name", "kind", "kwargs"), GIVEN_CASES, ids=[c[0] for c in GIVEN_CASES])
def test_with_the_same_random_numbers_pictures_are_the_same(name, kind, kwargs) -> None:
    stored = ARRAYS[name]
    layer = getattr(layers, kind)(**kwargs)
    drawn = in_our_names(kind, stored)
    images = layer.transform_images(stored["images"], drawn)
    np.testing.assert_allclose(images, stored["output"], atol=0.02)
    if "output_labels" in stored:
        labels = layer.transform_labels(stored["labels"], drawn)
        np.testing.assert_allclose(labels, stored["output_labels"], atol=1e-6)


def test_fingerprints_have_the_published_values() -> None:
    # The empty string gives FarmHash's third prime; SipHash: the paper's example, appendix A.
    assert int(farm_fingerprint([b""])[0]) == 0x9AE16A3B2F90404F
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert int(sip_fingerprint([bytes(range(15))], key)[0]) == 0xA129CA6149BE45E5


def test_many_strings_at_once_hash_like_each_alone() -> None:
    texts = [b"x" * n + bytes([n]) for n in range(150)]
    together = farm_fingerprint(texts)
    assert len(set(together.tolist())) == len(texts)
    assert [int(farm_fingerprint([t])[0]) for t in texts] == together.tolist()


def test_hashing_refuses_floats_and_compiled_values() -> None:
    with pytest.raises(DTypeError, match=r"ints or strings.*float"):
        layers.Hashing(3)(np.array([1.5], "float32"))
    with pytest.raises(ArgumentError, match=r"on the host.*data pipeline"):
        jax.jit(layers.Hashing(3))(np.array([1, 2]))
    with pytest.raises(ShapeError, match="one shape"):
        layers.HashedCrossing(3)((np.array([1]), np.array([1, 2])))


def test_boxes_are_cut_and_filled_and_refused_where_pixels_move() -> None:
    boxes = {"boxes": np.ones((1, 5, 4), "float32"), "labels": np.ones((1, 5), "int32")}
    data = {"images": np.zeros((1, 4, 4, 3), "float32"), "bounding_boxes": boxes}
    fewer = layers.MaxNumBoundingBoxes(3, bounding_box_format="xyxy")(data)["bounding_boxes"]
    assert fewer["boxes"].shape == (1, 3, 4) and fewer["labels"].shape == (1, 3)
    more = layers.MaxNumBoundingBoxes(7, bounding_box_format="xyxy")(data)["bounding_boxes"]
    assert more["labels"][0].tolist() == [1, 1, 1, 1, 1, -1, -1]
    with pytest.raises(ArgumentError, match=r"bounding_box_format='xyxy'"):
        layers.RandomBrightness(0.1)(data)
    with pytest.raises(ArgumentError, match="cannot follow"):
        layers.CutMix(bounding_box_format="xyxy")(data, training=True)
    kept = layers.RandomInvert(bounding_box_format="xyxy")(data, training=True)
    np.testing.assert_array_equal(kept["bounding_boxes"]["boxes"], boxes["boxes"])


def test_zero_bytes_at_the_ends_of_strings_count() -> None:
    """NumPy's strings of one width have none; numbers are Keras 3.15's."""
    texts = ["a\0", "a"]
    hashing = nacre.layers.Hashing(1000)
    for given in (texts, [b"a\0", b"a"], np.array(texts, object), [["a\0"], ["a"]]):
        assert np.ravel(hashing(given)).tolist() == [180, 939]
    assert [int(hashing(text)) for text in texts] == [180, 939]
    crossed = nacre.layers.HashedCrossing(1000)((texts, ["b", "b"])).tolist()
    assert crossed[0] != crossed[1]
    inputs = nacre.Input((1,), dtype="string")
    model = nacre.Model(inputs, hashing(inputs))
    rows = [[text] for text in texts]
    assert np.ravel(model(rows)).tolist() == [180, 939]
    assert np.ravel(model.predict(rows, verbose=0)).tolist() == [180, 939]


@pytest.mark.parametrize("kind", [nacre.layers.StringLookup, nacre.layers.TextVectorization])
def test_zero_bytes_at_the_ends_of_tokens_count(kind: Any) -> None:
    is_text = kind is nacre.layers.TextVectorization
    more: dict[str, Any] = {"standardize": None, "split": None} if is_text else {}
    layer = kind(vocabulary=["a", "a\0"], **more)
    first, second = np.ravel(layer(["a\0", "a"])).tolist()
    assert first == second + 1
    again = kind.from_config(layer.get_config())
    assert again.get_vocabulary() == layer.get_vocabulary()
    assert np.ravel(again(["a\0", "a"])).tolist() == [first, second]
    adapted = kind(**more)
    adapted.adapt(["a\0", "a", "a\0"])
    assert adapted.get_vocabulary()[-2:] == ["a\0", "a"]
    if not more:
        assert layer(["a\0", "b"]).tolist() == [first, 0]
        inverse = kind(vocabulary=["a", "a\0"], invert=True)
        assert list(inverse([1, 2])) == ["a", "a\0"]
