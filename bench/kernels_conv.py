"""Convolution and pooling against plain XLA by shape, and the CIFAR CNN step against PyTorch.

python bench/kernels_conv.py --torch-python /path/to/python-with-torch
"""

import functools
import os
import time

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
    repeat,
    show,
    torch_times,
)

from nacre.ops.kernels import convolution, placement, pooling

SHAPES = [  # name, batch, spatial, channels, filters, window, stride, padding, groups
    ("cifar 1", 32, (32, 32), 3, 32, 3, 1, "valid", 1),
    ("cifar 2", 32, (15, 15), 32, 64, 3, 1, "valid", 1),
    ("cifar 3", 32, (6, 6), 64, 64, 3, 1, "valid", 1),
    ("mnist 1", 128, (28, 28), 1, 32, 3, 1, "valid", 1),
    ("mnist 2", 128, (13, 13), 32, 64, 3, 1, "valid", 1),
    ("residual 56", 8, (56, 56), 64, 64, 3, 1, "same", 1),
    ("residual 28", 8, (28, 28), 128, 128, 3, 1, "same", 1),
    ("residual 14", 8, (14, 14), 256, 256, 3, 1, "same", 1),
    ("residual 7", 8, (7, 7), 512, 512, 3, 1, "same", 1),
    ("stride 2", 8, (56, 56), 64, 128, 3, 2, "same", 1),
    ("stem 7x7", 8, (112, 112), 3, 64, 7, 2, "same", 1),
    ("1x1", 8, (56, 56), 256, 64, 1, 1, "valid", 1),
    ("depthwise", 8, (28, 28), 128, 128, 3, 1, "same", 128),
    ("8 groups", 8, (28, 28), 128, 128, 3, 1, "same", 8),
    ("1-d", 32, (128,), 64, 128, 5, 1, "causal", 1),
    ("1-d long", 32, (1000,), 16, 32, 7, 1, "same", 1),
    ("few filters", 4, (128, 128), 32, 32, 3, 1, "same", 1),
    ("3-d", 4, (16, 16, 16), 16, 32, 3, 1, "same", 1),
]

TORCH = """
def network(channels_last):
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))
    x = torch.randn(32, 3, 32, 32)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    return trainer(model, x, y)
cases = {"PyTorch eager, NCHW": network(False), "PyTorch eager, channels_last": network(True)}
"""


def cifar_parameters():
    generator = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(generator.normal(0, 0.05, shape), "float32")
    kernels = [
        draw(3, 3, 3, 32),
        draw(3, 3, 32, 64),
        draw(3, 3, 64, 64),
        draw(1024, 64),
        draw(64, 10),
    ]
    return [(kernel, draw(kernel.shape[-1])) for kernel in kernels]


def cifar_loss(place, parameters, x, y):
    *convolutions, hidden, last = parameters
    for number, (kernel, bias) in enumerate(convolutions):
        x = convolution.convolution(x, kernel, strides=(1, 1), padding="valid", placement=place)
        x = jax.nn.relu(x + bias)
        if number < 2:
            x = pooling.max_pool(x, window=(2, 2))
    x = jax.nn.relu(x.reshape(x.shape[0], -1) @ hidden[0] + hidden[1])
    return cross_entropy(x @ last[0] + last[1], y)


def with_plain_xla(function):
    """Trace a function with the fast paths off."""

    @functools.wraps(function)
    def traced(*arrays):
        os.environ["NACRE_KERNELS"] = "xla"
        try:
            return function(*arrays)
        finally:
            del os.environ["NACRE_KERNELS"]

    return traced


def whole_step(options):
    generator = np.random.default_rng(1)
    x = jnp.asarray(generator.normal(size=(2048, 32, 32, 3)), "float32")
    y = jnp.asarray(generator.integers(0, 10, 2048), "int32")
    steps = {place: adam_step(functools.partial(cifar_loss, place)) for place in ("plain", "loop")}
    parameters = cifar_parameters()
    runs = {
        "nacre kernels, steps in one loop": loop_program(steps["loop"], parameters, x, y),
        "nacre kernels, one-step program": one_step_program(steps["plain"], parameters, x, y),
        "plain XLA, one-step program": one_step_program(
            with_plain_xla(steps["plain"]), parameters, x, y
        ),
    }
    show(
        "CIFAR CNN, batch 32, Adam: whole training step",
        interleave(runs, options.rounds, options.steps),
    )
    if options.torch_python:
        show(
            "the same in PyTorch",
            torch_times(options.torch_python, TORCH, options.rounds, options.steps),
        )


def shape_runs(spatial, batch, channels, filters, window, stride, padding, groups):
    """Return {name: run} for the three maps, ours and plain."""
    ndim = len(spatial)
    windows, strides, steps = (window,) * ndim, (stride,) * ndim, (1,) * ndim
    pairs = convolution.explicit_padding(padding, spatial, windows, strides, steps)
    geometry = convolution.Geometry(spatial, windows, strides, pairs, steps, groups, "plain")
    draw = lambda *shape: jnp.asarray(np.random.default_rng(0).normal(size=shape), "float32")
    x, dy = draw(batch, *spatial, channels), draw(batch, *geometry.outputs, filters)
    kernel = draw(*windows, channels // groups, filters)
    apply = functools.partial(
        convolution.convolution, strides=strides, padding=padding, groups=groups, placement="plain"
    )
    of_input = lambda dy, kernel: jax.vjp(lambda x: apply(x, kernel), x)[1](dy)[0]
    of_kernel = lambda dy, x: jax.vjp(lambda kernel: apply(x, kernel), kernel)[1](dy)[0]
    maps = {
        "forward": (apply, (x, kernel)),
        "input gradient": (of_input, (dy, kernel)),
        "kernel gradient": (of_kernel, (dy, x)),
    }
    for name, (function, arrays) in maps.items():
        yield name, repeat(function, *arrays), repeat(with_plain_xla(function), *arrays)


def steps_for(run, seconds=0.02):
    run(1)
    start = time.perf_counter()
    run(1)
    return max(1, int(seconds / (time.perf_counter() - start)))


def main():
    options = arguments(__doc__)
    print(f"platform {placement.platform()}, fast paths {placement.uses_cpu_kernels()}")
    whole_step(options)
    print("\nby shape: ms, ours | plain XLA (minimum of interleaved rounds)")
    for name, batch, spatial, *rest in SHAPES:
        cells = []
        for label, ours, plain in shape_runs(spatial, batch, *rest):
            steps = min(steps_for(ours), steps_for(plain))
            times = interleave({"ours": ours, "plain": plain}, max(3, options.rounds // 2), steps)
            cells.append(f"{label} {times['ours'][0]:7.2f} | {times['plain'][0]:7.2f}")
        print(f"  {name:12s} " + "   ".join(cells), flush=True)


if __name__ == "__main__":
    main()
