"""`"shape %s" % x.shape`: a shape of TensorFlow's is one value there, and a tuple here.

Python spreads every tuple over the places of a text, also one of a class of its own. So where the
text of a script stands on the left, the right side is asked whether it is a shape.
"""

from __future__ import annotations

import ast
from typing import Any

from nacre.tf.shapes import TensorShape


def one_value(value: Any) -> Any:
    """What `%` of a text takes: a shape as the one value that it is."""
    return (value,) if isinstance(value, TensorShape) else value


class _Percents(ast.NodeTransformer):
    """Lets `one_value` see the right sides; it is reached by no name that a script could change."""

    def __init__(self) -> None:
        self.is_changed = False

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not fills_a_text(node):
            return node
        self.is_changed = True
        module = ast.Call(
            ast.Name("__import__", ast.Load()),
            [ast.Constant(__name__), ast.Constant(None), ast.Constant(None), _names()],
            [],
        )
        ask = ast.Attribute(module, one_value.__name__, ast.Load())
        node.right = ast.copy_location(ast.Call(ask, [node.right], []), node.right)
        ast.fix_missing_locations(node)
        return node


def _names() -> ast.expr:
    return ast.Tuple([ast.Constant(one_value.__name__)], ast.Load())


def fills_a_text(node: ast.BinOp) -> bool:
    """Whether it is `"text" % value`, of one value that may be a shape."""
    return (
        isinstance(node.op, ast.Mod)
        and _is_text(node.left)
        and not isinstance(node.right, ast.Tuple | ast.Dict | ast.Constant)
    )


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def with_shapes_as_one(tree: ast.Module) -> bool:
    """Change the tree of a script's text in place; whether there was something to change."""
    change = _Percents()
    change.visit(tree)
    return change.is_changed


__all__ = ["fills_a_text", "one_value", "with_shapes_as_one"]
