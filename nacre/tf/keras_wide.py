"""Wide and deep models, layers that are adapted, and steps over time, as in tf.keras 2.15."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre import Input, activations, initializers, layers, ops, regularizers
from nacre.core import tree
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import deserialize_keras_object, register, serialize_keras_object
from nacre.core.safety import reads_config
from nacre.core.symbolic import any_symbolic
from nacre.data import Dataset
from nacre.layers import Layer
from nacre.models import Model
from nacre.tf.values import tensor


@register("models/LinearModel")
class LinearModel(Model):
    """A sum of inputs, each by a kernel of its own, and a bias.

    Args:
        units: Sizes of the output.
        activation: What is applied to the sum.
        use_bias: Whether a bias is added.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on them.

    Shapes:
        inputs  (batch, features), or a list or dict of such
        returns (batch, units)
    Source:
        tf.keras 2.15.
    Example:
        >>> tuple(LinearModel(units=3)([np.ones((2, 4)), np.ones((2, 5))]).shape)
        (2, 3)
    """

    def __init__(
        self, units: int = 1, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "zeros", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.units, self.use_bias = units, use_bias
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.dense_layers: list[Any] = []
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        """Make a kernel for each input, and the bias."""
        for _ in _parts(input_shape, is_shape=True):
            self.dense_layers.append(
                layers.Dense(
                    self.units,
                    use_bias=False,
                    kernel_initializer=initializers.serialize(self.kernel_initializer),
                    kernel_regularizer=self.kernel_regularizer,
                )
            )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """The sum."""
        given = _parts(inputs)
        if len(given) != len(self.dense_layers):
            rule = f"it was built for {len(self.dense_layers)} inputs"
            raise ShapeError(message(f"LinearModel '{self.name}'", rule, str(len(given))))
        total = sum(dense(x) for dense, x in zip(self.dense_layers, given, strict=True))
        total = total if self.bias is None else total + self.bias
        return self.activation(total)


def _parts(inputs: Any, is_shape: bool = False) -> list[Any]:
    """Inputs as a list, those of a dict by their sorted names."""
    if isinstance(inputs, dict):
        return [inputs[name] for name in sorted(inputs)]
    is_one = not isinstance(inputs, list | tuple)
    if is_shape:
        is_one = all(n is None or isinstance(n, int) for n in inputs)
    return [inputs] if is_one else list(inputs)


@register("models/WideDeepModel")
class WideDeepModel(Model):
    """The sum of what a linear and a deep model give.

    Args:
        linear_model, dnn_model: The two; each gets one of a pair of inputs, or both all of them.
        activation: What is applied to the sum.

    Source:
        tf.keras 2.15. Differs: one optimizer trains both; a pair of optimizers is refused.
    Example:
        >>> model = WideDeepModel(LinearModel(), layers.Dense(1))
        >>> tuple(model([np.ones((2, 3)), np.ones((2, 4))]).shape)
        (2, 1)
    """

    def __init__(
        self, linear_model: Any, dnn_model: Any, activation: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.linear_model, self.dnn_model = linear_model, dnn_model
        self.activation = activations.get(activation)

    def compile(self, optimizer: Any = "rmsprop", *args: Any, **kwargs: Any) -> None:
        """Say how it is trained."""
        if isinstance(optimizer, list | tuple):
            rule, fix = "one optimizer trains both parts", "Give one: compile('adam', ...)."
            raise ArgumentError(message(f"WideDeepModel '{self.name}'", rule, "several", fix))
        super().compile(optimizer, *args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The sum of both."""
        is_pair = isinstance(inputs, list | tuple) and len(inputs) == 2
        wide, deep = inputs if is_pair else (inputs, inputs)
        one, other = self.linear_model(wide), self.dnn_model(deep, training=training)
        return tree.map_structure(lambda a, b: self.activation(a + b), one, other)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            "name": self.name,
            "linear_model": serialize_keras_object(self.linear_model),
            "dnn_model": serialize_keras_object(self.dnn_model),
            "activation": activations.serialize(self.activation),
        }

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> WideDeepModel:
        """The model of these arguments."""
        parts = {k: deserialize_keras_object(config[k]) for k in ("linear_model", "dnn_model")}
        return cls(**{**config, **parts})


class PreprocessingLayer(Layer):
    """A layer whose state is computed from data before training: a base class.

    A subclass makes its variables in `build`, takes a batch in `update_state`, and computes what
    `call` needs in `finalize_state`.

    Source:
        tf.keras 2.15. Differs: `adapt` runs as plain Python.
    Example:
        >>> class Largest(PreprocessingLayer):
        ...     def build(self, shape):
        ...         self.largest = self.add_weight(name="largest", trainable=False)
        ...     def update_state(self, data):
        ...         self.largest.assign(ops.maximum(self.largest, ops.max(data)))
        ...     def call(self, inputs):
        ...         return inputs / self.largest
        >>> layer = Largest()
        >>> layer.adapt(np.array([[1.0], [4.0]], "float32"))
        >>> float(layer(np.array([[2.0]], "float32"))[0, 0])
        0.5
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_adapted = False

    @property
    def is_adapted(self) -> bool:
        """Whether `adapt` has run."""
        return self._is_adapted

    def compile(self, run_eagerly: bool | None = None, steps_per_execution: Any = None) -> None:
        """Accepted for compatibility: `adapt` runs as plain Python.

        Args:
            run_eagerly, steps_per_execution: Accepted for compatibility.
        """

    def update_state(self, data: Any) -> None:
        """Take a batch into account.

        Args:
            data: The batch.
        """
        rule, fix = "a subclass says how its state is computed", "Define update_state(data)."
        raise ArgumentError(message(f"{type(self).__name__} '{self.name}'", rule, "none", fix))

    def reset_state(self) -> None:
        """Forget all data: variables are zeros."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def finalize_state(self) -> None:
        """Compute what `call` needs, once all data were seen."""

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Compute the state from data, anew.

        Args:
            data: An array, or a data set of batches.
            batch_size: Rows of an array taken at a time, 32 by default.
            steps: Batches taken at most.
        """
        size = batch_size or 32
        if isinstance(data, Dataset):
            batches: Any = data
        else:
            array = tensor(data)
            batches = (array[at : at + size] for at in range(0, array.shape[0], size))
        is_fresh = True
        for number, batch in enumerate(batches):
            if steps is not None and number >= steps:
                break
            if is_fresh:
                if not self.built:
                    self.build((None, *tuple(batch.shape)[1:]))
                    self.built = True
                if self._is_adapted:
                    self.reset_state()
                is_fresh = False
            self.update_state(batch)
        if is_fresh:
            rule = "there must be data to adapt to"
            raise ArgumentError(message(f"{type(self).__name__} '{self.name}'", rule, "none"))
        self.finalize_state()
        self._is_adapted = True


def placeholder(
    shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False,
    name: str | None = None, ragged: bool = False,
) -> Any:  # fmt: skip
    """An input of a graph, for `K.function`.

    Args:
        shape: The shape, the batch first.
        ndim: How many axes there are, where their sizes are open.
        dtype: The dtype; floatx by default.
        sparse, ragged: Whether its values are such.
        name: The name.
    """
    if shape is None:
        if ndim is None:
            rule, fix = "shape or ndim must be given", "Give a shape: K.placeholder((None, 3))."
            raise ArgumentError(message("keras.backend.placeholder", rule, "neither", fix))
        shape = (None,) * ndim
    kinds = {key: True for key, on in (("sparse", sparse), ("ragged", ragged)) if on}
    return Input(batch_shape=tuple(shape), dtype=dtype, name=name, **kinds)


def manual_variable_initialization(value: bool) -> None:
    """Accepted for compatibility: variables have their values when they are made.

    Args:
        value: Accepted for compatibility.
    """


def rnn(
    step_function: Callable[..., Any], inputs: Any, initial_states: Sequence[Any],
    go_backwards: bool = False, mask: Any = None, constants: Sequence[Any] | None = None,
    unroll: bool = False, input_length: Any = None, time_major: bool = False,
    zero_output_for_mask: bool = False, return_all_outputs: bool = True,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Apply a function to each step of time.

    Args:
        step_function: `(step, states) -> (output, new states)`.
        inputs: Tensors, (batch, time, ...).
        initial_states: The states before the first step.
        go_backwards: Whether the last step comes first.
        mask: (batch, time); at False a step gives the output before it and leaves the states.
        constants: Added to the states that `step_function` is given.
        unroll: Whether each step is a part of the program of its own.
        input_length: Accepted for compatibility: the length is that of `inputs`.
        time_major: Whether the first axis is the time.
        zero_output_for_mask: Whether masked steps give zeros.
        return_all_outputs: Whether outputs of all steps are returned, else of the last alone.

    Returns:
        The last output, (batch, ...); the outputs, (batch, time, ...); the states.
    Source:
        tf.keras 2.15.
    Example:
        >>> x, start = np.ones((1, 3, 2), "float32"), np.zeros((1, 2), "float32")
        >>> last, outputs, states = rnn(lambda x, s: (x + s[0], [x + s[0]]), x, [start])
        >>> last.tolist(), tuple(outputs.shape)
        ([[3.0, 3.0]], (1, 3, 2))
    """
    if any_symbolic((inputs, initial_states), {}):
        rule, fix = "it takes tensors with values, or within a layer's call", "Use layers.RNN."
        raise ArgumentError(message("keras.backend.rnn", rule, "symbolic tensors", fix))

    def by_time(x: Any) -> Any:
        array = jnp.asarray(tensor(x))
        return array if time_major else jnp.swapaxes(array, 0, 1)

    rows = tree.map_structure(by_time, inputs)
    length = tree.flatten(rows)[0].shape[0]
    if length == 0:
        raise ShapeError(message("keras.backend.rnn", "there must be a step", "no step of time"))
    is_seen = jnp.ones((length, 1), bool) if mask is None else _steps_of(mask, time_major)
    extra = [] if constants is None else list(constants)
    start = tree.map_structure(lambda x: jnp.asarray(tensor(x)), list(initial_states))

    def run(step: Any, states: Any) -> tuple[Any, Any]:
        output, new = step_function(step, [*states, *extra])
        return tree.map_structure(lambda x: jnp.asarray(tensor(x)), (output, list(new)))

    def turn(carry: Any, given: Any) -> tuple[Any, Any]:
        states, before = carry
        step, seen = given
        output, new = run(step, states)
        if mask is None:
            return [new, output], output
        instead = tree.map_structure(jnp.zeros_like, output) if zero_output_for_mask else before
        output = tree.map_structure(lambda a, b: _where(seen, a, b), output, instead)
        return [tree.map_structure(lambda a, b: _where(seen, a, b), new, states), output], output

    first = tree.map_structure(lambda x: x[-1 if go_backwards else 0], rows)
    none_yet = tree.map_structure(jnp.zeros_like, run(first, start)[0])
    places = range(length - 1, -1, -1) if go_backwards else range(length)
    carry: Any = [start, none_yet]
    if unroll:
        found = []
        for at in places:
            carry, output = turn(
                carry, (tree.map_structure(lambda x, at=at: x[at], rows), is_seen[at])
            )
            found.append(output)
        outputs = tree.map_structure(lambda *x: jnp.stack(x), *found)
    else:
        order = jnp.asarray(list(places))
        carry, outputs = ops.scan(
            turn, carry, tree.map_structure(lambda x: x[order], (rows, is_seen))
        )
    states, last = carry
    if not return_all_outputs:
        outputs = tree.map_structure(lambda x: x[None], last)
    if not time_major:
        outputs = tree.map_structure(lambda x: jnp.swapaxes(x, 0, 1), outputs)
    return last, outputs, states


def _steps_of(mask: Any, time_major: bool) -> Any:
    """A mask with the time first."""
    found = jnp.asarray(tensor(mask)).astype(bool)
    found = found[..., 0] if found.ndim == 3 else found
    return found if time_major else found.T


def _where(seen: Any, one: Any, other: Any) -> Any:
    return jnp.where(seen.reshape(seen.shape + (1,) * (one.ndim - 1)), one, other)


__all__ = [
    "LinearModel", "PreprocessingLayer", "WideDeepModel", "manual_variable_initialization",
    "placeholder", "rnn",
]  # fmt: skip
