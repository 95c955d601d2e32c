"""Distillation: a small model learns from a large one.

How this floor works: a `Distiller` is a model that trains its student by the losses of `compile`
and by losses between the two models' outputs or features, which stand in `transfer.py`.
"""

from nacre.distillation.distiller import Distiller as Distiller
from nacre.distillation.transfer import DistillationLoss as DistillationLoss
from nacre.distillation.transfer import FeatureDistillation as FeatureDistillation
from nacre.distillation.transfer import LogitsDistillation as LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
