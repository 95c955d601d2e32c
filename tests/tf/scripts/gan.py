"""Two dense nets against each other on points of a line, two tapes in one compiled step."""

import numpy as np
import tensorflow as tf

NOISE = 4
generator = tf.keras.Sequential(
    [tf.keras.Input((NOISE,)), tf.keras.layers.Dense(8, activation="relu"), tf.keras.layers.Dense(2)]
)
discriminator = tf.keras.Sequential(
    [tf.keras.Input((2,)), tf.keras.layers.Dense(8, activation=tf.nn.leaky_relu), tf.keras.layers.Dense(1)]
)
judge = tf.keras.losses.BinaryCrossentropy(from_logits=True)
g_optimizer = tf.keras.optimizers.Adam(1e-2, beta_1=0.5)
d_optimizer = tf.keras.optimizers.Adam(1e-2, beta_1=0.5)
rng = np.random.default_rng(11)
for net in (generator, discriminator):
    net.set_weights([rng.normal(0, 0.4, w.shape) for w in net.get_weights()])


@tf.function
def step(real, noise):
    with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
        fake = generator(noise, training=True)
        on_real, on_fake = discriminator(real, training=True), discriminator(fake, training=True)
        g_loss = judge(tf.ones_like(on_fake), on_fake)
        d_loss = judge(tf.ones_like(on_real), on_real) + judge(tf.zeros_like(on_fake), on_fake)
    g_gradients = g_tape.gradient(g_loss, generator.trainable_variables)
    d_gradients = d_tape.gradient(d_loss, discriminator.trainable_variables)
    g_optimizer.apply_gradients(zip(g_gradients, generator.trainable_variables))
    d_optimizer.apply_gradients(zip(d_gradients, discriminator.trainable_variables))
    return g_loss, d_loss


x = rng.normal(size=(24, 1)).astype("float32")
points = tf.data.Dataset.from_tensor_slices(np.hstack([x, 2 * x + 1])).batch(8)
noises = [tf.constant(rng.normal(size=(8, NOISE)), tf.float32) for _ in range(3)]
g_metric, d_metric = tf.keras.metrics.Mean(), tf.keras.metrics.Mean()
for epoch in range(4):
    g_metric.reset_state()
    d_metric.reset_state()
    for real, noise in zip(points, noises):
        g_loss, d_loss = step(real, noise)
        g_metric(g_loss)
        d_metric(d_loss)
    print(f"epoch {epoch + 1}: {g_metric.result():.4f} {d_metric.result().numpy():.4f}")
print(np.round(generator(noises[0]).numpy()[0], 3).tolist(), int(g_optimizer.iterations))
