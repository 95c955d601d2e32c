"""What a batch is: x, (x, y) or (x, y, sample_weight)."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import DataError, message


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """A batch from its parts, as `fit` gives it to a `train_step(self, data)`, or takes it from a
    source; x alone unless it is a tuple. Weights without targets are kept: (x, None, weights).

    Example:
        >>> pack_x_y_sample_weight(1), pack_x_y_sample_weight(1, 2), pack_x_y_sample_weight([1, 2])
        (1, (1, 2), ([1, 2],))
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """The parts (x, y, sample_weight) of a batch; None for those it does not have.

    Raises:
        DataError: It has more than three parts.
    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    if not 1 <= len(parts) <= 3:
        raise DataError(
            message(
                "unpack_x_y_sample_weight",
                "a batch must be x, (x, y) or (x, y, sample_weight)",
                f"{len(parts)} parts",
            )
        )
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight
