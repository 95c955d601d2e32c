"""`preprocess_input` of the single networks: the mode that each was trained with."""

from __future__ import annotations

from typing import Any

from nacre.applications import imagenet_utils


def caffe(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0…255, blue first and without ImageNet's mean, as the network wants.

    Args:
        x: Pictures in red, green, blue; see `imagenet_utils.preprocess_input`.
        data_format: 'channels_last' or 'channels_first'; that of `nacre.config` when None.
    """
    return imagenet_utils.preprocess_input(x, data_format, mode="caffe")


def tf(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0…255, scaled to -1…1, as the network wants.

    Args:
        x: Pictures in red, green, blue; see `imagenet_utils.preprocess_input`.
        data_format: 'channels_last' or 'channels_first'; that of `nacre.config` when None.
    """
    return imagenet_utils.preprocess_input(x, data_format, mode="tf")


def torch(x: Any, data_format: str | None = None) -> Any:
    """Pictures with values 0…255, scaled by ImageNet's mean and deviation, as the network wants.

    Args:
        x: Pictures in red, green, blue; see `imagenet_utils.preprocess_input`.
        data_format: 'channels_last' or 'channels_first'; that of `nacre.config` when None.
    """
    return imagenet_utils.preprocess_input(x, data_format, mode="torch")


def none(x: Any, data_format: str | None = None) -> Any:
    """Pictures as they are: the network takes values 0…255 and scales them itself.

    Args:
        x: Pictures in red, green, blue.
        data_format: Of no meaning here; other networks' functions take it.
    """
    return x


# Files of models with one in a `Lambda` name it, and people pass it by the name they know. Pickles
# go by `__qualname__`, which stays.
for _function in (caffe, tf, torch, none):
    _function.__name__ = "preprocess_input"
