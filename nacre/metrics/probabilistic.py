"""Cross-entropies, divergence and Poisson likelihood as metrics."""

from __future__ import annotations

from typing import Any

from nacre.core.registry import register
from nacre.losses import probabilistic as losses
from nacre.metrics.reduction import BuiltinMean


@register("metrics/BinaryCrossentropy")
class BinaryCrossentropy(BuiltinMean):
    """The mean binary cross-entropy.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        from_logits: True when predictions have not gone through a sigmoid.
        label_smoothing: Part of the target that is moved to 1/2.

    Example:
        >>> metric = BinaryCrossentropy()
        >>> metric.update_state([[1.0]], [[0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            losses.binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@register("metrics/CategoricalCrossentropy")
class CategoricalCrossentropy(BuiltinMean):
    """The mean cross-entropy against one-hot targets.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        from_logits: True when predictions have not gone through a softmax.
        label_smoothing: Part of the target that is spread over all classes.
        axis: Axis of the classes.
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("metrics/SparseCategoricalCrossentropy")
class SparseCategoricalCrossentropy(BuiltinMean):
    """The mean cross-entropy against class indices.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
        from_logits: True when predictions have not gone through a softmax.
        ignore_class: A label whose samples do not count.
        axis: Axis of the classes.
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

    def _valid(self, y_true: Any, shape: tuple[int, ...]) -> Any:
        return losses.counted_labels(y_true, self.ignore_class, shape)


@register("metrics/KLDivergence")
class KLDivergence(BuiltinMean):
    """The mean Kullback-Leibler divergence.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


@register("metrics/Poisson")
class Poisson(BuiltinMean):
    """The mean Poisson loss.

    Args:
        name: Name in logs.
        dtype: Dtype of the result.
    """

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype)
