"""Low-rank adaptation of one weight: a frozen array plus a small trainable product."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, NotBuiltError, message
from nacre.core.indices import outside_as
from nacre.core.numbers import whole_number
from nacre.core.variable import Variable
from nacre.layers.base.adapting import Adapter, register_adapter
from nacre.layers.core.embedding import Embedding


def _trained_dtype(layer: Any) -> str | None:
    """float32 in a layer whose weights have 16 bits: small steps would be lost in rounding."""
    dtype = layer.variable_dtype
    return "float32" if dtype in ("bfloat16", "float16") else None


class LowRank:
    """The change itself: A, B and their scale.

    Args:
        layer: The layer that gets the variables.
        name: Name of the weight that is changed.
        shape: Shape of the weight.
        rank, alpha, a_initializer, b_initializer: See `enable_lora`.

    Formula:
        Δ = (alpha / rank) · A B, with A (..., rank) and B (rank, last)
    Source:
        Hu et al. 2021, arXiv:2106.09685, section 4.1.
    """

    def __init__(
        self,
        layer: Any,
        name: str,
        shape: tuple[int, ...],
        rank: int,
        alpha: float,
        a_initializer: Any,
        b_initializer: Any,
    ) -> None:
        # Named as in Keras, as people reach for them; autocast and training are the layer's.
        # A quantized layer's own dtype is an int: the change is float all the same.
        # The penalty of the weight, which is frozen, falls on what is trained instead.
        self.scale = alpha / rank
        for letter, size, initializer in (
            ("a", (*shape[:-1], rank), a_initializer),
            ("b", (rank, shape[-1]), b_initializer),
        ):
            variable = layer.add_weight(
                name=f"lora_{name}_{letter}",
                shape=size,
                dtype=_trained_dtype(layer),
                initializer=initializer,
                regularizer=getattr(layer, f"{name}_regularizer", None),
            )
            setattr(layer, f"lora_{name}_{letter}", variable)
            setattr(self, letter, variable)

    a: Variable
    b: Variable

    def change(self) -> Any:
        """The whole change, of the weight's shape."""
        product = jnp.matmul(self.a.value, self.b.value)
        return product * jnp.asarray(self.scale, product.dtype)

    def rows(self, indices: Any) -> Any:
        """The rows of the change at `indices`."""
        a = self.a.value
        found = jnp.take(a, outside_as(indices, a.shape[0]), axis=0, mode="fill")
        found = jnp.matmul(found, self.b.value)
        return found * jnp.asarray(self.scale, found.dtype)

    def forget(self) -> None:
        """Make the change nothing, as what it was is part of the weight now."""
        self.b.assign(np.zeros(self.b.shape, "float32"))

    def holds(self, variable: Variable) -> bool:
        """Whether a variable is A or B."""
        return variable is self.a or variable is self.b


class WeightView(Variable):
    """A frozen weight plus its change, read like the weight itself.

    Args:
        base: The weight.
        low_rank: Its change.
    """

    is_view = True  # the layer holds the variables behind it

    def __init__(self, base: Variable, low_rank: LowRank) -> None:
        self.__dict__.update(base.__dict__)
        self._trainable = False
        self.base = base
        self.low_rank = low_rank

    @property
    def value(self) -> Any:
        """The weight with its change."""
        value = self.base.value
        return value + self.low_rank.change().astype(value.dtype)

    def _raw(self, notes: bool = True) -> Any:
        value = self.base._raw(notes)
        return value + self.low_rank.change().astype(value.dtype)

    def borrow(self) -> Any:
        """The array for a program that only reads it."""
        return self._raw()

    donate = borrow

    def commit(self, value: Any) -> None:
        """Not possible: programs change the variables behind the view."""
        raise ArgumentError(message(f"weight '{self.path}'", "it is read only", "an array"))

    def assign(self, value: Any) -> Any:
        """Make `value` the weight, without a change."""
        assigned = self.base.assign(value)
        self.low_rank.forget()
        return assigned


class FloatLora(Adapter):
    """A low-rank change of a float weight. Files hold the sum, so they stay plain."""

    def __init__(self, layer: Any, low_rank: LowRank) -> None:
        super().__init__(layer)
        self.low_rank = low_rank
        self.name = layer.adaptable[0]
        self.base: Variable = getattr(layer, self.name)
        self.view = WeightView(self.base, low_rank)
        self.base.trainable = False
        setattr(layer, self.name, self.view)
        if isinstance(layer, Embedding):
            object.__setattr__(layer, "_look_up", self.look_up)

    def look_up(self, indices: Any) -> Any:
        """Rows of the weight with its change; the change is made for these rows only."""
        table = self.base.value
        found = jnp.take(table, outside_as(indices, table.shape[0]), axis=0, mode="fill")
        return found + self.low_rank.rows(indices).astype(found.dtype)

    def saved_variables(self) -> list[Variable]:
        """The weight, then the rest without A and B."""
        rest = [v for v in self.layer._direct_variables() if not self.low_rank.holds(v)]
        return [self.base, *(v for v in rest if v is not self.base)]

    def saved_values(self) -> list[Any]:
        """The weight with its change, and the rest."""
        rest = self.saved_variables()[1:]
        return [np.asarray(self.view._raw()), *(v.numpy() for v in rest)]

    def after_loading(self) -> None:
        """The file's weight is the whole weight."""
        self.low_rank.forget()


@register_adapter("lora")
def adapt(
    layer: Any, rank: int, lora_alpha: float | None, a_initializer: Any, b_initializer: Any
) -> Adapter:
    """Give a layer a low-rank change; see `enable_lora`."""
    name = layer.adaptable[0]
    _check(layer, name, rank)
    alpha = lora_alpha if lora_alpha is not None else rank
    shape = getattr(layer, name).shape if layer._adapter is None else layer._adapter.float_shape
    low_rank = LowRank(layer, name, shape, rank, alpha, a_initializer, b_initializer)
    if layer._adapter is None:
        layer._adapter = FloatLora(layer, low_rank)
    else:
        layer._adapter.low_rank = low_rank
    layer.lora_rank, layer.lora_alpha, layer.lora_enabled = rank, alpha, True
    return layer._adapter


def _check(layer: Any, name: str, rank: int) -> None:
    who = layer._who()
    if layer.__dict__.get(name) is None:
        raise NotBuiltError(
            message(
                who,
                "it must be built before enable_lora",
                "a layer without weights",
                "Call it once on data, or build(input_shape).",
            )
        )
    if layer.lora_enabled:
        raise ArgumentError(message(who, "enable_lora can be called once", "a second call"))
    rank = whole_number(who, "rank", rank, fix="Pass rank=4.")
    if getattr(layer, f"{name}_constraint", None) is not None:
        raise ArgumentError(
            message(
                who,
                f"{name}_constraint must be None, as it would hold for the frozen weight only",
                f"{name}_constraint={getattr(layer, f'{name}_constraint')!r}",
            )
        )
    if layer._adapter is not None and not layer._adapter.takes_lora:
        raise ArgumentError(
            message(
                who,
                "a low-rank change needs a frozen weight, and this mode trains the weight itself",
                f"mode {layer.quantization_mode!r}",
                "Use 'int8' or 'int4', or train without enable_lora.",
            )
        )
