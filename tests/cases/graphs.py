"""Models whose files are about the graph itself: nested, shared, cut and masked ones.

Each builder takes the library (a module with `layers`, `Model`, ...) and returns a model that is
not compiled. `reference/make_graphs.py` lets real Keras write them, `reference/write_graphs.py`
lets nacre; each side's files are then opened by the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .models import spread


@dataclass(frozen=True)
class GraphCase:
    """A builder.

    Attributes:
        id: Name of the files.
        builder: Takes the library, returns the model.
        keras_can: False where real Keras cannot open a `.keras` file of its own of such a model.
    """

    id: str
    builder: Callable[[Any], Any]
    keras_can: bool = True


def _x(k: Any, width: int = 3, name: str = "x") -> Any:
    return k.Input((width,), name=name)


def _inner(k: Any, layer: Any = None, name: str = "inner", width: int = 3) -> Any:
    i = _x(k, width, f"{name}_input")
    layer = layer or k.layers.Dense(width, activation="tanh", name=f"{name}_dense")
    return k.Model(i, layer(i), name=name)


def _stack(k: Any, layer: Any = None, name: str = "stack") -> Any:
    layer = layer or k.layers.Dense(3, activation="tanh", name=f"{name}_dense")
    return k.Sequential([k.Input((3,)), layer], name=name)


def nested_output(k: Any) -> Any:
    x, n = _x(k), _inner(k)
    return k.Model(x, n(x))


def nested_twice(k: Any) -> Any:
    x, n = _x(k), _inner(k)
    return k.Model(x, n(n(x)))


def nested_first_of_two(k: Any) -> Any:
    x, n = _x(k), _inner(k)
    first = n(x)
    head = k.layers.Dense(2, name="head")
    return k.Model(x, [first, head(n(k.layers.Rescaling(2.0)(x)))])


def nested_second_of_two(k: Any) -> Any:
    x, n = _x(k), _inner(k)
    first = n(x)
    second = n(k.layers.Rescaling(2.0)(x))
    return k.Model(x, [second, k.layers.Dense(2, name="head")(first)])


def nested_many_outputs(k: Any) -> Any:
    x, n = _x(k), _inner(k)
    calls = [n(x), n(n(x))]
    return k.Model(x, {"last": calls[1], "first": calls[0]})


def nested_three_deep(k: Any) -> Any:
    x, n = _x(k), _inner(k)
    middle = k.Model(x, [n(x), n(n(x))], name="middle")
    y = _x(k, name="y")
    one, two = middle(y)
    return k.Model(y, [two, k.layers.Add(name="sum")([one, two]), middle(two)[0]])


def nested_of_several_outputs(k: Any) -> Any:
    i = _x(k, name="i")
    two = k.Model(i, [k.layers.Dense(2, name="a")(i), k.layers.Dense(4, name="b")(i)], name="two")
    x = _x(k)
    return k.Model(x, two(x)[::-1])


def sequential_output(k: Any) -> Any:
    x, n = _x(k), _stack(k)
    return k.Model(x, n(x))


def sequential_twice(k: Any) -> Any:
    x, n = _x(k), _stack(k)
    return k.Model(x, [n(x), n(n(x))])


def sequential_around_functional(k: Any) -> Any:
    n = _inner(k)
    stack = k.Sequential([k.Input((3,)), n, k.layers.Dense(3, name="behind")], name="around")
    y = _x(k, name="y")
    return k.Model(y, [n(y), stack(y)])


def sequential_of_models(k: Any) -> Any:
    return k.Sequential([k.Input((3,)), _inner(k), _inner(k, name="second"), _stack(k)])


def called_elsewhere_before(k: Any) -> Any:
    x, n, shared = _x(k), _inner(k), k.layers.Dense(3, name="shared")
    other = _x(k, name="other")
    shared(n(other))
    return k.Model(x, [n(x), shared(n(x))])


# -------------------------------------------------------------------- one layer in two graphs


def _shared(k: Any) -> Any:
    return k.layers.Dense(3, activation="tanh", name="shared")


def shared_inside_and_behind(k: Any) -> Any:
    d, x = _shared(k), _x(k)
    return k.Model(x, d(_inner(k, d)(x)))


def shared_inside_and_before(k: Any) -> Any:
    d, x = _shared(k), _x(k)
    return k.Model(x, k.layers.Dense(2, name="head")(_inner(k, d)(d(x))))


def shared_by_two_models(k: Any) -> Any:
    d, x = _shared(k), _x(k)
    one, two = _inner(k, d, "one"), _inner(k, d, "two")
    return k.Model(x, [two(one(x)), one(x)])


def shared_by_two_models_and_outside(k: Any) -> Any:
    d, x = _shared(k), _x(k)
    one, two = _inner(k, d, "one"), _inner(k, d, "two")
    return k.Model(x, [d(two(one(x))), k.layers.Dense(2, name="head")(d(x))])


def shared_with_a_sequential(k: Any) -> Any:
    d, x = _shared(k), _x(k)
    return k.Model(x, [d(_stack(k, d)(x)), d(x)])


def shared_three_deep(k: Any) -> Any:
    d, y = _shared(k), _x(k, name="y")
    x = _x(k)
    middle = k.Model(x, d(_inner(k, d)(x)), name="middle")
    return k.Model(y, d(middle(d(y))))


def shared_model(k: Any) -> Any:
    """A model that stands in another one and beside it."""
    n, x, y = _inner(k), _x(k), _x(k, name="y")
    middle = k.Model(x, n(n(x)), name="middle")
    return k.Model(y, [n(middle(y)), k.layers.Dense(2, name="head")(n(y))])


def shared_within_stacks(k: Any) -> Any:
    d = _shared(k)
    return k.Sequential([_x(k), _stack(k, d), _stack(k, d, "other"), d])


def twice_in_a_stack(k: Any) -> Any:
    d = _shared(k)
    return k.Sequential([_x(k), d, k.layers.ReLU(name="relu"), d])


# -------------------------------------------------------------------- cut graphs


def starts_in_the_middle(k: Any) -> Any:
    x = _x(k)
    hidden = k.layers.Dense(4, name="below")(x)
    return k.Model(hidden, k.layers.Dense(2, name="above")(hidden))


def starts_in_the_middle_inside(k: Any) -> Any:
    x = _x(k)
    hidden = k.layers.Dense(4, name="below")(x)
    output = k.layers.Dense(2, name="above")(hidden)
    lower, upper = k.Model(x, hidden, name="lower"), k.Model(hidden, output, name="upper")
    y = _x(k, name="y")
    return k.Model(y, upper(lower(y)))


def unused_input(k: Any) -> Any:
    x, unused = _x(k), _x(k, 2, "unused")
    return k.Model([x, unused], k.layers.Dense(2, name="only")(x))


# -------------------------------------------------------------------- masks


def _tokens(k: Any, name: str = "tokens") -> Any:
    return k.Input((5,), dtype="int32", name=name)


def _embedded(k: Any, tokens: Any) -> Any:
    return k.layers.Embedding(9, 4, mask_zero=True, name="embedding")(tokens)


def mask_through_layers(k: Any) -> Any:
    tokens = _tokens(k)
    e = k.layers.Dropout(0.5, name="dropout")(_embedded(k, tokens))
    return k.Model(tokens, k.layers.LSTM(3, name="reader")(e))


def mask_ends_at_an_op(k: Any) -> Any:
    tokens = _tokens(k)
    e = _embedded(k, tokens)
    return k.Model(
        tokens, [k.layers.LSTM(3, name="kept")(e), k.layers.GRU(3, name="lost")(e * 2.0)]
    )


def mask_and_positions(k: Any) -> Any:
    tokens = _tokens(k)
    positions = k.layers.Embedding(5, 4, name="positions")(k.ops.arange(5))
    e = _embedded(k, tokens) + positions
    a = k.layers.MultiHeadAttention(2, 2, name="attention")(e, e)
    y = k.layers.LayerNormalization(name="norm")(e + a)
    return k.Model(tokens, k.layers.GlobalAveragePooling1D(name="mean")(y))


def mask_into_a_nested_model(k: Any) -> Any:
    i = k.Input((5, 4), name="i")
    y = k.layers.LSTM(4, return_sequences=True, name="first")(i)
    inner = k.Model(i, k.layers.LSTM(3, name="second")(y + i), name="inner")
    tokens = _tokens(k)
    e = _embedded(k, tokens)
    return k.Model(tokens, [inner(e), inner(e * 1.5)])


GRAPH_CASES = [
    *(
        GraphCase(build.__name__, build)
        for build in (
            nested_output, nested_twice, nested_first_of_two, nested_second_of_two,
            nested_many_outputs, nested_three_deep, nested_of_several_outputs, sequential_output,
            sequential_twice, sequential_of_models, called_elsewhere_before, starts_in_the_middle,
            starts_in_the_middle_inside, unused_input, mask_through_layers, mask_ends_at_an_op,
            mask_and_positions, mask_into_a_nested_model,
        )
    ),
    *(
        GraphCase(build.__name__, build, keras_can=False)
        for build in (
            sequential_around_functional, shared_inside_and_behind, shared_inside_and_before,
            shared_by_two_models, shared_by_two_models_and_outside, shared_with_a_sequential,
            shared_three_deep, shared_model, shared_within_stacks, twice_in_a_stack,
        )
    ),
]  # fmt: skip
GRAPH_CASES_BY_ID = {case.id: case for case in GRAPH_CASES}
MASKED = tuple(case.id for case in GRAPH_CASES if case.id.startswith("mask"))


def set_weights(case_id: str, model: Any) -> None:
    """Values that depend on the case alone."""
    random = np.random.default_rng(zlib.crc32(case_id.encode()))
    model.set_weights([random.uniform(-0.8, 0.8, w.shape) for w in model.get_weights()])


def inputs_of(case_id: str, model: Any) -> dict[str, np.ndarray]:
    """A batch: numbers, or tokens that end in padding."""
    random = np.random.default_rng(zlib.crc32(case_id.encode()) + 1)
    found = {}
    for index, tensor in enumerate(model.inputs):
        shape = (6, *tensor.shape[1:])
        if "int" in str(tensor.dtype):
            values = random.integers(1, 9, shape).astype("int32")
            values[::2, 3:] = 0
        else:
            values = random.uniform(-1.0, 1.0, shape).astype("float32")
        found[str(index)] = values
    return found


def computed(case_id: str, model: Any) -> dict[str, np.ndarray]:
    """What the other side must find: a batch, the outputs for it, and the number of weights."""
    inputs = inputs_of(case_id, model)
    outputs = model.predict(list(inputs.values()), verbose=0)
    return {
        **{f"{case_id}/x_{name}": value for name, value in inputs.items()},
        **{f"{case_id}/y_{name or 0}": value for name, value in spread(outputs).items()},
        f"{case_id}/count": np.asarray(model.count_params()),
    }
