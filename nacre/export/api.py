"""From what a person gives to a file that was compared: the one way to all formats but SavedModel.

capture → passes → ops opened into those the format has → gaps, all at once → files → called in
their runtime and compared → in their place, with a report beside. SavedModel folders are written on
a floor above (`saving.export_archive`), whose `export_model` leads here.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib.metadata
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import addresses, atomic
from nacre.core.errors import ArgumentError, listed, message, refuse_unknown
from nacre.core.memory import give_back_memory
from nacre.core.regions import Content, Region, write_into
from nacre.core.warning import warn
from nacre.export.capture import Captured
from nacre.export.graph.ir import Graph, Output, Value
from nacre.export.graph.sizes import symbols_in
from nacre.export.graph.verify import verify as verify_graph
from nacre.export.passes import (
    apply,
    cleaned,
    drop_unread_weights,
    narrow_weights,
    opened,
    refuse_other_sizes,
)
from nacre.export.passes.whole_numbers import NARROW
from nacre.export.precision import Measured, Precision, options_that_cost
from nacre.export.report import Report
from nacre.export.targets.target import Request, Runtime, Target
from nacre.export.verification import (
    Answered,
    Compared,
    Verification,
    can_compare,
    tolerance_for,
    write_plainly,
)

REPORT_SUFFIX = ".report.json"
_LARGE_BYTES = 32 << 20  # of weights: below it memory is not worth a second's work
# What may be chosen for every format, besides a format's own options.
OF_ALL = ("verify", "samples", "labels", "metadata")


@dataclass(frozen=True)
class Plan:
    """What is to be written, and how.

    Attributes:
        target: The format.
        captured: The model's call.
        call: The model, called as it was captured.
        name: The model's.
        who: What writes, for messages.
        options: Of the target, by name; others are refused.
        metadata: Text by name, for files that have a place for it.
        verify: 'auto' compares where a runtime is installed, True raises where none is, False does
            without.
        samples: Arguments to compare with besides drawn ones.
        labels: For each of the samples the right answers, which tell the accuracy; empty for none.
    """

    target: Target
    captured: Captured
    call: Callable[..., Any]
    name: str
    who: str
    options: Mapping[str, Any]
    metadata: Mapping[str, str]
    verify: bool | str = "auto"
    samples: Sequence[Any] = ()
    labels: Sequence[Any] = ()

    def prepared(self) -> Request:
        """What is written: the graph in the format's own ops.

        Raises:
            UnsupportedOpError: Something has no form there; all of it is told.
            ArgumentError: An option is unknown, or has no such value.
        """
        options = _settled(self.target, self.options, self.who)
        graph = prepared(self.captured.graph, self.target)
        if options.get("weights") in ("float16", "bfloat16"):
            graph = verify_graph(narrow_weights(graph, options["weights"]))
        self._refuse_open_sizes(graph)
        self.target.support.refuse([graph], self.who)
        own, given = [o.name for o in graph.outputs], [v.name for v in graph.inputs]
        names = self.target.name_outputs(own, given)
        outputs = [Output(n, o.value) for n, o in zip(names, graph.outputs, strict=True)]
        graph = replace(graph, outputs=tuple(outputs))
        return Request(graph, self.name, options, self.metadata)

    def gaps(self) -> list[str]:
        """What has no form in the format, and what to write instead."""
        return self.target.support.gaps(prepared(self.captured.graph, self.target))

    def _refuse_open_sizes(self, graph: Graph) -> None:
        why = self.target.why_open_sizes_fail
        sizes = {str(size) for v in graph.inputs for size in v.shape if symbols_in(size)}
        if why and sizes:
            rule = f"{self.target.title} must know all sizes"
            got = f"inputs with {', '.join(sorted(sizes))}"
            raise ArgumentError(message(self.who, rule, got, why))

    def write(self, filepath: Any) -> Report:
        """Write it, and what is said of it beside it.

        Raises:
            FileFormatError: The runtime computes something else than the model.
            ArgumentError: With `verify=True` no runtime is installed.
        """
        start = time.perf_counter()
        self._refuse_wrong_words()
        path = _path(filepath, self.target, self.who)
        make = functools.partial(self._request, path.name)
        request = make()
        said = _Said.of(request, self.captured)
        runtime, why_not = self.runtime_here()
        verification = self.verification(request, runtime, make)
        # Weights of which two copies at once are much: each of what follows has its own, and not
        # before the one before it has let go of its.
        is_large = sum(weight.data.nbytes for weight in request.graph.weights) > _LARGE_BYTES
        if is_large and verification is not None:
            del request
            give_back_memory()
        answers = verification.answers() if verification is not None else []
        if is_large and verification is not None:
            give_back_memory()
            request = make()
        before = self._measured_in_full(request.options, path.name, runtime, answers, is_large)
        compared: list[Compared] = []

        def check(written: Path) -> None:
            if verification is not None:
                compared.extend(verification.compare(written, answers, is_large))

        further = self.target.written_beside(request, path.name)
        contents = {name: _Once(content) for name, content in self.target.write(request).items()}
        chosen = options_that_cost(self.target, request.options)
        del request
        files: dict[str, Content] = {**contents}
        beside: dict[str, Content] = {}
        if self.target.is_folder:
            known = self.target.known | {path.name + REPORT_SUFFIX}
            atomic.write_folder(path, files, check, known)
        else:
            beside = {name: content for name, content in files.items() if name}
            atomic.write_file(path, files[""], check, beside=beside)
            _remove_outdated(path, self.target.outdated, beside)
        for name, content in further.items():
            atomic.write_file(path.with_name(name), content)
        if runtime is not None and not compared:
            why_not = said.why_not_compared or why_not
        size_bytes = _size(path) + sum(_size(path.with_name(name)) for name in beside)
        precision = None
        if before is not None:
            after = Measured.of(size_bytes, compared)
            precision = Precision.of(chosen, before, after, compared)
        report = Report(
            path=os.fspath(path),
            format=self.target.name,
            size_bytes=size_bytes,
            inputs=said.inputs,
            outputs=said.outputs,
            runtime=_with_version(runtime) if compared and runtime is not None else "",
            compared=compared,
            why_not="" if compared else why_not,
            notes=(*said.notes, *_accuracy(compared if precision is None else ())),
            options=said.options,
            seconds=time.perf_counter() - start,
            precision=precision,
        )
        atomic.write_file(path.with_name(path.name + REPORT_SUFFIX), report.to_json().encode())
        return report

    def warn_of_changes(self) -> None:
        """Tell of variables that calls change, where no report does: files change none."""
        if self.captured.graph.updates:
            paths = listed([path for path, _ in self.captured.graph.updates])
            rule = f"calls of a file of {self.target.title} change no variables"
            got = f"{paths}: each call begins with what is in them now"
            fix = "Return what changes and give it back as an input, or write a SavedModel."
            warn(message(self.who, rule, got, fix))

    def _request(self, file_name: str) -> Request:
        return replace(self.prepared(), file_name=file_name)

    def verification(
        self, request: Request, runtime: Runtime | None, make: Callable[[], Request]
    ) -> Verification | None:
        """What compares; None where nothing does."""
        if runtime is None:
            return None
        return Verification(
            self.target,
            make,
            tolerance_for(self.target, request, self.captured),
            self.target.samples_of(request),
            self.captured,
            self.call,
            runtime,
            self.samples,
            self.who,
            self.labels,
        )

    def _measured_in_full(
        self,
        options: Mapping[str, Any],
        name: str,
        runtime: Runtime | None,
        answers: Sequence[Answered],
        is_large: bool,
    ) -> Measured | None:
        """The file without the options that cost digits, as it does on the same calls; None where
        there are no such options, or no calls.

        Raises:
            FileFormatError: It computes something else than the model, by the usual tolerance.
        """
        chosen = options_that_cost(self.target, options)
        if not (chosen and answers and runtime):
            return None
        others = {key: value for key, value in self.options.items() if key not in chosen}
        plan = replace(self, options=others)
        make = functools.partial(plan._request, name)
        request = make()
        verification = plan.verification(request, runtime, make)
        assert verification is not None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write_plainly(path, self.target.write(request))
            del request
            compared = verification.compare(path, answers, is_large)
            return Measured.of(_size(Path(folder)), compared)

    def _refuse_wrong_words(self) -> None:
        """What does not say whether to compare, metadata that is no text by name, and labels of
        other samples."""
        if self.labels and len(self.labels) != len(self.samples):
            rule = "labels must be those of samples, as many"
            got = f"{len(self.labels)} of {len(self.samples)}"
            fix = "Pass samples=x, labels=y; or lists of the same length."
            raise ArgumentError(message(self.who, rule, got, fix))
        if self.labels and len(self.captured.graph.outputs) != 1:
            rule = "labels need a model with one output"
            got = f"{len(self.captured.graph.outputs)} outputs"
            fix = "Export a model that gives the classes alone, or leave labels out."
            raise ArgumentError(message(self.who, rule, got, fix))
        refuse_wrong_verify(self.verify, self.who)
        for name, text in self.metadata.items():
            if not (isinstance(name, str) and isinstance(text, str)):
                rule, got = "metadata must be text by name", f"{name!r}: {text!r}"
                raise ArgumentError(message(self.who, rule, got, "Write values as text."))

    def runtime_here(self) -> tuple[Runtime | None, str]:
        """What compares; None, and why nothing does."""
        if self.verify is False:
            return None, "verify=False"
        why = f"nothing here runs {self.target.title}"
        for runtime in self.target.runtimes:
            if importlib.util.find_spec(runtime.module.partition(".")[0]) is None:
                how = runtime.how or f"pip install '{runtime.install}'"
                why = f"{how}, which runs it"
            elif not (why := runtime.runs_here()):
                return runtime, ""
        if self.verify is True:
            rule = "verify=True needs a program that runs what was written"
            raise ArgumentError(message(self.who, rule, why, "Or pass verify='auto'."))
        return None, why


@dataclass(frozen=True)
class _Said:
    """What a report says of what was written, without holding it."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    notes: tuple[str, ...]
    options: Mapping[str, Any]
    why_not_compared: str

    @classmethod
    def of(cls, request: Request, captured: Captured) -> _Said:
        graph = request.graph
        return cls(
            inputs={v.name: str(v.type) for v in graph.inputs},
            outputs={name: str(v.type) for name, v in graph.outputs},
            notes=(*_notes_on_names(captured, graph), *_notes(graph)),
            options={k: v for k, v in request.options.items() if v is not None},
            why_not_compared="" if can_compare(graph) else "it draws random numbers",
        )


class _Once:
    """A content that is let go of when it was written, with the weights that it holds."""

    def __init__(self, content: Content) -> None:
        self._content: Content | None = content

    def __call__(self, region: Region) -> None:
        content, self._content = self._content, None
        assert content is not None, "written twice"
        write_into(region, content)


def refuse_wrong_verify(verify: Any, who: str) -> None:
    """Raise where it does not say whether to compare.

    Raises:
        ArgumentError: It is neither 'auto' nor a bool.
    """
    if not (verify == "auto" or isinstance(verify, bool)):
        raise ArgumentError(message(who, "verify must be 'auto', True or False", repr(verify)))


def prepared(graph: Graph, target: Target) -> Graph:
    """A graph in the ops that a format has, as far as they can be opened."""
    graph = cleaned(apply(graph, target.passes))
    graph = drop_unread_weights(cleaned(opened(graph, target.support.has)))
    return verify_graph(refuse_other_sizes(graph))


def _settled(target: Target, given: Mapping[str, Any], who: str) -> dict[str, Any]:
    """A value for each option."""
    unknown = {name: value for name, value in given.items() if name not in target.options}
    refuse_unknown(who, unknown, [*target.options, *OF_ALL])
    found: dict[str, Any] = {}
    for name, option in target.options.items():
        value = given.get(name, option.default)
        fault = option.check(value)
        if option.choices is not None and value not in option.choices:
            fault = f"{name} must be one of {', '.join(map(repr, option.choices))}"
        if fault:
            raise ArgumentError(message(who, fault, repr(value), option.doc))
        found[name] = option.read(value)
    return found


def _path(filepath: Any, target: Target, who: str) -> Path:
    """Where to write; the format's own ending is put behind a name that has none."""
    if addresses.is_address(filepath):  # which may hold a password: its end alone is told
        rule = f"{target.title} is written to a disk, with a report beside it"
        got = f"an address of '{addresses.file_name(filepath)}'"
        raise ArgumentError(message(who, rule, got, "Write to a disk, and copy the files."))
    path, text = atomic.target_path(filepath, who), os.fsdecode(filepath)
    if text.endswith(("/", os.sep)) or os.path.basename(text) in (".", ".."):
        if not target.is_folder:  # no file is meant; nor one beside the folder, of its name
            atomic.refuse_non_file(path, who)
    if target.suffix and not path.suffix:
        path = path.with_name(path.name + target.suffix)
    if not target.is_folder:
        atomic.refuse_non_file(path, who)
    return path


def _remove_outdated(path: Path, pattern: str, beside: Mapping[str, Content]) -> None:
    """Take away what belonged to what was there before."""
    if not pattern:
        return
    for old in path.parent.glob(pattern.format(name=glob.escape(path.name))):
        if old.name not in beside and old.is_file():
            old.unlink(missing_ok=True)


def _notes_on_names(captured: Captured, written: Graph) -> Iterator[str]:
    dtypes = {value.name: value.dtype for value in written.inputs}
    for own, there in zip(captured.graph.outputs, written.outputs, strict=True):
        if own.name != there.name:
            yield f"Output '{own.name}' of the model is called '{there.name}' there."
    for spec, value in zip(captured.inputs, captured.graph.inputs, strict=True):
        if spec.given_name:
            yield f"Input '{spec.given_name}' of the model is called '{spec.name}' there."
        if spec.dtype in NARROW and dtypes.get(spec.name) == "int32":
            yield f"Input '{spec.name}' of the model is {spec.dtype}, and int32 there."
        if spec.dtype in ("int64", "uint64") and _is_narrowed(captured.graph, value):
            yield (
                f"Input '{spec.name}' is {spec.dtype}, computed with in 32 bits: larger numbers, "
                "which the model refuses, are cut there without a word."
            )


def _is_narrowed(graph: Graph, value: Value) -> bool:
    casts = (n for n in graph.nodes if n.op == "cast" and n.inputs[0] is value)
    return any(node.outputs[0].dtype in ("int32", "uint32") for node in casts)


def _is_finite(data: np.ndarray[Any, Any]) -> bool:
    if data.dtype.kind in "biuOSUT":
        return True
    numbers = data if data.dtype.kind in "fc" else data.astype("float32")  # bfloat16 and less
    return bool(np.isfinite(numbers).all())


def _notes(graph: Graph) -> Iterator[str]:
    broken = [w.path for w in graph.weights if not _is_finite(w.data)]
    if broken:
        yield f"Not all numbers are finite in {listed(broken)}: what was compared may be NaN."
    sizes = graph.symbols()
    if any(axis.multiple > 1 for axis in sizes.values()):
        names = [f"{name} ({axis.multiple} at a time)" for name, axis in sizes.items()]
        yield f"Sizes that vary in steps only: {', '.join(names)}."
    if graph.updates:
        paths = listed([path for path, _ in graph.updates])
        yield (
            f"It changes no variables. Each call begins with what is in {paths} now: reset states "
            "before the export where they are to begin with zeros."
        )


def _accuracy(compared: Sequence[Compared]) -> Iterator[str]:
    """Of how many labelled samples it is right."""
    count = sum(c.labelled for c in compared)
    if count:
        there, here = (
            100 * sum(n) / count for n in zip(*((c.right, c.model_right) for c in compared))
        )
        yield f"Right on {there:.1f} % of {count} samples; the model on {here:.1f} %."


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _with_version(runtime: Runtime) -> str:
    version = ""
    package = runtime.install.split("[")[0].split("=")[0].split(">")[0].strip()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version(package)
    return f"{runtime.name} {version}".strip()


__all__ = ["REPORT_SUFFIX", "Plan", "prepared", "refuse_wrong_verify"]
