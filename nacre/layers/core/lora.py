"""Low-rank adaptation of one weight: a frozen matrix plus a small trainable product."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, NotBuiltError, message
from nacre.core.variable import Variable


def refuse_quantization(layer: Any, quantization_config: Any) -> None:
    """Raise for a quantization config: weights here are floats while a layer trains."""
    if quantization_config is not None:
        raise ArgumentError(
            message(
                f"{type(layer).__name__} '{layer.name}'",
                "quantization_config must be None, as layers keep float weights",
                repr(quantization_config),
                "Quantize when the model is exported.",
            )
        )


class LowRankAdaptation:
    """What a layer needs to train a low-rank change of its weight instead of the weight.

    Formula:
        W' = W + (alpha / rank) · A B, with A (..., rank) and B (rank, last); W is frozen
    Source:
        Hu et al. 2021, arXiv:2106.09685. Saved weights are W', so files stay plain.
    """

    _lora_target = "kernel"
    lora_rank: int | None = None
    lora_alpha: float | None = None
    lora_enabled = False

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a low-rank change of it from now on.

        Args:
            rank: Rank of the change.
            lora_alpha: The change is scaled by `lora_alpha / rank`; `rank` by default.
            a_initializer: Initializer of A.
            b_initializer: Initializer of B; zeros leave the output as it is at first.
        """
        target = self._target()
        if self.lora_enabled:
            raise ArgumentError(
                message(self._who(), "enable_lora can be called once", "a second call")
            )
        self.lora_rank = rank
        self.lora_alpha = lora_alpha if lora_alpha is not None else rank
        name = self._lora_target
        self._lora_a = self.add_weight(
            name=f"lora_{name}_a", shape=(*target.shape[:-1], rank), initializer=a_initializer
        )
        self._lora_b = self.add_weight(
            name=f"lora_{name}_b", shape=(rank, target.shape[-1]), initializer=b_initializer
        )
        target.trainable = False
        self.lora_enabled = True

    def _target(self) -> Variable:
        target = self.__dict__.get(self._lora_target)
        if target is None:
            raise NotBuiltError(
                message(
                    self._who(),
                    "it must be built before enable_lora",
                    "a layer without weights",
                    "Call it once on data, or build(input_shape).",
                )
            )
        return target

    def _adapted(self) -> Any:
        """The weight as the layer uses it."""
        value = self._target().value
        if not self.lora_enabled:
            return value
        change = jnp.matmul(self._lora_a.value, self._lora_b.value)
        return value + change * jnp.asarray(self.lora_alpha / self.lora_rank, value.dtype)

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into a store, the low-rank change merged into the weight."""
        if not self.lora_enabled:
            super().save_own_variables(store)
            return
        target = self._target()
        for index, variable in enumerate([target, *self._plain_variables()]):
            value = np.asarray(self._adapted()) if variable is target else variable.numpy()
            store[str(index)] = value

    def load_own_variables(self, store: Any) -> None:
        """Set the variables from a store; an adapted layer takes it all into its weight."""
        if not self.lora_enabled:
            super().load_own_variables(store)
            return
        for index, variable in enumerate([self._target(), *self._plain_variables()]):
            variable.assign(store[str(index)])
        self._lora_b.assign(np.zeros(self._lora_b.shape, "float32"))

    def _plain_variables(self) -> list[Variable]:
        """The variables that have no part in the adaptation."""
        adapted = {id(v) for v in (self._target(), self._lora_a, self._lora_b)}
        return [v for v in self._direct_variables() if id(v) not in adapted]
