"""All layers, by the names of keras.layers.

Each folder is one family; `base` is what all of them stand on. `LEGACY_NAMES` maps old spellings
to names; they can be read as attributes too.
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.layers import adapters as _adapters  # they register themselves
from nacre.layers.attention import LEGACY_NAMES as _attention_names
from nacre.layers.attention import AdditiveAttention as AdditiveAttention
from nacre.layers.attention import Attention as Attention
from nacre.layers.attention import GroupQueryAttention as GroupQueryAttention
from nacre.layers.attention import MultiHeadAttention as MultiHeadAttention
from nacre.layers.base.input_spec import InputSpec as InputSpec
from nacre.layers.base.layer import Layer as Layer
from nacre.layers.convolution import LEGACY_NAMES as _convolution_names
from nacre.layers.convolution import Conv1D as Conv1D
from nacre.layers.convolution import Conv1DTranspose as Conv1DTranspose
from nacre.layers.convolution import Conv2D as Conv2D
from nacre.layers.convolution import Conv2DTranspose as Conv2DTranspose
from nacre.layers.convolution import Conv3D as Conv3D
from nacre.layers.convolution import Conv3DTranspose as Conv3DTranspose
from nacre.layers.convolution import DepthwiseConv1D as DepthwiseConv1D
from nacre.layers.convolution import DepthwiseConv2D as DepthwiseConv2D
from nacre.layers.convolution import SeparableConv1D as SeparableConv1D
from nacre.layers.convolution import SeparableConv2D as SeparableConv2D
from nacre.layers.core import ELU as ELU
from nacre.layers.core import Activation as Activation
from nacre.layers.core import Dense as Dense
from nacre.layers.core import EinsumDense as EinsumDense
from nacre.layers.core import Embedding as Embedding
from nacre.layers.core import Identity as Identity
from nacre.layers.core import Input as Input
from nacre.layers.core import InputLayer as InputLayer
from nacre.layers.core import Lambda as Lambda
from nacre.layers.core import LeakyReLU as LeakyReLU
from nacre.layers.core import Masking as Masking
from nacre.layers.core import PReLU as PReLU
from nacre.layers.core import ReLU as ReLU
from nacre.layers.core import ReversibleEmbedding as ReversibleEmbedding
from nacre.layers.core import Softmax as Softmax
from nacre.layers.core import ThresholdedReLU as ThresholdedReLU
from nacre.layers.core import deserialize as deserialize
from nacre.layers.core import serialize as serialize
from nacre.layers.foreign import FlaxLayer as FlaxLayer
from nacre.layers.foreign import JaxLayer as JaxLayer
from nacre.layers.foreign import TorchModuleWrapper as TorchModuleWrapper
from nacre.layers.graph import GATConv as GATConv
from nacre.layers.graph import GCNConv as GCNConv
from nacre.layers.graph import GINConv as GINConv
from nacre.layers.graph import GraphMaxPooling as GraphMaxPooling
from nacre.layers.graph import GraphMeanPooling as GraphMeanPooling
from nacre.layers.graph import GraphSAGEConv as GraphSAGEConv
from nacre.layers.graph import GraphSumPooling as GraphSumPooling
from nacre.layers.graph import MessagePassing as MessagePassing
from nacre.layers.merging import Add as Add
from nacre.layers.merging import Average as Average
from nacre.layers.merging import Concatenate as Concatenate
from nacre.layers.merging import Distance as Distance
from nacre.layers.merging import Dot as Dot
from nacre.layers.merging import Maximum as Maximum
from nacre.layers.merging import Minimum as Minimum
from nacre.layers.merging import Multiply as Multiply
from nacre.layers.merging import Subtract as Subtract
from nacre.layers.merging import add as add
from nacre.layers.merging import average as average
from nacre.layers.merging import concatenate as concatenate
from nacre.layers.merging import dot as dot
from nacre.layers.merging import maximum as maximum
from nacre.layers.merging import minimum as minimum
from nacre.layers.merging import multiply as multiply
from nacre.layers.merging import subtract as subtract
from nacre.layers.normalization import BatchNormalization as BatchNormalization
from nacre.layers.normalization import GroupNormalization as GroupNormalization
from nacre.layers.normalization import LayerNormalization as LayerNormalization
from nacre.layers.normalization import RMSNormalization as RMSNormalization
from nacre.layers.normalization import SpectralNormalization as SpectralNormalization
from nacre.layers.normalization import UnitNormalization as UnitNormalization
from nacre.layers.pooling import LEGACY_NAMES as _pooling_names
from nacre.layers.pooling import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from nacre.layers.pooling import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from nacre.layers.pooling import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from nacre.layers.pooling import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from nacre.layers.pooling import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from nacre.layers.pooling import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from nacre.layers.pooling import AveragePooling1D as AveragePooling1D
from nacre.layers.pooling import AveragePooling2D as AveragePooling2D
from nacre.layers.pooling import AveragePooling3D as AveragePooling3D
from nacre.layers.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from nacre.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from nacre.layers.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from nacre.layers.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from nacre.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from nacre.layers.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from nacre.layers.pooling import MaxPooling1D as MaxPooling1D
from nacre.layers.pooling import MaxPooling2D as MaxPooling2D
from nacre.layers.pooling import MaxPooling3D as MaxPooling3D
from nacre.layers.preprocessing import AugMix as AugMix
from nacre.layers.preprocessing import AutoContrast as AutoContrast
from nacre.layers.preprocessing import BytePairTokenizer as BytePairTokenizer
from nacre.layers.preprocessing import CategoryEncoding as CategoryEncoding
from nacre.layers.preprocessing import CenterCrop as CenterCrop
from nacre.layers.preprocessing import (
    ContrastLimitedAdaptiveHistogramEqualization as ContrastLimitedAdaptiveHistogramEqualization,
)
from nacre.layers.preprocessing import CutMix as CutMix
from nacre.layers.preprocessing import Discretization as Discretization
from nacre.layers.preprocessing import Equalization as Equalization
from nacre.layers.preprocessing import HashedCrossing as HashedCrossing
from nacre.layers.preprocessing import Hashing as Hashing
from nacre.layers.preprocessing import IntegerLookup as IntegerLookup
from nacre.layers.preprocessing import MaxNumBoundingBoxes as MaxNumBoundingBoxes
from nacre.layers.preprocessing import MelSpectrogram as MelSpectrogram
from nacre.layers.preprocessing import MixUp as MixUp
from nacre.layers.preprocessing import Normalization as Normalization
from nacre.layers.preprocessing import Pipeline as Pipeline
from nacre.layers.preprocessing import RandAugment as RandAugment
from nacre.layers.preprocessing import RandomBrightness as RandomBrightness
from nacre.layers.preprocessing import RandomColorDegeneration as RandomColorDegeneration
from nacre.layers.preprocessing import RandomColorJitter as RandomColorJitter
from nacre.layers.preprocessing import RandomContrast as RandomContrast
from nacre.layers.preprocessing import RandomCrop as RandomCrop
from nacre.layers.preprocessing import RandomElasticTransform as RandomElasticTransform
from nacre.layers.preprocessing import RandomErasing as RandomErasing
from nacre.layers.preprocessing import RandomFlip as RandomFlip
from nacre.layers.preprocessing import RandomGaussianBlur as RandomGaussianBlur
from nacre.layers.preprocessing import RandomGrayscale as RandomGrayscale
from nacre.layers.preprocessing import RandomHue as RandomHue
from nacre.layers.preprocessing import RandomInvert as RandomInvert
from nacre.layers.preprocessing import RandomPerspective as RandomPerspective
from nacre.layers.preprocessing import RandomPosterization as RandomPosterization
from nacre.layers.preprocessing import RandomRotation as RandomRotation
from nacre.layers.preprocessing import RandomSaturation as RandomSaturation
from nacre.layers.preprocessing import RandomSharpness as RandomSharpness
from nacre.layers.preprocessing import RandomShear as RandomShear
from nacre.layers.preprocessing import RandomTranslation as RandomTranslation
from nacre.layers.preprocessing import RandomZoom as RandomZoom
from nacre.layers.preprocessing import Rescaling as Rescaling
from nacre.layers.preprocessing import Resizing as Resizing
from nacre.layers.preprocessing import Solarization as Solarization
from nacre.layers.preprocessing import STFTSpectrogram as STFTSpectrogram
from nacre.layers.preprocessing import StringLookup as StringLookup
from nacre.layers.preprocessing import TextVectorization as TextVectorization
from nacre.layers.preprocessing import WordPieceTokenizer as WordPieceTokenizer
from nacre.layers.recurrent import GRU as GRU
from nacre.layers.recurrent import LEGACY_NAMES as _recurrent_names
from nacre.layers.recurrent import LSTM as LSTM
from nacre.layers.recurrent import RNN as RNN
from nacre.layers.recurrent import Bidirectional as Bidirectional
from nacre.layers.recurrent import ConvLSTM1D as ConvLSTM1D
from nacre.layers.recurrent import ConvLSTM2D as ConvLSTM2D
from nacre.layers.recurrent import ConvLSTM3D as ConvLSTM3D
from nacre.layers.recurrent import GRUCell as GRUCell
from nacre.layers.recurrent import LSTMCell as LSTMCell
from nacre.layers.recurrent import SimpleRNN as SimpleRNN
from nacre.layers.recurrent import SimpleRNNCell as SimpleRNNCell
from nacre.layers.recurrent import StackedRNNCells as StackedRNNCells
from nacre.layers.regularization import ActivityRegularization as ActivityRegularization
from nacre.layers.regularization import AlphaDropout as AlphaDropout
from nacre.layers.regularization import Dropout as Dropout
from nacre.layers.regularization import GaussianDropout as GaussianDropout
from nacre.layers.regularization import GaussianNoise as GaussianNoise
from nacre.layers.regularization import KLDivergenceRegularization as KLDivergenceRegularization
from nacre.layers.regularization import Sampling as Sampling
from nacre.layers.regularization import SpatialDropout1D as SpatialDropout1D
from nacre.layers.regularization import SpatialDropout2D as SpatialDropout2D
from nacre.layers.regularization import SpatialDropout3D as SpatialDropout3D
from nacre.layers.reshaping import Cropping1D as Cropping1D
from nacre.layers.reshaping import Cropping2D as Cropping2D
from nacre.layers.reshaping import Cropping3D as Cropping3D
from nacre.layers.reshaping import Flatten as Flatten
from nacre.layers.reshaping import Permute as Permute
from nacre.layers.reshaping import RepeatVector as RepeatVector
from nacre.layers.reshaping import Reshape as Reshape
from nacre.layers.reshaping import UpSampling1D as UpSampling1D
from nacre.layers.reshaping import UpSampling2D as UpSampling2D
from nacre.layers.reshaping import UpSampling3D as UpSampling3D
from nacre.layers.reshaping import ZeroPadding1D as ZeroPadding1D
from nacre.layers.reshaping import ZeroPadding2D as ZeroPadding2D
from nacre.layers.reshaping import ZeroPadding3D as ZeroPadding3D
from nacre.layers.transformer import RelativePositionBias as RelativePositionBias
from nacre.layers.transformer import RotaryEmbedding as RotaryEmbedding
from nacre.layers.transformer import SinePositionEncoding as SinePositionEncoding
from nacre.layers.transformer import TokenAndPositionEmbedding as TokenAndPositionEmbedding
from nacre.layers.transformer import TransformerDecoder as TransformerDecoder
from nacre.layers.transformer import TransformerEncoder as TransformerEncoder
from nacre.layers.wrappers import TimeDistributed as TimeDistributed
from nacre.layers.wrappers import Wrapper as Wrapper

if TYPE_CHECKING:  # the old spellings, which are looked up in LEGACY_NAMES when used
    # A floor above: it runs graphs of TensorFlow.
    from nacre.export.importers.tensorflow.layer import TFSMLayer as TFSMLayer

    GroupedQueryAttention = GroupQueryAttention
    Convolution1D = Conv1D
    Convolution1DTranspose = Conv1DTranspose
    Convolution2D = Conv2D
    Convolution2DTranspose = Conv2DTranspose
    Deconvolution2D = Conv2DTranspose
    Convolution3D = Conv3D
    Convolution3DTranspose = Conv3DTranspose
    Deconvolution3D = Conv3DTranspose
    DepthwiseConvolution2D = DepthwiseConv2D
    SeparableConvolution1D = SeparableConv1D
    SeparableConvolution2D = SeparableConv2D
    BatchNormalizationV1 = BatchNormalization
    BatchNormalizationV2 = BatchNormalization
    SyncBatchNormalization = BatchNormalization
    AvgPool1D = AveragePooling1D
    AvgPool2D = AveragePooling2D
    AvgPool3D = AveragePooling3D
    GlobalAvgPool1D = GlobalAveragePooling1D
    GlobalAvgPool2D = GlobalAveragePooling2D
    GlobalAvgPool3D = GlobalAveragePooling3D
    GlobalMaxPool1D = GlobalMaxPooling1D
    GlobalMaxPool2D = GlobalMaxPooling2D
    GlobalMaxPool3D = GlobalMaxPooling3D
    MaxPool1D = MaxPooling1D
    MaxPool2D = MaxPooling2D
    MaxPool3D = MaxPooling3D
    CuDNNGRU = GRU
    CuDNNLSTM = LSTM

LEGACY_NAMES: dict[str, str] = {
    **_convolution_names,
    **_pooling_names,
    **_recurrent_names,
    **_attention_names,
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}

__all__ = [
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "BatchNormalization",
    "Bidirectional",
    "BytePairTokenizer",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Distance",
    "Dot",
    "Dropout",
    "ELU",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "FlaxLayer",
    "GATConv",
    "GCNConv",
    "GINConv",
    "GRU",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GraphMaxPooling",
    "GraphMeanPooling",
    "GraphSAGEConv",
    "GraphSumPooling",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "JaxLayer",
    "KLDivergenceRegularization",
    "LSTM",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "MessagePassing",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "RNN",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RelativePositionBias",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "RotaryEmbedding",
    "STFTSpectrogram",
    "Sampling",
    "SeparableConv1D",
    "SeparableConv2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "SinePositionEncoding",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TFSMLayer",
    "TextVectorization",
    "ThresholdedReLU",
    "TimeDistributed",
    "TokenAndPositionEmbedding",
    "TorchModuleWrapper",
    "TransformerDecoder",
    "TransformerEncoder",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "WordPieceTokenizer",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

if not TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__, __dir__ = late_names(
        __name__,
        {old: f"{__name__}:{name}" for old, name in LEGACY_NAMES.items()}
        | {"TFSMLayer": "nacre.export.importers.tensorflow.layer"},  # a floor above
    )
