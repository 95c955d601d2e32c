"""From answers to tables: medians, ratios within a round, goals; markdown, terminal and JSON."""

from __future__ import annotations

import json
import math
import re
import statistics
from pathlib import Path
from typing import Any

from bench import goals, runners

Answers = dict[str, list[dict[str, Any]]]  # runner → one answer for each round

# More than this many cores used by other programs spoils a run.
QUIET_CORES = 0.15

# workload → (title, field that is compared, its unit)
MAIN = {
    "mlp": ("MLP 784-128-10, 60,000 rows", "ms_per_step", "ms per step"),
    "cnn": ("CNN on 32×32×3 images", "ms_per_step", "ms per step"),
    "lstm": ("LSTM(128) on 50×16 sequences", "ms_per_step", "ms per step"),
    "gru": ("GRU(128) on 50×16 sequences", "ms_per_step", "ms per step"),
    "transformer": ("Transformer, 4 blocks of 128, on 64 tokens", "ms_per_step", "ms per step"),
    "resnet": ("ResNet-18 on 64×64×3 images", "ms_per_step", "ms per step"),
    "predict": ("predict, one row of the MLP", "predict_ms", "ms per call"),
    "import": ("import, fresh process", "seconds", "s"),
    "first_step": ("process start to the end of the first step", "seconds", "s"),
    "memory": ("peak memory of fit on a memory-mapped file", "peak_mb", "MB"),
}
# More fields, shown in the last column.
NOTES = {
    "call_ms": "model(x) {:.3f} ms",
    "growth_mb": "{:+.1f} MB over many calls",
    "compiles_later": "{:.0f} compilations after the first call",
    "wrong_answers": "{:.0f} wrong answers with 8 threads",
    "anonymous_mb": "{:.0f} MB not of the file",
    "ms_per_step": "{:.3f} ms per step",
}


def summarise(workload: str, answers: Answers) -> dict[str, Any]:
    """One workload's rows: median, spread and ratio to the first runner within the rounds."""
    title, field, unit = MAIN[workload]
    base = [one.get(field) for one in answers.get(runners.PLAN[workload][0].name, [])]
    rows = {name: _row(field, each, base) for name, each in answers.items()}
    return {"title": title, "field": field, "unit": unit, "rows": rows}


def _row(field: str, answers: list[dict[str, Any]], base: list[float | None]) -> dict[str, Any]:
    values = [one[field] for one in answers if field in one]
    if not values:
        return {"check": answers[-1].get("error", "no answer") if answers else "no answer"}
    pairs = [(one.get(field), first) for one, first in zip(answers, base, strict=False)]
    ratios = [value / first for value, first in pairs if value and first and first > 0]
    faults = [one.get("error") or one["check"] for one in answers if one.get("check") != "ok"]
    names = {name for one in answers for name, value in one.items() if _is_number(value)}
    fields = {
        name: statistics.median(one[name] for one in answers if name in one) for name in names
    }
    # A promise is kept when its worst round keeps it.
    for name in {"growth_mb", "compiles_later", "wrong_answers"} & names:
        fields[name] = max(one[name] for one in answers if name in one)
    return {
        "value": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "rounds": len(values),
        "ratio": statistics.median(ratios) if ratios else None,
        "variant": answers[-1].get("variant", ""),
        "check": faults[0] if faults else "ok",
        "fields": fields,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def figure(value: float) -> str:
    """Three figures, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def table_cells(table: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of one workload's table, as text."""
    heads = ["", table["unit"], "lowest to highest", "÷ nacre", "check", "notes"]
    body = []
    for name, row in table["rows"].items():
        if "value" not in row:
            body.append([name, "—", "", "", row["check"], ""])
            continue
        extra = [row["variant"]] if row["variant"] else []
        extra += [
            words.format(row["fields"][field])
            for field, words in NOTES.items()
            if field in row["fields"] and field != table["field"]
        ]
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        spread = f"{figure(row['low'])} to {figure(row['high'])}"
        body.append([name, figure(row["value"]), spread, ratio, row["check"], "; ".join(extra)])
    return heads, body


def goal_cells(judged: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table of goals."""
    words = {True: "yes", False: "no", None: "—"}
    return ["goal", "found", "met"], [
        [one["goal"], one["found"], words[one["met"]]] for one in judged
    ]


def machine_lines(facts: dict[str, Any]) -> list[str]:
    """The machine in a few lines."""

    def said(side: dict[str, Any]) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in side["packages"].items())
        return f"Python {side['python']}: {packages}"

    lines = [
        f"{facts['date']}, commit {facts['commit'] or 'unknown'}",
        f"{facts['processor']}, {facts['cores_used']} of {facts['cores_present']} cores used, "
        f"{facts['memory_gb']} GB, {facts['system']}",
        f"nacre and hand-written JAX in {said(facts['own'])}",
        f"peers in {said(facts['peers'])}",
        f"rounds: {facts['rounds']}{', quick: not for quoting' if facts['quick'] else ''}",
    ]
    if facts["left_out"]:
        lines.append("left out, not installed: " + ", ".join(facts["left_out"]))
    if facts["other_cores"] > QUIET_CORES:
        lines.append(
            f"Other programs kept up to {facts['other_cores']:.1f} cores busy during the run: "
            "figures are not for quoting."
        )
    return lines


def _markdown_table(heads: list[str], body: list[list[str]]) -> list[str]:
    rows = [heads, ["---"] * len(heads), *body]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def markdown(result: dict[str, Any]) -> str:
    """The whole report as markdown."""
    lines = ["# Measured", "", *(f"- {line}" for line in machine_lines(result["machine"]))]
    for table in result["tables"].values():
        lines += ["", f"## {table['title']}", "", *_markdown_table(*table_cells(table))]
    lines += ["", "## Goals", "", *_markdown_table(*goal_cells(result["goals"]))]
    return "\n".join(lines) + "\n"


def show(result: dict[str, Any]) -> None:
    """The whole report on the terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for line in machine_lines(result["machine"]):
        console.print(line, style="dim", highlight=False, markup=False)
    titled = [(one["title"], table_cells(one)) for one in result["tables"].values()]
    for title, (heads, body) in [*titled, ("Goals", goal_cells(result["goals"]))]:
        table = Table(title=title, title_justify="left")
        for index, head in enumerate(heads):
            numbers = title != "Goals" and index in (1, 2, 3)
            table.add_column(head, justify="right" if numbers else "left")
        for row in body:
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        console.print(table)


def finish(facts: dict[str, Any], answers: dict[str, Answers], folder: Path) -> dict[str, Any]:
    """Summarise, judge, and write `<date>.json` and `.md`; gives the result with its paths."""
    tables = {name: summarise(name, each) for name, each in answers.items()}
    judged = [
        goals.judge(goal, tables.get(goal.workload))
        for goal in goals.GOALS
        if goal.workload in tables
    ]
    each_process = [
        one for table in answers.values() for rounds in table.values() for one in rounds
    ]
    facts["other_cores"] = max((one["other_cores"] for one in each_process), default=0.0)
    result = {"machine": facts, "tables": tables, "goals": judged, "answers": answers}
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^0-9T]", "", facts["date"].split("+")[0]) + (
        "-quick" if facts["quick"] else ""
    )
    paths = [folder / f"{stem}.json", folder / f"{stem}.md"]
    paths[0].write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    paths[1].write_text(markdown(result), encoding="utf-8")
    return {**result, "paths": paths}
