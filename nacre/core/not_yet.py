"""Names of Keras that are not here yet, and what to do instead: reported when one is used."""

from __future__ import annotations

import sys
from difflib import get_close_matches

_TRACES = (
    "Graphs of TensorFlow are not here: nacre.callbacks.TensorBoard writes the graph of a model, "
    "and with profile_batch a profile; in a loop by hand jax.profiler.trace(folder) does."
)

NOT_YET: dict[str, str] = {
    "applications": "Ready-made models are not here yet: open the .keras or .h5 file of one that "
    "Keras saved, with nacre.models.load_model(path).",
    "export": "Export is not here yet: model.save('model.keras') keeps the model.",
    "distribution": "Training on several devices is not here yet.",
    "layers.TFSMLayer": "It runs a TensorFlow SavedModel, whose graph only TensorFlow can run: "
    "open the model's .keras or .h5 file with nacre.models.load_model, or build the model in code "
    "and load its weights.",
    "summary.trace_on": _TRACES,
    "summary.trace_off": _TRACES,
    "summary.trace_export": _TRACES,
    "summary.graph": "nacre.callbacks.TensorBoard(log_dir, write_graph=True) writes the graph of a "
    "model.",
}


def no_attribute(module: str, name: str, names: list[str] | None = None) -> AttributeError:
    """The error for a name that a module does not have, with what to do.

    Args:
        module: The module, such as 'nacre.utils'.
        name: What was asked for.
        names: The module's public names, for a hint; else Python gives one when it prints.
    """
    reason = NOT_YET.get(f"{module}.{name}".removeprefix("nacre."), "")
    if not reason and names and not name.startswith("_"):  # tools ask for those, of every object
        close = get_close_matches(name, names, n=1)
        reason = f"Did you mean {close[0]!r}?" if close else ""
    text = f"module {module!r} has no attribute {name!r}"
    return AttributeError(
        f"{text}. {reason}" if reason else text,
        name=None if reason else name,  # with a name Python adds a hint of its own
        obj=None if reason else sys.modules.get(module),
    )


__all__ = ["NOT_YET", "no_attribute"]
