"""Pipelines that feed a training, one sample each: of nacre, of its peers, and of what they make.

Seconds are those of one sample, so both sides of a pair go over as much.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

Sample = Callable[[], Any]
Jobs = dict[str, Callable[[], tuple[Sample, int]]]

IMAGES = "NACRE_BENCH_IMAGES"  # in the environment: the folder of JPEG files
CNN_ROWS, WAITING = 1_600, 1_000  # rows of an epoch, and of a buffer of `shuffle`
MADE_BATCHES = 200  # of the sources that make them
ELEMENTS = 5_000  # of a trivial function


def cnn_rows() -> tuple[Any, Any]:
    """Rows for the CNN."""
    from bench import workloads

    return workloads.data(replace(workloads.training("cnn"), rows=CNN_ROWS))


def pipeline(dataset: Any, x: Any, y: Any) -> Any:
    """The pipeline of everybody, in the names that nacre and tf.data share."""
    rows = dataset.from_tensor_slices((x, y)).map(lambda image, label: (image * 0.5, label))
    return rows.shuffle(WAITING).batch(32).prefetch(2)


def walked(dataset: Any) -> Sample:
    """Goes over a data set once."""

    def sample() -> None:
        for _ in dataset:
            pass

    return sample


def cnn_fit(keras: Any, from_pipeline: bool) -> tuple[Sample, int]:
    """One epoch of the CNN: of rows in memory, or of the pipeline."""
    from bench.peers import keras_way

    x, y = cnn_rows()
    model = keras_way.build(keras, "cnn")
    if not from_pipeline:
        return lambda: model.fit(x, y, batch_size=32, verbose=0), 1
    data = pipeline(keras.data.Dataset, x, y)
    return lambda: model.fit(data, verbose=0), 1


class Making:
    """Batches for the MLP that are made one after another: noise is added to rows."""

    def __init__(self) -> None:
        import numpy as np

        from bench import workloads

        self.x, self.y = workloads.data(replace(workloads.training("mlp"), rows=6_400))
        self.generator = np.random.default_rng(0)

    def made(self, index: int) -> tuple[Any, Any]:
        """One batch, in about two milliseconds."""
        import numpy as np

        rows = slice(first := 32 * index % len(self.x), first + 32)
        noise = sum(self.generator.standard_normal((32, 784), np.float32) for _ in range(8))
        return self.x[rows] + 0.01 * noise, self.y[rows]

    def all(self) -> Iterator[tuple[Any, Any]]:
        """Those of one epoch."""
        return map(self.made, range(MADE_BATCHES))


def making_alone(keras: Any) -> tuple[Sample, int]:
    """Only to make them."""
    return walked_anew(Making().all), 1


def walked_anew(make: Callable[[], Iterator[Any]]) -> Sample:
    """Goes over what a function gives."""
    return lambda: sum(1 for _ in make())


def fit_of_made(keras: Any, is_indexed: bool) -> tuple[Sample, int]:
    """One epoch of the MLP over them, from a `PyDataset` or a generator."""
    from bench.peers import keras_way

    making, model = Making(), keras_way.build(keras, "mlp")

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return MADE_BATCHES

        def __getitem__(self, index: int) -> Any:
            return making.made(index)

    source = Batches if is_indexed else making.all
    return lambda: model.fit(source(), verbose=0), 1


def one_more(number: Any) -> Any:
    """A trivial function."""
    return number + 1


def images(keras: Any) -> tuple[Sample, int]:
    """JPEG files decoded, resized and batched."""
    read = keras.utils.image_dataset_from_directory
    return walked(read(os.environ[IMAGES], image_size=(128, 128), verbose=False)), 1


def write_images(folder: Path, count: int) -> None:
    """Photograph-like JPEG files of 256×256 in two classes: smooth shapes and some noise."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        coarse = generator.integers(0, 255, (8, 8, 3), np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((256, 256)), np.int16)
        noisy = (smooth + generator.integers(-9, 9, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "ab"[number % 2] / f"{number}.jpg", quality=90)


def of_nacre(keras: Any) -> Jobs:
    """What nacre does."""

    def dataset() -> Any:
        return keras.data.Dataset

    return {
        "cnn arrays": lambda: cnn_fit(keras, from_pipeline=False),
        "cnn pipeline": lambda: cnn_fit(keras, from_pipeline=True),
        "pipeline": lambda: (walked(pipeline(dataset(), *cnn_rows())), 1),
        "making": lambda: making_alone(keras),
        "PyDataset": lambda: fit_of_made(keras, is_indexed=True),
        "generator": lambda: fit_of_made(keras, is_indexed=False),
        "trivial function": lambda: (
            walked(dataset().range(ELEMENTS).map(one_more).batch(100)),
            10,
        ),
        "images": lambda: images(keras),
    }


def of_tensorflow(tf: Any) -> Jobs:
    """What tf.data does, and Keras on TensorFlow with files."""
    dataset = tf.data.Dataset

    def by_python(number: Any) -> Any:
        return tf.py_function(one_more, [number], tf.int64)

    def read_images() -> tuple[Sample, int]:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import keras

        return images(keras)

    return {
        "pipeline": lambda: (walked(pipeline(dataset, *cnn_rows())), 1),
        "trivial function": lambda: (walked(dataset.range(ELEMENTS).map(by_python).batch(100)), 1),
        "images": read_images,
    }
