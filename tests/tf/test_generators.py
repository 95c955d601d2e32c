"""Random numbers that TensorFlow defines: `tf.random.Generator` and the stateless ones.

The numbers written here were printed by TensorFlow 2.15.1 on a CPU.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError


def plain(x: Any) -> Any:
    return x.numpy().tolist()


@pytest.mark.parametrize("draw", ["uniform", "normal", "truncated_normal"])
def test_a_seed_that_is_set_again_begins_functions_anew_that_were_compiled(draw: str) -> None:
    function = tf.function(lambda: getattr(tf.random, draw)([3], seed=5))
    found = []
    for seed in (3, 3, 4):  # the last as well: an op keeps the seed it was traced with
        tf.random.set_seed(seed)
        found.append([function().numpy().tolist() for _ in range(2)])
    assert found[0] == found[1] == found[2]
    assert found[0][0] != found[0][1]


def test_limits_that_a_compiled_function_would_cut_are_refused() -> None:
    @tf.function
    def function(seed: Any, high: int) -> Any:
        return tf.random.stateless_uniform([3], seed, 0, high, dtype=tf.int64)

    assert (function(tf.constant([1, 2]), 2**31 - 1).numpy() > 0).any()
    with pytest.raises(ArgumentError, match="must fit int32"):
        function(tf.constant([1, 2]), 2**40)


@pytest.mark.parametrize("draw", ["uniform", "normal", "truncated_normal"])
def test_no_numbers_are_drawn_where_none_are_asked_for(draw: str) -> None:
    for dtype in ("float32", "float64"):
        assert getattr(tf.random, f"stateless_{draw}")([0, 3], [1, 2], dtype=dtype).shape == (0, 3)
    assert getattr(tf.random.Generator.from_seed(1), draw)([0]).shape == (0,)


def test_a_generator_draws_tensorflows_numbers() -> None:
    g = tf.random.Generator.from_seed(1)
    wanted = [0.438423, -0.534398, -0.077103, 1.565805, -0.101235]
    np.testing.assert_allclose(g.normal([5]), wanted, atol=2e-6)
    assert plain(g.uniform([2], 1, 50, dtype=tf.int32)) == [33, 15]
    assert plain(g.uniform([2], 10, 2**40, dtype=tf.int64)) == [983654104528, 1031445447230]
    assert plain(g.uniform_full_int([2], dtype=tf.int32)) == [-1594009972, -632736865]
    assert plain(g.uniform_full_int([1])) == [15770334326065476290]
    wanted = [-0.16787, 1.88535, -1.22924, 0.36884, 0.58833]
    np.testing.assert_allclose(g.truncated_normal([5]), wanted, atol=1e-5)
    assert plain(g.make_seeds(2)) == [[-3206527474837102847, -822974215341821412], [0, 0]]
    keys = [-7204024886673235746, -4472212563072582704]
    assert [plain(one.state) for one in g.split(2)] == [[0, 0, key] for key in keys]
    assert plain(g.state) == [5377, 0, 0]


def test_stateless_draws_are_tensorflows_numbers() -> None:
    r = tf.random
    np.testing.assert_allclose(r.stateless_uniform([3], [1, 2]), [0.84406, 0.192045, 0.996223], atol=1e-6)  # fmt: skip
    assert plain(r.stateless_uniform([3], [-1, 2**33], 2, 900, tf.int32)) == [752, 303, 723]
    wide = [7464880146280614444, 1591045637757961278]
    assert plain(r.stateless_uniform([2], [1, 2], None, None, tf.int64)) == wide
    np.testing.assert_allclose(r.stateless_normal([3], [1, 2]), [0.54411, 0.20738, 0.07356], atol=1e-5)  # fmt: skip
    found = r.stateless_truncated_normal([3], [3, 4])
    np.testing.assert_allclose(found, [-0.17393, 1.67235, 0.34817], atol=1e-5)
    assert plain(r.split([1, 2], 2)) == [[1105988140, 1738052849], [-335576002, 370444179]]
    assert plain(r.fold_in([1, 2], 5)) == [1105988140, 5]
    assert plain(r.stateless_uniform([4], [5, 6], 3, 70, tf.int64)) == [57, 55, 69, 19]
    double = r.stateless_uniform([2], [1, 2], dtype=tf.float64)
    np.testing.assert_allclose(double, [0.752483754, 0.969785773], rtol=1e-9)
    assert plain(r.stateless_uniform([2], [1, 2], dtype=tf.float16)) == [0.54296875, 0.2353515625]


@pytest.mark.parametrize("seed", [[5, 6], [-5, 6]])
def test_a_compiled_function_draws_the_same(seed: list[int]) -> None:
    def draws(pair: Any) -> Any:
        r = tf.random
        return (
            r.stateless_uniform([5], pair, -2.0, 7.0),
            r.stateless_normal([3], pair),
            r.stateless_truncated_normal([9], pair),
            r.stateless_uniform([4], pair, -3, 7, tf.int32),
            r.stateless_uniform([4], pair, 3, 70, tf.int64),
            r.split(pair, 2),
        )

    for eager, compiled in zip(draws(seed), tf.function(draws)(tf.constant(seed)), strict=True):
        np.testing.assert_allclose(eager, compiled, rtol=2e-5, atol=1e-6)


def test_a_generators_state_goes_on_in_compiled_functions_and_in_fit() -> None:
    g, same = (tf.random.Generator.from_seed(2) for _ in range(2))
    draw = tf.function(lambda: g.uniform([2], 0, 99, tf.int32))
    assert [plain(draw()) for _ in range(3)] == [plain(same.uniform([2], 0, 99, tf.int32)) for _ in range(3)]  # fmt: skip
    assert plain(g.state) == plain(same.state) == [2 + 3 * 512, 0, 0]

    class Noise(tf.keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.rng = tf.random.Generator.from_seed(1)

        def call(self, x: Any) -> Any:
            return x + self.rng.normal([1])

    model = tf.keras.Sequential([tf.keras.Input((1,)), Noise()])
    found = model.predict(np.zeros((6, 1)), batch_size=2, verbose=0).ravel()
    assert len(set(found.tolist())) == 3 and plain(model.layers[-1].rng.state) == [
        1 + 3 * 256,
        0,
        0,
    ]


def test_states_are_made_read_and_set() -> None:
    g = tf.random.Generator
    cases = [
        (g.from_seed(1), [1, 0, 0]),
        (g.from_seed(-3), [-3, -1, -1]),
        (g.from_seed([5, 6]), [0, 5, 6]),
        (g.from_key_counter(7, [1, 2], "philox"), [1, 2, 7]),
        (g.from_state([1, 2, 3], alg="philox"), [1, 2, 3]),
    ]
    for made, state in cases:
        assert plain(made.state) == state and made.algorithm == 1
        assert made.state.dtype == tf.int64 and plain(made.key) == state[2]
        assert plain(g(copy_from=made).normal([2])) == plain(made.normal([2]))
    one = g.from_state([2**63 - 100, 0, 3], alg="philox")
    assert plain(one.skip(1)) == [2**63 - 100, 0, 3] and plain(one.state) == [-(2**63) + 156, 0, 3]
    full = g.from_state([-1, 4, 3], alg="philox")
    full.skip(1)
    assert plain(full.state) == [255, 5, 3]  # the counter has 128 bits
    full.reset_from_key_counter(9, [4, 5])
    assert plain(full.state) == [4, 5, 9]
    full.reset([1, 2, 3])
    full.reset_from_seed(4)
    assert plain(full.state) == plain(tf.random.create_rng_state(4, "philox")) == [4, 0, 0]
    states = [plain(g.from_non_deterministic_state().state) for _ in range(2)]
    assert states[0] != states[1]
    wrong: list[Any] = [
        lambda: g.from_seed(1, alg="threefry"),
        lambda: g.from_state([1, 2], alg="philox"),
        lambda: g(),
        *(
            lambda of=of: getattr(tf.random, of)([2], [1, 2], alg="threefry")
            for of in ("stateless_uniform", "stateless_normal", "stateless_truncated_normal")
        ),
        lambda: tf.random.stateless_uniform([2], [1, 2, 3]),
        lambda: tf.random.stateless_uniform([2], [1, 2], 5, 5, tf.int32),
    ]
    for call in wrong:
        with pytest.raises(ValueError, match="must|Philox|begins"):
            call()


def test_a_checkpoint_has_a_generators_place(tmp_path: Any) -> None:
    holder = tf.train.Checkpoint(g=tf.random.Generator.from_seed(1))
    path = holder.write(str(tmp_path / "at"))
    first = plain(holder.g.normal([3]))
    assert plain(holder.g.normal([3])) != first
    holder.restore(path)
    assert plain(holder.g.normal([3])) == first


def test_pictures_are_changed_by_the_same_draws() -> None:
    x = tf.reshape(tf.range(96.0), [2, 4, 4, 3])
    image = tf.image
    turned = [plain(image.stateless_random_flip_left_right(x, [n, n + 1]))[i][0][0][0] for n in (1, 3, 7) for i in (0, 1)]  # fmt: skip
    assert turned == [9, 48, 0, 57, 0, 48]
    parts = [plain(image.stateless_random_crop(x[0], [2, 3, 3], [n, 5]))[0][0][0] for n in (1, 2, 3)]  # fmt: skip
    assert parts == [27, 3, 27]


def test_a_device_has_as_many_names_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nacre.tf.machine._parts", {})
    config = tf.config
    device = config.list_physical_devices("CPU")[0]
    before = len(config.list_logical_devices("CPU"))
    part = config.LogicalDeviceConfiguration()
    config.set_logical_device_configuration(device, [part, part, part])
    names = [one.name for one in config.list_logical_devices("CPU")]
    assert names == [f"/device:CPU:{n}" for n in range(before + 2)]
    assert config.get_logical_device_configuration(device) == [part] * 3
    assert len(config.list_physical_devices("CPU")) == len(jax.devices("cpu"))
    with pytest.warns(UserWarning, match="one of the 3 devices is used"):
        strategy = tf.distribute.MirroredStrategy(["cpu:0", "cpu:1", "cpu:2"])
    assert strategy.num_replicas_in_sync == 1
    with tf.device("/CPU:2"):
        assert float(tf.constant(1.0) + 1) == 2
    for wrong in (lambda: config.set_logical_device_configuration("CPU:7", [part]), lambda: config.set_logical_device_configuration(device, [])):  # fmt: skip
        with pytest.raises(ValueError, match="must be"):
            wrong()
