"""The cells of the convolution and pooling grid, as data. Peers import it: no packages here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One layer on one shape, channels last.

    Args:
        kind: 'conv', 'transposed', 'separable', 'max', 'average', 'global max', 'global average'.
        sizes: Spatial sizes of the input.
        window, stride, dilation: The same for every spatial axis.
        padding: 'same' or 'valid'. Where strided 'same' pads unevenly, PyTorch pads one more value
            on the low side and crops nothing: the same work, to the last row.
    """

    name: str
    kind: str
    batch: int
    sizes: tuple[int, ...]
    channels: int
    filters: int = 0
    window: int = 3
    stride: int = 1
    padding: str = "same"
    dilation: int = 1
    groups: int = 1

    @property
    def is_convolution(self) -> bool:
        return self.kind in ("conv", "transposed", "separable")

    @property
    def words(self) -> str:
        """The cell in one line, for the table."""
        said = [f"{self.kind} {'×'.join(map(str, self.sizes))}×{self.channels}"]
        if self.is_convolution:
            said[0] += f"→{self.filters}"
        if "global" not in self.kind:
            said.append(f"window {self.window}")
        said += [f"stride {self.stride}"] * (self.stride > 1)
        said += [f"dilation {self.dilation}"] * (self.dilation > 1)
        said += [f"groups {self.groups}"] * (self.groups > 1)
        return ", ".join([*said, f"batch {self.batch}"])


def _conv(name: str, batch: int, sizes: tuple[int, ...], channels: int, filters: int, **rest):
    return Cell(name, rest.pop("kind", "conv"), batch, sizes, channels, filters, **rest)


def _pool(name: str, kind: str, batch: int, sizes: tuple[int, ...], channels: int, **rest):
    return Cell(name, kind, batch, sizes, channels, **rest)


CELLS = [
    _conv("cifar 1", 32, (32, 32), 3, 32, padding="valid"),
    _conv("cifar 2", 32, (15, 15), 32, 64, padding="valid"),
    _conv("cifar 3", 32, (6, 6), 64, 64, padding="valid"),
    _conv("mnist 1", 128, (28, 28), 1, 32, padding="valid"),
    _conv("mnist 2", 128, (13, 13), 32, 64, padding="valid"),
    _conv("residual 56", 8, (56, 56), 64, 64),
    _conv("residual 28", 8, (28, 28), 128, 128),
    _conv("residual 16", 32, (16, 16), 64, 64),
    _conv("residual 8", 32, (8, 8), 128, 128),
    _conv("residual 4", 32, (4, 4), 256, 256),
    _conv("residual 2", 32, (2, 2), 512, 512),
    _conv("one image 56", 1, (56, 56), 64, 64),
    _conv("one image 14", 1, (14, 14), 256, 256),
    _conv("stride 2", 32, (16, 16), 64, 128, stride=2),
    _conv("stride 2 large", 8, (56, 56), 64, 128, stride=2),
    _conv("stem 64", 32, (64, 64), 3, 64, window=7, stride=2),
    _conv("stem 224", 4, (224, 224), 3, 64, window=7, stride=2),
    _conv("stem one image", 1, (224, 224), 3, 64, window=7, stride=2),
    _conv("few filters", 4, (128, 128), 32, 32),
    _conv("first of U-Net", 2, (128, 128), 1, 16),
    _conv("window 5", 32, (14, 14), 16, 32, window=5),
    _conv("dilated", 8, (32, 32), 64, 64, dilation=2),
    _conv("1x1 down", 8, (56, 56), 256, 64, window=1),
    _conv("1x1 up", 32, (8, 8), 128, 512, window=1),
    _conv("1x1 stride 2", 32, (16, 16), 64, 128, window=1, stride=2),
    _conv("depthwise", 8, (28, 28), 128, 128, groups=128),
    _conv("depthwise 32", 32, (32, 32), 32, 32, groups=32),
    _conv("depthwise stride 2", 8, (56, 56), 96, 96, groups=96, stride=2),
    _conv("depthwise 5", 8, (14, 14), 240, 240, groups=240, window=5),
    _conv("depthwise one image", 1, (112, 112), 32, 32, groups=32),
    _conv("8 groups", 8, (28, 28), 128, 128, groups=8),
    _conv("32 groups", 8, (28, 28), 128, 128, groups=32),
    _conv("separable", 8, (28, 28), 64, 128, kind="separable"),
    _conv("transposed 4", 32, (8, 8), 128, 64, kind="transposed", window=4, stride=2),
    _conv("transposed 2", 4, (32, 32), 64, 32, kind="transposed", window=2, stride=2),
    _conv("transposed 3", 32, (7, 7), 64, 32, kind="transposed", window=3, stride=2),
    _conv("1-d", 32, (128,), 64, 128, window=5),
    _conv("1-d long", 32, (1000,), 16, 32, window=7),
    _conv("1-d one sound", 1, (16000,), 1, 64, window=9, stride=4),
    _conv("1-d dilated", 8, (512,), 64, 64, dilation=4),
    _conv("3-d", 4, (16, 16, 16), 16, 32),
    _conv("3-d one volume", 1, (32, 32, 32), 1, 16),
    _pool("max 2", "max", 32, (32, 32), 32, window=2, stride=2, padding="valid"),
    _pool("max 3 stride 2", "max", 8, (56, 56), 64, window=3, stride=2),
    _pool("max 3", "max", 8, (28, 28), 64, window=3),
    _pool("max 5", "max", 8, (14, 14), 256, window=5),
    _pool("max 1-d", "max", 32, (1000,), 32, window=4, stride=4, padding="valid"),
    _pool("max 3-d", "max", 4, (16, 16, 16), 16, window=2, stride=2, padding="valid"),
    _pool("average 2", "average", 32, (32, 32), 32, window=2, stride=2, padding="valid"),
    _pool("average 3", "average", 8, (28, 28), 64, window=3),
    _pool("average 3 stride 2", "average", 8, (56, 56), 64, window=3, stride=2),
    _pool("average 7", "average", 8, (28, 28), 128, window=7, stride=7, padding="valid"),
    _pool("global average", "global average", 32, (7, 7), 512),
    _pool("global max", "global max", 32, (7, 7), 512),
]
