"""What tests of trainings that go on later share: a model, data, and ways to end."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import nacre
from nacre import callbacks, layers
from nacre.data import Dataset
from nacre.training.state import arrays_by_path, training_state, variables_by_path

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 4)).astype("float32")  # batches of 4: 5, and one of 2
Y = X.sum(axis=1, keepdims=True)


class Killed(BaseException):
    """What ends a run without a last word; see `killed`."""


class Kill(callbacks.Callback):
    """Ends the run at a place: after a batch, or at 'validation' or 'end' of an epoch."""

    remembers = ()

    def __init__(self, epoch: int, place: Any = None) -> None:
        self.at = epoch, place

    def batch_hooks(self) -> set[str]:
        return {"on_train_batch_end"} if isinstance(self.at[1], int) else set()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._end(batch)

    def on_test_begin(self, logs: Any = None) -> None:
        self._end("validation")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._end("end")

    def _end(self, place: Any) -> None:
        if (self.epoch, place) == self.at:
            raise Killed


class Count(callbacks.Callback):
    """Remembers by `get_state` and `set_state` which batches it was told of."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def get_state(self) -> Any:
        return {"told": self.told}

    def set_state(self, state: Any) -> None:
        self.told = list(state["told"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.told.append((self.epoch, batch))


class Augmented(nacre.utils.PyDataset):
    """Draws from NumPy's own generator for each batch, made in a thread ahead of the steps."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        rows = slice(4 * index, 4 * index + 4)
        noise = np.random.normal(size=X[rows].shape).astype("float32")
        return X[rows] + 0.1 * noise, Y[rows]


class Shuffled(nacre.utils.PyDataset):
    """Keeps its own order, and tells it."""

    def __init__(self) -> None:
        super().__init__()
        self.order = np.arange(6)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        rows = slice(4 * self.order[index], 4 * self.order[index] + 4)
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        np.random.shuffle(self.order)

    def state(self) -> Any:
        return {"order": self.order.copy()}

    def restore(self, state: Any) -> None:
        self.order = state["order"]


class Loader:
    """Walks over batches in an order of its own, as loaders with workers do."""

    def __init__(self) -> None:
        self.passes, self.given = 0, 0

    def __iter__(self) -> Any:
        order = np.random.default_rng(self.passes).permutation(5)
        while self.given < 5:
            index = order[self.given]
            self.given += 1
            yield X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]
        self.passes, self.given = self.passes + 1, 0

    def state_dict(self) -> dict[str, int]:
        return {"passes": self.passes, "given": self.given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.passes, self.given = state["passes"], state["given"]


def dataset(is_ahead: bool) -> Dataset:
    """Draws an order for each epoch, and from NumPy's own generator for each sample, or is made
    ahead by a thread."""
    nacre.utils.set_random_seed(1)  # as `model` does: a seed of its own goes together with it
    rows = Dataset.from_tensor_slices((X, Y)).shuffle(9, seed=3)
    if is_ahead:
        rows = rows.filter(lambda x, y: True)  # nobody knows how many batches there are
        rows = rows.map(lambda x, y: (x + 1, y), num_parallel_calls=2)

    def augment(x: Any, y: Any) -> Any:
        return x + 0.1 * np.random.normal(size=x.shape).astype("float32"), y

    batches = rows.map(augment).batch(4)
    return batches.prefetch(2) if is_ahead else batches


SOURCES: dict[str, Any] = {
    "arrays": lambda: (X, Y),
    "augmented": lambda: (Augmented(), None),
    "shuffled": lambda: (Shuffled(), None),
    "loader": lambda: (Loader(), None),
    "dataset": lambda: (dataset(False), None),
    "dataset ahead": lambda: (dataset(True), None),
}


@functools.cache
def shared() -> tuple[nacre.Model, dict[str, np.ndarray]]:
    """A model whose programs are compiled once for all tests, and what it begins with."""
    nacre.utils.clear_session()
    nacre.utils.set_random_seed(1)
    made = new()
    made.optimizer.build(made.trainable_variables)
    return made, values(made)


def new(width: int = 3, optimizer: Any = None, loss: Any = "mse") -> nacre.Model:
    parts = [nacre.Input((4,)), layers.Dense(width), layers.Dropout(0.2), layers.Dense(1)]
    made = nacre.Sequential(parts)
    made.compile(optimizer or nacre.optimizers.Adam(0.01), loss, metrics=["mae"])
    return made


def model() -> nacre.Model:
    """The shared model as in a process that has just made it."""
    made, beginning = shared()
    nacre.utils.set_random_seed(1)
    state = training_state(made, made.optimizer, made.metrics)
    for path, variable in variables_by_path(made, state).items():
        if path in beginning:
            variable.assign(beginning[path])
    return made


def fit(
    made: nacre.Model, folder: Any, listed: Any = (), data: Any = (X, Y), **changed: Any
) -> Any:
    options: dict[str, Any] = {
        "batch_size": 4, "epochs": 4, "verbose": 0, "validation_data": (X[:5], Y[:5]), **changed,
    }  # fmt: skip
    if folder is not None:
        options = {"resume_every_steps": 1, **options}
    decay = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.8)
    return made.fit(*data, callbacks=[decay, *listed], resume=folder, **options)


def values(made: nacre.Model) -> dict[str, np.ndarray]:
    return arrays_by_path(made, training_state(made, made.optimizer, made.metrics))


@functools.cache
def unbroken(source: str = "arrays", epochs: int = 4) -> tuple[Any, ...]:
    """What a run ends with that was never stopped; history, a random number, values."""
    made, count = model(), Count()
    history = fit(made, None, [count], SOURCES[source](), epochs=epochs)
    return history.history, history.epoch, np.random.random(), count.told, values(made)


def same(made: nacre.Model, history: Any, wanted: tuple[Any, ...]) -> None:
    assert (history.history, history.epoch) == wanted[:2]
    for path, value in values(made).items():
        np.testing.assert_array_equal(value, wanted[-1][path], err_msg=path)
