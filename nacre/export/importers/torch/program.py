"""`open_pt2`: an archive of `torch.export.save` as a program.

Source: torch/_export/serde/schema.py and torch/export/pt2_archive of PyTorch 2.14: a ZIP archive
with the graph as JSON, and each weight as its bare bytes. Pickles in it are never opened.
"""

from __future__ import annotations

import base64
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import lax

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
from nacre.export.importers.imported import Call, Port, Weight, model_of, warn_of_rounded
from nacre.export.importers.onnx.values import GraphError, NotKnownError, computed, lifted
from nacre.export.importers.torch import rarer as rarer  # they register themselves
from nacre.export.importers.torch.decomposed import trained_norm
from nacre.export.importers.torch.operators import DTYPES, SIZES
from nacre.export.importers.torch.steps import HIGHER, Body, Step, read_names, renamed_argument
from nacre.export.importers.torch.written import in_order
from nacre.export.importers.wide_work import note, note_constant, without_rounding

_CALL = "forward"
_FLOATS = ("float16", "float32", "bfloat16", "float64")
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
            program = _read(source, who)
            warn_of_rounded(who, program.rounded)
            return model_of(program, name)
        except NacreError:
            raise
        except (ValueError, zipfile.BadZipFile, KeyError, TypeError) as error:
            rule = "it must hold a program of torch.export that can be computed"
            text = f"{type(error).__name__}: {str(error)[:200]}"
            raise FileFormatError(message(who, rule, text)) from error


def _read(source: Any, who: str) -> PT2Program:
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        assert archive.fp is not None
        size = archive.fp.seek(0, 2)  # what its directory says of sizes may be anything
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
    found = np.lib.stride_tricks.as_strided(flat[offset:], shape, steps)
    return np.ascontiguousarray(found).reshape(shape)  # which makes a vector of a number


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
        _drop_metadata(graph["nodes"])
        self._held: dict[str, str] = {}  # name in the graph -> name of the array
        inputs = self._read_inputs(signature["input_specs"])
        self._outputs = self._read_outputs(signature["output_specs"])
        told = list(self._outputs)
        values = self._kinds = graph["tensor_values"]
        steps = [Step(node) for node in graph["nodes"]]
        steps, kept = in_order(steps, self._outputs, self._held, values)
        self._kept = {self._held[name]: to for name, to in kept.items()} | self._kept
        self._steps = _needed(steps, [*self._outputs, *self._kept.values()])
        for step in self._steps:
            _put_in_order(step)
        self._refuse_unknown()
        used = {n for s in self._steps for _, a in s.inputs for n in read_names(a)}
        used |= {*self._outputs, *self._kept.values()}
        self._held = {name: key for name, key in self._held.items() if name in used}
        keys = dict.fromkeys(self._held.values())
        if missing := [key for key in keys if key not in arrays]:
            raise ValueError(f"arrays are missing: {listed(missing)}")
        if strangers := sorted(set(self._kept) - set(keys)):
            raise ValueError(
                f"it changes {listed(list(map(repr, strangers)))}, which it does not hold"
            )
        changed = {k: arrays[k] for k in keys if k in self._kept}
        variables = {k: v for k in keys if (v := _as_variable(arrays[k], k in changed)) is not None}
        self._constants = {k: arrays[k] for k in keys if k not in variables}
        self.weights: Mapping[str, Weight] = {
            k: Weight(value, k in trained) for k, value in variables.items()
        }
        self.rounded = [k for k in self._constants if k in trained and arrays[k].size > 1]
        ports = tuple(_port(name, values[name]) for name in inputs)
        outputs = tuple(
            _port(name, values[name])._replace(
                name=f"output_{i}" if len(self._outputs) > 1 else "output"
            )
            for i, name in enumerate(told)
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
        self._kept: dict[str, str] = {}  # name of an array -> what is in it after a call
        for spec in specs:
            (kind, value), *_ = spec.items()
            if kind == "buffer_mutation":
                self._kept[value["buffer_name"]] = value["arg"]["name"]
                continue
            if kind != "user_output" or "as_tensor" not in value["arg"]:
                raise FileFormatError(
                    message(
                        self._who, "a program must give arrays, and change buffers alone",
                        f"an output of the kind '{kind}'", "Export the model after model.eval().",
                    )
                )  # fmt: skip
            found.append(value["arg"]["as_tensor"]["name"])
        return found

    def _refuse_unknown(self) -> None:
        """Raise, with all operators that are not known."""
        missing: dict[str, str] = {}
        steps = list(_all_steps(self._steps))
        for step in steps:
            if step.function is None:
                missing.setdefault(step.target, step.name)
        if not missing:
            return
        told = [f"{target} in '{name}'" for target, name in sorted(missing.items())]
        count = len({step.target for step in steps})
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
        for name in self._held:
            values[name] = self._as_told(name, values[name], self._kinds)
        values |= dict(zip(self._input_names, arrays, strict=True))
        for step in self._steps:
            self._run(step, values, self._kinds)
        updates = {
            key: values[name].astype(computed(self.weights[key].value.dtype))
            for key, name in self._kept.items()
            if key in self.weights
        }
        return [jnp.asarray(values[name]) for name in self._outputs], updates

    def _as_told(self, name: str, value: Any, kinds: Mapping[str, Any]) -> Any:
        """A value in the dtype that the file says: a Python number makes no float64 of it."""
        told = kinds.get(name)
        if told is None or not hasattr(value, "dtype") or not hasattr(value, "astype"):
            return value
        kind = computed(np.dtype(_numpy_name(told["dtype"])))
        return value if value.dtype == kind or value.dtype == object else value.astype(kind)

    @property
    def _input_names(self) -> list[str]:
        return [port.name for port in self.calls[_CALL].inputs]

    def _run(self, step: Step, values: dict[str, Any], kinds: Mapping[str, Any]) -> None:
        try:
            if step.compute is not None:
                step.compute(lambda view, held: self._run(view, held, {}), values)
                return
            arguments = [_argument(argument, values) for _, argument in step.inputs]
            names = ["x" if name in ("self", "input") else name for name, _ in step.inputs]
            if step.target in HIGHER:
                found = self._chosen(step, arguments)
            elif step.target in SIZES:
                found = step.function(*arguments)
            elif step.op == "batch_norm" and arguments[names.index("training")]:
                found = _trained(step, dict(zip(names, arguments, strict=True)), values)
            else:
                found = step.function(**dict(zip(names, arguments, strict=True)))
        except NotKnownError as error:
            rule = f"node '{step.name}' ({step.target}) must be computed while it is compiled"
            raise UnsupportedError(message(self._who, rule, str(error))) from error
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            if isinstance(error, NacreError):
                raise
            rule = f"node '{step.name}' ({step.target}) must be computed from what it is given"
            raise ShapeError(message(self._who, rule, str(error))) from error
        for value in arguments:
            if type(value) is int and value != _NO_END:
                note_constant(np.asarray(value))
        outputs = step.outputs[0] if len(step.outputs) == 1 else step.outputs
        is_one = isinstance(outputs, str)
        if is_one and isinstance(found, list | tuple) and step.target in HIGHER:
            found = found[0]
        given_back = [found] if is_one or not isinstance(found, list | tuple) else list(found)
        given_names = [outputs] if is_one else outputs
        found = [
            self._as_told(name, value, kinds) if isinstance(name, str) else value
            for name, value in zip(given_names, given_back, strict=False)
        ]
        note(step.op, arguments, found)
        values |= {
            n: v for n, v in zip(given_names, found, strict=False) if isinstance(n, str) and n
        }

    def _chosen(self, step: Step, arguments: list[Any]) -> list[Any]:
        """What a branch gives, or a loop."""
        bodies = list(step.bodies.values())
        if len(bodies) != 2:
            raise GraphError(f"{len(bodies)} graphs where two are needed")
        if step.target == HIGHER[0]:
            chosen = arguments[0]
            own = list(arguments[3])
            if isinstance(chosen, bool):
                return self._within(bodies[0 if chosen else 1], own)
            return lax.cond(
                jnp.reshape(chosen, ()),
                lambda own: self._within(bodies[0], own),
                lambda own: self._within(bodies[1], own),
                own,
            )
        moving, more = [jnp.asarray(v) for v in arguments[2]], list(arguments[3] or ())

        def go_on(state: list[Any]) -> Any:
            return jnp.reshape(self._within(bodies[0], [*state, *more])[0], ())

        def turn(state: list[Any]) -> list[Any]:
            found = self._within(bodies[1], [*state, *more])
            return [jnp.asarray(v, old.dtype) for v, old in zip(found, state, strict=True)]

        return lax.while_loop(go_on, turn, moving)

    def _within(self, body: Body, given: list[Any]) -> list[Any]:
        values: dict[str, Any] = dict(zip(body.inputs, given, strict=True))
        for step in body.steps:
            self._run(step, values, body.kinds)
        found = [_argument(argument, values) for argument in body.outputs]
        return [jnp.asarray(v) for one in found for v in (one if isinstance(one, list) else [one])]


def _trained(step: Step, given: dict[str, Any], values: dict[str, Any]) -> Any:
    """Batch normalization in training: what it keeps is changed."""
    names = ("x", "weight", "bias", "running_mean", "running_var", "momentum", "eps")
    y, *moved = trained_norm(*(given.get(name) for name in names))
    for place, value in zip(("running_mean", "running_var"), moved, strict=True):
        if place in step.moves:
            values[step.moves[place]] = value
    return y


def _put_in_order(step: Step) -> None:
    """The same within its graphs."""
    for body in step.bodies.values():
        outputs = [n for argument in body.outputs for n in read_names(argument)]
        now = list(outputs)
        steps, _ = in_order(body.steps, now, {}, body.kinds)
        names = dict(zip(outputs, now, strict=True))
        body.outputs = [renamed_argument(argument, names) for argument in body.outputs]
        body.steps = _needed(steps, now)
        for inner in body.steps:
            _put_in_order(inner)


def _all_steps(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for body in step.bodies.values():
            yield from _all_steps(body.steps)


def _drop_metadata(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        node.pop("metadata", None)
        for item in node["inputs"]:
            if "as_graph" in item["arg"]:
                _drop_metadata(item["arg"]["as_graph"]["graph"]["nodes"])


def _numpy_name(number: Any) -> Any:
    name = DTYPES.get(number)
    if name is None:
        raise GraphError(f"the dtype {number} of PyTorch")
    return ml_dtypes.bfloat16 if name == "bfloat16" else name


def _argument(argument: dict[str, Any], values: dict[str, Any]) -> Any:
    """An argument as a value."""
    (kind, value), *_ = argument.items()

    def one(item: Any) -> Any:
        return values[item["as_name"]] if "as_name" in item else next(iter(item.values()))

    match kind:
        case "as_graph" | "as_none" | "as_device" | "as_layout" | "as_memory_format":
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


def _as_variable(array: np.ndarray[Any, Any], is_changed: bool) -> np.ndarray[Any, Any] | None:
    """Numbers as a variable has them; None for those that are constants."""
    if is_changed and array.dtype.kind in "iub":
        return array
    if array.dtype.name not in _FLOATS or not (array.ndim or is_changed):
        return None
    return without_rounding(array)


def _port(name: str, value: dict[str, Any]) -> Port:
    kind = DTYPES.get(value["dtype"])
    if kind is None:
        raise ValueError(f"'{name}' has the dtype {value['dtype']}")
    return Port(name, kind, tuple(size.get("as_int") for size in value["sizes"]))


def _needed(steps: list[Step], outputs: Sequence[str]) -> list[Step]:
    """Steps that the outputs need: checks and what only they read stay out."""
    wanted, kept = set(outputs), list[Step]()
    for step in reversed(steps):
        if any(part in step.target for part in _CHECKS):
            continue
        if wanted.intersection([*step.all_outputs, *step.moves.values()]):
            kept.append(step)
            wanted |= {n for _, argument in step.inputs for n in read_names(argument)}
    return kept[::-1]


__all__ = ["PT2Program", "open_model", "opened"]
