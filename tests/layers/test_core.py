"""Facts of dense, embedding, input, lambda, masking and activation layers."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, SerializationError, ShapeError


def test_dense_names_both_sizes_when_the_features_change() -> None:
    layer = layers.Dense(3, name="head")
    layer(np.ones((32, 128), "float32"))
    with pytest.raises(ShapeError) as caught:
        layer(np.ones((32, 64), "float32"))
    assert str(caught.value) == (
        "Dense 'head': the last axis must be 128, its size when the layer was built. "
        "Got input of shape (32, 64). "
        "Project the input to 128 features, or make a new layer for 64."
    )


def test_dense_takes_weights_and_input_shape_of_tf_keras_2() -> None:
    kernel, bias = np.ones((2, 3), "float32"), np.zeros(3, "float32")
    layer = layers.Dense(3, input_shape=(2,), weights=[kernel, bias])
    np.testing.assert_array_equal(layer(np.ones((1, 2), "float32")), [[2.0, 2.0, 2.0]])


def test_low_rank_training_starts_at_the_layer_and_saves_the_sum() -> None:
    layer = layers.Dense(3)
    x = np.ones((2, 4), "float32")
    before = np.asarray(layer(x))
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(x), before, rtol=1e-6)
    assert [v.name for v in layer.trainable_variables] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    layer.lora_kernel_b.assign(np.ones((2, 3), "float32"))
    store: dict[str, np.ndarray] = {}
    layer.save_own_variables(store)
    plain = layers.Dense(3)
    plain.build((None, 4))
    plain.load_own_variables(store)
    np.testing.assert_allclose(plain(x), layer(x), rtol=1e-5)


def test_embedding_keeps_large_float_indices_in_mixed_precision() -> None:
    layer = layers.Embedding(1000, 1, dtype="mixed_bfloat16", embeddings_initializer="zeros")
    layer.build()
    layer.embeddings.assign(np.arange(1000.0)[:, None])
    assert float(layer(np.array([999.0], "float32"))[0, 0]) == 1000.0  # 999 as bfloat16


def test_embedding_gives_nan_outside_its_table_where_it_is_traced() -> None:
    layer = layers.Embedding(3, 2)
    with pytest.raises(ValueError, match="Got 5 in row 1"):
        layer(np.array([0, 5]))
    result = jax.jit(lambda x: layer(x))(np.array([0, 5]))
    assert np.isfinite(result[0]).all() and np.isnan(result[1]).all()


def test_embedding_of_tf_keras_2_knows_its_length() -> None:
    assert layers.Embedding(10, 4, input_length=7)._batch_input_shape == (None, 7)


def test_embedding_mask_reaches_the_next_layers() -> None:
    inputs = layers.Input((3,), dtype="int32")
    embedded = layers.Embedding(5, 2, mask_zero=True)(inputs)
    assert layers.Dropout(0.5)(embedded)._keras_mask is not None


def test_input_takes_the_old_spellings() -> None:
    assert layers.InputLayer(input_shape=(3,)).output.shape == (None, 3)
    assert layers.InputLayer(batch_input_shape=(2, 3)).output.shape == (2, 3)
    tensor = layers.Input((3,), batch_size=4, dtype="int32", name="ids")
    assert (tensor.shape, tensor.dtype, tensor.name) == ((4, 3), "int32", "ids")
    assert tensor._keras_history.operation.get_config() == {
        "batch_shape": [4, 3],
        "dtype": "int32",
        "sparse": False,
        "ragged": False,
        "name": "ids",
        "optional": False,
    }


@pytest.mark.parametrize(
    "kwargs", [{}, {"shape": (3,), "ragged": True}, {"shape": (3,), "batch_shape": (1, 3)}]
)
def test_input_refuses_with_the_fix(kwargs: dict) -> None:
    with pytest.raises(ArgumentError, match="must"):
        layers.Input(**kwargs)


def test_lambda_gives_arguments_and_training() -> None:
    def scaled(x, factor, training=None):
        return x * factor if training else x

    layer = layers.Lambda(scaled, arguments={"factor": 3.0})
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(layer(x, training=True), [[3.0, 3.0]])
    np.testing.assert_array_equal(layer(x), [[1.0, 1.0]])
    assert layer(layers.Input((2,))).shape == (None, 2)


def test_lambda_refuses_code_from_a_file() -> None:
    code = {
        "class_name": "__lambda__",
        "config": {"code": "4wAAAA==", "defaults": None, "closure": None},
    }
    config = {
        "class_name": "Lambda",
        "config": {"name": "l", "function": code},
        "module": "keras.layers",
    }
    with pytest.raises(SerializationError, match="code"):
        layers.deserialize(config)


def test_masking_keeps_steps_with_any_other_value() -> None:
    x = np.array([[[0.0, 0.0], [0.0, 1.0]]], "float32")
    output = layers.Masking()(x)
    np.testing.assert_array_equal(output._keras_mask, [[False, True]])


def test_activation_layers_take_the_old_spellings() -> None:
    x = np.array([[-1.0, 0.5, 2.0]], "float32")
    np.testing.assert_allclose(layers.LeakyReLU(alpha=0.1)(x), [[-0.1, 0.5, 2.0]])
    np.testing.assert_allclose(layers.ThresholdedReLU(1.0)(x), [[0.0, 0.0, 2.0]])


def test_softmax_without_any_valid_position_is_zero() -> None:
    masked = layers.Softmax()(np.ones((1, 3), "float32"), mask=np.zeros((1, 3), bool))
    np.testing.assert_array_equal(masked, [[0.0, 0.0, 0.0]])


def test_old_names_are_attributes() -> None:
    assert layers.Convolution2D is layers.Conv2D
    assert nacre.layers.SyncBatchNormalization is layers.BatchNormalization
    with pytest.raises(AttributeError, match="Denze"):
        layers.Denze  # noqa: B018


def test_softmax_of_whole_numbers_takes_a_mask() -> None:
    found = layers.Softmax()(np.array([[1, 1, 9]]), mask=np.array([[True, True, False]]))
    np.testing.assert_allclose(found, [[0.5, 0.5, 0.0]])


def test_negative_shared_axes_are_counted_from_the_right() -> None:
    layer = layers.PReLU(shared_axes=[-1], alpha_initializer="ones")
    np.testing.assert_array_equal(layer(-np.ones((1, 2, 3))), -np.ones((1, 2, 3)))
    assert layer.alpha.shape == (2, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: layers.Softmax(axis=2)(x),
        lambda x: layers.Softmax(axis="last")(x),
        lambda x: layers.Softmax(axis=(1, -1))(x),
        lambda x: layers.Softmax()(x, mask=np.ones((2, 4), bool)),
        lambda x: layers.PReLU(shared_axes=[2])(x),
        lambda x: layers.ReLU(max_value="6"),
        lambda x: layers.Lambda("lambda x: x"),
        lambda x: layers.ReversibleEmbedding(5, 4)(x, reverse=True),
        lambda x: layers.Concatenate(axis=1.5),
    ],
)
def test_arguments_that_do_not_fit_are_told(call) -> None:
    with pytest.raises((ArgumentError, ShapeError), match=r"must|takes"):
        call(np.ones((2, 3), "float32"))


def test_einsum_dense_keeps_the_sizes_of_its_kernel_alone() -> None:
    layer = layers.EinsumDense("...x,xy->...y", 4)
    layer(np.ones((2, 3, 5)))
    assert layer(np.ones((2, 5))).shape == (2, 4)
    with pytest.raises(ShapeError, match="last axis must be 5"):
        layer(np.ones((2, 6)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(2, activation="relu"),
        lambda: layers.EinsumDense("ab,bc->ac", 2, activation="relu"),
        lambda: layers.Activation("relu"),
    ],
)
def test_an_activation_that_is_taken_away_from_a_model_is_gone(make):
    model = nacre.Sequential([nacre.Input((2,)), make()])
    x = np.array([[1.0, -2.0], [-3.0, 0.5]], "float32")
    assert float(np.min(model(x))) == float(model.predict(x, verbose=0).min()) == 0.0
    model.layers[-1].activation = None
    assert float(np.min(model(x))) < 0
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-6)
    again = nacre.models.clone_model(model)
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)
