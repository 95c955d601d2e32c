"""OpenVINO as a format: what it makes of an ONNX file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nacre.core.interop import optional_import
from nacre.core.regions import Content, Region, write_into
from nacre.export.graph.ir import Node
from nacre.export.targets.openvino.readback import OPENVINO
from nacre.export.targets.openvino.sequences import apart
from nacre.export.targets.openvino.signs import keep_bits
from nacre.export.targets.target import Request, Target

VIA = "onnx"


def over(base: Target) -> Target:
    """The format, whose files are made of those of another one."""
    return replace(
        base,
        name="openvino",
        title="OpenVINO",
        suffix=".xml",
        support=replace(
            base.support,
            title="OpenVINO",
            dtypes=_DTYPES,
            limits={**base.support.limits, **_LIMITS},
        ),
        write=partial(_write, base),
        passes=(*base.passes, apart, keep_bits),
        runtimes=(OPENVINO,),
        options={name: base.options[name] for name in ("weights", "representative_dataset")},
        needs=("openvino",),
    )


def _unknown_shift(node: Node) -> str | None:
    """Shifts that `keep_bits` leaves, and those of signs."""
    return "Shift by a known number, one without a sign."


def _no_volumes(node: Node) -> str | None:
    """Its resizing of five axes takes channels first alone, in 2026.4."""
    return "" if node.inputs[0] is not None and len(node.inputs[0].shape) > 4 else None


def _no_texts(node: Node) -> str:
    """It reads no tables of words."""
    return "Look words up before the model."


_LIMITS = {
    # Its TopK does not keep the order of equal ones, which a sort by several keys stands on.
    "sort": lambda node: "",
    **dict.fromkeys(("text_lookup", "text_of_index", "text_from_int"), _no_texts),
    "up_sampling": _no_volumes,
    "shift_right": _unknown_shift,
    "shift_left": _unknown_shift,
}
# Numbers of 32 and 64 bits without a sign it computes with as if they had one.
_DTYPES = frozenset(
    "float64 float32 float16 int64 int32 int16 int8 uint16 uint8 bool string".split()
)


def _write(base: Target, request: Request) -> Mapping[str, Content]:
    """The graph, and beside it the numbers."""
    openvino: Any = optional_import("openvino", extra="openvino", who="export to 'openvino'")
    options = {name: option.default for name, option in base.options.items()}
    inner = replace(request, options={**options, **request.options}, file_name="model.onnx")
    name = Path(request.file_name).stem
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / inner.file_name
        for part, content in base.write(inner).items():
            _put(source.with_name(part) if part else source, content)
        model = openvino.Core().read_model(str(source))
        model.set_friendly_name(request.name)
        for key, value in request.metadata.items():
            model.set_rt_info(value, ["nacre", key])
        graph = source.with_name("converted.xml")
        # Numbers as they are: by default all would be kept in 16 bits.
        openvino.save_model(model, str(graph), compress_to_fp16=False)
        del model
        return {f"{name}.bin": graph.with_suffix(".bin").read_bytes(), "": graph.read_bytes()}


def _put(path: Path, content: Content) -> None:
    with open(path, "x+b", buffering=0) as file:
        write_into(Region(file), content)


__all__ = ["VIA", "over"]
