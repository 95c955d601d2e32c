"""Python's `if` and loops by values of tensors, compiled, mean what they mean as plain Python."""

from __future__ import annotations

import linecache
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.reverse_loops import while_loop

# Agree with TensorFlow 2.15.1 and 2.21, but those that neither compiles: a `return` or `break` in
# a `while` by known values, `enumerate` and `all` of tensors, `else` of a loop.


def if_else(x):
    if x > 0:
        y = x * 2
    else:
        y = x - 1
    return y


def if_only(x):
    if x > 0:
        x = x * 2
    return x


def elif_returns(x):
    if x > 0:
        return x
    elif x < -10:
        return -x
    else:
        return x + 7


def nested_choice(x):
    if x > 0:
        if x > 2:
            y = 1.0
        else:
            y = 2.0
    else:
        y = 3.0
    return y


def returns_between(x):
    if x > 0:
        if x > 2:
            return x * 5
        x = x + 1
    elif x < -1:
        x = -x
    return x * 100


def truths(x):
    if x > 0 and x < 10:
        return tf.constant(1)
    if x > 20 or not x > -5:
        return tf.constant(2)
    return tf.constant(3)


def chain(x):
    return tf.constant(1) if -1.0 < x < 10.0 else tf.constant(0)


def python_loop(x):
    for _ in range(3):
        if x < 10:
            x = x * 2
    return x


def python_loop_with_break(x):
    for i in range(5):
        x = x + i
        if x > 4:
            break
    return x


def structures(x):
    if x > 0:
        return {"a": x, "b": (x * 2, None)}
    return {"a": x * 0, "b": (x, None)}


def inner_function(x):
    def inner(v):
        if v > 0:
            return v
        return -v

    return inner(x) * 2


def summed(n):
    total = 0
    while n > 0:
        total += n
        n -= 1
    return total


def broken(n):
    total = tf.constant(0)
    for i in tf.range(n):
        if i == 5:
            break
        if i % 2 == 0:
            continue
        total += i
    return total


def returned(n):
    for i in tf.range(n):
        if i * i > 20:
            return i
    return tf.constant(-1)


def returned_from_two(n):
    for i in tf.range(n):
        for j in tf.range(n):
            if i * j == 12:
                return i * 100 + j
    return tf.constant(0)


def forever(n):
    i = tf.constant(0)
    while True:
        i += 1
        if i * (n + 1) > 30:
            break
    return i


def two_flags(n):
    found = False
    i = 0
    while i < 10 and not found:
        if i == n:
            found = True
        i += 1
    return i


def fibonacci(n):
    a, b = tf.constant(0), tf.constant(1)
    i = 0
    while i < n:
        a, b = b, a + b
        i += 1
    return a


def counted_by_python(n):
    total = 0
    for i in range(n, 0, -2):
        total += i
    return total


def else_of_a_loop(n):
    r = tf.constant(0)
    for i in tf.range(n):
        if i == 7:
            r = i
            break
    else:
        r = tf.constant(-1)
    return r


def numbers_of_tensors(n):
    return float(int(n) + 1) / 2.0


def rows(x):
    total = tf.constant(0.0)
    for v in x:
        if v > 0:
            total += v
        else:
            total -= v * 10
    return total


def numbered(x):
    total = 0.0
    for i, v in enumerate(x):
        total += tf.cast(i, tf.float32) * v
    return total


def last_item(x):
    for v in x:
        last = v * 2
    return last, v


def running_sums(x):
    out = tf.TensorArray(tf.float32, size=3)
    total = 0.0
    for i in tf.range(3):
        total += x[i]
        out = out.write(i, total)
    return out.stack()


def growing_array(x):
    out = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    for i in tf.range(3):
        out = out.write(i, x[i] * 2)
    return out.stack()


def list_of_known_length(x):
    out = []
    for v in x:
        out.append(v * 2)
    return tf.stack(out)


def places_of_a_list(x):
    factors = [1.0, 2.0, 3.0]
    total = 0.0
    for i in tf.range(3):
        total += x[i] * factors[i]
    return total


def values_of_known_numbers(x):
    total = 0.0
    for i in tf.range(3):
        total += x[i] * float(i.numpy())
    return total


def all_and_any(x):
    if all([x[0] > 0, x[1] > 0]) and any([x[2] > 10, x[1] > 4]):
        return tf.constant(1)
    return tf.constant(0)


SCALARS = (
    if_else, if_only, elif_returns, nested_choice, returns_between, truths, chain, python_loop,
    python_loop_with_break, structures, inner_function,
)  # fmt: skip
COUNTS = (
    summed, broken, returned, returned_from_two, forever, two_flags, fibonacci, counted_by_python,
    else_of_a_loop, numbers_of_tensors,
)  # fmt: skip
ROWS = (
    rows, numbered, last_item, running_sums, growing_array, list_of_known_length,
    places_of_a_list, values_of_known_numbers, all_and_any,
)  # fmt: skip


def _plain(value: Any) -> Any:
    return jax.tree.map(lambda x: np.asarray(x).tolist(), value)


def _check(function: Callable[[Any], Any], values: Any) -> None:
    """Compiled, in one program, it gives what it gives as plain Python."""
    compiled = tf.function(function)
    for value in values:
        assert _plain(compiled(value)) == _plain(function(value)), value
    assert compiled.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("function", SCALARS, ids=lambda f: f.__name__)
def test_choices(function: Callable[[Any], Any]) -> None:
    _check(function, [tf.constant(v) for v in (3.0, 0.0, 1.0, -1.5, -30.0, 25.0)])


@pytest.mark.parametrize("function", COUNTS, ids=lambda f: f.__name__)
def test_loops(function: Callable[[Any], Any]) -> None:
    _check(function, [tf.constant(v) for v in (4, 0, 9)])


@pytest.mark.parametrize("function", ROWS, ids=lambda f: f.__name__)
def test_loops_over_rows(function: Callable[[Any], Any]) -> None:
    _check(function, [tf.constant(v) for v in ([1.0, 5.0, 2.0], [-1.0, 4.0, -2.0])])


def test_a_long_while_by_known_values_is_the_programs_own() -> None:
    turns = []

    @tf.function
    def many(x):
        i = tf.constant(0)
        while i < 100:
            turns.append(1)
            x, i = x + 1, i + 1
        return x

    # Its first turns are unrolled, the others are one.
    assert float(many(tf.constant(0.0))) == 100 and len(turns) == 51

    @tf.function
    def quiet(x):
        i = tf.constant(0)
        while i < 1000:
            x, i = x + 1, i + 1
        return x

    assert float(quiet(tf.constant(0.0))) == 1000


def test_variables_and_random_numbers_of_each_turn() -> None:
    v = tf.Variable(0)

    @tf.function
    def count():
        while v < 5:
            v.assign_add(2)
        return v.read_value()

    assert int(count()) == 6 == int(v.numpy())
    v.assign(1)
    assert int(count()) == 5

    @tf.function
    def draws(n):
        out = tf.TensorArray(tf.float32, size=3)
        for i in tf.range(3):
            if n > 0:
                out = out.write(i, tf.random.normal([]))
        return out.stack()

    first, second = draws(tf.constant(1)).numpy(), draws(tf.constant(1)).numpy()
    assert len({*first.tolist(), *second.tolist()}) == 6
    assert draws(tf.constant(0)).numpy().tolist() == [0.0, 0.0, 0.0]


def test_only_the_way_that_is_taken_trains() -> None:
    dense, optimizer = tf.keras.layers.Dense(1), tf.keras.optimizers.SGD(0.1)
    mean = tf.keras.metrics.Mean()

    @tf.function
    def step(x, trains):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(dense(x) ** 2)
        if trains:
            grads = tape.gradient(loss, dense.trainable_variables)
            optimizer.apply_gradients(zip(grads, dense.trainable_variables))
            mean.update_state(loss)
        return loss

    x = tf.ones([2, 3])
    losses = [float(step(x, tf.constant(True))) for _ in range(3)]
    kernel = dense.kernel.numpy()
    step(x, tf.constant(False))
    assert losses[2] < losses[0] and np.array_equal(kernel, dense.kernel.numpy())
    assert int(optimizer.iterations.numpy()) == 3 and float(mean.count.numpy()) == 3


@pytest.mark.parametrize("inside", [True, False])
def test_gradients_through_a_loop_of_unknown_length(inside: bool) -> None:
    def power(x, n):
        y = x
        while n > 0:
            y, n = y * x, n - 1
        return y

    @tf.function
    def compiled(x, n):
        if not inside:
            return power(x, n)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = power(x, n)
        return tape.gradient(y, x)

    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = compiled(x, tf.constant(3))
    assert float(y if inside else tape.gradient(y, x)) == 32


@pytest.mark.parametrize("turns", [0, 3, 64, 130])
def test_gradients_of_loops_are_those_of_their_turns(turns: int) -> None:
    def turn(y, x):
        return jax.numpy.sin(y) * x + y * 0.5

    def looped(x, n):
        return while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, turn(s[1], x)), (0, x))[1]

    def unrolled(x):
        return jax.lax.scan(lambda y, _: (turn(y, x), None), x, None, turns)[0]

    got, want = jax.grad(looped)(0.9, turns), jax.grad(unrolled)(0.9)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    if turns == 3:
        got, want = jax.grad(jax.grad(looped))(0.9, turns), jax.grad(jax.grad(unrolled))(0.9)
        np.testing.assert_allclose(got, want, rtol=1e-5)


class Base:
    def scaled(self, x):
        return x + 1


def test_methods_private_names_and_super() -> None:
    class Child(Base):
        def __init__(self):
            self.__factor = 2.0

        @tf.function
        def scaled(self, x):
            if x > 0:
                x = super().scaled(x) * self.__factor
            return x

    child = Child()
    assert float(child.scaled(tf.constant(2.0))) == 6.0
    assert float(child.scaled(tf.constant(-2.0))) == -2.0


class Named:
    """A class of the module, whose methods say its name."""

    factor = 2.0

    def scaled(self, x):
        if x > 0:
            x = x * Named.factor
        return x

    def shown(self, x):
        text = super(Named, self).__repr__()  # noqa: UP008
        return x if "Named" in text else -x


def test_methods_that_say_the_name_of_their_own_class() -> None:
    assert float(tf.function(Named().scaled)(tf.constant(2.0))) == 4.0
    assert float(tf.function(Named().shown)(tf.constant(3.0))) == 3.0


def test_names_of_functions_around_and_lambdas() -> None:
    factor = 2.0

    @tf.function
    def scaled(x):
        if x > 0:
            x = x * factor
        return x

    assert float(scaled(tf.constant(2.0))) == 4.0
    factor = 3.0
    assert float(scaled(tf.constant(2.0))) == 6.0
    positive = tf.function(lambda x: x if x > 0 else -x)
    assert float(positive(tf.constant(-2.0))) == 2.0


def test_code_of_layers_and_steps_may_ask_values() -> None:
    class Gate(tf.keras.layers.Layer):
        def call(self, x):
            if tf.reduce_mean(x) > 0:
                return x * 2
            return -x

    x = np.ones((4, 2), "float32")
    inputs = tf.keras.Input((2,))
    model = tf.keras.Model(inputs, Gate()(inputs))
    for value in (x, -3 * x):
        wanted = 2 * value if value[0, 0] > 0 else -value
        np.testing.assert_allclose(model.predict(value, verbose=0), wanted)
        np.testing.assert_allclose(model(value).numpy(), wanted)

    class Clipped(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, _ = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(self(x))
                if loss > 1.0:
                    loss = loss * 0.0
            grads = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(grads, self.trainable_variables))
            return {"loss": loss}

    model = Clipped()
    model.compile(tf.keras.optimizers.SGD(1.0))
    model.fit(x, x, batch_size=4, verbose=0)
    assert model.dense.kernel.numpy().tolist() == [[1.0], [1.0]]


def _list_in_loop(n):
    out = []
    while n > 0:
        out.append(n)
        n -= 1
    return len(out)


def _raises(n):
    if n > 5:
        raise ValueError("too large")
    return n


def _shapes(n):
    if n > 0:
        y = tf.zeros([3])
    else:
        y = tf.zeros([2])
    return y


def _defined_in_one_way(n):
    if n > 0:
        y = n
    return y


def _none(n):
    if n > 0:
        return n


def _item(n):
    state = [0]
    if n > 0:
        state[0] = 5
        state.append(1)
    return len(state)


def _module_name(n):
    global _SEEN
    if n > 0:
        _SEEN = 1
    return n


_SEEN = 0


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_list_in_loop, "changes in place 'out'"),
        (_raises, "a `raise` that depends"),
        (_shapes, r"'y', float32\[3\] or float32\[2\]"),
        (_defined_in_one_way, "'y', which has a value only if"),
        (_none, r"what is returned, int32\[\] or None"),
        (_item, "'state'"),
        (_module_name, "sets '_SEEN'"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_what_cannot_be_compiled_runs_as_python_and_says_why(
    function: Callable[[Any], Any], words: str
) -> None:
    compiled, n = tf.function(function), tf.constant(2)
    with pytest.warns(UserWarning, match=words) as caught:
        assert _plain(compiled(n)) == _plain(function(n))
    assert "line " in str(caught[0].message) and len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _plain(compiled(n)) == _plain(function(n))


def test_an_error_names_the_line_of_the_code_as_it_stands() -> None:
    def wrong(x):
        if x > 0:
            x = tf.matmul(x, x)
        return x

    with pytest.raises(ValueError, match="ndim") as caught:
        tf.function(wrong)(tf.constant(1.0))
    lines = [entry.lineno + 1 for entry in caught.traceback if "test_autograph" in str(entry.path)]
    assert wrong.__code__.co_firstlineno + 2 in lines


def test_functions_can_be_left_alone() -> None:
    @tf.autograph.experimental.do_not_convert
    def left(x):
        return x if x > 0 else -x

    with pytest.warns(UserWarning, match="runs as plain Python"):
        tf.function(left)(tf.constant(1.0))

    def other(x):
        return x if x > 0 else -x

    with pytest.warns(UserWarning, match="runs as plain Python"):
        tf.function(other, autograph=False)(tf.constant(1.0))
    assert "if_else" in tf.autograph.to_code(other)
    assert float(tf.autograph.to_graph(other)(tf.constant(-1.0))) == 1.0


def test_a_function_whose_file_has_changed_is_traced_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "def chosen(x):\n    if x > 0:\n        return x + {}\n    return x\n"
    (tmp_path / "changing.py").write_text(text.format(1))
    from changing import chosen  # type: ignore[import-not-found]

    (tmp_path / "changing.py").write_text(text.format(2))
    linecache.checkcache()
    with pytest.warns(UserWarning, match="runs as plain Python"):
        assert float(tf.function(chosen)(tf.constant(1.0))) == 2.0


def test_lists_of_the_script_note_what_is_traced_and_own_ones_what_runs() -> None:
    noted = []

    @tf.function
    def outside(x):
        if x > 0:
            noted.append("positive")
            x = x + 1
        return x

    assert [float(outside(tf.constant(v))) for v in (1.0, -1.0)] == [2, -1]
    assert noted == ["positive"]

    @tf.function
    def own(x):
        found = ["first"]
        if x > 0:
            found.append("second")
        return tf.constant(len(found))

    with pytest.warns(UserWarning, match="changes in place 'found'"):
        assert [int(own(tf.constant(v))) for v in (1.0, -1.0)] == [2, 1]


def countdown_of_the_module(n: Any) -> Any:
    if n < 1:
        return 0
    return n + countdown_of_the_module(n - 1)


def test_a_function_may_call_itself_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tf.function(countdown_of_the_module)
    monkeypatch.setitem(globals(), "countdown_of_the_module", made)
    assert made(4).numpy() == 10

    @tf.function
    def countdown(n: Any) -> Any:
        return 0 if n < 1 else n + countdown(n - 1)

    assert countdown(4).numpy() == 10
