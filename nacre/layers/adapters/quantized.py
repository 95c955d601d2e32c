"""What the 8-bit and the 4-bit adapter share: replacing weights, calling, saving."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nacre.core import changes
from nacre.core.errors import message
from nacre.core.policies import get_policy
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.layers.adapters.lora import LowRank
from nacre.layers.adapters.products import ProductForm
from nacre.layers.adapters.tables import TableForm
from nacre.layers.adapters.weights import Weight
from nacre.layers.base.adapting import Adapter
from nacre.layers.core.embedding import Embedding
from nacre.quantizers import AbsMaxQuantizer


class Stored(Protocol):
    """A weight as whole numbers, with the variables that hold them."""

    variables: list[Variable]

    def arrays(self, value: np.ndarray) -> list[Any]:
        """A float weight as arrays for `variables`."""
        ...

    def values(self, dtype: Any) -> Any:
        """The float weight these numbers stand for."""
        ...

    def numbers(self) -> tuple[Any, Any] | None:
        """int8 numbers and scale for products of ints, None where there are blocks."""
        ...

    def rows(self, indices: Any) -> Any:
        """The float rows at `indices`."""
        ...

    def product(self, inputs: Any) -> Any:
        """Rows of floats, joined over the axes that are summed, by the weight as a matrix: where
        there is a faster way than by `values`, else None."""
        ...


class Quantized(Adapter):
    """Weights kept as whole numbers; the float weights are gone.

    Args:
        layer: A built layer.
        config: Which quantizers.
        policy: Name of the mode in dtype policies.
    """

    def __init__(self, layer: Any, config: Any, policy: str) -> None:
        super().__init__(layer)
        self.config = config
        self._warned = False
        previous = layer._adapter
        self.low_rank: LowRank | None = getattr(previous, "low_rank", None)
        self.form: Any = (TableForm if isinstance(layer, Embedding) else ProductForm)(layer)
        self.stored: list[Stored] = []
        for weight in self.form.weights():
            self.stored.append(self._replace(weight))
        layer._adapter = self
        layer.quantization_config = config
        # Keras's name for it, past what layers track: it is in the config already.
        object.__setattr__(layer, "inputs_quantizer", config.activation_quantizer)
        if layer.quantization_mode is None:
            layer.dtype_policy = get_policy(f"{policy}_from_{layer._policy.name}")
        self.float_shape = self.form.weights()[0].shape
        # Only the built-in `call` of an exact class gets here, so it can be stood in for.
        object.__setattr__(layer, "call", self.call)

    def store(self, weight: Weight, value: np.ndarray) -> Stored:
        """The weight as whole numbers, with variables on the layer."""
        raise NotImplementedError(f"{type(self).__name__} must define store")

    def _replace(self, weight: Weight) -> Stored:
        """Take a float weight off the layer and put whole numbers in its place."""
        layer, current = self.layer, getattr(self.layer, weight.name)
        variable = getattr(current, "base", current)
        value = variable.numpy()
        self._folder = variable.path.rpartition("/")[0]
        layer._own_variables = [v for v in layer._own_variables if v is not variable]
        delattr(layer, weight.name)
        changes.note_change()
        return self.store(weight, value)

    def add(self, name: str, value: Any) -> Variable:
        """A variable of the layer that is not trained."""
        value = np.asarray(value)
        variable = self.layer.add_weight(
            name=name,
            shape=value.shape,
            initializer=value,
            dtype=value.dtype,
            trainable=False,
            autocast=False,
        )
        variable.path = f"{self._folder}/{name}" if self._folder else name
        setattr(self.layer, name, variable)
        return variable

    def call(self, inputs: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """The layer's outputs."""
        quantizer = self.config.activation_quantizer
        return self.form.call(self.stored, self.low_rank, quantizer, inputs, **kwargs)

    @property
    def acts_on_steps(self) -> bool:
        """Whether inputs are rounded by a scale of each step: others may look at all of them."""
        quantizer = self.config.activation_quantizer
        return quantizer is None or type(quantizer) is AbsMaxQuantizer

    def saved_variables(self) -> list[Variable]:
        """Keras's order: the weight, the bias, then what belongs to the weight."""
        first, *rest = self.stored
        bias = getattr(self.layer, "bias", None)
        head = [first.variables[0], *([] if bias is None else [bias]), *first.variables[1:]]
        return head + [variable for stored in rest for variable in stored.variables]

    def saved_values(self) -> list[Any]:
        """The arrays, with a low-rank change rounded into the weight.

        Files of Keras have no place for the change beside the whole numbers.
        """
        found = {id(v): v.numpy() for v in self.saved_variables()}
        if self.low_rank is not None and self.low_rank.b.numpy().any():
            first = self.stored[0]
            merged = np.asarray(first.values("float32") + self.low_rank.change())
            self._warn_of_rounding()
            found |= {
                id(v): np.asarray(a)
                for v, a in zip(first.variables, first.arrays(merged), strict=True)
            }
        return [found[id(v)] for v in self.saved_variables()]

    def _warn_of_rounding(self) -> None:
        if self._warned:
            return
        self._warned = True
        warn(
            message(
                self.layer._who(),
                "in files, as in Keras's, its low-rank change is rounded into the whole numbers",
                "a change that was trained on quantized weights",
                "Numbers from the file differ a little. For exact ones train the change on the "
                "float weights, and quantize what was saved.",
            )
        )

    def after_loading(self) -> None:
        """The file's weight is the whole weight."""
        if self.low_rank is not None:
            self.low_rank.forget()
