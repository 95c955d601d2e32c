"""A stand-in for a model, with what callbacks may use, and a training that follows a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.callbacks import CallbackList
from nacre.callbacks.run_plan import Log, RunPlan
from nacre.core.variable import Variable
from nacre.optimizers import SGD


class Host:
    """Its one weight is the number of the epoch (from 1) it was last trained in."""

    def __init__(self, optimizer: Any = None) -> None:
        self.stop_training = False
        self.optimizer = optimizer or SGD(0.1)
        self.history: Any = None
        self.metrics: list[Any] = []
        self.trainable_variables = [Variable(np.zeros(1), name="weight")]
        self.saved: list[str] = []

    @property
    def weight(self) -> float:
        return float(self.trainable_variables[0].numpy()[0])

    def get_weights(self) -> list[Any]:
        return [v.numpy() for v in self.trainable_variables]

    def set_weights(self, weights: list[Any]) -> None:
        for variable, value in zip(self.trainable_variables, weights, strict=True):
            variable.assign(value)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, dict[str, Any]]:
        weights = {"weight": self.get_weights()[0]}
        return {"trainable_variables": weights, "non_trainable_variables": {}}

    def to_json(self) -> str:
        return "{}"

    def check_save_path(self, filepath: Any, *, weights_only: bool = False) -> None:
        self.checked = str(filepath)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        self.saved.append(Path(filepath).name)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        self.saved.append(f"weights {Path(filepath).name}")


def train(
    callbacks: Any,
    values: Sequence[float | dict[str, float]],
    name: str = "val_loss",
    host: Host | None = None,
    steps: int = 2,
    verbose: int = 0,
    fail_in: int | None = None,
) -> Host:
    """An epoch for each value; each logs `loss` and the value under `name`."""
    host = host or Host()
    runner = CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        model=host,
        verbose=verbose,
        epochs=len(values),
        steps=steps,
    )
    host.stop_training = False
    rows = [v if isinstance(v, dict) else {"loss": 1.0, name: v} for v in values]
    names = list(rows[0] if rows else {})
    known = {n.removeprefix("val_"): Log() for n in names}
    validated = range(len(rows)) if any(n.startswith("val_") for n in names) else None
    runner.check_run(RunPlan(lambda: known, 0, len(rows), steps, validated))
    runner.on_train_begin()
    try:
        for epoch, row in enumerate(rows):
            runner.on_epoch_begin(epoch)
            host.set_weights([np.array([epoch + 1.0])])
            for step in range(steps):
                runner.on_train_batch_begin(step)
                runner.on_train_batch_end(step, {"loss": row.get("loss", 1.0)})
                runner.progress(step + 1, lambda row=row: {"loss": row.get("loss", 1.0)})
            if epoch == fail_in:
                raise KeyboardInterrupt
            runner.on_test_begin()
            runner.on_test_end({})
            runner.on_epoch_end(epoch, dict(row))
            if host.stop_training:
                break
    finally:
        runner.on_train_end()
    return host
