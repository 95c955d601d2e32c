"""PNG and WAV as bytes, for what the viewer shows and plays."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

# W3C, PNG Specification, table 11.1: channels -> color type.
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A picture of 8 bits a channel.

    Args:
        pixels: (height width channels) uint8: gray, gray and alpha, RGB, or RGBA.

    Source: W3C, *PNG Specification*, sections 5 (chunks), 9 (filters; 0 leaves a line as it is),
    11.2 (IHDR).
    """
    height, width, channels = pixels.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # a filter's number, then the line
    lines[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def wav(samples: np.ndarray[Any, Any], sample_rate: int) -> bytes:
    """Sound of 16 bits a sample.

    Args:
        samples: (time channels), from -1 to 1; what is beyond is cut off.
        sample_rate: Samples a second.

    Source: Microsoft and IBM, *Multimedia Programming Interface 1.0*, RIFF WAVE, format 1 (PCM).
    """
    channels = samples.shape[1]
    numbers = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    rate, frame = sample_rate, 2 * channels  # bytes
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * frame, frame, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(numbers)) + numbers
    return struct.pack("<4sI", b"RIFF", len(body)) + body


__all__ = ["png", "wav"]
