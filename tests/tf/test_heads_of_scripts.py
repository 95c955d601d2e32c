"""What stands at the head of scripts, and between it and the training: devices, sessions, places."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import ArgumentError, UnsupportedError
from nacre.tf.checking import check
from nacre.tf.takeover import install, uninstall


def test_a_session_that_only_says_how_memory_is_used_is_made() -> None:
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    config.gpu_options.per_process_gpu_memory_fraction = 0.5
    config.intra_op_parallelism_threads = 2
    session = tf.compat.v1.Session(config=config)
    tf.compat.v1.keras.backend.set_session(session)
    assert tf.compat.v1.keras.backend.get_session() is session
    assert session.config.gpu_options.allow_growth is True
    with tf.compat.v1.InteractiveSession(config=config) as other:
        assert tf.executing_eagerly() and other is not session


def test_what_belongs_to_graphs_is_refused() -> None:
    session = tf.compat.v1.Session()
    for use in (
        lambda: session.run([]),
        lambda: session.graph,
        lambda: tf.compat.v1.Session(graph=1),
    ):
        with pytest.raises(UnsupportedError, match="there are no graphs to run.*@tf.function"):
            use()
    with pytest.raises(ArgumentError, match=r"must be one of.*Got allow_grow\. Did you mean"):
        tf.compat.v1.ConfigProto().gpu_options.allow_grow = True


@pytest.mark.parametrize(
    ("text", "is_ready"),
    [
        ("v1.keras.backend.set_session(v1.Session(config=v1.ConfigProto()))", True),
        ("s = v1.Session()\ns.run(1)", False),
        ("with v1.Session() as s:\n  s.run(1)", False),
        ("v1.InteractiveSession().run(1)", False),
        ("from tensorflow.compat.v1 import Session\nS = Session()\nS.run(1)", False),
        ("s = v1.Session()\ns = object()\ns.run(1)", True),
        ("v1.disable_eager_execution()", True),
        ("v1.disable_eager_execution()\nx = v1.placeholder(tf.float32)", False),
    ],
)
def test_check_tells_sessions_that_are_run(text: str, is_ready: bool) -> None:
    found = check(f"import tensorflow as tf\nv1 = tf.compat.v1\n{text}")
    assert (found.missing == []) is is_ready


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("from tensorflow.python.client import device_lib as x", "list_local_devices"),
        ("from tensorflow.python.ops import math_ops as x", "reduce_sum"),
        ("from tensorflow.python.ops import array_ops as x", "concat"),
        ("from tensorflow.python.ops import state_ops as x", "assign_sub"),
        ("from tensorflow.python.ops import control_flow_ops as x", "group"),
        ("from tensorflow.python.ops import init_ops_v2 as x", "glorot_uniform"),
        ("from tensorflow.python.framework import errors_impl as x", "OutOfRangeError"),
        ("import keras.src.utils.data_utils as x", "get_file"),
        ("import keras.src.metrics.base_metric as x", "Metric"),
        ("from keras.src import backend as x", "get_value"),
        ("from tensorflow.python.framework import ops as x", "convert_to_tensor"),
        ("import tensorflow.python.framework.dtypes as x", "float32"),
        ("from tensorflow.python.framework import tensor_shape as x", "TensorShape"),
        ("from tensorflow.python.platform import gfile as x", "FastGFile"),
        ("import tensorflow.keras.utils.np_utils as x", "to_categorical"),
        ("from tensorflow.python.keras.layers import recurrent as x", "LSTM"),
        ("import tensorflow.python.keras.engine.base_layer as x", "Layer"),
    ],
)
def test_public_names_are_found_where_older_scripts_take_them_from(code: str, path: str) -> None:
    scope: dict[str, object] = {}
    install(quiet=True)
    try:
        exec(code, scope)
        assert getattr(scope["x"], path) is not None
    finally:
        uninstall()
    assert check(f"{code}\nx.{path}").missing == []
    assert check(f"{code}\nx.no_such_name").missing != []


def test_devices_are_named_as_tensorflow_names_them() -> None:
    for value in (tf.ones([2]), tf.constant([1]), tf.Variable(1.0)):
        assert value.device == "/job:localhost/replica:0/task:0/device:CPU:0"
    assert tf.python.client.device_lib.list_local_devices()[0].device_type == "CPU"


def test_the_input_of_an_input_layer_is_its_tensor() -> None:
    inputs = nacre.Input((2,))
    hidden = nacre.layers.Dense(3, name="hidden")(inputs)
    model = nacre.Model(inputs, nacre.layers.Dense(1)(hidden))
    assert model.layers[0].input is inputs
    x = np.ones((1, 2), "float32")
    part = tf.keras.backend.function([model.layers[0].input], [model.get_layer("hidden").output])
    assert np.allclose(part([x])[0], model.get_layer("hidden")(x))


def test_strings_of_layers_are_tensors_outside_of_models() -> None:
    back = tf.keras.layers.StringLookup(vocabulary=["a", "b"], invert=True)
    words = back(tf.constant([1, 2, 0]))
    assert words.numpy().tolist() == [b"a", b"b", b"[UNK]"]
    assert tf.strings.reduce_join(words).numpy() == b"ab[UNK]"
    inputs = tf.keras.Input((1,), dtype="int64")
    model = tf.keras.Model(inputs, back(inputs))
    assert np.asarray(model.predict(np.array([[2]]), verbose=0)).ravel().tolist() == [b"b"]


def test_strategies_tell_where_the_code_is() -> None:
    strategy = tf.distribute.MirroredStrategy()
    seen = lambda: (tf.distribute.has_strategy(), tf.distribute.in_cross_replica_context())
    assert seen() == (False, False)
    with strategy.scope():
        assert seen() == (True, True) and tf.distribute.get_strategy() is strategy
        assert strategy.run(seen) == (True, False)
    assert seen() == (False, False) and tf.distribute.get_strategy() is not strategy
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    assert model.distribute_strategy.num_replicas_in_sync == 1
    values = strategy.experimental_distribute_values_from_function(
        lambda context: context.replica_id_in_sync_group
    )
    assert strategy.experimental_local_results(values) == (0,)


def test_checkpoints_are_named_as_their_folder_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = tf.train.Checkpoint(step=tf.Variable(1))
    for folder, path in (("./a", "./a/ckpt-1"), ("b/", "b/ckpt-2"), ("c", "c/ckpt-3")):
        manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
        assert manager.save() == path == manager.latest_checkpoint
        assert tf.train.latest_checkpoint(folder) == path and manager.directory == folder
        state = tf.train.get_checkpoint_state(folder)
        assert state is not None and state.all_model_checkpoint_paths == [path]
    assert checkpoint.save("./d/m") == tf.train.latest_checkpoint("./d") == "./d/m-4"
    assert checkpoint.write("./e") == "./e" and os.path.exists("e.index")


def test_groups_of_options_of_data_sets_are_set() -> None:
    options = tf.data.Options()
    options.autotune.enabled = True
    data = tf.data.Dataset.range(2).with_options(options)
    assert data.options().autotune.enabled is True


def test_a_model_that_is_not_compiled_has_no_optimizer() -> None:
    assert nacre.Sequential([nacre.layers.Dense(1)]).optimizer is None


def test_strings_are_chosen_and_shuffled_on_the_host() -> None:
    words = tf.constant(["a", "b", "c"])
    found = tf.where(tf.constant([1.0, -1.0, 0.0]) > 0, words, "z")
    assert found.numpy().tolist() == [b"a", b"z", b"z"]
    assert sorted(tf.random.shuffle(words).numpy().tolist()) == [b"a", b"b", b"c"]


def test_a_profile_is_taken_between_two_places(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="graph is not written here"):
        tf.summary.trace_on(graph=True, profiler=True)
    with pytest.raises(ArgumentError, match="profiler_outdir must name the folder"):
        tf.summary.trace_export("run")
    tf.summary.trace_export("run", step=0, profiler_outdir=str(tmp_path))
    assert list(tmp_path.rglob("*.pb"))
    tf.summary.trace_on(graph=False)
    tf.summary.trace_off()
