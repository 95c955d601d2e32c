"""Models as estimators of scikit-learn: a classifier, a regressor, a transformer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
    clone,
)
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from nacre.core.errors import ArgumentError, message
from nacre.core.random import seeded
from nacre.models import Model
from nacre.wrappers.making import make_model
from nacre.wrappers.targets import Targets, targets_for

_SEEDS = 2**31 - 1  # as many as scikit-learn draws from


class _Estimator(BaseEstimator):
    """What the three have in common: arguments, checks of data, and one fit."""

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
        *,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, **kwargs: Any) -> Self:
        """Train a model on data.

        Args:
            X: Inputs: an array, a frame, a sparse matrix.
            y: Targets.
            sample_weight: A weight for each sample.
            **kwargs: Further arguments of the model's `fit`; they come before those in
                `fit_kwargs`.
        """
        x, y = self._checked(X, y)
        settings = {**(self.fit_kwargs or {}), **kwargs}
        if sample_weight is None:
            sample_weight = settings.pop("sample_weight", None)
        settings.pop("sample_weight", None)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x)
        shown = self._learn_targets(y, sample_weight)
        with seeded(self._seed()):
            model = self._model_to_train(x, shown)
            targets = self._bind(model, x, y)
            self._encode_settings(settings, y)
            history = model.fit(x, targets, sample_weight=sample_weight, **settings)
        self.model_ = model
        self.history_ = history
        return self

    def predict(self, X: Any) -> Any:
        """The model's outputs for data, in the shape of the targets."""
        outputs = self._outputs(X)
        is_flat = self._targets_ndim == 1 and outputs.ndim == 2 and outputs.shape[1] == 1
        return outputs[:, 0] if is_flat else outputs

    def _outputs(self, X: Any) -> Any:
        check_is_fitted(self, "model_")
        x = validate_data(self, X, reset=False, **_KINDS)
        return self.model_.predict(x, verbose=0)

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:
        x, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **_KINDS)
        return x, y

    def _learn_targets(self, y: Any, sample_weight: Any) -> Any:
        """Remember what targets are like; returns what a function that makes models sees."""
        self._targets_ndim = y.ndim
        return _columns(y)

    def _bind(self, model: Model, x: Any, y: Any) -> Any:
        """The targets for `fit`, once the model is there."""
        return _columns(y)

    def _encode(self, y: Any) -> Any:
        """Targets that came by another way, as `validation_data`."""
        return _columns(np.asarray(y))

    def _encode_settings(self, settings: dict[str, Any], y: Any) -> None:
        validation = settings.get("validation_data")
        if isinstance(validation, list | tuple) and len(validation) in (2, 3):
            x, labels, *weights = validation
            settings["validation_data"] = (x, self._encode(labels), *weights)

    def _model_to_train(self, x: Any, y: Any) -> Model:
        if self._goes_on():
            return self.model_
        arguments: Mapping[str, Any] = self.model_kwargs or {}
        who = type(self).__name__
        return make_model(who, self._maker(), arguments, x, y, with_weights=self.warm_start)

    def _maker(self) -> Any:
        return self.model

    def _goes_on(self) -> bool:
        return self.warm_start and hasattr(self, "model_")

    def _seed(self) -> int | None:
        if self.random_state is None:
            return None
        return int(check_random_state(self.random_state).randint(_SEEDS))

    def __sklearn_clone__(self) -> Self:
        """An unfitted estimator of the same arguments.

        A given model is shared, not copied: no fit changes it, and copies of models go through
        files, which hold no lambdas.
        """
        arguments: dict[str, Any] = {
            name: value if isinstance(value, Model) else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()
        }
        twin = type(self)(**arguments)
        for name in ("_metadata_request", "_sklearn_output_config"):  # of set_fit_request and such
            if name in vars(self):
                setattr(twin, name, copy.deepcopy(vars(self)[name]))
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.non_deterministic = self.random_state is None
        return tags


_KINDS: dict[str, Any] = {"allow_nd": True, "accept_sparse": "csr"}


def _columns(y: np.ndarray) -> np.ndarray:
    return y.reshape(-1, 1) if y.ndim == 1 else y


class SKLearnClassifier(ClassifierMixin, _Estimator):
    """A model as a classifier of scikit-learn.

    Labels are any that scikit-learn takes, strings too. What the model gets as targets depends on
    its last layer and loss: one-hot rows, class indices for `sparse_categorical_crossentropy`, 0
    and 1 for a single unit. Rows of 0 and 1 as `y` say which of several classes a sample has; with
    a softmax they are taken for one-hot rows.

    Args:
        model: A function that returns a compiled model, or a compiled model. The function gets the
            data as `X` and `y`, if it takes them: `y` as one-hot rows, so that `y.shape[1]` is the
            number of classes. Of a model each fit trains a copy with fresh weights; what its
            layers found in `adapt` stays.
        warm_start: Whether a second fit goes on with the weights and the optimizer of the first,
            and the first with the weights of a given model. In Keras a function makes a new model
            for each fit nevertheless.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of the model's `fit`, as `epochs`. Of `class_weight` the keys are
            labels, else indices of classes; 'balanced' is known too. Labels within
            `validation_data` are encoded like `y`.
        random_state: An int, or a `numpy.random.RandomState`: each fit draws its weights, orders
            and noise from it and leaves all other generators alone. Not in Keras. None takes the
            global ones, see `nacre.utils.set_random_seed`.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.
        classes_: The labels, sorted.
        n_features_in_, feature_names_in_: What scikit-learn keeps of the data.

    Shapes:
        X        (samples, features) or (samples, ...), also sparse
        y        (samples,), or (samples, classes) of 0 and 1
        predict returns labels in the shape of y

    Raises:
        ArgumentError: The model does not fit the classes, or `y` has one class only.
        NotCompiledError: The model is not compiled.
        MissingPackageError: scikit-learn is not installed.

    Example:
        >>> import nacre
        >>> from nacre.wrappers import SKLearnClassifier
        >>> def build(X, y, units=8):
        ...     parts = [nacre.Input(X.shape[1:]), nacre.layers.Dense(units, "relu")]
        ...     model = nacre.Sequential([*parts, nacre.layers.Dense(y.shape[1], "softmax")])
        ...     model.compile("adam", "categorical_crossentropy")
        ...     return model
        >>> estimator = SKLearnClassifier(build, fit_kwargs={"verbose": 0}, random_state=0)
        >>> estimator = estimator.fit([[0.0], [0.1], [1.0], [1.1]], ["no", "no", "yes", "yes"])
        >>> estimator.classes_.tolist(), estimator.predict_proba([[2.0]]).shape
        (['no', 'yes'], (1, 2))
    """

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:
        x, y = validate_data(self, X, y, multi_output=True, **_KINDS)
        check_classification_targets(y)
        kind = type_of_target(y, raise_unknown=True)
        if kind == "multiclass-multioutput":
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "y must be labels (samples,), or rows of 0 and 1 (samples, classes)",
                    f"shape {y.shape} with other numbers",
                    "Fit one estimator for each column.",
                )
            )
        if kind == "multilabel-indicator":
            return x, y.toarray() if hasattr(y, "toarray") else y
        return x, column_or_1d(y, warn=True)

    def _learn_targets(self, y: Any, sample_weight: Any) -> Any:
        before = self.classes_ if self._goes_on() else None
        shown = self._learn_classes(y, sample_weight)
        if before is not None and not np.array_equal(before, self.classes_):
            now, self.classes_ = self.classes_, before
            raise ArgumentError(
                message(
                    type(self).__name__,
                    f"with warm_start, y must have the classes of the first fit, {before.tolist()}",
                    f"{now.tolist()}",
                    "Fit a clone of the estimator.",
                )
            )
        return shown

    def _learn_classes(self, y: Any, sample_weight: Any) -> Any:
        if y.ndim == 2:
            self._labels = None
            self.classes_ = np.arange(y.shape[1])
            return y
        counted = y if sample_weight is None else y[sample_weight != 0]
        if len(np.unique(counted)) < 2:
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "y must have samples of at least 2 classes",
                    f"1 class: {counted[:1].tolist()}",
                )
            )
        self._labels = LabelEncoder().fit(y)
        self.classes_ = np.asarray(self._labels.classes_)
        return np.eye(len(self.classes_))[self._labels.transform(y)]

    def _bind(self, model: Model, x: Any, y: Any) -> Any:
        self._dtype = y.dtype
        self._targets: Targets = targets_for(
            type(self).__name__, model, x, len(self.classes_), several=self._labels is None
        )
        return self._encode(y)

    def _encode(self, y: Any) -> Any:
        y = np.asarray(y)
        if self._labels is None:
            return self._targets.encode(y)
        if y.ndim == 2 and y.shape[1] == self._targets.units > 1:
            return y  # they are encoded already
        return self._targets.encode(self._labels.transform(column_or_1d(y)))

    def _encode_settings(self, settings: dict[str, Any], y: Any) -> None:
        super()._encode_settings(settings, y)
        weights = settings.get("class_weight")
        if weights is not None:
            settings["class_weight"] = self._weights_by_index(weights, y)

    def _weights_by_index(self, weights: Any, y: Any) -> Any:
        if isinstance(weights, str) and weights == "balanced" and self._labels is not None:
            found = compute_class_weight("balanced", classes=self.classes_, y=y)
            return dict(enumerate(found.tolist()))
        labels = self.classes_.tolist()
        if isinstance(weights, Mapping) and all(label in labels for label in weights):
            return {labels.index(label): weight for label, weight in weights.items()}
        return weights

    def predict(self, X: Any) -> Any:
        """The most probable label of each sample; for several classes a sample, rows of 0 and 1."""
        outputs = self._outputs(X)
        decided = self._targets.decide(outputs)
        if self._labels is None:
            return decided.astype(self._dtype)
        return self._labels.inverse_transform(decided)

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class, (samples, classes), in the order of `classes_`.

        Rows add up to 1 unless a sample may have several classes. Not in Keras.

        Raises:
            ArgumentError: The model's outputs are neither probabilities nor known as logits.
        """
        outputs = self._outputs(X)
        return self._targets.probabilities(type(self).__name__, outputs)

    def decision_function(self, X: Any) -> Any:
        """Scores: the larger, the surer.

        For two classes one number a sample, above 0 for the second class, as everywhere in
        scikit-learn (Keras gives two columns); else (samples, classes).
        """
        outputs = self._outputs(X)
        return self._targets.scores(outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class SKLearnRegressor(RegressorMixin, _Estimator):
    """A model as a regressor of scikit-learn.

    Args:
        model: A function that returns a compiled model, or a compiled model. The function gets the
            data as `X` and `y`, if it takes them: `y` as (samples, targets). Of a model each fit
            trains a copy with fresh weights; what its layers found in `adapt` stays.
        warm_start: Whether a second fit goes on with the weights and the optimizer of the first,
            and the first with the weights of a given model.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of the model's `fit`, as `epochs`.
        random_state: An int, or a `numpy.random.RandomState`: each fit draws its weights, orders
            and noise from it and leaves all other generators alone. Not in Keras.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.
        n_features_in_, feature_names_in_: What scikit-learn keeps of the data.

    Shapes:
        X        (samples, features) or (samples, ...), also sparse
        y        (samples,) or (samples, targets)
        predict returns float64, in the shape of y

    Raises:
        ArgumentError: `model` is no model and makes none.
        NotCompiledError: The model is not compiled.
        MissingPackageError: scikit-learn is not installed.

    Example:
        >>> import nacre
        >>> from nacre.wrappers import SKLearnRegressor
        >>> model = nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> estimator = SKLearnRegressor(model, fit_kwargs={"verbose": 0}, random_state=0)
        >>> estimator.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).predict([[3.0]]).shape
        (1,)
    """

    def predict(self, X: Any) -> Any:
        """The model's outputs for data, in the shape of the targets, as float64.

        Keras gives float32, in which sums of errors over many samples lose digits.
        """
        return super().predict(X).astype("float64")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Estimator):
    """A model as a transformer of scikit-learn: `transform` gives the model's outputs.

    Args:
        model: A function that returns a compiled model, or a compiled model. The function gets the
            data as `X` and `y`, if it takes them: `y` as (samples, targets). Of a model each fit
            trains a copy with fresh weights; what its layers found in `adapt` stays.
        warm_start: Whether a second fit goes on with the weights and the optimizer of the first,
            and the first with the weights of a given model.
        model_kwargs: Further arguments of the function.
        fit_kwargs: Arguments of the model's `fit`, as `epochs`.
        random_state: An int, or a `numpy.random.RandomState`: each fit draws its weights, orders
            and noise from it and leaves all other generators alone. Not in Keras.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.
        n_features_in_, feature_names_in_: What scikit-learn keeps of the data.

    Shapes:
        X         (samples, features) or (samples, ...), also sparse
        y         (samples,) or (samples, targets); the inputs themselves for an autoencoder
        transform returns float32, as the model's output

    Raises:
        ArgumentError: `model` is no model and makes none.
        NotCompiledError: The model is not compiled.
        MissingPackageError: scikit-learn is not installed.

    Example:
        >>> import nacre, numpy as np
        >>> from nacre.wrappers import SKLearnTransformer
        >>> model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(4)])
        >>> model.compile("sgd", "mse")
        >>> x = np.eye(4)
        >>> estimator = SKLearnTransformer(model, fit_kwargs={"verbose": 0}, random_state=0)
        >>> estimator.fit(x, x).transform(x).shape
        (4, 4)
    """

    def transform(self, X: Any) -> Any:
        """The model's outputs for data."""
        return self._outputs(X)

    @property
    def _n_features_out(self) -> int:
        return self.model_.compute_output_shape((None, self.n_features_in_))[-1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = []  # outputs have the dtype of the model
        return tags


__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
