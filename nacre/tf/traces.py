"""`tf.summary.trace_on`, `trace_export` and `trace_off`: profiles of a part of a script."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import jax

from nacre.core.errors import ArgumentError, message
from nacre.core.warning import warn

_folders: list[str] = []  # of the profile that is being taken


def trace_on(graph: bool = True, profiler: bool = False, profiler_outdir: Any = None) -> None:
    """Begin to note what runs, for `trace_export`.

    Args:
        graph: Whether a graph is to be written: none is, which is said.
        profiler: Whether a profile is taken, JAX's.
        profiler_outdir: Accepted for compatibility: `trace_export` says where to.
    """
    if graph:
        warn(
            "tf.summary.trace_on(graph=True): a graph is not written here. For that of a model "
            "use tf.keras.callbacks.TensorBoard(write_graph=True)."
        )
    if profiler and not _folders:
        _folders.append(tempfile.mkdtemp(prefix="profile-"))
        jax.profiler.start_trace(_folders[0])


def trace_export(name: str, step: Any = None, profiler_outdir: Any = None) -> None:
    """Stop, and write the profile.

    Args:
        name, step: Accepted for compatibility: they are the graph's.
        profiler_outdir: The folder for the profile.

    Raises:
        ArgumentError: There is a profile, and no folder for it.
    """
    if _folders and profiler_outdir is None:
        rule = "profiler_outdir must name the folder of the profile"
        raise ArgumentError(message("tf.summary.trace_export", rule, "None"))
    folder = _stopped()
    if folder is not None:
        shutil.copytree(folder, Path(profiler_outdir), dirs_exist_ok=True)
        shutil.rmtree(folder)


def trace_off() -> None:
    """Stop, and drop the profile."""
    folder = _stopped()
    if folder is not None:
        shutil.rmtree(folder)


def _stopped() -> str | None:
    if not _folders:
        return None
    jax.profiler.stop_trace()
    return _folders.pop()


__all__ = ["trace_export", "trace_off", "trace_on"]
