"""The state of training: the variables a step reads and changes, and all that a run goes on from.

A variable is known by its path: what holds it, `model`, `metrics`, `optimizer` or `outside` (what
code uses that nothing holds), then the names of layers as in a summary. A seed lies under the layer
that draws from it. Paths follow from how the model was made, so two processes that make it alike
agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from nacre.callbacks.memory import Remembered
from nacre.core.errors import WeightsMismatchError, listed, message
from nacre.core.kinds import is_dict, is_list, is_mapping
from nacre.core.names import paired_in_order, without_numbers
from nacre.core.protocols import TrainedModel, TrainingOptimizer
from nacre.core.random import global_generator
from nacre.core.state import OUTSIDE, State
from nacre.core.variable import Variable

# What steps change besides the trainable variables and those of the optimizer: batch statistics
# and seeds, the metrics, and what code uses that nothing holds.
CHANGING = ("other", "metrics", OUTSIDE)

_HOLDERS = {"trainable": "model", "other": "model"}  # of the others the group's name says it
_GLOBAL_SEED = "seeds/global"


def training_state(
    model: TrainedModel, optimizer: TrainingOptimizer | None, metrics: list[Any]
) -> State:
    """The variables of a model in training: 'trainable', 'metrics', 'other', 'optimizer'.

    A variable that two of them have (a learning rate that is also a layer's weight) is kept once.
    """
    return State(
        {
            "trainable": model.trainable_variables,
            "metrics": [v for metric in metrics for v in metric.variables],
            "other": model.non_trainable_variables,
            "optimizer": [] if optimizer is None else list(optimizer.variables),
        }
    )


def arrays_by_path(model: Any, state: State) -> dict[str, np.ndarray]:
    """Path -> a copy of what the variable holds; see `variables_by_path`."""
    variables = variables_by_path(model, state)
    return {path: np.array(variable.borrow()) for path, variable in variables.items()}


def spoiled_paths(arrays: Mapping[str, np.ndarray]) -> set[str]:
    """The weights and statistics of a model that are not finite."""
    return {p for p, array in arrays.items() if p.startswith("model/") and not _is_finite(array)}


def _is_finite(array: np.ndarray) -> bool:
    if array.dtype.kind in "iub":
        return True
    return bool(np.isfinite(array if array.dtype.kind in "fc" else array.astype(np.float32)).all())


def is_in_training(state: State) -> bool:
    """Whether a training with these metrics is under way, so that a callback of it is asking."""
    return any([variable.trained_by is not None for variable in state.groups["metrics"]])


def variables_by_path(model: Any, state: State) -> dict[str, Variable]:
    """Every variable under its path; a path that several have gets a number from the second on.

    The generator that layers without a seed draw from is always among them.

    Args:
        model: Whose layers say where variables lie that have no path of their own.
        state: The variables.
    """
    owned = _paths_by_owner(model)
    shared = global_generator().state
    found = {_GLOBAL_SEED: shared}
    for group, variables in state.groups.items():
        for variable in variables:
            if variable is shared:
                continue
            own = variable.path if "/" in variable.path else owned.get(id(variable), variable.path)
            if group == "optimizer":
                own = own.removeprefix(f"{model.optimizer.name}/")  # it may be another one's by now
            base = path = f"{_HOLDERS.get(group, group)}/{own}"
            number = 0
            while path in found:
                number += 1
                path = f"{base}_{number}"
            found[path] = variable
    return found


def tell_paths(model: Any, optimizer: TrainingOptimizer) -> None:
    """Let an optimizer know where variables lie in a model, with the model's name and without."""
    pairs = _paths_by_owner(model).items()
    optimizer.know_paths({key: (path, f"{model.name}/{path}") for key, path in pairs})


def _paths_by_owner(model: Any) -> dict[int, str]:
    """id(variable) -> the names of the layers it lies in, and its own."""
    return {id(variable): path for path, variable in _owned(model, "", set())}


def _owned(owner: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Variable]]:
    """(path, variable) of the variables and seeds in a layer, and in those within."""
    if id(owner) in seen:
        return
    seen.add(id(owner))
    for variable in (*owner._direct_variables(), *owner._seed_states()):
        yield f"{path}{variable.name}", variable
    for layer in owner._direct_layers():
        yield from _owned(layer, f"{path}{layer.name}/", seen)


@dataclass(frozen=True)
class TrainingState:
    """All that a training goes on from, at a step: copies, which later steps do not change.

    Args:
        arrays: Path -> array, of every variable, seed and counter; see `variables_by_path`.
        position: Where the data is, as `Feed.state` gives it: the next step to run and its epoch.
        logs: What the epoch under way has reported.
        callbacks: (name of the class, state) of each callback that remembers something.
        random: Where Python's and NumPy's own generators are; see `core.host_random`.
        data: Where the data says itself that it is; see `Feed.data_state`.
        is_batch_open: Whether callbacks are still to be told of the end of the last step.
        undeclared: What callbacks changed and do not remember; see `callbacks.memory`.
    """

    arrays: Mapping[str, np.ndarray]
    position: Mapping[str, int]
    logs: Mapping[str, Any]
    callbacks: Remembered
    random: Mapping[str, Any]
    data: Any = None
    is_batch_open: bool = False
    undeclared: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @classmethod
    def from_file(cls, arrays: Mapping[str, np.ndarray], data: Mapping[str, Any]) -> TrainingState:
        """The state in a file; see `as_file`."""
        names = [part.name for part in fields(cls) if part.name != "arrays"]
        return cls(arrays, **{name: data[name] for name in names})

    def as_file(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The arrays, and the rest as plain data."""
        rest = {part.name: getattr(self, part.name) for part in fields(self)}
        del rest["arrays"]
        return dict(self.arrays), rest

    def as_dict(self) -> dict[str, np.ndarray]:
        """Path -> array."""
        return dict(self.arrays)

    @property
    def epoch(self) -> int:
        """The epoch of the next step, from 0."""
        return self.position["epoch"]

    @property
    def step(self) -> int:
        """The next step of that epoch, from 0."""
        return self.position["step"]

    def renamed(self, variables: Mapping[str, Variable], names: Mapping[str, str]) -> TrainingState:
        """The same, by the names that a model with other automatic names has.

        Args:
            variables: Path -> variable.
            names: Name then -> name now, of what has no variables too.
        """
        paths = self.paths_of(variables)
        if all(path == old for path, old in paths.items()):
            return self
        known = {
            old: new
            for path, other in paths.items()
            for new, old in zip(path.split("/"), other.split("/"), strict=True)
            if old != new
        }
        known.update(names)
        logs = {name: _renamed_log(name, known) for name in _logged(self.logs, self.callbacks)}
        return replace(
            self,
            arrays={path: self.arrays[old] for path, old in paths.items()},
            logs=_with_names(self.logs, logs),
            callbacks=[(name, _with_names(state, logs)) for name, state in self.callbacks],
        )

    def paths_of(self, variables: Mapping[str, Variable]) -> dict[str, str]:
        """Path -> the path that the variable has here; nothing where they are not of one model.

        Args:
            variables: Path -> variable.
        """
        return paired_in_order(list(variables), list(self.arrays), without_numbers) or {}

    def check(self, variables: Mapping[str, Variable], who: str) -> None:
        """Raise where the arrays are not those of these variables.

        Args:
            variables: Path -> variable.
            who: Who asks, for messages.

        Raises:
            WeightsMismatchError: It lists everything that does not fit; nothing was changed.
        """
        kinds = {
            "missing in the state": sorted(variables.keys() - self.arrays.keys()),
            "not in the model": sorted(self.arrays.keys() - variables.keys()),
            "of another form": [
                f"{path} (state {_form(self.arrays[path])}, model {_form(variable)})"
                for path, variable in sorted(variables.items())
                if path in self.arrays and _form(self.arrays[path]) != _form(variable)
            ],
        }
        wrong = [f"{len(paths)} {kind}: {listed(paths)}" for kind, paths in kinds.items() if paths]
        if wrong:
            raise WeightsMismatchError(
                message(
                    who,
                    "a training continues with the model, optimizer and metrics it began with",
                    "; ".join(wrong),
                    "Make them as they were, with the same names.",
                )
            )

    def assign(self, variables: Mapping[str, Variable]) -> None:
        """Give variables that were checked their values.

        Args:
            variables: Path -> variable.
        """
        for path, variable in variables.items():
            variable.assign(self.arrays[path])


def _renamed_log(name: str, names: Mapping[str, str]) -> str:
    """The name of a logged value when layers and metrics have other names now.

    Example:
        >>> _renamed_log("val_dense_auc", {"dense": "dense_2", "auc": "auc_1"})
        'val_dense_2_auc_1'
    """
    if name in names:
        return names[name]
    if name.startswith("val_"):
        return f"val_{_renamed_log(name.removeprefix('val_'), names)}"
    for output in sorted(names, key=len, reverse=True):  # `dense_1_loss` is none of `dense`
        if name.startswith(f"{output}_"):
            metric = name.removeprefix(f"{output}_")
            return f"{names[output]}_{names.get(metric, metric)}"
    return name


def _logged(logs: Mapping[str, Any], callbacks: Remembered) -> set[str]:
    """The names of all that was logged."""
    histories = (state.get("history") for _, state in callbacks)
    return {*logs, *(name for history in histories if is_dict(history) for name in history)}


def _with_names(value: Any, names: Mapping[str, str]) -> Any:
    """Plain data, with other names among the keys of dicts and the items of lists."""
    if is_mapping(value):
        return {_with_names(k, names): _with_names(v, names) for k, v in value.items()}
    if is_list(value):
        items = [_with_names(item, names) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return names.get(value, value) if isinstance(value, str) else value


def _form(value: Any) -> str:
    return f"{tuple(value.shape)} {value.dtype}"


__all__ = [
    "CHANGING",
    "TrainingState",
    "arrays_by_path",
    "is_in_training",
    "spoiled_paths",
    "tell_paths",
    "training_state",
    "variables_by_path",
]
