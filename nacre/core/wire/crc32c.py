"""CRC-32C, the checksum of TFRecord files and checkpoints, which neither zlib nor NumPy has.

Source: RFC 3720, appendix B.4 (Castagnoli's polynomial 0x1EDC6F41, bits reversed 0x82F63B78).
"""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h, kMaskDelta
# Much data is folded first: x^6777 leaves the same remainder as x^484 + x^100 + 1, and so do the
# powers of both sides by 8 and 64, as (a + b)^2 is a^2 + b^2 here. What stands 6777 bytes, or words
# of 64 bits, before others can so be added to what stands 484, 100 and 0 before them, some 6000 at
# once: 2 GB a second. (Of all such sums of three powers below 9000 the one with the widest gap.)
_FOLDED, _INTO_FIRST, _INTO_SECOND = 6777, 484, 100
_GAP = _FOLDED - _INTO_FIRST
# Some hundred bytes and more are looked up together: what each does to the register at its distance
# from the end. A loop of Python does some 15 MB a second, the table some 200.
_PIECE_BYTES = 1024
_FEW_BYTES = 64


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The checksum of some bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    rest, state = memoryview(data).cast("B"), _ONES
    for unit in (np.uint64, np.uint8):
        rest, state = _folded(rest, state, np.dtype(unit))
    if len(rest) >= _FEW_BYTES:
        num_bytes = len(rest) % _PIECE_BYTES
        if num_bytes >= 4:
            state, rest = _of_piece(rest[:num_bytes], state), rest[num_bytes:]
        num_bytes = len(rest) // _PIECE_BYTES * _PIECE_BYTES
        state, rest = _of_pieces(rest[:num_bytes], state), rest[num_bytes:]
    table = _table()
    for byte in rest:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ _ONES


def masked(checksum: int) -> bytes:
    """A checksum as TensorFlow and LevelDB store it.

    It is turned and shifted, so that the checksum of data that holds one stays a good one.

    Example:
        >>> masked(crc32c(b"123456789")).hex()
        'e5b08ac7'
    """
    turned = (checksum >> 15 | checksum << 17) + _MASK_DELTA
    return struct.pack("<I", turned & _ONES)


def _folded(data: memoryview, state: int, unit: np.dtype[Any]) -> tuple[memoryview, int]:
    """Shorter data with the register that gives the same: itself where it is short already."""
    num_blocks = (len(data) // unit.itemsize - _FOLDED) // _GAP
    if num_blocks <= 0:
        return data, state
    num_folded = num_blocks * _GAP
    blocks = np.frombuffer(data, unit, num_folded).reshape(num_blocks, _GAP)
    carried, block = np.zeros(_FOLDED, unit), np.empty(_GAP, unit)  # onto what is next; what is now
    carried.view(np.uint8)[:4] = np.frombuffer(struct.pack("<I", state), np.uint8)
    for read in blocks:
        np.bitwise_xor(read, carried[:_GAP], out=block)
        carried[:_INTO_FIRST] = carried[_GAP:]
        carried[_INTO_FIRST:] = 0
        for distance in (_INTO_FIRST, _INTO_SECOND, 0):
            begin = _INTO_FIRST - distance
            part = carried[begin : begin + _GAP]
            np.bitwise_xor(part, block, out=part)
    rest = np.frombuffer(data, np.uint8, offset=num_folded * unit.itemsize).copy()
    rest[: carried.nbytes] ^= carried.view(np.uint8)
    return rest.data, 0


def _of_piece(data: memoryview, state: int) -> int:
    """The register after data of 4 to 1024 bytes. What it was is as good as in the first four."""
    by_distance, starts = _by_distance()
    places = starts[-len(data) :] + np.frombuffer(data, np.uint8)
    found = int(np.bitwise_xor.reduce(by_distance[places]))
    return found ^ _moved(state, len(data))


def _of_pieces(data: memoryview, state: int) -> int:
    """The register after data of whole pieces.

    A register is linear in what it starts with and in the data, over bits and exclusive or: each
    piece is taken from a register of zeros, and what stood before it is moved on by its length.
    """
    by_distance, starts = _by_distance()
    pieces = np.frombuffer(data, np.uint8).reshape(-1, _PIECE_BYTES)  # (pieces, bytes)
    for found in np.bitwise_xor.reduce(by_distance[starts + pieces], axis=1).tolist():
        state = _moved(state, _PIECE_BYTES) ^ found
    return state


def _moved(state: int, count: int) -> int:
    """A register after so many zeros, 4 to 1024: that of its own bytes and the zeros left."""
    by_distance, _ = _by_distance()
    end = (count - 1) << 8
    return int(
        by_distance[end | state & 0xFF]
        ^ by_distance[end - 256 | state >> 8 & 0xFF]
        ^ by_distance[end - 512 | state >> 16 & 0xFF]
        ^ by_distance[end - 768 | state >> 24]
    )


@functools.cache
def _table() -> list[int]:
    """What each byte does to the register."""
    table: list[int] = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


@functools.cache
def _by_distance() -> tuple[np.ndarray, np.ndarray]:
    """What a byte does with zeros behind it, at `zeros * 256 + byte`; and where in it the bytes of
    a piece begin."""
    table = np.array(_table(), np.uint32)
    rows: list[Any] = [table]
    for _ in range(_PIECE_BYTES - 1):
        rows.append(table[rows[-1] & 0xFF] ^ rows[-1] >> 8)
    return np.concatenate(rows), np.arange(_PIECE_BYTES - 1, -1, -1) << 8


__all__ = ["crc32c", "masked"]
