"""What `LSTM`, `GRU` and `SimpleRNN` share: a loop over a cell made from their arguments."""

from __future__ import annotations

from typing import Any

from nacre.layers.base.input_spec import InputSpec
from nacre.layers.recurrent.rnn import RNN


def of_cell(name: str, may_change: bool = False) -> Any:
    """An attribute of the layer that is its cell's; what its weights were made by stays."""
    setter = (lambda self, value: setattr(self.cell, name, value)) if may_change else None
    return property(lambda self: getattr(self.cell, name), setter, doc=f"The cell's `{name}`.")


class ClassicRNN(RNN):
    """A loop over one built-in cell, configured by the cell's arguments."""

    _absent_from_config: tuple[str, ...] = ("cell",)
    casts_inputs = True  # the cell is the layer's own and shares its policy

    def __init__(self, cell: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        self.cell.autocast = self.autocast

    units = of_cell("units")
    activation = of_cell("activation", may_change=True)
    use_bias = of_cell("use_bias")
    kernel_initializer = of_cell("kernel_initializer")
    recurrent_initializer = of_cell("recurrent_initializer")
    bias_initializer = of_cell("bias_initializer")
    kernel_regularizer = of_cell("kernel_regularizer")
    recurrent_regularizer = of_cell("recurrent_regularizer")
    bias_regularizer = of_cell("bias_regularizer")
    kernel_constraint = of_cell("kernel_constraint")
    recurrent_constraint = of_cell("recurrent_constraint")
    bias_constraint = of_cell("bias_constraint")
    dropout = of_cell("dropout", may_change=True)
    recurrent_dropout = of_cell("recurrent_dropout", may_change=True)
    implementation = of_cell("implementation")
    seed = of_cell("seed")

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell, and fix the number of features."""
        super().build(sequences_shape, initial_state_shape)
        self.input_spec = InputSpec(ndim=3, axes={-1: sequences_shape[-1]})

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data; the cell is made from them."""
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in self._absent_from_config}
