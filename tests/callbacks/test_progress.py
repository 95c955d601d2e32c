"""The progress bar: what a terminal shows, what a pipe gets."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import subprocess
import sys
import textwrap
import time

import pytest

from nacre.callbacks import CallbackList, layout
from nacre.callbacks.layout import Piece
from nacre.core import config

from .host import Host, train

SCRIPT = textwrap.dedent(
    """
    import time
    from nacre.callbacks import CallbackList
    runner = CallbackList([], add_progbar=True, verbose=1, epochs=2, steps=4)
    runner.on_train_begin()
    for epoch in range(2):
        runner.on_epoch_begin(epoch)
        for step in range(1, 5):
            time.sleep(0.12)
            runner.progress(step, lambda: {"loss": 0.5, "accuracy": 0.75})
        runner.on_epoch_end(epoch, {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.25})
    runner.on_train_end()
    """
)


def in_terminal(script: str, columns: int) -> str:
    """What a program writes to a terminal of this width."""
    main, other = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=other, stderr=other, env=environment
    ) as program:
        os.close(other)
        parts = []
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
    os.close(main)
    assert program.returncode == 0, b"".join(parts).decode()
    return b"".join(parts).decode()


def visible(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_terminal_shows_a_bar_that_fits_and_leaves_one_line_an_epoch(columns):
    raw = in_terminal(SCRIPT, columns)
    drawn = [row for part in visible(raw).split("\n") for row in part.split("\r")]
    assert all(len(row) < columns for row in drawn), max(drawn, key=len)
    live = [row for row in drawn if "━" in row]
    assert live and all("/4" in row and "loss" in row for row in live)
    final = [row for row in drawn if "val_loss" in row]
    assert len(final) == 2
    assert "preparing" in raw


@pytest.mark.parametrize("verbose", [1, 2])
def test_pipe_gets_exactly_one_plain_line_an_epoch(capsys, verbose):
    train([], [0.5, 0.25], verbose=verbose)
    rows = capsys.readouterr().out.splitlines()
    pattern = r"Epoch \d/2 - \d+\.\ds - \S+s/step - loss: 1\.0000 - val_loss: 0\.(50|25)00"
    assert len(rows) == 2 and all(re.fullmatch(pattern, row) for row in rows)


def test_verbose_zero_says_nothing(capsys):
    train([], [1.0], verbose=0)
    assert capsys.readouterr() == ("", "")


def test_evaluation_and_prediction_have_their_line(capsys):
    runner = CallbackList([], add_progbar=True, model=Host(), verbose=1, steps=None)
    runner.on_test_begin()
    runner.progress(3, lambda: {"loss": 1.0})
    runner.on_test_end({"loss": 0.5})
    runner.on_predict_begin()
    runner.progress(2, dict)
    runner.on_predict_end()
    rows = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Evaluate - 0\.\ds - \S+/step - loss: 0\.5000", rows[0])
    assert re.fullmatch(r"Predict - 0\.\ds - \S+/step", rows[1])


def test_unknown_number_of_steps_is_learnt(capsys):
    train([], [1.0, 1.0], steps=3, verbose=1)
    runner = CallbackList([], add_progbar=True, model=Host(), verbose=1, epochs=2, steps=None)
    runner.on_train_begin()
    for epoch in range(2):
        runner.on_epoch_begin(epoch)
        runner.progress(5, dict)
        runner.on_epoch_end(epoch, {})
    assert runner.callbacks[-1]._total == 5
    runner.on_train_end()


def test_logging_takes_the_lines_when_stdout_is_not_wanted(caplog, capsys):
    config.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, logger="nacre"):
            train([], [1.0], verbose=1)
    finally:
        config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert caplog.messages[0].startswith("Epoch 1/1 - ")


def test_closed_or_strange_stdout_does_no_harm(monkeypatch):
    class Strange(io.StringIO):
        def isatty(self):
            raise ValueError("closed")

    monkeypatch.setattr(sys, "stdout", Strange())
    train([], [1.0], verbose=1)


def test_pipe_does_not_import_rich():
    script = SCRIPT + "import sys\nassert 'rich' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_pace_leaves_out_the_time_before_the_first_news():
    from nacre.callbacks.progress import Display, Stage

    stage = Stage(Display(2), "Epoch 1/1", 20)
    time.sleep(0.2)  # compiling
    stage.update(1, None)
    time.sleep(0.02)
    stage.update(11, None)
    assert stage.seconds_per_step() < 0.015


@pytest.mark.parametrize("columns", range(20, 130, 7))
def test_lines_fit_any_width(columns):
    logs = {name: 0.123 for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    head = [Piece("Epoch  3/10")]
    for row in layout.wrapped(head, logs, columns):
        text = layout.GAP.join(piece.text for piece in row)
        longest = max(len(p.text) for p in layout.metrics(logs))
        assert len(text.rstrip()) <= max(columns, len(head[0].text) + 2 + longest)
    kept = layout.fitting([Piece("Epoch  3/10", "", 100), *layout.metrics(logs)], columns)
    assert layout.width_of(kept) <= columns
    assert kept[0].text == "Epoch  3/10"


def test_validation_stands_under_training_and_the_rate_comes_last():
    logs = {"loss": 1.0, "learning_rate": 0.001, "val_loss": 2.0}
    head = [Piece("Epoch 1/2")]
    text = lambda rows: [layout.GAP.join(p.text for p in row).rstrip() for row in rows]
    without_rate = ["Epoch 1/2  loss 1.0000", "           val_loss 2.0000"]
    assert text(layout.wrapped(head, logs, 45)) == without_rate
    with_rate = [without_rate[0], without_rate[1] + "  learning_rate 0.001"]
    assert text(layout.wrapped(head, logs, 50)) == with_rate
    assert text(layout.wrapped(head, logs, 80)) == [
        "Epoch 1/2  loss 1.0000  val_loss 2.0000  learning_rate 0.001"
    ]
