"""The progress bar for loops by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError
from nacre.utils import Progbar


def printed(capsys: Any) -> list[str]:
    """The lines, without times."""
    return [
        re.sub(r" - [^ ]+s - [^ ]+/step", "", row) for row in capsys.readouterr().out.split("\n")
    ]


def test_a_loop_prints_one_line_with_the_means_of_its_steps(capsys: Any) -> None:
    bar = Progbar(4, stateful_metrics=["rate"])
    for step in range(4):
        bar.update(step + 1, values=[("loss", nacre.ops.array(step + 0.5)), ("rate", 0.1 * step)])
    assert printed(capsys) == ["4/4 steps - loss: 2.0000 - rate: 0.3000", ""]


def test_the_means_may_be_named_instead(capsys: Any) -> None:
    bar = Progbar(2, stateless_metrics=["loss"])
    bar.update(1, {"loss": 1.0, "rate": 0.2})
    bar.update(2, {"loss": 2.0, "rate": 0.1})
    assert printed(capsys) == ["2/2 steps - loss: 1.5000 - rate: 0.1000", ""]
    with pytest.raises(ArgumentError, match="both"):
        Progbar(2, stateful_metrics=["rate"], stateless_metrics=["loss"])


def test_steps_weigh_as_many_as_they_are_and_a_second_look_counts_once(capsys: Any) -> None:
    bar = Progbar(6, unit_name="image")
    bar.update(2, {"loss": 1.0})
    bar.update(2, [("loss", 5.0)])
    bar.add(4, [("loss", np.float32(2.0))])
    assert printed(capsys) == [f"6/6 images - loss: {(2 * 1 + 5 + 4 * 2) / 7:.4f}", ""]


def test_a_bar_may_be_used_for_the_next_epoch_and_end_when_told(capsys: Any) -> None:
    bar = Progbar(2)
    for loss in (1.0, 3.0):
        bar.update(1, [("loss", loss)])
        bar.update(2, [("loss", loss)])
    assert printed(capsys) == ["2/2 steps - loss: 1.0000", "2/2 steps - loss: 3.0000", ""]
    unknown = Progbar(None)
    unknown.update(7, [("loss", 1.0)])
    assert printed(capsys) == [""]
    unknown.update(8, finalize=True)
    assert printed(capsys) == ["8 steps - loss: 1.0000", ""]


def test_verbose_0_shows_nothing_and_text_is_no_number(capsys: Any) -> None:
    bar = Progbar(1, verbose=0)
    bar.update(1, [("loss", 1.0)])
    assert printed(capsys) == [""]
    with pytest.raises(ArgumentError, match=r"pairs of a name and a number. Got loss: 'high'"):
        bar.update(1, [("loss", "high")])
