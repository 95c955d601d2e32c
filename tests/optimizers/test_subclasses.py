"""Optimizers that users wrote for Keras: what their code calls is there, or says what to call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops, optimizers
from nacre.core.errors import ArgumentError, NotThereError


class Momentum(optimizers.Optimizer):
    """As the optimizers of Keras 3 are written: its docs say to take them as examples."""

    def __init__(self, learning_rate: Any = 0.1, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.sums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        total = self.sums[self._get_variable_index(variable)]
        self.assign(total, self.momentum * total - rate * gradient)
        self.assign_add(variable, total)


def trained(optimizer: Any) -> list[np.ndarray]:
    inputs = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    model = nacre.Sequential(
        [nacre.Input((3,)), layers.Dense(2, "tanh", kernel_initializer="ones"), layers.Dense(1)]
    )
    model.layers[1].set_weights([np.ones((2, 1)), np.zeros(1)])
    model.compile(optimizer, "mse")
    model.fit(inputs, inputs[:, :1], epochs=2, batch_size=4, shuffle=False, verbose=0)
    return model.get_weights()


def test_a_rule_written_for_keras_3_trains_as_the_built_in_one() -> None:
    own, built_in = trained(Momentum()), trained(optimizers.SGD(0.1, momentum=0.9))
    for ours, theirs in zip(own, built_in, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


class EverySecond(optimizers.Optimizer):
    """Sums gradients by hand and gives each second sum to an optimizer that it wraps."""

    def __init__(self, inner: Any, **kwargs: Any) -> None:
        super().__init__(learning_rate=0.0, **kwargs)
        self.inner = inner

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.inner.build(variables)
        self.sums = self.add_optimizer_variables(variables, "sum")
        self.calls = self.add_variable((), dtype="int32", name="calls")

    def apply_gradients(self, grads_and_vars: Any, **kwargs: Any) -> None:
        pairs = list(grads_and_vars)
        self.build([variable for _, variable in pairs])
        self.calls.assign_add(1)
        for total, (gradient, _) in zip(self.sums, pairs, strict=True):
            total.assign_add(gradient)
        ops.cond(self.calls % 2 == 0, lambda: self.pass_on([v for _, v in pairs]), lambda: None)

    def pass_on(self, variables: Any) -> None:
        self.inner.apply_gradients((s / 2, v) for s, v in zip(self.sums, variables, strict=True))
        for total in self.sums:
            total.assign(ops.zeros_like(total))


@pytest.mark.parametrize(
    "around", [lambda inner: inner, optimizers.LossScaleOptimizer], ids=["alone", "loss scale"]
)
def test_the_state_of_a_wrapped_optimizer_goes_on_from_step_to_step(around: Any) -> None:
    inner = optimizers.Adam(0.1)
    own = trained(around(EverySecond(inner)))
    built_in = trained(optimizers.Adam(0.1, gradient_accumulation_steps=2))
    assert int(inner.iterations) == 2
    for ours, theirs in zip(own, built_in, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_state_of_a_wrapped_optimizer_is_kept_with_the_one_around_it() -> None:
    def built(optimizer: Any) -> Any:
        optimizer.build([nacre.Variable(np.ones(2), name="kernel")])
        return optimizer

    around, again = (built(EverySecond(optimizers.Adam(0.1))) for _ in range(2))
    kernel = around.trained_variables[0]
    for _ in range(2):
        around.apply_gradients([(np.ones(2, "float32"), kernel)])
    again.set_weights(around.get_weights())
    assert int(again.inner.iterations) == 1
    for mine, theirs in zip(again.inner.variables, around.inner.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize("steps", [None, 2])
def test_what_a_rule_counts_for_the_script_is_counted(steps: int | None) -> None:
    counted = nacre.Variable(0.0, trainable=False)

    class Counting(Momentum):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            counted.assign_add(1.0)
            super().update_step(gradient, variable, learning_rate)

    trained(Counting(gradient_accumulation_steps=steps))
    assert float(counted) == 4 * 4 / (steps or 1)  # variables by updates


class OfTwo(optimizers.Optimizer):
    """Momentum, written as tf.keras 2.11 to 2.15 wants it."""

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(name="OfTwo", **kwargs)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.momentum = momentum

    def build(self, variables: Any) -> None:
        super().build(variables)
        if hasattr(self, "_built") and self._built:  # pyright: ignore
            return
        self._built = True
        self.momenta = [
            self.add_variable_from_reference(model_variable=v, variable_name="m") for v in variables
        ]

    def update_step(self, gradient: Any, variable: Any) -> None:  # pyright: ignore
        moment = self.momenta[self._index_dict[self._var_key(variable)]]
        moment.assign(self.momentum * moment - self.learning_rate * gradient)
        variable.assign_add(moment)

    def get_config(self) -> dict[str, Any]:
        rate = self._serialize_hyperparameter(self._learning_rate)
        return {**super().get_config(), "learning_rate": rate, "momentum": self.momentum}


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("runs", ["fit", "apply_gradients"])
def test_a_rule_of_tf_keras_2_that_reads_its_rate_is_the_rule_that_is_given_it(
    runs: str, steps: int | None
) -> None:
    def rate() -> Any:
        return optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5)

    found = []
    for optimizer in (
        OfTwo(rate(), gradient_accumulation_steps=steps),
        optimizers.SGD(rate(), momentum=0.9, gradient_accumulation_steps=steps),
    ):
        kernel = nacre.Variable([1.0, 2.0])
        if runs == "apply_gradients":
            for i in range(4):
                optimizer.apply_gradients([(np.array([1.0, i], "float32"), kernel)])
            found.append(kernel.numpy())
            continue
        layer = nacre.layers.Dense(1, kernel_initializer="ones")
        model = nacre.Sequential([nacre.Input((2,)), layer])
        model.compile(optimizer, "mse")
        x = np.arange(16, dtype="float32").reshape(8, 2) / 16
        model.fit(x, x[:, :1], batch_size=2, epochs=2, shuffle=False, verbose=0)
        found.append(layer.kernel.numpy())
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_a_rate_that_a_script_changes_is_read_at_the_next_step() -> None:
    optimizer, kernel = OfTwo(0.1, momentum=0.0), nacre.Variable([1.0])
    optimizer.apply_gradients([(np.ones(1, "float32"), kernel)])
    optimizer.learning_rate = 0.5
    optimizer.apply_gradients([(np.ones(1, "float32"), kernel)])
    np.testing.assert_allclose(kernel.numpy(), [0.4], rtol=1e-6)
    assert optimizer.get_config()["learning_rate"] == 0.5
    again = OfTwo.from_config({k: v for k, v in optimizer.get_config().items() if k != "name"})
    assert float(again.learning_rate) == 0.5


def test_a_rule_of_other_arguments_is_refused_before_the_first_step() -> None:
    class OfOne(optimizers.Optimizer):
        def update_step(self, gradient: Any) -> None:  # pyright: ignore
            pass

    with pytest.raises(ArgumentError, match=r"OfOne: update_step must take .*learning_rate"):
        trained(OfOne(0.1))
    with pytest.raises(ArgumentError, match=r"learning_rate_multipliers.*learning_rate in"):
        trained(OfTwo(0.1, learning_rate_multipliers={".*": 2.0}))


def test_an_optimizer_without_a_rate_says_so() -> None:
    with pytest.raises(ArgumentError, match="learning_rate must be a number"):
        optimizers.Adam(learning_rate=None)  # pyright: ignore

    class Forgetting(OfTwo):
        def __init__(self) -> None:
            optimizers.Optimizer.__init__(self)
            self.momentum = 0.0

    with pytest.raises(ArgumentError, match=r"must have a learning rate.*super"):
        trained(Forgetting())


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("get_slot", "update_step"),
        ("_set_hyper", "update_step"),
    ],
)
def test_what_rules_of_tf_keras_2_call_says_what_to_call(name: str, fix: str) -> None:
    with pytest.raises(NotThereError, match=fix):
        getattr(Momentum(), name)
    assert not hasattr(Momentum(), name)
    assert not hasattr(Momentum(), "anything_else")


def test_the_decayed_rate_of_tf_keras_2_is_the_present_one() -> None:
    optimizer = optimizers.SGD(optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0))
    optimizer.apply_gradients([(np.ones(1, "float32"), nacre.Variable([1.0]))])
    found = optimizer._decayed_lr("float16")
    assert (str(found.dtype), round(float(found), 3)) == ("float16", 0.05)
