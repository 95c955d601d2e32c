"""Batches that are one dict with the targets in it, as loaders of rows with names give them.

They are not taken apart in silence: what a batch holds is x, (x, y) or (x, y, sample_weight), and a
key 'label' may as well be an input. The line takes them apart anew in each pass.
"""

from __future__ import annotations

from typing import Any

from nacre.core.errors import LossInputError, message
from nacre.core.kinds import is_dict
from nacre.core.protocols import overrides
from nacre.data.batch_source import BatchSource
from nacre.training.own_steps import StepName, custom_step

_NAMES = ("label", "labels", "target", "targets", "y")


def refuse_targets_among_inputs(model: Any, source: Any, step: StepName) -> None:
    """Raise where a loss needs targets and finds them among the inputs of a source of batches.

    Args:
        model: The model.
        source: What the user gave, as rows or as batches.
        step: The step that takes the batches.

    Raises:
        LossInputError: They are there.
    """
    if not isinstance(source, BatchSource):
        return
    x, y, _ = source.first()
    if y is not None or not is_dict(x):
        return
    found = [name for name in _NAMES if name in x]
    if len(found) != 1 or len(x) < 2 or not _needs_targets(model, step):
        return
    name = found[0]
    if name in model.input_names:
        return
    others = [key for key in x if key != name]
    inputs = f"b[{others[0]!r}]"
    if len(others) > 1:
        inputs = f"{{key: b[key] for key in {others}}}"
    line = f"lambda: (({inputs}, b[{name!r}]) for b in data)"
    source.stop()  # its workers
    raise LossInputError(
        message(
            source.who,
            "the loss needs targets, which stand beside x and not in it: batches are (x, y)",
            f"batches that are one dict with the keys {list(x)}",
            f"With these batches as data, pass nacre.data.Dataset.from_generator({line}).",
        )
    )


def _needs_targets(model: Any, step: StepName) -> bool:
    """Whether the built-in loss takes them; what a user's own step or loss does with a batch is
    theirs."""
    trainer = model._trainer
    if trainer is None or trainer.given["loss"] is None:
        return False
    return custom_step(model, step) is None and not overrides(model, "compute_loss")


__all__ = ["refuse_targets_among_inputs"]
