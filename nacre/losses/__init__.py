"""What training makes small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from nacre.core.lookup import Lookup, named
from nacre.core.registry import plain_config
from nacre.losses.checking import check_labels as check_labels
from nacre.losses.contrastive import ContrastiveLoss as ContrastiveLoss
from nacre.losses.contrastive import NTXentLoss as NTXentLoss
from nacre.losses.contrastive import TripletLoss as TripletLoss
from nacre.losses.contrastive import contrastive as contrastive
from nacre.losses.contrastive import nt_xent as nt_xent
from nacre.losses.contrastive import triplet as triplet
from nacre.losses.embedding import Circle as Circle
from nacre.losses.embedding import circle as circle
from nacre.losses.focal import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from nacre.losses.focal import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from nacre.losses.focal import binary_focal_crossentropy as binary_focal_crossentropy
from nacre.losses.focal import categorical_focal_crossentropy as categorical_focal_crossentropy
from nacre.losses.hinges import CategoricalHinge as CategoricalHinge
from nacre.losses.hinges import Hinge as Hinge
from nacre.losses.hinges import SquaredHinge as SquaredHinge
from nacre.losses.hinges import categorical_hinge as categorical_hinge
from nacre.losses.hinges import hinge as hinge
from nacre.losses.hinges import squared_hinge as squared_hinge
from nacre.losses.logits import expected_activation as expected_activation
from nacre.losses.logits import logits_warning as logits_warning
from nacre.losses.loss import Loss as Loss
from nacre.losses.loss import LossFunctionWrapper as LossFunctionWrapper
from nacre.losses.probabilistic import BinaryCrossentropy as BinaryCrossentropy
from nacre.losses.probabilistic import CategoricalCrossentropy as CategoricalCrossentropy
from nacre.losses.probabilistic import (
    CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy,
)
from nacre.losses.probabilistic import KLDivergence as KLDivergence
from nacre.losses.probabilistic import Poisson as Poisson
from nacre.losses.probabilistic import (
    SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
)
from nacre.losses.probabilistic import binary_crossentropy as binary_crossentropy
from nacre.losses.probabilistic import categorical_crossentropy as categorical_crossentropy
from nacre.losses.probabilistic import (
    categorical_generalized_cross_entropy as categorical_generalized_cross_entropy,
)
from nacre.losses.probabilistic import kl_divergence as kl_divergence
from nacre.losses.probabilistic import poisson as poisson
from nacre.losses.probabilistic import (
    sparse_categorical_crossentropy as sparse_categorical_crossentropy,
)
from nacre.losses.reduction import Reduction as Reduction
from nacre.losses.regression import CosineSimilarity as CosineSimilarity
from nacre.losses.regression import Huber as Huber
from nacre.losses.regression import LogCosh as LogCosh
from nacre.losses.regression import MeanAbsoluteError as MeanAbsoluteError
from nacre.losses.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from nacre.losses.regression import MeanSquaredError as MeanSquaredError
from nacre.losses.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from nacre.losses.regression import cosine_similarity as cosine_similarity
from nacre.losses.regression import huber as huber
from nacre.losses.regression import log_cosh as log_cosh
from nacre.losses.regression import mean_absolute_error as mean_absolute_error
from nacre.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from nacre.losses.regression import mean_squared_error as mean_squared_error
from nacre.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from nacre.losses.segmentation import Dice as Dice
from nacre.losses.segmentation import Tversky as Tversky
from nacre.losses.segmentation import dice as dice
from nacre.losses.segmentation import tversky as tversky
from nacre.losses.sequence import CTC as CTC
from nacre.losses.sequence import ctc as ctc

# Short and tf.keras 2 spellings.
MSE = mse = mean_squared_error
MAE = mae = mean_absolute_error
MAPE = mape = mean_absolute_percentage_error
MSLE = msle = mean_squared_logarithmic_error
KLD = kld = kullback_leibler_divergence = kl_divergence
BCE = bce = binary_crossentropy
logcosh = log_cosh

__all__ = [
    "Loss", "LossFunctionWrapper", "Reduction",
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CTC", "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy", "CategoricalHinge",
    "Circle", "CosineSimilarity", "Dice", "Hinge", "Huber", "KLDivergence", "LogCosh",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy", "SquaredHinge",
    "Tversky",
    # Beyond Keras.
    "ContrastiveLoss", "NTXentLoss", "TripletLoss", "contrastive", "nt_xent", "triplet",
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_generalized_cross_entropy",
    "categorical_hinge", "circle", "cosine_similarity", "ctc", "dice", "hinge", "huber",
    "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "poisson",
    "sparse_categorical_crossentropy", "squared_hinge", "tversky",
    "get", "serialize", "deserialize",
    "check_labels", "expected_activation", "logits_warning",
]  # fmt: skip

# Short and older spellings, found in strings and in old files.
LEGACY_NAMES = {
    "mse": "mean_squared_error",
    "MSE": "mean_squared_error",
    "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "MAPE": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "MSLE": "mean_squared_logarithmic_error",
    "kld": "kl_divergence",
    "KLD": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "bce": "binary_crossentropy",
    "BCE": "binary_crossentropy",
    "logcosh": "log_cosh",
    "huber_loss": "huber",
    "cosine_proximity": "cosine_similarity",
}

_LOOKUP = Lookup(
    "losses",
    "a loss",
    named(
        globals(), __all__, ("check_labels", "expected_activation", "logits_warning", "Reduction")
    ),
    LEGACY_NAMES,
    'Pass for example "mse", or nacre.losses.Huber(2.0).',
    roles="loss",
)
# What a config may name besides classes.
CONFIG_FUNCTIONS = _LOOKUP.functions


def serialize(loss: Any) -> Any:
    """The config of a loss, or the name of a loss function.

    Args:
        loss: A loss object, or a function of this package or a registered one.

    Example:
        >>> serialize(mean_squared_error)
        'mean_squared_error'
    """
    return plain_config(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss a config, or a name, describes.

    Args:
        name: What `serialize` gave.
        custom_objects: name -> class or function, for names that are not built in.

    Example:
        >>> deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
        2.0
    """
    return _LOOKUP.deserialize(name, custom_objects)


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any) -> Callable[..., Any]: ...
def get(identifier: Any) -> Callable[..., Any] | None:
    """The loss for a name, a config, a class or a callable; None for None.

    Args:
        identifier: Such as "mse" (gives the function), "MeanSquaredError" (gives an object), a
            dict config, a loss, or any callable `(y_true, y_pred) -> values`.

    Raises:
        UnknownNameError: A string that names no loss.
        ArgumentError: Something that cannot be one.
    Example:
        >>> get("mse").__name__
        'mean_squared_error'
    """
    return _LOOKUP.get(identifier)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
