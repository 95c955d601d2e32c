"""`nacre check`: will a script, a notebook or a folder of them run on nacre?"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to read."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="Scripts, notebooks, and folders of them."
    )
    parser.add_argument(
        "--symbols",
        metavar="MODULE",
        nargs="?",
        const="tf",
        help="Instead list all public names of TensorFlow 2.21 and tf.keras 2.15, or those of a "
        "module such as tf.image: here, differs (and how), absent (and what to write).",
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="Only what is missing, not what differs."
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what is missing and what behaves otherwise, by file and line.

    Returns:
        0 where nothing is missing, else 1.
    """
    from nacre.tf.checking import Findings, check

    if arguments.symbols is not None:
        return _list_symbols(arguments.symbols, arguments.quiet)
    named = [file for path in arguments.paths for file in _programs(Path(path))]
    files = _with_imported(named)
    if not files:
        raise FileNotFoundError("there are no scripts or notebooks in what was named")
    ready = 0
    for file in files:
        try:
            found = check(_text(file), file.parent)
        except (ValueError, OSError) as error:
            found = Findings(broken=str(error))
        ready += _report(file, found, arguments.quiet)
    if len(files) > 1:
        print(f"{ready} of {len(files)} are ready")
    return 0 if ready == len(files) else 1


def _list_symbols(within: str, is_quiet: bool) -> int:
    """Print what is known of names of TensorFlow; without those that are here where it is quiet."""
    from nacre.core.errors import ArgumentError, message
    from nacre.tf.listing import symbols

    counts = {"here": 0, "differs": 0, "absent": 0}
    for one in symbols(within):
        counts[one.state] += 1
        if one.state != "here" or not is_quiet:
            print(f"tf.{one.name}: {one.state}{f': {one.told}' if one.told else ''}")
    if not sum(counts.values()):
        rule = "it must be a public name of TensorFlow 2.21"
        raise ArgumentError(message("nacre check --symbols", rule, repr(within)))
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    return 0


def _report(file: Path, found: object, is_quiet: bool) -> bool:
    """Print what is known of a file; whether it is ready."""
    from nacre.tf.checking import Findings

    assert isinstance(found, Findings)
    for use in found.missing:
        print(f"{file}:{use.line}: {use.name} is not here. {use.problem}")
    if found.broken is not None:
        print(f"{file}: it cannot be read. {found.broken}")
    if not is_quiet:
        for use in found.differing:
            print(f"{file}:{use.line}: {use.name} differs: {use.differs}")
    is_ready = not found.missing and found.broken is None
    here = len(found.uses) - len(found.missing)
    word = "ready" if is_ready else f"not ready: {len(found.missing)} missing"
    if found.broken is not None:
        word = "not ready"
    print(f"{file}: {word} ({here} of {len(found.uses)} names are here)")
    return is_ready


def _programs(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    hidden = lambda file: any(
        part.startswith(".") or part == "__pycache__" for part in file.relative_to(path).parts
    )
    found = sorted([*path.rglob("*.py"), *path.rglob("*.ipynb")])
    return [file for file in found if not hidden(file)]


def _with_imported(named: list[Path]) -> list[Path]:
    """Programs, each followed by the modules beside it that it imports, and those that they do."""
    from nacre.tf.checking import imported_files

    found: dict[Path, Path] = {}
    seen = {file.resolve() for file in named}
    for program in named:
        left = [program]
        while left:
            file = left.pop(0)
            found.setdefault(file.resolve(), file)
            try:
                more = imported_files(_text(file), program.parent, file.parent)
            except (ValueError, OSError):  # told when the file is checked
                continue
            new = [other for other in more if other.resolve() not in seen]
            seen |= {other.resolve() for other in new}
            left += new
    return list(found.values())


def _text(file: Path) -> str:
    """The program in a file; of a notebook its cells."""
    if file.suffix != ".ipynb":
        return file.read_text(encoding="utf-8")
    from nacre.cli._notebooks import as_python, code_cells

    return "\n".join(as_python(cell) for _, cell in code_cells(file))
