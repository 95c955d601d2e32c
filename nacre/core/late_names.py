"""Names of a module that are imported when they are first asked for (PEP 562).

The module says where each of them is, and imports it once more where only checkers look, so that
editors complete it:

    if TYPE_CHECKING:
        from nacre.callbacks.progbar import Progbar as Progbar
    else:  # a checker would take any name for one of the module's
        __getattr__, __dir__ = late_names(__name__, {"Progbar": "nacre.callbacks.progbar"})

What the module lists in `__all__` is what tab completion offers, and where a name that it does not
have is looked up for a hint.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from nacre.core.not_yet import no_attribute

_NONE: Mapping[str, str] = {}


def late_names(
    module: str,
    places: Mapping[str, str] = _NONE,
    load: Callable[[str], Any] = importlib.import_module,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module.

    Args:
        module: The module's name.
        places: Name -> the module that has it; the module itself where the name is one of its
            submodules; `module:other` where it is called otherwise there.
        load: Imports a module.

    Example:
        >>> get, _ = late_names(__name__, {"root": "math:sqrt"})
        >>> get("root")(4)
        2.0
    """

    def names() -> list[str]:
        return sorted(sys.modules[module].__all__)

    def get(name: str) -> Any:
        if name not in places:
            is_asked_by_tools = name.startswith("__")  # often, and they want no hint
            raise no_attribute(module, name, [] if is_asked_by_tools else names())
        place, _, other = places[name].partition(":")
        found = load(place)
        if place != f"{module}.{name}":
            found = getattr(found, other or name)
        setattr(sys.modules[module], name, found)  # the next time it is there
        return found

    return get, names


__all__ = ["late_names"]
