"""The file format of TFLite (LiteRT): its tables, ops and dtypes, for `flatbuffer.Schema`.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, as of LiteRT 2.3: fields and
members of enums stand in the order of their numbers there. Only tables that nacre writes or reads
have their fields here; tables of options without fields are not listed.
"""

from __future__ import annotations

from nacre.core.wire.flatbuffer import Schema

# `file_identifier "TFL3"`: bytes 4 to 8 of a file.
IDENTIFIER = "TFL3"
VERSION = 3

# enum BuiltinOperator.
OPERATORS = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
    RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
    SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
    BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
    UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT
    LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG
    PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
    EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD
    REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
    REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
    SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE
    RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
    BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D
    IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
    CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
    RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE
    RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
    UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD
    STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP
    STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE
    STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE
    STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
    STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
    STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE
    STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW
    STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
""".split()
NUMBER_OF_OPERATOR = {name: number for number, name in enumerate(OPERATORS)}

# enum TensorType, by the names NumPy has for them.
DTYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64
    resource variant uint32 uint16 int4 bfloat16 int2 uint4 float8_e4m3fn float8_e5m2
""".split()
NUMBER_OF_DTYPE = {name: number for number, name in enumerate(DTYPES)}

# enum Padding, ActivationFunctionType, MirrorPadMode.
PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
MIRROR_MODES = ("REFLECT", "SYMMETRIC")

# union BuiltinOptions.
_OPTIONS = """
    Conv2DOptions DepthwiseConv2DOptions ConcatEmbeddingsOptions LSHProjectionOptions
    Pool2DOptions SVDFOptions RNNOptions FullyConnectedOptions SoftmaxOptions
    ConcatenationOptions AddOptions L2NormOptions LocalResponseNormalizationOptions LSTMOptions
    ResizeBilinearOptions CallOptions ReshapeOptions SkipGramOptions SpaceToDepthOptions
    EmbeddingLookupSparseOptions MulOptions PadOptions GatherOptions BatchToSpaceNDOptions
    SpaceToBatchNDOptions TransposeOptions ReducerOptions SubOptions DivOptions SqueezeOptions
    SequenceRNNOptions StridedSliceOptions ExpOptions TopKV2Options SplitOptions
    LogSoftmaxOptions CastOptions DequantizeOptions MaximumMinimumOptions ArgMaxOptions
    LessOptions NegOptions PadV2Options GreaterOptions GreaterEqualOptions LessEqualOptions
    SelectOptions SliceOptions TransposeConvOptions SparseToDenseOptions TileOptions
    ExpandDimsOptions EqualOptions NotEqualOptions ShapeOptions PowOptions ArgMinOptions
    FakeQuantOptions PackOptions LogicalOrOptions OneHotOptions LogicalAndOptions
    LogicalNotOptions UnpackOptions FloorDivOptions SquareOptions ZerosLikeOptions FillOptions
    BidirectionalSequenceLSTMOptions BidirectionalSequenceRNNOptions
    UnidirectionalSequenceLSTMOptions FloorModOptions RangeOptions ResizeNearestNeighborOptions
    LeakyReluOptions SquaredDifferenceOptions MirrorPadOptions AbsOptions SplitVOptions
    UniqueOptions ReverseV2Options AddNOptions GatherNdOptions CosOptions WhereOptions
    RankOptions ReverseSequenceOptions MatrixDiagOptions QuantizeOptions MatrixSetDiagOptions
    HardSwishOptions IfOptions WhileOptions DepthToSpaceOptions NonMaxSuppressionV4Options
    NonMaxSuppressionV5Options ScatterNdOptions SelectV2Options DensifyOptions SegmentSumOptions
    BatchMatMulOptions CumsumOptions CallOnceOptions BroadcastToOptions Rfft2dOptions
    Conv3DOptions HashtableOptions HashtableFindOptions HashtableImportOptions
    HashtableSizeOptions VarHandleOptions ReadVariableOptions AssignVariableOptions
    RandomOptions BucketizeOptions GeluOptions DynamicUpdateSliceOptions
    UnsortedSegmentProdOptions UnsortedSegmentMaxOptions UnsortedSegmentMinOptions
    UnsortedSegmentSumOptions ATan2Options SignOptions BitcastOptions BitwiseXorOptions
    RightShiftOptions
""".split()

_ACTIVATION = "fused_activation_function:byte"
_TABLES: dict[str, str] = {
    "Model": "version:uint operator_codes:[OperatorCode] subgraphs:[SubGraph] description:string "
    "buffers:[Buffer] metadata_buffer:[int] metadata:[Metadata] signature_defs:[SignatureDef]",
    "OperatorCode": "deprecated_builtin_code:byte custom_code:string version:int=1 "
    "builtin_code:int",
    "SubGraph": "tensors:[Tensor] inputs:[int] outputs:[int] operators:[Operator] name:string",
    "Tensor": "shape:[int] type:byte buffer:uint name:string quantization:QuantizationParameters "
    "is_variable:bool sparsity:SparsityParameters shape_signature:[int] has_rank:bool",
    "QuantizationParameters": "min:[float] max:[float] scale:[float] zero_point:[long] -:ubyte "
    "-:Details quantized_dimension:int",
    "SparsityParameters": "traversal_order:[int] block_map:[int]",
    "Operator": "opcode_index:uint inputs:[int] outputs:[int] builtin_options:BuiltinOptions "
    "custom_options:[ubyte]",
    "Buffer": "data:[ubyte:16] offset:ulong size:ulong",
    "Metadata": "name:string buffer:uint",
    "SignatureDef": "inputs:[TensorMap] outputs:[TensorMap] signature_key:string -:string "
    "subgraph_index:uint",
    "TensorMap": "name:string tensor_index:uint",
    # Options of operators.
    "AddOptions": _ACTIVATION,
    "ArgMaxOptions": "output_type:byte",
    "ArgMinOptions": "output_type:byte",
    "BatchMatMulOptions": "adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool",
    "CallOnceOptions": "init_subgraph_index:int",
    "CastOptions": "in_data_type:byte out_data_type:byte",
    "ConcatenationOptions": f"axis:int {_ACTIVATION}",
    "Conv2DOptions": f"padding:byte stride_w:int stride_h:int {_ACTIVATION} "
    "dilation_w_factor:int=1 dilation_h_factor:int=1 quantized_bias_type:byte",
    "Conv3DOptions": f"padding:byte stride_d:int stride_w:int stride_h:int {_ACTIVATION} "
    "dilation_d_factor:int=1 dilation_w_factor:int=1 dilation_h_factor:int=1",
    "CumsumOptions": "exclusive:bool reverse:bool",
    "DepthToSpaceOptions": "block_size:int",
    "DepthwiseConv2DOptions": f"padding:byte stride_w:int stride_h:int depth_multiplier:int "
    f"{_ACTIVATION} dilation_w_factor:int=1 dilation_h_factor:int=1",
    "DivOptions": _ACTIVATION,
    "FullyConnectedOptions": f"{_ACTIVATION} weights_format:byte keep_num_dims:bool "
    "asymmetric_quantize_inputs:bool quantized_bias_type:byte",
    "GatherOptions": "axis:int batch_dims:int",
    "GeluOptions": "approximate:bool",
    "HashtableOptions": "table_id:int key_dtype:byte value_dtype:byte",
    "IfOptions": "then_subgraph_index:int else_subgraph_index:int",
    "LeakyReluOptions": "alpha:float",
    "MirrorPadOptions": "mode:byte",
    "MulOptions": _ACTIVATION,
    "OneHotOptions": "axis:int",
    "PackOptions": "values_count:int axis:int",
    "Pool2DOptions": "padding:byte stride_w:int stride_h:int filter_width:int filter_height:int "
    + _ACTIVATION,
    "RandomOptions": "seed:long seed2:long",
    "ReducerOptions": "keep_dims:bool",
    "ReshapeOptions": "new_shape:[int]",
    # The first two sizes are no longer used.
    "ResizeBilinearOptions": "-:int -:int align_corners:bool half_pixel_centers:bool",
    "ResizeNearestNeighborOptions": "align_corners:bool half_pixel_centers:bool",
    "ShapeOptions": "out_type:byte",
    "SoftmaxOptions": "beta:float",
    "SpaceToDepthOptions": "block_size:int",
    "SplitOptions": "num_splits:int",
    "SplitVOptions": "num_splits:int",
    "SqueezeOptions": "squeeze_dims:[int]",
    "StridedSliceOptions": "begin_mask:int end_mask:int ellipsis_mask:int new_axis_mask:int "
    "shrink_axis_mask:int offset:bool",
    "SubOptions": _ACTIVATION,
    "TransposeConvOptions": f"padding:byte stride_w:int stride_h:int {_ACTIVATION} "
    "quantized_bias_type:byte",
    "UnpackOptions": "num:int axis:int",
    "BidirectionalSequenceLSTMOptions": f"{_ACTIVATION} cell_clip:float proj_clip:float "
    "merge_outputs:bool time_major:bool=1",
    "BidirectionalSequenceRNNOptions": f"time_major:bool {_ACTIVATION} merge_outputs:bool",
    "BucketizeOptions": "boundaries:[float]",
    "CallOptions": "subgraph:uint",
    "FakeQuantOptions": "min:float max:float num_bits:int narrow_range:bool",
    "L2NormOptions": _ACTIVATION,
    "LSTMOptions": f"{_ACTIVATION} cell_clip:float proj_clip:float kernel_type:byte",
    "LocalResponseNormalizationOptions": "radius:int bias:float alpha:float beta:float",
    "RNNOptions": _ACTIVATION,
    "ReverseSequenceOptions": "seq_dim:int batch_dim:int",
    "SVDFOptions": f"rank:int {_ACTIVATION}",
    "SequenceRNNOptions": f"time_major:bool {_ACTIVATION}",
    "UnidirectionalSequenceLSTMOptions": f"{_ACTIVATION} cell_clip:float proj_clip:float "
    "time_major:bool",
    "UniqueOptions": "idx_out_type:byte=2",
    "VarHandleOptions": "container:string shared_name:string",
    "WhileOptions": "cond_subgraph_index:int body_subgraph_index:int",
}  # fmt: skip
SCHEMA = Schema({**{name: "" for name in _OPTIONS}, **_TABLES}, {"BuiltinOptions": tuple(_OPTIONS)})

# Operators whose table of options has another name than their own.
_NAMED = {
    "AVERAGE_POOL_2D": "Pool2D",
    "MAX_POOL_2D": "Pool2D",
    "MAXIMUM": "MaximumMinimum",
    "MINIMUM": "MaximumMinimum",
    "ATAN2": "ATan2",
    "CONV_2D": "Conv2D",
    "CONV_3D": "Conv3D",
    "CONV_3D_TRANSPOSE": "Conv3D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "BATCH_MATMUL": "BatchMatMul",
    "RFFT2D": "Rfft2d",
    "RANDOM_UNIFORM": "Random",
    "RANDOM_STANDARD_NORMAL": "Random",
    "MULTINOMIAL": "Random",
    "L2_POOL_2D": "Pool2D",
    "L2_NORMALIZATION": "L2Norm",
    "LSTM": "LSTM",
    "RNN": "RNN",
    "SVDF": "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNN",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalSequenceLSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSequenceRNN",
    "PADV2": "PadV2",
    "TOPK_V2": "TopKV2",
    **dict.fromkeys(
        "SUM MEAN REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL".split(), "Reducer"
    ),
}


def options_of(operator: str) -> str | None:
    """The table of options of an operator; None where it has none."""
    words = "".join(word.capitalize() for word in operator.split("_"))
    name = f"{_NAMED.get(operator, words)}Options"
    return name if name in SCHEMA.unions["BuiltinOptions"] else None


__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "IDENTIFIER",
    "MIRROR_MODES",
    "NUMBER_OF_DTYPE",
    "NUMBER_OF_OPERATOR",
    "OPERATORS",
    "PADDINGS",
    "SCHEMA",
    "VERSION",
    "options_of",
]
