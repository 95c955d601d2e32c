"""Well-known data sets as NumPy arrays, each a module with `load_data()`.

`digits` (images), `languages` (texts) and `breast_cancer` (a table) come with nacre and need no
network. The others are downloaded once, checked against a known hash and kept in Keras's cache
folder (`~/.keras/datasets`, or `KERAS_HOME`), so files that Keras already fetched are used as they
are.

How this floor works: `download` fetches and checks files, the files with a leading underscore
parse them, and one module per data set names its URL, hash and signature. Pickles inside old files
are read by an unpickler that knows arrays, numbers and strings only.
"""

from nacre.datasets import (
    boston_housing,
    breast_cancer,
    california_housing,
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    imdb,
    languages,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing",
    "breast_cancer",
    "california_housing",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "imdb",
    "languages",
    "mnist",
    "reuters",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
