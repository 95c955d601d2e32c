"""Values that are made once and kept while they are used: the one rule for forgetting."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Recent:
    """Values by key; of more than a number the one used longest ago is forgotten.

    Args:
        most: The number.

    Example:
        >>> kept = Recent(2)
        >>> [kept.get(key, lambda: key.upper()) for key in ("a", "b", "a", "c")]
        ['A', 'B', 'A', 'C']
        >>> "a" in kept, "b" in kept
        (True, False)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: collections.OrderedDict[Hashable, Any] = collections.OrderedDict()
        self._lock = threading.RLock()  # what makes one may ask for another

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key, made now if there is none."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = make()
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
            return found

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def values(self) -> list[Any]:
        """All that is kept now."""
        with self._lock:
            return list(self._kept.values())

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._kept.clear()


__all__ = ["Recent"]
