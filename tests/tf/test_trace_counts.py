"""How often the Python of a compiled function runs: as often as in TensorFlow.

What stands behind each function is what TensorFlow 2.15 and 2.21 give for the same code: a word for
each time its Python passes there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nacre.tf as tf

log: list[object] = []
count = 0
ROWS: list[tuple[Callable[[], None], str]] = []


def gives(words: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def note(function: Callable[[], None]) -> Callable[[], None]:
        ROWS.append((function, words))
        return function

    return note


def one() -> object:
    return tf.constant(1.0)


@gives("t")
def one_kind_of_call() -> None:
    @tf.function
    def f(x):
        log.append("t")
        return x + 1

    for value in (1.0, 2.0, 3.0):
        assert float(f(tf.constant(value))) == value + 1


@gives("t t t")
def each_new_shape() -> None:
    @tf.function
    def f(x):
        log.append("t")
        return x + 1

    for n in (1, 2, 3, 2, 1):
        assert f(tf.ones((n,))).shape == (n,)


@gives("t t")
def each_new_dtype() -> None:
    @tf.function(jit_compile=True)
    def f(x):
        log.append("t")
        return x + 1

    assert [float(f(tf.constant(v))) for v in (1.5, 1, 2.5, 2)] == [2.5, 2, 3.5, 3]


@gives("t t t")
def each_new_number_of_python() -> None:
    @tf.function
    def f(x):
        log.append("t")
        return tf.constant(1.0) * x

    assert [float(f(v)) for v in (1.0, 2.0, 1.0, 3.0, 2.0)] == [1, 2, 1, 3, 2]


@gives("False True")
def arguments_by_name_by_place_and_left_out() -> None:
    @tf.function
    def f(x, training=False):
        log.append(training)
        return x

    x = one()
    for _ in (f(x), f(x, training=False), f(x, False), f(x=x), f(x, training=True), f(x, True)):
        pass


@gives("t t")
def none_or_a_tensor() -> None:
    @tf.function
    def f(x, mask=None):
        log.append("t")
        return x if mask is None else x * mask

    x = one()
    for _ in (f(x), f(x, None), f(x, x), f(x, mask=x)):
        pass


@gives("a b")
def texts() -> None:
    @tf.function
    def f(x, way):
        log.append(way)
        return x

    for way in "aba":
        f(one(), way)


@gives("t")
def a_variable_that_changes_in_between() -> None:
    v = tf.Variable(1.0)

    @tf.function
    def f(x):
        log.append("t")
        return x + v

    assert float(f(one())) == 2
    v.assign(3.0)
    assert float(f(one())) == 4


@gives("t")
def a_variable_that_it_changes() -> None:
    v = tf.Variable(1.0)

    @tf.function
    def f(x):
        log.append("t")
        v.assign_add(x)
        return v + 0.0

    assert [float(f(one())) for _ in range(3)] == [2, 3, 4]


@gives("t m t t")
def a_variable_made_by_the_first_call() -> None:
    made = []

    @tf.function
    def f(x):
        log.append("t")
        if not made:
            log.append("m")
            made.append(tf.Variable(1.0))
        return x + made[0]

    for x in (one(), one(), tf.ones((2,))):
        f(x)


@gives("t m t t m t")
def modules_that_make_variables() -> None:
    class Scaled(tf.Module):
        def __init__(self):
            self.v = None

        @tf.function
        def __call__(self, x):
            log.append("t")
            if self.v is None:
                log.append("m")
                self.v = tf.Variable(2.0)
            return x * self.v

    for module in (Scaled(), Scaled()):
        assert [float(module(one())) for _ in range(2)] == [2, 2]


@gives("t t t")
def a_layer_built_by_the_first_call() -> None:
    dense = tf.keras.layers.Dense(2)

    @tf.function
    def f(x):
        log.append("t")
        return dense(x)

    for n in (1, 1, 3):
        assert f(tf.ones((n, 2))).shape == (n, 2)


@gives("t t")
def a_layer_built_before() -> None:
    dense = tf.keras.layers.Dense(2)
    dense.build((None, 2))

    @tf.function
    def f(x):
        log.append("t")
        return dense(x)

    for n in (1, 1, 3):
        assert f(tf.ones((n, 2))).shape == (n, 2)


@gives("t t t")
def methods_of_two_objects() -> None:
    class Same:
        @tf.function
        def go(self, x):
            log.append("t")
            return x

    a, b = Same(), Same()
    for _ in (a.go(one()), a.go(one()), b.go(one()), a.go(tf.ones((2,)))):
        pass


@gives("f g g")
def a_function_of_pythons_within() -> None:
    def g(x):
        log.append("g")
        return x + 1

    @tf.function
    def f(x):
        log.append("f")
        return g(x) * g(x)

    assert [float(f(one())) for _ in range(2)] == [4, 4]


@gives("t")
def a_tape_around_and_none() -> None:
    v = tf.Variable(2.0)

    @tf.function
    def f(x):
        log.append("t")
        return x * v * v

    for _ in range(2):
        with tf.GradientTape() as tape:
            y = f(one())
        assert float(tape.gradient(y, v)) == 4
        assert float(f(one())) == 4


@gives("t")
def a_tape_within() -> None:
    v = tf.Variable(2.0)

    @tf.function
    def f(x):
        log.append("t")
        with tf.GradientTape() as tape:
            y = x * v * v
        v.assign_sub(tape.gradient(y, v))
        return y

    assert [float(f(one())) for _ in range(2)] == [4, 4]


@gives("t a b")
def both_ways_of_a_choice() -> None:
    @tf.function
    def f(x):
        log.append("t")
        if x > 0:
            log.append("a")
            y = x
        else:
            log.append("b")
            y = -x
        return y

    assert [float(f(tf.constant(v))) for v in (1.0, -2.0)] == [1, 2]


@gives("a b c")
def all_ways_of_several() -> None:
    @tf.function
    def f(x):
        if x > 1:
            log.append("a")
            y = x
        elif x > 0:
            log.append("b")
            y = 2.0 * x
        else:
            log.append("c")
            y = -x
        return y

    assert [float(f(tf.constant(v))) for v in (2.0, 0.5, -3.0)] == [2, 1, 3]


@gives("a b")
def ways_that_return() -> None:
    @tf.function
    def f(x):
        if x > 0:
            log.append("a")
            return x
        log.append("b")
        return -x

    assert [float(f(tf.constant(v))) for v in (1.0, -2.0)] == [1, 2]


@gives("w")
def turns_of_a_while() -> None:
    @tf.function
    def f(x):
        while x > 0:
            log.append("w")
            x = x - 1
        return x

    assert float(f(tf.constant(3.0))) == 0


@gives("w")
def turns_of_a_range_that_a_tensor_ends() -> None:
    @tf.function
    def f(n):
        total = 0
        for i in tf.range(n):
            log.append("w")
            total = total + i
        return total

    assert [int(f(tf.constant(n))) for n in (3, 5)] == [3, 10]


@gives("w")
def rows_of_a_tensor() -> None:
    @tf.function
    def f(x):
        total = 0.0
        for row in x:
            log.append("w")
            total = total + row
        return total

    assert float(f(tf.ones((3,)))) == 3


@gives("w w w")
def turns_of_pythons_range() -> None:
    @tf.function
    def f(x):
        for i in range(3):
            log.append("w")
            x = x + i
        return x

    assert float(f(one())) == 4


@gives("a")
def numbers_counted_outside() -> None:
    global count
    count = 0

    @tf.function
    def f(x):
        global count
        count += 1
        return x

    for _ in range(3):
        f(one())
    log.extend("a" * count)


@gives("1")
def numbers_counted_by_an_object() -> None:
    class Counting:
        def __init__(self):
            self.calls = 0

        @tf.function
        def go(self, x):
            self.calls += 1
            return x

    counting = Counting()
    for _ in range(3):
        counting.go(one())
    log.append(counting.calls)


@gives("t")
def a_concrete_function() -> None:
    @tf.function
    def f(x):
        log.append("t")
        return x + 1

    concrete = f.get_concrete_function(tf.TensorSpec([2], tf.float32))
    assert concrete(tf.ones((2,))).numpy().tolist() == [2, 2] == f(tf.ones((2,))).numpy().tolist()


@gives("t t")
def arrays_of_numpy() -> None:
    @tf.function
    def f(x):
        log.append("t")
        return x + 1

    for x in (np.float32(1), np.float32(2), np.ones((2,), "float32"), tf.ones((2,))):
        f(x)


@gives("c b")
def functions_of_while_loop() -> None:
    @tf.function
    def f(x):
        return tf.while_loop(
            lambda i: log.append("c") or i < 3, lambda i: log.append("b") or (i + 1,), [x]
        )

    assert int(f(tf.constant(0))[0]) == 3


@gives("a b")
def functions_of_cond() -> None:
    @tf.function
    def f(x):
        return tf.cond(x > 0, lambda: log.append("a") or x, lambda: log.append("b") or -x)

    assert [int(f(tf.constant(v))) for v in (-1, 2)] == [1, 2]


@gives("m")
def functions_of_map_fn() -> None:
    @tf.function
    def f(x):
        return tf.map_fn(lambda row: log.append("m") or row + 1, x)

    assert f(tf.ones((3,))).numpy().tolist() == [2, 2, 2]


@gives("t V t V")
def errors() -> None:
    @tf.function
    def f(x):
        log.append("t")
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            f(one())
        log.append("V")


@gives("t")
def random_numbers() -> None:
    @tf.function
    def f():
        log.append("t")
        return tf.random.uniform([])

    assert len({float(f()) for _ in range(3)}) == 3


@gives("t i i")
def lists_of_its_own() -> None:
    @tf.function
    def f(x):
        log.append("t")
        found = []
        for _ in range(2):
            found.append(x)
            log.append("i")
        return tf.stack(found)

    assert f(one()).shape == (2,)
    f(one())


@gives("t")
def prints_of_the_program(capfd: object = None) -> None:
    @tf.function
    def f(x):
        log.append("t")
        tf.debugging.assert_positive(x)
        return x

    assert float(f(one())) == 1
    with pytest.raises(tf.errors.InvalidArgumentError):
        f(tf.constant(-1.0))


@pytest.mark.parametrize(("function", "words"), ROWS, ids=lambda x: getattr(x, "__name__", ""))
def test_python_runs_as_often_as_in_tensorflow(function: Callable[[], None], words: str) -> None:
    log.clear()
    function()
    assert " ".join(map(str, log)) == words


def test_print_speaks_once(capsys: pytest.CaptureFixture[str]) -> None:
    @tf.function
    def f(x):
        print("tracing")
        return x + 1

    f(one()), f(one())
    assert capsys.readouterr().out == "tracing\n"


def test_tensors_in_a_list_of_the_script_keep_a_loop_pythons() -> None:
    kept: list[object] = []

    @tf.function
    def f(x):
        while x > 0:
            kept.append(x)
            x = x - 1
        return x

    with pytest.warns(UserWarning, match="changes in place 'kept'"):
        f(tf.constant(2.0))
    assert [float(x) for x in kept] == [2.0, 1.0]


def test_what_a_trace_depends_on_is_asked_each_time() -> None:
    v = tf.Variable(2.0)

    @tf.function
    def f(x):
        return x * v if int(n) > 1 else x

    n = tf.Variable(1)
    assert [float(f(one())), float(n.assign(3)), float(f(one()))] == [1, 3, 2]
    v.assign(5.0)
    assert float(f(one())) == 5
    n.assign(0)
    assert float(f(one())) == 1
