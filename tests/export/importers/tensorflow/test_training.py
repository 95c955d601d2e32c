"""SavedModels of TensorFlow as layers, and their gradients."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, SerializationError
from nacre.core.wire.tensorflow.dtypes import NUMBERS
from nacre.core.wire.tensorflow.graph import AttrValue, GraphDef, NodeDef
from nacre.core.wire.tensorflow.tensors import to_message
from nacre.saving import open_saved_model
from tests.export.importers.tensorflow.saved_models import calls, extracted

# Of TensorFlow 2.21: the gradient of sum(y * [1, 2, ...]) for an input of ones over 10.
_STEP = np.arange(1, 3, dtype="float32")


def test_gradients_of_whole_programs_are_those_they_were_saved_with(tmp_path: Path) -> None:
    # XlaCallModule has a gradient through the function that was saved beside it.
    program = open_saved_model(extracted("jax", tmp_path))
    x = jnp.full((2, 3, 3), 0.1, jnp.float32)

    def loss(x: jax.Array) -> jax.Array:
        return jnp.sum(program.serve(x) * _STEP)

    numeric = (loss(x.at[0, 1, 2].add(0.05)) - loss(x.at[0, 1, 2].add(-0.05))) / 0.1
    np.testing.assert_allclose(jax.grad(loss)(x)[0, 1, 2], numeric, rtol=2e-3)


def test_a_gradient_of_its_own_counts_and_not_that_of_its_ops(tmp_path: Path) -> None:
    program = open_saved_model(extracted("module", tmp_path))
    scale = program.scale.numpy()[0]
    found = jax.grad(lambda x: jnp.sum(program.reversed_gradient(x)))(jnp.ones(4))
    np.testing.assert_allclose(found, np.full(4, -3 * scale), rtol=1e-6)


def test_a_tape_reaches_the_variables_of_a_recurrent_model(tmp_path: Path) -> None:
    program = open_saved_model(extracted("masked", tmp_path))
    x = np.full((2, 4, 2), 0.3, "float32")
    with nacre.GradientTape() as tape:
        loss = jnp.sum(program(x) * _STEP)
    gradients = tape.gradient(loss, program.trainable_variables)
    variable, gradient = program.trainable_variables[0], gradients[0]
    before, place, step = variable.numpy(), (0,) * len(variable.shape), 0.01
    losses = []
    for sign in (1, -1):
        moved = before.copy()
        moved[place] += sign * step
        variable.assign(moved)
        losses.append(float(jnp.sum(program(x) * _STEP)))
    np.testing.assert_allclose(gradient[place], (losses[0] - losses[1]) / (2 * step), rtol=2e-2)


def test_values_set_into_variables_are_those_the_program_computes_with(tmp_path: Path) -> None:
    program = open_saved_model(extracted("module", tmp_path))
    before = program(np.ones((1, 3), "float32"))
    for variable in program.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    assert np.abs(before).max() > 0
    np.testing.assert_array_equal(program(np.ones((1, 3), "float32")), np.zeros((1, 2)))
    assert [v.shape for v in program.variables] == [(3,), (3, 2), (2,)]


def test_numbers_of_64_bits_stay_exact_though_the_program_is_part_of_another(
    tmp_path: Path,
) -> None:
    program = open_saved_model(extracted("module", tmp_path))
    within = jax.jit(lambda x: program(x) * 2)
    np.testing.assert_allclose(within(np.ones((1, 3))), 2 * program(np.ones((1, 3))), rtol=1e-6)
    before = int(program.step(np.int64(1 << 33))[1])
    assert int(program.step(np.int64(1))[0]) == before // 2
    # What does not read the counter goes on, though 32 bits do not hold it.
    within = jax.jit(lambda x: program(x) * 3)
    np.testing.assert_allclose(within(np.ones((1, 3))), 3 * program(np.ones((1, 3))), rtol=1e-6)


def test_constants_of_64_bits_stay_exact_though_the_program_was_part_of_another_first(
    tmp_path: Path,
) -> None:
    kind, numbers = AttrValue(type=NUMBERS["float64"]), np.full(2000, 0.1)
    graph = GraphDef(
        node=[
            NodeDef(name="x", op="Placeholder", attr={"dtype": kind}),
            NodeDef(
                name="c",
                op="Const",
                attr={"dtype": kind, "value": AttrValue(tensor=to_message(numbers))},
            ),
            NodeDef(name="y", op="Mul", input=["x", "c"], attr={"T": kind}),
        ]
    )
    (tmp_path / "graph.pb").write_bytes(graph.write())
    program = open_saved_model(tmp_path / "graph.pb")
    assert jax.jit(program)(np.ones(2000, "float32")).dtype == "float32"
    np.testing.assert_array_equal(program(np.ones(2000)), numbers)


def test_functions_draw_anew_and_follow_the_seed(tmp_path: Path) -> None:
    program = open_saved_model(extracted("trained", tmp_path))
    x = np.ones((4, 4), "float32")
    first, second = program(x, training=True), program(x, training=True)
    assert not np.array_equal(first, second)
    seeded = []
    for _ in range(2):
        nacre.utils.set_random_seed(3)
        program = open_saved_model(tmp_path / "trained")
        seeded.append(program(x, training=True))
    np.testing.assert_array_equal(*seeded)


def test_a_layer_of_a_saved_model_trains_within_a_model(tmp_path: Path) -> None:
    folder = extracted("trained", tmp_path)
    (_, (x,), _, wanted), *_ = calls("trained")
    layer = layers.TFSMLayer(folder, call_endpoint="serving_default")
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-5)
    inputs = nacre.Input((4,))
    model = nacre.Model(inputs, layers.Dense(1)(layer(inputs)))
    assert layer(inputs).shape == (None, 2) and len(layer.trainable_weights) == 6
    model.compile(nacre.optimizers.SGD(0.5), "mse")
    before = layer.get_weights()
    model.fit(np.tile(x, (4, 1)), np.ones((12, 1)), batch_size=4, epochs=2, verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True)]
    # All but the averages of BatchNormalization, which this signature takes as they are.
    assert [w.trainable for w in layer.weights] == changed
    layer.trainable = False
    assert not layer.trainable_weights


def test_the_function_for_training_is_called_in_training(tmp_path: Path) -> None:
    folder = extracted("module", tmp_path)
    layer = layers.TFSMLayer(folder, "__call__", call_training_endpoint="reversed_gradient")
    x = np.ones((2, 3), "float32")
    assert layer(x).shape == (2, 2)
    assert layer(x[0], training=True).shape == (3,)


def test_a_layer_in_a_file_is_read_only_where_the_file_is_trusted(tmp_path: Path) -> None:
    folder = extracted("trained", tmp_path)
    model = nacre.Sequential([nacre.Input((4,)), layers.TFSMLayer(folder, "serving_default")])
    x = np.ones((2, 4), "float32")
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "m.keras")
    with pytest.raises(SerializationError, match="must not read other files"):
        nacre.models.load_model(tmp_path / "m.keras")
    opened = nacre.models.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_allclose(opened.predict(x, verbose=0), before, rtol=1e-6)


def test_an_endpoint_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="where there is .*serving_default"):
        layers.TFSMLayer(extracted("records", tmp_path), "served")
    with pytest.raises(ArgumentError, match=r"serving_default"):
        layers.TFSMLayer(extracted("trained", tmp_path))
