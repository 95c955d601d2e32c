"""`keras.backend`: what scripts for tf.keras 2 use of it, as `K.mean(K.square(x))`. A face.

How this folder works: most names are those of `nacre.ops`; `mathematics`, `neural` and `running`
have the functions whose arguments or meaning were others in tf.keras 2.
"""

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
    from nacre.backend.mathematics import arange as arange
    from nacre.backend.mathematics import argmax as argmax
    from nacre.backend.mathematics import argmin as argmin
    from nacre.backend.mathematics import batch_dot as batch_dot
    from nacre.backend.mathematics import batch_flatten as batch_flatten
    from nacre.backend.mathematics import cast_to_floatx as cast_to_floatx
    from nacre.backend.mathematics import clip as clip
    from nacre.backend.mathematics import concatenate as concatenate
    from nacre.backend.mathematics import constant as constant
    from nacre.backend.mathematics import count_params as count_params
    from nacre.backend.mathematics import cumprod as cumprod
    from nacre.backend.mathematics import cumsum as cumsum
    from nacre.backend.mathematics import dot as dot
    from nacre.backend.mathematics import equal as equal
    from nacre.backend.mathematics import expand_dims as expand_dims
    from nacre.backend.mathematics import eye as eye
    from nacre.backend.mathematics import flatten as flatten
    from nacre.backend.mathematics import gather as gather
    from nacre.backend.mathematics import greater as greater
    from nacre.backend.mathematics import greater_equal as greater_equal
    from nacre.backend.mathematics import int_shape as int_shape
    from nacre.backend.mathematics import is_sparse as is_sparse
    from nacre.backend.mathematics import less as less
    from nacre.backend.mathematics import less_equal as less_equal
    from nacre.backend.mathematics import maximum as maximum
    from nacre.backend.mathematics import minimum as minimum
    from nacre.backend.mathematics import not_equal as not_equal
    from nacre.backend.mathematics import one_hot as one_hot
    from nacre.backend.mathematics import ones as ones
    from nacre.backend.mathematics import ones_like as ones_like
    from nacre.backend.mathematics import permute_dimensions as permute_dimensions
    from nacre.backend.mathematics import pow as pow
    from nacre.backend.mathematics import repeat as repeat
    from nacre.backend.mathematics import repeat_elements as repeat_elements
    from nacre.backend.mathematics import reshape as reshape
    from nacre.backend.mathematics import reverse as reverse
    from nacre.backend.mathematics import sqrt as sqrt
    from nacre.backend.mathematics import squeeze as squeeze
    from nacre.backend.mathematics import tile as tile
    from nacre.backend.mathematics import to_dense as to_dense
    from nacre.backend.mathematics import zeros as zeros
    from nacre.backend.mathematics import zeros_like as zeros_like
    from nacre.backend.neural import batch_normalization as batch_normalization
    from nacre.backend.neural import bias_add as bias_add
    from nacre.backend.neural import conv1d as conv1d
    from nacre.backend.neural import conv2d as conv2d
    from nacre.backend.neural import conv3d as conv3d
    from nacre.backend.neural import ctc_batch_cost as ctc_batch_cost
    from nacre.backend.neural import ctc_decode as ctc_decode
    from nacre.backend.neural import depthwise_conv2d as depthwise_conv2d
    from nacre.backend.neural import dropout as dropout
    from nacre.backend.neural import hard_sigmoid as hard_sigmoid
    from nacre.backend.neural import in_top_k as in_top_k
    from nacre.backend.neural import l2_normalize as l2_normalize
    from nacre.backend.neural import normalize_batch_in_training as normalize_batch_in_training
    from nacre.backend.neural import pool2d as pool2d
    from nacre.backend.neural import pool3d as pool3d
    from nacre.backend.neural import relu as relu
    from nacre.backend.neural import resize_images as resize_images
    from nacre.backend.neural import resize_volumes as resize_volumes
    from nacre.backend.neural import separable_conv2d as separable_conv2d
    from nacre.backend.neural import (
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from nacre.backend.neural import spatial_2d_padding as spatial_2d_padding
    from nacre.backend.neural import spatial_3d_padding as spatial_3d_padding
    from nacre.backend.neural import temporal_padding as temporal_padding
    from nacre.backend.running import eval as eval
    from nacre.backend.running import foldl as foldl
    from nacre.backend.running import foldr as foldr
    from nacre.backend.running import function as function
    from nacre.backend.running import in_test_phase as in_test_phase
    from nacre.backend.running import in_train_phase as in_train_phase
    from nacre.backend.running import learning_phase as learning_phase
    from nacre.backend.running import map_fn as map_fn
    from nacre.backend.running import moving_average_update as moving_average_update
    from nacre.backend.running import print_tensor as print_tensor
    from nacre.backend.running import random_bernoulli as random_bernoulli
    from nacre.backend.running import random_binomial as random_binomial
    from nacre.backend.running import random_normal as random_normal
    from nacre.backend.running import random_normal_variable as random_normal_variable
    from nacre.backend.running import random_uniform as random_uniform
    from nacre.backend.running import random_uniform_variable as random_uniform_variable
    from nacre.backend.running import stop_gradient as stop_gradient
    from nacre.backend.running import switch as switch
    from nacre.backend.running import truncated_normal as truncated_normal
    from nacre.backend.running import update as update
    from nacre.backend.running import update_add as update_add
    from nacre.backend.running import update_sub as update_sub
    from nacre.backend.running import variable as variable
    from nacre.core.names import name_scope as name_scope
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
            "arange": "nacre.backend.mathematics",
            "argmax": "nacre.backend.mathematics",
            "argmin": "nacre.backend.mathematics",
            "batch_dot": "nacre.backend.mathematics",
            "batch_flatten": "nacre.backend.mathematics",
            "batch_normalization": "nacre.backend.neural",
            "bias_add": "nacre.backend.neural",
            "binary_crossentropy": "nacre.ops",
            "cast": "nacre.ops",
            "cast_to_floatx": "nacre.backend.mathematics",
            "categorical_crossentropy": "nacre.ops",
            "clip": "nacre.backend.mathematics",
            "concatenate": "nacre.backend.mathematics",
            "constant": "nacre.backend.mathematics",
            "conv1d": "nacre.backend.neural",
            "conv2d": "nacre.backend.neural",
            "conv3d": "nacre.backend.neural",
            "cos": "nacre.ops",
            "count_params": "nacre.backend.mathematics",
            "ctc_batch_cost": "nacre.backend.neural",
            "ctc_decode": "nacre.backend.neural",
            "cumprod": "nacre.backend.mathematics",
            "cumsum": "nacre.backend.mathematics",
            "depthwise_conv2d": "nacre.backend.neural",
            "dot": "nacre.backend.mathematics",
            "dropout": "nacre.backend.neural",
            "dtype": "nacre.ops",
            "elu": "nacre.ops",
            "equal": "nacre.backend.mathematics",
            "eval": "nacre.backend.running",
            "exp": "nacre.ops",
            "expand_dims": "nacre.backend.mathematics",
            "eye": "nacre.backend.mathematics",
            "flatten": "nacre.backend.mathematics",
            "foldl": "nacre.backend.running",
            "foldr": "nacre.backend.running",
            "function": "nacre.backend.running",
            "gather": "nacre.backend.mathematics",
            "greater": "nacre.backend.mathematics",
            "greater_equal": "nacre.backend.mathematics",
            "hard_sigmoid": "nacre.backend.neural",
            "in_test_phase": "nacre.backend.running",
            "in_top_k": "nacre.backend.neural",
            "in_train_phase": "nacre.backend.running",
            "int_shape": "nacre.backend.mathematics",
            "is_sparse": "nacre.backend.mathematics",
            "l2_normalize": "nacre.backend.neural",
            "learning_phase": "nacre.backend.running",
            "less": "nacre.backend.mathematics",
            "less_equal": "nacre.backend.mathematics",
            "log": "nacre.ops",
            "map_fn": "nacre.backend.running",
            "max": "nacre.ops",
            "maximum": "nacre.backend.mathematics",
            "mean": "nacre.ops",
            "min": "nacre.ops",
            "minimum": "nacre.backend.mathematics",
            "moving_average_update": "nacre.backend.running",
            "name_scope": "nacre.core.names",
            "ndim": "nacre.ops",
            "normalize_batch_in_training": "nacre.backend.neural",
            "not_equal": "nacre.backend.mathematics",
            "one_hot": "nacre.backend.mathematics",
            "ones": "nacre.backend.mathematics",
            "ones_like": "nacre.backend.mathematics",
            "permute_dimensions": "nacre.backend.mathematics",
            "pool2d": "nacre.backend.neural",
            "pool3d": "nacre.backend.neural",
            "pow": "nacre.backend.mathematics",
            "print_tensor": "nacre.backend.running",
            "prod": "nacre.ops",
            "random_bernoulli": "nacre.backend.running",
            "random_binomial": "nacre.backend.running",
            "random_normal": "nacre.backend.running",
            "random_normal_variable": "nacre.backend.running",
            "random_uniform": "nacre.backend.running",
            "random_uniform_variable": "nacre.backend.running",
            "relu": "nacre.backend.neural",
            "repeat": "nacre.backend.mathematics",
            "repeat_elements": "nacre.backend.mathematics",
            "reshape": "nacre.backend.mathematics",
            "resize_images": "nacre.backend.neural",
            "resize_volumes": "nacre.backend.neural",
            "reverse": "nacre.backend.mathematics",
            "round": "nacre.ops",
            "separable_conv2d": "nacre.backend.neural",
            "shape": "nacre.ops",
            "sigmoid": "nacre.ops",
            "sign": "nacre.ops",
            "sin": "nacre.ops",
            "softmax": "nacre.ops",
            "softplus": "nacre.ops",
            "softsign": "nacre.ops",
            "sparse_categorical_crossentropy": "nacre.backend.neural",
            "spatial_2d_padding": "nacre.backend.neural",
            "spatial_3d_padding": "nacre.backend.neural",
            "sqrt": "nacre.backend.mathematics",
            "square": "nacre.ops",
            "squeeze": "nacre.backend.mathematics",
            "stack": "nacre.ops",
            "std": "nacre.ops",
            "stop_gradient": "nacre.backend.running",
            "sum": "nacre.ops",
            "switch": "nacre.backend.running",
            "tanh": "nacre.ops",
            "temporal_padding": "nacre.backend.neural",
            "tile": "nacre.backend.mathematics",
            "to_dense": "nacre.backend.mathematics",
            "transpose": "nacre.ops",
            "truncated_normal": "nacre.backend.running",
            "update": "nacre.backend.running",
            "update_add": "nacre.backend.running",
            "update_sub": "nacre.backend.running",
            "var": "nacre.ops",
            "variable": "nacre.backend.running",
            "zeros": "nacre.backend.mathematics",
            "zeros_like": "nacre.backend.mathematics",
        },
    )
