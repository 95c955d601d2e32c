"""`fit_generator` and its brothers: what scripts for tf.keras 2 call with a source of batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nacre.core.tensors import Count, WholeNumber

if TYPE_CHECKING:
    from nacre.callbacks.history import History
    from nacre.callbacks.runner import Callbacks


class GeneratorMethods:
    """tf.keras 2's other names of `fit`, `evaluate` and `predict`, which take such sources too."""

    __slots__ = ()

    def fit_generator(
        self,
        generator: Any,
        steps_per_epoch: Count | None = None,
        epochs: WholeNumber = 1,
        verbose: Any = 1,
        callbacks: Callbacks = None,
        validation_data: Any = None,
        validation_steps: Count | None = None,
        validation_freq: int | list[int] = 1,
        class_weight: Mapping[Any, Any] | None = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        shuffle: bool = True,
        initial_epoch: WholeNumber = 0,
    ) -> History:
        """`fit(generator, ...)`, as scripts for tf.keras 2 call it."""
        return _method(self, "fit")(
            generator,
            steps_per_epoch=steps_per_epoch,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            validation_steps=validation_steps,
            validation_freq=validation_freq,
            class_weight=class_weight,
            shuffle=shuffle,
            initial_epoch=initial_epoch,
            **_given(max_queue_size, workers, use_multiprocessing),
        )

    def evaluate_generator(
        self,
        generator: Any,
        steps: Count | None = None,
        callbacks: Callbacks = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        verbose: Any = 0,
    ) -> Any:
        """`evaluate(generator, ...)`, as scripts for tf.keras 2 call it."""
        return _method(self, "evaluate")(
            generator,
            steps=steps,
            callbacks=callbacks,
            verbose=verbose,
            **_given(max_queue_size, workers, use_multiprocessing),
        )

    def predict_generator(
        self,
        generator: Any,
        steps: Count | None = None,
        callbacks: Callbacks = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        verbose: Any = 0,
    ) -> Any:
        """`predict(generator, ...)`, as scripts for tf.keras 2 call it."""
        return _method(self, "predict")(
            generator,
            steps=steps,
            callbacks=callbacks,
            verbose=verbose,
            **_given(max_queue_size, workers, use_multiprocessing),
        )


def _method(model: Any, name: str) -> Any:
    """A method of the model, which a subclass may have overridden."""
    return getattr(model, name)


def _given(
    max_queue_size: int | None, workers: int | None, use_multiprocessing: bool | None
) -> dict[str, Any]:
    """The old arguments about workers that were given."""
    named = {
        "max_queue_size": max_queue_size,
        "workers": workers,
        "use_multiprocessing": use_multiprocessing,
    }
    return {name: value for name, value in named.items() if value is not None}


__all__ = ["GeneratorMethods"]
