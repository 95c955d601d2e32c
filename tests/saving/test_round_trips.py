"""What is saved here opens here: same numbers, same training, same bytes."""

from __future__ import annotations

import copy
import io
import pickle
import zipfile

import h5py
import numpy as np
import pytest

import nacre
from nacre.saving import load_model
from tests.cases.models import MODEL_CASES, spread
from tests.saving.helpers import small, trained

SERIALIZABLE = [case.id for case in MODEL_CASES if case.is_serializable]


def same(a, b) -> bool:
    a, b = spread(a), spread(b)
    return set(a) == set(b) and all(np.array_equal(a[k], b[k]) for k in a)


# Files of Keras in both endings are opened and trained on in `test_fixtures.py`, in every tier.
@pytest.mark.parametrize("ending", [".keras", pytest.param(".h5", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SERIALIZABLE)
def test_training_goes_on_to_the_same_bits(name, ending, tmp_path):
    model, inputs, targets = trained(name)
    model.save(tmp_path / f"m{ending}")
    again = load_model(tmp_path / f"m{ending}")
    assert same(model.predict(inputs, verbose=0), again.predict(inputs, verbose=0))
    ours, theirs = model.optimizer.variables, again.optimizer.variables
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True))
    if ending == ".keras" or name != "cnn_batch_normalization":  # .h5 keeps no seeds
        for one in (model, again):
            one.train_on_batch(inputs, targets)
        assert same(model.predict(inputs, verbose=0), again.predict(inputs, verbose=0))


def test_subclassed_model_keeps_weights_and_optimizer(tmp_path):
    model, inputs, targets = trained("subclassed")
    model.save_weights(tmp_path / "w.weights.h5")
    other, _, _ = trained("subclassed")
    other.train_on_batch(inputs, targets)
    other.load_weights(tmp_path / "w.weights.h5")
    for one in (model, other):
        one.train_on_batch(inputs, targets)
    assert same(model.predict(inputs, verbose=0), other.predict(inputs, verbose=0))


@nacre.saving.register_keras_serializable("tests")
class Net(nacre.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = nacre.layers.Dense(units, activation="relu")
        self.out = nacre.layers.Dense(1)

    def call(self, x):
        return self.out(self.hidden(x))


def own_loss(y_true, y_pred):
    return nacre.ops.mean(nacre.ops.square(y_true - y_pred), axis=-1)


def test_registered_subclass_opens_whole(tmp_path):
    model = Net(4)
    model.compile("adam", "mse")
    x, y = np.ones((6, 2), "float32"), np.ones((6, 1), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "net.keras")
    again = load_model(tmp_path / "net.keras")
    assert type(again) is Net
    assert again.units == 4
    assert same(model.predict(x, verbose=0), again.predict(x, verbose=0))
    for one in (model, again):
        one.train_on_batch(x, y)
    assert same(model.predict(x, verbose=0), again.predict(x, verbose=0))


def test_the_same_model_gives_the_same_bytes(tmp_path):
    model, _, _ = trained("sequential_dense")
    for ending in (".keras", ".h5", ".weights.h5"):
        paths = [tmp_path / f"{i}{ending}" for i in range(2)]
        for path in paths:
            (model.save_weights if ending == ".weights.h5" else model.save)(path)
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_metadata_says_keras_and_nacre(tmp_path):
    small().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert b'"keras_version": "3.15.1"' in archive.read("metadata.json")
        assert b"nacre_version" in archive.read("metadata.json")


def test_folder_form_and_file_objects(tmp_path):
    model, x = small(), np.ones((2, 3), "float32")
    model.save(tmp_path / "folder", zipped=False)
    model.save(tmp_path / "folder", zipped=False)  # replaces its own kind
    file = io.BytesIO()
    model.save(file)
    for source in (tmp_path / "folder", file.getvalue(), io.BytesIO(file.getvalue())):
        assert same(load_model(source).predict(x, verbose=0), model.predict(x, verbose=0))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(nacre.core.errors.FileFormatError, match="notes.txt"):
        model.save(tmp_path / "mine", zipped=False)


def test_pickle_and_deepcopy_keep_everything():
    model = small()
    model.compile("adam", own_loss)
    x, y = np.ones((6, 3), "float32"), np.ones((6, 2), "float32")
    model.fit(x, y, verbose=0)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        other.train_on_batch(x, y)
        twin = copy.deepcopy(model)
        twin.train_on_batch(x, y)
        assert same(other.predict(x, verbose=0), twin.predict(x, verbose=0))


def test_deepcopy_finds_classes_made_in_functions():
    class Twice(nacre.layers.Layer):
        def call(self, x):
            return 2 * x

    model = nacre.Sequential([nacre.Input((2,)), Twice(), nacre.layers.Dense(1)])
    x = np.ones((2, 2), "float32")
    assert same(copy.deepcopy(model).predict(x, verbose=0), model.predict(x, verbose=0))


def test_dtypes_survive(tmp_path):
    for dtype in ("bfloat16", "float16", "mixed_bfloat16"):
        model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2, dtype=dtype)])
        for ending in (".keras", ".h5"):
            model.save(tmp_path / f"m{ending}")
            again = load_model(tmp_path / f"m{ending}")
            assert again.layers[0].dtype_policy.name == dtype
            assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


def test_loss_scale_optimizer_keeps_its_state(tmp_path):
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    model.compile(nacre.optimizers.LossScaleOptimizer(nacre.optimizers.Adam()), "mse")
    x, y = np.ones((6, 3), "float32"), np.ones((6, 2), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    ours, theirs = model.optimizer.variables, again.optimizer.variables
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True))


def test_state_within_a_loss_scale_is_found_without_it(tmp_path):
    inner = nacre.optimizers.Adam()
    model, other = small(), small()
    model.compile(nacre.optimizers.LossScaleOptimizer(inner), "mse")
    other.compile("adam", "mse")
    model.fit(np.ones((6, 3), "float32"), np.ones((6, 2), "float32"), verbose=0)
    model.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    ours, theirs = inner.variables, other.optimizer.variables
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True))


def test_h5_holds_names_that_keras_can_read_and_logs_keep_theirs(tmp_path):
    model = small()
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.ones((6, 3), "float32"), np.ones((6, 2), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    assert model.evaluate(x, y, verbose=0, return_dict=True) == again.evaluate(
        x, y, verbose=0, return_dict=True
    )
    with h5py.File(tmp_path / "m.h5") as file:
        assert '"loss": "mean_squared_error"' in file.attrs["training_config"]


def test_vocabularies_travel_as_assets(tmp_path):
    lookup = nacre.layers.IntegerLookup()
    lookup.adapt([3, 4, 5])
    layers = [nacre.Input((1,), dtype="int32"), lookup, nacre.layers.Embedding(10, 2)]
    model, x = nacre.Sequential(layers), np.array([[3], [5], [9]])
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m", zipped=False)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert "assets/layers/integer_lookup/vocabulary.txt" in archive.namelist()
    for name in ("m.keras", "m"):
        again = load_model(tmp_path / name)
        assert same(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_without_optimizer(tmp_path):
    model, _, _ = trained("sequential_dense")
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"m{ending}", include_optimizer=False)
        assert not load_model(tmp_path / f"m{ending}").compiled


def test_compiled_but_never_trained_model_opens_without_a_warning(tmp_path):
    model = small()
    model.compile(nacre.optimizers.Adam(0.5), "mse")
    model.save(tmp_path / "m.keras")
    assert float(load_model(tmp_path / "m.keras").optimizer.learning_rate) == 0.5


@nacre.saving.register_keras_serializable("round_trips")
def without_mean(images, mean, scale):
    return (images - mean) * scale["all"]


def test_arrays_among_the_arguments_of_a_lambda_come_back(tmp_path):
    mean = np.arange(4.0).reshape(2, 2)
    arguments = {"mean": mean, "scale": {"all": np.float32(2)}}
    inputs = nacre.Input((2, 2))
    model = nacre.Model(inputs, nacre.layers.Lambda(without_mean, arguments=arguments)(inputs))
    x = np.ones((1, 2, 2), "float32")
    for name in ("m.keras", "m.h5", "folder"):
        model.save(tmp_path / name)
        np.testing.assert_array_equal(load_model(tmp_path / name)(x), model(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(x), model(x))
    config = model.layers[1].get_config()
    config["arguments"] = {**arguments, "mean": {"type": "ndarray", "value": mean.tolist()}}
    again = nacre.layers.Lambda.from_config(config)  # as Keras 2 wrote it
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize("names", [("a/b", "a", "a/b/c"), ("a", "a/b", "a_b"), ("a/a", "a", "b")])
def test_names_of_layers_that_begin_others_share_no_arrays(names, tmp_path):
    inputs = nacre.Input((3,))
    first, second, third = (nacre.layers.Dense(3, name=name) for name in names)
    model = nacre.Model(inputs, third(second(first(inputs))))
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, number + 1))
    for name in ("m.keras", "m.h5", "folder", "m.weights.h5", "w.h5"):
        if "w" in name:
            model.save_weights(tmp_path / name)
            again = nacre.models.clone_model(model)
            again.load_weights(tmp_path / name)
        else:
            model.save(tmp_path / name)
            again = load_model(tmp_path / name)
        for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lamb"])
def test_an_h5_file_has_no_state_that_keeps_keras_from_training(optimizer, tmp_path):
    """Keras 3 builds the optimizer for no variables where it finds a group of this name."""
    model, x, y = small(), np.ones((4, 3)), np.ones((4, 2))
    model.compile(optimizer, "mse")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert sorted(file) == ["model_weights", "nacre_optimizer_weights"]
    other = load_model(tmp_path / "m.h5")
    found = [(v.path.partition("/")[2], v.numpy().tolist()) for v in other.optimizer.variables]
    assert found == [
        (v.path.partition("/")[2], v.numpy().tolist()) for v in model.optimizer.variables
    ]
