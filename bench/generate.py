"""Tokens a second of `nacre.models.generate`, against PyTorch eager with keys and values kept.

python -m bench.generate --peer-python PATH

A GPT of 6 blocks of 384, 6 heads, 8,192 tokens; 128 tokens after a prompt of 32, the likeliest
each time. Both sides in turn; medians. `results/generate.{json,md}` also say by how much the
process grew over the rounds after the first two.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nacre
from bench import machine
from bench.__main__ import keep_to_cores
from bench.peers.protocol import memory_mb
from nacre import layers

VOCABULARY, LENGTH, WIDTH, HEADS, BLOCKS = 8192, 512, 384, 6, 6
PROMPT, TOKENS = 32, 128
BATCHES = (1, 8)


def network() -> nacre.Model:
    """The same network as PyTorch's, not trained."""
    inputs = nacre.Input((None,), dtype="int32")
    x = layers.TokenAndPositionEmbedding(VOCABULARY, LENGTH, WIDTH)(inputs)
    for _ in range(BLOCKS):
        x = layers.TransformerDecoder(4 * WIDTH, HEADS, activation="gelu", normalize_first=True)(x)
    return nacre.Model(inputs, layers.Dense(VOCABULARY)(layers.LayerNormalization()(x)))


def own_side() -> Callable[[int], float]:
    """batch -> seconds, of nacre."""
    model = network()
    generator = np.random.default_rng(0)

    def run(batch: int) -> float:
        prompt = generator.integers(0, VOCABULARY, (batch, PROMPT)).astype("int32")
        start = time.perf_counter()
        nacre.models.generate(model, prompt, max_new_tokens=TOKENS)
        return time.perf_counter() - start

    return run


def torch_side(python: str) -> Callable[[int], float]:
    """batch -> seconds, of a process of PyTorch."""
    sizes = map(str, (VOCABULARY, LENGTH, WIDTH, HEADS, BLOCKS))
    process = subprocess.Popen(
        [python, "-m", "bench.peers.torch_generate", *sizes],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=machine.ROOT,
    )

    def run(batch: int) -> float:
        assert process.stdin is not None and process.stdout is not None
        request = {"batch": batch, "prompt": PROMPT, "tokens": TOKENS}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return run


def measure(sides: dict[str, Callable[[int], float]], rounds: int) -> list[dict[str, Any]]:
    """A row for each batch size."""
    rows = []
    for batch in BATCHES:
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for side in sides.values():
            side(batch)  # compiles
        before = 0.0
        for number in range(rounds):
            for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
                seconds[name].append(sides[name](batch))
            before = memory_mb()["resident"] if number == 1 else before
        speeds = {name: batch * TOKENS / statistics.median(s) for name, s in seconds.items()}
        grown = memory_mb()["resident"] - before if rounds > 2 else None
        rows.append({"batch": batch, "tokens_per_second": speeds, "grown_mb": grown})
    return rows


def markdown(facts: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The report."""
    lines = [
        "# Generating tokens",
        "",
        f"`python -m bench.generate --peer-python …`, {facts['date']}, commit {facts['commit']};",
        f"{facts['processor']}, {facts['cores_used']} cores.",
        "",
        "| batch | nacre, tokens a second | PyTorch | nacre ÷ PyTorch | grown, MB |",
        "|---" * 5 + "|",
    ]
    for row in rows:
        speeds = row["tokens_per_second"]
        peer = speeds.get("torch")
        ratio = "—" if peer is None else f"{speeds['nacre'] / peer:.2f}"
        grown = "—" if row["grown_mb"] is None else f"{row['grown_mb']:.1f}"
        told = "—" if peer is None else f"{peer:.0f}"
        lines.append(f"| {row['batch']} | {speeds['nacre']:.0f} | {told} | {ratio} | {grown} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write both files."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate")
    parser.add_argument("--peer-python", default=os.environ.get("NACRE_BENCH_PEERS"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    cores = keep_to_cores(options.cores)
    sides = {"nacre": own_side()}
    peers: dict[str, Any] = {"packages": {}}
    if options.peer_python:
        sides["torch"] = torch_side(options.peer_python)
        peers = machine.versions(options.peer_python)
    facts = machine.facts(machine.versions(sys.executable), peers, cores)
    rows = measure(sides, options.rounds)
    text = markdown(facts, rows)
    print(text)
    (options.results / "generate.md").write_text(text, encoding="utf-8")
    result = json.dumps({"facts": facts, "rows": rows}, indent=1)
    (options.results / "generate.json").write_text(result + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
