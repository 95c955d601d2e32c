"""Write folders.npz: what Keras makes of the folders in `tests/cases/folders.py`.

Run in the root of the repository, with Keras 3.15.1 and Pillow: python -m tests.reference.make_folders
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np

from tests.cases.folders import results

with tempfile.TemporaryDirectory() as folder:
    found = results(keras.utils, Path(folder))
np.savez_compressed(Path(__file__).with_name("folders.npz"), **found)
