"""`tf.distribute` on one device: strategies of one replica, in whose scope all is as without.

Training on several devices is not here yet: with several, one is used and a warning says so. A
cluster of several workers (`TF_CONFIG`) is refused, as each would train alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax

from nacre.core.errors import UnsupportedError, message
from nacre.core.warning import warn
from nacre.tf.formulas import reduced
from nacre.tf.values import tensor


class Strategy:
    """What runs on the first device.

    Args:
        args, kwargs: Devices and options, as TensorFlow's strategies take them.

    Raises:
        UnsupportedError: `TF_CONFIG` tells of several workers.
    """

    num_replicas_in_sync = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        workers = _workers()
        if workers > 1:
            rule = "training on several workers is not here: each would train alone"
            fix = "Unset TF_CONFIG to train on this machine."
            raise UnsupportedError(
                message(f"tf.distribute.{name}", rule, f"TF_CONFIG with {workers} workers", fix)
            )
        if jax.local_device_count() > 1 and name != "OneDeviceStrategy":
            count = jax.local_device_count()
            warn(f"tf.distribute.{name}: one of the {count} devices is used, not several yet.")

    @contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block in which variables are made as outside of it."""
        yield self

    def run(self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """Call a function, as the one replica does."""
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
        """What replicas gave, put together: of one what it gave, reduced along an axis."""
        if axis is None:
            return value
        name = "Mean" if str(reduce_op).lower() == "mean" else "Sum"
        return reduced(name, tensor(value), axis, False)

    def gather(self, value: Any, axis: int) -> Any:
        """What replicas gave, one after another."""
        return value

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set: one replica takes it all."""
        return dataset

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """What each replica gave."""
        return (value,)


def _workers() -> int:
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    except ValueError:
        return 0
    return sum(len(cluster.get(job, ())) for job in ("worker", "chief", "ps"))


class MirroredStrategy(Strategy):
    """`tf.distribute.MirroredStrategy`."""


class OneDeviceStrategy(Strategy):
    """`tf.distribute.OneDeviceStrategy`."""


class MultiWorkerMirroredStrategy(Strategy):
    """`tf.distribute.MultiWorkerMirroredStrategy`, of one worker."""


class ReduceOp:
    """How what replicas gave is put together."""

    SUM = "sum"
    MEAN = "mean"


def get_strategy() -> Strategy:
    """The one of one device."""
    return OneDeviceStrategy()


def has_strategy() -> bool:
    """Whether a block of a strategy is around: none changes anything."""
    return False


__all__ = [
    "MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy", "ReduceOp", "Strategy",
    "get_strategy", "has_strategy",
]  # fmt: skip
