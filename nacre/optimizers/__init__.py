"""Optimizers: gradients in, new parameters and new state out.

Each file holds one update rule: the state of one array as a named tuple, `update` as a pure
function of arrays, and a class with Keras's arguments. What all share is in `optimizer.py`.
"""

from nacre.optimizers import experimental as experimental
from nacre.optimizers import legacy as legacy
from nacre.optimizers import schedules as schedules
from nacre.optimizers.adadelta import Adadelta as Adadelta
from nacre.optimizers.adafactor import Adafactor as Adafactor
from nacre.optimizers.adagrad import Adagrad as Adagrad
from nacre.optimizers.adam import Adam as Adam
from nacre.optimizers.adam import AdamW as AdamW
from nacre.optimizers.adamax import Adamax as Adamax
from nacre.optimizers.ftrl import Ftrl as Ftrl
from nacre.optimizers.lamb import Lamb as Lamb
from nacre.optimizers.lion import Lion as Lion
from nacre.optimizers.lookup import deserialize as deserialize
from nacre.optimizers.lookup import get as get
from nacre.optimizers.lookup import serialize as serialize
from nacre.optimizers.loss_scale import LossScaleOptimizer as LossScaleOptimizer
from nacre.optimizers.multi import MultiOptimizer as MultiOptimizer
from nacre.optimizers.multi import OptimizerMap as OptimizerMap
from nacre.optimizers.muon import Muon as Muon
from nacre.optimizers.nadam import Nadam as Nadam
from nacre.optimizers.optax_optimizer import OptaxOptimizer as OptaxOptimizer
from nacre.optimizers.optimizer import Optimizer as Optimizer
from nacre.optimizers.rmsprop import RMSprop as RMSprop
from nacre.optimizers.schedule_free_adamw import ScheduleFreeAdamW as ScheduleFreeAdamW
from nacre.optimizers.sgd import SGD as SGD

LEGACY_NAMES: dict[str, str] = {}

__all__ = [
    "Optimizer",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "OptaxOptimizer",
    "OptimizerMap",
    "RMSprop",
    "SGD",
    "ScheduleFreeAdamW",
    "deserialize",
    "experimental",
    "get",
    "legacy",
    "schedules",
    "serialize",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
