"""The mistakes people make most, each refused with rule, value and fix, before the first step."""

import warnings

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core import errors

X = np.random.default_rng(0).random((20, 4), dtype=np.float32)
Y = np.arange(20) % 10


def classifier(activation="softmax", units=10, loss="sparse_categorical_crossentropy", **kwargs):
    model = keras.Sequential(
        [
            layers.Dense(8, activation="tanh", input_shape=(4,)),
            layers.Dense(units, activation=activation),
        ]
    )
    model.compile("adam", loss, **kwargs)
    return model


def two_inputs():
    a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    return keras.Model({"left": a, "right": b}, layers.add([a, b]))


def two_outputs():
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(1, name="first")(x), layers.Dense(1, name="second")(x)])
    model.compile("sgd", "mse")
    return model


class UsesWrongSize(keras.Layer):
    def call(self, x):
        return x @ np.zeros((7, 3), "float32")


class ForgetsSuper(keras.Layer):
    def __init__(self):
        self.units = 1


def built_dense():
    layer = layers.Dense(3, name="head")
    layer(np.zeros((2, 128), "float32"))
    return layer


E = errors
# id, what the user did, error class, pieces the message must hold (rule, value, fix)
MISTAKES = [
    ("fit_wrong_width", lambda: classifier().fit(X[:, :3], Y, verbose=0), E.ShapeError, ["(None, 4)", "(20, 3)", "build the model for (None, 3)"]),
    ("fit_images_into_dense", lambda: classifier().fit(np.zeros((20, 2, 2)), Y, verbose=0), E.ShapeError, ["(None, 4)", "(20, 2, 2)", "x.reshape(len(x), 4)"]),
    ("predict_wrong_width", lambda: classifier().predict(np.zeros((3, 5)), verbose=0), E.ShapeError, ["(None, 4)", "(3, 5)"]),
    ("predict_single_sample", lambda: classifier().predict(np.zeros(4), verbose=0), E.ShapeError, ["(None, 4)", "(4,)", "x[None]"]),
    ("call_wrong_width", lambda: classifier()(np.zeros((3, 5))), E.ShapeError, ["(None, 4)", "(3, 5)"]),
    ("integer_labels_categorical", lambda: classifier(loss="categorical_crossentropy").fit(X, Y, verbose=0), E.LossInputError, ["(batch, 10)", "(20,)", "sparse_categorical_crossentropy", "to_categorical"]),
    ("one_hot_sparse", lambda: classifier().fit(X, np.eye(10)[Y], verbose=0), E.LossInputError, ["(20, 10)", "categorical_crossentropy"]),
    ("loss_would_broadcast", lambda: classifier("linear", 1, "mse").fit(X, np.zeros((20, 3)), verbose=0), E.LossInputError, ["(batch, 1)", "(20, 3)", "3 units"]),
    ("labels_out_of_range", lambda: classifier(units=5).fit(X, Y, verbose=0), E.LossInputError, ["from 0 to 4", "from 0 to 9", "10 units"]),
    ("labels_from_one", lambda: classifier().fit(X, Y + 1, verbose=0), E.LossInputError, ["from 0 to 9", "from 1 to 10", "y - 1"]),
    ("binary_targets_out_of_range", lambda: classifier("sigmoid", 1, "binary_crossentropy").fit(X, Y, verbose=0), E.LossInputError, ["between 0 and 1", "from 0 to 9", "sparse_categorical_crossentropy"]),
    ("misspelt_optimizer", lambda: keras.Sequential([layers.Dense(1)]).compile("adm", "mse"), E.UnknownNameError, ["'adm'", "Did you mean 'adam'?"]),
    ("misspelt_loss", lambda: classifier(loss="categorical_crosentropy"), E.UnknownNameError, ["'categorical_crosentropy'", "'categorical_crossentropy'"]),
    ("misspelt_metric", lambda: classifier(metrics=["acuracy"]), E.UnknownNameError, ["'acuracy'", "Did you mean"]),
    ("misspelt_activation", lambda: layers.Dense(3, activation="rellu"), E.UnknownNameError, ["'rellu'", "Did you mean 'relu'?"]),
    ("misspelt_initializer", lambda: layers.Dense(3, kernel_initializer="he_norml"), E.UnknownNameError, ["'he_norml'", "Did you mean 'he_normal'?"]),
    ("misspelt_monitor", lambda: classifier(metrics=["accuracy"]).fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("acuracy")]), E.MonitorError, ["loss, accuracy", "'acuracy'", "Did you mean 'accuracy'?"]),
    ("monitor_without_validation", lambda: classifier().fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("val_loss")]), E.MonitorError, ["'val_loss'", "validation_data", "monitor='loss'"]),
    ("misspelt_argument", lambda: layers.Dense(3, activaton="relu"), E.ArgumentError, ["activation", "activaton='relu'"]),
    ("unknown_input_key", lambda: two_inputs().predict({"left": X, "rigt": X}, verbose=0), E.ShapeError, ["['left', 'right']", "'rigt'", "Did you mean 'rigt' -> 'right'?"]),
    ("fit_before_compile", lambda: keras.Sequential([layers.Dense(1)]).fit(X, Y), E.NotCompiledError, ["compiled first", "model.compile("]),
    ("evaluate_before_compile", lambda: keras.Sequential([layers.Dense(1)]).evaluate(X, Y), E.NotCompiledError, ["compiled first"]),
    ("no_data", lambda: classifier().fit(), E.DataError, ["x=None"]),
    ("empty_data", lambda: classifier().fit(X[:0], Y[:0]), E.DataError, ["at least one row", "0 rows"]),
    ("unequal_lengths", lambda: classifier().fit(X, Y[:7]), E.DataError, ["same number of rows", "x: 20, y: 7"]),
    ("rows_of_different_lengths", lambda: classifier().fit([[1, 2], [1]], [0, 1]), E.DataError, ["rows of one length", "(2,) in row 0, (1,) in row 1", "pad_sequences"]),
    ("no_targets", lambda: classifier().fit(X, verbose=0), E.LossInputError, ["y=None", "Pass y to fit()"]),
    ("nothing_to_minimise", lambda: classifier(loss=None).fit(X, Y, verbose=0), E.LossInputError, ["something to minimise", "add_loss"]),
    ("validation_split_too_large", lambda: classifier().fit(X, Y, validation_split=1.0), E.DataError, ["between 0 and 1", "1.0"]),
    ("batch_size_zero", lambda: classifier().fit(X, Y, batch_size=0), E.ArgumentError, ["batch_size", "positive int", "0"]),
    ("dense_built_for_other_size", lambda: built_dense()(np.zeros((2, 64), "float32")), E.ShapeError, ["Dense 'head'", "must be 128", "(2, 64)", "new layer for 64"]),
    ("gray_images_into_conv", lambda: layers.Conv2D(3, 3)(np.zeros((5, 28, 28))), E.ShapeError, ["4 axes", "(5, 28, 28)", "x[..., None]"]),
    ("class_instead_of_layer", lambda: keras.Sequential([layers.Dense]), E.ArgumentError, ["only layers", "Did you mean Dense()?"]),
    ("forgotten_super_init", lambda: keras.Sequential([ForgetsSuper()]), E.NotBuiltError, ["super().__init__()"]),
    ("negative_units", lambda: layers.Dense(-1), E.ArgumentError, ["units must be a positive int", "-1"]),
    ("unknown_layer_name", lambda: classifier().get_layer("dens"), E.UnknownNameError, ["'dens'", "Did you mean"]),
    ("layer_without_name_or_index", lambda: classifier().get_layer(), E.ArgumentError, ["a name or an index must be given", "Layers: dense, dense_1."]),
    ("weights_of_another_shape", lambda: built_dense().set_weights([np.zeros((3, 3)), np.zeros(3)]), E.WeightsMismatchError, ["(128, 3)", "(3, 3)"]),
    ("too_few_weights", lambda: built_dense().set_weights([np.zeros((3, 3))]), E.WeightsMismatchError, ["2 weights", "1 arrays"]),
    ("name_used_twice", lambda: keras.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]), E.ArgumentError, ["name of its own", "'a'"]),
    ("disconnected_graph", lambda: keras.Model(keras.Input((2,)), layers.Dense(1)(keras.Input((2,)))), E.ArgumentError, ["reached from the inputs", "missing Input"]),
    ("if_on_symbolic_tensor", lambda: bool(keras.Input((2,)) > 0), E.ArgumentError, ["no values yet", "nacre.ops"]),
    ("generator_with_targets", lambda: classifier().fit((b for b in []), Y), E.DataError, ["brings its own targets"]),
    ("empty_generator", lambda: classifier().fit((b for b in []), verbose=0), E.DataError, ["at least one batch"]),
    ("target_of_one_output_missing", lambda: two_outputs().fit(X, {"first": Y[:, None]}, verbose=0), E.LossInputError, ["output 'second'", "y with the keys ['first']", "Add y['second']"]),
    ("unknown_output_in_loss", lambda: two_inputs_trained({"sum": "mse", "othr": "mse"}), E.ArgumentError, ["othr"]),
]  # fmt: skip


def two_inputs_trained(loss):
    model = two_inputs()
    model.compile("sgd", loss)
    model.fit({"left": X, "right": X}, X, verbose=0)


@pytest.mark.parametrize(
    ("mistake", "kind", "pieces"), [pytest.param(*row[1:], id=row[0]) for row in MISTAKES]
)
def test_mistake_is_refused_with_rule_value_and_fix(mistake, kind, pieces):
    with pytest.raises(kind) as caught:
        mistake()
    text = str(caught.value)
    for piece in pieces:
        assert piece in text, f"{piece!r} is not in: {text}"
    assert "Tracer" not in text
    assert not any("JAX has removed" in note for note in getattr(caught.value, "__notes__", []))


@pytest.mark.parametrize("kind", [ValueError])
def test_errors_are_also_the_builtin_ones_users_catch(kind):
    with pytest.raises(kind):
        classifier().fit(X[:, :3], Y, verbose=0)


def test_logits_with_a_probability_loss_warn():
    model = classifier(activation="linear")
    with pytest.warns(
        UserWarning, match=r"probabilities when from_logits=False.*activation='softmax'"
    ):
        model.fit(X, Y, verbose=0)


def test_softmax_with_from_logits_warns():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with pytest.warns(UserWarning, match="already applies softmax"):
        classifier(loss=loss).fit(X, Y, verbose=0)


def test_nan_loss_names_the_step():
    bad = X.copy()
    bad[10] = np.nan
    with pytest.raises(errors.NonFiniteError, match="step 3 of the epoch"):
        classifier().fit(bad, Y, batch_size=5, shuffle=False, verbose=0)


def test_terminate_on_nan_stops_without_an_error():
    history = classifier().fit(
        X * np.nan, Y, epochs=5, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]
    )
    assert len(history.epoch) == 1


def test_a_bug_in_user_code_names_the_layer_and_the_shapes():
    with pytest.raises(TypeError) as caught:
        keras.Sequential([keras.Input((4,)), UsesWrongSize(name="mine")])
    assert any("UsesWrongSize 'mine'" in n and "(None, 4)" in n for n in caught.value.__notes__)


def test_traceback_holds_no_jax_frames():
    model = classifier()
    with pytest.raises(errors.ShapeError) as caught:
        model.predict(np.zeros((3, 5)), verbose=0)
    files = [entry.path for entry in caught.traceback]
    assert not any("/jax/" in str(f) for f in files)


def test_right_data_raises_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(metrics=["accuracy"]).fit(X, Y, verbose=0)


SEVERAL = {
    "dict": lambda y_true, y_pred: {"a": keras.ops.mean(y_pred), "b": keras.ops.mean(y_true)},
    "pair": lambda y_true, y_pred: (keras.ops.mean(y_pred), keras.ops.mean(y_true)),
}


@pytest.mark.parametrize("what", ["loss", "metric", "compute_loss"])
@pytest.mark.parametrize("kind", SEVERAL)
def test_a_function_that_returns_several_things_is_told_to_return_one_tensor(what, kind):
    function = SEVERAL[kind]

    class Own(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return function(y, y_pred)

    x = keras.Input((2,))
    model = (Own if what == "compute_loss" else keras.Model)(x, layers.Dense(1)(x))
    listed = [function] if what == "metric" else None
    model.compile("sgd", function if what == "loss" else "mse", metrics=listed)
    with pytest.raises(
        errors.LossInputError, match=r"must return one tensor\. Got a (dict|tuple) of 2"
    ):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)


def test_a_metric_of_values_is_refused_where_targets_are_compared():
    for kind in (keras.metrics.Mean, keras.metrics.Sum, "mean"):
        entry = kind if isinstance(kind, str) else kind()
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        for given in ("metrics", "weighted_metrics"):
            model.compile("sgd", "mse", **{given: [entry]})
            with pytest.raises(
                errors.ArgumentError, match=r"targets with predictions\. Got (Mean|Sum)"
            ):
                model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
