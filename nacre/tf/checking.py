"""Which names of TensorFlow and Keras a program uses, and which of them are here, without running.

Names are followed through imports, `import a.b as c`, `from a import b`, assignments of modules
(`layers = tf.keras.layers`), also to attributes of a class and as defaults of parameters,
`getattr(tf, "x")`, and modules that lie beside the program. What a name holds that code computes
is not known here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nacre.core.errors import NotThereError
from nacre.tf.absent import PACKAGES, REASONS
from nacre.tf.differing import DIFFERS
from nacre.tf.namespaces import Namespace, and_above, find, is_module, names_in
from nacre.tf.takeover import path_of


@dataclass(frozen=True)
class NameUse:
    """A name that a program uses.

    Attributes:
        line: Where.
        name: The name, from `tensorflow` on.
        problem: Why it is not here, with what to write instead; None where it is.
        differs: How it behaves otherwise; None where it does not.
    """

    line: int
    name: str
    problem: str | None = None
    differs: str | None = None


@dataclass
class Findings:
    """What is known of a program.

    Attributes:
        uses: The names it uses, each with its first line.
        broken: Why it could not be read; None where it could.
    """

    uses: list[NameUse] = field(default_factory=list)
    broken: str | None = None

    @property
    def missing(self) -> list[NameUse]:
        """The names that are not here."""
        return [use for use in self.uses if use.problem is not None]

    @property
    def differing(self) -> list[NameUse]:
        """The names that behave otherwise."""
        return [use for use in self.uses if use.problem is None and use.differs is not None]


def check(text: str, folder: Path | None = None) -> Findings:
    """The names of TensorFlow and Keras in a program.

    Args:
        text: The program.
        folder: Where modules lie that it imports; names of TensorFlow's modules that it takes from
            these are followed. What these use themselves is not listed.

    Example:
        >>> found = check("import tensorflow as tf\\ntf.reduce_summ(1)\\ntf.reduce_sum(1)")
        >>> [(use.line, use.name) for use in found.missing]
        [(2, 'tensorflow.reduce_summ')]
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return Findings(broken=f"line {error.lineno}: {error.msg}")
    first = _Reader(folder)
    first.visit(tree)
    reader = _Reader(folder)
    reader.held = first.held  # attributes that a later method sets
    reader.visit(tree)
    return Findings(sorted(reader.uses.values(), key=lambda use: (use.line, use.name)))


def imported_files(text: str, folder: Path, inside: Path | None = None) -> list[Path]:
    """The files beside a program that it imports.

    Args:
        text: The program.
        folder: Where modules lie.
        inside: Its own folder, which `from . import x` is about; by default `folder`.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    found: dict[Path, None] = {}
    for node in ast.walk(tree):
        for module, names, level in _imports_of(node):
            base = folder if not level else (inside or folder)
            for _ in range(level - 1):
                base = base.parent
            for name in [module, *(f"{module}.{name}".lstrip(".") for name in names)]:
                found |= dict.fromkeys(_files_of(name, base))
    return list(found)


def _imports_of(node: ast.AST) -> Iterator[tuple[str, list[str], int]]:
    if isinstance(node, ast.Import):
        yield from ((item.name, [], 0) for item in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or "", [item.name for item in node.names], node.level


def _files_of(module: str, folder: Path) -> list[Path]:
    """The files of a module of a folder, those of the packages that it is in too."""
    parts = [part for part in module.split(".") if part.isidentifier()]
    found: list[Path] = []
    for end in range(1, len(parts) + 1):
        at = folder.joinpath(*parts[:end])
        found += [file for file in (at / "__init__.py", at.with_suffix(".py")) if file.is_file()]
    return found


_SESSIONS = ("Session", "InteractiveSession")


class _Reader(ast.NodeVisitor):
    def __init__(self, folder: Path | None = None, reading: tuple[Path, ...] = ()) -> None:
        self.uses: dict[str, NameUse] = {}
        self._folder, self._reading = folder, reading  # where modules lie, and files being read
        self._modules: dict[str, str] = {}  # name in the program -> path below tensorflow
        self.held: dict[tuple[str, str], str] = {}  # class or module, attribute -> the same
        self._classes: list[str] = []  # in which the reader is, the innermost last
        self._bases: dict[str, list[str]] = {}
        self._imported: set[str] = set()
        self._sessions: set[str] = set()  # names of what may be made, but not run

    # ------------------------------------------------------------ imports

    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            if self._refused(item.name, node.lineno):
                continue
            path = path_of(item.name)
            if path is None:
                held = self._modules_beside(item.name)
                own = item.asname or item.name
                self.held |= {(own, name): module for name, module in held.items()}
                continue
            self._module(path, node.lineno)
            root = item.name.partition(".")[0]
            top = path_of(item.name if item.asname else root)
            assert top is not None
            self._modules[item.asname or root] = top

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or self._refused(module, node.lineno):
            return
        path = path_of(module)
        if path is None:
            held = self._modules_beside(module)
            for item in node.names:
                if item.name == "*":
                    self._modules |= held
                elif item.name in held:
                    self._modules[item.asname or item.name] = held[item.name]
            return
        if not self._module(path, node.lineno):
            return
        for item in node.names:
            if item.name == "*":
                self._modules.update(_modules_of(path))
                continue
            self._imported.add(item.asname or item.name)
            found = self._name(path, item.name, node.lineno)
            if found is not None:
                self._modules[item.asname or item.name] = found

    def _refused(self, module: str, line: int) -> bool:
        root = module.partition(".")[0]
        if root not in PACKAGES:
            return False
        self._add(root, line, PACKAGES[root])
        return True

    def _module(self, path: str, line: int) -> bool:
        """Whether a module is here; it is noted where it is not."""
        at = ""
        if path.startswith("python."):  # insides that scripts take public names from
            return is_module(path)
        for part in path.split(".") if path else ():
            inner = self._name(at, part, line)
            if inner is None:
                if f"tensorflow.{at}.{part}".replace("..", ".") not in self.uses:
                    self._add(f"tensorflow.{path}", line, "It is no module here.")
                return False
            at = inner
        return True

    # ------------------------------------------------------------ names

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._assigned(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self._assigned(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)
        self._assigned(node.target, node.value)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        """Follow what a name, or an attribute, is from now on."""
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for one, its in zip(target.elts, value.elts, strict=True):
                    self._assigned(one, its)
            return
        path = self._path(value)
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            for holder in self._holders(target.value.id)[:1] if path is not None else ():
                assert path is not None
                self.held[holder, target.attr] = path
        if not isinstance(target, ast.Name):
            return
        self._sessions.discard(target.id)
        if self._is_session(value):
            self._sessions.add(target.id)
        if path is None:
            self._modules.pop(target.id, None)
        else:
            self._modules[target.id] = path
            if self._classes:
                self.held[self._classes[-1], target.id] = path

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
        self._classes.append(node.name)
        self.generic_visit(node)
        self._classes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """What is a default of a parameter is what the parameter is within."""
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """The same."""
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """The same."""
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        of = node.args
        places = [*of.posonlyargs, *of.args]
        given = zip(places[len(places) - len(of.defaults) :], of.defaults, strict=True)
        named = zip(of.kwonlyargs, of.kw_defaults, strict=True)
        kept = dict(self._modules)
        for argument, default in [*given, *named]:
            path = None if default is None else self._path(default)
            if path is not None:
                self._modules[argument.arg] = path
        self.generic_visit(node)
        for argument in (*places, *of.kwonlyargs):
            self._modules.pop(argument.arg, None)
            if argument.arg in kept:
                self._modules[argument.arg] = kept[argument.arg]

    def _holders(self, name: str) -> list[str]:
        """The classes, or the module, whose attributes those of a name are."""
        first = self._classes[-1] if self._classes and name in ("self", "cls") else name
        found, left = [], [first]
        while left:
            holder = left.pop(0)
            if holder not in found:
                found.append(holder)
                left += self._bases.get(holder, [])
        return found

    def _modules_beside(self, module: str) -> dict[str, str]:
        """The modules of TensorFlow that a module beside the program has under names of its own."""
        if self._folder is None:
            return {}
        files = [file for file in _files_of(module, self._folder) if file not in self._reading]
        if not files or not module:
            return {}
        reader = _Reader(self._folder, (*self._reading, files[-1]))
        try:
            reader.visit(ast.parse(files[-1].read_text(encoding="utf-8")))
        except (SyntaxError, ValueError, OSError):  # told where that file is checked
            return {}
        return reader._modules

    def visit_Call(self, node: ast.Call) -> None:
        """`getattr(tf, "x")` is `tf.x`."""
        self.generic_visit(node)
        found = _asked_for(node)
        path = None if found is None else self._path(found.value)
        if found is not None and path is not None:
            self._name(path, found.attr, node.lineno, has_default=len(node.args) > 2)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if isinstance(item.optional_vars, ast.Name) and self._is_session(item.context_expr):
                self._sessions.add(item.optional_vars.id)
        self.generic_visit(node)

    def _is_session(self, node: ast.expr) -> bool:
        """Whether an expression makes a session of TensorFlow 1."""
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name):
            return called.id in _SESSIONS and called.id in self._imported
        if not isinstance(called, ast.Attribute) or called.attr not in _SESSIONS:
            return False
        return self._path(called.value) is not None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        of = node.value
        is_named = isinstance(of, ast.Name) and of.id in self._sessions
        if node.attr in ("run", "graph") and (is_named or self._is_session(of)):
            self._add(f"tensorflow.compat.v1.Session.{node.attr}", node.lineno, REASONS["session"])
        chain = [node.attr]
        value = node.value
        while isinstance(value, ast.Attribute) and self._path(value) is None:
            chain.insert(0, value.attr)
            value = value.value
        at = self._path(value)
        if at is None:
            self.generic_visit(node)
            return
        if isinstance(value, ast.Attribute | ast.Call):
            self.visit(value)
        for name in chain:
            at = self._name(at, name, node.lineno)
            if at is None:
                return

    def _path(self, node: ast.expr) -> str | None:
        """The module that an expression is."""
        if isinstance(node, ast.Name):
            return self._modules.get(node.id)
        if isinstance(node, ast.Call):
            asked = _asked_for(node)
            return None if asked is None else self._path(asked)
        if not isinstance(node, ast.Attribute):
            return None
        above = self._path(node.value)
        if above is not None:
            whole = f"{above}.{node.attr}" if above else node.attr
            return whole if is_module(whole) else None
        if not isinstance(node.value, ast.Name):
            return None
        held = ((holder, node.attr) for holder in self._holders(node.value.id))
        return next((self.held[key] for key in held if key in self.held), None)

    def _name(self, path: str, name: str, line: int, has_default: bool = False) -> str | None:
        """Note a name of a module; where it is a module itself, its path.

        Args:
            path: The module.
            name: The name.
            line: Where.
            has_default: Whether the program goes on without it.
        """
        if name.startswith("__"):
            return None
        full = f"{path}.{name}" if path else name
        try:
            found = find(path, name)
        except NotThereError as error:
            if not has_default:
                self._add(f"tensorflow.{full}", line, str(error).partition("'. ")[2])
            return None
        if isinstance(found, Namespace):
            return found.__name__.removeprefix("tensorflow").removeprefix(".")
        self._add(f"tensorflow.{full}", line)
        return None

    def _add(self, name: str, line: int, problem: str | None = None) -> None:
        path = name.removeprefix("tensorflow.").removeprefix("math.")
        differs = next((DIFFERS[part] for part in and_above(path) if part in DIFFERS), None)
        self.uses.setdefault(name, NameUse(line, name, problem, differs))


def _asked_for(node: ast.Call) -> ast.Attribute | None:
    """What `getattr(x, "name")` asks for."""
    if not isinstance(node.func, ast.Name) or node.func.id != "getattr" or len(node.args) < 2:
        return None
    name = node.args[1]
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    return ast.copy_location(ast.Attribute(node.args[0], name.value, ast.Load()), node)


def _modules_of(path: str) -> dict[str, str]:
    """The modules among what a star brings."""
    full = {name: f"{path}.{name}" if path else name for name in names_in(path)}
    return {name: place for name, place in full.items() if is_module(place)}


__all__ = ["Findings", "NameUse", "check", "imported_files"]
