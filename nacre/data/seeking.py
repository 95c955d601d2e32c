"""Which sources of batches can go on where a run was stopped, and how they are asked to.

Batches made by index can be made from any of them on. What is walked says itself where it is, or is
known to give the same batches each time; a generator can do neither.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nacre.core.errors import DataError, message
from nacre.core.kinds import is_of_library
from nacre.data.py_dataset import PyDataset

if TYPE_CHECKING:
    from nacre.data.batch_source import BatchSource

# How a source, or the iterator it gives, is asked where it is, and told: ours, torchdata's (and
# that of other loaders), grain's.
_PAIRS = (("state", "restore"), ("state_dict", "load_state_dict"), ("get_state", "set_state"))
_HOOKS = ("on_epoch_begin", "on_epoch_end")


def has_state(value: Any) -> bool:
    """Whether an object says where it is and can be told."""
    return _methods(value) is not None


def state_of(value: Any) -> Any:
    """Where it is, which nothing that happens later changes; see `has_state`."""
    names = _methods(value)
    assert names is not None
    return copy.deepcopy(getattr(value, names[0])())


def restore(value: Any, state: Any) -> None:
    """Tell it where to go on."""
    names = _methods(value)
    assert names is not None
    getattr(value, names[1])(state)


def _methods(value: Any) -> tuple[str, str] | None:
    return next(
        (pair for pair in _PAIRS if all(callable(getattr(value, n, None)) for n in pair)), None
    )


def why_not(source: BatchSource) -> str:
    """Why a source cannot go on where a run was stopped, and what to do; empty where it can."""
    data = source.data
    if has_state(data) or has_state(source.iterator):
        return ""
    if source.is_indexed:
        hooks = [name for name in _HOOKS if _overrides(data, name)]
        if not hooks:
            return ""
        return (
            f"it changes at {' and '.join(hooks)}, and does not say how. Give it state() and "
            "restore(state), which tell and take what changes, such as the order of its samples; "
            "or leave the order to fit(shuffle=True)"
        )
    if source.is_one_pass:
        return "what a generator has given is gone. Give arrays, or batches by index in a PyDataset"
    if isinstance(data, Sequence):
        return ""
    if _is_torch_loader(data):
        if _is_in_order(data):
            return ""
        return (
            "its sampler draws an order that cannot be drawn again. Make it with shuffle=False, or "
            "take torchdata's StatefulDataLoader"
        )
    return (
        "nobody knows whether it gives the same batches again. Give arrays or a PyDataset, or give "
        "it state_dict() and load_state_dict(state)"
    )


def refuse_unseekable(source: BatchSource, who: str, what: str) -> None:
    """Raise where a source cannot go on where a run was stopped.

    Args:
        source: The source.
        who: Who asks, for messages.
        what: What it is to the run, such as 'x'.

    Raises:
        DataError: It cannot.
    """
    reason = why_not(source)
    if reason:
        why, _, fix = reason.partition(". ")
        rule = "an exact resume needs data that can go on in the middle"
        got = f"{type(source.data).__name__} as {what}: {why}"
        raise DataError(message(who, rule, got, f"{fix}."))


def _overrides(data: Any, hook: str) -> bool:
    method = getattr(data, hook, None)
    return method is not None and getattr(method, "__func__", None) is not getattr(PyDataset, hook)


def _is_torch_loader(data: Any) -> bool:
    return is_of_library(data, "torch.utils.data", "DataLoader")


def _is_in_order(data: Any) -> bool:
    """Whether a loader of torch gives what its data set has by index, one after another."""
    sampler = getattr(data, "sampler", None)
    return is_of_library(sampler, "torch.utils.data", "SequentialSampler")


__all__ = ["has_state", "refuse_unseekable", "restore", "state_of", "why_not"]
