"""`model.compiled_loss` and `model.compiled_metrics`, as `train_step`s of tf.keras 2 use them."""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import tree
from nacre.metrics.metric import Metric


class CompiledLoss:
    """The losses that `compile` was given, added up.

    Args:
        model: Whose.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        regularization_losses: Iterable[Any] | None = None,
    ) -> Any:
        """The loss of a batch, which goes into the mean that is reported as `loss`.

        Args:
            y_true, y_pred, sample_weight: Targets, predictions and their weights.
            regularization_losses: What to add, `model.losses`.
        """
        model, trainer = self._model, self._model._compiled()
        added = list(regularization_losses or ())
        loss = trainer.compute_loss(model, y_true, y_pred, sample_weight, added)
        sizes = [jnp.shape(leaf)[0] for leaf in tree.flatten(y_pred) if jnp.ndim(leaf)]
        trainer.loss_tracker.update_state(
            jax.lax.stop_gradient(loss), sample_weight=sizes[0] if sizes else 1
        )
        return loss

    @property
    def metrics(self) -> list[Metric]:
        """The means of the total and of each output's loss."""
        return self._model._compiled().loss_means()

    def reset_state(self) -> None:
        """Let the means begin anew."""
        for metric in self.metrics:
            metric.reset_state()


class CompiledMetrics:
    """The metrics that `compile` was given.

    Args:
        model: Whose.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch. Only weighted metrics take its weights."""
        model = self._model
        model._compiled().update_metrics(model, y_true, y_pred, sample_weight)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics."""
        trainer = self._model._compiled()
        means = {id(metric) for metric in trainer.loss_means()}
        return [metric for metric in trainer.metrics() if id(metric) not in means]

    def result(self) -> dict[str, Any]:
        """What they report, by name."""
        trainer = self._model._compiled()
        own = {id(metric) for metric in self.metrics}
        named = trainer.named_metrics(self._model)
        return {name: metric.result() for name, metric in named if id(metric) in own}

    def reset_state(self) -> None:
        """Let them begin anew."""
        for metric in self.metrics:
            metric.reset_state()


__all__ = ["CompiledLoss", "CompiledMetrics"]
