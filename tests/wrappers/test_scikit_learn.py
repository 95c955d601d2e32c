"""KerasClassifier and KerasRegressor as scripts of tf.keras 2 use them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import nacre
from nacre.wrappers.scikit_learn import KerasClassifier, KerasRegressor

X = np.random.default_rng(0).normal(size=(32, 2))
LABELS = (X[:, 0] > 0).astype(int)


def binary(rate: float = 0.5) -> nacre.Model:
    model = nacre.Sequential([nacre.layers.Dense(1, activation="sigmoid", input_dim=2)])
    model.compile(nacre.optimizers.SGD(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


def test_arguments_of_the_model_and_of_fit_stand_side_by_side() -> None:
    estimator = KerasClassifier(build_fn=binary, rate=1.0, epochs=20, verbose=0)
    logs = estimator.fit(X, LABELS).history
    assert len(logs["loss"]) == 20
    assert estimator.score(X, LABELS) > 0.9
    assert float(estimator.model.optimizer.learning_rate) == 1
    assert estimator.get_params() == {"build_fn": binary, "rate": 1.0, "epochs": 20, "verbose": 0}


def test_a_grid_goes_over_them() -> None:
    search = GridSearchCV(
        KerasClassifier(binary, verbose=0), {"rate": [1e-9, 1.0], "epochs": [10]}, cv=2
    )
    assert search.fit(X, LABELS).best_params_ == {"rate": 1.0, "epochs": 10}


def test_one_hot_targets_give_indices_of_classes() -> None:
    def build() -> nacre.Model:
        model = nacre.Sequential([nacre.layers.Dense(2, activation="softmax", input_dim=2)])
        model.compile("sgd", "categorical_crossentropy")
        return model

    rows = nacre.utils.to_categorical(LABELS, 2)
    estimator = KerasClassifier(build, verbose=0).fit(X, rows)
    assert set(estimator.predict(X)) <= {0, 1} and 0 <= estimator.score(X, rows) <= 1


def test_a_regressor_scores_by_its_negative_loss() -> None:
    def build() -> nacre.Model:
        model = nacre.Sequential([nacre.layers.Dense(1, input_dim=2)])
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    estimator = KerasRegressor(build, verbose=0).fit(X, X[:, 0])
    expected = -np.mean((estimator.predict(X) - X[:, 0]) ** 2)
    assert estimator.score(X, X[:, 0]) == pytest.approx(expected, rel=1e-5)


def test_arguments_of_neither_are_named() -> None:
    with pytest.raises(TypeError, match="Did you mean 'epochs'"):
        KerasClassifier(binary, epoch=3).fit(X, LABELS)


def test_a_subclass_may_build_the_model() -> None:
    class Own(KerasClassifier):
        def __call__(self, rate: float = 0.1) -> Any:
            return binary(rate)

    assert Own(rate=0.25, verbose=0).fit(X, LABELS).predict(X).shape == (32,)
