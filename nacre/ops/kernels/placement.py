"""Where a kernel is being traced: which platform, whose program, and whether in a device loop.

XLA's CPU backend runs some operations very differently in the two places: inside a `while` body the
gradients of a convolution, as autodiff writes them, are slower than outside (input 4 to 12 times,
kernel 35 to 270 times; the convolution itself is not). So a kernel picks its lowering by place.

A program of nacre's own (`fit`, `evaluate`, `predict`, `model(x)`) runs on this machine, so all of
it may use kernels compiled here. A function somebody else traces may be on its way to another
machine, in an exported program: there only gradients do.
"""

import functools
import os
from typing import Any, Literal

import jax

from nacre.core.context import changed, current
from nacre.core.tracing import is_tracer

Placement = Literal["plain", "own", "loop"]


def inside_loop(active: bool = True) -> changed:
    """Mark the code traced in this block as the body of a device loop.

    Args:
        active: False marks the block as *outside* a loop again, for a nested one-step program.
    Example:
        >>> with inside_loop():
        ...     is_inside_loop()
        True
        >>> is_inside_loop()
        False
    """
    return changed(is_in_loop=active)


def is_inside_loop() -> bool:
    """Tell whether what is traced here stands inside an `inside_loop` block."""
    return current().is_in_loop


def own_program() -> changed:
    """Mark the code traced in this block as a program that nacre itself runs.

    Example:
        >>> with own_program():
        ...     current_placement()
        'own'
    """
    return changed(is_own_program=True)


def keeping_old_values(active: bool = True) -> changed:
    """Mark the code traced in this block as an update whose old values are looked at after it.

    An update in place gains nothing there: XLA would copy all of them before.

    Args:
        active: Whether they are.

    Example:
        >>> with keeping_old_values():
        ...     updates_in_place()
        False
    """
    return changed(keeps_old_values=active)


def updates_in_place() -> bool:
    """Tell whether what is updated here may be written where the old values lie."""
    return not current().keeps_old_values


def current_placement() -> Placement:
    """Return the place of what is traced here: the word kernels take.

    `'loop'` inside an `inside_loop` block, `'own'` elsewhere in a program of nacre's own, else
    `'plain'`.

    Read it *before* entering an inner `jax.jit` and pass it on as a static argument; a jitted
    function would otherwise reuse the choice made at its first trace.
    """
    if is_inside_loop():
        return "loop"
    return "own" if current().is_own_program else "plain"


def may_be_compiled(*arrays: Any) -> bool:
    """Tell whether a compiled kernel may take part in what is computed of these arrays here.

    Outside nacre's own programs it is only for gradients, and nobody takes those of arrays at hand:
    then nothing else is asked, as an op called by itself costs no more than that.
    """
    return current_placement() != "plain" or any(is_tracer(array) for array in arrays)


@functools.cache
def platform() -> str:
    """Return the default backend's name (`'cpu'`, `'gpu'`, `'tpu'`), asked once."""
    return jax.default_backend()


def uses_plain_xla() -> bool:
    """Tell whether `NACRE_KERNELS=xla` asks for plain XLA and autodiff in place of every kernel.

    The variable is read at every trace, so a test can switch it; programs already compiled stay.
    """
    asked = os.environ.get("NACRE_KERNELS", "").lower() == "xla"
    return asked or current().asks_for_plain_xla


def plain_xla() -> changed:
    """Ask for plain XLA in place of every kernel in this block: for exporters.

    Example:
        >>> with plain_xla():
        ...     uses_kernels = uses_cpu_kernels()
        >>> uses_kernels
        False
    """
    return changed(asks_for_plain_xla=True)


def uses_cpu_kernels() -> bool:
    """Tell whether the lowerings measured on CPUs apply: on one, unless plain XLA is asked for."""
    return platform() == "cpu" and not uses_plain_xla()
