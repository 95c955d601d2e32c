"""`open_pt2`: an archive of `torch.export.save` as a program.

Source: torch/_export/serde/schema.py and torch/export/pt2_archive of PyTorch 2.14: a ZIP archive
with the graph as JSON, and each weight as its bare bytes. Pickles in it are never opened.
"""

from __future__ import annotations

import base64
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np

from nacre.core import safety
from nacre.core.errors import (
    FileFormatError,
    NacreError,
    ShapeError,
    UnsupportedError,
    UnsupportedOpError,
    listed,
    message,
)
from nacre.core.file_errors import naming
from nacre.export.importers.imported import Call, Port, Weight, model_of
from nacre.export.importers.onnx.values import GraphError, NotKnownError, lifted
from nacre.export.importers.torch.operators import DTYPES, OPS, SIZES
from nacre.export.importers.wide_work import note, note_constant

_CALL = "forward"
_FLOATS = ("float16", "float32", "bfloat16")
# Operators whose result is a part, or another view, of what they are given.
_VIEWS = frozenset(
    ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "permute", "transpose", "t",
     "unsqueeze", "squeeze", "expand", "select", "slice", "narrow", "split", "split_with_sizes",
     "chunk", "unbind", "detach", "alias", "contiguous", "to", "movedim", "swapaxes", "expand_as",
     "dropout", "lift_fresh", "broadcast_to", "clone")
)  # fmt: skip
_NO_END = (1 << 63) - 1  # of a slice
# What stops a run in PyTorch, and gives nothing.
_CHECKS = ("_assert", "sym_constrain", "_check")


def open_model(source: Any, who: str, name: str) -> Any:
    """An archive of `torch.export` as a model.

    Args:
        source: The file's path, or a file object.
        who: What errors call it.
        name: Of the model.

    Raises:
        FileFormatError: It is damaged, or of another form.
        UnsupportedOpError: It has operators that nacre does not compute; all of them are told.
    """
    with safety.reading(True), naming(who, "the graph"):
        try:
            return model_of(_read(source, who), name)
        except NacreError:
            raise
        except (ValueError, zipfile.BadZipFile, KeyError, TypeError) as error:
            rule = "it must hold a program of torch.export that can be computed"
            text = f"{type(error).__name__}: {str(error)[:200]}"
            raise FileFormatError(message(who, rule, text)) from error


def _read(source: Any, who: str) -> PT2Program:
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        size = sum(info.compress_size for info in archive.infolist())
        if any(info.file_size > info.compress_size for info in archive.infolist()):
            raise ValueError("its members must be stored as they are, not packed")
        safety.set_file_size(size)
        graphs = [
            n for n in names if n.startswith(f"{n.split('/')[0]}/models/") and n[-5:] == ".json"
        ]
        if len(graphs) != 1:
            old = any(n.endswith("serialized_exported_program.json") for n in names)
            what = "one of PyTorch before 2.8" if old else f"{len(graphs)} programs"
            fix = "Save it again with torch.export.save of PyTorch 2.9 or newer."
            raise FileFormatError(message(who, "the archive must hold one program", what, fix))
        root = graphs[0].split("/")[0]
        if archive.read(f"{root}/byteorder").strip() != b"little":
            raise ValueError("its numbers must begin with the lowest byte")
        program = json.loads(archive.read(graphs[0]))
        stem = graphs[0].split("/")[-1][:-5]
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        trained: set[str] = set()
        for folder, kind in (("weights", "weights"), ("constants", "constants")):
            path = f"{root}/data/{folder}/{stem}_{kind}_config.json"
            if path not in names:
                continue
            for key, entry in json.loads(archive.read(path))["config"].items():
                if entry["use_pickle"]:
                    rule = "weights must be stored as bare bytes; pickles are never opened"
                    raise FileFormatError(message(who, rule, f"'{key}', a pickle"))
                data = archive.read(f"{root}/data/{folder}/{entry['path_name']}")
                arrays[key] = _array(data, entry["tensor_meta"], key)
                if entry["is_param"]:
                    trained.add(key)
    return PT2Program(program["graph_module"], arrays, trained, who)


def _array(data: bytes, meta: dict[str, Any], key: str) -> np.ndarray[Any, Any]:
    """Numbers in their shape, from bytes and strides."""
    name = DTYPES.get(meta["dtype"])
    if name is None:
        raise ValueError(f"'{key}' has the dtype {meta['dtype']}")
    kind = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
    shape = [size["as_int"] for size in meta["sizes"]]
    strides = [size["as_int"] for size in meta["strides"]]
    offset = meta["storage_offset"]["as_int"]
    if len(data) % kind.itemsize or any(n < 0 for n in (*shape, *strides, offset)):
        raise ValueError(f"'{key}' has {len(data)} bytes for the shape {shape}")
    flat = np.frombuffer(data, kind)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if not math.prod(shape):
        return np.zeros(shape, kind)
    if last >= flat.size:
        raise ValueError(f"'{key}' has {len(data)} bytes for the shape {shape}")
    if math.prod(shape) > flat.size:  # expanded: a file of a few bytes may tell any shape
        safety.reserve(math.prod(shape) * kind.itemsize, f"'{key}'")
    steps = [stride * kind.itemsize for stride in strides]
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat[offset:], shape, steps))


def opened(data: bytes, who: str) -> PT2Program:
    """A program whose weights are kept apart, from the bytes that `without_weights` gives."""
    with naming(who, "the program"):
        content = json.loads(data)
        arrays: dict[str, np.ndarray[Any, Any]] = {
            key: np.frombuffer(base64.b64decode(text), kind).reshape(shape)
            for key, (kind, shape, text) in content["constants"].items()
        }
        for key, (kind, shape) in content["weights"].items():
            dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else kind)
            arrays[key] = np.broadcast_to(np.zeros((), dtype), shape)
        return PT2Program(content["module"], arrays, set(content["trained"]), who)


class _Step:
    """A node: its function, its arguments, the names of what it gives."""

    def __init__(self, node: dict[str, Any]) -> None:
        self.target: str = node["target"]
        self.name = str(node.get("name") or self.target)
        parts = self.target.split(".")
        self.op = parts[3] if self.target.startswith("torch.ops.aten.") else self.target
        self.is_written = self.op.endswith("_") and not self.op.startswith("_")
        self.inputs = [(item["name"], item["arg"]) for item in node["inputs"]]
        self.outputs = [_names(output) for output in node["outputs"]]

    @property
    def function(self) -> Any:
        """What computes it; None where nothing does."""
        if self.target in SIZES:
            return SIZES[self.target]
        return OPS.get(self.op.removesuffix("_") if self.is_written else self.op)

    @property
    def all_outputs(self) -> list[str]:
        """Names, one behind the other."""
        return [n for names in self.outputs for n in ([names] if isinstance(names, str) else names)]


def _names(output: dict[str, Any]) -> Any:
    """The name of an output, or those of a list."""
    (kind, value), *_ = output.items()
    match kind:
        case "as_tensor":
            return value["name"]
        case "as_tensors":
            return [item["name"] for item in value]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return value["as_name"]
        case "as_optional_tensor":
            return value["as_tensor"]["name"] if "as_tensor" in value else ""
    return ""


def _read_names(argument: dict[str, Any]) -> list[str]:
    """Names of values that an argument reads."""
    (kind, value), *_ = argument.items()
    match kind:
        case "as_tensor":
            return [value["name"]]
        case "as_tensors":
            return [item["name"] for item in value]
        case "as_optional_tensor":
            return [value["as_tensor"]["name"]] if "as_tensor" in value else []
        case "as_optional_tensors":
            return [item["as_tensor"]["name"] for item in value if "as_tensor" in item]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return [value["as_name"]] if "as_name" in value else []
        case "as_sym_ints":
            return [item["as_name"] for item in value if "as_name" in item]
    return []


class PT2Program:
    """A graph of ATen operators: what `importers.imported` makes a model of.

    Attributes:
        calls: Its inputs and outputs, under the name `forward`.
        weights: Parameters, which are trained, and buffers, by their names in the module.
    """

    kind = "pt2"

    def __init__(
        self, module: dict[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]], trained: set[str],
        who: str,
    ) -> None:  # fmt: skip
        self._who, self._trained = who, trained
        graph, signature = module["graph"], module["signature"]
        kept = ("inputs", "outputs", "nodes", "tensor_values", "is_single_tensor_return")
        self._module = {
            "graph": {key: graph[key] for key in kept if key in graph}, "signature": signature,
        }  # fmt: skip
        for node in graph["nodes"]:
            node.pop("metadata", None)
        self._held: dict[str, str] = {}  # name in the graph -> name of the array
        inputs = self._read_inputs(signature["input_specs"])
        self._outputs = self._read_outputs(signature["output_specs"])
        self._steps = _needed(
            _in_order([_Step(n) for n in graph["nodes"]], self._outputs, self._held), self._outputs
        )
        self._refuse_unknown()
        values = graph["tensor_values"]
        used = {n for s in self._steps for _, a in s.inputs for n in _read_names(a)} | set(
            self._outputs
        )
        self._held = {name: key for name, key in self._held.items() if name in used}
        keys = dict.fromkeys(self._held.values())
        if missing := [key for key in keys if key not in arrays]:
            raise ValueError(f"arrays are missing: {listed(missing)}")
        self._constants = {k: arrays[k] for k in keys if not _is_weight(arrays[k])}
        self.weights: Mapping[str, Weight] = {
            k: Weight(arrays[k], k in trained) for k in keys if _is_weight(arrays[k])
        }
        ports = tuple(_port(name, values[name]) for name in inputs)
        outputs = tuple(
            _port(name, values[name])._replace(
                name=f"output_{i}" if len(self._outputs) > 1 else "output"
            )
            for i, name in enumerate(self._outputs)
        )
        self.calls: Mapping[str, Call] = {_CALL: Call(ports, outputs)}
        wide = ("int64", "uint64", "float64", "complex128")
        self._has_64_bits = any(DTYPES.get(v["dtype"]) in wide for v in values.values())

    @property
    def has_64_bits(self) -> bool:
        """Whether an array of the graph has them."""
        return self._has_64_bits

    def _read_inputs(self, specs: Sequence[dict[str, Any]]) -> list[str]:
        """Names of what the user gives; what else there is is held by the program."""
        found: list[str] = []
        for spec in specs:
            (kind, value), *_ = spec.items()
            match kind:
                case "user_input":
                    if "as_tensor" in value["arg"]:
                        found.append(value["arg"]["as_tensor"]["name"])
                case "parameter" | "buffer" | "tensor_constant":
                    self._held[value["arg"]["name"]] = value[f"{kind}_name"]
                case _:
                    raise ValueError(f"an input of the kind '{kind}'")
        return found

    def _read_outputs(self, specs: Sequence[dict[str, Any]]) -> list[str]:
        found: list[str] = []
        for spec in specs:
            (kind, value), *_ = spec.items()
            if kind != "user_output" or "as_tensor" not in value["arg"]:
                raise FileFormatError(
                    message(
                        self._who, "a program must give arrays, and change nothing it holds",
                        f"an output of the kind '{kind}'", "Export the model after model.eval().",
                    )
                )  # fmt: skip
            found.append(value["arg"]["as_tensor"]["name"])
        return found

    def _refuse_unknown(self) -> None:
        """Raise, with all operators that are not known."""
        missing: dict[str, str] = {}
        for step in self._steps:
            if step.function is None:
                missing.setdefault(step.target, step.name)
        if not missing:
            return
        told = [f"{target} in '{name}'" for target, name in sorted(missing.items())]
        count = len({step.target for step in self._steps})
        raise UnsupportedOpError(
            message(
                self._who,
                f"its operators must be those of ATen that nacre computes; {len(missing)} of "
                f"{count} are not",
                listed(told),
                "program.run_decompositions() before torch.export.save writes plainer ones.",
            )
        )

    def without_weights(self) -> bytes:
        """The graph, and the arrays that are no weights."""
        constants = {
            key: (
                a.dtype.name,
                a.shape,
                base64.b64encode(np.ascontiguousarray(a).tobytes()).decode(),
            )
            for key, a in self._constants.items()
        }
        weights = {k: (w.value.dtype.name, w.value.shape) for k, w in self.weights.items()}
        content = {
            "module": self._module, "constants": constants, "weights": weights,
            "trained": sorted(self._trained),
        }  # fmt: skip
        return json.dumps(content).encode()

    def compute(
        self, call: str, weights: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The outputs for arrays, in the order of the file."""
        values: dict[str, Any] = {
            name: weights[key] if key in self.weights else lifted(self._constants[key])
            for name, key in self._held.items()
        }
        inputs = self._input_names
        values |= dict(zip(inputs, arrays, strict=True))
        for step in self._steps:
            self._run(step, values)
        return [jnp.asarray(values[name]) for name in self._outputs], {}

    @property
    def _input_names(self) -> list[str]:
        return [port.name for port in self.calls[_CALL].inputs]

    def _run(self, step: _Step, values: dict[str, Any]) -> None:
        try:
            given = {
                "x" if name in ("self", "input") else name: _argument(argument, values)
                for name, argument in step.inputs
            }
            if step.target in SIZES:
                found = step.function(*given.values())
            else:
                found = step.function(**given)
        except NotKnownError as error:
            rule = f"node '{step.name}' ({step.target}) must be computed while it is compiled"
            raise UnsupportedError(message(self._who, rule, str(error))) from error
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            if isinstance(error, NacreError):
                raise
            rule = f"node '{step.name}' ({step.target}) must be computed from what it is given"
            raise ShapeError(message(self._who, rule, str(error))) from error
        for value in given.values():
            if type(value) is int and value != _NO_END:
                note_constant(np.asarray(value))
        names = step.outputs[0] if len(step.outputs) == 1 else step.outputs
        if isinstance(names, str):
            note(step.op, given.values(), (found,))
            values[names] = found
            return
        given_back = found if isinstance(found, list | tuple) else (found,)
        note(step.op, given.values(), given_back)
        values |= {
            n: v for n, v in zip(names, given_back, strict=False) if isinstance(n, str) and n
        }


def _argument(argument: dict[str, Any], values: dict[str, Any]) -> Any:
    """An argument as a value."""
    (kind, value), *_ = argument.items()

    def one(item: Any) -> Any:
        return values[item["as_name"]] if "as_name" in item else next(iter(item.values()))

    match kind:
        case "as_none" | "as_device" | "as_layout" | "as_memory_format":
            return None
        case "as_tensor":
            return values[value["name"]]
        case "as_tensors":
            return [values[item["name"]] for item in value]
        case "as_optional_tensor":
            return values[value["as_tensor"]["name"]] if "as_tensor" in value else None
        case "as_optional_tensors":
            return [values[i["as_tensor"]["name"]] if "as_tensor" in i else None for i in value]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return one(value)
        case "as_sym_ints" | "as_sym_floats":
            return [one(item) for item in value]
        case "as_float":
            return float(value)  # JSON has no infinity: "Infinity", "-Infinity", "NaN"
        case "as_floats":
            return [float(item) for item in value]
        case "as_int" | "as_ints" | "as_bool" | "as_bools":
            return value
        case "as_string" | "as_strings" | "as_scalar_type":
            return value
    raise GraphError(f"an argument of the kind '{kind}'")


def _is_weight(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.name in _FLOATS and array.ndim > 0


def _port(name: str, value: dict[str, Any]) -> Port:
    kind = DTYPES.get(value["dtype"])
    if kind is None:
        raise ValueError(f"'{name}' has the dtype {value['dtype']}")
    return Port(name, kind, tuple(size.get("as_int") for size in value["sizes"]))


# --- operators that write -------------------------------------------------------------------------


def _in_order(steps: list[_Step], outputs: list[str], held: Mapping[str, str]) -> list[_Step]:
    """Steps of which none writes into an array: later ones read what a writing one gives.

    Args:
        steps: In the order of the file.
        outputs: Names of what is given, changed in place to those that stand in their place.
        held: Name in the graph -> name of an array that the program keeps between calls.

    Raises:
        UnsupportedOpError: Another view of what is written to is read later, or it is kept.
    """
    group: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for at, step in enumerate(steps):
        step.inputs = [(name, _renamed(argument, renamed)) for name, argument in step.inputs]
        reads = [n for _, argument in step.inputs for n in _read_names(argument)]
        plain = step.op.removesuffix("_") if step.is_written else step.op
        root = group.get(reads[0], reads[0]) if reads else ""
        if step.is_written and plain != "detach":
            if root in held:
                raise UnsupportedOpError(
                    message(
                        f"node '{step.name}'", "a program must change nothing it holds",
                        f"{step.target}, which writes into '{held[root]}'",
                        "Export the model after model.eval().",
                    )
                )  # fmt: skip
            own = next(iter(_read_names(step.inputs[0][1])), "")
            others = {n for n, r in group.items() if r == root and n != own} | ({root} - {own})
            later = {n for s in steps[at + 1 :] for _, a in s.inputs for n in _read_names(a)}
            later = {renamed.get(n, n) for n in later | set(outputs)}
            if clash := sorted(others & later):
                raise UnsupportedOpError(
                    message(
                        f"node '{step.name}'", "what is written to must have no other view",
                        f"{step.target}, and '{clash[0]}' is read later",
                        "program.run_decompositions() before torch.export.save writes none.",
                    )
                )  # fmt: skip
            for name, to in list(renamed.items()):
                if to == own:
                    renamed[name] = step.all_outputs[0]
            renamed[own] = step.all_outputs[0]
        if reads and (plain in _VIEWS or step.is_written):
            group |= dict.fromkeys(step.all_outputs, root)
    outputs[:] = [renamed.get(name, name) for name in outputs]
    return steps


def _renamed(argument: Any, names: Mapping[str, str]) -> Any:
    """An argument that reads what stands in the place of names."""
    if not names:
        return argument
    if isinstance(argument, dict):
        return {
            k: names.get(v, v) if k == "name" and isinstance(v, str) else _renamed(v, names)
            for k, v in argument.items()
        }
    return [_renamed(item, names) for item in argument] if isinstance(argument, list) else argument


def _needed(steps: list[_Step], outputs: Sequence[str]) -> list[_Step]:
    """Steps that the outputs need: checks and what only they read stay out."""
    wanted, kept = set(outputs), list[_Step]()
    for step in reversed(steps):
        if any(part in step.target for part in _CHECKS):
            continue
        if wanted.intersection(step.all_outputs):
            kept.append(step)
            wanted |= {n for _, argument in step.inputs for n in _read_names(argument)}
    return kept[::-1]


__all__ = ["PT2Program", "open_model", "opened"]
