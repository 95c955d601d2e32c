"""What a layer holds: its variables, the layers within it, their metrics and random states.

What nacre notes about a layer is in slots, apart from its attributes: those are what the user sees,
what its parts are found in, and what compiled programs depend on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from nacre.core import changes
from nacre.core.computed import Computed
from nacre.core.context import current
from nacre.core.errors import ArgumentError, NotBuiltError, message
from nacre.core.random import SeedGenerator
from nacre.core.variable import Variable, note_trainable_change
from nacre.core.warning import warn
from nacre.layers.base.inventory import Inventory, inventory_of, is_layer, parts_in, parts_of
from nacre.metrics.metric import Metric
from nacre.ops.operation import Operation

if TYPE_CHECKING:
    from nacre.layers.base.adapting import Adapter
    from nacre.layers.base.layer import Layer


# Slots for what a layer holds; none of them is looked through for parts.
_OF_PARTS = frozenset(("_adapter", "_graph_layers", "_init_arguments", "_own_variables"))
# Properties that can be set, and would make a flag of a layer.
_SETTABLE = frozenset(("built", "dtype_policy", "run_eagerly", "trainable"))
_NAMES = frozenset(("dtype", "name"))  # what tf.keras does not let a script set
# What `Layer.__init__` sets, whatever was set before.
_SET_ANEW = _SETTABLE | {"activity_regularizer", "autocast", "input_spec", "supports_masking"}


class PartHolder(Operation):
    """The part of `Layer` that finds what is in it."""

    __slots__ = (
        "_adapter",
        "_batch_input_shape",
        "_build_shapes",
        "_building",
        "_built",
        "_built_path",
        "_eager_calls",
        "_initial_weights",
        "_inventories",
        "_is_ready",
        "_loss_functions",
        "_losses",
        "_own_variables",
        "_path",
        "_path_of_config",
        "_programs",
        "_remat",
        "_trainable",
        "_warned_random",
        "_warned_untracked",
        "_when_built",
        "_when_given",
    )

    _adapter: Adapter | None
    _inventories: list[Inventory]
    _own_variables: list[Variable]
    _path: str
    _trainable: bool

    def _init_slots(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Fill the slots of a new layer, before its constructor runs."""
        object.__setattr__(self, "_is_ready", False)  # until the constructor of `Layer` has run
        super()._init_slots(args, kwargs)
        self._adapter = None
        self._batch_input_shape: tuple[int | None, ...] | None = None
        self._build_shapes: dict[str, Any] | None = None
        self._building = False  # `build` may say `built` before the variables are there
        self._built = False
        self._built_path: str | None = None
        self._eager_calls = 0  # as a part of another layer
        self._initial_weights: list[Any] | None = None
        self._inventories = []
        self._losses: list[Any] = []
        self._loss_functions: list[Callable[[], Any]] = []
        self._own_variables = []
        self._programs: Any = None
        self._path = ""
        self._path_of_config: str | None = None  # see `Buildable.build_apart`
        self._remat: Any = current().remat  # the `RematScope` it is made in
        self._trainable = True
        self._warned_untracked = False
        self._warned_random = False
        self._when_built: Callable[[], object] | None = None  # once, such as to take stored values
        self._when_given: Callable[[str, Any], object] | None = None  # what its call makes, too

    def _who(self) -> str:
        return f"{type(self).__name__} '{self._path if '/' in self._path else self.name}'"

    if not TYPE_CHECKING:

        @Computed
        def name(self) -> str:
            """What is read where the constructor has not set it."""
            rule = "super().__init__() must be called in its __init__"
            fix = "Begin __init__ with super().__init__(**kwargs)."
            raise NotBuiltError(message(type(self).__name__, rule, "one that does not", fix))

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._is_ready and self._is_set_anew(name):
            return
        is_ours = name in changes.bookkeeping(type(self)) or name in _SETTABLE
        if is_ours and name not in _OF_PARTS and next(parts_in(value), None) is not None:
            raise changes.reserved_name_error(self, name, value)
        if name == "name" and not isinstance(value, str):
            raise ArgumentError(
                message(type(self).__name__, "name must be a string", f"{value!r:.60}")
            )
        if name.endswith(("_regularizer", "_constraint")):
            self._sync_weight_attribute(name, vars(self).get(name), value)
        if self._is_ready and name in vars(self):
            self._warn_of_fixed(name, value)
        super().__setattr__(name, value)
        if not is_ours and self._is_ready and self._when_given is not None:
            self._when_given(name, value)

    # Arguments that decide, when the layer is made or its weights are, and change nothing later.
    # Subclasses add theirs.
    arguments_of_making: ClassVar[tuple[str, ...]] = ()
    arguments_of_weights: ClassVar[tuple[str, ...]] = ()

    def _warn_of_fixed(self, name: str, value: Any) -> None:
        """Warn of an argument that is set where it changes nothing any more."""
        is_of_weights = name in self.arguments_of_weights and self._built and not self._building
        if not is_of_weights and name not in self.arguments_of_making:
            return
        before = vars(self)[name]
        if before is value or (type(before) is type(value) and repr(before) == repr(value)):
            return
        when = "its weights are made" if is_of_weights else "the layer is made"
        made = f"layers.{type(self).__name__}({name}={value!r:.60}, ...)"
        rule = f"{name} decides when {when}, and changes nothing later"
        warn(message(self._who(), rule, f"{value!r:.60}", f"Make another layer, {made}."))

    def _is_set_anew(self, name: str) -> bool:
        """Whether `Layer.__init__`, which comes later, sets it whatever it is now, as in tf.keras.

        Everything else may be set before it, layers and variables too.
        """
        if name in _NAMES or name in _SET_ANEW:
            text = message(
                type(self).__name__,
                f"what super().__init__() sets must be set after it: {name} is set anew by it",
                f"an assignment to self.{name} before it",
                "Begin __init__ with super().__init__(**kwargs).",
            )
            if name in _NAMES:
                raise NotBuiltError(text)
            warn(text)
        return name in _SET_ANEW

    def _sync_weight_attribute(self, name: str, before: Any, value: Any) -> None:
        """A penalty or a constraint that is set after the weights were made holds for them too."""
        weight, _, kind = name.rpartition("_")
        for variable in self._own_variables:
            was_given = before is not None and getattr(variable, kind) is before
            if was_given or variable.name in (weight, f"{weight}_kernel"):
                setattr(variable, kind, value)

    def __delattr__(self, name: str) -> None:
        value = vars(self).get(name)
        if isinstance(value, Variable):
            self._own_variables = [v for v in self._own_variables if v is not value]
        super().__delattr__(name)

    def _structure(self) -> tuple[Any, ...]:
        """What of the bookkeeping programs depend on."""
        functions = [f for v in self._own_variables for f in (v.regularizer, v.constraint)]
        return (self._adapter, *self._own_variables, *functions, *self._loss_functions)

    def _other_parts(self) -> list[Any]:
        return self._direct_layers()

    def _graph_is_own(self) -> bool:
        """Whether no op in a model's graph runs a function of the user's."""
        return True

    def _direct_variables(self) -> list[Variable]:
        """Variables that belong to this layer itself: those made trainable first, in their order.

        What is frozen or set free later stays where it is, so that arrays in files and lists do not
        change places.
        """
        found = {id(v): v for v in self._own_variables}
        found |= {id(p): p for p in parts_of(self) if isinstance(p, Variable)}
        return sorted(found.values(), key=lambda v: not v.made_trainable)

    def _direct_layers(self) -> list[Layer]:
        return [part for part in parts_of(self) if is_layer(part)]

    def _inventory(self: Any) -> Inventory:
        return inventory_of(self)

    def _flatten_layers(
        self: Any, include_self: bool = True, recursive: bool = True
    ) -> list[Layer]:
        """This layer and those within it, depth first, each once."""
        if not recursive:
            direct = self._direct_layers()
            return [self, *direct] if include_self else direct
        found = list(inventory_of(self).layers)
        return found if include_self else found[1:]

    @property
    def weights(self) -> list[Variable]:
        """All variables but those of metrics and seed generators, Keras's order."""
        return list(self._inventory().lists().weights)

    @property
    def variables(self) -> list[Variable]:
        """All variables, seed generators' included, metrics' not."""
        return list(self._inventory().lists().variables)

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables the optimizer changes.

        Variables of integers are not among them, whatever their `trainable` says, as they have no
        gradient (Keras lists them, and fails in `fit` on JAX).
        """
        return list(self._inventory().lists().trainable)

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables the optimizer leaves alone."""
        return list(self._inventory().lists().non_trainable)

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """`weights` that are not trainable."""
        return list(self._inventory().lists().non_trainable_weights)

    @property
    def metrics(self) -> list[Metric]:
        """Metrics set as attributes here or in layers within."""
        return list(self._inventory().metrics)

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [v for metric in self.metrics for v in metric.variables]

    def _seed_states(self) -> list[Variable]:
        return [p.state for p in parts_of(self) if isinstance(p, SeedGenerator)]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes this layer's variables; setting it reaches all within.

        It is read when `fit` begins. Where an optimizer has trained already, call `compile` again
        after changing it (see `Model.compile`); else `fit` is refused. What a `train_step` sets
        holds within that step. A frozen BatchNormalization normalizes by its moving statistics and
        leaves them as they are.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
        note_trainable_change()
