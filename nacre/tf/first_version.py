"""`tf.compat.v1`: functions whose arguments the second version of TensorFlow renamed or moved.

Each brings its arguments into the order of the one that is here, and calls that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.data.dataset.elements import sealed
from nacre.export.importers.tensorflow.values import of_bytes
from nacre.tf.values import tensor


def _now(path: str) -> Any:
    from nacre.tf.namespaces import find

    module, _, name = path.rpartition(".")
    return find(module, name)


def _one_of(who: str, **given: Any) -> Any:
    """What was passed under one of several names of an argument."""
    found = [value for value in given.values() if value is not None]
    if len(found) != 1:
        got = ", ".join(name for name, value in given.items() if value is not None) or "none"
        rule = f"one of {', '.join(given)} must be passed"
        raise ArgumentError(message(f"tf.compat.v1.{who}", rule, got))
    return found[0]


def _either(first: Any, second: Any) -> Any:
    return second if first is None else first


# --- places of variables


def _scatter(method: str, *, in_rows: bool) -> Callable[..., Any]:
    def scatter(ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: Any = None):
        if in_rows:
            getattr(ref, method)(_now("IndexedSlices")(updates, indices))
        else:
            getattr(ref, method)(indices, updates)
        return ref

    scatter.__doc__ = f"`Variable.{method}`, and the variable."
    scatter.__name__ = method
    return scatter


scatter_add = _scatter("scatter_add", in_rows=True)
scatter_div = _scatter("scatter_div", in_rows=True)
scatter_max = _scatter("scatter_max", in_rows=True)
scatter_min = _scatter("scatter_min", in_rows=True)
scatter_mul = _scatter("scatter_mul", in_rows=True)
scatter_sub = _scatter("scatter_sub", in_rows=True)
scatter_update = _scatter("scatter_update", in_rows=True)
scatter_nd_add = _scatter("scatter_nd_add", in_rows=False)
scatter_nd_sub = _scatter("scatter_nd_sub", in_rows=False)
scatter_nd_update = _scatter("scatter_nd_update", in_rows=False)


# --- tensors


def shape(input: Any, name: Any = None, out_type: Any = "int32") -> Any:
    """The shape."""
    return _now("shape")(input, out_type)


def size(input: Any, name: Any = None, out_type: Any = "int32") -> Any:
    """How many there are."""
    return _now("size")(input, out_type)


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    name: Any = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Any:
    """Rows, by number."""
    return _now("gather")(params, indices, axis=axis, batch_dims=batch_dims)


def gather_nd(params: Any, indices: Any, name: Any = None, batch_dims: int = 0) -> Any:
    """What lies at places."""
    return _now("gather_nd")(params, indices, batch_dims=batch_dims)


def transpose(a: Any, perm: Any = None, name: Any = None, conjugate: bool = False) -> Any:
    """Axes in another order."""
    return _now("transpose")(a, perm, conjugate)


def expand_dims(input: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Any:
    """One more axis of size 1."""
    return _now("expand_dims")(input, _one_of("expand_dims", axis=axis, dim=dim))


def boolean_mask(tensor: Any, mask: Any, name: Any = None, axis: Any = None) -> Any:
    """What a mask lets through."""
    return _now("boolean_mask")(tensor, mask, axis)


def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """Places that hold, or of two tensors of one shape what holds; a row of truths picks rows."""
    if x is None and y is None:
        return _now("where")(condition)
    condition, x, y = tensor(condition), tensor(x), tensor(y)
    if condition.ndim == 1 and len(x.shape) > 1:
        condition = _now("reshape")(condition, [-1] + [1] * (len(x.shape) - 1))
    elif tuple(condition.shape) != tuple(x.shape):
        rule = "the condition must have the tensors' shape, or be a row"
        got = f"shapes {tuple(condition.shape)} and {tuple(x.shape)}"
        raise ArgumentError(message("tf.compat.v1.where", rule, got, "Use tf.where."))
    return _now("where")(condition, x, y)


def zeros_like(tensor: Any, dtype: Any = None, name: Any = None, optimize: bool = True) -> Any:
    """Zeros of its shape."""
    return _now("zeros_like")(tensor, dtype)


def ones_like(tensor: Any, dtype: Any = None, name: Any = None, optimize: bool = True) -> Any:
    """Ones of its shape."""
    return _now("ones_like")(tensor, dtype)


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: Any = None,
    preferred_dtype: Any = None,
    dtype_hint: Any = None,
) -> Any:
    """A tensor of it."""
    return _now("convert_to_tensor")(value, dtype, _either(dtype_hint, preferred_dtype))


def constant(
    value: Any, dtype: Any = None, shape: Any = None, name: Any = None, verify_shape: bool = False
) -> Any:
    """A tensor of it."""
    return _now("constant")(value, dtype, shape)


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: Any = None,
    constant_values: Any = 0,
) -> Any:
    """More of it on all sides."""
    return _now("pad")(tensor, paddings, mode, constant_values)


def div(x: Any, y: Any, name: Any = None) -> Any:
    """`x / y`; of whole numbers `x // y`."""
    is_inexact = str(tensor(x).dtype).startswith(("float", "bfloat", "complex"))
    return _now("math.divide" if is_inexact else "math.floordiv")(x, y)


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: Any = None,
    name: Any = None,
    keep_dims: Any = None,
) -> Any:
    """Lengths of vectors, or of matrices."""
    return _now("norm")(tensor, ord, axis, bool(_either(keepdims, keep_dims)))


def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: Any = None,
    dtype: Any = "int64",
    name: Any = None,
    reduction_indices: Any = None,
    keep_dims: Any = None,
    input: Any = None,
) -> Any:
    """How many are not 0."""
    given = _one_of("count_nonzero", input=input, input_tensor=input_tensor)
    axis, keepdims = _either(axis, reduction_indices), bool(_either(keepdims, keep_dims))
    return _now("math.count_nonzero")(given, axis, keepdims, dtype)


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    dtype: Any = "int32",
    name: Any = None,
    weights: Any = None,
) -> Any:
    """How often each class was taken for each."""
    return _now("math.confusion_matrix")(labels, predictions, num_classes, weights, dtype)


def arg_max(input: Any, dimension: Any, output_type: Any = "int64", name: Any = None) -> Any:
    """Where the largest is."""
    return _now("argmax")(input, dimension, output_type)


def arg_min(input: Any, dimension: Any, output_type: Any = "int64", name: Any = None) -> Any:
    """Where the smallest is."""
    return _now("argmin")(input, dimension, output_type)


def depth_to_space(input: Any, block_size: int, name: Any = None, data_format: str = "NHWC") -> Any:
    """Channels laid out as pixels."""
    return _now("nn.depth_to_space")(input, block_size, data_format)


def space_to_depth(input: Any, block_size: int, name: Any = None, data_format: str = "NHWC") -> Any:
    """Pixels laid out as channels."""
    return _now("nn.space_to_depth")(input, block_size, data_format)


def multinomial(
    logits: Any, num_samples: Any, seed: Any = None, name: Any = None, output_dtype: Any = None
) -> Any:
    """Classes drawn."""
    return _now("random.categorical")(logits, num_samples, output_dtype or "int64", seed)


# --- control


def cond(
    pred: Any,
    true_fn: Any = None,
    false_fn: Any = None,
    strict: bool = False,
    name: Any = None,
    fn1: Any = None,
    fn2: Any = None,
) -> Any:
    """One of two functions' values."""
    chosen = _one_of("cond", true_fn=true_fn, fn1=fn1), _one_of("cond", false_fn=false_fn, fn2=fn2)
    return _now("cond")(pred, *chosen)


def py_func(func: Any, inp: Any, Tout: Any, stateful: bool = True, name: Any = None) -> Any:
    """A function of arrays of NumPy's."""
    return _now("numpy_function")(func, inp, Tout)


def name_scope(name: Any, default_name: Any = None, values: Any = None) -> Any:
    """Names begin with this."""
    return _now("name_scope")(_one_of("name_scope", name=_either(name, default_name)))


def make_one_shot_iterator(dataset: Any) -> Any:
    """What goes through a data set once."""
    return iter(dataset)


# --- texts


def string_split(
    source: Any,
    sep: Any = None,
    skip_empty: bool = True,
    delimiter: Any = None,
    result_type: str = "SparseTensor",
    name: Any = None,
) -> Any:
    """Parts of texts, sparse: each character of the delimiter parts them, none parts all."""
    marks = tensor(" " if sep is None and delimiter is None else _either(delimiter, sep)).item()
    rows = [_parts(text, marks) for text in np.ravel(np.asarray(tensor(source))).tolist()]
    if skip_empty:
        rows = [[part for part in row if part] for row in rows]
    return _sparse_or_ragged(rows, result_type)


def _parts(text: bytes, marks: bytes) -> list[bytes]:
    if not marks:
        return [text[place : place + 1] for place in range(len(text))]
    for mark in marks[1:]:
        text = text.replace(bytes([mark]), marks[:1])
    return text.split(marks[:1])


def _sparse_or_ragged(rows: list[list[bytes]], result_type: str) -> Any:
    flat = [part for row in rows for part in row]
    values = sealed(of_bytes(flat, (len(flat),)))
    lengths = [len(row) for row in rows]
    if result_type == "RaggedTensor":
        return _now("RaggedTensor").from_row_lengths(values, lengths)
    places = [(number, place) for number, length in enumerate(lengths) for place in range(length)]
    indices = np.array(places, np.int64).reshape(-1, 2)
    return _now("sparse.SparseTensor")(indices, values, (len(rows), max(lengths, default=0)))


def strings_split(
    input: Any = None,
    sep: Any = None,
    maxsplit: int = -1,
    result_type: str = "SparseTensor",
    source: Any = None,
    name: Any = None,
) -> Any:
    """Parts of texts, sparse unless ragged is asked for."""
    found = _now("strings.split")(
        _one_of("strings.split", input=input, source=source), sep, maxsplit
    )
    return found if result_type == "RaggedTensor" else found.to_sparse()


def string_to_number(
    string_tensor: Any = None, out_type: Any = "float32", name: Any = None, input: Any = None
) -> Any:
    """Numbers of texts."""
    given = _one_of("string_to_number", string_tensor=string_tensor, input=input)
    return _now("strings.to_number")(given, out_type)


def string_length(input: Any, name: Any = None, unit: str = "BYTE") -> Any:
    """How long texts are."""
    return _now("strings.length")(input, unit)


def substr(input: Any, pos: Any, len: Any, name: Any = None, unit: str = "BYTE") -> Any:
    """Parts of texts, by place and length."""
    return _now("strings.substr")(input, pos, len, unit)


def decode_raw(
    input_bytes: Any = None,
    out_type: Any = None,
    little_endian: bool = True,
    name: Any = None,
    bytes: Any = None,
) -> Any:
    """Numbers, of their bytes."""
    given = _one_of("decode_raw", input_bytes=input_bytes, bytes=bytes)
    return _now("io.decode_raw")(given, out_type, little_endian)


def parse_example(
    serialized: Any, features: Any, name: Any = None, example_names: Any = None
) -> Any:
    """Features of serialized examples."""
    return _now("io.parse_example")(serialized, features)


def parse_single_example(
    serialized: Any, features: Any, name: Any = None, example_names: Any = None
) -> Any:
    """Features of one serialized example."""
    return _now("io.parse_single_example")(serialized, features)


# --- networks


def softmax(logits: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Any:
    """Shares."""
    return _now("nn.softmax")(logits, _either(_either(axis, dim), -1))


def log_softmax(logits: Any, axis: Any = None, name: Any = None, dim: Any = None) -> Any:
    """Logarithms of shares."""
    return _now("nn.log_softmax")(logits, _either(_either(axis, dim), -1))


def softmax_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, dim: int = -1, name: Any = None, axis: Any = None
) -> Any:
    """Cross-entropy of shares; nothing flows back to the labels."""
    labels = _now("stop_gradient")(labels)
    return _now("nn.softmax_cross_entropy_with_logits")(labels, logits, _either(axis, dim))


def softmax_cross_entropy_with_logits_v2(
    labels: Any, logits: Any, axis: Any = None, name: Any = None, dim: Any = None
) -> Any:
    """Cross-entropy of shares."""
    axis = _either(_either(axis, dim), -1)
    return _now("nn.softmax_cross_entropy_with_logits")(labels, logits, axis)


def sigmoid_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: Any = None
) -> Any:
    """Cross-entropy of single probabilities."""
    return _now("nn.sigmoid_cross_entropy_with_logits")(labels, logits)


def sparse_softmax_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: Any = None
) -> Any:
    """Cross-entropy of shares, for numbers of classes."""
    return _now("nn.sparse_softmax_cross_entropy_with_logits")(labels, logits)


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: Any = None,
    name: Any = None,
    rate: Any = None,
) -> Any:
    """Some set to 0, the rest larger."""
    _one_of("nn.dropout", keep_prob=keep_prob, rate=rate)
    rate = 1 - keep_prob if rate is None else rate
    return _now("nn.dropout")(x, rate, noise_shape, seed)


def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: Any = None,
    keep_dims: Any = None,
    keepdims: Any = None,
) -> Any:
    """Mean and variance."""
    return _now("nn.moments")(x, axes, keepdims=bool(_either(keepdims, keep_dims)))


def max_pool(
    value: Any = None,
    ksize: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str = "NHWC",
    name: Any = None,
    input: Any = None,
) -> Any:
    """The largest of each window."""
    given = _one_of("nn.max_pool", value=value, input=input)
    return _now("nn.max_pool")(given, ksize, strides, padding, data_format)


def avg_pool(
    value: Any = None,
    ksize: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str = "NHWC",
    name: Any = None,
    input: Any = None,
) -> Any:
    """The mean of each window."""
    given = _one_of("nn.avg_pool", value=value, input=input)
    return _now("nn.avg_pool")(given, ksize, strides, padding, data_format)


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: Any = None,
    filters: Any = None,
) -> Any:
    """A convolution of pictures."""
    filters = _one_of("nn.conv2d", filter=filter, filters=filters)
    return _now("nn.conv2d")(input, filters, strides, padding, data_format, list(dilations))


def xw_plus_b(x: Any, weights: Any, biases: Any, name: Any = None) -> Any:
    """`x @ weights + biases`."""
    return _now("nn.bias_add")(_now("matmul")(x, weights), biases)


def in_top_k(predictions: Any, targets: Any, k: int, name: Any = None) -> Any:
    """Whether the class is among the `k` likeliest."""
    return _now("math.in_top_k")(targets, predictions, k)


# --- initializers: their `dtype` is that of the variable


def _drawn(name: str, **first: Any) -> Callable[..., Any]:
    names = [*first, "seed", "dtype"]

    def initializer(*values: Any, **others: Any) -> Any:
        given = {**first, "seed": None, **dict(zip(names, values, strict=False)), **others}
        given.pop("dtype", None)
        return _now(f"keras.initializers.{name}")(**given)

    initializer.__doc__ = f"`tf.keras.initializers.{name}`."
    return initializer


truncated_normal_initializer = _drawn("TruncatedNormal", mean=0.0, stddev=1.0)
random_normal_initializer = _drawn("RandomNormal", mean=0.0, stddev=1.0)
random_uniform_initializer = _drawn("RandomUniform", minval=0.0, maxval=1.0)
orthogonal_initializer = _drawn("Orthogonal", gain=1.0)
glorot_uniform_initializer = _drawn("GlorotUniform")
glorot_normal_initializer = _drawn("GlorotNormal")
variance_scaling_initializer = _drawn(
    "VarianceScaling", scale=1.0, mode="fan_in", distribution="truncated_normal"
)


def zeros_initializer(dtype: Any = "float32") -> Any:
    """Zeros."""
    return _now("keras.initializers.Zeros")()


def ones_initializer(dtype: Any = "float32") -> Any:
    """Ones."""
    return _now("keras.initializers.Ones")()


def constant_initializer(value: Any = 0, dtype: Any = "float32", verify_shape: bool = False) -> Any:
    """One value, or those of an array."""
    return _now("constant_initializer")(value)


# --- losses: weighted sums, over how many weights are not 0


def _mean_of(losses: Any, weights: Any) -> Any:
    weights = _now("cast")(weights, losses.dtype)
    missing = len(losses.shape) - len(weights.shape)
    if missing > 0 and len(weights.shape) > 0:
        weights = _now("reshape")(weights, [*weights.shape, *[1] * missing])
    broadcast = weights * _now("ones_like")(losses)
    count = _now("reduce_sum")(_now("cast")(_now("not_equal")(broadcast, 0.0), losses.dtype))
    return _now("math.divide_no_nan")(_now("reduce_sum")(losses * broadcast), count)


def _loss(name: str, formula: Callable[..., Any]) -> Callable[..., Any]:
    def loss(
        labels: Any,
        predictions: Any,
        weights: Any = 1.0,
        scope: Any = None,
        loss_collection: Any = None,
        reduction: str = "weighted_sum_by_nonzero_weights",
    ) -> Any:
        if reduction != "weighted_sum_by_nonzero_weights":
            rule = "the sum is divided by how many weights are not 0"
            fix = "Use the class of tf.keras.losses, with its `reduction`."
            raise ArgumentError(message(f"tf.compat.v1.losses.{name}", rule, reduction, fix))
        predictions = _now("cast")(predictions, "float32")
        labels = _now("cast")(labels, "float32")
        if tuple(labels.shape) != tuple(predictions.shape):
            rule = f"labels must have the predictions' shape {tuple(predictions.shape)}"
            got = f"shape {tuple(labels.shape)}"
            raise ArgumentError(message(f"tf.compat.v1.losses.{name}", rule, got))
        return _mean_of(formula(labels, predictions), weights)

    loss.__name__, loss.__doc__ = name, "The mean over all that weigh something."
    return loss


mean_squared_error = _loss("mean_squared_error", lambda a, b: (b - a) ** 2)
absolute_difference = _loss("absolute_difference", lambda a, b: _now("abs")(b - a))
