"""Hand-written JAX: what the engine gives to somebody who writes everything for this one job.

"loop" is one program for each epoch: data on the device, a loop over steps, batches gathered by a
permutation that the host draws, Adam by hand. "steps" calls a one-step program from Python.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from bench import workloads
from bench.peers import jax_networks as networks
from bench.peers import protocol
from bench.peers.protocol import Answer, Request


def adam(state: tuple[Any, ...], gradients: Any) -> tuple[Any, ...]:
    """One step of Adam (Kingma & Ba 2015, the form with the corrections in the step size)."""
    params, means, squares, count = state
    count = count + 1
    first, second = 0.9, 0.999
    rate = workloads.LEARNING_RATE * jnp.sqrt(1 - second**count) / (1 - first**count)
    means = jax.tree.map(lambda m, g: m + (1 - first) * (g - m), means, gradients)
    squares = jax.tree.map(lambda s, g: s + (1 - second) * (g * g - s), squares, gradients)
    params = jax.tree.map(
        lambda p, m, s: p - rate * m / (jnp.sqrt(s) + workloads.EPSILON), params, means, squares
    )
    return params, means, squares, count


def one_step(forward: networks.Forward, state: Any, x: Array, y: Array) -> tuple[Any, Array, Array]:
    """New state, loss, and how many rows were right."""

    def loss_of(params: Any) -> tuple[Array, Array]:
        logits = forward(params, x)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=-1)
        return -chosen.mean(), jnp.sum(jnp.argmax(logits, axis=-1) == y)

    (loss, right), gradients = jax.value_and_grad(loss_of, has_aux=True)(state[0])
    return adam(state, gradients), loss, right


def looped_epoch(forward: networks.Forward) -> Any:
    """One program for an epoch."""

    @partial(jax.jit, donate_argnums=0)
    def run(state: Any, x: Array, y: Array, order: Array) -> tuple[Any, Array, Array]:
        def body(index: Array, carry: Any) -> Any:
            state, total, right = carry
            rows = order[index]
            state, loss, hits = one_step(forward, state, x[rows], y[rows])
            return state, total + loss, right + hits

        return lax.fori_loop(0, order.shape[0], body, (state, jnp.float32(0), jnp.int32(0)))

    return run


def stepped_epoch(forward: networks.Forward) -> Any:
    """One program for a step, called for each batch."""

    @partial(jax.jit, donate_argnums=0)
    def step(carry: Any, x: Array, y: Array, rows: Array) -> Any:
        state, total, right = carry
        state, loss, hits = one_step(forward, state, x[rows], y[rows])
        return state, total + loss, right + hits

    def run(state: Any, x: Array, y: Array, order: np.ndarray) -> Any:
        carry = (state, jnp.float32(0), jnp.int32(0))
        for rows in order:
            carry = step(carry, x, y, rows)
        return carry

    return run


def train(request: Request, forward: networks.Forward, epoch_of: Any) -> Answer:
    """One form of the training loop."""
    work = workloads.training(request["workload"], request["quick"])
    x, y = jax.device_put(workloads.data(work))
    params = jax.device_put(networks.parameters(work.name))
    zeros = jax.tree.map(jnp.zeros_like, params)
    state: Any = (params, zeros, jax.tree.map(jnp.zeros_like, params), jnp.float32(0))
    run, generator = epoch_of(forward), np.random.default_rng(3)
    accuracies: list[float] = []

    def epochs(count: int) -> list[float]:
        nonlocal state
        losses = []
        for _ in range(count):
            order = generator.permutation(work.rows).astype(np.int32)
            order = order[: work.steps * work.batch].reshape(work.steps, work.batch)
            state, total, right = run(state, x, y, order)
            losses.append(float(total) / work.steps)
            accuracies.append(int(right) / order.size)
        return losses

    return {**protocol.time_epochs(work, epochs), "accuracies": accuracies}


def training(request: Request) -> Answer:
    """Every form; the fastest is the answer."""
    variants = {}
    for name, forward in networks.FORMS[request["workload"]].items():
        for kind, epoch_of in (("loop", looped_epoch), ("steps", stepped_epoch)):
            if (name, kind) == ("XLA's convolution", "loop"):
                continue  # inside a loop XLA's convolution takes one thread: minutes for nothing
            variants[f"{kind}, {name}" if name else kind] = partial(
                train, request, forward, epoch_of
            )
    return protocol.best_variant(variants)


def predict(request: Request) -> Answer:
    """Median time of a compiled forward pass of one row, NumPy in and out."""
    rows, _ = workloads.data(workloads.training("mlp", quick=True))
    row, params = rows[:1], jax.device_put(networks.parameters("mlp"))
    forward = jax.jit(lambda params, row: jax.nn.softmax(networks.mlp(params, row)))
    milliseconds, calls = protocol.median_call_ms(
        lambda: np.asarray(forward(params, row)), request["quick"]
    )
    check = protocol.check_probabilities(forward(params, row))
    return {"predict_ms": milliseconds, "call_ms": milliseconds, "calls": calls, "check": check}


if __name__ == "__main__":
    protocol.serve({**dict.fromkeys(workloads.TRAINING, training), "predict": predict})
