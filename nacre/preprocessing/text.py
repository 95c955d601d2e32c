"""`keras.preprocessing.text`. A face; the functions live in `nacre.data.tokenizing`."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names
from nacre.data.tokenizing import Tokenizer as Tokenizer
from nacre.data.tokenizing import hashing_trick as hashing_trick
from nacre.data.tokenizing import one_hot as one_hot
from nacre.data.tokenizing import text_to_word_sequence as text_to_word_sequence
from nacre.data.tokenizing import tokenizer_from_json as tokenizer_from_json

__all__ = [
    "Tokenizer",
    "hashing_trick",
    "one_hot",
    "text_to_word_sequence",
    "tokenizer_from_json",
]

if not TYPE_CHECKING:  # a name that is not there is told
    __getattr__, __dir__ = late_names(__name__)
