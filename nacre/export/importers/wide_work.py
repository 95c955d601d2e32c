"""Whether a program computes with 64 bits what 32 do not hold.

Most of what files have in 64 bits are indices, sizes and labels, which stay what they are in 32.
Sums, products, and floats of 64 bits do not: importers tell of each operator what it gave while a
program is traced with 64 bits, and where one could leave 32 the program is computed with 64.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from contextvars import ContextVar
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.tracing import is_tracer
from nacre.core.typed_jax import setting

_noted: ContextVar[set[str] | None] = ContextVar("noted", default=None)

# Operators, without case and underscores, whose whole numbers are some of those they are given, or
# count and number what is there. Those that may add up what meets in one place are not among them.
_STAYS = frozenset(
    """
    identity reshape flatten squeeze unsqueeze transpose concat concatv2 concatenation cat stack
    pack unpack unbind split splitv splittosequence splitwithsizes slice stridedslice narrow select
    gather gatherelements gathernd gatherv2 takealongdim indexselect index
    expand expandas broadcastto tile repeat pad padv2 constantpadnd where wherev2 selectv2 argmax
    argmin topk topkv2 sort argsort unique max min amax amin maximum minimum maxdim mindim
    reducemax reducemin clip clamp clampmin clampmax nonzero compress constantofshape full fulllike
    zeros zeroslike ones oneslike onehot eyelike trilu triu tril scatter
    scattersrc scattervalue reversesequence reverse reversev2 flip roll arange dropout
    sequenceat concatfromsequence sequenceconstruct loop if scan while call optionalgetelement
    view unsafeview permute t swapaxes movedim detach alias contiguous clone liftfresh
    liftfreshcopy copy unfold depthtospace spacetodepth shape size rank maskedfill
    maskedselect constant sign scalartensor newzeros newones newfull bitwiseand bitwiseor
    bitwisexor bitwisenot mode median mod remainder floordivide div floormod truncatediv
    """.split()
)
# A cast stays where it is from whole numbers that 32 bits hold; to unsigned ones, where it is from
# such: -1 becomes the largest of 64 bits.
_CASTS = frozenset(("cast", "castlike", "to", "tocopy", "typeas", "quantize", "dequantize"))


@contextlib.contextmanager
def noting() -> Generator[set[str]]:
    """A block in which operators that need 64 bits are noted: their names."""
    found: set[str] = set()
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def note(op: str, inputs: Iterable[Any], outputs: Iterable[Any]) -> None:
    """Tell of an operator what it was given and gave."""
    noted = _noted.get()
    if noted is None:
        return
    kinds = {_kind(value) for value in outputs} - {""}
    if not kinds:
        return
    if "float" in kinds or not _stays(op, "unsigned" in kinds, inputs):
        noted.add(op)


def note_narrowed(op: str, told: str, inputs: Iterable[Any], outputs: Iterable[Any]) -> None:
    """Tell of an operator of 64 bits, where JAX has 32, what it was given and gave."""
    noted = _noted.get()
    if noted is None or not any(is_tracer(value) for value in outputs):
        return
    kinds = {np.dtype(v.dtype).kind for v in outputs if is_tracer(v)}
    if kinds & set("iu") and not _stays(op, "u" in kinds, inputs):
        noted.add(told)


def _stays(op: str, is_unsigned: bool, inputs: Iterable[Any]) -> bool:
    """Whether whole numbers that 32 bits hold are all that an operator makes of such."""
    plain = op.lower().replace("_", "")
    if plain in _CASTS:
        return all(_is_held(value, is_unsigned) for value in inputs)
    return plain in _STAYS and not (is_unsigned and plain == "bitwisenot")


def note_constant(value: np.ndarray[Any, Any]) -> None:
    """Tell of whole numbers that a file holds."""
    noted = _noted.get()
    if noted is None or not value.size or value.dtype not in (np.int64, np.uint64):
        return
    limits = np.iinfo("int32" if value.dtype == np.int64 else "uint32")
    if value.min() < limits.min or value.max() > limits.max:
        noted.add("a constant")


def afresh(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers of 64 bits as a new array: JAX keeps what it made of one, and would take that for a
    program of other bits, too."""
    return value.copy() if value.dtype.itemsize == 8 and value.dtype.kind in "iuf" else value


def without_rounding(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Floats as a variable has them; None where it would round them: they stay constants."""
    if array.dtype != np.float64 or setting("jax_enable_x64"):
        return array
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow.astype(np.float64), array, equal_nan=True) else None


def _kind(value: Any) -> str:
    """'int', 'unsigned' or 'float' of what is computed with 64 bits, '' of everything else."""
    if isinstance(value, list | tuple):
        return next((kind for kind in map(_kind, value) if kind), "")
    if not is_tracer(value):
        return ""
    if value.dtype in (jnp.int64, jnp.uint64):
        return "int" if value.dtype == jnp.int64 else "unsigned"
    return "float" if value.dtype in (jnp.float64, jnp.complex128) else ""


def _is_held(value: Any, is_unsigned: bool) -> bool:
    kind = np.dtype(getattr(value, "dtype", np.int32))
    if kind.kind == "b":
        return True
    return kind.kind == "u" if is_unsigned else kind.kind == "i" or kind in (np.uint8, np.uint16)


__all__ = ["afresh", "note", "note_constant", "note_narrowed", "noting", "without_rounding"]
