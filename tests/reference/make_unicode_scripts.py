"""Writes `nacre/tf/unicode_scripts.txt.gz`: where runs of characters of one script begin.

    PYTHON -m tests.reference.make_unicode_scripts     with TensorFlow 2.15

A line holds a character's number, in hexadecimal digits, and the number of the script of those from
there on, as ICU's `UScriptCode` counts them.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TARGET = Path(__file__).resolve().parents[2] / "nacre" / "tf" / "unicode_scripts.txt.gz"
_CHARACTERS = 0x110000


def main() -> None:
    """Ask TensorFlow for the script of every character."""
    import tensorflow as tf

    scripts = tf.strings.unicode_script(np.arange(_CHARACTERS, dtype=np.int32)).numpy()
    starts = np.flatnonzero(np.r_[True, scripts[1:] != scripts[:-1]])
    lines = "".join(f"{start:x} {scripts[start]}\n" for start in starts)
    TARGET.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
