"""The base class of all layers.

A layer holds variables, makes them when it first sees a shape (`build`), and maps tensors to
tensors (`call`). Everything else (dtypes, masks, the training flag, names, configs, tracking) is
done around `call`, once, here.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax

from nacre import constraints, initializers, regularizers
from nacre.core import scope, tree
from nacre.core.dtypes import ALLOWED_DTYPES
from nacre.core.errors import (
    ArgumentError,
    NacreError,
    NotBuiltError,
    WeightsMismatchError,
    message,
)
from nacre.core.interop import is_tracing
from nacre.core.names import auto_name, current_path, name_scope
from nacre.core.policies import DTypePolicy, DTypePolicyMap, get_policy
from nacre.core.random import SeedGenerator
from nacre.core.registry import (
    CustomObjectScope,
    deserialize_keras_object,
    is_builtin,
    serialize_keras_object,
)
from nacre.core.strings import is_text, strings_refused
from nacre.core.symbolic import KerasTensor, Node, any_symbolic, infer
from nacre.core.traceback import boundary
from nacre.core.variable import Variable, standardize_shape
from nacre.layers.base import adapting, calling, configuring, tracking
from nacre.layers.base.input_spec import InputSpec, check_inputs
from nacre.metrics.metric import Metric

_OLD_ORDER = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")


def _either_order(add_weight: Callable[..., Variable]) -> Callable[..., Variable]:
    """Let `add_weight` be called in tf.keras 2's order, which begins with the name."""

    @functools.wraps(add_weight)
    def adapted(self: Layer, *args: Any, **kwargs: Any) -> Variable:
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


class Layer:
    """A part of a model: variables, and a function of tensors that uses them.

    Subclass it, make variables in `build(input_shape)` with `add_weight`, compute in
    `call(inputs)`. A `call` that takes `training` gets the flag in force; one that takes `mask`
    gets the mask of its first argument.

    Args:
        activity_regularizer: Penalty on the outputs.
        trainable: Whether the optimizer changes the variables.
        dtype: Dtype or policy name.
        autocast: Whether float inputs are cast to the compute dtype.
        name: Name; automatic by default.
        input_shape, batch_input_shape, input_dim, batch_size: tf.keras 2 spellings, used by
            `Sequential` for its first layer.

    Example:
        >>> import nacre
        >>> class Scale(nacre.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> Scale()(nacre.ops.ones((2, 3))).shape
        (2, 3)
    """

    _is_layer = True
    _config_module = "keras.layers"
    _config_class_name = "Layer"
    _takes_strings = False  # built-in layers say so; layers of users are not asked

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _wrapped_build(cls.build)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Layer:
        instance = object.__new__(cls)
        object.__setattr__(instance, "_init_arguments", (args, kwargs))
        return instance

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        object.__setattr__(self, "_ready", True)
        self.name = name if name is not None else auto_name(type(self).__name__)
        if not isinstance(self.name, str):
            raise ArgumentError(
                message(type(self).__name__, "name must be a string", repr(self.name))
            )
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy: DTypePolicy = get_policy(dtype)
        self.autocast = autocast
        self.built = False
        self.supports_masking = False
        self.input_spec: Any = None
        self._trainable = bool(trainable)
        self._own_variables: list[Variable] = []
        self._losses: list[Any] = []
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []
        self._build_shapes: dict[str, Any] | None = None
        self._path = self.name
        self._built_path: str | None = None
        self._adapter: adapting.Adapter | None = None
        self._batch_input_shape = self._pop_input_shape(kwargs)
        self._initial_weights = kwargs.pop("weights", None)
        kwargs.pop("dynamic", None)
        if kwargs:
            accepted = list(configuring.constructor_names(type(self)))
            accepted += [n for n in configuring.BASE_KEYS if n not in accepted]
            raise ArgumentError(
                message(
                    f"{type(self).__name__} '{self.name}'",
                    f"arguments must be among {', '.join(accepted)}",
                    ", ".join(f"{k}={v!r}" for k, v in kwargs.items()),
                )
            )

    def _pop_input_shape(self, kwargs: dict[str, Any]) -> tuple[int | None, ...] | None:
        batch_size = kwargs.pop("batch_size", None)
        full = kwargs.pop("batch_input_shape", None)
        shape = kwargs.pop("input_shape", None)
        dim = kwargs.pop("input_dim", None)
        length = kwargs.pop("input_length", None)
        if full is not None:
            return standardize_shape(full)
        if shape is not None:
            return (batch_size, *standardize_shape(shape))
        if dim is not None:
            return (batch_size, dim) if length is None else (batch_size, length, dim)
        return None

    # ---------------------------------------------------------------- attributes and parts

    def __setattr__(self, name: str, value: Any) -> None:
        if "_ready" not in self.__dict__:
            raise NotBuiltError(
                message(
                    type(self).__name__,
                    "super().__init__() must be called before attributes are set",
                    f"an assignment to self.{name}",
                    "Begin __init__ with super().__init__(**kwargs).",
                )
            )
        # Constructors store what they were given; a part is anything that holds variables.
        if tracking.is_part(value) or name in ("_trainable",):
            tracking.note_change()
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        tracking.note_change()
        value = self.__dict__.get(name)
        if isinstance(value, Variable) and "_own_variables" in self.__dict__:
            self._own_variables = [v for v in self._own_variables if v is not value]
        object.__delattr__(self, name)

    def _direct_variables(self) -> list[Variable]:
        """Variables that belong to this layer itself: trainable first, each group in order."""
        found = list(self._own_variables)
        known = {id(v) for v in found}
        for _, part in tracking.parts_of(self):
            if isinstance(part, Variable) and id(part) not in known:
                known.add(id(part))
                found.append(part)
        return [v for v in found if v.trainable] + [v for v in found if not v.trainable]

    def _direct_layers(self) -> list[Layer]:
        return [part for _, part in tracking.parts_of(self) if isinstance(part, Layer)]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        """This layer and those within it, depth first, each once."""
        seen: set[int] = set()
        found: list[Layer] = []

        def visit(layer: Layer, add: bool) -> None:
            if id(layer) in seen:
                return
            seen.add(id(layer))
            if add:
                found.append(layer)
            if recursive or layer is self:
                for child in layer._direct_layers():
                    visit(child, True)

        visit(self, include_self)
        return found

    def _collect(self, own: Callable[[Layer], list[Any]]) -> list[Any]:
        seen: set[int] = set()
        found = []
        for layer in self._flatten_layers():
            for item in own(layer):
                if id(item) not in seen:
                    seen.add(id(item))
                    found.append(item)
        return found

    @property
    def weights(self) -> list[Variable]:
        """All variables but those of metrics and seed generators, Keras's order."""
        return self._collect(lambda layer: layer._direct_variables())

    @property
    def variables(self) -> list[Variable]:
        """All variables, seed generators' included, metrics' not."""
        return self._collect(lambda layer: layer._direct_variables() + layer._seed_states())

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables the optimizer changes."""
        found: list[Variable] = []
        seen: set[int] = set()

        def visit(layer: Layer) -> None:
            if id(layer) in seen or not layer.trainable:
                return  # a frozen layer freezes all within it
            seen.add(id(layer))
            for variable in layer._direct_variables():
                if variable.trainable and id(variable) not in seen:
                    seen.add(id(variable))
                    found.append(variable)
            for child in layer._direct_layers():
                visit(child)

        visit(self)
        return found

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables the optimizer leaves alone."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """`weights` that are not trainable."""
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def metrics(self) -> list[Metric]:
        """Metrics set as attributes here or in layers within."""
        return self._collect(
            lambda layer: [p for _, p in tracking.parts_of(layer) if isinstance(p, Metric)]
        )

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [v for metric in self.metrics for v in metric.variables]

    def _seed_states(self) -> list[Variable]:
        return [p.state for _, p in tracking.parts_of(self) if isinstance(p, SeedGenerator)]

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes this layer's variables; setting it reaches all within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)

    @property
    def path(self) -> str:
        """Names from the outermost layer to this one, joined by '/'."""
        return self._path

    @property
    def _policy(self) -> DTypePolicy:
        """The policy of this layer: of a map, the one for its path."""
        if isinstance(self.dtype_policy, DTypePolicyMap):
            return self.dtype_policy[self._built_path or self._path]
        return self.dtype_policy

    @property
    def dtype(self) -> str:
        """Dtype of the variables."""
        return self._policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """Dtype of the variables."""
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """Dtype of the computation."""
        return self._policy.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How the layer is quantized: 'int8', 'int4', 'float8', or None."""
        return self._policy.quantization_mode

    def quantize(
        self, mode: str | None = None, type_check: bool = True, config: Any = None
    ) -> None:
        """Keep the weights as 8-bit or 4-bit numbers from now on.

        Args:
            mode: 'int8', 'int4', or 'float8' (training with 8-bit floats).
            type_check: Whether a class derived from a built-in one is refused, as its own `call`
                would be passed over.
            config: Settings, such as `nacre.quantizers.Int4QuantizationConfig(block_size=64)`.

        Raises:
            UnsupportedError: The layer has no such form.
            NotBuiltError: The layer has no weights yet.
            ArgumentError: An unknown mode, or a layer that is quantized already.
        """
        adapting.quantize(self, mode, type_check, config)

    @property
    def input_dtype(self) -> str:
        """Dtype float inputs are cast to."""
        return self.compute_dtype

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
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set `weights` from arrays in the order `get_weights` gives.

        Raises:
            WeightsMismatchError: Numbers or shapes differ; all differences are listed.
        """
        check_weights(self._who(), self.weights, weights)
        for variable, value in zip(self.weights, weights, strict=True):
            variable.assign(value)

    # ---------------------------------------------------------------- variables and losses

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
        **kwargs: Any,
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
        kwargs.pop("synchronization", None)
        kwargs.pop("use_resource", None)
        if kwargs:
            raise ArgumentError(
                message(f"{self._who()}.add_weight", "arguments must be known", ", ".join(kwargs))
            )
        dtype = self.variable_dtype if dtype is None else get_policy(dtype).variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        # A weight made after `build`, outside any scope, still lies under the layer's whole path.
        scope = self.name if current_path() else self._built_path or self.name
        with name_scope(scope) if not _inside(self) else _nothing():
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
        tracking.note_change()
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

    def add_loss(self, loss: Any) -> None:
        """Add a scalar (or several) to the loss that training minimises. Call it within `call`."""
        for item in tree.flatten(loss):
            value = item() if callable(item) and not calling.is_tensor(item) else item
            current = scope.get_stateless_scope()
            if current is None:
                self._losses.append(value)
            elif current.collect_losses:
                current.add_loss(value)

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """Gone since Keras 3; says what to write instead."""
        raise ArgumentError(
            message(
                f"{self._who()}.add_metric",
                "metrics must be attributes",
                "a call of add_metric",
                "Set self.my_metric = nacre.metrics.Mean() in __init__ and update it in call().",
            )
        )

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` collected in the last call, and the penalties of regularizers."""
        current = scope.get_stateless_scope()
        found = list(current.losses) if current is not None and current.collect_losses else []
        if current is None:
            found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return found + self._regularization_losses()

    def _regularization_losses(self) -> list[Any]:
        return [
            v.regularizer(v.value) for v in self.trainable_variables if v.regularizer is not None
        ]

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    # ---------------------------------------------------------------- building

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Make the variables. Subclasses override it.

        A layer made of layers needs no `build` of its own: given a shape, the base builds what is
        inside by finding the output's shape.
        """
        shape = args[0] if args else kwargs.get("input_shape")
        is_own = type(self).build is not Layer.build
        self.built = True
        if shape is None or is_own or all(part.built for part in self._flatten_layers(False)):
            return
        infer(self, _tensors_for(shape, self.input_dtype))

    def _maybe_build(self, named: dict[str, Any]) -> None:
        if self.built:
            return
        shapes = {
            name: calling.shapes_of(value)
            for name, value in named.items()
            if any(hasattr(leaf, "shape") for leaf in tree.flatten(value))
        }
        shapes = {k: tuple(v) if _is_flat_shape(v) else v for k, v in shapes.items()}
        names = calling.parameter_names(type(self).build)
        overridden = type(self).build is not Layer.build
        if (
            overridden
            and any(f"{name}_shape" in names for name in shapes)
            and (len(names) > 1 or names[0] != "input_shape")
        ):
            self.build(**{f"{n}_shape": s for n, s in shapes.items() if f"{n}_shape" in names})
        elif shapes and overridden:
            self.build(next(iter(shapes.values())))
        else:
            self.build(None)
        if self._build_shapes is None and shapes:
            self._build_shapes = {"input_shape": next(iter(shapes.values()))}
        self._after_build()

    def _after_build(self) -> None:
        self.built = True
        if self._initial_weights is not None:
            values, self._initial_weights = self._initial_weights, None
            self.set_weights(values)

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build` was called with, so that a reader can build without data."""
        shapes = self._build_shapes
        if shapes is None or len(shapes) > 1:
            return None if shapes is None else {"shapes_dict": shapes}
        return {"input_shape": next(iter(shapes.values()), None)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with what `get_build_config` gave."""
        if not config or self.built:
            return
        shapes = {key: _shape_from_config(value) for key, value in config.items()}
        if set(shapes) == {"input_shape"}:
            if shapes["input_shape"] is not None:
                self.build(shapes["input_shape"])
                self._after_build()
        elif "shapes_dict" in shapes:
            if shapes["shapes_dict"]:
                self.build(**shapes["shapes_dict"])
                self._after_build()
        else:
            self.build(**shapes)
            self._after_build()

    # ---------------------------------------------------------------- calling

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. Subclasses override it."""
        raise NotImplementedError(
            message(
                self._who(),
                "a layer that is called must have a call() method",
                f"class {type(self).__name__} without one",
                "Define `def call(self, inputs):` in the class.",
            )
        )

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer to arrays, or describe it with symbolic tensors."""
        if "_ready" not in self.__dict__:
            self.name = None  # raises the message about super().__init__()
        if any_symbolic(args, kwargs):
            return self._call_symbolic(args, kwargs)
        if scope.call_context() is None:
            training = kwargs.get("training")
            if scope.get_stateless_scope() is None:
                self._clear_losses()
            with scope.entered_call(scope.CallContext(self, training)):
                return self._call_arrays(args, kwargs)
        recorder = scope.call_context().recorder
        if recorder is not None:
            return recorder.layer_called(self, args, kwargs)
        return self._call_arrays(args, kwargs)

    def _prepare(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any], bool | None]:
        """Arguments converted and filled, the tensor arguments by name, the training flag."""
        signature = calling.signature_of(type(self).call)
        dtype = calling.float_dtype(self.compute_dtype) if self.autocast else None

        def convert(leaf: Any) -> Any:
            tensor = calling.to_tensor(leaf, dtype)
            if not isinstance(tensor, jax.Array) and is_text(tensor):
                self._check_takes_strings(tensor)
            if tensor is not leaf:
                mask = scope.get_mask(leaf)
                if mask is not None:
                    scope.set_mask(tensor, mask)
            return tensor

        if args and isinstance(args[0], list):
            args = (calling.numbers_as_array(args[0]), *args[1:])
        args = tuple(tree.map_structure(convert, a) for a in args)
        kwargs = {k: tree.map_structure(convert, v) for k, v in kwargs.items()}
        named = signature.named(args, kwargs)
        tensors = {
            name: value
            for name, value in named.items()
            if name not in ("training", "mask")
            and not name.endswith("_mask")
            and any(calling.is_tensor(leaf) for leaf in tree.flatten(value))
        }
        training = self._fill_training(signature, named, kwargs)
        self._fill_masks(signature, named, tensors, kwargs)
        return args, kwargs, tensors, training

    def _check_takes_strings(self, tensor: Any) -> None:
        if not self._takes_strings and is_builtin(type(self)) and not isinstance(tensor, str):
            raise strings_refused(self._who(), f"strings of shape {tuple(tensor.shape)}")

    def _fill_training(
        self, signature: calling.CallSignature, named: dict[str, Any], kwargs: dict[str, Any]
    ) -> bool | None:
        """Put the training flag into the arguments; returns the one for the layers within."""
        context = scope.call_context()
        given = named.get("training")
        if given is None and context is not None:
            given = context.training
        if given is None:
            given = signature.defaults.get("training")
        if signature.takes_training:
            if "training" in kwargs or "training" not in named:
                kwargs["training"] = given
        elif not signature.has_kwargs:
            kwargs.pop("training", None)
        return given

    def _fill_masks(
        self,
        signature: calling.CallSignature,
        named: dict[str, Any],
        tensors: dict[str, Any],
        kwargs: dict[str, Any],
    ) -> None:
        for name, mask_name in signature.mask_names.items():
            if named.get(mask_name) is None and name in tensors:
                mask = masks_of(tensors[name])
                if mask is not None:
                    kwargs[mask_name] = mask
        first = signature.first
        by_position = "mask" in named and "mask" not in kwargs
        if signature.takes_mask and kwargs.get("mask") is None and first in tensors:
            mask = masks_of(tensors[first])
            if mask is not None and not by_position:
                kwargs["mask"] = mask

    def _call_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        context = scope.call_context()
        args, kwargs, tensors, training = self._prepare(args, kwargs)
        first = next(iter(tensors.values()), None)
        check_inputs(self.input_spec, first, self._who()) if first is not None else None
        training_before, carries_before = context.training, context.carries
        context.training = training
        context.carries = self._carries_masks()
        context.path.append(self.name)
        if not self.built or self._path == self.name:
            self._path = "/".join(context.path)
        try:
            with name_scope(self.name):
                if not self.built:
                    self._maybe_build(tensors)
                    self._warn_if_loose(context.entry)
                check_inputs(self.input_spec, first, self._who()) if first is not None else None
                dtype = calling.float_dtype(self.compute_dtype)
                policy_cast = dtype if self.autocast and dtype != self.variable_dtype else None
                with scope.autocast(policy_cast):
                    outputs = self.call(*args, **kwargs)
        except Exception as error:
            self._explain(error, tensors)
            raise
        finally:
            context.path.pop()
            context.training, context.carries = training_before, carries_before
        context.carries = False  # masks are computed by ops too
        self._send_masks(first, outputs, kwargs)
        context.carries = carries_before
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                if calling.is_tensor(output):
                    # A mean over the batch, as in Keras: the penalty must not grow with it.
                    rows = output.shape[0] if output.ndim else 1
                    self.add_loss(self.activity_regularizer(output) / rows)
        return outputs

    def _warn_if_loose(self, outermost: Any) -> None:
        """Warn when variables were just made that the layer being called will never find."""
        if outermost is self or not self._own_variables or not isinstance(outermost, Layer):
            return
        if any(layer is self for layer in outermost._flatten_layers()):
            return
        if getattr(outermost, "_warned_loose", False):
            return
        object.__setattr__(outermost, "_warned_loose", True)
        warnings.warn(
            message(
                self._who(),
                f"its weights are neither trained nor saved with '{outermost.name}', "
                "which does not hold this layer",
                "a layer that was made inside call(), or is kept outside",
                f"Make it in __init__ or build: self.{self.name} = {type(self).__name__}(...).",
            ),
            stacklevel=2,
        )

    def _explain(self, error: Exception, tensors: dict[str, Any]) -> None:
        """Say in which layer an error came up, once."""
        if isinstance(error, NacreError) or getattr(error, "_nacre_explained", False):
            return
        shapes = {name: calling.shapes_of(value) for name, value in tensors.items()}
        error.add_note(f"In {self._who()}, called with shapes {shapes}.")
        try:
            error._nacre_explained = True  # type: ignore[attr-defined]
        except AttributeError:
            pass

    def _send_masks(self, inputs: Any, outputs: Any, kwargs: dict[str, Any]) -> None:
        previous = kwargs.get("mask") if calling.signature_of(type(self).call).takes_mask else None
        if previous is None:
            previous = masks_of(inputs) if inputs is not None else None
        overridden = type(self).compute_mask is not Layer.compute_mask
        if not self.supports_masking and not overridden:
            if previous is not None:
                self._warn_mask_lost()
            return
        if overridden and not is_builtin(type(self).compute_mask):
            _forget_carried(outputs)  # what the layer says goes before what its ops did
        if previous is None and not overridden:
            return
        mask = self.compute_mask(inputs, previous)
        if mask is None:
            return
        flat_outputs, flat_masks = tree.flatten(outputs), tree.flatten(mask)
        if len(flat_outputs) == len(flat_masks):
            for output, one in zip(flat_outputs, flat_masks, strict=True):
                if one is not None and calling.is_tensor(output) and scope.get_mask(output) is None:
                    scope.set_mask(output, one)

    def _carries_masks(self) -> bool:
        """Whether ops called in `call` send masks on: in layers of the user's made of layers.

        Built-in layers, and those derived from them, know their masks without.
        """
        return _is_own_design(type(self)) and self._passes_masks_itself()

    def _passes_masks_itself(self) -> bool:
        return calling.signature_of(type(self).call).takes_mask or bool(self._direct_layers())

    def _warn_mask_lost(self) -> None:
        context = scope.call_context()
        if context is not None and context.recorder is not None:
            return  # the table that is being made says it
        if self._passes_masks_itself():
            return
        if not getattr(self, "_warned_mask", False):
            object.__setattr__(self, "_warned_mask", True)
            fix = (
                "Give later layers the mask by hand, layer(x, mask=mask), or reorder the layers; "
                "model.explain_masks() shows the way of all masks."
                if is_builtin(type(self))
                else "Set self.supports_masking = True in __init__ if padded steps do no harm, or "
                "override compute_mask()."
            )
            warnings.warn(
                message(
                    self._who(),
                    "the mask of its input stops here, as this layer does not pass masks on",
                    "an input with a mask",
                    fix,
                ),
                stacklevel=2,
            )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs: by default the mask that came in."""
        return previous_mask

    def _call_symbolic(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = kwargs
        args, kwargs, tensors, _ = self._prepare(args, kwargs)
        first = next(iter(tensors.values()), None)
        check_inputs(self.input_spec, first, self._who()) if first is not None else None
        with name_scope(self.name):
            self._maybe_build(tensors)
        check_inputs(self.input_spec, first, self._who()) if first is not None else None
        try:
            outputs = self.compute_output_spec(*args, **kwargs)
        except Exception as error:
            self._explain(error, tensors)
            raise
        # Masks and the training flag are found anew when the graph runs; only what the user gave
        # belongs to the node.
        kept = {k: kwargs[k] for k in given if k in kwargs}
        Node(self, args, kept, outputs)
        previous = masks_of(first) if first is not None else None
        overridden = type(self).compute_mask is not Layer.compute_mask
        if overridden or (self.supports_masking and previous is not None):
            mask = self.compute_mask(first, previous)
            flat_outputs, flat_masks = tree.flatten(outputs), tree.flatten(mask)
            if mask is not None and len(flat_outputs) == len(flat_masks):
                for output, one in zip(flat_outputs, flat_masks, strict=True):
                    output._keras_mask = one
        elif previous is not None:
            self._warn_mask_lost()
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, found by tracing `call`."""
        if not self.built:
            named = calling.signature_of(type(self).call).named(args, kwargs)
            with name_scope(self.name):
                self._maybe_build({k: v for k, v in named.items() if not k.endswith("mask")})
        custom = type(self).compute_output_shape is not Layer.compute_output_shape
        if custom and not is_builtin(type(self)):
            shapes = calling.shapes_of(args[0] if args else next(iter(kwargs.values())))
            result = self.compute_output_shape(shapes)
            return _tensors_for(result, self.compute_dtype)
        if any(is_text(leaf) for leaf in tree.flatten((args, kwargs)) if hasattr(leaf, "shape")):
            return self.call(*args, **kwargs)  # strings cannot be traced: the layers within tell

        def run(*inner_args: Any, **inner_kwargs: Any) -> Any:
            context = scope.CallContext(self, kwargs.get("training"))
            with scope.entered_call(context), name_scope(self.name):
                context.path.append(self.name)
                dtype = calling.float_dtype(self.compute_dtype)
                cast = dtype if self.autocast and dtype != self.variable_dtype else None
                if self.autocast and dtype is not None:
                    inner_args, inner_kwargs = tree.map_structure(
                        lambda leaf: calling.to_float(leaf, dtype), (inner_args, inner_kwargs)
                    )
                with scope.autocast(cast):
                    return self.call(*inner_args, **inner_kwargs)

        return infer(run, *args, **kwargs)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the outputs for the shape of the inputs; None for unknown sizes."""
        shape = args[0] if args else next(iter(kwargs.values()))
        inputs = _tensors_for(shape, self.compute_dtype)
        with name_scope(self.name):
            self._maybe_build({calling.signature_of(type(self).call).first or "inputs": inputs})
        outputs = self.compute_output_spec(inputs)
        return tree.map_structure(lambda t: t.shape, outputs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Call with symbolic tensors."""
        return self._call_symbolic(args, kwargs)

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Call as a pure function of the variables' values.

        Args:
            trainable_variables: Values for `self.trainable_variables`, in order.
            non_trainable_variables: Values for `self.non_trainable_variables`, in order.
            return_losses: Whether to return the list of `add_loss` and regularization terms too.

        Returns:
            (outputs, new values of the non-trainable variables), and the losses when asked for.
        """
        if not self.built:
            raise NotBuiltError(
                message(
                    f"{self._who()}.stateless_call",
                    "the layer must be built",
                    "an unbuilt layer",
                    "Call it once on data, or build(input_shape).",
                )
            )
        non_trainable = self.non_trainable_variables
        mapping = [
            *zip(self.trainable_variables, trainable_variables, strict=True),
            *zip(non_trainable, non_trainable_variables, strict=True),
        ]
        with scope.StatelessScope(mapping, collect_losses=return_losses) as inner:
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else None
            updated = [inner.get_current_value(v) for v in non_trainable]
        return (outputs, updated, losses) if return_losses else (outputs, updated)

    # ---------------------------------------------------------------- graph views

    @property
    def input(self) -> Any:
        """The symbolic input of the first call."""
        return self._node_view("inputs")

    @property
    def output(self) -> Any:
        """The symbolic output of the first call."""
        return self._node_view("outputs")

    @property
    def input_shape(self) -> Any:
        """The shape of the symbolic input (tf.keras 2 spelling)."""
        return calling.shapes_of(self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of the symbolic output (tf.keras 2 spelling)."""
        return calling.shapes_of(self.output)

    def _node_view(self, side: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                message(
                    self._who(),
                    f"it has no {side} before it was called with a symbolic tensor",
                    "a layer outside any model",
                )
            )
        tensors = getattr(self._inbound_nodes[0], side)
        return tensors[0] if len(tensors) == 1 else tensors

    # ---------------------------------------------------------------- configs

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data.

        Built-in layers keep every argument in the attribute of its name. A class of the user's
        that has no `get_config` gives what its own constructor was called with, whatever the
        constructor made of it.

        Raises:
            SerializationError: An argument has no config, or came through `*args`.
        """
        is_own_config = type(self).get_config is not Layer.get_config
        return configuring.config_of(self, is_own_config)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Layer:
        """Make the layer a config describes; `custom_objects` names classes within it."""
        with CustomObjectScope(custom_objects):
            return configuring.from_config(cls, config)

    def _who(self) -> str:
        return f"{type(self).__name__} '{self._path if '/' in self._path else self.name}'"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # ---------------------------------------------------------------- saving

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

    def __reduce__(self) -> Any:
        classes = {type(layer).__name__: type(layer) for layer in reversed(self._flatten_layers())}
        return _rebuild_layer, (serialize_keras_object(self), self.get_weights(), classes)


def _rebuild_layer(config: dict[str, Any], weights: list[Any], classes: dict[str, type]) -> Layer:
    custom = {name: cls for name, cls in classes.items() if not is_builtin(cls)}
    layer = deserialize_keras_object(config, custom)
    if weights:
        layer.set_weights(weights)
    return layer


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
        shown = "; ".join(wrong[:10]) + (f"; and {len(wrong) - 10} more" if len(wrong) > 10 else "")
        raise WeightsMismatchError(
            message(who, "each array must have its weight's shape", f"{len(wrong)} wrong: {shown}")
        )


@functools.cache
def _is_own_design(cls: type) -> bool:
    """Whether a class of layers derives from no built-in layer but `Layer` itself."""
    return not any(is_builtin(base) and base is not Layer for base in cls.__mro__)


def _forget_carried(outputs: Any) -> None:
    """Take masks that came through ops off some outputs."""
    context = scope.call_context()
    for output in tree.flatten(outputs) if context is not None and context.carried else ():
        if context.carried.pop(id(output), None) is output and calling.is_tensor(output):
            scope.set_mask(output, None)


def masks_of(structure: Any) -> Any:
    """The masks that travel with tensors, in their structure; None when there is none."""
    if calling.is_tensor(structure):
        return scope.get_mask(structure)
    if not tree.is_nested(structure):
        return None
    masks = tree.map_structure(scope.get_mask, structure)
    return masks if any(m is not None for m in tree.flatten(masks)) else None


def _wrapped_build(build: Callable[..., None]) -> Callable[..., None]:
    """`build` within the layer's name scope, remembering its shapes, marking the layer built."""
    if getattr(build, "_nacre_wrapped", False):
        return build

    @functools.wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        if getattr(self, "_building", False):
            build(self, *args, **kwargs)
            return
        names = [n for n in calling.parameter_names(build) if n not in ("args", "kwargs")]
        shapes = {**dict(zip(names, args, strict=False)), **kwargs}
        if self.built and self._own_variables and shapes == self._build_shapes:
            return  # it has its variables: a layer around it may have been made from a config
        object.__setattr__(self, "_building", True)
        already = len(self._own_variables)
        try:
            with name_scope(self.name) if not _inside(self) else _nothing():
                self._built_path = current_path()
                build(self, *args, **kwargs)
                adapting.restore(self)
        except BaseException:
            del self._own_variables[already:]  # a second try must not make them twice
            raise
        finally:
            object.__setattr__(self, "_building", False)
        self._build_shapes = shapes
        self.built = True

    wrapped._nacre_wrapped = True  # type: ignore[attr-defined]
    return wrapped


def _inside(layer: Layer) -> bool:
    """Whether the innermost name scope is already the layer's."""
    return current_path().split("/")[-1] == layer.name


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *args: object) -> None: ...


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and not callable(value)


def _is_flat_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(n is None or isinstance(n, int) for n in value)


def _shape_from_config(value: Any) -> Any:
    """Shapes written as lists become tuples again."""
    if isinstance(value, list):
        if all(n is None or isinstance(n, int) for n in value):
            return tuple(value)
        return [_shape_from_config(v) for v in value]
    if isinstance(value, dict):
        return {k: _shape_from_config(v) for k, v in value.items()}
    return value


def _tensors_for(shape: Any, dtype: str) -> Any:
    """Symbolic tensors for a shape or a structure of shapes."""
    if isinstance(shape, list | tuple):
        if all(n is None or isinstance(n, int) for n in shape):
            return KerasTensor(tuple(shape), dtype)
        return type(shape)(_tensors_for(s, dtype) for s in shape)
    if isinstance(shape, dict):
        return {k: _tensors_for(s, dtype) for k, s in shape.items()}
    if isinstance(shape, KerasTensor):
        return shape
    return KerasTensor(shape, dtype)


__all__ = ["InputSpec", "Layer", "check_weights", "is_tracing", "masks_of"]
