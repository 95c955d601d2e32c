"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import (
    FORMS,
    Program,
    dtype_of,
    is_float,
    listed,
    shape_of,
    value_of,
)


@FORMS.form("constant")
def _constant(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return make.constant(node.attributes["value"])


@FORMS.form("size")
def _size(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return make.number(node.attributes["size"], node.attributes["dtype"])


@FORMS.form("iota")
def _iota(make: Program, node: Node, inputs: Sequence[str]) -> str:
    shape, axis = node.attributes["shape"], node.attributes["axis"] % len(node.attributes["shape"])
    dtype = node.attributes["dtype"]
    numbers = make.arange(shape[axis], "int64" if dtype == "bool" else dtype)
    numbers = f"{numbers}.to(torch.bool)" if dtype == "bool" else numbers
    if len(shape) == 1:
        return numbers
    inner = [1] * len(shape)
    inner[axis] = -1
    return f"{numbers}.reshape({listed(inner)}).expand({make.sizes(shape)})"


@FORMS.form("reshape")
def _reshape(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return make.reshaped(inputs[0], shape_of(node), node.attributes["shape"])


@FORMS.form("broadcast_to")
def _broadcast_to(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"{inputs[0]}.expand({make.sizes(node.attributes['shape'])})"


@FORMS.form("transpose")
def _transpose(make: Program, node: Node, inputs: Sequence[str]) -> str:
    order = node.attributes["permutation"]
    return f"{inputs[0]}.permute({listed(order)})" if order else inputs[0]


@FORMS.form("concat")
def _concat(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.cat({listed(inputs)}, {node.attributes['axis']})"


@FORMS.form("slice")
def slice_(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """A view of a part."""
    parts = []
    names = ("starts", "stops", "strides")
    for size, start, stop, step in zip(shape_of(node), *(node.attributes[n] for n in names)):
        first = "" if start == 0 else make.size(start)
        last = "" if stop == size else make.size(stop)
        parts.append(f"{first}:{last}" + (f":{step}" if step != 1 else ""))
    while parts and parts[-1] == ":":
        parts.pop()
    return f"{inputs[0]}[{', '.join(parts)}]" if parts else inputs[0]


@FORMS.form("split")
def split(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """Views of all parts."""
    sizes, axis = node.attributes["sizes"], node.attributes["axis"]
    # By name: TorchScript knows `torch.split` with sizes in a list as this one.
    parts = f"torch.split_with_sizes({inputs[0]}, {make.sizes(sizes)}, {axis})"
    name = make.let(parts, "parts")
    return [f"{name}[{i}]" for i in range(len(sizes))]


def _has_interior(node: Node) -> str | None:
    return "" if any(node.attributes["interior"]) else None


@FORMS.form("pad", limit=_has_interior)
def _pad(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, filler = inputs
    # PyTorch counts axes from the last one.
    pairs = zip(reversed(node.attributes["low"]), reversed(node.attributes["high"]))
    around = make.sizes([size for pair in pairs for size in pair])
    if not shape_of(node):
        return x
    known = make.known.get(value_of(node, 1))
    if known is not None and (not known.any() or (is_float(dtype_of(node)) and known.size == 1)):
        number = float(known)
        text = repr(number) if np.isfinite(number) else f'float("{number}")'
        return f'torch.nn.functional.pad({x}, {around}, "constant", {text})'
    is_inside = f"torch.ones_like({x}, dtype=torch.bool)"
    is_inside = f'torch.nn.functional.pad({is_inside}, {around}, "constant", 0.0)'
    padded = f'torch.nn.functional.pad({x}, {around}, "constant", 0.0)'
    return f"torch.where({is_inside}, {padded}, {filler})"


@FORMS.form("reverse")
def _reverse(make: Program, node: Node, inputs: Sequence[str]) -> str:
    axes = node.attributes["axes"]
    return f"torch.flip({inputs[0]}, {listed(axes)})" if axes else inputs[0]


def _places(make: Program, start: str, size: str, whole: str) -> str:
    """The indices of a block of `size`, moved so that it lies inside."""
    room = make.let(f"{whole} - {size}", "room")
    numbers = f"torch.arange({size}, dtype=torch.int64, device=device)"
    return f"torch.clamp({start}.to(torch.int64), 0, {room}) + {numbers}"


@FORMS.form("dynamic_slice")
def _dynamic_slice(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, *starts = inputs
    for axis, (start, size) in enumerate(zip(starts, node.attributes["sizes"])):
        whole = shape_of(node)[axis]
        if size != whole:
            places = _places(make, start, make.size(size), make.size(whole))
            x = make.let(f"torch.index_select({x}, {axis}, {places})", "part")
    return x


@FORMS.form("dynamic_update_slice")
def _dynamic_update_slice(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, update, *starts = inputs
    if not starts:
        return update
    places = []
    for axis, (start, size) in enumerate(zip(starts, shape_of(node, 1))):
        found = _places(make, start, make.size(size), make.size(shape_of(node)[axis]))
        around = ["1"] * len(starts)
        around[axis] = "-1"
        places.append(make.let(f"({found}).reshape({listed(around)})", "places"))
    return f"torch.index_put({x}, {listed(places)}, {update})"


@FORMS.form("up_sampling")
def _up_sampling(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x = inputs[0]
    for axis, times in enumerate(node.attributes["sizes"], start=node.attributes["first_axis"]):
        if times != 1:
            x = make.let(f"torch.repeat_interleave({x}, {times}, {axis})", "repeated")
    return x


def _is_nearest(node: Node) -> str | None:
    """Which pixel is the nearest, PyTorch decides with rounded numbers; the opening does not."""
    return None if node.attributes["method"] == "bilinear" and is_float(dtype_of(node)) else ""


@FORMS.form("resize", limit=_is_nearest)
def _resize(make: Program, node: Node, inputs: Sequence[str]) -> str:
    size = make.sizes(node.attributes["size"])
    resized = f'{inputs[0]}.permute([0, 3, 1, 2]), {size}, mode="bilinear", align_corners=False'
    return f"torch.nn.functional.interpolate({resized}).permute([0, 2, 3, 1])"
