"""Every public name with its signature, as text: `public_names.txt` is its last agreed state.

python -m tests.architecture.public_names           print
python -m tests.architecture.public_names --write   agree to the present state
python -m tests.architecture.public_names --check   compare, exit status 1 on a difference
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
import sys
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

AGREED = Path(__file__).with_name("public_names.txt")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def public_objects() -> Iterator[tuple[str, object]]:
    """Pairs (dotted name, object) for all names in the `__all__` of nacre and its namespaces."""
    import nacre

    yield from _listed(nacre)
    for info in pkgutil.iter_modules(nacre.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"nacre.{info.name}")
        yield from _listed(module)
        for inner in pkgutil.iter_modules(getattr(module, "__path__", [])):
            if inner.ispkg and not inner.name.startswith("_"):
                yield from _listed(importlib.import_module(f"{module.__name__}.{inner.name}"))
    yield from _dataset_functions()


def _listed(module: ModuleType) -> Iterator[tuple[str, object]]:
    for name in sorted(getattr(module, "__all__", ())):
        yield f"{module.__name__}.{name}", getattr(module, name)


def _dataset_functions() -> Iterator[tuple[str, object]]:
    from nacre import datasets

    for name in datasets.__all__:
        yield from _listed(getattr(datasets, name))


def line(name: str, value: object) -> str:
    """One name as text: kind, dotted name, signature."""
    if inspect.ismodule(value):
        return f"module {name}"
    kind = "class" if inspect.isclass(value) else "def" if callable(value) else "value"
    if kind == "value":
        return f"value {name}"
    return f"{kind} {name}{_ADDRESS.sub('', signature(value))}"


def signature(value: object) -> str:
    """Names and defaults; annotations are left out, so that a better type is no API change."""
    if typing.get_origin(value) is not None:  # an alias as Callable[[int], int], of no signature
        return "(...)"
    try:
        full = inspect.signature(_caller(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"
    empty = inspect.Parameter.empty
    plain = [parameter.replace(annotation=empty) for parameter in full.parameters.values()]
    if inspect.isclass(value) and _caller(value) is not value:
        plain = plain[1:]
    return str(full.replace(parameters=plain, return_annotation=empty))


def _caller(value: object) -> object:
    """Of a class, whichever of `__init__` and `__new__` the most derived one has.

    Python before 3.11.4 takes an inherited `__new__` where a class inherits its `__init__` too.
    """
    for cls in getattr(value, "__mro__", ())[:-1]:
        for name in ("__new__", "__init__"):
            if name in vars(cls):
                return value if name == "__new__" else getattr(value, name)
    return value


def lines() -> list[str]:
    """All public names, sorted, without repetition."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sorted({line(name, value) for name, value in public_objects()})


def difference() -> list[str]:
    """A unified diff from the agreed to the present state; empty when they are equal."""
    agreed = AGREED.read_text(encoding="utf-8").splitlines() if AGREED.exists() else []
    return list(difflib.unified_diff(agreed, lines(), "agreed", "present", lineterm="", n=0))


def main(arguments: list[str]) -> int:
    """The command line described at the top of this file."""
    if "--write" in arguments:
        AGREED.write_text("\n".join(lines()) + "\n", encoding="utf-8")
        return 0
    if "--check" in arguments:
        changes = difference()
        print("\n".join(changes) or "public names: as agreed")
        return 1 if changes else 0
    print("\n".join(lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
