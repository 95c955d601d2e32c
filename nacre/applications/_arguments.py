"""The arguments that every network takes, how a network begins and how it ends.

The rules are Keras 3.15's. Differs: what Keras passes over in silence is an error, such as an
unknown word for `pooling`, or an `input_shape` that is not the one of `input_tensor`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nacre.applications._weights import WeightFile, fetch
from nacre.core import config
from nacre.core.errors import ArgumentError, ShapeError, message, unknown_name
from nacre.core.numbers import as_whole, whole_number
from nacre.core.symbolic import KerasTensor, get_source_inputs, is_symbolic
from nacre.layers import Dense, Dropout, GlobalAveragePooling2D, GlobalMaxPooling2D, Input
from nacre.models import Functional

IMAGENET_CLASSES = 1000
_COLORS = 3

InputShape = Sequence[int | None] | None
Pooling = Literal["avg", "max"] | None
Weights = str | os.PathLike[str] | None


@dataclass(frozen=True)
class Arguments:
    """What one call of a network's function was given, checked when it is made.

    Args:
        who: The function, for messages.
        include_top: Whether the classifier stands at the end.
        weights: None for first values, 'imagenet', or the path of a file.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture.
        pooling: Without the top: 'avg' or 'max' over all places, or None.
        classes: Outputs of the classifier; of no meaning without the top.
        classifier_activation: Activation of the classifier.
        name: Name of the model.
        published: Words for `weights` that name files of ImageNet.

    Raises:
        ArgumentError: One of them breaks its rule.
        UnknownNameError: `weights` or `pooling` is neither of what it may be.
    """

    who: str
    include_top: bool
    weights: Weights
    input_tensor: KerasTensor | None
    input_shape: InputShape
    pooling: Pooling
    classes: int
    classifier_activation: Any
    name: str | None
    published: tuple[str, ...] = ("imagenet",)

    def __post_init__(self) -> None:
        if self.pooling not in (None, "avg", "max"):
            raise unknown_name(self.who, "pooling", self.pooling, ("avg", "max"))
        if self.include_top or self.classes is not None:  # None is often given without the top
            classes = whole_number(self.who, "classes", self.classes)
            object.__setattr__(self, "classes", classes)  # frozen: 10.0 is 10 from here on
        object.__setattr__(self, "input_shape", self._sizes())
        if self.weights is None:
            return
        if not self.is_imagenet and not os.path.exists(self.weights):
            words = ", ".join(map(repr, self.published))
            rule = f"weights must be None, {words} or the path of a file that exists"
            text = os.fspath(self.weights)
            close = text.lower().startswith("image") and os.sep not in text
            near = difflib.get_close_matches(text, self.published, 1, cutoff=0)
            raise self.error(rule, repr(text), f"Did you mean {near[0]!r}?" if close else "")
        if self.is_imagenet and self.include_top and self.classes != IMAGENET_CLASSES:
            raise self.error(
                f"classes must be {IMAGENET_CLASSES} for weights={self.weights!r} with the top",
                repr(self.classes),
                "For a classifier of your own pass include_top=False and put layers on the model.",
            )
        if self.include_top and self.classifier_activation not in (None, "softmax"):
            raise self.error(
                "classifier_activation must be 'softmax' or None where weights are loaded",
                repr(self.classifier_activation),
            )

    @property
    def is_imagenet(self) -> bool:
        return isinstance(self.weights, str) and self.weights in self.published

    def _sizes(self) -> InputShape:
        """`input_shape` with ints as sizes; None where none is given."""
        given = self.input_shape
        if given is None:
            return None
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise self.error("input_shape must be a tuple of three sizes", repr(given))
        sizes = tuple(None if size is None else as_whole(size) for size in given)
        for size, found in zip(given, sizes, strict=True):
            if size is not None and (found is None or found < 1):
                rule = "sizes in input_shape must be positive ints or None"
                raise ShapeError(message(self.who, rule, str(tuple(given))))
        if len(sizes) != 3:
            rule = "input_shape must have three sizes, without the batch axis"
            raise ShapeError(message(self.who, rule, str(sizes)))
        return sizes

    def error(self, rule: str, got: str, fix: str = "") -> ArgumentError:
        return ArgumentError(message(self.who, rule, got, fix))


def channels_axis(last: int = 3) -> int:
    """The axis of channels of a batch of pictures, in the data format of now.

    Args:
        last: How a network's configs in Keras call the last axis: 3 or -1.
    """
    return 1 if config.image_data_format() == "channels_first" else last


def _shape(height: int | None, width: int | None, channels: int) -> tuple[int | None, ...]:
    if channels_axis() == 1:
        return (channels, height, width)
    return (height, width, channels)


def begin(
    arguments: Arguments,
    default_size: int,
    min_size: int,
    *,
    any_size: bool = False,
    known_size: bool = False,
) -> KerasTensor:
    """The symbolic pictures that a network begins with.

    Args:
        arguments: Those of the call.
        default_size: Height and width where none are given and the top is there.
        min_size: The least height and width that leave something at the end.
        any_size: Whether the top takes pictures of any size too.
        known_size: Whether the network is made for one size, without the top too.

    Raises:
        ShapeError: `input_shape` breaks a rule.
    """
    if known_size and arguments.input_shape is None and arguments.input_tensor is None:
        return Input(shape=_shape(default_size, default_size, _COLORS))
    if arguments.input_tensor is not None:
        image = _given(arguments, arguments.input_tensor)
    else:
        image = Input(shape=_picture_shape(arguments, default_size, min_size, any_size))
    if known_size and None in image.shape[1:]:
        rule = "pictures must have a known size: what a layer pads depends on it"
        raise ShapeError(message(arguments.who, rule, f"shape {tuple(image.shape)}"))
    return image


def _given(arguments: Arguments, tensor: Any) -> KerasTensor:
    if not is_symbolic(tensor):
        raise arguments.error(
            "input_tensor must be a symbolic tensor",
            f"an object of type {type(tensor).__name__}",
            "Pass nacre.Input(shape=(224, 224, 3)), or the output of a layer on one.",
        )
    shape, wanted = tuple(tensor.shape[1:]), arguments.input_shape
    if len(shape) != 3 or (wanted is not None and shape != tuple(wanted)):
        rule = "input_tensor must be a batch of pictures"
        rule += f" of input_shape={tuple(wanted)}" if wanted is not None else ""
        raise ShapeError(message(arguments.who, rule, f"shape {tuple(tensor.shape)}"))
    return tensor


def _picture_shape(
    arguments: Arguments, default_size: int, min_size: int, any_size: bool
) -> tuple[Any, ...]:
    one_size = arguments.include_top and not any_size
    default = _shape(default_size, default_size, _COLORS)
    if arguments.input_shape is None:
        return default if one_size else _shape(None, None, _COLORS)
    shape = tuple(arguments.input_shape)

    def refuse(rule: str, fix: str = "") -> ShapeError:
        return ShapeError(message(arguments.who, rule, str(shape), fix))

    channels = shape[channels_axis() - 1]
    sizes = shape[1:] if channels_axis() == 1 else shape[:2]
    if arguments.weights == "imagenet" and one_size and shape != default:
        fix = "For pictures of another size pass include_top=False."
        raise refuse(f"input_shape must be {default} for weights='imagenet' with the top", fix)
    if arguments.is_imagenet and channels != _COLORS:
        fix = f"This is {config.image_data_format()}, as nacre.config.image_data_format() says."
        raise refuse("input_shape must have 3 channels for weights='imagenet'", fix)
    if any(size is not None and size < min_size for size in sizes):
        raise refuse(f"pictures must be at least {min_size} high and wide")
    if one_size and None in shape:
        fix = "Pass include_top=False for pictures of any size."
        raise refuse("input_shape must be known in full for the top", fix)
    return shape


def pooled(x: KerasTensor, pooling: Pooling, *, named: bool) -> KerasTensor:
    """The end without the top.

    Args:
        x: The features, (batch, height, width, channels).
        pooling: 'avg', 'max' or None.
        named: Whether the layer is called `avg_pool` or `max_pool`; some networks leave it to the
            automatic names.
    """
    if pooling is None:
        return x
    kind = GlobalAveragePooling2D if pooling == "avg" else GlobalMaxPooling2D
    return kind(name=f"{pooling}_pool" if named else None)(x)


def classified(
    x: KerasTensor, arguments: Arguments, *, named: bool, dropout: float | None = None
) -> KerasTensor:
    """The end of most networks: the classifier on the means over all places, or no top.

    Args:
        x: The features, (batch, height, width, channels).
        arguments: Those of the call.
        named: Whether the layer of `pooling` has a name without the top; see `pooled`.
        dropout: Rate before the classifier, where there is a dropout.
    """
    if not arguments.include_top:
        return pooled(x, arguments.pooling, named=named)
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    if dropout is not None:
        x = Dropout(dropout, name="top_dropout")(x)
    activation = arguments.classifier_activation
    return Dense(arguments.classes, activation=activation, name="predictions")(x)


def finish(
    arguments: Arguments, begun: KerasTensor, outputs: KerasTensor, file: WeightFile
) -> Functional:
    """The model, with the weights that were asked for.

    Args:
        arguments: Those of the call.
        begun: What `begin` gave; with `input_tensor` the model goes back to that one's own inputs.
        outputs: The end.
        file: What ImageNet taught this network.

    Raises:
        DownloadError: The file is not in the cache and could not be fetched.
        WeightsMismatchError: The file's weights are not this model's.
    """
    inputs = get_source_inputs(begun)
    model = Functional(inputs[0] if len(inputs) == 1 else inputs, outputs, name=arguments.name)
    if arguments.is_imagenet:
        model.load_weights(fetch(file))
    elif arguments.weights is not None:
        model.load_weights(arguments.weights)
    return model
