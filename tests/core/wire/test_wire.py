"""Bytes of records and messages, against their definitions."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nacre.core.wire.crc32c import crc32c
from nacre.core.wire.protobuf import block, double, varint, whole
from nacre.core.wire.records import record
from tests.summary.event_files import fields, masked, slow_crc32c


def test_crc32c_gives_the_values_of_the_standard():
    # RFC 3720, appendix B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0


@pytest.mark.parametrize("size", [1, 255, (32 << 10) - 1, 32 << 10, (32 << 10) + 300])
def test_crc32c_of_long_data_is_that_of_its_bits(size):
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == slow_crc32c(data)
    assert crc32c(memoryview(data)) == crc32c(bytearray(data)) == crc32c(data)


@pytest.mark.parametrize(("unit", "more"), [(1, -1), (1, 0), (1, 6294), (8, 0), (8, 3)])
def test_crc32c_of_folded_data_is_that_of_its_bits(unit, more):
    size = (6777 + 6293) * unit + more  # from here on a block is folded
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(memoryview(b"1" + data)[1:]) == slow_crc32c(data)


def test_crc32c_of_much_data_is_not_taken_byte_by_byte():
    data = bytes(64 << 20)
    begin = time.thread_time()
    crc32c(data)
    assert time.thread_time() - begin < 0.25  # 0.02 s where it was measured; 0.35 by tables


def test_a_record_has_its_length_and_both_checksums():
    data = b"some data"
    written = record(data)
    assert written[:8] == len(data).to_bytes(8, "little")
    assert written[8:12] == masked(written[:8]).to_bytes(4, "little")
    assert written[12:-4] == data
    assert written[-4:] == masked(data).to_bytes(4, "little")


def test_fields_are_read_back_as_written():
    inner = whole(1, 7) + block(2, "épée")
    message = whole(1, 0) + whole(200, 1 << 40) + double(3, -0.5) + block(4, inner)
    assert fields(message) == [(1, 0), (200, 1 << 40), (3, -0.5), (4, inner)]
    assert fields(inner)[1] == (2, "épée".encode())
    assert len(varint(-1)) == 10
