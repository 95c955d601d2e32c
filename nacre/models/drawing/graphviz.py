"""A picture of a model for pydot and Graphviz."""

from __future__ import annotations

import html
import shutil
import subprocess
from typing import Any

from nacre.core.errors import ArgumentError, message, refuse_unknown
from nacre.core.interop import optional_import
from nacre.models.drawing.diagram import Box, Cell, Diagram, Shown, diagram_of

RANKDIRS = ("TB", "BT", "LR", "RL")
_TONES = {"plain": "white", "trainable": "forestgreen", "frozen": "firebrick"}


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    *,
    layer_range: Any = None,
    **kwargs: Any,
) -> Any:
    """A model as a graph of pydot, which writes it in the language of Graphviz.

    Each layer and op is a box; a layer that is called several times is one box with several arrows.
    A model without a graph, such as a subclass with a `call` of its own, is one box. The boxes are
    called n0, n1, ... in the order of the layers.

    Args:
        model: A model that is built.
        show_shapes: Whether boxes show the shapes of inputs and outputs.
        show_dtype: Whether they show the dtypes of outputs.
        show_layer_names: Whether they show names beside classes.
        rankdir: Where arrows lead: 'TB' (from top to bottom), 'BT', 'LR' or 'RL'.
        expand_nested: Whether the layers of nested models are drawn, in frames.
        dpi: Pixels per inch.
        subgraph: Whether a `pydot.Cluster` is returned, to be put into another graph.
        show_layer_activations: Whether boxes show activations.
        show_trainable: Whether those with weights show whether these are trained.
        splines: How Graphviz leads arrows: 'ortho', 'curved', 'polyline', 'spline', 'line'.
        layer_range: (first, last) names or regular expressions of the layers that are drawn, as in
            tf.keras 2; Keras 3 has no such argument.

    Returns:
        A `pydot.Dot`, or with `subgraph` a `pydot.Cluster`.

    Raises:
        ArgumentError: An argument breaks its rule.
        MissingPackageError: pydot is not installed.
        NotBuiltError: The model is not built.
        UnknownNameError: No layer fits an end of `layer_range`.
    Example:
        >>> import nacre
        >>> model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(2, name="scores")])
        >>> "scores" in nacre.utils.model_to_dot(model).to_string()
        True
    """
    refuse_unknown("model_to_dot", kwargs, model_to_dot)
    check_rankdir(rankdir, "model_to_dot")
    shown = Shown(
        show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations,
        show_trainable,
    )  # fmt: skip
    diagram = diagram_of(model, shown, layer_range, "model_to_dot")
    return dot_of(diagram, rankdir, dpi, splines, "model_to_dot", subgraph=subgraph)


def check_rankdir(rankdir: Any, who: str) -> None:
    """Raise unless it is one of the four directions.

    Raises:
        ArgumentError: It is none.
    """
    if rankdir not in RANKDIRS:
        rule = f"rankdir must be one of {', '.join(RANKDIRS)}"
        raise ArgumentError(message(who, rule, repr(rankdir)))


def dot_of(
    diagram: Diagram, rankdir: str, dpi: int, splines: str, who: str, subgraph: bool = False
) -> Any:
    """A diagram as a graph of pydot."""
    pydot = optional_import("pydot", extra="plot", who=who)
    if subgraph:
        graph = pydot.Cluster(graph_name=diagram.name, style="dashed")
        graph.set_label(_quoted(diagram.name))
        graph.set("labeljust", "l")
    else:
        graph = pydot.Dot()
        graph.set("rankdir", rankdir)
        graph.set("concentrate", "true")
        graph.set("dpi", dpi)
        graph.set("splines", splines)
        graph.set_node_defaults(shape="plain", fontname="Helvetica")
    clusters: list[Any] = []
    for index, frame in enumerate(diagram.frames):
        cluster = pydot.Cluster(graph_name=str(index), style="dashed", labeljust="l")
        cluster.set_label(_quoted(frame.name))
        clusters.append(cluster)
    for index, box in enumerate(diagram.boxes):
        home = graph if box.frame is None else clusters[box.frame]
        home.add_node(pydot.Node(f"n{index}", label=_label(box)))
    for frame, cluster in zip(diagram.frames, clusters, strict=True):
        (graph if frame.parent is None else clusters[frame.parent]).add_subgraph(cluster)
    for source, target in diagram.arrows:
        graph.add_edge(pydot.Edge(f"n{source}", f"n{target}", penwidth=2))
    return graph


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _label(box: Box) -> str:
    """The box as a table in Graphviz's form of HTML."""
    columns = max([1, *(len(row) for row in box.rows)])
    kind = html.escape(box.kind)
    title = f"<b>{html.escape(box.name)}</b> ({kind})" if box.name else f"<b>{kind}</b>"
    rows = [
        f'<tr><td colspan="{columns}" bgcolor="black">'
        f'<font point-size="16" color="white">{title}</font></td></tr>'
    ]
    for row in box.rows:
        width = f' colspan="{columns}"' if len(row) == 1 else ""
        rows.append(f"<tr>{''.join(_field(cell, width) for cell in row)}</tr>")
    table = '<table border="0" cellborder="1" cellspacing="0" cellpadding="10">'
    return f"<{table}{''.join(rows)}</table>>"


def _field(cell: Cell, width: str) -> str:
    color = "" if cell.tone == "plain" else ' color="white"'
    label = f"{html.escape(cell.label)}: " if cell.label else ""
    value = "<br/>".join(html.escape(line) for line in cell.lines)
    return (
        f'<td bgcolor="{_TONES[cell.tone]}"{width}><font point-size="14"{color}>{label}'
        f"<b>{value}</b></font></td>"
    )


def draws_with_graphviz() -> bool:
    """Whether pydot is installed and Graphviz's program is found."""
    if shutil.which("dot") is None:
        return False
    try:
        import pydot  # noqa: F401  (nothing else tells whether it can be imported)
    except ImportError:
        return False
    return True


def rendered(diagram: Diagram, form: str, rankdir: str, dpi: int, splines: str, who: str) -> bytes:
    """What Graphviz makes of a diagram.

    Graphviz up to 12 gives up on right-angled arrows in graphs of more than about 100 boxes
    (trapezoid tables that overflow); curved ones are drawn then.

    Raises:
        OSError, subprocess.SubprocessError: Its program fails.
    """
    text = dot_of(diagram, rankdir, dpi, splines, who).to_string()
    try:
        return _run(text, form)
    except subprocess.SubprocessError:
        if splines != "ortho":
            raise
    return _run(dot_of(diagram, rankdir, dpi, "spline", who).to_string(), form)


def _run(text: str, form: str) -> bytes:
    command = ["dot", f"-T{form}"]
    return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout


def reason_of(error: Exception) -> str:
    """What Graphviz said."""
    said = getattr(error, "stderr", None)
    return said.decode(errors="replace") if said else str(error)


__all__ = [
    "RANKDIRS",
    "check_rankdir",
    "dot_of",
    "draws_with_graphviz",
    "model_to_dot",
    "reason_of",
    "rendered",
]
