"""One Python file made of the functions that a model needs, taken from files of nacre.

A function is taken with all that it calls, from whichever file of nacre that stands in, so that the
file that is written imports NumPy and Python's own library alone, and holds nothing that the model
does not use. Names that begin with an underscore get their file's name in front, since two files
may have one each.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGE = __name__.partition(".")[0]
_ROOT = Path(__file__).parents[len(__name__.split(".")) - 1]


@dataclass(frozen=True)
class _File:
    """A file of nacre: what each name at its top stands for.

    Attributes:
        module: Its name.
        text: What stands in it.
        statements: The statement that defines each name.
        imports: Names from elsewhere: (module, name in there), or (module, '') for a module.
        rows: Calls that declare an op, `_unary("abs", doc, np.abs)`: the expression by the op.
    """

    module: str
    text: str
    statements: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    rows: dict[str, ast.expr] = field(default_factory=dict)


@functools.cache
def _file(module: str) -> _File:
    path = _ROOT.joinpath(*module.split(".")).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    found = _File(module, text)
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.statements[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for name in targets:
                if isinstance(name, ast.Name):
                    found.statements[name.id] = statement
        elif isinstance(statement, ast.Import):
            for alias in statement.names:
                found.imports[alias.asname or alias.name] = (alias.name, "")
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            for alias in statement.names:
                found.imports[alias.asname or alias.name] = (statement.module or "", alias.name)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            row = statement.value.args
            if len(row) > 2 and isinstance(row[0], ast.Constant):
                found.rows[str(row[0].value)] = row[2]
    return found


class Gathered:
    """A file in the making: functions, with what they call, in the order that they need.

    Args:
        present: The file of nacre that stands in it whole.

    Attributes:
        imports: Lines that import.
        parts: The text of each statement.
    """

    def __init__(self, present: str) -> None:
        self._present = present
        self.imports: dict[str, None] = {}
        self.parts: dict[tuple[str, int], str] = {}
        self._names: dict[str, tuple[str, str]] = {}

    def function(self, module: str, name: str) -> str:
        """Take a function, class or constant; gives the name it has in the file."""
        if module == self._present:
            return name
        file = _file(module)
        new = self._name_of(module, name)
        statement = file.statements[name]
        key = (module, statement.lineno)
        if key not in self.parts:
            self.parts[key] = ""  # of what calls itself
            text = self._text(file, statement)
            del self.parts[key]  # behind what it calls
            self.parts[key] = text
        return new

    def row(self, module: str, op: str) -> str:
        """The expression that a row of a table of ops gives for an op."""
        file = _file(module)
        expression = _Bare().visit(ast.parse(ast.unparse(file.rows[op]), mode="eval").body)
        return ast.unparse(self._renamed(file, expression))

    def _name_of(self, module: str, name: str) -> str:
        stem = module.rpartition(".")[2]
        new = f"_{stem}{name}" if name.startswith("_") and not name.startswith("__") else name
        known = self._names.setdefault(new, (module, name))
        assert known == (module, name), f"{new} stands in {known[0]} and in {module}"
        return new

    def _text(self, file: _File, statement: ast.stmt) -> str:
        # A copy: what is cached stays as it is.
        (copy,) = ast.parse(ast.unparse(statement)).body
        copy = ast.fix_missing_locations(_Bare().visit(copy))
        return ast.unparse(self._renamed(file, copy))

    def _renamed(self, file: _File, tree: ast.AST) -> ast.AST:
        """The tree with the names that things have in the new file, and these taken."""
        names = {}
        for name in sorted(_free_names(tree)):
            if name in file.imports:
                module, original = file.imports[name]
                if module.partition(".")[0] == _PACKAGE:
                    names[name] = self.function(module, original)
                else:
                    self._import(name, module, original)
            elif name in file.statements:
                names[name] = self._named(file, name, tree)
        return _Renamer(names).visit(tree)

    def _named(self, file: _File, name: str, tree: ast.AST) -> str:
        if getattr(tree, "name", None) == name:  # it calls itself
            return self._name_of(file.module, name)
        return self.function(file.module, name)

    def _import(self, name: str, module: str, original: str) -> None:
        text = f"from {module} import {original}" if original else f"import {module}"
        end = original or module
        self.imports[text if end == name else f"{text} as {name}"] = None


class _Bare(ast.NodeTransformer):
    """Drops annotations, and decorators that are calls: what declares an op. Starred indices, which
    `ast.unparse` writes as Python has them since 3.11, become tuples as it always had them."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.slice, ast.Tuple) and any(
            isinstance(part, ast.Starred) for part in node.slice.elts
        ):
            parts = ast.List(node.slice.elts, ast.Load())
            node.slice = ast.Call(ast.Name("tuple", ast.Load()), [parts], [])
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [d for d in node.decorator_list if isinstance(d, ast.Name)]
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        assert node.value is not None
        return ast.copy_location(ast.Assign([node.target], node.value), node)


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        hidden = _bound_names(node) - {node.name}
        inner = _Renamer({k: v for k, v in self.names.items() if k not in hidden})
        node.args.defaults = [self.visit(d) for d in node.args.defaults]
        node.body = [inner.visit(s) for s in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)


def _bound_names(function: ast.FunctionDef) -> set[str]:
    """The parameters of a function, and what it assigns: names that mean nothing outside."""
    arguments = function.args
    found = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    found |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef) and node is not function:
            found.add(node.name)
    return found


def _free_names(tree: ast.AST) -> set[str]:
    """The names in a tree that may be those of its file, itself among them."""
    found: set[str] = set()

    def walk(node: ast.AST, hidden: frozenset[str]) -> None:
        if isinstance(node, ast.Name) and node.id not in hidden:
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not hidden:
            found.add(node.name)
        inner = hidden
        if isinstance(node, ast.FunctionDef):
            inner = hidden | _bound_names(node) - ({node.name} if not hidden else set())
        for child in ast.iter_child_nodes(node):
            walk(child, inner)

    walk(tree, frozenset())
    return found


def implements(module: str, op: str) -> bool:
    """Whether a file has a function of an op's name."""
    return op in _file(module).statements


def take(parts: Gathered, module: str, op: str) -> str:
    """Take what computes an op; gives the expression for it."""
    if op in _file(module).rows:
        return parts.row(module, op)
    # Of an op whose name means something else in Python, `slice_`.
    return parts.function(module, op if implements(module, op) else f"{op}_")


def whole(module: str) -> tuple[str, list[str], str, str]:
    """A file of nacre as its docstring, the lines that import, what it defines, and what runs
    where it is a script."""
    file = _file(module)
    body = ast.parse(file.text).body
    lines = file.text.splitlines()
    imports = [s for s in body if isinstance(s, ast.Import | ast.ImportFrom)]
    first = imports[-1].end_lineno or 0
    script = next(s.lineno for s in body if isinstance(s, ast.If)) - 1
    doc = ast.get_docstring(ast.parse(file.text), clean=False) or ""
    taken = [ast.unparse(s) for s in imports if "__future__" not in ast.unparse(s)]
    return doc, taken, "\n".join(lines[first:script]), "\n".join(lines[script:])


__all__ = ["Gathered", "implements", "take", "whole"]
