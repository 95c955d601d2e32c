"""The work that everyone is given: shapes, rows, and data made from a fixed seed.

Peers import this file in their own environments, so it needs nothing but NumPy, and that late.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

CLASSES = 10
LEARNING_RATE = 1e-3
EPSILON = 1e-7  # Adam's, the same for everyone
VOCABULARY = 1_000  # of the transformer


@dataclass(frozen=True)
class Workload:
    """One training job; every epoch sees `rows // batch` full batches."""

    name: str
    title: str
    features: tuple[int, ...]
    rows: int
    batch: int = 32
    timed_epochs: int = 3
    # Distance between the means of the classes; the noise has deviation 1. Small enough that the
    # loss stays far from zero, large enough that it falls within the few epochs measured.
    separation: float = 4.0
    vocabulary: int = 0  # rows are tokens below this, not numbers

    @property
    def steps(self) -> int:
        """Training steps of one epoch."""
        return self.rows // self.batch


TRAINING = {
    work.name: work
    for work in (
        Workload("mlp", "MLP 784-128-10", (784,), 60_000, timed_epochs=2, separation=2.5),
        Workload("cnn", "CNN on 32×32×3 images", (32, 32, 3), 3_200, separation=6.0),
        Workload("lstm", "LSTM(128) on 50×16 sequences", (50, 16), 3_200, separation=8.0),
        Workload("gru", "GRU(128) on 50×16 sequences", (50, 16), 3_200, separation=8.0),
        Workload(
            "transformer",
            "transformer, 4 blocks of 128, on 64 tokens",
            (64,),
            1_280,
            timed_epochs=2,
            vocabulary=VOCABULARY,
        ),
        Workload(
            "resnet",
            "ResNet-18 on 64×64×3 images",
            (64, 64, 3),
            640,
            timed_epochs=1,
            separation=6.0,
        ),
    )
}
QUICK_ROWS = {"mlp": 6_400, "cnn": 640, "lstm": 640, "gru": 640, "transformer": 128, "resnet": 64}

# Stages of ResNet-18 (He et al. 2015, arXiv:1512.03385, table 1): filters and first stride.
RESNET_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
RESNET_BLOCKS = 2

# One row at a time.
PREDICT_CALLS = 2_000
PREDICT_SECONDS = 20.0  # slow peers stop here, with fewer calls
GROWTH_CALLS = 10_000
THREADS = 8
THREAD_CALLS = 200

# A file larger than memory should be, read through a memory map.
MEMORY_FEATURES = 256
MEMORY_ROWS = 1 << 20  # 1 GiB of float32
MEMORY_BATCH = 256


def training(name: str, quick: bool = False) -> Workload:
    """The job of that name; `quick` gives fewer rows, to see that everything runs."""
    work = TRAINING[name]
    return replace(work, rows=QUICK_ROWS[name]) if quick else work


def data(work: Workload, seed: int = 0) -> tuple[Any, Any]:
    """Rows of noise around one mean per class: float32 features, int32 labels."""
    import numpy as np

    generator = np.random.default_rng(seed)
    if work.vocabulary:
        return _tokens(work, generator)
    size = int(np.prod(work.features))
    means = generator.standard_normal((CLASSES, size), dtype=np.float32)
    if len(work.features) == 3:
        # Patches of 8×8 pixels, large enough for a convolution to see through the noise.
        means = means.reshape(CLASSES, *work.features)[:, ::8, ::8]
        means = means.repeat(8, axis=1).repeat(8, axis=2).reshape(CLASSES, size)
    means *= work.separation / np.sqrt(2 * size)
    labels = generator.integers(0, CLASSES, work.rows, dtype=np.int32)
    rows = generator.standard_normal((work.rows, size), dtype=np.float32)
    rows += means[labels]
    return rows.reshape(work.rows, *work.features), labels


def _tokens(work: Workload, generator: Any) -> tuple[Any, Any]:
    """Rows of tokens: one in four from the twenty that the row's class prefers."""
    import numpy as np

    shape = (work.rows, *work.features)
    favourites = generator.integers(0, work.vocabulary, (CLASSES, 20), dtype=np.int32)
    labels = generator.integers(0, CLASSES, work.rows, dtype=np.int32)
    rows = generator.integers(0, work.vocabulary, shape, dtype=np.int32)
    chosen = favourites[labels[:, None], generator.integers(0, 20, shape)]
    return np.where(generator.random(shape) < 0.25, chosen, rows), labels


def memory_rows(quick: bool = False) -> int:
    """Rows of the file for the memory workload: 1 GiB, or 64 MiB when quick."""
    return MEMORY_ROWS // 16 if quick else MEMORY_ROWS


def write_memory_file(path: str, rows: int) -> None:
    """Fill the file of the memory workload, a piece at a time."""
    import numpy as np

    generator = np.random.default_rng(0)
    with open(path, "wb") as file:
        for start in range(0, rows, 1 << 14):
            count = min(1 << 14, rows - start)
            piece = generator.standard_normal((count, MEMORY_FEATURES), dtype=np.float32)
            piece[:, :CLASSES] += 2 * np.eye(CLASSES, dtype=np.float32)[memory_labels(start, count)]
            file.write(piece.tobytes())


def memory_labels(start: int, count: int) -> Any:
    """Labels of rows `start` to `start + count` of the memory workload."""
    import numpy as np

    return (np.arange(start, start + count, dtype=np.int64) * 7919 % CLASSES).astype(np.int32)
