"""`tensorflow_datasets` for the sets that `nacre.datasets` has: names, splits and their slices."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import ArgumentError, UnknownNameError, listed, message, nearest
from nacre.data import Dataset
from nacre.tf.dtypes import as_dtype
from nacre.tf.values import landed

# Name -> names of the classes.
_SETS: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    ),
    "cifar10": (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ),
}  # fmt: skip
_PART = re.compile(r"(\w+)(?:\[([^\]:]*):([^\]:]*)\])?")


class ClassLabel:
    """What a label is.

    Args:
        names: The names of the classes.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names, self.num_classes = list(names), len(names)
        self.shape, self.dtype = (), as_dtype("int64")

    def int2str(self, number: Any) -> str:
        """The name of a class."""
        return self.names[int(number)]

    def str2int(self, name: str) -> int:
        """The number of a class."""
        return self.names.index(name)


class Image:
    """What a picture is.

    Args:
        shape: Height, width and channels.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype = shape, as_dtype("uint8")


@dataclass(frozen=True)
class SplitInfo:
    """A split: its name, and how many examples it has."""

    name: str
    num_examples: int


@dataclass
class DatasetInfo:
    """What is known of a set."""

    name: str
    features: dict[str, Any] = field(default_factory=dict)
    splits: dict[str, SplitInfo] = field(default_factory=dict)
    supervised_keys: tuple[str, str] = ("image", "label")


class Builder:
    """A set.

    Args:
        name: Its name; what follows a colon, the version, is left out.

    Raises:
        UnknownNameError: It is not here.
    """

    def __init__(self, name: str) -> None:
        self.name = name.partition(":")[0]
        if self.name not in _SETS:
            close = nearest(self.name, _SETS)
            fix = (
                f"Did you mean '{close}'?"
                if close
                else (
                    "Read its files with tf.data.TFRecordDataset, or pictures in folders with "
                    "tf.keras.utils.image_dataset_from_directory."
                )
            )
            rule = f"the sets here are {listed(list(_SETS))}"
            raise UnknownNameError(message("tfds.load", rule, f"'{name}'", fix))

    @functools.cached_property
    def _arrays(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        train, test = importlib.import_module(f"nacre.datasets.{self.name}").load_data()
        return {"train": self._as_told(*train), "test": self._as_told(*test)}

    @staticmethod
    def _as_told(images: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
        images = np.asarray(images, np.uint8)
        images = images if images.ndim == 4 else images[..., None]
        return images, np.asarray(labels).reshape(-1).astype(np.int64)

    @property
    def info(self) -> DatasetInfo:
        """What is known of it."""
        shape = self._arrays["train"][0].shape[1:]
        features = {"image": Image(shape), "label": ClassLabel(_SETS[self.name])}
        splits = {k: SplitInfo(k, len(v[1])) for k, v in self._arrays.items()}
        return DatasetInfo(self.name, features, splits)

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Fetch the files, where they are not there."""
        _ = self._arrays

    def as_dataset(
        self, split: Any = None, *, batch_size: int | None = None, shuffle_files: bool = False,
        decoders: Any = None, read_config: Any = None, as_supervised: bool = False,
    ) -> Any:  # fmt: skip
        """Its examples.

        Args:
            split: 'train', 'test', 'all', 'train[:80%]', 'train+test[10:20]'; a list or a dict of
                these; None for a dict of all.
            batch_size: How many examples stand together; -1 for all of them, as arrays.
            as_supervised: Whether examples are pairs (image, label) and not dicts.
            shuffle_files, decoders, read_config: Accepted for compatibility.
        """
        wanted = dict.fromkeys(self._arrays) if split is None else split
        if split is None:
            wanted = {name: name for name in wanted}

        def made(part: Any) -> Any:
            images, labels = self._picked(str(part))
            found: Any = (images, labels) if as_supervised else {"image": images, "label": labels}
            if batch_size == -1:
                return tree.map_structure(landed, found)
            data = Dataset.from_tensor_slices(found)
            return data if batch_size is None else data.batch(batch_size)

        return tree.map_structure(made, wanted)

    def _picked(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        parts = "train+test" if split == "all" else split
        picked = [self._part(part.strip()) for part in parts.split("+")]
        images = [image for image, _ in picked]
        return np.concatenate(images), np.concatenate([label for _, label in picked])

    def _part(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        found = _PART.fullmatch(part)
        if found is None or found[1] not in self._arrays:
            rule = f"a split must be one of {listed(list(self._arrays))}, or a slice of one"
            fix = "Write it like 'train[:80%]' or 'train[100:200]'."
            raise ArgumentError(message(f"tfds.load('{self.name}')", rule, f"'{part}'", fix))
        images, labels = self._arrays[found[1]]
        start, stop = (_place(text, len(labels), part) for text in (found[2], found[3]))
        return images[start:stop], labels[start:stop]


def _place(text: str | None, count: int, part: str) -> int | None:
    """An end of a slice: a number, or a share of all, to the nearest example."""
    if not text:
        return None
    try:
        if not text.endswith("%"):
            return int(text)
        share = float(text[:-1])
    except ValueError:
        rule = "ends of a slice must be numbers, or per cent"
        raise ArgumentError(message("tfds.load", rule, f"'{part}'")) from None
    if abs(share) > 100:
        raise ArgumentError(message("tfds.load", "per cent go up to 100", f"'{part}'"))
    return round(share * count / 100)


def load(
    name: str, *, split: Any = None, data_dir: Any = None, batch_size: int | None = None,
    shuffle_files: bool = False, download: bool = True, as_supervised: bool = False,
    decoders: Any = None, read_config: Any = None, with_info: bool = False,
    builder_kwargs: Any = None, download_and_prepare_kwargs: Any = None,
    as_dataset_kwargs: Any = None, try_gcs: bool = False,
) -> Any:  # fmt: skip
    """The examples of a set; with `with_info` what is known of it, too.

    Args:
        name: 'mnist', 'fashion_mnist' or 'cifar10'.
        split, batch_size, as_supervised: See `Builder.as_dataset`.
        with_info: Whether the answer is a pair with a `DatasetInfo`.
        data_dir, shuffle_files, download, decoders, read_config, builder_kwargs,
            download_and_prepare_kwargs, as_dataset_kwargs, try_gcs: Accepted for compatibility.

    Source:
        tensorflow_datasets 4.9. Differs: examples come in the order of `tf.keras.datasets`, and
        CIFAR-10's have no 'id'.
    """
    made = Builder(name)
    found = made.as_dataset(split, batch_size=batch_size, as_supervised=as_supervised)
    return (found, made.info) if with_info else found


def builder(name: str, **kwargs: Any) -> Builder:
    """A set."""
    return Builder(name)


def list_builders(**kwargs: Any) -> list[str]:
    """The names of the sets."""
    return sorted(_SETS)


def as_numpy(dataset: Any) -> Any:
    """Examples as arrays of NumPy: of data sets as iterables, of tensors at once."""
    if isinstance(dataset, Dataset):
        return _Numpy(dataset)
    return tree.map_structure(
        lambda x: _Numpy(x) if isinstance(x, Dataset) else np.asarray(x), dataset
    )


class _Numpy:
    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        for item in self._dataset:
            yield tree.map_structure(np.asarray, item)

    def __len__(self) -> int:
        return len(self._dataset)


def disable_progress_bar() -> None:
    """Nothing: there is none."""


enable_progress_bar = disable_progress_bar

__all__ = [
    "as_numpy", "builder", "disable_progress_bar", "enable_progress_bar", "list_builders", "load",
]  # fmt: skip
