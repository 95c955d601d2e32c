"""A model that trains a student by what a frozen teacher says."""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp

from nacre import metrics
from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.keywords import any_arguments
from nacre.core.numbers import number
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.core.warning import warn
from nacre.distillation.transfer import DistillationLoss
from nacre.models import Model


@register("distillation/Distiller", module="keras.distillation")
class Distiller(Model):
    """Trains a student on labels and on what a frozen teacher gives.

    Called, saved as `distiller.student`, and used for predictions it is the student.

    Args:
        teacher: A trained model; it is frozen, and called as in inference.
        student: The model to train.
        distillation_losses: One `DistillationLoss`, or a list of them.
        distillation_loss_weights: The weight of each; 1 by default.
        student_loss_weight: The share of the loss that `compile` was given, from 0 to 1.
        name: Name of the model.

    Formula:
        loss = a · student loss + (1 - a) · sum of w_i · distillation loss_i
    Raises:
        ArgumentError: Something is not what it should be, or the models do not fit each other.
    Source:
        Hinton et al. 2015, arXiv:1503.02531. Logs and formula are those of Keras 3.15. Differs:
        the student's features and the outputs that its loss is of come from one pass, so that
        dropout falls on both alike, and batch statistics are updated once a step; sample weights
        count for the student's loss (Keras leaves them out), and what has weight 0 for none.
    Example:
        >>> import nacre
        >>> teacher = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(3)])
        >>> student = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(3)])
        >>> loss = nacre.distillation.LogitsDistillation(temperature=2.0)
        >>> distiller = Distiller(teacher, student, loss)
        >>> distiller(nacre.ops.ones((1, 4))).shape, len(distiller.trainable_variables)
        ((1, 3), 2)
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        distillation_losses: Any,
        distillation_loss_weights: Any = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        who = self._who()
        for role, model in (("teacher", teacher), ("student", student)):
            if not isinstance(model, Model):
                raise ArgumentError(message(who, f"{role} must be a model", repr(model)[:60]))
        is_list = isinstance(distillation_losses, list | tuple)
        parts = list(distillation_losses) if is_list else [distillation_losses]
        for part in parts:
            if not isinstance(part, DistillationLoss):
                rule = "distillation_losses must be DistillationLoss objects"
                fix = "Pass LogitsDistillation()."
                raise ArgumentError(message(who, rule, repr(part)[:60], fix))
        if not 0 <= number(who, "student_loss_weight", student_loss_weight) <= 1:
            rule = "student_loss_weight must be from 0 to 1"
            raise ArgumentError(message(who, rule, repr(student_loss_weight)))
        weights = _weights(who, distillation_loss_weights, len(parts))
        _check_shapes(who, teacher, student)
        for part in parts:
            part.validate_model_compatibility(teacher, student)
        teacher.trainable = False
        self.teacher, self.student = teacher, student
        self.distillation_losses, self.distillation_loss_weights = parts, weights
        self.student_loss_weight = float(student_loss_weight)
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")
        if student.built:
            self.built = True

    def build(self, input_shape: Any) -> None:
        """Build both models."""
        for model in (self.teacher, self.student):
            if not model.built:
                model.build(input_shape)

    def compile(
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Say how the student learns: as `Model.compile`, where `loss` is that of the student.

        Raises:
            ArgumentError: `loss` is None and `student_loss_weight` not 0.
        """
        if loss is None and self.student_loss_weight:
            rule = "the student's own loss must be given"
            fix = "Pass loss=..., or student_loss_weight=0.0 to learn from the teacher alone."
            raise ArgumentError(message(f"{self._who()}.compile", rule, "loss=None", fix))
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave; files of Keras hold nothing of it."""
        if config.get("loss") is None and self.student_loss_weight:
            warn(
                message(
                    f"{self._who()}, from a file",
                    "what compile() was given should be in the file, which Keras leaves out",
                    "a distiller that is not compiled",
                    "Call compile() again; predictions need none.",
                )
            )
            return
        super().compile_from_config(config)

    @any_arguments
    def call(self, inputs: Any, training: Any = None, **kwargs: Any) -> Any:
        """The student's outputs."""
        return self.student(inputs, training=training, **kwargs)

    @any_arguments
    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of the student and of what it has still to learn from the teacher."""
        names = [part.layer_names() for part in self.distillation_losses]
        taught, of_teacher = _outputs(self.teacher, x, False, [name for name, _ in names])
        taught, of_teacher = jax.lax.stop_gradient((taught, of_teacher))
        wanted = [name for _, name in names]
        of_student: dict[str, Any] = {}
        if any(wanted):
            # A pass of its own: batch statistics and the like were changed by the first one.
            with scope.StatelessScope():
                y_pred, of_student = _outputs(self.student, x, training, wanted)
        own: Any = 0.0
        if self.student_loss_weight:
            own = super().compute_loss(x, y, y_pred, sample_weight, training)
        distance: Any = 0.0
        for part, weight, (teacher_name, student_name) in zip(
            self.distillation_losses, self.distillation_loss_weights, names, strict=True
        ):
            one = taught if teacher_name is None else of_teacher[teacher_name]
            other = y_pred if student_name is None else of_student[student_name]
            part.validate_outputs(one, other)
            other = _without_absent(one, other)
            distance = distance + weight * part.compute_loss(one, other)
        share = self.student_loss_weight
        total = share * own + (1 - share) * distance
        count = tree.flatten(y_pred)[0].shape[0]
        for tracker, value in (
            (self.student_loss_tracker, own),
            (self.distillation_loss_tracker, distance),
            (self.total_loss_tracker, total),
        ):
            tracker.update_state(jax.lax.stop_gradient(value), sample_weight=count)
        return total

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": plain_config(self.dtype_policy),
            "teacher": plain_config(self.teacher),
            "student": plain_config(self.student),
            "distillation_losses": [plain_config(part) for part in self.distillation_losses],
            "distillation_loss_weights": list(self.distillation_loss_weights),
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    @any_arguments
    @reads_config
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make the distiller a config describes."""
        read = lambda value: deserialize_keras_object(value, custom_objects=custom_objects)
        arguments = dict(config)
        for name in ("teacher", "student"):
            arguments[name] = read(arguments[name])
        arguments["distillation_losses"] = [read(c) for c in arguments["distillation_losses"]]
        return cls(**arguments)


def _outputs(
    model: Any, x: Any, training: bool, names: list[str | None]
) -> tuple[Any, dict[str, Any]]:
    """A model's outputs, and those of some of its layers, in one pass."""
    wanted = list(dict.fromkeys(name for name in names if name is not None))
    if not wanted:
        return model(x, training=training), {}
    nested = model._nested_outputs
    features = {name: model.get_layer(name).output for name in wanted}
    reader = Model(model._nested_inputs, [*tree.flatten(nested), *features.values()])
    found = reader(x, training=training)
    count = len(tree.flatten(nested))
    outputs = tree.pack_sequence_as(nested, found[:count])
    return outputs, dict(zip(wanted, found[count:], strict=True))


def _without_absent(taught: Any, learnt: Any) -> Any:
    """The student's outputs, in samples of weight 0 the teacher's: there is nothing to learn."""
    absent = scope.absent_from_call()
    if absent is None:
        return learnt

    def kept(one: Any, other: Any) -> Any:
        if tuple(one.shape) != tuple(other.shape):
            return other
        places = absent.samples.reshape(-1, *[1] * (other.ndim - 1))
        return jnp.where(places, one.astype(other.dtype), other)

    return tree.map_structure(kept, taught, learnt)


def _weights(who: str, given: Any, count: int) -> list[float]:
    if given is None:
        return [1.0] * count
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if len(listed) != count:
        rule = f"distillation_loss_weights must have one number for each of {count} losses"
        raise ArgumentError(message(who, rule, f"{len(listed)}: {listed}"))
    return [number(who, "each of distillation_loss_weights", weight) for weight in listed]


def _check_shapes(who: str, teacher: Any, student: Any) -> None:
    """Refuse models whose inputs differ, as far as it is known before they are called."""
    shapes = [
        None if model.inputs is None else [tuple(t.shape)[1:] for t in model.inputs]
        for model in (teacher, student)
    ]
    if None not in shapes and not _fit(*shapes):
        rule = "teacher and student must take the same inputs"
        raise ArgumentError(message(who, rule, f"{shapes[0]} and {shapes[1]}"))


def _fit(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    return all(
        len(a) == len(b)
        and all(m is None or n is None or m == n for m, n in zip(a, b, strict=True))
        for a, b in zip(one, other, strict=True)
    )


__all__ = ["Distiller"]
