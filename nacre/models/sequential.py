"""A plain stack of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

import jax

from nacre.core import changes, identity, scope, tree
from nacre.core.constructor import accepted, object_from
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    NotThereError,
    TracedValueError,
    message,
)
from nacre.core.keywords import any_arguments
from nacre.core.kinds import is_dict
from nacre.core.names import current_path
from nacre.core.registry import (
    CustomObjectScope,
    deserialize_keras_object,
    plain_config,
    register,
)
from nacre.core.safety import reads_config
from nacre.core.strings import is_text
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracing
from nacre.core.variable import standardize_shape
from nacre.layers.base import configuring
from nacre.layers.base.keywords import ModelKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.base.weights import own_scope
from nacre.layers.core.embedding import Embedding
from nacre.layers.core.input_layer import Input, InputLayer
from nacre.layers.preprocessing.text import TextVectorization
from nacre.layers.preprocessing.vocabulary import StringLookup
from nacre.models.functional import (
    arguments_beside_graph,
    functional_from_config,
    has_own_constructor,
)
from nacre.models.graph_calls import MASKS_END_AT_OPS, attach_graph, in_phase
from nacre.models.model import Model

if TYPE_CHECKING:
    from nacre.layers.base.call_types import LayerList

_WITHIN = "is_within"  # a key of ours in its build config: another layer built it


@register("Sequential", module="keras", class_name="Sequential")
class Sequential(Model):
    """Layers applied one after the other.

    The shape of the input comes from an `Input` or `input_shape=` of the first layer, or from the
    first data the model sees.

    Args:
        layers: Layers to begin with.
        trainable: Whether the optimizer changes the variables; a text is the name, which came
            second in tf.keras 2.
        name: Name; automatic by default.

    Example:
        >>> import nacre
        >>> model = nacre.Sequential([
        ...     nacre.layers.Dense(5, activation="relu", input_shape=(784,)),
        ...     nacre.layers.Dense(10, activation="softmax"),
        ... ])
        >>> model.count_params()
        3985
    """

    _is_of_graph = True
    _is_chain = True

    def __init__(
        self,
        layers: Iterable[Layer | KerasTensor] | None = None,
        trainable: bool | str = True,
        name: str | None = None,
        **kwargs: Unpack[ModelKeywords],
    ) -> None:
        if isinstance(trainable, str):  # the order of tf.keras 2: layers, name
            trainable, name = True, trainable if name is None else name
        if isinstance(layers, KerasTensor | Layer) or isinstance(trainable, KerasTensor | Layer):
            parts = [p for p in (layers, trainable, name) if isinstance(p, KerasTensor | Layer)]
            shown = ", ".join(_shown(part) for part in parts)
            raise ArgumentError(
                message(
                    "Sequential",
                    "layers must be a list",
                    f"{shown} without [ ]",
                    f"Put them into one list: Sequential([{shown}]).",
                )
            )
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._layers: list[Layer] = []
        self._input_is_guessed = False
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._rebuild()

    @property
    def layers(self) -> LayerList:
        """The layers, without the input layer."""
        first = int(bool(self._layers) and isinstance(self._layers[0], InputLayer))
        return cast("LayerList", self._layers[first:])

    def add(self, layer: Layer | KerasTensor, rebuild: bool = True) -> None:
        """Put a layer on top of the stack.

        Raises:
            ArgumentError: It is no layer, or its name is taken.
        """
        layer = self._as_layer(layer)
        if isinstance(layer, InputLayer) and self._layers:
            if isinstance(self._layers[0], InputLayer):
                raise ArgumentError(
                    message(
                        self._who(),
                        "it has one input",
                        f"a second input '{layer.name}'",
                        "Use nacre.Model(inputs, outputs) for several inputs.",
                    )
                )
            self._layers.insert(0, layer)
        else:
            if any(layer is other for other in self._layers) is False and layer.name in [
                other.name for other in self._layers
            ]:
                raise ArgumentError(
                    message(
                        self._who(),
                        "each layer must have a name of its own",
                        f"a second layer named '{layer.name}'",
                        f"Pass name='...' to the {type(layer).__name__}.",
                    )
                )
            if not self._layers and not isinstance(layer, InputLayer):
                shape = getattr(layer, "_batch_input_shape", None)
                # Sizes of data it has seen are no rule for this model either.
                is_guessed = isinstance(layer, Sequential) and layer._input_is_guessed
                is_graph = isinstance(layer, Model) and layer._graph is not None
                if shape is None and is_graph and not is_guessed:
                    shape = layer.input_shape if isinstance(layer.input_shape, tuple) else None
                if shape is not None:
                    dtype = layer.input.dtype if isinstance(layer, Model) else None
                    dtype = dtype or _input_dtype(layer)
                    self._layers.append(InputLayer(batch_shape=shape, dtype=dtype))
            self._layers.append(layer)
        changes.note_change()
        if rebuild:
            self._rebuild()

    def _as_layer(self, layer: Any) -> Layer:
        if isinstance(layer, KerasTensor) and layer._keras_history is not None:
            layer = layer._keras_history.operation
        if isinstance(layer, Layer):
            return layer
        what = layer.__name__ if isinstance(layer, type) else repr(layer)[:60]
        fix = f"Did you mean {layer.__name__}()?" if isinstance(layer, type) else ""
        raise ArgumentError(
            message(
                self._who(),
                "only layers can be added",
                f"{what} ({type(layer).__name__})",
                fix or "Wrap a function with nacre.layers.Lambda(function).",
            )
        )

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer off and return it."""
        if not self.layers:
            raise ArgumentError(message(self._who(), "there must be a layer to pop", "none"))
        layer = self._layers.pop()
        changes.note_change()
        if rebuild:
            self._rebuild()
        return layer

    def _rebuild(self) -> None:
        """Describe the stack as a graph when the input's shape is known."""
        self._graph = None
        self._graph_layers = []
        self._free_axes = frozenset()
        self.built = False
        self._forget_programs()
        if len(self._layers) < 2 or not isinstance(self._layers[0], InputLayer):
            if not (self._layers and isinstance(self._layers[0], InputLayer)):
                return
            if len(self._layers) < 2:
                return
        first = self._layers[0]
        tensor = first._inbound_nodes[0].outputs[0]
        inputs = tensor
        ends = scope.masks_ending_at_ops(self._masks_end_at_ops)
        with ends, own_scope(self, self.name):  # a call or build under way has opened it already
            self._built_path = current_path()
            for layer in self._layers[1:]:
                tensor = layer(tensor)
        attach_graph(self, inputs, tensor)

    def _node_view(self, side: str) -> Any:
        if self._inbound_nodes:
            return super()._node_view(side)
        rule, got = f"it has no {side} before it is built", "no input shape"
        fix = "Begin with nacre.Input(shape=...), or call build((None, ...))."
        if not self.layers:
            rule, got, fix = f"it has no {side} before it has layers", "none", "Call add()."
        raise NotThereError(message(self._who(), rule, got, fix))

    def build(self, input_shape: Any = None) -> None:
        """Make all variables for an input shape (batch included; None where unknown)."""
        if self._graph is not None:
            return
        if input_shape is None:
            if self._layers and isinstance(self._layers[0], InputLayer):
                self._rebuild()
                return
            raise NotBuiltError(
                message(
                    self._who(),
                    "an input shape must be known to build it",
                    "none",
                    "Begin with nacre.Input(shape=...), or call build((None, ...)).",
                )
            )
        if not self._layers:
            raise NotBuiltError(
                message(self._who(), "it must have layers to be built", "no layers", "Call add().")
            )
        if (
            isinstance(input_shape, list | tuple)
            and input_shape
            and isinstance(input_shape[0], list | tuple)
        ):
            input_shape = input_shape[0]
        shape = standardize_shape(input_shape)
        self._insert_input(shape)
        self._rebuild()

    def _forget_build(self) -> None:
        super()._forget_build()
        self._graph = None

    def _insert_input(self, shape: tuple[int | None, ...], data: Any = None) -> None:
        """Begin with an input layer for a shape, unless there is one."""
        if not isinstance(self._layers[0], InputLayer):
            dtype = "string" if is_text(data) else _input_dtype(self._layers[0])
            # The batch size seen first is no rule for later batches.
            self._layers.insert(0, InputLayer(batch_shape=(None, *shape[1:]), dtype=dtype))

    def _forget_batch_size(self) -> None:
        """Take a fixed batch size out of the input layer, unless a layer keeps its state by row.

        Keras writes the size of the last batch of `fit` there, and lets any other size in.
        """
        first = self._layers[0] if self._layers else None
        if not isinstance(first, InputLayer) or first.batch_shape[0] is None:
            return
        if not any(getattr(layer, "stateful", False) for layer in self._flatten_layers()):
            shape = (None, *first.batch_shape[1:])
            self._layers[0] = InputLayer(
                batch_shape=shape, dtype=first.dtype, name=first.name, optional=first.optional
            )

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape of the input, where it is known."""
        if self._graph is None:
            return super().get_build_config()
        config: dict[str, Any] = {"input_shape": tuple(self._graph.inputs[0].shape)}
        return config if self._built_path in (None, self.name) else {**config, _WITHIN: True}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build for the shape of the input that `get_build_config` gave."""
        super().build_from_config({k: v for k, v in config.items() if k != _WITHIN})

    def build_apart(self, config: dict[str, Any]) -> None:
        """Build it before the layer around it is there; see `Layer.build_apart`."""
        is_built = self.built  # its config begins with its input
        super().build_apart(config)
        if is_built and is_within(config):
            self._await_place()

    def _is_functional(self) -> bool:
        return False

    def _input_dtypes(self, x: Any) -> list[str | None]:
        """As for every model; before it is built its first layer tells."""
        if self._graph is None and self._layers and type(self).call is Sequential.call:
            return [_input_dtype(self._layers[0])] * len(tree.flatten(x))
        return super()._input_dtypes(x)

    def _runs_its_graph(self) -> bool:
        return self._graph is not None and type(self).call is Sequential.call

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Apply the layers in order."""
        if self._graph is not None:
            return super().call(inputs, training=training, mask=mask)
        x = inputs
        if mask is not None:
            scope.set_mask(x, mask)
        with in_phase(self, training):
            for layer in self.layers:
                x = layer(x)
        return x

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the model: to arrays compiled and cached, to symbolic tensors as a layer."""
        if self._input_is_guessed and args:
            self._admit(args[0])
        return super().__call__(*args, **kwargs)

    def _admit(self, x: Any) -> None:
        """Let other sizes in where no `Input` was given and the layers take them.

        The sizes of the first data are no rule for later ones, such as longer texts.
        """
        if not self._input_is_guessed or not self._runs_its_graph() or not hasattr(x, "shape"):
            return
        known, shape = self._graph.inputs[0], tuple(x.shape)  # type: ignore[union-attr]
        if known.dtype == "string":
            return
        if len(shape) != len(known.shape):
            self._admit_rank(shape, known.dtype)
            return
        pairs = enumerate(zip(known.shape, shape, strict=True))
        other = {axis for axis, (k, n) in pairs if axis and k is not None and k != n}
        before = self._free_axes
        if other <= before:
            return
        self._free_axes = before | other
        try:  # whether the layers take it
            self.compute_output_spec(KerasTensor((None, *shape[1:]), known.dtype))
        except BaseException as error:
            self._free_axes = before
            if not isinstance(error, TypeError | ValueError):
                raise

    def _admit_rank(self, shape: tuple[int | None, ...], dtype: Any) -> None:
        """Let another number of axes in, as of one image after a batch of them, where the layers
        take it: they are called one by one from then on."""
        try:
            tensor = KerasTensor(shape, dtype)
            for layer in self.layers:
                tensor = layer.compute_output_spec(tensor)
        except (TypeError, ValueError):
            return
        self._layers, self._graph, self._graph_layers = list(self.layers), None, []
        self._input_is_guessed, self._free_axes = False, frozenset()
        self._forget_programs()
        changes.note_change()

    def _maybe_build(self, named: dict[str, Any]) -> None:
        if self._graph is None and self._layers:
            first = next(iter(named.values()), None)
            if first is not None and hasattr(first, "shape"):
                stack = list(self._layers)
                self._input_is_guessed = not isinstance(stack[0], InputLayer)
                self._insert_input(standardize_shape(first.shape), first)
                try:
                    self._rebuild()
                except (TracedValueError, jax.errors.JAXTypeError):
                    if is_tracing() or isinstance(first, KerasTensor):
                        raise
                    # A layer needs real values. It is called on arrays and gets them: layer by
                    # layer, without a graph.
                    self._layers, self._graph, self._graph_layers = stack, None, []
                    self._input_is_guessed = False
        self.built = True
        self._tell_built()

    def get_config(self) -> dict[str, Any]:
        """The layers, as plain data."""
        return identity.written(self._config)

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": plain_config(self.dtype_policy),
            "layers": [plain_config(layer) for layer in self._layers],
        }
        if self._free_axes:
            described = config["layers"][0]["config"]
            described["batch_shape"] = [
                None if axis in self._free_axes else size
                for axis, size in enumerate(described["batch_shape"])
            ]
        if self._graph is not None:
            config["build_input_shape"] = list(self._graph.inputs[0].shape)
        config[MASKS_END_AT_OPS] = self._masks_end_at_ops
        return {**arguments_beside_graph(self), **config}

    @classmethod
    @any_arguments
    @reads_config
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make the model a config describes (Keras 3's or tf.keras 2's)."""
        if isinstance(config, list):  # Keras 1
            config = {"layers": config}
        if "input_layers" in config:
            return functional_from_config(cls, config, custom_objects)  # type: ignore[return-value]
        if "layers" not in config and has_own_constructor(cls):  # which makes them
            with CustomObjectScope(custom_objects):
                return configuring.from_config(cls, config)
        return identity.read(lambda: cls._from_stack(config, custom_objects))

    @classmethod
    def _from_arguments(cls, config: dict[str, Any]) -> Self:
        """A model without layers, or with those that a constructor of the user's makes itself."""
        arguments: dict[str, Any] = {"name": config.get("name")}
        if has_own_constructor(cls):
            names = set(configuring.constructor_names(cls)) - {"layers", "trainable"}
            arguments |= {k: object_from(v) for k, v in config.items() if k in names}
            arguments = accepted(cls, arguments, configuring.BASE_KEYS)
        return cls(**arguments)

    @classmethod
    def _from_stack(cls, config: dict[str, Any], custom_objects: Any) -> Sequential:
        model = cls._from_arguments(config)
        if config.get("trainable") is False:
            model.trainable = False
        made: list[tuple[Any, Layer]] = []
        for data in _left_to_add(config["layers"], model._layers):
            # Keras does not say that a layer stands twice in the stack; no two others have equal
            # names.
            layer = next((layer for known, layer in made if known == data), None)
            if layer is None or identity.name_in(data) is None:
                layer = deserialize_keras_object(data, custom_objects)
                made.append((data, layer))
            model.add(layer, rebuild=False)
        model._masks_end_at_ops = bool(config.get(MASKS_END_AT_OPS, True))
        if MASKS_END_AT_OPS not in config:
            model._forget_batch_size()
        model._rebuild()
        shape = config.get("build_input_shape")
        if model._graph is None and shape and model._layers:
            model.build(tuple(shape))
        if config.get("trainable") is False:
            model.trainable = False
        return model


def _left_to_add(described: list[dict[str, Any]], made: list[Layer]) -> list[dict[str, Any]]:
    """The layers of a config after those that the constructor made; an input stands before all."""
    if not made:
        return described
    after_inputs = [data for data in described if data.get("class_name") != "InputLayer"]
    return after_inputs[sum(not isinstance(layer, InputLayer) for layer in made) :]


def _shown(part: Any) -> str:
    """How a user is likely to have written a layer or an Input."""
    if isinstance(part, KerasTensor):
        return "Input(...)" if part._keras_history is not None else "a tensor"
    return f"{type(part).__name__}(...)"


def _input_dtype(layer: Layer) -> str:
    """Strings for a layer that takes only them, else what the layer computes in."""
    if isinstance(layer, TextVectorization) or (
        isinstance(layer, StringLookup) and not layer.invert
    ):
        return "string"
    if isinstance(layer, Embedding):
        return "float32"
    dtype = layer.compute_dtype
    return dtype if dtype not in ("bfloat16", "float16") else "float32"


def is_within(build_config: Any) -> bool:
    """Whether the build config of a stack says that another layer has built it."""
    return is_dict(build_config) and build_config.get(_WITHIN) is True


__all__ = ["Input", "Sequential", "is_within"]
