"""Notebooks as programs: cells one after another, with what magics mean outside of Jupyter."""

from __future__ import annotations

import ast
import io
import json
import linecache
import re
import sys
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from nacre.core.errors import FileFormatError, message


def code_cells(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each cell of code, numbers from 1 on, counted over all cells.

    Raises:
        FileFormatError: The file is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found = [
            (number, "".join(cell["source"]))
            for number, cell in enumerate(cells, 1)
            if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError) as error:
        rule = "a notebook is a file of JSON with cells"
        raise FileFormatError(message(f"'{path}'", rule, f"{type(error).__name__}")) from None
    yield from found


# Magics of a whole cell whose rest is Python all the same.
_TIMING = ("time", "timeit", "capture", "prun", "python", "python3")
# Those of a line, with the options of timeit: `%timeit -n 10 -r3 f(x)`.
_TIMED_LINE = re.compile(r"%time(it)?\s+(-([nrp]\s*\d+|[tcqov]+)\s+)*")


_KEPT_LINES = re.compile(r"([A-Za-z_]\w*)\s*=\s*!\s*(.+)")  # `files = !ls data`
_VARIABLE = re.compile(r"%(?:set_)?env\s+(\w+)(?:\s*=\s*|\s+)(.*\S)\s*")  # of the environment
_HELP = re.compile(r"[A-Za-z_][\w.]*\?\??\s*")  # `tf.add?`


def as_python(cell: str) -> str:
    """The text of a cell with `pass` in place of magics and of commands of the shell.

    Lines keep their numbers. `%%writefile` writes its file, cells of other languages are left out.

    Example:
        >>> as_python("%matplotlib inline\\nx = 1\\n!pip install keras")
        'pass  # %matplotlib inline\\nx = 1\\npass  # !pip install keras'
    """
    first, _, rest = cell.lstrip().partition("\n")
    if first.startswith("%%"):
        magic, _, argument = first[2:].partition(" ")
        if magic == "writefile":
            is_more = argument.startswith(("-a ", "--append "))
            name = (argument.partition(" ")[2] if is_more else argument).strip()
            mode = "a" if is_more else "w"
            return f"with open({name!r}, {mode!r}, encoding='utf-8') as _: _.write({rest!r})"
        return f"pass  # {first}\n" + (as_python(rest) if magic in _TIMING else "")
    lines: list[str] = []
    is_command = False  # whether a command of the shell goes on in the next line
    for line in cell.split("\n"):
        found = f"# {line}" if is_command else _line(line)
        if not is_command and (found == line or _goes_on(lines)):
            lines.append(line)
            continue
        lines.append(found)
        is_command = line.endswith("\\") and found.lstrip().startswith(("#", "pass  #"))
    return "\n".join(lines)


def _goes_on(lines: list[str]) -> bool:
    """Whether a statement or a text of these lines is not at its end."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError as error:  # in other words in each version of Python
        return "EOF" in str(error) or "unterminated triple-quoted" in str(error)
    except SyntaxError:  # of a statement that is wrong, which running it tells
        pass
    return False


def _line(line: str) -> str:
    code = line.lstrip()
    indent = line[: len(line) - len(code)]
    kept = _KEPT_LINES.match(code)
    if kept is not None:  # the program goes on with what the command prints
        run = (
            f"__import__('subprocess').run({kept[2]!r}, shell=True, capture_output=True, text=True)"
        )
        return f"{indent}{kept[1]} = {run}.stdout.splitlines()"
    if not code.startswith(("%", "!", "?")) and not _HELP.fullmatch(code):
        return line
    timed = _TIMED_LINE.match(code)
    if timed is not None:
        return indent + code[timed.end() :]
    variable = _VARIABLE.fullmatch(code)
    if variable is not None:
        return f"{indent}__import__('os').environ[{variable[1]!r}] = {variable[2]!r}"
    return f"{indent}pass  # {code}"


def run_cells(path: Path, main: ModuleType) -> None:
    """Run all cells in the module; a value at the end of one is printed."""
    from nacre.tf.conversion.percents import with_shapes_as_one
    from nacre.tf.generation import note_source

    scope = vars(main)
    scope["display"] = _display
    cells = list(code_cells(path))
    for _, cell in cells:
        with suppress(SyntaxError):  # told when the cell is run
            note_source(ast.parse(as_python(cell)))
    for number, cell in cells:
        name, text = f"{path}, cell {number}", as_python(cell)
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        tree = ast.parse(text, name)
        with_shapes_as_one(tree)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), scope)
        if last is not None and isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), scope)
            if value is not None and not text.rstrip().endswith(";"):
                _display(value)


def _display(*values: Any, **_: Any) -> None:
    """Print what a notebook would show."""
    for value in values:
        print(repr(value))
    sys.stdout.flush()
