"""Convolutions along one axis, as ones of pictures of one row.

onnxruntime has its fast layout of channels for pictures alone: a file of two `Conv1D(64, 5)` over
40 steps takes 22 µs a call as ONNX has them, 16 so; three over 400 steps 273, and 206 (AMD EPYC,
one thread). What lies between two of them goes on in pictures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from nacre.export.targets.onnx.body import Body, Made, graphs_within

_ROW = 2  # the axis that is put in: (batch, channels, 1, steps)
_LEAST_KERNEL = 4096  # numbers: with fewer the nodes around cost more than is gained
# What computes each number by itself, whatever the axes; further inputs are numbers without axes.
_ELEMENTWISE = frozenset(
    ["Abs", "Celu", "Clip", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish"]
    + ["Neg", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"]
)


def convolve_in_pictures(body: Body) -> None:
    """Change the convolutions along one axis, where kernels are in the file for them alone."""
    bodies = [body, *graphs_within(body)]
    readers = Counter(name for each in bodies for made in each.nodes for name in made.inputs)
    along_one = [made for each in bodies for made in each.nodes if _is_along_one_axis(made)]
    kernels = Counter(made.inputs[1] for made in along_one)
    stored, maker = (
        body.shared.stored,
        {name: m for each in bodies for name, m in each.maker.items()},
    )
    chosen: set[str] = set()
    for kernel, count in kernels.items():
        name, is_alone = kernel, readers[kernel] == count
        cast = maker.get(kernel)
        if cast is not None and cast.op == "Cast":  # of a weight that is kept in 16 bits
            name = cast.inputs[0]
            is_alone = is_alone and readers[name] == 1
        weight = stored.get(name)
        if is_alone and weight is not None and weight.data.size >= _LEAST_KERNEL:
            stored[name] = replace(weight, data=np.expand_dims(weight.data, _ROW))
            chosen.add(kernel)
    if not chosen:
        return
    row = body.root.ints(_ROW)
    for each in bodies:
        each.nodes[:] = [
            new
            for made in each.nodes
            for new in (
                _changed(each, made, row)
                if _is_along_one_axis(made) and made.inputs[1] in chosen
                else [made]
            )
        ]
        _stay_in_pictures(each, row)


def _is_along_one_axis(made: Made) -> bool:
    return made.op == "Conv" and len(made.attributes["kernel_shape"]) == 1


def _changed(body: Body, made: Made, row: str) -> list[Made]:
    """Into a picture, the convolution, and back."""
    (result,) = made.outputs
    put = body.shared.own(f"{made.name}/Unsqueeze")
    picture = body.shared.own(f"{made.name}/Picture")
    taken = body.shared.own(f"{made.name}/Squeeze")
    beside = {"kernel_shape": 1, "strides": 1, "dilations": 1}
    attributes = {
        name: (beside[name], *value) if name in beside else value
        for name, value in made.attributes.items()
    }
    if "pads" in attributes:
        low, high = attributes["pads"]
        attributes["pads"] = (0, low, 0, high)
    convolution = replace(
        made, inputs=[put, *made.inputs[1:]], outputs=[picture], attributes=attributes
    )
    return [
        Made("Unsqueeze", [made.inputs[0], row], [put], {}, put),
        convolution,
        Made("Squeeze", [picture, row], [result], {}, taken),
    ]


def _stay_in_pictures(body: Body, row: str) -> None:
    """Leave out what takes a row away and puts it in again, also before and behind nodes that
    compute each number by itself."""
    readers = Counter(name for made in body.nodes for name in made.inputs)
    readers.update(name for name, *_ in body.outputs)
    for inner in graphs_within(body):
        readers.update(name for made in inner.nodes for name in made.inputs)
    maker = {name: made for made in body.nodes for name in made.outputs}
    undone: set[int] = set()
    renamed: dict[str, str] = {}
    for made in body.nodes:
        made.inputs = [renamed.get(name, name) for name in made.inputs]
        if made.op != "Unsqueeze" or made.inputs[1] != row:
            continue
        tensor, between = made.inputs[0], list[Made]()
        while (before := maker.get(tensor)) and before.op in _ELEMENTWISE and readers[tensor] == 1:
            between.append(before)
            tensor = before.inputs[0]
        if before is None or before.op != "Squeeze" or before.inputs[1] != row:
            continue
        if between:  # nobody else reads what these give
            between[-1].inputs[0] = before.inputs[0]
        renamed[made.outputs[0]] = between[0].outputs[0] if between else before.inputs[0]
        undone.add(id(made))
    body.nodes[:] = [made for made in body.nodes if id(made) not in undone]
