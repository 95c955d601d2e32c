"""What is frozen within a layer of the user's own stays so, and no array moves for it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, saving
from nacre.core.errors import FileFormatError
from nacre.saving import archive, trainable_flags, weights
from nacre.saving.formats import native

X = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)


@saving.register_keras_serializable("frozen")
class FrozenBlock(layers.Layer):
    """Two layers of one shape, which no config tells apart."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = layers.Dense(4)
        self.second = layers.Dense(4)
        self.second.trainable = False

    def build(self, input_shape: Any) -> None:
        self.first.build(input_shape)
        self.second.build(input_shape)
        self.offset = self.add_weight(name="offset", shape=(4,))
        self.scale = self.add_weight(name="scale", shape=(4,), initializer="ones")

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs)) * self.scale + self.offset


@saving.register_keras_serializable("frozen")
class HoldsFrozenBlock(nacre.Model):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = FrozenBlock()
        self.head = layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.head(self.block(inputs))


def _again(model: Any, kind: str, folder: Path) -> Any:
    if kind == "pickle":
        return pickle.loads(pickle.dumps(model))
    model.save(folder / kind)
    return saving.load_model(folder / kind)


def _model(is_subclassed: bool) -> tuple[Any, FrozenBlock]:
    if is_subclassed:
        model = HoldsFrozenBlock()
        return model, model.block
    block = FrozenBlock()
    return nacre.Sequential([nacre.Input((4,)), block, layers.Dense(2)]), block


def _set_numbers(model: Any) -> None:
    for number, variable in enumerate(model.weights):
        values = np.arange(variable.size).reshape(variable.shape) % (number + 2)
        variable.assign(values / 5 - 0.1 * number)


@pytest.mark.parametrize("kind", ["m.keras", "m.h5", "folder", "pickle"])
@pytest.mark.parametrize("is_subclassed", [False, True])
def test_flags_within_own_layers_come_back_with_the_optimizers_state(
    kind: str, is_subclassed: bool, tmp_path: Path
) -> None:
    if is_subclassed and kind == "m.h5":
        pytest.skip("this format has no models without a graph")
    model, block = _model(is_subclassed)
    model(X)
    _set_numbers(model)
    block.first.trainable, block.second.trainable = False, True
    block.scale.trainable = False
    model.compile(nacre.optimizers.Adam(0.1), "mse")
    model.fit(X, X[:, :2], verbose=0)
    again = _again(model, kind, tmp_path)
    inner = again.block if is_subclassed else again.layers[0]
    assert (inner.first.trainable, inner.second.trainable) == (False, True)
    assert (inner.scale.trainable, inner.offset.trainable) == (False, True)
    assert [v.shape for v in again.trainable_variables] == [
        v.shape for v in model.trainable_variables
    ]
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    for one in (model, again):
        one.fit(X, X[:, :2], verbose=0, epochs=2, shuffle=False)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.npz", "m.safetensors", "m"])
def test_a_weight_frozen_alone_moves_no_array_in_files_of_weights(
    name: str, tmp_path: Path
) -> None:
    (model, block), (again, _) = _model(False), _model(False)
    _set_numbers(model)
    block.offset.trainable = False
    model.save_weights(tmp_path / name)
    again.load_weights(tmp_path / name)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_weight_frozen_alone_keeps_its_place_among_the_weights() -> None:
    model, block = _model(False)
    before = [w.path for w in model.weights]
    values = model.get_weights()
    block.offset.trainable = False
    assert [w.path for w in model.weights] == before
    assert "offset" not in [w.name for w in model.trainable_weights]
    for one, other in zip(model.get_weights(), values, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("damaged", [3, {"frozen": 3}, {"frozen": [[1]]}, {"set": {"a": 1}}])
def test_damaged_flags_are_told(damaged: Any) -> None:
    model, _ = _model(False)
    with pytest.raises(FileFormatError, match="trainable"):
        trainable_flags.restore(model, damaged, "'m.keras'")


@nacre.saving.register_keras_serializable("tests")
class FreezesInBuild(layers.Layer):
    """Freezes a weight that is made trainable, of a shape of its own or not."""

    def __init__(self, width: int, sets_flag: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.sets_flag = width, sets_flag

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight((self.width,), name="scale", trainable=self.sets_flag)
        self.scale.trainable = False
        self.offset = self.add_weight((input_shape[-1],), name="offset")

    def call(self, inputs: Any) -> Any:
        return inputs * nacre.ops.sum(self.scale) + self.offset


def _older(name: str, width: int, tmp_path: Path) -> nacre.Model:
    """A model, and its file as a nacre wrote it that had what was trainable first."""
    model = nacre.Sequential([nacre.Input((4,)), FreezesInBuild(width, name="own")])
    _set_numbers(model)
    save = model.save if name.endswith(".keras") else model.save_weights
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            layers.Layer,
            "_direct_variables",
            lambda self: sorted(self._own_variables, key=lambda v: not v.trainable),
        )
        patch.setattr(trainable_flags, "flags_of", lambda _: {})
        patch.setattr(weights, "_ORDER", "unread")
        patch.setattr(native, "texts_of", _without_flags(native.texts_of))
        more = {".keras": {"verify": False}, ".json": {"max_shard_size": 2e-8}}
        save(tmp_path / name, **more.get(Path(name).suffix, {}))
    return model


def _without_flags(texts_of: Any) -> Any:
    def changed(*args: Any) -> dict[str, bytes]:
        found = texts_of(*args)
        metadata = json.loads(found[archive.METADATA])
        del metadata[trainable_flags.KEY]
        return {**found, archive.METADATA: json.dumps(metadata).encode()}

    return changed


def _opened(name: str, width: int, tmp_path: Path, sets_flag: bool = True) -> nacre.Model:
    if name.endswith(".keras"):
        return nacre.models.load_model(tmp_path / name)
    model = nacre.Sequential([nacre.Input((4,)), FreezesInBuild(width, sets_flag, name="own")])
    model.load_weights(tmp_path / name)
    return model


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.weights.json"])
def test_older_files_of_what_is_frozen_in_build_are_read_in_their_order(
    name: str, tmp_path: Path
) -> None:
    model = _older(name, 3, tmp_path)
    again = _opened(name, 3, tmp_path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    again.save(tmp_path / "new.keras")
    newest = nacre.models.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(newest.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.weights.json"])
def test_older_files_that_do_not_tell_which_array_is_which_are_refused(
    name: str, tmp_path: Path
) -> None:
    model = _older(name, 4, tmp_path)
    with pytest.raises(FileFormatError, match=r"scale.*add_weight\(\.\.\., trainable=False\)"):
        _opened(name, 4, tmp_path)
    if not name.endswith(".keras"):  # as the error says
        again = _opened(name, 4, tmp_path, sets_flag=False)
        np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
