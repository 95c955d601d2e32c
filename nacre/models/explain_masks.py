"""`explain_masks()`: where masks are made, used, passed on and lost in a model, as a table.

The model is traced once with symbolic sizes; every layer call, and every op call that a mask
reaches, is recorded with its masks. Nothing is computed or compiled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import is_builtin
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor
from nacre.core.terminal import encodable, stdout_encoding
from nacre.layers.base import calling
from nacre.layers.base.layer import Layer
from nacre.layers.core.embedding import Embedding
from nacre.layers.core.lambda_layer import Lambda
from nacre.layers.core.masking import Masking
from nacre.models.summary import _row, _rule

if TYPE_CHECKING:
    from nacre.models.model import Model

Shape = tuple[int | None, ...]
Action = Literal[
    "none", "makes", "passes", "changes", "combines", "uses", "uses, passes", "ends", "stops"
]

# Why a built-in layer passes no mask on, and what to do instead.
_MIXES = (
    "it mixes neighbouring steps, padded ones included; give later layers the mask by hand: "
    "layer(x, mask=mask)"
)
_STOPS = {
    "Flatten": "it flattens the time axis; GlobalAveragePooling1D or a recurrent layer that "
    "returns its last step leave padded steps out",
    "GlobalMaxPooling1D": "it takes padded steps into the maximum; GlobalAveragePooling1D leaves "
    "them out",
    "Dot": "its axes are new ones; with the steps contracted, padded steps are summed too",
    "Reshape": "the new shape does not begin with (batch, time); keep them as the first two axes",
    "Permute": "time is no longer the first axis after the batch; permute back and give the mask "
    "by hand: layer(x, mask=mask)",
    "ZeroPadding1D": "nothing tells whether the steps it adds count; pad the data before the "
    "layer that makes the mask",
    "Concatenate": "no input has a mask",
    "EinsumDense": "the equation does not keep batch and time as leading axes",
    "RepeatVector": "its steps are new ones",
}
_STOPS_BY_PREFIX = ("Conv", "SeparableConv", "DepthwiseConv", "MaxPooling", "AveragePooling")
_OWN_LAYER = (
    "set self.supports_masking = True in __init__ if padded steps do no harm, or override "
    "compute_mask()"
)
_LOST_IN_ARITHMETIC = (
    "its input was made by plain array arithmetic such as x * 2 or x[:, 1:], which knows no masks; "
    "write nacre.ops.multiply(x, 2) or nacre.ops.get_item(x, key)"
)
_OP_FIX = "; give later layers the mask by hand: layer(x, mask=mask)"


@dataclass(frozen=True)
class MaskRow:
    """What one layer or op call does with masks.

    Attributes:
        path: Names from the model's layers down to the call, joined by '/'.
        kind: The layer's class, or the op as 'ops.add'.
        mask_in: Shapes of the masks that came with the inputs.
        action: 'makes', 'passes', 'changes' (cut, flipped, repeated), 'combines', 'uses',
            'uses, passes', 'ends' (no steps are left), 'stops' (steps are left, the mask is
            lost) or 'none'.
        mask_out: Shapes of the masks of the outputs.
        note: Why it ends or stops, and what to do.
    """

    path: str
    kind: str
    mask_in: tuple[Shape, ...]
    action: Action
    mask_out: tuple[Shape, ...]
    note: str = ""


@dataclass(frozen=True)
class MaskReport:
    """How masks propagate through a model; its text is a table.

    Attributes:
        model: The model's name.
        rows: One for each layer call, and for each op call a mask reaches, in order.
        outputs: Shape of each output's mask, None without one.
    """

    model: str
    rows: tuple[MaskRow, ...]
    outputs: tuple[Shape | None, ...]

    @property
    def stops(self) -> tuple[MaskRow, ...]:
        """The rows where a mask is lost although steps are left."""
        return tuple(row for row in self.rows if row.action == "stops")

    def __str__(self) -> str:
        heads = ["Layer (type)", "Mask in", "What happens", "Mask out"]
        noted = [row for row in self.rows if row.note]
        cells = []
        for row in self.rows:
            mark = f" [{noted.index(row) + 1}]" if row.note else ""
            shapes = [", ".join(map(str, masks)) or "-" for masks in (row.mask_in, row.mask_out)]
            cells.append([f"{row.path} ({row.kind})", shapes[0], row.action + mark, shapes[1]])
        widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
        lines = [f'Masks in model: "{self.model}"', _rule("┏━┳┓", widths)]
        lines += [_row(heads, widths, set(), "┃"), _rule("┡━╇┩", widths)]
        lines += [_row(line, widths, set(), "│") for line in cells]
        lines.append(_rule("└─┴┘", widths))
        lines += [f" [{i}] {row.path}: {row.note}." for i, row in enumerate(noted, 1)]
        return encodable("\n".join([*lines, self._outputs_line()]), stdout_encoding())

    __repr__ = __str__

    def _outputs_line(self) -> str:
        shapes = ", ".join(map(str, self.outputs))
        if all(shape is None for shape in self.outputs):
            return " No mask reaches the output: every step counts in the loss."
        return f" Mask of the output: {shapes}. Steps it leaves out do not count in the loss."


def explain_masks(model: Model, inputs: Any = None) -> MaskReport:
    """Trace the masks through a model.

    Args:
        model: The model.
        inputs: Example arrays (or symbolic tensors), for a model that is not described by symbolic
            tensors. Their batch size does not matter.

    Raises:
        ArgumentError: A subclassed model comes without `inputs`.
    """
    tensors = _symbolic_inputs(model, inputs)
    recorders: list[_Recorder] = []
    masks_out: list[tuple[Shape | None, ...]] = []

    def run(given: Any) -> Any:
        context = scope.CallContext(model, False)
        context.recorder = _Recorder(given)
        recorders.append(context.recorder)
        with scope.entered_call(context):
            outputs = model._call_arrays((given,), {})
            masks = [scope.get_mask(leaf) for leaf in tree.flatten(outputs)]
        masks_out.append(tuple(None if mask is None else _shape(mask) for mask in masks))
        return outputs

    infer(run, tensors)
    rows = [row for row in recorders[-1].rows if row is not None]
    if len(recorders) > 1 and len(recorders[-2].rows) == len(rows):
        # Traced for two sets of sizes: those that differ are not known.
        rows = [_merged(a, b) for a, b in zip(recorders[-2].rows, rows, strict=True)]  # type: ignore[arg-type]
        outputs = tuple(
            _common_shape(a, b) for a, b in zip(masks_out[-2], masks_out[-1], strict=True)
        )
    else:
        outputs = masks_out[-1]
    return MaskReport(model.name, tuple(rows), outputs)


def _symbolic_inputs(model: Model, inputs: Any) -> Any:
    if inputs is None:
        if model._graph is None:
            raise ArgumentError(
                message(
                    f"{model._who()}.explain_masks",
                    "a model that is not described by symbolic tensors needs example inputs, as "
                    "its layers are known only while it is called",
                    "none",
                    "Pass some: model.explain_masks(x[:2]).",
                )
            )
        return tree.map_structure(lambda t: KerasTensor(t.shape, t.dtype), model._nested_inputs)

    def symbolic(leaf: Any) -> Any:
        if isinstance(leaf, KerasTensor):
            return leaf
        leaf = leaf if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else np.asarray(leaf)
        tensor = calling.to_tensor(leaf, None)
        return KerasTensor((None, *tensor.shape[1:]), tensor.dtype)

    inputs = calling.numbers_as_array(inputs) if isinstance(inputs, list) else inputs
    return tree.map_structure(symbolic, inputs)


class _Recorder:
    """Records every layer and op call of one run; see `CallContext.recorder`."""

    def __init__(self, inputs: Any) -> None:
        self.rows: list[MaskRow | None] = []
        self._made: dict[int, Any] = {}  # tensors that are inputs, or came from layers and ops
        self._hidden = 0
        self._masked = False  # whether there was a mask so far
        self._remember(inputs)

    def _remember(self, outputs: Any) -> None:
        for leaf in tree.flatten(outputs):
            if calling.is_tensor(leaf):
                self._made[id(leaf)] = leaf

    def layer_called(self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the layer; write its row unless it is a part of a built-in one."""
        context = scope.call_context()
        assert context is not None
        if self._hidden:
            return layer._call_arrays(args, kwargs)
        place = len(self.rows)
        self.rows.append(None)
        tensors = _tensors_of(args, kwargs)
        masks = _masks_of(tensors, kwargs)
        lost = not masks and self._masked and self._is_lost(tensors, context)
        path = "/".join([*context.path[1:], layer.name])
        is_closed = is_builtin(type(layer)) and not layer._propagates_masks()
        self._hidden += is_closed
        try:
            outputs = layer._call_arrays(args, kwargs)
        finally:
            self._hidden -= is_closed
        found = [scope.get_mask(leaf) for leaf in tree.flatten(outputs)]
        found = [mask for mask in found if mask is not None]
        self._masked = self._masked or bool(found)
        action, note = _layer_action(layer, masks, found)
        if lost:
            action, note = ("stops", _LOST_IN_ARITHMETIC)
        self.rows[place] = MaskRow(
            path, type(layer).__name__, _shapes(masks), action, _shapes(found), note
        )
        self._remember(outputs)
        return outputs

    def _is_lost(self, tensors: list[Any], context: Any) -> bool:
        """Whether an input comes neither from the model's inputs nor from a layer or op."""
        return context.propagates and any(id(tensor) not in self._made for tensor in tensors)

    def op_called(
        self,
        op: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outputs: Any,
        masks: list[Any],
        why: str | None,
    ) -> None:
        """Write the row of an op that a mask reaches."""
        context = scope.call_context()
        self._remember(outputs)
        if self._hidden or not masks or context is None:
            return
        found = [scope.get_mask(leaf) for leaf in tree.flatten(outputs)] if why is None else []
        found = [mask for mask in found if mask is not None]
        action: Action = "stops"
        if found:
            action = _action_on_masks(masks, found)
        elif why is not None and _no_steps_left(why):
            action = "ends"
        note = "" if why is None else why + (_OP_FIX if action == "stops" else "")
        path = "/".join([*context.path[1:], op.name])
        kind = f"ops.{op.name}" if op.kind is None else op.kind
        self.rows.append(MaskRow(path, kind, _shapes(masks), action, _shapes(found), note))


def _no_steps_left(why: str) -> bool:
    return any(words in why for words in ("reduced", "removed", "no time axis is left"))


def _tensors_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    given = [*args, *(v for k, v in kwargs.items() if k != "mask" and not k.endswith("_mask"))]
    return [leaf for leaf in tree.flatten(given) if calling.is_tensor(leaf)]


def _masks_of(tensors: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The masks a call gets: those its tensors carry, and those given by hand."""
    named = [kwargs.get(k) for k in kwargs if k == "mask" or k.endswith("_mask")]
    given = [leaf for leaf in tree.flatten(named) if hasattr(leaf, "shape")]
    masks = [mask for mask in map(scope.get_mask, tensors) if mask is not None]
    return masks + [mask for mask in given if not any(mask is other for other in masks)]


def _layer_action(layer: Layer, masks: list[Any], found: list[Any]) -> tuple[Action, str]:
    """What a layer did, and the note of its row."""
    if not masks:
        return ("makes" if found else "none"), ""
    if isinstance(layer, Embedding | Masking) and found:
        return "makes", ""
    if _uses(layer):
        return ("uses, passes", "") if found else ("uses", "")
    if found:
        return _action_on_masks(masks, found), ""
    if not is_builtin(type(layer)) and layer._passes_masks_itself():
        return "ends", "see the calls within it"
    if layer._propagates_masks():
        return "ends", ""
    return "stops", _why_stopped(layer)


def _action_on_masks(masks: list[Any], found: list[Any]) -> Action:
    if any(one is other for one in found for other in masks):
        return "passes"
    return "combines" if len(masks) > 1 else "changes"


def _uses(layer: Layer) -> bool:
    """Whether the layer's numbers depend on the mask."""
    if layer._propagates_masks():
        return False
    if isinstance(layer, Lambda):
        return "mask" in layer._extra
    signature = calling.signature_of(type(layer).call)
    return signature.takes_mask or bool(signature.mask_names)


def _why_stopped(layer: Layer) -> str:
    name = type(layer).__name__
    if not is_builtin(type(layer)):
        return _OWN_LAYER
    if name in _STOPS:
        return _STOPS[name]
    if name.startswith(_STOPS_BY_PREFIX):
        return _MIXES
    if isinstance(layer, Lambda):
        return (
            "a Lambda passes masks on only when told: Lambda(function, mask=lambda x, mask: mask)"
        )
    return "its outputs have no steps the mask could describe"


def _shape(tensor: Any) -> Shape:
    return tuple(size if isinstance(size, int) else None for size in tensor.shape)


def _shapes(tensors: list[Any]) -> tuple[Shape, ...]:
    return tuple(_shape(tensor) for tensor in tensors)


def _common_shape(a: Shape | None, b: Shape | None) -> Shape | None:
    if a is None or b is None or len(a) != len(b):
        return b
    return tuple(m if m == n else None for m, n in zip(a, b, strict=True))


def _merged(a: MaskRow, b: MaskRow) -> MaskRow:
    def both(one: tuple[Shape, ...], other: tuple[Shape, ...]) -> Any:
        return tuple(_common_shape(x, y) for x, y in zip(one, other, strict=True))

    return replace(b, mask_in=both(a.mask_in, b.mask_in), mask_out=both(a.mask_out, b.mask_out))


__all__ = ["MaskReport", "MaskRow", "explain_masks"]
