"""Reinforcement learning by values (DQN): balance a pole on a cart.

    pip install gymnasium
    python examples/dqn.py

Nobody tells the agent what is right. It tries, gets a reward of 1 for each step on which the pole
still stands (at most 500), and learns how much reward each action will bring in the end. The
picture shows the reward of each attempt, and of 20 more after training.
"""

import argparse
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from reinforcement import ReplayBuffer

import nacre as keras
from nacre import layers, ops

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

GAMMA = 0.99  # a reward a step later counts this much
STEPS = 700 if options.quick else 20_000
world = gymnasium.make("CartPole-v1")
buffer = ReplayBuffer(50_000, world.observation_space.shape, seed=1)


# ---------------------------------------------------------------------------------- the networks
def made_network():
    """State (position, speed, angle, its speed) to the value of each action (left, right)."""
    network = keras.Sequential([keras.Input(shape=(4,))])
    network.add(layers.Dense(128, activation="relu"))
    network.add(layers.Dense(128, activation="relu"))
    network.add(layers.Dense(2))
    return network


online, target = made_network(), made_network()
target.set_weights(online.get_weights())
optimizer = keras.optimizers.Adam(0.0005)


@keras.function  # compiled once, then fast
def learn(states, actions, rewards, next_states, ends):
    """One step on a batch: the value of what was done moves to reward + value of what follows."""
    # The network that learns picks the next action, the one that stands still says its value:
    # otherwise errors that look good would be picked and learnt (double DQN).
    best = ops.argmax(online(next_states), axis=-1)
    later = ops.take_along_axis(target(next_states), best[:, None], axis=-1)[:, 0]
    wanted = rewards + GAMMA * later * (1 - ends)
    with keras.GradientTape() as tape:
        values = ops.take_along_axis(online(states, training=True), actions[:, None], axis=-1)[:, 0]
        loss = ops.mean(keras.losses.huber(wanted[:, None], values[:, None]))
    gradients = tape.gradient(loss, online.trainable_variables)
    optimizer.apply_gradients(zip(gradients, online.trainable_variables, strict=True))
    # The target follows slowly: if it moved with each step, the network would chase its own tail.
    for slow, fast in zip(target.variables, online.variables, strict=True):
        slow.assign(slow + 0.005 * (fast - slow))
    return loss


# -------------------------------------------------------------------------------------- training
rewards, total, best_mean = [], 0.0, 0.0
best_weights = online.get_weights()
state, _ = world.reset(seed=1)
for step in range(STEPS):
    # At first it tries anything; later it does what it holds for best, with a rare exception.
    curiosity = max(0.03, 1 - step / (STEPS * 0.2))
    if rng.random() < curiosity:
        action = int(rng.integers(2))
    else:
        action = int(np.argmax(online(state[None])))
    next_state, reward, has_fallen, is_time_up, _ = world.step(action)
    # A fall costs 1, all else nothing: that asks for the same as a reward of 1 for each step, and
    # numbers near zero are learnt faster than sums of up to 100.
    buffer.add(state, action, -float(has_fallen), next_state, has_fallen)
    state, total = next_state, total + reward
    if has_fallen or is_time_up:
        rewards.append(total)
        if len(rewards) >= 10 and np.mean(rewards[-10:]) > best_mean:
            best_mean, best_weights = np.mean(rewards[-10:]), online.get_weights()
        if len(rewards) % 25 == 0:
            print(f"attempt {len(rewards)}, step {step}: {np.mean(rewards[-25:]):.0f}")
        total, (state, _) = 0.0, world.reset()
    if step >= 500:
        learn(*buffer.draw(64))

# ------------------------------------------------------------------------- after training
online.set_weights(best_weights)  # those with which ten attempts in a row went best
final = []
for attempt in range(2 if options.quick else 20):
    state, _ = world.reset(seed=1000 + attempt)
    final.append(0.0)
    while True:
        state, reward, has_fallen, is_time_up, _ = world.step(int(np.argmax(online(state[None]))))
        final[-1] += reward
        if has_fallen or is_time_up:
            break
print(f"mean reward: {np.mean(final):.1f}")

figure, axis = plt.subplots(figsize=(10, 4), layout="constrained")
axis.plot(rewards, alpha=0.3, label="each attempt")
axis.plot(np.convolve(rewards, np.ones(10) / 10, "valid"), "C0", label="mean of ten")
axis.axhline(np.mean(final), color="C1", label=f"after training: {np.mean(final):.0f}")
axis.set(title="Steps for which the pole stood", xlabel="attempt", ylim=(0, 510))
axis.legend()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "dqn.png", dpi=120)
