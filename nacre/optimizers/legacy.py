"""`keras.optimizers.legacy` of tf.keras 2: the optimizers as scripts of then name them.

They compute what those did, `decay=` included; only `Nadam` needs another constant for that. Files
name today's classes.
"""

from __future__ import annotations

from typing import Any, Unpack

from nacre.optimizers.adadelta import Adadelta as Adadelta
from nacre.optimizers.adagrad import Adagrad as Adagrad
from nacre.optimizers.adam import Adam as Adam
from nacre.optimizers.adamax import Adamax as Adamax
from nacre.optimizers.arguments import OptimizerKeywords
from nacre.optimizers.ftrl import Ftrl as Ftrl
from nacre.optimizers.nadam import Nadam as _Nadam
from nacre.optimizers.optimizer import Optimizer as Optimizer
from nacre.optimizers.rmsprop import RMSprop as RMSprop
from nacre.optimizers.sgd import SGD as SGD


class Nadam(_Nadam):
    """`nacre.optimizers.Nadam` with `schedule_decay=0.004`, as in Keras 1 and tf.keras 2.

    Args:
        learning_rate, beta_1, beta_2, epsilon: See `nacre.optimizers.Nadam`.
        name: Name of the optimizer.
        schedule_decay: How fast the share of momentum grows.

    Example:
        >>> Nadam().schedule_decay
        0.004
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str | None = None,
        *,
        schedule_decay: float = 0.004,
        **kwargs: Unpack[OptimizerKeywords],
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            name=name,
            schedule_decay=schedule_decay,
            **kwargs,
        )


__all__ = [
    "Adadelta",
    "Adagrad",
    "Adam",
    "Adamax",
    "Ftrl",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "SGD",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
