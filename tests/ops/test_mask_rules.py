"""Masks of op results: the rules tell the truth, and name every op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core import scope
from nacre.ops._calls import REGISTRY

MASK = np.asarray([[True, True, True, False, False], [True, False, False, False, False]])
KERNEL = np.linspace(-1, 1, 16, dtype="float32").reshape(4, 4)

# Ops that keep steps, move them, cut them or join them. Padded steps hold NaN: where a result is
# NaN, and only there, its mask must be False.
KEEPS: dict[str, Callable[[Any], Any]] = {
    "number": lambda x: x * 2 + 1,
    "reflected": lambda x: 1 - x,
    "itself": lambda x: x + x,
    "a_row": lambda x: x + np.ones((1, 5, 1), "float32"),
    "unary": lambda x: -ops.tanh(x),
    "cast": lambda x: ops.cast(x, "float16"),
    "normalize": lambda x: ops.normalize(x, axis=-1),
    "stop_gradient": lambda x: ops.stop_gradient(x),
    "layer_norm": lambda x: ops.layer_normalization(x),
    "from_second": lambda x: x[:, 1:],
    "reversed": lambda x: x[:, ::-1],
    "features": lambda x: x[..., :3],
    "one_feature": lambda x: x[:, :, 0],
    "ellipsis_both": lambda x: x[:, 1:4, ...],
    "new_last_axis": lambda x: x[..., None],
    "by_positions": lambda x: x[:, [3, 0, 0]],
    "by_array": lambda x: x[:, np.asarray([2, 3])],
    "feature_array": lambda x: x[..., np.asarray([1, 0])],
    "one_sample": lambda x: x[1:],
    "slice": lambda x: ops.slice(x, (0, 2, 1), (2, 3, 2)),
    "matmul": lambda x: ops.matmul(x, KERNEL),
    "operator_matmul": lambda x: x @ KERNEL,
    "dot": lambda x: ops.dot(x, KERNEL),
    "tensordot": lambda x: ops.tensordot(x, KERNEL, axes=1),
    "tensordot_axes": lambda x: ops.tensordot(x, KERNEL, axes=[[2], [1]]),
    "einsum": lambda x: ops.einsum("btd,de->bte", x, KERNEL),
    "einsum_dots": lambda x: ops.einsum("...d,de->...e", x, KERNEL),
    "sum_features": lambda x: ops.sum(x, axis=-1),
    "mean_kept": lambda x: ops.mean(x, axis=2, keepdims=True),
    "max_features": lambda x: ops.max(x, axis=[-1]),
    "norm": lambda x: ops.norm(x, axis=-1),
    "expand_last": lambda x: ops.expand_dims(x, -1),
    "squeeze_last": lambda x: ops.squeeze(x[..., :1], -1),
    "heads": lambda x: ops.reshape(x, (2, 5, 2, 2)),
    "heads_unknown": lambda x: ops.reshape(x, (2, 5, -1, 2)),
    "swap_features": lambda x: ops.swapaxes(ops.reshape(x, (2, 5, 2, 2)), 2, 3),
    "transpose_features": lambda x: ops.transpose(ops.reshape(x, (2, 5, 2, 2)), (0, 1, 3, 2)),
    "moveaxis": lambda x: ops.moveaxis(ops.reshape(x, (2, 5, 2, 2)), 3, 2),
    "rearrange": lambda x: ops.rearrange(x, "b t (h d) -> b t d h", h=2),
    "flip": lambda x: ops.flip(x, axis=1),
    "flip_all": lambda x: ops.flip(x),
    "roll": lambda x: ops.roll(x, 2, axis=1),
    "roll_features": lambda x: ops.roll(x, 1, axis=-1),
    "repeat": lambda x: ops.repeat(x, 2, axis=1),
    "tile": lambda x: ops.tile(x, (1, 2, 3)),
    "take": lambda x: ops.take(x, np.asarray([4, 1]), axis=1),
    "take_features": lambda x: ops.take(x, np.asarray([[1, 0], [2, 2]]), axis=2),
    "join_steps": lambda x: ops.concatenate([x, x[:, :2]], axis=1),
    "join_features": lambda x: ops.concatenate([x, x[:, ::-1]], axis=-1),
    "join_unmasked": lambda x: ops.concatenate([np.ones((2, 2, 4), "float32"), x], axis=1),
    "join_samples": lambda x: ops.concatenate([x, x[:1]], axis=0),
    "stack": lambda x: ops.stack([x, x * 2], axis=2),
    "split_steps": lambda x: ops.split(x, [2, 3], axis=1),
    "split_features": lambda x: ops.split(x, 2, axis=-1),
    "unstack": lambda x: ops.unstack(x, axis=-1),
    "pad_features": lambda x: ops.pad(x, ((0, 0), (0, 0), (1, 1))),
    "sort_features": lambda x: ops.sort(x, axis=-1),
    "cumsum_features": lambda x: ops.cumsum(x, axis=-1),
    "broadcast": lambda x: ops.broadcast_to(x[..., :1], (2, 5, 3)),
    "where": lambda x: ops.where(np.ones((2, 5, 4), bool), x, 0.0),
}

# Ops after which no mask may be left.
ENDS: dict[str, Callable[[Any], Any]] = {
    "first_step": lambda x: x[:, 0],
    "last_step": lambda x: x[:, -1],
    "one_sample": lambda x: x[0],
    "new_first_axis": lambda x: x[None],
    "new_middle_axis": lambda x: x[:, None],
    "two_arrays": lambda x: x[np.asarray([0, 1]), np.asarray([1, 2])],
    "sum_steps": lambda x: ops.sum(x, axis=1),
    "sum_all": lambda x: ops.mean(x),
    "kept_steps": lambda x: ops.max(x, axis=1, keepdims=True),
    "swap": lambda x: ops.swapaxes(x, 1, 2),
    "transpose": lambda x: ops.transpose(x),
    "time_major": lambda x: ops.transpose(x, (1, 0, 2)),
    "one_row": lambda x: ops.reshape(x, (2, 20)),
    "merged_batch": lambda x: ops.reshape(x, (-1, 4)),
    "other_steps": lambda x: ops.reshape(x, (2, 10, 2)),
    "expand_first": lambda x: ops.expand_dims(x, 1),
    "stack_first": lambda x: ops.stack([x, x], axis=1),
    "pad_steps": lambda x: ops.pad(x, ((0, 0), (1, 0), (0, 0))),
    "contract_steps": lambda x: ops.matmul(np.ones((2, 3, 5), "float32"), x),
    "scores": lambda x: ops.einsum("btd,de->be", x, KERNEL),
    "conv": lambda x: ops.conv(x, np.ones((2, 4, 4), "float32"), padding="same"),
    "sort_steps": lambda x: ops.sort(x, axis=1),
    "ones": lambda x: ops.ones_like(x),
}


def model_of(function: Callable[[Any], Any]) -> nacre.Model:
    """A model of the op, between a layer that makes a mask and one that gives it on."""
    inputs = nacre.Input(batch_shape=(2, 5, 4))
    return nacre.Model(inputs, function(layers.Masking(-7.0)(inputs)))


def padded() -> np.ndarray:
    x = np.random.default_rng(0).uniform(0.1, 1, (2, 5, 4)).astype("float32")
    return np.where(MASK[..., None], x, np.float32(-7.0))


def marked(inputs: Any) -> Any:
    """Padded steps with their mask and the value NaN; by an op, as layers clean what they mask."""
    return ops.where(MASK[..., None], layers.Masking(-7.0)(inputs), np.float32(np.nan))


@pytest.mark.parametrize("name", KEEPS)
def test_the_mask_is_false_where_padding_went(name: str) -> None:
    inputs = nacre.Input(batch_shape=(2, 5, 4))
    outputs = KEEPS[name](marked(inputs))
    results = nacre.Model(inputs, outputs)(padded())
    symbolic = outputs if isinstance(outputs, list) else [outputs]
    for tensor, result in zip(
        symbolic, results if isinstance(results, list) else [results], strict=True
    ):
        mask = scope.get_mask(result)
        assert mask is not None
        assert tensor._keras_mask.shape == mask.shape
        trailing = tuple(range(mask.ndim, result.ndim))
        np.testing.assert_array_equal(mask, ~np.any(np.isnan(result), axis=trailing))


@pytest.mark.parametrize("name", ENDS)
def test_no_mask_is_left(name: str) -> None:
    model = model_of(ENDS[name])
    assert getattr(model.output, "_keras_mask", None) is None
    assert scope.get_mask(model(padded())) is None


def test_every_op_has_a_rule_or_a_reason() -> None:
    for name, op in REGISTRY.items():
        if op.function.__module__.startswith("nacre.ops."):
            assert callable(op.masks) or "has no rule" not in op.masks, name


def test_both_operands_must_count() -> None:
    first = nacre.Input((3,), dtype="int32")
    second = nacre.Input((3,), dtype="int32")
    embedding = layers.Embedding(5, 2, mask_zero=True)
    model = nacre.Model([first, second], embedding(first) * embedding(second))
    output = model([np.asarray([[1, 2, 0]]), np.asarray([[0, 2, 3]])])
    np.testing.assert_array_equal(scope.get_mask(output), [[False, True, False]])


def test_unknown_sizes_are_followed() -> None:
    ids = nacre.Input((None,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(ids)
    y = x[:, 1:] * 2
    assert y._keras_mask.shape == (None, None)
    model = nacre.Model(ids, y)
    for steps in (3, 6):
        values = np.asarray([[1] * steps, [1, 2, *[0] * (steps - 2)]])
        np.testing.assert_array_equal(scope.get_mask(model(values)), values[:, 1:] != 0)


def test_masks_add_no_names_to_the_graph() -> None:
    """Op names are written to files: computing masks must not count among them."""

    def names(mask_zero: bool) -> list[str]:
        nacre.utils.clear_session()
        ids = nacre.Input((4,), dtype="int32")
        x = layers.Embedding(5, 4, mask_zero=mask_zero)(ids)
        model = nacre.Model(ids, ops.tanh(x[:, 1:] + x[:, :-1])[:, ::-1])
        return [op.name for op in model._graph.operations]

    assert names(True) == names(False)


def test_a_layer_that_stops_its_mask_stops_that_of_its_ops() -> None:
    class Stops(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return ops.relu(self.dense(inputs))

        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
            return None

    class Passes(Stops):
        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
            return previous_mask

    ids = np.asarray([[1, 2, 0]])
    for layer, expected in ((Stops(), None), (Passes(), [[True, True, False]])):
        model = nacre.Sequential([layers.Embedding(5, 4, mask_zero=True), layer])
        model.build((None, 3))
        mask = scope.get_mask(model(ids))
        assert mask is expected or np.array_equal(mask, expected)


def test_arrays_outside_of_calls_carry_nothing() -> None:
    x = layers.Embedding(5, 4, mask_zero=True)(np.asarray([[1, 0]]))
    assert scope.get_mask(x) is not None
    assert scope.get_mask(ops.multiply(x, 2)) is None


def test_eager_and_compiled_calls_agree() -> None:
    class Scaled(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = layers.Embedding(5, 4, mask_zero=True)

        def call(self, inputs: Any) -> Any:
            return ops.flip(ops.multiply(self.embedding(inputs), 2.0), axis=1)

    ids = np.asarray([[1, 2, 0]])
    for run_eagerly in (True, False):
        model = Scaled()
        model.compile(run_eagerly=run_eagerly)
        for _ in range(2):  # the second call is the compiled one
            np.testing.assert_array_equal(scope.get_mask(model(ids)), [[False, True, True]])


@pytest.mark.full_effort
def test_no_mask_leaves_the_program_as_it_was() -> None:
    import jax

    def text(mask_zero: bool) -> str:
        nacre.utils.clear_session()
        nacre.utils.set_random_seed(0)
        ids = nacre.Input((4,), dtype="int32")
        x = layers.Embedding(5, 4, mask_zero=mask_zero)(ids)
        model = nacre.Model(ids, ops.tanh(x[:, 1:] * 2 + 1))
        return jax.jit(lambda i: model(i)).lower(np.zeros((2, 4), "int32")).compile().as_text()

    def instructions(program: str) -> int:
        return sum(" = " in line for line in program.splitlines())

    # A mask that nobody reads is not computed either.
    assert instructions(text(True)) == instructions(text(False))
