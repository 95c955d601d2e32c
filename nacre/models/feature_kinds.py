"""What describes the columns of a `FeatureSpace`, and the small layers it is made with."""

from __future__ import annotations

from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from nacre.core.names import auto_name
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.encoding import Discretization, checked_choice
from nacre.layers.preprocessing.scaling import Normalization
from nacre.layers.preprocessing.text import TextVectorization
from nacre.layers.preprocessing.vocabulary import IndexLookup

_MODULE = "keras.src.layers.preprocessing.feature_space"


@register("Cross", module=_MODULE)
class Cross:
    """Which features are joined into one category; `FeatureSpace.cross` makes it.

    Args:
        feature_names: Names of the features.
        crossing_dim: Number of bins for their combinations.
        output_mode: 'one_hot', or 'int' for the bin.
    """

    def __init__(self, feature_names: Any, crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = checked_choice("Cross", "output_mode", output_mode, ("int", "one_hot"))

    @property
    def name(self) -> str:
        """The names of the features, joined by `_X_`."""
        return "_X_".join(self.feature_names)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "feature_names": list(self.feature_names),
            "crossing_dim": self.crossing_dim,
            "output_mode": self.output_mode,
        }

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the cross a config describes."""
        return cls(**config)


@register("Feature", module=_MODULE)
class Feature:
    """How one column is prepared; `FeatureSpace.feature` and its like make it.

    Args:
        dtype: 'float32', 'int32' or 'string'.
        preprocessor: A layer.
        output_mode: 'float' for numbers as they come, 'one_hot' for categories as vectors, 'int'
            for their indices.
    """

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.dtype = dtype
        self.output_mode = checked_choice(
            "Feature", "output_mode", output_mode, ("int", "one_hot", "float")
        )
        if isinstance(preprocessor, dict):
            preprocessor = deserialize_keras_object(preprocessor)
        self.preprocessor = preprocessor

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "dtype": self.dtype,
            "preprocessor": plain_config(self.preprocessor),
            "output_mode": self.output_mode,
        }

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the feature a config describes."""
        return cls(**config)


@register("TFDIdentity", module=_MODULE)
class TFDIdentity(Layer):
    """A column of numbers as it is."""

    def call(self, x: Any) -> Any:
        """What is given."""
        return x


@register("TFDConcat", module=_MODULE)
class TFDConcat(Layer):
    """Encoded columns side by side.

    Args:
        axis: The axis they are joined along.
    """

    def __init__(self, axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, xs: Any) -> Any:
        """The columns as one array."""
        return jnp.concatenate(xs, axis=self.axis)


def make_feature(
    kind: str, dtype: str, layer: type[Layer], output_mode: str, name: str | None, **arguments: Any
) -> Feature:
    """A feature of a built-in kind, prepared by a layer of a class with these arguments."""
    name = f"{name or auto_name(kind)}_preprocessor"
    return Feature(dtype, layer(name=name, **arguments), output_mode)


def as_column(array: np.ndarray) -> np.ndarray:
    """Values of rows as an array of shape (batch, size)."""
    return array[:, None] if array.ndim == 1 else array


def is_adaptable(layer: Any) -> bool:
    """Whether `adapt` has something to find: not where the user gave it."""
    if isinstance(layer, IndexLookup | TextVectorization):
        return layer.input_vocabulary is None
    if isinstance(layer, Normalization):
        return layer.input_mean is None
    if isinstance(layer, Discretization):
        return layer.num_bins is not None
    return hasattr(layer, "adapt")


def is_ready(layer: Any) -> bool:
    """Whether a column's layer can be called."""
    if isinstance(layer, TextVectorization):
        layer = layer._lookup_layer
    if isinstance(layer, IndexLookup):
        return layer._tokens is not None
    if isinstance(layer, Normalization):
        return layer._adapted
    if isinstance(layer, Discretization):
        return layer.bin_boundaries is not None
    return True


__all__ = [
    "Cross", "Feature", "TFDConcat", "TFDIdentity", "as_column", "is_adaptable",
    "is_ready", "make_feature",
]  # fmt: skip
