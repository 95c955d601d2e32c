"""Names, configs and shapes of activations."""

from __future__ import annotations

import inspect
from pathlib import Path

import jax
import numpy as np
import pytest

from nacre import activations

FOLDER = Path(__file__).parents[1] / "reference"
NAMES = [n for n in activations.__all__ if n not in ("get", "serialize", "deserialize")]
_ARGUMENTS = {"threshold": {"threshold": 0.5, "default_value": 0.0}}


def test_there_are_reference_numbers() -> None:
    assert (FOLDER / "functions.npz").exists()


@pytest.mark.parametrize("name", NAMES)
def test_name_finds_the_function_and_the_function_its_name(name: str) -> None:
    function = activations.get(name)
    assert function is getattr(activations, name)
    saved = activations.serialize(function)
    assert saved == function.__name__
    assert activations.deserialize(saved) is function
    config = {"module": "builtins", "class_name": "function", "config": name}
    assert activations.get({**config, "registered_name": "function"}) is function


@pytest.mark.parametrize("name", NAMES)
def test_activation_keeps_half_floats_and_has_finite_gradients(name: str) -> None:
    x = np.linspace(-4, 4, 12, dtype="float32").reshape(3, 4)
    function = lambda x: activations.get(name)(x, **_ARGUMENTS.get(name, {}))
    assert function(jax.numpy.asarray(x, "bfloat16")).dtype == "bfloat16"
    assert np.isfinite(jax.grad(lambda x: function(x).sum())(x)).all()


def test_numbers_are_those_of_keras() -> None:
    numbers = np.load(FOLDER / "functions.npz")
    # Keras's sparsemax does not sum to 1.
    for name in sorted(set(NAMES) - {"sparsemax", "threshold"}):
        key = f"activation_{name}"
        if f"{key}/output" not in numbers:
            continue
        output = activations.get(name)(numbers[f"{key}/input_0"])
        np.testing.assert_allclose(output, numbers[f"{key}/output"], rtol=1e-5, atol=1e-6)


def test_none_is_linear_and_callables_pass() -> None:
    assert activations.get(None) is activations.linear
    double = lambda x: 2 * x
    assert activations.get(double) is double


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="must be a name, a function"):
        activations.get(3)


def test_relu_arguments_bend_the_line() -> None:
    x = np.array([-2.0, 0.5, 3.0, 9.0], "float32")
    bent = activations.relu(x, negative_slope=0.1, max_value=6.0, threshold=1.0)
    np.testing.assert_allclose(bent, [-0.3, -0.05, 3.0, 6.0], rtol=1e-6)
    assert list(inspect.signature(activations.relu).parameters) == [
        "x", "negative_slope", "max_value", "threshold",
    ]  # fmt: skip
