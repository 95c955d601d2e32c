"""Wasserstein critic with a penalty on gradients: a tape within a tape, several critic steps."""

import numpy as np
import tensorflow as tf


def dense_net(sizes, name):
    net = tf.keras.Sequential(name=name)
    net.add(tf.keras.layers.InputLayer(input_shape=(sizes[0],)))
    for size in sizes[1:-1]:
        net.add(tf.keras.layers.Dense(size, activation="tanh"))
    net.add(tf.keras.layers.Dense(sizes[-1]))
    return net


rng = np.random.default_rng(13)
critic, generator = dense_net([3, 8, 8, 1], "critic"), dense_net([2, 6, 3], "generator")
for net in (critic, generator):
    net.set_weights([rng.normal(0, 0.4, w.shape) for w in net.get_weights()])
critic_optimizer = tf.keras.optimizers.RMSprop(0.01)
generator_optimizer = tf.keras.optimizers.RMSprop(0.01)


def penalty(real, fake, share):
    mixed = real + share * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(mixed)
        value = critic(mixed, training=True)
    slope = tape.gradient(value, [mixed])[0]
    length = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=[1]) + 1e-12)
    return tf.reduce_mean((length - 1.0) ** 2)


@tf.function
def train(real, noise, share):
    for _ in range(2):
        with tf.GradientTape() as tape:
            fake = generator(noise, training=True)
            gap = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(real))
            slope = penalty(real, fake, share)
            critic_loss = gap + 10.0 * slope
        found = tape.gradient(critic_loss, critic.trainable_variables)
        critic_optimizer.apply_gradients(zip(found, critic.trainable_variables))
    with tf.GradientTape() as tape:
        generator_loss = -tf.reduce_mean(critic(generator(noise, training=True)))
    found = tape.gradient(generator_loss, generator.trainable_variables)
    generator_optimizer.apply_gradients(zip(found, generator.trainable_variables))
    return {"critic": critic_loss, "slope": slope, "generator": generator_loss}


real = tf.constant(rng.normal(1, 0.5, (16, 3)), dtype=tf.float32)
noise = tf.constant(rng.normal(size=(16, 2)), dtype=tf.float32)
share = tf.constant(rng.random((16, 1)), dtype=tf.float32)
for step in range(3):
    logs = train(real, noise, share)
    print(step, {key: f"{value.numpy():.3f}" for key, value in logs.items()})
print("critic", critic_optimizer.iterations.numpy(), "generator", generator_optimizer.iterations.numpy())
print(np.round(penalty(real, generator(noise), share).numpy(), 3))
