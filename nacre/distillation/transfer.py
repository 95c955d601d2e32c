"""Losses between what a teacher and a student compute."""

from __future__ import annotations

from typing import Any, Self

from nacre import losses, ops
from nacre.core import tree
from nacre.core.changes import Versioned
from nacre.core.errors import ArgumentError, UnknownNameError, message, nearest
from nacre.core.numbers import number
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.core.safety import reads_config
from nacre.core.warning import warn
from nacre.losses.loss import Loss
from nacre.training.last_activation import last_activations


class DistillationLoss(Versioned):
    """How far a student is from its teacher. Subclasses define `compute_loss`.

    Example:
        >>> import nacre
        >>> class Sum(DistillationLoss):
        ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        ...         return nacre.ops.sum(nacre.ops.abs(teacher_outputs - student_outputs))
        >>> float(Sum().compute_loss(nacre.ops.ones((2,)), nacre.ops.zeros((2,))))
        2.0
    """

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """One number.

        Args:
            teacher_outputs, student_outputs: What the two models gave, of one structure.
            kwargs: For subclasses.
        """
        raise NotImplementedError(
            message(type(self).__name__, "a distillation loss must define compute_loss()")
        )

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Refuse outputs that cannot be compared.

        Raises:
            ArgumentError: Their structures differ.
        """
        counts = [len(tree.flatten(given)) for given in (teacher_outputs, student_outputs)]
        if counts[0] != counts[1]:
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "teacher and student must give as many outputs",
                    f"{counts[0]} and {counts[1]}",
                )
            )

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Refuse models it cannot compare."""

    def layer_names(self) -> tuple[str | None, str | None]:
        """The layers of teacher and student whose outputs are compared; None for the models'."""
        return None, None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the loss a config describes."""
        arguments = dict(config)
        if "loss" in arguments:
            arguments["loss"] = tree.map_structure(_read, _names_kept(arguments["loss"]))
        return cls(**arguments)


class _Named:
    """A loss in a config, kept whole while a structure is walked."""

    def __init__(self, config: Any) -> None:
        self.config = config


def _names_kept(config: Any) -> Any:
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _names_kept(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_names_kept(value) for value in config]
    return _Named(config)


def _read(named: Any) -> Any:
    config = named.config
    return deserialize_keras_object(config) if isinstance(config, dict) else config


def _resolved(loss: Any, who: str) -> Any:
    """Loss functions and objects for names."""
    if loss is None:
        raise ArgumentError(message(who, "loss must be given", "None", "Pass loss='mse'."))
    return tree.map_structure(losses.get, loss)


def _compared(
    loss: Any, teacher_outputs: Any, student_outputs: Any, who: str, prepare: Any = None
) -> Any:
    """The sum over the outputs of the mean of each loss."""
    taught, learnt = tree.flatten(teacher_outputs), tree.flatten(student_outputs)
    functions = tree.flatten(loss)
    if len(functions) == 1:
        functions = functions * len(taught)
    if len(functions) != len(taught):
        rule = f"there must be one loss, or one for each of {len(taught)} outputs"
        raise ArgumentError(message(who, rule, str(len(functions))))
    total: Any = 0.0
    for function, one, other in zip(functions, taught, learnt, strict=True):
        if function is None:
            continue
        if tuple(one.shape[1:]) != tuple(other.shape[1:]):
            rule = "what is compared must have one shape"
            got = f"teacher {tuple(one.shape)}, student {tuple(other.shape)}"
            fix = "Add a layer to the student that projects to the teacher's features."
            raise ArgumentError(message(who, rule, got, fix))
        factor = 1.0
        if prepare is not None:
            one, other, factor = prepare(function, one, other)
        value = function(one, other)
        total = total + ops.mean(value) * factor
    return total


@register("distillation/LogitsDistillation", module="keras.distillation")
class LogitsDistillation(DistillationLoss):
    """The distance between the two models' outputs, both softened by a temperature.

    Args:
        temperature: What logits are divided by; above 1 small probabilities count more.
        loss: Name, function or object; for several outputs one for all, or a structure of them.

    Formula:
        losses of probabilities, 'kl_divergence' and 'categorical_crossentropy':
            T² · mean of loss(softmax(teacher / T), softmax(student / T))
        all others: mean of loss(teacher / T, student / T)
    Raises:
        ArgumentError: The temperature is not positive.
    Source:
        Hinton et al. 2015, "Distilling the knowledge in a neural network", arXiv:1503.02531,
        section 2. Differs from Keras 3.15, which gives losses of probabilities the logits divided
        by T, without softmax and T²: numbers below 0 are cut off there, and have no gradient.
    Example:
        >>> import nacre
        >>> same = nacre.ops.ones((2, 3))
        >>> float(LogitsDistillation(temperature=2.0).compute_loss(same, same))
        0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence") -> None:
        who = type(self).__name__
        if not number(who, "temperature", temperature) > 0:
            raise ArgumentError(message(who, "temperature must be positive", repr(temperature)))
        self.temperature = temperature
        self.loss = _resolved(loss, who)

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The distance; the outputs are logits."""
        who = type(self).__name__
        return _compared(self.loss, teacher_outputs, student_outputs, who, self._softened)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Warn of models whose outputs are probabilities: softened once more they say little."""
        of_classes = [
            _wants(function) in ("softmax", "linear") for function in tree.flatten(self.loss)
        ]
        for role, model in (("teacher", teacher), ("student", student)):
            graph = model._graph
            found = [] if graph is None else last_activations(model, len(graph.outputs))
            asked = of_classes if len(of_classes) == len(found) else of_classes[:1] * len(found)
            for last, is_of_classes in zip(found, asked, strict=True):
                if is_of_classes and last is not None and last.name in ("softmax", "sigmoid"):
                    rule = (
                        "the outputs of both models must be logits, which it gives a softmax itself"
                    )
                    got = f"{role} '{model.name}', whose layer '{last.layer}' applies {last.name}"
                    fix = "Leave the activation out, and give the student's loss from_logits=True."
                    warn(message(type(self).__name__, rule, got, fix))

    def _softened(self, loss: Any, taught: Any, learnt: Any) -> tuple[Any, Any, float]:
        taught, learnt = taught / self.temperature, learnt / self.temperature
        wanted = _wants(loss)
        if wanted == "softmax":
            return ops.softmax(taught), ops.softmax(learnt), self.temperature**2
        if wanted == "linear":  # a cross-entropy that takes logits of the student
            return ops.softmax(taught), learnt, self.temperature**2
        return taught, learnt, 1.0

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"temperature": self.temperature, "loss": _config_of(self.loss)}


def _wants(loss: Any) -> str | None:
    """What a loss takes: see `losses.expected_activation`."""
    if isinstance(loss, losses.KLDivergence) or loss is losses.kl_divergence:
        return "softmax"
    return losses.expected_activation(loss)


@register("distillation/FeatureDistillation", module="keras.distillation")
class FeatureDistillation(DistillationLoss):
    """The distance between outputs of two layers, one of each model.

    Args:
        loss: Name, function or object; its mean is taken.
        teacher_layer_name, student_layer_name: The layers; the models' outputs by default.

    Source:
        Romero et al. 2015, "FitNets: hints for thin deep nets", arXiv:1412.6550, section 2.2.
    Example:
        >>> import nacre
        >>> loss = FeatureDistillation("mse")
        >>> float(loss.compute_loss(nacre.ops.ones((2, 3)), nacre.ops.zeros((2, 3))))
        1.0
    """

    def __init__(
        self,
        loss: Any = "mse",
        teacher_layer_name: str | None = None,
        student_layer_name: str | None = None,
    ) -> None:
        self.loss = _resolved(loss, type(self).__name__)
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def layer_names(self) -> tuple[str | None, str | None]:
        """The layers whose outputs are compared."""
        return self.teacher_layer_name, self.student_layer_name

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Refuse models without such layers, or without a graph to read them from.

        Raises:
            UnknownNameError: No layer has that name.
            ArgumentError: A model is made by a class, and so has no outputs of layers to read.
        """
        for who, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if name is None:
                continue
            if model.inputs is None:
                rule = (
                    "to read a layer's output a model must be functional or sequential, and built"
                )
                got = f"the {who} {type(model).__name__} '{model.name}'"
                raise ArgumentError(message(type(self).__name__, rule, got))
            names = [layer.name for layer in model.layers]
            if name not in names:
                hint = nearest(name, names)
                fix = f"Did you mean {hint!r}?" if hint else f"Layers: {', '.join(names)}."
                rule = f"{who}_layer_name must be a layer of '{model.name}'"
                raise UnknownNameError(message(type(self).__name__, rule, repr(name), fix))

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The distance of the features."""
        return _compared(self.loss, teacher_outputs, student_outputs, type(self).__name__)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "loss": _config_of(self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }


def _config_of(loss: Any) -> Any:
    if isinstance(loss, dict):
        return {key: _config_of(value) for key, value in loss.items()}
    if isinstance(loss, list | tuple):
        return [_config_of(value) for value in loss]
    return plain_config(loss) if isinstance(loss, Loss) or callable(loss) else loss


__all__ = ["DistillationLoss", "FeatureDistillation", "LogitsDistillation"]
