"""Random numbers inside models and steps (Keras's `random`).

`seed` is None (the global generator), an int (the same numbers every time) or a `SeedGenerator`.
"""

from nacre.core.random import SeedGenerator as SeedGenerator
from nacre.random.distributions import (
    beta as beta,
)
from nacre.random.distributions import (
    binomial as binomial,
)
from nacre.random.distributions import (
    categorical as categorical,
)
from nacre.random.distributions import (
    dropout as dropout,
)
from nacre.random.distributions import (
    gamma as gamma,
)
from nacre.random.distributions import (
    normal as normal,
)
from nacre.random.distributions import (
    randint as randint,
)
from nacre.random.distributions import (
    shuffle as shuffle,
)
from nacre.random.distributions import (
    truncated_normal as truncated_normal,
)
from nacre.random.distributions import (
    uniform as uniform,
)

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
