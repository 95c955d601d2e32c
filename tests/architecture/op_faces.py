"""The namespaces of ops, as files that an editor completes, written from what the ops declare.

python -m tests.architecture.op_faces --write   write the files anew
python -m tests.architecture.op_faces --check   compare, exit status 1 on a difference
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# Namespace -> file, docstring, names of namespaces within it.
FACES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "nacre.ops": (
        "nacre/ops/__init__.py",
        "Operations on tensors: NumPy's, and those neural networks are made of (Keras's `ops`).\n\n"
        "An op works on arrays, traced values, variables and symbolic tensors alike. `image`, "
        "`linalg`, `nn`\nand `numpy` are faces that hold the same functions by subject.",
        ("image", "linalg", "nn", "numpy"),
    ),
    "nacre.ops.image": (
        "nacre/ops/image.py",
        "Face: the ops on images, as `keras.ops.image` has them.",
        (),
    ),
    "nacre.ops.linalg": (
        "nacre/ops/linalg.py",
        "Face: the ops on matrices, as `keras.ops.linalg` has them.",
        (),
    ),
    "nacre.ops.nn": (
        "nacre/ops/nn.py",
        "Face: the ops of neural networks, as `keras.ops.nn` has them.",
        (),
    ),
    "nacre.ops.numpy": (
        "nacre/ops/numpy.py",
        "Face: the ops NumPy has too, as `keras.ops.numpy` has them.",
        (),
    ),
}
_WRITTEN = (
    "Written by `python -m tests.architecture.op_faces --write` from what the ops declare where "
    "they\nare defined (`_define`); a test compares the two."
)


def text(face: str) -> str:
    """What the file of a namespace must hold."""
    from nacre.ops._define import shown_in

    _, docstring, within = FACES[face]
    lines = [
        f'"""{docstring}\n\n{_WRITTEN}\n"""\n',
        "import typing as _typing\n",
    ]
    if within:
        lines.append("from nacre.ops import _operators as _operators")
        lines += [f"from nacre.ops import {name} as {name}" for name in within]
    lines.append("from nacre.ops._define import face as _face")
    imports = [f"from {public.module} import {name} as {name}" for name, public in shown_in(face)]
    lines += sorted(imports, key=_as_ruff_sorts)
    others = "".join(f', "{name}"' for name in within)
    lines.append(f"\n__all__, __dir__, _missing = _face(__name__{others})\n")
    if face == "nacre.ops":
        lines.append(
            "# What a config may name: ops, which turn tensors into tensors.\n"
            "CONFIG_FUNCTIONS = _config_functions(__name__)\n"
        )
        at = lines.index("from nacre.ops._define import face as _face")
        lines.insert(at, "from nacre.ops._define import config_functions as _config_functions")
    lines.append(
        "if not _typing.TYPE_CHECKING:  # a checker would take any name for one of the module's\n"
        "    __getattr__ = _missing\n"
    )
    return "\n".join(lines)


def _as_ruff_sorts(line: str) -> tuple[str, str]:
    """By module and name; numbers in a name count by value: log2 comes before log10."""
    _, module, _, name, *_ = line.split()
    return module, re.sub(r"\d+", lambda number: number[0].zfill(6), name)


def declared() -> list[str]:
    """Import every file of ops; returns the namespaces."""
    for file in sorted((_ROOT / "nacre" / "ops").glob("[!_]*.py")):
        importlib.import_module(f"nacre.ops.{file.stem}")
    return list(FACES)


def differences() -> list[str]:
    """The files that are not what the ops declare."""
    return [
        FACES[face][0]
        for face in declared()
        if (_ROOT / FACES[face][0]).read_text(encoding="utf-8") != text(face)
    ]


def main(arguments: list[str]) -> int:
    """Write or compare."""
    if "--write" in arguments:
        for face in declared():
            (_ROOT / FACES[face][0]).write_text(text(face), encoding="utf-8")
        return 0
    different = differences()
    print("\n".join(different))
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
