"""The file read: by JPMML where it and Java are installed, else by a reader of nacre's own.

JPMML's evaluator is under the AGPL; nacre calls it where a person has installed it, and asks for it
nowhere.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from nacre.export.targets.target import Array, Run

_NAME = "{http://www.dmg.org/PMML-4_4}"
_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "rectifier": lambda z: np.maximum(z, 0),
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "exponential": np.exp,
    "sine": np.sin,
    "cosine": np.cos,
    "square": np.square,
    "Elliott": lambda z: z / (1 + np.abs(z)),
    "arctan": lambda z: 2 / np.pi * np.arctan(z),
}


class Document:
    """What a file says: its fields, in order, and how many of them each output has."""

    def __init__(self, path: Path) -> None:
        self.root = ElementTree.parse(path).getroot()
        (self.model,) = self.root.iter(f"{_NAME}NeuralNetwork")
        self.inputs = [e.attrib["field"] for e in self._of("NeuralInput", "FieldRef")]
        probabilities = list(self.model.iter(f"{_NAME}OutputField"))
        self.is_classifier = bool(probabilities)
        fields = [e.attrib["field"] for e in self._of("NeuralOutput", "FieldRef")]
        self.outputs = [e.attrib["name"] for e in probabilities] or fields

    def _of(self, parent: str, child: str) -> list[ElementTree.Element]:
        parents = self.model.iter(f"{_NAME}{parent}")
        return [one for element in parents for one in element.iter(f"{_NAME}{child}")]

    def columns(self, arrays: Sequence[Array]) -> Array:
        """All inputs side by side, (samples, fields)."""
        rows = [np.asarray(x, "float64").reshape(len(x), -1) for x in arrays]
        return np.concatenate(rows, 1)

    def parted(self, numbers: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
        """The numbers of all outputs, (samples, fields), as the outputs."""
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(numbers, ends[:-1], 1)
        return [part.reshape(len(part), *shape) for part, shape in zip(parts, shapes)]


def run_own(document: Document, rows: Array) -> Array:
    """What the neurons give, as PMML says it."""
    values = {e.attrib["id"]: rows[:, i] for i, e in
              enumerate(document.model.iter(f"{_NAME}NeuralInput"))}  # fmt: skip
    for layer in document.model.iter(f"{_NAME}NeuralLayer"):
        sums, names = [], []
        for neuron in layer:
            total = np.full(len(rows), float(neuron.attrib["bias"]))
            for one in neuron:
                total = total + float(one.attrib["weight"]) * values[one.attrib["from"]]
            sums.append(total)
            names.append(neuron.attrib["id"])
        with np.errstate(all="ignore"):
            found = _FUNCTIONS[layer.attrib["activationFunction"]](np.stack(sums))
            if layer.attrib.get("normalizationMethod") == "softmax":
                found = np.exp(found - found.max(0))
                found = found / found.sum(0)
        values.update(zip(names, found))
    ends = document.model.iter(f"{_NAME}NeuralOutput")
    return np.stack([values[e.attrib["outputNeuron"]] for e in ends], 1)


def open_own(path: Path) -> Run:
    """Read a file with nacre's own reader."""
    document = Document(path)
    shapes = _shapes(document)
    return lambda arrays: document.parted(run_own(document, document.columns(arrays)), shapes)


def open_jpmml(path: Path) -> Run:
    """Read a file with JPMML."""
    document, pandas = Document(path), importlib.import_module("pandas")
    shapes = _shapes(document)
    evaluator = importlib.import_module("jpmml_evaluator").make_evaluator(str(path))
    evaluator.verify()

    def run(arrays: Sequence[Array]) -> list[Array]:
        frame = pandas.DataFrame(document.columns(arrays), columns=document.inputs)
        found: Any = evaluator.evaluateAll(frame)
        return document.parted(found[document.outputs].to_numpy("float64"), shapes)

    return run


def why_no_java() -> str:
    """Why JPMML does not run here, '' where it does."""
    return "" if shutil.which("java") else "Java, in which JPMML is written, is not on the path"


def _shapes(document: Document) -> list[tuple[int, ...]]:
    """The shapes of the outputs, which stand in the header."""
    for note in document.root.iter(f"{_NAME}Annotation"):
        if note.text and note.text.startswith("outputs: "):
            parts = note.text.removeprefix("outputs: ").split("; ")
            return [tuple(map(int, filter(None, part.split(",")))) for part in parts]
    return [(len(document.outputs),)]


__all__ = ["Document", "open_jpmml", "open_own", "run_own", "why_no_java"]
