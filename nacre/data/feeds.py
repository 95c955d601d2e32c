"""The feed that suits what the user gave."""

from __future__ import annotations

from typing import Literal

from nacre.data.batch_feed import BatchFeed
from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed, RowFeed
from nacre.data.row_feeds import BatchwiseFeed, ResidentFeed, StreamedFeed
from nacre.data.sources import ArraySource


def feed_of(
    source: ArraySource | BatchSource,
    batch_size: int,
    *,
    steps: int | None = None,
    shuffle: bool | Literal["batch"] = False,
    seed: int = 0,
    continues: bool = True,
    by_batch: bool = False,
    ahead: int | None = None,
    in_chunks: bool = False,
) -> Feed:
    """A feed of rows or of batches. Rows are kept on the device when they fit, else sent in chunks.

    Args:
        source: What the user gave.
        batch_size: Samples a batch of rows; other sources bring their own.
        steps, shuffle, seed, continues: See `Feed`.
        by_batch: Whether rows are wanted batch by batch, for code that is not compiled.
        ahead: How many batches of a source are made ahead, see `BatchFeed`.
        in_chunks: Whether one dispatch may run several batches of a source, see `BatchFeed`.
    """
    if isinstance(source, BatchSource):
        in_chunks = in_chunks and not by_batch
        return BatchFeed(source, steps=steps, continues=continues, ahead=ahead, in_chunks=in_chunks)
    kind: type[RowFeed] = BatchwiseFeed
    if not by_batch and source.convert is None:  # no batch is changed on the host
        kind = ResidentFeed if source.fits_device() else StreamedFeed
    return kind(source, batch_size, steps=steps, shuffle=shuffle, seed=seed, continues=continues)


__all__ = ["feed_of"]
