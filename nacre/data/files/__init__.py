"""Data sets of files, and what stands in their records.

`data.streams` reads bytes, unpacked where compressed; `reading.py` goes over the records of
files, whichever format they have; `records.py` knows TFRecord files, `example.py` and `parsing.py`
what they mostly hold; `lines.py` knows lines of text and records of one size,
`csv.py` rows of values.
"""

from nacre.data.files.csv import CsvDataset as CsvDataset
from nacre.data.files.csv import make_csv_dataset as make_csv_dataset
from nacre.data.files.example import Example as Example
from nacre.data.files.example import SequenceExample as SequenceExample
from nacre.data.files.lines import FixedLengthRecordDataset as FixedLengthRecordDataset
from nacre.data.files.lines import TextLineDataset as TextLineDataset
from nacre.data.files.parsing import FixedLenFeature as FixedLenFeature
from nacre.data.files.parsing import FixedLenSequenceFeature as FixedLenSequenceFeature
from nacre.data.files.parsing import VarLenFeature as VarLenFeature
from nacre.data.files.parsing import parse_example as parse_example
from nacre.data.files.parsing import parse_single_example as parse_single_example
from nacre.data.files.parsing import parse_single_sequence_example as parse_single_sequence_example
from nacre.data.files.records import TFRecordDataset as TFRecordDataset
from nacre.data.files.records import TFRecordWriter as TFRecordWriter

__all__ = [
    "CsvDataset", "Example", "FixedLenFeature", "FixedLenSequenceFeature",
    "FixedLengthRecordDataset", "SequenceExample", "TFRecordDataset", "TFRecordWriter",
    "TextLineDataset", "VarLenFeature", "make_csv_dataset", "parse_example", "parse_single_example",
    "parse_single_sequence_example",
]  # fmt: skip
