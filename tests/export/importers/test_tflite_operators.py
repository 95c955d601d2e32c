"""Operators of TFLite one by one, in files of one operator, against LiteRT's kernels."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nacre.core.wire.tflite import (
    IDENTIFIER,
    NUMBER_OF_DTYPE,
    NUMBER_OF_OPERATOR,
    SCHEMA,
    options_of,
)
from nacre.export.importers.litert.interpreter import Interpreter

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="LiteRT is not installed"
)
R = np.random.default_rng(4)


def f(*shape: int) -> np.ndarray:
    return R.normal(size=shape).astype("float32")


def i(*values: Any, dtype: str = "int32") -> np.ndarray:
    return np.array(values, dtype)


class K:
    """A constant of the file."""

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)


class State(K):
    """A tensor that is kept from call to call."""


X, Y, POSITIVE = f(2, 3, 4), f(2, 3, 4), np.abs(f(2, 3, 4)) + 0.1
PICTURES, WHOLE = f(2, 6, 7, 4), R.integers(-9, 9, (2, 3, 4)).astype("int32")
YES = X > 0
FLOATS, TRUTH, WHOLES = ["float32"], ["bool"], ["int32"]
Row = tuple[str, dict[str, Any], Sequence[Any], list[str]]

UNARY = "ABS CEIL COS EXP FLOOR NEG ROUND SIGN SIN SQUARE TANH RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 " \
        "ELU LOGISTIC HARD_SWISH LOG_SOFTMAX L2_NORMALIZATION ZEROS_LIKE"  # fmt: skip
BINARY = "ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE FLOOR_DIV FLOOR_MOD ATAN2"
COMPARED = "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL"
REDUCED = "SUM MEAN REDUCE_PROD REDUCE_MAX REDUCE_MIN"
WINDOW = {"padding": 0, "stride_w": 2, "stride_h": 2, "filter_width": 3, "filter_height": 2}
CONV = {"padding": 0, "stride_w": 2, "stride_h": 1}


def _lstm(peephole: int, projection: int, one_gate: int) -> list[Any]:
    units, outputs = 4, 3 if projection else 4
    gates = [None if one_gate and n == 0 else K(f(units, 5)) for n in range(4)]
    recurrent = [None if one_gate and n == 0 else K(f(units, outputs)) for n in range(4)]
    cells = [None if not peephole or (one_gate and n == 0) else K(f(units)) for n in range(3)]
    biases = [None if one_gate and n == 0 else K(f(units)) for n in range(4)]
    project = [K(f(outputs, units)), K(f(outputs))] if projection else [None, None]
    states = [State(np.zeros((2, outputs), "f4")), State(np.zeros((2, units), "f4"))]
    return [f(2, 6, 5), *gates, *recurrent, *cells, *biases, *project, *states]


ROWS: list[Row] = [
    *[(op, {}, [X], FLOATS) for op in UNARY.split()],
    *[(op, {}, [POSITIVE], FLOATS) for op in ("LOG", "SQRT", "RSQRT")],
    *[(op, {}, [X, K(Y)], FLOATS) for op in BINARY.split()],
    *[(op, {}, [WHOLE, K(i(-3, 2, 5, -1))], WHOLES) for op in
      ("ADD", "SUB", "MUL", "DIV", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM")],
    *[(op, {}, [i(-(2**31), 2**31 - 1, 7, -7), K(i(3, 2, -2, -2))], WHOLES) for op in
      ("DIV", "FLOOR_DIV", "FLOOR_MOD")],
    *[(op, {}, [X, K(Y[:1])], TRUTH) for op in COMPARED.split()],
    ("POW", {}, [POSITIVE, K(Y)], FLOATS),
    *[(op, {}, [YES, K(Y > 0)], TRUTH) for op in ("LOGICAL_AND", "LOGICAL_OR")],
    ("LOGICAL_NOT", {}, [YES], TRUTH),
    *[("ADD", {"fused_activation_function": n}, [X, K(Y)], FLOATS) for n in (1, 2, 3)],
    ("ADD_N", {}, [X, K(Y), K(Y)], FLOATS),
    ("SOFTMAX", {"beta": 0.7}, [X], FLOATS),
    ("GELU", {"approximate": True}, [X], FLOATS), ("GELU", {}, [X], FLOATS),
    ("LEAKY_RELU", {"alpha": 0.3}, [X], FLOATS),
    ("PRELU", {}, [X, K(f(1, 1, 4))], FLOATS),
    ("LOCAL_RESPONSE_NORMALIZATION", {"radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.6},
     [PICTURES], FLOATS),
    ("SELECT", {}, [i(1, 0, dtype="bool"), K(X), K(Y)], FLOATS),
    ("SELECT_V2", {}, [YES, K(X), K(Y[:, :1])], FLOATS),
    ("CAST", {"out_data_type": 2}, [3 * X], WHOLES), ("CAST", {"in_data_type": 2}, [WHOLE], FLOATS),
    ("BITWISE_XOR", {}, [WHOLE, K(i(3, 4, 5, 6))], WHOLES),
    ("STABLEHLO_AND", {}, [WHOLE, K(WHOLE[::-1] + 3)], WHOLES),
    ("STABLEHLO_AND", {}, [YES, K(np.broadcast_to(Y > 0, YES.shape))], TRUTH),
    ("STABLEHLO_SHIFT_LEFT", {}, [WHOLE, K(WHOLE % 32)], WHOLES),
    ("RIGHT_SHIFT", {}, [WHOLE, K(i(0, 1, 2, 3))], WHOLES),
    # Reductions.
    *[(op, {"keep_dims": k}, [X, K(i(1, -1))], FLOATS) for op in REDUCED.split() for k in (0, 1)],
    ("SUM", {}, [WHOLE, K(i(0))], WHOLES),
    *[(op, {}, [YES, K(i(1))], TRUTH) for op in ("REDUCE_ANY", "REDUCE_ALL")],
    *[(op, {"output_type": 2}, [X, K(i(-1))], WHOLES) for op in ("ARG_MAX", "ARG_MIN")],
    *[("CUMSUM", {"exclusive": a, "reverse": b}, [X, K(i(1)[0])], FLOATS)
      for a in (0, 1) for b in (0, 1)],
    ("TOPK_V2", {}, [X, K(i(3)[0])], ["float32", "int32"]),
    ("SEGMENT_SUM", {}, [f(5, 2), K(i(0, 0, 1, 1, 2))], FLOATS),
    *[(f"UNSORTED_SEGMENT_{n}", {}, [f(5, 2), K(i(1, 0, 1, -1, 3)), K(i(4)[0])], FLOATS)
      for n in ("SUM", "PROD", "MAX", "MIN")],
    # Shapes.
    ("RESHAPE", {"new_shape": i(6, 4)}, [X, K(i(-1, 4))], FLOATS),
    ("SQUEEZE", {"squeeze_dims": i(-2)}, [f(2, 1, 1, 3)], FLOATS), ("SQUEEZE", {}, [f(1, 2, 1)], FLOATS),
    ("EXPAND_DIMS", {}, [X, K(i(-2))], FLOATS), ("TRANSPOSE", {}, [X, K(i(2, 0, 1))], FLOATS),
    ("PACK", {"values_count": 2, "axis": -1}, [X, K(Y)], FLOATS),
    ("UNPACK", {"num": 3, "axis": 1}, [X], FLOATS * 3),
    ("CONCATENATION", {"axis": -2}, [X, K(f(2, 2, 4))], FLOATS),
    ("SPLIT", {"num_splits": 2}, [K(i(-1)[0]), X], FLOATS * 2),
    ("SPLIT_V", {"num_splits": 3}, [X, K(i(1, -1, 1)), K(i(2)[0])], FLOATS * 3),
    ("SLICE", {}, [X, K(i(0, 1, 1)), K(i(-1, 2, 2))], FLOATS),
    ("STRIDED_SLICE", {"begin_mask": 1, "end_mask": 4, "shrink_axis_mask": 2},
     [X, K(i(0, -1, 1)), K(i(1, 0, 0)), K(i(1, 1, 2))], FLOATS),
    ("STRIDED_SLICE", {"end_mask": 4}, [X, K(i(0, 2, -1)), K(i(2, 0, 0)), K(i(1, -1, -2))], FLOATS),
    ("STRIDED_SLICE", {"new_axis_mask": 1, "ellipsis_mask": 2},
     [X, K(i(0, 0, 1)), K(i(0, 0, 3)), K(i(1, 1, 1))], FLOATS),
    ("GATHER", {"axis": -1}, [X, K(i(3, 0))], FLOATS),
    ("GATHER", {"axis": 1, "batch_dims": 1}, [X, K(i([2, 0], [1, 1]))], FLOATS),
    ("GATHER_ND", {}, [X, K(i([0, 2], [1, 0]))], FLOATS),
    ("REVERSE_V2", {}, [X, K(i(2))], FLOATS),
    ("REVERSE_SEQUENCE", {"seq_dim": 1, "batch_dim": 0}, [X, K(i(2, 3))], FLOATS),
    ("PAD", {}, [X, K(i([0, 0], [1, 2], [0, 1]))], FLOATS),
    ("PADV2", {}, [X, K(i([0, 0], [1, 2], [0, 1])), K(np.array([2.5], "f4"))], FLOATS),
    ("MIRROR_PAD", {"mode": 0}, [X, K(i([0, 0], [1, 2], [0, 1]))], FLOATS),
    ("MIRROR_PAD", {"mode": 1}, [X, K(i([0, 0], [1, 2], [2, 1]))], FLOATS),
    ("TILE", {}, [X, K(i(1, 2, 3))], FLOATS), ("FILL", {}, [K(i(2, 3)), f(1)[0]], FLOATS),
    ("BROADCAST_TO", {}, [f(3, 1), K(i(2, 3, 4))], FLOATS),
    ("SHAPE", {"out_type": 2}, [X], WHOLES), ("RANK", {}, [X], WHOLES),
    ("SPACE_TO_DEPTH", {"block_size": 2}, [f(1, 4, 6, 3)], FLOATS),
    ("DEPTH_TO_SPACE", {"block_size": 2}, [f(1, 2, 3, 8)], FLOATS),
    ("SPACE_TO_BATCH_ND", {}, [f(1, 5, 4, 2), K(i(2, 2)), K(i([1, 0], [0, 2]))], FLOATS),
    ("BATCH_TO_SPACE_ND", {}, [f(8, 2, 3, 2), K(i(2, 2)), K(i([1, 0], [0, 2]))], FLOATS),
    ("DYNAMIC_UPDATE_SLICE", {}, [X, K(f(1, 2, 2)), K(i(1, 5, 1))], FLOATS),
    ("DYNAMIC_UPDATE_SLICE", {}, [X, K(f(1, 2, 2)), K(i(-1, -5, 1))], FLOATS),
    ("SCATTER_ND", {}, [K(i([1], [3], [1])), f(3, 2), K(i(5, 2))], FLOATS),
    ("SPARSE_TO_DENSE", {}, [K(i([0, 1], [2, 0])), K(i(3, 2)), f(2), K(np.array(0.5, "f4"))], FLOATS),
    ("EMBEDDING_LOOKUP", {}, [i(2, 0, 2), K(f(3, 4))], FLOATS),
    ("ONE_HOT", {"axis": -1}, [i(0, 2, 5), K(i(3)[0]), K(np.float32(2)), K(np.float32(-1))], FLOATS),
    ("ONE_HOT", {"axis": 0}, [i(0, 2, 1), K(i(3)[0]), K(np.float32(2)), K(np.float32(-1))], FLOATS),
    ("MATRIX_DIAG", {}, [f(2, 3)], FLOATS), ("MATRIX_SET_DIAG", {}, [f(2, 3, 4), K(f(2, 3))], FLOATS),
    ("BUCKETIZE", {"boundaries": np.array([-1, 0, 0.5], "f4")}, [X], WHOLES),
    ("WHERE", {}, [YES], ["int64"]), ("UNIQUE", {"idx_out_type": 2}, [i(3, 1, 3, 2, 1)], WHOLES * 2),
    # Products and windows.
    *[("CONV_2D", {**CONV, "padding": p, "dilation_h_factor": 2}, [PICTURES, K(f(5, 2, 3, 4)), K(f(5))],
       FLOATS) for p in (0, 1)],
    ("CONV_2D", {**CONV, "fused_activation_function": 1}, [PICTURES, K(f(6, 3, 3, 2)), K(f(6))], FLOATS),
    ("DEPTHWISE_CONV_2D", {**CONV, "stride_h": 2, "depth_multiplier": 2},
     [PICTURES, K(f(1, 3, 3, 8)), K(f(8))], FLOATS),
    *[("TRANSPOSE_CONV", {"padding": p, "stride_w": 2, "stride_h": 2},
       [K(i(2, *size, 3)), K(f(3, 3, 2, 4)), f(2, 4, 5, 4)], FLOATS)
      for p, size in ((0, (8, 9)), (1, (9, 10)), (0, (7, 10)))],
    ("CONV_3D", {"padding": 0, "stride_d": 1, "stride_w": 2, "stride_h": 1},
     [f(1, 4, 5, 6, 2), K(f(2, 2, 3, 2, 3)), K(f(3))], FLOATS),
    *[(op, {**WINDOW, "padding": p}, [PICTURES], FLOATS)
      for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D") for p in (0, 1)],
    ("FULLY_CONNECTED", {"fused_activation_function": 3}, [X, K(f(5, 4)), K(f(5))], FLOATS),
    ("FULLY_CONNECTED", {"keep_num_dims": True}, [X, K(f(5, 4)), None], FLOATS),
    *[("BATCH_MATMUL", {"adj_x": a, "adj_y": b}, [f(2, 4, 3) if a else f(2, 3, 4),
       K(f(2, 5, 4) if b else f(2, 4, 5))], FLOATS) for a in (0, 1) for b in (0, 1)],
    *[("RESIZE_BILINEAR", {"align_corners": a, "half_pixel_centers": h}, [PICTURES, K(i(3, 10))], FLOATS)
      for a, h in ((0, 0), (1, 0), (0, 1))],
    *[("RESIZE_NEAREST_NEIGHBOR", {"align_corners": a, "half_pixel_centers": h},
       [PICTURES, K(i(4, 10))], FLOATS) for a, h in ((0, 0), (1, 0), (0, 1))],
    # Sequences.
    *[("UNIDIRECTIONAL_SEQUENCE_LSTM", {"fused_activation_function": 4, "cell_clip": c, "proj_clip": c},
       _lstm(*how), FLOATS)
      for c, how in ((0.0, (0, 0, 0)), (0.5, (1, 0, 0)), (0.4, (1, 1, 0)), (0.0, (1, 1, 1)))],
    ("UNIDIRECTIONAL_SEQUENCE_RNN", {"fused_activation_function": 4},
     [f(2, 5, 3), K(f(4, 3)), K(f(4, 4)), K(f(4)), State(np.zeros((2, 4), "f4"))], FLOATS),
    ("RNN", {"fused_activation_function": 1},
     [f(2, 3), K(f(4, 3)), K(f(4, 4)), K(f(4)), State(np.zeros((2, 4), "f4"))], FLOATS),
    ("BIDIRECTIONAL_SEQUENCE_RNN", {"fused_activation_function": 4, "merge_outputs": True},
     [f(2, 5, 3), *[v for _ in range(2) for v in (K(f(4, 3)), K(f(4, 4)), K(f(4)),
      State(np.zeros((2, 4), "f4")))], None, None, None], FLOATS),
    ("SVDF", {"rank": 2, "fused_activation_function": 1},
     [f(2, 3), K(f(8, 3)), K(f(8, 5)), K(f(4)), State(np.zeros((2, 40), "f4"))], FLOATS),
    ("NON_MAX_SUPPRESSION_V4", {}, [np.abs(f(6, 4)), K(np.abs(f(6))), K(i(4)[0]), K(np.float32(0.3)),
     K(np.float32(0.1))], WHOLES * 2),
    ("NON_MAX_SUPPRESSION_V5", {}, [np.abs(f(6, 4)), K(np.abs(f(6))), K(i(4)[0]), K(np.float32(0.6)),
     K(np.float32(0.05)), K(np.float32(0.5))], ["int32", "float32", "int32"]),
]  # fmt: skip


def file_of(row: Row, shapes: Sequence[Sequence[int]] | None) -> bytes:
    """A file of one operator, for outputs of some shapes."""
    name, options, given, dtypes = row
    tensors: list[dict[str, Any]] = []
    buffers: list[dict[str, Any]] = [{}]
    places, inputs = [], []
    for value in given:
        if value is None:
            places.append(-1)
            continue
        array = np.asarray(value.value if isinstance(value, K) else value)
        tensor: dict[str, Any] = {
            "name": f"t{len(tensors)}", "shape": list(array.shape),
            "type": NUMBER_OF_DTYPE[array.dtype.name], "buffer": len(buffers),
        }  # fmt: skip
        if isinstance(value, State):
            tensor |= {"is_variable": True}
            buffers.append({})
        elif isinstance(value, K):
            buffers.append({"data": np.frombuffer(array.tobytes(), "u1")})
        else:
            inputs.append(len(tensors))
            buffers.append({})
        places.append(len(tensors))
        tensors.append(tensor)
    outputs = list(range(len(tensors), len(tensors) + len(dtypes)))
    for at, dtype in enumerate(dtypes):
        shape = list(shapes[at]) if shapes is not None else []
        tensors.append({"name": f"out{at}", "shape": shape, "type": NUMBER_OF_DTYPE[dtype]})
    table = options_of(name)
    number = NUMBER_OF_OPERATOR[name]
    operator: dict[str, Any] = {"opcode_index": 0, "inputs": places, "outputs": outputs}
    if table is not None:
        operator["builtin_options"] = (table, options)
    version = {"BROADCAST_TO": 2, "FULLY_CONNECTED": 5}.get(name, 1)
    if name.startswith("RESIZE") or name == "BATCH_MATMUL":
        version = 3 if name.startswith("RESIZE") else 1
    code = {"builtin_code": number, "deprecated_builtin_code": min(number, 127), "version": version}
    graph = {"tensors": tensors, "inputs": inputs, "outputs": outputs, "operators": [operator]}
    model = {"version": 3, "operator_codes": [code], "subgraphs": [graph], "buffers": buffers}
    return SCHEMA.pack("Model", model, IDENTIFIER)


def outputs_of(run: Any, row: Row) -> list[np.ndarray]:
    run.allocate_tensors()
    given = [v for v in row[2] if v is not None and not isinstance(v, K)]
    for details, value in zip(run.get_input_details(), given, strict=True):
        run.set_tensor(details["index"], np.asarray(value))
    run.invoke()
    return [run.get_tensor(details["index"]) for details in run.get_output_details()]


@pytest.mark.parametrize("at", range(len(ROWS)), ids=[f"{n}-{r[0]}" for n, r in enumerate(ROWS)])
def test_an_operator_computes_what_litert_does(at: int):
    from ai_edge_litert import interpreter

    row = ROWS[at]
    found = outputs_of(Interpreter(model_content=file_of(row, None)), row)
    content = file_of(row, [a.shape for a in found])
    plain = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    theirs = interpreter.Interpreter(model_content=content, experimental_op_resolver_type=plain)
    for own, wanted in zip(found, outputs_of(theirs, row), strict=True):
        assert (own.shape, own.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(own, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("how", [{}, {"align_corners": True}, {"half_pixel_centers": True}])
@pytest.mark.parametrize(("old", "new"), [((5, 6), (7, 9)), ((40, 9), (90, 4)), ((3, 3), (1, 1))])
@pytest.mark.parametrize(("dtype", "far"), [("int16", 0), ("int8", 1), ("uint8", 1)])
def test_pictures_of_whole_numbers_change_their_size_as_in_litert(dtype, far, old, new, how):
    from ai_edge_litert import interpreter

    whole = np.iinfo(dtype)
    x = R.integers(whole.min, whole.max, (2, *old, 3), dtype, endpoint=True)
    zero = 128 if dtype == "uint8" else 0
    scales = {"scale": np.array([0.1], "f4"), "zero_point": np.array([zero])}
    kept = {"type": NUMBER_OF_DTYPE[dtype], "quantization": scales}
    content = SCHEMA.pack(
        "Model",
        {
            "version": 3,
            "operator_codes": [{"builtin_code": 23, "deprecated_builtin_code": 23, "version": 3}],
            "buffers": [{}, {"data": np.array(new, "<i4").view("u1")}],
            "subgraphs": [
                {
                    "tensors": [
                        {"name": "x", "shape": list(x.shape), **kept},
                        {"name": "size", "shape": [2], "type": 2, "buffer": 1},
                        {"name": "y", "shape": [2, *new, 3], **kept},
                    ],
                    "inputs": [0],
                    "outputs": [2],
                    "operators": [
                        {
                            "opcode_index": 0,
                            "inputs": [0, 1],
                            "outputs": [2],
                            "builtin_options": ("ResizeBilinearOptions", how),
                        }
                    ],
                }
            ],
        },
        IDENTIFIER,
    )
    row: Row = ("RESIZE_BILINEAR", how, [x], [dtype])
    (found,) = outputs_of(Interpreter(model_content=content), row)
    (wanted,) = outputs_of(interpreter.Interpreter(model_content=content), row)
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= far


def test_weights_of_8_bits_are_within_the_bound_that_is_told():
    from ai_edge_litert import interpreter

    x, weights = f(5, 40), R.integers(-127, 127, (7, 40), "int8", endpoint=True)
    scale = R.uniform(0.01, 0.02, 7).astype("f4")
    scales = {"scale": scale, "zero_point": np.zeros(7, "i8"), "quantized_dimension": 0}
    tensors = [
        {"name": "x", "shape": [5, 40], "type": 0},
        {"name": "w", "shape": [7, 40], "type": 9, "buffer": 1, "quantization": scales},
        {"name": "y", "shape": [5, 7], "type": 0},
    ]
    options = ("FullyConnectedOptions", {"asymmetric_quantize_inputs": True})
    operator = {"opcode_index": 0, "inputs": [0, 1, -1], "outputs": [2], "builtin_options": options}
    content = SCHEMA.pack(
        "Model",
        {
            "version": 3,
            "operator_codes": [{"builtin_code": 9, "deprecated_builtin_code": 9, "version": 12}],
            "subgraphs": [
                {"tensors": tensors, "inputs": [0], "outputs": [2], "operators": [operator]}
            ],
            "buffers": [{}, {"data": weights.reshape(-1).view("u1")}],
        },
        IDENTIFIER,
    )
    row: Row = ("FULLY_CONNECTED", {}, [x], FLOATS)
    (found,) = outputs_of(Interpreter(model_content=content), row)
    (wanted,) = outputs_of(interpreter.Interpreter(model_content=content), row)
    step = (x.max(1).clip(0) - x.min(1).clip(None, 0)) / 255
    bound = step[:, None] * np.abs(weights * scale[:, None]).sum(1)
    assert (np.abs(found - wanted) <= bound).all()
    np.testing.assert_allclose(found, x @ (weights * scale[:, None]).T, rtol=1e-5, atol=1e-5)
