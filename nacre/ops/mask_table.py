"""Which rule each op follows for masks, and why some ops end them: a table, nothing else."""

from __future__ import annotations

import jax.numpy as jnp

from nacre.ops.mask_rules import (
    Rule,
    along,
    concatenate,
    contraction,
    einsum,
    elementwise,
    expand_dims,
    flip,
    flipping,
    get_item,
    last_axis,
    moveaxis,
    moving,
    of,
    one_hot,
    pad,
    quantiles,
    rearrange,
    reduction,
    reshape,
    rows_of_tensordot,
    slice_block,
    split_on,
    squeeze,
    stack,
    stacked_on,
    swapaxes,
    take,
    tile,
    transpose,
    unstack,
)

RULES: dict[str, Rule] = {
    "flip": flip,
    "flipud": flipping(0),
    "fliplr": flipping(1),
    "roll": moving(jnp.roll, "shift"),
    "repeat": moving(jnp.repeat, "repeats"),
    "tile": tile,
    "take": take,
    "embed": of("indices"),
    "concatenate": concatenate,
    "append": concatenate,
    "vstack": stacked_on(0),
    "hstack": stacked_on(1),
    "dstack": stacked_on(2),
    "stack": stack,
    "split": split_on(),
    "array_split": split_on(),
    "vsplit": split_on(0),
    "hsplit": split_on(1),
    "dsplit": split_on(2),
    "unstack": unstack,
    "expand_dims": expand_dims,
    "squeeze": squeeze,
    "reshape": reshape,
    "transpose": transpose,
    "swapaxes": swapaxes,
    "moveaxis": moveaxis,
    "rearrange": rearrange,
    "pad": pad,
    "one_hot": one_hot,
    "slice": slice_block,
    "get_item": get_item,
    "matmul": contraction(lambda use: len(use.shapes[0]) - 1),
    "dot": contraction(lambda use: len(use.shapes[0]) - 1),
    "inner": contraction(lambda use: len(use.shapes[0]) - 1),
    "tensordot": contraction(rows_of_tensordot),
    "einsum": einsum,
    "dot_product_attention": of("query"),
    "slice_update": of("inputs"),
    "scatter_update": of("inputs"),
    "isin": of("x1"),
    "digitize": of("x"),
    "broadcast_to": elementwise,
    "moments": along("axes", "the axis of the steps is reduced"),
    "view_as_real": of("x"),
    "view_as_complex": last_axis,
    "top_k": last_axis,
}
RULES |= dict.fromkeys(
    # One number in, one number out; normalizations and softmax leave every position in its place.
    "abs absolute add angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and "
    "bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor cast "
    "cbrt ceil celu clip conj conjugate copy cos cosh deg2rad divide divide_no_nan elu equal erf "
    "erfc erfinv exp exp2 expm1 fabs floor floor_divide fmax fmin fmod gcd gelu greater "
    "greater_equal hard_shrink hard_sigmoid hard_silu hard_tanh heaviside hypot i0 imag isclose "
    "isfinite isinf isnan isneginf isposinf isreal lcm ldexp leaky_relu left_shift less less_equal "
    "log log10 log1p log2 log_sigmoid logaddexp logaddexp2 logical_and logical_not logical_or "
    "logical_xor maximum minimum mish mod multiply nan_to_num negative nextafter not_equal polar "
    "power rad2deg real reciprocal relu relu6 right_shift round rsqrt saturate_cast select selu "
    "sigmoid sign signbit silu sin sinc sinh soft_shrink softplus softsign sparse_plus "
    "sparse_sigmoid sqrt square squareplus stop_gradient subtract tan tanh tanh_shrink threshold "
    "true_divide trunc view where batch_normalization layer_normalization rms_normalization "
    "group_normalization normalize softmax log_softmax sparsemax cumsum cumprod nancumsum "
    "nancumprod binary_crossentropy".split(),
    elementwise,
)
RULES |= dict.fromkeys(
    "all amax amin any argmax argmin average count_nonzero logsumexp max mean median min nanargmax "
    "nanargmin nanmax nanmean nanmedian nanmin nanprod nanstd nansum "
    "nanvar norm prod ptp std sum trapezoid var categorical_crossentropy "
    "sparse_categorical_crossentropy".split(),
    reduction,
)
RULES |= dict.fromkeys("quantile nanquantile percentile nanpercentile".split(), quantiles)
RULES |= dict.fromkeys(
    "argpartition argsort diff glu sort take_along_axis".split(),
    along(),
)

# Ops whose results have no steps that a mask of their inputs could describe, and why.
WITHOUT: dict[str, str] = {}
for _why, _names in {
    "places of the input and of the result do not correspond": (
        "adaptive_average_pool adaptive_max_pool average_pool conv conv_transpose correlate "
        "depth_to_space depthwise_conv extract_patches extract_patches_3d extract_sequences fft "
        "fft2 fold ifft2 irfft istft max_pool rfft separable_conv space_to_depth stft unfold "
        "resize rot90 tril triu"
    ),
    "it works on images, which have no steps": (
        "affine_transform crop_images elastic_transform gaussian_blur hsv_to_rgb map_coordinates "
        "pad_images perspective_transform psnr rgb_to_grayscale rgb_to_hsv scale_and_translate "
        "sobel_edges ssim"
    ),
    "it works on whole matrices or vectors": (
        "cdist cholesky cholesky_inverse corrcoef cross det diag diagflat diagonal eig eigh inv "
        "kron logdet lstsq lu_factor matrix_rank outer pinv qr slogdet solve solve_triangular svd "
        "trace vander vdot"
    ),
    "the steps are put into one row, or counted": (
        "allclose bincount histogram in_top_k meshgrid multi_hot nonzero ravel scatter "
        "searchsorted size unique unravel_index"
    ),
    "it makes new values, whatever the input holds": (
        "bartlett blackman empty_like full full_like geomspace hamming hanning kaiser linspace "
        "logspace ones_like zeros_like"
    ),
    "rows are gathered into segments": "segment_max segment_min segment_prod segment_sum",
    "it runs a function of yours": (
        "associative_scan cond fori_loop jvp map scan switch vectorized_map while_loop"
    ),
    "it takes its mask as an argument of its own": "gru lstm simple_rnn",
    "it reads whole sequences": "ctc_decode ctc_loss",
}.items():
    WITHOUT |= dict.fromkeys(_names.split(), _why)

__all__ = ["RULES", "WITHOUT"]
