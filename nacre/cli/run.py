"""`nacre run`: a script, a module or a notebook for TensorFlow, on nacre."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType, TracebackType


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to run, and its own arguments."""
    parser.add_argument(
        "-m", dest="module", metavar="MODULE", help="Run a module, as python -m does."
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="Do not say that nacre stands in."
    )
    parser.add_argument(
        "target",
        metavar="SCRIPT",
        nargs=argparse.REMAINDER,
        help="A script or a notebook, then its arguments.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run it as `python` would, with imports of TensorFlow and Keras taken over.

    Returns:
        The exit status of the script; 1 where it raised.
    """
    from nacre.core.errors import ArgumentError, message
    from nacre.tf.conversion.modules import install_finder
    from nacre.tf.takeover import install

    words: list[str] = arguments.target
    if arguments.module is None and not words:
        fix = "Name one: nacre run script.py"
        raise ArgumentError(message("nacre run", "there must be something to run", "nothing", fix))
    if arguments.module is None and not Path(words[0]).is_file():
        raise FileNotFoundError(f"there is no file {words[0]!r}")
    install(quiet=arguments.quiet)
    install_finder()
    if arguments.module is not None:
        return _guarded(lambda: _run_module(arguments.module, words))
    path = Path(words[0])
    sys.argv = words
    sys.path.insert(0, str(path.resolve().parent))
    if path.suffix == ".ipynb":
        from nacre.cli._notebooks import run_cells

        return _guarded(lambda: run_cells(path, _as_main(path)))
    return _guarded(lambda: exec(_compiled(path), vars(_as_main(path))))


def _run_module(module: str, words: list[str]) -> None:
    import runpy

    sys.argv = [module, *words]
    sys.path.insert(0, os.getcwd())
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _compiled(path: Path) -> CodeType:
    import ast

    from nacre.tf.conversion.percents import with_shapes_as_one
    from nacre.tf.generation import note_source

    source = path.read_bytes()
    tree = ast.parse(source, str(path))
    note_source(tree)
    with_shapes_as_one(tree)
    return compile(tree, str(path), "exec", dont_inherit=True)


def _as_main(path: Path) -> ModuleType:
    """A new `__main__`, which stays for as long as the process."""
    main = ModuleType("__main__")
    vars(main).update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = main
    return main


def _guarded(call: Callable[[], object]) -> int:
    """Call it; what it raises is told as Python tells it, without the lines that started it."""
    try:
        call()
    except (SystemExit, KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as error:
        own = _behind_this_file(error.__traceback__)
        traceback.print_exception(type(error), error, own or error.__traceback__)
        return 1
    return 0


def _behind_this_file(kept: TracebackType | None) -> TracebackType | None:
    here = (str(Path(__file__)), str(Path(__file__).with_name("_notebooks.py")), "<frozen runpy>")
    while kept is not None and kept.tb_frame.f_code.co_filename in here:
        kept = kept.tb_next
    return kept
