"""Small models of every form, as the tests draw them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nacre
from nacre import layers, ops


def chain() -> Any:
    return nacre.Sequential(
        [
            nacre.Input((8,)),
            layers.Dense(4, activation="relu", name="hidden"),
            layers.Dropout(0.2, name="drop"),
            layers.Dense(2, activation="softmax", name="scores"),
        ],
        name="chain",
    )


def residual() -> Any:
    inputs = nacre.Input((4,), name="image")
    x = layers.Dense(4, name="stem")(inputs)
    for block in range(3):
        y = layers.Dense(4, activation="relu", name=f"b{block}_first")(x)
        y = layers.Dense(4, name=f"b{block}_second")(y)
        x = layers.Add(name=f"b{block}_add")([x, y])
    return nacre.Model(inputs, x, name="residual")


def two_by_two() -> Any:
    text, numbers = nacre.Input((5,), name="text"), nacre.Input((3,), name="numbers")
    joined = layers.Concatenate(name="joined")(
        [layers.Dense(4, name="read")(text), layers.Dense(4, name="count")(numbers)]
    )
    outputs = {
        "priority": layers.Dense(1, name="priority")(joined),
        "department": layers.Dense(4, name="department")(joined),
    }
    return nacre.Model({"text": text, "numbers": numbers}, outputs, name="two_by_two")


def siamese() -> Any:
    """A nested Sequential that is called twice, in a nested functional model of two inputs."""
    encoder = nacre.Sequential(
        [nacre.Input((6,)), layers.Dense(5, name="wide"), layers.Dense(3, name="code")],
        name="encoder",
    )
    one, other = nacre.Input((3,), name="one"), nacre.Input((3,), name="other")
    distance = ops.abs(one - other)
    head = nacre.Model(
        {"one": one, "other": other},
        [layers.Dense(1, name="same")(distance), distance],
        name="head",
    )
    left, right = nacre.Input((6,), name="left"), nacre.Input((6,), name="right")
    same, kept = head({"other": encoder(right), "one": encoder(left)})
    return nacre.Model([left, right], [same, layers.Dense(2, name="extra")(kept)], name="siamese")


def deeply_nested() -> Any:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3, name="inmost")], name="level0")
    for level in range(1, 4):
        inputs = nacre.Input((3,), name=f"in{level}")
        inner = model(inputs)
        outputs = layers.Add(name=f"add{level}")([inner, inputs])
        model = nacre.Model(inputs, outputs, name=f"level{level}")
    return model


def translator() -> Any:
    source, target = nacre.Input((4, 3), name="source"), nacre.Input((5, 3), name="target")
    _, *states = layers.LSTM(2, return_state=True, name="encoder")(source)
    read = layers.LSTM(2, return_sequences=True, name="decoder")(target, initial_state=states)
    return nacre.Model([source, target], read, name="translator")


def again() -> Any:
    """A layer that is called on what became of its own output, and on its own output."""
    shared = layers.Dense(4, name="shared")
    inputs = nacre.Input((4,), name="x")
    x = layers.ReLU(name="between")(shared(inputs))
    x = shared(shared(x))
    return nacre.Model(inputs, [ops.softmax(x * 2), x], name="again")


def wide() -> Any:
    inputs = nacre.Input((4,), name="x")
    branches = [layers.Dense(4, name=f"branch{i}")(inputs) for i in range(9)]
    deeper = [layers.ReLU(name=f"relu{i}")(b) if i % 2 else b for i, b in enumerate(branches)]
    return nacre.Model(inputs, [layers.Concatenate(name="all")(deeper), branches[4]], name="wide")


def ladder() -> Any:
    """Skips over many layers, one within the other."""
    inputs = nacre.Input((4,), name="x")
    x, skips = inputs, []
    for level in range(4):
        x = layers.Dense(4, name=f"down{level}")(x)
        skips.append(x)
        x = layers.ReLU(name=f"pool{level}")(x)
    for level, skip in reversed(list(enumerate(skips))):
        x = layers.Concatenate(name=f"cat{level}")([skip, x])
        x = layers.Dense(4, name=f"up{level}")(x)
    return nacre.Model(inputs, x, name="ladder")


def deep(count: int = 200) -> Any:
    inputs = nacre.Input((4,), name="x")
    x = inputs
    for number in range(count // 2):
        y = layers.ReLU(name=f"block_{number}_relu")(x)
        x = layers.Add(name=f"block_{number}_add")([x, y])
    return nacre.Model(inputs, x, name="deep")


ALL: tuple[Callable[[], Any], ...] = (
    chain, residual, two_by_two, siamese, deeply_nested, translator, again, wide, ladder,
)  # fmt: skip
