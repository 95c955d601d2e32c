"""Reads rows of the table: what a name of TensorFlow's is, when it is first asked for."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nacre.tf.table import ROWS, SAME

if TYPE_CHECKING:
    from nacre.ops._op import Op

# Where functions stand that layers take as activations, and names that nacre.activations has of
# them besides their own.
_ACTIVATIONS_IN = ("", "math", "nn")
# What may stand in the graph of a file.
_OF_TENSORS = ("", "math", "nn", "linalg", "bitwise", "signal", "image")
_CALL_OTHERS = ("cond", "switch_case", "vectorized_map")
_AS_ACTIVATIONS = {"identity": "linear", "exp": "exponential", "swish": "silu"}


class Row:
    """One row.

    Args:
        text: The row.

    Attributes:
        name: The name.
        arguments: Of a function, its arguments as they are written.
        target: What it computes, or `module:object`.
    """

    def __init__(self, text: str) -> None:
        left, _, self.target = text.partition(" = " if ") = " not in text else ") = ")
        name, bracket, arguments = left.partition("(")
        self.name, self.arguments = name, arguments if bracket else None

    @property
    def is_face(self) -> bool:
        """Whether it names an object, and computes nothing of its own."""
        return self.arguments is None


@functools.cache
def rows_of(module: str) -> dict[str, Row]:
    """The rows of a module of TensorFlow's, by name; those it has of others too.

    Args:
        module: Its name below `tensorflow`, such as 'math'; '' for the package itself.
    """
    found = {row.name: row for row in map(Row, ROWS.get(module, "").strip().splitlines())}
    for other, names in SAME.get(module, {}).items():
        theirs = {row.name: row for row in map(Row, ROWS[other].strip().splitlines())}
        found |= {name: theirs[name] for name in names.split()}
    return found


@functools.cache
def home_of(module: str, name: str) -> str:
    """The module whose rows have a name: `math` for `tf.abs`."""
    for other, names in SAME.get(module, {}).items():
        if name in names.split():
            return other
    return module


@functools.cache
def made(module: str, name: str) -> Any:
    """What a name is.

    Args:
        module, name: Where it stands in the table.
    """
    row = rows_of(module)[name]
    if row.is_face:
        place, _, attribute = row.target.partition(":")
        return getattr(importlib.import_module(place), attribute)
    function = _function(row, f"tf.{module}.{name}" if module else f"tf.{name}")
    if module in _ACTIVATIONS_IN:
        _name_in_configs(function, _AS_ACTIVATIONS.get(name, name))
    return function


def op_of(path: str) -> Op | None:
    """What a call of a function is in a graph, for a config that names it.

    A file may name functions of tensors only: none that opens files or calls other functions.

    Args:
        path: As it was written, 'tf.math.square'.
    """
    from nacre.tf import sized_calls
    from nacre.tf.symbols import op_by

    if path == sized_calls.PATH:
        return sized_calls.op()
    module, _, name = path.removeprefix("tf").lstrip(".").rpartition(".")
    row = rows_of(module).get(name) if module in _OF_TENSORS else None
    if row is None or row.is_face or name in _CALL_OTHERS:
        return None
    return op_by(made(home_of(module, name), name))


def _name_in_configs(function: Callable[..., Any], name: str) -> None:
    """Let a model whose activation it is be loaded again, also by Keras."""
    from nacre.activations import CONFIG_FUNCTIONS
    from nacre.core.registry import write_as

    if name in CONFIG_FUNCTIONS:
        write_as(function, name)


def _function(row: Row, path: str) -> Callable[..., Any]:
    from nacre.tf.symbols import on_symbols

    assert row.arguments is not None
    parts = [row.arguments] if row.arguments else []
    if "**" not in row.arguments:
        parts.append("name=None")
    source = f"def face({', '.join(parts)}):\n    return {row.target}\n"
    code = ast.parse(source, f"<table of nacre.tf: {path}>")
    names = {part.id for part in ast.walk(code) if isinstance(part, ast.Name)}
    scope = {name: _meaning(name) for name in names if not hasattr(builtins, name)}
    scope = {key: value for key, value in scope.items() if value is not None}
    unknown = names - set(scope) - set(dir(builtins)) - _arguments(code)
    if unknown:
        raise AssertionError(f"{path}: the row names {sorted(unknown)}, which mean nothing")
    exec(compile(code, f"<table of nacre.tf: {path}>", "exec"), scope)
    function = scope["face"]
    function.__name__ = row.name
    function.__module__, function.__qualname__ = "tensorflow", path.removeprefix("tf.")
    function.__doc__ = f"`{path}`: {row.target}"
    return on_symbols(function, path)


def _arguments(code: ast.Module) -> set[str]:
    return {part.arg for part in ast.walk(code) if isinstance(part, ast.arg)} | {
        part.id
        for part in ast.walk(code)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _meaning(name: str) -> Any:
    """What a name on the right of a row, or a default on the left, means; None for an argument."""
    import jax.scipy.special as special
    import numpy as np

    from nacre import ops, random
    from nacre.core import tree
    from nacre.tf import (
        arguments,
        arranging,
        bytes_of_tensors,
        checks,
        formulas,
        loops,
        making,
        matrices,
        more_networks,
        more_numbers,
        more_pictures,
        networks,
        pictures,
        randoms,
        running,
        sampling,
        signals,
        sparse_tensors,
    )
    from nacre.tf.dtypes import DTYPES
    from nacre.tf.nodes import OPS, node

    modules = {"ops": ops, "random": random, "tree": tree, "np": np, "special": special}
    if name in modules:
        return modules[name]
    parts = (arguments, making, arranging, formulas, networks, running, loops)
    others = (more_pictures, signals, sparse_tensors, bytes_of_tensors)
    others = (*others, matrices, more_numbers, more_networks, sampling)
    for module in (*parts, randoms, pictures, checks, *others):
        if hasattr(module, name):
            return getattr(module, name)
    return node(name) if name in OPS else DTYPES.get(name)


def signature(module: str, name: str) -> str | None:
    """The arguments of a function as the table has them; None for classes and the like."""
    try:
        return str(inspect.signature(made(module, name)))
    except (TypeError, ValueError):
        return None


__all__ = ["Row", "home_of", "made", "rows_of", "signature"]
