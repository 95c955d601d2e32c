"""Write `frozen_loops.zip`: frozen graphs with the loops of TensorFlow 1, and what they give.

    python make_frozen_loops.py            (TensorFlow 2.15.1)

Of each graph `NAME.pb`, its inputs `NAME/x/KEY.npy` and its outputs `NAME/y/INDEX.npy`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl as cells
from tensorflow.python.ops import rnn

OUT = Path(__file__).with_name("frozen_loops.zip")
rng = np.random.default_rng(0)
ROWS = rng.normal(size=(2, 3)).astype("float32")
STEPS = rng.normal(size=(2, 5, 3)).astype("float32")
Made = tuple[Callable[[], list[Any]], dict[str, np.ndarray]]
made: dict[str, Made] = {}


def graph(**inputs: np.ndarray) -> Any:
    def add(function: Callable[[], list[Any]]) -> Any:
        made[function.__name__] = (function, inputs)

    return add


def rows() -> Any:
    return tf.placeholder(tf.float32, [None, 3], "x")


@graph(x=ROWS)
def counted() -> list[Any]:
    x = rows()
    return list(tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, a * 2 + x), [0, x]))


@graph(x=ROWS)
def never() -> list[Any]:
    x = rows()
    return list(tf.while_loop(lambda i, a: i < 0, lambda i, a: (i + 1, a * 2), [0, x]))


@graph(x=ROWS)
def until_large() -> list[Any]:
    goes_on = lambda i, a: tf.reduce_sum(tf.abs(a)) < 100.0
    return list(tf.while_loop(goes_on, lambda i, a: (i + 1, a * 1.5), [0, rows()]))


@graph(x=ROWS)
def nested() -> list[Any]:
    x = rows()

    def outer(i: Any, a: Any) -> Any:
        inner = lambda j, b: (j + 1, b + x * tf.cast(i, tf.float32))
        return i + 1, tf.while_loop(lambda j, b: j < i + 1, inner, [0, a])[1]

    return list(tf.while_loop(lambda i, a: i < 3, outer, [0, x]))


@graph(x=ROWS)
def with_branches() -> list[Any]:
    x = rows()
    body = lambda i, a: (i + 1, tf.cond(tf.equal(i % 2, 0), lambda: a + x, lambda: a * 2.0))
    return list(tf.while_loop(lambda i, a: i < 5, body, [0, x]))


@graph(x=ROWS)
def one_after_another() -> list[Any]:
    first = tf.while_loop(lambda i, a: i < 2, lambda i, a: (i + 1, a * 3), [0, rows()])[1]
    return list(tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a - 1), [0, first]))


@graph(x=ROWS)
def over_elements() -> list[Any]:
    x = rows()
    mapped = tf.map_fn(lambda row: tf.cumsum(row) * 2.0, x)
    return [mapped, tf.scan(lambda a, row: a + row, x), tf.foldl(lambda a, row: a * row, x)]


@graph(x=ROWS)
def growing() -> list[Any]:
    x = rows()
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 3])]
    body = lambda i, a: (i + 1, tf.concat([a, x], 0))
    return list(tf.while_loop(lambda i, a: i < 3, body, [0, x], shape_invariants=shapes))


@graph(x=np.array([b"a", b"bc"], object))
def texts() -> list[Any]:
    x = tf.placeholder(tf.string, [None], "x")
    body = lambda i, a: (i + 1, tf.strings.join([a, x]))
    return list(tf.while_loop(lambda i, a: i < 3, body, [0, x]))


def recurrent(cell: Any, lengths: Any = None) -> list[Any]:
    x = tf.placeholder(tf.float32, [None, None, 3], "x")
    found, state = rnn.dynamic_rnn(cell, x, dtype=tf.float32, sequence_length=lengths)
    return [found, *tf.nest.flatten(state)]


@graph(x=STEPS)
def lstm() -> list[Any]:
    return recurrent(cells.LSTMCell(4))


@graph(x=STEPS, lengths=np.array([3, 5], "int32"))
def gru_of_lengths() -> list[Any]:
    return recurrent(cells.GRUCell(4), tf.placeholder(tf.int32, [None], "lengths"))


def bytes_of(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    kept = np.array([str(t, "utf-8") for t in array.ravel()]) if array.dtype == object else array
    np.save(file, kept, allow_pickle=False)
    return file.getvalue()


def frozen(function: Callable[[], list[Any]], inputs: dict[str, np.ndarray]) -> Any:
    with tf.Graph().as_default() as found, tf.Session() as session:
        tf.set_random_seed(1)
        results = [tf.identity(y, name=f"result_{i}") for i, y in enumerate(function())]
        names = [result.op.name for result in results]
        session.run(tf.global_variables_initializer())
        given = session.run(results, {f"{name}:0": x for name, x in inputs.items()})
        convert = tf.graph_util.convert_variables_to_constants
        return convert(session, found.as_graph_def(), names), given


def main() -> None:
    tf.disable_eager_execution()
    tf.disable_control_flow_v2()
    with zipfile.ZipFile(OUT, "w", zipfile.ZIP_DEFLATED) as archive:
        add = lambda name, data: archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        for name, (function, inputs) in made.items():
            found, given = frozen(function, inputs)
            add(f"{name}.pb", found.SerializeToString(deterministic=True))
            for key, x in inputs.items():
                add(f"{name}/x/{key}.npy", bytes_of(x))
            for index, y in enumerate(given):
                add(f"{name}/y/{index}.npy", bytes_of(np.asarray(y)))
    print(f"{OUT}: {len(made)} graphs, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
