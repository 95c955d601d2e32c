"""`keras.mixed_precision`: a face; policies live in `nacre.core.policies`."""

from nacre.core.policies import DTypePolicy as DTypePolicy
from nacre.core.policies import DTypePolicy as Policy
from nacre.core.policies import dtype_policy as dtype_policy
from nacre.core.policies import dtype_policy as global_policy
from nacre.core.policies import set_dtype_policy as set_dtype_policy
from nacre.core.policies import set_dtype_policy as set_global_policy
from nacre.optimizers import LossScaleOptimizer as LossScaleOptimizer

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
