"""Data, targets and weights that a callback changes in place: read again before the next epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import NacreError
from nacre.data.watched import WatchedArrays

Arrays = dict[str, np.ndarray]


def data() -> Arrays:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(40, 3)).astype("float32")
    return {"x": x, "y": x[:, :1] * 2, "sample_weight": np.ones(40, "float32")}


def model(**compiled: Any) -> Any:
    nacre.utils.set_random_seed(0)
    made = nacre.Sequential([nacre.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(1)])
    made.compile(nacre.optimizers.SGD(0.05), "mse", **compiled)
    return made


def in_one_fit(arrays: Arrays, change: Callable[[Arrays], None], hook: str, **how: Any) -> Any:
    options = {"epochs": 3, "batch_size": 8, "verbose": 0, "shuffle": False, **how}
    callback = nacre.callbacks.LambdaCallback(**{hook: lambda *_: change(arrays)})
    return model().fit(**arrays, callbacks=[callback], **options).history


def in_fits_of_their_own(arrays: Arrays, change: Callable[[Arrays], None], hook: str) -> list[Any]:
    trained, losses = model(), []
    for _ in range(3):
        if hook == "on_epoch_begin":
            change(arrays)
        losses += trained.fit(**arrays, batch_size=8, verbose=0, shuffle=False).history["loss"]
        if hook == "on_epoch_end":
            change(arrays)
    return losses


def halved(name: str, rows: Any = slice(None)) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name][rows] *= 0.5

    return change


def turned(arrays: Arrays) -> None:
    arrays["x"] *= -1  # sums over an even number of bits stay


def mixed(arrays: Arrays) -> None:
    order = np.random.default_rng(len(arrays)).permutation(40)
    arrays["x"][:] = arrays["x"][order]


CHANGES = {
    "inputs": halved("x"),
    "one input": halved("x", (3, 1)),
    "targets": halved("y"),
    "weights": halved("sample_weight", slice(0, 20)),
    "signs": turned,
    "order": mixed,
}


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("name", CHANGES)
def test_an_epoch_reads_what_a_callback_left(name: str, hook: str) -> None:
    found = in_one_fit(data(), CHANGES[name], hook)["loss"]
    expected = in_fits_of_their_own(data(), CHANGES[name], hook)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    unchanged = in_fits_of_their_own(data(), lambda _: None, hook)
    assert abs(found[2] - unchanged[2]) > 1e-5


def strided(arrays: Arrays) -> Arrays:
    wide = np.repeat(arrays["x"], 2, axis=1)
    return {**arrays, "x": wide[:, ::2]}


FORMS: dict[str, Callable[[Arrays], Arrays]] = {
    "64 bits": lambda arrays: {k: v.astype("float64") for k, v in arrays.items()},
    "every second column": strided,
    "columns first": lambda arrays: {**arrays, "x": np.asfortranarray(arrays["x"])},
    "one batch": lambda arrays: {name: array[:8].copy() for name, array in arrays.items()},
    "a smaller batch": lambda arrays: {name: array[:37].copy() for name, array in arrays.items()},
}


@pytest.mark.parametrize("name", FORMS)
def test_arrays_of_any_form_are_read_again(name: str) -> None:
    make = lambda: FORMS[name](data())
    found = in_one_fit(make(), halved("x"), "on_epoch_end")["loss"]
    np.testing.assert_allclose(
        found, in_fits_of_their_own(make(), halved("x"), "on_epoch_end"), rtol=1e-5
    )


@pytest.mark.parametrize("numbers_apart", [1021, 1019, 2042, 1021 * 8, 1019 * 3, 1 << 16, 1021**2])
def test_rows_that_change_places_are_seen_however_far_they_are_moved(numbers_apart: int) -> None:
    array = np.random.default_rng(0).integers(0, 9, numbers_apart + 2)  # of 8 bytes
    array[[0, -2]] = 10, 20
    watched = WatchedArrays([array])
    array[[0, -2]] = array[[-2, 0]]
    assert watched.have_changed()
    array[:] = array.copy()
    assert not watched.have_changed()


def test_shuffled_rows_stay_with_their_targets() -> None:
    def change(arrays: Arrays) -> None:
        arrays["x"] += 1
        arrays["y"] += 2  # still twice the first of x

    class Exact(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs[:, :1] * 2

    made = nacre.Sequential([nacre.Input((3,)), Exact()])
    made.compile("sgd", "mse")
    arrays = data()
    callback = nacre.callbacks.LambdaCallback(on_epoch_end=lambda *_: change(arrays))
    with pytest.warns(UserWarning, match="nothing to train"):
        history = made.fit(arrays["x"], arrays["y"], epochs=4, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(history.history["loss"], 0, atol=1e-9)


def test_validation_data_are_read_again() -> None:
    arrays, other = data(), data()

    class Relabels(nacre.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            other["y"][:] = epoch * 100.0

    history = (
        model()
        .fit(
            **arrays,
            epochs=3,
            verbose=0,
            validation_data=(other["x"], other["y"]),
            callbacks=[Relabels()],
        )
        .history["val_loss"]
    )
    assert history[0] < 100 and 5e3 < history[1] < 2e4 and 2e4 < history[2] < 8e4


def test_both_parts_of_a_split_are_read_again() -> None:
    found = in_one_fit(data(), halved("y"), "on_epoch_end", validation_split=0.25)
    apart, rest = data(), data()
    trained, losses, validated = model(), [], []
    for _ in range(3):
        part = {name: array[:30] for name, array in apart.items()}
        rest = {name: array[30:] for name, array in apart.items()}
        losses += trained.fit(**part, batch_size=8, verbose=0, shuffle=False).history["loss"]
        validated.append(trained.evaluate(**rest, verbose=0))
        halved("y")(apart)
    np.testing.assert_allclose(found["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(found["val_loss"], validated, rtol=1e-5)


def test_weights_of_classes_follow_labels_that_are_given_anew() -> None:
    x, y = data()["x"], (data()["y"] > 0).astype("int32")

    def trained(fits: Callable[[Any], list[float]]) -> list[float]:
        made = nacre.Sequential([nacre.Input((3,)), layers.Dense(1, "sigmoid")])
        nacre.utils.set_random_seed(0)
        made.compile(nacre.optimizers.SGD(0.1), "binary_crossentropy")
        return fits(made)

    options = {"class_weight": {0: 1.0, 1: 9.0}, "shuffle": False, "verbose": 0}

    def relabel(labels: np.ndarray) -> None:
        labels[:] = 1 - labels

    def at_once(made: Any) -> list[float]:
        labels = y.copy()
        callback = nacre.callbacks.LambdaCallback(on_epoch_end=lambda *_: relabel(labels))
        return made.fit(x, labels, epochs=3, callbacks=[callback], **options).history["loss"]

    def apart(made: Any) -> list[float]:
        labels, losses = y.copy(), []
        for _ in range(3):
            losses += made.fit(x, labels, **options).history["loss"]
            relabel(labels)
        return losses

    np.testing.assert_allclose(trained(at_once), trained(apart), rtol=1e-5)


def test_rows_whose_weight_becomes_0_are_absent() -> None:
    def change(arrays: Arrays) -> None:
        arrays["sample_weight"][:4] = 0
        arrays["x"][:4] = np.nan

    assert np.isfinite(in_one_fit(data(), change, "on_epoch_end")["loss"]).all()


def test_what_is_refused_at_first_is_refused_later_too() -> None:
    def change(arrays: Arrays) -> None:
        arrays["sample_weight"][3] = np.nan

    with pytest.raises(NacreError, match="sample weights must be finite"):
        in_one_fit(data(), change, "on_epoch_end")


def test_a_step_that_a_callback_follows_reads_the_epoch_as_it_was() -> None:
    seen = in_one_fit(data(), halved("x"), "on_train_batch_end")["loss"]

    def five_times(arrays: Arrays) -> None:
        for _ in range(5):
            halved("x")(arrays)

    np.testing.assert_allclose(seen, in_fits_of_their_own(data(), five_times, "on_epoch_end"))


def test_nobody_looks_where_no_code_of_the_users_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Any] = []
    monkeypatch.setattr(WatchedArrays, "__init__", lambda self, arrays: looks.append(arrays))
    callbacks = [nacre.callbacks.EarlyStopping("loss"), nacre.callbacks.TerminateOnNaN()]
    model().fit(**data(), epochs=2, verbose=0, callbacks=callbacks)
    assert looks == []


@pytest.mark.parametrize("size", [0, 1, 7, 1021 * 8, 1021 * 8 + 5, (9 << 20) + 3])
def test_any_byte_that_changes_is_seen(size: int) -> None:
    numbers = np.zeros(size, "uint8")
    watched = WatchedArrays([numbers, None])
    assert not watched.have_changed()
    for place in {0, size // 3, size - 1} if size else ():
        numbers[place] ^= 128
        assert watched.have_changed() and not watched.have_changed()
