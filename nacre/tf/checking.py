"""Which names of TensorFlow and Keras a program uses, and which of them are here, without running.

Names are followed through imports, `import a.b as c`, `from a import b`, and assignments of modules
(`layers = tf.keras.layers`). What a name holds that code computes is not known here.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

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


def check(text: str) -> Findings:
    """The names of TensorFlow and Keras in a program.

    Args:
        text: The program.

    Example:
        >>> found = check("import tensorflow as tf\\ntf.reduce_summ(1)\\ntf.reduce_sum(1)")
        >>> [(use.line, use.name) for use in found.missing]
        [(2, 'tensorflow.reduce_summ')]
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return Findings(broken=f"line {error.lineno}: {error.msg}")
    reader = _Reader()
    reader.visit(tree)
    return Findings(sorted(reader.uses.values(), key=lambda use: (use.line, use.name)))


_SESSIONS = ("Session", "InteractiveSession")


class _Reader(ast.NodeVisitor):
    def __init__(self) -> None:
        self.uses: dict[str, NameUse] = {}
        self._modules: dict[str, str] = {}  # name in the program -> path below tensorflow
        self._imported: set[str] = set()
        self._sessions: set[str] = set()  # names of what may be made, but not run

    # ------------------------------------------------------------ imports

    def visit_Import(self, node: ast.Import) -> None:
        for item in node.names:
            if self._refused(item.name, node.lineno):
                continue
            path = path_of(item.name)
            if path is None:
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
        if path is None or not self._module(path, node.lineno):
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
        path = self._path(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._sessions.discard(target.id)
                if self._is_session(node.value):
                    self._sessions.add(target.id)
                if path is not None:
                    self._modules[target.id] = path
                else:
                    self._modules.pop(target.id, None)

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
        while isinstance(value, ast.Attribute):
            chain.insert(0, value.attr)
            value = value.value
        if not isinstance(value, ast.Name) or value.id not in self._modules:
            self.generic_visit(node)
            return
        at: str | None = self._modules[value.id]
        for name in chain:
            at = self._name(at, name, node.lineno)
            if at is None:
                return

    def _path(self, node: ast.expr) -> str | None:
        """The module that an expression is."""
        if isinstance(node, ast.Name):
            return self._modules.get(node.id)
        if isinstance(node, ast.Attribute):
            above = self._path(node.value)
            if above is not None and is_module(f"{above}.{node.attr}" if above else node.attr):
                return f"{above}.{node.attr}" if above else node.attr
        return None

    def _name(self, path: str, name: str, line: int) -> str | None:
        """Note a name of a module; where it is a module itself, its path."""
        if name.startswith("__"):
            return None
        full = f"{path}.{name}" if path else name
        try:
            found = find(path, name)
        except NotThereError as error:
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


def _modules_of(path: str) -> dict[str, str]:
    """The modules among what a star brings."""
    full = {name: f"{path}.{name}" if path else name for name in names_in(path)}
    return {name: place for name, place in full.items() if is_module(place)}


__all__ = ["Findings", "NameUse", "check"]
