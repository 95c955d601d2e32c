"""A model, a layer or a function, called with symbolic sizes, as a graph.

Variables are arguments of the trace, so that in the graph they keep their paths. Random generators
have no place there: what is drawn is drawn by ops without keys. With `training=True` the graph says
what variables hold afterwards.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax.errors import InconclusiveDimensionOperation

from nacre.core import changes, ragged_marks, scope, tree
from nacre.core.context import changed
from nacre.core.errors import ArgumentError, NotBuiltError, UnsupportedError, message
from nacre.core.strings import HostString
from nacre.core.variable import Variable, value_of
from nacre.export.capture import jaxpr
from nacre.export.capture import rules as rules  # fills the tables of rules
from nacre.export.capture.decisions import Decision, noted
from nacre.export.capture.determined import bounds, equations, with_size
from nacre.export.capture.lower import KEY_VALUE, Lowering, refuse_missing
from nacre.export.capture.signature import (
    NAMINGS,
    Naming,
    Spec,
    abstract,
    is_tensor_like,
    specs_of,
    tree_with_paths,
)
from nacre.export.capture.texts import HostCalls, as_text
from nacre.export.graph.ir import Builder, Graph
from nacre.export.passes import cleaned
from nacre.layers.base import calling
from nacre.layers.base.layer import Layer
from nacre.layers.preprocessing.host_layer import HostLayer
from nacre.models.model import Model
from nacre.training.function import Function

# What comes of sizes that have other names, or that Python compares.
_OF_SIZES = (TypeError, ValueError, InconclusiveDimensionOperation)
_OF_ANY_SIZE = 2  # namings that are for any size; those after them are for multiples
_MOST_DETERMINED = 4  # open sizes of a function that weights are asked for


@dataclass(frozen=True)
class Captured:
    """A call as a graph.

    Attributes:
        graph: What it computes.
        inputs: What each input of the graph is, in order.
        structure: The arguments, (args, kwargs), with the names of inputs in the places of tensors.
        outputs: The results in their structure, with the names of outputs in the places of tensors.
        variables: The variable of each weight, in the order of the graph's weights.
        decisions: What Python asked of sizes that vary, and was denied.
    """

    graph: Graph
    inputs: tuple[Spec, ...]
    structure: Any
    outputs: Any
    variables: tuple[Variable, ...]
    decisions: tuple[Decision, ...] = ()


def capture(
    target: Any,
    *args: Any,
    training: bool | None = False,
    name: str | None = None,
    **kwargs: Any,
) -> Captured:
    """What a model, a layer or a function computes, as a graph.

    Args:
        target: A model or layer that is built, a `nacre.function`, or a function of tensors.
        args, kwargs: What it is called with, with symbolic tensors, specs, or arrays in the places
            of tensors: sizes that are None may be anything at each run. For a model that knows its
            inputs, none; for a function with an `input_signature`, none.
        training: What models and layers are called with, where they take it.
        name: The graph's name.

    Raises:
        UnsupportedOpError: It computes something that has no form in the graph; all is listed.
        UnsupportedError: Python decides by a size that varies.
        NotBuiltError: A layer has no variables yet.
    Example:
        >>> import nacre
        >>> model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(3)])
        >>> [node.op for node in capture(model).graph.nodes]
        ['dense']
    """
    needs_build = isinstance(target, Layer) and not isinstance(target, HostLayer)
    if needs_build and not target.built:
        raise NotBuiltError(
            message(
                f"capture of '{target.name}'",
                "it must be built",
                "an unbuilt layer",
                "Call it once on data, or build(input_shape).",
            )
        )
    names: Sequence[str] = ()
    if not args and not kwargs:
        args, names = _known_arguments(target)
    call = _Call(target, (list(args), kwargs), training, names)
    with ragged_marks.refused():
        return call.captured(name or _name_of(target))


def _name_of(target: Any) -> str:
    return str(getattr(target, "name", None) or getattr(target, "__name__", "function"))


def _known_arguments(target: Any) -> tuple[tuple[Any, ...], Sequence[str]]:
    """The arguments that a model or function knows, with their names."""
    if isinstance(target, Model) and target.inputs is not None:
        return (target.input,), target.input_names
    if isinstance(target, Function) and target.input_signature is not None:
        return target.input_signature, ()
    shapes = target.get_build_config() if isinstance(target, Layer) else None
    shape = (shapes or {}).get("input_shape")
    if shape is None:
        raise ArgumentError(
            message(
                f"capture of '{_name_of(target)}'",
                "shapes and dtypes of what it is called with must be known",
                "no arguments",
                "Pass nacre.KerasTensor((None, 28, 28, 1)) in the place of each tensor.",
            )
        )
    return (calling.tensors_for(_any_batch(shape), "float32"),), ()


def _any_batch(shape: Any) -> Any:
    """Shapes a layer was built with, for any size of batch."""
    if isinstance(shape, dict):
        return {key: _any_batch(part) for key, part in shape.items()}
    if isinstance(shape, list | tuple):
        if shape and all(n is None or isinstance(n, int) for n in shape):
            return (None, *shape[1:])
        return type(shape)(_any_batch(part) for part in shape)
    return shape


class _Names:
    """Puts the names of layers around what they compute; see `CallContext.recorder`."""

    def layer_called(self, layer: Layer, args: Any, kwargs: Any) -> Any:
        """Call a layer under its name."""
        with jax.named_scope(jaxpr.LAYER + str(layer.name)):
            return layer._call_arrays(args, kwargs)

    def op_called(self, *_: Any) -> None:
        """Ops tell their names themselves."""


class _Call:
    """One call, to be traced.

    Args:
        target: What is called.
        arguments: (args, kwargs).
        training: What it is called with, where it takes it.
        names: Names of the tensors among the arguments.
    """

    def __init__(
        self, target: Any, arguments: Any, training: bool | None, names: Sequence[str]
    ) -> None:
        self.target, self.arguments, self.training = target, arguments, training
        self.specs = tuple(specs_of(_named(target, arguments), names))
        self.variables = _variables_of(target)
        self.structure: Any = None
        self.updated: list[Variable] = []
        self.decisions: dict[Decision, None] = {}
        self.bounds: list[str] = []  # of open sizes

    def captured(self, name: str) -> Captured:
        """The graph, with what belongs to it."""
        body, given = self._traced(name)
        make = Builder(name)
        inputs = [
            make.input(spec.name, spec.dtype, jaxpr.sizes_of(shape.shape))
            for spec, shape in zip(self.specs, given, strict=True)
        ]
        weights: list[Any] = []
        held: list[Variable] = []
        for variable in self.variables:
            if variable.is_seed:
                weights.append(KEY_VALUE)
                continue
            weights.append(make.weight(variable.path, variable.on_host(), variable.trainable))
            held.append(variable)
        low = Lowering(make)
        results = low.run(body, [*weights, *inputs])
        count = len(results) - len(self.updated)
        outputs = list(zip(_output_names(self.target, self.structure), results[:count]))
        for output, value in outputs:
            if value is KEY_VALUE:
                low.missing.append(("random keys", f"random keys in output '{output}'"))
        refuse_missing(name, low.missing)
        paths = {id(v): w.path for v, w in zip(held, make.weights)}
        updates = [
            (paths[id(variable)], value)
            for variable, value in zip(self.updated, results[count:])
            if id(variable) in paths
        ]
        graph = cleaned(make.finish(outputs, updates))
        names = iter([spec.name for spec in self.specs])
        structure = tree.map_structure(
            lambda leaf: next(names) if is_tensor_like(leaf) else leaf, self.arguments
        )
        found = iter([output.name for output in graph.outputs])
        results_structure = tree.map_structure(lambda _: next(found), self.structure)
        return Captured(
            graph, self.specs, structure, results_structure, tuple(held), tuple(self.decisions)
        )

    def _traced(self, name: str) -> tuple[jaxpr.Body, list[Any]]:
        """The trace, with the sizes it was made for."""
        try:
            return self._with_sizes(_MOST_DETERMINED)
        except InconclusiveDimensionOperation as error:
            raise UnsupportedError(
                message(
                    f"capture of '{name}'",
                    "Python must not decide by sizes that vary",
                    str(error).partition("\n")[0].partition(" is inconclusive")[0],
                    "Give these sizes in the shape of the Input.",
                )
            ) from error

    def _with_sizes(self, count: int) -> tuple[jaxpr.Body, list[Any]]:
        """The trace for all sizes; of a function with up to `count` as its weights have them, where
        that is what they must be; else for multiples."""
        try:
            return self._under_names(NAMINGS[:_OF_ANY_SIZE])
        except _OF_SIZES as error:
            if isinstance(self.target, Function):
                if more := [bound for bound in bounds(error) if bound not in self.bounds]:
                    self.bounds += more
                    return self._with_sizes(count)
                open_specs = self.specs
                for size, number in equations(error) if count else ():
                    self.specs = with_size(open_specs, NAMINGS[0], size, number)
                    if self.specs == open_specs:
                        continue
                    with contextlib.suppress(*_OF_SIZES):
                        return self._with_sizes(count - 1)
                self.specs = open_specs
            if count == _MOST_DETERMINED and self._is_varying():
                with contextlib.suppress(*_OF_SIZES):
                    return self._under_names(NAMINGS[_OF_ANY_SIZE:])
            raise

    def _is_varying(self) -> bool:
        return any(None in spec.shape[1:] for spec in self.specs)

    def _under_names(self, namings: Sequence[Naming]) -> tuple[jaxpr.Body, list[Any]]:
        """The trace under the first naming of sizes that does."""
        first: Exception | None = None
        for naming in namings if self._is_varying() else namings[:1]:
            given = abstract(self.specs, naming, self.bounds)
            self.decisions = {}
            try:
                with noted(self.decisions):
                    return self._trace(given), given
            except _OF_SIZES as error:
                first = first or error
        assert first is not None
        raise first

    def _trace(self, given: list[Any]) -> jaxpr.Body:
        while True:
            shapes = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in self.variables]
            unknown = list[Variable]()
            run = functools.partial(self._run, len(shapes), unknown)
            body = jaxpr.traced(run, *shapes, *given)
            if not unknown:
                return body
            self.variables = [*self.variables, *unknown]

    def _run(self, count: int, unknown: list[Variable], *arguments: Any) -> list[Any]:
        """The results, then what the variables that changed hold, for `count` variables."""
        values, arrays = arguments[:count], iter(arguments[count:])
        dtypes = iter([spec.dtype for spec in self.specs])

        def filled(leaf: Any) -> Any:
            if not is_tensor_like(leaf):
                return leaf
            array = next(arrays)
            return as_text(array) if next(dtypes) == "string" else array

        args, kwargs = tree.map_structure(filled, self.arguments)
        run = scope.ProgramRun(is_traced=True)
        pairs = list(zip(self.variables, values, strict=True))
        with changes.tracing(), scope.running_program(run), scope.StatelessScope(pairs) as inner:
            with _under_names(self.target):
                results = _called(self.target, args, kwargs, self.training)
            # Of a variable that is returned it is what it holds at the end of the call.
            results = tree.map_structure(value_of, results)
            ends = [(v, inner.get_current_value(v)) for v in self.variables]
        unknown += [
            v
            for key, v in run.outside.items()
            if key not in run.created and not any(v is known for known in self.variables)
        ]
        is_changing = any(end is not start for (_, end), (_, start) in zip(ends, pairs))
        if results is None and (is_changing or unknown):  # it is called for what it changes
            results = ()
        if any(leaf is None for leaf in tree.flatten(results)):
            rule = "it must return tensors"
            raise ArgumentError(message(f"capture of '{_name_of(self.target)}'", rule, "None"))
        self.updated = [v for (v, end), (_, start) in zip(ends, pairs) if end is not start]
        self.structure = tree.map_structure(lambda _: None, results)
        changed_values = [end for (_, end), (_, start) in zip(ends, pairs) if end is not start]
        found = (x.values if isinstance(x, HostString) else x for x in tree.flatten(results))
        return [*map(jax.numpy.asarray, found), *changed_values]


def _variables_of(target: Any) -> list[Variable]:
    if not isinstance(target, Layer):
        return []  # those that it reads are found
    return list(target.variables)


def _called(target: Any, args: Any, kwargs: Any, training: bool | None) -> Any:
    """The call itself."""
    if isinstance(target, Layer):
        takes = {} if training is None else {"training": training}
        return target(*args, **takes, **kwargs)
    if isinstance(target, Function):
        return target.python_function(*args, **kwargs)
    return target(*args, **kwargs)


@contextlib.contextmanager
def _under_names(target: Any) -> Iterator[None]:
    call = scope.CallContext(target, None)
    call.recorder = _Names()
    with changed(call=call, host_calls=HostCalls()):
        yield


def _named(target: Any, arguments: Any) -> list[tuple[str, Any]]:
    """The leaves of the arguments in order, each under the name of its parameter."""
    args, kwargs = arguments
    function = getattr(target, "python_function", target)
    function = target.call if isinstance(target, Layer) else function
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    names += [f"input_{index}" for index in range(len(names), len(args))]
    pairs = [*zip(names, args), *((name, kwargs[name]) for name in sorted(kwargs))]
    # The keys of a dict are names enough.
    named = [("" if isinstance(value, dict) else name, value) for name, value in pairs]
    return [leaf for name, value in named for leaf in tree_with_paths(value, name)]


def _output_names(target: Any, structure: Any) -> list[str]:
    """A name for each output: as the model says, the keys of a dict, else by number."""
    count = len(tree.flatten(structure))
    if (
        isinstance(target, Model)
        and target.outputs is not None
        and len(target.output_names) == count
    ):
        names = list(target.output_names)
        if isinstance(structure, dict):
            names = sorted(structure)
        if len(set(names)) == count:
            return names
    if isinstance(structure, dict) and all(v is None for v in structure.values()):
        return sorted(map(str, structure))
    return [f"output_{index}" for index in range(count)]
