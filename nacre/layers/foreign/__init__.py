"""Models written for other libraries, used as layers: functions in JAX, Flax, PyTorch."""

from nacre.layers.foreign.flax_layer import FlaxLayer as FlaxLayer
from nacre.layers.foreign.jax_layer import JaxLayer as JaxLayer
from nacre.layers.foreign.torch_module import TorchModuleWrapper as TorchModuleWrapper

__all__ = ["FlaxLayer", "JaxLayer", "TorchModuleWrapper"]
