"""Face: the ops of neural networks, as `keras.ops.nn` has them.

Written by `python -m tests.architecture.op_faces --write` from what the ops declare where they
are defined (`_define`); a test compares the two.
"""

import typing as _typing

from nacre.ops._define import face as _face
from nacre.ops.activation import celu as celu
from nacre.ops.activation import elu as elu
from nacre.ops.activation import gelu as gelu
from nacre.ops.activation import glu as glu
from nacre.ops.activation import hard_shrink as hard_shrink
from nacre.ops.activation import hard_sigmoid as hard_sigmoid
from nacre.ops.activation import hard_silu as hard_silu
from nacre.ops.activation import hard_swish as hard_swish
from nacre.ops.activation import hard_tanh as hard_tanh
from nacre.ops.activation import leaky_relu as leaky_relu
from nacre.ops.activation import log_sigmoid as log_sigmoid
from nacre.ops.activation import log_softmax as log_softmax
from nacre.ops.activation import normalize as normalize
from nacre.ops.activation import relu as relu
from nacre.ops.activation import relu6 as relu6
from nacre.ops.activation import selu as selu
from nacre.ops.activation import sigmoid as sigmoid
from nacre.ops.activation import silu as silu
from nacre.ops.activation import soft_shrink as soft_shrink
from nacre.ops.activation import softmax as softmax
from nacre.ops.activation import softplus as softplus
from nacre.ops.activation import softsign as softsign
from nacre.ops.activation import sparse_plus as sparse_plus
from nacre.ops.activation import sparse_sigmoid as sparse_sigmoid
from nacre.ops.activation import sparsemax as sparsemax
from nacre.ops.activation import squareplus as squareplus
from nacre.ops.activation import swish as swish
from nacre.ops.activation import tanh_shrink as tanh_shrink
from nacre.ops.activation import threshold as threshold
from nacre.ops.attention import dot_product_attention as dot_product_attention
from nacre.ops.convolution import adaptive_average_pool as adaptive_average_pool
from nacre.ops.convolution import adaptive_max_pool as adaptive_max_pool
from nacre.ops.convolution import average_pool as average_pool
from nacre.ops.convolution import conv as conv
from nacre.ops.convolution import conv_transpose as conv_transpose
from nacre.ops.convolution import depth_to_space as depth_to_space
from nacre.ops.convolution import depthwise_conv as depthwise_conv
from nacre.ops.convolution import fold as fold
from nacre.ops.convolution import max_pool as max_pool
from nacre.ops.convolution import separable_conv as separable_conv
from nacre.ops.convolution import space_to_depth as space_to_depth
from nacre.ops.convolution import unfold as unfold
from nacre.ops.decoding import ctc_decode as ctc_decode
from nacre.ops.indexing import multi_hot as multi_hot
from nacre.ops.indexing import one_hot as one_hot
from nacre.ops.losses import binary_crossentropy as binary_crossentropy
from nacre.ops.losses import categorical_crossentropy as categorical_crossentropy
from nacre.ops.losses import ctc_loss as ctc_loss
from nacre.ops.losses import psnr as psnr
from nacre.ops.losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from nacre.ops.math import polar as polar
from nacre.ops.normalization import batch_normalization as batch_normalization
from nacre.ops.normalization import layer_normalization as layer_normalization
from nacre.ops.normalization import rms_normalization as rms_normalization
from nacre.ops.reduce import moments as moments

__all__, __dir__, _missing = _face(__name__)

if not _typing.TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__ = _missing
