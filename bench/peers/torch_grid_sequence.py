"""PyTorch's side of the recurrent, attention and dense grids: a process that times cells.

Reads one JSON object a line: `{"table": name, "cell": name}` builds a cell, `{"run": mode, "steps":
n}` times it. Answers one line of JSON to each. A mask is a packed sequence here: PyTorch has no
other way to skip steps.
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

from bench.grid_sequence_cells import CELLS, Attention, Dense, Recurrent

RATE = 1e-7


def _attention(cell: Attention) -> tuple[Callable[[], Any], list[Any]]:
    shape = (cell.batch, cell.heads, cell.length, cell.size)
    arrays = [0.05 * torch.randn(*shape) for _ in range(3)]
    attend = functional.scaled_dot_product_attention
    return lambda: attend(*arrays, is_causal=cell.causal), arrays


def _dense(cell: Dense) -> tuple[Callable[[], Any], list[Any]]:
    shapes = [(cell.rows, cell.features), (cell.units, cell.features), (cell.units,)]
    arrays = [0.05 * torch.randn(*shape) for shape in shapes]
    act = {"": lambda y: y, "relu": torch.relu, "gelu": functional.gelu}[cell.activation]
    return lambda: act(functional.linear(*arrays)), arrays


def _recurrent(cell: Recurrent) -> tuple[Callable[[], Any], list[Any]]:
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple": torch.nn.RNN}[cell.kind]
    layer = kind(cell.features, cell.units, batch_first=True, bidirectional=cell.bidirectional)
    x = 0.05 * torch.randn(cell.batch, cell.steps, cell.features)
    pack = torch.nn.utils.rnn.pack_padded_sequence
    lengths = torch.randint(cell.steps // 2, cell.steps + 1, (cell.batch,))

    def run() -> Any:
        if cell.masked:
            outputs = layer(pack(x, lengths, batch_first=True, enforce_sorted=False))[0].data
        else:
            outputs = layer(x)[0]
        return outputs if cell.sequences or cell.masked else outputs[:, -1]

    return run, [x, *layer.parameters()]


def steps(cell: Recurrent | Attention | Dense) -> dict[str, Callable[[], None]]:
    """{mode: step}, the same work as the other sides do."""
    if isinstance(cell, Dense):
        run, leaves = _dense(cell)
    else:
        run, leaves = _attention(cell) if isinstance(cell, Attention) else _recurrent(cell)
    leaves = [leaf.requires_grad_() for leaf in leaves]

    def forward() -> None:
        with torch.no_grad():
            run()

    def training() -> None:
        y = run()
        gradients = torch.autograd.grad(y, leaves, y.detach())
        with torch.no_grad():
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf.sub_(gradient, alpha=RATE)

    return {"forward": forward, "training": training}


def main() -> None:
    """Serve until the input ends."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    forms: dict[str, Callable[[], None]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "cell" in request:
            forms = steps(next(c for c in CELLS[request["table"]] if c.name == request["cell"]))
            answer: Any = True
        else:
            step = forms[request["run"]]
            start = time.perf_counter()
            for _ in range(request["steps"]):
                step()
            answer = time.perf_counter() - start
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
