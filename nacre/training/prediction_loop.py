"""`predict` over very many batches of arrays: a program runs a chunk of them in one dispatch.

A batch of a small model takes less time than Python needs to hand it over. Whether batches are run
in chunks follows from their number and sizes alone, never from a clock, so that the same call gives
the same bits.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import tree
from nacre.core.program import CallProgram, programs_of
from nacre.core.state import State
from nacre.core.typed_jax import fori_loop
from nacre.data.feed import Stretch
from nacre.data.row_feeds import StreamedFeed
from nacre.data.sources import CHUNK_BYTES, ArraySource
from nacre.layers.base.compiled import call_key
from nacre.ops.kernels.placement import inside_loop
from nacre.training.own_steps import batch_for_prediction, prediction_of
from nacre.training.pace import program_steps
from nacre.training.programs import batch_leaves

LEAST_BATCHES = 1024  # what they save, about 0.1 ms each, pays for one more program
_LEAST_A_CHUNK = 16


class ChunkedPrediction:
    """The batches of a source, many a dispatch.

    Args:
        model: The model; a call of it must change no variable.
        source: The rows.
        batch_size: Samples of a batch.
        outputs: What the model gave for one batch.
    """

    def __init__(self, model: Any, source: ArraySource, batch_size: int, outputs: Any) -> None:
        self._model, self._source, self._size = model, source, batch_size
        self._outputs = outputs
        self._leaves = tree.flatten(outputs)
        self._are_arrays = all(isinstance(leaf, jax.Array) for leaf in self._leaves)
        self._batches = source.batches_per_chunk(batch_size)
        if self._are_arrays:
            bytes_each = max([1, *(leaf.nbytes for leaf in self._leaves)])
            self._batches = min(self._batches, CHUNK_BYTES // bytes_each)

    @property
    def is_worthwhile(self) -> bool:
        """Whether there are many batches, whose outputs have a row for each sample."""
        full = self._source.num_rows // self._size
        has_rows = self._are_arrays and all(
            leaf.shape[:1] == (self._size,) for leaf in self._leaves
        )
        return full >= LEAST_BATCHES and self._batches >= _LEAST_A_CHUNK and has_rows

    def run(self) -> Iterator[tuple[Any, int, int] | Stretch]:
        """(outputs, samples, samples with padding) of chunks; last a smaller batch, not run yet."""
        feed = StreamedFeed(self._source, self._size, continues=False)
        feed.batches_a_chunk = self._batches
        with closing(feed):
            for stretch in feed.epoch():
                if not stretch.repeats:
                    yield stretch
                    continue
                program = self._program(stretch)
                count = np.int32(stretch.num_steps)
                _, made = program(program.state.read(), stretch.arrays, count)
                outputs = tree.pack_sequence_as(self._outputs, made)
                yield outputs, stretch.num_steps * self._size, self._batches * self._size

    def _program(self, stretch: Stretch) -> CallProgram:
        forms = tuple((leaf.shape, str(leaf.dtype)) for leaf in self._leaves)
        key = (
            "predict chunk", *call_key(self._model), self._batches, self._size, forms,
            tree.structure_key(stretch.structure), program_steps(self._batches),
        )  # fmt: skip
        return programs_of(self._model).get(key, lambda: self._made(stretch.structure))

    def _made(self, structure: Any) -> CallProgram:
        # Only what it needs: a kept program must not hold on to the data.
        model, size, batches = self._model, self._size, self._batches
        state, step = State({"model": model.variables}), prediction_of(model)
        forms = [((batches * size, *leaf.shape[1:]), leaf.dtype) for leaf in self._leaves]
        steps = program_steps(batches)  # of the last chunk, which is shorter, some are for nothing

        def run(arrays: list[Any], count: Any) -> list[Any]:
            def body(index: Any, filled: list[Any]) -> list[Any]:
                row = index * size
                leaves = batch_leaves(arrays, None, row, size, state.layout)
                batch = tree.pack_sequence_as(structure, leaves)
                made = tree.flatten(step(batch_for_prediction(model, batch)))
                return [
                    jax.lax.dynamic_update_slice_in_dim(whole, jnp.asarray(part), row, 0)
                    for whole, part in zip(filled, made, strict=True)
                ]

            with inside_loop():
                empty = [jnp.zeros(shape, dtype) for shape, dtype in forms]
                return fori_loop(steps or count, body, empty)

        return CallProgram(run, state, name="predict")


__all__ = ["ChunkedPrediction"]
