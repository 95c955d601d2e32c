"""Pipelines of data sets, drawn at random: what they are is plain data, so that real tf.data and
`nacre.data` build the same.

A pipeline is a list of steps `[name, *arguments]`. While one is drawn, the form of its elements is
followed, so that most are right; a few are meant to be wrong.
"""

from __future__ import annotations

import random
from typing import Any

# Forms of elements: a number, a vector of 2, a vector of varying length, text, and what holds them.
Form = Any
NUMBER, FIXED, VARYING, TEXT = "number", "fixed", "varying", "text"


def drawn(seed: int) -> list[list[Any]]:
    """A pipeline."""
    rng = random.Random(seed)
    steps, form, level = _source(rng)
    for _ in range(rng.randint(1, 5)):
        step = _step(rng, form, level)
        if step is None:
            continue
        operation, form, level = step
        steps.append(operation)
        if form is None:
            break
    return steps


def _source(rng: random.Random) -> tuple[list[list[Any]], Form, int]:
    count = rng.choice([0, 1, 5, 8, 11])
    kind = rng.choice(["range", "range", "numbers", "fixed", "pairs", "dict", "text", "one"])
    if kind == "range":
        step = rng.choice([1, 2, -1])
        return [["range", 0, count * step, step]], NUMBER, 0
    forms = {
        "numbers": NUMBER, "fixed": FIXED, "pairs": (NUMBER, FIXED), "text": TEXT,
        "dict": {"b": NUMBER, "a": (TEXT, FIXED)}, "one": FIXED,
    }  # fmt: skip
    return [[kind, max(1, count)]], forms[kind], 0


def _step(rng: random.Random, form: Form, level: int) -> tuple[list[Any], Form, int] | None:
    n = rng.randint(1, 4)
    flag = rng.random() < 0.4
    has_varying = VARYING in str(form)
    ways: list[tuple[list[Any], Form, int]] = [
        (["take", rng.choice([-1, 0, 1, 3, 20])], form, level),
        (["skip", rng.choice([-1, 0, 2, 20])], form, level),
        (["repeat", rng.choice([0, 1, 2])], form, level),
        (["shard", n, rng.randrange(n)], form, level),
        (["prefetch", n], form, level),
        (["cache"], form, level),
        (["concatenate"], form, level),
        (["enumerate", n], (NUMBER, form), level) if level == 0 else (["cache"], form, level),
        (["zip"], (NUMBER, form), level) if level == 0 else (["cache"], form, level),
        (["double", rng.choice([0, 2])], form, level),
        (["cast"], form, level),
    ]
    if level < 2:
        batch = ["padded_batch", n, flag] if has_varying else ["batch", n, flag]
        ways += [(batch, form, level + 1)] * 3
        if rng.random() < 0.1:
            ways += [(["batch", n, flag], form, level + 1)]
    if level > 0 or rng.random() < 0.1:
        ways += [(["unbatch"], form, level - 1)] * 2
        ways += [(["rebatch", rng.choice([n, [1, n]]), flag], form, level)]
    if form == NUMBER and level == 0:
        ways += [
            (["fill"], VARYING, 0),
            (["fill"], VARYING, 0),
            (["pair"], (NUMBER, NUMBER), 0),
            (["even"], form, 0),
            (["even"], form, 0),
            (["below", n], form, 0),
            (["unique"], form, 0),
            (["flat_map"], form, 0),
            (["interleave", n, rng.randint(1, 3)], form, 0),
            (["scan"], form, 0),
            (["group", n], form, 1),
            (["window", n, rng.randint(1, 4), rng.randint(1, 2), flag], form, 1),
            (["window of sums", n, rng.randint(1, 4), rng.randint(1, 2), flag], form, 0),
            (["as_filter"], None, 0),
        ]
    if form == VARYING and level == 0:
        ways += [(["ragged_batch", n, flag], None, 1), (["buckets", n], form, 1)]
        ways += [(["padded to", n, rng.randint(2, 5), -1], form, 1)] * 2
    if isinstance(form, tuple) and level == 0:
        ways += [(["first"], form[0], 0), (["dict_of"], {"b": form[0], "a": form[1]}, 0)]
    if isinstance(form, dict):
        ways += [(["undict"], (form["a"], form["b"]), level)]
    if level == 0 and not has_varying:
        ways += [(["shuffle", n], None, 0)]
    return rng.choice(ways)


def build(steps: list[list[Any]], data: Any, lib: Any) -> Any:
    """The pipeline of a library.

    Args:
        steps: What `drawn` gave.
        data: The class `Dataset`.
        lib: Its functions on elements: `fill(count, value)`, `cast(x)`, `total(x)`, `number(x)` and
            `mapped(function, element)` over the leaves that are numbers.
    """
    import numpy as np

    dataset: Any = None
    for name, *given in steps:
        if name == "range":
            dataset = data.range(*given)
        elif name in ("numbers", "fixed", "pairs", "text", "dict"):
            count = given[0]
            numbers = np.arange(count, dtype="int64") * 3 % 7
            fixed = np.arange(2 * count, dtype="float32").reshape(count, 2)
            text = [f"t{i % 3}" for i in range(count)]
            dataset = data.from_tensor_slices(
                {
                    "numbers": numbers, "fixed": fixed, "pairs": (numbers, fixed), "text": text,
                    "dict": {"b": numbers, "a": (text, fixed)},
                }[name]
            )  # fmt: skip
        elif name == "one":
            dataset = data.from_tensors(np.ones(2, "float32"))
        else:
            dataset = _applied(name, given, dataset, data, lib)
    return dataset


def _applied(name: str, given: list[Any], dataset: Any, data: Any, lib: Any) -> Any:
    if name in ("take", "skip", "repeat", "shard", "prefetch", "cache", "enumerate", "unbatch"):
        return getattr(dataset, name)(*given)
    if name in ("batch", "padded_batch", "ragged_batch", "rebatch"):
        return getattr(dataset, name)(given[0], drop_remainder=given[1])
    if name == "unique":
        return dataset.unique()
    if name == "shuffle":
        return dataset.shuffle(given[0], seed=1)
    if name == "concatenate":
        return dataset.concatenate(dataset.take(2))
    if name == "zip":
        return data.zip((data.range(100, 107), dataset))
    if name == "double":
        return dataset.map(
            lambda *e: lib.mapped(lambda x: x * 2, e[0] if len(e) == 1 else e),
            num_parallel_calls=given[0] or None,
        )
    if name == "cast":
        return dataset.map(lambda *e: lib.mapped(lib.cast, e[0] if len(e) == 1 else e))
    functions = {
        "fill": lambda x: lib.fill(x % 4, x),
        "pair": lambda x: (x, x + 1),
        "first": lambda a, b: a,
        "dict_of": lambda a, b: {"b": a, "a": b},
        "undict": lambda d: (d["a"], d["b"]),
    }
    if name in functions:
        return dataset.map(functions[name])
    if name == "even":
        return dataset.filter(lambda x: x % 2 == 0)
    if name == "as_filter":
        return dataset.filter(lambda x: x)
    if name == "below":
        return dataset.take_while(lambda x: x < given[0] + 2)
    if name == "flat_map":
        return dataset.flat_map(lambda x: data.range(x % 3))
    if name == "interleave":
        return dataset.interleave(
            lambda x: data.range(x, x + 3), cycle_length=given[0], block_length=given[1]
        )
    if name == "scan":
        return dataset.scan(lib.number(0), lambda total, x: (total + x, total * 2))
    if name == "group":
        return dataset.group_by_window(
            lambda x: x % 3, lambda key, window: window.batch(2), window_size=given[0]
        )
    if name == "window":
        return dataset.window(*given).flat_map(lambda w: w.batch(3))
    if name == "window of sums":
        return dataset.window(*given).map(
            lambda w: w.reduce(lib.number(0), lambda total, x: total + x)
        )
    if name == "buckets":
        return dataset.bucket_by_sequence_length(lib.length, [2, 3], [given[0], 2, 1])
    if name == "padded to":
        return dataset.padded_batch(given[0], [given[1]], lib.number(given[2]))
    raise AssertionError(name)
