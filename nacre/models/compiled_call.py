"""`model(x)` on arrays: one compiled program for each kind of call, kept.

The program is a pure function of the variables' values and the arrays. It gives back the outputs,
their masks, the losses the layers added and the variables that changed; the last three are put
where a plain call would have put them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from nacre.core import scope, tree
from nacre.core.host_arrays import refuse_wide_integers
from nacre.core.variable import Variable
from nacre.layers.base import tracking
from nacre.ops.kernels.placement import own_program

if TYPE_CHECKING:
    from nacre.models.model import Model


class Program:
    """One compiled call: fixed training flag and structure of arguments."""

    def __init__(
        self, model: Model, variables: list[Variable], structure: Any, kwargs: dict[str, Any]
    ):
        self.changed: list[Variable] = []
        self.loss_count = 0

        def run(values: list[Any], arrays: list[Any]) -> Any:
            stream = iter(arrays)
            args = tree.map_structure(
                lambda leaf: next(stream) if leaf is _ARRAY else leaf, structure
            )
            pairs = list(zip(variables, values, strict=True))
            # The context outlives the call, as the masks of traced values are kept in it.
            context = scope.CallContext(model, kwargs.get("training"))
            with (
                scope.StatelessScope(pairs, collect_losses=True) as inner,
                scope.entered_call(context),
                own_program(),
            ):
                outputs = model._call_now(tuple(args), dict(kwargs))
                masks = _masks(outputs)
                losses = list(inner.losses)
                self.changed = [v for v, old in pairs if inner.get_current_value(v) is not old]
                updates = [inner.get_current_value(v) for v in self.changed]
            return outputs, masks, losses, updates

        self.run = jax.jit(run)


def _masks(outputs: Any) -> Any:
    return [scope.get_mask(leaf) for leaf in tree.flatten(outputs)]


class _Array:
    """Stands for an array in the structure of arguments."""

    def __repr__(self) -> str:
        return "array"


_ARRAY = _Array()


class CallCache:
    """The programs of one model."""

    def __init__(self) -> None:
        self.programs: dict[Any, Program] = {}
        self.variables: list[Variable] = []
        self.epoch = -1
        self.lock = threading.Lock()

    def refresh(self, model: Model) -> None:
        """Forget programs when the model got other variables."""
        epoch = tracking.structure_epoch()
        if epoch != self.epoch:
            with self.lock:
                variables = model.trainable_variables + model.non_trainable_variables
                if [id(v) for v in variables] != [id(v) for v in self.variables]:
                    self.programs = {}
                    self.variables = variables
                self.epoch = epoch


def call_compiled(
    model: Model, cache: CallCache, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run `model(*args, **kwargs)` through its compiled program."""
    cache.refresh(model)
    arrays: list[Any] = []

    def take(leaf: Any) -> Any:
        if isinstance(leaf, jax.Array | np.ndarray):
            if isinstance(leaf, np.ndarray):
                refuse_wide_integers(leaf, model._who())
            arrays.append(leaf)
            return _ARRAY
        return leaf

    structure = [tree.map_structure(take, a) for a in args]
    key = (repr(structure), tuple(sorted((k, repr(v)) for k, v in kwargs.items())))
    program = cache.programs.get(key)
    if program is None:
        program = Program(model, cache.variables, structure, kwargs)
        cache.programs[key] = program
    outputs, masks, losses, updates = program.run([v.value for v in cache.variables], arrays)
    for variable, value in zip(program.changed, updates, strict=True):
        variable.take_back(value)
    model._clear_losses()
    model._losses = list(losses)
    for leaf, mask in zip(tree.flatten(outputs), masks, strict=True):
        if mask is not None:
            scope.set_mask(leaf, mask)
    return outputs


def can_compile(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether arguments are arrays and plain flags, without masks."""
    for leaf in tree.flatten(args):
        if not isinstance(leaf, jax.Array | np.ndarray) or leaf.dtype.kind in "OUS":
            return False
        if getattr(leaf, "_keras_mask", None) is not None:
            return False
    return all(v is None or isinstance(v, bool | int | float | str) for v in kwargs.values())
