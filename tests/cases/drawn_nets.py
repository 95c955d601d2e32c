"""Nets drawn at random, one for each seed: branches, merges, shared layers, images, sequences with
masks, tokens, several inputs and outputs; for exporters, which know none of them beforehand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

_ACTIVATIONS = (
    "relu",
    "tanh",
    "sigmoid",
    "gelu",
    "silu",
    "elu",
    "softplus",
    "leaky_relu",
    "linear",
)


def drawn_net(library: Any, seed: int) -> tuple[Any, Any]:
    """The model of a seed, with no weight where it began, and inputs for a batch of three."""
    library.utils.set_random_seed(seed)
    draw = random.Random(seed)
    net = _Net(library, draw)
    for _ in range(draw.choice((1, 1, 2))):
        net.begin()
    for _ in range(draw.randint(3, 7)):
        net.step()
    model = library.Model(net.inputs, net.ends(), name=f"drawn_{seed}")
    numbers = np.random.default_rng(seed)
    for weight in model.weights:
        if not weight.is_seed:
            values = weight.numpy()
            moved = values + numbers.uniform(0.02, 0.2, values.shape)  # variances stay positive
            weight.assign(moved.astype(values.dtype))
    arrays = [
        numbers.integers(0, 6, (3, *(n or 5 for n in x.shape[1:]))).astype("int32")
        if "int" in x.dtype
        else numbers.normal(size=(3, *(n or 5 for n in x.shape[1:]))).astype("float32")
        for x in net.inputs
    ]
    return model, arrays if len(arrays) > 1 else arrays[0]


class _Net:
    """A net in the making: tensors that something may still be made of."""

    def __init__(self, library: Any, draw: random.Random) -> None:
        self.k, self.layers, self.draw = library, library.layers, draw
        self.inputs: list[Any] = []
        self.tensors: list[Any] = []
        self.shared: dict[int, Any] = {}

    def begin(self) -> None:
        """An input: a vector, a picture, a sequence or tokens."""
        kind = self.draw.choice(("vector", "picture", "picture", "sequence", "sequence", "tokens"))
        steps = self.draw.choice((6, None))
        if kind == "tokens":
            x = self.k.Input((steps,), dtype="int32", name=f"input_{len(self.inputs)}")
            y = self.layers.Embedding(7, 4, mask_zero=self.draw.random() < 0.5)(x)
        else:
            shapes = {"vector": (5,), "picture": (8, 9, 4), "sequence": (steps, 4)}
            x = y = self.k.Input(shapes[kind], name=f"input_{len(self.inputs)}")
        self.inputs.append(x)
        self.tensors.append(y)

    def step(self) -> None:
        """A layer on one tensor, which may be used once more, or two of one shape as one."""
        x = self.draw.choice(self.tensors[-3:])
        twins = [y for y in self.tensors if y is not x and y.shape == x.shape]
        if twins and self.draw.random() < 0.5:
            merge = self.draw.choice(("Add", "Multiply", "Concatenate", "Maximum", "Subtract"))
            self.tensors.append(getattr(self.layers, merge)()([x, self.draw.choice(twins)]))
            return
        choices = {2: self._of_vectors, 3: self._of_sequences, 4: self._of_pictures}
        layer = self.draw.choice(choices[len(x.shape)](x) + self._of_all(x))
        self.tensors.append(layer(x))

    def ends(self) -> list[Any]:
        """One to three outputs; those that nothing was made of are among them."""
        few = self.tensors[-self.draw.randint(1, 3) :]
        return [self.layers.Activation("linear", name=f"end_{i}")(x) for i, x in enumerate(few)]

    def _of_all(self, x: Any) -> list[Callable[[Any], Any]]:
        layers, draw, size = self.layers, self.draw, x.shape[-1]
        shared = self.shared.setdefault(size, layers.Dense(size, activation="tanh"))
        return [
            shared,
            layers.Dense(draw.choice((3, 4)), activation=draw.choice(_ACTIVATIONS)),
            layers.LayerNormalization(),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            lambda y: self.k.ops.softmax(y * 0.5, axis=-1),
            lambda y: self.k.ops.where(y > 0, y, 0.1 * y),
            lambda y: y - self.k.ops.mean(y, axis=-1, keepdims=True),
            lambda y: self.k.ops.cast(self.k.ops.argmax(y, axis=-1, keepdims=True), "float32") + y,
        ]

    def _of_vectors(self, x: Any) -> list[Callable[[Any], Any]]:
        layers = self.layers
        return [
            layers.RepeatVector(3),
            layers.Reshape((x.shape[1], 1)),
            lambda y: layers.Concatenate()([y, self.k.ops.exp(-self.k.ops.abs(y))]),
        ]

    def _of_sequences(self, x: Any) -> list[Callable[[Any], Any]]:
        layers, draw = self.layers, self.draw
        whole = {"return_sequences": draw.random() < 0.6}
        found: list[Callable[[Any], Any]] = [
            layers.LSTM(3, go_backwards=draw.random() < 0.3, **whole),
            layers.GRU(3, reset_after=draw.random() < 0.5, **whole),
            layers.SimpleRNN(3, **whole),
            layers.Bidirectional(layers.LSTM(2, **whole)),
            layers.Conv1D(3, 3, padding="causal", dilation_rate=draw.choice((1, 2))),
            layers.Conv1D(4, 2, strides=draw.choice((1, 2)), padding="same"),
            layers.GlobalAveragePooling1D(),
            layers.GlobalMaxPooling1D(),
            lambda y: layers.MultiHeadAttention(2, 3)(y, y, use_causal_mask=draw.random() < 0.5),
        ]
        if x.shape[1] is not None and x.shape[1] > 2:
            found += [layers.Permute((2, 1)), layers.Cropping1D((1, 1)), layers.Flatten()]
            found += [layers.ZeroPadding1D((1, 2)), layers.UpSampling1D(2)]
        return found

    def _of_pictures(self, x: Any) -> list[Callable[[Any], Any]]:
        layers, draw, size = self.layers, self.draw, x.shape[-1]
        groups = 2 if size % 2 == 0 and draw.random() < 0.5 else 1
        found: list[Callable[[Any], Any]] = [
            layers.Conv2D(4, 3, padding="same", groups=groups, strides=draw.choice((1, 2))),
            layers.Conv2D(4, (2, 3), padding="same", dilation_rate=2, activation="relu"),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=draw.choice((1, 2))),
            layers.SeparableConv2D(3, 2, padding="same"),
            layers.Conv2DTranspose(3, 3, strides=2, padding=draw.choice(("same", "valid"))),
            layers.MaxPooling2D(2, padding="same"),
            layers.AveragePooling2D(2, strides=1, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.UpSampling2D(2),
            layers.ZeroPadding2D(((0, 1), (2, 0))),
            layers.Permute((2, 1, 3)),
            layers.Reshape((x.shape[1] * x.shape[2], size)),
            layers.Flatten(),
        ]
        if size % 2 == 0:
            found.append(layers.GroupNormalization(2))
        return found
