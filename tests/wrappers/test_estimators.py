"""Models as estimators: labels, targets, fresh copies, seeds, and the tools of scikit-learn."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nacre
from nacre.core.errors import ArgumentError, NotCompiledError
from nacre.core.random import draw_seed
from nacre.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

QUIET = {"verbose": 0, "batch_size": 32}


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """64 samples of two features around four corners, with the number of the corner."""
    random = np.random.default_rng(0)
    corners = np.array([[2, 2], [-2, 2], [-2, -2], [2, -2]])
    labels = np.arange(64) % 4
    return corners[labels] + random.normal(0, 0.3, (64, 2)), labels


def build(
    X: Any,
    y: Any,
    units: int | None = None,
    activation: Any = "softmax",
    loss: Any = "categorical_crossentropy",
    rate: float = 0.1,
) -> nacre.Model:
    last = nacre.layers.Dense(units or y.shape[1], activation)
    model = nacre.Sequential([nacre.Input(X.shape[1:]), last])
    model.compile(nacre.optimizers.SGD(rate, momentum=0.9), loss)
    return model


def fitted(x: Any, y: Any, epochs: int = 20, weights: Any = None, **arguments: Any) -> Any:
    estimator = SKLearnClassifier(
        build, model_kwargs=arguments, fit_kwargs={"epochs": epochs, **QUIET}, random_state=0
    )
    return estimator.fit(x, y, sample_weight=weights)


def from_logits(loss: str) -> Any:
    return getattr(nacre.losses, loss)(from_logits=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"loss": "sparse_categorical_crossentropy"},
        {"loss": "sparse_categorical_crossentropy", "units": 7},
        {"loss": from_logits("CategoricalCrossentropy"), "activation": None},
        {"loss": "binary_crossentropy", "activation": "sigmoid"},
    ],
)
def test_each_usual_last_layer_learns_labels(blobs: Any, arguments: Any) -> None:
    x, corners = blobs
    names = np.array(["ne", "nw", "sw", "se"])[corners]
    estimator = fitted(x, names, **arguments)
    assert estimator.classes_.tolist() == ["ne", "nw", "se", "sw"]
    assert estimator.score(x, names) == 1
    p = estimator.predict_proba(x)
    assert p.shape == (64, 4)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert (estimator.classes_[p.argmax(axis=1)] == names).all()


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("sigmoid", "binary_crossentropy"),
        (None, from_logits("BinaryCrossentropy")),
        ("tanh", "hinge"),
        ("sigmoid", "mse"),
    ],
)
def test_one_unit_tells_two_classes(blobs: Any, activation: Any, loss: Any) -> None:
    x, corners = blobs
    labels = np.where(corners < 2, "up", "down")
    estimator = fitted(x, labels, units=1, activation=activation, loss=loss)
    assert estimator.score(x, labels) == 1
    scores = estimator.decision_function(x)
    assert scores.shape == (64,) and ((scores > 0) == (labels == "up")).all()
    if loss == "hinge":
        with pytest.raises(ArgumentError, match="must be probabilities"):
            estimator.predict_proba(x)
    else:
        p = estimator.predict_proba(x)
        assert ((p[:, 1] > 0.5) == (labels == "up")).all()


def test_rows_of_several_classes_are_told_one_by_one(blobs: Any) -> None:
    x, corners = blobs
    rows = np.stack([corners < 2, np.isin(corners, (0, 3))], axis=1).astype(int)
    estimator = fitted(x, rows, activation="sigmoid", loss="binary_crossentropy")
    assert (estimator.predict(x) == rows).all()
    assert estimator.predict_proba(x).shape == (64, 2)


def test_one_hot_rows_give_one_class_each(blobs: Any) -> None:
    x, corners = blobs
    rows = nacre.utils.to_categorical(corners, 4)
    estimator = fitted(x, rows, epochs=1, rate=1e-6)
    assert (estimator.predict(x).sum(axis=1) == 1).all()


def test_too_few_units_are_named(blobs: Any) -> None:
    x, corners = blobs
    with pytest.raises(ArgumentError, match="one unit for each class. Got 3 for 4 classes"):
        fitted(x, corners, units=3)


def test_weights_of_classes_go_by_label(blobs: Any) -> None:
    x, corners = blobs
    labels = np.where(corners == 0, 2, 1)  # label 1 is the class of index 0
    x = np.zeros_like(x)
    estimator = SKLearnClassifier(build, fit_kwargs={"epochs": 30, **QUIET}, random_state=0)
    assert set(estimator.fit(x, labels).predict(x)) == {1}
    assert set(estimator.fit(x, labels, class_weight={1: 1, 2: 9}).predict(x)) == {2}
    estimator.fit(x, labels, class_weight="balanced")
    np.testing.assert_allclose(estimator.predict_proba(x), 0.5, atol=0.1)


def test_sample_weights_count(blobs: Any) -> None:
    x, corners = blobs
    labels = np.where(corners == 0, "few", "many")
    estimator = fitted(np.zeros_like(x), labels, weights=np.where(corners == 0, 9.0, 1.0))
    assert set(estimator.predict(np.zeros_like(x))) == {"few"}


def test_labels_of_validation_data_are_encoded(blobs: Any) -> None:
    x, corners = blobs
    names = np.array(["ne", "nw", "sw", "se"])[corners]
    estimator = SKLearnClassifier(build, fit_kwargs={**QUIET, "validation_data": (x, names)})
    logs = estimator.fit(x, names).history_.history
    assert np.isfinite(logs["val_loss"]).all()


def test_a_model_is_copied_and_stays_as_it_was(blobs: Any) -> None:
    x, corners = blobs
    model = build(x, np.zeros((1, 4)))
    before = model.get_weights()
    estimator = SKLearnClassifier(model, fit_kwargs={"epochs": 20, **QUIET}, random_state=1)
    assert estimator.fit(x, corners).score(x, corners) == 1
    assert estimator.model_ is not model
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_adapt_found_stays_in_the_copies_of_a_model(blobs: Any) -> None:
    x, _ = blobs
    scaling = nacre.layers.Normalization()
    scaling.adapt(1000 + x)
    model = nacre.Sequential([nacre.Input((2,)), scaling, nacre.layers.Dense(1)])
    model.compile("sgd", loss=lambda y, p: (y - p) ** 2)
    estimator = SKLearnRegressor(model, fit_kwargs=QUIET).fit(1000 + x, x[:, 0])
    np.testing.assert_array_equal(estimator.model_.layers[0].mean, scaling.mean)


def test_a_clone_shares_the_model_and_takes_the_settings_of_outputs() -> None:
    model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)])
    model.compile("sgd", loss=lambda y, p: (y - p) ** 2)  # which no copy through a file would have
    settings = {"epochs": 1}
    estimator = SKLearnTransformer(model, fit_kwargs=settings).set_output(transform="pandas")
    twin = clone(estimator)
    assert twin.model is model and twin.fit_kwargs is not settings
    assert twin._sklearn_output_config == {"transform": "pandas"}


def test_a_warm_start_goes_on_where_the_fit_before_ended(blobs: Any) -> None:
    x, corners = blobs
    for model in (build, build(x, np.zeros((1, 4)))):
        estimator = SKLearnClassifier(model, warm_start=True, fit_kwargs=QUIET)
        first = estimator.fit(x, corners).model_
        assert estimator.fit(x, corners).model_ is first
        assert int(first.optimizer.iterations) == 4
        with pytest.raises(ArgumentError, match="classes of the first fit"):
            estimator.fit(x, corners + 1)


def test_a_random_state_repeats_a_fit_and_leaves_other_generators_alone(blobs: Any) -> None:
    x, corners = blobs
    nacre.utils.set_random_seed(5)
    expected = np.random.random(), draw_seed()
    nacre.utils.set_random_seed(5)
    estimators = [fitted(x, corners, epochs=1) for _ in range(2)]
    assert (np.random.random(), draw_seed()) == expected
    one, other = (estimator.predict_proba(x) for estimator in estimators)
    np.testing.assert_array_equal(one, other)


def test_settings_are_not_changed_by_a_fit(blobs: Any) -> None:
    x, corners = blobs
    settings = {**QUIET}
    estimator = SKLearnClassifier(build, fit_kwargs=settings)
    estimator.fit(x, corners, epochs=2, sample_weight=np.ones(64))
    assert settings == QUIET and len(estimator.history_.history["loss"]) == 2


def test_a_pickled_estimator_predicts_the_same(blobs: Any) -> None:
    x, corners = blobs
    estimator = fitted(x, corners, epochs=1)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(x), estimator.predict_proba(x))
    assert again.classes_.tolist() == [0, 1, 2, 3]
    assert again.fit(x, corners).score(x, corners) >= 0.5


def test_a_grid_over_arguments_of_the_function_finds_the_better(blobs: Any) -> None:
    x, corners = blobs
    settings = {"epochs": 10, **QUIET}
    search = GridSearchCV(
        SKLearnClassifier(build, fit_kwargs=settings, random_state=0),
        {"model_kwargs": [{"rate": 1e-9}, {"rate": 0.1}]},
        cv=2,
    )
    assert search.fit(x, corners).best_params_ == {"model_kwargs": {"rate": 0.1}}


@pytest.mark.slow
def test_folds_may_be_fitted_by_two_processes(blobs: Any) -> None:
    x, corners = blobs
    pipeline = make_pipeline(
        StandardScaler(), SKLearnClassifier(build, fit_kwargs=QUIET, random_state=0)
    )
    alone = cross_val_score(pipeline, x, corners, cv=2)
    np.testing.assert_array_equal(cross_val_score(pipeline, x, corners, cv=2, n_jobs=2), alone)


def test_names_of_columns_are_kept_and_checked(blobs: Any) -> None:
    x, corners = blobs
    frame = pd.DataFrame(x, columns=["east", "north"])
    estimator = fitted(frame, pd.Series(corners), epochs=1)
    assert estimator.feature_names_in_.tolist() == ["east", "north"]
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[["north", "east"]])


def test_images_and_sparse_matrices_are_taken() -> None:
    def flat(X: Any, y: Any) -> nacre.Model:
        layers = [nacre.Input(X.shape[1:]), nacre.layers.Flatten(), nacre.layers.Dense(2)]
        model = nacre.Sequential(layers)
        model.compile("sgd", "mse")
        return model

    x = np.random.default_rng(0).normal(size=(8, 4, 4))
    estimator = SKLearnRegressor(flat, fit_kwargs=QUIET).fit(x, x[:, :2, 0])
    assert estimator.predict(x).shape == (8, 2)
    rows = scipy.sparse.csr_matrix(x.reshape(8, 16))
    estimator.fit(rows, x[:, :2, 0])
    np.testing.assert_allclose(
        estimator.predict(rows), estimator.predict(rows.toarray()), rtol=1e-6
    )


def test_a_transformer_gives_outputs_with_names(blobs: Any) -> None:
    x, _ = blobs
    model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(2)])
    model.compile("sgd", "mse")
    estimator = SKLearnTransformer(model, fit_kwargs=QUIET).set_output(transform="pandas")
    found = estimator.fit_transform(x, x)
    assert found.columns.tolist() == ["sklearntransformer0", "sklearntransformer1"]


def test_predictions_have_the_shape_of_the_targets(blobs: Any) -> None:
    x, _ = blobs
    estimator = SKLearnRegressor(build, model_kwargs={"activation": None, "loss": "mse"})
    for y in (x[:, 0], x[:, :1], x):
        assert estimator.fit(x, y, **QUIET).predict(x).shape == y.shape


def test_functions_that_take_no_data_make_models(blobs: Any) -> None:
    x, corners = blobs

    def without_data(units: int = 4) -> nacre.Model:
        return build(x, np.zeros((1, units)))

    estimator = SKLearnClassifier(without_data, model_kwargs={"units": 5}, fit_kwargs=QUIET)
    assert estimator.fit(x, corners).model_.output_shape == (None, 5)


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        (lambda X, y: None, ArgumentError, "must return a compiled model. Got NoneType"),
        (lambda X, y: nacre.Sequential([nacre.Input((2,))]), NotCompiledError, "must be compiled"),
        (nacre.Sequential([nacre.Input((2,))]), NotCompiledError, "model.compile"),
        ("mlp", ArgumentError, "a function that returns one. Got 'mlp'"),
    ],
)
def test_what_makes_no_compiled_model_is_named(
    blobs: Any, model: Any, error: type[Exception], text: str
) -> None:
    x, corners = blobs
    with pytest.raises(error, match=text):
        SKLearnClassifier(model).fit(x, corners)


def test_one_class_and_unfitted_estimators_are_told(blobs: Any) -> None:
    x, corners = blobs
    estimator = SKLearnClassifier(build)
    with pytest.raises(NotFittedError):
        estimator.predict(x)
    with pytest.raises(ArgumentError, match="at least 2 classes"):
        estimator.fit(x, np.zeros(64))
    assert not hasattr(clone(fitted(x, corners, epochs=1)), "model_")
