"""Calls of functions of TensorFlow, as text: `tf` and the arrays below stand for themselves.

They are run by TensorFlow (`tests/reference/make_tf_functions.py`) and by nacre; what they give has
one dtype, shape and value.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def arguments(tf: Any) -> dict[str, Any]:
    """What the calls name."""
    draw = np.random.default_rng(7)
    f = draw.normal(size=(3, 4)).astype("float32")
    return {
        "tf": tf,
        "np": np,
        "f": tf.constant(f),
        "g": tf.constant(draw.normal(size=(3, 4)).astype("float32")),
        "p": tf.constant(draw.uniform(0.2, 0.8, size=(3, 4)).astype("float32")),
        "v": tf.constant(draw.normal(size=4).astype("float32")),
        "m": tf.constant((draw.normal(size=(4, 4)) + 3 * np.eye(4)).astype("float32")),
        "spd": tf.constant((f.T @ f + np.eye(4)).astype("float32")),
        "cube": tf.constant(draw.normal(size=(2, 3, 4)).astype("float32")),
        "image": tf.constant(draw.normal(size=(2, 6, 6, 2)).astype("float32")),
        "kernel": tf.constant(draw.normal(size=(3, 3, 2, 3)).astype("float32")),
        "i": tf.constant([[3, -2, 7], [0, 5, -4]]),
        "j": tf.constant([[2, 3, -2], [1, -3, 4]]),
        "n": tf.constant([[3, 1, 2], [0, 2, 1]]),
        "w": tf.constant(np.array([2**40, -5, 7])),
        "u": tf.constant(np.array([250, 3, 7], "uint8")),
        "d": tf.constant(np.array([0.1, -2.5, 7.25])),
        "b": tf.constant([[True, False, True], [False, False, True]]),
        "c": tf.constant([[True, True, False], [False, True, True]]),
        "s": tf.constant(["Ab c", "d", "é f g"]),
        "picture": tf.constant(draw.uniform(size=(4, 5, 3)).astype("float32")),
        "bytes3": tf.constant(draw.integers(0, 256, size=(4, 5, 3)).astype("uint8")),
        "z": tf.constant(np.array([1 + 2j, -3 + 0.5j], "complex64")),
    }


_ONE = "abs exp sign square sqrt floor ceil round rint negative sin cos tan tanh sinh cosh atan"
_POSITIVE = (
    "log log1p rsqrt acos asin atanh lgamma digamma erfinv ndtri reciprocal sigmoid softplus softsign "
    "erf erfc expm1 asinh bessel_i0 bessel_i0e bessel_i1 bessel_i1e log_sigmoid is_nan is_inf is_finite"
)
_TWO = (
    "add subtract multiply divide truediv floordiv floormod mod maximum minimum squared_difference "
    "equal not_equal less less_equal greater greater_equal"
)
_REDUCE = "sum mean max min prod logsumexp euclidean_norm std variance"

CASES: list[str] = [
    *(f"tf.math.{name}(f)" for name in _ONE.replace("sqrt ", "").split()),
    *(f"tf.math.{name}(p)" for name in f"{_POSITIVE} sqrt".split()),
    "tf.math.acosh(p + 1)",
    *(f"tf.math.{name}(f, g)" for name in _TWO.split()),
    *(f"tf.math.{name}(i, j)" for name in _TWO.split()),
    *(f"tf.math.{name}(f, 2.0)" for name in "add multiply maximum equal less".split()),
    *(f"tf.math.{name}(2, i)" for name in "add multiply maximum equal less".split()),
    "tf.math.abs(i)", "tf.math.abs(z)", "tf.math.sign(i)", "tf.math.square(i)", "tf.math.negative(i)",
    "tf.math.abs(w)", "tf.math.add(w, 1)", "tf.math.multiply(w, w[2])", "tf.math.add(d, 1.0)",
    "tf.math.divide(u, u[1])", "tf.math.divide(w, 2)", "tf.math.add(u, 10)", "tf.math.round(tf.constant([0.5, 1.5, 2.5, -0.5]))",
    "tf.math.pow(p, g)", "tf.pow(i, 2)", "tf.pow(f, 2)", "tf.math.atan2(f, g)", "tf.math.nextafter(f, g)",
    "tf.math.divide_no_nan(f, tf.zeros([3, 4]))", "tf.math.multiply_no_nan(f, g)", "tf.math.reciprocal_no_nan(tf.constant([0.0, 2.0]))",
    "tf.math.xlogy(p, p)", "tf.math.xlog1py(p, p)", "tf.math.xdivy(p, g)", "tf.math.betainc(p, p, p)",
    "tf.math.igamma(p, p)", "tf.math.igammac(p, p)", "tf.math.zeta(p + 1, p)", "tf.math.polygamma(tf.ones([3, 4]), p)",
    "tf.math.angle(z)", "tf.math.real(z)", "tf.math.imag(z)", "tf.math.conj(z)", "tf.complex(f, g)",
    "tf.math.logical_and(b, c)", "tf.math.logical_or(b, c)", "tf.math.logical_xor(b, c)", "tf.math.logical_not(b)",
    *(f"tf.math.reduce_{name}(f)" for name in _REDUCE.split()),
    *(f"tf.math.reduce_{name}(f, axis=1)" for name in _REDUCE.split()),
    *(f"tf.math.reduce_{name}(cube, axis=[0, -1], keepdims=True)" for name in _REDUCE.split()),
    *(f"tf.math.reduce_{name}(i, 0)" for name in "sum mean max min prod".split()),
    "tf.reduce_sum(u)", "tf.reduce_mean(u)", "tf.reduce_sum(w)", "tf.reduce_mean(d)", "tf.reduce_max(w, keepdims=True)",
    "tf.reduce_all(b)", "tf.reduce_any(b, axis=1)", "tf.reduce_all(b, 0, True)",
    "tf.math.argmax(f)", "tf.math.argmin(f, axis=1)", "tf.argmax(f, 1, output_type=tf.int32)", "tf.argmax(i, -1)", "tf.argmax([1, 3, 2])",
    "tf.math.add_n([f, g, f])", "tf.math.accumulate_n([f, g])", "tf.math.scalar_mul(3.0, f)",
    "tf.math.cumsum(f)", "tf.math.cumsum(i, 1, exclusive=True)", "tf.math.cumsum(f, axis=-1, reverse=True)", "tf.math.cumprod(f, 1)",
    "tf.math.cumulative_logsumexp(f, 1)", "tf.math.count_nonzero(i)", "tf.math.count_nonzero(f, axis=0)", "tf.math.zero_fraction(i)",
    "tf.math.l2_normalize(f, axis=1)", "tf.math.l2_normalize(f)", "tf.math.softmax(f)", "tf.math.log_softmax(f, axis=0)",
    "tf.math.confusion_matrix([0, 1, 2, 1], [0, 2, 2, 1])", "tf.math.confusion_matrix([0, 1], [1, 1], num_classes=3, weights=[0.5, 2.0], dtype=tf.float32)",
    "tf.math.in_top_k([1, 2, 0], f, 2)", "tf.math.invert_permutation([2, 0, 1])",
    "tf.math.is_non_decreasing(tf.constant([1, 2, 2]))", "tf.math.is_strictly_increasing(tf.constant([1, 2, 2]))",
    "tf.math.polyval([1.0, 2.0, 3.0], f)", "tf.math.top_k(f, 2)", "tf.math.top_k(i, k=1)",
    *(f"tf.math.segment_{name}(f, [0, 0, 1])" for name in "sum mean max min prod".split()),
    *(f"tf.math.unsorted_segment_{name}(f, [1, 0, 1], 2)" for name in "sum max min prod".split()),
    "tf.argsort(f, axis=0)", "tf.argsort(i, direction='DESCENDING')", "tf.sort(f, direction='DESCENDING')", "tf.sort(i)",
    "tf.bitcast(f, tf.int32)", "tf.boolean_mask(i, b)", "tf.boolean_mask(f, [True, False, True])", "tf.boolean_mask(cube, [True, False, True], axis=1)",
    "tf.broadcast_to(v, [2, 4])", "tf.broadcast_to(i, tf.constant([2, 2, 3]))", "tf.broadcast_dynamic_shape([2, 1], [1, 3])",
    "tf.cast(f, tf.int32)", "tf.cast(i, tf.float32)", "tf.cast(b, tf.int64)", "tf.cast(f, tf.bool)", "tf.cast(w, tf.int32)", "tf.cast([1.7, -1.7], 'int32')",
    "tf.cast(f * 100, tf.uint8)", "tf.cast(i, tf.float64)", "tf.cast(d, tf.float32)", "tf.cast(i, tf.complex64)", "tf.saturate_cast(f * 1000, tf.int8)",
    "tf.clip_by_norm(f, 1.0)", "tf.clip_by_norm(f, 1.0, axes=[0])", "tf.clip_by_value(f, -0.5, 0.5)", "tf.clip_by_value(i, 0, 3)",
    "tf.clip_by_global_norm([f, g], 1.5)", "tf.linalg.global_norm([f, g])",
    "tf.concat([f, g], 0)", "tf.concat([i, j], axis=-1)", "tf.concat([[1, 2], [3]], 0)", "tf.concat([s, ['x']], 0)",
    "tf.constant([1, 2, 3])", "tf.constant(2.5)", "tf.constant([[1, 2.5]])", "tf.constant(7, shape=[2, 2])", "tf.constant([1, 2, 3, 4], shape=(2, 2), dtype=tf.float32)",
    "tf.constant(np.arange(3))", "tf.constant(np.array([1.5]))", "tf.constant('a')", "tf.constant(True)", "tf.constant(2**40)", "tf.constant([])", "tf.constant(1 + 2j)",
    "tf.constant(np.float64(2))", "tf.constant(np.int16([3]))", "tf.constant(3, tf.uint8)", "tf.constant(b'ab')",
    "tf.convert_to_tensor([1, 2])", "tf.convert_to_tensor([1.0], dtype_hint=tf.float64)", "tf.convert_to_tensor(np.ones(2), tf.float32)", "tf.convert_to_tensor([v, v])",
    "tf.dynamic_partition(f, [1, 0, 1], 2)", "tf.dynamic_stitch([[0, 2], [1]], [[1, 2], [3]])", "tf.ensure_shape(f, [None, 4])",
    "tf.expand_dims(f, 1)", "tf.expand_dims(i, -1)", "tf.expand_dims(1.0, 0)", "tf.eye(3)", "tf.eye(2, 3)", "tf.eye(2, batch_shape=[2], dtype=tf.int32)",
    "tf.fill([2, 3], 7)", "tf.fill([2], 1.5)", "tf.gather(f, [2, 0])", "tf.gather(f, [[1]], axis=1)", "tf.gather(i, 1)", "tf.gather(cube, [[0, 1], [2, 0]], batch_dims=1)",
    "tf.gather_nd(f, [[0, 1], [2, 3]])", "tf.gather_nd(cube, [[0, 1], [1, 2]])", "tf.gather_nd(cube, [[1], [2]], batch_dims=1)", "tf.gather(s, [1, 0])",
    "tf.histogram_fixed_width([0.1, 0.9, 0.5], [0.0, 1.0], nbins=4)", "tf.identity(f)", "tf.identity_n([f, i])", "tf.linspace(0.0, 1.0, 5)", "tf.linspace(1, 3, 3)",
    "tf.meshgrid([1, 2], [3, 4, 5])", "tf.meshgrid([1, 2], [3, 4, 5], indexing='ij')",
    "tf.one_hot([0, 2, -1, 5], 3)", "tf.one_hot(n, 4, axis=1)", "tf.one_hot([1], 2, on_value=5, off_value=-1)", "tf.one_hot([1], 2, dtype=tf.int32)", "tf.one_hot(1, 3)",
    "tf.ones([2, 3])", "tf.ones(2, tf.int32)", "tf.ones_like(f)", "tf.ones_like(i, tf.float32)", "tf.zeros((2, 1))", "tf.zeros([2], tf.bool)", "tf.zeros_like(b)", "tf.zeros_like([1, 2])", "tf.zeros([2], tf.string)", "tf.zeros([], tf.int64)",
    "tf.pad(f, [[1, 0], [0, 2]])", "tf.pad(i, [[1, 1], [0, 0]], constant_values=9)", "tf.pad(f, [[1, 1], [1, 1]], 'REFLECT')", "tf.pad(f, [[1, 1], [1, 1]], mode='SYMMETRIC')",
    "tf.range(5)", "tf.range(2, 9, 3)", "tf.range(0.0, 1.0, 0.25)", "tf.range(5, dtype=tf.int64)", "tf.range(3.0)", "tf.range(5, 0, -2)", "tf.range(tf.constant(3))",
    "tf.rank(cube)", "tf.repeat([1, 2], 2)", "tf.repeat(f, [1, 0, 2], axis=0)", "tf.repeat([[1, 2], [3, 4]], 2, axis=1)", "tf.repeat(3, 4)",
    "tf.reshape(f, [2, 6])", "tf.reshape(i, -1)", "tf.reshape(f, [-1, 2])", "tf.reshape(1.0, [1])", "tf.reshape(s, [3, 1])", "tf.reshape(f, (tf.shape(f)[1], -1))",
    "tf.reverse(f, [0])", "tf.reverse(i, axis=[0, 1])", "tf.reverse_sequence(i, [2, 3], seq_axis=1, batch_axis=0)", "tf.roll(f, 1, 0)", "tf.roll(f, shift=[1, -2], axis=[0, 1])",
    "tf.scatter_nd([[1], [3]], [5.0, 6.0], [4])", "tf.scatter_nd([[0], [0]], [1, 2], [2])", "tf.searchsorted([1.0, 3.0, 5.0], [3.0, 0.0])", "tf.searchsorted([1, 3, 3], [3, 4], side='right')",
    "tf.sequence_mask([1, 3, 2])", "tf.sequence_mask([1, 3], 4, tf.float32)", "tf.sequence_mask([[1], [2]], maxlen=2)",
    "tf.shape(cube)", "tf.shape(f, tf.int64)", "tf.shape(3)", "tf.shape_n([f, v])", "tf.size(f)", "tf.size([1, 2], out_type=tf.int64)", "tf.slice(f, [1, 0], [2, -1])",
    "tf.space_to_batch(image, [2, 2], [[0, 0], [0, 0]])", "tf.space_to_batch_nd(image, [2, 2], [[0, 0], [0, 0]])", "tf.batch_to_space(tf.reshape(tf.range(16.0), [4, 2, 2, 1]), [2, 2], [[0, 0], [0, 0]])",
    "tf.split(f, 2, axis=1)", "tf.split(f, [1, 3], 1)", "tf.split(i, 2)", "tf.squeeze(tf.ones([1, 3, 1]))", "tf.squeeze(tf.ones([1, 3, 1]), [0])", "tf.squeeze(tf.ones([1, 3, 1]), -1)",
    "tf.stack([f, g])", "tf.stack([f, g], axis=-1)", "tf.stack([1, 2, 3])", "tf.stack([s, s], 1)", "tf.stop_gradient(f)",
    "tf.strided_slice(f, [0, 1], [2, 4], [1, 2])", "tf.strided_slice(f, [0], [2])",
    *(f"tf.tensor_scatter_nd_{name}(f, [[0, 1], [2, 2]], [1.0, 2.0])" for name in "add max min sub update".split()),
    "tf.tensor_scatter_nd_update([1, 2, 3], [[1]], [9])", "tf.tensordot(f, g, [[1], [1]])", "tf.tensordot(f, m, 1)", "tf.tile(f, [2, 1])", "tf.tile([1, 2], [3])",
    "tf.transpose(f)", "tf.transpose(cube, [2, 0, 1])", "tf.transpose(i)", "tf.transpose([[z[0], z[1]]], conjugate=True)", "tf.truncatediv(i, j)", "tf.truncatemod(i, j)",
    "tf.unique([3, 1, 3, 2])", "tf.unique(s)", "tf.unique_with_counts([3, 1, 3])", "tf.unravel_index([5, 2], [2, 3])", "tf.unstack(f)", "tf.unstack(i, axis=1)",
    "tf.where(b)", "tf.where(f > 0)", "tf.where(b, i, j)", "tf.where(f > 0, f, 0.0)", "tf.where([True, False], 1, 2)", "tf.where(b, i, 0)",
    "tf.is_tensor(f)", "tf.is_tensor(3)", "tf.executing_eagerly()", "tf.get_static_value(i)",
    "tf.cond(tf.constant(True), lambda: f, lambda: g)", "tf.switch_case(tf.constant(1), [lambda: f, lambda: g])", "tf.case([(tf.constant(False), lambda: f)], default=lambda: g)",
    "tf.while_loop(lambda k, a: k < 3, lambda k, a: (k + 1, a * 2), [0, f])", "tf.map_fn(lambda r: r * 2, f)", "tf.map_fn(lambda r: tf.reduce_sum(r), i)", "tf.vectorized_map(lambda r: r * 2, f)",
    "tf.foldl(lambda a, r: a + r, f)", "tf.foldr(lambda a, r: a - r, i)", "tf.scan(lambda a, r: a + r, f)", "tf.scan(lambda a, r: a * 2 + r, tf.constant([1, 2, 3]), tf.constant(0))",
    "tf.py_function(lambda a: a * 2, [f], tf.float32)", "tf.numpy_function(lambda a: a + 1, [i], tf.int32)",
    "tf.linalg.adjoint(m)", "tf.linalg.band_part(m, 1, 0)", "tf.linalg.band_part(m, -1, 0)", "tf.linalg.cholesky(spd)", "tf.linalg.cross(f[:, :3], g[:, :3])", "tf.linalg.det(m)", "tf.linalg.diag(v)", "tf.linalg.diag(v, k=1)",
    "tf.linalg.diag_part(m)", "tf.linalg.eigvalsh(spd)", "tf.linalg.eigh(spd)[0]", "tf.linalg.expm(m / 4)", "tf.linalg.inv(m)", "tf.linalg.logdet(spd)", "tf.linalg.lstsq(m, m)", "tf.linalg.matrix_rank(m)",
    "tf.linalg.matrix_transpose(cube)", "tf.linalg.matvec(f, v)", "tf.linalg.norm(f)", "tf.norm(f, axis=1)", "tf.norm(f, ord=1)", "tf.norm(f, ord=np.inf, axis=0)", "tf.norm(f, ord='fro', axis=[0, 1])", "tf.norm(f, keepdims=True)",
    "tf.linalg.pinv(f)", "tf.abs(tf.linalg.qr(f)[1])", "tf.linalg.set_diag(m, v)", "tf.linalg.slogdet(m)", "tf.linalg.solve(m, m)", "tf.linalg.svd(f, compute_uv=False)", "tf.linalg.svd(f)[0]", "tf.linalg.tensor_diag(v)", "tf.linalg.tensor_diag_part(m)", "tf.linalg.trace(m)",
    "tf.linalg.triangular_solve(tf.linalg.band_part(m, -1, 0), m)", "tf.matmul(f, m)", "tf.matmul(f, g, transpose_b=True)", "tf.matmul(cube, tf.ones([2, 4, 1]))", "tf.matmul(i, j, transpose_a=True)", "tf.matmul([[1, 2]], [[3], [4]])",
    "tf.einsum('ij,kj->ik', f, g)", "tf.einsum('bij->bj', cube)",
    "tf.nn.avg_pool(image, 2, 2, 'VALID')", "tf.nn.avg_pool2d(image, [2, 2], [1, 1], 'SAME')", "tf.nn.max_pool(image, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')", "tf.nn.max_pool2d(image, 3, 1, 'VALID')", "tf.nn.max_pool1d(cube, 2, 1, 'VALID')", "tf.nn.avg_pool1d(cube, 2, 2, 'SAME')",
    "tf.nn.max_pool3d(image[:, :, :, None], [2, 2, 1], 2, 'SAME')", "tf.nn.avg_pool3d(image[:, :, :, None], [2, 2, 1], 2, 'VALID')",
    "tf.nn.batch_normalization(f, v, tf.abs(v), v, v, 1e-3)", "tf.nn.bias_add(f, v)", "tf.nn.conv1d(cube, tf.ones([2, 4, 3]), 1, 'SAME')", "tf.nn.conv2d(image, kernel, 1, 'SAME')", "tf.nn.conv2d(image, kernel, [1, 2, 2, 1], 'VALID')", "tf.nn.conv2d(image, kernel, [2, 1], padding='SAME', dilations=1)",
    "tf.nn.conv2d(image, kernel, 1, [[0, 0], [1, 2], [0, 1], [0, 0]])", "tf.nn.conv3d(image[:, :, :, None], kernel[:, :, None], [1] * 5, 'SAME')", "tf.nn.convolution(image, kernel)", "tf.nn.conv2d_transpose(image, tf.transpose(kernel, [0, 1, 3, 2]), [2, 12, 12, 3], 2)",
    "tf.nn.crelu(f)", "tf.nn.depth_to_space(tf.reshape(tf.range(16.0), [1, 2, 2, 4]), 2)", "tf.nn.space_to_depth(image, 2)", "tf.nn.depthwise_conv2d(image, kernel, [1, 1, 1, 1], 'SAME')", "tf.nn.elu(f)", "tf.nn.embedding_lookup(f, [2, 0])", "tf.nn.embedding_lookup(f, [2], max_norm=0.5)", "tf.nn.gelu(f)", "tf.nn.gelu(f, True)",
    "tf.nn.l2_loss(f)", "tf.nn.leaky_relu(f)", "tf.nn.leaky_relu(f, alpha=0.1)", "tf.nn.local_response_normalization(image, depth_radius=2)", "tf.nn.lrn(image)", "tf.nn.moments(f, [0])", "tf.nn.moments(cube, axes=[0, 1], keepdims=True)", "tf.nn.relu(f)", "tf.nn.relu(i)", "tf.nn.relu6(f * 5)", "tf.nn.selu(f)",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=p, logits=f)", "tf.nn.silu(f)", "tf.nn.swish(f, 2.0)", "tf.nn.softmax_cross_entropy_with_logits(labels=tf.nn.softmax(g), logits=f)", "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 3, 1], logits=f)", "tf.nn.weighted_cross_entropy_with_logits(p, f, 2.0)",
    "tf.nn.dropout(f, 0.0)", "tf.nn.ctc_loss([[1, 2]], tf.reshape(tf.range(12.0), [4, 1, 3]) / 10, [2], [4], blank_index=0)",
    "tf.bitwise.bitwise_and(i, j)", "tf.bitwise.bitwise_or(i, j)", "tf.bitwise.bitwise_xor(i, j)", "tf.bitwise.invert(u)", "tf.bitwise.left_shift(n, n)", "tf.bitwise.right_shift(n, n)",
    "tf.compat.as_bytes('a')", "tf.compat.as_str(b'a')", "tf.compat.as_text('a')", "tf.compat.as_str_any(3)",
    "tf.strings.lower(s, encoding='utf-8')", "tf.strings.upper(s)", "tf.strings.strip([' a '])", "tf.strings.length(s)", "tf.strings.length(s, unit='UTF8_CHAR')", "tf.strings.substr(s, 0, 2)", "tf.strings.join([s, s], separator='-')",
    "tf.strings.regex_replace(s, '[a-z]', '#')", "tf.strings.regex_full_match(s, '.*c')", "tf.strings.split('a b  c')", "tf.strings.split(s).to_list()", "tf.strings.split('a,b', sep=',')", "tf.strings.reduce_join(s)", "tf.strings.reduce_join([['a', 'b'], ['c', 'd']], axis=1, separator='_')",
    "tf.strings.to_number(['1.5', '2'])", "tf.strings.to_number(['3'], tf.int32)", "tf.strings.as_string(i)", "tf.strings.as_string([1.5], precision=2)", "tf.strings.to_hash_bucket_fast(s, 100)", "tf.strings.unicode_split('é f', 'UTF-8')", "tf.strings.bytes_split('abc')",
    "tf.ragged.constant([[1, 2], [3]]).to_list()",
    "tf.image.adjust_brightness(picture, 0.2)", "tf.image.adjust_brightness(bytes3, 0.1)", "tf.image.adjust_contrast(picture, 2.0)", "tf.image.adjust_contrast(bytes3, 0.5)", "tf.image.adjust_gamma(picture, 2.0)", "tf.image.adjust_hue(picture, 0.1)", "tf.image.adjust_saturation(picture, 0.5)",
    "tf.image.central_crop(picture, 0.5)", "tf.image.convert_image_dtype(bytes3, tf.float32)", "tf.image.convert_image_dtype(picture, tf.uint8)", "tf.image.convert_image_dtype(bytes3, tf.uint16)", "tf.image.convert_image_dtype(picture, tf.uint8, saturate=True)",
    "tf.image.crop_and_resize(picture[None], [[0.1, 0.2, 0.8, 0.9]], [0], [3, 3])", "tf.image.crop_to_bounding_box(picture, 1, 0, 2, 3)", "tf.image.pad_to_bounding_box(picture, 1, 2, 8, 9)", "tf.image.extract_patches(picture[None], [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], 'VALID')",
    "tf.image.flip_left_right(picture)", "tf.image.flip_up_down(bytes3)", "tf.image.grayscale_to_rgb(picture[..., :1])", "tf.image.hsv_to_rgb(picture)", "tf.image.rgb_to_hsv(picture)", "tf.image.rgb_to_grayscale(picture)", "tf.image.rgb_to_grayscale(bytes3)",
    "tf.image.non_max_suppression([[0.0, 0, 1, 1], [0, 0, 1, 0.9], [2, 2, 3, 3]], [0.9, 0.8, 0.7], 3)", "tf.image.per_image_standardization(bytes3)", "tf.image.per_image_standardization(picture)", "tf.image.psnr(picture, picture * 0.9, 1.0)",
    *(f"tf.image.resize(picture, [7, 3], method='{m}')" for m in "bilinear nearest bicubic area lanczos3 lanczos5 gaussian mitchellcubic".split()),
    "tf.image.resize(bytes3, [3, 3])", "tf.image.resize(bytes3, [3, 3], 'nearest')", "tf.image.resize(picture, (2, 3), antialias=True)", "tf.image.resize(picture[None], [5, 6])", "tf.image.resize(picture, [10, 3], preserve_aspect_ratio=True)", "tf.image.resize(bytes3, [2, 2], 'bicubic', antialias=True)",
    "tf.image.resize_with_crop_or_pad(picture, 3, 9)", "tf.image.resize_with_pad(picture, 8, 8)", "tf.image.rot90(picture)", "tf.image.rot90(bytes3, 3)", "tf.image.total_variation(picture)", "tf.image.transpose(picture)",
    "tf.io.decode_png(tf.io.encode_png(bytes3))", "tf.image.decode_image(tf.io.encode_png(bytes3))", "tf.io.decode_png(tf.io.encode_png(bytes3), channels=1).shape.as_list()", "tf.io.decode_jpeg(tf.io.encode_jpeg(bytes3)).shape.as_list()",
    "tf.io.decode_raw(tf.constant(b'abcd'), tf.uint8)", "tf.io.decode_raw([b'abcd'], tf.int16)", "tf.io.encode_base64('abc?>')", "tf.io.decode_base64('YWJjPz4')",
    "tf.debugging.Assert(True, [f])", "tf.debugging.assert_equal(i, i)", "tf.debugging.assert_greater(f, f - 1)", "tf.debugging.assert_greater_equal(f, f)", "tf.debugging.assert_less(f, 100.0)", "tf.debugging.assert_less_equal(i, 7)", "tf.debugging.assert_none_equal(i, 100)", "tf.debugging.assert_near(f, f + 1e-7)",
    "tf.debugging.assert_negative([-1])", "tf.debugging.assert_non_negative([0])", "tf.debugging.assert_non_positive([0])", "tf.debugging.assert_positive([1])", "tf.debugging.assert_integer(i)", "tf.debugging.assert_rank(f, 2)", "tf.debugging.assert_rank_at_least(f, 1)", "tf.debugging.assert_rank_in(f, [1, 2])", "tf.debugging.assert_scalar(3)", "tf.debugging.assert_shapes([(f, ('N', 4)), (g, ('N', 'M'))])", "tf.debugging.assert_type(f, tf.float32)", "tf.debugging.check_numerics(f, 'f')",
    "tf.signal.fft(z)", "tf.signal.ifft(z)", "tf.signal.fft2d([[z[0], z[1]]])", "tf.signal.ifft2d([[z[0], z[1]]])", "tf.nest.flatten([1, (2, {'a': 3})])", "tf.nest.map_structure(lambda x: x + 1, [1, 2])", "tf.nest.pack_sequence_as([0, (0, 0)], [1, 2, 3])",
    "f[0]", "f[:, 1:3]", "f[..., tf.newaxis].shape.as_list()", "f[-1, -2]", "i[::-1]", "f + 1", "2 * f", "i // 2", "i % 3", "-i", "f ** 2", "f / g", "f > g", "f == g", "i != j", "f @ m", "abs(i)", "~b", "b & c", "i + j", "w + 1", "d * 2.0", "u + 1", "i / 2", "len(f)", "int(i[0, 0])", "float(f[0, 0])",
]  # fmt: skip

# What TensorFlow refuses.
# Sounds, sparse tensors, sets, colours.
CASES += [
    "tf.signal.dct(f)", "tf.signal.idct(f)", "tf.signal.fft3d(tf.cast(cube, tf.complex64))",
    "tf.signal.ifft3d(tf.cast(cube, tf.complex64))", "tf.signal.fftshift(f)",
    "tf.signal.ifftshift(f)", "tf.signal.frame(f, 2, 1)", "tf.signal.stft(f, 4, 2)",
    "tf.signal.inverse_stft(tf.signal.stft(f, 4, 2), 4, 2)", "tf.signal.rfft(f)",
    "tf.signal.irfft(tf.signal.rfft(f))", "tf.signal.rfft2d(f)",
    "tf.signal.irfft2d(tf.signal.rfft2d(f))", "tf.signal.rfft3d(cube)",
    "tf.signal.irfft3d(tf.signal.rfft3d(cube))", "tf.signal.kaiser_window(5)",
    "tf.signal.vorbis_window(6)", "tf.signal.linear_to_mel_weight_matrix(4, 9)",
    "tf.signal.mfccs_from_log_mel_spectrograms(f)", "tf.signal.overlap_and_add(f, 2)",
    "tf.audio.decode_wav(tf.audio.encode_wav(p, 8000))[0]",
    "tf.sparse.to_dense(tf.sparse.from_dense(i))",
    "tf.sparse.reduce_sum(tf.sparse.from_dense(f), 1)",
    "tf.sparse.reduce_max(tf.sparse.from_dense(f), 0)",
    "tf.sparse.to_dense(tf.sets.union(i, j))", "tf.sparse.to_dense(tf.sets.intersection(i, j))",
    "tf.sparse.to_dense(tf.sets.difference(i, j))", "tf.sets.size(tf.sets.union(i, j))",
    "tf.image.rgb_to_yiq(picture)", "tf.image.yiq_to_rgb(picture)", "tf.image.rgb_to_yuv(picture)",
    "tf.image.yuv_to_rgb(picture)", "tf.image.sobel_edges(picture[None])",
    "tf.image.ssim(picture, picture * 0.9, 1.0, filter_size=3)",
    "list(tf.image.image_gradients(picture[None]))",
    "tf.image.draw_bounding_boxes(picture[None], [[[0.1, 0.2, 0.8, 0.9]]], [[1.0, 0.0, 0.0]])",
    "list(tf.image.non_max_suppression_with_scores([[0.0, 0, 1, 1], [0, 0.1, 1, 1]], [0.9, 0.8], 2))",
    "tf.image.extract_jpeg_shape(tf.io.encode_jpeg(bytes3))",
    "tf.shape(tf.image.decode_and_crop_jpeg(tf.io.encode_jpeg(bytes3), [1, 1, 2, 3]))",
    "tf.shape(tf.image.adjust_jpeg_quality(picture, 90))",
]  # fmt: skip

# More of math, nn, linalg, strings, ragged.
CASES += [
    "tf.math.approx_max_k(f, 2)", 
    "tf.math.bincount([1, 1, 3])", "tf.math.bincount(n, axis=-1)", "tf.math.bincount([0, 2], [0.5, 2.0], minlength=5)",
    "tf.math.bincount([1, 9, 3], maxlength=4, dtype=tf.int64)", "tf.math.bincount(n, minlength=4, binary_output=True, axis=-1)",
    "tf.math.erfcinv(p)", "tf.math.lbeta(p)", "tf.math.unsorted_segment_mean(f, [1, 0, 1], 3)",
    "tf.math.unsorted_segment_sqrt_n(f, [1, 0, 1], 2)", "tf.math.special.dawsn(f)", "tf.math.special.expint(p)",
    "tf.math.special.spence(p)", "tf.math.special.bessel_i0(f)",
    "tf.sort(tf.abs(tf.eigvals(spd)))", "tf.sort(tf.abs(tf.linalg.eig(spd)[0]))", "tf.guarantee_const(f)",
    "tf.histogram_fixed_width_bins([0.1, 0.9, 0.5, 7.0, -2.0], [0.0, 1.0], nbins=4)", "tf.inside_function()",
    "tf.is_symbolic_tensor(f)", "tf.matrix_square_root(spd)", "tf.linalg.sqrtm(spd)", 
    "tf.realdiv(f, g)", "tf.grad_pass_through(tf.square)(f)", "tf.broadcast_static_shape(tf.TensorShape([2, 1]), tf.TensorShape([1, None])).as_list()",
    "tf.tuple([f, i])", "tf.type_spec_from_value(f).shape.as_list()", "tf.make_ndarray(tf.make_tensor_proto([1.0, 2.0]))",
    "tf.edit_distance(tf.sparse.from_dense([[1, 2, 3]]), tf.sparse.from_dense([[1, 3, 3, 4]]))",
    "tf.edit_distance(tf.sparse.from_dense([[1, 2], [3, 0]]), tf.sparse.from_dense([[1, 0], [4, 5]]), normalize=False)",
    "tf.nn.atrous_conv2d(image, kernel, 2, 'SAME')", "tf.nn.compute_average_loss(v)",
    "tf.nn.compute_average_loss(v, sample_weight=[1.0, 0.0, 2.0, 1.0])", "tf.nn.compute_average_loss(v, global_batch_size=8)",
    "tf.nn.compute_average_loss(f, sample_weight=[1.0, 0.0, 2.0])", "tf.nn.scale_regularization_loss(v)",
    "tf.nn.conv1d_transpose(cube, tf.ones([2, 3, 4]), [2, 6, 3], 2)", "tf.nn.conv1d_transpose(cube, tf.ones([2, 3, 4]), [2, 4, 3], 1, 'VALID')",
    "tf.nn.conv3d_transpose(image[:, :, :, None], tf.transpose(kernel, [0, 1, 3, 2])[:, :, None], [2, 12, 12, 2, 3], [1, 2, 2, 2, 1])",
    "tf.nn.conv_transpose(image, tf.transpose(kernel, [0, 1, 3, 2]), [2, 12, 12, 3], 2)",
    "tf.nn.ctc_greedy_decoder(tf.reshape(tf.tile([0.1, 2.0, 0.3, 0.2, 0.1, 3.0], [4]), [8, 1, 3]), [6])[1]",
    "tf.sparse.to_dense(tf.nn.ctc_greedy_decoder(tf.reshape(tf.tile([0.1, 2.0, 0.3, 0.2, 0.1, 3.0], [4]), [8, 1, 3]), [6])[0][0])",
    "tf.sparse.to_dense(tf.nn.ctc_beam_search_decoder(tf.reshape(tf.tile([0.1, 2.0, 0.3, 0.2, 0.1, 3.0], [4]), [8, 1, 3]), [6], 10, 1)[0][0])",
    "tf.nn.ctc_beam_search_decoder(tf.reshape(tf.tile([0.1, 2.0, 0.3, 0.2, 0.1, 3.0], [4]), [8, 1, 3]), [6], 10, 2)[1]",
    "tf.nn.dilation2d(image, kernel[..., 0], [1, 1, 1, 1], 'SAME', 'NHWC', [1, 1, 1, 1])",
    "tf.nn.erosion2d(image, kernel[..., 0], [1, 2, 2, 1], 'VALID', 'NHWC', [1, 1, 1, 1])",
    *(f"tf.nn.embedding_lookup_sparse(m, tf.sparse.from_dense([[1, 2], [3, 0]]), tf.sparse.from_dense([[0.5, 2.0], [1.5, 0.0]]), combiner='{c}')" for c in "sum mean sqrtn".split()),
    "tf.nn.embedding_lookup_sparse(m, tf.sparse.from_dense([[1, 2], [3, 0]]), None, combiner='mean')",
    "tf.nn.safe_embedding_lookup_sparse(m, tf.sparse.from_dense([[1, 2], [0, 0], [3, -1]]))",
    "tf.nn.safe_embedding_lookup_sparse(m, tf.sparse.from_dense([[1, 2], [0, 0]]), default_id=1, combiner='sum')",
    "tf.nn.log_poisson_loss(p * 4, f)", "tf.nn.log_poisson_loss(p * 4, f, compute_full_loss=True)",
    "tf.nn.max_pool_with_argmax(image, 2, 2, 'SAME')", "tf.nn.max_pool_with_argmax(image, [1, 3, 3, 1], [1, 1, 1, 1], 'VALID', include_batch_in_index=True)",
    "tf.nn.normalize_moments(3.0, v, v * v * 2, None)", "tf.nn.normalize_moments(3.0, v, v * v * 2, 0.5)",
    "tf.nn.pool(image, [2, 2], 'MAX')", "tf.nn.pool(image, [2, 2], 'AVG', strides=[2, 2], padding='SAME')",
    "tf.nn.separable_conv2d(image, kernel, tf.ones([1, 1, 6, 2]), [1, 2, 2, 1], 'SAME')",
    "tf.nn.sufficient_statistics(f, [0])[:3]", "tf.nn.sufficient_statistics(f, [0, 1], 0.5, keepdims=True)[:3]",
    "tf.nn.weighted_moments(f, [0], p)", "tf.nn.weighted_moments(f, [1], p, keepdims=True)",
    "tf.linalg.cholesky_solve(tf.linalg.cholesky(spd), m)", "tf.linalg.eigh_tridiagonal(v, v[:3])",
    "tf.linalg.logm(tf.cast(spd, tf.complex64))", "tf.linalg.lu(m)[0]", "tf.linalg.lu(m)[1]", "tf.linalg.lu_reconstruct(*tf.linalg.lu(m))",
    "tf.linalg.lu_solve(*tf.linalg.lu(m), m[:, :2])", "tf.linalg.lu_matrix_inverse(*tf.linalg.lu(m))", "tf.linalg.normalize(f, axis=1)",
    "tf.linalg.tridiagonal_matmul(f, m)", "tf.linalg.tridiagonal_matmul(m, m, diagonals_format='matrix')",
    "tf.linalg.tridiagonal_solve(tf.stack([v, v + 5, v]), v)", "tf.linalg.tridiagonal_solve((v, v + 5, v), m, diagonals_format='sequence')",
    "tf.strings.format('a {} b {}', [i, s])", "tf.strings.format('{}', tf.range(20))", "tf.strings.format('{}', cube)", "tf.strings.format('{}', [s[0]])", "tf.strings.format('{}{}{}', [d, d[0], f[0, 0]])", "tf.strings.format('{}', u)", "tf.strings.format('{}', tf.reshape(tf.range(24), [2, 3, 2, 2]))", "tf.strings.format('{}', [tf.constant([1 / 3, 1e10, -0.0, np.nan, np.inf, 1e-5, 123456.7])], summarize=-1)", "tf.strings.format('{}', tf.reshape(tf.range(80), [8, 10]), summarize=2)", "tf.strings.format('{}', b)",
    "tf.strings.ngrams(s, 2)", "tf.strings.ngrams(tf.strings.split(['a b c', 'd']), [1, 2], separator='_').to_list()",
    "tf.strings.ngrams(s, 2, pad_values=('<', '>'))", "tf.strings.ngrams(tf.strings.split(['a b c', 'd']), 3, pad_values='#', padding_width=1).to_list()",
    "tf.strings.ngrams(tf.strings.split(['a b c', 'd']), 2, preserve_short_sequences=True).to_list()",
    "tf.strings.to_hash_bucket_strong(s, 100, key=[1, 2])", "tf.strings.unicode_decode('é f', 'UTF-8')", "tf.strings.unicode_decode(s, 'UTF-8').to_list()",
    "tf.strings.unicode_decode_with_offsets('é f', 'UTF-8')", "tf.strings.unicode_split_with_offsets('é f', 'UTF-8')",
    "tf.strings.unicode_encode([233, 32], 'UTF-8')", "tf.strings.unicode_encode(tf.ragged.constant([[97], [98, 99]]), 'UTF-8')", "tf.strings.unicode_encode([[97, 98], [98, 99]], 'UTF-8')",
    "tf.strings.unicode_transcode(s, 'UTF-8', 'UTF-16-BE')[0]", "tf.strings.unsorted_segment_join(s, [1, 0, 1], 2, separator='-')",
    "tf.ragged.range(3, [5, 3, 6]).to_list()", "tf.ragged.range([2, 3]).to_list()", "tf.ragged.stack([[1, 2], [3]]).to_list()",
    "tf.ragged.boolean_mask([[1, 2, 3], [4, 5, 6]], [[True, False, True], [False, False, True]]).to_list()",
    "tf.ragged.boolean_mask(tf.ragged.constant([[1, 2], [3]]), tf.ragged.constant([[False, True], [True]])).to_list()",
    "tf.ragged.map_flat_values(lambda x: x * 2, tf.ragged.constant([[1, 2], [3]])).to_list()", "tf.ragged.row_splits_to_segment_ids([0, 2, 2, 3])",
    "tf.ragged.segment_ids_to_row_splits([0, 0, 2])", "tf.ragged.stack_dynamic_partitions([1, 2, 3], [1, 0, 1], 3).to_list()",
    "tf.sparse.to_dense(tf.sparse.maximum(tf.sparse.from_dense(i), tf.sparse.from_dense(j)))", "tf.sparse.to_dense(tf.sparse.minimum(tf.sparse.from_dense(i), tf.sparse.from_dense(j)))",
    *(f"tf.sparse.segment_{name}(f, [0, 2, 1], [0, 0, 1])" for name in "mean sqrt_n sum".split()), "tf.sparse.segment_sum(f, [0, 2, 1], [0, 0, 2], num_segments=4)",
    "[x for x in tf.data.experimental.Counter().take(3).as_numpy_iterator()]", "list(tf.data.experimental.from_list([(1, 2.0), (3, 4.0)]).as_numpy_iterator())",
    "tf.nest.is_nested([1])", "tf.compat.dimension_value(3)", "tf.debugging.is_numeric_tensor(i)", "tf.sysconfig.get_build_info()['is_rocm_build']",
    "tf.compat.v1.math.abs(f)", "tf.compat.v1.nn.relu6(f)", "tf.compat.v1.concat([f, g], 0)", "tf.compat.forward_compatible(2020, 1, 1)",
    "tf.compat.v1.disable_v2_tensorshape()", "tf.compat.v1.enable_v2_tensorshape()", "tf.compat.v1.enable_resource_variables()",
]  # fmt: skip

REFUSED: list[str] = [
    "tf.debugging.assert_equal(i, j)", "tf.debugging.assert_positive(f)", "tf.debugging.assert_rank(f, 3)", "tf.debugging.assert_shapes([(f, ('N', 'N'))])", "tf.debugging.Assert(False, [f])", "tf.debugging.check_numerics([np.nan], 'x')",
    "tf.image.resize(v, [2, 2])", "tf.image.crop_to_bounding_box(picture, 3, 0, 2, 3)", "tf.image.resize(picture, [2, 2], 'cubic')", "tf.strings.to_number(['x'])", "tf.io.decode_png(b'no')",
    "tf.add(f, i)", "tf.constant(1.5, tf.int32)", "tf.constant([1, [2]])", "tf.reshape(f, [5])", "tf.concat([f, v], 0)", "tf.matmul(f, f)", "tf.gather(f, [3])",
    "f[3]", "tf.stack([f, v])", "tf.ensure_shape(f, [2, 4])", "tf.math.reduce_std(i)", "tf.split(f, 3, axis=1)", "tf.squeeze(f, 0)",
    "tf.convert_to_tensor(f, tf.int32)", "tf.unstack(f, num=2)", "tf.where(b, i)", "tf.constant(None)", "tf.math.confusion_matrix([3], [0], num_classes=2)", "tf.ones([-1])",
    "tf.broadcast_static_shape(tf.TensorShape([2]), tf.TensorShape([3]))", "tf.nest.assert_same_structure([1], [1, 2])", "tf.nn.compute_average_loss(3.0)", "tf.nn.embedding_lookup_sparse(m, [1], None)",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=v, logits=f)", "tf.broadcast_to(f, [2, 4])", "tf.linalg.cholesky(f)", "tf.clip_by_value(i, 0.5, 1.5)", "tf.reduce_summ(f)",
]  # fmt: skip


def parts(value: Any) -> list[Any]:
    """The arrays of a result."""
    if isinstance(value, list | tuple) and not hasattr(value, "dtype"):
        return [part for item in value for part in parts(item)]
    if isinstance(value, dict):
        return [part for item in value.values() for part in parts(item)]
    return [value.numpy() if hasattr(value, "numpy") else value]
