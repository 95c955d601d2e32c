"""Archives of torch.export come back as models, without PyTorch."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nacre.core.errors import FileFormatError, NacreError, UnsupportedOpError
from nacre.export.importers.torch.operators import OPS
from nacre.models import load_model

FILES = Path(__file__).parents[2] / "reference" / "files" / "onnx"


def _arrays(name: str, kind: str) -> list[np.ndarray]:
    with np.load(FILES / "torch.npz") as arrays:
        return [arrays[f"{name}/{kind}_{i}"] for i in range(2) if f"{name}/{kind}_{i}" in arrays]


def changed(name: str, change) -> bytes:
    """The bytes of an archive whose members a function has changed: name, bytes -> bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(FILES / f"{name}.pt2") as old, zipfile.ZipFile(packed, "w") as new:
        for member in old.namelist():
            content = change(member, old.read(member))
            if content is not None:
                new.writestr(member, content)
    return packed.getvalue()


@pytest.mark.parametrize("name", ["convolutional", "recurrent", "attention", "shapes"])
def test_archives_give_the_numbers_of_torch_for_any_batch(name):
    loaded = load_model(FILES / f"{name}.pt2")
    more = [np.concatenate([x, x[:1]]) for x in _arrays(name, "input")]
    found = loaded.predict(more if len(more) > 1 else more[0], verbose=0)
    found = found if isinstance(found, list) else [found]
    for got, wanted in zip(found, _arrays(name, "output"), strict=True):
        np.testing.assert_allclose(got[:2], wanted, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got[2], wanted[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["residual", "written"])
def test_operators_that_write_give_the_numbers_of_torch(name):
    loaded = load_model(FILES / f"{name}.pt2")
    (x,), (y,) = _arrays(name, "input"), _arrays(name, "output")
    np.testing.assert_allclose(loaded(x), y, rtol=1e-5, atol=1e-6)


def test_parameters_train_and_buffers_stay_and_it_is_saved(tmp_path):
    loaded = load_model(FILES / "convolutional.pt2")
    assert "0.weight" in [w.name for w in loaded.trainable_weights]
    assert sorted(w.name for w in loaded.non_trainable_weights) == [
        "1.running_mean",
        "1.running_var",
    ]
    (x,) = _arrays("convolutional", "input")
    kept = [w.numpy() for w in loaded.non_trainable_weights]
    loaded.compile("adam", "mse")
    losses = loaded.fit(x, np.ones((2, 5)), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for before, weight in zip(kept, loaded.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(before, weight.numpy())
    loaded.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), loaded.predict(x, verbose=0))


def test_all_unknown_operators_are_told_at_once():
    def change(member: str, content: bytes) -> bytes:
        content = content.replace(b"aten.relu.default", b"aten.fancy.default")
        return content.replace(b"aten.silu.default", b"mine.other.default")

    with pytest.raises(UnsupportedOpError, match=r"2 of .*aten\.fancy.*mine\.other"):
        load_model(changed("convolutional", change))


def test_pickled_weights_are_refused():
    def change(member: str, content: bytes) -> bytes:
        return content.replace(b'"use_pickle": false', b'"use_pickle": true')

    with pytest.raises(FileFormatError, match="pickles are never opened"):
        load_model(changed("recurrent", change))


def test_weights_of_another_size_are_refused():
    def change(member: str, content: bytes) -> bytes:
        return content[:-8] if member.endswith("weight_1") else content

    with pytest.raises(FileFormatError, match="bytes for the shape"):
        load_model(changed("recurrent", change))


@pytest.mark.parametrize(
    "end", ["byteorder", "models/model.json", "weight_0", "weights_config.json"]
)
def test_archives_without_a_part_are_one_clear_error(end, tmp_path):
    data = changed("recurrent", lambda name, content: None if name.endswith(end) else content)
    (tmp_path / "broken.pt2").write_bytes(data)
    with pytest.raises(NacreError, match=r"broken\.pt2"):
        load_model(tmp_path / "broken.pt2")


def test_medians_are_the_lower_of_two_and_nan_where_one_is():
    x = np.array([[4.0, 1.0, 3.0, 2.0], [1.0, np.nan, 0.0, 5.0]], "float32")
    values, places = OPS["median"](x, dim=-1)
    np.testing.assert_array_equal(values, [2.0, np.nan])
    np.testing.assert_array_equal(places, [3, 1])
    assert OPS["median"](x[:1]) == 2.0
    np.testing.assert_array_equal(OPS["argsort"](x[0], descending=True), [0, 2, 3, 1])
    np.testing.assert_array_equal(OPS["one_hot"](np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])
