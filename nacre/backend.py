"""`keras.backend`: what scripts for tf.keras 2 use of it, as `K.mean(K.square(x))`. A face."""

from typing import TYPE_CHECKING

from nacre.core.config import backend as backend
from nacre.core.config import epsilon as epsilon
from nacre.core.config import floatx as floatx
from nacre.core.config import image_data_format as image_data_format
from nacre.core.config import set_epsilon as set_epsilon
from nacre.core.config import set_floatx as set_floatx
from nacre.core.config import set_image_data_format as set_image_data_format
from nacre.core.dtypes import is_float as is_float_dtype
from nacre.core.dtypes import is_int as is_int_dtype
from nacre.core.dtypes import result_type as result_type
from nacre.core.dtypes import standardize_dtype as standardize_dtype
from nacre.core.late_names import late_names
from nacre.core.names import get_uid as get_uid
from nacre.core.session import clear_session as clear_session
from nacre.core.symbolic import is_symbolic as is_keras_tensor
from nacre.core.values import batch_get_value as batch_get_value
from nacre.core.values import batch_set_value as batch_set_value
from nacre.core.values import get_value as get_value
from nacre.core.values import set_value as set_value

if TYPE_CHECKING:
    from nacre.core.names import name_scope as name_scope
    from nacre.models.tf_keras.mathematics import arange as arange
    from nacre.models.tf_keras.mathematics import argmax as argmax
    from nacre.models.tf_keras.mathematics import argmin as argmin
    from nacre.models.tf_keras.mathematics import batch_dot as batch_dot
    from nacre.models.tf_keras.mathematics import batch_flatten as batch_flatten
    from nacre.models.tf_keras.mathematics import cast_to_floatx as cast_to_floatx
    from nacre.models.tf_keras.mathematics import clip as clip
    from nacre.models.tf_keras.mathematics import concatenate as concatenate
    from nacre.models.tf_keras.mathematics import constant as constant
    from nacre.models.tf_keras.mathematics import count_params as count_params
    from nacre.models.tf_keras.mathematics import cumprod as cumprod
    from nacre.models.tf_keras.mathematics import cumsum as cumsum
    from nacre.models.tf_keras.mathematics import dot as dot
    from nacre.models.tf_keras.mathematics import equal as equal
    from nacre.models.tf_keras.mathematics import expand_dims as expand_dims
    from nacre.models.tf_keras.mathematics import eye as eye
    from nacre.models.tf_keras.mathematics import flatten as flatten
    from nacre.models.tf_keras.mathematics import gather as gather
    from nacre.models.tf_keras.mathematics import greater as greater
    from nacre.models.tf_keras.mathematics import greater_equal as greater_equal
    from nacre.models.tf_keras.mathematics import int_shape as int_shape
    from nacre.models.tf_keras.mathematics import is_sparse as is_sparse
    from nacre.models.tf_keras.mathematics import less as less
    from nacre.models.tf_keras.mathematics import less_equal as less_equal
    from nacre.models.tf_keras.mathematics import maximum as maximum
    from nacre.models.tf_keras.mathematics import minimum as minimum
    from nacre.models.tf_keras.mathematics import not_equal as not_equal
    from nacre.models.tf_keras.mathematics import one_hot as one_hot
    from nacre.models.tf_keras.mathematics import ones as ones
    from nacre.models.tf_keras.mathematics import ones_like as ones_like
    from nacre.models.tf_keras.mathematics import permute_dimensions as permute_dimensions
    from nacre.models.tf_keras.mathematics import pow as pow
    from nacre.models.tf_keras.mathematics import repeat as repeat
    from nacre.models.tf_keras.mathematics import repeat_elements as repeat_elements
    from nacre.models.tf_keras.mathematics import reshape as reshape
    from nacre.models.tf_keras.mathematics import reverse as reverse
    from nacre.models.tf_keras.mathematics import sqrt as sqrt
    from nacre.models.tf_keras.mathematics import squeeze as squeeze
    from nacre.models.tf_keras.mathematics import tile as tile
    from nacre.models.tf_keras.mathematics import to_dense as to_dense
    from nacre.models.tf_keras.mathematics import zeros as zeros
    from nacre.models.tf_keras.mathematics import zeros_like as zeros_like
    from nacre.models.tf_keras.neural import batch_normalization as batch_normalization
    from nacre.models.tf_keras.neural import bias_add as bias_add
    from nacre.models.tf_keras.neural import conv1d as conv1d
    from nacre.models.tf_keras.neural import conv2d as conv2d
    from nacre.models.tf_keras.neural import conv3d as conv3d
    from nacre.models.tf_keras.neural import ctc_batch_cost as ctc_batch_cost
    from nacre.models.tf_keras.neural import ctc_decode as ctc_decode
    from nacre.models.tf_keras.neural import depthwise_conv2d as depthwise_conv2d
    from nacre.models.tf_keras.neural import dropout as dropout
    from nacre.models.tf_keras.neural import hard_sigmoid as hard_sigmoid
    from nacre.models.tf_keras.neural import in_top_k as in_top_k
    from nacre.models.tf_keras.neural import l2_normalize as l2_normalize
    from nacre.models.tf_keras.neural import (
        normalize_batch_in_training as normalize_batch_in_training,
    )
    from nacre.models.tf_keras.neural import pool2d as pool2d
    from nacre.models.tf_keras.neural import pool3d as pool3d
    from nacre.models.tf_keras.neural import relu as relu
    from nacre.models.tf_keras.neural import resize_images as resize_images
    from nacre.models.tf_keras.neural import resize_volumes as resize_volumes
    from nacre.models.tf_keras.neural import separable_conv2d as separable_conv2d
    from nacre.models.tf_keras.neural import (
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from nacre.models.tf_keras.neural import spatial_2d_padding as spatial_2d_padding
    from nacre.models.tf_keras.neural import spatial_3d_padding as spatial_3d_padding
    from nacre.models.tf_keras.neural import temporal_padding as temporal_padding
    from nacre.models.tf_keras.running import eval as eval
    from nacre.models.tf_keras.running import foldl as foldl
    from nacre.models.tf_keras.running import foldr as foldr
    from nacre.models.tf_keras.running import function as function
    from nacre.models.tf_keras.running import in_test_phase as in_test_phase
    from nacre.models.tf_keras.running import in_train_phase as in_train_phase
    from nacre.models.tf_keras.running import learning_phase as learning_phase
    from nacre.models.tf_keras.running import map_fn as map_fn
    from nacre.models.tf_keras.running import moving_average_update as moving_average_update
    from nacre.models.tf_keras.running import print_tensor as print_tensor
    from nacre.models.tf_keras.running import random_bernoulli as random_bernoulli
    from nacre.models.tf_keras.running import random_binomial as random_binomial
    from nacre.models.tf_keras.running import random_normal as random_normal
    from nacre.models.tf_keras.running import random_normal_variable as random_normal_variable
    from nacre.models.tf_keras.running import random_uniform as random_uniform
    from nacre.models.tf_keras.running import random_uniform_variable as random_uniform_variable
    from nacre.models.tf_keras.running import stop_gradient as stop_gradient
    from nacre.models.tf_keras.running import switch as switch
    from nacre.models.tf_keras.running import truncated_normal as truncated_normal
    from nacre.models.tf_keras.running import update as update
    from nacre.models.tf_keras.running import update_add as update_add
    from nacre.models.tf_keras.running import update_sub as update_sub
    from nacre.models.tf_keras.running import variable as variable
    from nacre.ops import abs as abs
    from nacre.ops import all as all
    from nacre.ops import any as any
    from nacre.ops import binary_crossentropy as binary_crossentropy
    from nacre.ops import cast as cast
    from nacre.ops import categorical_crossentropy as categorical_crossentropy
    from nacre.ops import cos as cos
    from nacre.ops import dtype as dtype
    from nacre.ops import elu as elu
    from nacre.ops import exp as exp
    from nacre.ops import log as log
    from nacre.ops import max as max
    from nacre.ops import mean as mean
    from nacre.ops import min as min
    from nacre.ops import ndim as ndim
    from nacre.ops import prod as prod
    from nacre.ops import round as round
    from nacre.ops import shape as shape
    from nacre.ops import sigmoid as sigmoid
    from nacre.ops import sign as sign
    from nacre.ops import sin as sin
    from nacre.ops import softmax as softmax
    from nacre.ops import softplus as softplus
    from nacre.ops import softsign as softsign
    from nacre.ops import square as square
    from nacre.ops import stack as stack
    from nacre.ops import std as std
    from nacre.ops import sum as sum
    from nacre.ops import tanh as tanh
    from nacre.ops import transpose as transpose
    from nacre.ops import var as var

__all__ = [
    "abs",
    "all",
    "any",
    "arange",
    "argmax",
    "argmin",
    "backend",
    "batch_dot",
    "batch_flatten",
    "batch_get_value",
    "batch_normalization",
    "batch_set_value",
    "bias_add",
    "binary_crossentropy",
    "cast",
    "cast_to_floatx",
    "categorical_crossentropy",
    "clear_session",
    "clip",
    "concatenate",
    "constant",
    "conv1d",
    "conv2d",
    "conv3d",
    "cos",
    "count_params",
    "ctc_batch_cost",
    "ctc_decode",
    "cumprod",
    "cumsum",
    "depthwise_conv2d",
    "dot",
    "dropout",
    "dtype",
    "elu",
    "epsilon",
    "equal",
    "eval",
    "exp",
    "expand_dims",
    "eye",
    "flatten",
    "floatx",
    "foldl",
    "foldr",
    "function",
    "gather",
    "get_uid",
    "get_value",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "image_data_format",
    "in_test_phase",
    "in_top_k",
    "in_train_phase",
    "int_shape",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "is_sparse",
    "l2_normalize",
    "learning_phase",
    "less",
    "less_equal",
    "log",
    "map_fn",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "moving_average_update",
    "name_scope",
    "ndim",
    "normalize_batch_in_training",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "permute_dimensions",
    "pool2d",
    "pool3d",
    "pow",
    "print_tensor",
    "prod",
    "random_bernoulli",
    "random_binomial",
    "random_normal",
    "random_normal_variable",
    "random_uniform",
    "random_uniform_variable",
    "relu",
    "repeat",
    "repeat_elements",
    "reshape",
    "resize_images",
    "resize_volumes",
    "result_type",
    "reverse",
    "round",
    "separable_conv2d",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_value",
    "shape",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "spatial_2d_padding",
    "spatial_3d_padding",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "standardize_dtype",
    "std",
    "stop_gradient",
    "sum",
    "switch",
    "tanh",
    "temporal_padding",
    "tile",
    "to_dense",
    "transpose",
    "truncated_normal",
    "update",
    "update_add",
    "update_sub",
    "var",
    "variable",
    "zeros",
    "zeros_like",
]

if not TYPE_CHECKING:  # importing settings alone brings no ops
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "abs": "nacre.ops",
            "all": "nacre.ops",
            "any": "nacre.ops",
            "arange": "nacre.models.tf_keras.mathematics",
            "argmax": "nacre.models.tf_keras.mathematics",
            "argmin": "nacre.models.tf_keras.mathematics",
            "batch_dot": "nacre.models.tf_keras.mathematics",
            "batch_flatten": "nacre.models.tf_keras.mathematics",
            "batch_normalization": "nacre.models.tf_keras.neural",
            "bias_add": "nacre.models.tf_keras.neural",
            "binary_crossentropy": "nacre.ops",
            "cast": "nacre.ops",
            "cast_to_floatx": "nacre.models.tf_keras.mathematics",
            "categorical_crossentropy": "nacre.ops",
            "clip": "nacre.models.tf_keras.mathematics",
            "concatenate": "nacre.models.tf_keras.mathematics",
            "constant": "nacre.models.tf_keras.mathematics",
            "conv1d": "nacre.models.tf_keras.neural",
            "conv2d": "nacre.models.tf_keras.neural",
            "conv3d": "nacre.models.tf_keras.neural",
            "cos": "nacre.ops",
            "count_params": "nacre.models.tf_keras.mathematics",
            "ctc_batch_cost": "nacre.models.tf_keras.neural",
            "ctc_decode": "nacre.models.tf_keras.neural",
            "cumprod": "nacre.models.tf_keras.mathematics",
            "cumsum": "nacre.models.tf_keras.mathematics",
            "depthwise_conv2d": "nacre.models.tf_keras.neural",
            "dot": "nacre.models.tf_keras.mathematics",
            "dropout": "nacre.models.tf_keras.neural",
            "dtype": "nacre.ops",
            "elu": "nacre.ops",
            "equal": "nacre.models.tf_keras.mathematics",
            "eval": "nacre.models.tf_keras.running",
            "exp": "nacre.ops",
            "expand_dims": "nacre.models.tf_keras.mathematics",
            "eye": "nacre.models.tf_keras.mathematics",
            "flatten": "nacre.models.tf_keras.mathematics",
            "foldl": "nacre.models.tf_keras.running",
            "foldr": "nacre.models.tf_keras.running",
            "function": "nacre.models.tf_keras.running",
            "gather": "nacre.models.tf_keras.mathematics",
            "greater": "nacre.models.tf_keras.mathematics",
            "greater_equal": "nacre.models.tf_keras.mathematics",
            "hard_sigmoid": "nacre.models.tf_keras.neural",
            "in_test_phase": "nacre.models.tf_keras.running",
            "in_top_k": "nacre.models.tf_keras.neural",
            "in_train_phase": "nacre.models.tf_keras.running",
            "int_shape": "nacre.models.tf_keras.mathematics",
            "is_sparse": "nacre.models.tf_keras.mathematics",
            "l2_normalize": "nacre.models.tf_keras.neural",
            "learning_phase": "nacre.models.tf_keras.running",
            "less": "nacre.models.tf_keras.mathematics",
            "less_equal": "nacre.models.tf_keras.mathematics",
            "log": "nacre.ops",
            "map_fn": "nacre.models.tf_keras.running",
            "max": "nacre.ops",
            "maximum": "nacre.models.tf_keras.mathematics",
            "mean": "nacre.ops",
            "min": "nacre.ops",
            "minimum": "nacre.models.tf_keras.mathematics",
            "moving_average_update": "nacre.models.tf_keras.running",
            "name_scope": "nacre.core.names",
            "ndim": "nacre.ops",
            "normalize_batch_in_training": "nacre.models.tf_keras.neural",
            "not_equal": "nacre.models.tf_keras.mathematics",
            "one_hot": "nacre.models.tf_keras.mathematics",
            "ones": "nacre.models.tf_keras.mathematics",
            "ones_like": "nacre.models.tf_keras.mathematics",
            "permute_dimensions": "nacre.models.tf_keras.mathematics",
            "pool2d": "nacre.models.tf_keras.neural",
            "pool3d": "nacre.models.tf_keras.neural",
            "pow": "nacre.models.tf_keras.mathematics",
            "print_tensor": "nacre.models.tf_keras.running",
            "prod": "nacre.ops",
            "random_bernoulli": "nacre.models.tf_keras.running",
            "random_binomial": "nacre.models.tf_keras.running",
            "random_normal": "nacre.models.tf_keras.running",
            "random_normal_variable": "nacre.models.tf_keras.running",
            "random_uniform": "nacre.models.tf_keras.running",
            "random_uniform_variable": "nacre.models.tf_keras.running",
            "relu": "nacre.models.tf_keras.neural",
            "repeat": "nacre.models.tf_keras.mathematics",
            "repeat_elements": "nacre.models.tf_keras.mathematics",
            "reshape": "nacre.models.tf_keras.mathematics",
            "resize_images": "nacre.models.tf_keras.neural",
            "resize_volumes": "nacre.models.tf_keras.neural",
            "reverse": "nacre.models.tf_keras.mathematics",
            "round": "nacre.ops",
            "separable_conv2d": "nacre.models.tf_keras.neural",
            "shape": "nacre.ops",
            "sigmoid": "nacre.ops",
            "sign": "nacre.ops",
            "sin": "nacre.ops",
            "softmax": "nacre.ops",
            "softplus": "nacre.ops",
            "softsign": "nacre.ops",
            "sparse_categorical_crossentropy": "nacre.models.tf_keras.neural",
            "spatial_2d_padding": "nacre.models.tf_keras.neural",
            "spatial_3d_padding": "nacre.models.tf_keras.neural",
            "sqrt": "nacre.models.tf_keras.mathematics",
            "square": "nacre.ops",
            "squeeze": "nacre.models.tf_keras.mathematics",
            "stack": "nacre.ops",
            "std": "nacre.ops",
            "stop_gradient": "nacre.models.tf_keras.running",
            "sum": "nacre.ops",
            "switch": "nacre.models.tf_keras.running",
            "tanh": "nacre.ops",
            "temporal_padding": "nacre.models.tf_keras.neural",
            "tile": "nacre.models.tf_keras.mathematics",
            "to_dense": "nacre.models.tf_keras.mathematics",
            "transpose": "nacre.ops",
            "truncated_normal": "nacre.models.tf_keras.running",
            "update": "nacre.models.tf_keras.running",
            "update_add": "nacre.models.tf_keras.running",
            "update_sub": "nacre.models.tf_keras.running",
            "var": "nacre.ops",
            "variable": "nacre.models.tf_keras.running",
            "zeros": "nacre.models.tf_keras.mathematics",
            "zeros_like": "nacre.models.tf_keras.mathematics",
        },
    )
