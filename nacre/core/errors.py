"""All error classes and the one message template: who, rule, what was given, how to fix."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

# Controls of a terminal (all of C0 and C1 but tab and newline), marks that turn the direction of
# text around, and the halves of characters that no terminal can encode.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """A text that may come from a file, as it can be shown: what steers a terminal is spelt out.

    Everything that nacre prints, warns or raises goes through it, as a name in a file may hold
    escape sequences that clear the screen or type into it.

    Example:
        >>> print(printable("dense\x1b[2J"))
        dense\\x1b[2J
    """
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class NacreError(Exception):
    """Base of every error nacre raises on purpose."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ShapeError(NacreError, ValueError):
    """A size or a rank does not fit."""


class DTypeError(NacreError, TypeError):
    """A dtype does not fit."""


class ArgumentError(NacreError, ValueError):
    """An argument breaks its rule."""


class PositionError(NacreError, IndexError):
    """An index lies outside of what it is to pick from."""


class UnknownNameError(NacreError, ValueError):
    """A string names nothing known (layer, optimizer, loss, metric, activation ...)."""


class NotBuiltError(NacreError, RuntimeError, ValueError):
    """An object is used before it has its variables."""


class NotCompiledError(NacreError, RuntimeError, ValueError):
    """Training is asked for before `compile`."""


class DataError(NacreError, ValueError):
    """The data given to fit, evaluate or predict cannot be used."""


class WorkerError(NacreError, RuntimeError):
    """A thread or a process that makes data died, stands still or cannot begin."""


class LossInputError(NacreError, ValueError):
    """Targets and predictions do not fit the loss."""


class MonitorError(NacreError, ValueError):
    """A callback watches a quantity this run does not log."""


class NonFiniteError(NacreError, RuntimeError):
    """The loss became NaN or infinite."""


class BusyError(NacreError, RuntimeError):
    """Something that does one thing at a time was asked for a second one by another thread."""


class ClosedError(NacreError, RuntimeError, ValueError):
    """Something is used after it was closed."""


class ForkedProcessError(NacreError, RuntimeError):
    """A computation was asked for in a process forked after JAX had started."""


class WeightsMismatchError(NacreError, ValueError):
    """Weights in a file or list do not fit the model."""


class FileFormatError(NacreError, ValueError):
    """A file is not what its name or its caller says."""


class SerializationError(NacreError, ValueError, TypeError):
    """An object cannot become a config, or a config cannot become an object."""


class UnsupportedError(NacreError, NotImplementedError):
    """An object has no form of what is asked of it."""


class UnsupportedOpError(UnsupportedError):
    """A model computes something that a graph, or a format, has no op for."""


class GraphError(NacreError, ValueError):
    """A graph breaks a rule that must hold of it."""


class NotThereError(NacreError, AttributeError):
    """An attribute has no value here, or not yet."""


class ReservedNameError(NacreError, AttributeError):
    """An attribute is set under a name that nacre keeps something of its own under."""


class TapeError(NacreError, RuntimeError, ValueError):
    """A gradient tape is asked for something at the wrong time."""


class TracedValueError(NacreError, TypeError):
    """Code that is compiled asks a tensor for its value, which is only known when it runs."""


class TracedSizeError(TracedValueError):
    """A size that must be known is computed by the code that is compiled."""


class MissingPackageError(NacreError, ImportError):
    """An optional package is not installed."""


class AbsentFileError(NacreError, FileNotFoundError):
    """A file or folder is not there."""


class AbsentModuleError(NacreError, ModuleNotFoundError):
    """A module of TensorFlow's or around it is imported that nacre does not stand in for."""


def message(who: str, rule: str, got: str = "", fix: str = "") -> str:
    """Join the four parts of an error message: `who: rule. Got got. fix`.

    Args:
        who: Object and path, such as `Dense 'encoder/dense_3'`.
        rule: What must hold, without the final full stop.
        got: What arrived, in plain Python, without `Got` and full stop.
        fix: One thing to do, a whole sentence.

    Example:
        >>> message("Dense 'd'", "units must be positive", "-1", "Pass units=64.")
        "Dense 'd': units must be positive. Got -1. Pass units=64."
    """
    parts = [f"{who}: {rule.rstrip('.')}."]
    if got:
        parts.append(f"Got {got.rstrip('.')}.")
    if fix:
        parts.append(fix)
    return " ".join(parts)


def nearest(name: object, candidates: Iterable[str]) -> str | None:
    """The candidate most like `name`, or None when nothing is close.

    Example:
        >>> nearest("adm", ["sgd", "adam"])
        'adam'
    """
    text = str(name)
    names = list(candidates)
    exact = [c for c in names if c.lower() == text.lower()]
    if exact:
        return exact[0]
    close = difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    if not close:
        lowered = {c.lower().replace("_", ""): c for c in names}
        found = difflib.get_close_matches(text.lower().replace("_", ""), list(lowered), 1, 0.6)
        close = [lowered[f] for f in found]
    return close[0] if close else None


def listed(items: Sequence[str], most: int = 10, separator: str = ", ") -> str:
    """The first items of a list, and how many more there are, for messages.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    more = len(items) - most
    return separator.join(items[:most]) + (f" and {more} more" if more > 0 else "")


def refuse_unknown(
    who: str, unknown: Mapping[str, Any] | Iterable[str], known: Callable[..., Any] | Iterable[str]
) -> None:
    """Raise when there are unknown arguments, with the nearest known one for each.

    Args:
        who: What was called.
        unknown: What was left of its keyword arguments; nothing happens when it is empty.
        known: The function whose arguments are meant, or their names.

    Raises:
        ArgumentError: `unknown` is not empty.
    Example:
        >>> refuse_unknown("fit", {"epoch": 3}, ["x", "epochs"])
        Traceback (most recent call last):
        nacre.core.errors.ArgumentError: fit: arguments must be known. Got epoch=3. Did you mean
        'epochs'?
    """
    wrong = list(unknown)
    if not wrong:
        return
    names = _argument_names(known) if callable(known) else list(known)
    found = {name: nearest(name, names) for name in wrong}
    hints = [f"{near!r}" for near in found.values() if near is not None]
    if len(wrong) > 1:
        hints = [f"{near!r} for {name!r}" for name, near in found.items() if near is not None]
    fix = f"Did you mean {', '.join(hints)}?" if hints else f"Known: {', '.join(names)}."
    texts = dict.fromkeys(wrong, "")  # names alone: what was given with them is not known
    if isinstance(unknown, Mapping):
        values = cast("Mapping[str, object]", unknown)
        texts = {name: _short(value) for name, value in values.items()}
    got = [f"{name}={texts[name]}" if texts[name] else name for name in wrong]
    raise ArgumentError(message(who, "arguments must be known", ", ".join(got), fix))


def _argument_names(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind not in kinds and p.name not in ("self", "cls")]


def _short(value: Any) -> str:
    """A plain value as messages show it; nothing for one that would fill the screen."""
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return repr(value) if is_plain and len(repr(value)) <= 40 else ""


def unknown_name(who: str, kind: str, name: object, candidates: Iterable[str]) -> UnknownNameError:
    """An error for a string that names nothing, with the nearest known name."""
    names = sorted(set(candidates))
    hint = nearest(name, names)
    if hint is not None:
        fix = f"Did you mean {hint!r}?"
    else:
        shown = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
        fix = f"Known names: {shown}."
    return UnknownNameError(message(who, f"{kind} must be a known name", repr(name), fix))
