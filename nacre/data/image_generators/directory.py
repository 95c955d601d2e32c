"""Batches of changed images of files; `DirectoryIterator` finds them in the folders of classes."""

from __future__ import annotations

import os
from collections.abc import Iterator as PlainIterator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.config import floatx, standardize_data_format
from nacre.core.errors import ArgumentError, message
from nacre.core.terminal import show
from nacre.core.warning import warn
from nacre.data.image_generators.arrays import ImageIterator, require_subset, split_of
from nacre.data.image_generators.iterator import Array, Iterator, Random
from nacre.data.images import INTERPOLATIONS, image_size, img_to_array, load_img
from nacre.data.streams import folder_that_is_there

if TYPE_CHECKING:
    from nacre.data.image_generators.generator import ImageDataGenerator

_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


class FileIterator(ImageIterator):
    """Batches of images of files, and their labels in one of several forms.

    Attributes:
        filenames, filepaths: The files, and where they are.
        samples: How many there are.
        class_mode, class_indices: The form of labels, and the number of each class.
        labels: What labels are made of.
        sample_weight: Weights, or None.
        image_shape: Of each image in a batch.
    """

    allowed_class_modes: frozenset[Any] = frozenset(
        ("categorical", "binary", "sparse", "input", None)
    )
    class_indices: dict[str, int]
    filenames: list[str]
    _filepaths: list[str]
    _names_of_saved = 10_000_000

    def _set_up(
        self,
        generator: ImageDataGenerator | None,
        target_size: Any,
        color_mode: str,
        class_mode: str | None,
        data_format: str | None,
        save: tuple[str | os.PathLike[str] | None, str, str],
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool,
        dtype: Any,
    ) -> None:
        """What the two that read files have in common."""
        who = type(self).__name__
        if class_mode not in self.allowed_class_modes:
            rule = f"class_mode must be one of {_listed(self.allowed_class_modes)}"
            raise ArgumentError(message(who, rule, repr(class_mode)))
        if color_mode not in _CHANNELS:
            rule = f"color_mode must be one of {', '.join(_CHANNELS)}"
            raise ArgumentError(message(who, rule, repr(color_mode)))
        if interpolation not in INTERPOLATIONS:
            rule = f"interpolation must be one of {', '.join(INTERPOLATIONS)}"
            raise ArgumentError(message(who, rule, repr(interpolation)))
        require_subset(who, subset, split_of(generator))
        self.image_data_generator = generator
        self.target_size = image_size(who, "target_size", target_size)
        self.color_mode, self.class_mode, self.subset = color_mode, class_mode, subset
        self.interpolation, self.keep_aspect_ratio = interpolation, keep_aspect_ratio
        self.data_format = standardize_data_format(data_format)
        self.dtype = np.dtype(dtype or floatx()).name
        channels = _CHANNELS[color_mode]
        is_first = self.data_format == "channels_first"
        self.image_shape = (
            (channels, *self.target_size) if is_first else (*self.target_size, channels)
        )
        self.save_to_dir, self.save_prefix, self.save_format = save

    def _part(self, count: int) -> slice:
        """The files of the subset among some: the first ones are for validation."""
        if self.subset is None:
            return slice(None)
        cut = int(split_of(self.image_data_generator) * count)
        return slice(None, cut) if self.subset == "validation" else slice(cut, None)

    @property
    def filepaths(self) -> list[str]:
        """Where the files are."""
        return self._filepaths

    @property
    def labels(self) -> Any:
        """What labels are made of: a class's number for each file."""
        raise NotImplementedError

    @property
    def sample_weight(self) -> Array | None:
        """A weight for each file, or None."""
        return None

    def _transformed(self, index_array: Array, random: Random) -> Any:
        batch = np.empty((len(index_array), *self.image_shape), self.dtype)
        for place, index in enumerate(index_array):
            image = load_img(
                self.filepaths[index], color_mode=self.color_mode, target_size=self.target_size,
                interpolation=self.interpolation, keep_aspect_ratio=self.keep_aspect_ratio,
            )  # fmt: skip
            pixels = img_to_array(image, data_format=self.data_format)
            batch[place] = self._changed(pixels, random)
        self._saved(batch, index_array, random)
        if self.class_mode is None:
            return batch
        labels = self._labels(batch, index_array)
        if self.sample_weight is None:
            return batch, labels
        return batch, labels, self.sample_weight[index_array]

    def _labels(self, batch: Array, index_array: Array) -> Any:
        if self.class_mode == "input":
            return batch.copy()
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.labels[index] for index in index_array], self.dtype)
        one_hot = np.zeros((len(index_array), len(self.class_indices)), self.dtype)
        for row, index in zip(one_hot, index_array, strict=True):
            row[self.labels[index]] = 1  # of several classes where they are a list
        return one_hot


class DirectoryIterator(FileIterator):
    """Batches of the image files in a folder; see `ImageDataGenerator.flow_from_directory`.

    Args:
        directory: The folder.
        image_data_generator: What changes the images; None leaves them as they are.
        target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, save_to_dir,
            save_prefix, save_format, follow_links, subset, interpolation, keep_aspect_ratio: See
            `flow_from_directory`.
        data_format, dtype: See `ImageDataGenerator`.

    Attributes:
        classes: The number of each file's class, int32, in the order of `filenames`.
        class_indices, filenames, filepaths, samples, num_classes, image_shape: See
            `flow_from_directory`.

    Source: tf.keras 2.15, whose files, classes and pixels were compared. Differs: folders whose
    names begin with a dot (.ipynb_checkpoints) are no classes; more than two classes for 'binary'
    are refused; a folder of `classes` that is not there is warned of.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        image_data_generator: ImageDataGenerator | None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ) -> None:
        who = "DirectoryIterator"
        self._set_up(
            image_data_generator, target_size, color_mode, class_mode, data_format,
            (save_to_dir, save_prefix, save_format), subset, interpolation, keep_aspect_ratio,
            dtype,
        )  # fmt: skip
        self.directory = directory
        folder = folder_that_is_there(directory, who)
        folders = sorted(
            entry.name
            for entry in os.scandir(folder)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        names = folders if classes is None else [str(name) for name in classes]
        missing = [name for name in names if not os.path.isdir(os.path.join(folder, name))]
        if missing:
            got = f"none for {missing} in {folder!r}"
            warn(message(who, "there is a folder for each of classes", got, f"It has {folders}."))
        if class_mode == "binary" and len(names) > 2:
            rule = "class_mode='binary' needs 2 classes"
            fix = "Take 'categorical' or 'sparse', or name two with classes=[...]."
            raise ArgumentError(message(who, rule, f"{len(names)}: {names[:10]}", fix))
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.num_classes = len(names)
        self.filenames = []
        numbers: list[int] = []
        total = 0  # images of all subsets
        for name, number in self.class_indices.items():
            found = list(_images(folder, name, follow_links))
            total += len(found)
            found = found[self._part(len(found))]
            self.filenames += found
            numbers += [number] * len(found)
        self.classes = np.array(numbers, np.int32)
        self._filepaths = [os.path.join(folder, name) for name in self.filenames]
        self.samples = len(self.filenames)
        show(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        if not self.samples:
            _warn_of_none(folder, folders, has_others=total > 0)
        super().__init__(self.samples, batch_size, shuffle, seed)

    @property
    def labels(self) -> Array:
        """The number of each file's class."""
        return self.classes


def _images(folder: str, name: str, follow_links: bool) -> PlainIterator[str]:
    """The image files of a class, as they are called in the folder of all."""
    walked = os.walk(os.path.join(folder, name), followlinks=follow_links)
    for place, _, files in sorted(walked, key=lambda step: step[0]):
        for file in sorted(files):
            if file.lower().endswith(tuple(f".{end}" for end in Iterator.white_list_formats)):
                yield os.path.relpath(os.path.join(place, file), folder)


def _warn_of_none(folder: str, folders: list[str], has_others: bool) -> None:
    """Tell that there is nothing to go over, and the likely reason."""
    ends = tuple(f".{end}" for end in Iterator.white_list_formats)
    rule = f"there must be images ({', '.join(ends)}) in a folder for each class"
    got = f"none in {folder!r}, which has the folders {folders[:10]}"
    fix = "Check the path."
    if has_others:
        fix = "All are in the other subset: choose another validation_split."
    elif any(name.lower().endswith(ends) for name in os.listdir(folder)):
        fix = (
            "Files right in the folder are of no class: move them into folders of it, or take them "
            "without labels: classes=['.'], class_mode=None."
        )
    warn(message("DirectoryIterator", rule, got, fix))


def _listed(names: frozenset[Any]) -> str:
    return ", ".join(sorted(repr(name) for name in names))


__all__ = ["DirectoryIterator", "FileIterator"]
