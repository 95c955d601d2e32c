"""Each loader on a small file of the real format, placed in the cache where Keras puts it."""

from __future__ import annotations

import gzip
import inspect
import json
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nacre.core.errors import ArgumentError, FileFormatError
from nacre.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    download,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)
from nacre.datasets._pickles import load_npz


@pytest.fixture
def cache(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose files are taken as they are; fetching is an error."""

    def no_network(*arguments: Any, **keywords: Any) -> None:
        raise AssertionError(f"tried to fetch {arguments}")

    monkeypatch.setattr(download, "_matches", lambda *_: True)
    monkeypatch.setattr(download, "_download", no_network)
    folder = cache_folder / "datasets"
    folder.mkdir(parents=True)
    return folder


def lists(*rows: list[int]) -> np.ndarray:
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (mnist.load_data, "(path='mnist.npz')"),
        (fashion_mnist.load_data, "()"),
        (cifar10.load_data, "()"),
        (cifar100.load_data, "(label_mode='fine')"),
        (boston_housing.load_data, "(path='boston_housing.npz', test_split=0.2, seed=113)"),
        (
            california_housing.load_data,
            "(version='large', path='california_housing.npz', test_split=0.2, seed=113)",
        ),
        (
            imdb.load_data,
            "(path='imdb.npz', num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1, "
            "oov_char=2, index_from=3, **kwargs)",
        ),
        (
            reuters.load_data,
            "(path='reuters.npz', num_words=None, skip_top=0, maxlen=None, test_split=0.2, "
            "seed=113, start_char=1, oov_char=2, index_from=3)",
        ),
    ],
)
def test_signatures_are_those_of_keras(function: Any, signature: str) -> None:
    parameters = inspect.signature(function).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    assert str(inspect.Signature(plain)) == signature


def test_mnist(cache: Path) -> None:
    images = np.arange(2 * 28 * 28, dtype="uint8").reshape(2, 28, 28)
    labels = np.array([3, 4], "uint8")
    np.savez(
        cache / "mnist.npz", x_train=images, y_train=labels, x_test=images[:1], y_test=labels[:1]
    )
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert np.array_equal(x_train, images) and np.array_equal(y_train, labels)
    assert np.array_equal(x_test, images[:1]) and y_test.tolist() == [3]


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_fashion_mnist(cache: Path) -> None:
    folder = cache / "fashion-mnist"
    folder.mkdir()
    images = np.arange(2 * 28 * 28, dtype="uint8").reshape(2, 28, 28)
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.array([7, 9], "uint8"))
    (x_train, y_train), (x_test, _) = fashion_mnist.load_data()
    assert np.array_equal(x_train, images) and np.array_equal(x_test, images)
    assert y_train.tolist() == [7, 9]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"no idx"), gzip.compress(b"")],
    ids=["no gzip", "no idx", "empty"],  # a compressed file holds the time it was made at
)
def test_fashion_mnist_names_a_damaged_file(cache: Path, content: bytes) -> None:
    folder = cache / "fashion-mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(FileFormatError, match="train-images.*gzipped IDX"):
        fashion_mnist.load_data()


def write_cifar(path: Path, **labels: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    num_rows = len(next(iter(labels.values())))
    data = np.zeros((num_rows, 3072), "uint8")
    data[:, :1024], data[:, 1024:2048], data[:, 2048:] = 1, 2, 3  # red, green, blue
    data[:, 32] = 9  # second row, first column, red
    batch = {b"data": data, **{key.encode(): value for key, value in labels.items()}}
    path.write_bytes(pickle.dumps(batch, protocol=2))


def check_cifar_image(image: np.ndarray) -> None:
    assert image.shape == (32, 32, 3)
    assert image[0, 0].tolist() == [1, 2, 3] and image[1, 0].tolist() == [9, 2, 3]


def test_cifar10(cache: Path) -> None:
    folder = cache / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    for number in range(1, 6):
        write_cifar(folder / f"data_batch_{number}", labels=[number, 0])
    write_cifar(folder / "test_batch", labels=[8])
    (cache / "cifar-10-batches-py-target_archive").touch()
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert y_train.ravel().tolist() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert y_train.shape == (10, 1) and y_test.tolist() == [[8]]
    check_cifar_image(x_train[3])
    check_cifar_image(x_test[0])


@pytest.mark.parametrize("place", ["{}", "{}_extracted/{}"])
def test_folders_of_other_versions_of_keras_are_read(cache: Path, place: str) -> None:
    folder = cache / place.format("cifar-10-batches-py", "cifar-10-batches-py")
    for name in ("test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
        write_cifar(folder / name, labels=[3])
    (x_train, y_train), _ = cifar10.load_data()
    assert x_train.shape == (5, 32, 32, 3) and y_train.ravel().tolist() == [3] * 5
    folder = cache / place.format("cifar-100-python", "cifar-100-python")
    for name in ("train", "test"):
        write_cifar(folder / name, fine_labels=[42])
    assert cifar100.load_data()[1][1].tolist() == [[42]]


@pytest.mark.parametrize("damage", [lambda b: b[:-2000], lambda b: b"", lambda b: b"\x80\x02}."])
def test_a_damaged_batch_is_named(cache: Path, damage: Any) -> None:
    folder = cache / "cifar-100-python"
    for name in ("train", "test"):
        write_cifar(folder / name, fine_labels=[42])
    (folder / "train").write_bytes(damage((folder / "train").read_bytes()))
    with pytest.raises(FileFormatError, match="complete batch of CIFAR images"):
        cifar100.load_data()


def test_cifar100(cache: Path) -> None:
    folder = cache / "cifar-100-python-target" / "cifar-100-python"
    for part in ("train", "test"):
        write_cifar(folder / part, fine_labels=[42], coarse_labels=[5])
    (cache / "cifar-100-python-target_archive").touch()
    (x_train, y_train), _ = cifar100.load_data()
    check_cifar_image(x_train[0])
    assert y_train.tolist() == [[42]]
    assert cifar100.load_data("coarse")[0][1].tolist() == [[5]]
    with pytest.raises(ArgumentError, match="'fine' or 'coarse'.*'medium'"):
        cifar100.load_data("medium")


@pytest.mark.parametrize("module", [boston_housing, california_housing])
def test_housing_rows_are_shuffled_once_and_split(cache: Path, module: ModuleType) -> None:
    name = module.__name__.rsplit(".", 1)[1]
    x = np.arange(1000.0)[:, None]
    np.savez(cache / f"{name}.npz", x=x, y=x[:, 0] * 2)
    (x_train, y_train), (x_test, y_test) = module.load_data(test_split=0.25)
    assert len(x_train) == 750 and len(x_test) == 250
    assert np.array_equal(y_train, 2 * x_train[:, 0]) and np.array_equal(y_test, 2 * x_test[:, 0])
    assert sorted([*x_train[:, 0], *x_test[:, 0]]) == list(range(1000))
    order = np.arange(1000)
    np.random.RandomState(113).shuffle(order)
    assert x_train[:, 0].tolist() == order[:750].tolist()
    with pytest.raises(ArgumentError, match=r"test_split must be in \[0, 1\). Got 1"):
        module.load_data(test_split=1)


def test_small_california_housing_is_the_first_600_rows(cache: Path) -> None:
    x = np.arange(1000.0)[:, None]
    np.savez(cache / "california_housing.npz", x=x, y=x[:, 0])
    (x_train, _), (x_test, _) = california_housing.load_data("small")
    assert sorted([*x_train[:, 0], *x_test[:, 0]]) == list(range(600))
    with pytest.raises(ArgumentError, match="'small' or 'large'"):
        california_housing.load_data("medium")


@pytest.fixture
def reviews(cache: Path) -> Path:
    rows = lists([1, 5], [2, 9, 3], [4], [7, 8, 6, 2])
    labels = np.array([0, 1, 2, 3])
    np.savez(cache / "imdb.npz", x_train=rows, y_train=labels, x_test=rows[:2], y_test=labels[:2])
    np.savez(cache / "reuters.npz", x=rows, y=labels)
    return cache


def by_label(part: tuple[np.ndarray, np.ndarray]) -> dict[int, list[int]]:
    return {int(label): words for words, label in zip(*part)}


def test_imdb_shifts_and_marks(reviews: Path) -> None:
    train, test = imdb.load_data(num_words=100)
    assert by_label(train) == {0: [1, 4, 8], 1: [1, 5, 12, 6], 2: [1, 7], 3: [1, 10, 11, 9, 5]}
    assert by_label(test) == {0: [1, 4, 8], 1: [1, 5, 12, 6]}


def test_imdb_filters_by_rank(reviews: Path) -> None:
    options = {"index_from": 0, "start_char": None, "num_words": 6, "skip_top": 2}
    marked, _ = imdb.load_data(**options)
    assert by_label(marked) == {0: [2, 5], 1: [2, 2, 3], 2: [4], 3: [2, 2, 2, 2]}
    dropped, _ = imdb.load_data(**options, oov_char=None)
    assert by_label(dropped) == {0: [5], 1: [2, 3], 2: [4], 3: [2]}


def test_imdb_without_num_words_leaves_out_the_largest_index_only(reviews: Path) -> None:
    train, _ = imdb.load_data()
    assert by_label(train)[1] == [1, 5, 2, 6]
    assert by_label(train)[3] == [1, 10, 11, 9, 5]


def test_maxlen_leaves_out_long_sequences(reviews: Path) -> None:
    train, _ = imdb.load_data(num_words=100, maxlen=4)
    assert set(by_label(train)) == {0, 2}
    with pytest.raises(ArgumentError, match="shorter than maxlen.*maxlen=1"):
        imdb.load_data(maxlen=1)


def test_imdb_refuses_unknown_arguments(reviews: Path) -> None:
    with pytest.raises(ArgumentError, match="nb_wrods"):
        imdb.load_data(nb_wrods=5)
    assert len(imdb.load_data(nb_words=50)[0][0]) == 4


def test_reuters_splits_after_the_shuffle(reviews: Path) -> None:
    train, test = reuters.load_data(num_words=100, test_split=0.5)
    assert len(train[0]) == len(test[0]) == 2
    together = by_label(train) | by_label(test)
    assert together == {0: [1, 4, 8], 1: [1, 5, 12, 6], 2: [1, 7], 3: [1, 10, 11, 9, 5]}


@pytest.mark.parametrize("module", [imdb, reuters])
def test_word_index(cache: Path, module: ModuleType) -> None:
    name = module.__name__.rsplit(".", 1)[1]
    (cache / f"{name}_word_index.json").write_text(json.dumps({"the": 1}))
    assert module.get_word_index() == {"the": 1}


def test_reuters_has_46_topics() -> None:
    names = reuters.get_label_names()
    assert len(names) == len(set(names)) == 46


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


def test_a_pickle_cannot_run_code(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(cache / "reuters.npz", x=lists([1])[:1], y=np.array([Evil()], dtype=object))
    with pytest.raises(FileFormatError, match=r"arrays, numbers.*builtins\.print"):
        reuters.load_data()
    folder = cache / "cifar-100-python-target" / "cifar-100-python"
    folder.mkdir(parents=True)
    (folder / "train").write_bytes(pickle.dumps(Evil()))
    (cache / "cifar-100-python-target_archive").touch()
    with pytest.raises(FileFormatError, match=r"builtins\.print"):
        cifar100.load_data()
    assert "code ran" not in capsys.readouterr().out


def test_npz_of_objects_reads_back(tmp_path: Path) -> None:
    rows = lists([1, 2], [], [3])
    np.savez(tmp_path / "x.npz", rows=rows, plain=np.eye(2))
    arrays = load_npz(tmp_path / "x.npz")
    assert arrays["rows"].tolist() == rows.tolist()
    assert np.array_equal(arrays["plain"], np.eye(2))
