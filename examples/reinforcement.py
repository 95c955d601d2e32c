"""Pieces of reinforcement learning that `dqn.py` and `ppo.py` use. Not a program itself."""

import numpy as np


class ReplayBuffer:
    """The last `capacity` steps of an agent, to learn from in random order.

    Steps that follow each other are alike; drawn at random from a long past they are not, and each
    is learnt from several times.
    """

    def __init__(self, capacity, state_shape, seed=0):
        self.states = np.zeros((capacity, *state_shape), "float32")
        self.next_states = np.zeros((capacity, *state_shape), "float32")
        self.actions = np.zeros(capacity, "int32")
        self.rewards = np.zeros(capacity, "float32")
        self.ends = np.zeros(capacity, "float32")
        self.capacity, self.added = capacity, 0
        self.rng = np.random.default_rng(seed)

    def __len__(self):
        return min(self.added, self.capacity)

    def add(self, state, action, reward, next_state, is_end):
        """Keep a step; the oldest one goes where the buffer is full.

        `is_end` says that nothing can follow, as after a fall. Where only time was up, more could
        have followed: then it is False.
        """
        place = self.added % self.capacity
        self.states[place], self.next_states[place] = state, next_state
        self.actions[place], self.rewards[place], self.ends[place] = action, reward, is_end
        self.added += 1

    def draw(self, count):
        """(states, actions, rewards, next_states, ends) of `count` steps, any of them again."""
        places = self.rng.integers(len(self), size=count)
        arrays = (self.states, self.actions, self.rewards, self.next_states, self.ends)
        return tuple(array[places] for array in arrays)


def generalized_advantages(rewards, values, next_values, ends, stops, gamma=0.99, decay=0.95):
    """How much better each action was than expected (GAE: Schulman et al. 2015, arXiv:1506.02438).

    One step says: reward + what is expected afterwards - what was expected. Alone that trusts the
    expectation, the whole rest of an episode trusts luck; `decay` lies between the two.

    Args:
        rewards: (steps, environments).
        values: Expected sum of rewards at each step, the same shape.
        next_values: The same for the state after each step, before any restart.
        ends: 1 where nothing can follow, as after a fall.
        stops: 1 where the episode ended for any reason, so that the next step is another's.

    Returns:
        (steps, environments)
    """
    surprises = rewards + gamma * next_values * (1 - ends) - values
    advantages = np.zeros_like(rewards)
    later = np.zeros_like(rewards[0])
    for step in reversed(range(len(rewards))):
        later = surprises[step] + gamma * decay * (1 - stops[step]) * later
        advantages[step] = later
    return advantages
