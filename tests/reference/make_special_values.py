"""What ops of TensorFlow give for NaN, infinities, zeros of both signs and limits of whole numbers.

    python -m tests.reference.make_special_values       (TensorFlow 2.21; 2.15.1 gives the same)

`special_values.npz` holds the inputs `unary`, `first`, `second`, `whole_first`, `whole_second` and
`rows`, and for each op its outputs, `KIND/OP`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

FILE = Path(__file__).with_name("special_values.npz")
NAN, INF = np.nan, np.inf
UNARY = np.array(
    [NAN, INF, -INF, 0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -1.5, -2.5, 3, -3, 6, 7, 3e38, -3e38,
     2.0**31, 2.0**31 - 128, -(2.0**31), 2.0**63, -(2.0**63), 88, 89, -104, 0.3, -0.7, 9.5],
    "float32",
)  # fmt: skip
FIRST, SECOND = (a.ravel() for a in np.meshgrid(UNARY[:17], UNARY[:17], indexing="ij"))
WHOLE = np.array([0, 1, -1, 2, -3, 7, 31, 32, 33, 100, 2**31 - 1, -(2**31), 12345], "int32")
WHOLE_FIRST, WHOLE_SECOND = (a.ravel() for a in np.meshgrid(WHOLE, WHOLE, indexing="ij"))
ROWS = np.array(
    [[1, NAN, 3, 2], [NAN, 1, 2, 3], [NAN] * 4, [INF, NAN, 1, 2], [-INF, NAN, -INF, 1],
     [INF] * 4, [-INF] * 4, [0, -0.0, 0, -0.0], [-0.0, 0, -0.0, 0], [2, 2, 1, 2], [INF, 1, INF, 2],
     [-INF, 0, -INF, 0]],
    "float32",
)  # fmt: skip
NAMES = {
    "unary": """Neg Abs Square Floor Ceil Rint Round Sqrt Exp Log IsNan IsInf IsFinite Sign Expm1
        Log1p Sin Cos Tan Asin Acos Atan Sinh Cosh Tanh Asinh Acosh Atanh Rsqrt Erf Erfc Erfinv
        Lgamma Digamma Ndtri Sigmoid Reciprocal Inv Softplus Softsign Relu Relu6 Elu Selu
        ClipByValue Cast""".split(),
    "binary": """Maximum Minimum Pow Less LessEqual Greater GreaterEqual FloorMod FloorDiv Sub Mul
        AddV2 Atan2 NextAfter Equal NotEqual RealDiv TruncateDiv TruncateMod SquaredDifference
        DivNoNan Xdivy MulNoNan Xlogy Xlog1py""".split(),
    "whole": """Maximum Minimum Less Greater Sub Mul AddV2 LeftShift RightShift BitwiseAnd BitwiseOr
        BitwiseXor SquaredDifference""".split(),
    "rows": """Sum Prod Max Min Mean ArgMax ArgMin LogSoftmax Cumsum Cumprod TopKV2 InTopKV2
        LowerBound UpperBound All Any""".split(),
}  # fmt: skip
FEATURES = "Softplus Softsign Relu Relu6 Elu Selu".split()


def given(kind: str, op: str) -> dict[str, Any]:
    """Inputs and attributes of an op."""
    first = {"Atan2": "y", "NextAfter": "x1"}.get(op, "x")
    second = {"Atan2": "x", "NextAfter": "x2"}.get(op, "y")
    if kind == "unary":
        found: dict[str, Any] = {"features" if op in FEATURES else "x": UNARY}
        if op == "Cast":
            found["DstT"] = tf.int32
        if op == "ClipByValue":
            found = {"t": UNARY, "clip_value_min": NAN, "clip_value_max": 2.0}
        return found
    if kind == "binary":
        return {first: FIRST, second: SECOND}
    if kind == "whole":
        return {first: WHOLE_FIRST, second: WHOLE_SECOND}
    if op in ("ArgMax", "ArgMin"):
        return {"input": ROWS, "dimension": 1}
    if op in ("LogSoftmax",):
        return {"logits": ROWS}
    if op in ("Cumsum", "Cumprod"):
        return {"x": ROWS, "axis": 1}
    if op == "TopKV2":
        return {"input": np.where(np.isnan(ROWS), 1, ROWS).astype("float32"), "k": 3}
    if op == "InTopKV2":
        return {"predictions": ROWS, "targets": np.full(len(ROWS), 3, "int32"), "k": 2}
    if op in ("LowerBound", "UpperBound"):
        ordered = np.tile(np.array([-INF, 0, 1, INF], "float32"), (len(ROWS), 1))
        return {"sorted_inputs": ordered, "values": ROWS}
    if op in ("All", "Any"):
        return {"input": ROWS != 0, "axis": [1]}
    return {"input": ROWS, "axis": [1]}


def main() -> None:
    found: dict[str, Any] = {}
    for kind, ops in NAMES.items():
        for op in ops:
            outputs = getattr(tf.raw_ops, op)(**given(kind, op))
            outputs = outputs if isinstance(outputs, tuple | list) else [outputs]
            for index, output in enumerate(outputs):
                found[f"{kind}/{op}/{index}"] = output.numpy()
    np.savez_compressed(
        FILE, unary=UNARY, first=FIRST, second=SECOND, whole_first=WHOLE_FIRST,
        whole_second=WHOLE_SECOND, rows=ROWS, **found,
    )  # fmt: skip


if __name__ == "__main__":
    main()
