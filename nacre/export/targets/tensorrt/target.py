"""TensorRT as a format: ONNX that it takes, and the command that makes an engine of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nacre.core.regions import Content
from nacre.export.graph.ir import Graph, Node
from nacre.export.graph.sizes import size_value, symbols_in
from nacre.export.targets.target import Option, Request, Target
from nacre.export.targets.tensorrt.segments import joined_by_products

VIA = "onnx"


def over(base: Target) -> Target:
    """The format, whose files are those of another one."""
    return replace(
        base,
        name="tensorrt",
        title="TensorRT's ONNX",
        support=replace(
            base.support,
            title="TensorRT's ONNX",
            dtypes=frozenset({"float32", "float16", "int64", "int32", "bool"}),
            limits={**base.support.limits, "scatter_nd": _set_only},
        ),
        passes=(*base.passes, joined_by_products),
        written_beside=_command,
        options=_options(base),
    )


def _options(base: Target) -> dict[str, Option]:
    """Those of ONNX, without whole numbers: TensorRT takes them without zero points alone, and in
    blocks of sizes of its own."""
    found = {name: o for name, o in base.options.items() if name != "representative_dataset"}
    return {**found, "weights": found["weights"]._replace(choices=("float32", "float16"))}


def _set_only(node: Node) -> str | None:
    """What is joined by products before never comes here, but where the whole is one place."""
    if node.attributes["outside"] != "clip":
        return ""
    is_set = node.attributes["combine"] == "set"
    return None if is_set else "Add without an index."


_LEAST, _USUAL, _MOST = 1, 8, 64  # sizes that an engine is made for, where the model leaves them


def _command(request: Request, name: str) -> Mapping[str, Content]:
    """How an engine is built, on the machine whose card runs it."""
    lines = ["#!/bin/sh", "# Run it where the graphics card is: an engine fits that card alone."]
    command = f"trtexec --onnx='{name}' --saveEngine='{Path(name).stem}.engine'"
    if request.graph.symbols():
        lines.append("# Sizes that vary: the least, the usual and the largest one; change them.")
        for which, size in (("min", _LEAST), ("opt", _USUAL), ("max", _MOST)):
            command += f" \\\n  --{which}Shapes={_shapes(request.graph, size)}"
    return {f"{name}.trtexec.sh": "\n".join([*lines, command, ""]).encode()}


def _shapes(graph: Graph, size: int) -> str:
    """Sizes of the inputs where each named one is this."""
    found = []
    for value in graph.inputs:
        names = dict.fromkeys(symbols_in(*value.shape), size)
        found.append(f"'{value.name}':{'x'.join(str(size_value(n, names)) for n in value.shape)}")
    return ",".join(found)


__all__ = ["VIA", "over"]
