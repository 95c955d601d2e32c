"""The compiled programs of `fit` and `evaluate`, kept with the model under all they depend on."""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from nacre.core import tree
from nacre.core.changes import Snapshot
from nacre.core.errors import listed, message
from nacre.core.program import Program, programs_of, settings_key
from nacre.core.protocols import TrainedModel, overrides
from nacre.core.registry import is_builtin
from nacre.core.state import State, Values
from nacre.core.variable import Variable, trainable_flags_version
from nacre.core.warning import warn
from nacre.data.feed import Stretch
from nacre.layers.base.inventory import is_own_value
from nacre.summary.compiled import StepSummaries, write_carried
from nacre.summary.recording import made_anew, takes_steps
from nacre.training.compile import CompiledTraining
from nacre.training.last_good import CopyMemory
from nacre.training.own_steps import StepName, custom_step, own_step, reports_itself
from nacre.training.pace import Measured
from nacre.training.programs import (
    Step,
    evaluation_program,
    finisher,
    loop_program,
    single_program,
)
from nacre.training.state import training_state
from nacre.training.step import Batch, StepResult, augmented, test_step, train_step

_MANY_CHANGES = 10  # of attributes, from where on it is said that each is compiled


class _Kind(NamedTuple):
    """What of all that programs depend on stays as it is while a run goes on.

    Attributes:
        step: The step they run.
        lists_token: Which variables are trained.
        is_all_present: Whether no sample weight that will come is 0.
        is_custom: Whether the step is the user's own.
    """

    step: StepName
    lists_token: int
    is_all_present: bool
    is_custom: bool


def training_programs(
    model: TrainedModel,
    trainer: CompiledTraining,
    *,
    is_all_present: bool = False,
    is_base: bool = False,
) -> ModelPrograms:
    """The programs that train a model as it, its losses, metrics and optimizer are now.

    Args:
        model, trainer: What they run.
        is_all_present: Whether no sample weight that will come is 0, so that no step has to look.
        is_base: Whether they run the built-in step also where the user's class has its own.
    """
    return _model_programs("train_step", model, trainer, is_all_present, is_base)


def evaluation_programs(
    model: TrainedModel, trainer: CompiledTraining, *, is_base: bool = False
) -> ModelPrograms:
    """The programs that evaluate it."""
    return _model_programs("test_step", model, trainer, False, is_base)


def _model_programs(
    step: StepName,
    model: TrainedModel,
    trainer: CompiledTraining,
    is_all_present: bool,
    is_base: bool,
) -> ModelPrograms:
    metrics = model.metrics
    is_custom = not is_base and custom_step(model, step) is not None
    inventory = model._inventory()
    kind = _Kind(step, inventory.lists().token, is_all_present, is_custom)
    key = _key(kind, inventory.token, trainer, metrics)
    optimizer = trainer.optimizer if step == "train_step" else None
    return programs_of(model).get(
        key,
        lambda: ModelPrograms(kind, key, model, trainer, training_state(model, optimizer, metrics)),
    )


def _key(kind: _Kind, model_token: int, trainer: CompiledTraining, metrics: list[Any]) -> Hashable:
    """All that the programs of a run depend on besides the shapes of batches.

    Args:
        kind: What stays while the run goes on.
        model_token: Stands for the attributes of the model; see `Inventory`.
        trainer, metrics: Whose attributes count too.
    """
    attributes = model_token, trainer.contents_token(metrics)
    augmentation = trainer.augmentation_token() if kind.step == "train_step" else -1
    summarised = _carries_summaries(kind, trainer)
    return kind, attributes, augmentation, settings_key(), trainer.run_eagerly, summarised


def _carries_summaries(kind: _Kind, trainer: CompiledTraining) -> bool:
    """Whether the programs give back what a user's step summarises."""
    is_own = kind.is_custom and kind.step == "train_step" and not trainer.run_eagerly
    return is_own and takes_steps()


class _Seen(NamedTuple):
    """What a key was made of, to find out at each step, for little, that nothing was changed.

    Attributes:
        holders: The objects that its parts are found in.
        run_eagerly, settings: As in the key.
        attributes, contents: The attributes of the model, and of the other parts.
    """

    holders: tuple[Any, ...]
    run_eagerly: bool
    settings: Hashable
    attributes: Snapshot
    contents: Snapshot

    @classmethod
    def now(cls, model: TrainedModel, trainer: CompiledTraining) -> _Seen | None:
        """What there is, when a key was made of it; None where that is not all it was made of."""
        if trainer.augmentation is not None or overrides(model, "metrics"):
            return None
        attributes, contents = model._inventory().snapshot, trainer.latest_contents()
        holders = _holders(model, trainer)
        return cls(holders, trainer.run_eagerly, settings_key(), attributes, contents)

    def is_present(self, model: TrainedModel, trainer: CompiledTraining) -> bool:
        """Whether it is so now: False also where something else was set meanwhile."""
        return (
            all(map(operator.is_, _holders(model, trainer), self.holders))
            and self.attributes.is_current()
            and self.contents.is_current()
            and self.run_eagerly == trainer.run_eagerly
            and self.settings == settings_key()
        )


def _holders(model: TrainedModel, trainer: CompiledTraining) -> tuple[Any, ...]:
    return model._trainer, trainer.outputs, trainer.optimizer, trainer.augmentation


class ModelPrograms:
    """The programs of one kind of run, and the state they share.

    Args:
        kind, key: What they depend on; see `_key`.
        model, trainer: What they run.
        state: The variables they use.
    """

    def __init__(
        self,
        kind: _Kind,
        key: Hashable,
        model: TrainedModel,
        trainer: CompiledTraining,
        state: State,
    ) -> None:
        self.model, self.trainer, self.state = model, trainer, state
        self.custom = kind.is_custom
        self.keeps_logs = self.custom or reports_itself(model)
        self._kind, self._key = kind, key
        # Whether they give back what the step summarises, as there is a writer for it.
        self.carries_summaries = _carries_summaries(kind, trainer)
        self.copy_memory = CopyMemory()
        self._measured: dict[Hashable, Measured] = {}
        self.changes = 0  # since the run began, by attributes that were set
        self._seen: _Seen | None = None  # when they were found to be up to date

    def now(self) -> ModelPrograms:
        """These programs; others where an attribute was set since they were asked for.

        The state stays: which variables are trained is read when a run begins.
        """
        model, trainer = self.model, self.trainer
        if self._seen is not None and self._seen.is_present(model, trainer):
            if self.carries_summaries == self.will_carry_summaries():
                return self
        key = _key(self._kind, model._inventory().token, trainer, model.metrics)
        if key == self._key:
            self._seen = _Seen.now(model, trainer)
            return self
        found = programs_of(self.model).get(
            key, lambda: ModelPrograms(self._kind, key, self.model, self.trainer, self.state)
        )
        if found.changes == 0:
            found.changes = self.changes + 1
            if found.changes == _MANY_CHANGES:
                self._warn_of_changes()
        return found

    def will_carry_summaries(self) -> bool:
        """`carries_summaries` of the programs as there are writers now."""
        return _carries_summaries(self._kind, self.trainer)

    def _warn_of_changes(self) -> None:
        warn(
            message(
                f"{self.model._who()}.{'fit' if self._kind.step == 'train_step' else 'evaluate'}",
                "each new value of an attribute is compiled, which takes time",
                f"{_MANY_CHANGES} changes so far",
                "Keep what changes in a variable: layer.beta = nacre.Variable(0.0, "
                "trainable=False), and layer.beta.assign(value) from the callback.",
            )
        )

    def _get(self, key: tuple[Hashable, ...], make: Callable[[], Any]) -> Any:
        return programs_of(self.model).get((self._key, key), make)

    def has_train(self, stretch: Stretch) -> bool:
        """Whether the program for steps like these was made before."""
        return (self._key, _train_key(stretch, None)) in programs_of(self.model)

    def measured(self, stretch: Stretch) -> Measured:
        """What dispatches of such steps took, in this run and in earlier ones."""
        forms = [None if a is None else (a.shape[1:], a.dtype) for a in stretch.arrays]
        key = stretch.batch_size, stretch.order is None, tuple(forms)
        return self._measured.setdefault(key, Measured())

    def train(
        self, stretch: Stretch, steps: int | None = None, is_guarded: bool = False
    ) -> Program:
        """The program for steps like these: (values, arrays, order, first row, count) -> ...

        Args:
            stretch: The steps.
            steps: How many it runs where they repeat; None: as many as its last argument says.
            is_guarded: Whether a spoiled step gives back what it was given; see `single_program`.
        """

        def make() -> Program:
            step = self._step()
            finish = finisher(self.model, self.trainer, self.state, self.custom)
            parts = self.state, step, finish, _packer(stretch.structure)
            if stretch.repeats:
                return loop_program(*parts, stretch.batch_size, self.keeps_logs, steps)
            eager = self.trainer.run_eagerly
            return single_program(
                *parts,
                _size(stretch),
                self.keeps_logs,
                compiled=not eager,
                is_guarded=is_guarded,
                # What fails in code of the user's, as in a callback to the host, leaves the model
                # without arrays that were donated.
                donates=not is_guarded or self._is_own(),
            )

        return self._get(_train_key(stretch, steps, is_guarded), make)

    def _is_own(self) -> bool:
        """Whether all code that a step runs is nacre's own."""
        model, trainer = self.model, self.trainer
        parts = [part for o in trainer.outputs or () for part in (o.loss, o.weight)]
        parts += [*model.metrics, trainer.optimizer]
        parts += [f for v in model.trainable_variables for f in (v.regularizer, v.constraint)]
        is_own = not self.custom and model._inventory().is_own and trainer.augmentation is None
        return is_own and all(map(_is_own_part, parts))

    def _step(self) -> Step:
        """The step they run, as a pure function."""
        method = custom_step(self.model, self._kind.step) if self.custom else None
        if method is not None:
            own = own_step(self.model, self.trainer, self._kind.step, method, self.state)
            if self._kind.step == "train_step":
                step = augmented(self.model, self.trainer, self.state, own)
                return self._with_summaries(step)
            return own
        if self._kind.step == "test_step":
            return test_step(self.model, self.trainer, self.state)
        return train_step(self.model, self.trainer, self.state, self._kind.is_all_present)

    def _with_summaries(self, step: Step) -> Step:
        """A user's step whose logs carry what it summarises, where there is a writer for it."""
        if self.trainer.run_eagerly:
            return step
        if self.carries_summaries:
            return StepSummaries().carried(step)

        def run(values: Values, batch: Batch) -> StepResult:
            with made_anew():
                return step(values, batch)

        return run

    def written(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The logs of a step that are reported, when what it summarised is written."""
        return write_carried(logs) if self.carries_summaries else logs

    def evaluate(self, stretch: Stretch, steps: int | None) -> Program:
        """The program that evaluates such batches: (values, fixed, arrays, first row, count) ->"""
        return self._get(
            ("evaluate", *_form(stretch), steps),
            lambda: evaluation_program(
                self.state,
                self._step(),
                finisher(self.model, self.trainer, self.state, self.custom),
                _packer(stretch.structure),
                _size(stretch),
                self.keeps_logs,
                steps,
                compiled=not self.trainer.run_eagerly,
            ),
        )


class TrainableFlags:
    """The `trainable` flags of a model's layers and variables when a training begins.

    Args:
        model: The model.
    """

    def __init__(self, model: TrainedModel) -> None:
        self._version = trainable_flags_version()
        layers = model._inventory().layers
        self._flags = [(layer, layer._trainable) for layer in layers]
        self._of_variables = [(v, v._trainable) for v in model._inventory().lists().variables]

    def changed(self) -> list[str]:
        """The names of layers, and paths of variables, whose flag was changed since."""
        if self._version == trainable_flags_version():  # of nothing at all
            return []
        return [
            *[layer.name for layer, flag in self._flags if layer._trainable != flag],
            *[v.path for v, flag in self._of_variables if v._trainable != flag],
        ]

    def warn_of_changes(self, who: str) -> None:
        """Warn, once, when a flag was changed since."""
        changed = self.changed()
        if not changed:
            return
        self._flags, self._of_variables = [], []
        warn(
            message(
                who,
                "`trainable` is read when fit begins",
                f"changed while it runs: {listed(changed)}",
                "It holds from the next compile() and fit() on. Within one fit flags are set by "
                "the callback TrainableSchedule({5: {layer: True}}).",
            )
        )


def _is_own_part(part: object) -> bool:
    """Whether a loss, a metric, an optimizer or the like runs nothing but nacre's code."""
    if part is None or isinstance(part, float | Variable):
        return True
    attributes: Any = vars(part).values()
    return is_builtin(type(part)) and all(map(is_own_value, attributes))


def _size(stretch: Stretch) -> int | None:
    """The batch size a program must know; None where the arrays are the batch, of any size."""
    return None if stretch.is_whole else stretch.batch_size


def _form(stretch: Stretch) -> tuple[Hashable, ...]:
    """What programs for steps depend on, besides shapes."""
    structure = tree.structure_key(stretch.structure)
    return stretch.repeats, _size(stretch), stretch.order is None, structure


def _train_key(
    stretch: Stretch, steps: int | None, is_guarded: bool = False
) -> tuple[Hashable, ...]:
    return ("train", *_form(stretch), steps if stretch.repeats else None, is_guarded)


def _packer(structure: Any) -> Callable[[list[Any]], Any]:
    return lambda leaves: tree.pack_sequence_as(structure, leaves)


__all__ = [
    "ModelPrograms",
    "TrainableFlags",
    "evaluation_programs",
    "training_programs",
]
