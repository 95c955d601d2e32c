"""`nacre doctor`: what is installed, what it runs on, what the caches hold, what is missing."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from nacre.cli._console import make_console
from nacre.cli.version import nacre_version

_BASE_PACKAGES = ("jax", "jaxlib", "numpy", "h5py", "rich")
# Package, its module, what it brings, nacre's extra that installs it.
_OPTIONAL_PACKAGES = (
    ("matplotlib", "matplotlib", "figures and learning curves", "plot"),
    ("pillow", "PIL", "reading and writing image files", "plot"),
    ("simplejpeg", "simplejpeg", "folders of JPEG files in half the time", "jpeg"),
    ("flax", "flax", "layers that hold Flax modules", "flax"),
    ("torch", "torch", "layers that hold PyTorch modules", "torch"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Print five short tables. Exit status 0: the doctor describes, it does not judge."""
    console = make_console()
    _show(console, "Versions", versions())
    _show(console, "Devices", devices())
    _show(console, "Caches", caches())
    _show(console, "Native kernels", native_kernels())
    _show(console, "Optional packages", optional_packages())
    return 0


def versions() -> list[tuple[str, str]]:
    """Names and versions of Python, the system, nacre and what it stands on."""
    rows = [
        ("nacre", nacre_version()),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]
    return rows + [(name, _version(name) or "[red]missing[/]") for name in _BASE_PACKAGES]


def devices() -> list[tuple[str, str]]:
    """The devices that JAX sees, or why it sees none."""
    rows = [("cpu cores", str(os.cpu_count()))]
    try:
        import jax

        for device in jax.devices():
            kind = platform.machine() if device.platform == "cpu" else device.device_kind
            rows.append((f"{device.platform} {device.id}", kind))
    except Exception as error:  # a broken driver must not stop the report
        rows.append(("jax", f"[red]{type(error).__name__}: {error}[/]"))
    return rows


def caches() -> list[tuple[str, str]]:
    """Folders that nacre keeps on disk, with their sizes."""
    from nacre.core import config

    compiled = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or config.cache_home())
    datasets = config.keras_home() / "datasets"
    return [
        ("compiled programs", _folder_line(compiled)),
        ("data sets", _folder_line(datasets)),
    ]


def native_kernels() -> list[tuple[str, str]]:
    """The compiler for kernels in C++, and of each kernel whether it is used, and when."""
    from rich.markup import escape

    from nacre.ops.kernels.native import report

    return [
        (name, escape(text) if name else f"[dim]{escape(text)}[/]")
        for name, text in report.describe()
    ]


def optional_packages() -> list[tuple[str, str]]:
    """Each optional package: its version, or the line that installs it."""
    rows = []
    for package, module, purpose, extra in _OPTIONAL_PACKAGES:
        if importlib.util.find_spec(module) is not None:
            version = _version(package) or "installed"
            rows.append((package, f"{version}  [dim]{purpose}[/]"))
        else:
            line = rf'pip install "nacre\[{extra}]"'
            rows.append((package, f"[yellow]not installed[/], for {purpose}: [cyan]{line}[/]"))
    return rows


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _folder_line(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}  [dim](empty)[/]"
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{folder}  [dim]{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files[/]"


def _show(console: Any, title: str, rows: list[tuple[str, str]]) -> None:
    from rich.table import Table

    from nacre.core.errors import printable

    console.print(f"\n[bold]{title}[/]")
    table = Table.grid(padding=(0, 3))
    table.add_column(style="cyan", no_wrap=True, min_width=18)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(f"  {name}", printable(text))
    console.print(table)
