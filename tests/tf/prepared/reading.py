"""What is asked of the prepared folder, of tensorflow_datasets and of nacre alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SLICES = (
    "train[:3]", "train[50%:]", "train[-4:]", "train[10%:35%]+test", "test[1:3]", "all",
    "train[:33%]", "train[66%:]",
)  # fmt: skip


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for part, inner in value.items():
            yield from _leaves(inner, f"{name}/{part}")
    elif hasattr(value, "to_list"):  # rows of different lengths
        yield name, value.to_list()
    else:
        array = np.asarray(value)
        kind = "text" if array.dtype == object else str(array.dtype)
        yield name, [array.tolist(), kind, list(array.shape)]


def examples(tfds: Any, folder: Path) -> list[Any]:
    """Some examples: name, values, dtype and shape of each part."""
    made = tfds.builder_from_directory(f"{folder}/toy/1.2.0")
    return [sorted(_leaves(example)) for example in made.as_dataset(split="train").take(4)]


def slices(tfds: Any, folder: Path) -> list[Any]:
    """The numbers of the examples of slices."""
    read = tfds.core.ReadInstruction
    splits = [
        *SLICES,
        *tfds.even_splits("train", 3),
        *tfds.even_splits("train+test", 4, drop_remainder=True),
        read("train", from_=10, to=50, unit="%"),
        read("train", to=3) + read("test"),
        read("train", from_=-3, unit="abs"),
    ]
    load = lambda split: tfds.as_numpy(tfds.load("toy", split=split, data_dir=str(folder)))
    return [[int(example["n"]) for example in load(split)] for split in splits]


def asked(tfds: Any, folder: Path) -> list[Any]:
    """What is known of the set, and what its examples are as pairs."""
    data, info = tfds.load(
        "toy", split="train", data_dir=str(folder), as_supervised=True, with_info=True
    )
    image, label = next(iter(data))
    label_kind, objects = info.features["label"], info.features["objects"]
    train = info.splits["train"]
    return [
        [list(image.shape), int(label), len(data), sorted(tfds.load("toy", data_dir=str(folder)))],
        [
            info.name,
            str(info.version),
            info.full_name,
            info.description,
            info.citation,
            info.homepage,
        ],
        [train.num_examples, list(train.shard_lengths), list(train.filenames), info.dataset_size],
        [
            label_kind.names,
            label_kind.num_classes,
            objects["label"].names,
            list(info.supervised_keys),
        ],
        [label_kind.int2str(1), label_kind.str2int("owl"), list(info.features["image"].shape)],
    ]
