"""`ExportArchive`, `Model.export`: functions, by names, as a SavedModel folder for serving."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import addresses, atomic, regions, tree
from nacre.core.config import floatx
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, NotBuiltError, message, refuse_unknown
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.core.wire.tensorflow.objects import key_of
from nacre.export import stablehlo
from nacre.export.api import Plan, refuse_wrong_verify
from nacre.export.capture import Captured, capture
from nacre.export.report import Report
from nacre.export.targets import ALIASES, OTHERS, ending_of, find_target, format_of_suffix, formats
from nacre.export.targets.saved_model.gaps import SUPPORT
from nacre.export.targets.saved_model.write import (
    DEFAULT_SIGNATURE,
    Call,
    Thing,
    Writer,
)
from nacre.export.together import written_together
from nacre.layers.base.layer import Layer
from nacre.models import Model
from nacre.saving.formats import saved_model, tfjs_layers_writer
from nacre.saving.formats.checkpoint_writer import children_of_object
from nacre.saving.formats.native import nacre_version
from nacre.saving.formats.saved_model_check import Comparison, Content
from nacre.saving.formats.saved_model_parts import (
    by_key,
    for_tensorflow,
    input_specs,
    output_specs,
    structure_of,
)
from nacre.saving.one_step import of_one_step
from nacre.saving.weights import require_built
from nacre.training.function import Function

_WHO = "ExportArchive"
_SAVED_MODEL = "tf_saved_model"
_LISTS = ("variables", "trainable_variables", "non_trainable_variables")
_RESERVED = (*_LISTS, "signatures")
# Of Keras's way through jax2tf, which is not taken.
_OF_JAX2TF = ("is_static", "jax2tf_kwargs")


@dataclass(frozen=True)
class _Endpoint:
    """A function of the archive."""

    name: str
    function: Function[..., Any]

    @property
    def signature(self) -> Sequence[Any]:
        return self.function.input_signature or ()


class ExportArchive:
    """Collect functions, each under a name, and write them as a SavedModel folder for serving.

    TensorFlow, its servers, its converters and `nacre.layers.TFSMLayer` read the folder; nothing of
    nacre is needed there. Choose it over `model.export(path)` when more than the model's call is
    served: preprocessing around it, training beside inference, several models.

    Functions are traced when `write_out` is called, for any size that their signature leaves open,
    and are called on what was written and in memory before the folder takes its place.

    Args:
        format: 'saved_model', the one that is here.

    Raises:
        ArgumentError: Another format.
    Source:
        Interface: Keras 3.15. Differs: a layer or model that knows its inputs needs no
        `input_signature`; tensors within a dict are called by their keys; `variables` lists those
        of endpoints too, and no seeds; what was written is verified.
    Example:
        >>> import nacre, tempfile
        >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
        >>> archive = ExportArchive()
        >>> archive.track(model)
        >>> given = [nacre.InputSpec(shape=(None, 3), dtype="float32")]
        >>> serve = archive.add_endpoint("serve", model.call, input_signature=given)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     archive.write_out(folder + "/1", verbose=False)
        ...     nacre.layers.TFSMLayer(folder + "/1")([[1.0, 2.0, 3.0]]).shape
        (1, 2)
    """

    def __init__(self, format: str = "saved_model", **kwargs: Any) -> None:
        if format != "saved_model":
            rule = "format must be 'saved_model', the one that is here"
            raise ArgumentError(message(_WHO, rule, repr(format)))
        refuse_unknown(_WHO, kwargs, ExportArchive)
        self._tracked: list[Any] = []
        self._endpoints: dict[str, _Endpoint] = {}
        self._collections: dict[str, list[Variable]] = {}

    def track(self, resource: Any) -> None:
        """Add the variables of a layer, a model, or a variable, in whatever endpoints they are.

        Raises:
            NotBuiltError: It has no variables yet.
            ArgumentError: It is something else.
        """
        if not isinstance(resource, Layer | Variable):
            rule = "resource must be a layer, a model or a nacre.Variable"
            raise ArgumentError(message(f"{_WHO}.track", rule, type(resource).__name__))
        if isinstance(resource, Layer):
            _require_built(resource, f"{_WHO}.track")
        if not any(known is resource for known in self._tracked):
            self._tracked.append(resource)

    def add_endpoint(
        self, name: str, fn: Callable[..., Any], input_signature: Any = None, **kwargs: Any
    ) -> Callable[..., Any]:
        """Add a function that is served under a name.

        The first one is also served as 'serving_default', unless one is called so.

        Args:
            name: Of the endpoint; the folder, once loaded, has it as an attribute.
            fn: A layer, a model, a method such as `model.call`, a `nacre.function` or any function
                of tensors. What it reads of Python is what stands there at `write_out`.
            input_signature: For each argument the shape and dtype of its tensors: a structure of
                `nacre.InputSpec`, `nacre.KerasTensor`, arrays or `tf.TensorSpec`; sizes that are
                None may be anything. May be left out where `fn` says it: a `nacre.function` with
                one, a layer or model that knows its inputs.
            is_static, jax2tf_kwargs: Of Keras on JAX; not needed here.

        Returns:
            `fn` as a `nacre.function` of these arguments.
        Raises:
            ArgumentError: The name is taken, or shapes and dtypes are not known.
            NotBuiltError: `fn` is a layer without its variables.
        Example:
            >>> import nacre
            >>> archive = ExportArchive()
            >>> spec = nacre.InputSpec(shape=(None, 3), dtype="float32")
            >>> double = archive.add_endpoint("double", lambda x: 2 * x, input_signature=[spec])
            >>> double([[1.0, 2.0, 3.0]]).tolist()
            [[2.0, 4.0, 6.0]]
        """
        who = f"{_WHO}.add_endpoint"
        for keyword in _OF_JAX2TF:
            kwargs.pop(keyword, None)
        refuse_unknown(who, kwargs, self.add_endpoint)
        self._refuse_taken(name, who)
        function = _function_of(fn, input_signature, f"{who}('{name}')")
        self._endpoints[name] = _Endpoint(name, function)
        return function

    def track_and_add_endpoint(
        self, name: str, resource: Any, input_signature: Any = None, **kwargs: Any
    ) -> Callable[..., Any]:
        """`track` a layer or model, and add it as an endpoint."""
        self.track(resource)
        return self.add_endpoint(name, resource, input_signature, **kwargs)

    def add_variable_collection(self, name: str, variables: Any) -> None:
        """Add variables as a list, which the folder, once loaded, has as an attribute.

        Args:
            name: Of the list.
            variables: A list, tuple or set of variables, such as `model.optimizer.variables`.

        Raises:
            ArgumentError: The name is taken, or these are no variables.
        """
        who = f"{_WHO}.add_variable_collection"
        self._refuse_taken(name, who)
        if not isinstance(variables, list | tuple | set):
            rule = "variables must be a list, tuple or set"
            raise ArgumentError(message(who, rule, type(variables).__name__))
        others = sorted({type(v).__name__ for v in variables if not isinstance(v, Variable)})
        if others:
            rule = "each must be a nacre.Variable"
            raise ArgumentError(message(who, rule, ", ".join(others)))
        self._collections[name] = list(variables)

    def write_out(
        self, filepath: Any, options: Any = None, verbose: bool = True, *, verify: bool = True
    ) -> None:
        """Write the folder, which takes its place when it is whole and was read back.

        May be called again, after further training too: variables are written as they stand.

        Args:
            filepath: The folder's path; those above it are made. A SavedModel that is there is
                replaced, a folder with other files in it is not. A path that ends as files of
                another format do, such as 'm.tflite', is of that one: each endpoint is a signature
                of it, where its files have several.
            options: Of TensorFlow's own writer; not needed here.
            verbose: Whether the endpoints are printed.
            verify: Whether what was written is read back and called, for a batch of one and of two,
                before it takes its place.

        Raises:
            ArgumentError: There is no endpoint.
            UnsupportedError: There are several, and files of this format hold one.
            UnsupportedOpError: Something has no form in TensorFlow; all of it is told.
            FileFormatError: What was written computes something else than what is in memory, as
                where Python decides by the size of the batch.
        """
        who = f"{_WHO}.write_out"
        if not self._endpoints:
            fix = "Call add_endpoint(name, fn, input_signature) first."
            raise ArgumentError(message(who, "an archive must have an endpoint", "none", fix))
        format = format_of_suffix(_text(filepath))
        if format is not None:
            self._write_file(filepath, format, who, verify, verbose)
            return
        folder = _Folder(self._tracked, self._endpoints.values(), self._collections, who)
        _write(folder, filepath, who, verify)
        if verbose:
            print(folder.description(filepath))

    def _write_file(
        self, filepath: Any, format: str, who: str, verify: bool, verbose: bool
    ) -> None:
        """The endpoints as a file of a format: one as any model, several as its signatures."""
        chosen: bool | str = "auto" if verify else False
        plans = {
            name: export_plan(each.function, format, each.signature, who, verify=chosen)
            for name, each in self._endpoints.items()
        }
        if len(plans) == 1:
            report = next(iter(plans.values())).write(filepath)
            said = str(report)
        else:
            path = atomic.target_path(filepath, who)
            atomic.refuse_non_file(path, who)
            atomic.write_file(path, written_together(plans))
            said = f"Exported to '{path}' ({format}). Endpoints: {', '.join(plans)}."
        if verbose:
            print(said)

    def _refuse_taken(self, name: Any, who: str) -> None:
        if not isinstance(name, str) or not name or "/" in name:
            raise ArgumentError(message(who, "name must be a text without '/'", repr(name)))
        if name in (*_RESERVED, *self._endpoints, *self._collections) or name.startswith("_"):
            own = " of what is loaded" if name in _RESERVED or name.startswith("_") else ""
            rule = f"name must be free, and not begin with '_'{own}"
            raise ArgumentError(message(who, rule, f"'{name}'", "Choose another one."))


@of_one_step
def export_model(
    model: Model,
    filepath: Any,
    format: str = _SAVED_MODEL,
    verbose: bool | None = None,
    input_signature: Any = None,
    **kwargs: Any,
) -> Report | None:
    """Write what a model computes in inference, in any format; see `Model.export`."""
    who = f"{type(model).__name__} '{model.name}'.export"
    if format == _SAVED_MODEL:
        format = format_of_suffix(_text(filepath)) or format
    _refuse_ending(filepath, format, who)
    for keyword in _OF_JAX2TF:
        kwargs.pop(keyword, None)
    if format != _SAVED_MODEL:
        report = export_plan(model, format, input_signature, who, **kwargs).write(filepath)
        if verbose is None or verbose:
            print(report)
        return report
    verify = kwargs.pop("verify", True)
    refuse_wrong_verify(verify, who)
    refuse_unknown(who, kwargs, model.export)
    function = _function_of(model, input_signature, who)
    folder = _Folder([model], [_Endpoint("serve", function)], {}, who)
    _write(folder, filepath, who, bool(verify))
    if verbose is None or verbose:
        print(folder.description(filepath))
    return None


def _refuse_ending(filepath: Any, format: str, who: str) -> None:
    """Raise where a path ends as files of another kind do, which programs would take it for."""
    if format not in {*formats(), *ALIASES}:
        return  # which is told first
    shown = _text(filepath)
    if addresses.is_address(shown):  # which may hold a password
        shown = addresses.file_name(shown)
    path = shown.lower()
    own, other = ending_of(format), format_of_suffix(path)
    rule, got = "filepath must end as its format's files do", f"'{shown}' for format='{format}'"
    is_own = other == ALIASES.get(format, format) or (own and path.endswith(own))
    if other is not None and not is_own:
        fix = f"Write '{Path(shown).stem}{own}', or format='{other}'."
        raise ArgumentError(message(who, rule, got, fix))
    if path.endswith((".keras", ".h5")):
        raise ArgumentError(message(who, rule, got, f"Save it: model.save('{shown}')."))


def _text(filepath: Any) -> str:
    """A path as text; '' for what is none, which is told of where it is written."""
    return os.fsdecode(filepath) if isinstance(filepath, str | bytes | os.PathLike) else ""


def export_object(
    root: Any, functions: Mapping[str, tuple[Any, Any]], filepath: Any, who: str
) -> None:
    """Write an object with its variables and functions as a SavedModel folder.

    Args:
        root: It tells what it holds, `_children_in_checkpoints()`.
        functions: Name -> (function, the shapes and dtypes of its arguments).
        filepath: The folder.
        who: What errors call it.
    """
    endpoints = [
        _Endpoint(name, _function_of(function, signature, who))
        for name, (function, signature) in functions.items()
    ]
    _write(_Folder([], endpoints, {}, who, root), filepath, who, verify=True)


def export_plan(
    model: Any,
    format: str,
    input_signature: Any,
    who: str,
    *,
    verify: bool | str = "auto",
    samples: Any = None,
    labels: Any = None,
    metadata: Mapping[str, str] | None = None,
    **options: Any,
) -> Plan:
    """How a model, or a function with the signature it is called by, becomes a file of a format.

    Raises:
        ArgumentError: There is no such format, or the inputs are not known.
        UnsupportedOpError: It computes something that has no form in any format.
    """
    target = None if format in OTHERS else find_target(format, who)
    if format == tfjs_layers_writer.NAME:
        target = tfjs_layers_writer.target_for(_with_layers(model, who), who)
    name = str(getattr(model, "name", None) or getattr(model, "__name__", "function"))
    if input_signature is None and getattr(model, "inputs", None) is not None:
        require_built(model, who)
        call: Any = functools.partial(model, training=False)
        captured = capture(model)
    else:
        function = _function_of(model, input_signature, who)
        call, captured = function.python_function, capture(function, name=name)
    target = target or stablehlo.target_for(captured, call)
    if not isinstance(metadata or {}, Mapping):
        rule = "metadata must be text by name"
        raise ArgumentError(message(who, rule, repr(metadata), "Pass metadata={'author': '...'}."))
    known = {"name": name, "producer": f"nacre {nacre_version()}", **(metadata or {})}
    given = [] if samples is None else samples if isinstance(samples, list) else [samples]
    answers: list[Any] = []
    if labels is not None:
        answers = labels if isinstance(samples, list) and isinstance(labels, list) else [labels]
    return Plan(target, captured, call, name, who, options, known, verify, given, answers)


def _with_layers(model: Any, who: str) -> Any:
    if not isinstance(model, Model):
        rule = f"format='{tfjs_layers_writer.NAME}' is for models of layers"
        raise ArgumentError(message(who, rule, type(model).__name__, "Take format='tfjs'."))
    require_built(model, who)
    return model


def export_gaps(model: Model, format: str, input_signature: Any = None) -> list[str]:
    """What of a model has no form in a format, each with its layer and what to write instead."""
    who = f"{type(model).__name__} '{model.name}'.export"
    if format == _SAVED_MODEL:
        return SUPPORT.gaps(capture(_function_of(model, input_signature, who)).graph)
    if format == tfjs_layers_writer.NAME:
        return tfjs_layers_writer.gaps_of(_with_layers(model, who))
    return export_plan(model, format, input_signature, who).gaps()


def _write(folder: _Folder, filepath: Any, who: str, verify: bool) -> None:
    files, content = folder.files()
    with contextlib.ExitStack() as stack:
        if addresses.is_address(filepath):
            filepath, _ = stack.enter_context(addresses.written(filepath, who, True))
        saved_model.put_in_place(filepath, files, content if verify else None, who)


# --- functions ------------------------------------------------------------------------------------


def _require_built(layer: Any, who: str) -> None:
    if isinstance(layer, Model):
        require_built(layer, who)
    elif not layer.built:
        fix = "Call it once on data, or build(input_shape)."
        raise NotBuiltError(message(who, "it must be built", f"'{layer.name}', unbuilt", fix))


def _function_of(fn: Any, input_signature: Any, who: str) -> Function[..., Any]:
    """What is served, with what it takes."""
    if not callable(fn):
        raise ArgumentError(message(who, "fn must be something to call", type(fn).__name__))
    if isinstance(fn, Layer):
        _require_built(fn, who)
    keywords: list[str] = []
    if input_signature is None:
        input_signature, keywords = _known_signature(fn, who)
    if input_signature is None:
        rule = "shapes and dtypes of what it takes must be known"
        fix = "Pass input_signature=[nacre.InputSpec(shape=(None, 3), dtype='float32')]."
        raise ArgumentError(message(who, rule, "no input_signature", fix))
    if not isinstance(input_signature, list | tuple):  # of the one argument
        input_signature = [input_signature]
    if isinstance(fn, Model) and fn.inputs is not None and len(input_signature) > 1 + len(keywords):
        input_signature = [list(input_signature)]  # its inputs are one argument: a list
    signature = [tree.map_structure(lambda s: _spec(s, who), part) for part in input_signature]
    if isinstance(fn, Function):
        fn = fn._traced_function()
    if isinstance(fn, Layer):
        fn = _by_place(fn, len(signature) - len(keywords), keywords)
    return Function(fn, signature)


def _known_signature(fn: Any, who: str) -> tuple[Sequence[Any] | None, list[str]]:
    """What a function or model says that it takes, and the names of the last of these, which are
    given by name."""
    if isinstance(fn, Function):
        return fn.input_signature, []
    if isinstance(fn, Model):
        if fn.inputs is None:
            args, kwargs = saved_model.arguments_of(fn, who)
            return [*args, *kwargs.values()], list(kwargs)
        names = iter(fn.input_names)
        named = lambda t: KerasTensor(t.shape, t.dtype, name=next(names))
        return [tree.map_structure(named, fn.input)], []
    return None, []


def _spec(spec: Any, who: str) -> KerasTensor:
    """One tensor of a signature."""
    shape, dtype = getattr(spec, "shape", None), getattr(spec, "dtype", None)
    if shape is None or dtype is None:
        rule = "each tensor of input_signature must have a shape and a dtype"
        fix = f"nacre.InputSpec(shape=(None, 3), dtype='{floatx()}')."
        raise ArgumentError(message(who, rule, repr(spec), fix))
    sizes = tuple(None if size is None or size == -1 else int(size) for size in shape)
    kind = standardize_dtype(getattr(dtype, "name", dtype))
    name = getattr(spec, "name", None)
    return KerasTensor(sizes, kind, name=name if isinstance(name, str) else None)


def _by_place(layer: Any, count: int, keywords: Sequence[str]) -> Callable[..., Any]:
    """A layer as a function of arguments by place, in inference: layers that augment images take
    a call that says nothing for one of training.

    Args:
        count: How many have no names, as in Keras.
        keywords: The names of the others.
    """

    def call(*args: Any) -> Any:
        by_name = dict(zip(keywords, args[count:], strict=True))
        return layer(*args[:count], training=False, **by_name)

    kind = inspect.Parameter
    places = [kind(f"args_{index}", kind.POSITIONAL_ONLY) for index in range(count)]
    places += [kind(name, kind.POSITIONAL_OR_KEYWORD) for name in keywords]
    call.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
    call.__name__ = call.__qualname__ = layer.name
    return call


def _parameters(function: Callable[..., Any], count: int) -> list[str]:
    """What the arguments are called."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(function).parameters.values()
    names = [p.name for p in found if p.kind in kinds][:count]
    return names + [f"args_{index}" for index in range(len(names), count)]


# --- the folder -----------------------------------------------------------------------------------


class _Folder:
    """A folder in the making."""

    def __init__(
        self,
        tracked: Sequence[Any],
        endpoints: Any,
        collections: Mapping[str, Sequence[Variable]],
        who: str,
        root: Any = None,
    ) -> None:
        self._root = root
        self._endpoints: list[_Endpoint] = list(endpoints)
        self._collections = collections
        self._captured: dict[str, Captured] = {
            each.name: for_tensorflow(capture(each.function, name=each.name))
            for each in self._endpoints
        }
        SUPPORT.refuse([captured.graph for captured in self._captured.values()], who)
        found: list[Variable] = []
        for resource in tracked:
            found += [resource] if isinstance(resource, Variable) else resource.variables
        for captured in self._captured.values():
            found += captured.variables
        self._variables = list({id(v): v for v in found if not v.is_seed}.values())
        self._who = who
        self._writer = Writer()
        self._places: dict[int, int] = {}
        self._keys: dict[int, str] = {}

    def files(self) -> tuple[dict[str, regions.Content], Content]:
        writer = self._writer
        root = Thing()
        writer.add(root)
        lists = {
            "variables": self._variables,
            "trainable_variables": [v for v in self._variables if v.trainable],
            "non_trainable_variables": [v for v in self._variables if not v.trainable],
            **self._collections,
        }
        for name, variables in lists.items():
            places = [self._place(v, f"{name}/{number}") for number, v in enumerate(variables)]
            root.children[name] = writer.add_list(places)
        if self._root is not None:
            self._add_children(self._root, root, "", {})
        signatures: dict[str, int] = {}
        comparisons: list[Comparison] = []
        for endpoint in self._endpoints:
            self._add(endpoint, signatures, comparisons)
        root.children["signatures"] = writer.add(Thing("signature_map", signatures))
        files = {**writer.files(), "assets/": b""}
        arrays = {key_of(t.key): t.value for t in writer.things if t.value is not None}
        return files, Content(arrays, comparisons, self._who)

    def _add_children(self, holder: Any, thing: Thing, path: str, seen: dict[int, int]) -> None:
        """Add what an object holds, under the attributes that hold it."""
        for name, child in children_of_object(holder):
            inner = f"{path}/{name}" if path else name
            if isinstance(child, Variable):
                thing.children[name] = self._place(child, inner)
                continue
            if id(child) not in seen:
                made = Thing()
                seen[id(child)] = self._writer.add(made)
                self._add_children(child, made, inner, seen)
            thing.children[name] = seen[id(child)]

    def _place(self, variable: Variable, key: str) -> int:
        found = self._places.get(id(variable))
        if found is None:
            array = np.asarray(variable.numpy())
            trainable = bool(variable.trainable)
            found = self._writer.add_variable(key, variable.path, array, trainable, key)
            self._places[id(variable)], self._keys[id(variable)] = found, key
        return found

    def _add(
        self, endpoint: _Endpoint, signatures: dict[str, int], comparisons: list[Comparison]
    ) -> None:
        """Add a function: as an attribute, and as a signature."""
        name, captured = endpoint.name, self._captured[endpoint.name]
        graph = by_key(captured, self._keys)
        inputs, outputs = input_specs(captured), output_specs(captured)
        arguments = [structure_of(argument, inputs) for argument in captured.structure[0]]
        results = structure_of(captured.outputs, outputs)
        function = endpoint.function.python_function
        names = _parameters(function, len(arguments))
        call = Call(graph, tuple(arguments), results)
        self._writer.things[0].children[name] = self._writer.add_function(name, names, [], [call])
        keys = [] if name.startswith("_") else [name]
        if not signatures and DEFAULT_SIGNATURE not in self._captured:
            keys.append(DEFAULT_SIGNATURE)
        for key in keys:
            specs = list(inputs.values()), list(outputs.values())
            signatures[key] = self._writer.add_signature(key, graph, *specs)
        in_file = lambda program: program.endpoint(name)
        comparisons.append(Comparison(name, captured, arguments, in_file, function))

    def description(self, filepath: Any) -> str:
        """What was written, to be printed."""
        lines = [f"Exported to '{os.fsdecode(filepath)}'. Endpoints:"]
        for name, captured in self._captured.items():
            takes = ", ".join(f"{s.name}: {s.dtype}{_sizes(s.shape)}" for s in captured.inputs)
            gives = ", ".join(
                f"{s.name}: {s.dtype}{_sizes(s.shape)}" for s in output_specs(captured).values()
            )
            lines.append(f"  {name}({takes}) -> {gives}")
        return "\n".join(lines)


def _sizes(shape: Sequence[int | None] | None) -> str:
    return f"[{', '.join('None' if size is None else str(size) for size in shape or ())}]"


__all__ = ["ExportArchive", "export_model"]
