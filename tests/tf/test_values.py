"""What scripts ask of a tensor."""

from __future__ import annotations

import functools
import operator
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import (
    ArgumentError,
    DTypeError,
    PositionError,
    SerializationError,
    ShapeError,
)


def test_numpy_gives_an_array_of_its_own() -> None:
    x = tf.constant([[1.0, 2.0]])
    array = x.numpy()
    array[0, 0] = 5
    assert type(array) is np.ndarray and x.numpy().tolist() == [[1.0, 2.0]]
    assert tf.reduce_sum(x).numpy() == np.float32(3)


def test_shapes_are_tuples_that_answer_questions() -> None:
    shape = tf.zeros([2, 3]).shape
    assert shape == (2, 3) and shape == [2, 3] and hash(shape) == hash((2, 3))
    assert shape.as_list() == [2, 3] and shape.rank == shape.ndims == 2
    assert shape[1:].as_list() == [3] and (shape + [4]).as_list() == [2, 3, 4]
    assert tf.zeros([2]).get_shape().num_elements() == 2
    assert tf.keras.Input((4,)).shape.as_list() == [None, 4]


@pytest.mark.parametrize(
    "dtype", "float32 float16 bfloat16 float64 int8 uint8 int32 int64 bool string".split()
)
def test_dtypes_are_equal_to_all_their_spellings(dtype: str) -> None:
    x = tf.constant("a") if dtype == "string" else tf.zeros([1], dtype)
    assert tf.as_dtype(x.dtype) is getattr(tf, dtype)
    if dtype != "string":
        assert x.dtype == getattr(tf, dtype) and getattr(tf, dtype) == x.dtype
        assert x.dtype.name == dtype and getattr(tf, dtype).name == dtype


def test_dtypes_tell_of_themselves() -> None:
    assert tf.float32.is_floating and not tf.int64.is_floating and tf.int64.is_integer
    assert tf.float32.as_numpy_dtype is np.float32 and tf.uint8.max == 255
    assert repr(tf.float32) == "tf.float32" and str(tf.float32) == "<dtype: 'float32'>"
    assert tf.float32 != tf.float64 and tf.float32 != 3 and tf.float32 is not None


def test_whole_numbers_of_64_bits_and_doubles_stay_exact_on_the_host() -> None:
    wide = tf.constant(np.array([2**62 + 1]))
    assert wide.dtype == tf.int64 and (wide + 1).numpy().tolist() == [2**62 + 2]
    assert tf.constant(2**40).dtype == tf.int64
    double = tf.constant(np.array([0.1]))
    assert double.dtype == tf.float64 and double.numpy()[0] == 0.1


def test_python_numbers_become_32_bits() -> None:
    assert tf.constant(3).dtype == tf.int32 and tf.constant([1, 2.5]).dtype == tf.float32
    assert tf.constant(True).dtype == tf.bool


def test_strings_are_bytes() -> None:
    words = tf.constant(["a", "é"])
    assert words.numpy().tolist() == [b"a", "é".encode()] and words[0].numpy() == b"a"
    assert bool(words[0] == "a")


def test_strings_keep_zero_bytes_at_their_ends() -> None:
    assert tf.constant("a\0").numpy() == b"a\x00"
    assert tf.constant([["a\0\0"], ["b"]]).numpy().tolist() == [[b"a\x00\x00"], [b"b"]]
    assert tf.io.decode_raw(b"\x01\x00", tf.uint8).numpy().tolist() == [1, 0]


def test_numbers_among_strings_are_refused() -> None:
    for make in (tf.constant, lambda rows: tf.ragged.constant([rows, []])):
        with pytest.raises(ValueError, match=r"strings throughout. Got int and str"):
            make([1, "a"])


def test_a_tensor_within_a_text_is_its_numbers() -> None:
    told = f"{tf.constant([1, 2])} {tf.constant(2.5)} {tf.constant(3):3d} {tf.constant('a')}"
    assert told == "[1 2] 2.5   3 b'a'"
    assert "%s" % tf.constant([1]) == "tf.Tensor([1], shape=(1,), dtype=int32)"  # noqa: UP031


def test_a_tensor_of_a_traced_function_prints_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    @tf.function
    def double(x: Any) -> Any:
        print(x, [x])
        return x + x

    double(tf.ones([2, 3]))
    told = capsys.readouterr().out
    assert told.startswith('Tensor("traced:0", shape=(2, 3), dtype=float32) [<tf.Tensor ')


def test_printing_is_tensorflows() -> None:
    x = tf.constant([1.0, 2.0])
    assert str(x) == "tf.Tensor([1. 2.], shape=(2,), dtype=float32)"
    assert repr(tf.constant(1)) == "<tf.Tensor: shape=(), dtype=int32, numpy=1>"
    assert str(tf.constant("a")) == "tf.Tensor(b'a', shape=(), dtype=string)"
    assert f"{tf.constant(0.25):.3f}" == "0.250"


def test_isinstance_knows_tensors() -> None:
    assert isinstance(tf.constant(1.0), tf.Tensor) and isinstance(tf.constant("a"), tf.Tensor)
    assert not isinstance(np.ones(2), tf.Tensor) and not isinstance(tf.Variable(1.0), tf.Tensor)
    layer = nacre.layers.Dense(2)
    layer.build((None, 2))
    assert isinstance(layer.kernel, tf.Variable) and isinstance(tf.Variable(1.0), nacre.Variable)
    with pytest.raises(ArgumentError, match=r"tf\.constant"):
        tf.Tensor([1])


def test_indexing_takes_newaxis_and_refuses_places_that_are_not_there() -> None:
    x = tf.constant([[1.0, 2.0, 3.0]])
    assert x[:, tf.newaxis].shape == (1, 1, 3) and x[..., -1].numpy().tolist() == [3.0]
    for place in (1, (0, 3), (..., -4), (slice(None), 5)):
        with pytest.raises(PositionError):
            x[place]
    assert [row.shape for row in x] == [(3,)]


def test_references_are_keys() -> None:
    x, v = tf.constant(1.0), tf.Variable(1.0)
    table = {x.ref(): "x", v.ref(): "v"}
    assert table[x.ref()] == "x" and table[v.ref()] == "v" and v.ref().deref() is v


def test_set_shape_checks() -> None:
    x = tf.zeros([2, 3])
    x.set_shape([None, 3])
    with pytest.raises(ShapeError):
        x.set_shape([2, 4])


def test_a_dtype_that_is_told_is_kept_or_refused() -> None:
    assert tf.constant([1, 2], tf.float32).dtype == tf.float32
    for value, dtype in ((1.5, tf.int32), ("a", tf.int32), (300, tf.uint8)):
        with pytest.raises((DTypeError, ArgumentError)):
            tf.constant(value, dtype)
    with pytest.raises(DTypeError, match=r"tf\.cast"):
        tf.convert_to_tensor(tf.constant([1.0]), tf.int32)


def test_operands_of_different_kinds_are_refused() -> None:
    with pytest.raises(DTypeError, match="one dtype"):
        tf.add(tf.constant([1.0]), tf.constant([1]))
    assert tf.add(tf.constant([1.0]), 1).numpy().tolist() == [2.0]
    with pytest.raises(DTypeError):
        tf.add(tf.constant([1]), 1.5)


def test_tapes_watch_constants_and_variables() -> None:
    x, v = tf.constant([1.0, 2.0]), tf.Variable([3.0, 4.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.reduce_sum(x * x * v)
    assert tape.gradient(y, x).numpy().tolist() == [6.0, 16.0]
    assert tape.gradient(y, [v])[0].numpy().tolist() == [1.0, 4.0]


def test_variables_are_made_as_in_tensorflow() -> None:
    v = tf.Variable(lambda: tf.zeros([2]), trainable=False, name="count")
    v.assign_add([1.0, 2.0])
    assert v.name == "count:0" and not v.trainable and v.read_value().numpy().tolist() == [1.0, 2.0]
    with pytest.raises(ArgumentError):
        tf.Variable()


def test_import_nacre_changes_no_class() -> None:
    code = (
        "import nacre, jax.numpy as jnp\n"
        "nacre.layers.Dense(1)(jnp.ones((1, 1)))\n"
        "assert type(jnp.ones(2).shape) is tuple and not hasattr(jnp.ones(2), 'numpy')\n"
        "assert type(nacre.Input((2,)).shape) is tuple\n"
        "import sys; assert 'nacre.tf' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_it_loads_no_jax() -> None:
    code = "import nacre.tf as tf, sys; tf.__version__; assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_sizes_are_known_numbers_while_a_function_is_traced() -> None:
    @tf.function
    def halves(x):
        rows = tf.shape(x)[0]
        return tf.reshape(x, [rows // 2, -1])

    assert halves(tf.zeros([4, 3])).shape == (2, 6)


def test_a_layer_that_asks_for_its_batch_size_is_described_and_run() -> None:
    class Noise(tf.keras.layers.Layer):
        def call(self, x):
            batch = tf.shape(x)[0]
            return x + 0 * tf.random.normal(shape=(batch, tf.shape(x)[1]))

    inputs = tf.keras.Input((3,))
    model = tf.keras.Model(inputs, Noise()(inputs))
    assert model.predict(np.ones((5, 3)), verbose=0).tolist() == np.ones((5, 3)).tolist()


def test_ops_describe_functional_models() -> None:
    inputs = tf.keras.Input((3,))
    model = tf.keras.Model(inputs, tf.reduce_sum(tf.nn.relu(inputs - 1.0), axis=1, keepdims=True))
    assert model.output_shape == (None, 1)
    assert model.predict(np.full((2, 3), 2.0), verbose=0).tolist() == [[3.0], [3.0]]


_ACTIVATIONS = (
    "elu gelu leaky_relu log_softmax relu relu6 selu sigmoid silu softmax softplus softsign swish "
    "tanh"
).split()


@pytest.mark.parametrize(
    "name", [*(f"nn.{name}" for name in _ACTIVATIONS), "tanh", "sigmoid", "identity", "exp"]
)
def test_activations_are_written_by_names_that_mean_the_same(name: str) -> None:
    function = operator.attrgetter(name)(tf)
    x = np.linspace(-4, 9, 12, dtype="float32").reshape(3, 4)
    config = tf.keras.activations.serialize(function)
    assert isinstance(config, str)
    read = nacre.activations.get(config)
    np.testing.assert_allclose(read(x), function(x), rtol=1e-6, atol=1e-6)
    assert (
        nacre.saving.deserialize_keras_object(nacre.saving.serialize_keras_object(function)) is read
    )


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_a_model_whose_activation_is_a_function_of_tensorflow_can_be_loaded(tmp_path, file) -> None:
    parts = [tf.keras.Input((4,)), tf.keras.layers.Dense(3, activation=tf.nn.relu)]
    model = tf.keras.Sequential([*parts, tf.keras.layers.Activation(tf.nn.softmax)])
    model.save(tmp_path / file)
    loaded = tf.keras.models.load_model(tmp_path / file)
    x = np.linspace(-4, 9, 12, dtype="float32").reshape(3, 4)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def _with_tensorflows_functions():
    inputs = tf.keras.Input((4,))
    x = tf.nn.relu(tf.keras.layers.Dense(4)(inputs))
    x = tf.concat([x, tf.reduce_mean(x, axis=1, keepdims=True)], axis=1)
    x = tf.matmul(x, tf.transpose(tf.cast(tf.math.l2_normalize(x, axis=-1), tf.float32)))
    return tf.keras.Model(inputs, tf.clip_by_value(tf.expand_dims(tf.square(x), 1), 0.5, 9.0))


def test_a_graph_of_functions_of_tensorflow_can_be_loaded(tmp_path) -> None:
    model = _with_tensorflows_functions()
    model.save(tmp_path / "model.keras")
    x = np.linspace(-4, 9, 12, dtype="float32").reshape(3, 4)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np, nacre\n"
        "x, wanted = np.load(sys.argv[1] + '/x.npy'), np.load(sys.argv[1] + '/y.npy')\n"
        "loaded = nacre.saving.load_model(sys.argv[1] + '/model.keras')\n"
        "np.testing.assert_allclose(loaded(x), wanted, rtol=1e-5, atol=1e-5)\n"
    )
    np.save(tmp_path / "y.npy", np.asarray(model(x)))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    again = nacre.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize("rest", [(2, 4), (-1, 2), (4, -1)])
def test_the_number_of_samples_may_stand_in_the_shape_of_a_graphs_reshape(rest) -> None:
    inputs = tf.keras.Input((8,))
    model = tf.keras.Model(inputs, tf.reshape(inputs, [tf.shape(inputs)[0], *rest]))
    read = nacre.Model.from_config(model.get_config())
    for count in (1, 3):
        x = np.arange(8.0 * count, dtype="float32").reshape(count, 8)
        np.testing.assert_array_equal(model(x), x.reshape(count, *rest))
        np.testing.assert_array_equal(read.predict(x, verbose=0), x.reshape(count, *rest))


@pytest.mark.parametrize(
    "name", ["tf.io.write_file", "tf.cond", "tf.vectorized_map", "tf.nothing", "tf.config", "tf."]
)
def test_a_file_names_functions_of_tensors_only(name) -> None:
    config = _with_tensorflows_functions().get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "tf.nn.relu":
            layer["class_name"] = layer["registered_name"] = name
    with pytest.raises(SerializationError, match=name):
        nacre.Model.from_config(config)


def test_what_wraps_a_function_of_tensorflow_is_not_written_as_it() -> None:
    @functools.wraps(tf.nn.relu)
    def half(features):
        return tf.nn.relu(features) / 2

    assert nacre.activations.serialize(half) != "relu"


def test_versions_are_told_by_all_modules_that_have_one() -> None:
    assert tf.__version__ == tf.version.VERSION
    assert tf.keras.__version__.split(".")[:2] == tf.__version__.split(".")[:2]
    assert tf.compat.v1.__version__ == tf.__version__


def test_arrays_of_jax_and_tensors_are_one_thing() -> None:
    assert jnp.ones(2).numpy().tolist() == [1.0, 1.0]


def test_whole_numbers_of_64_bits_keep_them_where_they_meet_the_device() -> None:
    wide, on_device = tf.constant(np.array([2**40, 1])), jnp.asarray([1, 2])
    assert (wide + on_device).numpy().tolist() == [2**40 + 1, 3]
    assert (on_device * wide).numpy().tolist() == [2**40, 2]
    chosen = tf.cond(on_device[0] > 0, lambda: wide, lambda: -wide)
    assert chosen.numpy().tolist() == [2**40, 1]


_LONG = np.array([2_000_000_000, 2_000_000_000])
_OF_LONG: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "add": (lambda x: tf.add(x, jnp.asarray([1, 2])), _LONG + [1, 2]),
    "cumsum": (lambda x: tf.cumsum(x), np.cumsum(_LONG)),
    "cumprod": (lambda x: tf.math.cumprod(x), np.cumprod(_LONG)),
    "matmul": (lambda x: tf.matmul(x[None], x[:, None]), [[2 * _LONG[0] ** 2]]),
    "matvec": (lambda x: tf.linalg.matvec(x[None], x), [2 * _LONG[0] ** 2]),
    "einsum": (lambda x: tf.einsum("i,i->", x, x), 2 * _LONG[0] ** 2),
    "tensordot": (lambda x: tf.tensordot(x, x, 1), 2 * _LONG[0] ** 2),
    "trace": (lambda x: tf.linalg.trace(tf.linalg.diag(x)), _LONG.sum()),
    "segment_sum": (lambda x: tf.math.segment_sum(x, [0, 0]), [_LONG.sum()]),
    "unsorted_segment_sum": (lambda x: tf.math.unsorted_segment_sum(x, [0, 0], 1), [_LONG.sum()]),
    "scatter_nd": (lambda x: tf.scatter_nd([[0], [0]], x, [1]), [_LONG.sum()]),
    "tensor_scatter_nd_add": (lambda x: tf.tensor_scatter_nd_add(x, [[0]], x[:1]), _LONG * [2, 1]),
    "bincount": (lambda x: tf.math.bincount([0, 0], weights=x), [_LONG.sum()]),
    "gather": (lambda x: tf.gather(x * 2, jnp.asarray([1])), [2 * _LONG[1]]),
    "boolean_mask": (lambda x: tf.boolean_mask(x * 2, [True, False]), [2 * _LONG[0]]),
    "sort": (lambda x: tf.sort(x * [2, 1]), _LONG * [1, 2]),
    "sort down": (lambda x: tf.sort(x * [1, 2], direction="DESCENDING"), _LONG * [2, 1]),
    "argsort": (lambda x: tf.argsort(x * [2, 1]), [1, 0]),
    "argsort down": (lambda x: tf.argsort(x * [1, 2], direction="DESCENDING"), [1, 0]),
    "top_k": (lambda x: tf.math.top_k(x * 2, 1).values, [2 * _LONG[0]]),
    "of floats": (lambda x: tf.cast(tf.constant([3e9]), x.dtype), [3_000_000_000]),
    "of floats, unsigned": (lambda _: tf.cast(tf.constant([3e9, -1]), tf.uint32), [3 * 10**9, 2**32 - 1]),
    "rows": (lambda x: tf.reduce_sum(tf.RaggedTensor.from_row_splits(x, [0, 2]), 1), [_LONG.sum()]),
    "assign_add": (lambda x: tf.Variable(x * 0 + 1).assign_add([1, 2]), [2, 3]),
}  # fmt: skip


@pytest.mark.parametrize("name", _OF_LONG)
def test_outside_of_programs_whole_numbers_of_64_bits_are_computed_as_such(name: str) -> None:
    compute, expected = _OF_LONG[name]
    found = compute(tf.constant(_LONG))
    assert found.numpy().tolist() == np.asarray(expected).tolist()


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_floats_take_numbers_of_python_beyond_32_bits(kind: str) -> None:
    x = tf.constant([1.0, 2.0], kind)
    for found in (x * 2**40, 2**40 * x, tf.function(lambda x: x * 2**40)(x), x + 2**40 - x):
        assert found.dtype == kind and float(found[0]) == 2**40


_MEET = {
    "on the host": lambda x: x * 2**40,
    "reversed": lambda x: 2**40 + x,
    "on the device": lambda x: jnp.asarray(x) - 2**40,
    "in a function": lambda x: tf.function(lambda x: x * 2**40)(x),
    "compared in a function": lambda x: tf.function(lambda x: x < 2**40)(x),
    "an op": lambda x: nacre.ops.multiply(jnp.asarray(x), 2**40),
}


@pytest.mark.float64
@pytest.mark.parametrize("has_64_bits", [False, True])
@pytest.mark.parametrize("name", _MEET)
def test_whole_numbers_refuse_numbers_of_python_that_they_have_no_bits_for(
    name: str, has_64_bits: bool
) -> None:
    if has_64_bits:
        nacre.Variable(2**40, dtype="int64")
    wanted = (DTypeError, ArgumentError) if name == "an op" else DTypeError
    with pytest.raises(wanted, match="1099511627776"):
        _MEET[name](tf.constant([1, 2]))


@pytest.mark.float64
@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_counters_of_64_bits_count_without_a_warning(kind: str) -> None:
    counter = tf.Variable(1, dtype=kind)

    @tf.function
    def count():
        counter.assign_add(2)
        return counter.read_value()

    counter.assign_add(1)
    counter.assign_sub(1)
    assert float(count()) == 3
    counter.assign(counter + 1)
    assert float(counter.numpy()) == 4


def test_functions_of_numpy_give_arrays_of_numpy() -> None:
    scores = tf.constant([[0.1, 0.9], [0.8, 0.2]])
    best = np.argmax(scores, axis=1)
    assert type(best) is np.ndarray and {1: "b"}[np.argmax(scores[0])] == "b"
    assert (
        isinstance(np.mean(scores), np.floating)
        and type(np.concatenate([scores, scores])) is np.ndarray
    )
    assert np.shape(scores) == (2, 2) and np.ndim(scores) == 2 and np.size(scores) == 4


def test_truths_are_scattered_and_two_at_a_place_are_true_if_one_is() -> None:
    def scatter() -> Any:
        return tf.scatter_nd([[1], [0], [0]], [False, True, False], [3])

    for run in (scatter, tf.function(scatter)):
        assert run().numpy().tolist() == [True, False, False]


def test_truths_are_counted_and_made_of_a_dtype() -> None:
    truths = tf.constant([True, False, True], tf.bool)
    assert tf.math.count_nonzero(truths).numpy() == 2
    assert abs(tf.math.zero_fraction(truths).numpy() - 1 / 3) < 1e-6


def test_cross_entropy_of_indices_takes_any_number_of_axes() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    labels = np.array([[0, 1, 2], [3, 0, 1]])
    found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits).numpy()
    flat = tf.nn.sparse_softmax_cross_entropy_with_logits(labels.ravel(), logits.reshape(6, 4))
    assert np.allclose(found.ravel(), flat.numpy()) and found.shape == (2, 3)


def test_rows_of_different_lengths_have_what_scripts_ask() -> None:
    rows = tf.ragged.constant([[3, 1], [], [5]])
    assert rows.nrows().numpy() == 3 and rows.row_lengths().numpy().tolist() == [2, 0, 1]
    assert rows.to_tensor(-1, shape=[None, 1]).numpy().tolist() == [[3], [-1], [5]]
    assert rows[0, 1].numpy() == 1 and rows[:, :1].to_list() == [[3], [], [5]]
    assert (rows + 1).to_list() == [[4, 2], [], [6]] and (2 * rows > 5).to_list() == [
        [True, False],
        [],
        [True],
    ]
    assert rows.value_rowids().numpy().tolist() == [0, 0, 2] and rows.shape.as_list() == [3, None]
    deep = tf.ragged.constant([[[1], [2, 3]], [[4]]])
    assert deep.ragged_rank == 2 and deep.merge_dims(1, 2).to_list() == [[1, 2, 3], [4]]
    assert deep.bounding_shape().numpy().tolist() == [2, 2, 2]
    made = tf.RaggedTensor.from_row_lengths([1, 2, 3], [1, 0, 2])
    assert made.to_list() == tf.RaggedTensor.from_value_rowids([1, 2, 3], [0, 2, 2]).to_list()
    for wrong in (lambda: rows[3], lambda: rows + tf.ragged.constant([[1], [2, 3]])):
        with pytest.raises((IndexError, ValueError)):
            wrong()
    with pytest.raises(ValueError, match="must rise from 0 to 3"):
        tf.RaggedTensor.from_row_splits([1, 2, 3], [0, 2])
    kept = tf.ragged.constant([[[1, 2]], []], ragged_rank=1)
    assert kept.ragged_rank == 1 and kept.shape.as_list() == [2, None, 2]
    for lists, options in (([[1, [2]]], {}), ([[1]], {"ragged_rank": 2})):
        with pytest.raises(ValueError, match="must be lists throughout, as deep as ragged_rank"):
            tf.ragged.constant(lists, **options)
    with pytest.raises(ValueError, match=r"values must have shape \(2,\)"):
        tf.ragged.constant([[[1]]], ragged_rank=1, inner_shape=(2,))


def test_names_of_variables_are_those_of_tensorflow() -> None:
    dense = tf.keras.layers.Dense(1, name="last")
    model = tf.keras.Sequential([tf.keras.layers.Dense(2, name="first", input_shape=(3,)), dense])
    names = [v.name for v in model.weights]
    assert names == ["first/kernel:0", "first/bias:0", "last/kernel:0", "last/bias:0"]
    assert [v.name for v in model.weights if "last" not in v.name] == names[:2]
    assert repr(dense.bias).startswith("<tf.Variable 'last/bias:0' shape=(1,) dtype=float32, numpy")
    with tf.name_scope("block"):
        inner = tf.Variable(1.0, name="w")
    assert (tf.Variable(1.0).name, inner.name) == ("Variable:0", "block/w:0")
    assert model.weights[0].path.endswith("first/kernel")  # what nacre and Keras 3 call it


def test_the_value_of_a_variable_is_an_attribute_and_a_method() -> None:
    v = tf.Variable([1.0, 2.0])
    called, read = v.value(), v.value
    assert called.numpy().tolist() == read.numpy().tolist() == [1.0, 2.0]
    both = [x.value() + x.value for x in (v, v)]
    assert both[1].numpy().tolist() == [2.0, 4.0]
    assert not callable(v.value)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(v.value() ** 2)
    assert tape.gradient(loss, v).numpy().tolist() == [2.0, 4.0]

    @tf.function
    def doubled():
        return 2 * v.value()

    assert doubled().numpy().tolist() == [2.0, 4.0]


def test_layers_and_models_are_modules() -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dense(2), tf.keras.layers.Dense(1)])
    assert isinstance(model, tf.Module) and issubclass(tf.keras.layers.Layer, tf.Module)
    assert not isinstance(3, tf.Module) and not issubclass(dict, tf.Module)
    assert list(model.submodules) == model.layers
    assert model.layers[0].name_scope() == f"{model.layers[0].name}/"

    class Pair(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.scale = model, tf.Variable(2.0)

    model.build((None, 3))
    pair = Pair()
    assert len(pair.trainable_variables) == 5 and not isinstance(model, Pair)
    assert set(pair.submodules) == {model, *model.submodules} >= {model, *model.layers}
