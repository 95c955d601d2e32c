"""Small files of TensorFlow's TFLiteConverter, with what its interpreter computes.

    /path/to/tf-2.21/bin/python tests/reference/make_tflite.py 2.21
    /path/to/tf-2.15/bin/python tests/reference/make_tflite.py 2.15

writes tests/reference/files/tflite/VERSION.zip: NAME.tflite, and NAME.npz with arrays
`in/SIGNATURE/NAME` and `out/SIGNATURE/NAME`.
"""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

K = tf.keras
L = K.layers
RANDOM = np.random.RandomState(0)


def mlp():
    return K.Sequential([K.Input((6,)), L.Dense(8, "relu"), L.LayerNormalization(), L.Dense(3),
                         L.Softmax()])  # fmt: skip


def cnn():
    x = K.Input((12, 12, 3))
    y = L.Conv2D(8, 3, padding="same", activation="relu6")(x)
    y = L.BatchNormalization()(y)
    y = L.DepthwiseConv2D(3, strides=2, padding="same")(y)
    y = L.Activation("swish")(y)
    z = L.Conv2D(8, 1)(y)
    y = L.Add()([y, z])
    y = L.Conv2DTranspose(4, 3, strides=2, padding="same")(y)
    y = L.UpSampling2D(2, interpolation="bilinear")(y)
    y = L.AveragePooling2D(3, 2, padding="same")(L.MaxPooling2D(2)(y))
    y = L.Concatenate()([L.Flatten()(y), L.Flatten()(L.GlobalAveragePooling2D()(z))])
    return K.Model(x, [L.Dense(4)(y), L.Dense(2, "sigmoid")(y)])


def simple_cnn():
    return K.Sequential([K.Input((10, 10, 2)), L.Conv2D(6, 3, activation="relu"),
                         L.DepthwiseConv2D(3, padding="same"), L.MaxPooling2D(2), L.Flatten(),
                         L.Dense(64, "relu"), L.Dense(3, "softmax")])  # fmt: skip


def lstm():
    return K.Sequential([K.Input((7, 4), batch_size=1), L.LSTM(5, return_sequences=True),
                         L.LSTM(3)])  # fmt: skip


def one_lstm():
    """Of two in 8 bits the interpreter saturates the second."""
    return K.Sequential([K.Input((7, 4), batch_size=1), L.LSTM(5, return_sequences=True)])


def gru():
    return K.Sequential([K.Input((6, 4), batch_size=1), L.GRU(5), L.Dense(2)])


def transformer():
    x = K.Input((5,), dtype="int32")
    y = L.Embedding(11, 8)(x)
    y = L.LayerNormalization()(y + L.MultiHeadAttention(2, 4)(y, y))
    y = L.LayerNormalization()(y + L.Dense(8)(L.Dense(16, "gelu")(y)))
    return K.Model(x, L.Dense(3)(L.GlobalAveragePooling1D()(y)))


class Signatures(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(RANDOM.randn(3, 2).astype("float32"), name="w")

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    def encode(self, x):
        return {"code": tf.matmul(x, self.w), "norm": tf.reduce_sum(x * x, -1)}

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, name="code")])
    def decode(self, code):
        return {"x": tf.matmul(code, self.w, transpose_b=True)}


class Control(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((4,), tf.float32, name="x"),
                                  tf.TensorSpec((), tf.int32, name="n")])  # fmt: skip
    def go(self, x, n):
        i = tf.constant(0)
        while i < n:
            x = x * 1.5 + tf.cast(i, tf.float32)
            i += 1
        if tf.reduce_sum(x) > 10.0:
            y = x - 10.0
        else:
            y = tf.sin(x)
        return {"y": y, "turns": i}


class Ops(tf.Module):
    """Many operators in one graph, with sizes that are open."""

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 6), tf.float32, name="x")])
    def go(self, x):
        n = tf.shape(x)[0]
        a = tf.reshape(x, (n, 24))
        top = tf.math.top_k(a, 3)
        parts = tf.split(x, [1, 2, 3], axis=2)
        return {
            "flat": tf.concat([a, tf.zeros((n, 2))], 1),
            "top": top.values,
            "at": top.indices,
            "strided": x[:, ::2, 1:-1],
            "reversed": tf.reverse(x, [1]),
            "parts": parts[0] + tf.reduce_max(parts[2], -1, keepdims=True),
            "gathered": tf.gather(x, [2, 0, 0], axis=1),
            "nd": tf.gather_nd(x, [[0, 1], [0, 3]]),
            "padded": tf.pad(x, [[0, 0], [1, 0], [0, 2]], constant_values=2.0),
            "mirror": tf.pad(x, [[0, 0], [1, 1], [2, 0]], "REFLECT"),
            "sums": tf.cumsum(x, 1, exclusive=True, reverse=True),
            "hot": tf.one_hot(tf.argmax(x, -1, tf.int32), 6),
            "where": tf.where(x > 0, x, -x) + tf.pow(tf.abs(x), 0.5),
            "mods": tf.math.floormod(x, 0.7) + tf.math.floordiv(x, 0.7),
            "stack": tf.stack(tf.unstack(x, axis=1)[::-1], 1),
            "tiled": tf.tile(x[:, :1], [1, 2, 2]),
            "elu": tf.nn.elu(x) + tf.nn.leaky_relu(x, 0.3) + tf.nn.log_softmax(x),
            "l2": tf.math.l2_normalize(x, -1),
            "scatter": tf.scatter_nd([[1], [3]], [5.0, 6.0], [6]),
            "segments": tf.math.unsorted_segment_sum(a, tf.range(n) % 2, 2),
        }


class Images(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((2, 8, 8, 4), tf.float32, name="x")])
    def go(self, x):
        return {
            "bilinear": tf.image.resize(x, (5, 11)),
            "nearest": tf.image.resize(x, (5, 11), "nearest"),
            "aligned": tf.compat.v1.image.resize_bilinear(x, (5, 11), align_corners=True),
            "legacy": tf.compat.v1.image.resize_nearest_neighbor(x, (3, 16)),
            "depth": tf.nn.space_to_depth(x, 2), "space": tf.nn.depth_to_space(x, 2),
            "batch": tf.space_to_batch(x, [2, 2], [[0, 0], [1, 1]]),
            "lrn": tf.nn.local_response_normalization(x, 1, 1.0, 0.5, 0.7),
            "atrous": tf.nn.conv2d(x, tf.ones((2, 2, 4, 3)), 1, "SAME", dilations=2),
            "chosen": tf.image.non_max_suppression(
                x[0, :6, 0], tf.reduce_sum(x[0, :6, 1], -1), 4, 0.3, -1.0),
        }  # fmt: skip


def samples(model, count=100):
    def give():
        for _ in range(count):
            yield [RANDOM.randn(*[n or 1 for n in t.shape]).astype("float32")
                   for t in model.inputs]  # fmt: skip

    return give


def convert(model, how):
    if isinstance(model, K.Model):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
    else:
        with tempfile.TemporaryDirectory() as folder:
            names = [n for n in ("encode", "decode", "go") if hasattr(model, n)]
            tf.saved_model.save(model, folder, {n: getattr(model, n) for n in names})
            return tf.lite.TFLiteConverter.from_saved_model(folder, names).convert()
    if how != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if how == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if how in ("int8", "uint8_ends", "int16"):
        converter.representative_dataset = samples(model)
        sets = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if how == "int16" else sets.TFLITE_BUILTINS_INT8]  # fmt: skip
    if how == "uint8_ends":
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    if how == "int8":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def computed(content):
    """What the interpreter gives, for one or two examples where sizes are open."""
    run = tf.lite.Interpreter(model_content=content)
    arrays = {}
    signatures = run.get_signature_list()
    for key in signatures:
        runner = run.get_signature_runner(key)
        given = {}
        for name, details in runner.get_input_details().items():
            shape = [3 if n == -1 else int(n) for n in details["shape_signature"]]
            kind = details["dtype"]
            if np.issubdtype(kind, np.floating):
                array = RANDOM.randn(*shape)
            elif kind in (np.int8, np.uint8):
                array = RANDOM.randint(np.iinfo(kind).min, np.iinfo(kind).max, shape)
            else:
                array = RANDOM.randint(0, 6, shape)
            given[name] = np.asarray(array, kind)
        outputs = runner(**given)
        arrays |= {f"in/{key}/{n}": v for n, v in given.items()}
        arrays |= {f"out/{key}/{n}": v for n, v in outputs.items()}
    return arrays


CASES = [
    ("mlp", mlp, "float"), ("cnn", cnn, "float"), ("lstm", lstm, "float"), ("gru", gru, "float"),
    ("transformer", transformer, "float"), ("signatures", Signatures, "float"),
    ("control", Control, "float"), ("ops", Ops, "float"), ("images", Images, "float"),
    ("cnn_dynamic", simple_cnn, "dynamic"), ("cnn_float16", simple_cnn, "float16"),
    ("cnn_int8", simple_cnn, "int8"), ("cnn_uint8", simple_cnn, "uint8_ends"),
    ("big_cnn_int8", cnn, "int8"), ("cnn_int16", simple_cnn, "int16"),
    ("lstm_dynamic", lstm, "dynamic"), ("lstm_int8", one_lstm, "int8"), ("mlp_int8", mlp, "int8"),
]  # fmt: skip


def one(name, make, how, folder):
    tf.random.set_seed(1)
    try:
        content = convert(make(), how)
        (folder / f"{name}.tflite").write_bytes(content)
        np.savez(folder / f"{name}.npz", **computed(content))
        print(name, len(content), flush=True)
    except Exception as error:
        print("not", name, str(error)[:300].replace("\n", " "), flush=True)


def main(version, *wanted):
    target = Path(__file__).parent / "files" / "tflite" / f"{version}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for case in CASES:
            if wanted and case[0] not in wanted:
                continue
            child = os.fork()  # the interpreter may end the process
            if not child:
                one(*case, folder)
                os._exit(0)
            os.waitpid(child, 0)
        with zipfile.ZipFile(target, "a" if wanted else "w", zipfile.ZIP_DEFLATED) as archive:
            for name, _, _ in CASES:
                files = [folder / f"{name}.tflite", folder / f"{name}.npz"]
                for file in files if all(f.exists() for f in files) else ():
                    archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes(),
                                     zipfile.ZIP_DEFLATED)  # fmt: skip


main(*sys.argv[1:])
