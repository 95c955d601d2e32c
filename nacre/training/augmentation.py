"""`fit(augment=[...])`: what is done to each batch of training, within the compiled step.

Targets follow: masks and boxes move with the pixels. Layers that mix samples (`MixUp`, `CutMix`)
make a batch stand for several: each mixed image has the targets of both images, and the share that
each has. The loss is computed with the targets of both and the shares as weights,

    loss(i) = share(i) · loss(targets(i)) + (1 - share(i)) · loss(targets(partner(i)))

which for a cross-entropy is that of the mixed one-hot labels, and holds for labels that are indices
and for every other loss as well. Metrics see the targets with the largest share.

Source: Zhang et al. 2018, arXiv:1710.09412 (MixUp); Yun et al. 2019, arXiv:1905.04899 (CutMix).
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import scope, tree
from nacre.core.changes import Versioned
from nacre.core.errors import ArgumentError, ShapeError, message, nearest
from nacre.core.kinds import is_dict, is_list
from nacre.core.state import State, Values
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.image_layer import ImageLayer
from nacre.layers.preprocessing.pipeline import Pipeline
from nacre.training.state import CHANGING


@dataclass(frozen=True)
class Part:
    """The targets of one of the samples that a sample of a batch is mixed of.

    Attributes:
        y: Targets, as in a batch.
        weight: Their sample weights.
        share: How much of the sample it is, (batch,); None for all.
    """

    y: Any
    weight: Any
    share: Any = None


class Augmentation(Versioned):
    """Changes of the batches of a training.

    Args:
        given: Layers and functions, or a dict of them by the name of the input.
        model: The model.
        who: Who asks, for messages.

    Raises:
        ArgumentError: Something else is among them, or a name of no input.
    """

    def __init__(self, given: Any, model: Any, who: str) -> None:
        self.who = who
        self.steps = _steps(given)
        for name, step in self.steps:
            if name is not None:
                _check_name(name, model, who)
            _check_step(step, who)

    def is_of(self, given: Any) -> bool:
        """Whether it is made of these very layers and functions."""
        steps = _steps(given)
        return len(steps) == len(self.steps) and all(
            a == b and one is other for (a, one), (b, other) in zip(steps, self.steps, strict=True)
        )

    def apply(
        self, model: Any, state: State, values: Values, batch: tuple[Any, Any, Any]
    ) -> tuple[Values, Any, list[Part]]:
        """A batch as it is trained on.

        Args:
            model: The model.
            state: The variables of the training.
            values: Their values.
            batch: x, y, sample_weight.

        Returns:
            The values with those of the seeds behind what was drawn; the inputs; the targets, of
            several parts where samples were mixed.
        """
        x, y, sample_weight = batch
        dtypes = model._input_dtypes(x)
        with scope.StatelessScope(state.pairs(values)) as inner, scope.entered_call(None):
            parts = [Part(y, sample_weight)]
            for name, step in self.steps:
                x, parts = self._one(model, name, step, x, parts)
            new = {
                group: [inner.get_current_value(v) for v in state.groups[group]]
                for group in CHANGING
                if group in values
            }
        leaves = [_in_whole_numbers(*pair) for pair in zip(tree.flatten(x), dtypes, strict=True)]
        return {**values, **new}, tree.pack_sequence_as(x, leaves), parts

    def _one(
        self, model: Any, name: str | None, step: Any, x: Any, parts: list[Part]
    ) -> tuple[Any, list[Part]]:
        if name is None and tree.is_nested(x) and len(tree.flatten(x)) > 1:
            if isinstance(step, Layer):
                rule = "of several inputs the one that is changed must be named"
                fix = f"Pass augment={{{_input_names(model, x)[0]!r}: [...]}}."
                raise ArgumentError(message(f"{self.who}, augment", rule, step._who(), fix))
            return self._by_function(step, x, parts)
        place = 0 if name is None else _input_names(model, x).index(name)
        leaves = tree.flatten(x)
        given = leaves[place]
        if isinstance(step, ImageLayer):
            leaves[place], parts = _by_image_layer(self.who, step, given, parts)
        elif isinstance(step, Layer):
            leaves[place] = step(given, training=True)
        else:
            leaves[place], parts = self._by_function(step, given, parts)
        self._check_size(step, given, leaves[place])
        return tree.pack_sequence_as(x, leaves), parts

    def _by_function(self, step: Any, x: Any, parts: list[Part]) -> tuple[Any, list[Part]]:
        count = _count_arguments(step, self.who)
        if count == 1:
            return step(x), parts
        who = f"{self.who}, augment: {_name(step)}"
        if len(parts) > 1:
            rule = "a function that changes targets must stand before layers that mix samples"
            raise ArgumentError(message(who, rule, "one behind MixUp or CutMix"))
        part = parts[0]
        arguments = (x, part.y, part.weight)[:count]
        found = step(*arguments)
        if not is_list(found) or len(found) != count:
            rule = f"it must return as many things as it takes: {count}"
            got = f"{len(found)}" if is_list(found) else type(found).__name__
            raise ArgumentError(message(who, rule, got, "Return (x, y)."))
        y, weight = found[1], found[2] if count == 3 else part.weight
        return found[0], [replace(part, y=y, weight=weight)]

    def _check_size(self, step: Any, before: Any, after: Any) -> None:
        if not hasattr(after, "shape") or after.shape[:1] != before.shape[:1]:
            got = f"{getattr(after, 'shape', type(after).__name__)} from {before.shape}"
            rule = "a batch must keep its number of samples"
            raise ShapeError(message(f"{self.who}, augment: {_name(step)}", rule, got))


# -------------------------------------------------------------------- images and their targets


def _by_image_layer(
    who: str, layer: ImageLayer, images: Any, parts: list[Part]
) -> tuple[Any, list[Part]]:
    """Images after a layer, and what belongs to them: all of it is changed by one drawing."""
    data: dict[str, Any] = {"images": images}
    size = layer._size(images)
    moves = layer._moves_pixels
    masks = _Masks(layer, parts, size) if moves else None
    if masks is not None and masks.found:
        data["segmentation_masks"] = masks.joined()
    boxes = _boxes_of(parts[0].y) if moves or layer.mixes_samples else None
    if boxes is not None and len(parts) == 1:
        data["bounding_boxes"] = boxes
    if moves:
        _check_shapes(who, layer, parts, size)
    count = images.shape[0]
    if layer.mixes_samples:
        data["labels"] = jnp.eye(count, dtype="float32")
    found = layer(data, training=True)
    if masks is not None and masks.found:
        parts = masks.put_back(found["segmentation_masks"])
    if "bounding_boxes" in data:
        y = _with_boxes(parts[0].y, boxes, found["bounding_boxes"])
        parts = [replace(parts[0], y=y)]
    if not layer.mixes_samples:
        return found["images"], parts
    partner, share = _partners(found["labels"], parts[0].weight)
    is_alone = (share == 1).reshape(-1, *[1] * (images.ndim - 1))
    mixed = jnp.where(is_alone, jnp.asarray(images).astype(found["images"].dtype), found["images"])
    return mixed, [
        *_shared(parts, share),
        *_moved(parts, partner, 1 - share, size, layer if moves else None),
    ]


def _partners(shares: jax.Array, weights: Any) -> tuple[jax.Array, jax.Array]:
    """For each sample the other one it is mixed with, and the share that is its own.

    Samples whose weight is 0 are absent: they are mixed with none, and none with them.

    Args:
        shares: (batch, batch), the share that each sample (column) has of each mixed one (row).
        weights: The sample weights.
    """
    own = jnp.asarray(jnp.diagonal(shares))
    partner = jnp.argmax(shares - jnp.diag(own), axis=1)
    leaves = [leaf for leaf in tree.flatten(weights) if leaf is not None]
    if leaves:
        is_present = jnp.zeros(own.shape, bool)
        for leaf in leaves:
            flat = jnp.asarray(leaf).reshape(own.shape[0], -1)
            is_present = is_present | jnp.any(flat != 0, axis=1)
        own = jnp.where(is_present & is_present[partner], own, 1.0)
    return partner, own


def _shared(parts: list[Part], share: Any) -> list[Part]:
    return [replace(p, share=share if p.share is None else p.share * share) for p in parts]


def _moved(
    parts: list[Part], partner: Any, share: Any, size: tuple[Any, Any], mover: ImageLayer | None
) -> list[Part]:
    """The targets of the partners; masks stay where the layer put in their pixels already."""

    def of_partner(leaf: Any) -> Any:
        if leaf is None or (mover is not None and _is_mask(mover, leaf, size)):
            return leaf
        return jnp.asarray(leaf)[partner]

    found: list[Part] = []
    for part in parts:
        own = share if part.share is None else part.share[partner] * share
        y, weight = (tree.map_structure(of_partner, s) for s in (part.y, part.weight))
        found.append(Part(y, weight, own))
    return found


class _Masks:
    """Targets, and weights of their pixels, that have the height and width of the images."""

    def __init__(self, layer: ImageLayer, parts: list[Part], size: tuple[Any, Any]) -> None:
        self._axis = 1 if layer.data_format == "channels_first" else -1
        self._parts = parts
        self._leaves = [tree.flatten((part.y, part.weight)) for part in parts]
        self.found = [
            (number, place)
            for number, leaves in enumerate(self._leaves)
            for place, leaf in enumerate(leaves)
            if _is_mask(layer, leaf, size)
        ]

    def joined(self) -> Any:
        """All as channels of one array of floats."""
        return jnp.concatenate([self._with_channels(*at) for at in self.found], self._axis)

    def _with_channels(self, number: int, place: int) -> Any:
        leaf = jnp.asarray(self._leaves[number][place])
        return (jnp.expand_dims(leaf, self._axis) if leaf.ndim == 3 else leaf).astype("float32")

    def put_back(self, moved: Any) -> list[Part]:
        """The parts with the moved masks in their places, in their dtypes."""
        begin = 0
        for number, place in self.found:
            old = jnp.asarray(self._leaves[number][place])
            channels = 1 if old.ndim == 3 else old.shape[self._axis]
            taken = jnp.take(moved, jnp.arange(begin, begin + channels), axis=self._axis)
            taken = jnp.squeeze(taken, self._axis) if old.ndim == 3 else taken
            is_whole = jnp.issubdtype(old.dtype, jnp.integer)
            self._leaves[number][place] = (jnp.round(taken) if is_whole else taken).astype(
                old.dtype
            )
            begin += channels
        found: list[Part] = []
        for part, leaves in zip(self._parts, self._leaves, strict=True):
            y, weight = tree.pack_sequence_as((part.y, part.weight), leaves)
            found.append(replace(part, y=y, weight=weight))
        return found


def _is_mask(layer: ImageLayer, leaf: Any, size: tuple[Any, Any]) -> bool:
    shape = getattr(leaf, "shape", ())
    if len(shape) == 3:
        return tuple(shape[1:]) == tuple(size)
    return len(shape) == 4 and tuple(layer._size(leaf)) == tuple(size)


def _check_shapes(who: str, layer: ImageLayer, parts: list[Part], size: tuple[Any, Any]) -> None:
    """Refuse targets that may be pictures of another size, which would stay where they are."""
    boxes = _boxes_of(parts[0].y)
    known: set[int] = set() if boxes is None else {id(leaf) for leaf in boxes.values()}
    for leaf in tree.flatten(parts[0].y):
        shape = getattr(leaf, "shape", ())
        if len(shape) > 3 and id(leaf) not in known and not _is_mask(layer, leaf, size):
            raise ShapeError(
                message(
                    f"{who}, augment: {layer._who()}",
                    f"targets that move with the pixels must have the images' size {tuple(size)}",
                    f"targets of shape {tuple(shape)}",
                    "Use a function: augment=[lambda x, y: (new_x, new_y)].",
                )
            )


def _boxes_of(y: Any) -> Any:
    """Bounding boxes among the targets: a dict with the key 'boxes', or None."""
    if not is_dict(y):
        return None
    if "boxes" in y:
        return {key: y[key] for key in ("boxes", "labels") if key in y}
    return next((value for value in y.values() if is_dict(value) and "boxes" in value), None)


def _with_boxes(y: Any, boxes: Any, new: Any) -> Any:
    if "boxes" in y:
        return {**y, **new}
    return {key: {**value, **new} if value is boxes else value for key, value in y.items()}


# -------------------------------------------------------------------- targets for the step


def main_targets(parts: Sequence[Part]) -> tuple[Any, Any]:
    """The targets and weights of the part with the largest share, for each sample."""

    def chosen(leaves: Sequence[Any], shares: Any) -> Any:
        best = jnp.argmax(shares, axis=0)  # (batch, 1 ...)
        return jnp.select([best == k for k in range(len(leaves))], list(leaves), leaves[0])

    return _combined(parts, chosen)


def mixed_targets(parts: Sequence[Part], who: str) -> tuple[Any, Any]:
    """Targets and weights mixed by their shares, for a step or a loss of the user's own.

    Raises:
        ArgumentError: There are whole numbers among the targets.
    """

    def mixed(leaves: Sequence[Any], shares: Any) -> Any:
        first = leaves[0]
        if not jnp.issubdtype(first.dtype, jnp.floating):
            raise ArgumentError(
                message(
                    f"{who}, augment",
                    "a step or compute_loss of your own gets mixed targets, which must be floats",
                    f"{first.dtype} of shape {first.shape}",
                    "Pass y = nacre.utils.to_categorical(y), and use a loss of one-hot labels.",
                )
            )
        return sum(share * leaf for share, leaf in zip(shares, leaves, strict=True))

    return _combined(parts, mixed)


def _combined(
    parts: Sequence[Part], combine: Callable[[Sequence[Any], Any], Any]
) -> tuple[Any, Any]:
    """Targets and weights made of those of all parts.

    Args:
        parts: The parts.
        combine: Makes one array of those of the parts and their shares (part, batch, 1 ...).
    """
    if len(parts) == 1:
        return parts[0].y, parts[0].weight
    shares = jnp.stack([part.share for part in parts])

    def one(*leaves: Any) -> Any:
        first = leaves[0]
        if first is None or all(leaf is first for leaf in leaves):
            return first
        return combine(leaves, shares.reshape(*shares.shape, *[1] * (first.ndim - 1)))

    return tree.map_structure(one, *[(part.y, part.weight) for part in parts])


# -------------------------------------------------------------------- arguments


def _steps(given: Any) -> list[tuple[str | None, Any]]:
    """(name of the input or None, layer or function) of all that was given, in order."""
    named = given.items() if is_dict(given) else [(None, given)]
    return [(name, step) for name, listed in named for step in _flat(listed)]


def _flat(listed: Any) -> list[Any]:
    """Layers and functions one after the other, chains of layers opened."""
    steps = listed if is_list(listed) else [listed]
    found: list[Any] = []
    for step in steps:
        is_chain = isinstance(step, Pipeline) or getattr(step, "_is_chain", False)
        found.extend(_flat(list(step.layers)) if is_chain else [step])
    return found


def _check_step(step: Any, who: str) -> None:
    if isinstance(step, type) or not callable(step):
        name = step.__name__ if isinstance(step, type) else repr(step)[:60]
        fix = f"Call it: {name}()." if isinstance(step, type) else "Pass augment=[RandomFlip()]."
        rule = "augment must be layers or functions"
        raise ArgumentError(message(f"{who}, augment", rule, name, fix))
    if not isinstance(step, Layer):
        _count_arguments(step, who)


def _count_arguments(step: Any, who: str) -> int:
    """1 for a function of the inputs, 2 for one of the targets too, 3 for one of the weights."""
    try:
        parameters = [*inspect.signature(step).parameters.values()]
    except (TypeError, ValueError):  # of a compiled function
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]
    if not parameters or len(needed) > 3:
        rule = "a function of augment must take (x), (x, y) or (x, y, sample_weight)"
        got = f"{_name(step)}({', '.join(p.name for p in parameters)})"
        raise ArgumentError(message(f"{who}, augment", rule, got))
    return max(1, len(needed))


def _name(step: Any) -> str:
    return step._who() if isinstance(step, Layer) else getattr(step, "__name__", repr(step))


def _input_names(model: Any, x: Any) -> list[str]:
    if isinstance(x, Mapping):
        return ["/".join(map(str, path)) for path, _ in tree.flatten_with_path(x)]
    return list(model.input_names)


def _check_name(name: str, model: Any, who: str) -> None:
    known = list(model.input_names)
    if known and name not in known:
        hint = nearest(name, known)
        rule = f"keys of augment must be names of inputs: {', '.join(known)}"
        fix = f"Did you mean {hint!r}?" if hint else ""
        raise ArgumentError(message(f"{who}, augment", rule, repr(name), fix))


def _in_whole_numbers(leaf: Any, dtype: str | None) -> Any:
    """Images for an input of whole numbers, rounded as they were."""
    if dtype is None or "int" not in dtype or not hasattr(leaf, "dtype"):
        return leaf
    if not jnp.issubdtype(leaf.dtype, jnp.floating):
        return leaf
    limits = jnp.iinfo(dtype)
    return jnp.clip(jnp.round(leaf), limits.min, limits.max).astype(dtype)


__all__ = ["Augmentation", "Part", "main_targets", "mixed_targets"]
