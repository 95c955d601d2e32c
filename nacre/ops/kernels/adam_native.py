"""A step of Adam by one compiled call for all arrays (`native/adam.cc`): float32 on one CPU device.

XLA runs the formula as three loops for each array, which read again what they share. In the loop
of `fit` the results lie where the arguments did, so nothing is copied. Where it gains and where it
loses is said with its row of `native/table.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.derivatives import derived_from
from nacre.ops.kernels.native import library
from nacre.ops.kernels.native.table import ADAM, AdamWork

Arrays = Sequence[Array]
Constants = tuple[float, float, float]  # beta_1, beta_2, epsilon
Formula = Callable[..., tuple[Arrays, Arrays, Arrays]]


def is_used(work: AdamWork) -> bool:
    """Tell whether `update` takes part where this is traced."""
    return ADAM.when_used(work, places.current_placement()) == "always"


def update(
    formula: Formula,
    constants: Constants,
    rate: Array,
    decays: Sequence[Array | None],
    work: AdamWork,
) -> tuple[Arrays, Arrays, Arrays]:
    """New parameters, momentums and velocities.

    Args:
        formula: The same of (rate, decays, parameters, momentums, velocities, gradients) in plain
            JAX, which is what derivatives are those of.
        rate: The step size with both bias corrections in it.
        decays: What is taken off the parameters before, w - w · decay.
    """

    updates_in_place = places.updates_in_place()  # asked here: `run` is traced again elsewhere

    def run(rate: Array, decays: list, *arrays: Arrays) -> tuple[Arrays, Arrays, Arrays]:
        return _call(constants, updates_in_place, rate, decays, *arrays)

    arrays = work.parameters, work.momentums, work.velocities, work.gradients
    return derived_from(formula, static=0)(run)(rate, list(decays), *map(list, arrays))


def _call(
    constants: Constants,
    updates_in_place: bool,
    rate: Array,
    decays: Sequence[Array | None],
    parameters: Arrays,
    momentums: Arrays,
    velocities: Arrays,
    gradients: Arrays,
) -> Any:
    beta_1, beta_2, epsilon = constants
    shares = (0.0 if decay is None else decay for decay in decays)
    numbers = [rate, 1 - beta_1, 1 - beta_2, epsilon, *shares]
    numbers = jnp.stack([jnp.asarray(number, jnp.float32) for number in numbers])
    old = [*parameters, *momentums, *velocities]
    # In their own shapes: XLA copies what it is to write in place and sees in another one.
    results = [jax.ShapeDtypeStruct(array.shape, jnp.float32) for array in old]
    count = len(parameters)
    places_of = {1 + i: i for i in range(len(old))}  # after `numbers`
    in_place = places_of if updates_in_place else None
    call = library.ADAM.call("adam_update", results, in_place=in_place)
    new = call(numbers, *old, *gradients, arrays=np.int64(count))
    return new[:count], new[count : 2 * count], new[2 * count :]
