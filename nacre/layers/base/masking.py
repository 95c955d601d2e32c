"""How masks travel: with the tensors, through a layer, or not, and then with a warning."""

from __future__ import annotations

import functools
from typing import Any

from nacre.core import scope, tree
from nacre.core.errors import message
from nacre.core.registry import is_builtin
from nacre.core.warning import warn
from nacre.layers.base import calling
from nacre.layers.base.holding import PartHolder


class MaskPassing(PartHolder):
    """The part of `Layer` that sends masks on."""

    supports_masking: bool

    def _send_masks(self, inputs: Any, outputs: Any, kwargs: dict[str, Any]) -> None:
        previous = kwargs.get("mask") if calling.signature_of(type(self).call).takes_mask else None
        if previous is None:
            previous = masks_of(inputs) if inputs is not None else None
        overridden = type(self).compute_mask is not MaskPassing.compute_mask
        if not self.supports_masking and not overridden:
            if previous is not None:
                self._warn_mask_lost()
            return
        if overridden and not is_builtin(type(self).compute_mask):
            _forget_carried(outputs)  # what the layer says goes before what its ops did
        if previous is None and not overridden:
            return
        mask = self.compute_mask(inputs, previous)
        if mask is None:
            return
        flat_outputs, flat_masks = tree.flatten(outputs), tree.flatten(mask)
        if len(flat_outputs) == len(flat_masks):
            for output, one in zip(flat_outputs, flat_masks, strict=True):
                if one is not None and calling.is_tensor(output) and scope.get_mask(output) is None:
                    scope.set_mask(output, one)

    def _carries_masks(self) -> bool:
        """Whether ops called in `call` send masks on: in layers of the user's made of layers.

        Built-in layers, and those derived from them, know their masks without.
        """
        return _is_own_design(type(self)) and self._passes_masks_itself()

    def _passes_masks_itself(self) -> bool:
        return calling.signature_of(type(self).call).takes_mask or bool(self._direct_layers())

    def _warn_mask_lost(self) -> None:
        context = scope.call_context()
        if context is not None and context.recorder is not None:
            return  # the table that is being made says it
        if self._passes_masks_itself():
            return
        if not getattr(self, "_warned_mask", False):
            object.__setattr__(self, "_warned_mask", True)
            fix = (
                "Give later layers the mask by hand, layer(x, mask=mask), or reorder the layers; "
                "model.explain_masks() shows the way of all masks."
                if is_builtin(type(self))
                else "Set self.supports_masking = True in __init__ if padded steps do no harm, or "
                "override compute_mask()."
            )
            warn(
                message(
                    self._who(),
                    "the mask of its input stops here, as this layer does not pass masks on",
                    "an input with a mask",
                    fix,
                ),
            )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs: by default the mask that came in."""
        return previous_mask


def masks_of(structure: Any) -> Any:
    """The masks that travel with tensors, in their structure; None when there is none."""
    if calling.is_tensor(structure):
        return scope.get_mask(structure)
    if not tree.is_nested(structure):
        return None
    masks = tree.map_structure(scope.get_mask, structure)
    return masks if any(m is not None for m in tree.flatten(masks)) else None


@functools.cache
def _is_own_design(cls: type) -> bool:
    """Whether a class of layers derives from no built-in layer but the base of all."""
    base = next(one for one in cls.__mro__ if "_is_layer" in vars(one))
    return not any(is_builtin(one) for one in cls.__mro__ if one not in base.__mro__)


def _forget_carried(outputs: Any) -> None:
    """Take masks that came through ops off some outputs."""
    context = scope.call_context()
    for output in tree.flatten(outputs) if context is not None and context.carried else ():
        if context.carried.pop(id(output), None) is output and calling.is_tensor(output):
            scope.set_mask(output, None)
