"""Training steps written by hand, as published for tf.keras, against real tf.keras's numbers."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops

REFERENCE = np.load(pathlib.Path(__file__).parents[1] / "reference" / "tape_patterns.npz")
dense = layers.Dense
bce = nacre.losses.BinaryCrossentropy(from_logits=True)


def known(name):
    found = [key for key in REFERENCE.files if key.startswith(f"{name}/w")]
    return [REFERENCE[f"{name}/w{i}"] for i in range(len(found))]


def started(name, *stack):
    model = nacre.Sequential(list(stack))
    model.set_weights(known(f"{name}/start"))
    return model


def rows(name, *keys):
    return zip(*(jnp.asarray(REFERENCE[f"{name}/{key}"]) for key in keys), strict=True)


def check(name, *models, tolerance=2e-5):
    for part, model in models:
        for new, old in zip(model.get_weights(), known(f"{name}/{part}/end"), strict=True):
            np.testing.assert_allclose(new, old, rtol=tolerance, atol=tolerance)


def check_losses(name, losses):
    expected = REFERENCE[f"{name}/losses"]
    np.testing.assert_allclose(np.asarray(losses), expected, rtol=5e-5, atol=1e-5)


class Stepped(nacre.Model):
    """A model whose training step is a function of its own: the same code as in a bare loop."""

    def __init__(self, step, parts):
        super().__init__()
        self.step, self.parts = step, parts

    def call(self, x):
        return x

    def train_step(self, data):
        return self.step(*data[0])


def run(step, parts, name, keys, where):
    """The losses of the steps: in a loop of the script's, or in fit's compiled one."""
    batches = list(rows(name, *keys))
    if where == "loop":
        return [{k: float(v) for k, v in step(*batch).items()} for batch in batches]
    model = Stepped(step, parts)
    model.compile(run_eagerly=where == "fit eagerly")
    arrays = tuple(np.concatenate(column) for column in zip(*batches, strict=True))
    found = []
    record = nacre.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: found.append(logs)
    )
    size = len(batches[0][0])
    model.fit(arrays, batch_size=size, shuffle=False, verbose=0, callbacks=[record])
    return found


WHERE = pytest.mark.parametrize("where", ["loop", "fit"])


@WHERE
def test_gan_with_two_tapes_and_two_optimizers(where):
    make = started("gan/g", nacre.Input((2,)), dense(5, activation="tanh"), dense(3))
    judge = started("gan/d", nacre.Input((3,)), dense(6, activation="elu"), dense(1))
    g_opt = nacre.optimizers.Adam(0.01, beta_1=0.5)
    d_opt = nacre.optimizers.RMSprop(0.01)

    def step(x, z):
        with nacre.GradientTape() as g_tape, nacre.GradientTape() as d_tape:
            fake = make(z, training=True)
            for_real, for_fake = judge(x, training=True), judge(fake, training=True)
            g_loss = bce(ops.ones_like(for_fake), for_fake)
            d_loss = bce(ops.ones_like(for_real), for_real)
            d_loss += bce(ops.zeros_like(for_fake), for_fake)
        g_grads = g_tape.gradient(g_loss, make.trainable_variables)
        d_grads = d_tape.gradient(d_loss, judge.trainable_variables)
        g_opt.apply_gradients(zip(g_grads, make.trainable_variables, strict=True))
        d_opt.apply_gradients(zip(d_grads, judge.trainable_variables, strict=True))
        return {"g_loss": g_loss, "d_loss": d_loss}

    logs = run(step, [make, judge], "gan", ("real", "noise"), where)
    check_losses("gan", [[log["g_loss"], log["d_loss"]] for log in logs])
    check("gan", ("g", make), ("d", judge))
    assert int(g_opt.iterations) == int(d_opt.iterations) == 4


@WHERE
def test_convolutional_gan_whose_batch_statistics_move(where):
    make = started(
        "dcgan/g",
        nacre.Input((3,)),
        dense(8),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.2),
        layers.Reshape((2, 2, 2)),
        layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="tanh"),
    )
    judge = started(
        "dcgan/d",
        nacre.Input((4, 4, 1)),
        layers.Conv2D(3, 3, padding="same"),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.2),
        layers.Flatten(),
        dense(1),
    )
    g_opt, d_opt = nacre.optimizers.SGD(0.05, momentum=0.9), nacre.optimizers.SGD(0.05)

    def step(x, z):
        with nacre.GradientTape() as tape:
            for_real = judge(x, training=True)
            for_fake = judge(make(z, training=True), training=True)
            d_loss = bce(ops.ones_like(for_real), for_real)
            d_loss += bce(ops.zeros_like(for_fake), for_fake)
        d_opt.minimize(d_loss, judge.trainable_variables, tape=tape)
        with nacre.GradientTape() as tape:
            for_fake = judge(make(z, training=True), training=False)
            g_loss = bce(ops.ones_like(for_fake), for_fake)
        g_opt.minimize(g_loss, make.trainable_variables, tape=tape)
        return {"g_loss": g_loss, "d_loss": d_loss}

    logs = run(step, [make, judge], "dcgan", ("real", "noise"), where)
    check_losses("dcgan", [[log["g_loss"], log["d_loss"]] for log in logs])
    check("dcgan", ("g", make), ("d", judge), tolerance=1e-4)


@WHERE
def test_gradient_penalty_is_a_tape_within_a_tape(where):
    critic = started(
        "penalty/c",
        nacre.Input((3,)),
        dense(6, activation="softplus"),
        dense(4, activation="tanh"),
        dense(1),
    )
    optimizer = nacre.optimizers.Adam(0.02)

    def step(x, y, a):
        with nacre.GradientTape() as tape:
            between = x + a * (y - x)
            with nacre.GradientTape() as inner:
                inner.watch(between)
                score = critic(between, training=True)
            slopes = inner.gradient(score, [between])[0]
            norm = ops.sqrt(ops.sum(ops.square(slopes), axis=[1]))
            penalty = ops.mean((norm - 1.0) ** 2)
            loss = ops.mean(critic(y)) - ops.mean(critic(x)) + 10.0 * penalty
        grads = tape.gradient(loss, critic.trainable_variables)
        # The last bias is in no slope and cancels in the difference: zero, and not None.
        optimizer.apply_gradients(zip(grads, critic.trainable_variables, strict=True))
        return {"loss": loss}

    logs = run(step, [critic], "penalty", ("real", "fake", "mix"), where)
    check_losses("penalty", [log["loss"] for log in logs])
    check("penalty", ("c", critic), tolerance=1e-4)


@pytest.mark.parametrize("where", ["loop", "fit", "fit eagerly"])
def test_maml_differentiates_an_inner_step(where):
    params = [nacre.Variable(w) for w in known("maml/start")]
    optimizer = nacre.optimizers.SGD(0.1)

    def net(p, x):
        return ops.tanh(x @ p[0] + p[1]) @ p[2]

    def step(a, b, c, d):
        with nacre.GradientTape() as outer:
            with nacre.GradientTape() as inner:
                task = ops.mean(ops.square(net(params, a) - b))
            grads = inner.gradient(task, params)
            fast = [p - 0.3 * g for p, g in zip(params, grads, strict=True)]
            loss = ops.mean(ops.square(net(fast, c) - d))
        optimizer.apply_gradients(zip(outer.gradient(loss, params), params, strict=True))
        return {"loss": loss}

    logs = run(step, params, "maml", ("x1", "y1", "x2", "y2"), where)
    check_losses("maml", [log["loss"] for log in logs])
    for new, old in zip(params, known("maml/end"), strict=True):
        np.testing.assert_allclose(new.numpy(), old, rtol=2e-5, atol=1e-6)


@WHERE
def test_variational_autoencoder_with_noise_as_data(where):
    entry = nacre.Input((5,))
    h = dense(6, activation="relu")(entry)
    encoder = nacre.Model(entry, [dense(2)(h), dense(2)(h)])
    encoder.set_weights(known("vae/e/start"))
    decoder = started(
        "vae/d", nacre.Input((2,)), dense(6, activation="relu"), dense(5, activation="sigmoid")
    )
    optimizer = nacre.optimizers.Adam(0.01)
    both = encoder.trainable_variables + decoder.trainable_variables

    def step(x, e):
        with nacre.GradientTape() as tape:
            mean, log_var = encoder(x)
            out = decoder(mean + ops.exp(0.5 * log_var) * e)
            fit = ops.mean(ops.sum(ops.square(x - out), axis=1))
            spread = -0.5 * ops.mean(ops.sum(1 + log_var - mean**2 - ops.exp(log_var), axis=1))
            loss = fit + spread
        optimizer.apply_gradients(zip(tape.gradient(loss, both), both, strict=True))
        return {"loss": loss}

    logs = run(step, [encoder, decoder], "vae", ("data", "noise"), where)
    check_losses("vae", [log["loss"] for log in logs])
    check("vae", ("e", encoder), ("d", decoder))


def test_jacobians_are_tensorflows():
    kernel = nacre.Variable(REFERENCE["jacobian/w"])
    point = jnp.asarray(REFERENCE["jacobian/x"])
    with nacre.GradientTape(persistent=True) as tape:
        tape.watch(point)
        y = ops.softmax(point @ kernel) * ops.sin(point @ kernel)
    for found, name in (
        (tape.jacobian(y, kernel), "kernel"),
        (tape.jacobian(y, point), "point"),
        (tape.batch_jacobian(y, point), "batch"),
    ):
        np.testing.assert_allclose(found, REFERENCE[f"jacobian/{name}"], rtol=1e-5, atol=1e-6)
