"""REINFORCE and an actor with a critic on a bandit with states."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(20)
states = rng.normal(size=(30, 3)).astype(np.float32)
right = (states @ np.array([1.0, -1.0, 0.5]) > 0).astype(int)


class ActorCritic(tf.keras.Model):
    def __init__(self, actions, hidden):
        super().__init__()
        self.common = tf.keras.layers.Dense(hidden, activation="relu")
        self.actor = tf.keras.layers.Dense(actions)
        self.critic = tf.keras.layers.Dense(1)

    def call(self, inputs: tf.Tensor):
        x = self.common(inputs)
        return self.actor(x), self.critic(x)


def env_step(state: np.ndarray, action: np.ndarray):
    good = int(np.sign(state @ np.array([1.0, -1.0, 0.5])) > 0) == int(action)
    return state.astype(np.float32), np.array(1 if good else -1, np.int32)


def tf_env_step(state, action):
    return tf.numpy_function(env_step, [state, action], [tf.float32, tf.int32])


tf.random.set_seed(1)
model = ActorCritic(2, 8)
optimizer = tf.keras.optimizers.Adam(learning_rate=0.05)
huber = tf.keras.losses.Huber(reduction=tf.keras.losses.Reduction.SUM)
eps = np.finfo(np.float32).eps.item()


def train(states, discount=0.9):
    with tf.GradientTape() as tape:
        log_probs, values, rewards = [], [], []
        for state in states:
            logits, value = model(tf.expand_dims(state, 0))
            action = tf.random.categorical(logits, 1)[0, 0]
            log_probs.append(tf.nn.log_softmax(logits)[0, action])
            values.append(value[0, 0])
            _, reward = tf_env_step(state, action)
            rewards.append(tf.cast(reward, tf.float32))
        returns, total = [], 0.0
        for reward in rewards[::-1]:
            total = reward + discount * total
            returns.insert(0, total)
        returns = tf.stack(returns)
        returns = (returns - tf.math.reduce_mean(returns)) / (tf.math.reduce_std(returns) + eps)
        values, log_probs = tf.stack(values), tf.stack(log_probs)
        advantage = tf.stop_gradient(returns - values)
        loss = -tf.math.reduce_sum(log_probs * advantage) + huber(returns, values)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss, tf.reduce_sum(rewards)


for episode in range(2):
    loss, reward = train(states[:8])
print(loss.shape, reward.dtype.name, int(reward) in range(-8, 9), len(model.trainable_variables))

policy = tf.keras.Sequential([tf.keras.layers.Dense(8, activation="tanh"), tf.keras.layers.Dense(2, activation="softmax")])
policy_optimizer = tf.keras.optimizers.Adam(0.05)
for _ in range(40):
    with tf.GradientTape() as tape:
        probabilities = policy(states, training=True)
        actions = tf.squeeze(tf.random.categorical(tf.math.log(probabilities), 1), axis=1)
        rewards = np.where(actions.numpy() == right, 1.0, -1.0).astype("float32")
        chosen = tf.gather(probabilities, actions, axis=1, batch_dims=1)
        loss = -tf.reduce_mean(tf.math.log(chosen) * (rewards - rewards.mean()))
    gradients = tape.gradient(loss, policy.trainable_variables)
    policy_optimizer.apply_gradients(zip(gradients, policy.trainable_variables))
accuracy = np.mean(np.argmax(policy(states), axis=1) == right)
print("learnt", accuracy > 0.8, actions.shape, chosen.shape)
picked = tf.gather_nd(probabilities, tf.stack([tf.range(30), tf.cast(actions, tf.int32)], axis=1))
print(np.allclose(picked, chosen), tf.reduce_sum(tf.one_hot(actions, 2) * probabilities, axis=1).shape)
