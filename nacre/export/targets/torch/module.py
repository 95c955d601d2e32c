"""A module of PyTorch made of a graph: its source, its weights in submodules by their paths."""

from __future__ import annotations

import contextlib
import itertools
import json
import keyword
import linecache
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np

from nacre.core.interop import optional_import
from nacre.export.graph.ir import Graph, Value
from nacre.export.graph.sizes import SizeExpr, multiple_of_name
from nacre.export.targets.target import Request
from nacre.export.targets.torch.program import Names, Program, identifier

Array: TypeAlias = np.ndarray[Any, Any]
WHO = "export to PyTorch"
# Beside the program in each file: what its inputs, outputs and weights are called in nacre.
METADATA = "nacre.json"
_count = itertools.count()


@dataclass(frozen=True)
class Made:
    """A module, and what is to be known of it.

    Attributes:
        module: A `torch.nn.Module`.
        source: The source of its class.
        inputs, outputs: Names of its parameters and results, in order.
        keys: Path of a weight -> its key in the state dict.
    """

    module: Any
    source: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    keys: Mapping[str, str]

    def metadata(self, request: Request) -> str:
        """What goes into the file beside the program, as JSON."""
        graph = request.graph
        described = {
            **request.metadata,
            "inputs": [_described(n, v) for n, v in zip(self.inputs, graph.inputs)],
            "outputs": [
                _described(name, output.value, output.name)
                for name, output in zip(self.outputs, graph.outputs)
            ],
            "weights": dict(self.keys),
        }
        return json.dumps(described, ensure_ascii=False, indent=1)


def _described(name: str, value: Value, called: str = "") -> dict[str, Any]:
    shape = [str(size) if isinstance(size, SizeExpr) else size for size in value.shape]
    return {"name": called or value.name, "argument": name, "dtype": value.dtype, "shape": shape}


def load_torch() -> Any:
    """The library."""
    return optional_import("torch", extra="torch", who=WHO)


def make_module(request: Request, forms: Mapping[str, object], *, is_script: bool) -> Made:
    """The module that computes a graph.

    Args:
        request: What is written.
        forms: The forms of ops.
        is_script: Whether TorchScript compiles it; else `torch.export` traces it.
    """
    torch = load_torch()
    graph = request.graph
    program = Program(forms, is_script)
    inputs = tuple(program.name(value.name) for value in graph.inputs)
    keys = _keys(torch, [weight.path for weight in graph.weights])
    attribute = _free("constants", {key.split(".")[0] for key in keys.values()})
    head = _write_head(program, graph, inputs, keys)
    program.nodes(graph)
    fields = Names({"count", "index", *keyword.kwlist})  # methods that tuples have
    outputs = tuple(fields.own(o.name.lstrip("_")) for o in graph.outputs)
    _write_return(program, graph)
    constants = [f"        {name} = self.{attribute}.{name}" for name in program.constants]
    lines = [*head, *constants, *("    " + line for line in program.lines)]
    source = _source(lines, inputs, outputs, is_script)
    module = _instance(source, identifier(request.name))
    for weight in graph.weights:
        _place(torch, module, keys[weight.path], weight.data, weight.trainable)
    for name, array in program.constants.items():
        _place(torch, module, f"{attribute}.{name}", array, False)
    return Made(module.eval(), source, inputs, outputs, keys)


def _write_head(
    program: Program, graph: Graph, inputs: Sequence[str], keys: Mapping[str, str]
) -> list[str]:
    """Bind inputs, weights and sizes; gives the lines that come before those of the program."""
    head = []
    for value, name in zip(graph.inputs, inputs):
        program.bind(value, name)
        if program.is_script:
            head += _check(value, name)
        head.append(f"        {name} = {name}.to(torch.{value.dtype})")
    head.append(f"        device = {inputs[0]}.device" if inputs else "        device = 'cpu'")
    for weight in graph.weights:
        name = program.name(weight.path.split("/")[-1])
        head.append(f"        {name} = self.{keys[weight.path]}")
        program.bind(weight.value, name)
        program.whole.add(name)
    program.name_sizes(graph)
    _check_sizes(program, graph, inputs)
    return head


def _check(value: Value, name: str) -> list[str]:
    """An input of another shape is refused, where it could be broadcast without a word."""
    fixed = [f"{name}.size({i}) == {n}" for i, n in enumerate(value.shape) if isinstance(n, int)]
    holds = " and ".join([f"{name}.dim() == {len(value.shape)}", *fixed])
    return [f"        assert {holds}, {_rule(value)}"]


def _check_sizes(program: Program, graph: Graph, inputs: Sequence[str]) -> None:
    """Sizes that have one name must be the same, and those in steps whole multiples."""
    first = {(v, axis): multiple for v, axis, multiple in graph.symbols().values()}
    for value, name in zip(graph.inputs, inputs):
        for axis, size in enumerate(value.shape):
            named = multiple_of_name(size)
            known = first.get((value, axis))
            if isinstance(size, int) or (known == 1 and named is not None and named[1] == 1):
                continue
            holds = f"{name}.size({axis}) == {program.size(size)}"
            plain = f"assert {holds}, {_rule(value)}"
            program.line(plain if program.is_script else f"torch._check({holds})")


def _rule(value: Value) -> str:
    sizes = ", ".join(str(size) for size in value.shape)
    return json.dumps(f"input '{value.name}' must have the shape ({sizes})")


def _write_return(program: Program, graph: Graph) -> None:
    # A result that is an input, a weight or another result is a tensor of its own to the caller.
    seen: set[Value] = {*graph.inputs, *(weight.value for weight in graph.weights)}
    names = []
    for _, value in graph.outputs:
        name = program.tensor(value)
        names.append(f"{name}.clone()" if value in seen or value in program.known else name)
        seen.add(value)
    if len(names) == 1:
        program.line(f"return {names[0]}")
    elif program.is_script:
        program.line(f"return Outputs({', '.join(names)})")
    else:
        program.line(f"return ({', '.join(names)})")


def _source(
    lines: Sequence[str], inputs: Sequence[str], outputs: Sequence[str], is_script: bool
) -> str:
    """The source of the module's class."""
    head = ["import torch", "from typing import List, NamedTuple", "from torch import Tensor"]
    if not is_script:
        head.append("from torch._higher_order_ops.scan import scan")
        head.append("from torch._higher_order_ops.while_loop import while_loop")
    if is_script and len(outputs) > 1:
        head += ["class Outputs(NamedTuple):", *(f"    {name}: Tensor" for name in outputs)]
    parameters = ", ".join(["self", *(f"{name}: Tensor" for name in inputs)])
    return "\n".join(
        [*head, "class Model(torch.nn.Module):", f"    def forward({parameters}):", *lines, ""]
    )


def _instance(source: str, name: str) -> Any:
    """A module of the class; TorchScript finds the source where Python keeps lines of files."""
    # TorchScript keeps what it compiled by name, so that each has a name of its own.
    number = next(_count)
    file = f"<nacre {name} {number}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"__name__": f"nacre_{name}_{number}"}
    exec(compile(source, file, "exec"), space)
    return space["Model"]()


# --- weights --------------------------------------------------------------------------------------


def _keys(torch: Any, paths: Sequence[str]) -> dict[str, str]:
    """Path of a weight -> the dotted name of its place among modules.

    Parts that Python or modules of PyTorch do not take as names of attributes get others, and so do
    those that would be a weight and a module at once.
    """
    own = set(dir(torch.nn.Module())) | set(dir(torch.jit.ScriptModule)) | {"device"}
    modules: dict[str, dict[str, str]] = {}  # place of a module -> its parts' names
    names: dict[str, Names] = {}
    found = {}
    for path in paths:
        place = ""
        *folders, last = [part for part in path.split("/") if part] or ["weight"]
        for part in folders:
            given = modules.setdefault(place, {})
            if part not in given:
                given[part] = names.setdefault(place, Names(own)).own(_attribute(part))
            place = f"{place}.{given[part]}".lstrip(".")
        name = names.setdefault(place, Names(own)).own(_attribute(last))
        found[path] = f"{place}.{name}".lstrip(".")
    return found


def _attribute(part: str) -> str:
    name = identifier(part)
    return f"{name}_" if keyword.iskeyword(name) else name


def _free(name: str, taken: set[str]) -> str:
    return Names(taken).own(name)


def _place(torch: Any, module: Any, key: str, array: Array, trainable: bool) -> None:
    """Put an array where its key says, with modules on the way."""
    *folders, last = key.split(".")
    for folder in folders:
        if not hasattr(module, folder):
            module.add_module(folder, torch.nn.Module())
        module = getattr(module, folder)
    tensor = as_tensor(torch, array)
    if trainable and tensor.is_floating_point():
        module.register_parameter(last, torch.nn.Parameter(tensor))
    else:
        module.register_buffer(last, tensor)


def as_tensor(torch: Any, array: Array) -> Any:
    """A tensor of its own with an array's numbers."""
    array = np.array(array, order="C")
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
    return torch.from_numpy(array)


def as_array(tensor: Any) -> Array:
    """An array with a tensor's numbers."""
    tensor = tensor.detach().cpu().resolve_conj()
    if str(tensor.dtype) == "torch.bfloat16":
        return tensor.contiguous().view(load_torch().int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What PyTorch says of its own future is not for those who call nacre."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


__all__ = ["METADATA", "WHO", "Made", "as_array", "as_tensor", "load_torch", "make_module", "quiet"]
