"""Layers that hold another layer."""

from nacre.layers.wrappers.time_distributed import TimeDistributed as TimeDistributed
from nacre.layers.wrappers.wrapper import Wrapper as Wrapper

__all__ = ["TimeDistributed", "Wrapper"]
