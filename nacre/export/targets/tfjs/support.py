"""What TF.js has of a graph: ops whose form in TensorFlow is made of ops that it has.

Source of the list: the op lists of @tensorflow/tfjs-converter 4.22.0 (dist/operations/op_list),
without those that no form here makes, and BitwiseAnd, whose inputs it does not find there.
TF.js computes int32 by floats: above 2^24 the last digits are lost, in browsers' WebGL everywhere.
"""

from __future__ import annotations

import functools

from nacre.core.wire.tensorflow.graph import FunctionDef
from nacre.export.graph.ir import Node, Value
from nacre.export.graph.sizes import Size, SizeExpr
from nacre.export.targets.graphdef.body import Body, known_shape
from nacre.export.targets.support import Limit, Support
from nacre.export.targets.tfjs.rules import FORMS, LIMITS

OPS = frozenset(
    """
    Abs Acos Acosh AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool AvgPool3D
    BatchMatMulV2 BatchToSpaceND BiasAdd BroadcastTo Cast Ceil ClipByValue Complex
    ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D Cos Cosh Cumprod Cumsum
    DepthwiseConv2dNative Einsum Elu Equal Erf Exp ExpandDims Expm1 FFT Fill Floor FloorDiv
    FloorMod GatherNd GatherV2 Greater GreaterEqual IFFT Identity Imag IRFFT IsFinite LeakyRelu
    Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr LogSoftmax LowerBound MatMul Max
    Maximum MaxPool MaxPool3D Mean Min Minimum MirrorPad Mul Neg NotEqual OneHot OnesLike Pack
    PadV2 Pow Prelu Prod RandomStandardNormal RandomUniform Range Real RealDiv Relu Relu6 Reshape
    ResizeBilinear ResizeNearestNeighbor ReverseV2 RFFT Round Rsqrt ScatterNd SelectV2 Selu Shape
    Sigmoid Sign Sin Sinh Slice Softmax Softplus SpaceToBatchND Split SplitV Sqrt Square Squeeze
    StatelessIf StatelessWhile StridedSlice Sub Sum Tan Tanh TensorListFromTensor
    TensorListGetItem TensorListReserve TensorListSetItem TensorListStack TensorScatterUpdate Tile
    TopKV2 Transpose Unpack UpperBound ZerosLike
    """.split()
)
# float16 as a weight that is made float32; computing is done in 32 bits.
DTYPES = frozenset({"float32", "int32", "bool", "float16"})


class _Probe(Body):
    """A function in which every named size is known to be something."""

    def size(self, size: Size) -> str:
        return super().size(size if isinstance(size, int) else 1)

    def know_size(self, size: SizeExpr, tensor: str, dtype: str, axis: int) -> None:
        pass


def _lacks(node: Node) -> str | None:
    """Whether the form of a node needs an op that TF.js lacks; None where it has them all."""
    limit = LIMITS.get(node.op)
    if limit is not None and (instead := limit(node)) is not None:
        return instead
    library: list[FunctionDef] = []
    make = _Probe("probe", library, FORMS)
    inputs = ["" if v is None else _argument(make, v) for v in node.inputs]
    FORMS[node.op](make, node, inputs)
    used = {n.op for n in make.finish([]).node_def}
    lacking = sorted(used - OPS)
    return f"TF.js lacks {', '.join(lacking)}." if lacking else None


def _argument(make: Body, value: Value) -> str:
    return make.argument(value.name, value.dtype, known_shape(value.shape))


# Loops are made of ops that it has; what is within them is asked for by itself.
_WHOLE = frozenset({"while", "scan"})


@functools.cache
def _limits() -> dict[str, Limit]:
    return {op: _lacks for op in FORMS if op not in _WHOLE}


_TEXTS = "TF.js computes nothing with texts here: look words up before."
SUPPORT = Support(
    "TF.js",
    FORMS,
    _limits(),
    DTYPES,
    {"text_lookup": _TEXTS, "text_split": _TEXTS},
    "save as .keras",
)

__all__ = ["DTYPES", "OPS", "SUPPORT"]
