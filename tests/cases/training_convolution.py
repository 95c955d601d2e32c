"""Training cases: convolutions, pooling, borders, and layers that normalize."""

from __future__ import annotations

from .training_case import MASKED_METRIC, RAGGED_ROWS, Table, stack

CONVOLUTION = Table()
case = CONVOLUTION.case


@case((8, 3), (2,))
def conv1d(k):
    return stack(
        k,
        (8, 3),
        k.layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu"),
        k.layers.MaxPooling1D(2),
        k.layers.Conv1D(4, 2, strides=2, padding="same", activation="tanh"),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((8, 8, 2), (2,), "sgd", has_inference=True)
def conv2d_max_pooling(k):
    return stack(
        k,
        (8, 8, 2),
        k.layers.Conv2D(3, 3, activation="relu"),
        k.layers.MaxPooling2D(),
        k.layers.Conv2D(4, (2, 3), padding="same", activation="relu", kernel_regularizer="l2"),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((7, 6, 4), (2,))
def conv2d_strides_groups_dilation(k):
    return stack(
        k,
        (7, 6, 4),
        k.layers.Conv2D(4, 3, strides=(2, 1), padding="same", groups=2, activation="tanh"),
        k.layers.Conv2D(3, 2, dilation_rate=(1, 2), use_bias=False, activation="tanh"),
        k.layers.GlobalAveragePooling2D(keepdims=True),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((2, 6, 6), (2,), "sgd", has_inference=True)
def conv2d_channels_first(k):
    return stack(
        k,
        (2, 6, 6),
        k.layers.Conv2D(3, 3, data_format="channels_first", activation="tanh"),
        k.layers.AveragePooling2D(2, data_format="channels_first"),
        k.layers.BatchNormalization(axis=1),
        k.layers.Flatten(data_format="channels_first"),
        k.layers.Dense(2),
    )


@case((4, 4, 4, 2), (2,))
def conv3d(k):
    return stack(
        k,
        (4, 4, 4, 2),
        k.layers.Conv3D(3, 2, padding="same", activation="tanh"),
        k.layers.MaxPooling3D(2),
        k.layers.Conv3D(2, (1, 2, 2), activation="tanh"),
        k.layers.AveragePooling3D((2, 1, 1)),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((6, 6, 2), (2,), "sgd")
def depthwise_conv2d(k):
    return stack(
        k,
        (6, 6, 2),
        k.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="tanh"),
        k.layers.DepthwiseConv2D(2, strides=2, use_bias=False),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((6, 6, 3), (2,))
def separable_conv2d(k):
    return stack(
        k,
        (6, 6, 3),
        k.layers.SeparableConv2D(4, 3, padding="same", depth_multiplier=2, activation="tanh"),
        k.layers.SeparableConv2D(3, 2, strides=2, activation="tanh"),
        k.layers.GlobalMaxPooling2D(),
        k.layers.Dense(2),
    )


@case((8, 3), (2,), "sgd")
def depthwise_and_separable_conv1d(k):
    return stack(
        k,
        (8, 3),
        k.layers.DepthwiseConv1D(3, depth_multiplier=2, activation="tanh"),
        k.layers.SeparableConv1D(4, 3, padding="same", activation="tanh"),
        k.layers.GlobalAveragePooling1D(),
        k.layers.Dense(2),
    )


@case((4, 4, 2), (9, 9, 1), "adam")
def conv2d_transpose(k):
    return stack(
        k,
        (4, 4, 2),
        k.layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh"),
        k.layers.Conv2DTranspose(1, 2, dilation_rate=1),
    )


@case((4, 2), (9, 2), "sgd")
def conv1d_transpose(k):
    return stack(
        k,
        (4, 2),
        k.layers.Conv1DTranspose(3, 3, strides=2, activation="tanh"),
        k.layers.Conv1DTranspose(2, 2, padding="same", use_bias=False),
    )


@case((2, 2, 2, 2), (4, 4, 4, 1), "sgd")
def conv3d_transpose(k):
    return stack(k, (2, 2, 2, 2), k.layers.Conv3DTranspose(1, 3, strides=2, padding="same"))


@case((9, 9, 2), (2,))
def pooling_with_overlap(k):
    inputs = k.Input((9, 9, 2))
    x = k.layers.Conv2D(3, 2, activation="tanh")(inputs)
    a = k.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    b = k.layers.AveragePooling2D(3, strides=2, padding="same")(x)
    x = k.layers.Conv2D(3, 1, activation="tanh")(k.layers.Concatenate()([a, b]))
    x = k.layers.AveragePooling2D((3, 2), strides=1)(k.layers.MaxPooling2D(2, strides=1)(x))
    return k.Model(inputs, k.layers.Dense(2)(k.layers.Flatten()(x)))


@case((8, 2), (2,), "sgd")
def pooling_of_sequences(k):
    inputs = k.Input((8, 2))
    x = k.layers.Conv1D(3, 2, activation="tanh")(inputs)
    a = k.layers.AveragePooling1D(2, padding="same")(x)
    b = k.layers.MaxPooling1D(3, strides=2, padding="same")(x)
    x = k.layers.Conv1D(3, 1)(k.layers.Concatenate()([a, b]))
    pooled = [k.layers.GlobalMaxPooling1D()(x), k.layers.GlobalAveragePooling1D()(x)]
    return k.Model(inputs, k.layers.Dense(2)(k.layers.Concatenate()(pooled)))


@case((4, 4, 2), (6, 4, 2), "sgd")
def borders_and_shapes(k):
    return stack(
        k,
        (4, 4, 2),
        k.layers.ZeroPadding2D(((1, 0), (0, 2))),
        k.layers.Conv2D(2, 2, activation="tanh"),
        k.layers.UpSampling2D(2, interpolation="bilinear"),
        k.layers.Conv2D(2, 1, activation="tanh"),
        k.layers.UpSampling2D((1, 2)),
        k.layers.Cropping2D(((1, 1), (6, 6))),
        k.layers.Permute((2, 1, 3)),
        k.layers.Reshape((6, 16)),
        k.layers.Dense(8, activation="tanh"),
        k.layers.Reshape((-1, 4, 2)),
        k.layers.Conv2D(2, 1),
    )


@case((6, 6, 2), (2,), "sgd", rows=RAGGED_ROWS)
def residual_block(k):
    inputs = k.Input((6, 6, 2))
    x = k.layers.Conv2D(3, 3, padding="same", use_bias=False)(inputs)
    x = k.layers.ReLU()(k.layers.BatchNormalization(momentum=0.8)(x))
    x = k.layers.Conv2D(3, 3, padding="same", use_bias=False)(x)
    x = k.layers.BatchNormalization(momentum=0.8, epsilon=1e-5)(x)
    short = k.layers.Conv2D(3, 1)(inputs)
    x = k.layers.ReLU()(k.layers.Add()([x, short]))
    return k.Model(inputs, k.layers.Dense(2)(k.layers.GlobalAveragePooling2D()(x)))


@case((5,), (2,), rows=RAGGED_ROWS)
def batch_normalization(k):
    frozen = k.layers.BatchNormalization()
    frozen.trainable = False
    return stack(
        k,
        (5,),
        k.layers.BatchNormalization(momentum=0.7),
        k.layers.Dense(4, activation="tanh", use_bias=False),
        k.layers.BatchNormalization(center=False, scale=False, momentum=0.9),
        k.layers.Dense(4, activation="tanh"),
        frozen,
        k.layers.Dense(2),
    )


@case((6, 3), (6, 2), "sgd", padded=True, unlike_keras={"mae": MASKED_METRIC})
def batch_normalization_masked(k):
    return stack(
        k,
        (6, 3),
        k.layers.Masking(),
        k.layers.BatchNormalization(momentum=0.8),
        k.layers.Dense(2),
    )


@case((3, 6), (3, 2))
def sample_normalization(k):
    return stack(
        k,
        (3, 6),
        k.layers.LayerNormalization(),
        k.layers.Dense(6, activation="tanh"),
        k.layers.LayerNormalization(axis=(1, 2), epsilon=1e-5, center=False),
        k.layers.Dense(6, activation="tanh"),
        k.layers.RMSNormalization(),
        k.layers.UnitNormalization(),
        k.layers.Dense(2),
    )


@case((4, 4, 4), (2,), "sgd")
def group_normalization(k):
    return stack(
        k,
        (4, 4, 4),
        k.layers.GroupNormalization(groups=2),
        k.layers.Conv2D(4, 2, activation="tanh"),
        k.layers.GroupNormalization(groups=-1),
        k.layers.Flatten(),
        k.layers.Dense(2),
    )


@case((4,), (2,), "sgd", has_inference=True)
def spectral_normalization(k):
    return stack(
        k,
        (4,),
        k.layers.SpectralNormalization(k.layers.Dense(5, activation="tanh"), power_iterations=2),
        k.layers.Dense(2),
    )
