"""Write `quantization.npz` / `.json`: what real Keras makes of layers by `quantize` and LoRA.

Each case is a layer, a mode, the float weights before, every variable after, and the outputs.
`files/quantized` holds small models as real Keras saves them, with their outputs.
"""

import sys

import oracle  # isort: skip
import keras
import numpy as np
from keras import layers, quantizers

HERE = oracle.FOLDER
random = np.random.default_rng(7)


def normal(*shape):
    return random.standard_normal(shape).astype("float32")


def indices(*shape, high=9):
    return random.integers(0, high, shape).astype("int32")


def absmax(axis):
    return {"class_name": "AbsMaxQuantizer", "config": {"axis": axis}}


INT8_WEIGHT_ONLY = {"class": "Int8QuantizationConfig", "weight": absmax([0]), "activation": None}
INT4_CHANNEL_ACTIVE = {
    "class": "Int4QuantizationConfig",
    "activation": absmax([-1]),
    "block_size": -1,
}


def int4(block_size):
    return {"class": "Int4QuantizationConfig", "block_size": block_size}


MODES = {
    "int8": "int8",
    "int4": "int4",
    "int4_3": int4(3),
    "int4_channel": int4(-1),
    "float8": "float8",
}
TABLE_MODES = {key: value for key, value in MODES.items() if key != "float8"}


def einsum(equation, output_shape, bias_axes=None):
    return [
        "EinsumDense",
        {"equation": equation, "output_shape": output_shape, "bias_axes": bias_axes},
    ]


def cases():
    """name -> (class, arguments, mode, inputs, call arguments)."""
    dense = ["Dense", {"units": 5, "activation": "relu"}]
    for name, mode in MODES.items():
        yield f"dense/{name}", *dense, mode, normal(3, 7), {}
    yield "dense/int8_weight_only", *dense, INT8_WEIGHT_ONLY, normal(3, 7), {}
    yield "dense/int4_channel_active", *dense, INT4_CHANNEL_ACTIVE, normal(3, 7), {}
    yield (
        "dense/int8_bfloat16",
        "Dense",
        {"units": 5, "dtype": "mixed_bfloat16"},
        "int8",
        normal(3, 7),
        {},
    )
    equations = {
        "heads": (einsum("abc,cde->abde", [None, 2, 3], "de"), (2, 3, 7)),
        "join": (einsum("abde,dec->abc", [None, 5], "c"), (2, 3, 2, 4)),
        "last": (einsum("...x,xy->...y", [5], "y"), (2, 3, 7)),
        "turned": (einsum("abc,dc->abd", [3, 5]), (2, 3, 7)),
        "first": (einsum("abc,bd->adc", [5, 3]), (2, 7, 3)),
        "shared": (einsum("abc,bcd->abd", [3, 5], "bd"), (2, 3, 7)),
    }
    for label, (layer, shape) in equations.items():
        for name, mode in MODES.items():
            yield f"einsum_{label}/{name}", *layer, mode, normal(*shape), {}
    for name, mode in TABLE_MODES.items():
        table = {"input_dim": 9, "output_dim": 5}
        yield f"embedding/{name}", "Embedding", table, mode, indices(2, 4), {}
        for tied in (True, False):
            word = "tied" if tied else "untied"
            arguments = {**table, "tie_weights": tied}
            yield (
                f"reversible_{word}/{name}",
                "ReversibleEmbedding",
                arguments,
                mode,
                indices(2, 4),
                {},
            )
            yield (
                f"reversible_{word}_back/{name}",
                "ReversibleEmbedding",
                arguments,
                mode,
                normal(2, 5),
                {"reverse": True},
            )


def config_of(mode):
    if isinstance(mode, str):
        return {"mode": mode}
    arguments = {}
    for ours, theirs in (("weight", "weight_quantizer"), ("activation", "activation_quantizer")):
        if ours in mode:
            arguments[theirs] = mode[ours] and quantizers.deserialize(mode[ours])
    if "block_size" in mode:
        arguments["block_size"] = mode["block_size"]
    return {"config": getattr(quantizers, mode["class"])(**arguments)}


def array(value):
    value = np.asarray(value)
    return value.astype("float32") if value.dtype.name == "bfloat16" else value


def record(name, kind, arguments, mode, inputs, call, arrays):
    layer = getattr(layers, kind)(**arguments, name="layer")
    layer.build(inputs.shape if not call else (None,))
    for variable in layer.weights:
        variable.assign(normal(*variable.shape))
    before = [(v.name, array(v)) for v in layer.weights]
    layer.quantize(**config_of(mode))
    row = {
        "class": kind,
        "arguments": arguments,
        "mode": mode,
        "call": call,
        "before": [n for n, _ in before],
        "policy": layer.dtype_policy.name,
        "config": oracle.stable_config(layer),
        "variables": [[v.name, list(v.shape), str(v.dtype), v.trainable] for v in layer.variables],
    }
    arrays[f"{name}/inputs"] = inputs
    arrays[f"{name}/outputs"] = array(keras.ops.convert_to_numpy(layer(inputs, **call)))
    for n, value in before:
        arrays[f"{name}/before/{n}"] = value
    for v in layer.variables:
        arrays[f"{name}/after/{v.name}"] = array(v)
    if row["policy"].startswith("float8"):
        # One step of training: scales and histories move through their gradients.
        train(layer, inputs, name, arrays)
    else:
        adapt(layer, inputs, call, name, arrays)
    return row


def train(layer, inputs, name, arrays):
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    target = np.zeros(model(inputs).shape, "float32")
    model.fit(inputs, target, epochs=2, batch_size=len(inputs), verbose=0, shuffle=False)
    for v in layer.variables:
        arrays[f"{name}/trained/{v.name}"] = array(v)


def adapt(layer, inputs, call, name, arrays):
    """Enable LoRA on the quantized layer, give it weights, and record outputs and saved arrays."""
    layer.enable_lora(2, lora_alpha=1)
    for v in layer.variables:
        if v.name.startswith("lora_"):
            v.assign(0.1 * normal(*v.shape))
            arrays[f"{name}/lora/{v.name}"] = array(v)
    arrays[f"{name}/lora_outputs"] = array(keras.ops.convert_to_numpy(layer(inputs, **call)))
    store = {}
    layer.save_own_variables(store)
    for key, value in store.items():
        arrays[f"{name}/lora_saved/{key}"] = array(value)


def functions(arrays):
    """The functions of keras.quantizers on one matrix."""
    x = normal(7, 5)
    x[:, 1] = abs(x[:, 1]) + 1  # all positive
    x[:, 2] = 3.0  # constant
    x[:, 3] = 0.0
    arrays["functions/x"] = x
    for axis in (0, 1, -1, None):
        axes = (0, 1) if axis is None else axis
        q, s = quantizers.abs_max_quantize(x, axis=axes)
        arrays[f"functions/abs_max_{axis}/values"], arrays[f"functions/abs_max_{axis}/scale"] = q, s
    for block in (3, 4, 128):
        for to_numpy in (False, True):
            found = quantizers.abs_max_quantize_grouped_with_zero_point(x, block, to_numpy=to_numpy)
            for key, value in zip(("values", "scale", "zero"), found):
                arrays[f"functions/grouped_{block}_{to_numpy}/{key}"] = np.asarray(value)
    for low, high, bits, narrow in ((-1, 1.5, 8, False), (-1, 1.5, 4, True), (0.5, 2, 8, False)):
        arrays[f"functions/fake_{low}_{high}_{bits}_{narrow}"] = np.asarray(
            quantizers.fake_quant_with_min_max_vars(x, low, high, bits, narrow)
        )
    low, high = normal(5) - 2, normal(5) + 2
    arrays["functions/low"], arrays["functions/high"] = low, high
    arrays["functions/fake_channel"] = np.asarray(
        quantizers.fake_quant_with_min_max_vars(x, low, high, axis=-1)
    )
    for dtype in ("float8_e4m3fn", "float8_e5m2"):
        arrays[f"functions/there_and_back_{dtype}"] = np.asarray(
            quantizers.quantize_and_dequantize(100 * x, np.float32(0.3), dtype, "float32")
        )


def files():
    """Small models as real Keras saves them."""
    folder = HERE / "files" / "quantized"
    folder.mkdir(exist_ok=True)
    x = normal(3, 6)
    np.save(folder / "inputs.npy", x)
    for mode in ("int8", "int4", "float8", "lora", "lora_int8"):
        keras.utils.set_random_seed(1)
        inner = [layers.Dense(8, activation="relu", name="first"), layers.Reshape((4, 2), name="r")]
        inner += [layers.EinsumDense("abc,cd->abd", (4, 5), bias_axes="d", name="second")]
        inner += [layers.Flatten(name="flat"), layers.Dense(3, name="last")]
        model = keras.Sequential([keras.Input((6,)), *inner], name="model")
        for variable in model.weights:
            variable.assign(normal(*variable.shape))
        if mode in ("int8", "int4", "float8"):
            model.quantize(mode)
        if mode == "lora_int8":
            model.quantize("int8")
        if mode.startswith("lora"):
            for layer in (inner[0], inner[2]):
                layer.enable_lora(2)
                layer.lora_kernel_b.assign(0.1 * normal(*layer.lora_kernel_b.shape))
        np.save(folder / f"{mode}.npy", np.asarray(model(x)))
        model.save(folder / f"{mode}.keras")
        again = keras.saving.load_model(folder / f"{mode}.keras")
        np.save(folder / f"{mode}_loaded.npy", np.asarray(again(x)))


def main() -> int:
    arrays, facts = {}, {}
    for case in cases():
        try:
            facts[case[0]] = record(*case, arrays)
        except Exception as error:  # what real Keras cannot do is left out, and named
            print("left out:", case[0], type(error).__name__, str(error).split("\n")[0])
            for key in [k for k in arrays if k.startswith(f"{case[0]}/")]:
                del arrays[key]
    functions(arrays)
    oracle.write_arrays("quantization", arrays)
    oracle.write_facts("quantization", facts)
    files()
    return 0


if __name__ == "__main__":
    sys.exit(main())
