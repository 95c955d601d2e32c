"""What `TensorBoard` writes besides charts: graphs, embeddings, profiles, hyper-parameters."""

from __future__ import annotations

import json
import sys

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, summary
from nacre.callbacks import HParamsCallback, TensorBoard
from nacre.callbacks.tensorboard_graph import graph_config, graph_def
from nacre.core.errors import ArgumentError
from nacre.summary import hparams as hp
from tests.summary.event_files import event_files, fields, one, read, records

from .host import Host, train


def nodes(model):
    """Class and inputs of each node of a model's graph."""
    found = {}
    for _, node in fields(graph_def(graph_config(model))):
        inputs = [value.decode() for number, value in fields(node) if number == 3]
        found[one(node, 1).decode()] = (one(node, 2).decode(), inputs)
    return found


def test_graph_of_a_sequential_model_is_a_chain():
    model = nacre.Sequential(
        [layers.Input((4,), name="x"), layers.Dense(3, name="a"), layers.Dense(2, name="b")],
        name="net",
    )
    assert nodes(model) == {
        "net/x": ("InputLayer", []),
        "net/a": ("Dense", ["net/x"]),
        "net/b": ("Dense", ["net/a"]),
    }


def test_graph_has_tensors_by_name_models_within_and_outputs_in_dicts():
    x, y = layers.Input((4,), name="x"), layers.Input((4,), name="y")
    inner = nacre.Sequential([layers.Input((4,), name="in"), layers.Dense(4, name="d")], name="net")
    two = layers.Input((4,), name="p"), layers.Input((4,), name="q")
    pair = nacre.Model(two, layers.Add(name="sum")(list(two)), name="pair")
    shared = layers.Dense(4, name="shared")
    added = pair([inner(x), shared(shared(y))])
    attended = layers.MultiHeadAttention(1, 2, name="att")(
        layers.Reshape((2, 2), name="q2")(added), value=layers.Reshape((2, 2), name="v2")(y)
    )
    model = nacre.Model({"x": x, "y": y}, {"out": attended, "also": added}, name="m")
    assert nodes(model) == {
        "m/x": ("InputLayer", []),
        "m/y": ("InputLayer", []),
        "m/net/in": ("InputLayer", ["m/x"]),
        "m/net/d": ("Dense", ["m/net/in"]),
        "m/shared": ("Dense", ["m/y"]),
        "m/pair/p": ("InputLayer", ["m/net/d"]),
        "m/pair/q": ("InputLayer", ["m/shared"]),
        "m/pair/sum": ("Add", ["m/pair/p", "m/pair/q"]),
        "m/q2": ("Reshape", ["m/pair/sum"]),
        "m/v2": ("Reshape", ["m/y"]),
        "m/att": ("MultiHeadAttention", ["m/q2", "m/v2"]),
    }
    places = graph_config(model)["config"]["output_layers"]
    assert sorted(place[0] for place in places) == ["att", "pair"]


def test_graph_leaves_out_vocabularies():
    text = layers.TextVectorization(vocabulary=["secret", "words"])
    model = nacre.Sequential([layers.Input((1,), dtype="string"), text])
    assert "secret" in model.to_json() and "secret" not in json.dumps(graph_config(model))


def test_models_without_a_graph_train_without_one(tmp_path):
    class Own(nacre.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Own()
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[TensorBoard(tmp_path)])
    assert {written.tag for written in read(tmp_path)} == {"epoch_loss", "epoch_learning_rate"}


class Nameless(layers.Layer):
    """One whose config lacks what a layer's has."""

    def call(self, x):
        return x

    def get_config(self):
        return {"units": 3}


class Refusing(Nameless):
    def get_config(self):
        raise NotImplementedError("no config")


def test_a_config_without_a_name_is_no_hindrance(tmp_path):
    inputs = layers.Input((4,), name="x")
    functional = nacre.Model(inputs, Nameless(name="own")(inputs), name="f")
    assert nodes(functional) == {
        "f/x": ("InputLayer", []),
        "f/own": ("Nameless", ["f/x"]),
    }
    assert list(nodes(nacre.Sequential([inputs, Nameless()], name="s"))) == ["s/x", "s/Nameless"]


def test_a_layer_that_refuses_its_config_is_told_and_training_goes_on(tmp_path):
    model = nacre.Sequential([layers.Input((2,)), Refusing(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="the graph of the model is left out.*no config"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[TensorBoard(tmp_path)])
    assert {written.tag for written in read(tmp_path)} == {"epoch_loss", "epoch_learning_rate"}


def test_parts_of_one_name_have_charts_and_tables_of_their_own(tmp_path):
    def part(name):
        inputs = layers.Input((3,))
        outputs = layers.Flatten()(layers.Embedding(5, 1, name="table")(inputs))
        return nacre.Model(inputs, outputs, name=name)

    inputs = layers.Input((3,))
    model = nacre.Model(inputs, part("first")(inputs) + part("second")(inputs))
    model.compile("sgd", "mse")
    board = TensorBoard(tmp_path, histogram_freq=1, embeddings_freq=1)
    model.fit(np.ones((4, 3), int), np.ones((4, 3)), verbose=0, callbacks=[board])
    tags = [written.tag for written in read(tmp_path) if written.plugin == "histograms"]
    assert tags == ["table/embeddings/histogram", "table/embeddings_1/histogram"]
    tables = sorted(path.name for path in (tmp_path / "embeddings").iterdir())
    assert tables == ["table.tsv", "table_1.tsv"]


# ------------------------------------------------------------ embeddings


def embedded(name="words"):
    model = nacre.Sequential(
        [layers.Input((3,)), layers.Embedding(7, 2, name=name), layers.Flatten(), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


def learn(model, *callbacks, epochs=1):
    x, y = np.arange(12).reshape(4, 3) % 7, np.ones((4, 1))
    model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks))


def test_projector_gets_the_tables_as_they_are_at_the_end(tmp_path):
    model = embedded()
    board = TensorBoard(tmp_path, embeddings_freq=2, embeddings_metadata={"words": "labels.tsv"})
    learn(model, board, epochs=2)
    assert (tmp_path / "projector_config.pbtxt").read_text() == (
        'embeddings {\n  tensor_name: "words"\n  tensor_path: "embeddings/words.tsv"\n'
        '  metadata_path: "labels.tsv"\n}\n'
    )
    table = np.loadtxt(tmp_path / "embeddings" / "words.tsv", delimiter="\t")
    np.testing.assert_allclose(table, model.layers[0].embeddings, rtol=1e-5)
    # The viewer looks for the table in folders that have an event file.
    assert tmp_path in {path.parent for path in event_files(tmp_path)}


def test_one_path_of_labels_is_for_all_tables_and_names_are_escaped(tmp_path):
    model = embedded('wo"rds é')
    learn(model, TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata="all.tsv"))
    told = (tmp_path / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert 'tensor_name: "wo\\"rds é"' in told and 'metadata_path: "all.tsv"' in told
    [table] = (tmp_path / "embeddings").iterdir()
    assert f'"embeddings/{table.name}"' in told


def test_labels_for_a_layer_that_is_not_there_are_refused_before_training(tmp_path):
    board = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"wrods": "a.tsv"})
    with pytest.raises(ArgumentError, match="layers with embeddings.*Did you mean 'words'"):
        learn(embedded(), board)
    assert not summary.should_record_summaries()


def test_a_model_without_embeddings_has_no_projector(tmp_path):
    train(TensorBoard(tmp_path, embeddings_freq=1), [1.0])
    assert not (tmp_path / "projector_config.pbtxt").exists()


# ------------------------------------------------------------ profiles


def profiles(folder):
    return sorted((folder / "train").glob("plugins/profile/*/*.xplane.pb"))


def test_profiles_lie_where_the_plugin_looks_also_one_cut_short(tmp_path):
    train(TensorBoard(tmp_path / "whole", profile_batch=(1, 2)), [1.0])
    train(TensorBoard(tmp_path / "cut", profile_batch="2,30"), [1.0])
    for run in (tmp_path / "whole", tmp_path / "cut"):
        [profile] = profiles(run)
        assert b"step_num" in profile.read_bytes()  # what the viewer counts steps by


def test_a_resumed_training_profiles_nothing_that_is_past(tmp_path):
    board = TensorBoard(tmp_path, profile_batch=(1, 2))
    board.restore({"_step": 40})
    train(board, [1.0])
    assert not profiles(tmp_path)


def test_a_batch_within_others_that_run_at_once_is_profiled_with_the_next(tmp_path):
    model = embedded()
    model.compile("sgd", "mse", steps_per_execution=2)
    x, y = np.ones((6, 3), int), np.ones((6, 1))
    board = TensorBoard(tmp_path, profile_batch=2)
    model.fit(x, y, batch_size=1, verbose=0, callbacks=[board])
    assert len(profiles(tmp_path)) == 1


def test_a_second_profile_at_one_time_is_left_out(tmp_path):
    with jax.profiler.trace(str(tmp_path / "mine")):
        with pytest.warns(UserWarning, match="one profile is taken at a time"):
            train(TensorBoard(tmp_path, profile_batch=1), [1.0, 2.0])
    assert not profiles(tmp_path)


# ------------------------------------------------------------ hyper-parameters


def told(folder, tag):
    """The message of the hparams plugin under a tag."""
    for path in event_files(folder):
        for event in records(path)[1:]:
            value = one(one(event, 5), 1)
            if one(value, 1) == f"_hparams_/{tag}".encode():
                plugin = one(one(value, 9), 1)
                assert one(plugin, 1) == b"hparams"
                return fields(one(plugin, 2))[0]
    return None


def session(folder):
    """(hyper-parameters, trial, status) of a run."""
    number, start = told(folder, "session_start_info")
    assert number == 3
    values = {}
    for key, entry in fields(start):
        if key == 1:
            [(kind, value)] = fields(one(entry, 2))
            values[one(entry, 1).decode()] = {2: float, 3: bytes.decode, 4: bool}[kind](value)
    ended = told(folder, "session_end_info")
    return values, one(start, 4).decode(), ended and one(ended[1], 1)


@pytest.mark.parametrize("make", ["argument", "callback", "writer"])
def test_hyper_parameters_and_end_of_a_run_are_written(make, tmp_path):
    values = {hp.HParam("units"): np.int64(8), "rate": np.float32(0.5), "bn": True, "opt": "adam"}
    values |= {"layers": (3, 4), "none": None, "function": nacre.activations.relu}
    if make == "argument":
        train(TensorBoard(tmp_path, hparams=values), [1.0])
    elif make == "callback":
        train(HParamsCallback(tmp_path, values, trial_id="first"), [1.0])
    else:
        writer = summary.create_file_writer(tmp_path)
        train(HParamsCallback(writer, values), [1.0])
        writer.close()
    found, trial, status = session(tmp_path)
    assert found == {
        "units": 8,
        "rate": 0.5,
        "bn": True,
        "opt": "adam",
        "layers": "(3, 4)",
        "none": "None",
        "function": "relu",
    }
    assert status == 1
    assert trial == "first" if make == "callback" else len(trial) == 64


def test_a_run_that_an_error_ended_has_failed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(HParamsCallback(tmp_path / "bad", {"a": 1}), [1.0], fail_in=0)
    assert session(tmp_path / "bad")[2] == 2
    try:
        raise ValueError
    except ValueError:
        assert sys.exception() is not None
        train(HParamsCallback(tmp_path / "good", {"a": 1}), [1.0])
    assert session(tmp_path / "good")[2] == 1


def test_experiments_are_described_as_by_the_plugins_own_functions(tmp_path):
    units = hp.HParam("units", hp.Discrete([16, 8]), display_name="Units")
    domains = [units, hp.HParam("rate", hp.RealInterval(0.001, 0.1)), "free"]
    domains += [hp.HParam("bn", hp.Discrete([True, False])), hp.HParam("n", hp.IntInterval(1, 5))]
    metric = hp.Metric("epoch_accuracy", group="validation", dataset_type=hp.Metric.VALIDATION)
    with summary.create_file_writer(tmp_path).as_default():
        assert hp.hparams_config(domains, [metric, "epoch_loss"])
        assert hp.hparams({units: 8, "rate": 0.01})
    number, experiment = told(tmp_path, "experiment")
    parts = {4: [], 5: []}
    for key, value in fields(experiment):
        parts.get(key, []).append(value)
    assert number == 2 and [one(part, 1).decode() for part in parts[4]] == [
        "units",
        "rate",
        "free",
        "bn",
        "n",
    ]
    assert [one(part, 4, 0) for part in parts[4]] == [3, 3, 0, 2, 3]
    assert [one(v, 2) for _, v in fields(one(parts[4][0], 5))] == [8.0, 16.0]
    assert fields(one(parts[4][1], 6)) == [(1, 0.001), (2, 0.1)]
    assert [one(one(part, 1), 2) for part in parts[5]] == [b"epoch_accuracy", b"epoch_loss"]
    assert not hp.hparams({"a": 1}) and not hp.hparams_config([], [])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: hp.Discrete([1, "a"]), "all strings, all booleans, or all numbers"),
        (lambda: hp.Discrete([]), "all strings"),
        (lambda: hp.RealInterval(2, 1), "min_value must be at most"),
        (lambda: hp.Metric("a", dataset_type="test"), "dataset_type"),
        (lambda: HParamsCallback("logs", [1]), "hparams must be a dict"),
        (lambda: HParamsCallback(3, {}), "writer must be a path"),
        (lambda: HParamsCallback("logs", {hp.HParam("a"): 1, "a": 2}), "one value.*'a' twice"),
        (lambda: HParamsCallback("logs", {}, trial_id=3), "trial_id must be a string"),
    ],
)
def test_hyper_parameters_that_cannot_be_are_refused(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()


def test_a_host_without_layers_is_enough(tmp_path):
    board = TensorBoard(tmp_path, histogram_freq=1, write_images=True, embeddings_freq=1)
    train(board, [1.0], host=Host())
    assert read(tmp_path)
