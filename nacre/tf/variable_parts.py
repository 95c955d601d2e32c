"""Parts of variables that are assigned: `v[1:].assign(x)`, `v.scatter_add(rows)`.

What a variable gives for `v[1:]` is an array. Which part of which variable it was is kept beside
it for as long as it lives, so that its `assign` can find it; other arrays have no `assign`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, PositionError, ShapeError, message
from nacre.core.run_checks import check_in_program
from nacre.core.scope import get_stateless_scope
from nacre.core.tracing import is_bare, is_tracer
from nacre.core.variable import Variable
from nacre.tf.more_values import IndexedSlices
from nacre.tf.values import tensor

# By which array it is: the array itself (weakly), its variable, and what was between the brackets.
_PARTS: dict[int, tuple[Any, Variable, Any]] = {}


def noting(get: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Indexing of a variable that notes which part of it an array is."""

    def getitem(self: Any, key: Any) -> Any:
        found = get(self, key)
        place = id(found)
        try:
            kept = weakref.ref(found, lambda _, parts=_PARTS: parts.pop(place, None))
        except TypeError:  # a symbolic tensor, which is not assigned
            return found
        _PARTS[place] = (kept, self, key)
        return found

    return getitem


def _assign(part: Any) -> Callable[..., Any]:
    """`assign` of a part of a variable; no other array has it."""
    kept = _PARTS.get(id(part))
    if kept is None or kept[0]() is not part:
        raise AttributeError(
            "a tensor has no 'assign': only a tf.Variable, or a part of one, v[1:]"
        )
    _, variable, key = kept

    def assign(value: Any, name: Any = None) -> Any:
        """Set this part of the variable, and return the whole.

        Args:
            value: One number, or of the part's shape.
            name: Accepted for compatibility.
        """
        new = tensor(value, variable.own_dtype)
        if new.ndim and tuple(new.shape) != tuple(part.shape):
            rule = f"what is assigned to this part must have shape {tuple(part.shape)}"
            raise ShapeError(message(_who(variable), rule, f"shape {tuple(new.shape)}"))
        return variable.assign(_renewed(variable, _plain(key), new, "set"))

    return assign


ASSIGN = property(_assign)


def _plain(key: Any) -> Any:
    """What is between the brackets, as JAX takes it."""
    if isinstance(key, tuple):
        return tuple(map(_plain, key))
    if isinstance(key, slice):
        ends = (key.start, key.stop, key.step)
        return slice(*(None if end is None else int(end) for end in ends))
    if isinstance(key, Variable):
        return key.value
    return np.asarray(key) if isinstance(key, list | np.ndarray) else key


def _who(variable: Variable) -> str:
    return f"Variable '{variable.path}'"


def _in_range(variable: Variable, indices: Any, sizes: tuple[int, ...]) -> None:
    """Raise where a place lies outside; in a compiled function when it runs.

    Without it XLA leaves such a place out, and counts a negative one from the end.
    """
    last = np.asarray(sizes, np.int32)
    rule = f"places must lie within {sizes}"

    def failure(found: Any) -> Exception:
        return PositionError(message(_who(variable), rule, str(np.asarray(found).tolist())))

    if is_tracer(indices):
        check_in_program(jnp.all((indices >= 0) & (indices < last)), failure, indices)
    else:
        found = np.asarray(indices)
        if np.any((found < 0) | (found >= last)):
            raise failure(found)


def _renewed(variable: Variable, key: Any, new: Any, how: str) -> Any:
    """The whole with a part changed. Outside of programs whole numbers of 64 bits are that."""
    dtype = variable.own_dtype
    if dtype not in ("int64", "uint64") or get_stateless_scope() is not None or not is_bare():
        return getattr(variable.raw_value.at[key], how)(jnp.asarray(new))
    with jax.enable_x64(True):
        current = jnp.asarray(variable.numpy().astype(dtype))
        return np.asarray(getattr(current.at[key], how)(jnp.asarray(np.asarray(new, dtype))))


def _changed(variable: Variable, key: Any, updates: Any, how: str) -> Any:
    new = tensor(updates, variable.own_dtype)
    wanted = jax.eval_shape(lambda x: x[key], variable.raw_value).shape
    if new.ndim and tuple(new.shape) != tuple(wanted):
        rule = f"there must be values of shape {tuple(wanted)} for these places"
        raise ShapeError(message(_who(variable), rule, f"shape {tuple(new.shape)}"))
    if how == "sub":
        how, new = "add", -new
    return variable.assign(_renewed(variable, key, new, how))


def _scatter(how: str, told: str) -> Callable[..., Any]:
    def scatter(self: Any, sparse_delta: Any, use_locking: bool = False, name: Any = None) -> Any:
        if not isinstance(sparse_delta, IndexedSlices):
            fix = "Pass tf.IndexedSlices(values, indices)."
            got = type(sparse_delta).__name__
            raise ArgumentError(message(_who(self), "rows come as tf.IndexedSlices", got, fix))
        indices = sparse_delta.indices
        _in_range(self, indices, self.shape[:1])
        return _changed(self, jnp.asarray(indices), sparse_delta.values, how)

    scatter.__doc__ = f"{told} rows, and return the whole."
    return scatter


def _scatter_nd(how: str, told: str) -> Callable[..., Any]:
    def scatter(self: Any, indices: Any, updates: Any, name: Any = None) -> Any:
        places = tensor(indices)
        _in_range(self, places, tuple(self.shape[: places.shape[-1]]))
        return _changed(self, tuple(jnp.moveaxis(jnp.asarray(places), -1, 0)), updates, how)

    scatter.__doc__ = f"{told} what lies at places, and return the whole."
    return scatter


def _rows(self: Any, indices: Any, name: Any = None) -> Any:
    """Rows of the variable."""
    from nacre.tf.rows import made

    return made("", "gather")(self, indices)


def _at(self: Any, indices: Any, name: Any = None) -> Any:
    """What lies at places of the variable."""
    from nacre.tf.rows import made

    return made("", "gather_nd")(self, indices)


_HOW = {
    "add": ("add", "Add to"), "sub": ("sub", "Subtract from"), "update": ("set", "Set"),
    "max": ("max", "Raise"), "min": ("min", "Lower"),
}  # fmt: skip

# What a variable is lent.
OF_VARIABLES: dict[str, Any] = {
    **{f"scatter_{name}": _scatter(*how) for name, how in _HOW.items()},
    **{f"scatter_nd_{name}": _scatter_nd(*how) for name, how in _HOW.items()},
    "scatter_mul": _scatter("multiply", "Multiply"),
    "scatter_div": _scatter("divide", "Divide"),
    "sparse_read": _rows,
    "gather_nd": _at,
}

__all__ = ["ASSIGN", "OF_VARIABLES", "noting"]
