"""torch.export: a `.pt2` that `torch.export.load` opens, without nacre.

It is what PyTorch's compilers, ExecuTorch and AOTInductor begin with. Batch, time and pictures may
have any size; loops are PyTorch's own `scan` and `while_loop`, branches its `cond`. `load(...)
.module()` runs it.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import UnsupportedError, message
from nacre.core.regions import Content
from nacre.export.graph.ir import Graph
from nacre.export.graph.sizes import multiple_of_name, size_value
from nacre.export.passes import fuse_batch_normalization
from nacre.export.targets.target import Array, Request, Run, Runtime, Target
from nacre.export.targets.torch.module import (
    METADATA,
    WHO,
    as_tensor,
    load_torch,
    make_module,
    quiet,
)
from nacre.export.targets.torch.support import TRACED_SUPPORT
from nacre.export.targets.torch.torchscript import WEIGHTS, called

# Sizes that a trace is made with: not 0 or 1, which PyTorch takes for special, and large enough
# for windows of strides.
_TRACED = (16, 24, 40, 48, 56, 72)


def write(request: Request) -> Mapping[str, Content]:
    """The file's bytes."""
    torch = load_torch()
    made = make_module(request, TRACED_SUPPORT.forms, is_script=False)
    file = io.BytesIO()
    with quiet(), torch.no_grad():
        program = _traced(torch, made.module, request.graph)
        extra = {METADATA: made.metadata(request)}
        torch.export.save(program, file, extra_files=extra)
    return {"": file.getvalue()}


def _traced(torch: Any, module: Any, graph: Graph) -> Any:
    """The program; sizes have names there, or where a window needs more than one of them, none."""
    symbols = graph.symbols()
    names = [name for name, axis in symbols.items() if axis.input in graph.inputs]
    sizes = {
        name: _TRACED[i % len(_TRACED)] + 16 * (i // len(_TRACED)) for i, name in enumerate(names)
    }
    arguments = tuple(
        as_tensor(torch, np.ones([size_value(size, sizes) for size in value.shape], value.dtype))
        for value in graph.inputs
    )
    dim, fault, program = torch.export.Dim, None, None
    # Late in a process that exported many nets, PyTorch 2.14 has refused recurrent ones, "s79 must
    # not be 4", or written that into their files, which a new process does not: it keeps what it
    # compiled of the loops of others.
    for named, is_anew in ((True, False), (False, False), (True, True), (False, True)):
        if named and is_anew:
            torch._dynamo.reset()
        dims = {name: dim(f"{name}_", min=1) if named else dim.DYNAMIC for name in names}
        shapes = [
            {i: _dim(torch, size, dims) for i, size in enumerate(value.shape)}
            for value in graph.inputs
        ]
        try:
            with _any_size(torch):
                program = torch.export.export(
                    module,
                    arguments,
                    dynamic_shapes=tuple(shapes),
                    strict=False,
                    prefer_deferred_runtime_asserts_over_guards=True,
                )
            if is_anew or not _excludes_a_size(torch, program):
                return program
        except torch._dynamo.exc.TorchDynamoException as error:
            fault = error
    if program is not None:  # what is wrong with it is told where it is run
        return program
    assert fault is not None
    rule = "each size that varies in the model must vary in its trace"
    got = str(fault).strip().split("\n")[0]
    fix = 'Give these sizes in the shape of Input(), or take format="torchscript".'
    raise UnsupportedError(message(WHO, rule, got, fix)) from fault


def _excludes_a_size(torch: Any, program: Any) -> bool:
    """Whether a program says that a size must not be some number."""
    modules = program.graph_module.modules()
    graphs = [module.graph for module in modules if isinstance(module, torch.fx.GraphModule)]
    return any(node.target is torch.sym_not for graph in graphs for node in graph.nodes)


def _any_size(torch: Any) -> contextlib.AbstractContextManager[Any]:
    """A trace that takes no size for more than 1 because the one it saw was."""
    config = importlib.import_module("torch.fx.experimental._config")
    if not hasattr(config, "backed_size_oblivious"):  # before PyTorch 2.7
        return contextlib.nullcontext()
    return config.patch(backed_size_oblivious=True)


def _dim(torch: Any, size: Any, dims: Mapping[str, Any]) -> Any:
    if isinstance(size, int):
        return torch.export.Dim.STATIC
    named = multiple_of_name(size)
    if named is None or dims[named[0]] is torch.export.Dim.DYNAMIC:
        return torch.export.Dim.DYNAMIC
    dim = dims[named[0]]
    return named[1] * dim if named[1] > 1 else dim


def open_file(path: Path) -> Run:
    """What the file computes."""
    torch = load_torch()
    with quiet(), path.open("rb") as file:  # by its name, PyTorch minds another ending
        module = torch.export.load(file).module()

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        return called(torch, module, arrays)

    return run


TARGET = Target(
    name="torch",
    title="torch.export",
    suffix=".pt2",
    support=TRACED_SUPPORT,
    write=write,
    runtimes=(Runtime("PyTorch", "torch", "torch", open_file),),
    passes=(fuse_batch_normalization,),
    options={"weights": WEIGHTS},
    needs=("torch",),
)

__all__ = ["TARGET"]
