"""Mask propagation through layers, with a warning where a layer does not propagate its mask."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import ragged_marks, scope, tree
from nacre.core.absence import is_unsafe
from nacre.core.errors import message
from nacre.core.keywords import any_arguments
from nacre.core.registry import is_builtin
from nacre.core.shapes import fits_leading_axes
from nacre.core.warning import warn
from nacre.core.weak_cache import weak_cache
from nacre.layers.base import calling
from nacre.layers.base.holding import PartHolder


class MaskPassing(PartHolder):
    """The part of `Layer` that propagates masks."""

    supports_masking: bool
    clears_masked_steps: bool | None = None
    _mask_fix = (
        "Give later layers the mask by hand, layer(x, mask=mask), or reorder the layers; "
        "model.explain_masks() shows all masks."
    )

    def _propagate_mask(self, inputs: Any, outputs: Any, kwargs: dict[str, Any]) -> None:
        previous = kwargs.get("mask") if calling.signature_of(type(self).call).takes_mask else None
        if previous is None:
            previous = masks_of(inputs) if inputs is not None else None
        overridden = type(self).compute_mask is not MaskPassing.compute_mask
        if not self.supports_masking and not overridden:
            if previous is not None:
                self._warn_mask_lost()
            return
        if overridden and not is_builtin(type(self).compute_mask):
            _drop_propagated(outputs)  # compute_mask takes precedence over its ops
        if previous is None and not overridden:
            return
        mask = self.compute_mask(inputs, previous)
        if mask is None:
            takes_mask = calling.signature_of(type(self).call).takes_mask
            context = scope.call_context()
            if previous is not None and not takes_mask and context is not None:
                if context.must_keep_masks and context.recorder is None:
                    raise ragged_marks.lost(self._who(), "this layer makes a mask of its own")
            return
        for output, one in pairs_of_masks(outputs, mask):
            if not overridden and not fits_leading_axes(tuple(one.shape), tuple(output.shape)):
                self._warn_mask_lost()
            elif calling.is_tensor(output) and scope.get_mask(output) is None:
                scope.set_mask(output, one)

    def _without_absent_values(self, outputs: Any) -> Any:
        """Outputs whose masks come from a user's `compute_mask`, without NaN at masked steps."""
        if is_builtin(type(self).compute_mask):
            return outputs

        def clean(output: Any) -> Any:
            mask = scope.get_mask(output) if isinstance(output, jax.Array) else None
            cleaned = without_absent(output, mask)
            if cleaned is not output:
                scope.set_mask(cleaned, mask)
            return cleaned

        return tree.map_structure(clean, outputs)

    def _masks_to_clear(self, first: Any) -> Any:
        """The masks of a first argument that is to be cleared of NaN before `call`, or None.

        Layers whose `call` takes masks do it themselves; code of users gets its inputs unchanged,
        unless its class says `clears_masked_steps`.
        """
        masks = None if first is None else masks_of(first)
        if masks is None:
            return None
        clears = self.clears_masked_steps
        if not (calling.has_call_of_nacre(type(self)) if clears is None else clears):
            return None
        signature = calling.signature_of(type(self).call)
        does_itself = signature.takes_mask or signature.mask_names
        passes = self.supports_masking or type(self).compute_mask is not MaskPassing.compute_mask
        return None if does_itself or not passes else masks

    def _propagates_masks(self) -> bool:
        """Whether ops called in `call` propagate masks: in users' layers that are made of layers.

        Built-in layers, and those derived from them, have rules of their own.
        """
        return _derives_from_base(type(self)) and self._passes_masks_itself()

    def _passes_masks_itself(self) -> bool:
        return calling.signature_of(type(self).call).takes_mask or bool(self._direct_layers())

    def _handles_masks(self) -> bool:
        """Whether a user's `call` is given the mask, and decides what becomes of it."""
        call = type(self).call
        return calling.signature_of(call).takes_mask and not is_builtin(call)

    def _warn_mask_lost(self) -> None:
        context = scope.call_context()
        if context is not None and context.recorder is not None:
            return  # the report shows it
        if self._passes_masks_itself():
            return
        if context is not None and context.must_keep_masks:
            raise ragged_marks.lost(self._who(), "this layer does not pass masks on")
        if not self._warned_mask:
            self._warned_mask = True
            fix = (
                self._mask_fix
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

    def _mask_unless_mixed(self, mask: Any, axes: Any, ndim: int) -> Any:
        """The mask of inputs of `ndim` axes, unless it covers an axis that is mixed."""
        if mask is not None and any(axis % ndim < len(mask.shape) for axis in axes):
            self._warn_mask_lost()
            return None
        return mask

    @any_arguments
    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs: by default that of the inputs."""
        return previous_mask


def without_absent(x: Any, mask: Any) -> Any:
    """`x` with 0 for NaN, infinite and enormous values where a mask of its first axes is False.

    Values of padded steps must reach no result and no gradient, and 0 times NaN is NaN: they are
    replaced before anything is computed. Other values stay, as they are multiplied by 0.
    """
    if mask is None or not isinstance(x, jax.Array) or not calling.is_float_array(x):
        return x
    mask = jnp.asarray(mask).astype(bool)
    if not fits_leading_axes(mask.shape, x.shape):
        return x
    wide = jnp.expand_dims(mask, tuple(range(mask.ndim, x.ndim)))
    return jnp.where(wide | ~is_unsafe(x), x, jnp.zeros((), x.dtype))


def pairs_of_masks(outputs: Any, masks: Any) -> list[tuple[Any, Any]]:
    """Outputs with the masks that belong to them: one mask is the first output's."""
    flat_outputs, flat_masks = tree.flatten(outputs), tree.flatten(masks)
    if len(flat_masks) not in (1, len(flat_outputs)):
        return []
    pairs = zip(flat_outputs, flat_masks, strict=False)
    return [(output, mask) for output, mask in pairs if mask is not None]


def masks_of(structure: Any) -> Any:
    """The masks attached to tensors, in their structure; None when there is none."""
    if calling.is_tensor(structure):
        return scope.get_mask(structure)
    if not tree.is_nested(structure):
        return None
    masks = tree.map_structure(scope.get_mask, structure)
    return masks if any(m is not None for m in tree.flatten(masks)) else None


@weak_cache
def _derives_from_base(cls: type) -> bool:
    """Whether a class of layers derives from `Layer` directly, not from a built-in layer."""
    base = next(one for one in cls.__mro__ if "_is_layer" in vars(one))
    return not any(is_builtin(one) for one in cls.__mro__ if one not in base.__mro__)


def _drop_propagated(outputs: Any) -> None:
    """Remove the masks that ops gave to some outputs."""
    context = scope.call_context()
    if context is None or not context.propagated:
        return
    for output in tree.flatten(outputs):
        if context.propagated.pop(id(output), None) is output and calling.is_tensor(output):
            scope.set_mask(output, None)
