"""How numbers and lines of progress are written; pure functions of text.

A line is a list of `Piece`s. Pieces that do not fit are left out by importance, never cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GAP = "  "
SHORTEST_BAR, LONGEST_BAR = 10, 28  # columns
_RATE = "learning_rate"


@dataclass(frozen=True)
class Piece:
    """A part of a line.

    Args:
        text: What is written.
        style: Style name for a terminal.
        importance: Pieces of high importance get their place first.
    """

    text: str
    style: str = ""
    importance: int = 0


def number(value: Any) -> str:
    """A metric's value, four decimals or four digits, never wider than nine columns.

    Example:
        >>> number(0.12345), number(1234.5), number(2e-05), number(float("nan"))
        ('0.1235', '1234.5000', '2.0000e-05', 'nan')
    """
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")) or value == 0:
        return f"{value:.4f}"
    if abs(value) < 1e-3 or abs(value) >= 1e5:
        return f"{value:.4e}"
    return f"{value:.4f}"


def pace(seconds: float | None, unit: str = "step") -> str:
    """Time for one step.

    Example:
        >>> pace(0.00064), pace(0.0123), pace(2.5)
        ('0.64ms/step', '12ms/step', '2.5s/step')
    """
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:.1f}s/{unit}"
    milliseconds = seconds * 1e3
    digits = 0 if milliseconds >= 10 else 1 if milliseconds >= 1 else 2
    return f"{milliseconds:.{digits}f}ms/{unit}"


def duration(seconds: float) -> str:
    """Time taken.

    Example:
        >>> duration(1.234), duration(75), duration(3700)
        ('1.2s', '1m15s', '1h01m')
    """
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def time_left(seconds: float) -> str:
    """Time still needed, as a clock.

    Example:
        >>> time_left(4.2), time_left(125), time_left(3725)
        ('0:05 left', '2:05 left', '1:02:05 left')
    """
    whole = int(-(-seconds // 1))
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} left"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} left"


def bar(share: float, columns: int) -> tuple[str, str]:
    """The filled and the empty part of a bar, `columns` wide together.

    Example:
        >>> bar(0.5, 8)
        ('━━━━', '────')
    """
    halves = round(min(max(share, 0.0), 1.0) * columns * 2)
    filled = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return filled, "─" * (columns - len(filled))


def width_of(pieces: list[Piece]) -> int:
    """Columns that pieces take with the gaps between them."""
    return sum(len(piece.text) for piece in pieces) + len(GAP) * max(len(pieces) - 1, 0)


def joined(pieces: list[Piece]) -> str:
    """A line's text.

    Example:
        >>> joined([Piece("Epoch 1/2", "head"), Piece("━━", "bar"), Piece("──", "rest")])
        'Epoch 1/2  ━━──'
    """
    return "".join(
        ("" if index == 0 or piece.style == "rest" else GAP) + piece.text
        for index, piece in enumerate(pieces)
    )


def fitting(pieces: list[Piece], columns: int) -> list[Piece]:
    """The most important pieces that fit into `columns`, in their own order."""
    chosen: list[int] = []
    for index in sorted(range(len(pieces)), key=lambda i: (-pieces[i].importance, i)):
        if width_of([pieces[i] for i in sorted([*chosen, index])]) <= columns:
            chosen.append(index)
    return [pieces[i] for i in sorted(chosen)]


def metrics(logs: dict[str, Any]) -> list[Piece]:
    """Name and value pairs, the loss most important, then in order."""
    return [
        Piece(f"{name} {_written(name, value)}", "metric", 90 if name == "loss" else 50 - index)
        for index, (name, value) in enumerate(logs.items())
    ]


def _written(name: str, value: Any) -> str:
    return f"{float(value):.3g}" if name == _RATE else number(value)


def wrapped(head: list[Piece], logs: dict[str, Any], columns: int) -> list[list[Piece]]:
    """The head and all metrics in as many lines as needed; validation starts its own line.

    Example:
        >>> rows = wrapped([Piece("Epoch 1/2")], {"loss": 1.0, "val_loss": 2.0}, 30)
        >>> ["  ".join(piece.text for piece in row) for row in rows]
        ['Epoch 1/2  loss 1.0000    ', '           val_loss 2.0000']
    """
    train = metrics({k: v for k, v in logs.items() if not k.startswith("val_") and k != _RATE})
    held_out = metrics({k: v for k, v in logs.items() if k.startswith("val_")})
    held_out += metrics({_RATE: logs[_RATE]}) if _RATE in logs else []
    if width_of([*head, *train, *held_out]) <= columns:
        return [[*head, *train, *held_out]]
    # Equal names stand under each other where there is room for that.
    margin = Piece(" " * width_of(head))
    above, below = _aligned(train, held_out)
    if _RATE in logs and width_of([margin, *below]) > columns:
        # The rate is in the history; it is not worth a line of its own.
        below.pop()
    if max(width_of([*head, *above]), width_of([margin, *below])) <= columns:
        return [[*head, *above], [margin, *below]] if below else [[*head, *above]]
    if columns - width_of(head) < 30:  # about a name and a number, twice
        margin = Piece("  ")
    return _filled([*head], above, margin, columns) + _filled([margin], below, margin, columns)


def _aligned(above: list[Piece], below: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Two rows whose pieces start in the same columns."""
    widths = [max(len(a.text), len(b.text)) for a, b in zip(above, below, strict=False)]
    pad = lambda row: (
        [Piece(p.text.ljust(w), p.style) for p, w in zip(row, widths, strict=False)]
        + row[len(widths) :]
    )
    return pad(above), pad(below)


def _filled(
    row: list[Piece], pieces: list[Piece], margin: Piece, columns: int
) -> list[list[Piece]]:
    """Rows filled one after the other, each but the first behind the margin."""
    rows: list[list[Piece]] = []
    first = len(row)
    for piece in pieces:
        if len(row) > first and width_of([*row, piece]) > columns:
            rows.append(row)
            row, first = [margin], 1
        row = [*row, piece]
    return [*rows, row] if len(row) > 1 or row[0] is not margin else rows


def plain_line(head: list[str], logs: dict[str, Any]) -> str:
    """One line without any control character.

    Example:
        >>> plain_line(["Epoch 1/2", "1.2s"], {"loss": 0.5})
        'Epoch 1/2 - 1.2s - loss: 0.5000'
    """
    pairs = [f"{name}: {_written(name, value)}" for name, value in logs.items()]
    return " - ".join([part for part in head if part] + pairs)
