"""SavedModel folders: nacre opens what it wrote, exactly; what is in the files.

What TensorFlow and tf.keras make of them is tried by `tests.reference.check_saved_models`.
"""

import json
import os
import re
import warnings
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import nacre
import nacre.core.errors
from nacre.core import safety, tree
from nacre.core.registry import plain_config
from nacre.core.wire import bundle
from nacre.core.wire.bundle import Bundle
from nacre.core.wire.tensorflow.objects import SavedMetadata
from nacre.core.wire.tensorflow.saved_model import MetaGraphDef, SavedModel
from nacre.export.targets.graphdef.body import Kind
from nacre.export.targets.graphdef.rules import FORMS, elementwise
from nacre.saving import open_saved_model, own_part
from nacre.saving.keras2_config import keras2_config
from tests.cases.saved_models import CASES

X = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4)
Y = X[:, :1]


def stack() -> nacre.Model:
    layers = nacre.layers
    model = nacre.Sequential(
        [
            nacre.Input((4,), name="features"),
            layers.Dense(3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1, name="answer"),
        ]
    )
    model.compile("adam", "mse")
    return model


def meta_of(folder: Path) -> MetaGraphDef:
    return SavedModel.read((folder / "saved_model.pb").read_bytes()).meta_graphs[0]


def test_a_folder_comes_back_as_the_same_model_that_goes_on_training(tmp_path):
    model = stack()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "folder")
    again = nacre.models.load_model(tmp_path / "folder")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    losses = [
        m.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] for m in (model, again)
    ]
    assert losses[0] == losses[1]


def test_a_folder_has_the_files_that_tensorflow_and_keras_look_for(tmp_path):
    stack().save(tmp_path / "folder")
    names = ["assets", "keras_metadata.pb", "nacre", "saved_model.pb", "variables"]
    assert sorted(os.listdir(tmp_path / "folder")) == names
    assert os.listdir(tmp_path / "folder" / "assets") == []
    assert len(os.listdir(tmp_path / "folder" / "variables")) == 2


def test_signatures_have_the_names_and_dtypes_of_inputs_and_outputs(tmp_path):
    stack().save(tmp_path / "folder")
    signature = meta_of(tmp_path / "folder").signature_def["serving_default"]
    assert list(signature.inputs) == ["features"]
    assert list(signature.outputs) == ["answer"]
    assert [dim.size for dim in signature.inputs["features"].tensor_shape.dim] == [-1, 4]
    assert signature.method_name == "tensorflow/serving/predict"


def test_a_function_with_an_input_signature_is_served_by_its_name(tmp_path):
    model = stack()

    @nacre.function(input_signature=[nacre.KerasTensor((None, 4), name="rows")])
    def doubled(rows):
        return {"twice": 2 * model(rows), "rows": rows}

    model.save(tmp_path / "folder", signatures={"double": doubled})
    signatures = meta_of(tmp_path / "folder").signature_def
    assert sorted(signatures) == ["double", "serving_default"]
    assert list(signatures["double"].inputs) == ["rows"]
    assert sorted(signatures["double"].outputs) == ["rows", "twice"]


def test_signatures_whose_names_differ_little_are_told_apart(tmp_path):
    names = ["a.b", "a_b", "a b", "A_b", "é", "è"]

    def times(factor):
        signature = [nacre.KerasTensor((None, 4), name="x")]
        return nacre.function(lambda x: factor * x, input_signature=signature)

    signatures = {name: times(place) for place, name in enumerate(names, 1)}
    stack().save(tmp_path / "folder", signatures=signatures)
    program = open_saved_model(tmp_path / "folder")
    for place, name in enumerate(names, 1):
        (found,) = program.signatures[name](x=np.ones((1, 4), "float32")).values()
        assert found.tolist() == [[place] * 4]
    nodes = [node.name for node in meta_of(tmp_path / "folder").graph_def.node]
    assert len({node.lower() for node in nodes}) == len(nodes)
    assert all(re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*", node) for node in nodes)


@pytest.mark.parametrize("given", [len, nacre.function(lambda x: x)])
def test_a_signature_that_says_no_shapes_is_refused_with_the_line_to_write(tmp_path, given):
    with pytest.raises(nacre.core.errors.ArgumentError, match=r"input_signature=\["):
        stack().save(tmp_path / "folder", signatures={"mine": given})
    assert not (tmp_path / "folder").exists()


def test_signatures_for_another_format_are_refused(tmp_path):
    with pytest.raises(nacre.core.errors.ArgumentError, match="without an ending"):
        stack().save(tmp_path / "m.keras", signatures={})


def test_saving_over_a_folder_replaces_all_of_it(tmp_path):
    model = stack()
    model.save(tmp_path / "folder")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "folder")
    again = nacre.models.load_model(tmp_path / "folder")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert os.listdir(tmp_path) == ["folder"]


def test_a_folder_with_other_files_in_it_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("years of work")
    with pytest.raises(nacre.core.errors.FileFormatError, match=r"thesis\.tex"):
        stack().save(tmp_path / "folder")
    assert (tmp_path / "folder" / "thesis.tex").read_text() == "years of work"


def test_what_has_no_form_is_told_before_anything_is_written(tmp_path, monkeypatch):
    for op in ("sin", "cos"):
        monkeypatch.delitem(FORMS.by_op, op)
    inputs = nacre.Input((4,))
    outputs = nacre.layers.Lambda(nacre.ops.sin, name="peaks")(inputs)
    outputs = nacre.layers.Lambda(nacre.ops.cos, name="lows")(outputs)
    model = nacre.Model(inputs, outputs)
    with pytest.raises(nacre.core.errors.UnsupportedOpError) as raised:
        model.save(tmp_path / "folder")
    assert "sin in" in str(raised.value) and "peaks" in str(raised.value)
    assert "cos in" in str(raised.value) and "lows" in str(raised.value)
    assert os.listdir(tmp_path) == []


X_NAN = X.copy()
X_NAN[0, 1] = X_NAN[1, 1:3] = X_NAN[2] = np.nan
X_NAN[3] = np.inf, -np.inf, -0.0, 0.0
INTS = np.arange(24, dtype="int32").reshape(6, 4) * 7 % 3


@pytest.mark.parametrize(
    ("table", "op", "wrong", "layer"),
    [
        ("_UNARY", "tanh", "Sin", "second"),
        ("_UNARY", "relu", "Softplus", "first"),
        ("_BINARY", "mul", "AddV2", "third"),
    ],
)
def test_a_wrong_form_is_found_and_its_layer_named(tmp_path, monkeypatch, table, op, wrong, layer):
    model = nacre.Sequential(
        [
            nacre.Input((4,)),
            nacre.layers.Dense(5, "relu", kernel_initializer="ones", name="first"),
            nacre.layers.Activation("tanh", name="second"),
            nacre.layers.Rescaling(0.25, name="third"),
        ]
    )
    path = tmp_path / "folder"
    model.save(path)
    before = path.joinpath("saved_model.pb").read_bytes()
    monkeypatch.setitem(getattr(elementwise, table), op, wrong)
    model.add(nacre.layers.Dense(2))
    named = rf"first layer that differs is '.*{layer}'.*is right"
    for write in (model.save, lambda path: model.export(path, verbose=False)):
        with pytest.raises(nacre.core.errors.FileFormatError, match=named):
            write(path)
    assert path.joinpath("saved_model.pb").read_bytes() == before


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda x: (lax.cummax(x, axis=1), lax.cummin(x, axis=1, reverse=True)), [X_NAN]),
        (lambda x: lax.cummax(x, axis=0), [INTS]),
        (lambda x: lax.sort((x[0], x[1]), dimension=1, num_keys=2), [INTS, X]),
        (lambda x: lax.sort((x[0], x[1], x[2]), dimension=1, num_keys=3), [INTS % 2, INTS, X]),
        (lambda x: (jnp.sort(x > 0, axis=1), jnp.argsort(x > 0, axis=1)), [X]),
        (lambda x: (jnp.sort(x, axis=0), jnp.argsort(x, axis=1)), [X_NAN]),
        (lambda x: jnp.sort(x.astype("bfloat16"), axis=1), [X_NAN]),
        (lambda x: lax.top_k(x, 3), [X_NAN[:3]]),
    ],
    ids=["running", "integers", "two keys", "three", "truths", "NaN", "16 bits", "largest"],
)
@pytest.mark.filterwarnings("ignore:.*holds a lambda")
def test_orders_and_running_extremes_are_those_of_nacre(tmp_path, function, arrays):
    inputs = [nacre.Input((4,), dtype=x.dtype.name) for x in arrays]
    given = arrays if len(arrays) > 1 else arrays[0]
    layer = nacre.layers.Lambda(function)
    model = nacre.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))
    model.save(tmp_path / "folder")
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    pairs = zip(tree.flatten(program(given)), tree.flatten(model(given)), strict=True)
    for found, right in pairs:  # float64, as NumPy takes NaN of 16 bits for different ones
        np.testing.assert_array_equal(*(np.asarray(y).astype("float64") for y in (found, right)))


def test_weights_shared_between_layers_are_stored_once(tmp_path):
    shared = nacre.layers.Dense(4)
    inputs = nacre.Input((4,))
    model = nacre.Model(inputs, shared(shared(inputs)))
    model.save(tmp_path / "folder")
    objects = meta_of(tmp_path / "folder").object_graph_def.nodes
    assert sum(node.variable is not None for node in objects) == 2


def test_whole_numbers_of_64_bits_are_what_a_signature_takes(tmp_path):
    inputs = nacre.Input((3,), dtype="int64", name="ids")
    model = nacre.Model(inputs, nacre.layers.Embedding(5, 2)(inputs))
    model.save(tmp_path / "flowers" / "1")  # the folder above is made, as servers want it
    signature = meta_of(tmp_path / "flowers" / "1").signature_def["serving_default"]
    assert signature.inputs["ids"].dtype == 9  # DT_INT64


def test_keras_is_told_configs_in_its_second_dialect(tmp_path):
    stack().save(tmp_path / "folder")
    nodes = SavedMetadata.read((tmp_path / "folder" / "keras_metadata.pb").read_bytes()).nodes
    assert nodes[0].node_path == "root" and nodes[0].identifier == "_tf_keras_sequential"
    assert '"batch_input_shape": [null, 4]' in nodes[0].metadata
    assert "DTypePolicy" not in nodes[0].metadata and "module" not in nodes[0].metadata
    assert '"class_name": "Custom>Adam"' in nodes[0].metadata


@pytest.mark.parametrize("name", ["activity_regularizer", "kernel_regularizer", None])
def test_losses_that_keras_would_train_without_are_told(tmp_path, name):
    inputs = nacre.Input((4,))
    x = nacre.layers.RMSNormalization()(inputs)  # which tf.keras 2.15 has not
    regularizers = {} if name is None else {name: "l2"}
    model = nacre.Model(inputs, nacre.layers.Dense(2, **regularizers)(x))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.save(tmp_path / "folder")
    told = [str(w.message) for w in found if "trains there without them" in str(w.message)]
    assert len(told) == (name == "activity_regularizer")  # tf.keras makes Dense from its config


def test_a_folder_that_keras_saved_into_since_is_not_taken_for_what_it_was(tmp_path):
    stack().save(tmp_path / "folder")
    file = tmp_path / "folder" / "saved_model.pb"
    assert own_part.is_there(tmp_path / "folder")
    model = SavedModel.read(file.read_bytes())
    model.meta_graphs[0].meta_info_def.tensorflow_version = "2.15.1"
    file.write_bytes(model.write())
    assert not own_part.is_there(tmp_path / "folder")


def test_damaged_variables_are_one_clear_error(tmp_path):
    stack().save(tmp_path / "folder")
    data = tmp_path / "folder" / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[: len(data.read_bytes()) // 3])
    with pytest.raises(nacre.core.errors.FileFormatError, match="variables must be intact"):
        nacre.models.load_model(tmp_path / "folder")


@pytest.mark.parametrize("size", [2**40, 2**63 - 1])
def test_sizes_that_an_index_only_claims_are_one_clear_error_and_allow_nothing(
    size, tmp_path, monkeypatch
):
    """What is made while a file is opened may take as much as its files are large, really."""
    stack().save(tmp_path / "folder")
    told, real, set_size = [], bundle._entry, safety.set_file_size
    monkeypatch.setattr(bundle, "_entry", lambda data: replace(real(data), size=size))
    monkeypatch.setattr(safety, "set_file_size", lambda n: (told.append(n), set_size(n)))
    with pytest.raises(nacre.core.errors.FileFormatError, match="variables must be intact"):
        nacre.models.load_model(tmp_path / "folder")
    assert max(told) < 100_000


def test_a_registered_class_comes_back_as_itself(tmp_path):
    @nacre.saving.register_keras_serializable("saved_model_tests")
    class Scaled(nacre.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.inner = nacre.layers.Dense(units)
            self.scale = self.add_weight(shape=(units,), name="scale", initializer="ones")

        def call(self, inputs, training=False):
            return self.inner(inputs) * self.scale

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    model = Scaled(2)
    expected = model(X)
    model.save(tmp_path / "folder")
    again = nacre.models.load_model(tmp_path / "folder")
    assert type(again) is Scaled
    np.testing.assert_array_equal(again(X), expected)


def test_checkpoints_during_training_may_be_folders(tmp_path):
    model = stack()
    callback = nacre.callbacks.ModelCheckpoint(str(tmp_path / "epoch_{epoch}"))
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
    assert sorted(os.listdir(tmp_path)) == ["epoch_1", "epoch_2"]
    again = nacre.models.load_model(tmp_path / "epoch_2")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_an_ending_that_no_format_has_makes_no_folder(tmp_path):
    with pytest.raises(nacre.core.errors.FileFormatError, match=r"SavedModel folder"):
        stack().save(tmp_path / "model.kears")
    assert os.listdir(tmp_path) == []


def test_the_variables_are_a_checkpoint_that_has_the_state_of_the_optimizer(tmp_path):
    model = stack()
    model.fit(X, Y, batch_size=3, verbose=0)
    model.save(tmp_path / "folder")
    bundle = Bundle(tmp_path / "folder" / "variables" / "variables")
    steps = bundle.read("optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE")
    assert steps.dtype == "int64" and steps == 2
    model.save(tmp_path / "without", include_optimizer=False)
    bundle = Bundle(tmp_path / "without" / "variables" / "variables")
    assert not any(name.startswith("optimizer") for name in bundle.entries)


@pytest.mark.parametrize("name", list(CASES))
def test_what_was_written_gives_what_the_model_gives_for_other_sizes_too(tmp_path, name):
    case = CASES[name]
    model = case.build(nacre)
    model.save(tmp_path / "folder", verify=False)
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    for shapes in (case.shapes, case.longer):
        batch = case.arrays(shapes)
        pairs = zip(tree.flatten(program(batch)), tree.flatten(model(batch)), strict=True)
        for found, right in pairs:
            assert np.asarray(found).dtype == np.asarray(right).dtype
            np.testing.assert_allclose(found, right, case.tolerance, case.tolerance)


def test_a_folder_that_computes_something_else_is_not_put_in_place(tmp_path, monkeypatch):
    def wrong(make, node, inputs):
        return make.add("Neg", inputs, T=Kind("float32"))

    model = stack()
    monkeypatch.setitem(FORMS.by_op, "relu", wrong)
    with pytest.raises(nacre.core.errors.FileFormatError, match="other numbers in output 0"):
        model.save(tmp_path / "folder")
    assert os.listdir(tmp_path) == []


def test_saving_leaves_states_of_layers_as_they_are(tmp_path):
    layer = nacre.layers.LSTM(2, stateful=True)
    model = nacre.Sequential([nacre.Input(batch_shape=(2, 3, 4)), layer])
    model(np.ones((2, 3, 4), "float32"))
    before = [np.asarray(v.value) for v in layer.states]
    model.save(tmp_path / "folder")
    for old, new in zip(before, layer.states, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"output_sequence_length": 3}, {"split": "character"}, {"ngrams": 2},
        {"split": "character", "output_sequence_length": 4}, {"ngrams": (3, 1)},
        {"split": "character", "ngrams": 2, "output_mode": "count"},
        {"split": None, "ngrams": 2}, {"split": None, "output_sequence_length": 3},
        {"ngrams": 2, "output_sequence_length": 2},
    ],
    ids=str,
)  # fmt: skip
def test_texts_are_split_and_looked_up_by_what_is_in_the_folder(tmp_path, options):
    layer = nacre.layers.TextVectorization(**options)
    layer.adapt(["red green blue", "red", "grün"])
    inputs = nacre.Input((1,), dtype="string")
    model = nacre.Model(inputs, layer(inputs))
    model.save(tmp_path / "folder")
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    given = np.array([["Red, green! of blue red"], ["  blue"], [""], ["grün 𝒳"]], object)
    for rows in (given, given[:1], given[2:3]):
        np.testing.assert_array_equal(program(rows), model(rows))
    again = nacre.models.load_model(tmp_path / "folder")
    np.testing.assert_array_equal(again(given), model(given))


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("mode", ["int", "one_hot"])
def test_crossed_features_fall_into_the_buckets_that_nacre_has(tmp_path, shape, mode):
    kinds = ("string", "int32", "string")
    inputs = [nacre.Input(shape, dtype=kind) for kind in kinds]
    model = nacre.Model(inputs, nacre.layers.HashedCrossing(101, output_mode=mode)(inputs))
    model.save(tmp_path / "folder")
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    texts = np.array(["a", "", "grün"], object).reshape(3, *shape)
    given = [texts, np.array([-2, 0, 70_000], "int32").reshape(3, *shape), texts[::-1]]
    np.testing.assert_array_equal(program(given), model(given))


def test_hashed_texts_fall_into_the_buckets_that_nacre_has(tmp_path):
    inputs = nacre.Input((1,), dtype="string")
    both = [nacre.layers.Hashing(7)(inputs), nacre.layers.Hashing(7, salt=3)(inputs)]
    model = nacre.Model(inputs, both)
    model.save(tmp_path / "folder")
    program = nacre.saving.open_saved_model(tmp_path / "folder")
    given = np.array([["a"], ["bc"], ["grün"]], object)
    for found, right in zip(program(given), model.predict(given, verbose=0), strict=True):
        np.testing.assert_array_equal(found, right)


def test_keras_counts_the_calls_of_a_model_within_from_one():
    inner = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(4)], name="inner")
    inputs = nacre.Input((4,), name="x")
    model = nacre.Model(inputs, inner(inner(inputs)))
    config = keras2_config(plain_config(model), lambda name: inner.call)["config"]
    assert config["layers"][1]["inbound_nodes"] == [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]
    assert config["output_layers"] == [["inner", 2, 0]]


def test_a_folder_with_automatic_loss_scaling_opens_and_counts_on(tmp_path):
    model = nacre.Sequential([nacre.Input((4,)), nacre.layers.Dense(1, dtype="mixed_float16")])
    scaled = nacre.optimizers.LossScaleOptimizer(nacre.optimizers.SGD(momentum=0.9))
    model.compile(scaled, "mse")  # its counter is that of the optimizer within
    model.fit(X, Y, batch_size=3, verbose=0)
    model.save(tmp_path / "folder")
    again = nacre.models.load_model(tmp_path / "folder")
    assert int(again.optimizer.iterations) == int(scaled.iterations) == 1  # of two, one overflowed
    for mine, theirs in zip(again.optimizer.variables, scaled.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_layers_that_draw_numbers_have_the_shape_that_tf_keras_builds_them_for(tmp_path):
    inputs = nacre.Input((6, 5, 3))
    flipped = nacre.layers.RandomFlip(name="flipped")(inputs)
    nacre.Model(inputs, flipped).save(tmp_path / "folder")
    written = SavedMetadata.read((tmp_path / "folder" / "keras_metadata.pb").read_bytes())
    found = {told["name"]: told for node in written.nodes if (told := json.loads(node.metadata))}
    assert found["flipped"]["build_input_shape"]["items"] == [None, 6, 5, 3]
