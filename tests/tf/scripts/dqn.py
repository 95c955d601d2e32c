"""Deep Q-learning on a corridor: a replay memory, a target net and masked actions."""

import random
from collections import deque

import numpy as np
import tensorflow as tf
from tensorflow import keras


class Corridor:
    """Six places in a row; the last one pays."""

    def reset(self):
        self.place, self.steps = 0, 0
        return self.seen()

    def seen(self):
        return np.eye(6, dtype="float32")[self.place]

    def step(self, action):
        self.place = int(np.clip(self.place + (1 if action == 1 else -1), 0, 5))
        self.steps += 1
        return self.seen(), float(self.place == 5), self.place == 5 or self.steps >= 20


def q_net():
    inputs = keras.layers.Input(shape=(6,))
    hidden = keras.layers.Dense(16, activation="relu")(inputs)
    return keras.Model(inputs=inputs, outputs=keras.layers.Dense(2, activation="linear")(hidden))


random.seed(0)
np.random.seed(0)
tf.random.set_seed(0)
model, target = q_net(), q_net()
target.set_weights(model.get_weights())
optimizer = keras.optimizers.Adam(learning_rate=0.01, clipnorm=1.0)
huber = keras.losses.Huber()
memory, env, epsilon, frames = deque(maxlen=500), Corridor(), 1.0, 0


@tf.function
def learn(states, actions, wanted):
    masks = tf.one_hot(actions, 2)
    with tf.GradientTape() as tape:
        values = tf.reduce_sum(tf.multiply(model(states), masks), axis=1)
        loss = huber(wanted, values)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss


for episode in range(25):
    state, done = env.reset(), False
    while not done:
        frames += 1
        if np.random.rand() < epsilon:
            action = np.random.choice(2)
        else:
            scores = model(tf.expand_dims(tf.convert_to_tensor(state), 0), training=False)
            action = tf.argmax(scores[0]).numpy()
        following, reward, done = env.step(action)
        memory.append((state, action, reward, following, done))
        state = following
        if len(memory) >= 32 and frames % 2 == 0:
            batch = random.sample(memory, 16)
            states, actions, rewards, followers, ends = (np.array(part) for part in zip(*batch))
            future = target.predict(followers, verbose=0)
            wanted = rewards + 0.9 * tf.reduce_max(future, axis=1) * (1 - ends)
            loss = learn(tf.constant(states), tf.constant(actions), tf.cast(wanted, tf.float32))
        if frames % 40 == 0:
            target.set_weights(model.get_weights())
    epsilon = max(0.1, epsilon * 0.85)
best = [int(a) for a in tf.argmax(model(np.eye(6, dtype="float32")[:5]), axis=1)]
print("goes right", sum(best) >= 4, "loss", np.isfinite(float(loss)), np.array(loss).shape)
print("memory", len(memory) > 32, optimizer.iterations.numpy() > 10)
