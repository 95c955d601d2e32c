"""Sources for worker processes, which import this file: so nothing that takes long is imported."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import Any

import numpy as np

from nacre.data.py_dataset import PyDataset


class Numbered(PyDataset):
    def __init__(self, count: int = 4, **kwargs: Any) -> None:
        super().__init__(**{"workers": 2, "use_multiprocessing": True, **kwargs})
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return np.full((2, 1), index, np.float32)


class Pairs(Numbered):
    def __getitem__(self, index: int) -> Any:
        return np.ones((2, 1)), np.ones((2, 1))


class Targets(Numbered):
    """Another source's batches as inputs, with targets of 0."""

    def __init__(self, inner: Numbered) -> None:
        super().__init__(len(inner), workers=inner.workers)
        self.inner = inner

    def on_epoch_end(self) -> None:
        self.inner.on_epoch_end()

    def __getitem__(self, index: int) -> Any:
        return self.inner[index], np.zeros((2, 1), np.float32)


class Placed(Numbered):
    """Tells which process made a batch, and in what environment."""

    def __getitem__(self, index: int) -> Any:
        names = ("JAX_PLATFORMS", "OMP_NUM_THREADS")
        return os.getpid(), "jax" in sys.modules, [os.environ[name] for name in names]


class Drawing(Numbered):
    """Draws from every generator there is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator = np.random.default_rng(1)
        self.inner = {"old": np.random.RandomState(2), "plain": [random.Random(3)]}

    def __getitem__(self, index: int) -> list[float]:
        old, plain = self.inner["old"], self.inner["plain"]
        own = [self.generator.random(), old.random_sample(), plain[0].random()]  # type: ignore
        return [np.random.random(), random.random(), *own]


class Changing(Numbered):
    """Its parent's hooks change what batches hold."""

    epoch = 0

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __getitem__(self, index: int) -> Any:
        return np.full((2, 1), index + 10 * self.epoch, np.float32)


class Failing(Numbered):
    """One batch fails in a way; those of even number may never come."""

    def __init__(self, how: str, hangs: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.how, self.hangs = how, hangs

    def __getitem__(self, index: int) -> Any:
        if index != 1:
            if self.hangs:
                time.sleep(100)
            return super().__getitem__(index)
        return self.fail_in_this_way()

    def fail_in_this_way(self) -> Any:
        match self.how:
            case "raise":
                raise KeyError("no such row")
            case "exit":
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stand still":
                time.sleep(100)
            case "unpicklable error":
                raise Unpicklable(lambda: None)
            case "sys.exit":
                sys.exit("enough")
            case "unpicklable batch":
                return open(os.devnull)


class Unpicklable(Exception):
    pass


class OfMappedFile(Numbered):
    def __init__(self, rows: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows

    def __getitem__(self, index: int) -> Any:
        return type(self.rows).__name__, self.rows[index]


def squared(x: Any) -> Any:
    return x * x


def squared_elsewhere(x: Any) -> Any:
    return x * x, np.int64(os.getpid())


def inverse(x: Any) -> Any:
    return 12 // int(x)


def drawn(x: Any) -> Any:
    return np.float64(np.random.random()), random.random()


def dies_at_three(x: Any) -> Any:
    if int(x) == 3:
        os._exit(5)
    return x


def stands_still_at_four(x: Any) -> Any:
    if int(x) == 4:
        time.sleep(100)
    return x


def parts(x: Any) -> Any:
    """A data set for an element, in an order of its own, with the process that made each number;
    that of 2 holds one that cannot be made."""
    from nacre.data import Dataset

    numbers = Dataset.range(3 + int(x)).shuffle(9)
    return numbers.map(lambda n: (x * 10 + int(n) // int(n + x != 5), np.int64(os.getpid())))


def dies_at_two(x: Any) -> Any:
    from nacre.data import Dataset

    if int(x) == 2:
        os._exit(5)
    return Dataset.range(2)
