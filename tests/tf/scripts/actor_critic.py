# actor-critic and DQN as in public notebooks, on a toy environment
import collections, random
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers
from typing import Any, List, Sequence, Tuple
class Env:
    def __init__(self): self.rs = np.random.RandomState(0)
    def reset(self): self.t = 0; self.s = self.rs.randn(4).astype(np.float32); return self.s
    def step(self, a): self.t += 1; self.s = self.rs.randn(4).astype(np.float32); return self.s, float(a == 1), self.t >= 6, {}
env = Env(); seed = 42; tf.random.set_seed(seed); np.random.seed(seed); eps = np.finfo(np.float32).eps.item()
class ActorCritic(tf.keras.Model):
    def __init__(self, num_actions: int, num_hidden_units: int):
        super().__init__()
        self.common = layers.Dense(num_hidden_units, activation="relu"); self.actor = layers.Dense(num_actions); self.critic = layers.Dense(1)
    def call(self, inputs: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        x = self.common(inputs)
        return self.actor(x), self.critic(x)
model = ActorCritic(2, 8)
@tf.numpy_function(Tout=[tf.float32, tf.int32, tf.int32]) if False else (lambda f: f)
def env_step(action: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    state, reward, done, _ = env.step(action)
    return (state.astype(np.float32), np.array(reward, np.int32), np.array(done, np.int32))
def tf_env_step(action: tf.Tensor) -> List[tf.Tensor]:
    return tf.numpy_function(env_step, [action], [tf.float32, tf.int32, tf.int32])
def run_episode(initial_state, model, max_steps: int):
    action_probs = tf.TensorArray(dtype=tf.float32, size=0, dynamic_size=True)
    values = tf.TensorArray(dtype=tf.float32, size=0, dynamic_size=True)
    rewards = tf.TensorArray(dtype=tf.int32, size=0, dynamic_size=True)
    shape = initial_state.shape
    state = initial_state
    for t in tf.range(max_steps):
        state = tf.expand_dims(state, 0)
        logits, value = model(state)
        action = tf.random.categorical(logits, 1)[0, 0]
        probs = tf.nn.softmax(logits)
        values = values.write(t, tf.squeeze(value))
        action_probs = action_probs.write(t, probs[0, action])
        state, reward, done = tf_env_step(action)
        state.set_shape(shape)
        rewards = rewards.write(t, reward)
        if tf.cast(done, tf.bool):
            break
    return action_probs.stack(), values.stack(), rewards.stack()
def get_expected_return(rewards, gamma: float, standardize: bool = True):
    n = tf.shape(rewards)[0]
    returns = tf.TensorArray(dtype=tf.float32, size=n)
    rewards = tf.cast(rewards[::-1], dtype=tf.float32)
    s = tf.constant(0.0); sh = s.shape
    for i in tf.range(n):
        s = rewards[i] + gamma * s
        s.set_shape(sh)
        returns = returns.write(i, s)
    returns = returns.stack()[::-1]
    if standardize:
        returns = (returns - tf.math.reduce_mean(returns)) / (tf.math.reduce_std(returns) + eps)
    return returns
huber = tf.keras.losses.Huber(reduction="sum"); optimizer = tf.keras.optimizers.Adam(learning_rate=0.01)
@tf.function
def train_step(initial_state, model, optimizer, gamma: float, max_steps: int):
    with tf.GradientTape() as tape:
        ap, values, rewards = run_episode(initial_state, model, max_steps)
        returns = get_expected_return(rewards, gamma)
        ap, values, returns = [tf.expand_dims(x, 1) for x in [ap, values, returns]]
        loss = -tf.math.reduce_sum(tf.math.log(ap) * (returns - values)) + huber(values, returns)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return tf.math.reduce_sum(rewards)
window = collections.deque(maxlen=3)
for i in range(4):
    r = int(train_step(tf.constant(env.reset(), dtype=tf.float32), model, optimizer, 0.99, 10)); window.append(r)
print(len(window), 0 <= min(window) and max(window) <= 6, int(optimizer.iterations), np.round(get_expected_return(tf.constant([1, 0, 1]), 0.5, False).numpy(), 3).tolist())
class DQNAgent:
    def __init__(self, state_size, action_size):
        self.state_size, self.action_size = state_size, action_size
        self.memory = collections.deque(maxlen=50); self.gamma, self.epsilon = 0.95, 1.0
        self.model, self.target = self._build(), self._build(); self.update_target()
    def _build(self):
        m = tf.keras.Sequential(); m.add(layers.Dense(8, input_dim=self.state_size, activation="relu")); m.add(layers.Dense(self.action_size, activation="linear"))
        m.compile(loss="mse", optimizer=tf.keras.optimizers.Adam(learning_rate=0.001)); return m
    def update_target(self): self.target.set_weights(self.model.get_weights())
    def act(self, s):
        if np.random.rand() <= self.epsilon: return random.randrange(self.action_size)
        return np.argmax(self.model.predict(s, verbose=0)[0])
    def replay(self, n):
        for s, a, r, s2, done in random.sample(self.memory, n):
            t = self.model.predict(s, verbose=0)
            t[0][a] = r if done else r + self.gamma * np.amax(self.target(s2)[0])
            self.model.fit(s, t, epochs=1, verbose=0)
        self.epsilon = max(0.01, self.epsilon * 0.5)
agent = DQNAgent(4, 2)
for e in range(2):
    s = np.reshape(env.reset(), [1, 4])
    for t in range(6):
        a = agent.act(s); s2, r, d, _ = env.step(a); s2 = np.reshape(s2, [1, 4]); agent.memory.append((s, a, r, s2, d)); s = s2
        if d: break
    agent.replay(3)
print(len(agent.memory), round(agent.epsilon, 2), int(agent.model.optimizer.iterations))
for a, b in zip(agent.target.trainable_variables, agent.model.trainable_variables): a.assign(0.9 * a + 0.1 * b)
q = agent.model(tf.constant(s)); mask = tf.one_hot([1], 2); print(tf.reduce_sum(tf.multiply(q, mask), axis=1).shape, tf.gather_nd(q, [[0, 1]]).shape)
