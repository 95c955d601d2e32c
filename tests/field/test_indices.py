"""Indices outside a table: an error where the value is on the host, NaN where it is traced."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, losses, metrics, ops
from nacre.core.errors import DTypeError, LossInputError, NonFiniteError
from nacre.ops.indexing import embed

WRONG = [-1, 10, 200]
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32"]


def table(**kwargs):
    return layers.Embedding(10, 2, embeddings_initializer="ones", **kwargs)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_embedding_names_row_and_value_of_every_dtype(dtype):
    layer = table()
    np.testing.assert_array_equal(layer(np.array([[0, 9]], dtype)), np.ones((1, 2, 2)))
    for value in WRONG:
        if (value < 0 and dtype.startswith("u")) or (value == 200 and dtype == "int8"):
            continue
        x = np.array([[0, 1], [2, value], [3, value]], dtype)
        with pytest.raises(ValueError, match=rf"from 0 to 9\. Got {value} in row 1, at \(1, 1\)"):
            layer(x)


def test_whole_numbers_of_64_bits_never_wrap_into_the_table():
    for dtype in ("int64", "uint64"):
        x = np.array([[1], [2**33 + 1]], dtype)
        with pytest.raises(DTypeError, match="8589934593 in row 1"):
            table()(x)
        with pytest.raises(DTypeError, match="8589934593 in row 1"):
            losses.SparseCategoricalCrossentropy()(x, [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="from 0 to 9"):
        table()(np.array([[2**33]], "float64"))


def test_missing_values_are_no_index():
    with pytest.raises(ValueError, match=r"nan in row 0.*missing values"):
        table()(np.array([[np.nan, 1.0]]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: table(),
        lambda: layers.ReversibleEmbedding(10, 2),
        lambda: layers.CategoryEncoding(10, "one_hot"),
        lambda: layers.CategoryEncoding(10, "multi_hot"),
        lambda: layers.CategoryEncoding(10, "count"),
    ],
    ids=["embedding", "reversible", "one_hot", "multi_hot", "count"],
)
def test_traced_indices_give_nan_and_only_where_they_stand(make):
    layer = make()
    good = np.array([[1, 2], [0, 9]])
    expected = np.asarray(layer(good))
    run = jax.jit(lambda x: layer(x))
    np.testing.assert_array_equal(run(good), expected)
    for value in WRONG:
        found = np.asarray(run(np.array([[1, 2], [0, value]])))
        np.testing.assert_array_equal(found[0], expected[0])
        assert np.isnan(found[1]).any()
        with pytest.raises(ValueError, match=f"from 0 to 9.*{value} in row 1"):
            layer(np.array([[1, 2], [0, value]]))


@pytest.mark.parametrize("change", ["lora", "int8", "int4"])
def test_adapted_tables_follow_the_same_rule(change):
    layer = table()
    layer(np.array([[1]]))
    if change == "lora":
        layer.enable_lora(1)
    else:
        layer.quantize(change)
    run = jax.jit(lambda x: layer(x))
    for value in WRONG:
        assert np.isnan(np.asarray(run(np.array([[value, 1]])))[0, 0]).all()
        with pytest.raises(ValueError, match="from 0 to 9"):
            layer(np.array([[value, 1]]))


# ---------------------------------------------------------------- models


def tokens_model(dtype="int32"):
    model = nacre.Sequential(
        [nacre.Input((2,), dtype=dtype), table(name="words"), layers.Flatten(), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


GOOD, BAD, Y = np.zeros((6, 2), int), np.zeros((6, 2), int), np.zeros((6, 1))
BAD[4, 1] = -1


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_every_door_of_a_model_names_row_and_value_before_anything_is_changed(dtype):
    model = tokens_model(dtype)
    before = model.get_weights()
    doors = (
        lambda x: model(x),
        lambda x: model.predict(x, verbose=0),
        lambda x: model.predict(x, batch_size=5, verbose=0),
        lambda x: model.predict_on_batch(x),
        lambda x: model.fit(x, Y, verbose=0),
        lambda x: model.evaluate(x, Y, verbose=0),
        lambda x: model.train_on_batch(x, Y),
        lambda x: model.test_on_batch(x, Y),
        lambda x: model.fit(GOOD, Y, validation_data=(x, Y), verbose=0),
        lambda x: model.fit((batch for batch in [(x, Y)]), verbose=0),
    )
    for door in doors:
        with pytest.raises(
            ValueError, match=r"words': indices must be from 0 to 9\. Got -1 in row 4"
        ):
            door(BAD.astype(dtype))
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_named_inputs_and_nested_models_are_looked_at():
    words = nacre.Input((2,), dtype="int32", name="words")
    numbers = nacre.Input((2,), name="numbers")
    inner = tokens_model()
    model = nacre.Model([numbers, words], layers.Add()([inner(words), layers.Dense(1)(numbers)]))
    floats = np.full((6, 2), 99.0)
    model.predict({"numbers": floats, "words": GOOD}, verbose=0)
    for x in ({"words": BAD, "numbers": floats}, [floats, BAD]):
        with pytest.raises(ValueError, match="Got -1 in row 4"):
            model.predict(x, verbose=0)


def test_an_embedding_used_backwards_takes_vectors():
    layer = layers.ReversibleEmbedding(3, 2)
    x = nacre.Input((2,))
    model = nacre.Model(x, layer(x, reverse=True))
    assert model.predict(np.full((1, 2), 50.0), verbose=0).shape == (1, 3)


class Shifted(nacre.Model):
    def __init__(self):
        super().__init__()
        self.table, self.head = table(), layers.Dense(1)

    def call(self, x):
        return self.head(ops.reshape(self.table(x - 1), (-1, 4)))


def test_indices_computed_in_a_traced_step_give_nan_and_end_training():
    model = Shifted()
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteError):
        model.fit(GOOD, Y, verbose=0)
    with pytest.raises(ValueError, match="Got -1 in row 0"):
        Shifted()(GOOD)


# ---------------------------------------------------------------- labels

P = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], "float32")
READERS = [
    losses.SparseCategoricalCrossentropy,
    lambda: losses.CategoricalGeneralizedCrossEntropy(0.5),
    metrics.SparseCategoricalAccuracy,
    metrics.SparseCategoricalCrossentropy,
    lambda: metrics.SparseTopKCategoricalAccuracy(2),
]


@pytest.mark.parametrize("make", READERS)
def test_labels_outside_the_classes_are_refused_on_the_host_and_nan_when_traced(make):
    for dtype in ("int32", "float32", "int64"):
        assert np.isfinite(float(make()(np.array([0, 1], dtype), P)))
    for wrong in (-1, 3, 1.5):
        y = np.array([0, wrong])
        with pytest.raises(LossInputError, match=rf"from 0 to 2.*{wrong} in row 1"):
            make()(y, P)
        reader = make()
        if isinstance(reader, losses.Loss):
            traced = jax.jit(lambda y, reader=reader: reader(y, P))(y)
        else:
            start = reader.stateless_reset_state()
            state = jax.jit(lambda y, r=reader, s=start: r.stateless_update_state(s, y, P))(y)
            traced = reader.stateless_result(state)
        assert np.isnan(float(traced))
        # What weighs nothing may be anything.
        assert np.isfinite(float(make()(y, P, sample_weight=np.array([1.0, 0.0]))))


def test_functions_of_labels_give_nan():
    for wrong in (-1, 3):
        for function in (
            losses.sparse_categorical_crossentropy,
            ops.sparse_categorical_crossentropy,
            metrics.sparse_categorical_accuracy,
        ):
            found = np.asarray(function(np.array([0, wrong]), P))
            assert np.isfinite(found[0]) and np.isnan(found[1])


def classifier(**kwargs):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(**kwargs), ["accuracy"])
    return model


X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
LABELS = np.array([0, 1, 2, 0, -1, 1])


def test_fit_names_the_row_of_a_wrong_label_and_takes_those_of_weight_zero():
    with pytest.raises(LossInputError, match="-1 in row 4"):
        classifier().fit(X, LABELS, verbose=0)
    weights = np.array([1.0, 1, 1, 1, 0, 1])
    history = classifier().fit(X, LABELS, sample_weight=weights, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_accuracy_leaves_out_the_label_its_loss_leaves_out(capsys):
    model = classifier(ignore_class=-1)
    logs = model.evaluate(X, LABELS, verbose=2, return_dict=True)
    right = model.predict(X, verbose=0).argmax(-1) == LABELS
    np.testing.assert_allclose(logs["accuracy"], right[LABELS >= 0].mean(), rtol=1e-6)
    assert "accuracy leaves out label -1" in capsys.readouterr().out


# ---------------------------------------------------------------- ops keep their own rules


def test_take_wraps_like_numpy_and_one_hot_gives_zeros():
    x = np.arange(5.0)
    for run in (lambda f, *a: f(*a), lambda f, *a: jax.jit(f)(*a)):
        assert float(run(lambda i: ops.take(x, i), np.array(-1))) == 4.0
        assert np.isnan(float(run(lambda i: ops.take(x, i), np.array(5))))
        assert np.isnan(float(run(lambda i: ops.take(x, i), np.array(-6))))
        for wrong in (-1, 5):
            found = run(lambda i: ops.one_hot(i, 5), np.array(wrong))
            np.testing.assert_array_equal(found, np.zeros(5))
            assert np.isnan(run(lambda i: embed(np.ones((5, 2)), i), np.array(wrong))).all()
