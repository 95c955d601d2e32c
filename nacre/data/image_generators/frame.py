"""`DataFrameIterator`: batches of the image files that a frame of pandas or polars names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, listed, message, nearest
from nacre.core.terminal import show
from nacre.core.warning import warn
from nacre.data.image_generators.arrays import warn_of_unseen_classes
from nacre.data.image_generators.directory import FileIterator
from nacre.data.image_generators.iterator import Array

if TYPE_CHECKING:
    from nacre.data.image_generators.generator import ImageDataGenerator

_OF_CLASSES = ("categorical", "binary", "sparse")


class DataFrameIterator(FileIterator):
    """Batches of the image files that a frame names; see `ImageDataGenerator.flow_from_dataframe`.

    Args:
        dataframe: A frame of pandas or polars; it stays as it is.
        directory: The folder that names of files are in; None for whole paths.
        image_data_generator: What changes the images; None leaves them as they are.
        x_col, y_col, weight_col, target_size, color_mode, classes, class_mode, batch_size, shuffle,
            seed, save_to_dir, save_prefix, save_format, subset, interpolation, keep_aspect_ratio,
            validate_filenames: See `flow_from_dataframe`.
        data_format, dtype: See `ImageDataGenerator`.

    Attributes:
        classes: The number of each file's class, or a list of them.
        labels: These, or for 'raw' and 'multi_output' the columns.
        class_indices, filenames, filepaths, samples, image_shape: See `flow_from_directory`.

    Source: tf.keras 2.15, whose files, labels and subsets were compared. Differs: lists of one
    length in a column for 'raw' are stacked.
    """

    allowed_class_modes = frozenset((*FileIterator.allowed_class_modes, "multi_output", "raw"))

    def __init__(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        image_data_generator: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = "channels_last",
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
    ) -> None:
        generator: ImageDataGenerator | None = image_data_generator
        class_mode = "raw" if class_mode == "other" else class_mode  # its name before 2019
        self._set_up(
            generator, target_size, color_mode, class_mode, data_format,
            (save_to_dir, save_prefix, save_format), subset, interpolation, keep_aspect_ratio,
            dtype,
        )  # fmt: skip
        self.directory = directory
        names = _column(dataframe, "x_col", x_col)
        if not all(isinstance(name, str) for name in names):
            rule = f"all of x_col={x_col!r} must be names of files, strings"
            fix = f"Such as frame[{x_col!r}].astype(str) + '.jpg'."
            raise DataError(message(_WHO, rule, _first_not(names, str), fix))
        weights = None if weight_col is None else _weights(dataframe, weight_col)
        chosen = np.arange(len(names))
        if validate_filenames:
            chosen = self._with_files(names, x_col)
        labels: list[Any] = []
        if class_mode in _OF_CLASSES:
            labels = _column(dataframe, "y_col", y_col)
            labels = _checked_labels(labels, class_mode, y_col)
            labels, chosen = _of_classes(labels, chosen, classes)
            self.class_indices = _numbered(labels, chosen, classes)
            if class_mode == "binary" and len(self.class_indices) != 2:
                rule = "class_mode='binary' needs 2 classes"
                found = list(self.class_indices)
                raise ArgumentError(message(_WHO, rule, f"{len(found)}: {found[:10]}"))
        else:
            self.class_indices = {}
        self.samples = len(chosen)
        part = chosen[self._part(len(chosen))]
        self.samples = len(part)
        self.filenames = [names[at] for at in part]
        folder = os.fspath(directory or "")
        self._filepaths = [os.path.join(folder, name) for name in self.filenames]
        self._sample_weight = None if weights is None else weights[part]
        self._targets: Any = None
        if class_mode in _OF_CLASSES:
            self.classes = [_numbers(labels[at], self.class_indices) for at in part]
            if subset is not None:
                held_out = np.setdiff1d(chosen, part) if subset == "training" else part
                trained = np.setdiff1d(chosen, held_out)
                warn_of_unseen_classes(
                    _WHO,
                    _names(labels, trained),
                    _names(labels, held_out),
                    "Shuffle the rows before: frame = frame.sample(frac=1, random_state=0).",
                )
        elif class_mode in ("raw", "multi_output"):
            self._targets = _targets(dataframe, y_col, class_mode, part)
        of = f" belonging to {len(self.class_indices)} classes" if class_mode in _OF_CLASSES else ""
        kind = "validated" if validate_filenames else "non-validated"
        show(f"Found {self.samples} {kind} image filenames{of}.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _with_files(self, names: Sequence[str], x_col: str) -> Array:
        """Which of the names are those of image files; warns of the others."""
        folder = os.fspath(self.directory or "")
        ends = tuple(f".{end}" for end in self.white_list_formats)
        is_there = [
            name.lower().endswith(ends) and os.path.isfile(os.path.join(folder, name))
            for name in names
        ]
        missing = [name for name, is_file in zip(names, is_there, strict=True) if not is_file]
        if missing:
            rule = f"x_col={x_col!r} must name image files ({', '.join(self.white_list_formats)})"
            absent = [name for name in missing if name.lower().endswith(ends)]
            others = [name for name in missing if not name.lower().endswith(ends)]
            got = [f"{len(absent)} that are not there: {listed(absent, 3)}"] if absent else []
            got += [f"{len(others)} with other endings: {listed(others, 3)}"] if others else []
            fix = "These rows are left out. Give the folder as directory, and names with endings."
            warn(message(_WHO, rule, "; ".join(got), fix))
        return np.flatnonzero(is_there)

    @property
    def labels(self) -> Any:
        """The number of each file's class, or a list of them; the columns where there are none."""
        return self._targets if self.class_mode in ("raw", "multi_output") else self.classes

    @property
    def sample_weight(self) -> Array | None:
        """The weight of each file, or None."""
        return self._sample_weight

    def _labels(self, batch: Array, index_array: Array) -> Any:
        if self.class_mode == "multi_output":
            return [column[index_array] for column in self._targets]
        if self.class_mode == "raw":
            return self._targets[index_array]
        return super()._labels(batch, index_array)


_WHO = "DataFrameIterator"


def _column(frame: Any, argument: str, name: Any) -> list[Any]:
    """A column's values."""
    columns = [str(column) for column in frame.columns]
    if not isinstance(name, str) or name not in columns:
        near = nearest(name, columns)
        fix = f"Did you mean {near!r}?" if near else f"There are: {listed(columns)}."
        rule = f"{argument} must be a column of the frame"
        raise ArgumentError(message(_WHO, rule, repr(name)[:60], fix))
    return list(frame[name])


def _first_not(values: Sequence[Any], kind: Any) -> str:
    wrong = next(value for value in values if not isinstance(value, kind))
    return f"{type(wrong).__name__} {wrong!r}"[:80]


def _weights(frame: Any, name: str) -> Array:
    weights = np.asarray(_column(frame, "weight_col", name))
    if weights.dtype.kind not in "biuf":
        rule = f"weight_col={name!r} must be numbers"
        raise DataError(message(_WHO, rule, f"{weights[:1].tolist()}"))
    return weights


def _checked_labels(labels: list[Any], class_mode: str | None, y_col: Any) -> list[Any]:
    takes_lists = class_mode == "categorical"
    kinds = (str, list, tuple) if takes_lists else (str,)
    if not takes_lists or not any(isinstance(label, np.ndarray) for label in labels):
        clean = labels
    else:
        clean = [x.tolist() if isinstance(x, np.ndarray) else x for x in labels]
    if all(isinstance(label, kinds) for label in clean):
        return clean
    rule = f"for class_mode={class_mode!r} all of y_col={y_col!r} must be names of classes, strings"
    if takes_lists:
        rule += " or lists of them"
    fix = f"Give frame.astype({{{y_col!r}: str}}), or class_mode='raw' for numbers as they are."
    raise DataError(message(_WHO, rule, _first_not(clean, kinds), fix))


def _of_classes(
    labels: list[Any], chosen: Array, classes: Sequence[str] | None
) -> tuple[list[Any], Array]:
    """Labels with the classes that are wanted alone, and the rows that have one."""
    if classes is None:
        return labels, chosen
    wanted = set(classes)
    kept = [
        (label if label in wanted else None)
        if isinstance(label, str)
        else ([one for one in label if one in wanted] or None)
        for label in labels
    ]
    return kept, np.array([at for at in chosen if kept[at] is not None], int)


def _numbered(labels: list[Any], chosen: Array, classes: Sequence[str] | None) -> dict[str, int]:
    if classes is None:
        found: set[str] = set()
        for at in chosen:
            label = labels[at]
            found.update([label] if isinstance(label, str) else label)
        classes = sorted(found)
    return {name: number for number, name in enumerate(classes)}


def _names(labels: list[Any], rows: Array) -> list[str]:
    """Names of the classes of some rows, as often as they stand there."""
    given = [labels[at] for at in rows]
    return [name for one in given for name in ([one] if isinstance(one, str) else one)]


def _numbers(label: Any, numbers: dict[str, int]) -> Any:
    return numbers[label] if isinstance(label, str) else [numbers[name] for name in label]


def _targets(frame: Any, y_col: Any, class_mode: str, rows: Array) -> Any:
    names = [y_col] if isinstance(y_col, str) else list(y_col)
    if class_mode == "multi_output" and isinstance(y_col, str):
        rule = "for class_mode='multi_output' y_col must be a list of columns"
        raise ArgumentError(message(_WHO, rule, repr(y_col), f"Give y_col=[{y_col!r}]."))
    columns = [_stacked(_column(frame, "y_col", name), name)[rows] for name in names]
    if class_mode == "multi_output":
        return columns
    return columns[0] if isinstance(y_col, str) else np.stack(columns, axis=1)


def _stacked(values: list[Any], name: str) -> Array:
    """A column as an array; lists of one length have axes of their own."""
    try:
        return np.asarray(values)
    except ValueError:
        rule = f"lists in y_col={name!r} must have one length"
        raise DataError(message(_WHO, rule, "several")) from None


__all__ = ["DataFrameIterator"]
