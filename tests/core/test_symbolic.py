"""Symbolic tensors: shapes found by tracing, and what they cannot do."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre import ops
from nacre.core.errors import ArgumentError
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor, any_symbolic, is_symbolic
from nacre.core.variable import Variable


@given(st.lists(st.one_of(st.none(), st.integers(1, 3)), min_size=1, max_size=3))
@settings(max_examples=10)
def test_the_inferred_shape_is_the_real_one_where_it_is_known(sizes: list[int | None]) -> None:
    function = lambda x: jnp.concatenate([x, x * 2.0], axis=-1)[None]
    symbolic = infer(function, KerasTensor(sizes))
    for unknown in (2, 5):
        sample = jax.ShapeDtypeStruct([unknown if n is None else n for n in sizes], "float32")
        real = jax.eval_shape(function, sample).shape
        assert len(real) == len(symbolic.shape)
        assert all(s in (None, r) for s, r in zip(symbolic.shape, real, strict=True))
    known = [n is not None for n in sizes]
    assert [n is not None for n in symbolic.shape] == [True, *known]


def test_structures_and_plain_values_come_through() -> None:
    given = {"a": KerasTensor((None, 2)), "b": [KerasTensor((None, 3), "int32")]}
    out = infer(lambda d: {"sum": d["a"].sum(axis=1), "n": 3, "b": (d["b"][0],)}, given)
    assert out["sum"].shape == (None,) and out["n"] == 3
    assert out["b"][0].shape == (None, 3) and out["b"][0].dtype == "int32"


def test_inferring_changes_no_variable() -> None:
    v = Variable(1.0)
    infer(lambda x: v.assign_add(1.0) + x, KerasTensor((None,)))
    assert float(v) == 1.0


def test_an_error_of_the_function_gets_out() -> None:
    with pytest.raises(ValueError, match=r"Incompatible shapes.*\(b, 3\), \(7,\)"):
        infer(lambda x: x + jnp.ones(7), KerasTensor((None, 3)))


@pytest.mark.parametrize(
    "use", [bool, float, int, len, list, np.asarray, jnp.asarray, lambda t: t if t > 0 else -t]
)
def test_what_needs_values_is_refused_with_a_way_out(use: Any) -> None:
    with pytest.raises(ArgumentError, match=r"'x' of shape|no values yet.*nacre.ops"):
        use(KerasTensor((None, 3), name="x"))


def test_known_sizes_can_be_asked_for() -> None:
    tensor = KerasTensor((4, 3), "int32")
    assert len(tensor) == 4 and tensor.size == 12 and tensor.ndim == 2
    assert KerasTensor((None, 3)).size is None
    assert [row.shape for row in tensor] == [(3,)] * 4
    assert "shape=(4, 3), dtype=int32" in repr(tensor)


def test_finding_symbolic_tensors_in_arguments() -> None:
    tensor = KerasTensor((1,))
    assert is_symbolic(tensor) and not is_symbolic(np.ones(1))
    for args, kwargs in (((tensor,), {}), (([1, {"k": tensor}],), {}), ((), {"x": (tensor,)})):
        assert any_symbolic(args, kwargs)
    assert not any_symbolic((np.ones(1), [2], {"k": None}), {"y": 1})


def test_operators_and_arrays_on_either_side_record_a_node() -> None:
    tensor = KerasTensor((None, 3))
    for result in (
        tensor + 1,
        1 - tensor,
        np.ones(3, "float32") * tensor,
        tensor @ np.ones((3, 2)),
    ):
        assert is_symbolic(result) and result._keras_history is not None
    assert (tensor > 0).dtype == "bool" and tensor[:, 0].shape == (None,)
    assert ops.matmul(tensor, np.ones((3, 2), "float32")).shape == (None, 2)


def test_history_leads_back_to_the_inputs() -> None:
    tensor = KerasTensor((None, 3))
    made = ops.relu(tensor + 1)
    node = made._keras_history.operation._inbound_nodes[made._keras_history.node_index]
    assert node.outputs[0] is made and node.parents[0].inputs[0] is tensor
