"""The card of a model on the Hugging Face hub: `README.md` with what people ask first.

The hub reads the part between the lines `---`, which is YAML, and shows the rest, which is Markdown
(https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from nacre.core.kinds import is_dict, is_list
from nacre.models.summary import layer_facts, parameter_counts
from nacre.saving.formats.native import KERAS_VERSION, nacre_version

NAME = "README.md"
# A card without this line was edited by a person, and stays.
MARK = "<!-- Written by nacre: saving again replaces this card as long as this line is in it. -->"

_MOST_LAYERS = 60


def model_card(model: Any, place: str, custom: Sequence[str] = ()) -> str:
    """The text of a model's card.

    Args:
        model: A built model.
        place: What `from_pretrained` is given: the repository, or the folder.
        custom: Names of the author's own classes and functions, which a reader must have.

    Example:
        >>> import nacre
        >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
        >>> print(model_card(model, "me/mine").splitlines()[1])
        library_name: nacre
    """
    total, trained = parameter_counts(model)
    parts = [
        "---\nlibrary_name: nacre\ntags:\n- nacre\n- keras\n- jax\n---",
        f"# {_inline(model.name)}",
        f"A model of class {_code(type(model).__name__)}, saved by nacre {nacre_version()}.",
        "## How to load it",
        _loading(place, custom),
        "## Inputs and outputs",
        _table(("", "name", "shape", "dtype"), _ends(model)),
        "## Parameters",
        f"{total:,} in all, {trained:,} of them are trained.",
        _layers(model),
        *_training(model),
        MARK,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _loading(place: str, custom: Sequence[str]) -> str:
    lines = [
        "```python",
        "import nacre",
        "",
        f"model = nacre.models.from_pretrained({place!r})",
        "predictions = model.predict(x)",
        "```",
    ]
    if custom:
        names = ", ".join(_code(name) for name in custom)
        lines += [
            "",
            f"It is made with code of its author's: {names}. Define and register that first "
            "(`@nacre.saving.register_keras_serializable()`), or pass it as `custom_objects`.",
        ]
    lines += [
        "",
        f"The files are those of an unzipped `.keras` model of Keras {KERAS_VERSION}: where all "
        "its layers are Keras's too, `keras.saving.load_model` opens it.",
    ]
    return "\n".join(lines)


def _ends(model: Any) -> list[Sequence[str]]:
    """(input or output, name, shape, dtype) of each; of a subclass, its inputs."""
    if model.inputs is None:
        config = model.get_build_config() or {}
        shapes = config.get("input_shape", config)
        return [("input", "", _shapes(shapes), "")]
    rows: list[Sequence[str]] = []
    for what, names, tensors in (
        ("input", model.input_names, model.inputs),
        ("output", model.output_names, model.outputs),
    ):
        rows += [
            (what, name, _shape(tensor.shape), str(tensor.dtype))
            for name, tensor in zip(names, tensors, strict=True)
        ]
    return rows


def _shapes(given: Any) -> str:
    if is_dict(given):
        return ", ".join(f"{name}: {_shapes(shape)}" for name, shape in given.items())
    if is_list(given) and any(is_list(part) for part in given):
        return ", ".join(_shapes(part) for part in given)
    return _shape((None, *given[1:])) if is_list(given) else "unknown"


def _shape(shape: Iterable[Any]) -> str:
    sizes = ["batch" if i == 0 else "any" for i, _ in enumerate(shape)]
    sizes = [word if size is None else str(size) for word, size in zip(sizes, shape, strict=True)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _layers(model: Any) -> str:
    facts = layer_facts(model)
    rest = len(facts) - _MOST_LAYERS
    table = _table(
        ("layer", "class", "output shape", "parameters"), [f[:4] for f in facts[:_MOST_LAYERS]]
    )
    return table + (f"\n\n… and {rest} more." if rest > 0 else "")


def _training(model: Any) -> list[str]:
    """What it was trained with; nothing that tells of the machine or of its user."""
    trainer, history = model._trainer, model.history
    if trainer is None:
        return []
    rows = [
        ("optimizer", _optimizer(trainer.optimizer)),
        ("loss", _named(trainer.given["loss"])),
        ("dtype policy", str(model.dtype_policy.name)),
        ("versions", f"nacre {nacre_version()}, JAX {jax.__version__}"),
    ]
    logs: dict[str, Any] = getattr(history, "history", None) or {}
    if logs:
        rows.insert(2, ("epochs", str(max(map(len, logs.values())))))
    parts = ["## Training", _table(("", ""), rows)]
    if logs:
        ends = {name: values[-1] for name, values in logs.items() if values}
        last = [(name, f"{float(end):.6g}") for name, end in ends.items() if np.ndim(end) == 0]
        parts += ["After the last epoch:", _table(("", "value"), last)]
    return parts


def _optimizer(optimizer: Any) -> str:
    name = type(optimizer).__name__
    rate = optimizer.get_config().get("learning_rate") if hasattr(optimizer, "get_config") else None
    if isinstance(rate, int | float):
        return f"{name}, learning rate {rate:.6g}"
    if is_dict(rate) and "class_name" in rate:
        return f"{name}, learning rate {rate['class_name']}"
    return name


def _named(thing: Any) -> str:
    """How a loss is called: its name, or its class's."""
    if thing is None or isinstance(thing, str):
        return str(thing or "none")
    if is_dict(thing):
        return ", ".join(f"{name}: {_named(part)}" for name, part in thing.items())
    if is_list(thing):
        return ", ".join(map(_named, thing))
    return str(getattr(thing, "name", None) or getattr(thing, "__name__", type(thing).__name__))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_inline(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _inline(text: str) -> str:
    """Text as it is, whatever Markdown or HTML would make of it."""
    text = " ".join(str(text).split())
    marked = "".join(f"\\{char}" if char in "\\`*[]|#" else char for char in text)
    return marked.replace("&", "&amp;").replace("<", "&lt;")


def _code(name: str) -> str:
    return f"`{name.replace('`', '')}`"


def is_kept(card: bytes) -> bool:
    """Whether a card that is there was edited by a person, and stays when the model is saved."""
    return MARK.encode() not in card


__all__ = ["MARK", "NAME", "is_kept", "model_card"]
