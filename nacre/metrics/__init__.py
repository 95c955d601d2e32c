"""What is gathered over batches and shown in logs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, overload

from nacre.core.errors import ArgumentError, message
from nacre.core.lookup import Lookup, named
from nacre.core.names import to_snake_case
from nacre.core.registry import plain_config
from nacre.losses import binary_crossentropy as binary_crossentropy
from nacre.losses import binary_focal_crossentropy as binary_focal_crossentropy
from nacre.losses import categorical_crossentropy as categorical_crossentropy
from nacre.losses import categorical_focal_crossentropy as categorical_focal_crossentropy
from nacre.losses import categorical_hinge as categorical_hinge
from nacre.losses import hinge as hinge
from nacre.losses import huber as huber
from nacre.losses import kl_divergence as kl_divergence
from nacre.losses import log_cosh as log_cosh
from nacre.losses import mean_absolute_error as mean_absolute_error
from nacre.losses import mean_absolute_percentage_error as mean_absolute_percentage_error
from nacre.losses import mean_squared_error as mean_squared_error
from nacre.losses import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from nacre.losses import poisson as poisson
from nacre.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from nacre.losses import squared_hinge as squared_hinge
from nacre.metrics.accuracy import Accuracy as Accuracy
from nacre.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from nacre.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from nacre.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from nacre.metrics.accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from nacre.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from nacre.metrics.accuracy import binary_accuracy as binary_accuracy
from nacre.metrics.accuracy import categorical_accuracy as categorical_accuracy
from nacre.metrics.accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from nacre.metrics.accuracy import (
    sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy,
)
from nacre.metrics.accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from nacre.metrics.at_threshold import PrecisionAtRecall as PrecisionAtRecall
from nacre.metrics.at_threshold import RecallAtPrecision as RecallAtPrecision
from nacre.metrics.at_threshold import SensitivityAtSpecificity as SensitivityAtSpecificity
from nacre.metrics.at_threshold import SpecificityAtSensitivity as SpecificityAtSensitivity
from nacre.metrics.auc import AUC as AUC
from nacre.metrics.average_precision import MeanAveragePrecision as MeanAveragePrecision
from nacre.metrics.choice import resolve_accuracy as resolve_accuracy
from nacre.metrics.confusion import FalseNegatives as FalseNegatives
from nacre.metrics.confusion import FalsePositives as FalsePositives
from nacre.metrics.confusion import Precision as Precision
from nacre.metrics.confusion import Recall as Recall
from nacre.metrics.confusion import TrueNegatives as TrueNegatives
from nacre.metrics.confusion import TruePositives as TruePositives
from nacre.metrics.correlation import ConcordanceCorrelation as ConcordanceCorrelation
from nacre.metrics.correlation import PearsonCorrelation as PearsonCorrelation
from nacre.metrics.correlation import concordance_correlation as concordance_correlation
from nacre.metrics.correlation import pearson_correlation as pearson_correlation
from nacre.metrics.f_score import F1Score as F1Score
from nacre.metrics.f_score import FBetaScore as FBetaScore
from nacre.metrics.hinges import CategoricalHinge as CategoricalHinge
from nacre.metrics.hinges import Hinge as Hinge
from nacre.metrics.hinges import SquaredHinge as SquaredHinge
from nacre.metrics.iou import BinaryIoU as BinaryIoU
from nacre.metrics.iou import IoU as IoU
from nacre.metrics.iou import MeanIoU as MeanIoU
from nacre.metrics.iou import OneHotIoU as OneHotIoU
from nacre.metrics.iou import OneHotMeanIoU as OneHotMeanIoU
from nacre.metrics.metric import Metric as Metric
from nacre.metrics.probabilistic import BinaryCrossentropy as BinaryCrossentropy
from nacre.metrics.probabilistic import CategoricalCrossentropy as CategoricalCrossentropy
from nacre.metrics.probabilistic import KLDivergence as KLDivergence
from nacre.metrics.probabilistic import Poisson as Poisson
from nacre.metrics.probabilistic import (
    SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
)
from nacre.metrics.reduction import Mean as Mean
from nacre.metrics.reduction import MeanMetricWrapper as MeanMetricWrapper
from nacre.metrics.reduction import Sum as Sum
from nacre.metrics.regression import CosineSimilarity as CosineSimilarity
from nacre.metrics.regression import LogCoshError as LogCoshError
from nacre.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from nacre.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from nacre.metrics.regression import MeanSquaredError as MeanSquaredError
from nacre.metrics.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from nacre.metrics.regression import R2Score as R2Score
from nacre.metrics.regression import RootMeanSquaredError as RootMeanSquaredError

# Short and tf.keras 2 spellings of functions.
MSE = mse = mean_squared_error
MAE = mae = mean_absolute_error
MAPE = mape = mean_absolute_percentage_error
MSLE = msle = mean_squared_logarithmic_error
KLD = kld = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh

__all__ = [
    "Metric", "Mean", "MeanMetricWrapper", "Sum",
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity",
    "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "Hinge", "IoU", "KLDivergence",
    "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanAveragePrecision",
    "MeanIoU", "MeanSquaredError", "MeanSquaredLogarithmicError", "OneHotIoU", "OneHotMeanIoU",
    "PearsonCorrelation", "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall",
    "RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity", "SquaredHinge", "TopKCategoricalAccuracy", "TrueNegatives",
    "TruePositives",
    "binary_accuracy", "binary_crossentropy", "binary_focal_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge",
    "concordance_correlation", "hinge", "huber", "kl_divergence", "log_cosh",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "pearson_correlation", "poisson",
    "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
    "get", "serialize", "deserialize", "resolve_accuracy",
]  # fmt: skip

# Short and older spellings, found in strings and in old files.
LEGACY_NAMES = {
    "acc": "Accuracy",
    "mse": "MeanSquaredError",
    "MSE": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "MAE": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "MAPE": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "MSLE": "MeanSquaredLogarithmicError",
    "rmse": "RootMeanSquaredError",
    "bce": "BinaryCrossentropy",
    "BCE": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "KLD": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "cosine_proximity": "CosineSimilarity",
    "logcosh": "LogCoshError",
    "log_cosh": "LogCoshError",
    "fbeta_score": "FBetaScore",
}

_CLASSES = {
    name: value
    for name in __all__
    if isinstance(value := globals().get(name), type) and issubclass(value, Metric)
}
_SNAKE = {to_snake_case(name): name for name in _CLASSES}


def _make(cls: type) -> Any:
    try:
        inspect.signature(cls.__init__).bind(None)
    except TypeError as error:
        raise ArgumentError(
            message(
                f"metrics.get({cls.__name__!r})",
                "a metric named by a string must need no arguments",
                str(error),
                f"Pass an object: nacre.metrics.{cls.__name__}(...).",
            )
        ) from None
    return cls()


_LOOKUP = Lookup(
    "metrics",
    "a metric",
    named(globals(), __all__, ("resolve_accuracy",)),
    {**_SNAKE, **LEGACY_NAMES},
    'Pass for example "accuracy", or nacre.metrics.AUC().',
    roles="metric loss",
    make=_make,
)
# What a config may name besides classes.
CONFIG_FUNCTIONS = _LOOKUP.functions


def serialize(metric: Any) -> Any:
    """The config of a metric.

    Args:
        metric: A metric, or a function of this package or a registered one.

    Example:
        >>> serialize(Mean())["class_name"]
        'Mean'
    """
    return plain_config(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric a config, or a name, describes.

    Args:
        config: What `serialize` gave.
        custom_objects: name -> class or function, for names that are not built in.

    Example:
        >>> deserialize({"class_name": "Mean", "config": {"name": "loss"}}).name
        'loss'
    """
    return _LOOKUP.deserialize(config, custom_objects)


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any) -> Callable[..., Any]: ...
def get(identifier: Any) -> Callable[..., Any] | None:
    """The metric for a name, a config, a class or a callable; None for None.

    What "accuracy" means for given shapes is decided by `resolve_accuracy`; here it is `Accuracy`.

    Args:
        identifier: Such as "mse" or "AUC", a dict config, a metric, or any callable
            `(y_true, y_pred) -> values`.

    Raises:
        UnknownNameError: A string that names no metric.
        ArgumentError: Something that cannot be one.
    Example:
        >>> get("mse").name
        'mean_squared_error'
    """
    return _LOOKUP.get(identifier)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
