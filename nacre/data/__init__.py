"""Floor 3: data, NumPy in and device arrays out.

`sources.py` and `batch_source.py` hold what the user gave, rows of arrays or batches; a feed
(`feed.py`; `feeds.py` chooses which) gives the steps their batches out of it. `rows.py` makes,
picks and sends rows; `prefetch.py` makes things ahead in a thread; `py_dataset.py` is the public
base class for batches by index.
"""

from nacre.data.batch_source import BatchSource as BatchSource
from nacre.data.prefetch import Prefetched as Prefetched
from nacre.data.py_dataset import PyDataset as PyDataset
from nacre.data.sources import ArraySource as ArraySource

__all__ = ["ArraySource", "BatchSource", "Prefetched", "PyDataset"]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
