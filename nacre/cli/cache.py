"""`nacre cache`: what nacre keeps on disk to start faster, and making room."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from nacre.cli._console import make_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("show", "clean"),
        default="show",
        help="'show' tells folders and sizes; 'clean' deletes what is in them.",
    )


@dataclass(frozen=True)
class CacheFolder:
    """A folder that holds nothing but what can be made again.

    Args:
        title: What it holds.
        path: The folder.
        effect: What the next run pays when it is empty.
    """

    title: str
    path: Path
    effect: str

    def files(self) -> list[Path]:
        """Its files; nothing is followed out of the folder."""
        if self.path.is_symlink() or not self.path.is_dir():
            return []
        return [path for path in self.path.iterdir() if path.is_file() or path.is_symlink()]

    def size_bytes(self) -> int:
        """The size of its files together."""
        return sum(path.lstat().st_size for path in self.files())

    def clean(self) -> int:
        """Delete its files; gives the bytes freed. One that another process took is no error."""
        freed = 0
        for path in self.files():
            try:
                size = path.lstat().st_size
                path.unlink()
            except OSError:
                continue
            freed += size
        return freed


def folders() -> list[CacheFolder]:
    """nacre's own caches. A folder that was chosen for JAX is shared with others, and left alone.

    Example:
        >>> [folder.path.name for folder in folders()]
        ['compiled', 'native']
    """
    from nacre.core.config import cache_home

    home = cache_home()
    return [
        CacheFolder("compiled programs", home / "compiled", "compiles each model once more"),
        CacheFolder("native kernels", home / "native", "builds the kernels, 2 to 3 s each"),
    ]


def run(arguments: argparse.Namespace) -> int:
    """Show the folders, or clean them and say what was freed."""
    console = make_console()
    for folder in folders():
        if arguments.action == "clean":
            count, freed = len(folder.files()), folder.clean()
            text = f"deleted {count} files, {freed / 1e6:.1f} MB; the next run {folder.effect}"
        else:
            text = f"{folder.size_bytes() / 1e6:.1f} MB in {len(folder.files())} files"
        console.print(f"{folder.title:<18}  [cyan]{folder.path}[/]  {text}", soft_wrap=True)
    chosen = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if chosen:
        text = "chosen by JAX_COMPILATION_CACHE_DIR, left alone"
        console.print(f"{'JAX programs':<18}  [cyan]{chosen}[/]  {text}", soft_wrap=True)
    return 0
