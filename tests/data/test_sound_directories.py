"""Data sets of sound files; samples, shapes and labels are those of Keras 3.15.1."""

from __future__ import annotations

import struct
import wave

import numpy as np
import pytest

from nacre import utils
from nacre.core.errors import ArgumentError, DataError
from nacre.data import Ragged


def write(path, samples, rate=8000):
    """A file of 16 bits: samples of (steps, channels) from -32768 to 32767."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1], 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def riff(code, bits, body, channels=1, rate=8000, extra=b"", before=b""):
    form = struct.pack("<HHIIHH", code, channels, rate, 0, 0, bits) + extra
    chunks = struct.pack("<4sI", b"fmt ", len(form)) + form + before
    chunks += struct.pack("<4sI", b"data", len(body)) + body
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


@pytest.fixture
def folder(tmp_path):
    for name, count in (("cats", 3), ("dogs", 4)):
        for i in range(count):
            samples = np.full((40 + 10 * i, 1), 1000 * (i + 1))
            samples[0] = -32768
            write(tmp_path / "two" / name / f"{i}.wav", samples)
    return tmp_path / "two"


def load(folder, **arguments):
    settings = {"shuffle": False, "verbose": False, **arguments}
    return utils.audio_dataset_from_directory(folder, **settings)


def test_sounds_are_filled_up_to_the_longest_of_a_batch(folder):
    data = load(folder, batch_size=4)
    assert data.class_names == ["cats", "dogs"] and len(data.file_paths) == 7
    (first, labels), (second, _) = data
    assert first.shape == (4, 60, 1) and second.shape == (3, 70, 1)
    assert first.dtype == np.float32 and labels.dtype == np.int32
    assert labels.tolist() == [0, 0, 0, 1]
    assert first[0, :2, 0].tolist() == [-1.0, 1000 / 32768] and not first[0, 40:].any()


def test_sounds_are_cut_or_filled_to_a_length_or_keep_theirs(folder):
    ((sounds, _),) = load(folder, output_sequence_length=50)
    assert sounds.shape == (7, 50, 1) and not sounds[0, 40:].any() and sounds[6, 49] > 0
    ((sounds, labels),) = load(folder, ragged=True, label_mode="categorical")
    assert isinstance(sounds, Ragged) and sounds.row_lengths().tolist() == [
        40,
        50,
        60,
        40,
        50,
        60,
        70,
    ]
    assert labels.tolist() == [[1, 0]] * 3 + [[0, 1]] * 4
    assert [sounds.shape for sounds, _ in load(folder, batch_size=None)][:2] == [(40, 1), (50, 1)]
    assert len(next(iter(load(folder, ragged=True, labels=None)))) == 7


def test_labels_splits_and_orders_are_those_of_all_loaders(folder):
    ((_, labels),) = load(folder, label_mode="binary")
    assert labels.tolist() == [[0.0]] * 3 + [[1.0]] * 4
    train, held_out = load(folder, validation_split=0.3, subset="both", shuffle=True, seed=1)
    assert (len(train.file_paths), len(held_out.file_paths)) == (5, 2)
    images = [*train.file_paths, *held_out.file_paths]
    assert sorted(images) == load(folder).file_paths


def test_sampling_rates_are_changed(tmp_path):
    steps = np.arange(800)
    tone = (10000 * np.sin(2 * np.pi * 100 * steps / 8000))[:, None]
    write(tmp_path / "a.wav", tone)
    write(tmp_path / "b.wav", tone, rate=16000)
    (first, second) = load(tmp_path, labels=None, batch_size=None, sampling_rate=16000)
    assert first.shape == (1600, 1) and second.shape == (800, 1)
    wanted = 10000 / 32768 * np.sin(2 * np.pi * 100 * np.arange(1600) / 16000)
    np.testing.assert_allclose(first[100:-100, 0], wanted[100:-100], atol=1e-3)


VALUES = np.array([-1.0, -0.5, 0.0, 0.25])
KINDS = {
    "u8": riff(1, 8, bytes([0, 64, 128, 160])),
    "i16": riff(1, 16, (VALUES * 2**15).astype("<i2").tobytes()),
    "i24": riff(1, 24, b"".join((int(v * 2**23) & 0xFFFFFF).to_bytes(3, "little") for v in VALUES)),
    "i32": riff(1, 32, (VALUES * 2**31).astype("<i4").tobytes()),
    "f32": riff(3, 32, VALUES.astype("<f4").tobytes()),
    "f64": riff(3, 64, VALUES.astype("<f8").tobytes()),
    "extended": riff(0xFFFE, 16, (VALUES * 2**15).astype("<i2").tobytes(), extra=struct.pack("<HHIH14x", 22, 16, 4, 1)),
    "listed": riff(1, 16, (VALUES * 2**15).astype("<i2").tobytes(), before=b"LIST\x03\0\0\0abc\0"),
    "streamed": riff(1, 16, (VALUES * 2**15).astype("<i2").tobytes()).replace(b"data\x08\0\0\0", b"data\xff\xff\xff\xff"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_all_kinds_are_read(tmp_path, kind):
    (tmp_path / "sound.WAV").write_bytes(KINDS[kind])
    (sound,) = load(tmp_path, labels=None, batch_size=None)
    assert sound[:, 0].tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"ID3 no such file at all", "RIFF and WAVE"),
        (b"RIFFxxxx", "RIFF and WAVE"),
        (KINDS["i16"][:-3], "ends after 5 of 8 bytes"),
        (riff(7, 8, b"1234"), "µ-law, 8 bits"),
        (riff(1, 12, b"1234"), "12 bits"),
        (riff(1, 16, b"1234", channels=0), "0 channels"),
        (KINDS["i16"][:36], "no samples"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, content, what):
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad\.wav.*{what}"):
        list(load(tmp_path, labels=None))


def test_files_of_other_channels_are_named(tmp_path):
    write(tmp_path / "mono.wav", np.zeros((4, 1)))
    write(tmp_path / "stereo.wav", np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"as many channels.*stereo\.wav"):
        list(load(tmp_path, labels=None))


def test_mistakes_are_told(folder, tmp_path):
    with pytest.raises(ArgumentError, match="only one of ragged"):
        load(folder, ragged=True, output_sequence_length=5)
    with pytest.raises(ArgumentError, match="sampling_rate must be"):
        load(folder, sampling_rate=-1)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"sound files \(.wav\)"):
        load(tmp_path / "none", labels=None)


def test_names_of_classes_are_asked_of_what_the_loader_gave(folder):
    data = load(folder).map(lambda x, y: (x, y))
    with pytest.raises(AttributeError, match=r"Ask before.*names = data\.class_names"):
        data.class_names  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'shufle'"):
        data.shufle  # noqa: B018
    assert not hasattr(data, "file_paths") and getattr(data, "n", None) is None
