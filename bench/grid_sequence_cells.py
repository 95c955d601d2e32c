"""The cells of the recurrent, attention and dense grids, as data. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer; `features` are 16 unless it reads another layer's outputs."""

    kind: str
    units: int
    steps: int
    batch: int
    features: int = 16
    sequences: bool = False
    bidirectional: bool = False
    masked: bool = False

    @property
    def name(self) -> str:
        words = [f"{self.kind} {self.units}, {self.steps} steps of {self.features}"]
        words.append(f"batch {self.batch}")
        words += [w for w in ("sequences", "bidirectional", "masked") if getattr(self, w)]
        return ", ".join(words)


@dataclass(frozen=True)
class Attention:
    """Self-attention between projections."""

    batch: int
    length: int
    heads: int
    size: int
    causal: bool = False

    @property
    def name(self) -> str:
        words = f"{self.length} steps, {self.heads} heads of {self.size}, batch {self.batch}"
        return f"{words}, causal" if self.causal else words


@dataclass(frozen=True)
class Dense:
    """A dense layer with a bias; the activation is "relu", "gelu" (exact) or none."""

    rows: int
    features: int
    units: int
    activation: str = ""

    @property
    def name(self) -> str:
        words = f"{self.rows} × {self.features} to {self.units}"
        return f"{words}, {self.activation}" if self.activation else words


CELLS: dict[str, list[Recurrent] | list[Attention] | list[Dense]] = {
    "recurrent": [
        *(Recurrent(kind, 128, 50, 32) for kind in ("lstm", "gru", "simple")),
        Recurrent("lstm", 32, 50, 32),
        Recurrent("gru", 32, 20, 32),
        Recurrent("simple", 32, 200, 32),
        Recurrent("lstm", 256, 50, 32),
        Recurrent("gru", 256, 50, 32),
        Recurrent("lstm", 512, 20, 32),
        Recurrent("gru", 512, 20, 32),
        Recurrent("simple", 512, 20, 32),
        Recurrent("lstm", 128, 200, 32),
        Recurrent("lstm", 128, 50, 128),
        Recurrent("gru", 256, 20, 128),
        Recurrent("lstm", 32, 50, 1),
        Recurrent("lstm", 128, 50, 1),
        Recurrent("gru", 128, 50, 1),
        Recurrent("lstm", 256, 20, 1),
        Recurrent("lstm", 512, 20, 1),
        Recurrent("gru", 512, 20, 1),
        Recurrent("simple", 256, 50, 1),
        Recurrent("lstm", 128, 50, 32, features=128, sequences=True),
        Recurrent("lstm", 128, 50, 32, sequences=True, bidirectional=True),
        Recurrent("gru", 128, 50, 32, sequences=True, bidirectional=True),
        Recurrent("lstm", 128, 50, 32, masked=True),
        Recurrent("gru", 128, 50, 32, sequences=True, masked=True),
        Recurrent("lstm", 100, 50, 30),
    ],
    "attention": [
        Attention(32, 64, 4, 32),
        Attention(32, 64, 4, 32, causal=True),
        Attention(1, 64, 8, 64),
        Attention(8, 256, 4, 32),
        Attention(8, 256, 8, 64),
        Attention(8, 256, 8, 64, causal=True),
        Attention(1, 256, 8, 64),
        Attention(2, 1024, 8, 64),
        Attention(2, 1024, 8, 64, causal=True),
        Attention(1, 1024, 4, 128),
    ],
    "dense": [
        Dense(32, 784, 128, "relu"),
        Dense(32, 128, 10),
        Dense(32, 256, 256, "relu"),
        Dense(32, 1024, 1024, "relu"),
        Dense(64, 2048, 2048),
        Dense(100, 300, 77, "relu"),
        Dense(128, 256, 256, "relu"),
        Dense(128, 784, 128, "relu"),
        Dense(128, 1024, 1024, "relu"),
        Dense(256, 512, 512, "relu"),
        Dense(512, 384, 1536, "gelu"),
        Dense(512, 1536, 384),
        Dense(1000, 37, 1000),
        Dense(1024, 128, 512, "gelu"),
        Dense(2048, 128, 128),
        Dense(2048, 128, 384),
        Dense(2048, 128, 512, "gelu"),
        Dense(2048, 512, 128),
        Dense(2048, 256, 1024, "gelu"),
        Dense(2048, 1024, 256),
        Dense(2048, 1024, 1024),
        Dense(8, 384, 1536, "gelu"),
        Dense(1, 384, 1536, "gelu"),
        Dense(1, 1024, 1024),
    ],
}
