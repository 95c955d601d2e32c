"""Columns of a table as one vector: `FeatureSpace`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from nacre.core import tree
from nacre.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    NotBuiltError,
    message,
    nearest,
)
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.core.strings import is_text, text_array
from nacre.core.symbolic import KerasTensor
from nacre.core.tables import frame_columns
from nacre.layers.core.input_layer import Input
from nacre.layers.preprocessing.encoding import CategoryEncoding, Discretization, checked_choice
from nacre.layers.preprocessing.hashing import HashedCrossing, Hashing
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.layers.preprocessing.scaling import Normalization, Rescaling
from nacre.layers.preprocessing.vocabulary import IntegerLookup, StringLookup
from nacre.models import doors
from nacre.models.feature_kinds import (
    Cross,
    Feature,
    TFDConcat,
    TFDIdentity,
    as_column,
    is_adaptable,
    is_ready,
    make_feature,
)

_KINDS = (
    "float", "float_normalized", "float_rescaled", "float_discretized", "integer_categorical",
    "integer_hashed", "string_categorical", "string_hashed",
)  # fmt: skip


@register("FeatureSpace", module="keras.utils")
class FeatureSpace(HostLayer):
    """Turn the columns of a table into vectors a model can learn from.

    Say for each column what it is, let `adapt` look at the data, then call the space on rows, in a
    data pipeline or inside a model: `get_inputs()` and `get_encoded_features()` begin a functional
    model that takes the raw columns.

    Args:
        features: Column -> kind: 'float', 'float_normalized', 'float_rescaled',
            'float_discretized', 'integer_categorical', 'integer_hashed', 'string_categorical',
            'string_hashed', or what the static methods of these names return.
        output_mode: 'concat' for one vector a row, 'dict' for one array a column.
        crosses: Groups of columns whose combinations are categories too: tuples of names, or what
            `FeatureSpace.cross` returns.
        crossing_dim: Bins of crosses given as tuples.
        hashing_dim: Bins of columns given as '..._hashed'.
        num_discretization_bins: Bins of columns given as 'float_discretized'.
        name: Name; automatic by default.

    Shapes:
        column  (), (batch,) or (batch, size)
        returns (features,) or (batch, features); the columns stand in the order of their names,
        crosses after them

    Raises:
        NotBuiltError: A column's vocabulary, mean or bins are needed and `adapt` was not called.

    Example:
        >>> space = FeatureSpace({"age": "float_rescaled", "city": "string_categorical"})
        >>> space.adapt({"age": [20.0, 30.0], "city": ["Rome", "Oslo"]})
        >>> space({"age": 40.0, "city": "Oslo"}).tolist()
        [40.0, 0.0, 0.0, 1.0]
    """

    # ---------------------------------------------------------------- kinds of columns

    @classmethod
    def cross(cls, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> Cross:
        """Combinations of columns as categories of their own."""
        return Cross(feature_names, crossing_dim, output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Any, output_mode: str) -> Feature:
        """A column prepared by a layer of yours."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Numbers as they are."""
        return make_feature("float", "float32", TFDIdentity, "float", name)

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """Numbers times `scale` plus `offset`."""
        return make_feature(
            "float_rescaled", "float32", Rescaling, "float", name, scale=scale, offset=offset
        )

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Numbers shifted and scaled to mean 0 and variance 1."""
        return make_feature("float_normalized", "float32", Normalization, "float", name, axis=-1)

    @classmethod
    def float_discretized(
        cls,
        num_bins: int | None,
        bin_boundaries: Any = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Numbers put into bins."""
        return make_feature(
            "float_discretized", "float32", Discretization, output_mode, name,
            num_bins=num_bins, bin_boundaries=bin_boundaries,
        )  # fmt: skip

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Integers as categories, by a vocabulary."""
        return make_feature(
            "integer_categorical", "int32", IntegerLookup, output_mode, name,
            max_tokens=max_tokens, num_oov_indices=num_oov_indices,
        )  # fmt: skip

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Strings as categories, by a vocabulary."""
        return make_feature(
            "string_categorical", "string", StringLookup, output_mode, name,
            max_tokens=max_tokens, num_oov_indices=num_oov_indices,
        )  # fmt: skip

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Strings as categories, by their fingerprints."""
        return make_feature(
            "string_hashed", "string", Hashing, output_mode, name, num_bins=num_bins
        )

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Integers as categories, by their fingerprints."""
        return make_feature(
            "integer_hashed", "int32", Hashing, output_mode, name, num_bins=num_bins
        )

    # ---------------------------------------------------------------- making one

    def __init__(
        self,
        features: Any,
        output_mode: str = "concat",
        crosses: Any = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ArgumentError(
                message(
                    self._who(),
                    "features must name at least one column",
                    repr(features),
                    "Pass features={'age': 'float_normalized'}.",
                )
            )
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = checked_choice(
            self._who(), "output_mode", output_mode, ("concat", "dict")
        )
        self.features = {key: self._feature(key, value) for key, value in features.items()}
        self.crosses = [self._cross(value) for value in crosses or ()]
        self.crosses_by_name = {cross.name: cross for cross in self.crosses}
        self.inputs = {
            key: Input(shape=(1,), dtype=feature.dtype, name=key)
            for key, feature in self.features.items()
        }
        self.preprocessors = {key: value.preprocessor for key, value in self.features.items()}
        self.crossers = {
            cross.name: HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        self.one_hot_encoders: dict[str, CategoryEncoding] = {}
        self.concat: TFDConcat | None = None
        self.encoded_features: Any = None
        if not self._unready():
            self._encode_inputs()

    def _feature(self, name: str, value: Any) -> Feature:
        if isinstance(value, Feature):
            return value
        if isinstance(value, dict):
            return deserialize_keras_object(value)
        if not isinstance(value, str) or value not in _KINDS:
            hint = nearest(value, _KINDS)
            raise ArgumentError(
                message(
                    f"{self._who()}, feature '{name}'",
                    f"its kind must be one of {_KINDS} or a FeatureSpace.feature(...)",
                    repr(value),
                    f"Did you mean {hint!r}?" if hint else "",
                )
            )
        sizes = {
            "float_discretized": (self.num_discretization_bins,),
            "integer_hashed": (self.hashing_dim,),
            "string_hashed": (self.hashing_dim,),
        }
        return getattr(type(self), value)(*sizes.get(value, ()), name=name)

    def _cross(self, value: Any) -> Cross:
        if isinstance(value, dict):
            value = deserialize_keras_object(value)
        if not isinstance(value, Cross):
            value = Cross([value] if isinstance(value, str) else value, self.crossing_dim)
        unknown = [n for n in value.feature_names if n not in self.features]
        if unknown or len(value.feature_names) < 2:
            raise ArgumentError(
                message(
                    f"{self._who()}, crosses",
                    f"a cross must name two or more of the features {list(self.features)}",
                    f"{value.feature_names}",
                )
            )
        return value

    # ---------------------------------------------------------------- adapting

    def _unready(self) -> list[str]:
        """Columns whose layers have to look at data first."""
        return [key for key, layer in self.preprocessors.items() if not is_ready(layer)]

    def adapt(self, dataset: Any) -> None:
        """Let the columns' layers look at data.

        Args:
            dataset: A dict or DataFrame of columns, or an iterable of such dicts: of single rows or
                of batches. Of pairs (row, target) the first is taken.
        """
        adaptable = [key for key, layer in self.preprocessors.items() if is_adaptable(layer)]
        columns = self._columns(dataset, adaptable)
        for key in adaptable:
            layer = self.preprocessors[key]
            layer.reset_state()
            layer.adapt(columns[key])
        self._encode_inputs()

    def _columns(self, dataset: Any, names: list[str]) -> dict[str, np.ndarray]:
        dataset = frame_columns(dataset)
        batches = [dataset] if isinstance(dataset, dict) else dataset
        if not isinstance(batches, Iterable):
            raise self._not_a_table(f"{type(dataset).__name__}")
        parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for batch in batches:
            row = batch[0] if isinstance(batch, tuple | list) and batch else batch
            if not isinstance(row, dict):
                raise self._not_a_table(f"an iterable of {type(row).__name__}")
            self._require(row, names)
            for name in names:
                array = self._array(name, row[name])
                parts[name].append(array.reshape(1, 1) if array.ndim == 0 else as_column(array))
        if any(not found for found in parts.values()):
            raise DataError(message(f"{self._who()}.adapt", "there must be data", "no rows"))
        return {name: np.concatenate(found) for name, found in parts.items()}

    def _not_a_table(self, got: str) -> DataError:
        return DataError(
            message(
                f"{self._who()}.adapt",
                "data must be a dict or DataFrame of columns, or an iterable of such dicts",
                got,
                "Pass {'column': values, ...} without the targets.",
            )
        )

    def _require(self, data: dict[str, Any], names: Iterable[str]) -> None:
        missing = [name for name in names if name not in data]
        if missing:
            raise DataError(
                message(
                    self._who(),
                    f"the data must have the columns {list(self.features)}",
                    f"{list(data)}; missing: {missing}",
                )
            )

    def _array(self, name: str, value: Any) -> np.ndarray:
        """A column on the host, in the dtype of its feature."""
        dtype = self.features[name].dtype
        array = text_array(to_numpy_if_foreign(value, f"{self._who()}, feature '{name}'"))
        if dtype == "string":
            if array.dtype.kind not in "OUS":
                raise DTypeError(
                    message(
                        f"{self._who()}, feature '{name}'",
                        "its values must be strings",
                        f"an array of dtype {array.dtype}",
                        "Make it an 'integer_categorical' feature, or convert it with astype(str).",
                    )
                )
            return array
        if is_text(array):
            raise DTypeError(
                message(
                    f"{self._who()}, feature '{name}'",
                    f"its values must be numbers ({dtype})",
                    "strings",
                    "Make it a 'string_categorical' feature.",
                )
            )
        return array.astype(dtype)

    # ---------------------------------------------------------------- encoding

    def get_inputs(self) -> dict[str, KerasTensor]:
        """The symbolic columns, by name: inputs for a functional model."""
        self._require_ready()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """The symbolic result for `get_inputs()`."""
        self._require_ready()
        return self.encoded_features

    def _require_ready(self) -> None:
        unready = self._unready()
        if unready:
            raise NotBuiltError(
                message(
                    self._who(),
                    f"the features {unready} must be adapted first",
                    "a space that saw no data",
                    "Call adapt(data) with a dict of columns.",
                )
            )
        if self.encoded_features is None:
            self._encode_inputs()

    def _encode_inputs(self) -> None:
        self.one_hot_encoders, self.concat = {}, None
        self.encoded_features = self._encode(self.inputs)
        self.built = True

    def _encode(self, columns: dict[str, Any]) -> Any:
        """The result for columns of shape (batch, size), symbolic or on the host."""
        found = {name: self.preprocessors[name](columns[name]) for name in sorted(self.features)}
        for name in sorted(self.crosses_by_name):
            parts = [found[one] for one in self.crosses_by_name[name].feature_names]
            found[name] = self.crossers[name](parts)
        specs = {**self.features, **self.crosses_by_name}
        encoded = {name: self._one_hot(name, specs[name], x) for name, x in found.items()}
        if self.output_mode == "dict":
            return encoded
        for name, x in encoded.items():
            if "float" not in str(x.dtype):
                raise DTypeError(
                    message(
                        f"{self._who()}, feature '{name}'",
                        "output_mode='concat' joins floats",
                        f"indices of dtype {x.dtype}",
                        "Give the feature output_mode='one_hot', or the space output_mode='dict'.",
                    )
                )
        join = self.concat or TFDConcat(axis=-1)
        self.concat = join
        return join(list(encoded.values()))

    def _one_hot(self, name: str, spec: Any, x: Any) -> Any:
        if spec.output_mode != "one_hot":
            return x
        if name not in self.one_hot_encoders:
            layer = self.crossers.get(name) or self.preprocessors[name]
            self.one_hot_encoders[name] = CategoryEncoding(
                num_tokens=self._cardinality(name, layer), output_mode="multi_hot"
            )
        return self.one_hot_encoders[name](x)

    def _cardinality(self, name: str, layer: Any) -> int:
        if isinstance(layer, HashedCrossing | Hashing):
            return layer.num_bins
        if isinstance(layer, Discretization):
            return len(layer.bin_boundaries or ()) + 1
        if hasattr(layer, "vocabulary_size"):
            return layer.vocabulary_size()
        raise ArgumentError(
            message(
                f"{self._who()}, feature '{name}'",
                "output_mode='one_hot' needs a layer that gives indices and knows how many",
                f"a {type(layer).__name__}",
                "Use output_mode='float' or 'int'.",
            )
        )

    def __call__(self, data: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """The encoded rows of a dict of columns, or of one row."""
        data = frame_columns(data)
        if not isinstance(data, dict):
            raise ArgumentError(
                message(
                    self._who(),
                    "it is called on a dict: column -> values",
                    type(data).__name__,
                    "Pass a frame with these columns, or a dict of them.",
                )
            )
        self._require_ready()
        self._require(data, self.features)
        return super().__call__({name: data[name] for name in self.features}, **kwargs)

    def call(self, data: dict[str, Any]) -> Any:
        """The encoded rows."""
        arrays = {name: self._array(name, value) for name, value in data.items()}
        is_one = all(array.ndim == 0 for array in arrays.values())
        columns = {
            name: array.reshape(1, 1) if array.ndim == 0 else as_column(array)
            for name, array in arrays.items()
        }
        encoded = self._encode(columns)
        return tree.map_structure(lambda x: x[0], encoded) if is_one else encoded

    def compute_output_spec(self, data: Any) -> Any:
        """The symbolic result for symbolic columns."""
        return tree.map_structure(lambda t: KerasTensor(t.shape, t.dtype), self.encoded_features)

    # ---------------------------------------------------------------- configs and files

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "features": {key: plain_config(f) for key, f in self.features.items()},
            "output_mode": self.output_mode,
            "crosses": [plain_config(cross) for cross in self.crosses],
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    def __reduce__(self) -> Any:
        """Pickles and copies keep what `adapt` found."""
        parts = {"features": self.features, "crosses": self.crosses, "name": self.name}
        return _space_of, (type(self), {**self.get_config(), **parts})

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the space a config describes."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """What the columns' layers were built for."""
        return {key: layer.get_build_config() or {} for key, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build the columns' layers, so that their weights can be loaded."""
        for key, layer in self.preprocessors.items():
            if config.get(key):
                layer.build_from_config(config[key])

    def save(self, filepath: Any) -> None:
        """Write the space to a `.keras` file; `nacre.saving.load_model` reads it."""
        doors.save_model(self, filepath)  # type: ignore[arg-type]


def _space_of(kind: type[FeatureSpace], arguments: dict[str, Any]) -> FeatureSpace:
    return kind(**arguments)


__all__ = ["Cross", "Feature", "FeatureSpace", "TFDConcat", "TFDIdentity"]
