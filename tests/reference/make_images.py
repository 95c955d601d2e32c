"""Write images.npz: what Keras makes of the pictures in `tests/cases/pictures.py`.

Run in the root of the repository, with Keras 3.15.1 and Pillow: python -m tests.reference.make_images
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np

from tests.cases.pictures import results

with tempfile.TemporaryDirectory() as folder:
    found = results(keras.utils, Path(folder))
# Numbers below 65,536, all of them whole.
np.savez_compressed(
    Path(__file__).with_name("images.npz"), **{n: a.astype("uint16") for n, a in found.items()}
)
