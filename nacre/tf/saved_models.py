"""`tf.saved_model`: SavedModel folders of modules and models, written and opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.warning import warn
from nacre.export.importers.tensorflow.program import open_saved_model
from nacre.models import Model
from nacre.saving.export_archive import export_object
from nacre.tf.functions import Function
from nacre.tf.running import without_printing
from nacre.training.function import ConcreteFunction

DEFAULT_SERVING_SIGNATURE_DEF_KEY = "serving_default"


def save(obj: Any, export_dir: Any, signatures: Any = None, options: Any = None) -> None:
    """Write a model, or a module with its variables and functions, as a SavedModel folder.

    Functions of a module are those under `@tf.function`; they must say what they take, in
    `input_signature`, or have been called.

    Args:
        obj: A model, or a `tf.Module`.
        export_dir: The folder.
        signatures: A function, or a dict of them, that servers call; by default all of them, the
            first as 'serving_default'.
        options: Accepted for compatibility.

    Raises:
        ArgumentError: There is no function whose arguments are known, or it is another object.
    Source:
        TensorFlow 2.15, tf.saved_model.save. Differs: what was written is called and compared
        before it takes its place; functions are written for the sizes that their signature leaves
        open, or that differed between calls.
    """
    who = "tf.saved_model.save"
    given = _by_name(signatures)
    if isinstance(obj, Model) and not _is_holder(obj):
        known: dict[str, Any] = {"signatures": given} if given else {}
        with without_printing():
            obj.save(export_dir, save_format="tf", **known)
        return
    if not isinstance(obj, Model) and not hasattr(obj, "_children_in_checkpoints"):
        rule, fix = "it takes a model or a tf.Module", "Make its class one of tf.Module's."
        raise ArgumentError(message(who, rule, type(obj).__name__, fix))
    functions = given | {k: f for k, f in _functions_of(obj).items() if k not in given}
    unknown = [k for k, f in functions.items() if _known_signature(f) is None]
    if unknown:
        warn(f"{who}: {', '.join(unknown)} left out: never called, and without input_signature.")
    found = {k: (f, _known_signature(f)) for k, f in functions.items() if k not in unknown}
    if not found:
        rule = "a module must have a function whose arguments are known"
        fix = "Write @tf.function(input_signature=[tf.TensorSpec([None, 3])]), or call it before."
        raise ArgumentError(message(who, rule, f"{len(functions)} functions, none called", fix))
    with without_printing():  # it is compared on drawn numbers
        export_object(obj, found, export_dir, who)


def _is_holder(model: Model) -> bool:
    """Whether a model has no `call` of its own: its functions alone are what is written."""
    return not model._computes() and bool(_functions_of(model))


def _by_name(signatures: Any) -> dict[str, Any]:
    if signatures is None:
        return {}
    found = signatures if isinstance(signatures, Mapping) else {"serving_default": signatures}
    return {n: f.of_arrays() if isinstance(f, ConcreteFunction) else f for n, f in found.items()}


def _known_signature(function: Any) -> Any:
    """The shapes and dtypes of a function's arguments; None where it does not know them."""
    said = getattr(function, "input_signature", None)
    return said if said is not None else getattr(function, "known_signature", None)


def _functions_of(obj: Any) -> dict[str, Function]:
    """The functions of an object that are compiled, by attribute."""
    names = [*vars(obj), *(n for n in dir(type(obj)) if not n.startswith("__") or n == "__call__")]
    found: dict[str, Function] = {}
    for name in dict.fromkeys(names):
        own = vars(obj).get(name, getattr(type(obj), name, None))
        if isinstance(own, Function):
            bound: Any = own if name in vars(obj) else own.__get__(obj, type(obj))
            found[name] = bound
    return found


def load(export_dir: Any, tags: Any = None, options: Any = None) -> Any:
    """Open a SavedModel folder: its functions and variables by attribute, its `signatures`.

    Args:
        export_dir: The folder.
        tags: Those of the graph, where the folder holds several.
        options: Accepted for compatibility.

    See `nacre.saving.open_saved_model`; a model of Keras comes back as one through
    `tf.keras.models.load_model`.
    """
    return open_saved_model(export_dir, tags)


def contains_saved_model(export_dir: Any) -> bool:
    """Whether a folder holds a SavedModel."""
    return (Path(export_dir) / "saved_model.pb").is_file()


__all__ = ["contains_saved_model", "load", "save"]
