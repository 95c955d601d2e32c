"""Data sets of the sound files in a folder: one class in each folder of it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.interop import optional_import
from nacre.core.numbers import whole_number
from nacre.data.dataset import AUTOTUNE, Dataset, Ragged
from nacre.data.directories import folder_of
from nacre.data.sounds import read_wav

_WHO = "audio_dataset_from_directory"


def audio_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """A `Dataset` of the sound files in a folder, batches of (sounds, labels).

    Each folder in `directory` is a class. Files are WAV: whole numbers of 8 to 32 bits or floats,
    not compressed. Threads read them, as they are asked for.

    Args:
        directory: The folder.
        labels: 'inferred' from the names of folders; a list of one number for each file, in the
            order of the files' paths; None for sounds alone.
        label_mode: 'int' (int32), 'binary' (float32 0 or 1), 'categorical' (one-hot, float32), or
            None for sounds alone.
        class_names: The folders to take as classes, in the order of their numbers. By default all,
            by their names.
        batch_size: Sounds in a batch; None gives them one by one.
        sampling_rate: Samples in a second that all are brought to. None keeps those of the files.
        output_sequence_length: Steps that all sounds are cut to, or filled up to with zeros. None
            fills them up to the longest of each batch.
        ragged: Whether sounds keep their lengths, and a batch is a `Ragged`.
        shuffle: Whether files are in another order in each pass; else they are in their own.
        seed: What orders, and which files are held out, follow from.
        validation_split: Share of the files to hold out.
        subset: 'training', 'validation', or 'both' for a list of these two.
        follow_links: Whether to look into folders that are links.
        verbose: Whether to print how many files there are.

    Shapes:
        sounds   (batch, steps, channels), float32 from -1 to 1
        labels   (batch,); (batch, 1) for 'binary'; (batch, classes) for 'categorical'

    Raises:
        ArgumentError: An argument breaks its rule.
        DataError: There are no such files, or none are left for a subset; where the data set is
            read, a file that is none, or has other channels than the first one, is named.

    Source: Keras 3.15, whose samples, shapes and labels were compared. Differs: it reads files of
    16 bits alone; needs another package to change the sampling rate, which is done here by a
    polyphase filter; fills up channels that are missing; and what is said of
    `image_dataset_from_directory`.

    Example:
        >>> import os, tempfile, wave
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name in ("no", "yes"):
        ...     os.mkdir(os.path.join(folder.name, name))
        ...     with wave.open(os.path.join(folder.name, name, "1.wav"), "wb") as file:
        ...         file.setparams((1, 2, 8000, 0, "NONE", ""))
        ...         file.writeframes(bytes(2 * 100))
        >>> data = audio_dataset_from_directory(folder.name)
        Found 2 files belonging to 2 classes.
        >>> [sounds.shape for sounds, labels in data]
        [(2, 100, 1)]
    """
    if sampling_rate is not None:
        sampling_rate = whole_number(_WHO, "sampling_rate", sampling_rate)
    if output_sequence_length is not None:
        length = output_sequence_length
        output_sequence_length = whole_number(_WHO, "output_sequence_length", length)
    if ragged and output_sequence_length is not None:
        rule = "only one of ragged and output_sequence_length can be given"
        raise ArgumentError(message(_WHO, rule, f"True and {output_sequence_length}"))
    folder = folder_of(_WHO, "sound", (".wav",), "tf", dict(
        directory=directory, labels=labels, label_mode=label_mode, class_names=class_names,
        batch_size=batch_size, shuffle=shuffle, seed=seed, validation_split=validation_split,
        subset=subset, follow_links=follow_links, verbose=verbose,
    ))  # fmt: skip
    read = _ReadSound(sampling_rate, output_sequence_length)

    def together(dataset: Dataset, size: int) -> Dataset:
        if ragged:
            return dataset.ragged_batch(size).map(_dense_labels, num_parallel_calls=AUTOTUNE)
        if output_sequence_length is not None:
            return dataset.batch(size)
        return dataset.padded_batch(size)

    return folder.datasets(read, together)


def _dense_labels(sounds: Any, *labels: Any) -> Any:
    """Labels of a ragged batch, one-hot ones among them, as an array."""
    if not labels:
        return sounds
    return sounds, labels[0].to_tensor() if isinstance(labels[0], Ragged) else labels[0]


class _ReadSound:
    """Sounds of files as float32 arrays."""

    def __init__(self, rate: int | None, length: int | None) -> None:
        self.rate, self.length = rate, length
        self.first: tuple[str, int] | None = None  # a file, and its channels

    def __call__(self, path: str) -> np.ndarray[Any, Any]:
        samples, rate = read_wav(path, _WHO)
        channels = samples.shape[1]
        first = self.first = self.first or (path, channels)
        if channels != first[1]:
            rule = "all files must have as many channels"
            got = f"{first[1]} in {first[0]!r}, {channels} in {path!r}"
            raise DataError(
                message(_WHO, rule, got, "ffmpeg -i file.wav -ac 1 mono.wav mixes them.")
            )
        if self.rate is not None and rate != self.rate:
            samples = _resampled(samples, rate, self.rate)
        if self.length is None:
            return samples
        fixed = np.zeros((self.length, channels), np.float32)
        fixed[: len(samples)] = samples[: self.length]
        return fixed


def _resampled(samples: np.ndarray[Any, Any], old: int, new: int) -> np.ndarray[Any, Any]:
    signal: Any = optional_import("scipy.signal", extra="plot", who=_WHO)  # comes with JAX
    common = math.gcd(old, new)
    return signal.resample_poly(samples, new // common, old // common, axis=0).astype(np.float32)


__all__ = ["audio_dataset_from_directory"]
