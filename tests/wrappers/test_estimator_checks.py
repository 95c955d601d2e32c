"""scikit-learn's own checks of estimators, on small linear models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import nacre
from nacre.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

_MEANS = (
    "a step divides its loss by the samples, not by the sum of their weights, and repeated samples "
    "fill further steps: so Keras counts too"
)
_EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": _MEANS,
    "check_sample_weight_equivalence_on_sparse_data": _MEANS,
}


class Linear:
    """Makes a linear model; its text is the same in each process, as names of tests must be."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __call__(self, X: Any, y: Any) -> nacre.Model:
        activation, loss = None, "mse"
        if self.name == "classifier":
            activation, loss = "softmax", "categorical_crossentropy"
            if np.any(y.sum(axis=1) != 1):  # several classes a sample
                activation, loss = "sigmoid", "binary_crossentropy"
        layers = [nacre.Input(X.shape[1:]), nacre.layers.Dense(y.shape[1], activation)]
        model = nacre.Sequential(layers)
        model.compile(nacre.optimizers.SGD(0.1, clipnorm=1.0), loss)
        return model


_SETTINGS: dict[str, Any] = {
    "fit_kwargs": {"epochs": 40, "batch_size": 64, "verbose": 0},
    "random_state": 0,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*SCIPY_ARRAY_API:sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        SKLearnClassifier(Linear("classifier"), **_SETTINGS),
        SKLearnRegressor(Linear("regressor"), **_SETTINGS),
        SKLearnTransformer(Linear("regressor"), **_SETTINGS),
    ],
    expected_failed_checks=lambda estimator: _EXPECTED_FAILURES,
)
def test_estimators_pass_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)
