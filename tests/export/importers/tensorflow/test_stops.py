"""Where TensorFlow stops on a CPU a call stops here; within another program numbers tell it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core.errors import ShapeError
from nacre.layers import TFSMLayer
from nacre.saving import open_saved_model
from tests.tiers import first_of_each_is_quick

_FILE = Path(__file__).parents[3] / "reference" / "stops.zip"
_CALLS: list[tuple[str, list[int], list[Any] | None]] = json.loads(
    zipfile.ZipFile(_FILE).read("calls.json")
)
_NAMES = list(dict.fromkeys(name for name, _, _ in _CALLS))
_SMALLEST = np.iinfo("int32").min


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stops")
    zipfile.ZipFile(_FILE).extractall(path)
    return path


def _outputs(function: Callable[..., Any], given: list[int]) -> list[np.ndarray]:
    return [np.asarray(part) for part in jax.tree.leaves(function(np.array(given, "int32")))]


def _is_told(outputs: list[np.ndarray]) -> bool:
    """Whether the numbers show that something was wrong."""
    return any(
        (~np.isfinite(part)).any() if part.dtype.kind == "f" else (part == _SMALLEST).any()
        for part in outputs
    )


@pytest.mark.parametrize("name", first_of_each_is_quick(_NAMES, lambda name: name[:6]))
def test_a_call_stops_where_tensorflow_does(folder: Path, name: str) -> None:
    function = getattr(open_saved_model(folder), name)
    around = jax.jit(lambda at: function(at))
    calls = [(given, wanted) for of, given, wanted in _CALLS if of == name]
    assert {wanted is None for _, wanted in calls} == {True, False}
    for given, wanted in [*calls, *calls[:1]]:  # the first again: a stopped call leaves nothing
        if wanted is None:
            with pytest.raises(ShapeError, match=r"(by|computed).* node|node '.*' \("):
                _outputs(function, given)
            assert _is_told(_outputs(around, given)), given
        else:
            for found in (_outputs(function, given), _outputs(around, given)):
                for part, right in zip(found, wanted, strict=True):
                    np.testing.assert_array_equal(part, np.array(right, part.dtype), str(given))


def test_the_node_is_named_within_branches_and_turns(folder: Path) -> None:
    program = open_saved_model(folder)
    for name, node in (
        ("gathers_in_branches_of_turns", r"'.*GatherNd' \(GatherNd\)"),
        ("takes_a_slice", r"'Slice' \(Slice\)"),
        ("scatters", r"'ScatterNd' \(ScatterNd\)"),
    ):
        rule = rf"a place outside of its array is asked for by node {node}"
        with pytest.raises(ShapeError, match=rule):
            getattr(program, name)(np.array([3, 0], "int32"))
    with pytest.raises(ShapeError, match=r"a whole number is divided by 0 by node 'floordiv'"):
        program.divides(np.array([3, 0], "int32"))


@pytest.mark.parametrize("name", ["scatters", "gathers_in_turns", "takes_one"])
def test_losses_and_predictions_tell_of_places_outside(folder: Path, name: str) -> None:
    """Whole numbers come out of the graph: they had been zeros, the last ones, or a fill."""
    layer = TFSMLayer(folder, call_endpoint=name)

    def model_of() -> Any:
        at = nacre.Input(batch_shape=(2,), dtype="int32")
        found = nacre.ops.cast(layer(at), "float32")
        outputs = nacre.layers.Dense(1)(nacre.ops.reshape(found, (-1, 1)) / 30.0)
        return nacre.Model(at, nacre.ops.sum(outputs) + 0 * nacre.ops.cast(at, "float32"))

    model = model_of()
    model.compile("sgd", "mse")
    right, wrong = np.array([1, 0], "int32"), np.array([3, 0], "int32")
    targets = np.zeros(2, "float32")
    first = model.predict(right, batch_size=2, verbose=0)
    assert np.isfinite(first).all()
    far = model.predict(wrong, batch_size=2, verbose=0)
    assert (~np.isfinite(far)).any() or np.abs(far).max() > 1e6
    loss = model.evaluate(wrong, targets, batch_size=2, verbose=0)
    assert not np.isfinite(loss) or loss > 1e9
    np.testing.assert_array_equal(model.predict(right, batch_size=2, verbose=0), first)


def test_gradients_are_nan_where_a_place_is_outside(folder: Path) -> None:
    program = open_saved_model(folder)

    def loss(scale: Any, at: Any) -> Any:
        found = program.gathers_rows_of_a_variable(at)
        return jnp.sum(found * scale)

    for at, is_right in (([1, 2], True), ([1, 3], False)):
        gradient = jax.grad(loss)(2.0, np.array(at, "int32"))
        assert bool(np.isfinite(gradient)) is is_right
