"""The fully connected layer."""

from __future__ import annotations

from typing import Any, Unpack

from nacre import activations, constraints, initializers, regularizers
from nacre.core.array_types import Array, Float, Num
from nacre.core.errors import ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.tensors import WholeNumber
from nacre.layers.base.adapting import Adaptable
from nacre.layers.base.calling import acts_on_steps
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import WithoutRegularizer
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import without
from nacre.ops.products import dense


@register("layers/Dense")
class Dense(Adaptable, Layer):
    """Weighted sums of all features, a bias, an activation.

    Args:
        units: Number of outputs.
        activation: Name or function; None leaves the sums as they are.
        use_bias: Whether a bias is added.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the outputs.
        kernel_constraint, bias_constraint: Applied after each update.
        lora_rank: Train a change of the kernel of this rank instead of the kernel.
        lora_alpha: Scale of that change.
        quantization_config: Settings of `quantize`, or of a quantized `dtype`.
    Shapes:
        inputs  (*batch, features)
        kernel  (features, units)
        bias    (units,)
        returns (*batch, units)
    Formula:
        y = activation(x · kernel + bias)
    Raises:
        ArgumentError: `units` is not a positive int.
        ShapeError: `features` differs from the size seen at build.
    Example:
        >>> import nacre
        >>> nacre.layers.Dense(3, activation="relu")(nacre.ops.ones((2, 5))).shape
        (2, 3)
    """

    quantizable = ("int8", "int4", "float8")

    @property
    def is_stepwise(self) -> bool:  # type: ignore[override]
        """Whether the activation sees each step alone."""
        return acts_on_steps(self.activation)

    arguments_of_weights = ("units", "use_bias", "kernel_initializer", "bias_initializer")

    def __init__(
        self,
        units: WholeNumber,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Unpack[WithoutRegularizer],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = whole_number(self._who(), "units", units, fix="Pass units=64.")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha
        self.quantization_config = quantization_config
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias for inputs of this shape."""
        features = input_shape[-1]
        if features is None:
            raise ShapeError(
                message(
                    self._who(),
                    "the size of the last axis must be known",
                    f"input of shape {tuple(input_shape)}",
                    "Give the model's Input a number there.",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(features, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(
        self, inputs: Num[Array, "*batch features"], training: bool | None = None
    ) -> Float[Array, "*batch units={self.units}"]:
        """Outputs (*batch, units) for inputs (*batch, features)."""
        outputs = dense(inputs, self.kernel, self.bias)
        # None where a script took the activation away, to look at scores before it.
        return outputs if self.activation is None else self.activation(outputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the inputs, unless it tells features apart, which are mixed here."""
        return self._mask_unless_mixed(previous_mask, (-1,), len(inputs.shape))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        return without(config, "lora_rank", "lora_alpha", "activity_regularizer")
