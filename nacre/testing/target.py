"""The contract of formats, for nacre's own and for those of others.

Each op of the graph is written and computes in the format's own runtime what it computes in NumPy,
at other sizes than any that were known, or it is refused; a fault in each op is found and its layer
named; whole models are compared; all gaps are told at once; a failed export leaves what was there.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, FileFormatError, UnsupportedOpError, message
from nacre.core.random import set_random_seed
from nacre.core.regions import Content
from nacre.export.api import Plan, prepared
from nacre.export.capture import capture
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.targets import find_target
from nacre.export.targets.target import Request, Runtime, Target
from nacre.export.verification import can_compare, first_far, write_plainly
from nacre.layers import Activation, Dense, Input, Layer
from nacre.models import Model, Sequential
from nacre.ops import pad
from nacre.testing.faults import FAULTS, Fault, SmallNet, is_seen, nets_of, with_fault
from nacre.testing.graph_ops import CASES, OpCase

_SIZES = ((3, 5), (1, 2))  # batch and time that each op is called with
_SHOWN = 10


@dataclass(frozen=True)
class Check:
    """One promise, which `run` tries.

    Attributes:
        name: What is promised.
        run: Raises AssertionError where it is not kept; gives '' where it is, or why there is
            nothing to keep, such as what the format lacks.
        case: The op that it is about, with its inputs; None for promises about models.
    """

    name: str
    run: Callable[[], str]
    case: OpCase | None = None


@dataclass(frozen=True)
class Checked:
    """What `check_target` found. Printed, it is a line.

    Attributes:
        title: The format.
        kept: Names of checks that hold.
        lacks: Those that there was nothing to ask of -> why.
    """

    title: str
    kept: Sequence[str]
    lacks: Mapping[str, str]

    def __str__(self) -> str:
        count = len(self.kept) + len(self.lacks)
        return f"{self.title}: {len(self.kept)} of {count} checks kept, the others are refused."


def check_target(target: Target | str) -> Checked:
    """Try all that a format promises.

    Args:
        target: The format, or the name that it is registered by.

    Raises:
        AssertionError: A promise is not kept; tells up to ten, and their number.
        ArgumentError: Nothing that runs the format is installed, or there is no such format.
    Example:
        >>> from nacre.testing import check_target
        >>> checked = check_target("npz")  # doctest: +SKIP
        >>> len(checked.kept) > 300  # doctest: +SKIP
        True
    """
    kept: list[str] = []
    lacks: dict[str, str] = {}
    broken: list[str] = []
    target = _found(target)
    for check in target_checks(target):
        try:
            why = check.run()
        except Exception as error:  # of whatever kind a format's author let happen
            lines = str(error).strip().splitlines() or [""]
            broken.append(f"{check.name}: {type(error).__name__}: {lines[0][:300]}")
            continue
        if why:
            lacks[check.name] = why
        else:
            kept.append(check.name)
    if broken:
        more = len(broken) - _SHOWN
        lines = [*broken[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        count = len(kept) + len(lacks) + len(broken)
        raise AssertionError(
            f"{target.title} breaks {len(broken)} of {count} promises:\n  " + "\n  ".join(lines)
        )
    return Checked(target.title, kept, lacks)


def target_checks(target: Target | str) -> Iterator[Check]:
    """The promises of a format one by one, for a test of each.

    Its forms must have `tanh`, `relu` or `max`, and `dense` or `matmul`, which the models that are
    tried are made of; `write` must look them up in `support.forms`, where faults are put in.

    Args:
        target: The format, or the name that it is registered by.

    Raises:
        ArgumentError: Nothing that runs the format is installed, or there is no such format.
    Example:
        >>> from nacre.testing import target_checks
        >>> [check.name for check in target_checks("npz")][-1]
        'sizes between those that a file is for are refused or computed'
    """
    target = _found(target)
    runtime = runtime_of(target)
    for case in CASES:
        yield Check(f"op {case.name}", functools.partial(_check_op, target, runtime, case), case)
    for op in target.support.forms:
        name = f"a fault in {op} is found and its layer named"
        yield Check(name, functools.partial(check_fault, target, runtime, op))
    for name, check in _OF_MODELS.items():
        yield Check(name, functools.partial(check, target, runtime))


def runtime_of(target: Target) -> Runtime:
    """The first program that runs the format here.

    Raises:
        ArgumentError: There is none.
    """
    why = "no runtime in `runtimes`"
    for runtime in target.runtimes:
        if importlib.util.find_spec(runtime.module.partition(".")[0]) is None:
            why = f"{runtime.how or f'pip install {runtime.install!r}'}, which runs it"
        elif not (why := runtime.runs_here()):
            return runtime
    rule = "what is written must be run to be checked"
    raise ArgumentError(message(f"check of {target.title}", rule, why))


def _found(target: Target | str) -> Target:
    return find_target(target, "check_target") if isinstance(target, str) else target


def _request(target: Target, graph: Graph) -> Request:
    options = {name: option.default for name, option in target.options.items()}
    return Request(graph, "model", options, {"name": "model"})


# --- ops ------------------------------------------------------------------------------------------


def _check_op(target: Target, runtime: Runtime, case: OpCase) -> str:
    """Each op computes in its runtime what it does in NumPy."""
    takes_scalars = not target.support.of_input(Value("x", "float32", ()))
    whole, places = case.as_in_models(scalars_as_lines=not takes_scalars)
    graph = prepared(whole, target)
    gaps = target.support.gaps(graph)
    if gaps:
        return "refused: " + "; ".join(gaps)
    if target.why_open_sizes_fail and graph.symbols():
        return "no open sizes"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{target.suffix}"
        write_plainly(path, target.write(_request(target, graph)))
        run = runtime.open(path)
        for batch, time in _SIZES:
            arrays = [case.arrays(batch, time)[place] for place in places]
            arrays = [x if takes_scalars else np.atleast_1d(x) for x in arrays]
            right = evaluate(whole, arrays).outputs
            if any(x.size for x in right.values()):  # windows that do not fit: runtimes refuse
                _compare(target, graph, arrays, right, [np.asarray(x) for x in run(arrays)])
    return ""


def _compare(
    target: Target,
    graph: Graph,
    arrays: Sequence[np.ndarray],
    right: Mapping[str, np.ndarray],
    found: Sequence[np.ndarray],
) -> None:
    assert len(found) == len(right), f"{len(found)} results in place of {len(right)}"
    if not can_compare(graph):
        right = evaluate(graph, arrays).outputs
    narrow = any(x.dtype.itemsize == 2 for x in [*right.values(), *arrays])
    tolerance = target.narrow if narrow else target.tolerance
    for (output, wanted), one in zip(right.items(), found, strict=True):
        assert one.shape == wanted.shape, f"{output}: shape {one.shape} in place of {wanted.shape}"
        if can_compare(graph):
            far = first_far(one, wanted, tolerance)
            assert far is None, f"{output} at {far}: {one[far]} where {wanted[far]} is right"


# --- faults ---------------------------------------------------------------------------------------


def check_fault(target: Target, runtime: Runtime, op: str) -> str:
    """Each fault in an op is found where a net with it is compared, and its layer named.

    Returns:
        '' where it is, or why there is nothing to find.
    """
    takes_scalars = not target.support.of_input(Value("x", "float32", ()))
    why = "no net has it"
    for net in nets_of(op, scalars_as_lines=not takes_scalars):
        why = _why_not_faulty(target, net)
        if not why:
            for fault in FAULTS:
                if is_seen(net, fault):
                    _check_fault(target, net, fault)
            return ""
    return "it draws random numbers" if OPSET[op].is_random else why


def _why_not_faulty(target: Target, net: SmallNet) -> str:
    """Why a net cannot be written with a fault in its op, '' where it can."""
    graph = prepared(net.captured.graph, target)
    if target.why_open_sizes_fail and graph.symbols():
        return "no open sizes"
    wrong = with_fault(graph, net.op, FAULTS[0])
    if wrong is None:
        return "its nodes are written as those of other ops"
    gaps = target.support.gaps(wrong)
    return "refused: " + "; ".join(gaps) if gaps else ""


def _check_fault(target: Target, net: SmallNet, fault: Fault) -> None:
    def write(request: Request) -> Mapping[str, Content]:
        wrong = with_fault(request.graph, net.op, fault)
        return target.write(replace(request, graph=wrong or request.graph))

    known, samples = {"name": "net", "producer": "nacre"}, [list(net.arrays)]
    plan = Plan(
        replace(target, write=write), net.captured, net, "net", "check_target", {}, known,
        samples=samples,
    )  # fmt: skip
    nodes = plan.prepared().graph.all_nodes()
    layers = {node.layer for node in nodes if node.op == net.op and node.layer}
    said = ""
    with _path(target) as path:
        try:
            plan.write(path)
        except FileFormatError as error:
            said = str(error)
        assert said, f"{fault} in {net.op}: it is not found"
        named = any(f"first layer that differs is '{layer}'" in said for layer in layers)
        assert named, f"{fault} in {net.op}: its layer is not named: {said}"
        assert not path.exists(), f"{fault} in {net.op}: a file is left"


# --- models ---------------------------------------------------------------------------------------


def small_model() -> Sequential:
    """Dense layers with relu, tanh and nothing."""
    set_random_seed(0)
    return Sequential(
        [
            Input((4,), name="features"),
            Dense(8, activation="relu", name="first"),
            Dense(8, activation="tanh", name="second"),
            Dense(3, name="third"),
        ],
        name="small",
    )


def _plan(target: Target, model: Model) -> Plan:
    call = functools.partial(model, training=False)
    known = {"name": str(model.name), "producer": "nacre"}
    return Plan(target, capture(model), call, str(model.name), "check_target", {}, known)


@contextlib.contextmanager
def _path(target: Target) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / f"model{target.suffix}"


@contextlib.contextmanager
def _forms(target: Target, changed: Mapping[str, Any]) -> Iterator[None]:
    """Forms of ops changed for a while; those that are None taken away."""
    forms: Any = target.support.forms
    before = {op: forms[op] for op in changed if op in forms}
    for op, form in changed.items():
        if form is not None:
            forms[op] = form
        elif op in forms:
            del forms[op]
    try:
        yield
    finally:
        for op in changed:
            forms.pop(op, None)
        forms.update(before)


def _state(path: Path) -> Any:
    if path.is_file():
        return path.read_bytes()
    files = (file for file in path.rglob("*") if file.is_file())
    return {file.name: file.read_bytes() for file in files if "__pycache__" not in file.parts}


def _is_compared(target: Target, runtime: Runtime) -> str:
    with _path(target) as path:
        report = _plan(target, small_model()).write(path)
        assert report.is_verified, str(report)
        assert report.largest_difference < 1e-5, report.largest_difference
        said = json.loads(path.with_name(f"{path.name}.report.json").read_text("utf-8"))
        assert said["verified"] and said["format"] == target.name, said
    return ""


def _keeps_order(target: Target, runtime: Runtime) -> str:
    """Inputs and outputs whose names are in another order than they are."""
    set_random_seed(0)
    second, first = Input((4,), name="second"), Input((3,), name="first")
    results = [Activation("tanh", name="z")(first), Dense(2, name="a")(second)]
    model = Model([second, first], results, name="several")
    plan = _plan(target, model)
    if plan.gaps():
        return "refused: " + "; ".join(plan.gaps())
    with _path(target) as path:
        assert plan.write(path).is_verified
    return ""


def _fault_is_named(target: Target, runtime: Runtime) -> str:
    forms = target.support.forms
    assert "tanh" in forms, "the forms must have 'tanh', into which a fault is put"
    other = next((op for op in ("sigmoid", "exp", "relu") if op in forms), None)
    assert other is not None, "the forms must have 'sigmoid', 'exp' or 'relu'"
    wrong: Any = forms[other]
    if wrong is forms["tanh"]:  # one for all functions of one element, by the node's op
        right = wrong
        wrong = lambda *given: right(
            *(replace(x, op=other) if isinstance(x, Node) else x for x in given)
        )
    with _path(target) as path:
        plan = _plan(target, small_model())
        plan.write(path)
        before = _state(path)
        with _forms(target, {"tanh": wrong}):
            said = ""
            try:
                plan.write(path)
            except FileFormatError as error:
                said = str(error)
        assert said, "a wrong form of tanh is not found"
        assert "small/second" in said, f"another layer is named: {said}"
        assert _state(path) == before, "a failed export changed what was there"
    return ""


def _gaps_are_told(target: Target, runtime: Runtime) -> str:
    with _path(target) as path, _forms(target, dict.fromkeys(("tanh", "relu", "max"))):
        try:
            _plan(target, small_model()).write(path)
        except UnsupportedOpError as error:
            text = str(error)
        else:
            raise AssertionError("it is written without forms of tanh and relu")
        assert "tanh in 'small/second'" in text and "first" in text, text
        assert not path.exists(), "something was written"
    return ""


def _says_what_to_install(target: Target, runtime: Runtime) -> str:
    absent = tuple(replace(r, module="no_module_of_this_name") for r in target.runtimes)
    with _path(target) as path:
        report = _plan(replace(target, runtimes=absent), small_model()).write(path)
        assert path.exists()
        text = str(report)
        assert "not verified" in text and (runtime.how or "pip install") in text, text
    return ""


class _Mirrored(Layer):
    """Its numbers depend on the size of an axis."""

    def call(self, x: Any) -> Any:
        return pad(x, ((0, 0), (2, 2), (0, 0), (0, 0)), "reflect")


def _refuses_other_sizes(target: Target, runtime: Runtime) -> str:
    if target.why_open_sizes_fail:
        return "no open sizes"
    model = Sequential([Input((None, 4, 1)), _Mirrored()])
    plan = _plan(target, model)
    if plan.gaps():
        return "refused: " + "; ".join(plan.gaps())
    with _path(target) as path:
        plan.write(path)
        run = runtime.open(path)
        for size in (8, 24, 9, 15):
            x = np.random.default_rng(size).random((2, size, 4, 1), "float32")
            if not size % 8:
                np.testing.assert_allclose(run([x])[0], np.asarray(model(x)), 1e-6)
                continue
            try:
                found = run([x])[0]
            except Exception:  # of the runtime's own kind
                continue
            rule = f"a file that takes a size of {size} must compute what the model does"
            np.testing.assert_allclose(found, np.asarray(model(x)), 1e-6, err_msg=rule)
    return ""


_OF_MODELS: dict[str, Callable[[Target, Runtime], str]] = {
    "an export is compared and says so": _is_compared,
    "several inputs and outputs keep their order": _keeps_order,
    "a wrong form is found and its layer named": _fault_is_named,
    "all that has no form is told at once": _gaps_are_told,
    "without its runtime a file is written and says what to install": _says_what_to_install,
    "sizes between those that a file is for are refused or computed": _refuses_other_sizes,
}

__all__ = [
    "Check",
    "Checked",
    "check_fault",
    "check_target",
    "runtime_of",
    "small_model",
    "target_checks",
]
