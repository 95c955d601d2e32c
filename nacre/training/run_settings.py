"""What a run is of: what must be the same for another process to go on with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nacre.core.errors import NacreError
from nacre.core.kinds import is_dict, is_list, is_number, is_numpy_array, is_numpy_scalar
from nacre.core.names import without_numbers
from nacre.core.random import user_seed
from nacre.core.registry import plain_config
from nacre.data.sources import ArraySource
from nacre.training.compile import CompiledTraining
from nacre.training.compile_config import compile_config
from nacre.training.inputs import Source

_LOOKED_AT = 64  # rows of each array
_LOOKED_AT_BYTES = 16 << 20
_LEARNING_RATE = ("compile", "optimizer", "config", "learning_rate")


def run_settings(
    model: Any,
    trainer: CompiledTraining,
    source: Source,
    *,
    shuffle: bool | str,
    class_weight: Mapping[Any, Any] | list[Any] | None,
    augment: Any = None,
) -> dict[str, Any]:
    """What a run is of, as plain data: seed, data, model and compile.

    Of arrays a few rows are looked at, which tells other rows, and the same in another order.
    """
    content = _content(source) if isinstance(source, ArraySource) else None
    settings = {
        "seed": user_seed(),
        "data": {"shuffle": shuffle, "rows": content},
        "class_weight": class_weight,
        "augment": _or_else(lambda: plain_config(augment), lambda: _named(augment)),
        "compile": _compile(trainer),
        "model": _or_else(
            lambda: plain_config(model.get_config()), lambda: type(model).__qualname__
        ),
    }
    return _without_code(json.loads(json.dumps(settings, default=_name)))


def learning_rate(settings: Mapping[str, Any]) -> Any:
    """The learning rate in settings, where it is a number."""
    found: Any = settings
    for name in _LEARNING_RATE:
        found = found.get(name) if is_dict(found) else None
    return found if is_number(found) else None


def with_learning_rate(settings: Mapping[str, Any], rate: float) -> dict[str, Any]:
    """The same settings with another one."""
    copied: dict[str, Any] = json.loads(json.dumps(settings))
    place = copied
    for name in _LEARNING_RATE[:-1]:
        place = place[name]
    place[_LEARNING_RATE[-1]] = rate
    return copied


def renamed_since(then: Any, now: Any) -> dict[str, str]:
    """Name then -> name now, of layers, models and metrics that have other automatic names.

    A process that made the model before, as a notebook in which a cell ran twice, counts on:
    `dense` is now `dense_1`. What stands at the same place under the same name but for its number
    is the same. Where that is not unique, as when two layers changed places, nothing is renamed.

    Args:
        then, now: Settings of two runs.
    Example:
        >>> renamed_since({"layers": [{"name": "dense"}]}, {"layers": [{"name": "dense_1"}]})
        {'dense': 'dense_1'}
    """
    pairs = {pair for pair in _names_at_one_place(then, now) if _is_renumbered(*pair)}
    olds, news = {old for old, _ in pairs}, {new for _, new in pairs}
    is_unique = len(olds) == len(news) == len(pairs)
    return {old: new for old, new in pairs if old != new} if is_unique and olds != news else {}


def _names_at_one_place(then: Any, now: Any) -> Iterator[tuple[str, str]]:
    if is_dict(then) and is_dict(now):
        for key, value in then.items():
            other = now.get(key)
            if key == "name" and isinstance(value, str) and isinstance(other, str):
                yield value, other
            yield from _names_at_one_place(value, other)
    elif is_list(then) and is_list(now) and len(then) == len(now):
        for value, other in zip(then, now, strict=True):
            yield from _names_at_one_place(value, other)


def _is_renumbered(old: str, new: str) -> bool:
    return without_numbers(old) == without_numbers(new)


def _without_code(config: Any) -> Any:
    """The same without the code of lambdas, which says where in its file each line stands."""
    if is_list(config):
        return [_without_code(item) for item in config]
    if not is_dict(config):
        return config
    if config.get("class_name") == "__lambda__":
        return "<lambda>"
    return {name: _without_code(value) for name, value in config.items()}


def _compile(trainer: CompiledTraining) -> Any:
    def parts() -> dict[str, Any]:
        return {name: _named(given) for name, given in trainer.given.items()} | {
            "optimizer": _or_else(lambda: plain_config(trainer.optimizer), lambda: "")
        }

    found = _or_else(lambda: compile_config(trainer), parts)
    found.pop("steps_per_execution", None)  # which changes no bit
    return found


def _or_else(make: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """A config, or what stands for it where something has none: code of the user's."""
    try:
        return make()
    except (NacreError, NotImplementedError, TypeError, ValueError, AttributeError):
        return otherwise()


def _named(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_name))


def _name(value: Any) -> Any:
    """What stands for something that is no plain data."""
    if is_numpy_scalar(value):
        return value.item()
    if is_numpy_array(value):
        return f"array {value.shape} {hashlib.sha256(_bytes(value)).hexdigest()[:16]}"
    return str(getattr(value, "__qualname__", None) or type(value).__qualname__)


def _content(source: ArraySource) -> str:
    count = min(_LOOKED_AT, max(1, _LOOKED_AT_BYTES // max(1, source.row_bytes)))
    places = np.unique(np.linspace(0, source.num_rows - 1, count).astype(np.int64))
    found = hashlib.sha256()
    for leaf in source.rows(places):
        found.update(b"none" if leaf is None else _bytes(np.asarray(leaf)))
    return found.hexdigest()[:16]


def _bytes(array: np.ndarray) -> bytes:
    head = f"{array.dtype} {array.shape}".encode()
    return head + (repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes())


__all__ = ["learning_rate", "renamed_since", "run_settings", "with_learning_rate"]
