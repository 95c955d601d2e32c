"""Reinforcement learning by policies (PPO): balance a pole on a cart.

    pip install gymnasium
    python examples/ppo.py

The network says with which probability it would push left or right, and how much reward it expects.
Eight carts try at once. What went better than expected becomes more probable, but only a little at
a time. The picture shows how the reward grows, and what the network does at each angle.
"""

import argparse
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from reinforcement import generalized_advantages

import nacre as keras
from nacre import layers, ops

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

CARTS, STEPS, ROUNDS = 8, 128, 2 if options.quick else 100
GAMMA, CLIP = 0.99, 0.2
same_step = {"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP}
worlds = gymnasium.make_vec("CartPole-v1", CARTS, "sync", vector_kwargs=same_step)

# ----------------------------------------------------------------------------------- the network
state_input = keras.Input(shape=(4,))
x = layers.Dense(64, activation="tanh")(layers.Dense(64, activation="tanh")(state_input))
small = keras.initializers.RandomNormal(stddev=0.01, seed=1)  # at first both actions are alike
logits = layers.Dense(2, kernel_initializer=small)(x)
y = layers.Dense(64, activation="tanh")(layers.Dense(64, activation="tanh")(state_input))
agent = keras.Model(state_input, [logits, layers.Dense(1)(y)])
falling = keras.optimizers.schedules.PolynomialDecay(0.001, ROUNDS * 16, 0.0)
optimizer = keras.optimizers.Adam(falling, global_clipnorm=0.5)


def chosen(logits, actions):
    """The logarithm of the probability of each action that was taken."""
    return ops.take_along_axis(ops.log_softmax(logits), actions[:, None], axis=-1)[:, 0]


@keras.function  # compiled once, then fast
def learn(states, actions, old_logs, advantages, returns):
    """One step on a batch."""
    advantages = (advantages - ops.mean(advantages)) / (ops.std(advantages) + 1e-8)
    with keras.GradientTape() as tape:
        logits, values = agent(states, training=True)
        ratio = ops.exp(chosen(logits, actions) - old_logs)  # 1 at first: nothing has changed yet
        clipped = ops.clip(ratio, 1 - CLIP, 1 + CLIP)  # beyond it, more change gains nothing
        gain = ops.mean(ops.minimum(ratio * advantages, clipped * advantages))
        value_loss = ops.mean((returns - values[:, 0]) ** 2)
        curiosity = -ops.mean(ops.sum(ops.softmax(logits) * ops.log_softmax(logits), axis=-1))
        loss = -gain + 0.5 * value_loss - 0.01 * curiosity
    gradients = tape.gradient(loss, agent.trainable_variables)
    optimizer.apply_gradients(zip(gradients, agent.trainable_variables, strict=True))
    return loss


# -------------------------------------------------------------------------------------- training
rewards_of_attempts, means, running = [], [], np.zeros(CARTS)
state, _ = worlds.reset(seed=1)
for number in range(ROUNDS):
    kept = []
    for _ in range(STEPS):
        logits, value = (np.asarray(part) for part in agent(state))
        probability = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))  # of the second action
        action = (rng.random(CARTS) < probability).astype("int32")
        log = np.log(np.where(action == 1, probability, 1 - probability))
        next_state, reward, fallen, time_up, info = worlds.step(action)
        stop = fallen | time_up
        last = next_state.copy()  # where an attempt ended, `next_state` is the start of the next
        for cart in np.flatnonzero(stop):
            last[cart] = info["final_obs"][cart]
        running += reward
        rewards_of_attempts += running[stop].tolist()
        running[stop] = 0
        kept.append((state, action, log, value[:, 0], reward, last, fallen, stop))
        state = next_state
    columns = (np.array(column, "float32") for column in zip(*kept, strict=True))
    s, a, log, value, reward, last, end, stop = columns  # each (steps, carts, ...)
    next_value = np.asarray(agent(last.reshape(-1, 4))[1]).reshape(STEPS, CARTS)
    advantage = generalized_advantages(reward, value, next_value, end, stop, GAMMA)
    flat = (part.reshape(-1) for part in (a.astype("int32"), log, advantage, advantage + value))
    batch = [s.reshape(-1, 4), *flat]
    for _ in range(4):
        for places in rng.permutation(STEPS * CARTS).reshape(4, -1):
            learn(*(part[places] for part in batch))
    means.append(np.mean(rewards_of_attempts[-20:]))
    if number % 10 == 9:
        print(f"round {number + 1}: {means[-1]:.0f}")

# ------------------------------------------------------------------------------ after training
state, _ = worlds.reset(seed=1000)
alive, final = np.ones(CARTS, bool), np.zeros(CARTS)
while alive.any():
    state, reward, fallen, time_up, _ = worlds.step(np.asarray(agent(state)[0]).argmax(-1))
    final += reward * alive
    alive &= ~(fallen | time_up)
print(f"mean reward: {final.mean():.1f}")

angles, speeds = np.meshgrid(np.linspace(-0.2, 0.2, 60), np.linspace(-2, 2, 60))
states = np.stack([0 * angles, 0 * angles, angles, speeds], -1).reshape(-1, 4).astype("float32")
right = np.asarray(ops.softmax(agent(states)[0])[:, 1]).reshape(60, 60)
figure, (left_axis, axis) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left_axis.plot(means)
left_axis.set(title=f"Mean of 20 attempts (in the end {final.mean():.0f})", xlabel="round")
drawn = axis.contourf(np.rad2deg(angles), speeds, right, levels=20, cmap="RdBu")
axis.set(title="Probability of pushing right", xlabel="angle in degrees", ylabel="speed of angle")
figure.colorbar(drawn)
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "ppo.png", dpi=120)
