"""Write `tensorflow_ops.npz` and `.json`: what ops of TensorFlow give, with the nodes they stood in.

Each case is a node of a graph that TensorFlow ran, inputs, and outputs.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

rng = np.random.default_rng(7)
# Arguments of `tf.raw_ops` that are called otherwise than in the definition.
RENAMED: dict[Any, str] = {
    "reduction_indices": "axis", "dim": "axis", "split_dim": "axis",
    ("ReduceJoin", "reduction_indices"): "reduction_indices",
    ("Select", "t"): "x", ("Select", "e"): "y", ("Where", "input"): "condition",
}  # fmt: skip
CASES: list[tuple[str, list[Any], dict[str, Any]]] = []


def case(op: str, *inputs: Any, **attributes: Any) -> None:
    CASES.append((op, list(inputs), attributes))


def f(*sizes: int, low: float = -2, high: float = 2) -> Any:
    return rng.uniform(low, high, sizes).astype("float32")


def i(*values: Any, dtype: str = "int32") -> Any:
    return np.asarray(values[0] if len(values) == 1 else values, dtype)


def s(*values: Any) -> Any:
    found = np.empty(len(values), object)
    found[:] = [v.encode() if isinstance(v, str) else v for v in values]
    return found


def one(text: str | bytes) -> Any:
    return np.asarray(text.encode() if isinstance(text, str) else text, object)


# --- math -----------------------------------------------------------------------------------------
for name in "Add AddV2 Sub Mul Maximum Minimum RealDiv Div FloorDiv FloorMod SquaredDifference Atan2 DivNoNan MulNoNan Less LessEqual Greater GreaterEqual Equal NotEqual TruncateMod Mod NextAfter".split():
    case(name, f(2, 3), f(3))
whole = i([[7, -7, 8], [-8, 0, 5]]), i([2, 2, -3])
for name in "AddV2 Sub Mul FloorDiv FloorMod TruncateDiv TruncateMod Div Maximum Mod Pow BitwiseAnd BitwiseOr BitwiseXor".split():
    case(name, whole[0], i([2, 2, 3]) if name == "Pow" else whole[1])
case("FloorMod", f(4), np.float32([0.5, -0.7, 1, -1]))
case("DivNoNan", np.float32([1, 0, 2]), np.float32([0, 0, 4]))
case("Xdivy", np.float32([0, 1, 2]), np.float32([0, 2, 4]))
case("Xlogy", np.float32([0, 1, 2]), np.float32([0, 2, 4]))
case("Xlog1py", np.float32([0, 1, 2]), np.float32([-1, 2, 4]))
case("Pow", f(3, low=0.1), f(3))
case("LeftShift", i([1, 2]), i([3, 4]))
case("RightShift", i([-8, 64]), i([1, 4]))
case("LogicalAnd", np.bool_([1, 1, 0]), np.bool_([1, 0, 0]))
case("LogicalOr", np.bool_([1, 1, 0]), np.bool_([1, 0, 0]))
case("LogicalNot", np.bool_([1, 0]))
case("ApproximateEqual", np.float32([1, 2]), np.float32([1.001, 2.1]), tolerance=0.01)
case("Igamma", f(3, low=0.5), f(3, low=0.5))
case("Igammac", f(3, low=0.5), f(3, low=0.5))
case("Betainc", f(3, low=0.5), f(3, low=0.5), f(3, low=0.1, high=0.9))
case("Zeta", f(3, low=1.5), f(3, low=0.5))
case("Polygamma", np.float32([1, 2, 3]), f(3, low=0.5))
case("Complex", f(3), f(3))
for name in "Neg Abs Square Floor Ceil Rint Round Exp Sign Expm1 Sin Cos Tan Sinh Cosh Tanh Asinh Atan Erf Erfc Sigmoid Softplus Softsign Relu Relu6 Elu Selu Softmax LogSoftmax IsNan IsInf IsFinite Reciprocal Inv Digamma BesselI0e BesselI1e L2Loss Identity Snapshot StopGradient PreventGradient OnesLike ZerosLike".split():
    case(name, f(2, 4))
case("Round", np.float32([0.5, 1.5, 2.5, -0.5]))
case("Abs", i([-3, 2]))
case("Sign", i([-3, 0, 2]))
case("Invert", i([-3, 2]))
for name in "Sqrt Log Rsqrt Log1p Lgamma Acosh".split():
    case(name, f(4, low=1.1))
for name in "Asin Acos Atanh Erfinv".split():
    case(name, f(4, low=-0.9, high=0.9))
case("Ndtri", f(4, low=0.1, high=0.9))
case("IsNan", np.float32([1, np.nan, np.inf]))
case("IsFinite", np.float32([1, np.nan, np.inf]))
z = (f(3) + 1j * f(3)).astype("complex64")
for name in "Real Imag Conj ComplexAbs Angle".split():
    case(name, z)
case("Bucketize", np.float32([-5, 0, 0.5, 1, 9]), boundaries=[0.0, 1.0])
case("ClipByValue", f(4), np.float32(-0.5), np.float32(0.5))
case("AddN", [f(2), f(2), f(2)])
case("AccumulateNV2", [f(2), f(2)], shape=[2])
case("Bitcast", f(3), type=tf.int32)
odd = np.float32([0.9, -0.9, 300.5, -1.5, 3e9, -3e9, 1e20, np.nan, np.inf, -np.inf])
for to in (tf.int32, tf.int64, tf.bool, tf.float64, tf.float16, tf.bfloat16):
    case("Cast", odd, DstT=to)
case("Cast", np.float32([0.9, 254.9, 255.9, 7]), DstT=tf.uint8)
case("Cast", np.float32([0.9, -1.5, 300.5, -129]), DstT=tf.int8)
case("Cast", i([300, -1, 128, 70000]), DstT=tf.uint8)
case("Cast", i([300, -1, 128, 70000]), DstT=tf.int8)
case("Cast", i([1 << 40, -1], dtype="int64"), DstT=tf.int32)
case("Cast", np.bool_([1, 0]), DstT=tf.float32)
case("Cast", z, DstT=tf.float32)
# --- reductions -----------------------------------------------------------------------------------
for name in "Sum Mean Prod Max Min EuclideanNorm".split():
    case(name, f(2, 3, 4), i([0, -1]))
    case(name, f(2, 3), i(1), keep_dims=True)
    case(name, f(2, 3), np.zeros(0, "int32"))
case("Sum", i([[1, 2], [3, 4]]), i([1]))
case("Mean", i([[1, 2], [-3, -4]]), i([1]))
case("Mean", f(2, 3).astype("float16"), i([1]))
case("All", np.bool_([[1, 0], [1, 1]]), i([1]))
case("Any", np.bool_([[1, 0], [0, 0]]), i([1]))
case("ArgMax", f(3, 4), i(1))
case("ArgMin", f(3, 4), i(0), output_type=tf.int32)
for name in "Cumsum Cumprod".split():
    case(name, f(2, 4), i(1))
    case(name, f(2, 4), i(1), exclusive=True, reverse=True)
    case(name, f(3, 2), i(0), exclusive=True)
case("CumulativeLogsumexp", f(2, 4), i(1))
ids = i([0, 2, 2, 0])
for name in "Sum Prod Max Min".split():
    case(f"UnsortedSegment{name}", f(4, 2), ids, i(4))
for name in "Sum Mean Prod Max Min".split():
    case(f"Segment{name}", f(4, 2), i([0, 0, 2, 2]))
case("SparseSegmentSum", f(4, 2), i([0, 3, 1]), i([0, 0, 1]))
case("SparseSegmentMean", f(4, 2), i([0, 3, 1]), i([0, 0, 1]))
case("SparseSegmentSqrtN", f(4, 2), i([0, 3, 1]), i([0, 0, 1]))
case("SparseSegmentMeanWithNumSegments", f(4, 2), i([0, 3, 1]), i([0, 0, 1]), i(3))
case("Bincount", i([1, 2, 2, 5]), i(4), f(4))
case("DenseBincount", i([[1, 2, 2, 5], [0, 0, 1, 1]]), i(4), f(2, 4))
case(
    "DenseBincount",
    i([[1, 2, 2, 5], [0, 0, 1, 1]]),
    i(4),
    np.zeros((0,), "float32"),
    binary_output=True,
)
case("HistogramFixedWidth", f(20), np.float32([-1, 1]), i(5))
case("TopKV2", f(2, 5), i(3))
case("InTopKV2", f(3, 4), i([0, 1, 2]), i(2))
case("LowerBound", np.float32([[1, 2, 2, 5]]), np.float32([[2, 0, 6]]))
case("UpperBound", np.float32([[1, 2, 2, 5]]), np.float32([[2, 0, 6]]), out_type=tf.int64)
case("Unique", i([3, 1, 3, 2, 1]))
case("Unique", s("b", "a", "b"), out_idx=tf.int64)
case("UniqueV2", i([3, 1, 3]), np.zeros(0, "int64"))
case("UniqueWithCounts", i([3, 1, 3, 2, 1]))
case("ListDiff", i([1, 2, 3, 4]), i([2, 4]))
# --- arrays ---------------------------------------------------------------------------------------
case("Shape", f(2, 3))
case("Shape", f(2, 3), out_type=tf.int64)
case("ShapeN", [f(2, 3), f(1)])
case("Rank", f(2, 3))
case("Size", f(2, 3))
case("Reshape", f(2, 3), i([3, -1]))
case("ExpandDims", f(2, 3), i(-2))
case("Squeeze", f(1, 2, 1))
case("Squeeze", f(1, 2, 1), axis=[0])
case("Transpose", f(2, 3, 4), i([2, 0, 1]))
case("ConjugateTranspose", z.reshape(1, 3), i([1, 0]))
case("InvertPermutation", i([2, 0, 1]))
case("BroadcastTo", f(3), i([2, 3]))
case("BroadcastArgs", i([2, 1]), i([3]))
case("BroadcastGradientArgs", i([2, 3]), i([3]))
case("Fill", i([2, 2]), np.float32(3))
case("Range", i(1), i(10), i(3))
case("Range", np.float32(0), np.float32(1), np.float32(0.3))
case("Range", i(5), i(0), i(-2))
case("LinSpace", np.float32(0), np.float32(1), i(5))
case("OneHot", i([[0, 2], [-1, 5]]), i(3), np.float32(2), np.float32(-1))
case("OneHot", i([0, 2]), i(3), np.float32(1), np.float32(0), axis=0)
case("Pack", [f(2), f(2)], axis=1)
case("Unpack", f(2, 3), num=3, axis=1)
case("ConcatV2", [f(2, 1), f(2, 2)], i(-1))
case("Concat", i(0), [f(1, 2), f(2, 2)])
case("ConcatOffset", i(1), [i([2, 3]), i([2, 5])])
case("Split", i(1), f(2, 6), num_split=3)
case("SplitV", f(2, 6), i([1, -1, 2]), i(1), num_split=3)
case("Tile", f(2, 1), i([1, 3]))
case("Pad", f(2, 2), i([[1, 0], [0, 2]]))
case("PadV2", f(2, 2), i([[1, 0], [0, 2]]), np.float32(7))
case("MirrorPad", f(3, 3), i([[1, 1], [2, 0]]), mode="REFLECT")
case("MirrorPad", f(3, 3), i([[1, 1], [2, 0]]), mode="SYMMETRIC")
case("ReverseV2", f(2, 3), i([-1]))
case("ReverseSequence", f(2, 4, 2), i([2, 3]), seq_dim=1)
case("ReverseSequence", f(4, 2), i([2, 3]), seq_dim=0, batch_dim=1)
case("Roll", f(3, 4), i([1, -2]), i([0, 1]))
case("Select", np.bool_([1, 0]), f(2, 3), f(2, 3))
case("SelectV2", np.bool_([[1], [0]]), f(2, 3), f(3))
case("SpaceToDepth", f(1, 4, 4, 2), block_size=2)
case("DepthToSpace", f(1, 2, 2, 8), block_size=2)
case("SpaceToBatchND", f(1, 4, 3, 1), i([2, 2]), i([[0, 0], [1, 0]]))
case("BatchToSpaceND", f(4, 2, 2, 1), i([2, 2]), i([[0, 0], [1, 0]]))
case("Where", np.bool_([[1, 0], [1, 1]]))
case("EnsureShape", f(2, 3), shape=[None, 3])
case("CheckNumerics", f(2), message="m")
case("IdentityN", [f(2), i([1])])
case("Slice", f(3, 4), i([1, 0]), i([2, -1]))
case("StridedSlice", f(4, 5), i([1, 0]), i([3, 4]), i([1, 2]))
case("StridedSlice", f(4, 5), i([-1, 0]), i([0, 0]), i([-2, 1]), begin_mask=2, end_mask=3)
case("StridedSlice", f(4, 5, 2), i([1, 0]), i([2, 1]), i([1, 1]), shrink_axis_mask=3)
case(
    "StridedSlice",
    f(4, 5),
    i([0, 0, 1]),
    i([0, 0, 3]),
    i([1, 1, 1]),
    ellipsis_mask=1,
    new_axis_mask=2,
)
case("StridedSlice", f(4, 5), i([-1]), i([0]), i([1]), shrink_axis_mask=1)
case("TensorStridedSliceUpdate", f(4, 5), i([1, 0]), i([3, 4]), i([1, 2]), f(2, 2))
case("Gather", f(4, 2), i([3, 0]))
case("GatherV2", f(4, 3), i([[2, 0]]), i(1))
case("GatherV2", f(2, 4, 3), i([[3, 0], [1, 1]]), i(1), batch_dims=1)
case("GatherV2", f(2, 3, 4), i([[3, 0], [1, 1]]), i(2), batch_dims=1)
case("GatherNd", f(3, 4), i([[2, 1], [0, 3]]))
case("GatherNd", f(3, 4), i([[2], [0]]))
case("ScatterNd", i([[1], [3], [1]]), f(3, 2), i([4, 2]))
for name in "Update Add Sub Max Min".split():
    case(f"TensorScatter{name}", f(4, 2), i([[1], [3]]), f(2, 2))
case("DynamicStitch", [i([0, 2]), i([1])], [f(2, 2), f(1, 2)])
case("DynamicPartition", f(4, 2), i([1, 0, 1, 0]), num_partitions=2)
case("MatrixBandPart", f(3, 4), i(1), i(0))
case("MatrixBandPart", f(3, 3), i(-1), i(0))
case("Diag", f(3))
case("DiagPart", f(3, 3))
case("MatrixDiag", f(2, 3))
case("MatrixDiagPart", f(2, 3, 4))
case("MatrixDiagV3", f(2, 3), i(1), i(-1), i(-1), np.float32(0))
case("MatrixDiagPartV3", f(2, 4, 4), i(-1), np.float32(0))
case("MatrixSetDiagV3", f(3, 3), f(3), i(0))
# --- linear algebra -------------------------------------------------------------------------------
case("MatMul", f(2, 3), f(3, 4))
case("MatMul", f(3, 2), f(4, 3), transpose_a=True, transpose_b=True)
case("BatchMatMulV2", f(2, 1, 2, 3), f(4, 3, 2))
case("BatchMatMulV2", f(2, 3, 2), f(2, 4, 3), adj_x=True, adj_y=True)
case("BatchMatMulV3", f(2, 2, 3), f(2, 3, 2), Tout=tf.float32)
case("Einsum", [f(2, 3, 4), f(4, 5)], equation="abc,cd->abd")
case("Cross", f(2, 3), f(2, 3))
spd = np.float32([[4, 1], [1, 3]])
for name in "Cholesky MatrixInverse MatrixDeterminant LogMatrixDeterminant".split():
    case(name, spd)
case("MatrixSolve", spd, f(2, 2))
case("MatrixTriangularSolve", spd, f(2, 2))
case("SelfAdjointEigV2", spd, compute_v=False)
case("Svd", f(3, 2), compute_uv=False)
case("FFT", z)
case("IFFT", z)
case("FFT2D", z.reshape(1, 3))
case("RFFT", f(2, 8), i([6]))
case("IRFFT", (f(2, 5) + 1j * f(2, 5)).astype("complex64"), i([8]))
# --- nn -------------------------------------------------------------------------------------------
case("LeakyRelu", f(4), alpha=0.3)
case("BiasAdd", f(2, 3, 3, 4), f(4))
case("BiasAdd", f(2, 4, 3, 3), f(4), data_format="NCHW")
case("ReluGrad", f(4), f(4))
case("SigmoidGrad", f(4), f(4))
case("TanhGrad", f(4), f(4))
case("RsqrtGrad", f(4, low=0.5), f(4))
case("BiasAddGrad", f(2, 3, 4))
for training in (False, True):
    spread = (np.zeros(0, "float32"),) * 2 if training else (f(3), f(3, low=0.5))
    case("FusedBatchNormV3", f(2, 4, 4, 3), f(3), f(3), *spread, is_training=training, epsilon=0.01)
case("FusedBatchNorm", f(2, 4, 4, 3), f(3), f(3), f(3), f(3, low=0.5), is_training=False)
case(
    "FusedBatchNormV3",
    f(2, 4, 4, 3),
    f(3),
    f(3),
    f(3),
    f(3, low=0.5),
    is_training=True,
    exponential_avg_factor=0.25,
)
case("LRN", f(1, 2, 2, 6), depth_radius=2)
case("SoftmaxCrossEntropyWithLogits", f(2, 3), np.float32([[0, 1, 0], [0.2, 0.3, 0.5]]))
case("SparseSoftmaxCrossEntropyWithLogits", f(2, 3), i([0, 2]))
for padding in ("SAME", "VALID"):
    case("Conv2D", f(1, 6, 7, 2), f(3, 2, 2, 3), strides=[1, 2, 2, 1], padding=padding)
    case(
        "DepthwiseConv2dNative", f(1, 6, 7, 2), f(3, 3, 2, 2), strides=[1, 2, 2, 1], padding=padding
    )
    case("MaxPool", f(1, 6, 7, 2), ksize=[1, 3, 2, 1], strides=[1, 2, 2, 1], padding=padding)
    case("AvgPool", f(1, 6, 7, 2), ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding=padding)
    case(
        "ExtractImagePatches",
        f(1, 5, 5, 2),
        ksizes=[1, 3, 3, 1],
        strides=[1, 2, 2, 1],
        rates=[1, 1, 1, 1],
        padding=padding,
    )
    case(
        "Dilation2D",
        f(1, 5, 5, 2),
        f(3, 2, 2),
        strides=[1, 2, 2, 1],
        rates=[1, 1, 1, 1],
        padding=padding,
    )
case(
    "Conv2D",
    f(1, 7, 7, 2),
    f(3, 3, 2, 4),
    strides=[1, 1, 1, 1],
    padding="SAME",
    dilations=[1, 2, 2, 1],
)
case(
    "Conv2D",
    f(1, 6, 6, 2),
    f(3, 3, 2, 4),
    strides=[1, 2, 2, 1],
    padding="EXPLICIT",
    explicit_paddings=[0, 0, 1, 0, 0, 2, 0, 0],
)
case("Conv3D", f(1, 4, 5, 5, 2), f(2, 3, 3, 2, 3), strides=[1, 1, 2, 2, 1], padding="SAME")
case(
    "Conv2DBackpropInput",
    i([1, 6, 7, 2]),
    f(3, 3, 2, 3),
    f(1, 3, 4, 3),
    strides=[1, 2, 2, 1],
    padding="SAME",
)
case(
    "Conv2DBackpropInput",
    i([1, 7, 7, 2]),
    f(3, 3, 2, 3),
    f(1, 3, 3, 3),
    strides=[1, 2, 2, 1],
    padding="VALID",
)
case(
    "Conv2DBackpropFilter",
    f(1, 6, 6, 2),
    i([3, 3, 2, 3]),
    f(1, 3, 3, 3),
    strides=[1, 2, 2, 1],
    padding="SAME",
)
case(
    "Conv3DBackpropInputV2",
    i([1, 4, 4, 4, 2]),
    f(2, 2, 2, 2, 3),
    f(1, 2, 2, 2, 3),
    strides=[1, 2, 2, 2, 1],
    padding="SAME",
)
case(
    "DepthwiseConv2dNativeBackpropInput",
    i([1, 6, 6, 2]),
    f(3, 3, 2, 2),
    f(1, 3, 3, 4),
    strides=[1, 2, 2, 1],
    padding="SAME",
)
case("MaxPool3D", f(1, 4, 4, 4, 1), ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="VALID")
case("AvgPool3D", f(1, 3, 4, 4, 1), ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="SAME")
case("MaxPoolV2", f(1, 4, 4, 1), i([1, 2, 2, 1]), i([1, 2, 2, 1]), padding="SAME")
case("MaxPoolWithArgmax", f(2, 4, 4, 2), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
case(
    "AvgPoolGrad",
    i([1, 5, 5, 1]),
    f(1, 3, 3, 1),
    ksize=[1, 2, 2, 1],
    strides=[1, 2, 2, 1],
    padding="SAME",
)
# --- images ---------------------------------------------------------------------------------------
for options in ({"align_corners": True}, {"half_pixel_centers": True}, {}):
    for name in "ResizeBilinear ResizeNearestNeighbor ResizeBicubic".split():
        case(name, f(1, 5, 4, 2), i([7, 9]), **options)
        case(name, f(1, 8, 7, 1), i([3, 4]), **options)
case("ResizeArea", f(1, 6, 5, 1), i([3, 2]))
for kernel in "lanczos3 triangle keyscubic gaussian box mitchellcubic".split():
    case(
        "ScaleAndTranslate",
        f(1, 6, 5, 1),
        i([3, 8]),
        np.float32([0.5, 1.6]),
        np.float32([0, 0]),
        kernel_type=kernel,
    )
case(
    "CropAndResize",
    f(2, 5, 5, 1),
    np.float32([[0, 0, 1, 1], [0.2, -0.2, 0.7, 1.2]]),
    i([0, 1]),
    i([3, 4]),
)
case(
    "CropAndResize",
    f(2, 5, 5, 1),
    np.float32([[0.1, 0, 1, 0.8]]),
    i([1]),
    i([3, 4]),
    method="nearest",
    extrapolation_value=2.0,
)
turn = np.float32([[0.9, -0.3, 0.4, 0.3, 0.9, -0.6, 0.01, 0.0]])
for mode in "CONSTANT REFLECT WRAP NEAREST".split():
    case(
        "ImageProjectiveTransformV3",
        f(1, 5, 5, 1),
        turn,
        i([5, 6]),
        np.float32(0.5),
        interpolation="BILINEAR",
        fill_mode=mode,
    )
case(
    "ImageProjectiveTransformV3",
    f(1, 5, 5, 1),
    turn,
    i([5, 6]),
    np.float32(0.5),
    interpolation="NEAREST",
    fill_mode="CONSTANT",
)
picture = f(3, 3, 3, low=0, high=1)
case("AdjustContrastv2", picture, np.float32(1.5))
case("RGBToHSV", picture)
case("HSVToRGB", picture)
case("AdjustHue", picture, np.float32(0.2))
case("AdjustSaturation", picture, np.float32(1.7))
png = tf.io.encode_png(rng.integers(0, 255, (3, 4, 3), "uint8")).numpy()
grey = tf.io.encode_png(rng.integers(0, 255, (3, 4, 1), "uint8")).numpy()
jpeg = tf.io.encode_jpeg(np.full((8, 8, 3), 120, "uint8")).numpy()
case("DecodePng", one(png))
case("DecodePng", one(grey), channels=3)
case("DecodeJpeg", one(jpeg), channels=3)
case("DecodeImage", one(grey))
case("DecodeImage", one(png), dtype=tf.float32)
case("ExtractJpegShape", one(jpeg))
boxes = np.float32([[0, 0, 1, 1], [0, 0.05, 1, 1.05], [0, 2, 1, 3], [0, 2.1, 1, 3.1]])
case(
    "NonMaxSuppressionV3",
    boxes,
    np.float32([0.9, 0.95, 0.5, 0.6]),
    i(3),
    np.float32(0.5),
    np.float32(0.1),
)
case(
    "NonMaxSuppressionV5",
    boxes,
    np.float32([0.9, 0.95, 0.5, 0.6]),
    i(3),
    np.float32(0.5),
    np.float32(0.1),
    np.float32(0),
)
case(
    "CombinedNonMaxSuppression",
    boxes[None, :, None] / 4,
    f(1, 4, 2, low=0, high=1),
    i(2),
    i(3),
    np.float32(0.5),
    np.float32(0.1),
)
# --- strings --------------------------------------------------------------------------------------
words = s("Hello World", "  a b\t", "", "ÄÖ ß", b"\xff\xfe x")
case("StringLower", words)
case("StringUpper", words)
case("StringLower", s("ÄÖ İ ß", "ǅ"), encoding="utf-8")
case("StringUpper", s("äö ß"), encoding="utf-8")
case("StringStrip", words)
case("StringJoin", [s("a", "b"), s("c", "d")], separator="-")
case("StringJoin", [one("x"), s("c", "d")])
case("ReduceJoin", np.asarray([[b"a", b"b"], [b"c", b"d"]], object), i([1]), separator="+")
case("ReduceJoin", np.asarray([[b"a", b"b"], [b"c", b"d"]], object), i([0, 1]), keep_dims=True)
case("StringLength", words)
case("StringLength", s("ÄÖ", "a"), unit="UTF8_CHAR")
case("Substr", s("hello", "world"), i(-3), i(2))
case("Substr", s("ÄÖü", "abc"), i(1), i(2), unit="UTF8_CHAR")
case("RegexReplace", s("a.b,c", "x--y"), one(r"[.,\-]+"), one(r"<\0>"))
case("StaticRegexReplace", s("abcabc"), pattern="(a)(b)", rewrite=r"\2\1", replace_global=False)
case(
    "StaticRegexReplace",
    s("Hi! it's, 5$?", "a_b"),
    pattern=r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']",
    rewrite="",
)
case("StaticRegexReplace", s("añb…c"), pattern=r"\p{P}|[[:digit:]]", rewrite="_")
case("StaticRegexReplace", s("a\vb\n"), pattern=r"\s|$", rewrite="_")
case("RegexFullMatch", s("abc", "abcd", "ab"), one("ab.?"))
case("StaticRegexFullMatch", s("a1", "b"), pattern=r"\w\d")
case("StringSplitV2", words, one(""))
case("StringSplitV2", s("a,b,,c", ","), one(","))
case("StringSplitV2", s("a,b,,c"), one(","), maxsplit=2)
case("StringSplit", s("a,b;c", ""), one(",;"))
case(
    "StringNGrams",
    s("a", "b", "c", "d"),
    i([0, 3, 4], dtype="int64"),
    separator=" ",
    ngram_widths=[1, 2],
    left_pad="",
    right_pad="",
    pad_width=0,
    preserve_short_sequences=False,
)
case(
    "StringNGrams",
    s("a", "b", "c", "d"),
    i([0, 3, 4], dtype="int64"),
    separator="|",
    ngram_widths=[3],
    left_pad="L",
    right_pad="R",
    pad_width=1,
    preserve_short_sequences=True,
)
case("StringToNumber", s("1.5", "-2"))
case("StringToNumber", s("12", "-3"), out_type=tf.int64)
case("AsString", i([1, -20]))
case("AsString", np.float32([1.5, -20]), precision=2)
case("AsString", np.bool_([1, 0]))
case("AsString", np.float32([1.5, 1e10]), shortest=True)
case("AsString", i([1, -20]), width=5, fill="0")
case("StringToHashBucketFast", s("", "a", "hello", "x" * 20, "y" * 70), num_buckets=1000)
case("StringToHashBucketStrong", s("", "a", "hello"), num_buckets=1000, key=[1, 2])
case("Fingerprint", s("a", "b"), one("farmhash64"))
case("EncodeBase64", s("ab?>", ""))
case("DecodeBase64", s("YWI_Pg"))
case("DecodeRaw", s(b"\x01\x00\x02\x00"), out_type=tf.int16)
case("UnicodeDecode", s("aÄ", "", b"\xffx\xe4\xb8"), input_encoding="UTF-8")
case("UnicodeDecodeWithOffsets", s("aÄ…b", "x"), input_encoding="UTF-8")
case("UnicodeEncode", i([97, 0xC4, 98]), i([0, 2, 3], dtype="int64"), output_encoding="UTF-8")
case("UnicodeTranscode", s("aÄ"), input_encoding="UTF-8", output_encoding="UTF-16-BE")
case("UnsortedSegmentJoin", s("a", "b", "c"), i([1, 0, 1]), i(2), separator=":")
case("Equal", s("a", "b"), s("a", "c"))
case("Reshape", s("a", "b"), i([2, 1]))
case("ConcatV2", [s("a"), s("b")], i(0))
case("Gather", s("a", "b", "c"), i([2, 0]))
# --- ragged, sparse -------------------------------------------------------------------------------
case(
    "RaggedTensorToTensor",
    i([-1, -1], dtype="int64"),
    f(5),
    np.float32(0),
    [i([0, 2, 2, 5], dtype="int64")],
    row_partition_types=["ROW_SPLITS"],
)
case(
    "RaggedTensorToTensor",
    i([4, 2], dtype="int64"),
    f(5),
    np.float32(9),
    [i([0, 2, 2, 5], dtype="int64")],
    row_partition_types=["ROW_SPLITS"],
)
case(
    "RaggedTensorToTensor",
    i([-1, -1], dtype="int64"),
    s("a", "b", "c"),
    one(""),
    [i(3, dtype="int64"), i([0, 0, 2], dtype="int64")],
    row_partition_types=["FIRST_DIM_SIZE", "VALUE_ROWIDS"],
)
case(
    "RaggedTensorToTensor",
    i([-1, -1, 2], dtype="int64"),
    f(4),
    np.float32(0),
    [i([0, 2, 3], dtype="int64"), i([0, 1, 1, 4], dtype="int64")],
    row_partition_types=["ROW_SPLITS", "ROW_SPLITS"],
)
case("RaggedTensorToSparse", [i([0, 2, 2, 3], dtype="int64")], f(3))
case("RaggedRange", i([0, 5]), i([3, 5]), i([1, 1]))
case("RaggedGather", [i([0, 2, 2, 5], dtype="int64")], f(5), i([2, 0]), OUTPUT_RAGGED_RANK=1)
case("RaggedBincount", i([0, 2, 3], dtype="int64"), i([1, 1, 0]), i(3), np.zeros(0, "float32"))
sparse = i([[0, 1], [1, 0], [1, 2]], dtype="int64"), f(3), i([3, 3], dtype="int64")
case("SparseToDense", sparse[0], sparse[2], sparse[1], np.float32(-1))
case("SparseReorder", sparse[0][::-1].copy(), sparse[1], sparse[2])
case("SparseReshape", sparse[0], sparse[2], i([9, -1], dtype="int64"))
case("SparseFillEmptyRows", *sparse, np.float32(5))
case("SparseTensorDenseMatMul", *sparse, f(3, 2))
case("SparseSlice", *sparse, i([1, 0], dtype="int64"), i([2, 2], dtype="int64"))
case("SparseConcat", [sparse[0]] * 2, [sparse[1]] * 2, [sparse[2]] * 2, concat_dim=1)
case("SparseReduceSum", *sparse, i([1]))
pairs = [np.asarray([[b"a", b"b"], [b"c", b""]], object), i([[3, -4], [5, 6]], dtype="int64")]
case(
    "SparseCross",
    [],
    [],
    [],
    pairs,
    hashed_output=True,
    num_buckets=100,
    hash_key=0xDECAFCAFFE,
    out_type=tf.int64,
    internal_type=tf.int64,
)
case(
    "SparseBincount",
    sparse[0],
    i([1, 1, 2], dtype="int64"),
    sparse[2],
    i(3, dtype="int64"),
    np.zeros(0, "float32"),
)
# --- parsing --------------------------------------------------------------------------------------
feature = tf.train.Feature
example = tf.train.Example(
    features=tf.train.Features(
        feature={
            "x": feature(float_list=tf.train.FloatList(value=[1, 2])),
            "n": feature(int64_list=tf.train.Int64List(value=[5])),
            "t": feature(bytes_list=tf.train.BytesList(value=[b"a", b"b"])),
        }
    )
).SerializeToString()
case(
    "ParseExampleV2",
    s(example, example),
    s(),
    s("t"),
    s("x", "m"),
    s("n"),
    [np.zeros(0, "float32"), i([7], dtype="int64")],
    num_sparse=1,
    sparse_types=[tf.string],
    ragged_value_types=[tf.int64],
    ragged_split_types=[tf.int64],
    dense_shapes=[[2], [1]],
)
case(
    "ParseSingleExample",
    one(example),
    [np.zeros(0, "float32")],
    num_sparse=1,
    sparse_keys=["t"],
    dense_keys=["x"],
    sparse_types=[tf.string],
    dense_shapes=[[2]],
)


def main() -> None:
    parts: list[bytes] = []
    cases: list[Any] = []

    def kept(value: Any) -> Any:
        value = np.asarray(value)
        if value.dtype == object:
            return {
                "shape": list(value.shape),
                "strings": [v.decode("latin-1") for v in value.ravel()],
            }
        if value.dtype.name == "bfloat16":
            value = value.astype("float32")
        parts.append(value.tobytes())
        at = sum(map(len, parts[:-1]))
        return {"shape": list(value.shape), "dtype": value.dtype.name, "at": at}

    for op, inputs, attributes in CASES:
        definition = op_def_registry.get(op)
        names = [
            RENAMED.get((op, a.name), RENAMED.get(a.name, a.name)) for a in definition.input_arg
        ]
        feeds: dict[Any, Any] = {}
        with tf.Graph().as_default():

            def placed(value: Any, feeds: Any = feeds) -> Any:
                if isinstance(value, list):
                    return [placed(item) for item in value]
                value = np.asarray(value)
                kind = tf.string if value.dtype == object else value.dtype
                tensor = tf.raw_ops.Placeholder(dtype=kind, shape=value.shape)
                feeds[tensor] = value
                return tensor

            if len(names) == 1 and len(inputs) > 1 and not isinstance(inputs[0], list):
                inputs = [inputs]
            arguments = {name: placed(value) for name, value in zip(names, inputs, strict=True)}
            try:
                function = getattr(tf.raw_ops, op)
                found = function(**arguments, **attributes)
                outputs = list(found) if isinstance(found, (list, tuple)) else [found]
                flat = [t for part in outputs for t in (part if isinstance(part, list) else [part])]
                node = flat[0].op.node_def
                if node.op != op:
                    raise ValueError(f"{node.op} in place of {op}")
                with tf.compat.v1.Session() as session:
                    results = session.run(flat, feeds)
            except Exception as error:
                print(op, "LEFT OUT", str(error)[-300:], file=sys.stderr)
                continue
            del node.input[:]
            cases.append(
                {
                    "op": op,
                    "node": node.SerializeToString(deterministic=True).hex(),
                    "inputs": [kept(v) for v in feeds.values()],
                    "outputs": [kept(v) for v in results],
                }
            )
    place = Path(__file__).parent
    buffer = io.BytesIO()
    np.savez_compressed(buffer, data=np.frombuffer(b"".join(parts), "uint8"))
    (place / "tensorflow_ops.npz").write_bytes(buffer.getvalue())
    lines = ",\n".join(json.dumps(each) for each in cases)
    (place / "tensorflow_ops.json").write_text(f"[\n{lines}\n]\n")
    print(len(cases), len({each["op"] for each in cases}))


if __name__ == "__main__":
    main()
