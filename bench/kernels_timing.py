"""What the kernel benchmarks share: interleaved timing, an Adam step, PyTorch in its process."""

import argparse
import json
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--torch-python", help="a Python that has torch, for the comparison")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="training steps per round")
    return parser.parse_args()


def interleave(runs, rounds, steps):
    """Time each run(steps) in turn, round by round; return {name: (minimum, median)}, ms a step."""
    times = {name: [] for name in runs}
    for run in runs.values():
        run(2)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(steps)
            times[name].append((time.perf_counter() - start) / steps * 1e3)
    return {name: (min(values), float(np.median(values))) for name, values in times.items()}


def show(title, results):
    print(f"\n{title}")
    for name, (minimum, median) in results.items():
        print(f"  {name:44s} min {minimum:8.3f}  median {median:8.3f} ms")


def repeat(function, *arrays):
    """Make run(steps) of a jitted function of arrays."""
    compiled = jax.jit(function)

    def run(steps):
        for _ in range(steps):
            result = compiled(*arrays)
        jax.block_until_ready(result)

    return run


def adam_step(loss):
    """Make (state, x, y) -> (state, loss), state = (parameters, means, squares, count)."""

    def step(state, x, y):
        parameters, means, squares, count = state
        value, gradients = jax.value_and_grad(loss)(parameters, x, y)
        count = count + 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        means = jax.tree.map(lambda m, g: m + (g - m) * 0.1, means, gradients)
        squares = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, squares, gradients)
        move = lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7)
        return (jax.tree.map(move, parameters, means, squares), means, squares, count), value

    return step


def _fresh(parameters):
    copy = lambda scale: jax.tree.map(lambda p: jnp.array(p) * scale, parameters)
    return copy(1.0), copy(0.0), copy(0.0), jnp.float32(0)


def one_step_program(step, parameters, x, y, batch=32):
    """Run as one jitted program a step, donated state."""
    compiled, state = jax.jit(step, donate_argnums=0), _fresh(parameters)
    x, y = x[:batch], y[:batch]

    def run(steps):
        nonlocal state
        for _ in range(steps):
            state, _ = compiled(state, x, y)
        jax.block_until_ready(state)

    return run


def loop_program(step, parameters, x, y, batch=32):
    """Run all steps in one program, batches gathered on the device by a permuted index."""
    rows = jnp.asarray(
        np.random.default_rng(0).permutation(len(x)).reshape(-1, batch).astype("int32")
    )

    def many(state, x, y, rows, steps):
        def body(index, carry):
            chosen = rows[index % rows.shape[0]]
            return step(carry[0], x[chosen], y[chosen])

        return lax.fori_loop(0, steps, body, (state, jnp.float32(0)))

    compiled, state = jax.jit(many, donate_argnums=0), _fresh(parameters)

    def run(steps):
        nonlocal state
        state, _ = compiled(state, x, y, rows, steps)
        jax.block_until_ready(state)

    return run


def cross_entropy(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


TORCH_HEAD = """
import json, sys, time, torch
from torch import nn
torch.set_num_threads(2)
rounds, steps = int(sys.argv[1]), int(sys.argv[2])
def trainer(model, x, y):
    optimizer, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    def step():
        optimizer.zero_grad(); loss(model(x), y).backward(); optimizer.step()
    return step
y = torch.randint(0, 10, (32,))
"""
TORCH_TAIL = """
times = {name: [] for name in cases}
for step in cases.values():
    for _ in range(5): step()
for _ in range(rounds):
    for name, step in cases.items():
        start = time.perf_counter()
        for _ in range(steps): step()
        times[name].append((time.perf_counter() - start) / steps * 1e3)
print(json.dumps({name: (min(v), sorted(v)[len(v) // 2]) for name, v in times.items()}))
"""


def torch_times(python, body, rounds, steps):
    """Run `body`, which fills `cases = {name: step}`, under another Python; return its times."""
    code = TORCH_HEAD + body + TORCH_TAIL
    done = subprocess.run(
        [python, "-c", code, str(rounds), str(steps)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return {name: tuple(pair) for name, pair in json.loads(done.stdout.splitlines()[-1]).items()}
