"""A damaged file is one error of nacre's that names it: no hang, no crash, no foreign exception."""

from __future__ import annotations

import json
import struct
import zipfile

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, NacreError, SerializationError
from nacre.models import load_model, model_from_json
from nacre.saving import hdf5
from tests.field import damage, mutations
from tests.saving.helpers import small

CASES = 200  # of each reader; `make fuzz` tries thousands


@pytest.fixture(scope="module")
def outcomes():
    """All readers in one process, which can be ended when a file makes it hang."""
    return damage.outcomes(list(damage.READERS), 0, CASES)


@pytest.mark.slow
@pytest.mark.parametrize("reader", damage.READERS)
def test_mutated_files_are_refused_by_name_or_open(reader, outcomes):
    found = {seed: text for (kind, seed), text in outcomes.items() if kind == reader}
    assert len(found) == CASES
    assert {seed: text for seed, text in found.items() if not damage.is_allowed(text)} == {}
    # Most of a StableHLO module is numbers, without a checksum: any are as good as the right ones.
    fewest = CASES / (10 if reader == "stablehlo" else 4)
    assert sum(text == "refused" for text in found.values()) > fewest


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "w.weights.h5"
    small().save_weights(path)
    return path


def changed(path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def test_a_heap_of_texts_with_a_size_that_wraps_around_does_not_hang(weights):
    content = bytearray(weights.read_bytes())
    heap = content.index(b"GCOL")
    # HDF5 itself loops for ever on the size of an object of 2**64 - 16 bytes, and on one of 0.
    for size in (2**64 - 16, 2**64 - 1, 2**63):
        struct.pack_into("<Q", content, heap + 16 + 8, size)
        weights.write_bytes(content)
        with pytest.raises(FileFormatError, match=r"w.weights.h5.*heap"):
            small().load_weights(weights)


@pytest.mark.parametrize("bits", [0x87, 0xC3, 0xFF, 0x00])
def test_an_attribute_whose_type_is_damaged_does_not_end_the_process(bits, weights):
    # A text of variable length: class 9, then kind 1. HDF5 itself reads other kinds as pointers.
    changed(weights, b"\x19\x01\x01\x00\x10\x00\x00\x00", bytes([0x19, bits, 1, 0, 16, 0, 0, 0]))
    with pytest.raises(FileFormatError, match=r"w.weights.h5.*neither text nor number"):
        small().load_weights(weights)


def test_attributes_read_from_bytes_are_what_h5py_reads(tmp_path):
    texts = ["", "a", "ä" * 300, "x" * 5000]
    for libver in (None, "latest"):
        path = tmp_path / f"{libver}.h5"
        with h5py.File(path, "w", libver=libver) as file:
            group = file.create_group("g")
            group.attrs["text"] = "é"
            group.attrs["bytes"] = np.bytes_(b"fixed")
            group.attrs["numbers"] = np.arange(3)
            group.attrs["fixed"] = np.array([b"ab", b"c"])
            hdf5.write_names(group, "names", texts)
            group["texts"] = np.array(texts, dtype=object)
        with hdf5.open_file(str(path), "f") as file:
            found = dict(hdf5.Arrays(file["g"], "f").attrs)
            assert [t.decode() for t in hdf5.read_array(file["g/texts"], "f")] == texts
            assert hdf5.names_attribute(file["g"], "names") == texts
        assert (found["text"], found["bytes"], found["fixed"]) == ("é", "fixed", ["ab", "c"])
        np.testing.assert_array_equal(found["numbers"], np.arange(3))


def test_groups_that_hold_themselves_have_an_end(weights):
    with h5py.File(weights, "a") as file:
        file["layers/dense_more"] = file["layers"]
        group = file.create_group("g0")
        for index in range(40):  # 2**40 paths
            inner = file.create_group(f"g{index + 1}")
            group["a"] = group["b"] = inner
            group = inner
    small().load_weights(weights)  # an object under a second name is no second array


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "m.h5"])
def test_a_flipped_bit_in_an_array_is_noticed(name, tmp_path):
    model, path = small(), tmp_path / name
    (model.save_weights if name.startswith("w") else model.save)(path)
    kernel = model.get_layer("hidden").get_weights()[0].tobytes()
    changed(path, kernel, bytes([kernel[0] ^ 1]) + kernel[1:])
    target = small()
    before = target.get_weights()
    with pytest.raises(FileFormatError, match=rf"'{name}'.*checksum.*hidden|checksum.*vars/0"):
        target.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, target.get_weights(), strict=True))
    with h5py.File(path, "a") as file:  # what the message says to do
        del file.attrs[hdf5.CHECKSUMS]
    target.load_weights(path)


def test_a_flipped_bit_in_the_config_of_an_h5_model_is_noticed(tmp_path):
    path = tmp_path / "m.h5"
    small().save(path)
    changed(path, b'"activation": "relu"', b'"activation": "selu"')
    with pytest.raises(FileFormatError, match=r"'m.h5'.*checksum.*model_config"):
        load_model(path)


def test_a_config_that_was_edited_opens(tmp_path):
    path = tmp_path / "m.h5"
    small().save(path)
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"].replace('"activation": "relu"', '"activation": "tanh1"')
        file.attrs["model_config"] = text.replace("tanh1", "sigmoid")
    assert load_model(path).get_layer("hidden").activation.__name__ == "sigmoid"


def test_files_with_checksums_are_written_bit_for_bit_alike(tmp_path):
    model = small()
    for name in ("a.weights.h5", "b.weights.h5"):
        model.save_weights(tmp_path / name)
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


def test_a_name_that_is_no_text_is_told(weights):
    with h5py.File(weights, "a") as file:
        h5py.h5g.create(file["layers/dense/vars"].id, b"\xff")
    with pytest.raises(FileFormatError, match=r"w.weights.h5.*no text"):
        small().load_weights(weights)


def test_a_file_damaged_in_the_middle_changes_nothing(weights):
    model = small()
    model.compile("adam", "mse")
    model.save_weights(weights)
    target = small()
    target.compile("adam", "mse")
    target.optimizer.build(target.trainable_variables)
    before = [v.numpy() for v in (*target.variables, *target.optimizer.variables)]
    last = model.get_layer("head").get_weights()[0].tobytes()
    changed(weights, last, bytes([last[0] ^ 1]) + last[1:])
    with pytest.raises(FileFormatError):
        target.load_weights(weights)
    after = [v.numpy() for v in (*target.variables, *target.optimizer.variables)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


# -------------------------------------------------------------------- configs


def repacked(path, change) -> None:
    path.write_bytes(mutations.repacked(path.read_bytes(), change))


@pytest.mark.parametrize(
    "config",
    [b"", b"[]", b"null", b'{"class_name": 1}', b"\xff\xfe", b'{"class_name": "Sequential"}',
     b'{"class_name": "Sequential", "config": {"layers": 3}}', b'{"a": ' * 900 + b"1" + b"}" * 900],
    ids=lambda config: repr(config[:40]),
)  # fmt: skip
def test_strange_configs_name_file_and_member(config, tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    repacked(path, lambda name, content: config if name == "config.json" else content)
    with pytest.raises(NacreError, match=r"'m.keras'.*config"):
        load_model(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "nul", '{"class_name": []}', "\ud800"])
def test_model_from_json_says_what_is_wrong_with_a_text(text):
    with pytest.raises(NacreError):
        model_from_json(text)


class Stubborn(nacre.layers.Layer):
    def __init__(self, level=1, **kwargs):
        super().__init__(**kwargs)
        if level > 1:
            raise LookupError("no such level")
        self.level = level

    def call(self, x):
        return x

    def get_config(self):
        return {**super().get_config(), "level": self.level}


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_what_a_class_of_the_user_raises_comes_as_it_is(name, tmp_path):
    model = nacre.Sequential([nacre.Input((2,)), Stubborn()])
    model.layers[0].level = 5
    model.save(tmp_path / name)
    with pytest.raises(LookupError, match="^'?no such level'?$"):
        load_model(tmp_path / name, custom_objects={"Stubborn": Stubborn})


def test_a_fault_of_our_own_stays_as_the_cause(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    small().save(path)

    def broken(*args, **kwargs):
        raise ZeroDivisionError("ours")

    broken.__code__ = broken.__code__.replace(co_filename=nacre.layers.__file__)
    monkeypatch.setattr(nacre.layers.Dense, "from_config", broken)
    with pytest.raises((FileFormatError, SerializationError), match="ours") as caught:
        load_model(path)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_names_in_files_never_steer_a_terminal(tmp_path, capsys):
    path = tmp_path / "m.keras"
    small().save(path)

    def change(name, content):
        if name != "config.json":
            return content
        config = json.loads(content)
        config["config"]["name"] = "\x1b]0;title\x07"
        config["config"]["layers"][1]["config"]["name"] = "\x1b[2J\r\n\u202ehidden"
        return json.dumps(config).encode()

    repacked(path, change)
    model = load_model(path)
    model.summary()
    print(model, model.layers, model.layers[0].kernel)
    small(units=5).save_weights(tmp_path / "o.weights.h5")
    with pytest.raises(NacreError) as caught:
        model.load_weights(tmp_path / "o.weights.h5")
    with pytest.warns(UserWarning, match="left as they are") as warned:
        model.load_weights(tmp_path / "o.weights.h5", skip_mismatch=True)
    shown = capsys.readouterr().out + str(caught.value) + str(warned[0].message)
    assert "\\x1b[2J" in shown
    assert not [c for c in shown if (ord(c) < 32 and c not in "\n\t") or c == "\u202e"]


def test_damage_in_an_archive_names_the_member(tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("model.weights.h5").header_offset
    content = bytearray(path.read_bytes())
    content[start + 3000] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"'m.keras'.*'model.weights.h5' in it"):
        load_model(path)


@pytest.mark.parametrize("name", ["metadata.json", "config.json", "model.weights.h5"])
def test_a_member_whose_name_is_damaged_is_none_that_is_missing(name, tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    content = bytearray(path.read_bytes())
    content[content.rindex(name.encode())] ^= 1  # in the directory at the end
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="'m.keras'.*damage"):
        load_model(path)


def test_an_h5_model_without_its_weights_is_no_model(tmp_path):
    path = tmp_path / "m.h5"
    model = small()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(path)
    with h5py.File(path, "a") as file:
        del file["nacre_optimizer_weights"]
    with pytest.warns(UserWarning, match=r"'m.h5'.*optimizer's state that was saved in it is gone"):
        load_model(path)
    with h5py.File(path, "a") as file:
        del file["model_weights"]
    with pytest.raises(FileFormatError, match=r"'m.h5'.*'model_weights'"):
        load_model(path)
