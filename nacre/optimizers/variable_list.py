"""The list of an optimizer's variables, as both generations of Keras read it."""

# The one function of JAX here whose arguments have no types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable

import jax

from nacre.core.variable import Variable


class VariableList(list[Variable]):
    """A list that can also be called, which gives the list itself.

    `optimizer.variables` is a list in Keras 3 and a method in tf.keras 2, where scripts call it.

    Example:
        >>> made = VariableList([Variable([1.0])])
        >>> made() is made, len(made)
        (True, 1)
    """

    def __call__(self) -> VariableList:
        """The list itself."""
        return self


def _parts(variables: VariableList) -> tuple[list[Variable], None]:
    return list(variables), None


def _from_parts(_: None, parts: Iterable[Variable]) -> VariableList:
    return VariableList(parts)


# JAX takes a class that it does not know for a single value, not for a list of them.
jax.tree_util.register_pytree_node(VariableList, _parts, _from_parts)
