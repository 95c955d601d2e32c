"""What is compared of ready-made networks: members, small ones for numbers, and facts of a model.

Neither library is imported here: the script that runs real Keras and the tests use it alike.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

# Family -> its members with the height of their pictures.
FAMILIES: dict[str, dict[str, int]] = {
    "vgg": {"VGG16": 224, "VGG19": 224},
    "resnet": {"ResNet50": 224, "ResNet101": 224, "ResNet152": 224},
    "resnet_v2": {"ResNet50V2": 224, "ResNet101V2": 224, "ResNet152V2": 224},
    "mobilenet": {"MobileNet": 224},
    "mobilenet_v2": {"MobileNetV2": 224},
    "mobilenet_v3": {"MobileNetV3Small": 224, "MobileNetV3Large": 224},
    "densenet": {"DenseNet121": 224, "DenseNet169": 224, "DenseNet201": 224},
    "xception": {"Xception": 299},
    "inception_v3": {"InceptionV3": 299},
    "inception_resnet_v2": {"InceptionResNetV2": 299},
    "nasnet": {"NASNetMobile": 224, "NASNetLarge": 331},
    "efficientnet": {
        "EfficientNetB0": 224,
        "EfficientNetB1": 240,
        "EfficientNetB2": 260,
        "EfficientNetB3": 300,
        "EfficientNetB4": 380,
        "EfficientNetB5": 456,
        "EfficientNetB6": 528,
        "EfficientNetB7": 600,
    },
    "efficientnet_v2": {
        "EfficientNetV2B0": 224,
        "EfficientNetV2B1": 240,
        "EfficientNetV2B2": 260,
        "EfficientNetV2B3": 300,
        "EfficientNetV2S": 384,
        "EfficientNetV2M": 480,
        "EfficientNetV2L": 480,
    },
    "convnext": {
        "ConvNeXtTiny": 224,
        "ConvNeXtSmall": 224,
        "ConvNeXtBase": 224,
        "ConvNeXtLarge": 224,
        "ConvNeXtXLarge": 224,
    },
}
# Those that tf.keras 2.15 has, and Keras 3 has not.
_SIZES = "002 004 006 008 016 032 040 064 080 120 160 320".split()
OLD_FAMILIES: dict[str, dict[str, int]] = {
    "regnet": {f"RegNet{kind}{size}": 224 for kind in "XY" for size in _SIZES},
    "resnet_rs": {f"ResNetRS{depth}": 224 for depth in (50, 101, 152, 200, 270, 350, 420)},
}
FAMILIES |= OLD_FAMILIES
MEMBERS = {name: size for members in FAMILIES.values() for name, size in members.items()}

# One small network of each family, for numbers: its member and the arguments. Where it would scale
# colors by itself, tiny ones would leave too little for numbers to differ by.
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "vgg": ("VGG16", {"input_shape": (32, 32, 3)}),
    "resnet": ("ResNet50", {"input_shape": (32, 32, 3)}),
    "resnet_v2": ("ResNet50V2", {"input_shape": (32, 32, 3)}),
    "mobilenet": ("MobileNet", {"input_shape": (32, 32, 3), "alpha": 0.25}),
    "mobilenet_v2": ("MobileNetV2", {"input_shape": (36, 36, 3), "alpha": 0.35}),
    "mobilenet_v3": ("MobileNetV3Small", {"input_shape": (37, 36, 3), "alpha": 0.75}),
    "densenet": ("DenseNet121", {"input_shape": (32, 32, 3)}),
    "xception": ("Xception", {"input_shape": (71, 71, 3)}),
    "inception_v3": ("InceptionV3", {"input_shape": (75, 75, 3)}),
    "inception_resnet_v2": ("InceptionResNetV2", {"input_shape": (75, 75, 3)}),
    "nasnet": ("NASNetMobile", {"input_shape": (33, 36, 3)}),
    "efficientnet": ("EfficientNetB0", {"input_shape": (37, 36, 3)}),
    "efficientnet_v2": ("EfficientNetV2B0", {"input_shape": (37, 36, 3)}),
    "convnext": ("ConvNeXtTiny", {"input_shape": (37, 36, 3)}),
    "regnet": ("RegNetY002", {"input_shape": (37, 36, 3), "include_preprocessing": False}),
    "resnet_rs": ("ResNetRS50", {"input_shape": (37, 36, 3), "include_preprocessing": False}),
}

# Arguments that change the layers: family -> what it is called, its member, height and arguments.
VARIANTS: dict[str, dict[str, tuple[str, int, dict[str, Any]]]] = {
    "mobilenet_v3": {
        "minimalistic": ("MobileNetV3Large", 65, {"alpha": 1.25, "minimalistic": True}),
        "without dropout": ("MobileNetV3Small", 65, {"alpha": 0.5, "dropout_rate": 0}),
    },
}


# Factors and sizes that have files of their own: member -> arguments of each.
_MOBILE_SIZES = {"MobileNet": (128, 160, 192, 224), "MobileNetV2": (96, 128, 160, 192, 224)}
_FILES: dict[str, list[dict[str, Any]]] = {
    "MobileNet": [
        {"alpha": alpha, "input_shape": (size, size, 3)}
        for alpha in (0.25, 0.5, 0.75, 1.0)
        for size in _MOBILE_SIZES["MobileNet"]
    ],
    "MobileNetV2": [
        {"alpha": alpha, "input_shape": (size, size, 3)}
        for alpha in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
        for size in _MOBILE_SIZES["MobileNetV2"]
    ],
    "MobileNetV3Small": [{}, {"alpha": 0.75}, {"minimalistic": True}],
    "MobileNetV3Large": [{}, {"alpha": 0.75}, {"minimalistic": True}],
}


def weight_files() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """For each file of Keras 3 a key, the member, and the arguments that ask for it.

    Left out are the families that have one table of digests alone, and take longest to build.
    """
    for family, members in FAMILIES.items():
        if family in ("efficientnet", "efficientnet_v2", "convnext", *OLD_FAMILIES):
            continue
        for name in members:
            for arguments in _FILES.get(name, [{}]):
                for include_top in (True, False):
                    key = f"{name} {json.dumps({'include_top': include_top, **arguments})}"
                    yield key, name, {"include_top": include_top, **arguments}


def small(arguments: dict[str, Any]) -> dict[str, Any]:
    """All arguments of a small network: seven classes, and logits, as probabilities say little."""
    return {"weights": None, "classes": 7, "classifier_activation": None, **arguments}


# Arguments of layers that decide what is computed, saved or trained.
_ARGUMENTS = (
    "activation axis center depth_multiplier dilation_rate epsilon filters groups kernel_size "
    "max_value momentum negative_slope padding pool_size rate scale strides target_shape threshold "
    "units use_bias"
).split()


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def layer_lines(model: Any) -> list[str]:
    """A line for each layer in the model's order: class, name, size of the output, arguments."""
    lines = []
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        config = layer.get_config()
        arguments = {k: _plain(config[k]) for k in _ARGUMENTS if config.get(k) is not None}
        if _kind(layer) == "BatchNormalization" and isinstance(arguments["axis"], list):
            (arguments["axis"],) = arguments["axis"]  # tf.keras 2's
        sources = [_name(tensor._keras_history[0]) for tensor in _inputs(layer)]
        lines.append(
            f"{_kind(layer)} {_name(layer)} {list(layer.output.shape[1:])} "
            f"{json.dumps(arguments, sort_keys=True)} <- "
            f"{[s for s in sources if not s.startswith('input_')]}"
        )
    return lines


def _inputs(layer: Any) -> list[Any]:
    node = layer._inbound_nodes[0]  # `input` of a model within is its own, or not
    if hasattr(node, "keras_inputs"):  # tf.keras 2: those by keyword, too
        return list(node.keras_inputs)
    return list(node.inputs if hasattr(node, "inputs") else node.input_tensors)


def _name(layer: Any) -> str:
    """The layer's name; tf.keras 2 calls sums and products by their functions in TensorFlow."""
    return layer.name.removeprefix("tf.math.").removeprefix("tf.__operators__.")


def _kind(layer: Any) -> str:
    kind = type(layer).__name__
    return _name(layer).partition("_")[0].capitalize() if kind == "TFOpLambda" else kind


def path(variable: Any) -> str:
    """Names of layer and variable.

    tf.keras 2 has no paths, and numbers at the end of names; where it had said gamma, Keras 3
    counts.
    """
    named = getattr(variable, "path", None) or variable.name.partition(":")[0]
    return re.sub(r"/variable(_\d+)?$", "/gamma", named)


def variable_lines(model: Any) -> list[str]:
    """A line for each variable in the model's order: path, from its layer's name on, and shape.

    Scopes before it are left out: Keras 3 puts NASNet's variables in some, tf.keras 2 did not.
    """
    layers = {layer.name for layer in model.layers}
    lines = []
    for variable in model.weights:
        parts = path(variable).split("/")
        while parts[0] not in layers and len(parts) > 2:
            parts.pop(0)
        lines.append(f"{'/'.join(parts)} {list(variable.shape)}")
    return lines


def digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def facts(model: Any) -> dict[str, Any]:
    """What must be equal: the number of parameters, and digests of layers and variables."""
    return {
        "parameters": int(sum(np.prod(variable.shape) for variable in model.weights)),
        "layers": digest(layer_lines(model)),
        "variables": digest(variable_lines(model)),
    }


def member_arguments(name: str) -> dict[str, Any]:
    """What a member is built with: tf.keras 2.15 leaves out the activation of RegNet's classifier."""
    return {"classifier_activation": None} if name.startswith("RegNet") else {}


def fill(model: Any) -> None:
    """Give each variable values by a rule: its place is the seed, its sizes the scale."""
    values = []
    for index, variable in enumerate(model.weights):
        random = np.random.default_rng(index)
        shape, name = tuple(variable.shape), path(variable).rsplit("/", 1)[-1]
        if "variance" in name or "gamma" in name:
            value = random.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            value = random.uniform(-0.1, 0.1, shape)
        else:
            fan_in = np.prod(shape[:2] if "depthwise" in name else shape[:-1])
            # In float64: NumPy 1 would keep float32 here, and NumPy 2 would not.
            value = random.standard_normal(shape, np.float32).astype(float) * np.sqrt(2 / fan_in)
        values.append(value.astype(np.float32))
    model.set_weights(values)


def pictures(shape: tuple[int, ...]) -> np.ndarray:
    """Two pictures, after preprocessing."""
    return np.random.default_rng(99).uniform(-1, 1, (2, *shape)).astype(np.float32)


# Modules that have a `preprocess_input` of their own.
PREPROCESSED = (
    "vgg16 vgg19 resnet resnet50 resnet_v2 mobilenet mobilenet_v2 mobilenet_v3 densenet xception "
    "inception_v3 efficientnet convnext imagenet_utils "
    "inception_resnet_v2 nasnet"
).split()

# Of these, where the network scales its pictures itself, and they stay as they are before it.
SCALED_INSIDE = ("efficientnet", "efficientnet_v2", "mobilenet_v3", "convnext")


def whole_picture() -> np.ndarray:
    """A picture of whole numbers, (2, 2, 3)."""
    return np.array([[[0, 10, 255], [90, 30, 7]], [[128, 127, 1], [200, 0, 50]]], "uint8")


def slopes(gradients: list[Any]) -> list[list[float]]:
    """Of each gradient its length, and its product with random numbers."""
    found = []
    for index, gradient in enumerate(gradients):
        gradient = np.ravel(np.asarray(gradient, np.float64))
        random = np.random.default_rng(1000 + index).standard_normal(gradient.size)
        found.append([float(np.sqrt(gradient @ gradient)), float(gradient @ random)])
    return found
