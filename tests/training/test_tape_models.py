"""Gradient tapes around models whose layers run compiled, in loops written by hand."""

import gc
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops

RNG = np.random.default_rng(5)
ROWS = jnp.asarray(RNG.normal(size=(6, 4)).astype("float32"))
IMAGES = jnp.asarray(RNG.normal(size=(3, 6, 6, 2)).astype("float32"))
SERIES = jnp.asarray(RNG.normal(size=(3, 5, 2)).astype("float32"))


def convolution():
    return nacre.Sequential(
        [
            layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization(),
            layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2, activation="gelu"),
        ]
    )  # fmt: skip


def recurrent():
    return nacre.Sequential([layers.LSTM(4, return_sequences=True), layers.GRU(3)])


def attention():
    entry = nacre.Input((5, 2))
    mixed = layers.MultiHeadAttention(2, 3)(entry, entry)
    return nacre.Model(entry, layers.LayerNormalization()(entry + mixed))


class Own(nacre.Model):
    """Code of the user's around layers of nacre's; one layer's output is not used."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(3, activation="tanh"), layers.Dense(2)
        self.unused = layers.Dense(2)

    def call(self, x):
        self.unused(x)
        return self.second(self.first(x) * 2.0) + jnp.sin(self.second(self.first(x)))


@pytest.mark.parametrize(
    ("make", "x"),
    [(convolution, IMAGES[:2]), (recurrent, SERIES), (attention, SERIES), (Own, ROWS)],
)
def test_models_give_the_gradients_of_jax_grad_call_after_call(make, x):
    model = make()
    model(x)
    start = model.get_weights()
    variables = model.trainable_variables
    with_input = [*variables, x]

    def loss(values, x):
        others = [v.value for v in model.non_trainable_variables]
        y, _ = model.stateless_call(values, others, x, training=True)
        return jnp.mean(y**2)

    expected = jax.grad(loss, (0, 1))([v.value for v in variables], x)
    for _ in range(4):  # layers are compiled from the third call on
        model.set_weights(start)
        with nacre.GradientTape() as tape:
            tape.watch(x)
            value = ops.mean(ops.square(model(x, training=True)))
        found = tape.gradient(value, with_input)
        for variable, a, b in zip(with_input, found, [*expected[0], expected[1]], strict=True):
            if a is None:
                assert any(variable is v for v in model.unused.weights)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    if make is Own:
        assert sum(g is None for g in found) == 2
    if make is convolution:
        assert not np.array_equal(model.layers[1].moving_mean.numpy(), np.zeros(3))


def test_batch_statistics_that_a_call_updates_are_constants_for_the_next():
    dense, norm = layers.Dense(3), layers.BatchNormalization(momentum=0.5)
    model = nacre.Sequential([dense, norm])
    for _ in range(3):
        with nacre.GradientTape() as tape:
            model(ROWS, training=True)
            loss = ops.sum(model(ROWS, training=False) ** 2)
        found = tape.gradient(loss, dense.kernel)

    def slope(kernel):
        centred = ROWS @ kernel + dense.bias.value - norm.moving_mean.value
        return jnp.sum((centred / jnp.sqrt(norm.moving_variance.value + norm.epsilon)) ** 2)

    np.testing.assert_allclose(found, jax.grad(slope)(dense.kernel.value), rtol=1e-4, atol=1e-5)


def test_dropout_draws_anew_in_each_tape_and_its_gradient_is_of_what_it_drew():
    dropout, x = layers.Dropout(0.5), jnp.ones((4, 4))
    drawn = []
    for _ in range(4):
        with nacre.GradientTape() as tape:
            tape.watch(x)
            y = dropout(x, training=True)
            loss = ops.sum(y * x)
        drawn.append(np.asarray(y))
        np.testing.assert_allclose(tape.gradient(loss, x), 2 * y)
    assert not np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[2], drawn[3])


def test_a_second_derivative_goes_through_convolutions():
    model = nacre.Sequential(
        [nacre.Input((6, 6, 2)), layers.Conv2D(2, 3, activation="tanh"), layers.Flatten()]
    )
    for _ in range(3):
        with nacre.GradientTape() as outer:
            with nacre.GradientTape() as inner:
                inner.watch(IMAGES)
                y = ops.sum(model(IMAGES) ** 2)
            penalty = ops.mean(inner.gradient(y, IMAGES) ** 2)
        found = outer.gradient(penalty, model.trainable_variables)

    def loss(values):
        inner = jax.grad(lambda x: jnp.sum(model.stateless_call(values, [], x)[0] ** 2))
        return jnp.mean(inner(IMAGES) ** 2)

    expected = jax.grad(loss)([v.value for v in model.trainable_variables])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def small():
    return nacre.Sequential([nacre.Input((4,)), layers.Dense(3), layers.Dense(1)])


def test_losses_that_layers_add_have_gradients():
    model = nacre.Sequential(
        [nacre.Input((4,)), layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l2")]
    )
    with nacre.GradientTape() as tape:
        model(ROWS, training=True)
        loss = ops.sum(model.losses)
    kernel = model.layers[0].kernel
    found = tape.gradient(loss, kernel)
    expected = jax.grad(lambda k: 0.01 * (jnp.sum(k**2) + jnp.sum((ROWS @ k) ** 2) / 6))
    np.testing.assert_allclose(found, expected(kernel.value), rtol=1e-4)


def test_what_runs_in_programs_of_its_own_is_no_part_of_a_tape():
    model = small()
    model.compile("sgd", "mse")
    y = jnp.ones((6, 1))
    with nacre.GradientTape(persistent=True) as tape:
        model.fit(ROWS, y, verbose=0)
        predicted = model.predict(ROWS, verbose=0)
        model.evaluate(ROWS, y, verbose=0)
        assert tape.watched_variables() == ()
        loss = ops.mean(model(ROWS) ** 2) + ops.mean(predicted)
    before = tape.gradient(loss, model.trainable_variables)
    model.fit(ROWS, y, verbose=0)  # which overwrites the arrays of the weights
    for a, b in zip(before, tape.gradient(loss, model.trainable_variables), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loop_by_hand_keeps_no_arrays_of_steps_that_are_over():
    model, optimizer = small(), nacre.optimizers.Adam()

    def step():
        with nacre.GradientTape() as tape:
            loss = ops.mean(ops.square(model(ROWS) - 1.0))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for _ in range(4):
        step()
    gc.collect()
    before = len(jax.live_arrays())
    gc.disable()
    try:
        for _ in range(10):
            step()
        assert len(jax.live_arrays()) <= before + 2
    finally:
        gc.enable()


def test_tapes_of_threads_do_not_see_each_other():
    model, found = small(), []
    model(ROWS)

    def work():
        for _ in range(4):
            with nacre.GradientTape() as tape:
                loss = ops.mean(model(ROWS) ** 2)
            found.append(tape.gradient(loss, model.trainable_variables))

    threads = [threading.Thread(target=work) for _ in range(2)]
    with nacre.GradientTape() as tape:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tape.watched_variables() == ()
    assert len(found) == 8
    for gradients in found:
        for a, b in zip(gradients, found[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_minimize_takes_a_function_or_a_value_with_its_tape():
    v, optimizer = nacre.Variable(1.0), nacre.optimizers.SGD(0.1)
    with nacre.GradientTape() as tape:
        loss = v * 2.0
    optimizer.minimize(loss, [v], tape=tape)
    assert float(v) == pytest.approx(0.8)
    optimizer.minimize(lambda: v * v, [v])
    assert float(v) == pytest.approx(0.64)
    with pytest.raises(ValueError, match="without a tape"):
        optimizer.minimize(v * v, [v])


def test_a_tape_within_functions_of_jax_is_plain_traced_code():
    def slope(x):
        with nacre.GradientTape() as tape:
            tape.watch(x)
            y = jnp.sum(jnp.sin(x) * x)
        return tape.gradient(y, x)

    def plain(x):
        return jnp.sum(jnp.sin(x) * x)

    np.testing.assert_allclose(jax.vmap(slope)(ROWS), jax.vmap(jax.grad(plain))(ROWS), rtol=1e-5)
    expected = jax.hessian(plain)(ROWS[0])
    for run in (jax.jacobian(slope), jax.jit(jax.jacobian(slope))):
        np.testing.assert_allclose(run(ROWS[0]), expected, rtol=1e-4, atol=1e-6)
