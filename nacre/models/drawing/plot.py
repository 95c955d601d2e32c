"""`plot_model`: a picture of a model in a file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from nacre.core.atomic import refuse_non_file, target_path, write_file
from nacre.core.errors import ArgumentError, MissingPackageError, message, nearest, refuse_unknown
from nacre.core.kinds import loaded
from nacre.core.warning import warn
from nacre.models.drawing import graphviz, raster, svg
from nacre.models.drawing.diagram import Diagram, Shown, diagram_of

_TEXTS = ("dot", "gv")  # what Graphviz reads
_BY_GRAPHVIZ_ALONE = ("eps", "ps")
FORMS = ("png", "svg", "pdf", "jpg", "jpeg", "webp", "gif", *_BY_GRAPHVIZ_ALONE, *_TEXTS)
_WHO = "plot_model"


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    *,
    layer_range: Any = None,
    **kwargs: Any,
) -> Any:
    """Draw a model into a file.

    With pydot and Graphviz installed (`pip install pydot`; https://graphviz.org/download), they
    draw it. Without, nacre does: SVG needs nothing else, PNG and the like need Pillow. Names in
    Chinese and the like need SVG or Graphviz: Pillow's fonts do not have such signs.

    Each layer and op is a box; a layer that is called several times is one box with several arrows,
    and the different shapes it is given. A model without a graph, such as a subclass with a `call`
    of its own, is one box.

    Args:
        model: A model that is built.
        to_file: Where to; the ending says the kind: png (without an ending too), svg, pdf, jpg,
            webp, gif, or dot for Graphviz's language. A missing folder is made. A file that is
            there stays whole until the new one is.
        show_shapes: Whether boxes show the shapes of inputs and outputs.
        show_dtype: Whether they show the dtypes of outputs.
        show_layer_names: Whether they show names beside classes. tf.keras 2 showed them by default.
        rankdir: Where arrows lead: 'TB' (from top to bottom), 'BT', 'LR' or 'RL'.
        expand_nested: Whether the layers of nested models are drawn, in frames.
        dpi: Pixels per inch. Fewer are taken where a side would get more than 32,767 pixels.
        show_layer_activations: Whether boxes show activations.
        show_trainable: Whether those with weights show whether these are trained.
        splines: How Graphviz leads arrows: 'ortho', 'curved', 'polyline', 'spline', 'line'.
        layer_range: (first, last) names or regular expressions of the layers that are drawn, as in
            tf.keras 2; Keras 3 has no such argument.

    Returns:
        In a notebook an image of IPython, which shows it; else None.

    Raises:
        ArgumentError: An argument breaks its rule, or the ending is none of those.
        MissingPackageError: The kind of file needs a package that is not installed.
        NotBuiltError: The model is not built.
        UnknownNameError: No layer fits an end of `layer_range`.
    Example:
        >>> import nacre, os, tempfile
        >>> model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(2)])
        >>> path = os.path.join(tempfile.mkdtemp(), "model.svg")
        >>> nacre.utils.plot_model(model, path, show_shapes=True)
        >>> os.path.exists(path)
        True
    """
    refuse_unknown(_WHO, kwargs, plot_model)
    graphviz.check_rankdir(rankdir, _WHO)
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not dpi > 0:
        raise ArgumentError(message(_WHO, "dpi must be a number over 0", repr(dpi)))
    form = _form_of(to_file)
    shown = Shown(
        show_shapes, show_dtype, show_layer_names, expand_nested, show_layer_activations,
        show_trainable,
    )  # fmt: skip
    diagram = diagram_of(model, shown, layer_range, _WHO)
    content = _content(diagram, form, rankdir, dpi, splines)
    Path(to_file).parent.mkdir(parents=True, exist_ok=True)
    path = target_path(to_file, _WHO)
    refuse_non_file(path, _WHO)
    write_file(path, content)
    return _shown_in_notebook(path, form)


def _form_of(to_file: Any) -> str:
    if not isinstance(to_file, str | os.PathLike):
        rule = "to_file must be a path"
        raise ArgumentError(message(_WHO, rule, f"{to_file!r:.60} ({type(to_file).__name__})"))
    form = os.path.splitext(os.fspath(to_file))[1].lower().removeprefix(".") or "png"
    if form not in FORMS:
        near = nearest(form, FORMS)
        rule = f"to_file must end in one of {', '.join('.' + one for one in FORMS)}"
        fix = f"Did you mean '.{near}'?" if near else ""
        raise ArgumentError(message(_WHO, rule, f"'.{form}'", fix))
    return form


def _content(diagram: Diagram, form: str, rankdir: str, dpi: float, splines: str) -> bytes:
    if form in _TEXTS:
        return graphviz.dot_of(diagram, rankdir, int(dpi), splines, _WHO).to_string().encode()
    if graphviz.draws_with_graphviz():
        try:
            return graphviz.rendered(diagram, form, rankdir, int(dpi), splines, _WHO)
        except (OSError, subprocess.SubprocessError) as error:
            reason = " ".join(graphviz.reason_of(error).split())[:200]
            warn(f"plot_model: Graphviz failed ({reason}); nacre drew the picture itself.")
    if form in _BY_GRAPHVIZ_ALONE:
        rule = f"pydot and Graphviz must be installed for a file of the kind '.{form}'"
        fix = "Install them (pip install pydot; https://graphviz.org/download), or take .svg."
        raise MissingPackageError(message(_WHO, rule, "not both", fix))
    if form == "svg":
        return svg.svg_of(diagram, rankdir)
    return raster.raster_of(diagram, rankdir, dpi, form, _WHO)


def _shown_in_notebook(path: Path, form: str) -> Any:
    """An image that a notebook shows as a cell's result."""
    get_ipython = getattr(loaded("IPython"), "get_ipython", None)
    if get_ipython is None or get_ipython() is None:
        return None
    from IPython import display  # it is there: this runs in its shell

    if form == "svg":
        return display.SVG(filename=str(path))
    if form in ("png", "jpg", "jpeg", "gif", "webp"):
        return display.Image(filename=str(path))
    return None


__all__ = ["FORMS", "plot_model"]
