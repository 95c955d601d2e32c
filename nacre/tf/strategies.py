"""`tf.distribute` on one device: strategies of one replica, in whose scope all is as without.

Training on several devices is not here yet: with several, one is used and a warning says so. A
cluster of several workers (`TF_CONFIG`) is refused, as each would train alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax

from nacre.core.errors import ArgumentError, UnsupportedError, message
from nacre.core.warning import warn
from nacre.tf.formulas import reduced
from nacre.tf.machine import list_logical_devices
from nacre.tf.values import tensor


class Strategy:
    """What runs on the first device.

    Args:
        args, kwargs: Devices and options, as TensorFlow's strategies take them.

    Raises:
        UnsupportedError: `TF_CONFIG` tells of several workers.
    """

    num_replicas_in_sync = 1
    should_checkpoint = should_save_summary = True  # of `extended`, which is itself

    def _in_multi_worker_mode(self) -> bool:
        """False; KerasTuner asks `extended` for it before it saves."""
        return False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        workers = _workers()
        if workers > 1:
            rule = "training on several workers is not here: each would train alone"
            fix = "Unset TF_CONFIG to train on this machine."
            raise UnsupportedError(
                message(f"tf.distribute.{name}", rule, f"TF_CONFIG with {workers} workers", fix)
            )
        count = max(jax.local_device_count(), _most_names())
        if count > 1 and name != "OneDeviceStrategy":
            warn(f"tf.distribute.{name}: one of the {count} devices is used, not several yet.")

    @contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block in which variables are made as outside of it; `get_strategy` tells of it."""
        with _set(_around, self), _set(_runs, False):
            yield self

    def run(self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """Call a function, as the one replica does."""
        with _set(_around, self), _set(_runs, True):
            return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: Any) -> Any:
        """What replicas gave, put together: of one what it gave, reduced along an axis."""
        if axis is None:
            return value
        name = "Mean" if str(reduce_op).lower() == "mean" else "Sum"
        return reduced(name, tensor(value), axis, False)

    def experimental_distribute_datasets_from_function(
        self, dataset_fn: Callable[..., Any], options: Any = None
    ) -> Any:
        """The data set that a function gives."""
        return dataset_fn(InputContext())

    distribute_datasets_from_function = experimental_distribute_datasets_from_function

    @property
    def extended(self) -> Strategy:
        """Itself."""
        return self

    def gather(self, value: Any, axis: int) -> Any:
        """What replicas gave, one after another."""
        return value

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set: one replica takes it all."""
        return dataset

    def experimental_distribute_values_from_function(self, value_fn: Callable[..., Any]) -> Any:
        """What a function gives for the one replica; it is asked with a `ReplicaContext`."""
        return value_fn(ReplicaContext())

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """What each replica gave."""
        return (value,)


def _most_names() -> int:
    """The devices of the first kind, by all the names they were given."""
    kinds = [device.device_type for device in list_logical_devices()]
    return kinds.count(kinds[-1])  # GPUs come after CPUs


# The strategy whose block or whose `run` the code is in, and whether it is in `run`.
_around: ContextVar[Strategy | None] = ContextVar("strategy", default=None)
_runs: ContextVar[bool] = ContextVar("replica_runs", default=True)


@contextmanager
def _set(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


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


class TPUStrategy(Strategy):
    """`tf.distribute.TPUStrategy`, on the first TPU."""


class CentralStorageStrategy(Strategy):
    """`tf.distribute.experimental.CentralStorageStrategy`."""


class ReplicaContext:
    """What a function that `run` calls may ask: it is the one replica.

    Attributes:
        num_replicas_in_sync: 1.
        replica_id_in_sync_group: 0.
        strategy: The strategy.
    """

    num_replicas_in_sync = 1
    replica_id_in_sync_group = 0

    @property
    def strategy(self) -> Strategy:
        """The one of one device."""
        return get_strategy()

    def all_reduce(self, reduce_op: Any, value: Any, options: Any = None) -> Any:
        """What the one replica gave."""
        return value

    def all_gather(self, value: Any, axis: Any, options: Any = None) -> Any:
        """What the one replica gave."""
        return value

    def merge_call(self, merge_fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """Call a function with the strategy, as replicas together do."""
        return merge_fn(self.strategy, *args, **(kwargs or {}))


class InputContext:
    """Which part of the data a reader takes: all of it.

    Args:
        num_input_pipelines, input_pipeline_id, num_replicas_in_sync: As TensorFlow has them.
    """

    def __init__(
        self,
        num_input_pipelines: int = 1,
        input_pipeline_id: int = 0,
        num_replicas_in_sync: int = 1,
    ) -> None:
        self.num_input_pipelines = num_input_pipelines
        self.input_pipeline_id = input_pipeline_id
        self.num_replicas_in_sync = num_replicas_in_sync

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The batch size of one of the replicas."""
        if global_batch_size % self.num_replicas_in_sync:
            rule = f"the batch size must be a multiple of {self.num_replicas_in_sync}"
            raise ArgumentError(message("InputContext", rule, str(global_batch_size)))
        return global_batch_size // self.num_replicas_in_sync


class Setting:
    """How replicas are to exchange what they computed; one replica exchanges nothing.

    Args:
        args, kwargs: As TensorFlow takes them.
    """

    AUTO = RING = NCCL = PER_WORKER = PER_REPLICA = "auto"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass


class TPUClusterResolver:
    """Looks for a TPU, and raises where JAX sees none, as scripts that try it expect.

    Args:
        tpu: Its name; not asked for: JAX finds it.
        kwargs: Accepted for compatibility.

    Raises:
        UnsupportedError: There is no TPU; a `ValueError` too.
    """

    def __init__(self, tpu: str | None = None, **kwargs: Any) -> None:
        if not any(device.platform == "tpu" for device in jax.devices()):
            rule = "there must be a TPU"
            fix = "Use tf.distribute.get_strategy()."
            got = ", ".join(sorted({str(device.platform) for device in jax.devices()}))
            raise NoTPUError(
                message("tf.distribute.cluster_resolver.TPUClusterResolver", rule, got, fix)
            )
        self.tpu = tpu

    @staticmethod
    def connect(tpu: str | None = None, zone: Any = None, project: Any = None) -> Any:
        """A resolver of the TPU there is."""
        return TPUClusterResolver(tpu)

    def master(self) -> str:
        """Where it is: here."""
        return ""

    def cluster_spec(self) -> dict[str, list[str]]:
        """No other machine."""
        return {}


class NoTPUError(UnsupportedError, ValueError):
    """There is no TPU."""


def get_replica_context() -> ReplicaContext:
    """What tells of the one replica."""
    return ReplicaContext()


def in_cross_replica_context() -> bool:
    """Whether the code is in a strategy's block, but not in what its `run` calls."""
    return not _runs.get()


def experimental_set_strategy(strategy: Any) -> None:
    """Nothing: one device is used in any case."""


class ReduceOp:
    """How what replicas gave is put together."""

    SUM = "sum"
    MEAN = "mean"


def get_strategy() -> Strategy:
    """That of the block around; else one of one device."""
    return _around.get() or OneDeviceStrategy()


def has_strategy() -> bool:
    """Whether a block of a strategy is around."""
    return _around.get() is not None


__all__ = [
    "InputContext", "MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy",
    "ReduceOp", "ReplicaContext", "Strategy", "TPUStrategy", "experimental_set_strategy",
    "get_replica_context", "get_strategy", "has_strategy", "in_cross_replica_context",
]  # fmt: skip
