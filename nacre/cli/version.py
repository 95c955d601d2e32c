"""`nacre version`: the version, and nothing else."""

from __future__ import annotations

import argparse
from importlib import metadata


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Print the version of the installed package."""
    print(nacre_version())
    return 0


def nacre_version() -> str:
    """The version: the package's own word, else the installed metadata."""
    import nacre

    own = getattr(nacre, "__version__", None)
    if own is not None:
        return own
    try:
        return metadata.version("nacre")
    except metadata.PackageNotFoundError:
        return "unknown"
