"""Data sets of the files in a folder: one class in each folder of it.

`files_of` finds the files and their labels and splits them; the readers are what the threads of
`Dataset.map` call for each file, so a file is opened when its element is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.interop import optional_import
from nacre.core.numbers import as_whole, whole_number
from nacre.core.random import make_default_seed
from nacre.core.terminal import show
from nacre.data.dataset import AUTOTUNE, Dataset
from nacre.data.dataset.mapping import Map
from nacre.data.decoding import COLOR_MODES, decoded
from nacre.data.images import image_size
from nacre.data.resizing import require_interpolation, resize, resize_cropped, resize_with_pad
from nacre.data.streams import folder_that_is_there

IMAGE_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_LABEL_MODES = ("int", "categorical", "binary", None)
_SUBSETS = ("training", "validation", "both")
Together = Callable[[Dataset, int], Dataset]


class DirectoryDataset(Dataset):
    """A `Dataset` of files that knows them. What its methods give is a plain `Dataset`.

    Args:
        dataset: The data set.
        class_names: Names of the classes, at their numbers; None without labels.
        file_paths: The files, before each pass shuffles them.
    """

    def __init__(
        self, dataset: Dataset, class_names: list[str] | None, file_paths: list[str]
    ) -> None:
        super().__init__(dataset._dataset_node, dataset._options)
        self.class_names, self.file_paths = class_names, file_paths


@dataclass(frozen=True)
class Files:
    """Files with their labels.

    Attributes:
        paths: The files.
        labels: A number for each, int32 or float32; None without labels.
        class_names: Names of the classes; None without labels.
        subset: 'training' or 'validation' where they are a part of a split.
    """

    paths: list[str]
    labels: np.ndarray[Any, Any] | None
    class_names: list[str] | None
    subset: str | None = None

    def picked(self, positions: np.ndarray[Any, Any]) -> Files:
        """Some of them."""
        labels = None if self.labels is None else self.labels[positions]
        return replace(self, paths=[self.paths[at] for at in positions], labels=labels)


@dataclass(frozen=True)
class Folder:
    """What a person asks for, whatever the files hold.

    Attributes are the arguments of that name of `text_dataset_from_directory`; `who` is the loader,
    `kind` what the files are called and `endings` their names' endings.
    """

    who: str
    kind: str
    endings: tuple[str, ...]
    directory: str
    labels: Any
    label_mode: str | None
    class_names: Any
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool

    def datasets(self, read: Callable[[str], Any], together: Together = Dataset.batch) -> Any:
        """The data set, or the two of them.

        Args:
            read: What the element of a file is.
            together: Makes batches of a size out of a data set.
        """
        files, seed = self.files(), self._shuffle_seed()
        if self.shuffle:
            # NumPy's old generator, whose order is Keras's: the same seed splits alike there.
            order = np.arange(len(files.paths))
            np.random.RandomState(seed).shuffle(order)
            files = files.picked(order)
        parts = self._parts(files)
        if self.subset != "both":
            return self._dataset(parts[0], read, together, seed if self.shuffle else None)
        # Validation is not shuffled in each pass, as it is the same sum in any order.
        return [
            self._dataset(parts[0], read, together, seed if self.shuffle else None),
            self._dataset(parts[1], read, together, None),
        ]

    def _shuffle_seed(self) -> int:
        if self.seed is None:
            return make_default_seed()
        found = as_whole(self.seed)
        if found is None or not 0 <= found < 2**32:
            rule = "seed must be a whole number from 0 to 2**32 - 1, or None"
            raise ArgumentError(message(self.who, rule, repr(self.seed)[:60]))
        return found

    # ------------------------------------------------------------------------ files and labels

    def files(self) -> Files:
        """All files, in the order of their folders, folders in the order of their names."""
        folder = folder_that_is_there(self.directory, self.who)
        if self.labels != "inferred" or self.label_mode is None:
            paths = list(self._walk(folder))
            if self.labels == "inferred" or self.labels is None:
                found = Files(paths, None, None)
            else:
                found = self._labelled(paths)
        else:
            names = self._folder_names()
            each = [list(self._walk(os.path.join(folder, name))) for name in names]
            labels = np.repeat(np.arange(len(names), dtype=np.int32), [len(part) for part in each])
            found = Files([path for part in each for path in part], labels, names)
        if self.verbose:
            classes = found.class_names
            of = "" if classes is None else f" belonging to {len(classes)} classes"
            show(f"Found {len(found.paths)} files{of}.")
        if not found.paths:
            ends = ", ".join(self.endings)
            where = "" if found.labels is None else " in a folder for each class"
            rule = f"the folder must hold {self.kind} files ({ends}){where}"
            fix = "Check the path."
            if found.labels is not None and any(self._walk(folder)):
                fix = "Files right in the folder are of no class: give labels=None, or [...]."
            raise DataError(message(self.who, rule, f"none in {folder!r}", fix))
        return found

    def _walk(self, folder: str) -> Iterator[str]:
        walked = sorted(os.walk(folder, followlinks=self.follow_links), key=lambda step: step[0])
        for place, _, names in walked:
            for name in sorted(names):
                if name.lower().endswith(self.endings):
                    yield os.path.join(place, name)

    def _folder_names(self) -> list[str]:
        found = sorted(
            entry.name
            for entry in os.scandir(self.directory)
            if entry.is_dir() and not entry.name.startswith(".")
        )
        if self.class_names is None:
            names = found
        else:
            names = [str(name) for name in self.class_names]
            unknown = [name for name in names if name not in found]
            if unknown or len(set(names)) < len(names):
                rule = f"class_names must be names of folders in the directory, each once: {found}"
                raise ArgumentError(message(self.who, rule, f"{names}"))
        if self.label_mode == "binary" and len(names) != 2:
            rule = "label_mode='binary' needs exactly 2 classes"
            fix = "Take 'int' or 'categorical', or name two with class_names=[...]."
            raise ArgumentError(message(self.who, rule, f"{len(names)}: {names[:10]}", fix))
        return names

    def _labelled(self, paths: list[str]) -> Files:
        """Files with labels that were given."""
        labels = np.asarray(self.labels)
        if len(labels) != len(paths):
            rule = "labels must be one number for each file, in the order of the files' names"
            got = f"{len(labels)} labels for {len(paths)} files in {self.directory!r}"
            raise ArgumentError(message(self.who, rule, got))
        values = sorted(set(labels.tolist()))
        allowed = {"categorical": range(len(values)), "binary": range(2)}.get(self.label_mode or "")
        if allowed is not None and not all(value in allowed for value in values):
            rule = f"labels must be class numbers from 0 to {len(allowed) - 1}"
            got = f"{values[:10]} with label_mode={self.label_mode!r}"
            fix = "Number the classes from 0 on, or take label_mode='int', which keeps labels."
            raise ArgumentError(message(self.who, rule, got, fix))
        if self.label_mode == "binary" and len(values) != 2:
            rule = "label_mode='binary' needs exactly 2 classes"
            raise ArgumentError(message(self.who, rule, f"labels that are all {values}"))
        kind = np.float32 if labels.dtype.kind == "f" else np.int32
        return Files(paths, labels.astype(kind), [str(value) for value in values])

    # -------------------------------------------------------------------------- parts and elements

    def _parts(self, files: Files) -> list[Files]:
        if self.subset is None:
            return [files]
        count = len(files.paths)
        held_out = int((self.validation_split or 0) * count)
        sizes = {"training": count - held_out, "validation": held_out}
        wanted = list(sizes) if self.subset == "both" else [self.subset]
        if self.verbose:
            for name in wanted:
                show(f"Using {sizes[name]} files for {name}.")
        for name in wanted:
            if not sizes[name]:
                rule = f"the {name} subset must have files"
                got = (
                    f"validation_split={self.validation_split} of {count} files, which leaves none"
                )
                raise DataError(message(self.who, rule, got, "Choose another validation_split."))
        cut = {"training": np.arange(count - held_out), "validation": np.arange(count)[-held_out:]}
        return [replace(files.picked(cut[name]), subset=name) for name in wanted]

    def _dataset(
        self, files: Files, read: Callable[[str], Any], together: Together, seed: int | None
    ) -> Dataset:
        dataset = Dataset.range(len(files.paths))
        if seed is not None:  # positions are small: all of them are shuffled
            dataset = dataset.shuffle(len(files.paths), seed=seed)
        read_element = _Element(files, self.label_mode, read)
        dataset = dataset.map(read_element, num_parallel_calls=AUTOTUNE)
        if self.batch_size is not None:
            dataset = together(dataset, self.batch_size)
        return DirectoryDataset(dataset.prefetch(AUTOTUNE), files.class_names, files.paths)


class _Element:
    """What the file at a position is: what was read, and its label."""

    def __init__(self, files: Files, label_mode: str | None, read: Callable[[str], Any]) -> None:
        self.files, self.label_mode, self.read = files, label_mode, read
        self.__name__ = "read_file"  # as an error names it

    def __call__(self, position: Any) -> Any:
        at = int(position)
        value = self.read(self.files.paths[at])
        if self.files.labels is None:
            return value
        label: Any = self.files.labels[at]
        if self.label_mode == "binary":
            label = np.asarray([label], np.float32)
        elif self.label_mode == "categorical":
            one_hot = np.zeros(len(self.files.class_names or ()), np.float32)
            one_hot[label] = 1.0
            label = one_hot
        return value, label


def files_below(dataset: Dataset) -> Files | None:
    """The files of the loader that a data set was made of, by whatever methods, if it was."""
    waiting = [dataset._dataset_node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Map) and isinstance(node.function, _Element):
            return node.function.files
        waiting.extend(node.inputs)
    return None


def folder_of(who: str, kind: str, endings: tuple[str, ...], form: str, arguments: Any) -> Folder:
    """The arguments that all loaders have, looked at before any file is.

    Raises:
        ArgumentError: One of them breaks its rule.
    """
    given = dict(arguments)

    def refuse(rule: str, got: Any, fix: str = "") -> None:
        raise ArgumentError(message(who, rule, got if isinstance(got, str) else repr(got), fix))

    labels, mode, names = given["labels"], given["label_mode"], given["class_names"]
    if form != "tf":
        refuse("format must be 'tf', which gives a nacre.data.Dataset", form)
    if mode not in _LABEL_MODES:
        refuse("label_mode must be 'int', 'categorical', 'binary' or None", mode)
    is_array = not (labels is None or isinstance(labels, str))
    if isinstance(labels, str) and labels != "inferred":
        refuse("labels must be 'inferred', None, or one number for each file", labels)
    if is_array:
        try:
            numbers = np.asarray(labels)
        except ValueError:  # rows of several lengths
            numbers = np.asarray(None)
        if numbers.ndim != 1 or numbers.dtype.kind not in "biuf":
            got = f"{labels!r}"[:80]
            refuse("labels must be a flat list of numbers", got, "Number the classes from 0 on.")
        given["labels"] = numbers.tolist()
    if names is not None:
        if is_array or labels is None or mode is None:
            refuse("class_names needs labels='inferred' and a label_mode", f"class_names={names}")
        if not isinstance(names, Sequence) or isinstance(names, str):
            refuse("class_names must be a list of folders' names", names)
    subset, split = given["subset"], given["validation_split"]
    is_share = isinstance(split, int | float | np.number) and 0 <= split < 1
    if split is not None and not is_share:
        refuse("validation_split must be from 0 to 1, and less than 1", split)
    if bool(split) != (subset is not None):
        got = f"validation_split={split} and subset={subset!r}"
        refuse("validation_split and subset must be given together", got)
    if subset is not None and subset not in _SUBSETS:
        refuse("subset must be 'training', 'validation' or 'both'", subset)
    if split and given["shuffle"] and given["seed"] is None and subset != "both":
        refuse(
            "validation_split needs a seed where files are shuffled, or both subsets would share "
            "files",
            "seed=None",
            "Give seed=1 to both calls, or take subset='both'.",
        )
    if given["batch_size"] is not None:
        given["batch_size"] = whole_number(who, "batch_size", given["batch_size"])
    given["directory"] = os.fspath(given["directory"])
    return Folder(who=who, kind=kind, endings=endings, **given)


# --------------------------------------------------------------------------------------- images


class _ReadImage:
    """Images of files as float32 arrays of one size."""

    def __init__(
        self,
        who: str,
        size: tuple[int, int],
        color_mode: str,
        interpolation: str,
        resize: Callable[[np.ndarray[Any, Any], tuple[int, int], str], np.ndarray[Any, Any]],
        is_channels_first: bool,
    ) -> None:
        self.who, self.size, self.color_mode = who, size, color_mode
        self.interpolation, self.resize = interpolation, resize
        self.is_channels_first = is_channels_first

    def __call__(self, path: str) -> np.ndarray[Any, Any]:
        pixels = decoded(path, self.color_mode, self.who)
        resized = self.resize(pixels, self.size, self.interpolation)
        return np.moveaxis(resized, -1, 0).copy() if self.is_channels_first else resized


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A `Dataset` of the image files in a folder, batches of (images, labels).

    Each folder in `directory` is a class; its images may lie in folders of their own below it.
    Files are BMP, GIF (the first picture), JPEG and PNG by the endings of their names. Threads read
    them, as they are asked for.

    Args:
        directory: The folder.
        labels: 'inferred' from the names of folders; a list of one number for each file, in the
            order of the files' paths; None for images alone.
        label_mode: 'int' (int32), 'binary' (float32 0 or 1), 'categorical' (one-hot, float32), or
            None for images alone.
        class_names: The folders to take as classes, in the order of their numbers. By default all,
            by their names.
        color_mode: 'rgb', 'rgba' or 'grayscale'.
        batch_size: Images in a batch; None gives them one by one.
        image_size: (height, width) that all are resized to.
        shuffle: Whether files are in another order in each pass; else they are in their own.
        seed: What orders, and which files are held out, follow from.
        validation_split: Share of the files to hold out.
        subset: 'training', 'validation', or 'both' for a list of these two.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5', 'gaussian'
            or 'mitchellcubic', all without antialiasing.
        follow_links: Whether to look into folders that are links.
        crop_to_aspect_ratio: Take the largest part around the centre that has the shape of
            `image_size`, in place of the whole.
        pad_to_aspect_ratio: Put the image in the middle of black.
        data_format: 'channels_last' or 'channels_first'; None for the one of `nacre.config`.
        format: 'tf', the only one.
        verbose: Whether to print how many files there are.

    Shapes:
        images   (batch, height, width, channels), float32 from 0 to 255; uint8 for 'nearest'
        labels   (batch,); (batch, 1) for 'binary'; (batch, classes) for 'categorical'

    Precision:
        PNG, BMP and GIF files of the size asked for have Keras's very pixels in 'rgb'. Resized
        ones differ by rounding, under 0.01 of 255; greys made of colours by 1, and decoded JPEGs by
        a few, as decoders do. JPEGs are decoded by simplejpeg where it is installed (the extra
        'jpeg'), in half the time; else by Pillow. Both ask libjpeg-turbo for the exact transform
        and smoothed colours, and have the same pixels where their versions of it have.

    Raises:
        ArgumentError: An argument breaks its rule.
        DataError: There are no such files, or none are left for a subset; where the data set is
            read, a file that is no whole image is named.
        MissingPackageError: Pillow is not installed.

    Source: Keras 3.15, whose files, splits and shapes were compared. Order and split for a seed are
    Keras's; the further shuffling in each pass is over all files and in another order. Differs:
    class names given twice, a subset without files, and labels that are out of range for their
    `label_mode` are refused; files of all kinds are read in every color mode, where 'rgba' makes
    what has no transparency opaque.

    Example:
        >>> import os, tempfile, numpy as np, nacre
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name in ("cats", "dogs"):
        ...     os.mkdir(os.path.join(folder.name, name))
        ...     file = os.path.join(folder.name, name, "1.png")
        ...     nacre.utils.save_img(file, np.zeros((8, 8, 3)))
        >>> data = image_dataset_from_directory(folder.name, image_size=(4, 4))
        Found 2 files belonging to 2 classes.
        >>> data.class_names
        ['cats', 'dogs']
        >>> [images.shape for images, labels in data]
        [(2, 4, 4, 3)]
    """
    who = "image_dataset_from_directory"
    size = _size(who, image_size)
    require_interpolation(who, interpolation)
    if color_mode not in COLOR_MODES:
        rule = f"color_mode must be one of {', '.join(COLOR_MODES)}"
        raise ArgumentError(message(who, rule, repr(color_mode)[:60]))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        rule = "only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be True"
        raise ArgumentError(message(who, rule, "both"))
    is_channels_first = standardize_data_format(data_format) == "channels_first"
    optional_import("PIL.Image", extra="plot", who=who)
    folder = folder_of(who, "image", IMAGE_ENDINGS, format, dict(
        directory=directory, labels=labels, label_mode=label_mode, class_names=class_names,
        batch_size=batch_size, shuffle=shuffle, seed=seed, validation_split=validation_split,
        subset=subset, follow_links=follow_links, verbose=verbose,
    ))  # fmt: skip
    way = resize
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        way = resize_cropped if crop_to_aspect_ratio else resize_with_pad
    read = _ReadImage(who, size, color_mode, interpolation, way, is_channels_first)
    return folder.datasets(read)


def _size(who: str, given: Any) -> tuple[int, int]:
    given = given.tolist() if isinstance(given, np.ndarray) else given
    return image_size(who, "image_size", given)


# ----------------------------------------------------------------------------------------- texts


class _ReadText:
    """Texts of files as bytes."""

    def __init__(self, max_length: int | None) -> None:
        self.max_length = max_length

    def __call__(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read(-1 if self.max_length is None else self.max_length)


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """A `Dataset` of the text files in a folder, batches of (texts, labels).

    Each folder in `directory` is a class. Files are those whose names end in .txt. A text is what
    its file holds, as bytes, as tf.data has it: `TextVectorization` and the other layers take them.

    Args:
        directory: The folder.
        labels: 'inferred' from the names of folders; a list of one number for each file, in the
            order of the files' paths; None for texts alone.
        label_mode: 'int' (int32), 'binary' (float32 0 or 1), 'categorical' (one-hot, float32), or
            None for texts alone.
        class_names: The folders to take as classes, in the order of their numbers. By default all,
            by their names.
        batch_size: Texts in a batch; None gives them one by one.
        max_length: How many bytes of a file to read at most; a letter may be cut in two by it.
        shuffle: Whether files are in another order in each pass; else they are in their own.
        seed: What orders, and which files are held out, follow from.
        validation_split: Share of the files to hold out.
        subset: 'training', 'validation', or 'both' for a list of these two.
        follow_links: Whether to look into folders that are links.
        format: 'tf', the only one.
        verbose: Whether to print how many files there are.

    Shapes:
        texts    (batch,)
        labels   (batch,); (batch, 1) for 'binary'; (batch, classes) for 'categorical'

    Raises:
        ArgumentError: An argument breaks its rule.
        DataError: There are no such files, or none are left for a subset.

    Source: Keras 3.15; what differs is said of `image_dataset_from_directory`.

    Example:
        >>> import os, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name in ("good", "bad"):
        ...     os.mkdir(os.path.join(folder.name, name))
        ...     with open(os.path.join(folder.name, name, "1.txt"), "w") as file:
        ...         _ = file.write(f"a {name} film")
        >>> data = text_dataset_from_directory(folder.name, shuffle=False)
        Found 2 files belonging to 2 classes.
        >>> [(texts.tolist(), labels.tolist()) for texts, labels in data]
        [([b'a bad film', b'a good film'], [0, 1])]
    """
    who = "text_dataset_from_directory"
    if max_length is not None:
        max_length = whole_number(who, "max_length", max_length)
    folder = folder_of(who, "text", (".txt",), format, dict(
        directory=directory, labels=labels, label_mode=label_mode, class_names=class_names,
        batch_size=batch_size, shuffle=shuffle, seed=seed, validation_split=validation_split,
        subset=subset, follow_links=follow_links, verbose=verbose,
    ))  # fmt: skip
    return folder.datasets(_ReadText(max_length))


__all__ = [
    "IMAGE_ENDINGS",
    "DirectoryDataset",
    "Folder",
    "folder_of",
    "image_dataset_from_directory",
    "text_dataset_from_directory",
]
