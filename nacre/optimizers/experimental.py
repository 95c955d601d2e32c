"""`keras.optimizers.experimental` of tf.keras 2: today's optimizers under an older address."""

from nacre.optimizers.adadelta import Adadelta as Adadelta
from nacre.optimizers.adafactor import Adafactor as Adafactor
from nacre.optimizers.adagrad import Adagrad as Adagrad
from nacre.optimizers.adam import Adam as Adam
from nacre.optimizers.adam import AdamW as AdamW
from nacre.optimizers.adamax import Adamax as Adamax
from nacre.optimizers.ftrl import Ftrl as Ftrl
from nacre.optimizers.nadam import Nadam as Nadam
from nacre.optimizers.optimizer import Optimizer as Optimizer
from nacre.optimizers.rmsprop import RMSprop as RMSprop
from nacre.optimizers.sgd import SGD as SGD

__all__ = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "SGD",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
