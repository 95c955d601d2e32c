"""Write `application_weights.json`: which files ready-made networks of Keras 3 ask for.

For each member with the top and without, and for factors and sizes that have files of their own:
name in the cache, address, and digest. Nothing is fetched: the function that would is replaced.

Usage: python make_application_weights.py
"""

from __future__ import annotations

from typing import Any

import oracle  # isort: skip
import keras
from cases import applications as cases
from keras.src.utils import file_utils


class Asked(Exception):
    """A file was asked for."""


def get_file(fname: Any = None, origin: Any = None, *args: Any, **keywords: Any) -> None:
    raise Asked(fname, origin, keywords.get("file_hash") or keywords.get("md5_hash"))


file_utils.get_file = get_file
found = {}
for key, name, arguments in cases.weight_files():
    keras.backend.clear_session()
    try:
        with keras.StatelessScope():  # variables have shapes and no values
            getattr(keras.applications, name)(**arguments)
    except Asked as asked:
        found[key] = list(asked.args)
oracle.write_facts("application_weights", found)
