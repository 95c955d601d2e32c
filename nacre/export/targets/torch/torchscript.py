"""TorchScript: a `.pt` that `torch.jit.load` runs, in Python and in C++, without nacre.

The source that is written for the graph is compiled by TorchScript itself, so that batch, time and
pictures may have any size, and loops stay loops. Weights keep their paths, with dots for slashes.

TorchScript is said to be deprecated (PyTorch 2.13: 'switch to torch.compile or torch.export'), and
still loads and runs; `format="torch"` is what comes after it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nacre.core.regions import Content
from nacre.export.passes import fuse_batch_normalization
from nacre.export.targets.target import Array, Option, Request, Run, Runtime, Target
from nacre.export.targets.torch.module import (
    METADATA,
    as_array,
    as_tensor,
    load_torch,
    make_module,
    quiet,
)
from nacre.export.targets.torch.support import SCRIPT_SUPPORT


def write(request: Request) -> Mapping[str, Content]:
    """The file's bytes."""
    torch = load_torch()
    made = make_module(request, SCRIPT_SUPPORT.forms, is_script=True)
    file = io.BytesIO()
    with quiet():
        script = torch.jit.script(made.module)
        extra = {METADATA: made.metadata(request).encode()}
        torch.jit.save(script, file, _extra_files=extra)
    return {"": file.getvalue()}


def open_file(path: Path) -> Run:
    """What the file computes."""
    torch = load_torch()
    with quiet():
        script = torch.jit.load(str(path), map_location="cpu")

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        return called(torch, script, arrays)

    return run


def called(torch: Any, module: Any, arrays: Sequence[Array]) -> Sequence[Array]:
    """A loaded program's results."""
    with quiet(), torch.no_grad():
        found = module(*(as_tensor(torch, array) for array in arrays))
    return [as_array(x) for x in (found if isinstance(found, tuple | list) else [found])]


WEIGHTS = Option(
    "float32",
    ("float32", "float16", "bfloat16"),
    "weights: the dtype that weights are kept in.",
    costs_digits=True,
)

TARGET = Target(
    name="torchscript",
    title="TorchScript",
    suffix=".pt",
    support=SCRIPT_SUPPORT,
    write=write,
    runtimes=(Runtime("PyTorch", "torch", "torch", open_file),),
    passes=(fuse_batch_normalization,),
    options={"weights": WEIGHTS},
    needs=("torch",),
)

__all__ = ["TARGET", "WEIGHTS", "called"]
