"""Functions of `tf.keras.backend` that decide, draw random numbers, keep values and run graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre import ops, random
from nacre.core import config, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.scope import call_context
from nacre.core.symbolic import is_symbolic
from nacre.core.values import get_value
from nacre.core.variable import Variable
from nacre.models.functional import Function


def eval(x: Any) -> Any:
    """The value of a variable or tensor, in NumPy."""
    return get_value(x)


def foldl(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None
) -> Any:
    """fn(... fn(fn(initializer, first), second) ..., last); without an initializer from the first.

    Example:
        >>> int(foldl(lambda total, x: total + x, np.array([1, 2, 3])))
        6
    """
    found = ops.convert_to_tensor(elems)
    first = found[0] if initializer is None else ops.convert_to_tensor(initializer)
    rest = found[1:] if initializer is None else found
    return ops.scan(lambda carry, x: (fn(carry, x), None), first, rest)[0]


def foldr(
    fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None
) -> Any:
    """As `foldl`, from the last one on."""
    return foldl(fn, ops.flip(elems, 0), initializer)


def function(
    inputs: Any, outputs: Any, updates: Any = None, name: str | None = None, **kwargs: Any
) -> Callable[[Any], Any]:
    """A function of NumPy arrays for a graph between symbolic tensors.

    Args:
        inputs: Symbolic tensors, such as `[model.input]`.
        outputs: What is computed from them, such as `[model.layers[2].output]`.
        updates, kwargs: Of sessions, which there are none of; must be empty.
        name: Kept for compatibility.

    Raises:
        ArgumentError: Something else than symbolic tensors is given.
    Example:
        >>> import nacre
        >>> x = nacre.Input((2,))
        >>> twice = function([x], [x * 2])
        >>> twice([np.ones((1, 2))])[0].tolist()
        [[2.0, 2.0]]
    """
    for value, what in ((inputs, "inputs"), (outputs, "outputs")):
        if not all(is_symbolic(leaf) for leaf in tree.flatten(value)):
            rule = f"{what} must be symbolic tensors"
            fix = "A flag for training belongs into a call: model(x, training=True)."
            raise ArgumentError(message("K.function", rule, f"{value!r:.80}", fix))
    if updates or kwargs:
        rule = "there are no sessions, so neither updates nor their options"
        raise ArgumentError(message("K.function", rule, f"{updates or kwargs!r:.80}"))
    graph = Function(inputs, outputs)
    return lambda values: tree.map_structure(np.asarray, graph(values))


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` in training, else `x`; either may be a function without arguments."""
    return in_train_phase(alt, x, training)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, else `alt`; either may be a function without arguments.

    Args:
        x, alt: Tensors, or functions without arguments.
        training: Whether it is training; None for what the model is doing.
    """
    is_training = learning_phase() if training is None else training
    if isinstance(is_training, bool | int | np.bool_):
        return _value(x) if is_training else _value(alt)
    return switch(is_training, x, alt)


def learning_phase() -> int:
    """1 within a model that is trained, else 0."""
    context = call_context()
    return int(context is not None and bool(context.training))


def _value(x: Any) -> Any:
    return x() if callable(x) else x


def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """fn of each entry of the first axis."""
    found = ops.map(fn, elems)
    return found if dtype is None else tree.map_structure(lambda x: ops.cast(x, dtype), found)


def moving_average_update(x: Any, value: Any, momentum: float) -> Any:
    """x becomes x · momentum + value · (1 - momentum)."""
    return x.assign(x * momentum + value * (1 - momentum))


def print_tensor(x: Any, message: str = "", summarize: int = 3) -> Any:
    """Print a tensor where it is computed, compiled or not, and return it."""
    jax.debug.callback(lambda value: print(message, value), ops.convert_to_tensor(x))
    return x


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """Ones with a probability, else zeros."""
    drawn = random.uniform(shape, seed=seed)
    return ops.cast(drawn <= p, dtype or config.floatx())


def random_binomial(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """The same under its older name."""
    return random_bernoulli(shape, p, dtype, seed)


def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normally distributed numbers; with a number as `seed` the same ones each time."""
    return random.normal(shape, mean, stddev, dtype, seed)


def random_normal_variable(
    shape: Any, mean: Any, scale: Any, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Any:
    """A variable of normally distributed numbers."""
    return variable(random.normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers between two bounds, each as likely."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def random_uniform_variable(
    shape: Any, low: Any, high: Any, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Any:
    """A variable of numbers between two bounds."""
    return variable(random.uniform(shape, low, high, dtype, seed), dtype, name)


def stop_gradient(variables: Any) -> Any:
    """The same values, which are constants for gradients; of lists each."""
    return tree.map_structure(ops.stop_gradient, variables)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """`then_expression` where a condition holds, else `else_expression`.

    Args:
        condition: One truth value, or several: (batch,) for rows, or of the tensors' shape.
        then_expression, else_expression: Tensors, or functions without arguments.
    """
    if isinstance(condition, bool | int | np.bool_):
        return _value(then_expression) if condition else _value(else_expression)
    condition = ops.cast(condition, "bool")
    if not len(condition.shape):
        branches = [
            e if callable(e) else (lambda e=e: e) for e in (then_expression, else_expression)
        ]
        return ops.cond(condition, *branches)
    first, second = _value(then_expression), _value(else_expression)
    for _ in range(len(first.shape) - len(condition.shape)):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, first, second)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normally distributed numbers, none further than two deviations from the mean."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def update(x: Any, new_x: Any) -> Any:
    """A variable becomes `new_x`."""
    return x.assign(new_x)


def update_add(x: Any, increment: Any) -> Any:
    """A variable grows."""
    return x.assign_add(increment)


def update_sub(x: Any, decrement: Any) -> Any:
    """A variable shrinks."""
    return x.assign_sub(decrement)


def variable(
    value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """A variable with a value; floats in `floatx()`."""
    found = Variable(np.asarray(value), dtype=dtype or config.floatx(), name=name)
    if constraint is not None:
        found.constraint = constraint
    return found
