"""`Dataset`: the names and the meaning of tf.data, on NumPy and Python's threads.

`node.py` says what a data set is made of: nodes, which describe, and cursors, which go over them
and tell their position. Nodes are by family: `sources.py`, `generators.py`, `mapping.py`,
`batching.py`, `ordering.py`, `shuffling.py`, `caching.py`, `saving.py`, `prefetching.py`.
`elements.py` makes elements of anything, `spec.py` says what is known of them.

Strings have one representation on the host: arrays of dtype object that hold `bytes`, as tf.data's
`numpy()` gives them. str is encoded as UTF-8. NumPy's own strings do not do: 'U' and 'S' give each
the room of the longest, both drop NULs at the end, and neither 'U' nor the variable-width
StringDType can hold what is no text, such as the content of a file.
"""

from nacre.data.dataset.dataset import Dataset as Dataset
from nacre.data.dataset.dataset import DatasetIterator as DatasetIterator
from nacre.data.dataset.dataset import holds_ragged_inputs as holds_ragged_inputs
from nacre.data.dataset.host_tensor import HostTensor as HostTensor
from nacre.data.dataset.node import AUTOTUNE as AUTOTUNE
from nacre.data.dataset.node import INFINITE as INFINITE_CARDINALITY
from nacre.data.dataset.node import UNKNOWN as UNKNOWN_CARDINALITY
from nacre.data.dataset.options import Options as Options
from nacre.data.dataset.profiling import Profile as Profile
from nacre.data.dataset.ragged import Ragged as Ragged
from nacre.data.dataset.spec import DatasetSpec as DatasetSpec
from nacre.data.dataset.spec import RaggedSpec as RaggedSpec
from nacre.data.dataset.spec import TensorSpec as TensorSpec

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "DatasetIterator",
    "DatasetSpec", "HostTensor", "Options", "Profile", "Ragged", "RaggedSpec", "TensorSpec",
]  # fmt: skip
