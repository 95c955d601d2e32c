"""The arguments of `compile()`: checked, and what a step computes by them."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import jax.numpy as jnp

from nacre import losses, metrics, optimizers
from nacre.core import scope, tree
from nacre.core.changes import Contents, Snapshot, Versioned
from nacre.core.errors import (
    ArgumentError,
    LossInputError,
    message,
)
from nacre.core.kinds import is_dict, is_list
from nacre.core.names import free_name
from nacre.core.numbers import number
from nacre.core.older import is_older_meant
from nacre.core.protocols import TrainingOptimizer, overrides
from nacre.core.registry import is_builtin
from nacre.core.terminal import show
from nacre.metrics import from_logits
from nacre.metrics.metric import Metric
from nacre.training.arguments import whole_number
from nacre.training.binding import Bound, Output, bind, is_chosen_by_shape, mean_of_loss, no_targets
from nacre.training.loss_weights import is_weight_function
from nacre.training.mixed_losses import mixed_loss
from nacre.training.outputs import is_config
from nacre.training.targets_of_step import TargetsOfStep
from nacre.training.trained_as_compiled import flags_at_compile


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
        _check_numbers(loss_weights, who)
        _check_flags(who, jit_compile, run_eagerly=run_eagerly, auto_scale_loss=auto_scale_loss)
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self.loss_tracker: Metric = mean_of_loss("loss")
        self._bound: Bound | None = None
        self._bound_form: Any = None  # of the targets they were bound to
        self.targets_of_step = TargetsOfStep()
        self.choices: list[str] = []
        self._contents = Contents()
        self.augmentation: Versioned | None = None  # of the training under way
        self.last_augmentation: Versioned | None = None  # for another training with the same
        self._augmentations = Contents()
        self.flags = flags_at_compile(model)
        self.has_trained = False  # whether the optimizer's variables are settled
        # For which variables of the model, and the optimizer's own list of them.
        self.settled: tuple[int, list[Any]] | None = None
        self.are_targets_checked = False  # whether the first fit warned about unlikely ones

    @property
    def outputs(self) -> list[Output] | None:
        """The outputs with their losses and metrics; None until `bind`."""
        return None if self._bound is None else self._bound.outputs

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

    def latest_contents(self) -> Snapshot:
        """The attributes that `contents_token` found last."""
        return self._contents.latest()

    def augmentation_token(self) -> int:
        """A number for the present attributes of what augments a training, -1 for nothing."""
        return -1 if self.augmentation is None else self._augmentations.token([self.augmentation])

    # ------------------------------------------------------------ binding to outputs

    def bind(self, model: Any, y: Any, y_pred: Any) -> None:
        """Give every output its loss and metrics, from the structures of targets and predictions.

        `y` and `y_pred` are arrays or anything with shape and dtype.
        """
        if self._bound is None:
            self._bound, self._bound_form = bind(self.given, model, y, y_pred), _form(y)
            self.choices = [*self._bound.choices]

    def needs_binding(self, y: Any) -> bool:
        """Whether outputs must be bound to targets like these, which a step of the user's may have
        made: not yet bound, or with metrics that were chosen by the shape of other ones."""
        if self.outputs is None:
            return True
        return y is not None and self._chooses_by_shape() and _form(y) != self._bound_form

    def _chooses_by_shape(self) -> bool:
        given = tree.flatten([self.given["metrics"], self.given["weighted_metrics"]])
        return any(is_chosen_by_shape(m) for m in given)

    def bind_to(self, model: Any, y: Any, y_pred: Any) -> None:
        """`bind`, also where outputs are bound to targets of another form."""
        if self.needs_binding(y):
            self._bound = None
            self.bind(model, y, y_pred)

    # ------------------------------------------------------------ used inside the step

    def split(self, y: Any, y_pred: Any, sample_weight: Any) -> list[tuple[Output, Any, Any, Any]]:
        """(output, target, prediction, weights) for each output."""
        assert self.outputs is not None
        targets, weights = self.targets_and_weights(y, sample_weight)
        return list(zip(self.outputs, targets, tree.flatten(y_pred), weights, strict=True))

    def targets_and_weights(self, y: Any, sample_weight: Any) -> tuple[list[Any], list[Any]]:
        """The targets and the sample weights of each output, None where there are none."""
        assert self._bound is not None
        return self._bound.targets(y), self._bound.named.sample_weights(sample_weight)

    def by_class(self, class_weight: Any) -> list[Any]:
        """What weights of classes there are for each output, None where there are none."""
        assert self._bound is not None
        return self._bound.named.by_class(class_weight)

    def weights_that_count(self, sample_weight: Any) -> list[Any]:
        """The weights of each output that has a loss or metrics; None where it has no weights."""
        if self._bound is None:
            return []
        weights = self._bound.named.sample_weights(sample_weight)
        pairs = zip(self._bound.outputs, weights, strict=True)
        return [w for output, w in pairs if output.needs_targets]

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
        self.targets_of_step.note(y)
        self.bind_to(model, y, y_pred)
        terms: list[Any] = []
        mixed = [
            (part.share, self.split(part.y, y_pred, part.weight)) for part in scope.mixed_targets()
        ]
        split = self.split(y, y_pred, sample_weight)
        for place, (output, target, prediction, weight) in enumerate(split):
            if output.loss is None:
                continue
            if target is None:
                raise no_targets("loss", output.name, y)
            with self._errors_name(output):
                if mixed:
                    value = mixed_loss(output.loss, [(share, *s[place][1:]) for share, s in mixed])
                else:
                    value = output.loss(target, prediction, sample_weight=weight)
            if output.tracker is not None:
                output.tracker.update_state(value, sample_weight=_batch_size(prediction))
            terms.append(output.weighted(value, self.optimizer))
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
                    raise no_targets(f"metric '{name}'", output.name, y)
                with self._errors_name(output):
                    from_logits.update_beside(
                        metric, output.loss, target, prediction, weight, uses_weights=uses_weights
                    )

    @contextmanager
    def _errors_name(self, output: Output) -> Generator[None]:
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
        found = [] if self._bound is None else self._bound.with_losses
        return [output.tracker for output in found if output.tracker is not None]

    def loss_means(self) -> list[Metric]:
        """The means of the total loss and of the outputs' losses."""
        return [self.loss_tracker, *self._trackers()]

    def named_metrics(self, model: Any) -> list[tuple[str, Metric]]:
        """(name in logs, metric), in the order of `metrics`.

        Scripts of tf.keras 2 have the outputs' losses before the metrics, as they unpack them.
        """
        if overrides(model, "metrics"):  # the user's own list is all there is to report
            return _with_free_names((m.name, m) for m in model.metrics)
        named: list[tuple[str, Metric]] = [("loss", self.loss_tracker)]
        asked = self._asked_for()
        trackers = self._trackers()
        if is_older_meant():
            places = {id(output.tracker): n for n, output in enumerate(self.outputs or ())}
            trackers.sort(key=lambda tracker: places.get(id(tracker), len(places)))
        losses = [(tracker.name, tracker) for tracker in trackers]
        named.extend([*losses, *asked] if is_older_meant() else [*asked, *losses])
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


def _may_need_no_targets(metric: Metric) -> bool:
    """Whether a metric is code of the user's, which may look at predictions alone."""
    if isinstance(metric, metrics.MeanMetricWrapper):
        return not metric._is_own_formula()
    return not is_builtin(type(metric))


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
        if isinstance(entry, str) and not is_chosen_by_shape(entry):
            metrics.get(entry)


def _check_numbers(loss_weights: Any, who: str) -> None:
    for weight in tree.flatten(loss_weights):
        if weight is not None and not is_weight_function(weight):
            number(who, "each of loss_weights", weight)


def _check_flags(who: str, jit_compile: Any, **flags: Any) -> None:
    for name, value in flags.items():
        if isinstance(value, str):  # "False" would be true
            rule = f"{name} must be True or False"
            raise ArgumentError(message(who, rule, repr(value)[:100]))
    if jit_compile not in (True, False, None, "auto"):
        rule = "jit_compile must be True, False or 'auto'"
        raise ArgumentError(message(who, rule, repr(jit_compile)[:100]))


def _entries(spec: Any) -> Iterator[Any]:
    """What a structure of losses or metrics holds; configs are not looked into."""
    if is_list(spec) or (is_dict(spec) and not is_config(spec)):
        for item in spec.values() if is_dict(spec) else spec:
            yield from _entries(item)
    else:
        yield spec
