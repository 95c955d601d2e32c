"""What a layer adds to the loss: terms from `call`, and the penalties of its regularizers."""

from __future__ import annotations

import weakref
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import scope, tree
from nacre.core.absence import with_safe_values
from nacre.core.changes import note_change
from nacre.core.shapes import fits_leading_axes
from nacre.layers.base import calling
from nacre.layers.base.holding import PartHolder

_with_losses: weakref.WeakSet[LossHolder] = weakref.WeakSet()


class LossHolder(PartHolder):
    """The part of `Layer` that collects losses."""

    _built: bool
    activity_regularizer: Any

    def add_loss(self, loss: Any) -> None:
        """Add a scalar (or several) to the loss that training minimises.

        Within `call`, give what was computed there. Elsewhere give functions without arguments, as
        in tf.keras: they are asked whenever the losses are, in each step of a training, so that
        `layer.add_loss(lambda: ops.sum(layer.kernel))` is about the weights as they are then. They
        belong to this object: copies and files of it are without them.
        """
        for item in tree.flatten(loss):
            value = item
            if callable(item) and not calling.is_tensor(item):
                if not self._built or scope.call_context() is None:
                    self._loss_functions.append(item)
                    note_change()
                    continue
                value = item()
            current = scope.get_stateless_scope()
            if current is None:
                self._keep_losses([value])
            elif current.losses_of is not None:
                current.losses_of.setdefault(id(self), (self, []))[1].append(value)
            elif current.collect_losses:
                current.add_loss(value)

    def _add_activity_loss(self, output: Any) -> None:
        """The penalty of an output: a mean over the batch, as in Keras, lest it grows with it.

        What is absent or masked adds nothing to it.
        """
        batch_size = output.shape[0] if output.ndim else 1
        mask = scope.get_mask(output)
        absent = scope.absent_positions(output.shape[: max(output.ndim - 1, 1)])
        zeros = getattr(self.activity_regularizer, "is_sum", False)
        if (
            mask is not None
            and isinstance(output, jax.Array)
            and fits_leading_axes(mask.shape, output.shape)
        ):
            output = with_safe_values(output, ~jnp.asarray(mask).astype(bool), zeros=zeros)
        if absent is not None:
            output = with_safe_values(output, absent, zeros=zeros)
        self.add_loss(self.activity_regularizer(output) / (batch_size or 1))

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` collected in the last call, its functions' values, and the penalties of
        regularizers."""
        current = scope.get_stateless_scope()
        found = list(current.losses) if current is not None and current.collect_losses else []
        if current is None:
            found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        elif current.losses_of:
            kept = current.losses_of
            found = [
                loss
                for layer in self._flatten_layers()
                for loss in kept.get(id(layer), ((), ()))[1]
            ]
        functions = [f for layer in self._flatten_layers() for f in layer._loss_functions]
        return found + [function() for function in functions] + self._regularization_losses()

    def _regularization_losses(self) -> list[Any]:
        return [
            v.regularizer(v.value) for v in self.trainable_variables if v.regularizer is not None
        ]

    def _keep_losses(self, losses: list[Any]) -> None:
        self._losses.extend(losses)
        _with_losses.add(self)

    def _clear_losses(self) -> None:
        current = scope.get_stateless_scope()
        if current is not None:
            if current.losses_of:
                for layer in self._flatten_layers():
                    current.losses_of.pop(id(layer), None)
            return
        if not _with_losses:  # mostly no layer adds any
            return
        for layer in self._inventory().layers:
            if layer._losses:
                layer._losses.clear()
                _with_losses.discard(layer)
