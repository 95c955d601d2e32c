"""`keras.preprocessing.sequence`. A face; the functions live in `nacre.data`."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.data.arrays import pad_sequences as pad_sequences
from nacre.data.skipgrams import make_sampling_table as make_sampling_table
from nacre.data.skipgrams import skipgrams as skipgrams
from nacre.data.timeseries_generator import TimeseriesGenerator as TimeseriesGenerator
from nacre.data.timeseries_generator import (
    timeseries_generator_from_json as timeseries_generator_from_json,
)

__all__ = [
    "TimeseriesGenerator",
    "make_sampling_table",
    "pad_sequences",
    "skipgrams",
    "timeseries_generator_from_json",
]

if not TYPE_CHECKING:  # a name that is not there is told
    __getattr__, __dir__ = late_names(__name__)
