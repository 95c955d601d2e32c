"""Small networks of PyTorch as ONNX and as `.pt2` files, with what they give.

    python make_torch_files.py FOLDER     with torch 2.14, onnx and onnxscript

Both exporters of ONNX write: the one that traces (`dynamo=False`, operator set 14), and that of
torch.export (18).
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

warnings.simplefilter("ignore")


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        y, _ = self.lstm(self.embedding(tokens))
        y, _ = self.gru(y)
        return self.head(y[:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


class Shapes(nn.Module):
    """Views, slices, arithmetic that broadcasts, sizes that are computed."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, 6))
        self.register_buffer("table", torch.arange(12.0).reshape(2, 6))

    def forward(self, x, y):
        batch, time, width = x.shape
        z = x.reshape(batch, time * width)[:, ::2].view(batch, time, width // 2)
        z = torch.cat([z, z.flip(1), x[..., -3:]], dim=-1)
        z = torch.where(z > 0, z * 2, z - 1).permute(0, 2, 1)
        picked = self.table[torch.tensor([0, 1, 0])].sum(0) * self.scale
        means = z.mean(dim=(1, 2), keepdim=True).expand(-1, 1, 6).squeeze(1)
        parts = torch.chunk(means + picked + y, 2, dim=-1)
        return torch.softmax(torch.stack(parts, 1).transpose(1, 2), -1), z.amax(dim=1)


class Residual(nn.Module):
    """Operators that write into what they are given."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.linear(x))
        z = self.norm(y)
        z += y
        z.mul_(2)
        return self.relu(z) - y


class Written(nn.Module):
    """A part that is taken, the whole written to, the part read."""

    def forward(self, x):
        y = x * 1
        first = y[:, 0]
        y.add_(1)
        return first + y[:, 1]


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6), nn.SiLU(), nn.GroupNorm(2, 6),
        nn.Upsample(scale_factor=2, mode="nearest"), nn.ConvTranspose2d(6, 4, 3, stride=2),
        nn.AvgPool2d(2), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(4, 5),
    )  # fmt: skip


def cases() -> dict:
    make = np.random.default_rng(3)
    image = torch.tensor(make.normal(size=(2, 3, 8, 8)).astype("float32"))
    tokens = torch.tensor(make.integers(0, 11, (2, 7)))
    sequence = torch.tensor(make.normal(size=(2, 5, 8)).astype("float32"))
    pair = (torch.tensor(make.normal(size=(2, 4, 6)).astype("float32")), torch.ones(2, 6))
    return {
        "convolutional": (convolutional(), (image,)),
        "recurrent": (Recurrent(), (tokens,)),
        "attention": (Attention(), (sequence,)),
        "shapes": (Shapes(), pair),
    }


def main(folder: Path) -> None:
    torch.manual_seed(0)
    arrays: dict[str, np.ndarray] = {}
    for name, (model, inputs) in cases().items():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)
        model.eval()
        names = [f"input_{i}" for i in range(len(inputs))]
        for i, each in enumerate(inputs):
            arrays[f"{name}/input_{i}"] = each.numpy()
        with torch.no_grad():
            found = model(*inputs)
        for i, each in enumerate(found if isinstance(found, tuple) else (found,)):
            arrays[f"{name}/output_{i}"] = each.numpy()
        axes = {n: {0: "batch"} for n in names}
        torch.onnx.export(
            model, inputs, folder / f"{name}_14.onnx", dynamo=False, input_names=names,
            dynamic_axes=axes, opset_version=14,
        )  # fmt: skip
        batch = torch.export.Dim("batch", min=2, max=1024)
        shapes = tuple({0: batch} for _ in inputs)
        program = torch.export.export(model, inputs, dynamic_shapes=shapes)
        torch.onnx.export(program, inputs, folder / f"{name}_18.onnx", dynamo=True,
                          external_data=False, input_names=names)  # fmt: skip
        torch.export.save(program, folder / f"{name}.pt2")
    for name, model in (("residual", Residual()), ("written", Written())):
        x = torch.linspace(-1, 1, 8).reshape(2, 4)
        torch.export.save(torch.export.export(model.eval(), (x.clone(),)), folder / f"{name}.pt2")
        arrays |= {f"{name}/input_0": x.numpy(), f"{name}/output_0": model(x).detach().numpy()}
    np.savez_compressed(folder / "torch.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
