"""`tensorflow_datasets` for the sets of `nacre.datasets` and for folders that were prepared."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import (
    AbsentFileError,
    ArgumentError,
    UnknownNameError,
    listed,
    message,
    nearest,
)
from nacre.data import Dataset, Ragged
from nacre.data.experimental import assert_cardinality
from nacre.tf import tfds_folders
from nacre.tf.tfds_features import ClassLabel, Feature, FeaturesDict, Image, joined
from nacre.tf.tfds_folders import Folder, SplitInfo
from nacre.tf.tfds_splits import Piece, even_splits, pieces_of
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


class Split:
    """Names of splits."""

    TRAIN = "train"
    TEST = "test"
    VALIDATION = "validation"
    ALL = "all"


class SkipDecoding:
    """In `decoders`: leave a picture as the bytes it is in the record."""


@dataclass
class ReadConfig:
    """How records are read.

    Args:
        shuffle_seed: The seed of the order of files, where `shuffle_files` asks for one.
        add_tfds_id, interleave_cycle_length, interleave_block_length, input_context,
            try_autocache, skip_prefetch, num_parallel_calls_for_decode, options: Accepted for
            compatibility; records come file by file.
    """

    shuffle_seed: int | None = None
    add_tfds_id: bool = False
    interleave_cycle_length: Any = None
    interleave_block_length: Any = 16
    input_context: Any = None
    try_autocache: bool = True
    skip_prefetch: bool = False
    num_parallel_calls_for_decode: Any = None
    options: Any = None

    def __post_init__(self) -> None:
        if self.add_tfds_id or self.input_context is not None:
            rule = "add_tfds_id and input_context are not here"
            fix = "Number examples with Dataset.enumerate; share them out by tfds.even_splits."
            raise ArgumentError(message("tfds.ReadConfig", rule, "one of them", fix))


@dataclass
class DatasetInfo:
    """What is known of a set."""

    name: str
    features: Any = None
    splits: dict[str, SplitInfo] = field(default_factory=dict)
    supervised_keys: Any = ("image", "label")
    version: str = "0.0.0"
    description: str = ""
    citation: str = ""
    homepage: str = ""
    config_name: str = ""

    @property
    def full_name(self) -> str:
        """Name, config and version."""
        return "/".join(part for part in (self.name, self.config_name, self.version) if part)

    @property
    def dataset_size(self) -> int:
        """How many bytes its files are."""
        return sum(split.num_bytes for split in self.splits.values())


class Builder:
    """A set.

    Args:
        name: Its name.
        info: What is known of it.
        read: What gives the examples of a split, from a place to another; with whether files are
            shuffled, by what, and the features whose bytes are wanted.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def info(self) -> DatasetInfo:
        """What is known of it."""
        raise NotImplementedError

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Nothing more than to look that it is there: nothing is downloaded."""
        _ = self.info

    def as_dataset(
        self, split: Any = None, *, batch_size: int | None = None, shuffle_files: bool = False,
        decoders: Any = None, read_config: Any = None, as_supervised: bool = False,
    ) -> Any:  # fmt: skip
        """Its examples.

        Args:
            split: 'train', 'test', 'all', 'train[:80%]', 'train+test[10:20]', a `ReadInstruction`,
                what `even_splits` gives; a list or a dict of these; None for a dict of all.
            batch_size: How many examples stand together; -1 for all of them, as tensors.
            shuffle_files: Whether the files of a split come in an order drawn anew each time.
            decoders: `SkipDecoding()` by the name of a picture that is to stay bytes.
            read_config: A `ReadConfig`.
            as_supervised: Whether examples are pairs (input, target) and not dicts.
        """
        wanted = {name: name for name in self.info.splits} if split is None else split
        make = functools.partial(
            self._dataset,
            shuffles=shuffle_files,
            config=read_config or ReadConfig(),
            raw=_undecoded(decoders),
            keys=self._keys() if as_supervised else None,
        )

        def made(part: Any) -> Any:
            shards = {
                name: info.shard_lengths or (info.num_examples,)
                for name, info in self.info.splits.items()
            }
            data = make(pieces_of(part, shards, f"tfds.load('{self.name}')"))
            if batch_size == -1:
                return _all(data)
            return data if batch_size is None else data.batch(batch_size)

        return _mapped(made, wanted)

    def _keys(self) -> Any:
        keys = self.info.supervised_keys
        if keys is None:
            rule, fix = "as_supervised needs to know what input and target are", "Take the dicts."
            got = "a set that does not tell"
            raise ArgumentError(message(f"tfds.load('{self.name}')", rule, got, fix))
        return keys

    def _dataset(
        self, pieces: list[Piece], shuffles: bool, config: ReadConfig, raw: Any, keys: Any
    ) -> Dataset:
        raise NotImplementedError


class _OfArrays(Builder):
    """A set of `nacre.datasets`."""

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
        parts = {"image": Image(shape=shape), "label": ClassLabel(names=_SETS[self.name])}
        splits = {k: SplitInfo(k, len(v[1]), (len(v[1]),)) for k, v in self._arrays.items()}
        return DatasetInfo(self.name, FeaturesDict(parts), splits)

    def _dataset(
        self, pieces: list[Piece], shuffles: bool, config: ReadConfig, raw: Any, keys: Any
    ) -> Dataset:
        if raw:
            rule, got = "these pictures are arrays, which nothing decodes", "decoders"
            raise ArgumentError(message(f"tfds.load('{self.name}')", rule, got, "Leave them out."))
        picked = [[part[p.start : p.stop] for part in self._arrays[p.split]] for p in pieces]
        images, labels = (np.concatenate(parts) for parts in zip(*picked))
        found = {"image": images, "label": labels}
        return Dataset.from_tensor_slices(found if keys is None else _taken(found, keys))


class _OfFolder(Builder):
    """A prepared folder."""

    def __init__(self, path: Path) -> None:
        self._folder = Folder(path)
        super().__init__(self._folder.told["name"])

    @property
    def data_path(self) -> Path:
        """The folder."""
        return self._folder.path

    @functools.cached_property
    def info(self) -> DatasetInfo:  # pyright: ignore[reportIncompatibleMethodOverride] - kept
        """What is known of it."""
        told = self._folder.told
        urls = told.get("location", {}).get("urls", ())
        return DatasetInfo(
            self.name,
            self._folder.features,
            self._folder.splits,
            self._folder.supervised,
            told.get("version", "0.0.0"),
            told.get("description", ""),
            told.get("citation", ""),
            urls[0] if urls else "",
            told.get("configName", ""),
        )

    def _dataset(
        self, pieces: list[Piece], shuffles: bool, config: ReadConfig, raw: Any, keys: Any
    ) -> Dataset:
        folder, features = self._folder, self._folder.features
        for piece in pieces:
            _ = folder.splits[piece.split]

        def examples() -> Iterator[Any]:
            drawn = np.random.default_rng(config.shuffle_seed)
            for split, start, stop in pieces:
                shards = list(range(folder.splits[split].num_shards))
                if shuffles:
                    drawn.shuffle(shards)
                for record in folder.records(split, start, stop, shards):
                    found = _read(features, folder.example(record), "", raw)
                    yield found if keys is None else _taken(found, keys)

        spec = _spec(features, "", raw)
        data = Dataset.from_generator(
            examples, output_signature=spec if keys is None else _taken(spec, keys)
        )
        count = sum(piece.stop - piece.start for piece in pieces)
        return data.apply(assert_cardinality(count))


def _taken(found: Any, keys: Any) -> Any:
    """Input and target by their keys, nested as these are."""
    if isinstance(keys, tuple):
        return tuple(_taken(found, key) for key in keys)
    if isinstance(keys, dict):
        return {name: _taken(found, key) for name, key in keys.items()}
    for part in keys.split("/"):
        found = found[part]
    return found


def _undecoded(decoders: Any) -> frozenset[str]:
    """The names of the parts that stay bytes."""
    names: list[str] = []

    def walk(part: Any, key: str) -> None:
        if isinstance(part, dict):
            for name, inner in part.items():
                walk(inner, joined(key, name))
        elif isinstance(part, SkipDecoding):
            names.append(key)
        else:
            rule, got = "decoders are tfds.decode.SkipDecoding()", type(part).__name__
            fix = "Decode as you like in Dataset.map."
            raise ArgumentError(message("tfds.load", rule, got, fix))

    if decoders:
        walk(decoders, "")
    return frozenset(names)


def _read(feature: Feature, values: Any, key: str, raw: frozenset[str]) -> Any:
    if key in raw:
        return feature.read_raw(values, key)
    if raw and isinstance(feature, FeaturesDict):
        return {n: _read(part, values, joined(key, n), raw) for n, part in feature.items()}
    return feature.read(values, key)


def _spec(feature: Feature, key: str, raw: frozenset[str]) -> Any:
    from nacre.data import TensorSpec
    from nacre.tf.tfds_features import Sequence, Video

    if key in raw:
        sizes = (None,) if isinstance(feature, Sequence | Video) else ()
        return TensorSpec(sizes, "string")
    if raw and isinstance(feature, FeaturesDict):
        return {n: _spec(part, joined(key, n), raw) for n, part in feature.items()}
    return feature.spec


def _all(data: Dataset) -> Any:
    """All examples together, as tensors."""
    count = max(len(data), 1)
    found = next(iter(data.batch(count)))
    return tree.map_structure(lambda x: landed(np.asarray(x)), found)


def _mapped(make: Callable[[Any], Any], wanted: Any) -> Any:
    """What is made of each split in lists, tuples and dicts."""
    if isinstance(wanted, dict):
        return {name: _mapped(make, part) for name, part in wanted.items()}
    if isinstance(wanted, list | tuple):
        return type(wanted)(_mapped(make, part) for part in wanted)
    return make(wanted)


def builder(
    name: str, *, data_dir: Any = None, config: Any = None, version: Any = None,
    try_gcs: bool = False, **kwargs: Any,
) -> Builder:  # fmt: skip
    """A set: a prepared folder, else one of `nacre.datasets`.

    Args:
        name: 'mnist', 'glue/cola' with a config, 'mnist:3.0.1' with a version.
        data_dir: The folder of all sets; by default `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
        config: The name of the config, where it does not stand in the name.
        version: The version, where it does not stand in the name.
        try_gcs, kwargs: Accepted for compatibility.

    Raises:
        UnknownNameError: It is not there; the message tells where it was looked for.
    """
    base, _, told = name.partition(":")
    if config is not None and "/" not in base:
        base = f"{base}/{getattr(config, 'name', config)}"
    asked = told or version
    folder = tfds_folders.find(base, None if asked is None else str(asked), data_dir)
    if folder is not None:
        return _OfFolder(folder)
    if base in _SETS:
        return _OfArrays(base)
    place = tfds_folders.data_dir(data_dir) / base / str(asked or "<version>")
    close = nearest(base, list_builders(data_dir=data_dir))
    fix = (
        f"Did you mean '{close}'?"
        if close
        else "Prepare it where tensorflow_datasets is installed and pass its folder as data_dir, "
        "or read its files with tf.data.TFRecordDataset."
    )
    rule = f"nothing is downloaded: a set must be prepared on disk, or one of {listed(list(_SETS))}"
    raise UnknownNameError(message(f"tfds.load('{name}')", rule, f"no folder '{place}'", fix))


def builder_from_directory(builder_dir: Any, file_format: Any = None) -> Builder:
    """The set of a prepared folder.

    Args:
        builder_dir: The folder of one version, with its `dataset_info.json`.
        file_format: Accepted for compatibility: the folder tells it.

    Raises:
        AbsentFileError: It is no prepared folder.
    """
    return _OfFolder(Path(os.path.expanduser(os.fspath(builder_dir))))


def load(
    name: str, *, split: Any = None, data_dir: Any = None, batch_size: int | None = None,
    shuffle_files: bool = False, download: bool = True, as_supervised: bool = False,
    decoders: Any = None, read_config: Any = None, with_info: bool = False,
    builder_kwargs: Any = None, download_and_prepare_kwargs: Any = None,
    as_dataset_kwargs: Any = None, try_gcs: bool = False, file_format: Any = None,
) -> Any:  # fmt: skip
    """The examples of a set; with `with_info` what is known of it, too.

    Args:
        name, data_dir: See `builder`.
        split, batch_size, shuffle_files, decoders, read_config, as_supervised: See
            `Builder.as_dataset`.
        with_info: Whether the answer is a pair with a `DatasetInfo`.
        builder_kwargs, as_dataset_kwargs: Further arguments of `builder` and of `as_dataset`.
        download, download_and_prepare_kwargs, try_gcs, file_format: Accepted for compatibility.

    Source:
        tensorflow_datasets 4.9. Differs: nothing is downloaded; examples come in the order of the
        files, and those of mnist, fashion_mnist and cifar10, where no folder has them, in the order
        of `tf.keras.datasets`.
    """
    made = builder(name, data_dir=data_dir, **(builder_kwargs or {}))
    found = made.as_dataset(
        split,
        batch_size=batch_size,
        shuffle_files=shuffle_files,
        decoders=decoders,
        read_config=read_config,
        as_supervised=as_supervised,
        **(as_dataset_kwargs or {}),
    )
    return (found, made.info) if with_info else found


def list_builders(*, data_dir: Any = None, **kwargs: Any) -> list[str]:
    """The names of the sets that are here, prepared ones among them."""
    home = tfds_folders.data_dir(data_dir)
    there = [child.name for child in home.iterdir() if child.is_dir()] if home.is_dir() else []
    prepared = []
    for name in there:
        try:
            prepared += [name] if tfds_folders.find(name, None, data_dir) is not None else []
        except AbsentFileError:  # several configs
            prepared.append(name)
    return sorted({*_SETS, *prepared})


def as_numpy(dataset: Any) -> Any:
    """Examples as arrays of NumPy: of data sets as iterables, of tensors at once."""
    if isinstance(dataset, Dataset):
        return _Numpy(dataset)
    return tree.map_structure(lambda x: _Numpy(x) if isinstance(x, Dataset) else _plain(x), dataset)


def _plain(value: Any) -> Any:
    if isinstance(value, Ragged):
        return value
    array = np.asarray(value)
    return array if array.ndim else array[()]


class _Numpy:
    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        for item in self._dataset:
            yield tree.map_structure(_plain, item)

    def __len__(self) -> int:
        return len(self._dataset)


def disable_progress_bar() -> None:
    """Nothing: there is none."""


enable_progress_bar = disable_progress_bar

__all__ = [
    "ReadConfig", "Split", "as_numpy", "builder", "builder_from_directory", "disable_progress_bar",
    "enable_progress_bar", "even_splits", "list_builders", "load",
]  # fmt: skip
