"""Write `saved_models.zip`: SavedModels of TensorFlow, what they were called with and gave.

    python make_saved_models.py            (TensorFlow 2.21 with Keras 3.15; writes the others too)
    KERAS_BACKEND=jax python make_saved_models.py jax
    python make_saved_models.py keras2     (TensorFlow 2.15.1)

Each adds its models to the file. Beside a model's folder, `NAME/calls.json` tells its calls.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import numpy as np
import tensorflow as tf

OUT = Path(__file__).with_name("saved_models.zip")
ROOT = Path(tempfile.mkdtemp())
rng = np.random.default_rng(3)
made: dict[str, Callable[[str], list[Any]]] = {}


def model(function: Callable[[str], list[Any]]) -> Callable[[str], list[Any]]:
    made[function.__name__.strip("_")] = function
    return function


def f(*sizes: int) -> Any:
    return rng.uniform(-1, 1, sizes).astype("float32")


def told(value: Any) -> Any:
    """A structure with its arrays as lists."""
    if isinstance(value, dict):
        return {"dict": {key: told(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [told(item) for item in value]}
    if value is None or isinstance(value, (bool, int, str)):
        return {"value": value}
    array = value.numpy() if hasattr(value, "numpy") else value
    array = np.asarray(array)
    if array.dtype == object or array.dtype.kind in "SU":
        texts = [t if isinstance(t, str) else t.decode("latin-1") for t in array.ravel().tolist()]
        return {"shape": list(array.shape), "strings": texts}
    flat = [float(f"{v:.9g}") if array.dtype.kind == "f" else v for v in array.ravel().tolist()]
    return {"shape": list(array.shape), "dtype": array.dtype.name, "flat": flat}


def call(endpoint: str, found: Any, *args: Any, **kwargs: Any) -> Any:
    """A call of the loaded model, by the endpoint's path, and what it gives."""
    function = found
    for name in endpoint.split("."):
        function = function.signatures[name[1:]] if name[0] == "@" else getattr(function, name)
    tensors = tf.nest.map_structure(
        lambda v: tf.constant(v) if isinstance(v, np.ndarray) else v, (args, kwargs)
    )
    return [endpoint, told(list(args)), told(kwargs), told(function(*tensors[0], **tensors[1]))]


# --- Keras 3 on TensorFlow ------------------------------------------------------------------------


@model
def cnn(path: str) -> list[Any]:
    import keras

    layers = keras.layers
    net = keras.Sequential(
        [
            keras.Input((12, 10, 3), name="image"),
            layers.Rescaling(0.5),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu6"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.UpSampling2D(2, interpolation="bilinear"),
            layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            layers.AveragePooling2D(2, padding="same"),
            layers.ZeroPadding2D(1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(6, activation="gelu"),
            layers.LayerNormalization(),
            layers.Dense(3, activation="softmax", name="probabilities"),
        ]
    )
    for variable in net.weights:
        variable.assign(rng.uniform(0.1, 0.6, variable.shape))
    net.export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    return [
        call("serve", loaded, f(2, 12, 10, 3)),
        call("@serving_default", loaded, image=f(3, 12, 10, 3)),
    ]


@model
def recurrent(path: str) -> list[Any]:
    import keras

    layers = keras.layers
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.Embedding(7, 4, mask_zero=True)(ids)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.GRU(2)(x)
    net = keras.Model(ids, x)
    net.export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    return [call("serve", loaded, rng.integers(0, 7, (2, n)).astype("int32")) for n in (5, 3)]


@model
def attention(path: str) -> list[Any]:
    import keras

    layers = keras.layers
    x = inputs = keras.Input((None, 4), name="x")
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)])
    x = layers.Conv1D(4, 3, padding="causal", activation="swish")(layers.LayerNormalization()(x))
    net = keras.Model(
        inputs, [layers.GlobalMaxPooling1D()(x), layers.Lambda(lambda v: tf.argmax(v, -1))(x)]
    )
    net.export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    return [call("serve", loaded, f(2, n, 4)) for n in (4, 6)]


# --- plain modules --------------------------------------------------------------------------------


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(f(3), name="scale")
        self.count = tf.Variable(0, dtype=tf.int64, trainable=False, name="count")
        self.parts = [tf.Variable(f(3, 2), name="w"), tf.Variable(f(2), name="w")]

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return x * self.scale @ self.parts[0] + self.parts[1]

    @tf.function
    def forward(self, inputs: Any, training: bool = False, scale: float = 2.0) -> Any:
        x = inputs["a"] * scale + (inputs["b"][0] if training else inputs["b"][1])
        return {"y": x, "both": (tf.reduce_sum(x), [tf.cast(x, tf.int32)])}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
    def step(self, by: Any) -> Any:
        before = self.count.read_value()
        self.count.assign_add(by)
        return before, self.count * 2

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def reversed_gradient(self, x: Any) -> Any:
        @tf.custom_gradient
        def turned(v: Any) -> Any:
            return v * 1.0, lambda g: -3.0 * g

        return turned(x) * self.scale[0]


@model
def module(path: str) -> list[Any]:
    found = Module()
    inputs = {"a": f(2), "b": [f(2), f(2)]}
    found.forward(inputs, training=True)
    found.forward(inputs)
    found.reversed_gradient(f(2))
    tf.saved_model.save(
        found, path, signatures={"serving_default": found.__call__, "step": found.step}
    )
    loaded = tf.saved_model.load(path)
    return [
        call("__call__", loaded, f(2, 3)),
        call("forward", loaded, inputs, training=True),
        call("forward", loaded, inputs),
        call("step", loaded, np.int64(5)),
        call("step", loaded, np.int64(1 << 40)),
        call("@step", loaded, by=np.int64(3)),
        call("reversed_gradient", loaded, f(4)),
    ]


class Control(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def collatz(self, n: Any) -> Any:
        steps = 0
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps += 1
        return steps

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
    def grown(self, x: Any) -> Any:
        rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        total = tf.zeros([3])
        for row in tf.range(tf.shape(x)[0]):
            total = total + x[row]
            rows = rows.write(row, total * tf.cast(row, tf.float32))
        return rows.stack()

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([None], tf.float32)])
    def chosen(self, which: Any, x: Any) -> Any:
        return tf.switch_case(
            which, [lambda: x * 2, lambda: tf.reverse(x, [0]), lambda: tf.cumsum(x)]
        )

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)])
    def mapped(self, x: Any) -> Any:
        return tf.map_fn(lambda row: tf.reduce_max(row) * row, x)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def words(self, texts: Any) -> Any:
        def one(text: Any) -> Any:
            return tf.cond(
                tf.strings.length(text) > 3, lambda: tf.strings.upper(text), lambda: text + "!"
            )

        return tf.map_fn(one, texts)


@model
def control(path: str) -> list[Any]:
    tf.saved_model.save(Control(), path)
    loaded = tf.saved_model.load(path)
    return [
        call("collatz", loaded, np.int32(27)),
        call("collatz", loaded, np.int32(1)),
        call("grown", loaded, f(4, 3)),
        call("chosen", loaded, np.int32(1), f(3)),
        call("chosen", loaded, np.int32(9), f(3)),
        call("mapped", loaded, f(3, 4)),
        call("words", loaded, np.asarray([b"hello", b"abc", b""], object)),
    ]


class Text(tf.Module):
    """Words looked up in a file's table and averaged, as small encoders of texts do it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        file = folder / "vocabulary.txt"
        file.write_text("the\ncat\nsat\nmat\n")
        init = tf.lookup.TextFileInitializer(
            str(file),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(init, num_oov_buckets=2)
        self.back = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([0, 1], tf.int64), tf.constant(["no", "yes"])
            ),
            "?",
        )
        self.table_weights = tf.Variable(f(6, 3), name="embeddings")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
    def __call__(self, texts: Any) -> Any:
        clean = tf.strings.regex_replace(tf.strings.lower(texts), r"[^a-z ]", "")
        tokens = tf.strings.split(clean)
        ids = tf.ragged.map_flat_values(self.table.lookup, tokens)
        vectors = tf.nn.embedding_lookup(self.table_weights, ids.to_tensor(default_value=5))
        mean = tf.reduce_mean(vectors, 1)
        return {
            "vectors": mean,
            "labels": self.back.lookup(tf.argmax(mean, -1)),
            "ids": ids.to_tensor(-1),
        }


@model
def text(path: str) -> list[Any]:
    found = Text(ROOT)
    tf.saved_model.save(found, path, signatures=found.__call__)
    loaded = tf.saved_model.load(path)
    texts = np.asarray([b"The cat sat.", b"A dog", b"mat"], object)
    return [call("__call__", loaded, texts), call("@serving_default", loaded, texts=texts[:1])]


class Picture(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(f(3, 3, 3, 2), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="files")])
    def __call__(self, files: Any) -> Any:
        def one(data: Any) -> Any:
            picture = tf.io.decode_png(data, channels=3)
            picture = tf.image.convert_image_dtype(picture, tf.float32)
            return tf.image.resize(picture, [6, 6])

        x = tf.map_fn(one, files, fn_output_signature=tf.TensorSpec([6, 6, 3], tf.float32))
        return tf.reduce_mean(tf.nn.conv2d(x, self.kernel, 1, "SAME"), [1, 2])


@model
def picture(path: str) -> list[Any]:
    found = Picture()
    tf.saved_model.save(found, path)
    loaded = tf.saved_model.load(path)
    files = [tf.io.encode_png(rng.integers(0, 255, (n, 4, 3), "uint8")).numpy() for n in (3, 5)]
    return [call("__call__", loaded, np.asarray(files, object))]


class Records(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(f(2, 2), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples: Any) -> Any:
        spec = {
            "x": tf.io.FixedLenFeature([2], tf.float32),
            "n": tf.io.FixedLenFeature([], tf.int64, 7),
            "tags": tf.io.VarLenFeature(tf.string),
        }
        found = tf.io.parse_example(examples, spec)
        tags = tf.sparse.to_dense(found["tags"], default_value="")
        return {"y": found["x"] @ self.w + tf.cast(found["n"], tf.float32)[:, None], "tags": tags}


@model
def records(path: str) -> list[Any]:
    found = Records()
    tf.saved_model.save(found, path, signatures={"serving_default": found.serve})
    feature = tf.train.Feature
    examples = []
    for n in (1, 2):
        features = {"x": feature(float_list=tf.train.FloatList(value=[n, -n]))}
        if n == 2:
            features["n"] = feature(int64_list=tf.train.Int64List(value=[3]))
            features["tags"] = feature(bytes_list=tf.train.BytesList(value=[b"a", b"b"]))
        examples.append(
            tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        )
    loaded = tf.saved_model.load(path)
    return [call("@serving_default", loaded, examples=np.asarray(examples, object))]


@model
def session(path: str) -> list[Any]:
    """A SavedModel of TensorFlow 1: reference variables, a flag for training, a table."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as running:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        training = v1.placeholder_with_default(False, [], "training")
        with v1.control_dependencies([]):
            w = v1.get_variable("w", initializer=f(3, 2), use_resource=False)
            b = v1.get_variable("b", initializer=f(2), use_resource=False)
        y = tf.matmul(x, w) + b
        v1.disable_control_flow_v2()
        y = v1.cond(training, lambda: y * 0.0, lambda: tf.nn.relu(y), name="dropped")
        running.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(running, path, {"x": x}, {"y": y})
        given = f(2, 3)
        result = running.run(y, {x: given})
        graph = v1.graph_util.convert_variables_to_constants(
            running, running.graph_def, [y.op.name]
        )
        (ROOT / "frozen").mkdir()
        (ROOT / "frozen" / "graph.pb").write_bytes(graph.SerializeToString())
        frozen = ["@serving_default", told([]), told({"x": given}), told({y.op.name: result})]
        write("frozen", [frozen])
        v1.enable_control_flow_v2()
    return [["@serving_default", told([]), told({"x": given}), told({"y": result})]]


def write(name: str, calls: list[Any]) -> None:
    (ROOT / name / "calls.json").write_text(json.dumps(calls))


# --- Keras 3 on JAX -------------------------------------------------------------------------------


def jax(path: str) -> list[Any]:
    import keras

    net = keras.Sequential(
        [keras.Input((None, 3), name="x"), keras.layers.LSTM(4), keras.layers.Dense(2)]
    )
    net.export(path, verbose=False)
    loaded = tf.saved_model.load(path)
    return [call("serve", loaded, f(2, n, 3)) for n in (4, 2)]


# --- tf.keras 2 -----------------------------------------------------------------------------------


def keras2() -> dict[str, Callable[[str], list[Any]]]:
    keras = tf.keras
    layers = keras.layers

    def trained(path: str) -> list[Any]:
        inputs = keras.Input((4,), name="features")
        x = layers.BatchNormalization()(layers.Dense(3, activation="relu", name="first")(inputs))
        net = keras.Model(
            inputs,
            layers.Dense(2, activation="softmax", name="probabilities")(layers.Dropout(0.5)(x)),
        )
        net.compile("adam", "categorical_crossentropy")
        net.fit(f(8, 4), np.eye(2, dtype="float32")[[0, 1] * 4], verbose=0)
        net.save(path)
        loaded = tf.saved_model.load(path)
        given = f(3, 4)
        return [
            call("__call__", loaded, given),
            call("__call__", loaded, given, training=False),
            call("@serving_default", loaded, features=given),
        ]

    def vectorized(path: str) -> list[Any]:
        layer = layers.TextVectorization(output_sequence_length=4, ngrams=2)
        layer.adapt(["the cat sat", "the mat, the dog"])
        net = keras.Sequential(
            [
                keras.Input((1,), dtype=tf.string, name="text"),
                layer,
                layers.Embedding(20, 2),
                layers.Flatten(),
            ]
        )
        net.save(path)
        loaded = tf.saved_model.load(path)
        texts = np.asarray([[b"The Cat!"], [b"a dog sat on the mat"]], object)
        return [call("@serving_default", loaded, text=texts)]

    def masked(path: str) -> list[Any]:
        net = keras.Sequential(
            [
                keras.Input((None, 2)),
                layers.Masking(),
                layers.LSTM(3, return_sequences=True),
                layers.GRU(2),
            ]
        )
        net.save(path)
        loaded = tf.saved_model.load(path)
        given = f(2, 5, 2)
        given[0, 3:] = 0
        return [call("__call__", loaded, given)]

    return {"trained": trained, "vectorized": vectorized, "masked": masked}


def main() -> None:
    which = sys.argv[1:] or [""]
    models = {"": made, "jax": {"jax": jax}, "keras2": keras2() if which == ["keras2"] else {}}[
        which[0]
    ]
    for name, function in models.items():
        write(name, function(str(ROOT / name)))
        for unneeded in ("fingerprint.pb",):
            (ROOT / name / unneeded).unlink(missing_ok=True)
    kept: dict[str, bytes] = {}
    names = {path.name for path in ROOT.iterdir() if path.is_dir()}
    if OUT.exists():
        with zipfile.ZipFile(OUT) as before:
            kept = {n: before.read(n) for n in before.namelist() if n.split("/")[0] not in names}
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and path.parent != ROOT:
            kept[str(path.relative_to(ROOT))] = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(kept.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)
    OUT.write_bytes(buffer.getvalue())
    shutil.rmtree(ROOT)


if __name__ == "__main__":
    main()
