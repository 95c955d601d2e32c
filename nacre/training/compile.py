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
from collections.abc import Generator, Iterable
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
    nearest,
)
from nacre.core.kinds import is_dict, is_list
from nacre.core.names import free_name
from nacre.core.numbers import number
from nacre.core.protocols import TrainingOptimizer, overrides
from nacre.core.terminal import show
from nacre.core.variable import Variable
from nacre.losses.loss import Loss
from nacre.metrics import from_logits
from nacre.metrics.metric import Metric, name_apart
from nacre.metrics.own_state import with_own_state
from nacre.training.arguments import whole_number
from nacre.training.mixed_losses import mixed_loss


class Output:
    """One output of the model: its loss and its metrics.

    Attributes:
        name: The output's name.
        loss: Function (y_true, y_pred, sample_weight) -> scalar, or None.
        weight: Factor of the loss in the total; a variable's value at each step.
        metrics: (name in logs, metric, whether sample weights apply).
    """

    def __init__(self, name: str, loss: Any, weight: float | Variable) -> None:
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
            if weight is not None:
                number(who, "each of loss_weights", weight)
        for name, value in (("run_eagerly", run_eagerly), ("auto_scale_loss", auto_scale_loss)):
            if isinstance(value, str):  # "False" would be true
                rule = f"{name} must be True or False"
                raise ArgumentError(message(who, rule, repr(value)[:100]))
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self.loss_tracker: Metric = _mean("loss")
        self.outputs: list[Output] | None = None
        self._bound_form: Any = None  # of the targets they were bound to
        self._given_targets: list[Any] | None = None  # see `own_step_given`
        self._hands_on: bool | None = None  # whether the user's step hands on the targets as given
        self._refusal: LossInputError | None = None  # of targets, until that is known
        self._named_by_dict = False
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
        given = [output.loss for output in self.outputs or ()] + metrics + [self.optimizer]
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
        names, predictions = named_outputs(model, y_pred)
        self._named_by_dict = is_dict(y_pred)
        targets = _targets_by_output(y, names, y_pred, self.who)
        loss_list = _per_output(self.given["loss"], names, "loss", self.who)
        weight_list = _per_output(self.given["loss_weights"], names, "loss_weights", self.who)
        metric_list = _metrics_per_output(self.given["metrics"], names, "metrics", self.who)
        weighted = _metrics_per_output(
            self.given["weighted_metrics"], names, "weighted_metrics", self.who
        )
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
            output = Output(
                name,
                _as_loss(loss_list[i]),
                _factor(weight_list[i]),
            )
            for entries, uses_weights in ((metric_list[i], False), (weighted[i], True)):
                for entry in entries:
                    metric, label = self._as_metric(
                        entry, targets[i], predictions[i], output.loss, name
                    )
                    if any(metric is m for o in (*outputs, output) for _, m, _ in o.metrics):
                        metric = with_own_state(metric)
                    _build_metric(metric, targets[i], predictions[i])
                    shown = label if len(names) == 1 else f"{name}_{label}"
                    taken = [m[0] for o in (*outputs, output) for m in o.metrics]
                    if shown in taken and uses_weights:  # the same metric, with and without
                        weighted_label = f"weighted_{label}"
                        shown = weighted_label if len(names) == 1 else f"{name}_{weighted_label}"
                    shown = free_name(shown, taken)
                    output.metrics.append((shown, metric, uses_weights))
                    sentence = from_logits.sentence(shown, metric, output.loss, predictions[i])
                    self.choices.extend([sentence] if sentence else [])
            if len(names) > 1 and output.loss is not None:
                output.tracker = _mean(f"{name}_loss")
            outputs.append(output)
        self.outputs, self._bound_form = outputs, _form(y)

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
        self, entry: Any, y: Any, y_pred: Any, loss: Any, output: str
    ) -> tuple[Metric, str]:
        if isinstance(entry, Metric):
            return entry, entry.name
        if is_dict(entry):
            metric = cast("Metric", metrics.get(entry))
            return metric, metric.name
        if isinstance(entry, str) and entry.lower() in _CHOSEN_BY_SHAPE:
            if y is None:
                raise _no_targets(f"metric '{entry}'", output, None)
            metric, reason = metrics.resolve_accuracy(
                entry, getattr(y, "shape", None), y_pred.shape, loss
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
            # A function has a `__name__`, a loss a `name`.
            name = getattr(found, "__name__", None) or getattr(found, "name", None)
            metric = metrics.MeanMetricWrapper(found, name=name)
        label = entry if isinstance(entry, str) else metric.name.strip("<>")
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
        names = [o.name for o in self.outputs]
        predictions = tree.flatten(y_pred)
        targets = _targets_by_output(y, names, y_pred, self.who)
        weights = _weights_by_output(sample_weight, names, self.who)
        return list(zip(self.outputs, targets, predictions, weights, strict=True))

    def weights_that_count(self, sample_weight: Any) -> list[Any]:
        """The weights of each output that has a loss or metrics; None where it has no weights."""
        outputs = self.outputs or []
        weights = _weights_by_output(sample_weight, [o.name for o in outputs], self.who)
        pairs = zip(outputs, weights, strict=True)
        return [w for output, w in pairs if output.loss is not None or output.metrics]

    def compute_loss(
        self,
        model: Any,
        y: Any,
        y_pred: Any,
        sample_weight: Any,
        added: Iterable[Any] | None = None,
    ) -> Any:
        """The total of the outputs' losses and of `added`, by default what layers added."""
        if self.outputs is None:
            self.bind(model, y, y_pred)
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
            if mixed:
                value = mixed_loss(output.loss, [(share, *s[place][1:]) for share, s in mixed])
            else:
                value = output.loss(target, prediction, sample_weight=weight)
            if output.tracker is not None:
                output.tracker.update_state(value, sample_weight=_batch_size(prediction))
            if isinstance(output.weight, Variable):
                value = value * output.weight.value
            elif output.weight != 1.0:
                value = value * output.weight
            terms.append(value)
        others = model.losses if added is None else added
        terms.extend(jnp.sum(jnp.asarray(loss, jnp.float32)) for loss in others)
        if not terms:
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

    def update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Take a batch into every metric."""
        for output, target, prediction, weight in self.split(y, y_pred, sample_weight):
            for _, metric, uses_weights in output.metrics:
                if target is None:
                    continue
                from_logits.update_beside(
                    metric, output.loss, target, prediction, weight, uses_weights=uses_weights
                )

    # ------------------------------------------------------------ reporting

    def print_choices(self) -> None:
        """Print, once, what was chosen for the user."""
        for sentence in self.choices:
            show(sentence)
        self.choices = []

    def metrics(self) -> list[Metric]:
        """All metrics compile made or was given."""
        found = self.loss_means()
        for output in self.outputs or ():
            found.extend(metric for _, metric, _ in output.metrics)
        return found

    def _trackers(self) -> list[tuple[str, Metric]]:
        """(name in logs, tracker) of the outputs' losses; for outputs in a dict in the order in
        which the losses were named, as in Keras."""
        outputs = [o for o in self.outputs or () if o.tracker is not None]
        loss = self.given["loss"]
        if self._named_by_dict and is_dict(loss):
            places = {name: place for place, name in enumerate(loss)}
            outputs.sort(key=lambda o: places.get(o.name, len(places)))
        return [(f"{o.name}_loss", o.tracker) for o in outputs if o.tracker is not None]

    def loss_means(self) -> list[Metric]:
        """The means of the total loss and of the outputs' losses."""
        return [self.loss_tracker, *(tracker for _, tracker in self._trackers())]

    def named_metrics(self, model: Any) -> list[tuple[str, Metric]]:
        """(name in logs, metric), the loss first."""
        if overrides(model, "metrics"):  # the user's own list is all there is to report
            return _with_free_names((m.name, m) for m in model.metrics)
        named: list[tuple[str, Metric]] = [("loss", self.loss_tracker)]
        named.extend(self._trackers())
        for output in self.outputs or ():
            named.extend((name, metric) for name, metric, _ in output.metrics)
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
    got = f"y with the keys {list(y)}" if is_dict(y) else "y=None"
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


def _build_metric(metric: Metric, y: Any, y_pred: Any) -> None:
    """Some metrics make their variables from shapes; they must exist before a step is traced."""
    metric._check_predictions(y_pred)
    build = getattr(metric, "build", None)
    if build is not None and y is not None and not getattr(metric, "built", False):
        build(tuple(y.shape), tuple(y_pred.shape))


def _factor(weight: Any) -> float | Variable:
    """One of `loss_weights`. A variable, which a callback may change, is kept as it is."""
    if isinstance(weight, Variable):
        return weight
    return 1.0 if weight is None else float(weight)


def _mean(name: str) -> Metric:
    return metrics.Mean(name=name)


def _batch_size(prediction: Any) -> Any:
    return prediction.shape[0] if getattr(prediction, "shape", ()) else None


def _with_loss_scale(optimizer: Any) -> Any:
    if isinstance(optimizer, optimizers.LossScaleOptimizer):
        return optimizer
    return optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")


def _check_names(loss: Any, *metric_specs: Any) -> None:
    """Refuse misspelt losses and metrics when they are given, not when training starts."""
    for leaf in tree.flatten(loss):
        if isinstance(leaf, str):
            losses.get(leaf)
    for entry in _as_list(loss):
        if isinstance(entry, int | float):  # what can never be one; callables are looked at later
            losses.get(entry)
    for spec in metric_specs:
        for entry in _as_list(spec):
            if isinstance(entry, int | float):
                metrics.get(entry)
        for leaf in tree.flatten(spec):
            if isinstance(leaf, str) and leaf.lower() not in _CHOSEN_BY_SHAPE:
                metrics.get(leaf)


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
    return losses.LossFunctionWrapper(found, name=getattr(found, "__name__", None))


def named_outputs(model: Any, y_pred: Any) -> tuple[list[str], list[Any]]:
    """Names and values of the outputs, flat."""
    if is_dict(y_pred):
        paths = tree.flatten_with_path(y_pred)
        return ["_".join(str(p) for p in path) for path, _ in paths], [leaf for _, leaf in paths]
    leaves = tree.flatten(y_pred)
    if not leaves or any(leaf is None for leaf in leaves):
        raise LossInputError(
            message(
                f"{model._who()}.call",
                "a model with a loss must return tensors",
                repr(y_pred)[:60],
                "Is its `return` missing?",
            )
        )
    names = list(getattr(model, "output_names", ()) or ())
    if len(names) != len(leaves):
        names = ["output"] if len(leaves) == 1 else [f"output_{i + 1}" for i in range(len(leaves))]
    return list[str](names), leaves


def _targets_by_output(y: Any, names: list[str], y_pred: Any, who: str) -> list[Any]:
    if y is None:
        return [None] * len(names)
    if is_dict(y):
        if len(names) == 1 and len(y) == 1 and not is_dict(y_pred):
            return list(y.values())
        return _by_name(y, names, "y", who)
    leaves = tree.flatten(y)
    if len(leaves) != len(names):
        raise LossInputError(
            message(
                who,
                f"y must have one array an output: {names}",
                f"{len(leaves)} array(s)",
                "Pass a list in this order, or a dict by name.",
            )
        )
    return leaves


def _by_name(given: dict[str, Any], names: list[str], what: str, who: str) -> list[Any]:
    """What a dict holds for each output, None where it is silent; other keys are refused."""
    unknown = [key for key in given if key not in names]
    if unknown:
        hints = [f"{u!r} -> {nearest(u, names)!r}" for u in unknown if nearest(u, names)]
        raise LossInputError(
            message(
                who,
                f"keys of {what} must be names of outputs: {names}",
                f"{list(given)}; unknown: {unknown}",
                f"Did you mean {', '.join(hints)}?" if hints else "",
            )
        )
    return [given.get(name) for name in names]


def _weights_by_output(sample_weight: Any, names: list[str], who: str) -> list[Any]:
    """The sample weights of each output: by name, by position, or one for all.

    An output that is not named in a dict counts 1 a sample, as in tf.keras 2; Keras 3 wants all.
    """
    if sample_weight is None:
        return [None] * len(names)
    if is_dict(sample_weight):
        if len(names) == 1 and len(sample_weight) == 1:  # as for y
            return list(sample_weight.values())
        return _by_name(sample_weight, names, "sample_weight", who)
    leaves = tree.flatten(sample_weight)
    if len(leaves) == len(names):
        return leaves
    if len(leaves) == 1:
        return leaves * len(names)
    raise LossInputError(
        message(
            who,
            f"sample_weight must be one array for all outputs, or one an output: {names}",
            f"{len(leaves)} arrays",
            "Pass a list in this order, with None for outputs without weights, or a dict by name.",
        )
    )


def _per_output(spec: Any, names: list[str], what: str, who: str) -> list[Any]:
    """One entry for each output from a single value, a list or a dict."""
    if is_dict(spec) and not ("class_name" in spec and "config" in spec):
        unknown = [k for k in spec if k not in names]
        if unknown:
            hint = nearest(unknown[0], names)
            raise ArgumentError(
                message(
                    f"{who}.compile",
                    f"keys of {what} must be names of outputs: {names}",
                    f"{unknown}",
                    f"Did you mean {hint!r}?" if hint else "",
                )
            )
        return [spec.get(n) for n in names]
    if is_list(spec):
        if len(spec) != len(names):
            raise ArgumentError(
                message(
                    f"{who}.compile",
                    f"{what} must have one entry an output: {names}",
                    f"{len(spec)} entries",
                )
            )
        return list(spec)
    return [spec] * len(names)


def _metrics_per_output(spec: Any, names: list[str], what: str, who: str) -> list[list[Any]]:
    if spec is None:
        return [[] for _ in names]
    if is_dict(spec) and not ("class_name" in spec and "config" in spec):
        return [_as_list(entry) for entry in _per_output(spec, names, what, who)]
    entries = _as_list(spec)
    if len(names) == 1:
        flat = [item for entry in entries for item in _as_list(entry)]
        return [flat]
    if len(entries) == len(names):  # one an output, as Keras 3 reads it
        return [_as_list(entry) for entry in entries]
    # Other lengths, which Keras 3 refuses: each entry for each output, as in tf.keras 2.
    return [list(entries) for _ in names]


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if is_list(value) else [value]
