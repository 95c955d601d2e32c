"""LSTM, GRU and simple RNN: whole training step against autodiff through a scan and PyTorch.

python bench/kernels_recurrent.py --torch-python /path/to/python-with-torch
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from kernels_timing import (
    adam_step,
    arguments,
    cross_entropy,
    interleave,
    loop_program,
    one_step_program,
    show,
    torch_times,
)

from nacre.ops.kernels import recurrent

BATCH, TIME, FEATURES, UNITS, CLASSES = 32, 50, 16, 128, 10

TORCH = """
class Network(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.recurrent, self.dense = kind(16, 128, batch_first=True), nn.Linear(128, 10)
    def forward(self, x):
        return self.dense(self.recurrent(x)[0][:, -1])
x = torch.randn(32, 50, 16)
kinds = (nn.LSTM, nn.GRU, nn.RNN)
cases = {f"PyTorch eager, {kind.__name__}": trainer(Network(kind), x, y) for kind in kinds}
"""

KINDS = {  # name: (gates, states, function, same values by plain autodiff)
    "lstm": (4, 2, recurrent.lstm),
    "gru": (3, 1, recurrent.gru),
    "gru, reset before": (3, 1, functools.partial(recurrent.gru, reset_after=False)),
    "simple rnn": (1, 1, recurrent.simple_rnn),
}


def parameters(gates, two_rows_of_bias):
    draw = lambda *shape: jnp.asarray(np.random.default_rng(0).normal(0, 0.05, shape), "float32")
    bias = (2, gates * UNITS) if two_rows_of_bias else (gates * UNITS,)
    weights = (draw(FEATURES, gates * UNITS), draw(UNITS, gates * UNITS), draw(*bias))
    return weights, (draw(UNITS, CLASSES), draw(CLASSES))


def loss(function, states, parameters, x, y):
    weights, (kernel, bias) = parameters
    zeros = [jnp.zeros((x.shape[0], UNITS))] * states
    return cross_entropy(function(x, *zeros, *weights)[0] @ kernel + bias, y)


def main():
    options = arguments(__doc__)
    generator = np.random.default_rng(1)
    x = jnp.asarray(generator.normal(size=(2048, TIME, FEATURES)), "float32")
    y = jnp.asarray(generator.integers(0, CLASSES, 2048), "int32")
    for name, (gates, states, function) in KINDS.items():
        start = parameters(gates, name == "gru")
        other = {"activation": lambda z: jnp.tanh(z)}  # another callable takes the plain scan
        if gates > 1:
            other["recurrent_activation"] = lambda z: jax.nn.sigmoid(z)
        fast = adam_step(functools.partial(loss, function, states))
        plain = adam_step(functools.partial(loss, functools.partial(function, **other), states))
        runs = {
            "nacre kernels, steps in one loop": loop_program(fast, start, x, y),
            "nacre kernels, one-step program": one_step_program(fast, start, x, y),
            "autodiff scan, steps in one loop": loop_program(plain, start, x, y),
            "autodiff scan, one-step program": one_step_program(plain, start, x, y),
        }
        title = f"{name}({UNITS}), {TIME} steps x {FEATURES} features, batch {BATCH}, Adam"
        show(title, interleave(runs, options.rounds, options.steps))
    if options.torch_python:
        show(
            "the same in PyTorch",
            torch_times(options.torch_python, TORCH, options.rounds, options.steps),
        )


if __name__ == "__main__":
    main()
