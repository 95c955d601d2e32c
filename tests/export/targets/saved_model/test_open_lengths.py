"""What is padded with itself and cut into windows is saved for any length."""

import numpy as np
import pytest

import nacre
from nacre import ops

LAYERS = nacre.layers
CASES = {
    "mel": LAYERS.MelSpectrogram(num_mel_bins=4, fft_length=16, sequence_stride=8),
    "reflect": LAYERS.Lambda(lambda x: ops.pad(x, ((0, 0), (3, 5)), mode="reflect")),
    "symmetric": LAYERS.Lambda(lambda x: ops.pad(x, ((0, 0), (3, 5)), mode="symmetric")),
    "wrap": LAYERS.Lambda(lambda x: ops.pad(x, ((0, 0), (3, 5)), mode="wrap")),
}


@pytest.mark.parametrize("case", CASES)
def test_signals_of_any_length_are_saved(case, tmp_path):
    inputs = nacre.Input((None,), name="x")
    model = nacre.Model(inputs, CASES[case](inputs))
    model.export(tmp_path / "saved", verbose=False)
    served = nacre.models.load_model(tmp_path / "saved")
    for length in (21, 2, 1):
        x = np.linspace(-1, 2, 2 * length, dtype="float32").reshape(2, length) ** 2
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(np.asarray(served.serve(x)), expected, 1e-5, 1e-5)
        if case in ("reflect", "symmetric", "wrap"):
            np.testing.assert_array_equal(expected, np.pad(x, ((0, 0), (3, 5)), mode=case))
