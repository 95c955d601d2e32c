"""Recurrent layers: cells, the loop over time, and both directions at once."""

from nacre.layers.recurrent.bidirectional import Bidirectional as Bidirectional
from nacre.layers.recurrent.cells import GRUCell as GRUCell
from nacre.layers.recurrent.cells import LSTMCell as LSTMCell
from nacre.layers.recurrent.cells import SimpleRNNCell as SimpleRNNCell
from nacre.layers.recurrent.conv_lstm import ConvLSTM1D as ConvLSTM1D
from nacre.layers.recurrent.conv_lstm import ConvLSTM2D as ConvLSTM2D
from nacre.layers.recurrent.conv_lstm import ConvLSTM3D as ConvLSTM3D
from nacre.layers.recurrent.gru import GRU as GRU
from nacre.layers.recurrent.lstm import LSTM as LSTM
from nacre.layers.recurrent.rnn import RNN as RNN
from nacre.layers.recurrent.simple_rnn import SimpleRNN as SimpleRNN
from nacre.layers.recurrent.stacked import StackedRNNCells as StackedRNNCells

# Old spelling -> name. The CuDNN layers of tf.keras 1 have LSTM's and GRU's arguments and weights.
LEGACY_NAMES = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]
