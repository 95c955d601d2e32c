"""Which layers a table or a picture shows, by the names of the first and the last one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nacre.core.errors import ArgumentError, UnknownNameError, message, nearest


def range_of_names(names: Sequence[str], layer_range: Any, who: str) -> tuple[int, int]:
    """The places of the first and the last name that are meant, both included.

    Each end is a name or a regular expression that matches from a name's beginning, as in Keras:
    the first name that fits the first one, and the last that fits the second one. Ends in the other
    order are exchanged.

    Args:
        names: Names of the layers, in order.
        layer_range: (first, last).
        who: Who shows them, for messages.

    Raises:
        ArgumentError: It is no pair of texts, or one is no regular expression.
        UnknownNameError: No name fits one of them.
    Example:
        >>> range_of_names(["a1", "a2", "b1", "b2", "c"], ["a2", "b.*"], "summary")
        (1, 3)
    """
    is_pair = isinstance(layer_range, list | tuple) and len(layer_range) == 2
    if not is_pair or not all(isinstance(end, str) for end in layer_range):
        rule = "layer_range must be a pair of layer names or regular expressions"
        fix = "Pass layer_range=['first_layer', 'last_layer']."
        raise ArgumentError(message(who, rule, repr(layer_range), fix))
    first, last = (_places(names, end, who) for end in layer_range)
    low, high = first[0], last[-1]
    return (low, high) if low <= high else (last[0], first[-1])


def _places(names: Sequence[str], pattern: str, who: str) -> list[int]:
    try:
        found = [place for place, name in enumerate(names) if re.match(pattern, name)]
    except re.error as error:
        rule = f"layer_range must hold regular expressions ({error})"
        raise ArgumentError(message(who, rule, repr(pattern))) from None
    if found:
        return found
    close = nearest(pattern, names)
    fix = f"Did you mean {close!r}?" if close else f"Layers: {', '.join(names[:10])}."
    rule = "layer_range must name layers of the model"
    raise UnknownNameError(message(who, rule, repr(pattern), fix))


__all__ = ["range_of_names"]
