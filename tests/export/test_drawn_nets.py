"""Nets drawn at random, through every format that runs here: none of them was known to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

import nacre
from nacre.core.errors import UnsupportedOpError
from nacre.export.targets import TARGETS
from tests.cases.drawn_nets import drawn_net
from tests.contracts.test_target_contract import writable

SEEDS = range(10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("web", "tensorrt")])
def test_a_drawn_net_is_verified_or_refused(name: str, seed: int, tmp_path: Path) -> None:
    target = writable(name)
    model, sample = drawn_net(nacre, seed)
    path = tmp_path / f"net{target.suffix}"
    try:
        report = model.export(path, format=name, verbose=False, samples=[sample])
    except UnsupportedOpError:
        assert name in ("pmml", "coreml"), "only these lack ops of such nets"
        assert not path.exists()
        return
    assert report is not None and report.is_verified
    assert len(report.compared) >= 3, "two batches, and the sample of a third"


def test_nets_of_all_kinds_are_drawn() -> None:
    """The same for the same seed, and among a few seeds those that are hard to write."""
    first, second = (drawn_net(nacre, 3)[0] for _ in range(2))
    kinds = [type(layer).__name__ for layer in first.layers]
    assert kinds == [type(layer).__name__ for layer in second.layers]
    found = {
        type(layer).__name__ for seed in range(12) for layer in drawn_net(nacre, seed)[0].layers
    }
    assert len(found) > 20, sorted(found)
