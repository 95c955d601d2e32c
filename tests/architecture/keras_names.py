"""Compare the public names of Keras, as `keras_signatures.json` holds them, with nacre's."""

from __future__ import annotations

import ast
import fnmatch
import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import nacre

FACTS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "reference" / "keras_signatures.json").read_text()
)
_MISSING = object()


def find(name: str) -> Any:
    """nacre's object under the path of a name of Keras, or `missing`."""
    value: Any = nacre
    for part in name.split(".")[1:]:
        value = getattr(value, part, _MISSING)
        if value is _MISSING:
            return _MISSING
    return value


def is_present(name: str) -> bool:
    """Whether nacre has a public name of Keras, under the same path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find(name) is not _MISSING


def entry(table: dict[str, str], name: str) -> str | None:
    """The key of a table that covers a name; keys may end in '.*'."""
    return next((key for key in table if fnmatch.fnmatchcase(name, key)), None)


def signature_text(value: Any) -> str | None:
    """A signature without annotations; constructors and methods without `self`."""
    function = value.__init__ if inspect.isclass(value) else value
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return str(inspect.Signature(parameters[1:] if inspect.isclass(value) else parameters))


def _parsed(text: str) -> list[tuple[str, str, str | None]]:
    """(name, kind, default) of each parameter, the last two as text."""
    definition = ast.parse(f"def f{text}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    arguments = definition.args
    named = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(named) - len(arguments.defaults)) + list(arguments.defaults)
    found = [
        (a.arg, "positional", None if d is None else ast.unparse(d))
        for a, d in zip(named, defaults, strict=True)
    ]
    if arguments.vararg:
        found.append((arguments.vararg.arg, "*", None))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append((a.arg, "keyword", None if d is None else ast.unparse(d)))
    if arguments.kwarg:
        found.append((arguments.kwarg.arg, "**", None))
    return found


def difference(theirs: str, ours: str) -> str | None:
    """What a call that Keras takes would miss in ours; None when nothing.

    Ours may have more at its end: keyword-only arguments, `**kwargs`, arguments with defaults.
    """
    try:
        wanted, given = _parsed(theirs), _parsed(ours)
    except SyntaxError:  # a default whose text is no expression
        return None if theirs == ours else "texts differ"
    for kind in ("*", "**"):
        if any(k == kind for _, k, _ in wanted) and not any(k == kind for _, k, _ in given):
            return f"no {kind} arguments"
    positional = [p for p in wanted if p[1] == "positional"]
    own = [p for p in given if p[1] == "positional"]
    if own[: len(positional)] != positional:
        return f"{own[: len(positional)]} instead of {positional}"
    by_name = {name: default for name, kind, default in given if kind != "*" and kind != "**"}
    for name, _, default in (p for p in wanted if p[1] == "keyword"):
        if by_name.get(name, _MISSING) != default:
            return f"keyword {name}={default} differs"
    required = [name for name, _, default in own[len(positional) :] if default is None]
    return f"more required arguments {required}" if required else None


def missing_names() -> list[str]:
    """Public names of Keras that nacre does not have."""
    return [name for name in FACTS if not is_present(name)]


def different_signatures() -> dict[str, str]:
    """name -> how its signature differs, for names that both have."""
    found = {}
    for name, fact in FACTS.items():
        if fact["signature"] is None or not is_present(name):
            continue
        ours = signature_text(find(name))
        problem = "no signature" if ours is None else difference(fact["signature"], ours)
        if problem is not None:
            found[name] = f"Keras {fact['signature']}, nacre {ours}: {problem}"
    return found


def different_members(class_name: str, example: Any) -> dict[str, str]:
    """member -> how it differs, for a class of Keras and an object of nacre's class."""
    found = {}
    for member, theirs in FACTS[class_name]["members"].items():
        name = f"{class_name}.{member}"
        if member not in dir(example):
            found[name] = "missing"
            continue
        own = inspect.getattr_static(find(class_name), member, None)
        own = own.__func__ if isinstance(own, staticmethod | classmethod) else own
        if theirs is None or not inspect.isfunction(own):
            continue
        ours = signature_text(own)
        problem = difference(theirs, ours or "()")
        if problem is not None:
            found[name] = f"Keras {theirs}, nacre {ours}: {problem}"
    return found
