"""Every form of what `compile` takes, and how one is looked at: names in order, and numbers.

Nothing here imports the library under test: the script that writes the reference numbers and the
test hand it to the same functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS = 6
X = (np.arange(ROWS * 3).reshape(ROWS, 3) % 7 / 7).astype("float32")
TARGETS = {
    "a": np.linspace(0, 1, ROWS, dtype="float32")[:, None],
    "b": (np.arange(ROWS * 2).reshape(ROWS, 2) % 5 / 5).astype("float32"),
    "c": (np.arange(ROWS)[:, None] % 2).astype("float32"),
}
WEIGHTS = {
    "a": np.linspace(0.5, 2, ROWS, dtype="float32"),
    "b": np.linspace(3, 1, ROWS, dtype="float32"),
    "c": np.array([1, 2, 1, 2, 1, 2], "float32"),
}
UNITS = {"a": 1, "b": 2, "c": 1}

# What a model returns: a name stands for the output of the layer of that name.
STRUCTURES: dict[str, Any] = {
    "one": "a",
    "list of one": ["a"],
    "dict of one": {"p": "a"},
    "pair": ["a", "b"],
    "tuple": ("a", "b"),
    "dict": {"p": "a", "q": "b"},
    "dict unsorted": {"q": "a", "p": "b"},
    "three": ["a", "b", "c"],
    "dict of lists": {"u": ["a", "b"], "v": "c"},
    "dict of lists only": {"u": ["a", "b"], "v": ["c"]},
    "list of dicts": [{"p": "a", "q": "b"}, {"r": "c"}],
    "list of dict and one": [{"p": "a", "q": "b"}, "c"],
    "list of lists": [["a", "b"], "c"],
    "dict of dicts": {"m": {"p": "a", "q": "b"}, "n": "c"},
}


def leaves_replaced(structure: Any, values: Mapping[str, Any]) -> Any:
    """The structure with the value of each name in its place."""
    if isinstance(structure, str):
        return values[structure]
    if isinstance(structure, dict):
        return {key: leaves_replaced(part, values) for key, part in structure.items()}
    return type(structure)(leaves_replaced(part, values) for part in structure)


def model_of(keras: Any, structure: str, own_class: bool = False) -> Any:
    """A model whose weights are known, with outputs in a structure."""

    def dense(name: str) -> Any:
        kernel = keras.initializers.Constant(0.1 * (1 + "abc".index(name)))
        return keras.layers.Dense(UNITS[name], kernel_initializer=kernel, name=name)

    wanted = STRUCTURES[structure]
    if not own_class:
        x = keras.Input((3,))
        return keras.Model(x, leaves_replaced(wanted, {name: dense(name)(x) for name in "abc"}))

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [dense(name) for name in "abc"]

        def call(self, x: Any) -> Any:
            return leaves_replaced(wanted, {part.name: part(x) for part in self.parts})

    return Own()


@dataclass(frozen=True)
class Form:
    """One form of the arguments of `compile`.

    Attributes:
        structure: That of the model's outputs; one of `STRUCTURES`.
        given: Takes the library, gives the arguments of `compile`.
        y: What is passed as targets, with names for arrays; the outputs' structure when None.
        weights: What is passed as sample weights, likewise; none when None.
        own_class: Whether the model is a class of its own, whose outputs have no names.
    """

    structure: str
    given: Callable[[Any], dict[str, Any]]
    y: Any = None
    weights: Any = None
    own_class: bool = False


def squared(keras: Any) -> Any:
    def squared_gap(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    return squared_gap


def gap(keras: Any) -> Any:
    def largest_gap(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)

    return largest_gap


def powered(keras: Any) -> Any:
    def power(y_true: Any, y_pred: Any, exponent: float = 2.0) -> Any:
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** exponent, axis=-1)

    return power


def nameless(keras: Any) -> Any:
    class Nameless:
        def __call__(self, y_true: Any, y_pred: Any) -> Any:
            return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    return Nameless()


def own_loss(keras: Any) -> Any:
    class Cubed(keras.losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)

    return Cubed


def own_metric(keras: Any) -> Any:
    class Gap(keras.metrics.Mean):
        def __init__(self, name: str | None = None) -> None:
            super().__init__(name=name)

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            gaps = keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)
            return super().update_state(gaps, sample_weight)

    return Gap


def _losses() -> dict[str, Form]:
    """Losses as names, objects, functions, configs, in each place."""
    mse = "mse"
    partial = functools.partial
    one: dict[str, Callable[[Any], Any]] = {
        "name": lambda k: mse,
        "long name": lambda k: "mean_squared_error",
        "class name": lambda k: "MeanSquaredError",
        "upper case": lambda k: "MSE",
        "object": lambda k: k.losses.Huber(0.3),
        "object with a name": lambda k: k.losses.MeanSquaredError(name="mine"),
        "function of the library": lambda k: k.losses.mean_absolute_error,
        "function": lambda k: squared(k),
        "lambda": lambda k: lambda y, p: k.ops.mean(k.ops.abs(y - p), axis=-1),
        "partial": lambda k: partial(powered(k), exponent=3.0),
        "callable object": lambda k: nameless(k),
        "class": lambda k: k.losses.MeanSquaredError,
        "own class": lambda k: own_loss(k),
        "own object": lambda k: own_loss(k)(),
        "config": lambda k: {"class_name": "Huber", "config": {"delta": 0.3}},
        "serialized": lambda k: k.losses.serialize(k.losses.Huber(0.3)),
        "metric function": lambda k: k.metrics.mean_absolute_error,
        "scalar function": lambda k: lambda y, p: k.ops.mean(k.ops.abs(y - p)),
        "list of one": lambda k: [mse],
        "tuple of one": lambda k: (mse,),
        "dict": lambda k: {"a": mse},
        "dict of a list": lambda k: {"a": [mse]},
        "list of a list": lambda k: [[mse]],
        "wrong key": lambda k: {"b": mse},
        "two in a list": lambda k: [mse, "mae"],
        "two keys": lambda k: {"a": mse, "b": mse},
        "empty list": lambda k: [],
        "empty dict": lambda k: {},
        "none": lambda k: None,
        "list of none": lambda k: [None],
        "key of none": lambda k: {"a": None},
    }
    forms = {
        f"loss one {name}": Form("one", lambda k, loss=loss: {"loss": loss(k)})
        for name, loss in one.items()
    }
    several: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "name": ("pair", lambda k: mse),
        "object": ("pair", lambda k: k.losses.Huber(0.3)),
        "function": ("pair", lambda k: squared(k)),
        "list": ("pair", lambda k: [mse, "mae"]),
        "tuple": ("pair", lambda k: (mse, "mae")),
        "list of functions": ("pair", lambda k: [squared(k), k.losses.mean_absolute_error]),
        "mixed": ("pair", lambda k: [k.losses.Huber(), gap(k)]),
        "list of lists": ("pair", lambda k: [[mse], ["mae"]]),
        "dict": ("pair", lambda k: {"a": mse, "b": "mae"}),
        "dict in other order": ("pair", lambda k: {"b": "mae", "a": mse}),
        "dict of a list and a function": ("pair", lambda k: {"a": [mse], "b": squared(k)}),
        "dict of lists": ("pair", lambda k: {"a": [mse], "b": ["mae"]}),
        "dict of one": ("pair", lambda k: {"a": mse}),
        "dict of the second": ("pair", lambda k: {"b": mse}),
        "dict with none": ("pair", lambda k: {"a": mse, "b": None}),
        "list with none": ("pair", lambda k: [mse, None]),
        "none first": ("pair", lambda k: [None, mse]),
        "list too short": ("pair", lambda k: [mse]),
        "list too long": ("pair", lambda k: [mse, mse, mse]),
        "unknown key": ("pair", lambda k: {"a": mse, "z": mse}),
        "tuple model, list": ("tuple", lambda k: [mse, "mae"]),
        "dict model, name": ("dict", lambda k: mse),
        "dict model, dict": ("dict", lambda k: {"p": mse, "q": "mae"}),
        "dict model, other order": ("dict", lambda k: {"q": "mae", "p": mse}),
        "dict model, one": ("dict", lambda k: {"p": mse}),
        "dict model, second": ("dict", lambda k: {"q": mse}),
        "dict model, none": ("dict", lambda k: {"p": mse, "q": None}),
        "dict model, lists": ("dict", lambda k: {"p": [mse], "q": ["mae"]}),
        "dict model, layer names": ("dict", lambda k: {"a": mse, "b": "mae"}),
        "dict model, list": ("dict", lambda k: [mse, "mae"]),
        "unsorted dict model, name": ("dict unsorted", lambda k: mse),
        "unsorted dict model, list": ("dict unsorted", lambda k: [mse, "mae"]),
        "unsorted dict model, dict": ("dict unsorted", lambda k: {"q": mse, "p": "mae"}),
        "dict of one model": ("dict of one", lambda k: {"p": mse}),
        "dict of one model, name": ("dict of one", lambda k: mse),
        "list of one model": ("list of one", lambda k: mse),
        "list of one model, list": ("list of one", lambda k: [mse]),
        "list of one model, dict": ("list of one", lambda k: {"a": mse}),
        "three, middle none": ("three", lambda k: [mse, None, "mae"]),
        "dict of lists, name": ("dict of lists", lambda k: mse),
        "dict of lists, nested": ("dict of lists", lambda k: {"u": [mse, "mae"], "v": squared(k)}),
        "dict of lists, nested list": (
            "dict of lists", lambda k: {"u": [mse, "mae"], "v": [squared(k)]},
        ),
        "dict of lists, one part": ("dict of lists", lambda k: {"u": [mse, "mae"]}),
        "dict of lists, none in it": ("dict of lists", lambda k: {"u": [mse, None], "v": mse}),
        "dict of lists, none": ("dict of lists", lambda k: {"u": [mse, "mae"], "v": None}),
        "dict of lists, one for a part": ("dict of lists", lambda k: {"u": mse, "v": "mae"}),
        "dict of lists, flat list": ("dict of lists", lambda k: [mse, "mae", mse]),
        "dict of lists, layer names": ("dict of lists", lambda k: {"a": mse, "b": mse, "c": mse}),
        "dict of lists only, nested": (
            "dict of lists only", lambda k: {"u": [mse, "mae"], "v": [squared(k)]},
        ),
        "dict of lists only, name": ("dict of lists only", lambda k: mse),
        "list of dicts, nested": (
            "list of dicts", lambda k: [{"p": mse, "q": "mae"}, {"r": squared(k)}],
        ),
        "list of dicts, name": ("list of dicts", lambda k: mse),
        "list of dicts, part": ("list of dicts", lambda k: [{"p": mse}, {"r": squared(k)}]),
        "list of dicts, none": ("list of dicts", lambda k: [{"p": mse, "q": "mae"}, None]),
        "list of dict and one, nested": (
            "list of dict and one", lambda k: [{"p": mse, "q": "mae"}, squared(k)],
        ),
        "list of lists, nested": ("list of lists", lambda k: [[mse, "mae"], squared(k)]),
        "list of lists, flat": ("list of lists", lambda k: [mse, "mae", squared(k)]),
        "list of lists, names": ("list of lists", lambda k: {"a": mse, "b": "mae", "c": mse}),
        "dict of dicts, nested": (
            "dict of dicts", lambda k: {"m": {"p": mse, "q": "mae"}, "n": squared(k)},
        ),
        "dict of dicts, part": ("dict of dicts", lambda k: {"m": {"q": "mae"}, "n": squared(k)}),
    }  # fmt: skip
    forms |= {
        f"loss {name}": Form(structure, lambda k, loss=loss: {"loss": loss(k)})
        for name, (structure, loss) in several.items()
    }
    own: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "one": ("one", lambda k: mse),
        "pair, name": ("pair", lambda k: mse),
        "pair, list": ("pair", lambda k: [mse, "mae"]),
        "tuple, tuple": ("tuple", lambda k: (mse, "mae")),
        "pair, none": ("pair", lambda k: [mse, None]),
        "dict": ("dict", lambda k: {"p": mse, "q": "mae"}),
        "dict, part": ("dict", lambda k: {"q": mse}),
        "dict, name": ("dict", lambda k: mse),
        "unsorted dict": ("dict unsorted", lambda k: {"q": mse, "p": "mae"}),
        "dict of lists": ("dict of lists", lambda k: {"u": [mse, "mae"], "v": squared(k)}),
        "dict of lists, name": ("dict of lists", lambda k: mse),
        "list of dicts": ("list of dicts", lambda k: [{"p": mse, "q": "mae"}, {"r": squared(k)}]),
        "dict of dicts": ("dict of dicts", lambda k: {"m": {"p": mse, "q": "mae"}, "n": mse}),
    }
    return forms | {
        f"own class, loss {name}": Form(s, lambda k, loss=loss: {"loss": loss(k)}, own_class=True)
        for name, (s, loss) in own.items()
    }


def _targets() -> dict[str, Form]:
    """Targets for some of the outputs, and in other structures."""

    def compiled(loss: Any, **more: Any) -> Callable[[Any], dict[str, Any]]:
        return lambda k: {"loss": loss, **more}

    mse = "mse"
    return {
        "y only for a, dict loss": Form("pair", compiled({"a": mse}), {"a": "a"}),
        "y alone, dict loss": Form("pair", compiled({"a": mse}), "a"),
        "y list of one, dict loss": Form("pair", compiled({"a": mse}), ["a"]),
        "y list with none, list loss": Form("pair", compiled([mse, None]), ["a", None]),
        "y list of one, list loss": Form("pair", compiled([mse, None]), ["a"]),
        "y alone, list loss": Form("pair", compiled([mse, None]), "a"),
        "y alone, none first": Form("pair", compiled([None, mse]), "b"),
        "y dict, list loss": Form("pair", compiled([mse, None]), {"a": "a"}),
        "y for all, dict loss of one": Form("pair", compiled({"a": mse}), {"a": "a", "b": "b"}),
        "y dict, name": Form("pair", compiled(mse), {"a": "a", "b": "b"}),
        "y dict, name, one only": Form("pair", compiled(mse), {"a": "a"}),
        "y list for dict model": Form("dict", compiled(mse), ["a", "b"]),
        "y for p of a dict model": Form("dict", compiled({"p": mse}), {"p": "a"}),
        "y for q of a dict model": Form("dict", compiled({"q": mse}), {"q": "b"}),
        "y with none for a dict model": Form("dict", compiled({"p": mse}), {"p": "a", "q": None}),
        "y dict with other order": Form("dict", compiled({"p": mse, "q": mse}), {"q": "b", "p": "a"}),
        "y missing": Form("dict", compiled({"p": mse, "q": mse}), {"p": "a"}),
        "y unknown": Form("dict", compiled({"p": mse}), {"p": "a", "z": "b"}),
        "y of one unknown name": Form("one", compiled(mse), {"z": "a"}),
        "y dict for one": Form("one", compiled(mse), {"a": "a"}),
        "y list for one": Form("one", compiled(mse), ["a"]),
        "y nested for a part": Form(
            "dict of lists", compiled({"u": [mse, "mae"]}), {"u": ["a", "b"]}
        ),
        "y flat for lists": Form("list of lists", compiled(mse), ["a", "b", "c"]),
        "y flat for a dict of lists": Form("dict of lists", compiled(mse), ["a", "b", "c"]),
        "y tuple": Form("pair", compiled([mse, mse]), ("a", "b")),
        "y of own class, part": Form("dict", compiled({"q": mse}), {"q": "b"}, own_class=True),
        "y of own class, none": Form("pair", compiled([mse, None]), ["a", None], own_class=True),
        "y of own class, list of one": Form("pair", compiled([mse, None]), ["a"], own_class=True),
        "metric without a target": Form(
            "pair", compiled({"a": mse}, metrics={"a": ["mae"], "b": ["mae"]}), {"a": "a"}
        ),
        "metric of an output without loss": Form(
            "pair", compiled({"a": mse}, metrics={"b": ["mae"]}), {"a": "a", "b": "b"}
        ),
        "metric of an output without loss, dict model": Form(
            "dict", compiled({"p": mse}, metrics={"q": ["mae"]})
        ),
        "metrics alone, no loss": Form("pair", compiled(None, metrics=[["mae"], ["mae"]])),
    }  # fmt: skip


def _metrics() -> dict[str, Form]:
    """Metrics as names, objects, functions, in each place."""
    one: dict[str, Callable[[Any], Any]] = {
        "name alone": lambda k: "mae",
        "names": lambda k: ["mae", "mse"],
        "tuple": lambda k: ("mae", "mse"),
        "long name": lambda k: ["mean_absolute_error"],
        "class name": lambda k: ["MeanAbsoluteError"],
        "upper case": lambda k: ["MAE"],
        "root": lambda k: ["root_mean_squared_error"],
        "Root": lambda k: ["RootMeanSquaredError"],
        "object": lambda k: [k.metrics.MeanAbsoluteError()],
        "object alone": lambda k: k.metrics.MeanAbsoluteError(),
        "named object": lambda k: [k.metrics.MeanAbsoluteError(name="far")],
        "class": lambda k: [k.metrics.MeanAbsoluteError],
        "function": lambda k: [gap(k)],
        "function alone": lambda k: gap(k),
        "library function": lambda k: [k.metrics.mean_absolute_error],
        "library loss function": lambda k: [k.losses.huber],
        "lambda": lambda k: [lambda y, p: k.ops.mean(k.ops.abs(y - p), axis=-1)],
        "two lambdas": lambda k: [
            lambda y, p: k.ops.mean(k.ops.abs(y - p), axis=-1),
            lambda y, p: k.ops.mean(k.ops.square(y - p), axis=-1),
        ],
        "partial": lambda k: [functools.partial(powered(k), exponent=3.0)],
        "two partials": lambda k: [
            functools.partial(powered(k), exponent=3.0),
            functools.partial(powered(k), exponent=1.0),
        ],
        "callable object": lambda k: [nameless(k)],
        "same function twice": lambda k: [gap(k), gap(k)],
        "function and object": lambda k: [gap(k), k.metrics.MeanMetricWrapper(gap(k))],
        "scalar function": lambda k: [lambda y, p: k.ops.max(k.ops.abs(y - p))],
        "same name twice": lambda k: ["mae", "mae"],
        "same object kind twice": lambda k: [
            k.metrics.MeanSquaredError(), k.metrics.MeanSquaredError(),
        ],
        "name and object": lambda k: ["mean_squared_error", k.metrics.MeanSquaredError()],
        "loss object": lambda k: [k.losses.Huber(0.3)],
        "own loss object": lambda k: [own_loss(k)()],
        "own metric": lambda k: [own_metric(k)()],
        "own metric class": lambda k: [own_metric(k)],
        "own metric named": lambda k: [own_metric(k)(name="g")],
        "config": lambda k: [{"class_name": "MeanAbsoluteError", "config": {"name": "far"}}],
        "dict": lambda k: {"a": "mae"},
        "dict of a list": lambda k: {"a": ["mae", gap(k)]},
        "dict of a tuple": lambda k: {"a": ("mae", "mse")},
        "list of a list": lambda k: [["mae", "mse"]],
        "accuracy": lambda k: ["accuracy"],
        "Accuracy": lambda k: ["Accuracy"],
        "acc": lambda k: ["acc"],
        "crossentropy": lambda k: ["crossentropy"],
        "ce": lambda k: ["ce"],
        "binary_accuracy": lambda k: ["binary_accuracy"],
        "BinaryAccuracy": lambda k: ["BinaryAccuracy"],
        "accuracy and object": lambda k: ["accuracy", k.metrics.BinaryAccuracy()],
        "cosine_similarity": lambda k: ["cosine_similarity"],
        "wrong key": lambda k: {"b": "mae"},
        "empty list": lambda k: [],
        "empty dict": lambda k: {},
        "none in a list": lambda k: [None],
        "none among": lambda k: ["mae", None],
    }  # fmt: skip
    forms: dict[str, Form] = {}
    for name, given in one.items():
        is_binary = any(word in name.lower() for word in ("acc", "ce", "crossentropy"))
        y = "c" if is_binary and name not in ("dict", "named object") else None
        forms[f"metrics one {name}"] = Form(
            "one", lambda k, given=given: {"loss": "mse", "metrics": given(k)}, y
        )
    weighted: dict[str, Callable[[Any], Any]] = {
        "name": lambda k: ["mae"],
        "name alone": lambda k: "mae",
        "object": lambda k: [k.metrics.MeanAbsoluteError()],
        "function": lambda k: [gap(k)],
        "lambda": lambda k: [lambda y, p: k.ops.mean(k.ops.abs(y - p), axis=-1)],
        "dict": lambda k: {"a": ["mae"]},
        "list of a list": lambda k: [["mae"]],
        "own metric": lambda k: [own_metric(k)()],
        "loss object": lambda k: [k.losses.Huber(0.3)],
        "class": lambda k: [k.metrics.MeanAbsoluteError],
    }
    forms |= {
        f"weighted_metrics one {name}": Form(
            "one",
            lambda k, given=given: {"loss": "mse", "weighted_metrics": given(k)},
            weights="a",
        )
        for name, given in weighted.items()
    }
    both: dict[str, Callable[[Any], dict[str, Any]]] = {
        "same name": lambda k: {"metrics": ["mae"], "weighted_metrics": ["mae"]},
        "several": lambda k: {"metrics": ["mae", "mse"], "weighted_metrics": ["mse", gap(k)]},
        "objects": lambda k: {
            "metrics": [k.metrics.MeanAbsoluteError()],
            "weighted_metrics": [k.metrics.MeanAbsoluteError()],
        },
        "same function": lambda k: {"metrics": [gap(k)], "weighted_metrics": [gap(k)]},
        "empty weighted": lambda k: {"metrics": ["mae"], "weighted_metrics": []},
        "accuracy": lambda k: {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]},
    }
    forms |= {
        f"both kinds {name}": Form(
            "one", lambda k, given=given: {"loss": "mse", **given(k)}, weights="a"
        )
        for name, given in both.items()
    }
    several: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "name alone": ("pair", lambda k: "mae"),
        "one name": ("pair", lambda k: ["mae"]),
        "names, one an output": ("pair", lambda k: ["mae", "mse"]),
        "three names": ("pair", lambda k: ["mae", "mse", "mape"]),
        "tuple": ("pair", lambda k: ("mae", "mse")),
        "lists": ("pair", lambda k: [["mae"], ["mse"]]),
        "lists of several": ("pair", lambda k: [["mae", "mse"], ["mse"]]),
        "list and name": ("pair", lambda k: [["mae", "mse"], "mse"]),
        "empty first": ("pair", lambda k: [[], ["mse"]]),
        "none first": ("pair", lambda k: [None, ["mse"]]),
        "empty and none": ("pair", lambda k: [[], None]),
        "dict": ("pair", lambda k: {"a": ["mae"], "b": ["mse"]}),
        "dict of names": ("pair", lambda k: {"a": "mae", "b": "mse"}),
        "dict in other order": ("pair", lambda k: {"b": ["mse"], "a": ["mae"]}),
        "dict of one": ("pair", lambda k: {"b": ["mae"]}),
        "dict with none": ("pair", lambda k: {"a": None, "b": ["mae"]}),
        "dict of functions": ("pair", lambda k: {"a": gap(k), "b": [gap(k), "mae"]}),
        "same everywhere": ("pair", lambda k: [["mae"], ["mae"]]),
        "objects": ("pair", lambda k: [k.metrics.MeanAbsoluteError(), k.metrics.MeanSquaredError()]),
        "objects of a kind": (
            "pair", lambda k: [[k.metrics.MeanSquaredError()], [k.metrics.MeanSquaredError()]],
        ),
        "lambdas": ("pair", lambda k: {
            "a": [lambda y, p: k.ops.mean(k.ops.abs(y - p), axis=-1)],
            "b": [lambda y, p: k.ops.mean(k.ops.square(y - p), axis=-1)],
        }),
        "accuracies": ("pair", lambda k: ["accuracy", "accuracy"]),
        "unknown key": ("pair", lambda k: {"z": ["mae"]}),
        "dict model": ("dict", lambda k: {"p": ["mae"], "q": ["mse"]}),
        "dict model, other order": ("dict", lambda k: {"q": ["mse"], "p": ["mae"]}),
        "dict model, one": ("dict", lambda k: {"q": ["mse"]}),
        "dict model, lists": ("dict", lambda k: [["mae"], ["mse"]]),
        "dict model, names": ("dict", lambda k: ["mae", "mse"]),
        "dict model, name": ("dict", lambda k: ["mae"]),
        "unsorted dict model": ("dict unsorted", lambda k: {"q": ["mae"], "p": ["mse"]}),
        "unsorted dict model, lists": ("dict unsorted", lambda k: [["mae"], ["mse"]]),
        "dict of one model": ("dict of one", lambda k: {"p": ["mae"]}),
        "dict of one model, name": ("dict of one", lambda k: ["mae"]),
        "list of one model": ("list of one", lambda k: ["mae"]),
        "list of one model, dict": ("list of one", lambda k: {"a": ["mae"]}),
        "dict of lists, nested": ("dict of lists", lambda k: {"u": ["mae", "mse"], "v": "mae"}),
        "dict of lists, deeper": (
            "dict of lists", lambda k: {"u": [["mae"], ["mse"]], "v": ["mae"]},
        ),
        "dict of lists, flat": ("dict of lists", lambda k: [["mae"], ["mse"], ["mae"]]),
        "list of dicts, nested": (
            "list of dicts", lambda k: [{"p": ["mae"], "q": ["mse"]}, {"r": ["mae"]}],
        ),
        "list of dicts, flat": ("list of dicts", lambda k: [["mae"], ["mse"], ["mae"]]),
        "list of lists, nested": ("list of lists", lambda k: [["mae", "mse"], "mae"]),
        "list of lists, flat": ("list of lists", lambda k: [["mae"], ["mse"], ["mae"]]),
        "dict of dicts, nested": (
            "dict of dicts", lambda k: {"m": {"p": ["mae"], "q": ["mse"]}, "n": ["mae"]},
        ),
    }  # fmt: skip
    forms |= {
        f"metrics {name}": Form(s, lambda k, given=given: {"loss": "mse", "metrics": given(k)})
        for name, (s, given) in several.items()
    }
    own: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "one": ("one", lambda k: ["mae"]),
        "pair": ("pair", lambda k: [["mae"], ["mse"]]),
        "dict": ("dict", lambda k: {"p": ["mae"], "q": ["mse"]}),
        "dict, part": ("dict", lambda k: {"q": ["mse"]}),
        "unsorted dict": ("dict unsorted", lambda k: {"q": ["mae"], "p": ["mse"]}),
        "dict of lists": ("dict of lists", lambda k: {"u": [["mae"], ["mse"]], "v": ["mae"]}),
        "list of dicts": ("list of dicts", lambda k: [{"p": ["mae"], "q": "mse"}, {"r": ["mae"]}]),
        "dict of dicts": ("dict of dicts", lambda k: {"m": {"p": ["mae"]}, "n": ["mae"]}),
        "any key": ("one", lambda k: {"output": ["mae"]}),
    }
    forms |= {
        f"own class, metrics {name}": Form(
            s, lambda k, given=given: {"loss": "mse", "metrics": given(k)}, own_class=True
        )
        for name, (s, given) in own.items()
    }
    forms["weighted_metrics dict of lists"] = Form(
        "dict of lists", lambda k: {"loss": "mse", "weighted_metrics": {"u": ["mae", "mse"], "v": ["mae"]}},
        weights="a",
    )  # fmt: skip
    forms["weighted_metrics pair"] = Form(
        "pair", lambda k: {"loss": "mse", "metrics": [["mae"], ["mae"]],
                           "weighted_metrics": {"a": ["mae"], "b": ["mse"]}},
        weights=["a", "b"],
    )  # fmt: skip
    return forms


def _mse_each(structure: str) -> Any:
    return leaves_replaced(STRUCTURES[structure], dict.fromkeys("abc", "mse"))


def _weights() -> dict[str, Form]:
    """Weights of losses and of samples."""
    losses: dict[str, tuple[str, Any]] = {
        "list": ("pair", [2.0, 0.5]),
        "ints": ("pair", [2, 1]),
        "tuple": ("pair", (2.0, 0.5)),
        "dict": ("pair", {"a": 2.0, "b": 0.5}),
        "dict of one": ("pair", {"a": 2.0}),
        "dict with none": ("pair", {"a": 2.0, "b": None}),
        "list with none": ("pair", [None, 0.5]),
        "unknown key": ("pair", {"a": 1.0, "z": 2.0}),
        "list too short": ("pair", [2.0]),
        "list too long": ("pair", [2.0, 1.0, 1.0]),
        "a number for two": ("pair", 2.0),
        "a number for one": ("one", 2.0),
        "a list for one": ("one", [2.0]),
        "a dict for one": ("one", {"a": 2.0}),
        "zero": ("pair", [0.0, 1.0]),
        "negative": ("pair", [-1.0, 1.0]),
        "dict model": ("dict", {"p": 2.0, "q": 0.5}),
        "dict model, one": ("dict", {"q": 0.5}),
        "dict model, list": ("dict", [2.0, 0.5]),
        "unsorted dict model, list": ("dict unsorted", [2.0, 0.5]),
        "unsorted dict model, dict": ("dict unsorted", {"q": 2.0, "p": 0.5}),
        "dict of lists": ("dict of lists", {"u": [2.0, 0.5], "v": 3.0}),
        "dict of lists, part": ("dict of lists", {"u": [2.0, 0.5]}),
        "dict of lists, number": ("dict of lists", {"u": 2.0, "v": 3.0}),
        "dict of lists, flat": ("dict of lists", [2.0, 0.5, 3.0]),
        "list of dicts": ("list of dicts", [{"p": 2.0, "q": 0.5}, {"r": 3.0}]),
        "list of lists": ("list of lists", [[2.0, 0.5], 3.0]),
        "list of lists, flat": ("list of lists", [2.0, 0.5, 3.0]),
        "dict of dicts": ("dict of dicts", {"m": {"p": 2.0, "q": 0.5}, "n": 3.0}),
    }
    forms = {
        f"loss_weights {name}": Form(
            s, lambda k, s=s, weights=weights: {"loss": _mse_each(s), "loss_weights": weights}
        )
        for name, (s, weights) in losses.items()
    }
    forms["loss_weights beside one name"] = Form(
        "pair", lambda k: {"loss": "mse", "loss_weights": [2.0, 0.5]}
    )
    forms["loss_weights beside a loss that is none"] = Form(
        "pair", lambda k: {"loss": ["mse", None], "loss_weights": [2.0, 0.5]}, ["a", None]
    )
    forms["loss_weights beside a dict of one loss"] = Form(
        "pair", lambda k: {"loss": {"b": "mse"}, "loss_weights": {"b": 2.0}}
    )
    forms["loss_weights of another output"] = Form(
        "pair", lambda k: {"loss": {"b": "mse"}, "loss_weights": {"a": 2.0}}
    )
    samples: dict[str, tuple[str, Any, Any]] = {
        "one": ("one", None, "a"),
        "list of one": ("one", None, ["a"]),
        "dict of one": ("one", None, {"a": "a"}),
        "pair, one for both": ("pair", None, "a"),
        "pair, list": ("pair", None, ["a", "b"]),
        "pair, tuple": ("pair", None, ("a", "b")),
        "pair, dict": ("pair", None, {"a": "a", "b": "b"}),
        "pair, dict of one": ("pair", None, {"a": "a"}),
        "pair, list with none": ("pair", None, ["a", None]),
        "pair, unknown key": ("pair", None, {"a": "a", "z": "b"}),
        "pair, three": ("pair", None, ["a", "b", "c"]),
        "dict model": ("dict", None, {"p": "a", "q": "b"}),
        "dict model, one for both": ("dict", None, "a"),
        "dict model, other order": ("dict", None, {"q": "b", "p": "a"}),
        "dict model, part": ("dict", None, {"p": "a"}),
        "dict of lists": ("dict of lists", None, {"u": ["a", "b"], "v": "c"}),
        "dict of lists, one for all": ("dict of lists", None, "a"),
        "list of dicts": ("list of dicts", None, [{"p": "a", "q": "b"}, {"r": "c"}]),
        "list of lists": ("list of lists", None, [["a", "b"], "c"]),
        "list of lists, flat": ("list of lists", None, ["a", "b", "c"]),
    }
    forms |= {
        f"sample_weight {name}": Form(
            s,
            lambda k: {"loss": "mse"},
            y, weights,
        )
        for name, (s, y, weights) in samples.items()
    }  # fmt: skip
    forms["sample_weight beside a loss that is none"] = Form(
        "pair", lambda k: {"loss": ["mse", None]}, ["a", None], ["a", None]
    )
    forms["sample_weight, one array beside a loss that is none"] = Form(
        "pair", lambda k: {"loss": ["mse", None]}, ["a", None], "a"
    )
    forms["sample_weight by name beside a dict of one loss"] = Form(
        "pair", lambda k: {"loss": {"a": "mse"}}, {"a": "a"}, {"a": "a"}
    )
    forms["sample_weight of a dict model beside a dict of one loss"] = Form(
        "dict", lambda k: {"loss": {"p": "mse"}}, {"p": "a"}, {"p": "a"}
    )
    return forms


FORMS: dict[str, Form] = {**_losses(), **_targets(), **_metrics(), **_weights()}


def arrays_in(given: Any, arrays: Mapping[str, Any]) -> Any:
    """What is passed for a structure of names, which may be None or hold None."""
    if given is None or isinstance(given, str):
        return None if given is None else arrays[given]
    if isinstance(given, dict):
        return {key: arrays_in(part, arrays) for key, part in given.items()}
    return type(given)(arrays_in(part, arrays) for part in given)


def result_of(keras: Any, form: Form) -> dict[str, Any]:
    """Names and numbers of an evaluation with this form.

    Returns:
        `logs`: (name, number) of `evaluate` as a dict, in order; `order`: their names in the order
        of `evaluate` as a list.
    """
    model = model_of(keras, form.structure, form.own_class)
    model.compile(keras.optimizers.SGD(0.1), **form.given(keras))
    y = arrays_in(STRUCTURES[form.structure] if form.y is None else form.y, TARGETS)
    weights = arrays_in(form.weights, WEIGHTS)
    logs = model.evaluate(X, y, sample_weight=weights, batch_size=ROWS, verbose=0, return_dict=True)
    return {
        "logs": [[name, round(float(value), 6)] for name, value in logs.items()],
        "order": list(model.get_metrics_result()),
    }
