"""A folder with a page that runs a model in a browser: a person draws, and TF.js answers.

    index.html   the page; it opens from a disk, without a server
    model.js     the model, its weights in base64
    tf.min.js    TF.js, of the npm package where that is installed

A model with one picture as input gets a field to draw on, any other one fields for numbers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nacre.core.errors import ArgumentError, listed, message
from nacre.core.regions import Content
from nacre.export.graph.ir import Graph
from nacre.export.targets.target import Option, Request, Target
from nacre.export.targets.tfjs.readback import TFJS, package_folder
from nacre.export.targets.tfjs.support import SUPPORT
from nacre.export.targets.tfjs.target import TARGET as OF_TFJS
from nacre.export.targets.tfjs.target import WEIGHTS
from nacre.export.targets.tfjs.write import model_parts

_PAGE = Path(__file__).with_name("page.html")


def write(request: Request) -> Mapping[str, Content]:
    """The folder's files."""
    parts = model_parts(request)
    given = request.options["class_names"]
    names = None if given is None else _names(given)
    sizes = [output.value.shape[-1] for output in request.graph.outputs if output.value.shape]
    if names is not None and all(isinstance(n, int) and n != len(names) for n in sizes):
        rule = f"class_names must be as many as an output has numbers, {listed([*map(str, sizes)])}"
        raise ArgumentError(message(f"'{request.name}'", rule, f"{len(names)}: {listed(names)}"))
    whole = {
        **parts.json,
        "weightSpecs": parts.specs,
        "weightData": base64.b64encode(b"".join(parts.arrays)).decode(),
        "page": {
            "class_names": names,
            "pixels": float(request.options["pixels"] or _white(request.graph)),
            "margin": float(request.options["margin"]),
        },
    }
    text = f"window.NACRE_MODEL = {json.dumps(whole, ensure_ascii=False)};\n"
    files: dict[str, Content] = {"index.html": _PAGE.read_bytes(), "model.js": text.encode()}
    folder = package_folder()
    if folder is not None:
        files["tf.min.js"] = (folder / "dist" / "tf.min.js").read_bytes()
    return files


def _names(given: Any) -> list[str]:
    return [n.strip() for n in given.split(",")] if isinstance(given, str) else [*map(str, given)]


def _white(graph: Graph) -> float:
    """The number of a white pixel that a model expects: what its own scaling makes 1 of, else 1."""
    value, scale, offset = graph.inputs[0], 1.0, 0.0
    makers, readers = graph.producers(), graph.consumers()
    for _ in range(4):  # casts, a product, a sum, as `Rescaling` computes
        nodes = readers.get(value, [])
        if len(nodes) != 1 or nodes[0].op not in ("cast", "mul", "add", "sub", "div"):
            break
        node = nodes[0]
        other = next((v for v in node.inputs if v is not None and v is not value), None)
        maker = None if other is None else makers.get(other)
        if node.op != "cast":
            data = None if maker is None else maker.attributes.get("value")
            if data is None or data.size != 1 or node.inputs[0] is not value:
                break
            number = float(data)
            if node.op in ("mul", "div"):
                factor = number if node.op == "mul" else 1 / number
                scale, offset = scale * factor, offset * factor
            else:
                offset += number if node.op == "add" else -number
        value = node.outputs[0]
    white = (1 - offset) / scale if scale > 0 else 1.0
    if not 0 < white < 1e6:
        return 1.0
    # 1 / 255 in float32 is none of 255, and whole numbers would be cut to 254.
    return float(round(white)) if abs(white - round(white)) < 1e-4 * white else white


def _pixels_fault(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if value is None or (is_number and value > 0) else "pixels must be above 0"


def _is_name(value: Any) -> bool:
    """A text, or a number as the classes of digits have it."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _names_fault(value: Any) -> str:
    fits = value is None or isinstance(value, str)
    fits = fits or (isinstance(value, list | tuple) and all(map(_is_name, value)))
    return "" if fits else "class_names must be texts, or one with commas between"


def _margin_fault(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if is_number and 0 <= value < 0.5 else "margin must be from 0 to below 0.5"


TARGET = Target(
    name="web",
    title="a page with TF.js",
    suffix="",
    support=SUPPORT,
    write=write,
    runtimes=(TFJS,),
    passes=OF_TFJS.passes,
    options={
        "weights": WEIGHTS,
        "class_names": Option(
            None, None, "What the classes are called, as a list or with commas.", _names_fault
        ),
        "pixels": Option(
            None,
            None,
            "The number of a white pixel, such as 1 or 255; by default what the model's own "
            "Rescaling makes 1 of, else 1.",
            _pixels_fault,
        ),
        "margin": Option(
            0.15, None, "The empty part of a picture before and behind a drawing.", _margin_fault
        ),
    },
    known=frozenset({"index.html", "model.js", "tf.min.js"}),
)

__all__ = ["TARGET"]
