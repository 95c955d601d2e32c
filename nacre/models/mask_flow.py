"""Masks of models that Keras wrote: they end at ops, through which nacre propagates them.

In Keras a mask goes from layer to layer, and `embedding + positions` has none; in Keras 3 nor has
`Add()([embedding, positions])`, when one of them has none. Here masks propagate through both. A
model that Keras wrote keeps Keras's numbers: it has a flag, which is in its config too, and while
it is called no op propagates masks.

Whether that changes numbers is found by tracing the masks twice, with and without the ops: there is
no warning where no mask reaches an op, or none is used after it.
"""

from __future__ import annotations

from typing import Any

from nacre.core import changes, scope, tree
from nacre.core.errors import listed, message
from nacre.core.registry import is_builtin
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor
from nacre.core.warning import warn
from nacre.layers.base import calling
from nacre.layers.base.layer import Layer
from nacre.layers.core.embedding import Embedding
from nacre.layers.core.masking import Masking
from nacre.layers.merging.merge import Merge
from nacre.models.explain_masks import _masks_of, _tensors_of, _uses
from nacre.models.model import Model
from nacre.models.sequential import Sequential

_LOSS = "the loss"


def set_end_at_ops(model: Model, ends: bool) -> None:
    """Set whether masks end at ops in a model and all models within."""
    for part in [model, *model._flatten_layers()]:
        if isinstance(part, Model):
            part._masks_end_at_ops = ends
            for node in part._graph.nodes if part._graph is not None else ():
                node.masks_end_at_ops = ends
            part._forget_programs()
    changes.note_change()


def has_flag_outside_config(model: Any) -> bool:
    """Whether the flag is set on a model of a user's class, whose config the user writes."""
    return (
        isinstance(model, Model)
        and model._masks_end_at_ops
        and model._graph is None
        and not isinstance(model, Sequential)
    )


def warn_that_masks_end(model: Any, who: str) -> None:
    """Warn where a model just loaded counts padded steps that one made here leaves out."""
    if not isinstance(model, Model) or not _any_mask_ends_at_ops(model):
        return
    places = _calls_that_differ(model, compare_with=False)
    if places:
        warn(
            message(
                who,
                "a model that Keras wrote keeps its numbers, and there masks end at ops",
                f"a mask that ends before {places}, so padded steps count there, as in Keras",
                "load_model(path, masks='carry') propagates masks, as in models made here.",
            )
        )


def warn_that_keras_differs(model: Any, who: str) -> None:
    """Warn once where Keras will count padded steps that the model leaves out."""
    if not isinstance(model, Model) or model._warned_of_masks:
        return
    if model._graph is None:
        return  # what a class of the user's computes in Keras is in no file
    places = _calls_that_differ(model, compare_with=True)
    if places:
        model._warned_of_masks = True
        warn(
            message(
                who,
                "in Keras masks end at ops, so it will compute other numbers from this file",
                f"a mask that propagates through ops to {places}",
                "Here nothing changes. For equal numbers in Keras give the mask by hand where it "
                "is used: layer(x, mask=embedding.compute_mask(tokens)).",
            )
        )


def _any_mask_ends_at_ops(model: Model) -> bool:
    models = [model, *(p for p in model._flatten_layers() if isinstance(p, Model))]
    return any(part._masks_end_at_ops for part in models)


def _calls_that_differ(model: Model, compare_with: bool) -> str:
    """Names of the layers that use a mask only with, or only without, masks ending at ops."""
    inputs = _symbolic_inputs_of(model)
    if inputs is None or not _may_differ(model):
        return ""
    usual = _mask_uses(model, inputs)
    with scope.forcing_masks(compare_with):
        other = _mask_uses(model, inputs)
    names = [name for (name, one), (_, two) in zip(usual, other, strict=True) if one != two]
    return listed([name if name == _LOSS else repr(name) for name in dict.fromkeys(names)], 5)


def _may_differ(model: Model) -> bool:
    """Whether the model has layers that make masks, and ops that may follow them."""
    parts = [model, *model._flatten_layers()]
    makes = any(
        isinstance(part, Masking)
        or (isinstance(part, Embedding) and part.mask_zero)
        or not is_builtin(type(part).compute_mask)
        for part in parts
    )
    has_ops = any(
        not is_builtin(type(part))
        or isinstance(part, Merge)
        or (
            isinstance(part, Model)
            and part._graph is not None
            and any(not isinstance(node.operation, Layer) for node in part._graph.nodes)
        )
        for part in parts
    )
    return makes and has_ops


def _symbolic_inputs_of(model: Model) -> Any:
    """Symbolic inputs; None where they are unknown, or strings, which no program takes."""
    if model._graph is not None:
        inputs = tree.map_structure(lambda t: KerasTensor(t.shape, t.dtype), model._nested_inputs)
    else:
        shapes = model._build_shapes or {}
        if set(shapes) != {"input_shape"} or shapes["input_shape"] is None:
            return None
        inputs = calling.tensors_for(shapes["input_shape"], model.compute_dtype)
    return None if any(t.dtype == "string" for t in tree.flatten(inputs)) else inputs


def _mask_uses(model: Model, inputs: Any) -> list[tuple[str, bool]]:
    """(layer, whether it uses a mask) for each call of one run; last the loss, when compiled."""
    runs: list[list[tuple[str, bool]]] = []

    def run(given: Any) -> Any:
        context = scope.CallContext(model, False)
        recorder = context.recorder = _UseRecorder()
        with scope.entered_call(context):
            outputs = model._call_arrays((given,), {})
            if model.compiled:
                masks = [scope.get_mask(leaf) for leaf in tree.flatten(outputs)]
                recorder.found.append((_LOSS, any(mask is not None for mask in masks)))
        runs.append(recorder.found)
        return outputs

    infer(run, inputs)
    return runs[-1]


class _UseRecorder:
    """Records every layer call of one run that may use a mask; see `CallContext.recorder`."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bool]] = []
        self._hidden = 0

    def layer_called(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the layer, and record whether it has a mask to use."""
        if not self._hidden and _uses(layer):
            masks = _masks_of(_tensors_of(args, kwargs), kwargs)
            self.found.append((layer.name, bool(masks)))
        is_closed = is_builtin(type(layer)) and not layer._propagates_masks()
        self._hidden += is_closed
        try:
            return layer._call_arrays(args, kwargs)
        finally:
            self._hidden -= is_closed

    def op_called(self, *what: Any) -> None:
        """Ops do not use masks."""


__all__ = [
    "has_flag_outside_config", "set_end_at_ops", "warn_that_masks_end", "warn_that_keras_differs",
]  # fmt: skip
