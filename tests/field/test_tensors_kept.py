"""Tensors that `call` keeps in attributes, as attention scores for a plot: real values where the
model is called on arrays; after `fit` and `predict` an error that says whose they are and what to do.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, losses, metrics, ops, optimizers
from nacre.core.errors import NacreError, TracedValueError

X, Y = np.ones((4, 3), "float32"), np.zeros((4, 3), "float32")


class Keeps(layers.Layer):
    """Keeps what it computed, in every way."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3, kernel_initializer="ones")
        self.last: Any = None
        self.every: list[Any] = []
        self.table: dict[str, Any] = {}

    def call(self, inputs: Any) -> Any:
        self.last = outputs = self.dense(inputs)
        self.pair = (inputs, outputs)
        self.every.append(outputs)
        self.table["outputs"] = {"of": outputs}
        return outputs


def model_of(*parts: Any) -> nacre.Model:
    model = nacre.Sequential([nacre.Input((3,)), *parts])
    model.compile("sgd", "mse")
    return model


RUNS: dict[str, Callable[[nacre.Model], Any]] = {
    "fit": lambda m: m.fit(X, Y, batch_size=3, epochs=2, verbose=0),
    "predict": lambda m: m.predict(X, verbose=0),
    "evaluate": lambda m: m.evaluate(X, Y, verbose=0),
    "train_on_batch": lambda m: m.train_on_batch(X, Y),
}
USES: dict[str, Callable[[Any], Any]] = {
    "float": lambda t: float(t), "numpy": lambda t: np.asarray(t), "op": lambda t: ops.add(t, 1.0),
    "operator": lambda t: 1.0 + t, "array + it": lambda t: X + t, "item": lambda t: t[0],
    "bool": lambda t: bool(t), "numpy()": lambda t: t.numpy(), "comparison": lambda t: t > 0,
    "==": lambda t: t == 1.0, "layer": lambda t: layers.Dense(2)(t), "stack": lambda t: ops.stack([t]),
    "format": lambda t: f"{t:.3f}", "len": lambda t: len(t), "np.mean": lambda t: np.mean(t),
    "loss": lambda t: losses.MeanSquaredError()(t, t), "metric": lambda t: metrics.Mean()(t),
    "assign": lambda t: nacre.Variable(X).assign(t),
    "model": lambda t: model_of(layers.ReLU())(t),
    "predict": lambda t: model_of(layers.ReLU()).predict(t, verbose=0),
}  # fmt: skip


def test_called_on_arrays_a_layer_keeps_real_values() -> None:
    part = Keeps()
    model = model_of(part)  # described with symbolic tensors first, which keeps nothing
    assert part.last is None and part.every == [] and part.table == {}
    assert not hasattr(part, "pair")
    outputs = model(X)
    for kept in (part.last, part.pair[1], part.every[0], part.table["outputs"]["of"]):
        np.testing.assert_array_equal(kept, outputs)
    assert len(part.every) == 1


@pytest.mark.parametrize("run", RUNS)
def test_what_a_compiled_step_kept_says_whose_it_is(run: str) -> None:
    part = Keeps()
    RUNS[run](model_of(part))
    places = {
        "last": part.last, r"every\[0\]": part.every[0], r"pair\[1\]": part.pair[1],
        r"table\['outputs'\]\['of'\]": part.table["outputs"]["of"],
    }  # fmt: skip
    for place, kept in places.items():
        with pytest.raises(
            NacreError, match=rf"Keeps 'keeps.*'\.{place}: .* Return it as an output"
        ):
            float(kept)
        assert "without a value" in repr(kept) and "float32[" in f"{kept}"
        assert kept.shape[1:] == (3,) and kept.dtype == "float32" and kept.ndim == 2


@pytest.fixture(scope="module")
def lost() -> Any:
    part = Keeps()
    model_of(part).predict(X, verbose=0)
    return part.last


@pytest.mark.parametrize("use", USES)
def test_however_it_is_used_again_the_error_is_clear(use: str, lost: Any) -> None:
    with pytest.raises(NacreError, match=r"Keeps '.*'\.last: .*model\(x\), which runs without"):
        USES[use](lost)


def test_a_model_that_keeps_tensors_is_saved_copied_called_and_trained_on(tmp_path: Any) -> None:
    part = Keeps()
    model = model_of(part)
    for run in RUNS.values():
        run(model)
    model.save_weights(tmp_path / "a.weights.h5")
    copy.deepcopy(model), model.summary(print_fn=lambda *_, **__: None)
    np.testing.assert_array_equal(model(X), part.last)
    np.testing.assert_allclose(model.predict(X, verbose=0), model(X), rtol=1e-6)


def test_what_the_next_call_reads_is_an_error_of_ours_where_it_is_compiled() -> None:
    class Remembers(layers.Layer):
        previous: Any = None

        def call(self, inputs: Any) -> Any:
            outputs = inputs if self.previous is None else inputs + self.previous
            self.previous = ops.mean(inputs)
            return outputs

    model = model_of(Remembers())
    np.testing.assert_array_equal(model(X), X)
    np.testing.assert_array_equal(model(X), X + 1)
    model = model_of(Remembers())
    with pytest.warns(match=r"Remembers 'remembers.*'\.previous: .* read by the next one"):
        model.predict(X, verbose=0)
    with pytest.raises(NacreError, match=r"Remembers 'remembers.*'\.previous"):
        model.predict(X[:2], verbose=0)


@pytest.mark.parametrize("way", ["attribute", "list"])
@pytest.mark.parametrize("run", RUNS)
def test_what_the_next_batch_would_read_is_told_of_at_the_first(run: str, way: str) -> None:
    class Before(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)
            self.state: Any = None
            self.states: list[Any] = []

        def call(self, inputs: Any) -> Any:
            outputs = self.dense(inputs)
            before = self.state if way == "attribute" else (self.states or [None])[-1]
            if way == "attribute":
                self.state = ops.mean(outputs)
            else:
                self.states.append(ops.mean(outputs))
            return outputs if before is None else outputs + before

    with pytest.warns(match=r"Before 'before.*'\.state.* must not be read by the next one"):
        with contextlib.suppress(NacreError):  # where a second program is compiled
            RUNS[run](model_of(Before()))


def test_what_a_call_makes_and_reads_itself_is_no_fault() -> None:
    class Itself(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.scores = ops.softmax(inputs)
            self.seen = [self.scores]
            return self.seen[-1] * 2.0

    for run in ("fit", "predict"):
        RUNS[run](model_of(layers.Dense(3), Itself()))


def test_a_loss_that_keeps_its_input_is_told_of_too() -> None:
    class Kept(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            self.last = y_pred
            return ops.mean(ops.square(y_true - y_pred), axis=-1)

    loss = Kept()
    model = nacre.Sequential([layers.Dense(3)])
    model.compile("sgd", loss)
    model.fit(X, Y, verbose=0)
    with pytest.raises(NacreError, match=r"Kept '.*'\.last"):
        np.asarray(loss.last)


def test_a_tensor_kept_in_a_list_of_the_scripts_is_an_error_of_ours_in_ops_and_layers() -> None:
    seen: list[Any] = []

    class Shows(layers.Layer):
        def call(self, inputs: Any) -> Any:
            seen.append(inputs)
            return inputs

    model_of(Shows()).predict(X, verbose=0)
    for use in (ops.sum, layers.Dense(2)):
        with pytest.raises(NacreError, match=r"has no value afterwards\. .*as an output"):
            use(seen[-1])


def test_a_callback_that_calls_the_model_makes_no_new_program() -> None:
    part = Keeps()
    model = model_of(part)
    look = nacre.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model(X))
    calls: list[int] = []
    part.dense.activation = lambda x: calls.append(1) or x
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[look])
    before = len(calls)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[look])
    assert len(calls) == before + 3  # the calls on arrays alone
    np.testing.assert_array_equal(part.last, model(X))


class Lists(metrics.Metric):
    """Keeps every batch, as a metric of scikit-learn's would want them."""

    def __init__(self) -> None:
        super().__init__(name="lists")
        self.batches: list[Any] = []

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.batches.append(y_pred)

    def result(self) -> Any:
        return ops.mean(ops.concatenate(self.batches))

    def reset_state(self) -> None:
        self.batches = []


class LastOne(Lists):
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.batches = ops.expand_dims(y_pred, 0)

    def result(self) -> Any:
        return ops.mean(self.batches)


@pytest.mark.parametrize("kind", [Lists, LastOne])
@pytest.mark.parametrize("run", ["fit", "evaluate", "train_on_batch"])
def test_a_metric_that_keeps_tensors_for_its_result_is_told_of(run: str, kind: Any) -> None:
    model = model_of(layers.Dense(3, kernel_initializer="ones"))
    model.compile(optimizers.SGD(0.0), "mse", metrics=[kind()])
    with pytest.raises(NacreError, match=r"'lists'\.batches.*add_variable.*run_eagerly=True"):
        RUNS[run](model)
    model.compile(optimizers.SGD(0.0), "mse", metrics=[kind()], run_eagerly=True)
    RUNS[run](model)
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["lists"] == 3.0


class KeepsKey(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.key = jax.random.key(0)

    def call(self, inputs: Any) -> Any:
        self.key, key = jax.random.split(self.key)
        return inputs + jax.random.normal(key, (1,))


def test_a_key_that_each_call_splits_is_told_of_at_the_first_step() -> None:
    model = nacre.Sequential([nacre.Input((1,)), KeepsKey(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"KeepsKey .*\.key: what a call keeps must not be read"):
        model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0)
    with pytest.raises(TracedValueError, match=r"\.key: a tensor that is kept"):
        model.predict(np.ones((4, 1)), verbose=0)
