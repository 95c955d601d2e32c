"""Recurrent, attention and dense layers, cell by cell: nacre against plain XLA and PyTorch.

python -m bench.grid_sequence recurrent --peer-python PATH [--only 0:8]
python -m bench.grid_sequence attention --peer-python PATH
python -m bench.grid_dense --peer-python PATH

Forward, and training (all gradients, a small step down them), as the body of a device loop, which
is how `fit` runs them. Plain XLA is a scan with autodiff, attention by einsum and softmax, a
product with a bias added.
Rounds are interleaved; what counts is the smallest time. Compile times are tracing and compiling,
no cache. Cells that are not asked for keep the figures of the run before.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from bench import machine
from bench.__main__ import keep_to_cores
from bench.grid_sequence_cells import CELLS, Attention, Dense, Recurrent
from nacre.ops.kernels import activation, attention, products, recurrent
from nacre.ops.kernels.placement import inside_loop

RATE = 1e-7
MODES = ("forward", "training")
FUNCTIONS = {"lstm": recurrent.lstm, "gru": recurrent.gru, "simple": recurrent.simple_rnn}
Cell = Recurrent | Attention | Dense
Run = Callable[[int], float]  # steps -> seconds


def layer_of(cell: Cell, side: str) -> tuple[Callable[..., Array], list[Array]]:
    """The function of one side, and its arrays, all of which get gradients."""
    generator = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(0.05 * generator.standard_normal(shape), "float32")
    if isinstance(cell, Dense):
        shapes = [(cell.rows, cell.features), (cell.features, cell.units), (cell.units,)]
        return functools.partial(dense, cell, side), [draw(*shape) for shape in shapes]
    if isinstance(cell, Attention):
        scale = 1 / math.sqrt(cell.size)
        function = attention.attention if side == "nacre" else attention.plain_attention
        more = {"placement": "loop"} if side == "nacre" else {}
        arrays = [draw(cell.batch, cell.length, cell.heads, cell.size) for _ in range(3)]
        options = dict(bias=None, mask=None, scale=scale, is_causal=cell.causal, **more)
        return functools.partial(function, **options), arrays
    directions = 2 if cell.bidirectional else 1
    gates, states = {"lstm": (4, 2), "gru": (3, 1), "simple": (1, 1)}[cell.kind]
    bias = (2, gates * cell.units) if cell.kind == "gru" else (gates * cell.units,)
    shapes = [(cell.features, gates * cell.units), (cell.units, gates * cell.units), bias]
    arrays = [draw(cell.batch, cell.steps, cell.features)]
    arrays += [draw(*shape) for _ in range(directions) for shape in shapes]
    zeros = [jnp.zeros((cell.batch, cell.units))] * states
    lengths = generator.integers(cell.steps // 2, cell.steps + 1, cell.batch)
    mask = jnp.arange(cell.steps) < jnp.asarray(lengths)[:, None] if cell.masked else None
    options: dict[str, Any] = {"return_sequences": cell.sequences, "mask": mask}
    if side == "nacre":
        options["placement"] = "loop"
    else:  # another callable takes the plain scan and autodiff
        options["activation"] = lambda z: jnp.tanh(z)
        if cell.kind != "simple":
            options["recurrent_activation"] = lambda z: jax.nn.sigmoid(z)
    one_way = functools.partial(FUNCTIONS[cell.kind], **options)

    def layer(x: Array, *weights: Array) -> Array:
        outputs = [one_way(x, *zeros, *weights[:3])[0]]
        if cell.bidirectional:
            outputs.append(one_way(x, *zeros, *weights[3:], reverse=True)[0])
        return jnp.concatenate(outputs, -1)

    return layer, arrays


def dense(cell: Dense, side: str, x: Array, kernel: Array, bias: Array) -> Array:
    """A dense layer of one side."""
    with inside_loop():
        use = products.when_compiled(x, kernel, bias) if side == "nacre" else "never"
        y = products.dense_product(x, kernel, bias, use) if side == "nacre" else x @ kernel + bias
        if cell.activation == "gelu":
            use = activation.when_compiled(y) if side == "nacre" else "never"
            return activation.activation("gelu", y, use)
    return jax.nn.relu(y) if cell.activation else y


def compiled(cell: Cell, side: str, mode: str) -> tuple[Run, float]:
    """run(steps) of one program, and the seconds that tracing and compiling it took."""
    layer, arrays = layer_of(cell, side)

    def forward(number: Array, state: Any) -> Any:
        arrays, _ = state
        first, _ = lax.optimization_barrier((arrays[0], number))  # no work may leave the loop
        return arrays, layer(first, *arrays[1:])

    def training(number: Array, state: Any) -> Any:
        arrays, _ = state
        y, transpose = jax.vjp(layer, *arrays)
        return [a - RATE * g for a, g in zip(arrays, transpose(y), strict=True)], y

    body = forward if mode == "forward" else training
    state = (arrays, jnp.zeros(jax.eval_shape(layer, *arrays).shape))
    start = time.perf_counter()
    whole = jax.jit(lambda count, state: lax.fori_loop(0, count, body, state), donate_argnums=1)
    program = whole.lower(0, state).compile()
    seconds = time.perf_counter() - start

    def run(count: int) -> float:
        nonlocal state
        start = time.perf_counter()
        state = jax.block_until_ready(program(count, state))
        return time.perf_counter() - start

    return run, seconds


class TorchSide:
    """The process of `bench.peers.torch_grid_sequence`, asked cell by cell."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "bench.peers.torch_grid_sequence"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=machine.ROOT,
        )

    def ask(self, **request: Any) -> Any:
        """One line there, one line back."""
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None and pipe_out is not None
        pipe_in.write(json.dumps(request) + "\n")
        pipe_in.flush()
        return json.loads(pipe_out.readline())

    def runs(self, table: str, cell: Cell) -> dict[str, Run]:
        """{'torch forward': run, ...}"""
        self.ask(table=table, cell=cell.name)
        return {f"torch {m}": lambda n, m=m: self.ask(run=m, steps=n) for m in MODES}


def measure(table: str, cell: Cell, torch: TorchSide | None, rounds: int, seconds: float) -> Any:
    """Everything about one cell."""
    runs: dict[str, Run] = {}
    compile_seconds: dict[str, float] = {}
    for mode in MODES:
        for side in ("nacre", "xla"):
            name = f"{side} {mode}"
            runs[name], compile_seconds[name] = compiled(cell, side, mode)
    if torch:
        runs |= torch.runs(table, cell)
    counts = {}
    for name, run in runs.items():
        run(1)
        counts[name] = max(1, int(seconds / run(1)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 == 0 else -1]:
            times[name].append(1e3 * runs[name](counts[name]) / counts[name])
    return {
        "ms": {name: round(min(values), 4) for name, values in times.items()},
        "compile_seconds": {name: round(value, 3) for name, value in compile_seconds.items()},
    }


def table_of(cells: dict[str, Any]) -> list[str]:
    """Times of nacre, and speeds: the others' time by nacre's."""
    rows = [
        "| cell | forward, ms | XLA ÷ | torch ÷ | training, ms | XLA ÷ | torch ÷ | compile ÷ XLA |",
        "|---" * 8 + "|",
    ]
    for name, found in cells.items():
        figures = []
        for mode in MODES:
            own = found["ms"][f"nacre {mode}"]
            figures.append(f"{own:.3f}")
            for side in ("xla", "torch"):
                peer = found["ms"].get(f"{side} {mode}")
                figures.append("—" if peer is None else f"{peer / own:.2f}")
        rows.append(f"| {name} | {' | '.join(figures)} | {compile_ratio(found):.2f} |")
    return rows


def compile_ratio(found: Any) -> float:
    """nacre's compile time of the training step by plain XLA's."""
    seconds = found["compile_seconds"]
    return seconds["nacre training"] / seconds["xla training"]


def summary(cells: dict[str, Any]) -> list[str]:
    """The figures that the goals are about."""
    rows = []
    for mode in MODES:
        for side in ("xla", "torch"):
            speeds = [
                f["ms"][f"{side} {mode}"] / f["ms"][f"nacre {mode}"]
                for f in cells.values()
                if f"{side} {mode}" in f["ms"]
            ]
            if speeds:
                mean = math.exp(sum(map(math.log, speeds)) / len(speeds))
                rows.append(f"- {mode}: geometric mean of speeds {mean:.2f} × {side}")
    slower = [
        f"{name} ({mode})"
        for name, found in cells.items()
        for mode in MODES
        if found["ms"][f"nacre {mode}"] > 1.1 * found["ms"][f"xla {mode}"]
    ]
    rows.append(f"- more than 10 % slower than plain XLA: {'; '.join(slower) or 'none'}")
    slow = [name for name, found in cells.items() if compile_ratio(found) > 1.5]
    rows.append(f"- compile time above 1.5 × plain XLA's: {'; '.join(slow) or 'none'}")
    return rows


MANY_PRODUCTS = 2**27  # of cells whose time is products


def of_peak(cells: dict[str, Any], peak: float | None) -> list[str]:
    """What share of the processor's peak the large cells' forward passes reach."""
    if not peak:
        return []
    rows = [
        f"- peak of the processor (`bench/peak.cc`): {peak:.0f} GFLOP/s of float32; of it, the",
        "  forward passes of the large cells reach, nacre / XLA:",
    ]
    for cell in CELLS["dense"]:
        products = cell.rows * cell.features * cell.units
        if products >= MANY_PRODUCTS and cell.name in cells:
            ms = cells[cell.name]["ms"]
            own, xla = (2e-6 * products / ms[f"{s} forward"] / peak for s in ("nacre", "xla"))
            rows.append(f"  - {cell.name}: {own:.0%} / {xla:.0%}, so at most {1 / xla:.2f} × XLA")
    return rows


def write(path: Path, table: str, facts: dict[str, Any], cells: dict[str, Any]) -> None:
    """Join with what is there, and write both files."""
    before = json.loads(path.read_text())["cells"] if path.exists() else {}
    joined = before | {name: {**found, "date": facts["date"]} for name, found in cells.items()}
    joined = {cell.name: joined[cell.name] for cell in CELLS[table] if cell.name in joined}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"facts": facts, "cells": joined}, indent=1) + "\n")
    lines = [
        f"# {table.capitalize()}, cell by cell",
        "",
        f"`{facts['command']}`, {facts['date']},",
        f"{facts['processor']}, {facts['cores_used']} cores,",
        f"nacre {facts['commit']}, {facts['own']['packages']}, peers {facts['peers']['packages']}.",
        "",
        "A speed is the other's time by nacre's (XLA ÷, torch ÷), smallest times of interleaved",
        "rounds: above 1 nacre is faster.",
        "",
        *summary(joined),
        *(of_peak(joined, facts.get("peak_gflops")) if table == "dense" else []),
        "",
        *table_of(joined),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines))


def main(words: list[str] | None = None) -> None:
    """Measure the cells asked for and write what is known of all."""
    parser = argparse.ArgumentParser(prog="python -m bench.grid_sequence")
    parser.add_argument("table", choices=list(CELLS))
    parser.add_argument("--peer-python", default=os.environ.get("NACRE_BENCH_PEERS"))
    parser.add_argument("--only", default=":", help="a range of cells, as 0:8")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.03, help="of one form in one round")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args(words)
    cores = keep_to_cores(options.cores)
    peers = machine.versions(options.peer_python) if options.peer_python else {"packages": {}}
    facts = machine.facts(machine.versions(sys.executable), peers, cores)
    name = "grid_dense" if options.table == "dense" else f"grid_sequence {options.table}"
    facts["command"] = f"python -m bench.{name} --peer-python …"
    if options.table == "dense":
        facts["peak_gflops"] = machine.peak_gflops(cores)
    torch = TorchSide(options.peer_python) if options.peer_python else None
    first, last = (int(word) if word else None for word in options.only.split(":"))
    cells: dict[str, Any] = {}
    for cell in CELLS[options.table][first:last]:
        cells[cell.name] = measure(options.table, cell, torch, options.rounds, options.seconds)
        print(table_of({cell.name: cells[cell.name]})[-1], flush=True)
        write(options.results / f"grid_{options.table}.json", options.table, facts, cells)


if __name__ == "__main__":
    main()
