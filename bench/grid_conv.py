"""Convolution and pooling, layer by layer: nacre against plain XLA and PyTorch, in one run.

python -m bench.grid_conv --peer-python PATH [--only "stem 64,max 2"]

Every cell is measured forward and in training (both gradients), in a program of one step ("plain")
and as the body of a device loop ("loop", as `fit` runs it). Rounds are interleaved; what counts is
the smallest time of a form. Compile times are tracing and compiling, no cache. Cells that are not
asked for keep the figures of the run before.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from bench import machine
from bench.__main__ import keep_to_cores
from bench.grid_cells import CELLS, Cell
from nacre import ops
from nacre.ops.kernels import placement

RATE = 1e-7
SWITCHES = ("NACRE_NATIVE", "NACRE_KERNELS")  # what a result must tell if it is set
MODES, PLACES, SIDES = ("forward", "training"), ("plain", "loop"), ("xla", "torch")
Run = Callable[[int], float]  # steps -> seconds
Times = dict[str, list[float]]  # name of a form -> ms a step, one for each round


# --- the layer, in nacre and in plain XLA ---------------------------------------------------------


def nacre_layer(cell: Cell) -> Callable[..., Any]:
    """x, kernels -> y, by nacre's operations."""
    axes = tuple(range(1, 1 + len(cell.sizes)))
    steps = {"strides": cell.stride, "padding": cell.padding}
    if cell.kind == "conv" and cell.groups == cell.channels > 1:
        return lambda x, kernel: ops.depthwise_conv(x, jnp.swapaxes(kernel, -1, -2), **steps)
    return {
        "conv": lambda x, k: ops.conv(x, k, dilation_rate=cell.dilation, **steps),
        "transposed": lambda x, k: ops.conv_transpose(x, jnp.swapaxes(k, -1, -2), **steps),
        "separable": lambda x, deep, point: ops.separable_conv(
            x, jnp.swapaxes(deep, -1, -2), point, **steps
        ),
        "max": lambda x: ops.max_pool(x, cell.window, **steps),
        "average": lambda x: ops.average_pool(x, cell.window, **steps),
        "global max": lambda x: ops.max(x, axes),
        "global average": lambda x: ops.mean(x, axes),
    }[cell.kind]


def xla_layer(cell: Cell) -> Callable[..., Any]:
    """x, kernels -> y, by JAX's own convolution and windows, with their own gradients."""
    ndim, padding = len(cell.sizes), cell.padding.upper()
    axes, spatial = tuple(range(1, 1 + ndim)), "DHW"[-ndim:]
    names = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    strides = (cell.stride,) * ndim

    def conv(x: Array, kernel: Array, groups: int = cell.groups, **change: Any) -> Array:
        steps = {"window_strides": strides, "padding": padding, **change}
        return lax.conv_general_dilated(
            x,
            kernel,
            rhs_dilation=(cell.dilation,) * ndim,
            dimension_numbers=names,
            feature_group_count=groups,
            **steps,
        )

    def separable(x: Array, deep: Array, point: Array) -> Array:
        return conv(conv(x, deep, cell.channels), point, 1, window_strides=(1,) * ndim)

    def window(x: Array, start: float, combine: Any) -> Array:
        full, steps = (1, *(cell.window,) * ndim, 1), (1, *strides, 1)
        return lax.reduce_window(x, start, combine, full, steps, padding)

    def average(x: Array) -> Array:
        count = window(jnp.ones((1, *x.shape[1:-1], 1)), 0.0, lax.add)
        return window(x, 0.0, lax.add) / (cell.window**ndim if padding == "VALID" else count)

    return {
        "conv": conv,
        "transposed": lambda x, k: lax.conv_transpose(
            x, k, strides, padding, dimension_numbers=names
        ),
        "separable": separable,
        "max": lambda x: window(x, -jnp.inf, lax.max),
        "average": average,
        "global max": lambda x: jnp.max(x, axes),
        "global average": lambda x: jnp.mean(x, axes),
    }[cell.kind]


def arrays_of(cell: Cell) -> list[Array]:
    """The input and the kernels, drawn anew (they are donated)."""
    generator = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(0.05 * generator.standard_normal(shape), "float32")
    window = (cell.window,) * len(cell.sizes)
    x = draw(cell.batch, *cell.sizes, cell.channels)
    if cell.kind == "separable":
        ones = (1,) * len(window)
        return [x, draw(*window, 1, cell.channels), draw(*ones, cell.channels, cell.filters)]
    if not cell.is_convolution:
        return [x]
    return [x, draw(*window, cell.channels // cell.groups, cell.filters)]


# --- the same work for everyone -------------------------------------------------------------------


def step_of(layer: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """(number, kernels, kept, x) -> (kernels, kept): a forward pass, or a step down the gradients.

    The loss is half the sum of squares, so that y is its own gradient. The input passes a barrier
    with the number of the step: the compiler must not take work on it out of a loop.
    """

    def forward(number: Array, kernels: list[Array], _: Any, x: Array) -> Any:
        x, _ = lax.optimization_barrier((x, number))
        return kernels, layer(x, *kernels)

    def training(number: Array, kernels: list[Array], _: Any, x: Array) -> Any:
        x, _ = lax.optimization_barrier((x, number))
        y, transpose = jax.vjp(layer, x, *kernels)
        dx, *gradients = transpose(y)
        return [k - RATE * g for k, g in zip(kernels, gradients, strict=True)], dx

    return forward if mode == "forward" else training


def compiled(cell: Cell, layer: Callable[..., Any], mode: str, place: str) -> tuple[Run, float]:
    """run(steps) of one program, and the seconds that tracing and compiling it took."""
    step, (x, *kernels) = step_of(layer, mode), arrays_of(cell)
    kept = x if mode == "training" else jax.eval_shape(layer, x, *kernels)
    state = (kernels, jnp.zeros(kept.shape))

    def loop(count: Array, state: Any, x: Array) -> Any:
        with placement.inside_loop():
            return lax.fori_loop(0, count, lambda number, state: step(number, *state, x), state)

    start = time.perf_counter()
    whole = loop if place == "loop" else lambda number, state, x: step(number, *state, x)
    with placement.own_program():  # as predict and fit mark theirs
        program = jax.jit(whole, donate_argnums=1).lower(0, state, x).compile()
    seconds = time.perf_counter() - start

    def run(count: int) -> float:
        nonlocal state
        start = time.perf_counter()
        if place == "loop":
            state = program(count, state, x)
        else:
            for number in range(count):
                state = program(number, state, x)
        jax.block_until_ready(state)
        return time.perf_counter() - start

    return run, seconds


class TorchSide:
    """The process of `bench.peers.torch_grid`, asked cell by cell."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "bench.peers.torch_grid"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=machine.ROOT,
        )

    def _ask(self, **request: Any) -> Any:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        pipe_in.write(json.dumps(request) + "\n")
        pipe_in.flush()
        return json.loads(pipe_out.readline())

    def runs(self, cell: Cell) -> dict[str, Run]:
        """{'torch training channels_last': run, ...}"""
        forms = self._ask(cell=cell.name)
        return {
            f"torch {mode} {layout}": functools.partial(self._run, layout, mode)
            for layout, mode in forms
        }

    def _run(self, layout: str, mode: str, steps: int) -> float:
        return self._ask(run=[layout, mode], steps=steps)

    def close(self) -> None:
        self._process.communicate()


def measure(cell: Cell, torch: TorchSide | None, rounds: int, seconds: float) -> dict[str, Any]:
    """Everything about one cell."""
    runs: dict[str, Run] = {}
    compile_seconds: dict[str, float] = {}
    sides = {"nacre": nacre_layer(cell), "xla": xla_layer(cell)}
    for mode in MODES:
        for place in PLACES:
            for side, layer in sides.items():
                name = f"{side} {mode} {place}"
                runs[name], compile_seconds[name] = compiled(cell, layer, mode, place)
    if torch:
        runs |= torch.runs(cell)
    times = interleaved(runs, rounds, seconds)
    return {
        "words": cell.words,
        "ms": {name: round(min(values), 4) for name, values in times.items()},
        "median_ms": {name: round(statistics.median(v), 4) for name, v in times.items()},
        "compile_seconds": {name: round(value, 3) for name, value in compile_seconds.items()},
    }


def interleaved(runs: dict[str, Run], rounds: int, seconds: float) -> Times:
    """Every form once a round, for about `seconds` (a slow one takes one step, in two rounds)."""
    counts = {}
    for name, run in runs.items():
        run(1)
        counts[name] = max(1, int(seconds / run(1)))
    times: Times = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in list(runs.items())[:: 1 if number % 2 == 0 else -1]:
            slow = counts[name] == 1 and times[name] and times[name][0] > 4e3 * seconds
            if not slow or len(times[name]) < 2:
                times[name].append(1e3 * run(counts[name]) / counts[name])
    return times


# --- what comes out -------------------------------------------------------------------------------


def ratios(found: dict[str, Any]) -> dict[str, float | None]:
    """Speeds of the others' time over nacre's: above 1 nacre is faster. Loop cells too."""
    ms = found["ms"]
    answer: dict[str, float | None] = {}
    for mode in MODES:
        peers = [value for name, value in ms.items() if name.startswith(f"torch {mode}")]
        for place in PLACES:
            own = ms[f"nacre {mode} {place}"]
            answer[f"xla {mode} {place}"] = ms[f"xla {mode} {place}"] / own
            answer[f"torch {mode} {place}"] = min(peers) / own if peers else None
    return answer


def geometric(values: list[float | None]) -> float | None:
    """The geometric mean of those that are there."""
    known = [math.log(value) for value in values if value]
    return math.exp(statistics.fmean(known)) if known else None


def _figure(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def table(cells: dict[str, Any]) -> Iterator[str]:
    """The ratios as Markdown."""
    columns = [f"{side} {mode} {place}" for mode in MODES for place in PLACES for side in SIDES]
    heads = [f"{mode}, {place}: ÷ {side}" for mode in MODES for place in PLACES for side in SIDES]
    yield "| cell | training, loop, ms | " + " | ".join(heads) + " | compile ÷ XLA's |"
    yield "|---" * (len(columns) + 3) + "|"
    for name, found in cells.items():
        speeds = ratios(found)
        own = found["ms"]["nacre training loop"]
        figures = " | ".join(_figure(speeds[column]) for column in columns)
        compiling = _figure(compile_ratio(found))
        yield f"| {name}: {found['words']} | {own:.3f} | {figures} | {compiling} |"


def compile_ratio(found: dict[str, Any]) -> float:
    """nacre's compile time of the training step by XLA's, the worse of the two places."""
    seconds = found["compile_seconds"]
    return max(seconds[f"nacre training {p}"] / seconds[f"xla training {p}"] for p in PLACES)


def summary(cells: dict[str, Any]) -> Iterator[str]:
    """The figures that the goals are about."""
    kinds = {cell.name: cell.is_convolution for cell in CELLS}
    for title, is_convolution in (("convolution", True), ("pooling", False)):
        chosen = {n: ratios(f) for n, f in cells.items() if kinds.get(n) == is_convolution}
        for mode in MODES:
            for place in PLACES:
                means = {
                    side: geometric([one[f"{side} {mode} {place}"] for one in chosen.values()])
                    for side in SIDES
                }
                said = ", ".join(f"{_figure(mean)} × {side}" for side, mean in means.items())
                yield f"- {title}, {mode}, {place}: geometric mean of speeds {said}"
    slower = [
        f"{name} ({key.removeprefix('xla ')}) {_figure(value)}"
        for name, found in cells.items()
        for key, value in ratios(found).items()
        if key.startswith("xla") and value is not None and value < 1 / 1.1
    ]
    yield f"- more than 10 % slower than plain XLA: {'; '.join(slower) or 'none'}"
    slow = [f"{n} {_figure(compile_ratio(f))}" for n, f in cells.items() if compile_ratio(f) > 1.5]
    yield f"- training step compiles in over 1.5 × plain XLA's time: {'; '.join(slow) or 'none'}"


def write(path: Path, facts: dict[str, Any], cells: dict[str, Any]) -> None:
    """Join with what is there, and write both files."""
    before = json.loads(path.read_text())["cells"] if path.exists() else {}
    dated = {name: {**found, "date": facts["date"]} for name, found in cells.items()}
    joined = {**before, **dated}
    joined = {cell.name: joined[cell.name] for cell in CELLS if cell.name in joined}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"facts": facts, "cells": joined}, indent=1) + "\n")
    lines = [
        "# Convolution and pooling by layer",
        "",
        f"`{facts['command']}`, {facts['date']},",
        f"{facts['processor']}, {facts['cores_used']} cores, nacre {facts['commit']},",
        f"{facts['own']['packages']}, peers {facts['peers']['packages']}.",
        "",
        "A speed is the other's time by nacre's, smallest times of interleaved rounds: above 1",
        "nacre is faster. PyTorch has its better memory layout and no loop of its own: both places",
        "are compared with the same time. A function that somebody else traces does not use the",
        "compiled kernels in its forward pass, as it may be on its way into an exported program.",
        "",
        "Why kernels of our own: on dense 3×3 shapes XLA's convolution reaches up to 230 GFLOP/s,",
        "PyTorch 450 to 550, and XLA's gradients are far slower in the body of a loop. A matrix",
        "of patches and one product costs memory traffic. The compiled kernels reach 400 to 510.",
        "Still slower than PyTorch: 3×3 on 8×8 with many channels, and groups.",
        "",
        *summary(joined),
        "",
        *table(joined),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines))


def parse(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.grid_conv")
    parser.add_argument("--peer-python", default=os.environ.get("NACRE_BENCH_PEERS"))
    parser.add_argument("--only", help="cells, by comma; or a range of them as 0:10")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.03, help="of one form in one round")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results" / "grid_conv.json"
    )
    return parser.parse_args(words)


def chosen(only: str | None) -> list[Cell]:
    """The cells asked for."""
    if not only:
        return CELLS
    if ":" in only:
        first, last = (int(word) if word else None for word in only.split(":"))
        return CELLS[first:last]
    wanted = [name.strip() for name in only.split(",")]
    unknown = set(wanted) - {cell.name for cell in CELLS}
    if unknown:
        sys.exit(f"grid_conv: no cell {sorted(unknown)}; there are {[c.name for c in CELLS]}")
    return [cell for cell in CELLS if cell.name in wanted]


def main(words: list[str] | None = None) -> None:
    """Measure the cells asked for and write what is known of all."""
    options = parse(words)
    cores = keep_to_cores(options.cores)
    peers = machine.versions(options.peer_python) if options.peer_python else {"packages": {}}
    facts = machine.facts(machine.versions(sys.executable), peers, cores)
    switches = [f"{name}={os.environ[name]} " for name in SWITCHES if name in os.environ]
    facts["command"] = f"{''.join(switches)}python -m bench.grid_conv --peer-python …"
    torch = TorchSide(options.peer_python) if options.peer_python else None
    cells: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        if torch:
            stack.callback(torch.close)
        for cell in chosen(options.only):
            found = measure(cell, torch, options.rounds, options.seconds)
            cells[cell.name] = found
            said = "  ".join(f"{k} {_figure(v)}" for k, v in ratios(found).items())
            own = found["ms"]["nacre training loop"]
            print(
                f"{cell.name:20s} {own:8.3f} ms  {said}  compile {compile_ratio(found):.2f}",
                flush=True,
            )
            write(options.results, facts, cells)


if __name__ == "__main__":
    main()
