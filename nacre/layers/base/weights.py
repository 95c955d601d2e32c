"""The variables of a layer itself: made, counted, read, set, saved and loaded."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypedDict, Unpack, overload

from nacre import constraints, initializers, regularizers
from nacre.core import changes
from nacre.core.dtypes import ALLOWED_DTYPES
from nacre.core.errors import (
    NotBuiltError,
    WeightsMismatchError,
    listed,
    message,
    refuse_unknown,
)
from nacre.core.names import current_path, name_scope
from nacre.core.policies import get_policy
from nacre.core.state import standing_still
from nacre.core.variable import Variable
from nacre.layers.base.holding import PartHolder

_OLD_ORDER = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


def _either_order(add_weight: Callable[..., Variable]) -> Callable[..., Variable]:
    """Let `add_weight` be called in tf.keras 2's order, which begins with the name."""

    @functools.wraps(add_weight)
    def adapted(self: WeightHolder, *args: Any, **kwargs: Any) -> Variable:
        if args and isinstance(args[0], str):
            order = _OLD_ORDER
            if len(args) > 2 and _is_initializer(args[2]):
                order = ("name", "shape", "initializer", "dtype", *_OLD_ORDER[4:])
            kwargs = {**dict(zip(order, args, strict=False)), **kwargs}
            args = ()
        return add_weight(self, *args, **kwargs)

    return adapted


def _is_initializer(value: Any) -> bool:
    """Whether a third positional argument is an initializer, not a dtype."""
    if isinstance(value, str):
        return value not in ALLOWED_DTYPES
    return callable(value) and not isinstance(value, type)


class OldWeightKeywords(TypedDict, total=False):
    """What tf.keras 2 takes in `add_weight` and has no meaning here."""

    synchronization: Any
    use_resource: Any


class OldOrderKeywords(OldWeightKeywords, total=False):
    """What follows the name in tf.keras 2's order."""

    shape: Any
    dtype: Any
    initializer: Any
    regularizer: Any
    trainable: bool
    constraint: Any
    autocast: bool
    aggregation: str


class WeightHolder(PartHolder):
    """The part of `Layer` that makes variables and moves their values."""

    built: bool
    variable_dtype: str

    @overload
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
        **kwargs: Unpack[OldWeightKeywords],
    ) -> Variable: ...
    @overload
    def add_weight(
        self, name: str, /, *args: Any, **kwargs: Unpack[OldOrderKeywords]
    ) -> Variable: ...
    @_either_order
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
        **kwargs: Unpack[OldWeightKeywords],
    ) -> Variable:
        """Make a variable of this layer.

        Args:
            shape: Its shape; `()` by default.
            initializer: Name, object or function; by default glorot_uniform for floats, zeros else.
            dtype: By default the layer's variable dtype.
            trainable: Whether the optimizer changes it.
            autocast: Whether it is read in the compute dtype.
            regularizer: Penalty added to the loss.
            constraint: Applied after each update.
            aggregation: See `Variable`.
            overwrite_with_gradient: The optimizer assigns its gradient instead of a step.
            name: Last part of its path.

        tf.keras 2's order `add_weight(name, shape, dtype, initializer, ...)` is understood too.
        """
        unknown = {k: v for k, v in kwargs.items() if k not in OldWeightKeywords.__annotations__}
        refuse_unknown(f"{self._who()}.add_weight", unknown, WeightHolder.add_weight)
        dtype = self.variable_dtype if dtype is None else get_policy(dtype).variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        # A weight made after `build`, outside any scope, still lies under the layer's whole path.
        with own_scope(self, self.name if current_path() else self._built_path or self.name):
            variable = Variable(
                initializers.get(initializer) if not _is_array(initializer) else initializer,
                shape=() if shape is None else shape,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._own_variables.append(variable)
        changes.note_change()
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight` under Keras's other name."""
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    def count_params(self) -> int:
        """The number of numbers in `weights`.

        Raises:
            NotBuiltError: The layer has no variables yet.
        """
        if not self.built:
            raise NotBuiltError(
                message(
                    self._who(),
                    "it must be built before its parameters can be counted",
                    "a layer without a shape",
                    f"Call {self.name}.build(input_shape), or use it in a model first.",
                )
            )
        return sum(v.size for v in self.weights)

    def get_weights(self) -> list[Any]:
        """Copies of `weights` as NumPy arrays."""
        weights = self.weights
        with standing_still(weights):
            return [v.numpy() for v in weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set `weights` from arrays in the order `get_weights` gives.

        Raises:
            WeightsMismatchError: Numbers or shapes differ; all differences are listed.
        """
        check_weights(self._who(), self.weights, weights)
        with standing_still(self.weights):
            for variable, value in zip(self.weights, weights, strict=True):
                variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Put this layer's own variables (not those of layers within) into a dict-like store."""
        adapter = self._adapter
        plain = [] if adapter else [v.numpy() for v in self._direct_variables()]
        for index, value in enumerate(adapter.saved_values() if adapter else plain):
            store[str(index)] = value

    def _saved_variables(self) -> list[Variable]:
        """This layer's own variables in the order files keep them."""
        return self._adapter.saved_variables() if self._adapter else self._direct_variables()

    def load_own_variables(self, store: Any) -> None:
        """Set this layer's own variables from a dict-like store.

        Raises:
            WeightsMismatchError: Numbers or shapes differ.
        """
        variables = self._saved_variables()
        keys = [k for k in store.keys()]
        if not keys and variables and not self.built:
            raise NotBuiltError(message(self._who(), "it must be built before weights are loaded"))
        values = [store[str(i)] for i in range(len(keys)) if str(i) in store]
        check_weights(self._who(), variables, values)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        if self._adapter is not None:
            self._adapter.after_loading()


def check_weights(who: str, variables: list[Variable], values: list[Any]) -> None:
    """Raise WeightsMismatchError with every difference between variables and arrays."""
    if len(variables) != len(values):
        raise WeightsMismatchError(
            message(
                who,
                f"it has {len(variables)} weights, so {len(variables)} arrays must be given",
                f"{len(values)} arrays",
                "Compare with [w.shape for w in layer.weights].",
            )
        )
    wrong = [
        f"{v.path} {v.shape} <- {tuple(getattr(a, 'shape', ()))}"
        for v, a in zip(variables, values, strict=True)
        if tuple(getattr(a, "shape", ())) != v.shape
    ]
    if wrong:
        shown = listed(wrong, separator="; ")
        raise WeightsMismatchError(
            message(who, "each array must have its weight's shape", f"{len(wrong)} wrong: {shown}")
        )


def own_scope(layer: WeightHolder, name: str) -> AbstractContextManager[Any]:
    """The name scope `name`; none where the innermost one is the layer's already."""
    return nullcontext() if current_path().split("/")[-1] == layer.name else name_scope(name)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not callable(value)
