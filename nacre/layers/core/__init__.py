"""The layers most models are made of: dense, embedding, activations, inputs, functions, masks."""

from nacre.layers.core.activation import ELU as ELU
from nacre.layers.core.activation import Activation as Activation
from nacre.layers.core.activation import LeakyReLU as LeakyReLU
from nacre.layers.core.activation import PReLU as PReLU
from nacre.layers.core.activation import ReLU as ReLU
from nacre.layers.core.activation import Softmax as Softmax
from nacre.layers.core.activation import ThresholdedReLU as ThresholdedReLU
from nacre.layers.core.configs import deserialize as deserialize
from nacre.layers.core.configs import serialize as serialize
from nacre.layers.core.dense import Dense as Dense
from nacre.layers.core.einsum_dense import EinsumDense as EinsumDense
from nacre.layers.core.embedding import Embedding as Embedding
from nacre.layers.core.embedding import ReversibleEmbedding as ReversibleEmbedding
from nacre.layers.core.identity import Identity as Identity
from nacre.layers.core.input_layer import Input as Input
from nacre.layers.core.input_layer import InputLayer as InputLayer
from nacre.layers.core.lambda_layer import Lambda as Lambda
from nacre.layers.core.masking import Masking as Masking

__all__ = [
    "ELU",
    "Activation",
    "Dense",
    "EinsumDense",
    "Embedding",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "LeakyReLU",
    "Masking",
    "PReLU",
    "ReLU",
    "ReversibleEmbedding",
    "Softmax",
    "ThresholdedReLU",
    "deserialize",
    "serialize",
]
