"""Checkpoints of TensorFlow: those of real tf.keras open whole; what does not fit changes nothing."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.errors import ArgumentError, FileFormatError, NotBuiltError, WeightsMismatchError
from nacre.core.wire.bundle import Bundle
from tests.cases import checkpoints

REFERENCE = Path(__file__).parents[1] / "reference" / "checkpoints.zip"
OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "sgd": lambda: optimizers.SGD(0.01, momentum=0.9),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    "nadam": lambda: optimizers.Nadam(0.01),
    "adamax": lambda: optimizers.Adamax(0.01),
    "adadelta": lambda: optimizers.Adadelta(0.1),
    "ftrl": lambda: optimizers.Ftrl(0.01),
    "lion": lambda: optimizers.Lion(0.01),
    "adagrad": lambda: optimizers.Adagrad(0.01),
    "adafactor": lambda: optimizers.Adafactor(0.01),
    "averages": lambda: optimizers.Adam(
        0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "scaled": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01)),
}
OLD = "adam rmsprop adamax adadelta scaled nadam".split()
KINDS = [*OPTIMIZERS, *(f"old_{name}" for name in OLD)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of the checkpoints, and the numbers that belong to them."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with zipfile.ZipFile(REFERENCE) as archive:
        archive.extractall(folder)
    return folder, np.load(folder / "values.npz")


NAMES = ["stack-adam", "stack-old_adam", "nested-adam", "sequences-adam", "own_class-adam"]


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_tf_keras_give_its_predictions(name, saved):
    folder, values = saved
    kind = name.split("-")[0]
    model, x = checkpoints.MODELS[kind](nacre), checkpoints.inputs_of(kind)
    model.load_weights(folder / name / "weights")
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, values[f"{name}/predicted"], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_with_the_optimizer_of_tf_keras(kind, saved):
    folder, values = saved
    model = checkpoints.own_class(nacre)
    own = OPTIMIZERS[kind.removeprefix("old_")]
    model.compile(optimizers.legacy.Nadam(0.01) if kind == "old_nadam" else own(), "mse")
    model.load_weights(folder / f"own_class-{kind}" / "weights")
    assert model.optimizer.iterations.numpy() == 6
    past = model.fit(checkpoints.X, checkpoints.Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    np.testing.assert_allclose(past.history["loss"], values[f"own_class-{kind}/losses"], rtol=1e-5)


def test_a_folder_is_its_newest_checkpoint_and_the_model_has_any_name_in_it(saved):
    folder, values = saved
    model = checkpoints.stack(nacre)
    model.compile("adam", "mse")
    model.load_weights(folder / "managed")
    found = model.predict(checkpoints.X, verbose=0)
    np.testing.assert_allclose(found, values["managed/predicted"], rtol=2e-5, atol=2e-6)
    assert model.optimizer.iterations.numpy() == 12
    older = checkpoints.stack(nacre)
    older.load_weights(folder / "managed" / "ckpt-2")
    assert not np.allclose(older.predict(checkpoints.X, verbose=0), found)


@pytest.mark.parametrize("end", [".index", ".data-00000-of-00001"])
def test_a_file_of_a_checkpoint_stands_for_it(end, saved):
    folder, values = saved
    model = checkpoints.stack(nacre)
    model.load_weights(f"{folder / 'stack-adam' / 'weights'}{end}")
    found = model.predict(checkpoints.X, verbose=0)
    np.testing.assert_allclose(found, values["stack-adam/predicted"], rtol=2e-5, atol=2e-6)


# Slots of some have the shapes and the number of the other's, or some of its names.
@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("adam", "sgd"),
        ("adam", "rmsprop"),
        ("adam", "amsgrad"),
        ("adamax", "adam"),
        ("sgd", "ftrl"),
    ],
)
def test_an_optimizer_of_another_kind_starts_afresh_and_says_so(own, other, saved):
    folder, _ = saved
    model = checkpoints.own_class(nacre)
    model.compile(OPTIMIZERS[own](), "mse")
    with pytest.warns(UserWarning, match="fresh state"):
        model.load_weights(folder / f"own_class-{other}" / "weights")
    assert model.optimizer.iterations.numpy() == 0


def test_the_scale_of_the_loss_comes_from_the_file(saved):
    folder, _ = saved
    for kind in ("scaled", "old_scaled"):
        model = checkpoints.own_class(nacre)
        model.compile(optimizers.LossScaleOptimizer(optimizers.Adam(0.01), 8.0), "mse")
        model.load_weights(folder / f"own_class-{kind}" / "weights")
        assert model.optimizer.step_counter.numpy() == 6
        assert model.optimizer.dynamic_scale.numpy() == 32768


DIFFERENT = {
    "without averages": (lambda: optimizers.Adam(0.01), "averages", "average, which it has not"),
    "with averages": (lambda: optimizers.Adam(0.01, use_ema=True), "adam", "nothing for average"),
    "another with one slot": (lambda: optimizers.SGD(0.01), "lion", "m, which it has not"),
    "other wrapper": (lambda: optimizers.SGD(0.01), "scaled", "m, v, which it has not"),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_what_differs_in_the_state_of_an_optimizer_is_told(kind, saved):
    folder, _ = saved
    make, name, said = DIFFERENT[kind]
    model = checkpoints.own_class(nacre)
    model.compile(make(), "mse")
    with pytest.warns(UserWarning, match=said):
        model.load_weights(folder / f"own_class-{name}" / "weights")


def test_a_checkpoint_of_a_model_that_was_not_trained_says_nothing(tmp_path):
    for _ in range(2):
        model = checkpoints.stack(nacre)
        model.compile("adam", "mse")
        if (tmp_path / "w.index").exists():
            model.load_weights(tmp_path / "w")
        model.save_weights(tmp_path / "w")


def changed(width=3, **more):
    parts = [layers.Dense(width, name="first"), layers.BatchNormalization()]
    parts += [layers.Dense(2, **more)]
    return nacre.Sequential([nacre.Input((checkpoints.FEATURES,)), *parts])


OTHERS = {
    "another width": (lambda: changed(5), "stack-adam", r"first/kernel +file \(4, 3\)"),
    "an array less": (lambda: changed(use_bias=False), "stack-adam", "2 arrays"),
    "a layer more": (
        lambda: nacre.Sequential([changed(), layers.Dense(2)]),
        "stack-adam",
        "3 layers with weights, the model 2",
    ),
    "another class": (lambda: changed(), "own_class-adam", "does not fit"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_does_not_fit_is_told_whole_and_changes_nothing(kind, saved):
    folder, _ = saved
    make, name, said = OTHERS[kind]
    model = make()
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError, match=said):
        model.load_weights(folder / name / "weights")
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_skip_mismatch_takes_what_fits(saved):
    folder, _ = saved
    whole = checkpoints.stack(nacre)
    model = nacre.Sequential([*changed().layers[:2], layers.Dense(7)])
    model.build((None, checkpoints.FEATURES))
    whole.load_weights(folder / "stack-adam" / "weights")
    with pytest.warns(UserWarning, match="left as they are"):
        model.load_weights(folder / "stack-adam" / "weights", skip_mismatch=True)
    np.testing.assert_array_equal(model.layers[0].bias, whole.layers[0].bias)
    assert not model.layers[-1].bias.numpy().any()


def test_arrays_of_the_file_alone_are_told(saved):
    folder, _ = saved

    class Less(nacre.Model):
        def __init__(self):
            super().__init__()
            self.zed = layers.Dense(3)

        def call(self, x):
            return self.zed(x)

    model = Less()
    model(checkpoints.X)
    with pytest.warns(UserWarning, match=r"left out: .*inner \(4 arrays\)"):
        model.load_weights(folder / "own_class-adam" / "weights")


def test_bad_uses_say_what_to_do(saved, tmp_path):
    folder, _ = saved
    path = folder / "stack-adam" / "weights"
    with pytest.raises(ArgumentError, match="by_name"):
        checkpoints.stack(nacre).load_weights(path, by_name=True)
    with pytest.raises(NotBuiltError, match="Call it on a batch"):
        nacre.Sequential([layers.Dense(2)]).load_weights(path)
    with pytest.raises(FileFormatError, match="a checkpoint of TensorFlow"):
        nacre.models.load_model(path)
    with pytest.raises(FileNotFoundError):
        checkpoints.stack(nacre).load_weights(folder / "stack-adam" / "other")
    shutil.copy(f"{path}.index", tmp_path)
    with pytest.raises(FileFormatError, match=r"weights\.data-00000-of-00001"):
        checkpoints.stack(nacre).load_weights(tmp_path / "weights")


@pytest.mark.parametrize("name", [".", "..", "/", "../stack-adam/weights", "no", "a" * 300, "\\0"])
def test_the_newest_checkpoint_of_a_folder_is_one_in_it(name, saved, tmp_path):
    folder, _ = saved
    shutil.copytree(folder / "stack-adam", tmp_path / "here")
    (tmp_path / "here" / "checkpoint").write_text(f'model_checkpoint_path: "{name}"\n')
    model = checkpoints.stack(nacre)
    if name.endswith("weights"):
        model.load_weights(tmp_path / "here")
        return
    with pytest.raises(FileFormatError, match="a folder with"):
        model.load_weights(tmp_path / "here")


def copied(folder, target, file, change):
    """A checkpoint with one of its files changed."""
    for path in (folder / "stack-adam").iterdir():
        data = path.read_bytes()
        (target / path.name).write_bytes(change(bytearray(data)) if path.name == file else data)
    return target / "weights"


def test_damage_never_gives_other_numbers(saved, tmp_path):
    folder, _ = saved
    whole = checkpoints.stack(nacre)
    whole.load_weights(folder / "stack-adam" / "weights")
    generator = np.random.default_rng(0)
    model = checkpoints.stack(nacre)
    for file in ("weights.index", "weights.data-00000-of-00001"):
        size = (folder / "stack-adam" / file).stat().st_size
        for at in generator.integers(0, size, 60):

            def turn(data, at=at):
                data[at] ^= 1 << int(generator.integers(8))
                return data

            cut = lambda data, at=at: data[:at]
            for change in (turn, cut):
                path = copied(folder, tmp_path, file, change)
                try:
                    model.load_weights(path)
                except (FileFormatError, WeightsMismatchError):
                    continue
                for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
                    np.testing.assert_array_equal(a, b)


def test_a_layer_that_holds_its_model_is_refused_with_the_format_that_takes_it(tmp_path):
    class Holding(nacre.Model):
        def __init__(self):
            super().__init__()
            self.inner = nacre.layers.Dense(1)
            self.inner.owner = self

        def call(self, x):
            return self.inner(x)

    model = Holding()
    model(np.ones((1, 2)))
    with pytest.raises(ArgumentError, match=r"'inner/owner'.*\s.*weights\.h5"):
        model.save_weights(tmp_path / "weights.ckpt")
    model.save_weights(tmp_path / "name.weights.h5")


@pytest.mark.parametrize("name", checkpoints.MODELS)
@pytest.mark.parametrize("path", ["weights", "cp-0003.ckpt", "weights.02-0.53"])
def test_what_is_written_comes_back_with_the_optimizer(name, path, tmp_path):
    if path != "weights" and name != "stack":
        pytest.skip("other names are those of one model")
    model, x = checkpoints.MODELS[name](nacre), checkpoints.inputs_of(name)
    model.compile(optimizers.Adam(0.01, amsgrad=True), "mse")
    model.fit(x, checkpoints.Y, batch_size=4, verbose=0)
    model.save_weights(tmp_path / path)
    other = checkpoints.MODELS[name](nacre)
    other.compile(optimizers.Adam(0.5, amsgrad=True), "mse")
    other.load_weights(tmp_path / path)
    found, wanted = (
        [*m.get_weights(), *(v.numpy() for v in m.optimizer.variables)] for m in (other, model)
    )
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    newest = checkpoints.MODELS[name](nacre)
    newest.load_weights(tmp_path)
    np.testing.assert_array_equal(newest.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_goes_on_from_a_checkpoint_of_its_own(kind, tmp_path):
    def trained(model, epochs):
        past = model.fit(
            checkpoints.X, checkpoints.Y, epochs=epochs, batch_size=4, shuffle=False, verbose=0
        )
        return past.history["loss"]

    model, other = (checkpoints.own_class(nacre) for _ in range(2))
    for made in (model, other):
        made.compile(OPTIMIZERS[kind](), "mse")
    trained(model, 2)
    model.save_weights(tmp_path / "w")
    other.load_weights(tmp_path / "w")
    assert trained(other, 2) == trained(model, 2)


def test_the_callback_writes_checkpoints_under_the_names_of_tutorials(tmp_path):
    path = str(tmp_path / "training" / "cp-{epoch:04d}.ckpt")
    keep = nacre.callbacks.ModelCheckpoint(path, save_weights_only=True, keep_last=2)
    model = checkpoints.stack(nacre)
    model.compile("adam", "mse")
    model.fit(checkpoints.X, checkpoints.Y, epochs=3, verbose=0, callbacks=[keep])
    names = sorted(file.name for file in (tmp_path / "training").iterdir())
    data = [
        f"cp-{epoch:04d}.ckpt.{end}" for epoch in (2, 3) for end in ("data-00000-of-00001", "index")
    ]
    assert names == ["checkpoint", *data]
    other = checkpoints.stack(nacre)
    other.load_weights(tmp_path / "training")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_checkpoint_that_is_there_is_kept_where_that_is_asked(tmp_path):
    model = checkpoints.stack(nacre)
    model.save_weights(tmp_path / "w")
    with pytest.raises(ArgumentError, match=r"w\.index"):
        model.save_weights(tmp_path / "w", overwrite=False)
    with pytest.raises(FileFormatError, match=r"\.ckpt or nothing"):
        model.save_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("ndim", [1, 2])
def test_kernels_stand_under_the_attributes_that_tf_keras_has_for_them(ndim, tmp_path):
    kind = {1: nacre.layers.DepthwiseConv1D, 2: nacre.layers.DepthwiseConv2D}[ndim]
    shape = (5,) * ndim + (3,)

    def build():
        return nacre.Sequential([nacre.Input(shape), kind(2)])

    model, again = build(), build()
    model.save_weights(tmp_path / "m")
    keys = [key for key in Bundle(tmp_path / "m").entries if key.startswith("layer_with_weights-0")]
    assert sorted(key.split("/")[1] for key in keys) == ["bias", "depthwise_kernel"]
    again.load_weights(tmp_path / "m")
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_may_have_the_name_of_its_folders_list(tmp_path):
    def made():
        return nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)])

    model, other = made(), made()
    model.save_weights(tmp_path / "checkpoint", save_format="tf")
    assert sorted(path.name for path in tmp_path.iterdir())[:2] == [
        "checkpoint",
        "checkpoint.data-00000-of-00001",
    ]
    other.load_weights(tmp_path / "checkpoint")
    assert (other.get_weights()[0] == model.get_weights()[0]).all()
