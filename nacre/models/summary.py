"""`summary()`: layers, output shapes and numbers of parameters, as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nacre.core import tree
from nacre.core.errors import printable
from nacre.core.origins import is_own_bug
from nacre.core.terminal import show
from nacre.layers.base.layer import Layer
from nacre.models.layer_range import range_of_names

if TYPE_CHECKING:
    from nacre.models.model import Model


def print_summary(
    model: Model,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[..., Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print a model's table.

    Args:
        model: The model.
        line_length: Width in characters.
        positions: Accepted for compatibility; columns fit themselves.
        print_fn: Called with each line instead of printing.
        expand_nested: Whether layers of models within are shown.
        show_trainable: Whether a column tells what is trainable.
        layer_range: (first, last) names or regular expressions; only layers from the first to the
            last are shown.

    Raises:
        ArgumentError: `layer_range` is no pair of texts.
        UnknownNameError: No layer's name fits one of them.
    """
    lines = summary_lines(model, line_length, expand_nested, show_trainable, layer_range)
    if print_fn is not None and print_fn is not print:
        for line in lines:
            print_fn(line)
        return
    show("\n".join(lines))


def summary_lines(
    model: Model,
    line_length: int | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> list[str]:
    """The lines of the table."""
    connected = _has_branches(model)
    heads = ["Layer (type)", "Output Shape", "Param #"]
    if connected:
        heads.append("Connected to")
    if show_trainable:
        heads.append("Trainable")
    rows: list[list[str]] = []
    for layer in _in_range(model.layers, layer_range):
        _add_rows(rows, model, layer, 0, connected, expand_nested, show_trainable)
    rows = [[printable(cell).replace("\n", "\\n") for cell in row] for row in rows]
    right = {2}
    widths = [
        max(len(h), *(len(r[i]) for r in rows)) if rows else len(h) for i, h in enumerate(heads)
    ]
    if line_length is not None:
        widths[0] = max(
            len(heads[0]), widths[0] + line_length - (sum(widths) + 3 * len(widths) + 1)
        )
    lines = [f'Model: "{printable(model.name)}"', _rule("┏━┳┓", widths)]
    lines.append(_row(heads, widths, set(), "┃"))
    lines.append(_rule("┡━╇┩", widths))
    for row in rows:
        lines.append(_row(row, widths, right, "│"))
    lines.append(_rule("└─┴┘", widths))
    return lines + _totals(model)


def _rule(marks: str, widths: list[int]) -> str:
    left, line, middle, right = marks
    return left + middle.join(line * (w + 2) for w in widths) + right


def _row(cells: list[str], widths: list[int], right: set[int], bar: str) -> str:
    padded = [
        cell.rjust(w) if i in right else cell.ljust(w)
        for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"{bar} " + f" {bar} ".join(padded) + f" {bar}"


def _in_range(layers: list[Layer], layer_range: Any) -> list[Layer]:
    if layer_range is None:
        return layers
    first, last = range_of_names([layer.name for layer in layers], layer_range, "summary")
    return layers[first : last + 1]


def _has_branches(model: Model) -> bool:
    """Whether the table needs a column that tells what is connected to what."""
    graph = model._graph
    if graph is None or model._is_chain:
        return False
    seen: set[int] = set()
    for node in graph.nodes:
        if len(node.inputs) != 1 or id(node.inputs[0]) in seen:
            return True
        seen.add(id(node.inputs[0]))
    return len(graph.inputs) > 1


def _add_rows(
    rows: list[list[str]],
    model: Model,
    layer: Layer,
    indent: int,
    connected: bool,
    expand: bool,
    show_trainable: bool,
) -> None:
    name = f"{'   ' * indent}{'└ ' if indent else ''}{layer.name} ({type(layer).__name__})"
    row = [name, _shape_text(layer), _count_text(layer)]
    if connected:
        row.append(_sources(model, layer))
    if show_trainable:
        row.append(("Y" if layer.trainable else "N") if layer.weights else "-")
    rows.append(row)
    if expand and layer._is_model:
        inner = cast("Model", layer)
        for one in inner.layers:
            _add_rows(rows, inner, one, indent + 1, connected, expand, show_trainable)


def _shape_text(layer: Layer) -> str:
    try:
        output = layer.output
    except AttributeError:
        return "?" if not layer.built else _guess_shape(layer)
    shapes = [str(tuple(t.shape)) for t in tree.flatten(output) if hasattr(t, "shape")]
    if len(shapes) == 1:
        return shapes[0]
    return f"[{', '.join(shapes)}]" if shapes else "?"


def _guess_shape(layer: Layer) -> str:
    """Subclassed models call layers on arrays: the shape follows from what they were built for."""
    config = layer.get_build_config() or {}
    shape = config.get("input_shape")
    if not isinstance(shape, tuple | list) or not shape:
        return "?"
    try:
        output = layer.compute_output_shape((None, *tuple(shape)[1:]))
    except Exception as error:  # a table must not fail for a layer that cannot tell
        if is_own_bug(error):
            raise
        return "?"
    return str(output)


def _count_text(layer: Layer) -> str:
    if not layer.built:
        return "0 (unbuilt)"
    return f"{layer.count_params():,}"


def _sources(model: Model, layer: Layer) -> str:
    graph = model._graph
    if graph is None:
        return "-"
    names = []
    for node in graph.nodes_of(layer):
        for tensor in node.inputs:
            history = tensor._keras_history
            if history is not None and history.operation is not layer:
                names.append(
                    f"{history.operation.name}[{history.node_index}][{history.tensor_index}]"
                )
    return ", ".join(names) if names else "-"


def layer_facts(model: Model) -> list[tuple[str, str, str, str, str]]:
    """(name, class, output shapes, parameters, whether it is trained) of each layer."""
    return [
        (
            layer.name,
            type(layer).__name__,
            _shape_text(layer),
            _count_text(layer),
            ("yes" if layer.trainable else "no") if layer.weights else "",
        )
        for layer in model.layers
    ]


def parameter_counts(model: Model) -> tuple[int, int]:
    """(all parameters, those that are trained)."""
    trained = sum(v.size for v in model.trainable_variables)
    return trained + sum(v.size for v in model.non_trainable_weights), trained


def _totals(model: Model) -> list[str]:
    def total(variables: list[Any]) -> tuple[int, int]:
        count = sum(v.size for v in variables)
        return count, sum(v.size * np.dtype(_storage(v.own_dtype)).itemsize for v in variables)

    trainable, other = total(model.trainable_variables), total(model.non_trainable_weights)
    rows = [
        ("Total params", (trainable[0] + other[0], trainable[1] + other[1])),
        ("Trainable params", trainable),
        ("Non-trainable params", other),
    ]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and getattr(optimizer, "built", False):
        count = total(list(optimizer.variables))
        rows[0] = ("Total params", (rows[0][1][0] + count[0], rows[0][1][1] + count[1]))
        rows.append(("Optimizer params", count))
    return [f" {label}: {count:,} ({_size(size)})" for label, (count, size) in rows]


def _storage(dtype: str) -> str:
    return "uint16" if dtype == "bfloat16" else "uint8" if "float8" in dtype else dtype


def _size(size_bytes: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size_bytes < 1024 or unit == "TB":
            return f"{size_bytes:.2f} {unit}"
        size_bytes /= 1024
    return ""
