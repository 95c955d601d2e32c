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
from nacre.export.targets.samples import Samples
from nacre.export.targets.target import Array, Option, Request, Target, Tolerance


def _opset_fault(value: Any) -> str:
    if value is None or (
        isinstance(value, int)
        and not isinstance(value, bool)
        and OLDEST_OPSET <= value <= NEWEST_OPSET
    ):
        return ""
    return f"opset_version must be None or from {OLDEST_OPSET} to {NEWEST_OPSET}"


# What they may cost: a sign that something else is wrong; the report says what they do cost.
_IN_FEW_BITS = {"int8": Tolerance(0.0, 0.1), "int4": Tolerance(0.0, 0.5)}


_ALL_OF_8_BITS = Tolerance(0.0, 0.25)
_FEW = 4


def _samples_of(request: Request) -> Sequence[Sequence[Array]]:
    samples = request.options.get("representative_dataset")
    return () if samples is None else samples.arrays(request.graph.inputs)[:_FEW]


def _tolerance_of(request: Request) -> Tolerance | None:
    if request.options.get("representative_dataset") is not None:
        return _ALL_OF_8_BITS
    return _IN_FEW_BITS.get(request.options["weights"])


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
    tolerance_of=_tolerance_of,
    samples_of=_samples_of,
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
            ("float32", "float16", "int8", "int4"),
            "In how many bits weights of 32 bits are kept: with 'int8' one scale a filter, with "
            "'int4' one for each block of 32; those that no product reads have 8 then.",
            costs_digits=True,
        ),
        "representative_dataset": Option(
            None,
            None,
            "Samples of data, or a function that gives them one by one: dense products and "
            "convolutions are computed in 8 bits, by the range of the numbers that samples give.",
            read=lambda given: None if given is None else Samples(given),
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
