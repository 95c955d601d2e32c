"""Layer cases: dense, activations, reshaping, randomness, rescaling, encoding."""

from .spec import ArrayInput as X
from .spec import LayerCase as Case
from .spec import Spec

VECTOR = (X((3, 5)),)
SEQUENCE = (X((2, 4, 3)),)
IMAGE = (X((2, 4, 5, 3)),)
IMAGE_FIRST = (X((2, 3, 4, 5)),)
VOLUME = (X((2, 3, 4, 3, 2)),)
L2 = Spec("L2", {"l2": 0.1}, namespace="regularizers")
L1 = Spec("L1", {"l1": 0.2}, namespace="regularizers")
CONSTANT = Spec("Constant", {"value": 0.3}, namespace="initializers")

DENSE = (
    Case("dense", "Dense", VECTOR, {"units": 4}),
    Case(
        "dense_relu_no_bias", "Dense", VECTOR, {"units": 4, "activation": "relu", "use_bias": False}
    ),
    Case("dense_rank3_tanh", "Dense", SEQUENCE, {"units": 2, "activation": "tanh"}),
    Case("dense_rank4_softmax", "Dense", IMAGE, {"units": 3, "activation": "softmax"}),
    Case(
        "dense_regularized",
        "Dense",
        VECTOR,
        {"units": 2, "kernel_regularizer": L2, "bias_regularizer": L1, "activity_regularizer": L2},
    ),
    Case(
        "einsum_dense_matrix",
        "EinsumDense",
        VECTOR,
        {"equation": "ab,bc->ac", "output_shape": 4, "bias_axes": "c"},
    ),
    Case(
        "einsum_dense_sequence",
        "EinsumDense",
        SEQUENCE,
        {
            "equation": "abc,cd->abd",
            "output_shape": (None, 4),
            "bias_axes": "d",
            "activation": "relu",
        },
    ),
    Case(
        "einsum_dense_ellipsis",
        "EinsumDense",
        SEQUENCE,
        {"equation": "...x,xy->...y", "output_shape": 4, "bias_axes": "y"},
    ),
    Case(
        "einsum_dense_heads",
        "EinsumDense",
        SEQUENCE,
        {"equation": "abc,cde->abde", "output_shape": (None, 2, 4), "bias_axes": "de"},
    ),
    Case(
        "einsum_dense_two_axes",
        "EinsumDense",
        (X((2, 4, 3, 2)),),
        {"equation": "abcd,cde->abe", "output_shape": (4, 5)},
    ),
    Case("identity", "Identity", VECTOR),
    Case("identity_rank4", "Identity", IMAGE),
)

ACTIVATIONS = (
    *(
        Case(f"activation_{name}", "Activation", VECTOR, {"activation": name})
        for name in ("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "selu", "linear")
    ),
    Case("relu", "ReLU", IMAGE),
    Case("relu_max", "ReLU", (X((3, 5), low=-3, high=9),), {"max_value": 6.0}),
    Case(
        "relu_slope_threshold",
        "ReLU",
        (X((3, 5), low=-3, high=3),),
        {"max_value": 2.0, "negative_slope": 0.2, "threshold": 0.5},
    ),
    Case("leaky_relu", "LeakyReLU", VECTOR),
    Case("leaky_relu_slope", "LeakyReLU", IMAGE, {"negative_slope": 0.1}),
    Case("prelu", "PReLU", SEQUENCE),
    Case("prelu_shared", "PReLU", IMAGE, {"shared_axes": (1, 2)}),
    Case("elu", "ELU", VECTOR),
    Case("elu_alpha", "ELU", SEQUENCE, {"alpha": 0.5}),
    Case("softmax", "Softmax", SEQUENCE),
    Case("softmax_axis1", "Softmax", SEQUENCE, {"axis": 1}),
    Case("softmax_two_axes", "Softmax", IMAGE, {"axis": (1, 2)}),
    Case(
        "softmax_mask",
        "Softmax",
        (X((2, 4)),),
        {},
        call_kwargs={"mask": X(dtype="bool", values=((1, 1, 0, 1), (0, 1, 1, 0)))},
    ),
)

RESHAPING = (
    Case("flatten", "Flatten", IMAGE),
    Case("flatten_first", "Flatten", IMAGE_FIRST, {"data_format": "channels_first"}),
    Case("flatten_rank1", "Flatten", (X((4,)),)),
    Case("reshape", "Reshape", (X((2, 4, 3)),), {"target_shape": (6, 2)}),
    Case("reshape_unknown", "Reshape", (X((2, 4, 3)),), {"target_shape": (-1, 4)}),
    Case("reshape_flat", "Reshape", IMAGE, {"target_shape": (60,)}),
    Case("permute", "Permute", SEQUENCE, {"dims": (2, 1)}),
    Case("permute_rank4", "Permute", IMAGE, {"dims": (3, 1, 2)}),
    Case("repeat_vector", "RepeatVector", VECTOR, {"n": 3}),
    Case("repeat_vector_once", "RepeatVector", VECTOR, {"n": 1}),
    Case("zero_padding1d", "ZeroPadding1D", SEQUENCE, {"padding": 2}),
    Case("zero_padding1d_sides", "ZeroPadding1D", SEQUENCE, {"padding": (1, 0)}),
    Case(
        "zero_padding1d_first",
        "ZeroPadding1D",
        SEQUENCE,
        {"padding": (1, 2), "data_format": "channels_first"},
    ),
    Case("zero_padding2d", "ZeroPadding2D", IMAGE),
    Case("zero_padding2d_pair", "ZeroPadding2D", IMAGE, {"padding": (2, 1)}),
    Case("zero_padding2d_sides", "ZeroPadding2D", IMAGE, {"padding": ((1, 0), (0, 2))}),
    Case(
        "zero_padding2d_first",
        "ZeroPadding2D",
        IMAGE_FIRST,
        {"padding": ((1, 0), (0, 2)), "data_format": "channels_first"},
    ),
    Case("zero_padding3d", "ZeroPadding3D", VOLUME, {"padding": 1}),
    Case("zero_padding3d_sides", "ZeroPadding3D", VOLUME, {"padding": ((1, 0), (0, 1), (0, 0))}),
    Case("cropping1d", "Cropping1D", SEQUENCE, {"cropping": 1}),
    Case("cropping1d_sides", "Cropping1D", SEQUENCE, {"cropping": (0, 2)}),
    Case("cropping2d", "Cropping2D", IMAGE, {"cropping": (1, 2)}),
    Case("cropping2d_sides", "Cropping2D", IMAGE, {"cropping": ((1, 0), (0, 2))}),
    Case(
        "cropping2d_first",
        "Cropping2D",
        IMAGE_FIRST,
        {"cropping": ((1, 1), (2, 0)), "data_format": "channels_first"},
    ),
    Case("cropping3d", "Cropping3D", VOLUME, {"cropping": (1, 1, 0)}),
    Case("cropping3d_sides", "Cropping3D", VOLUME, {"cropping": ((0, 1), (1, 0), (0, 2))}),
    Case("up_sampling1d", "UpSampling1D", SEQUENCE),
    Case("up_sampling1d_three", "UpSampling1D", SEQUENCE, {"size": 3}),
    Case("up_sampling2d", "UpSampling2D", IMAGE),
    Case("up_sampling2d_pair", "UpSampling2D", IMAGE, {"size": (3, 2)}),
    Case("up_sampling2d_bilinear", "UpSampling2D", IMAGE, {"interpolation": "bilinear"}),
    Case(
        "up_sampling2d_bilinear_pair",
        "UpSampling2D",
        IMAGE,
        {"size": (2, 3), "interpolation": "bilinear"},
    ),
    Case(
        "up_sampling2d_bicubic",
        "UpSampling2D",
        (X((1, 3, 3, 2)),),
        {"interpolation": "bicubic"},
    ),
    Case(
        "up_sampling2d_first",
        "UpSampling2D",
        IMAGE_FIRST,
        {"size": (1, 2), "data_format": "channels_first"},
    ),
    Case("up_sampling3d", "UpSampling3D", (X((1, 2, 2, 3, 2)),)),
    Case("up_sampling3d_sizes", "UpSampling3D", (X((1, 2, 2, 3, 2)),), {"size": (1, 2, 3)}),
)

RANDOMNESS = (
    Case("dropout", "Dropout", VECTOR, {"rate": 0.4, "seed": 1}, has_randomness=True),
    Case("dropout_zero", "Dropout", VECTOR, {"rate": 0.0}),
    Case(
        "dropout_noise_shape",
        "Dropout",
        SEQUENCE,
        {"rate": 0.4, "noise_shape": (None, 1, None), "seed": 1},
        has_randomness=True,
    ),
    Case("spatial_dropout1d", "SpatialDropout1D", SEQUENCE, {"rate": 0.5}, has_randomness=True),
    Case("spatial_dropout2d", "SpatialDropout2D", IMAGE, {"rate": 0.5}, has_randomness=True),
    Case(
        "spatial_dropout2d_first",
        "SpatialDropout2D",
        IMAGE_FIRST,
        {"rate": 0.5, "data_format": "channels_first"},
        has_randomness=True,
    ),
    Case("spatial_dropout3d", "SpatialDropout3D", VOLUME, {"rate": 0.5}, has_randomness=True),
    Case("gaussian_noise", "GaussianNoise", VECTOR, {"stddev": 0.3}, has_randomness=True),
    Case("gaussian_dropout", "GaussianDropout", VECTOR, {"rate": 0.3}, has_randomness=True),
    Case("alpha_dropout", "AlphaDropout", VECTOR, {"rate": 0.3}, has_randomness=True),
    Case("activity_regularization", "ActivityRegularization", VECTOR, {"l1": 0.1, "l2": 0.2}),
    Case("activity_regularization_l2", "ActivityRegularization", SEQUENCE, {"l2": 0.3}),
)

PREPROCESSING = (
    Case("rescaling", "Rescaling", (X((2, 4, 4, 3), low=0, high=255),), {"scale": 1 / 255}),
    Case("rescaling_offset", "Rescaling", VECTOR, {"scale": 2.0, "offset": -1.0}),
    Case(
        "rescaling_integers",
        "Rescaling",
        (X((2, 3), "int32", 0, 255),),
        {"scale": 1 / 127.5, "offset": -1},
    ),
    Case(
        "normalization_scalar",
        "Normalization",
        VECTOR,
        {"axis": None, "mean": 0.5, "variance": 2.0},
    ),
    Case(
        "normalization_features",
        "Normalization",
        (X((3, 3)),),
        {"mean": (0.1, 0.2, -0.3), "variance": (1.0, 0.5, 2.0)},
    ),
    Case(
        "normalization_invert",
        "Normalization",
        (X((3, 3)),),
        {"mean": (0.1, 0.2, -0.3), "variance": (1.0, 0.5, 2.0), "invert": True},
    ),
    Case(
        "normalization_axis1",
        "Normalization",
        (X((2, 3, 4)),),
        {"axis": 1, "mean": (0.1, 0.2, -0.3), "variance": (1.0, 0.5, 2.0)},
    ),
    Case(
        "category_encoding_multi_hot",
        "CategoryEncoding",
        (X((3, 2), "int32", 0, 5),),
        {"num_tokens": 5, "output_mode": "multi_hot"},
    ),
    Case(
        "category_encoding_one_hot",
        "CategoryEncoding",
        (X((4, 1), "int32", 0, 5),),
        {"num_tokens": 5, "output_mode": "one_hot"},
    ),
    Case(
        "category_encoding_count",
        "CategoryEncoding",
        (X((3, 4), "int32", 0, 3),),
        {"num_tokens": 3, "output_mode": "count"},
    ),
    Case(
        "discretization",
        "Discretization",
        (X((3, 4), low=-2, high=2),),
        {"bin_boundaries": [-1.0, 0.0, 1.0]},
    ),
    Case(
        "discretization_one_hot",
        "Discretization",
        (X((4, 1), low=-2, high=2),),
        {"bin_boundaries": [-1.0, 0.0, 1.0], "output_mode": "one_hot"},
    ),
    Case("center_crop", "CenterCrop", (X((2, 6, 7, 3)),), {"height": 3, "width": 4}),
    Case(
        "resizing_bilinear",
        "Resizing",
        (X((1, 4, 5, 2)),),
        {"height": 6, "width": 3},
        tolerance=1e-4,
    ),
    Case(
        "resizing_nearest",
        "Resizing",
        (X((1, 4, 5, 2)),),
        {"height": 6, "width": 3, "interpolation": "nearest"},
    ),
)

EMBEDDINGS = (
    Case("embedding", "Embedding", (X((3, 4), "int32", 0, 6),), {"input_dim": 6, "output_dim": 3}),
    Case(
        "embedding_mask_zero",
        "Embedding",
        (X(dtype="int32", values=((1, 2, 0, 0), (3, 1, 5, 0))),),
        {"input_dim": 6, "output_dim": 3, "mask_zero": True},
        has_mask_output=True,
    ),
    Case(
        "embedding_regularized",
        "Embedding",
        (X((3,), "int32", 0, 6),),
        {"input_dim": 6, "output_dim": 2, "embeddings_regularizer": L2},
    ),
    Case(
        "embedding_dense",
        "Sequential",
        (X(dtype="int32", values=((1, 2, 2, 0), (3, 1, 5, 0))),),
        args=(
            [
                Spec("Embedding", {"input_dim": 6, "output_dim": 3}),
                Spec("Flatten"),
                Spec("Dense", {"units": 2}),
            ],
        ),
        namespace="",
    ),
    Case(
        "reversible_embedding",
        "ReversibleEmbedding",
        (X((3, 4), "int32", 0, 6),),
        {"input_dim": 6, "output_dim": 3},
    ),
    Case(
        "reversible_embedding_reverse",
        "ReversibleEmbedding",
        (X((2, 4, 3)),),
        {"input_dim": 6, "output_dim": 3},
        call_kwargs={"reverse": True},
    ),
)

CASES = DENSE + ACTIVATIONS + RESHAPING + RANDOMNESS + PREPROCESSING + EMBEDDINGS
