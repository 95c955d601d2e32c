"""Transformations of optax as optimizers. optax is not imported: who has one has loaded it."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import (
    ArgumentError,
    NotCompiledError,
    NotThereError,
    message,
)
from nacre.core.kinds import is_of_library
from nacre.core.names import free_name, name_scope
from nacre.core.registry import (
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    plain_config,
    register,
)
from nacre.core.safety import reads_config
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.optimizers.optimizer import Optimizer
from nacre.optimizers.update_order import Values, decayed

_RATE = "learning_rate"
_AGAIN = "model.compile(model.optimizer.with_transformation(optax.adamw(1e-3)), loss=...)"


def is_transformation(value: object) -> bool:
    """Whether it is a transformation of optax, or steps gathered by `optax.MultiSteps`."""
    return is_of_library(value, "optax", "GradientTransformation", "MultiSteps")


@register("optimizers/OptaxOptimizer")
class OptaxOptimizer(Optimizer):
    """A transformation of optax, with its state in variables.

    `compile` makes it: `model.compile(optax.adamw(1e-3), "mse")`. The numbers are those of optax.
    The parameters that the transformation sees are a dict from paths within the model, such as
    `encoder/dense/kernel`, to arrays: masks and labels can go by either.
    `iterations` counts calls of the transformation.

    Files of a model hold the state and not the transformation, which is code. Where it was made by
    a function registered with `@nacre.saving.register_keras_serializable()` and given as
    `OptaxOptimizer(function)`, opening the file calls that function and all goes on. Else the model
    opens, says so, and trains on after

        model.compile(model.optimizer.with_transformation(optax.adamw(1e-3)), loss=...)

    Args:
        transformation: An `optax.GradientTransformation`, or a function without arguments that
            makes one.
        use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: See `Optimizer`.

    Raises:
        ArgumentError: `transformation` is neither.
    Source:
        https://optax.readthedocs.io. Not possible: transformations that need more than gradients
        and parameters, such as the loss (`optax.contrib.reduce_on_plateau`, line searches).
    Example:
        >>> import optax
        >>> weight = Variable([1.0], name="weight")
        >>> _ = OptaxOptimizer(optax.sgd(0.25)).apply_gradients([([1.0], weight)])
        >>> weight.numpy()
        array([0.75], dtype=float32)
    """

    is_plain_apply = True
    __slots__ = ("_kept", "_names", "_own_state", "_used", "transformation")

    def __init__(
        self,
        transformation: Any,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            learning_rate=None,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )
        if isinstance(transformation, dict):
            transformation = deserialize_keras_object(transformation)
        if not (
            transformation is None or callable(transformation) or is_transformation(transformation)
        ):
            raise ArgumentError(
                message(
                    "OptaxOptimizer",
                    "transformation must be one of optax, or a function that makes one",
                    repr(transformation)[:100],
                    "Pass optax.adamw(1e-3).",
                )
            )
        self.transformation = transformation
        self._used: Any = None  # the transformation itself
        self._names: list[str] = []  # of the trained variables, as the transformation sees them
        self._own_state: _State | None = None
        self._kept: list[np.ndarray] | None = None  # the state of a file, until it is built

    def _rate_holder(self, rate: Any) -> Any:
        return None  # the transformation has its own

    def _rate(self, values: Values) -> jax.Array:
        return jnp.zeros((), "float32")

    def with_transformation(self, transformation: Any) -> OptaxOptimizer:
        """An optimizer with these settings, another transformation and the state that was kept.

        Args:
            transformation: The one that the state of an opened file belongs to.
        """
        other = OptaxOptimizer(
            transformation,
            self.use_ema,
            self.ema_momentum,
            self.ema_overwrite_frequency,
            self.loss_scale_factor,
            self.gradient_accumulation_steps,
            self.name,
        )
        other._kept = self._kept
        if self.built:
            other._kept = self.get_weights()
        return other

    # ------------------------------------------------------------ the state as variables

    def build(self, variables: Sequence[Variable]) -> None:
        """Let the transformation make its state for these variables.

        Of an optimizer from a file, without its transformation, nothing is made.
        """
        if self.built or self.transformation is None:
            super().build(variables if self.built else ())
            self.built = self.transformation is not None
            return
        super().build(variables)
        self._used = _made(self.transformation)
        self._names = []
        for variable in self._trainable_variables:
            paths = self._paths.get(id(variable), (variable.path,))
            self._names.append(free_name(paths[0], self._names))
        # Numbers also where a program is traced; see `present_value`.
        parameters = [jnp.asarray(variable.own_value()) for variable in self._trainable_variables]
        with name_scope(self.name), jax.ensure_compile_time_eval():
            first = self._used.init(dict(zip(self._names, parameters, strict=True)))
            self._own_state = _State(first, self._names, self._new_variable)
        self._learning_rate = self._own_state.hyperparameter(_RATE)
        self._refuse_more_than_gradients(parameters)
        kept, self._kept = self._kept, None
        if kept is not None:
            self._load(kept)

    def _refuse_more_than_gradients(self, parameters: list[Any]) -> None:
        """Trace an update, to see before the first step whether it needs the loss as well."""
        assert self._own_state is not None
        shapes = dict(zip(self._names, parameters, strict=True))
        state = self._own_state.read({id(v): v.value for v in self._own_state.variables})
        try:
            jax.eval_shape(self._used.update, shapes, state, shapes)
        except TypeError as error:
            if "required keyword-only argument" not in str(error):
                raise
            rule = "a transformation must need no more than gradients and parameters"
            raise ArgumentError(message("OptaxOptimizer", rule, str(error))) from None

    def _new_variable(self, value: Any, name: str) -> Variable:
        array = np.asarray(value)

        def first(shape: Any, dtype: Any = None) -> np.ndarray:
            return array

        return self.add_variable(array.shape, first, str(array.dtype), name=name)

    def keep_state(self, arrays: list[np.ndarray]) -> None:
        """Take the state of a file before there is a transformation; see `with_transformation`."""
        self._kept = arrays

    def _apply_rule(
        self,
        values: Values,
        gradients: list[Any],
        parameters: list[Any],
        decays: list[Any],
        step: jax.Array,
        rate: jax.Array,
    ) -> list[Any]:
        """Where a variable has no gradient, the transformation sees zeros and it stays."""
        assert self._own_state is not None
        parameters = decayed(parameters, decays)
        pairs = zip(gradients, parameters, strict=True)
        full = [jnp.zeros_like(p) if g is None else g.astype(p.dtype) for g, p in pairs]
        updates, state = self._used.update(
            dict(zip(self._names, full, strict=True)),
            self._own_state.read(values),
            dict(zip(self._names, parameters, strict=True)),
        )
        self._own_state.write(state, values)
        new: list[Any] = []
        for name, gradient, parameter in zip(self._names, gradients, parameters, strict=True):
            update = updates[name]
            stays = gradient is None or update is None
            new.append(parameter if stays else (parameter + update).astype(parameter.dtype))
        return new

    # ------------------------------------------------------------ its learning rate

    @property
    def learning_rate(self) -> Variable:
        """The variable that `optax.inject_hyperparams` keeps a learning rate in.

        Raises:
            NotThereError: There is none, or the optimizer is not built.
        """
        if self._learning_rate is None:
            raise self._no_rate("can be read where it is a state of the transformation", "none")
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if self._own_state is not None and self._own_state.is_scheduled(_RATE):
            raise self._no_rate("cannot be set where a schedule decides it", repr(learning_rate))
        self.learning_rate.assign(learning_rate)

    lr = learning_rate

    def _no_rate(self, rule: str, got: str) -> NotThereError:
        return NotThereError(
            message(
                f"optimizer '{self.name}'",
                f"a learning rate {rule}",
                got,
                "Make it with optax.inject_hyperparams(optax.adamw)(learning_rate=1e-3).",
            )
        )

    # ------------------------------------------------------------ files

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data; a transformation that no registered function makes is
        None."""
        made_by = self.transformation if _is_registered(self.transformation) else None
        names = (
            "use_ema ema_momentum ema_overwrite_frequency loss_scale_factor "
            "gradient_accumulation_steps name"
        ).split()
        return {
            "transformation": plain_config(made_by),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    @reads_config
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> OptaxOptimizer:
        """Make the optimizer a config describes; without its transformation that is told."""
        made = cls(**config)
        if made.transformation is None:
            warn(
                message(
                    f"optimizer '{made.name}'",
                    "files hold the state of an optax transformation, not itself",
                    "a model compiled with one",
                    f"To train on: {_AGAIN}. It evaluates and predicts as it is.",
                )
            )
        return made

    def _check_lengths(self, own: Sequence[Any], *given: Sequence[Any]) -> None:
        self._require_transformation()
        super()._check_lengths(own, *given)

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update variables in place; see `Optimizer.apply`.

        Raises:
            NotCompiledError: It is an optimizer from a file, without its transformation.
        """
        self._require_transformation()
        super().apply(grads, trainable_variables)

    def _require_transformation(self) -> None:
        if self.transformation is None:
            raise NotCompiledError(
                message(
                    f"optimizer '{self.name}'",
                    "it needs the optax transformation that its file did not hold",
                    "none",
                    _AGAIN,
                )
            )


class _State:
    """The state of a transformation, a variable for each array in it.

    Args:
        state: What `init` gave.
        names: Names of the parameters, which stand in the state as keys of dicts.
        make: Makes a variable of a value and a name.
    """

    def __init__(self, state: Any, names: list[str], make: Callable[[Any, str], Variable]) -> None:
        leaves, self._tree = _flat(state)
        self._paths = [path for path, _ in leaves]
        self._is_key = [_is_random_key(leaf) for _, leaf in leaves]
        places = {name: place for place, name in enumerate(names)}
        # By the order of the parameters, not by their names, which may differ where a file is open.
        order = sorted(range(len(leaves)), key=lambda i: _order(leaves[i][0], places))
        variables = {i: make(_plain(leaves[i][1]), _name(leaves[i][0])) for i in order}
        self.variables = [variables[i] for i in range(len(leaves))]  # as in the state

    def read(self, values: Values) -> Any:
        """The state with these values."""
        pairs = zip(self.variables, self._is_key, strict=True)
        leaves = [_as_key(values[id(v)]) if is_key else values[id(v)] for v, is_key in pairs]
        return jax.tree.unflatten(self._tree, leaves)

    def write(self, state: Any, values: Values) -> None:
        """Put the values of a state in their places."""
        leaves, structure = _flat(state)
        if structure != self._tree:
            raise ArgumentError(
                message(
                    "OptaxOptimizer",
                    "a transformation must keep the structure of its state",
                    f"{structure} after {self._tree}"[:500],
                )
            )
        for variable, (_, leaf) in zip(self.variables, leaves, strict=True):
            values[id(variable)] = jnp.asarray(_plain(leaf)).astype(variable.own_dtype)

    def hyperparameter(self, name: str) -> Variable | None:
        """The variable of one of the values that `optax.inject_hyperparams` keeps."""
        for path, variable in zip(self._paths, self.variables, strict=True):
            words = [_word(key) for key in path]
            if words[-2:] == ["hyperparams", name]:
                return variable
        return None

    def is_scheduled(self, name: str) -> bool:
        """Whether a schedule sets that value at every step."""
        return any(
            {"hyperparams_states", name} <= {_word(key) for key in path} for path in self._paths
        )


def _flat(state: Any) -> tuple[list[tuple[tuple[Any, ...], Any]], Any]:
    """(path, leaf) of all leaves, and the structure around them."""
    return cast("Any", jax.tree_util).tree_flatten_with_path(state)


def _made(given: Any) -> Any:
    """The transformation itself, of what stands for it."""
    made = given if is_transformation(given) else given()
    if not is_transformation(made):
        rule = "the function must give a transformation of optax"
        raise ArgumentError(message("OptaxOptimizer", rule, repr(made)[:100]))
    gathering = getattr(made, "gradient_transformation", None)  # of MultiSteps
    return made if gathering is None else gathering()


def _is_registered(function: Any) -> TypeGuard[Callable[[], Any]]:
    if not callable(function) or is_transformation(function) or not hasattr(function, "__name__"):
        return False
    return get_registered_object(get_registered_name(function)) is function


def _word(key: Any) -> str:
    return str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key))))


def _name(path: tuple[Any, ...]) -> str:
    return "_".join(_word(key) for key in path).replace("/", "_") or "state"


def _order(path: tuple[Any, ...], places: dict[str, int]) -> list[tuple[int, str]]:
    def place(key: Any) -> tuple[int, str]:
        word = _word(key)
        if word in places:
            return places[word], ""
        return (key.idx, "") if hasattr(key, "idx") else (0, word)

    return [place(key) for key in path]


def _is_random_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_random_key(leaf) else leaf


def _as_key(data: Any) -> jax.Array:
    return cast("Any", jax.random).wrap_key_data(data)


def as_optimizer(value: Any) -> Any:
    """A transformation of optax as an optimizer; anything else as it is."""
    return OptaxOptimizer(value) if is_transformation(value) else value


__all__ = ["OptaxOptimizer", "as_optimizer", "is_transformation"]
