"""Export every layer, every activation and whole nets to every format, and compare each file in its
own runtime: the table in `docs/formats.md`.

    python -m tests.reference.check_formats run LOG [--formats a,b] [--subjects x,y]
    python -m tests.reference.check_formats run LOG --drawn FIRST COUNT
    python -m tests.reference.check_formats publish LOG...
    python -m tests.reference.check_formats count LOG...

With `--drawn` it is COUNT nets that are drawn at random, from the seed FIRST, instead: what is
wrong with one of them is printed, and `count` writes how many came through each format, and why
others did not, to `drawn_nets.json`. `run` does the formats whose runtimes are installed where it runs, and leaves the others to another
Python: TensorFlow, PyTorch, OpenVINO and JPMML may each have one of their own. It can be stopped
and goes on where it was. `publish` writes `formats.json` beside this file, and the page.

A file is compared for a batch of two and of one and, with other sizes that vary, for one set of
these, and with the inputs that the row of the table has.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).with_name("formats.json")
DRAWN = Path(__file__).with_name("drawn_nets.json")
PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
SECONDS = 180  # for one file
STATES = ("ok", "note", "refused", "wrong", "error")
# Formats without a column -> why.
LEFT_OUT = {
    "web": "a page around the files of tfjs, which have a column",
    "tfjs_layers": "the layers that TF.js has itself, no graph of what layers compute",
}
# Layers without a row -> why.
WITHOUT_ROW = {
    "BytePairTokenizer": "it reads its words from a file",
    "WordPieceTokenizer": "it reads its words from a file",
    "FlaxLayer": "it holds a module of Flax",
    "TorchModuleWrapper": "it holds a module of PyTorch",
    "TFSMLayer": "it holds a SavedModel",
    "Wrapper": "the base of others, without a call of its own",
}
# Format -> the share of layers that are to work, and of what that is said.
GOALS = {
    "onnx": 97, "tf_saved_model": 98, "litert": 92, "torchscript": 95, "openvino": 95,
    "coreml": 90, "tfjs": 88,
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """What is exported.

    Attributes:
        kind: 'layers', 'activations' or 'nets'.
        name: In the table; several subjects of one name are one line.
        id: Its own.
        make: Gives the model, and one structure of arrays that it is called with.
    """

    kind: str
    name: str
    id: str
    make: Callable[[], tuple[Any, Any]]


# --- what is exported -----------------------------------------------------------------------------


def subjects() -> list[Subject]:
    """All of the table."""
    from tests.cases.named_ops import LAYERS
    from tests.cases.nets import NETS
    from tests.contracts.layer_rows import ROWS, first_of_class

    chosen = {row.id for row in first_of_class(ROWS)} | LAYERS.keys()
    found = [
        Subject("layers", row.layer, row.id, _row_maker(row)) for row in ROWS if row.id in chosen
    ]
    found += [Subject("layers", name, name.lower(), make) for name, make in _further_layers()]
    for name in activation_names():
        found.append(Subject("activations", name, f"activation_{name}", _activation_maker(name)))
    found += [Subject("nets", case.id, f"net_{case.id}", _net_maker(case)) for case in NETS]
    return found


def drawn_subjects(first: int, count: int) -> list[Subject]:
    """Nets that are drawn at random, by their seeds."""

    def maker(seed: int) -> Callable[[], tuple[Any, Any]]:
        def make() -> tuple[Any, Any]:
            import nacre
            from tests.cases.drawn_nets import drawn_net

            return drawn_net(nacre, seed)

        return make

    seeds = range(first, first + count)
    return [Subject("drawn", f"drawn_{n}", f"drawn_{n}", maker(n)) for n in seeds]


def layer_names() -> list[str]:
    """All layers, by the names of their classes."""
    import nacre

    every = (getattr(nacre.layers, name) for name in dir(nacre.layers))
    classes = [c for c in every if isinstance(c, type) and issubclass(c, nacre.layers.Layer)]
    return sorted({c.__name__ for c in classes})


def activation_names() -> list[str]:
    """All activations."""
    import nacre

    no_functions = {"deserialize", "get", "serialize"}
    return [n for n in dir(nacre.activations) if not n.startswith("_") and n not in no_functions]


def _row_maker(row: Any) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        import nacre
        from nacre.core import tree
        from tests.contracts import layer_rows

        positional, keywords = layer_rows.call_of(row)
        keywords = {name: value for name, value in keywords.items() if name != "training"}
        layer = layer_rows.built(row)
        arrays: list[Any] = []

        def as_input(leaf: Any) -> Any:
            if not hasattr(leaf, "shape") or not np.ndim(leaf):
                return leaf
            array = np.asarray(leaf)
            arrays.append(array)
            kind = "string" if array.dtype.kind in "OSU" else array.dtype.name
            return nacre.Input(array.shape[1:], dtype=kind, name=f"x{len(arrays) - 1}")

        args, kwargs = tree.map_structure(as_input, (list(positional), dict(keywords)))
        inputs = [leaf for leaf in tree.flatten((args, kwargs)) if hasattr(leaf, "dtype")]
        model = nacre.Model(inputs, layer(*args, **kwargs))
        layer.set_weights(layer_rows.weights_of(row, layer))
        return model, arrays if len(arrays) > 1 else arrays[0]

    return make


def _further_layers() -> Iterator[tuple[str, Callable[[], tuple[Any, Any]]]]:
    """Layers that no row has: cells, and what a function is given to."""

    def of(shape: tuple[int, ...], layer: Callable[[Any], Any]) -> Callable[[], tuple[Any, Any]]:
        def make() -> tuple[Any, Any]:
            import nacre

            x = nacre.Input(shape)
            model = nacre.Model(x, layer(nacre)(x))
            random = np.random.default_rng(0)
            for weight in model.weights:
                values = weight.numpy()
                weight.assign(values + random.normal(0, 0.1, values.shape).astype(values.dtype))
            return model, random.normal(size=(2, *shape)).astype("float32")

        return make

    yield "LSTMCell", of((4, 3), lambda k: k.layers.RNN(k.layers.LSTMCell(5)))
    yield "GRUCell", of((4, 3), lambda k: k.layers.RNN(k.layers.GRUCell(5)))
    both = lambda k: [k.layers.LSTMCell(5), k.layers.GRUCell(2)]
    yield "StackedRNNCells", of((4, 3), lambda k: k.layers.RNN(both(k), return_sequences=True))
    yield "Lambda", of((4, 3), lambda k: k.layers.Lambda(lambda x: k.ops.exp(-x) + 1))
    product = lambda params, inputs: inputs @ params["w"]
    initial = lambda rng, inputs: {"w": np.ones((3, 2), "float32")}
    yield "JaxLayer", of((3,), lambda k: k.layers.JaxLayer(product, initial))
    yield "InputLayer", of((3,), lambda k: lambda x: x + 1.0)
    yield "Layer", of((3,), _own_layer)


def _own_layer(k: Any) -> Any:
    class Scaled(k.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")

        def call(self, x: Any) -> Any:
            return x * self.scale

    return Scaled()


def _activation_maker(name: str) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        import nacre

        x, function = nacre.Input((4, 6)), getattr(nacre.activations, name)
        if name == "threshold":  # it has no defaults
            function = lambda x: nacre.activations.threshold(x, 0.5, -1.0)
        model = nacre.Model(x, nacre.layers.Activation(function)(x))
        return model, np.linspace(-8, 8, 48, dtype="float32").reshape(2, 4, 6)

    return make


def _net_maker(case: Any) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        import nacre
        from nacre.core import tree
        from tests.cases.nets import built, drawn

        model, given = built(case, nacre), drawn(case, 0)
        if isinstance(model, nacre.Model) and model.inputs is not None:
            return model, given
        if not isinstance(model, nacre.Model):  # a layer
            x = tree.map_structure(lambda a: nacre.Input(a.shape[1:], dtype=str(a.dtype)), given)
            return nacre.Model(x, model(x)), given
        model(given)
        return model, given

    return make


# --- one file -------------------------------------------------------------------------------------


def installed(formats: Sequence[str]) -> list[str]:
    """Those formats that this Python writes and runs."""
    from nacre.export.targets import find_target

    found = []
    for name in formats:
        if name == "tf_saved_model":
            if importlib.util.find_spec("tensorflow"):
                found.append(name)
            continue
        if name == "stablehlo":
            found.append(name)
            continue
        target = find_target(name, "table")
        needed = [*target.needs, *(target.runtimes[0].module,)]
        has = all(importlib.util.find_spec(module.partition(".")[0]) for module in needed)
        if has and not target.runtimes[0].runs_here():
            found.append(name)
    return found


class Prepared:
    """A subject's model, captured once for all formats; its answers are kept."""

    def __init__(self, subject: Subject) -> None:
        import nacre

        nacre.backend.clear_session()
        nacre.utils.set_random_seed(1)
        self.model, self.sample = subject.make()
        self.signature: Any = None
        if getattr(self.model, "inputs", None) is None:
            from nacre.core import tree

            self.signature = [
                tree.map_structure(
                    lambda a: nacre.KerasTensor((None, *a.shape[1:]), str(a.dtype)), self.sample
                )
            ]
        self._answers: dict[Any, Any] = {}
        self._captured: Any = None

    def plan(self, format: str) -> Any:
        from dataclasses import replace

        from nacre.export import stablehlo
        from nacre.export.targets import find_target
        from nacre.saving.export_archive import export_plan

        if format == "stablehlo" or self._captured is None:
            plan = export_plan(self.model, format, self.signature, "table", samples=[self.sample])
            call, self._captured = plan.call, self._captured or plan.captured
            self._call = lambda *args, **kwargs: self._known(call, args, kwargs)
            return replace(plan, call=self._call) if format != stablehlo.NAME else plan
        name = str(self.model.name)
        target = find_target(format, "table")
        from nacre.export.api import Plan

        known = {"name": name, "producer": "nacre"}
        return Plan(
            target, self._captured, self._call, name, "table", {}, known, "auto", [self.sample]
        )

    def _known(self, call: Any, args: Any, kwargs: Any) -> Any:
        from nacre.core import tree

        leaves = [np.asarray(x) for x in tree.flatten((args, kwargs))]
        key = tuple((x.dtype.str, x.shape, x.tobytes()) for x in leaves if x.dtype != object)
        if any(x.dtype == object for x in leaves):
            return call(*args, **kwargs)
        if key not in self._answers:
            self._answers[key] = call(*args, **kwargs)
        return self._answers[key]


def exported(prepared: Prepared, format: str) -> tuple[str, str, str]:
    """One file: its state, what is to be said of it, and what ran it."""
    from nacre.core.errors import FileFormatError, NacreError

    with tempfile.TemporaryDirectory() as folder:
        try:
            if format == "tf_saved_model":
                return _saved_model(prepared, Path(folder) / "model")
            plan = prepared.plan(format)
            report = plan.write(Path(folder) / f"model{plan.target.suffix}")
        except FileFormatError as error:
            return "wrong", _line(error), ""
        except NacreError as error:
            return "refused", _reason(error), ""
        except Exception as error:
            return "error", f"{type(error).__name__}: {_line(error)}", ""
    notes = list(report.notes)
    if not report.is_verified:
        notes.insert(0, f"Not compared: {report.why_not}.")
    return ("note" if notes else "ok"), " ".join(notes), report.runtime


def _saved_model(prepared: Prepared, path: Path) -> tuple[str, str, str]:
    import tensorflow as tf

    from nacre.core import tree
    from nacre.export.capture import capture
    from nacre.export.targets.target import _NARROW, _USUAL  # the same for all formats
    from nacre.export.verification import can_compare, first_far

    model = prepared.model
    model.export(path, verbose=False, input_signature=prepared.signature)
    captured = capture(model, *(prepared.signature or ()))
    loaded: Any = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    whole = [np.asarray(x) for x in tree.flatten(prepared.sample)]
    dtypes = {value.dtype for node in captured.graph.all_nodes() for value in node.outputs}
    near = _NARROW if dtypes & {"float16", "bfloat16"} else _USUAL
    names, there = [spec.name for spec in captured.inputs], signature.structured_input_signature[1]
    if set(names) != set(there):
        names = sorted(there)
    for count in (whole[0].shape[0], 1):
        arrays = [x[:count] for x in whole]
        given = {n: tf.constant(x) for n, x in zip(names, arrays, strict=True)}
        found = signature(**given)
        if not can_compare(captured.graph):
            return "note", "Not compared: it draws random numbers.", f"TensorFlow {tf.__version__}"
        structure = tree.pack_sequence_as(prepared.sample, arrays)
        right = [np.asarray(y) for y in tree.flatten(model(structure, training=False))]
        keys = [output.name for output in captured.graph.outputs]
        if set(keys) != set(found):
            keys = [f"output_{index}" for index in range(len(keys))]
        for key, wanted in zip(keys, right, strict=True):
            one = found[key].numpy()
            if one.shape != wanted.shape:
                return "wrong", f"shape {one.shape} in place of {wanted.shape}", ""
            far = first_far(one.astype(wanted.dtype), wanted, near)
            if far is not None:
                return "wrong", f"at {far} {one[far]} in place of {wanted[far]}", ""
    return "ok", "", f"TensorFlow {tf.__version__}"


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else ""


def _reason(error: Exception) -> str:
    """What is missing, without what the program and the format are called."""
    text = " ".join(str(error).split())
    for start in ("without one: ", "Got "):
        if start in text:
            text = text.partition(start)[2]
            break
    return text.partition(" Write it in another way")[0][:200]


# --- all of them ----------------------------------------------------------------------------------


def known(logs: Sequence[Path]) -> dict[tuple[str, str], dict[str, str]]:
    """What logs say of each subject and format, the last word."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for log in logs:
        for line in log.read_text().splitlines() if log.exists() else ():
            row = json.loads(line)
            found[row["subject"], row["format"]] = row
    return found


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def run(log: Path, formats: Sequence[str], names: Sequence[str], chosen: Sequence[Subject]) -> None:
    """All cells that the log does not have."""
    warnings.simplefilter("ignore")
    formats = installed(formats or columns())
    print("formats:", ", ".join(formats), flush=True)
    done = known([log])
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:

        def tell(subject: Subject, format: str, state: str, said: str = "", by: str = "") -> None:
            row = {"subject": subject.id, "format": format, "state": state, "said": said, "by": by}
            file.write(json.dumps(row) + "\n")
            file.flush()

        for subject in chosen:
            if names and subject.id not in names and subject.name not in names:
                continue
            todo = []
            for format in formats:
                state = done.get((subject.id, format), {}).get("state")
                if state == "begun":
                    tell(subject, format, "error", "It ended the process.")
                elif state is None or names:
                    todo.append(format)
            if todo:
                _run_subject(subject, todo, tell)


def _run_subject(subject: Subject, formats: Sequence[str], tell: Callable[..., None]) -> None:
    try:
        with _limited():
            prepared = Prepared(subject)
    except Exception as error:
        for format in formats:
            tell(subject, format, "error", f"No model: {type(error).__name__}: {_line(error)}")
        print(subject.id, "no model:", _line(error), flush=True)
        return
    for format in formats:
        tell(subject, format, "begun")
        try:
            with _limited():
                state, said, by = exported(prepared, format)
        except TimeoutError as error:
            state, said, by = "error", str(error), ""
        tell(subject, format, state, said, by)
        if state in ("wrong", "error"):
            print(subject.id, format, state, said, flush=True)


# --- the page -------------------------------------------------------------------------------------


def columns() -> list[str]:
    """All formats with a column."""
    from nacre.export.targets import formats

    return [name for name in formats() if name not in LEFT_OUT]


def publish(logs: Sequence[Path]) -> None:
    """Write what the logs say as a file for programs, and as a page."""
    found, table = known(logs), dict[str, dict[str, dict[str, str]]]()
    runtimes: dict[str, str] = {}
    for subject in subjects():
        line = table.setdefault(subject.kind, {}).setdefault(subject.name, {})
        for format in columns():
            row = found.get((subject.id, format))
            state = "missing" if row is None else row["state"]
            said = "" if row is None else row["said"]
            runtimes[format] = (row or {}).get("by") or runtimes.get(format, "")
            text = f"{state}: {said}" if said else state
            old = line.get(format)
            if old is None or _rank(text) > _rank(old):
                line[format] = text
    result = {"runtimes": runtimes, **table}
    lines = []
    for kind in ("layers", "activations", "nets"):
        rows = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(line)}" for name, line in table[kind].items()
        )
        lines.append(f' "{kind}": {{\n{rows}\n }}')
    text = ",\n".join([f' "runtimes": {json.dumps(runtimes)}', *lines])
    RESULTS.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(result), encoding="utf-8")
    print(page(result).partition("## Layers")[0])


def count(logs: Sequence[Path]) -> None:
    """Write how the drawn nets of logs came through each format."""
    found: dict[str, dict[str, Any]] = {}
    for (_, format), row in sorted(known(logs).items()):
        if row["state"] == "begun":
            continue
        line = found.setdefault(format, {"by": "", "nets": 0})
        line["by"] = row["by"] or line["by"]
        line["nets"] += 1
        line[row["state"]] = line.get(row["state"], 0) + 1
        if row["state"] not in ("ok", "note") and format != "pmml":  # which has dense layers alone
            line.setdefault("why", {})[row["subject"]] = row["said"]
    lines = [f" {json.dumps(name)}: {json.dumps(line)}" for name, line in sorted(found.items())]
    text = ",\n".join(lines)
    DRAWN.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
    print(text)


def _rank(text: str) -> int:
    state = text.partition(":")[0]
    return STATES.index(state) if state in STATES else len(STATES)


_SIGNS = {"ok": "✓", "note": "✓*", "refused": "–", "wrong": "WRONG", "error": "ERROR"}
_HEAD = """# What each format holds

Made by `make formats`; not written by hand. Every layer, every activation and whole nets were
exported with nacre to every format, each file was called in the runtime named below, and its
numbers were compared with the model's: for batches of two and of one, other sizes that vary, and
inputs of the row's own. Core ML's files are run by a reader in NumPy: Apple's runtime is on Apple's
machines alone. Formats that are no column: {left_out}.

✓ agrees · ✓* agrees, with a note · – refused before anything is written, with the reason ·
"not compared" among the notes: it draws random numbers, so its shape was looked at by the runtime
and no numbers.
"""


def page(result: Mapping[str, Any]) -> str:
    """The table for people."""
    parts = [_HEAD.format(left_out="; ".join(f"`{k}` ({v})" for k, v in LEFT_OUT.items()))]
    parts.append(_counts(result))
    for kind in ("layers", "activations", "nets"):
        parts.append(_table(kind.capitalize(), result[kind]))
    left = "".join(f"\n- `{name}`: {why}." for name, why in sorted(WITHOUT_ROW.items()))
    parts.append(f"Layers without a row, as what they compute is not theirs:\n{left}\n")
    parts.append(_reasons(result))
    return "\n".join(parts)


def share(rows: Mapping[str, Mapping[str, str]], format: str) -> tuple[int, int]:
    """How many rows work, and of how many."""
    states = [line[format].partition(":")[0] for line in rows.values()]
    return sum(state in ("ok", "note") for state in states), len(states)


def _counts(result: Mapping[str, Any]) -> str:
    lines = [
        "| format | run by | layers | goal | activations | nets |",
        "|---|---|---|---|---|---|",
    ]
    for format in columns():
        cells = []
        for kind in ("layers", "activations", "nets"):
            works, count = share(result[kind], format)
            cells.append(f"{works} of {count} ({100 * works / count:.1f} %)")
        goal = f"{GOALS[format]} %" if format in GOALS else ""
        by = result["runtimes"].get(format, "")
        lines.append(f"| {format} | {by} | {cells[0]} | {goal} | {cells[1]} | {cells[2]} |")
    return "\n".join([*lines, ""])


def _table(title: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    lines = [
        f"## {title}",
        "",
        f"| | {' | '.join(columns())} |",
        "|---" * (len(columns()) + 1) + "|",
    ]
    for name in sorted(rows):
        signs = [_SIGNS.get(rows[name][f].partition(":")[0], "?") for f in columns()]
        lines.append(f"| {name} | {' | '.join(signs)} |")
    return "\n".join([*lines, ""])


def _reasons(result: Mapping[str, Any]) -> str:
    lines = ["## Reasons and notes", ""]
    for format in columns():
        said: dict[str, list[str]] = {}
        for kind in ("layers", "activations", "nets"):
            for name, line in result[kind].items():
                state, _, why = line[format].partition(": ")
                if state != "ok":
                    said.setdefault(f"{state}: {why}", []).append(name)
        if said:
            lines += [f"### {format}", ""]
            for text, names in said.items():
                lines.append(f"- {', '.join(names)} — {text.replace('|', '/')}")
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("log", type=Path)
    runs.add_argument("--formats", default="")
    runs.add_argument("--subjects", default="")
    runs.add_argument("--drawn", type=int, nargs=2, metavar=("FIRST", "COUNT"))
    publishes = commands.add_parser("publish")
    publishes.add_argument("logs", type=Path, nargs="+")
    counts = commands.add_parser("count")
    counts.add_argument("logs", type=Path, nargs="+")
    chosen = parser.parse_args()
    if chosen.command == "publish":
        publish(chosen.logs)
        return
    if chosen.command == "count":
        count(chosen.logs)
        return
    split = lambda text: [part for part in text.split(",") if part]
    which = drawn_subjects(*chosen.drawn) if chosen.drawn else subjects()
    run(chosen.log, split(chosen.formats), split(chosen.subjects), which)


if __name__ == "__main__":
    from tests import compiled

    compiled.keep()
    sys.exit(main())
