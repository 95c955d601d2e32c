"""`tensorflow_hub` on what is there."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import AbsentFileError, ArgumentError
from nacre.datasets.download import unpack_tar
from nacre.tf.checking import check

X = np.ones((2, 3), "float32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    class Scale(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable([1.0, 2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
        def __call__(self, x):
            return x * self.w

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
        def both(self, x):
            return {"default": x, "twice": 2 * x}

    tf.saved_model.save(Scale(), tmp_path / "scale")
    return tmp_path / "scale"


def _hub() -> Any:
    from nacre.tf.namespaces import namespace

    return namespace("hub")


def test_a_folder_is_a_layer(folder: Path) -> None:
    hub = _hub()
    frozen = hub.KerasLayer(str(folder), input_shape=(3,))
    model = tf.keras.Sequential([frozen, tf.keras.layers.Dense(1)])
    assert model.output_shape == (None, 1) and not frozen.trainable_weights
    assert frozen(X).numpy()[0].tolist() == [1.0, 2.0, 3.0]
    trained = hub.KerasLayer(str(folder), trainable=True)
    model = tf.keras.Sequential([tf.keras.Input((3,)), trained])
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)
    assert trained.weights[0].numpy().tolist() != [1.0, 2.0, 3.0]


def test_signatures_and_keys_choose_outputs(folder: Path) -> None:
    hub = _hub()
    assert hub.KerasLayer(folder, signature="both")(X).numpy().tolist() == X.tolist()
    twice = hub.KerasLayer(folder, signature="both", output_key="twice")
    assert twice(X).numpy().tolist() == (2 * X).tolist()
    every = hub.KerasLayer(folder, signature="both", signature_outputs_as_dict=True)
    assert sorted(every(X)) == ["default", "twice"]
    with pytest.raises(ArgumentError, match="output_key"):
        hub.KerasLayer(folder, signature="both", output_key="third")(X)


def test_archives_and_the_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, address = _hub(), "https://tfhub.dev/someone/scale/1"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(AbsentFileError, match="cache"):
        hub.load(address)
    place = tmp_path / "cache" / hashlib.sha1(address.encode()).hexdigest()
    place.parent.mkdir()
    place.symlink_to(folder)
    assert hub.resolve(address) == str(place)
    archive = tmp_path / "scale.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, ".")
    whole = unpack_tar

    def ends_early(archive: Any, path: Any) -> None:
        whole(archive, path)
        (Path(path) / "variables" / "variables.index").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nacre.tf.hub.unpack_tar", ends_early)
        with pytest.raises(KeyboardInterrupt):
            hub.load(archive)
    for _ in range(2):
        assert hub.load(archive)(X).numpy()[0].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(AbsentFileError, match="folder"):
        hub.load(tmp_path / "nothing")


def test_programs_that_use_it_are_checked() -> None:
    found = check("import tensorflow_hub as hub\nhub.KerasLayer('x')\nhub.text_embedding('y')")
    assert [use.line for use in found.missing] == [3]
    assert any("downloaded" in (use.differs or "") for use in found.differing)
    assert "hub" not in dir(tf)
