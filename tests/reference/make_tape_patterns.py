"""Numbers of real tf.keras for hand-written training steps with tapes; see test_tape_patterns.py.

Written by TensorFlow 2.15.1 under Python 3.11; run it to write tape_patterns.npz anew. Weights and
noise are data, as random draws differ.
"""

import pathlib

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(7)
STEPS = 4
found = {}


def draw(*shape):
    return rng.normal(size=shape).astype("float32")


def keep(name, **arrays):
    for key, value in arrays.items():
        found[f"{name}/{key}"] = np.asarray(value)


def weights(model, name):
    for i, w in enumerate(model.weights):
        keep(name, **{f"w{i}": w.numpy()})


def started(model, name):
    """Give a model weights of ours, and keep them."""
    model.set_weights(
        [
            0.4 * draw(*w.shape) if "variance" not in w.name else np.ones(w.shape, "float32")
            for w in model.weights
        ]
    )
    weights(model, f"{name}/start")
    return model


dense = tf.keras.layers.Dense
bce = tf.keras.losses.BinaryCrossentropy(from_logits=True)

# A GAN: two optimizers, two tapes over the same code.
real, noise = draw(STEPS, 8, 3), draw(STEPS, 8, 2)
keep("gan", real=real, noise=noise)
make = started(
    tf.keras.Sequential([dense(5, activation="tanh", input_shape=(2,)), dense(3)]), "gan/g"
)
judge = started(
    tf.keras.Sequential([dense(6, activation="elu", input_shape=(3,)), dense(1)]), "gan/d"
)
g_opt, d_opt = tf.keras.optimizers.Adam(0.01, beta_1=0.5), tf.keras.optimizers.RMSprop(0.01)
losses = []
for x, z in zip(real, noise):
    with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
        fake = make(z, training=True)
        for_real, for_fake = judge(x, training=True), judge(fake, training=True)
        g_loss = bce(tf.ones_like(for_fake), for_fake)
        d_loss = bce(tf.ones_like(for_real), for_real) + bce(tf.zeros_like(for_fake), for_fake)
    g_grads = g_tape.gradient(g_loss, make.trainable_variables)
    d_grads = d_tape.gradient(d_loss, judge.trainable_variables)
    g_opt.apply_gradients(zip(g_grads, make.trainable_variables))
    d_opt.apply_gradients(zip(d_grads, judge.trainable_variables))
    losses.append([g_loss.numpy(), d_loss.numpy()])
keep("gan", losses=losses)
weights(make, "gan/g/end"), weights(judge, "gan/d/end")

# Convolutions and batch normalization in both networks (DCGAN), one step after the other. Not fused:
# TensorFlow's fused kernel puts the unbiased variance into the moving one, which Keras 3 does not.
real, noise = draw(STEPS, 6, 4, 4, 1), draw(STEPS, 6, 3)
keep("dcgan", real=real, noise=noise)
L = tf.keras.layers
make = started(
    tf.keras.Sequential(
        [
            dense(8, input_shape=(3,)),
            L.BatchNormalization(),
            L.LeakyReLU(0.2),
            L.Reshape((2, 2, 2)),
            L.Conv2DTranspose(1, 3, strides=2, padding="same", activation="tanh"),
        ]
    ),
    "dcgan/g",
)
judge = started(
    tf.keras.Sequential(
        [
            L.Conv2D(3, 3, padding="same", input_shape=(4, 4, 1)),
            L.BatchNormalization(fused=False),
            L.LeakyReLU(0.2),
            L.Flatten(),
            dense(1),
        ]
    ),
    "dcgan/d",
)
g_opt, d_opt = tf.keras.optimizers.SGD(0.05, momentum=0.9), tf.keras.optimizers.SGD(0.05)
losses = []
for x, z in zip(real, noise):
    with tf.GradientTape() as tape:
        for_real, for_fake = judge(x, training=True), judge(make(z, training=True), training=True)
        d_loss = bce(tf.ones_like(for_real), for_real) + bce(tf.zeros_like(for_fake), for_fake)
    grads = tape.gradient(d_loss, judge.trainable_variables)
    d_opt.apply_gradients(zip(grads, judge.trainable_variables))
    with tf.GradientTape() as tape:
        for_fake = judge(make(z, training=True), training=False)
        g_loss = bce(tf.ones_like(for_fake), for_fake)
    grads = tape.gradient(g_loss, make.trainable_variables)
    g_opt.apply_gradients(zip(grads, make.trainable_variables))
    losses.append([g_loss.numpy(), d_loss.numpy()])
keep("dcgan", losses=losses)
weights(make, "dcgan/g/end"), weights(judge, "dcgan/d/end")

# A critic with a gradient penalty: a tape within a tape.
real, fake, mix = (
    draw(STEPS, 5, 3),
    draw(STEPS, 5, 3),
    rng.uniform(size=(STEPS, 5, 1)).astype("float32"),
)
keep("penalty", real=real, fake=fake, mix=mix)
critic = started(
    tf.keras.Sequential(
        [dense(6, activation="softplus", input_shape=(3,)), dense(4, activation="tanh"), dense(1)]
    ),
    "penalty/c",
)
opt = tf.keras.optimizers.Adam(0.02)
losses = []
for x, y, a in zip(real, fake, mix):
    with tf.GradientTape() as tape:
        between = tf.constant(x + a * (y - x))
        with tf.GradientTape() as inner:
            inner.watch(between)
            score = critic(between, training=True)
        slopes = inner.gradient(score, [between])[0]
        norm = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1]))
        penalty = tf.reduce_mean((norm - 1.0) ** 2)
        loss = tf.reduce_mean(critic(y)) - tf.reduce_mean(critic(x)) + 10.0 * penalty
    grads = tape.gradient(loss, critic.trainable_variables)
    opt.apply_gradients(zip(grads, critic.trainable_variables))
    losses.append(loss.numpy())
keep("penalty", losses=losses)
weights(critic, "penalty/c/end")

# MAML: the gradient of what one inner step leads to.
x1, y1, x2, y2 = draw(STEPS, 6, 2), draw(STEPS, 6, 1), draw(STEPS, 6, 2), draw(STEPS, 6, 1)
keep("maml", x1=x1, y1=y1, x2=x2, y2=y2)
start = [0.5 * draw(2, 4), 0.5 * draw(4), 0.5 * draw(4, 1)]
keep("maml/start", w0=start[0], w1=start[1], w2=start[2])
params = [tf.Variable(w) for w in start]


def net(p, x):
    return tf.tanh(x @ p[0] + p[1]) @ p[2]


losses = []
opt = tf.keras.optimizers.SGD(0.1)
for a, b, c, d in zip(x1, y1, x2, y2):
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            task = tf.reduce_mean(tf.square(net(params, a) - b))
        grads = inner.gradient(task, params)
        fast = [p - 0.3 * g for p, g in zip(params, grads)]
        loss = tf.reduce_mean(tf.square(net(fast, c) - d))
    opt.apply_gradients(zip(outer.gradient(loss, params), params))
    losses.append(loss.numpy())
keep("maml", losses=losses)
for i, p in enumerate(params):
    keep("maml/end", **{f"w{i}": p.numpy()})

# A variational autoencoder, its noise given.
data, noise = rng.uniform(size=(STEPS, 7, 5)).astype("float32"), draw(STEPS, 7, 2)
keep("vae", data=data, noise=noise)
trunk_in = tf.keras.Input((5,))
h = dense(6, activation="relu")(trunk_in)
encoder = started(tf.keras.Model(trunk_in, [dense(2)(h), dense(2)(h)]), "vae/e")
decoder = started(
    tf.keras.Sequential(
        [dense(6, activation="relu", input_shape=(2,)), dense(5, activation="sigmoid")]
    ),
    "vae/d",
)
opt = tf.keras.optimizers.Adam(0.01)
both = encoder.trainable_variables + decoder.trainable_variables
losses = []
for x, e in zip(data, noise):
    with tf.GradientTape() as tape:
        mean, log_var = encoder(x)
        out = decoder(mean + tf.exp(0.5 * log_var) * e)
        fit = tf.reduce_mean(tf.reduce_sum(tf.square(x - out), axis=1))
        spread = -0.5 * tf.reduce_mean(
            tf.reduce_sum(1 + log_var - mean**2 - tf.exp(log_var), axis=1)
        )
        loss = fit + spread
    opt.apply_gradients(zip(tape.gradient(loss, both), both))
    losses.append(loss.numpy())
keep("vae", losses=losses)
weights(encoder, "vae/e/end"), weights(decoder, "vae/d/end")

# Jacobians.
x, w = draw(4, 3), draw(3, 2)
keep("jacobian", x=x, w=w)
kernel = tf.Variable(w)
with tf.GradientTape(persistent=True) as tape:
    point = tf.constant(x)
    tape.watch(point)
    y = tf.nn.softmax(point @ kernel) * tf.sin(point @ kernel)
keep(
    "jacobian",
    kernel=tape.jacobian(y, kernel),
    point=tape.jacobian(y, point),
    batch=tape.batch_jacobian(y, point),
)

np.savez_compressed(pathlib.Path(__file__).with_name("tape_patterns.npz"), **found)
