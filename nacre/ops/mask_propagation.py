"""Propagation of masks through ops: the one place where the rules are applied.

Ops call `propagate` when they are recorded for symbolic tensors, and when they run within a call of
a model or of a layer made of layers. XLA removes masks that nothing uses.
"""

from __future__ import annotations

import inspect
from typing import Any, Protocol

import jax
import numpy as np

from nacre.core import ragged_marks, scope
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.ops.mask_rules import (
    MaskDropped,
    MaskedCall,
    MaskFunction,
    Rule,
    covers_leading_axes,
)

# The reason given where a model keeps Keras's rule for masks.
AS_IN_KERAS = "masks end at ops in this model, as in Keras, which wrote its file"


class Masked(Protocol):
    """What is asked of an op.

    Attributes:
        name: For reports.
        kind: What it is, where it is not the op of that name.
        signature: Its arguments.
        masks: The rule by which masks propagate (`mask_rules`), or the reason why they do not.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str | None: ...
    @property
    def signature(self) -> inspect.Signature: ...
    @property
    def masks(self) -> Rule | str: ...


def propagate(
    op: Masked, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any
) -> str | None:
    """Give the results of an op the masks that its rule makes of those of its arguments.

    Without masks this only looks at each argument.

    Returns:
        Why a mask of the arguments is lost, or None.
    """
    context = scope.call_context()
    recorder = None if context is None else context.recorder
    found = _has_mask(args) or (bool(kwargs) and _has_mask(tuple(kwargs.values())))
    if not found:
        if recorder is not None:
            recorder.op_called(op, args, kwargs, outputs, [], None)
        return None
    if scope.masks_end_at_ops():
        if recorder is not None:
            given = [scope.get_mask(leaf) for leaf in _leaves((*args, *kwargs.values()))]
            masks = [mask for mask in given if mask is not None]
            recorder.op_called(op, args, kwargs, outputs, masks, AS_IN_KERAS)
        elif context is not None and context.must_keep_masks:
            raise ragged_marks.lost(f"nacre.ops.{op.name}", "masks end at ops in files of Keras")
        return AS_IN_KERAS
    tensors, masks, call = _described(op, args, kwargs, outputs)
    why = None
    try:
        if isinstance(op.masks, str):
            raise MaskDropped(op.masks)
        functions = op.masks(call)
        results = _leaves(outputs)
        functions = functions if isinstance(functions, list) else [functions] * len(results)
        for result, function in zip(results, functions, strict=True):
            mask = _computed(function, tensors, masks)
            if covers_leading_axes(tuple(mask.shape), tuple(result.shape)):
                _attach(context, result, mask)
            else:
                why = "the result has other leading axes"
    except MaskDropped as reason:
        why = str(reason)
    if recorder is not None:
        recorder.op_called(op, args, kwargs, outputs, [m for m in masks if m is not None], why)
    elif why is not None and context is not None and context.must_keep_masks:
        raise ragged_marks.lost(f"nacre.ops.{op.name}", why)
    return why


def _has_mask(values: Any) -> bool:
    for value in values:
        if isinstance(value, list | tuple):
            if _has_mask(value):
                return True
        elif isinstance(value, dict):
            if _has_mask(value.values()):
                return True
        elif isinstance(value, jax.Array | KerasTensor) and scope.get_mask(value) is not None:
            return True
    return False


def _described(
    op: Masked, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any
) -> tuple[list[Any], list[Any], MaskedCall]:
    """The tensors among the arguments, their masks, and what a rule may look at."""
    bound = op.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    names: list[str] = []
    tensors: list[Any] = []
    for name, value in bound.arguments.items():
        for leaf in _leaves(value):
            names.append(name)
            tensors.append(leaf)
    masks = [scope.get_mask(tensor) for tensor in tensors]
    call = MaskedCall(
        dict(bound.arguments),
        names,
        [tuple(tensor.shape) for tensor in tensors],
        [None if mask is None else tuple(mask.shape) for mask in masks],
        [tuple(leaf.shape) for leaf in _leaves(outputs)],
    )
    return tensors, masks, call


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, Variable):
        return [value.value]
    return [value] if isinstance(value, jax.Array | KerasTensor | np.ndarray) else []


def _computed(function: MaskFunction, tensors: list[Any], masks: list[Any]) -> Any:
    if any(isinstance(mask, KerasTensor) for mask in masks):
        # Not recorded: the graph computes its masks anew when it runs.
        return infer(lambda *both: function(list(both[0]), list(both[1])), tensors, masks)
    return function(tensors, masks)


def _attach(context: Any, result: Any, mask: Any) -> None:
    scope.set_mask(result, mask)
    if context is not None:
        context.propagated[id(result)] = result


__all__ = ["AS_IN_KERAS", "propagate"]
