"""What a model with a graph does with its inputs: match them by name, check them, run the graph."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import changes, ragged_marks, scope, tree
from nacre.core.dtypes import device_dtype, is_float
from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message, nearest
from nacre.core.host_arrays import is_plain, outside_32_bits, plain_array, warn_of_rounded_integers
from nacre.core.indices import check_width
from nacre.core.interop import has_array_protocol, is_foreign_array, to_numpy_if_foreign
from nacre.core.strings import HostString, Staged, is_text, strings_refused, text_array
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.data.padding import holds_ragged, is_ragged
from nacre.layers.base.input_spec import hint_for_one_input, plain_sizes
from nacre.layers.base.masking import without_absent
from nacre.layers.core.input_layer import InputLayer
from nacre.models.cast_checks import refuse_casts
from nacre.models.graph import Graph

if TYPE_CHECKING:
    from nacre.models.model import Model


# In configs of graphs and stacks: whether masks end at ops, as in Keras, which writes no such key.
MASKS_END_AT_OPS = "masks_end_at_ops"
# In configs of graphs: that an output in a list is given in one, where it is, as Keras has no form.
KEEPS_LIST_OF_ONE = "keeps_list_of_one"


def attach_graph(model: Model, inputs: Any, outputs: Any) -> None:
    """Make `model` compute the graph between `inputs` and `outputs`."""
    inputs = _without_extra_list(inputs)
    if not model._keeps_list_of_one:
        outputs = _without_list_of_one(outputs)
    for label, structure in (("inputs", inputs), ("outputs", outputs)):
        leaves = tree.flatten(structure)
        wrong = [leaf for leaf in leaves if not isinstance(leaf, KerasTensor)]
        if wrong or not leaves:
            raise ArgumentError(
                message(
                    type(model).__name__,
                    f"{label} must be symbolic tensors",
                    f"{type(wrong[0]).__name__}" if wrong else "nothing",
                    "Start from nacre.Input(shape=...) and call layers on it.",
                )
            )
    model._graph = Graph(inputs, outputs)
    model._nested_inputs = inputs
    model._nested_outputs = outputs
    model._graph_layers = model._graph.layers
    # A graph that is cut out of one that Keras wrote keeps its numbers too.
    if any(node.masks_end_at_ops for node in model._graph.nodes):
        model._masks_end_at_ops = True
    model.built = True


def attach_losses(model: Model, losses: list[KerasTensor]) -> None:
    """Let training minimise symbolic scalars of the model's graph besides its compiled loss."""
    graph = model._graph
    if graph is None:
        raise ArgumentError(
            message(
                f"{model._who()}.add_loss",
                "a symbolic tensor can only be a loss of a model made from inputs and outputs",
                f"symbolic tensor '{losses[0].name}'",
                "Call self.add_loss(...) within call(), on the tensors computed there.",
            )
        )
    model._graph = Graph(graph.input_structure, graph.output_structure, [*graph.losses, *losses])
    model._graph_layers = model._graph.layers
    changes.note_change()
    model._forget_programs()


def _without_extra_list(structure: Any) -> Any:
    return (
        structure[0]
        if isinstance(structure, list) and len(structure) == 1 and isinstance(structure[0], list)
        else structure
    )


def _without_list_of_one(outputs: Any) -> Any:
    """The outputs, one alone where it stands in a list: such models give a tensor, as Keras's do
    (in all versions from 2.12 to 3.15)."""
    while isinstance(outputs, list | tuple) and len(outputs) == 1:
        outputs = outputs[0]
    return outputs


def graph_of(model: Model) -> Graph:
    """The graph of a model that has one."""
    graph = model._graph
    assert graph is not None
    return graph


def input_names(model: Model) -> list[str]:
    """The names by which inputs are matched, in flat order."""
    structure = model._nested_inputs
    if isinstance(structure, dict):
        return ["/".join(map(str, path)) for path, _ in tree.flatten_with_path(structure)]
    return [entry.name for entry in graph_of(model).entries]


def output_names(model: Model) -> list[str]:
    """The names of the outputs, in flat order: their keys where they are in one dict, else those
    of the layers they come from; repeated ones get a number."""
    names: list[str] = []
    outputs = tree.flatten_with_path(model._nested_outputs)
    are_keys = isinstance(model._nested_outputs, dict) and all(len(p) == 1 for p, _ in outputs)
    for path, tensor in outputs:
        name = str(path[0]) if are_keys else tensor._keras_history.operation.name
        base, count = name, 1
        while name in names:
            name, count = f"{base}_{count}", count + 1
        names.append(name)
    return names


def standardize_inputs(model: Model, inputs: Any) -> list[Any]:
    """What the user passed, as a flat list in the graph's order, checked, cast, rank-adjusted."""
    graph = graph_of(model)
    expected = graph.inputs
    who = model._who()
    given = _match(model, inputs, who)
    refuse_casts(graph, given)
    values = []
    names = input_names(model)
    for tensor, value, name, entry in zip(expected, given, names, graph.entries, strict=True):
        if value is None:
            if not entry.optional:
                raise ShapeError(message(who, f"input '{name}' must be given", "None"))
            values.append(None)
            continue
        value = _fit(value, tensor, f"{who}, input '{name}'", model._free_axes)
        values.append(_with_mask(value, entry) if entry.ragged else value)
    return values


def _with_mask(value: Any, entry: InputLayer) -> Any:
    """What was filled up as `marked_inputs` does, as zeros with a mask."""
    if not isinstance(value, jax.Array | np.ndarray) or scope.get_mask(value) is not None:
        return value
    ragged_marks.require_allowed(entry._who())
    marked = jnp.asarray(value)
    mask, found = ragged_marks.mask_of(marked, entry.num_ragged_axes), ragged_marks.unmarked(marked)
    scope.set_mask(found, mask)
    context = scope.call_context()
    if context is not None:
        context.must_keep_masks = True
    return found


def takes_ragged(model: Model) -> bool:
    """Whether an input of the model's graph takes rows of different lengths."""
    return model._graph is not None and model._graph.once(_takes_ragged)


def _takes_ragged(graph: Graph) -> bool:
    return any(entry.ragged for entry in graph.entries)


def marked_inputs(model: Model, x: Any) -> Any:
    """Inputs whose rows of different lengths are filled up so that the graph finds them again."""
    if not holds_ragged(x) or not takes_ragged(model):
        return x
    entries = {id(t): entry for t, entry in zip(graph_of(model).inputs, graph_of(model).entries)}
    leaves = tree.flatten(x)
    for place, tensors in enumerate(inputs_for(model, x)):
        if is_ragged(leaves[place]) and any(entries[id(t)].ragged for t in tensors):
            who = f"{model._who()}, input '{entries[id(tensors[0])].name}'"
            leaves[place] = ragged_marks.filled_up(leaves[place], tensors[0].dtype, who)
    return tree.pack_sequence_as(x, leaves)


_SMALL_INTEGERS = frozenset(("int8", "uint8", "int16", "uint16"))


def host_inputs(model: Model, x: Any) -> Any:
    """Inputs of `model(x)` from the host, as those of `fit` are made: see `plain_array`.

    Integers go to inputs of floats as floats. Where they go elsewhere the next who needs them on
    the device refuses those of more than 32 bits; layers of the host keep them.
    """
    if isinstance(x, jax.Array | KerasTensor):
        return x
    leaves = tree.flatten(x)
    if not any(map(needs_conversion, leaves)) and not any(may_not_fit(model, v) for v in leaves):
        return x
    who = model._who()
    leaves = [to_numpy_if_foreign(leaf, who) for leaf in leaves]
    leaves = [text_array(leaf) if _is_readable(leaf) else leaf for leaf in leaves]
    leaves = [plain_array(leaf, who) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]
    x = tree.pack_sequence_as(x, leaves)
    for place, dtype in enumerate(model._input_dtypes(x)):
        leaf = leaves[place]
        if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "iu":
            continue
        if dtype is not None and is_float(dtype) and dtype != "float64":
            warn_of_rounded_integers(leaf, who)
            leaves[place] = leaf.astype("float32")
        elif dtype is not None and "int" in dtype and not outside_32_bits(leaf):
            check_width(who, leaf, device_dtype(dtype))
    return tree.pack_sequence_as(x, leaves)


def may_not_fit(model: Model, leaf: Any) -> bool:
    """Whether whole numbers of 8 or 16 bits may go to an input of others: 200 is no int8."""
    if type(leaf) is not np.ndarray or leaf.dtype.kind not in "iu" or model._graph is None:
        return False
    kinds = {tensor.dtype for tensor in model._graph.inputs} & _SMALL_INTEGERS
    return bool(kinds - {leaf.dtype.name})


def needs_conversion(leaf: Any) -> bool:
    """Whether the device would read an array of the host otherwise than it looks."""
    if type(leaf) is np.ndarray:
        kind = leaf.dtype.kind
        is_odd = kind in "fiub" and not is_plain(leaf.dtype)
        return is_odd or kind in "mMOTV" or (kind in "iu" and leaf.dtype.itemsize > 2)
    return isinstance(leaf, np.ndarray) or is_foreign_array(leaf) or _is_readable(leaf)


def _is_readable(leaf: Any) -> bool:
    """Whether something else is an array NumPy can read, such as a data set of h5py."""
    if isinstance(leaf, np.ndarray | np.generic | jax.Array | KerasTensor | Variable | HostString):
        return False
    return has_array_protocol(leaf)


def inputs_for(model: Model, x: Any) -> list[list[KerasTensor]]:
    """For each leaf of `x` the inputs of the graph it goes to; none where that is not known."""
    if isinstance(x, Staged):
        return [*inputs_for(model, x.inputs), *([] for _ in tree.flatten(x.results))]
    leaves, given = tree.flatten(x), match_or_none(model, x)
    if given is None:
        return [[] for _ in leaves]
    found: dict[int, list[KerasTensor]] = {}
    for tensor, leaf in zip(graph_of(model).inputs, given, strict=True):
        found.setdefault(id(leaf), []).append(tensor)
    return [found.get(id(leaf), []) for leaf in leaves]


def match_or_none(model: Model, x: Any) -> list[Any] | None:
    """What was given for each input of the graph; None where that is not known."""
    try:
        return _match(model, x, model._who())
    except ShapeError:  # told where the inputs are standardized
        return None


def _match(model: Model, inputs: Any, who: str) -> list[Any]:
    structure, count = model._nested_inputs, len(graph_of(model).inputs)
    if not tree.is_nested(structure) and not tree.is_nested(inputs):
        return [inputs]
    names = input_names(model)
    paths = [path for path, _ in tree.flatten_with_path(structure)]
    if any(len(path) > 1 for path in paths):
        return [_leaf(structure, inputs, path, who) for path in paths]
    if isinstance(inputs, dict):
        missing = [n for n in names if n not in inputs]
        optional = {n for n, e in zip(names, graph_of(model).entries, strict=True) if e.optional}
        extra = [n for n in inputs if n not in names]
        # Columns nobody asked for are left out; beside an optional input it may be a wrong name.
        missing = [n for n in missing if n not in optional or any(nearest(e, [n]) for e in extra)]
        if missing:
            raise _key_error(who, names, list(inputs), missing)
        return [inputs.get(n) for n in names]
    flat = tree.flatten(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if len(flat) != count:
        raise ShapeError(
            message(
                who,
                f"it takes {count} input(s): {', '.join(names)}",
                f"{len(flat)} input(s)",
                hint_for_one_input(flat) if count == 1 else "",
            )
        )
    if isinstance(structure, dict) and count > 1 and list(structure) != sorted(structure):
        raise ShapeError(
            message(
                who,
                f"its inputs have names ({', '.join(names)}) and are matched by them",
                "a list",
                f"Pass a dict: {{{', '.join(f'{n!r}: ...' for n in structure)}}}.",
            )
        )
    return flat


def _leaf(structure: Any, given: Any, path: tuple[Any, ...], who: str) -> Any:
    """What was given for the input at `path` of a structure of several levels."""
    for depth, key in enumerate(path):
        place = "/".join(map(str, path[:depth]))
        shown = f"{who}, input '{place}'" if place else who
        if isinstance(structure, Mapping):
            names = [str(name) for name in structure]
            if not isinstance(given, Mapping):
                rule = f"it takes a dict with the keys {names}"
                raise ShapeError(message(shown, rule, _described(given)))
            missing = [str(name) for name in structure if name not in given]
            if missing:
                raise _key_error(shown, names, [str(name) for name in given], missing)
        elif not isinstance(given, list | tuple) or len(given) != len(structure):
            rule = f"it takes a list of {len(structure)}"
            raise ShapeError(message(shown, rule, _described(given)))
        structure, given = structure[key], given[key]
    if tree.is_nested(given):
        place = "/".join(map(str, path))
        raise ShapeError(
            message(f"{who}, input '{place}'", "it takes one array", _described(given))
        )
    return given


def _described(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"a dict with the keys {[str(key) for key in given]}"
    if isinstance(given, list | tuple):
        return f"a {type(given).__name__} of {len(given)}"
    return f"one {type(given).__name__}"


def _key_error(who: str, names: list[str], given: list[str], missing: list[str]) -> ShapeError:
    hints = [
        f"{g!r} -> {nearest(g, names)!r}" for g in given if g not in names and nearest(g, names)
    ]
    fix = f"Did you mean {', '.join(hints)}?" if hints else f"Add {missing}."
    if len(names) == 1 and len(given) > 1 and not hints:
        fix = hint_for_one_input(dict.fromkeys(given))
    rule = f"the inputs must have the keys {names}"
    return ShapeError(message(who, rule, f"the keys {given}; missing: {missing}", fix))


def _fit(value: Any, expected: KerasTensor, who: str, free_axes: frozenset[int]) -> Any:
    """Cast to the Input's dtype; add or drop a last axis of size 1; check the shape."""
    if not hasattr(value, "shape"):
        raise ArgumentError(
            message(
                who,
                "a model is called on tensors",
                f"a {type(value).__name__}",
                "Call it on each batch, `for x in data: model(x)`, or use model.predict(data).",
            )
        )
    given = shape = tuple(value.shape)
    wanted = tuple(None if i in free_axes else n for i, n in enumerate(expected.shape))
    if is_text(value) or expected.dtype == "string":
        return _fit_strings(value, expected, who)
    if len(shape) == len(wanted) + 1 and shape[-1] == 1:
        value = ops.squeeze(value, axis=-1)
    elif len(shape) == len(wanted) - 1 and wanted and wanted[-1] == 1:
        value = ops.expand_dims(value, axis=-1)
    mask = scope.get_mask(value)
    shape = tuple(value.shape)
    fits = len(shape) == len(wanted) and all(
        w is None or not isinstance(s, int) or s == w for s, w in zip(shape, wanted, strict=True)
    )
    if not fits:
        raise ShapeError(shape_message(who, wanted, plain_sizes(given)))
    # On the device 64-bit numbers have 32 bits, on the host they keep theirs.
    dtype = str(device_dtype(jnp.dtype(expected.dtype)))
    if "complex" in str(getattr(value, "dtype", "")) and "complex" not in expected.dtype:
        raise DTypeError(
            message(
                who,
                f"it takes numbers of dtype {expected.dtype}",
                "complex numbers, whose imaginary parts would be lost",
                "Pass abs(x), or real and imaginary parts side by side: "
                "np.concatenate([x.real, x.imag], axis=-1).",
            )
        )
    if hasattr(value, "dtype") and str(value.dtype) not in (expected.dtype, dtype):
        value = ops.cast(value, expected.dtype if isinstance(value, KerasTensor) else dtype)
        if mask is not None:
            scope.set_mask(value, mask)
    return value


def _fit_strings(value: Any, expected: KerasTensor, who: str) -> Any:
    """The same for strings, which stay on the host."""
    if expected.dtype != "string":
        raise strings_refused(who, "strings, where the model takes numbers")
    if not is_text(value):
        raise DTypeError(
            message(
                who,
                "it must be strings",
                f"an array of dtype {value.dtype}",
                "Convert it with x.astype(str), or make the Input with the dtype of the data.",
            )
        )
    if isinstance(value, KerasTensor):
        return value
    shape, wanted = tuple(value.shape), expected.shape
    if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        shape = (*shape, 1)
    elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != len(wanted) or not _shapes_match(shape, wanted):
        raise ShapeError(shape_message(who, wanted, tuple(value.shape)))
    values = value.values if isinstance(value, HostString) else value
    values = None if values is None else values.reshape(shape)
    return HostString(shape, values) if isinstance(value, HostString) else values


def shape_message(who: str, wanted: tuple[Any, ...], shown: tuple[Any, ...]) -> str:
    """The message for an input of the wrong shape, with the likely fix."""
    fix = ""
    if len(shown) == len(wanted) - 1 and wanted[0] is None:
        if _shapes_match(shown, wanted[1:]):
            fix = (
                "A single sample needs a batch axis: x[None]. A Dataset of samples needs "
                ".batch(32)."
            )
        elif _shapes_match(shown, wanted[:-1]):
            fix = (
                f"Add the last axis: x[..., None] gives {wanted[-1]} channel(s)."
                if wanted[-1] == 1
                else f"Each sample must have {wanted[-1]} numbers on a last axis; see whether x "
                "and y changed places."
            )
        elif len(shown) > 1 and _shapes_match(shown[1:], wanted[2:]):
            fix = (
                "The shape of an Input is that of one sample, without the number of samples: "
                f"Input(shape={tuple(shown[1:])})."
            )
    elif len(shown) == len(wanted) - 2 and wanted[-1] == 1 and _shapes_match(shown, wanted[1:-1]):
        fix = "A single sample needs a batch axis, and here a last axis too: x[None, ..., None]."
    if not fix and len(shown) != len(wanted) and None not in wanted[1:]:
        size, fits = _num_elements(shown[1:]), len(shown) > 1
        if fits and wanted[1:] == (size,):
            fix = f"Flatten each sample: x.reshape(len(x), {size}), or begin with a Flatten layer."
        elif fits and size == _num_elements(wanted[1:]):
            fix = f"Give each sample its shape: x.reshape(-1, {', '.join(map(str, wanted[1:]))})."
    elif not fix and len(shown) == len(wanted):
        fix = _channel_order_fix(wanted, shown) or (
            f"Give the data the shape {wanted}, or build the model for {(None, *shown[1:])}."
        )
    return message(who, f"it must have shape {wanted}", f"shape {shown}", fix)


def _num_elements(sizes: tuple[Any, ...]) -> int:
    return math.prod(size or 1 for size in sizes)


def _channel_order_fix(wanted: tuple[Any, ...], shown: tuple[Any, ...]) -> str:
    """The fix for channels that stand first where they must be last, or the reverse."""
    if len(wanted) < 4 or None in (*wanted[1:], *shown[1:]):
        return ""
    if shown[1:] == (wanted[-1], *wanted[1:-1]):
        return "The channels must be the last axis: np.moveaxis(x, 1, -1)."
    if shown[1:] == (*wanted[2:], wanted[1]):
        return "The channels must come first, after the batch axis: np.moveaxis(x, -1, 1)."
    return ""


def _shapes_match(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        w is None or s is None or s == w for s, w in zip(shape, wanted, strict=True)
    )


def run_graph(model: Model, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """`call` of a model that has a graph."""
    values = standardize_inputs(model, inputs)
    if mask is not None:
        for i, one in enumerate(tree.flatten(mask)[: len(values)]):
            if one is not None:
                values[i] = without_absent(values[i], one)
                scope.set_mask(values[i], one)
    with in_phase(model, training):
        return graph_of(model).run(values, add_loss=model.add_loss)


@contextlib.contextmanager
def in_phase(model: Model, training: Any) -> Generator[None]:
    """Let the layers inside know what `call` of their model was told.

    `__call__` has told them already; `model.call(x, training=True)` is called by exporters and in
    loops by hand.
    """
    context = scope.call_context()
    if training is None or (context is not None and context.training == training):
        yield
    elif context is None:
        with scope.entered_call(scope.CallContext(model, training)):
            yield
    else:
        before, context.training = context.training, training
        try:
            yield
        finally:
            context.training = before
