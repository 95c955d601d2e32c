"""The progress bar: one live line in a terminal or notebook, one plain line an epoch elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TypedDict, Unpack

from nacre.callbacks import layout
from nacre.callbacks.base import Callback, Logs
from nacre.callbacks.layout import Piece
from nacre.core.config import is_interactive_logging_enabled
from nacre.core.errors import refuse_unknown
from nacre.core.kinds import loaded
from nacre.core.terminal import encodable, show

_STYLES = {
    "head": "bold",
    "bar": "cyan",
    "rest": "bright_black",
    "quiet": "bright_black",
    "metric": "",
}
# A bar that would be gone at once only flickers: nothing is drawn before this much time.
_QUIET_SECONDS = 0.2


class Display:
    """Where lines go: a live terminal, a notebook, or plain text.

    Args:
        verbose: 1 draws a live line where that is possible; 2 never does.
        has_several_lines: Whether more than one line will stay.
    """

    def __init__(self, verbose: int, *, has_several_lines: bool = False) -> None:
        self._surface: TerminalLine | NotebookLine | NotebookTable | None = None
        if verbose == 1 and is_interactive_logging_enabled():
            self._surface = _live_line(has_several_lines)

    @property
    def is_live(self) -> bool:
        """Whether lines can be redrawn."""
        return self._surface is not None

    @property
    def columns(self) -> int:
        """Columns a live line may take."""
        return self._surface.columns if self._surface is not None else 80

    def draw(self, pieces: list[Piece]) -> None:
        """Show a line in place of the last one drawn."""
        if self._surface is not None:
            self._surface.draw(pieces)

    def clear(self) -> None:
        """Take the drawn line away, so that others can print."""
        if self._surface is not None:
            self._surface.clear()

    def write(self, rows: list[list[Piece]], plain: str) -> None:
        """Leave lines that stay."""
        if self._surface is not None:
            self._surface.write(rows, plain)
        elif is_interactive_logging_enabled():
            show(plain)
        else:
            logging.getLogger("nacre").info(plain)

    def close(self, text: str = "") -> None:
        """Nothing more will be drawn.

        Args:
            text: What a notebook shows in place of the live line, which cannot be taken away there.
        """
        if self._surface is not None:
            self._surface.close(text)


class TerminalLine:
    """The last line of a terminal, drawn by rich.

    Args:
        console: A rich console on a terminal.
    """

    def __init__(self, console: Any) -> None:
        self._console = console
        self._live: Any = None

    @property
    def columns(self) -> int:
        """Width of the terminal, less one column: a full line would wrap in some terminals."""
        return max(self._console.width - 1, 20)

    def draw(self, pieces: list[Piece]) -> None:
        """Show a line in place of the last one."""
        text = self._text(pieces)
        if self._live is None:
            from rich.live import Live

            self._live = Live(text, console=self._console, auto_refresh=False, transient=True)
            self._live.start(refresh=True)
        else:
            self._live.update(text, refresh=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def write(self, rows: list[list[Piece]], plain: str) -> None:
        """Leave these rows above."""
        self.clear()
        for row in rows or [[Piece(plain)]]:
            self._console.print(self._text(row), overflow="ignore", crop=False)

    def close(self, text: str) -> None:
        """Take the line away for good."""
        self.clear()

    def _text(self, pieces: list[Piece]) -> Any:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="crop", end="")
        for index, piece in enumerate(pieces):
            if index:
                text.append("" if piece.style == "rest" else layout.GAP)
            written = encodable(piece.text, self._console.encoding)
            if piece.style == "metric":
                name, _, value = written.partition(" ")
                text.append(name, _STYLES["quiet"]).append(f" {value}")
            else:
                text.append(written, _STYLES.get(piece.style, ""))
        text.end = "\n"
        return text


class NotebookLine:
    """One output of a notebook cell, rewritten in place; lines that stay are printed below it.

    It needs no widget, so it works wherever IPython's display does, and a saved notebook holds one
    short output a cell instead of every state the bar went through, also where a cell calls
    `evaluate`, or `fit` for one epoch, in a loop.
    """

    columns = 100
    # Number of the cell that ran last and IPython's handle of its output.
    _of_cell: tuple[int, Any] = (-1, None)

    def __init__(self, cell: int) -> None:
        self._cell = cell
        self._is_drawn = False

    def draw(self, pieces: list[Piece]) -> None:
        """Show a line in place of the last one."""
        self._put(layout.joined(pieces))

    def clear(self) -> None:
        """Nothing: what others print comes below, and does not mix with the line."""

    def write(self, rows: list[list[Piece]], plain: str) -> None:
        """Print a line."""
        show(plain)

    def close(self, text: str) -> None:
        """Leave a last text in place of the line, if there was one."""
        if self._is_drawn:
            self._put(text)

    def _put(self, text: str) -> None:
        from IPython.display import display  # it is there: this runs in its kernel

        data = {"text/plain": text}
        cell, output = NotebookLine._of_cell
        if cell == self._cell:
            output.update(data, raw=True)
        else:
            NotebookLine._of_cell = (self._cell, display(data, raw=True, display_id=True))
        self._is_drawn = True


class NotebookTable:
    """One output of a notebook cell for a whole fit: the lines that stay, and the live one below.

    Each fit has its own, so that what others print in between keeps its place. Of many lines the
    middle ones are left out; the history has them.
    """

    columns = NotebookLine.columns
    _first_lines, _last_lines = 10, 30
    _pause_seconds = 0.1  # between two drawings because of lines that stay

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._live = ""
        self._output: Any = None
        self._drawn = 0.0
        self._is_behind = False

    def draw(self, pieces: list[Piece]) -> None:
        """Show a line in place of the last one."""
        self._live = layout.joined(pieces)
        self._put()

    def clear(self) -> None:
        """Show what was held back: what others print comes below."""
        if self._is_behind:
            self._put()

    def write(self, rows: list[list[Piece]], plain: str) -> None:
        """Leave these rows above the live line."""
        self._lines += [layout.joined(row).rstrip() for row in rows] or [plain]
        self._live, self._is_behind = "", True
        if time.perf_counter() - self._drawn >= self._pause_seconds:
            self._put()

    def close(self, text: str) -> None:
        """Leave the table, and a last line."""
        self._live = text
        self._put()

    def _put(self) -> None:
        from IPython.display import display  # it is there: this runs in its kernel

        lines = self._lines
        left_out = len(lines) - self._first_lines - self._last_lines
        if left_out > 1:
            gap = f"… {left_out} lines, see the history …"
            lines = [*lines[: self._first_lines], gap, *lines[-self._last_lines :]]
        data = {"text/plain": "\n".join([*lines, *([self._live] if self._live else [])])}
        if self._output is None:
            self._output = display(data, raw=True, display_id=True)
        else:
            self._output.update(data, raw=True)
        self._drawn, self._is_behind = time.perf_counter(), False


def _live_line(has_several_lines: bool) -> TerminalLine | NotebookLine | NotebookTable | None:
    """What can be redrawn here; None where stdout is a pipe, a file or closed."""
    cell = _notebook_cell()
    if cell is not None:
        return NotebookTable() if has_several_lines else NotebookLine(cell)
    try:
        if not sys.stdout.isatty():
            return None
    except (AttributeError, ValueError):  # closed, missing, or replaced by something without it
        return None
    # Only a terminal pays for importing it.
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    is_drawable = console.is_terminal and not console.is_dumb_terminal
    return TerminalLine(console) if is_drawable else None


def _notebook_cell() -> int | None:
    """The number of the cell that a Jupyter kernel runs, found without importing anything."""
    get_ipython = getattr(loaded("IPython"), "get_ipython", None) if loaded("ipykernel") else None
    shell = None if get_ipython is None else get_ipython()
    return (
        None if getattr(shell, "kernel", None) is None else getattr(shell, "execution_count", None)
    )


class Stage:
    """One bar: an epoch, an evaluation or a prediction.

    Args:
        display: Where it is shown.
        title: Such as `Epoch 3/10`.
        total: Number of steps, None when unknown.
        is_first: Whether programs have still to be compiled.
    """

    def __init__(
        self, display: Display, title: str, total: int | None, is_first: bool = False
    ) -> None:
        self.display = display
        self.title = title
        self.total = total
        self.done = 0
        self.begun = time.perf_counter()
        self._first: tuple[int, float] | None = None  # steps and time when the first news came
        self._last = self.begun
        if is_first and display.is_live:
            display.draw([Piece(title, "head"), Piece("preparing …", "quiet")])

    def update(self, done: int, logs: dict[str, Any] | None) -> None:
        """Take in news; redraw."""
        now = time.perf_counter()
        self.done, self._last = done, now
        if self._first is None:
            self._first = (done, now)
        if not self.display.is_live or logs is None:
            return
        if now - self.begun >= _QUIET_SECONDS and done != self.total:
            self.display.draw(self._live_line(logs))

    def steps_ended(self) -> None:
        """All steps are over; where no news came, they took the time until now."""
        if not self.done and self.total:
            self.done, self._last = self.total, time.perf_counter()

    def note(self, text: str) -> None:
        """Show what goes on after the last step."""
        if self.display.is_live and time.perf_counter() - self.begun >= _QUIET_SECONDS:
            head = [Piece(self.title, "head", 100), *self._bar(1.0, 20), Piece(text, "quiet", 80)]
            self.display.draw(layout.fitting(head, self.display.columns))

    def finish(self, logs: dict[str, Any]) -> None:
        """Leave the line that stays."""
        self.steps_ended()
        seconds = time.perf_counter() - self.begun
        times = [layout.duration(seconds), layout.pace(self.seconds_per_step())]
        plain = layout.plain_line([self.title, *times], logs)
        if not self.display.is_live:
            self.display.write([], plain)
            return
        # Fixed widths keep the columns of epoch under epoch.
        head = [
            Piece(self.title, "head"),
            Piece(times[0].rjust(6), "quiet"),
            Piece(times[1].rjust(11), "quiet"),
        ]
        columns = self.display.columns
        if columns < 60 and logs:
            head = head[:1]
        self.display.write(layout.wrapped(head, logs, columns), plain)

    def seconds_per_step(self) -> float | None:
        """Mean time of a step, without those up to the first news, which include compiling."""
        if not self.done:
            return None
        if self._first is not None and self.done > self._first[0]:
            return (self._last - self._first[1]) / (self.done - self._first[0])
        return (self._last - self.begun) / self.done

    def _live_line(self, logs: dict[str, Any]) -> list[Piece]:
        step = self.seconds_per_step()
        tail: list[Piece] = []
        if self.total:
            count = f"{self.done:>{len(str(self.total))}}/{self.total}"
            tail.append(Piece(count, "", 95))
            if step is not None:
                left = layout.time_left(step * max(self.total - self.done, 0))
                tail.append(Piece(left, "quiet", 70))
        else:
            elapsed = layout.duration(time.perf_counter() - self.begun)
            tail += [Piece(f"step {self.done}", "", 95), Piece(elapsed, "quiet", 70)]
        if step is not None:
            tail.append(Piece(layout.pace(step), "quiet", 30))
        head = Piece(self.title, "head", 100)
        # The shortest bar comes before pace and minor metrics; what is left over makes it longer.
        place = [Piece(" " * layout.SHORTEST_BAR, "place", 75)] if self.total else []
        pieces = [head, *place, *tail, *layout.metrics(logs)]
        columns = self.display.columns
        kept = layout.fitting(pieces, columns)
        if not place or place[0] not in kept:
            return kept
        longest = min(layout.SHORTEST_BAR + columns - layout.width_of(kept), layout.LONGEST_BAR)
        drawn = self._bar(self.done / self.total, longest)
        return [kept[0], *drawn, *kept[2:]]

    def _bar(self, share: float, columns: int) -> list[Piece]:
        filled, rest = layout.bar(share, columns)
        return [Piece(filled, "bar", 60), Piece(rest, "rest", 60)]


class ProgbarLoggerKeywords(TypedDict, total=False):
    """What tf.keras 2 took."""

    count_mode: str
    stateful_metrics: Any


_FORMER_ARGUMENTS = set(ProgbarLoggerKeywords.__annotations__)


class ProgbarLogger(Callback):
    """Shows progress; `fit`, `evaluate` and `predict` add it unless `verbose=0`.

    In a terminal or notebook a live line is redrawn at most ten times a second, and one line an
    epoch stays; a fit of several epochs is one output of a notebook's cell, and ends as a table of
    40 lines at most. Anywhere else, and with `verbose=2`, each epoch prints exactly one line
    without control characters.

    Args:
        kwargs: `count_mode` and `stateful_metrics` of tf.keras 2: steps are counted here, and
            metrics say themselves what they report.
    """

    adds_logs = ()
    remembers = ()

    def __init__(self, **kwargs: Unpack[ProgbarLoggerKeywords]) -> None:
        refuse_unknown("ProgbarLogger", set(kwargs) - _FORMER_ARGUMENTS, _FORMER_ARGUMENTS)
        self._stage: Stage | None = None
        self._display: Display | None = None
        self._total: int | None = None
        self._is_training = False
        self._is_validating = False
        self._epochs_seen = 0
        self._begun = 0.0  # when training began

    def batch_hooks(self) -> set[str]:
        """None: the loop calls `update` at its own pace."""
        return set()

    def _prepare(self) -> Display | None:
        params = self.params or {}
        verbose = params.get("verbose", 1)
        verbose = 1 if verbose == "auto" else int(verbose)
        self._total = params.get("steps")
        is_long = self._is_training and params.get("epochs") != 1
        self._display = Display(verbose, has_several_lines=is_long) if verbose else None
        return self._display

    def update(self, step: int, logs: Any) -> None:
        """Progress of the loop: steps done, and logs or a function that gives them."""
        stage, display = self._stage, self._display
        if stage is None or display is None:
            return
        if self._is_validating:
            stage.note(f"validating, step {step}")
            return
        needs_logs = display.is_live and step != stage.total
        shown: Any = (logs() if callable(logs) else logs) if needs_logs else None
        stage.update(step, shown)

    def clear(self) -> None:
        """Take the live line away, so that others can print."""
        if self._display is not None:
            self._display.clear()

    def cancel(self) -> None:
        """Take the line of an evaluation or prediction away that did not come to its end."""
        self.clear()
        self._is_validating = False
        if not self._is_training:
            self._stage = None

    # Training -------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs = None) -> None:
        self._is_training, self._epochs_seen = True, 0
        self._begun = time.perf_counter()
        self._prepare()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self._display is None:
            return
        epochs = (self.params or {}).get("epochs")
        if epochs:
            number = f"{epoch + 1:>{len(str(epochs))}}" if self._display.is_live else epoch + 1
            title = f"Epoch {number}/{epochs}"
        else:
            title = f"Epoch {epoch + 1}"
        self._stage = Stage(self._display, title, self._total, self._epochs_seen == 0)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._stage is None:
            return
        if self._total is None:
            self._total = self._stage.done or None  # the next epoch has a bar
        self._stage.finish(logs or {})
        self._stage = None
        self._epochs_seen += 1

    def on_train_end(self, logs: Logs = None) -> None:
        if self._display is not None:
            count = self._epochs_seen
            taken = layout.duration(time.perf_counter() - self._begun)
            self._display.close(f"{count} {'epoch' if count == 1 else 'epochs'} in {taken}")
        self._stage, self._is_training = None, False

    # Evaluation and prediction --------------------------------------------------------------------

    def on_test_begin(self, logs: Logs = None) -> None:
        if self._is_training:
            self._is_validating = True
            if self._stage is not None:
                self._stage.steps_ended()
            return
        self._begin("Evaluate")

    def on_test_end(self, logs: Logs = None) -> None:
        if self._is_training:
            self._is_validating = False
            return
        self._end(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._begin("Predict")

    def on_predict_end(self, logs: Logs = None) -> None:
        self._end({})

    def _begin(self, title: str) -> None:
        display = self._prepare()
        if display is not None:
            self._stage = Stage(display, title, self._total)

    def _end(self, logs: Logs) -> None:
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.finish(logs or {})
            stage.display.close(f"{stage.done} {'step' if stage.done == 1 else 'steps'}")
