"""A written package run in NumPy, op by op, from what stands in its files.

Apple's runtime is on Apple's machines alone. What is compared here is that the program, as it was
written and is read again, with its layouts, orders of gates and paddings, computes what the model
computes under the meaning that Apple's documents give to its ops; not what its runtime makes of it.

Source: the reference of MIL's ops in the documents of coremltools 9.0.
"""

from __future__ import annotations

import importlib
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.export.graph.ops.convolution import average_pool, conv, conv_transpose, max_pool
from nacre.export.targets.coreml.write import coremltools, quiet
from nacre.export.targets.target import Run, Runtime

Inputs = Mapping[str, Any]
Values = dict[int, Any]  # by the identity of variables: constants of inner blocks share names
_NUMPY = {"fp32": "float32", "fp16": "float16", "int32": "int32", "bool": "bool"}


def open_package(path: Path) -> Run:
    """The program of a package as a function of arrays."""
    ct = coremltools()
    with quiet(), tempfile.TemporaryDirectory() as folder:
        # What is still written has another name than coremltools asks for.
        copy = Path(folder) / "model.mlpackage"
        shutil.copytree(path, copy)
        model = ct.models.MLModel(str(copy), skip_model_load=True)
        spec = model.get_spec()
        loader = importlib.import_module("coremltools.converters.mil.frontend.milproto.load")
        program = loader.load(spec, spec.specificationVersion, model.weights_dir)
    function = program.functions["main"]
    names = [tensor.name for tensor in spec.description.input]

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        values: Values = {}
        for name, array in zip(names, arrays, strict=True):
            is_short = array.dtype.kind in "biu" and array.dtype.itemsize < 4
            known = array.astype("int32") if is_short else np.asarray(array)
            values[id(function.inputs[name])] = known
        with np.errstate(all="ignore"):
            return _block(function, values)

    return run


def _block(block: Any, values: Values) -> list[Any]:
    """The results of a block."""
    for op in block.operations:
        results = _results(op, values)
        for var, result in zip(op.outputs, results, strict=True):
            values[id(var)] = result
    return [_value(var, values) for var in block.outputs]


def _value(var: Any, values: Values) -> Any:
    if isinstance(var, list | tuple):
        return [_value(one, values) for one in var]
    if id(var) in values:
        return values[id(var)]
    return _number(var.val)


def _number(value: Any) -> Any:
    return value if isinstance(value, str | bool) else np.asarray(value)


def _results(op: Any, values: Values) -> Sequence[Any]:
    kind = op.op_type
    if kind == "const":
        return [_number(op.val.val if hasattr(op.val, "val") else op.outputs[0].val)]
    if kind == "while_loop":
        return _loop(op, values)
    if kind == "cond":
        chosen = op.blocks[0 if bool(_value(op.inputs["pred"], values)) else 1]
        return _block(chosen, dict(values))
    inputs = _Asked((n, _value(var, values)) for n, var in op.inputs.items() if var is not None)
    found = _OPS[kind](inputs)
    if unread := [
        name for name, value in inputs.items() if name not in inputs.asked and _counts(value)
    ]:
        raise ValueError(f"{kind} has inputs that are not known here: {', '.join(unread)}")
    return found if isinstance(found, tuple) else (found,)


class _Asked(dict[str, Any]):
    """The inputs of an op, with those that were asked for: coremltools' passes give ops inputs of
    their own, such as the bias of a sum, and one that is passed over is a wrong number."""

    def __init__(self, given: Any) -> None:
        super().__init__(given)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


def _counts(value: Any) -> bool:
    """Whether it is numbers that something is computed with; others say how, and are defaults."""
    array = np.asarray(value) if not isinstance(value, str | list) else np.zeros(0)
    return array.dtype.kind == "f" and array.ndim > 0 and bool(array.any())


def _loop(op: Any, values: Values) -> list[Any]:
    condition, body = op.blocks
    state = [_value(var, values) for var in op.inputs["loop_vars"]]
    while True:
        inner = {**values, **dict(zip(map(id, condition.inputs), state))}
        if not bool(_block(condition, inner)[0]):
            return state
        inner = {**values, **dict(zip(map(id, body.inputs), state))}
        state = _block(body, inner)


# --- ops ------------------------------------------------------------------------------------------

_OPS: dict[str, Callable[[Inputs], Any]] = {}


def _op(*names: str) -> Callable[[Any], Any]:
    def declare(function: Any) -> Any:
        _OPS.update({name: function for name in names})
        return function

    return declare


def _floats(function: Callable[[Any], Any]) -> Callable[[Inputs], Any]:
    return lambda i: np.asarray(function(i["x"])).astype(i["x"].dtype)


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=["float64"])(x.astype("float64"))


def _sigmoid(x: Any) -> Any:
    return np.where(
        x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x)))
    )


_UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs, "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "atanh": np.arctanh,
    "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh, "erf": _erf, "exp": np.exp, "exp2": np.exp2,
    "floor": np.floor, "identity": lambda x: x, "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6), "round": np.round, "sigmoid": _sigmoid, "sign": np.sign,
    "silu": lambda x: x * _sigmoid(x), "sin": np.sin, "sinh": np.sinh,
    "softplus": lambda x: np.logaddexp(x, 0), "softsign": lambda x: x / (1 + np.abs(x)),
    "sqrt": np.sqrt, "square": np.square, "tan": np.tan, "tanh": np.tanh,
    "logical_not": np.logical_not,
}  # fmt: skip
_OPS.update({name: _floats(function) for name, function in _UNARY.items()})
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.divide,
    "floor_div": np.floor_divide, "mod": np.mod, "pow": np.power, "maximum": np.maximum,
    "minimum": np.minimum, "equal": np.equal, "not_equal": np.not_equal, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal,
    "logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor,
}  # fmt: skip
_OPS.update({n: (lambda i, f=f: np.asarray(f(i["x"], i["y"]))) for n, f in _BINARY.items()})
_OPS |= {
    "log": lambda i: np.log(i["x"] + i["epsilon"]),
    "rsqrt": lambda i: 1 / np.sqrt(i["x"] + i["epsilon"]),
    "elu": lambda i: np.where(i["x"] >= 0, i["x"], i["alpha"] * np.expm1(np.minimum(i["x"], 0))),
    "leaky_relu": lambda i: np.where(i["x"] >= 0, i["x"], i["alpha"] * i["x"]),
    "sigmoid_hard": lambda i: np.clip(i["alpha"] * i["x"] + i["beta"], 0, 1),
    "select": lambda i: np.where(i["cond"], i["a"], i["b"]),
    "cast": lambda i: i["x"].astype(_NUMPY[str(i["dtype"])]),
    "matmul": lambda i: np.matmul(_turned(i, "x"), _turned(i, "y")),
    "linear": lambda i: i["x"] @ i["weight"].T + i.get("bias", 0),
    "shape": lambda i: np.array(i["x"].shape, "int32"),
    "fill": lambda i: np.full(tuple(i["shape"]), i["value"]),
    "range_1d": lambda i: np.arange(i["start"], i["end"], i["step"]).astype("int32"),
    "reshape": lambda i: i["x"].reshape(tuple(i["shape"])),
    "expand_dims": lambda i: np.expand_dims(i["x"], tuple(i["axes"])),
    "squeeze": lambda i: i["x"].squeeze(tuple(i["axes"]) if "axes" in i else None),
    "tile": lambda i: np.tile(i["x"], tuple(i["reps"])),
    "transpose": lambda i: i["x"].transpose(tuple(i["perm"])),
    "concat": lambda i: np.concatenate(i["values"], int(i["axis"])),
    "reverse": lambda i: np.flip(i["x"], tuple(i["axes"])),
    "gather": lambda i: np.take(i["x"], i["indices"], int(i["axis"])),
    "argsort": lambda i: np.argsort(i["x"], int(i["axis"]), kind="stable").astype("int32"),
    "gather_along_axis": lambda i: np.take_along_axis(i["x"], i["indices"], int(i["axis"])),
}


@_op("constexpr_affine_dequantize")
def _weights_of_8_bits(i: Inputs) -> Any:
    numbers, axis = i["quantized_data"], int(i["axis"])
    along = lambda x: (
        x if not x.ndim else x.reshape([-1 if a == axis else 1 for a in range(numbers.ndim)])
    )
    return (numbers - along(i["zero_point"]).astype("float32")) * along(i["scale"])


@_op("constexpr_blockwise_shift_scale")
def _weights_in_blocks(i: Inputs) -> Any:
    def spread(x: Any) -> Any:
        """One for each number: each stands for a block of them."""
        for axis, size in enumerate(numbers.shape):
            x = np.repeat(x, size // x.shape[axis], axis)
        return x

    numbers = i["data"]
    offset = i.get("offset")
    moved = numbers.astype("float32") - (0 if offset is None else spread(offset))
    return moved * spread(i["scale"])


def _turned(i: Inputs, name: str) -> Any:
    return np.swapaxes(i[name], -1, -2) if i.get(f"transpose_{name}") else i[name]


@_op("gelu")
def _gelu(i: Inputs) -> Any:
    x = i["x"]
    if str(i["mode"]) == "EXACT":
        return (0.5 * x * (1 + _erf(x / math.sqrt(2)))).astype(x.dtype)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@_op("softmax")
def _softmax(i: Inputs) -> Any:
    e = np.exp(i["x"] - i["x"].max(int(i["axis"]), keepdims=True))
    return e / e.sum(int(i["axis"]), keepdims=True)


@_op("layer_norm")
def _layer_norm(i: Inputs) -> Any:
    axes = tuple(int(a) for a in i["axes"])
    centred = i["x"] - i["x"].mean(axes, keepdims=True)
    result = centred / np.sqrt(np.square(centred).mean(axes, keepdims=True) + i["epsilon"])
    return result * i.get("gamma", 1) + i.get("beta", 0)


def _reduction(function: Callable[..., Any]) -> Callable[[Inputs], Any]:
    def apply(i: Inputs) -> Any:
        axes = tuple(int(a) for a in i["axes"])
        return np.asarray(function(i["x"], axis=axes, keepdims=bool(i["keep_dims"]))).astype(
            i["x"].dtype
        )

    return apply


def _log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    top = x.max(axis, keepdims=True)
    total = np.log(np.exp(x - top).sum(axis, keepdims=True)) + top
    return total if keepdims else total.squeeze(axis)


_OPS |= {
    "reduce_sum": _reduction(np.sum),
    "reduce_mean": _reduction(np.mean),
    "reduce_prod": _reduction(np.prod),
    "reduce_max": _reduction(np.max),
    "reduce_min": _reduction(np.min),
    "reduce_log_sum_exp": _reduction(_log_sum_exp),
    "reduce_argmax": lambda i: i["x"].argmax(int(i["axis"])).astype("int32"),
    "reduce_argmin": lambda i: i["x"].argmin(int(i["axis"])).astype("int32"),
}


@_op("cumsum")
def _cumsum(i: Inputs) -> Any:
    x = np.flip(i["x"], int(i["axis"])) if i["reverse"] else i["x"]
    total = np.cumsum(x, int(i["axis"]), dtype=x.dtype)
    return np.flip(total, int(i["axis"])) if i["reverse"] else total


@_op("topk")
def _topk(i: Inputs) -> tuple[Any, Any]:
    order = np.argsort(-i["x"], -1, kind="stable")[..., : int(i["k"])].astype("int32")
    return np.take_along_axis(i["x"], order, -1), order


@_op("split")
def _split(i: Inputs) -> tuple[Any, ...]:
    return tuple(np.split(i["x"], np.cumsum(i["split_sizes"])[:-1], int(i["axis"])))


@_op("slice_by_index")
def _slice(i: Inputs) -> Any:
    places: list[Any] = []
    for axis, size in enumerate(i["x"].shape):
        if _is_set(i, "squeeze_mask", axis):
            places.append(int(i["begin"][axis]))
            continue
        begin = 0 if _is_set(i, "begin_mask", axis) else int(i["begin"][axis])
        end = size if _is_set(i, "end_mask", axis) else int(i["end"][axis])
        stride = int(i["stride"][axis]) if "stride" in i else 1
        places.append(slice(begin, end, stride))
    return np.asarray(i["x"][tuple(places)])


def _is_set(i: Inputs, mask: str, axis: int) -> bool:
    return mask in i and bool(i[mask][axis])


@_op("pad")
def _pad(i: Inputs) -> Any:
    pairs = np.asarray(i["pad"]).reshape(-1, 2)
    pairs = [(0, 0)] * (i["x"].ndim - len(pairs)) + [(int(a), int(b)) for a, b in pairs]
    return np.pad(i["x"], pairs, constant_values=i["constant_val"])


@_op("gather_nd")
def _gather_nd(i: Inputs) -> Any:
    return i["x"][tuple(np.moveaxis(i["indices"], -1, 0))]


def _scattered(i: Inputs, places: tuple[Any, ...]) -> Any:
    result = i["data"].copy()
    mode = str(i["mode"])
    if mode == "update":
        result[places] = i["updates"]
    else:
        known = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
        known[mode].at(result, places, i["updates"])
    return result


@_op("scatter_nd")
def _scatter_nd(i: Inputs) -> Any:
    return _scattered(i, tuple(np.moveaxis(i["indices"], -1, 0)))


@_op("scatter")
def _scatter(i: Inputs) -> Any:
    return _scattered(i, (i["indices"],))


@_op("random_normal")
def _random_normal(i: Inputs) -> Any:
    drawn = np.random.default_rng().normal(i["mean"], i["stddev"], tuple(i["shape"]))
    return drawn.astype("float32")


@_op("random_uniform")
def _random_uniform(i: Inputs) -> Any:
    drawn = np.random.default_rng().uniform(i["low"], i["high"], tuple(i["shape"]))
    return drawn.astype("float32")


@_op("batch_norm")
def _batch_norm(i: Inputs) -> Any:
    """What coremltools makes of a product and a sum of one number for each channel."""
    along = lambda vector: np.reshape(vector, (-1, *[1] * (i["x"].ndim - 2)))
    factor = i.get("gamma", 1) / np.sqrt(i["variance"] + i["epsilon"])
    return (i["x"] - along(i["mean"])) * along(factor) + along(
        i.get("beta", np.zeros(1, "float32"))
    )


def _windows(i: Inputs, window: Sequence[int]) -> dict[str, Any]:
    """Strides and padding, as the graph's formulas take them."""
    count = len(window)
    padding: Any = str(i["pad_type"])
    if padding == "custom":
        padding = tuple((int(a), int(b)) for a, b in np.asarray(i["pad"]).reshape(-1, 2))
    return {
        "strides": tuple(int(n) for n in i.get("strides", [1] * count)),
        "padding": padding,
    }


def _channels_last(x: Any) -> Any:
    return np.moveaxis(x, 1, -1)


@_op("conv")
def _conv(i: Inputs) -> Any:
    kernel = np.moveaxis(i["weight"], (0, 1), (-1, -2))
    window = kernel.shape[:-2]
    dilation = tuple(int(n) for n in i.get("dilations", [1] * len(window)))
    y = conv(
        _channels_last(i["x"]), kernel, **_windows(i, window), dilation_rate=dilation,
        groups=int(i.get("groups", 1)),
    )  # fmt: skip
    bias = i.get("bias")
    return np.moveaxis(y if bias is None else y + bias, -1, 1)


@_op("conv_transpose")
def _conv_transpose(i: Inputs) -> Any:
    kernel = np.moveaxis(i["weight"], (0, 1), (-1, -2))
    crop = tuple((int(a), int(b)) for a, b in np.asarray(i["pad"]).reshape(-1, 2))
    y = conv_transpose(
        _channels_last(i["x"]), kernel, strides=tuple(map(int, i["strides"])), crop=crop,
        dilation_rate=tuple(map(int, i["dilations"])),
    )  # fmt: skip
    bias = i.get("bias")  # which a pass of coremltools makes of the sum behind it
    return np.moveaxis(y if bias is None else y + bias, -1, 1)


@_op("max_pool", "avg_pool")
def _pool(i: Inputs) -> Any:
    window = tuple(int(n) for n in i["kernel_sizes"])
    function = average_pool if "exclude_padding_from_average" in i else max_pool
    y = function(_channels_last(i["x"]), pool_size=window, **_windows(i, window))
    return np.moveaxis(y, -1, 1)


@_op("lstm")
def _lstm(i: Inputs) -> tuple[Any, Any, Any]:
    """Gates input, forget, output, candidate; the steps are the first axis."""
    activations = {"tanh": np.tanh, "sigmoid": _sigmoid, "linear": lambda x: x}
    activations["relu"] = lambda x: np.maximum(x, 0)
    gate = activations[str(i["recurrent_activation"])]
    inner, out = activations[str(i["cell_activation"])], activations[str(i["activation"])]
    hidden, cell, x = i["initial_h"], i["initial_c"], i["x"]
    outputs = []
    for part in x[::-1] if str(i["direction"]) == "reverse" else x:
        gates = part @ i["weight_ih"].T + hidden @ i["weight_hh"].T + i["bias"]
        first, forget, output, candidate = np.split(gates, 4, -1)
        cell = gate(forget) * cell + gate(first) * inner(candidate)
        hidden = gate(output) * out(cell)
        outputs.append(hidden)
    outputs = outputs[::-1] if str(i["direction"]) == "reverse" else outputs
    every = np.stack(outputs) if i["output_sequence"] else hidden[None]
    return every, hidden, cell


def _why_not() -> str:
    return "" if sys.platform != "win32" else "coremltools does not write on Windows"


RUNTIME = Runtime(
    "NumPy, from the package's program (not Apple's runtime)",
    "coremltools",
    "nacre[coreml]",
    open_package,
    _why_not,
)
