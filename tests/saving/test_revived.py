"""Layers of SavedModel folders whose class is not at hand: functions of the file compute them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, NacreError, SerializationError
from nacre.core.wire.tensorflow.objects import SavedMetadata
from nacre.core.wire.tensorflow.saved_model import SavedModel
from nacre.saving import get_custom_objects, load_model
from tests.cases.version_models import own_classes, own_model
from tests.saving.test_versions import stored, unpack

NAME = "keras-2.15.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    return unpack(NAME, tmp_path_factory.mktemp("revived"))


@pytest.fixture
def no_classes(monkeypatch: Any) -> None:
    """The classes of the case, which other tests register, are not at hand."""
    for name in [n for n in get_custom_objects() if n.startswith("corpus>")]:
        monkeypatch.delitem(get_custom_objects(), name)


def test_a_subclassed_model_computes_and_trains_by_its_functions(folder):
    model = load_model(folder / "own_model")
    x, y = stored(folder, "own_model", "input"), stored(folder, "own_model", "target")
    wanted = stored(folder, "own_model", "prediction")
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, atol=1e-6)
    np.testing.assert_allclose(model(x[:2]), wanted[:2], atol=1e-6)
    assert int(model.optimizer.iterations.numpy()) == 2
    assert [len(model.trainable_weights), len(model.non_trainable_weights)] == [7, 2]
    penalty = 0.01 * float(np.sum(model.head.variables[0].numpy() ** 2))
    np.testing.assert_allclose(model.losses, [penalty], rtol=1e-5)
    before = [weight.numpy() for weight in model.weights]
    model.fit(x, y, verbose=0)
    assert all(np.any(w.numpy() != b) for w, b in zip(model.weights, before, strict=True))


def test_training_and_freezing_of_a_subclassed_model_act(folder):
    model = load_model(folder / "own_model", compile=False)
    x = np.ones((64, 4), "float32")
    assert np.std(np.asarray(model(x, training=True))[:, 0]) > 1e-3  # dropout
    assert np.std(np.asarray(model(x))[:, 0]) < 1e-6
    model.blocks[0].trainable = False
    assert len(model.trainable_weights) == 5
    frozen = model.blocks[0].get_weights()
    model.compile("sgd", "mse")
    model.fit(x, np.ones((64, 2)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.blocks[0].get_weights(), frozen))


def test_a_class_at_hand_is_taken_before_functions(folder):
    model = load_model(folder / "own_layer", own_classes(nacre))
    assert type(model.get_layer("gated")) is own_classes(nacre)["Gated"]


def test_a_model_of_a_class_at_hand_has_each_variable_under_its_attribute(folder):
    net = type(own_model(nacre))
    model = load_model(folder / "own_model", {"Net": net})
    assert type(model) is net
    x, wanted = stored(folder, "own_model", "input"), stored(folder, "own_model", "prediction")
    np.testing.assert_allclose(model(x), wanted, atol=1e-6)
    assert int(model.optimizer.iterations.numpy()) == 2


@pytest.mark.usefixtures("no_classes")
def test_a_layer_without_its_class_stands_in_its_graph(folder):
    model = load_model(folder / "own_layer", compile=False)
    x, wanted = stored(folder, "own_layer", "input"), stored(folder, "own_layer", "prediction")
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, atol=1e-6)
    assert model.get_layer("gated").output.shape == (None, 3)
    model.compile("sgd", "mse")
    before = model.get_layer("gated").get_weights()
    model.fit(x, stored(folder, "own_layer", "target"), verbose=0)
    after = model.get_layer("gated").get_weights()
    assert all(np.any(a != b) for a, b in zip(after, before, strict=True))


@pytest.mark.usefixtures("no_classes")
def test_without_functions_the_missing_class_is_named(folder):
    with pytest.raises(SerializationError, match="corpus>Gated.*custom_objects"):
        load_model(folder / "own_layer.config")


def test_a_lambda_is_computed_by_its_functions_and_its_code_is_not_run(folder):
    model = load_model(folder / "code")
    x, y = stored(folder, "code", "input"), stored(folder, "code", "target")
    model.train_on_batch(x, y)
    wanted = stored(folder, "code", "resumed_prediction")
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, atol=1e-6)


def test_weights_of_such_a_model_are_saved_and_the_whole_needs_its_class(folder, tmp_path):
    model = load_model(folder / "own_model", compile=False)
    x, wanted = stored(folder, "own_model", "input"), stored(folder, "own_model", "prediction")
    model.save_weights(tmp_path / "a.weights.h5")
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, atol=1e-6)
    with pytest.raises(SerializationError, match="no class 'Net'.*save_weights"):
        model.save(tmp_path / "a.keras")


def test_metadata_may_stand_in_the_objects_themselves_as_tensorflow_2_4_wrote_it(folder, tmp_path):
    shutil.copytree(folder / "frozen", tmp_path / "m")
    metadata = tmp_path / "m" / "keras_metadata.pb"
    saved = SavedModel.read((tmp_path / "m" / "saved_model.pb").read_bytes())
    objects = saved.meta_graphs[0].object_graph_def
    for entry in SavedMetadata.read(metadata.read_bytes()).nodes:
        objects.nodes[entry.node_id].user_object.metadata = entry.metadata
    (tmp_path / "m" / "saved_model.pb").write_bytes(saved.write())
    metadata.unlink()
    model = load_model(tmp_path / "m")
    x, wanted = stored(folder, "frozen", "input"), stored(folder, "frozen", "prediction")
    np.testing.assert_allclose(model(x), wanted, atol=1e-6)
    assert len(model.trainable_weights) == 4
    assert int(model.optimizer.iterations.numpy()) == 2


def test_inputs_of_another_shape_are_told(folder):
    model = load_model(folder / "own_model", compile=False)
    with pytest.raises(ArgumentError, match=r"of shape \(None, 4\). Got \(2, 5\)"):
        model(np.ones((2, 5), "float32"))


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "keras_metadata.pb", "variables/variables.index"]
)
def test_damaged_folders_give_an_error_of_ours(name, folder, tmp_path):
    content = (folder / "own_model" / name).read_bytes()
    random = np.random.default_rng(0)
    shutil.copytree(folder / "own_model", tmp_path / "m")
    damaged = 0
    for _ in range(25):
        data = bytearray(content)
        for at in random.integers(0, len(data), 4):
            data[at] = random.integers(0, 256)
        (tmp_path / "m" / name).write_bytes(data[: random.integers(1, len(data) + 1)])
        try:
            load_model(tmp_path / "m")
        except NacreError:
            damaged += 1
    assert damaged > 15


class Worded(nacre.Model):
    """Looks its input up, within a `call` of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nacre.layers.StringLookup(vocabulary=["a", "b"])
        self.table = nacre.layers.Embedding(4, 2)

    def call(self, inputs: Any) -> Any:
        return self.table(self.words(inputs))


def test_a_model_of_functions_that_take_strings_predicts_as_it_computes(tmp_path):
    model, words = Worded(), np.array([["a"], ["b"], ["?"]], dtype=object)
    wanted = np.asarray(model(words))
    model.save(tmp_path / "folder")
    shutil.rmtree(tmp_path / "folder" / "nacre")  # so that it is as one of tf.keras
    again = load_model(tmp_path / "folder")
    np.testing.assert_array_equal(np.asarray(again(words)), wanted)
    np.testing.assert_array_equal(again.predict(words, batch_size=2, verbose=0), wanted)
    for one in (model, again):
        one.compile(nacre.optimizers.SGD(0.5), "mse")
    y = np.ones((3, 1, 2), "float32")
    losses = [
        one.fit(words, y, batch_size=2, epochs=2, shuffle=False, verbose=0).history["loss"]
        for one in (again, model)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    np.testing.assert_allclose(
        again.evaluate(words, y, batch_size=2, verbose=0), model.evaluate(words, y, verbose=0)
    )
    np.testing.assert_allclose(again.predict(words, verbose=0), np.asarray(model(words)), rtol=1e-6)


def test_a_folder_of_nacre_without_its_class_opens_from_its_functions_with_the_optimizer(tmp_path):
    class Unknown(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nacre.layers.Dense(3)
            self.norm = nacre.layers.BatchNormalization()

        def call(self, inputs: Any, training: bool = False) -> Any:
            return self.norm(self.inner(inputs), training=training)

    x = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4)
    model = Unknown()
    model.compile(nacre.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(x, x[:, :3], verbose=0, shuffle=False)
    model.save(tmp_path / "m")
    with pytest.warns(UserWarning, match=r"opened from its functions.*custom_objects=\{'Unknown'"):
        again = load_model(tmp_path / "m")
    assert type(load_model(tmp_path / "m", {"Unknown": Unknown})) is Unknown
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    for one in (model, again):
        one.fit(x, x[:, :3], verbose=0, shuffle=False, epochs=2)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
    assert int(again.optimizer.iterations.numpy()) == 3


def test_the_first_error_is_told_where_functions_do_not_help_either(tmp_path):
    class Gone(nacre.Model):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    model = Gone()
    model(np.ones((2, 3), "float32"))
    model.save(tmp_path / "m")
    (tmp_path / "m" / "keras_metadata.pb").write_bytes(b"")
    with pytest.raises(SerializationError, match="Gone"):
        load_model(tmp_path / "m")


def test_a_program_that_takes_strings_trains_as_a_layer_of_a_model(tmp_path):
    words = np.array([["a"], ["b"], ["?"]], dtype=object)
    inner = Worded()
    wanted = np.asarray(inner(words))
    inner.save(tmp_path / "folder")
    layer = nacre.layers.TFSMLayer(tmp_path / "folder", call_endpoint="serving_default")
    np.testing.assert_array_equal(layer(words), wanted)
    inputs = nacre.Input((1,), dtype="string")
    model = nacre.Model(inputs, nacre.layers.Flatten()(layer(inputs)))
    assert model.output_shape == (None, 2)
    model.compile(nacre.optimizers.SGD(1.0), "mse")
    np.testing.assert_array_equal(model.predict(words, verbose=0), wanted[:, 0])
    model.fit(words[:2], wanted[:2, 0] + 1, batch_size=2, verbose=0)
    # Of the mean over four numbers each has half of its difference as its gradient.
    found = model.predict(words, verbose=0)
    np.testing.assert_allclose(found[:2], wanted[:2, 0] + 0.5, rtol=1e-5)
    np.testing.assert_array_equal(found[2], wanted[2, 0])


@pytest.mark.parametrize("name", ["functional", "stack", "model"])
def test_penalties_of_layers_without_their_class_count_once(name, tmp_path):
    archive = Path(__file__).parents[1] / "reference" / "penalties.zip"
    shutil.unpack_archive(archive, tmp_path)
    wanted = json.loads((tmp_path / "numbers.json").read_text())[name]
    model = load_model(tmp_path / name)
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
    model(x, training=True)
    np.testing.assert_allclose(sorted(model.losses), sorted(wanted["losses"]), rtol=1e-5)
    steps = [model.train_on_batch(x, np.zeros((3, 2), "float32")) for _ in range(3)]
    np.testing.assert_allclose(np.ravel(steps), wanted["steps"], rtol=1e-5)


def test_a_model_within_two_graphs_stays_one(tmp_path):
    layers, x = nacre.layers, np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
    first, second, outer = (nacre.Input((4,)) for _ in range(3))
    shared = nacre.Model(first, layers.Dense(4)(first), name="shared")
    around = nacre.Model(second, layers.Dense(4)(shared(second)), name="around")
    model = nacre.Model(outer, layers.Add()([around(outer), shared(shared(outer))]))
    model.compile(nacre.optimizers.SGD(0.1), "mse")
    model.save(tmp_path / "folder")
    shutil.rmtree(tmp_path / "folder" / "nacre")  # so that it is as one of tf.keras
    again = load_model(tmp_path / "folder")
    assert len(again.weights) == len(model.weights) == 4
    assert again.get_layer("around").get_layer("shared") is again.get_layer("shared")
    for each in (model, again):
        each.fit(x, x, verbose=0)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), 1e-5)
