"""Rewrites `return`, `break` and `continue` so that each ends a block and leaves no loop.

Afterwards a `return` stands only at the end of the function, or at the ends of an `if` that nothing
follows; `break` and `continue` are flags that later statements ask.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeGuard

# Names that only this package makes. Of those of the first kind it is known that they are asked
# for only where they were set.
VALUE, FLAG = "_nacre_value", "_nacre_flag"
Loop = ast.For | ast.While


class Jumps:
    """Rewrites the statements of one function."""

    def __init__(self) -> None:
        self._count = 0

    def rewritten(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements of a function, rewritten."""
        return self._loops(self._ended(list(body)))

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    # ------------------------------------------------------------ return

    def _ended(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """A block that ends the function, with its returns at ends."""
        for at, part in enumerate(body):
            before, rest = body[:at], body[at + 1 :]
            if isinstance(part, ast.Return):
                return [*before, part]
            if not has(part, ast.Return) or _is_plain_return(part):
                continue
            if isinstance(part, ast.If):
                is_first, is_second = always_returns(part.body), always_returns(part.orelse)
                if is_first or is_second or not rest:
                    part.body = self._ended([*part.body, *([] if is_first else rest)])
                    part.orelse = self._ended([*part.orelse, *([] if is_second else rest)])
                    for block in (part.body, part.orelse):
                        if not always_returns(block):
                            block.append(_like(part, ast.Return(value=None)))
                    return [*before, part]
            flag, value = self._new(FLAG), self._new(VALUE)
            begin = _like(part, _assign(flag, ast.Constant(False)))
            given = _like(part, ast.Return(value=ast.Name(value, ast.Load())))
            ask = _like(part, ast.If(ast.Name(flag, ast.Load()), [given], []))
            return [*before, begin, *self._flagged([part], flag, value), *self._ended([ask, *rest])]
        return body

    def _flagged(
        self, body: list[ast.stmt], flag: str, value: str, in_loop: bool = False
    ) -> list[ast.stmt]:
        """Returns as a flag and a value; what follows asks for the flag."""
        out: list[ast.stmt] = []
        for at, part in enumerate(body):
            if isinstance(part, ast.Return):
                given = part.value or ast.Constant(None)
                out += [
                    _like(part, _assign(value, given)),
                    _like(part, _assign(flag, ast.Constant(True))),
                ]
                if in_loop:
                    out.append(_like(part, ast.Break()))
                return out
            if not has(part, ast.Return):
                out.append(part)
                continue
            is_loop = isinstance(part, Loop)
            flagged = partial(self._flagged, flag=flag, value=value, in_loop=in_loop or is_loop)
            _each_block(part, flagged)
            _guard_else(part, flag)
            out.append(part)
            rest = body[at + 1 :]
            if in_loop and is_loop:
                test = ast.Name(flag, ast.Load())
                out.append(_like(part, ast.If(test, [_like(part, ast.Break())], [])))
            elif rest and not in_loop:
                inner = self._flagged(rest, flag, value, in_loop)
                out.append(_unless(part, flag, inner))
                return out
        return out

    # ------------------------------------------------------------ break, continue

    def _loops(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """Loops without `break`, `continue` and `else`, the inner ones first."""
        out: list[ast.stmt] = []
        for part in body:
            _each_block(part, self._loops)
            out += self._loop(part) if isinstance(part, Loop) else [part]
        return out

    def _loop(self, loop: Loop) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        broken = self._new(FLAG) if _jumps(loop.body, ast.Break) else None
        skipped = self._new(FLAG) if _jumps(loop.body, ast.Continue) else None
        if skipped is not None:
            body = self._guarded(loop.body, ast.Continue, skipped)
            loop.body = [_like(loop, _assign(skipped, ast.Constant(False))), *body]
        after = loop.orelse
        loop.orelse = []
        if broken is not None:
            loop.body = self._guarded(loop.body, ast.Break, broken)
            out.append(_like(loop, _assign(broken, ast.Constant(False))))
            loop._nacre_broken = broken  # type: ignore[attr-defined]
            after = [_unless(loop, broken, after)] if after else []
        return [*out, loop, *after]

    def _guarded(self, body: list[ast.stmt], kind: type[ast.stmt], flag: str) -> list[ast.stmt]:
        """A flag in the place of one kind of jump; what follows asks for it."""
        out: list[ast.stmt] = []
        for at, part in enumerate(body):
            if isinstance(part, kind):
                return [*out, _like(part, _assign(flag, ast.Constant(True)))]
            out.append(part)
            if isinstance(part, Loop) or not _jumps([part], kind):
                continue
            _each_block(part, lambda block: self._guarded(block, kind, flag))
            _guard_else(part, flag)
            rest = body[at + 1 :]
            if rest:
                return [*out, _unless(part, flag, self._guarded(rest, kind, flag))]
        return out


def has(node: ast.AST | Sequence[ast.AST], kinds: Any) -> bool:
    """Whether a statement has one of a kind within it, those of functions within it left out."""
    nodes = [node] if isinstance(node, ast.AST) else node
    return any(isinstance(part, kinds) for part in _own(nodes))


def _own(nodes: Sequence[ast.AST]) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in nodes:
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            found += _own(list(ast.iter_child_nodes(node)))
    return found


def _jumps(body: Sequence[ast.stmt], kind: type[ast.stmt]) -> bool:
    """Whether statements of a loop have a jump of its own, none of a loop within."""
    for part in body:
        if isinstance(part, kind):
            return True
        if is_function(part) or isinstance(part, Loop):
            continue
        if any(_jumps(block, kind) for block in _blocks(part)):
            return True
    return False


def is_function(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Whether a statement has code of its own."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def always_returns(body: Sequence[ast.stmt]) -> bool:
    """Whether nothing after a block is reached from it."""
    if not body:
        return False
    end = body[-1]
    if isinstance(end, ast.If):
        return always_returns(end.body) and always_returns(end.orelse)
    if isinstance(end, ast.With):
        return always_returns(end.body)
    return isinstance(end, ast.Return | ast.Raise)


def _is_plain_return(part: ast.stmt) -> bool:
    """Whether the returns of a `with` or `try` depend on no `if` and loop within it."""
    if isinstance(part, ast.If | Loop):
        return False
    inner = [x for block in _blocks(part) for x in block if has(x, ast.Return)]
    return all(isinstance(x, ast.Return) or _is_plain_return(x) for x in inner)


def _blocks(part: ast.stmt) -> list[list[ast.stmt]]:
    found = [getattr(part, name) for name in _BLOCKS if getattr(part, name, None)]
    for handler in getattr(part, "handlers", ()):
        found.append(handler.body)
    for case in getattr(part, "cases", ()):
        found.append(case.body)
    return found


_BLOCKS = ("body", "orelse", "finalbody")


def _each_block(part: ast.stmt, change: Callable[[list[ast.stmt]], list[ast.stmt]]) -> None:
    """Change the blocks of a statement."""
    if is_function(part):
        return
    for name in _BLOCKS:
        if isinstance(block := getattr(part, name, None), list) and block:
            setattr(part, name, change(block))
    for inner in (*getattr(part, "handlers", ()), *getattr(part, "cases", ())):
        inner.body = change(inner.body)


def _guard_else(part: ast.stmt, flag: str) -> None:
    """What follows a `try` without an error is no more reached by a jump that is a flag now."""
    if isinstance(part, ast.Try) and part.orelse:
        part.orelse = [_unless(part, flag, part.orelse)]


def _assign(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _unless(place: ast.stmt, flag: str, body: list[ast.stmt]) -> ast.stmt:
    test = ast.UnaryOp(ast.Not(), ast.Name(flag, ast.Load()))
    return _like(place, ast.If(test, body, []))


def _like(place: ast.AST, node: Any) -> Any:
    """A new node that stands where another one does."""
    for part in ast.walk(node):
        if isinstance(part, ast.stmt | ast.expr) and not hasattr(part, "lineno"):
            ast.copy_location(part, place)
    return node


__all__ = ["FLAG", "VALUE", "Jumps", "Loop", "always_returns", "has", "is_function"]
