"""The base class of all layers.

A layer holds variables, makes them when it first sees a shape (`build`), and maps tensors to
tensors (`call`). Everything else (dtypes, masks, the training flag, names, configs, tracking) is
done around `call`, once. This file has the constructor, the call and the config; what a layer
holds, how it is built, what it does with masks, losses and symbolic tensors is in the bases, each
in the file of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar, cast, overload

import jax

from nacre import regularizers
from nacre.core import identity, scope, tree
from nacre.core.context import changed, within_layer
from nacre.core.errors import (
    NotBuiltError,
    message,
    printable,
    refuse_unknown,
)
from nacre.core.held import Held
from nacre.core.indices import refuse_outside
from nacre.core.keywords import any_arguments
from nacre.core.lambdas import is_lambda
from nacre.core.names import auto_name, name_scope
from nacre.core.policies import DTypePolicy, DTypePolicyMap, get_policy
from nacre.core.registry import (
    CustomObjectScope,
    deserialize_keras_object,
    plain_config,
)
from nacre.core.safety import reads_config
from nacre.core.symbolic import KerasTensor, any_symbolic
from nacre.core.tensors import Tensor, TensorLike
from nacre.core.traceback import boundary
from nacre.core.user_code import as_traced
from nacre.core.variable import Variable, standardize_shape
from nacre.core.warning import warn
from nacre.layers.base import adapting, arguments, calling, configuring, remat
from nacre.layers.base.added_metrics import MetricAdder
from nacre.layers.base.call_types import HasCall, Untyped
from nacre.layers.base.compiled import call_compiled, part_runs_compiled
from nacre.layers.base.describing import Describable
from nacre.layers.base.foreign_graphs import call_in_graph, has_graph_tensors
from nacre.layers.base.host_randomness import watched
from nacre.layers.base.input_spec import check_inputs
from nacre.layers.base.losses import LossHolder

P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Layer(Describable, LossHolder, MetricAdder):
    """A part of a model: variables, and a function of tensors that uses them.

    Subclass it, make variables in `build(input_shape)` with `add_weight`, compute in
    `call(inputs)`. A `call` that takes `training` gets the flag in force; one that takes `mask`
    gets the mask of its first argument. `fit`, `evaluate` and `predict` trace it, see `Model.fit`
    for what they notice when it changes; `model(x)` on arrays runs your `call` each time.

    Args:
        activity_regularizer: Penalty on the outputs.
        trainable: Whether the optimizer changes the variables.
        dtype: Dtype or policy name.
        autocast: Whether float inputs are cast to the compute dtype, and float variables read in
            it. Models and other layers made of layers do not cast: each layer within does, or does
            not, for itself. In Keras 3.15 some of them do, and 2909 reaches an encoding layer as
            2912.
        name: Name; automatic by default.
        input_shape, batch_input_shape, input_dim, batch_size: tf.keras 2 spellings, used by
            `Sequential` for its first layer.

    Attributes:
        is_stepwise: Whether each step of a sequence is computed from that step alone, so that
            `generate` may call it on one new token. It stands in the class whose `call` it is
            about: a subclass with a `call` of its own says it anew.
        calls_are_pure: Whether a call runs no Python that should run each time: then `model(x)` may
            compile the layer, and it is built without a call where it has nothing to build. It
            holds for the very class that says it, and of nacre's own without saying.
        casts_inputs: Whether float inputs are cast to the compute dtype before `call`; by default
            they are unless a layer within needs them whole (an encoding, one with another dtype).
        clears_masked_steps: Whether NaN and infinities at masked steps of the input are 0 before
            `call` runs; by default they are for a `call` of nacre's, and yours gets them as they
            are.
        saves_by_number: Whether files hold the variables in order, under "0", "1" and so on, so
            that loading compares their shapes first. A class with its own `save_own_variables`
            or `load_own_variables` that keeps to this says it anew.
        traces_shapes: Whether shapes within models are found by tracing `call` although the class
            has a `compute_output_shape`, which then answers questions alone.

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

    _config_role = "layer"
    _is_layer = True
    _is_model = False  # then its `_graph` is a graph of calls, or None
    _has_identity = True  # in configs: see core/identity.py
    _config_module = "keras.layers"
    _config_class_name = "Layer"
    _takes_strings = False  # built-in layers say so; layers of users are not asked
    # TensorFlow's AutoGraph leaves what has this alone (its `do_not_convert` sets it): else it
    # warns of each layer that a function for `tf.data.Dataset.map` calls.
    autograph_info__: ClassVar[dict[str, Any]] = {}
    _takes_empty_lists = False
    is_stepwise: bool = False
    calls_are_pure: bool = False
    casts_inputs: bool | None = None
    saves_by_number: bool = True
    traces_shapes: bool = False
    # Of uncast inputs: rounding does no harm where nothing overflows.
    _needs_only_float_range = False

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
        self._is_ready = True
        self.name = name if name is not None else auto_name(type(self).__name__)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = dtype
        self.autocast = autocast
        self.supports_masking = False
        self.input_spec: Any = None
        self._trainable = bool(trainable)
        self._path = self.name
        self._batch_input_shape = self._pop_input_shape(kwargs)
        self._initial_weights = kwargs.pop("weights", None)
        kwargs.pop("dynamic", None)
        if kwargs:
            accepted = list(configuring.constructor_names(type(self)))
            accepted += [n for n in configuring.BASE_KEYS if n not in accepted]
            refuse_unknown(f"{type(self).__name__} '{self.name}'", kwargs, accepted)

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

    # ---------------------------------------------------------------- names and dtypes

    @property
    def _name(self) -> str:
        """The name, as tf.keras 2 keeps it: scripts rename layers of ready-made networks by it."""
        return self.name

    @_name.setter
    def _name(self, value: str) -> None:
        self.name = value

    @property
    def path(self) -> str:
        """Names from the outermost layer to this one, joined by '/'."""
        return self._path

    @property
    def dtype_policy(self) -> DTypePolicy:
        """The dtypes of variables and computation; may be set to a policy or its name."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = get_policy(value)

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
    def input_dtype(self) -> str:
        """Dtype float inputs are cast to."""
        return self.compute_dtype

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

    # What a checker takes `layer(x)` for: see call_types.py.
    @overload
    def __call__(self: HasCall[P, Untyped], *args: P.args, **kwargs: P.kwargs) -> Any: ...
    @overload
    def __call__(
        self: HasCall[Concatenate[Any, P], Tensor],
        inputs: KerasTensor | Sequence[KerasTensor],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> KerasTensor: ...
    @overload
    def __call__(
        self: HasCall[Concatenate[Any, P], Tensor],
        inputs: TensorLike,
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> jax.Array: ...
    @overload
    def __call__(self: HasCall[..., Tensor], *, inputs: TensorLike, **kwargs: Any) -> Any: ...
    @overload
    def __call__(self: HasCall[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self: HasCall[..., R], *args: Any, training: bool | None, **kwargs: Any) -> R: ...
    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the layer to arrays, or describe it with symbolic tensors."""
        if not self._is_ready:
            _ = self.name  # raises the message about super().__init__()
        if any_symbolic(args, kwargs):
            return self._call_symbolic(args, kwargs)
        context = scope.call_context()
        if context is None:
            if has_graph_tensors(args, kwargs):
                return call_in_graph(self, args, kwargs)
            training = kwargs.get("training")
            self._clear_losses()
            call = scope.CallContext(self, training)
            with changed(call=call):
                outputs = self._call_arrays(args, kwargs)
            if call.masks or call.logits:
                scope.keep_findings(call, tree.flatten(outputs))
            return outputs
        recorder = context.recorder
        if recorder is not None:
            return recorder.layer_called(self, args, kwargs)
        if part_runs_compiled(self, args, kwargs):
            return call_compiled(self, self.__call__, args, kwargs)
        return self._call_arrays(args, kwargs)

    def _call_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        context = cast("scope.CallContext", scope.call_context())  # `__call__` entered one
        was_built = self._built
        args, kwargs, tensors, training = arguments.prepare(self, args, kwargs)
        if not tensors:
            arguments.refuse_missing_tensor(self, args, kwargs)
        first = next(iter(tensors.values()), None)
        check_inputs(self.input_spec, first, self._who()) if first is not None else None
        training_before, propagates_before = context.training, context.propagates
        keeps_before = context.must_keep_masks
        context.training = training
        context.propagates = self._propagates_masks()
        if keeps_before and self._handles_masks():
            context.must_keep_masks = False
        context.path.append(self.name)
        if self._path_of_config is not None:
            self._take_place()
        if not self._built or self._path == self.name:
            self._path = "/".join(context.path)
        try:
            if not self._built or self._building:
                with name_scope(self.name):
                    self._ensure_built(tensors)
                    self._warn_if_untracked(context.entry)
            if not was_built:  # `build` may have made the layers that settle it
                args, kwargs = arguments.cast_inputs(args, kwargs, self._input_cast())
            check_inputs(self.input_spec, first, self._who()) if first is not None else None
            if (masks := self._masks_to_clear(first)) is not None:
                args, kwargs = arguments.without_absent_values(self, args, kwargs, masks)
            with within_layer(self.name, self._variable_cast()), watched(self):
                if self._remat is not None and remat.is_recomputed(self, args):
                    outputs = remat.recomputed(as_traced(self.call), args, kwargs, self)
                else:
                    outputs = as_traced(self.call)(*args, **kwargs)
        except Exception as error:
            arguments.explain(self, error, tensors)
            raise
        finally:
            context.path.pop()
            context.training, context.propagates = training_before, propagates_before
            context.must_keep_masks = keeps_before or context.must_keep_masks
        context.propagates = False  # masks are computed by ops too
        self._propagate_mask(first, outputs, kwargs)
        context.propagates = propagates_before
        outputs = self._without_absent_values(outputs)
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                if calling.is_tensor(output):
                    self._add_activity_loss(output)
        return outputs

    def _changes_nothing(self) -> bool:
        """Whether it gives back what it gets, as its `adapt` was forgotten."""
        return False

    def _bare_functions(self) -> tuple[Any, ...]:
        """Functions of the user's that a call runs, and whose layers it does not hold."""
        return ()

    def _take_adapted(self, other: Any) -> None:
        """Have what `adapt` found in another layer of this class, unless it knows something."""

    def _index_limit(self) -> int | None:
        """How many indices the first argument may name, for a layer that reads it as indices."""
        return None

    def _check_indices(self, indices: Any, limit: int) -> None:
        """Raise for indices on the host that are not from 0 to limit - 1."""
        refuse_outside(self._who(), indices, limit)

    def _wants_exact(self, place: int) -> bool:
        """Whether what stands at a place of its inputs must come in its own dtype."""
        return False

    def _refuse_cast(self, place: int, value: Any) -> None:
        """Raise where casting a value to the dtype of an input would lose what it says."""

    def _warn_if_untracked(self, outermost: Any) -> None:
        """Warn when variables were just made that the layer being called will never find."""
        if outermost is self or not self._own_variables or not isinstance(outermost, Layer):
            return
        if any(layer is self for layer in outermost._flatten_layers()):
            return
        if outermost._warned_untracked:
            return
        outermost._warned_untracked = True
        warn(
            message(
                self._who(),
                f"its weights are neither trained nor saved with '{outermost.name}', "
                "which does not hold this layer",
                "a layer that was made inside call(), or is kept outside",
                f"Make it in __init__ or build: self.{self.name} = {type(self).__name__}(...).",
            ),
        )

    def rematerialized_call(
        self, layer_call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        """A function like `layer_call` that the `RematScope` this layer was made in has recomputed.

        Args:
            layer_call: A function of tensors, such as `self.call`.
            args, kwargs: What it is going to be called with; sizes decide in one of the modes.
        """
        shape = getattr(args[0], "shape", None) if args else None
        if self._remat is None or not self._remat.covers(self, shape):
            return layer_call
        return remat.remat(layer_call)

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
            (variable, value.value if isinstance(value, Variable) else value)
            for variables, values in (
                (self.trainable_variables, trainable_variables),
                (non_trainable, non_trainable_variables),
            )
            for variable, value in zip(variables, values, strict=True)
        ]
        with scope.StatelessScope(mapping, collect_losses=return_losses) as inner:
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else None
            updated = [inner.get_current_value(v) for v in non_trainable]
        return (outputs, updated, losses) if return_losses else (outputs, updated)

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
    @any_arguments
    @reads_config
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """Make the layer a config describes; `custom_objects` names classes within it."""
        with CustomObjectScope(custom_objects):
            return configuring.from_config(cls, config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={printable(str(self.name))}, built={self.built}>"

    def __reduce__(self) -> Any:
        # The classes and functions themselves: two of them may have one name.
        held = Held({}, writes_code=True)
        with identity.holding(held):
            config = plain_config(self)
        named = {name: part for name, part in held.things.items() if not is_lambda(part)}
        return _rebuild_layer, (config, self.get_weights(), named)


def _rebuild_layer(config: dict[str, Any], weights: list[Any], custom: dict[str, Any]) -> Layer:
    layer = deserialize_keras_object(config, custom)
    if weights:
        layer.set_weights(weights)
    return layer
