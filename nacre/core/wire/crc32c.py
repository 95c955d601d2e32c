"""CRC-32C, the checksum of TFRecord files, which neither zlib nor NumPy has.

Source: RFC 3720, appendix B.4 (Castagnoli's polynomial 0x1EDC6F41, bits reversed 0x82F63B78).
"""

from __future__ import annotations

import functools

import numpy as np

_POLYNOMIAL = 0x82F63B78
_ONES = 0xFFFFFFFF
# Long data is cut into pieces whose checksums are found side by side: a loop of Python does some
# 15 MB a second, the pieces some 150. Below this size the loop is as fast.
_PIECE_BYTES = 256
_LONG_BYTES = 32 << 10


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The checksum of some bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    table, rest, state = _table(), memoryview(data).cast("B"), _ONES
    if len(rest) >= _LONG_BYTES:
        num_bytes = len(rest) // _PIECE_BYTES * _PIECE_BYTES
        state, rest = _of_pieces(rest[:num_bytes], state), rest[num_bytes:]
    for byte in rest:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ _ONES


def _of_pieces(data: memoryview, state: int) -> int:
    """The register after data of whole pieces.

    A register is linear in what it starts with and in the data, over bits and exclusive or: each
    piece is taken from a register of zeros, and what stood before it is moved on by its length.
    """
    table = np.array(_table(), np.uint32)
    pieces = np.frombuffer(data, np.uint8).reshape(-1, _PIECE_BYTES)  # (pieces, bytes)
    states = np.zeros(len(pieces), np.uint32)
    for column in np.ascontiguousarray(pieces.T):
        states = table[(states ^ column) & 0xFF] ^ states >> 8
    first, second, third, fourth = _moves()
    for found in states.tolist():
        state = (
            first[state & 0xFF]
            ^ second[state >> 8 & 0xFF]
            ^ third[state >> 16 & 0xFF]
            ^ fourth[state >> 24]
            ^ found
        )
    return state


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
def _moves() -> list[list[int]]:
    """The register after a piece of zeros, by each of the four bytes it had."""
    table = np.array(_table(), np.uint32)
    states = np.array([np.arange(256) << shift for shift in (0, 8, 16, 24)], np.uint32)
    for _ in range(_PIECE_BYTES):
        states = table[states & 0xFF] ^ states >> 8
    return states.tolist()


__all__ = ["crc32c"]
