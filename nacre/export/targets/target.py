"""A format as nacre sees it: what it can hold, how it is written, what runs it.

A new format is a folder here with `support.py` (what it has), its forms of ops, `write.py` and
`readback.py`, and one line in `targets.TARGETS`; what leads up to it and what follows, capture,
passes, gaps, comparing, the report, is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nacre.core.regions import Content
from nacre.export.graph.ir import Graph
from nacre.export.passes import Pass
from nacre.export.targets.support import Support

Array: TypeAlias = np.ndarray[Any, Any]
# Arrays for the inputs of a graph, in their order -> those of its outputs, in theirs.
Run: TypeAlias = Callable[[Sequence[Array]], Sequence[Array]]


class Tolerance(NamedTuple):
    """How far a number may be from the right one: `of_itself` times that one, and `of_largest`
    times the largest finite number of its output, whichever both together allow."""

    of_itself: float
    of_largest: float

    def times(self, scale: float) -> Tolerance:
        """The tolerance where rounding is so many times as large."""
        return self if scale == 1 else Tolerance(self.of_itself * scale, self.of_largest * scale)


# float32 sums of some hundred products in another order; 16 bits keep three digits.
_USUAL = Tolerance(1e-4, 1e-5)
_NARROW = Tolerance(2e-2, 2e-2)


@dataclass(frozen=True)
class Runtime:
    """A program that runs what was written, where it is installed.

    Attributes:
        name: As people call it.
        module: What is imported to see whether it is there.
        install: What to install, as `pip install` takes it.
        open: Reads a file or folder; imports `module` itself. RuntimeError, ValueError or its own
            error where it does not take it.
        runs_here: Why it does not run on this machine though it is installed, '' where it does.
        how: How to install it, where that is no package of Python.
    """

    name: str
    module: str
    install: str
    open: Callable[[Path], Run]
    runs_here: Callable[[], str] = lambda: ""
    how: str = ""


@dataclass(frozen=True)
class Request:
    """What is to be written.

    Attributes:
        graph: The model's, opened into ops the target has, verified, without gaps.
        name: The model's.
        options: A value for each of the target's options.
        metadata: Text by name, for files that have a place for it.
        file_name: The file's, for formats whose files tell of one another.
    """

    graph: Graph
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    file_name: str = "model"


class Option(NamedTuple):
    """Something to choose about how a format is written.

    Attributes:
        default: Where nothing is said.
        choices: What it may be; None where `check` says it.
        doc: What it does.
        check: What is wrong with a value, '' where nothing is.
        read: What is kept of a value, such as the samples of a generator, which gives them once.
        costs_digits: Whether any other value than the default trades digits for bytes, or belongs
            to an option that does: a file is compared with the one of the default then.
    """

    default: Any
    choices: tuple[Any, ...] | None
    doc: str
    check: Callable[[Any], str] = lambda _: ""
    read: Callable[[Any], Any] = lambda value: value
    costs_digits: bool = False


@dataclass(frozen=True)
class Target:
    """A format.

    Attributes:
        name: What `format=` calls it.
        title: What people call it.
        suffix: How its files' names end; '' for a folder of any name.
        support: What it can hold.
        write: What it is made of: contents by the paths of files within its folder, or by '' for
            a file, and by the names of those that belong to it and lie beside it.
        runtimes: What runs it; the first that is installed compares.
        tolerance: How far numbers of 32 bits and more may be from the model's.
        narrow: The same for a model that computes in 16 bits.
        tolerance_of: The same for options that cost digits; None for others.
        samples_of: What a file of such options is called with, in the place of drawn inputs, which
            may be outside of what it was made for: arrays in the order of the inputs, each time.
        passes: What is done to graphs before ops are opened.
        options: What may be chosen, by name. 'weights', where it is 'float16' or 'bfloat16', is
            done to the graph before it is written.
        needs: Packages that it is written with; nacre asks for them when it is.
        known: Names of files that it may write into its folder; a folder with others is kept.
        why_open_sizes_fail: What to say of a graph with sizes that vary; '' where it has them.
        written_beside: What goes beside a file: name -> contents, such as a script to check it
            where its runtime is.
        outdated: What files beside an older file of this name are called, `*` for anything: they
            are taken away when the new one is in its place.
        name_outputs: Names of outputs and of inputs -> what the outputs are called there, each
            once.
        write_together: The same as `write` for several functions in one file, by their names; None
            where a file holds one.
        open_function: Reads one function of such a file.
    """

    name: str
    title: str
    suffix: str
    support: Support
    write: Callable[[Request], Mapping[str, Content]]
    runtimes: tuple[Runtime, ...] = ()
    tolerance: Tolerance = _USUAL
    narrow: Tolerance = _NARROW
    tolerance_of: Callable[[Request], Tolerance | None] = lambda request: None
    samples_of: Callable[[Request], Sequence[Sequence[Array]]] = lambda request: ()
    passes: tuple[Pass, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    why_open_sizes_fail: str = ""
    written_beside: Callable[[Request, str], Mapping[str, Content]] = lambda request, name: {}
    name_outputs: Callable[[Sequence[str], Sequence[str]], list[str]] = lambda own, given: [*own]
    outdated: str = ""
    write_together: Callable[[Mapping[str, Request]], Mapping[str, Content]] | None = None
    open_function: Callable[[Path, Request, str], Run] | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files."""
        return bool(self.known)


__all__ = ["Array", "Option", "Request", "Run", "Runtime", "Support", "Target", "Tolerance"]
