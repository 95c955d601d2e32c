"""Floor 3: data, NumPy in and device arrays out.

`sources.py` and `batch_source.py` hold what the user gave, rows of arrays or batches; a feed
(`feed.py`; `feeds.py` chooses which) gives the steps their batches out of it. `rows.py` makes,
picks and sends rows; `prefetch.py` makes things ahead in a thread; `py_dataset.py` is the public
base class for batches by index, `indexed.py` has them made by `workers.py`, which are threads or
`processes.py`, in which `worker_process.py` runs. `dataset/` is `Dataset`, the names and the
meaning of tf.data; `files/` has those of files, whose bytes `streams.py` reads.
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

if TYPE_CHECKING:
    from nacre.data import experimental as experimental
    from nacre.data.batch_source import BatchSource as BatchSource
    from nacre.data.dataset import AUTOTUNE as AUTOTUNE
    from nacre.data.dataset import INFINITE_CARDINALITY as INFINITE_CARDINALITY
    from nacre.data.dataset import UNKNOWN_CARDINALITY as UNKNOWN_CARDINALITY
    from nacre.data.dataset import Dataset as Dataset
    from nacre.data.dataset import DatasetIterator as DatasetIterator
    from nacre.data.dataset import DatasetSpec as DatasetSpec
    from nacre.data.dataset import HostTensor as HostTensor
    from nacre.data.dataset import Options as Options
    from nacre.data.dataset import Profile as Profile
    from nacre.data.dataset import Ragged as Ragged
    from nacre.data.dataset import RaggedSpec as RaggedSpec
    from nacre.data.dataset import TensorSpec as TensorSpec
    from nacre.data.files import CsvDataset as CsvDataset
    from nacre.data.files import Example as Example
    from nacre.data.files import FixedLenFeature as FixedLenFeature
    from nacre.data.files import FixedLengthRecordDataset as FixedLengthRecordDataset
    from nacre.data.files import FixedLenSequenceFeature as FixedLenSequenceFeature
    from nacre.data.files import SequenceExample as SequenceExample
    from nacre.data.files import TextLineDataset as TextLineDataset
    from nacre.data.files import TFRecordDataset as TFRecordDataset
    from nacre.data.files import TFRecordWriter as TFRecordWriter
    from nacre.data.files import VarLenFeature as VarLenFeature
    from nacre.data.files import make_csv_dataset as make_csv_dataset
    from nacre.data.files import parse_example as parse_example
    from nacre.data.files import parse_single_example as parse_single_example
    from nacre.data.files import parse_single_sequence_example as parse_single_sequence_example
    from nacre.data.prefetch import Prefetched as Prefetched
    from nacre.data.py_dataset import PyDataset as PyDataset
    from nacre.data.sources import ArraySource as ArraySource

__all__ = [
    "ArraySource", "AUTOTUNE", "BatchSource", "CsvDataset", "Dataset", "DatasetIterator",
    "DatasetSpec", "Example", "experimental", "FixedLenFeature", "FixedLengthRecordDataset",
    "FixedLenSequenceFeature", "HostTensor", "INFINITE_CARDINALITY", "make_csv_dataset", "Options",
    "parse_example", "parse_single_example", "parse_single_sequence_example", "Prefetched",
    "Profile", "PyDataset", "Ragged", "RaggedSpec", "SequenceExample", "TensorSpec",
    "TextLineDataset", "TFRecordDataset", "TFRecordWriter", "UNKNOWN_CARDINALITY", "VarLenFeature",
]  # fmt: skip

_OF_DATASETS = (
    "AUTOTUNE Dataset DatasetIterator DatasetSpec HostTensor INFINITE_CARDINALITY Options Profile "
    "Ragged RaggedSpec TensorSpec UNKNOWN_CARDINALITY"
).split()
_OF_FILES = (
    "CsvDataset Example FixedLenFeature FixedLenSequenceFeature FixedLengthRecordDataset "
    "SequenceExample TFRecordDataset TFRecordWriter TextLineDataset VarLenFeature make_csv_dataset "
    "parse_example parse_single_example parse_single_sequence_example"
).split()

if not TYPE_CHECKING:  # a script without a data set, and a worker, are spared the time they take
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "ArraySource": "nacre.data.sources",
            "BatchSource": "nacre.data.batch_source",
            "Prefetched": "nacre.data.prefetch",
            "PyDataset": "nacre.data.py_dataset",
            "experimental": "nacre.data.experimental",
            **dict.fromkeys(_OF_DATASETS, "nacre.data.dataset"),
            **dict.fromkeys(_OF_FILES, "nacre.data.files"),
        },
    )
