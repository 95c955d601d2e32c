"""Automatic names (`dense`, `dense_1`) and the stack of name scopes that makes variable paths."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from itertools import count
from typing import TypeVar

from nacre.core.context import current, put

Name = TypeVar("Name", bound=Hashable)

_lock = threading.Lock()
_counts: dict[str, int] = {}


def to_snake_case(name: str) -> str:
    """`Conv2DTranspose` becomes `conv2d_transpose`, as Keras names layers.

    Example:
        >>> to_snake_case("MaxPooling2D")
        'max_pooling2d'
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
    return name


def with_underscores(name: str, kept: str = "") -> str:
    """A name in which every sign but ASCII letters, digits and those of `kept` is an underscore.

    Example:
        >>> with_underscores("größe.1"), with_underscores("a.b/c", kept="/")
        ('gr__e_1', 'a_b/c')
    """
    return "".join(c if c.isascii() and (c.isalnum() or c in kept) else "_" for c in name)


def own_names(wanted: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Names of their own: one that is taken, or came before, gets a number.

    Example:
        >>> own_names(["a", "b", "a"], taken=["b"])
        ['a', 'b_1', 'a_1']
    """
    used = set(taken)
    found: list[str] = []
    for name in wanted:
        own = next(n for i in count() if (n := f"{name}_{i}" if i else name) not in used)
        used.add(own)
        found.append(own)
    return found


def auto_name(prefix: str) -> str:
    """The next free name for `prefix`: `dense`, then `dense_1`, `dense_2` ..."""
    prefix = to_snake_case(prefix)
    with _lock:
        number = _counts.get(prefix, 0)
        _counts[prefix] = number + 1
    return prefix if number == 0 else f"{prefix}_{number}"


def without_numbers(path: str) -> str:
    """A name, or a path of them, without the numbers that automatic names get.

    Example:
        >>> without_numbers("sequential_1/dense_12/kernel"), without_numbers("dense_1_kernel")
        ('sequential/dense/kernel', 'dense_kernel')
    """
    return re.sub(r"_\d+(?=[_/]|$)", "", path)


def paired_in_order(
    mine: Sequence[Name], theirs: Sequence[Name], kind: Callable[[Name], str]
) -> dict[Name, Name] | None:
    """Name here -> name there, of two sides in one order.

    A name is its own partner where both sides have the same names. Else they are paired one after
    the other, where both sides have as many of the same kinds: a process that made the model before
    gives automatic names other numbers. None where neither holds.

    Args:
        mine, theirs: The names.
        kind: What must be alike of two that are paired.

    Example:
        >>> paired_in_order(["dense_2", "dense_3"], ["dense", "dense_1"], without_numbers)
        {'dense_2': 'dense', 'dense_3': 'dense_1'}
    """
    if set(mine) == set(theirs):
        return {name: name for name in mine}
    if list(map(kind, mine)) != list(map(kind, theirs)):
        return None
    return dict(zip(mine, theirs, strict=True))


def called_name(function: object) -> str:
    """What a function is called in logs: by its own name, else by that of its class.

    Example:
        >>> from functools import partial
        >>> called_name(len), called_name(lambda y: y), called_name(partial(len))
        ('len', 'lambda', 'partial')
    """
    name = getattr(function, "__name__", None) or getattr(function, "name", None)
    return str(name).strip("<>") if name else to_snake_case(type(function).__name__)


def free_name(base: str, taken: Collection[str]) -> str:
    """`base`, or the first of `base_1`, `base_2` ... that is not taken.

    Example:
        >>> free_name("auc", ["auc", "auc_pr"])
        'auc_1'
    """
    if base not in taken:
        return base
    return next(name for n in count(1) if (name := f"{base}_{n}") not in taken)


def get_uid(prefix: str = "") -> int:
    """The next number for `prefix`, starting at 1 (as `keras.utils.get_uid`)."""
    with _lock:
        _counts[prefix] = _counts.get(prefix, 0) + 1
        return _counts[prefix]


def reset_names() -> None:
    """Forget all counts: the next Dense is `dense` again."""
    with _lock:
        _counts.clear()


class name_scope:
    """Prefix the paths of variables made inside with `name/`.

    Args:
        name: One part of a path.

    Example:
        >>> with name_scope("encoder"), name_scope("dense"):
        ...     current_path()
        'encoder/dense'
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        put(names=(*current().names, self.name))

    def __exit__(self, *error: object) -> None:
        # The innermost scope of this name: a generator may have been suspended within another one.
        names = current().names
        for place in reversed(range(len(names))):
            if names[place] == self.name:
                put(names=(*names[:place], *names[place + 1 :]))
                return


def current_path() -> str:
    """The scopes joined by `/`; empty at the top."""
    return "/".join(current().names)
