"""Named values of a program, as attributes and as a dict."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from nacre.core.errors import ArgumentError, message


class Config:
    """A dict whose entries are attributes too, and which can be frozen.

    Args:
        kwargs: The first entries.
    Raises:
        ArgumentError: It is changed while frozen.
        AttributeError: There is no such entry.
    Example:
        >>> config = Config(rate=0.1)
        >>> config.steps = 3
        >>> config["steps"], config.to_json()
        (3, '{"rate": 0.1, "steps": 3}')
    """

    def __init__(self, **kwargs: Any) -> None:
        object.__setattr__(self, "_entries", dict(kwargs))
        object.__setattr__(self, "_is_frozen", False)

    @property
    def frozen(self) -> bool:
        """Whether entries may not change."""
        return self._is_frozen  # type: ignore[attr-defined]

    def freeze(self) -> None:
        """Let nothing change from now on."""
        object.__setattr__(self, "_is_frozen", True)

    def unfreeze(self) -> None:
        """Let entries change again."""
        object.__setattr__(self, "_is_frozen", False)

    def _changeable(self) -> dict[str, Any]:
        if self.frozen:
            raise ArgumentError(
                message("Config", "it must not be frozen to be changed", "a frozen config",
                        "Call unfreeze() first.")
            )  # fmt: skip
        return self._entries  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_entries"][name]
        except KeyError:
            raise AttributeError(f"Config has no entry {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._changeable()[name] = value

    def __delattr__(self, name: str) -> None:
        del self._changeable()[name]

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._changeable()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._changeable()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Config {self._entries}>"

    def get(self, name: str, default: Any = None) -> Any:
        """An entry, or `default`."""
        return self._entries.get(name, default)

    def pop(self, *args: Any) -> Any:
        """Take an entry out: its name, and what to give when there is none."""
        return self._changeable().pop(*args)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several entries, as `dict.update` does."""
        self._changeable().update(*args, **kwargs)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._entries.keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return self._entries.values()

    def items(self) -> ItemsView[str, Any]:
        """The pairs (name, value)."""
        return self._entries.items()

    def as_dict(self) -> dict[str, Any]:
        """A dict with the entries."""
        return dict(self._entries)

    def to_json(self) -> str:
        """The entries as JSON text."""
        return json.dumps(self._entries)
