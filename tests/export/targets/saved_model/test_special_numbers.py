"""NaN, infinity and what is beyond the limits of integers: SavedModels give nacre's own numbers.

The files are read back by nacre, whose ops for graphs of TensorFlow take such numbers as TensorFlow
does on a CPU (`tests.reference.make_special_values` wrote down what that is).
"""

import numpy as np
import pytest

import nacre
from nacre import ops

NAN, INF = np.nan, np.inf
BEYOND = np.array([[NAN, INF, -INF, 3e9, -3e9, 1e20, 300.5, -1.5, -200, 70000, -0.7]])
ROWS = np.array([[1, NAN, 3, NAN], [-INF, 2, INF, 1], [INF, 1, NAN, INF], [NAN] * 4, [2, 0, 0, 2]])
WHOLE = ("int8", "int16", "int32", "uint8", "uint16", "uint32")
EDGES = np.array([0, 1, 2], "float32")
CASES = {
    "casts": (lambda x: {name: ops.cast(x, name) for name in WHOLE}, BEYOND),
    "places": (
        lambda x: {
            "largest": ops.argmax(x, -1),
            "smallest": ops.argmin(x, -1),
            "of_columns": ops.argmax(x, 1),
            "between": ops.reshape(ops.searchsorted(EDGES, ops.reshape(x, (-1,))), (-1, 4)),
        },
        ROWS,
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES)
def test_saved_models_give_the_numbers_of_nacre_for_nan_and_beyond_limits(case, dtype, tmp_path):
    compute, numbers = CASES[case]
    with np.errstate(over="ignore"):
        numbers = numbers.astype(dtype)
    inputs = nacre.Input(numbers.shape[1:], dtype=dtype, name="x")
    model = nacre.Model(inputs, compute(inputs))
    expected = model.predict(numbers, verbose=0)
    model.export(tmp_path / "saved", verbose=False)
    served = nacre.models.load_model(tmp_path / "saved").serve(numbers)
    assert expected.keys() == served.keys()
    for name, found in served.items():
        np.testing.assert_array_equal(np.asarray(found), expected[name], err_msg=name)
