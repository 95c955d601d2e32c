"""What every layer does with a mask of steps, as a table. It imports no library under test.

`does` is one of:
    passes        the mask goes on as it is; the layer treats every step alone
    uses          padded steps change no number; no steps are left for a mask
    uses, passes  both
    combines      several masks become one
    changes       steps are cut or repeated, and the mask with them
    makes         the mask comes from the values
    stops         steps are left (or were mixed), the mask is not passed on, and a warning says so
    ends          no steps are left, and padded ones counted
    no steps      the layer does not work on sequences, or is no layer to be called on data
    turns         the outputs come in the reversed order, and the mask with them
    reduces       a mask of several axes keeps those that are left

What every row but 'stops' and 'ends' promises besides: NaN in absent steps reaches no result at
other steps, no gradient, no variable; a sample that is padding alone gives finite numbers, and no
NaN to the others. A mask that covers what a layer mixes (the features of `Dense`, the axes of
`LayerNormalization`) ends there, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MaskCase:
    """One layer.

    Attributes:
        does: See above.
        build: Makes the layer from a module of layers; None where it is not called.
        inputs: 'one' (batch, time, features), 'list' of two, 'two' arguments, 'ids' (batch, time),
            'grid1'...'grid3' (batch, time, *space, channels), 'same' (the two are one size).
        is_exact: Whether padded steps change no number at valid steps.
        training: Whether that is checked with the layer in training.
    """

    does: str
    build: Callable[[Any], Any] | None = None
    inputs: str = "one"
    is_exact: bool = True
    training: bool = False


def _plain(name: str, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda layers: getattr(layers, name)(*args, **kwargs)


TABLE: dict[str, MaskCase] = {
    "Embedding": MaskCase("makes", _plain("Embedding", 9, 4, mask_zero=True), "ids"),
    "ReversibleEmbedding": MaskCase(
        "makes", _plain("ReversibleEmbedding", 9, 4, mask_zero=True), "ids"
    ),
    "TokenAndPositionEmbedding": MaskCase(
        "makes", _plain("TokenAndPositionEmbedding", 9, 8, 4, mask_zero=True), "ids"
    ),
    "Masking": MaskCase("makes", _plain("Masking", -7.0)),
    "Dense": MaskCase("passes", _plain("Dense", 3)),
    "EinsumDense": MaskCase("passes", _plain("EinsumDense", "btd,de->bte", (None, 3))),
    "Activation": MaskCase("passes", _plain("Activation", "tanh")),
    "Normalization": MaskCase(
        "passes", _plain("Normalization", mean=[0.5] * 4, variance=[2.0] * 4)
    ),
    "Rescaling": MaskCase("passes", _plain("Rescaling", 2.0)),
    "Reshape": MaskCase("passes", _plain("Reshape", (-1, 2, 2))),
    "Permute": MaskCase("passes", _plain("Permute", (1, 2))),
    "SpectralNormalization": MaskCase(
        "passes", lambda layers: layers.SpectralNormalization(layers.Dense(3))
    ),
    "LayerNormalization": MaskCase("passes", _plain("LayerNormalization"), training=True),
    "Lambda": MaskCase(
        "passes", lambda layers: layers.Lambda(lambda x: x * 2, mask=lambda x, mask: mask)
    ),
    "TimeDistributed": MaskCase(
        "uses, passes", lambda layers: layers.TimeDistributed(layers.Dense(3))
    ),
    "BatchNormalization": MaskCase("uses, passes", _plain("BatchNormalization")),
    "GroupNormalization": MaskCase("uses, passes", _plain("GroupNormalization", 2)),
    "Softmax": MaskCase("uses, passes", _plain("Softmax", axis=1)),
    "ConvLSTM1D": MaskCase(
        "uses, passes", _plain("ConvLSTM1D", 2, 3, padding="same", return_sequences=True), "grid1"
    ),
    "ConvLSTM2D": MaskCase(
        "uses, passes", _plain("ConvLSTM2D", 2, 1, return_sequences=True), "grid2"
    ),
    "ConvLSTM3D": MaskCase(
        "uses, passes", _plain("ConvLSTM3D", 2, 1, return_sequences=True), "grid3"
    ),
    "LSTM": MaskCase("uses, passes", _plain("LSTM", 3, return_sequences=True)),
    "GRU": MaskCase("uses, passes", _plain("GRU", 3, return_sequences=True)),
    "SimpleRNN": MaskCase("uses, passes", _plain("SimpleRNN", 3, return_sequences=True)),
    "RNN": MaskCase(
        "uses, passes",
        lambda layers: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True),
    ),
    "Bidirectional": MaskCase(
        "uses, passes",
        lambda layers: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
    ),
    "Attention": MaskCase("uses, passes", _plain("Attention"), "list"),
    "AdditiveAttention": MaskCase("uses, passes", _plain("AdditiveAttention"), "list"),
    "MultiHeadAttention": MaskCase("uses, passes", _plain("MultiHeadAttention", 2, 3), "two"),
    "GroupQueryAttention": MaskCase("uses, passes", _plain("GroupQueryAttention", 4, 2, 1), "two"),
    "TransformerEncoder": MaskCase("uses, passes", _plain("TransformerEncoder", 6, 2)),
    "TransformerDecoder": MaskCase("uses, passes", _plain("TransformerDecoder", 6, 2), "two"),
    "GlobalAveragePooling1D": MaskCase("uses", _plain("GlobalAveragePooling1D")),
    "Concatenate": MaskCase("combines", _plain("Concatenate"), "same"),
    "Distance": MaskCase("combines", _plain("Distance"), "same"),
    # Cutting from the end cuts the padding, not the sequence: positions count from the ends.
    "Cropping1D": MaskCase("changes", _plain("Cropping1D", (1, 0))),
    "UpSampling1D": MaskCase("changes", _plain("UpSampling1D", 2)),
    # Draws depend on the shape of the batch, padding included.
    "Sampling": MaskCase("passes", _plain("Sampling", seed=1), "same", is_exact=False),
    "KLDivergenceRegularization": MaskCase("passes", _plain("KLDivergenceRegularization"), "same"),
    "Flatten": MaskCase("stops", _plain("Flatten")),
    "ZeroPadding1D": MaskCase("stops", _plain("ZeroPadding1D", 1)),
    "GlobalMaxPooling1D": MaskCase("stops", _plain("GlobalMaxPooling1D")),
    "Dot": MaskCase("ends", _plain("Dot", 1), "same"),
    "STFTSpectrogram": MaskCase("stops", _plain("STFTSpectrogram", frame_length=2, frame_step=1)),
    "CategoryEncoding": MaskCase("stops", _plain("CategoryEncoding", 9), "ids"),
    "Discretization": MaskCase("stops", _plain("Discretization", [0.0, 0.5])),
}
TABLE |= {
    name: MaskCase("passes", _plain(name))
    for name in (
        "ActivityRegularization AlphaDropout Dropout ELU GaussianDropout GaussianNoise Identity "
        "LeakyReLU ReLU RMSNormalization RotaryEmbedding SinePositionEncoding "
        "SpatialDropout1D ThresholdedReLU UnitNormalization"
    ).split()
}
TABLE["AlphaDropout"] = MaskCase("passes", _plain("AlphaDropout", 0.5))
TABLE["PReLU"] = MaskCase("passes", _plain("PReLU", shared_axes=[1]))
TABLE |= {
    name: MaskCase("passes", _plain(name, 0.5))
    for name in ("Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D")
}
TABLE |= {
    name: MaskCase("combines", _plain(name), "same")
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
}
TABLE |= {
    name: MaskCase("stops", _plain(name, 3, 2))
    for name in ("Conv1D", "Conv1DTranspose", "SeparableConv1D")
}
TABLE["DepthwiseConv1D"] = MaskCase("stops", _plain("DepthwiseConv1D", 2))
TABLE |= {name: MaskCase("stops", _plain(name, 2)) for name in ("AveragePooling1D", "MaxPooling1D")}
TABLE |= {
    name: MaskCase("stops", _plain(name, 2))
    for name in ("AdaptiveAveragePooling1D", "AdaptiveMaxPooling1D")
}

# What arguments, wrappers and further axes change. By a name for people to read.
VARIANTS: dict[str, MaskCase] = {
    f"{name}, backwards": MaskCase(
        "turns", _plain(name, *sizes, return_sequences=True, go_backwards=True), inputs
    )
    for name, sizes, inputs in (
        ("GRU", (2,), "one"),
        ("LSTM", (2,), "one"),
        ("SimpleRNN", (2,), "one"),
        ("ConvLSTM1D", (2, 1), "grid1"),
    )
}
VARIANTS |= {
    "RNN of two cells, backwards": MaskCase(
        "turns",
        lambda layers: layers.RNN(
            [layers.GRUCell(2), layers.SimpleRNNCell(2)], return_sequences=True, go_backwards=True
        ),
    ),
    "Bidirectional of a backward layer": MaskCase(
        "turns",
        lambda layers: layers.Bidirectional(
            layers.GRU(2, return_sequences=True, go_backwards=True)
        ),
    ),
}
VARIANTS |= {
    f"Bidirectional, merged by {mode}": MaskCase(
        "uses, passes",
        lambda layers, mode=mode: layers.Bidirectional(
            layers.SimpleRNN(2, return_sequences=True), merge_mode=mode
        ),
    )
    for mode in ("sum", "mul", "ave", None)
}
VARIANTS |= {
    f"TimeDistributed of {name}": MaskCase(
        "reduces", lambda layers, make=make: layers.TimeDistributed(make(layers)), "grid1"
    )
    for name, make in (
        ("LSTM, last step", lambda layers: layers.LSTM(2)),
        ("GlobalAveragePooling1D", lambda layers: layers.GlobalAveragePooling1D()),
        ("Conv1D", lambda layers: layers.Conv1D(2, 1)),
    )
}

# Layers of images, of nodes, of words before they are numbers; cells, bases and input layers.
NO_STEPS = (
    "AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling2D AdaptiveMaxPooling3D "
    "AugMix AutoContrast AveragePooling2D AveragePooling3D BytePairTokenizer CenterCrop "
    "ContrastLimitedAdaptiveHistogramEqualization Conv2D Conv2DTranspose Conv3D Conv3DTranspose "
    "Cropping2D Cropping3D CutMix DepthwiseConv2D Equalization FlaxLayer GATConv GCNConv GINConv "
    "GRUCell GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling2D GlobalMaxPooling3D "
    "GraphMaxPooling GraphMeanPooling GraphSAGEConv GraphSumPooling HashedCrossing Hashing "
    "InputLayer IntegerLookup JaxLayer LSTMCell Layer MaxNumBoundingBoxes MaxPooling2D "
    "MaxPooling3D MelSpectrogram MessagePassing MixUp Pipeline RandAugment RandomBrightness "
    "RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform "
    "RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert "
    "RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness "
    "RandomShear RandomTranslation RandomZoom RelativePositionBias RepeatVector Resizing "
    "SeparableConv2D SimpleRNNCell Solarization SpatialDropout2D SpatialDropout3D StackedRNNCells "
    "StringLookup TFSMLayer TextVectorization TorchModuleWrapper UpSampling2D UpSampling3D "
    "WordPieceTokenizer Wrapper "
    "ZeroPadding2D ZeroPadding3D"
).split()

# Where the answer differs from Keras 3.15's on purpose, and why.
UNLIKE_KERAS = {
    "RMSNormalization": "it works on the features of each step alone, as LayerNormalization does",
    "EinsumDense": "batch and time lead the result of this equation: it is a Dense layer",
    "Reshape": "batch and time stay the leading axes; other target shapes end the mask",
    "Cropping1D": "the mask is cropped as the steps are",
    "UpSampling1D": "the mask is repeated as the steps are",
    "Lambda": "the table's case gives it a mask function; without one it ends the mask as in Keras",
}
