"""Elements picked and put by index."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size, product_of
from nacre.export.targets.torch.program import FORMS, Program, dtype_of, shape_of, value_of


def _fills(node: Node) -> str | None:
    return "" if node.attributes["outside"] == "fill" else None


def _inside(make: Program, indices: str, size: Size) -> str:
    return f"torch.clamp({indices}.to(torch.int64), 0, {make.size(size)} - 1)"


@FORMS.form("gather", limit=_fills)
def _gather(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, indices = inputs
    shape, axis = shape_of(node), node.attributes["axis"] % len(shape_of(node))
    known = make.known.get(value_of(node, 1))
    size = shape[axis]
    # Indices that are known to be inside need not be moved there.
    if known is not None and isinstance(size, int) and ((known >= 0) & (known < size)).all():
        places = f"{indices}.to(torch.int64)"
    else:
        places = _inside(make, indices, size)
    of_indices = shape_of(node, 1)
    if axis == 0 and len(shape) == 2 and "float" in dtype_of(node):
        return f"torch.nn.functional.embedding({places}, {x})"
    picked = f"torch.index_select({x}, {axis}, ({places}).reshape([-1]))"
    if len(of_indices) == 1:
        return picked
    return f"{picked}.reshape({make.sizes((*shape[:axis], *of_indices, *shape[axis + 1 :]))})"


@FORMS.form("gather_nd", limit=_fills)
def _gather_nd(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, indices = inputs
    count = int(shape_of(node, 1)[-1])  # type: ignore[arg-type]
    if not count:
        return f"{x}.expand({make.sizes((*shape_of(node, 1)[:-1], *shape_of(node)))})"
    places = [
        make.let(_inside(make, f"{indices}[..., {i}]", size), "places")
        for i, size in enumerate(shape_of(node)[:count])
    ]
    return f"{x}[{', '.join(places)}]"


_REDUCE = {"mul": "prod", "max": "amax", "min": "amin"}


@FORMS.form("scatter_nd")
def _scatter_nd(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """On rows, one an index: those outside go to one row more, which is cut off."""
    x, indices, updates = inputs
    shape, of_indices = shape_of(node), shape_of(node, 1)
    count = int(of_indices[-1])  # type: ignore[arg-type]
    drops = node.attributes["outside"] == "drop"
    rows, columns = product_of(shape[:count]), product_of(shape[count:])
    many = product_of(of_indices[:-1])
    index = f"torch.zeros({make.sizes(of_indices[:-1])}, dtype=torch.int64, device=device)"
    outside = ""
    for axis, size in enumerate(shape[:count]):
        place = make.let(f"{indices}[..., {axis}].to(torch.int64)", "place")
        clipped = _inside(make, place, size)
        is_far = f"(torch.lt({place}, 0) | torch.ge({place}, {make.size(size)}))"
        outside = f"{outside} | {is_far}" if outside else is_far
        index = clipped if axis == 0 else f"({index}) * {make.size(size)} + {clipped}"
    if drops and outside:
        index = f"torch.where({outside}, {make.size(rows)}, {index})"
    index = make.let(make.reshaped(f"({index})", of_indices[:-1], [many]), "index")
    flat = make.let(make.reshaped(x, shape, [rows, columns]), "rows")
    if drops and outside:
        flat = make.let(f'torch.nn.functional.pad({flat}, [0, 0, 0, 1], "constant", 0.0)', "rows")
    parts = make.let(make.reshaped(updates, shape_of(node, 2), [many, columns]), "parts")
    combine = node.attributes["combine"]
    if combine == "add":
        found = f"torch.index_add({flat}, 0, {index}, {parts})"
    elif combine == "set":
        found = f"torch.index_copy({flat}, 0, {index}, {parts})"
    else:
        wide = f"{index}.unsqueeze(1).expand({make.sizes([many, columns])})"
        found = f'torch.scatter_reduce({flat}, 0, {wide}, {parts}, reduce="{_REDUCE[combine]}")'
    found = make.let(found, "scattered")
    found = f"{found}[:{make.size(rows)}]" if drops and outside else found
    return make.reshaped(found, [rows, columns], shape)
