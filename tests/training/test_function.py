"""`nacre.function`: state, random numbers, tapes and optimizers in one program that means the same."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core.errors import ArgumentError, ShapeError, TracedValueError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(16, 4)).astype("float32")
Y = (X[:, :1] - X[:, 1:2]).astype("float32")


class Loop:
    """A training by hand, of everything that has state."""

    def __init__(self):
        keras.utils.set_random_seed(1)
        self.model = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(5, activation="tanh", kernel_regularizer="l2"),
                layers.BatchNormalization(),
                layers.Dropout(0.3, seed=2),
                layers.Dense(1),
            ]
        )
        self.optimizer = keras.optimizers.Adam(0.05)
        self.loss = keras.losses.MeanSquaredError()
        self.mean = keras.metrics.Mean()
        self.seed = keras.random.SeedGenerator(5)
        self.factor = 1.0
        self.traces = 0

    def step(self, x, y):
        self.traces += 1
        noise = keras.random.normal((4,), stddev=0.1, seed=self.seed)
        with keras.GradientTape() as tape:
            y_pred = self.model(x + noise, training=True)
            loss = self.factor * self.loss(y, y_pred) + sum(self.model.losses)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        self.mean.update_state(loss)
        return loss

    def state(self):
        parts = self.model.variables, self.optimizer.variables, self.mean.variables
        return [v.numpy() for group in (*parts, [self.seed.state]) for v in group]


def assert_same(one, other):
    for a, b in zip(one.state(), other.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_training_by_hand_is_one_program_with_the_same_numbers():
    eager, compiled = Loop(), Loop()
    step = keras.function(compiled.step)
    for size in (8, 8, 16, 8):
        a, b = eager.step(X[:size], Y[:size]), step(X[:size], Y[:size])
        np.testing.assert_allclose(float(a), float(b), rtol=1e-5)
    assert_same(eager, compiled)
    assert step.experimental_get_tracing_count() == 2  # one for each size
    assert compiled.traces == 3  # and one to find the variables


def test_what_is_changed_from_outside_is_seen():
    eager, compiled = Loop(), Loop()
    step = keras.function(compiled.step)
    runs = [(eager, eager.step), (compiled, step)]
    for loop, run in runs:
        run(X, Y)
        loop.factor = 3.0
        run(X, Y)
        loop.optimizer.learning_rate = 0.01
        loop.model.layers[0].trainable = False
        run(X, Y)
        loop.model.layers[0].trainable = True
        loop.model.layers[2].rate = 0.0
        loop.mean.reset_state()
        run(X, Y)
    assert_same(eager, compiled)
    for loop, run in runs:
        loop.model = keras.models.clone_model(loop.model)
        loop.optimizer = keras.optimizers.SGD(0.1)
        run(X, Y)
    for a, b in zip(*(loop.model.trainable_variables for loop in (eager, compiled)), strict=True):
        assert a.shape == b.shape
    assert int(compiled.optimizer.iterations) == 1


def test_weights_loaded_or_set_are_those_of_the_next_call(tmp_path):
    loop = Loop()
    step, forward = keras.function(loop.step), keras.function(loop.model)
    before = forward(X)
    loop.model.save_weights(tmp_path / "w.weights.h5")
    step(X, Y)
    assert not np.allclose(forward(X), before)
    loop.model.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(forward(X), before)
    loop.model.set_weights([0 * w for w in loop.model.get_weights()])
    assert float(ops.max(ops.abs(forward(X)))) == 0.0


def test_a_method_is_compiled_for_each_object():
    class Counter:
        def __init__(self, start):
            self.total = keras.Variable(start)

        @keras.function
        def add(self, x, times=1):
            """Add."""
            return self.total.assign_add(ops.sum(x) * times)

    one, other = Counter(0.0), Counter(10.0)
    assert (float(one.add(X[0] * 0 + 1)), float(other.add(X[0] * 0 + 1))) == (4.0, 14.0)
    assert float(one.add(np.ones(3), times=2)) == 10.0
    assert one.add is one.add
    assert Counter.add.__doc__ == "Add."

    class Doubled(keras.Model):
        factor = 2.0

        @keras.function
        def call(self, x):
            return self.factor * x

    model = Doubled()
    np.testing.assert_array_equal(model(X), 2 * X)
    np.testing.assert_array_equal(model.predict(X, verbose=0), 2 * X)
    Doubled.factor = 3.0
    np.testing.assert_array_equal(model(X), 3 * X)
    np.testing.assert_array_equal(model.predict(X, verbose=0), 3 * X)


def test_it_may_stand_around_and_within_everything():
    total = keras.Variable(0.0)

    @keras.function
    def inner(x):
        total.assign_add(ops.sum(x))
        return x * total

    @keras.function()
    def outer(x):
        return inner(x) + inner(x)

    x = np.ones(2, "float32")
    assert outer(x).tolist() == [6.0, 6.0]
    assert float(total) == 4.0

    @keras.function
    def cube(x):
        return x * x * x

    x = jnp.asarray([1.0, 2.0])
    assert jax.grad(lambda x: jnp.sum(cube(x)))(x).tolist() == [3.0, 12.0]
    assert jax.jit(cube)(x).tolist() == [1.0, 8.0]
    symbolic = keras.Input((2,))
    assert keras.Model(symbolic, cube(symbolic)).predict(np.ones((1, 2)), verbose=0).shape == (1, 2)

    class Own(keras.Model):
        @keras.function
        def train_step(self, data):
            return super().train_step(data)

    model = Own(symbolic, layers.Dense(1)(symbolic))
    model.compile("sgd", "mse")
    assert list(model.fit(X[:, :2], Y, verbose=0).history) == ["loss"]


def test_a_tape_outside_sees_through_it():
    v = keras.Variable([1.0, 2.0])
    count = keras.Variable(0.0, trainable=False)

    @keras.function
    def square(x):
        count.assign_add(1.0)
        return v * v * x

    for _ in range(2):
        with keras.GradientTape() as tape:
            y = ops.sum(square(jnp.asarray([3.0, 3.0])))
        assert tape.gradient(y, v).tolist() == [6.0, 12.0]
    assert float(count) == 2.0
    square(X[:2, 0])
    assert float(count) == 3.0


def test_variables_that_the_first_call_makes_stay():
    class Lazy:
        def __init__(self):
            self.layer, self.kept = None, None
            self.made = 0

        def run(self, x):
            if self.layer is None:
                self.layer, self.kept = layers.Dense(3), keras.Variable(0.0)
                self.made += 1
            scratch = keras.Variable(1.0)
            scratch.assign_add(1.0)
            self.kept.assign_add(scratch)
            return self.layer(x)

    lazy = Lazy()
    run = keras.function(lazy.run)
    first = run(X)
    np.testing.assert_array_equal(run(X), first)
    assert (lazy.made, float(lazy.kept)) == (1, 4.0)
    np.testing.assert_allclose(first, lazy.layer(X), rtol=1e-5)


class Pair(NamedTuple):
    a: object
    b: object


def test_arguments_and_results_keep_their_structure():
    @keras.function
    def function(pair, *, scale=1, name="n", extra=None):
        big = pair.a * scale
        return {"z": big, "a": Pair(pair.b, [name, extra, 3]), "sum": float(scale)}

    found = function(Pair(X, {"k": Y}), scale=2, name="other")
    assert list(found) == ["z", "a", "sum"]
    assert type(found["a"]) is Pair
    assert (found["a"].b, found["sum"]) == (["other", None, 3], 2.0)
    np.testing.assert_array_equal(found["z"], 2 * X)
    np.testing.assert_array_equal(found["a"].a["k"], Y)
    assert function(Pair(X, {"k": Y}), scale=True)["sum"] == 1.0
    with pytest.raises(TypeError, match="unexpected keyword"):
        function(Pair(X, Y), unknown=1)


def test_numbers_are_compiled_in_and_arrays_are_not():
    traced = []

    @keras.function
    def power(x, n):
        traced.append(n)
        return x**n if isinstance(n, int) else x * n

    assert [float(power(np.float32(2.0), n)) for n in (2, 3, 2)] == [4.0, 8.0, 4.0]
    assert traced == [2, 3]
    del traced[:]
    assert [float(power(np.float32(2.0), np.float32(n))) for n in (2, 3)] == [4.0, 6.0]
    assert len(traced) == 1  # what a trial appended is taken out again
    with pytest.warns(UserWarning, match=r"each new value of a Python number.*np.float32"):
        [power(np.float32(2.0), 0.5 + n) for n in range(12)]


def test_a_signature_casts_numbers_and_refuses_other_shapes():
    traced = []

    @keras.function(
        input_signature=[jax.ShapeDtypeStruct((2,), "float32"), keras.KerasTensor((), "float32")]
    )
    def scaled(x, rate):
        traced.append(1)
        return x * rate

    assert [scaled([1, 2], rate).tolist() for rate in (1, 2.0, 3)] == [[1, 2], [2, 4], [3, 6]]
    assert len(traced) == 1
    with pytest.raises(ShapeError, match=r"an argument of shape \(2,\). Got shape \(3,\)"):
        scaled([1, 2, 3], 1.0)
    with pytest.raises(ArgumentError, match="says 2 arguments. Got 1|missing a required argument"):
        scaled([1, 2])


def test_global_random_numbers_are_new_at_each_call_and_repeat_with_the_seed():
    draw = keras.function(lambda: keras.random.uniform((3,)))
    keras.utils.set_random_seed(4)
    found = [draw().tolist() for _ in range(2)]
    assert found[0] != found[1]
    keras.utils.set_random_seed(4)
    assert [draw().tolist() for _ in range(2)] == found


def test_masks_of_results_stay():
    embedding = layers.Embedding(5, 2, mask_zero=True)
    embedded = keras.function(embedding)(np.array([[1, 0]]))
    assert embedded._keras_mask.tolist() == [[True, False]]


class Keeping(layers.Layer):
    def call(self, x):
        self.last = x * 2
        return x


def test_tensors_that_it_leaves_behind_say_what_they_are():
    class Holder:
        def run(self, x):
            self.kept = x + 1
            return self.layer(x)

    holder, holder.layer = Holder(), Keeping()
    holder = Holder()
    holder.layer = Keeping()
    keras.function(holder.run)(X)
    for kept in (holder.layer.last, holder.kept):
        with pytest.raises(TracedValueError, match="has no value afterwards"):
            kept + 1.0


def test_what_cannot_be_compiled_is_refused():
    with pytest.raises(ArgumentError, match="a generator function"):

        @keras.function
        def batches(x):
            yield x

    with pytest.raises(ArgumentError, match=r"no iterator.*list_iterator.*step\(next\(batches\)\)"):
        keras.function(lambda batches: next(batches))(iter([X]))
    with pytest.raises(TracedValueError, match="an `if`"):
        keras.function(lambda x: x if x[0] > 0 else -x)(X[0])
    with pytest.raises(ArgumentError, match="it takes a function. Got int"):
        keras.function(3)
    with pytest.raises(ArgumentError, match="its arguments are func"):
        keras.function(lambda x: x, compile=True)

    class Box:
        def __init__(self, tensor):
            self.tensor = tensor

    with pytest.raises(ArgumentError, match="a Box that holds some"):
        keras.function(Box)(X)


def test_an_error_leaves_all_as_it_was():
    loop = Loop()
    step = keras.function(loop.step)
    step(X, Y)
    before = loop.state()
    with pytest.raises(ValueError, match="Incompatible shapes"):
        step(X[:, :3], Y)
    for a, b in zip(before, loop.state(), strict=True):
        np.testing.assert_array_equal(a, b)
    step(X, Y)


def test_a_callback_of_fit_may_run_one_on_the_model_in_training():
    loop = Loop()
    loop.model.compile(keras.optimizers.SGD(0.1), "mse")
    shadow = [keras.Variable(v) for v in loop.model.trainable_variables]

    @keras.function
    def follow():
        for own, variable in zip(shadow, loop.model.trainable_variables, strict=True):
            own.assign(variable)
        loop.model.layers[-1].bias.assign_add([1.0])

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: follow())
    loop.model.fit(X, Y, batch_size=4, verbose=0, callbacks=[callback])
    for own, variable in zip(shadow[:-1], loop.model.trainable_variables[:-1], strict=True):
        np.testing.assert_array_equal(own, variable)
    np.testing.assert_allclose(shadow[-1] + 1.0, loop.model.layers[-1].bias, rtol=1e-6)


def test_models_in_lists_and_partials_are_seen():
    parts = {"both": [layers.Dense(1, kernel_initializer="ones") for _ in range(2)]}

    def run(parts, x):
        for part in parts["both"]:
            x = part(x)
        return x

    compiled = keras.function(functools.partial(run, parts))
    x = np.ones((1, 1), "float32")
    assert float(compiled(x)[0, 0]) == 1.0
    parts["both"].append(layers.Rescaling(5.0))
    assert float(compiled(x)[0, 0]) == 5.0
    parts["both"][2].scale = 7.0
    assert float(compiled(x)[0, 0]) == 7.0


def test_a_concrete_function_is_traced_before_it_is_called():
    traced = []

    @keras.function
    def double(x):
        traced.append(1)
        return 2 * x

    concrete = double.get_concrete_function(keras.KerasTensor((3,)))
    count = len(traced)
    assert count == 1
    assert concrete(np.ones(3, "float32")).tolist() == [2.0, 2.0, 2.0]
    assert len(traced) == count


def test_a_concrete_function_keeps_what_is_no_array():
    @keras.function
    def scaled(x, factor=1.0, *, negate=False):
        return -factor * x if negate else factor * x

    x = np.ones(3, "float32")
    spec = keras.KerasTensor((3,))
    for concrete in (
        scaled.get_concrete_function(spec, 3.0, negate=True),
        scaled.get_concrete_function(spec, factor=3.0, negate=True),
        scaled.get_concrete_function(keras.KerasTensor((None,)), 3.0, negate=True),
        scaled.get_concrete_function(x, 3.0, negate=True),
    ):
        assert concrete(x).tolist() == concrete(x=x).tolist() == [-3.0] * 3
        assert concrete(x, 3.0, negate=True).tolist() == [-3.0] * 3
        with pytest.raises(ArgumentError, match=r"negate must be .* True"):
            concrete(x, negate=False)
        with pytest.raises(ArgumentError, match="none for x"):
            concrete()


def test_a_concrete_function_of_a_signature_of_known_sizes():
    @keras.function(input_signature=[keras.KerasTensor((2,), "float32")])
    def double(x):
        return 2 * x

    x = np.ones(2, "float32")
    for given in ((), (keras.KerasTensor((2,)),), (keras.KerasTensor((2,), "float16"),)):
        assert double.get_concrete_function(*given)(x).tolist() == [2.0, 2.0]
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        double.get_concrete_function(keras.KerasTensor((3,)))


def test_what_was_read_before_an_update_stays_as_it_was():
    v = keras.Variable([1.0, 2.0])
    held = v.value

    @keras.function
    def step():
        old = v.value
        v.assign_add([1.0, 1.0])
        return old, v.value

    first, second = step(), step()
    assert held.tolist() == first[0].tolist() == [1.0, 2.0]
    assert first[1].tolist() == second[0].tolist() == [2.0, 3.0]
    assert v.numpy().tolist() == [3.0, 4.0]


def test_flags_toggled_at_each_step_are_compiled_once_each():
    traced = []
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])

    @keras.function
    def count(x):
        traced.append(1)
        return len(model.trainable_variables)

    found = []
    for _ in range(3):
        for flag in (True, False):
            model.trainable = flag
            found.append(count(X))
    assert found == [2, 0] * 3
    assert len(traced) == 2


def with_own_default(function):
    @functools.wraps(function)
    def wrapper(x, scale=5.0):
        return function(x, scale)

    return wrapper


def with_option(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        kwargs.setdefault("scale", 5.0)
        return function(*args, **kwargs)

    return wrapper


def with_fewer(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x, 5.0)

    return wrapper


@pytest.mark.parametrize("decorated", [with_own_default, with_option, with_fewer])
def test_a_wrapper_is_called_with_its_own_defaults(decorated):
    def scaled(x, scale=1.0):
        return x * scale

    wrapper = decorated(scaled)
    assert float(keras.function(wrapper)(np.float32(2))) == float(wrapper(np.float32(2))) == 10.0


def test_code_may_ask_for_a_default_that_is_a_number_of_numpy():
    half = np.float64(0.5)

    @keras.function
    def halved(x, rate=half):
        return x * rate if rate < 1 else x

    assert float(halved(np.float32(2))) == float(halved(x=np.float32(2))) == 1.0


class Holder:
    def __init__(self):
        self.value, self.more = keras.Variable(1.0), [keras.Variable(1.0)]

    @keras.function
    def total(self, x):
        return x * (self.value + self.more[0] + kept)

    @keras.function
    def add(self, x):
        self.value.assign_add(x)


kept = keras.Variable(1.0)


def test_a_variable_that_stands_where_another_stood_is_the_one_that_is_read(monkeypatch):
    held = Holder()
    assert float(held.total(X[0, 0])) == pytest.approx(3 * X[0, 0])
    old, held.value = held.value, keras.Variable(10.0)
    assert float(held.total(X[0, 0])) == pytest.approx(12 * X[0, 0])
    held.more[0] = keras.Variable(100.0)
    monkeypatch.setitem(globals(), "kept", keras.Variable(1000.0))
    assert float(held.total(X[0, 0])) == pytest.approx(1110 * X[0, 0])
    held.add(np.float32(1))
    held.value = old
    held.add(np.float32(1))
    assert float(held.value) == 2.0
