"""Batches put together and taken apart."""

import pytest

from nacre.core.errors import DataError
from nacre.utils import pack_x_y_sample_weight, unpack_x_y_sample_weight


@pytest.mark.parametrize(
    ("parts", "packed"),
    [
        ((1,), 1),
        (([1, 2],), ([1, 2],)),
        (((1, 2),), ((1, 2),)),
        ((1, 2), (1, 2)),
        ((1, 2, 3), (1, 2, 3)),
        (({"a": 1}, 2), ({"a": 1}, 2)),
    ],
)
def test_packing_and_unpacking(parts, packed):
    assert pack_x_y_sample_weight(*parts) == packed
    assert unpack_x_y_sample_weight(packed) == (*parts, None, None)[:3]


def test_four_parts_are_no_batch():
    with pytest.raises(DataError, match="4 parts"):
        unpack_x_y_sample_weight((1, 2, 3, 4))
