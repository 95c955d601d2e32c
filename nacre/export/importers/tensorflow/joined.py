"""Steps of a plan that are computed together, as one that gives the same numbers sooner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nacre.export.importers.tensorflow.plan import Plan, Ref, Step

_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")


def with_joined_padding(plan: Plan) -> Plan:
    """The plan with convolutions that pad by themselves where zeros are put around their inputs.

    Networks with strides are written so (`ZeroPadding2D`, then a convolution without padding). The
    padded array is as large as the largest of the network, and is neither made nor kept then.
    """
    steps = list(plan.steps)
    for at, step in enumerate(plan.steps):
        if step.node.op not in _CONVOLUTIONS or step.node.get("padding") != b"VALID":
            continue
        padded = plan.steps[step.inputs[0][0]]
        pads = _zeros_around(plan, padded)
        if pads is None or not _is_of_space(step, pads):
            continue
        numbers = [int(n) for n in pads.reshape(-1)]
        attributes = {**step.node.attributes, "padding": b"EXPLICIT", "explicit_paddings": numbers}
        steps[at] = replace(
            step,
            node=replace(step.node, attributes=attributes, kept={}),
            inputs=[padded.inputs[0], *step.inputs[1:]],
            after=[*step.after, *padded.after],
        )
    return replace(plan, steps=steps)


def _zeros_around(plan: Plan, step: Step) -> np.ndarray | None:
    """How many zeros a step puts before and behind each axis; None where it does something else."""
    is_padding = step.node.op == "Pad" and len(step.inputs) == 2
    if step.node.op == "PadV2" and len(step.inputs) == 3:
        value = _constant(plan, step.inputs[2])
        is_padding = value is not None and not np.any(value)
    return _constant(plan, step.inputs[1]) if is_padding else None


def _is_of_space(step: Step, pads: Any) -> bool:
    """Whether only the axes that a window moves along are padded."""
    first = bytes(step.node.get("data_format") or b"").startswith(b"NC")
    rank = 5 if step.node.op == "Conv3D" else 4
    others = [0, 1 if first else rank - 1]
    return pads.shape == (rank, 2) and not np.any(pads[others]) and not np.any(pads < 0)


def _constant(plan: Plan, ref: Ref) -> np.ndarray | None:
    node = plan.steps[ref[0]].node
    found: Any = node.get("value") if node.op == "Const" else None
    return found if isinstance(found, np.ndarray) else None


__all__ = ["with_joined_padding"]
