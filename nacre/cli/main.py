"""Entry point of the `nacre` command: find the command, run it, turn errors into one line."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from nacre.cli._help import HelpParser

# Name of the command → what it does. The code is in nacre/cli/<name>.py, which has
# `add_arguments(parser)` and `run(arguments) -> exit status`, and is imported only when asked for.
COMMANDS = {
    "quickstart": "Train a digit classifier on this machine and draw its results.",
    "run": "Run a script or a notebook that imports TensorFlow or Keras, on nacre.",
    "check": "Tell whether scripts and notebooks for TensorFlow will run, without running them.",
    "doctor": "Show versions, devices and caches, and what is missing.",
    "cache": "Show the compiled programs and kernels kept on disk, or delete them.",
    "export": "Write a saved model in another format, and compare the two.",
    "summary": "Print the layers, shapes and sizes of a saved model.",
    "version": "Print nacre's version.",
}


def build_parser(command: str | None = None) -> HelpParser:
    """The parser with all commands by name, and the arguments of `command` only.

    Args:
        command: The command whose arguments are wanted; the others stay unimported.
    """
    parser = HelpParser(
        prog="nacre",
        description="The Keras way of building, training and shipping neural networks, on XLA.",
        epilog="Start with: nacre quickstart",
    )
    parser.add_argument("--version", action="store_true", help="Print nacre's version.")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        if name == command:
            module = importlib.import_module(f"nacre.cli.{name}")
            module.add_arguments(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `nacre` command and return its exit status.

    Args:
        argv: Words after `nacre`; those of the process when None.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _escape_unencodable(sys.stdout)
    try:
        return _parse_and_run(words)
    except BrokenPipeError:
        # The reader has seen enough (`nacre doctor | head`). What Python would still write when it
        # ends goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parse_and_run(words: list[str]) -> int:
    chosen = next((word for word in words if word in COMMANDS), None)
    parser = build_parser(chosen)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        parser.of_command(arguments.command).refuse(unknown)
    if arguments.version:
        arguments.command = "version"
    if arguments.command is None:
        parser.print_help()
        return 0
    module = importlib.import_module(f"nacre.cli.{arguments.command}")
    status = _run(module.run, arguments)
    sys.stdout.flush()  # here, where a pipe that broke is known to be an ordinary end
    return status


def _escape_unencodable(stream: TextIO) -> None:
    """Let a stream whose encoding lacks a sign write its number instead of failing."""
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        stream.reconfigure(errors="backslashreplace")


def _run(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Call a command; errors made by nacre and by the system become one message, exit status 1."""
    from nacre.core.errors import NacreError, printable

    try:
        return run(arguments)
    except BrokenPipeError:
        raise
    except (NacreError, OSError) as error:
        if os.environ.get("NACRE_TRACEBACK") == "full":
            raise
        print(f"nacre {arguments.command}: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
