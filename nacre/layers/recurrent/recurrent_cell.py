"""What every built-in cell shares: weights of both products, initial states, dropout masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre import activations, constraints, initializers, ops, regularizers
from nacre.core import random
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ShapeError, message
from nacre.core.shapes import differ
from nacre.layers.base.layer import Layer
from nacre.layers.regularization.dropout import checked_rate


class OldStateKeywords(TypedDict, total=False):
    """What tf.keras 2 takes in `get_initial_state`."""

    inputs: Any
    dtype: Any


def number_of_rows(given: Any) -> Any:
    """A batch's size: it itself, or that of inputs, which tf.keras 2 asks for in its place."""
    if len(getattr(given, "shape", ())) > 0:
        return given.shape[0]
    return given


class RecurrentCell(Layer):
    """One step of a recurrence, with an input kernel, a recurrent kernel and a bias.

    Dropout masks belong to a sequence, not to a step: the loop draws them before it begins with
    `draw_dropout` and lets them go with `discard_dropout`. A cell called on its own draws new ones.
    """

    def __init__(
        self,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # 1 and 2 name two ways of tf.keras to do the same sums.
        self_implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self.implementation = self_implementation
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = checked_rate(self, dropout, "dropout")
        self.recurrent_dropout = checked_rate(self, recurrent_dropout, "recurrent_dropout")
        self.seed = seed
        self.seed_generator = None
        if self.dropout or self.recurrent_dropout:
            self.seed_generator = random.SeedGenerator(seed)
        self._drawn_dropout: tuple[Any, Any] | None = None

    def _make_weights(
        self, kernel: Any, recurrent: Any, bias: Any, bias_initializer: Any = None
    ) -> None:
        """Make kernel, recurrent kernel and bias of these shapes."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=recurrent,
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=bias,
                initializer=bias_initializer or self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def get_initial_state(
        self, batch_size: Any = None, **kwargs: Unpack[OldStateKeywords]
    ) -> list[Any]:
        """Zeros for every state.

        Args:
            batch_size: How many rows; or inputs that have as many, as in tf.keras 2.
            kwargs: `inputs` and `dtype`, as tf.keras 2 has them.
        """
        batch_size = number_of_rows(kwargs.get("inputs") if batch_size is None else batch_size)
        dtype = standardize_dtype(kwargs.get("dtype") or self.compute_dtype)
        sizes = self.state_size if isinstance(self.state_size, list | tuple) else [self.state_size]
        return [jnp.zeros((batch_size, size), dtype) for size in sizes]

    def states_for(self, inputs: Any, states: Any) -> list[Any]:
        """The states of a step as a list, checked against the inputs."""
        given = list(states) if isinstance(states, list | tuple) else [states]
        sizes = self.state_size if isinstance(self.state_size, list | tuple) else [self.state_size]
        wanted = [(*inputs.shape[:-1], size) for size in sizes]
        if not _have_shapes(given, wanted):
            raise ShapeError(
                message(
                    self._who(),
                    f"states must be {len(sizes)} array(s) of the shapes {wanted}",
                    f"{[tuple(getattr(state, 'shape', ())) for state in given]}",
                    f"Begin with {type(self).__name__}.get_initial_state(batch_size).",
                )
            )
        return given

    # ------------------------------------------------------------------------------- dropout

    def draw_dropout(self, input_shape: Any, state_shape: Any, training: Any) -> None:
        """Draw the masks for one sequence and keep them until `discard_dropout`."""
        if training and (self.dropout or self.recurrent_dropout):
            self._drawn_dropout = self._new_dropout_masks(input_shape, state_shape)

    def discard_dropout(self) -> None:
        """Forget the masks of the last sequence."""
        self._drawn_dropout = None

    def _new_dropout_masks(self, input_shape: Any, state_shape: Any) -> tuple[Any, Any]:
        return (
            self._draw_mask(self.dropout, input_shape),
            self._draw_mask(self.recurrent_dropout, state_shape),
        )

    def _draw_mask(self, rate: float, shape: Any) -> Any:
        """0 where a value is dropped, 1 / (1 - rate) where it stays; None without dropout."""
        if not rate:
            return None
        dtype = jnp.dtype(self.compute_dtype)
        if rate >= 1:
            return jnp.zeros(shape, dtype)
        # The chance's dtype is that of the draws: a float of Python's may mean 64 bits to JAX.
        chance = np.float32(1 - rate)
        kept = jax.random.bernoulli(random.draw_key(self.seed_generator), chance, shape)
        return kept.astype(dtype) / (1 - rate)

    def as_floats(self, inputs: Any) -> Any:
        """Inputs of whole numbers in the dtype of the states; floats as they are."""
        if jnp.issubdtype(inputs.dtype, jnp.floating):
            return inputs
        return ops.cast(inputs, self.compute_dtype)

    def dropped(self, inputs: Any, state: Any, training: Any) -> tuple[Any, Any]:
        """Inputs, as floats, and hidden state after dropout."""
        inputs = self.as_floats(inputs)
        if not training or not (self.dropout or self.recurrent_dropout):
            return inputs, state
        masks = self._drawn_dropout or self._new_dropout_masks(inputs.shape, state.shape)
        return (
            inputs if masks[0] is None else inputs * masks[0],
            state if masks[1] is None else state * masks[1],
        )


def _have_shapes(states: list[Any], wanted: list[Any]) -> bool:
    """Whether states have the wanted shapes; a batch of 1 serves any other, an unknown one too."""
    if len(states) != len(wanted) or any(not hasattr(state, "shape") for state in states):
        return False
    return all(
        len(state.shape) == len(shape)
        and state.shape[-1] == shape[-1]
        and not any(
            differ(a, b) and 1 not in (a, b) for a, b in zip(state.shape, shape, strict=True)
        )
        for state, shape in zip(states, wanted, strict=True)
    )


def with_open_forget_gate(initializer: Callable[..., Any], units: int) -> Callable[..., Any]:
    """A bias initializer of four gates whose second, the forget gate, begins at one."""

    def values(shape: Any, dtype: Any = None, **kwargs: Any) -> np.ndarray:
        parts = [
            np.asarray(initializer((units,), dtype=dtype)),
            np.ones((units,), np.float32),
            np.asarray(initializer((2 * units,), dtype=dtype)),
        ]
        return np.concatenate(parts).astype(parts[0].dtype)

    if hasattr(initializer, "fixed") and not hasattr(initializer, "seed"):
        # It may be called later, as an initializer of one seed could not be: there are two calls.
        values.fixed = lambda: values if initializer.fixed() else None  # type: ignore[attr-defined]
    return values
