"""Rewrites a function so that its `if`, `for`, `while` and the like ask nacre what they mean.

    if x > 0:                 def _nacre_body_1():
        y = a                     nonlocal y
    else:                         y = a
        y = b                 def _nacre_else_1():
                                  nonlocal y
                                  y = b
                              _nacre_.if_(x > 0, _nacre_body_1, _nacre_else_1, _nacre_.Block(...))

What they mean is in `meaning.py`: with values the same as in Python. The code keeps the lines it
has in its file, and reads and writes the same variables of functions around it.
"""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import operator
import types
from collections.abc import Iterable, Sequence
from typing import Any

from nacre.tf.conversion.finding import Found
from nacre.tf.conversion.jumps import FLAG, VALUE, Jumps, Loop, has, is_function
from nacre.tf.conversion.percents import fills_a_text

OURS = "_nacre_"  # what the rewritten code calls the functions it asks

_CHANGING = frozenset(
    "add append appendleft clear discard extend extendleft insert pop popitem popleft remove "
    "reverse setdefault sort update".split()
)
# Functions that ask where they are called, or that are never more than themselves.
_AS_THEY_ARE = frozenset("super locals globals vars dir eval exec print isinstance hasattr".split())


def rewritten_code(found: Found, code: types.CodeType) -> types.CodeType | None:
    """The code of a function, rewritten; None for one that does what cannot be.

    Args:
        found: The function.
        code: Its code as it is.
    """
    made = rewritten_node(found)
    if made is None:
        return None
    compiled = _compiled(made, found.within, code)
    return None if compiled is None else _with_names(compiled, code.co_qualname)


def _compiled(
    made: ast.FunctionDef, within: str | None, code: types.CodeType
) -> types.CodeType | None:
    """The code of a definition in the place of another one."""
    # Private names begin with the name of the class; variables of functions around are arguments.
    inner: ast.stmt = made
    if within is not None:  # underscores in front change no private name, and hide not the class
        inner = ast.ClassDef("____" + within, [], [], [made], [])
    outer = ast.FunctionDef("_nacre_around", _arguments([OURS, *_free(code)]), [inner], [])
    # Not by its own name, which within it is the function that the script's name stands for.
    name, made.name = made.name, "_nacre_own"
    if hasattr(ast, "type_param"):  # Python 3.12
        for definition in (inner, outer):
            definition.type_params = []  # type: ignore[union-attr]
    module = ast.fix_missing_locations(ast.Module([outer], []))
    features = [getattr(__future__, name).compiler_flag for name in __future__.all_feature_names]
    flags = code.co_flags & functools.reduce(operator.or_, features)
    whole = compile(module, code.co_filename, "exec", flags, dont_inherit=True)
    found = _named(whole, made.name)
    return None if found is None else found.replace(co_name=name)


def rewritten_node(found: Found) -> ast.FunctionDef | None:
    """The syntax tree of a function, rewritten; None for one that does what cannot be.

    Args:
        found: The function.
    """
    node = copy.deepcopy(found.node)
    if has(node.body, ast.Yield | ast.YieldFrom | ast.Await):
        return None
    if any(isinstance(x, ast.Name) and x.id in ("locals", "exec", "eval") for x in ast.walk(node)):
        return None  # they would see the blocks
    if isinstance(node, ast.Lambda):
        made: Any = ast.copy_location(
            ast.FunctionDef(
                "_nacre_lambda", node.args, [ast.copy_location(ast.Return(node.body), node)], []
            ),
            node,
        )
    else:
        made = node
    made.decorator_list, made.returns = [], None
    _without_types(made.args)
    if not isinstance(node, ast.Lambda):
        made.body = Jumps().rewritten(made.body)
    _Function(made.args).change(made)
    return ast.fix_missing_locations(made)


def _with_names(code: types.CodeType, qualname: str) -> types.CodeType:
    """Code that tells of itself as the function's own: what blocks have become is nobody's word."""
    inner = tuple(
        _with_names(
            part,
            qualname
            if part.co_name.startswith("_nacre_")
            else f"{qualname}.<locals>.{part.co_name}",
        )
        if isinstance(part, types.CodeType)
        else part
        for part in code.co_consts
    )
    return code.replace(co_qualname=qualname, co_consts=inner)


def _free(code: types.CodeType) -> list[str]:
    return [name for name in code.co_freevars if name != OURS]


def _named(code: types.CodeType, name: str) -> types.CodeType | None:
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found = inner if inner.co_name == name else _named(inner, name)
            if found is not None:
                return found
    return None


def _arguments(names: Iterable[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def _without_types(arguments: ast.arguments) -> None:
    """Drop annotations, and what defaults are: those that the function has count."""
    stars = [arguments.vararg, arguments.kwarg]
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars):
        if one is not None:
            one.annotation = None
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    named = arguments.kw_defaults
    arguments.kw_defaults = [None if x is None else ast.Constant(None) for x in named]


# ------------------------------------------------------------------ what a block sets and reads


class _Stores(ast.NodeVisitor):
    """Names, attributes and items that statements set, those of functions within left out."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.places: dict[str, ast.expr] = {}  # `self.count`, `state["x"]`
        self.changed: dict[str, ast.expr] = {}  # lists and dicts that methods may change
        self.declared: dict[str, None] = {}  # names of the module
        self.stops: int | None = None  # the line of a `raise`

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del):
            self.names[node.id] = None

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store) and _is_path(node.value):
            self.places.setdefault(ast.unparse(node), node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del) and _is_path(node.value):
            is_fixed = isinstance(node.slice, ast.Constant) and isinstance(node.ctx, ast.Store)
            into = self.places if is_fixed else self.changed
            thing = node if is_fixed else node.value
            into.setdefault(ast.unparse(thing), thing)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _CHANGING:
            if _is_path(function.value):
                self.changed.setdefault(ast.unparse(function.value), function.value)
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.stops = self.stops or node.lineno

    def visit_Import(self, node: Any) -> None:
        for item in node.names:
            self.names[item.asname or item.name.partition(".")[0]] = None

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.names[node.name] = None
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.declared.update(dict.fromkeys(node.names))

    def visit_FunctionDef(self, node: Any) -> None:
        self.names[node.name] = None

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef

    def visit_MatchAs(self, node: Any) -> None:
        if node.name:
            self.names[node.name] = None
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.visit(node.iter)  # its own variables are nobody else's


def _is_path(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _root(node: ast.expr) -> str:
    while not isinstance(node, ast.Name):
        node = node.value  # type: ignore[attr-defined]
    return node.id


def _stores(nodes: Sequence[ast.AST]) -> _Stores:
    found = _Stores()
    for node in nodes:
        found.visit(node)
    return found


def _loads(nodes: Iterable[ast.AST]) -> dict[str, int]:
    """How often names are read, also in functions within."""
    counts: dict[str, int] = {}
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.AugAssign):
                part = part.target
            elif not (isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)):
                continue
            if isinstance(part, ast.Name):
                counts[part.id] = counts.get(part.id, 0) + 1
    return counts


# ------------------------------------------------------------------ rewriting


class _Function(ast.NodeTransformer):
    """Rewrites one function, and those within it each by itself.

    Args:
        arguments: Its arguments.
        around: Names of the functions it is within, up to the one that is rewritten.
    """

    def __init__(self, arguments: ast.arguments, around: frozenset[str] = frozenset()) -> None:
        self._arguments = _argument_names(arguments)
        self._inner = around | set(self._arguments)  # names that are not from outside
        self._count = 0
        self._kept: dict[str, None] = {}  # names that blocks set
        self._globals: frozenset[str] = frozenset()
        self._nonlocals: frozenset[str] = frozenset()

    def change(self, function: ast.FunctionDef) -> None:
        """Rewrite a function in place."""
        own = _own_statements(function.body)
        declared = [x for x in own if isinstance(x, ast.Global | ast.Nonlocal)]
        self._globals = frozenset(n for x in declared if isinstance(x, ast.Global) for n in x.names)
        self._nonlocals = frozenset(
            n for x in declared if isinstance(x, ast.Nonlocal) for n in x.names
        )
        self._inner |= set(_stores(function.body).names) - self._globals - self._nonlocals
        self._all_loads = _loads(function.body)
        for part in own:
            if self._is_block(part):
                self._kept |= _stores([part]).names
        body = self._statements(function.body)
        local = [n for n in self._kept if n not in self._globals | self._nonlocals]
        first = 1 if ast.get_docstring(function) is not None else 0
        function.body = [*body[:first], *_bound(local, function), *body[first:]]

    def _is_outside(self, place: ast.expr) -> bool:
        """Whether it is a list of the script's, not one that the function has made."""
        return isinstance(place, ast.Name) and place.id not in self._inner

    def _is_block(self, part: ast.AST) -> bool:
        """Whether a statement becomes functions: not where it holds a `return` that must stay."""
        if not isinstance(part, ast.If | Loop):
            return False
        return not has(part, ast.Return | ast.Break | ast.Continue) or (
            isinstance(part, ast.If) and _is_end(part)
        )

    def _statements(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for part in body:
            found = self.visit(part)
            out += found if isinstance(found, list) else [found]
        return out

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"_nacre_{kind}_{self._count}"

    # ------------------------------------------------------------ blocks

    def visit_If(self, node: ast.If) -> Any:
        if not self._is_block(node):
            return self.generic_visit(node)
        stores = _stores([*node.body, *node.orelse])
        is_end = has(node, ast.Return)
        body, other = self._name("body"), self._name("else")
        block, helpers = self._block(node, stores)
        definitions = [
            self._function(name, statements, [])
            for name, statements in ((body, node.body), (other, node.orelse))
        ]
        what = "if_return" if is_end else "if_"
        call = _ask(what, self.visit(node.test), _n(body), _n(other), block)
        last = ast.Return(call) if is_end else ast.Expr(call)
        return _placed(node, [*definitions, *helpers, last])

    def visit_While(self, node: ast.While) -> Any:
        if not self._is_block(node):
            return self.generic_visit(node)
        broken = getattr(node, "_nacre_broken", None)
        test: ast.expr = node.test
        if broken is not None:
            test = ast.BoolOp(ast.And(), [ast.UnaryOp(ast.Not(), _n(broken)), test])
        stores = _stores([*node.body, node.test])
        names = (self._name("test"), self._name("body"))
        block, helpers = self._block(node, stores)
        asked = self._function(names[0], [ast.Return(_like(node, test))], [])
        body = self._function(names[1], node.body, [])
        call = _ask("while_", _n(names[0]), _n(names[1]), block)
        return _placed(node, [asked, body, *helpers, ast.Expr(call)])

    def visit_For(self, node: ast.For) -> Any:
        if not self._is_block(node):
            return self.generic_visit(node)
        broken = getattr(node, "_nacre_broken", None)
        stores = _stores([*node.body, node.target])
        name, item = self._name("body"), self._name("item")
        block, helpers = self._block(node, stores)
        begin = ast.Assign([node.target], ast.Name(item, ast.Load()))
        body = self._function(name, [_like(node, begin), *node.body], [item])
        more: ast.expr = ast.Constant(None)
        if broken is not None:
            more = _lambda(_ask("not_", _n(broken)))
        call = _ask("for_", self.visit(node.iter), more, _n(name), block)
        return _placed(node, [body, *helpers, ast.Expr(call)])

    def _function(
        self, name: str, body: Sequence[ast.stmt], arguments: list[str]
    ) -> ast.FunctionDef:
        """A block as a function that sets the variables of the one around it."""
        inner = _stores(body).names
        made = ast.FunctionDef(name, _arguments(arguments), [], [])
        if hasattr(ast, "type_param"):
            made.type_params = []
        statements = [
            x for x in self._statements(body) if not isinstance(x, ast.Global | ast.Nonlocal)
        ]
        made.body = [*self._declared(inner), *statements] or [ast.Pass()]
        if not statements:
            made.body.append(ast.Pass())
        return made

    def _declared(self, names: Iterable[str]) -> list[ast.stmt]:
        outside = [n for n in names if n in self._globals]
        around = [n for n in names if n not in self._globals]
        out: list[ast.stmt] = []
        if outside:
            out.append(ast.Global(outside))
        if around:
            out.append(ast.Nonlocal(around))
        return out

    def _block(self, node: Any, stores: _Stores) -> tuple[ast.expr, list[ast.stmt]]:
        """What is told of a block: how to read and set what it sets, and what it does else."""
        names = [n for n in stores.names if n not in self._globals]
        places = {k: v for k, v in stores.places.items() if _root(v) not in stores.names}
        get, put = self._name("get"), self._name("put")
        read: list[ast.expr] = [_ask("held", _lambda(_n(n)), _c(n)) for n in names]
        read += [_ask("held", _lambda(_loaded(v)), _c(k)) for k, v in places.items()]
        reader = ast.FunctionDef(get, _arguments([]), [ast.Return(ast.Tuple(read, ast.Load()))], [])
        given = "_nacre_given"
        writes: list[ast.stmt] = [*self._declared(names)]
        for at, name in enumerate(names):
            value = ast.Subscript(_n(given), _c(at), ast.Load())
            writes.append(ast.Assign([ast.Name(name, ast.Store())], value))
        for at, place in enumerate(places.values(), len(names)):
            value = ast.Subscript(_n(given), _c(at), ast.Load())
            owner: Any = place
            key = _c(owner.attr) if isinstance(owner, ast.Attribute) else owner.slice
            kind = "put_attribute" if isinstance(owner, ast.Attribute) else "put_item"
            writes.append(ast.Expr(_ask(kind, _loaded(owner.value), copy.deepcopy(key), value)))
        writer = ast.FunctionDef(put, _arguments([given]), writes or [ast.Pass()], [])
        if hasattr(ast, "type_param"):
            reader.type_params = writer.type_params = []
        within = _loads([node])
        later = [n for n in names if self._all_loads.get(n, 0) > within.get(n, 0)]
        changed: list[ast.expr] = [
            ast.Tuple([_c(k), _lambda(_loaded(v)), _c(self._is_outside(v))], ast.Load())
            for k, v in stores.changed.items()
            if _root(v) not in stores.names
        ]
        changed += [
            ast.Tuple([_c(n), _lambda(_c(None)), _c(False)], ast.Load())
            for n in stores.names
            if n in self._globals
        ]
        told = _ask(
            "Block", _n(get), _n(put), _c((*names, *places)), _c(tuple(later)),
            ast.Tuple(changed, ast.Load()), _c(stores.stops), _c(node.lineno),
        )  # fmt: skip
        return told, [reader, writer]

    # ------------------------------------------------------------ expressions

    def visit_Name(self, node: ast.Name) -> Any:
        if isinstance(node.ctx, ast.Load) and node.id in self._kept:
            if node.id not in self._globals and not node.id.startswith(FLAG):
                return ast.copy_location(_ask("known", node), node)
        return node

    def visit_Delete(self, node: ast.Delete) -> Any:
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        if _has_walrus(node):
            return self.generic_visit(node)
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        parts = [_lambda(self.visit(value)) for value in node.values]
        return ast.copy_location(_ask(name, *parts), node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        self.generic_visit(node)
        if fills_a_text(node):
            node.right = _like(node.right, _ask("one_value", node.right))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.copy_location(_ask("not_", node.operand), node)
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        inner = node.comparators[:-1]
        if not inner or not all(isinstance(x, ast.Name | ast.Constant) for x in inner):
            return self.generic_visit(node)
        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        parts: list[ast.expr] = [
            ast.copy_location(ast.Compare(a, [op], [b]), node) for a, op, b in pairs
        ]
        return self.visit(ast.copy_location(ast.BoolOp(ast.And(), copy.deepcopy(parts)), node))

    def visit_IfExp(self, node: ast.IfExp) -> Any:
        if _has_walrus(node):
            return self.generic_visit(node)
        self.generic_visit(node)
        line = _c(node.lineno)
        made = _ask("if_else", node.test, _lambda(node.body), _lambda(node.orelse), line)
        return ast.copy_location(made, node)

    def visit_Assert(self, node: ast.Assert) -> Any:
        self.generic_visit(node)
        told = _lambda(node.msg or _c(None))
        return ast.copy_location(ast.Expr(_ask("assert_", node.test, told)), node)

    def visit_Call(self, node: ast.Call) -> Any:
        function = node.func
        self.generic_visit(node)
        if isinstance(function, ast.Name) and function.id in _AS_THEY_ARE:
            if function.id == "super" and not node.args:
                if self._arguments:  # a block has none, of which it could tell the object
                    node.args = [_n("__class__"), _n(self._arguments[0])]
            return node
        is_value = isinstance(function, ast.Attribute) and function.attr == "value"
        asked = "call_value" if is_value and not node.args and not node.keywords else "call"
        node.func = ast.copy_location(_ask(asked, node.func), function)
        return node

    # ------------------------------------------------------------ functions within

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.decorator_list = [self.visit(x) for x in node.decorator_list]
        if has(node.body, ast.Yield | ast.YieldFrom | ast.Await):
            return node
        node.body = Jumps().rewritten(node.body)
        _Function(node.args, self._inner).change(node)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        inner = _Function(node.args, self._inner)
        kept = {n: None for n in self._kept if n not in _argument_names(node.args)}
        inner._kept, inner._globals = kept, self._globals
        node.body = inner.visit(node.body)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return node

    def _comprehension(self, node: Any) -> Any:
        own = {x.id for g in node.generators for x in ast.walk(g.target) if isinstance(x, ast.Name)}
        kept, self._kept = self._kept, {n: None for n in self._kept if n not in own}
        self.generic_visit(node)
        self._kept = kept
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def _own_statements(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements of a function, those within blocks too, in order."""
    found: list[ast.stmt] = []
    for part in body:
        found.append(part)
        if not is_function(part):
            for child in ast.iter_child_nodes(part):
                blocks = [child] if isinstance(child, ast.stmt) else []
                if isinstance(child, ast.ExceptHandler | ast.match_case):
                    blocks = child.body
                found += _own_statements(blocks)
    return found


def _is_end(node: ast.If) -> bool:
    """Whether both ways through an `if` end in a `return`, and nothing else jumps out of it."""
    from nacre.tf.conversion.jumps import always_returns

    if has(node, ast.Break | ast.Continue):
        return False
    return always_returns(node.body) and always_returns(node.orelse)


def _argument_names(arguments: ast.arguments) -> list[str]:
    stars = [x for x in (arguments.vararg, arguments.kwarg) if x is not None]
    return [x.arg for x in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars)]


def _has_walrus(node: ast.AST) -> bool:
    return any(isinstance(x, ast.NamedExpr) for x in ast.walk(node))


def _bound(names: list[str], place: ast.FunctionDef) -> list[ast.stmt]:
    """Make names variables of the function, without setting them."""
    if not names:
        return []
    targets = [ast.Assign([ast.Name(n, ast.Store())], _c(None)) for n in names]
    return [_like(place, ast.If(_c(False), list[ast.stmt](targets), []))]


def _loaded(node: ast.expr) -> ast.expr:
    made = copy.deepcopy(node)
    for part in ast.walk(made):
        if hasattr(part, "ctx"):
            part.ctx = ast.Load()  # type: ignore[attr-defined]
    return made


def _n(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _c(value: Any) -> ast.expr:
    if isinstance(value, tuple):
        return ast.Tuple([_c(x) for x in value], ast.Load())
    return ast.Constant(value)


def _lambda(body: ast.expr) -> ast.Lambda:
    return ast.Lambda(_arguments([]), body)


def _ask(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(_n(OURS), name, ast.Load()), list(args), [])


def _placed(place: ast.stmt, made: list[ast.stmt]) -> list[ast.stmt]:
    return [_like(place, x) for x in made]


def _like(place: ast.AST, node: Any) -> Any:
    for part in ast.walk(node):
        if isinstance(part, ast.stmt | ast.expr | ast.arg) and not hasattr(part, "lineno"):
            ast.copy_location(part, place)
    return node


__all__ = ["OURS", "VALUE", "rewritten_code"]
