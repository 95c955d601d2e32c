"""Numbers to categories, categories to vectors."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeGuard, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    NotBuiltError,
    ShapeError,
    message,
)
from nacre.core.host_arrays import plain_array
from nacre.core.indices import outside_as, refuse_outside, without_absent_indices
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.kinds import is_buffer, is_of_library
from nacre.core.memory import device_budget
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.core.safety import reads_config
from nacre.core.sparse import SparseRows, is_sparse
from nacre.core.stored import StoredRows, is_stored, refuse_closed
from nacre.core.strings import is_text, text_array
from nacre.core.warning import warn
from nacre.layers.base.keywords import LayerKeywords, WithoutNameAndDtype
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.host_layer import encoded_shape

_VALUES_AT_ONCE = 1 << 21  # of a sparse array, or one in a file, for `adapt`

OUTPUT_MODES = ("one_hot", "multi_hot", "count")


def encode(indices: Any, depth: int, mode: str, dtype: Any, weights: Any = None) -> jax.Array:
    """Vectors of `depth` numbers for indices.

    Args:
        indices: Ints; ones outside 0 … depth - 1 give zeros.
        depth: Number of categories.
        mode: 'one_hot' a vector an index (a last axis of size 1 is dropped), 'multi_hot' 1 for
            every index of a row, 'count' how often each stands in a row.
        dtype: Of the result.
        weights: For 'count': what each index counts.
    """
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return ops.one_hot(indices, depth, dtype=dtype)
    vectors = ops.one_hot(indices, depth, dtype=dtype)  # (..., row, depth)
    if indices.ndim == 0:
        return vectors
    if mode == "multi_hot":
        return jnp.max(vectors, axis=-2, initial=0)
    if weights is not None:
        vectors = vectors * jnp.asarray(weights, dtype)[..., None]
    return jnp.sum(vectors, axis=-2)


def accepted_sparse(layer: Layer, sparse: Any) -> bool:
    """`sparse` as a flag. Outputs are dense arrays all the same, which is said."""
    if sparse:
        warn(
            message(
                layer._who(),
                "sparse=True is kept in the config, but outputs are dense arrays here",
                fix="Leave it out to silence this warning; the numbers are the same.",
            )
        )
    return bool(sparse)


def refuse_large_dense(
    layer: Any, shape: tuple[int, ...], depth: int | None, mode: str, dtype: Any
) -> None:
    """Raise where sparse outputs were asked for and dense ones of this batch do not fit.

    Args:
        layer: A layer with `sparse`.
        shape: Shape of the indices.
        depth, mode, dtype: As for `encode`.

    Raises:
        ArgumentError: They are larger than what is kept on the device at once.
    """
    if not layer.sparse or depth is None:
        return
    outputs = encoded_shape(shape, depth, mode)
    size, most = math.prod(outputs) * np.dtype(dtype).itemsize, device_budget()  # type: ignore[type-var]
    if size > most:
        raise ArgumentError(
            message(
                layer._who(),
                f"a batch of dense outputs must fit into {most / 1e9:.3g} GB",
                f"outputs of shape {outputs}, {size / 1e9:.3g} GB",
                "Use a smaller batch, fewer categories (max_tokens, Hashing), or output_mode='int' "
                "with an Embedding, which needs no vectors of categories.",
            )
        )


def checked_choice(who: str, argument: str, value: Any, known: tuple[str, ...]) -> Any:
    """`value` when it is one of `known`."""
    if value not in known:
        raise ArgumentError(message(who, f"{argument} must be one of {known}", repr(value)))
    return value


def host_array(layer: Layer, values: Any) -> np.ndarray:
    """Values as one NumPy array; rows of different lengths are refused.

    So is a `Ragged` whose rows happen to be equally long: the next one's may not be.
    """
    if is_rows(values):
        rule = "it takes no ragged rows here"
        fix = "Fill them up first: rows.to_tensor()."
        raise ShapeError(message(layer._who(), rule, f"{values!r:.60}", fix))
    try:
        array = text_array(to_numpy_if_foreign(values))
        return array.astype(object) if array.dtype.kind == "T" else array
    except ValueError:
        raise ShapeError(
            message(
                layer._who(),
                "rows of values must have one length",
                f"a {type(values).__name__} of rows of different lengths",
                "Fill the short ones up, or pass the rows one by one.",
            )
        ) from None


def is_rows(value: Any) -> TypeGuard[Any]:
    """Whether it is a `Ragged` of a `Dataset`: rows of different lengths."""
    return is_of_library(value, "nacre.data.dataset.ragged", "Ragged")


def of_flat_values(rows: Any, function: Callable[[np.ndarray], Any]) -> Any:
    """Rows as long as these, of what a function gives for all of their values.

    Args:
        rows: A `Ragged`.
        function: A function of an array that keeps its shape.
    """
    inner = rows.values
    if is_rows(inner):
        return type(rows)(of_flat_values(inner, function), rows.row_splits)
    values = function(np.asarray(inner))
    if is_text(values):  # as bytes, which is what data sets hold
        texts = np.empty(values.size, object)
        texts[:] = [str(text).encode() for text in values.ravel().tolist()]
        values = texts.reshape(values.shape)
    return type(rows)(values, rows.row_splits)


def _innermost(rows: Any) -> Iterator[Any]:
    """The innermost rows, each of which is one document."""
    for row in rows:
        if is_rows(row):
            yield from _innermost(row)
        else:
            yield row


def numbers_to_adapt(layer: Layer, batch: np.ndarray) -> np.ndarray:
    """A batch for `adapt` as float64; strings and the like are refused."""
    try:
        return np.asarray(batch, "float64")
    except (TypeError, ValueError):
        raise DTypeError(
            message(layer._who(), "adapt needs numbers", f"data of dtype {batch.dtype}")
        ) from None


@register("layers/CategoryEncoding")
class CategoryEncoding(Layer):
    """Turn indices of categories into vectors.

    Args:
        num_tokens: Number of categories.
        output_mode: 'multi_hot' (1 for each category in a row), 'one_hot' or 'count'.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
    Shapes:
        inputs (batch, row) ints; returns (batch, num_tokens); 'one_hot' also (batch,) and
        (batch, row) -> (batch, row, num_tokens)
    Raises:
        ArgumentError: An index on the host is outside 0 … num_tokens - 1; a traced one gives NaN.
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.CategoryEncoding(3, "count")(np.array([[0, 0, 2]])).tolist()
        [[2.0, 0.0, 1.0]]
    """

    _takes_empty_lists = True  # a sample without categories

    casts_inputs = False  # indices must keep their value

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        if output_mode == "binary":  # tf.keras 2 spelling
            output_mode = "multi_hot"
        self.output_mode = checked_choice(self._who(), "output_mode", output_mode, OUTPUT_MODES)
        self.num_tokens = whole_number(self._who(), "num_tokens", num_tokens)
        self.sparse = accepted_sparse(self, sparse)

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """The vectors."""
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError(
                message(
                    self._who(),
                    "count_weights belong to output_mode='count'",
                    f"output_mode={self.output_mode!r}",
                )
            )
        if hasattr(inputs, "shape"):
            inputs = without_absent_indices(inputs, self.num_tokens)
        self._check_indices(inputs, self.num_tokens)
        indices = jnp.asarray(inputs)
        if count_weights is not None:
            count_weights = jnp.asarray(count_weights)
            if count_weights.shape != indices.shape:
                rule = f"count_weights must have the shape of the inputs, {indices.shape}"
                raise ShapeError(message(self._who(), rule, f"shape {count_weights.shape}"))
        refuse_large_dense(
            self, indices.shape, self.num_tokens, self.output_mode, self.compute_dtype
        )
        indices = outside_as(indices, self.num_tokens)
        vectors = encode(
            indices, self.num_tokens, self.output_mode, self.compute_dtype, count_weights
        )
        return self._marked(vectors, indices >= self.num_tokens)

    def _index_limit(self) -> int | None:
        return self.num_tokens

    def _check_indices(self, indices: Any, limit: int) -> None:
        refuse_outside(self._who(), indices, limit, size_argument="num_tokens", kind=ArgumentError)

    def _marked(self, vectors: jax.Array, outside: jax.Array) -> jax.Array:
        """Vectors with NaN in those made of an index outside; ints have no NaN."""
        if not jnp.issubdtype(vectors.dtype, jnp.inexact):
            return vectors
        if outside.ndim == vectors.ndim:  # a whole row makes one vector
            outside = jnp.any(outside, axis=-1)
        return jnp.where(outside[..., None], jnp.nan, vectors)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        return config if self.sparse else {k: v for k, v in config.items() if k != "sparse"}


_BOUNDARIES_FILE = "boundaries.json"


@register("layers/Discretization")
class Discretization(Layer):
    """Put numbers into bins.

    Args:
        bin_boundaries: Boundaries between the bins, ascending.
        num_bins: Number of bins whose boundaries `adapt` finds, equally full.
        epsilon: Kept for compatibility with Keras: here `adapt` is exact.
        output_mode: 'int' the bin's index, or 'one_hot', 'multi_hot', 'count'.
        sparse: Kept in the config; outputs are dense arrays, and one batch of them must fit.
    Formula:
        bin = number of boundaries <= x
    Example:
        >>> import nacre, numpy as np
        >>> nacre.layers.Discretization([0.0, 1.0])(np.array([-1.0, 0.5, 3.0])).tolist()
        [0, 1, 2]
    """

    casts_inputs = False  # numbers are compared as they are

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Unpack[WithoutNameAndDtype],
    ) -> None:
        if dtype is None and output_mode == "int":
            dtype = "float32"  # inputs are compared as they are, bins are int32
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.sparse = accepted_sparse(self, sparse)
        if bin_boundaries is None and num_bins is None:
            raise ArgumentError(
                message(
                    self._who(),
                    "bin_boundaries or num_bins must be given",
                    "neither",
                    "Pass bin_boundaries=[0.0, 1.0], or num_bins=10 and call adapt(data).",
                )
            )
        if bin_boundaries is not None and num_bins is not None:
            raise ArgumentError(
                message(
                    self._who(),
                    "bin_boundaries are given, or found by adapt for num_bins, not both",
                    f"num_bins={num_bins} and bin_boundaries={bin_boundaries!r}",
                    "Leave out num_bins.",
                )
            )
        if num_bins is not None:
            num_bins = whole_number(self._who(), "num_bins", num_bins)
        self.num_bins = num_bins
        self.bin_boundaries = None if bin_boundaries is None else self._checked(bin_boundaries)
        self.epsilon = epsilon
        self.output_mode = checked_choice(
            self._who(), "output_mode", output_mode, ("int", *OUTPUT_MODES)
        )

    def _checked(self, boundaries: Any) -> list[float]:
        try:
            numbers = [float(boundary) for boundary in boundaries]
        except (TypeError, ValueError):
            numbers = [np.nan]
        if np.isnan(numbers).any() or sorted(numbers) != numbers:
            rule = "bin_boundaries must be numbers that ascend"
            raise ArgumentError(message(self._who(), rule, repr(boundaries)))
        return numbers

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries that put equally many values of `data` into each bin.

        Args:
            data: Array, or batches of arrays; NaN in it is passed over.
            steps: Number of batches to look at.
        """
        if self.num_bins is None:
            raise ArgumentError(
                message(
                    self._who(),
                    "adapt needs num_bins",
                    "bin_boundaries",
                    "Make the layer with num_bins=10.",
                )
            )
        batches = batches_of(self, data, steps)
        found = np.concatenate([numbers_to_adapt(self, b).ravel() for b in batches] or [[]])
        values, counts = np.unique(found[~np.isnan(found)], return_counts=True)
        if not values.size:
            raise DataError(message(self._who(), "adapt needs at least one number", "none"))
        shares = np.cumsum(counts) / counts.sum()
        wanted = np.arange(1, self.num_bins) / self.num_bins
        # A value met several times is several steps of the staircase: repeat it for np.interp.
        flat = np.repeat(values, counts)
        steps_at = np.arange(1, flat.size + 1) / flat.size if flat.size <= 10**6 else shares
        points = flat if flat.size <= 10**6 else values
        self.bin_boundaries = [float(b) for b in np.interp(wanted, steps_at, points)]

    def reset_state(self) -> None:
        """Forget what `adapt` found."""
        if self.num_bins is not None:
            self.bin_boundaries = None

    def _take_adapted(self, other: Discretization) -> None:
        """Have the boundaries another layer found, unless there are some."""
        if self.bin_boundaries is None and other.bin_boundaries is not None:
            self.bin_boundaries = list(other.bin_boundaries)

    adapts = True

    def save_own_variables(self, store: Any) -> None:
        """Nothing: a config holds the boundaries, and files beside it what configs do not."""

    def load_own_variables(self, store: Any) -> None:
        """Find the boundaries in what tf.keras 2 kept: values that were met, and their weights."""
        if self.num_bins is None or self.bin_boundaries is not None or "0" not in store.keys():
            return
        values, weights = np.asarray(store["0"], "float64")
        wanted = np.arange(1, self.num_bins) / self.num_bins
        shares = np.cumsum(weights) / weights.sum()
        self.bin_boundaries = [float(b) for b in np.interp(wanted, shares, values)]

    def save_assets(self, folder: str) -> None:
        """Write boundaries that `adapt` found, which the config of a layer around may not hold."""
        if self.num_bins is not None and self.bin_boundaries is not None:
            text = json.dumps(self.bin_boundaries)
            (Path(folder) / _BOUNDARIES_FILE).write_text(text, encoding="utf-8")

    def load_assets(self, folder: str) -> None:
        """Read the boundaries from a folder `save_assets` wrote."""
        path = Path(folder) / _BOUNDARIES_FILE
        if self.num_bins is not None and path.exists():
            self.bin_boundaries = self._checked(json.loads(path.read_text(encoding="utf-8")))

    def call(self, inputs: Any) -> Any:
        """The bins."""
        if self.bin_boundaries is None:
            raise NotBuiltError(
                message(
                    self._who(),
                    "its boundaries must be known",
                    "a layer without boundaries",
                    "Call adapt(data) first.",
                )
            )
        x = jnp.asarray(inputs)
        boundaries = jnp.asarray(self.bin_boundaries, "float32")
        indices = ops.searchsorted(boundaries, x.astype("float32"), side="right")
        if self.output_mode == "int":
            return indices
        depth = len(self.bin_boundaries) + 1
        refuse_large_dense(self, indices.shape, depth, self.output_mode, self.compute_dtype)
        return encode(indices, depth, self.output_mode, self.compute_dtype)

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The layer of a config; one that was adapted has both boundaries and their number."""
        found = config.get("bin_boundaries")
        if found is None or config.get("num_bins") is None:
            return cls(**config)
        arguments: dict[str, Any] = {**config, "bin_boundaries": None}
        layer = cls(**arguments)
        layer.bin_boundaries = [float(boundary) for boundary in found]
        return layer

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        config = super().get_config()
        config["dtype"] = self.dtype
        return {k: v for k, v in config.items() if k != "trainable"}


def batches_of(layer: Layer, data: Any, steps: int | None = None) -> Any:
    """The batches in what `adapt` was given: one for an array, those of an iterable else."""
    if is_stored(data):
        refuse_closed(data, layer._who())
    if _is_read_in_parts(data):
        rows = SparseRows(data) if is_sparse(data) else data
        rows = StoredRows(data, layer._who()) if is_stored(data) else rows
        step = max(1, _VALUES_AT_ONCE // max(1, math.prod(rows.shape[1:])))
        for start in range(0, len(rows), step):
            yield np.asarray(rows[start : start + step])
        return
    if is_rows(data):
        yield from (np.asarray(row)[None] for row in _innermost(data))
        return
    data = np.asarray(data) if is_buffer(data) else to_numpy_if_foreign(data, layer._who())
    if isinstance(data, np.ma.MaskedArray) or (
        isinstance(data, np.ndarray) and data.dtype.kind in "mM"
    ):
        data = plain_array(data, layer._who())
    if isinstance(data, np.ndarray | jax.Array | np.generic | float | int | str | bytes):
        yield host_array(layer, data)
        return
    if isinstance(data, list | tuple) and not _are_uneven_arrays(data):
        yield host_array(layer, data)
        return
    if isinstance(data, dict) or not isinstance(data, Iterable):
        raise DataError(
            message(
                layer._who(),
                "adapt needs an array, a list, or batches of arrays",
                type(data).__name__,
                "Of a table pass one column at a time.",
            )
        )
    if steps is None and _is_endless(data):
        raise DataError(
            message(
                layer._who(),
                "adapt must come to an end of its data",
                f"a {type(data).__name__} that repeats without end, and no steps",
                "Call adapt before repeat(), or pass adapt(data, steps=...).",
            )
        )
    if steps is None:  # an iterator that never ends says how many batches a pass has
        steps = getattr(data, "num_batches", None)
    for batch in itertools.islice(data, steps):
        if isinstance(batch, list | tuple):
            batch = batch[0]  # (inputs, targets)
        if is_rows(batch):
            yield from (np.asarray(row)[None] for row in _innermost(batch))
        else:
            yield host_array(layer, batch)


def _is_read_in_parts(data: Any) -> bool:
    """Whether an array is sparse, or numbers in a file."""
    if is_sparse(data):
        return True
    is_file = is_stored(data) or isinstance(data, np.memmap)
    return is_file and len(data.shape) > 0 and np.dtype(data.dtype).kind in "fiub"


def _is_endless(data: Any) -> bool:
    """Whether a Dataset, which lives on a floor beside this one, says that it has no end."""
    cardinality: Any = getattr(data, "cardinality", None)
    if not callable(cardinality):
        return False
    count: Any = cardinality()
    return int(count) == -1


def _are_uneven_arrays(data: Any) -> bool:
    """Whether a list holds arrays of different lengths: batches, the last one short."""
    are_arrays = bool(data) and all(isinstance(part, np.ndarray | jax.Array) for part in data)
    return are_arrays and len({part.shape for part in data}) > 1
