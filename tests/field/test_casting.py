"""Under mixed precision a number reaches the layer that needs it as it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers

# Neither is a number of bfloat16: a cast gives 2912 and 1236992.
INDEX, LARGE = 2909, 1234567.0


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    nacre.mixed_precision.set_global_policy(request.param)
    yield request.param
    nacre.mixed_precision.set_global_policy("float32")


@pytest.fixture
def bfloat16(request: pytest.FixtureRequest) -> Iterator[None]:
    nacre.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    nacre.mixed_precision.set_global_policy("float32")


def exact() -> Any:
    """A layer that gives back what it gets, in float32."""
    return layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype="float32")


class Seen(layers.Layer):
    """A layer of the user's that asks for inputs as they are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"autocast": False, **kwargs})

    def call(self, inputs: Any) -> Any:
        return inputs


class Container(layers.Layer):
    """A layer of the user's made of a layer."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.within = [layer]

    def call(self, inputs: Any) -> Any:
        return self.within[0](inputs)


class BuiltLate(layers.Layer):
    """A container that makes its part in `build`."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self.make = make

    def build(self, input_shape: Any) -> None:
        self.part = self.make()

    def call(self, inputs: Any) -> Any:
        return self.part(inputs)


class Subclassed(nacre.Model):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.part = layer

    def call(self, inputs: Any) -> Any:
        return self.part(inputs)


def functional(layer: Any) -> Any:
    inputs = nacre.Input((1,))
    return nacre.Model(inputs, layer(inputs))


CONTAINERS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "sequential": lambda make: nacre.Sequential([nacre.Input((1,)), make()]),
    "sequential_built_by_data": lambda make: nacre.Sequential([make()]),
    "functional": lambda make: functional(make()),
    "subclassed": lambda make: Subclassed(make()),
    "nested": lambda make: nacre.Sequential([Subclassed(functional(make()))]),
    "container": lambda make: nacre.Sequential([Container(make())]),
    "container_of_containers": lambda make: Subclassed(Container(Container(make()))),
    "built_late": lambda make: nacre.Sequential([BuiltLate(make)]),
    "pipeline": lambda make: layers.Pipeline([make()]),
    "wrapper": lambda make: layers.Wrapper(make()),
}
PARTS: dict[str, tuple[Callable[[], Any], float, Callable[[np.ndarray], float]]] = {
    "encoding": (lambda: layers.CategoryEncoding(3000, "one_hot"), INDEX, np.argmax),
    "discretization": (lambda: layers.Discretization([2910.0]), INDEX, np.ravel),
    "float32_dense": (exact, LARGE, np.ravel),
    "embedding": (
        lambda: layers.Embedding(3000, 1, lambda shape, dtype: jnp.arange(3000)[:, None] == INDEX),
        INDEX,
        np.ravel,
    ),
    "no_autocast": (Seen, LARGE, np.ravel),
}
EXPECTED = {"encoding": INDEX, "discretization": 0, "float32_dense": LARGE, "embedding": 1,
            "no_autocast": LARGE}  # fmt: skip


@pytest.mark.parametrize(
    ("container", "part"),
    [(container, "encoding") for container in CONTAINERS]
    + [("functional", part) for part in PARTS if part != "encoding"]
    + [(container, "float32_dense") for container in ("container", "built_late", "wrapper")],
)
def test_a_container_does_not_cast_what_its_parts_need_whole(
    container: str, part: str, bfloat16: None
) -> None:
    make, value, read = PARTS[part]
    model = CONTAINERS[container](make)
    x = np.full((2, 1), value, "float32")
    for _ in range(2):  # built by the first call, and built
        np.testing.assert_array_equal(read(np.asarray(model(x), "float32")[:1]), EXPECTED[part])


@pytest.mark.parametrize("part", ["encoding", "float32_dense", "no_autocast"])
def test_training_loops_do_not_cast_either(part: str, bfloat16: None) -> None:
    make, value, read = PARTS[part]
    model = nacre.Sequential([nacre.Input((1,)), make()])
    x = np.full((4, 1), value, "float32")
    found = model.predict(x, batch_size=2, verbose=0)
    assert found.dtype == "float32"  # NumPy has no bfloat16
    assert model.output.dtype == model(x).dtype
    np.testing.assert_array_equal(read(np.asarray(found, "float32")[:1]), EXPECTED[part])
    y = np.asarray(found, "float32")
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.evaluate(x, y, batch_size=2, verbose=0) == [0.0, 0.0]
    if model.trainable_weights:
        history = model.fit(x, y, batch_size=2, verbose=0).history
        assert history["loss"] == [0.0] and history["mae"] == [0.0]


def test_targets_and_sample_weights_keep_their_value(bfloat16: None) -> None:
    model = nacre.Sequential([nacre.Input((1,)), exact()])
    model.compile("sgd", "mae", metrics=["mae"], weighted_metrics=["mse"])
    x, y = np.zeros((2, 1), "float32"), np.full((2, 1), LARGE, "float32")
    loss, mae, mse = model.evaluate(x, y, sample_weight=np.array([INDEX, 0.0]), verbose=0)
    np.testing.assert_allclose([loss, mae, mse], [LARGE * INDEX / 2, LARGE, LARGE**2], rtol=1e-6)


def test_wrappers_leave_the_cast_to_what_they_wrap(bfloat16: None) -> None:
    x = np.full((1, 2, 1), LARGE, "float32")
    assert layers.TimeDistributed(exact())(x).ravel().tolist() == [LARGE, LARGE]
    encoding = layers.TimeDistributed(layers.CategoryEncoding(3000, "one_hot"))
    assert np.argmax(encoding(np.full((1, 2, 1), INDEX, "float32")), -1).tolist() == [[INDEX] * 2]
    spectral = layers.SpectralNormalization(exact(), dtype="float32")
    np.testing.assert_allclose(spectral(x).ravel(), LARGE)


class LastInput(layers.Layer):
    """A cell whose output is its input."""

    state_size = 1

    def call(self, inputs: Any, states: Any) -> Any:
        return inputs, [inputs]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda cell: layers.RNN(cell),
        lambda cell: layers.RNN([cell, LastInput(dtype="float32")]),
        lambda cell: layers.RNN(layers.StackedRNNCells([cell])),
        lambda cell: layers.Bidirectional(
            layers.RNN(cell), merge_mode="ave", backward_layer=layers.RNN(cell, go_backwards=True)
        ),
    ],
    ids=["rnn", "list", "stacked", "bidirectional"],
)
def test_cells_with_a_dtype_of_their_own_get_whole_inputs(wrap: Any, bfloat16: None) -> None:
    x = np.full((1, 2, 1), LARGE, "float32")
    assert wrap(LastInput(dtype="float32"))(x).ravel().tolist() == [LARGE]
    assert wrap(LastInput(dtype="float32"))(nacre.Input((2, 1))).dtype == "float32"


def test_a_cell_of_float32_computes_in_float32_inside_a_mixed_loop(bfloat16: None) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    state = np.full((2, 3), 0.123456789, "float32")
    mixed = layers.RNN(layers.SimpleRNNCell(3, dtype="float32"))
    plain = layers.SimpleRNN(3, dtype="float32")
    mixed(x), plain(x)
    plain.set_weights(mixed.get_weights())
    expected = plain(x, initial_state=state)
    np.testing.assert_array_equal(mixed(x, initial_state=state), expected)
    assert mixed(x).dtype == "float32"
    assert (
        layers.RNN(layers.SimpleRNNCell(3))(x).dtype == layers.SimpleRNN(3)(x).dtype == "bfloat16"
    )


# Values above 65504, the largest of float16, whose results are not.
BEYOND = np.array([[70000.0, 90000.0], [80000.0, 100000.0]], "float32")


@pytest.mark.parametrize(
    ("make", "training"),
    [
        (lambda: layers.Normalization(mean=[75000.0, 95000.0], variance=[25e6, 25e6]), None),
        (lambda: layers.Rescaling(1e-5, -0.5), None),
        (lambda: layers.BatchNormalization(), True),
        (lambda: layers.LayerNormalization(), None),
        (lambda: layers.GroupNormalization(1), None),
        (lambda: layers.RMSNormalization(), None),
        (lambda: layers.UnitNormalization(), None),
    ],
    ids=["normalization", "rescaling", "batch", "layer", "group", "rms", "unit"],
)
def test_values_beyond_float16_are_normalized_before_they_are_cast(
    make: Any, training: Any, policy: str
) -> None:
    model = nacre.Sequential([nacre.Input((2,)), make()])
    found = model(BEYOND, training=training)
    assert found.dtype == model.output.dtype == policy.removeprefix("mixed_")
    nacre.mixed_precision.set_global_policy("float32")
    expected = make()(BEYOND, **({} if training is None else {"training": training}))
    np.testing.assert_allclose(np.asarray(found, "float32"), expected, atol=6e-3, rtol=6e-3)


def test_an_adapted_normalization_sees_values_beyond_float16(policy: str) -> None:
    layer = layers.Normalization()
    layer.adapt(BEYOND)
    found = nacre.Sequential([nacre.Input((2,)), layer]).predict(BEYOND, verbose=0)
    np.testing.assert_allclose(found.astype("float32"), [[-1, -1], [1, 1]], atol=1e-2)


def test_a_masking_value_is_compared_as_it_is(bfloat16: None) -> None:
    x = np.array([[[2909.0], [2912.0]]], "float32")
    outputs = layers.Masking(2909.0)(x)
    assert outputs.dtype == "bfloat16" and outputs.ravel().tolist() == [0, 2912]


def test_boxes_and_labels_of_images_keep_their_value(bfloat16: None) -> None:
    boxes = {"boxes": np.full((1, 1, 4), 1333.0, "float32"), "labels": np.array([[LARGE]])}
    data = {"images": np.ones((1, 8, 8, 3), "float32"), "bounding_boxes": boxes}
    found = layers.RandomBrightness(0.1, bounding_box_format="xyxy")(data, training=True)
    assert found["images"].dtype == "bfloat16"
    assert found["bounding_boxes"]["boxes"].ravel().tolist() == [1333.0] * 4
    assert found["bounding_boxes"]["labels"].ravel().tolist() == [LARGE]


def test_numbers_of_nodes_may_be_floats(bfloat16: None) -> None:
    count = 300
    x = np.arange(count, dtype="float32")[None, :, None] % 2
    edges = np.array([[[299, 257]]], "float32")  # 257 is no number of bfloat16
    outputs = layers.MessagePassing()((x, edges))
    assert outputs.dtype == "bfloat16"
    assert np.flatnonzero(np.asarray(outputs, "float32")).tolist() == [257]


def test_lookups_find_integers_that_came_as_floats(bfloat16: None) -> None:
    model = nacre.Sequential([layers.IntegerLookup(vocabulary=[2912, INDEX])])
    assert model(np.array([[INDEX]], "int32")).ravel().tolist() == [2]


def test_a_layer_without_layers_gets_the_compute_dtype(policy: str) -> None:
    class Leaf(layers.Layer):
        def call(self, inputs: Any) -> Any:
            assert inputs.dtype == self.compute_dtype
            return inputs

    assert nacre.Sequential([Leaf()])(np.ones((1, 2))).dtype == policy.removeprefix("mixed_")


def test_a_users_block_of_layers_that_cast_alike_casts_as_a_whole(bfloat16: None) -> None:
    class Residual(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.dense = layers.LayerNormalization(), layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return inputs + self.dense(self.norm(inputs))

    x = np.ones((1, 2), "float32")
    assert Residual()(x).dtype == Residual()(nacre.Input((2,))).dtype == "bfloat16"


def test_a_map_of_policies_may_keep_one_part_in_float32() -> None:
    policies = nacre.dtype_policies.DTypePolicyMap("mixed_bfloat16")
    policies[".*part"] = nacre.dtype_policies.DTypePolicy("float32")
    part = layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype=policies, name="part")
    model = nacre.Sequential([nacre.Input((1,)), part])
    found = model(np.full((1, 1), LARGE, "float32"))
    assert str(found.dtype) == model.output.dtype == "float32" and found.item() == LARGE


def test_a_model_file_computes_what_the_model_did(tmp_path: Any, bfloat16: None) -> None:
    model = nacre.Sequential([nacre.Input((1,)), exact(), layers.Dense(2)])
    x = np.full((1, 1), LARGE, "float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    nacre.mixed_precision.set_global_policy("float32")
    loaded = nacre.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
