"""Networks of PyTorch that write into arrays, choose, repeat and count, as `.pt2` files.

    python make_pt2_files.py FOLDER     with torch 2.14

`more.npz` has what they are given and give, at two calls one after the other.
"""

import copy
import json
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch._higher_order_ops.while_loop import while_loop
from torch.utils import _pytree

warnings.simplefilter("ignore")


class Views(nn.Module):
    """Parts of an array are written to, and others of it read after that."""

    def forward(self, x):
        y = x.clone()
        row, turned = y[:, 1], y.transpose(1, 2)
        first = turned[:, 0]
        row.mul_(2)
        flat = y.view(3, 24)
        flat[:, ::2] = 0
        left, right = y.chunk(2, 2)
        right += 1
        copied = y.reshape(-1) + 0
        y[1:, 2:3] -= 3
        y[x > 1] = 9.0
        return y, row, turned, first, flat, left, right, copied


class Moving(nn.Module):
    """Statistics of batches, which each call moves, and a count of calls."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4, momentum=0.2)
        self.register_buffer("calls", torch.zeros(4, 1))

    def forward(self, x):
        self.calls.add_(1)
        return self.norm(self.conv(x)) + self.calls, self.norm.running_mean + 0


class Counting(nn.Module):
    """A number, not a vector, that grows past 32 bits in two calls."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.seen.add_(2_000_000_000)
        return x * 2, self.seen.clone()


class Choosing(nn.Module):
    def __init__(self):
        super().__init__()
        self.above, self.below = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        y = torch.cond(x.sum() > 0, lambda x: self.above(x), lambda x: self.below(x) * 2, (x,))
        start = torch.tensor(0)
        return while_loop(lambda i, z: i < 5, lambda i, z: (i + 1, z * 1.5 + i), (start, y))[1]


class Hashing(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(97, 4)

    def forward(self, ids):
        bucket = (ids * 2654435761) % (2**32) % 97
        return self.table(bucket), bucket, ids.cumsum(0), (ids * 0.5)


class Rare(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, num_layers=2, batch_first=True, bidirectional=True, proj_size=2)
        self.bag = nn.EmbeddingBag(10, 4, mode="mean", padding_idx=3)
        self.pair = nn.Bilinear(4, 4, 5)

    def forward(self, x, ids):
        y, (h, c) = self.lstm(x)
        bag = self.bag(ids)
        logits = self.pair(bag, x[:, 0])
        labels = ids[:, 0] % 5
        places = torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0]))
        losses = torch.stack(
            [F.cross_entropy(logits, labels, label_smoothing=0.1), F.mse_loss(bag, x[:, 1]),
             F.huber_loss(bag, x[:, 0]), F.binary_cross_entropy_with_logits(bag, x[:, 0].sigmoid()),
             F.kl_div(logits.log_softmax(1), logits.softmax(1) ** 2, reduction="sum")]
        )  # fmt: skip
        shapes = x.unfold(1, 2, 1), torch.cumprod(x, 1), F.one_hot(labels, 5), places
        pooled = F.adaptive_max_pool1d(x, 3, return_indices=True)
        near = F.cosine_similarity(bag, x[:, 0]), torch.cdist(x, x), F.softshrink(x), x.mT
        return y, h, c, bag, logits, losses, *shapes, *pooled, *near


def without_traces(path):
    """Leave out of an archive where in which file each node comes from."""
    with zipfile.ZipFile(path) as old:
        members = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in members:
            if "/models/" in name and name.endswith(".json"):
                content = json.dumps(_plain(json.loads(content))).encode()
            new.writestr(name, content)


def _plain(value):
    if isinstance(value, dict):
        return {k: {} if k == "metadata" else _plain(v) for k, v in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def main(folder):
    torch.manual_seed(3)
    numbers = torch.randn(3, 4, 6)
    nets = {
        "views": (Views().eval(), (numbers,)),
        "moving": (Moving().train(), (torch.randn(4, 3, 8),)),
        "choosing": (Choosing().eval(), (torch.randn(2, 3),)),
        "hashing": (Hashing().eval(), (torch.tensor([5, 123456, 2**31 - 5, 2**40]),)),
        "rare": (Rare().eval(), (torch.randn(2, 5, 4), torch.randint(0, 10, (2, 6)))),
        "counting": (Counting().eval(), (torch.randn(2, 3),)),
    }
    held = {}
    for name, (net, given) in nets.items():
        program = torch.export.export(copy.deepcopy(net), given)
        torch.export.save(program, folder / f"{name}.pt2")
        without_traces(folder / f"{name}.pt2")
        for at, array in enumerate(given):
            held[f"{name}/input_{at}"] = array.numpy()
        for call in range(2):
            found, _ = _pytree.tree_flatten(net(*copy.deepcopy(given)))
            for at, array in enumerate(found):
                held[f"{name}/output_{call}_{at}"] = array.detach().numpy()
    np.savez(folder / "more.npz", **held)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
