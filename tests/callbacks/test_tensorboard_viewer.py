"""The stock viewer, without TensorFlow, shows what is written; also in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest

import nacre
from nacre import layers, summary
from nacre.callbacks import Callback, TensorBoard

pytest.importorskip("tensorboard", reason="the viewer is not installed: pip install tensorboard")
pytestmark = [
    pytest.mark.slow,
    # Of the viewer's own code and what it imports.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Shows(Callback):
    def on_epoch_end(self, epoch, logs=None):
        summary.image("pictures", np.linspace(0, 1, 48).reshape(1, 4, 4, 3), step=epoch)
        summary.text("notes", f"epoch **{epoch}**", step=epoch)
        summary.audio("tones", np.sin(np.arange(400.0)).reshape(1, -1, 1), 8000, step=epoch)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    for units in (2, 3):
        words = layers.Input((3,), dtype="int32")
        table = layers.Embedding(5, 2, name="words")(words)
        attended = layers.MultiHeadAttention(1, 2, name="att")(table, value=table)
        hidden = layers.Dense(units, name="hidden")(layers.Flatten()(attended))
        outputs = {"out": layers.Dense(1, name="out")(hidden), "also": hidden}
        model = nacre.Model(words, outputs, name="net")
        model.compile("sgd", {"out": "mse"})
        x, y = np.arange(24).reshape(8, 3) % 5, {"out": np.ones((8, 1))}
        run = folder / f"run{units}"
        run.mkdir()
        (run / "labels.tsv").write_text("a\nb\nc\nd\ne\n")
        board = TensorBoard(
            run,
            histogram_freq=1,
            write_images=True,
            update_freq="batch",
            profile_batch=2,
            embeddings_freq=1,
            embeddings_metadata="labels.tsv",
            hparams={"units": units, "optimizer": "sgd"},
        )
        arguments = {"batch_size": 4, "epochs": 2, "verbose": 0, "validation_data": (x, y)}
        model.fit(x, y, callbacks=[board, Shows()], **arguments)
    return folder


def test_its_reader_finds_tags_steps_and_values(logs):
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    reader = event_accumulator.EventAccumulator(str(logs / "run2" / "train"))
    reader.Reload()
    tags = set(reader.Tags()["tensors"])
    assert {"keras", "epoch_loss", "epoch_learning_rate", "batch_loss", "pictures"} <= tags
    assert {"notes", "tones", "out/kernel/histogram", "out/kernel/image"} <= tags
    assert [event.step for event in reader.Tensors("batch_loss")] == [1, 2, 3, 4]
    rates = [
        tensor_util.make_ndarray(e.tensor_proto) for e in reader.Tensors("epoch_learning_rate")
    ]
    assert np.allclose(rates, 0.01)


@pytest.fixture(scope="module")
def address(logs):
    command = [sys.executable, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(
        [*command, "--logdir", str(logs), "--reload_interval", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        found = None
        for line in server.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        assert found, "the server did not start"
        yield found[0]
    finally:
        server.terminate()
        server.wait()
        server.stderr.close()


def get(address, page, body=None, **query):
    url = f"{address}/data/{page}?{urllib.parse.urlencode(query)}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode("utf-8", "replace")


def shown(address, page, **query):
    """An answer of the server, which may still be reading the files when it is asked first."""
    for _ in range(60):
        try:
            found = json.loads(get(address, page, **query))
            if found:
                return found
        except (urllib.error.HTTPError, ValueError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"{page} has nothing to show")


def test_its_pages_have_data(address):
    runs = shown(address, "runs")
    expected = {f"run{u}{part}" for u in (2, 3) for part in ("", "/train", "/validation")}
    assert set(runs) == expected
    at = {"run": "run2/train"}
    losses = shown(address, "plugin/scalars/scalars", tag="epoch_loss", **at)
    assert [step for _, step, _ in losses] == [0, 1]
    histogram = shown(address, "plugin/histograms/histograms", tag="out/kernel/histogram", **at)
    assert [step for _, step, _ in histogram] == [0, 1]
    pictures = shown(address, "plugin/images/images", tag="pictures", sample=0, **at)
    assert [picture["step"] for picture in pictures] == [0, 1]
    assert "<strong>1</strong>" in get(address, "plugin/text/text", tag="notes", **at)
    assert len(shown(address, "plugin/audio/audio", tag="tones", sample=0, **at)) == 2
    graph = get(address, "plugin/graphs/graph", tag="keras", conceptual="true", **at)
    assert 'name: "net/att"\n  input: "net/words"' in graph
    graph = get(address, "plugin/graphs/graph", conceptual="false", **at)
    assert 'name: "net/out"\n  op: "Dense"\n  input: "net/hidden"' in graph
    assert set(shown(address, "plugin/projector/runs")) == {"run2", "run3"}
    assert get(address, "plugin/projector/metadata", run="run2", name="words").startswith("a\nb")
    body = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS"],
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 10,
    }
    groups = json.loads(get(address, "plugin/hparams/session_groups", body))["sessionGroups"]
    assert sorted(group["hparams"]["units"] for group in groups) == [2.0, 3.0]


def test_a_browser_shows_its_charts(address, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            f"{address}/#timeseries",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "epoch_loss" in done.stdout and "run2" in done.stdout
