"""The page of a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from nacre.callbacks.arguments import make_folder
from nacre.callbacks.curves import Curve, curves_of
from nacre.callbacks.history import History
from nacre.core.atomic import refuse_non_file, target_path, write_file
from nacre.core.errors import ArgumentError, message
from nacre.models.report import facts
from nacre.models.report.charts import bar_chart, curve_chart, point_chart
from nacre.models.report.elements import (
    STYLE,
    folded,
    note,
    number,
    section,
    table,
    text,
    tiles,
)
from nacre.models.summary import layer_facts, parameter_counts
from nacre.training.manifest import run_manifest

_MOST_CLASSES = 30  # a larger matrix nobody reads
_MOST_POINTS = 1500


def write_report(
    model: Any,
    path: Any,
    x: Any,
    y: Any,
    *,
    history: Any,
    class_names: Sequence[Any] | None,
    title: str | None,
    batch_size: int,
    most_samples: int,
) -> Path:
    """Write a run on one page; see `Model.report`."""
    who = f"{model._who()}.report"
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(message(who, "the first argument must be a path", repr(path)[:60]))
    history = _history(model.history if history is None else history, who)
    of_data: list[str] = []
    of_predictions: list[str] = []
    if x is not None:
        given, targets = facts.samples(model, x, y, most_samples, who)
        found = [] if targets is None else facts.predictions_of(model, given, targets, batch_size)
        of_predictions = [_predictions(one, class_names, len(found) > 1, who) for one in found]
        of_data = [_data(given, targets, found, class_names, who)]
    curves = (
        []
        if history is None or not history.history
        else curves_of(history.history, history.logged_in)
    )
    parts = [
        _head(model, title or f"Training of {model.name}", curves, history),
        _curves(curves),
        *of_predictions,
        _times(history),
        _model(model),
        *of_data,
        _manifest(),
    ]
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title or f'Training of {model.name}')}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )
    make_folder(who, Path(path).parent)
    target = target_path(path, who)
    refuse_non_file(target, who)
    write_file(target, page.encode())
    return Path(path)


def _history(given: Any, who: str) -> Any:
    """A `History`, also for what its attribute of that name holds; None where there is none.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(given, Mapping):
        record = History()
        record.history = dict(given)
        record.epoch = list(range(max(map(len, given.values()), default=0)))
        return record
    if given is None or isinstance(given, History):
        return given
    rule = "history must be what fit() returned"
    raise ArgumentError(message(who, rule, type(given).__name__, "history = model.fit(...)"))


def _head(model: Any, title: str, curves: Sequence[Curve], history: Any) -> str:
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M")
    figures: list[tuple[str, str]] = []
    for curve in curves[:4]:
        name, values = f"{curve.name}, last", curve.training[1]
        if curve.validation[1]:
            name, values = f"validation {curve.name}, last", curve.validation[1]
        figures.append((name, number(values[-1])))
    if history is not None and history.epoch:
        figures.append(("epochs", str(len(history.epoch))))
        if history.seconds:
            figures.append(("time", _duration(sum(history.seconds))))
    figures.append(("parameters", number(parameter_counts(model)[0])))
    kind = type(model).__name__
    return (
        f"<header><h1>{text(title)}</h1><p class='sub'>{text(kind)} '{text(model.name)}', "
        f"written {text(when)}</p>{tiles(figures)}</header>"
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes / 60:.1f} h"


def _curves(curves: Sequence[Curve]) -> str:
    if not curves:
        return section("Curves", note("Nothing was trained yet: there is no history."))
    charts = "".join(map(curve_chart, curves))
    epochs = sorted({e for c in curves for e in (*c.training[0], *c.validation[0])})
    columns: list[tuple[str, dict[int, float]]] = []
    for curve in curves:
        for prefix, line in (("", curve.training), ("validation ", curve.validation)):
            if line[1]:
                columns.append((prefix + curve.name, dict(zip(*line, strict=True))))
    rows = [
        [epoch, *("" if epoch not in values else number(values[epoch]) for _, values in columns)]
        for epoch in epochs
    ]
    heads = ["epoch", *(name for name, _ in columns)]
    numbers = table("Values of each epoch", heads, rows, right=range(1, len(heads)))
    return section(
        "Curves", f'<div class="charts">{charts}</div>', folded("The numbers as a table", numbers)
    )


# -------------------------------------------------------------------- what it predicts of samples


def _predictions(found: facts.Predictions, names: Any, is_one_of_many: bool, who: str) -> str:
    of = f" of {found.name}" if is_one_of_many else ""
    if not found.true.size:
        return section(f"Predictions{of}", note("There is no sample with a target."))
    if found.kind == "classes":
        return section(f"Confusion matrix{of}", *_matrix(found, names, who))
    if found.kind == "labels":
        return section(f"Labels{of}", _labels(found, names, who))
    return section(f"Residuals{of}", *_residuals(found))


def _matrix(found: facts.Predictions, given: Any, who: str) -> list[str]:
    count = int(max(found.true.max(), found.predicted.max())) + 1
    if given is not None:
        count = max(count, len(given))
    count = max(count, 2)
    names = facts.named_classes(given, count, who)
    matrix = facts.confusion(found.true, found.predicted, count)
    right = int(np.trace(matrix))
    total = int(matrix.sum())
    parts = [note(f"{right:,} of {total:,} samples are right: {right / total:.1%}.")]
    predicted, of_class = matrix.sum(axis=0), matrix.sum(axis=1)
    shares = matrix / np.maximum(of_class, 1)[:, None]
    if count <= _MOST_CLASSES:
        parts.append(_shaded(matrix, shares, names))
    pairs = [(int(matrix[a, b]), int(a), int(b)) for a, b in np.argwhere(matrix) if a != b]
    worst = sorted(pairs, key=lambda pair: -pair[0])[:10]
    if count > _MOST_CLASSES and worst:
        rows = [[names[a], names[b], n, f"{shares[a, b]:.1%}"] for n, a, b in worst]
        heads = ["true class", "predicted", "samples", "of the class"]
        parts.append(table("Most frequent confusions", heads, rows, right=(2, 3)))
    rows = [
        [names[i], *_scores(int(matrix[i, i]), int(predicted[i]), int(of_class[i]))]
        for i in range(count)
    ]
    caption = "Each class"
    if count > _MOST_CLASSES:
        caption = f"The {_MOST_CLASSES} classes with the lowest F1"
        rows = sorted(rows, key=lambda row: str(row[3]))[:_MOST_CLASSES]
    heads = ["class", "precision", "recall", "F1", "samples"]
    parts.append(table(caption, heads, rows, right=range(1, 5)))
    return parts


def _shaded(matrix: np.ndarray, shares: np.ndarray, names: list[str]) -> str:
    """The matrix as a table, darker where there is more."""
    rows: list[list[Any]] = []
    styles: list[list[str]] = []
    for name, counts, parts in zip(names, matrix.tolist(), shares.tolist(), strict=False):
        pairs = list(zip(counts, parts, strict=True))
        rows.append(
            [name, *(f"{share:.0%} ({count:,})" if count else "" for count, share in pairs)]
        )
        shade = "background:rgba(var(--shade),{:.2f})"
        styles.append(
            ["", *(shade.format(0.65 * share) if count else "" for count, share in pairs)]
        )
    caption = "Share, and number, of each true class (row) by the predicted one (column)"
    heads = ["true \\ predicted", *names[: len(matrix)]]
    return table(caption, heads, rows, right=range(1, len(heads)), styles=styles)


def _scores(hits: int, predicted: int, true: int) -> list[str]:
    precision, recall = (hits / n if n else float("nan") for n in (predicted, true))
    both = predicted + true
    shown = lambda share: "-" if share != share else f"{share:.3f}"
    return [
        shown(precision),
        shown(recall),
        shown(2 * hits / both if both else float("nan")),
        f"{true:,}",
    ]


def _labels(found: facts.Predictions, given: Any, who: str) -> str:
    names = facts.named_classes(given, found.true.shape[1], who)
    rows = [
        [names[i], *_scores(int((t & f).sum()), int(f.sum()), int(t.sum()))]
        for i, (t, f) in enumerate(zip(found.true.T, found.predicted.T, strict=True))
    ]
    return table(
        "Each label", ["label", "precision", "recall", "F1", "samples"], rows, right=range(1, 5)
    )


def _residuals(found: facts.Predictions) -> list[str]:
    keep = np.isfinite(found.true) & np.isfinite(found.predicted)
    true, predicted = found.true[keep], found.predicted[keep]
    if not true.size:
        return [note("No prediction is a finite number.")]
    errors = predicted - true
    spread = float(np.sum((true - true.mean()) ** 2))
    figures = [
        ("mean absolute error", number(float(np.abs(errors).mean()))),
        ("root mean square error", number(float(np.sqrt((errors**2).mean())))),
        ("mean error", number(float(errors.mean()))),
    ]
    if spread > 0:
        figures.append(("R²", number(1 - float((errors**2).sum()) / spread)))
    step = -(-true.size // _MOST_POINTS)
    pairs = true[::step].tolist(), predicted[::step].tolist()
    points = point_chart("Predicted against true", "true", "predicted", *pairs)
    counts, edges = np.histogram(errors, bins=min(30, max(5, int(np.sqrt(errors.size)))))
    bars = bar_chart("Errors (predicted - true)", "error", edges.tolist(), counts.tolist())
    return [tiles(figures), f'<div class="charts">{points}{bars}</div>']


# -------------------------------------------------------------------- the rest


def _times(history: Any) -> str:
    seconds = [] if history is None else list(history.seconds)
    if not seconds:
        return ""
    later = seconds[1:] or seconds
    figures = [
        ("all epochs", _duration(sum(seconds))),
        ("first, which compiles", _duration(seconds[0])),
        ("median of the others", _duration(float(np.median(later)))),
    ]
    first = len(seconds) - len(later)
    edges = [epoch + 0.5 for epoch in range(first, len(seconds) + 1)]
    title = "Seconds of each epoch" + (" after the first" if first else "")
    chart = bar_chart(title, "epoch", edges, later)
    return section("Time", tiles(figures), f'<div class="charts">{chart}</div>')


def _model(model: Any) -> str:
    rows = [
        [name, kind, shape, count, trainable]
        for name, kind, shape, count, trainable in layer_facts(model)
    ]
    heads = ["layer", "kind", "output shape", "parameters", "trained"]
    total, trained = parameter_counts(model)
    sentence = f"{total:,} parameters, {trained:,} of them trained."
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        sentence += f" Optimizer: {type(optimizer).__name__}."
    return section("Model", note(sentence), table("Layers", heads, rows, right=(3,)))


def _data(x: Any, y: Any, found: Sequence[facts.Predictions], given: Any, who: str) -> str:
    columns = [*facts.describe(x, "x"), *facts.describe(y, "y")]
    optional = lambda value: "" if value is None else number(value)
    rows = [
        [c.name, c.shape, c.dtype, optional(c.low), optional(c.mean), optional(c.high), c.missing]
        for c in columns
    ]
    heads = ["array", "shape", "dtype", "lowest", "mean", "highest", "missing"]
    parts = [table("Arrays", heads, rows, right=range(3, 7))]
    for one in found:
        if one.kind != "classes" or not one.true.size:
            continue
        counts = np.bincount(one.true, minlength=2)
        names = facts.named_classes(given, len(counts), who)
        order = (
            range(len(counts))
            if len(counts) <= _MOST_CLASSES
            else np.argsort(-counts)[:_MOST_CLASSES]
        )
        rows = [[names[i], f"{counts[i]:,}", f"{counts[i] / counts.sum():.1%}"] for i in order]
        of = f" of {one.name}" if len(found) > 1 else ""
        parts.append(table(f"Classes{of}", ["class", "samples", "share"], rows, right=(1, 2)))
    return section("Data of this report", *parts)


def _manifest() -> str:
    rows = [[name, value] for name, value in _flat(run_manifest()) if value not in (None, "", {})]
    return section("Made with", table("Versions, machine and settings", ["what", "value"], rows))


def _flat(value: Mapping[str, Any], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, item in value.items():
        key = f"{path}{name}"
        found.extend(_flat(item, f"{key}.") if isinstance(item, Mapping) else [(key, item)])
    return found


__all__ = ["write_report"]
