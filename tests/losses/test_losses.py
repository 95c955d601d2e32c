"""Losses: names, stability, masks, weights, labels that are no class, symbols."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import losses
from nacre.core.errors import ArgumentError, LossInputError, UnknownNameError
from nacre.core.scope import set_mask
from nacre.core.symbolic import KerasTensor


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mse", "mean_squared_error"),
        ("MSE", "mean_squared_error"),
        ("mean_squared_error", "mean_squared_error"),
        ("kullback_leibler_divergence", "kl_divergence"),
        ("huber_loss", "huber"),
        ("logcosh", "log_cosh"),
        ("cosine_proximity", "cosine_similarity"),
        ("bce", "binary_crossentropy"),
    ],
)
def test_short_and_old_names(name, found):
    assert losses.get(name) is getattr(losses, found)


def test_get_class_object_callable_and_none():
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    assert isinstance(losses.get(losses.Huber), losses.Huber)
    mine = lambda t, p: t - p
    assert losses.get(mine) is mine
    assert losses.get(None) is None


def test_unknown_name_says_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'categorical_crossentropy'"):
        losses.get("categorical_crossentrpy")
    with pytest.raises(UnknownNameError, match="Did you mean 'sum'"):
        losses.MeanSquaredError(reduction="summ")
    with pytest.raises(ArgumentError, match="must be a name"):
        losses.get(3)


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_logits_forms_are_finite_and_have_gradients(size):
    logits = jnp.array([[size, -size, 0.0]])
    for loss, target in (
        (losses.BinaryCrossentropy(from_logits=True), jnp.array([[0.0, 1.0, 1.0]])),
        (losses.BinaryFocalCrossentropy(from_logits=True), jnp.array([[0.0, 1.0, 1.0]])),
        (losses.CategoricalCrossentropy(from_logits=True), jnp.array([[0.0, 1.0, 0.0]])),
        (losses.CategoricalFocalCrossentropy(from_logits=True), jnp.array([[0.0, 1.0, 0.0]])),
        (losses.SparseCategoricalCrossentropy(from_logits=True), jnp.array([1])),
    ):
        value, gradient = jax.value_and_grad(lambda x, f=loss, t=target: f(t, x))(logits)
        assert np.isfinite(value) and value > 1, loss
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0.01, loss


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_probabilities_of_zero_and_one_are_finite_in_every_dtype(dtype):
    p = jnp.array([[0.0, 1.0]], dtype)
    for value in (
        losses.binary_crossentropy([[1.0, 0.0]], p),
        losses.categorical_crossentropy([[1.0, 0.0]], p),
        losses.sparse_categorical_crossentropy([0], p),
        losses.log_cosh([[0.0, 0.0]], jnp.array([[100.0, -100.0]], dtype)),
    ):
        assert value.dtype == jnp.dtype(dtype)
        assert np.isfinite(np.asarray(value, "float32")).all()


def test_sparse_equals_one_hot():
    logits = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    labels = np.array([0, 1, 2, 3, 1])
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(labels, logits, from_logits=True),
        losses.categorical_crossentropy(np.eye(4)[labels], logits, from_logits=True),
        rtol=1e-5,
    )


def test_sparse_axis():
    p = np.random.default_rng(0).dirichlet(np.ones(4), (3, 2)).astype("float32")
    labels = np.array([[0, 1], [2, 3], [1, 1]])
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(labels, np.moveaxis(p, -1, 1), axis=1),
        losses.sparse_categorical_crossentropy(labels, p),
        rtol=1e-6,
    )


def test_label_that_is_no_class_is_seen():
    p = jnp.full((3, 2), 0.5)
    values = losses.sparse_categorical_crossentropy(np.array([0, 2, -1]), p)
    assert np.isnan(values).tolist() == [False, True, True]
    loss = losses.SparseCategoricalCrossentropy()
    silenced = loss(np.array([0, 2, -1]), p, sample_weight=[1.0, 0.0, 0.0])
    assert np.isfinite(silenced)
    # Labels on the host are refused by the class; traced ones give NaN and a finite gradient.
    with pytest.raises(LossInputError, match="2 in row 1"):
        loss(np.array([0, 2, -1]), p)
    gradient = jax.jit(jax.grad(lambda x, y: loss(y, x)))(p, np.array([0, 2, -1]))
    assert np.isfinite(gradient).all()


def test_check_labels_says_what_is_wrong():
    who = "loss 'sparse_categorical_crossentropy'"
    losses.check_labels(who, [0, 1, -1], 2, ignore_class=-1)
    with pytest.raises(
        LossInputError,
        match=r"Got labels from 0 to 10, the first one 10 in row 1\. Give the last layer 11",
    ):
        losses.check_labels(who, [0, 10], 10)
    with pytest.raises(LossInputError, match="start at 1 need y - 1"):
        losses.check_labels(who, [1, 10], 10)
    with pytest.raises(LossInputError, match="ignore_class=-1"):
        losses.check_labels(who, [-1, 3], 10)


def test_ignored_class_counts_neither_above_nor_below():
    p = np.random.default_rng(0).dirichlet(np.ones(3), 4).astype("float32")
    labels = np.array([0, -1, 2, -1])
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    kept = losses.SparseCategoricalCrossentropy()(labels[[0, 2]], p[[0, 2]])
    np.testing.assert_allclose(loss(labels, p), kept, rtol=1e-6)
    sequence = loss(labels.reshape(2, 2, 1), p.reshape(2, 2, 3))
    np.testing.assert_allclose(sequence, kept, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_masked_equals_left_out(reduction):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 3, 4)), jnp.asarray(rng.normal(size=(2, 3, 4)), "float32")
    mask = np.array([[True, True, False], [True, False, False]])
    weights = rng.uniform(0.5, 2.0, size=(2, 3))
    loss = losses.MeanAbsoluteError(reduction=reduction)
    expected = loss(y_true[mask], y_pred[mask], weights[mask])
    masked = y_pred + 0.0
    set_mask(masked, jnp.asarray(mask))
    np.testing.assert_allclose(loss(y_true, masked, weights), expected, rtol=1e-5)


def test_everything_masked_gives_zero():
    y_pred = jnp.ones((2, 3, 1))
    set_mask(y_pred, jnp.zeros((2, 3), bool))
    assert float(losses.MeanSquaredError()(jnp.zeros((2, 3, 1)), y_pred)) == 0.0


def test_batch_weights_belong_to_rows():
    y_true, y_pred = jnp.zeros((2, 2, 1)), jnp.ones((2, 2, 1))
    loss = losses.MeanSquaredError(reduction="none")
    assert loss(y_true, y_pred, [1.0, 3.0]).tolist() == [[1.0, 1.0], [3.0, 3.0]]
    with pytest.raises(LossInputError, match="sample_weight must have the shape"):
        loss(y_true, y_pred, np.ones(5))


def test_subclass_gets_casts_structures_and_reduction():
    class Pair(losses.Loss):
        def call(self, y_true, y_pred):
            assert y_true["a"].dtype == jnp.float32
            return jnp.abs(y_true["a"] - y_pred["a"])

    value = Pair()({"a": np.array([1, 2])}, {"a": np.array([2.0, 4.0])})
    assert float(value) == 1.5
    assert Pair().name.startswith("pair")


def test_wrapper_of_function_round_trips():
    loss = losses.LossFunctionWrapper(losses.huber, delta=0.5)
    config = losses.serialize(loss)
    assert config["config"]["fn"]["config"] == "huber"
    again = losses.deserialize(config)
    assert float(again([0.0], [2.0])) == float(loss([0.0], [2.0]))


def test_symbolic_tensors_give_symbolic_losses():
    y = KerasTensor((None, 3))
    assert losses.mean_squared_error(y, y).shape == (None,)
    labels = KerasTensor((None,), dtype="int32")
    assert losses.sparse_categorical_crossentropy(labels, y).shape == (None,)


def test_ctc_is_the_sum_over_alignments():
    logits = np.random.default_rng(0).normal(size=(1, 3, 3)).astype("float32")
    p = np.asarray(jax.nn.softmax(logits))[0]
    total = 0.0
    for path in np.ndindex(3, 3, 3):
        merged = [k for i, k in enumerate(path) if i == 0 or k != path[i - 1]]
        if [k for k in merged if k != 0] == [1, 2]:
            total += np.prod([p[t, k] for t, k in enumerate(path)])
    np.testing.assert_allclose(losses.ctc([[1, 2]], logits), [-np.log(total)], rtol=1e-5)


def test_circle_references():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(4, 3)).astype("float32")
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels = np.array([0, 0, 1, 1])
    loss = losses.Circle(remove_diagonal=False)
    value = loss(labels, embeddings, ref_labels=labels, ref_embeddings=embeddings)
    np.testing.assert_allclose(value, loss(labels, embeddings), rtol=1e-6)


def test_expected_activation():
    assert losses.expected_activation(losses.BinaryCrossentropy()) == "sigmoid"
    assert losses.expected_activation(losses.sparse_categorical_crossentropy) == "softmax"
    logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert losses.expected_activation(logits) == "linear"
    assert losses.expected_activation("anything else") is None
    assert losses.expected_activation(losses.MeanSquaredError()) is None


def test_logits_warning_both_ways():
    p, logits = np.array([[0.2, 0.8]]), np.array([[-3.0, 4.0]])
    wants_p = losses.CategoricalCrossentropy()
    wants_logits = losses.CategoricalCrossentropy(from_logits=True)
    assert losses.logits_warning(wants_p, p) is None
    assert losses.logits_warning(wants_logits, logits) is None
    assert "from_logits=True" in losses.logits_warning(wants_p, logits)
    assert "from_logits=False" in losses.logits_warning(wants_logits, p)


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (losses.BinaryCrossentropy(axis=2), (2, 3)),
        (losses.BinaryFocalCrossentropy(axis=-3), (2, 3)),
        (losses.CategoricalCrossentropy(axis=1), (3,)),
        (losses.CosineSimilarity(axis=5), (2, 3)),
        (losses.Dice(axis=(1, 2)), (2, 3)),
        (losses.Tversky(axis=[1]), (3,)),
    ],
)
def test_an_axis_that_is_not_there_is_named(loss, shape):
    with pytest.raises(LossInputError, match=r"axis must be from .* Got axis="):
        loss(np.ones(shape, "float32"), np.ones(shape, "float32"))


@pytest.mark.parametrize("wrong", [None, "a", ["a"], {"a": np.ones(2)}, [[1.0], [2.0, 3.0]]])
def test_what_is_no_number_is_refused(wrong):
    loss = losses.MeanSquaredError()
    for inputs in ((wrong, [[1.0]]), ([[1.0]], wrong)):
        with pytest.raises(LossInputError, match="must be numbers"):
            loss(*inputs)
    if wrong is not None:
        with pytest.raises(LossInputError, match="must be numbers"):
            loss([[1.0]], [[1.0]], sample_weight=wrong)


def test_a_mask_of_leading_axes_joins_ignored_labels():
    y_pred = jnp.full((2, 2, 3, 4), 0.25)
    set_mask(y_pred, jnp.array([[True, False], [True, True]]))
    labels = np.array([[[0, 1, 2], [0, 1, 2]], [[0, 9, 9], [9, 9, 9]]])
    loss = losses.SparseCategoricalCrossentropy(ignore_class=9, reduction="sum")
    np.testing.assert_allclose(loss(labels, y_pred), 4 * np.log(4), rtol=1e-5)


def test_circle_compares_with_negatives_on_the_diagonal_of_other_references():
    eye = np.eye(2, dtype="float32")
    value = losses.circle([0, 0], eye, ref_labels=[0, 1], ref_embeddings=eye)
    np.testing.assert_allclose(value, [0.0, 134.4], rtol=1e-5)  # as in Keras 3.15


@pytest.mark.parametrize("wrong", [5, {"foo": 1}, {}])
def test_a_config_that_is_none_is_refused(wrong):
    with pytest.raises(ArgumentError, match="a dict with class_name and config"):
        losses.deserialize(wrong)


def test_a_config_may_name_a_function_alone():
    assert losses.get({"class_name": "mean_squared_error"}) is losses.mean_squared_error
    assert losses.deserialize(None) is None


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("from_logits", [False, True])
def test_focal_losses_have_gradients_that_are_numbers_where_answers_are_sure(gamma, from_logits):
    """A power below 1 of what is wrong has no slope where nothing is, as at logits of 20."""
    right = np.array([[1.0, 0.0, 0.0]], "float32")
    sure = right * 40 - 20 if from_logits else right
    for name in ("binary_focal_crossentropy", "categorical_focal_crossentropy"):
        loss = getattr(losses, name)
        of = lambda y, loss=loss: loss(right, y, gamma=gamma, from_logits=from_logits).sum()
        value, gradient = jax.jit(jax.value_and_grad(of))(sure)
        assert abs(value) < 1e-6 and np.isfinite(gradient).all()
    plain = losses.binary_crossentropy(right, sure / 4, from_logits=from_logits)
    if gamma == 0:
        same = losses.binary_focal_crossentropy(right, sure / 4, gamma=0.0, from_logits=from_logits)
        np.testing.assert_allclose(same, plain, rtol=1e-6)


def test_labels_that_code_around_a_compiled_function_holds_are_looked_at():
    labels, p = np.array([0, 2, 1]), np.full((3, 3), 1 / 3, "float32")
    for loss in (
        losses.SparseCategoricalCrossentropy(),
        losses.SparseCategoricalCrossentropy(ignore_class=2),
    ):
        of = lambda p, loss=loss: loss(labels, p)
        np.testing.assert_allclose(jax.jit(of)(p), loss(labels, p), rtol=1e-6)
        np.testing.assert_allclose(jax.jit(jax.grad(of))(p), jax.grad(of)(p), rtol=1e-6)
        with pytest.raises(LossInputError, match="labels must be from 0 to 2"):
            jax.jit(lambda p, loss=loss: loss(labels + 7, p))(p)
