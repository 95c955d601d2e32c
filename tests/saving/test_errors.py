"""What `load_model` says about paths and files it cannot use."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, SerializationError
from nacre.saving import load_model
from tests.saving.helpers import small


def test_missing_file_names_the_nearest(tmp_path):
    small().save(tmp_path / "digits.keras")
    with pytest.raises(FileNotFoundError, match="Did you mean 'digits.keras'"):
        load_model(tmp_path / "digit.keras")
    with pytest.raises(FileNotFoundError, match="Files there: digits.keras"):
        load_model(tmp_path / "something_else_entirely")
    with pytest.raises(FileNotFoundError, match="Did you mean 'digits.keras'"):
        load_model(tmp_path / "digits.h5")
    with pytest.raises(FileNotFoundError, match="Files there"):  # only the ending is alike
        load_model(tmp_path / "o.keras")
    with pytest.raises(FileNotFoundError, match="does not exist either"):
        load_model(tmp_path / "no" / "x.keras")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"hello", "begins with b'hello'"),
        (b'{"class_name": "Sequential"}', "model_from_json"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x80\x04\x95", "pickle"),
    ],
)
def test_unknown_formats_are_named(content, says, tmp_path):
    (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(FileFormatError, match=says):
        load_model(tmp_path / "m.keras")


def test_a_pickle_of_pytorch_is_told_with_what_to_write_instead(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02.")
        archive.writestr("m/version", b"3")
    with pytest.raises(FileFormatError, match=r"torch\.export\.save"):
        load_model(tmp_path / "m.pt")


def test_files_of_every_format_are_offered_in_place_of_a_missing_one(tmp_path):
    for name in ("net.onnx", "net.tflite", "net.pt2"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="Files there: net.onnx, net.pt2, net.tflite"):
        load_model(tmp_path / "something_else_entirely")


def test_format_is_told_by_content(tmp_path):
    model = small()
    model.save(tmp_path / "a.keras")
    model.save(tmp_path / "b.h5")
    (tmp_path / "a.keras").rename(tmp_path / "really_keras.h5")
    (tmp_path / "b.h5").rename(tmp_path / "really_h5.keras")
    x = np.ones((2, 3), "float32")
    for name in ("really_keras.h5", "really_h5.keras"):
        again = load_model(tmp_path / name)
        assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_weights_file_given_to_load_model(tmp_path):
    for name in ("w.weights.h5", "w.h5"):
        small().save_weights(tmp_path / name)
        with pytest.raises(FileFormatError, match="weights.*load_weights"):
            load_model(tmp_path / name)


def test_unknown_custom_class_says_how_to_pass_it(tmp_path):
    class Mine(nacre.layers.Layer):
        def call(self, x):
            return x

    class Plain(Mine):  # like the name of the built-in Pipeline, which it is not
        pass

    nacre.Sequential([nacre.Input((2,)), Plain()]).save(tmp_path / "m.keras")
    with pytest.raises(
        SerializationError, match=r"of module '\S+'\. .*Pass custom_objects="
    ) as told:
        load_model(tmp_path / "m.keras")
    assert "Pipeline" not in str(told.value)
    nacre.Sequential([nacre.Input((2,)), Mine()]).save(tmp_path / "m.keras")
    with pytest.raises(SerializationError, match="custom_objects=.*'Mine'"):
        load_model(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras", {"Mine": Mine}).built


def test_unknown_loss_says_compile_false(tmp_path):
    def odd_loss(y_true, y_pred):
        return nacre.ops.mean(y_true - y_pred, axis=-1)

    model = small()
    model.compile("sgd", odd_loss)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        with pytest.raises(SerializationError, match="compile=False"):
            load_model(tmp_path / name)
        assert load_model(tmp_path / name, custom_objects={"odd_loss": odd_loss}).compiled
        assert not load_model(tmp_path / name, compile=False).compiled
