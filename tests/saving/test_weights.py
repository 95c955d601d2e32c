"""Weights alone: by order, by name, with differences, in shards."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, FileFormatError, NotBuiltError, WeightsMismatchError
from tests.saving.helpers import small


def equal_weights(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.hdf5"])
def test_weights_round_trip(name, tmp_path):
    one, other = small(), small()
    one.save_weights(tmp_path / name)
    other.load_weights(tmp_path / name)
    assert equal_weights(one, other)


def test_older_layout_matches_layers_by_name(tmp_path):
    one = small()
    one.save_weights(tmp_path / "w.h5")
    other = nacre.Sequential(
        [nacre.Input((3,)), nacre.layers.Dense(4, name="hidden"), nacre.layers.Dense(9, name="new")]
    )
    before = other.layers[1].get_weights()[0]
    with pytest.warns(UserWarning, match="kept as they are: new; in the file only: head"):
        other.load_weights(tmp_path / "w.h5", by_name=True)
    assert np.array_equal(one.layers[0].get_weights()[0], other.layers[0].get_weights()[0])
    assert np.array_equal(before, other.layers[1].get_weights()[0])
    one.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(FileFormatError, match="by_name=True needs"):
        other.load_weights(tmp_path / "w.weights.h5", by_name=True)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5"])
def test_all_differences_are_listed_and_nothing_is_changed(name, tmp_path):
    small(2).save_weights(tmp_path / name)
    model = small(5, name="wide")
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError) as caught:
        model.load_weights(tmp_path / name)
    text = str(caught.value)
    assert f"'{name}' does not fit Sequential 'wide': 2 shapes differ" in text
    assert "head/kernel   file (4, 2)   model (4, 5)" in text
    assert "skip_mismatch=True" in text
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.warns(UserWarning, match="left as they are"):
        model.load_weights(tmp_path / name, skip_mismatch=True)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_missing_and_extra_layers_are_named(tmp_path):
    small().save_weights(tmp_path / "w.weights.h5")
    bigger = nacre.Sequential([nacre.Input((3,)), *[nacre.layers.Dense(4) for _ in range(3)]])
    with pytest.raises(WeightsMismatchError, match="2 shapes differ, 2 missing in the file"):
        bigger.load_weights(tmp_path / "w.weights.h5")
    bigger.save_weights(tmp_path / "big.weights.h5")
    smaller = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(4)])
    with pytest.warns(UserWarning, match="(?s)4 in the file only.*dense_1/vars/0"):
        smaller.load_weights(tmp_path / "big.weights.h5")
    bigger.save_weights(tmp_path / "big.h5")
    with pytest.raises(WeightsMismatchError, match="3 layers with weights, the model 1"):
        smaller.load_weights(tmp_path / "big.h5")


def test_frozen_layers_do_not_shift_the_older_layout(tmp_path):
    def block():
        return nacre.Sequential(
            [
                nacre.Input((3,)),
                nacre.layers.BatchNormalization(name="norm"),
                nacre.layers.Dense(3, name="dense"),
            ],
            name="block",
        )

    one = nacre.Sequential([nacre.Input((3,)), block()])
    one.set_weights([np.full(w.shape, i + 1.0) for i, w in enumerate(one.get_weights())])
    one.save_weights(tmp_path / "w.h5")
    other = nacre.Sequential([nacre.Input((3,)), block()])
    other.trainable = False
    other.load_weights(tmp_path / "w.h5")
    assert equal_weights(one, other)


def test_shards_join_again_and_are_read_beside_their_list_only(tmp_path):
    model = nacre.Sequential([nacre.Input((50,)), *[nacre.layers.Dense(50) for _ in range(4)]])
    model.save_weights(tmp_path / "w.weights.json", max_shard_size=12_000 / 1024**3)
    # One file each; the first has a second name, which Keras opens it by.
    assert len({path.stat().st_ino for path in tmp_path.glob("w_*.weights.h5")}) == 4
    other = nacre.Sequential([nacre.Input((50,)), *[nacre.layers.Dense(50) for _ in range(4)]])
    other.load_weights(tmp_path / "w.weights.json")
    assert equal_weights(model, other)
    text = (tmp_path / "w.weights.json").read_text().replace("w_00000", "../w_00000")
    (tmp_path / "evil.weights.json").write_text(text)
    with pytest.raises(FileFormatError, match="must lie beside it"):
        other.load_weights(tmp_path / "evil.weights.json")
    with pytest.raises(ArgumentError, match="largest array"):
        model.save_weights(tmp_path / "w.weights.json", max_shard_size=100 / 1024**3)


def test_unbuilt_models_are_told_to_build_before_they_are_saved(tmp_path):
    model = nacre.Sequential([nacre.layers.Dense(2)])
    with pytest.raises(NotBuiltError, match="must be built"):
        model.save_weights(tmp_path / "w.weights.h5")


def test_groups_of_keras_212_and_its_backslashes_are_found(tmp_path):
    model = small()
    kernels = model.get_weights()
    for name, place in (
        ("a.weights.h5", "_layer_checkpoint_dependencies/{}/vars/{}"),
        ("b.weights.h5", "layers\\{}\\vars/{}"),
    ):
        with h5py.File(tmp_path / name, "w") as file:
            for i, layer in enumerate(("dense", "dense_1")):
                for j in range(2):
                    file[place.format(layer, j)] = kernels[2 * i + j]
            file.create_group("vars")
        other = small()
        other.load_weights(tmp_path / name)
        assert equal_weights(model, other)


class MadeInBuild(nacre.Model):
    """Has no layers before it knows its input."""

    def build(self, input_shape):
        self.first = nacre.layers.Dense(3)
        self.second = nacre.layers.Dense(2)
        super().build(input_shape)

    def call(self, x):
        return self.second(self.first(x))


FILES = ("m.keras", "m.h5", "w.weights.h5", "w.h5", "w.safetensors", "w.npz", "w", "w.weights.json")


def _saved(model, path):
    if path.name.startswith("m"):
        model.save(path)
    elif path.suffix == ".json":
        model.save_weights(path, max_shard_size=1)
    else:
        model.save_weights(path)


@pytest.mark.parametrize("name", FILES[:2])
def test_layers_made_in_build_are_there_when_a_file_is_opened(name, tmp_path):
    x = np.ones((2, 4), "float32")
    model = MadeInBuild()
    model(x)
    model.save(tmp_path / name)
    found = nacre.saving.load_model(tmp_path / name, custom_objects={"MadeInBuild": MadeInBuild})
    np.testing.assert_array_equal(found(x), model(x))


@pytest.mark.parametrize("name", FILES)
def test_everything_that_does_not_fit_is_told_at_once_by_path(name, tmp_path):
    def made(*widths):
        names = ("first", "second", "third")
        dense = [nacre.layers.Dense(w, name=n) for w, n in zip(widths, names, strict=True)]
        return nacre.Sequential([nacre.Input((4,)), *dense])

    _saved(made(3, 3, 3), tmp_path / name)
    model = made(3, 5, 7)
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError) as told:
        model.load_weights(tmp_path / name)
    for path in ("second/kernel", "second/bias", "third/kernel", "third/bias"):
        assert path in str(told.value)
    assert "first/kernel" not in str(told.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def trained(optimizer) -> nacre.Model:
    model = small()
    model.compile(optimizer, "mse")
    model.train_on_batch(np.eye(3, dtype="float32"), np.ones((3, 2)))
    return model


def test_the_state_of_another_kind_of_optimizer_stays_out_though_its_shapes_fit(tmp_path):
    path = tmp_path / "w.weights.h5"
    trained("adam").save_weights(path)  # moments of the shapes of Adamax's
    with h5py.File(path, "r+") as file:
        file["optimizer/vars"].attrs["name"] = "adam_3"  # Keras numbers the second one
    model = trained("adamax")
    state = [np.array(v) for v in model.optimizer.variables]
    with pytest.warns(UserWarning, match="(?s)fresh state.*that of 'adam'"):
        model.load_weights(path)
    assert all(np.array_equal(a, v) for a, v in zip(state, model.optimizer.variables, strict=True))


def test_the_state_of_adam_goes_into_optimizers_of_its_line_and_other_names(tmp_path):
    path = tmp_path / "w.weights.h5"
    first = trained("adam")
    first.train_on_batch(np.eye(3, dtype="float32"), np.ones((3, 2)))
    first.save_weights(path)
    for optimizer in ("adamw", nacre.optimizers.Adam(name="mine")):
        model = trained(optimizer)
        model.load_weights(path)
        assert int(model.optimizer.iterations) == 2


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_a_layer_that_does_more_when_it_is_loaded_is_asked(tmp_path, suffix):
    class Noting(nacre.layers.Dense):
        saves_by_number = True
        loads = 0

        def load_own_variables(self, store):
            super().load_own_variables(store)
            self.loads += 1

    def made():
        return nacre.Sequential([nacre.Input((2,)), Noting(3)])

    model, path = made(), tmp_path / f"m{suffix}"
    if suffix == ".weights.h5":
        model.save_weights(path)
        other = made()
        other.load_weights(path)
    else:
        model.save(path)
        other = nacre.models.load_model(path, custom_objects={"Noting": Noting})
    assert other.layers[0].loads == 1
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
