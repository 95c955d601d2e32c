"""Where a model's data come in."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, message
from nacre.core.ragged_marks import can_mark
from nacre.core.registry import register
from nacre.core.symbolic import KerasTensor, Node
from nacre.core.variable import standardize_shape
from nacre.layers.base.layer import Layer


class InputLayerKeywords(TypedDict, total=False):
    """The first two are tf.keras 2's spellings; the others stand in configs."""

    input_shape: Any
    batch_input_shape: Any
    trainable: Any
    autocast: Any


@register("layers/InputLayer")
class InputLayer(Layer):
    """The node of a model's graph that an input tensor belongs to.

    Args:
        shape: Shape of one sample; None for sizes that vary.
        batch_size: Fixed batch size.
        dtype: Dtype of the data; floatx by default.
        sparse: Whether arrays given are sparse ones. They may be without it, and are made dense
            batch by batch.
        ragged: Whether rows may have different lengths, along the axes whose size is None. They are
            filled up, with a mask, which no layer or op may lose. What comes out along these axes
            is filled up too.
        batch_shape: Shape with the batch axis, instead of `shape` and `batch_size`.
        input_tensor: Symbolic tensor to use instead of a new one.
        optional: Whether None may be given.
        name: Name.
        input_shape, batch_input_shape: tf.keras 2 spellings of `shape` and `batch_shape`.
    Example:
        >>> import nacre
        >>> nacre.layers.InputLayer((3,)).output.shape
        (None, 3)
    """

    _takes_strings = True
    _has_identity = False  # without weights; a nested graph and the one around it may have the same

    is_stepwise = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Unpack[InputLayerKeywords],
    ) -> None:
        shape = kwargs.pop("input_shape", None) if shape is None else shape
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        kwargs.pop("trainable", None)
        if dtype is None:
            dtype = input_tensor.dtype if input_tensor is not None else None
        super().__init__(name=name, dtype=standardize_dtype(dtype), **kwargs)
        self.batch_shape = self._whole_shape(shape, batch_size, batch_shape, input_tensor)
        if ragged:
            self._check_ragged()
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.optional = optional
        self.supports_masking = False
        output = input_tensor
        if output is None:
            output = KerasTensor(self.batch_shape, self.dtype, name=self.name)
        if not isinstance(output, KerasTensor):
            raise ArgumentError(
                message(self._who(), "input_tensor must be a symbolic tensor", repr(output))
            )
        if output._keras_history is None:
            Node(self, (), {}, output)
        else:
            self._inbound_nodes.append(
                output._keras_history.operation._inbound_nodes[output._keras_history.node_index]
            )
        self.built = True

    def _check_ragged(self) -> None:
        if None not in self.batch_shape[1:]:
            rule, fix = "rows of different lengths must have a size None", "Pass shape=(None,)."
            raise ArgumentError(message(self._who(), rule, f"shape {self.batch_shape[1:]}", fix))
        if not can_mark(self.dtype):
            rule = "rows of different lengths must be floats, or whole numbers of 32 or 64 bits"
            fix = "Look strings up before: dataset.map(lambda x, y: (lookup(x), y))."
            raise ArgumentError(message(self._who(), rule, f"dtype {self.dtype}", fix))

    @property
    def num_ragged_axes(self) -> int:
        """How many axes after the batch's may be of different lengths, up to the last such one;
        0 where rows are equally long."""
        places = [axis for axis, size in enumerate(self.batch_shape) if axis and size is None]
        return places[-1] if self.ragged and places else 0

    def _whole_shape(
        self, shape: Any, batch_size: int | None, batch_shape: Any, tensor: Any
    ) -> tuple[int | None, ...]:
        if batch_shape is not None:
            if shape is not None or batch_size is not None:
                raise ArgumentError(
                    message(
                        self._who(),
                        "batch_shape must stand alone",
                        f"shape={shape}, batch_size={batch_size}, batch_shape={batch_shape}",
                    )
                )
            return standardize_shape(batch_shape)
        if shape is not None:
            return (batch_size, *standardize_shape(shape))
        if tensor is not None:
            return tuple(tensor.shape)
        raise ArgumentError(
            message(
                self._who(),
                "shape must be given",
                "shape=None",
                "Pass the shape of one sample, such as Input((28, 28, 1)).",
            )
        )

    @property
    def input(self) -> Any:
        """Its symbolic tensor, the same as `output`, as in tf.keras 2."""
        return self.output

    def call(self, inputs: Any = None) -> Any:
        """What is given."""
        return inputs

    @property
    def dtype(self) -> str:
        """The dtype of the data."""
        return self.dtype_policy.compute_dtype

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor to begin a model with.

    Args:
        shape: Shape of one sample, such as `(28, 28, 1)`; None for sizes that vary.
        batch_size: Fixed batch size.
        dtype: Dtype of the data; floatx by default.
        sparse: Whether arrays given are sparse ones. They may be without it, and are made dense
            batch by batch.
        ragged: Accepted as None or False only.
        batch_shape: Shape with the batch axis, instead of `shape` and `batch_size`.
        name: Name; also the key of this input in dictionaries of data.
        tensor: Symbolic tensor to use instead of a new one.
        optional: Whether None may be given.

    Example:
        >>> Input((28, 28, 1), name="picture")
        <KerasTensor shape=(None, 28, 28, 1), dtype=float32, name=picture>
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        name=name,
        input_tensor=tensor,
        optional=optional,
    )
    return layer.output
