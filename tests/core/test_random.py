"""Seeds: the same number in, the same bits out, in any process and any thread."""

from __future__ import annotations

import os
import random as python_random
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.core import random
from nacre.core.errors import ArgumentError
from nacre.core.scope import StatelessScope

SCRIPT = """
import hashlib, numpy as np, nacre
nacre.utils.set_random_seed(11)
model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(6, "relu"),
                          nacre.layers.Dropout(0.4), nacre.layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.rand(40, 4).astype("float32")
model.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0)
digest = hashlib.sha256()
for value in [*model.get_weights(), np.asarray(nacre.random.normal((3,)))]:
    digest.update(np.ascontiguousarray(value).tobytes())
print(digest.hexdigest())
"""


def test_two_fresh_processes_give_the_same_bits() -> None:
    runs = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        runs.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE
            )
        )
    first, second = (run.communicate(timeout=60)[0] for run in runs)
    assert first == second and len(first.strip()) == 64


def test_one_seed_fixes_all_three_generators() -> None:
    drawn = []
    for _ in range(2):
        random.set_random_seed(5)
        drawn.append((python_random.random(), np.random.rand(), key_data(random.draw_key())))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "3", None])
def test_a_seed_must_fit_32_bits(seed: Any) -> None:
    with pytest.raises(ArgumentError, match="from 0 to"):
        random.set_random_seed(seed)


def key_data(key: jax.Array) -> list[int]:
    return jax.random.key_data(key).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_a_generator_counts_the_keys_it_gives(seed: int, count: int) -> None:
    generator = random.SeedGenerator(seed)
    assert [generator.next().tolist() for _ in range(count)] == [[seed, i] for i in range(count)]
    twin = random.SeedGenerator.from_config(generator.get_config())
    assert twin.next().tolist() == [seed, 0]


def test_the_state_is_a_variable_that_is_not_trained() -> None:
    state = random.SeedGenerator(3).state
    assert not state.trainable and state.dtype == "uint32" and state.shape == (2,)


@pytest.mark.parametrize("seed", [1.5, "a", -1])
def test_a_generator_refuses_what_is_no_seed(seed: Any) -> None:
    with pytest.raises(ArgumentError, match="seed must"):
        random.SeedGenerator(seed)


def test_a_generator_refuses_unknown_arguments() -> None:
    with pytest.raises(ArgumentError, match="sed"):
        random.SeedGenerator(sed=3)


def test_keys_come_from_every_kind_of_seed() -> None:
    assert key_data(random.draw_key(7)) == key_data(random.draw_key(np.int64(7))) == [7, 0]
    assert key_data(random.draw_key(random.SeedGenerator(7))) == [7, 0]
    assert key_data(random.draw_key(np.array([7, 9], "uint32"))) == [7, 9]
    key = random.draw_key(7)
    assert random.draw_key(key) is key
    assert key_data(random.draw_key()) != key_data(random.draw_key())


def test_a_scope_that_holds_a_generator_counts_its_keys() -> None:
    generator = random.SeedGenerator(1)
    with StatelessScope([(generator.state, np.array([5, 1], "uint32"))]) as scope:
        assert [generator.next().tolist() for _ in range(2)] == [[5, 1], [5, 2]]
    assert scope.get_current_value(generator.state).tolist() == [5, 3]
    assert generator.state.numpy().tolist() == [1, 0]


def test_a_generator_that_no_scope_holds_goes_on() -> None:
    # Else a pure call of a layer that draws without a seed would have the same noise every time.
    generator = random.SeedGenerator(1)
    for first in (0, 2):
        with StatelessScope() as scope:
            assert [int(generator.next()[1]) for _ in range(2)] == [first, first + 1]
            assert scope.get_current_value(generator.state).tolist() == [1, first + 2]
    assert generator.state.numpy().tolist() == [1, 4]


def test_host_numbers_repeat() -> None:
    assert random.host_generator(4).random() == random.host_generator(4).random()
    random.set_random_seed(9)
    first = [random.host_generator().random() for _ in range(2)]
    random.set_random_seed(9)
    assert first == [random.host_generator().random() for _ in range(2)]
    assert first[0] != first[1]


def test_a_generator_used_in_a_traced_function_stays_usable() -> None:
    generator = random.SeedGenerator(2)
    jax.jit(lambda x: x + jax.random.normal(random.draw_key(generator)))(1.0)
    jax.grad(lambda x: x * jax.random.normal(random.draw_key(generator)))(1.0)
    assert generator.next().tolist() == [2, 2]
