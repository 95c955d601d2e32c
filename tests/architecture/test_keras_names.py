"""Every public name of Keras is here with its signature, or a table says why not."""

from __future__ import annotations

import pytest

import nacre
from tests.architecture import keras_names as names
from tests.cases.keras_names import MEMBERS, NOT_YET, REFUSALS, SIGNATURES

# Namespaces that are whole: what is not here is refused for good.
WHOLE = (
    "layers ops activations initializers regularizers constraints random tree losses metrics "
    "optimizers models"
).split()


def examples():
    """An object of each main class, whose methods and attributes are compared."""
    model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    return {
        "keras.layers.Layer": model.layers[0],
        "keras.Model": model,
        "keras.Sequential": model,
        "keras.optimizers.Optimizer": model.optimizer,
        "keras.losses.Loss": nacre.losses.MeanSquaredError(),
        "keras.metrics.Metric": nacre.metrics.Mean(),
        "keras.callbacks.Callback": nacre.callbacks.Callback(),
        "keras.Variable": model.layers[0].kernel,
        "keras.KerasTensor": nacre.Input((2,)),
        "keras.random.SeedGenerator": nacre.random.SeedGenerator(1),
        "keras.initializers.Initializer": nacre.initializers.Ones(),
        "keras.optimizers.schedules.LearningRateSchedule": (
            nacre.optimizers.schedules.CosineDecay(0.1, 10)
        ),
        "keras.layers.InputSpec": nacre.layers.InputSpec(),
        "keras.utils.PyDataset": nacre.utils.PyDataset(),
    }


def test_every_public_name_of_keras_is_here_or_listed() -> None:
    missing = [
        name
        for name in names.missing_names()
        if names.entry(REFUSALS, name) is None and names.entry(NOT_YET, name) is None
    ]
    assert not missing


def test_the_tables_list_only_what_is_not_here() -> None:
    missing = names.missing_names()
    stale = [
        key
        for key in (*REFUSALS, *NOT_YET)
        if not any(names.entry({key: ""}, name) for name in missing)
    ]
    assert not stale
    here = [
        name
        for name in names.FACTS
        if name not in missing and (names.entry(REFUSALS, name) or names.entry(NOT_YET, name))
    ]
    assert not here


@pytest.mark.parametrize("namespace", WHOLE)
def test_whole_namespaces_wait_for_nothing(namespace: str) -> None:
    waiting = [name for name in NOT_YET if name.startswith(f"keras.{namespace}.")]
    assert not waiting


def test_signatures_are_those_of_keras() -> None:
    found = names.different_signatures()
    unknown = [text for name, text in found.items() if name not in SIGNATURES]
    assert not unknown, "\n".join(unknown)
    assert not [name for name in SIGNATURES if name not in found]


def test_main_classes_have_the_members_of_keras() -> None:
    found = {}
    for class_name, example in examples().items():
        found |= names.different_members(class_name, example)
    unknown = [f"{name}: {text}" for name, text in found.items() if name not in MEMBERS]
    assert not unknown, "\n".join(unknown)
    assert not [name for name in MEMBERS if name not in found]


@pytest.mark.parametrize(
    ("theirs", "ours", "fits"),
    [
        ("(a, b=1)", "(a, b=1)", True),
        ("(a, b=1)", "(a, b=1, *, c=2, **kwargs)", True),
        ("(a, b=1)", "(a, b=1, c=2)", True),
        ("(a, b=1)", "(a, b=2)", False),
        ("(a, b=1)", "(b=1, a=None)", False),
        ("(a, b=1)", "(a, b=1, *, c)", True),
        ("(a)", "(a, b)", False),
        ("(a, **kwargs)", "(a)", False),
        ("(*, a=1)", "(a=1)", True),
        ("(*, a=1)", "(*, a=2)", False),
        ("(a=<object>)", "(a=<thing>)", False),
    ],
)
def test_the_comparison_sees_differences(theirs: str, ours: str, fits: bool) -> None:
    assert (names.difference(theirs, ours) is None) == fits
