"""Fingerprints of strings: the same 64 bits on every machine, in every version.

All functions are vectorised: one row of bytes a string, grouped by length, uint64 throughout (the
unsigned arithmetic of NumPy wraps around, as the algorithms want).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_int, is_list

Words = np.ndarray  # uint64, one a string

# The three primes of CityHash and FarmHash.
_K0 = np.uint64(0xC3A5C85C97CB3127)
_K1 = np.uint64(0xB492B66FBE98F273)
_K2 = np.uint64(0x9AE16A3B2F90404F)
# The multiplier of MurmurHash64A, by which TensorFlow joins two fingerprints.
_JOIN = np.uint64(0xC6A4A7935BD1E995)
# What the joined fingerprints of a cross start with, in tf.sparse.cross_hashed.
CROSS_START = 0xDECAFCAFFE


def farm_fingerprint(strings: Iterable[bytes]) -> Words:
    """FarmHash's Fingerprint64 of each string.

    Source:
        Pike 2014, FarmHash 1.1, `farmhashna::Hash64`.
    Example:
        >>> hex(int(farm_fingerprint([b""])[0]))
        '0x9ae16a3b2f90404f'
    """
    return _by_length(strings, _farm)


def sip_fingerprint(strings: Iterable[bytes], key: tuple[int, int]) -> Words:
    """SipHash-2-4 of each string under a key of two 64-bit numbers.

    Source:
        Aumasson & Bernstein 2012, "SipHash: a fast short-input PRF".
    Example:
        >>> key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
        >>> hex(int(sip_fingerprint([bytes(range(15))], key)[0]))
        '0xa129ca6149be45e5'
    """
    return _by_length(strings, lambda rows: _sip(rows, key))


def fingerprints(strings: Iterable[bytes], salt: tuple[int, int] | None) -> Words:
    """FarmHash's fingerprints, or with a salt SipHash's under it."""
    return farm_fingerprint(strings) if salt is None else sip_fingerprint(strings, salt)


def bytes_of(value: Any) -> bytes:
    """A value as TensorFlow writes it: strings in UTF-8, ints in decimal digits."""
    return value if isinstance(value, bytes) else str(value).encode()


def checked_salt(salt: Any, who: str) -> list[int] | None:
    """A salt as two ints; one int stands for both.

    Raises:
        ArgumentError: It is neither an int nor two.
    """
    if salt is None:
        return None
    pair: list[Any] = [salt, salt] if is_int(salt) else list(salt) if is_list(salt) else []
    if len(pair) != 2 or not all(map(is_int, pair)):
        raise ArgumentError(message(who, "salt must be an int or two ints", repr(salt)))
    return [int(s) for s in pair]


def join_fingerprints(first: Words, second: Words) -> Words:
    """One fingerprint for two, order-dependent.

    Formula:
        h = first ^ m;  h = (h ^ s(second · m) · m) · m;  s(s(h) · m), with s(v) = v ^ (v >> 47)
    Source:
        TensorFlow 2.21, `FingerprintCat64`.
    """
    mixed = (first ^ _JOIN) ^ (_shift_mix(second * _JOIN) * _JOIN)
    return _shift_mix(_shift_mix(mixed * _JOIN) * _JOIN)


def crossed(features: Iterable[np.ndarray]) -> Words:
    """One fingerprint for each combination of values: of texts theirs, of integers themselves.

    Args:
        features: Flat arrays of one size: of integers or booleans, or of objects that are texts.
    Source:
        TensorFlow 2.21, `tf.sparse.cross_hashed` without a key of one's own.
    """
    joined: Words | None = None
    with np.errstate(over="ignore"):
        for feature in features:
            if joined is None:
                joined = np.full(len(feature), CROSS_START, "uint64")
            if feature.dtype.kind in "iub":
                words = feature.astype("int64").astype("uint64")
            else:
                words = farm_fingerprint(bytes_of(value) for value in feature.tolist())
            joined = join_fingerprints(joined, words)
    return np.zeros(0, "uint64") if joined is None else joined


def _by_length(strings: Iterable[bytes], function: Callable[[np.ndarray], Words]) -> Words:
    """`function` over all strings of one length at a time, given as rows of bytes."""
    items = list(strings)
    lengths = np.array([len(s) for s in items], "int64")
    result = np.zeros(len(items), "uint64")
    with np.errstate(over="ignore"):
        for length in np.unique(lengths):
            places = np.flatnonzero(lengths == length)
            joined = b"".join(items[i] for i in places)
            rows = np.frombuffer(joined, "uint8").reshape(len(places), length)
            result[places] = function(rows)
    return result


# --- FarmHash ------------------------------------------------------------------------------------


def _fetch64(rows: np.ndarray, start: int) -> Words:
    return np.ascontiguousarray(rows[:, start : start + 8]).view("<u8")[:, 0].astype("uint64")


def _fetch32(rows: np.ndarray, start: int) -> Words:
    return np.ascontiguousarray(rows[:, start : start + 4]).view("<u4")[:, 0].astype("uint64")


def _rotate_right(value: Words, bits: int) -> Words:
    return (value >> np.uint64(bits)) | (value << np.uint64(64 - bits))


def _shift_mix(value: Words) -> Words:
    return value ^ (value >> np.uint64(47))


def _hash_two(u: Words, v: Words, multiplier: Any) -> Words:
    a = _shift_mix((u ^ v) * multiplier)
    return _shift_mix((v ^ a) * multiplier) * multiplier


def _farm(rows: np.ndarray) -> Words:
    length = rows.shape[1]
    if length == 0:
        return np.full(len(rows), _K2)
    for longest, function in ((3, _farm_3), (7, _farm_7), (16, _farm_16), (32, _farm_32)):
        if length <= longest:
            return function(rows, length)
    return _farm_64(rows, length) if length <= 64 else _farm_long(rows, length)


def _multiplier(length: int) -> np.uint64:
    return _K2 + np.uint64(length * 2)


def _farm_3(rows: np.ndarray, length: int) -> Words:
    a, b, c = (rows[:, i].astype("uint64") for i in (0, length >> 1, length - 1))
    y = a + (b << np.uint64(8))
    z = np.uint64(length) + (c << np.uint64(2))
    return _shift_mix((y * _K2) ^ (z * _K0)) * _K2


def _farm_7(rows: np.ndarray, length: int) -> Words:
    first = np.uint64(length) + (_fetch32(rows, 0) << np.uint64(3))
    return _hash_two(first, _fetch32(rows, length - 4), _multiplier(length))


def _farm_16(rows: np.ndarray, length: int) -> Words:
    multiplier = _multiplier(length)
    a = _fetch64(rows, 0) + _K2
    b = _fetch64(rows, length - 8)
    c = _rotate_right(b, 37) * multiplier + a
    d = (_rotate_right(a, 25) + b) * multiplier
    return _hash_two(c, d, multiplier)


def _farm_32(rows: np.ndarray, length: int) -> Words:
    multiplier = _multiplier(length)
    a = _fetch64(rows, 0) * _K1
    b = _fetch64(rows, 8)
    c = _fetch64(rows, length - 8) * multiplier
    d = _fetch64(rows, length - 16) * _K2
    first = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    return _hash_two(first, a + _rotate_right(b + _K2, 18) + c, multiplier)


def _farm_64(rows: np.ndarray, length: int) -> Words:
    multiplier = _multiplier(length)
    a = _fetch64(rows, 0) * _K2
    b = _fetch64(rows, 8)
    c = _fetch64(rows, length - 8) * multiplier
    d = _fetch64(rows, length - 16) * _K2
    y = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    z = _hash_two(y, a + _rotate_right(b + _K2, 18) + c, multiplier)
    e = _fetch64(rows, 16) * multiplier
    f = _fetch64(rows, 24)
    g = (y + _fetch64(rows, length - 32)) * multiplier
    h = (z + _fetch64(rows, length - 24)) * multiplier
    first = _rotate_right(e + f, 43) + _rotate_right(g, 30) + h
    return _hash_two(first, e + _rotate_right(f + a, 18) + g, multiplier)


def _weak(rows: np.ndarray, start: int, a: Words, b: Words) -> tuple[Words, Words]:
    """32 bytes folded into a state of two words."""
    w, x, y, z = (_fetch64(rows, start + 8 * i) for i in range(4))
    a = a + w
    b = _rotate_right(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z, b + _rotate_right(a, 44) + c


def _farm_long(rows: np.ndarray, length: int) -> Words:
    """Strings over 64 bytes: blocks of 64 through a state of seven words."""
    zero = np.zeros(len(rows), "uint64")
    seed = np.uint64(81)
    x, y = seed * _K2 + _fetch64(rows, 0), seed * _K1 + np.uint64(113) + zero
    z = _shift_mix(y * _K2 + np.uint64(113)) * _K2
    v, w = (zero, zero), (zero, zero)
    for start in range(0, (length - 1) // 64 * 64, 64):
        x = _rotate_right(x + y + v[0] + _fetch64(rows, start + 8), 37) * _K1
        y = _rotate_right(y + v[1] + _fetch64(rows, start + 48), 42) * _K1
        x = x ^ w[1]
        y = y + v[0] + _fetch64(rows, start + 40)
        z = _rotate_right(z + w[0], 33) * _K1
        v = _weak(rows, start, v[1] * _K1, x + w[0])
        w = _weak(rows, start + 32, z + w[1], y + _fetch64(rows, start + 16))
        z, x = x, z
    multiplier = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    start, nine = length - 64, np.uint64(9)
    w = (w[0] + np.uint64((length - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x = _rotate_right(x + y + v[0] + _fetch64(rows, start + 8), 37) * multiplier
    y = _rotate_right(y + v[1] + _fetch64(rows, start + 48), 42) * multiplier
    x = x ^ (w[1] * nine)
    y = y + v[0] * nine + _fetch64(rows, start + 40)
    z = _rotate_right(z + w[0], 33) * multiplier
    v = _weak(rows, start, v[1] * multiplier, x + w[0])
    w = _weak(rows, start + 32, z + w[1], y + _fetch64(rows, start + 16))
    z, x = x, z
    first = _hash_two(v[0], w[0], multiplier) + _shift_mix(y) * _K0 + z
    return _hash_two(first, _hash_two(v[1], w[1], multiplier) + x, multiplier)


# --- SipHash -------------------------------------------------------------------------------------


def _rotate_left(value: Words, bits: int) -> Words:
    return _rotate_right(value, 64 - bits)


def _sip_round(v0: Words, v1: Words, v2: Words, v3: Words) -> tuple[Words, Words, Words, Words]:
    v0, v2 = v0 + v1, v2 + v3
    v1, v3 = _rotate_left(v1, 13) ^ v0, _rotate_left(v3, 16) ^ v2
    v0 = _rotate_left(v0, 32)
    v2, v0 = v2 + v1, v0 + v3
    v1, v3 = _rotate_left(v1, 17) ^ v2, _rotate_left(v3, 21) ^ v0
    return v0, v1, _rotate_left(v2, 32), v3


def _sip(rows: np.ndarray, key: tuple[int, int]) -> Words:
    """Two rounds a word of the text, four at the end."""
    count, length = rows.shape
    # The text, then zeros, then its length in the last byte of the last word.
    padded = np.zeros((count, (length // 8 + 1) * 8), "uint8")
    padded[:, :length] = rows
    padded[:, -1] = length & 0xFF
    first, second = (np.uint64(int(k) & 0xFFFFFFFFFFFFFFFF) for k in key)
    zero = np.zeros(count, "uint64")
    # "somepseudorandomlygeneratedbytes", in four words.
    v0 = zero + (first ^ np.uint64(0x736F6D6570736575))
    v1 = zero + (second ^ np.uint64(0x646F72616E646F6D))
    v2 = zero + (first ^ np.uint64(0x6C7967656E657261))
    v3 = zero + (second ^ np.uint64(0x7465646279746573))
    for start in range(0, padded.shape[1], 8):
        word = _fetch64(padded, start)
        v3 = v3 ^ word
        for _ in range(2):
            v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
        v0 = v0 ^ word
    v2 = v2 ^ np.uint64(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3
