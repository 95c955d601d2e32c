"""What JAX says of a traced function, in plain words: the one place that knows its classes.

JAX up to 0.10 has an open `Jaxpr` and a `ClosedJaxpr` with constants around it; 0.11 made them one
class. Both have the attributes that are read here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.export
import numpy as np
from jax.extend.core import Literal

from nacre.export.graph.opset import Type
from nacre.export.graph.sizes import Size, parse_size
from nacre.ops.kernels.placement import plain_xla

KEY = "key"  # stands for the dtype of random keys
LAYER = "layer:"  # begins a name in JAX's stack of names that is a layer's


@dataclass(frozen=True)
class Equation:
    """One equation.

    Attributes:
        primitive: Its name.
        params: Its parameters.
        inputs, outputs: What it reads, literals among them, and what it makes: JAX's variables.
        layer: Path of the layer it came from, as far as its own function knows.
    """

    primitive: str
    params: dict[str, Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    layer: str


@dataclass(frozen=True)
class Body:
    """A traced function.

    Attributes:
        constants: Variables that stand for arrays, each with its array.
        inputs, outputs: Its variables; outputs may be literals.
        equations: In order.
    """

    constants: tuple[tuple[Any, Any], ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    equations: tuple[Equation, ...]


def traced(function: Callable[..., Any], *arguments: Any) -> Body:
    """A function of arrays, traced, with ops made of primitives that any backend has.

    Args:
        function: Takes arrays, returns a flat list of them.
        arguments: Arrays, or shapes and dtypes with sizes that may be symbolic.
    """
    with plain_xla():
        return body_of(jax.make_jaxpr(lambda *values: function(*values))(*arguments))


def body_of(value: Any) -> Body:
    """A function that is a parameter of an equation."""
    jaxpr = getattr(value, "jaxpr", value)
    equations = tuple(
        Equation(
            e.primitive.name,
            e.params,
            tuple(e.invars),
            tuple(e.outvars),
            _layer(e.source_info.name_stack),
        )
        for e in jaxpr.eqns
    )
    constants = tuple(zip(jaxpr.constvars, getattr(value, "consts", ()), strict=True))
    return Body(constants, tuple(jaxpr.invars), tuple(jaxpr.outvars), equations)


def _layer(stack: Any) -> str:
    """The layers among the names that JAX has stacked."""
    names = [getattr(part, "name", "") for part in getattr(stack, "stack", ())]
    return "/".join(n.removeprefix(LAYER) for n in names if n.startswith(LAYER))


def expanded(equation: Equation) -> Body | None:
    """What an operation of JAX 0.12's that knows its own rules (`searchsorted`) is made of."""
    operation: Any = equation.params.get("_prim")
    if not hasattr(operation, "expand"):
        return None

    def run(*values: Any) -> list[Any]:
        arguments = jax.tree.unflatten(operation.in_tree, values)
        return jax.tree.leaves(operation.expand(*arguments))

    avals = (variable.aval for variable in equation.inputs)
    return traced(run, *(jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals))


def scan_counts(params: dict[str, Any]) -> tuple[int, int]:
    """How many inputs of a scan are constants, and how many the state: JAX up to 0.10 says the
    numbers, 0.12 how the inputs are grouped."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    constants, state, _ = params["ft_in"].unpack()
    return len(constants), len(state)


def literal(atom: Any) -> np.ndarray | None:
    """The array that stands in the place of a variable; None where there is a variable."""
    return np.asarray(atom.val, atom.aval.dtype) if isinstance(atom, Literal) else None


def type_of(atom: Any) -> Type:
    """Dtype and shape of a variable."""
    aval = atom.aval
    return Type(dtype_name(aval.dtype), sizes_of(aval.shape))


def dtype_name(dtype: Any) -> str:
    """The name of a dtype of JAX's."""
    return KEY if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key) else np.dtype(dtype).name


def is_size(value: Any) -> bool:
    """Whether it is a size of JAX's, symbolic or not."""
    return isinstance(value, int | np.integer) or jax.export.is_symbolic_dim(value)


def size_of(size: Any) -> Size:
    """A size of JAX's, symbolic or not."""
    return int(size) if isinstance(size, int | np.integer) else parse_size(str(size))


def sizes_of(sizes: Any) -> tuple[Size, ...]:
    """Sizes of JAX's."""
    return tuple(map(size_of, sizes))
