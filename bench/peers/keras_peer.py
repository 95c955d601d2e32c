"""Keras 3, on the backend that the request names."""

from __future__ import annotations

import os
from typing import Any

from bench.peers import keras_way, protocol


def import_keras(request: protocol.Request) -> Any:
    """Keras on the backend of the request."""
    os.environ["KERAS_BACKEND"] = request["backend"]
    import keras

    if keras.backend.backend() != request["backend"]:
        raise RuntimeError(f"wanted {request['backend']}, got {keras.backend.backend()}")
    return keras


if __name__ == "__main__":
    protocol.serve(keras_way.jobs(import_keras))
