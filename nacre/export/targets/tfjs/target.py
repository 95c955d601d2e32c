"""TF.js as a format: a folder with `model.json`, that `tf.loadGraphModel` opens."""

from __future__ import annotations

from nacre.export.passes import fuse_batch_normalization, widen_floats
from nacre.export.passes.whole_numbers import unpack_weights, widen_whole_numbers
from nacre.export.passes.widening import without_bfloat16
from nacre.export.targets.target import Option, Target
from nacre.export.targets.tfjs.readback import TFJS
from nacre.export.targets.tfjs.support import SUPPORT
from nacre.export.targets.tfjs.write import known_files, write

WEIGHTS = Option(
    "float32",
    ("float32", "float16"),
    "weights: the dtype that files keep them in.",
    costs_digits=True,
)

TARGET = Target(
    name="tfjs",
    title="TF.js",
    suffix="",
    support=SUPPORT,
    write=write,
    runtimes=(TFJS,),
    passes=(
        without_bfloat16,
        widen_floats,
        unpack_weights,
        widen_whole_numbers,
        fuse_batch_normalization,
    ),
    options={"weights": WEIGHTS},
    known=frozenset(known_files()),
)

__all__ = ["TARGET", "WEIGHTS"]
