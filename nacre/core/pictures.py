"""Drawing with matplotlib, which is imported when the first picture is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nacre.core.interop import optional_import

BLUE, ORANGE, GREY = "#1f6fb2", "#d1590b", "#9aa5b1"  # told apart in print and by the colour-blind


def new_figure(who: str, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, list[Any]]:
    """A figure of pyplot, so that notebooks and `plt.show()` show it, and its axes in one list.

    Args:
        who: Who draws, for messages.
        rows, columns: Of axes.
        options: For `matplotlib.pyplot.subplots`.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    pyplot = optional_import("matplotlib.pyplot", extra="plot", who=who)
    figure, axes = pyplot.subplots(rows, columns, squeeze=False, layout="constrained", **options)
    found = list(axes.ravel())
    for one in found:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(True, color="0.9", linewidth=0.8)
        one.set_axisbelow(True)
    return figure, found


def finished(figure: Any, save: str | os.PathLike[str] | None) -> Any:
    """The figure, written to a file where one is asked for; its folder is made."""
    if save is not None:
        Path(save).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(save, dpi=150)
    return figure


__all__ = ["BLUE", "GREY", "ORANGE", "finished", "new_figure"]
