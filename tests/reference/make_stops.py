"""A SavedModel of functions that TensorFlow stops on a CPU for some numbers; `stops.zip`.

    python -m tests.reference.make_stops       (TensorFlow 2.21)

`calls.json` in it holds (function, what it was given, what it gave): null where TensorFlow stopped.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import tensorflow as tf

FILE = Path(__file__).with_name("stops.zip")
GIVEN = ([0, 2], [2, 1], [1, 0], [0, 3], [3, 0], [-1, 0])


def function(f: Any) -> Any:
    return tf.function(f, input_signature=[tf.TensorSpec([None], tf.int32, name="at")])


class Functions(tf.Module):
    """Whole numbers come out of most: NaN does not tell of a place outside there."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.constant([10, 20, 30])
        self.weights = tf.constant([1.0, 2.0, 3.0])
        self.variable = tf.Variable([1.0, 2.0, 3.0])

    @function
    def gathers(self, at: Any) -> Any:
        return tf.gather(self.table, at)

    @function
    def gathers_rows_of_a_variable(self, at: Any) -> Any:
        return tf.gather(self.variable, at)

    @function
    def gathers_in_turns_that_are_counted(self, at: Any) -> Any:
        total = tf.zeros([], tf.int32)
        for turn in tf.range(4):
            total += tf.reduce_sum(tf.gather(self.table, at + turn // 3))
        return total

    @function
    def gathers_in_turns(self, at: Any) -> Any:
        total = tf.zeros([], tf.int32)
        while total < 100:
            total += tf.reduce_sum(tf.gather(self.table, at))
        return total

    @function
    def gathers_in_a_condition(self, at: Any) -> Any:
        turn = tf.zeros([], tf.int32)
        while tf.gather(self.table, at[0] + turn) < 30:
            turn += 1
        return turn

    @function
    def gathers_in_a_branch(self, at: Any) -> Any:
        if tf.reduce_sum(at) > 1:
            return tf.gather(self.table, at)
        return at

    @function
    def gathers_in_branches_of_turns(self, at: Any) -> Any:
        total = tf.zeros([], tf.int32)
        for turn in tf.range(3):
            if turn < 2:
                for _ in tf.range(2):
                    total += tf.reduce_sum(tf.gather_nd(self.table, at[:, None]))
        return total

    @function
    def gathers_beside_strings(self, at: Any) -> Any:
        total, text = tf.zeros([], tf.int32), tf.constant("")
        for _ in tf.range(2):
            total += tf.reduce_sum(tf.gather(self.table, at))
            text = tf.strings.join([text, "a"])
        return total, tf.strings.length(text)

    @function
    def scatters(self, at: Any) -> Any:
        return tf.scatter_nd(at[:, None], tf.ones_like(at), [3])

    @function
    def adds_to_segments(self, at: Any) -> Any:
        return tf.math.unsorted_segment_sum(at, at, 3)

    @function
    def takes_one(self, at: Any) -> Any:
        return self.table[at[0]]

    @function
    def takes_a_slice(self, at: Any) -> Any:
        return tf.slice(self.table, at[:1], [1])

    @function
    def reads_an_array(self, at: Any) -> Any:
        return tf.TensorArray(tf.float32, 3).unstack(self.weights).read(at[0])

    @function
    def divides(self, at: Any) -> Any:
        return 6 // (at - 3)

    @function
    def raises_to_powers(self, at: Any) -> Any:
        return tf.pow(2, at)

    @function
    def counts(self, at: Any) -> Any:
        ones = tf.ones([2], tf.int32)
        return tf.raw_ops.DenseBincount(input=at, size=4, weights=ones)

    @function
    def inverts(self, at: Any) -> Any:
        return tf.linalg.inv(tf.cast([[at[0] - 3, 0], [0, 1]], tf.float32))

    @function
    def checks(self, at: Any) -> Any:
        return tf.debugging.check_numerics(1 / tf.cast(at - 3, tf.float32), "infinite")


def main() -> None:
    functions = Functions()
    names = [name for name in vars(Functions) if name[0] != "_"]
    calls: list[Any] = []
    for name in names:
        for given in GIVEN:
            try:
                found = getattr(functions, name)(tf.constant(given))
            except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError):
                told = None
            else:
                told = [part.numpy().tolist() for part in tf.nest.flatten(found)]
            calls.append([name, given, told])
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(FILE, "w", 8) as archive:
        tf.saved_model.save(functions, folder)
        archive.writestr("calls.json", json.dumps(calls))
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and path.name != "fingerprint.pb":
                archive.write(path, path.relative_to(folder))


if __name__ == "__main__":
    main()
