"""What every format promises: each op of the graph is written and computes in the format's own
runtime what it computes in NumPy, at other sizes than any that were known, or it is refused with
all that is missing; a fault in one form is found and its layer named; a failed export leaves what
was there."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, UnsupportedOpError
from nacre.export.api import prepared
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Value
from nacre.export.targets import TARGETS, find_target
from nacre.export.targets.target import Request, Target
from nacre.export.verification import can_compare, first_far, write_plainly
from tests.cases.graph_ops import CASES, OpCase
from tests.cases.targets import REFUSED, refusal


def runtime_of(target: Target) -> Any:
    for runtime in target.runtimes:
        if importlib.util.find_spec(runtime.module.partition(".")[0]) and not runtime.runs_here():
            return runtime
    pytest.skip(f"nothing that runs {target.title} is installed")


def writable(name: str) -> Target:
    """The target, where what writes it is installed."""
    target = find_target(name, "test")
    for package in target.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package}, which writes {target.title}, is not installed")
    return target


def request_for(target: Target, graph: Any) -> Request:
    options = {name: option.default for name, option in target.options.items()}
    return Request(graph, "model", options, {"name": "model"})


PAIRS = [pytest.param(t, c, id=f"{t}-{c.name}") for t in TARGETS for c in CASES]


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_each_op_computes_in_its_runtime_what_it_does_in_numpy(
    name: str, case: OpCase, tmp_path: Any
) -> None:
    target = find_target(name, "test")
    why = refusal(name, case.name, case.op)
    takes_scalars = not target.support.of_input(Value("x", "float32", ()))
    whole, places = case.as_in_models(scalars_as_lines=not takes_scalars)
    graph = prepared(whole, target)
    gaps = target.support.gaps(graph)
    if why is not None:
        assert gaps, f"{case.name} has a form now: take it off the list"
        return
    assert not gaps, gaps
    if target.why_open_sizes_fail and graph.symbols():
        pytest.skip(f"{target.title} has no open sizes")
    writable(name)
    path = tmp_path / f"model{target.suffix}"
    write_plainly(path, target.write(request_for(target, graph)))
    run = runtime_of(target).open(path)
    for batch, time in ((3, 5), (1, 2)):
        arrays = [case.arrays(batch, time)[place] for place in places]
        arrays = [x if takes_scalars else np.atleast_1d(x) for x in arrays]
        if not any(x.size for x in evaluate(whole, arrays).outputs.values()):
            continue  # windows that do not fit: runtimes refuse them
        found = [np.asarray(x) for x in run(arrays)]
        if not can_compare(graph):
            shapes = [x.shape for x in evaluate(graph, arrays).outputs.values()]
            assert [x.shape for x in found] == shapes
            continue
        right = evaluate(whole, arrays).outputs
        narrow = any(x.dtype.itemsize == 2 for x in [*right.values(), *arrays])
        tolerance = target.narrow if narrow else target.tolerance
        for (output, wanted), one in zip(right.items(), found, strict=True):
            assert one.shape == wanted.shape, output
            far = first_far(one, wanted, tolerance)
            assert far is None, f"{output} at {far}: {one[far]} where {wanted[far]} is right"


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_refused_is_an_op_or_a_case(name: str) -> None:
    known = {case.name for case in CASES} | {case.op for case in CASES}
    assert set(REFUSED.get(name, {})) <= known


def small_model() -> Any:
    nacre.utils.set_random_seed(0)
    return nacre.Sequential(
        [
            nacre.Input((4,), name="features"),
            nacre.layers.Dense(8, activation="relu", name="first"),
            nacre.layers.Dense(8, activation="tanh", name="second"),
            nacre.layers.Dense(3, name="third"),
        ],
        name="small",
    )


@pytest.mark.parametrize("name", TARGETS)
def test_an_export_is_compared_and_says_so(name: str, tmp_path: Any) -> None:
    target = find_target(name, "test")
    runtime_of(target)
    report = small_model().export(tmp_path / f"m{target.suffix}", format=name, verbose=False)
    assert report.is_verified, report
    assert report.largest_difference < 1e-5
    said = json.loads((tmp_path / f"m{target.suffix}.report.json").read_text())
    assert said["verified"]
    assert said["format"] == name


@pytest.mark.parametrize("name", TARGETS)
def test_a_wrong_form_is_found_and_its_layer_named(
    name: str, tmp_path: Any, monkeypatch: Any
) -> None:
    target = find_target(name, "test")
    runtime_of(target)
    path = tmp_path / f"m{target.suffix}"
    model = small_model()
    model.export(path, format=name, verbose=False)
    before = path.read_bytes() if path.is_file() else sorted(p.name for p in path.iterdir())
    forms: Any = target.support.forms
    assert "tanh" in forms, "the contract puts a fault into the form of tanh"
    other = "sigmoid" if "sigmoid" in forms else "exp"
    wrong = forms[other]
    if wrong is forms["tanh"]:  # one for all functions of one element, by the node's op
        right = wrong
        wrong = lambda make, node, *rest: right(make, replace(node, op=other), *rest)
    monkeypatch.setitem(forms, "tanh", wrong)
    with pytest.raises(FileFormatError, match="small/second"):
        model.export(path, format=name, verbose=False)
    after = path.read_bytes() if path.is_file() else sorted(p.name for p in path.iterdir())
    assert after == before


@pytest.mark.parametrize("name", TARGETS)
def test_all_that_has_no_form_is_told_at_once(name: str, tmp_path: Any, monkeypatch: Any) -> None:
    target = find_target(name, "test")
    forms: Any = target.support.forms
    for op in ("tanh", "relu", "max"):
        monkeypatch.delitem(forms, op, raising=False)
    path = tmp_path / f"m{target.suffix}"
    with pytest.raises(UnsupportedOpError, match="tanh in 'small/second'") as raised:
        small_model().export(path, format=name, verbose=False)
    assert "first" in str(raised.value)
    assert not path.exists()


@pytest.mark.parametrize("name", TARGETS)
def test_without_its_runtime_a_file_is_written_and_says_what_to_install(
    name: str, tmp_path: Any, monkeypatch: Any
) -> None:
    target = writable(name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = tmp_path / f"m{target.suffix}"
    report = small_model().export(path, format=name, verbose=False)
    assert path.exists()
    assert "not verified" in str(report)
    if target.runtimes:
        assert (target.runtimes[0].how or "pip install") in str(report)


class Mirrored(nacre.layers.Layer):
    """Its graph is one for sizes in steps of eight."""

    def call(self, x: Any) -> Any:
        return nacre.ops.pad(x, ((0, 0), (2, 2), (0, 0), (0, 0)), "reflect")


@pytest.mark.parametrize("name", TARGETS)
def test_sizes_between_those_that_a_file_is_for_are_refused(name: str, tmp_path: Any) -> None:
    target = writable(name)
    if name == "pmml":
        pytest.skip("PMML is for samples of known size")
    model = nacre.Sequential([nacre.Input((None, 4, 1)), Mirrored()])
    path = tmp_path / f"m{target.suffix}"
    model.export(path, format=name, verbose=False)
    run = runtime_of(target).open(path)
    for size in (8, 24, 9, 15):
        x = np.random.default_rng(size).random((2, size, 4, 1), "float32")
        if size % 8:
            with pytest.raises(Exception):  # noqa: B017 - of the runtime's own kind
                run([x])
        else:
            np.testing.assert_allclose(run([x])[0], np.asarray(model(x)), 1e-6)
