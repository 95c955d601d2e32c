"""The arguments of a layer's call: converted, the training flag and the masks filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, NacreError, message
from nacre.core.leftovers import refuse_lost
from nacre.core.strings import is_text, strings_refused
from nacre.layers.base import calling
from nacre.layers.base.masking import masks_of, without_absent

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer


def prepare(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any], bool | None]:
    """Arguments converted and filled, the tensor arguments by name, the training flag."""
    signature = calling.signature_of(type(layer).call)
    dtype = layer._input_cast() if layer._built else None

    def convert(leaf: Any) -> Any:
        tensor = calling.to_tensor(leaf, dtype, layer._who())
        if not isinstance(tensor, jax.Array) and is_text(tensor):
            _check_takes_strings(layer, tensor)
        if tensor is not leaf:
            mask = scope.get_mask(leaf)
            if mask is not None:
                scope.set_mask(tensor, mask)
        return tensor

    if args and isinstance(args[0], list):
        args = (calling.numbers_as_array(args[0]), *args[1:])
    args = tuple(tree.map_structure(convert, a) for a in args)
    kwargs = {k: tree.map_structure(convert, v) for k, v in kwargs.items()}
    named = signature.named(args, kwargs)
    tensors = {
        name: value
        for name, value in named.items()
        if name not in ("training", "mask")
        and not name.endswith("_mask")
        and any(calling.is_tensor(leaf) for leaf in tree.flatten(value))
    }
    training = _fill_training(signature, named, kwargs)
    _fill_masks(signature, named, tensors, kwargs)
    return args, kwargs, tensors, training


def cast_inputs(
    args: tuple[Any, ...], kwargs: dict[str, Any], dtype: str | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments with their float arrays in `dtype`, masks kept; None leaves them as they are."""
    if dtype is None:
        return args, kwargs

    def convert(leaf: Any) -> Any:
        tensor = calling.to_float(leaf, dtype)
        if tensor is not leaf and (mask := scope.get_mask(leaf)) is not None:
            scope.set_mask(tensor, mask)
        return tensor

    return tree.map_structure(convert, (args, kwargs))


def without_absent_values(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], masks: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments whose first one has no NaN where its masks are False."""

    def clear(leaf: Any, mask: Any) -> Any:
        cleared = without_absent(leaf, mask)
        if cleared is not leaf:
            scope.set_mask(cleared, mask)
        return cleared

    if args:
        return (tree.map_structure(clear, args[0], masks), *args[1:]), kwargs
    first = calling.signature_of(type(layer).call).first
    return args, {**kwargs, first: tree.map_structure(clear, kwargs[first], masks)}


def refuse_missing_tensor(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise for a layer with a call of nacre's on no tensor where it needs one."""
    signature = calling.signature_of(type(layer).call)
    if not calling.has_call_of_nacre(type(layer)) or not signature.first or layer._takes_strings:
        return
    if signature.first in signature.defaults:
        return
    given = signature.named(args, kwargs).get(signature.first)
    leaves = tree.flatten(given)
    for leaf in leaves:
        refuse_lost(leaf)
    is_empty = not layer._takes_empty_lists and not leaves
    is_an_object = any(
        leaf is not None and not isinstance(leaf, int | float | complex) for leaf in leaves
    )
    if callable(given) and not hasattr(given, "shape"):
        raise ArgumentError(_message_for_function(layer, signature.first, given))
    if given is None or isinstance(given, str) or is_empty or is_an_object:
        raise ArgumentError(
            message(
                layer._who(),
                f"it must be called on a tensor, its argument '{signature.first}'",
                repr(given) if signature.first in signature.named(args, kwargs) else "nothing",
                "Pass an array with the batch first, or what keras.Input gives; where a function "
                "or a call() before it made the tensor, see whether its `return` is missing."
                if given is None
                else "Pass an array with the batch first, or what keras.Input gives.",
            )
        )


def _message_for_function(layer: Layer, argument: str, given: Any) -> str:
    """The message for `Dense(2)(Dense(3))`: the first of the two was never called."""
    name = getattr(given, "__name__", type(given).__name__)
    who = getattr(given, "_who", None)
    return message(
        layer._who(),
        f"it must be called on a tensor, its argument '{argument}'",
        f"{who() if who is not None and not isinstance(given, type) else name}, which is not one",
        f"Call that first, on a tensor: x = {name}(...)(inputs).",
    )


def _check_takes_strings(layer: Layer, tensor: Any) -> None:
    takes = layer._takes_strings or not calling.has_call_of_nacre(type(layer))
    if not takes and not isinstance(tensor, str):
        raise strings_refused(layer._who(), f"strings of shape {tuple(tensor.shape)}")


def _fill_training(
    signature: calling.CallSignature, named: dict[str, Any], kwargs: dict[str, Any]
) -> bool | None:
    """Put the training flag into the arguments; returns the one for the layers within."""
    context = scope.call_context()
    given = named.get("training")
    if given is None and context is not None:
        given = context.training
    if given is None:
        given = signature.defaults.get("training")
    if signature.takes_training:
        if "training" in kwargs or "training" not in named:
            kwargs["training"] = given
    elif not signature.has_kwargs:
        kwargs.pop("training", None)
    return given


def _fill_masks(
    signature: calling.CallSignature,
    named: dict[str, Any],
    tensors: dict[str, Any],
    kwargs: dict[str, Any],
) -> None:
    for name, mask_name in signature.mask_names.items():
        if named.get(mask_name) is None and name in tensors:
            mask = masks_of(tensors[name])
            if mask is not None:
                kwargs[mask_name] = mask
    first = signature.first
    by_position = "mask" in named and "mask" not in kwargs
    if signature.takes_mask and kwargs.get("mask") is None and first in tensors:
        mask = masks_of(tensors[first])
        if mask is not None and not by_position:
            kwargs["mask"] = mask


def explain(layer: Layer, error: Exception, tensors: dict[str, Any]) -> None:
    """Say in which layer an error came up, once."""
    if isinstance(error, NacreError) or getattr(error, "_nacre_explained", False):
        return
    shapes = {name: calling.shapes_of(value) for name, value in tensors.items()}
    error.add_note(f"In {layer._who()}, called with shapes {shapes}.")
    try:
        error._nacre_explained = True  # type: ignore[attr-defined]
    except AttributeError:
        pass
