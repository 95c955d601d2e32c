"""`tf.keras.wrappers.scikit_learn` of tf.keras 2: estimators that take all arguments loose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from nacre.core.errors import message, nearest
from nacre.core.interop import optional_import
from nacre.models import Model

optional_import("sklearn", extra="sklearn", who="nacre.wrappers.scikit_learn")

from nacre.wrappers.estimators import SKLearnClassifier, SKLearnRegressor  # noqa: E402

_OF_FIT = tuple(inspect.signature(Model.fit).parameters)[1:]


class _LooseArguments:
    """`build_fn`, and arguments of that and of the model's `fit` side by side.

    What both take, both get, as in tf.keras.
    """

    warm_start = False
    random_state = None

    def __init__(self, build_fn: Callable[..., Model] | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = sk_params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All arguments by name."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Self:
        """Set some of the arguments."""
        if "build_fn" in params:
            self.build_fn = params.pop("build_fn")
        self.sk_params = {**self.sk_params, **params}
        return self

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.model_

    @property
    def history(self) -> dict[str, list[float]]:
        """The logs of the last fit by name: `fit(...).history`, where tf.keras gives a History."""
        return self.history_.history

    @property
    def model_kwargs(self) -> dict[str, Any]:
        return self._of(self._built_by())

    @property
    def fit_kwargs(self) -> dict[str, Any]:
        known = (*_OF_FIT, *self._built_by())
        for name in self.sk_params:
            if name not in known:
                hint = nearest(name, known)
                raise TypeError(
                    message(
                        type(self).__name__,
                        "arguments must be those of build_fn or of the model's fit",
                        repr(name),
                        f"Did you mean {hint!r}?" if hint else "",
                    )
                )
        return self._of(_OF_FIT)

    def _of(self, names: Any) -> dict[str, Any]:
        return {name: value for name, value in self.sk_params.items() if name in names}

    def _built_by(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self._maker()).parameters)

    def _maker(self) -> Any:
        if self.build_fn is not None:
            return self.build_fn
        return self if callable(self) else None  # a subclass whose __call__ builds the model


class KerasClassifier(_LooseArguments, SKLearnClassifier):
    """A classifier as tf.keras 2 had it; `SKLearnClassifier` is the new one.

    Args:
        build_fn: Returns a compiled model.
        **sk_params: Arguments of `build_fn` and of the model's `fit`, as `epochs`.

    Raises:
        TypeError: `sk_params` has a name that neither takes; in tf.keras already when it is made.

    Example:
        >>> import nacre
        >>> from nacre.wrappers.scikit_learn import KerasClassifier
        >>> def build(units=4):
        ...     parts = [nacre.layers.Dense(units, "relu"), nacre.layers.Dense(1, "sigmoid")]
        ...     model = nacre.Sequential(parts)
        ...     model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        ...     return model
        >>> estimator = KerasClassifier(build, units=8, epochs=2, verbose=0)
        >>> len(estimator.fit([[0.0], [1.0]], [0, 1]).history["loss"])
        2
    """

    def predict(self, x: Any) -> Any:
        """The labels of samples; for one-hot targets the indices of classes."""
        found = super().predict(x)
        return found.argmax(axis=1) if self._are_one_hot(found) else found

    def score(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """The accuracy."""
        y = np.asarray(y)
        return super().score(x, y.argmax(axis=1) if self._are_one_hot(y) else y, sample_weight)

    def _are_one_hot(self, y: np.ndarray) -> bool:
        return y.ndim == 2 and y.shape[1] > 1 and self._targets.takes_one_hot


class KerasRegressor(_LooseArguments, SKLearnRegressor):
    """A regressor as tf.keras 2 had it; `SKLearnRegressor` is the new one.

    Args:
        build_fn: Returns a compiled model.
        **sk_params: Arguments of `build_fn` and of the model's `fit`, as `epochs`.

    Raises:
        TypeError: `sk_params` has a name that neither takes; in tf.keras already when it is made.
    """

    def score(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """The negative loss, as in tf.keras; not R² as elsewhere in scikit-learn."""
        x, y = np.asarray(x), self._encode(y)
        found = self.model_.evaluate(x, y, sample_weight=sample_weight, verbose=0)
        return -float(found[0] if isinstance(found, list) else found)


__all__ = ["KerasClassifier", "KerasRegressor"]
