"""`explain_nan`: where in a training step NaN or infinite numbers come from.

A step is run on real numbers, layer by layer, twice. The first time the outputs of every layer are
looked at. The second time a zero is added to what each layer takes and gives, so that its gradient
is known there too: behind which layer, seen from the loss, it stops being a number.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.state import State, Values
from nacre.data.feed import stretch_of
from nacre.data.sources import ArraySource
from nacre.training import inputs, prepare
from nacre.training.absent import without_absent
from nacre.training.model_programs import training_programs
from nacre.training.own_steps import custom_step
from nacre.training.pure_losses import loss_of
from nacre.training.step import narrowest_dtype
from nacre.training.trials import Trial

_Slopes = tuple[list[Any], list[Any], list[Any]]
Where = Literal["inputs", "targets", "weights", "forward", "loss", "backward", "update"]


@dataclass(frozen=True)
class NanReport:
    """What `Model.explain_nan` found; as text one sentence.

    Attributes:
        where: In which part of a step: 'inputs', 'targets', 'weights' (of the model or its
            optimizer, before the step), 'forward', 'loss', 'backward' or 'update'; None where all
            numbers are finite.
        layer: The path of the layer, as 'encoder/dense_1'.
        op: The operation of this package within it that gave the first such number, if one did.
        variable: The path of the weight, or of the one whose gradient it is.
        batch: The number of the batch, from 0.
        text: The sentence.
    """

    where: Where | None
    layer: str = ""
    op: str = ""
    variable: str = ""
    batch: int = 0
    text: str = ""

    def __bool__(self) -> bool:
        return self.where is not None

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def explain_nan(
    model: Any, x: Any, y: Any, sample_weight: Any, batch_size: int, most_batches: int | None
) -> NanReport:
    """Where the first number that is not finite arises; see `Model.explain_nan`."""
    who = f"{model._who()}.explain_nan"
    trainer = prepare.require_compiled(model, "explain_nan")
    with Trial(model, trainer) as trial:
        source = inputs.source_of(model, x, y, sample_weight, who=who)
        source = prepare.prepare(model, trainer, source, batch_size, training=True, who=who)
        state = training_programs(model, trainer).state
        trial.begin(state)
        found = _in_variables(model, state)
        if found is not None:
            return found
        if not model._computes():
            raise ArgumentError(
                message(
                    who,
                    "it looks into a call of the model, whose weights are finite",
                    f"{type(model).__name__}, a class that only holds parts",
                    "Compile the part that is trained with a loss, and ask it: "
                    "model.generator.explain_nan(x, y).",
                )
            )
        batches: Iterable[Any]
        if isinstance(source, ArraySource):
            starts = range(0, source.num_rows, batch_size)
            batches = (source.batch(slice(start, start + batch_size)) for start in starts)
        else:
            batches = source.batches(0)
        number = 0
        values = state.read()
        for number, batch in enumerate(itertools.islice(batches, most_batches), 1):
            leaves = tree.pack_sequence_as(batch, stretch_of(batch, 0, who).arrays)
            step = _Step(model, trainer, state, values, leaves, number - 1)
            found = step.explained()
            if found is not None:
                return found
            values = step.after  # numbers that grow with each update are found only so
    return NanReport(None, text=_nothing(number, custom_step(model, "train_step") is not None))


def _nothing(batches: int, has_own_step: bool) -> str:
    text = f"All numbers are finite in {batches} batch{'es' if batches != 1 else ''}: the data, "
    text += "the weights, outputs of layers, the loss, gradients and the updated weights."
    if has_own_step:
        text += " The train_step of your own was not looked into, only the model it trains."
    return text


def _in_variables(model: Any, state: State) -> NanReport | None:
    """What is not finite before a step."""
    for group in ("trainable", "other", "optimizer"):
        for variable in state.groups[group]:
            kind = _kind_of(variable.numpy())
            if kind:
                owner = "the optimizer's state" if group == "optimizer" else "the weight"
                where = f"{owner} '{variable.path}' of shape {tuple(variable.shape)}"
                text = f"{kind} is in {where} before the step. Load weights that are whole."
                return NanReport("weights", variable=variable.path, text=text)
    return None


@dataclass
class _Call:
    """One call of a layer or an op.

    Attributes:
        path: Names down to the layer; of an op, those of the layer that calls it.
        kind: The class of the layer, or the name of the op.
        is_layer: Which of the two it is.
        given, results: Its arrays of floats.
        at_inputs, at_outputs: The numbers of the zeros that were added to them.
        variables: The weights of a layer itself.
    """

    path: str
    kind: str
    is_layer: bool
    given: list[Any] = field(default_factory=list[Any])
    results: list[Any] = field(default_factory=list[Any])
    at_inputs: list[int] = field(default_factory=list[int])
    at_outputs: list[int] = field(default_factory=list[int])
    variables: list[Any] = field(default_factory=list[Any])


class _Recorder:
    """Records calls; see `CallContext.recorder`.

    Args:
        zeros: What is added at the entrances and exits of layers, in their order; None adds
            nothing, and only notes what would be added to.
    """

    def __init__(self, zeros: list[Any] | None) -> None:
        self.calls: list[_Call] = []  # in the order in which they end
        self.begun: list[_Call] = []  # layers, in the order in which they begin
        self.specs: list[Any] = []
        self._zeros = zeros

    def layer_called(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a layer and note what it takes and gives."""
        context = scope.call_context()
        assert context is not None
        call = _Call("/".join([*context.path[1:], layer.name]), type(layer).__name__, True)
        call.variables = list(layer._direct_variables())
        self.begun.append(call)
        args, call.at_inputs = self._marked(args)
        call.given = _floats(args)
        outputs, call.at_outputs = self._marked(layer._call_arrays(args, kwargs))
        call.results = _floats(outputs)
        self.calls.append(call)
        return outputs

    def op_called(
        self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any, *_: Any
    ) -> None:
        """Note what an op takes and gives."""
        context = scope.call_context()
        assert context is not None
        call = _Call("/".join(context.path[1:]), op.name, False)
        call.given = _floats((args, list(kwargs.values())))
        call.results = _floats(outputs)
        self.calls.append(call)

    def _marked(self, structure: Any) -> tuple[Any, list[int]]:
        numbers: list[int] = []

        def marked(leaf: Any) -> Any:
            if not _is_float(leaf):
                return leaf
            numbers.append(len(self.specs))
            self.specs.append(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
            if self._zeros is None:
                return leaf
            new = leaf + self._zeros[numbers[-1]]
            if (mask := scope.get_mask(leaf)) is not None:
                scope.set_mask(new, mask)
            return new

        return tree.map_structure(marked, structure), numbers


class _Step:
    """One step of training on one batch.

    Attributes:
        after: The values after its update; those before it until then, and where a `train_step` of
            the user's own makes the updates.
    """

    def __init__(
        self, model: Any, trainer: Any, state: State, values: Values, batch: Any, number: int
    ) -> None:
        self.model, self.trainer, self.state = model, trainer, state
        self.values = self.after = values
        self.number = number
        x, y, self.weight = batch
        weights = [] if self.weight is None else tree.flatten(self.weight)
        self.x, self.y, self.absent = without_absent(x, y, weights, narrowest_dtype(model))

    def explained(self) -> NanReport | None:
        """What is wrong in this step, if anything."""
        named: tuple[tuple[Where, Any], ...] = (("inputs", self.x), ("targets", self.y))
        for where, part in named:
            for path, leaf in tree.flatten_with_path(part):
                if _is_float(leaf) and (kind := _kind_of(np.asarray(leaf))):
                    row = int(np.argwhere(~np.isfinite(np.asarray(leaf)))[0][0])
                    name = f" '{'/'.join(map(str, path))}'" if path else ""
                    text = f"{kind} is in the {where}{name}, row {row} of batch {self.number + 1}."
                    return NanReport(where, batch=self.number, text=text)
        recorder, loss, y_pred = self._forward()
        if _kinds([loss, *_floats(y_pred)]):
            return self._of_forward(recorder, y_pred)
        return self._of_backward(recorder.specs)

    def _run(
        self, trainable: list[Any], zeros: list[Any] | None, x: Any, y_pred_zeros: list[Any] | None
    ) -> tuple[Any, Any, _Recorder]:
        recorder = _Recorder(zeros)
        context = scope.CallContext(self.model, True)
        context.recorder = recorder
        values = {**self.values, "trainable": trainable}
        with (
            jax.disable_jit(),
            scope.StatelessScope(self.state.pairs(values), collect_losses=True) as inner,
            scope.entered_call(context, self.absent),
        ):
            y_pred = self.model._call_arrays((x,), {"training": True})
            if y_pred_zeros is not None:
                y_pred = _plus(y_pred, y_pred_zeros)
            context.recorder = None  # losses are not layers
            loss = jnp.float32(0)
            if custom_step(self.model, "train_step") is None or self.trainer.given["loss"]:
                loss = loss_of(self.model, x, self.y, y_pred, self.weight, True)
            inner.forget_draws()
        return loss, y_pred, recorder

    def _forward(self) -> tuple[_Recorder, Any, Any]:
        loss, y_pred, recorder = self._run(self.values["trainable"], None, self.x, None)
        return recorder, loss, y_pred

    def _of_forward(self, recorder: _Recorder, y_pred: Any) -> NanReport:
        calls = recorder.calls
        index = next((i for i, c in enumerate(calls) if _begins_in(c)), None)
        kind = _kinds(_floats(y_pred))
        if index is None and not kind:
            text = (
                f"The loss is the first number that is not finite in batch {self.number + 1}: the "
                f"predictions are{_largest(_floats(y_pred))}. Look for a logarithm or a division "
                "by 0 in the loss; where they are so large, lower the learning rate."
            )
            return NanReport("loss", batch=self.number, text=text)
        if index is None:
            kind_text = f"{kind} is in the model's outputs, and in no output of a layer before"
            return NanReport("forward", batch=self.number, text=f"{kind_text}: look at its call().")
        call = calls[index]
        op = "" if call.is_layer else call.kind
        layer = call.path
        named = call
        if not call.is_layer:
            named = next((c for c in calls[index:] if c.is_layer and c.path == layer), call)
        who = f"{named.kind} '{layer}'" if named.is_layer and layer else "the model"
        by = f" (ops.{op})" if op else ""
        text = (
            f"{_kinds(call.results)} arises in the forward pass in {who}{by}, batch "
            f"{self.number + 1}: what it takes is finite{_largest(call.given)}, and what it gives "
            f"is not, of shape {tuple(call.results[0].shape)}."
        )
        return NanReport("forward", layer=layer, op=op, batch=self.number, text=text)

    def _of_backward(self, specs: list[Any]) -> NanReport | None:
        trainable = self.values["trainable"]
        if not trainable:
            return None
        zeros = [jnp.zeros(s.shape, s.dtype) for s in specs]
        y_zeros: list[Any] = []
        kept: list[_Recorder] = []

        def loss_at(trainable: list[Any], zeros: list[Any], y_zeros: list[Any]) -> Any:
            loss, _, recorder = self._run(trainable, zeros, self.x, y_zeros)
            kept.append(recorder)
            return loss

        _, y_pred, _ = self._run(trainable, None, self.x, None)
        y_zeros = [jnp.zeros(leaf.shape, leaf.dtype) for leaf in _floats(y_pred)]
        with jax.disable_jit():
            gradient = cast("Callable[..., _Slopes]", jax.grad(loss_at, argnums=(0, 1, 2)))
            slopes, at, at_outputs = gradient(trainable, zeros, y_zeros)
        kind = _kinds([*slopes, *at])
        if not kind:
            return self._of_update(slopes)
        if _kinds(at_outputs):
            text = (
                f"{kind} arises in the backward pass in the loss, batch {self.number + 1}: the "
                "loss is finite, and its gradient at the predictions is not."
            )
            return NanReport("loss", batch=self.number, text=text)
        by_id = {
            id(v): slope for v, slope in zip(self.state.groups["trainable"], slopes, strict=True)
        }
        return self._culprit(kept[-1], at, by_id)

    def _culprit(self, recorder: _Recorder, at: list[Any], slopes: dict[int, Any]) -> NanReport:
        """The last layer called whose gradient is a number at its outputs, and not before."""
        for call in reversed(recorder.begun):
            own = [v for v in call.variables if id(v) in slopes and _kinds([slopes[id(v)]])]
            kind = _kinds([at[i] for i in call.at_inputs] + [slopes[id(v)] for v in own])
            if not kind or _kinds([at[i] for i in call.at_outputs]):
                continue
            of = f"the weight '{own[0].path}'" if own else "its inputs"
            text = (
                f"{kind} arises in the backward pass in {call.kind} '{call.path}', batch "
                f"{self.number + 1}: the gradient at its outputs is finite, and that of {of} is "
                "not. In the forward pass all numbers are finite."
            )
            variable = own[0].path if own else ""
            return NanReport("backward", call.path, variable=variable, batch=self.number, text=text)
        variables = self.state.groups["trainable"]
        wrong = next(v.path for v in variables if _kinds([slopes[id(v)]]))
        text = (
            f"The gradient of '{wrong}' is not finite in batch {self.number + 1}, and arises "
            "between layers: in the model's own call()."
        )
        return NanReport("backward", variable=wrong, batch=self.number, text=text)

    def _of_update(self, slopes: list[Any]) -> NanReport | None:
        optimizer = self.trainer.optimizer_in_use
        by_id = {id(v): value for v, value in self.state.pairs(self.values)}
        own = [by_id.get(id(v), v.value) for v in optimizer.variables]
        scale = optimizer.scale_loss(jnp.float32(1))
        scaled = [slope * scale.astype(slope.dtype) for slope in slopes]
        new, new_own = optimizer.stateless_apply(own, scaled, self.values["trainable"])
        trainable = self.state.groups["trainable"]
        for variable, value in zip(trainable, new, strict=True):
            if kind := _kinds([value]):
                text = (
                    f"{kind} arises in the update of '{variable.path}' by the optimizer, batch "
                    f"{self.number + 1}: its gradient is finite. Lower the learning rate."
                )
                return NanReport("update", variable=variable.path, batch=self.number, text=text)
        if custom_step(self.model, "train_step") is None:
            pairs = zip([*trainable, *optimizer.variables], [*new, *new_own], strict=True)
            by_id |= {id(variable): value for variable, value in pairs}
            groups = self.state.groups.items()
            self.after = {name: [by_id[id(v)] for v in variables] for name, variables in groups}
        return None


def _begins_in(call: _Call) -> bool:
    return bool(_kinds(call.results)) and not _kinds(call.given)


def _plus(structure: Any, zeros: list[Any]) -> Any:
    rest = iter(zeros)

    def added(leaf: Any) -> Any:
        if not _is_float(leaf):
            return leaf
        new = leaf + next(rest)
        if (mask := scope.get_mask(leaf)) is not None:
            scope.set_mask(new, mask)
        return new

    return tree.map_structure(added, structure)


def _is_float(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape") and _is_inexact(leaf.dtype)


def _is_inexact(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))


def _floats(structure: Any) -> list[Any]:
    return [leaf for leaf in tree.flatten(structure) if _is_float(leaf)]


def _kinds(arrays: Iterable[Any]) -> str:
    """'NaN' or 'inf' where any of the arrays holds one; NaN first."""
    found = [_kind_of(np.asarray(array)) for array in arrays]
    return "NaN" if "NaN" in found else "inf" if "inf" in found else ""


def _kind_of(array: np.ndarray) -> str:
    if not _is_inexact(array.dtype) or not array.size:
        return ""
    array = array.astype("float32") if array.dtype.kind == "V" else array
    if np.isnan(array).any():
        return "NaN"
    return "inf" if not np.isfinite(array).all() else ""


def _largest(arrays: list[Any]) -> str:
    """How large the numbers are that went in, where there are some."""
    sizes = [float(np.abs(np.asarray(a, "float32")).max()) for a in arrays if a.size]
    if not sizes:
        return ""
    return f" (up to {max(sizes):.3g})"


__all__ = ["NanReport", "explain_nan"]
