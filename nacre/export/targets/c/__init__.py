"""C source without dependencies, for microcontrollers and for programs in any language.

support       what it holds
types         dtypes, numbers, sizes and names in C
helpers       small functions in C
unit          a file and its functions in the making, and their memory
forms/        ops, a file a family
write         the files
readback      them compiled and called
"""

from __future__ import annotations

from nacre.export.passes import fuse_batch_normalization
from nacre.export.passes.widening import without_narrow_floats
from nacre.export.targets.c.readback import open_folder, open_with_zig, why_not
from nacre.export.targets.c.support import SUPPORT
from nacre.export.targets.c.write import FILES, prefix_fault, write
from nacre.export.targets.target import Option, Runtime, Target

TARGET = Target(
    name="c",
    title="C",
    suffix="",
    support=SUPPORT,
    write=write,
    runtimes=(
        Runtime("a C compiler", "ctypes", "a C compiler", open_folder, why_not),
        Runtime("zig", "ziglang", "ziglang", open_with_zig),
    ),
    passes=(without_narrow_floats, fuse_batch_normalization),
    options={
        "prefix": Option(
            "model", None, "What begins the names of functions: 'digits'.", prefix_fault
        ),
        "weights_in": Option(
            "source",
            ("source", "file"),
            "With 'file' the weights are in weights.bin, which the program reads.",
        ),
    },
    known=FILES,
)

__all__ = ["TARGET"]
