"""Plain PyTorch: an eager loop over index batches of tensors, no loader between.

Fused Adam, and each memory layout that may win; the fastest form is what counts. The loop adds up
the loss but no accuracy, so it does slightly less than the others.
"""

from __future__ import annotations

import os
from typing import Any

from bench import workloads
from bench.peers import protocol, transformers
from bench.peers.protocol import Answer, Request


def import_torch() -> Any:
    """PyTorch with as many threads as the process has cores."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    return torch


def build(torch: Any, name: str, form: str = "plain") -> Any:
    """The network of a workload; it gives logits."""
    nn = torch.nn
    if name == "transformer":
        return transformers.in_torch(torch, library=form == "library")
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    if name == "cnn":
        return nn.Sequential(
            *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10)),
        )

    if name == "resnet":
        return resnet(torch)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            kind = nn.GRU if name == "gru" else nn.LSTM
            self.recurrent = kind(16, 128, batch_first=True)
            self.head = nn.Linear(128, 10)

        def forward(self, rows: Any) -> Any:
            return self.head(self.recurrent(rows)[0][:, -1])

    return Recurrent()


def resnet(torch: Any) -> Any:
    """ResNet-18: basic blocks, convolutions without bias, batch normalization after each."""
    nn = torch.nn

    def convolved(channels: int, filters: int, window: int, stride: int) -> Any:
        kernel = nn.Conv2d(channels, filters, window, stride, window // 2, bias=False)
        return nn.Sequential(kernel, nn.BatchNorm2d(filters))

    class Block(nn.Module):
        def __init__(self, channels: int, filters: int, stride: int) -> None:
            super().__init__()
            self.first = convolved(channels, filters, 3, stride)
            self.second = convolved(filters, filters, 3, 1)
            self.shortcut = convolved(channels, filters, 1, stride) if stride > 1 else None

        def forward(self, x: Any) -> Any:
            y = self.second(torch.relu_(self.first(x)))
            return torch.relu_(y + (x if self.shortcut is None else self.shortcut(x)))

    parts, channels = [convolved(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)], 64
    for filters, stride in workloads.RESNET_STAGES:
        for number in range(workloads.RESNET_BLOCKS):
            parts.append(Block(channels, filters, stride if number == 0 else 1))
            channels = filters
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    return nn.Sequential(*parts)


def train(torch: Any, request: Request, fused: bool, layout: str, compiled: bool) -> Answer:
    """One form of the training loop."""
    work = workloads.training(request["workload"], request["quick"])
    rows, labels = workloads.data(work)
    if len(work.features) == 3:
        rows = rows.transpose(0, 3, 1, 2).copy()
    x, y = torch.from_numpy(rows), torch.from_numpy(labels).long()
    torch.manual_seed(0)
    model = build(torch, work.name, layout)
    if layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model
    adam = torch.optim.Adam(
        model.parameters(), lr=workloads.LEARNING_RATE, eps=workloads.EPSILON, fused=fused
    )
    criterion = torch.nn.CrossEntropyLoss()

    def epochs(count: int) -> list[float]:
        losses = []
        for _ in range(count):
            total = torch.zeros(())
            order = torch.randperm(work.rows)
            for index in order.split(work.batch):
                adam.zero_grad(set_to_none=True)
                loss = criterion(run(x[index]), y[index])
                loss.backward()
                adam.step()
                total += loss.detach()
            losses.append(float(total) / work.steps)
        return losses

    return protocol.time_epochs(work, epochs)


def training(request: Request) -> Answer:
    """Every form; the fastest is the answer."""
    torch = import_torch()
    layouts = (
        ("channels_first", "channels_last")
        if request["workload"] in ("cnn", "resnet")
        else ("plain",)
    )
    if request["workload"] == "transformer":
        layouts = ("plain", "library")
    forms = {f"eager, {layout}": (True, layout, False) for layout in layouts}
    if request["workload"] == "mlp":
        forms["eager, unfused Adam"] = (False, "plain", False)
    if request["workload"] not in ("lstm", "gru") and not request["quick"]:
        # Compiled LSTMs fall back to the same kernel, after minutes.
        forms |= {f"torch.compile, {layout}": (True, layout, True) for layout in layouts}
    return protocol.best_variant(
        {name: lambda form=form: train(torch, request, *form) for name, form in forms.items()}
    )


def predict(request: Request) -> Answer:
    """Median time of a forward pass of one row without gradients, NumPy in and out."""
    torch = import_torch()
    rows, _ = workloads.data(workloads.training("mlp", quick=True))
    row, model = rows[:1], build(torch, "mlp").eval()

    def call() -> Any:
        with torch.no_grad():
            return model(torch.from_numpy(row)).softmax(-1).numpy()

    milliseconds, calls = protocol.median_call_ms(call, request["quick"])
    check = protocol.check_probabilities(call())
    return {"predict_ms": milliseconds, "call_ms": milliseconds, "calls": calls, "check": check}


def first_step(request: Request) -> Answer:
    """From the start of the process to the end of the first step."""
    torch = import_torch()
    work = workloads.training("mlp", quick=True)
    x = torch.randn(work.batch, *work.features)
    y = torch.randint(0, workloads.CLASSES, (work.batch,))
    model = build(torch, "mlp")
    adam = torch.optim.Adam(model.parameters(), lr=workloads.LEARNING_RATE, fused=True)
    loss = torch.nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    adam.step()
    value = float(loss)
    seconds = protocol.since_start(request)
    return {"seconds": seconds, "check": "ok" if value == value else "loss is not a number"}


if __name__ == "__main__":
    table = dict.fromkeys(workloads.TRAINING, training)
    protocol.serve({**table, "predict": predict, "first_step": first_step})
