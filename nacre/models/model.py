"""The base of all models: a layer that can be trained, evaluated, asked, saved and summarised."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, cast, overload

import jax
import numpy as np

from nacre.core import changes, scope, tree
from nacre.core.computed import Computed
from nacre.core.constructor import parameters_of
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    NotThereError,
    TracedValueError,
    UnknownNameError,
    message,
    nearest,
    refuse_unknown,
)
from nacre.core.forks import PROCESS, refuse_after_fork
from nacre.core.keywords import any_arguments
from nacre.core.program import CallProgram
from nacre.core.registry import register
from nacre.core.safety import reads_config
from nacre.core.strings import Staged
from nacre.core.symbolic import KerasTensor, any_symbolic
from nacre.core.traceback import boundary
from nacre.layers.base import adapting, calling
from nacre.layers.base.compiled import (
    program_of_call,
    run_program,
    runs_compiled,
    takes_arrays,
)
from nacre.layers.base.foreign_graphs import call_in_graph, has_graph_tensors
from nacre.layers.base.keywords import FunctionalKeywords, SubclassKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.metric_tap import MetricTap
from nacre.models import doors
from nacre.models.cast_checks import refuse_casts
from nacre.models.explain_masks import MaskReport, explain_masks
from nacre.models.graph import Graph
from nacre.models.graph_calls import (
    attach_graph,
    attach_losses,
    host_inputs,
    input_names,
    inputs_for,
    marked_inputs,
    match_or_none,
    may_not_fit,
    needs_conversion,
    output_names,
    run_graph,
    standardize_inputs,
    takes_ragged,
)
from nacre.models.host_stage import has_late_strings, replay, stage_for, staged_arguments
from nacre.models.index_checks import check_indices, readers_of
from nacre.models.summary import print_summary
from nacre.models.trainable import Trainable
from nacre.training.repeated import Repeated, wait_briefly

if TYPE_CHECKING:
    from nacre.core.protocols import TrainedModel
    from nacre.export.report import Report
    from nacre.layers.base.call_types import LayerList, SomeLayer

_NOT_GIVEN = object()
# What a model with a graph computes from it, and a subclassed model may set as it likes.
_OF_THE_GRAPH = frozenset(
    (
        "inputs",
        "outputs",
        "input_shape",
        "output_shape",
        "input_names",
        "output_names",
        "operations",
    )
)


def _takes_graph(cls: type) -> bool:
    """Whether a constructor takes `inputs` and `outputs` by name."""
    parameters = parameters_of(cls)
    names = {p.name for p in parameters}
    return {"inputs", "outputs"} <= names or any(p.kind is p.VAR_KEYWORD for p in parameters)


@register("Model", module="keras", class_name="Model")
class Model(Trainable):
    """A trainable whole.

    Make one from symbolic tensors, `Model(inputs, outputs)`, or subclass it: make layers in
    `__init__`, use them in `call`.

    Args:
        inputs: An `Input`, or a list or dict of them.
        outputs: A symbolic tensor, or a list or dict of them.
        name: Name; automatic by default.

    Example:
        >>> import nacre
        >>> x = nacre.Input((3,))
        >>> nacre.Model(x, nacre.layers.Dense(2)(x)).count_params()
        8
    """

    _functional_class: type[Model]
    _takes_strings = True
    casts_inputs = False  # the layers within do, each for itself
    _is_model = True
    _is_chain = False  # whether each of its layers is applied to what the one before it gave
    _is_of_graph = False  # whether every model of the class has a graph, or gets one
    _keeps_list_of_one = False  # whether an output that was given in a list is given in one

    __slots__ = (
        "_called_with",
        "_graph",
        "_graph_layers",
        "_input_kinds",
        "_masks_end_at_ops",
        "_nested_inputs",
        "_nested_outputs",
        "_repeated_call",
        "_repeated_prediction",
        "_warned_of_masks",
    )

    def _init_slots(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super()._init_slots(args, kwargs)
        self._graph: Graph | None = None
        self._graph_layers: list[Layer] = []
        self._masks_end_at_ops = False  # see mask_flow.py
        self._nested_inputs: Any = None
        self._nested_outputs: Any = None
        self._repeated_call: Repeated[CallProgram] | None = None
        self._repeated_prediction: Repeated[Any] | None = None  # see training/prediction.py
        # The dtype of each input a call was given, None for floats.
        self._input_kinds: Any = None
        # What its first call was given, by parameter: symbolic tensors in the places of arrays.
        self._called_with: dict[str, Any] | None = None
        self._warned_of_masks = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OF_THE_GRAPH and (self._is_of_graph or self._graph is not None):
            raise changes.reserved_name_error(self, name, value)
        super().__setattr__(name, value)

    def _structure(self) -> tuple[Any, ...]:
        return (*super()._structure(), self._graph, self._masks_end_at_ops)

    def _other_parts(self) -> list[Any]:
        operations = [] if self._graph is None else self._graph.users_operations
        return [*super()._other_parts(), *operations]

    def _graph_is_own(self) -> bool:
        return self._graph is None or self._graph.is_own

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls is Model and (len(args) >= 2 or "outputs" in kwargs):
            return Layer.__new__(cls._functional_class, *args, **kwargs)  # type: ignore[return-value]
        return Layer.__new__(cls, *args, **kwargs)

    @overload
    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        **kwargs: Unpack[FunctionalKeywords],
    ) -> None: ...
    @overload
    def __init__(self, **kwargs: Unpack[SubclassKeywords]) -> None: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        inputs = kwargs.pop("inputs", _NOT_GIVEN)
        outputs = kwargs.pop("outputs", _NOT_GIVEN)
        rest = list(args)
        if rest and inputs is _NOT_GIVEN:
            inputs = rest.pop(0)
        if rest and outputs is _NOT_GIVEN:
            outputs = rest.pop(0)
        if rest and "name" not in kwargs:
            kwargs["name"] = rest.pop(0)
        if type(self) is Model and inputs is not _NOT_GIVEN and outputs is _NOT_GIVEN:
            raise ArgumentError(
                message(
                    "Model",
                    "it is made from inputs and outputs",
                    "inputs alone",
                    "Pass Model(inputs, outputs); a list of layers is Sequential([...]).",
                )
            )
        super().__init__(**kwargs)
        self.supports_masking = True
        if outputs is not _NOT_GIVEN:
            attach_graph(self, inputs, outputs)

    # ---------------------------------------------------------------- parts

    @property
    def layers(self) -> LayerList:
        """The layers, in order."""
        if self._graph is not None:
            return cast("LayerList", self._graph.layers)
        return cast("LayerList", self._direct_layers())

    def _direct_layers(self) -> list[Layer]:
        if self._graph is None:
            return super()._direct_layers()
        known = {id(layer) for layer in self._graph_layers}
        return self._graph_layers + [
            layer for layer in super()._direct_layers() if id(layer) not in known
        ]

    def get_layer(self, name: str | None = None, index: int | None = None) -> SomeLayer:
        """The layer with a name or at an index.

        Raises:
            ArgumentError: Neither was given, or both, or the index is too large.
            UnknownNameError: No layer has that name.
        """
        names = [layer.name for layer in self.layers]
        if index is None and name is None:
            raise ArgumentError(
                message(
                    f"{self._who()}.get_layer",
                    "a name or an index must be given",
                    "neither",
                    f"Layers: {', '.join(names)}." if names else "The model has no layers.",
                )
            )
        if index is not None and name is not None:
            raise ArgumentError(
                message(
                    f"{self._who()}.get_layer",
                    "name or index, not both",
                    f"name={name!r}, index={index}",
                )
            )
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError(
                    message(
                        f"{self._who()}.get_layer",
                        f"index must be below {len(self.layers)}, the number of layers",
                        str(index),
                    )
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        hint = nearest(name, names)
        raise UnknownNameError(
            message(
                f"{self._who()}.get_layer",
                "name must be a layer's",
                repr(name),
                f"Did you mean {hint!r}?" if hint else f"Layers: {', '.join(names)}.",
            )
        )

    @Computed
    def inputs(self) -> Any:
        """The symbolic inputs, flat; None for a subclassed model, which may keep its own here."""
        return None if self._graph is None else self._graph.inputs

    @Computed
    def outputs(self) -> Any:
        """The symbolic outputs, flat; None for a subclassed model, which may keep its own here."""
        return None if self._graph is None else self._graph.outputs

    @Computed
    def operations(self) -> Any:
        """Layers and calls of ops, inputs first; None for a subclassed model, as `inputs` is."""
        return None if self._graph is None else list(self._graph.operations)

    @property
    def input(self) -> Any:
        """The symbolic input in the structure it was given in."""
        return self._nested_inputs if self._graph is not None else super().input

    @property
    def output(self) -> Any:
        """The symbolic output in the structure it was given in."""
        return self._nested_outputs if self._graph is not None else super().output

    @Computed
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return input_names(self) if self._graph is not None else []

    @Computed
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return output_names(self) if self._graph is not None else []

    # ---------------------------------------------------------------- calling

    @any_arguments
    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Compute the outputs: the graph's, when the model has one."""
        if self._graph is None:
            return super().call(inputs)
        return run_graph(self, inputs, training, mask)

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the model: to arrays compiled and cached, to symbolic tensors as a layer."""
        repeated = self._repeated_call
        if repeated is not None and len(args) == 1 and not kwargs and repeated.fits(args[0]):
            return wait_briefly(run_program(self, repeated.program, [args[0]]))
        if args and isinstance(args[0], Staged):
            return replay(self.__call__, args, kwargs)
        if has_graph_tensors(args, kwargs):
            return call_in_graph(self, args, kwargs)
        if args and scope.call_context() is None:
            args = (host_inputs(self, marked_inputs(self, args[0])), *args[1:])
        if (
            not any_symbolic(args, kwargs)
            and not self._runs_eagerly()
            and not self._graph_needs_values()
            and runs_compiled(self)
            and takes_arrays(staged := staged_arguments(self, args), kwargs)
        ):
            if PROCESS.parent:
                refuse_after_fork(self._who())
            self._check_indices_of(args[0])
            try:
                program, arrays = program_of_call(self, self._call_now, staged, kwargs)
                outputs = run_program(self, program, arrays)
                if len(args) == 1 and not kwargs and Repeated.can_be(self, args[0]):
                    self._repeated_call = Repeated(self, args[0], program)
                return outputs
            except (TracedValueError, jax.errors.JAXTypeError):  # something needs a value
                if self._graph is None:
                    raise
                self._graph.needs_values = True
        return super().__call__(*args, **kwargs)

    def _takes_ragged(self) -> bool:
        """Whether an input takes rows of different lengths."""
        return takes_ragged(self)

    def _marked_inputs(self, inputs: Any) -> Any:
        """Inputs whose rows of different lengths are filled up, as the graph expects them."""
        return marked_inputs(self, inputs)

    def _standardize_inputs(self, inputs: Any) -> list[Any]:
        """Inputs matched to the graph's, checked and cast."""
        if isinstance(inputs, Staged):
            return replay(self._standardize_inputs, (inputs,), {})
        return standardize_inputs(self, inputs)

    def add_loss(self, loss: Any) -> None:
        """Add a scalar (or several) to the loss that training minimises.

        Within `call`, give what was computed there. A model made from inputs and outputs also takes
        symbolic tensors of its graph, as in `model.add_loss(ops.mean(ops.square(hidden)))`.

        Raises:
            ArgumentError: A symbolic tensor the model's inputs do not lead to.
        """
        items = tree.flatten(loss)
        symbolic = [item for item in items if isinstance(item, KerasTensor)]
        if symbolic:
            attach_losses(self, symbolic)
        super().add_loss([item for item in items if not isinstance(item, KerasTensor)])

    def add_metric(
        self, value: Any, name: str | None = None, aggregation: str | None = None, **kwargs: Any
    ) -> None:
        """Report the mean of a value over the batches of an epoch, as of tf.keras 2.

        Within `call`, give what was computed there. A model made from inputs and outputs also takes
        a symbolic tensor of its graph.

        Args:
            value: Numbers; all of them count.
            name: What it is called in the record of a training.
            aggregation: 'mean' or None, which is the same.
        """
        if not isinstance(value, KerasTensor):
            super().add_metric(value, name, aggregation, **kwargs)
            return
        who = f"{self._who()}.add_metric"
        if aggregation not in (None, "mean") or not isinstance(name, str) or not name:
            rule = "a name must be given, and aggregation be 'mean' or None"
            raise ArgumentError(message(who, rule, f"name={name!r}, aggregation={aggregation!r}"))
        attach_losses(self, [MetricTap(name)(value)])

    def reset_states(self) -> None:
        """Set the states of all stateful layers to where they begin, as of tf.keras 2.

        Between sequences: `fit`, `predict` and calls go on from the states of the batch before.
        """
        for layer in self._flatten_layers(include_self=False):
            reset = getattr(layer, "reset_states", None)
            if (
                getattr(layer, "stateful", False)
                and callable(reset)
                and not isinstance(layer, Model)
            ):
                reset()

    def _is_functional(self) -> bool:
        """Whether Keras counts the making of the model as a call of its own: see `graph_config`."""
        return self._graph is not None

    def _call_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with scope.masks_ending_at_ops(self._masks_end_at_ops):
            return super()._call_arrays(args, kwargs)

    def _runs_its_graph(self) -> bool:
        """Whether the graph is what a call computes: not in classes with a `call` of their own."""
        return self._graph is not None and type(self).call is Model.call

    # Axes of the input that may have other sizes than the graph's.
    _free_axes: frozenset[int] = frozenset()

    def _admit(self, x: Any) -> None:
        """Make room for inputs of this shape, in a model that does not insist on what it saw."""

    def _computes(self) -> bool:
        """Whether a call computes anything: a class that only holds parts has no `call`."""
        return self._graph is not None or type(self).call is not Model.call

    def _check_indices_of(self, x: Any) -> None:
        """Refuse indices outside a table among arrays of the host, before they are sent."""
        if self._graph is not None and self._runs_its_graph() and readers_of(self._graph):
            given = match_or_none(self, x)
            if given is not None:  # else it is told where the inputs are standardized
                check_indices(self._graph, given)

    def _input_dtypes(self, x: Any) -> list[str | None]:
        """For each leaf of `x` the dtype of the input it goes to; None where that is not known."""
        if not self._runs_its_graph():
            return [None] * len(tree.flatten(x))
        if (given := match_or_none(self, x)) is not None:
            refuse_casts(self._graph, given)  # type: ignore[arg-type]
        found = [{tensor.dtype for tensor in tensors} for tensors in inputs_for(self, x)]
        return [min(one) if len(one) == 1 else None for one in found]

    def _takes_unseen(self, x: np.ndarray) -> bool:
        """Whether the values of an array like `x` are not looked at before a program takes it."""
        has_indices = self._graph is not None and bool(readers_of(self._graph))
        if has_indices or needs_conversion(x) or (x.dtype.kind in "iu" and self._may_not_fit(x)):
            return False
        return self._host_stage(x, "") is None

    def _may_not_fit(self, x: np.ndarray) -> bool:
        """Whether whole numbers of 8 or 16 bits may go to an input that does not hold them."""
        return may_not_fit(self, x)

    def _host_stage(self, x: Any, who: str) -> Any:
        """What turns strings among inputs like `x` into numbers on the host, or None."""
        return stage_for(self, x, who)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs; a graph with strings in it knows its own."""
        if self._runs_its_graph():
            ends = [*self._graph.inputs, *self._graph.outputs]  # type: ignore[union-attr]
            if any(t.dtype == "string" for t in ends):
                standardize_inputs(self, args[0])
                return tree.map_structure(
                    lambda t: KerasTensor(t.shape, t.dtype), self._nested_outputs
                )
        with scope.masks_ending_at_ops(self._masks_end_at_ops):
            return super().compute_output_spec(*args, **kwargs)

    def _runs_eagerly(self) -> bool:
        if has_late_strings(self):
            return True
        return self._trainer is not None and self._trainer.run_eagerly

    def _graph_needs_values(self) -> bool:
        return self._graph is not None and self._graph.needs_values

    def _call_now(self, *args: Any, **kwargs: Any) -> Any:
        """The plain call, without looking for a compiled program."""
        if args and isinstance(args[0], Staged):
            return replay(super().__call__, args, kwargs)
        return Layer.__call__(self, *args, **kwargs)

    def _forget_programs(self) -> None:
        """Drop compiled programs after a change they cannot know of."""
        self._repeated_call = self._repeated_prediction = None
        if self._programs is not None:
            self._programs.clear()

    @any_arguments
    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """None: masks of a model's outputs are those its layers made."""
        return None

    def _passes_masks_itself(self) -> bool:
        return True

    def _propagates_masks(self) -> bool:
        return True

    @any_arguments
    def build(self, input_shape: Any = None, **kwargs: Any) -> None:
        """Make all variables by describing the model for an input shape (batch included)."""
        if self._graph is not None:
            return
        shapes = kwargs if input_shape is None else input_shape
        if not shapes and shapes != ():
            return
        self.built = True
        tensors = calling.tensors_for(shapes, self.compute_dtype)
        try:
            self.compute_output_spec(
                tensors
            ) if input_shape is not None else self.compute_output_spec(**tensors)
        except BaseException:
            self.built = False
            raise

    def _maybe_build(self, named: dict[str, Any]) -> None:
        if self.built:
            return
        self._called_with = calling.described(named)
        if type(self).build is not Model.build:
            super()._maybe_build(named)
            return
        # The layers within build themselves when `call` reaches them.
        first = next(iter(calling.parameter_names(type(self).call)), "")
        value = named.get(first)
        self._build_shapes = {"input_shape": calling.shapes_of(value)}
        kinds = tree.map_structure(calling.kind_of, value)
        self._input_kinds = kinds if any(tree.flatten(kinds)) else None
        self.built = True
        self._tell_built()

    # ---------------------------------------------------------------- adapting

    @boundary
    def quantize(  # type: ignore[override]
        self,
        mode: str | None = None,
        config: Any = None,
        filters: Any = None,
        **kwargs: Any,
    ) -> None:
        """Keep the weights of all layers that have such a form as 8-bit or 4-bit numbers.

        They are not trained any more: what is left to train (biases, `enable_lora`) needs a new
        `compile`.

        Args:
            mode: 'int8', 'int4', or 'float8' (training with 8-bit floats).
            config: Settings, such as `nacre.quantizers.Int4QuantizationConfig(block_size=64)`.
            filters: Which layers: a regular expression searched for in their names, a list of
                them, or a function of a layer.

        Raises:
            NotBuiltError: The model has no weights yet.
            ArgumentError: An unknown mode, or a layer that is quantized already.
        Example:
            >>> import nacre
            >>> model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(2)])
            >>> model.quantize("int8")
            >>> model.layers[0].kernel.dtype
            'int8'
        """
        refuse_unknown(f"{self._who()}.quantize", kwargs, Model.quantize)
        adapting.quantize_model(self, mode, config, filters)
        self._forget_programs()

    # ---------------------------------------------------------------- looking

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[..., Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with their output shapes and numbers of parameters."""
        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )

    def explain_masks(self, inputs: Any = None) -> MaskReport:
        """Where masks are made, used, passed on and lost: one row for each call, and what to do.

        Use it when padded steps seem to count, or a warning says that a mask stops.

        Args:
            inputs: Example arrays; needed for a model that is not described by symbolic tensors
                (a subclass with its own `call`, a `Sequential` without an input shape).

        Returns:
            A report whose text is a table; `rows` and `stops` hold the same as data.

        Raises:
            ArgumentError: A subclassed model comes without `inputs`.

        Example:
            >>> import nacre
            >>> model = nacre.Sequential(name="tagger")
            >>> model.add(nacre.Input((None,), dtype="int32"))
            >>> model.add(nacre.layers.Embedding(10, 4, mask_zero=True, name="tokens"))
            >>> model.add(nacre.layers.LSTM(3, name="reader"))
            >>> print(model.explain_masks())
            Masks in model: "tagger"
            ┏━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
            ┃ Layer (type)       ┃ Mask in      ┃ What happens ┃ Mask out     ┃
            ┡━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
            │ tokens (Embedding) │ -            │ makes        │ (None, None) │
            │ reader (LSTM)      │ (None, None) │ uses         │ -            │
            └────────────────────┴──────────────┴──────────────┴──────────────┘
             No mask reaches the output: every step counts in the loss.
        """
        return explain_masks(self, inputs)

    # ---------------------------------------------------------------- configs and files

    def get_config(self) -> dict[str, Any]:
        """The graph as plain data; for a subclassed model its constructor's arguments.

        A class that is handed its graph, `Mine(inputs, outputs, rate=0.1)`, gives both.
        """
        if self._is_made_from_graph():
            return doors.graph_config(self)
        return super().get_config()

    def _is_made_from_graph(self) -> bool:
        """Whether the class takes its graph from outside: another graph makes another model."""
        graph = self._graph
        if graph is None:
            return False
        if type(self).__init__ in (Model.__init__, self._functional_class.__init__):
            return True
        given = {id(leaf) for leaf in tree.flatten(self._init_arguments)}
        return _takes_graph(type(self)) and all(id(tensor) in given for tensor in graph.outputs)

    @classmethod
    @any_arguments
    @reads_config
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make the model a config describes."""
        if "input_layers" in config and "output_layers" in config and "layers" in config:
            return cast("Self", doors.functional_from_config(cls, config, custom_objects))
        return super().from_config(config)  # type: ignore[return-value]

    def get_build_config(self) -> dict[str, Any] | None:
        """What the model was built for."""
        if self._graph is not None:
            return {"input_shape": None}
        config = super().get_build_config()
        if config is not None and self._input_kinds is not None:
            config = {**config, "input_dtype": self._input_kinds}
        more = self._more_arguments()
        return {**(config or {}), "more_arguments": more} if more else config

    def _more_arguments(self) -> dict[str, Any]:
        """What `call` was handed beside its first argument, as a config says it."""
        called = self._called_with
        if called is None or type(self).build is not Model.build:
            return {}
        first = next(iter(calling.parameter_names(type(self).call)), "")
        return {
            name: {
                "shape": calling.shapes_of(value),
                "dtype": tree.map_structure(lambda t: getattr(t, "dtype", None), value),
            }
            for name, value in called.items()
            if name != first and any(hasattr(leaf, "shape") for leaf in tree.flatten(value))
        }

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build a subclassed model for the shapes it was saved with."""
        if self._graph is not None or self.built or not config:
            return
        kinds, more = config.get("input_dtype"), config.get("more_arguments") or {}
        if kinds is None and not more:
            super().build_from_config(config)
            return
        shape = config.get("input_shape")
        first = next(iter(calling.parameter_names(type(self).call)), "")
        named = {} if shape is None else {first: self._tensors_of_kinds(shape, kinds)}
        for name, told in more.items():
            named[name] = self._tensors_of_kinds(told["shape"], told["dtype"])
        self._input_kinds, self._build_shapes, self.built = kinds, {"input_shape": shape}, True
        if more:  # all for a batch of any size
            self._called_with = named = calling.described(named)
        self.compute_output_spec(**named)

    def _tensors_of_kinds(self, shape: Any, kinds: Any) -> Any:
        """Symbolic tensors of shapes, floats where no dtype is told."""
        tensors = calling.tensors_for(shape, self.compute_dtype)
        if kinds is None:
            return tensors
        return tree.map_structure(
            lambda t, kind: KerasTensor(t.shape, kind or t.dtype), tensors, kinds
        )

    def to_json(self, **kwargs: Any) -> str:
        """The config as JSON text; `model_from_json` reads it.

        Vocabularies that `adapt` found are in it, as no model could be made without; weights are
        not, nor are the mean and variance of `Normalization`, which are weights.
        """
        return json.dumps(doors.config_with_vocabularies(self), **kwargs)

    @property
    def to_yaml(self) -> NoReturn:
        """Not there, as in Keras since 2.6: says what to call instead."""
        raise NotThereError(
            message(
                f"{type(self).__name__} '{self.name}'",
                "configs are written as JSON",
                "to_yaml, which Keras took away in 2.6",
                "Use to_json(); texts of to_yaml are read by nacre.models.model_from_yaml(text).",
            )
        )

    @boundary
    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        include_optimizer: bool = True,
        save_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the whole model: structure, weights, compile arguments and optimizer state.

        `nacre.saving.save_model` says what each form holds, and takes the same arguments: a file
        that ends in `.keras` or `.h5`, a SavedModel folder (a path without an ending, or with
        `.tf`), an open `h5py.File`, a binary file object, an address such as `s3://…` or `hf://…`.
        What was written is read back and compared before it takes the place of what was there.

        Args:
            filepath: Where to write.
            overwrite: False asks at a terminal before a file is replaced; elsewhere it raises.
            zipped: False writes the members of a `.keras` file into a folder.
            include_optimizer: False leaves the compile arguments and the optimizer out.
            save_format: 'keras', 'h5' or 'tf' where the ending does not tell (tf.keras 2).
            **kwargs: `verify`, `compat` and `signatures`, as of `nacre.saving.save_model`.

        Raises:
            FileFormatError: The ending is no format's, or what was written differs from memory.
            SerializationError: A part of the model cannot be written so that it can be read.
        Example:
            >>> import nacre, pathlib, tempfile
            >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
            >>> path = pathlib.Path(tempfile.mkdtemp()) / "m.keras"
            >>> model.save(path)
            >>> nacre.saving.load_model(path).output_shape
            (None, 2)
        """
        doors.save_model(
            self,
            filepath,
            overwrite=overwrite,
            zipped=zipped,
            include_optimizer=include_optimizer,
            save_format=save_format,
            **kwargs,
        )

    @boundary
    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> Report | None:
        """Write what the model computes in inference, for other programs, and compare it there.

        As a SavedModel folder it has one endpoint, 'serve', which is served as 'serving_default'
        too, and no layers: choose `save(folder)` where the folder is also to be opened as a model
        again. In the other formats what was written is loaded by the program it is for, where that
        is installed, called for several batches and lengths, and compared with the model before it
        takes its place; `NAME.report.json` beside it says how it went.

        Args:
            filepath: Where to write. A SavedModel's folder is made with those above it; files of
                other formats get their format's ending where the name has none.
            format: 'tf_saved_model', or another of `nacre.export.formats()`. A path that ends as
                files of another format do is of that one.
            verbose: Whether it is said what was written; None says it.
            input_signature: Shapes and dtypes of the arguments, as `ExportArchive.add_endpoint`
                takes them, where they are others than the model's own inputs.
            is_static, jax2tf_kwargs: Of Keras on JAX; not needed here.
            verify: 'auto' compares where a program for the format is installed, True raises where
                none is, False does without. SavedModels are always read back but for False.
            samples: Inputs to compare with besides drawn ones: one as the model takes it, or a list
                of such.
            labels: The right answers for `samples`: indices of classes, or one-hot. Where the
                file is in fewer bits, the report tells its accuracy beside that of the file in
                full; its error it tells without labels too.
            metadata: Text by name, for formats that have a place for it.
            Others: What the format lets choose, such as `opset_version=18` of ONNX.

        Returns:
            What was written and compared, to be printed; None for a SavedModel.
        Raises:
            ArgumentError: There is no such format or option; or the inputs are not known.
            NotBuiltError: The model is not built.
            UnsupportedOpError: Something has no form in the format; all of it is told.
            FileFormatError: What was written computes something else than the model; the first
                layer that differs is named, and nothing is written.
        Source:
            Interface: Keras 3.15. Differs: what was written is compared, and there are more
            formats.
        Example:
            >>> import nacre, tempfile
            >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.export(folder + "/1", verbose=False)
            ...     nacre.layers.TFSMLayer(folder + "/1")([[1.0, 2.0, 3.0]]).shape
            (1, 2)
        """
        return doors.export_model(self, filepath, format, verbose, input_signature, **kwargs)

    @boundary
    def save_pretrained(
        self, save_directory: Any, *, include_optimizer: bool = True, max_shard_size: Any = None
    ) -> None:
        """Write a folder for `from_pretrained`: the members of a `.keras` file, and a card.

        The card, `README.md`, is what the Hugging Face hub shows of a model: how it is loaded,
        shapes of inputs and outputs, counts of parameters, what it was trained with. One that was
        edited, without its last line, stays. The folder appears whole or not at all; it may hold
        nothing else.

        Args:
            save_directory: The folder, which is made with those above it.
            include_optimizer: False leaves the compile arguments and the optimizer out.
            max_shard_size: Gigabytes a file, or a text such as '5GB', for weights in safetensors
                files with an index, as other libraries of the hub have them. They hold the weights
                alone, no state of the optimizer and no seeds.

        Raises:
            FileFormatError: Other files are in the folder.
        """
        doors.save_pretrained(self, save_directory, include_optimizer, max_shard_size)

    @boundary
    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str = "Push model using nacre.",
        private: bool | None = None,
        token: str | bool | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        include_optimizer: bool = True,
    ) -> str:
        """Send what `save_pretrained` writes to the Hugging Face hub; arguments as its package's.

        Args:
            repo_id: 'user/name'; the repository is made where it is not there.
            commit_message: Title of the commit.
            private: Whether a new repository is private; by default as the account says.
            token: The one that was stored at login by default.
            branch: Made where it is not there; 'main' by default.
            create_pr: Whether to ask for a merge instead.
            include_optimizer: As in `save_pretrained`.

        Returns:
            The address of the commit, or of the request to merge.
        Raises:
            MissingPackageError: `huggingface_hub` is not installed.
            HubError: The hub refused.
        """
        return doors.push_to_hub(
            self,
            repo_id,
            commit_message=commit_message,
            private=private,
            token=token,
            branch=branch,
            create_pr=create_pr,
            include_optimizer=include_optimizer,
        )

    @boundary
    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
    ) -> None:
        """Write the weights alone: `.weights.h5`, or tf.keras 2's `.h5`."""
        doors.save_weights(
            self, filepath, overwrite=overwrite, max_shard_size=max_shard_size, **kwargs
        )

    @boundary
    def report(
        self,
        path: Any,
        x: Any = None,
        y: Any = None,
        *,
        history: Any = None,
        class_names: Any = None,
        title: str | None = None,
        batch_size: int = 32,
        most_samples: int = 10_000,
    ) -> Any:
        """Write the run on one page of HTML: curves, predictions beside targets, times, layers.

        The page needs no server and nothing from elsewhere, is readable in dark and light, and
        escapes all text that comes from names or data. With data it has a confusion matrix with
        precision and recall of each class, or residuals, as the loss says; and what the data is
        like. Nothing of the model changes.

        Args:
            path: Where to write it, such as 'run.html'. Folders are made.
            x, y: Data to judge the model by, best what it was not trained on; arrays, or a source
                of batches.
            history: A `History`; by default that of the last `fit`.
            class_names: Names of the classes, in the order of their numbers.
            title: The page's heading.
            batch_size: Samples predicted at once.
            most_samples: At most so many are looked at, the first ones.

        Returns:
            The path.
        Raises:
            ArgumentError: `path` is no path of a file, or names of classes are missing.
            OSError: It could not be written; a page that was there before is as it was.
        Example:
            >>> import nacre, pathlib, tempfile
            >>> model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)])
            >>> model.report(pathlib.Path(tempfile.mkdtemp()) / "run.html").name
            'run.html'
        """
        from nacre.models.report.page import write_report

        return write_report(
            self,
            path,
            x,
            y,
            history=history,
            class_names=class_names,
            title=title,
            batch_size=batch_size,
            most_samples=most_samples,
        )

    def check_save_path(self, filepath: Any, *, weights_only: bool = False) -> None:
        """Raise for a path that `save`, or `save_weights`, would refuse; nothing is written."""
        doors.check_save_path(self, filepath, weights_only=weights_only)

    @boundary
    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
        """Read weights, of a file with or without the model's structure.

        It may be a `.weights.h5`, `.h5` or `.keras` file of any Keras, shards with their list, a
        checkpoint of TensorFlow, a SavedModel folder, `.safetensors` or `.npz`;
        `nacre.saving.load_weights` says how names are matched in each, and takes the same
        arguments. A model that is not built is built for what the file says where it says so.

        Args:
            filepath: Path or address.
            skip_mismatch: Leave out what does not fit, with a warning that lists it.
            **kwargs: `by_name=True` matches layers by name in `.h5` files of the older layout.

        Returns:
            Of a checkpoint, what `expect_partial` and `assert_consumed` may be called on, as in
            tf.keras 2; else None.

        Raises:
            WeightsMismatchError: Something does not fit, all of it told; nothing was changed.
            NotBuiltError: The file does not say what the model is to be built for.
        Example:
            >>> import nacre, pathlib, tempfile
            >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
            >>> path = pathlib.Path(tempfile.mkdtemp()) / "m.weights.h5"
            >>> model.save_weights(path)
            >>> model.load_weights(path)
        """
        found = doors.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)
        self._check_built_for_weights(filepath)
        return found

    def _has_all_variables(self) -> bool:
        """Whether it is built; or all it holds is, and it is never called itself: a class that
        holds the parts of a GAN, for which `train_step` calls them."""
        if self.built:
            return True
        parts = self._flatten_layers(include_self=False)
        return not self._computes() and bool(self.weights) and all(part.built for part in parts)

    def _check_built_for_weights(self, filepath: Any) -> None:
        if not self._has_all_variables():
            raise NotBuiltError(
                message(self._who(), "it must be built before weights are read", str(filepath))
            )

    def __reduce__(self) -> Any:
        return doors.rebuild_from_bytes, (doors.to_bytes(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return doors.copy_of(self)


if TYPE_CHECKING:

    def _as_training_sees_it(model: Model) -> TrainedModel:
        return model  # a checker compares their members here


__all__ = ["Model"]
