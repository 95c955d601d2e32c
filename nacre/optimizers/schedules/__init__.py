"""Learning-rate schedules: step number in, learning rate out.

Every schedule is a pure formula of the step, so it works on Python numbers and inside compiled
steps alike. `base.py` holds the protocol, the other files one family of formulas each.
"""

from nacre.optimizers.schedules.base import LearningRateSchedule as LearningRateSchedule
from nacre.optimizers.schedules.base import deserialize as deserialize
from nacre.optimizers.schedules.base import serialize as serialize
from nacre.optimizers.schedules.cosine import CosineDecay as CosineDecay
from nacre.optimizers.schedules.cosine import CosineDecayRestarts as CosineDecayRestarts
from nacre.optimizers.schedules.decay import ExponentialDecay as ExponentialDecay
from nacre.optimizers.schedules.decay import InverseTimeDecay as InverseTimeDecay
from nacre.optimizers.schedules.one_cycle import OneCycle as OneCycle
from nacre.optimizers.schedules.piecewise import PiecewiseConstantDecay as PiecewiseConstantDecay
from nacre.optimizers.schedules.polynomial import PolynomialDecay as PolynomialDecay
from nacre.optimizers.schedules.warm_up import WarmUp as WarmUp

LEGACY_NAMES = {
    "PiecewiseConstant": "PiecewiseConstantDecay",
    "CosineDecayWithRestarts": "CosineDecayRestarts",
}

__all__ = [
    "LearningRateSchedule",
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "WarmUp",
    "deserialize",
    "serialize",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
