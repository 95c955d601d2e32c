"""What the losses and metrics given to `compile` mean for the outputs of a model."""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from nacre import losses, metrics
from nacre.core import tree
from nacre.core.errors import ArgumentError, LossInputError, message
from nacre.core.kinds import is_dict, is_list
from nacre.core.names import called_name, free_name
from nacre.core.protocols import TrainingOptimizer
from nacre.core.variable import Variable
from nacre.losses.loss import Loss
from nacre.metrics import from_logits
from nacre.metrics.metric import Metric, name_apart
from nacre.metrics.own_state import with_own_state
from nacre.training.loss_weights import WeightFunction, is_weight_function
from nacre.training.outputs import Outputs

_Kind = TypeVar("_Kind", Loss, Metric)
_CHOSEN_BY_SHAPE = frozenset(("accuracy", "acc", "crossentropy", "ce"))


class Output:
    """One output of the model: its loss and its metrics.

    Attributes:
        name: The output's name.
        loss: Function (y_true, y_pred, sample_weight) -> scalar, or None.
        weight: Factor of the loss in the total; of a variable or a function its value at a step.
        metrics: (name in logs, metric, whether sample weights apply).
        tracker: The mean of its loss, where several outputs have one; else the total says it.
    """

    def __init__(self, name: str, loss: Any, weight: float | Variable | WeightFunction) -> None:
        self.name = name
        self.loss = loss
        self.weight = weight
        self.metrics: list[tuple[str, Metric, bool]] = []
        self.tracker: Metric | None = None

    @property
    def needs_targets(self) -> bool:
        """Whether it has a loss or a metric."""
        return self.loss is not None or bool(self.metrics)

    def weighted(self, loss: Any, optimizer: TrainingOptimizer | None) -> Any:
        """What a value of its loss adds to the total.

        Args:
            loss: The value.
            optimizer: Which counts the steps that a function as weight is given.
        """
        if isinstance(self.weight, WeightFunction):
            return loss * self.weight.value(optimizer)
        if isinstance(self.weight, Variable):
            return loss * self.weight.value
        return loss if self.weight == 1.0 else loss * self.weight


@dataclass(frozen=True)
class Bound:
    """The outputs of a model with their losses and metrics.

    Attributes:
        outputs: All of them.
        with_losses: Those that have a loss, in the order the losses were given.
        named: Their names and structure.
        names_losses: Whether losses were given by name.
        choices: What was chosen for the user, as sentences.
    """

    outputs: list[Output]
    with_losses: list[Output]
    named: Outputs
    names_losses: bool
    choices: list[str]

    def targets(self, y: Any) -> list[Any]:
        """The targets of each output, None where there are none."""
        needed = [i for i, output in enumerate(self.outputs) if output.needs_targets]
        return self.named.targets(y, needed, is_by_name=self.names_losses)


def bind(given: Mapping[str, Any], model: Any, y: Any, y_pred: Any) -> Bound:
    """Give every output its loss and metrics.

    Args:
        given: `loss`, `loss_weights`, `metrics` and `weighted_metrics`, as `compile` got them.
        model: The model.
        y, y_pred: Targets and predictions: arrays, or anything with shape and dtype.

    Raises:
        ArgumentError, LossInputError: What was given does not fit the outputs, or targets lack.
    """
    named = Outputs(model, y_pred)
    specs = named.losses(given["loss"])
    factors = [_factor(weight) for weight in named.loss_weights(given["loss_weights"])]
    kinds = ("metrics", "weighted_metrics")
    plain, weighted = (named.metrics(given[kind], kind) for kind in kinds)
    triples = zip(named.names, specs, factors, strict=True)
    outputs = [Output(name, _as_loss(spec), factor) for name, spec, factor in triples]
    asked = zip(outputs, plain, weighted, strict=True)
    needed = [i for i, (o, *listed) in enumerate(asked) if o.loss is not None or any(listed)]
    names_losses = is_dict(given["loss"])
    targets = named.targets(y, needed, is_by_name=names_losses)
    every = tree.flatten([given[kind] for kind in kinds])
    name_apart(m for m in (*every, *model.metrics) if isinstance(m, Metric))
    choices = _said_of_lists(given["metrics"], named.names)
    predictions = tree.flatten(y_pred)
    for i, output in enumerate(outputs):
        own_prefix = named.places[i].prefix if len(outputs) > 1 else None
        prefix = "" if own_prefix is None else f"{own_prefix}_"
        for entries, uses_weights in ((plain[i], False), (weighted[i], True)):
            for entry in entries:
                if targets[i] is None and is_chosen_by_shape(entry):
                    raise no_targets(f"metric '{entry}'", output.name, y)
                metric, label, choice = _as_metric(entry, targets[i], predictions[i], output)
                taken = [m for o in outputs for m in o.metrics]
                if any(metric is other for _, other, _ in taken):
                    metric = with_own_state(metric)
                _build_metric(metric, targets[i], predictions[i])
                shown = _name_in_logs(prefix, label, [name for name, _, _ in taken], uses_weights)
                if metric is not entry:  # steps by hand report `{m.name: m.result() ...}`
                    metric.name = shown
                output.metrics.append((shown, metric, uses_weights))
                sentence = from_logits.sentence(shown, metric, output.loss, predictions[i])
                choices += [said for said in (choice, sentence) if said]
    in_order = [outputs[i] for i in named.in_order_of(given["loss"])]
    with_losses = [output for output in in_order if output.loss is not None]
    if len(with_losses) > 1:
        _track(outputs, named, specs)
    return Bound(outputs, with_losses, named, names_losses, choices)


def _said_of_lists(listed: Any, names: list[str]) -> list[str]:
    """How a list with one metric an output is read, which tf.keras 2 read otherwise."""
    if (
        len(names) > 1
        and is_list(listed)
        and len(listed) == len(names)
        and all(isinstance(entry, str) for entry in listed)
    ):
        pairs = ", ".join(f"{name}: {entry}" for name, entry in zip(names, listed, strict=True))
        return [f"metrics, one an output: {pairs}"]
    return []


def is_chosen_by_shape(entry: Any) -> bool:
    """Whether one of `metrics` is a word that stands for several, by the targets' shape."""
    return isinstance(entry, str) and entry.lower() in _CHOSEN_BY_SHAPE


def _as_metric(entry: Any, y: Any, y_pred: Any, output: Output) -> tuple[Metric, str, str | None]:
    """A metric, its name in logs, and what was chosen for the user, as a sentence."""
    if isinstance(entry, Metric):
        return entry, entry.name, None
    if is_dict(entry):
        metric = cast("Metric", metrics.get(entry))
        return metric, metric.name, None
    if is_chosen_by_shape(entry):
        metric, reason = metrics.resolve_accuracy(
            entry, getattr(y, "shape", None), y_pred.shape, output.loss
        )
        metric.name = entry
        chosen, _, why = reason.partition(": ")
        return metric, entry, f"{entry} = {chosen} ({why.rstrip('.')})"
    metric = _made(cast(object, metrics.get(entry)), Metric, metrics.MeanMetricWrapper)
    metric.name = entry if isinstance(entry, str) else metric.name
    return metric, metric.name, None


def _made(found: object, kind: type[_Kind], wrapper: Callable[..., _Kind]) -> _Kind:
    """A loss or a metric, of an object, a class or a function."""
    if isinstance(found, kind):
        return found
    if isinstance(found, type):
        return found()
    return wrapper(found, name=called_name(found))


def _name_in_logs(prefix: str, label: str, taken: list[str], uses_weights: bool) -> str:
    name = f"{prefix}{label}"
    if name in taken and uses_weights:  # the same metric, with weights and without
        name = f"{prefix}weighted_{label}"
    return free_name(name, taken)


def _build_metric(metric: Metric, y: Any, y_pred: Any) -> None:
    """Some metrics make their variables from shapes; they must exist before a step is traced.

    Raises:
        ArgumentError: It is one of values, as `Mean`: Keras takes the predictions for weights.
    """
    parameters = list(inspect.signature(metric.update_state).parameters)
    if parameters[1:2] == ["sample_weight"]:
        kind = type(metric).__name__
        raise ArgumentError(
            message(
                f"metric '{metric.name}'",
                "metrics given to compile() compare targets with predictions",
                f"{kind}, which takes values: update_state({', '.join(parameters)})",
                "Pass a function of both, metrics=[lambda y_true, y_pred: ...], whose mean is "
                f"shown; or keep the {kind} in the model and update it in train_step.",
            )
        )
    metric._check_predictions(y_pred)
    build = getattr(metric, "build", None)
    if build is not None and y is not None and not getattr(metric, "built", False):
        build(tuple(y.shape), tuple(y_pred.shape))


def _track(outputs: list[Output], named: Outputs, specs: list[Any]) -> None:
    """Let each output that has a loss report its mean."""
    taken: list[str] = []
    for output, place, spec in zip(outputs, named.places, specs, strict=True):
        if output.loss is not None:
            taken.append(free_name(place.loss_name(_loss_label(spec, output.loss)), taken))
            output.tracker = mean_of_loss(taken[-1])


def mean_of_loss(name: str) -> Metric:
    """The mean of a loss, of which less is better."""
    mean = metrics.Mean(name=name)
    mean.direction = "min"
    return mean


def _factor(weight: Any) -> float | Variable | WeightFunction:
    """One of `loss_weights`. A variable, which a callback may change, is kept as it is."""
    if is_weight_function(weight):
        return WeightFunction(weight)
    if isinstance(weight, Variable):
        return weight
    return 1.0 if weight is None else float(weight)


def _as_loss(spec: object) -> Loss | None:
    return None if spec is None else _made(losses.get(spec), Loss, losses.LossFunctionWrapper)


def _loss_label(spec: object, loss: Loss) -> str:
    """A loss's name in logs: the word it was asked for by where that is a function's."""
    return spec if isinstance(spec, str) and type(loss) is losses.LossFunctionWrapper else loss.name


def no_targets(what: str, name: str, y: Any) -> LossInputError:
    """The error for an output that lacks the targets it needs.

    Args:
        what: What needs them, as "loss" or "metric 'accuracy'".
        name: The output's name.
        y: What was given.
    """
    got = "y=None" if y is None else f"None for '{name}'"
    if is_dict(y):
        got = f"y with the keys {list(y)}"
    fix = (
        f"Add y[{name!r}]"
        if is_dict(y)
        else "Pass y to fit() and evaluate(), and validation_data=(x, y)"
    )
    return LossInputError(
        message(
            f"{what} of output '{name}'",
            "targets must be given",
            got,
            f"{fix}, or compile without a {what.partition(' ')[0]} for this output.",
        )
    )


__all__ = ["Bound", "Output", "bind", "is_chosen_by_shape", "mean_of_loss", "no_targets"]
