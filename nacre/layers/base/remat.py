"""Recomputing what layers keep for the gradient, to train with less memory."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

import jax

from nacre.core import scope, tree
from nacre.core.context import changed, current, put
from nacre.core.errors import ArgumentError, message, nearest
from nacre.core.tracing import is_tracing
from nacre.ops.control import with_effects
from nacre.ops.kernels.products import PRODUCT

P = ParamSpec("P")
R = TypeVar("R")

MODES = ("full", "activations", "larger_than", "list_of_layers", None)
RECOMPUTING: Any = "recomputing"  # in the context, within a call that is recomputed whole


class RematScope:
    """Layers made within it keep less for the gradient: they compute it again instead.

    Such a layer keeps its inputs alone when a training step is compiled, and runs a second time on
    the way back. Use it for layers whose activations do not fit into memory; a step takes up to a
    third longer. A layer made of others is recomputed as a whole, a model layer by layer. Calls on
    arrays outside of a compiled step are as ever.

    Args:
        mode: 'full' for all layers; 'list_of_layers' for those of `layer_names`; 'larger_than' for
            those whose output for a batch has more than `output_size_threshold` numbers
            ('output_size' is taken for it too); 'activations' for layers with an activation, of
            which products of matrices are kept; None for none, within another scope.
        output_size_threshold: See `mode`.
        layer_names: Names, for 'list_of_layers'.

    Raises:
        ArgumentError: Another mode.
    Source:
        Keras 3.15, keras.RematScope. Differs: a model is no layer of its own here, whose
        recomputation as a whole would save nothing.
    Example:
        >>> import nacre
        >>> with nacre.RematScope("full"):
        ...     layer = nacre.layers.Dense(8, activation="gelu")
    """

    def __init__(
        self,
        mode: str | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Iterable[str] | None = None,
    ) -> None:
        mode = "larger_than" if mode == "output_size" else mode
        if mode not in MODES:
            hint = nearest(str(mode), [m for m in MODES if m])
            raise ArgumentError(
                message(
                    "RematScope",
                    "mode must be one of 'full', 'activations', 'larger_than', 'list_of_layers' "
                    "and None",
                    repr(mode),
                    f"Did you mean {hint!r}?" if hint else "",
                )
            )
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = tuple(layer_names or ())
        self._before: list[Any] = []  # the scopes around, as often as it is entered

    def __enter__(self) -> RematScope:
        self._before.append(current().remat)
        put(remat=self)
        return self

    def __exit__(self, *_: object) -> None:
        put(remat=self._before.pop())

    def covers(self, layer: Any, shape: Any) -> bool:
        """Whether a layer made within recomputes a call on an input of this shape."""
        if self.mode == "list_of_layers":
            return layer.name in self.layer_names
        if self.mode == "activations":
            return callable(getattr(layer, "activation", None))
        if self.mode == "larger_than":
            shapes = layer.compute_output_shape(shape)
            leaves = shapes if isinstance(shapes, list) else [shapes]
            return any(math.prod(n or 1 for n in s) > self.output_size_threshold for s in leaves)
        return self.mode == "full"


def remat(f: Callable[P, R]) -> Callable[P, R]:
    """A function whose gradient computes it again instead of keeping what it needs.

    It may use layers and variables; what it assigns is assigned once.

    Args:
        f: The function, of tensors.

    Example:
        >>> import nacre
        >>> double = nacre.remat(lambda x: nacre.ops.sin(x) * 2.0)
        >>> double(nacre.ops.zeros((2,))).tolist()
        [0.0, 0.0]
    """

    @functools.wraps(f)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_tracing():
            return f(*args, **kwargs)
        return recomputed(f, args, kwargs, None)

    return run


def is_recomputed(layer: Any, args: tuple[Any, ...]) -> bool:
    """Whether this call of a layer that was made in a `RematScope` is to be recomputed."""
    if current().remat is RECOMPUTING or not is_tracing() or layer._is_model:
        return False
    shape = getattr(args[0], "shape", None) if args else None
    return layer._remat.covers(layer, shape)


# Those that a compiled kernel makes are no `dot_general` that JAX could see.
_PRODUCTS = jax.checkpoint_policies.save_from_both_policies(
    jax.checkpoint_policies.dots_saveable,
    jax.checkpoint_policies.save_only_these_names(PRODUCT),
)


def recomputed(
    call: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    layer: Any,
) -> Any:
    """What a call gives, computed again on the way back.

    Args:
        call: The call. It may assign to variables, draw keys and add losses.
        args, kwargs: Its arguments.
        layer: What is called, where it is a layer.
    """
    keeps_products = layer is not None and layer._remat.mode == "activations"
    policy = _PRODUCTS if keeps_products else None
    structures: list[Any] = []

    def run(body: scope.Body, values: list[Any]) -> tuple[Any, list[Any]]:
        def once(values: list[Any]) -> tuple[Any, list[Any]]:
            with body.iteration(None, values) as inner, changed(remat=RECOMPUTING):
                inner.collect_losses = True
                outputs = call(*args, **kwargs)
                leaves = tree.flatten(outputs)
                structures[:] = [outputs]
                found = [(scope.get_mask(x), scope.logits_of(x)) for x in leaves]
                return (leaves, found, list(inner.losses)), body.values(inner)

        return jax.checkpoint(once, policy=policy)(values)

    leaves, found, losses = with_effects(run)
    for leaf, (mask, logits) in zip(leaves, found, strict=True):
        if mask is not None:
            scope.set_mask(leaf, mask)
        if logits is not None:
            scope.note_logits(leaf, logits)
    if layer is not None:
        for loss in losses:
            layer.add_loss(loss)
    return tree.pack_sequence_as(structures[0], leaves)


__all__ = ["RematScope", "is_recomputed", "recomputed", "remat"]
