"""Building models in the three ways: structure, weights, configs, calls."""

import copy
import json
import threading

import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core import errors


def rows(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


class TwoLayers(keras.Model):
    """A subclassed model with a list of layers and dropout."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.blocks = [layers.Dense(4, activation="relu"), layers.Dense(units)]
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs, training=False):
        x = self.dropout(self.blocks[0](inputs), training=training)
        return self.blocks[1](x)


def test_sequential_counts_the_parameters_of_the_notes():
    model = keras.Sequential(
        [layers.Flatten(input_shape=(28, 28)), layers.Dense(5, activation="relu"), layers.Dense(10)]
    )
    assert [layer.count_params() for layer in model.layers] == [0, 3925, 60]
    assert model.count_params() == 3985


def test_summary_shows_shapes_counts_and_totals():
    model = keras.Sequential([layers.Dense(5, input_shape=(784,)), layers.Dense(10)])
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    for piece in ("dense (Dense)", "(None, 5)", "3,925", "(None, 10)", "60", "Total params: 3,985"):
        assert piece in text, piece


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclassed"])
def test_summary_works_for_all_kinds_of_models(kind):
    if kind == "sequential":
        model = keras.Sequential([layers.Dense(3)])
    elif kind == "functional":
        a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
        model = keras.Model([a, b], layers.concatenate([a, b]) * 2.0)
    else:
        model = TwoLayers()
        model(rows(2, 5))
    lines = []
    model.summary(print_fn=lines.append)
    assert lines[0] == f'Model: "{model.name}"'
    assert any("Total params" in line for line in lines)


def test_deferred_sequential_builds_on_first_data_and_takes_other_batch_sizes():
    model = keras.Sequential([layers.Dense(4), layers.Dense(2)])
    assert not model.built and model.weights == []
    assert model(rows(3, 6)).shape == (3, 2)
    assert model(rows(5, 6)).shape == (5, 2)
    assert model.input_shape == (None, 6)


def test_add_and_pop_change_the_output():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    popped = model.pop()
    assert popped.units == 2 and model.output_shape == (None, 4)
    assert model(rows(2, 3)).shape == (2, 4)


def test_functional_matches_dict_inputs_by_name_whatever_their_order():
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    model = keras.Model({"left": left, "right": right}, left - 2 * right)
    x, y = rows(3, 2), rows(3, 2, seed=1)
    expected = x - 2 * y
    for inputs in ({"left": x, "right": y}, {"right": y, "left": x}):
        np.testing.assert_allclose(model(inputs), expected, rtol=1e-6)
        np.testing.assert_allclose(model.predict(inputs, verbose=0), expected, rtol=1e-6)
    # An additional key does no harm.
    np.testing.assert_allclose(model({"left": x, "right": y, "other": x}), expected, rtol=1e-6)


def test_list_for_dict_inputs_out_of_sorted_order_is_refused():
    b, a = keras.Input((2,), name="b"), keras.Input((2,), name="a")
    model = keras.Model({"b": b, "a": a}, b - a)
    with pytest.raises(errors.ShapeError, match="matched by them"):
        model([rows(1, 2), rows(1, 2)])


def test_shared_layer_has_one_set_of_weights_and_is_called_twice():
    shared = layers.Dense(3, name="shared")
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], [shared(a), shared(b)])
    assert len(model.weights) == 2
    x, y = rows(2, 4), rows(2, 4, seed=1)
    out_x, out_y = model([x, y])
    np.testing.assert_allclose(out_x, shared(x), rtol=1e-6)
    np.testing.assert_allclose(out_y, shared(y), rtol=1e-6)


def test_nested_models_share_variables_with_their_outer_model():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="inner")
    x = keras.Input((3,))
    outer = keras.Model(x, layers.Dense(1)(inner(x)))
    assert outer.weights[0] is inner.weights[0]
    assert outer.get_layer("inner") is inner
    assert outer.count_params() == 8 + 3


def test_operators_slices_and_ops_make_nodes():
    x = keras.Input((4, 3))
    y = ops.relu(-x[:, 1:, :2] / 2 + 1) ** 2
    model = keras.Model(x, ops.concatenate([y, y], axis=-1))
    data = rows(2, 4, 3)
    half = np.maximum(-data[:, 1:, :2] / 2 + 1, 0) ** 2
    np.testing.assert_allclose(model(data), np.concatenate([half, half], -1), rtol=1e-6)
    again = keras.models.model_from_json(model.to_json())
    np.testing.assert_allclose(again(data), model(data), rtol=1e-6)


def make_model(kind):
    if kind == "sequential":
        return keras.Sequential([keras.Input((5,)), layers.Dense(4, "relu"), layers.Dense(3)])
    if kind == "deferred":
        model = keras.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dense(3)])
        model.build((None, 5))
        return model
    if kind == "functional":
        x = keras.Input((5,))
        h = layers.Dense(4, "tanh")(x)
        return keras.Model(x, layers.Dense(3)(layers.concatenate([h, x])))
    model = TwoLayers()
    model(rows(1, 5))
    return model


KINDS = ["sequential", "deferred", "functional", "subclassed"]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_round_trip_through_lists(kind):
    model, other = make_model(kind), make_model(kind)
    other.set_weights(model.get_weights())
    x = rows(4, 5)
    np.testing.assert_array_equal(model.predict(x, verbose=0), other.predict(x, verbose=0))


@pytest.mark.parametrize("kind", ["sequential", "deferred", "functional"])
def test_json_round_trip_gives_the_same_function(kind):
    model = make_model(kind)
    text = model.to_json()
    json.loads(text)
    again = keras.models.model_from_json(text)
    again.set_weights(model.get_weights())
    x = rows(4, 5)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    assert again.name == model.name
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("kind", ["sequential", "deferred", "functional"])
def test_clone_has_variables_of_its_own(kind):
    model = make_model(kind)
    clone = keras.models.clone_model(model)
    assert not {id(v) for v in model.weights} & {id(v) for v in clone.weights}
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(rows(2, 5)), clone(rows(2, 5)))


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_call_equals_plain_call_for_any_batch_size(kind):
    model = make_model(kind)
    for count in (1, 3, 7):
        x = rows(count, 5, seed=count)
        plain = model._call_now(x)
        np.testing.assert_allclose(model(x), plain, rtol=1e-6, atol=1e-6)


def test_code_of_the_users_runs_at_every_call():
    runs = []

    class Noted(layers.Layer):
        def call(self, inputs):
            runs.append(inputs.shape)
            return inputs

    x = keras.Input((3,))
    model = keras.Model(x, Noted()(layers.Dense(2)(x)))
    model(np.ones((4, 3)))
    runs.clear()
    model(np.zeros((4, 3)))
    assert runs == [(4, 2)]


def test_call_in_training_updates_batch_statistics_as_a_plain_call_does():
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization()])
    before = model.layers[0].moving_mean.numpy().copy()
    model(rows(8, 3))
    np.testing.assert_array_equal(model.layers[0].moving_mean.numpy(), before)
    model(rows(8, 3), training=True)
    assert np.abs(model.layers[0].moving_mean.numpy() - before).max() > 0


def test_dropout_differs_from_call_to_call_in_training_only():
    model = keras.Sequential([keras.Input((50,)), layers.Dropout(0.5)])
    x = np.ones((2, 50), "float32")
    first, second = model(x, training=True), model(x, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(model(x), x)


def test_trainable_reaches_every_level():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()])
    outer = keras.Sequential([keras.Input((3,)), inner, layers.Dense(1)])
    assert len(outer.trainable_variables) == 6
    inner.trainable = False
    assert len(outer.trainable_variables) == 2 and len(outer.non_trainable_variables) == 6
    inner.layers[0].trainable = True
    assert len(outer.trainable_variables) == 2, "a frozen model stays frozen as a whole"
    outer.trainable = True
    assert len(outer.trainable_variables) == 6


def test_lists_of_layers_that_grow_later_are_tracked():
    class Growing(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = []
            for _ in range(3):
                self.stack.append(layers.Dense(2))

        def call(self, x):
            for layer in self.stack:
                x = layer(x)
            return x

    model = Growing()
    model(rows(1, 2))
    assert len(model.trainable_variables) == 6


def test_subclass_that_passes_inputs_and_outputs_is_functional():
    class Wrapped(keras.Model):
        def __init__(self):
            x = keras.Input((3,))
            super().__init__(inputs=x, outputs=layers.Dense(2)(x))

    model = Wrapped()
    assert model.output_shape == (None, 2) and model(rows(4, 3)).shape == (4, 2)


def test_python_code_that_needs_values_runs_eagerly():
    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            if not keras.ops.is_tensor(x) or x.shape[0] == 1:
                return self.dense(x)
            return self.dense(x) if float(np.asarray(x).sum()) > 0 else -self.dense(x)

    model = Branching()
    model(np.ones((1, 3), "float32"))
    positive, negative = np.ones((2, 3), "float32"), -np.ones((2, 3), "float32")
    np.testing.assert_allclose(model(negative), model(positive), rtol=1e-6)


def test_deepcopy_gives_an_independent_model():
    pytest.importorskip("nacre.saving")
    model = make_model("functional")
    twin = copy.deepcopy(model)
    twin.set_weights([w * 0 for w in twin.get_weights()])
    assert np.abs(model(rows(2, 5))).max() > 0


def test_predict_from_eight_threads_is_right():
    model = make_model("functional")
    inputs = [rows(n % 4 + 1, 5, seed=n) for n in range(64)]
    expected = [model.predict(x, verbose=0) for x in inputs]
    wrong = []

    def work(start):
        for index in range(start, 64, 8):
            got = model.predict(inputs[index], verbose=0)
            if not np.array_equal(got, expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_stateless_call_is_pure():
    model = make_model("deferred")
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    out, new = model.stateless_call(trainable, others, rows(6, 5), training=True)
    assert out.shape == (6, 3)
    assert any(not np.array_equal(a, b) for a, b in zip(others, new, strict=True))
    for variable, value in zip(model.non_trainable_variables, others, strict=True):
        np.testing.assert_array_equal(variable.value, value)


def test_model_from_json_opens_the_json_of_tf_keras_2(pytestconfig):
    folder = pytestconfig.rootpath / "tests/reference/files/legacy"
    texts = sorted(folder.glob("*.json"))
    assert texts
    for path in texts:
        if path.stem == "expected":
            continue
        assert keras.models.model_from_json(path.read_text()).count_params() > 0, path.name


def test_a_sequential_model_says_the_shape_it_was_built_for():
    stack = [layers.Dense(2)]
    assert keras.Sequential([keras.Input((3,)), *stack]).get_build_config() == {
        "input_shape": (None, 3)
    }
    assert keras.Sequential(stack).get_build_config() is None


def test_weights_of_a_stack_built_by_its_first_call_have_its_name_once() -> None:
    model = keras.Sequential([keras.layers.Dense(2, name="head")], name="stack")
    model(np.ones((1, 3), "float32"))
    assert [w.path for w in model.weights] == ["stack/head/kernel", "stack/head/bias"]


@pytest.mark.parametrize(("dtype", "expected"), [(None, "bool"), ("float32", "float32")])
def test_conversions_that_keras_records_in_a_graph_are_read(dtype, expected):
    x = keras.Input((3,), name="x")
    config = keras.Model(x, ops.copy(ops.not_equal(x, 0.0))).get_config()
    assert config["layers"][-1]["class_name"] == "Copy"
    config["layers"][-1] |= {
        "module": "keras.src.ops.core",
        "class_name": "ConvertToTensor",
        "registered_name": "ConvertToTensor",
        "config": {"name": "copy", "dtype": dtype, "sparse": None, "ragged": None},
    }
    again = keras.Model.from_config(config)(np.array([[0.0, 2.0, 0.0]], "float32"))
    assert again.dtype == expected
    np.testing.assert_array_equal(again, [[False, True, False]])


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: [[x]]])
def test_one_output_in_a_list_is_given_alone(wrap):
    inputs = keras.Input((3,))
    model = keras.Model([inputs], wrap(keras.layers.Dense(2)(inputs)))
    x = np.ones((4, 3), "float32")
    assert model(x).shape == (4, 2) and model.predict(x, verbose=0).shape == (4, 2)
    model.compile("sgd", "mse")
    model.fit([x], [np.ones((4, 2))], verbose=0)
    assert keras.layers.Dense(1)(model.output).shape == (None, 1)
