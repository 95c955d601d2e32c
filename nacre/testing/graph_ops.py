"""Ops of the exporters' graph with inputs, for what formats make of them.

Sizes `B` and `T` are symbolic in the graph; they are the batch and the steps that arrays are drawn
with. Shapes are those of inputs; a draw is uniform from 0.1 to 0.9 unless a dtype or limits say
otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from nacre.export.graph.ir import Builder, Graph, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import Size, size_value, symbol

B, T = symbol("batch"), symbol("time")


# Inputs that are weights in models, not what is computed.
_OF_MODELS = frozenset(
    "kernel recurrent_kernel bias mean variance scale offset alpha edges".split()
)


@dataclass(frozen=True)
class In:
    """An input: its shape, dtype, and the limits it is drawn between."""

    shape: tuple[Size, ...] = ()
    dtype: str = "float32"
    low: float = 0.1
    high: float = 0.9


@dataclass(frozen=True)
class OpCase:
    """One op with inputs and attributes.

    Attributes:
        grad: Whether gradients are tried too.
    """

    op: str
    inputs: tuple[In | None, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    graphs: dict[str, Graph] = field(default_factory=dict)
    sized_by: tuple[In, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.op}_{self.id}" if self.id else self.op

    def graph(self) -> Graph:
        make = Builder(self.name)
        values: list[Value | None] = [
            None if x is None else make.input(f"x{i}", x.dtype, x.shape)
            for i, x in enumerate(self.inputs)
        ]
        for i, x in enumerate(self.sized_by):
            make.input(f"s{i}", x.dtype, x.shape)
        results = make.add_all(self.op, values, self.attributes, graphs=self.graphs)
        return make.finish([(f"y{i}", value) for i, value in enumerate(results)])

    def as_in_models(self, scalars_as_lines: bool = False) -> tuple[Graph, list[int]]:
        """The graph with kernels, biases and statistics as weights, as models have them, and the
        places of the arrays that are left.

        Args:
            scalars_as_lines: Whether scalars are given as arrays of one axis.
        """
        spec, arrays = OPSET[self.op], iter(self.arrays())
        names = [spec.inputs[min(i, len(spec.inputs) - 1)] for i in range(len(self.inputs))]
        make, left, place = Builder(self.name), [], 0
        values: list[Value | None] = []
        for i, (name, x) in enumerate(zip(names, self.inputs)):
            if x is None:
                values.append(None)
                continue
            array = next(arrays)
            if name in _OF_MODELS and all(isinstance(n, int) for n in x.shape):
                values.append(make.weight(f"layer/{name}", array))
            elif scalars_as_lines and not x.shape:
                line = make.input(f"x{i}", x.dtype, (1,))
                values.append(make.add("reshape", [line], {"shape": ()}))
                left.append(place)
            else:
                values.append(make.input(f"x{i}", x.dtype, x.shape))
                left.append(place)
            place += 1
        for i, x in enumerate(self.sized_by):
            make.input(f"s{i}", x.dtype, x.shape)
            left.append(place + i)
        results = make.add_all(self.op, values, self.attributes, graphs=self.graphs)
        return make.finish([(f"y{i}", value) for i, value in enumerate(results)]), left

    def arrays(self, batch: int = 3, time: int = 5) -> list[np.ndarray]:
        """Arrays for the inputs that are there."""
        random = np.random.default_rng(0)
        known = {"batch": batch, "time": time}
        found = []
        for x in (*self.inputs, *self.sized_by):
            if x is None:
                continue
            shape = tuple(size_value(size, known) for size in x.shape)
            if x.dtype == "bool":
                found.append(random.random(shape) < 0.6)
            elif x.dtype == "string":
                found.append(np.full(shape, "a", object))
            elif "int" in x.dtype:
                low, high = (int(x.low), int(x.high)) if x.high > 1 else (0, 4)
                found.append(random.integers(low, high, shape).astype(x.dtype))
            else:
                drawn = random.uniform(x.low, x.high, shape)
                found.append(drawn.astype(getattr(ml_dtypes, x.dtype, x.dtype)))
        return found


def _many(ops: str, *inputs: In) -> list[OpCase]:
    dtype = inputs[0].dtype
    return [OpCase(op, inputs, id="" if dtype == "float32" else dtype) for op in ops.split()]


_X = In((B, 4), low=-2, high=2)
_I = In((B, 4), "int32", -9, 9)
_K = {"keepdims": False}
_IMAGE = In((B, 7, 8, 3), low=-1, high=1)
_GATES = {"reverse": False, "return_sequences": True, "zero_output_for_mask": False}
_LSTM = {**_GATES, "activation": "tanh", "recurrent_activation": "sigmoid"}
_STEPS = In((B, T, 3), low=-1, high=1)
_MASK = In((B, T), "bool")
_H = In((B, 2), low=-1, high=1)
_C2 = {"strides": (1, 1), "padding": "same", "dilation_rate": (1, 1)}


def _w(*shape: int) -> In:
    return In(shape, low=-1, high=1)


def _body() -> Graph:
    """A step of a scan: a constant, a state, a part; the new state, and what is kept."""
    make = Builder("body")
    scale = make.input("scale", "float32", ())
    state = make.input("state", "float32", (B, 2))
    part = make.input("part", "float32", (B, 2))
    new = make.add("add", [make.add("mul", [state, scale]), part])
    return make.finish([("new", new), ("kept", make.add("tanh", [new]))])


def _while() -> dict[str, Graph]:
    graphs = {}
    for name in ("condition", "body"):
        make = Builder(name)
        step = make.input("step", "float32", ())
        total = make.input("total", "float32", ())
        if name == "condition":
            limit = make.constant(np.float32(20))
            graphs[name] = make.finish([("more", make.add("less", [total, limit]))])
        else:
            graphs[name] = make.finish([("total", make.add("add", [total, step]))])
    return graphs


def _branch(op: str) -> Graph:
    make = Builder(op)
    x = make.input("x", "float32", (B, 4))
    return make.finish([("y", make.add(op, [x]))])


CASES: tuple[OpCase, ...] = (
    *_many(
        "abs neg sign floor ceil round square exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh "
        "erf erfc cbrt sigmoid is_finite relu relu6 selu softplus softsign gelu_ silu mish "
        "log_sigmoid hard_sigmoid hard_silu".replace("gelu_ ", ""),
        _X,
    ),
    *_many("sqrt rsqrt log log1p asin acos atanh erf_inv lgamma digamma", In((B, 4))),
    *_many("acosh", In((B, 4), low=1.1, high=3)),
    *_many("add sub mul max min div rem atan2", _X, In((4,), low=0.5, high=2)),
    *_many("pow", In((B, 4)), In((1, 4), low=-2, high=2)),
    *_many("add mul sub div rem max min", _I, In((B, 4), "int32", 1, 5)),
    *[OpCase(op, (_I, In((B, 4), "int32", 1, 5)), {}, "int32") for op in ("and", "or", "xor")],
    *_many("and or xor", In((B, 4), "bool"), In((B, 4), "bool")),
    *_many("shift_left shift_right shift_right_signed", _I, In((B, 4), "int32", 0, 5)),
    *[
        OpCase(op, (In((B, 4), "uint32", 0, 900), In((B, 4), "uint32", 1, 5)), {}, "uint32")
        for op in ("shift_right", "rem")
    ],
    OpCase("rem", (In((B, 4), "int8", -90, 90), In((B, 4), "int8", 1, 5)), {}, "int8"),
    *_many("equal not_equal less less_equal greater greater_equal", _I, _I),
    *_many("not", In((B, 4), "bool")),
    OpCase("not", (_I,), {}, "int32"),
    OpCase("select", (In((B, 1), "bool"), _X, _X)),
    OpCase("clamp", (_X, In((), low=-1, high=-0.5), In((4,), low=0.5, high=1))),
    OpCase("cast", (_X,), {"dtype": "int32"}),
    OpCase("cast", (In((B, 4), low=0, high=0.9),), {"dtype": "bool"}, "bool"),
    OpCase("cast", (_I,), {"dtype": "bfloat16"}, "bfloat16"),
    OpCase("bitcast", (_X,), {"dtype": "uint32"}, "uint32"),
    OpCase("bitcast", (_X,), {"dtype": "int32"}, "int32"),
    OpCase("leaky_relu", (_X,), {"negative_slope": 0.3}),
    OpCase("prelu", (_X, _w(4))),
    *[OpCase(op, (_X,), {"alpha": a}, str(int(a))) for op in ("elu", "celu") for a in (1.0, 2.0)],
    *[OpCase("gelu", (_X,), {"approximate": a}, str(a)) for a in (True, False)],
    *[
        OpCase(op, (In((B, T, 3), low=-2, high=2),), {"axes": axes}, f"{len(axes)}{axes[0]}")
        for op in ("softmax", "log_softmax")
        for axes in ((2,), (1,), (1, 2))
    ],
    *[
        OpCase(op, (In((B, T, 3)),), {"axes": axes, "keepdims": keep}, f"{axes}{keep}")
        for op in "reduce_sum reduce_mean reduce_prod reduce_max reduce_min logsumexp".split()
        for axes, keep in (((1,), False), ((0, 2), True))
    ],
    OpCase("reduce_mean", (In((B, 4), "float16"),), {"axes": (1,), **_K}, "16"),
    OpCase("reduce_all", (In((B, 4), "bool"),), {"axes": (1,), **_K}),
    OpCase("reduce_any", (In((B, 4), "bool"),), {"axes": (1,), **_K}),
    *[
        OpCase(op, (In((B, 4), dtype),), {"axis": 1, "dtype": "int32"}, dtype)
        for op in ("argmax", "argmin")
        for dtype in ("float32", "bool")
    ],
    *[
        OpCase(op, (_X,), {"axis": 1, "reverse": reverse}, str(reverse))
        for op in ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
        for reverse in (False, True)
    ],
    OpCase("sort", (In((B, 4, 2)), In((B, 4, 2), "int32")), {"axis": 1, "num_keys": 1}),
    OpCase("sort", (_I,), {"axis": -1, "num_keys": 1}, "int"),
    OpCase("sort", (_I, In((B, 4)), _I), {"axis": 1, "num_keys": 2}, "two_keys"),
    OpCase("sort", (In((B, 4), "bool"), In((B, 4))), {"axis": 1, "num_keys": 1}, "truths"),
    OpCase("top_k", (_X,), {"k": 2}),
    *[
        OpCase("searchsorted", (In((3,), low=0.2, high=0.2), _X), {"side": side}, side)
        for side in ("left", "right")
    ],
    OpCase("size", (), {"size": 2 * B + 1, "dtype": "float32"}, sized_by=(In((B,)),)),
    OpCase("iota", (), {"shape": (B, T), "axis": 1, "dtype": "float32"}, sized_by=(In((B, T)),)),
    OpCase("reshape", (In((B, T, 4)),), {"shape": (B, 4 * T)}),
    OpCase("reshape", (In((B, 4)),), {"shape": (B, 2, 2)}, "one"),
    OpCase("broadcast_to", (In((B, 1, 2)),), {"shape": (B, 3, 2)}),
    OpCase("transpose", (In((B, T, 2)),), {"permutation": (2, 0, 1)}),
    OpCase("concat", (In((B, 2)), In((B, 3))), {"axis": 1}),
    OpCase(
        "slice",
        (In((B, T, 4)),),
        {"starts": (0, 1, 1), "stops": (B, T, 4), "strides": (1, 2, 1)},
    ),
    OpCase("split", (In((B, 6)),), {"sizes": (1, 2, 3), "axis": 1}),
    OpCase(
        "pad",
        (In((B, 3)), In(())),
        {"low": (0, 1), "high": (B, 2), "interior": (0, 2)},
    ),
    *[
        OpCase("mirror_pad", (In((B, 4)),), {"low": (0, 2), "high": (0, 1), "mode": mode}, mode)
        for mode in ("reflect", "symmetric")
    ],
    OpCase("reverse", (In((B, T)),), {"axes": (1,)}),
    OpCase(
        "dynamic_slice",
        (In((B, 5)), In((), "int32", 0, 1), In((), "int32", 4, 5)),
        {"sizes": (B, 2)},
    ),
    OpCase(
        "dynamic_update_slice",
        (In((B, 5)), In((B, 2)), In((), "int32", 0, 1), In((), "int32", 4, 5)),
    ),
    OpCase("up_sampling", (_IMAGE,), {"sizes": (2, 3), "first_axis": 1}),
    OpCase(
        "up_sampling",
        (In((B, 2, 3, 2, 2)),),
        {"sizes": (2, 3, 2), "first_axis": 1},
        "3d",
    ),
    *[
        OpCase("resize", (_IMAGE,), {"size": (5, 11), "method": method}, method)
        for method in ("nearest", "bilinear")
    ],
    *[
        OpCase(
            "one_hot",
            (In((B, 3), "int32", -1, 6),),
            {"num_classes": 4, "axis": axis, "dtype": "float32"},
            str(axis),
        )
        for axis in (-1, 1)
    ],
    # --- products ---
    OpCase("dense", (In((B, 3)), _w(3, 2), None)),
    OpCase("dense", (In((B, T, 3)), _w(3, 2), _w(2)), {}, "rank3"),
    OpCase("dense", (In((3,)), _w(3, 2), _w(2)), {}, "rank1"),
    OpCase("matmul", (In((B, T, 3)), In((3, 2)))),
    OpCase("einsum", (In((B, T, 3)), _w(3, 2, 4)), {"subscripts": "abc,cde->abde"}),
    OpCase("einsum", (_w(2, 3), _w(3, 4), _w(4, 5)), {"subscripts": "ab,bc,cd->ad"}, "three"),
    OpCase(
        "attention",
        (In((B, T, 4, 2)), In((B, T, 2, 2)), In((B, T, 2, 3)), None, None),
        {"scale": 0.7, "is_causal": True, "soft_cap": 2.0},
        "causal",
    ),
    OpCase(
        "attention",
        (
            In((B, T, 2, 2)),
            In((B, T, 2, 2)),
            In((B, T, 2, 3)),
            In((B, 1, 1, T)),
            In((B, 1, 1, T), "bool"),
        ),
        {"scale": 0.7, "is_causal": False, "soft_cap": None},
        "masked",
    ),
    # --- convolutions ---
    *[
        OpCase(
            "conv",
            (_IMAGE, _w(3, 2, 3 // groups, 6)),
            {"strides": strides, "padding": padding, "dilation_rate": dilation, "groups": groups},
            f"{strides}{padding}{dilation}{groups}",
        )
        for strides, padding, dilation, groups in (
            ((1, 1), "same", (1, 1), 1),
            ((2, 3), "same", (1, 1), 1),
            ((2, 1), "valid", (1, 1), 3),
            ((1, 1), "same", (2, 3), 1),
            ((1, 1), ((1, 0), (-1, 2)), (2, 1), 1),
            ((2, 2), "same", (2, 2), 1),
        )
    ],
    *[
        OpCase(
            "conv",
            (_STEPS, _w(3, 3, 2)),
            {"strides": s, "padding": p, "dilation_rate": d, "groups": 1},
            f"1d{s}{p}{d}",
        )
        for s, p, d in (
            ((1,), "causal", (2,)),
            ((2,), "same", (1,)),
            ((1,), "same", (2,)),
            ((2,), "causal", (1,)),
            ((1,), "valid", (1,)),
        )
    ],
    OpCase(
        "conv",
        (In((B, 4, 5, 6, 2)), _w(2, 3, 2, 2, 3)),
        {"strides": (1, 2, 1), "padding": "same", "dilation_rate": (1, 1, 1), "groups": 1},
        "3d",
    ),
    OpCase(
        "conv",
        (In((B, 4, 5, 6, 2)), _w(2, 3, 2, 1, 4)),
        {"strides": (1, 1, 1), "padding": "same", "dilation_rate": (1, 2, 1), "groups": 2},
        "3d_dilated",
    ),
    *[
        OpCase(
            "depthwise_conv",
            (_IMAGE, _w(3, 2, 3, 2)),
            {"strides": s, "padding": p, "dilation_rate": d},
            f"{s}{p}{d}",
        )
        for s, p, d in (
            ((1, 1), "same", (1, 1)),
            ((2, 2), "valid", (1, 1)),
            ((2, 1), "same", (1, 1)),
            ((1, 1), "same", (2, 2)),
        )
    ],
    OpCase(
        "depthwise_conv",
        (_STEPS, _w(3, 3, 2)),
        {"strides": (2,), "padding": "same", "dilation_rate": (1,)},
        "1d",
    ),
    *[
        OpCase(
            "conv_transpose",
            (In((B, 4, 5, 3)), _w(3, 2, 2, 3)),
            {"strides": s, "crop": c, "dilation_rate": d},
            f"{s}{c}{d}",
        )
        for s, c, d in (
            ((2, 2), ((0, 0), (0, 0)), (1, 1)),
            ((2, 1), ((1, 0), (0, -1)), (1, 1)),
            ((1, 1), ((1, 1), (0, 0)), (2, 1)),
        )
    ],
    OpCase(
        "conv_transpose",
        (_STEPS, _w(3, 2, 3)),
        {"strides": (2,), "crop": ((1, 0),), "dilation_rate": (1,)},
        "1d",
    ),
    OpCase(
        "conv_transpose",
        (In((B, 2, 3, 2, 2)), _w(2, 2, 2, 3, 2)),
        {"strides": (2, 1, 1), "crop": ((0, 0), (0, 1), (0, 0)), "dilation_rate": (1, 1, 1)},
        "3d",
    ),
    *[
        OpCase(op, (_IMAGE,), {"pool_size": w, "strides": s, "padding": p}, f"{w}{s}{p}")
        for op in ("max_pool", "average_pool")
        for w, s, p in (
            ((2, 2), (2, 2), "valid"),
            ((3, 2), (2, 1), "same"),
            ((3, 3), (2, 2), ((1, 1), (0, 1))),
        )
    ],
    *[
        OpCase(op, (_STEPS,), {"pool_size": (3,), "strides": (2,), "padding": "same"}, "1d")
        for op in ("max_pool", "average_pool")
    ],
    *[
        OpCase(
            op,
            (In((B, 4, 4, 4, 2)),),
            {"pool_size": (2, 2, 2), "strides": (2, 2, 2), "padding": "valid"},
            "3d",
        )
        for op in ("max_pool", "average_pool")
    ],
    *[
        OpCase(
            "reduce_window",
            (In((B, 6, 5)),),
            {
                "reducer": reducer,
                "window": (1, 3, 1),
                "strides": (1, 2, 1),
                "padding": padding,
                "dilation_rate": (1, 1, 1),
            },
            f"{reducer}{padding}",
        )
        for reducer in ("sum", "max", "min")
        for padding in ("valid", "same", ((0, 0), (1, 1), (0, 0)))
    ],
    # --- normalisations ---
    OpCase(
        "batch_normalization",
        (_IMAGE, _w(3), In((3,)), _w(3), _w(3)),
        {"axis": 3, "epsilon": 1e-3},
    ),
    OpCase(
        "batch_normalization",
        (_IMAGE, _w(7), In((7,)), None, None),
        {"axis": 1, "epsilon": 1e-3},
        "axis1",
    ),
    OpCase("layer_normalization", (_STEPS, _w(3), _w(3)), {"axes": (2,), "epsilon": 1e-3}),
    OpCase("layer_normalization", (_IMAGE, None, None), {"axes": (1, 3), "epsilon": 1e-3}, "two"),
    OpCase("rms_normalization", (_STEPS, _w(3)), {"axes": (2,), "epsilon": 1e-3}),
    OpCase(
        "group_normalization",
        (In((B, 5, 6)), _w(6), _w(6)),
        {"groups": 3, "axis": 2, "epsilon": 1e-3},
    ),
    # --- indices ---
    *[
        OpCase("gather", (_w(5, 2), In((B, T), i, -1, 6)), {"axis": a, "outside": o}, f"{a}{o}{i}")
        for a, o, i in ((0, "clip", "int32"), (1, "fill", "int64"), (0, "fill", "uint8"))
        if i != "uint8"
    ],
    *[
        OpCase("gather_nd", (_w(3, 4, 2), In((B, 2), "int32", -1, 5)), {"outside": o}, o)
        for o in ("clip", "fill")
    ],
    *[
        OpCase(
            "scatter_nd",
            (_w(5, 2), In((B, 1), "int32", -1, 7), In((B, 2))),
            {"combine": c, "outside": o},
            f"{c}{o}",
        )
        for c, o in (("add", "drop"), ("max", "clip"), ("min", "drop"), ("add", "clip"))
    ],
    *[
        OpCase(op, (In((B, 2)), In((B,), "int32", -1, 5)), {"num_segments": 4})
        for op in ("segment_sum", "segment_prod", "segment_max", "segment_min")
    ],
    # --- matrices ---
    OpCase(
        "triangular_solve",
        (_w(3, 3), _w(3, 2)),
        {"lower": True, "transpose": True, "unit_diagonal": True},
    ),
    OpCase("fft", (In((B, 8)),), {"kind": "rfft", "lengths": (8,)}),
    # --- recurrences ---
    *[
        OpCase(
            "lstm",
            (_STEPS, _H, _H, _w(3, 8), _w(2, 8), _w(8), m),
            {**_LSTM, "reverse": r, "return_sequences": s, "zero_output_for_mask": z},
            f"{m is not None}{r}{s}{z}",
        )
        for m, r, s, z in (
            (None, False, True, False),
            (_MASK, True, True, False),
            (_MASK, False, False, True),
        )
    ],
    *[
        OpCase(
            "gru",
            (_STEPS, _H, _w(3, 6), _w(2, 6), b, m),
            {**_LSTM, "reset_after": after, "return_sequences": s},
            f"{after}{b is not None}{s}",
        )
        for after, b, m, s in (
            (True, _w(2, 6), None, True),
            (False, _w(6), _MASK, False),
            (True, None, None, False),
        )
    ],
    OpCase(
        "simple_rnn",
        (_STEPS, _H, _w(3, 2), _w(2, 2), _w(2), None),
        {**_GATES, "activation": "relu"},
    ),
    # --- control flow ---
    *[
        OpCase(
            "scan",
            (In(()), In((B, 2)), In((T, B, 2))),
            {"constants": 1, "carries": 1, "length": T, "reverse": reverse},
            str(reverse),
            graphs={"body": _body()},
        )
        for reverse in (False, True)
    ],
    OpCase("while", (In(()), In(())), {"constants": 1}, graphs=_while()),
    *[
        OpCase(
            "switch",
            (In((), "int32", low, low + 1), _X),
            {},
            f"{count}{low}",
            graphs={f"branch_{i}": _branch(op) for i, op in enumerate(ops)},
        )
        for low in (0, 1, 3)
        for count, ops in (("two", ("tanh", "relu")), ("three", ("tanh", "relu", "exp")))
    ],
)
