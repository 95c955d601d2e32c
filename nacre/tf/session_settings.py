"""`tf.compat.v1.ConfigProto` and sessions that only carry it: the head of many a script of TF 2.

Scripts of Keras make a session to say how much memory of a GPU is taken, and never run it. The
settings are kept and read back; memory is JAX's matter (`XLA_PYTHON_CLIENT_PREALLOCATE`). What
belongs to graphs is refused with the way out.
"""

from __future__ import annotations

from typing import Any, NoReturn

from nacre.core.errors import ArgumentError, UnsupportedError, message, nearest

_GPU = {
    "allow_growth": False,
    "allocator_type": "",
    "per_process_gpu_memory_fraction": 0.0,
    "polling_inactive_delay_msecs": 0,
    "visible_device_list": "",
}
_CONFIG: dict[str, Any] = {
    "allow_soft_placement": False,
    "device_count": None,
    "graph_options": None,
    "inter_op_parallelism_threads": 0,
    "intra_op_parallelism_threads": 0,
    "isolate_session_state": False,
    "log_device_placement": False,
    "operation_timeout_in_ms": 0,
    "use_per_session_threads": False,
}


class _Settings:
    """Settings by name; one that is not among them is refused."""

    _defaults: dict[str, Any] = {}

    def __init__(self, **settings: Any) -> None:
        for name, value in (self._defaults | settings).items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._defaults:
            close = nearest(name, self._defaults)
            who = f"tf.compat.v1.{type(self).__name__}"
            known = f"it must be one of {', '.join(sorted(self._defaults))}"
            fix = f"Did you mean {close}?" if close else ""
            raise ArgumentError(message(who, known, name, fix))
        object.__setattr__(self, name, value)


class GPUOptions(_Settings):
    """`tf.compat.v1.GPUOptions`: what a script says of a GPU's memory. Kept, not obeyed.

    Args:
        settings: allow_growth, per_process_gpu_memory_fraction and others.

    Example:
        >>> GPUOptions(allow_growth=True).allow_growth
        True
    """

    _defaults = _GPU


class GraphOptions:
    """Options of graphs, which change nothing here; any may be set."""

    def __init__(self) -> None:
        self.optimizer_options = _Anything()
        self.rewrite_options = _Anything()


class _Anything:
    """Holds whatever is set."""


class ConfigProto(_Settings):
    """`tf.compat.v1.ConfigProto`: what a script says of devices and threads. Kept, not obeyed.

    Args:
        settings: gpu_options, allow_soft_placement, log_device_placement and others.

    Example:
        >>> config = ConfigProto(allow_soft_placement=True)
        >>> config.gpu_options.allow_growth = True
        >>> config.gpu_options.allow_growth, config.log_device_placement
        (True, False)
    """

    _defaults = _CONFIG | {"gpu_options": None}

    def __init__(self, **settings: Any) -> None:
        made = {"gpu_options": GPUOptions(), "graph_options": GraphOptions(), "device_count": {}}
        super().__init__(**(made | settings))


class Session:
    """`tf.compat.v1.Session` of a script that only says how devices are used.

    Args:
        target: Accepted as ''.
        graph: Accepted as None only: there are no graphs.
        config: A `ConfigProto`.

    Raises:
        UnsupportedError: A graph is given, or `run` is called.
    Example:
        >>> with Session(config=ConfigProto()) as session:
        ...     pass
        >>> session.close()
    """

    def __init__(self, target: str = "", graph: Any = None, config: Any = None) -> None:
        if target or graph is not None:
            self._refuse(f"target={target!r}, graph={graph!r:.40}")
        self.config = config

    def _refuse(self, got: str) -> NoReturn:
        rule = "there are no graphs to run: functions are called with values"
        fix = "Call the function, and decorate it with @tf.function to compile it."
        raise UnsupportedError(message(f"tf.compat.v1.{type(self).__name__}", rule, got, fix))

    def run(self, fetches: Any, feed_dict: Any = None, **options: Any) -> NoReturn:
        """Refused: there are no graphs."""
        self._refuse("a call of run()")

    @property
    def graph(self) -> NoReturn:
        """Refused: there are no graphs."""
        self._refuse("a reading of its graph")

    def as_default(self) -> Session:
        """Itself, for a block."""
        return self

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class InteractiveSession(Session):
    """`tf.compat.v1.InteractiveSession`: the same."""


_present: list[Session] = []


def set_session(session: Any) -> None:
    """`K.set_session`: keep it for `get_session`."""
    _present[:] = [session]


def get_session(op_input_list: Any = ()) -> Any:
    """`K.get_session`: the one that was set, else a new one."""
    if not _present:
        _present.append(Session())
    return _present[0]


__all__ = [
    "ConfigProto", "GPUOptions", "InteractiveSession", "Session", "get_session", "set_session",
]  # fmt: skip
