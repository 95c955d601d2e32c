"""`table.lookup` on a model's inputs of strings: a layer of the host that holds the table.

x = tf.keras.Input((), dtype=tf.string)
y = table.lookup(x)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.host_arrays import refuse_wide_integers
from nacre.core.registry import register
from nacre.core.strings import HostString, is_text
from nacre.core.symbolic import KerasTensor
from nacre.layers.preprocessing.host_layer import HostLayer


def takes_keys(keys: Any) -> bool:
    """Whether keys are strings whose values only the host has: a model's inputs, or their batch."""
    return isinstance(keys, HostString) or (isinstance(keys, KerasTensor) and is_text(keys))


@register("TableLookup", module="nacre")
class TableLookup(HostLayer):
    """The values of strings in a table.

    Args:
        contents: What `as_config` of a table told. `of` makes one of a table, which is asked as it
            is when the layer runs.
    Shapes:
        inputs  (*batch)              strings
        returns (*batch, *value)      the values' dtype, of 32 bits at most, or strings
    Raises:
        DTypeError: The table has other keys than strings.
    """

    def __init__(self, contents: dict[str, Any] | None, **kwargs: Any) -> None:
        from nacre.tf.tables import from_config

        kwargs.setdefault("dtype", "string")
        super().__init__(**kwargs)
        self.contents = contents
        self._table: Any = None if contents is None else from_config(contents)

    @classmethod
    def of(cls, table: Any) -> TableLookup:
        """A layer that asks this table."""
        layer = cls(None)
        layer._table = table
        return layer

    def get_config(self) -> dict[str, Any]:
        """What it is made from again: the table as it is now."""
        return {**super().get_config(), "contents": self._table.as_config()}

    def call(self, inputs: Any) -> np.ndarray:
        """What the table has for them, on the host."""
        found = np.asarray(self._table.lookup(np.asarray(inputs, object)))
        if found.dtype.name not in _NARROW:
            return found
        refuse_wide_integers(found, "tf.lookup")
        return found.astype(_NARROW[found.dtype.name])

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """A symbolic tensor like what it gives."""
        some = self.call(np.full((1,), b"", object))
        dtype = "string" if some.dtype.kind in "OSU" else some.dtype.name
        return KerasTensor((*inputs.shape, *some.shape[1:]), dtype)


_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}

__all__ = ["TableLookup", "takes_keys"]
