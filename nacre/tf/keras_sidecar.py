"""`SidecarEvaluator`: a model evaluated on each checkpoint that another process writes."""

from __future__ import annotations

import re
import time
from typing import Any

from nacre.core.errors import NotBuiltError, message
from nacre.tf.checkpoints import Checkpoint, latest_checkpoint

_PAUSE_SECONDS = 1.0  # between two looks for a checkpoint, as in tf.keras


class SidecarEvaluator:
    """Evaluates a model on each new checkpoint in a folder.

    The checkpoints are those of `tf.train.Checkpoint(model=model, optimizer=model.optimizer)`, as
    `tf.train.CheckpointManager` writes them while another process trains.

    Args:
        model: The model, compiled.
        data: What it is evaluated on, as `evaluate` takes it.
        checkpoint_dir: The folder.
        steps: Batches of each evaluation; None for all.
        max_evaluations: The number in the name of the last checkpoint to evaluate; None for ever.
        callbacks: Callbacks of `evaluate`.

    Raises:
        NotBuiltError: The model has no weights yet, which a checkpoint could be read into.
    Source:
        tf.keras 2.15.
    """

    def __init__(
        self, model: Any, data: Any, checkpoint_dir: Any, steps: int | None = None,
        max_evaluations: int | None = None, callbacks: Any = None,
    ) -> None:  # fmt: skip
        self.model, self.data, self.checkpoint_dir = model, data, checkpoint_dir
        self.steps, self.max_evaluations = steps, max_evaluations
        self.callbacks = list(callbacks) if callbacks else []

    def start(self) -> None:
        """Evaluate checkpoint after checkpoint, until `max_evaluations`."""
        if not self.model.built:
            rule, fix = "the model must have weights", "Build it: model.build(input_shape)."
            raise NotBuiltError(message("SidecarEvaluator", rule, "none yet", fix))
        checkpoint = Checkpoint(model=self.model, optimizer=self.model.optimizer)
        seen: str | None = None
        while not self._is_last(seen):
            newest = latest_checkpoint(self.checkpoint_dir)
            if newest is None or newest == seen:
                time.sleep(_PAUSE_SECONDS)
                continue
            checkpoint.restore(newest).expect_partial()
            logs = self.model.evaluate(
                self.data, steps=self.steps, callbacks=self.callbacks, verbose=0, return_dict=True
            )
            told = ", ".join(f"{name}={float(value):.6g}" for name, value in logs.items())
            print(f"{newest}: {told}")
            seen = newest

    def _is_last(self, path: str | None) -> bool:
        if path is None or self.max_evaluations is None:
            return False
        found = re.search(r"-(\d+)$", path)
        return found is None or int(found[1]) >= self.max_evaluations


__all__ = ["SidecarEvaluator"]
