"""New values or old, for all arrays by one compiled call (`native/guard.cc`): the end of a step.

Where it gains and where it loses is said with its row of `native/table.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.native import library
from nacre.ops.kernels.native.table import GUARD, GuardWork


def is_used(work: GuardWork) -> bool:
    """Tell whether `choose` takes part where this is traced."""
    return GUARD.when_used(work, places.current_placement()) == "always"


def choose(is_fine: Array, work: GuardWork) -> tuple[Array, Sequence[Array]]:
    """Whether the new values are taken, and the values.

    The old ones are kept where `is_fine` is false, and where weights that were finite are no more.
    """
    old, new = work.old, work.new
    results = [jax.ShapeDtypeStruct((), bool)]
    results += [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in old]
    in_place = {1 + i: 1 + i for i in range(len(old))}  # after `is_fine`, and after its answer
    call = library.GUARD.call("guard_choose", results, in_place=in_place)
    arguments = {"arrays": np.int64(len(old)), "weights": np.int64(work.weights)}
    takes_new, *chosen = call(jnp.asarray(is_fine), *old, *new, **arguments)
    return takes_new, chosen
