"""What `keras.preprocessing.image` makes of small images: run with tf.keras, and with nacre.

Images are square: see `apply_affine_transform` for those that are not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

AXES = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
AFFINE = [
    {"theta": 30},
    {"tx": 2, "ty": 1},
    {"shear": 20},
    {"zx": 0.7, "zy": 1.2},
    {"theta": 10, "tx": 1.5, "shear": 5, "zx": 0.8},
    {"theta": 30, "fill_mode": "constant", "cval": 5.0},
    {"theta": 30, "fill_mode": "reflect", "order": 3},
    {"theta": 30, "fill_mode": "wrap", "order": 0},
]
CHANGES = {
    "rotation": {"rotation_range": 20},
    "shift": {"width_shift_range": 0.2, "height_shift_range": 0.2},
    "pixels": {"width_shift_range": 3, "height_shift_range": 3},
    "listed": {"width_shift_range": [-2, 0, 2], "height_shift_range": [-2, 0, 2]},
    "zoom": {"zoom_range": 0.3, "fill_mode": "reflect"},
    "shear": {"shear_range": 15, "fill_mode": "wrap"},
    "colors": {"brightness_range": (0.5, 1.5), "channel_shift_range": 30.0},
    "all": {
        "rotation_range": 20,
        "shear_range": 10,
        "zoom_range": [0.8, 1.3],
        "channel_shift_range": 20.0,
        "horizontal_flip": True,
        "vertical_flip": True,
        "fill_mode": "constant",
        "cval": 9.0,
        "rescale": 1 / 255.0,
    },
    "samplewise": {"samplewise_center": True, "samplewise_std_normalization": True},
    "noise": {
        "rotation_range": 10,
        "preprocessing_function": lambda image: image + np.random.uniform(0, 9),
    },
}
FITTED = {
    "center": {"featurewise_center": True},
    "std": {"featurewise_center": True, "featurewise_std_normalization": True},
    "zca": {"featurewise_center": True, "zca_whitening": True},
}


def images() -> np.ndarray:
    return np.random.RandomState(3).uniform(0, 255, (5, 6, 6, 3)).astype("float32")


def results(image: Any) -> dict[str, Any]:
    """Of arrays.

    Args:
        image: `keras.preprocessing.image`.
    """
    found: dict[str, Any] = {}
    x = images()
    for i, arguments in enumerate(AFFINE):
        found[f"affine/{i}"] = image.apply_affine_transform(x[0], **arguments, **AXES)
    np.random.seed(1)
    found["random_rotation"] = image.random_rotation(x[0], 30, **AXES)
    found["random_shear"] = image.random_shear(x[0], 20, **AXES)
    found["random_zoom"] = image.random_zoom(x[0], (0.7, 1.3), **AXES)
    found["random_channel_shift"] = image.random_channel_shift(x[0], 20, channel_axis=2)
    found["random_brightness"] = image.random_brightness(x[0], (0.5, 1.5))
    for name, arguments in CHANGES.items():
        batches = image.ImageDataGenerator(**arguments).flow(x, np.arange(5), 2, seed=7)
        for epoch in range(2):
            for index in range(3):
                batch, labels = batches[index]
                found[f"flow/{name}/{epoch}/{index}"] = batch.mean(axis=3)
                found[f"flow/{name}/{epoch}/{index}/labels"] = labels
            batches.on_epoch_end()
        walked = image.ImageDataGenerator(**arguments).flow(x, np.arange(5), 2, seed=4)
        found[f"next/{name}"] = np.concatenate([next(walked)[1] for _ in range(7)])
        np.random.seed(5)
        unseeded = image.ImageDataGenerator(**arguments).flow(x, batch_size=3)
        found[f"unseeded/{name}"] = next(unseeded).mean(axis=3)
    for name, arguments in FITTED.items():
        generator = image.ImageDataGenerator(**arguments)
        generator.fit(x)
        found[f"fit/{name}"] = generator.standardize(x[0].copy())
    return found


def write_folder(folder: Path) -> Path:
    random = np.random.RandomState(0)
    for name, count in (("dogs", 5), ("cats", 4), ("birds/big", 3), ("birds", 1)):
        os.makedirs(folder / name, exist_ok=True)
        for i in range(count):
            pixels = random.randint(0, 255, (8 + i, 10, 3)).astype("uint8")
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    (folder / "dogs" / "note.txt").write_text("no image")
    return folder


def folder_results(image: Any, folder: Path) -> dict[str, Any]:
    """Of files.

    Args:
        image: `keras.preprocessing.image`.
        folder: What `write_folder` wrote.
    """
    found: dict[str, Any] = {}
    generator = image.ImageDataGenerator(rotation_range=20, validation_split=0.4)
    settings = {"target_size": (6, 6), "batch_size": 4, "seed": 3}
    for mode in ("categorical", "sparse", "input", None):
        given = generator.flow_from_directory(str(folder), class_mode=mode, **settings)
        parts = given[0] if mode else (given[0],)
        for i, part in enumerate(parts):
            found[f"mode/{mode}/{i}"] = part
    for subset in ("training", "validation"):
        given = generator.flow_from_directory(str(folder), subset=subset, shuffle=False, **settings)
        found[f"subset/{subset}/files"] = np.array(given.filenames)
        found[f"subset/{subset}/classes"] = given.classes
    for interpolation in ("nearest", "bilinear", "lanczos"):
        given = image.ImageDataGenerator().flow_from_directory(
            str(folder), interpolation=interpolation, shuffle=False, **settings
        )
        found[f"interpolation/{interpolation}"] = given[0][0]
    return found
