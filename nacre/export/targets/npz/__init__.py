"""A folder that runs with NumPy alone: graph, weights, and the functions that it needs.

support     what it holds
source      functions of nacre gathered into one file
runtime/    what goes with a model
write       the files
readback    the folder run
"""

from __future__ import annotations

from nacre.export.passes import fuse_batch_normalization
from nacre.export.targets.npz.readback import open_folder
from nacre.export.targets.npz.support import SUPPORT
from nacre.export.targets.npz.write import FILES, write
from nacre.export.targets.target import Option, Runtime, Target

TARGET = Target(
    name="npz",
    title="NumPy",
    suffix="",
    support=SUPPORT,
    write=write,
    runtimes=(Runtime("NumPy", "numpy", "numpy", open_folder),),
    passes=(fuse_batch_normalization,),
    options={
        "weights": Option(
            None,
            (None, "float16", "bfloat16"),
            "With 'float16' or 'bfloat16' large weights of float32 are stored in half the bytes.",
            costs_digits=True,
        ),
    },
    known=FILES | {"__pycache__"},  # that one is Python's, once the folder was imported
)

__all__ = ["TARGET"]
