"""Dtype policies: names, maps, quantized ones, and when 64-bit numbers are switched on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import dtype_policies, layers
from nacre.core import config, dtypes, policies, variable
from nacre.core.errors import ArgumentError, DTypeError, UnknownNameError

MAPPED = {
    "encoder/.*": dtype_policies.DTypePolicy("mixed_bfloat16"),
    "encoder/head": dtype_policies.DTypePolicy("float16"),
}


@pytest.fixture(autouse=True)
def global_policy_restored() -> Iterator[None]:
    yield
    policies.set_dtype_policy(None)
    config.set_floatx("float32")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes that 64-bit numbers were asked for, and leaves them off."""
    calls: list[str] = []
    for module in (dtypes, policies, variable):
        monkeypatch.setattr(module, "use_64_bits", lambda: calls.append("asked"))
    return calls


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16", "float32", "bfloat16", "int8"])
def test_a_policy_survives_its_config(name: str) -> None:
    policy = policies.DTypePolicy(name)
    twin = policies.DTypePolicy.from_config(policy.get_config())
    assert twin == policy and hash(twin) == hash(policy) and twin.name == name
    assert policy.variable_dtype == ("float32" if name.startswith("mixed_") else name)
    assert policy.compute_dtype == name.removeprefix("mixed_")
    assert name in repr(policy)


def test_get_policy_takes_every_form() -> None:
    policy = policies.DTypePolicy("float16")
    data = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float16"}}
    for form in (policy, "float16", np.float16, np.dtype("float16"), data, {"name": "float16"}):
        assert policies.get_policy(form) == policy
    assert keras.FloatDTypePolicy("float16") == policy


def test_the_global_policy_is_the_default_and_falls_back_to_floatx(asked: list[str]) -> None:
    policies.set_dtype_policy("mixed_bfloat16")
    assert policies.get_policy(None).name == "mixed_bfloat16"
    policies.set_dtype_policy(None)
    config.set_floatx("float16")
    assert policies.dtype_policy().name == "float16"
    assert not asked


def test_an_unknown_policy_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'mixed_float16'"):
        policies.DTypePolicy("mixed_float61")
    with pytest.raises(UnknownNameError, match="must be '<mode>_from_<source policy>'.*int8_from_"):
        policies.get_policy("int8_from_")


# ---------------------------------------------------------------- quantized policies


@pytest.mark.parametrize(
    ("name", "kind", "mode", "compute", "settings"),
    [
        ("int8_from_float32", "QuantizedDTypePolicy", "int8", "float32", {}),
        ("int8_from_mixed_bfloat16", "QuantizedDTypePolicy", "int8", "bfloat16", {}),
        ("int4_from_float32", "QuantizedDTypePolicy", "int4", "float32", {}),
        ("int4/128_from_float32", "Int4DTypePolicy", "int4", "float32", {"block_size": 128}),
        ("int4/-1_from_mixed_float16", "Int4DTypePolicy", "int4", "float16", {"block_size": -1}),
        ("float8_from_mixed_bfloat16", "QuantizedFloat8DTypePolicy", "float8", "bfloat16",
         {"amax_history_length": 1024}),
        ("gptq/4/128_from_float32", "GPTQDTypePolicy", "gptq", "float32",
         {"weight_bits": 4, "group_size": 128}),
        ("awq/4/-1_from_float32", "AWQDTypePolicy", "awq", "float32",
         {"weight_bits": 4, "group_size": -1}),
    ],
)  # fmt: skip
def test_names_of_quantized_policies(
    name: str, kind: str, mode: str, compute: str, settings: dict[str, int]
) -> None:
    policy = dtype_policies.get(name)
    assert type(policy).__name__ == kind and policy.name == name
    assert (policy.quantization_mode, policy.compute_dtype) == (mode, compute)
    assert policy.variable_dtype == "float32"
    assert {key: getattr(policy, key) for key in settings} == settings
    data = dtype_policies.serialize(policy)
    assert data["module"] == "keras.dtype_policies"
    assert dtype_policies.deserialize(data) == policy


def test_wrong_modes_are_refused() -> None:
    with pytest.raises(ArgumentError, match="mode must be one of 'int8'.*Got 'int9'.*mean 'int8'"):
        dtype_policies.QuantizedDTypePolicy("int9", "float32")
    with pytest.raises(ArgumentError, match="range of float32.*'float16'.*mixed_bfloat16"):
        dtype_policies.get("int8_from_float16")
    for mode in ("int4/0", "int4/x", "int4", "int8/4"):
        with pytest.raises(ArgumentError, match="must be 'int4/<block size>'"):
            dtype_policies.Int4DTypePolicy(mode, "float32")


# ---------------------------------------------------------------- maps


def test_a_map_knows_whole_paths_before_expressions_and_a_default() -> None:
    found = dtype_policies.DTypePolicyMap("float32", dict(MAPPED))
    assert found["encoder/head"].name == "float16"
    assert found["encoder/dense"].name == "mixed_bfloat16"
    assert found["encoder"].name == found["my/encoder/dense"].name == "float32"
    assert len(found) == 2 and list(found) == list(MAPPED) and "encoder/x" not in found
    assert (found.name, found.compute_dtype) == ("map_float32", "float32")
    del found["encoder/head"]
    assert found.get("encoder/head").name == "mixed_bfloat16"


def test_a_map_refuses_what_is_not_clear() -> None:
    found = dtype_policies.DTypePolicyMap(policy_map=dict(MAPPED))
    with pytest.raises(ArgumentError, match="a key can be set once.*'encoder/head'.*del policies"):
        found["encoder/head"] = dtype_policies.DTypePolicy("float32")
    found["encoder/d.*"] = dtype_policies.DTypePolicy("float32")
    with pytest.raises(ArgumentError, match="one expression.*'encoder/dense'.*Add the whole path"):
        found["encoder/dense"]
    with pytest.raises(ArgumentError, match="must be a path or an expression.*'\\['"):
        found["["] = dtype_policies.DTypePolicy("float32")
    with pytest.raises(ArgumentError, match="default_policy must be one policy"):
        dtype_policies.DTypePolicyMap(found)
    with pytest.raises(DTypeError, match="policy_map must be a dict"):
        dtype_policies.DTypePolicyMap(policy_map=[1])  # type: ignore[arg-type]


def test_a_map_survives_its_config_and_leaves_an_open_default_open() -> None:
    found = dtype_policies.DTypePolicyMap(
        policy_map={**MAPPED, "q": dtype_policies.get("int8_from_float32")}
    )
    data = dtype_policies.serialize(found)
    assert data["config"]["default_policy"] is None
    assert data["config"]["policy_map"]["q"]["config"] == {"mode": "int8", "source_name": None}
    policies.set_dtype_policy("mixed_bfloat16")
    twin = dtype_policies.deserialize(data)
    assert twin["q"].compute_dtype == "bfloat16" and twin["encoder/head"].name == "float16"


def test_the_parts_of_a_layer_take_their_policies_from_its_map() -> None:
    by_path = dtype_policies.DTypePolicyMap(
        "float32", {"mha/query": dtype_policies.DTypePolicy("bfloat16")}
    )
    layer = layers.MultiHeadAttention(2, 3, name="mha", dtype=by_path)
    x = np.ones((1, 4, 5), "float32")
    layer(x, x)
    dtype_of = {v.path: v.dtype for v in layer.weights}
    assert dtype_of["mha/query/kernel"] == "bfloat16" and dtype_of["mha/key/kernel"] == "float32"
    twin = layers.MultiHeadAttention.from_config(layer.get_config())
    assert twin.dtype_policy == by_path


# ---------------------------------------------------------------- mixed precision


def test_mixed_float16_scales_the_loss_by_itself_and_trains() -> None:
    policies.set_dtype_policy("mixed_float16")
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    x = np.random.default_rng(0).standard_normal((8, 3)).astype("float32")
    before = model.get_weights()
    history = model.fit(x, x[:, :1], epochs=2, batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    assert model(x).dtype == "float16"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_other_policies_leave_the_optimizer_alone(policy: str) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)], name="m")
    model.dtype_policy = policies.get_policy(policy)
    model.compile("sgd", "mse")
    assert type(model.optimizer) is keras.optimizers.SGD


# ---------------------------------------------------------------- 64 bits


def test_64_bits_are_asked_for_by_floatx_policies_layers_and_variables(asked: list[str]) -> None:
    layers.Dense(2), layers.Dense(2, dtype="mixed_float16"), keras.Variable([1.0])
    keras.ops.array(np.ones(2)), keras.ops.array(np.arange(2))
    assert not asked
    layers.Dense(2, dtype="float64")
    policies.set_dtype_policy("float64")
    policies.set_dtype_policy(None)
    keras.metrics.Mean(dtype="float64")
    config.set_floatx("float64")
    assert len(asked) >= 4 and not jax.config.jax_enable_x64


IN_A_PROCESS = """
import jax, numpy as np, nacre
x32, ints = np.ones((2, 3), "float32"), np.arange(6).reshape(2, 3)
assert nacre.ops.array(np.ones(2)).dtype == "float32"
layer = nacre.layers.Dense(2, dtype="float64")
assert jax.config.jax_enable_x64
y = layer(np.full((1, 3), 1 / 3))
assert y.dtype == "float64" and {v.dtype for v in layer.weights} == {"float64"}
exact = np.full((1, 3), 1 / 3) @ layer.kernel.numpy()
assert abs(y - exact).max() < 1e-15
other = nacre.layers.Dense(2)
assert other(x32).dtype == "float32" and other(np.ones((2, 3))).dtype == "float32"
assert nacre.ops.array(ints).dtype == "int32" and nacre.ops.array([1, 2]).dtype == "int32"
assert nacre.ops.array([1.0]).dtype == "float32" and nacre.ops.array(np.ones(2)).dtype == "float32"
assert (nacre.ops.array(x32) * 2.5 + 1).dtype == "float32"
assert nacre.layers.Embedding(9, 2)(ints).dtype == "float32"
assert nacre.layers.Identity()(ints).dtype == "int32"
model = nacre.Sequential([nacre.Input((3,), dtype="float64"), nacre.layers.Dense(1, dtype="float64")])
model.compile("adam", "mse")
history = model.fit(np.random.rand(8, 3), np.random.rand(8, 1), epochs=2, verbose=0)
assert np.isfinite(history.history["loss"]).all()
assert model.predict(np.random.rand(2, 3), verbose=0).dtype == "float64"
nacre.config.set_floatx("float64")
assert nacre.ops.array(np.ones(2)).dtype == "float64" == nacre.ops.array([1.0]).dtype
assert nacre.ops.array(ints).dtype == "int32" and nacre.layers.Dense(2)(x32).dtype == "float64"
"""


def test_asking_for_float64_changes_nothing_else() -> None:
    subprocess.run([sys.executable, "-c", IN_A_PROCESS], check=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("policies", ["float32 float64", "mixed_float16 mixed_bfloat16"])
def test_every_layer_keeps_its_promises_under_a_policy(policies: str) -> None:
    # With 64-bit numbers switched on, and without: a process each.
    command = [sys.executable, "-m", "tests.layers.check_policies", *policies.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert done.stdout.count(" cases, 0 broken") == 2
