"""nacre: the Keras way of deep learning on XLA, without TensorFlow.

`import nacre as keras` and your code runs. Names are looked up when first used: importing nacre
loads neither JAX nor NumPy.
"""

import gc
import importlib
from typing import TYPE_CHECKING, Any

from nacre.core.late_names import late_names

if TYPE_CHECKING:
    from nacre import activations as activations
    from nacre import applications as applications
    from nacre import backend as backend
    from nacre import callbacks as callbacks
    from nacre import config as config
    from nacre import constraints as constraints
    from nacre import data as data
    from nacre import datasets as datasets
    from nacre import distillation as distillation
    from nacre import distribution as distribution
    from nacre import dtype_policies as dtype_policies
    from nacre import export as export
    from nacre import initializers as initializers
    from nacre import layers as layers
    from nacre import losses as losses
    from nacre import metrics as metrics
    from nacre import mixed_precision as mixed_precision
    from nacre import models as models
    from nacre import ops as ops
    from nacre import optimizers as optimizers
    from nacre import preprocessing as preprocessing
    from nacre import quantizers as quantizers
    from nacre import random as random
    from nacre import regularizers as regularizers
    from nacre import saving as saving
    from nacre import summary as summary
    from nacre import tree as tree
    from nacre import utils as utils
    from nacre import visualization as visualization
    from nacre import wrappers as wrappers
    from nacre.core.names import name_scope as name_scope
    from nacre.core.policies import DTypePolicy as DTypePolicy
    from nacre.core.policies import FloatDTypePolicy as FloatDTypePolicy
    from nacre.core.scope import StatelessScope as StatelessScope
    from nacre.core.scope import SymbolicScope as SymbolicScope
    from nacre.core.symbolic import KerasTensor as KerasTensor
    from nacre.core.tape import GradientTape as GradientTape
    from nacre.core.variable import Variable as Variable
    from nacre.distribution import device as device
    from nacre.initializers import Initializer as Initializer
    from nacre.layers import Input as Input
    from nacre.layers import InputSpec as InputSpec
    from nacre.layers import Layer as Layer
    from nacre.layers.base.remat import RematScope as RematScope
    from nacre.layers.base.remat import remat as remat
    from nacre.losses import Loss as Loss
    from nacre.metrics import Metric as Metric
    from nacre.models import Functional as Functional
    from nacre.models import Model as Model
    from nacre.models import Sequential as Sequential
    from nacre.models.functional import Function as Function
    from nacre.ops import custom_gradient as custom_gradient
    from nacre.ops.operation import Operation as Operation
    from nacre.optimizers import Optimizer as Optimizer
    from nacre.quantizers import Quantizer as Quantizer
    from nacre.regularizers import Regularizer as Regularizer
    from nacre.tf.takeover import install as install
    from nacre.tf.takeover import load_ipython_extension as load_ipython_extension
    from nacre.training.function import function as function

__version__ = "0.1.0"

_NAMESPACES = (
    "activations",
    "applications",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "data",
    "datasets",
    "distillation",
    "distribution",
    "dtype_policies",
    "export",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "saving",
    "summary",
    "tree",
    "utils",
    "visualization",
    "wrappers",
)
_NAMES = {
    "DTypePolicy": "nacre.core.policies",
    "FloatDTypePolicy": "nacre.core.policies",
    "Function": "nacre.models.functional",
    "Functional": "nacre.models",
    "GradientTape": "nacre.core.tape",
    "Initializer": "nacre.initializers",
    "Input": "nacre.layers",
    "InputSpec": "nacre.layers",
    "KerasTensor": "nacre.core.symbolic",
    "Layer": "nacre.layers",
    "Loss": "nacre.losses",
    "Metric": "nacre.metrics",
    "Model": "nacre.models",
    "Operation": "nacre.ops.operation",
    "Optimizer": "nacre.optimizers",
    "Quantizer": "nacre.quantizers",
    "Regularizer": "nacre.regularizers",
    "RematScope": "nacre.layers.base.remat",
    "Sequential": "nacre.models",
    "StatelessScope": "nacre.core.scope",
    "SymbolicScope": "nacre.core.scope",
    "Variable": "nacre.core.variable",
    "custom_gradient": "nacre.ops",
    "device": "nacre.distribution",
    "function": "nacre.training.function",
    "install": "nacre.tf.takeover",
    "load_ipython_extension": "nacre.tf.takeover",
    "name_scope": "nacre.core.names",
    "remat": "nacre.layers.base.remat",
}
__all__ = ["__version__", "version", *_NAMESPACES, *_NAMES]


def version() -> str:
    """The version of nacre."""
    return __version__


def _imported(module: str) -> Any:
    """A module, imported without looking for garbage.

    Nearly all that is made stays. Python's collector would take a tenth of the time for finding
    that out 300 times, and again that much once it is over: so what there is is put where what
    stays belongs, its oldest generation.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if collects:
            if not gc.get_freeze_count():  # else somebody has plans for what is frozen
                gc.freeze()
                gc.unfreeze()
            gc.enable()


if not TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__, __dir__ = late_names(
        __name__, {**{name: f"nacre.{name}" for name in _NAMESPACES}, **_NAMES}, _imported
    )
