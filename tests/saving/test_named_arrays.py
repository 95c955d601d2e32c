"""Weights by name: `.safetensors` and `.npz`, as other libraries write and read them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError, WeightsMismatchError
from nacre.core.regions import as_bytes
from nacre.saving.formats import named_arrays
from tests.saving.helpers import small

ENDINGS = ["safetensors", "npz"]


def equal_weights(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def stack(numbers, name=None):
    dense = [layers.Dense(3, bias_initializer="normal", name=f"dense_{n}") for n in numbers]
    return nacre.Sequential([nacre.Input((3,)), *dense], name=name)


def write(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        safetensors.numpy.save_file(arrays, path)


# -------------------------------------------------------------------- both ways


@pytest.mark.parametrize("ending", ENDINGS)
def test_weights_round_trip_and_optimizers_stay(ending, tmp_path):
    one, other = small(), small()
    one.compile("adam", "mse")
    one.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    one.save_weights(tmp_path / f"w.{ending}")
    other.compile("adam", "mse")
    other.load_weights(tmp_path / f"w.{ending}")
    assert equal_weights(one, other)
    assert int(other.optimizer.iterations.numpy()) == 0
    other.load_weights((tmp_path / f"w.{ending}").read_bytes())
    with open(tmp_path / f"w.{ending}", "rb") as file:
        other.load_weights(file)
    assert [p.name for p in tmp_path.iterdir()] == [f"w.{ending}"]


def test_the_real_library_reads_what_is_written(tmp_path):
    model = small()
    model.save_weights(tmp_path / "w.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    assert found.keys() == {weight.path for weight in model.weights}
    assert all(np.array_equal(found[w.path], w.numpy()) for w in model.weights)
    with safetensors.safe_open(tmp_path / "w.safetensors", "np") as file:
        assert file.metadata()["format"] == "nacre"
    with np.load(b := _npz(model)) as file:
        assert set(file.files) == {weight.path for weight in model.weights}
    assert b.getvalue() == _npz(model).getvalue()  # no times in it


def _npz(model) -> io.BytesIO:
    return io.BytesIO(as_bytes(named_arrays.to_content(model, ".npz")[0]))


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_of_the_real_libraries_are_read(ending, tmp_path):
    model = small()
    arrays = {w.path: np.random.rand(*w.shape).astype("float32") for w in model.weights}
    write(tmp_path / f"w.{ending}", dict(reversed(arrays.items())))
    model.load_weights(tmp_path / f"w.{ending}")
    assert all(np.array_equal(arrays[w.path], w.numpy()) for w in model.weights)


def test_compressed_and_column_major_arrays_are_read(tmp_path):
    model = small()
    arrays = {w.path: np.asfortranarray(np.random.rand(*w.shape), ">f8") for w in model.weights}
    np.savez_compressed(tmp_path / "w.npz", **arrays)
    model.load_weights(tmp_path / "w.npz")
    assert all(np.allclose(arrays[w.path], w.numpy()) for w in model.weights)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_narrow_floats_keep_their_numbers(dtype, ending, tmp_path):
    one, other = (
        nacre.Sequential([nacre.Input((3,)), layers.Dense(4, dtype=dtype, name="d")])
        for _ in range(2)
    )
    one.save_weights(tmp_path / f"w.{ending}")
    other.load_weights(tmp_path / f"w.{ending}")
    assert equal_weights(one, other) and other.weights[0].own_dtype == dtype


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "bfloat16"])
def test_dtypes_of_ml_dtypes_are_those_of_the_format(name):
    from nacre.core.wire import safetensors as own

    values = np.arange(4).astype(jnp.dtype(name))
    arrays = {"a": values, "b": np.zeros((0, 2), "int64"), "c": np.array(True)}
    streams = {n: own.Stream(a.dtype, a.shape, partial(np.copy, a)) for n, a in arrays.items()}
    content = as_bytes(partial(own.write, streams=streams, metadata={}))
    with own.Reader(content, "it") as file:
        assert file.read("a").dtype == values.dtype and np.array_equal(file.read("a"), values)
        assert file.read("b").shape == (0, 2) and file.read("c")
    assert safetensors.deserialize(content)[0][1]["shape"] in ([4], [0, 2], [])


def test_the_files_content_tells_and_not_its_name(tmp_path):
    one, other = small(), small()
    one.save_weights(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").rename(tmp_path / "w.bin")
    other.load_weights(tmp_path / "w.bin")
    assert equal_weights(one, other)
    with pytest.raises(FileFormatError, match="a safetensors file of weights"):
        nacre.models.load_model(tmp_path / "w.bin")


def test_a_file_that_changes_later_changes_no_weights(tmp_path):
    one, other = small(), small()
    path = tmp_path / "w.safetensors"
    one.save_weights(path)
    other.load_weights(path)
    with open(path, "r+b") as file:
        file.seek(-40, io.SEEK_END)
        file.write(b"\xff" * 40)
    assert equal_weights(one, other)


# -------------------------------------------------------------------- names


@pytest.mark.parametrize("ending", ENDINGS)
def test_numbers_of_automatic_names_may_differ(ending, tmp_path):
    one = stack((2, 3, 4))
    one.save_weights(tmp_path / f"w.{ending}")
    for numbers in ((1, 2, 3), (3, 4, 5), (9, 10, 11)):  # some of the file's, and none
        other = stack(numbers)
        other.load_weights(tmp_path / f"w.{ending}")
        assert equal_weights(one, other)
    # Also where a file lists its arrays by the alphabet, in which dense_10 comes before dense_9.
    arrays = dict(zip((w.path.split("/", 1)[1] for w in one.weights), one.get_weights()))
    renamed = {
        f"sequential/dense_{n}/{key}": arrays[f"dense_{old}/{key}"]
        for old, n in ((3, 10), (4, 11), (2, 9))
        for key in ("bias", "kernel")
    }
    write(tmp_path / f"r.{ending}", renamed)
    other = stack((0, 1, 2))
    other.load_weights(tmp_path / f"r.{ending}")
    assert equal_weights(one, other)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_number_of_the_models_own_name_does_not_count(ending, tmp_path):
    one = stack((1, 2, 3), "sequential_7")
    one.save_weights(tmp_path / f"w.{ending}")
    wide = nacre.Sequential(
        [nacre.Input((3,)), *(layers.Dense(n, name=f"dense_{i}") for i, n in ((1, 3), (2, 5)))],
        name="sequential_9",
    )
    with pytest.raises(WeightsMismatchError) as caught:
        wide.load_weights(tmp_path / f"w.{ending}")
    assert "sequential_9/dense_2/kernel   file (3, 3)   model (3, 5)" in str(caught.value)
    assert "in the file only: sequential_7/dense_3/" in str(caught.value)
    with pytest.warns(UserWarning, match="2 shapes differ, 2 in the file only"):
        wide.load_weights(tmp_path / f"w.{ending}", skip_mismatch=True)
    assert np.array_equal(wide.get_weights()[0], one.get_weights()[0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_differences_are_listed_and_nothing_is_changed(ending, tmp_path):
    model = small()
    paths = [w.path for w in model.weights]
    arrays = {paths[0]: np.ones((9, 9), "float32"), paths[1]: model.weights[1].numpy() + 1}
    arrays |= {paths[2]: np.ones(model.weights[2].shape, "int8"), "other/kernel": np.ones(2)}
    write(tmp_path / f"w.{ending}", arrays)
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError) as caught:
        model.load_weights(tmp_path / f"w.{ending}")
    text = str(caught.value)
    assert f"{paths[0]}   file (9, 9)   model {model.weights[0].shape}" in text
    assert f"{paths[2]}   file int8   model float32" in text
    assert f"missing: {paths[3]}" in text and "in the file only: other/kernel" in text
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.warns(UserWarning, match="left as they are"):
        model.load_weights(tmp_path / f"w.{ending}", skip_mismatch=True)
    assert np.array_equal(model.get_weights()[1], before[1] + 1)
    assert np.array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_names_of_another_library_are_never_matched_by_shape(ending, tmp_path):
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(3)])
    for names in (("fc.weight", "fc.bias"), ("fc/weight", "fc/bias"), ("fc/kernel", "fc/bias")):
        arrays = dict(zip(names, (np.ones((3, 3)), np.ones(3)), strict=True))
        write(tmp_path / f"w.{ending}", arrays)
        with pytest.raises(WeightsMismatchError, match="2 missing in the file, 2 in the"):
            model.load_weights(tmp_path / f"w.{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_of_more_layers_of_the_same_names_is_another_models(ending, tmp_path):
    big = stack((0, 1, 2))
    big.save_weights(tmp_path / f"w.{ending}")
    part = nacre.Sequential(
        [nacre.Input((3,)), *(layers.Dense(3, name=layer.name) for layer in big.layers[1:])],
        name=big.name,
    )
    with pytest.raises(WeightsMismatchError, match="2 in the file only"):
        part.load_weights(tmp_path / f"w.{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
def test_frozen_layers_and_layers_of_one_name_come_back(ending, tmp_path):
    def made():
        inner = nacre.Sequential([nacre.Input((3,)), layers.Dense(3, name="x")], name="q")
        both = [nacre.Input((3,)), layers.BatchNormalization(name="n"), inner]
        return nacre.Sequential([*both, layers.Dense(3, name="x")], name="q")

    one, other = made(), made()
    one.set_weights([np.random.rand(*w.shape) for w in one.weights])
    one.layers[1].trainable = False
    one.save_weights(tmp_path / f"w.{ending}")
    other.load_weights(tmp_path / f"w.{ending}")
    assert equal_weights(one, other)


def test_by_name_and_states_of_trainings_are_refused(tmp_path):
    from nacre.training.state_file import packed

    model = small()
    model.save_weights(tmp_path / "w.safetensors")
    with pytest.raises(ArgumentError, match="by_name=True needs an .h5 file"):
        model.load_weights(tmp_path / "w.safetensors", by_name=True)
    (tmp_path / "s.safetensors").write_bytes(packed({"a": np.ones(2)}, {}))
    with pytest.raises(FileFormatError, match="the state of a training"):
        model.load_weights(tmp_path / "s.safetensors")


# -------------------------------------------------------------------- hostile files


def container(header, data=b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "content",
    [
        container({"a": entry([2], 0, 8)}, b"1234"),
        container({"a": entry([2], 0, 4)}, b"1234"),
        container({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, b"1234"),
        container({"a": entry([1], 4, 8)}, b"12345678"),
        container({"a": entry([1], 0, 4)}, b"12345678"),
        container({"a": entry([1 << 60], 0, 1 << 62)}, b"1234"),
        container({"a": entry([1 << 60, 1 << 60, 0], 0, 0)}),
        container({"a": entry([-1], 0, -4)}),
        container({"a": entry([True], 0, 4)}, b"1234"),
        container({"a": entry([1.0], 0, 4)}, b"1234"),
        container({"a": entry([1] * 65, 0, 4)}, b"1234"),
        container({"a": entry([1], 0, 4, "O")}, b"1234"),
        container({"a": entry([1], 0, 4, ["F32"])}, b"1234"),
        container({"a": [1]}),
        container({"__metadata__": {"a": 1}}),
        container({"__metadata__": []}),
        container(b'{"a":1,"a":1}'),
        container(b'{"a":' + b"[" * 100_000),
        container(b'{"a":' + b"9" * 100_000 + b"}"),
        container(b"{\xff\xfe}"),
    ],
)
def test_damaged_safetensors_files_are_one_error(content):
    with pytest.raises(FileFormatError, match="bytes"):
        small().load_weights(content)


def member(shape, descr="<f4", data=b"", size=None) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "members",
    [
        {"a.npy": member((2,), data=b"1234")},
        {"a.npy": member((1 << 60,), data=b"1234")},
        {"a.npy": member((1 << 61, 0))[:20]},
        {"a.npy": member((1,), "|O", b"12345678")},
        {"a.npy": member((1,), "<U1", b"1234")},
        {"a.npy": member((1,), "|V4", b"1234")},
        {"a.npy": member((-1,))},
        {"a.npy": b"\x93NUMPY\x02\x00" + b"\xff" * 8},
        {"a.npy": b"\x93NUMPY\x03\x00" + b"\xff" * 8},
        {"a.npy": b""},
        {"a.npy": member((1,), data=b"1234"), "b.txt": b""},
        {"a.npy": b"\0" * (1 << 24)},
    ],
)
def test_damaged_npz_files_are_one_error(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(FileFormatError, match="bytes"):
        small().load_weights(buffer.getvalue())


def test_pickled_objects_are_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    np.savez(tmp_path / "w.npz", a=np.array([Bomb()], object))
    with pytest.raises(FileFormatError, match="objects are never read"):
        small().load_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("ending", ENDINGS)
def test_cut_files_are_one_error_and_change_nothing(ending, tmp_path):
    model = small()
    model.save_weights(tmp_path / f"w.{ending}")
    content = (tmp_path / f"w.{ending}").read_bytes()
    before = model.get_weights()
    for length in range(0, len(content), 37):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(FileFormatError):
            model.load_weights(tmp_path / "cut")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("ending", ENDINGS)
def test_numbers_are_compared_with_their_checksums(ending, tmp_path):
    model = small()
    model.save_weights(tmp_path / f"w.{ending}")
    content = bytearray((tmp_path / f"w.{ending}").read_bytes())
    at = content.index(model.weights[0].numpy().tobytes())
    content[at] ^= 1
    with pytest.raises(FileFormatError, match="CRC|checksum"):
        model.load_weights(bytes(content))
