"""A file or config takes no memory before it is known that it needs it.

A large first value of a weight waits while a file is opened, so the weights a config asks for are
compared with those the file holds before there are any; the rest is bounded by the file's size.
"""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core import safety
from nacre.core.errors import NacreError, SerializationError
from nacre.core.variable import Variable
from nacre.saving import deserialize_keras_object, load_model
from tests.field import hostile
from tests.field.hostile import DOORS, Config, function, graph, layer, tensor

HUGE = 60_000_000
LIMIT_BYTES = 64 << 20


def resident_bytes() -> int:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def little_memory_of(call: Callable[[], Any]) -> Any:
    """The result of a call that must not take much memory."""
    before = resident_bytes()
    try:
        return call()
    finally:
        taken = resident_bytes() - before
        assert taken < LIMIT_BYTES, f"{taken:,} bytes"


def little_memory(call: Callable[[], Any]) -> Any:
    """The same of a call that may fail in our own way: then None."""
    try:
        return little_memory_of(call)
    except NacreError:
        return None


LARGE_LAYERS: dict[str, Config] = {
    "Dense": layer("Dense", name="e", units=HUGE),
    "Dense, orthogonal": layer("Dense", name="e", units=HUGE, kernel_initializer="orthogonal"),
    "EinsumDense": layer("EinsumDense", name="e", equation="ab,bc->ac", output_shape=HUGE),
    "in a wrapper": layer("SpectralNormalization", name="e", layer=layer("Dense", units=HUGE)),
}


@pytest.mark.parametrize("door", DOORS)
def test_weights_that_no_file_holds_take_no_memory(door: str, tmp_path: Path) -> None:
    for index, config in enumerate(LARGE_LAYERS.values()):
        folder = tmp_path / str(index)
        folder.mkdir()
        little_memory(lambda c=config, f=folder: DOORS[door](graph(c), f))


def test_weights_of_a_built_layer_take_no_memory() -> None:
    for name, config in LARGE_LAYERS.items():
        built = {**config, "build_config": {"input_shape": [None, 8]}}
        made = little_memory(lambda b=built: deserialize_keras_object(b))
        assert made is not None, name
    built = {**layer("LSTM", units=HUGE), "build_config": {"input_shape": [None, 2, 8]}}
    assert little_memory_of(lambda: deserialize_keras_object(built)).built


def test_memory_for_other_things_is_in_proportion_to_the_file(tmp_path: Path) -> None:
    class Table(nacre.layers.Layer):
        """A layer whose weights have a first value of the user's."""

        def __init__(self, size: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.size = size

        def build(self, input_shape: Any) -> None:
            self.table = self.add_weight(shape=(self.size,), initializer=zeros)

        def call(self, x: Any) -> Any:
            return x

    made: list[Any] = []

    def zeros(shape: Any, dtype: Any = None) -> Any:
        made.append(shape)
        return np.zeros(shape, dtype)

    path = hostile.keras_file(
        graph(layer("Table", __name__, name="e", size=HUGE)), tmp_path / "m.keras"
    )
    with pytest.raises(
        SerializationError, match="a file is opened.*240,000,000 bytes.*safe_mode=False"
    ):
        load_model(path, custom_objects={"Table": Table})
    assert not made
    # A small one is made as ever, and a table in code of the user's is nobody's business.
    small = hostile.keras_file(
        graph(layer("Table", __name__, name="e", size=3)), tmp_path / "s.keras"
    )
    with pytest.raises(NacreError, match="missing"):
        load_model(small, custom_objects={"Table": Table})
    Table(HUGE // 100).build(None)
    assert made == [(3,), (HUGE // 100,)]


@pytest.mark.parametrize("policy", ["int8_from_float32", "int4_from_float32"])
def test_weights_made_smaller_from_large_ones_are_refused_before(policy: str) -> None:
    config = graph(layer("Dense", name="e", units=2 * HUGE, dtype=policy))
    with pytest.raises(SerializationError, match="a config is opened"):
        little_memory_of(lambda: nacre.models.model_from_config(config))


def test_what_a_config_makes_is_bounded_unless_its_author_is_trusted() -> None:
    with safety.reading(True), pytest.raises(SerializationError, match="a config is opened"):
        safety.reserve(1 << 40, "table")
    with safety.reading(False):
        safety.reserve(1 << 40, "table")
    safety.reserve(1 << 40, "table")


# -------------------------------------------------------------------- arrays that no weight is

MANY = 10**8
IMAGES: dict[str, Config] = {
    "adaptive pooling": layer("AdaptiveAveragePooling2D", name="e", output_size=[MANY, 1]),
    "tiles": layer("ContrastLimitedAdaptiveHistogramEqualization", name="e",
                   tile_grid_size=[MANY, MANY]),
    "blur": layer("RandomGaussianBlur", name="e", kernel_size=[MANY, 3], sigma=1.0),
    "patches": layer("ExtractPatches", "keras.src.ops.image", size=MANY),
}  # fmt: skip
OTHERS: dict[str, Config] = {
    "mel": layer("MelSpectrogram", name="e", fft_length=MANY, sequence_length=MANY),
    "waves": layer("STFTSpectrogram", name="e", frame_length=MANY),
    "unknown strings": layer("StringLookup", name="e", num_oov_indices=MANY, vocabulary=["a"]),
    "unknown integers": layer("IntegerLookup", name="e", num_oov_indices=MANY, vocabulary=[1]),
    "iterations": layer("SpectralNormalization", name="e", power_iterations=MANY,
                        layer=layer("Dense", units=1)),
    "split": layer("ArraySplit", "keras.src.ops.numpy", indices_or_sections=MANY),
    "diff": layer("Diff", "keras.src.ops.numpy", n=MANY),
    "parameters": layer("JaxLayer", name="e", call_fn=function("relu"),
                        params={"array": [[MANY, 8], "float32"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", [*IMAGES, *OTHERS])
def test_numbers_of_a_config_make_no_large_arrays_and_long_programs(name: str) -> None:
    config = graph(IMAGES.get(name) or OTHERS[name])
    if name in IMAGES:
        config["config"]["layers"][0]["config"]["batch_shape"] = [None, 8, 8, 3]
    if name == "unknown strings":
        config["config"]["layers"][0]["config"]["dtype"] = "string"
    little_memory(lambda: nacre.models.model_from_config(config))


def test_states_of_a_batch_that_a_config_declares_are_refused_before() -> None:
    built = {"input_shape": [10**9, 3, 4]}
    config = {**layer("LSTM", name="e", units=8, stateful=True), "build_config": built}
    with pytest.raises(SerializationError, match="a config is opened"):
        little_memory_of(lambda: deserialize_keras_object(config))


@pytest.mark.parametrize("name", ["AUC", "PrecisionAtRecall", "RecallAtPrecision"])
def test_tables_of_a_metric_are_refused_before(name: str) -> None:
    arguments: dict[str, Any] = {"num_thresholds": 10**9}
    arguments |= {"recall": 0.5} if name == "PrecisionAtRecall" else {}
    arguments |= {"precision": 0.5} if name == "RecallAtPrecision" else {}
    config = layer(name, "keras.metrics", **arguments)
    for call in (nacre.metrics.get, deserialize_keras_object):
        with pytest.raises(SerializationError, match="a config is opened"):
            little_memory_of(lambda c=call: c(config))


def test_a_table_of_a_metric_that_waits_takes_no_memory() -> None:
    config = layer("MeanIoU", "keras.metrics", num_classes=10**5)
    assert little_memory_of(lambda: nacre.metrics.get(config)).num_classes == 10**5


# -------------------------------------------------------------------- what must go on working


def model_of(units: int = 600) -> nacre.Model:
    x = nacre.Input((600,))
    y = nacre.layers.Dense(units, name="a")(x)
    y = nacre.layers.Dense(units, kernel_initializer="orthogonal", name="b")(y)
    return nacre.Model(x, y)


def test_weights_that_wait_have_the_numbers_they_would_have_had() -> None:
    text = model_of().to_json()
    for seed in (1, 2):
        nacre.utils.set_random_seed(seed)
        waiting = nacre.models.model_from_json(text)
        nacre.utils.set_random_seed(seed)
        config = {"class_name": "Functional", **plain(text)}
        at_once = deserialize_keras_object(config, safe_mode=False)
        assert all("_value" not in vars(v) for v in waiting.trainable_variables if v.size > 600)
        assert all("_value" in vars(v) for v in at_once.variables)
        for one, other in zip(waiting.get_weights(), at_once.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def plain(text: str) -> Config:
    import json

    return json.loads(text)


@pytest.mark.parametrize(
    "use", ["call", "fit", "save", "copy", "set", "stateless", "clone", "count"]
)
def test_a_model_whose_weights_wait_works_like_any_other(use: str, tmp_path: Path) -> None:
    model = nacre.models.model_from_json(model_of().to_json())
    x = np.ones((4, 600), "float32")
    if use == "call":
        assert np.isfinite(np.asarray(model(x))).all()
        assert np.isfinite(model.predict(x, verbose=0)).all()
    elif use == "fit":
        model.compile("adam", "mse")
        model.fit(x, x, epochs=1, verbose=0)
    elif use == "save":
        model.save(tmp_path / "m.keras")
        opened = load_model(tmp_path / "m.keras")
        np.testing.assert_array_equal(
            opened.layers[1].kernel.numpy(), model.layers[1].kernel.numpy()
        )
    elif use == "copy":
        import copy

        twin = copy.deepcopy(model)
        np.testing.assert_array_equal(twin.get_weights()[0], model.get_weights()[0])
    elif use == "set":
        model.set_weights([np.zeros(v.shape) for v in model.variables])
        assert not np.any(np.asarray(model(x)))
    elif use == "stateless":
        values = [v.value for v in model.trainable_variables]
        outputs, _ = model.stateless_call(values, [], x)
        np.testing.assert_allclose(outputs, model(x), rtol=1e-5)
    elif use == "clone":
        again = nacre.models.clone_model(model)
        assert np.any(again.get_weights()[0] != model.get_weights()[0])
    else:
        assert model.count_params() == 2 * (600 * 600 + 600)
        assert "_value" not in vars(model.layers[1].kernel)  # nobody has asked yet
        assert "shape=(600, 600)" in repr(model.layers[1].kernel)


def test_loading_draws_no_first_values_of_large_weights(tmp_path: Path, monkeypatch: Any) -> None:
    model = model_of()
    model.save(tmp_path / "m.keras")
    drawn: list[Any] = []
    first_value = Variable._first_value

    def noted(self: Variable, initializer: Any, shape: Any, dtype: Any) -> Any:
        drawn.append(shape)
        return first_value(self, initializer, shape, dtype)

    monkeypatch.setattr(Variable, "_first_value", noted)
    opened = load_model(tmp_path / "m.keras")
    assert (600, 600) not in drawn
    np.testing.assert_array_equal(opened.get_weights()[0], model.get_weights()[0])


def test_an_initializer_of_the_users_runs_when_the_weight_is_made() -> None:
    asked: list[Any] = []

    class Mine(nacre.initializers.Zeros):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            asked.append(shape)
            return super().__call__(shape, dtype)

    config = plain(model_of().to_json())
    inner = config["config"]["layers"][1]["config"]
    inner["kernel_initializer"] = {
        "class_name": "Mine",
        "config": {},
        "module": __name__,
        "registered_name": "Mine",
    }
    deserialize_keras_object(config, custom_objects={"Mine": Mine})
    assert asked == [(600, 600)]


# -------------------------------------------------------------------- ops in a graph

OPS: dict[str, Config] = {
    "ones": graph(layer("ones", "keras.ops"), [[20000, 20000]]),
    "ones as an op": graph(layer("Ones", "keras.src.ops.numpy", shape=[20000, 20000])),
    "ones by function": graph({"name": "e", **function("ones")}, [[20000, 20000]]),
    "eye": graph(layer("Eye", "keras.src.ops.numpy"), 40000),
    "repeat": graph(layer("Repeat", "keras.src.ops.numpy", repeats=10**9), [1.0]),
    "tile": graph(layer("Tile", "keras.src.ops.numpy", repeats=[10**9]), [1.0]),
    "broadcast_to": graph(layer("BroadcastTo", "keras.src.ops.numpy", shape=[10**9]), 1.0),
    "pad": graph(layer("Pad", "keras.src.ops.numpy", pad_width=[[0, 10**9]]), [1.0]),
    "one_hot": graph(layer("OneHot", "keras.src.ops.nn", num_classes=10**9), [1]),
    "full": graph(layer("Full", "keras.src.ops.numpy", shape=[10**9]), 1.0),
    "linspace": graph(layer("Linspace", "keras.src.ops.numpy", num=10**9), 0.0, 1.0),
    "a layer on constants": graph(layer("UpSampling1D", name="e", size=10**9), [[[1.0]]]),
    "repeat of the input": graph(
        layer("Repeat", "keras.src.ops.numpy", repeats=10**9, axis=1), tensor("x")
    ),
    "tile of the input": graph(
        layer("Tile", "keras.src.ops.numpy", repeats=[1, 10**9]), tensor("x")
    ),
    "one_hot of the input": graph(
        layer("OneHot", "keras.src.ops.nn", num_classes=10**9), tensor("x")
    ),
    "pad of the input": graph(
        layer("Pad", "keras.src.ops.numpy", pad_width=[[0, 0], [0, 10**9]]), tensor("x")
    ),
    "broadcast of the input": graph(
        layer("BroadcastTo", "keras.src.ops.numpy", shape=[10**9, 4]), tensor("x")
    ),
    "linspace of the input": graph(
        layer("Linspace", "keras.src.ops.numpy", num=10**9), tensor("x"), 1.0
    ),
}


@pytest.mark.parametrize("name", OPS)
def test_ops_of_a_graph_make_no_large_arrays(name: str, tmp_path: Path) -> None:
    model = little_memory(lambda: DOORS["keras"](OPS[name], tmp_path))
    if "input" not in name:
        assert model is None


def test_arrays_in_a_config_take_what_they_hold() -> None:
    tracemalloc.start()
    try:
        for inner in (
            {"value": 0.0, "dtype": "(100000000,)f4"},
            {"value": "a", "dtype": "S100000000"},
            {"value": "a", "dtype": "<U100000000"},
            {"value": [1, 2], "dtype": "V100000000"},
            {"value": [], "dtype": "float32"},
        ):
            for form in ("__numpy__", "__tensor__"):
                try:
                    deserialize_keras_object({"class_name": form, "config": inner})
                except SerializationError:
                    continue
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
