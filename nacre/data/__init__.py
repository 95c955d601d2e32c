"""Floor 3: data, NumPy in and device arrays out.

`sources.py` and `batch_source.py` hold what the user gave, rows of arrays or batches; a feed
(`feed.py`) gives the steps their batches out of it. `rows.py` makes, picks and sends rows;
`prefetch.py` makes things ahead in a thread; `py_dataset.py` is the public base class for batches
by index.
"""

from nacre.data.prefetch import prefetched as prefetched
from nacre.data.py_dataset import PyDataset as PyDataset
from nacre.data.sources import ArraySource as ArraySource
from nacre.data.sources import BatchSource as BatchSource

__all__ = ["ArraySource", "BatchSource", "PyDataset", "prefetched"]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
