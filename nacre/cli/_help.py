"""An argument parser whose help is a pleasure to read, on a terminal and in a file."""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import IO, Any, NoReturn

from nacre.cli._console import make_console


class HelpParser(argparse.ArgumentParser):
    """argparse, with help drawn by rich and errors that suggest the nearest word."""

    def print_help(self, file: Any = None) -> None:
        """Draw the help; rich is imported here and not before."""
        from rich.padding import Padding

        console = make_console(file)
        console.print(f"\n[bold]Usage[/]  [cyan]{self.prog}[/] {_usage(self)}\n")
        if self.description:
            console.print(self.description)
        for title, rows in _sections(self):
            console.print(f"\n[bold]{title}[/]")
            console.print(Padding(_table(rows), (0, 0, 0, 2)))
        if self.epilog:
            console.print(f"\n[dim]{self.epilog}[/]")
        console.print()

    def of_command(self, name: str | None) -> HelpParser:
        """The parser of a command's own arguments; this one without a command."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and name in action.choices:
                return action.choices[name]
        return self

    def refuse(self, unknown: list[str]) -> NoReturn:
        """Leave with an error for words that are none of this parser's arguments."""
        options = [word for action in self._actions for word in action.option_strings]
        close = difflib.get_close_matches(unknown[0], options, n=1)
        hint = f"Did you mean {close[0]}?" if close else ""
        self.exit(
            2,
            f"{self.prog}: no argument {unknown[0]!r}. {hint}".rstrip() + f"\n{self._help_hint()}",
        )

    def _help_hint(self) -> str:
        return f"See: {self.prog} --help\n"

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, with the nearest known word, and leave with status 2."""
        text = _unknown_choice(self, message) or message.removeprefix("argument ") + "."
        self.exit(2, f"{self.prog}: {text}\n{self._help_hint()}")

    def _print_message(self, message: str, file: IO[str] | None = None) -> None:
        if message:
            (file or sys.stderr).write(message)


def _usage(parser: argparse.ArgumentParser) -> str:
    words = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.append("COMMAND")
        elif not action.option_strings:
            words.append(str(action.metavar or action.dest).upper())
    return " ".join([*words, r"\[OPTIONS]"])


def _sections(parser: argparse.ArgumentParser) -> list[tuple[str, list[tuple[str, str]]]]:
    commands, positional, options = [], [], []
    for action in parser._actions:
        text = "Show this help." if action.dest == "help" else action.help or ""
        if isinstance(action, argparse._SubParsersAction):
            commands = [(choice.dest, choice.help or "") for choice in action._choices_actions]
        elif not action.option_strings:
            positional.append((str(action.metavar or action.dest).upper(), text))
        else:
            value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
            if action.default not in (None, False, argparse.SUPPRESS) and "default" not in text:
                text = f"{text} [default: {action.default}]"
            options.append((", ".join(action.option_strings) + value, text))
    sections = [("Commands", commands), ("Arguments", positional), ("Options", options)]
    return [(title, rows) for title, rows in sections if rows]


def _table(rows: list[tuple[str, str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 3))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(name, Text(text[:1].upper() + text[1:]))
    return table


def _unknown_choice(parser: argparse.ArgumentParser, message: str) -> str:
    """The message for a word that is none of those a place allows, with the nearest one."""
    if "invalid choice" not in message:
        return ""
    wrong = message.split("invalid choice: ")[1].split("'")[1]
    for action in parser._actions:
        if action.choices is None or wrong in action.choices:
            continue
        names = [str(name) for name in action.choices]
        kind = "command" if isinstance(action, argparse._SubParsersAction) else action.dest
        close = difflib.get_close_matches(wrong, names, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(names)}."
        return f"no {kind} {wrong!r}. {hint}"
    return ""
