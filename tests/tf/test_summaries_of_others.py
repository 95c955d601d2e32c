"""Summaries that TensorBoard's own packages make are written by nacre's writers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError


def test_bytes_of_a_summary_are_written_value_by_value(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.compat.proto.summary_pb2 import Summary

    made = Summary(value=[Summary.Value(tag="a", simple_value=1.5), Summary.Value(tag="b")])
    raw = made.SerializeToString()
    assert tf.summary.experimental.write_raw_pb(raw, step=3) is False
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        with pytest.raises(ArgumentError, match="a step must be known"):
            tf.summary.experimental.write_raw_pb(raw)
        assert tf.summary.experimental.write_raw_pb(tf.constant(raw), step=tf.constant(3))
    writer.close()
    events = list(EventFileLoader(str(next(tmp_path.iterdir()))).Load())
    found = [(event.step, value.tag) for event in events for value in event.summary.value]
    assert found == [(3, "a"), (3, "b")]


_HPARAMS = """
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hp

units = hp.HParam("units", hp.Discrete([4, 8]))
with tf.summary.create_file_writer("logs").as_default():
    print(hp.hparams_config(hparams=[units], metrics=[hp.Metric("accuracy")]))
model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
model.compile("sgd", "mse")
told = hp.KerasCallback("logs/run", {units: 4})
model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0, callbacks=[told])
"""


@pytest.mark.slow  # a process of its own: tensorboard asks once for TensorFlow
def test_hyperparameters_of_tensorboard_are_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "script.py").write_text(_HPARAMS)
    command = [sys.executable, "-m", "nacre", "run", "script.py"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["True"]
    text = b"".join(path.read_bytes() for path in (tmp_path / "logs" / "run").iterdir())
    for word in (b"session_start_info", b"session_end_info", b"units"):
        assert word in text


def test_a_message_is_read_from_its_bytes() -> None:
    made = tf.make_tensor_proto([1.5, 2.0])
    assert tf.make_ndarray(type(made).FromString(made.SerializeToString())).tolist() == [1.5, 2.0]
