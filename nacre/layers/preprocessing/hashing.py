"""Categories without a vocabulary: each value goes to the bin its fingerprint tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.core.fingerprint import (
    bytes_of,
    checked_salt,
    crossed,
    fingerprints,
)
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.strings import is_text, refuse_missing, text_array
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.layers.base.keywords import LayerKeywords, WithoutNameAndDtype
from nacre.layers.preprocessing.encoding import (
    OUTPUT_MODES,
    accepted_sparse,
    checked_choice,
    host_array,
    is_rows,
    of_flat_values,
    refuse_large_dense,
)
from nacre.layers.preprocessing.host_layer import HostLayer, encode_on_host, encoded_shape


class HostHashing(HostLayer):
    """What the hashing layers share."""

    _build_only_checks = True

    def __init__(self, num_bins: int, output_mode: str, sparse: bool, **kwargs: Any) -> None:
        # Keras's policy here is int64 for bins; vectors are float32.
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else "float32"
        super().__init__(**kwargs)
        self.sparse = accepted_sparse(self, sparse)
        self.num_bins = whole_number(self._who(), "num_bins", num_bins)
        self.output_mode = output_mode

    def _values(self, inputs: Any) -> np.ndarray:
        """Inputs on the host: ints or strings."""
        if is_tracer(inputs):
            raise ArgumentError(
                message(
                    self._who(),
                    "values are hashed on the host",
                    "a value inside a compiled function",
                    "Apply the layer to the input of a model, or in the data pipeline.",
                )
            )
        values = host_array(self, inputs)
        if values.dtype.kind == "O" and values.size:
            refuse_missing(values, self._who())
            if not is_text(values):  # ints of more than 32 bits, or something else
                values = np.array(values.tolist())
        if values.dtype.kind not in "iuUSb" and not is_text(values) and values.size:
            raise DTypeError(
                message(
                    self._who(), "inputs must be ints or strings", f"inputs of dtype {values.dtype}"
                )
            )
        return values

    def _output(self, bins: np.ndarray) -> Any:
        if self.output_mode == "int":
            return jnp.asarray(bins.astype("int32"))
        dtype = jnp.dtype(self.compute_dtype)
        refuse_large_dense(self, bins.shape, self.num_bins, self.output_mode, dtype)
        return jnp.asarray(
            encode_on_host(bins.astype("int64"), self.num_bins, self.output_mode, dtype)
        )

    def compute_output_spec(self, inputs: Any) -> Any:
        """The symbolic output: bins or vectors."""
        first = inputs[0] if isinstance(inputs, list | tuple) else inputs
        if self.output_mode == "int":
            return KerasTensor(first.shape, "int32")
        shape = encoded_shape(first.shape, self.num_bins, self.output_mode)
        return KerasTensor(shape, self.compute_dtype)


@register("layers/Hashing")
class Hashing(HostHashing):
    """Put strings or ints into bins by their fingerprints.

    It works on the host: in a data pipeline, or on the inputs of a model.

    Args:
        num_bins: Number of bins, the bin of `mask_value` included.
        mask_value: Value that goes to bin 0; all others then go to the bins from 1 on.
        salt: One or two ints, for another distribution; None for FarmHash without salt.
        output_mode: 'int' the bin, or 'one_hot', 'multi_hot', 'count'.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
    Formula:
        bin = fingerprint modulo bins: FarmHash, or SipHash-2-4 with the salt as its key
    Precision:
        Bins are int32.
    Source:
        TensorFlow 2.21, `string_to_hash_bucket_fast` and `_strong`: the bins are the same.
    Example:
        >>> import nacre
        >>> nacre.layers.Hashing(3)([["A"], ["B"], ["C"]]).tolist()
        [[1], [0], [1]]
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        if output_mode == "binary":  # tf.keras 2 spelling
            output_mode = "multi_hot"
        super().__init__(num_bins, output_mode, sparse, **kwargs)
        checked_choice(self._who(), "output_mode", output_mode, ("int", *OUTPUT_MODES))
        if mask_value is not None and num_bins < 2:
            raise ArgumentError(
                message(self._who(), "num_bins must be at least 2 with a mask_value", str(num_bins))
            )
        self.mask_value = mask_value
        self.salt = checked_salt(salt, self._who())

    def call(self, inputs: Any) -> Any:
        """The bins, or vectors made of them."""
        if is_rows(inputs) and self.output_mode == "int":
            return of_flat_values(inputs, lambda values: np.asarray(self.call(values)))
        values = self._values(inputs)
        unique, places = np.unique(values, return_inverse=True)
        texts = [bytes_of(v) for v in unique.tolist()]
        prints = fingerprints(texts, None if self.salt is None else (self.salt[0], self.salt[1]))
        if self.mask_value is None:
            bins = prints % np.uint64(self.num_bins)
        else:
            masked = np.array([t == bytes_of(self.mask_value) for t in texts], bool)
            bins = prints % np.uint64(self.num_bins - 1) + np.uint64(1)
            bins = np.where(masked, np.uint64(0), bins)
        return self._output(bins[places].reshape(values.shape))


@register("layers/HashedCrossing")
class HashedCrossing(HostHashing):
    """Put combinations of several features into bins by their joined fingerprints.

    It works on the host: in a data pipeline, or on the inputs of a model.

    Args:
        num_bins: Number of bins.
        output_mode: 'int' the bin, or 'one_hot'.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
    Shapes:
        inputs: two features or more, each (), (batch,) or (batch, 1); returns the same shape, or
        (batch, num_bins)
    Precision:
        Bins are int32.
    Source:
        TensorFlow 2.21, `tf.sparse.cross_hashed`: the bins are the same.
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.HashedCrossing(5)((np.array(["A", "B"]), np.array([101, 101]))).tolist()
        [1, 4]
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Unpack[WithoutNameAndDtype],
    ) -> None:
        super().__init__(num_bins, output_mode, sparse, name=name, dtype=dtype, **kwargs)
        checked_choice(self._who(), "output_mode", output_mode, ("int", "one_hot"))

    def call(self, inputs: Any) -> Any:
        """The bins, or vectors made of them."""
        if isinstance(inputs, list | tuple):
            inputs = [self._values(x) for x in inputs]
        shape, features = self._check_features(inputs), inputs
        joined = crossed(feature.ravel() for feature in features)
        return self._output((joined % np.uint64(self.num_bins)).reshape(shape))

    def _check_features(self, inputs: Any) -> tuple[Any, ...]:
        """The one shape of all features, whose sizes may be symbolic."""
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise ArgumentError(
                message(
                    self._who(),
                    "inputs must be a list or tuple of two features or more",
                    type(inputs).__name__,
                )
            )
        shapes = [tuple(x.shape) for x in inputs]
        shape = shapes[0]
        allowed = shape == () or len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
        if not allowed or any(other != shape for other in shapes):
            raise ShapeError(
                message(
                    self._who(),
                    "all features must have one shape: (), (batch,) or (batch, 1)",
                    ", ".join(str(other) for other in shapes),
                )
            )
        return shape

    if not TYPE_CHECKING:  # a checker takes the base's, which has the types of `call`

        def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            """Apply the layer; a list of columns stays a list."""
            if isinstance(inputs, list):
                inputs = tuple(text_array(x) if isinstance(x, list) else x for x in inputs)
            return super().__call__(inputs, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        names = ("num_bins", "output_mode", "sparse", "name")
        config = {name: getattr(self, name) for name in names}
        return {**config, "dtype": self.dtype_policy.name}


__all__ = ["HashedCrossing", "Hashing"]
