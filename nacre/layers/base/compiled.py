"""A layer called on arrays: one compiled program for each kind of call, kept with the layer.

Only what is nacre's own all the way down runs so: Python that a user wrote runs at every call, with
real values (see `Inventory.is_own`). The program gives back the outputs, their masks and the losses
the layers added; masks and losses are put where a plain call would have put them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nacre.core import scope, tree
from nacre.core.context import current
from nacre.core.host_arrays import refuse_wide_integers
from nacre.core.program import CallProgram, programs_of, settings_key
from nacre.core.state import State
from nacre.core.tracing import is_tracing
from nacre.ops.kernels.placement import own_program

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer


def call_key(layer: Layer) -> tuple[Hashable, ...]:
    """All that a call of this layer depends on now, besides its arguments."""
    inventory = layer._inventory()
    return inventory.token, inventory.lists().token, settings_key()


# A layer within an eager call is compiled from its third call on: a model is often called once or
# twice, to be built, and then trained.
_CALLS_BEFORE = 2


def runs_compiled(layer: Layer) -> bool:
    """Whether a call of this layer on arrays may run compiled here and now."""
    context = scope.call_context()
    return (
        layer._built
        and not scope.in_stateless_scope()
        and not is_tracing()
        and (context is None or context.recorder is None)
        and current().absent is None
        and layer._inventory().is_own
    )


def part_runs_compiled(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a layer called by another one's eager call may run compiled by itself.

    So a model with code of the user's costs one program a layer, not one an op.
    """
    if not layer._own_variables or not runs_compiled(layer) or not takes_arrays(args, kwargs):
        return False
    layer._eager_calls += 1
    return layer._eager_calls > _CALLS_BEFORE


def takes_arrays(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether arguments are arrays and plain flags, without masks."""
    for leaf in tree.flatten(args):
        if not isinstance(leaf, jax.Array | np.ndarray) or leaf.dtype.kind in "OUS":
            return False
        if getattr(leaf, "_keras_mask", None) is not None:
            return False
    return all(v is None or isinstance(v, bool | int | float | str) for v in kwargs.values())


class _Array:
    """Stands for an array in the structure of arguments."""

    def __repr__(self) -> str:
        return "array"


_ARRAY = _Array()


def call_compiled(
    layer: Layer, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run `call(*args, **kwargs)`, the plain call of `layer`, through its compiled program."""
    program, arrays = program_of_call(layer, call, args, kwargs)
    return run_program(layer, program, arrays)


def program_of_call(
    layer: Layer, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[CallProgram, list[Any]]:
    """The program of such a call, and the arrays among the arguments."""
    arrays: list[Any] = []

    def extract(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array | np.ndarray):
            if isinstance(leaf, np.ndarray):
                refuse_wide_integers(leaf, layer._who())
            arrays.append(leaf)
            return _ARRAY
        return leaf

    context = scope.call_context()
    if context is not None and kwargs.get("training") is None and context.training is not None:
        kwargs = {**kwargs, "training": context.training}
    structure = [tree.map_structure(extract, a) for a in args]
    key = (
        "call",
        tree.structure_key(structure),
        tuple(sorted((k, repr(v)) for k, v in kwargs.items())),
        *call_key(layer),
        scope.masks_end_at_ops(),
    )
    return programs_of(layer).get(key, lambda: _program(layer, call, structure, kwargs)), arrays


def run_program(layer: Layer, program: CallProgram, arrays: list[Any]) -> Any:
    """Run it, and leave masks and losses where a plain call would have."""
    # Copies, as the program may still read an array when its owner writes to it.
    arrays = [a.copy() if isinstance(a, np.ndarray) else a for a in arrays]
    outputs, masks, losses = program.run(arrays)
    if scope.call_context() is None:
        layer._clear_losses()
    if losses:
        layer._keep_losses(losses)
    if masks:
        for leaf, mask in zip(tree.flatten(outputs), masks, strict=True):
            if mask is not None:
                scope.set_mask(leaf, mask)
    return outputs


def _program(
    layer: Layer, call: Callable[..., Any], structure: Any, kwargs: dict[str, Any]
) -> CallProgram:
    def run(arrays: list[Any]) -> tuple[Any, list[Any], list[Any]]:
        stream = iter(arrays)
        args = tree.map_structure(lambda leaf: next(stream) if leaf is _ARRAY else leaf, structure)
        inner = scope.get_stateless_scope()
        assert inner is not None
        inner.collect_losses = True
        # The context outlives the call, as the masks of traced values are kept in it.
        with scope.entered_call(scope.CallContext(layer, kwargs.get("training"))), own_program():
            outputs = call(*args, **kwargs)
            masks = [scope.get_mask(leaf) for leaf in tree.flatten(outputs)]
        has_masks = any(mask is not None for mask in masks)
        return outputs, masks if has_masks else [], list(inner.losses)

    state = State({"layer": layer.variables})
    return CallProgram(run, state, name=f"{layer._who()}(x)")


__all__ = [
    "call_compiled",
    "call_key",
    "part_runs_compiled",
    "program_of_call",
    "run_program",
    "runs_compiled",
    "takes_arrays",
]
