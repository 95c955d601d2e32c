"""Stochastic weight averaging: the model ends with the mean of the weights of its last epochs."""

# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false
# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.callbacks.arguments import refuse_scheduled_rate
from nacre.callbacks.base import Callback, Logs
from nacre.callbacks.run_plan import RunPlan
from nacre.core import tree
from nacre.core.errors import ArgumentError, message
from nacre.core.numbers import number, whole_number


class StochasticWeightAveraging(Callback):
    """Averages the weights at the ends of the last epochs, each counting the same, and puts the
    mean in the model's place when training ends.

    Statistics of BatchNormalization belong to other weights then: they are taken anew over `data`,
    as the mean over its batches. During training, validation included, the model has its ordinary
    weights. Put it behind callbacks that set weights at the end too. For an average that forgets
    see `use_ema` of optimizers.

    Args:
        start_epoch: The first epoch (from 0) at whose end weights are averaged.
        learning_rate: The rate from that epoch on; None leaves it as the optimizer has it.
        cycle_epochs: With more than 1, weights are averaged at the end of each cycle of so many
            epochs alone, and the rate goes, epoch by epoch, in a straight line from
            `learning_rate` to `final_learning_rate` within each cycle.
        final_learning_rate: The rate of the last epoch of a cycle.
        data: Inputs for the statistics of BatchNormalization: arrays as `fit` takes them (a list
            has one for each input), or an object that can be iterated for batches, of inputs or of
            tuples with inputs first. Needed where the model has such layers.
        batch_size: Batch size for arrays.
        verbose: 1 says what is done.

    Raises:
        ArgumentError: A number breaks its rule; or, before the first step, `data` is missing or a
            schedule decides the learning rate.
    Source:
        Izmailov et al. 2018, arXiv:1803.05407. The statistics are those of
        `torch.optim.swa_utils.update_bn`, with batch variances as everywhere in Keras.
    Example:
        >>> StochasticWeightAveraging(start_epoch=10, learning_rate=0.01).cycle_epochs
        1
    """

    adds_logs = ()
    remembers = ("_count", "_means")

    def __init__(
        self,
        start_epoch: int,
        learning_rate: float | None = None,
        cycle_epochs: int = 1,
        final_learning_rate: float | None = None,
        data: Any = None,
        batch_size: int = 32,
        verbose: int = 0,
    ) -> None:
        who = type(self).__name__
        self.start_epoch = whole_number(who, "start_epoch", start_epoch, 0)
        self.cycle_epochs = whole_number(who, "cycle_epochs", cycle_epochs)
        self.batch_size = whole_number(who, "batch_size", batch_size)
        rates = {"learning_rate": learning_rate, "final_learning_rate": final_learning_rate}
        for name, rate in rates.items():
            if rate is not None and not number(who, name, rate) > 0:
                raise ArgumentError(message(who, f"{name} must be positive", repr(rate)))
        if (self.cycle_epochs > 1 and learning_rate is not None) != (
            final_learning_rate is not None
        ):
            raise ArgumentError(
                message(
                    who,
                    "a rate that goes down and up needs cycle_epochs above 1, learning_rate and "
                    "final_learning_rate",
                    f"cycle_epochs={cycle_epochs}, learning_rate={learning_rate}, "
                    f"final_learning_rate={final_learning_rate}",
                    "Pass all three, or learning_rate alone for a constant one.",
                )
            )
        self.learning_rate = learning_rate
        self.final_learning_rate = final_learning_rate
        self.data = data
        self.verbose = verbose
        self._count = 0
        self._means: list[Any] = []

    def check_run(self, plan: RunPlan) -> None:
        """Refuse batch statistics without data, and a schedule that decides the learning rate."""
        who = type(self).__name__
        if self.data is None and (layers := self._with_statistics()):
            raise ArgumentError(
                message(
                    who,
                    "batch statistics of averaged weights must be taken anew, over data",
                    f"data=None, and {len(layers)} such layers, as '{layers[0].name}'",
                    "Pass the training inputs: StochasticWeightAveraging(..., data=x_train).",
                )
            )
        if self.learning_rate is not None:
            fix = "Leave learning_rate out, or make the optimizer with a number."
            refuse_scheduled_rate(who, self.model.optimizer, fix)

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.is_restored:
            self._count, self._means = 0, []

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.learning_rate is None or epoch < self.start_epoch:
            return
        rate = float(self.learning_rate)
        if self.final_learning_rate is not None:
            place = (epoch - self.start_epoch) % self.cycle_epochs
            rate += (self.final_learning_rate - rate) * place / (self.cycle_epochs - 1)
        self.model.optimizer.learning_rate = rate

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        begun = epoch - self.start_epoch
        if begun < 0 or (begun + 1) % self.cycle_epochs:
            return
        values = [variable.value for variable in self._parameters()]
        self._means = _moved(self._means or values, values, self._count)
        self._count += 1

    def on_train_end(self, logs: Logs = None) -> None:
        if not self._count:
            first = self.start_epoch + self.cycle_epochs
            self.say(f"No weights were averaged: training ended before its epoch {first} did.")
            return
        pairs = zip(self._parameters(), self._means, strict=True)
        for variable, mean in pairs:
            variable.assign(mean)
        layers = self._with_statistics()
        if layers:
            self._take_statistics(layers)
        if self.verbose:
            self.say(f"The weights are the mean of {self._count} epochs.")
        self._means = []

    def _parameters(self) -> list[Any]:
        """What training can change, frozen or not: that may be another at the next epoch."""
        variables = getattr(self.model, "variables", self.model.trainable_variables)
        return [variable for variable in variables if variable.trainable]

    # ------------------------------------------------------------ batch statistics

    def _with_statistics(self) -> list[Any]:
        """The layers whose statistics move with the batches."""
        names = ("moving_mean", "moving_variance", "momentum")
        layers = getattr(self.model, "_flatten_layers", list)()
        return [
            layer
            for layer in layers
            if layer.trainable and all(hasattr(layer, name) for name in names)
        ]

    def _take_statistics(self, layers: list[Any]) -> None:
        """Set moving means and variances to the means of those of the batches."""
        others = list(self.model.non_trainable_variables)
        own = {id(v) for layer in layers for v in (layer.moving_mean, layer.moving_variance)}
        places = [i for i, variable in enumerate(others) if id(variable) in own]
        trained = [variable.value for variable in self.model.trainable_variables]
        values = [variable.value for variable in others]

        @jax.jit
        def statistics(x: Any) -> list[Any]:
            """Of one batch, as nothing of the averages before stays."""
            _, new = self.model.stateless_call(trained, values, x, training=True)
            return [new[i] for i in places]

        means: list[Any] = []
        with _without_memory(layers):
            for count, x in enumerate(self._batches()):
                found = statistics(x)
                means = _moved(means or found, found, count)
        if not means:
            rule = "data for batch statistics must have a batch"
            raise ArgumentError(message(type(self).__name__, rule, "none"))
        for i, mean in zip(places, means, strict=True):
            others[i].assign(mean)

    def _batches(self) -> Iterable[Any]:
        leaves = tree.flatten(self.data)
        if all(hasattr(leaf, "shape") for leaf in leaves):
            for begin in range(0, leaves[0].shape[0], self.batch_size):
                rows = slice(begin, begin + self.batch_size)
                yield tree.map_structure(lambda a, rows=rows: jnp.asarray(a[rows]), self.data)
            return
        for batch in self.data:
            x = batch[0] if isinstance(batch, tuple) else batch
            yield tree.map_structure(jnp.asarray, x)


def _moved(means: list[Any], values: list[Any], count: int) -> list[Any]:
    """The means of `count` + 1 values, from those of `count`."""
    pairs = zip(means, values, strict=True)
    return [mean + (np.asarray(value) - mean) / (count + 1) for mean, value in pairs]


@contextmanager
def _without_memory(layers: list[Any]) -> Generator[None]:
    """Moving averages are the last batch's alone."""
    kept = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = 0.0
        yield
    finally:
        for layer, momentum in zip(layers, kept, strict=True):
            layer.momentum = momentum


__all__ = ["StochasticWeightAveraging"]
