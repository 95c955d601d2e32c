"""Layers of a user's, for `nacre` and for the Keras that wrote the files."""

from __future__ import annotations

from typing import Any

from tests.field.old_files.frozen_models import pair_class


def custom_classes(keras: Any) -> dict[str, Any]:
    """The classes by name, for one library."""

    class Tokens(keras.layers.Layer):
        """Holds a lookup, whose vocabulary it does not write into its config."""

        def __init__(self, words: Any = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.lookup = keras.layers.StringLookup(
                output_mode="one_hot", max_tokens=6, pad_to_max_tokens=True
            )
            if words is not None:
                self.lookup.adapt(words)

        def call(self, x: Any) -> Any:
            return self.lookup(x)

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], 6)

    return {"Pair": pair_class(keras), "Tokens": Tokens}
