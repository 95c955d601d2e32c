"""What every format promises (`nacre.testing.target`), asked of nacre's own ones; and that what they
refuse is what a list says they do."""

from __future__ import annotations

import importlib.util

import pytest

from nacre.core.errors import ArgumentError
from nacre.export.targets import TARGETS, find_target
from nacre.export.targets.target import Target
from nacre.testing.graph_ops import CASES
from nacre.testing.target import _OF_MODELS, runtime_of, target_checks
from tests.cases.targets import REFUSED, refusal
from tests.tiers import first_of_each_is_quick

OPS = {case.name: case.op for case in CASES}
PAIRS = first_of_each_is_quick(
    [pytest.param(t, c.name, id=f"{t}-{c.name}") for t in TARGETS for c in CASES],
    kind=lambda row: (row.values[0], OPS[row.values[1]]),
)


def writable(name: str) -> Target:
    """The target, where what writes and runs it is installed."""
    target = find_target(name, "test")
    for package in target.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package}, which writes {target.title}, is not installed")
    try:
        runtime_of(target)
    except ArgumentError as error:
        pytest.skip(str(error))
    return target


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_each_op_computes_in_its_runtime_what_it_does_in_numpy(name: str, case: str) -> None:
    (check,) = (c for c in target_checks(writable(name)) if c.case and c.case.name == case)
    assert check.case is not None
    why, expected = check.run(), refusal(name, case, check.case.op)
    assert why.startswith("refused") == (expected is not None), why or f"no longer: {expected}"


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_refused_is_an_op_or_a_case(name: str) -> None:
    known = {case.name for case in CASES} | {case.op for case in CASES}
    assert set(REFUSED.get(name, {})) <= known


# What a format cannot be asked -> why.
LACKS = {
    (
        "pmml",
        "sizes between those that a file is for are refused or computed",
    ): "samples of known size",
}


@pytest.mark.parametrize("promise", _OF_MODELS)
@pytest.mark.parametrize("name", TARGETS)
def test_a_promise_about_models_is_kept(name: str, promise: str) -> None:
    (check,) = (c for c in target_checks(writable(name)) if c.name == promise)
    assert bool(check.run()) == ((name, promise) in LACKS)
