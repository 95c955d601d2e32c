"""`Options` of a data set: the names of tf.data, of which one has a meaning here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nacre.core.errors import ArgumentError, message, nearest

_PLAIN = (
    "dataset_name", "deterministic", "experimental_deterministic",
    "experimental_external_state_policy", "experimental_slack",
    "experimental_symbolic_checkpoint", "experimental_warm_start", "framework_type",
)  # fmt: skip
_GROUPS = (
    "autotune", "experimental_distribute", "experimental_optimization", "experimental_service",
    "experimental_threading", "threading",
)  # fmt: skip


class Options:
    """How a data set is gone over.

    `deterministic=False` lets `map` with several threads give elements as they are ready. The other
    names of tf.data can be set, so that scripts run, and change nothing: they steer its runtime.

    Example:
        >>> options = Options()
        >>> options.deterministic = False
        >>> options.threading.private_threadpool_size = 4
    """

    def __init__(self) -> None:
        for name in _PLAIN:
            object.__setattr__(self, name, None)
        for name in _GROUPS:
            object.__setattr__(self, name, SimpleNamespace())

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _PLAIN and name not in _GROUPS:
            hint = nearest(name, [*_PLAIN, *_GROUPS])
            raise ArgumentError(
                message(
                    "Options",
                    "an option must be known",
                    name,
                    f"Did you mean {hint!r}?" if hint else "",
                )
            )
        object.__setattr__(self, name, value)
        if name == "experimental_deterministic":
            object.__setattr__(self, "deterministic", value)

    def merge(self, options: Options) -> Options:
        """These options with those of another that are set."""
        merged = Options()
        for given in (self, options):
            for name in _PLAIN:
                if getattr(given, name) is not None:
                    object.__setattr__(merged, name, getattr(given, name))
            for name in _GROUPS:
                vars(getattr(merged, name)).update(vars(getattr(given, name)))
        return merged


__all__ = ["Options"]
