"""One layer applied to every step of a sequence."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp

from nacre.core.absence import Absent
from nacre.core.errors import ShapeError, message
from nacre.core.registry import register
from nacre.core.scope import absent_from_call, absent_here
from nacre.core.shape_inference import infer
from nacre.core.shapes import check_broadcasts
from nacre.core.symbolic import KerasTensor
from nacre.layers.base.calling import signature_of
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.base.masking import without_absent
from nacre.layers.normalization.batch_normalization import BatchNormalization
from nacre.layers.wrappers.wrapper import Wrapper


@register("layers/TimeDistributed")
class TimeDistributed(Wrapper):
    """Apply a layer to each time step on its own.

    Args:
        layer: The layer.
    Shapes:
        inputs (batch, time, *sizes); returns (batch, time, *output sizes of the layer)
    Formula:
        y[:, t] = layer(x[:, t]). Steps are put into the batch and computed at once, except in
        training of a layer with state of its own (such as BatchNormalization), which sees one step
        after the other, each with statistics of its own.
    Source:
        Keras 3, to the digit. Differs: tf.keras 2 trains a BatchNormalization within on statistics
        over all steps at once, where the batch size is open; predictions are the same.
    Example:
        >>> import nacre
        >>> nacre.layers.TimeDistributed(nacre.layers.Dense(2))(nacre.ops.ones((3, 4, 5))).shape
        (3, 4, 2)
    """

    def __init__(self, layer: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Build the layer within for one step."""
        if len(input_shape) < 3:
            raise ShapeError(
                message(
                    self._who(),
                    "the input must have at least 3 axes: batch, time, features",
                    f"input of shape {tuple(input_shape)}",
                    "A recurrent layer before it needs return_sequences=True; RepeatVector(n) "
                    "makes steps of one vector.",
                )
            )
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The layer's outputs for every step."""
        batch, steps = inputs.shape[:2]
        if mask is not None:
            check_broadcasts(
                self._who(), "(batch, time) of the mask", mask.shape[:2], (batch, steps)
            )
            inputs = without_absent(inputs, mask)
        takes_mask = signature_of(type(self.layer).call).takes_mask
        if takes_mask and mask is not None and mask.ndim > 2:
            sizes = mask.shape[2:]
            merged_mask = jnp.broadcast_to(mask, (batch, steps, *sizes))
            merged_mask = merged_mask.reshape((batch * steps, *sizes))
        else:
            merged_mask = None
        absent = self._absent_steps(inputs, mask)
        if training and self._has_state() and isinstance(steps, int):
            # Statistics of a step are over the samples for which it counts.
            masks = mask if self._takes_step_mask(inputs, mask) else None
            outputs = []
            for t in range(steps):
                with absent_here(None if absent is None else Absent(absent[:, t])):
                    one = None if masks is None else masks[:, t]
                    outputs.append(self._step(inputs[:, t], training, one))
            return jax.tree.map(lambda *each: jnp.stack(each, axis=1), *outputs)
        merged = inputs.reshape((batch * steps, *inputs.shape[2:]))  # (batch · time, *sizes)
        with absent_here(None if absent is None else Absent(absent.reshape(-1))):
            outputs = self._step(merged, training, merged_mask)
        return jax.tree.map(lambda y: y.reshape((batch, steps, *y.shape[1:])), outputs)

    def _step(self, inputs: Any, training: bool | None, mask: Any) -> Any:
        extra = {} if training is None else {"training": training}
        if mask is not None:
            extra["mask"] = mask
        return self.layer(inputs, **extra)

    def _absent_steps(self, inputs: Any, mask: Any) -> Any:
        """(batch, time), True for steps that count for nothing in the layer within; or None."""
        batch, steps = inputs.shape[:2]
        known = absent_from_call()
        is_fitting = known is not None and known.samples.shape == (batch,)
        absent = known.of_steps(steps) if known is not None and is_fitting else None
        if mask is None:
            return absent
        masked = ~jnp.broadcast_to(jnp.asarray(mask).astype(bool), (batch, steps, *mask.shape[2:]))
        masked = jnp.all(masked, axis=tuple(range(2, masked.ndim)))
        return masked if absent is None else masked | absent

    def _takes_step_mask(self, inputs: Any, mask: Any) -> bool:
        """Whether the layer within uses a mask with one value for each sample of a step."""
        return (
            mask is not None and len(mask.shape) == 2 and isinstance(self.layer, BatchNormalization)
        )

    def _has_state(self) -> bool:
        """Whether the layer changes variables in training; seeds do not count."""
        return any(
            not v.trainable and layer.trainable
            for layer in self.layer._flatten_layers()
            for v in layer._direct_variables()
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the steps, and of axes within them that the layer within leaves or makes.

        Where it leaves none of those, a step counts when anything in it does. (Keras 3.15 loses the
        mask of an `Embedding` in here.)
        """
        if not self._makes_own_masks() and (mask is None or len(mask.shape) < 3):
            return mask
        if isinstance(inputs, KerasTensor):
            return infer(self._mask_within, inputs, mask)
        return self._mask_within(inputs, mask)

    def _makes_own_masks(self) -> bool:
        return type(self.layer).compute_mask is not Layer.compute_mask

    def _mask_within(self, inputs: Any, mask: Any) -> Any:
        merge = lambda x: jnp.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))
        covers_more = mask is not None and len(mask.shape) > 2
        inner = None
        if self.layer.supports_masking or self._makes_own_masks():
            inner = self.layer.compute_mask(merge(inputs), merge(mask) if covers_more else None)
        if inner is None or isinstance(inner, list | tuple):
            if mask is None or not covers_more:
                return mask
            return jnp.any(mask, axis=tuple(range(2, mask.ndim)))
        inner = jnp.reshape(inner, (*inputs.shape[:2], *inner.shape[1:]))
        if mask is None or covers_more:
            return inner
        return inner & jnp.expand_dims(mask, tuple(range(2, inner.ndim)))

    traces_shapes = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the outputs for the shape of the inputs."""
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        if inner and isinstance(inner[0], list | tuple):  # a layer of several outputs
            return type(inner)((one[0], input_shape[1], *one[1:]) for one in inner)
        return (inner[0], input_shape[1], *inner[1:])
