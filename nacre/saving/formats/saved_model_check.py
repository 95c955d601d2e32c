"""What a written SavedModel must hold and compute, read back before it takes its place.

Each call is compared for a batch of one, for one of two, and for the sizes that Python asked for
while it was traced (`export.capture.decisions`): what `if x.shape[0] == 1` chooses has no place in
a graph for any size.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nacre.core import scope, tree
from nacre.core.errors import FileFormatError, message
from nacre.core.variable import value_of
from nacre.core.warning import warn
from nacre.core.wire.bundle import Bundle
from nacre.core.wire.tensorflow.saved_model import VARIABLES
from nacre.export.capture import Captured
from nacre.export.capture.signature import BATCH
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Graph, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import size_value
from nacre.export.importers.tensorflow.program import SavedModelProgram, open_saved_model
from nacre.export.targets.graphdef.body import known_shape
from nacre.export.targets.saved_model.write import Spec, Structure, Thing, Writer, specs_in
from nacre.export.targets.target import Tolerance
from nacre.export.trials import (
    SIZES,
    WIDE,
    Array,
    Tries,
    Values,
    asked_sizes,
    groups_of_sizes,
    tells_more,
)
from nacre.export.verification import (
    first_far,
    first_that_differs,
    is_rounding,
    probes_of,
    probing,
    write_plainly,
)
from nacre.saving.weights import has_bytes_of

_USUAL = Tolerance(1e-4, 1e-4)
_NARROW = Tolerance(2e-2, 2e-2)


@dataclass(frozen=True)
class Comparison:
    """A call that must give from the folder what it gives in memory.

    Attributes:
        name: What errors call it; '' for the model itself.
        captured: What was written.
        arguments: What it is called with.
        in_file: What is called of the folder.
        in_memory: What is called in memory.
    """

    name: str
    captured: Captured
    arguments: Sequence[Structure]
    in_file: Callable[[SavedModelProgram], Callable[..., Any]]
    in_memory: Callable[..., Any]

    @property
    def has_numbers_to_compare(self) -> bool:
        """Whether both sides give the same numbers."""
        return not any(OPSET[node.op].is_random for node in self.captured.graph.all_nodes())


@dataclass(frozen=True)
class Content:
    """What a written folder must hold and compute.

    Attributes:
        arrays: Its arrays, by their keys.
        comparisons: Its calls.
        who: What writes.
    """

    arrays: Mapping[str, Array]
    comparisons: Sequence[Comparison]
    who: str

    def check(self, folder: Path) -> None:
        """Raise unless a folder holds exactly these arrays, and gives what is given in memory."""
        bundle = Bundle(folder / VARIABLES)
        for key, array in self.arrays.items():
            if key not in bundle or not has_bytes_of(bundle.read(key), array):
                raise self._differs(f"another array at '{key}'", "The disk may be full or faulty.")
        compared = [c for c in self.comparisons if c.has_numbers_to_compare]
        program = open_saved_model(folder) if compared else None
        for comparison in compared:
            assert program is not None
            self._compare(program, comparison)

    def _compare(self, program: SavedModelProgram, comparison: Comparison) -> None:
        captured = comparison.captured
        tries = Tries(captured)
        for values, usual in itertools.product(tries.values, groups_of_sizes(captured.graph)):
            fits = [self._agrees(program, comparison, sizes, values, tries) for sizes in usual]
            if any(fits):
                for sizes in asked_sizes(captured, usual[0]):
                    self._agrees(program, comparison, sizes, values, tries)
                self._agree_widely(program, comparison, usual[fits.index(True)], values, tries)
                return
        of = f" of '{comparison.name}'" if comparison.name else ""
        warn(
            message(
                self.who,
                "what was written is called and compared with memory before it takes its place",
                f"a call{of} that takes none of the inputs tried: {tries.refusal}",
                "Compare it yourself, nacre.saving.open_saved_model(path); verify=False does "
                "without.",
            )
        )

    def _agree_widely(
        self,
        program: SavedModelProgram,
        comparison: Comparison,
        sizes: Mapping[str, int],
        usual: Values,
        tries: Tries,
    ) -> None:
        """Numbers from far around 0 too, or above it: those that the model is made for."""
        if not tries.wide:
            return
        known = _in_memory(comparison, usual(sizes), tries)
        for values in tries.wide:
            wanted = _in_memory(comparison, values(sizes), tries)
            if wanted is not None and known is not None and tells_more(known, wanted):
                self._agrees(program, comparison, sizes, values, tries, WIDE)
                return

    def _agrees(
        self,
        program: SavedModelProgram,
        comparison: Comparison,
        sizes: Mapping[str, int],
        values: Values,
        tries: Tries,
        scale: float = 1.0,
    ) -> bool:
        """True; False where what is in memory takes no such sizes or values.

        Args:
            scale: How much larger than 1 the values are, and so the rounding.

        Raises:
            FileFormatError: What is given differs.
        """
        arrays = values(sizes)
        given = [_filled(argument, arrays) for argument in comparison.arguments]
        wanted = _in_memory(comparison, arrays, tries)
        if wanted is None:
            return False
        try:
            with program.trial():
                found = tree.flatten(comparison.in_file(program)(*given))
        except ValueError as error:
            raise self._other(comparison, sizes, str(error).split("\n")[0]) from error
        if any(np.shape(one) != np.shape(right) for one, right in zip(found, wanted, strict=True)):
            wanted = _as_traced(comparison, given, wanted)
        for number, (one, right) in enumerate(zip(found, wanted, strict=True)):
            one, right = np.asarray(one), np.asarray(right)
            if one.shape != right.shape:
                got = f"shape {one.shape} in output {number} in place of {right.shape}"
                raise self._other(comparison, sizes, got)
            place = _first_far(one, right, scale)
            if place is not None and not _is_rounding(comparison, number, arrays, one, right):
                numbers = f"{one[place]}, not {right[place]}"
                got = f"other numbers in output {number} ({numbers})"
                layer = _first_layer(comparison.captured.graph, arrays)
                raise self._other(comparison, sizes, got, layer)
        return True

    def _other(
        self, comparison: Comparison, sizes: Mapping[str, int], got: str, layer: str = ""
    ) -> FileFormatError:
        of = f" of '{comparison.name}'" if comparison.name else ""
        asked = [
            f"{d.place} asks whether a size that varies is {d.number}"
            for d in comparison.captured.decisions
            if size_value(d.size, sizes) == d.number
        ]
        if asked or sizes.get(BATCH) == 1:
            at = ", ".join(f"{name} {size}" for name, size in sizes.items())
            why = "; ".join(asked) or "what computes it does otherwise for one sample"
            fix = (
                "Give the Input this size (batch_size= for the batch), or compute what does not "
                "depend on it: ops.where, squeeze with an axis."
            )
            return self._differs(f"{got}{of} for {at}: {why}", fix)
        fix = "Save as .keras, and please report this model."
        return self._differs(f"{got}{of} of what was written{layer}", fix)

    def _differs(self, got: str, fix: str) -> FileFormatError:
        rule = "what was written must be what is in memory"
        fix = f"{fix} What was there before is untouched."
        return FileFormatError(message(self.who, rule, got, fix))


def of_signature(
    name: str, captured: Captured, arguments: Sequence[Structure], function: Callable[..., Any]
) -> Comparison:
    """The comparison of a signature, whose tensors have names."""
    inputs = [spec.name for spec in captured.inputs]
    outputs = tree.flatten(captured.outputs)

    def in_file(program: SavedModelProgram) -> Callable[..., Any]:
        def call(*given: Any) -> list[Any]:
            arrays = [leaf for leaf in tree.flatten(list(given)) if hasattr(leaf, "shape")]
            found = program.signatures[name](**dict(zip(inputs, arrays, strict=True)))
            return [found[output] for output in outputs]

        return call

    return Comparison(name, captured, arguments, in_file, function)


def count_of_losses(model: Any, arguments: Sequence[Structure]) -> int:
    """How many losses a call of a model adds, with those of regularizers."""
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]

    def run(*given: Any) -> Any:
        call = partial(model.stateless_call, trainable, others, return_losses=True)
        return call(*given, training=True)[2]

    for size in SIZES:
        try:
            arrays = {spec.name: _zeros(spec, size) for spec in specs_in(arguments)}
            return len(jax.eval_shape(run, *(_filled(argument, arrays) for argument in arguments)))
        except (TypeError, ValueError):  # too small, or texts
            continue
    return 0


def _zeros(spec: Spec, size: int) -> Array:
    """A batch of two, whose other open axes have this size."""
    sizes = spec.shape or ()
    shape = [(size if axis else 2) if n is None else n for axis, n in enumerate(sizes)]
    return np.zeros(shape, spec.dtype)


def _as_traced(comparison: Comparison, given: list[Any], wanted: list[Any]) -> list[Any]:
    """What memory gives in a compiled program, as in `predict`: there no size depends on values, as
    that of `bincount` does where they are at hand."""
    leaves = tree.flatten(given)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray | jax.Array)]
    if any(np.asarray(leaves[i]).dtype.kind in "OUS" for i in places):
        return wanted

    def run(arrays: list[Any]) -> Any:
        moved = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            moved[place] = array
        with scope.StatelessScope():
            found = comparison.in_memory(*tree.pack_sequence_as(given, moved))
            return [value_of(x) for x in tree.flatten(found)]

    return jax.jit(run)([leaves[i] for i in places])


def _filled(structure: Structure, arrays: Mapping[str, Array]) -> Any:
    """Arrays in a structure."""
    if isinstance(structure, Spec):
        return arrays[structure.name]
    if isinstance(structure, Mapping):
        return {key: _filled(part, arrays) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)(_filled(part, arrays) for part in structure)
    return structure


def _in_memory(
    comparison: Comparison, arrays: Mapping[str, Array], tries: Tries
) -> list[Any] | None:
    """What is given in memory; None where it takes no such sizes or values."""
    given = [_filled(argument, arrays) for argument in comparison.arguments]
    try:
        with scope.StatelessScope():  # leaves states of layers as they are
            results = comparison.in_memory(*given)
            return [] if results is None else [value_of(x) for x in tree.flatten(results)]
    except ValueError as error:
        tries.refusal = str(error).split("\n")[0]
        return None


def _first_far(found: Array, right: Array, scale: float = 1.0) -> tuple[int, ...] | None:
    """Where an output of the same shape first is another one, but for rounding; None: nowhere."""
    tolerance = _USUAL if right.dtype.itemsize > 2 else _NARROW
    return first_far(found, right, tolerance.times(scale))


def _is_rounding(
    comparison: Comparison, number: int, arrays: Mapping[str, Array], one: Array, right: Array
) -> bool:
    """Whether whole numbers of an output are those of floats that were rounded to either side."""
    if right.dtype.kind not in "iu":
        return False
    graph = comparison.captured.graph
    name = tree.flatten(comparison.captured.outputs)[number]
    value = next((value for output, value in graph.outputs if output == name), None)
    given = [arrays[value.name] for value in graph.inputs]
    return value is not None and is_rounding(graph, value, given, one, right)


def _first_layer(graph: Graph, arrays: Mapping[str, Array]) -> str:
    """Which layer is the first that differs, for the end of a sentence: its numbers, written as a
    folder of their own, against those of the graph."""
    probes = list(probes_of(graph))
    graph = probing(graph, probes)
    writer = Writer()
    root = Thing()
    writer.add(root)
    try:
        for number, weight in enumerate(graph.weights):
            key = f"weight_{number}"
            data = np.asarray(weight.data)
            root.children[key] = writer.add_variable(weight.path, key, data, False, key)
        inputs = [_spec(value.name, value) for value in graph.inputs]
        outputs = [_spec(name, value) for name, value in graph.outputs]
        signature = writer.add_signature("probes", graph, inputs, outputs)
        root.children["signatures"] = writer.add(Thing("signature_map", {"probes": signature}))
        right = evaluate(graph, {value.name: arrays[value.name] for value in graph.inputs}).outputs
        with tempfile.TemporaryDirectory() as folder:
            write_plainly(Path(folder), {**writer.files(), "assets/": b""})
            call = open_saved_model(folder).signatures["probes"]
            found = call(**{spec.name: arrays[spec.name] for spec in inputs})
    except Exception:  # of whatever kind: what differs is told without it
        return ""
    names = [output.name for output in graph.outputs]
    there, wanted = [np.asarray(found[n]) for n in names], [right[n] for n in names]
    layer = first_that_differs(probes, there, wanted, _USUAL)
    return f". The first layer that differs is {layer}" if layer else ""


def _spec(name: str, value: Value) -> Spec:
    return Spec(name, value.dtype, known_shape(value.shape))


__all__ = ["Comparison", "Content", "of_signature", "count_of_losses"]
