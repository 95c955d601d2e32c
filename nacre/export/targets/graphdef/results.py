"""What TensorFlow calls the results of its ops, and which of them read or change something.

Source: the registry of ops of TensorFlow 2.15.1 (tensorflow/core/ops).
"""

from __future__ import annotations

_NAMES: dict[tuple[str, ...], str] = {
    ("output",): """
        All Any ArgMax ArgMin AsString AvgPool AvgPool3D BatchMatMulV2 BatchToSpaceND BiasAdd
        Bitcast BroadcastTo Case Cholesky ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D
        Conv3DBackpropInputV2 DepthwiseConv2dNative Einsum ExpandDims FFT FFT2D FFT3D
        GatherNd GatherV2 IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D Identity If Imag
        LowerBound MatrixSetDiag MatrixTriangularSolve Max MaxPool MaxPool3D Mean Min
        MirrorPad OneHot Pack PadV2 PartitionedCall Placeholder Prod RFFT RFFT2D RFFT3D
        RandomStandardNormal RandomUniform RandomUniformInt Range Real Reshape ReverseV2
        ScatterNd SelectV2 Shape Size Slice SpaceToBatchND Split SplitV Squeeze
        StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile StaticRegexReplace
        StopGradient StridedSlice
        StringLower StringToHashBucketFast StringToHashBucketStrong Sum
        TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterUpdate
        TensorStridedSliceUpdate Tile Unpack UnsortedSegmentMax UnsortedSegmentMin
        UnicodeEncode UnsortedSegmentProd UnsortedSegmentSum UpperBound While
    """,
    ("y",): """
        Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil Cos Cosh Digamma Erf Erfc Erfinv Exp
        Expm1 Floor Invert IsFinite Lgamma Log Log1p LogicalNot Neg OnesLike Round Rsqrt
        Sigmoid Sign Sin Sinh Sqrt Square Tan Tanh Transpose ZerosLike
    """,
    ("z",): """
        AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor Equal FloorDiv FloorMod Greater
        GreaterEqual LeftShift Less LessEqual LogicalAnd LogicalOr Maximum Minimum Mul
        NotEqual Pow RealDiv RightShift Sub TruncateDiv TruncateMod
    """,
    ("activations",): "Elu LeakyRelu Relu Relu6 Selu Softplus Softsign",
    ("out",): "Complex Cumprod Cumsum CumulativeLogsumexp",
    ("resized_images",): "ResizeBilinear ResizeNearestNeighbor",
    ("output_handle",): "TensorListFromTensor TensorListSetItem",
    ("logsoftmax",): "LogSoftmax",
    ("product",): "MatMul",
    ("value",): "ReadVariableOp",
    ("softmax",): "Softmax",
    ("item",): "TensorListGetItem",
    ("dense",): "SparseToDense",
    ("indices", "values", "shape"): "StringSplitV2",
    ("ngrams", "ngrams_splits"): "StringNGrams",
    ("row_splits", "char_values"): "UnicodeDecode",
    ("result",): "RaggedTensorToTensor",
    ("output_indices", "output_values", "output_shape"): "SparseCross",
    ("handle",): "TensorListReserve",
    ("tensor",): "TensorListStack",
    ("values", "indices"): "TopKV2",
    ("index",): "Where",
    ("table_handle",): "AnonymousHashTable",
    ("values",): "LookupTableFindV2",
    ("resource",): "VarHandleOp",
    ("tensors",): "RestoreV2",
}
RESULTS: dict[str, tuple[str, ...]] = {
    op: results for results, ops in _NAMES.items() for op in ops.split()
}
STATEFUL = frozenset(
    """
    AnonymousHashTable AssignVariableOp Case If InitializeTableV2 LookupTableFindV2
    RandomStandardNormal RandomUniform RandomUniformInt ReadVariableOp RestoreV2
    StatefulPartitionedCall VarHandleOp While
    """.split()
)

__all__ = ["RESULTS", "STATEFUL"]
