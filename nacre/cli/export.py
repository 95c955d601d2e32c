"""`nacre export FILE --to FORMAT`: a saved model in another format, compared with itself there."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, the format, where to write."""
    from nacre.export.targets import formats

    parser.add_argument(
        "file",
        metavar="FILE",
        help="A model file (.keras, .h5, .onnx, .tflite, .pt2, model.json), or its folder.",
    )
    parser.add_argument(
        "--to", required=True, metavar="FORMAT", help=f"One of {', '.join(formats())}."
    )
    parser.add_argument("--out", metavar="PATH", help="Where to write; beside FILE by default.")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="Write nothing; list what has no form in the format, and what to write instead.",
    )
    parser.add_argument(
        "--no-verify", action="store_true", help="Do not run what was written to compare it."
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="An option of the format, such as opset_version=18. May be given several times.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Load the model and export it, or tell what keeps it from that."""
    from nacre.export.targets import ending_of
    from nacre.saving import load_model
    from nacre.saving.export_archive import export_gaps

    model: Any = load_model(arguments.file, compile=False)
    if arguments.explain:
        gaps = export_gaps(model, arguments.to)
        print("\n".join(gaps) if gaps else f"All of it has a form in {arguments.to}.")
        return 1 if gaps else 0
    source = Path(arguments.file)
    ending = ending_of(arguments.to) or f"_{arguments.to}"
    out = arguments.out or str(source.with_name(f"{source.stem}{ending}"))
    options = dict(map(_option, arguments.set))
    if arguments.no_verify:
        options["verify"] = False
    model.export(out, format=arguments.to, **options)
    return 0


def _option(text: str) -> tuple[str, Any]:
    """A name and a value, which is Python's where it reads as such, else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SystemExit(f"nacre export: --set takes NAME=VALUE. Got {text!r}.")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value
