"""What `TensorBoard` writes of a training, beside what Keras writes of the same one."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre import layers, summary
from nacre.callbacks import Callback, CallbackList, TensorBoard
from nacre.callbacks.tensorboard_weights import picture
from nacre.core.errors import ArgumentError, TracedValueError
from nacre.summary.recording import recording
from tests.cases.tensorboard import CASES, X, Y, run
from tests.summary.event_files import event_files, read, scalars

from .host import Host, train

KERAS = json.loads(
    (Path(__file__).parents[1] / "reference" / "tensorboard.json").read_text(encoding="utf-8")
)


def small(**settings):
    model = nacre.Sequential([layers.Input((4,)), layers.Dense(2, activation="softmax")])
    settings = {"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", **settings}
    model.compile(**settings)
    return model


def fit(model, folder, callbacks=(), epochs=2, **settings):
    board = TensorBoard(folder, **settings)
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=[board, *callbacks])
    return board


def values(folder):
    """(run, plugin, tag, step) -> values, those of one place in the order they were written."""
    found = {}
    for written in read(folder):
        array = written.value
        if written.plugin == "images":
            array = [int(array[0]), int(array[1]), len(array) - 2]
        elif written.plugin == "graph_keras_model":
            array = []
        key = (written.run, written.plugin, written.tag, written.step)
        found.setdefault(key, []).append(np.ravel(array).tolist())
    return found


@pytest.mark.parametrize("case", CASES)
def test_tags_steps_and_values_are_those_of_keras(case, tmp_path):
    run(nacre, str(tmp_path), case)
    found, keras = values(tmp_path), {}
    for at, plugin, tag, step, value in KERAS[case]:
        if plugin == "graph_keras_model":  # Keras writes it at each evaluation, too
            keras[at, plugin, tag, step] = found[at, plugin, tag, step]
            continue
        keras.setdefault((at, plugin, tag, step), []).append(value)
    if case == "every_fifth_batch":  # Keras leaves out evaluations between two batches written
        found = {key: value for key, value in found.items() if "evaluation" not in key[2]}
    assert sorted(found) == sorted(keras)
    for key, expected in keras.items():
        if "steps_per_second" in key[2]:
            assert np.ravel(found[key]).min() > 0
        else:
            np.testing.assert_allclose(found[key], expected, rtol=2e-4, atol=2e-4, err_msg=str(key))
    assert len(event_files(tmp_path)) == sum(
        1 if call.get("evaluate") else 1 + (call.get("validation_data", 0) is not None)
        for call in CASES[case][1]
    )


def test_only_epochs_cost_nothing_a_step():
    def hooks(callback):
        return CallbackList(callback).has_train_batch_hooks

    assert not hooks(TensorBoard(histogram_freq=1, write_steps_per_second=True))
    assert hooks(TensorBoard(update_freq="batch"))
    assert hooks(TensorBoard(update_freq=100))
    assert hooks(TensorBoard(profile_batch=2))

    class Own(TensorBoard):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)

    assert hooks(Own())


def test_epochs_are_written_whatever_number_of_batches(tmp_path):
    fit(small(), tmp_path, update_freq=4)
    assert [step for step, _ in scalars(tmp_path, "train")["batch_loss"]] == [4, 8]
    assert [step for step, _ in scalars(tmp_path, "train")["epoch_loss"]] == [0, 1]


def test_batches_are_counted_where_several_run_at_once(tmp_path):
    fit(small(steps_per_execution=2), tmp_path, update_freq="batch", epochs=1)
    assert [step for step, _ in scalars(tmp_path, "train")["batch_loss"]] == [2, 4, 5]


def test_pace_of_epochs_counts_their_steps(tmp_path):
    fit(small(), tmp_path, write_steps_per_second=True)
    assert [s for s, v in scalars(tmp_path, "train")["epoch_steps_per_second"] if v > 0] == [0, 1]


def test_logs_of_other_callbacks_are_written_and_no_numbers_left_out(tmp_path):
    class Adds(Callback):
        adds_logs = ("f1", "val_f1", "note", "rows")

        def on_epoch_end(self, epoch, logs=None):
            logs.update(f1=np.float32(0.5), val_f1=0.25, note="good", rows=[1, 2])

    board = TensorBoard(tmp_path)
    with pytest.warns(UserWarning, match="charts are of numbers.*(note|rows)"):
        train([Adds(), board], [1.0, 2.0], host=Host())
    found = scalars(tmp_path, "train")
    assert found["epoch_f1"] == [(0, 0.5), (1, 0.5)]
    assert not {"epoch_note", "epoch_rows"} & set(found)
    assert scalars(tmp_path, "validation")["epoch_f1"] == [(0, 0.25), (1, 0.25)]


def test_subclasses_add_logs_as_in_keras(tmp_path):
    class WithRate(TensorBoard):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, {**(logs or {}), "lr": 0.5})

    train(WithRate(tmp_path), [1.0])
    assert scalars(tmp_path, "train")["epoch_lr"] == [(0, 0.5)]


# ------------------------------------------------------------ summaries of others


class Says(Callback):
    """Writes a summary at the end of each epoch, and of each batch."""

    def on_epoch_end(self, epoch, logs=None):
        assert summary.scalar("mine", epoch + 0.5)

    def on_train_batch_end(self, batch, logs=None):
        assert summary.scalar("of_batch", batch, step=batch)

    def on_test_batch_end(self, batch, logs=None):
        assert summary.scalar("of_test", batch, step=batch)


@pytest.mark.parametrize(("update_freq", "steps"), [("epoch", [0, 1]), ("batch", [5, 10])])
def test_other_callbacks_write_beside_it(update_freq, steps, tmp_path):
    model, board = small(), TensorBoard(tmp_path, update_freq=update_freq)
    arguments = {"batch_size": 8, "epochs": 2, "verbose": 0, "validation_data": (X[:8], Y[:8])}
    model.fit(X, Y, callbacks=[Says(), board], **arguments)
    found = scalars(tmp_path, "train")
    assert found["mine"] == [(step, number + 0.5) for number, step in enumerate(steps)]
    assert len(found["of_batch"]) == 10
    assert scalars(tmp_path, "validation")["of_test"] == [(0, 0.0), (0, 0.0)]
    assert not summary.should_record_summaries()
    assert summary.experimental.get_step() is None


def test_a_writer_of_the_user_stays_the_default_beside_epochs(tmp_path):
    writer = summary.create_file_writer(tmp_path / "mine")
    with writer.as_default():
        fit(small(), tmp_path / "run", [Once()])
        assert recording().writer is writer
    writer.close()
    assert scalars(tmp_path, "mine") == {"once": [(0, 1.0), (1, 1.0)]}


class Once(Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert summary.scalar("once", 1.0, step=epoch)


class Noted(layers.Layer):
    """A layer that summarises what it gets."""

    def call(self, x):
        summary.scalar("mean", nacre.ops.mean(x), step=0)
        return x


def noted():
    model = nacre.Sequential([Noted(), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def test_what_a_compiled_step_says_is_left_out_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="mean.*compiled step.*left out"):
        fit(noted(), tmp_path, epochs=1)
    assert not any("mean" in tag for tag in scalars(tmp_path, "train"))
    writer = summary.create_file_writer(tmp_path / "mine")
    with writer.as_default(), pytest.raises(TracedValueError, match="mean.*train_step"):
        noted().fit(X, Y, verbose=0)
    writer.close()


def test_eager_steps_write(tmp_path):
    model = noted()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    model(X[:1])  # makes its weights
    with summary.create_file_writer(tmp_path).as_default():
        model.fit(X, Y, batch_size=20, verbose=0, shuffle=False)
    [(tag, found)] = [(t, v) for t, v in scalars(tmp_path).items() if "mean" in t]
    means = pytest.approx([X[:20].mean(), X[20:].mean()])
    assert [mean for _, mean in found] == means, tag


# ------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"update_freq": "steps"}, r"update_freq must be a positive int \(batches\), 'epoch'"),
        ({"update_freq": 0}, "update_freq must be a positive int"),
        ({"histogram_freq": -1}, "histogram_freq must be an int from 0 on"),
        ({"profile_batch": (3, 2)}, r"profile_batch must be a batch .*Got \(3, 2\)"),
        ({"profile_batch": "a"}, "profile_batch must be"),
        ({"log_dir": "gs://bucket/logs"}, "log_dir must be a path on this machine"),
        ({"log_dri": "logs"}, "Did you mean 'log_dir'"),
        ({"hparams": ["units"]}, "hparams must be a dict"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, text):
    with pytest.raises(ArgumentError, match=text):
        TensorBoard(**settings)


def test_true_and_none_mean_what_they_mean_in_python():
    board = TensorBoard(histogram_freq=True, embeddings_freq=None)
    assert (board.histogram_freq, board.embeddings_freq) == (1, 0)


def test_old_arguments_are_taken_and_told():
    with pytest.warns(UserWarning, match="write_grads, batch_size"):
        TensorBoard("logs", 1, True, write_grads=True, batch_size=32)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"write_images": True}, "write_images=True alone.*histogram_freq=1"),
        ({"embeddings_metadata": "labels.tsv"}, "embeddings_metadata alone.*embeddings_freq=1"),
    ],
)
def test_settings_that_do_nothing_are_told(settings, text, tmp_path):
    with pytest.warns(UserWarning, match=text):
        train(TensorBoard(tmp_path, **settings), [1.0])


def test_a_batch_that_never_comes_is_told(tmp_path):
    with pytest.warns(
        UserWarning, match="profile_batch must be a batch of this training.*10 batches"
    ):
        fit(small(), tmp_path, profile_batch=11)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_it_can_be_copied_before_and_after_use(make, tmp_path):
    board = make(TensorBoard(tmp_path, update_freq=2))
    train(board, [1.0, 2.0])
    board.model = None
    train(make(board), [1.0, 2.0])
    assert scalars(tmp_path, "train")["epoch_loss"] == [(0, 1.0), (1, 1.0)] * 2


def test_a_restored_one_goes_on_counting_batches(tmp_path):
    first = TensorBoard(tmp_path, update_freq="batch")
    train(first, [1.0])
    second = TensorBoard(tmp_path, update_freq="batch")
    second.restore(first.state())
    train(second, [1.0])
    assert [step for step, _ in scalars(tmp_path, "train")["batch_loss"]] == [1, 2, 3, 4]


# ------------------------------------------------------------ pictures of weights


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5,), (1, 5, 1, 1)),
        ((3, 5), (1, 3, 5, 1)),
        ((5, 3), (1, 3, 5, 1)),
        ((3, 4, 7), (7, 3, 4, 1)),
        ((3, 2, 4, 20), (1, 4 * 4 - 1, 3 * 16 - 1, 1)),
        ((3, 3, 1, 8), (8, 3, 3, 1)),
        ((5000, 2), (1, 2, 1667, 1)),
        ((2, 2, 2, 3, 4), None),
        ((1, 1), None),
    ],
)
def test_pictures_of_weights_show_every_value(shape, expected):
    weight = np.random.default_rng(0).normal(size=shape)
    found = picture(weight)
    assert (None if found is None else found.shape) == expected
    if found is not None:
        assert found.min() == 0 and found.max() == 1


def test_pictures_of_weights_of_one_value_or_none_are_gray_or_black():
    assert (picture(np.ones((2, 2))) == 0.5).all()
    assert picture(np.array([np.nan, 1.0, 2.0])).ravel().tolist() == [0, 0, 1]
