"""What training asks of others is typed, and the built-in classes have it."""

from __future__ import annotations

import nacre
from nacre.callbacks.base import Callback
from nacre.core import protocols


def test_built_in_classes_are_what_training_asks_for() -> None:
    model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert isinstance(model, protocols.TrainedModel)
    model.fit([[1.0, 2.0]], [[1.0]], verbose=0)
    assert isinstance(model, protocols.TrainingHost)
    assert isinstance(model.optimizer, protocols.TrainingOptimizer)
    scaled = nacre.optimizers.LossScaleOptimizer(nacre.optimizers.SGD())
    assert isinstance(scaled, protocols.TrainingOptimizer) and scaled.skips_non_finite_steps
    assert not model.optimizer.skips_non_finite_steps
    assert isinstance(Callback(), protocols.Resumable)


def test_an_attribute_of_the_object_itself_speaks_for_it() -> None:
    class Own:
        def call(self) -> None: ...

    own = Own()
    assert not protocols.speaks_for(own, "is_safe", "call")
    own.is_safe = True  # type: ignore[attr-defined]
    assert protocols.speaks_for(own, "is_safe", "call")
