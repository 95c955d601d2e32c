"""What a run was made with: versions, machine, settings, command, as plain data."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from nacre.core import config
from nacre.core.kinds import is_dict, is_list, is_mapping
from nacre.core.policies import dtype_policy
from nacre.core.random import user_seed
from nacre.core.typed_jax import setting
from nacre.ops.kernels.native import compiler
from nacre.ops.kernels.native.table import machine_refusal

# Of the environment, what JAX, XLA and nacre read, but for what says nothing of numbers.
_PREFIXES = ("NACRE_", "JAX_", "XLA_")
_PLACES = ("CACHE", "DIR", "DUMP", "PLATFORM", "LOG", "TRACEBACK", "BUDGET")
_GIT_SECONDS = 5
# What the bits of a run depend on; the rest tells people where it comes from.
_DECISIVE = ("versions", "processor", "device", "kernels", "settings")


def run_manifest() -> dict[str, Any]:
    """What the present process trains with, as plain data that JSON can hold.

    `fit(resume=folder)` keeps one in its folder. Two runs with the same seed and data give the same
    bits where `versions`, `processor`, `device`, `kernels` and `settings` are the same.

    Returns:
        `versions` of nacre, Python, JAX, jaxlib and NumPy; `system`; `processor`; `cores`;
        `device`, JAX's first one, and how many there are; `kernels`, the compiler of nacre's own;
        `settings`: floatx, epsilon, data format, dtype policy, precision of products, and the
        variables of the environment that JAX and nacre read; `seed`, as `set_random_seed` was given
        it, or None; `command`, `folder` and `date` (ISO 8601); `git`, the commit of the repository
        it runs in and whether files differ from it, or None.

    Example:
        >>> manifest = run_manifest()
        >>> sorted(manifest["versions"])
        ['jax', 'jaxlib', 'nacre', 'numpy', 'python']
        >>> manifest["settings"]["floatx"]
        'float32'
    """
    devices = jax.devices()
    return {
        "versions": {
            "nacre": str(sys.modules["nacre"].__version__),
            "python": platform.python_version(),
            "jax": jax.__version__,
            "jaxlib": metadata.version("jaxlib"),
            "numpy": np.__version__,
            **_device_packages(),
        },
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": f"{len(devices)} x {devices[0].platform} {devices[0].device_kind}",
        "kernels": _kernels(),
        "settings": {
            "floatx": config.floatx(),
            "epsilon": config.epsilon(),
            "image_data_format": config.image_data_format(),
            "dtype_policy": dtype_policy().name,
            "matmul_precision": str(setting("jax_default_matmul_precision")),
            "environment": _environment(),
        },
        "seed": user_seed(),
        "command": shlex.join(sys.orig_argv),
        "folder": os.getcwd(),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "git": _git(),
    }


def decisive_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what two manifests differ that the bits of a run depend on, as texts.

    Example:
        >>> decisive_differences({"versions": {"jax": "0.10.2"}}, {"versions": {"jax": "0.11.0"}})
        ['versions.jax 0.10.2, now 0.11.0']
    """
    return differences(
        {name: then[name] for name in _DECISIVE if name in then},
        {name: now[name] for name in _DECISIVE if name in now},
    )


def differences(
    then: Any, now: Any, path: str = "", names: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """In what two pieces of plain data differ, as texts such as 'settings.floatx float32, now
    float16'; what only one of them has stands as 'none'.

    Args:
        then, now: The two.
        path: Where they stand, for the texts.
        names: Name then -> name now, of what is the same under another name.
    """
    if is_mapping(then) and is_mapping(now):
        keys = {key: names[key] for key in then if names.get(key) in now}
        others = set(keys.values())
        both: list[str] = [*then, *(key for key in now if key not in then and key not in others)]
        return [
            text
            for key in both
            for text in differences(
                then.get(key), now.get(keys.get(key, key)), f"{path}.{key}".lstrip("."), names
            )
        ]
    if is_list(then) and is_list(now) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [text for i, (a, b) in pairs for text in differences(a, b, f"{path}[{i}]", names)]
    if isinstance(then, str) and names.get(then) == now:
        return []
    is_other = isinstance(then, str) and then in names and now in names.values()
    if then == now and not is_other:  # else it is the name of another one now
        return []
    return [f"{path} {_short(then)}, now {_short(now)}"]


def _short(value: Any) -> str:
    if is_list(value) and value and all(is_dict(v) and "class_name" in v for v in value):
        value = ", ".join(str(item["class_name"]) for item in value)  # layers, metrics
    text = "none" if value is None else f"{value:.7g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _device_packages() -> dict[str, str]:
    """The versions of what JAX talks to an accelerator with."""
    names = ("jax-cuda12-plugin", "jax-cuda13-plugin", "libtpu")
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


def _kernels() -> str:
    """The compiler that nacre's kernels are made with here, or why there are none."""
    refusal = machine_refusal()
    if refusal:
        return f"none: {refusal}"
    command = compiler.find_compiler()
    said = compiler.version(command) if command else None
    return (said or "").partition("\n")[0] or f"none: {compiler.NONE_FOUND}"


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(_PREFIXES) and not any(place in name for place in _PLACES)
    }


def _git() -> dict[str, Any] | None:
    """The commit of the repository around, or None."""
    commit = _said_by_git("rev-parse", "HEAD")
    if not commit:
        return None
    return {"commit": commit, "has_changes": bool(_said_by_git("status", "--porcelain"))}


def _said_by_git(*arguments: str) -> str | None:
    try:
        return subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None


__all__ = ["decisive_differences", "differences", "run_manifest"]
