"""Models quantized to int8 against float32: products, `predict` and `generate`.

python -m bench.quantized [--rounds 7]

Both sides in turn; medians. Products are each a loop of a program of nacre's own, which `fit` and
`predict` are too; "plain" is the int8 product by XLA, with the same bits. Results are
`results/quantized.{json,md}`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import nacre
from bench import generate, machine
from bench.__main__ import keep_to_cores
from nacre import layers
from nacre.layers.adapters.products import ProductForm, integer_product
from nacre.ops.kernels.placement import own_program, plain_xla
from nacre.ops.products import dense
from nacre.quantizers import AbsMaxQuantizer, abs_max_quantize

SHAPES = [  # rows, features, units
    (1, 384, 384),
    (1, 384, 1536),
    (1, 384, 8192),
    (1, 1024, 1024),
    (8, 384, 1536),
    (8, 384, 8192),
    (32, 784, 128),
    (128, 1024, 1024),
    (512, 384, 1536),
    (2048, 128, 512),
    (2048, 1024, 1024),
]
Run = Callable[[], Any]


def timed(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Milliseconds of each, the median of interleaved rounds."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 == 0 else -1]:
            start = time.perf_counter()
            runs[name]()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def looped(product: Callable[[Any], Any], x: Any, count: int) -> Run:
    """A program that makes a product `count` times, each of another array."""

    def body(_: Any, x: Any) -> Any:
        return x.at[0, 0].add(1e-9 * product(x)[0, 0])

    program = jax.jit(lambda x: lax.fori_loop(0, count, body, x)).lower(x).compile()
    return lambda: jax.block_until_ready(program(x))


def product(rows: int, features: int, units: int, rounds: int) -> dict[str, Any]:
    """Times of one shape."""
    rng = np.random.default_rng(0)
    x, kernel, bias = (
        jnp.asarray(rng.standard_normal(shape), jnp.float32)
        for shape in ((rows, features), (features, units), (units,))
    )
    numbers, scale = abs_max_quantize(kernel, axis=0)
    layer = layers.Dense(units)
    layer.build((None, features))
    form, scale = ProductForm(layer), scale.reshape(-1)
    whole = lambda x: integer_product(form, AbsMaxQuantizer(), x, numbers, scale, bias)
    count = max(3, int(2e9 / (rows * features * units + 1e7)))
    with own_program():
        runs = {
            "float32": looped(lambda x: dense(x, kernel, bias), x, count),
            "int8": looped(whole, x, count),
        }
        with plain_xla():
            runs["plain int8"] = looped(lambda x: whole(x), x, count)
    times = {name: ms / count for name, ms in timed(runs, rounds).items()}
    return {"shape": [rows, features, units], "ms": times}


def mlp() -> nacre.Model:
    """Three layers of 1024."""
    hidden = [layers.Dense(1024, activation="relu") for _ in range(2)]
    return nacre.Sequential([nacre.Input((1024,)), *hidden, layers.Dense(1024)])


def transformer() -> nacre.Model:
    """Four encoders of 256 on 64 tokens."""
    inputs = nacre.Input((64,), dtype="int32")
    x = layers.TokenAndPositionEmbedding(5000, 64, 256)(inputs)
    for _ in range(4):
        x = layers.TransformerEncoder(1024, 4, activation="gelu")(x)
    return nacre.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def both(make: Callable[[], nacre.Model], run: Callable[[nacre.Model], Any], rounds: int) -> Any:
    """Times of a model and of the same one quantized."""
    plain, small = make(), make()
    small.set_weights(plain.get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers that keep their float weights
        small.quantize("int8")
    return timed({"float32": lambda: run(plain), "int8": lambda: run(small)}, rounds)


def whole_runs(rounds: int) -> dict[str, Any]:
    """Times of `predict` and `generate`."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((8192, 1024)).astype("float32")
    tokens = rng.integers(0, 5000, (512, 64)).astype("int32")
    found = {
        "predict, MLP 1024-1024-1024, 8,192 rows, batch 128": both(
            mlp, lambda m: m.predict(rows, batch_size=128, verbose=0), rounds
        ),
        "predict, transformer 4 × 256, 512 × 64 tokens, batch 32": both(
            transformer, lambda m: m.predict(tokens, batch_size=32, verbose=0), rounds
        ),
    }
    for batch in generate.BATCHES:
        prompt = rng.integers(0, generate.VOCABULARY, (batch, generate.PROMPT)).astype("int32")
        continued = lambda model, prompt=prompt: nacre.models.generate(
            model, prompt, max_new_tokens=generate.TOKENS
        )
        name = f"generate, GPT 6 × 384, {generate.TOKENS} tokens, batch {batch}"
        found[name] = both(generate.network, continued, rounds)
    return found


def markdown(facts: dict[str, Any], products: list[Any], runs: dict[str, Any]) -> str:
    """The report."""
    lines = [
        "# Models quantized to int8",
        "",
        f"`python -m bench.quantized`, {facts['date']}, commit {facts['commit']};",
        f"{facts['processor']}, {facts['cores_used']} cores. Both sides in turn; medians.",
        "",
        "| run | float32, ms | int8, ms | float32 ÷ int8 |",
        "|---" * 4 + "|",
    ]
    for name, ms in runs.items():
        ratio = ms["float32"] / ms["int8"]
        lines.append(f"| {name} | {ms['float32']:.1f} | {ms['int8']:.1f} | {ratio:.2f} |")
    lines += ["", "| rows, features, units | float32, ms | int8 by XLA | int8 | float32 ÷ int8 |"]
    lines.append("|---" * 5 + "|")
    for row in products:
        ms, shape = row["ms"], ", ".join(map(str, row["shape"]))
        figures = " | ".join(f"{ms[n]:.4f}" for n in ("float32", "plain int8", "int8"))
        lines.append(f"| {shape} | {figures} | {ms['float32'] / ms['int8']:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write both files."""
    parser = argparse.ArgumentParser(prog="python -m bench.quantized")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    cores = keep_to_cores(options.cores)
    facts = machine.facts(machine.versions(sys.executable), {"packages": {}}, cores)
    products = [product(*shape, options.rounds) for shape in SHAPES]
    runs = whole_runs(options.rounds)
    text = markdown(facts, products, runs)
    print(text)
    (options.results / "quantized.md").write_text(text, encoding="utf-8")
    result = json.dumps({"facts": facts, "products": products, "runs": runs}, indent=1)
    (options.results / "quantized.json").write_text(result + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
