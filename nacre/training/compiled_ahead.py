"""The program of an epoch's smaller last batch, compiled in a thread while the steps before run."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from nacre.core.context import carried
from nacre.core.program import Program
from nacre.core.state import Values
from nacre.core.typed_jax import spec_of
from nacre.data.feed import Stretch
from nacre.training.model_programs import ModelPrograms


class CompiledAhead:
    """At most one such program of a run."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        # The programs it belongs to, its batch size, the program.
        self._compiled: tuple[ModelPrograms, int, Future[Any]] | None = None

    def begin(
        self, programs: ModelPrograms, stretch: Stretch, values: Callable[[], Values]
    ) -> None:
        """Compile the program of the smaller batch that follows, if nobody did.

        Args:
            programs: Those of the model as it is now.
            stretch: The steps under way. A first one has run, so they trace nothing any more.
            values: Gives the values that are handed to programs.
        """
        if self._thread is not None or programs.has_train(smaller := stretch.smaller()):
            return
        arrays = values(), stretch.arrays, stretch.order
        has_layout = programs.state.layout is not None
        first = next(iter(arrays[0]["trainable"]), None)
        if not has_layout and isinstance(first, jax.Array) and len(first.devices()) > 1:
            return  # trained under a layout before: only the call knows where all of it lies
        shapes = jax.tree.map(_placed_spec_of if has_layout else spec_of, arrays)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nacre-compile")
        program = programs.train(smaller)
        compiled = self._thread.submit(
            carried(lambda: program.compiled_for(*shapes, np.int32(0), np.int32(1)))
        )
        self._compiled = programs, smaller.batch_size, compiled

    def program_for(
        self, programs: ModelPrograms, stretch: Stretch, program: Program
    ) -> Callable[..., Any]:
        """What runs steps: the program made here where it is theirs, else `program`."""
        if self._compiled is None:
            return program
        made_for, batch_size, compiled = self._compiled
        if not program.traced_shapes:
            wait([compiled])  # the user's code is not traced in two threads at once
        is_theirs = (made_for, batch_size) == (programs, stretch.batch_size)
        return compiled.result() if is_theirs and not stretch.repeats else program

    def close(self) -> None:
        """Compile nothing more; without waiting."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)


def _placed_spec_of(array: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)


__all__ = ["CompiledAhead"]
