"""What an optimizer keeps, and what checkpoints of TensorFlow call it.

A variable of an optimizer is either made for a trainable one, and then is one of its slots, or the
optimizer's own, such as its number of updates. Optimizers may hold others; what those keep is
called after the attribute they are under. (Names of tf.keras read off checkpoints of 2.15.1.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nacre.core.names import free_name
from nacre.core.variable import Variable
from nacre.optimizers import Adafactor, LossScaleOptimizer, MultiOptimizer, Nadam, Optimizer

# What our slots are called in checkpoints, where it is not their own name; the optimizers of one
# line have one kind of state.
_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "Adam": {"momentum": ("m",), "velocity": ("v",), "velocity_hat": ("vhat",)},
    "Adamax": {"momentum": ("m",), "norm": ("u", "v")},
    "RMSprop": {"velocity": ("velocity", "rms"), "average_gradient": ("average_gradient", "mg")},
    "Adadelta": {"accumulated_grad": ("accum_grad",), "accumulated_delta_var": ("accum_var",)},
    "Adafactor": {"row": ("r",), "column": ("c",), "velocity": ("v",)},
    "SGD": {"momentum": ("m",)},
    "Lion": {"momentum": ("m",)},
    "Nadam": {"momentum": ("m",), "velocity": ("v",)},
    **{name: {} for name in ("Adagrad", "Ftrl", "Lamb", "Muon", "ScheduleFreeAdamW")},
}
_NAMES["AdamW"] = _NAMES["Adam"]
_LINES = {name.lower(): line for name, line in _NAMES.items()}
# The optimizer's attribute that a variable of its own is, the newest first.
SCALARS = {
    "iteration": ("_iterations", "iter"),
    "learning_rate": ("_learning_rate", "learning_rate"),
    "variable": ("_u_product",),  # Nadam's running product of momentum factors
    "loss_scale/dynamic_scale": ("loss_scale/current_loss_scale",),
    "loss_scale/step_counter": ("loss_scale/good_steps",),
}
# What one that scales the loss keeps besides the optimizer within, which needs none of it.
LOSS_SCALE = "loss_scale/"
ACCUMULATOR = "gradient_accumulator"  # which tf.keras has none of


@dataclass(frozen=True)
class Held:
    """A variable of an optimizer, and how it is known.

    Attributes:
        variable: The variable.
        name: Of its own, or of the slot; with that of the attribute an optimizer within is under.
        owner: The optimizer that made it.
        of: The trainable variable it was made for.
    """

    variable: Variable
    name: str
    owner: Any
    of: Variable | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called in a file: the first is what it is called when it is written."""
        holder, slash, slot = self.name.rpartition("/")
        if self.of is None:
            return (*self.attributes, self.name)
        known = (*line_of(self.owner).get(slot, ()), slot)
        return tuple(f"{holder}{slash}{name}" for name in known)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of tf.keras's optimizers that it may be, the newest first."""
        if self.of is not None or (self.name == "variable" and not isinstance(self.owner, Nadam)):
            return ()
        return SCALARS.get(self.name, ())

    @property
    def full_name(self) -> str:
        """What it is called in the file's list of variables, such as `Adam/m/dense/kernel`."""
        if self.of is None:
            return self.name
        return f"{type(self.owner).__name__}/{self.names[0]}/{self.of.path}"

    @property
    def is_unused(self) -> bool:
        """Whether it is one of the numbers that stand where Adafactor keeps nothing."""
        return (
            isinstance(self.owner, Adafactor)
            and self.of is not None
            and self.variable.dtype == "int32"
        )


def line_of(optimizer: Any) -> dict[str, tuple[str, ...]]:
    """Names of the slots of an optimizer's class, or of the built-in one it is made from."""
    found = (_NAMES[cls.__name__] for cls in type(optimizer).__mro__ if cls.__name__ in _NAMES)
    return next(found, {})


def is_of_another_line(kind: str, optimizer: Any) -> bool:
    """Whether a class, known by its name in any case, as an automatic name is made of it, keeps
    another kind of state than an optimizer does."""
    line = _LINES.get(kind.lower().replace("_", ""))
    return line is not None and line is not line_of(optimizer)


def held_by(optimizer: Optimizer) -> list[Held]:
    """All variables of an optimizer, in its order; no two of one name, or of one name and one
    trainable variable."""
    known: dict[int, Held] = {}
    for held in _held(optimizer, "", set()):
        known.setdefault(id(held.variable), held)
    taken: dict[int, list[str]] = {}
    found: list[Held] = []
    for variable in optimizer.variables:
        held = known.get(id(variable), Held(variable, variable.path, optimizer))
        names = taken.setdefault(id(held.of), [])
        names.append(free_name(held.name, names))
        found.append(Held(variable, names[-1], held.owner, held.of))
    return found


def _held(optimizer: Any, holder: str, seen: set[int]) -> Iterator[Held]:
    if id(optimizer) in seen:
        return
    seen.add(id(optimizer))
    is_scaling = isinstance(optimizer, LossScaleOptimizer)
    own = f"{holder}{LOSS_SCALE}" if is_scaling else holder
    trained = {id(variable) for variable in optimizer.trained_variables}
    slots = optimizer.slots_of_variables()
    for variable in optimizer._variables:
        of, slot = slots.get(id(variable), (None, variable.name))
        if of is None or id(of) not in trained:
            yield Held(variable, own + variable.name, optimizer)
        else:
            yield Held(variable, own + slot, optimizer, of)
    if is_scaling:
        yield from _held(optimizer.inner_optimizer, holder, seen)
        return
    within: dict[str, Any] = dict(vars(optimizer))
    if isinstance(optimizer, MultiOptimizer):
        within = {str(i): part for i, part in enumerate(optimizer.optimizers)}
    for name, part in within.items():
        if isinstance(part, Optimizer):
            yield from _held(part, f"{holder}{name}/", seen)


__all__ = [
    "ACCUMULATOR", "LOSS_SCALE", "SCALARS", "Held", "held_by", "is_of_another_line", "line_of",
]  # fmt: skip
