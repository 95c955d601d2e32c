"""Files of weights that were published for Keras, kept in its cache folder (`~/.keras/models`)."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.datasets.download import get_file

# Where Keras 3.15 fetches its files from: most networks have a folder below `FOLDER`.
SOURCE = "https://storage.googleapis.com/"
FOLDER = "tensorflow/keras-applications"


@dataclass(frozen=True)
class WeightFile:
    """One file.

    Args:
        path: Folder and name below `SOURCE`.
        file_hash: Its MD5 or SHA-256 digest; None where Keras knows none.
        cached: Its name in the cache, where it is not that of `path`.
    """

    path: str
    file_hash: str | None
    cached: str | None = None


def fetch(file: WeightFile) -> str:
    """The file's path in the cache, where it is put first if it is not there.

    Raises:
        DownloadError: It could not be fetched; the message says where to put it by hand.
    """
    name = file.cached or file.path.rsplit("/", 1)[-1]
    origin = SOURCE + file.path
    return get_file(name, origin, cache_subdir="models", file_hash=file.file_hash)


def kernels(folder: str, stem: str, include_top: bool, hashes: tuple[str, str]) -> WeightFile:
    """A file of the older names: with the top, or `_notop`, which has a digest of its own."""
    end = "" if include_top else "_notop"
    name = f"{stem}_weights_tf_dim_ordering_tf_kernels{end}.h5"
    return WeightFile(f"{FOLDER}/{folder}/{name}", hashes[0 if include_top else 1])
