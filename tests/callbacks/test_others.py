"""Callbacks that record, schedule, send or swap."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import numpy as np
import pytest

from nacre.callbacks import (
    CSVLogger,
    LambdaCallback,
    LearningRateScheduler,
    RemoteMonitor,
    SwapEMAWeights,
    TerminateOnNaN,
)
from nacre.core.errors import ArgumentError, NonFiniteError
from nacre.optimizers import SGD

from .host import Host, train


def test_history_holds_one_value_an_epoch():
    host = train([], [3, 2, 1])
    assert host.history.history == {"loss": [1.0] * 3, "val_loss": [3, 2, 1]}
    assert host.history.epoch == [0, 1, 2]


def test_csv_has_a_row_an_epoch(tmp_path):
    path = tmp_path / "log" / "run.csv"
    train(CSVLogger(path), [{"loss": 1.0, "acc": np.float32(2)}, {"loss": 0.5, "val_loss": 3}])
    assert path.read_text() == "epoch,acc,loss,val_acc,val_loss\n0,2.0,1.0,NA,NA\n1,NA,0.5,NA,3.0\n"
    train(CSVLogger(path, append=True), [{"loss": 1.0, "val_loss": 2.0}])
    assert path.read_text().splitlines()[3:] == ["0,NA,1.0,NA,2.0"]
    train(CSVLogger(path, separator=";"), [{"loss": 1.0, "val_loss": 2.0}])
    assert path.read_text() == "epoch;loss;val_loss\n0;1.0;2.0\n"


def test_scheduler_accepts_one_or_two_arguments(capsys):
    host = train(LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1), [1, 1])
    assert host.history.history["learning_rate"] == pytest.approx([0.05, 0.025])
    assert "Epoch 2: learning rate 0.025." in capsys.readouterr().out
    host = train(LearningRateScheduler(lambda epoch: 0.5 + epoch), [1, 1])
    assert host.history.history["learning_rate"] == [0.5, 1.5]
    with pytest.raises(ArgumentError, match="must be a number"):
        train(LearningRateScheduler(lambda epoch, rate: [1, 2]), [1])


def test_lambda_runs_any_hook_and_refuses_unknown_ones():
    seen = []
    callback = LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(epoch),
        on_test_end=lambda logs: seen.append("test"),
    )
    train(callback, [1, 1])
    assert seen == ["test", 0, "test", 1]
    assert callback.batch_hooks() == set()
    assert LambdaCallback(on_train_batch_end=print).batch_hooks() == {"on_train_batch_end"}
    with pytest.raises(ArgumentError, match="Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)


def test_nan_ends_training(capsys):
    nan = {"loss": float("nan")}
    host = train(TerminateOnNaN(), [{"loss": 1.0}, nan, {"loss": 1.0}])
    assert host.stop_training and len(host.history.epoch) == 2
    assert "The loss is nan at step 1: training ends." in capsys.readouterr().out
    with pytest.raises(NonFiniteError, match="finite number"):
        train(TerminateOnNaN(raise_error=True), [nan])


def test_averages_stand_in_during_evaluation_only():
    host = Host(SGD(1.0, use_ema=True))
    host.optimizer.build(host.trainable_variables)
    host.optimizer.moving_averages[0].assign([100.0])
    host.optimizer.iterations.assign(1)  # before the first update there are no averages
    seen = []
    watch = LambdaCallback(
        on_test_begin=lambda logs: seen.append(host.weight),
        on_epoch_end=lambda epoch, logs: seen.append(host.weight),
    )
    train([SwapEMAWeights(), watch], [1, 1], host=host)
    assert seen == [100, 1, 100, 2] and host.weight == 2
    seen.clear()
    train([SwapEMAWeights(swap_on_epoch=True), watch], [1, 1], host=host)
    assert seen == [100] * 4 and host.weight == 100
    with pytest.raises(ArgumentError, match="use_ema=True"):
        train(SwapEMAWeights(), [1])


def test_remote_monitor_posts_and_survives_silence():
    received = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        train(RemoteMonitor(address, send_as_json=True), [2.0])
        train(RemoteMonitor(address), [2.0])
        server.shutdown()
    expected = {"epoch": 0, "loss": 1.0, "val_loss": 2.0}
    assert json.loads(received[0]) == expected
    assert json.loads(urllib.parse.parse_qs(received[1])["data"][0]) == expected
    with pytest.warns(UserWarning, match="did not take the logs of epoch 1"):
        train(RemoteMonitor(address), [2.0])


def test_csv_is_added_to_by_its_own_columns(tmp_path):
    path = tmp_path / "log.csv"
    train(CSVLogger(path), [{"loss": 1.0, "val_loss": 2.0}])
    with pytest.warns(UserWarning, match="also mae, which are left out"):
        train(CSVLogger(path, append=True), [{"loss": 3.0, "mae": 4.0}])
    train(CSVLogger(path, append=True), [{"loss": 5.0, "val_loss": 6.0}])
    rows = ["epoch,loss,val_loss", "0,1.0,2.0", "0,3.0,NA", "0,5.0,6.0"]
    assert path.read_text().splitlines() == rows


def test_csv_does_not_write_on_behind_half_a_row(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n0,1.0\n1,0.")
    train(CSVLogger(path, append=True), [{"loss": 5.0}])
    assert path.read_text().splitlines()[2:] == ["1,0.", "0,5.0"]


@pytest.mark.parametrize("content", ["a;b\n1;2\n", "epoch;loss\n0;1\n", "hello\n"])
def test_csv_refuses_to_add_to_what_is_no_log(content, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(content)
    with pytest.raises(ArgumentError, match="separator it was written with"):
        train(CSVLogger(path, append=True), [{"loss": 5.0}])
    assert path.read_text() == content


def test_csv_tells_of_a_log_that_comes_later(tmp_path):
    with pytest.warns(UserWarning, match="also late, which are left out"):
        train(CSVLogger(tmp_path / "log.csv"), [{"loss": 1.0}, {"loss": 1.0, "late": 2.0}])


def test_remote_monitor_posts_arrays_and_texts(monkeypatch):
    sent = []

    class Answer:
        def close(self):
            pass

    def urlopen(request, timeout):
        sent.append(json.loads(request.data))
        return Answer()

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    remote = RemoteMonitor(send_as_json=True)
    remote.on_epoch_end(2, {"loss": np.float32(0.5), "table": np.ones((1, 2)), "name": "a"})
    assert sent == [{"epoch": 2, "loss": 0.5, "table": [[1.0, 1.0]], "name": "a"}]
