"""Trainings of every kind: killed in its second epoch, each goes on with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import nacre
from nacre import callbacks, layers, ops
from nacre.core.layout import data_parallel, use_layout
from nacre.training import keeper, loop
from nacre.training.state import arrays_by_path, training_state
from tests.training.resuming import Augmented, Kill, Killed, X, Y


class Gan(nacre.Model):
    """Two optimizers and two tapes in one step."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nacre.Sequential([nacre.Input((2,)), layers.Dense(4)], name="maker")
        judge = [nacre.Input((4,)), layers.Dense(3, "relu"), layers.Dropout(0.1), layers.Dense(1)]
        self.judge = nacre.Sequential(judge, name="judge")
        self.mean = nacre.metrics.Mean(name="of_judge")

    def compile(self, of_judge: Any, of_maker: Any) -> None:
        super().compile()
        self.of_judge, self.of_maker = of_judge, of_maker

    @property
    def metrics(self) -> list[Any]:
        return [self.mean]

    def train_step(self, data: Any) -> dict[str, Any]:
        noise = nacre.random.normal((4, 2))
        with nacre.GradientTape() as tape:
            made = self.judge(self.maker(noise), training=True)
            loss = ops.mean(made**2) + ops.mean((self.judge(data, training=True) - 1) ** 2)
        trained = self.judge.trainable_variables
        self.of_judge.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        with nacre.GradientTape() as tape:
            made = ops.mean((self.judge(self.maker(noise), training=True) - 1) ** 2)
        trained = self.maker.trainable_variables
        self.of_maker.apply_gradients(zip(tape.gradient(made, trained), trained, strict=True))
        self.mean.update_state(loss)
        return {"of_judge": self.mean.result(), "of_maker": made}


def gan() -> nacre.Model:
    made = Gan()
    made.compile(nacre.optimizers.Adam(0.01), nacre.optimizers.RMSprop(0.02))
    return made


def dense(optimizer: Any = "adam", **options: Any) -> nacre.Model:
    parts = [nacre.Input((4,)), layers.Dense(3, "relu"), layers.Dropout(0.2), layers.Dense(1)]
    made = nacre.Sequential(parts)
    made.compile(optimizer, "mse", **options)
    return made


def averaging() -> nacre.Model:
    return dense(nacre.optimizers.Adam(0.01, use_ema=True, gradient_accumulation_steps=4))


def scaling() -> nacre.Model:
    inner = nacre.optimizers.SGD(0.01, momentum=0.9)
    return dense(nacre.optimizers.LossScaleOptimizer(inner, 16.0, dynamic_growth_steps=3))


def mapped(folder: Path) -> Any:
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r"), Y


class Kind(NamedTuple):
    make: Callable[[], nacre.Model]
    data: Callable[[Path], Any] = lambda _: (X, Y)
    options: Callable[[], dict[str, Any]] = dict
    place: Any = 1
    budget: str = ""  # bytes of data that a device may keep


KINDS = {
    "averages, accumulation": Kind(
        averaging,
        options=lambda: {
            "callbacks": [callbacks.SwapEMAWeights(swap_on_epoch=True)],
            "validation_data": (X, Y),
        },
        place="validation",
    ),
    "loss scale": Kind(scaling),
    "two optimizers": Kind(gan, lambda _: (X[:20],)),
    "augmentation": Kind(
        dense, options=lambda: {"augment": [layers.GaussianNoise(0.3), layers.Dropout(0.1)]}
    ),
    "mapped file, streamed": Kind(dense, mapped, budget="64"),
    "eager": Kind(lambda: dense(run_eagerly=True)),
    "steps an epoch": Kind(dense, options=lambda: {"steps_per_epoch": 4}, place="end"),
}


def run(kind: Kind, folder: Path, kept: Path | None, *listed: Any) -> tuple[Any, ...]:
    nacre.utils.clear_session()
    nacre.utils.set_random_seed(4)
    made, options = kind.make(), kind.options()
    options["callbacks"] = [*options.get("callbacks", ()), *listed]
    every: dict[str, Any] = {}
    if kept is not None:
        every = {"resume": kept}
        if "resume_every_seconds" not in options:
            every["resume_every_steps"] = 1
    batch_size = {"batch_size": 4} if isinstance(kind.data(folder)[0], np.ndarray) else {}
    history = made.fit(*kind.data(folder), epochs=2, verbose=0, **batch_size, **options, **every)
    state = training_state(made, made.optimizer, made.metrics)
    arrays = {**arrays_by_path(made, state), "weights": made.get_weights()}
    return history.history, history.epoch, {path: repr(value) for path, value in arrays.items()}


def keeps_its_bits(
    kind: Kind,
    folder: Path,
    patch: pytest.MonkeyPatch,
    layout: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> None:
    if kind.budget:
        patch.setenv("NACRE_DEVICE_BUDGET_BYTES", kind.budget)
    with layout():
        whole = run(kind, folder, None)
        keep = keeper.Keeper.keep
        with patch.context() as killing:
            killing.setattr(loop.TrainRun, "_keep_at_the_end", lambda *_: None)
            killing.setattr(keeper.Keeper, "keep", lambda self, *a: (keep(self, *a), self.wait()))
            with pytest.raises(Killed):
                run(kind, folder, folder / "kept", Kill(1, kind.place))
        assert run(kind, folder, folder / "kept") == whole


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if i else []) for i, n in enumerate(KINDS)]
)
def test_a_killed_training_of_each_kind_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    keeps_its_bits(KINDS[name], tmp_path, monkeypatch)


@pytest.mark.eight_devices
def test_a_killed_training_on_eight_devices_goes_on_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = data_parallel(jax.devices())
    keeps_its_bits(Kind(dense), tmp_path, monkeypatch, lambda: use_layout(layout))


def test_data_that_fails_in_the_middle_loses_no_step(tmp_path: Path) -> None:
    class Failing(Augmented):
        made, fails_at = 0, 0

        def __getitem__(self, index: int) -> Any:
            type(self).made += 1
            if self.made == self.fails_at:
                raise OSError("the disk was unplugged")
            return super().__getitem__(index)

    kind = Kind(dense, lambda _: (Failing(),), lambda: {"resume_every_seconds": 1000})
    whole = run(kind._replace(options=dict), tmp_path, None)
    for made_before in (5, 4):
        Failing.made, Failing.fails_at = 0, made_before
        with pytest.raises(OSError, match="unplugged"):
            run(kind, tmp_path, tmp_path / "kept")
        assert list((tmp_path / "kept").glob("state-*"))
    Failing.fails_at = 0
    assert run(kind, tmp_path, tmp_path / "kept") == whole
