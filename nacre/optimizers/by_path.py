"""What holds for some variables: said by regular expressions for their paths, or by layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from nacre.core.errors import ArgumentError, message, nearest
from nacre.core.variable import Variable
from nacre.core.warning import warn


@runtime_checkable
class HasVariables(Protocol):
    """A layer or model."""

    @property
    def variables(self) -> Iterable[Variable]:
        """All its variables."""
        ...


Key = str | HasVariables
Paths = Mapping[int, tuple[str, ...]]  # id(variable) -> paths it has besides its own


def check_key(who: str, key: Any) -> Key:
    """A key of a mapping, as it is.

    Raises:
        ArgumentError: It is neither a regular expression nor a layer.
    """
    if isinstance(key, str):
        try:
            re.compile(key)
        except re.error as error:
            rule = "a key must be a regular expression for paths of variables, or a layer"
            raise ArgumentError(message(who, rule, f"{key!r}: {error}")) from None
    elif not isinstance(key, HasVariables):
        raise ArgumentError(
            message(
                who,
                "a key must be a regular expression for paths of variables, or a layer",
                repr(key)[:100],
                "Use for example 'encoder/.*'.",
            )
        )
    return key


def find_key(
    who: str, keys: Iterable[Key], variable: Variable, paths: Iterable[str] = ()
) -> Key | None:
    """The key that holds for a variable: a layer that has it, or an expression for its whole path.

    Args:
        who: Whose keys they are, for messages.
        keys: All of them.
        variable: The variable.
        paths: Other paths of it, for expressions that do not match its own.

    Raises:
        ArgumentError: There are several.
    """
    keys = list(keys)
    layers = [k for k in keys if not isinstance(k, str) and _has(k, variable)]
    texts: list[str] = []
    for path in (variable.path, *paths):
        texts = texts or matching(keys, path)
    found = [*layers, *texts]
    return the_only(who, found, variable.path) if found else None


def matching(keys: Iterable[Key], path: str) -> list[str]:
    """The expressions among keys that match a whole path."""
    return [key for key in keys if isinstance(key, str) and re.fullmatch(key, path)]


def the_only(who: str, found: list[Any], path: str) -> Any:
    """The one key that was found for a path.

    Raises:
        ArgumentError: There are several.
    """
    if len(found) > 1:
        rule = f"only one key may hold for '{path}'"
        raise ArgumentError(message(who, rule, ", ".join(map(_shown, found))))
    return found[0]


def warn_of_unused(who: str, keys: Iterable[Key], paths: Paths) -> None:
    """Warn of expressions that match no path of a model.

    Args:
        who: Whose keys they are.
        keys: All of them.
        paths: The paths of all variables of the model.
    """
    known = [path for several in paths.values() for path in several]
    unused = [k for k in keys if isinstance(k, str) and not any(re.fullmatch(k, p) for p in known)]
    if unused and known:
        shown = dict.fromkeys(several[0] for several in paths.values())
        close = nearest(unused[0], [*shown])
        warn(
            message(
                who,
                "an expression should match the path of a variable, the whole of it",
                f"{', '.join(map(repr, unused))}, which match none",
                f"Paths are {', '.join([*shown][:4])} ..."
                + (f" Did you mean {close!r}?" if close else ""),
            )
        )


def as_expression(who: str, key: Key) -> str:
    """A key as a file can hold it: of a layer, the paths of its variables.

    Raises:
        ArgumentError: A layer has no variables yet.
    """
    if isinstance(key, str):
        return key
    paths = [re.escape(variable.path) for variable in key.variables]
    if not paths:
        rule = "a layer must be built before its paths can be saved"
        raise ArgumentError(message(who, rule, _shown(key)))
    return "|".join(paths)


def _has(layer: HasVariables, variable: Variable) -> bool:
    return any(own is variable for own in layer.variables)


def _shown(key: Any) -> str:
    return repr(key) if isinstance(key, str) else f"layer '{getattr(key, 'name', key)}'"


__all__ = [
    "HasVariables",
    "Key",
    "Paths",
    "as_expression",
    "check_key",
    "find_key",
    "matching",
    "the_only",
    "warn_of_unused",
]
