"""ONNX as a format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nacre.core.names import own_names
from nacre.export.passes import fuse_batch_normalization
from nacre.export.passes.widening import without_bfloat16
from nacre.export.targets.onnx.readback import ONNXRUNTIME
from nacre.export.targets.onnx.support import NEWEST_OPSET, OLDEST_OPSET, SUPPORT, USUAL_OPSET
from nacre.export.targets.onnx.write import write
from nacre.export.targets.target import Option, Target


def _opset_fault(value: Any) -> str:
    if value is None or (
        isinstance(value, int)
        and not isinstance(value, bool)
        and OLDEST_OPSET <= value <= NEWEST_OPSET
    ):
        return ""
    return f"opset_version must be None or from {OLDEST_OPSET} to {NEWEST_OPSET}"


def _name_outputs(own: Sequence[str], given: Sequence[str]) -> list[str]:
    """One name is one tensor: an output called as an input is needs another."""
    return own_names((f"{name}_output" if name in given else name for name in own), given)


TARGET = Target(
    name="onnx",
    title="ONNX",
    suffix=".onnx",
    support=SUPPORT,
    write=write,
    runtimes=(ONNXRUNTIME,),
    passes=(without_bfloat16, fuse_batch_normalization),
    name_outputs=_name_outputs,
    outdated="{name}." + "[0-9a-f]" * 8 + ".data",
    options={
        "opset_version": Option(
            None,
            None,
            f"The version of ONNX's ops; None for {USUAL_OPSET}, or what the model needs.",
            _opset_fault,
        ),
        "weights": Option(
            "float32",
            ("float32", "float16"),
            "In how many bits weights of 32 bits are kept.",
            costs_digits=True,
        ),
        "external_data": Option(
            None,
            (None, True, False),
            "Whether weights lie in a second file, NAME.onnx.*.data; None for those over 2 GB.",
        ),
    },
)

__all__ = ["TARGET"]
