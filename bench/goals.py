"""What nacre wants to reach, as data. Edit here; the report says which goals are met.

A ratio is the peer's figure divided by nacre's, both from the same round: 2.0 means that nacre
needs half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KERAS = ("keras+TF", "keras+JAX", "keras+torch")


@dataclass(frozen=True)
class Faster:
    """nacre needs at most 1 / `at_least` of what every one of `peers` needs."""

    text: str
    workload: str
    peers: tuple[str, ...]
    at_least: float = 1.0
    runner: str | None = None  # compare this row instead of the first one


@dataclass(frozen=True)
class Limit:
    """A figure of nacre's is at most `at_most`."""

    text: str
    workload: str
    runner: str
    field: str
    at_most: float
    unit: str = ""


GOALS: list[Faster | Limit] = [
    Faster("MLP: at most 1.2 × hand-written JAX", "mlp", ("hand-written JAX",), 1 / 1.2),
    Faster("MLP: at least 2 × faster than Keras on every backend", "mlp", KERAS, 2.0),
    Faster("MLP: at least 3 × faster than PyTorch", "mlp", ("PyTorch",), 3.0),
    Faster("CNN: faster than Keras on TensorFlow", "cnn", ("keras+TF",)),
    Faster("CNN: faster than PyTorch, the better of its layouts", "cnn", ("PyTorch",)),
    Faster("LSTM: faster than Keras on every backend", "lstm", KERAS),
    Faster("LSTM: faster than PyTorch", "lstm", ("PyTorch",)),
    Faster("GRU: faster than Keras on every backend", "gru", KERAS),
    Faster("GRU: faster than PyTorch", "gru", ("PyTorch",)),
    Faster("Transformer: faster than Keras on every backend", "transformer", KERAS),
    Faster("Transformer: faster than PyTorch", "transformer", ("PyTorch",)),
    Faster("ResNet-18: faster than PyTorch", "resnet", ("PyTorch",)),
    Limit("predict: one row in 0.3 ms", "predict", "nacre", "predict_ms", 0.3, "ms"),
    Limit("predict: 10,000 calls grow by 5 MB at most", "predict", "nacre", "growth_mb", 5.0, "MB"),
    Limit("predict: no compilation after the first call", "predict", "nacre", "compiles_later", 0),
    Limit("predict: right with 8 threads at once", "predict", "nacre", "wrong_answers", 0),
    Limit("import nacre in 0.15 s", "import", "import nacre", "seconds", 0.15, "s"),
    Limit("nacre.layers.Dense in 1.0 s", "import", "nacre.layers.Dense", "seconds", 1.0, "s"),
    Faster(
        "first step, cold cache: 60 % of the time of Keras on TensorFlow",
        "first_step",
        ("keras+TF",),
        1 / 0.6,
    ),
    Limit(
        "memory of fit on a 1 GB mapped file: 400 MB, mapped pages included",
        "memory",
        "nacre",
        "peak_mb",
        400,
        "MB",
    ),
]


def judge(goal: Faster | Limit, table: dict[str, Any] | None) -> dict[str, Any]:
    """The goal with what was found: `found` in words, `met` True, False, or None if not measured.

    Args:
        table: The workload's rows, as `report.summarise` makes them.
    """
    answer = {"goal": goal.text, "found": "not measured", "met": None}
    rows = (table or {}).get("rows", {})
    if isinstance(goal, Limit):
        row = rows.get(goal.runner, {})
        if goal.field in row.get("fields", {}):
            value = row["fields"][goal.field]
            good = value <= goal.at_most and row["check"] == "ok"
            answer |= {"found": f"{value:.3g} {goal.unit}".strip(), "met": good}
        return answer
    ratios = {peer: _ratio(goal, rows, peer) for peer in goal.peers}
    known = {peer: ratio for peer, ratio in ratios.items() if ratio is not None}
    if known:
        words = ", ".join(f"{peer} {ratio:.2f}×" for peer, ratio in known.items())
        checks = all(rows[name]["check"] == "ok" for name in [next(iter(rows)), *known])
        good = min(known.values()) >= goal.at_least and checks
        answer |= {"found": words, "met": good, "ratio": min(known.values())}
    return answer


def _ratio(goal: Faster, rows: dict[str, Any], peer: str) -> float | None:
    row = rows.get(peer)
    if row is None or row.get("ratio") is None:
        return None
    if goal.runner is None:
        return row["ratio"]
    base = rows.get(goal.runner, {})
    return row["value"] / base["value"] if base.get("value") else None
