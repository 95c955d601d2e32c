"""What a report on this installation says of the compiled kernels."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from nacre.core.config import cache_home
from nacre.ops.kernels.native import build, compiler, library
from nacre.ops.kernels.native.table import KERNELS, Condition, machine_refusal


def describe() -> list[tuple[str, str]]:
    """Names and values: the compiler, the folder, and each row of the table with whether its kernel
    is used here and why not. Nothing is built for it.
    """
    command = compiler.find_compiler()
    version = ((command and compiler.version(command)) or "").partition("\n")[0]
    rows = [("compiler", f"{shlex.join(command)}  {version}" if command else compiler.NONE_FOUND)]
    try:
        folder = cache_home() / "native"
        sizes = [path.stat().st_size for path in folder.glob("*-*.so")] if folder.is_dir() else []
        text = f"{folder}  {sum(sizes) / 1e6:.1f} MB in {len(sizes)} libraries"
        rows.append(("cache folder", text))
    except (OSError, RuntimeError) as error:  # an unknown home folder is the second
        rows.append(("cache folder", f"none: {error} Set NACRE_CACHE to a folder."))
    refusal = machine_refusal()
    for kernel in KERNELS:
        is_there, state = kernel.library.availability()
        is_used = is_there and not refusal
        rows.append((kernel.name, f"used: {state}" if is_used else f"not used: {refusal or state}"))
        rows.append(("", kernel.serves))
        rows.append(("", f"with {_in_words(kernel.conditions)}"))
        if kernel.forward_alone:
            rows.append(("", f"and without gradients: {_in_words(kernel.forward_alone)}"))
    rows.append(("resizing", f"used: {_resizing()}"))
    rows.append(
        ("", "image_dataset_from_directory, smart_resize: on the host, whatever the devices")
    )
    rows.append(("", "In a jax.jit of your own they take part in gradients only."))
    return rows


def _resizing() -> str:
    if build.is_switched_off():
        return "NumPy, as switched off by NACRE_NATIVE or NACRE_KERNELS"
    is_there, state = library.RESIZING.availability()
    return state if is_there else f"NumPy, as: {state}"


def _in_words(conditions: Iterable[Condition[Any]]) -> str:
    return "; ".join(condition.text for condition in conditions)
