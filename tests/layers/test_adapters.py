"""Low-rank adaptation and quantized weights, against numbers and files of real Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre as keras
from nacre import layers, quantizers
from nacre.core.errors import (
    ArgumentError,
    NotBuiltError,
    UnsupportedError,
    WeightsMismatchError,
)
from tests.cases.reading import REFERENCE_FOLDER, load_facts, load_reference
from tests.tiers import first_of_each_is_quick

ARRAYS = load_reference("quantization")
FACTS = load_facts("quantization")
FILES = REFERENCE_FOLDER / "files" / "quantized"
RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((4, 6)).astype("float32")
TRAINED = [name for name in FACTS if name.endswith("float8")]
STORED = [name for name in FACTS if name not in TRAINED]


def settings_of(mode: Any) -> dict[str, Any]:
    """The arguments of `quantize` that a case stands for."""
    if isinstance(mode, str):
        return {"mode": mode}
    arguments = {}
    for ours, theirs in (("weight", "weight_quantizer"), ("activation", "activation_quantizer")):
        if ours in mode:
            arguments[theirs] = mode[ours] and quantizers.deserialize(mode[ours])
    if "block_size" in mode:
        arguments["block_size"] = mode["block_size"]
    return {"config": getattr(quantizers, mode["class"])(**arguments)}


def stored_arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of a case, by the rest of their key."""
    family, case = name.split("/")
    return {
        k.removeprefix(f"{case}/"): v for k, v in ARRAYS[family].items() if k.startswith(f"{case}/")
    }


def group(name: str, kind: str) -> dict[str, np.ndarray]:
    """The arrays `<kind>/<key>` of a case, by key."""
    arrays = stored_arrays(name).items()
    return {k.removeprefix(f"{kind}/"): v for k, v in arrays if k.startswith(f"{kind}/")}


def quantized(name: str) -> Any:
    """The case's layer with the reference's float weights, quantized."""
    facts, inputs = FACTS[name], stored_arrays(name)["inputs"]
    layer = getattr(layers, facts["class"])(**facts["arguments"], name="layer")
    layer.build(inputs.shape if not facts["call"] else (None,))
    for variable, value in zip(layer.weights, facts["before"], strict=True):
        variable.assign(group(name, "before")[value])
    layer.quantize(**settings_of(facts["mode"]))
    return layer


def tolerance_of(name: str) -> float:
    """16-bit outputs differ by a last digit: the quotient is taken in float32 here."""
    return 0.02 if "bfloat16" in name else 1e-5


def class_and_mode(name: str) -> tuple[str, str]:
    """What is quantized, and how."""
    return FACTS[name]["class"], name.split("/")[-1]


@pytest.mark.parametrize("name", first_of_each_is_quick(FACTS, class_and_mode))
def test_a_quantized_layer_has_keras_variables_config_and_outputs(name: str) -> None:
    layer, facts = quantized(name), FACTS[name]
    got = [[v.name, list(v.shape), v._dtype, v.trainable] for v in layer.variables]
    assert got == facts["variables"]
    assert layer.dtype_policy.name == facts["policy"]
    assert json.loads(json.dumps(keras.saving.serialize_keras_object(layer))) == facts["config"]
    for variable in layer.variables:
        expected = group(name, "after")[variable.name]
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6, err_msg=variable.name)
    arrays = stored_arrays(name)
    outputs = np.asarray(layer(arrays["inputs"], **facts["call"]), "float32")
    tolerance = tolerance_of(name)
    np.testing.assert_allclose(outputs, arrays["outputs"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", STORED)
def test_low_rank_change_of_a_quantized_layer_is_used_and_saved_as_in_keras(name: str) -> None:
    layer, facts, arrays = quantized(name), FACTS[name], stored_arrays(name)
    layer.enable_lora(2, lora_alpha=1)
    for variable in layer.variables:
        if variable.name.startswith("lora_"):
            assert variable.trainable
            variable.assign(group(name, "lora")[variable.name])
    # Keras leaves the change out on a tied way back, though its float layers and its files have it.
    if "tied_back" not in name or "untied" in name:
        outputs = np.asarray(layer(arrays["inputs"], **facts["call"]), "float32")
        tolerance = tolerance_of(name)
        np.testing.assert_allclose(outputs, arrays["lora_outputs"], rtol=tolerance, atol=tolerance)
    store: dict[str, Any] = {}
    with pytest.warns(UserWarning, match="in files.*rounded into the whole numbers"):
        layer.save_own_variables(store)
    layer.save_own_variables({})  # said once
    expected = group(name, "lora_saved")
    assert list(store) == sorted(expected)
    for key, value in store.items():
        np.testing.assert_allclose(np.asarray(value, "float64"), expected[key], atol=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_float8_training_moves_scales_and_histories_as_in_keras(name: str) -> None:
    layer, inputs = quantized(name), stored_arrays(name)["inputs"]
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    target = np.zeros(model(inputs).shape, "float32")
    model.fit(inputs, target, epochs=2, batch_size=len(inputs), verbose=0, shuffle=False)
    for variable in layer.variables:
        expected = group(name, "trained")[variable.name]
        np.testing.assert_allclose(variable.numpy(), expected, atol=1e-5, err_msg=variable.name)


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_quantized_layer_has_the_tangents_of_its_gradient(mode: str) -> None:
    layer = layers.Dense(3)
    layer.build((None, 6))
    layer.quantize(mode)
    way = jnp.cos(jnp.arange(X.size, dtype="float32")).reshape(X.shape)
    total = lambda x: jnp.sum(layer(x) * jnp.array([1.0, 2.0, -3.0]))
    slope = jax.jit(lambda x: jax.jvp(total, (x,), (way,))[1])(X)
    back = np.vdot(jax.jit(jax.grad(total))(X), way)  # float8 rounds it to two binary digits
    np.testing.assert_allclose(slope, back, rtol=0.1 if mode == "float8" else 1e-4)
    np.testing.assert_allclose(jax.jit(jax.hessian(total))(X), 0, atol=1e-6)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("mode", ["int8", "int4", "float8", "lora", "lora_int8"])
def test_files_of_real_keras_open_and_come_back(mode: str, tmp_path: Path) -> None:
    x = np.load(FILES / "inputs.npy")
    model = keras.saving.load_model(FILES / f"{mode}.keras")
    outputs = np.asarray(model(x))
    np.testing.assert_allclose(outputs, np.load(FILES / f"{mode}_loaded.npy"), atol=1e-6)
    model.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    # A change rounded into 8 bits keeps its place, not each digit of the scale.
    np.testing.assert_allclose(again(x), outputs, atol=1e-5)
    model.save_weights(tmp_path / "w.weights.h5")
    again.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(again(x), outputs, atol=1e-5)


def test_a_composite_layer_comes_back_with_quantized_parts(tmp_path: Path) -> None:
    inputs = keras.Input((4, 6))
    layer = layers.MultiHeadAttention(2, 3, name="mha")
    model = keras.Model(inputs, layer(inputs, inputs))
    model.quantize("int8")
    x = np.tile(X[:, None], (1, 4, 1)) * np.arange(4)[None, :, None].astype("float32")
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(x), model(x))
    kernels = [w for w in again.weights if w.path.endswith("/kernel")]
    assert len(kernels) == 4 and {w.dtype for w in kernels} == {"int8"}


def test_quantized_weights_do_not_go_into_float_layers(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, name="d")])
    floats = keras.models.clone_model(model)
    model.quantize("int8")
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(WeightsMismatchError, match="kernel.*file int8.*model float32"):
        floats.load_weights(tmp_path / "m.weights.h5")


# ---------------------------------------------------------------- what is left in memory, gradients


def size_of(layer: Any) -> int:
    """Bytes of a layer's variables."""
    return sum(v.numpy().nbytes for v in layer.variables)


def test_the_float_kernel_is_gone() -> None:
    layer = layers.Dense(256, use_bias=False)
    layer.build((None, 256))
    kernel = layer.kernel
    layer.quantize("int8")
    assert size_of(layer) == 256 * 256 + 256 * 4
    assert all(v is not kernel for v in layer.variables)
    assert not [v for v in vars(layer).values() if v is kernel]
    packed = layers.Dense(256, use_bias=False)
    packed.build((None, 256))
    packed.quantize(config=quantizers.Int4QuantizationConfig(block_size=-1))
    assert size_of(packed) == 256 * 128 + 256 * 4


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_gradients_flow_through_as_if_the_weight_were_float(mode: str) -> None:
    layer = layers.EinsumDense("abde,dec->abc", (None, 5))
    layer.build((None, 2, 3, 4))
    layer.quantize(mode)
    x = jnp.asarray(RANDOM.standard_normal((2, 2, 3, 4)), "float32")
    kernel = layer._adapter.stored[0].values("float32")
    weights = jnp.asarray(RANDOM.standard_normal((2, 2, 5)), "float32")
    got = jax.grad(lambda v: jnp.sum(layer(v) * weights))(x)
    expected = jnp.einsum("abc,dec->abde", weights, kernel)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_products_of_8_bits_are_summed_in_32() -> None:
    layer = layers.Dense(4)
    layer.build((None, 2048))
    layer.quantize("int8")
    text = str(jax.make_jaxpr(layer.call)(jnp.ones((1, 2048))))
    assert "preferred_element_type=int32" in text and "i8[2048,4]" in text
    ones = layers.Dense(1, kernel_initializer="ones")
    ones.build((None, 2048))
    ones.quantize("int8")
    np.testing.assert_allclose(ones(np.ones((1, 2048), "float32")), [[2048.0]], rtol=1e-6)


# ---------------------------------------------------------------- low rank


def lora_layers() -> list[tuple[Any, np.ndarray]]:
    image = RANDOM.standard_normal((2, 5, 5, 3)).astype("float32")
    return [
        (layers.Dense(3), X),
        (layers.EinsumDense("ab,bcd->acd", (2, 3), bias_axes="d"), X),
        (layers.Embedding(9, 4), np.array([[1, 8], [0, 2]])),
        (layers.ReversibleEmbedding(9, 4), np.array([[1, 8], [0, 2]])),
        (layers.Conv1D(4, 2), image[0]),
        (layers.Conv2D(4, 3, groups=1, padding="same"), image),
        (layers.Conv3D(2, 2), image[..., None].repeat(2, -1)),
    ]


@pytest.mark.parametrize("index", range(7))
def test_low_rank_trains_only_the_change_and_saves_the_sum(index: int) -> None:
    layer, x = lora_layers()[index]
    before = np.asarray(layer(x))
    plain = layer.weights[0].numpy()
    layer.enable_lora(2, lora_alpha=4)
    np.testing.assert_allclose(layer(x), before, atol=1e-6)  # B is zero at first
    name = layer.adaptable[0]
    a, b = (getattr(layer, f"lora_{name}_{letter}") for letter in "ab")
    assert [v.name for v in layer.trainable_weights][-2:] == [a.name, b.name]
    assert all(v.name != name for v in layer.trainable_weights)
    b.assign(RANDOM.standard_normal(b.shape))
    whole = plain + 2 * a.numpy() @ b.numpy()
    np.testing.assert_allclose(getattr(layer, name).numpy(), whole, atol=1e-5)
    twin = type(layer).from_config({k: v for k, v in layer.get_config().items() if "lora" not in k})
    twin.build(layer._build_shapes.get("input_shape"))
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    twin.load_own_variables(store)  # files of adapted layers are plain
    np.testing.assert_allclose(twin(x), layer(x), atol=1e-4)
    layer.load_own_variables(store)
    np.testing.assert_allclose(twin(x), layer(x), atol=1e-4)
    assert not b.numpy().any()


def test_low_rank_variables_lie_under_the_path_of_their_layer() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a")], name="net")
    model.layers[0].enable_lora(2)
    paths = [variable.path for variable in model.trainable_variables]
    assert paths == ["net/a/bias", "net/a/lora_kernel_a", "net/a/lora_kernel_b"]


def test_low_rank_as_an_argument_and_in_configs() -> None:
    layer = layers.Dense(3, lora_rank=2, lora_alpha=1)
    layer.build((None, 6))
    config = layer.get_config()
    assert (config["lora_rank"], config["lora_alpha"]) == (2, 1)
    twin = layers.Dense.from_config(config)
    twin.build((None, 6))
    assert [v.name for v in twin.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    layer.quantize("int8")
    assert layer.lora_enabled and [v.name for v in layer.trainable_weights] == [
        "bias",
        "lora_kernel_a",
        "lora_kernel_b",
    ]


@pytest.mark.parametrize("mode", [None, "int8", "int4"])
def test_fit_changes_the_low_rank_part_and_not_the_weight(mode: str | None) -> None:
    first = layers.Dense(8, activation="relu")
    model = keras.Sequential([keras.Input((6,)), first, layers.Dense(1)])
    if mode:
        model.quantize(mode)
    first.enable_lora(2)
    frozen = (getattr(first.kernel, "base", first.kernel)).numpy()
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], epochs=3, verbose=0)
    assert (getattr(first.kernel, "base", first.kernel).numpy() == frozen).all()
    assert first.lora_kernel_b.numpy().any()


def test_a_class_of_the_users_sees_the_change_in_its_weight() -> None:
    class Doubled(layers.Dense):
        def call(self, inputs: Any) -> Any:
            return 2 * keras.ops.matmul(inputs, self.kernel)

    layer = Doubled(3)
    layer(X)
    layer.enable_lora(1)
    layer.lora_kernel_b.assign(np.ones((1, 3)))
    np.testing.assert_allclose(layer(X), 2 * X @ layer.kernel.numpy(), atol=1e-5)


# ---------------------------------------------------------------- messages


def built_dense(**arguments: Any) -> Any:
    layer = layers.Dense(3, name="d", **arguments)
    layer.build((None, 6))
    return layer


def test_quantize_says_what_is_wrong() -> None:
    with pytest.raises(NotBuiltError, match="Dense 'd': it must be built.*build\\(input_shape\\)"):
        layers.Dense(3, name="d").quantize("int8")
    layer = built_dense()
    with pytest.raises(ArgumentError, match="mode must be one of.*Got 'int9'. Did you mean 'int8'"):
        layer.quantize("int9")
    with pytest.raises(ArgumentError, match="mode or config must be given"):
        layer.quantize()
    with pytest.raises(ArgumentError, match="must say the same.*'int8'.*'int4'"):
        layer.quantize("int8", config=quantizers.Int4QuantizationConfig())
    for mode in ("gptq", "awq"):
        with pytest.raises(UnsupportedError, match=f"does not calibrate.*'{mode}'.*block_size=128"):
            layer.quantize(mode)
    layer.quantize("int8")
    with pytest.raises(ArgumentError, match="quantized once.*'int4'.*int8_from_float32"):
        layer.quantize("int4")


def test_quantize_says_what_it_cannot_do() -> None:
    convolution = layers.Conv2D(2, 3)
    convolution.build((None, 5, 5, 1))
    with pytest.raises(NotImplementedError, match="only Dense, EinsumDense, Embedding.*for Conv2D"):
        convolution.quantize("int8")
    table = layers.Embedding(9, 4)
    table.build()
    with pytest.raises(UnsupportedError, match="must be among 'int8', 'int4' for Embedding"):
        table.quantize("float8")

    class Mine(layers.Dense):
        pass

    mine = Mine(3)
    mine.build((None, 6))
    with pytest.raises(UnsupportedError, match="class of your own.*pass type_check=False"):
        mine.quantize("int8")
    mine.quantize("int8", type_check=False)
    assert mine.quantization_mode == "int8"


def test_enable_lora_says_what_is_wrong() -> None:
    with pytest.raises(NotBuiltError, match="must be built before enable_lora"):
        layers.Dense(3).enable_lora(2)
    layer = built_dense()
    with pytest.raises(ArgumentError, match="rank must be a positive int. Got 0"):
        layer.enable_lora(0)
    layer.enable_lora(2)
    with pytest.raises(ArgumentError, match="enable_lora can be called once"):
        layer.enable_lora(2)
    with pytest.raises(ArgumentError, match="kernel_constraint must be None"):
        built_dense(kernel_constraint="max_norm").enable_lora(2)
    small = built_dense()
    small.quantize("float8")
    with pytest.raises(ArgumentError, match="needs a frozen weight.*'float8'.*'int8'"):
        small.enable_lora(2)


def test_a_model_is_quantized_by_names_and_says_what_stays() -> None:
    stack = [layers.Dense(4, name="first"), layers.ReLU(), layers.Dense(2, name="last")]
    model = keras.Sequential([keras.Input((6,)), *stack])
    model.quantize("int8", filters="^first$")
    assert [layer.quantization_mode for layer in stack] == ["int8", None, None]
    model.quantize(config=quantizers.Int8QuantizationConfig(), filters=lambda v: v.name == "last")
    assert stack[2].quantization_mode == "int8"
    with pytest.raises(ArgumentError, match="filters must be a regular expression"):
        model.quantize("int8", filters=3)
    for filters in ("^dense", ["second", "third"]):
        with pytest.raises(ArgumentError, match=r"must be found in the name.* for first, last"):
            model.quantize("int8", filters=filters)
    model.quantize("int8", filters=lambda layer: False)
    with pytest.raises(ArgumentError, match="arguments must be known. Got verbose"):
        model.quantize("int8", verbose=1)
    with pytest.raises(NotBuiltError, match="must be built before it is quantized"):
        keras.Sequential([layers.Dense(2)]).quantize("int8")
    image = keras.Sequential([keras.Input((5, 5, 1)), layers.Conv2D(2, 3, name="c")])
    with pytest.warns(UserWarning, match="keep their float weights.*Conv2D 'c'.*filters="):
        image.quantize("int8")


def test_predictions_of_a_compiled_model_change_with_its_weights() -> None:
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    before = model.predict(X, verbose=0)
    model.quantize("int4")
    after = model.predict(X, verbose=0)
    np.testing.assert_allclose(after, model(X), atol=1e-5)
    assert 0 < abs(after - before).max() < 0.5


@pytest.mark.parametrize("kind", ["Dense", "Embedding"])
def test_the_penalty_of_a_frozen_weight_falls_on_its_change(kind: str) -> None:
    penalty = "kernel_regularizer" if kind == "Dense" else "embeddings_regularizer"
    sizes = (3,) if kind == "Dense" else (4, 3)
    layer = getattr(layers, kind)(*sizes, **{penalty: "l2"})
    layer.build((None, 4))
    layer.enable_lora(2, a_initializer="ones", b_initializer="ones")
    assert sorted(float(loss) for loss in layer.losses) == pytest.approx([0.06, 0.08])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_rank_changes_of_16_bit_layers_are_trained_in_32(dtype):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype=dtype)])
    dense = model.layers[0]
    dense.enable_lora(2, a_initializer="ones", b_initializer="ones")
    model.compile(keras.optimizers.SGD(1e-4), "mse")
    model.fit(np.ones((4, 4)), np.zeros((4, 3)), verbose=0)
    moved = np.abs(np.asarray(dense.lora_kernel_b, "float32") - 1)
    assert 0 < moved.min() and moved.max() < 4e-3  # 1 + 4e-3 is 1 in bfloat16
    assert dense.lora_kernel_a.dtype == "float32"
    assert dense(np.ones((1, 4))).dtype == dense.kernel.dtype == dtype
