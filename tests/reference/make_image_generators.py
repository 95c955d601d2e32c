"""Write image_generators.npz: what tf.keras makes of `tests/cases/image_generators.py`.

Run in the root of the repository, with TensorFlow 2.15.1, Pillow and SciPy:
python -m tests.reference.make_image_generators
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.cases.image_generators import folder_results, results, write_folder

found = results(tf.keras.preprocessing.image)
with tempfile.TemporaryDirectory() as folder:
    found |= folder_results(tf.keras.preprocessing.image, write_folder(Path(folder)))
np.savez_compressed(Path(__file__).with_name("image_generators.npz"), **found)
