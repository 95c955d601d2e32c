"""Scopes: functional state, calls under way, autocasting; each thread has its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core import scope
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable


def test_scopes_nest_and_are_left_after_errors() -> None:
    outer = scope.StatelessScope()
    with outer:
        with pytest.raises(KeyError), scope.StatelessScope():
            raise KeyError
        assert scope.get_stateless_scope() is outer
    assert not scope.in_stateless_scope()


def test_each_thread_has_its_own_functional_state() -> None:
    v = Variable(0.0)
    together = Barrier(4)

    def work(index: int) -> tuple[float, float]:
        outside = float(v)
        with scope.StatelessScope([(v, jnp.float32(index))]):
            together.wait(5)
            v.assign_add(10.0)
            together.wait(5)
            return outside, float(v)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [(0.0, 10.0 + i) for i in range(4)]
    assert float(v) == 0.0


@pytest.mark.parametrize(
    ("enter", "read"),
    [(lambda: scope.autocast("float16"), scope.autocast_dtype),
     (lambda: scope.entered_call(scope.CallContext(None, True)), scope.call_context),
     (scope.symbolic_scope, scope.in_symbolic_scope)],
)  # fmt: skip
def test_other_threads_do_not_see_a_scope(enter: Any, read: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        with enter():
            assert read() and not pool.submit(read).result()
        assert not read()


def test_scopes_are_pure_functions_for_jax() -> None:
    v = Variable(2.0)

    def pure(value: Any, x: Any) -> Any:
        with scope.StatelessScope([(v, value)]) as inner:
            v.assign(v.value * x)
            return inner.get_current_value(v)

    assert jax.grad(pure)(3.0, 4.0) == 4.0 and jax.jit(pure)(3.0, 4.0) == 12.0
    assert float(v) == 2.0


def test_losses_are_kept_in_order() -> None:
    inner = scope.StatelessScope(collect_losses=True)
    inner.add_loss(1)
    inner.add_loss(2)
    assert inner.losses == [1, 2]


def test_masks_travel_with_arrays_and_symbolic_tensors() -> None:
    for tensor in (jnp.ones(2), KerasTensor((2,))):
        assert scope.get_mask(tensor) is None
        scope.set_mask(tensor, "mask")
        assert scope.get_mask(tensor) == "mask"


def test_masks_of_traced_values_live_in_the_call() -> None:
    def function(x: Any) -> Any:
        with scope.entered_call(scope.CallContext(None, None)):
            y = x + 1
            scope.set_mask(y, x > 0)
            assert scope.get_mask(y) is not None and scope.get_mask(x) is None
        assert scope.get_mask(y) is None
        return y

    jax.jit(function)(jnp.ones(2))


def test_a_mask_with_nowhere_to_live_is_dropped() -> None:
    array = np.ones(2)
    scope.set_mask(array, "mask")
    assert scope.get_mask(array) is None


def test_logits_are_remembered_within_one_call() -> None:
    probabilities = jnp.ones(2)
    scope.note_logits(probabilities, "logits")
    assert scope.logits_of(probabilities) is None
    with scope.entered_call(scope.CallContext(None, None)):
        scope.note_logits(probabilities, "logits")
        assert scope.logits_of(probabilities) == "logits" and scope.logits_of(jnp.ones(2)) is None
    assert scope.logits_of(probabilities) is None
