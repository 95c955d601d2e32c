"""Folders of files, and what loaders make of them: by nacre, and by Keras for reference/folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = {
    "cats": ["b.png", "a.PNG", "A.png", "sub/z.png", "sub/a.bmp", "a b/k.png", "a/z/m.png"],
    "dogs": ["1.png", "10.png", "2.png", "x.gif", "note.txt"],
    "Birds": ["q.png", ".hid.png"],
    ".hidden": ["a.png"],
    "empty": [],
    ".": ["top.png"],
}
SIZES = [(9, 7), (4, 5), (1, 5), (12, 3), (8, 8)]
RESIZED = {
    **{f"{name}": {"interpolation": name} for name in (
        "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian",
        "mitchellcubic",
    )},
    "crop": {"crop_to_aspect_ratio": True},
    "pad": {"pad_to_aspect_ratio": True},
    "first": {"data_format": "channels_first"},
}  # fmt: skip


def write_images(root: Path) -> str:
    """A folder of classes, each image of one size."""
    numbers = np.random.default_rng(0)
    for name, files in CLASSES.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for file in files:
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.endswith(".txt"):
                path.write_text("no image")
            else:
                Image.fromarray(numbers.integers(0, 256, (6, 4, 3), dtype=np.uint8)).save(path)
    return str(root)


def write_kinds(root: Path) -> str:
    """Images of several sizes and modes, without classes."""
    root.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 256, (12, 9, 4), dtype=np.uint8)
    for height, width in SIZES:
        Image.fromarray(pixels[:height, :width, :3]).save(root / f"{height}-{width}.png")
    Image.fromarray(pixels).save(root / "rgba.png")
    Image.fromarray(pixels[..., 0]).save(root / "grey.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 256 + 77).save(root / "grey16.png")
    Image.fromarray(pixels[..., :3]).convert("P").save(root / "palette.png")
    return str(root)


def write_texts(root: Path) -> str:
    """A folder of two classes of texts."""
    for name in ("pos", "neg"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            (root / name / f"{number}.txt").write_bytes(f"{name} {number} häß\n".encode())
    (root / "pos" / "other.md").write_text("no")
    return str(root)


def _elements(dataset: Any) -> list[tuple[np.ndarray, ...]]:
    found = [x if isinstance(x, tuple) else (x,) for x in dataset]
    return [tuple(np.asarray(part) for part in x) for x in found]


def results(utils: Any, root: Path) -> dict[str, np.ndarray]:
    """What the loaders of a `keras.utils` make of the folders."""
    images, kinds = write_images(root / "images"), write_kinds(root / "kinds")
    texts = write_texts(root / "texts")
    found: dict[str, np.ndarray] = {}

    def load(folder: str, **arguments: Any) -> Any:
        given = {"image_size": (6, 4), "shuffle": False, "verbose": False, **arguments}
        return utils.image_dataset_from_directory(folder, **given)

    def files(dataset: Any) -> np.ndarray:
        return np.array([str(Path(p).relative_to(root)) for p in dataset.file_paths])

    for mode in ("int", "categorical", None):
        data = load(images, label_mode=mode)
        found[f"files {mode}"] = files(data)
        found[f"labels {mode}"] = _elements(data)[0][-1]
    two = load(images, label_mode="binary", class_names=["dogs", "cats"])
    found["files binary"], found["labels binary"] = files(two), _elements(two)[0][1]
    mixed = {"shuffle": True, "seed": 3, "validation_split": 0.3}
    for subset in ("training", "validation"):
        found[f"split {subset}"] = files(load(images, subset=subset, **mixed))
    both = load(images, subset="both", **mixed)
    found["split both"] = np.concatenate([files(part) for part in both])
    found["validation labels"] = _elements(both[1])[0][1]
    for mode in ("rgb", "rgba", "grayscale"):
        part = load(kinds, labels=None, color_mode=mode, batch_size=None, image_size=(12, 9))
        for path, (array,) in zip(part.file_paths, _elements(part), strict=True):
            name = Path(path).stem
            if name in ("12-9", "rgba", "grey", "grey16", "palette"):
                found[f"{mode} {name}"] = array.astype("uint8")
    for name, arguments in RESIZED.items():
        for size in ((5, 7), (12, 9))[: 2 if name in ("bilinear", "pad", "mitchellcubic") else 1]:
            data = load(kinds, labels=None, image_size=size, **arguments)
            found[f"resized {name} {size}"] = np.concatenate([x for (x,) in _elements(data)])
    for length in (None, 7, 8):
        data = utils.text_dataset_from_directory(
            texts, shuffle=False, verbose=False, max_length=length, label_mode="binary"
        )
        ((words, labels),) = _elements(data)
        found[f"texts {length}"], found["labels of texts"] = words.astype("S"), labels
    return found
