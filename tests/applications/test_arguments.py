"""Arguments of ready-made networks: what is refused, and what a model begins with."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre.applications import (
    VGG16,
    MobileNet,
    MobileNetV2,
    MobileNetV3Large,
    MobileNetV3Small,
    NASNetMobile,
    RegNetX002,
    ResNet50,
)
from nacre.core.errors import ArgumentError, ShapeError, UnknownNameError


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"weights": "imagenets"}, ArgumentError, "Did you mean 'imagenet'"),
        ({"weights": "/nowhere/w.h5"}, ArgumentError, "path of a file that exists"),
        ({"classes": 10}, ArgumentError, "classes must be 1000 for weights='imagenet'"),
        ({"classes": 0, "weights": None}, ArgumentError, "classes must be a positive int"),
        ({"classes": "10", "weights": None}, ArgumentError, "Pass classes=10, without quotes"),
        ({"classes": 2.5, "weights": None}, ArgumentError, "classes must be a positive int"),
        ({"input_shape": ("64", 64, 3), "weights": None}, ShapeError, "positive ints or None"),
        ({"input_shape": (64.5, 64, 3), "weights": None}, ShapeError, "positive ints or None"),
        ({"input_shape": (64, 64, -3), "weights": None}, ShapeError, "positive ints or None"),
        ({"weights": "imagenet-i160"}, ArgumentError, "None, 'imagenet' or the path"),
        ({"input_shape": 64, "weights": None}, ArgumentError, "a tuple of three sizes"),
        ({"pooling": "average", "weights": None}, UnknownNameError, "pooling"),
        ({"classifier_activation": "relu"}, ArgumentError, "'softmax' or None"),
        ({"input_shape": (96, 96, 3)}, ShapeError, "(224, 224, 3) for weights='imagenet'"),
        ({"input_shape": (64, 64, 1), "include_top": False}, ShapeError, "3 channels"),
        ({"input_shape": (3, 64, 64), "include_top": False}, ShapeError, "channels_last"),
        ({"input_shape": (31, 64, 3), "weights": None}, ShapeError, "at least 32"),
        ({"input_shape": (64, 64), "weights": None}, ShapeError, "three sizes"),
        ({"input_shape": (None, 64, 3), "weights": None}, ShapeError, "include_top=False"),
        ({"input_tensor": np.ones((1, 64, 64, 3)), "weights": None}, ArgumentError, "symbolic"),
    ],
)
def test_what_breaks_a_rule_is_refused(arguments, error, text) -> None:
    with pytest.raises(error) as caught:
        ResNet50(**arguments)
    assert text in str(caught.value) and str(caught.value).startswith("ResNet50: ")


@pytest.mark.parametrize("classes", [5.0, np.int64(5), np.float32(5), np.array(5)])
@pytest.mark.parametrize("size", [32.0, np.int32(32)])
def test_whole_numbers_of_any_type_are_ints_in_the_network(classes, size) -> None:
    model = MobileNet((size, 32, 3), alpha=0.25, weights=None, classes=classes)
    assert (model.name, model.output_shape) == ("mobilenet_0.25_32", (None, 5))
    assert (
        model.count_params() == MobileNet((32, 32, 3), 0.25, weights=None, classes=5).count_params()
    )
    nacre.models.model_from_json(model.to_json())


def test_a_tensor_of_another_shape_than_input_shape_is_refused() -> None:
    image = nacre.Input((64, 64, 3))
    with pytest.raises(ShapeError, match="input_shape"):
        MobileNet((32, 32, 3), weights=None, input_tensor=image)


@pytest.mark.parametrize("network", [MobileNet, MobileNetV2, MobileNetV3Large])
def test_factors_that_were_never_trained_have_no_weights(network) -> None:
    with pytest.raises(ArgumentError, match="alpha must be"):
        network(alpha=0.3)


@pytest.mark.parametrize("network", [MobileNet, MobileNetV2, MobileNetV3Large])
@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), "0.5", True])
def test_factors_are_positive_numbers(network, alpha) -> None:
    with pytest.raises(ArgumentError, match="alpha must be a positive number"):
        network(alpha=alpha, weights=None)


def test_a_rate_below_zero_is_refused() -> None:
    with pytest.raises(ArgumentError, match="rate must be a number from 0 to 1"):
        MobileNetV3Large((32, 32, 3), weights=None, dropout_rate=-0.5)


def test_a_minimalistic_network_has_weights_for_one_factor() -> None:
    with pytest.raises(ArgumentError, match="alpha must be 1 for .* of a minimalistic network"):
        MobileNetV3Large(alpha=0.75, minimalistic=True)


def test_the_top_of_mobilenet_v3_takes_pictures_of_any_size() -> None:
    # Of both sizes and kinds the top is the same code: the one that takes least to compile.
    model = MobileNetV3Small(alpha=0.25, minimalistic=True, weights=None, classes=3)
    assert model.input_shape == (None, None, None, 3)
    for size in (40, 33):
        assert model(np.ones((1, size, size, 3), "float32")).shape == (1, 3)


def test_a_network_on_a_layer_of_another_graph_goes_back_to_its_input() -> None:
    image = nacre.Input((32, 32, 3))
    scaled = nacre.layers.Rescaling(1 / 255)(image)
    model = MobileNet(alpha=0.25, weights=None, include_top=False, input_tensor=scaled)
    assert model.inputs[0] is image
    assert model.layers[1].name.startswith("rescaling")
    assert model(np.ones((1, 32, 32, 3), "float32")).shape == (1, 1, 1, 256)


def test_classes_mean_nothing_without_the_top() -> None:
    model = MobileNet(alpha=0.25, weights=None, include_top=False, classes=3, pooling="avg")
    assert model.output_shape == (None, 256)
    model = MobileNet(alpha=0.25, weights=None, include_top=False, classes=None, pooling="avg")
    assert model.output_shape == (None, 256)
    with pytest.raises(ArgumentError, match="classes must be a positive int"):
        MobileNet(alpha=0.25, weights=None, classes=None)


@pytest.mark.parametrize(
    ("network", "arguments", "name"),
    [
        (MobileNet, {"include_top": False}, "mobilenet_1.00_None"),
        (MobileNet, {"alpha": 0.25}, "mobilenet_0.25_224"),
        (MobileNet, {"input_shape": (96, 128, 3), "include_top": False}, "mobilenet_1.00_96"),
        (MobileNetV2, {"include_top": False}, "mobilenetv2_1.00_None"),
        (MobileNetV2, {"alpha": 0.5, "input_shape": (96, 96, 3)}, "mobilenetv2_0.50_96"),
    ],
)
def test_small_networks_are_named_after_factor_and_size(network, arguments, name) -> None:
    assert network(weights=None, **arguments).name == name


def test_the_top_of_vgg_takes_pictures_of_one_size() -> None:
    assert VGG16(weights=None, include_top=False).input_shape == (None, None, None, 3)


@pytest.mark.parametrize("size", [(None, None, 3), (64, None, 3)])
def test_nasnet_refuses_pictures_of_unknown_size(size) -> None:
    for arguments in ({"input_shape": size}, {"input_tensor": nacre.Input(size)}):
        with pytest.raises(ShapeError, match="known size"):
            NASNetMobile(weights=None, include_top=False, **arguments)


def test_regnet_ends_with_the_activation_that_the_argument_says() -> None:
    for activation in ("softmax", None):
        model = RegNetX002("r", weights=None, classifier_activation=activation)
        found = nacre.activations.serialize(model.layers[-1].activation)
        assert found == (activation or "linear")
        assert model.layers[1].name == "r_prestem_rescaling"
