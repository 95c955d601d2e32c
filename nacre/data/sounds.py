"""Sound files of the WAV kind, read as numbers from -1 to 1.

The standard library's `wave` reads no files of floats, none of several channels with the extended
header that many programs write before Python 3.12, and names neither file nor reason.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message

Array = np.ndarray[Any, Any]

# Of the header "fmt ": Microsoft's mmreg.h.
_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_OTHERS = {2: "Microsoft's ADPCM", 6: "A-law", 7: "µ-law", 0x11: "IMA's ADPCM", 0x55: "MP3"}


@dataclass(frozen=True)
class _Form:
    """What the header says of the samples."""

    code: int
    channels: int
    rate: int
    bits: int


def read_wav(path: str, who: str) -> tuple[Array, int]:
    """The samples of a file, and how many there are in a second.

    Whole numbers of 8, 16, 24 and 32 bits, and floats of 32 and 64 bits. Chunks of other things are
    left out.

    Args:
        path: The file.
        who: Who asks, for messages.

    Shapes:
        samples (steps, channels), float32 from -1 to 1; floats as they are

    Raises:
        ArgumentError: It is no such file; it is named.
    """
    with open(path, "rb") as file:
        content = file.read()

    def refused(what: str) -> ArgumentError:
        rule = "the file must be a whole WAV file of numbers that are not compressed"
        fix = "Other kinds: ffmpeg -i file -c:a pcm_s16le file.wav"
        return ArgumentError(message(who, rule, f"{os.fspath(path)!r}: {what}", fix))

    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise refused("it does not begin with RIFF and WAVE")
    form: _Form | None = None
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        body = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2  # chunks begin at even places
        if name == b"fmt " and len(body) >= 16:
            code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if code == _EXTENSIBLE and len(body) >= 26:
                (code,) = struct.unpack_from("<H", body, 24)  # the beginning of its GUID
            form = _Form(code, channels, rate, bits)
        elif name == b"data":
            if form is None:
                raise refused("samples come before what says their kind")
            is_stream = size == 0xFFFFFFFF  # of a program that did not know how many there will be
            if len(body) < size and not is_stream:
                raise refused(f"it ends after {len(body)} of {size} bytes of samples")
            samples = _samples(body, form)
            if isinstance(samples, str):
                raise refused(samples)
            return samples, form.rate
    raise refused("it has no samples")


def _samples(body: bytes, form: _Form) -> Array | str:
    """(steps, channels), or why not."""
    width = form.bits // 8
    is_known = (form.code, form.bits) in _SCALES
    if not is_known or form.channels < 1 or not form.rate:
        kind = _OTHERS.get(form.code, f"kind {form.code}")
        kind = {_PCM: "whole numbers", _FLOAT: "floats"}.get(form.code, kind)
        return f"{form.channels} channels of {kind}, {form.bits} bits, at {form.rate} Hz"
    frame = width * form.channels
    body = body[: len(body) // frame * frame]
    if form.bits == 24:
        parts = np.frombuffer(body, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts  # the upper bytes, so that the sign is in its place
        numbers: Array = wide.view("<i4")[:, 0]
    else:
        numbers = np.frombuffer(body, _DTYPES[form.code, form.bits])
    middle, scale = _SCALES[form.code, form.bits]
    if scale != 1:
        numbers = (numbers.astype(np.float64) - middle) / scale
    return numbers.astype(np.float32).reshape(-1, form.channels)


_DTYPES = {
    (_PCM, 8): "u1", (_PCM, 16): "<i2", (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4", (_FLOAT, 64): "<f8",
}  # fmt: skip
# What is taken away, and divided by; 24 bits stand in the upper ones of 32.
_SCALES = {
    (_PCM, 8): (128, 128.0), (_PCM, 16): (0, 2.0**15), (_PCM, 24): (0, 2.0**31),
    (_PCM, 32): (0, 2.0**31), (_FLOAT, 32): (0, 1), (_FLOAT, 64): (0, 1),
}  # fmt: skip


__all__ = ["read_wav"]
