"""What somebody does wrong who has just learnt it: told in their words, with a way out that works."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import (
    ArgumentError,
    DataError,
    LossInputError,
    NonFiniteError,
    ShapeError,
)
from tests.cases.keras_names import NOT_YET

IMAGES, DIGITS = np.ones((6, 8, 8, 1), "float32"), np.arange(6) % 3


def classifier(shape=(8, 8, 1), units=3, activation="softmax"):
    return nacre.Sequential(
        [nacre.Input(shape), layers.Flatten(), layers.Dense(units, activation=activation)]
    )


def compiled(model, loss="sparse_categorical_crossentropy", **arguments):
    model.compile("sgd", loss, **arguments)
    return model


def said(error, run):
    with pytest.raises(error) as caught:
        run()
    return re.sub(r"\s+", " ", str(caught.value))


def warned(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught]


# ------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize("way", ["predict", "call", "predict_on_batch", "fit"])
def test_one_sample_without_a_batch_axis_is_told_with_the_shape_that_was_given(way):
    model = compiled(classifier())
    run = {
        "predict": lambda: model.predict(IMAGES[0], verbose=0),
        "call": lambda: model(IMAGES[0]),
        "predict_on_batch": lambda: model.predict_on_batch(IMAGES[0]),
        "fit": lambda: model.fit(IMAGES[0], np.zeros(8), verbose=0),
    }[way]
    text = said(ShapeError, run)
    assert "Got shape (8, 8, 1). A single sample needs a batch axis: x[None]." in text
    assert model.predict(IMAGES[0][None], verbose=0).shape == (1, 3)


def test_one_sample_without_channels_is_given_both_axes():
    model = classifier()
    text = said(ShapeError, lambda: model.predict(IMAGES[0, :, :, 0], verbose=0))
    assert "Got shape (8, 8)." in text
    assert "x[None, ..., None]" in text
    assert model.predict(IMAGES[0, :, :, 0][None, ..., None], verbose=0).shape == (1, 3)


@pytest.mark.parametrize(
    ("shape", "data", "fix"),
    [
        ((8, 8, 1), (6, 64), "x.reshape(-1, 8, 8, 1)"),
        ((64,), (6, 8, 8), "x.reshape(len(x), 64)"),
        ((8, 8, 3), (6, 3, 8, 8), "np.moveaxis(x, 1, -1)"),
        ((3, 8, 8), (6, 8, 8, 3), "np.moveaxis(x, -1, 1)"),
    ],
)
def test_data_in_another_form_is_brought_into_the_models(shape, data, fix):
    model, x = classifier(shape), np.ones(data)
    assert fix in said(ShapeError, lambda: model.predict(x, verbose=0))
    assert model.predict(eval(fix), verbose=0).shape == (6, 3)  # followed to the letter


def test_an_input_that_counts_the_samples_is_told_to_leave_them_out():
    text = said(ShapeError, lambda: classifier((200, 8, 8)).predict(np.ones((6, 8, 8)), verbose=0))
    assert "without the number of samples: Input(shape=(8, 8))" in text


def test_one_sample_with_one_target_says_more_than_that_lengths_differ():
    model = compiled(classifier())
    text = said(DataError, lambda: model.evaluate(IMAGES[0], DIGITS[:1], verbose=0))
    assert "x: 8, y: 1" in text
    assert "a single sample needs a batch axis: x[None]" in text


@pytest.mark.parametrize("count", [6, 8])  # 8: as many as an image has rows
def test_a_list_of_images_is_told_to_become_one_array(count):
    model = compiled(classifier())
    x, y = [np.ones((8, 8, 1))] * count, np.zeros(count)
    text = said((DataError, ShapeError), lambda: model.fit(x, y, verbose=0))
    assert "np.stack(x)" in text
    assert len(text) < 400
    model.fit(np.stack(x), y, verbose=0)


def test_data_and_targets_in_one_tuple_are_told_to_be_two_arguments():
    model = compiled(classifier())
    assert "fit(x, y)" in said(ShapeError, lambda: model.fit((IMAGES, DIGITS), verbose=0))


@pytest.mark.parametrize(
    ("before", "make", "fix"),
    [
        ([(8, 8)], lambda: layers.Conv2D(2, 3), "Input(shape=(8, 8, 1))"),
        ([(5,)], lambda: layers.LSTM(2), "Input(shape=(5, 1))"),
        ([(None,)], lambda: layers.GRU(2), "Input(shape=(None, 1))"),
        ([(8, 8, 1), layers.Flatten], lambda: layers.Conv2D(2, 3), "Flatten behind the Conv2D"),
        ([(8, 8, 1)], lambda: layers.Conv1D(2, 3), "use Conv2D"),
        ([(8, 8, 1)], lambda: layers.MaxPooling1D(), "use MaxPooling2D"),
        ([(8, 8, 1)], lambda: layers.LSTM(2), "TimeDistributed(Flatten())"),
        ([(5,), lambda: layers.Dense(4)], lambda: layers.LSTM(2), "Reshape((4, 1))"),
    ],
)
def test_a_layer_with_too_few_or_too_many_axes_says_what_to_change_in_the_model(before, make, fix):
    shape, *others = before
    parts = [nacre.Input(shape), *(other() for other in others), make()]
    assert fix in said(ShapeError, lambda: nacre.Sequential(parts))


# ------------------------------------------------------------- what is missing or forgotten


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_forgotten_targets_are_told_as_such_beside_accuracy(method):
    model = compiled(classifier(), metrics=["accuracy"])
    text = said(LossInputError, lambda: getattr(model, method)(IMAGES))
    assert "targets must be given. Got y=None." in text


def test_validation_data_without_targets_says_where_they_belong():
    model = compiled(classifier())
    text = said(
        LossInputError, lambda: model.fit(IMAGES, DIGITS, validation_data=IMAGES, verbose=0)
    )
    assert "validation_data=(x, y)" in text


def no_return(y_true, y_pred):
    nacre.ops.mean(y_true - y_pred)


class NoReturn(nacre.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        self.dense(inputs)


@pytest.mark.parametrize(
    "build",
    [
        lambda: compiled(classifier(units=1, activation=None), no_return),
        lambda: compiled(classifier(units=1, activation=None), "mse", metrics=[no_return]),
        lambda: compiled(NoReturn(), "mse"),
        lambda: nacre.Sequential([nacre.Input((8, 8, 1)), NoReturn(), layers.Dense(1)]),
    ],
    ids=["loss", "metric", "model", "layer"],
)
def test_a_forgotten_return_is_asked_for(build):
    text = said(
        (LossInputError, ArgumentError), lambda: build().fit(IMAGES, DIGITS * 1.0, verbose=0)
    )
    assert "Got None." in text
    assert "`return`" in text


def test_a_schedule_without_return_is_asked_for_it():
    callback = nacre.callbacks.LearningRateScheduler(lambda epoch: None)
    model = compiled(classifier())
    text = said(ArgumentError, lambda: model.fit(IMAGES, DIGITS, verbose=0, callbacks=[callback]))
    assert "Is its `return` missing?" in text


def test_a_layer_called_on_a_layer_names_the_one_that_was_not_called():
    text = said(ArgumentError, lambda: layers.Dense(2)(layers.Dense(3, name="hidden")))
    assert "Dense 'hidden', which is not one" in text


def test_layers_without_a_list_are_told_to_be_one():
    text = said(ArgumentError, lambda: nacre.Sequential(nacre.Input((4,)), layers.Dense(3)))
    assert "Sequential([Input(...), Dense(...)])" in text
    text = said(ArgumentError, lambda: nacre.Sequential(layers.Dense(3)))
    assert "Sequential([Dense(...)])" in text


@pytest.mark.parametrize("given", [nacre.Input((4,)), [layers.Dense(3)]])
def test_a_model_without_outputs_is_told_what_it_is_made_from(given):
    text = said(ArgumentError, lambda: nacre.Model(given))
    assert "Model(inputs, outputs)" in text
    assert "Sequential([...])" in text


def test_a_generator_function_is_told_to_be_called():
    def batches():
        yield IMAGES, DIGITS

    model = compiled(classifier())
    assert "batches()" in said(DataError, lambda: model.fit(batches, verbose=0))
    model.fit(batches(), verbose=0)


def test_a_generator_of_single_samples_is_told_to_yield_batches():
    model = compiled(classifier())
    text = said(DataError, lambda: model.fit(zip(IMAGES, DIGITS, strict=True), verbose=0))
    assert "whole batches" in text


def test_one_text_is_told_to_become_an_array():
    words = layers.TextVectorization(vocabulary=["a", "b"])
    model = nacre.Sequential([words, layers.Embedding(4, 2), layers.GlobalAveragePooling1D()])
    text = said(DataError, lambda: model.predict("a b", verbose=0))
    assert "the string 'a b'" in text
    assert model.predict(np.array(["a b"]), verbose=0).shape == (1, 2)


def test_units_from_a_division_are_the_int_they_are():
    layer = layers.Dense(10 / 2)
    assert layer.units == 5 and isinstance(layer.units, int)
    assert "4.5" in said(ArgumentError, lambda: layers.Dense(9 / 2))


# ------------------------------------------------------------------- losses and metrics


@pytest.mark.parametrize(
    ("y", "fix"),
    [
        ([1, 2], "y - 1"),
        ([-1, 1], "(y + 1) / 2"),
        ([0, 2], "sparse_categorical_crossentropy"),
        ([0.5, 7.25], "loss='mse'"),
    ],
)
def test_targets_outside_a_binary_loss_are_answered_by_what_they_look_like(y, fix):
    model = compiled(classifier(units=1, activation="sigmoid"), "binary_crossentropy")
    assert fix in said(LossInputError, lambda: model.fit(IMAGES, np.array(y * 3), verbose=0))


@pytest.mark.parametrize("units", [1, 3])
def test_quantities_as_labels_of_classes_are_sent_to_a_loss_of_quantities(units):
    model = compiled(classifier(units=units, activation=None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the activation is told too
        text = said(LossInputError, lambda: model.fit(IMAGES, DIGITS - 1.5, verbose=0))
    assert "for quantities use a loss such as 'mse'" in text


def test_pictures_as_targets_of_a_binary_loss_are_told_to_be_divided():
    model = nacre.Sequential([nacre.Input((8, 8, 1)), layers.Dense(1, activation="sigmoid")])
    compiled(model, "binary_crossentropy")
    x = np.full((6, 8, 8, 1), 200.0)
    assert "y / 255" in said(LossInputError, lambda: model.fit(x, x, verbose=0))


def test_accuracy_of_quantities_is_warned_about_once_and_of_classes_never():
    y = np.linspace(0, 5, 6)
    model = compiled(classifier(units=1, activation=None), "mse", metrics=["accuracy"])
    told = warned(lambda: [model.fit(IMAGES, y, verbose=0), model.evaluate(IMAGES, y, verbose=0)])
    assert len(told) == 1
    assert "metrics=['mae']" in told[0]
    for units, y in ((1, DIGITS > 1), (3, np.eye(3)[DIGITS])):
        model = compiled(classifier(units=units, activation="sigmoid"), "mse", metrics=["acc"])
        assert warned(lambda: model.fit(IMAGES, y, verbose=0)) == []  # noqa: B023


def test_one_sigmoid_unit_with_a_loss_of_classes_is_not_sent_to_softmax():
    model = compiled(classifier(units=1, activation="sigmoid"))
    texts = warned(lambda: said(LossInputError, lambda: model.fit(IMAGES, DIGITS, verbose=0)))
    assert any("use loss='binary_crossentropy'" in text for text in texts)
    assert not any("activation='softmax'" in text for text in texts)


def test_missing_values_are_told_to_be_filled_and_not_blamed_on_the_learning_rate():
    x = IMAGES.copy()
    x[2, 0, 0, 0] = np.nan
    text = said(NonFiniteError, lambda: compiled(classifier()).fit(x, DIGITS, verbose=0))
    assert "row 2" in text
    assert "np.nan_to_num(x)" in text
    assert "learning rate" not in text


def test_an_embedding_smaller_than_the_vocabulary_is_named_where_the_loss_is_nan():
    words = layers.TextVectorization(vocabulary=list("abcdefg"))
    table = layers.Embedding(5, 2, name="table")
    model = nacre.Sequential([words, table, layers.GlobalAveragePooling1D(), layers.Dense(1)])
    x, y = np.array(["a g", "b g"]), np.zeros(2)
    text = said(NonFiniteError, lambda: compiled(model, "mse").fit(x, y, verbose=0))
    assert "indices up to 8" in text
    assert "pass input_dim=9" in text


def test_a_layer_that_holds_a_vocabulary_size_as_a_number_stands_beside_a_nan():
    class Sized(layers.Layer):
        vocabulary_size = 90

        def call(self, x):
            return x

    model = nacre.Sequential([Sized(), layers.TokenAndPositionEmbedding(5, 4, 2), layers.Dense(1)])
    x, y = np.array([[1, 2], [3, 9]]), np.zeros((2, 2))
    text = said(NonFiniteError, lambda: compiled(model, "mse").fit(x, y, verbose=0))
    assert "epoch 1" in text


@pytest.mark.parametrize(
    ("given", "names"),
    [  # Keras 3.15 gives the first; lists of other lengths it refuses, tf.keras 2 gave the second
        (["mae", "mse"], ["age_mae", "size_mse"]),
        (["mse"], ["age_mse", "size_mse"]),
    ],
)
def test_a_list_of_metrics_as_long_as_the_outputs_has_one_for_each(given, names):
    inputs = nacre.Input((4,))
    outputs = [layers.Dense(1, name="age")(inputs), layers.Dense(1, name="size")(inputs)]
    model = nacre.Model(inputs, outputs)
    model.compile("sgd", "mse", metrics=given)
    logs = model.fit(np.ones((6, 4)), [np.zeros(6), np.zeros(6)], verbose=0).history
    assert sorted(set(logs) - {"loss", "age_loss", "size_loss"}) == names


def test_an_empty_list_in_the_place_of_metrics_is_no_metric():
    model = classifier(units=1, activation=None)
    model.compile("sgd", "mse", [])
    assert list(model.fit(IMAGES, DIGITS, verbose=0).history) == ["loss"]


def test_names_of_classes_are_told_to_become_indices():
    text = said(DataError, lambda: nacre.utils.to_categorical(["cat", "dog"]))
    assert "names = sorted(set(x)); x = [names.index(name) for name in x]" in text


def test_data_and_targets_that_changed_places_are_told_so():
    model = compiled(classifier((4,), units=1, activation=None), "mse")
    text = said(ShapeError, lambda: model.fit(np.ones(6), np.ones((6, 4)), verbose=0))
    assert "x and y changed places" in text


# ------------------------------------------------------------------------ names and files


@pytest.mark.parametrize(
    "path", [name.removeprefix("keras.").replace("*", "image_dataset", 1) for name in NOT_YET]
)
def test_names_that_are_not_here_yet_say_so_and_what_to_do(path):
    module, _, name = path.rpartition(".")
    owner = getattr(nacre, module) if module else nacre
    with pytest.raises(AttributeError, match="not here yet"):
        getattr(owner, name)


def test_a_misspelt_name_of_nacre_is_still_answered_with_the_nearest():
    with pytest.raises(AttributeError, match="Did you mean 'Sequential'"):
        nacre.sequential  # noqa: B018
    with pytest.raises(AttributeError, match="'Earlystopping'. Did you mean 'EarlyStopping'"):
        nacre.callbacks.Earlystopping  # noqa: B018


def test_a_class_registered_after_saving_opens_the_file_as_the_error_says(tmp_path):
    class LateComer(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    model = nacre.Sequential([nacre.Input((3,)), LateComer()])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="register_keras_serializable"):
        nacre.models.load_model(tmp_path / "m.keras")
    nacre.saving.register_keras_serializable()(LateComer)
    loaded = nacre.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded(np.ones((1, 3))), np.full((1, 3), 2.0))
