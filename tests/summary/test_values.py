"""Summaries as `tf.summary` writes them."""

from __future__ import annotations

import io
import wave

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import summary
from nacre.core.errors import ArgumentError, DTypeError, ShapeError
from tests.summary.event_files import read, scalars


@pytest.fixture
def writer(tmp_path):
    writer = summary.create_file_writer(tmp_path)
    with writer.as_default():
        yield writer
    writer.close()


def values(writer, tmp_path):
    writer.flush()
    return [(w.plugin, w.tag, w.step, w.value) for w in read(tmp_path)]


def test_scalars_have_name_step_and_value(writer, tmp_path):
    for number in (
        0.5,
        np.float64(2),
        jnp.float32(3),
        nacre.Variable(4.0),
        True,
        2**40,
        [][:0] or 6,
    ):
        assert summary.scalar("loss", number, step=-1)
    assert summary.scalar("acc", jnp.bfloat16(1.5), step=nacre.Variable(7, dtype="int32"))
    writer.flush()
    assert scalars(tmp_path) == {
        "loss": [(-1, x) for x in (0.5, 2, 3, 4, 1, 2**40, 6)],
        "acc": [(7, 1.5)],
    }


def test_scalars_that_are_not_finite_are_written(writer, tmp_path):
    summary.scalar("loss", float("nan"), step=0)
    summary.scalar("loss", float("inf"), step=1)
    (_, first), (_, second) = values_of = scalars_after(writer, tmp_path)
    assert np.isnan(first) and second == np.inf and len(values_of) == 2


def scalars_after(writer, tmp_path):
    writer.flush()
    return scalars(tmp_path)["loss"]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: summary.scalar("a", [1.0, 2.0], step=0), ArgumentError, "one number.*shape"),
        (lambda: summary.scalar("a", "1", step=0), DTypeError, "must be numbers"),
        (lambda: summary.scalar("a", 1.0), ArgumentError, "must have a step.*set_step"),
        (lambda: summary.scalar("a", 1.0, step=1.5), ArgumentError, "whole number.*1.5"),
        (lambda: summary.scalar(1.0, "a", step=0), ArgumentError, "name must be a string"),
        (lambda: summary.image("a", np.ones((2, 2, 3)), step=0), ShapeError, r"image\[None\]"),
        (lambda: summary.image("a", np.ones((1, 2, 2, 5)), step=0), ShapeError, "channels"),
        (lambda: summary.image("a", np.full((1, 2, 2, 1), 256), step=0), ArgumentError, "to 256"),
        (lambda: summary.text("a", 3, step=0), DTypeError, r"str\(data\)"),
        (lambda: summary.audio("a", np.ones((1, 9, 1), int), 8, step=0), DTypeError, "32768"),
        (lambda: summary.audio("a", np.ones(9), 8, step=0), ShapeError, "batch, time, channels"),
        (lambda: summary.audio("a", np.ones((1, 9, 1)), 8, 0, 3, "mp3"), ArgumentError, "wav"),
    ],
)
def test_what_cannot_be_written_is_told(writer, call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_histograms_count_what_lies_between_edges(writer, tmp_path):
    summary.histogram("weights", [[1.0, 2.0], [2.0, 5.0]], step=3, buckets=4)
    summary.histogram("same", jnp.full((2,), 2.0), step=3, buckets=2)
    summary.histogram("none", [], step=3, buckets=1)
    summary.histogram("usual", np.arange(5), step=3)
    many, same, none, usual = (value for *_, value in values(writer, tmp_path))
    assert many.tolist() == [[1, 2, 1], [2, 3, 2], [3, 4, 0], [4, 5, 1]]
    assert same.tolist() == [[2, 2, 0], [2, 2, 2]]
    assert none.tolist() == [[0, 0, 0]]
    assert usual.shape == (30, 3) and usual[:, 2].sum() == 5


def test_histograms_leave_out_nan_with_a_warning(writer, tmp_path):
    with pytest.warns(UserWarning, match="weights.*2 of 4 are NaN or infinite"):
        summary.histogram("weights", [1.0, np.nan, np.inf, 2.0], step=3, buckets=1)
    assert values(writer, tmp_path)[0][3].tolist() == [[1, 2, 2]]


def pixels(content: bytes) -> np.ndarray:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    return np.asarray(image.open(io.BytesIO(content)))


def test_images_are_png_of_the_shades_that_tensorflow_gives(writer, tmp_path):
    floats = np.linspace(-0.2, 1.2, 12).reshape(1, 2, 2, 3)
    summary.image("floats", floats, step=0)
    summary.image("bytes", np.arange(12, dtype="uint8").reshape(3, 2, 2, 1), step=0, max_outputs=2)
    summary.image("mask", np.array([[[[True], [False]]]]), step=0)
    summary.image("ints", np.array([[[[0, 128, 255, 7]]]]), step=0)
    shown = [value for *_, value in values(writer, tmp_path)]
    assert shown[0][:2] == [b"2", b"2"]
    # Of tf.summary.image, TensorFlow 2.21.
    shades = [0, 0, 13, 46, 78, 111, 144, 176, 209, 241, 255, 255]
    assert pixels(shown[0][2]).ravel().tolist() == shades
    assert [pixels(p).ravel().tolist() for p in shown[1][2:]] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert shown[2][:2] == [b"2", b"1"] and pixels(shown[2][2]).ravel().tolist() == [255, 0]
    assert pixels(shown[3][2]).ravel().tolist() == [0, 128, 255, 7]


def test_floats_from_0_to_255_are_told(writer):
    with pytest.warns(UserWarning, match="run from 0 to 1.*up to 255.*Divide by 255"):
        summary.image("floats", np.full((1, 2, 2, 1), 255.0), step=0)


def test_sounds_are_wav(writer, tmp_path):
    sound = np.array([[[0.0, 1.0], [-2.0, 0.5]]])  # what is beyond is cut off
    summary.audio("tones", np.repeat(sound, 4, 0), 8000, step=2)
    [(plugin, _, _, parts)] = values(writer, tmp_path)
    assert plugin == "audio" and len(parts) == 2 * 3 and parts[1] == b""
    with wave.open(io.BytesIO(parts[0])) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 2)
        samples = np.frombuffer(file.readframes(2), "<i2").tolist()
    assert samples == [0, 32767, -32767, 16384]


def test_texts_keep_their_signs(writer, tmp_path):
    summary.text("one", "**é** 漢", step=0)
    summary.text("many", [["a", "b"], [b"c", "d"]], step=0)
    summary.text("numpy", np.array(["x", "yz"]), step=0)
    found = [value for *_, value in values(writer, tmp_path)]
    assert found == [["**é** 漢".encode()], [b"a", b"b", b"c", b"d"], [b"x", b"yz"]]


def test_any_tensor_can_be_written(writer, tmp_path):
    class Metadata:
        def SerializeToString(self):
            return b"\x0a\x05\x0a\x03own"

    summary.write("ints", np.arange(3), step=1, metadata=Metadata())
    summary.write("late", lambda: np.float32([1, 2]), step=1)
    summary.write("text", ["a"], step=1)
    first, late, text = values(writer, tmp_path)
    assert first[0] == "own" and first[3].tolist() == [0, 1, 2]
    assert late[3].tolist() == [1, 2] and text[3] == [b"a"]


def test_name_scopes_go_before_names(writer, tmp_path):
    with nacre.name_scope("encoder"), summary.experimental.summary_scope("heads") as (tag, _):
        summary.scalar("loss", 1.0, step=0)
    assert tag == "encoder/heads"
    assert list(scalars_named(writer, tmp_path)) == ["encoder/heads/loss"]


def scalars_named(writer, tmp_path):
    writer.flush()
    return scalars(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trace_on", "jax.profiler.trace"),
        ("graph", "write_graph"),
        ("scalr", "Did you mean 'scalar'"),
    ],
)
def test_names_that_are_not_here_say_what_is(name, text):
    with pytest.raises(AttributeError, match=text):
        getattr(summary, name)
