"""A fault inside nacre comes out as what it is, whole: not told as a mistake of the user's."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import NacreError
from nacre.core.origins import is_own_bug

X = np.ones((4, 3), "float32")
PACKAGE = Path(nacre.__file__).parent


def bug(kind: type[Exception], line: str = "raise kind('a bug')") -> Any:
    """A function that fails as if its line stood in a file of nacre's."""
    names: dict[str, Any] = {"kind": kind}
    source = f"def broken(*args, **kwargs):\n    {line}\n"
    exec(compile(source, str(PACKAGE / "core" / "names.py"), "exec"), names)
    return names["broken"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    built = model()
    for name in ("m.keras", "m.h5"):
        built.save(folder / name)
    built.save_weights(folder / "m.weights.h5")
    return folder


def model() -> Any:
    built = nacre.Sequential([nacre.Input((3,)), layers.Dense(2, name="dense")])
    built.compile("sgd", "mse")
    return built


# What is broken -> what a user does.
PLACES: dict[str, Callable[[Path], Any]] = {
    "nacre.ops.math:operands": lambda _: ops.add(X, 1),
    "nacre.ops.shaping:array": lambda _: ops.reshape(nacre.Input((3,)), (-1, 1, 3)),
    "nacre.ops.activation:floating": lambda _: ops.gelu(X.astype("float16")),
    "nacre.ops.products:dense_product": lambda _: layers.Dense(3)(np.ones((5, 7, 2), "float32")),
    "nacre.layers.base.arguments:_fill_masks": lambda _: layers.Dense(3)(nacre.Input((3,))),
    "nacre.layers.base.weights:current_path": lambda _: layers.Dense(3)(X),
    "nacre.losses.regression:paired": lambda _: model().fit(X, X[:, :2], verbose=0),
    "nacre.training.inputs:source_of": lambda _: model().evaluate(X, X[:, :2], verbose=0),
    "nacre.core.wire.zip:_end": lambda folder: model().save(folder / "other.keras"),
    "nacre.saving.archive:_refuse_bombs": lambda f: nacre.models.load_model(f / "m.keras"),
    "nacre.core.registry:_from_config": lambda f: nacre.models.load_model(f / "m.keras"),
    "nacre.layers.base.configuring:from_config": lambda f: nacre.models.load_model(f / "m.h5"),
    "nacre.core.registry:builtin": lambda f: model().compile_from_config(
        {"optimizer": {"module": "keras.optimizers", "class_name": "SGD", "config": {}}}
    ),
    "nacre.saving.hdf5:_address": lambda f: model().load_weights(f / "m.weights.h5"),
    "nacre.saving.layout:_attributes": lambda f: model().load_weights(f / "m.weights.h5"),
}


@pytest.mark.parametrize("kind", [AttributeError, NameError, AssertionError])
@pytest.mark.parametrize("place", PLACES)
def test_a_bug_comes_out_as_it_is(
    place: str, kind: type[Exception], saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _, name = place.partition(":")
    monkeypatch.setattr(importlib.import_module(module), name, bug(kind))
    with pytest.raises(kind) as caught:
        PLACES[place](saved)
    error = caught.value
    assert type(error) is kind and str(error) == "a bug" and error.__cause__ is None
    frames = traceback.extract_tb(error.__traceback__)
    assert frames[-1].name == "broken"
    assert sum(Path(frame.filename).is_relative_to(PACKAGE) for frame in frames) > 1
    assert is_own_bug(error)


def test_a_name_that_is_gone_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("nacre.ops.math.operands")
    monkeypatch.setattr("nacre.layers.base.spec_memory._kept", {})  # another test has added, too
    with pytest.raises(NameError, match="'operands'") as caught:
        layers.Add()([nacre.Input((3,)), nacre.Input((3,))])
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "add"


def test_what_jax_and_numpy_say_of_an_argument_is_still_told_in_words_of_the_op() -> None:
    for call in (
        lambda: ops.sum(X, axis="x"),  # JAX: a NameError
        lambda: ops.abs("abc"),
        lambda: ops.sum([[1], [1, 2]]),
        lambda: ops.matmul(X, X),
    ):
        with pytest.raises(NacreError) as caught:
            call()
        assert caught.value.__cause__ is None


def test_what_nacres_own_lines_choke_on_is_told_with_what_they_said() -> None:
    with pytest.raises(NacreError, match=r"^unfold: .*kernel_size=None") as caught:
        ops.unfold(X[None, None], None)
    assert caught.value.__cause__ is not None


def test_a_line_of_nacres_that_falls_over_something_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nacre.layers.base.arguments._fill_masks", None)
    with pytest.raises(TypeError, match="not callable") as caught:
        layers.Dense(3)(np.ones((5, 7, 2), "float32"))
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "prepare"


def test_a_traced_value_that_nacre_itself_asks_for_is_not_laid_to_the_users_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = bug(Exception, "return float(args[1].sum())")
    monkeypatch.setattr("nacre.layers.regularization.dropout.Dropout.call", asks)
    built = nacre.Sequential([layers.Dropout(0.5)])
    built.compile("sgd", "mse")
    with pytest.raises(jax.errors.ConcretizationTypeError) as caught:
        built.fit(X, X, verbose=0)
    assert any(f.name == "broken" for f in traceback.extract_tb(caught.value.__traceback__))


def test_a_call_that_does_not_fit_a_users_function_is_shown_with_the_users_lines_alone() -> None:
    class Takes(layers.Layer):
        def call(self, x: Any, y: Any) -> Any:
            return x + y

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'") as caught:
        Takes()(X)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert sum(Path(frame.filename).is_relative_to(PACKAGE) for frame in frames) <= 1


def test_a_name_that_nacre_does_not_have_is_the_users_to_mend() -> None:
    def misspelt(x: Any) -> Any:
        return ops.reluu(x)

    def never_called(x: Any) -> Any:
        return x * layers.Dense(2).output

    for function in (misspelt, never_called):
        with pytest.raises(AttributeError) as caught:
            layers.Lambda(function)(nacre.Input((3,)))
        assert not is_own_bug(caught.value)
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == function.__name__


def test_a_layer_called_on_an_object_that_is_no_tensor_says_so() -> None:
    with pytest.raises(NacreError, match="must be called on a tensor.*object object"):
        layers.Dense(3)(object())


def test_a_reduction_of_numpys_is_told_the_op_of_its_name() -> None:
    with pytest.raises(NacreError, match=r"Use nacre\.ops\.sum\(x\)"):
        np.sum(nacre.Input((3,)))


def test_an_error_inside_an_object_of_the_users_stays_as_it_is() -> None:
    class Mine:
        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="^mine$"):
        ops.abs(Mine())


def test_a_damaged_config_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(NacreError):
        nacre.models.model_from_json('{"class_name": "Sequential", "config": {"layers": ["a"]}}')


def test_a_loop_over_a_variable_ends() -> None:
    assert [float(row) for row in nacre.Variable([1.0, 2.0])] == [1.0, 2.0]
