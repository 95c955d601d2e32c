"""The syntax tree of a function, found in its file by where the function's code begins."""

from __future__ import annotations

import ast
import linecache
import types
from typing import NamedTuple

from nacre.tf.conversion.percents import with_shapes_as_one


class Found(NamedTuple):
    """Where a function stands.

    Attributes:
        node: The function, as the file has it.
        within: The class around it, whose name its private names begin with; None for none.
    """

    node: ast.FunctionDef | ast.Lambda
    within: str | None


def find(function: types.FunctionType) -> Found | None:
    """The syntax tree of a function; None where its source is not there, or is in doubt.

    Args:
        function: A function of the user's.
    """
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    text = "".join(lines)
    if not text:
        return None
    places = [
        place
        for place in _functions(code.co_filename, text)
        if _first_line(place.node) == code.co_firstlineno and _is_of(code, place.node)
    ]
    if len(places) > 1:  # lambdas of one line
        places = [place for place in places if _holds(place.node, code)]
    if len(places) != 1 or not _is_text_of(code, text, places[0].node):
        return None
    return places[0]


def _is_text_of(code: types.CodeType, text: str, node: ast.AST) -> bool:
    """Whether a function's code was made from this text: its file may have changed since."""
    if any(isinstance(part, ast.Assert) for part in ast.walk(node)):
        return True  # which pytest writes anew
    return any(
        (again.co_code, again.co_names, _constants(again))
        == (code.co_code, code.co_names, _constants(code))
        for again in _codes(code.co_filename, text).get((code.co_name, code.co_firstlineno), ())
    )


def _constants(code: types.CodeType) -> list[str]:
    return [repr(x) for x in code.co_consts if not isinstance(x, types.CodeType)]


_Codes = dict[tuple[str, int], list[types.CodeType]]
_compiled: dict[tuple[str, str], _Codes] = {}


def _codes(file: str, text: str) -> _Codes:
    """The code of all functions of a file, by name and first line."""
    if (file, text) not in _compiled:
        if len(_compiled) >= _MOST_FILES:
            _compiled.clear()
        found: _Codes = {}
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        left = [compile(text, file, "exec", flags, dont_inherit=True)]
        tree = ast.parse(text)
        if with_shapes_as_one(tree):  # as `nacre run` compiles it
            left.append(compile(tree, file, "exec", flags, dont_inherit=True))
        while left:
            code = left.pop()
            found.setdefault((code.co_name, code.co_firstlineno), []).append(code)
            left += [x for x in code.co_consts if isinstance(x, types.CodeType)]
        _compiled[file, text] = found
    return _compiled[file, text]


_MOST_FILES = 64
_read: dict[tuple[str, str], list[Found]] = {}


def _functions(file: str, text: str) -> list[Found]:
    """All functions of a file. Its nodes are kept as they are: who changes them makes copies."""
    key = (file, text)
    if key not in _read:
        if len(_read) >= _MOST_FILES:
            _read.clear()
        try:
            tree = ast.parse(text)
        except SyntaxError:
            _read[key] = []
        else:
            _read[key] = list(_within(tree, None))
    return _read[key]


def _within(node: ast.AST, around: str | None) -> list[Found]:
    found: list[Found] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            found.append(Found(child, around))
        found += _within(child, child.name if isinstance(child, ast.ClassDef) else around)
    return found


def _first_line(node: ast.FunctionDef | ast.Lambda) -> int:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return min([node.lineno, *(part.lineno for part in decorators)])


def _is_of(code: types.CodeType, node: ast.FunctionDef | ast.Lambda) -> bool:
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    ends = [known_name.endswith(name) for known_name, name in zip(known, names, strict=False)]
    return name == code.co_name and len(known) == len(names) and all(ends)


def _holds(node: ast.FunctionDef | ast.Lambda, code: types.CodeType) -> bool:
    """Whether the code of a function lies where a node does."""
    if not isinstance(node, ast.Lambda):
        return True
    body = node.body
    begin, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    places = [
        ((line, column), (last, last_column))
        for line, last, column, last_column in code.co_positions()
        if None not in (line, column, last, last_column) and (column, last_column) != (0, 0)
    ]
    return bool(places) and all(begin <= a and b <= end for a, b in places)  # type: ignore[operator]


__all__ = ["Found", "find"]
