"""A layer on symbolic tensors: the node it leaves in the graph, and its outputs' shapes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nacre.core import leftovers, scope, tree
from nacre.core.computed import Computed
from nacre.core.context import within_layer
from nacre.core.names import name_scope
from nacre.core.protocols import speaks_for
from nacre.core.registry import is_builtin
from nacre.core.shape_inference import infer
from nacre.core.shapes import fits_leading_axes
from nacre.core.strings import is_text
from nacre.core.symbolic import KerasTensor, Node
from nacre.core.typed_jax import setting
from nacre.core.user_code import as_traced, shapes_are_traced
from nacre.layers.base import arguments, calling
from nacre.layers.base.building import Buildable
from nacre.layers.base.input_spec import check_inputs
from nacre.layers.base.masking import MaskPassing, masks_of, pairs_of_masks
from nacre.layers.base.spec_memory import remembered

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer


class Describable(Buildable, MaskPassing):
    """The part of `Layer` that answers symbolic tensors."""

    autocast: bool
    compute_dtype: str
    casts_inputs: bool | None
    traces_shapes: bool
    _needs_only_float_range: bool
    input_spec: Any

    def _input_cast(self) -> str | None:
        """The dtype float inputs are cast to before `call`; None where they are left as they are.

        A container leaves the cast to its parts wherever it could cost digits: its class says so by
        `casts_inputs`; one that does not is one when it holds a layer that needs its inputs whole
        (an encoding, a part with a dtype of its own).
        """
        dtype = calling.float_dtype(self.compute_dtype) if self.autocast else None
        if dtype == "float32" and setting("jax_enable_x64"):
            parts = self._flatten_layers(False)
            return None if any(part.compute_dtype == "float64" for part in parts) else dtype
        if dtype in (None, "float32", "float64"):
            return dtype  # from fewer bits nothing is lost
        if self.casts_inputs is not None or len(self._inventory().layers) == 1:
            return None if self.casts_inputs is False else dtype
        return (
            dtype
            if all(part._is_unchanged_by_cast(dtype) for part in self._direct_layers())
            else None
        )

    def _is_unchanged_by_cast(self, dtype: str) -> bool:
        """Whether a cast of its inputs to `dtype` in the layer around it changes nothing here."""
        if self._needs_only_float_range and self.compute_dtype == dtype == "bfloat16":
            return True  # whose range is that of float32
        return self._input_cast() == dtype

    def _variable_cast(self) -> str | None:
        """The dtype float variables are read in within `call`; None for their own."""
        dtype = calling.float_dtype(self.compute_dtype)
        return dtype if self.autocast and dtype != self.variable_dtype else None

    def _call_symbolic(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = kwargs
        args, kwargs, tensors, _ = arguments.prepare(cast("Layer", self), args, kwargs)
        first = next(iter(tensors.values()), None)
        check_inputs(self.input_spec, first, self._who()) if first is not None else None
        if self._path_of_config is not None:
            self._take_place()
        with name_scope(self.name):
            self._maybe_build(tensors)
        check_inputs(self.input_spec, first, self._who()) if first is not None else None
        try:
            outputs = self.compute_output_spec(*args, **kwargs)
        except Exception as error:
            arguments.explain(cast("Layer", self), error, tensors)
            raise
        Node(self, args, _as_given(given, kwargs, tensors), outputs)
        previous = masks_of(first) if first is not None else None
        overridden = type(self).compute_mask is not Describable.compute_mask
        if overridden or (self.supports_masking and previous is not None):
            mask = self.compute_mask(first, previous)
            for output, one in pairs_of_masks(outputs, mask):
                if overridden or fits_leading_axes(tuple(one.shape), tuple(output.shape)):
                    output._keras_mask = one
                else:
                    self._warn_mask_lost()
        elif previous is not None:
            self._warn_mask_lost()
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, found by tracing `call`."""
        if not self.built:
            named = calling.signature_of(type(self).call).named(args, kwargs)
            with name_scope(self.name):
                self._maybe_build({k: v for k, v in named.items() if not k.endswith("mask")})
        custom = type(self).compute_output_shape is not Describable.compute_output_shape
        traced = shapes_are_traced() and not is_builtin(type(self))
        traced = traced and not getattr(self, "dynamic", False)
        if custom and not traced and not speaks_for(self, "traces_shapes", "compute_output_shape"):
            shapes = calling.shapes_of(args[0] if args else next(iter(kwargs.values())))
            result = self.compute_output_shape(shapes)
            return calling.tensors_for(result, self.compute_dtype)
        if any(is_text(leaf) for leaf in tree.flatten((args, kwargs)) if hasattr(leaf, "shape")):
            return self.call(*args, **kwargs)  # strings cannot be traced: the layers within tell
        with leftovers.cleared(is_trial=True, root=self):
            trace = partial(self._traced, self.call, *args, **kwargs)
            return remembered(cast("Layer", self), args, kwargs, trace)

    def _traced(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs of a `call` for symbolic inputs."""

        def run(*inner_args: Any, **inner_kwargs: Any) -> Any:
            context = scope.CallContext(self, kwargs.get("training"))
            with scope.entered_call(context), within_layer(self.name, self._variable_cast()):
                context.path.append(self.name)
                inner_args, inner_kwargs = arguments.cast_inputs(
                    inner_args, inner_kwargs, self._input_cast()
                )
                return as_traced(call)(*inner_args, **inner_kwargs)

        return infer(run, *args, **kwargs)

    def _call_asked_for(self) -> Callable[..., Any] | None:
        """The `call` whose shape a class asks for that has a `compute_output_shape` of its own, and
        calls `super()`'s: the one of the class below, which may give something else than its own.
        None where no class asks so."""
        classes = type(self).__mro__
        below = classes[: classes.index(Describable)]
        asking = [cls for cls in below if "compute_output_shape" in vars(cls)]
        if not asking:
            return None
        after = classes[classes.index(asking[-1]) + 1 :]
        holder = next(cls for cls in after if "call" in vars(cls))
        if issubclass(holder, Describable) and "_is_layer" not in vars(holder):
            return getattr(super(asking[-1], self), "call")  # noqa: B009  (a mixin has none)
        return self.call

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the outputs for the shape of the inputs; None for unknown sizes.

        A layer called on several tensors takes a shape for each, `query_shape` for its `query`.
        """
        names = calling.signature_of(type(self).call).names or ["inputs"]
        shapes = dict(zip(names, args, strict=False))
        for name, shape in kwargs.items():
            argument = name.removesuffix("_shape")
            shapes[argument if argument in names else names[0]] = shape
        tensors = {
            name: calling.tensors_for(shape, self.compute_dtype)
            for name, shape in shapes.items()
            if shape is not None
        }
        with name_scope(self.name):
            self._maybe_build(tensors)
        call, first = self._call_asked_for(), tensors.pop(names[0])
        if call is None:
            outputs = self.compute_output_spec(first, **tensors)
        else:
            with leftovers.cleared(is_trial=True, root=self):
                outputs = self._traced(call, first, **tensors)
        return tree.map_structure(lambda t: t.shape, outputs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Call with symbolic tensors."""
        return self._call_symbolic(args, kwargs)

    @Computed
    def input_shape(self) -> Any:
        """The shape of the symbolic input (tf.keras 2 spelling); a layer may keep its own here."""
        return calling.shapes_of(self.input)

    @Computed
    def output_shape(self) -> Any:
        """The shape of the symbolic output (tf.keras 2 spelling); a layer may keep its own here."""
        return calling.shapes_of(self.output)


def _as_given(
    given: dict[str, Any], filled: dict[str, Any], tensors: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a node: what the caller gave, converted, without what was filled in.

    Masks and the training flag are found anew when the graph runs. So is a mask that came through
    ops and is handed on with its tensor, `layer(x, mask=x._keras_mask)`: no call makes it.
    """
    travelling = [scope.get_mask(leaf) for leaf in tree.flatten(tensors)]

    def is_propagated_mask(value: Any) -> bool:
        return (
            isinstance(value, KerasTensor)
            and value._keras_history is None
            and any(value is mask for mask in travelling)
        )

    return {
        name: None if value is None or is_propagated_mask(value) else filled[name]
        for name, value in given.items()
        if name in filled
    }
