"""The arguments of `compile()`, resolved: optimizer, a loss and metrics for each output."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
import operator
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import jax.numpy as jnp

from nacre import losses, metrics, optimizers
from nacre.core import scope, tree
from nacre.core.changes import Contents, Versioned
from nacre.core.errors import (
    ArgumentError,
    LossInputError,
    message,
)
from nacre.core.kinds import is_dict, is_list
from nacre.core.names import called_name, free_name
from nacre.core.numbers import number
from nacre.core.protocols import TrainingOptimizer, overrides
from nacre.core.registry import is_builtin
from nacre.core.terminal import show
from nacre.core.variable import Variable
from nacre.losses.loss import Loss
from nacre.metrics import from_logits
from nacre.metrics.metric import Metric, name_apart
from nacre.metrics.own_state import with_own_state
from nacre.training.arguments import whole_number
from nacre.training.loss_weights import WeightFunction, is_weight_function
from nacre.training.mixed_losses import mixed_loss
from nacre.training.outputs import Outputs, is_config


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


class CompiledTraining:
    """Optimizer, losses, metrics and compiled programs of one model."""

    def __init__(
        self,
        model: Any,
        *,
        optimizer: Any,
        loss: Any,
        loss_weights: Any,
        metrics: Any,
        weighted_metrics: Any,
        run_eagerly: bool,
        steps_per_execution: int | None,
        jit_compile: Any,
        auto_scale_loss: bool,
    ) -> None:
        self.who = model._who()
        self._scales_loss = auto_scale_loss and model.dtype_policy.name == "mixed_float16"
        self.optimizer: TrainingOptimizer | None = self._resolved(optimizer)
        self.given = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        _check_names(loss, metrics, weighted_metrics)
        who = f"{self.who}.compile"
        if isinstance(steps_per_execution, str) and steps_per_execution == "auto":
            steps_per_execution = None  # chosen by measuring, as without it
        steps_per_execution = whole_number(steps_per_execution, "steps_per_execution", who)
        for weight in tree.flatten(loss_weights):
            if weight is not None and not is_weight_function(weight):
                number(who, "each of loss_weights", weight)
        for name, value in (("run_eagerly", run_eagerly), ("auto_scale_loss", auto_scale_loss)):
            if isinstance(value, str):  # "False" would be true
                rule = f"{name} must be True or False"
                raise ArgumentError(message(who, rule, repr(value)[:100]))
        if jit_compile not in (True, False, None, "auto"):
            rule = "jit_compile must be True, False or 'auto'"
            raise ArgumentError(message(who, rule, repr(jit_compile)[:100]))
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self.loss_tracker: Metric = _mean("loss")
        self.outputs: list[Output] | None = None
        self._bound_form: Any = None  # of the targets they were bound to
        self._given_targets: list[Any] | None = None  # see `own_step_given`
        self._hands_on: bool | None = None  # whether the user's step hands on the targets as given
        self._refusal: LossInputError | None = None  # of targets, until that is known
        self._named: Outputs | None = None  # the outputs' names and structure, when they are known
        self._losses_in_order: list[Output] = []
        self.choices: list[str] = []
        self._contents = Contents()
        self.augmentation: Versioned | None = None  # of the training under way
        self.last_augmentation: Versioned | None = None  # for another training with the same
        self._augmentations = Contents()
        self.has_trained = False  # whether the optimizer's variables are settled
        # For which variables of the model, and the optimizer's own list of them.
        self.settled: tuple[int, list[Any]] | None = None
        self.are_targets_checked = False  # whether the first fit warned about unlikely ones

    @property
    def optimizer_in_use(self) -> TrainingOptimizer:
        """The optimizer, in a training: none begins without one."""
        assert self.optimizer is not None
        return self.optimizer

    def _resolved(self, optimizer: Any) -> TrainingOptimizer | None:
        found = optimizers.get(optimizer)
        return _with_loss_scale(found) if self._scales_loss else found

    def with_optimizer(self, optimizer: Any) -> CompiledTraining:
        """The same with another optimizer, whose variables are made when it trains."""
        other = copy.copy(self)
        other.optimizer = self._resolved(optimizer)
        other.has_trained, other.settled = False, None
        return other

    def contents_token(self, metrics: list[Metric]) -> int:
        """A number for the present attributes of the losses, these metrics and the optimizer."""
        outputs = self.outputs or ()
        given = [part for output in outputs for part in (output.loss, output.weight)]
        given += [*metrics, self.optimizer]
        return self._contents.token([part for part in given if isinstance(part, Versioned)])

    def augmentation_token(self) -> int:
        """A number for the present attributes of what augments a training, -1 for nothing."""
        return -1 if self.augmentation is None else self._augmentations.token([self.augmentation])

    # ------------------------------------------------------------ binding to outputs

    def bind(self, model: Any, y: Any, y_pred: Any) -> None:
        """Give every output its loss and metrics, from the structures of targets and predictions.

        `y` and `y_pred` are arrays or anything with shape and dtype.
        """
        if self.outputs is not None:
            return
        named = Outputs(model, y_pred)
        names, predictions = named.names, tree.flatten(y_pred)
        given_losses = named.losses(self.given["loss"])
        weight_list = named.loss_weights(self.given["loss_weights"])
        metric_list = named.metrics(self.given["metrics"], "metrics")
        weighted = named.metrics(self.given["weighted_metrics"], "weighted_metrics")
        loss_list = [_as_loss(spec) for spec in given_losses]
        needed = _needing_targets(loss_list, metric_list, weighted)
        targets = named.targets(y, needed, is_by_name=self._names_losses())
        self.choices = []
        given_list = self.given["metrics"]
        if (
            len(names) > 1
            and is_list(given_list)
            and len(given_list) == len(names)
            and all(isinstance(entry, str) for entry in given_list)
        ):  # tf.keras 2 read it otherwise
            pairs = ", ".join(f"{n}: {e}" for n, e in zip(names, given_list, strict=True))
            self.choices.append(f"metrics, one an output: {pairs}")
        given = tree.flatten([self.given["metrics"], self.given["weighted_metrics"]])
        name_apart(m for m in (*given, *model.metrics) if isinstance(m, Metric))
        outputs: list[Output] = []
        for i, name in enumerate(names):
            output = Output(name, loss_list[i], _factor(weight_list[i]))
            prefix = named.places[i].prefix if len(names) > 1 else None
            for entries, uses_weights in ((metric_list[i], False), (weighted[i], True)):
                for entry in entries:
                    metric, label = self._as_metric(entry, targets[i], predictions[i], output, y)
                    if any(metric is m for o in (*outputs, output) for _, m, _ in o.metrics):
                        metric = with_own_state(metric)
                    _build_metric(metric, targets[i], predictions[i])
                    shown = label if prefix is None else f"{prefix}_{label}"
                    taken = [m[0] for o in (*outputs, output) for m in o.metrics]
                    if shown in taken and uses_weights:  # the same metric, with and without
                        shown = f"weighted_{label}"
                        shown = shown if prefix is None else f"{prefix}_{shown}"
                    shown = free_name(shown, taken)
                    output.metrics.append((shown, metric, uses_weights))
                    sentence = from_logits.sentence(shown, metric, output.loss, predictions[i])
                    self.choices.extend([sentence] if sentence else [])
            outputs.append(output)
        in_order = [outputs[i] for i in named.in_order_of(self.given["loss"])]
        self._losses_in_order = [output for output in in_order if output.loss is not None]
        if len(self._losses_in_order) > 1:
            taken: list[str] = []
            for i, output in enumerate(outputs):
                if output.loss is not None:
                    label = named.places[i].loss_name(_loss_label(given_losses[i], output.loss))
                    taken.append(free_name(label, taken))
                    output.tracker = _mean(taken[-1])
        self.outputs, self._named, self._bound_form = outputs, named, _form(y)

    def needs_binding(self, y: Any) -> bool:
        """Whether outputs must be bound to targets like these, which a step of the user's may have
        made: not yet bound, or with metrics that were chosen by the shape of other ones."""
        if self.outputs is None:
            return True
        return y is not None and self._chooses_by_shape() and _form(y) != self._bound_form

    def _chooses_by_shape(self) -> bool:
        given = tree.flatten([self.given["metrics"], self.given["weighted_metrics"]])
        return any(isinstance(m, str) and m.lower() in _CHOSEN_BY_SHAPE for m in given)

    def bind_to(self, model: Any, y: Any, y_pred: Any) -> None:
        """`bind`, also where outputs are bound to targets of another form."""
        if self.needs_binding(y):
            self.outputs = None
            self.bind(model, y, y_pred)

    def _as_metric(
        self, entry: Any, y: Any, y_pred: Any, output: Output, given_y: Any
    ) -> tuple[Metric, str]:
        if isinstance(entry, Metric):
            return entry, entry.name
        if is_dict(entry):
            metric = cast("Metric", metrics.get(entry))
            return metric, metric.name
        if isinstance(entry, str) and entry.lower() in _CHOSEN_BY_SHAPE:
            if y is None:
                raise _no_targets(f"metric '{entry}'", output.name, given_y)
            metric, reason = metrics.resolve_accuracy(
                entry, getattr(y, "shape", None), y_pred.shape, output.loss
            )
            metric.name = entry
            chosen, _, why = reason.partition(": ")
            self.choices.append(f"{entry} = {chosen} ({why.rstrip('.')})")
            return metric, entry
        found = metrics.get(entry)
        if isinstance(found, Metric):
            metric = found
        elif isinstance(found, type):
            metric = found()
        else:
            metric = metrics.MeanMetricWrapper(found, name=called_name(found))
        label = entry if isinstance(entry, str) else metric.name
        metric.name = label
        return metric, label

    # ------------------------------------------------------------ steps of the user's

    @contextmanager
    def own_step_given(self, y: Any) -> Generator[None]:
        """The block in which a step of the user's runs, which is given the targets `y`.

        Targets that the losses cannot take are refused only where the step hands them on: it may
        turn labels into one-hot vectors, or count classes from 0.
        """
        self._given_targets = tree.flatten(y)
        try:
            yield
        finally:
            self._given_targets = None

    def note_targets(self, y: Any) -> None:
        """Take note of the targets that the step under way computes losses of.

        Raises:
            LossInputError: They are what it was given, and what was found wrong.
        """
        given, self._given_targets = self._given_targets, None
        if given is None:
            return
        now = tree.flatten(y)
        self._hands_on = len(now) == len(given) and all(map(operator.is_, now, given))
        error, self._refusal = self._refusal, None
        if error is not None and self._hands_on:
            raise error

    def refuse_if_handed_on(self, error: LossInputError) -> None:
        """Raise an error about targets now, or where a step of the user's hands them on."""
        if self._hands_on is None:
            self._refusal = error
        elif self._hands_on:
            raise error

    # ------------------------------------------------------------ used inside the step

    def split(self, y: Any, y_pred: Any, sample_weight: Any) -> list[tuple[Output, Any, Any, Any]]:
        """(output, target, prediction, weights) for each output."""
        assert self.outputs is not None
        targets, weights = self.targets_and_weights(y, sample_weight)
        return list(zip(self.outputs, targets, tree.flatten(y_pred), weights, strict=True))

    def targets_and_weights(self, y: Any, sample_weight: Any) -> tuple[list[Any], list[Any]]:
        """The targets and the sample weights of each output, None where there are none."""
        assert self.outputs is not None and self._named is not None
        needed = [i for i, o in enumerate(self.outputs) if o.loss is not None or o.metrics]
        targets = self._named.targets(y, needed, is_by_name=self._names_losses())
        return targets, self._named.sample_weights(sample_weight)

    def _names_losses(self) -> bool:
        return is_dict(self.given["loss"])

    def by_class(self, class_weight: Any) -> list[Any]:
        """What weights of classes there are for each output, None where there are none."""
        assert self._named is not None
        return self._named.by_class(class_weight)

    def weights_that_count(self, sample_weight: Any) -> list[Any]:
        """The weights of each output that has a loss or metrics; None where it has no weights."""
        if self.outputs is None or self._named is None:
            return []
        pairs = zip(self.outputs, self._named.sample_weights(sample_weight), strict=True)
        return [w for output, w in pairs if output.loss is not None or output.metrics]

    def compute_loss(
        self,
        model: Any,
        y: Any,
        y_pred: Any,
        sample_weight: Any,
        added: Iterable[Any] | None = None,
        training: bool = True,
    ) -> Any:
        """The total of the outputs' losses and of `added`, by default what layers added.

        Raises:
            LossInputError: There is none, and this is training, or there are no metrics either.
        """
        self.note_targets(y)
        self.bind_to(model, y, y_pred)
        terms: list[Any] = []
        mixed = [
            (part.share, self.split(part.y, y_pred, part.weight)) for part in scope.mixed_targets()
        ]
        for place, given in enumerate(self.split(y, y_pred, sample_weight)):
            output, target, prediction, weight = given
            if output.loss is None:
                continue
            if target is None:
                raise _no_targets("loss", output.name, y)
            with self._said_of(output):
                if mixed:
                    value = mixed_loss(output.loss, [(share, *s[place][1:]) for share, s in mixed])
                else:
                    value = output.loss(target, prediction, sample_weight=weight)
            if output.tracker is not None:
                output.tracker.update_state(value, sample_weight=_batch_size(prediction))
            if isinstance(output.weight, WeightFunction):
                value = value * output.weight.value(self.optimizer)
            elif isinstance(output.weight, Variable):
                value = value * output.weight.value
            elif output.weight != 1.0:
                value = value * output.weight
            terms.append(value)
        others = model.losses if added is None else added
        terms.extend(jnp.sum(jnp.asarray(loss, jnp.float32)) for loss in others)
        if not terms:
            if not training and any(output.metrics for output in self.outputs or ()):
                return jnp.zeros((), jnp.float32)  # the metrics are what is asked for
            raise LossInputError(
                message(
                    f"{self.who}.compile",
                    "there must be something to minimise",
                    "no loss, and no layer added one",
                    "Pass loss=... to compile(), or call add_loss() in a layer.",
                )
            )
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def update_metrics(self, model: Any, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Take a batch into every metric."""
        self.bind_to(model, y, y_pred)
        for output, target, prediction, weight in self.split(y, y_pred, sample_weight):
            for name, metric, uses_weights in output.metrics:
                # Without targets the metric would say 0.
                if target is None and (y is not None or not _may_need_no_targets(metric)):
                    raise _no_targets(f"metric '{name}'", output.name, y)
                with self._said_of(output):
                    from_logits.update_beside(
                        metric, output.loss, target, prediction, weight, uses_weights=uses_weights
                    )

    @contextmanager
    def _said_of(self, output: Output) -> Generator[None]:
        """Let an error about targets, predictions or weights name the output, if there are some."""
        try:
            yield
        except LossInputError as error:
            if self.outputs is None or len(self.outputs) == 1:
                raise
            raise LossInputError(f"output '{output.name}', {error}") from error

    # ------------------------------------------------------------ reporting

    def print_choices(self) -> None:
        """Print, once, what was chosen for the user."""
        for sentence in self.choices:
            show(sentence)
        self.choices = []

    def metrics(self) -> list[Metric]:
        """All metrics compile made or was given, in Keras's order: the mean of the loss, the
        metrics, the means of the outputs' losses."""
        return [self.loss_tracker, *(m for _, m in self._asked_for()), *self._trackers()]

    def _asked_for(self) -> list[tuple[str, Metric]]:
        """(name in logs, metric) of `metrics` and then of `weighted_metrics`."""
        asked = [entry for output in self.outputs or () for entry in output.metrics]
        return [
            (name, m) for uses in (False, True) for name, m, weighted in asked if weighted is uses
        ]

    def _trackers(self) -> list[Metric]:
        return [o.tracker for o in self._losses_in_order if o.tracker is not None]

    def loss_means(self) -> list[Metric]:
        """The means of the total loss and of the outputs' losses."""
        return [self.loss_tracker, *self._trackers()]

    def named_metrics(self, model: Any) -> list[tuple[str, Metric]]:
        """(name in logs, metric), in the order of `metrics`."""
        if overrides(model, "metrics"):  # the user's own list is all there is to report
            return _with_free_names((m.name, m) for m in model.metrics)
        named: list[tuple[str, Metric]] = [("loss", self.loss_tracker)]
        named.extend(self._asked_for())
        named.extend((tracker.name, tracker) for tracker in self._trackers())
        known = {id(m) for _, m in named}
        named.extend((m.name, m) for m in model.metrics if id(m) not in known)
        return _with_free_names(named)

    def results(self, model: Any) -> dict[str, Any]:
        """What is reported so far, by name."""
        found: dict[str, Any] = {}
        for name, metric in self.named_metrics(model):
            value = metric.result()
            if is_dict(value):
                found.update(value)
            else:
                found[name] = value
        return found

    def report_names(self, model: Any) -> list[str]:
        """Names of what is reported, in order."""
        return [name for name, _ in self.named_metrics(model)]


_CHOSEN_BY_SHAPE = frozenset(("accuracy", "acc", "crossentropy", "ce"))


def _with_free_names(named: Iterable[tuple[str, Metric]]) -> list[tuple[str, Metric]]:
    """The pairs with names that are all different, so that none hides another in the logs."""
    apart: dict[str, Metric] = {}
    for name, metric in named:
        apart[free_name(name, apart)] = metric
    return list(apart.items())


def _form(y: Any) -> Any:
    """The axes and sizes of targets besides the batch, by name."""
    return tree.map_structure(_sizes_of_one, y)


def _sizes_of_one(leaf: Any) -> tuple[Any, ...]:
    return tuple(getattr(leaf, "shape", ())[1:])


def _no_targets(what: str, name: str, y: Any) -> LossInputError:
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


def _may_need_no_targets(metric: Metric) -> bool:
    """Whether a metric is code of the user's, which may look at predictions alone."""
    if isinstance(metric, metrics.MeanMetricWrapper):
        return not metric._is_own_formula()
    return not is_builtin(type(metric))


def _build_metric(metric: Metric, y: Any, y_pred: Any) -> None:
    """Some metrics make their variables from shapes; they must exist before a step is traced."""
    metric._check_predictions(y_pred)
    build = getattr(metric, "build", None)
    if build is not None and y is not None and not getattr(metric, "built", False):
        build(tuple(y.shape), tuple(y_pred.shape))


def _factor(weight: Any) -> float | Variable | WeightFunction:
    """One of `loss_weights`. A variable, which a callback may change, is kept as it is."""
    if is_weight_function(weight):
        return WeightFunction(weight)
    if isinstance(weight, Variable):
        return weight
    return 1.0 if weight is None else float(weight)


def _mean(name: str) -> Metric:
    """The mean of a loss, of which less is better."""
    mean = metrics.Mean(name=name)
    mean.direction = "min"
    return mean


def _batch_size(prediction: Any) -> Any:
    return prediction.shape[0] if getattr(prediction, "shape", ()) else None


def _with_loss_scale(optimizer: Any) -> Any:
    if isinstance(optimizer, optimizers.LossScaleOptimizer):
        return optimizer
    return optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")


def _check_names(loss: Any, *metric_specs: Any) -> None:
    """Refuse misspelt losses and metrics when they are given, not when training starts."""
    # Numbers can never be one; callables are looked at later.
    for entry in _entries(loss):
        if isinstance(entry, str | int | float):
            losses.get(entry)
    for entry in _entries(metric_specs):
        if isinstance(entry, int | float):
            metrics.get(entry)
        if isinstance(entry, str) and entry.lower() not in _CHOSEN_BY_SHAPE:
            metrics.get(entry)


def _entries(spec: Any) -> Iterator[Any]:
    """What a structure of losses or metrics holds; configs are not looked into."""
    if is_list(spec) or (is_dict(spec) and not is_config(spec)):
        for item in spec.values() if is_dict(spec) else spec:
            yield from _entries(item)
    else:
        yield spec


def _is_class(value: object) -> bool:
    return isinstance(value, type)


def _as_loss(spec: object) -> Any:
    if spec is None:
        return None
    found = losses.get(spec)
    if isinstance(found, Loss):
        return found
    if _is_class(found):
        return found()
    return losses.LossFunctionWrapper(found, name=called_name(found))


def _loss_label(spec: object, loss: Loss) -> str:
    """A loss's name in logs: the word it was asked for by where that is a function's."""
    return spec if isinstance(spec, str) and type(loss) is losses.LossFunctionWrapper else loss.name


def _needing_targets(loss_list: list[Any], *metric_lists: list[list[Any]]) -> list[int]:
    """The outputs that have a loss or a metric."""
    asked = zip(loss_list, *metric_lists, strict=True)
    return [i for i, (loss, *entries) in enumerate(asked) if loss is not None or any(entries)]
