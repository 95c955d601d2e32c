"""The compiled end of a step: it keeps old values where the step spoiled the weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import callbacks, layers
from nacre.core.errors import NonFiniteError
from nacre.ops.kernels import guard_native
from nacre.ops.kernels.native import library
from nacre.ops.kernels.native.table import GuardWork
from tests import native

SHAPES = [(300, 70), (7,), (), (2**14 + 3,)]  # the last in two pieces
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _kernel():
    native.need(library.GUARD)


def arrays(seed, **bad):
    """Arrays of these shapes; `weight=NAN` puts it last in a weight, `slot=NAN` in another array."""
    generator = np.random.default_rng(seed)
    found = [np.array(generator.standard_normal(shape), "float32") for shape in SHAPES]
    for name, value in bad.items():
        found[{"weight": 0, "small": 1, "scalar": 2, "slot": 3}[name]].flat[-1] = value
    return [jnp.asarray(array) for array in found]


CASES = {
    "all is finite": (True, {}, {}, True),
    "the loss is not": (False, {}, {}, False),
    "a weight became NaN": (True, {}, {"weight": NAN}, False),
    "a weight became infinite": (True, {}, {"small": -INFINITY}, False),
    "a scalar became NaN": (True, {}, {"scalar": NAN}, False),
    "a weight was NaN before": (True, {"small": NAN}, {"small": NAN, "weight": NAN}, True),
    "an optimizer's array became infinite": (True, {}, {"slot": INFINITY}, True),
}


@pytest.mark.parametrize("gives_arrays", [False, True], ids=["kept", "given"])
@pytest.mark.parametrize(("is_fine", "before", "after", "takes_new"), CASES.values(), ids=CASES)
def test_old_values_are_kept_where_the_step_spoiled_weights(
    is_fine, before, after, takes_new, gives_arrays
):
    def run(old, new):
        return guard_native.choose(jnp.asarray(is_fine), GuardWork(old, new, weights=3))

    old, new = arrays(0, **before), arrays(1, **after)
    expected = [np.array(array) for array in (new if takes_new else old)]
    found, chosen = jax.jit(run, donate_argnums=0 if gives_arrays else ())(old, new)
    assert bool(found) is takes_new
    for actual, wanted in zip(chosen, expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)


def deep_model(dtype=None):
    model = nacre.Sequential(
        [nacre.Input((8,)), *(layers.Dense(8, dtype=dtype) for _ in range(12)), layers.Dense(1)]
    )
    model.compile(nacre.optimizers.Adam(0.1), "mse", jit_compile=True)
    return model


def numbers(model):
    return [np.array(v) for v in [*model.weights, *model.optimizer.variables]]


def far_root(y, y_pred):
    """Finite, with a gradient that is not, where a prediction is its target."""
    return nacre.ops.mean(nacre.ops.sqrt(nacre.ops.square(y_pred - y)))


@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16", "bfloat16"])
def test_a_finite_loss_with_gradients_that_are_not_leaves_a_deep_model_as_it_was(dtype):
    model = deep_model(dtype)
    x = np.ones((4, 8), "float32")
    model.compile(nacre.optimizers.Adam(0.1), far_root)
    model.fit(x, np.ones((4, 1), "float32"), verbose=0)
    before = numbers(model)
    with pytest.raises(NonFiniteError, match="gradient"):
        model.fit(x, model.predict(x, verbose=0), verbose=0)
    for old, now in zip(before, numbers(model), strict=True):
        np.testing.assert_array_equal(old, now)


@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("bad", [NAN, 1e38])
def test_a_step_that_spoils_a_deep_model_leaves_it_as_it_was(bad, dtype):
    model = deep_model(dtype)
    x, y = np.ones((4, 8), "float32"), np.ones((4, 1), "float32")
    model.fit(x, y, verbose=0)
    before = numbers(model)
    x[2, 3] = bad
    with pytest.raises(NonFiniteError):
        model.fit(x, y, verbose=0)
    for old, now in zip(before, numbers(model), strict=True):
        np.testing.assert_array_equal(old, now)
    x[2, 3] = 1
    model.fit(x, y, verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(before, numbers(model), strict=True))


def test_the_kernel_changes_no_number_of_a_training(monkeypatch):
    def trained():
        nacre.utils.set_random_seed(0)
        model = deep_model()
        x = np.random.default_rng(1).random((4, 8), "float32")
        model.fit(x, x[:, :1], epochs=4, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
        return numbers(model)

    seen, real = [], guard_native.choose
    monkeypatch.setattr(guard_native, "choose", lambda *a: seen.append(1) or real(*a))
    with_kernel = trained()
    assert seen
    monkeypatch.setattr(guard_native, "is_used", lambda work: False)
    for a, b in zip(with_kernel, trained(), strict=True):
        np.testing.assert_array_equal(a, b)
