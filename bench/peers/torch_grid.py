"""PyTorch's side of the convolution and pooling grid: a process that times cells as it is asked.

Reads one JSON object a line: `{"cell": name}` builds a cell in both memory layouts,
`{"run": [layout, mode], "steps": n}` times one form. Answers one line of JSON to each.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from bench.grid_cells import CELLS, Cell

Step = Callable[[], None]
LAYOUTS = ("contiguous", "channels_last")
RATE = 1e-7


def _apply(cell: Cell) -> Callable[..., Any]:
    """x, kernels -> y."""
    ndim = len(cell.sizes)
    conv = (functional.conv1d, functional.conv2d, functional.conv3d)[ndim - 1]
    turned = (
        functional.conv_transpose1d,
        functional.conv_transpose2d,
        functional.conv_transpose3d,
    )[ndim - 1]
    extent = (cell.window - 1) * cell.dilation + 1
    pad = 0 if cell.padding == "valid" else extent // 2
    if cell.kind == "conv":
        steps = {"stride": cell.stride, "dilation": cell.dilation, "groups": cell.groups}
        return lambda x, kernel: conv(x, kernel, None, padding=pad, **steps)
    if cell.kind == "separable":
        return lambda x, deep, point: conv(
            conv(x, deep, None, padding=pad, groups=cell.channels), point
        )
    if cell.kind == "transposed":
        # the padding that makes the output `stride` times as large
        total = cell.window - cell.stride
        crop, extra = -(-total // 2), total % 2
        return lambda x, kernel: turned(
            x, kernel, None, stride=cell.stride, padding=crop, output_padding=extra
        )
    axes = tuple(range(2, 2 + ndim))
    if cell.kind == "global max":
        return lambda x: x.amax(axes)
    if cell.kind == "global average":
        return lambda x: x.mean(axes)
    largest = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[ndim - 1]
    if cell.kind == "max":
        return lambda x: largest(x, cell.window, cell.stride, pad)
    mean = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[ndim - 1]
    return lambda x: mean(x, cell.window, cell.stride, pad, False, False)


def _kernels(cell: Cell) -> list[Any]:
    draw = lambda *shape: 0.05 * torch.randn(*shape)
    window = (cell.window,) * len(cell.sizes)
    if cell.kind == "conv":
        return [draw(cell.filters, cell.channels // cell.groups, *window)]
    if cell.kind == "transposed":
        return [draw(cell.channels, cell.filters, *window)]
    if cell.kind == "separable":
        ones = (1,) * len(window)
        return [draw(cell.channels, 1, *window), draw(cell.filters, cell.channels, *ones)]
    return []


def _steps(cell: Cell, layout: str) -> dict[str, Step]:
    """{mode: step} of one layout; the same work as the other sides do."""
    apply, kernels = _apply(cell), _kernels(cell)
    x = torch.randn(cell.batch, cell.channels, *cell.sizes)
    if layout == "channels_last":
        forms = {4: torch.channels_last, 5: torch.channels_last_3d}
        x = x.contiguous(memory_format=forms[x.ndim])
        kernels = [kernel.contiguous(memory_format=forms[x.ndim]) for kernel in kernels]
    leaves = [tensor.requires_grad_() for tensor in (x, *kernels)]

    def forward() -> None:
        with torch.no_grad():
            apply(x, *kernels)

    def training() -> None:
        y = apply(x, *kernels)
        gradients = torch.autograd.grad(y, leaves, y.detach())
        with torch.no_grad():
            for kernel, gradient in zip(kernels, gradients[1:], strict=True):
                kernel.sub_(gradient, alpha=RATE)

    return {"forward": forward, "training": training}


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    forms: dict[tuple[str, str], Step] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "cell" in request:
            cell = next(one for one in CELLS if one.name == request["cell"])
            layouts = LAYOUTS if len(cell.sizes) > 1 else LAYOUTS[:1]
            forms = {
                (layout, mode): step
                for layout in layouts
                for mode, step in _steps(cell, layout).items()
            }
            answer: Any = list(forms)
        else:
            step = forms[tuple(request["run"])]
            start = time.perf_counter()
            for _ in range(request["steps"]):
                step()
            answer = time.perf_counter() - start
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
