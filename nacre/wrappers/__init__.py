"""Estimators of scikit-learn made of models: for pipelines, cross validation and grid searches.

How this floor works: `estimators.py` has the three classes, which check data as scikit-learn's own
do; `making.py` makes the compiled model that a fit trains; `targets.py` says what a classifier's
model gets as targets and what its outputs mean; `scikit_learn.py` has the classes of tf.keras 2.
scikit-learn is imported when one of the classes is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from nacre.core.interop import optional_import
from nacre.core.late_names import late_names

if TYPE_CHECKING:
    from nacre.wrappers import scikit_learn as scikit_learn
    from nacre.wrappers.estimators import SKLearnClassifier as SKLearnClassifier
    from nacre.wrappers.estimators import SKLearnRegressor as SKLearnRegressor
    from nacre.wrappers.estimators import SKLearnTransformer as SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer", "scikit_learn"]

_ESTIMATORS = "nacre.wrappers.estimators"


def _imported(module: str) -> Any:
    optional_import("sklearn", extra="sklearn", who="nacre.wrappers")
    return importlib.import_module(module)


if not TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "SKLearnClassifier": _ESTIMATORS,
            "SKLearnRegressor": _ESTIMATORS,
            "SKLearnTransformer": _ESTIMATORS,
            "scikit_learn": "nacre.wrappers.scikit_learn",
        },
        _imported,
    )
