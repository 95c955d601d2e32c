"""Names of NumPy 1 in scripts."""

from __future__ import annotations

import numpy as np
import pytest

from nacre.tf import methods


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy 1, which has them itself
def test_names_that_numpy_2_took_away_mean_what_they_did() -> None:
    old = np  # as a checker knows no such names
    for name, wanted in (("Inf", np.inf), ("NINF", -np.inf), ("float_", np.float64)):
        assert getattr(old, name) == wanted
    for name, arguments, wanted in (
        ("product", ([2, 3],), 6),
        ("alltrue", ([True, False],), False),
        ("trapz", ([1.0, 3.0],), 2.0),
        ("in1d", ([[1, 2], [3, 4]], [2, 4]), [False, True, False, True]),
        ("asfarray", ([1, 2],), [1.0, 2.0]),
        ("round_", (1.26, 1), 1.3),
    ):
        assert np.asarray(getattr(old, name)(*arguments)).tolist() == wanted


def test_they_are_gone_where_no_script_of_tensorflow_runs() -> None:
    before = {name for name in dir(np) if not name.startswith("_")}
    methods.take_methods_back()
    try:
        after = {name for name in dir(np) if not name.startswith("_")}
    finally:
        methods.lend_methods()
    assert after <= before
    assert ("Inf" in after) == (np.__version__ < "2")
