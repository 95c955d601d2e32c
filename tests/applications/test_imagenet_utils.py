"""Pictures before, and predictions after a network."""

from __future__ import annotations

import importlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre.applications import imagenet_utils, mobilenet, resnet50, vgg16
from nacre.core.errors import ArgumentError, DataError, ShapeError, UnknownNameError
from tests.applications.test_networks import REFERENCE
from tests.cases import applications as cases


@pytest.mark.parametrize("family", cases.PREPROCESSED)
def test_pictures_are_preprocessed_as_keras_does(family: str) -> None:
    change = importlib.import_module(f"nacre.applications.{family}").preprocess_input
    image = cases.whole_picture()
    last, first = REFERENCE["preprocessing"][family]
    found = change(image)
    if family in cases.SCALED_INSIDE:
        assert found is image
    else:
        assert found.dtype == np.float32
    np.testing.assert_allclose(found, last, atol=2e-5)
    np.testing.assert_allclose(change(image.transpose(2, 0, 1), "channels_first"), first, atol=2e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_the_array_that_is_given_stays_as_it_is(mode: str) -> None:
    image = cases.whole_picture().astype("float32")
    before = image.copy()
    once = imagenet_utils.preprocess_input(image, mode=mode)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(imagenet_utils.preprocess_input(image, mode=mode), once)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_symbolic_pictures_and_tensors_are_preprocessed_alike(mode: str) -> None:
    image = cases.whole_picture()[None].astype("float32")
    expected = imagenet_utils.preprocess_input(image, mode=mode)
    tensor = imagenet_utils.preprocess_input(nacre.ops.convert_to_tensor(image), mode=mode)
    np.testing.assert_allclose(tensor, expected, atol=2e-5)
    inputs = nacre.Input((2, 2, 3))
    model = nacre.Model(inputs, imagenet_utils.preprocess_input(inputs, mode=mode))
    np.testing.assert_allclose(model(image), expected, atol=2e-5)


def test_a_layer_of_preprocessing_is_saved_under_the_name_that_people_know(tmp_path: Path) -> None:
    image = cases.whole_picture()[None].astype("float32")
    for family in (vgg16, mobilenet):
        change = family.preprocess_input
        assert pickle.loads(pickle.dumps(change)) is change
        model = nacre.Sequential([nacre.Input((2, 2, 3)), nacre.layers.Lambda(change)])
        model.save(tmp_path / "m.keras")
        again = nacre.models.load_model(
            tmp_path / "m.keras", custom_objects={"preprocess_input": change}
        )
        np.testing.assert_allclose(again(image), change(image), atol=2e-5)


def test_other_modes_and_other_channels_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="caffe"):
        imagenet_utils.preprocess_input(np.ones((2, 2, 3)), mode="cafe")
    with pytest.raises(ShapeError, match="three channels"):
        vgg16.preprocess_input(np.ones((1, 2, 2, 1)))


@pytest.fixture
def class_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of names in Keras's cache folder."""
    names = {str(i): [f"n{i:08d}", f"class_{i}"] for i in range(1000)}
    path = tmp_path / "models" / "imagenet_class_index.json"
    path.parent.mkdir()
    path.write_text(json.dumps(names))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(imagenet_utils, "_CLASS_INDEX_MD5", None)


@pytest.mark.usefixtures("class_names")
def test_predictions_are_named_the_likeliest_first() -> None:
    scores = np.zeros((2, 1000), "float32")
    scores[0, 7], scores[0, 3] = 0.6, 0.3
    scores[1, 999] = 1
    found = resnet50.decode_predictions(scores, top=2)
    assert found[0] == [
        ("n00000007", "class_7", np.float32(0.6)),
        ("n00000003", "class_3", np.float32(0.3)),
    ]
    assert found[1][0][1] == "class_999" and len(found[1]) == 2
    logits = nacre.ops.convert_to_tensor(scores * 10 - 5)
    assert imagenet_utils.decode_predictions(logits)[0][0][1] == "class_7"


@pytest.mark.parametrize("top", [0, -1, 2.5, "5", None])
def test_a_number_of_classes_that_is_none_is_refused(top: object) -> None:
    with pytest.raises(ArgumentError, match="decode_predictions: top must be a positive int"):
        imagenet_utils.decode_predictions(np.zeros((1, 1000)), top=top)


def test_predictions_that_are_no_thousand_numbers_are_refused() -> None:
    with pytest.raises(ShapeError, match="1000"):
        imagenet_utils.decode_predictions(np.zeros((1, 10)))
    with pytest.raises(ShapeError, match="1000"):
        imagenet_utils.decode_predictions(np.zeros(1000))
    with pytest.raises(DataError, match="NaN"):
        imagenet_utils.decode_predictions(np.full((1, 1000), np.nan))
